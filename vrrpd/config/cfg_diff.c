/*
 * cfg_diff.c - what differs between two configurations, option by option, driven by the table of options; see cfg.h.
 *
 * Used by the parent to tell what a reload changes. Both configurations are read, nothing else is.
 */
#include "config/cfg.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "config/cfg_int.h"

#define VALUE_OCTETS 150 /* of one value in a line: path and two of them are less than LIMIT_LOG_TEXT */
#define VALUE_COMMON 20	 /* of what two long values have in common, before the place where they part */
#define WHERE_TEXT   128 /* "instances.NAME.services.NAME." with room */

/* An element of a list, by what makes it the same one in both configurations. */
struct item {
	char *key; /* owned */
	size_t at; /* its place */
	const void *element;
	const struct item *twin; /* the same one in the other configuration */
};

struct items {
	size_t n;
	struct item *v;
};

static void diff_object(struct cfg_diff *d, enum cfg_scope scope, const char *where, const void *a, const void *b);

/* ---- lines ---------------------------------------------------------------------------------------------- */

static void PRINTF_LIKE(2, 3)
add_line(struct cfg_diff *d, const char *fmt, ...)
{
	char text[LIMIT_LOG_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d->lines[d->n_lines++] = cfg_strdup(text);
}

/* Count a change; is there room for its line? */
static bool
count(struct cfg_diff *d, const struct cfg_option *o)
{
	if (o->restart) {
		ASSERT(d->n_restarts < ARRAY_SIZE(d->restarts));
		d->restarts[d->n_restarts++] = o->path;
	}
	return d->n_changes++ < CFG_DIFF_LINES;
}

/* ---- values --------------------------------------------------------------------------------------------- */

/* The place at or before i where a character begins. */
static size_t
character(const char *text, size_t i)
{
	while (i > 0 && ((unsigned char)text[i] & 0xc0) == 0x80)
		i--;
	return i;
}

/* A value for a line; a long one is cut, what lies before `from` goes first. */
static void
add_value(struct strbuf *s, const char *text, size_t from)
{
	size_t len = strlen(text), end;

	if (len <= VALUE_OCTETS)
		from = 0;
	from = character(text, from);
	end = len - from <= VALUE_OCTETS ? len : character(text, from + VALUE_OCTETS);
	strbuf_addf(s, "%s%.*s%s", from > 0 ? "..." : "", (int)(end - from), text + from, end < len ? "..." : "");
}

/* Two values, each with the place where they part. */
static void
add_line_values(struct cfg_diff *d, const char *path, const char *from, const char *to)
{
	char text[LIMIT_LOG_TEXT];
	struct strbuf s;
	size_t same = 0, start;

	while (from[same] != '\0' && from[same] == to[same])
		same++;
	start = same > 2 * VALUE_COMMON ? same - VALUE_COMMON : 0;
	strbuf_init(&s, text, sizeof(text));
	strbuf_addf(&s, "%s: ", path);
	add_value(&s, from, start);
	strbuf_addf(&s, " -> ");
	add_value(&s, to, start);
	add_line(d, "%s", text);
}

static bool
is_address(const struct cfg_option *o)
{
	return o->type == CFG_TYPE_IP || o->type == CFG_TYPE_PREFIX;
}

/* The option as it is written, addresses without quotes; "none" when nothing is. To be freed. */
static char *
value_text(const struct cfg_option *o, const void *obj)
{
	bool number = o->type == CFG_TYPE_BOOL || o->type == CFG_TYPE_INT || o->type == CFG_TYPE_DURATION;
	bool shown = cfg_option_applies(o, obj) && (cfg_option_is_set(o, obj) || (number && o->flag == 0));
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	ASSERT(f != NULL);
	if (shown)
		cfg_print_value(o, obj, f);
	else
		fputs("none", f);
	ASSERT(fclose(f) == 0 && text != NULL); /* only for want of memory */
	if (shown && is_address(o)) {
		memmove(text, text + 1, size);
		text[size - 2] = '\0';
	}
	return text;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* ---- lists ---------------------------------------------------------------------------------------------- */

/* Elements that are told by a name: "instances.pg: added". */
static bool
has_names(const struct cfg_option *o)
{
	return o->type == CFG_TYPE_NAMED || (o->type == CFG_TYPE_LIST && !o->compact);
}

/* The last component of an element's path. */
static const char *
name_of(const struct cfg_option *o, const void *element)
{
	if (o->sub == CFG_SCOPE_TRACK)
		return ((const struct cfg_track *)element)->name;
	return element; /* cfg.h: they begin with their name */
}

static char *
key_of(const struct cfg_option *o, const void *element)
{
	char buf[IP_PREFIX_TEXT + LIMIT_IFNAME + 8];
	const struct cfg_address *address = element;
	const struct cfg_track *track = element;

	if (o->type == CFG_TYPE_STRINGS)
		return cfg_strdup(*(char *const *)element);
	if (o->type == CFG_TYPE_IPS)
		return cfg_strdup(ip_addr_format(element, buf));
	if (o->sub == CFG_SCOPE_ADDRESS) {
		size_t n = strlen(ip_prefix_format(&address->prefix, buf));

		if (address->own_interface)
			snprintf(buf + n, sizeof(buf) - n, " on %s", address->interface);
		return cfg_strdup(buf);
	}
	if (o->sub == CFG_SCOPE_TRACK) {
		snprintf(buf, sizeof(buf), "%s %s", track->is_interface ? "interface" : "check", track->name);
		return cfg_strdup(buf);
	}
	return cfg_strdup(element);
}

static size_t
size_of(const struct cfg_option *o)
{
	if (o->type == CFG_TYPE_STRINGS)
		return sizeof(char *);
	return o->type == CFG_TYPE_IPS ? sizeof(struct ip_addr) : o->size;
}

static struct items
items_of(const struct cfg_option *o, const void *obj)
{
	struct items items = {0};
	const char *array;

	if (!cfg_option_applies(o, obj))
		return items;
	items.n = *(const size_t *)cfg_field_of(obj, o->count);
	items.v = cfg_zalloc(items.n, sizeof(*items.v));
	array = *(const char *const *)cfg_field_of(obj, o->offset);
	for (size_t i = 0; i < items.n; i++) {
		const void *element = array + i * size_of(o);

		items.v[i] = (struct item){.key = key_of(o, element), .at = i, .element = element};
	}
	return items;
}

static void
free_items(struct items *items)
{
	for (size_t i = 0; i < items->n; i++)
		free(items->v[i].key);
	free(items->v);
}

static int
compare(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;
	int r = strcmp(x->key, y->key);

	return r != 0 ? r : (x->at > y->at) - (x->at < y->at);
}

static struct item **
sorted(const struct items *items)
{
	struct item **v = cfg_zalloc(items->n, sizeof(struct item *));

	for (size_t i = 0; i < items->n; i++)
		v[i] = &items->v[i];
	qsort(v, items->n, sizeof(struct item *), compare);
	return v;
}

static void
pair_items(struct items *a, struct items *b)
{
	struct item **x = sorted(a), **y = sorted(b);

	for (size_t i = 0, j = 0; i < a->n && j < b->n;) {
		int r = strcmp(x[i]->key, y[j]->key);

		if (r == 0) {
			x[i]->twin = y[j];
			y[j]->twin = x[i];
		}
		i += r <= 0;
		j += r >= 0;
	}
	free(x);
	free(y);
}

static bool
same_order(const struct items *items)
{
	const struct item *last = NULL;

	for (size_t i = 0; i < items->n; i++) {
		const struct item *twin = items->v[i].twin;

		if (twin != NULL && last != NULL && twin->at < last->at)
			return false;
		last = twin != NULL ? twin : last;
	}
	return true;
}

/* One that is in the old configuration only (sign '-') or in the present one only ('+'). */
static void
tell_item(struct cfg_diff *d, const struct cfg_option *o, const char *where, const struct item *item, char sign)
{
	char text[LIMIT_LOG_TEXT], *value = NULL;
	struct strbuf s;
	size_t size;
	FILE *f;

	if (o->sub == CFG_SCOPE_INSTANCE) {
		d->n_added += sign == '+';
		d->n_removed += sign == '-';
	}
	if (!count(d, o))
		return;
	if (has_names(o)) {
		add_line(d, "%s%s.%s: %s", where, o->path, item->key, sign == '+' ? "added" : "removed");
		return;
	}
	f = open_memstream(&value, &size);
	ASSERT(f != NULL);
	if (o->type == CFG_TYPE_STRINGS)
		cfg_print_string(item->key, f);
	else if (o->type == CFG_TYPE_LIST && o->sub != CFG_SCOPE_ADDRESS)
		cfg_print_element(o, item->element, f);
	else
		fputs(item->key, f);
	ASSERT(fclose(f) == 0 && value != NULL); /* only for want of memory */
	strbuf_init(&s, text, sizeof(text));
	strbuf_addf(&s, "%s%s: %c ", where, o->path, sign);
	add_value(&s, value, 0);
	add_line(d, "%s", text);
	free(value);
}

/* One that is in both. */
static void
diff_item(struct cfg_diff *d, const struct cfg_option *o, const char *where, const struct item *item)
{
	size_t before = d->n_changes;
	char inside[WHERE_TEXT];

	if (o->type != CFG_TYPE_LIST && o->type != CFG_TYPE_NAMED)
		return;
	if (o->sub == CFG_SCOPE_ADDRESS)
		return; /* the key says all of it */
	snprintf(inside, sizeof(inside), "%s%s.%s.", where, o->path, name_of(o, item->element));
	diff_object(d, o->sub, inside, item->twin->element, item->element);
	d->n_changed += o->sub == CFG_SCOPE_INSTANCE && d->n_changes > before;
}

static void
diff_list(struct cfg_diff *d, const struct cfg_option *o, const char *where, const void *a, const void *b)
{
	struct items old = items_of(o, a), now = items_of(o, b);
	bool ordered = o->type != CFG_TYPE_NAMED && o->sub != CFG_SCOPE_INSTANCE;

	pair_items(&old, &now);
	for (size_t i = 0; i < old.n; i++)
		if (old.v[i].twin == NULL)
			tell_item(d, o, where, &old.v[i], '-');
	for (size_t i = 0; i < now.n; i++) {
		if (now.v[i].twin == NULL)
			tell_item(d, o, where, &now.v[i], '+');
		else
			diff_item(d, o, where, &now.v[i]);
	}
	if (ordered && !same_order(&now) && count(d, o))
		add_line(d, "%s%s: order changed", where, o->path);
	free_items(&old);
	free_items(&now);
}

/* ---- options -------------------------------------------------------------------------------------------- */

static bool
has(const struct cfg_option *o, const void *obj)
{
	return cfg_option_applies(o, obj) && cfg_option_is_set(o, obj);
}

/* In words, for what is not shown and for groups as a whole. */
static void
tell_presence(struct cfg_diff *d, const struct cfg_option *o, const char *where, bool in_a, bool in_b)
{
	if (count(d, o))
		add_line(d, "%s%s: %s", where, o->path, !in_a ? "added" : in_b ? "changed" : "removed");
}

/* The file has the same name, but another secret in it. */
static void
diff_content(struct cfg_diff *d, const struct cfg_option *o, const char *where, const void *a, const void *b)
{
	const char *x = *(char *const *)cfg_field_of(a, o->content - 1);
	const char *y = *(char *const *)cfg_field_of(b, o->content - 1);

	if (!same_text(x, y) && count(d, o))
		add_line(d, "%s%s: the file's content changed", where, o->path);
}

static void
diff_value(struct cfg_diff *d, const struct cfg_option *o, const char *where, const void *a, const void *b)
{
	bool in_a = has(o, a), in_b = has(o, b);
	char path[WHERE_TEXT], *from, *to;

	/* What only one of them has: with its default it says nothing, it came with a mode or a kind. */
	if (in_a != in_b && cfg_option_is_default(o, in_a ? a : b))
		return;
	if (!in_a && !in_b)
		return;
	if (in_a && in_b && cfg_option_same(o, a, b)) {
		if (o->content != 0)
			diff_content(d, o, where, a, b);
		return;
	}
	if (o->secret) {
		tell_presence(d, o, where, in_a, in_b);
		return;
	}
	if (!count(d, o))
		return;
	from = value_text(o, a);
	to = value_text(o, b);
	snprintf(path, sizeof(path), "%s%s", where, o->path);
	add_line_values(d, path, from, to);
	free(from);
	free(to);
}

/* A group that may be there or not; false: its members are to be looked at. */
static bool
diff_group(struct cfg_diff *d, const struct cfg_option *o, const char *where, const void *a, const void *b)
{
	bool in_a = has(o, a), in_b = has(o, b);

	if (o->flag == 0 || (in_a && in_b))
		return false;
	if (in_a || in_b)
		tell_presence(d, o, where, in_a, in_b);
	return true;
}

static bool
is_inside(const struct cfg_option *o, const struct cfg_option *group)
{
	size_t n = strlen(group->path);

	return strncmp(o->path, group->path, n) == 0 && o->path[n] == '.';
}

/* Lists whose elements come and go one by one; of a command's words the order is everything. */
static bool
is_list(const struct cfg_option *o)
{
	return o->type == CFG_TYPE_NAMED || o->type == CFG_TYPE_LIST || o->type == CFG_TYPE_IPS ||
	       (o->type == CFG_TYPE_STRINGS && o->syntax != CFG_SYNTAX_ANY);
}

/* The options of an object, those of groups inside it as well: groups come right before their members. */
static void
diff_object(struct cfg_diff *d, enum cfg_scope scope, const char *where, const void *a, const void *b)
{
	const struct cfg_option *o, *done = NULL;

	for (size_t i = 0; (o = cfg_option_at(i)); i++) {
		if (o->scope != scope || (done != NULL && is_inside(o, done)))
			continue;
		if (o->type == CFG_TYPE_GROUP)
			done = diff_group(d, o, where, a, b) ? o : NULL;
		else if (is_list(o))
			diff_list(d, o, where, a, b);
		else
			diff_value(d, o, where, a, b);
	}
}

void
cfg_diff(const struct cfg *old, const struct cfg *now, struct cfg_diff *ret)
{
	*ret = (struct cfg_diff){.lines = cfg_zalloc(CFG_DIFF_LINES + 1, sizeof(char *))};
	diff_object(ret, CFG_SCOPE_ROOT, "", old, now);
	if (ret->n_changes > CFG_DIFF_LINES)
		add_line(ret, "and %zu more change%s", ret->n_changes - CFG_DIFF_LINES,
			 ret->n_changes == CFG_DIFF_LINES + 1 ? "" : "s");
}

void
cfg_diff_free(struct cfg_diff *d)
{
	for (size_t i = 0; i < d->n_lines; i++)
		free(d->lines[i]);
	free(d->lines);
	*d = (struct cfg_diff){0};
}
