/*
 * elect_follow.c - modes "follow" and "lease": the addresses are where the leader is.
 *
 * A store says who that is (struct elect_leader); the agent asks it and tells with an expiry. Nothing is sent to other
 * nodes: who loses gives the addresses up at once, who gains takes them. Without news the addresses are held as long as
 * on_store_loss says, by deadlines that this machine knows by itself. Called by elect.c only. Pure.
 */
#include "elect/elect_int.h"

#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"

/* Announcing the addresses again because somebody else claims them: at most this often. */
#define DEFEND_MIN_US USEC_PER_SEC

/* The leader before hears of the change at the same moment: so long to let go, for another host that is a little slower. */
#define LET_GO_US (5 * USEC_PER_MS)

static mono_t
latest(mono_t a, mono_t b)
{
	return mono_before(a, b) ? b : a;
}

/* Until when the addresses may be held, by what was last heard. */
static mono_t
held_until(const struct elect *e)
{
	const struct elect_leader *l = &e->follow.leader;

	switch ((enum elect_fact)l->fact) {
	case ELECT_FACT_SELF:
	case ELECT_FACT_LOST:
	case ELECT_FACT_DENIED:
	case ELECT_FACT_NOTHING: /* an engine that was started again goes on from the one before */
		break;
	case ELECT_FACT_OTHER:
	case ELECT_FACT_NONE:
	case ELECT_FACT_COUNT:
		return MONO_ZERO;
	}
	switch ((enum elect_store_loss)e->conf->on_store_loss) {
	case ELECT_STORE_LOSS_RELEASE:
		if (l->fact == ELECT_FACT_NOTHING)
			return l->lease_until; /* what the engine before knew */
		return l->fact == ELECT_FACT_SELF ? mono_min(l->fresh_until, l->lease_until) : MONO_ZERO;
	case ELECT_STORE_LOSS_HOLD:
		return MONO_NEVER;
	case ELECT_STORE_LOSS_PATRONI:
		return latest(l->lease_until, l->local_until);
	case ELECT_STORE_LOSS_HOLD_LEASE:
	case ELECT_STORE_LOSS_COUNT:
		break;
	}
	return l->lease_until;
}

mono_t
elect_held_until(const struct elect *e)
{
	return e->conf->mode == ELECT_MODE_VRRP && !e->conf->arbiter ? MONO_NEVER : held_until(e);
}

void
elect_follow_news(struct elect *e, const struct elect_leader *news, mono_t now)
{
	struct elect_follow *f = &e->follow;

	if (news->fact != ELECT_FACT_SELF)
		f->take_at = MONO_NEVER;
	else if (e->conf->mode == ELECT_MODE_FOLLOW && f->leader.fact == ELECT_FACT_OTHER)
		f->take_at = mono_add(now, LET_GO_US);
	f->leader = *news;
}

bool
elect_follow_may_take(const struct elect *e, mono_t now)
{
	const struct elect_leader *l = &e->follow.leader;

	return l->fact == ELECT_FACT_SELF && mono_before(now, l->fresh_until) && mono_before(now, l->lease_until);
}

bool
elect_follow_is_others(const struct elect *e, mono_t now)
{
	return e->follow.leader.fact == ELECT_FACT_OTHER && mono_before(now, e->follow.leader.fresh_until);
}

struct role_cause
elect_follow_cause(const struct elect *e, mono_t now)
{
	static const enum role_reason reasons[ELECT_FACT_COUNT] = {
		[ELECT_FACT_NOTHING] = ROLE_REASON_STORE_AWAITED, [ELECT_FACT_SELF] = ROLE_REASON_STORE_LOST,
		[ELECT_FACT_OTHER] = ROLE_REASON_LEADER_OTHER,	  [ELECT_FACT_NONE] = ROLE_REASON_LEADER_NONE,
		[ELECT_FACT_LOST] = ROLE_REASON_STORE_LOST,	  [ELECT_FACT_DENIED] = ROLE_REASON_STORE_LOST,
	};
	const struct elect_leader *l = &e->follow.leader;
	struct role_cause c = {.reason = (uint8_t)reasons[l->fact]};

	if (elect_follow_may_take(e, now))
		c.reason = ROLE_REASON_LEADER_SELF; /* on its way to Active */
	if (c.reason == ROLE_REASON_STORE_LOST)
		c.a = mono_since(now, l->confirmed);
	str_copy(c.name, sizeof(c.name),
		 c.reason == ROLE_REASON_STORE_LOST && l->fact == ELECT_FACT_SELF ? "no news" : l->name);
	return c;
}

static void
enter(struct elect *e, enum role_state state, const struct role_cause *cause, struct role_actions *out)
{
	struct role_action *a = role_actions_add(out, ROLE_ACTION_STATE);

	e->follow.state = (uint8_t)state;
	a->state = (uint8_t)state;
	a->cause = *cause;
}

static void
acquire(struct elect *e, const struct role_cause *why, struct role_actions *out)
{
	e->follow.acquiring = true;
	e->follow.why_active = *why;
	role_actions_add(out, ROLE_ACTION_ACQUIRE)->epoch = ++e->follow.epoch;
}

/* Give the addresses up, or the way to them. */
static void
give_up(struct elect *e, struct role_actions *out)
{
	if (e->follow.acquiring || e->follow.state == ROLE_STATE_ACTIVE)
		role_actions_add(out, ROLE_ACTION_RELEASE);
	e->follow.acquiring = false;
}

/* Bring the node to where the last news wants it; true when that was something. */
static bool
decide(struct elect *e, mono_t now, struct role_actions *out)
{
	struct elect_follow *f = &e->follow;
	bool has = f->acquiring || f->state == ROLE_STATE_ACTIVE;
	struct role_cause cause = {.reason = ROLE_REASON_LEADER_SELF};

	if (mono_due(now, f->take_at))
		f->take_at = MONO_NEVER;
	if (!has && elect_follow_may_take(e, now) && f->take_at.us == MONO_NEVER.us) {
		str_copy(cause.name, sizeof(cause.name), f->leader.name);
		acquire(e, &cause, out);
		return true;
	}
	if (has && mono_due(now, held_until(e))) {
		cause = elect_follow_cause(e, now);
		give_up(e, out);
		enter(e, ROLE_STATE_BACKUP, &cause, out);
		return true;
	}
	return false;
}

/* In Backup the reason follows the news: who the leader is, or what is wrong with the store. */
static void
retell(struct elect *e, mono_t now, struct role_actions *out)
{
	struct role_cause cause = elect_follow_cause(e, now);

	if (e->follow.state == ROLE_STATE_BACKUP && !e->follow.acquiring && !elect_follow_may_take(e, now) &&
	    (cause.reason != e->cause.reason || strcmp(cause.name, e->cause.name) != 0))
		enter(e, ROLE_STATE_BACKUP, &cause, out);
}

static void
follow_init(struct elect *e)
{
	e->follow = (struct elect_follow){.state = ROLE_STATE_INITIALIZE, .take_at = MONO_NEVER};
}

static void
follow_adopt(struct elect *e)
{
	(void)e; /* all that it looks at is in e->conf */
}

static void
follow_start(struct elect *e, mono_t now, struct role_actions *out)
{
	struct role_cause cause = elect_follow_cause(e, now);

	enter(e, ROLE_STATE_BACKUP, &cause, out);
	(void)decide(e, now, out);
}

/* ev->us: since the engine before last knew that the lease lasts for elect_resume_us() more. */
static void
follow_resume(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	struct role_cause cause = {.reason = ROLE_REASON_RESUMED, .a = ev->us};

	if (e->follow.leader.fact == ELECT_FACT_NOTHING)
		e->follow.leader.lease_until = mono_add(now, ev->left_us);
	acquire(e, &cause, out);
}

static void
follow_stop(struct elect *e, mono_t now, struct role_actions *out)
{
	(void)now;
	give_up(e, out);
	e->follow.state = ROLE_STATE_INITIALIZE;
}

static void
on_acquired(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	struct elect_follow *f = &e->follow;

	if (!f->acquiring || ev->epoch != f->epoch)
		return; /* of a take-over that was called off */
	f->acquiring = false;
	f->claimed = MONO_ZERO;
	f->defended = now;
	enter(e, ROLE_STATE_ACTIVE, &f->why_active, out);
	role_actions_add(out, ROLE_ACTION_ANNOUNCE);
}

bool
elect_disputes(const struct elect *e)
{
	const struct elect_follow *f = &e->follow;

	return e->conf->mode == ELECT_MODE_VRRP ||
	       (f->claimed.us != 0 && mono_before(f->claimed, f->leader.confirmed));
}

/* It may be the next leader, which heard of it sooner: only the store's word, given after the claim, is one against it. */
static void
on_claim(struct elect *e, mono_t now, struct role_actions *out)
{
	struct elect_follow *f = &e->follow;

	if (f->state != ROLE_STATE_ACTIVE)
		return;
	if (f->claimed.us == 0)
		f->claimed = now;
	if (!elect_disputes(e) || mono_since(now, f->defended) < DEFEND_MIN_US)
		return;
	f->defended = now;
	role_actions_add(out, ROLE_ACTION_ANNOUNCE);
}

void
elect_follow_slept(struct elect *e, usec_t us)
{
	struct elect_leader *l = &e->follow.leader;

	l->fresh_until = mono_earlier(l->fresh_until, us);
	l->lease_until = mono_earlier(l->lease_until, us);
	l->local_until = mono_earlier(l->local_until, us);
}

static void
follow_step(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	switch (ev->kind) {
	case ELECT_EVENT_ACQUIRED:
		on_acquired(e, ev, now, out);
		break;
	case ELECT_EVENT_CLAIM:
		on_claim(e, now, out);
		break;
	case ELECT_EVENT_SLEPT:
		elect_follow_slept(e, ev->us);
		break;
	default: /* news and time: below */
		break;
	}
	if (!decide(e, now, out) && ev->kind == ELECT_EVENT_LEADER)
		retell(e, now, out);
}

static bool
follow_leaving(const struct elect *e)
{
	(void)e;
	return false;
}

static bool
follow_acquiring(const struct elect *e, uint32_t *ret_epoch)
{
	*ret_epoch = e->follow.epoch;
	return e->follow.acquiring;
}

static void
follow_goodbye(const struct elect *e, struct role_actions *out)
{
	(void)e;
	(void)out;
}

/* Whoever was Active goes on while what it knew of its lease lasts: that is in the memory (engine_memory.c). */
static usec_t
follow_resume_us(const struct elect_conf *conf)
{
	(void)conf;
	return UINT64_MAX;
}

static mono_t
follow_deadline(const struct elect *e)
{
	return e->follow.acquiring || e->follow.state == ROLE_STATE_ACTIVE ? held_until(e) : e->follow.take_at;
}

static void
follow_check(const struct elect *e)
{
	const struct elect_follow *f = &e->follow;

	ASSERT(f->state < ROLE_STATE_FAULT);
	ASSERT(f->leader.fact < ELECT_FACT_COUNT);
	ASSERT(!f->acquiring || f->state != ROLE_STATE_ACTIVE);
	if (e->running)
		ASSERT(e->state == f->state || (f->acquiring && f->state == ROLE_STATE_INITIALIZE));
	else
		ASSERT(f->state == ROLE_STATE_INITIALIZE && !f->acquiring);
}

#define FOLLOW_OPS                                                                                             \
	.init = follow_init, .adopt = follow_adopt, .start = follow_start, .resume = follow_resume,            \
	.stop = follow_stop, .step = follow_step, .leaving = follow_leaving, .acquiring = follow_acquiring,    \
	.goodbye = follow_goodbye, .resume_us = follow_resume_us, .deadline = follow_deadline,                 \
	.check = follow_check

const struct elect_ops elect_follow_ops = {.name = "follow", FOLLOW_OPS};

/* The same: that the agent tries for the lease is its business (elect_campaigns()). */
const struct elect_ops elect_lease_ops = {.name = "lease", FOLLOW_OPS};
