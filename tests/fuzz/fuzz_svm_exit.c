// SPDX-License-Identifier: MIT
/* Any VMCB that a CPU might leave behind, any instruction at RIP. */
#include <stdlib.h>
#include <string.h>

#include "core/vm/insn.h"
#include "svm/exit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_exit(const struct vm_exit *x)
{
	if (x->reason == EXIT_NONE || x->reason >= EXIT_REASON_COUNT)
		abort();
	if (x->insn_len > 15 || x->idt.type > EVENT_SOFT_EXC)
		abort();
	if (x->idt.type == EVENT_EXCEPTION && x->idt.vector >= 32)
		abort();
	if (x->reason == EXIT_CR && (x->cr.num > 15 || x->cr.kind > CR_SMSW))
		abort();
}

/* Input: the control area and RIP, RCX; up to 15 bytes of code; the mode. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vmcb c;
	static u64 gpr[16];
	struct svm_operand_env env = { .gpr = gpr, .linear_mask = ~0ULL };
	struct vm_exit x;
	struct insn i;
	u64 linear = 0;
	u32 have;

	if (size < 0x110)
		return 0;
	memcpy(&c, data, 0x100);
	memcpy(&c.rip, data + 0x100, 8);
	memcpy(&gpr[1], data + 0x108, 8);
	have = data[0] & 3;
	/* Codes of the table more often than chance would have them. */
	if (data[1] & 1)
		c.exitcode &= 0xff;
	memset(&x, 0, sizeof(x));
	if (svm_exit_decode(&c, gpr[1], have, &x)) {
		check_exit(&x);
		if (!insn_decode(&i, data + 0x110, size - 0x110, (enum insn_mode)(data[2] % 3)) &&
		    svm_exit_operands(&x, &i, &env, &linear) >= 0 && x.insn_len != i.len)
			abort();
	}
	check_exit(&x);
	if (!svm_exit_code_name(c.exitcode))
		abort();
	return 0;
}
