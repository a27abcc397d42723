// SPDX-License-Identifier: MIT
/*
 * The registers of the local APIC, through the page in xAPIC mode (SDM3 11.4.1)
 * and as MSRs in x2APIC mode (SDM3 11.12.1).
 */
#include "core/dev/vlapic_int.h"

#define MSR_APIC_BASE		0x1b
#define MSR_TSC_DEADLINE	0x6e0
#define MSR_X2APIC		0x800

/* A register as each mode has it: M for the page, X for the MSR. */
enum { MR = 1, MW = 2, XR = 4, XW = 8, M_RW = MR | MW, X_RW = XR | XW, RO = MR | XR,
       RW = M_RW | X_RW };

struct reg {
	u8 access;
	u32 bits;		/* that a write changes */
	u16 at;			/* member of struct vlapic_state, unless read, write */
	u32 (*read)(struct vlapic *a, u32 n);
	void (*write)(struct vlapic *a, u32 n, u32 val);
};

static u32 read_id(struct vlapic *a, u32 n)
{
	return vlapic_x2(a) ? a->s.id : a->s.xapic_id;
}

static u32 read_apr(struct vlapic *a, u32 n)
{
	return vlapic_apr(a->s.tpr, a->s.isr, a->s.irr);
}

static u32 read_ppr(struct vlapic *a, u32 n)
{
	return vlapic_ppr(a->s.tpr, a->s.isr);
}

/* EOI is write-only; remote reads (RRD) ended with the P6 family. */
static u32 read_zero(struct vlapic *a, u32 n)
{
	return 0;
}

static u32 read_isr(struct vlapic *a, u32 n)
{
	return a->s.isr[n & 7];
}

/* TMR and IRR show what has come, taken over or not. */
static u32 read_tmr(struct vlapic *a, u32 n)
{
	vlapic_collect(a);
	return a->s.tmr[n & 7];
}

static u32 read_irr(struct vlapic *a, u32 n)
{
	vlapic_collect(a);
	return a->s.irr[n & 7];
}

static u32 read_icr(struct vlapic *a, u32 n)
{
	return (u32)a->s.icr;
}

static u32 read_icr_high(struct vlapic *a, u32 n)
{
	return (u32)(a->s.icr >> 32);
}

static u32 read_tmcct(struct vlapic *a, u32 n)
{
	return vlapic_timer_count(a);
}

static void write_eoi(struct vlapic *a, u32 n, u32 val)
{
	vlapic_eoi(a);
}

/* SDM3 figure 11-14: bits 27:0 are ones. */
static void write_dfr(struct vlapic *a, u32 n, u32 val)
{
	a->s.dfr = val | 0x0fffffff;
}

/* SDM3 11.4.7.2: software-disabled, the LVT is masked and stays so. */
static void write_svr(struct vlapic *a, u32 n, u32 val)
{
	a->s.svr = val;
	if (val & SVR_ENABLE)
		return;
	for (u32 i = LVT_TIMER + 1; i < LVT_COUNT; i++)
		a->s.lvt[i] |= LVT_MASKED;
	vlapic_timer_set_lvt(a, a->s.lvt[LVT_TIMER] | LVT_MASKED);
}

static void write_lvt(struct vlapic *a, u32 n, u32 val)
{
	u32 i = n - REG_LVT;

	if (!(a->s.svr & SVR_ENABLE))
		val |= LVT_MASKED;
	if (i == LVT_TIMER)
		vlapic_timer_set_lvt(a, val);
	else
		a->s.lvt[i] = val;
}

static u32 read_lvt(struct vlapic *a, u32 n)
{
	return a->s.lvt[n - REG_LVT];
}

/* SDM3 11.5.3: what was logged since the last write shows, and is cleared. */
static void write_esr(struct vlapic *a, u32 n, u32 val)
{
	vlapic_collect(a);
	a->s.esr = a->s.esr_pending;
	a->s.esr_pending = 0;
}

static void write_tmict(struct vlapic *a, u32 n, u32 val)
{
	vlapic_timer_set_initial(a, val);
}

static void write_dcr(struct vlapic *a, u32 n, u32 val)
{
	vlapic_timer_set_divide(a, val);
}

/*
 * SDM3 11.5.3: a message with an illegal vector is an error of the sender, and
 * of each APIC that it reaches.  The reserved modes send nothing.
 */
static void send(struct vlapic *a, const struct apic_msg *m)
{
	if (m->mode == APIC_MODE_3 || m->mode == APIC_EXTINT)
		return;
	if (m->mode <= APIC_LOWEST && m->vector < VECTOR_FIRST)
		vlapic_error(a, ESR_SEND_ILLEGAL);
	a->env->send(a->env->ctx, a, m);
}

/*
 * SDM3 table 11-3: of the trigger mode only INIT level de-assert takes notice,
 * everything else is an edge.  Combinations that the table calls invalid do
 * what their fields say.
 */
static void send_icr(struct vlapic *a)
{
	u64 icr = a->s.icr;
	bool x2 = vlapic_x2(a);
	struct apic_msg m = {
		.dest = (u32)(x2 ? icr >> 32 : icr >> 56),
		.mode = icr >> 8 & 7,
		.vector = (u8)icr,
		.shorthand = icr >> 18 & 3,
		.logical = icr & ICR_LOGICAL,
		.wide = x2,
	};

	m.deassert = m.mode == APIC_INIT && icr & ICR_LEVEL && !(icr & ICR_ASSERT);
	send(a, &m);
}

static void write_icr(struct vlapic *a, u32 n, u32 val)
{
	a->s.icr = (a->s.icr & ~0xffffffffULL) | val;
	send_icr(a);
}

static void write_icr_high(struct vlapic *a, u32 n, u32 val)
{
	a->s.icr = (u32)a->s.icr | (u64)val << 32;
}

static void write_self_ipi(struct vlapic *a, u32 n, u32 val)
{
	const struct apic_msg m = { .vector = (u8)val, .shorthand = 1, .wide = true };

	send(a, &m);
}

#define AT(member)	.at = offsetof(struct vlapic_state, member)

/* SDM3 table 11-1 and table 11-6.  What has no row is reserved. */
static const struct reg regs[REG_COUNT] = {
	[REG_ID] = { M_RW | XR, 0xff000000, AT(xapic_id), .read = read_id },
	[REG_VERSION] = { RO, AT(version) },
	[REG_TPR] = { RW, 0xff, AT(tpr) },
	[REG_APR] = { MR, .read = read_apr },
	[REG_PPR] = { RO, .read = read_ppr },
	[REG_EOI] = { M_RW | XW, .read = read_zero, .write = write_eoi },
	[REG_RRD] = { MR, .read = read_zero },
	[REG_LDR] = { M_RW | XR, 0xff000000, AT(ldr) },
	[REG_DFR] = { M_RW, 0xf0000000, AT(dfr), .write = write_dfr },
	[REG_SVR] = { RW, SVR_BITS, AT(svr), .write = write_svr },
	[REG_ISR ... REG_ISR + 7] = { RO, .read = read_isr },
	[REG_TMR ... REG_TMR + 7] = { RO, .read = read_tmr },
	[REG_IRR ... REG_IRR + 7] = { RO, .read = read_irr },
	[REG_ESR] = { RW, AT(esr), .write = write_esr },
	[REG_ICR] = { RW, ICR_BITS, .read = read_icr, .write = write_icr },
	[REG_ICR_HIGH] = { M_RW, 0xff000000, .read = read_icr_high, .write = write_icr_high },
	[REG_LVT ... REG_LVT + LVT_COUNT - 1] = { RW, .read = read_lvt, .write = write_lvt },
	[REG_TMICT] = { RW, ~0U, AT(tmict), .write = write_tmict },
	[REG_TMCCT] = { RO, .read = read_tmcct },
	[REG_DCR] = { RW, DCR_BITS, AT(dcr), .write = write_dcr },
	[REG_SELF_IPI] = { XW, 0xff, .write = write_self_ipi },
};

const u32 vlapic_lvt_bits[LVT_COUNT] = {
	[LVT_TIMER] = 0x700ff,		/* vector, mask, mode */
	[LVT_THERMAL] = 0x107ff,	/* vector, delivery mode, mask */
	[LVT_PERF] = 0x107ff,
	[LVT_LINT0] = 0x1a7ff,		/* with polarity and trigger mode */
	[LVT_LINT1] = 0x1a7ff,
	[LVT_ERROR] = 0x100ff,		/* vector, mask */
};

static bool is_lvt(u32 n)
{
	return n >= REG_LVT && n < REG_LVT + LVT_COUNT;
}

/* The bits of register n that a write changes; the others are reserved. */
static u32 writable(const struct vlapic *a, u32 n)
{
	u32 bits;

	if (!is_lvt(n))
		return regs[n].bits;
	bits = vlapic_lvt_bits[n - REG_LVT];
	if (n == REG_LVT + LVT_TIMER && a->env->hidden & VLAPIC_HIDE_DEADLINE)
		bits &= ~LVT_DEADLINE;
	return bits;
}

/* SDM3 11.12.1.3.  Read-only bits are not reserved: what was read is written back. */
static u32 reserved(const struct vlapic *a, u32 n)
{
	u32 bits = writable(a, n);

	if (is_lvt(n))
		bits |= LVT_STATUS;
	if (n == REG_LVT + LVT_LINT0 || n == REG_LVT + LVT_LINT1)
		bits |= LVT_REMOTE_IRR;
	return ~bits;
}

static u32 get(struct vlapic *a, u32 n)
{
	const struct reg *r = &regs[n];

	return r->read ? r->read(a, n) : *(const u32 *)((const u8 *)&a->s + r->at);
}

static void set(struct vlapic *a, u32 n, u32 val)
{
	const struct reg *r = &regs[n];

	if (r->write)
		r->write(a, n, val);
	else
		*(u32 *)((u8 *)&a->s + r->at) = val;
}

/* SDM3 11.5.3: an access to a reserved address of the page is an error. */
static bool on_page(struct vlapic *a, u32 n)
{
	if (n < REG_COUNT && regs[n].access & M_RW)
		return true;
	vlapic_error(a, ESR_ILLEGAL_REG);
	return false;
}

/*
 * Defined are aligned 32-bit accesses.  Other reads give the bytes that lie
 * there, 0 behind a register; other writes do nothing.
 */
u64 vlapic_mmio_read(struct vlapic *a, u32 off, u8 size)
{
	u32 at = off & 15;
	u64 val;

	if (!vlapic_mmio_on(a))
		val = ~0ULL;
	else if (!on_page(a, off / 16) || at >= 4)
		val = 0;
	else
		val = get(a, off / 16) >> 8 * at;
	return val & ~0ULL >> (64 - 8 * size);
}

void vlapic_mmio_write(struct vlapic *a, u32 off, u8 size, u64 val)
{
	u32 n = off / 16;

	if (!vlapic_mmio_on(a) || size != 4 || off & 15)
		return;
	if (on_page(a, n) && regs[n].access & MW)
		set(a, n, (u32)val & writable(a, n));
}

/* The register behind an MSR in x2APIC mode, or REG_COUNT. */
static u32 msr_reg(const struct vlapic *a, u32 msr, u8 access)
{
	u32 n = msr - MSR_X2APIC;

	if (!vlapic_x2(a) || n >= REG_COUNT || !(regs[n].access & access))
		return REG_COUNT;
	return n;
}

static bool has_deadline(const struct vlapic *a)
{
	return !(a->env->hidden & VLAPIC_HIDE_DEADLINE);
}

bool vlapic_msr_read(struct vlapic *a, u32 msr, u64 *val)
{
	u32 n = msr_reg(a, msr, XR);

	if (msr == MSR_APIC_BASE)
		*val = a->s.base;
	else if (msr == MSR_TSC_DEADLINE && has_deadline(a))
		*val = vlapic_timer_deadline(a);
	else if (n == REG_ICR)
		*val = a->s.icr;
	else if (n < REG_COUNT)
		*val = get(a, n);
	else
		return false;
	return true;
}

/* SDM3 11.12.9: one write of 64 bits; delivery status is reserved. */
static bool write_x2_icr(struct vlapic *a, u64 val)
{
	if ((u32)val & ~ICR_BITS)
		return false;
	a->s.icr = val;
	send_icr(a);
	return true;
}

bool vlapic_msr_write(struct vlapic *a, u32 msr, u64 val)
{
	u32 n = msr_reg(a, msr, XW);

	if (msr == MSR_TSC_DEADLINE && has_deadline(a)) {
		vlapic_timer_set_deadline(a, val);
		return true;
	}
	if (n == REG_COUNT)
		return false;
	if (n == REG_ICR)
		return write_x2_icr(a, val);
	if (val >> 32 || (u32)val & reserved(a, n))
		return false;
	set(a, n, (u32)val & writable(a, n));
	return true;
}
