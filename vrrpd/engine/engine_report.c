/*
 * engine_report.c - snapshots and transitions for the agent.
 *
 * A snapshot is a run of fixed messages, a few per wake-up, so that asking for status never makes an advert
 * late. What the agent does not take in time is dropped: status is the agent's business, adverts are ours. Runs
 * in the advert loop.
 */
#include "engine/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "sys/log.h"

#define INSTANCES_PER_TURN 16

struct engine_report {
	bool running;
	uint32_t token;
	bool head_sent;
	uint32_t instance;  /* next one to send */
	uint32_t address;   /* next address of that instance; 0: its SNAP_INSTANCE is due */
};

struct engine_report *
engine_report_new(void)
{
	return calloc(1, sizeof(struct engine_report));
}

void
engine_report_free(struct engine_report *r)
{
	free(r);
}

void
engine_report_reset(struct engine *e)
{
	*e->report = (struct engine_report){0};
	e->events_due = e->asks_due = false;
	/* Another agent asks for everything that is, and is told how it came to that: whoever was there before it may not
	 * have taken that in. */
	for (uint32_t n = 0; e->gen != NULL && n < e->gen->n_instances; n++) {
		struct engine_instance *i = &e->gen->instances[n];

		i->event_due = false;
		i->last_due = i->last.at.us != 0 && !i->removed;
		e->events_due = e->events_due || i->last_due;
	}
}

void
engine_report_restart(struct engine *e)
{
	struct engine_report *r = e->report;

	*r = (struct engine_report){.running = r->running, .token = r->token};
}

void
engine_report_get(struct engine *e, uint32_t token)
{
	*e->report = (struct engine_report){.running = true, .token = token};
	engine_report_continue(e);
}

static int
send_head(struct engine *e)
{
	struct ipc_snap_engine m = {
		.h.gen = e->gen->gen,
		.now_us = loop_now(e->loop).us,
		.started_us = e->started.us,
		.advert_late_max_us = e->late_max_us,
		.advert_late_sum_us = e->late_sum_us,
		.n_instances = e->gen->n_configured,
		.address_lifetime_s = e->gen->address_lifetime_s,
		.renew_us = engine_kernel_renew_interval(e->kernel),
		.realtime = e->realtime,
		.locked = e->locked,
	};

	memcpy(m.advert_late, e->lateness, sizeof(m.advert_late));
	memcpy(m.discarded, e->discarded, sizeof(m.discarded));
	return ipc_chan_send(&e->agent, IPC_SNAP_ENGINE, &m, -1);
}

static void
fill_peer(const struct elect_peer *p, struct ipc_peer *ret)
{
	*ret = (struct ipc_peer){
		.addr = p->addr,
		.priority = p->priority,
		.version = p->version,
		.form = p->form,
		.addresses_differ = p->addresses_differ,
		.adver_int_cs = p->adver_int_cs,
		.heard_us = p->heard.us,
	};
}

/* Everybody heard, then configured unicast peers that never were. */
static uint8_t
fill_peers(const struct engine_instance *i, struct ipc_peer *ret)
{
	const struct elect *el = &i->elect;
	uint8_t n = 0;

	for (unsigned k = 0; k < LIMIT_HEARD_PEERS && el->peers[k].addr.family != IP_FAMILY_NONE; k++)
		fill_peer(&el->peers[k], &ret[n++]);
	for (unsigned c = 0; c < i->codec.n_peers && n < LIMIT_HEARD_PEERS; c++) {
		bool heard = false;

		for (unsigned k = 0; k < n; k++)
			heard = heard || ip_addr_equal(&ret[k].addr, &i->codec.peers[c]);
		if (!heard)
			ret[n++] = (struct ipc_peer){.addr = i->codec.peers[c]};
	}
	return n;
}

static void
fill_active(const struct engine_instance *i, mono_t now, struct ipc_snap_instance *m)
{
	const struct elect *el = &i->elect;
	const struct elect_peer *p = elect_active_peer(el, now);

	if (el->state == ROLE_STATE_ACTIVE) {
		m->active_known = m->active_self = 1;
		m->active_addr = el->source;
		m->active_priority = el->priority;
	} else if (p != NULL) {
		m->active_known = 1;
		m->active_addr = p->addr;
		m->active_priority = p->priority;
	}
}

/* One bit for each of n addresses from `first` on. */
static void
fill_held(const struct engine_instance *i, uint32_t first, uint32_t n, uint8_t *ret)
{
	for (uint32_t a = 0; a < n; a++)
		if (i->held[first + a].held)
			ret[a / 8] |= (uint8_t)(1u << (a % 8));
}

static int
send_instance(struct engine *e, const struct engine_instance *i)
{
	const struct elect *el = &i->elect;
	struct ipc_snap_instance m = {
		.h.gen = e->gen->gen,
		.index = i->index,
		.state = el->state,
		.priority = el->priority,
		.form = el->form,
		.link = el->link,
		.transitions = el->transitions,
		.since_us = el->since.us,
		.cause = el->cause,
		.source = el->source,
		.leaving = elect_leaving(el),
		.override = {
			.drained = el->override.drained,
			.takeover = el->override.takeover,
			.priority = el->override.priority,
			.drained_until_us = el->override.drained_until.us,
			.takeover_until_us = el->override.takeover_until.us,
			.priority_until_us = el->override.priority_until.us,
		},
		.delay_until_us = el->delay_until.us,
		.retry_us = el->retry_at.us,
		.preempt_until_us = el->vrrp.preempt_until.us,
		.differ_peer = i->differ.peer,
		.differ_missing = i->differ.missing,
		.differ_foreign = i->differ.foreign,
		.told = i->told,
		.fact = el->follow.leader.fact,
		.held_until_us = elect_held_until(el).us,
		.asking = el->asking,
		.conflicts = i->claims.conflicts,
		.conflict_us = i->claims.at.us,
		.conflict_mac = i->claims.mac,
		.conflict_addr = i->claims.addr,
		.counters = i->counters,
	};

	fill_active(i, loop_now(e->loop), &m);
	m.n_peers = fill_peers(i, m.peers);
	memcpy(m.tracks, el->tracks, sizeof(m.tracks));
	for (uint32_t a = 0; a < i->n_addresses; a++)
		m.n_held += i->held[a].held;
	fill_held(i, 0, MIN(i->n_addresses, (uint32_t)IPC_HELD_FIRST), m.held);
	return ipc_chan_send(&e->agent, IPC_SNAP_INSTANCE, &m, -1);
}

static int
send_held(struct engine *e, const struct engine_instance *i, uint32_t first)
{
	uint32_t n = MIN(i->n_addresses - first, (uint32_t)IPC_HELD_BITS);
	struct ipc_snap_held m = {.h.gen = e->gen->gen, .index = i->index, .first = first, .n = n};

	fill_held(i, first, n, m.held);
	return ipc_chan_send(&e->agent, IPC_SNAP_HELD, &m, -1);
}

/* Send the next message of the snapshot. 0, 1 when it was the last, or -errno. */
static int
send_next(struct engine *e)
{
	struct engine_report *r = e->report;
	struct ipc_snap_end end = {.h.gen = e->gen->gen, .token = r->token};
	const struct engine_instance *i;
	int err;

	if (!r->head_sent) {
		err = send_head(e);
		r->head_sent = err == 0;
		return err;
	}
	if (r->instance == e->gen->n_configured) {
		err = ipc_chan_send(&e->agent, IPC_SNAP_END, &end, -1);
		return err < 0 ? err : 1;
	}
	i = &e->gen->instances[r->instance];
	err = r->address == 0 ? send_instance(e, i) : send_held(e, i, r->address);
	if (err < 0)
		return err;
	r->address += r->address == 0 ? IPC_HELD_FIRST : IPC_HELD_BITS;
	if (r->address >= i->n_addresses) {
		r->address = 0;
		r->instance++;
	}
	return 0;
}

/* 0, or -EAGAIN when the agent does not read. */
static int
send_event(struct engine *e, const struct engine_instance *i, uint8_t from, uint8_t to, const struct role_cause *cause,
	   mono_t now)
{
	struct ipc_event m = {
		.h.gen = e->gen->gen,
		.index = i->removed ? IPC_EVENT_REMOVED : i->index,
		.from = from,
		.to = to,
		.priority = i->elect.priority,
		.at_us = now.us,
		.cause = *cause,
	};

	memcpy(m.name, i->conf.name, sizeof(m.name));
	return e->agent.fd < 0 ? 0 : ipc_chan_send(&e->agent, IPC_EVENT, &m, -1);
}

/* Tell the last transition once more; 0 or -EAGAIN, then it stays due. */
static int
send_last(struct engine *e, struct engine_instance *i)
{
	struct ipc_event m = {
		.h.gen = e->gen->gen,
		.index = i->removed ? IPC_EVENT_REMOVED : i->index,
		.from = i->last.from,
		.to = i->last.to,
		.priority = i->last.priority,
		.again = 1,
		.at_us = i->last.at.us,
		.cause = i->last.cause,
	};
	int r;

	memcpy(m.name, i->conf.name, sizeof(m.name));
	r = e->agent.fd < 0 ? 0 : ipc_chan_send(&e->agent, IPC_EVENT, &m, -1);
	i->last_due = r == -EAGAIN;
	return r == -EAGAIN ? r : 0;
}

void
engine_report_event(struct engine *e, struct engine_instance *i, uint8_t from, const struct role_action *a, mono_t now)
{
	if (i->last_due)
		(void)send_last(e, i);
	if (from != a->state) {
		i->last = (struct engine_last){
			.at = now, .cause = a->cause, .from = from, .to = a->state, .priority = i->elect.priority};
		i->last_due = false;
	}
	/* What the agent has no room for is told in short when it has: the last state, and why. */
	if (i->event_due)
		return;
	if (send_event(e, i, from, a->state, &a->cause, now) != -EAGAIN || from == a->state)
		return;
	i->event_due = e->events_due = true;
	i->event_from = from;
	loop_io_want(e->agent_io, true, true);
}

/* Events that found no room, or that another agent than this one was told; a few per wake-up. */
static void
send_due_events(struct engine *e)
{
	bool all = true;
	unsigned sent = 0;

	for (uint32_t n = 0; e->gen != NULL && n < e->gen->n_instances && all; n++) {
		struct engine_instance *i = &e->gen->instances[n];

		if (!i->event_due && !i->last_due)
			continue;
		if (++sent > 2 * INSTANCES_PER_TURN) {
			all = false;
			break;
		}
		if (i->last_due)
			all = send_last(e, i) == 0;
		if (!i->event_due || !all)
			continue;
		all = i->event_from == i->elect.state ||
		      send_event(e, i, i->event_from, i->elect.state, &i->elect.cause, i->elect.since) != -EAGAIN;
		i->event_due = !all;
	}
	e->events_due = !all;
}

void
engine_report_continue(struct engine *e)
{
	struct engine_report *r = e->report;
	int err = 0;

	if (e->asks_due) {
		engine_ask_all(e);
		engine_campaign_all(e);
	}
	if (e->events_due)
		send_due_events(e);
	if (e->gen == NULL || e->agent.fd < 0)
		r->running = false;
	for (unsigned n = 0; r->running && n < 2 * INSTANCES_PER_TURN; n++) {
		err = send_next(e);
		if (err != 0)
			break;
	}
	if (err != 0 && err != -EAGAIN)
		r->running = false;
	if (e->agent_io != NULL)
		loop_io_want(e->agent_io, true, r->running || e->events_due || e->asks_due);
}

void
engine_report_note(struct engine *e, struct engine_instance *i, const struct role_cause *cause, mono_t now)
{
	struct role_action a = {.kind = ROLE_ACTION_STATE, .state = i->elect.state, .cause = *cause};
	char text[LIMIT_CAUSE_TEXT];

	log_msg(cause->reason == ROLE_REASON_CONNECTIONS_RESET ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "%s: %s",
		i->conf.name, role_cause_text(cause, text, sizeof(text)));
	engine_report_event(e, i, i->elect.state, &a, now);
}
