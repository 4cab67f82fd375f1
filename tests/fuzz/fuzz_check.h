/*
 * fuzz_check.h - definitions of checks from pairs of texts, and the frame of checks around them.
 */
#ifndef TESTS_FUZZ_FUZZ_CHECK_H
#define TESTS_FUZZ_FUZZ_CHECK_H

#include "agent/check.h"
#include "base/strbuf.h"
#include "fuzz/fuzz_loop.h"

/* Path, text, path, text, NULL; to be given to check_def_free(). */
static inline struct check_def
fuzz_check_options(const char *const *pairs)
{
	struct check_def d = {0};

	while (pairs[2 * d.conf.n_options] != NULL)
		d.conf.n_options++;
	d.options = calloc(d.conf.n_options + 1u, sizeof(*d.options));
	FUZZ_CHECK(d.options != NULL);
	for (unsigned i = 0; i < d.conf.n_options; i++) {
		str_copy(d.options[i].path, sizeof(d.options[i].path), pairs[2 * i]);
		d.options[i].text = strdup(pairs[2 * i + 1]);
	}
	return d;
}

/* The same as a check of this kind, once a second. */
static inline struct check_def
fuzz_check_def(enum ipc_check_kind kind, const char *const *pairs)
{
	struct check_def d = fuzz_check_options(pairs);

	d.conf.kind = (uint8_t)kind;
	d.conf.interval_us = USEC_PER_SEC;
	d.conf.timeout_us = USEC_PER_SEC / 2;
	d.conf.rise = d.conf.fall = 1;
	str_copy(d.conf.name, sizeof(d.conf.name), "c");
	return d;
}

/* A checks_report_fn: what a check says is a line of UTF-8. */
static inline void
fuzz_report(void *arg, const struct check *c)
{
	unsigned *reports = arg;

	FUZZ_CHECK(c->state < IPC_CHECK_STATE_COUNT);
	FUZZ_CHECK(memchr(c->last, '\0', sizeof(c->last)) != NULL);
	FUZZ_CHECK(strpbrk(c->last, "\n\r\t") == NULL);
	FUZZ_CHECK(!c->has_weight || (c->weight >= -253 && c->weight <= 253));
	(*reports)++;
}

#endif
