// SPDX-License-Identifier: MIT
#include "core/vm/nested_blob.h"

#include "core/lib/string.h"

#define SIZE_OFFSET	offsetof(struct nested_blob_header, size)

int nested_blob_read(const void *buf, u64 len, struct nested_blob_header *h, const char **row)
{
	*row = "header";
	if (len < sizeof(*h))
		return -EFAULT;
	memcpy(h, buf, sizeof(*h));
	*row = "size";
	if (h->size < sizeof(*h))
		return -EINVAL;
	*row = "flags";
	if (h->flags & ~NESTED_FLAGS)
		return -EINVAL;
	*row = "run_pending";
	if ((h->flags & NESTED_RUN_PENDING) && !(h->flags & NESTED_GUEST_MODE))
		return -EINVAL;
	return 0;
}

int nested_blob_write(void *buf, u64 len, const struct nested_blob_header *h)
{
	u32 room;

	if (len < SIZE_OFFSET + sizeof(room))
		return -EFAULT;
	memcpy(&room, (u8 *)buf + SIZE_OFFSET, sizeof(room));
	if (room >= sizeof(*h)) {
		if (len < sizeof(*h))
			return -EFAULT;
		memcpy(buf, h, sizeof(*h));
	}
	if (room < h->size) {
		memcpy((u8 *)buf + SIZE_OFFSET, &h->size, sizeof(h->size));
		return -E2BIG;
	}
	return len < h->size ? -EFAULT : 0;
}
