/*
 * agent_main.c - vrrpd-agent: checks, status API, metrics.
 *
 * Started by vrrpd, without privileges, with its channel to vrrpd on descriptor 3; it ends when that closes. It
 * reports observations to the engine and shows what the engine tells; it never touches an address.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "agent/agent.h"
#include "agent/agent_link.h"
#include "agent/agent_run.h"
#include "agent/api.h"
#include "agent/hooks.h"
#include "agent/store.h"
#include "base/strbuf.h"
#include "sys/log.h"
#include "sys/priv.h"
#include "sys/seccomp.h"

#define AGENT_FILES 8192 /* descriptors wanted: connections, and four per running script */

void
agent_quit(struct agent *a, int status, const char *fmt, ...)
{
	char text[LIMIT_LOG_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (status != 0)
		log_error("vrrpd-agent ends: %s", text);
	else
		log_debug("vrrpd-agent ends: %s", text);
	a->exit_status = status;
	loop_stop(a->loop);
}

/* A log_sink_fn: lines go to vrrpd; when its channel is full or gone they are lost rather than waited for. */
static void
log_to_parent(void *arg, enum log_level level, const char *text)
{
	struct agent *a = arg;
	struct ipc_log m = {.level = (uint8_t)level};

	str_copy(m.text, sizeof(m.text), text);
	(void)ipc_chan_send(&a->parent, IPC_LOG, &m, -1);
}

static void
take_conf(struct agent *a, const union ipc_msg *m)
{
	struct agent_conf *conf = NULL;
	struct ipc_ready ready = {0};
	const char *why;
	int r = agent_conf_feed(&a->reader, m, &conf, &why);

	if (r < 0)
		agent_quit(a, 1, "bad configuration from vrrpd, message %s: %s", ipc_type_name(m->h.type), why);
	if (r <= 0)
		return;
	checks_configure(a->checks, conf->begin.node, conf->checks, conf->begin.n_checks);
	events_configure(a->events, conf);
	snaps_configure(a->snaps, conf);
	agent_conf_free(a->conf);
	a->conf = conf;
	hooks_configure(a->hooks);
	stores_configure(a->stores, conf);
	agent_link_report_all(a);
	ready.h.gen = conf->gen;
	r = ipc_chan_send(&a->parent, IPC_READY, &ready, -1);
	if (r < 0)
		agent_quit(a, 1, "vrrpd cannot be told that generation %u is in force: %s", conf->gen,
			   strerror(-r));
}

static void
gave_leases_back(struct agent *a)
{
	agent_quit(a, 0, "told to stop");
}

/* Everybody was told, the services have stopped: now nothing keeps the next one from the lease. */
static void
told_to_stop(struct agent *a)
{
	stores_stop(a->stores, gave_leases_back);
}

static void
take_message(struct agent *a, const union ipc_msg *m, int fd)
{
	switch (m->h.type) {
	case IPC_CONF_TEXT:
		if (api_set_config(a->api, fd, m->CONF_TEXT.size) < 0)
			agent_quit(a, 1, "the text of the configuration cannot be read");
		break;
	case IPC_LISTEN:
		if (api_listen(a->api, fd, &m->LISTEN) < 0)
			agent_quit(a, 1, "the status API cannot listen on the socket from vrrpd");
		break;
	case IPC_MEMORY:
		if (!events_attach(a->events, fd))
			agent_quit(a, 1, "the memory of events from vrrpd is none");
		break;
	case IPC_LINK:
		agent_link_open(a, fd);
		break;
	case IPC_TROUBLE:
		a->trouble = m->TROUBLE;
		a->trouble.text[sizeof(a->trouble.text) - 1] = '\0';
		break;
	case IPC_RUN_ENDED:
		if (m->RUN_ENDED.what == IPC_RUN_COMMAND)
			hooks_run_ended(a->hooks, &m->RUN_ENDED);
		else
			checks_run_ended(a->checks, &m->RUN_ENDED);
		break;
	case IPC_RELOAD_LINE:
		api_reload_line(a->api, &m->RELOAD_LINE);
		break;
	case IPC_RELOAD_DONE:
		api_reload_done(a->api, &m->RELOAD_DONE);
		break;
	case IPC_STOP:
		agent_link_read_rest(a); /* the engine has ended: its last words are what the hooks are told */
		hooks_stop(a->hooks, told_to_stop);
		break;
	default: /* a wire value that ipc_chan_recv let through for this direction: the rest is configuration */
		take_conf(a, m);
		break;
	}
}

static void
on_parent(void *arg, int fd, bool readable, bool writable)
{
	struct agent *a = arg;
	union ipc_msg m;
	int passed;

	(void)fd;
	(void)readable;
	(void)writable;
	for (;;) {
		int r = ipc_chan_recv(&a->parent, &m, &passed);

		if (r == 0)
			return;
		if (r == -EPROTO) {
			agent_quit(a, 1, "a message that is none from vrrpd");
			return;
		}
		if (r < 0) {
			agent_quit(a, 0, "vrrpd closed the channel");
			return;
		}
		take_message(a, &m, passed);
		if (a->exit_status >= 0)
			return;
	}
}

static void
on_sigterm(void *arg, int signo)
{
	(void)signo;
	agent_quit(arg, 0, "SIGTERM");
}

/* vrrpd decides when the agent ends; Ctrl-C in a terminal reaches both. Broken connections are told by errors.
 */
static void
set_signals(struct agent *a)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL); /* ignored, it would swallow the exit status of scripts */
	loop_signal_add(a->loop, SIGTERM, on_sigterm, a);
}

static void
raise_file_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= AGENT_FILES)
		return;
	r.rlim_cur = MIN(r.rlim_max, AGENT_FILES);
	if (setrlimit(RLIMIT_NOFILE, &r) < 0)
		log_warning("vrrpd-agent keeps the limit of %llu descriptors: %s",
			    (unsigned long long)r.rlim_cur, strerror(errno));
}

/* The channel, and whatever else was inherited by mistake. */
static void
keep_files_from_scripts(void)
{
	if (syscall(SYS_close_range, IPC_CHAN_FD, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		(void)fcntl(IPC_CHAN_FD, F_SETFD, FD_CLOEXEC); /* before Linux 5.11 */
}

/* vrrpd has dropped all rights before it started us; this is for what an execution may have given back. */
static void
give_up_rights(void)
{
	int r = priv_keep(PRIV_AGENT, NULL, false);

	if (r < 0)
		log_warning("vrrpd-agent could not give up capabilities: %s", strerror(-r));
	r = seccomp_enter(SECCOMP_AGENT);
	if (r < 0 && r != -ENOSYS)
		log_warning("the system calls of vrrpd-agent and its check scripts are not filtered: %s",
			    strerror(-r));
}

/* The exit status. */
static int
run(void)
{
	struct agent a = {.engine.fd = -1, .exit_status = -1};

	a.loop = loop_new();
	a.started = loop_now(a.loop);
	set_signals(&a);
	keep_files_from_scripts();
	ipc_chan_init(&a.parent, IPC_CHAN_FD, IPC_AGENT_TO_PARENT, IPC_PARENT_TO_AGENT);
	log_set_sink(log_to_parent, &a);
	give_up_rights();
	raise_file_limit();
	a.events = events_new();
	a.snaps = snaps_new(&a);
	a.checks = checks_new(a.loop, agent_link_report, &a);
	a.hooks = hooks_new(&a);
	a.stores = stores_new(&a);
	agent_run_open(&a);
	a.api = api_new(&a);
	a.parent_io = loop_io_add(a.loop, a.parent.fd, on_parent, &a);
	if (loop_run(a.loop) < 0)
		agent_quit(&a, 1, "the event loop failed");
	api_stop(a.api);
	checks_free(a.checks);
	stores_free(a.stores);
	a.stores = NULL;
	hooks_free(a.hooks);
	a.hooks = NULL;
	agent_link_close(&a);
	snaps_free(a.snaps);
	events_free(a.events);
	agent_conf_free(a.reader.conf);
	agent_conf_free(a.conf);
	loop_io_del(a.parent_io);
	log_set_sink(NULL, NULL);
	ipc_chan_close(&a.parent);
	loop_free(a.loop);
	api_free(a.api);
	return a.exit_status;
}

int
main(int argc, char **argv)
{
	int type;
	socklen_t len = sizeof(type);
	int level = LOG_LEVEL_INFO;

	if (getsockopt(IPC_CHAN_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET) {
		fprintf(stderr, "vrrpd-agent is started by vrrpd and not by hand; start vrrpd instead.\n");
		return 2;
	}
	if (argc == 3 && strcmp(argv[1], "--log-level") == 0)
		level = log_level_parse(argv[2]);
	else if (argc != 1)
		level = -1;
	if (level < 0) {
		fprintf(stderr, "vrrpd-agent: the only option is --log-level error|warning|info|debug\n");
		return 2;
	}
	log_init("vrrpd-agent", (enum log_level)level);
	(void)prctl(PR_SET_NAME, "vrrpd-agent"); /* executed by its descriptor, it has no name */
	if (chdir("/") < 0)
		log_warning("vrrpd-agent stays in its folder: %s", strerror(errno));
	return run();
}
