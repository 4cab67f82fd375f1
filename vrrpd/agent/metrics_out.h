/*
 * metrics_out.h - write metrics in Prometheus' text format 0.0.4 from front to back.
 *
 * A family is begun, then its samples are written. Labels come as names and values in turn, ended by NULL; names are
 * plain ASCII words, values may be any octets.
 */
#ifndef VRRPD_AGENT_METRICS_OUT_H
#define VRRPD_AGENT_METRICS_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/time.h"

#define METRICS_LABELS __attribute__((sentinel))

enum metrics_type { METRICS_GAUGE, METRICS_COUNTER, METRICS_HISTOGRAM, METRICS_SUMMARY, METRICS_TYPE_COUNT };

struct metrics_out {
	FILE *f; /* the caller's; errors are its business */
	const char *family;
};

/* Begin a family. `name` and `help` must outlive its samples; `help` is one line. */
void metrics_family(struct metrics_out *o, enum metrics_type type, const char *name, const char *help);

/* One sample. A duration is written in seconds. */
void metrics_uint(struct metrics_out *o, uint64_t value, ...) METRICS_LABELS;
void metrics_bool(struct metrics_out *o, int value, ...) METRICS_LABELS;
void metrics_seconds(struct metrics_out *o, usec_t value, ...) METRICS_LABELS;
void metrics_text(struct metrics_out *o, const char *value, ...) METRICS_LABELS; /* a number as text */

/* Of a summary: how many there were, and their sum. */
void metrics_sum(struct metrics_out *o, uint64_t count, usec_t sum, ...) METRICS_LABELS;

/*
 * Of a histogram of durations: n buckets, each with what fell between the bound before and its own, in microseconds; the
 * last bound is 0 = none.
 */
void metrics_buckets(struct metrics_out *o, const uint64_t *bounds, const uint64_t *buckets, unsigned n, usec_t sum, ...)
	METRICS_LABELS;

#endif
