// SPDX-License-Identifier: MIT
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_lbr, .nested = "svm", .ref = "APM2 13.1.1.6, 15.23",
	.desc = "DEBUGCTL and branch records of L1, of L2, and of both");

#define MSR_DEBUGCTL	0x1d9
#define DEBUGCTL_LBR	BIT64(0)
#define MSR_RECORD	0x1db
#define RECORDS		4

#define VIRT_EXT_LBR	BIT64(0)
#define CLEAN_LBR	BIT64(10)

/* Recording ends before any other branch. */
#define SET		"mov $0x1d9, %ecx; xor %edx, %edx; "
#define ON		SET "mov $1, %eax; wrmsr; "
#define OFF		SET "xor %eax, %eax; wrmsr; "
#define TO_RBX(msr)	"mov $" msr ", %ecx; rdmsr; shl $32, %rdx; or %rax, %rdx; mov %rdx, %rbx; "

static struct l2 l2;

/* .at is the jump, 3 bytes further where it goes. */
#define HOP	3
L2_CODE(hop, "", "jmp 1f; nop; 1: nop");
L2_CODE(hop_off, "", "jmp 1f; nop; 1: " OFF);
L2_CODE(on_hop_off, ON, "jmp 1f; nop; 1: " OFF);
L2_CODE(on_hop, ON, "jmp 1f; nop; 1: nop");
L2_CODE(read_ctl, "", TO_RBX("0x1d9"));
L2_CODE(read_from, "", TO_RBX("0x1db"));
L2_CODE(write_ctl, ON, "nop");

static struct records {
	u64 msr[RECORDS];
} seen;

static struct records records(void)
{
	struct records r;

	for (u32 i = 0; i < RECORDS; i++)
		r.msr[i] = rdmsr(MSR_RECORD + i);
	return r;
}

static bool same(const struct records *a, const struct records *b)
{
	return a->msr[0] == b->msr[0] && a->msr[1] == b->msr[1] && a->msr[2] == b->msr[2] &&
	       a->msr[3] == b->msr[3];
}

static bool is_hop(u64 from, u64 to, const struct l2_code *code)
{
	return from == code->at && to == code->at + HOP;
}

static void start(u64 virt_ext)
{
	l2_init(&l2, NULL);
	l2.c.virt_ext = virt_ext;
}

static void check_msr(void)
{
	rt_check(!rdmsr(MSR_DEBUGCTL), "DEBUGCTL after reset", "%llx", rdmsr(MSR_DEBUGCTL));
	for (u32 bit = 6; bit < 64; bit++)
		rt_quiet(rt_wrmsr(MSR_DEBUGCTL, BIT64(bit)) == VEC_GP, "reserved bits", "%u", bit);
	rt_check(!rdmsr(MSR_DEBUGCTL), "are reserved", "%llx", rdmsr(MSR_DEBUGCTL));
}

/* L1's own: kept over exits that are L0's. */
static void check_l1(void)
{
	static ulong from, to;

	__asm__ volatile("wrmsr; cpuid; mov $0x1d9, %%ecx; rdmsr; mov %%eax, %%esi\n"
			 "lea 1f(%%rip), %%rax; mov %%rax, %0\n"
			 "lea 2f(%%rip), %%rax; mov %%rax, %1\n"
			 "1: jmp 2f; nop\n"
			 "2: xor %%eax, %%eax; cpuid; mov $0x1d9, %%ecx; rdmsr; and %%eax, %%esi\n"
			 "xor %%eax, %%eax; xor %%edx, %%edx; wrmsr"
			 : "=m"(from), "=m"(to) : "a"(1), "d"(0), "c"(MSR_DEBUGCTL)
			 : "rbx", "rsi", "memory");
	seen = records();
	rt_check(seen.msr[0] == from && seen.msr[1] == to, "L1's last branch",
		 "%llx to %llx, not %lx to %lx", seen.msr[0], seen.msr[1], from, to);
	rt_check(!rdmsr(MSR_DEBUGCTL), "recording ends", " ");
	cpuid(0);
	rt_check(rdmsr(MSR_RECORD) == from, "the record stays", "%llx", rdmsr(MSR_RECORD));
}

/* APM2 15.23: without virtual ones L2's are L1's. */
static void check_shared(void)
{
	struct records now;

	start(0);
	l2.c.dbgctl = DEBUGCTL_LBR;	/* not looked at */
	l2.c.br_from = 0x1234;
	l2_run_code(&l2, &l2_read_ctl);
	l2_expect("RDMSR of DEBUGCTL", &l2, EXIT_VMMCALL);
	rt_check(!l2.regs.rbx, "is L1's", "%llx", l2.regs.rbx);
	l2_run_code(&l2, &l2_read_from);
	rt_check(l2.regs.rbx == seen.msr[0], "L1's record in L2", "%llx", l2.regs.rbx);
	l2_run_code(&l2, &l2_on_hop_off);
	l2_expect("L2 records", &l2, EXIT_VMMCALL);
	now = records();
	rt_check(is_hop(now.msr[0], now.msr[1], &l2_on_hop_off), "L2's branch in L1",
		 "%llx to %llx", now.msr[0], now.msr[1]);
	rt_check(l2.c.br_from == 0x1234 && l2.c.dbgctl == DEBUGCTL_LBR, "VMCB is as it was",
		 "%llx %llx", l2.c.br_from, l2.c.dbgctl);
	wrmsr(MSR_DEBUGCTL, DEBUGCTL_LBR);
	l2_run_code(&l2, &l2_hop_off);
	rt_check(!rdmsr(MSR_DEBUGCTL), "L2 ends L1's recording", " ");
	seen = records();
	rt_check(is_hop(seen.msr[0], seen.msr[1], &l2_hop_off), "with its own branch",
		 "%llx to %llx", seen.msr[0], seen.msr[1]);
	l2_run_code(&l2, &l2_write_ctl);
	rt_check(rdmsr(MSR_DEBUGCTL) == DEBUGCTL_LBR, "L2 begins L1's", " ");
	wrmsr(MSR_DEBUGCTL, 0);
	seen = records();
}

/* L2's own come from the VMCB and go there; L1's stay. */
static void check_own(void)
{
	struct records now;

	start(VIRT_EXT_LBR);
	l2.c.br_from = 0x1111;
	l2.c.br_to = 0x2222;
	l2.c.last_excp_from = 0x3333;
	l2.c.last_excp_to = 0x4444;
	l2_run_code(&l2, &l2_read_from);
	l2_expect("own records", &l2, EXIT_VMMCALL);
	rt_check(l2.regs.rbx == 0x1111, "loaded", "%llx", l2.regs.rbx);
	rt_check(l2.c.br_from == 0x1111 && l2.c.br_to == 0x2222 && l2.c.last_excp_from == 0x3333 &&
		 l2.c.last_excp_to == 0x4444 && !l2.c.dbgctl, "and stored", "%llx %llx %llx %llx",
		 l2.c.br_from, l2.c.br_to, l2.c.last_excp_from, l2.c.last_excp_to);
	l2.c.dbgctl = DEBUGCTL_LBR;
	l2_run_code(&l2, &l2_hop);
	rt_check(is_hop(l2.c.br_from, l2.c.br_to, &l2_hop) && l2.c.dbgctl == DEBUGCTL_LBR,
		 "L2's branch", "%llx to %llx", l2.c.br_from, l2.c.br_to);
	l2.c.dbgctl = 0;
	l2_run_code(&l2, &l2_on_hop);
	rt_check(is_hop(l2.c.br_from, l2.c.br_to, &l2_on_hop) && l2.c.dbgctl == DEBUGCTL_LBR,
		 "after its own WRMSR", "%llx to %llx, %llx", l2.c.br_from, l2.c.br_to,
		 l2.c.dbgctl);
	l2_run_code(&l2, &l2_hop_off);
	rt_check(is_hop(l2.c.br_from, l2.c.br_to, &l2_hop_off) && !l2.c.dbgctl, "L2 ends it",
		 "%llx to %llx, %llx", l2.c.br_from, l2.c.br_to, l2.c.dbgctl);
	now = records();
	rt_check(same(&now, &seen) && !rdmsr(MSR_DEBUGCTL), "L1's are as they were", "%llx %llx",
		 now.msr[0], now.msr[1]);
	/* APM2 15.23: what is reserved is ignored. */
	l2.c.dbgctl = ~DEBUGCTL_LBR & ~BIT64(1);
	l2_run_code(&l2, &l2_read_ctl);
	l2_expect("reserved bits in DBGCTL", &l2, EXIT_VMMCALL);
	rt_check(!(l2.regs.rbx >> 6), "are not loaded", "%llx", l2.regs.rbx);
}

/* L1 records when it enters an L2 with registers of its own, and goes on then. */
static void check_both(void)
{
	start(VIRT_EXT_LBR);
	wrmsr(MSR_DEBUGCTL, DEBUGCTL_LBR);
	l2_run_code(&l2, &l2_on_hop_off);
	rt_check(rdmsr(MSR_DEBUGCTL) == DEBUGCTL_LBR, "L1 still records", "%llx",
		 rdmsr(MSR_DEBUGCTL));
	wrmsr(MSR_DEBUGCTL, 0);
	rt_check(is_hop(l2.c.br_from, l2.c.br_to, &l2_on_hop_off), "and L2 for itself",
		 "%llx to %llx", l2.c.br_from, l2.c.br_to);
	rt_check(rdmsr(MSR_RECORD) != l2_on_hop_off.at, "not for L1", " ");
	seen = records();
}

/* The clean bit of the five and of the control that turns them on. */
static void check_clean(void)
{
	start(0);
	l2.c.clean = 0;
	l2_run_code(&l2, &l2_read_from);
	rt_check(l2.regs.rbx == seen.msr[0], "L1's", "%llx", l2.regs.rbx);
	l2.c.virt_ext = VIRT_EXT_LBR;
	l2.c.br_from = 0x5555;
	l2.c.clean = ~(u32)CLEAN_LBR;
	l2_run_code(&l2, &l2_read_from);
	rt_check(l2.regs.rbx == 0x5555, "L2's own from now on", "%llx", l2.regs.rbx);
	rt_check(l2.c.clean == ~(u32)CLEAN_LBR, "the clean bits are L1's", "%x", l2.c.clean);
	l2.c.clean = ~0u;
	l2_run_code(&l2, &l2_read_from);
	rt_check(l2.regs.rbx == 0x5555, "all clean", "%llx", l2.regs.rbx);
}

/* L1's intercepts. */
static void check_intercepts(void)
{
	start(VIRT_EXT_LBR);
	L2_INTERCEPT(&l2, vec3, VEC3_MSR, true);
	svm_msr_bit(MSR_DEBUGCTL, true, true);
	l2_run_code(&l2, &l2_write_ctl);
	rt_check(l2.c.exitcode == EXIT_MSR && l2.c.exitinfo1 == 1 && !l2.c.dbgctl,
		 "WRMSR of DEBUGCTL", "exit %llx", l2.c.exitcode);
	l2_run_code(&l2, &l2_read_ctl);
	l2_expect("not its RDMSR", &l2, EXIT_VMMCALL);
	svm_msr_bit(MSR_RECORD, false, true);
	l2_run_code(&l2, &l2_read_from);
	rt_check(l2.c.exitcode == EXIT_MSR && !l2.c.exitinfo1, "RDMSR of a record", "exit %llx",
		 l2.c.exitcode);
}

/* APM2 13.1: #DB ends recording. */
static volatile u64 ctl_in_handler;

static bool on_db(struct rt_regs *r)
{
	ctl_in_handler = rdmsr(MSR_DEBUGCTL);
	r->flags &= ~(ulong)FL_TF;
	return true;
}

/* The trap of CPUID is one that L0 injects. */
static void check_db(void)
{
	rt_set_handler(VEC_DB, on_db);
	for (u32 i = 0; i < 2; i++) {
		ctl_in_handler = ~0ULL;
		wrmsr(MSR_DEBUGCTL, DEBUGCTL_LBR);
		if (i)
			__asm__ volatile("pushf; orl $0x100, (%%rsp); popf; cpuid"
					 : : "a"(0) : "rbx", "rcx", "rdx", "memory");
		else
			__asm__ volatile("pushf; orl $0x100, (%%rsp); popf; nop" : : : "memory");
		rt_check(!ctl_in_handler && !rdmsr(MSR_DEBUGCTL), i ? "#DB of L0's" : "#DB",
			 "%llx", ctl_in_handler);
		wrmsr(MSR_DEBUGCTL, 0);
	}
	rt_set_handler(VEC_DB, NULL);
}

int main(struct rt_info *info)
{
	const char *why;

	if (!svm_enable(&why))
		return rt_skip(why);
	if (!svm_has(SVM_LBRV))
		return rt_skip("no LBR virtualization that records");
	if (svm_known(KNOWN_BOCHS_BARE))
		return rt_skip("Bochs 2.7 ryzen.cc offers LBR virtualization and has none");
	check_msr();
	check_l1();
	check_shared();
	check_own();
	check_both();
	check_clean();
	check_intercepts();
	check_db();
	return rt_result();
}
