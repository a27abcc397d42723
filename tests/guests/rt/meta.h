/* SPDX-License-Identifier: MIT */
/*
 * What a payload says of itself: strings only, in this order, none empty, so
 * that tools/mk/guests.mk can turn the section into a line of text.
 */
#ifndef TESTS_GUESTS_RT_META_H
#define TESTS_GUESTS_RT_META_H

struct payload_meta {
	char name[24];
	/*
	 * The right end: a result 0..255, shutdown, poweroff, reset, hlt, timeout,
	 * refused, any.
	 */
	char expect[12];
	char bare[4];		/* yes: also run on the bare emulator */
	char mem[8];		/* guest memory in MiB */
	char timeout[8];	/* milliseconds; 0: timeout= of the run */
	char cpus[4];
	char nested[4];		/* svm: it is a hypervisor and needs SVM; off */
	char ref[64];		/* manual sections */
	char desc[96];
};

#ifdef __x86_64__
#define RT_BITS 64
#else
#define RT_BITS 32
#endif

/* PAYLOAD(name, .ref = "APM2 15.5", .desc = "what it checks", ...) */
#define PAYLOAD(id, ...) \
	static const struct payload_meta payload_meta \
	__attribute__((used, section(".payload_meta"), aligned(1))) = { \
		.name = #id, .expect = "0", .bare = "yes", .mem = "16", \
		.timeout = "0", .cpus = "1", .nested = "off", __VA_ARGS__ \
	}

#endif
