// SPDX-License-Identifier: MIT
/*
 * A task switch between tables written by an enemy: a switch that would work,
 * with bytes of its memory and registers changed by the input.  Checked
 * besides what the sanitizers see: accesses are of the promised sizes, a
 * fault of the old task leaves its registers and all memory alone, and a
 * state that is given back can be entered.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/vm/task.h"
#include "core/x86/regs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEM_SIZE	4096u
#define GDT		0x100u
#define TSS_A		0x200u
#define TSS_B		0x300u
#define LDT		0x400u

struct input {
	u16 selector, fault_at, tr_limit, gdt_limit;
	u8 flags, eflags_nt;
};

/* flags */
#define IN_SOURCE	0x03
#define IN_EXTERNAL	0x04
#define IN_ERROR	0x08
#define IN_PAGING	0x10
#define IN_CR3_FAILS	0x20
#define IN_OLD_16	0x40

/* One changed byte. */
struct patch {
	u16 at;
	u8 val;
} __attribute__((packed));

static struct guest {
	u8 mem[MEM_SIZE], before[MEM_SIZE];
	u32 fault_at;
	bool cr3_fails;
} g;

static void check(bool ok)
{
	if (!ok)
		abort();
}

static int access(u32 linear, unsigned int n, struct event *fault)
{
	check(n >= 1 && n <= 104);
	if (g.fault_at - linear < n) {
		*fault = event_exception_err(VEC_PF, 0);
		return -EFAULT;
	}
	return linear < MEM_SIZE && n <= MEM_SIZE - linear ? 0 : -EIO;
}

static int op_read(void *ctx, u32 linear, void *buf, unsigned int n, struct event *fault)
{
	int err = access(linear, n, fault);

	if (!err)
		memcpy(buf, g.mem + linear, n);
	return err;
}

static int op_write(void *ctx, u32 linear, const void *buf, unsigned int n, bool user,
		    struct event *fault)
{
	int err = access(linear, n, fault);

	if (!err)
		memcpy(g.mem + linear, buf, n);
	return err;
}

static int op_probe(void *ctx, u32 linear, unsigned int n, struct event *fault)
{
	return access(linear, n, fault);
}

static int op_cr3(void *ctx, u32 cr3)
{
	return g.cr3_fails ? -EINVAL : 0;
}

static const struct task_ops ops = { op_read, op_write, op_probe, op_cr3 };

static void check_event(const struct event *e, int ret)
{
	if (ret == 0) {
		check(e->type == EVENT_NONE ||
		      (e->type == EVENT_EXCEPTION && e->vector == VEC_DB && !e->has_error));
		return;
	}
	check(e->type == EVENT_EXCEPTION && e->has_error);
	check(e->vector == VEC_TS || e->vector == VEC_NP || e->vector == VEC_SS ||
	      e->vector == VEC_GP || e->vector == VEC_PF);
}

/* SDM3 27.3.1.2: what an entry demands of CS, SS and TR. */
static void check_new(const struct task_state *s, int ret)
{
	u8 cpl = s->seg[VSEG_SS].attr >> 5 & 3;

	check(s->cr0 & CR0_TS);
	check(!(s->dr7 & 0x155));
	check((s->eflags & ~0x003f7fd5u) == 2);
	check((s->tr.attr & 0x97) == 0x83);
	check(!s->seg[VSEG_CS].unusable);
	check((s->seg[VSEG_CS].attr & 0x90) == 0x90);
	check(s->eflags & RFLAGS_VM || (s->seg[VSEG_CS].attr & 9) == 9);
	check(s->eflags & RFLAGS_VM || cpl == (s->seg[VSEG_CS].selector & 3));
	for (unsigned int i = 0; i < 6; i++)
		if (!s->seg[i].unusable)
			check(s->seg[i].attr & SEG_P);
	check(ret || !s->seg[VSEG_SS].unusable);
}

static void put(u32 at, u64 val, unsigned int n)
{
	memcpy(g.mem + at, &val, n);
}

static void build(void)
{
	memset(&g, 0, sizeof(g));
	put(GDT + 0x08, 0x00cf9a000000ffffULL, 8);
	put(GDT + 0x10, 0x00cf92000000ffffULL, 8);
	put(GDT + 0x18, 0x00008b0002000067ULL, 8);	/* TSS_A */
	put(GDT + 0x20, 0x0000890003000067ULL, 8);	/* TSS_B */
	put(GDT + 0x28, 0x00008b0003000067ULL, 8);	/* the same, busy */
	put(GDT + 0x30, 0x0000810003000067ULL, 8);	/* the same, 16 bits */
	put(GDT + 0x38, 0x000082000400003fULL, 8);	/* LDT */
	put(LDT + 0x08, 0x00cff2000000ffffULL, 8);
	put(TSS_B + 0x1c, 0x5000, 4);
	put(TSS_B + 0x38, 0x800, 4);
	for (u32 i = 0; i < 6; i++)
		put(TSS_B + 0x48 + 4 * i, i == VSEG_CS ? 0x08 : 0x10, 2);
	put(TSS_B + 0x60, 0x38, 2);
}

static void registers(struct task_state *s, const struct input *in)
{
	memset(s, 0, sizeof(*s));
	s->eip = 0x1234;
	s->eflags = 2 | (u32)(in->eflags_nt & 1) << 14;
	s->cr0 = (u32)(CR0_PE | (in->flags & IN_PAGING ? CR0_PG : 0));
	s->dr7 = 0x7ff;
	s->gdt_base = GDT;
	s->gdt_limit = in->gdt_limit ^ 0xff;
	s->tr = (struct vsegment){ .selector = 0x18, .base = TSS_A, .limit = in->tr_limit ^ 0x67,
				   .attr = in->flags & IN_OLD_16 ? 0x83 : 0x8b };
	for (unsigned int i = 0; i < 6; i++)
		s->seg[i] = (struct vsegment){ .selector = i == VSEG_CS ? 0x08 : 0x10,
					       .attr = i == VSEG_CS ? 0xc9b : 0xc93,
					       .limit = ~0u };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct task_state s, old;
	struct task_request req;
	struct patch patch;
	struct input in;
	struct event e;
	bool switched;
	int ret;

	if (size < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	build();
	for (size_t i = sizeof(in); i + sizeof(patch) <= size; i += sizeof(patch)) {
		memcpy(&patch, data + i, sizeof(patch));
		g.mem[patch.at % 0x500] ^= patch.val;
	}
	memcpy(g.before, g.mem, MEM_SIZE);
	g.fault_at = in.fault_at ? in.fault_at : ~0u;
	g.cr3_fails = in.flags & IN_CR3_FAILS;
	registers(&s, &in);
	req = (struct task_request){ .selector = in.selector, .source = in.flags & IN_SOURCE,
				     .external = in.flags & IN_EXTERNAL,
				     .has_error = in.flags & IN_ERROR, .error = 0x1234 };
	old = s;
	ret = task_switch(&s, &req, &ops, NULL, &e, &switched);
	check(ret == 0 || ret == -EFAULT || ret == -EIO);
	if (ret != -EIO)
		check_event(&e, ret);
	if (switched)
		check_new(&s, ret);
	else
		check(ret && !memcmp(&s, &old, sizeof(s)));
	if (!switched && ret == -EFAULT)
		check(!memcmp(g.mem, g.before, MEM_SIZE));
	return 0;
}
