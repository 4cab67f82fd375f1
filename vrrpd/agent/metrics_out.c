/*
 * metrics_out.c - write metrics; see metrics_out.h.
 *
 * Runs in vrrpd-agent, for GET /metrics.
 */
#include "agent/metrics_out.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "agent/text.h"
#include "base/macros.h"

void
metrics_family(struct metrics_out *o, enum metrics_type type, const char *name, const char *help)
{
	static const char *const types[METRICS_TYPE_COUNT] = {"gauge", "counter", "histogram", "summary"};

	o->family = name;
	fprintf(o->f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

/* Octets at p that stand for themselves. */
static size_t
plain(const char *p)
{
	size_t n = 0;

	while (p[n] >= ' ' && p[n] <= '~' && p[n] != '"' && p[n] != '\\')
		n++;
	return n;
}

/* In quotes; the format wants three characters escaped and UTF-8. */
static void
put_value(FILE *f, const char *value)
{
	size_t left = strlen(value), n = plain(value);

	putc('"', f);
	fwrite(value, 1, n, f);
	value += n;
	left -= n;
	while (left > 0) {
		n = text_utf8_len(value, left);
		if (*value == '\n')
			fputs("\\n", f);
		else if (*value == '"' || *value == '\\')
			fprintf(f, "\\%c", *value);
		else if (n == 0)
			putc('?', f);
		else
			fwrite(value, 1, n, f);
		value += MAX(n, (size_t)1);
		left -= MAX(n, (size_t)1);
	}
	putc('"', f);
}

/* The name of a sample and its labels, `le` as the last one if there is one. */
static void
put_name(const struct metrics_out *o, const char *suffix, const char *le, va_list labels)
{
	const char *separator = "{", *name;

	fputs(o->family, o->f);
	fputs(suffix, o->f);
	while ((name = va_arg(labels, const char *)) != NULL) {
		fputs(separator, o->f);
		fputs(name, o->f);
		putc('=', o->f);
		put_value(o->f, va_arg(labels, const char *));
		separator = ",";
	}
	if (le != NULL) {
		fprintf(o->f, "%sle=", separator);
		put_value(o->f, le);
		separator = ",";
	}
	fputs(*separator == ',' ? "} " : " ", o->f);
}

static void
put_named(const struct metrics_out *o, const char *suffix, const char *le, va_list labels)
{
	va_list copy;

	va_copy(copy, labels);
	put_name(o, suffix, le, copy);
	va_end(copy);
}

static void
put_seconds(const struct metrics_out *o, usec_t us)
{
	fprintf(o->f, "%" PRIu64 ".%06" PRIu64 "\n", us / USEC_PER_SEC, us % USEC_PER_SEC);
}

void
metrics_uint(struct metrics_out *o, uint64_t value, ...)
{
	va_list labels;

	va_start(labels, value);
	put_name(o, "", NULL, labels);
	va_end(labels);
	fprintf(o->f, "%" PRIu64 "\n", value);
}

void
metrics_bool(struct metrics_out *o, int value, ...)
{
	va_list labels;

	va_start(labels, value);
	put_name(o, "", NULL, labels);
	va_end(labels);
	fputs(value ? "1\n" : "0\n", o->f);
}

void
metrics_seconds(struct metrics_out *o, usec_t value, ...)
{
	va_list labels;

	va_start(labels, value);
	put_name(o, "", NULL, labels);
	va_end(labels);
	put_seconds(o, value);
}

void
metrics_text(struct metrics_out *o, const char *value, ...)
{
	va_list labels;

	va_start(labels, value);
	put_name(o, "", NULL, labels);
	va_end(labels);
	fprintf(o->f, "%s\n", value);
}

void
metrics_sum(struct metrics_out *o, uint64_t count, usec_t sum, ...)
{
	va_list labels;

	va_start(labels, sum);
	put_named(o, "_sum", NULL, labels);
	put_seconds(o, sum);
	put_named(o, "_count", NULL, labels);
	fprintf(o->f, "%" PRIu64 "\n", count);
	va_end(labels);
}

void
metrics_buckets(struct metrics_out *o, const uint64_t *bounds, const uint64_t *buckets, unsigned n, usec_t sum, ...)
{
	uint64_t count = 0;
	va_list labels;

	va_start(labels, sum);
	for (unsigned i = 0; i < n; i++) {
		char le[32] = "+Inf";

		count += buckets[i];
		if (bounds[i] != 0)
			snprintf(le, sizeof(le), "%g", (double)bounds[i] / USEC_PER_SEC);
		put_named(o, "_bucket", le, labels);
		fprintf(o->f, "%" PRIu64 "\n", count);
	}
	put_named(o, "_sum", NULL, labels);
	put_seconds(o, sum);
	put_named(o, "_count", NULL, labels);
	fprintf(o->f, "%" PRIu64 "\n", count);
	va_end(labels);
}
