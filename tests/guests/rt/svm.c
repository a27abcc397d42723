// SPDX-License-Identifier: MIT
#include "tests/guests/rt/svm.h"

u8 svm_iopm[0x3000] __attribute__((aligned(4096)));
u8 svm_msrpm[0x2000] __attribute__((aligned(4096)));
u8 svm_hsave[0x1000] __attribute__((aligned(4096)));

bool svm_has(enum svm_feature f)
{
	return rt_has(0x8000000a, 0, EDX, f);
}

u32 svm_asids(void)
{
	return cpuid(0x8000000a).ebx;
}

bool svm_enable(const char **why)
{
	*why = "no SVM in CPUID";
	if (rt.vendor != RT_AMD || !rt_has(0x80000001, 0, ECX, 2))
		return false;
	*why = "SVM is disabled in VM_CR";
	if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS)
		return false;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, (ulong)svm_hsave);
	return true;
}

/* Descriptor bits 55:52 and 47:40 are attrib's 11:8 and 7:0 (APM2 15.5.1). */
static void load_seg(struct vmcb_seg *s, u16 sel)
{
	u64 d = rt_gdt[sel / 8];

	s->selector = sel;
	s->attrib = (u16)((d >> 40 & 0xff) | (d >> 44 & 0xf00));
	s->limit = (u32)((d & 0xffff) | (d >> 32 & 0xf0000));
	if (s->attrib & 0x800)
		s->limit = s->limit << 12 | 0xfff;
	s->base = (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000);
}

static void set_segments(struct vmcb *c)
{
	struct table_ptr p;

	load_seg(&c->cs, SEL_CODE);
	load_seg(&c->ss, SEL_DATA);
	load_seg(&c->ds, SEL_DATA);
	load_seg(&c->es, SEL_DATA);
	load_seg(&c->fs, SEL_DATA);
	load_seg(&c->gs, SEL_DATA);
	load_seg(&c->tr, SEL_TSS);
	c->ldtr.attrib = 0x82;
	c->ldtr.limit = 0xffff;
	sgdt(&p);
	c->gdtr.limit = p.limit;
	c->gdtr.base = p.base;
	sidt(&p);
	c->idtr.limit = p.limit;
	c->idtr.base = p.base;
}

void l2_goto(struct l2 *l, void (*fn)(void))
{
	u64 *top = (u64 *)(l->stack + L2_STACK - 16);

	*--top = (ulong)svm_l2_end;
	l->c.rip = (ulong)fn;
	l->c.rsp = (ulong)top;
}

void l2_init(struct l2 *l, void (*fn)(void))
{
	struct vmcb *c = &l->c;

	memset(c, 0, sizeof(*c));
	memset(&l->regs, 0, sizeof(l->regs));
	memset(svm_iopm, 0, sizeof(svm_iopm));
	memset(svm_msrpm, 0, sizeof(svm_msrpm));
	c->intercept_vec3 = 1u << VEC3_SHUTDOWN;
	c->intercept_vec4 = 1u << VEC4_VMRUN | 1u << VEC4_VMMCALL;
	c->iopm_base_pa = (ulong)svm_iopm;
	c->msrpm_base_pa = (ulong)svm_msrpm;
	c->guest_asid = 1;
	set_segments(c);
	c->efer = rdmsr(MSR_EFER);
	c->cr0 = read_cr0();
	c->cr3 = read_cr3();
	c->cr4 = read_cr4();
	c->dr6 = 0xffff0ff0;
	c->dr7 = 0x400;
	c->rflags = 2;
	c->g_pat = 0x0007040600070406;
	l2_goto(l, fn);
}

void l2_ring3(struct l2 *l)
{
	l->c.cpl = 3;
	load_seg(&l->c.cs, SEL_UCODE);
	load_seg(&l->c.ss, SEL_UDATA);
}

u64 svm_run(struct l2 *l)
{
	l->c.exitcode = EXIT_POISON;
	__asm__ volatile("clgi" : : : "memory");
	svm_enter(&l->c, &l->regs);
	__asm__ volatile("stgi" : : : "memory");
	return l->c.exitcode;
}

u64 l2_run_code(struct l2 *l, const struct l2_code *code)
{
	l2_goto(l, NULL);
	l->c.rip = code->start;
	return svm_run(l);
}

static bool expect(const char *name, const struct l2 *l, u64 exitcode, bool quiet)
{
	const struct vmcb *c = &l->c;
	bool ok = c->exitcode == exitcode;

	if (quiet)
		return rt_quiet(ok, name, "exit %llx info %llx %llx at %llx, not %llx",
				c->exitcode, c->exitinfo1, c->exitinfo2, c->rip, exitcode);
	return rt_check(ok, name, "exit %llx info %llx %llx at %llx, not %llx", c->exitcode,
			c->exitinfo1, c->exitinfo2, c->rip, exitcode);
}

bool l2_expect(const char *name, const struct l2 *l, u64 exitcode)
{
	return expect(name, l, exitcode, false);
}

bool l2_expect_quiet(const char *name, const struct l2 *l, u64 exitcode)
{
	return expect(name, l, exitcode, true);
}

static void set_bit(u8 *map, u32 bit, bool on)
{
	if (on)
		map[bit / 8] |= (u8)(1u << bit % 8);
	else
		map[bit / 8] &= (u8)~(1u << bit % 8);
}

void svm_io_bit(unsigned int port, bool on)
{
	set_bit(svm_iopm, port, on);
}

/* APM2 15.11: two bits for each MSR, three ranges of 2000h. */
void svm_msr_bit(u32 msr, bool write, bool on)
{
	u32 range = msr < 0x2000 ? 0 : msr < 0xc0010000 ? 1 : 2;

	set_bit(svm_msrpm, (range * 0x2000 + (msr & 0x1fff)) * 2 + write, on);
}

bool svm_known(unsigned int where)
{
	return (where & KNOWN_TCG && rt.tcg) || (where & KNOWN_BOCHS && rt.bochs) ||
	       (!rt.nestbed && ((where & KNOWN_TCG_BARE && rt.tcg) ||
				(where & KNOWN_BOCHS_BARE && rt.bochs)));
}
