// SPDX-License-Identifier: MIT
#include "core/vm/state.h"

#include "core/lib/muldiv.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/vm/nested_blob.h"
#include "core/vm/run.h"

#define STATE_VERSION	1
/* Guest time in ns: no sum of a device's times wraps. */
#define AGE_MAX		BIT(62)

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

static void put_vm(struct save_out *o, struct vm *vm, const struct save_host *h)
{
	const struct vm_save s = { .vcpus = vm->vcpu_count, .tsc_khz = h->tsc_khz,
				   .guest_khz = (u32)vm->tsc_khz,
				   .elapsed = h->now - vm->pc->tsc_base,
				   .mem = gmem_bytes(&vm->mem) };

	save_put(o, SAVE_VM, 0, VM_SAVE_VERSION, &s, sizeof(s));
}

/* What vm was told of the CPU. */
static struct guest_cpu cpu_of(const struct vm *vm, const struct save_host *h)
{
	struct guest_cpu cpu = vm->cpu_told ? vm->cpu : *h->cpu;

	cpu.nested = vm->nested ? virt->nested->cpuid(vm->vcpu[0])->edx : 0;
	return cpu;
}

static int put_layout(struct save_out *o, const struct vm *vm)
{
	struct save_layout l;
	int err = save_layout_get(&vm->mem, vm->pc->cfg.mem, &l);

	if (!err)
		save_put(o, SAVE_MEMORY, 0, SAVE_LAYOUT_VERSION, &l, sizeof(l));
	return err;
}

/* Bytes of the vendor's nested state; 0: there is none. */
static u32 nested_size(struct vcpu *v)
{
	struct nested_blob_header h = { .size = 0 };

	/* Nothing has room in that, and the answer is how much does. */
	return v->nested && virt->nested->state_get(v, &h, sizeof(h)) == -E2BIG ? h.size : 0;
}

static int put_nested(struct save_out *o, struct vcpu *v)
{
	u32 size = nested_size(v);
	struct nested_save *s;
	struct nested_blob_header *blob;

	s = save_section(o, SAVE_NESTED, v->id, NESTED_SAVE_VERSION, (u32)sizeof(*s) + size);
	if (!s)
		return 0;
	for (u32 i = 0; i < NESTED_MSRS && virt->nested->saved_msr[i]; i++)
		if (!virt->nested->rdmsr(v, virt->nested->saved_msr[i], &s->msr[i]))
			return -EINVAL;
	s->init_waits = v->init_waits;
	s->smi_waits = v->smi_waits;
	blob = (struct nested_blob_header *)(s + 1);
	blob->size = size;
	return virt->nested->state_get(v, blob, size);
}

/* SDM1 13.4.2: XSTATE_BV of the rest of the area that the guest cannot reach says nothing. */
static void put_xsave(struct save_out *o, const struct vcpu *v, const struct guest_cpu *cpu)
{
	u8 *to = save_section(o, SAVE_XSAVE, v->id, STATE_VERSION, cpu->xsave_size);
	u64 bv;

	if (!to)
		return;
	memcpy(to, v->xsave, cpu->xsave_size);
	if (!cpu->xcr0)
		return;
	memcpy(&bv, to + 512, sizeof(bv));
	bv &= cpu->xcr0;
	memcpy(to + 512, &bv, sizeof(bv));
}

static int put_vcpu(struct save_out *o, struct vcpu *v, const struct save_host *h,
		    const struct guest_cpu *cpu)
{
	struct vcpu_save *s = save_section(o, SAVE_VCPU, v->id, VCPU_SAVE_VERSION, sizeof(*s));

	if (s)
		save_vcpu(v, h->now, s);
	put_xsave(o, v, cpu);
	vlapic_save(v->apic);
	save_put(o, SAVE_APIC, v->id, STATE_VERSION, &v->apic->s, sizeof(v->apic->s));
	return v->nested ? put_nested(o, v) : 0;
}

/* Of the test device's memory: a section for each page that is not zero. */
#define TEST_MEM_PAGES	((u32)(VTEST_MEM_SIZE / PAGE_SIZE))

static void put_test_mem(struct save_out *o, const struct vtest *t)
{
	for (u32 i = 0; i < TEST_MEM_PAGES; i++)
		if (!block_is_zero(t->mem + i * PAGE_SIZE, PAGE_SIZE))
			save_put(o, SAVE_TEST_MEM, i, STATE_VERSION, t->mem + i * PAGE_SIZE,
				 PAGE_SIZE);
}

static u64 test_mem_size(const struct vtest *t)
{
	u64 size = 0;

	for (u32 i = 0; i < TEST_MEM_PAGES; i++)
		if (!block_is_zero(t->mem + i * PAGE_SIZE, PAGE_SIZE))
			size += sizeof(struct save_section) + PAGE_SIZE;
	return size;
}

u64 vm_save_size(struct vm *vm, const struct save_host *h)
{
	const u64 entry = sizeof(struct save_section) + 8;
	u64 size = sizeof(struct save_header) + 3 * entry + sizeof(struct vm_save) +
		   sizeof(struct save_layout) + sizeof(struct guest_cpu);

	size += vm->vcpu_count * (3 * entry + sizeof(struct vcpu_save) + h->lim.xsave_size +
				  sizeof(struct vlapic_state));
	for (u32 i = 0; i < vm->vcpu_count; i++)
		if (vm->vcpu[i]->nested)
			size += entry + sizeof(struct nested_save) + nested_size(vm->vcpu[i]);
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		size += entry + devices[i].size;
	return size + test_mem_size(&vm->pc->test);
}

s64 vm_save(struct vm *vm, const struct save_host *h, bool layout, void *buf, u64 size)
{
	const struct guest_cpu cpu = cpu_of(vm, h);
	struct save_out o;
	int err;

	save_begin(&o, buf, size);
	put_vm(&o, vm, h);
	save_put(&o, SAVE_CPU, 0, GUEST_CPU_VERSION, &cpu, sizeof(cpu));
	err = layout ? put_layout(&o, vm) : 0;
	for (u32 i = 0; i < vm->vcpu_count && !err; i++)
		err = put_vcpu(&o, vm->vcpu[i], h, &cpu);
	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		save_put(&o, devices[i].id, 0, STATE_VERSION,
			 (const u8 *)vm->pc + devices[i].offset, devices[i].size);
	put_test_mem(&o, &vm->pc->test);
	err = save_end(&o, h->vendor);
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

/* A section of exactly that size; NULL: it is not there. */
static const void *part(const struct save_in *in, u32 id, u32 index, u32 version, u32 size)
{
	u32 have;
	const void *data = save_find(in, id, index, version, &have);

	return data && have == size ? data : NULL;
}

static const struct vlapic_state *apic_part(const struct save_in *in, u32 index)
{
	return part(in, SAVE_APIC, index, STATE_VERSION, sizeof(struct vlapic_state));
}

static const struct vcpu_save *vcpu_part(const struct save_in *in, u32 index)
{
	return part(in, SAVE_VCPU, index, VCPU_SAVE_VERSION, sizeof(struct vcpu_save));
}

/* *size: of the vendor's state behind it. */
static const struct nested_save *nested_part(const struct save_in *in, u32 index, u32 *size)
{
	u32 have;
	const struct nested_save *s = save_find(in, SAVE_NESTED, index, NESTED_SAVE_VERSION, &have);

	*size = s && have >= sizeof(*s) ? have - (u32)sizeof(*s) : 0;
	return *size ? s : NULL;
}

static const void *device_part(const struct save_in *in, size_t i)
{
	return part(in, devices[i].id, 0, STATE_VERSION, devices[i].size);
}

static int check_nested(const struct save_in *in, const struct vcpu *v, const struct reason *r)
{
	const struct vcpu_save *regs = vcpu_part(in, v->id);
	struct nested_regs n = { .cr0 = regs->reg[VREG_CR0], .efer = regs->reg[VREG_EFER] };
	const char *what = "is damaged";
	u32 size;
	const struct nested_save *s = nested_part(in, v->id, &size);

	if (!s)
		return fail(r, -ENOENT, "nested state", v->id, "is missing");
	if (s->init_waits > 1 || s->smi_waits > 1)
		return fail(r, -EINVAL, "nested state", v->id, what);
	memcpy(n.msr, s->msr, sizeof(n.msr));
	return virt->nested->state_check(v, &n, s + 1, size, &what) ?
	       fail(r, -EINVAL, "nested state", v->id, what) : 0;
}

/* By what the guest was told, and what the registers of one that can virtualize may be, too. */
static struct save_limits limits_of(struct vcpu *v, const struct save_host *h,
				    const struct guest_cpu *cpu)
{
	struct save_limits lim = h->lim;

	lim.xcr0_allowed = cpu->xcr0;
	lim.xsave_size = cpu->xsave_size;
	lim.vmload = h->vendor == VIRT_SVM;
	if (v->nested) {
		lim.efer_allowed |= virt->nested->efer(v);
		lim.paged_real = true;
	}
	return lim;
}

static int check_vcpu(const struct save_in *in, struct vcpu *v, const struct save_host *h,
		      const struct guest_cpu *cpu, const struct reason *r)
{
	const struct save_limits lim = limits_of(v, h, cpu);
	const u32 id = v->id;
	const struct vcpu_save *s = vcpu_part(in, id);
	const struct vlapic_state *apic = apic_part(in, id);
	const char *what = "is missing";
	u32 size;
	const u8 *x = save_find(in, SAVE_XSAVE, id, STATE_VERSION, &size);

	if (!s || !x)
		return fail(r, -ENOENT, "vCPU", id, what);
	if (vcpu_save_check(s, &lim, &what) || xsave_check(x, size, &lim, &what))
		return fail(r, -EINVAL, "vCPU", id, what);
	if (!apic)
		return fail(r, -ENOENT, "local APIC", id, "is missing");
	if (vlapic_state_check(apic) || apic->id != id)
		return fail(r, -EINVAL, "local APIC", id, "has an impossible state");
	return v->nested ? check_nested(in, v, r) : 0;
}

/* NULL: zeros. */
static const void *test_mem_part(const struct save_in *in, u32 page)
{
	return part(in, SAVE_TEST_MEM, page, STATE_VERSION, PAGE_SIZE);
}

/* What is not restored may not be there: nothing of a machine is dropped silently. */
static u32 parts_of(const struct save_in *in, const struct vm *vm)
{
	u32 size, layout = save_find(in, SAVE_MEMORY, 0, SAVE_LAYOUT_VERSION, &size) != NULL;
	u32 pages = 0;

	for (u32 i = 0; i < TEST_MEM_PAGES; i++)
		pages += test_mem_part(in, i) != NULL;
	return 2 + layout + (vm->nested ? 4 : 3) * vm->vcpu_count + (u32)ARRAY_SIZE(devices) +
	       pages;
}

static int check_devices(const struct save_in *in, const struct reason *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		const void *s = device_part(in, i);

		if (!s)
			return fail(r, -ENOENT, devices[i].name, 0, "is missing");
		if (devices[i].check(s))
			return fail(r, -EINVAL, devices[i].name, 0, "has an impossible state");
	}
	return 0;
}

/* The layout, where there is one: 0, or an error. */
static int open_layout(const struct save_in *in, u64 mem_max, struct save_machine *m)
{
	u32 size;
	int err;

	m->has_layout = save_find(in, SAVE_MEMORY, 0, SAVE_LAYOUT_VERSION, &size);
	if (!m->has_layout)
		return 0;
	err = save_get(in, SAVE_MEMORY, 0, SAVE_LAYOUT_VERSION, &m->layout, sizeof(m->layout));
	return err ? err : save_layout_check(&m->layout, mem_max);
}

/* Before anything is made of it: can this CPU carry the guest? */
static int open_cpu(const struct save_in *in, const struct save_host *h, struct guest_cpu *cpu,
		    const struct reason *r)
{
	char what[80];

	if (save_get(in, SAVE_CPU, 0, GUEST_CPU_VERSION, cpu, sizeof(*cpu)))
		return fail(r, -ENOENT, "CPU", 0, "is missing");
	return guest_cpu_check(cpu, h->cpu, what, sizeof(what)) ?
	       fail(r, -EPROTO, "CPU", 0, what) : 0;
}

static bool vm_valid(const struct vm_save *s)
{
	return s->vcpus && s->vcpus <= VM_MAX_VCPUS && s->tsc_khz &&
	       mul_div_u64(s->elapsed, 1000000, s->tsc_khz) < AGE_MAX;
}

int vm_restore_open(struct save_in *in, const void *buf, u64 size, const struct save_host *h,
		    u64 mem_max, struct save_machine *m, char *why, size_t why_size)
{
	const struct reason r = { why, why_size };
	u32 section;
	int err = save_open(in, buf, size);

	if (err)
		return fail(&r, err, "container", 0, err == -EPROTO ? "of another version" :
			    "damaged");
	if (in->header.vendor != h->vendor)
		return fail(&r, -EPROTO, "container", 0, "of the other vendor");
	if (save_get(in, SAVE_VM, 0, VM_SAVE_VERSION, &m->vm, sizeof(m->vm)))
		return fail(&r, -ENOENT, "machine", 0, "is missing");
	if (!vm_valid(&m->vm))
		return fail(&r, -EINVAL, "machine", 0, "is impossible");
	err = open_cpu(in, h, &m->cpu, &r);
	if (err)
		return err;
	m->nested = save_find(in, SAVE_NESTED, 0, NESTED_SAVE_VERSION, &section);
	if (m->nested && !virt->nested)
		return fail(&r, -EPROTO, "machine", 0, "can virtualize, guests here cannot");
	if (open_layout(in, mem_max, m))
		return fail(&r, -EINVAL, "memory", 0, "has an impossible or too large layout");
	return 0;
}

/* What of its virtualization vm does not give to a guest, but that one was given. */
static u32 nested_lacks(const struct guest_cpu *cpu, const struct vm *vm)
{
	return cpu->nested & ~(vm->nested ? virt->nested->cpuid(vm->vcpu[0])->edx : 0);
}

int vm_restore_check(const struct save_in *in, const struct save_machine *m, const struct vm *vm,
		     const struct save_host *h, char *why, size_t why_size)
{
	const struct reason r = { why, why_size };
	int err = 0;

	if (nested_lacks(&m->cpu, vm))
		return fail(&r, -EPROTO, "CPU", 0, "lacks features of nested virtualization");
	if (m->vm.vcpus != vm->vcpu_count || m->vm.mem != gmem_bytes(&vm->mem))
		return fail(&r, -EINVAL, "machine", 0, "of another size");
	if (m->vm.guest_khz != vm->tsc_khz)
		return fail(&r, -EINVAL, "machine", 0, "with another frequency of its TSC");
	for (u32 i = 0; i < vm->vcpu_count && !err; i++)
		err = check_vcpu(in, vm->vcpu[i], h, &m->cpu, &r);
	if (!err)
		err = check_devices(in, &r);
	if (!err && in->header.sections != parts_of(in, vm))
		err = fail(&r, -EINVAL, "container", 0, "has parts that the machine has not");
	return err;
}

/* Behind the registers: what is L2's of them goes where it belongs. */
static void load_nested(const struct save_in *in, struct vcpu *v)
{
	const char *row;
	u32 size;
	const struct nested_save *s = nested_part(in, v->id, &size);

	for (u32 i = 0; i < NESTED_MSRS && virt->nested->saved_msr[i]; i++)
		(void)!virt->nested->wrmsr(v, virt->nested->saved_msr[i], s->msr[i]);
	v->init_waits = s->init_waits;
	v->smi_waits = s->smi_waits;
	(void)!virt->nested->state_set(v, s + 1, size, true, &row);
}

/* In ticks of this host's TSC. */
static u64 elapsed_here(const struct vm_save *s, u64 khz)
{
	return s->tsc_khz == khz ? s->elapsed : mul_div_u64(s->elapsed, khz, s->tsc_khz);
}

static void set_base(struct vm *vm, const struct save_machine *m, u64 now, u64 tsc_khz)
{
	vm->pc->tsc_base = now - elapsed_here(&m->vm, tsc_khz);
}

/* It goes on being told what it was told. */
static void load_cpu(struct vm *vm, const struct guest_cpu *cpu, const struct guest_cpu *here)
{
	vm->cpu = *cpu;
	vm->cpu.nested = here->nested;
	vm->cpu_told = memcmp(&vm->cpu, here, sizeof(*here));
}

void vm_restore(const struct save_in *in, const struct save_machine *m, struct vm *vm,
		const struct save_host *h)
{
	u32 size;

	load_cpu(vm, &m->cpu, h->cpu);
	set_base(vm, m, h->now, h->tsc_khz);
	for (u32 i = 0; i < vm->vcpu_count; i++) {
		struct vcpu *v = vm->vcpu[i];
		const void *x = save_find(in, SAVE_XSAVE, i, STATE_VERSION, &size);

		memcpy(v->xsave, x, size);
		memset((u8 *)v->xsave + size, 0, h->lim.xsave_size - size);
		load_vcpu(v, vcpu_part(in, i), h->now);
		if (v->nested)
			load_nested(in, v);
		v->apic->s = *apic_part(in, i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		memcpy((u8 *)vm->pc + devices[i].offset, device_part(in, i), devices[i].size);
	for (u32 i = 0; i < vm->vcpu_count; i++)
		vcpu_apic_place(vm->vcpu[i]);
	/* The memory of a new one is zero. */
	for (u32 i = 0; i < TEST_MEM_PAGES; i++) {
		const void *page = test_mem_part(in, i);

		if (page)
			memcpy(vm->pc->test.mem + i * PAGE_SIZE, page, PAGE_SIZE);
	}
	/* What the devices want next, and what their lines were, is computed anew. */
	vm->pc->next = 0;
}

void vm_restore_clock(const struct save_in *in, const struct save_machine *m, struct vm *vm,
		      u64 now, u64 tsc_khz)
{
	set_base(vm, m, now, tsc_khz);
	for (u32 i = 0; i < vm->vcpu_count; i++)
		vcpu_set_tsc_at(vm->vcpu[i], vcpu_part(in, i)->tsc, now);
}
