/*
 * ctl.h - vrrpctl: its options, its verbs, its exit statuses.
 *
 * One file per verb or family of verbs (cmd_*.c); the table of verbs is in ctl_main.c.
 */
#ifndef VRRPD_CTL_CTL_H
#define VRRPD_CTL_CTL_H

#include <stdbool.h>

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
	bool color; /* the output is a terminal and colour is not forbidden */
};

/* Run a verb with its own arguments (argv[0] is its name). An enum ctl_exit. */
typedef int ctl_verb_fn(struct ctl *c, int argc, char **argv);

ctl_verb_fn cmd_status;
ctl_verb_fn cmd_events;
ctl_verb_fn cmd_drain; /* and resume */
ctl_verb_fn cmd_garp;
ctl_verb_fn cmd_check;
ctl_verb_fn cmd_reload;
ctl_verb_fn cmd_metrics;
ctl_verb_fn cmd_config;

/* Say how verb argv[0] is used, on stderr. CTL_USAGE. */
int ctl_usage(const char *verb);

#endif
