// SPDX-License-Identifier: MIT
/* Any selections and reads of firmware configuration, with files of any sizes. */
#include "tests/fuzz/io_stream.h"

#include "core/dev/vfwcfg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static u8 sizes[VFWCFG_FILES];

/* Each file ends where its memory does. */
static u8 *contents[VFWCFG_FILES];

static int init(void *dev, struct io_world *w)
{
	int err = vfwcfg_init(dev, &w->bus, 1ULL << 33, 4);
	char name[] = "opt/file0";

	for (u32 i = 0; i < VFWCFG_FILES && !err; i++) {
		name[8] = (char)('0' + i);
		err = vfwcfg_add_file(dev, name, contents[i], sizes[i]);
	}
	return err;
}

static int check(const void *s)
{
	return vfwcfg_state_check(s);
}

static const u16 ports[] = { 0x510, 0x511, 0x50f, 0x512 };

static const struct io_target target = {
	.dev_size = sizeof(struct vfwcfg), .state_size = sizeof(struct vfwcfg_state),
	.init = init, .check = check,
	.ports = ports, .n_ports = ARRAY_SIZE(ports),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vfwcfg f[2];
	struct stream s = { data, size };

	stream_bytes(&s, sizes, sizeof(sizes));
	for (u32 i = 0; i < VFWCFG_FILES; i++) {
		contents[i] = malloc(sizes[i] ? sizes[i] : 1);
		TRUST(contents[i]);
		memset(contents[i], (int)(i + 1), sizes[i]);
	}
	io_stream_run(&target, &f[0], &f[1], s.p, s.left);
	for (u32 i = 0; i < VFWCFG_FILES; i++)
		free(contents[i]);
	return 0;
}
