/*
 * cmd_takeover.c - verbs takeover and priority: be preferred, and have another priority.
 *
 * Runs in vrrpctl. What is told was seen to be so: Active here, or the priority in force.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "ctl/ctl_doc.h"
#include "ctl/ctl_instance.h"
#include "ctl/ctl_out.h"
#include "ctl/ctl_verbs.h"
#include "sys/clock.h"

#define TAKEOVER_MAX_US (10 * (usec_t)USEC_PER_SEC)
#define PRIORITY_MAX_US (3 * (usec_t)USEC_PER_SEC)

/* " until vrrpctl UNDO", " for 10 min" */
static const char *
how_long(double left_s, bool limited, const char *undo, char *buf, size_t size)
{
	char left[64];

	if (limited)
		snprintf(buf, size, "for %s", out_left(left_s, left, sizeof(left)));
	else
		snprintf(buf, size, "until vrrpctl %s", undo);
	return buf;
}

/* ---- takeover -------------------------------------------------------------------------------- */

static bool
is_active(const json_t *inst, const void *arg)
{
	(void)arg;
	return doc_is(inst, "state", "active") && !doc_true(inst, "leaving");
}

/* There is nothing to wait for any more. */
static bool
is_decided(const json_t *inst, const void *arg)
{
	return is_active(inst, arg) || doc_is(inst, "state", "fault") || doc_true(inst, "drained");
}

int
cmd_takeover(struct ctl *c, int argc, char **argv)
{
	struct instance_wait w = {.done = is_decided, .limit = TAKEOVER_MAX_US};
	mono_t start = clock_mono();
	struct ctl_args args;
	const char *name;
	json_t *answer = NULL;
	char took[32], how[128];
	int status = ctl_args_read(argc, argv, &args);

	if (status >= 0)
		return status;
	name = args.operand[0];
	status = instance_post(c, name, "takeover", &args, NULL, &answer);
	if (status == CTL_OK)
		status = instance_wait(c, name, &w);
	if (status != CTL_OK) {
		json_decref(answer);
		return status;
	}
	w.reached = is_active(w.inst, NULL);
	instance_took(start, took, sizeof(took));
	if (args.given[OPT_JSON]) {
		instance_confirm_json(answer, &w, start);
		instance_print_json(answer);
	} else if (w.reached) {
		out_wrapped(c, OUT_PLAIN, 0, "%s: Active here (after %s): %s", name, took, doc_text(w.inst, "reason"));
		out_wrapped(c, OUT_PLAIN, 2, "it prefers itself %s",
			    how_long(doc_number(answer, "left_s"), doc_has_number(answer, "left_s"), "resume", how,
				     sizeof(how)));
	}
	if (!w.reached)
		fprintf(stderr, "vrrpctl: %s: not Active here but %s after %s: %s; see vrrpctl explain %s\n", name,
			doc_text(w.inst, "state"), took, doc_text(w.inst, "reason"), name);
	json_decref(w.inst);
	json_decref(answer);
	return w.reached ? CTL_OK : CTL_UNFIT;
}

/* ---- priority -------------------------------------------------------------------------------- */

/* arg: the word that was typed. */
static bool
is_in_force(const json_t *inst, const void *arg)
{
	if (strcmp(arg, "reset") == 0)
		return !doc_has_number(inst, "priority_override");
	return doc_has_number(inst, "priority_override") && doc_int(inst, "priority_override") == atoll(arg);
}

static void
say_priority(const struct ctl *c, const char *name, const json_t *inst)
{
	const json_t *p = json_object_get(inst, "priority");
	long long base = doc_int(p, "base"), effective = doc_int(p, "effective"), override = doc_int(inst, "priority_override");
	char with_checks[64] = "", undo[64], how[128];
	bool overridden = doc_has_number(inst, "priority_override");

	if (effective != (overridden ? override : base))
		snprintf(with_checks, sizeof(with_checks), ", %lld with its checks", effective);
	snprintf(undo, sizeof(undo), "priority %s reset", name);
	if (overridden)
		out_wrapped(c, OUT_PLAIN, 0, "%s: priority %lld by command (%lld configured)%s, %s", name, override, base,
			    with_checks,
			    how_long(doc_number(inst, "priority_override_left_s"),
				     doc_has_number(inst, "priority_override_left_s"), undo, how, sizeof(how)));
	else
		out_wrapped(c, OUT_PLAIN, 0, "%s: priority %lld as configured%s", name, base, with_checks);
}

int
cmd_priority(struct ctl *c, int argc, char **argv)
{
	struct instance_wait w = {.done = is_in_force, .limit = PRIORITY_MAX_US};
	mono_t start = clock_mono();
	struct ctl_args args;
	const char *name;
	json_t *answer = NULL;
	int status = ctl_args_read(argc, argv, &args);

	if (status >= 0)
		return status;
	name = args.operand[0];
	w.arg = args.operand[1];
	status = instance_post(c, name, "priority", &args, args.operand[1], &answer);
	if (status == CTL_OK)
		status = instance_wait(c, name, &w);
	if (status != CTL_OK) {
		json_decref(answer);
		return status;
	}
	if (args.given[OPT_JSON]) {
		json_object_set(answer, "priorities", json_object_get(w.inst, "priority"));
		json_object_set(answer, "priority_override", json_object_get(w.inst, "priority_override"));
		instance_confirm_json(answer, &w, start);
		instance_print_json(answer);
	} else if (w.reached) {
		say_priority(c, name, w.inst);
	}
	if (!w.reached)
		fprintf(stderr, "vrrpctl: %s: the priority was accepted but is not in force: see vrrpctl status %s\n",
			name, name);
	json_decref(w.inst);
	json_decref(answer);
	return w.reached ? CTL_OK : CTL_UNFIT;
}
