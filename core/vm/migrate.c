// SPDX-License-Identifier: MIT
#include "core/vm/migrate.h"

#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/vm/run.h"
#include "core/vm/snapshot.h"
#include "core/x86/caps.h"
#include "core/x86/insn.h"
#include "core/x86/time.h"

/* SDM1 11.6.6: without a mask in the FXSAVE image. */
#define MXCSR_MASK_DEFAULT	0xffbf

static struct save_limits limits(void)
{
	u8 area[512] __aligned(16);
	u32 mask;

	__asm__ volatile("fxsave64 (%0)" :: "r"(area) : "memory");
	memcpy(&mask, area + 28, 4);
	return (struct save_limits){
		.xcr0_allowed = run_policy.xcr0_allowed, .efer_allowed = run_policy.efer_allowed,
		.cr4_allowed = run_policy.cr4_allowed, .xsave_size = run_policy.xsave_size,
		.mxcsr_mask = mask ? mask : MXCSR_MASK_DEFAULT,
		.maxphyaddr = run_policy.maxphyaddr, .la57 = run_policy.caps->la57,
	};
}

void save_host_now(struct save_host *h)
{
	*h = (struct save_host){ .now = rdtsc(), .tsc_khz = tsc_khz(), .vendor = virt->vendor,
				 .cpu = &run_policy.cpu, .lim = limits() };
}

static int rebuild(struct vm *vm)
{
	int err = pc_rebuild(vm->pc);

	for (u32 i = 0; i < vm->vcpu_count && !err; i++)
		err = vcpu_rebuild(vm->vcpu[i]);
	return err;
}

static int say(char *why, size_t size, int err, const char *what)
{
	nb_snprintf(why, size, "%s failed (error %d)", what, err);
	return err;
}

/* Of a machine whose memory stays; its clocks stand still from h->now on. */
static int migrate_state(struct vm *vm, const struct save_host *h, void *buf, u64 size, char *why,
			 size_t why_size)
{
	struct save_machine m;
	struct save_in in;
	s64 len;
	int err;

	len = vm_save(vm, h, false, buf, size);
	if (len < 0)
		return say(why, why_size, (int)len, "save");
	err = rebuild(vm);
	if (err)
		return say(why, why_size, err, "a new machine");
	err = vm_restore_open(&in, buf, (u64)len, h, 0, &m, why, why_size);
	if (!err)
		err = vm_restore_check(&in, &m, vm, h, why, why_size);
	if (err)
		return err;
	vm_restore(&in, &m, vm, h);
	vm_restore_clock(&in, &m, vm, rdtsc(), h->tsc_khz);
	return 0;
}

/* A stream that goes to a buffer and comes back from it. */
struct buffer {
	u8 *p;
	u64 size, at;
};

static int buffer_write(void *ctx, const void *buf, u64 len)
{
	struct buffer *b = ctx;

	if (len > b->size - b->at)
		return -E2BIG;
	memcpy(b->p + b->at, buf, len);
	b->at += len;
	return 0;
}

static int buffer_read(void *ctx, void *buf, u64 len)
{
	struct buffer *b = ctx;

	if (len > b->size - b->at)
		return -EIO;
	memcpy(buf, b->p + b->at, len);
	b->at += len;
	return 0;
}

/* vm is without vCPUs' state, devices' state and memory: all of it is in b. */
static int come_back(struct vm *vm, struct buffer *b, char *why, size_t why_size)
{
	const struct save_source src = { .read = buffer_read, .ctx = b };
	struct vm_snapshot s;
	struct save_host h;
	int err;

	save_host_now(&h);
	err = vm_snapshot_open(&s, &src, &h, ~0ULL, vm->owner, why, why_size);
	if (err)
		return err;
	err = vm_snapshot_load(&s, vm, &h, why, why_size);
	if (!err && b->at != b->size)
		err = say(why, why_size, -EINVAL, "reading all of it");
	if (!err) {
		vm_snapshot_start(&s, vm, &h);
		vm_snapshot_clock(&s, vm, rdtsc(), h.tsc_khz);
	}
	vm_snapshot_close(&s);
	return err;
}

static int migrate_all(struct vm *vm, struct buffer *b, char *why, size_t why_size)
{
	const struct save_sink out = { buffer_write, b };
	struct vm_memory old;
	struct save_host h;
	int err;

	save_host_now(&h);
	err = vm_snapshot_write(vm, &h, &out);
	if (!err && b->at != b->size)
		err = -EIO;
	if (err)
		return say(why, why_size, err, "save");
	b->at = 0;
	err = vm_memory_take(vm, &old);
	if (err)
		return say(why, why_size, err, "new memory");
	err = rebuild(vm);
	if (err)
		say(why, why_size, err, "a new machine");
	/* The old pages are still taken: the new ones are others. */
	if (!err)
		err = come_back(vm, b, why, why_size);
	vm_memory_free(&old, true);
	return err;
}

static int migrate_with_memory(struct vm *vm, char *why, size_t why_size)
{
	struct buffer b = { 0 };
	struct save_host h;
	s64 size;
	int err;

	save_host_now(&h);
	size = vm_snapshot_size(vm, &h);
	if (size < 0)
		return say(why, why_size, (int)size, "save");
	b.size = (u64)size;
	b.p = host_alloc(ALIGN_UP(b.size, PAGE_SIZE) / PAGE_SIZE, vm->owner);
	err = b.p ? migrate_all(vm, &b, why, why_size) :
		    say(why, why_size, -ENOMEM, "memory for the container");
	host_free(b.p, ALIGN_UP(b.size, PAGE_SIZE) / PAGE_SIZE);
	return err;
}

static int migrate_in_place(struct vm *vm, char *why, size_t why_size)
{
	u64 size, pages;
	struct save_host h;
	void *buf;
	int err;

	save_host_now(&h);
	size = vm_save_size(vm, &h);
	pages = ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE;
	buf = host_alloc(pages, vm->owner);
	err = buf ? migrate_state(vm, &h, buf, size, why, why_size) :
		    say(why, why_size, -ENOMEM, "memory for the container");
	host_free(buf, pages);
	return err;
}

int vm_migrate(struct vm *vm, char *why, size_t why_size)
{
	u64 off = rdtsc();
	int err = vm->migrate_memory ? migrate_with_memory(vm, why, why_size) :
				       migrate_in_place(vm, why, why_size);

	if (!err)
		pc_was_off(vm->pc, rdtsc() - off);
	return err;
}
