/*
 * cmd_events.c - verb events: transitions and their causes, one line each.
 *
 * Runs in vrrpctl. Follows over restarts of the daemon: it asks for what is later than the last number it has seen.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "ctl/ctl_client.h"
#include "ctl/ctl_event.h"
#include "ctl/ctl_stream.h"
#include "ctl/ctl_verbs.h"

#define EVENTS_SHOWN 20
#define RETRY_MS     200 /* after the connection was lost */

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
	json_int_t seq = json_integer_value(json_object_get(e, "seq"));

	if (v->follow && v->last > 0 && seq > v->last + 1)
		fprintf(v->c->err, "vrrpctl: %lld events were missed\n", (long long)(seq - v->last - 1));
	v->last = seq; /* another life of vrrpd counts anew */
	if (v->json)
		puts(line);
	else if (e != NULL)
		event_print(v->c, e, false);
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

int
cmd_events(struct ctl *c, int argc, char **argv)
{
	struct view v = {.c = c};
	struct ctl_stream s = {.line = on_line, .arg = &v};
	struct ctl_args args;
	char path[96];
	long n = -1;
	int status = ctl_args_read(argc, argv, &args);

	if (status >= 0)
		return status;
	v.json = args.given[OPT_JSON];
	v.follow = args.given[OPT_FOLLOW];
	if (args.given[OPT_LAST])
		n = strtol(args.value[OPT_LAST], NULL, 10);
	if (n > LIMIT_EVENTS) {
		fprintf(stderr, "vrrpctl: -n takes a number from 0 to %d, not \"%s\"\n", LIMIT_EVENTS, args.value[OPT_LAST]);
		return CTL_USAGE;
	}
	if (n < 0)
		n = v.json ? LIMIT_EVENTS : EVENTS_SHOWN;
	snprintf(path, sizeof(path), "/v1/events?n=%ld%s", n, v.follow ? "&follow=1" : "");
	return v.follow ? follow(&v, path, sizeof(path), &s) : show(&v, path, &s);
}
