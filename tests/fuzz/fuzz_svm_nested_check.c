// SPDX-License-Identifier: MIT
/* Any vmcb12, any CPU that L1 may see: the checks of VMRUN and of a blob, canonicalization. */
#include <stdlib.h>
#include <string.h>

#include "core/x86/regs.h"
#include "svm/nested_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct nested_rule *walk(u8 group, const struct vmcb *c,
				      const struct nested_check_env *env)
{
	for (unsigned int i = 0; i < NESTED_RULE_COUNT; i++)
		if ((svm_nested_rules[i].groups & group) && !svm_nested_rules[i].ok(c, c, env))
			return &svm_nested_rules[i];
	return NULL;
}

/* Input: the CPU, then a field's number and value as often as there is more. */
#define ENV_BYTES	18
#define POKE_BYTES	10

static struct nested_check_env get_env(const uint8_t *data)
{
	struct nested_check_env env = {
		.maxphyaddr = (u8)(32 + data[16] % 21), .linear_bits = data[17] & 1 ? 57 : 48,
		.npt = data[17] & 2, .vnmi = data[17] & 4, .l1_paging = data[17] & 8,
	};

	memcpy(&env.efer_allowed, data, 8);
	memcpy(&env.cr4_allowed, data + 8, 8);
	return env;
}

static void get_vmcb(struct vmcb *c, const uint8_t *data, size_t size)
{
	u16 f;
	u64 val;

	memset(c, 0, sizeof(*c));
	/* Passes on a CPU that has the bits, so that each poke counts. */
	vmcb_set_intercept_vec4(c, VEC4_VMRUN);
	vmcb_set_guest_asid(c, 1);
	vmcb_set_cr0(c, CR0_PE | CR0_PG);
	vmcb_set_cr4(c, CR4_PAE);
	vmcb_set_efer(c, EFER_LME | EFER_LMA | EFER_SVME);
	for (; size >= POKE_BYTES; data += POKE_BYTES, size -= POKE_BYTES) {
		memcpy(&f, data, 2);
		memcpy(&val, data + 2, 8);
		vmcb_write(c, f % VMCB_FIELD_COUNT, val);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vmcb c, before;
	const struct nested_rule *r;
	struct nested_check_env env;

	if (size < ENV_BYTES)
		return 0;
	env = get_env(data);
	get_vmcb(&c, data + ENV_BYTES, size - ENV_BYTES);
	before = c;
	r = svm_nested_check(&c, &c, &env);
	if (r != walk(NESTED_GROUP_VMRUN, &c, &env) ||
	    svm_nested_check_controls(&c, &env) != walk(NESTED_GROUP_SET, &c, &env) ||
	    svm_nested_check_l1_save(&c, &env) != walk(NESTED_GROUP_L1_SAVE, &c, &env))
		abort();
	if (memcmp(&c, &before, sizeof(c)))
		abort();
	/* What VMRUN loads instead is as legal as what was written, and final. */
	env.efer_allowed |= EFER_LMA;
	r = svm_nested_check(&c, &c, &env);
	svm_nested_canon(&c, &c, &env);
	if (r != svm_nested_check(&c, &c, &env))
		abort();
	before = c;
	svm_nested_canon(&c, &c, &env);
	if (memcmp(&c, &before, sizeof(c)))
		abort();
	return 0;
}
