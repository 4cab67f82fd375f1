/*
 * cfg_rules_check.c - rules across the options of one health check; run by cfg_check.c in the parent.
 */
#include "config/cfg_int.h"

#include <string.h>

#include "config/cfg_duration.h"

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
	char timeout[CFG_DURATION_TEXT], interval[CFG_DURATION_TEXT];

	(void)c;
	if (check->timeout <= check->interval)
		return;
	cfg_source_at(s, obj, "timeout", -1,
		      "\"%s\" is longer than the interval \"%s\", so runs would overlap: write at most \"%s\", "
		      "or a longer "
		      "interval",
		      cfg_duration_format(check->timeout, timeout),
		      cfg_duration_format(check->interval, interval), interval);
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

static const struct cfg_rule rules[] = {
	{"option_applies", CFG_SCOPE_CHECK, {"kind"}, option_applies},
	{"timeout_within_interval", CFG_SCOPE_CHECK, {"timeout", "interval"}, timeout_within_interval},
	{"command", CFG_SCOPE_CHECK, {"command", "user"}, command},
	{"user_exists", CFG_SCOPE_CHECK, {"user"}, user_exists},
};

const struct cfg_rule *
cfg_rules_check(size_t i)
{
	return i < ARRAY_SIZE(rules) ? &rules[i] : NULL;
}
