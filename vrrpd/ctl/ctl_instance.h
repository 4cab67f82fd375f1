/*
 * ctl_instance.h - commands to one instance, and looking until they have come true.
 */
#ifndef VRRPD_CTL_CTL_INSTANCE_H
#define VRRPD_CTL_CTL_INSTANCE_H

#include <jansson.h>

#include "base/time.h"
#include "ctl/ctl.h"

struct ctl_args;

/*
 * POST /v1/instances/NAME/VERB, with --for and value (NULL: none) as its query. CTL_OK and *ret, the answer, to be
 * json_decref'd; else an exit status, after the refusal was told.
 */
int instance_post(const struct ctl *c, const char *name, const char *verb, const struct ctl_args *args,
		  const char *value, json_t **ret);

/* What is waited for: true when the instance's document shows it, or shows that it will not come. */
typedef bool instance_done_fn(const json_t *inst, const void *arg);

struct instance_wait {
	instance_done_fn *done;
	const void *arg;
	usec_t limit;  /* the time while a gate, a service or a hand-over is under way is not counted */
	json_t *inst;  /* out: the last document, to be json_decref'd */
	bool reached;  /* out: done() said so */
};

/* Look at an instance until done() or the limit. CTL_OK when it could be looked at, else an exit status, told. */
int instance_wait(const struct ctl *c, const char *name, struct instance_wait *w);

/* The names of all instances, a JSON array of strings, to be json_decref'd; *ret_status CTL_OK or what was told. */
json_t *instance_names(const struct ctl *c, int *ret_status);

/* A document as one line on stdout. */
void instance_print_json(const json_t *doc);

/* Add what was confirmed to the answer of a command, for -j: state, reason, active node, time since `start`. */
void instance_confirm_json(json_t *answer, const struct instance_wait *w, mono_t start);

/* "361 ms" or "12.3 s" since `start`, into buf; returns buf. */
const char *instance_took(mono_t start, char *buf, size_t size);

#endif
