/* SPDX-License-Identifier: MIT */
/* Nested page faults: RAM that is mapped at first use, and device memory. */
#include "core/vm/run.h"

#include "core/vm/mmio.h"

/* Maps the largest page that backs gpa.  0, or why not. */
static int fill(struct vcpu *v, u64 gpa)
{
	u64 page_max = v->vm->npt_page_max ? v->vm->npt_page_max : SIZE_2M;
	struct gmem_backing b;
	int err;

	err = gmem_backing(&v->vm->mem, gpa, page_max, &b);
	if (err)
		return err;
	v->vm->npt_fills++;
	v->stat.pf_fixed++;
	return pt_map(&v->vm->npt, b.gpa, b.pa, b.size,
		      PT_R | PT_X | PT_U | (b.flags & GMEM_RO ? 0 : PT_W), b.size);
}

static void count_kinds(struct vcpu_stats *s, const struct exit_npf *f)
{
	s->npf_read += f->read;
	s->npf_write += f->write;
	s->npf_exec += f->exec;
	s->npf_present += f->present;
	s->npf_table_walk += f->table_walk;
	s->npf_rsvd += f->rsvd;
}

enum verdict exit_npf(struct vcpu *v)
{
	const struct exit_npf *f = &v->exit.npf;

	count_kinds(&v->stat, f);
	if (!f->present && v->vm->lazy) {
		int err = fill(v, f->gpa);

		/* Nothing was cached for an address that was not mapped. */
		if (!err)
			return VERDICT_RESUME;
		if (err == -ENOMEM)
			return vcpu_fail(v, STOP_ERROR, "no memory for nested page tables");
	}
	return mmio_exit(v);
}
