/*
 * check_def.h - the definition of one check as it came from vrrpd: what all kinds have, and the options of its
 * kind as text.
 */
#ifndef VRRPD_AGENT_CHECK_DEF_H
#define VRRPD_AGENT_CHECK_DEF_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/ipc_msg.h"

struct check_option {
	char path[LIMIT_NAME]; /* as in the configuration: "socket", "tls.ca" */
	char *text;	       /* malloc'd; numbers in decimal, durations in microseconds, flags 0 or 1 */
};

struct check_def {
	struct ipc_conf_check conf;   /* head and was_up zeroed: they are no part of the definition */
	bool was_up;
	struct check_option *options; /* conf.n_options; elements of a list one by one, in order */
};

/* A deep copy into *to; ends the process when there is no memory. */
void check_def_copy(struct check_def *to, const struct check_def *from);

/* Free what it holds, secrets overwritten first. */
void check_def_free(struct check_def *d);

bool check_def_equal(const struct check_def *a, const struct check_def *b);

/* The n-th value of an option, counted from 0, or NULL. */
const char *check_def_text(const struct check_def *d, const char *path, unsigned n);

/* Its value as a number; `otherwise` when it was not written. */
int64_t check_def_number(const struct check_def *d, const char *path, int64_t otherwise);

#endif
