// SPDX-License-Identifier: MIT
/* VM-entry checks of guest segments and tables: SDM3 27.3.1.2 and 27.3.1.3. */
#include "tests/vmx/vmx_test.h"

/* Access rights: everything below the type. */
#define AR_S		0x10u
#define AR_P		0x80u
#define AR_L		0x2000u
#define AR_D		0x4000u
#define AR_G		0x8000u

/* Rules that are the same for each of the six data and code segments. */
#define COMMON_ROWS(seg)							\
	ROW(#seg " reserved bit 8", OR(GUEST_##seg##_AR_BYTES, 0x100)),		\
	ROW(#seg " reserved bit 11", OR(GUEST_##seg##_AR_BYTES, 0x800)),	\
	ROW(#seg " reserved bit 17", OR(GUEST_##seg##_AR_BYTES, 0x20000)),	\
	ROW(#seg " reserved bit 31", OR(GUEST_##seg##_AR_BYTES, BIT(31))),	\
	ROW(#seg " is a system segment", CLEAR(GUEST_##seg##_AR_BYTES, AR_S)),	\
	ROW(#seg " not present", CLEAR(GUEST_##seg##_AR_BYTES, AR_P)),		\
	ROW(#seg " not accessed", CLEAR(GUEST_##seg##_AR_BYTES, 1)),		\
	ROW(#seg " G set, limit 11:0 not ones", SET(GUEST_##seg##_LIMIT, 0xfffff000)), \
	ROW(#seg " G clear, limit 31:20 not 0", CLEAR(GUEST_##seg##_AR_BYTES, AR_G))

static const struct entry_row code_rows[] = {
	COMMON_ROWS(CS),
	ROW("CS base bit 32", SET(GUEST_CS_BASE, BIT(32))),
	ROW("CS read-only data", CLEAR(GUEST_CS_AR_BYTES, 0xf), OR(GUEST_CS_AR_BYTES, 1)),
	ROW("CS unusable", OR(GUEST_CS_AR_BYTES, AR_UNUSABLE), CLEAR(GUEST_CS_AR_BYTES, 0xff)),
	ROW("CS non-conforming, DPL not SS.DPL", OR(GUEST_CS_AR_BYTES, 0x60)),
	ROW("CS conforming, DPL above SS.DPL", OR(GUEST_CS_AR_BYTES, 0x64)),
	ROW("CS data, DPL not 0", CLEAR(GUEST_CS_AR_BYTES, 0xf), OR(GUEST_CS_AR_BYTES, 0x23)),
	ROW("CS.L and CS.D in IA-32e mode", OR(GUEST_CS_AR_BYTES, AR_D)),
};

TEST(vmx, entry_guest_cs, .ref = "SDM3 27.3.1.2", .needs = NEED_VMX)
{
	entry_rows(t, code_rows, ARRAY_SIZE(code_rows), BAD_GUEST);
}

/*
 * In 64-bit code a null SS is taken as unusable by some; so SS is checked in
 * 32-bit code.
 */
static const struct entry_row stack_rows[] = {
	COMMON_ROWS(SS),
	ROW("SS base bit 32", SET(GUEST_SS_BASE, BIT(32))),
	ROW("SS read-only", CLEAR(GUEST_SS_AR_BYTES, 2)),
	ROW("SS code", OR(GUEST_SS_AR_BYTES, 8)),
};

TEST(vmx, entry_guest_ss, .ref = "SDM3 27.3.1.2", .needs = NEED_VMX)
{
	entry_rows_in(t, ENTRY_PROT32, stack_rows, ARRAY_SIZE(stack_rows), BAD_GUEST);
}

static const struct entry_row ds_rows[] = {
	COMMON_ROWS(DS),
	ROW("DS base bit 32", SET(GUEST_DS_BASE, BIT(32))),
	ROW("DS execute-only code", CLEAR(GUEST_DS_AR_BYTES, 2), OR(GUEST_DS_AR_BYTES, 8)),
};

TEST(vmx, entry_guest_ds, .ref = "SDM3 27.3.1.2", .needs = NEED_VMX)
{
	entry_rows(t, ds_rows, ARRAY_SIZE(ds_rows), BAD_GUEST);
}

static const struct entry_row es_rows[] = {
	COMMON_ROWS(ES),
	ROW("ES base bit 32", SET(GUEST_ES_BASE, BIT(32))),
	ROW("ES execute-only code", CLEAR(GUEST_ES_AR_BYTES, 2), OR(GUEST_ES_AR_BYTES, 8)),
};

TEST(vmx, entry_guest_es, .ref = "SDM3 27.3.1.2", .needs = NEED_VMX)
{
	entry_rows(t, es_rows, ARRAY_SIZE(es_rows), BAD_GUEST);
}

static const struct entry_row fs_rows[] = {
	COMMON_ROWS(FS),
	ROW("FS base canonical", SET(GUEST_FS_BASE, NONCANONICAL)),
	ROW("FS execute-only code", CLEAR(GUEST_FS_AR_BYTES, 2), OR(GUEST_FS_AR_BYTES, 8)),
};

TEST(vmx, entry_guest_fs, .ref = "SDM3 27.3.1.2", .needs = NEED_VMX)
{
	entry_rows(t, fs_rows, ARRAY_SIZE(fs_rows), BAD_GUEST);
}

static const struct entry_row gs_rows[] = {
	COMMON_ROWS(GS),
	ROW("GS base canonical", SET(GUEST_GS_BASE, NONCANONICAL)),
	ROW("GS execute-only code", CLEAR(GUEST_GS_AR_BYTES, 2), OR(GUEST_GS_AR_BYTES, 8)),
};

TEST(vmx, entry_guest_gs, .ref = "SDM3 27.3.1.2", .needs = NEED_VMX)
{
	entry_rows(t, gs_rows, ARRAY_SIZE(gs_rows), BAD_GUEST);
}

static const struct entry_row tr_rows[] = {
	ROW("TR.TI", OR(GUEST_TR_SELECTOR, 4)),
	ROW("TR base canonical", SET(GUEST_TR_BASE, NONCANONICAL)),
	ROW("TR 16-bit busy TSS in IA-32e mode", SET(GUEST_TR_AR_BYTES, 0x83)),
	ROW("TR available TSS", SET(GUEST_TR_AR_BYTES, 0x89)),
	ROW("TR is an LDT", SET(GUEST_TR_AR_BYTES, 0x82)),
	ROW("TR not a system segment", OR(GUEST_TR_AR_BYTES, AR_S)),
	ROW("TR not present", CLEAR(GUEST_TR_AR_BYTES, AR_P)),
	ROW("TR unusable", OR(GUEST_TR_AR_BYTES, AR_UNUSABLE)),
	ROW("TR reserved bit 8", OR(GUEST_TR_AR_BYTES, 0x100)),
	ROW("TR reserved bit 17", OR(GUEST_TR_AR_BYTES, 0x20000)),
	ROW("TR G set, limit 11:0 not ones", OR(GUEST_TR_AR_BYTES, AR_G)),
	ROW("TR G clear, limit 31:20 not 0", SET(GUEST_TR_LIMIT, 0x100067)),
};

TEST(vmx, entry_guest_tr, .ref = "SDM3 27.3.1.2", .needs = NEED_VMX)
{
	entry_rows(t, tr_rows, ARRAY_SIZE(tr_rows), BAD_GUEST);
}

/* Outside IA-32e mode a 16-bit TSS will do, but it must be busy as well. */
static const struct entry_row tr_32_rows[] = {
	ROW("TR available 32-bit TSS", SET(GUEST_TR_AR_BYTES, 0x89)),
	ROW("TR available 16-bit TSS", SET(GUEST_TR_AR_BYTES, 0x81)),
};

static const struct entry_row tr_32_good_rows[] = {
	ROW("TR busy 16-bit TSS", SET(GUEST_TR_AR_BYTES, 0x83)),
};

TEST(vmx, entry_guest_tr_32, .ref = "SDM3 27.3.1.2", .needs = NEED_VMX)
{
	entry_rows_in(t, ENTRY_PROT32, tr_32_rows, ARRAY_SIZE(tr_32_rows), BAD_GUEST);
	entry_rows_good(t, ENTRY_PROT32, tr_32_good_rows, ARRAY_SIZE(tr_32_good_rows));
}

static const struct entry_row ldtr_rows[] = {
	ROW("LDTR.TI", OR(GUEST_LDTR_SELECTOR, 4)),
	ROW("LDTR base canonical", SET(GUEST_LDTR_BASE, NONCANONICAL)),
	ROW("LDTR is a TSS", SET(GUEST_LDTR_AR_BYTES, 0x8b)),
	ROW("LDTR not a system segment", OR(GUEST_LDTR_AR_BYTES, AR_S)),
	ROW("LDTR not present", CLEAR(GUEST_LDTR_AR_BYTES, AR_P)),
	ROW("LDTR reserved bit 8", OR(GUEST_LDTR_AR_BYTES, 0x100)),
	ROW("LDTR reserved bit 17", OR(GUEST_LDTR_AR_BYTES, 0x20000)),
	ROW("LDTR G set, limit 11:0 not ones", OR(GUEST_LDTR_AR_BYTES, AR_G),
	    SET(GUEST_LDTR_LIMIT, 0)),
	ROW("LDTR G clear, limit 31:20 not 0", SET(GUEST_LDTR_LIMIT, 0x10ffff)),
};

TEST(vmx, entry_guest_ldtr, .ref = "SDM3 27.3.1.2", .needs = NEED_VMX)
{
	entry_rows(t, ldtr_rows, ARRAY_SIZE(ldtr_rows), BAD_GUEST);
}

/* An unusable segment may hold anything but a bad base. */
static const struct entry_row unusable_rows[] = {
	ROW("DS", SET(GUEST_DS_AR_BYTES, AR_UNUSABLE), SET(GUEST_DS_LIMIT, 0x12345678)),
	ROW("ES", SET(GUEST_ES_AR_BYTES, AR_UNUSABLE | 0x60), SET(GUEST_ES_SELECTOR, 0x77)),
	ROW("FS", SET(GUEST_FS_AR_BYTES, AR_UNUSABLE), SET(GUEST_FS_BASE, BIT(40))),
	ROW("GS", SET(GUEST_GS_AR_BYTES, AR_UNUSABLE), SET(GUEST_GS_LIMIT, 0x12345678)),
	ROW("SS", SET(GUEST_SS_AR_BYTES, AR_UNUSABLE), SET(GUEST_SS_SELECTOR, 0)),
	ROW("LDTR", SET(GUEST_LDTR_AR_BYTES, AR_UNUSABLE), SET(GUEST_LDTR_SELECTOR, 7)),
};

TEST(vmx, entry_guest_unusable, .ref = "SDM3 27.3.1.2", .needs = NEED_VMX)
{
	entry_rows_good(t, ENTRY_LONG64, unusable_rows, ARRAY_SIZE(unusable_rows));
}

#define V86_ROWS(seg)								\
	ROW(#seg " base not selector * 16", OR(GUEST_##seg##_BASE, 1)),		\
	ROW(#seg " limit not ffff", SET(GUEST_##seg##_LIMIT, 0xfffe)),		\
	ROW(#seg " rights not f3", SET(GUEST_##seg##_AR_BYTES, 0x93)),		\
	ROW(#seg " unusable", OR(GUEST_##seg##_AR_BYTES, AR_UNUSABLE))

static const struct entry_row v86_rows[] = {
	V86_ROWS(CS), V86_ROWS(SS), V86_ROWS(DS), V86_ROWS(ES), V86_ROWS(FS), V86_ROWS(GS),
};

TEST(vmx, entry_guest_v86, .ref = "SDM3 27.3.1.2", .needs = NEED_VMX)
{
	entry_rows_in(t, ENTRY_V86, v86_rows, ARRAY_SIZE(v86_rows), BAD_GUEST);
}

static const struct entry_row real_rows[] = {
	ROW("SS.DPL not 0 in real mode", OR(GUEST_SS_AR_BYTES, 0x60)),
	ROW("CS data, SS.DPL not 0", OR(GUEST_SS_AR_BYTES, 0x20), CLEAR(GUEST_CS_AR_BYTES, 0xf),
	    OR(GUEST_CS_AR_BYTES, 3)),
};

TEST(vmx, entry_guest_real_segs, .ref = "SDM3 27.3.1.2", .needs = NEED_VMX)
{
	entry_rows_in(t, ENTRY_REAL16, real_rows, ARRAY_SIZE(real_rows), BAD_GUEST);
}

/* SDM3 27.3.1.2: what only an unrestricted guest may have. */
static const struct entry_row unrestricted_rows[] = {
	ROW("CS read-write data", CLEAR(GUEST_CS_AR_BYTES, 0xf), OR(GUEST_CS_AR_BYTES, 3)),
	ROW("SS.RPL not CS.RPL", OR(GUEST_SS_SELECTOR, 1)),
	ROW("DS.RPL above DPL", OR(GUEST_DS_SELECTOR, 3)),
};

TEST(vmx, entry_guest_unrestricted, .ref = "SDM3 27.3.1.2", .needs = NEED_VMX)
{
	entry_rows_good(t, ENTRY_PROT32, unrestricted_rows, ARRAY_SIZE(unrestricted_rows));
}

/* ... and that it may not have without the control. */
#define RESTRICTED	OFF(PROC2, UNRESTRICTED_GUEST)

static const struct entry_row restricted_rows[] = {
	ROW("CS read-write data", RESTRICTED, CLEAR(GUEST_CS_AR_BYTES, 0xf),
	    OR(GUEST_CS_AR_BYTES, 3)),
	ROW("SS.RPL not CS.RPL", RESTRICTED, OR(GUEST_SS_SELECTOR, 1)),
	ROW("SS.RPL not SS.DPL", RESTRICTED, OR(GUEST_SS_SELECTOR, 1), OR(GUEST_CS_SELECTOR, 1)),
	ROW("DS.RPL above DPL", RESTRICTED, OR(GUEST_DS_SELECTOR, 3)),
	ROW("ES.RPL above DPL", RESTRICTED, OR(GUEST_ES_SELECTOR, 1)),
	ROW("FS.RPL above DPL", RESTRICTED, OR(GUEST_FS_SELECTOR, 2)),
	ROW("GS.RPL above DPL", RESTRICTED, OR(GUEST_GS_SELECTOR, 3)),
};

static const struct entry_row restricted_good_rows[] = {
	ROW("nothing else changed", RESTRICTED),
	ROW("conforming code, DS.RPL above DPL", RESTRICTED, OR(GUEST_DS_SELECTOR, 3),
	    SET(GUEST_DS_AR_BYTES, 0xc09f)),
};

static const struct entry_row restricted_pg_rows[] = {
	ROW("CR0.PG fixed to 1", RESTRICTED),
};

static const struct entry_row restricted_pe_rows[] = {
	ROW("CR0.PE fixed to 1", RESTRICTED),
};

TEST(vmx, entry_guest_restricted, .ref = "SDM3 27.3.1.1, 27.3.1.2", .needs = NEED_VMX)
{
	entry_rows_good(t, ENTRY_LONG64, restricted_good_rows, ARRAY_SIZE(restricted_good_rows));
	entry_rows(t, restricted_rows, ARRAY_SIZE(restricted_rows), BAD_GUEST);
	entry_rows_in(t, ENTRY_PROT32, restricted_pg_rows, 1, BAD_GUEST);
	entry_rows_in(t, ENTRY_REAL16, restricted_pe_rows, 1, BAD_GUEST);
}

static const struct entry_row table_rows[] = {
	ROW("GDTR base canonical", SET(GUEST_GDTR_BASE, NONCANONICAL)),
	ROW("GDTR limit bit 16", OR(GUEST_GDTR_LIMIT, 0x10000)),
	ROW("GDTR limit bit 31", OR(GUEST_GDTR_LIMIT, BIT(31))),
	ROW("IDTR base canonical", SET(GUEST_IDTR_BASE, NONCANONICAL)),
	ROW("IDTR limit bit 16", OR(GUEST_IDTR_LIMIT, 0x10000)),
	ROW("IDTR limit bit 31", OR(GUEST_IDTR_LIMIT, BIT(31))),
};

TEST(vmx, entry_guest_tables, .ref = "SDM3 27.3.1.3", .needs = NEED_VMX)
{
	entry_rows(t, table_rows, ARRAY_SIZE(table_rows), BAD_GUEST);
}
