/*
 * api_metrics_instance.c - GET /metrics: the instances, as the engine has them.
 *
 * Runs in vrrpd-agent, called by api_metrics.c. One function per group of families; each family lists every instance.
 */
#include "agent/api_metrics.h"

#include <stdio.h>

#include "agent/agent.h"
#include "elect/elect.h"

/* A figure of one instance. */
typedef uint64_t figure_fn(const struct metrics *m, uint32_t i);

static void
family_of(struct metrics *m, enum metrics_type type, const char *name, const char *help, figure_fn *figure)
{
	metrics_family(&m->o, type, name, help);
	for (uint32_t i = 0; i < m->s->n_instances; i++)
		metrics_uint(&m->o, figure(m, i), "instance", metrics_instance(m, i), NULL);
}

static uint64_t
effective_priority(const struct metrics *m, uint32_t i)
{
	return m->s->instances[i].priority;
}

static uint64_t
base_priority(const struct metrics *m, uint32_t i)
{
	return m->a->conf->instances[i].c.priority;
}

static uint64_t
is_drained(const struct metrics *m, uint32_t i)
{
	return m->s->instances[i].override.drained != 0;
}

static uint64_t
is_told_to_take_over(const struct metrics *m, uint32_t i)
{
	return m->s->instances[i].override.takeover != 0;
}

static uint64_t
priority_override(const struct metrics *m, uint32_t i)
{
	return m->s->instances[i].override.priority;
}

static uint64_t
is_leaving(const struct metrics *m, uint32_t i)
{
	return m->s->instances[i].leaving != 0;
}

static uint64_t
active_heard(const struct metrics *m, uint32_t i)
{
	return m->s->instances[i].active_known != 0;
}

static uint64_t
addresses_held(const struct metrics *m, uint32_t i)
{
	return m->s->instances[i].n_held;
}

static uint64_t
addresses_configured(const struct metrics *m, uint32_t i)
{
	return m->a->conf->instances[i].c.n_addresses;
}

static uint64_t
times_active(const struct metrics *m, uint32_t i)
{
	return m->s->instances[i].transitions;
}

static uint64_t
state_changes(const struct metrics *m, uint32_t i)
{
	const struct ipc_events_counts *c = events_counts(m->a->events, i);
	uint64_t n = 0;

	for (unsigned to = 0; to < ROLE_STATE_COUNT; to++)
		for (unsigned why = 0; why < ROLE_REASON_COUNT; why++)
			n += c->n[to][why];
	return n;
}

static uint64_t
conflicts(const struct metrics *m, uint32_t i)
{
	return m->s->instances[i].conflicts;
}

static void
info(struct metrics *m)
{
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_instance_info", "What the instance is; vrid is empty without VRRP.");
	for (uint32_t i = 0; i < m->s->n_instances; i++) {
		const struct ipc_conf_instance *c = &m->a->conf->instances[i].c;
		char vrid[8] = "";

		if (c->mode == ELECT_MODE_VRRP)
			snprintf(vrid, sizeof(vrid), "%u", c->vrid);
		metrics_uint(&m->o, 1, "instance", c->name, "mode", elect_mode_name(c->mode), "interface", c->ifname, "vrid",
			     vrid, NULL);
	}
}

static void
states(struct metrics *m)
{
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_instance_state", "1 for the state the instance is in, 0 for the others.");
	for (uint32_t i = 0; i < m->s->n_instances; i++)
		for (unsigned st = 0; st < ROLE_STATE_COUNT; st++)
			metrics_bool(&m->o, m->s->instances[i].state == st, "instance", metrics_instance(m, i), "state",
				     role_state_name(st), NULL);
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_instance_reason", "1 for the reason of the state the instance is in.");
	for (uint32_t i = 0; i < m->s->n_instances; i++)
		metrics_uint(&m->o, 1, "instance", metrics_instance(m, i), "reason",
			     role_reason_label(m->s->instances[i].cause.reason), NULL);
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_instance_state_age_seconds", "Time since the state was entered.");
	for (uint32_t i = 0; i < m->s->n_instances; i++)
		metrics_seconds(&m->o, metrics_ago(m, m->s->instances[i].since_us), "instance", metrics_instance(m, i), NULL);
}

static void
roles(struct metrics *m)
{
	family_of(m, METRICS_GAUGE, "vrrpd_instance_active_heard",
		  "1 while this node is Active, or hears the adverts of an Active.", active_heard);
	family_of(m, METRICS_GAUGE, "vrrpd_instance_priority", "Effective priority of this node.", effective_priority);
	family_of(m, METRICS_GAUGE, "vrrpd_instance_base_priority", "Configured priority of this node.", base_priority);
	family_of(m, METRICS_GAUGE, "vrrpd_instance_drained", "1 while the instance is drained.", is_drained);
	family_of(m, METRICS_GAUGE, "vrrpd_instance_takeover", "1 while the instance is told to take over.",
		  is_told_to_take_over);
	family_of(m, METRICS_GAUGE, "vrrpd_instance_priority_override",
		  "Base priority by command, 0 while the configured one is in force.", priority_override);
	family_of(m, METRICS_GAUGE, "vrrpd_instance_leaving",
		  "1 while this node hands over: it still holds the addresses until another one does.", is_leaving);
	family_of(m, METRICS_GAUGE, "vrrpd_addresses_held", "Addresses of the instance that are in place on this node.",
		  addresses_held);
	family_of(m, METRICS_GAUGE, "vrrpd_addresses_configured", "Addresses of the instance.", addresses_configured);
}

/* Only what has happened: all reasons of all states of all instances would be many. */
static void
changes(struct metrics *m)
{
	family_of(m, METRICS_COUNTER, "vrrpd_became_active_total",
		  "Times this node became Active; goes on when the engine is started again.", times_active);
	family_of(m, METRICS_COUNTER, "vrrpd_state_changes_total", "State changes.", state_changes);
	metrics_family(&m->o, METRICS_COUNTER, "vrrpd_transitions_total",
		       "State changes by the state entered and the reason, once there was one.");
	for (uint32_t i = 0; i < m->s->n_instances; i++) {
		const struct ipc_events_counts *c = events_counts(m->a->events, i);

		for (unsigned to = 0; to < ROLE_STATE_COUNT; to++)
			for (unsigned why = 0; why < ROLE_REASON_COUNT; why++)
				if (c->n[to][why] > 0)
					metrics_uint(&m->o, c->n[to][why], "instance", metrics_instance(m, i), "to",
						     role_state_name(to), "reason", role_reason_label(why), NULL);
	}
}

/* ---- counters ------------------------------------------------------------------------------------------- */

static uint64_t
counter_at(const struct metrics *m, uint32_t i, size_t offset)
{
	const char *base = (const char *)&m->s->instances[i].counters;

	return *(const uint64_t *)(const void *)(base + offset);
}

/* One counter per instance, found at `offset` of its struct ipc_counters. */
static void
counter(struct metrics *m, const char *name, const char *help, size_t offset)
{
	metrics_family(&m->o, METRICS_COUNTER, name, help);
	for (uint32_t i = 0; i < m->s->n_instances; i++)
		metrics_uint(&m->o, counter_at(m, i, offset), "instance", metrics_instance(m, i), NULL);
}

#define COUNTER(m, name, field, help) counter(m, name, help, offsetof(struct ipc_counters, field))

static void
adverts(struct metrics *m)
{
	static const struct {
		const char *reason;
		size_t offset;
	} odd[] = {
		{"interval_differs", offsetof(struct ipc_counters, interval_differs)},
		{"addresses_differ", offsetof(struct ipc_counters, addresses_differ)},
		{"first_not_link_local", offsetof(struct ipc_counters, first_not_link_local)},
		{"alt_checksum", offsetof(struct ipc_counters, alt_checksum)},
	};

	COUNTER(m, "vrrpd_adverts_sent_total", adverts_sent, "Adverts sent.");
	COUNTER(m, "vrrpd_adverts_received_total", adverts_received, "Adverts received and accepted.");
	COUNTER(m, "vrrpd_priority_zero_sent_total", zero_sent, "Adverts of priority 0 sent: this node left.");
	COUNTER(m, "vrrpd_priority_zero_received_total", zero_received, "Adverts of priority 0 received: another one left.");
	COUNTER(m, "vrrpd_advert_send_errors_total", send_errors, "Adverts that could not be sent.");
	metrics_family(&m->o, METRICS_COUNTER, "vrrpd_adverts_odd_total",
		       "Adverts accepted although something is odd about them.");
	for (uint32_t i = 0; i < m->s->n_instances; i++)
		for (size_t k = 0; k < ARRAY_SIZE(odd); k++)
			metrics_uint(&m->o, counter_at(m, i, odd[k].offset), "instance", metrics_instance(m, i), "reason",
				     odd[k].reason, NULL);
	COUNTER(m, "vrrpd_announcements_sent_total", announces_sent, "Gratuitous ARP and unsolicited NA frames sent.");
	COUNTER(m, "vrrpd_addresses_healed_total", addresses_healed,
		"Addresses that another program removed and that were put back.");
	COUNTER(m, "vrrpd_connections_reset_total", connections_reset,
		"TCP connections reset when their address left this node.");
	family_of(m, METRICS_COUNTER, "vrrpd_conflicts_total",
		  "Claims of other hosts to an address while it was held here.", conflicts);
}

static void
discarded(struct metrics *m)
{
	metrics_family(&m->o, METRICS_COUNTER, "vrrpd_packets_discarded_total",
		       "Received packets that failed a check, by its name; instance is empty when the packet belongs to none.");
	for (unsigned d = VRRP_DROP_NONE + 1; d < VRRP_DROP_COUNT; d++)
		metrics_uint(&m->o, m->s->engine.discarded[d], "instance", "", "reason", vrrp_drop_label(d), NULL);
	for (uint32_t i = 0; i < m->s->n_instances; i++)
		for (unsigned d = VRRP_DROP_NONE + 1; d < VRRP_DROP_COUNT; d++)
			metrics_uint(&m->o, m->s->instances[i].counters.discarded[d], "instance", metrics_instance(m, i), "reason",
				     vrrp_drop_label(d), NULL);
}

/* ---- who and what it looks at --------------------------------------------------------------------------- */

/* Those that were heard. */
static void
peers(struct metrics *m)
{
	for (int priority = 0; priority < 2; priority++) {
		if (priority)
			metrics_family(&m->o, METRICS_GAUGE, "vrrpd_peer_priority", "Priority in the last advert of this peer.");
		else
			metrics_family(&m->o, METRICS_GAUGE, "vrrpd_peer_last_heard_seconds",
				       "Time since the last advert of this peer.");
		for (uint32_t i = 0; i < m->s->n_instances; i++) {
			const struct ipc_snap_instance *now = &m->s->instances[i];

			for (unsigned k = 0; k < now->n_peers; k++) {
				const struct ipc_peer *p = &now->peers[k];
				char addr[IP_ADDR_TEXT];

				if (p->heard_us == 0)
					continue;
				ip_addr_format(&p->addr, addr);
				if (priority)
					metrics_uint(&m->o, p->priority, "instance", metrics_instance(m, i), "peer", addr, NULL);
				else
					metrics_seconds(&m->o, metrics_ago(m, p->heard_us), "instance", metrics_instance(m, i),
							"peer", addr, NULL);
			}
		}
	}
}

static void
tracks(struct metrics *m)
{
	metrics_family(&m->o, METRICS_GAUGE, "vrrpd_track_up",
		       "1 while the tracked check or interface is up, as the engine knows it: a check without a fresh result is "
		       "not.");
	for (uint32_t i = 0; i < m->s->n_instances; i++) {
		const struct agent_instance *inst = &m->a->conf->instances[i];

		for (uint32_t k = 0; k < inst->c.n_tracks; k++) {
			const struct ipc_conf_track *t = &m->a->conf->tracks[inst->first_track + k];

			metrics_bool(&m->o, m->s->instances[i].tracks[k] == ELECT_TRACK_UP, "instance", inst->c.name, "kind",
				     t->is_interface ? "interface" : "check", "name", t->name, NULL);
		}
	}
}

void
api_metrics_instances(struct metrics *m)
{
	info(m);
	states(m);
	roles(m);
	changes(m);
	adverts(m);
	discarded(m);
	peers(m);
	tracks(m);
}
