/*
 * engine_control.c - commands of the operator, which come through the agent: drain, resume, announce again.
 *
 * Runs in the advert loop. The agent has checked who asks and that the instance exists; here its number is checked
 * once more.
 */
#include "engine/engine.h"

#include <errno.h>

#include "base/macros.h"

static int
carry_out(struct engine *e, const struct ipc_control *m, struct engine_instance *i, mono_t now)
{
	struct elect_event ev = {.kind = ELECT_EVENT_DRAIN, .on = m->verb == IPC_CONTROL_DRAIN};

	if (m->verb == IPC_CONTROL_GARP) {
		if (i->elect.state != ROLE_STATE_ACTIVE)
			return EINVAL;
		engine_announce_start(e, i, now);
		return 0;
	}
	engine_event(e, i, &ev, now);
	engine_memory_note(e, i);
	return 0;
}

void
engine_control(struct engine *e, const struct ipc_control *m, mono_t now)
{
	struct ipc_control_reply reply = {.token = m->token};

	if (e->gen == NULL || m->h.gen != e->gen->gen || !e->synced || e->stopping)
		reply.err = EAGAIN;
	else if (m->verb >= IPC_CONTROL_VERB_COUNT || m->index >= e->gen->n_configured)
		reply.err = EINVAL;
	else
		reply.err = (uint32_t)carry_out(e, m, &e->gen->instances[m->index], now);
	/* An agent that does not read asks again. */
	(void)ipc_chan_send(&e->agent, IPC_CONTROL_REPLY, &reply, -1);
}
