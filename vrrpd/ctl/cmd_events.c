/*
 * cmd_events.c - verb events: transitions and their causes, one line each.
 *
 * Runs in vrrpctl.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "ctl/ctl_client.h"
#include "ctl/ctl_out.h"

#define EVENTS_SHOWN 20

static const char *
text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? s : "?";
}

/* "2024-05-01T12:00:00.123Z" as local time, "2024-05-01 14:00:00.123"; as it is when it is something else. */
static const char *
local_time(const char *utc, char *buf, size_t size)
{
	struct tm tm = {0};
	const char *rest = strptime(utc, "%Y-%m-%dT%H:%M:%S", &tm);
	char date[32];
	struct strbuf b;
	time_t t;

	if (rest == NULL || strlen(rest) != 5)
		return utc;
	t = timegm(&tm);
	localtime_r(&t, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	strbuf_init(&b, buf, size);
	strbuf_addf(&b, "%s%.4s", date, rest);
	return buf;
}

static void
print_event(const struct ctl *c, const json_t *e)
{
	const char *from = text_of(e, "from"), *to = text_of(e, "to");
	char when[64];

	printf("%s  %s  ", local_time(text_of(e, "time"), when, sizeof(when)), text_of(e, "instance"));
	if (strcmp(from, to) != 0)
		printf("%s -> ", from);
	out_text(c, strcmp(to, "fault") == 0 ? OUT_RED : strcmp(to, "active") == 0 ? OUT_GREEN : OUT_PLAIN, to);
	printf("  %s\n", text_of(e, "text"));
}

/* Keep the last n of a JSON array. */
static void
keep_last(json_t *list, size_t n)
{
	while (json_array_size(list) > n)
		json_array_remove(list, 0);
}

static int
show(const struct ctl *c, const struct ctl_reply *r, bool json, long n)
{
	json_t *doc = NULL, *list;
	int status = ctl_reply_json(r, &doc);

	if (status != CTL_OK)
		return status;
	list = json_object_get(doc, "events");
	if (n < 0 && !json)
		n = EVENTS_SHOWN;
	if (n >= 0)
		keep_last(list, (size_t)n);
	if (json) {
		json_dumpf(doc, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		for (size_t i = 0; i < json_array_size(list); i++)
			print_event(c, json_array_get(list, i));
	}
	json_decref(doc);
	return CTL_OK;
}

int
cmd_events(struct ctl *c, int argc, char **argv)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	bool json = false;
	char *end;
	long n = -1;
	int o, status;

	while ((o = getopt(argc, argv, "jn:")) != -1) {
		if (o == 'j') {
			json = true;
		} else if (o == 'n') {
			n = strtol(optarg, &end, 10);
			if (*optarg == '\0' || *end != '\0' || n < 0) {
				fprintf(stderr, "vrrpctl: -n takes a number, not \"%s\"\n", optarg);
				return CTL_USAGE;
			}
		} else {
			return ctl_usage(argv[0]);
		}
	}
	if (optind != argc)
		return ctl_usage(argv[0]);
	status = ctl_get(c, "/v1/events", &r);
	return status != CTL_OK ? status : show(c, &r, json, n);
}
