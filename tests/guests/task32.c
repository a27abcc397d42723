// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(task32, .ref = "APM2 12.2, SDM3 8.3",
	.desc = "hardware task switches by CALL, JMP, IRET, task gate; TSS contents");

#define SEL_TASK	(SEL_FREE)		/* the other task's TSS */
#define SEL_GATE	(SEL_FREE + 8)		/* a task gate to it */
#define VEC_TASK	0x31
#define TSS_BUSY	(1ull << 41)

static struct rt_tss task;
static u8 task_stack[2048];
static volatile u32 entered, seen_nt, seen_eax, seen_link, seen_ts;
extern char task_entry[];

/*
 * The other task: notes its state, counts, goes back by IRET (NT is set) and
 * starts over when it is entered again.
 */
__asm__(".pushsection .text\n"
	"task_entry:\n"
	"	call task_body\n"
	"	mov $0x7777, %esi\n"
	"	iretl\n"
	"	jmp task_entry\n"
	".popsection\n");
void task_body(void);

void task_body(void)
{
	u32 eax;

	__asm__ volatile("mov %%edi, %0" : "=r"(eax));
	seen_eax = eax;
	entered++;
	seen_nt = read_flags() & FL_NT;
	seen_ts = (u32)(read_cr0() & CR0_TS);
	seen_link = task.link;
	__asm__ volatile("clts");
}

static void make_task(void)
{
	memset(&task, 0, sizeof(task));
	task.eip = (u32)task_entry;
	task.esp = (u32)(task_stack + sizeof(task_stack));
	task.eflags = 2;
	task.cs = SEL_CODE;
	task.ss = task.ds = task.es = task.fs = task.gs = SEL_DATA;
	task.edi = 0xed1;
	task.cr3 = (u32)read_cr3();
	task.iomap = sizeof(task);
	rt_gdt[SEL_TASK / 8] = rt_desc((u32)&task, sizeof(task) - 1, 0x89, 0);
	/* Task gate: selector, type 5. */
	rt_gdt[SEL_GATE / 8] = (u64)SEL_TASK << 16 | 0x85ull << 40;
	rt_set_gate(VEC_TASK, NULL, SEL_TASK, 5, 0, 0);
}

static bool busy(u16 sel)
{
	return rt_gdt[sel / 8] & TSS_BUSY;
}

static void check_return(const char *how, u32 count)
{
	rt_check(entered == count, how, "entered %u times, not %u", entered, count);
	rt_quiet(seen_nt, how, "NT was clear in the new task");
	rt_quiet(seen_ts, how, "CR0.TS was clear in the new task");
	rt_quiet(seen_link == SEL_TSS, how, "back link %x", seen_link);
	rt_quiet(!busy(SEL_TASK) && busy(SEL_TSS), how, "busy bits %x %x", busy(SEL_TASK),
		 busy(SEL_TSS));
	rt_quiet(!(read_flags() & FL_NT), how, "NT stayed set");
	rt_quiet(task.esi == 0x7777, how, "ESI was not saved: %x", task.esi);
}

static void check_call(void)
{
	u32 a = 0x1111, b = 0x2222, c = 0x3333;

	__asm__ volatile("lcall %3, $0" : "+a"(a), "+b"(b), "+c"(c) : "i"(SEL_TASK) : "memory");
	check_return("CALL to a TSS", 1);
	rt_check(a == 0x1111 && b == 0x2222 && c == 0x3333, "registers come back", "%x %x %x", a,
		 b, c);
	rt_check(seen_eax == 0xed1, "registers come from the TSS", "%x", seen_eax);
	rt_check(rt_tss.eax == 0x1111 && rt_tss.ebx == 0x2222 && rt_tss.ecx == 0x3333,
		 "registers went to the old TSS", "%x %x", rt_tss.eax, rt_tss.ebx);
	rt_check(rt_tss.cs == SEL_CODE && rt_tss.ss == SEL_DATA, "and segments", "%x %x",
		 rt_tss.cs, rt_tss.ss);
	rt_check(read_cr0() & CR0_TS, "TS is set after the switch back", "%lx", read_cr0());
	__asm__ volatile("clts");
	__asm__ volatile("lcall %0, $0" : : "i"(SEL_GATE) : "memory");
	check_return("CALL to a task gate", 2);
	if (rt.bochs && rt.vendor == RT_AMD) {
		/* The hypervisor cannot know that it was an INT. */
		rt_note("INT left out: Bochs 2.7 exception.cc leaves EXITINTINFO stale");
		return;
	}
	__asm__ volatile("int %0" : : "i"(VEC_TASK) : "memory");
	check_return("INT through a task gate", 3);
}

/* JMP: no link, no NT; the old task is not busy; the way back is a JMP. */
extern char jump_entry[];
__asm__(".pushsection .text\n"
	"jump_entry: call jump_body\n"
	"ljmp $0x48, $0\n"
	".popsection\n");
void jump_body(void);
static volatile u32 jumped, jump_nt, jump_busy;

void jump_body(void)
{
	jumped++;
	jump_nt = read_flags() & FL_NT;
	jump_busy = (u32)busy(SEL_TSS) << 1 | busy(SEL_TASK);
}

static void check_jmp(void)
{
	make_task();
	task.eip = (u32)jump_entry;
	__asm__ volatile("ljmp %0, $0" : : "i"(SEL_TASK) : "memory");
	rt_check(jumped == 1, "JMP to a TSS", "%u", jumped);
	rt_check(!jump_nt, "NT is clear", " ");
	rt_check(jump_busy == 1, "busy: the new task only", "%x", jump_busy);
	rt_check(busy(SEL_TSS) && !busy(SEL_TASK), "and back", " ");
	/* JMP does not store a link. */
	rt_check(task.link == 0, "no back link", "%x", task.link);
}

static void check_faults(void)
{
	u32 before = entered;
	u64 good;

	make_task();
	good = rt_gdt[SEL_TASK / 8];
	rt_gdt[SEL_TASK / 8] = good | TSS_BUSY;
	rt_expect("CALL to a busy TSS", RT_TRY("lcall %0, $0", : : "i"(SEL_TASK) : "memory"),
		  VEC_GP, SEL_TASK);
	rt_gdt[SEL_TASK / 8] = good & ~(1ull << 47);
	rt_expect("CALL to a TSS that is not present",
		  RT_TRY("lcall %0, $0", : : "i"(SEL_TASK) : "memory"), VEC_NP, SEL_TASK);
	rt_gdt[SEL_TASK / 8] = rt_desc((u32)&task, 0x66, 0x89, 0);
	rt_expect("CALL to a TSS that is too short",
		  RT_TRY("lcall %0, $0", : : "i"(SEL_TASK) : "memory"), VEC_TS, SEL_TASK);
	rt_gdt[SEL_TASK / 8] = good;
	rt_check(!busy(SEL_TASK) && busy(SEL_TSS), "no busy bit changed", " ");
	rt_check(entered == before, "the task was not entered", "%u", entered);
}

/* An exception through a task gate: its error code is on the new stack. */
extern char fault_entry[];
__asm__(".pushsection .text\n"
	"fault_entry: pop fault_error\n"
	"mov $0x600d, %eax; incl fault_count\n"
	"mov fault_next, %edx; mov %edx, rt_tss+32\n"
	"iretl\n"
	"jmp fault_entry\n"
	".popsection\n");
u32 fault_error, fault_count, fault_next;

static void check_exception(void)
{
	u8 saved[8];

	make_task();
	task.eip = (u32)fault_entry;
	memcpy(saved, rt_idt + VEC_GP * 8, 8);
	rt_set_gate(VEC_GP, NULL, SEL_TASK, 5, 0, 0);
	__asm__ volatile("movl $1f, fault_next; mov %0, %%ds; 1:" : : "r"(0x7f8) : "memory", "eax");
	memcpy(rt_idt + VEC_GP * 8, saved, 8);
	rt_check(fault_count == 1, "#GP through a task gate", "%u", fault_count);
	rt_check(fault_error == 0x7f8, "its error code", "%x", fault_error);
	__asm__ volatile("clts");
}

int main(struct rt_info *info)
{
	make_task();
	check_call();
	check_jmp();
	check_faults();
	check_exception();
	return rt_result();
}
