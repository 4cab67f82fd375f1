/*
 * cmd_completion.c - verb completion: scripts for shells, and the names that those ask for.
 *
 * Runs in vrrpctl. A script knows every word of the table of verbs; instances and checks it asks the daemon for, each
 * time, by `vrrpctl completion --names`.
 */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "ctl/complete.h"
#include "ctl/ctl_client.h"
#include "ctl/ctl_doc.h"

#define DURATIONS "30s 10m 1h"

const char *
complete_words(const struct token *t)
{
	static char verbs[512];

	if (t->type == TOKEN_VERB && verbs[0] == '\0') {
		for (size_t i = 0, n = 0; i < ctl_n_verbs; i++)
			n += (size_t)snprintf(verbs + n, sizeof(verbs) - n, i > 0 ? " %s" : "%s", ctl_verbs[i].name);
	}
	switch (t->type) {
	case TOKEN_VERB:
		return verbs;
	case TOKEN_WORD:
		return t->words;
	case TOKEN_DURATION:
		return DURATIONS;
	case TOKEN_PRIORITY:
		return "reset";
	default:
		return NULL;
	}
}

const char *
complete_option(const struct option_def *o, char *buf, size_t size)
{
	if (o->name != NULL)
		snprintf(buf, size, "--%s", o->name);
	else
		snprintf(buf, size, "-%c", o->letter);
	return buf;
}

void
complete_quoted(FILE *f, const char *text, const char *quote, const char *more)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'') {
			fputs(quote, f);
			continue;
		}
		if (strchr(more, *text) != NULL)
			fputc('\\', f);
		fputc(*text, f);
	}
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Checks that any instance tracks, each once: an object whose keys they are. */
static json_t *
check_names(const json_t *instances)
{
	json_t *names = json_object();

	for (size_t i = 0; i < json_array_size(instances); i++) {
		const json_t *checks = json_object_get(json_array_get(instances, i), "checks");

		for (size_t k = 0; k < json_array_size(checks); k++) {
			const json_t *check = json_array_get(checks, k);

			if (doc_is(check, "kind", "check"))
				json_object_set_new(names, doc_text(check, "name"), json_true());
		}
	}
	return names;
}

static void
print_names(const json_t *instances, bool checks)
{
	json_t *names = check_names(instances);
	const char *name;
	json_t *value;

	if (checks) {
		json_object_foreach (names, name, value)
			puts(name);
	} else {
		for (size_t i = 0; i < json_array_size(instances); i++)
			puts(doc_text(json_array_get(instances, i), "name"));
	}
	json_decref(names);
}

/* Silent whatever is wrong: somebody is typing. */
static int
names(const struct ctl *base, bool checks)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	struct ctl c = *base;
	json_t *doc = NULL;

	c.err = fopen("/dev/null", "w");
	if (c.err == NULL)
		return CTL_OK;
	if (ctl_get(&c, "/v1/status", &r) == CTL_OK && ctl_reply_json(&r, &doc) == CTL_OK)
		print_names(json_object_get(doc, "instances"), checks);
	json_decref(doc);
	fclose(c.err);
	return CTL_OK;
}

int
cmd_completion(struct ctl *c, int argc, char **argv)
{
	static const struct {
		const char *shell;
		void (*print)(FILE *f);
	} shells[] = {{"bash", complete_bash}, {"zsh", complete_zsh}, {"fish", complete_fish}};
	struct ctl_args args;
	int status = ctl_args_read(argc, argv, &args);

	if (status >= 0)
		return status;
	if (args.given[OPT_NAMES])
		return names(c, strcmp(args.value[OPT_NAMES], "checks") == 0);
	for (size_t i = 0; i < ARRAY_SIZE(shells); i++)
		if (strcmp(shells[i].shell, args.operand[0]) == 0)
			shells[i].print(stdout);
	return CTL_OK;
}
