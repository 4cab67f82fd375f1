/*
 * api_metrics.h - what the files of GET /metrics share.
 *
 * Names follow Prometheus' rules: prefix vrrpd_, base units, _total for counters. They are a contract with users' rules
 * and dashboards (packaging/prometheus, packaging/grafana): metrics and labels may be added, never renamed.
 */
#ifndef VRRPD_AGENT_API_METRICS_H
#define VRRPD_AGENT_API_METRICS_H

#include "agent/agent_snap.h"
#include "agent/metrics_out.h"

struct agent;

struct metrics {
	struct metrics_out o;
	const struct agent *a;
	const struct snap *s;
};

/* How long before the snapshot, on the clock that engine and agent share. */
usec_t metrics_ago(const struct metrics *m, uint64_t then_us);

/* The name of instance `i`. */
const char *metrics_instance(const struct metrics *m, uint32_t i);

/* Instances as the engine has them (api_metrics_instance.c). */
void api_metrics_instances(struct metrics *m);

/* Checks, stores, hooks and services (api_metrics_agent.c). */
void api_metrics_checks(struct metrics *m);
void api_metrics_stores(struct metrics *m);
void api_metrics_hooks(struct metrics *m);

#endif
