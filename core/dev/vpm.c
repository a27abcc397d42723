// SPDX-License-Identifier: MIT
#include "core/dev/vpm.h"

#include "core/lib/string.h"
#include "stats/stat.h"

STAT_COUNTER(acpi, "/kvm/dev", "acpi", "count", "accesses to ACPI registers other than the timer");
STAT_COUNTER(pm_timer, "/kvm/dev", "pm_timer", "count", "accesses to the ACPI timer");
STAT_COUNTER(kbc, "/kvm/dev", "kbc", "count", "accesses to the keyboard controller and port 0x92");

/* ACPI 6, 4.8.3.1.1: status; the enables that exist have the same places. */
#define STS_TMR		0x0001
#define STS_PWRBTN	0x0100
#define STS_WAK		0x8000
#define STS_MASK	(STS_TMR | STS_PWRBTN | STS_WAK)
/* 4.8.3.1.2: TMR, GBL, PWRBTN, SLPBTN, RTC. */
#define EN_MASK		0x0721
/* 4.8.3.2.1: GBL_RLS and SLP_EN are write-only and read 0. */
#define CNT_SCI_EN	0x0001
#define CNT_SLP_EN	0x2000
#define CNT_KEPT	0x1c03	/* SLP_TYP, BM_RLD, SCI_EN */

#define SECOND_NS	1000000000ULL
#define TIME_MAX	BIT(63)	/* of a state from outside: no sum of times may wrap */

#define PORT92		0x92
#define PORT92_INIT	0x01
#define PORT92_A20	0x02

#define KBC_DATA	0x60
#define KBC_COMMAND	0x64
#define KBC_OBF		0x01
#define KBC_A2		0x08	/* the last write was a command */
#define KBC_UNLOCKED	0x10
#define KBC_SYS		0x04	/* in the status as in the command byte */
#define KBC_INT		0x01	/* command byte: interrupt when the output buffer is full */
#define KBC_DISABLED	0x30	/* command byte: keyboard and second device are off */
#define KBC_OUT_RESET	0x01	/* output port, low active */
#define KBC_OUT_START	0xcf	/* with A20 and all that is high when idle */
#define KBC_IN		0x80	/* input port: keyboard not inhibited */

/* 4.8.2.1: counts at 3.579545 MHz from time 0 on. */
static u64 timer_at(u64 ns)
{
	return ns / SECOND_NS * VPM_TIMER_HZ + ns % SECOND_NS * VPM_TIMER_HZ / SECOND_NS;
}

/* When the timer gets to count. */
static u64 timer_reaches(u64 count)
{
	u64 rest = count % VPM_TIMER_HZ * SECOND_NS;

	return count / VPM_TIMER_HZ * SECOND_NS + (rest + VPM_TIMER_HZ - 1) / VPM_TIMER_HZ;
}

static u64 next_msb_change(u64 now)
{
	return timer_reaches(((timer_at(now) >> 31) + 1) << 31);
}

static void update_lines(struct vpm *p)
{
	const struct vpm_state *s = &p->s;

	p->env->set_irq(p->env->ctx, VPM_SCI,
			s->pm1_cnt & CNT_SCI_EN && s->pm1_sts & s->pm1_en);
	p->env->set_irq(p->env->ctx, VPM_KBC_IRQ,
			s->kbc_status & KBC_OBF && s->kbc_command & KBC_INT);
}

/* 4.8.3.1.1, TMR_STS: the top bit of the counter changed, in either direction. */
static void sync(struct vpm *p, u64 now)
{
	if (now < p->s.timer_msb_at)
		return;
	p->s.pm1_sts |= STS_TMR;
	p->s.timer_msb_at = next_msb_change(now);
	update_lines(p);
}

/* After a write: lines, and a timer event that was not wanted before. */
static void settle(struct vpm *p, u64 old_next)
{
	update_lines(p);
	if (vpm_next(p) < old_next)
		p->env->rearm(p->env->ctx);
}

static u64 now_of(const struct vpm *p)
{
	return p->env->now(p->env->ctx);
}

static u64 evt_read(void *ctx, u64 off, u8 size)
{
	struct vpm *p = ctx;

	sync(p, now_of(p));
	return ((u32)p->s.pm1_sts | (u32)p->s.pm1_en << 16) >> (8 * off);
}

/* A status bit is cleared by writing 1 to it. */
static enum bus_result evt_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vpm *p = ctx;
	u32 mask = (u32)(BITS(8 * size - 1, 0) << (8 * off));
	u32 v = (u32)(val << (8 * off)) & mask;
	u64 next = vpm_next(p);

	sync(p, now_of(p));
	p->s.pm1_sts &= (u16)~v;
	p->s.pm1_en = ((p->s.pm1_en & (u16)~(mask >> 16)) | (u16)(v >> 16)) & EN_MASK;
	settle(p, next);
	return BUS_OK;
}

static u64 cnt_read(void *ctx, u64 off, u8 size)
{
	const struct vpm *p = ctx;

	return p->s.pm1_cnt >> (8 * off);
}

/*
 * 4.8.3.2.1: SLP_EN enters the state that SLP_TYP names.  There is S5 only; a
 * guest that asks for another one is awake again before it looks.
 */
static enum bus_result cnt_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vpm *p = ctx;
	u16 mask = (u16)(BITS(8 * size - 1, 0) << (8 * off));
	u16 v = (u16)(val << (8 * off)) & mask;
	u64 next = vpm_next(p);
	bool off_now;

	p->s.pm1_cnt = ((p->s.pm1_cnt & (u16)~mask) | v) & CNT_KEPT;
	off_now = v & CNT_SLP_EN && p->s.pm1_cnt >> 10 == VPM_SLP_TYP_S5;
	if (v & CNT_SLP_EN && !off_now)
		p->s.pm1_sts |= STS_WAK;
	settle(p, next);
	return off_now ? BUS_POWEROFF : BUS_OK;
}

static u64 timer_read(void *ctx, u64 off, u8 size)
{
	const struct vpm *p = ctx;

	return (u32)timer_at(now_of(p)) >> (8 * off);
}

static u64 smi_read(void *ctx, u64 off, u8 size)
{
	const struct vpm *p = ctx;

	return off ? p->s.apm_sts : p->s.apm_cnt;
}

/* 4.8.2.5: there is no SMI handler; the commands of the FADT work at once. */
static enum bus_result smi_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vpm *p = ctx;
	u64 next = vpm_next(p);

	if (off) {
		p->s.apm_sts = (u8)val;
		return BUS_OK;
	}
	p->s.apm_cnt = (u8)val;
	if (val == VPM_ACPI_ENABLE)
		p->s.pm1_cnt |= CNT_SCI_EN;
	else if (val == VPM_ACPI_DISABLE)
		p->s.pm1_cnt &= (u16)~CNT_SCI_EN;
	settle(p, next);
	return BUS_OK;
}

static u64 port92_read(void *ctx, u64 off, u8 size)
{
	const struct vpm *p = ctx;

	return p->s.port92;
}

/* ICH9 13.7.3: INIT_NOW from 0 to 1. */
static enum bus_result port92_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vpm *p = ctx;
	bool resets = val & ~p->s.port92 & PORT92_INIT;

	p->s.port92 = val & (PORT92_INIT | PORT92_A20);
	return resets ? BUS_RESET : BUS_OK;
}

static void kbc_set_command(struct vpm *p, u8 val)
{
	p->s.kbc_command = val;
	p->s.kbc_status = (p->s.kbc_status & (u8)~KBC_SYS) | (val & KBC_SYS);
}

/* What the controller answers to a command; -1: nothing. */
static int kbc_answer(struct vpm *p, u8 command)
{
	switch (command) {
	case 0x20:
		return p->s.kbc_command;
	case 0xaa:	/* self test: passed */
		kbc_set_command(p, p->s.kbc_command | KBC_SYS);
		return 0x55;
	case 0xab:	/* interface test: no error */
		return 0x00;
	case 0xc0:
		return KBC_IN;
	case 0xd0:
		return p->s.kbc_outport;
	default:
		return -1;
	}
}

static enum bus_result kbc_command_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vpm *p = ctx;
	int answer = kbc_answer(p, (u8)val);

	p->s.kbc_status |= KBC_A2;
	p->s.kbc_waits = val == 0x60 || val == 0xd1 ? (u8)val : 0;
	if (answer >= 0) {
		p->s.kbc_output = (u8)answer;
		p->s.kbc_status |= KBC_OBF;
	}
	/* Keyboard off and on. */
	if (val == 0xad || val == 0xae)
		kbc_set_command(p, (p->s.kbc_command & (u8)~0x10) | (val == 0xad ? 0x10 : 0));
	update_lines(p);
	/* 0xf0 to 0xff pulse the bits of the output port that are 0 in the command. */
	return (val & 0xf1) == 0xf0 ? BUS_RESET : BUS_OK;
}

static u64 kbc_status_read(void *ctx, u64 off, u8 size)
{
	const struct vpm *p = ctx;

	return p->s.kbc_status;
}

/* Without a device nothing takes a byte that is not a command's. */
static enum bus_result kbc_data_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vpm *p = ctx;
	u8 command = p->s.kbc_waits;

	p->s.kbc_status &= (u8)~KBC_A2;
	p->s.kbc_waits = 0;
	if (command == 0xd1 && !(val & KBC_OUT_RESET))
		return BUS_RESET;
	if (command == 0xd1)
		p->s.kbc_outport = (u8)val;
	if (command == 0x60)
		kbc_set_command(p, (u8)val);
	update_lines(p);
	return BUS_OK;
}

static u64 kbc_data_read(void *ctx, u64 off, u8 size)
{
	struct vpm *p = ctx;

	p->s.kbc_status &= (u8)~KBC_OBF;
	update_lines(p);
	return p->s.kbc_output;
}

/* clang-format off */
static const struct bus_range ranges[] = {
	/* first last width read write */
	{ VPM_PM1_EVT, VPM_PM1_EVT + 3, 4, evt_read,        evt_write,         NULL, &acpi },
	{ VPM_PM1_CNT, VPM_PM1_CNT + 1, 2, cnt_read,        cnt_write,         NULL, &acpi },
	{ VPM_TIMER,   VPM_TIMER + 3,   4, timer_read,      NULL,              NULL, &pm_timer },
	{ VPM_SMI_CMD, VPM_SMI_CMD + 1, 1, smi_read,        smi_write,         NULL, &acpi },
	{ PORT92,      PORT92,          1, port92_read,     port92_write,      NULL, &kbc },
	{ KBC_DATA,    KBC_DATA,        1, kbc_data_read,   kbc_data_write,    NULL, &kbc },
	{ KBC_COMMAND, KBC_COMMAND,     1, kbc_status_read, kbc_command_write, NULL, &kbc },
};
/* clang-format on */

int vpm_init(struct vpm *p, struct bus *bus, const struct dev_env *env)
{
	int err = 0;

	memset(p, 0, sizeof(*p));
	p->env = env;
	p->s.port92 = PORT92_A20;
	/* The 8042 as firmware leaves it that found no keyboard. */
	p->s.kbc_status = KBC_A2 | KBC_UNLOCKED;
	kbc_set_command(p, KBC_DISABLED | KBC_SYS);
	p->s.kbc_outport = KBC_OUT_START;
	p->s.timer_msb_at = next_msb_change(now_of(p));
	for (size_t i = 0; i < ARRAY_SIZE(ranges) && !err; i++) {
		struct bus_range r = ranges[i];

		r.ctx = p;
		err = bus_add_io(bus, &r);
	}
	return err;
}

void vpm_power_button(struct vpm *p)
{
	p->s.pm1_sts |= STS_PWRBTN;
	update_lines(p);
}

/* The timer's change matters only where it raises the SCI. */
u64 vpm_next(const struct vpm *p)
{
	const struct vpm_state *s = &p->s;

	if (!(s->pm1_cnt & CNT_SCI_EN) || !(s->pm1_en & STS_TMR) || s->pm1_sts & STS_TMR)
		return DEV_NEVER;
	return s->timer_msb_at;
}

void vpm_tick(struct vpm *p, u64 now)
{
	sync(p, now);
}

static bool kbc_ok(const struct vpm_state *s)
{
	return (s->kbc_status & ~(KBC_OBF | KBC_A2)) ==
		       (KBC_UNLOCKED | (s->kbc_command & KBC_SYS)) &&
	       s->kbc_outport & KBC_OUT_RESET &&
	       (!s->kbc_waits || s->kbc_waits == 0x60 || s->kbc_waits == 0xd1);
}

int vpm_state_check(const struct vpm_state *s)
{
	u64 count = timer_at(s->timer_msb_at);

	if (s->pm1_sts & ~STS_MASK || s->pm1_en & ~EN_MASK || s->pm1_cnt & ~CNT_KEPT)
		return -EINVAL;
	if (s->reserved[0] || s->reserved[1] || s->port92 & ~(PORT92_INIT | PORT92_A20))
		return -EINVAL;
	if (!count || count << 33 || s->timer_msb_at >= TIME_MAX ||
	    timer_reaches(count) != s->timer_msb_at)
		return -EINVAL;
	return kbc_ok(s) ? 0 : -EINVAL;
}
