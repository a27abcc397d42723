// SPDX-License-Identifier: MIT
/*
 * The decoder on any bytes: the first selects mode and rules, the rest is
 * compared with Zydis (insn_zydis.h) and decoded again from a buffer that
 * ends where the input does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/insn_zydis.h"

static void check_short(const uint8_t *data, size_t size, enum insn_mode mode)
{
	/* Exactly as long as the input, so that ASan sees a read behind it. */
	u8 *exact = malloc(size + !size);
	struct insn i, part;
	int err;

	memcpy(exact, data, size);
	err = insn_decode(&i, exact, size, mode);
	if (err && err != -EAGAIN && err != -E2BIG && err != -EINVAL)
		abort();
	if (err == -EAGAIN && size >= INSN_MAX_LEN)
		abort();
	if (!err) {
		if (!i.len || i.len > INSN_MAX_LEN || i.len > size)
			abort();
		if (insn_decode(&part, exact, i.len - 1, mode) != -EAGAIN)
			abort();
		if (insn_len(exact, size, mode, 0) != i.len)
			abort();
	}
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u8 b[INSN_MAX_LEN] = { 0 };
	enum insn_mode mode;
	char why[160];

	if (!size)
		return 0;
	/* What lies behind cannot matter; do not waste mutations on it. */
	size = MIN(size, (size_t)20);
	mode = data[0] % 3;
	check_short(data + 1, size - 1, mode);
	memcpy(b, data + 1, MIN(size - 1, sizeof(b)));
	if (insn_zydis_compare(b, mode, data[0] & 0x80 ? INSN_RULE_AMD : 0, why,
			       sizeof(why)) < 0) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	return 0;
}
