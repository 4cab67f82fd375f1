/*
 * sim_check.c - the checkers: the rules. They look at the world from outside (sim_seen.c), and at whom a client of the segment
 * believes to be the holder.
 *
 * The world is steady when everything that is on is something that lasts as it is (a host gone, a partition, a drain, a
 * check that is down): then the elections must come to rest within sim_bound_settle(), and what they owe is owed exactly.
 * With an arbiter or a lease the first rule is checked always, whatever is on.
 */
#include "sim_seen.h"

#define GONE_US	  (2 * SIM_MS)	 /* a client hears a claim later than the host before; see graceful() */
#define AWAKE_US  (50 * SIM_MS) /* a host that was suspended notices with its first turn, then its kernel removes */
#define STEPS_APART 10
#define CRASHED_US (100 * SIM_MS) /* a crash, another one when the next engine starts, and late turns */
#define EFFECT_US (2 * SIM_SEC)	 /* what a fault leaves behind in queues */

static struct {
	uint64_t steady_since; /* SIM_NEVER: it is not */
	uint64_t two_since, deaf_since, none_since, unserved_since; /* deaf: two, of which one does not hear the store */
	bool settled, was_settled;
	bool deaf;	/* an Active may not have heard that others were, too: it cannot know whom the client heard last */
	bool graceful;	/* since it was settled there was nothing but one planned hand-over */
	uint64_t limit_none;
	int holder;
} c;

static void look(void *arg, uint64_t a, uint64_t b);

static void
look_at(uint64_t at)
{
	sim_at(at, look, NULL, 0, 0);
}

/* Nobody renews: a lifetime, the second that the kernel may be late, and a clock that is slow. */
static void
outlived(struct sim_node *n)
{
	uint64_t most = sim->plan.lifetime_s * SIM_SEC + SIM_SEC, limit = most + most / 32 + 50 * SIM_MS;

	if (!sim_seen_frozen(n) || n->suspends > 0 || n->host->keepalived) {
		n->frozen_since = SIM_NEVER;
	} else if (n->frozen_since == SIM_NEVER) {
		n->frozen_since = sim_now;
		look_at(sim_now + limit + 1);
	} else if (sim_now - n->frozen_since > limit && sim_holds_any(n)) {
		sim_violation("outlived", "node %u does not run since %.3f s and has addresses", n->id,
			      (double)(sim_now - n->frozen_since) / 1e6);
	}
}

/* Another host than before has everything. */
static void
count_takeovers(void)
{
	for (int i = 0; i < sim->plan.n_nodes; i++) {
		if (i == c.holder || !sim_seen_whole(&sim->nodes[i]) || (c.holder >= 0 && sim_seen_whole(&sim->nodes[c.holder])))
			continue;
		c.holder = i;
		sim->takeovers++;
	}
}

/* Never two with a lease. A host that slept through its lease counts from when it has had time to look at the clock. */
static void
never_two(void)
{
	const struct sim_node *first = NULL;

	for (unsigned i = 0; i < sim->plan.n_nodes; i++) {
		const struct sim_node *n = &sim->nodes[i];

		if (!sim_holds_any(n) || (n->awake_since > 0 && sim_now - n->awake_since < AWAKE_US + 1000ull * n->slow_us))
			continue;
		if (first != NULL)
			sim_violation("two-with-a-lease", "nodes %u and %u hold the addresses", first->id, n->id);
		first = n;
	}
}

static void
two_and_none(void)
{
	bool two = false, deaf = false, none = false;

	for (unsigned i = 0; i < sim->plan.n_nodes; i++) {
		struct sim_side s = sim_seen_side(&sim->nodes[i]);

		two = two || s.informed > 1;
		deaf = deaf || (s.holders > 1 && !sim_seen_may_hold());
		none = none || (s.fit > 0 && s.whole == 0);
	}
	if (sim_seen_leases() && (sim_seen_on(SIM_PARTITION) || sim_seen_on(SIM_STORE_LOST) || sim_seen_on(SIM_STORE_CUT)))
		none = false; /* whoever has the lease may be elsewhere */
	if (!two)
		c.two_since = SIM_NEVER;
	else if (c.two_since == SIM_NEVER) {
		c.two_since = sim_now;
		look_at(sim_now + sim_bound_two(&sim->plan) + 1);
	}
	if (!deaf)
		c.deaf_since = SIM_NEVER;
	else if (c.deaf_since == SIM_NEVER) {
		c.deaf_since = sim_now;
		look_at(sim_now + sim_bound_deaf(&sim->plan) + 1);
	}
	if (!none)
		c.none_since = SIM_NEVER;
	else if (c.none_since == SIM_NEVER) {
		c.none_since = sim_now;
		look_at(sim_now + sim_bound_takeover(&sim->plan) + 1);
		look_at(sim_now + sim_bound_settle(&sim->plan) + 1);
	}
}

static uint64_t
lasting(uint64_t since)
{
	uint64_t from = MAX(since, c.steady_since);

	return since == SIM_NEVER || c.steady_since == SIM_NEVER || from > sim_now ? 0 : sim_now - from;
}

/* The state says what the kernel has. The only look at what the engine thinks. */
static void
state_and_kernel(const struct sim_node *n)
{
	const struct elect *e;
	bool active, any = false;

	if (n->host->keepalived || !n->engine_up || sim_seen_absent(n) || n->e->gen == NULL)
		return;
	e = &n->e->gen->instances[0].elect;
	active = e->state == ROLE_STATE_ACTIVE;
	for (unsigned i = 0; i < SIM_ADDRS; i++)
		any = any || n->addrs[i].there;
	if (active && !sim_seen_whole(n))
		sim_violation("state-and-kernel", "node %u is active without all its addresses", n->id);
	if (!active && any)
		sim_violation("state-and-kernel", "node %u is %s and has addresses", n->id,
			      role_state_name((enum role_state)e->state));
}

/* The elections had their time. */
static void
settled(void)
{
	bool any_keepalived = false, away = sim_seen_leases() && (sim_seen_on(SIM_PARTITION) || sim_seen_on(SIM_STORE_LOST) || sim_seen_on(SIM_STORE_CUT));

	for (unsigned i = 0; i < sim->plan.n_nodes; i++) {
		const struct sim_node *n = &sim->nodes[i];
		struct sim_side s = sim_seen_side(n);

		any_keepalived = any_keepalived || n->host->keepalived;
		state_and_kernel(n);
		if (sim_seen_absent(n))
			continue;
		if ((sim_seen_may_hold() ? s.informed : s.holders) > 1)
			sim_violation("two-holders", "%u hosts hold the addresses at rest", s.holders);
		if (away)
			continue;
		if (sim_holds_any(n) && !sim_seen_fit(n) && !sim_seen_leases() && (sim_seen_informed(n) || !sim_seen_may_hold()))
			sim_violation("unfit-holder", "node %u holds the addresses and is not fit", n->id);
		if (s.fit > 0 && (s.whole == 0 || (s.whole > 1 && s.informed == s.holders)))
			sim_violation("no-holder", "of %u fit hosts none holds the addresses at rest", s.fit);
		if (s.fit > 0 && s.all_preempt && sim->plan.mode == ELECT_MODE_VRRP && sim_seen_priority(s.holder) < s.best)
			sim_violation("not-the-best", "node %u has priority %d and holds the addresses, the best one has %d",
				      s.holder->id, sim_seen_priority(s.holder), s.best);
	}
	/* A segment that is one has one holder, and the client knows it. */
	if (!any_keepalived && !sim_seen_on(SIM_PARTITION) && !sim_seen_on(SIM_CLAIM)) {
		struct sim_side s = sim_seen_side(&sim->nodes[0]);
		int target = sim_client_target(0);

		if (s.fit == 0 || s.holders > 1 || away || target == (int)s.holder->id)
			c.deaf = c.deaf && (s.fit == 0 || away);
		else if (!c.deaf)
			sim_violation("client-misled", "the holder is node %u, the last announcement that was heard is node %d's",
				      s.holder->id, target);
	}
}

/* While a planned hand-over goes on in a world at rest, or an engine crashes, the client reaches a holder. */
static void
graceful(void)
{
	bool served = false;

	for (unsigned i = 0; i < sim->plan.n_nodes; i++)
		served = served || sim_seen_whole(&sim->nodes[i]);
	if (!served)
		sim_violation("hand-over-gap", "nobody has the addresses for a moment of a planned hand-over or a crash");
	if (sim_client_target(0) >= 0)
		served = sim_holds(&sim->nodes[sim_client_target(0)], 0);
	if (served)
		c.unserved_since = SIM_NEVER;
	else if (c.unserved_since == SIM_NEVER) {
		c.unserved_since = sim_now;
		look_at(sim_now + GONE_US + 1);
	} else if (sim_now - c.unserved_since > GONE_US) {
		sim_violation("hand-over-gap", "nobody serves the client for %.3f ms in a planned hand-over or a crash",
			      (double)(sim_now - c.unserved_since) / 1e3);
	}
}

static void
look(void *arg, uint64_t a, uint64_t b)
{
	(void)arg;
	(void)a;
	(void)b;
	sim_check_changed();
}

void
sim_check_changed(void)
{
	if (sim_seen_leases())
		never_two();
	for (unsigned i = 0; i < sim->plan.n_nodes; i++)
		outlived(&sim->nodes[i]);
	count_takeovers();
	two_and_none();
	if (c.graceful)
		graceful();
	if (c.steady_since == SIM_NEVER || c.steady_since > sim_now)
		return;
	if (lasting(c.two_since) > sim_bound_two(&sim->plan))
		sim_violation("two-holders", "two hosts that hear each other hold the addresses for %.3f s",
			      (double)lasting(c.two_since) / 1e6);
	if (lasting(c.deaf_since) > sim_bound_deaf(&sim->plan))
		sim_violation("two-holders", "two hosts hold the addresses for %.3f s, one does not hear the store",
			      (double)lasting(c.deaf_since) / 1e6);
	if (lasting(c.none_since) > c.limit_none)
		sim_violation(c.was_settled ? "late-take-over" : "no-holder", "fit hosts, and none holds the addresses for %.3f s",
			      (double)lasting(c.none_since) / 1e6);
	if (sim_now - c.steady_since > sim_bound_settle(&sim->plan)) {
		settled();
		c.settled = true;
		c.graceful = false;
	}
}

/* Is another host than these two as good as this one? */
static bool
near(const struct sim_node *n, unsigned leaver)
{
	for (unsigned i = 0; i < sim->plan.n_nodes; i++) {
		const struct sim_node *m = &sim->nodes[i];
		int apart = sim_seen_priority(m) - sim_seen_priority(n);

		if (m != n && i != leaver && sim_seen_fit(m) && apart > -STEPS_APART && apart < STEPS_APART)
			return true;
	}
	return false;
}

/*
 * Is the next engine soon enough to go on? It comes within 55 ms, an interval after the last advert; the peers wait for
 * down_adverts intervals, of which a quarter is left to them (vrrp_fsm_resume_us()).
 */
static bool
goes_on(const struct sim_node *n)
{
	uint64_t interval = n->conf.adver_int_cs * (uint64_t)USEC_PER_CS;

	return sim->plan.mode != ELECT_MODE_VRRP || (4 * sim->plan.down_adverts - 5u) * interval / 4 > CRASHED_US;
}

/*
 * Is it a hand-over that nobody may notice? One that can be: somebody else is fit, everybody hears everybody, and no two
 * take over in one instant: ten steps of priority are 1.6 ms then (VRRP_HURRY_CS), more than frames and kernels differ.
 */
static bool
is_graceful(const struct sim_fault *f)
{
	unsigned others = 0;
	bool close = false;

	if (f->kind == SIM_CRASH)
		return goes_on(&sim->nodes[f->node]) && c.settled && c.holder >= 0 && c.holder == sim_client_target(0) &&
		       sim_seen_whole(&sim->nodes[c.holder]);
	if (sim_seen_leases() || sim_seen_follows() || !c.settled || !sim_kind_graceful(f->kind) || sim->nodes[f->node].conf.n_addrs == 0)
		return false;
	for (unsigned i = 0; i < sim->plan.n_faults; i++)
		if (sim->plan.faults[i].on && sim->plan.faults[i].kind == SIM_PARTITION)
			return false;
	for (unsigned i = 0; i < sim->plan.n_nodes; i++) {
		const struct sim_node *n = &sim->nodes[i];

		if (n->host->keepalived || n->host->enter_us > 0)
			return false;
		if (!sim_seen_fit(n))
			continue;
		others += i != f->node;
		close = close || (i != f->node && near(n, f->node));
	}
	/* Another set of addresses is not only a hand-over. */
	return others > 0 && !close && (f->kind != SIM_RELOAD || (f->value & 8) == 0);
}

void
sim_check_fault(const struct sim_fault *f, bool on)
{
	if (on || f->kind != SIM_CRASH) /* whose end undoes nothing: the next engine is yet to come */
		c.graceful = on && is_graceful(f);
	/* Whoever was Active beyond a partition may be gone when that heals. */
	c.deaf = c.deaf || f->kind == SIM_CUT || f->kind == SIM_LOSS || f->kind == SIM_CORRUPT || f->kind == SIM_SEND ||
		 (f->kind != SIM_PARTITION && sim_seen_on(SIM_PARTITION));
	c.was_settled = on && c.settled;
	c.unserved_since = SIM_NEVER;
	c.settled = false;
	c.steady_since = SIM_NEVER;
}

void
sim_check_fault_done(void)
{
	if (!sim_seen_steady())
		return;
	c.steady_since = sim_now;
	c.limit_none = c.was_settled ? sim_bound_takeover(&sim->plan) : sim_bound_settle(&sim->plan);
	look_at(sim_now + sim_bound_settle(&sim->plan) + 1);
}

void
sim_check_sent(struct sim_node *n, uint8_t priority)
{
	if (c.steady_since == SIM_NEVER || sim_now < c.steady_since + EFFECT_US)
		return;
	if (priority > 0 && !sim->plan.arbiter && !sim_seen_whole(n))
		sim_violation("advert-without-address", "node %u sends priority %u and does not have its addresses", n->id, priority);
	if (priority == 0 && c.settled)
		sim_violation("left-without-cause", "node %u sends priority 0 at rest", n->id);
}

void
sim_check_counters(struct sim_node *n)
{
	const struct ipc_counters *k;
	uint64_t received, discarded = 0;

	if (!n->counted || n->e == NULL || n->e->gen == NULL || n->e->next_gen != NULL)
		return;
	k = &n->e->gen->instances[0].counters;
	for (unsigned d = 0; d < VRRP_DROP_COUNT; d++)
		discarded += k->discarded[d];
	received = k->adverts_received + discarded;
	if (k->adverts_sent != n->sent)
		sim_violation("counters", "node %u counts %llu adverts sent, it sent %llu", n->id,
			      (unsigned long long)k->adverts_sent, (unsigned long long)n->sent);
	if (received != n->handed)
		sim_violation("counters", "node %u counts %llu packets, it got %llu", n->id, (unsigned long long)received,
			      (unsigned long long)n->handed);
	/* What an owner discards as such is in order. */
	discarded -= k->discarded[VRRP_DROP_OWNER];
	if (discarded > n->handed_corrupt)
		sim_violation("discarded", "node %u discards %llu packets, %llu were spoiled", n->id,
			      (unsigned long long)discarded, (unsigned long long)n->handed_corrupt);
}

void
sim_check_begin(void)
{
	c.steady_since = 0;
	c.two_since = c.deaf_since = c.none_since = c.unserved_since = SIM_NEVER;
	c.settled = c.was_settled = c.graceful = c.deaf = false;
	c.limit_none = sim_bound_settle(&sim->plan) + 6 * SIM_SEC; /* hosts begin one after another */
	c.holder = -1;
	for (unsigned i = 0; i < sim->plan.n_nodes; i++)
		sim->nodes[i].frozen_since = SIM_NEVER;
	for (unsigned i = 0; i < sim->plan.n_nodes; i++)
		if (sim->nodes[i].host->begins > c.steady_since)
			c.steady_since = sim->nodes[i].host->begins;
}

void
sim_check_end(void)
{
	if (c.steady_since > sim_now || sim_now - c.steady_since <= sim_bound_settle(&sim->plan))
		sim_violation("simulator", "the end came before the world could settle");
	settled();
}
