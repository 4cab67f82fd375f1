/*
 * ctl_help.c - usage lines and help, made from the table of verbs; verb help.
 *
 * Runs in vrrpctl.
 */
#include "ctl/ctl_help.h"

#include <jansson.h>
#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "ctl/ctl_verbs.h"

#define HELP_COLUMN   31 /* where the help of verbs begins */
#define OPTION_COLUMN 19
#define EXIT_TEXT                                                                                              \
	"Exit status: 0 all well, 1 something is unfit or the daemon reports an error,\n"                      \
	"2 wrong usage, 3 no such instance, 4 the daemon cannot be reached.\n"

/* ---- pieces ---------------------------------------------------------------------------------- */

/* "-n N", "--for TIME", "-f, --file FILE" */
static void
add_option(struct strbuf *b, const struct option_def *o)
{
	if (o->letter != 0)
		strbuf_addf(b, "-%c%s", o->letter, o->name != NULL ? ", " : "");
	if (o->name != NULL)
		strbuf_addf(b, "--%s", o->name);
	if (o->value.meta != NULL)
		strbuf_addf(b, " %s", o->value.meta);
}

/* "NAME|--all", "[NAME]", "NAME N|reset" */
static void
add_operands(struct strbuf *b, const struct verb *v)
{
	for (size_t i = 0; i < verb_operands(v); i++)
		strbuf_addf(b, i < v->needed ? " %s" : " [%s]", v->operands[i].meta);
	for (size_t i = 0; i < verb_options(v); i++) {
		if (!v->options[i].instead)
			continue;
		strbuf_addf(b, "|");
		add_option(b, &v->options[i]);
	}
}

static const char *
usage_line(const struct verb *v, char *buf, size_t size)
{
	struct strbuf b;

	strbuf_init(&b, buf, size);
	strbuf_addf(&b, "vrrpctl %s", v->name);
	for (size_t i = 0; i < verb_options(v); i++) {
		if (v->options[i].instead)
			continue;
		strbuf_addf(&b, " [");
		add_option(&b, &v->options[i]);
		strbuf_addf(&b, "]");
	}
	add_operands(&b, v);
	return buf;
}

static void
print_option(FILE *f, const struct option_def *o)
{
	char text[128];
	struct strbuf b;

	strbuf_init(&b, text, sizeof(text));
	add_option(&b, o);
	/* A long one has a line to itself. */
	if (b.len + 4 > OPTION_COLUMN)
		fprintf(f, "  %s\n%*s%s\n", text, OPTION_COLUMN, "", o->help);
	else
		fprintf(f, "  %-*s%s\n", OPTION_COLUMN - 2, text, o->help);
}

/* ---- the texts ------------------------------------------------------------------------------- */

int
ctl_usage(const char *verb)
{
	char line[256];

	fprintf(stderr, "usage: %s\n", usage_line(verb_find(verb), line, sizeof(line)));
	return CTL_USAGE;
}

void
help_print(FILE *f)
{
	fputs("usage: vrrpctl [--run-dir DIR | --socket PATH] VERB\n\n", f);
	for (size_t i = 0; i < ctl_n_verbs; i++) {
		const struct verb *v = &ctl_verbs[i];
		char text[128];
		struct strbuf b;

		strbuf_init(&b, text, sizeof(text));
		strbuf_addf(&b, "%s", v->name);
		if (v->run != cmd_completion) /* its words are for those who install it */
			add_operands(&b, v);
		fprintf(f, "  %-*s%s\n", HELP_COLUMN - 2, text, v->help);
	}
	fputs("\nvrrpctl help VERB tells the options of a verb: -j for JSON, --for 10m, --wait, ...\n\n", f);
	for (size_t i = 0; i < ctl_n_globals; i++)
		print_option(f, &ctl_globals[i]);
	fputs("\n" EXIT_TEXT, f);
}

int
help_unknown_verb(const char *name)
{
	fprintf(stderr, "vrrpctl: there is no verb \"%s\"; there are:", name);
	for (size_t i = 0; i < ctl_n_verbs; i++)
		fprintf(stderr, " %s", ctl_verbs[i].name);
	fputc('\n', stderr);
	return CTL_USAGE;
}

static void
print_verb(const struct verb *v)
{
	char line[256];

	printf("usage: %s\n\n%s\n", usage_line(v, line, sizeof(line)), v->help);
	if (verb_options(v) > 0)
		putchar('\n');
	for (size_t i = 0; i < verb_options(v); i++)
		print_option(stdout, &v->options[i]);
	if (v->more != NULL)
		printf("\n%s", v->more);
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static const char *
type_name(enum token_type t)
{
	static const char *const names[] = {
		[TOKEN_INSTANCE] = "instance", [TOKEN_CHECK] = "check",	      [TOKEN_VERB] = "verb",
		[TOKEN_NUMBER] = "number",     [TOKEN_SECONDS] = "seconds",   [TOKEN_DURATION] = "duration",
		[TOKEN_PRIORITY] = "priority", [TOKEN_WORD] = "word",	      [TOKEN_DIR] = "folder",
		[TOKEN_FILE] = "file",	       [TOKEN_NONE] = NULL,
	};

	return names[t];
}

static json_t *
options_json(const struct option_def *options, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct option_def *o = &options[i];
		char letter[2] = {o->letter, '\0'};

		json_array_append_new(list, json_pack("{s:s*, s:s*, s:s*, s:s*, s:s}", "letter",
						      o->letter != 0 ? letter : NULL, "name", o->name, "value",
						      o->value.meta, "type", type_name(o->value.type), "help",
						      o->help));
	}
	return list;
}

static json_t *
verb_json(const struct verb *v)
{
	json_t *operands = json_array();
	char line[256];

	for (size_t i = 0; i < verb_operands(v); i++)
		json_array_append_new(operands, json_pack("{s:s, s:s, s:b}", "name", v->operands[i].meta, "type",
							  type_name(v->operands[i].type), "needed", i < v->needed));
	return json_pack("{s:s, s:s, s:s, s:s*, s:o, s:o}", "name", v->name, "usage",
			 usage_line(v, line, sizeof(line)), "help", v->help, "more", v->more, "options",
			 options_json(v->options, verb_options(v)), "operands", operands);
}

static json_t *
all_json(void)
{
	json_t *verbs = json_array();

	for (size_t i = 0; i < ctl_n_verbs; i++)
		json_array_append_new(verbs, verb_json(&ctl_verbs[i]));
	return json_pack("{s:s, s:o, s:o}", "exit", EXIT_TEXT, "options", options_json(ctl_globals, ctl_n_globals),
			 "verbs", verbs);
}

int
cmd_help(struct ctl *c, int argc, char **argv)
{
	const struct verb *v = NULL;
	struct ctl_args args;
	json_t *doc;
	int status = ctl_args_read(argc, argv, &args);

	(void)c;
	if (status >= 0)
		return status;
	if (args.n > 0 && (v = verb_find(args.operand[0])) == NULL)
		return help_unknown_verb(args.operand[0]);
	if (args.given[OPT_JSON]) {
		doc = v != NULL ? verb_json(v) : all_json();
		json_dumpf(doc, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(doc);
	} else if (v != NULL) {
		print_verb(v);
	} else {
		help_print(stdout);
	}
	return CTL_OK;
}
