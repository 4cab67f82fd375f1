/*
 * agent_events.c - the ring of transitions and their counters; see agent_events.h.
 *
 * Runs in vrrpd-agent, fed by agent_link.c, read by the status API. The engine and the agent take over a new
 * generation each in its own time, so an event may belong to the generation before or after the present one.
 */
#include "agent/agent_events.h"

#include <stdlib.h>
#include <string.h>

#include "agent/agent_util.h"
#include "base/strbuf.h"
#include "sys/clock.h"

struct events {
	uint32_t first, n;
	uint32_t gen, n_counts; /* the present generation and its instances */
	struct event_counts *counts;
	uint32_t old_gen, n_old; /* the one before: its names, for events that come late */
	struct event_counts *old;
	struct event_entry ring[EVENTS_KEPT];
};

struct events *
events_new(void)
{
	return agent_alloc(1, sizeof(struct events));
}

void
events_free(struct events *ev)
{
	if (ev == NULL)
		return;
	free(ev->counts);
	free(ev->old);
	free(ev);
}

static struct event_entry *
entry(struct events *ev, uint32_t i)
{
	return &ev->ring[(ev->first + i) % EVENTS_KEPT];
}

static struct event_counts *
find_counts(struct events *ev, const char *name, uint32_t hint)
{
	if (hint < ev->n_counts && strcmp(ev->counts[hint].name, name) == 0)
		return &ev->counts[hint];
	for (uint32_t i = 0; i < ev->n_counts; i++)
		if (strcmp(ev->counts[i].name, name) == 0)
			return &ev->counts[i];
	return NULL;
}

/* Name an entry of the present generation and count it. False when there is no such instance. */
static bool
settle(struct events *ev, struct event_entry *e)
{
	if (e->index >= ev->n_counts)
		return false;
	str_copy(e->name, sizeof(e->name), ev->counts[e->index].name);
	if (e->from != e->to)
		ev->counts[e->index].n[e->to][e->cause.reason]++;
	return true;
}

void
events_configure(struct events *ev, const struct agent_conf *now)
{
	free(ev->old);
	ev->old = ev->counts;
	ev->n_old = ev->n_counts;
	ev->old_gen = ev->gen;
	ev->gen = now->gen;
	ev->n_counts = now->begin.n_instances;
	ev->counts = agent_alloc(ev->n_counts, sizeof(*ev->counts));
	for (uint32_t i = 0; i < ev->n_counts; i++)
		str_copy(ev->counts[i].name, sizeof(ev->counts[i].name), now->instances[i].c.name);
	for (uint32_t i = 0; i < ev->n_old; i++) {
		struct event_counts *c = find_counts(ev, ev->old[i].name, i);

		if (c != NULL)
			memcpy(c->n, ev->old[i].n, sizeof(c->n));
	}
	for (uint32_t i = 0; i < ev->n; i++) {
		struct event_entry *e = entry(ev, i);

		if (e->name[0] == '\0' && e->gen == ev->gen)
			(void)settle(ev, e);
	}
}

bool
events_add(struct events *ev, const struct ipc_event *m)
{
	struct event_entry e = {
		.gen = m->h.gen, .index = m->index, .from = m->from, .to = m->to, .cause = m->cause};
	uint64_t ago = mono_since(clock_mono(), (mono_t){m->at_us});

	e.wall_us = clock_wall_us() - ago;
	if (e.gen == ev->gen) {
		if (!settle(ev, &e))
			return false;
	} else if (e.gen == ev->old_gen && e.index < ev->n_old) {
		struct event_counts *c = find_counts(ev, ev->old[e.index].name, e.index);

		str_copy(e.name, sizeof(e.name), ev->old[e.index].name);
		if (c != NULL && e.from != e.to)
			c->n[e.to][e.cause.reason]++;
	}
	if (ev->n == EVENTS_KEPT)
		ev->first = (ev->first + 1) % EVENTS_KEPT;
	else
		ev->n++;
	*entry(ev, ev->n - 1) = e;
	return true;
}

uint32_t
events_count(const struct events *ev)
{
	return ev->n;
}

const struct event_entry *
events_get(const struct events *ev, uint32_t i)
{
	return &ev->ring[(ev->first + i) % EVENTS_KEPT];
}

const struct event_counts *
events_counts(const struct events *ev, uint32_t index)
{
	ASSERT(index < ev->n_counts);
	return &ev->counts[index];
}
