/*
 * cfg_export.c - the options of one kind of check as text, for the process that runs it; see cfg.h.
 *
 * Driven by the table of options: a new kind needs rows there and nothing here. Runs in the parent.
 */
#include "config/cfg.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "config/cfg_options.h"

typedef int option_fn(void *arg, const char *path, const char *text);

static int
export_number(const struct cfg_option *o, int64_t value, option_fn *fn, void *arg)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, value);
	return fn(arg, o->path, text);
}

static int
export_strings(const struct cfg_option *o, const struct cfg_check *k, option_fn *fn, void *arg)
{
	char *const *v = *(char *const *const *)cfg_field_of(k, o->offset);
	size_t n = *(const size_t *)cfg_field_of(k, o->count);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = fn(arg, o->path, v[i]);
	return r;
}

static int
export_option(const struct cfg_option *o, const struct cfg_check *k, option_fn *fn, void *arg)
{
	const void *field = cfg_field_of(k, o->offset);

	switch (o->type) {
	case CFG_TYPE_STRING:
		return *(char *const *)field == NULL ? 0 : fn(arg, o->path, *(char *const *)field);
	case CFG_TYPE_STRINGS:
		return export_strings(o, k, fn, arg);
	case CFG_TYPE_BOOL:
		return export_number(o, *(const bool *)field, fn, arg);
	case CFG_TYPE_INT:
		return export_number(o, *(const int *)field, fn, arg);
	case CFG_TYPE_DURATION:
		return export_number(o, (int64_t) * (const usec_t *)field, fn, arg);
	case CFG_TYPE_WORD:
		return fn(arg, o->path, o->words[*(const int *)field]);
	case CFG_TYPE_GROUP:
		return *(const bool *)cfg_field_of(k, o->flag - 1) ? fn(arg, o->path, "1") : 0;
	case CFG_TYPE_TEXT:
	case CFG_TYPE_IP:
	case CFG_TYPE_PREFIX:
	case CFG_TYPE_NAMED:
	case CFG_TYPE_LIST:
	case CFG_TYPE_IPS:
	case CFG_TYPE_COUNT:
		break; /* no check has one */
	}
	return 0;
}

/* Of Redis it is a duration. */
static int
export_lag(const struct cfg_option *o, const struct cfg_check *k, option_fn *fn, void *arg)
{
	usec_t us;

	if (k->max_lag == NULL || duration_parse(k->max_lag, &us) < 0)
		return 0; /* the rules have seen to it */
	return export_number(o, (int64_t)us, fn, arg);
}

int
cfg_check_options(const struct cfg_check *k, option_fn *fn, void *arg)
{
	const struct cfg_option *o;
	int r = 0;

	for (size_t i = 0; r == 0 && (o = cfg_option_at(i)); i++) {
		/* The command goes its own way: its words are counted. Files of secrets are given by their
		 * content. */
		if (o->scope != CFG_SCOPE_CHECK || o->kinds == 0 || o->kinds == 1u << CFG_CHECK_SCRIPT ||
		    !cfg_option_applies(o, k) || strcmp(o->path, "password_file") == 0)
			continue;
		if (strcmp(o->path, "tls.key") == 0)
			r = k->tls_key_pem != NULL ? fn(arg, o->path, k->tls_key_pem) : 0;
		else if (strcmp(o->path, "max_lag") == 0 && k->kind == CFG_CHECK_REDIS)
			r = export_lag(o, k, fn, arg);
		else
			r = export_option(o, k, fn, arg);
	}
	return r;
}
