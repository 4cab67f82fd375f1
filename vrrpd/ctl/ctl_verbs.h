/*
 * ctl_verbs.h - the table of verbs: what each takes, as typed tokens.
 *
 * Usage lines, help, the check of what was typed (ctl_args.c) and the completion of three shells
 * (complete_*.c) are made from it.
 */
#ifndef VRRPD_CTL_CTL_VERBS_H
#define VRRPD_CTL_CTL_VERBS_H

#include "ctl/ctl.h"

#define VERB_OPTIONS_MAX  5
#define VERB_OPERANDS_MAX 2

/* What a word on the command line is. */
enum token_type {
	TOKEN_NONE, /* no word: an option without a value */
	TOKEN_INSTANCE,
	TOKEN_CHECK,
	TOKEN_VERB,
	TOKEN_NUMBER,	/* digits */
	TOKEN_SECONDS,	/* 0.1 to 3600, fractions allowed */
	TOKEN_DURATION, /* a number with its unit: 10m */
	TOKEN_PRIORITY, /* digits, or "reset" */
	TOKEN_WORD,	/* one of `words` */
	TOKEN_DIR,
	TOKEN_FILE,
};

enum ctl_option {
	OPT_JSON,
	OPT_ALL,
	OPT_WAIT,
	OPT_CHECK,
	OPT_FOR,
	OPT_LAST,
	OPT_FOLLOW,
	OPT_EVERY,
	OPT_NAMES,
	OPT_RUN_DIR,
	OPT_SOCKET,
	OPT_VERSION,
	OPT_HELP,
	OPT_COUNT
};

struct token {
	enum token_type type;
	const char *meta;  /* its name in usage lines */
	const char *words; /* TOKEN_WORD: what it may be, with spaces between */
};

struct option_def {
	enum ctl_option id;
	char letter;	   /* 0: none */
	const char *name;  /* of the long form, or NULL */
	struct token value;
	const char *help;
	bool instead; /* it stands in the operands' place */
};

struct verb {
	const char *name;
	const char *help; /* one line */
	const char *more; /* what `help VERB` adds, or NULL */
	ctl_verb_fn *run;
	struct option_def options[VERB_OPTIONS_MAX]; /* ended by one without letter and name, or by their number */
	struct token operands[VERB_OPERANDS_MAX];    /* ended by one without meta, or by their number */
	unsigned needed;			     /* so many operands must be there */
};

extern const struct verb ctl_verbs[];
extern const size_t ctl_n_verbs;

/* Options in front of the verb. */
extern const struct option_def ctl_globals[];
extern const size_t ctl_n_globals;

/* Options of the daemon, for completion only; vrrpd --help lists the same. */
extern const struct option_def ctl_daemon_options[];
extern const size_t ctl_n_daemon_options;

/* NULL when there is none of this name. */
const struct verb *verb_find(const char *name);

/* How many options and operands a verb has. */
size_t verb_options(const struct verb *v);
size_t verb_operands(const struct verb *v);

/* ---- ctl_args.c ------------------------------------------------------------------------------ */

/* What was typed after a verb; texts are argv's. */
struct ctl_args {
	bool given[OPT_COUNT];
	const char *value[OPT_COUNT]; /* of an option that takes one */
	const char *operand[VERB_OPERANDS_MAX];
	unsigned n;
};

/*
 * Check and take apart a verb's arguments (argv[0] is its name): options before, between and behind operands.
 * -1 to go on; else an exit status, after saying on stderr what is wrong.
 */
int ctl_args_read(int argc, char **argv, struct ctl_args *ret);

/* Does the text fit the type? What was typed is only judged by its form, not by what the daemon knows. */
bool token_fits(const struct token *t, const char *text);

#endif
