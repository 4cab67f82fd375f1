/*
 * complete_bash.c - the script for bash; see complete.h.
 *
 * Runs in vrrpctl. Needs nothing of the package bash-completion, which merely loads it when it is first wanted.
 */
#include "ctl/complete.h"

static const char head[] =
	"# bash completion for vrrpctl and vrrpd: made by `vrrpctl completion bash`\n"
	"\n"
	"_vrrpctl()\n"
	"{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} program=${COMP_WORDS[0]/#\\~/$HOME}\n"
	"\tlocal verb='' wants='' type='' words='' options='' word i n=0\n"
	"\tlocal -a where=()\n"
	"\n"
	"\t# what stands in front of the cursor: verb, options that want a word, n operands\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\t[[ $word == '=' ]] && continue\n"
	"\t\tif [[ $wants ]]; then\n"
	"\t\t\tcase $wants in --run-dir | --socket) where=(\"$wants\" \"${word/#\\~/$HOME}\") ;; esac\n"
	"\t\t\twants=''\n"
	"\t\t\tcontinue\n"
	"\t\tfi\n"
	"\t\tcase $verb:$word in\n";

static const char middle[] =
	"\t\t*:-*) ;;\n"
	"\t\t:*) verb=$word ;;\n"
	"\t\t*) n=$((n + 1)) ;;\n"
	"\t\tesac\n"
	"\tdone\n"
	"\t[[ $cur == '=' ]] && cur=''\n"
	"\n"
	"\tcase $verb in\n";

static const char tail[] =
	"\tesac\n"
	"\t[[ $wants || ($cur != -* && ($type || $words)) ]] || { type='' words=$options; }\n"
	"\tCOMPREPLY=()\n"
	"\tcase $type in\n"
	"\tinstances | checks)\n"
	"\t\twords+=\" $(\"$program\" \"${where[@]}\" completion --names \"$type\" 2>/dev/null)\" ;;\n"
	"\tdir) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
	"\tfile) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
	"\tesac\n"
	"\t[[ $words ]] && mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	"\treturn 0\n"
	"}\n"
	"\n"
	"_vrrpd()\n"
	"{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} wants=${COMP_WORDS[COMP_CWORD - 1]} type='' words=''\n"
	"\n"
	"\t[[ $cur == '=' ]] && cur=''\n"
	"\t[[ $wants == '=' ]] && wants=${COMP_WORDS[COMP_CWORD - 2]}\n"
	"\tcase $wants in\n";

static const char end[] =
	"\tesac\n"
	"\tCOMPREPLY=()\n"
	"\tcase $type in\n"
	"\tdir) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
	"\tfile) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
	"\t*) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\") ;;\n"
	"\tesac\n"
	"\treturn 0\n"
	"}\n"
	"\n"
	"complete -F _vrrpctl vrrpctl\n"
	"complete -F _vrrpd vrrpd\n";

/* "type=dir" or "words='30s 10m 1h'" */
static void
put_offer(FILE *f, const struct token *t)
{
	const char *words = complete_words(t);

	if (words != NULL)
		fprintf(f, "words='%s'", words);
	else if (t->type == TOKEN_INSTANCE)
		fputs("type=instances", f);
	else if (t->type == TOKEN_CHECK)
		fputs("type=checks", f);
	else if (t->type == TOKEN_DIR)
		fputs("type=dir", f);
	else if (t->type == TOKEN_FILE)
		fputs("type=file", f);
	else
		fputs("type=none", f);
}

/* Those that take a word, as patterns of VERB:WORD. */
static void
put_wanting(FILE *f, const char *verb, const struct option_def *options, size_t n)
{
	char name[32];

	for (size_t i = 0; i < n; i++)
		if (options[i].value.type != TOKEN_NONE)
			fprintf(f, "\t\t'%s:%s') wants=$word ;;\n", verb, complete_option(&options[i], name, sizeof(name)));
}

static void
put_names(FILE *f, const struct option_def *options, size_t n)
{
	char name[32];

	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s%s", i > 0 ? " " : "", complete_option(&options[i], name, sizeof(name)));
}

static void
put_verb(FILE *f, const char *name, const struct option_def *options, size_t n_options, const struct token *operands,
	 size_t n_operands)
{
	char option[32];

	fprintf(f, "\t'%s')\n\t\toptions='", name);
	put_names(f, options, n_options);
	fputs("'\n\t\tcase ${wants:-$n} in\n", f);
	for (size_t i = 0; i < n_options; i++) {
		if (options[i].value.type == TOKEN_NONE)
			continue;
		fprintf(f, "\t\t%s) ", complete_option(&options[i], option, sizeof(option)));
		put_offer(f, &options[i].value);
		fputs(" ;;\n", f);
	}
	for (size_t i = 0; i < n_operands; i++) {
		fprintf(f, "\t\t%zu) ", i);
		put_offer(f, &operands[i]);
		fputs(" ;;\n", f);
	}
	fputs("\t\tesac ;;\n", f);
}

void
complete_bash(FILE *f)
{
	const struct token verb = {TOKEN_VERB, "VERB", NULL};

	fputs(head, f);
	put_wanting(f, "", ctl_globals, ctl_n_globals);
	for (size_t i = 0; i < ctl_n_verbs; i++)
		put_wanting(f, ctl_verbs[i].name, ctl_verbs[i].options, verb_options(&ctl_verbs[i]));
	fputs(middle, f);
	put_verb(f, "", ctl_globals, ctl_n_globals, &verb, 1);
	for (size_t i = 0; i < ctl_n_verbs; i++) {
		const struct verb *v = &ctl_verbs[i];

		put_verb(f, v->name, v->options, verb_options(v), v->operands, verb_operands(v));
	}
	fputs(tail, f);
	for (size_t i = 0; i < ctl_n_daemon_options; i++) {
		const struct option_def *o = &ctl_daemon_options[i];

		if (o->value.type == TOKEN_NONE)
			continue;
		fprintf(f, "\t--%s", o->name);
		if (o->letter != 0)
			fprintf(f, " | -%c", o->letter);
		fputs(") ", f);
		put_offer(f, &o->value);
		fputs(" ;;\n", f);
	}
	fputs("\t*) words='", f);
	put_names(f, ctl_daemon_options, ctl_n_daemon_options);
	fputs("' ;;\n", f);
	fputs(end, f);
}
