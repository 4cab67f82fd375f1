/*
 * elect.c - who holds the addresses: fitness, priority and peers of one instance; see elect.h.
 *
 * Called by the engine for live instances, by the case runner and the simulator for others. Pure: the elections
 * themselves are in one file per mode behind struct elect_ops.
 */
#include "elect/elect.h"

#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "proto/vrrp_timers.h"
#include "proto/vrrp_track.h"

/* After a failed take-over, or adverts that could not be sent: how long to stay unfit before trying again. */
#define RETRY_US (5 * USEC_PER_SEC)

/* After another program kept removing an address: longer, or it would go on from there. */
#define RETRY_TAKEN_US (30 * USEC_PER_SEC)

static const struct elect_ops *const modes[ELECT_MODE_COUNT] = {
	[ELECT_MODE_VRRP] = &elect_vrrp_ops,
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

static const struct elect_ops *
ops(const struct elect *e)
{
	return modes[e->conf->mode];
}

static bool
counts_as_up(const struct elect_track_conf *t, uint8_t state)
{
	if (t->inverted && (state == ELECT_TRACK_UP || state == ELECT_TRACK_DOWN))
		return state == ELECT_TRACK_DOWN;
	return state == ELECT_TRACK_UP;
}

/* Base priority plus the weights that count now: negative ones while not up, positive ones while up. */
static uint8_t
effective_priority(const struct elect *e)
{
	int sum = 0;

	for (size_t i = 0; i < e->conf->n_tracks; i++) {
		const struct elect_track_conf *t = &e->conf->tracks[i];
		bool up = counts_as_up(t, e->tracks[i]);

		if (t->has_weight && up == (t->weight > 0))
			sum += t->weight;
		if (up)
			sum += e->weights[i];
	}
	return vrrp_track_priority(e->conf->priority, sum);
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
	};
	e->priority = effective_priority(e);
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

static bool
link_unfit(const struct elect *e, struct role_cause *ret)
{
	str_copy(ret->name, sizeof(ret->name), e->conf->ifname);
	switch ((enum elect_link)e->link) {
	case ELECT_LINK_MISSING:
		ret->reason = ROLE_REASON_INTERFACE_MISSING;
		return true;
	case ELECT_LINK_DOWN:
		ret->reason = ROLE_REASON_INTERFACE_DOWN;
		return true;
	case ELECT_LINK_NO_CARRIER:
		ret->reason = ROLE_REASON_NO_CARRIER;
		return true;
	case ELECT_LINK_UP:
	case ELECT_LINK_COUNT:
		break;
	}
	ret->reason = ROLE_REASON_NO_SOURCE;
	return e->source.family == IP_FAMILY_NONE;
}

static bool
track_unfit(const struct elect_track_conf *t, enum elect_track_state state, struct role_cause *ret)
{
	if (t->has_weight || counts_as_up(t, (uint8_t)state))
		return false;
	str_copy(ret->name, sizeof(ret->name), t->name);
	if (t->is_interface)
		ret->reason = ROLE_REASON_TRACKED_INTERFACE;
	else if (state == ELECT_TRACK_PENDING)
		ret->reason = ROLE_REASON_CHECK_PENDING;
	else if (state == ELECT_TRACK_STALE)
		ret->reason = ROLE_REASON_CHECK_STALE;
	else
		ret->reason = ROLE_REASON_CHECK_FAILED;
	return true;
}

/* Is the node unfit, and why? The most basic reason first. */
static bool
unfit(const struct elect *e, struct role_cause *ret)
{
	*ret = (struct role_cause){0};
	if (link_unfit(e, ret))
		return true;
	*ret = (struct role_cause){0};
	for (size_t i = 0; i < e->conf->n_tracks; i++)
		if (track_unfit(&e->conf->tracks[i], e->tracks[i], ret))
			return true;
	if (e->retry_at.us != MONO_NEVER.us) {
		*ret = e->failed;
		return true;
	}
	return false;
}

bool
elect_leaving(const struct elect *e)
{
	return ops(e)->leaving(e);
}

bool
elect_holds(const struct elect *e)
{
	return e->state == ROLE_STATE_ACTIVE || e->vrrp.acquiring || elect_leaving(e);
}

usec_t
elect_resume_us(const struct elect_conf *conf)
{
	return vrrp_fsm_resume_us(&conf->vrrp);
}

bool
elect_may_resume(const struct elect_conf *conf, usec_t ago_us)
{
	return ago_us < elect_resume_us(conf);
}

/* While leaving it only has an effect when there is nobody left to serve: no link, no source. */
static void
stop_mode(struct elect *e, mono_t now, struct role_actions *out)
{
	if (!e->running && !elect_leaving(e))
		return;
	ops(e)->stop(e, now, out);
	e->running = false;
	e->send_failing = MONO_NEVER;
}

static void
start_mode(struct elect *e, mono_t now, struct role_actions *out)
{
	unsigned from = out->n;

	if (e->running)
		return;
	e->running = true;
	ops(e)->start(e, now, out);
	note_states(e, out, from, now);
}

/* Bring the instance to where its fitness wants it. */
static void
evaluate(struct elect *e, mono_t now, struct role_actions *out)
{
	struct role_cause cause;

	if (!e->started)
		return;
	if (e->stopping) {
		stop_mode(e, now, out);
	} else if (unfit(e, &cause)) {
		stop_mode(e, now, out);
		enter(e, ROLE_STATE_FAULT, &cause, now, out);
	} else if (e->drained) {
		cause = (struct role_cause){.reason = ROLE_REASON_DRAINED};
		stop_mode(e, now, out);
		enter(e, ROLE_STATE_INITIALIZE, &cause, now, out);
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
	unsigned from = out->n;

	if (!e->running && !elect_leaving(e))
		return;
	ops(e)->step(e, ev, now, out);
	note_states(e, out, from, now);
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

static struct elect_peer *
peer_slot(struct elect *e, const struct ip_addr *src)
{
	struct elect_peer *oldest = &e->peers[0];

	for (size_t i = 0; i < LIMIT_HEARD_PEERS; i++) {
		struct elect_peer *p = &e->peers[i];

		if (p->addr.family == IP_FAMILY_NONE || ip_addr_equal(&p->addr, src))
			return p;
		if (mono_before(p->heard, oldest->heard))
			oldest = p;
	}
	return oldest;
}

/* Heard within three of its own intervals and a second. */
static bool
peer_is_live(const struct elect_peer *p, mono_t now)
{
	usec_t silence_max = (usec_t)p->adver_int_cs * 3 * USEC_PER_CS + USEC_PER_SEC;

	return p->addr.family != IP_FAMILY_NONE && mono_since(now, p->heard) <= silence_max;
}

/*
 * Option v3_checksum = "auto": speak the form that is heard. Where peers differ, RFC 5798's wins while such a
 * peer lives, because routers that send it (keepalived, FRR) accept nothing else, while this program accepts
 * both.
 */
static void
follow_checksum(struct elect *e, const struct vrrp_advert *adv, mono_t now)
{
	if (e->conf->checksum != ELECT_CHECKSUM_AUTO || adv->version != 3 || adv->src.family != IP_FAMILY_V4)
		return;
	if (adv->form == VRRP_CHECKSUM_RFC9568)
		for (size_t i = 0; i < LIMIT_HEARD_PEERS; i++)
			if (peer_is_live(&e->peers[i], now) && e->peers[i].form == VRRP_CHECKSUM_RFC5798)
				return;
	e->form = adv->form;
}

static void
on_advert(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	const struct vrrp_advert *adv = ev->advert;

	*peer_slot(e, &adv->src) = (struct elect_peer){
		.addr = adv->src,
		.priority = adv->priority,
		.version = adv->version,
		.form = adv->form,
		.heard = now,
		.adver_int_cs = adv->adver_int_cs,
		.addresses_differ = adv->addresses_differ,
	};
	follow_checksum(e, adv, now);
	step_mode(e, ev, now, out);
}

static void
on_track(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	uint8_t before = e->priority;

	ASSERT(ev->track < e->conf->n_tracks);
	ASSERT(ev->track_state < ELECT_TRACK_COUNT);
	e->tracks[ev->track] = ev->track_state;
	e->weights[ev->track] = ev->has_weight ? ev->weight : 0;
	e->priority = effective_priority(e);
	evaluate(e, now, out);
	if (e->priority != before)
		step_mode(e, ev, now, out);
}

static void
on_acquired(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	struct role_cause cause = {.reason = ROLE_REASON_ADDRESS_FAILED, .addr = ev->addr};

	if (ev->err == 0) {
		step_mode(e, ev, now, out);
		return;
	}
	if (!e->running || !e->vrrp.acquiring || ev->epoch != e->vrrp.epoch)
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

static void
on_timer(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	if (mono_due(now, e->delay_until))
		e->delay_until = MONO_NEVER;
	if (mono_due(now, e->retry_at))
		e->retry_at = MONO_NEVER;
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
	if (ev->on && !e->drained && !e->stopping && !unfit(e, &cause)) {
		e->running = true;
		ops(e)->resume(e, ev, now, out);
		note_states(e, out, from, now);
		return;
	}
	if (ev->on) {
		/* Something happened meanwhile, and the addresses are still there. */
		if (e->link == ELECT_LINK_UP && e->source.family != IP_FAMILY_NONE)
			vrrp_fsm_goodbye(&e->conf->vrrp, e->priority, out);
		role_actions_add(out, ROLE_ACTION_RELEASE);
	}
	evaluate(e, now, out);
}

static void
on_stop(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	struct role_cause cause = {.reason = ev->on ? ROLE_REASON_REMOVED : ROLE_REASON_STOPPING};

	stop_mode(e, now, out);
	e->stopping = true;
	e->delay_until = MONO_NEVER;
	e->retry_at = MONO_NEVER;
	enter(e, ROLE_STATE_INITIALIZE, &cause, now, out);
}

/*
 * What is known of the tracked object of this kind and name. One that is new to a node that takes part changes
 * nothing until something is known of it: a reload must not move addresses because a check has not run yet.
 */
static void
adopt_track(struct elect *e, size_t at, const struct elect *old)
{
	const struct elect_track_conf *t = &e->conf->tracks[at];
	bool raises = t->has_weight && (t->weight > 0) != t->inverted;

	for (size_t i = 0; i < old->conf->n_tracks; i++) {
		if (old->conf->tracks[i].is_interface != t->is_interface ||
		    strcmp(old->conf->tracks[i].name, t->name) != 0)
			continue;
		e->tracks[at] = old->tracks[i];
		e->weights[at] = old->weights[i];
		return;
	}
	if (old->running && !raises)
		e->tracks[at] = t->inverted ? ELECT_TRACK_DOWN : ELECT_TRACK_UP;
}

void
elect_adopt(struct elect *e, const struct elect_conf *conf, const struct elect *old)
{
	ASSERT(conf->mode == old->conf->mode);
	*e = *old;
	e->conf = conf;
	vrrp_fsm_adopt(&e->vrrp, &conf->vrrp);
	memset(e->tracks, ELECT_TRACK_PENDING, sizeof(e->tracks));
	memset(e->weights, 0, sizeof(e->weights));
	for (size_t i = 0; i < conf->n_tracks; i++)
		adopt_track(e, i, old);
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

	e->priority = effective_priority(e);
	step_mode(e, ev, now, out);
	if (e->running && e->priority != e->vrrp.priority)
		step_mode(e, &changed, now, out);
	else if (ev->on && e->state == ROLE_STATE_ACTIVE)
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
	case ELECT_EVENT_CLAIM:
	case ELECT_EVENT_SLEPT:
		step_mode(e, ev, now, out);
		break;
	case ELECT_EVENT_LOST:
		on_lost(e, ev, now, out);
		break;
	case ELECT_EVENT_DRAIN:
		e->drained = ev->on;
		evaluate(e, now, out);
		break;
	case ELECT_EVENT_CONF:
		on_conf(e, ev, now, out);
		break;
	case ELECT_EVENT_COUNT:
		ASSERT(ev->kind != ELECT_EVENT_COUNT);
		break;
	}
}

mono_t
elect_deadline(const struct elect *e)
{
	mono_t d = mono_min(e->delay_until, e->retry_at);

	return e->running || elect_leaving(e) ? mono_min(d, ops(e)->deadline(e)) : d;
}

void
elect_check(const struct elect *e)
{
	ASSERT(e->conf != NULL);
	ASSERT(e->state < ROLE_STATE_COUNT);
	ASSERT(e->cause.reason < ROLE_REASON_COUNT);
	ASSERT(e->priority == effective_priority(e));
	vrrp_fsm_check(&e->vrrp);
	if (e->running) {
		ASSERT(e->started);
		ASSERT(!e->stopping);
		ASSERT(e->link == ELECT_LINK_UP);
		ASSERT(e->source.family != IP_FAMILY_NONE);
		ASSERT(e->vrrp.priority == e->priority);
		ASSERT(e->state == e->vrrp.state ||
		       (e->vrrp.acquiring && e->vrrp.state == ROLE_STATE_INITIALIZE));
	} else {
		ASSERT(e->vrrp.state == ROLE_STATE_INITIALIZE);
		ASSERT(!e->vrrp.acquiring);
		ASSERT(e->state == ROLE_STATE_INITIALIZE || e->state == ROLE_STATE_FAULT);
	}
}

const struct elect_peer *
elect_active_peer(const struct elect *e, mono_t now)
{
	const struct elect_peer *best = NULL;

	if (e->state == ROLE_STATE_ACTIVE)
		return NULL;
	for (size_t i = 0; i < LIMIT_HEARD_PEERS; i++) {
		const struct elect_peer *p = &e->peers[i];

		if (peer_is_live(p, now) && p->priority > 0 &&
		    (best == NULL || mono_before(best->heard, p->heard)))
			best = p;
	}
	return best;
}
