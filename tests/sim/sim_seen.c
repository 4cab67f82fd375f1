/*
 * sim_seen.c - what the checkers see of the world from outside: who has which address in its kernel with a link that is up, who
 * can reach whom, which faults are on, who could hold the addresses.
 */
#include "sim_seen.h"

#include "proto/vrrp_packet.h"

bool
sim_holds(const struct sim_node *n, unsigned addr)
{
	return n->addrs[addr].there && sim_link_up(n);
}

bool
sim_holds_any(const struct sim_node *n)
{
	for (unsigned i = 0; i < SIM_ADDRS; i++)
		if (sim_holds(n, i))
			return true;
	return false;
}

bool
sim_seen_whole(const struct sim_node *n)
{
	for (unsigned i = 0; i < n->conf.n_addrs; i++)
		if (!sim_holds(n, i))
			return false;
	return true;
}

bool
sim_seen_leases(void)
{
	return sim->plan.mode == ELECT_MODE_LEASE || sim->plan.arbiter;
}

bool
sim_seen_follows(void)
{
	return sim->plan.mode == ELECT_MODE_FOLLOW;
}

bool
sim_seen_absent(const struct sim_node *n)
{
	return !n->wanted || !sim_link_up(n) || n->pauses > 0;
}

bool
sim_seen_frozen(const struct sim_node *n)
{
	return n->pauses > 0 || (!n->wanted && !n->engine_up && !n->host->keepalived);
}

static bool
store_serves(const struct sim_node *n)
{
	return n->agent_down == 0 && !sim_fault_active(SIM_STORE_CUT, n->id) && !sim_fault_active(SIM_STORE_MUTE, n->id);
}

bool
sim_seen_informed(const struct sim_node *n)
{
	return !sim_seen_follows() || (store_serves(n) && !sim_seen_on(SIM_STORE_LOST));
}

bool
sim_seen_may_hold(void)
{
	return sim_seen_follows() && sim->plan.on_store_loss == ELECT_STORE_LOSS_HOLD;
}

bool
sim_seen_fit(const struct sim_node *n)
{
	const struct sim_host *h = n->host;

	if (sim_seen_follows() && (sim_store_owner() != (int)n->id || !sim_seen_informed(n)))
		return false;
	if (sim_seen_absent(n) || (n->drains > 0 && !h->keepalived) || (n->sourceless > 0 && sim->plan.mode == ELECT_MODE_VRRP))
		return false;
	if (h->keepalived)
		return sim_keepalived_active(n);
	if (!n->engine_up || (h->has_check && !h->check_weighs && (n->checks_down > 0 || n->agent_down > 0)))
		return false;
	if ((h->enter_us > 0 && n->agent_down > 0) || (sim_seen_leases() && !store_serves(n)))
		return false;
	return true;
}

int
sim_seen_priority(const struct sim_node *n)
{
	const struct sim_host *h = n->host;
	int p = n->priority_wanted != 0 && !h->keepalived ? n->priority_wanted : n->conf.priority;

	if (n->conf.priority == VRRP_PRIORITY_OWNER)
		return VRRP_PRIORITY_OWNER;
	if (h->has_check && h->check_weighs && (n->checks_down > 0 || n->agent_down > 0))
		p += h->weight;
	return MAX(1, MIN(254, p));
}

static bool
hears(const struct sim_node *a, const struct sim_node *b)
{
	return sim->plan.mode != ELECT_MODE_VRRP || (!sim_net_cut(a->id, b->id) && !sim_net_cut(b->id, a->id));
}

/* Does this fault leave the world as it is from its beginning on? */
static bool
lasts(const struct sim_fault *f)
{
	switch ((enum sim_kind)f->kind) {
	case SIM_PARTITION:
	case SIM_KILL:
	case SIM_STOP:
	case SIM_SUSPEND:
	case SIM_PAUSE:
	case SIM_LINK:
	case SIM_GONE:
	case SIM_SOURCE:
	case SIM_CHECK:
	case SIM_AGENT:
	case SIM_PRIORITY:
	case SIM_TAKEOVER:
	case SIM_DRAIN:
	case SIM_RELOAD:
	case SIM_STORE_LOST:
	case SIM_STORE_CUT:
	case SIM_LEADER:
		return true;
	default:
		return false;
	}
}

bool
sim_seen_on(enum sim_kind kind)
{
	for (unsigned i = 0; i < sim->plan.n_faults; i++)
		if (sim->plan.faults[i].on && sim->plan.faults[i].kind == kind)
			return true;
	return false;
}

struct sim_side
sim_seen_side(const struct sim_node *from)
{
	struct sim_side s = {.all_preempt = true};

	for (unsigned i = 0; i < sim->plan.n_nodes; i++) {
		const struct sim_node *n = &sim->nodes[i];

		if (!hears(from, n))
			continue;
		s.present += !sim_seen_absent(n);
		if (sim_seen_frozen(n))
			continue;
		if (sim_holds_any(n)) {
			s.holders++;
			s.informed += sim_seen_informed(n);
			s.holder = n;
		}
		s.whole += sim_seen_whole(n);
		if (!sim_seen_fit(n))
			continue;
		s.fit++;
		s.best = MAX(s.best, sim_seen_priority(n));
		s.all_preempt = s.all_preempt && n->conf.preempt && !n->takeover_wanted;
	}
	return s;
}

bool
sim_seen_steady(void)
{
	for (unsigned i = 0; i < sim->plan.n_faults; i++)
		if (sim->plan.faults[i].on && !lasts(&sim->plan.faults[i]))
			return false;
	return true;
}
