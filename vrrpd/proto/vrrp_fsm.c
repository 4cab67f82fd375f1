/*
 * vrrp_fsm.c - the state machine of one virtual router (RFC 9568 6.4, RFC 3768 6.4); see vrrp_fsm.h.
 *
 * Called by elect_vrrp.c for live instances, and through it by the case runner and the simulator. Pure: no
 * clock, no syscall, no log, no allocation. Time comes in with each event; effects go out as actions.
 */
#include "proto/vrrp_fsm.h"

#include <string.h>

#include "base/macros.h"
#include "proto/vrrp_timers.h"

/* The answer to lower-priority adverts is limited to one per max(this, interval / 4): two routers that both
 * believe to win would otherwise answer each other at wire speed. */
#define ANSWER_MIN_US (10 * USEC_PER_MS)

/* Announcing the addresses again because somebody else claims them: at most this often. */
#define DEFEND_MIN_US USEC_PER_SEC

/* What a leaving Active adds to the slowest successor's skew time: for its kernel, its ARP and the network. */
#define LEAVE_MARGIN_US (200 * USEC_PER_MS)
#define LEAVE_MAX_US	(10 * USEC_PER_SEC) /* intervals of 10 s and more: planned work waits no longer */

/* A router that preempts has its addresses or gets them now: its announcement follows its advert. */
#define YIELD_US (15 * USEC_PER_MS)

static usec_t
own_interval_us(const struct vrrp_fsm *f)
{
	return (usec_t)f->conf->adver_int_cs * USEC_PER_CS;
}

static usec_t
skew_us(const struct vrrp_fsm *f)
{
	return vrrp_skew_us(f->conf->version, f->priority, f->active_adver_int_cs);
}

static usec_t
down_us(const struct vrrp_fsm *f)
{
	return vrrp_down_us(f->conf->version, f->priority, f->active_adver_int_cs, f->conf->down_adverts);
}

void
vrrp_fsm_init(struct vrrp_fsm *f, const struct vrrp_fsm_conf *conf)
{
	ASSERT(conf->version == 2 || conf->version == 3);
	ASSERT(conf->adver_int_cs > 0);
	*f = (struct vrrp_fsm){
		.conf = conf,
		.state = ROLE_STATE_INITIALIZE,
		.active_adver_int_cs = conf->adver_int_cs,
		.deadline = MONO_NEVER,
		.preempt_until = MONO_NEVER,
		.leave_until = MONO_NEVER,
	};
}

void
vrrp_fsm_adopt(struct vrrp_fsm *f, const struct vrrp_fsm_conf *conf)
{
	/* Version 3 measures silence with the interval that was heard; else it is our own. */
	bool heard = f->heard_src.family != IP_FAMILY_NONE && conf->version == 3 && f->conf->version == 3;

	if ((conf->version != f->conf->version || conf->adver_int_cs != f->conf->adver_int_cs) && !heard) {
		f->active_adver_int_cs = conf->adver_int_cs;
		f->listen_anew = true;
	}
	f->conf = conf;
	if (conf->preempt_delay_us == 0)
		f->preempt_until = MONO_NEVER;
}

usec_t
vrrp_fsm_resume_us(const struct vrrp_fsm_conf *conf)
{
	return vrrp_down_us(conf->version, VRRP_PRIORITY_OWNER - 1, conf->adver_int_cs, conf->down_adverts) -
	       (usec_t)conf->adver_int_cs * USEC_PER_CS / 4;
}

usec_t
vrrp_fsm_leave_us(const struct vrrp_fsm_conf *conf)
{
	return MIN(vrrp_skew_us(conf->version, 1, conf->adver_int_cs) + LEAVE_MARGIN_US, LEAVE_MAX_US);
}

static void
emit_advert(const struct vrrp_fsm *f, struct role_actions *out)
{
	role_actions_add(out, ROLE_ACTION_ADVERT)->priority = f->priority;
}

static void
enter(struct vrrp_fsm *f, enum role_state state, const struct role_cause *cause, struct role_actions *out)
{
	struct role_action *a = role_actions_add(out, ROLE_ACTION_STATE);

	f->state = state;
	a->state = (uint8_t)state;
	a->cause = *cause;
}

/* Set Active_Down_Timer to the down interval, or (after a priority 0 advert) to the skew time. */
static void
restart_down_timer(struct vrrp_fsm *f, mono_t now, bool skewed)
{
	f->skewed = skewed;
	f->restarted = now;
	f->deadline = mono_add(now, skewed ? skew_us(f) : down_us(f));
}

static void
learn_interval(struct vrrp_fsm *f, const struct vrrp_advert *adv)
{
	/* v2 never learns: an advert with another interval was discarded (RFC 3768 7.1). */
	if (f->conf->version == 3)
		f->active_adver_int_cs = adv->adver_int_cs;
}

static void
enter_backup(struct vrrp_fsm *f, mono_t now, const struct role_cause *cause, struct role_actions *out)
{
	f->preempt_until = MONO_NEVER;
	restart_down_timer(f, now, false);
	enter(f, ROLE_STATE_BACKUP, cause, out);
}

/* The addresses stay for now: until a successor has them, or until `wait` is over. */
static void
begin_leaving(struct vrrp_fsm *f, mono_t now, usec_t wait, bool succeeded)
{
	f->leaving = true;
	f->succeeded = succeeded;
	f->claimed = false;
	f->leave_until = mono_add(now, wait);
}

static void
end_leaving(struct vrrp_fsm *f)
{
	f->leaving = false;
	f->leave_until = MONO_NEVER;
}

/* Give the addresses up, if they are still there. */
static void
finish_leaving(struct vrrp_fsm *f, struct role_actions *out)
{
	if (!f->leaving)
		return;
	end_leaving(f);
	role_actions_add(out, ROLE_ACTION_RELEASE);
}

/* While leaving: its advert and its announcement of every address, in any order, make a successor. */
static void
note_successor(struct vrrp_fsm *f, bool advert, bool claim, struct role_actions *out)
{
	if (!f->leaving)
		return;
	f->succeeded = f->succeeded || advert;
	f->claimed = f->claimed || claim;
	if (f->succeeded && f->claimed)
		finish_leaving(f, out);
}

/* Ask for the addresses; Active begins when they are there. */
static void
acquire(struct vrrp_fsm *f, const struct role_cause *why, struct role_actions *out)
{
	end_leaving(f);
	f->acquiring = true;
	f->deadline = MONO_NEVER;
	f->why_active = *why;
	f->epoch++;
	role_actions_add(out, ROLE_ACTION_ACQUIRE)->epoch = f->epoch;
}

static void
call_off(struct vrrp_fsm *f, struct role_actions *out)
{
	f->acquiring = false;
	role_actions_add(out, ROLE_ACTION_RELEASE);
}

/* The next Adver_Timer after `now`, when the one before was due at `last` (or now). */
static mono_t
next_advert(const struct vrrp_fsm *f, mono_t last, mono_t now)
{
	usec_t interval = own_interval_us(f);

	if (f->conf->align)
		return (mono_t){(now.us / interval + 1) * interval};
	/* On lateness of more than one interval start anew instead of sending a burst. */
	if (mono_since(now, last) >= interval)
		last = now;
	return mono_add(last, interval);
}

/* Was Active before this program was started again: the peers wait for its adverts. */
static bool
resuming(const struct vrrp_fsm *f)
{
	return f->acquiring && f->state == ROLE_STATE_INITIALIZE && f->why_active.reason == ROLE_REASON_RESUMED;
}

static void
on_startup(struct vrrp_fsm *f, const struct vrrp_event *ev, mono_t now, struct role_actions *out)
{
	struct role_cause cause = {.reason = ROLE_REASON_STARTED};

	ASSERT(f->state == ROLE_STATE_INITIALIZE);
	ASSERT(ev->priority > 0);
	f->priority = ev->priority;
	f->takeover = ev->takeover;
	f->source = ev->source;
	f->active_adver_int_cs = f->conf->adver_int_cs; /* RFC 9568 6.4.1 */
	f->heard_src = (struct ip_addr){0};
	f->skewed = false;
	f->restarted = now;
	if (ev->resume) {
		cause.reason = ROLE_REASON_RESUMED;
		cause.a = ev->ago_us;
		acquire(f, &cause, out);
		return;
	}
	if (f->priority == VRRP_PRIORITY_OWNER) {
		cause.reason = ROLE_REASON_OWNER;
		acquire(f, &cause, out);
		return;
	}
	cause.a = down_us(f);
	enter_backup(f, now, &cause, out);
}

/* After how long without us a peer takes over: what it measures with is our own interval. */
static usec_t
peers_down_us(const struct vrrp_fsm *f)
{
	return vrrp_down_us(f->conf->version, f->priority, f->conf->adver_int_cs, f->conf->down_adverts);
}

/*
 * Has this host not run for so long that its peers take over by now? Their timers run since its last advert,
 * which left an interval before the one that is late.
 */
static bool
slept(const struct vrrp_fsm *f, mono_t now)
{
	if (f->state != ROLE_STATE_ACTIVE)
		return false;
	return mono_since(now, f->deadline) + own_interval_us(f) > peers_down_us(f);
}

void
vrrp_fsm_goodbye(const struct vrrp_fsm_conf *conf, uint8_t priority, struct role_actions *out)
{
	struct role_action *a;

	if (conf->version == 3 && conf->adver_int_cs > VRRP_HURRY_CS) {
		a = role_actions_add(out, ROLE_ACTION_ADVERT);
		a->priority = priority;
		a->adver_int_cs = VRRP_HURRY_CS;
	}
	role_actions_add(out, ROLE_ACTION_ADVERT)->priority = 0;
}

static void
on_shutdown(struct vrrp_fsm *f, const struct vrrp_event *ev, mono_t now, struct role_actions *out)
{
	/* Who did not run for long has a successor already. */
	bool hold = !ev->silent && !ev->at_once && !slept(f, now);

	if (f->state == ROLE_STATE_ACTIVE) {
		if (!ev->silent)
			vrrp_fsm_goodbye(f->conf, f->priority, out);
		begin_leaving(f, now, vrrp_fsm_leave_us(f->conf), false);
	} else if (f->acquiring) {
		if (resuming(f) && !ev->silent)
			vrrp_fsm_goodbye(f->conf, f->priority, out);
		call_off(f, out);
	}
	if (!hold)
		finish_leaving(f, out);
	f->state = ROLE_STATE_INITIALIZE;
	f->deadline = MONO_NEVER;
	f->preempt_until = MONO_NEVER;
}

/* Why the down timer ran out. */
static struct role_cause
takeover_cause(const struct vrrp_fsm *f, mono_t now)
{
	struct role_cause c = {.reason = ROLE_REASON_NOBODY_HEARD, .a = mono_since(now, f->restarted)};

	if (f->heard_src.family == IP_FAMILY_NONE)
		return c;
	c.addr = f->heard_src;
	if (f->skewed) {
		c.reason = ROLE_REASON_ACTIVE_LEFT;
		c.addr = f->left_src;
	} else if (f->heard_priority > 0 && f->heard_priority < f->priority &&
		   !mono_before(f->heard_at, f->restarted) && mono_since(now, f->heard_at) < down_us(f)) {
		c.reason = ROLE_REASON_PREEMPT;
		c.a = f->priority;
		c.b = f->heard_priority;
	} else {
		c.reason = ROLE_REASON_NO_ADVERTS;
		c.a = mono_since(now, f->heard_at);
	}
	return c;
}

/*
 * Stepped down for a higher Active that did not announce itself: it was Active all the time and has not heard
 * us yet (a split network grew together). One more advert makes it announce itself (keepalived:
 * higher_prio_send_advert), or hosts would go on sending to us.
 */
static void
prompt_successor(struct vrrp_fsm *f, struct role_actions *out)
{
	if (f->state == ROLE_STATE_BACKUP && f->succeeded && !f->claimed)
		emit_advert(f, out);
}

static void
on_timer(struct vrrp_fsm *f, mono_t now, struct role_actions *out)
{
	struct role_cause cause;

	/* The take-over first: addresses that are about to be asked for are not released. */
	if (f->state == ROLE_STATE_BACKUP && mono_due(now, f->deadline)) {
		cause = takeover_cause(f, now);
		acquire(f, &cause, out);
		return;
	}
	if (mono_due(now, f->leave_until)) {
		prompt_successor(f, out);
		finish_leaving(f, out);
	}
	if (!mono_due(now, f->deadline))
		return;
	ASSERT(f->state == ROLE_STATE_ACTIVE);
	f->deadline = next_advert(f, f->deadline, now);
	emit_advert(f, out);
}

static void
on_acquired(struct vrrp_fsm *f, const struct vrrp_event *ev, mono_t now, struct role_actions *out)
{
	if (!f->acquiring || ev->epoch != f->epoch)
		return; /* of a take-over that was called off */
	f->acquiring = false;
	f->answered = MONO_ZERO;
	f->defended = now;
	f->contested = false;
	f->deadline = next_advert(f, now, now);
	enter(f, ROLE_STATE_ACTIVE, &f->why_active, out);
	emit_advert(f, out);
	role_actions_add(out, ROLE_ACTION_ANNOUNCE);
}

/*
 * Does this advert keep a Backup from taking over (RFC 9568 6.4.2)? With a preempt delay a lower priority
 * counts as good enough until the delay is over (keepalived's preempt_delay, RFC 8347 hold-time).
 */
static bool
keeps_backup(struct vrrp_fsm *f, const struct vrrp_advert *adv, mono_t now)
{
	if (adv->priority >= f->priority) {
		f->preempt_until = MONO_NEVER;
		return true;
	}
	if (!f->conf->preempt && !f->takeover)
		return true;
	if (f->conf->preempt_delay_us == 0 || f->takeover)
		return false;
	if (f->preempt_until.us == MONO_NEVER.us)
		f->preempt_until = mono_add(now, f->conf->preempt_delay_us);
	return mono_before(now, f->preempt_until);
}

static void
advert_in_backup(struct vrrp_fsm *f, const struct vrrp_advert *adv, mono_t now, struct role_actions *out)
{
	if (adv->priority == 0) {
		if (!f->acquiring) {
			f->left_src = adv->src;
			restart_down_timer(f, now, true);
		}
		return;
	}
	if (!keeps_backup(f, adv, now))
		return;
	if (f->acquiring)
		call_off(f, out);
	learn_interval(f, adv);
	restart_down_timer(f, now, false);
}

/* Somebody else claims the addresses or thinks it is Active: tell the hosts of the segment whose they are. */
static void
defend(struct vrrp_fsm *f, mono_t now, struct role_actions *out)
{
	if (mono_since(now, f->defended) < DEFEND_MIN_US)
		return;
	f->defended = now;
	f->contested = true;
	role_actions_add(out, ROLE_ACTION_ANNOUNCE);
}

/* RFC 9568 6.4.3: correct a lower router and the bridges at once. v2 stays silent (RFC 3768). */
static void
answer_lower(struct vrrp_fsm *f, const struct vrrp_advert *adv, mono_t now, struct role_actions *out)
{
	usec_t gap = MAX(ANSWER_MIN_US, own_interval_us(f) / 4);

	if (f->conf->version == 2 || ip_addr_equal(&adv->src, &f->source))
		return;
	if (f->answered.us != 0 && mono_since(now, f->answered) < gap)
		return;
	f->answered = now;
	emit_advert(f, out);
}

/* A lower router thinks that it is Active. */
static void
correct_lower(struct vrrp_fsm *f, const struct vrrp_advert *adv, mono_t now, struct role_actions *out)
{
	answer_lower(f, adv, now, out);
	/* It may have been Active where we were not heard, and hosts there know its MAC address. */
	if (!ip_addr_equal(&adv->src, &f->source))
		defend(f, now, out);
}

/* Must an Active step down for this advert, and why? */
static bool
beats_active(const struct vrrp_fsm *f, const struct vrrp_advert *adv, struct role_cause *ret)
{
	*ret = (struct role_cause){.addr = adv->src, .a = f->priority, .b = adv->priority};
	ret->reason = adv->priority > f->priority ? ROLE_REASON_HIGHER_PRIORITY : ROLE_REASON_HIGHER_ADDRESS;
	return adv->priority > f->priority ||
	       (adv->priority == f->priority && ip_addr_cmp(&adv->src, &f->source) > 0);
}

/* Whoever took over meanwhile would only be disturbed. */
static void
advert_in_resume(struct vrrp_fsm *f, const struct vrrp_advert *adv, mono_t now, struct role_actions *out)
{
	struct role_cause cause;

	if (!beats_active(f, adv, &cause))
		return;
	call_off(f, out);
	learn_interval(f, adv);
	enter_backup(f, now, &cause, out);
}

static void
advert_in_active(struct vrrp_fsm *f, const struct vrrp_advert *adv, mono_t now, struct role_actions *out)
{
	struct role_cause cause;

	if (adv->priority == 0) {
		f->deadline = next_advert(f, now, now);
		emit_advert(f, out);
		return;
	}
	if (!beats_active(f, adv, &cause)) {
		correct_lower(f, adv, now, out);
		return;
	}
	learn_interval(f, adv);
	enter_backup(f, now, &cause, out);
	begin_leaving(f, now, YIELD_US, true);
}

/*
 * Nothing that others advertise changes what an owner does (RFC 9568 7.1). But whoever is lower and Active is corrected, and
 * hosts that know its MAC address: it did not hear us, or could not read us.
 */
static void
advert_in_owner(struct vrrp_fsm *f, const struct vrrp_advert *adv, mono_t now, struct role_actions *out)
{
	if (f->state == ROLE_STATE_ACTIVE && adv->priority > 0 && adv->priority < VRRP_PRIORITY_OWNER)
		correct_lower(f, adv, now, out);
}

static void
on_advert(struct vrrp_fsm *f, const struct vrrp_advert *adv, mono_t now, struct role_actions *out)
{
	ASSERT(adv->adver_int_cs > 0);
	note_successor(f, adv->priority > 0, false, out);
	if (f->priority == VRRP_PRIORITY_OWNER) {
		advert_in_owner(f, adv, now, out);
		return;
	}
	if (f->state == ROLE_STATE_INITIALIZE && !resuming(f))
		return;
	if (f->state == ROLE_STATE_INITIALIZE)
		advert_in_resume(f, adv, now, out);
	else if (f->state == ROLE_STATE_BACKUP)
		advert_in_backup(f, adv, now, out);
	else
		advert_in_active(f, adv, now, out);
	f->heard_src = adv->src;
	f->heard_priority = adv->priority;
	f->heard_at = now;
}

static void
on_priority(struct vrrp_fsm *f, uint8_t priority, mono_t now, struct role_actions *out)
{
	bool changed = priority != f->priority;

	ASSERT(priority > 0);
	f->priority = priority;
	if (!changed || f->acquiring)
		return;
	if (f->state == ROLE_STATE_ACTIVE) {
		emit_advert(f, out); /* a better Backup preempts on its own */
	} else if (f->state == ROLE_STATE_BACKUP) {
		mono_t since = f->restarted;

		restart_down_timer(f, since, f->skewed);
		if (mono_before(f->deadline, now))
			f->deadline = now;
	}
}

static void
on_takeover(struct vrrp_fsm *f, const struct vrrp_event *ev, mono_t now, struct role_actions *out)
{
	struct role_cause cause = {.reason = ROLE_REASON_TAKEOVER};

	f->takeover = ev->takeover;
	on_priority(f, ev->priority, now, out);
	if (!f->takeover || f->state != ROLE_STATE_BACKUP || f->acquiring)
		return;
	f->preempt_until = MONO_NEVER;
	acquire(f, &cause, out);
}

static void
on_source(struct vrrp_fsm *f, const struct ip_addr *source, struct role_actions *out)
{
	bool changed = !ip_addr_equal(source, &f->source);

	f->source = *source;
	if (changed && f->state == ROLE_STATE_ACTIVE)
		emit_advert(f, out);
}

/* Listen before acting as Active again, whatever event comes first. */
static void
step_back(struct vrrp_fsm *f, mono_t now, struct role_actions *out)
{
	struct role_cause cause = {.reason = ROLE_REASON_SLEPT, .a = mono_since(now, f->deadline)};

	f->active_adver_int_cs = f->conf->adver_int_cs;
	role_actions_add(out, ROLE_ACTION_RELEASE);
	enter_backup(f, now, &cause, out);
}

/*
 * The first claim after the take-over may be the answer of the Active before to ours, which it heard before our advert,
 * or that of an equal that yields now: the segment has heard it last, and our repeats come later.
 */
static void
on_claim(struct vrrp_fsm *f, mono_t now, struct role_actions *out)
{
	if (f->state == ROLE_STATE_ACTIVE && !f->contested)
		f->defended = MONO_ZERO;
	if (f->state == ROLE_STATE_ACTIVE)
		defend(f, now, out);
	else
		note_successor(f, false, true, out);
}

/* The host was suspended: whatever was decided before is old. */
static void
on_slept(struct vrrp_fsm *f, usec_t slept_us, mono_t now, struct role_actions *out)
{
	struct role_cause cause = {.reason = ROLE_REASON_SLEPT, .a = slept_us};
	usec_t down = f->state == ROLE_STATE_ACTIVE ? peers_down_us(f) : down_us(f);

	/* A successor's time went by, too. */
	if (f->leaving && mono_since(f->leave_until, now) > slept_us)
		f->leave_until.us -= slept_us;
	else
		finish_leaving(f, out);
	if (slept_us <= down)
		return;
	finish_leaving(f, out);
	if (f->state == ROLE_STATE_ACTIVE || f->acquiring) {
		f->acquiring = false;
		role_actions_add(out, ROLE_ACTION_RELEASE);
		f->active_adver_int_cs = f->conf->adver_int_cs;
		enter_backup(f, now, &cause, out);
	} else if (f->state == ROLE_STATE_BACKUP) {
		restart_down_timer(f, now, false);
	}
}

/*
 * The last advert says nothing about silence by other measures: until now those of an Active that was changed
 * first may have been discarded.
 */
static void
conf_in_backup(struct vrrp_fsm *f, mono_t now)
{
	if (f->preempt_until.us != MONO_NEVER.us)
		f->preempt_until = mono_min(f->preempt_until, mono_add(now, f->conf->preempt_delay_us));
	if (f->listen_anew)
		restart_down_timer(f, now, false);
	else
		restart_down_timer(f, f->restarted, f->skewed);
	if (mono_before(f->deadline, now))
		f->deadline = now;
}

/* The same virtual router with other settings: what runs goes on, only the timers follow. */
static void
on_conf(struct vrrp_fsm *f, mono_t now)
{
	if (f->state == ROLE_STATE_ACTIVE)
		f->deadline = mono_min(f->deadline, next_advert(f, now, now));
	else if (f->state == ROLE_STATE_BACKUP && !f->acquiring)
		conf_in_backup(f, now);
	f->listen_anew = false;
}

void
vrrp_fsm_step(struct vrrp_fsm *f, const struct vrrp_event *ev, mono_t now, struct role_actions *out)
{
	if (ev->kind != VRRP_EVENT_SHUTDOWN && slept(f, now))
		step_back(f, now, out);
	switch (ev->kind) {
	case VRRP_EVENT_STARTUP:
		on_startup(f, ev, now, out);
		break;
	case VRRP_EVENT_SHUTDOWN:
		on_shutdown(f, ev, now, out);
		break;
	case VRRP_EVENT_ADVERT:
		on_advert(f, ev->advert, now, out);
		break;
	case VRRP_EVENT_TIMER:
		on_timer(f, now, out);
		break;
	case VRRP_EVENT_ACQUIRED:
		on_acquired(f, ev, now, out);
		break;
	case VRRP_EVENT_PRIORITY:
		on_priority(f, ev->priority, now, out);
		break;
	case VRRP_EVENT_SOURCE:
		on_source(f, &ev->source, out);
		break;
	case VRRP_EVENT_CLAIM:
		on_claim(f, now, out);
		break;
	case VRRP_EVENT_SLEPT:
		on_slept(f, ev->slept_us, now, out);
		break;
	case VRRP_EVENT_CONF:
		on_conf(f, now);
		break;
	case VRRP_EVENT_TAKEOVER:
		on_takeover(f, ev, now, out);
		break;
	case VRRP_EVENT_COUNT:
		ASSERT(ev->kind != VRRP_EVENT_COUNT);
		break;
	}
}

mono_t
vrrp_fsm_deadline(const struct vrrp_fsm *f)
{
	return mono_min(f->deadline, f->leave_until);
}

void
vrrp_fsm_check(const struct vrrp_fsm *f)
{
	bool timer = f->deadline.us != MONO_NEVER.us;

	ASSERT(f->conf != NULL);
	ASSERT(f->state < ROLE_STATE_FAULT);
	ASSERT(f->active_adver_int_cs > 0);
	if (f->conf->version == 2)
		ASSERT(f->active_adver_int_cs == f->conf->adver_int_cs);
	/* A timer runs in Backup and Active, except while the kernel is asked for the addresses. */
	ASSERT(timer == (f->state != ROLE_STATE_INITIALIZE && !f->acquiring));
	if (f->acquiring) {
		ASSERT(f->state != ROLE_STATE_ACTIVE);
		ASSERT(f->epoch > 0);
		ASSERT(!f->leaving);
	}
	ASSERT(f->leaving == (f->leave_until.us != MONO_NEVER.us));
	if (f->leaving)
		ASSERT(f->state != ROLE_STATE_ACTIVE);
	if (f->state != ROLE_STATE_INITIALIZE) {
		ASSERT(f->priority > 0);
		ASSERT(f->source.family != IP_FAMILY_NONE);
	}
	if (f->state == ROLE_STATE_ACTIVE)
		ASSERT(f->preempt_until.us == MONO_NEVER.us || f->conf->preempt_delay_us > 0);
	if (f->state == ROLE_STATE_BACKUP && timer)
		ASSERT(!mono_before(f->deadline, f->restarted));
}
