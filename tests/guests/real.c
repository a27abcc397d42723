// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(real, .ref = "APM2 14.1, SDM3 21.1",
	.desc = "real mode: vectors, far calls, segments, strings, I/O, exits");

/* real_16.S: rows of {name, result}; result 0 is right. */
struct real_row {
	u16 name;	/* below 64 KiB */
	u16 bad;
};
extern struct real_row real_rows[];
extern u16 real_row_count;
extern u32 real_vendor;
void real_main(void);

int main(struct rt_info *info)
{
	real_vendor = info->nestbed ? info->vendor : 0;
	/* Twice: the way down and up must leave nothing behind. */
	for (unsigned int round = 0; round < 2; round++) {
		real_row_count = 0;
		rt_real_call(real_main);
		rt_check(real_row_count > 20, "real-mode checks ran", "%u", real_row_count);
		for (u16 i = 0; i < real_row_count; i++)
			rt_check(!real_rows[i].bad, (const char *)(ulong)real_rows[i].name,
				 "value %x", real_rows[i].bad);
	}
	/* Back in protected mode all works. */
	rt_expect("exceptions after real mode", RT_TRY("ud2", : : : "memory"), VEC_UD, -1);
	rt_check(read_cr0() & CR0_PE, "protected mode again", "%lx", read_cr0());
	return rt_result();
}
