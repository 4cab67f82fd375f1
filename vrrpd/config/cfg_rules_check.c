/*
 * cfg_rules_check.c - rules across the options of one health check; run by cfg_check.c in the parent.
 *
 * Looks at the command's file and at the user data base of this host; runs nothing.
 */
#include "config/cfg_int.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
command_size(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *check = obj;
	size_t octets = 0;

	(void)c;
	for (size_t i = 0; i < check->n_command; i++)
		octets += strlen(check->command[i]) + 1;
	if (octets > LIMIT_COMMAND_BYTES)
		cfg_source_at(s, obj, "command", -1,
			      "is %zu octets long: write at most %d, or put it into a script",
			      octets - check->n_command, LIMIT_COMMAND_BYTES - (int)check->n_command);
}

/* command[0]: an absolute path to a program that only root or its owner can change. */
static void
command_file(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *check = obj;
	const char *file = check->n_command > 0 ? check->command[0] : NULL;
	struct stat st;

	(void)c;
	if (!file || cfg_source_find(s, obj, "command", 0) == CFG_NO_NODE ||
	    s->nodes[cfg_source_find(s, obj, "command", 0)].bad)
		return;
	if (file[0] != '/')
		cfg_source_at(s, obj, "command", 0,
			      "\"%s\" is no absolute path: write the path with its leading /", file);
	else if (stat(file, &st) < 0)
		cfg_source_at(s, obj, "command", 0,
			      "\"%s\" cannot be used: %s: write the path of an existing program", file,
			      strerror(errno));
	else if (!S_ISREG(st.st_mode))
		cfg_source_at(s, obj, "command", 0, "\"%s\" is no regular file: write the path of a program",
			      file);
	else if ((st.st_mode & 0111) == 0)
		cfg_source_at(s, obj, "command", 0, "\"%s\" is not executable: run chmod 755 %s", file, file);
	else if ((st.st_mode & 022) != 0)
		cfg_source_at(s, obj, "command", 0,
			      "\"%s\" can be changed by others than its owner (mode %04o): run chmod go-w %s",
			      file, (unsigned)st.st_mode & 07777, file);
}

/* What root runs, nobody else may change: not the program, nor a folder or link on the way to it. */
static void
command_owner(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *check = obj;
	const struct passwd *user = check->user ? getpwnam(check->user) : NULL;
	const char *file = check->n_command > 0 ? check->command[0] : "";
	char which[PATH_MAX], where[PATH_MAX + 32] = "it";
	struct stat st;

	(void)c;
	/* What cannot be looked at is command_file()'s. */
	if (!user || user->pw_uid != 0 || cfg_root_file(file, which, &st) != 1)
		return;
	if (S_ISREG(st.st_mode) && st.st_uid == 0)
		return; /* its mode: command_file() again */
	if (strcmp(which, file) != 0)
		snprintf(where, sizeof(where), "%s %s",
			 S_ISDIR(st.st_mode)   ? "the folder"
			 : S_ISLNK(st.st_mode) ? "the link"
					       : "the file",
			 which);
	if (st.st_uid != 0)
		cfg_source_at(
			s, obj, "command", 0,
			"\"%s\" would run as root but %s belongs to user %u: run chown %sroot %s, or write "
			"another user",
			file, where, (unsigned)st.st_uid, S_ISLNK(st.st_mode) ? "-h " : "", which);
	else
		cfg_source_at(
			s, obj, "command", 0,
			"\"%s\" would run as root but %s can be changed by others (mode %04o): run chmod go-w "
			"%s, or write another user",
			file, where, (unsigned)st.st_mode & 07777, which);
}

static void
user_exists(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *check = obj;

	(void)c;
	if (check->user && !getpwnam(check->user))
		cfg_source_at(s, obj, "user", -1,
			      "there is no user \"%s\": write the name of one, or create it", check->user);
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
	{"command_size", CFG_SCOPE_CHECK, {"command"}, command_size},
	{"command_file", CFG_SCOPE_CHECK, {"command"}, command_file},
	{"command_owner", CFG_SCOPE_CHECK, {"command", "user"}, command_owner},
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
