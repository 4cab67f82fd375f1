/*
 * cfg_print.c - a configuration as text, driven by the table of options; see cfg.h.
 *
 * Used by the parent for --print and for GET /v1/config. What it writes, cfg_load reads back to the same
 * values, and printing those yields the same text. Single values are printed for cfg_diff.c. Writes to the stream it is
 * given and nowhere else.
 */
#include "config/cfg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/macros.h"
#include "config/cfg_int.h"
#include "config/cfg_options.h"

struct printer {
	FILE *out;
	bool mask; /* secrets become stars */
};

static void print_scope(const struct printer *p, enum cfg_scope scope, const char *prefix, const void *obj,
			int depth, bool compact);

static void
indent(const struct printer *p, int depth)
{
	for (int i = 0; i < depth; i++)
		fputc('\t', p->out);
}

/* A string as libconfig reads it; octets beyond ASCII stand for themselves. */
static void
print_string(const struct printer *p, const char *text)
{
	fputc('"', p->out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(p->out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(p->out, "\\x%02x", c);
		else
			fputc(c, p->out);
	}
	fputc('"', p->out);
}

static void
print_strings(const struct printer *p, const struct cfg_option *o, const void *array, size_t n)
{
	char buf[IP_ADDR_TEXT];

	fputs("[", p->out);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			fputs(", ", p->out);
		if (o->type == CFG_TYPE_IPS)
			print_string(p, ip_addr_format((const struct ip_addr *)array + i, buf));
		else
			print_string(p, ((char *const *)array)[i]);
	}
	fputs("]", p->out);
}

/* An element of a compact list: the bare value when nothing but its shorthand is set. */
static void
print_compact(const struct printer *p, const struct cfg_option *list, const void *obj)
{
	const struct cfg_option *o;
	const struct cfg_option *shorthand = cfg_option_shorthand(list->sub);
	char buf[IP_PREFIX_TEXT];
	bool more = false;

	for (size_t i = 0; (o = cfg_option_at(i)); i++)
		more |= o->scope == list->sub && o != shorthand && cfg_option_is_set(o, obj);
	if (shorthand && !more) {
		ASSERT(shorthand->type == CFG_TYPE_PREFIX);
		print_string(p, ip_prefix_format(cfg_field_of(obj, shorthand->offset), buf));
		return;
	}
	fputs("{ ", p->out);
	print_scope(p, list->sub, "", obj, 0, true);
	fputs("}", p->out);
}

static void
print_list(const struct printer *p, const struct cfg_option *o, const char *array, size_t n, int depth)
{
	fputs("(", p->out);
	for (size_t i = 0; i < n; i++) {
		fputs("\n", p->out);
		indent(p, depth + 1);
		if (o->compact) {
			print_compact(p, o, array + i * o->size);
		} else {
			fputs("{\n", p->out);
			print_scope(p, o->sub, "", array + i * o->size, depth + 2, false);
			indent(p, depth + 1);
			fputs("}", p->out);
		}
		fputs(i + 1 < n ? "," : "\n", p->out);
	}
	if (n > 0)
		indent(p, depth);
	fputs(")", p->out);
}

static void
print_named(const struct printer *p, const struct cfg_option *o, const char *array, size_t n, int depth)
{
	fputs("{\n", p->out);
	for (size_t i = 0; i < n; i++) {
		indent(p, depth + 1);
		fprintf(p->out, "%s: {\n", array + i * o->size);
		print_scope(p, o->sub, "", array + i * o->size, depth + 2, false);
		indent(p, depth + 1);
		fputs("};\n", p->out);
	}
	indent(p, depth);
	fputs("}", p->out);
}

static void
print_value(const struct printer *p, const struct cfg_option *o, const void *obj, int depth)
{
	const void *field = cfg_field_of(obj, o->offset);
	char buf[MAX(MAX(IP_PREFIX_TEXT, IP_ADDR_TEXT), DURATION_TEXT)];
	size_t n;

	switch (o->type) {
	case CFG_TYPE_BOOL:
		fputs(*(const bool *)field ? "true" : "false", p->out);
		return;
	case CFG_TYPE_INT:
		fprintf(p->out, "%d", *(const int *)field);
		return;
	case CFG_TYPE_DURATION:
		print_string(p, duration_format(*(const usec_t *)field, buf));
		return;
	case CFG_TYPE_WORD:
		print_string(p, o->words[*(const int *)field]);
		return;
	case CFG_TYPE_TEXT:
		print_string(p, field);
		return;
	case CFG_TYPE_STRING:
		print_string(p, p->mask && o->secret ? "********" : *(char *const *)field);
		return;
	case CFG_TYPE_IP:
		print_string(p, ip_addr_format(field, buf));
		return;
	case CFG_TYPE_PREFIX:
		print_string(p, ip_prefix_format(field, buf));
		return;
	case CFG_TYPE_GROUP:
		fputs("{\n", p->out);
		print_scope(p, o->scope, o->path, obj, depth + 1, false);
		indent(p, depth);
		fputs("}", p->out);
		return;
	case CFG_TYPE_NAMED:
	case CFG_TYPE_LIST:
	case CFG_TYPE_STRINGS:
	case CFG_TYPE_IPS:
	case CFG_TYPE_COUNT:
		break;
	}
	n = *(const size_t *)cfg_field_of(obj, o->count);
	if (o->type == CFG_TYPE_LIST)
		print_list(p, o, *(const char *const *)field, n, depth);
	else if (o->type == CFG_TYPE_NAMED)
		print_named(p, o, *(const char *const *)field, n, depth);
	else
		print_strings(p, o, *(const void *const *)field, n);
}

/* The options of an object below a prefix, each on its line, or all on one. */
static void
print_scope(const struct printer *p, enum cfg_scope scope, const char *prefix, const void *obj, int depth,
	    bool compact)
{
	const struct cfg_option *o;
	const char *name;

	for (size_t i = 0; (o = cfg_option_at(i)); i++) {
		bool group = o->type == CFG_TYPE_GROUP || o->type == CFG_TYPE_NAMED ||
			     (o->type == CFG_TYPE_LIST && !o->compact);

		if (!cfg_option_below(o, scope, prefix, &name) || !cfg_option_applies(o, obj) ||
		    !cfg_option_is_set(o, obj))
			continue;
		indent(p, compact ? 0 : depth);
		fprintf(p->out, "%s%s", name, group ? ": " : " = ");
		print_value(p, o, obj, depth);
		fputs(compact ? "; " : ";\n", p->out);
	}
}

static int
print(const struct cfg *c, FILE *out, bool mask)
{
	const struct printer p = {.out = out, .mask = mask};

	errno = 0;
	print_scope(&p, CFG_SCOPE_ROOT, "", c, 0, false);
	if (fflush(out) != 0 || ferror(out))
		return errno > 0 ? -errno : -EIO;
	return 0;
}

int
cfg_print(const struct cfg *c, FILE *out)
{
	return print(c, out, false);
}

int
cfg_print_public(const struct cfg *c, FILE *out)
{
	return print(c, out, true);
}

void
cfg_print_value(const struct cfg_option *o, const void *obj, FILE *out)
{
	const struct printer p = {.out = out};

	ASSERT(!o->secret);
	print_value(&p, o, obj, 0);
}

void
cfg_print_string(const char *text, FILE *out)
{
	const struct printer p = {.out = out};

	print_string(&p, text);
}

void
cfg_print_element(const struct cfg_option *o, const void *element, FILE *out)
{
	const struct printer p = {.out = out};

	ASSERT(o->compact);
	print_compact(&p, o, element);
}
