// SPDX-License-Identifier: MIT
#include "svm/vmcb.h"

#include "core/lib/diag.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"

static const struct vmcb_field_info fields[VMCB_FIELD_COUNT] = {
#define ROW(id, label, off, width, clean)	\
	[VMCB_F_##id] = { label, off, width, (u16)(clean) },
#define SEG_ROWS(name, off, clean)				\
	ROW(name##_selector, #name ".selector", off, 2, clean)	\
	ROW(name##_attrib, #name ".attrib", (off) + 2, 2, clean)	\
	ROW(name##_limit, #name ".limit", (off) + 4, 4, clean)	\
	ROW(name##_base, #name ".base", (off) + 8, 8, clean)
#define FIELD(name, type, off)		ROW(name, #name, off, sizeof(type), 0)
#define CACHED(name, type, off, group)	ROW(name, #name, off, sizeof(type), VMCB_CLEAN_##group)
#define SEG(name, off)			SEG_ROWS(name, off, 0)
#define CACHED_SEG(name, off, group)	SEG_ROWS(name, off, VMCB_CLEAN_##group)
#define BYTES(name, off, len)
#define RSVD(off, len)
#include "svm/vmcb_fields.def"
};

static const struct { u16 offset, len; } reserved[] = {
#define FIELD(name, type, off)
#define CACHED(name, type, off, group)
#define SEG(name, off)
#define CACHED_SEG(name, off, group)
#define BYTES(name, off, len)
#define RSVD(off, len)			{ 0x##off, len },
#include "svm/vmcb_fields.def"
};

const struct vmcb_field_info *vmcb_field_info(unsigned int f)
{
	return f < VMCB_FIELD_COUNT ? &fields[f] : NULL;
}

u64 vmcb_read(const struct vmcb *c, enum vmcb_field f)
{
	u64 val = 0;

	memcpy(&val, (const u8 *)c + fields[f].offset, fields[f].width);
	return val;
}

void vmcb_write(struct vmcb *c, enum vmcb_field f, u64 val)
{
	const struct vmcb_field_info *i = &fields[f];

	if (i->width < 8)
		val &= BIT(i->width * 8) - 1;
	if (vmcb_read(c, f) == val)
		return;
	memcpy((u8 *)c + i->offset, &val, i->width);
	c->clean &= ~(u32)i->clean;
}

static const struct { u16 code; const char *name; } code_names[] = {
#define X(code, name, reason, kind, arg)	{ code, #name },
#include "svm/exit_codes.def"
#undef X
};

const char *svm_exit_code_name(u64 code)
{
	/* APM2 appendix C: a 64-bit -1; some emulators store only 32 bits. */
	if ((u32)code == 0xffffffff)
		return "INVALID";
	if (code < SVM_EXIT_EXCP)
		code &= ~0xfULL;
	else if (code < SVM_EXIT_INTR)
		code = SVM_EXIT_EXCP;
	for (unsigned int i = 0; i < ARRAY_SIZE(code_names); i++) {
		if (code_names[i].code == code)
			return code_names[i].name;
	}
	return "?";
}

void vmcb_dump(const struct vmcb *c, const struct diag *out)
{
	char line[160];
	size_t len = 0;

	diag_printf(out, "vmcb %p exitcode %s", (const void *)c, svm_exit_code_name(c->exitcode));
	for (unsigned int f = 0; f < VMCB_FIELD_COUNT; f++) {
		str_append(line, sizeof(line), &len, "%03x %s=%llx ", fields[f].offset,
			   fields[f].name, (unsigned long long)vmcb_read(c, f));
		if (len > 90 || f == VMCB_FIELD_COUNT - 1) {
			diag_printf(out, "%s", line);
			len = 0;
		}
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(reserved); i++) {
		const u8 *p = (const u8 *)c + reserved[i].offset;

		for (unsigned int j = 0; j < reserved[i].len; j++) {
			if (p[j])
				diag_printf(out, "reserved %03x is %02x", reserved[i].offset + j,
					    p[j]);
		}
	}
}
