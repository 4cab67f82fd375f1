/*
 * ctl_instance.c - commands to one instance, and looking until they have come true; see ctl_instance.h.
 *
 * Runs in vrrpctl.
 */
#include "ctl/ctl_instance.h"

#include <poll.h>
#include <stdio.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "ctl/ctl_client.h"
#include "ctl/ctl_doc.h"
#include "ctl/ctl_verbs.h"
#include "sys/clock.h"

#define ANSWER_MAX_S 5
#define WAIT_MAX_US  (3600 * (usec_t)USEC_PER_SEC) /* services may take their time; vrrpd bounds it */
#define LOOK_MS	     20				   /* vrrpd makes a snapshot no more often */
#define SLOW_LOOK_MS 200			   /* after a second nobody sees the difference */

int
instance_post(const struct ctl *c, const char *name, const char *verb, const struct ctl_args *args,
	      const char *value, json_t **ret)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	const char *time = args->given[OPT_FOR] ? args->value[OPT_FOR] : NULL;
	char path[640], rest[128];
	struct strbuf b;
	int status;

	/* Both values were checked: they hold nothing that a query would need encoded. */
	strbuf_init(&b, rest, sizeof(rest));
	strbuf_addf(&b, "/%s", verb);
	if (value != NULL)
		strbuf_addf(&b, "?value=%s", value);
	if (time != NULL)
		strbuf_addf(&b, "%cfor=%s", value != NULL ? '&' : '?', time);
	ctl_instance_path(name, rest, path, sizeof(path));
	status = ctl_post(c, path, ANSWER_MAX_S, &r);
	return status != CTL_OK ? status : ctl_reply_json(&r, ret);
}

static int
look(const struct ctl *c, const char *name, json_t **ret)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	char path[512];
	int status;

	ctl_instance_path(name, "", path, sizeof(path));
	status = ctl_get(c, path, &r);
	return status != CTL_OK ? status : ctl_reply_json(&r, ret);
}

/* Something is under way whose time is not ours to bound. */
static bool
is_under_way(const json_t *inst)
{
	return doc_text(inst, "waiting_for")[0] != '\0' || doc_true(inst, "leaving");
}

int
instance_wait(const struct ctl *c, const char *name, struct instance_wait *w)
{
	mono_t start = clock_mono(), end = mono_add(start, w->limit), last = mono_add(start, WAIT_MAX_US);
	int status;

	w->inst = NULL;
	for (;;) {
		mono_t now;

		json_decref(TAKE(w->inst));
		status = look(c, name, &w->inst);
		if (status != CTL_OK)
			return status;
		w->reached = w->done(w->inst, w->arg);
		now = clock_mono();
		if (is_under_way(w->inst))
			end = mono_min(mono_add(now, w->limit), last);
		if (w->reached || mono_due(now, end))
			return CTL_OK;
		poll(NULL, 0, mono_since(now, start) < USEC_PER_SEC ? LOOK_MS : SLOW_LOOK_MS);
	}
}

json_t *
instance_names(const struct ctl *c, int *ret_status)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	json_t *doc = NULL, *names = json_array();
	const json_t *instances;

	*ret_status = ctl_get(c, "/v1/status", &r);
	if (*ret_status == CTL_OK)
		*ret_status = ctl_reply_json(&r, &doc);
	instances = json_object_get(doc, "instances");
	for (size_t i = 0; i < json_array_size(instances); i++)
		json_array_append(names, json_object_get(json_array_get(instances, i), "name"));
	json_decref(doc);
	return names;
}

void
instance_print_json(const json_t *doc)
{
	json_dumpf(doc, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
	putchar('\n');
}

void
instance_confirm_json(json_t *answer, const struct instance_wait *w, mono_t start)
{
	static const char *const keys[] = {"state", "reason", "reason_code", "active_node", "leaving", "drained"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_get(w->inst, keys[i]) != NULL)
			json_object_set(answer, keys[i], json_object_get(w->inst, keys[i]));
	json_object_set_new(answer, "confirmed", json_boolean(w->reached));
	json_object_set_new(answer, "took_s", json_real((double)mono_since(clock_mono(), start) / USEC_PER_SEC));
}

const char *
instance_took(mono_t start, char *buf, size_t size)
{
	usec_t us = mono_since(clock_mono(), start);

	if (us < 10 * USEC_PER_SEC)
		snprintf(buf, size, "%llu ms", (unsigned long long)(us / USEC_PER_MS));
	else
		snprintf(buf, size, "%.1f s", (double)us / USEC_PER_SEC);
	return buf;
}
