/*
 * engine_health.c - verdicts from the agent, with expiry: a silent agent makes them stale, by each check's own
 * policy.
 *
 * Runs in the advert loop. The agent can only say up or down; what that means is the election's business.
 */
#include "engine/engine.h"

#include "base/macros.h"

/* Tell every instance that tracks this check. */
static void
spread(struct engine *e, uint32_t check, uint8_t state, mono_t now)
{
	struct engine_gen *g = e->gen;

	g->checks[check].state = state;
	engine_memory_check(e, check, state);
	for (uint32_t n = 0; n < g->n_instances; n++) {
		struct engine_instance *i = &g->instances[n];

		for (uint8_t t = 0; t < i->conf.n_tracks; t++) {
			struct elect_event ev = {
				.kind = ELECT_EVENT_TRACK,
				.track = t,
				.track_state = state,
				.has_weight = g->checks[check].has_weight,
				.weight = g->checks[check].weight,
			};

			if (!i->tracks[t].is_interface && i->tracks[t].check == check)
				engine_event(e, i, &ev, now);
		}
	}
}

void
engine_health_check(struct engine *e, const struct ipc_check *m, mono_t now)
{
	static const uint8_t states[IPC_CHECK_STATE_COUNT] = {
		[IPC_CHECK_PENDING] = ELECT_TRACK_PENDING,
		[IPC_CHECK_UP] = ELECT_TRACK_UP,
		[IPC_CHECK_DOWN] = ELECT_TRACK_DOWN,
	};
	struct engine_check *c;
	bool changed;

	if (e->gen == NULL || m->h.gen != e->gen->gen || m->check >= e->gen->n_checks ||
	    m->state >= ARRAY_SIZE(states))
		return; /* of another generation, or nonsense: it will go stale */
	c = &e->gen->checks[m->check];
	if (!c->used)
		return;
	c->heard = now;
	/* A restarted agent has no result yet: that is no news about the checked thing. */
	if (m->state == IPC_CHECK_PENDING && c->state != ELECT_TRACK_PENDING)
		return;
	if (m->weight < -253 || m->weight > 253)
		return;
	changed = c->state != states[m->state] || c->has_weight != (m->has_weight != 0) || c->weight != m->weight;
	c->has_weight = m->has_weight != 0;
	c->weight = m->weight;
	if (changed)
		spread(e, m->check, states[m->state], now);
}

static bool
can_expire(const struct engine_check *c)
{
	return c->used && c->on_stale == IPC_POLICY_FAIL && c->state != ELECT_TRACK_PENDING &&
	       c->state != ELECT_TRACK_STALE;
}

void
engine_health_expire(struct engine *e, mono_t now)
{
	for (uint32_t n = 0; e->gen != NULL && n < e->gen->n_checks; n++) {
		struct engine_check *c = &e->gen->checks[n];

		if (can_expire(c) && mono_since(now, c->heard) >= c->stale_after_us)
			spread(e, n, ELECT_TRACK_STALE, now);
	}
}

mono_t
engine_health_deadline(const struct engine *e)
{
	mono_t next = MONO_NEVER;

	for (uint32_t n = 0; e->gen != NULL && n < e->gen->n_checks; n++) {
		const struct engine_check *c = &e->gen->checks[n];

		if (can_expire(c))
			next = mono_min(next, mono_add(c->heard, c->stale_after_us));
	}
	return next;
}
