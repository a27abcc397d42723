// SPDX-License-Identifier: MIT
/*
 * A client of /dev/kvm for linux.sh: runs small guests and says what they did.
 *
 *   kvm_client LABEL [NAME]
 *   kvm_client list
 *
 * Prints "NB-KVM LABEL NAME ok", or "... fail: REASON", for each and what they
 * print as "NB-L2 LABEL NAME: ...".  Build it static and not as PIE: the
 * guests are functions of this program, whose image is a part of their memory,
 * at the same addresses.  They call nothing of the C library.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define PAGE		4096UL
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))

/* A guest's memory: low tables, the image, and pages to play with. */
#define LOW_SIZE	0x100000UL
#define CODE16		0x1000UL
#define GDT		0x2000UL
#define IDT		0x3000UL
#define TABLES		0x10000UL	/* PML4, PDPT, four page directories */
#define STACK		0x80000UL
#define PAGES		0x2000000UL
#define PAGES_SIZE	0x1000000UL
#define DEVICE		0x10000000UL	/* no memory */
#define HOLE		0x8000000000UL	/* PML4's second entry: not there */
#define LAPIC		0xfee00000UL

/* Ports that a guest talks to us by. */
#define PORT_TEXT	0x3f8
#define PORT_END	0xf4
#define PORT_FAIL	0xf1	/* the line of a check that failed */
#define PORT_COUNT	0x10	/* reads count up */
#define PORT_CALL	0x14	/* the test's own */

#define CS64		0x08
#define VECTOR		0x40

extern const char __executable_start[], _end[];

/* ---- in the guest ---------------------------------------------------------- */

static volatile u32 irqs, nmis, faults;

static inline void out32(u16 port, u32 v)
{
	asm volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline u32 in32(u16 port)
{
	u32 v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline void wrmsr(u32 msr, u64 v)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return lo | (u64)hi << 32;
}

#define CHECK(cond)	((cond) ? (void)0 : out32(PORT_FAIL, __LINE__))

static void print(const char *s)
{
	for (; *s; s++)
		asm volatile("outb %b0, %w1" : : "a"(*s), "d"(PORT_TEXT));
}

struct frame {
	u64 rip, cs, rflags, rsp, ss;
};

#define HANDLER	__attribute__((interrupt, target("general-regs-only")))

/* UD2 and DIV are 2 bytes. */
static HANDLER void on_skip(struct frame *f)
{
	faults++;
	f->rip += 2;
}

/* The entry that is missing becomes that of address 0. */
static HANDLER void on_pf(struct frame *f, u64 error)
{
	volatile u64 *pml4 = (u64 *)TABLES;

	faults++;
	pml4[1] = pml4[0];
}

static HANDLER void on_nmi(struct frame *f)
{
	nmis++;
}

static HANDLER void on_irq(struct frame *f)
{
	irqs++;
	if (rdmsr(0x1b) & 1 << 11)
		*(volatile u32 *)(LAPIC + 0xb0) = 0;
}

/* No local APIC to tell. */
static HANDLER void on_irq_plain(struct frame *f)
{
	irqs++;
}

static void l2_hello(void)
{
	print("hello from 64-bit code\n");
}

static void l2_exits(void)
{
	for (u32 i = 0; i < 5000; i++)
		CHECK(in32(PORT_COUNT) == i);
	for (u32 i = 0; i < 5000; i++) {
		u32 a = 0x40000000, b, c, d;

		asm volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
		CHECK(b == 0x4b4d564b);		/* "KVMK" */
	}
}

static void l2_mmio(void)
{
	volatile u32 *dev = (u32 *)DEVICE;
	volatile u8 *byte = (u8 *)DEVICE;

	for (u32 i = 0; i < 1000; i++) {
		dev[1] = i * 0x01010101;
		CHECK(dev[1] == ~(i * 0x01010101));
		byte[4] = (u8)i;
		CHECK(byte[4] == (u8)~i);
	}
}

/* The call takes every other page away. */
static void l2_pages(void)
{
	for (u32 round = 1; round < 4; round++) {
		for (u64 a = PAGES; a < PAGES + PAGES_SIZE; a += PAGE)
			*(volatile u64 *)a = a + round;
		out32(PORT_CALL, round);
		for (u64 a = PAGES; a < PAGES + PAGES_SIZE; a += PAGE)
			CHECK(*(volatile u64 *)a == (a & PAGE ? 0 : a + round));
	}
}

static void l2_faults(void)
{
	u32 zero = 0, hi = 0, lo = 1;

	for (u32 i = 0; i < 100; i++) {
		asm volatile("ud2");
		asm volatile("divl %2" : "+a"(lo), "+d"(hi) : "c"(zero));
	}
	CHECK(faults == 200);
	*(volatile u64 *)PAGES = 0x1234;
	CHECK(*(volatile u64 *)(HOLE + PAGES) == 0x1234);
	CHECK(faults == 201);
	((volatile u64 *)TABLES)[1] = 0;
	asm volatile("invlpg (%0)" : : "r"(HOLE + PAGES) : "memory");
	CHECK(*(volatile u64 *)(HOLE + PAGES) == 0x1234);
	CHECK(faults == 202);
}

/* FS.base, KernelGSbase and SYSENTER's, some of them L1 lets through. */
static void l2_msrs(void)
{
	static const u32 msrs[] = { 0xc0000100, 0xc0000102, 0x175, 0x176, 0xc0000082 };

	for (u32 n = 0; n < 50; n++) {
		for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
			wrmsr(msrs[i], 0x12340000 + n * 16 + i);
		out32(PORT_CALL, n);
		for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
			CHECK(rdmsr(msrs[i]) == 0x12340000 + n * 16 + i);
	}
}

static void l2_vectors(void)
{
	for (u64 n = 1; n < 200; n++) {
		u64 a = n * 0x100000001, b, c;

		asm volatile("movq %2, %%xmm0\n\tmovq %2, %%xmm15\n\t"
			     "outl %%eax, $0x14\n\t"
			     "movq %%xmm0, %0\n\tmovq %%xmm15, %1"
			     : "=&r"(b), "=&r"(c) : "r"(a), "a"(0) : "xmm0", "xmm15");
		CHECK(a == b && a == c);
	}
}

static void lapic_write(u32 reg, u32 v)
{
	*(volatile u32 *)(LAPIC + reg) = v;
}

static void l2_timer(void)
{
	u64 loops = 0;

	lapic_write(0xf0, 0x1ff);
	lapic_write(0x3e0, 0xb);		/* divide by 1 */
	lapic_write(0x320, 0x20000 | VECTOR);	/* periodic */
	lapic_write(0x380, 2000000);		/* of KVM's 1 GHz: 2 ms */
	asm volatile("sti");
	while (irqs < 20)
		loops++;
	CHECK(loops > 20);
	while (irqs < 30)
		asm volatile("sti; hlt; cli" : : : "memory");
	lapic_write(0x320, 0x10000);
}

/* Interrupts off most of the time: they need a window. */
static void l2_window(void)
{
	while (irqs < 20) {
		for (u32 i = 0; i < 50000; i++)
			asm volatile("");
		asm volatile("sti; nop; nop; cli" : : : "memory");
	}
}

static void l2_nmi(void)
{
	for (u32 i = 1; i < 50; i++) {
		out32(PORT_CALL, i);
		CHECK(nmis == i);
	}
}

static void l2_step(void)
{
	asm volatile("mov $1000, %%ecx; 1: dec %%ecx; jnz 1b" : : : "ecx");
}

/* RDI: what runs; RSI: whether HLT ends it. */
static void l2_main(void (*l2)(void), u64 halts)
{
	l2();
	if (!halts)
		out32(PORT_END, 0);
	for (;;)
		asm volatile("hlt");
}

/* Real mode, at 0:CODE16. */
extern const char code16[], code16_end[];
asm(".pushsection .rodata\n\t.code16\n"
    "code16:\n\tmov $(code16_text - code16 + 0x1000), %si\n\tmov $0x3f8, %dx\n"
    "1:\tlodsb\n\ttest %al, %al\n\tjz 2f\n\toutb %al, %dx\n\tjmp 1b\n"
    "2:\tmov $100, %cx\n"
    "3:\tpush %cx\n\tpop %cx\n\tloop 3b\n"
    "\thlt\n"
    "code16_text:\n\t.asciz \"hello from real mode\\n\"\n"
    "code16_end:\n\t.code64\n\t.popsection");

/* ---- the client ------------------------------------------------------------ */

struct vm {
	const struct test *test;
	const char *label;
	int kvm, fd, cpu, run_size;
	struct kvm_run *run;
	u8 *low, *pages;
	bool failed, text_open;
	u32 count, steps;
	u32 dev[64];
	bool want_irq;
};

struct test {
	const char *name;
	void (*l2)(void);		/* NULL: real mode */
	void (*call)(struct vm *vm, u32 arg);
	void (*start)(struct vm *vm);
	void (*check)(struct vm *vm);
	bool irqchip;
};

static volatile sig_atomic_t alarms;

static void fail(struct vm *vm, const char *fmt, ...)
{
	va_list ap;

	printf("NB-KVM %s %s fail: ", vm->label, vm->test->name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	vm->failed = true;
}

static int kvm_ioctl(struct vm *vm, int fd, unsigned long what, void *arg, const char *name)
{
	int ret = ioctl(fd, what, arg);

	if (ret < 0)
		fail(vm, "%s: %s", name, strerror(errno));
	return ret;
}
#define IOCTL(vm, fd, what, arg) \
	kvm_ioctl(vm, fd, what, (void *)(uintptr_t)(arg), #what)

static void call_pages(struct vm *vm, u32 arg)
{
	for (u64 off = PAGE; off < PAGES_SIZE; off += 2 * PAGE)
		if (madvise(vm->pages + off, PAGE, MADV_DONTNEED))
			fail(vm, "madvise: %s", strerror(errno));
}

/* The registers of the client are not the guest's. */
static void call_vectors(struct vm *vm, u32 arg)
{
	asm volatile("pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm15, %%xmm15" : : : "xmm0", "xmm15");
}

static void call_nothing(struct vm *vm, u32 arg)
{
}

static void call_nmi(struct vm *vm, u32 arg)
{
	IOCTL(vm, vm->cpu, KVM_NMI, 0);
}

static void on_alarm(int sig)
{
	alarms++;
}

static void start_window(struct vm *vm)
{
	struct itimerval every = { { 0, 5000 }, { 0, 5000 } };
	struct sigaction act = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

static void check_window(struct vm *vm)
{
	struct itimerval never = { 0 };

	setitimer(ITIMER_REAL, &never, NULL);
	if (irqs < 20)
		fail(vm, "%u interrupts", irqs);
}

static void start_step(struct vm *vm)
{
	struct kvm_guest_debug debug = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP,
	};

	IOCTL(vm, vm->cpu, KVM_SET_GUEST_DEBUG, &debug);
}

static void check_step(struct vm *vm)
{
	if (vm->steps < 2000 || vm->steps > 2100)
		fail(vm, "%u steps", vm->steps);
}

static const struct test tests[] = {
	{ .name = "real" },
	{ .name = "hello", .l2 = l2_hello },
	{ .name = "exits", .l2 = l2_exits },
	{ .name = "mmio", .l2 = l2_mmio },
	{ .name = "pages", .l2 = l2_pages, .call = call_pages },
	{ .name = "faults", .l2 = l2_faults },
	{ .name = "msrs", .l2 = l2_msrs, .call = call_nothing },
	{ .name = "vectors", .l2 = l2_vectors, .call = call_vectors },
	{ .name = "timer", .l2 = l2_timer, .irqchip = true },
	{ .name = "window", .l2 = l2_window, .start = start_window, .check = check_window },
	{ .name = "nmi", .l2 = l2_nmi, .call = call_nmi },
	{ .name = "step", .l2 = l2_step, .start = start_step, .check = check_step },
};

/* From time to time on another processor, if there is one. */
static void wander(u32 count)
{
	static int cpu;
	cpu_set_t set;

	if (count % 64)
		return;
	cpu = (cpu + 1) % (int)sysconf(_SC_NPROCESSORS_ONLN);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void text(struct vm *vm, char c)
{
	if (!vm->text_open)
		printf("NB-L2 %s %s: ", vm->label, vm->test->name);
	vm->text_open = c != '\n';
	putchar(c);
}

/* True: the guest has ended. */
static bool handle_io(struct vm *vm)
{
	struct kvm_run *run = vm->run;
	u32 *data = (u32 *)((u8 *)run + run->io.data_offset);

	switch (run->io.port) {
	case PORT_TEXT:
		text(vm, *(char *)data);
		return false;
	case PORT_COUNT:
		wander(vm->count);
		*data = vm->count++;
		return false;
	case PORT_CALL:
		vm->test->call(vm, *data);
		return false;
	case PORT_FAIL:
		fail(vm, "line %u", *data);
		return true;
	case PORT_END:
		return true;
	default:
		fail(vm, "port %x", run->io.port);
		return true;
	}
}

/* Reads are the complement of what was written. */
static bool handle_mmio(struct vm *vm)
{
	struct kvm_run *run = vm->run;
	u64 off = run->mmio.phys_addr - DEVICE;

	if (off >= sizeof(vm->dev) - 8) {
		fail(vm, "access to %llx", run->mmio.phys_addr);
		return true;
	}
	for (u32 i = 0; i < run->mmio.len; i++) {
		u8 *byte = (u8 *)vm->dev + off + i;

		if (run->mmio.is_write)
			*byte = run->mmio.data[i];
		else
			run->mmio.data[i] = (u8)~*byte;
	}
	return false;
}

static bool handle_exit(struct vm *vm)
{
	struct kvm_run *run = vm->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		return handle_io(vm);
	case KVM_EXIT_MMIO:
		return handle_mmio(vm);
	case KVM_EXIT_HLT:
		return true;
	case KVM_EXIT_DEBUG:
		vm->steps++;
		return false;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_INTR:
		return false;
	default:
		fail(vm, "exit %u, %llx", run->exit_reason, run->hw.hardware_exit_reason);
		return true;
	}
}

/* An alarm becomes an interrupt, as soon as the guest takes one. */
static void interrupt(struct vm *vm)
{
	struct kvm_interrupt irq = { VECTOR };
	static sig_atomic_t seen;

	if (alarms != seen)
		vm->want_irq = true;
	seen = alarms;
	if (vm->want_irq && vm->run->ready_for_interrupt_injection) {
		IOCTL(vm, vm->cpu, KVM_INTERRUPT, &irq);
		vm->want_irq = false;
	}
	vm->run->request_interrupt_window = vm->want_irq;
}

static void run(struct vm *vm)
{
	do {
		if (!vm->test->irqchip)
			interrupt(vm);
		if (ioctl(vm->cpu, KVM_RUN, 0) && errno != EINTR) {
			fail(vm, "KVM_RUN: %s", strerror(errno));
			return;
		}
	} while (!handle_exit(vm) && !vm->failed);
}

static void add_slot(struct vm *vm, u32 slot, u64 gpa, const void *p, u64 size)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot, .guest_phys_addr = gpa, .memory_size = size,
		.userspace_addr = (u64)p,
	};

	IOCTL(vm, vm->fd, KVM_SET_USER_MEMORY_REGION, &r);
}

static void make_memory(struct vm *vm)
{
	u64 image = (u64)__executable_start & ~(PAGE - 1);
	u64 end = ((u64)_end + PAGE - 1) & ~(PAGE - 1);

	vm->low = mmap(NULL, LOW_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	vm->pages = mmap(NULL, PAGES_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	if (vm->low == MAP_FAILED || vm->pages == MAP_FAILED) {
		fail(vm, "no memory");
		return;
	}
	add_slot(vm, 0, 0, vm->low, LOW_SIZE);
	add_slot(vm, 1, image, (void *)image, end - image);
	add_slot(vm, 2, PAGES, vm->pages, PAGES_SIZE);
}

static void set_gate(struct vm *vm, u32 vector, const void *handler)
{
	u64 *gate = (u64 *)(vm->low + IDT) + 2 * vector, a = (u64)handler;

	gate[0] = (a & 0xffff) | CS64 << 16 | 0x8e00ULL << 32 | (a >> 16 & 0xffff) << 48;
	gate[1] = a >> 32;
}

/* 4 GiB as they are, in pages of 2 MiB. */
static void make_tables(struct vm *vm)
{
	u64 *t = (u64 *)(vm->low + TABLES), *gdt = (u64 *)(vm->low + GDT);

	t[0] = (TABLES + PAGE) | 3;
	for (u64 i = 0; i < 4; i++)
		t[512 + i] = (TABLES + (2 + i) * PAGE) | 3;
	for (u64 i = 0; i < 2048; i++)
		t[1024 + i] = i << 21 | 0x83;
	gdt[1] = 0x00af9b000000ffff;
	gdt[2] = 0x00cf93000000ffff;
	set_gate(vm, 0, on_skip);
	set_gate(vm, 2, on_nmi);
	set_gate(vm, 6, on_skip);
	set_gate(vm, 14, on_pf);
	set_gate(vm, VECTOR, vm->test->irqchip ? on_irq : on_irq_plain);
}

static void set_long_mode(struct vm *vm)
{
	const struct kvm_segment data = {
		.limit = ~0u, .selector = 0x10, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1,
	};
	struct kvm_sregs s;
	struct kvm_regs r = {
		.rip = (u64)l2_main, .rsp = STACK - 8, .rflags = 2,
		.rdi = (u64)vm->test->l2, .rsi = !vm->test->irqchip,
	};

	make_tables(vm);
	IOCTL(vm, vm->cpu, KVM_GET_SREGS, &s);
	s.cs = s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.cs.selector = CS64;
	s.cs.type = 11;
	s.cs.db = 0;
	s.cs.l = 1;
	s.gdt.base = GDT;
	s.gdt.limit = 0x17;
	s.idt.base = IDT;
	s.idt.limit = 0xfff;
	s.cr3 = TABLES;
	s.cr4 = 0x620;				/* PAE, OSFXSR, OSXMMEXCPT */
	s.cr0 = 0x80010033;
	s.efer = 0xd00;				/* LME, LMA, NXE */
	IOCTL(vm, vm->cpu, KVM_SET_SREGS, &s);
	IOCTL(vm, vm->cpu, KVM_SET_REGS, &r);
}

static void set_real_mode(struct vm *vm)
{
	struct kvm_regs r = { .rip = CODE16, .rsp = 0x8000, .rflags = 2 };
	struct kvm_sregs s;

	memcpy(vm->low + CODE16, code16, (size_t)(code16_end - code16));
	IOCTL(vm, vm->cpu, KVM_GET_SREGS, &s);
	s.cs.base = 0;
	s.cs.selector = 0;
	IOCTL(vm, vm->cpu, KVM_SET_SREGS, &s);
	IOCTL(vm, vm->cpu, KVM_SET_REGS, &r);
}

static void set_cpuid(struct vm *vm)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[100];
	} all = { .head.nent = 100 };

	if (IOCTL(vm, vm->kvm, KVM_GET_SUPPORTED_CPUID, &all) >= 0)
		IOCTL(vm, vm->cpu, KVM_SET_CPUID2, &all);
}

static bool create(struct vm *vm)
{
	vm->fd = IOCTL(vm, vm->kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return false;
	if (vm->test->irqchip)
		IOCTL(vm, vm->fd, KVM_CREATE_IRQCHIP, 0);
	vm->cpu = IOCTL(vm, vm->fd, KVM_CREATE_VCPU, 0);
	vm->run_size = IOCTL(vm, vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vm->failed)
		return false;
	vm->run = mmap(NULL, (size_t)vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->cpu, 0);
	if (vm->run == MAP_FAILED) {
		fail(vm, "mmap: %s", strerror(errno));
		return false;
	}
	make_memory(vm);
	set_cpuid(vm);
	return !vm->failed;
}

static bool run_test(const struct test *t, int kvm, const char *label)
{
	struct vm vm = { .test = t, .label = label, .kvm = kvm };

	irqs = nmis = faults = 0;
	if (create(&vm)) {
		if (t->l2)
			set_long_mode(&vm);
		else
			set_real_mode(&vm);
		if (t->start)
			t->start(&vm);
		run(&vm);
		if (t->check)
			t->check(&vm);
		munmap(vm.run, (size_t)vm.run_size);
		munmap(vm.low, LOW_SIZE);
		munmap(vm.pages, PAGES_SIZE);
		close(vm.cpu);
	}
	close(vm.fd);
	if (!vm.failed)
		printf("NB-KVM %s %s ok\n", label, t->name);
	fflush(stdout);
	return !vm.failed;
}

static int list(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		puts(tests[i].name);
	return 0;
}

int main(int argc, char **argv)
{
	int kvm, failed = 0, n = 0;

	if (argc == 2 && !strcmp(argv[1], "list"))
		return list();
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (argc < 2 || kvm < 0) {
		printf("kvm_client: %s\n", argc < 2 ? "LABEL?" : strerror(errno));
		return 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		if (argc > 2 && strcmp(argv[2], tests[i].name))
			continue;
		n++;
		failed += !run_test(&tests[i], kvm, argv[1]);
	}
	printf("NB-KVM %s end: %d tests, %d failed\n", argv[1], n, failed);
	return failed != 0;
}
