/*
 * complete.h - scripts that make a shell complete vrrpctl's and vrrpd's words, made from the table of verbs.
 */
#ifndef VRRPD_CTL_COMPLETE_H
#define VRRPD_CTL_COMPLETE_H

#include <stdio.h>

#include "ctl/ctl_verbs.h"

/* Print the script of one shell. */
void complete_bash(FILE *f);
void complete_zsh(FILE *f);
void complete_fish(FILE *f);

/* Words to offer for a token, with spaces between; NULL when they are names, files, or nobody knows. */
const char *complete_words(const struct token *t);

/* The option as it is typed, "--for" or "-n", into buf; returns buf. */
const char *complete_option(const struct option_def *o, char *buf, size_t size);

/* Text inside single quotes of this shell, `quote` standing for one of them; letters of `more` get a backslash. */
void complete_quoted(FILE *f, const char *text, const char *quote, const char *more);

#endif
