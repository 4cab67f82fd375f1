/*
 * ctl_help.h - what vrrpctl says about itself.
 */
#ifndef VRRPD_CTL_CTL_HELP_H
#define VRRPD_CTL_CTL_HELP_H

#include <stdio.h>

/* All verbs, a line each, and the options in front of them. */
void help_print(FILE *f);

/* There is no verb of this name: say which there are, on stderr. CTL_USAGE. */
int help_unknown_verb(const char *name);

#endif
