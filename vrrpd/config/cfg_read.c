/*
 * cfg_read.c - from the text of a configuration into its structs, driven by the table of options.
 *
 * The only file that knows libconfig. Called by cfg_load in the parent. Judges each option by its own row:
 * known, type, range, form; what depends on several options is for cfg_check.c. A bad option is reported and
 * keeps its default, so that one run finds every error.
 */
#include "config/cfg_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include "base/duration.h"

#define WANTED_TEXT 512

static void read_group(struct cfg_source *s, const config_setting_t *group, enum cfg_scope scope,
		       const char *prefix, void *obj, size_t node);
static void
read_value(struct cfg_source *s, const config_setting_t *v, const struct cfg_option *o, void *obj, size_t node);

/* "write ..." for an option, in buf of WANTED_TEXT octets. */
static const char *
remedy(const struct cfg_option *o, char *buf)
{
	struct strbuf b;

	strbuf_init(&b, buf, WANTED_TEXT);
	strbuf_addf(&b, "write ");
	cfg_option_wanted(o, &b);
	return buf;
}

/* The same for one element of a list of values. */
static const char *
element_remedy(const struct cfg_option *o, char *buf)
{
	struct strbuf b;

	strbuf_init(&b, buf, WANTED_TEXT);
	strbuf_addf(&b, "write %s as in %s", o->type == CFG_TYPE_IPS ? "an address" : "a string", o->example);
	return buf;
}

static const char *
type_name(const config_setting_t *v)
{
	switch (config_setting_type(v)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return "a number";
	case CONFIG_TYPE_FLOAT:
		return "a number with a fraction";
	case CONFIG_TYPE_STRING:
		return "a string";
	case CONFIG_TYPE_BOOL:
		return "a boolean";
	case CONFIG_TYPE_GROUP:
		return "a group";
	case CONFIG_TYPE_ARRAY:
		return "an array";
	default:
		return "a list";
	}
}

static void
wrong_type(struct cfg_source *s, const config_setting_t *v, const struct cfg_option *o, size_t node)
{
	char buf[WANTED_TEXT];

	cfg_source_error(s, node, "is %s: %s", type_name(v), remedy(o, buf));
}

static bool
is_int(const config_setting_t *v)
{
	return config_setting_type(v) == CONFIG_TYPE_INT || config_setting_type(v) == CONFIG_TYPE_INT64;
}

static bool
is_list(const config_setting_t *v)
{
	return config_setting_is_list(v) || config_setting_is_array(v);
}

/* The string of a setting, or NULL. */
static const char *
string_of(const config_setting_t *v)
{
	return config_setting_type(v) == CONFIG_TYPE_STRING ? config_setting_get_string(v) : NULL;
}

static void
read_int(struct cfg_source *s, const config_setting_t *v, const struct cfg_option *o, int *ret, size_t node)
{
	char buf[WANTED_TEXT];
	int64_t value;

	if (!is_int(v)) {
		wrong_type(s, v, o, node);
		return;
	}
	value = config_setting_get_int64(v);
	if (value < o->min || value > o->max)
		cfg_source_error(s, node, "%" PRId64 " is out of range: %s", value, remedy(o, buf));
	else
		*ret = (int)value;
}

static bool
in_range(const struct cfg_option *o, int64_t us)
{
	return ((us >= o->min && us <= o->max) || (o->zero && us == 0)) && (o->step == 0 || us % o->step == 0);
}

/* What a number without a unit most likely means: seconds; a large one perhaps milliseconds. */
static const char *
add_unit(const struct cfg_option *o, double number, char *buf)
{
	bool sane = number >= 0 && number <= 1e6;
	int64_t sec = sane ? (int64_t)(number * USEC_PER_SEC + 0.5) : -1;
	int64_t ms = sane && number >= 10 ? (int64_t)number * USEC_PER_MS : -1;
	char text[DURATION_TEXT];
	struct strbuf s;

	strbuf_init(&s, buf, WANTED_TEXT);
	if (sec >= 0 && in_range(o, sec))
		strbuf_addf(&s, "write \"%s\"", duration_format((usec_t)sec, text));
	if (ms >= 0 && in_range(o, ms))
		strbuf_addf(&s, "%s \"%" PRId64 "ms\"", s.len > 0 ? " or" : "write", ms / (int64_t)USEC_PER_MS);
	return s.len > 0 ? buf : remedy(o, buf);
}

static void
bare_number(struct cfg_source *s, const config_setting_t *v, const struct cfg_option *o, size_t node)
{
	double number = is_int(v) ? (double)config_setting_get_int64(v) : config_setting_get_float(v);
	char buf[WANTED_TEXT];

	cfg_source_error(s, node, "is a number without a unit: %s", add_unit(o, number, buf));
}

static void
read_duration(struct cfg_source *s, const config_setting_t *v, const struct cfg_option *o, usec_t *ret,
	      size_t node)
{
	const char *text = string_of(v);
	char buf[WANTED_TEXT];
	usec_t value;
	int64_t us;
	int r;

	if (config_setting_is_number(v)) {
		bare_number(s, v, o, node);
		return;
	}
	if (!text) {
		wrong_type(s, v, o, node);
		return;
	}
	r = duration_parse(text, &value);
	us = r == 0 ? (int64_t)value : 0;
	if (r == -ENOMSG)
		cfg_source_error(s, node, "\"%s\" has no unit: %s", text, add_unit(o, strtod(text, NULL), buf));
	else if (r == -EDOM)
		cfg_source_error(s, node, "\"%s\" is finer than a microsecond: %s", text, remedy(o, buf));
	else if (r == -EINVAL)
		cfg_source_error(s, node, "\"%s\" is no duration: %s", text, remedy(o, buf));
	else if (r < 0 || us > o->max || (us < o->min && !(o->zero && us == 0)))
		cfg_source_error(s, node, "\"%s\" is out of range: %s", text, remedy(o, buf));
	else if (o->step > 0 && us % o->step != 0)
		cfg_source_error(s, node, "\"%s\" is between the steps: %s", text, remedy(o, buf));
	else
		*ret = value;
}

static void
read_word(struct cfg_source *s, const config_setting_t *v, const struct cfg_option *o, int *ret, size_t node)
{
	const char *text = string_of(v);
	char buf[WANTED_TEXT], spaced[64];
	struct strbuf b;

	if (!text) {
		wrong_type(s, v, o, node);
		return;
	}
	for (int i = 0; o->words[i]; i++) {
		if (strcmp(o->words[i], text) == 0) {
			*ret = i;
			return;
		}
	}
	strbuf_init(&b, spaced, sizeof(spaced));
	strbuf_addf(&b, " %s ", text);
	if (o->later && !b.cut && strstr(o->later, spaced))
		cfg_source_error(s, node, "\"%s\" is not in this version of vrrpd: %s", text, remedy(o, buf));
	else
		cfg_source_error(s, node, "\"%s\" is not known: %s", text, remedy(o, buf));
}

/* What is wrong with the form of a string, or NULL. */
static const char *
bad_syntax(enum cfg_syntax syntax, const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t n = strspn(text, letters);

	for (const char *p = text; syntax != CFG_SYNTAX_ANY && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return "holds a control character";
	switch (syntax) {
	case CFG_SYNTAX_NAME:
		while (text[n] && (strchr(letters, text[n]) || strchr("0123456789_.-", text[n])))
			n++;
		return text[n] ? "holds other characters than letters, digits, _ . and -" : NULL;
	case CFG_SYNTAX_IFNAME: /* dev_valid_name() of the kernel */
		if (strpbrk(text, "/: \t") || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
			return "is no name of an interface (no / : or space)";
		return NULL;
	case CFG_SYNTAX_PATH:
		return text[0] != '/' ? "is no absolute path" : NULL;
	case CFG_SYNTAX_PLAIN:
	case CFG_SYNTAX_ANY:
		break;
	}
	return NULL;
}

/* The string of an option when type, length (longest = 0: any) and form are right, else NULL with the error. */
static const char *
read_text(struct cfg_source *s, const config_setting_t *v, const struct cfg_option *o, size_t longest,
	  size_t node)
{
	const char *text = string_of(v);
	const char *quoted = o->secret ? "the text" : text;
	const char *wrong;
	char buf[WANTED_TEXT];

	if (!text) {
		wrong_type(s, v, o, node);
		return NULL;
	}
	if (text[0] == '\0') {
		cfg_source_error(s, node, "is empty: %s", remedy(o, buf));
		return NULL;
	}
	if (longest > 0 && strlen(text) > longest) {
		cfg_source_error(s, node, "\"%s\" is %zu octets long: write at most %zu", quoted, strlen(text),
				 longest);
		return NULL;
	}
	wrong = bad_syntax(o->syntax, text);
	if (wrong) {
		cfg_source_error(s, node, "\"%s\" %s: %s", quoted, wrong, remedy(o, buf));
		return NULL;
	}
	return text;
}

static void
read_ip(struct cfg_source *s, const config_setting_t *v, const struct cfg_option *o, struct ip_addr *ret,
	size_t node)
{
	const char *text = string_of(v);
	char buf[WANTED_TEXT];
	const char *advice = o->type == CFG_TYPE_IPS ? element_remedy(o, buf) : remedy(o, buf);

	if (!text)
		cfg_source_error(s, node, "is %s: %s", type_name(v), advice);
	else if (ip_addr_parse(text, ret) < 0)
		cfg_source_error(s, node, "\"%s\" is no IPv4 or IPv6 address: %s", text, advice);
}

static void
read_prefix(struct cfg_source *s, const config_setting_t *v, const struct cfg_option *o, struct ip_prefix *ret,
	    size_t node)
{
	const char *text = string_of(v);
	struct ip_prefix p;
	char buf[WANTED_TEXT];

	if (!text)
		wrong_type(s, v, o, node);
	else if (ip_prefix_parse(text, &p) < 0)
		cfg_source_error(s, node, "\"%s\" is no IPv4 or IPv6 address: %s", text, remedy(o, buf));
	else if (p.len == 0)
		cfg_source_error(s, node, "\"%s\" would make every address local: %s", text, remedy(o, buf));
	else
		*ret = p;
}

/* How many elements, when the number is allowed (max = 0: any number); else 0 with the error. */
static size_t
count_elements(struct cfg_source *s, const config_setting_t *v, const struct cfg_option *o, size_t node)
{
	int n = config_setting_length(v);
	char buf[WANTED_TEXT];

	if (n < o->min) {
		cfg_source_error(s, node, "is empty: %s", remedy(o, buf));
		return 0;
	}
	if (o->max > 0 && n > o->max) {
		cfg_source_error(s, node, "has %d entries: write at most %" PRId64, n, o->max);
		return 0;
	}
	return (size_t)n;
}

static size_t
add_element(struct cfg_source *s, const config_setting_t *v, const struct cfg_option *o, const void *obj,
	    int index, const char *label, size_t parent)
{
	struct cfg_node node = {.parent = parent, .obj = obj, .opt = o, .index = index};

	return cfg_source_add(s, &node, label, (int)config_setting_source_line(v));
}

/* One string where a list of them may stand. */
static void
read_one(struct cfg_source *s, const config_setting_t *v, const struct cfg_option *o, void *obj, size_t node)
{
	char **array = cfg_zalloc(1, sizeof(*array));

	array[0] = cfg_strdup(string_of(v));
	*(void **)cfg_field(obj, o->offset) = array;
	*(size_t *)cfg_field(obj, o->count) = 1;
	add_element(s, v, o, obj, 0, NULL, node);
}

/* Strings and addresses: the elements are values. */
static void
read_scalars(struct cfg_source *s, const config_setting_t *v, const struct cfg_option *o, void *obj,
	     size_t node)
{
	size_t n;
	void *array;

	if (o->one && string_of(v)) {
		read_one(s, v, o, obj, node);
		return;
	}
	if (!is_list(v)) {
		wrong_type(s, v, o, node);
		return;
	}
	n = count_elements(s, v, o, node);
	if (n == 0)
		return;
	array = cfg_zalloc(n, o->size);
	*(void **)cfg_field(obj, o->offset) = array;
	*(size_t *)cfg_field(obj, o->count) = n;
	for (size_t i = 0; i < n; i++) {
		const config_setting_t *e = config_setting_get_elem(v, (unsigned)i);
		size_t child = add_element(s, e, o, obj, (int)i, NULL, node);
		const char *text;
		char buf[WANTED_TEXT];

		if (o->type == CFG_TYPE_IPS) {
			read_ip(s, e, o, (struct ip_addr *)array + i, child);
			continue;
		}
		text = string_of(e);
		if (!text)
			cfg_source_error(s, child, "is %s: %s", type_name(e), element_remedy(o, buf));
		((char **)array)[i] = cfg_strdup(text ? text : "");
	}
}

/* The name that addresses an element of a list: its option "name", when that can be read. */
static const char *
element_name(const config_setting_t *e, const struct cfg_option *list)
{
	const struct cfg_option *o = cfg_option_find(list->sub, "", "name");
	const config_setting_t *v = NULL;
	const char *text;

	if (o && config_setting_is_group(e))
		v = config_setting_get_member(e, "name");
	text = v ? string_of(v) : NULL;
	return text && text[0] && !bad_syntax(o->syntax, text) ? text : NULL;
}

/* One element of a list of groups or of a group of named groups. */
static void
read_element(struct cfg_source *s, const config_setting_t *e, const struct cfg_option *list, void *obj,
	     int index, size_t parent)
{
	const struct cfg_option *shorthand = cfg_option_shorthand(list->sub);
	const char *name = config_setting_name(e);
	size_t node;

	node = add_element(s, e, NULL, obj, index, name ? name : element_name(e, list), parent);
	cfg_option_defaults(list->sub, obj);
	if (name && bad_syntax(CFG_SYNTAX_NAME, name))
		cfg_source_error(s, node, "the name %s: write another", bad_syntax(CFG_SYNTAX_NAME, name));
	else if (name && !str_copy(obj, LIMIT_NAME, name))
		cfg_source_error(s, node, "the name is %zu octets long: write at most %d", strlen(name),
				 LIMIT_NAME - 1);
	if (config_setting_is_group(e))
		read_group(s, e, list->sub, "", obj, node);
	else if (shorthand && string_of(e))
		read_value(s, e, shorthand, obj, node);
	else
		cfg_source_error(s, node, "is %s: write a group%s as in %s", type_name(e),
				 shorthand ? " or a string" : "", list->example);
}

static void
read_elements(struct cfg_source *s, const config_setting_t *v, const struct cfg_option *o, void *obj,
	      size_t node)
{
	bool right = o->type == CFG_TYPE_NAMED ? config_setting_is_group(v) : is_list(v);
	size_t n;
	char *array;

	if (!right) {
		wrong_type(s, v, o, node);
		return;
	}
	n = count_elements(s, v, o, node);
	if (n == 0)
		return;
	array = cfg_zalloc(n, o->size);
	*(void **)cfg_field(obj, o->offset) = array;
	*(size_t *)cfg_field(obj, o->count) = n;
	for (size_t i = 0; i < n; i++)
		read_element(s, config_setting_get_elem(v, (unsigned)i), o, array + i * o->size, (int)i, node);
}

static void
read_value(struct cfg_source *s, const config_setting_t *v, const struct cfg_option *o, void *obj, size_t node)
{
	void *field = cfg_field(obj, o->offset);
	const char *text;

	if (o->flag)
		*(bool *)cfg_field(obj, o->flag - 1) = true;
	switch (o->type) {
	case CFG_TYPE_BOOL:
		if (config_setting_type(v) == CONFIG_TYPE_BOOL)
			*(bool *)field = config_setting_get_bool(v) != 0;
		else
			wrong_type(s, v, o, node);
		return;
	case CFG_TYPE_INT:
		read_int(s, v, o, field, node);
		return;
	case CFG_TYPE_DURATION:
		read_duration(s, v, o, field, node);
		return;
	case CFG_TYPE_WORD:
		read_word(s, v, o, field, node);
		return;
	case CFG_TYPE_TEXT:
		text = read_text(s, v, o, o->size - 1, node);
		if (text)
			str_copy(field, o->size, text);
		return;
	case CFG_TYPE_STRING:
		text = read_text(s, v, o, (size_t)o->max, node);
		if (!text)
			return;
		free(*(char **)field);
		*(char **)field = cfg_strdup(text);
		return;
	case CFG_TYPE_IP:
		read_ip(s, v, o, field, node);
		return;
	case CFG_TYPE_PREFIX:
		read_prefix(s, v, o, field, node);
		return;
	case CFG_TYPE_GROUP:
		if (config_setting_is_group(v))
			read_group(s, v, o->scope, o->path, obj, node);
		else
			wrong_type(s, v, o, node);
		return;
	case CFG_TYPE_NAMED:
	case CFG_TYPE_LIST:
		read_elements(s, v, o, obj, node);
		return;
	case CFG_TYPE_STRINGS:
	case CFG_TYPE_IPS:
		read_scalars(s, v, o, obj, node);
		return;
	case CFG_TYPE_COUNT:
		return;
	}
}

static void
unknown(struct cfg_source *s, size_t node, enum cfg_scope scope, const char *prefix, const char *name)
{
	const char *meant = cfg_option_suggest(scope, prefix, name);
	char buf[WANTED_TEXT];
	struct strbuf b;

	if (meant) {
		cfg_source_error(s, node, "unknown option: did you mean \"%s\"?", meant);
		return;
	}
	strbuf_init(&b, buf, sizeof(buf));
	cfg_option_names(scope, prefix, &b);
	cfg_source_error(s, node, "unknown option: remove it (known here: %s)", buf);
}

/* Required options that every object of the scope has; those of some only are a rule (option_applies). */
static void
report_missing(struct cfg_source *s, const config_setting_t *group, enum cfg_scope scope, const char *prefix,
	       const void *obj, size_t node)
{
	const struct cfg_option *o;
	char buf[WANTED_TEXT];
	const char *name;

	for (size_t i = 0; (o = cfg_option_at(i)); i++) {
		struct cfg_node missing = {.parent = node, .obj = obj, .opt = o, .index = -1, .missing = true};

		/* Those of some modes are a rule's (option_applies); a group that is written wants its own. */
		if (!o->required || (o->only != CFG_ONLY_ALL && prefix[0] == '\0') || o->kinds != 0 || !cfg_option_below(o, scope, prefix, &name))
			continue;
		if (config_setting_get_member(group, name))
			continue;
		missing.file = s->nodes[node].file;
		missing.line = s->nodes[node].line;
		cfg_source_error(s, cfg_source_add(s, &missing, NULL, 0), "is missing: %s", remedy(o, buf));
	}
}

static void
read_group(struct cfg_source *s, const config_setting_t *group, enum cfg_scope scope, const char *prefix,
	   void *obj, size_t node)
{
	int n = config_setting_length(group);

	for (int i = 0; i < n; i++) {
		const config_setting_t *v = config_setting_get_elem(group, (unsigned)i);
		const char *name = config_setting_name(v);
		const struct cfg_option *o = cfg_option_find(scope, prefix, name);
		size_t child = add_element(s, v, o, o ? obj : NULL, -1, o ? NULL : name, node);

		if (o)
			read_value(s, v, o, obj, child);
		else
			unknown(s, child, scope, prefix, name);
	}
	report_missing(s, group, scope, prefix, obj, node);
}

/* What to do about an error of libconfig's parser. */
static const char *
syntax_remedy(const char *text)
{
	if (strcmp(text, "duplicate setting name") == 0)
		return "remove one of the two settings of that name";
	if (strcmp(text, "mismatched element type in array") == 0)
		return "write ( ) around values of different types, [ ] only around values of one type";
	return "look on this line and the one before it for a missing or doubled ; a missing quote or bracket, or a word "
	       "that needs quotes";
}

int
cfg_read(struct cfg_source *s, struct cfg *c)
{
	struct cfg_node whole = {.parent = CFG_NO_NODE, .obj = c, .index = -1};
	CLEANUP(config_destroy) config_t config;
	const char *text;
	size_t line;

	config_init(&config);
	if (!config_read_string(&config, s->text.data)) {
		line = MIN((size_t)MAX(config_error_line(&config), 1), s->text.n_lines) - 1;
		text = config_error_text(&config) ? config_error_text(&config) : "syntax error";
		cfg_source_fail(s, s->text.lines[line].file, s->text.lines[line].line, "%s: %s", text,
				syntax_remedy(text));
		return -EINVAL;
	}
	read_group(s, config_root_setting(&config), CFG_SCOPE_ROOT, "", c, cfg_source_add(s, &whole, NULL, 1));
	return 0;
}
