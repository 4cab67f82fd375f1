/*
 * elect_vrrp.c - mode "vrrp": the election of RFC 9568 and RFC 3768 around proto/vrrp_fsm.c.
 *
 * Called by elect.c only. Pure.
 */
#include "elect/elect.h"

#include "base/macros.h"

static void
vrrp_init(struct elect *e)
{
	vrrp_fsm_init(&e->vrrp, &e->conf->vrrp);
}

static void
vrrp_adopt(struct elect *e)
{
	vrrp_fsm_adopt(&e->vrrp, &e->conf->vrrp);
}

static void
vrrp_start(struct elect *e, mono_t now, struct role_actions *out)
{
	struct vrrp_event ev = {.kind = VRRP_EVENT_STARTUP,
				.priority = e->priority,
				.takeover = e->override.takeover,
				.source = e->source};

	vrrp_fsm_step(&e->vrrp, &ev, now, out);
}

static void
vrrp_resume(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	struct vrrp_event v = {
		.kind = VRRP_EVENT_STARTUP,
		.priority = e->priority,
		.takeover = e->override.takeover,
		.source = e->source,
		.resume = true,
		.ago_us = ev->us,
	};

	vrrp_fsm_step(&e->vrrp, &v, now, out);
}

static void
vrrp_stop(struct elect *e, mono_t now, struct role_actions *out)
{
	struct vrrp_event ev = {
		.kind = VRRP_EVENT_SHUTDOWN,
		.silent = e->link != ELECT_LINK_UP || e->source.family == IP_FAMILY_NONE,
		.at_once = e->at_once,
	};

	vrrp_fsm_step(&e->vrrp, &ev, now, out);
}

static void
vrrp_step(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out)
{
	struct vrrp_event v = {.priority = e->priority, .takeover = e->override.takeover, .source = e->source};

	switch (ev->kind) {
	case ELECT_EVENT_SOURCE:
		v.kind = VRRP_EVENT_SOURCE;
		break;
	case ELECT_EVENT_TRACK:
		v.kind = VRRP_EVENT_PRIORITY;
		break;
	case ELECT_EVENT_ADVERT:
		v.kind = VRRP_EVENT_ADVERT;
		v.advert = ev->advert;
		break;
	case ELECT_EVENT_TIMER:
		v.kind = VRRP_EVENT_TIMER;
		break;
	case ELECT_EVENT_ACQUIRED:
		v.kind = VRRP_EVENT_ACQUIRED;
		v.epoch = ev->epoch;
		break;
	case ELECT_EVENT_CLAIM:
		v.kind = VRRP_EVENT_CLAIM;
		break;
	case ELECT_EVENT_SLEPT:
		v.kind = VRRP_EVENT_SLEPT;
		v.slept_us = ev->us;
		break;
	case ELECT_EVENT_CONF:
		v.kind = VRRP_EVENT_CONF;
		break;
	case ELECT_EVENT_OVERRIDE:
		v.kind = VRRP_EVENT_TAKEOVER;
		break;
	case ELECT_EVENT_START:
	case ELECT_EVENT_STOP:
	case ELECT_EVENT_LINK:
	case ELECT_EVENT_SEND:
	case ELECT_EVENT_LOST:
	case ELECT_EVENT_LEADER:
	case ELECT_EVENT_ANSWER:
	case ELECT_EVENT_SERVICES:
	case ELECT_EVENT_COUNT:
		return; /* elect.c's own: they reach the mode as start and stop */
	}
	vrrp_fsm_step(&e->vrrp, &v, now, out);
}

static bool
vrrp_leaving(const struct elect *e)
{
	return e->vrrp.leaving;
}

static bool
vrrp_acquiring(const struct elect *e, uint32_t *ret_epoch)
{
	*ret_epoch = e->vrrp.epoch;
	return e->vrrp.acquiring;
}

static void
vrrp_goodbye(const struct elect *e, struct role_actions *out)
{
	vrrp_fsm_goodbye(&e->conf->vrrp, e->priority, out);
}

static usec_t
vrrp_resume_us(const struct elect_conf *conf)
{
	return vrrp_fsm_resume_us(&conf->vrrp);
}

static void
vrrp_check(const struct elect *e)
{
	vrrp_fsm_check(&e->vrrp);
	if (e->running) {
		ASSERT(e->vrrp.priority == e->priority);
		ASSERT(e->vrrp.takeover == e->override.takeover);
		ASSERT(e->state == e->vrrp.state ||
		       (e->vrrp.acquiring && e->vrrp.state == ROLE_STATE_INITIALIZE));
	} else {
		ASSERT(e->vrrp.state == ROLE_STATE_INITIALIZE);
		ASSERT(!e->vrrp.acquiring);
	}
}

static mono_t
vrrp_deadline(const struct elect *e)
{
	return vrrp_fsm_deadline(&e->vrrp);
}

const struct elect_ops elect_vrrp_ops = {
	.name = "vrrp",
	.needs_source = true,
	.init = vrrp_init,
	.adopt = vrrp_adopt,
	.start = vrrp_start,
	.resume = vrrp_resume,
	.stop = vrrp_stop,
	.step = vrrp_step,
	.leaving = vrrp_leaving,
	.acquiring = vrrp_acquiring,
	.goodbye = vrrp_goodbye,
	.resume_us = vrrp_resume_us,
	.check = vrrp_check,
	.deadline = vrrp_deadline,
};
