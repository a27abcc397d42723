/* SPDX-License-Identifier: MIT */
/* SDM3 29.3: extended page tables as a processor reads them. */
#include "core/lib/string.h"
#include "core/mm/pt.h"
#include "core/mm/pt_walk.h"

#define MAX_TRIES	16
#define LEVELS		4

struct ept_step {
	u64 gpa;
	u64 e;
};

struct ept_state {
	const struct ept_walk_env *env;
	u64 gpa;
	u32 access;
	struct ept_step step[LEVELS];	/* [level - 1] */
	unsigned int level;
	u64 all;			/* AND of the entries used */
};

/* SDM3 29.3.2: bits 2:0, and bit 10 under mode-based execute control. */
static bool is_present(const struct ept_walk_env *env, u64 e)
{
	return e & (EPT_R | EPT_W | EPT_X |
		    (env->mode_based_exec ? EPT_XU : 0));
}

static bool is_leaf(unsigned int level, u64 e)
{
	return level == 1 || (level < LEVELS && (e & EPT_PS));
}

/* SDM3 tables 29-1 to 29-7 */
static u64 reserved(const struct ept_walk_env *env, unsigned int level, u64 e)
{
	u64 mask = env->maxphyaddr < 52 ? BITS(51, env->maxphyaddr) : 0;

	if (level == LEVELS)
		return mask | BITS(7, 3);
	if (level == 3 && !(env->cap & EPT_CAP_1G))
		mask |= EPT_PS;
	if (level == 2 && !(env->cap & EPT_CAP_2M))
		mask |= EPT_PS;
	if (!is_leaf(level, e))
		return mask | BITS(6, 3);
	if (level == 3)
		mask |= BITS(29, 12);
	else if (level == 2)
		mask |= BITS(20, 12);
	return mask;
}

/* SDM3 29.3.3.1: for a present entry. */
static bool misconfigured(const struct ept_walk_env *env, unsigned int level,
			  u64 e)
{
	u64 exec = EPT_X | (env->mode_based_exec ? EPT_XU : 0);

	if (!(e & EPT_R) && (e & EPT_W))
		return true;
	if (!(e & EPT_R) && (e & exec) && !(env->cap & EPT_CAP_EXEC_ONLY))
		return true;
	if (e & reserved(env, level, e))
		return true;
	if (is_leaf(level, e)) {
		u32 mt = FIELD_GET(e, 5, EPT_MT_SHIFT);

		return mt == 2 || mt == 3 || mt == MT_UCM;
	}
	return false;
}

/* SDM3 table 28-7, bits 6:0 */
static int violation(const struct ept_state *s, struct ept_walk_result *res)
{
	u64 q = 0;

	if (s->access & PTA_EXEC)
		q |= EPT_VIOL_FETCH;
	else if (s->access & PTA_WRITE)
		q |= EPT_VIOL_WRITE;
	/* Note 1: a table read that counts as a write is both. */
	if (!(s->access & (PTA_EXEC | PTA_WRITE)) || (s->access & PTA_TABLE))
		q |= EPT_VIOL_READ;
	if (s->all & EPT_R)
		q |= EPT_VIOL_R;
	if (s->all & EPT_W)
		q |= EPT_VIOL_W;
	if (s->all & EPT_X)
		q |= EPT_VIOL_X;
	if (s->env->mode_based_exec && (s->all & EPT_XU))
		q |= EPT_VIOL_XU;
	res->qualification = q;
	return -EFAULT;
}

static bool denied(const struct ept_state *s)
{
	bool user = s->env->mode_based_exec && (s->access & PTA_USER);

	if (s->access & PTA_EXEC)
		return !(s->all & (user ? EPT_XU : EPT_X));
	if (s->access & PTA_WRITE)
		return !(s->all & EPT_W);
	return !(s->all & EPT_R);
}

static int descend(struct ept_state *s, struct ept_walk_result *res)
{
	const struct ept_walk_env *env = s->env;
	u64 table = env->eptp & PTE_ADDR;

	s->all = ~0ULL;
	for (s->level = LEVELS;; s->level--) {
		struct ept_step *st = &s->step[s->level - 1];
		u64 index = s->gpa >> (3 + 9 * s->level) & 511;
		int ret;

		st->gpa = table + index * 8;
		st->e = 0;
		ret = env->mem.read(env->mem.ctx, st->gpa, &st->e, 8);
		res->level = s->level;
		res->entry_gpa = st->gpa;
		res->entry = st->e;
		if (ret)
			return -EIO;
		s->all &= st->e;
		if (!is_present(env, st->e))
			return violation(s, res);
		if (misconfigured(env, s->level, st->e))
			return -EPROTO;
		if (is_leaf(s->level, st->e))
			return denied(s) ? violation(s, res) : 0;
		table = st->e & PTE_ADDR;
	}
}

/* SDM3 29.3.5: accessed in every entry used, dirty in the leaf of a write. */
static int set_flags(struct ept_state *s, struct ept_walk_result *res)
{
	const struct pt_mem *mem = &s->env->mem;

	for (unsigned int level = LEVELS; level >= s->level; level--) {
		struct ept_step *st = &s->step[level - 1];
		u64 want = st->e | EPT_A;
		int ret;

		if (level == s->level && (s->access & PTA_WRITE))
			want |= EPT_D;
		if (want == st->e)
			continue;
		ret = mem->cmpxchg(mem->ctx, st->gpa, st->e, want, 8);
		if (ret) {
			res->level = level;
			res->entry = st->e;
			res->entry_gpa = st->gpa;
			return ret == -EAGAIN ? -EAGAIN : -EIO;
		}
		st->e = want;
	}
	res->entry = s->step[s->level - 1].e;
	return 0;
}

static int walk_once(struct ept_state *s, struct ept_walk_result *res)
{
	const struct ept_walk_env *env = s->env;
	u64 size, e;
	int ret = descend(s, res);

	if (!ret && env->set_ad && (env->eptp & EPTP_AD))
		ret = set_flags(s, res);
	if (ret)
		return ret;
	e = res->entry;
	size = 1ULL << (3 + 9 * s->level);
	res->page_size = size;
	res->gpa = (e & PTE_ADDR & ~(size - 1)) | (s->gpa & (size - 1));
	res->memtype = FIELD_GET(e, 5, EPT_MT_SHIFT);
	res->ipat = e & EPT_IPAT;
	res->prot = (s->all & EPT_R ? PT_R : 0) | (s->all & EPT_W ? PT_W : 0) |
		    (s->all & EPT_X ? PT_X : 0);
	if (env->mode_based_exec && (s->all & EPT_XU))
		res->prot |= PT_U;
	return 0;
}

int ept_walk(const struct ept_walk_env *env, u64 gpa, u32 access,
	     struct ept_walk_result *res)
{
	struct ept_state s = { .env = env, .gpa = gpa, .access = access };
	int ret = -EAGAIN;

	memset(res, 0, sizeof(*res));
	if (!(env->eptp & EPTP_AD))
		s.access &= ~PTA_TABLE;
	else if (access & PTA_TABLE)
		s.access |= PTA_WRITE;
	/* SDM3 29.3.2: bits 51:48 of the address must be 0 with four levels. */
	if (gpa >> 48)
		return violation(&s, res);
	for (int i = 0; i < MAX_TRIES && ret == -EAGAIN; i++)
		ret = walk_once(&s, res);
	return ret;
}
