/*
 * elect_override.c - what an operator wants other than the configuration says: drain, take-over, priority; see elect.h.
 *
 * Called by elect.c, and by the engine before it passes a command on. Pure.
 */
#include "elect/elect_int.h"

mono_t
elect_override_until(const struct elect_override *o)
{
	return mono_min(o->drained_until, mono_min(o->takeover_until, o->priority_until));
}

struct elect_override
elect_override_left(const struct elect_override *o, mono_t now)
{
	struct elect_override left = ELECT_OVERRIDE_NONE;

	if (o->drained && !mono_due(now, o->drained_until)) {
		left.drained = true;
		left.drained_until = o->drained_until;
	}
	if (o->takeover && !mono_due(now, o->takeover_until)) {
		left.takeover = true;
		left.takeover_until = o->takeover_until;
	}
	if (o->priority != 0 && !mono_due(now, o->priority_until)) {
		left.priority = o->priority;
		left.priority_until = o->priority_until;
	}
	return left;
}

void
elect_override_fit(struct elect_override *o, const struct elect_conf *conf)
{
	if (conf->mode != ELECT_MODE_VRRP) {
		o->takeover = false;
		o->takeover_until = MONO_NEVER;
	}
	if (conf->mode == ELECT_MODE_FOLLOW) {
		o->priority = 0;
		o->priority_until = MONO_NEVER;
	}
}

void
elect_override_slept(struct elect_override *o, usec_t us)
{
	o->drained_until = mono_earlier(o->drained_until, us);
	o->takeover_until = mono_earlier(o->takeover_until, us);
	o->priority_until = mono_earlier(o->priority_until, us);
}

enum elect_refusal
elect_may_take_over(const struct elect *e, mono_t now, struct role_cause *ret)
{
	const struct elect_peer *active = elect_active_peer(e, now);

	*ret = (struct role_cause){0};
	if (e->conf->mode != ELECT_MODE_VRRP)
		return ELECT_REFUSAL_MODE;
	if (e->conf->priority == VRRP_PRIORITY_OWNER)
		return ELECT_REFUSAL_OWNER;
	if (e->override.drained)
		return ELECT_REFUSAL_DRAINED;
	if (elect_fit_unfit(e, ret))
		return ELECT_REFUSAL_UNFIT;
	if (active == NULL || active->priority < VRRP_PRIORITY_OWNER - 1)
		return ELECT_REFUSAL_NONE;
	ret->addr = active->addr;
	ret->b = active->priority;
	return ELECT_REFUSAL_OUTRANKED;
}

enum elect_refusal
elect_may_set_priority(const struct elect *e)
{
	if (e->conf->mode == ELECT_MODE_FOLLOW)
		return ELECT_REFUSAL_MODE;
	return e->conf->priority == VRRP_PRIORITY_OWNER ? ELECT_REFUSAL_OWNER : ELECT_REFUSAL_NONE;
}
