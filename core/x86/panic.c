/* SPDX-License-Identifier: MIT */
#include "core/x86/panic.h"

#include "core/lib/log.h"
#include "core/lib/printf.h"
#include "core/x86/insn.h"
#include "core/x86/percpu.h"
#include "core/x86/regs.h"
#include "core/x86/smp.h"

void (*panic_end)(const char *reason);
void (*panic_dump_exits)(void);

/* tools/gen_symtab.sh: addresses ascending, names as offsets into a string table. */
extern const u32 symtab_count;
extern const struct symbol { u32 addr, name; } symtab[];
extern const char symtab_names[];
extern const u8 text_start[], text_end[], boot_stack_guard[];

static const char *const exc_name[32] = {
	"#DE divide error", "#DB debug", "NMI", "#BP breakpoint", "#OF overflow",
	"#BR bound range", "#UD invalid opcode", "#NM device not available",
	"#DF double fault", "coprocessor overrun", "#TS invalid TSS",
	"#NP segment not present", "#SS stack", "#GP general protection",
	"#PF page fault", "reserved 15", "#MF x87", "#AC alignment check",
	"#MC machine check", "#XM SIMD", "#VE virtualization", "#CP control protection",
};

void symbol_format(char *buf, size_t size, u64 addr)
{
	u32 lo = 0, hi = symtab_count;

	if (addr < (u64)text_start || addr >= (u64)text_end || !symtab_count) {
		nb_snprintf(buf, size, "?");
		return;
	}
	while (hi - lo > 1) {
		u32 mid = (lo + hi) / 2;

		if (symtab[mid].addr <= addr)
			lo = mid;
		else
			hi = mid;
	}
	nb_snprintf(buf, size, "%s+0x%llx", symtab_names + symtab[lo].name,
		    (unsigned long long)(addr - symtab[lo].addr));
}

/* Follows frame pointers; distrusts every one of them. */
static void backtrace(u64 rip, u64 rbp, u64 rsp)
{
	char sym[96];

	symbol_format(sym, sizeof(sym), rip);
	log_printf(LOG_ERR, "  [0] %016llx %s", (unsigned long long)rip, sym);
	for (unsigned int i = 1; i < 24; i++) {
		const u64 *fp = (const u64 *)rbp;

		if (rbp < rsp || rbp - rsp > CPU_STACK_SIZE * 4 || !IS_ALIGNED(rbp, 8))
			return;
		rip = fp[1];
		if (rip < (u64)text_start || rip >= (u64)text_end)
			return;
		symbol_format(sym, sizeof(sym), rip);
		log_printf(LOG_ERR, "  [%u] %016llx %s", i, (unsigned long long)rip, sym);
		rsp = rbp;
		rbp = fp[0];
	}
}

static void dump_registers(const struct trap_frame *f)
{
	const u64 *r = &f->rax;
	static const char *const name[] = { "rax", "rcx", "rdx", "rbx", "rbp", "rsi", "rdi", "r8",
					    "r9", "r10", "r11", "r12", "r13", "r14", "r15" };

	for (unsigned int i = 0; i < ARRAY_SIZE(name); i += 3)
		log_printf(LOG_ERR, "  %-3s %016llx  %-3s %016llx  %-3s %016llx",
			   name[i], (unsigned long long)r[i], name[i + 1],
			   (unsigned long long)r[i + 1], name[i + 2], (unsigned long long)r[i + 2]);
	log_printf(LOG_ERR, "  rsp %016llx  rip %016llx  rflags %llx  error %llx",
		   (unsigned long long)f->rsp, (unsigned long long)f->rip,
		   (unsigned long long)f->rflags, (unsigned long long)f->error);
	log_printf(LOG_ERR, "  cr0 %llx  cr2 %016llx  cr3 %llx  cr4 %llx",
		   (unsigned long long)read_cr0(), (unsigned long long)read_cr2(),
		   (unsigned long long)read_cr3(), (unsigned long long)read_cr4());
}

static void __noreturn finish(const char *reason)
{
	if (panic_dump_exits)
		panic_dump_exits();
	if (panic_end)
		panic_end(reason);
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* A panic inside a panic must not loop; the others must not go on. */
static void enter_panic(void)
{
	cli();
	log_panic_mode();
	if (this_cpu()->panicking++) {
		log_printf(LOG_ERR, "panic inside a panic: halting");
		for (;;)
			__asm__ volatile("cli; hlt");
	}
	smp_stop_others();
}

void panic(const char *fmt, ...)
{
	char reason[160];
	va_list ap;

	enter_panic();
	va_start(ap, fmt);
	nb_vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	log_printf(LOG_ERR, "PANIC on CPU %u: %s", this_cpu()->id, reason);
	backtrace((u64)__builtin_return_address(0), *(u64 *)__builtin_frame_address(0),
		  (u64)__builtin_frame_address(0));
	finish(reason);
}

static bool is_stack_overflow(const struct trap_frame *f)
{
	const struct percpu *p = this_cpu();
	u64 cr2 = read_cr2();
	u64 guard = p->id ? p->stack_top - CPU_STACK_SIZE - PAGE_SIZE : (u64)boot_stack_guard;

	if (f->vector != VEC_DF && f->vector != VEC_PF)
		return false;
	return cr2 - guard < PAGE_SIZE;
}

void panic_trap(struct trap_frame *f)
{
	char reason[160], sym[80];
	const char *name = f->vector < 32 && exc_name[f->vector] ? exc_name[f->vector] : "vector";

	enter_panic();
	symbol_format(sym, sizeof(sym), f->rip);
	if (is_stack_overflow(f))
		nb_snprintf(reason, sizeof(reason), "stack overflow in %s", sym);
	else if (f->vector == VEC_PF)
		nb_snprintf(reason, sizeof(reason), "%s (%s) at %llx in %s", name,
			    f->error & PFERR_I ? "execute" : f->error & PFERR_W ? "write" : "read",
			    (unsigned long long)read_cr2(), sym);
	else
		nb_snprintf(reason, sizeof(reason), "%s error %llx in %s", name,
			    (unsigned long long)f->error, sym);
	log_printf(LOG_ERR, "PANIC on CPU %u: %s", this_cpu()->id, reason);
	dump_registers(f);
	backtrace(f->rip, f->rbp, f->rsp);
	finish(reason);
}
