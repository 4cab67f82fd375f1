/*
 * agent_events.c - the ring of transitions and their counters; see agent_events.h.
 *
 * Runs in vrrpd-agent, fed by agent_link.c and hooks.c, read by the status API. The ring is in this process, a copy of
 * each event in the memory that outlives it; counters are there alone. The engine and the agent take over a new
 * generation each in its own time, so an event may belong to another generation than the present one: it has its
 * instance's name with it.
 */
#include "agent/agent_events.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent_util.h"
#include "base/strbuf.h"
#include "sys/clock.h"

struct events {
	struct ipc_events *m; /* never NULL */
	events_fn *fn;
	void *arg;
	uint64_t last_seq;
	uint32_t first, n, size;
	struct ipc_events_entry *ring; /* `size` of them */
	uint32_t gen, n_places;
	struct ipc_events_counts **places; /* of the present instances, in m */
};

struct events *
events_new(void)
{
	struct events *ev = agent_alloc(1, sizeof(*ev));

	ev->m = ipc_events_map(-1);
	ASSERT(ev->m != NULL);
	return ev;
}

void
events_free(struct events *ev)
{
	if (ev == NULL)
		return;
	ipc_events_unmap(ev->m);
	free(ev->ring);
	free(ev->places);
	free(ev);
}

void
events_listen(struct events *ev, events_fn *fn, void *arg)
{
	ev->fn = fn;
	ev->arg = arg;
}

uint32_t
events_count(const struct events *ev)
{
	return ev->n;
}

const struct ipc_events_entry *
events_get(const struct events *ev, uint32_t i)
{
	ASSERT(i < ev->n);
	return &ev->ring[(ev->first + i) % ev->size];
}

uint64_t
events_last(const struct events *ev)
{
	return ev->last_seq;
}

uint32_t
events_after(const struct events *ev, uint64_t seq)
{
	uint32_t low = 0, high = ev->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (events_get(ev, mid)->seq > seq)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* ---- going on where the agent before ended ------------------------------------------------------------- */

static int
by_seq(const void *a, const void *b)
{
	const struct ipc_events_entry *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* What is whole in the memory, once each, into a ring of just that size. */
static void
recall_ring(struct events *ev)
{
	uint32_t slots = MIN(ev->m->n_slots, (uint32_t)LIMIT_EVENTS), n = 0;
	struct ipc_events_entry *all = agent_alloc(slots, sizeof(*all));

	for (uint32_t i = 0; i < slots; i++)
		n += ipc_events_read(ev->m, i, &all[n]);
	qsort(all, n, sizeof(*all), by_seq);
	ev->n = 0;
	for (uint32_t i = 0; i < n; i++)
		if (ev->n == 0 || all[ev->n - 1].seq != all[i].seq)
			all[ev->n++] = all[i];
	free(ev->ring);
	ev->ring = all;
	ev->first = 0;
	ev->size = MAX(ev->n, 1u);
	ev->last_seq = MAX(ipc_events_last(ev->m), ev->n > 0 ? all[ev->n - 1].seq : 0);
}

/* A name that does not end, or is there twice, is none; a count that cannot be is 0. */
static void
recall_counts(struct events *ev)
{
	struct ipc_events *m = ev->m;

	m->n_counts = MIN(m->n_counts, (uint32_t)LIMIT_INSTANCES);
	for (uint32_t i = 0; i < m->n_counts; i++) {
		struct ipc_events_counts *c = &m->counts[i];
		bool ok = memchr(c->name, '\0', sizeof(c->name)) != NULL;

		for (uint32_t k = 0; ok && k < i; k++)
			ok = c->name[0] == '\0' || strcmp(c->name, m->counts[k].name) != 0;
		if (!ok)
			memset(c, 0, sizeof(*c));
		if (c->at_us > clock_mono().us)
			c->at_us = 0;
		for (unsigned to = 0; to < ROLE_STATE_COUNT; to++)
			for (unsigned why = 0; why < ROLE_REASON_COUNT; why++)
				if (c->n[to][why] > IPC_EVENTS_COUNT_MAX)
					c->n[to][why] = 0;
	}
}

bool
events_attach(struct events *ev, int fd)
{
	struct ipc_events *m = ipc_events_map(fd);

	close(fd);
	if (m == NULL)
		return false;
	ASSERT(ev->n_places == 0);
	ipc_events_unmap(ev->m);
	ev->m = m;
	recall_ring(ev);
	recall_counts(ev);
	return true;
}

/* ---- the configuration ----------------------------------------------------------------------------------- */

static uint32_t
slot_of(const struct events *ev, uint64_t seq)
{
	return (uint32_t)(seq % ev->size);
}

/* The memory holds what the ring holds, each in its place, and nothing else. */
static void
write_ring(struct events *ev)
{
	static const struct ipc_events_entry empty;
	bool *used = agent_alloc(ev->size, sizeof(*used));
	uint32_t slots = MIN(ev->m->n_slots, (uint32_t)LIMIT_EVENTS), top = 0;

	/* Over-sized meanwhile rather than too small: who ends here leaves what is whole to the next. */
	ev->m->n_slots = MAX(slots, ev->size);
	for (uint32_t i = 0; i < ev->n; i++) {
		uint32_t slot = slot_of(ev, events_get(ev, i)->seq);

		ipc_events_write(ev->m, slot, events_get(ev, i));
		used[slot] = true;
		top = MAX(top, slot + 1);
	}
	for (uint32_t i = 0; i < MIN(slots, ev->size); i++)
		if (!used[i])
			ev->m->ring[i] = empty;
	ipc_events_cut(ev->m, ev->size);
	ev->m->n_slots = top;
	free(used);
}

/* Another size: the newest that fit stay. */
static void
resize(struct events *ev, uint32_t size)
{
	struct ipc_events_entry *ring = agent_alloc(size, sizeof(*ring));
	uint32_t n = MIN(ev->n, size);

	for (uint32_t i = 0; i < n; i++)
		ring[i] = *events_get(ev, ev->n - n + i);
	free(ev->ring);
	ev->ring = ring;
	ev->first = 0;
	ev->n = n;
	ev->size = size;
	write_ring(ev);
}

/* The place of this name's counters, or NULL. */
static struct ipc_events_counts *
find_place(struct events *ev, const char *name, uint32_t hint)
{
	struct ipc_events *m = ev->m;

	if (hint < m->n_counts && strcmp(m->counts[hint].name, name) == 0)
		return &m->counts[hint];
	for (uint32_t i = 0; i < m->n_counts; i++)
		if (strcmp(m->counts[i].name, name) == 0)
			return &m->counts[i];
	return NULL;
}

/* A place for a new name: one never used, else that of a name which is configured no more. */
static struct ipc_events_counts *
take_place(struct events *ev, bool *taken, const char *name)
{
	struct ipc_events *m = ev->m;
	uint32_t i = 0;

	if (m->n_counts < LIMIT_INSTANCES)
		i = m->n_counts;
	while (i < m->n_counts && taken[i])
		i++;
	ASSERT(i < LIMIT_INSTANCES); /* there are no more instances than places */
	taken[i] = true;
	memset(&m->counts[i], 0, sizeof(m->counts[i]));
	str_copy(m->counts[i].name, sizeof(m->counts[i].name), name);
	m->n_counts = MAX(m->n_counts, i + 1);
	return &m->counts[i];
}

static void
assign_places(struct events *ev, const struct agent_conf *now)
{
	bool *taken = agent_alloc(LIMIT_INSTANCES, sizeof(*taken));
	struct ipc_events_counts **places = agent_alloc(now->begin.n_instances, sizeof(*places));

	for (uint32_t i = 0; i < now->begin.n_instances; i++) {
		places[i] = find_place(ev, now->instances[i].c.name, i);
		if (places[i] != NULL)
			taken[places[i] - ev->m->counts] = true;
	}
	for (uint32_t i = 0; i < now->begin.n_instances; i++)
		if (places[i] == NULL)
			places[i] = take_place(ev, taken, now->instances[i].c.name);
	free(taken);
	free(ev->places);
	ev->places = places;
	ev->n_places = now->begin.n_instances;
}

void
events_configure(struct events *ev, const struct agent_conf *now)
{
	if (ev->gen == 0 || ev->size != now->begin.n_events)
		resize(ev, now->begin.n_events);
	ev->gen = now->gen;
	assign_places(ev, now);
}

/* ---- what happens ------------------------------------------------------------------------------------------ */

static void
keep(struct events *ev, const struct ipc_event *m)
{
	struct ipc_events_entry e = {
		.seq = ev->last_seq + 1, .from = m->from, .to = m->to, .priority = m->priority, .cause = m->cause};

	e.wall_us = clock_wall_us() - mono_since(clock_mono(), (mono_t){m->at_us});
	str_copy(e.instance, sizeof(e.instance), m->name);
	if (ev->n == ev->size)
		ev->first = (ev->first + 1) % ev->size;
	else
		ev->n++;
	ev->ring[(ev->first + ev->n - 1) % ev->size] = e;
	ipc_events_write(ev->m, slot_of(ev, e.seq), &e);
	ev->m->n_slots = MAX(ev->m->n_slots, slot_of(ev, e.seq) + 1);
	ev->last_seq = e.seq;
	ipc_events_set_last(ev->m, e.seq);
}

bool
events_add(struct events *ev, const struct ipc_event *m)
{
	struct ipc_events_counts *c;

	if (m->name[0] == '\0' || ev->size == 0)
		return false;
	/* Its counters went with it. */
	if (m->index == IPC_EVENT_REMOVED) {
		if (m->again)
			return true;
		keep(ev, m);
		if (ev->fn != NULL)
			ev->fn(ev->arg);
		return true;
	}
	if (m->h.gen == ev->gen &&
	    (m->index >= ev->n_places || strcmp(ev->places[m->index]->name, m->name) != 0))
		return false;
	c = m->h.gen == ev->gen ? ev->places[m->index] : find_place(ev, m->name, m->index);
	if (m->again && c != NULL && m->at_us <= c->at_us)
		return true; /* the agent before took it in */
	keep(ev, m);
	if (c != NULL && m->from != m->to) {
		c->n[m->to][m->cause.reason]++;
		c->at_us = m->at_us;
	}
	if (ev->fn != NULL)
		ev->fn(ev->arg);
	return true;
}

const struct ipc_events_counts *
events_counts(const struct events *ev, uint32_t index)
{
	ASSERT(index < ev->n_places);
	return ev->places[index];
}
