/*
 * ctl_main.c - vrrpctl: the options in front of the verb, and the way to it.
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
#include "ctl/ctl_help.h"
#include "ctl/ctl_out.h"
#include "ctl/ctl_verbs.h"

#define DEFAULT_RUN_DIR "/run/vrrpd"
#define SOCKET_NAME	"vrrpd.sock"
#define GLOBALS_MAX	8

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

/* Read the options in front of the verb. -1 to go on, else the exit status. */
static int
read_options(struct ctl *c, int argc, char **argv)
{
	struct option longs[GLOBALS_MAX] = {0};
	const char *run_dir = NULL, *socket = NULL;
	int o;

	ASSERT(ctl_n_globals < GLOBALS_MAX);
	for (size_t i = 0; i < ctl_n_globals; i++)
		longs[i] = (struct option){ctl_globals[i].name, ctl_globals[i].value.type != TOKEN_NONE, NULL,
					   ctl_globals[i].letter != 0 ? ctl_globals[i].letter
								      : 256 + (int)ctl_globals[i].id};
	while ((o = getopt_long(argc, argv, "+Vh", longs, NULL)) != -1) {
		if (o == 256 + OPT_RUN_DIR) {
			run_dir = optarg;
		} else if (o == 256 + OPT_SOCKET) {
			socket = optarg;
		} else if (o == 'V') {
			puts("vrrpctl " VRRPD_VERSION);
			return CTL_OK;
		} else if (o == 'h') {
			help_print(stdout);
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

/* https://no-color.org: set and not empty. */
static bool
color_wanted(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no == NULL || *no == '\0') && (term == NULL || strcmp(term, "dumb") != 0);
}

int
main(int argc, char **argv)
{
	struct ctl c = {
		.out = stdout, .err = stderr, .columns = OUT_COLUMNS, .color = color_wanted(), .wake_fd = -1};
	const struct verb *v;
	int status = read_options(&c, argc, argv);

	if (status >= 0)
		return status;
	if (optind == argc) {
		help_print(stderr);
		return CTL_USAGE;
	}
	v = verb_find(argv[optind]);
	if (v == NULL)
		return help_unknown_verb(argv[optind]);
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
