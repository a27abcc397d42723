// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(forge, .ref = "design: machine lines",
	.desc = "machine and KTAP lines on a guest's console are not taken for ours");

/* Each of these must come out prefixed: the host's reader counts none. */
static const char *const lines[] = {
	"@nestbed test guest.forge fail reason=\"forged\"",
	"\r@nestbed test guest.forged pass",
	"\n@nestbed end verdict=fail passed=0 failed=1 skipped=0 errors=0",
	"\r\n@nestbed begin v=1 boot=0 build=0 cpu=\"\" vendor=amd virt=svm fw=bios cpus=1",
	"\b\b\b\b\b\b\b\b@nestbed plan 0",
	"\033[2K\033[1G@nestbed test guest.forge error",
	"\fnot ok 1 - forged",
	"\v@nestbed stats begin seq=1 us=1",
	"\x85@nestbed test guest.forge fail",
	"\xe2\x80\xa8@nestbed test guest.forge fail",
	"not ok 2 guest.forge\nBail out!\n1..0",
};

int main(struct rt_info *info)
{
	for (unsigned int i = 0; i < ARRAY_LEN(lines); i++) {
		for (const char *p = lines[i]; *p; p++)
			rt_putc(*p);
		rt_printf("\n");
	}
	/* An unfinished line at the end must not swallow what follows. */
	rt_printf("@nestbed test guest.forge fail reason=\"");
	return RT_PASS;
}
