/*
 * engine_leader.c - modes that follow a store: what the agent says of the leader, what it is asked for.
 *
 * Runs in the advert loop. The agent speaks to the store and tells with an expiry; that the addresses go when it is over
 * is the election's business, and the kernel's, should this process not run.
 */
#include "engine/engine.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"

/* From CLOCK_BOOTTIME to the clock that does not run while the host is suspended: it was not since then. */
static mono_t
mono_of(const struct engine *e, uint64_t boot_us)
{
	if (boot_us == UINT64_MAX)
		return MONO_NEVER;
	return (mono_t){boot_us > e->suspended ? boot_us - e->suspended : 0};
}

void
engine_leader(struct engine *e, const struct ipc_leader *m, mono_t now)
{
	struct elect_leader l = {
		.fact = m->fact,
		.confirmed = mono_of(e, m->confirmed_us),
		.fresh_until = mono_of(e, m->fresh_until_us),
		.lease_until = mono_of(e, m->lease_until_us),
		.local_until = mono_of(e, m->local_until_us),
	};
	struct elect_event ev = {.kind = ELECT_EVENT_LEADER, .leader = &l};
	struct engine_instance *i;

	if (e->gen == NULL || m->h.gen != e->gen->gen || m->index >= e->gen->n_configured || m->fact >= ELECT_FACT_COUNT)
		return;
	i = &e->gen->instances[m->index];
	if (i->conf.mode == ELECT_MODE_VRRP && !i->conf.arbiter)
		return;
	memcpy(l.name, m->name, sizeof(l.name));
	l.name[sizeof(l.name) - 1] = '\0';
	engine_event(e, i, &ev, now);
	if (i->elect.state == ROLE_STATE_ACTIVE)
		engine_memory_advert(e, i, now);
	engine_memory_note(e, i);
}

static bool
has_lease(const struct engine_instance *i)
{
	return i->conf.mode == ELECT_MODE_LEASE || i->conf.arbiter;
}

/* Does an instance that only leaves still have addresses by a lease? The key may be another one's now: a changed name. */
static bool
lease_in_use(const struct engine *e)
{
	for (uint32_t n = e->gen->n_configured; n < e->gen->n_instances; n++) {
		const struct engine_instance *i = &e->gen->instances[n];

		if (has_lease(i) && (elect_holds(&i->elect) || i->releasing))
			return true;
	}
	return false;
}

void
engine_campaign(struct engine *e, struct engine_instance *i)
{
	struct ipc_campaign m = {.h.gen = e->gen->gen, .index = i->index, .priority = i->elect.priority};
	bool wanted;

	/* Before the elections have begun nothing is known: an agent that holds a lease for the engine before keeps it. */
	if (!has_lease(i) || i->removed || !e->synced)
		return;
	/* The lease goes after the addresses. */
	wanted = elect_campaigns(&i->elect) || (i->campaigns && (elect_holds(&i->elect) || i->releasing));
	m.wanted = wanted;
	if ((wanted == i->campaigns && i->elect.priority == i->campaign_priority) || (!wanted && lease_in_use(e)))
		return;
	if (e->agent.fd >= 0 && ipc_chan_send(&e->agent, IPC_CAMPAIGN, &m, -1) == -EAGAIN) {
		e->asks_due = true; /* it does not read just now: all of them once more, when it does */
		loop_io_want(e->agent_io, true, true);
		return;
	}
	i->campaigns = wanted;
	i->campaign_priority = i->elect.priority;
}

void
engine_campaign_all(struct engine *e)
{
	for (uint32_t n = 0; e->gen != NULL && n < e->gen->n_configured; n++) {
		struct engine_instance *i = &e->gen->instances[n];

		/* What the agent before was told, this one was not. */
		i->campaign_priority = 0;
		engine_campaign(e, i);
	}
}

void
engine_leader_keep(struct engine_instance *i)
{
	i->keep_until_us = has_lease(i) ? elect_held_until(&i->elect).us : UINT64_MAX;
}

bool
engine_leader_keep_all(struct engine *e)
{
	bool leases = false;

	for (uint32_t n = 0; n < e->gen->n_instances; n++) {
		struct engine_instance *i = &e->gen->instances[n];

		engine_leader_keep(i);
		leases = leases || has_lease(i);
	}
	return leases;
}
