/* SPDX-License-Identifier: MIT */
#include "core/mm/host.h"

#include "core/lib/log.h"
#include "core/x86/caps.h"
#include "core/x86/env.h"
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "core/x86/panic.h"
#include "core/x86/regs.h"

struct page_alloc host_pages;
struct memmap host_map;

static struct pt host_pt;
static struct hostmap_caps map_caps;
static const struct cpu_caps *cpu;
static struct spinlock map_lock;

extern const u8 text_start[], text_end[], rodata_start[], rodata_end[], boot_stack_guard[];

static void *identity(void *ctx, u64 pa)
{
	return (void *)pa;
}

static void alloc_bug(void *ctx, const char *what, u64 pa)
{
	panic("page allocator: %s at %llx", what, (unsigned long long)pa);
}

static u64 table_alloc(void *ctx)
{
	return page_alloc(&host_pages, 0, PA_BELOW_4G | PA_OWNER(PA_OWNER_CORE));
}

static void table_free(void *ctx, u64 pa)
{
	page_free(&host_pages, pa, 0);
}

/*
 * PSE means nothing in long mode, but kernels set it too: an emulator that empties
 * its TLB when CR4 changes has less to do at an entry and at an exit.
 */
static u64 wanted_cr4(void)
{
	u64 cr4 = read_cr4() | CR4_PSE | CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	cr4 |= cpu->pge ? CR4_PGE : 0;
	cr4 |= cpu->smep ? CR4_SMEP : 0;
	cr4 |= cpu->smap ? CR4_SMAP : 0;
	cr4 |= cpu->xsave ? CR4_OSXSAVE : 0;
	return cr4;
}

void host_mem_enable_cpu(void)
{
	if (cpu->nx)
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	if (cpu->pat)
		wrmsr(MSR_IA32_PAT, PT_PAT_RESET);
	write_cr3(host_pt.root);
	write_cr4(wanted_cr4());
	write_cr0((read_cr0() & ~(CR0_EM | CR0_TS | CR0_CD | CR0_NW)) | CR0_WP | CR0_NE | CR0_MP);
}

void host_mem_init(const struct cpu_caps *caps)
{
	const struct page_alloc_config cfg = {
		.to_virt = identity, .bug = alloc_bug, .meta_limit = 1ULL << 32,
	};
	const struct pt_config pt_cfg = {
		.format = &pt_format_4level, .alloc_page = table_alloc, .free_page = table_free,
		.to_virt = identity, .pat = PT_PAT_RESET, .nx = caps->nx,
	};
	const struct hostmap_region regions[] = {
		{ "text", (u64)text_start, (u64)(text_end - text_start), PT_RX },
		{ "rodata", (u64)rodata_start, (u64)(rodata_end - rodata_start), PT_R },
		{ "boot stack guard", (u64)boot_stack_guard, PAGE_SIZE, 0 },
		{ "VGA text", 0xb8000, 0x8000, PT_RW | PT_UC },
		{ "BIOS", 0xe0000, 0x20000, PT_R },
	};
	int err;

	cpu = caps;
	map_caps = (struct hostmap_caps){ .nx = caps->nx, .page1g = caps->page1gb,
					  .maxphyaddr = caps->maxphyaddr };
	err = page_alloc_init(&host_pages, &host_map, &cfg);
	if (err)
		panic("no memory for the page allocator (error %d): 64 MiB are needed", err);
	err = pt_init(&host_pt, &pt_cfg);
	if (!err)
		err = hostmap_build(&host_pt, &host_map, regions, ARRAY_SIZE(regions), &map_caps);
	if (err)
		panic("cannot build the host page table (error %d)", err);
	host_mem_enable_cpu();
}

u64 host_cr3(void)
{
	return host_pt.root;
}

void *host_alloc(u64 count, u16 owner)
{
	return (void *)page_alloc_contig(&host_pages, count, 0, PA_ZERO | PA_OWNER(owner));
}

void host_free(void *p, u64 count)
{
	if (p)
		page_free_contig(&host_pages, (u64)p, count);
}

u64 host_alloc_stack(u32 size)
{
	u64 pages = size / PAGE_SIZE + 1;
	u64 base = (u64)host_alloc(pages, PA_OWNER_CORE);
	int err;

	if (!base)
		return 0;
	spin_lock(&map_lock);
	err = hostmap_guard(&host_pt, base);
	spin_unlock(&map_lock);
	if (err)
		return 0;
	invlpg(base);
	return base + pages * PAGE_SIZE;
}

u64 host_map_device(u64 pa, u64 len, u32 memtype)
{
	int err;

	spin_lock(&map_lock);
	err = hostmap_map_mmio(&host_pt, &host_map, pa, len, memtype, &map_caps);
	spin_unlock(&map_lock);
	if (err && err != -EBUSY) {
		log_printf(LOG_WARN, "cannot map device memory %llx+%llx (error %d)",
			   (unsigned long long)pa, (unsigned long long)len, err);
		return 0;
	}
	return err ? 0 : pa;
}

static u64 env_map_mmio(u64 pa, u64 len)
{
	return host_map_device(pa, len, MT_UC);
}

static void *env_alloc_pages(u32 count)
{
	return host_alloc(count, PA_OWNER_CORE);
}

void host_x86_env(struct x86_env *env)
{
	env->map_mmio = env_map_mmio;
	env->alloc_pages = env_alloc_pages;
	env->alloc_stack = host_alloc_stack;
}
