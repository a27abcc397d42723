// SPDX-License-Identifier: MIT
/* Only on SVM: see nested_state_blob.h. */
#include "svm/nested_state_blob.h"

#include "core/lib/string.h"
#include "core/x86/regs.h"

#define SVM_FLAGS	(NESTED_GUEST_MODE | NESTED_RUN_PENDING | NESTED_GIF_SET)

/*
 * What KVM keeps of vmcb12's controls; it saves the rest as zeros, and so do
 * we: clean bits and reserved bytes mean nothing on another CPU.
 */
#define KEEP(first, last)						\
	{ offsetof(struct vmcb, first),					\
	  offsetof(struct vmcb, last) + sizeof(((struct vmcb *)0)->last) - \
	  offsetof(struct vmcb, first) }
static const struct { u16 offset, len; } kept[] = {
	KEEP(_intercept_cr_read, _intercept_vec5),
	KEEP(_pause_filter_threshold, tlb_control),
	KEEP(_int_ctl, _nested_ctl),
	KEEP(eventinj, _virt_ext),
	KEEP(nrip, nrip),
	KEEP(_es, spec_ctrl),
};

#define BLOB_DATA	offsetof(struct svm_nested_blob, control)

static void put_areas(u8 *data, const struct vmcb *control, const struct vmcb *l1)
{
	memset(data, 0, PAGE_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		const struct vmcb *from = kept[i].offset < VMCB_SAVE_AREA ? control : l1;

		memcpy(data + kept[i].offset, (const u8 *)from + kept[i].offset, kept[i].len);
	}
}

int svm_nested_blob_get(void *buf, u64 len, const struct svm_nested_flags *s,
			const struct vmcb *control, const struct vmcb *l1)
{
	struct nested_blob_header h = { .format = NESTED_FORMAT_SVM, .size = sizeof(h) };
	int err;

	if (s->gif)
		h.flags |= NESTED_GIF_SET;
	if (s->guest_mode) {
		h.flags |= NESTED_GUEST_MODE;
		h.size = sizeof(struct svm_nested_blob);
		h.vendor[SVM_BLOB_VMCB_PA] = s->vmcb_pa;
		if (s->run_pending)
			h.flags |= NESTED_RUN_PENDING;
	}
	err = nested_blob_write(buf, len, &h);
	if (!err && s->guest_mode)
		put_areas((u8 *)buf + BLOB_DATA, control, l1);
	return err;
}

/* What concerns a state out of guest mode, too. */
static int check_header(const struct nested_blob_header *h, const struct svm_nested_facts *f,
			const char **row)
{
	*row = "format";
	if (h->format != NESTED_FORMAT_SVM)
		return -EINVAL;
	*row = "svm_flags";
	if (h->flags & ~SVM_FLAGS)
		return -EINVAL;
	/* GIF outlives SVME: KVM once wanted it set, hardware keeps it as it is. */
	*row = "svme";
	if (!f->svme && (h->flags & ~NESTED_GIF_SET))
		return -EINVAL;
	*row = "smm";
	if (f->smm && (h->flags & NESTED_GUEST_MODE))
		return -EINVAL;
	return 0;
}

/* Nor does hardware's VMRUN accept what fails here: APM2 15.5.1. */
static int check_areas(const struct vmcb *page, const struct svm_nested_facts *f,
		       const char **row)
{
	const struct nested_rule *r = svm_nested_check_controls(page, &f->env);

	if (!r && (f->cr0 & (CR0_CD | CR0_NW)) == CR0_NW) {
		*row = "l2_cr0_nw";
		return -EINVAL;
	}
	if (!r)
		r = svm_nested_check_l1_save(page, &f->env);
	if (!r)
		return 0;
	*row = r->id;
	return -EINVAL;
}

static int check_guest_mode(const struct nested_blob_header *h, const void *buf, u64 len,
			    const struct svm_nested_facts *f, struct vmcb *page,
			    const char **row)
{
	u64 pa = h->vendor[SVM_BLOB_VMCB_PA];

	*row = "vmcb_pa";
	if (!IS_ALIGNED(pa, PAGE_SIZE) || pa >> f->env.maxphyaddr)
		return -EINVAL;
	*row = "svm_size";
	if (h->size < sizeof(struct svm_nested_blob))
		return -EINVAL;
	*row = "data";
	if (len < sizeof(struct svm_nested_blob))
		return -EFAULT;
	memcpy(page, (const u8 *)buf + BLOB_DATA, sizeof(*page));
	return check_areas(page, f, row);
}

int svm_nested_blob_check(const void *buf, u64 len, const struct svm_nested_facts *f,
			  struct svm_nested_flags *s, struct vmcb *page, const char **row)
{
	struct nested_blob_header h;
	int err = nested_blob_read(buf, len, &h, row);

	if (!err)
		err = check_header(&h, f, row);
	if (!err && (h.flags & NESTED_GUEST_MODE))
		err = check_guest_mode(&h, buf, len, f, page, row);
	if (err)
		return err;
	*s = (struct svm_nested_flags){ .gif = h.flags & NESTED_GIF_SET };
	if (h.flags & NESTED_GUEST_MODE) {
		svm_nested_canon(page, page, &f->env);
		s->guest_mode = true;
		s->run_pending = h.flags & NESTED_RUN_PENDING;
		s->vmcb_pa = h.vendor[SVM_BLOB_VMCB_PA];
	}
	return 0;
}
