/*
 * ctl_verbs.c - the table of verbs; see ctl_verbs.h.
 *
 * Runs in vrrpctl. A verb is a row here and a function in a cmd_*.c; nothing else knows its words.
 */
#include "ctl/ctl_verbs.h"

#include <string.h>

#include "base/macros.h"

#define NO_VALUE {TOKEN_NONE, NULL, NULL}

#define JSON	  {OPT_JSON, 'j', NULL, NO_VALUE, "JSON instead of words", false}
#define FOR_TIME  {OPT_FOR, 0, "for", {TOKEN_DURATION, "TIME", NULL}, "it ends by itself after this time: 30s, 10m, 2h", false}
#define ALL	  {OPT_ALL, 0, "all", NO_VALUE, "every instance", true}
#define WAIT(how) {OPT_WAIT, 0, "wait", NO_VALUE, how, false}

#define INSTANCE {TOKEN_INSTANCE, "NAME", NULL}

const struct verb ctl_verbs[] = {
	{
		.name = "status",
		.help = "who holds what, since when, why",
		.more = "Exit status 1 when an instance is unfit (state fault).\n",
		.run = cmd_status,
		.options = {JSON},
		.operands = {INSTANCE},
	},
	{
		.name = "explain",
		.help = "the reasoning behind an instance's state, in words",
		.more = "Its priority and what adds to it, who is heard, what would happen next.\n",
		.run = cmd_explain,
		.options = {JSON},
		.operands = {INSTANCE},
		.needed = 1,
	},
	{
		.name = "events",
		.help = "transitions and their causes, oldest first",
		.run = cmd_events,
		.options =
			{
				{OPT_LAST, 'n', NULL, {TOKEN_NUMBER, "N", NULL},
				 "the last N (20 by default, all that are kept with -j)", false},
				{OPT_FOLLOW, 'f', NULL, NO_VALUE, "go on with what happens, until Ctrl-C", false},
				JSON,
			},
	},
	{
		.name = "watch",
		.help = "a live screen of status and events",
		.more = "Keys: q or Ctrl-C end it. Without a terminal it needs -j: one status document a line.\n",
		.run = cmd_watch,
		.options =
			{
				JSON,
				{OPT_EVERY, 'n', NULL, {TOKEN_SECONDS, "SECONDS", NULL}, "look so often (default 1)", false},
			},
	},
	{
		.name = "drain",
		.help = "hand over without loss and stay away",
		.more = "It stays so, also over a restart or a crash of the engine, until vrrpctl resume.\n",
		.run = cmd_drain,
		.options = {JSON, FOR_TIME,
			    WAIT("until the addresses are gone from here and another node is Active"), ALL},
		.operands = {INSTANCE},
		.needed = 1,
	},
	{
		.name = "resume",
		.help = "take part again: ends drain and takeover",
		.run = cmd_drain,
		.options = {JSON, ALL},
		.operands = {INSTANCE},
		.needed = 1,
	},
	{
		.name = "takeover",
		.help = "become Active here, if that is allowed",
		.more = "Returns when it is Active here, or says why it is not (exit status 1). It goes on\n"
			"preferring itself until vrrpctl resume.\n",
		.run = cmd_takeover,
		.options = {JSON, FOR_TIME},
		.operands = {INSTANCE},
		.needed = 1,
	},
	{
		.name = "priority",
		.help = "another priority than the configured one",
		.more = "What checks add to it or take from it counts on top. `reset` returns to the\n"
			"configured one.\n",
		.run = cmd_priority,
		.options = {JSON, FOR_TIME},
		.operands = {INSTANCE, {TOKEN_PRIORITY, "N|reset", NULL}},
		.needed = 2,
	},
	{
		.name = "garp",
		.help = "announce the addresses again (gratuitous ARP, NA)",
		.more = "Only the active node can.\n",
		.run = cmd_garp,
		.options = {JSON},
		.operands = {INSTANCE},
		.needed = 1,
	},
	{
		.name = "check",
		.help = "run a check now and say what it found",
		.more = "The result counts like any other. Exit status 1 when the check is down.\n",
		.run = cmd_check,
		.options = {JSON},
		.operands = {{TOKEN_CHECK, "NAME", NULL}},
		.needed = 1,
	},
	{
		.name = "reload",
		.help = "read the configuration file again",
		.more = "All of it or nothing: with any error in the file nothing changes, every error is\n"
			"printed, and the exit status is 1. Returns when the new configuration is in force.\n",
		.run = cmd_reload,
		.options = {JSON, WAIT("understood, too: it always waits"),
			    {OPT_CHECK, 0, "check", NO_VALUE, "only say what would change", false}},
	},
	{
		.name = "metrics",
		.help = "counters in Prometheus' text format",
		.run = cmd_metrics,
		.options = {JSON},
	},
	{
		.name = "config",
		.help = "the configuration in force, defaults included",
		.more = "Secrets are masked.\n",
		.run = cmd_config,
		.options = {JSON},
	},
	{
		.name = "completion",
		.help = "print what makes a shell complete vrrpctl's words",
		.more = "`make install` puts it where each shell looks. By hand, for one session:\n"
			"  bash  source <(vrrpctl completion bash)\n"
			"  zsh   source <(vrrpctl completion zsh)\n"
			"  fish  vrrpctl completion fish | source\n",
		.run = cmd_completion,
		.options =
			{
				{OPT_NAMES, 0, "names", {TOKEN_WORD, "instances|checks", "instances checks"},
				 "the names there are, one a line; none without a daemon", true},
			},
		.operands = {{TOKEN_WORD, "bash|zsh|fish", "bash zsh fish"}},
		.needed = 1,
	},
	{
		.name = "help",
		.help = "this, or how a verb is used",
		.run = cmd_help,
		.options = {JSON},
		.operands = {{TOKEN_VERB, "VERB", NULL}},
	},
};

const size_t ctl_n_verbs = ARRAY_SIZE(ctl_verbs);

const struct option_def ctl_globals[] = {
	{OPT_RUN_DIR, 0, "run-dir", {TOKEN_DIR, "DIR", NULL}, "where vrrpd keeps its socket (default /run/vrrpd)", false},
	{OPT_SOCKET, 0, "socket", {TOKEN_FILE, "PATH", NULL}, "the socket itself", false},
	{OPT_VERSION, 'V', "version", NO_VALUE, "print the version", false},
	{OPT_HELP, 'h', "help", NO_VALUE, "this text", false},
};

const size_t ctl_n_globals = ARRAY_SIZE(ctl_globals);

const struct option_def ctl_daemon_options[] = {
	{.letter = 'f', .name = "file", .value = {TOKEN_FILE, "FILE", NULL}, .help = "the configuration"},
	{.name = "run-dir", .value = {TOKEN_DIR, "DIR", NULL}, .help = "sockets and lock"},
	{.name = "log-level",
	 .value = {TOKEN_WORD, "LEVEL", "error warning info debug"},
	 .help = "how much is logged"},
	{.name = "check", .help = "check the configuration"},
	{.name = "print", .help = "print the whole effective configuration"},
	{.letter = 'V', .name = "version", .help = "print the version"},
	{.letter = 'h', .name = "help", .help = "how it is used"},
};

const size_t ctl_n_daemon_options = ARRAY_SIZE(ctl_daemon_options);

const struct verb *
verb_find(const char *name)
{
	for (size_t i = 0; i < ctl_n_verbs; i++)
		if (strcmp(ctl_verbs[i].name, name) == 0)
			return &ctl_verbs[i];
	return NULL;
}

size_t
verb_options(const struct verb *v)
{
	size_t n = 0;

	while (n < VERB_OPTIONS_MAX && (v->options[n].letter != 0 || v->options[n].name != NULL))
		n++;
	return n;
}

size_t
verb_operands(const struct verb *v)
{
	size_t n = 0;

	while (n < VERB_OPERANDS_MAX && v->operands[n].meta != NULL)
		n++;
	return n;
}
