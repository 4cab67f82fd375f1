/*
 * complete_zsh.c - the script for zsh; see complete.h.
 *
 * Runs in vrrpctl.
 */
#include "ctl/complete.h"

#define QUOTE "'\\''"

static const char head[] =
	"#compdef vrrpctl vrrpd\n"
	"# zsh completion for vrrpctl and vrrpd: made by `vrrpctl completion zsh`\n"
	"\n"
	"_vrrpctl_instances() {\n"
	"\tlocal -a names\n"
	"\tnames=(${(f)\"$(\"${asked[@]}\" completion --names instances 2>/dev/null)\"})\n"
	"\tcompadd \"$@\" -a names\n"
	"}\n"
	"\n"
	"_vrrpctl_checks() {\n"
	"\tlocal -a names\n"
	"\tnames=(${(f)\"$(\"${asked[@]}\" completion --names checks 2>/dev/null)\"})\n"
	"\tcompadd \"$@\" -a names\n"
	"}\n"
	"\n"
	"_vrrpctl_verbs() {\n"
	"\tlocal -a verbs\n"
	"\tverbs=(\n";

static const char middle[] =
	"\t)\n"
	"\t_describe -t verbs verb verbs\n"
	"}\n"
	"\n"
	"_vrrpctl() {\n"
	"\t[[ $service == vrrpd ]] && { _vrrpd \"$@\"; return }\n"
	"\tlocal curcontext=\"$curcontext\" state line ret=1\n"
	"\tlocal -A opt_args\n"
	"\tlocal -a asked\n"
	"\n"
	"\tasked=(${~words[1]})\n"
	"\t_arguments -C \\\n";

static const char verbs[] =
	"\t\t'1:verb:_vrrpctl_verbs' \\\n"
	"\t\t'*::argument:->argument' && ret=0\n"
	"\t[[ $state == argument ]] || return ret\n"
	"\t# the daemon that the line names is asked for names\n"
	"\t(( $+opt_args[--run-dir] )) && asked+=(--run-dir ${(Q)opt_args[--run-dir]/#\\~/$HOME})\n"
	"\t(( $+opt_args[--socket] )) && asked+=(--socket ${(Q)opt_args[--socket]/#\\~/$HOME})\n"
	"\tcase $words[1] in\n";

static const char tail[] =
	"\tesac\n"
	"\treturn ret\n"
	"}\n"
	"\n"
	"_vrrpd() {\n"
	"\t_arguments \\\n";

static const char end[] =
	"\n"
	"}\n"
	"\n"
	"# loaded by the shell, or read by `source`\n"
	"if [[ $funcstack[1] == _vrrpctl ]]; then\n"
	"\t_vrrpctl \"$@\"\n"
	"elif (( $+functions[compdef] )); then\n"
	"\tcompdef _vrrpctl vrrpctl vrrpd\n"
	"fi\n";

/* ":message:action" */
static void
put_action(FILE *f, const struct token *t)
{
	const char *words = complete_words(t);

	fprintf(f, ":%s:", t->meta);
	if (words != NULL)
		fprintf(f, "(%s)", words);
	else if (t->type == TOKEN_INSTANCE)
		fputs("_vrrpctl_instances", f);
	else if (t->type == TOKEN_CHECK)
		fputs("_vrrpctl_checks", f);
	else if (t->type == TOKEN_DIR)
		fputs("_files -/", f);
	else if (t->type == TOKEN_FILE)
		fputs("_files", f);
	else
		fputc(' ', f);
}

/* A quoted specification of one spelling of an option. */
static void
put_spelling(FILE *f, const struct option_def *o, bool long_form)
{
	fputs("\t\t'", f);
	if (o->instead)
		fputs("(1)", f); /* not beside an operand */
	if (long_form)
		fprintf(f, "--%s%s", o->name, o->value.type != TOKEN_NONE ? "=" : "");
	else
		fprintf(f, "-%c%s", o->letter, o->value.type != TOKEN_NONE ? "+" : "");
	fputc('[', f);
	complete_quoted(f, o->help, QUOTE, "[]:\\");
	fputc(']', f);
	if (o->value.type != TOKEN_NONE)
		put_action(f, &o->value);
	fputc('\'', f);
}

static void
put_options(FILE *f, const struct option_def *options, size_t n, const char *between)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			fputs(between, f);
		if (options[i].letter != 0)
			put_spelling(f, &options[i], false);
		if (options[i].letter != 0 && options[i].name != NULL)
			fputs(between, f);
		if (options[i].name != NULL)
			put_spelling(f, &options[i], true);
	}
}

static void
put_verb(FILE *f, const struct verb *v)
{
	fprintf(f, "\t%s)\n\t\t_arguments \\\n", v->name);
	put_options(f, v->options, verb_options(v), " \\\n");
	for (size_t i = 0; i < verb_operands(v); i++) {
		fprintf(f, "%s\t\t'%zu", i > 0 || verb_options(v) > 0 ? " \\\n" : "", i + 1);
		put_action(f, &v->operands[i]);
		fputc('\'', f);
	}
	fputs(" && ret=0 ;;\n", f);
}

void
complete_zsh(FILE *f)
{
	fputs(head, f);
	for (size_t i = 0; i < ctl_n_verbs; i++) {
		fprintf(f, "\t\t'%s:", ctl_verbs[i].name);
		complete_quoted(f, ctl_verbs[i].help, QUOTE, ":\\");
		fputs("'\n", f);
	}
	fputs(middle, f);
	put_options(f, ctl_globals, ctl_n_globals, " \\\n");
	fputs(" \\\n", f);
	fputs(verbs, f);
	for (size_t i = 0; i < ctl_n_verbs; i++)
		put_verb(f, &ctl_verbs[i]);
	fputs(tail, f);
	put_options(f, ctl_daemon_options, ctl_n_daemon_options, " \\\n");
	fputs(end, f);
}
