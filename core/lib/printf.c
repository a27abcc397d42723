// SPDX-License-Identifier: MIT
/*
 * Formatting.  A conversion is parsed into a struct spec, its digits or text
 * are prepared, and one function places prefix, padding and body.
 */
#include "core/lib/printf.h"

#include "core/lib/string.h"

struct out {
	char *buf;
	size_t size;
	size_t len;		/* of the whole text, may pass size */
};

/* va_list is an array type here: a struct can be passed by address. */
struct args {
	va_list ap;
};

struct spec {
	bool left, zero, plus, space, alt;
	unsigned int width;
	int prec;		/* -1: none given */
	unsigned int bytes;	/* size of an integer argument */
	char conv;
};

/* What stands before the padding zeros, and what stands behind them. */
struct field {
	const char *prefix;
	const char *body;
	size_t prefix_len, zeros, body_len;
};

static void put(struct out *o, const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (o->len + 1 < o->size)
			o->buf[o->len] = s[i];
		o->len++;
	}
}

static void pad(struct out *o, char c, size_t n)
{
	while (n--)
		put(o, &c, 1);
}

static void put_field(struct out *o, const struct spec *sp, const struct field *f)
{
	size_t len = f->prefix_len + f->zeros + f->body_len;
	size_t fill = sp->width > len ? sp->width - len : 0;

	if (!sp->left)
		pad(o, ' ', fill);
	put(o, f->prefix, f->prefix_len);
	pad(o, '0', f->zeros);
	put(o, f->body, f->body_len);
	if (sp->left)
		pad(o, ' ', fill);
}

/* Writes the digits of v so that they end at end; returns their number. */
static size_t digits(char *end, u64 v, unsigned int base, bool upper)
{
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char *p = end;

	for (; v; v /= base)
		*--p = set[v % base];
	return end - p;
}

static unsigned int conv_base(char conv)
{
	switch (conv) {
	case 'o':
		return 8;
	case 'x':
	case 'X':
	case 'p':
		return 16;
	default:
		return 10;
	}
}

/* C11 7.21.6.1p6: what '#', '+' and ' ' put in front of v. */
static const char *number_prefix(const struct spec *sp, u64 v, bool neg)
{
	if (sp->conv == 'd' && neg)
		return "-";
	if (sp->conv == 'd')
		return sp->plus ? "+" : sp->space ? " " : "";
	if (sp->conv == 'p' || (sp->conv == 'x' && sp->alt && v))
		return "0x";
	if (sp->conv == 'X' && sp->alt && v)
		return "0X";
	return "";
}

static void put_number(struct out *o, const struct spec *sp, u64 v, bool neg)
{
	char buf[24];
	char *end = buf + sizeof(buf);
	size_t min = sp->prec < 0 ? 1 : (size_t)sp->prec;
	struct field f = { .prefix = number_prefix(sp, v, neg) };

	f.prefix_len = strlen(f.prefix);
	f.body_len = digits(end, v, conv_base(sp->conv), sp->conv == 'X');
	f.body = end - f.body_len;
	if (f.body_len < min)
		f.zeros = min - f.body_len;
	if (sp->conv == 'o' && sp->alt && !f.zeros)
		f.zeros = 1;
	/* The flag 0 pads to the width, unless '-' or a precision is given. */
	if (sp->zero && !sp->left && sp->prec < 0 &&
	    sp->width > f.prefix_len + f.zeros + f.body_len)
		f.zeros = sp->width - f.prefix_len - f.body_len;
	put_field(o, sp, &f);
}

static u64 arg_integer(struct args *a, unsigned int bytes)
{
	switch (bytes) {
	case 1:
		return (u8)va_arg(a->ap, unsigned int);
	case 2:
		return (u16)va_arg(a->ap, unsigned int);
	case 4:
		return va_arg(a->ap, unsigned int);
	default:
		return va_arg(a->ap, u64);
	}
}

static void conv_integer(struct out *o, const struct spec *sp, struct args *a)
{
	u64 v = arg_integer(a, sp->bytes);
	unsigned int shift = 64 - 8 * sp->bytes;
	bool neg = sp->conv == 'd' && (s64)(v << shift) < 0;

	if (neg)
		v = -(u64)((s64)(v << shift) >> shift);
	put_number(o, sp, v, neg);
}

static void conv_text(struct out *o, const struct spec *sp, struct args *a)
{
	struct field f = { .prefix = "" };
	char c;

	if (sp->conv == 'c') {
		c = (char)va_arg(a->ap, int);
		f.body = &c;
		f.body_len = 1;
	} else {
		f.body = va_arg(a->ap, const char *);
		if (!f.body)
			f.body = "(null)";
		f.body_len = strnlen(f.body, sp->prec < 0 ? SIZE_MAX : (size_t)sp->prec);
	}
	put_field(o, sp, &f);
}

static const char *parse_flags(const char *p, struct spec *sp)
{
	for (;; p++) {
		switch (*p) {
		case '-':
			sp->left = true;
			break;
		case '0':
			sp->zero = true;
			break;
		case '+':
			sp->plus = true;
			break;
		case ' ':
			sp->space = true;
			break;
		case '#':
			sp->alt = true;
			break;
		default:
			return p;
		}
	}
}

static const char *parse_count(const char *p, int *out, struct args *a)
{
	int v = 0;

	if (*p == '*') {
		*out = va_arg(a->ap, int);
		return p + 1;
	}
	for (; *p >= '0' && *p <= '9'; p++)
		v = v < 100000000 ? v * 10 + (*p - '0') : v;
	*out = v;
	return p;
}

static const char *parse_length(const char *p, struct spec *sp)
{
	sp->bytes = 4;
	switch (*p) {
	case 'h':
		sp->bytes = p[1] == 'h' ? 1 : 2;
		return p + (p[1] == 'h' ? 2 : 1);
	case 'l':
		sp->bytes = 8;
		return p + (p[1] == 'l' ? 2 : 1);
	case 'z':
	case 'j':
	case 't':
		sp->bytes = 8;
		return p + 1;
	default:
		return p;
	}
}

/* From behind the '%' up to and including the conversion letter. */
static const char *parse_spec(const char *p, struct spec *sp, struct args *a)
{
	int width;

	memset(sp, 0, sizeof(*sp));
	sp->prec = -1;
	p = parse_flags(p, sp);
	p = parse_count(p, &width, a);
	if (width < 0)
		sp->left = true;
	sp->width = width < 0 ? 0U - (unsigned int)width : (unsigned int)width;
	if (*p == '.') {
		p = parse_count(p + 1, &sp->prec, a);
		if (sp->prec < 0)
			sp->prec = -1;
	}
	p = parse_length(p, sp);
	sp->conv = *p == 'i' ? 'd' : *p;
	return *p ? p + 1 : p;
}

int nb_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { buf, size, 0 };
	struct args a;
	struct spec sp;

	va_copy(a.ap, ap);
	while (*fmt) {
		const char *start = fmt;

		if (*fmt++ != '%') {
			put(&o, start, 1);
			continue;
		}
		fmt = parse_spec(fmt, &sp, &a);
		if (sp.conv && strchr("duxXo", sp.conv)) {
			conv_integer(&o, &sp, &a);
		} else if (sp.conv == 'p') {
			put_number(&o, &sp, (uintptr_t)va_arg(a.ap, void *), false);
		} else if (sp.conv == 'c' || sp.conv == 's') {
			conv_text(&o, &sp, &a);
		} else if (sp.conv == '%') {
			put(&o, "%", 1);
		} else {
			/* Unknown: shown as written, takes no argument. */
			put(&o, start, fmt - start);
		}
	}
	va_end(a.ap);
	if (size)
		buf[MIN(o.len, size - 1)] = '\0';
	return (int)o.len;
}

int nb_snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = nb_vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

void str_append(char *buf, size_t size, size_t *len, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	int n;

	if (*len >= size)
		return;
	room = size - *len;
	va_start(ap, fmt);
	n = nb_vsnprintf(buf + *len, room, fmt, ap);
	va_end(ap);
	*len += MIN((size_t)n, room - 1);
}
