/*
 * parent_main.c - vrrpd: options, --check, --print, and the life of the daemon.
 *
 * The parent process: root with few capabilities, reads the configuration, runs the other two programs, never
 * speaks to the network. Stays in the foreground, logs to stderr (the journal under systemd).
 */
#include "parent/parent.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "sys/clock.h"
#include "sys/seccomp.h"
#include "sys/notify.h"

#define DEFAULT_RUN_DIR "/run/vrrpd"
#define STOP_MAX_US	(20 * USEC_PER_SEC) /* longer than the engine allows itself; hooks and services come on top */

#define EXIT_CONFIG 2

enum action { ACTION_RUN, ACTION_CHECK, ACTION_PRINT };

struct options {
	enum action action;
	const char *file;
	const char *run_dir;
	char **argv;
	enum log_level level;
};

static void
usage(FILE *out)
{
	fputs("Usage: vrrpd [-f FILE] [--run-dir DIR] [--log-level LEVEL]\n"
	      "       vrrpd --check [-f FILE]\n"
	      "       vrrpd --print [-f FILE]\n"
	      "\n"
	      "Keeps virtual addresses on exactly one healthy host (VRRP, RFC 9568).\n"
	      "\n"
	      "  -f, --file FILE    configuration, default " CFG_DEFAULT_FILE "\n"
	      "      --run-dir DIR  sockets and lock, default " DEFAULT_RUN_DIR "\n"
	      "      --log-level L  error, warning, info (default) or debug\n"
	      "      --check        check the configuration: 0 and \"ok: ...\", or 2 and every error\n"
	      "      --print        print the whole effective configuration\n"
	      "  -V, --version      print the version\n"
	      "  -h, --help         this text\n"
	      "\n"
	      "Runs in the foreground until SIGTERM or Ctrl-C. SIGHUP reads the configuration again; SIGUSR2 restarts\n"
	      "the program in place, addresses stay. vrrpctl status shows who holds what.\n",
	      out);
}

__attribute__((noreturn)) static void
usage_error(const char *what)
{
	fprintf(stderr, "vrrpd: %s\n", what);
	fputs("Try: vrrpd --help\n", stderr);
	exit(EXIT_CONFIG);
}

static void
set_action(struct options *o, enum action a)
{
	if (o->action != ACTION_RUN && o->action != a)
		usage_error("--check and --print exclude each other");
	o->action = a;
}

static struct options
parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"file", required_argument, NULL, 'f'},
		{"run-dir", required_argument, NULL, 'r'},
		{"log-level", required_argument, NULL, 'l'},
		{"check", no_argument, NULL, 'c'},
		{"print", no_argument, NULL, 'p'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct options o = {
		.file = CFG_DEFAULT_FILE, .run_dir = DEFAULT_RUN_DIR, .argv = argv, .level = LOG_LEVEL_INFO};
	int c, level;

	while ((c = getopt_long(argc, argv, "f:Vh", options, NULL)) != -1) {
		if (c == 'f') {
			o.file = optarg;
		} else if (c == 'r') {
			o.run_dir = optarg;
		} else if (c == 'l') {
			level = log_level_parse(optarg);
			if (level < 0)
				usage_error("--log-level takes error, warning, info or debug");
			o.level = (enum log_level)level;
		} else if (c == 'c') {
			set_action(&o, ACTION_CHECK);
		} else if (c == 'p') {
			set_action(&o, ACTION_PRINT);
		} else if (c == 'V') {
			puts("vrrpd " VRRPD_VERSION);
			exit(0);
		} else if (c == 'h') {
			usage(stdout);
			exit(0);
		} else {
			fputs("Try: vrrpd --help\n", stderr);
			exit(EXIT_CONFIG);
		}
	}
	if (optind < argc)
		usage_error("takes no arguments besides options");
	return o;
}

/* Load the configuration, or print every error and end. */
static struct cfg *
load_or_exit(const char *file)
{
	struct cfg_errors errors = {0};
	struct cfg *cfg = NULL;

	if (cfg_load(file, &cfg, &errors) == 0)
		return cfg;
	for (size_t n = 0; n < errors.n; n++)
		fprintf(stderr, "%s\n", errors.v[n]);
	fprintf(stderr, "vrrpd: %zu error%s in the configuration: nothing was started or changed\n", errors.n,
		errors.n == 1 ? "" : "s");
	cfg_errors_free(&errors);
	exit(EXIT_CONFIG);
}

static int
check_only(const struct options *o)
{
	struct cfg *cfg = load_or_exit(o->file);

	printf("ok: %zu instance%s, %zu check%s\n", cfg->n_instances, cfg->n_instances == 1 ? "" : "s",
	       cfg->n_checks, cfg->n_checks == 1 ? "" : "s");
	cfg_free(cfg);
	return 0;
}

static int
print_only(const struct options *o)
{
	struct cfg *cfg = load_or_exit(o->file);
	int r = cfg_print(cfg, stdout);

	cfg_free(cfg);
	if (r < 0 || fflush(stdout) != 0) {
		fprintf(stderr, "vrrpd: cannot write the configuration: %s\n", strerror(r < 0 ? -r : errno));
		return 1;
	}
	return 0;
}

static void
on_child(void *arg, int signo)
{
	struct parent *p = arg;

	(void)signo;
	parent_reap(p);
	if (!p->stopping || p->children[PARENT_ENGINE].pid != 0)
		return;
	/* The engine has withdrawn its addresses: now the agent, which told of it until the end. */
	if (!parent_ask_stop(p, PARENT_AGENT))
		loop_stop(p->loop);
}

/* The addresses stay for the next vrrpd, which the service manager starts at once. */
static void
leave_to_next(struct parent *p)
{
	log_info("asked to end for a restart: the addresses stay for the next vrrpd");
	notify_stopping("restarting");
	p->stopping = true;
	parent_end_children(p);
	loop_stop(p->loop);
}

static void
on_stop(void *arg, int signo)
{
	struct parent *p = arg;

	if (p->stopping)
		return;
	if (signo == SIGTERM && parent_manager_restarts(p)) {
		leave_to_next(p);
		return;
	}
	log_info("%s: stopping", signo == SIGINT ? "interrupted" : "asked to end");
	notify_stopping("handing over");
	p->stopping = true;
	loop_timer_set(p->stop_timer, mono_add(loop_now(p->loop), STOP_MAX_US + parent_hooks_stop_us(p->cfg)));
	for (int k = 0; k < PARENT_CHILDREN; k++)
		loop_timer_set(p->children[k].restart, MONO_NEVER);
	if (parent_ask_stop(p, PARENT_ENGINE))
		return;
	parent_withdraw(p); /* the one that ended was to be resumed from */
	if (!parent_ask_stop(p, PARENT_AGENT))
		loop_stop(p->loop);
}

static void
on_stop_timer(void *arg, mono_t now)
{
	struct parent *p = arg;

	(void)now;
	for (int k = 0; k < PARENT_CHILDREN; k++) {
		if (p->children[k].pid == 0)
			continue;
		log_error("%s did not end in time: it is killed", p->children[k].program);
		kill(p->children[k].pid, SIGKILL);
	}
}

static void
on_hangup(void *arg, int signo)
{
	(void)signo;
	parent_reload(arg, false, 0);
}

static void
on_usr2(void *arg, int signo)
{
	(void)signo;
	parent_restart(arg);
}

static void
on_restart(void *arg, mono_t now)
{
	struct parent_child *c = arg;

	(void)now;
	log_info("starting %s again", c->program);
	parent_start_child(c->parent, c->kind);
}

static void
open_parent(struct parent *p, const struct options *o)
{
	static const char *const programs[PARENT_CHILDREN] = {
		[PARENT_ENGINE] = "vrrpd-engine",
		[PARENT_AGENT] = "vrrpd-agent",
	};

	p->loop = loop_new();
	p->gen = 1;
	p->log_level = o->level;
	p->lock_fd = p->control_fd = p->listen_fd = p->memory_fd = p->events_fd = -1;
	p->file = o->file;
	p->argv = o->argv;
	p->stop_timer = loop_timer_add(p->loop, on_stop_timer, p);
	parent_run_open(p);
	p->reload.timer = loop_timer_add(p->loop, parent_on_reload_timer, p);
	p->restart_timer = loop_timer_add(p->loop, parent_on_restart_timer, p);
	for (int k = 0; k < PARENT_CHILDREN; k++) {
		struct parent_child *c = &p->children[k];

		*c = (struct parent_child){
			.parent = p,
			.kind = (enum parent_child_kind)k,
			.program = programs[k],
			.chan.fd = -1,
		};
		c->restart = loop_timer_add(p->loop, on_restart, c);
		c->watch = loop_timer_add(p->loop, parent_on_watch_timer, c);
	}
	signal(SIGPIPE, SIG_IGN);
	loop_signal_add(p->loop, SIGCHLD, on_child, p);
	loop_signal_add(p->loop, SIGTERM, on_stop, p);
	loop_signal_add(p->loop, SIGINT, on_stop, p);
	loop_signal_add(p->loop, SIGHUP, on_hangup, p);
	loop_signal_add(p->loop, SIGUSR2, on_usr2, p);
	parent_inherit(p);
	parent_manager_open(p);
}

static void
close_parent(struct parent *p)
{
	parent_run_close(p);
	for (int k = 0; k < PARENT_CHILDREN; k++) {
		loop_io_del(p->children[k].io);
		ipc_chan_close(&p->children[k].chan);
		loop_timer_del(p->children[k].restart);
		loop_timer_del(p->children[k].watch);
	}
	loop_timer_del(p->stop_timer);
	loop_timer_del(p->watchdog);
	loop_timer_del(p->reload.timer);
	loop_timer_del(p->restart_timer);
	parent_close_sockets(p);
	if (p->memory_fd >= 0)
		close(p->memory_fd);
	if (p->events_fd >= 0)
		close(p->events_fd);
	parent_free_config(p, p->old_cfg);
	for (unsigned k = 0; k < PARENT_LAST_CFGS; k++)
		parent_free_config(p, p->last_cfgs[k]);
	parent_free_config(p, p->cfg);
	cfg_free(p->first_cfg);
	loop_free(p->loop);
}

/* What must be right before anything starts; each failure has said its sentence. */
static int
prepare(struct parent *p, const struct options *o)
{
	int r;

	if (!priv_have_net()) {
		log_error("vrrpd needs the capabilities NET_ADMIN and NET_RAW to hold addresses and to send "
			  "adverts: "
			  "run it as root");
		return -EPERM;
	}
	if (!str_copy(p->run_dir, sizeof(p->run_dir), o->run_dir)) {
		log_error("--run-dir is longer than %zu octets", sizeof(p->run_dir) - 1);
		return -ENAMETOOLONG;
	}
	r = parent_find_programs(p);
	if (r < 0)
		return r;
	r = priv_agent_user(&p->agent_user);
	if (r < 0) {
		log_error("there is neither a user \"vrrpd\" nor \"nobody\" to run vrrpd-agent: add a system "
			  "user vrrpd");
		return r;
	}
	p->may_change_user = priv_may_change_user();
	if (!p->may_change_user)
		log_warning("vrrpd may not change users (no CAP_SETUID and CAP_SETGID): vrrpd-agent and its check "
			    "scripts run as user %u, without capabilities",
			    (unsigned)geteuid());
	else if (p->agent_user.fallback)
		log_info("no user \"vrrpd\" on this host: vrrpd-agent and its check scripts run as \"nobody\"");
	parent_open_memory(p);
	r = parent_open_sockets(p);
	if (r == 0)
		parent_overrides_load(p);
	return r;
}

/* All sockets are open: from here on the parent has what it needs to keep the other two going, and no more. */
static void
give_up_rights(struct parent *p)
{
	int r = priv_keep(PRIV_PARENT, NULL, true);

	if (r < 0)
		log_warning("capabilities that are not needed could not be given up: %s", strerror(-r));
	else if (r > 0)
		log_warning("the bounding set of capabilities cannot be cut down without CAP_SETPCAP: nothing can be "
			    "gained through it, no-new-privileges is set");
	if (p->call_table == SECCOMP_PARENT_TABLE)
		return; /* in force since before the restart in place */
	r = seccomp_enter(SECCOMP_PARENT);
	if (r == 0)
		p->call_table = SECCOMP_PARENT_TABLE;
	else if (r == -ENOSYS)
		log_info("built without libseccomp, or with sanitizers: system calls are not filtered");
	else
		log_warning("vrrpd's system calls are not filtered: %s", strerror(-r));
}

static int
run(const struct options *o)
{
	struct parent p = {0};
	sigset_t early;
	int r;

	/* A reload that is asked for while the file is read waits; parent_inherit() lets it in. */
	sigemptyset(&early);
	sigaddset(&early, SIGHUP);
	sigaddset(&early, SIGUSR2);
	sigprocmask(SIG_BLOCK, &early, NULL);
	log_init("vrrpd", o->level);
	p.cfg = p.first_cfg = load_or_exit(o->file);
	open_parent(&p, o);
	r = prepare(&p, o);
	if (r == 0) {
		log_info("vrrpd " VRRPD_VERSION " on %s: %zu instance%s, %zu check%s from %s", p.cfg->node,
			 p.cfg->n_instances, p.cfg->n_instances == 1 ? "" : "s", p.cfg->n_checks,
			 p.cfg->n_checks == 1 ? "" : "s", o->file);
		give_up_rights(&p);
		parent_start_child(&p, PARENT_ENGINE);
		parent_start_child(&p, PARENT_AGENT);
		r = loop_run(p.loop);
		log_info("ended");
	}
	close_parent(&p);
	return r < 0 ? 1 : 0;
}

int
main(int argc, char **argv)
{
	struct options o = parse_options(argc, argv);

	switch (o.action) {
	case ACTION_CHECK:
		return check_only(&o);
	case ACTION_PRINT:
		return print_only(&o);
	case ACTION_RUN:
		break;
	}
	return run(&o);
}
