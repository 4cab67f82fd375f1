/*
 * fuzz_agent.h - vrrpd-agent in this process, as agent_main.c puts it together: with a loop in virtual time,
 * without a network, its two channels in the target's hands. Checks of every kind are one that is always up;
 * nothing is ever executed.
 */
#ifndef TESTS_FUZZ_FUZZ_AGENT_H
#define TESTS_FUZZ_FUZZ_AGENT_H

#include <signal.h>

#include "agent/agent.h"
#include "agent/agent_link.h"
#include "agent/api.h"
#include "agent/hooks.h"
#include "agent/store.h"
#include "fuzz/fuzz_http.h"
#include "fuzz/fuzz_ipc.h"
#include "fuzz/fuzz_net.h"
#include "sys/log.h"

struct fuzz_agent {
	struct agent a;
	struct fuzz_in in;
	struct fuzz_ipc parent, engine; /* as which they speak */
};

static void
always_start(struct check *c)
{
	check_done(c, true, "up", 2);
}

static void
always_cancel(struct check *c, bool force)
{
	(void)c;
	(void)force;
}

static void
always_free(struct check *c)
{
	(void)c;
}

/* Instead of the real one: all checks get this kind. */
const struct check_ops check_interface_ops = {
	.name = "interface", .start = always_start, .cancel = always_cancel, .free = always_free};

void
agent_quit(struct agent *a, int status, const char *fmt, ...)
{
	FUZZ_CHECK(fmt != NULL);
	a->exit_status = status;
}

static void
fuzz_no_log(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	FUZZ_CHECK(text[0] != '\0');
}

static inline void
fuzz_agent_open(struct fuzz_agent *w)
{
	struct agent *a = &w->a;
	int parent[2], engine[2];

	(void)signal(SIGPIPE, SIG_IGN);
	log_set_sink(fuzz_no_log, NULL);
	FUZZ_CHECK(ipc_chan_pair(parent) == 0 && ipc_chan_pair(engine) == 0);
	w->parent = (struct fuzz_ipc){.in = &w->in, .fd = parent[0], .gen = 7};
	w->engine = (struct fuzz_ipc){.in = &w->in, .fd = engine[0], .gen = 7};
	a->exit_status = -1;
	a->engine.fd = -1;
	a->loop = loop_new();
	ipc_chan_init(&a->parent, parent[1], IPC_AGENT_TO_PARENT, IPC_PARENT_TO_AGENT);
	a->events = events_new();
	a->snaps = snaps_new(a);
	a->checks = checks_new(a->loop, agent_link_report, a);
	a->hooks = hooks_new(a);
	a->stores = stores_new(a);
	a->api = api_new(a);
	agent_link_open(a, engine[1]);
}

static inline void
fuzz_agent_close(struct fuzz_agent *w)
{
	struct agent *a = &w->a;

	api_stop(a->api);
	checks_free(a->checks);
	stores_free(a->stores);
	hooks_free(a->hooks);
	agent_link_close(a);
	snaps_free(a->snaps);
	events_free(a->events);
	agent_conf_free(a->reader.conf);
	agent_conf_free(a->conf);
	ipc_chan_close(&a->parent);
	close(w->parent.fd);
	close(w->engine.fd);
	loop_free(a->loop);
	api_free(a->api);
}

/* ---- a generation -------------------------------------------------------------------------------- */

static inline void
fuzz_agent_option(struct fuzz_ipc *x, const char *path, const char *text)
{
	struct ipc_conf_option m = {.len = (uint16_t)strlen(text)};

	str_copy(m.path, sizeof(m.path), path);
	str_copy(m.text, sizeof(m.text), text);
	fuzz_ipc_send(x, IPC_CONF_OPTION, &m);
}

static inline void
fuzz_agent_check(struct fuzz_ipc *x, unsigned number)
{
	struct ipc_conf_check m = {
		.interval_us = 1000000, .timeout_us = 500000, .rise = 1, .fall = 2, .n_options = 1};

	m.kind = number == 0 ? IPC_CHECK_HAPROXY : IPC_CHECK_REDIS;
	m.scale = number == 1 ? -100 : 0;
	snprintf(m.name, sizeof(m.name), "c%u", number);
	fuzz_ipc_send(x, IPC_CONF_CHECK, &m);
	fuzz_agent_option(x, "socket", "/run/x");
}

static inline void
fuzz_agent_hook(struct fuzz_ipc *x, bool gate)
{
	struct ipc_conf_hook m = {
		.timeout_us = 1000000, .number = gate, .gate = gate, .notify = IPC_NOTIFY_ANY};

	fuzz_ipc_send(x, IPC_CONF_HOOK, &m);
}

static inline void
fuzz_agent_service(struct fuzz_ipc *x)
{
	struct ipc_conf_service m = {.timeout_us = 1000000,
				     .interval_us = 1000000,
				     .decay_us = 60000000,
				     .number = 4,
				     .migration_threshold = 2,
				     .name = "app"};

	fuzz_ipc_send(x, IPC_CONF_SERVICE, &m);
}

#define FUZZ_INSTANCES_MAX 3

/* The first octets choose what is in it. */
static inline void
fuzz_agent_generation(struct fuzz_agent *w)
{
	struct fuzz_ipc *x = &w->parent;
	struct fuzz_instance v[FUZZ_INSTANCES_MAX];
	struct ipc_conf_begin b = {.node = "n",
				   .n_checks = 2,
				   .n_own_hooks = 1,
				   .n_hooks = 1,
				   .realtime_priority = 50,
				   .address_lifetime_s = 3,
				   .n_events = 100};

	b.n_instances = 1 + fuzz_below(&w->in, FUZZ_INSTANCES_MAX);
	for (uint32_t n = 0; n < b.n_instances; n++) {
		v[n] = fuzz_instance(&w->in);
		b.n_addresses += v[n].n_addresses;
		b.n_peers += v[n].n_peers;
		b.n_tracks += v[n].n_tracks;
		b.n_hooks += v[n].n_hooks;
		b.n_services += v[n].n_services;
	}
	fuzz_ipc_send(x, IPC_CONF_BEGIN, &b);
	fuzz_agent_hook(x, false);
	for (unsigned n = 0; n < b.n_checks; n++)
		fuzz_agent_check(x, n);
	for (uint32_t n = 0; n < b.n_instances; n++) {
		fuzz_ipc_instance(x, &v[n], n, true);
		if (v[n].n_hooks)
			fuzz_agent_hook(x, true);
		if (v[n].n_services)
			fuzz_agent_service(x);
		if (v[n].n_options == 0)
			continue;
		fuzz_agent_option(x, "store",
				  v[n].version == 2 ? "consul"
				  : n == 1	    ? "etcd2"
				  : n == 2	    ? "sentinel"
						    : "etcd3");
		fuzz_agent_option(x, "endpoints", n == 2 ? "10.0.0.1:26379" : "http://10.0.0.1:2379");
		fuzz_agent_option(x, n == 2 ? "master" : "key", "/service/pg/leader");
		fuzz_agent_option(x, n == 2 ? "self" : "value", n == 2 ? "10.0.0.1:6379" : "n");
	}
	fuzz_ipc_send(x, IPC_CONF_COMMIT, &(struct ipc_conf_commit){0});
}

/* As agent_main.c puts it in force, but for what would leave this process. */
static inline void
fuzz_agent_use(struct agent *a, struct agent_conf *conf)
{
	for (uint32_t n = 0; n < conf->begin.n_checks; n++) {
		struct ipc_conf_check *c = &conf->checks[n].conf;

		c->kind = IPC_CHECK_INTERFACE;
		c->interval_us = MAX(c->interval_us, 100000); /* or it would do nothing else */
	}
	for (uint32_t n = 0; n < conf->begin.n_services; n++)
		conf->services[n].interval_us = MAX(conf->services[n].interval_us, 100000);
	for (uint32_t n = 0; n < conf->begin.n_instances; n++)
		for (unsigned k = 0; k < conf->stores[n].conf.n_options; k++)
			if (check_def_text(&conf->stores[n], "endpoints", 0) == NULL ||
			    check_def_text(&conf->stores[n], "value", 0) == NULL ||
			    check_def_text(&conf->stores[n], "key", 0) == NULL)
				strcpy(conf->stores[n].options[k].path,
				       "none"); /* the configuration's rules want them */
	checks_configure(a->checks, conf->begin.node, conf->checks, conf->begin.n_checks);
	events_configure(a->events, conf);
	snaps_configure(a->snaps, conf);
	agent_conf_free(a->conf);
	a->conf = conf;
	hooks_configure(a->hooks);
	stores_configure(a->stores, conf);
	agent_link_report_all(a);
}

/* Take what waits in the channel of vrrpd; false: it was wrong, and the agent ends. */
static inline bool
fuzz_agent_take(struct fuzz_agent *w)
{
	struct agent *a = &w->a;
	union ipc_msg m;
	int fd, r;

	while ((r = ipc_chan_recv(&a->parent, &m, &fd)) == 1) {
		struct agent_conf *conf = NULL;
		const char *why = NULL;

		if (fd >= 0)
			close(fd);
		if (m.h.type == IPC_TROUBLE) {
			a->trouble = m.TROUBLE;
			a->trouble.text[sizeof(a->trouble.text) - 1] = '\0';
		} else if (m.h.type == IPC_RUN_ENDED && m.RUN_ENDED.what == IPC_RUN_COMMAND) {
			hooks_run_ended(a->hooks, &m.RUN_ENDED);
		} else if (m.h.type == IPC_RUN_ENDED) {
			checks_run_ended(a->checks, &m.RUN_ENDED);
		} else if (m.h.type == IPC_RELOAD_LINE) {
			api_reload_line(a->api, &m.RELOAD_LINE);
		} else if (m.h.type == IPC_RELOAD_DONE) {
			api_reload_done(a->api, &m.RELOAD_DONE);
		} else {
			r = agent_conf_feed(&a->reader, &m, &conf, &why);
			FUZZ_CHECK((r < 0) == (why != NULL));
			if (r < 0)
				return false;
			if (r == 1)
				fuzz_agent_use(a, conf);
		}
	}
	return r == 0;
}

/* ---- what the engine says ------------------------------------------------------------------------ */

static inline void
fuzz_agent_snap_instance(struct fuzz_agent *w, uint32_t index)
{
	const struct ipc_conf_instance *c = &w->a.conf->instances[index].c;
	struct ipc_snap_instance m = {.index = index,
				      .state = ROLE_STATE_ACTIVE,
				      .priority = c->priority,
				      .n_peers = 1,
				      .link = ELECT_LINK_UP};
	struct ipc_snap_held held = {.index = index, .n = MIN(c->n_addresses, (uint32_t)IPC_HELD_BITS)};

	m.since_us = clock_mono().us - 5000000;
	m.cause = (struct role_cause){
		.reason = ROLE_REASON_NO_ADVERTS, .addr = fuzz_addr(c->family, 2), .a = 361000};
	m.source = m.active_addr = fuzz_addr(c->family, 1);
	m.active_known = m.active_self = 1;
	m.told = ROLE_STATE_COUNT;
	m.override.drained_until_us = m.override.takeover_until_us = m.override.priority_until_us = UINT64_MAX;
	m.delay_until_us = m.retry_us = m.preempt_until_us = m.held_until_us = UINT64_MAX;
	m.peers[0] = (struct ipc_peer){
		.addr = fuzz_addr(c->family, 2), .priority = 90, .version = 3, .adver_int_cs = 100};
	m.n_held = held.n;
	held.held[0] = 0xff;
	fuzz_ipc_send(&w->engine, IPC_SNAP_INSTANCE, &m);
	fuzz_ipc_send(&w->engine, IPC_SNAP_HELD, &held);
}

static inline void
fuzz_agent_snap(struct fuzz_agent *w, uint32_t token)
{
	const struct agent_conf *conf = w->a.conf;
	struct ipc_snap_engine m = {.now_us = clock_mono().us,
				    .started_us = clock_mono().us - 9000000,
				    .n_instances = conf->begin.n_instances};

	w->engine.gen = conf->gen;
	fuzz_ipc_send(&w->engine, IPC_SNAP_ENGINE, &m);
	for (uint32_t n = 0; n < MIN(conf->begin.n_instances, (uint32_t)FUZZ_INSTANCES_MAX); n++)
		fuzz_agent_snap_instance(w, n);
	fuzz_ipc_send(&w->engine, IPC_SNAP_END, &(struct ipc_snap_end){.token = token});
}

/* The agent reads what has come from the engine. */
static inline void
fuzz_agent_hear(struct fuzz_agent *w)
{
	for (unsigned n = 0; n < 64 && w->a.exit_status < 0 && fuzz_io_once(w->a.loop); n++)
		;
}

/* Answer each question for a snapshot that has come; other messages are only taken out. */
static inline void
fuzz_agent_serve(struct fuzz_agent *w)
{
	struct ipc_chan c;
	union ipc_msg m;
	int fd;

	ipc_chan_init(&c, w->engine.fd, IPC_ENGINE_TO_AGENT, IPC_AGENT_TO_ENGINE);
	while (ipc_chan_recv(&c, &m, &fd) == 1)
		if (m.h.type == IPC_SNAP_GET)
			fuzz_agent_snap(w, m.SNAP_GET.token);
}

#endif
