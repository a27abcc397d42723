// SPDX-License-Identifier: MIT
#include "core/vm/snapshot.h"

#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"

#define WORK_PAGES	(ALIGN_UP(sizeof(struct save_mem_work), PAGE_SIZE) / PAGE_SIZE)

static u64 pages_of(u64 size)
{
	return ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE;
}

static int write_all(struct vm *vm, const struct save_host *h, const struct save_sink *out,
		     void *state, u64 size, struct save_mem_work *work)
{
	s64 len = vm_save(vm, h, true, state, size);
	struct save_header header;
	int err;

	if (len < 0)
		return (int)len;
	memcpy(&header, state, sizeof(header));
	err = out->write(out->ctx, state, (u64)len);
	return err ? err : save_mem_write(&vm->mem, header.crc32, out, work);
}

int vm_snapshot_write(struct vm *vm, const struct save_host *h, const struct save_sink *out)
{
	u64 size = vm_save_size(vm, h);
	void *state = host_alloc(pages_of(size), vm->owner);
	struct save_mem_work *work = host_alloc(WORK_PAGES, vm->owner);
	int err = state && work ? write_all(vm, h, out, state, size, work) : -ENOMEM;

	host_free(work, WORK_PAGES);
	host_free(state, pages_of(size));
	return err;
}

static int count_bytes(void *ctx, const void *buf, u64 len)
{
	*(s64 *)ctx += (s64)len;
	return 0;
}

s64 vm_snapshot_size(struct vm *vm, const struct save_host *h)
{
	s64 n = 0;
	const struct save_sink counter = { count_bytes, &n };
	int err = vm_snapshot_write(vm, h, &counter);

	return err ? err : n;
}

static int say(char *why, size_t size, int err, const char *what)
{
	nb_snprintf(why, size, "%s", what);
	return err;
}

static int read_state(struct vm_snapshot *s, const struct save_header *header)
{
	u64 head = sizeof(*header);

	memcpy(s->state, header, head);
	return s->src->read(s->src->ctx, (u8 *)s->state + head, header->size - head);
}

static int open_state(struct vm_snapshot *s, const struct save_header *header,
		      const struct save_host *h, u64 mem_max, char *why, size_t why_size)
{
	int err;

	if (!s->state || !s->work)
		return say(why, why_size, -ENOMEM, "no memory to read it");
	err = read_state(s, header);
	if (err)
		return say(why, why_size, err, "container 0: ends too early");
	err = vm_restore_open(&s->in, s->state, header->size, h, mem_max, &s->m, why, why_size);
	if (!err && !s->m.has_layout)
		err = say(why, why_size, -EINVAL, "memory 0: is missing");
	return err;
}

int vm_snapshot_open(struct vm_snapshot *s, const struct save_source *src,
		     const struct save_host *h, u64 mem_max, u16 owner, char *why,
		     size_t why_size)
{
	struct save_header header;
	int err = src->read(src->ctx, &header, sizeof(header));

	if (err)
		return say(why, why_size, err, "container 0: ends too early");
	err = save_header_check(&header);
	if (err)
		return say(why, why_size, err, err == -EPROTO ? "container 0: of another version" :
			   "container 0: damaged");
	if (header.size > SNAPSHOT_STATE_MAX)
		return say(why, why_size, -EINVAL, "container 0: damaged");
	*s = (struct vm_snapshot){ .src = src, .pages = pages_of(header.size) };
	s->state = host_alloc(s->pages, owner);
	s->work = host_alloc(WORK_PAGES, owner);
	err = open_state(s, &header, h, mem_max, why, why_size);
	if (err)
		vm_snapshot_close(s);
	return err;
}

int vm_snapshot_verify(struct vm_snapshot *s, char *why, size_t why_size)
{
	const struct save_header *h = &s->in.header;
	const char *what = "";
	u8 more;
	int err;

	if (!s->src->seek)
		return 0;
	err = save_mem_verify(&s->m.layout, h->crc32, s->src, s->work, &what);
	if (err)
		nb_snprintf(why, why_size, "memory 0: %s", what);
	else if (!s->src->read(s->src->ctx, &more, 1))
		err = say(why, why_size, -EINVAL, "container 0: goes on behind its end");
	s->src->seek(s->src->ctx, h->size);
	return err;
}

static int add_memory(struct vm *vm, const struct save_layout *l)
{
	int err = 0;
	u8 *rom;

	for (u32 i = 0; i < l->slots && !err; i++) {
		const struct save_slot *slot = &l->slot[i], *alias = save_layout_alias(l, i);

		if (slot->flags & GMEM_ALIAS)
			continue;
		err = slot->flags & GMEM_RO ?
		      vm_add_rom(vm, slot->gpa, slot->size, alias ? alias->gpa : 0, &rom) :
		      vm_add_ram(vm, slot->gpa, slot->size);
	}
	if (!err)
		err = vm_add_ones(vm, PC_ROM_SPACE, PC_ROM_SPACE_SIZE);
	return err ? err : save_layout_match(l, &vm->mem);
}

static int add_vcpus(struct vm *vm, u32 n)
{
	struct vcpu *v;
	int err = 0;

	while (vm->vcpu_count < n && !err)
		err = vcpu_create(vm, &v);
	return err;
}

int vm_snapshot_load(struct vm_snapshot *s, struct vm *vm, const struct save_host *h, char *why,
		     size_t why_size)
{
	const char *what = "";
	int err = add_memory(vm, &s->m.layout);

	vm->nested = s->m.nested;
	/* Addresses that the nested tables do not have, say. */
	if (err)
		return say(why, why_size, err == -ENOMEM ? err : -EINVAL,
			   "memory 0: cannot be made");
	if (add_vcpus(vm, s->m.vm.vcpus))
		return say(why, why_size, -ENOMEM, "machine 0: no memory for its vCPUs");
	err = vm_restore_check(&s->in, &s->m, vm, h, why, why_size);
	if (err)
		return err;
	err = save_mem_read(&vm->mem, s->in.header.crc32, s->src, s->work, &what);
	if (err)
		nb_snprintf(why, why_size, "memory 0: %s", what);
	return err;
}

void vm_snapshot_start(struct vm_snapshot *s, struct vm *vm, const struct save_host *h)
{
	vm_restore(&s->in, &s->m, vm, h);
}

void vm_snapshot_clock(struct vm_snapshot *s, struct vm *vm, u64 now, u64 tsc_khz)
{
	vm_restore_clock(&s->in, &s->m, vm, now, tsc_khz);
}

void vm_snapshot_close(struct vm_snapshot *s)
{
	host_free(s->work, WORK_PAGES);
	host_free(s->state, s->pages);
	s->work = NULL;
	s->state = NULL;
}
