/*
 * api_metrics_agent.c - GET /metrics: checks, stores, hooks and services, as the agent has them.
 *
 * Runs in vrrpd-agent, called by api_metrics.c.
 */
#include "agent/api_metrics.h"

#include "agent/agent.h"
#include "agent/hooks.h"
#include "agent/store.h"

/* ---- checks ---------------------------------------------------------------------------------------------- */

static void
check_states(struct metrics *m)
{
	uint32_t n = checks_count(m->a->checks);

	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_check_info", "What the check is.");
	for (uint32_t i = 0; i < n; i++) {
		const struct check *c = checks_get(m->a->checks, i);

		metrics_uint(&m->o, 1, "check", c->def.conf.name, "kind", check_kind_name(c->def.conf.kind), NULL);
	}
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_check_up",
		       "1 while the check is up, 0 while it is down or has no result yet.");
	for (uint32_t i = 0; i < n; i++) {
		const struct check *c = checks_get(m->a->checks, i);

		metrics_bool(&m->o, c->state == IPC_CHECK_UP, "check", c->def.conf.name, NULL);
	}
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_check_state", "1 for the state the check is in, 0 for the others.");
	for (uint32_t i = 0; i < n; i++) {
		const struct check *c = checks_get(m->a->checks, i);

		for (unsigned st = 0; st < IPC_CHECK_STATE_COUNT; st++)
			metrics_bool(&m->o, c->state == st, "check", c->def.conf.name, "state", check_state_name(st), NULL);
	}
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_check_state_age_seconds", "Time since the check's state was entered.");
	for (uint32_t i = 0; i < n; i++) {
		const struct check *c = checks_get(m->a->checks, i);

		metrics_seconds(&m->o, mono_since(loop_now(m->a->loop), c->since), "check", c->def.conf.name, NULL);
	}
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_check_score", "Score of a graded check, 0 to 100, once it has one.");
	for (uint32_t i = 0; i < n; i++) {
		const struct check *c = checks_get(m->a->checks, i);
		char text[SCORE_TEXT];

		if (check_is_graded(c) && c->score_shown >= 0)
			metrics_text(&m->o, score_format(c->score_shown, text), "check", c->def.conf.name, NULL);
	}
}

static uint64_t
runs_of(const struct check *c)
{
	uint64_t n = 0;

	for (unsigned r = 0; r < CHECK_RESULT_COUNT; r++)
		n += c->runs[r];
	return n;
}

static void
check_runs(struct metrics *m)
{
	uint32_t n = checks_count(m->a->checks);

	metrics_family(&m->o, METRICS_COUNTER, "vrrpd_check_runs_total", "Finished runs of the check by their result.");
	for (uint32_t i = 0; i < n; i++) {
		const struct check *c = checks_get(m->a->checks, i);

		for (unsigned r = 0; r < CHECK_RESULT_COUNT; r++)
			metrics_uint(&m->o, c->runs[r], "check", c->def.conf.name, "result", check_result_name(r), NULL);
	}
	metrics_family(&m->o, METRICS_HISTOGRAM, "vrrpd_check_duration_seconds",
		       "How long runs of the check took; one that timed out counts with its time-out.");
	for (uint32_t i = 0; i < n; i++) {
		const struct check *c = checks_get(m->a->checks, i);

		metrics_buckets(&m->o, check_bounds_us, c->took, CHECK_BUCKETS, c->took_sum_us, "check", c->def.conf.name, NULL);
	}
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_check_last_duration_seconds",
		       "How long the last run took, once there was one.");
	for (uint32_t i = 0; i < n; i++) {
		const struct check *c = checks_get(m->a->checks, i);

		if (runs_of(c) > 0)
			metrics_seconds(&m->o, c->took_us, "check", c->def.conf.name, NULL);
	}
}

void
api_metrics_checks(struct metrics *m)
{
	check_states(m);
	check_runs(m);
}

/* ---- stores ---------------------------------------------------------------------------------------------- */

static void
store_answers(struct metrics *m)
{
	metrics_family(&m->o, METRICS_SUMMARY, "vrrpd_store_latency_seconds",
		       "How long the store took to answer; what it is asked to say when something changes does not count.");
	for (uint32_t i = 0; i < m->s->n_instances; i++) {
		const struct store *s = stores_get(m->a->stores, i);

		if (s != NULL)
			metrics_sum(&m->o, s->answers, s->latency_sum_us, "instance", s->instance, "store", s->ops->name, NULL);
	}
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_store_last_latency_seconds",
		       "How long its last answer took, once there was one.");
	for (uint32_t i = 0; i < m->s->n_instances; i++) {
		const struct store *s = stores_get(m->a->stores, i);

		if (s != NULL && s->answers > 0)
			metrics_seconds(&m->o, s->latency_us, "instance", s->instance, "store", s->ops->name, NULL);
	}
	metrics_family(&m->o, METRICS_COUNTER, "vrrpd_store_failures_total",
		       "Times the store could not be asked, or did not say.");
	for (uint32_t i = 0; i < m->s->n_instances; i++) {
		const struct store *s = stores_get(m->a->stores, i);

		if (s != NULL)
			metrics_uint(&m->o, s->failures, "instance", s->instance, "store", s->ops->name, NULL);
	}
}

static void
store_states(struct metrics *m)
{
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_store_reachable",
		       "1 while the store says who the leader is, or that there is none.");
	for (uint32_t i = 0; i < m->s->n_instances; i++) {
		const struct store *s = stores_get(m->a->stores, i);

		if (s != NULL)
			metrics_bool(&m->o, store_speaks(s), "instance", s->instance, "store", s->ops->name, NULL);
	}
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_store_fact",
		       "1 for what the engine knows from the store, 0 for the rest: the leader is this node (self), another one "
		       "(other), nobody (none), it cannot be reached (lost), it refuses to say (denied).");
	for (uint32_t i = 0; i < m->s->n_instances; i++)
		for (unsigned f = 0; f < ELECT_FACT_COUNT && stores_get(m->a->stores, i) != NULL; f++)
			metrics_bool(&m->o, m->s->instances[i].fact == f, "instance", metrics_instance(m, i), "fact",
				     elect_fact_name(f), NULL);
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_store_warning",
		       "1 while something about the store is to be mended: vrrpctl status says what.");
	for (uint32_t i = 0; i < m->s->n_instances; i++) {
		const struct store *s = stores_get(m->a->stores, i);

		if (s != NULL)
			metrics_bool(&m->o, store_warning(s) != NULL, "instance", s->instance, "store", s->ops->name, NULL);
	}
}

static void
leases(struct metrics *m)
{
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_lease_ttl_seconds", "How long a lease lasts (option ttl).");
	for (uint32_t i = 0; i < m->s->n_instances; i++) {
		const struct store *s = stores_get(m->a->stores, i);

		if (s != NULL && s->lease)
			metrics_seconds(&m->o, (usec_t)store_number(s, "ttl", 0), "instance", s->instance, NULL);
	}
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_lease_left_seconds",
		       "While Active: when this node lets go of the addresses unless the store says something before.");
	for (uint32_t i = 0; i < m->s->n_instances; i++) {
		const struct ipc_snap_instance *now = &m->s->instances[i];
		uint64_t until = now->held_until_us, at = m->s->engine.now_us;

		if (stores_get(m->a->stores, i) != NULL && now->state == ROLE_STATE_ACTIVE && until != UINT64_MAX)
			metrics_seconds(&m->o, until > at ? until - at : 0, "instance", metrics_instance(m, i), NULL);
	}
}

void
api_metrics_stores(struct metrics *m)
{
	store_answers(m);
	store_states(m);
	leases(m);
}

/* ---- hooks and services ------------------------------------------------------------------------------------ */

void
api_metrics_hooks(struct metrics *m)
{
	metrics_family(&m->o, METRICS_COUNTER, "vrrpd_hook_runs_total",
		       "Commands run by what for (notify, gate, service_start, service_stop) and what became of them.");
	for (uint32_t i = 0; i < m->s->n_instances; i++)
		for (unsigned what = 0; what < HOOK_WHAT_COUNT; what++) {
			const uint64_t *runs = hooks_runs(m->a->hooks, i, what);

			for (unsigned r = 0; runs != NULL && r < HOOK_OUTCOME_COUNT; r++)
				metrics_uint(&m->o, runs[r], "instance", metrics_instance(m, i), "hook", hook_what_name(what),
					     "result", hook_outcome_name(r), NULL);
		}
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_service_running", "1 while the service runs on this node.");
	for (uint32_t i = 0; i < m->s->n_instances; i++) {
		const char *name;
		bool running;

		for (uint32_t k = 0; (name = hooks_service(m->a->hooks, i, k, &running)) != NULL; k++)
			metrics_bool(&m->o, running, "instance", metrics_instance(m, i), "service", name, NULL);
	}
}
