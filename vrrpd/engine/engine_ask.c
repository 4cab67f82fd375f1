/*
 * engine_ask.c - what only commands can tell: may this node take the addresses, have the services stopped?
 *
 * Runs in the advert loop. Commands are the agent's business: the question goes there, the answer comes back some time,
 * and how long it is waited for is the election's rule. A question is put again to every new agent.
 */
#include "engine/engine.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"

void
engine_ask(struct engine *e, struct engine_instance *i)
{
	struct ipc_ask m = {
		.h.gen = e->gen->gen,
		.index = i->index,
		.epoch = i->elect.ask_epoch,
		.ask = i->elect.asking,
		.priority = i->elect.priority,
		.removed = i->removed,
	};

	memcpy(m.name, i->conf.name, sizeof(m.name));
	if (i->elect.asking == ROLE_ASK_LEASE)
		return; /* engine_leader.c */
	i->ask_due = e->agent.fd >= 0 && ipc_chan_send(&e->agent, IPC_ASK, &m, -1) == -EAGAIN;
	if (!i->ask_due)
		return;
	e->asks_due = true; /* it does not read just now */
	loop_io_want(e->agent_io, true, true);
}

void
engine_ask_all(struct engine *e)
{
	e->asks_due = false;
	for (uint32_t n = 0; e->gen != NULL && n < e->gen->n_instances; n++)
		if (e->gen->instances[n].elect.asking != ROLE_ASK_NOTHING || e->gen->instances[n].ask_due)
			engine_ask(e, &e->gen->instances[n]);
}

void
engine_ask_nobody(struct engine *e, mono_t now)
{
	struct role_cause gone = {.reason = ROLE_REASON_GATE_REFUSED, .name = "vrrpd is gone"};

	for (uint32_t n = 0; e->gen != NULL && n < e->gen->n_instances; n++) {
		struct engine_instance *i = &e->gen->instances[n];
		struct elect_event ev = {
			.kind = ELECT_EVENT_ANSWER, .epoch = i->elect.ask_epoch, .cause = &gone};

		if (i->elect.asking != ROLE_ASK_NOTHING)
			engine_event(e, i, &ev, now);
	}
}

/* The instance that is meant, or NULL: of another generation, or nonsense. */
static struct engine_instance *
find(struct engine *e, uint32_t gen, uint32_t index)
{
	if (e->gen == NULL || gen != e->gen->gen || index >= e->gen->n_instances)
		return NULL;
	return &e->gen->instances[index];
}

void
engine_answer(struct engine *e, const struct ipc_answer *m, mono_t now)
{
	struct engine_instance *i = find(e, m->h.gen, m->index);
	struct role_cause cause = {.reason = ROLE_REASON_GATE_REFUSED};
	struct elect_event ev = {.kind = ELECT_EVENT_ANSWER, .epoch = m->epoch};

	if (i == NULL)
		return;
	memcpy(cause.name, m->text, sizeof(cause.name));
	cause.name[sizeof(cause.name) - 1] = '\0';
	if (m->refused)
		ev.cause = &cause;
	engine_event(e, i, &ev, now);
}

void
engine_told(struct engine *e, const struct ipc_told *m)
{
	struct engine_instance *i = find(e, m->h.gen, m->index);

	if (i == NULL || m->state >= ROLE_STATE_COUNT)
		return;
	i->told = m->state;
	engine_memory_note(e, i);
}

void
engine_services(struct engine *e, const struct ipc_services *m, mono_t now)
{
	struct engine_instance *i = find(e, m->h.gen, m->index);
	struct role_cause cause = {.reason = ROLE_REASON_SERVICES_FAILED, .a = m->failures};
	struct elect_event ev = {.kind = ELECT_EVENT_SERVICES};

	if (i == NULL)
		return;
	memcpy(cause.name, m->name, sizeof(cause.name));
	cause.name[sizeof(cause.name) - 1] = '\0';
	if (m->failures > 0)
		ev.cause = &cause;
	if ((ev.cause != NULL) != i->elect.services_failed)
		engine_event(e, i, &ev, now);
}
