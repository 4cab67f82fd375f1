/*
 * ctl_main.c - vrrpctl: options, the table of verbs, help made from it.
 *
 * A client of the status API and nothing else: what it can do, curl can do. Links no part of the daemon but
 * base and the clock.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "ctl/ctl.h"

#define DEFAULT_RUN_DIR "/run/vrrpd"
#define SOCKET_NAME	"vrrpd.sock"

static ctl_verb_fn cmd_help;

static const struct verb {
	const char *name;
	const char *args;
	const char *help; /* one line */
	const char *more; /* what `help VERB` adds, or NULL */
	ctl_verb_fn *run;
} verbs[] = {
	{"status", "[-j] [NAME]", "who holds what, since when, why",
	 "  -j      the JSON of the status API\n"
	 "  NAME    this instance only\n"
	 "\n"
	 "Exit status 1 when an instance is unfit (state fault).\n",
	 cmd_status},
	{"events", "[-n N] [-f] [-j]", "transitions and their causes, oldest first",
	 "  -n N    the last N (20 by default, all that are kept with -j)\n"
	 "  -f      follow: go on with what happens until Ctrl-C\n"
	 "  -j      JSON, one object a line\n",
	 cmd_events},
	{"drain", "[-j] NAME|--all [--wait]", "hand over without loss and stay away",
	 "  --all   every instance\n"
	 "  --wait  until another node has the addresses and they are gone from here\n"
	 "  -j      JSON\n"
	 "\n"
	 "It stays so, also over a restart or a crash of the engine, until vrrpctl resume.\n",
	 cmd_drain},
	{"resume", "[-j] NAME|--all", "take part again after a drain", "  --all   every instance\n  -j      JSON\n",
	 cmd_drain},
	{"garp", "[-j] NAME", "announce the addresses again (gratuitous ARP, NA)",
	 "Only the active node can.\n", cmd_garp},
	{"check", "[-j] NAME", "run a check now and say what it found",
	 "  -j      JSON\n"
	 "\n"
	 "The result counts like any other. Exit status 1 when the check is down.\n",
	 cmd_check},
	{"reload", "[-j] [--wait]", "read the configuration file again",
	 "All of it or nothing: with any error in the file nothing changes, every error is printed,\n"
	 "and the exit status is 1. Returns when the new configuration is in force (--wait is\n"
	 "understood, too).\n",
	 cmd_reload},
	{"metrics", "", "counters in Prometheus' text format", NULL, cmd_metrics},
	{"config", "", "the configuration in force, defaults included, secrets masked", NULL, cmd_config},
	{"help", "[VERB]", "this, or how a verb is used", NULL, cmd_help},
};

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static void
print_usage(FILE *f)
{
	fputs("usage: vrrpctl [--run-dir DIR | --socket PATH] VERB\n\n", f);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		int n = fprintf(f, "  %s %s", verbs[i].name, verbs[i].args);

		fprintf(f, "%*s%s\n", n < 36 ? 36 - n : 1, "", verbs[i].help);
	}
	fputs("\n  --run-dir DIR   where vrrpd keeps its socket (default " DEFAULT_RUN_DIR ")\n"
	      "  --socket PATH   the socket itself\n"
	      "  --version, --help\n\n"
	      "Exit status: 0 all well, 1 something is unfit or the daemon reports an error,\n"
	      "2 wrong usage, 3 no such instance, 4 the daemon cannot be reached.\n",
	      f);
}

int
ctl_usage(const char *verb)
{
	const struct verb *v = find_verb(verb);

	fprintf(stderr, "usage: vrrpctl %s %s\n", v->name, v->args);
	return CTL_USAGE;
}

static int
unknown_verb(const char *name)
{
	fprintf(stderr, "vrrpctl: there is no verb \"%s\"; there are:", name);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(stderr, " %s", verbs[i].name);
	fputc('\n', stderr);
	return CTL_USAGE;
}

static int
cmd_help(struct ctl *c, int argc, char **argv)
{
	const struct verb *v;

	(void)c;
	if (argc > 2)
		return ctl_usage("help");
	if (argc < 2) {
		print_usage(stdout);
		return CTL_OK;
	}
	v = find_verb(argv[1]);
	if (v == NULL)
		return unknown_verb(argv[1]);
	printf("usage: vrrpctl %s %s\n\n%s\n", v->name, v->args, v->help);
	if (v->more != NULL)
		printf("\n%s", v->more);
	return CTL_OK;
}

/* Where the socket is. False (and said so) when the path is longer than a socket's can be. */
static bool
set_socket(struct ctl *c, const char *run_dir, const char *socket)
{
	struct strbuf b;

	strbuf_init(&b, c->socket, sizeof(c->socket));
	if (socket != NULL)
		strbuf_addf(&b, "%s", socket);
	else
		strbuf_addf(&b, "%s/%s", run_dir, SOCKET_NAME);
	if (b.cut)
		fprintf(stderr, "vrrpctl: the path of a socket has at most %zu characters\n",
			sizeof(c->socket) - 1);
	return !b.cut;
}

enum { OPT_RUN_DIR = 256, OPT_SOCKET, OPT_VERSION, OPT_HELP };

static const struct option options[] = {
	{"run-dir", required_argument, NULL, OPT_RUN_DIR},
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

/* Read the options in front of the verb. -1 to go on, else the exit status. */
static int
read_options(struct ctl *c, int argc, char **argv)
{
	const char *run_dir = NULL, *socket = NULL;
	int o;

	while ((o = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (o == OPT_RUN_DIR) {
			run_dir = optarg;
		} else if (o == OPT_SOCKET) {
			socket = optarg;
		} else if (o == OPT_VERSION) {
			puts("vrrpctl " VRRPD_VERSION);
			return CTL_OK;
		} else if (o == OPT_HELP) {
			print_usage(stdout);
			return CTL_OK;
		} else {
			return CTL_USAGE; /* getopt has said what is wrong */
		}
	}
	if (run_dir != NULL && socket != NULL) {
		fputs("vrrpctl: --run-dir and --socket exclude each other\n", stderr);
		return CTL_USAGE;
	}
	return set_socket(c, run_dir != NULL ? run_dir : DEFAULT_RUN_DIR, socket) ? -1 : CTL_USAGE;
}

int
main(int argc, char **argv)
{
	struct ctl c = {.color = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL};
	const struct verb *v;
	int status = read_options(&c, argc, argv);

	if (status >= 0)
		return status;
	if (optind == argc) {
		print_usage(stderr);
		return CTL_USAGE;
	}
	v = find_verb(argv[optind]);
	if (v == NULL)
		return unknown_verb(argv[optind]);
	argc -= optind;
	argv += optind;
	optind = 0; /* the verb reads its own options from the start */
	status = v->run(&c, argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("vrrpctl: cannot write");
		return CTL_UNFIT;
	}
	return status;
}
