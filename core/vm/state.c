// SPDX-License-Identifier: MIT
#include "core/vm/state.h"

#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/vm/container.h"
#include "core/vm/run.h"
#include "core/x86/caps.h"
#include "core/x86/insn.h"
#include "core/x86/time.h"
#include "core/x86/tsc_calc.h"

#define STATE_VERSION	1
/* SDM1 11.6.6: without a mask in the FXSAVE image. */
#define MXCSR_MASK_DEFAULT	0xffbf

/* Devices: their state is a structure as it is, and has a check of its own. */
#define DEVICE(id_, member, check)						\
	{ id_, offsetof(struct pc, member.s), sizeof(((struct pc *)0)->member.s),	\
	  (int (*)(const void *))(check), #member }
static const struct {
	u32 id;
	u32 offset, size;
	int (*check)(const void *s);
	const char *name;
} devices[] = {
	DEVICE(SAVE_PIC, pic, vpic_state_check),
	DEVICE(SAVE_IOAPIC, ioapic, vioapic_state_check),
	DEVICE(SAVE_PIT, pit, vpit_state_check),
	DEVICE(SAVE_UART, uart, vuart_state_check),
	DEVICE(SAVE_RTC, rtc, vrtc_state_check),
	DEVICE(SAVE_PM, pm, vpm_state_check),
	DEVICE(SAVE_FWCFG, fwcfg, vfwcfg_state_check),
	DEVICE(SAVE_PCI, pci, vpci_state_check),
	DEVICE(SAVE_TEST, test, vtest_state_check),
};

/* Segments first, then what mode and paging hang on, in an order that is never illegal. */
static const u8 restore_order[] = {
	VREG_CR4, VREG_EFER, VREG_CR0, VREG_CR2, VREG_CR3, VREG_CR8, VREG_XCR0,
	VREG_DR0, VREG_DR1, VREG_DR2, VREG_DR3, VREG_DR6, VREG_DR7,
	VREG_STAR, VREG_LSTAR, VREG_CSTAR, VREG_SFMASK, VREG_KERNEL_GS_BASE,
	VREG_SYSENTER_CS, VREG_SYSENTER_ESP, VREG_SYSENTER_EIP,
	VREG_PAT, VREG_TSC_AUX, VREG_PKRS, VREG_DEBUGCTL,
};

static u32 xsave_size(void)
{
	const struct cpu_caps *c = run_policy.caps;

	return c->xsave ? MAX(c->xsave_size_max, 576u) : 512;
}

static struct save_limits limits(void)
{
	u32 mask;
	u8 area[512] __aligned(16);

	__asm__ volatile("fxsave64 (%0)" :: "r"(area) : "memory");
	memcpy(&mask, area + 28, 4);
	return (struct save_limits){
		.xcr0_allowed = run_policy.xcr0_allowed, .efer_allowed = run_policy.efer_allowed,
		.cr4_allowed = run_policy.cr4_allowed, .xsave_size = xsave_size(),
		.mxcsr_mask = mask ? mask : MXCSR_MASK_DEFAULT,
		.maxphyaddr = run_policy.maxphyaddr, .la57 = run_policy.caps->la57,
	};
}

static struct event_save save_event(const struct event *e)
{
	return (struct event_save){ e->type, e->vector, e->has_error, e->insn_len, e->error,
				    e->payload };
}

static struct event load_event(const struct event_save *e)
{
	return (struct event){ .type = e->type, .vector = e->vector, .has_error = e->has_error,
			       .insn_len = e->insn_len, .error = e->error,
			       .payload = e->payload };
}

/* now: one reading of the host's TSC for all vCPUs, so that theirs stay equal. */
static void save_vcpu(struct vcpu *v, u64 now, struct vcpu_save *s)
{
	struct vsegment seg;

	for (u32 r = 0; r < VREG_COUNT; r++)
		if (r != VREG_TSC_OFFSET)
			s->reg[r] = virt->get(v, (enum vreg)r);
	for (u32 i = 0; i < VSEG_COUNT; i++) {
		virt->get_seg(v, (enum vseg)i, &seg);
		s->seg[i] = (struct segment_save){ .base = seg.base, .limit = seg.limit,
						   .selector = seg.selector, .attr = seg.attr,
						   .unusable = seg.unusable };
	}
	s->reinject = save_event(&v->events.reinject);
	s->exception = save_event(&v->events.exception);
	s->nmi = v->events.nmi;
	s->mp_state = v->mp_state;
	s->tsc = vcpu_tsc_at(v, now);
	s->msrs = v->msrs;
}

static void put_vm(struct save_out *o, struct vm *vm, u64 now)
{
	const struct vm_save s = { .vcpus = vm->vcpu_count, .tsc_khz = tsc_khz(),
				   .elapsed = now - vm->pc->tsc_base,
				   .mem = gmem_bytes(&vm->mem) };

	save_put(o, SAVE_VM, 0, STATE_VERSION, &s, sizeof(s));
}

static void put_vcpu(struct save_out *o, struct vcpu *v, u64 now)
{
	struct vcpu_save *s = save_section(o, SAVE_VCPU, v->id, VCPU_SAVE_VERSION, sizeof(*s));

	if (s)
		save_vcpu(v, now, s);
	save_put(o, SAVE_XSAVE, v->id, STATE_VERSION, v->xsave, xsave_size());
	vlapic_save(v->apic);
	save_put(o, SAVE_APIC, v->id, STATE_VERSION, &v->apic->s, sizeof(v->apic->s));
}

u64 vm_save_size(const struct vm *vm)
{
	const u64 entry = sizeof(struct save_section) + 8;
	u64 size = sizeof(struct save_header) + entry + sizeof(struct vm_save);

	size += vm->vcpu_count * (3 * entry + sizeof(struct vcpu_save) + xsave_size() +
				  sizeof(struct vlapic_state));
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		size += entry + devices[i].size;
	return size;
}

s64 vm_save(struct vm *vm, void *buf, u64 size)
{
	struct save_out o;
	u64 now = rdtsc();
	int err;

	save_begin(&o, buf, size);
	put_vm(&o, vm, now);
	for (u32 i = 0; i < vm->vcpu_count; i++)
		put_vcpu(&o, vm->vcpu[i], now);
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		save_put(&o, devices[i].id, 0, STATE_VERSION,
			 (const u8 *)vm->pc + devices[i].offset, devices[i].size);
	err = save_end(&o, virt->vendor);
	return err ? err : (s64)o.len;
}

/* The reason of a failure, for people. */
struct reason {
	char *text;
	size_t size;
};

static int fail(const struct reason *r, int err, const char *part, u32 index, const char *what)
{
	nb_snprintf(r->text, r->size, "%s %u: %s", part, index, what);
	return err;
}

static void load_vcpu(struct vcpu *v, const struct vcpu_save *s, u64 now)
{
	struct vsegment seg;

	for (u32 i = 0; i < VSEG_COUNT; i++) {
		seg = (struct vsegment){ .base = s->seg[i].base, .limit = s->seg[i].limit,
					 .selector = s->seg[i].selector,
					 .attr = s->seg[i].attr & 0xfff,
					 .unusable = s->seg[i].unusable };
		virt->set_seg(v, (enum vseg)i, &seg);
	}
	for (u32 r = VREG_RAX; r <= VREG_R15; r++)
		v->gpr[r] = s->reg[r];
	v->rip = s->reg[VREG_RIP];
	v->rflags = s->reg[VREG_RFLAGS];
	for (size_t i = 0; i < ARRAY_SIZE(restore_order); i++)
		virt->set(v, (enum vreg)restore_order[i], s->reg[restore_order[i]]);
	v->msrs = s->msrs;
	vcpu_set_tsc_at(v, s->tsc, now);
	v->events = (struct event_queue){ .reinject = load_event(&s->reinject),
					  .exception = load_event(&s->exception),
					  .nmi = (u8)s->nmi };
	v->mp_state = (u8)s->mp_state;
	virt->set(v, VREG_INT_SHADOW, s->reg[VREG_INT_SHADOW]);
	virt->set(v, VREG_NMI_BLOCKED, s->reg[VREG_NMI_BLOCKED]);
	virt->flush(v);
	v->poke = 1;
}

static int restore_vcpu(const struct save_in *in, struct vcpu *v, u64 now, const struct reason *r)
{
	const struct save_limits lim = limits();
	const struct vcpu_save *s;
	struct vlapic_state apic;
	const char *what = "is missing";
	u32 size, xsize;
	const u8 *x;

	s = save_find(in, SAVE_VCPU, v->id, VCPU_SAVE_VERSION, &size);
	x = save_find(in, SAVE_XSAVE, v->id, STATE_VERSION, &xsize);
	if (!s || size != sizeof(*s) || !x)
		return fail(r, -ENOENT, "vCPU", v->id, what);
	if (vcpu_save_check(s, &lim, &what) || xsave_check(x, xsize, &lim, &what))
		return fail(r, -EINVAL, "vCPU", v->id, what);
	if (save_get(in, SAVE_APIC, v->id, STATE_VERSION, &apic, sizeof(apic)) ||
	    vlapic_state_check(&apic) || apic.id != v->id)
		return fail(r, -EINVAL, "local APIC", v->id, "is missing or impossible");
	memcpy(v->xsave, x, xsize);
	load_vcpu(v, s, now);
	v->apic->s = apic;
	return 0;
}

/* In ticks of this host's TSC. */
static u64 elapsed_here(const struct vm_save *s)
{
	return s->tsc_khz == tsc_khz() ? s->elapsed :
	       mul_div_u64(s->elapsed, tsc_khz(), s->tsc_khz);
}

static int restore_devices(const struct save_in *in, struct pc *pc, const struct reason *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		u8 *to = (u8 *)pc + devices[i].offset;

		if (save_get(in, devices[i].id, 0, STATE_VERSION, to, devices[i].size))
			return fail(r, -ENOENT, devices[i].name, 0, "is missing");
		if (devices[i].check(to))
			return fail(r, -EINVAL, devices[i].name, 0, "has an impossible state");
	}
	return 0;
}

int vm_restore(struct vm *vm, const void *buf, u64 size, char *why, size_t why_size)
{
	const struct reason r = { why, why_size };
	u64 now = rdtsc();
	struct save_in in;
	struct vm_save s;
	int err = save_open(&in, buf, size);

	if (err)
		return fail(&r, err, "container", 0, err == -EPROTO ? "of another version" :
			    "damaged");
	if (in.header.vendor != virt->vendor)
		return fail(&r, -EPROTO, "container", 0, "of the other vendor");
	if (save_get(&in, SAVE_VM, 0, STATE_VERSION, &s, sizeof(s)) ||
	    s.vcpus != vm->vcpu_count || s.mem != gmem_bytes(&vm->mem) || !s.tsc_khz)
		return fail(&r, -EINVAL, "machine", 0, "of another size");
	vm->pc->tsc_base = now - elapsed_here(&s);
	for (u32 i = 0; i < vm->vcpu_count && !err; i++)
		err = restore_vcpu(&in, vm->vcpu[i], now, &r);
	if (!err)
		err = restore_devices(&in, vm->pc, &r);
	/* What the devices want next, and what their lines were, is computed anew. */
	vm->pc->next = 0;
	return err;
}

static int rebuild(struct vm *vm)
{
	int err = pc_rebuild(vm->pc);

	for (u32 i = 0; i < vm->vcpu_count && !err; i++)
		err = vcpu_rebuild(vm->vcpu[i]);
	return err;
}

int vm_migrate(struct vm *vm, char *why, size_t why_size)
{
	u64 size = vm_save_size(vm), pages = ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE;
	void *buf = host_alloc(pages, vm->owner);
	s64 len = buf ? vm_save(vm, buf, size) : -ENOMEM;
	int err = len < 0 ? (int)len : rebuild(vm);

	if (err)
		nb_snprintf(why, why_size, "save failed (error %d)", err);
	else
		err = vm_restore(vm, buf, (u64)len, why, why_size);
	host_free(buf, pages);
	return err;
}
