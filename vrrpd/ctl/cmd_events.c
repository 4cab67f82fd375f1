/*
 * cmd_events.c - verb events: transitions and their causes, one line each.
 *
 * Runs in vrrpctl. Follows over restarts of the daemon: it asks for what is later than the last number it has seen.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "ctl/ctl_client.h"
#include "ctl/ctl_out.h"
#include "ctl/ctl_stream.h"

#define EVENTS_SHOWN 20
#define RETRY_MS     200 /* after the connection was lost */

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

/* What is known of the stream so far. */
struct view {
	const struct ctl *c;
	bool json, follow;
	json_int_t last; /* number of the last event; 0: none yet */
};

/* A ctl_line_fn. */
static void
on_line(void *arg, char *line, size_t len)
{
	struct view *v = arg;
	json_t *e = json_loadb(line, len, 0, NULL);

	v->last = MAX(v->last, json_integer_value(json_object_get(e, "seq")));
	if (v->json)
		puts(line);
	else if (e != NULL)
		print_event(v->c, e);
	if (v->follow)
		fflush(stdout);
	json_decref(e);
}

static void
on_stop(int signo)
{
	(void)signo;
	ctl_stream_stop();
}

/* Ctrl-C ends what runs, and what it has written stays whole. */
static void
catch_stop(void)
{
	const struct sigaction sa = {.sa_handler = on_stop};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

/* Follow over restarts of the daemon, which is said once for each. */
static int
follow(struct view *v, char *path, size_t size, struct ctl_stream *s)
{
	bool ever = false;

	catch_stop();
	for (;;) {
		enum ctl_stream_end end = ctl_stream_get(v->c, path, s);

		if (end == CTL_STREAM_STOPPED)
			return CTL_OK;
		if (end == CTL_STREAM_REFUSED && !ever)
			return s->status;
		ever = ever || s->connected;
		if (!ever)
			return CTL_CONNECT;
		if (s->connected && end != CTL_STREAM_REFUSED)
			fputs("vrrpctl: the connection to vrrpd was lost; waiting for it to come back\n", stderr);
		s->connected = false;
		s->quiet = true;
		if (v->last > 0)
			snprintf(path, size, "/v1/events?follow=1&since=%lld", (long long)v->last);
		if (ctl_stream_pause(RETRY_MS))
			return CTL_OK;
	}
}

/* All of one answer. */
static int
show(struct view *v, const char *path, struct ctl_stream *s)
{
	switch (ctl_stream_get(v->c, path, s)) {
	case CTL_STREAM_REFUSED:
		return s->status;
	case CTL_STREAM_LOST:
		if (s->connected)
			fprintf(stderr, "vrrpctl: %s: the answer was cut short; is vrrpd restarting?\n", v->c->socket);
		return CTL_CONNECT;
	default:
		return CTL_OK;
	}
}

/* A number of events, or -1. */
static long
parse_count(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	return *text == '\0' || *end != '\0' || n < 0 || n > LIMIT_EVENTS ? -1 : n;
}

int
cmd_events(struct ctl *c, int argc, char **argv)
{
	struct view v = {.c = c};
	struct ctl_stream s = {.line = on_line, .arg = &v};
	char path[96];
	long n = -1;
	int o;

	while ((o = getopt(argc, argv, "fjn:")) != -1) {
		if (o == 'j') {
			v.json = true;
		} else if (o == 'f') {
			v.follow = true;
		} else if (o == 'n') {
			n = parse_count(optarg);
			if (n < 0) {
				fprintf(stderr, "vrrpctl: -n takes a number from 0 to %d, not \"%s\"\n", LIMIT_EVENTS,
					optarg);
				return CTL_USAGE;
			}
		} else {
			return ctl_usage(argv[0]);
		}
	}
	if (optind != argc)
		return ctl_usage(argv[0]);
	if (n < 0)
		n = v.json ? LIMIT_EVENTS : EVENTS_SHOWN;
	snprintf(path, sizeof(path), "/v1/events?n=%ld%s", n, v.follow ? "&follow=1" : "");
	return v.follow ? follow(&v, path, sizeof(path), &s) : show(&v, path, &s);
}
