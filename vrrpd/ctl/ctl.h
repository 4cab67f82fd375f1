/*
 * ctl.h - vrrpctl: what its verbs share, and its exit statuses.
 *
 * One file per verb or family of verbs (cmd_*.c); what they are called and take is told by the table in
 * ctl_verbs.c and nowhere else.
 */
#ifndef VRRPD_CTL_CTL_H
#define VRRPD_CTL_CTL_H

#include <stdbool.h>
#include <stdio.h>

#include "base/limits.h"

/* Exit statuses; the help text names them. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_UNFIT = 1,	 /* something is unfit, or the daemon answered with an error */
	CTL_USAGE = 2,	 /* wrong options or words */
	CTL_UNKNOWN = 3, /* there is no such instance */
	CTL_CONNECT = 4, /* the daemon cannot be reached */
};

struct ctl {
	char socket[LIMIT_PATH];
	FILE *out;   /* where out_*() write: stdout, or the text of a screen */
	FILE *err;   /* where the client says what is wrong: stderr, or the text of a screen */
	int columns; /* lines are broken there */
	bool color;  /* the output is a terminal and colour is not forbidden */
	int wake_fd; /* a question is given up when this becomes readable; -1: none */
};

/* Run a verb with its own arguments (argv[0] is its name). An enum ctl_exit. */
typedef int ctl_verb_fn(struct ctl *c, int argc, char **argv);

ctl_verb_fn cmd_status;
ctl_verb_fn cmd_explain;
ctl_verb_fn cmd_events;
ctl_verb_fn cmd_watch;
ctl_verb_fn cmd_drain; /* and resume */
ctl_verb_fn cmd_takeover;
ctl_verb_fn cmd_priority;
ctl_verb_fn cmd_garp;
ctl_verb_fn cmd_check;
ctl_verb_fn cmd_reload;
ctl_verb_fn cmd_metrics;
ctl_verb_fn cmd_config;
ctl_verb_fn cmd_completion;
ctl_verb_fn cmd_help;

/* Say how verb argv[0] is used, on stderr. CTL_USAGE. */
int ctl_usage(const char *verb);

#endif
