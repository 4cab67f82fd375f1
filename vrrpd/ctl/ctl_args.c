/*
 * ctl_args.c - what was typed after a verb, checked against the table of verbs; see ctl_verbs.h.
 *
 * Runs in vrrpctl. Says what is wrong in a line of its own, then how the verb is used.
 */
#include <ctype.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/macros.h"
#include "ctl/ctl_verbs.h"

#define SECONDS_LEAST 0.1
#define SECONDS_MOST  3600.0

/* ---- the form of a word ---------------------------------------------------------------------- */

static bool
is_digits(const char *text)
{
	return *text != '\0' && strlen(text) <= 9 && strspn(text, "0123456789") == strlen(text);
}

/* Digits with a fraction or without; what follows goes to *ret_rest. */
static bool
is_decimal(const char *text, const char **ret_rest)
{
	size_t whole = strspn(text, "0123456789"), fraction = 0;

	text += whole;
	if (*text == '.') {
		fraction = strspn(text + 1, "0123456789");
		if (fraction == 0)
			return false;
		text += 1 + fraction;
	}
	*ret_rest = text;
	return whole > 0;
}

static bool
is_duration(const char *text)
{
	usec_t us;

	return duration_parse(text, &us) == 0 && us > 0;
}

static bool
is_seconds(const char *text)
{
	const char *rest;

	return is_decimal(text, &rest) && *rest == '\0' && atof(text) >= SECONDS_LEAST && atof(text) <= SECONDS_MOST;
}

static bool
is_one_of(const char *words, const char *text)
{
	size_t len = strlen(text);

	for (; *words != '\0'; words += strcspn(words, " "), words += strspn(words, " "))
		if (strcspn(words, " ") == len && memcmp(words, text, len) == 0)
			return true;
	return false;
}

bool
token_fits(const struct token *t, const char *text)
{
	switch (t->type) {
	case TOKEN_NUMBER:
		return is_digits(text);
	case TOKEN_SECONDS:
		return is_seconds(text);
	case TOKEN_DURATION:
		return is_duration(text);
	case TOKEN_PRIORITY:
		return is_digits(text) || strcmp(text, "reset") == 0;
	case TOKEN_WORD:
		return is_one_of(t->words, text);
	case TOKEN_NONE:
		return false;
	case TOKEN_INSTANCE:
	case TOKEN_CHECK:
	case TOKEN_VERB:
	case TOKEN_DIR:
	case TOKEN_FILE:
		break;
	}
	return *text != '\0';
}

static const char *
token_remedy(const struct token *t)
{
	switch (t->type) {
	case TOKEN_NUMBER:
		return "a number";
	case TOKEN_SECONDS:
		return "a number of seconds, 0.1 to 3600";
	case TOKEN_DURATION:
		return "a time with its unit, such as 30s, 10m or 2h";
	case TOKEN_PRIORITY:
		return "a number or the word reset";
	case TOKEN_WORD:
		return t->meta;
	default:
		return "a word";
	}
}

/* ---- options --------------------------------------------------------------------------------- */

static int PRINTF_LIKE(2, 3) wrong(const struct verb *v, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "vrrpctl: %s ", v->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return ctl_usage(v->name);
}

/* For getopt_long: an option is known by its index plus one, so that no letter is one. */
#define LONG_BASE 256

static void
make_getopt(const struct verb *v, char *letters, struct option *longs)
{
	size_t n = verb_options(v);

	*letters++ = ':'; /* we say ourselves what is wrong */
	for (size_t i = 0; i < n; i++) {
		const struct option_def *o = &v->options[i];

		if (o->letter != 0)
			*letters++ = o->letter;
		if (o->letter != 0 && o->value.type != TOKEN_NONE)
			*letters++ = ':';
		if (o->name != NULL)
			*longs++ = (struct option){o->name, o->value.type != TOKEN_NONE, NULL, LONG_BASE + (int)i};
	}
	*letters = '\0';
	*longs = (struct option){0};
}

static const struct option_def *
option_of(const struct verb *v, int found)
{
	if (found >= LONG_BASE)
		return &v->options[found - LONG_BASE];
	for (size_t i = 0; i < verb_options(v); i++)
		if (v->options[i].letter == found)
			return &v->options[i];
	return NULL;
}

static int
take_option(const struct verb *v, const struct option_def *o, struct ctl_args *ret)
{
	char letter[3] = {'-', o->letter, '\0'};

	ret->given[o->id] = true;
	if (o->value.type == TOKEN_NONE)
		return -1;
	ret->value[o->id] = optarg;
	if (token_fits(&o->value, optarg))
		return -1;
	return wrong(v, "%s%s takes %s, not \"%s\"", o->name != NULL ? "--" : "", o->name != NULL ? o->name : letter,
		     token_remedy(&o->value), optarg);
}

static int
read_options(const struct verb *v, int argc, char **argv, struct ctl_args *ret)
{
	struct option longs[VERB_OPTIONS_MAX + 1];
	char letters[2 * VERB_OPTIONS_MAX + 2];
	int found, status;

	make_getopt(v, letters, longs);
	optind = 0; /* from the start, whatever was read before */
	opterr = 0;
	while ((found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (found == '?' && optopt != 0 && optopt < LONG_BASE)
			return wrong(v, "has no option -%c", optopt);
		if (found == '?')
			return wrong(v, "does not understand \"%s\"", argv[optind - 1]);
		if (found == ':')
			return wrong(v, "wants a value after %s", argv[optind - 1]);
		status = take_option(v, option_of(v, found), ret);
		if (status >= 0)
			return status;
	}
	return -1;
}

/* ---- operands -------------------------------------------------------------------------------- */

static int
read_operands(const struct verb *v, int argc, char **argv, struct ctl_args *ret)
{
	unsigned n = (unsigned)(argc - optind);
	const struct option_def *instead = NULL;

	for (size_t i = 0; i < verb_options(v); i++)
		if (v->options[i].instead && ret->given[v->options[i].id])
			instead = &v->options[i];
	if (instead != NULL && n > 0)
		return wrong(v, "takes --%s or %s, not both", instead->name, v->operands[0].meta);
	if (n > verb_operands(v))
		return wrong(v, "takes no \"%s\"", argv[optind + (int)verb_operands(v)]);
	if (instead == NULL && n < v->needed)
		return wrong(v, "wants %s", v->operands[n].meta);
	for (unsigned i = 0; i < n; i++) {
		ret->operand[i] = argv[optind + (int)i];
		if (!token_fits(&v->operands[i], ret->operand[i]))
			return wrong(v, "takes %s, not \"%s\"", token_remedy(&v->operands[i]), ret->operand[i]);
	}
	ret->n = n;
	return -1;
}

int
ctl_args_read(int argc, char **argv, struct ctl_args *ret)
{
	const struct verb *v = verb_find(argv[0]);
	int status;

	*ret = (struct ctl_args){0};
	status = read_options(v, argc, argv, ret);
	return status >= 0 ? status : read_operands(v, argc, argv, ret);
}
