/* SPDX-License-Identifier: MIT */
/*
 * Where virt_stale_code: guests whose CPU goes on with an INT3 that is gone.
 *
 * Kernels change code that runs by an INT3 in its first byte (APM2 7.6.1, SDM3
 * 9.1.3): who meets it finds, in the #BP handler, that the INT3 is gone, and goes
 * back to the instruction.  QEMU 7.2 keeps the translation of an INT3 that was
 * taken away while it was being made (accel/tcg/translate-all.c tb_gen_code() reads
 * the code before tb-maint.c tb_link_page() takes the lock under which writes void
 * translations): the handler comes back to INT3 for ever.  A write voids it.
 */
#ifndef CORE_VM_STALE_CODE_H
#define CORE_VM_STALE_CODE_H

#include "core/vm/vcpu.h"

enum stale_code {
	STALE_NONE,
	STALE_SUSPECT,		/* seen once: look again soon */
	STALE_MENDED,		/* v->int3_at, counted in v->stat.stale_int3 */
};

/*
 * To be called now and then for the loaded vCPU v, between two entries.  At the
 * second sight of the same INT3 that is not there its byte is written again, with
 * the value that it has.
 */
enum stale_code stale_code_look(struct vcpu *v);

#endif
