/*
 * sim_agent.c - vrrpd-agent as the engine sees it: results of a check, answers of commands, and what it says of a lease.
 *
 * The lease is got, kept and given back as vrrpd/agent/store_etcd3_lease.c does it, function by function, the key of a leader
 * followed as store_etcd3.c does it, against the model of a store in sim_store.c.
 */
#include "ipc/ipc_msg.h"
#include "sim_store.h"

#define CHECK_US     (500 * SIM_MS)
#define READ_US	     (700 * SIM_MS)
#define RANK_US	     250
#define MARGIN_PART  10
#define TRY_AGAIN_US (200 * SIM_MS)
#define FRESH_US     (3 * SIM_SEC)
#define PROVISIONAL_US (2 * SIM_SEC)
#define LAST_SECOND_US (300 * SIM_MS)

struct sim_agent {
	uint64_t life;
	bool wanted;
	uint8_t priority;
	bool key_known, key_there;
	unsigned key_owner;
	uint64_t key_lease;
	uint64_t lease; /* 0 = none */
	bool held;
	uint64_t asked, until; /* CLOCK_BOOTTIME */
	bool call_busy, renew_busy, read_busy;
	uint64_t timer; /* number of the one that counts */
	struct ipc_leader said;
};

static uint64_t lives;

static bool
alive(const struct sim_node *n, uint64_t life)
{
	return n->agent_state != NULL && n->agent_state->life == life;
}

/* An agent whose host does not run does it later. */
static bool
put_off(struct sim_node *n, sim_fn *fn, uint64_t a, uint64_t b)
{
	if (sim_runs(n))
		return false;
	sim_at(sim_now + 20 * SIM_MS + sim_draw(n, 'p') % SIM_MS, fn, n, a, b);
	return true;
}

static void
tell(struct sim_node *n, unsigned type, void *msg)
{
	((struct ipc_head *)msg)->gen = n->gen;
	if (n->engine_up && n->fd_agent != 0)
		sim_chan_push(n, &n->agent, type, msg, -1);
}

static bool
has_store(void)
{
	return sim->plan.mode != ELECT_MODE_VRRP || sim->plan.arbiter;
}

/* ---- the check ---- */

void
sim_agent_check(struct sim_node *n)
{
	struct ipc_check m = {.state = n->checks_down > 0 ? IPC_CHECK_DOWN : IPC_CHECK_UP};

	if (n->agent_state != NULL && n->host->has_check && sim_runs(n))
		tell(n, IPC_CHECK, &m);
}

static void
check_again(void *arg, uint64_t life, uint64_t b)
{
	struct sim_node *n = arg;

	(void)b;
	if (!alive(n, life) || put_off(n, check_again, life, 0))
		return;
	sim_agent_check(n);
	sim_at(sim_now + CHECK_US, check_again, n, life, 0);
}

/* ---- vrrpd/agent/store.c ---- */

static void
say(struct sim_node *n, enum elect_fact fact, uint64_t asked, uint64_t lease_until)
{
	struct sim_agent *a = n->agent_state;
	uint64_t fresh = asked + FRESH_US, lifetime = sim->plan.lifetime_s * SIM_SEC;

	a->said = (struct ipc_leader){.fact = (uint8_t)fact, .confirmed_us = asked, .fresh_until_us = fresh};
	if (fact == ELECT_FACT_SELF) {
		a->said.lease_until_us = lease_until;
		if (sim->plan.mode != ELECT_MODE_FOLLOW)
			a->said.fresh_until_us = MIN(fresh, lease_until - MIN(lease_until, lifetime));
	}
	tell(n, IPC_LEADER, &a->said);
}

static void
fail(struct sim_node *n)
{
	n->agent_state->said.fact = ELECT_FACT_LOST;
	tell(n, IPC_LEADER, &n->agent_state->said);
}

/* ---- vrrpd/agent/store_etcd3_lease.c ---- */

static void on_timer(void *arg, uint64_t life, uint64_t number);

static void
wake_in(struct sim_node *n, uint64_t us)
{
	sim_at(sim_now + us, on_timer, n, n->agent_state->life, ++n->agent_state->timer);
}

static bool
key_is_own(const struct sim_node *n)
{
	return n->agent_state->key_there && n->agent_state->key_owner == n->id;
}

static uint64_t
rank_us(const struct sim_agent *a)
{
	return sim->plan.arbiter ? 0 : (254u - MIN(a->priority, 254u)) * RANK_US;
}

static void
confirm(struct sim_node *n, uint64_t asked)
{
	struct sim_agent *a = n->agent_state;

	say(n, ELECT_FACT_SELF, asked, a->until - sim->plan.ttl_us / MARGIN_PART);
}

static void
forget(struct sim_agent *a)
{
	a->lease = 0;
	a->held = false;
	a->until = 0;
}

static void
give_back(struct sim_node *n)
{
	struct sim_agent *a = n->agent_state;
	uint64_t id = a->lease != 0 ? a->lease : key_is_own(n) ? a->key_lease : 0;

	if (id == 0)
		return;
	a->renew_busy = false;
	a->held = false;
	a->call_busy = true;
	sim_store_call(n, a->life, SIM_STORE_REVOKE, id);
}

static void
take_key(struct sim_node *n, bool there, unsigned owner, uint64_t lease, uint64_t asked)
{
	struct sim_agent *a = n->agent_state;

	a->key_known = true;
	a->key_there = there;
	a->key_owner = owner;
	a->key_lease = lease;
	if (!key_is_own(n)) {
		if (!a->call_busy)
			forget(a);
		say(n, there ? ELECT_FACT_OTHER : ELECT_FACT_NONE, asked, 0);
		if (!there && a->wanted)
			wake_in(n, rank_us(a));
		return;
	}
	if (a->lease != lease && !a->call_busy) {
		a->lease = lease;
		a->held = true;
		a->until = 0;
		wake_in(n, 0);
	}
	if (a->held && a->until > asked)
		confirm(n, asked);
}

static void
on_timer(void *arg, uint64_t life, uint64_t number)
{
	struct sim_node *n = arg;
	struct sim_agent *a = n->agent_state;

	if (!alive(n, life) || a->timer != number || put_off(n, on_timer, life, number))
		return;
	if (!a->wanted || a->call_busy)
		return;
	if (a->lease != 0 && a->held) {
		if (a->renew_busy)
			return;
		a->renew_busy = true;
		sim_store_call(n, life, SIM_STORE_RENEW, a->lease);
	} else if (a->key_known && !a->key_there) {
		forget(a);
		a->call_busy = true;
		sim_store_call(n, life, SIM_STORE_GRANT, 0);
	}
}

static void
on_txn(struct sim_node *n, const struct sim_store_answer *r)
{
	struct sim_agent *a = n->agent_state;

	a->call_busy = false;
	if (!r->ok) {
		wake_in(n, TRY_AGAIN_US);
	} else if (!a->wanted) {
		give_back(n);
	} else if (r->succeeded) {
		a->held = a->key_there = true;
		a->key_owner = n->id;
		a->key_lease = a->lease;
		confirm(n, a->asked);
		wake_in(n, sim->plan.ttl_us / 3);
	} else {
		forget(a);
		take_key(n, r->there, r->owner, r->key_lease, r->asked);
	}
}

static void
on_granted(struct sim_node *n, const struct sim_store_answer *r)
{
	struct sim_agent *a = n->agent_state;

	if (!r->ok) {
		a->call_busy = false;
		wake_in(n, TRY_AGAIN_US);
		return;
	}
	a->lease = r->lease;
	a->asked = r->asked;
	a->until = r->asked + r->ttl;
	sim_store_call(n, a->life, SIM_STORE_CREATE, a->lease);
}

static void
on_renewed(struct sim_node *n, const struct sim_store_answer *r)
{
	struct sim_agent *a = n->agent_state;

	a->renew_busy = false;
	if (r->ok && r->ttl > 0) {
		a->asked = r->asked;
		a->until = r->asked + r->ttl;
		if (a->held)
			confirm(n, r->asked);
		wake_in(n, sim->plan.ttl_us / 3);
		return;
	}
	if (r->ok)
		forget(a);
	wake_in(n, TRY_AGAIN_US);
}

static void
on_revoked(struct sim_node *n)
{
	struct sim_agent *a = n->agent_state;

	a->call_busy = false;
	forget(a);
	if (a->wanted)
		wake_in(n, 0);
}

/* ---- vrrpd/agent/store_etcd3.c: the key of another program ---- */

static void
follow_key(struct sim_node *n, const struct sim_store_answer *r)
{
	struct sim_agent *a = n->agent_state;
	bool read = r->call == SIM_STORE_READ;
	uint64_t asked = read ? r->asked : sim_boot(n);

	if (!r->there || r->owner != n->id) {
		say(n, r->there ? ELECT_FACT_OTHER : ELECT_FACT_NONE, asked, 0);
		return;
	}
	say(n, ELECT_FACT_SELF, asked, asked + (read ? MAX(r->ttl, LAST_SECOND_US) : PROVISIONAL_US));
	if (!read && !a->read_busy) {
		a->read_busy = true;
		sim_store_call(n, a->life, SIM_STORE_READ, 0); /* how long its lease lasts */
	}
}

void
sim_agent_answer(struct sim_node *n, uint64_t life, const struct sim_store_answer *r)
{
	bool follow = sim->plan.mode == ELECT_MODE_FOLLOW;

	if (!alive(n, life))
		return;
	switch (r->call) {
	case SIM_STORE_READ:
		n->agent_state->read_busy = false;
		if (r->ok && follow)
			follow_key(n, r);
		else if (r->ok)
			take_key(n, r->there, r->owner, r->key_lease, r->asked);
		else
			fail(n);
		break;
	case SIM_STORE_WATCH:
		if (follow)
			follow_key(n, r);
		else
			take_key(n, r->there, r->owner, r->key_lease, sim_boot(n));
		break;
	case SIM_STORE_GRANT:
		on_granted(n, r);
		break;
	case SIM_STORE_CREATE:
		on_txn(n, r);
		break;
	case SIM_STORE_RENEW:
		if (n->agent_state->renew_busy)
			on_renewed(n, r);
		break;
	case SIM_STORE_REVOKE:
		on_revoked(n);
		break;
	}
}

uint64_t
sim_agent_life(const struct sim_node *n)
{
	return n->agent_state != NULL ? n->agent_state->life : 0;
}

static void
read_again(void *arg, uint64_t life, uint64_t b)
{
	struct sim_node *n = arg;

	(void)b;
	if (!alive(n, life) || put_off(n, read_again, life, 0))
		return;
	if (!n->agent_state->read_busy) {
		n->agent_state->read_busy = true;
		sim_store_call(n, life, SIM_STORE_READ, 0);
	}
	sim_at(sim_now + READ_US, read_again, n, life, 0);
}

/* ---- what the engine says ---- */

static void
answer(void *arg, uint64_t life, uint64_t packed)
{
	struct sim_node *n = arg;
	struct ipc_answer m = {.epoch = (uint32_t)packed, .index = (uint32_t)(packed >> 32)};

	if (alive(n, life) && !put_off(n, answer, life, packed))
		tell(n, IPC_ANSWER, &m);
}

static void
campaign(void *arg, uint64_t life, uint64_t packed)
{
	struct sim_node *n = arg;
	struct sim_agent *a = n->agent_state;

	if (!alive(n, life) || put_off(n, campaign, life, packed))
		return;
	a->wanted = packed & 1;
	sim_trace(n, "agent: the lease is %s", a->wanted ? "wanted" : "not wanted");
	a->priority = (uint8_t)(packed >> 8);
	if (!a->wanted)
		give_back(n);
	else if (!a->call_busy)
		wake_in(n, a->held ? 0 : rank_us(a));
}

void
sim_agent_take(struct sim_node *n, unsigned type, const void *msg)
{
	struct sim_agent *a = n->agent_state;
	uint64_t at = sim_now + 30 + sim_draw(n, 'm') % 300;

	if (a == NULL)
		return;
	if (type == IPC_CAMPAIGN) {
		const struct ipc_campaign *m = msg;

		/* In order: no later one overtakes it. */
		sim_at(sim_now + 100, campaign, n, a->life, m->wanted | (uint64_t)m->priority << 8);
	} else if (type == IPC_ASK) {
		const struct ipc_ask *m = msg;

		if (m->ask == ROLE_ASK_ENTER || m->ask == ROLE_ASK_LEAVE)
			sim_at(at + sim_draw(n, 'M') % (30 * SIM_MS), answer, n, a->life,
			       m->epoch | (uint64_t)m->index << 32);
	}
}

static void
begin(struct sim_node *n)
{
	uint64_t life = n->agent_state->life = ++lives;

	if (n->host->has_check)
		sim_at(sim_now + sim_draw(n, 'c') % CHECK_US, check_again, n, life, 0);
	if (has_store())
		sim_at(sim_now + SIM_MS, read_again, n, life, 0);
}

/* The instance has another name: its store is another one. What the one before had is not given back. */
void
sim_agent_rename(struct sim_node *n)
{
	if (n->agent_state == NULL || !has_store())
		return;
	*n->agent_state = (struct sim_agent){.wanted = false};
	begin(n);
}

void
sim_agent_start(struct sim_node *n)
{
	if (n->agent_state != NULL)
		return;
	n->agent_state = sim_alloc(sizeof(*n->agent_state));
	begin(n);
	sim_parent_link_agent(n);
}

void
sim_agent_stop(struct sim_node *n)
{
	if (n->agent_state == NULL)
		return;
	/* In order it gives its lease back, killed it does not. */
	n->agent_state = NULL;
	n->agent.closed = true;
	sim_loop_wake(n);
}
