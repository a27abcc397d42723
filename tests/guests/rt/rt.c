// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

#include "tests/guests/rt/trap.h"

#define COM1		0x3f8
#define LSR_THRE	0x20
#define PIC1_MASK	0x21
#define PIC2_MASK	0xa1
#define PORT_EXIT	0xf4
#define PORT_BOCHS	0x8900	/* Bochs ends when "Shutdown" is written here */
#define MAX_FAIL_LINES	20
#define MB_BOOT_MAGIC	0x2badb002

/* Multiboot 0.6.96, 3.3: the start of the information structure. */
struct mb_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline;
};

extern u32 rt_boot_magic, rt_boot_info;
extern char __low_load[], __low_start[], __low_end[];

struct rt_info rt;
static u32 checks, failures, knowns;

void rt_putc(char c)
{
	/* A UART that never gets ready must not hang the guest. */
	for (u32 spin = 0; spin < 100000; spin++)
		if (inb(COM1 + 5) & LSR_THRE)
			break;
	outb(COM1, (u8)c);
}

/* 115200 8n1, polled: without it a UART after reset may cut bytes to 5 bits. */
static void uart_init(void)
{
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 0x83);
	outb(COM1, 1);
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 0x03);
	outb(COM1 + 4, 0x03);
}

struct out {
	unsigned int width;
	char pad;
};

static void put_padded(struct out *o, const char *s)
{
	size_t n = strlen(s);

	while (n < o->width--)
		rt_putc(o->pad);
	while (*s)
		rt_putc(*s++);
}

static void put_hex(struct out *o, u64 v)
{
	char buf[17], *p = buf + 16;

	*p = 0;
	do {
		*--p = "0123456789abcdef"[v & 15];
		v >>= 4;
	} while (v);
	put_padded(o, p);
}

static void put_dec(struct out *o, ulong v, bool negative)
{
	char buf[24], *p = buf + 23;

	*p = 0;
	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	if (negative)
		*--p = '-';
	put_padded(o, p);
}

static u64 get_arg(va_list *ap, unsigned int longs)
{
	if (longs > 1)
		return va_arg(*ap, u64);
	return longs ? va_arg(*ap, ulong) : va_arg(*ap, u32);
}

static const char *one_format(const char *f, va_list *ap)
{
	struct out o = { .width = 0, .pad = ' ' };
	unsigned int longs = 0;
	s64 v;

	if (*f == '0')
		o.pad = *f++;
	for (; *f >= '0' && *f <= '9'; f++)
		o.width = o.width * 10 + (unsigned int)(*f - '0');
	for (; *f == 'l'; f++)
		longs++;
	switch (*f) {
	case 's':
		put_padded(&o, va_arg(*ap, const char *));
		break;
	case 'c':
		rt_putc((char)va_arg(*ap, int));
		break;
	case 'x':
		put_hex(&o, get_arg(ap, longs));
		break;
	case 'u':
		put_dec(&o, (ulong)get_arg(ap, longs), false);
		break;
	case 'd':
		v = longs ? (s64)(intptr_t)get_arg(ap, longs) : va_arg(*ap, s32);
		put_dec(&o, (ulong)(v < 0 ? -v : v), v < 0);
		break;
	default:
		rt_putc(*f);
	}
	return f + 1;
}

static void vprint(const char *fmt, va_list *ap)
{
	while (*fmt) {
		if (*fmt == '\n')
			rt_putc('\r');
		if (*fmt == '%')
			fmt = one_format(fmt + 1, ap);
		else
			rt_putc(*fmt++);
	}
}

void rt_printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(fmt, &ap);
	va_end(ap);
}

void rt_exit(u32 v)
{
	outl(PORT_EXIT, v);
	for (const char *s = "Shutdown"; *s; s++)
		outb(PORT_BOCHS, (u8)*s);
	for (;;)
		__asm__ volatile("cli; hlt");
}

static bool vcheck(bool ok, bool quiet, const char *name, const char *fmt, va_list *ap)
{
	checks++;
	if (ok) {
		if (!quiet)
			rt_printf("PASS %s\n", name);
		return true;
	}
	if (failures++ < MAX_FAIL_LINES) {
		rt_printf("FAIL %s: ", name);
		vprint(fmt, ap);
		rt_printf("\n");
	}
	return false;
}

bool rt_check(bool ok, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vcheck(ok, false, name, fmt, &ap);
	va_end(ap);
	return ok;
}

bool rt_quiet(bool ok, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vcheck(ok, true, name, fmt, &ap);
	va_end(ap);
	return ok;
}

bool rt_known(bool known, bool ok, const char *name, const char *why)
{
	if (!known)
		return rt_check(ok, name, "%s", why);
	if (ok) {
		rt_check(false, name, "listed as known but passes: %s", why);
		return true;
	}
	checks++;
	knowns++;
	rt_printf("KNOWN %s: %s\n", name, why);
	return false;
}

int rt_result(void)
{
	rt_printf("%u checks, %u failed, %u known\n", checks, failures, knowns);
	if (!checks || failures)
		return RT_FAIL;
	return knowns ? RT_KNOWN : RT_PASS;
}

int rt_skip(const char *reason)
{
	rt_printf("SKIP %s\n", reason);
	return RT_SKIP;
}

void rt_note(const char *what)
{
	rt_printf("NOTE %s\n", what);
}

bool rt_has(u32 leaf, u32 sub, unsigned int reg, unsigned int bit)
{
	u32 max = leaf & 0x80000000 ? rt.max_ext : rt.max_basic;
	struct cpuid c;

	if (leaf > max)
		return false;
	c = cpuid2(leaf, sub);
	return (reg == EAX ? c.eax : reg == EBX ? c.ebx : reg == ECX ? c.ecx : c.edx) >>
	       bit & 1;
}

/* The CPUID signature in the register order of leaf 0 or 4000_0000. */
static void signature(char *buf, u32 a, u32 b, u32 c)
{
	memcpy(buf, &a, 4);
	memcpy(buf + 4, &b, 4);
	memcpy(buf + 8, &c, 4);
	buf[12] = 0;
}

static void identify(void)
{
	struct cpuid c = cpuid(0);
	char name[13];

	rt.max_basic = c.eax;
	signature(name, c.ebx, c.edx, c.ecx);
	if (!memcmp(name, "AuthenticAMD", 12) || !memcmp(name, "HygonGenuine", 12))
		rt.vendor = RT_AMD;
	else if (!memcmp(name, "GenuineIntel", 12))
		rt.vendor = RT_INTEL;
	c = cpuid(0x80000000);
	rt.max_ext = c.eax >= 0x80000000 ? c.eax : 0;
	if (cpuid(1).ecx >> 31) {
		c = cpuid(0x40000000);
		signature(rt.hv, c.ebx, c.ecx, c.edx);
		rt.nestbed = !memcmp(rt.hv, "nestbed", 7);
	}
}

static bool cmdline_has(const char *word)
{
	size_t n = strlen(word);

	for (const char *p = rt.cmdline; *p; p++)
		if (!memcmp(p, word, n))
			return true;
	return false;
}

/* seed=N makes random payloads differ from run to run. */
static void seed_from_cmdline(void)
{
	u32 seed = 0;

	for (const char *p = rt.cmdline; *p; p++)
		if (!memcmp(p, "seed=", 5))
			for (const char *d = p + 5; *d >= '0' && *d <= '9'; d++)
				seed = seed * 10 + (u32)(*d - '0');
	if (seed)
		rt_seed(seed);
}

void rt_main(void);	/* called from start*.S */

void rt_main(void)
{
	const struct mb_info *mb = (const void *)(ulong)rt_boot_info;

	uart_init();
	/* On a bare machine firmware's timer would come when IF is set. */
	rt.pic_mask = inb(PIC1_MASK);
	outb(PIC1_MASK, 0xff);
	outb(PIC2_MASK, 0xff);
	rt.cmdline = "";
	if (rt_boot_magic == MB_BOOT_MAGIC) {
		if (mb->flags & 1)
			rt.mem = ((u64)mb->mem_upper << 10) + 0x100000;
		if (mb->flags & 4)
			rt.cmdline = (const char *)(ulong)mb->cmdline;
	}
	identify();
	rt.tcg = cmdline_has("platform=tcg");
	rt.bochs = cmdline_has("platform=bochs");
	seed_from_cmdline();
	rt_trap_init();
	memcpy(__low_start, __low_load, (size_t)(__low_end - __low_start));
	if (rt_boot_magic != MB_BOOT_MAGIC) {
		rt_printf("no multiboot loader: eax %x\n", rt_boot_magic);
		rt_exit(RT_FAIL);
	}
	rt_exit((u32)main(&rt));
}
