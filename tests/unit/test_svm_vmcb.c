// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/lib/diag.h"
#include "svm/vmcb.h"
#include "tests/unit/rng.h"

static struct vmcb c;
static char dump[65536];

static void collect(void *ctx, const char *line)
{
	strcat(dump, line);
	strcat(dump, "\n");
}

static void test_fields_do_not_overlap(void **state)
{
	static u8 owner[sizeof(struct vmcb)];

	for (unsigned int f = 0; f < VMCB_FIELD_COUNT; f++) {
		const struct vmcb_field_info *i = vmcb_field_info(f);

		assert_non_null(i->name);
		assert_true(i->width == 1 || i->width == 2 || i->width == 4 || i->width == 8);
		assert_true(i->offset % i->width == 0);
		for (unsigned int b = 0; b < i->width; b++)
			assert_int_equal(owner[i->offset + b]++, 0);
	}
	assert_null(vmcb_field_info(VMCB_FIELD_COUNT));
}

/* The numbers that appendix B of the manual gives, independent of the list. */
static void test_offsets_of_the_manual(void **state)
{
	static const struct { enum vmcb_field f; u16 off; u8 width; u16 clean; } row[] = {
		{ VMCB_F_intercept_exceptions, 0x008, 4, VMCB_CLEAN_I },
		{ VMCB_F_iopm_base_pa, 0x040, 8, VMCB_CLEAN_IOPM },
		{ VMCB_F_guest_asid, 0x058, 4, VMCB_CLEAN_ASID },
		{ VMCB_F_tlb_control, 0x05c, 1, 0 },
		{ VMCB_F_int_ctl, 0x060, 4, VMCB_CLEAN_TPR },
		{ VMCB_F_exitcode, 0x070, 8, 0 },
		{ VMCB_F_exitintinfo, 0x088, 8, 0 },
		{ VMCB_F_eventinj, 0x0a8, 8, 0 },
		{ VMCB_F_n_cr3, 0x0b0, 8, VMCB_CLEAN_NP },
		{ VMCB_F_nrip, 0x0c8, 8, 0 },
		{ VMCB_F_es_selector, 0x400, 2, VMCB_CLEAN_SEG },
		{ VMCB_F_cs_attrib, 0x412, 2, VMCB_CLEAN_SEG },
		{ VMCB_F_fs_base, 0x448, 8, 0 },
		{ VMCB_F_gdtr_limit, 0x464, 4, VMCB_CLEAN_DT },
		{ VMCB_F_cpl, 0x4cb, 1, VMCB_CLEAN_SEG },
		{ VMCB_F_efer, 0x4d0, 8, VMCB_CLEAN_CRX },
		{ VMCB_F_cr4, 0x548, 8, VMCB_CLEAN_CRX },
		{ VMCB_F_dr6, 0x568, 8, VMCB_CLEAN_DRX },
		{ VMCB_F_rip, 0x578, 8, 0 },
		{ VMCB_F_rsp, 0x5d8, 8, 0 },
		{ VMCB_F_rax, 0x5f8, 8, 0 },
		{ VMCB_F_star, 0x600, 8, 0 },
		{ VMCB_F_sysenter_eip, 0x638, 8, 0 },
		{ VMCB_F_cr2, 0x640, 8, VMCB_CLEAN_CR2 },
		{ VMCB_F_g_pat, 0x668, 8, VMCB_CLEAN_NP },
		{ VMCB_F_last_excp_to, 0x690, 8, VMCB_CLEAN_LBR },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		const struct vmcb_field_info *f = vmcb_field_info(row[i].f);

		assert_int_equal(f->offset, row[i].off);
		assert_int_equal(f->width, row[i].width);
		assert_int_equal(f->clean, row[i].clean);
	}
}

static void test_write_clears_exactly_its_clean_bit(void **state)
{
	struct rng r = rng_seed(3);

	for (unsigned int f = 0; f < VMCB_FIELD_COUNT; f++) {
		u64 mask = vmcb_field_info(f)->width == 8 ? ~0ULL :
			   BIT(vmcb_field_info(f)->width * 8) - 1;
		u64 val = (rng_next(&r) | 1) & mask;

		if (f == VMCB_F_clean)
			continue;
		memset(&c, 0, sizeof(c));
		c.clean = VMCB_CLEAN_ALL;
		vmcb_write(&c, f, val | ~mask);
		val = (val | ~mask) & mask;
		assert_int_equal(vmcb_read(&c, f), val);
		assert_int_equal(c.clean, VMCB_CLEAN_ALL & ~vmcb_field_info(f)->clean);
		/* The same value again changes nothing for the processor. */
		c.clean = VMCB_CLEAN_ALL;
		vmcb_write(&c, f, val);
		assert_int_equal(c.clean, VMCB_CLEAN_ALL);
	}
}

static void test_setters(void **state)
{
	memset(&c, 0, sizeof(c));
	c.clean = VMCB_CLEAN_ALL;
	vmcb_set_cr3(&c, 0x1000);
	vmcb_set_guest_asid(&c, 5);
	assert_int_equal(c.clean, VMCB_CLEAN_ALL & ~(VMCB_CLEAN_CRX | VMCB_CLEAN_ASID));
	assert_int_equal(vmcb_get_cr3(&c), 0x1000);
	c.clean = VMCB_CLEAN_ALL;
	vmcb_set_cr3(&c, 0x1000);
	assert_int_equal(c.clean, VMCB_CLEAN_ALL);
	vmcb_set_ds(&c, &(struct vmcb_seg){ .selector = 8, .limit = 9, .base = 10 });
	assert_int_equal(c.clean, VMCB_CLEAN_ALL & ~VMCB_CLEAN_SEG);
	assert_int_equal(vmcb_get_ds(&c)->base, 10);
}

static void test_exit_code_names(void **state)
{
	assert_string_equal(svm_exit_code_name(0x72), "CPUID");
	assert_string_equal(svm_exit_code_name(0x03), "CR_READ");
	assert_string_equal(svm_exit_code_name(0x1f), "CR_WRITE");
	assert_string_equal(svm_exit_code_name(0x4e), "EXCP");
	assert_string_equal(svm_exit_code_name(0x60), "INTR");
	assert_string_equal(svm_exit_code_name(0x400), "NPF");
	assert_string_equal(svm_exit_code_name(~0ULL), "INVALID");
	assert_string_equal(svm_exit_code_name(0xffffffff), "INVALID");
	assert_string_equal(svm_exit_code_name(0x3ff), "?");
}

static void test_dump_names_all_fields_and_reserved_bytes(void **state)
{
	const struct diag d = { collect, NULL };

	memset(&c, 0, sizeof(c));
	c.rip = 0x123456789abcULL;
	c.reserved_3e0[3] = 0x5a;
	dump[0] = 0;
	vmcb_dump(&c, &d);
	for (unsigned int f = 0; f < VMCB_FIELD_COUNT; f++)
		assert_non_null(strstr(dump, vmcb_field_info(f)->name));
	assert_non_null(strstr(dump, "rip=123456789abc"));
	assert_non_null(strstr(dump, "reserved 3e3 is 5a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_do_not_overlap),
		cmocka_unit_test(test_offsets_of_the_manual),
		cmocka_unit_test(test_write_clears_exactly_its_clean_bit),
		cmocka_unit_test(test_setters),
		cmocka_unit_test(test_exit_code_names),
		cmocka_unit_test(test_dump_names_all_fields_and_reserved_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
