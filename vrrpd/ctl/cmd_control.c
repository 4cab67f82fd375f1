/*
 * cmd_control.c - verbs that do something: drain, resume, garp, check, reload.
 *
 * Runs in vrrpctl. Each is one or more POST requests; what they answer is told in words or passed on as JSON.
 */
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/time.h"
#include "ctl/ctl_client.h"
#include "ctl/ctl_out.h"
#include "sys/clock.h"

#define ANSWER_MAX_S 5
#define CHECK_MAX_S  3605 /* a check may take an hour; vrrpd answers when its time is over */
#define RELOAD_MAX_S 25	  /* vrrpd gives itself 20 s */
#define DRAIN_MAX_US (3600 * (usec_t)USEC_PER_SEC) /* services may take their time; vrrpd bounds it */
#define LOOK_MS	     20

struct flags {
	bool json, all, wait;
};

/* Read the options; -1 to go on, else the exit status. `all` and `wait`: may they be given? */
static int
read_flags(int argc, char **argv, bool all, bool wait, struct flags *ret)
{
	static const struct option options[] = {
		{"all", no_argument, NULL, 'a'},
		{"wait", no_argument, NULL, 'w'},
		{NULL, 0, NULL, 0},
	};
	int o;

	while ((o = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (o == 'j')
			ret->json = true;
		else if (o == 'a' && all)
			ret->all = true;
		else if (o == 'w' && wait)
			ret->wait = true;
		else
			return ctl_usage(argv[0]);
	}
	return -1;
}

static void
print_json(json_t *doc)
{
	json_dumpf(doc, stdout, JSON_COMPACT);
	putchar('\n');
}

/* POST VERB to one instance; its answer's words come from `said`. */
static int
post(struct ctl *c, const char *name, const char *verb, const char *said, const struct flags *f)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	char path[512], rest[32];
	json_t *doc = NULL;
	int status;

	snprintf(rest, sizeof(rest), "/%s", verb);
	ctl_instance_path(name, rest, path, sizeof(path));
	status = ctl_post(c, path, ANSWER_MAX_S, &r);
	if (status == CTL_OK)
		status = ctl_reply_json(&r, &doc);
	if (status != CTL_OK)
		return status;
	if (f->json)
		print_json(doc);
	else if (said != NULL)
		printf("%s: %s\n", name, said);
	json_decref(doc);
	return CTL_OK;
}

/* Is the instance drained, handed over, and gone from here? -1 when its status cannot be had. */
static int
is_gone(struct ctl *c, const char *name)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	char path[512];
	json_t *doc = NULL;
	const json_t *addresses;
	bool gone;

	ctl_instance_path(name, "", path, sizeof(path));
	if (ctl_get(c, path, &r) != CTL_OK || ctl_reply_json(&r, &doc) != CTL_OK)
		return -1;
	gone = !json_is_true(json_object_get(doc, "leaving")) && json_is_true(json_object_get(doc, "drained"));
	addresses = json_object_get(doc, "addresses");
	for (size_t i = 0; i < json_array_size(addresses); i++)
		gone = gone && !json_is_true(json_object_get(json_array_get(addresses, i), "held"));
	json_decref(doc);
	return gone;
}

static int
wait_gone(struct ctl *c, const char *name, const struct flags *f)
{
	mono_t end = mono_add(clock_mono(), DRAIN_MAX_US);
	int gone;

	while ((gone = is_gone(c, name)) == 0 && mono_before(clock_mono(), end))
		poll(NULL, 0, LOOK_MS);
	if (gone < 0)
		return CTL_UNFIT; /* it has been said why */
	if (gone == 0) {
		fprintf(stderr, "vrrpctl: %s still has addresses here after 60 s: see vrrpctl status\n", name);
		return CTL_UNFIT;
	}
	if (!f->json)
		printf("%s: the addresses are gone from this node\n", name);
	return CTL_OK;
}

/* The names of all instances, a JSON array of strings; NULL after saying why not. */
static json_t *
all_names(struct ctl *c, int *ret_status)
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

/* drain and resume: of one instance, or all. All are told first and then waited for. */
int
cmd_drain(struct ctl *c, int argc, char **argv)
{
	bool drain = strcmp(argv[0], "drain") == 0;
	const char *verb = argv[0];
	struct flags f = {0};
	json_t *names;
	int status = read_flags(argc, argv, true, drain, &f);

	if (status >= 0)
		return status;
	if ((argc - optind == 1) == f.all || argc - optind > 1)
		return ctl_usage(verb);
	status = CTL_OK;
	names = f.all ? all_names(c, &status) : json_pack("[s]", argv[optind]);
	for (size_t i = 0; status == CTL_OK && i < json_array_size(names); i++)
		status = post(c, json_string_value(json_array_get(names, i)), verb,
			      drain ? "drained: it hands over and stays away until vrrpctl resume"
				    : "takes part again",
			      &f);
	for (size_t i = 0; f.wait && status == CTL_OK && i < json_array_size(names); i++)
		status = wait_gone(c, json_string_value(json_array_get(names, i)), &f);
	json_decref(names);
	return status;
}

int
cmd_garp(struct ctl *c, int argc, char **argv)
{
	struct flags f = {0};
	int status = read_flags(argc, argv, false, false, &f);

	if (status >= 0)
		return status;
	if (argc - optind != 1)
		return ctl_usage("garp");
	return post(c, argv[optind], "garp", "announced again", &f);
}

int
cmd_check(struct ctl *c, int argc, char **argv)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	struct flags f = {0};
	json_t *doc = NULL;
	char path[512];
	bool down;
	int status = read_flags(argc, argv, false, false, &f);

	if (status >= 0)
		return status;
	if (argc - optind != 1)
		return ctl_usage("check");
	ctl_check_path(argv[optind], "/run", path, sizeof(path));
	status = ctl_post(c, path, CHECK_MAX_S, &r);
	if (status == CTL_OK)
		status = ctl_reply_json(&r, &doc);
	if (status != CTL_OK)
		return status;
	down = strcmp(json_string_value(json_object_get(doc, "state")), "up") != 0;
	if (f.json)
		print_json(doc);
	else
		printf("%s: %s: %s (%.1f ms)\n", argv[optind], json_string_value(json_object_get(doc, "state")),
		       json_string_value(json_object_get(doc, "last")),
		       json_number_value(json_object_get(doc, "took_us")) / 1000);
	json_decref(doc);
	return down ? CTL_UNFIT : CTL_OK;
}

static void
print_lines(const json_t *doc, FILE *f)
{
	const json_t *lines = json_object_get(doc, "lines");

	for (size_t i = 0; i < json_array_size(lines); i++)
		fprintf(f, "%s\n", json_string_value(json_array_get(lines, i)));
}

int
cmd_reload(struct ctl *c, int argc, char **argv)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	struct flags f = {0};
	json_t *doc = NULL, *again = NULL;
	int status = read_flags(argc, argv, false, true, &f);

	if (status >= 0)
		return status;
	if (argc != optind)
		return ctl_usage("reload");
	status = ctl_post(c, "/v1/reload", RELOAD_MAX_S, &r);
	if (status != CTL_OK)
		return status;
	doc = json_loadb(r.body, r.len, 0, NULL);
	if (f.json && doc != NULL)
		print_json(doc);
	else
		print_lines(doc, r.status == 200 ? stdout : stderr);
	if (r.status == 200 && !f.json)
		printf("reloaded: %lld changed, %lld added, %lld removed\n",
		       (long long)json_integer_value(json_object_get(doc, "changed")),
		       (long long)json_integer_value(json_object_get(doc, "added")),
		       (long long)json_integer_value(json_object_get(doc, "removed")));
	if (r.status != 200 && json_array_size(json_object_get(doc, "lines")) > 0)
		status = CTL_UNFIT; /* the lines have said it */
	else if (r.status != 200)
		status = ctl_reply_json(&r, &again); /* says what is wrong */
	json_decref(again);
	json_decref(doc);
	return status;
}
