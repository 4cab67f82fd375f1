/*
 * cfg_rules_check.c - rules across the options of one health check; run by cfg_check.c in the parent.
 */
#include "config/cfg_int.h"

#include <string.h>

#include "base/duration.h"

/* Options of another kind, and required ones of this kind. */
static void
option_applies(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *check = obj;
	const struct cfg_option *kinds = cfg_option_find(CFG_SCOPE_CHECK, "", "kind");
	const char *own = kinds->words[check->kind];
	const struct cfg_option *o;

	(void)c;
	for (size_t i = 0; (o = cfg_option_at(i)); i++) {
		char buf[512] = "";
		struct strbuf b;
		bool written;

		if (o->scope != CFG_SCOPE_CHECK || o->kinds == 0)
			continue;
		written = cfg_source_written(s, obj, o->path);
		strbuf_init(&b, buf, sizeof(buf));
		cfg_option_wanted(o, &b);
		if (written && !cfg_option_applies(o, obj)) {
			char others[256] = "";
			struct strbuf list;
			unsigned n = 0;

			strbuf_init(&list, others, sizeof(others));
			for (unsigned k = 0; k < CFG_CHECK_KIND_COUNT; k++)
				if (o->kinds & 1u << k)
					strbuf_addf(&list, "%s\"%s\"", n++ > 0 ? ", " : "", kinds->words[k]);
			cfg_source_at(
				s, obj, o->path, -1,
				"belongs to checks of kind %s, this one is \"%s\": remove it, or write %s%s",
				others, own, n == 1 ? "kind = " : "another kind", n == 1 ? others : "");
		} else if (!written && o->required && cfg_option_applies(o, obj)) {
			cfg_source_at(s, obj, o->path, -1, "is missing: write %s", buf);
		}
	}
}

static void
timeout_within_interval(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *check = obj;
	char timeout[DURATION_TEXT], interval[DURATION_TEXT];

	(void)c;
	if (check->timeout <= check->interval)
		return;
	cfg_source_at(s, obj, "timeout", -1,
		      "\"%s\" is longer than the interval \"%s\", so runs would overlap: write at most \"%s\", "
		      "or a longer "
		      "interval",
		      duration_format(check->timeout, timeout),
		      duration_format(check->interval, interval), interval);
}

static void
command(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *check = obj;
	const struct cfg_command command = {.n = check->n_command, .words = check->command};

	(void)c;
	cfg_rule_command(s, obj, "command", &command, check->user);
}

static void
user_exists(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *check = obj;

	(void)c;
	cfg_rule_user(s, obj, "user", check->user);
}

/* RFC 9110 5.1: a header's name. */
static bool
is_header_name(const char *text)
{
	return *text != '\0' && text[strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
						  "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

/* Names with dots between them. */
static bool
is_json_path(const char *text)
{
	size_t n = strlen(text);

	return n > 0 && text[0] != '.' && text[n - 1] != '.' && strstr(text, "..") == NULL;
}

static void
score_source(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *k = obj;
	bool json;

	(void)c;
	if (k->score == NULL || (k->kind != CFG_CHECK_SCRIPT && k->kind != CFG_CHECK_HTTP))
		return;
	if (k->kind == CFG_CHECK_SCRIPT) {
		if (strcmp(k->score, "output") != 0)
			cfg_source_at(s, obj, "score", -1,
				      "\"%s\" is nothing that a script reports: write \"output\"", k->score);
		return;
	}
	json = strncmp(k->score, "json ", 5) == 0;
	if (json ? !is_json_path(k->score + 5)
		 : strncmp(k->score, "header ", 7) != 0 || !is_header_name(k->score + 7))
		cfg_source_at(s, obj, "score", -1,
			      "\"%s\" names nothing in an answer: write e.g. \"header X-Load\" or \"json load.cpu\"",
			      k->score);
	else if (json && strcmp(k->method, "HEAD") == 0)
		cfg_source_at(s, obj, "score", -1,
			      "\"%s\" is in the body, which an answer to HEAD has not: write method = \"GET\", or a "
			      "header",
			      k->score);
}

/* Options that mean something only together with scale. */
static void
graded_by_scale(struct cfg_source *s, struct cfg *c, void *obj)
{
	static const char *const dependent[] = {"score", "hysteresis", "decay", "warmup"};
	const struct cfg_check *k = obj;

	(void)c;
	if (cfg_source_written(s, obj, "scale")) {
		if (k->scale == 0)
			cfg_source_at(s, obj, "scale", -1,
				      "0 changes nothing: write a number from -253 to 253, or remove it");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(dependent); i++) {
		if (!cfg_source_written(s, obj, dependent[i]) || cfg_source_bad(s, obj, dependent[i]))
			continue;
		cfg_source_at(s, obj, "scale", -1,
			      "is missing beside %s: write the change of the priority at score 100, e.g. -50, or "
			      "remove %s",
			      dependent[i], dependent[i]);
		return;
	}
}

static void
one_weight(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *k = obj;

	(void)c;
	if (k->scale == 0)
		return;
	if (k->kind == CFG_CHECK_SCRIPT && k->weight_from != CFG_WEIGHT_FROM_NONE)
		cfg_source_at(s, obj, "scale", -1,
			      "stands beside weight_from, which says the weight already: remove one of them");
	else if (k->kind == CFG_CHECK_FILE && k->content == CFG_FILE_NUMBER)
		cfg_source_at(s, obj, "scale", -1,
			      "stands beside content = \"number\", which is the weight already: remove one of them");
}

static const struct cfg_rule rules[] = {
	{"option_applies", CFG_SCOPE_CHECK, {"kind"}, option_applies},
	{"timeout_within_interval", CFG_SCOPE_CHECK, {"timeout", "interval"}, timeout_within_interval},
	{"command", CFG_SCOPE_CHECK, {"command", "user"}, command},
	{"user_exists", CFG_SCOPE_CHECK, {"user"}, user_exists},
	{"score_source", CFG_SCOPE_CHECK, {"kind", "score", "method"}, score_source},
	{"graded_by_scale", CFG_SCOPE_CHECK, {"scale"}, graded_by_scale},
	{"one_weight", CFG_SCOPE_CHECK, {"scale", "weight_from", "content"}, one_weight},
};

const struct cfg_rule *
cfg_rules_check(size_t i)
{
	return i < ARRAY_SIZE(rules) ? &rules[i] : NULL;
}
