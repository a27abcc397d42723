// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(v86, .ref = "APM2 14.2, SDM3 21.2",
	.desc = "virtual-8086 mode: exceptions, IOPL, I/O bitmap, exits");

static struct {
	struct rt_tss tss;
	u8 map[0x20];
	u8 end[2];
} __attribute__((packed, aligned(4096))) big_tss;

/* The frame that IRET to virtual-8086 mode takes (SDM3 21.2.5). */
struct v86_frame {
	u32 eip, cs, eflags, esp, ss, es, ds, fs, gs;
};

#define CODE_AT	0x6000
#define STACK_AT 0x7000

static volatile u32 v86_vector, v86_error, v86_ip, v86_cs, v86_flags, v86_ax;
static struct v86_frame frame;

/* void enter_v86(void): saves the stack; every exception leads back here. */
__asm__(".pushsection .text\n"
	"enter_v86:\n"
	"	push %ebx; push %ebp; push %esi; push %edi\n"
	"	mov %esp, v86_esp\n"
	"	sub $36, %esp; mov %esp, %edi; mov $frame_v86, %esi; mov $9, %ecx; rep movsl\n"
	"	mov v86_eax, %eax\n"
	"	iretl\n"
	"leave_v86:\n"
	"	mov $0x10, %eax; mov %eax, %ds; mov %eax, %es; mov %eax, %fs; mov %eax, %gs\n"
	"	mov v86_esp, %esp\n"
	"	pop %edi; pop %esi; pop %ebp; pop %ebx; ret\n"
	".popsection\n");
void enter_v86(void);
void leave_v86(void) __attribute__((noreturn));
u32 v86_esp, v86_eax;
struct v86_frame frame_v86;

static bool on_exception(struct rt_regs *r)
{
	if (!(r->flags & FL_VM))
		return false;
	v86_vector = r->vector;
	v86_error = r->error;
	v86_ip = r->ip;
	v86_cs = r->cs;
	v86_flags = r->flags;
	v86_ax = r->ax;
	leave_v86();
}

/* Runs len bytes of 16-bit code with this IOPL until its exception. */
static void run(const void *code, size_t len, unsigned int iopl)
{
	memcpy((void *)CODE_AT, code, len);
	memset((void *)(CODE_AT + len), 0xf4, 4);	/* HLT: #GP, the end */
	memset(&frame, 0, sizeof(frame));
	frame.cs = CODE_AT >> 4;
	frame.eflags = FL_VM | 2 | iopl << 12;
	frame.ss = STACK_AT >> 4;
	frame.esp = 0x800;
	frame.ds = frame.es = 0x1234;
	frame_v86 = frame;
	v86_vector = ~0u;
	enter_v86();
}

static const struct row {
	const char *name;
	u8 code[12], len;
	u8 iopl;
	u8 vector;
	u8 ip;			/* where it faults */
} rows[] = {
	{ "HLT", { 0x90 }, 1, 3, VEC_GP, 1 },
	{ "CLI with IOPL 3", { 0xfa }, 1, 3, VEC_GP, 1 },
	{ "CLI with IOPL 0", { 0xfa }, 1, 0, VEC_GP, 0 },
	{ "PUSHF with IOPL 0", { 0x9c }, 1, 0, VEC_GP, 0 },
	{ "POPF with IOPL 0", { 0x9d }, 1, 0, VEC_GP, 0 },
	{ "INT 21h with IOPL 0", { 0xcd, 0x21 }, 2, 0, VEC_GP, 0 },
	{ "IRET with IOPL 0", { 0xcf }, 1, 0, VEC_GP, 0 },
	{ "PUSHF, POPF with IOPL 3", { 0x9c, 0x9d }, 2, 3, VEC_GP, 2 },
	{ "UD2", { 0x0f, 0x0b }, 2, 3, VEC_UD, 0 },
	{ "MOV from CR0", { 0x0f, 0x20, 0xc0 }, 3, 3, VEC_GP, 0 },
	{ "LGDT", { 0x0f, 0x01, 0x16, 0, 0 }, 5, 3, VEC_GP, 0 },
	{ "SLDT", { 0x0f, 0x00, 0xc0 }, 3, 3, VEC_UD, 0 },
	{ "CPUID", { 0x66, 0x31, 0xc0, 0x0f, 0xa2 }, 5, 3, VEC_GP, 5 },
	{ "RDTSC", { 0x0f, 0x31 }, 2, 3, VEC_GP, 2 },
	{ "DIV by 0", { 0x31, 0xdb, 0xf7, 0xf3 }, 4, 3, VEC_DE, 2 },
	{ "IN of an allowed port", { 0xe4, 0x80 }, 2, 0, VEC_GP, 2 },
	{ "IN of a denied port", { 0xe4, 0x82 }, 2, 3, VEC_GP, 0 },
	{ "OUT of 2 bytes, 1 allowed", { 0xe7, 0x81 }, 2, 0, VEC_GP, 0 },
	{ "far JMP", { 0xea, 7, 0, 0, 0x06, 0x90, 0x90 }, 7, 3, VEC_GP, 7 },
	{ "WBINVD", { 0x0f, 0x09 }, 2, 3, VEC_GP, 0 },
};

static void run_row(const struct row *r)
{
	run(r->code, r->len, r->iopl);
	if (!rt_check(v86_vector == r->vector, r->name, "vector %u, not %u", v86_vector,
		      r->vector))
		return;
	rt_quiet(v86_ip == r->ip, r->name, "IP %x, not %x", v86_ip, r->ip);
	rt_quiet(v86_cs == CODE_AT >> 4, r->name, "CS %x", v86_cs);
	rt_quiet(v86_vector != VEC_GP || v86_error == 0, r->name, "error code %x", v86_error);
	rt_quiet(v86_flags & FL_VM, r->name, "flags %x", v86_flags);
}

static void setup_tss(void)
{
	memcpy(&big_tss.tss, &rt_tss, sizeof(rt_tss));
	memset(big_tss.map, 0xff, sizeof(big_tss.map) + 2);
	big_tss.map[0x10] = 0xfc;		/* 80h and 81h */
	big_tss.tss.iomap = sizeof(struct rt_tss);
	rt_gdt[SEL_TSS / 8] = rt_desc((u32)&big_tss, sizeof(big_tss) - 1, 0x89, 0);
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
}

int main(struct rt_info *info)
{
	/* svm.cc SvmExitLoadHostState: long mode comes back before VM is cleared. */
	if (rt.bochs && rt.nestbed && rt.vendor == RT_AMD)
		return rt_skip("Bochs 2.7 setEFlags panics at an SVM exit with VM set");
	setup_tss();
	rt_set_handler(VEC_DE, on_exception);
	rt_set_handler(VEC_UD, on_exception);
	rt_set_handler(VEC_GP, on_exception);
	for (unsigned int round = 0; round < 2; round++)
		for (unsigned int i = 0; i < ARRAY_LEN(rows); i++)
			run_row(&rows[i]);
	/* MOV AX, ES: the frame's segments were loaded; then the end. */
	run("\x8c\xc0", 2, 3);
	rt_check((u16)v86_ax == 0x1234, "ES from the frame", "%x", v86_ax);
	/* A read through DS: base is the selector times 16. */
	*(volatile u16 *)0x12350 = 0xbeef;
	run("\xa1\x10\x00", 3, 3);
	rt_check((u16)v86_ax == 0xbeef, "addresses are selector * 16 + offset", "%x", v86_ax);
	return rt_result();
}
