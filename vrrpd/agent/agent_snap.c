/*
 * agent_snap.c - ask the engine for snapshots, take them in, hand them to who waits; see agent_snap.h.
 *
 * Runs in vrrpd-agent. Messages come from agent_link.c, questions from the status API.
 */
#include "agent/agent_snap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/agent_link.h"
#include "agent/agent_util.h"
#include "elect/elect.h"

/* A snapshot of which nothing came for this long is not coming (the engine was changing generations): ask
 * again. */
#define SNAP_SILENCE_US (250 * USEC_PER_MS)

TAILQ_HEAD(waiters, snap_waiter);

struct snaps {
	struct agent *a;
	struct loop_timer *timer;
	const struct agent_conf *conf;
	struct waiters waiters; /* oldest first: tokens and deadlines rise */
	uint32_t next_token;
	bool outstanding; /* asked, SNAP_END with next_token - 1 has not come */
	bool begun;	  /* SNAP_ENGINE of the outstanding one has come */
	bool foreign;	  /* it belongs to another generation than ours */
	mono_t asked;	  /* when a snapshot was last asked for */
	mono_t heard;	  /* outstanding: when something of it came last, or `asked` */
	uint32_t n_arrived;
	struct snap snap;
};

bool
agent_cause_ok(const struct role_cause *c)
{
	return c->reason < ROLE_REASON_COUNT && memchr(c->name, '\0', sizeof(c->name)) != NULL &&
	       (c->addr.family == IP_FAMILY_NONE || ip_family_size(c->addr.family) != 0);
}

/* What to tell somebody whose time is over. */
static const char *
why_none(const struct snaps *s)
{
	if (s->conf == NULL)
		return "no configuration has come from vrrpd yet";
	if (!agent_link_up(s->a) && s->a->trouble.text[0] != '\0')
		return s->a->trouble.text;
	if (!agent_link_up(s->a))
		return "no engine is connected: it is starting, or vrrpd cannot start it (see its log)";
	if (s->foreign)
		return "the engine has not taken over the present configuration yet";
	return "the engine is connected and did not answer within 1 s";
}

static void
finish(struct snaps *s, const struct snap *snap)
{
	struct snap_waiter *w = TAILQ_FIRST(&s->waiters);

	TAILQ_REMOVE(&s->waiters, w, link);
	w->done(w, snap, snap == NULL ? why_none(s) : NULL);
}

/* When a snapshot may be asked for next; MONO_NEVER while nothing calls for one. */
static mono_t
next_question(const struct snaps *s)
{
	if (s->conf == NULL || !agent_link_up(s->a) || TAILQ_EMPTY(&s->waiters))
		return MONO_NEVER;
	return s->outstanding ? mono_add(s->heard, SNAP_SILENCE_US) : mono_add(s->asked, SNAP_PERIOD_US);
}

/* Ask when there is a reason to and the last question is long enough ago; set the timer for what comes next. */
static void
update(struct snaps *s)
{
	mono_t now = loop_now(s->a->loop);
	mono_t deadline = TAILQ_EMPTY(&s->waiters) ? MONO_NEVER : TAILQ_FIRST(&s->waiters)->deadline;

	if (mono_due(now, next_question(s))) {
		/* An engine that cannot be asked now is asked again after the period. */
		s->outstanding = agent_link_get_snap(s->a, s->next_token++) == 0;
		s->asked = s->heard = now;
		s->begun = false;
	}
	loop_timer_set(s->timer, mono_min(deadline, next_question(s)));
}

static void
on_timer(void *arg, mono_t now)
{
	struct snaps *s = arg;

	while (!TAILQ_EMPTY(&s->waiters) && mono_due(now, TAILQ_FIRST(&s->waiters)->deadline))
		finish(s, NULL);
	update(s);
}

struct snaps *
snaps_new(struct agent *a)
{
	struct snaps *s = agent_alloc(1, sizeof(*s));

	s->a = a;
	TAILQ_INIT(&s->waiters);
	s->timer = loop_timer_add(a->loop, on_timer, s);
	return s;
}

void
snaps_free(struct snaps *s)
{
	if (s == NULL)
		return;
	ASSERT(TAILQ_EMPTY(&s->waiters));
	loop_timer_del(s->timer);
	free(s->snap.instances);
	free(s->snap.held);
	free(s);
}

void
snaps_configure(struct snaps *s, const struct agent_conf *conf)
{
	s->conf = conf;
	s->foreign = true; /* what is on its way was asked under the old one */
	free(s->snap.instances);
	free(s->snap.held);
	s->snap = (struct snap){0};
	s->snap.instances = agent_alloc(conf->begin.n_instances, sizeof(*s->snap.instances));
	s->snap.held = agent_alloc(conf->begin.n_addresses / 8 + 1, 1);
	update(s);
}

void
snaps_wait(struct snaps *s, struct snap_waiter *w, snap_done_fn *done)
{
	w->done = done;
	w->token = s->next_token;
	w->deadline = mono_add(loop_now(s->a->loop), SNAP_DEADLINE_US);
	TAILQ_INSERT_TAIL(&s->waiters, w, link);
	update(s);
}

void
snaps_cancel(struct snaps *s, struct snap_waiter *w)
{
	TAILQ_REMOVE(&s->waiters, w, link);
	update(s);
}

void
snaps_relinked(struct snaps *s)
{
	s->outstanding = false;
	s->begun = false;
	s->foreign = false;
	s->asked = MONO_ZERO; /* another engine */
	update(s);
}

static bool
peer_ok(const struct ipc_peer *p)
{
	return ip_family_size(p->addr.family) != 0 && p->form < VRRP_CHECKSUM_FORM_COUNT;
}

static bool
instance_ok(const struct ipc_snap_instance *m, const struct ipc_conf_instance *conf)
{
	if (m->state >= ROLE_STATE_COUNT || m->priority == 0 || m->n_peers > LIMIT_HEARD_PEERS ||
	    m->form >= VRRP_CHECKSUM_FORM_COUNT || m->link >= ELECT_LINK_COUNT || !agent_cause_ok(&m->cause))
		return false;
	if (m->fact >= ELECT_FACT_COUNT || m->asking >= ROLE_ASK_COUNT)
		return false;
	if (m->override.priority >= VRRP_PRIORITY_OWNER ||
	    (m->differ_peer.family != IP_FAMILY_NONE && ip_family_size(m->differ_peer.family) == 0) ||
	    (m->differ_missing.family != IP_FAMILY_NONE && ip_family_size(m->differ_missing.family) == 0) ||
	    (m->differ_foreign.family != IP_FAMILY_NONE && ip_family_size(m->differ_foreign.family) == 0))
		return false;
	if (m->conflict_us != 0 && ip_family_size(m->conflict_addr.family) == 0)
		return false;
	if ((m->source.family != IP_FAMILY_NONE && ip_family_size(m->source.family) == 0) ||
	    (m->active_known && conf->mode == ELECT_MODE_VRRP && ip_family_size(m->active_addr.family) == 0))
		return false;
	for (unsigned i = 0; i < m->n_peers; i++)
		if (!peer_ok(&m->peers[i]))
			return false;
	for (unsigned i = 0; i < conf->n_tracks; i++)
		if (m->tracks[i] >= ELECT_TRACK_COUNT)
			return false;
	return true;
}

static int
feed_engine(struct snaps *s, const struct ipc_snap_engine *m)
{
	if (!s->outstanding)
		return -EPROTO;
	s->begun = true; /* anew, when the engine was asked twice */
	s->foreign = m->h.gen != s->conf->gen;
	s->n_arrived = 0;
	if (s->foreign)
		return 0;
	if (m->n_instances != s->conf->begin.n_instances)
		return -EPROTO;
	s->snap.engine = *m;
	s->snap.n_instances = m->n_instances;
	memset(s->snap.held, 0, s->conf->begin.n_addresses / 8 + 1);
	return 0;
}

/* Bit by bit: address `first` of an instance and n in all. */
static void
take_held(struct snaps *s, const struct agent_instance *inst, uint32_t first, uint32_t n, const uint8_t *held)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t bit = inst->first_address + first + i;

		if (held[i / 8] & (1u << (i % 8)))
			s->snap.held[bit / 8] |= (uint8_t)(1u << (bit % 8));
	}
}

static int
feed_instance(struct snaps *s, const struct ipc_snap_instance *m)
{
	const struct agent_instance *inst;
	uint32_t i = s->n_arrived;

	if (m->index != i || i >= s->snap.n_instances || !instance_ok(m, &s->conf->instances[i].c))
		return -EPROTO;
	inst = &s->conf->instances[i];
	s->snap.instances[i] = *m;
	take_held(s, inst, 0, MIN(inst->c.n_addresses, (uint32_t)IPC_HELD_FIRST), m->held);
	s->n_arrived++;
	return 0;
}

static int
feed_held(struct snaps *s, const struct ipc_snap_held *m)
{
	const struct agent_instance *inst;

	if (s->n_arrived == 0 || m->index != s->n_arrived - 1 || m->n > IPC_HELD_BITS)
		return -EPROTO;
	inst = &s->conf->instances[m->index];
	if (m->first > inst->c.n_addresses || m->n > inst->c.n_addresses - m->first)
		return -EPROTO;
	take_held(s, inst, m->first, m->n, m->held);
	return 0;
}

static bool
is_fresh_for_first(const struct snaps *s, uint32_t token)
{
	const struct snap_waiter *w = TAILQ_FIRST(&s->waiters);

	return w != NULL && (int32_t)(token - w->token) >= 0; /* by distance: tokens may wrap around */
}

static int
feed_end(struct snaps *s, const struct ipc_snap_end *m)
{
	s->begun = false;
	if (m->token != s->next_token - 1)
		return 0; /* of a question that was given up */
	if (!s->foreign && s->n_arrived != s->snap.n_instances)
		return -EPROTO;
	s->outstanding = false;
	s->snap.token = m->token;
	while (!s->foreign && is_fresh_for_first(s, m->token))
		finish(s, &s->snap);
	update(s);
	return 0;
}

int
snaps_feed(struct snaps *s, const union ipc_msg *m)
{
	s->heard = loop_now(s->a->loop);
	if (m->h.type == IPC_SNAP_ENGINE)
		return feed_engine(s, &m->SNAP_ENGINE);
	if (!s->begun)
		return s->outstanding ? 0 : -EPROTO; /* the rest of a question that was given up */
	if (m->h.type == IPC_SNAP_END)
		return feed_end(s, &m->SNAP_END);
	if (s->foreign)
		return 0;
	if (m->h.type == IPC_SNAP_INSTANCE)
		return feed_instance(s, &m->SNAP_INSTANCE);
	if (m->h.type == IPC_SNAP_HELD)
		return feed_held(s, &m->SNAP_HELD);
	return -EPROTO;
}

bool
snap_held(const struct snap *s, uint32_t i)
{
	return (s->held[i / 8] & (1u << (i % 8))) != 0;
}
