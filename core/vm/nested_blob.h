/* SPDX-License-Identifier: MIT */
/*
 * Saved nested state: the layout of Linux's struct kvm_nested_state, so that blobs can
 * be exchanged with KVM, and the part of KVM_GET/SET_NESTED_STATE that both
 * vendors share.  Pure.
 *
 *	0	2	flags
 *	2	2	format
 *	4	4	size of the whole blob, header included
 *	8	120	the vendor's header
 *	128	...	the vendor's data
 *
 * A buffer has a length, and says in its size field how much of it is meant.
 * What lies behind the length counts as memory that cannot be reached: EFAULT.
 */
#ifndef CORE_VM_NESTED_BLOB_H
#define CORE_VM_NESTED_BLOB_H

#include "core/lib/base.h"

/* flags */
#define NESTED_GUEST_MODE	0x001u
#define NESTED_RUN_PENDING	0x002u
#define NESTED_EVMCS		0x004u
#define NESTED_MTF_PENDING	0x008u
#define NESTED_GIF_SET		0x100u
#define NESTED_FLAGS		(NESTED_GUEST_MODE | NESTED_RUN_PENDING | NESTED_EVMCS | \
				 NESTED_MTF_PENDING | NESTED_GIF_SET)

enum nested_format { NESTED_FORMAT_VMX = 0, NESTED_FORMAT_SVM = 1 };

struct nested_blob_header {
	u16 flags;
	u16 format;
	u32 size;
	u64 vendor[15];
};
HW_FIELD(struct nested_blob_header, flags, 0);
HW_FIELD(struct nested_blob_header, format, 2);
HW_FIELD(struct nested_blob_header, size, 4);
HW_FIELD(struct nested_blob_header, vendor, 8);
HW_SIZE(struct nested_blob_header, 128);

/*
 * Set: copies the header out of buf and checks what does not depend on the
 * vendor.  0; -EFAULT, -EINVAL with the name of the rule in *row.
 */
int __must_check nested_blob_read(const void *buf, u64 len, struct nested_blob_header *h,
				  const char **row);

/*
 * Get: h is the header, h->size what the whole takes.  Writes the header where
 * the buffer has room for it.  0: the data may follow; -EFAULT; -E2BIG with
 * what is needed in the buffer's size field.
 */
int __must_check nested_blob_write(void *buf, u64 len, const struct nested_blob_header *h);

#endif
