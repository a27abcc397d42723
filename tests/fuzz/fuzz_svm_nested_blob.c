// SPDX-License-Identifier: MIT
/* Any bytes as saved nested state, for any vCPU; what is accepted survives get and set. */
#include <stdlib.h>
#include <string.h>

#include "core/x86/regs.h"
#include "svm/nested_state_blob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Input: the vCPU (1 byte), then what a good blob is XORed with. */
#define FACTS_BYTES	1

static struct svm_nested_facts get_facts(uint8_t b)
{
	return (struct svm_nested_facts){
		.env = {
			.efer_allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME,
			.cr4_allowed = BITS(10, 0) | (b & 1 ? CR4_CET : 0),
			.maxphyaddr = b & 2 ? 52 : 40, .linear_bits = b & 4 ? 57 : 48,
			.npt = b & 8, .vnmi = true, .l1_paging = true,
		},
		.svme = !(b & 16), .smm = b & 32, .cr0 = b & 64 ? CR0_NW : CR0_PE | CR0_PG,
	};
}

/* Accepted as it is; the fuzzer finds what it is made of by changing it. */
static void good(struct svm_nested_blob *b)
{
	struct vmcb c;

	memset(&c, 0, sizeof(c));
	vmcb_set_intercept_vec4(&c, VEC4_VMRUN);
	vmcb_set_guest_asid(&c, 1);
	vmcb_set_cr0(&c, CR0_PE | CR0_PG);
	vmcb_set_cr4(&c, CR4_PAE);
	vmcb_set_efer(&c, EFER_LME | EFER_LMA | EFER_SVME);
	memset(b, 0, sizeof(*b));
	b->h = (struct nested_blob_header){ .flags = NESTED_GUEST_MODE, .format = 1,
					    .size = sizeof(*b) };
	memcpy(b->control, &c, sizeof(c));
}

static void round_trip(const struct svm_nested_facts *f, const struct svm_nested_flags *s,
		       const struct vmcb *page)
{
	static struct svm_nested_blob a, b;
	struct svm_nested_flags s2;
	static struct vmcb page2;
	const char *row;

	a.h.size = b.h.size = sizeof(a);
	if (svm_nested_blob_get(&a, sizeof(a), s, page, page) ||
	    svm_nested_blob_check(&a, sizeof(a), f, &s2, &page2, &row) ||
	    svm_nested_blob_get(&b, sizeof(b), &s2, &page2, &page2) || memcmp(&a, &b, a.h.size))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct svm_nested_blob b;
	static struct vmcb page;
	struct svm_nested_facts f;
	struct svm_nested_flags s;
	const char *row = NULL;
	size_t len;
	u8 *buf;
	int err;

	if (size < FACTS_BYTES)
		return 0;
	f = get_facts(data[0]);
	good(&b);
	len = MIN(size - FACTS_BYTES, sizeof(b));
	for (size_t i = 0; i < len; i++)
		((u8 *)&b)[i] ^= data[FACTS_BYTES + i];
	/* A short input is the beginning of a blob that ends there, or of a whole one. */
	if (!(data[0] & 128))
		len = sizeof(b);
	buf = malloc(len ? len : 1);
	memcpy(buf, &b, len);
	err = svm_nested_blob_check(buf, len, &f, &s, &page, &row);
	if (err && ((err != -EINVAL && err != -EFAULT) || !row))
		abort();
	if (!err)
		round_trip(&f, &s, &page);
	/* A get into the same memory, whatever it says of its size. */
	s = (struct svm_nested_flags){ .guest_mode = data[0] & 1, .gif = true };
	err = svm_nested_blob_get(buf, len, &s, &page, &page);
	if (err && err != -E2BIG && err != -EFAULT)
		abort();
	free(buf);
	return 0;
}
