/*
 * cmd_text.c - verbs that print a text of the API: metrics, config; as it is, or inside JSON.
 *
 * Runs in vrrpctl.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "ctl/ctl_client.h"
#include "ctl/ctl_verbs.h"

/* The text as JSON; NULL when it is not what it should be. It may be written to. */
typedef json_t *as_json_fn(char *text);

/* ---- Prometheus' text format ----------------------------------------------------------------- */

/* A label's value up to its closing quote, backslashes undone in place; *p moves behind the quote. */
static const char *
label_value(char **p)
{
	char *from = *p, *to = *p, *start = *p;

	for (; *from != '\0' && *from != '"'; from++) {
		if (*from == '\\' && from[1] != '\0') {
			from++;
			*to++ = *from == 'n' ? '\n' : *from;
		} else {
			*to++ = *from;
		}
	}
	if (*from == '\0')
		return NULL;
	*p = from + 1;
	*to = '\0';
	return start;
}

/* {name="value",...} behind the opening bracket; *p moves behind the closing one. NULL when it is broken. */
static json_t *
read_labels(char **p)
{
	json_t *labels = json_object();

	while (**p != '}') {
		char *name = *p;
		const char *value;

		*p += strcspn(*p, "=}");
		if ((*p)[0] != '=' || (*p)[1] != '"')
			break;
		**p = '\0';
		*p += 2;
		value = label_value(p);
		if (value == NULL)
			break;
		json_object_set_new(labels, name, json_string(value));
		if (**p == ',')
			(*p)++;
	}
	if (**p == '}') {
		(*p)++;
		return labels;
	}
	json_decref(labels);
	return NULL;
}

/* JSON has neither NaN nor infinity: they become null. Counters stay whole numbers. */
static json_t *
read_value(const char *text)
{
	char *end;
	long long whole;
	double value;

	whole = strtoll(text, &end, 10);
	if (end != text && *end == '\0')
		return json_integer(whole);
	value = strtod(text, &end);
	if (end == text || *end != '\0')
		return NULL;
	return isfinite(value) ? json_real(value) : json_null();
}

/* The type of the family; the series of a histogram or a summary have endings of their own. */
static json_t *
type_of(const json_t *types, const char *name)
{
	static const char *const endings[] = {"_bucket", "_sum", "_count"};
	json_t *type = json_object_get(types, name);
	char family[256];

	for (size_t i = 0; type == NULL && i < ARRAY_SIZE(endings); i++) {
		size_t n = strlen(name), tail = strlen(endings[i]);

		if (n <= tail || n >= sizeof(family) || strcmp(name + n - tail, endings[i]) != 0)
			continue;
		memcpy(family, name, n - tail);
		family[n - tail] = '\0';
		type = json_object_get(types, family);
	}
	return type != NULL ? json_incref(type) : json_string("untyped");
}

static json_t *
read_sample(char *line, const json_t *types)
{
	json_t *labels, *value;
	char *p = line + strcspn(line, "{ ");
	bool labelled = *p == '{';

	if (*p == '\0')
		return NULL;
	*p++ = '\0';
	labels = labelled ? read_labels(&p) : json_object();
	p += strspn(p, " ");
	value = labels != NULL ? read_value(p) : NULL;
	if (value == NULL) {
		json_decref(labels);
		return NULL;
	}
	return json_pack("{s:s, s:o, s:o, s:o}", "name", line, "labels", labels, "value", value, "type",
			 type_of(types, line));
}

/* "# TYPE name type" */
static void
read_type(char *line, json_t *types)
{
	char *save = NULL, *name, *type;

	strtok_r(line, " ", &save);
	if (strcmp(strtok_r(NULL, " ", &save) ?: "", "TYPE") != 0)
		return;
	name = strtok_r(NULL, " ", &save);
	type = strtok_r(NULL, " ", &save);
	if (name != NULL && type != NULL)
		json_object_set_new(types, name, json_string(type));
}

static json_t *
metrics_json(char *text)
{
	json_t *list = json_array(), *types = json_object();
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		if (line[0] == '#')
			read_type(line, types);
		else if (json_array_append_new(list, read_sample(line, types)) != 0) {
			json_decref(list);
			list = NULL;
			break;
		}
	}
	json_decref(types);
	return list;
}

static json_t *
config_json(char *text)
{
	return json_pack("{s:s}", "config", text);
}

/* ---- the verbs ------------------------------------------------------------------------------- */

static int
print_json(json_t *j)
{
	if (j == NULL) {
		fputs("vrrpctl: the daemon's text cannot be understood: is it of another version?\n", stderr);
		return CTL_UNFIT;
	}
	json_dumpf(j, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(j);
	return CTL_OK;
}

static int
print_text(struct ctl *c, int argc, char **argv, const char *path, as_json_fn *as_json)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	struct ctl_args args;
	json_t *j = NULL;
	int status = ctl_args_read(argc, argv, &args);

	if (status >= 0)
		return status;
	status = ctl_get(c, path, &r);
	if (status != CTL_OK)
		return status;
	if (r.status != 200) {
		status = ctl_reply_json(&r, &j);
		json_decref(j);
		return status;
	}
	if (args.given[OPT_JSON])
		return print_json(as_json(r.body));
	fwrite(r.body, 1, r.len, stdout);
	return CTL_OK;
}

int
cmd_metrics(struct ctl *c, int argc, char **argv)
{
	return print_text(c, argc, argv, "/metrics", metrics_json);
}

int
cmd_config(struct ctl *c, int argc, char **argv)
{
	return print_text(c, argc, argv, "/v1/config", config_json);
}
