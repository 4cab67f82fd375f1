/*
 * cmd_drain.c - verbs drain and resume: stay away, and take part again.
 *
 * Runs in vrrpctl. Of several instances all are told first and then looked at.
 */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "ctl/ctl_doc.h"
#include "ctl/ctl_instance.h"
#include "ctl/ctl_out.h"
#include "ctl/ctl_verbs.h"
#include "sys/clock.h"

#define GONE_MAX_US    (10 * (usec_t)USEC_PER_SEC)
#define RESUME_MAX_US  (3 * (usec_t)USEC_PER_SEC)
#define HEARD_LEAST_US (3 * (usec_t)USEC_PER_SEC)
#define HEARD_ADVERTS  5 /* a Backup acts after some three of them */

/* ---- drain ----------------------------------------------------------------------------------- */

/* Drained, handed over, and none of its addresses here. */
static bool
is_gone(const json_t *inst, const void *arg)
{
	const json_t *addresses = json_object_get(inst, "addresses");
	bool gone = doc_true(inst, "drained") && !doc_true(inst, "leaving");

	(void)arg;
	for (size_t i = 0; i < json_array_size(addresses); i++)
		gone = gone && !doc_true(json_array_get(addresses, i), "held");
	return gone;
}

static bool
is_elsewhere(const json_t *inst, const void *arg)
{
	const json_t *node = json_object_get(inst, "active_node");

	(void)arg;
	return json_is_object(node) && !doc_true(node, "self");
}

/* There is nothing to wait for any more. */
static bool
is_decided(const json_t *inst, const void *arg)
{
	return is_elsewhere(inst, arg) || !doc_true(inst, "drained");
}

/* "db2 (10.0.0.2)", "10.0.0.2" */
static const char *
other_node(const json_t *inst, char *buf, size_t size)
{
	const json_t *node = json_object_get(inst, "active_node");
	const char *name = doc_text(node, "name"), *address = doc_text(node, "address");

	if (name[0] != '\0' && address[0] != '\0')
		snprintf(buf, size, "%s (%s)", name, address);
	else
		snprintf(buf, size, "%s", name[0] != '\0' ? name : address);
	return buf;
}

/* Until the addresses are gone from here and somebody else has them; *w holds what was seen last. */
static int
wait_gone(const struct ctl *c, const char *name, struct instance_wait *w)
{
	usec_t adverts;
	int status;

	*w = (struct instance_wait){.done = is_gone, .limit = GONE_MAX_US};
	status = instance_wait(c, name, w);
	if (status != CTL_OK || !w->reached)
		return status;
	adverts = (usec_t)doc_int(w->inst, "advert_interval_ms") * USEC_PER_MS * HEARD_ADVERTS;
	json_decref(w->inst);
	*w = (struct instance_wait){.done = is_decided, .limit = MAX(adverts, HEARD_LEAST_US)};
	status = instance_wait(c, name, w);
	w->reached = w->reached && doc_true(w->inst, "drained");
	return status;
}

/* Wait for one and say what came of it. */
static int
finish_drain(const struct ctl *c, const char *name, json_t *answer, bool json, mono_t start)
{
	struct instance_wait w;
	int status = wait_gone(c, name, &w);
	char node[160], took[32];

	if (status != CTL_OK)
		return status;
	instance_took(start, took, sizeof(took));
	if (json) {
		instance_confirm_json(answer, &w, start);
		instance_print_json(answer);
	} else if (w.reached) {
		out_wrapped(c, OUT_PLAIN, 0, "%s: the addresses are gone from this node, %s is Active (after %s)", name,
			    other_node(w.inst, node, sizeof(node)), took);
	}
	if (!w.reached && !doc_true(w.inst, "drained"))
		fprintf(stderr, "vrrpctl: %s: no longer drained after %s: somebody has resumed it\n", name, took);
	else if (!w.reached && !is_gone(w.inst, NULL))
		fprintf(stderr, "vrrpctl: %s: still has addresses here after %s: see vrrpctl status %s\n", name, took,
			name);
	else if (!w.reached)
		fprintf(stderr,
			"vrrpctl: %s: the addresses are gone from this node, but no other node is Active after %s\n",
			name, took);
	json_decref(w.inst);
	return w.reached ? CTL_OK : CTL_UNFIT;
}

static void
say_drained(const struct ctl *c, const char *name, const json_t *answer)
{
	char left[64], how[128] = "until vrrpctl resume";

	if (doc_has_number(answer, "left_s"))
		snprintf(how, sizeof(how), "for %s", out_left(doc_number(answer, "left_s"), left, sizeof(left)));
	out_wrapped(c, OUT_PLAIN, 0, "%s: drained %s; %s", name, how,
		    doc_true(answer, "leaving") ? "it serves the addresses until another node has them"
						: "its addresses are not on this node");
}

/* ---- resume ---------------------------------------------------------------------------------- */

/* It has left the state it was drained to. */
static bool
takes_part(const json_t *inst, const void *arg)
{
	(void)arg;
	return !doc_true(inst, "drained") && !doc_is(inst, "state", "initialize");
}

static int
finish_resume(const struct ctl *c, const char *name, json_t *answer, bool json, mono_t start)
{
	struct instance_wait w = {.done = takes_part, .limit = RESUME_MAX_US};
	int status = instance_wait(c, name, &w);
	bool drained;

	if (status != CTL_OK)
		return status;
	drained = doc_true(w.inst, "drained");
	if (json) {
		instance_confirm_json(answer, &w, start);
		instance_print_json(answer);
	} else if (!drained) {
		out_wrapped(c, OUT_PLAIN, 0, "%s: takes part again, %s: %s", name, doc_text(w.inst, "state"),
			    doc_text(w.inst, "reason"));
	}
	if (drained)
		fprintf(stderr, "vrrpctl: %s: still drained: somebody has drained it again\n", name);
	json_decref(w.inst);
	return drained ? CTL_UNFIT : CTL_OK;
}

/* ---- both ------------------------------------------------------------------------------------ */

static int
finish(const struct ctl *c, const struct ctl_args *args, bool drain, const char *name, json_t *answer, mono_t start)
{
	if (!drain)
		return finish_resume(c, name, answer, args->given[OPT_JSON], start);
	if (args->given[OPT_WAIT])
		return finish_drain(c, name, answer, args->given[OPT_JSON], start);
	if (args->given[OPT_JSON])
		instance_print_json(answer);
	else
		say_drained(c, name, answer);
	return CTL_OK;
}

int
cmd_drain(struct ctl *c, int argc, char **argv)
{
	bool drain = strcmp(argv[0], "drain") == 0;
	mono_t start = clock_mono();
	const char *verb = argv[0];
	struct ctl_args args;
	json_t *names, *answers;
	int status = ctl_args_read(argc, argv, &args), worst;

	if (status >= 0)
		return status;
	status = CTL_OK;
	answers = json_array();
	names = args.given[OPT_ALL] ? instance_names(c, &status) : json_pack("[s]", args.operand[0]);
	for (size_t i = 0; status == CTL_OK && i < json_array_size(names); i++) {
		json_t *answer = NULL;

		status = instance_post(c, json_string_value(json_array_get(names, i)), verb, &args, NULL, &answer);
		if (status == CTL_OK)
			json_array_append_new(answers, answer);
	}
	/* Those that were told are told of, whatever became of the others. */
	worst = status;
	for (size_t i = 0; worst != CTL_CONNECT && i < json_array_size(answers); i++) {
		status = finish(c, &args, drain, json_string_value(json_array_get(names, i)),
				json_array_get(answers, i), start);
		worst = worst == CTL_OK ? status : worst;
	}
	json_decref(answers);
	json_decref(names);
	return worst;
}
