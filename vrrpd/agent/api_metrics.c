/*
 * api_metrics.c - GET /metrics in Prometheus' text format: the node and its processes.
 *
 * Runs in vrrpd-agent, called by api.c; instances are in api_metrics_instance.c, what the agent itself does in
 * api_metrics_agent.c. What the engine counts begins anew with each engine, the rest with each agent; what vrrpd counts
 * (restarts) with vrrpd.
 */
#include "agent/api_metrics.h"

#include <inttypes.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <time.h>

#include "agent/agent.h"
#include "agent/api.h"
#include "agent/api_int.h"

const uint64_t api_lateness_bounds_us[IPC_LATENESS_BUCKETS] = {100, 500, 1000, 2000, 5000, 10000, 100000, 0};

usec_t
metrics_ago(const struct metrics *m, uint64_t then_us)
{
	return mono_since((mono_t){m->s->engine.now_us}, (mono_t){then_us});
}

const char *
metrics_instance(const struct metrics *m, uint32_t i)
{
	return m->a->conf->instances[i].c.name;
}

static void
gauge(struct metrics *m, const char *name, const char *help, uint64_t value)
{
	metrics_family(&m->o, METRICS_GAUGE, name, help);
	metrics_uint(&m->o, value, NULL);
}

static void
count(struct metrics *m, const char *name, const char *help, uint64_t value)
{
	metrics_family(&m->o, METRICS_COUNTER, name, help);
	metrics_uint(&m->o, value, NULL);
}

static void
node(struct metrics *m)
{
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_info", "Version and name of this node.");
	metrics_uint(&m->o, 1, "version", VRRPD_VERSION, "node", m->a->conf->begin.node, NULL);
	gauge(m, "vrrpd_config_generation", "Number of the configuration in force: it grows with each reload.",
	      m->a->conf->gen);
	count(m, "vrrpd_engine_restarts_total", "Times the engine ended unexpectedly.", m->a->trouble.restarts);
	count(m, "vrrpd_agent_restarts_total", "Times the agent ended unexpectedly.", m->a->trouble.agent_restarts);
}

static void
engine(struct metrics *m)
{
	const struct ipc_snap_engine *e = &m->s->engine;
	const struct ipc_conf_begin *wanted = &m->a->conf->begin;

	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_engine_uptime_seconds", "Time since this engine started.");
	metrics_seconds(&m->o, metrics_ago(m, e->started_us), NULL);
	gauge(m, "vrrpd_engine_realtime", "1 while the engine has real-time priority.", e->realtime);
	gauge(m, "vrrpd_engine_realtime_configured", "1 when it is to have one (engine.realtime_priority).",
	      wanted->realtime_priority > 0);
	gauge(m, "vrrpd_engine_memory_locked", "1 while the engine's memory is locked.", e->locked);
	gauge(m, "vrrpd_engine_memory_lock_configured", "1 when it is to be (engine.lock_memory).", wanted->lock_memory);
	gauge(m, "vrrpd_address_lifetime_seconds",
	      "After this long the kernel removes addresses that nobody renews, as configured; 0: never.",
	      e->address_lifetime_s);
}

static void
lateness(struct metrics *m)
{
	const struct ipc_snap_engine *e = &m->s->engine;

	metrics_family(&m->o, METRICS_HISTOGRAM, "vrrpd_advert_lateness_seconds",
		       "How much later than planned adverts were sent.");
	metrics_buckets(&m->o, api_lateness_bounds_us, e->advert_late, IPC_LATENESS_BUCKETS, e->advert_late_sum_us, NULL);
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_advert_lateness_max_seconds", "The latest advert of this engine.");
	metrics_seconds(&m->o, e->advert_late_max_us, NULL);
}

static void
agent(struct metrics *m)
{
	struct timespec ts = {0};

	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_agent_uptime_seconds", "Time since this agent started.");
	metrics_seconds(&m->o, mono_since(loop_now(m->a->loop), m->a->started), NULL);
	metrics_family(&m->o, METRICS_COUNTER, "vrrpd_agent_cpu_seconds_total", "Processor time used by this agent.");
	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts) == 0)
		metrics_seconds(&m->o, (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000, NULL);
	gauge(m, "vrrpd_api_connections", "Open connections to the status API, followers of events included.",
	      api_connections(m->a->api));
}

char *
api_metrics_text(const struct agent *a, const struct snap *s, size_t *ret_len)
{
	char *text = NULL;
	size_t len = 0;
	struct metrics m = {.o.f = open_memstream(&text, &len), .a = a, .s = s};

	ASSERT(m.o.f != NULL);
	(void)__fsetlocking(m.o.f, FSETLOCKING_BYCALLER); /* nobody else has it */
	node(&m);
	engine(&m);
	lateness(&m);
	agent(&m);
	api_metrics_instances(&m);
	api_metrics_checks(&m);
	api_metrics_stores(&m);
	api_metrics_hooks(&m);
	ASSERT(fclose(m.o.f) == 0 && text != NULL);
	*ret_len = len;
	return text;
}
