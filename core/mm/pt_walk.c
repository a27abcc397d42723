/* SPDX-License-Identifier: MIT */
#include "core/mm/pt_walk.h"

#include "core/lib/string.h"
#include "core/mm/pt.h"
#include "core/x86/regs.h"

/* Walks whose entries change under them are begun again this often. */
#define MAX_TRIES	16

struct step {
	u64 gpa;
	u64 e;
};

struct walk {
	const struct pt_walk_env *env;
	const struct pt_format *f;
	u64 va;
	u32 access;
	struct step step[PT_MAX_LEVELS];	/* [level - 1] */
	unsigned int level;			/* reached */
	u64 high;				/* reserved at all levels */
	bool w, u, x;				/* of all levels */
	bool a;					/* accessed is set in all */
};

const struct pt_format *pt_walk_format(const struct pt_walk_env *env)
{
	if (!(env->cr4 & CR4_PAE))
		return &pt_format_32bit;
	if (!(env->efer & EFER_LMA))
		return &pt_format_pae;
	return env->cr4 & CR4_LA57 ? &pt_format_5level : &pt_format_4level;
}

static bool is_user(u32 access)
{
	return (access & PTA_USER) && !(access & PTA_IMPLICIT);
}

static bool is_pae(const struct walk *w)
{
	return w->f == &pt_format_pae;
}

/* SDM3 4.3, 4.4.2, 4.5: a PDPTE of PAE paging never maps a page. */
static bool is_leaf(const struct walk *w, u64 e)
{
	if (w->level == 1)
		return true;
	if (!(e & PTE_PS) || w->level > 3)
		return false;
	if (w->f->entry_size == 4)
		return w->env->cr4 & CR4_PSE;
	return w->level == 2 || !is_pae(w);
}

/* APM2 5.2.2 and SDM3 table 4-4: PSE-36 puts address bits 39:32 into 20:13. */
static u64 reserved_32bit(const struct walk *w, u64 e)
{
	unsigned int m = MIN(w->env->maxphyaddr, 40);

	return is_leaf(w, e) && w->level == 2 ? BITS(21, m - 19) : 0;
}

/* Bits that are reserved at every level of PAE and long mode. */
static u64 reserved_high(const struct walk *w)
{
	const struct pt_walk_env *env = w->env;
	u64 mask = env->maxphyaddr < 52 ? BITS(51, env->maxphyaddr) : 0;

	if (!(env->efer & EFER_NXE))
		mask |= PTE_NX;
	/* APM2 5.2.3, SDM3 table 4-8 and 4.4.2 */
	return is_pae(w) ? mask | BITS(62, 52) : mask;
}

/* Reserved bits of a PAE or long-mode entry. */
static u64 reserved_64bit(const struct walk *w, u64 e)
{
	const struct pt_walk_env *env = w->env;
	u64 mask = w->high;

	if (is_pae(w) && w->level == 3)
		return mask | PTE_NX | BITS(8, 5) | BITS(2, 1);
	/* APM2 5.3.3: PML4E and PML5E bits 8:7; SDM3 table 4-15: bit 7. */
	if (w->level > 3)
		return mask | PTE_PS | (env->amd ? PTE_G : 0);
	if (w->level == 3 && !env->page1g)
		return mask | PTE_PS;
	if (w->level > 1 && (e & PTE_PS))
		mask |= w->level == 3 ? BITS(29, 13) : BITS(20, 13);
	return mask;
}

static u64 reserved(const struct walk *w, u64 e)
{
	return w->f->entry_size == 4 ? reserved_32bit(w, e) :
				       reserved_64bit(w, e);
}

/* APM2 8.4.2, SDM3 4.7: bits that depend on the access alone. */
static u32 access_code(const struct walk *w)
{
	const struct pt_walk_env *env = w->env;
	bool nx = (env->cr4 & CR4_PAE) && (env->efer & EFER_NXE);
	u32 code = 0;

	if (w->access & PTA_WRITE)
		code |= PFERR_W;
	if (is_user(w->access))
		code |= PFERR_U;
	if ((w->access & PTA_EXEC) && (nx || (env->cr4 & CR4_SMEP)))
		code |= PFERR_I;
	return code;
}

static int fault(const struct walk *w, u32 code, struct pt_walk_result *res)
{
	res->error_code = code | access_code(w);
	return -EFAULT;
}

static u64 top_table(const struct walk *w)
{
	if (is_pae(w))
		return w->env->cr3 & BITS(31, 5);
	return w->env->cr3 & w->f->addr;
}

static int read_entry(struct walk *w, u64 table, struct pt_walk_result *res)
{
	const struct pt_walk_env *env = w->env;
	const struct pt_level *l = &w->f->level[w->level - 1];
	struct step *s = &w->step[w->level - 1];
	u64 index = w->va >> l->shift & ((1ULL << l->bits) - 1);
	int ret = 0;

	s->e = 0;
	s->gpa = table + index * w->f->entry_size;
	/* SDM3 4.4.1: MOV to CR3 has loaded and checked the four PDPTEs. */
	if (env->use_pdptr && is_pae(w) && w->level == 3)
		s->e = env->pdptr[index];
	else
		ret = env->mem.read(env->mem.ctx, s->gpa, &s->e,
				    w->f->entry_size);
	res->level = w->level;
	res->entry_gpa = s->gpa;
	res->entry = s->e;
	return ret ? -EIO : 0;
}

/* Down to the leaf; on success res->entry is the leaf. */
static int descend(struct walk *w, struct pt_walk_result *res)
{
	u64 table = top_table(w);
	u64 all = ~0ULL, any = 0;

	for (w->level = w->f->levels;; w->level--) {
		bool pdpte = is_pae(w) && w->level == 3;
		u64 e;
		int ret = read_entry(w, table, res);

		if (ret)
			return ret;
		e = res->entry;
		if (!(e & PTE_P))
			return fault(w, 0, res);
		if (!(pdpte && w->env->use_pdptr) && (e & reserved(w, e)))
			return fault(w, PFERR_P | PFERR_RSVD, res);
		if (!pdpte) {
			all &= e;
			any |= e;
		}
		if (is_leaf(w, e))
			break;
		table = e & w->f->addr;
	}
	w->w = all & PTE_W;
	w->u = all & PTE_U;
	w->x = !(any & w->f->nx);
	w->a = all & PTE_A;
	return 0;
}

/* APM2 5.6, SDM3 4.6.1 */
static bool denied(const struct walk *w)
{
	const struct pt_walk_env *env = w->env;
	bool write = w->access & PTA_WRITE;

	if ((w->access & PTA_EXEC) && !w->x)
		return true;
	if (is_user(w->access))
		return !w->u || (write && !w->w);
	if (write && !w->w && (env->cr0 & CR0_WP))
		return true;
	if (!w->u)
		return false;
	if (w->access & PTA_EXEC)
		return env->cr4 & CR4_SMEP;
	return (env->cr4 & CR4_SMAP) && ((w->access & PTA_IMPLICIT) ||
					 !(env->rflags & RFLAGS_AC));
}

/*
 * APM2 5.6.7, SDM3 4.6.2: protection keys apply to data accesses in long mode,
 * by PKRU to user pages, by IA32_PKRS to supervisor pages.
 */
static bool key_denied(const struct walk *w, u64 leaf)
{
	const struct pt_walk_env *env = w->env;
	u32 reg = w->u ? env->pkru : env->pkrs;
	u32 rights = reg >> (2 * FIELD_GET(leaf, 62, 59));

	if (!(env->efer & EFER_LMA) || (w->access & PTA_EXEC) ||
	    !(env->cr4 & (w->u ? CR4_PKE : CR4_PKS)))
		return false;
	if (rights & 1)
		return true;
	return (rights & 2) && (w->access & PTA_WRITE) &&
	       (is_user(w->access) || (env->cr0 & CR0_WP));
}

/* APM2 5.4.2, SDM3 4.8: accessed in every entry used, dirty in the leaf. */
static int set_flags(struct walk *w, struct pt_walk_result *res)
{
	const struct pt_mem *mem = &w->env->mem;

	if (w->a && (!(w->access & PTA_WRITE) || res->entry & PTE_D))
		return 0;
	for (unsigned int level = w->f->levels; level >= w->level; level--) {
		struct step *s = &w->step[level - 1];
		u64 want = s->e | PTE_A;
		int ret;

		if (level == w->level && (w->access & PTA_WRITE))
			want |= PTE_D;
		if (want == s->e || (is_pae(w) && level == 3))
			continue;
		ret = mem->cmpxchg(mem->ctx, s->gpa, s->e, want,
				   w->f->entry_size);
		if (ret) {
			res->level = level;
			res->entry = s->e;
			res->entry_gpa = s->gpa;
			return ret == -EAGAIN ? -EAGAIN : -EIO;
		}
		s->e = want;
	}
	res->entry = w->step[w->level - 1].e;
	return 0;
}

static void report(const struct walk *w, struct pt_walk_result *res)
{
	u64 size = pt_level_size(w->f, w->level), e = res->entry;
	u64 pat = w->level == 1 ? PTE_PAT : PTE_PAT_LARGE;

	res->page_size = size;
	res->gpa = (e & w->f->addr & ~(size - 1)) | (w->va & (size - 1));
	/* With 32-bit entries only a leaf of level 2 is large: PSE-36. */
	if (w->f->entry_size == 4 && w->level == 2)
		res->gpa |= FIELD_GET(e, 20, 13) << 32;
	res->prot = PT_R | (w->w ? PT_W : 0) | (w->x ? PT_X : 0) |
		    (w->u ? PT_U : 0);
	res->pat_index = (e & PTE_PWT ? 1 : 0) | (e & PTE_PCD ? 2 : 0) |
			 (e & pat ? 4 : 0);
	res->dirty = e & PTE_D;
}

static int walk_once(struct walk *w, struct pt_walk_result *res)
{
	u32 code = PFERR_P;
	int ret = descend(w, res);

	if (ret)
		return ret;
	if (key_denied(w, res->entry))
		code |= PFERR_PK;
	if (code != PFERR_P || denied(w))
		return fault(w, code, res);
	if (w->env->set_ad) {
		ret = set_flags(w, res);
		if (ret)
			return ret;
	}
	report(w, res);
	return 0;
}

int pt_walk(const struct pt_walk_env *env, u64 va, u32 access,
	    struct pt_walk_result *res)
{
	struct walk w;
	int ret = -EAGAIN;

	/* Not the steps, which cost more to clear than to walk. */
	w.env = env;
	w.access = access;
	*res = (struct pt_walk_result){ .gpa = 0 };
	w.f = pt_walk_format(env);
	w.high = reserved_high(&w);
	/* APM2 5.1: without long mode linear addresses have 32 bits. */
	w.va = env->nested || ((env->cr0 & CR0_PG) && w.f->canonical) ?
		va : (u32)va;
	if (!(env->cr0 & CR0_PG)) {
		res->gpa = w.va;
		res->page_size = PAGE_SIZE;
		res->prot = PT_RWX | PT_U;
		return 0;
	}
	if (env->nested && w.va >> w.f->va_bits)
		return fault(&w, 0, res);
	if (!env->nested && w.f->canonical && !pt_canonical(va, w.f->va_bits))
		return -ERANGE;
	for (int i = 0; i < MAX_TRIES && ret == -EAGAIN; i++)
		ret = walk_once(&w, res);
	return ret;
}
