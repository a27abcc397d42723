// SPDX-License-Identifier: MIT
#include "core/mon/console.h"

#include "core/lib/string.h"

/* Longest console= value that can make sense. */
#define CONSOLE_ARG_MAX	64

void console_default(struct console_config *c)
{
	*c = (struct console_config){
		.kind = CONSOLE_IO, .addr = CONSOLE_COM1, .baud = CONSOLE_BAUD_DEFAULT,
		.access_width = 1,
	};
}

/* BAUD divides the 16550's 115200; 0 keeps what firmware set. */
static int parse_baud(const char *s, u32 *baud, const struct diag *diag)
{
	u64 v;

	if (parse_u64(s, &v) || v > 115200 || (v && 115200 % v)) {
		diag_printf(diag, "console: bad baud rate \"%s\"", s);
		return -EINVAL;
	}
	*baud = (u32)v;
	return 0;
}

/* 1..max hex digits; returns what follows, or NULL. */
static const char *parse_hex(const char *s, unsigned int max, u8 *out)
{
	unsigned int n, v = 0;

	for (n = 0; n < max; n++) {
		char c = s[n];

		if (c >= '0' && c <= '9')
			v = v * 16 + (unsigned int)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = v * 16 + (unsigned int)((c | 0x20) - 'a') + 10;
		else
			break;
	}
	*out = (u8)v;
	return n ? s + n : NULL;
}

/* BB:DD.F */
static int parse_pci(const char *s, struct console_config *c)
{
	s = parse_hex(s, 2, &c->bus);
	if (!s || *s++ != ':')
		return -EINVAL;
	s = parse_hex(s, 2, &c->dev);
	if (!s || *s++ != '.')
		return -EINVAL;
	s = parse_hex(s, 1, &c->fn);
	if (!s || *s || c->dev > 31 || c->fn > 7)
		return -EINVAL;
	return 0;
}

static int parse_address(const char *arg, struct console_config *c)
{
	if (c->kind == CONSOLE_PCI)
		return parse_pci(arg, c);
	if (parse_u64(arg, &c->addr) || !c->addr)
		return -EINVAL;
	/* Eight ports, or eight registers inside 52 bits of address. */
	return c->addr > (c->kind == CONSOLE_IO ? 0xfff8 : BITS(51, 3)) ? -EINVAL : 0;
}

int console_parse(const char *s, struct console_config *c, const struct diag *diag)
{
	static const struct {
		const char *prefix;
		enum console_kind kind;
		bool has_addr;
	} forms[] = {
		{ "io:", CONSOLE_IO, true },
		{ "mmio:", CONSOLE_MMIO, true },
		{ "pci:", CONSOLE_PCI, true },
		{ "screen", CONSOLE_SCREEN, false },
		{ "none", CONSOLE_NONE, false },
	};
	struct console_config out;
	char arg[CONSOLE_ARG_MAX];
	char *comma;

	console_default(&out);
	out.addr = 0;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		size_t n = strlen(forms[i].prefix);

		if (strncmp(s, forms[i].prefix, n))
			continue;
		out.kind = forms[i].kind;
		if (!forms[i].has_addr) {
			if (s[n])
				break;
			*c = out;
			return 0;
		}
		if (str_copy(arg, s + n, sizeof(arg)) >= sizeof(arg))
			break;
		comma = strchr(arg, ',');
		if (comma) {
			*comma = '\0';
			if (parse_baud(comma + 1, &out.baud, diag))
				return -EINVAL;
		}
		if (parse_address(arg, &out))
			break;
		*c = out;
		return 0;
	}
	diag_printf(diag, "console: \"%s\" is not io:PORT, mmio:ADDR, pci:BB:DD.F, screen or none",
		    s);
	return -EINVAL;
}

/* Baud codes of the SPCR table; the others are reserved. */
static int spcr_baud(u8 code, u32 *baud)
{
	static const u32 rate[] = { [3] = 9600, [4] = 19200, [6] = 57600, [7] = 115200 };

	*baud = CONSOLE_BAUD_KEEP;
	if (code == 0)
		return 0;
	if (code >= ARRAY_SIZE(rate) || !rate[code])
		return -EINVAL;
	*baud = rate[code];
	return 0;
}

int console_from_spcr(const struct console_spcr *s, struct console_config *c)
{
	struct console_config out;

	/* SPCR 2+: 0 and 1 are a 16550, 0x12 one with its layout in the GAS. */
	if (s->interface_type != 0 && s->interface_type != 1 && s->interface_type != 0x12)
		return -ENOTTY;
	console_default(&out);
	out.addr = s->address;
	if (s->address_space > 1 || !s->address || spcr_baud(s->baud_code, &out.baud))
		return -EINVAL;
	if (s->address_space == 1) {
		if (s->address > 0xfff8)
			return -EINVAL;
		*c = out;
		return 0;
	}
	out.kind = CONSOLE_MMIO;
	/*
	 * The register width tells the distance of registers: 32-bit registers
	 * are 4 bytes apart, and then accessed as dwords unless the table says
	 * bytes.
	 */
	if (s->bit_width == 32) {
		out.reg_shift = 2;
		out.access_width = s->access_size == 1 ? 1 : 4;
	}
	*c = out;
	return 0;
}
