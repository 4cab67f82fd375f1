/*
 * cfg_option.c - what is done with a row of the table of options: find, describe, set to default, compare, free.
 *
 * Used by reader, printer, rules and comparison, in the parent. Knows types and scopes, but no single option.
 */
#include "config/cfg_options.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/macros.h"
#include "config/cfg.h"
#include "config/cfg_int.h"

#define WORD_MAX_OCTETS 32

bool
cfg_option_below(const struct cfg_option *o, enum cfg_scope scope, const char *prefix, const char **ret_name)
{
	size_t n = strlen(prefix);
	const char *name = o->path;

	if (o->scope != scope || strncmp(o->path, prefix, n) != 0)
		return false;
	if (n > 0) {
		if (name[n] != '.')
			return false;
		name += n + 1;
	}
	if (strchr(name, '.'))
		return false;
	*ret_name = name;
	return true;
}

const struct cfg_option *
cfg_option_find(enum cfg_scope scope, const char *prefix, const char *name)
{
	const struct cfg_option *o;
	const char *last;

	for (size_t i = 0; (o = cfg_option_at(i)); i++)
		if (cfg_option_below(o, scope, prefix, &last) && strcmp(last, name) == 0)
			return o;
	return NULL;
}

const struct cfg_option *
cfg_option_shorthand(enum cfg_scope scope)
{
	const struct cfg_option *o;

	for (size_t i = 0; (o = cfg_option_at(i)); i++)
		if (o->scope == scope && o->shorthand)
			return o;
	return NULL;
}

bool
cfg_option_applies(const struct cfg_option *o, const void *obj)
{
	const struct cfg_check *check = obj;
	const struct cfg_instance *instance = obj;

	if (o->kinds != 0)
		return (o->kinds & 1u << check->kind) != 0;
	switch (o->only) {
	case CFG_ONLY_ALL:
		return true;
	case CFG_ONLY_V2:
		return instance->mode == CFG_MODE_VRRP && instance->version == 2;
	case CFG_ONLY_V3:
		return instance->mode == CFG_MODE_VRRP && instance->version == 3;
	case CFG_ONLY_VRRP:
		return instance->mode == CFG_MODE_VRRP;
	case CFG_ONLY_FOLLOW:
		return instance->mode == CFG_MODE_FOLLOW;
	case CFG_ONLY_LEASE:
		return instance->mode == CFG_MODE_LEASE;
	case CFG_ONLY_STORE:
		return instance->mode != CFG_MODE_VRRP;
	}
	return true;
}

/* True when a member of the group has a value. */
static bool
group_is_set(const struct cfg_option *group, const void *obj)
{
	const struct cfg_option *o;
	const char *name;

	for (size_t i = 0; (o = cfg_option_at(i)); i++)
		if (cfg_option_below(o, group->scope, group->path, &name) && cfg_option_is_set(o, obj))
			return true;
	return false;
}

bool
cfg_option_is_set(const struct cfg_option *o, const void *obj)
{
	if (o->shown)
		return o->shown(obj);
	switch (o->type) {
	case CFG_TYPE_STRING:
		return *(char *const *)cfg_field_of(obj, o->offset) != NULL;
	case CFG_TYPE_IP:
	case CFG_TYPE_PREFIX: /* begins with its address */
		return ((const struct ip_addr *)cfg_field_of(obj, o->offset))->family != IP_FAMILY_NONE;
	case CFG_TYPE_GROUP:
		return group_is_set(o, obj);
	case CFG_TYPE_STRINGS:
	case CFG_TYPE_IPS: /* written, they are not empty */
		return *(const size_t *)cfg_field_of(obj, o->count) > 0;
	case CFG_TYPE_BOOL:
	case CFG_TYPE_INT:
	case CFG_TYPE_DURATION:
	case CFG_TYPE_WORD:
	case CFG_TYPE_TEXT:
	case CFG_TYPE_NAMED:
	case CFG_TYPE_LIST:
	case CFG_TYPE_COUNT:
		break;
	}
	return true;
}

static void
set_default(const struct cfg_option *o, void *obj)
{
	void *field = cfg_field(obj, o->offset);

	switch (o->type) {
	case CFG_TYPE_BOOL:
		*(bool *)field = o->def != 0;
		break;
	case CFG_TYPE_INT:
	case CFG_TYPE_WORD:
		*(int *)field = (int)o->def;
		break;
	case CFG_TYPE_DURATION:
		*(usec_t *)field = (usec_t)o->def;
		break;
	case CFG_TYPE_STRING:
		*(char **)field = o->text ? cfg_strdup(o->text) : NULL;
		break;
	case CFG_TYPE_TEXT:
	case CFG_TYPE_IP:
	case CFG_TYPE_PREFIX:
	case CFG_TYPE_GROUP:
	case CFG_TYPE_NAMED:
	case CFG_TYPE_LIST:
	case CFG_TYPE_STRINGS:
	case CFG_TYPE_IPS:
	case CFG_TYPE_COUNT:
		break; /* zero is their default */
	}
}

void
cfg_option_defaults(enum cfg_scope scope, void *obj)
{
	const struct cfg_option *o;

	for (size_t i = 0; (o = cfg_option_at(i)); i++)
		if (o->scope == scope)
			set_default(o, obj);
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_strings(const struct cfg_option *o, const void *a, const void *b)
{
	size_t n = *(const size_t *)cfg_field_of(a, o->count);
	char *const *x = *(char *const *const *)cfg_field_of(a, o->offset);
	char *const *y = *(char *const *const *)cfg_field_of(b, o->offset);
	bool same = n == *(const size_t *)cfg_field_of(b, o->count);

	for (size_t i = 0; same && i < n; i++)
		same = strcmp(x[i], y[i]) == 0;
	return same;
}

bool
cfg_option_same(const struct cfg_option *o, const void *a, const void *b)
{
	const void *x = cfg_field_of(a, o->offset), *y = cfg_field_of(b, o->offset);

	switch (o->type) {
	case CFG_TYPE_BOOL:
		return *(const bool *)x == *(const bool *)y;
	case CFG_TYPE_INT:
	case CFG_TYPE_WORD:
		return *(const int *)x == *(const int *)y;
	case CFG_TYPE_DURATION:
		return *(const usec_t *)x == *(const usec_t *)y;
	case CFG_TYPE_TEXT:
		return strcmp(x, y) == 0;
	case CFG_TYPE_STRING:
		return same_text(*(char *const *)x, *(char *const *)y);
	case CFG_TYPE_IP:
		return ip_addr_equal(x, y);
	case CFG_TYPE_PREFIX:
		return ip_addr_equal(x, y) && ((const struct ip_prefix *)x)->len == ((const struct ip_prefix *)y)->len;
	case CFG_TYPE_STRINGS:
		return same_strings(o, a, b);
	case CFG_TYPE_GROUP:
	case CFG_TYPE_NAMED:
	case CFG_TYPE_LIST:
	case CFG_TYPE_IPS:
	case CFG_TYPE_COUNT:
		break; /* not compared as a whole */
	}
	return true;
}

bool
cfg_option_is_default(const struct cfg_option *o, const void *obj)
{
	const void *x = cfg_field_of(obj, o->offset);

	switch (o->type) {
	case CFG_TYPE_BOOL:
		return *(const bool *)x == (o->def != 0);
	case CFG_TYPE_INT:
	case CFG_TYPE_WORD:
		return *(const int *)x == o->def;
	case CFG_TYPE_DURATION:
		return *(const usec_t *)x == (usec_t)o->def;
	case CFG_TYPE_STRING:
		return same_text(*(char *const *)x, o->text);
	case CFG_TYPE_TEXT:
	case CFG_TYPE_IP:
	case CFG_TYPE_PREFIX:
	case CFG_TYPE_GROUP:
	case CFG_TYPE_NAMED:
	case CFG_TYPE_LIST:
	case CFG_TYPE_STRINGS:
	case CFG_TYPE_IPS:
	case CFG_TYPE_COUNT:
		break;
	}
	return false;
}

static void
free_value(const struct cfg_option *o, void *obj)
{
	void **field = cfg_field(obj, o->offset);
	size_t *n = cfg_field(obj, o->count);

	switch (o->type) {
	case CFG_TYPE_NAMED:
	case CFG_TYPE_LIST:
		for (size_t k = 0; k < *n; k++)
			cfg_option_free(o->sub, cfg_field(*field, k * o->size));
		break;
	case CFG_TYPE_STRINGS:
		for (size_t k = 0; k < *n; k++)
			free(((char **)*field)[k]);
		break;
	case CFG_TYPE_STRING:
	case CFG_TYPE_IPS:
		break;
	case CFG_TYPE_BOOL:
	case CFG_TYPE_INT:
	case CFG_TYPE_DURATION:
	case CFG_TYPE_WORD:
	case CFG_TYPE_TEXT:
	case CFG_TYPE_IP:
	case CFG_TYPE_PREFIX:
	case CFG_TYPE_GROUP:
	case CFG_TYPE_COUNT:
		return;
	}
	free(*field);
	*field = NULL;
}

void
cfg_option_free(enum cfg_scope scope, void *obj)
{
	const struct cfg_option *o;

	for (size_t i = 0; (o = cfg_option_at(i)); i++)
		if (o->scope == scope)
			free_value(o, obj);
}

static void
wanted_duration(const struct cfg_option *o, struct strbuf *s)
{
	char low[DURATION_TEXT], high[DURATION_TEXT], step[DURATION_TEXT];

	strbuf_addf(s, "%sa duration from \"%s\" to \"%s\"", o->zero ? "\"0s\" or " : "",
		    duration_format((usec_t)o->min, low), duration_format((usec_t)o->max, high));
	if (o->step > 0)
		strbuf_addf(s, " in steps of \"%s\"", duration_format((usec_t)o->step, step));
}

static void
wanted_word(const struct cfg_option *o, struct strbuf *s)
{
	strbuf_addf(s, "%s", o->words[1] ? "one of " : "");
	for (size_t i = 0; o->words[i]; i++)
		strbuf_addf(s, "%s\"%s\"", i ? ", " : "", o->words[i]);
}

void
cfg_option_wanted(const struct cfg_option *o, struct strbuf *s)
{
	switch (o->type) {
	case CFG_TYPE_BOOL:
		strbuf_addf(s, "true or false");
		return;
	case CFG_TYPE_INT:
		strbuf_addf(s, "a number%s%s from %" PRId64 " to %" PRId64, o->unit ? " of " : "",
			    o->unit ? o->unit : "", o->min, o->max);
		return;
	case CFG_TYPE_DURATION:
		wanted_duration(o, s);
		return;
	case CFG_TYPE_WORD:
		wanted_word(o, s);
		return;
	case CFG_TYPE_TEXT:
	case CFG_TYPE_STRING:
		strbuf_addf(s, "a string, e.g. %s", o->example);
		return;
	case CFG_TYPE_IP:
		strbuf_addf(s, "an address, e.g. %s", o->example);
		return;
	case CFG_TYPE_PREFIX:
		strbuf_addf(s, "an address with the length of its network, e.g. %s", o->example);
		return;
	case CFG_TYPE_GROUP:
		strbuf_addf(s, "a group, e.g. %s", o->example);
		return;
	case CFG_TYPE_NAMED:
		strbuf_addf(s, "a group of named groups, e.g. %s", o->example);
		return;
	case CFG_TYPE_LIST:
		strbuf_addf(s, "a list, e.g. %s", o->example);
		return;
	case CFG_TYPE_STRINGS:
		strbuf_addf(s, "%sa list of strings, e.g. %s", o->one ? "a string or " : "", o->example);
		return;
	case CFG_TYPE_IPS:
		strbuf_addf(s, "a list of addresses, e.g. %s", o->example);
		return;
	case CFG_TYPE_COUNT:
		return;
	}
}

unsigned
cfg_word_distance(const char *a, const char *b)
{
	unsigned d[WORD_MAX_OCTETS + 1][WORD_MAX_OCTETS + 1];
	size_t na = strlen(a), nb = strlen(b);

	if (na > WORD_MAX_OCTETS || nb > WORD_MAX_OCTETS)
		return WORD_MAX_OCTETS + 1;
	for (unsigned i = 0; i <= na; i++)
		d[i][0] = i;
	for (unsigned j = 0; j <= nb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= na; i++) {
		for (size_t j = 1; j <= nb; j++) {
			int ca = tolower((unsigned char)a[i - 1]), cb = tolower((unsigned char)b[j - 1]);
			unsigned best = d[i - 1][j - 1] + (ca != cb);

			best = MIN(best, d[i - 1][j] + 1);
			best = MIN(best, d[i][j - 1] + 1);
			if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
			    cb == tolower((unsigned char)a[i - 2]))
				best = MIN(best, d[i - 2][j - 2] + 1);
			d[i][j] = best;
		}
	}
	return d[na][nb];
}

bool
cfg_word_near(const char *written, const char *known, unsigned *ret_distance)
{
	unsigned distance = cfg_word_distance(written, known);

	if (distance > 2 || 2 * distance >= MAX(strlen(written), strlen(known)))
		return false;
	*ret_distance = distance;
	return true;
}

/* Is `name` one of the words of a text that has each between spaces? */
static bool
has_word(const char *words, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = words; p && n > 0 && (p = strstr(p, name)); p++)
		if (p > words && p[-1] == ' ' && p[n] == ' ')
			return true;
	return false;
}

/* How far a row is from an unknown name: 0 to 2 by spelling, 3 for one that begins alike; 4 = not meant. */
static unsigned
how_far(const struct cfg_option *o, enum cfg_scope scope, const char *prefix, const char *name)
{
	const char *dot = strrchr(o->path, '.');
	const char *last = dot ? dot + 1 : o->path;
	unsigned distance;

	if (has_word(o->alias, name) || strcmp(last, name) == 0)
		return 0;
	if (!cfg_option_below(o, scope, prefix, &last))
		return 4;
	if (cfg_word_near(name, last, &distance))
		return distance;
	if (MIN(strlen(name), strlen(last)) >= 3 && strncmp(name, last, MIN(strlen(name), strlen(last))) == 0)
		return 3;
	return 4;
}

const char *
cfg_option_suggest(enum cfg_scope scope, const char *prefix, const char *name)
{
	const struct cfg_option *o;
	const char *found = NULL;
	unsigned best = 4;
	size_t n = strlen(prefix);

	for (size_t i = 0; (o = cfg_option_at(i)); i++) {
		unsigned far;

		if (o->scope != scope)
			continue;
		far = how_far(o, scope, prefix, name);
		if (far >= best)
			continue;
		best = far;
		found = n > 0 && strncmp(o->path, prefix, n) == 0 && o->path[n] == '.' ? o->path + n + 1
										       : o->path;
	}
	return found;
}

void
cfg_option_names(enum cfg_scope scope, const char *prefix, struct strbuf *s)
{
	const struct cfg_option *o;
	const char *name, *last = NULL;
	unsigned n = 0;

	for (size_t i = 0; (o = cfg_option_at(i)); i++) {
		if (!cfg_option_below(o, scope, prefix, &name))
			continue;
		if (last)
			strbuf_addf(s, "%s%s", n++ ? ", " : "", last);
		last = name;
	}
	if (last)
		strbuf_addf(s, "%s%s", n ? " or " : "", last);
}
