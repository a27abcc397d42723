// SPDX-License-Identifier: MIT
/* ELF program headers (System V gABI 4.1, chapters 4 and 5), both classes. */
#include "core/lib/physview.h"
#include "core/load/load_plan.h"

#define ELFCLASS32	1
#define ELFCLASS64	2
#define ELFDATA2LSB	1
#define ET_EXEC		2
#define ET_DYN		3
#define EM_386		3
#define EM_X86_64	62
#define PT_LOAD		1

/* Where the two classes have their fields. */
struct elf_layout {
	u8 addr_size;
	u8 ehdr_size, entry, phoff, phentsize, phnum;
	u8 phdr_size, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz;
};

static const struct elf_layout layout32 = {
	.addr_size = 4,
	.ehdr_size = 52, .entry = 24, .phoff = 28, .phentsize = 42, .phnum = 44,
	.phdr_size = 32, .p_offset = 4, .p_vaddr = 8, .p_paddr = 12, .p_filesz = 16,
	.p_memsz = 20,
};
static const struct elf_layout layout64 = {
	.addr_size = 8,
	.ehdr_size = 64, .entry = 24, .phoff = 32, .phentsize = 54, .phnum = 56,
	.phdr_size = 56, .p_offset = 8, .p_vaddr = 16, .p_paddr = 24, .p_filesz = 32,
	.p_memsz = 40,
};

static u64 field(const struct elf_layout *l, const u8 *p)
{
	return l->addr_size == 8 ? get_le64(p) : get_le32(p);
}

/* e_type, e_machine and e_version lie at the same place in both classes. */
static int check_header(const struct load_plan *p, const u8 *elf, const struct elf_layout *l)
{
	u16 machine = get_le16(elf + 18), type = get_le16(elf + 16);

	if ((elf[4] != ELFCLASS32 && elf[4] != ELFCLASS64) || elf[5] != ELFDATA2LSB ||
	    get_le32(elf + 20) != 1)
		return plan_refuse(p, -EINVAL, "ELF header is damaged");
	if (machine != EM_X86_64 && !(machine == EM_386 && l->addr_size == 4))
		return plan_refuse(p, -EINVAL, "ELF for machine %u, not x86", machine);
	/* A kernel that may be moved may also be linked for it. */
	if (type != ET_EXEC && !(type == ET_DYN && p->floating))
		return plan_refuse(p, -EINVAL, "ELF of type %u, not an executable with fixed "
				   "addresses", type);
	return 0;
}

/*
 * The entry is a virtual address; its segment tells the physical one, as
 * multiboot loaders do it.  False when the segment does not hold it.
 */
static bool translate_entry(const struct elf_layout *l, const u8 *ph, u64 entry, u64 *out)
{
	u64 vaddr = field(l, ph + l->p_vaddr);

	if (entry < vaddr || entry - vaddr >= field(l, ph + l->p_filesz))
		return false;
	*out = field(l, ph + l->p_paddr) + (entry - vaddr);
	return true;
}

/* The program headers, all inside the file. */
struct phdrs {
	const u8 *first;
	u32 count, size;
};

static int find_phdrs(const struct load_plan *p, const struct elf_layout *l, struct phdrs *t)
{
	const u8 *elf = p->img->data;
	u64 size = p->img->size, at = field(l, elf + l->phoff);

	t->size = get_le16(elf + l->phentsize);
	t->count = get_le16(elf + l->phnum);
	if (!t->count || t->size < l->phdr_size)
		return plan_refuse(p, -EINVAL, "ELF has %u program headers of %u bytes", t->count,
				   t->size);
	if (at > size || (u64)t->count * t->size > size - at)
		return plan_refuse(p, -EINVAL,
				   "truncated: ELF program headers end behind the file");
	t->first = elf + at;
	return 0;
}

int plan_elf(struct load_plan *p)
{
	const u8 *elf = p->img->data, *ph;
	const struct elf_layout *l = elf[4] == ELFCLASS64 ? &layout64 : &layout32;
	bool translated = false;
	struct phdrs t = { 0 };
	u64 entry;
	u32 i;
	int err;

	if (p->img->size < l->ehdr_size)
		return plan_refuse(p, -EINVAL, "truncated: ELF header is not complete");
	err = check_header(p, elf, l);
	if (!err)
		err = find_phdrs(p, l, &t);
	if (err)
		return err;
	entry = field(l, elf + l->entry);
	for (i = 0; i < t.count; i++) {
		ph = t.first + (u64)i * t.size;
		if (get_le32(ph) != PT_LOAD)
			continue;
		err = plan_add_segment(p, field(l, ph + l->p_paddr), field(l, ph + l->p_memsz),
				       field(l, ph + l->p_offset), field(l, ph + l->p_filesz));
		if (err)
			return err;
		if (!translated)
			translated = translate_entry(l, ph, entry, &p->entry);
	}
	if (!translated)
		p->entry = entry;
	return 0;
}
