/*
 * complete_fish.c - the script for fish; see complete.h.
 *
 * Runs in vrrpctl.
 */
#include "ctl/complete.h"

#include <string.h>

#define QUOTE "\\'"

static const char head[] =
	"# fish completion for vrrpctl and vrrpd: made by `vrrpctl completion fish`\n"
	"\n"
	"# What stands in front of the cursor: the verb, how many operands, and which daemon is meant.\n"
	"function __vrrpctl_read\n"
	"    set -g __vrrpctl_verb ''\n"
	"    set -g __vrrpctl_operands 0\n"
	"    set -g __vrrpctl_where\n"
	"    set -l wants ''\n"
	"    set -l words (commandline -opc)\n"
	"    set -e words[1]\n"
	"    for word in $words\n"
	"        if test -n \"$wants\"\n"
	"            if contains -- $wants --run-dir --socket\n"
	"                set __vrrpctl_where $wants (string replace -r '^~' $HOME -- $word)\n"
	"            end\n"
	"            set wants ''\n"
	"            continue\n"
	"        end\n"
	"        switch \"$__vrrpctl_verb:$word\"\n"
	"            case ':--run-dir=*' ':--socket=*'\n"
	"                set __vrrpctl_where (string replace -r '=~' =$HOME -- $word)\n";

static const char tail[] =
	"            case '*:-*'\n"
	"            case ':*'\n"
	"                set __vrrpctl_verb $word\n"
	"            case '*'\n"
	"                set __vrrpctl_operands (math $__vrrpctl_operands + 1)\n"
	"        end\n"
	"    end\n"
	"end\n"
	"\n"
	"# Is this the verb, after so many operands?\n"
	"function __vrrpctl_at\n"
	"    __vrrpctl_read\n"
	"    test \"$__vrrpctl_verb\" = \"$argv[1]\"; and test $__vrrpctl_operands -eq $argv[2]\n"
	"end\n"
	"\n"
	"# Is this the verb?\n"
	"function __vrrpctl_in\n"
	"    __vrrpctl_read\n"
	"    test \"$__vrrpctl_verb\" = \"$argv[1]\"\n"
	"end\n"
	"\n"
	"# Instances or checks, from the daemon that is meant.\n"
	"function __vrrpctl_names\n"
	"    __vrrpctl_read\n"
	"    set -l words (commandline -opc)\n"
	"    set -l program (string replace -r '^~' $HOME -- $words[1])\n"
	"    type -q $program; or return\n"
	"    $program $__vrrpctl_where completion --names $argv[1] 2>/dev/null\n"
	"end\n"
	"\n"
	"complete -c vrrpctl -f\n"
	"complete -c vrrpd -f\n";

/* Those that take a word, as patterns of VERB:WORD. */
static void
put_wanting(FILE *f, const char *verb, const struct option_def *options, size_t n)
{
	char name[32];

	for (size_t i = 0; i < n; i++)
		if (options[i].value.type != TOKEN_NONE)
			fprintf(f, "            case '%s:%s'\n                set wants $word\n", verb,
				complete_option(&options[i], name, sizeof(name)));
}

/* What a token may be, as arguments of `complete`. */
static void
put_offer(FILE *f, const struct token *t)
{
	const char *words = complete_words(t);

	if (words != NULL)
		fprintf(f, " -a '%s'", words);
	else if (t->type == TOKEN_INSTANCE)
		fputs(" -a '(__vrrpctl_names instances)'", f);
	else if (t->type == TOKEN_CHECK)
		fputs(" -a '(__vrrpctl_names checks)'", f);
	else if (t->type == TOKEN_DIR)
		fputs(" -a '(__fish_complete_directories)'", f);
}

static void
put_option(FILE *f, const char *program, const char *condition, const struct option_def *o)
{
	fprintf(f, "complete -c %s", program);
	if (condition[0] != '\0')
		fprintf(f, " -n '%s'", condition);
	if (o->letter != 0)
		fprintf(f, " -s %c", o->letter);
	if (o->name != NULL)
		fprintf(f, " -l %s", o->name);
	if (o->value.type == TOKEN_FILE)
		fputs(" -r -F", f);
	else if (o->value.type != TOKEN_NONE)
		fputs(" -x", f);
	if (o->value.type != TOKEN_NONE)
		put_offer(f, &o->value);
	fputs(" -d '", f);
	complete_quoted(f, o->help, QUOTE, "\\");
	fputs("'\n", f);
}

static void
put_verb(FILE *f, const struct verb *v)
{
	char condition[64];

	fprintf(f, "\ncomplete -c vrrpctl -n '__vrrpctl_at \"\" 0' -a %s -d '", v->name);
	complete_quoted(f, v->help, QUOTE, "\\");
	fputs("'\n", f);
	snprintf(condition, sizeof(condition), "__vrrpctl_in %s", v->name);
	for (size_t i = 0; i < verb_options(v); i++)
		put_option(f, "vrrpctl", condition, &v->options[i]);
	for (size_t i = 0; i < verb_operands(v); i++) {
		fprintf(f, "complete -c vrrpctl -n '__vrrpctl_at %s %zu'", v->name, i);
		put_offer(f, &v->operands[i]);
		fputc('\n', f);
	}
}

void
complete_fish(FILE *f)
{
	fputs(head, f);
	put_wanting(f, "", ctl_globals, ctl_n_globals);
	for (size_t i = 0; i < ctl_n_verbs; i++)
		put_wanting(f, ctl_verbs[i].name, ctl_verbs[i].options, verb_options(&ctl_verbs[i]));
	fputs(tail, f);
	for (size_t i = 0; i < ctl_n_globals; i++)
		put_option(f, "vrrpctl", "__vrrpctl_at \"\" 0", &ctl_globals[i]);
	for (size_t i = 0; i < ctl_n_verbs; i++)
		put_verb(f, &ctl_verbs[i]);
	fputc('\n', f);
	for (size_t i = 0; i < ctl_n_daemon_options; i++)
		put_option(f, "vrrpd", "", &ctl_daemon_options[i]);
}
