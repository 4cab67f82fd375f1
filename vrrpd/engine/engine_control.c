/*
 * engine_control.c - commands of the operator, which come through the agent: drain, take-over, priority, announce again.
 *
 * Runs in the advert loop. The agent has checked who asks and that the instance exists; here its number is checked
 * once more. The answer says where the instance is after the command.
 */
#include "engine/engine.h"

#include "base/macros.h"

/* What is in force after the command; a refusal changes nothing. */
static enum elect_refusal
new_override(const struct elect *e, const struct ipc_control *m, mono_t now, struct elect_override *o,
	     struct role_cause *ret)
{
	mono_t until = m->for_us > 0 ? mono_add(now, m->for_us) : MONO_NEVER;
	enum elect_refusal r = ELECT_REFUSAL_NONE;

	*ret = (struct role_cause){0};
	switch ((enum ipc_control_verb)m->verb) {
	case IPC_CONTROL_DRAIN:
		o->drained = true;
		o->drained_until = until;
		break;
	case IPC_CONTROL_RESUME:
		o->drained = o->takeover = false;
		o->drained_until = o->takeover_until = MONO_NEVER;
		break;
	case IPC_CONTROL_TAKEOVER:
		r = elect_may_take_over(e, now, ret);
		o->takeover = true;
		o->takeover_until = until;
		break;
	case IPC_CONTROL_PRIORITY:
		if (m->priority != 0)
			r = elect_may_set_priority(e);
		o->priority = m->priority;
		o->priority_until = m->priority != 0 ? until : MONO_NEVER;
		break;
	case IPC_CONTROL_GARP:
	case IPC_CONTROL_VERB_COUNT:
		break;
	}
	return r;
}

static void
carry_out(struct engine *e, const struct ipc_control *m, struct engine_instance *i, mono_t now,
	  struct ipc_control_reply *reply)
{
	struct elect_override o = i->elect.override;
	struct elect_event ev = {.kind = ELECT_EVENT_OVERRIDE, .override = &o};

	if (m->verb == IPC_CONTROL_GARP && i->elect.state != ROLE_STATE_ACTIVE) {
		reply->result = IPC_CONTROL_INACTIVE;
	} else if (m->verb == IPC_CONTROL_GARP) {
		engine_announce_start(e, i, now);
	} else {
		reply->refusal = (uint8_t)new_override(&i->elect, m, now, &o, &reply->cause);
		if (reply->refusal == ELECT_REFUSAL_NONE)
			engine_event(e, i, &ev, now);
		else
			reply->result = IPC_CONTROL_REFUSED;
	}
	reply->state = i->elect.state;
	reply->leaving = elect_leaving(&i->elect);
	reply->drained = i->elect.override.drained;
	reply->takeover = i->elect.override.takeover;
	reply->priority = i->elect.priority;
}

void
engine_control(struct engine *e, const struct ipc_control *m, mono_t now)
{
	struct ipc_control_reply reply = {.token = m->token, .result = IPC_CONTROL_BUSY};

	if (e->gen != NULL && m->h.gen == e->gen->gen && e->synced && !e->stopping &&
	    m->verb < IPC_CONTROL_VERB_COUNT && m->index < e->gen->n_configured && m->priority < VRRP_PRIORITY_OWNER) {
		reply.result = IPC_CONTROL_DONE;
		carry_out(e, m, &e->gen->instances[m->index], now, &reply);
	}
	/* An agent that does not read asks again. */
	(void)ipc_chan_send(&e->agent, IPC_CONTROL_REPLY, &reply, -1);
}
