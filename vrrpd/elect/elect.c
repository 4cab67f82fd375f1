/*
 * elect.c - who holds the addresses: fitness, priority and peers of one instance; see elect.h.
 *
 * Called by the engine for live instances, by the case runner and the simulator for others. Pure: the elections
 * themselves are in one file per mode behind struct elect_ops.
 */
#include "elect/elect_int.h"

#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "proto/vrrp_timers.h"

/* After a failed take-over, or adverts that could not be sent: how long to stay unfit before trying again. */
#define RETRY_US (5 * USEC_PER_SEC)

/* After another program kept removing an address: longer, or it would go on from there. */
#define RETRY_TAKEN_US (30 * USEC_PER_SEC)

static const struct elect_ops *const modes[ELECT_MODE_COUNT] = {
	[ELECT_MODE_VRRP] = &elect_vrrp_ops,
	[ELECT_MODE_FOLLOW] = &elect_follow_ops,
	[ELECT_MODE_LEASE] = &elect_lease_ops,
};

static const char *const fact_names[ELECT_FACT_COUNT] = {
	[ELECT_FACT_NOTHING] = "nothing", [ELECT_FACT_SELF] = "self", [ELECT_FACT_OTHER] = "other",
	[ELECT_FACT_NONE] = "none",	  [ELECT_FACT_LOST] = "lost", [ELECT_FACT_DENIED] = "denied",
};

static const char *const checksum_names[ELECT_CHECKSUM_COUNT] = {
	[ELECT_CHECKSUM_AUTO] = "auto",
	[ELECT_CHECKSUM_RFC9568] = "rfc9568",
	[ELECT_CHECKSUM_RFC5798] = "rfc5798",
};

const char *
elect_mode_name(enum elect_mode m)
{
	return m < ELECT_MODE_COUNT ? modes[m]->name : NULL;
}

const char *
elect_checksum_name(enum elect_checksum c)
{
	return c < ELECT_CHECKSUM_COUNT ? checksum_names[c] : NULL;
}

const char *
elect_fact_name(enum elect_fact f)
{
	return f < ELECT_FACT_COUNT ? fact_names[f] : NULL;
}

static const struct elect_ops *
ops(const struct elect *e)
{
	return modes[e->conf->mode];
}

void
elect_init(struct elect *e, const struct elect_conf *conf, mono_t now)
{
	ASSERT(conf->mode < ELECT_MODE_COUNT);
	ASSERT(conf->n_tracks <= LIMIT_TRACKS);
	*e = (struct elect){
		.conf = conf,
		.link = ELECT_LINK_MISSING,
		.state = ROLE_STATE_INITIALIZE,
		.form = conf->checksum == ELECT_CHECKSUM_RFC5798 ? VRRP_CHECKSUM_RFC5798
								 : VRRP_CHECKSUM_RFC9568,
		.cause = {.reason = ROLE_REASON_STARTING},
		.since = now,
		.delay_until = MONO_NEVER,
		.retry_at = MONO_NEVER,
		.send_failing = MONO_NEVER,
		.ask_until = MONO_NEVER,
		.override = ELECT_OVERRIDE_NONE,
		.ask_epoch = (uint32_t)now.us, /* no number that an engine before this one has used */
	};
	e->priority = elect_fit_priority(e);
	ops(e)->init(e);
}

/* Take over what the mode said about its state. */
static void
note_states(struct elect *e, const struct role_actions *out, unsigned from, mono_t now)
{
	for (unsigned i = from; i < out->n; i++) {
		const struct role_action *a = &out->v[i];

		if (a->kind != ROLE_ACTION_STATE)
			continue;
		if (a->state != e->state)
			e->since = now;
		e->send_failing = MONO_NEVER;
		if (a->state == ROLE_STATE_ACTIVE)
			e->transitions++;
		e->state = a->state;
		e->cause = a->cause;
	}
}

/* Enter Initialize or Fault, or only tell a new reason for being there. */
static void
enter(struct elect *e, enum role_state state, const struct role_cause *cause, mono_t now,
      struct role_actions *out)
{
	struct role_action *a;
	unsigned from = out->n;

	if (e->state == state && e->cause.reason == cause->reason && strcmp(e->cause.name, cause->name) == 0)
		return;
	a = role_actions_add(out, ROLE_ACTION_STATE);
	a->state = (uint8_t)state;
	a->cause = *cause;
	note_states(e, out, from, now);
}

bool
elect_leaving(const struct elect *e)
{
	return ops(e)->leaving(e);
}

bool
elect_wants(const struct elect *e, uint32_t *ret_epoch)
{
	return ops(e)->acquiring(e, ret_epoch);
}

bool
elect_acquiring(const struct elect *e, uint32_t *ret_epoch)
{
	uint32_t epoch;

	return elect_wants(e, ret_epoch != NULL ? ret_epoch : &epoch) && !elect_ask_holds_back(e);
}

bool
elect_campaigns(const struct elect *e)
{
	uint32_t epoch;

	if (e->conf->arbiter)
		return elect_wants(e, &epoch) || elect_holds(e);
	return e->conf->mode == ELECT_MODE_LEASE && e->running;
}

bool
elect_needs_source(const struct elect_conf *conf)
{
	return modes[conf->mode]->needs_source;
}

bool
elect_holds(const struct elect *e)
{
	return e->state == ROLE_STATE_ACTIVE || elect_acquiring(e, NULL) || elect_leaving(e);
}

usec_t
elect_resume_us(const struct elect_conf *conf)
{
	return modes[conf->mode]->resume_us(conf);
}

bool
elect_may_resume(const struct elect_conf *conf, usec_t ago_us)
{
	return ago_us < elect_resume_us(conf);
}

/* ---- the mode's part ----------------------------------------------------------------------------- */

/*
 * Leave, unless the services have to stop first: then false. While leaving it only has an effect when there is nobody
 * left to serve: no link, no source.
 */
static bool
stop_mode(struct elect *e, mono_t now, struct role_actions *out)
{
	unsigned from = out->n;

	if (!e->running && !elect_leaving(e))
		return true;
	if (elect_ask_services(e, now, out))
		return false;
	ops(e)->stop(e, now, out);
	elect_ask_first(e, false, from, now, out);
	if (e->asking == ROLE_ASK_LEAVE)
		elect_ask_end(e);
	e->running = false;
	e->send_failing = MONO_NEVER;
	return true;
}

static void
start_mode(struct elect *e, mono_t now, struct role_actions *out)
{
	bool held = elect_holds(e);
	unsigned from = out->n;

	if (e->asking == ROLE_ASK_LEAVE)
		elect_ask_never_mind(e, role_actions_add(out, ROLE_ACTION_ASK));
	if (e->running)
		return;
	e->running = true;
	ops(e)->start(e, now, out);
	elect_ask_first(e, held, from, now, out);
	note_states(e, out, from, now);
}

/* Drained is the opposite of told to take over; but while the services stop, nobody is to preempt yet. */
static void
end_takeover(struct elect *e)
{
	if (!e->override.takeover)
		return;
	e->override.takeover = false;
	e->override.takeover_until = MONO_NEVER;
	e->overrides++;
	e->priority = elect_fit_priority(e);
}

/* Bring the instance to where its fitness wants it. */
static void
evaluate(struct elect *e, mono_t now, struct role_actions *out)
{
	struct role_cause cause = {.reason = e->stop_reason};

	if (!e->started && !e->stopping)
		return;
	if (e->stopping) {
		if (stop_mode(e, now, out))
			enter(e, ROLE_STATE_INITIALIZE, &cause, now, out);
	} else if (elect_fit_unfit(e, &cause)) {
		if (stop_mode(e, now, out))
			enter(e, ROLE_STATE_FAULT, &cause, now, out);
	} else if (e->override.drained) {
		cause = (struct role_cause){.reason = ROLE_REASON_DRAINED};
		if (stop_mode(e, now, out)) {
			enter(e, ROLE_STATE_INITIALIZE, &cause, now, out);
			end_takeover(e);
		}
	} else if (e->delay_until.us != MONO_NEVER.us) {
		cause = (struct role_cause){.reason = ROLE_REASON_START_DELAY, .a = e->conf->start_delay_us};
		enter(e, ROLE_STATE_INITIALIZE, &cause, now, out);
	} else {
		start_mode(e, now, out);
	}
}

static void
step_mode(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	bool held = elect_holds(e);
	unsigned from = out->n;

	if (!e->running && !elect_leaving(e))
		return;
	ops(e)->step(e, ev, now, out);
	elect_ask_first(e, held, from, now, out);
	note_states(e, out, from, now);
	/* Another node took over while the services were stopping: nothing is left to wait for. */
	if (e->asking == ROLE_ASK_LEAVE && e->state != ROLE_STATE_ACTIVE) {
		elect_ask_end(e);
		evaluate(e, now, out);
	}
}

/* The services have stopped, or had their time. */
static void
leave_now(struct elect *e, mono_t now, struct role_actions *out)
{
	e->may_leave = true;
	evaluate(e, now, out);
	e->may_leave = false;
}

/* Become unfit for a while because of something that the node itself could not do: nothing is left to serve. */
static void
fail(struct elect *e, const struct role_cause *cause, usec_t retry, mono_t now, struct role_actions *out)
{
	e->failed = *cause;
	e->retry_at = mono_add(now, retry);
	e->at_once = true;
	evaluate(e, now, out);
	e->at_once = false;
}

/* With an arbiter: does this node hold the addresses only because the store is away? Then another Active knows more. */
static bool
without_lease(const struct elect *e, mono_t now)
{
	return e->conf->arbiter && e->running && elect_holds(e) && mono_due(now, e->follow.leader.lease_until);
}

/*
 * With an arbiter a better node cannot come first and announce itself then: the one before it has the lease. It asks for
 * it by an advert; that one steps back as for any better Active, and gives the lease up.
 */
static void
on_advert(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	struct role_cause cause = {.reason = ROLE_REASON_LEASE_LOST};

	elect_peers_note(e, ev->advert, now);
	if (without_lease(e, now) && ev->advert->priority > 0) {
		str_copy(cause.name, sizeof(cause.name), "another host is Active");
		fail(e, &cause, RETRY_US, now, out);
		return;
	}
	step_mode(e, ev, now, out);
	if (e->asking == ROLE_ASK_LEASE && ev->advert->priority > 0 && ev->advert->priority < e->priority &&
	    elect_follow_is_others(e, now))
		role_actions_add(out, ROLE_ACTION_ADVERT)->priority = e->priority;
}

static void
on_track(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	uint8_t before = e->priority;

	ASSERT(ev->track < e->conf->n_tracks);
	ASSERT(ev->track_state < ELECT_TRACK_COUNT);
	e->tracks[ev->track] = ev->track_state;
	e->weights[ev->track] = ev->has_weight ? ev->weight : 0;
	e->priority = elect_fit_priority(e);
	evaluate(e, now, out);
	if (e->priority != before)
		step_mode(e, ev, now, out);
}

static void
on_acquired(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	struct role_cause cause = {.reason = ROLE_REASON_ADDRESS_FAILED, .addr = ev->addr};
	uint32_t epoch;

	if (ev->err == 0) {
		step_mode(e, ev, now, out);
		return;
	}
	if (!e->running || !ops(e)->acquiring(e, &epoch) || ev->epoch != epoch)
		return; /* of a take-over that was called off */
	cause.b = (uint32_t)ev->err;
	fail(e, &cause, RETRY_US, now, out);
}

static void
on_lost(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	struct role_cause cause = {.reason = ROLE_REASON_ADDRESS_TAKEN, .addr = ev->addr};

	/* Told late, it may be of addresses that are no longer ours to lose. */
	if (e->running && elect_holds(e) && !elect_leaving(e))
		fail(e, &cause, RETRY_TAKEN_US, now, out);
}

/* RFC 9568 says nothing of an Active whose adverts do not leave; its peers take over after the down interval.
 */
static void
on_send(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	struct role_cause cause = {.reason = ROLE_REASON_SEND_FAILED, .b = (uint32_t)ev->err};
	usec_t down = vrrp_down_us(e->conf->vrrp.version, e->priority, e->conf->vrrp.adver_int_cs,
				   e->conf->vrrp.down_adverts);

	if (ev->err == 0 || e->state != ROLE_STATE_ACTIVE) {
		e->send_failing = MONO_NEVER;
		return;
	}
	if (e->send_failing.us == MONO_NEVER.us)
		e->send_failing = now;
	cause.a = mono_since(now, e->send_failing);
	if (cause.a > down)
		fail(e, &cause, RETRY_US, now, out);
}

/* Nobody answers. */
static void
give_up_asking(struct elect *e, mono_t now, struct role_actions *out)
{
	struct role_cause silent = {.reason = ROLE_REASON_GATE_SILENT, .a = e->conf->enter_us};

	if (e->asking == ROLE_ASK_LEAVE)
		leave_now(e, now, out);
	else
		fail(e, &silent, RETRY_US, now, out);
}

/* With an arbiter: no lease, no addresses. Whoever has it next must not be disturbed, so nothing is waited for. */
static void
obey_arbiter(struct elect *e, mono_t now, struct role_actions *out)
{
	struct role_cause cause = elect_follow_cause(e, now);

	if (e->asking == ROLE_ASK_LEASE)
		elect_ask_next(e, now, out);
	if (!elect_holds(e) || !mono_due(now, elect_held_until(e)))
		return;
	if (cause.reason != ROLE_REASON_LEADER_OTHER)
		cause.reason = ROLE_REASON_LEASE_LOST;
	if (e->running) {
		fail(e, &cause, RETRY_US, now, out);
		return;
	}
	e->at_once = true; /* it was leaving */
	ops(e)->stop(e, now, out);
	e->at_once = false;
}

/* When the first override ends. Not while the services stop: another priority then might hand over before they have. */
static mono_t
overrides_until(const struct elect *e)
{
	return e->asking == ROLE_ASK_LEAVE ? MONO_NEVER : elect_override_until(&e->override);
}

/* Another override, or what is left of it. */
static void
override(struct elect *e, const struct elect_override *o, mono_t now, struct role_actions *out)
{
	static const struct elect_event changed = {.kind = ELECT_EVENT_OVERRIDE};
	bool takeover = e->override.takeover;
	uint8_t before = e->priority;

	e->override = *o;
	e->overrides++;
	e->priority = elect_fit_priority(e);
	if (e->priority != before || o->takeover != takeover)
		step_mode(e, &changed, now, out);
	evaluate(e, now, out);
}

/* Some of it was to last until now. */
static void
end_overrides(struct elect *e, mono_t now, struct role_actions *out)
{
	struct elect_override left = elect_override_left(&e->override, now);

	if (mono_due(now, overrides_until(e)))
		override(e, &left, now, out);
}

static void
on_timer(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	if (mono_due(now, e->delay_until))
		e->delay_until = MONO_NEVER;
	if (mono_due(now, e->retry_at))
		e->retry_at = MONO_NEVER;
	end_overrides(e, now, out);
	/* The end of a lease first: then nothing is left to wait for. */
	if (e->conf->arbiter)
		obey_arbiter(e, now, out);
	if (mono_due(now, e->ask_until))
		give_up_asking(e, now, out);
	evaluate(e, now, out);
	step_mode(e, ev, now, out);
}

static void
on_start(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	struct role_cause cause;
	unsigned from = out->n;

	e->started = true;
	if (!ev->on && !e->stopping && e->conf->start_delay_us > 0)
		e->delay_until = mono_add(now, e->conf->start_delay_us);
	if (ev->on && !e->override.drained && !e->stopping && !elect_fit_unfit(e, &cause)) {
		e->running = true;
		if (e->conf->arbiter && e->follow.leader.fact == ELECT_FACT_NOTHING)
			e->follow.leader.lease_until = mono_add(now, ev->left_us);
		ops(e)->resume(e, ev, now, out);
		note_states(e, out, from, now);
		return;
	}
	if (ev->on) {
		/* Something happened meanwhile, and the addresses are still there. */
		if (e->link == ELECT_LINK_UP && e->source.family != IP_FAMILY_NONE)
			ops(e)->goodbye(e, out);
		role_actions_add(out, ROLE_ACTION_RELEASE);
	}
	evaluate(e, now, out);
}

static void
on_stop(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	if (elect_fit_removed(e))
		return; /* it leaves already */
	e->stop_reason = ev->on ? ROLE_REASON_REMOVED : ROLE_REASON_STOPPING;
	if (ev->cause != NULL)
		e->stop_reason = ev->cause->reason;
	e->stopping = true;
	e->delay_until = MONO_NEVER;
	e->retry_at = MONO_NEVER;
	evaluate(e, now, out);
}

static void
on_answer(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	if (ev->epoch != e->ask_epoch)
		return; /* to a question that does not matter any more */
	if (e->asking == ROLE_ASK_LEAVE)
		leave_now(e, now, out);
	else if (e->asking == ROLE_ASK_ENTER && ev->cause == NULL)
		elect_ask_next(e, now, out);
	else if (e->asking == ROLE_ASK_ENTER)
		fail(e, ev->cause, RETRY_US, now, out);
}

static void
on_services(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	e->services_failed = ev->cause != NULL;
	if (ev->cause != NULL)
		e->services_cause = *ev->cause;
	evaluate(e, now, out);
}

void
elect_adopt(struct elect *e, const struct elect_conf *conf, const struct elect *old)
{
	ASSERT(conf->mode == old->conf->mode);
	*e = *old;
	e->conf = conf;
	ops(e)->adopt(e);
	elect_fit_adopt(e, old);
	if (conf->checksum != ELECT_CHECKSUM_AUTO)
		e->form = conf->checksum == ELECT_CHECKSUM_RFC5798 ? VRRP_CHECKSUM_RFC5798 : VRRP_CHECKSUM_RFC9568;
	if (conf->start_delay_us == 0)
		e->delay_until = MONO_NEVER;
}

void
elect_recall(struct elect *e, uint32_t transitions, enum vrrp_checksum_form form)
{
	e->transitions = transitions;
	if (e->conf->checksum == ELECT_CHECKSUM_AUTO)
		e->form = (uint8_t)form;
}

static void
on_conf(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	struct elect_event changed = {.kind = ELECT_EVENT_TRACK};
	uint8_t before = e->priority;

	if ((e->asking == ROLE_ASK_ENTER && e->conf->enter_us == 0) || (e->asking == ROLE_ASK_LEASE && !e->conf->arbiter))
		elect_ask_next(e, now, out);
	e->priority = elect_fit_priority(e);
	step_mode(e, ev, now, out);
	if (e->running && e->priority != before)
		step_mode(e, &changed, now, out);
	else if (ev->on && e->state == ROLE_STATE_ACTIVE && e->conf->mode == ELECT_MODE_VRRP)
		role_actions_add(out, ROLE_ACTION_ADVERT)->priority = e->priority;
	evaluate(e, now, out);
}

void
elect_step(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	switch (ev->kind) {
	case ELECT_EVENT_START:
		on_start(e, ev, now, out);
		break;
	case ELECT_EVENT_STOP:
		on_stop(e, ev, now, out);
		break;
	case ELECT_EVENT_LINK:
		ASSERT(ev->link < ELECT_LINK_COUNT);
		e->link = ev->link;
		evaluate(e, now, out);
		break;
	case ELECT_EVENT_SOURCE:
		e->source = ev->addr;
		evaluate(e, now, out);
		step_mode(e, ev, now, out);
		break;
	case ELECT_EVENT_TRACK:
		on_track(e, ev, now, out);
		break;
	case ELECT_EVENT_ADVERT:
		on_advert(e, ev, now, out);
		break;
	case ELECT_EVENT_TIMER:
		on_timer(e, ev, now, out);
		break;
	case ELECT_EVENT_ACQUIRED:
		on_acquired(e, ev, now, out);
		break;
	case ELECT_EVENT_SEND:
		on_send(e, ev, now, out);
		break;
	case ELECT_EVENT_SLEPT:
		elect_override_slept(&e->override, ev->us);
		if (e->conf->arbiter)
			elect_follow_slept(e, ev->us);
		step_mode(e, ev, now, out);
		if (e->conf->arbiter)
			obey_arbiter(e, now, out);
		break;
	case ELECT_EVENT_CLAIM:
		step_mode(e, ev, now, out);
		break;
	case ELECT_EVENT_LOST:
		on_lost(e, ev, now, out);
		break;
	case ELECT_EVENT_OVERRIDE:
		override(e, ev->override, now, out);
		break;
	case ELECT_EVENT_CONF:
		on_conf(e, ev, now, out);
		break;
	case ELECT_EVENT_LEADER:
		ASSERT(ev->leader->fact < ELECT_FACT_COUNT);
		elect_follow_news(e, ev->leader, now); /* also while this node takes no part */
		if (e->conf->arbiter)
			obey_arbiter(e, now, out);
		else
			step_mode(e, ev, now, out);
		break;
	case ELECT_EVENT_ANSWER:
		on_answer(e, ev, now, out);
		break;
	case ELECT_EVENT_SERVICES:
		on_services(e, ev, now, out);
		break;
	case ELECT_EVENT_COUNT:
		ASSERT(ev->kind != ELECT_EVENT_COUNT);
		break;
	}
}

mono_t
elect_deadline(const struct elect *e)
{
	mono_t d = mono_min(mono_min(e->delay_until, e->retry_at), mono_min(e->ask_until, overrides_until(e)));

	if (e->conf->arbiter && elect_holds(e))
		d = mono_min(d, elect_held_until(e));

	return e->running || elect_leaving(e) ? mono_min(d, ops(e)->deadline(e)) : d;
}

void
elect_check(const struct elect *e)
{
	uint32_t epoch;

	ASSERT(e->conf != NULL);
	ASSERT(e->state < ROLE_STATE_COUNT);
	ASSERT(e->cause.reason < ROLE_REASON_COUNT);
	ASSERT(e->priority == elect_fit_priority(e));
	ops(e)->check(e);
	ASSERT((e->asking == ROLE_ASK_NOTHING || e->asking == ROLE_ASK_LEASE) == (e->ask_until.us == MONO_NEVER.us));
	ASSERT(!elect_ask_holds_back(e) || elect_wants(e, &epoch));
	ASSERT(e->asking != ROLE_ASK_LEAVE || e->state == ROLE_STATE_ACTIVE);
	ASSERT(!e->may_leave);
	if (e->running) {
		ASSERT(e->started);
		ASSERT(!e->stopping || e->asking == ROLE_ASK_LEAVE);
		ASSERT(e->link == ELECT_LINK_UP);
		ASSERT(e->source.family != IP_FAMILY_NONE || !elect_needs_source(e->conf));
	} else {
		ASSERT(e->state == ROLE_STATE_INITIALIZE || e->state == ROLE_STATE_FAULT);
	}
}

