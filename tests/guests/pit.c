// SPDX-License-Identifier: MIT
#include "tests/guests/rt/acpi.h"
#include "tests/guests/rt/pc.h"

PAYLOAD(pit, .ref = "8254 data sheet 231164; ICH9 13.1, 13.7.1",
	.desc = "8254: status, latches, access modes, BCD, six modes of channel 2, port 61h");

/* Three ticks of the PM timer are one of the PIT, to 10^-7. */
#define PER_TICK	3
/* CLK periods until a count is loaded, and what reading in between may miss. */
#define SLACK		(4 * PER_TICK)
#define SAMPLES		300
#define CH		2

#define ST_OUT		0x80
#define ST_NULL		0x40

struct reading {
	u8 status;
	u16 count;
};

static void port_b(u8 v)
{
	outb(PORT_B, v);
}

static void control(u8 v)
{
	outb(PIT_CONTROL, v);
}

/* Latches status and count of channel 2 at one moment. */
static struct reading read_back(void)
{
	struct reading r;

	control(0xc0 | 2 << CH);
	r.status = inb(PIT_PORT(CH));
	r.count = inb(PIT_PORT(CH));
	r.count |= (u16)(inb(PIT_PORT(CH)) << 8);
	return r;
}

static u8 status(void)
{
	control(0xe0 | 2 << CH);
	return inb(PIT_PORT(CH));
}

static void wait_pm(u32 ticks)
{
	u32 from = pm_now();

	while (pm_ticks(from, pm_now()) < ticks)
		cpu_pause();
}

/* The count is loaded: null count falls. */
static bool loaded(void)
{
	for (unsigned int i = 0; i < 1000; i++)
		if (!(status() & ST_NULL))
			return true;
	return false;
}

static void check_port_b(void)
{
	u8 seen = 0;

	for (u8 v = 0; v < 4; v++) {
		port_b(v);
		rt_quiet((inb(PORT_B) & 3) == v, "port 61h bits 1:0", "%x: %x", v, inb(PORT_B));
	}
	port_b(0);
	for (unsigned int i = 0; i < 1000; i++)
		seen |= inb(PORT_B) & PORT_B_REFRESH ? 1 : 2;
	rt_check(seen == 3, "port 61h bit 4 toggles", "%x", seen);
}

/* Bits 5:0 are the control word's, "exactly as written". */
static void check_status(void)
{
	for (unsigned int word = 0; word < 48; word++) {
		u8 cw = (u8)(0x10 + word);

		control(CH << 6 | cw);
		rt_quiet((status() & 0x3f) == cw, "status has the control word", "%x: %x", cw,
			 status());
	}
	/* One read-back for all channels. */
	control(PIT_MODE(1, 2));
	pit_load(1, 18);
	control(PIT_MODE(2, 4));
	control(0xe0 | 0x0c);
	rt_check((inb(PIT_PORT(1)) & 0x3f) == 0x34 && (inb(PIT_PORT(2)) & 0x3f) == 0x38,
		 "read-back of several channels", " ");
}

/* After the control word: OUT low in mode 0 only, no count loaded. */
static void check_after_control(void)
{
	static const char *const why = "QEMU 7.2 hw/timer/i8254.c pit_ioport_write: a control "
				       "word does not stop the old count";

	for (u8 mode = 0; mode < 6; mode++) {
		bool want = mode != 0;

		port_b(PORT_B_GATE2);
		control(PIT_MODE(CH, 0));
		pit_load(CH, 2);
		wait_pm(100);
		control(PIT_MODE(CH, mode));
		/* What QEMU says in modes 2 and 3 depends on the time. */
		if (pc_is_qemu() && (mode == 2 || mode == 3))
			continue;
		rt_known(pc_is_qemu(), !(status() & ST_OUT) == !want, "OUT after control word",
			 why);
		rt_known(pc_is_qemu(), status() & ST_NULL, "null count after control word",
			 "QEMU 7.2 hw/timer/i8254.c pit_ioport_write: null count is not there");
	}
}

/*
 * Counts between two readings against the PM timer, which is read before and
 * after each: whatever delays this guest makes the bounds wider.
 */
static void check_rate(const char *name, u32 per_clk)
{
	struct reading a, b;
	u32 t[4], counts;

	for (unsigned int i = 0; i < 50; i++) {
		t[0] = pm_now();
		a = read_back();
		t[1] = pm_now();
		wait_pm(10000 * PER_TICK / per_clk);
		t[2] = pm_now();
		b = read_back();
		t[3] = pm_now();
		if (pm_ticks(t[0], t[3]) * per_clk < 60000 * PER_TICK)
			break;
	}
	counts = (u16)(a.count - b.count);
	rt_check(counts * PER_TICK + SLACK >= pm_ticks(t[1], t[2]) * per_clk &&
		 counts * PER_TICK <= pm_ticks(t[0], t[3]) * per_clk + SLACK, name,
		 "%u counts in %u to %u PM ticks", counts, pm_ticks(t[1], t[2]),
		 pm_ticks(t[0], t[3]));
}

/* OUT becomes want n CLKs from now on: neither before nor after. */
static void check_delay(const char *name, u32 from0, u32 from1, bool want, u32 n)
{
	u32 before, after;
	bool late = false;

	do {
		before = pm_now();
		if (!(status() & ST_OUT) == !want)
			break;
		late |= pm_ticks(from1, before) > n * PER_TICK + SLACK;
	} while (!late);
	after = pm_now();
	rt_check(!late && pm_ticks(from0, after) + SLACK >= n * PER_TICK, name,
		 "%s after %u to %u PM ticks, not %u", late ? "nothing" : "it came",
		 pm_ticks(from1, before), pm_ticks(from0, after), n * PER_TICK);
}

/* OUT rises at the end of the count; the gate holds it; a first byte stops it. */
static void check_mode0(void)
{
	u32 from0, from1;
	struct reading r;

	port_b(PORT_B_GATE2);
	control(PIT_MODE(CH, 0));
	from0 = pm_now();
	pit_load(CH, 20000);
	from1 = pm_now();
	check_delay("mode 0: OUT rises", from0, from1, true, 20000);
	rt_check(inb(PORT_B) & PORT_B_OUT2, "OUT2 in port 61h", "%x", inb(PORT_B));
	check_rate("mode 0: counts on behind 0", 1);
	rt_check(status() & ST_OUT, "mode 0: OUT stays high", " ");
	outb(PIT_PORT(CH), 0);
	rt_known(pc_is_qemu(), !(status() & ST_OUT), "mode 0: a first byte sets OUT low",
		 "QEMU 7.2 hw/timer/i8254.c pit_ioport_write keeps it in write_latch only");
	outb(PIT_PORT(CH), 0x80);
	port_b(0);
	control(PIT_MODE(CH, 0));
	pit_load(CH, 0x1234);
	wait_pm(3000);
	r = read_back();
	rt_known(pc_is_qemu(), r.count == 0x1234 && !(r.status & (ST_NULL | ST_OUT)),
		 "mode 0: gate low, no counting",
		 "QEMU 7.2 hw/timer/i8254.c pit_set_channel_gate: XXX");
}

/* Modes that a rising gate starts: 1 (OUT low meanwhile), 5 (a strobe at the end). */
static void check_trigger(void)
{
	u32 from0, from1;
	bool low;

	for (u8 mode = 1; mode <= 5; mode += 4) {
		port_b(0);
		control(PIT_MODE(CH, mode));
		pit_load(CH, 30000);
		rt_known(pc_is_qemu(), (status() & (ST_OUT | ST_NULL)) == (ST_OUT | ST_NULL),
			 mode == 1 ? "mode 1: waits" : "mode 5: waits",
			 "QEMU 7.2 hw/timer/i8254.c: starts when loaded, no null count");
		from0 = pm_now();
		port_b(PORT_B_GATE2);
		from1 = pm_now();
		rt_check(loaded(), "the trigger loads the count", "%x", status());
		check_rate(mode == 1 ? "mode 1: rate" : "mode 5: rate", 1);
		if (mode == 5) {
			rt_known(pc_is_qemu(), status() & ST_OUT, "mode 5: OUT is high",
				 "QEMU 7.2 hw/timer/i8254_common.c pit_get_out inverts it");
			continue;
		}
		/* QEMU has the same moment, upside down. */
		check_delay("mode 1: OUT rises", from0, from1, !pc_is_qemu(), 30000);
		/* The trigger again, which does not need a new count. */
		port_b(0);
		from0 = pm_now();
		port_b(PORT_B_GATE2);
		from1 = pm_now();
		wait_pm(SLACK);
		low = !(status() & ST_OUT);
		if (pm_ticks(from0, pm_now()) < 30000 * PER_TICK)
			rt_known(pc_is_qemu(), low, "mode 1: OUT is low after a trigger",
				 "QEMU 7.2 hw/timer/i8254_common.c pit_get_out inverts it");
		check_delay("mode 1: retriggered", from0, from1, !pc_is_qemu(), 30000);
	}
}

/* A pulse low of one CLK each period; counts n to 1. */
static void check_mode2(void)
{
	unsigned int high = 0, bad = 0;
	struct reading r;

	port_b(PORT_B_GATE2);
	control(PIT_MODE(CH, 2));
	pit_load(CH, 1000);
	rt_check(loaded(), "mode 2: loaded", "%x", status());
	for (unsigned int i = 0; i < SAMPLES; i++) {
		wait_pm(40);
		r = read_back();
		high += r.status >> 7;
		bad += !r.count || r.count > 1000;
	}
	rt_check(!bad, "mode 2: counts are 1 to n", "%u are not", bad);
	rt_known(pc_is_qemu(), high > SAMPLES * 9 / 10, "mode 2: OUT is high but for one CLK",
		 "QEMU 7.2 hw/timer/i8254_common.c pit_get_out inverts it");
	pit_load(CH, 0);
	control(PIT_MODE(CH, 2));
	pit_load(CH, 0);
	check_rate("mode 2: rate", 1);
	port_b(0);
	wait_pm(SLACK);
	rt_known(pc_is_qemu(), status() & ST_OUT && read_back().count == read_back().count,
		 "mode 2: gate low stops it, OUT high",
		 "QEMU 7.2 hw/timer/i8254.c pit_set_channel_gate: XXX");
}

/* Half of the time high; counts are even, as each CLK counts two. */
static void check_mode3(void)
{
	unsigned int odd = 0, seen = 0;
	struct reading r;

	port_b(PORT_B_GATE2);
	for (u16 n = 1000; n <= 1001; n++) {
		control(PIT_MODE(CH, 3));
		pit_load(CH, n);
		rt_check(loaded(), "mode 3: loaded", "%x", status());
		for (unsigned int i = odd = seen = 0; i < SAMPLES; i++) {
			wait_pm(40);
			r = read_back();
			odd += r.count & 1;
			seen |= r.status & ST_OUT ? 1 : 2;
		}
		rt_known(pc_is_qemu() && n & 1, !odd, "mode 3: counts are even",
			 "QEMU 7.2 hw/timer/i8254.c pit_get_count: XXX: odd counts");
		rt_check(seen == 3, "mode 3: OUT is high and low", "%x", seen);
	}
	control(PIT_MODE(CH, 3));
	pit_load(CH, 0);
	check_rate("mode 3: rate", 2);
}

static void check_mode4(void)
{
	port_b(PORT_B_GATE2);
	control(PIT_MODE(CH, 4));
	pit_load(CH, 5000);
	rt_check(loaded(), "mode 4: loaded", "%x", status());
	wait_pm(5000 * PER_TICK + SLACK);
	rt_known(pc_is_qemu(), status() & ST_OUT, "mode 4: OUT is high after the strobe",
		 "QEMU 7.2 hw/timer/i8254_common.c pit_get_out inverts it");
	check_rate("mode 4: rate", 1);
}

/* One byte only, the other is 0. */
static void check_access(void)
{
	unsigned int bad = 0;
	u32 from;
	u8 v;

	port_b(PORT_B_GATE2);
	control(CH << 6 | 0x14);
	outb(PIT_PORT(CH), 0x40);
	loaded();
	for (unsigned int i = 0; i < SAMPLES; i++)
		bad += inb(PIT_PORT(CH)) > 0x40;
	rt_check(!bad, "low byte only", "%u above", bad);
	control(CH << 6 | 0x24);
	outb(PIT_PORT(CH), 0x40);
	loaded();
	for (unsigned int i = bad = 0; i < SAMPLES; i++) {
		control(CH << 6);
		bad += inb(PIT_PORT(CH)) > 0x40;
	}
	rt_check(!bad, "high byte only", "%u above", bad);
	control(CH << 6 | 0x24);
	from = pm_now();
	outb(PIT_PORT(CH), 0xff);
	loaded();
	v = inb(PIT_PORT(CH));
	rt_check(v > 0x40 || pm_ticks(from, pm_now()) > 40000 * PER_TICK,
		 "it is the high byte of the count", "%x", v);
}

/* A latch holds until it is read, whatever happens meanwhile. */
static void check_latch(void)
{
	u16 held, now;
	u32 from;

	port_b(PORT_B_GATE2);
	control(PIT_MODE(CH, 2));
	pit_load(CH, 0);
	loaded();
	for (unsigned int i = 0; i < 50; i++) {
		from = pm_now();
		control(CH << 6);
		wait_pm(9000);
		control(CH << 6);		/* ignored */
		control(0xd0 | 2 << CH);	/* as well */
		held = inb(PIT_PORT(CH));
		held |= (u16)(inb(PIT_PORT(CH)) << 8);
		now = read_back().count;
		if (pm_ticks(from, pm_now()) < 60000 * PER_TICK)
			break;
	}
	rt_check((u16)(held - now) >= 9000 / PER_TICK - 2, "the first latch counts", "%x, then %x",
		 held, now);
	/* "... or until the Counter is reprogrammed". */
	control(PIT_MODE(CH, 2));
	pit_load(CH, 0);
	loaded();
	control(CH << 6);
	control(PIT_MODE(CH, 2));
	pit_load(CH, 0x100);
	loaded();
	held = inb(PIT_PORT(CH));
	held |= (u16)(inb(PIT_PORT(CH)) << 8);
	rt_known(pc_is_qemu(), held <= 0x100, "a control word ends a latch",
		 "QEMU 7.2 hw/timer/i8254.c pit_ioport_write leaves count_latched");
	/* Status first, and what is latched first of each. */
	control(0xe0 | 2 << CH);
	control(0xc0 | 2 << CH);
	rt_check((inb(PIT_PORT(CH)) & 0x3f) == 0x34, "status is read before the count", " ");
	inb(PIT_PORT(CH));
	inb(PIT_PORT(CH));
}

/* A new count waits for the end of the period. */
static void check_reload(void)
{
	struct reading r = { 0, 0 };
	u32 from;

	port_b(PORT_B_GATE2);
	for (unsigned int i = 0; i < 50; i++) {
		control(PIT_MODE(CH, 2));
		from = pm_now();
		pit_load(CH, 0);
		loaded();
		pit_load(CH, 100);
		r = read_back();
		if (pm_ticks(from, pm_now()) < 60000 * PER_TICK)
			break;
	}
	rt_known(pc_is_qemu(), r.count > 100 && r.status & ST_NULL,
		 "mode 2: a new count waits for the end of the old one",
		 "QEMU 7.2 hw/timer/i8254.c pit_load_count starts at once");
	RT_WAIT(!(status() & ST_NULL));
	r = read_back();
	rt_check(r.count && r.count <= 100, "then it counts", "%u", r.count);
}

static void check_bcd(void)
{
	unsigned int bad = 0;

	port_b(PORT_B_GATE2);
	control(PIT_MODE(CH, 2) | 1);
	pit_load(CH, 0x1000);
	loaded();
	for (unsigned int i = 0; i < SAMPLES; i++) {
		u16 c;
		bool digits = true;

		wait_pm(40);
		c = read_back().count;
		for (unsigned int d = 0; d < 16; d += 4)
			digits &= (c >> d & 0xf) < 10;
		bad += !digits || !c || c > 0x1000;
	}
	rt_known(pc_is_qemu(), !bad, "BCD counts",
		 "QEMU 7.2 hw/timer/i8254.c pit_get_count: XXX: no BCD");
}

int main(struct rt_info *info)
{
	if (!pm_init())
		return rt_skip("no PM timer");
	check_port_b();
	check_status();
	check_after_control();
	check_mode0();
	check_trigger();
	check_mode2();
	check_mode3();
	check_mode4();
	check_access();
	check_latch();
	check_reload();
	check_bcd();
	return rt_result();
}
