/*
 * sim_store.c - an etcd: one key, leases with a time to live, a majority that may be lost, ways to it that may be cut.
 *
 * Without a majority nothing is answered and no lease ends; when it is back every lease has its whole time again, as a
 * leader that is new gives it. A request may be carried out although its answer is lost.
 */
#include "sim_store.h"

#include <string.h>

#define LEASES	   64
#define TIMEOUT_US SIM_SEC
#define WAY_US	   300
#define PATRONI_US SIM_SEC /* its loop_wait */

static const char *const names[] = {"read", "watch", "grant", "create", "renew", "revoke"};

static struct {
	bool there;
	unsigned owner;
	uint64_t key_lease;
	uint64_t next_lease;
	struct {
		uint64_t id, expires;
	} leases[LEASES];
	bool lost;
} store;

struct request {
	struct sim_node *n;
	uint64_t life, lease;
	bool done; /* the caller has its answer, or gave up */
	struct sim_store_answer r;
};

void
sim_store_reset(void)
{
	memset(&store, 0, sizeof(store));
	store.next_lease = 1;
}

int
sim_store_owner(void)
{
	return store.there ? (int)store.owner : -1;
}

static uint64_t
way_us(struct sim_node *n)
{
	uint64_t us = WAY_US + sim_draw(n, 'W') % (3 * SIM_MS);

	for (unsigned i = 0; i < sim->plan.n_faults; i++)
		if (sim->plan.faults[i].on && sim->plan.faults[i].kind == SIM_STORE_SLOW)
			us += sim_draw(n, 'S') % (sim->plan.faults[i].value + 1);
	return us;
}

static bool
reaches(const struct sim_node *n)
{
	return !sim_fault_active(SIM_STORE_CUT, n->id) && n->links_down == 0 && n->gone == 0 && n->suspends == 0;
}

/* ---- news of the key ---- */

struct news {
	uint64_t life;
	struct sim_store_answer r;
};

static void
news_arrive(void *arg, uint64_t to, uint64_t b)
{
	struct news *w = arg;
	struct sim_node *n = &sim->nodes[to];

	(void)b;
	if (sim_agent_life(n) == w->life && !sim_runs(n)) {
		sim_at(sim_now + 21 * SIM_MS, news_arrive, w, to, 0);
		return;
	}
	if (reaches(n) && !sim_fault_active(SIM_STORE_MUTE, n->id))
		sim_agent_answer(n, w->life, &w->r);
}

static void
publish(void)
{
	for (unsigned to = 0; to < sim->plan.n_nodes; to++) {
		struct sim_node *n = &sim->nodes[to];
		struct news *w;

		if (sim_agent_life(n) == 0)
			continue;
		w = sim_alloc(sizeof(*w));
		w->life = sim_agent_life(n);
		w->r = (struct sim_store_answer){.call = SIM_STORE_WATCH, .ok = true, .there = store.there,
						 .owner = store.owner, .key_lease = store.key_lease};
		sim_at(sim_now + way_us(n), news_arrive, w, to, 0);
	}
}

/* ---- leases ---- */

static void
end_lease(uint64_t id)
{
	for (unsigned i = 0; i < LEASES; i++)
		if (store.leases[i].id == id)
			store.leases[i].id = 0;
	if (store.there && store.key_lease == id) {
		sim_trace(NULL, "store: the key of node %u is gone", store.owner);
		store.there = false;
		publish();
	}
}

static void
expire(void *arg, uint64_t id, uint64_t b)
{
	(void)arg;
	(void)b;
	for (unsigned i = 0; i < LEASES; i++) {
		if (store.leases[i].id != id || id == 0)
			continue;
		if (store.lost)
			return; /* when the majority is back */
		if (store.leases[i].expires > sim_now)
			return; /* renewed: another event comes */
		end_lease(id);
	}
}

static bool
extend(uint64_t id)
{
	for (unsigned i = 0; i < LEASES; i++) {
		if (store.leases[i].id != id || id == 0)
			continue;
		store.leases[i].expires = sim_now + sim->plan.ttl_us;
		sim_at(store.leases[i].expires, expire, NULL, id, 0);
		return true;
	}
	return false;
}

static bool
lasts(uint64_t id)
{
	for (unsigned i = 0; i < LEASES; i++)
		if (store.leases[i].id == id && id != 0)
			return true;
	return false;
}

void
sim_store_changed(void)
{
	bool lost = false;

	for (unsigned i = 0; i < sim->plan.n_faults; i++)
		lost = lost || (sim->plan.faults[i].on && sim->plan.faults[i].kind == SIM_STORE_LOST);
	if (store.lost && !lost)
		for (unsigned i = 0; i < LEASES; i++)
			(void)extend(store.leases[i].id);
	store.lost = lost;
}

static uint64_t
new_lease(void)
{
	uint64_t id = store.next_lease++;

	for (unsigned i = 0; i < LEASES; i++)
		if (store.leases[i].id == 0) {
			store.leases[i].id = id;
			break;
		}
	return id;
}

/* What etcd says is left: whole seconds, rounded down. */
static uint64_t
left_of(uint64_t id)
{
	for (unsigned i = 0; i < LEASES; i++)
		if (store.leases[i].id == id && id != 0 && store.leases[i].expires > sim_now)
			return (store.leases[i].expires - sim_now) / SIM_SEC * SIM_SEC;
	return 0;
}

static void
put_key(struct sim_node *n, uint64_t lease)
{
	store.there = true;
	store.owner = n->id;
	store.key_lease = lease;
	sim_trace(n, "store: the key is this node's");
	publish();
	sim_check_changed();
}

/* ---- requests ---- */

static void
carry_out(struct request *q)
{
	struct sim_store_answer *r = &q->r;

	r->ok = true;
	switch (r->call) {
	case SIM_STORE_GRANT:
		r->lease = new_lease();
		r->ttl = extend(r->lease) ? sim->plan.ttl_us : 0;
		break;
	case SIM_STORE_CREATE:
		r->succeeded = !store.there && lasts(q->lease);
		if (r->succeeded)
			put_key(q->n, q->lease);
		break;
	case SIM_STORE_RENEW:
		r->ttl = extend(q->lease) ? sim->plan.ttl_us : 0;
		break;
	case SIM_STORE_REVOKE:
		end_lease(q->lease);
		break;
	default:
		r->ttl = store.there ? left_of(store.key_lease) : 0;
		break;
	}
	r->there = store.there;
	r->owner = store.owner;
	r->key_lease = store.key_lease;
}

static void
reply(void *arg, uint64_t timeout, uint64_t b)
{
	struct request *q = arg;

	(void)b;
	if (q->done || sim_agent_life(q->n) != q->life)
		return;
	if (!sim_runs(q->n)) {
		sim_at(sim_now + 20 * SIM_MS + sim_draw(q->n, 'r') % SIM_MS, reply, q, timeout, 0);
		return;
	}
	if (!timeout && (!reaches(q->n) || sim_fault_active(SIM_STORE_MUTE, q->n->id)))
		return;
	q->done = true;
	if (timeout)
		q->r.ok = false;
	sim_agent_answer(q->n, q->life, &q->r);
}

static void
request(void *arg, uint64_t a, uint64_t b)
{
	struct request *q = arg;

	(void)a;
	(void)b;
	if (store.lost || !reaches(q->n))
		return;
	carry_out(q);
	sim_at(sim_now + way_us(q->n), reply, q, 0, 0);
}

void
sim_store_call(struct sim_node *n, uint64_t life, enum sim_store_verb call, uint64_t lease)
{
	struct request *q = sim_alloc(sizeof(*q));

	sim_trace(n, "agent: asks the store: %s", names[call]);
	*q = (struct request){.n = n, .life = life, .lease = lease, .r = {.call = (uint8_t)call, .asked = sim_boot(n)}};
	sim_at(sim_now + way_us(n), request, q, 0, 0);
	sim_at(sim_now + TIMEOUT_US, reply, q, 1, 0);
}

/* ---- Patroni: takes the key when nobody has it, renews it while it is its own ---- */

static void
lead(void *arg, uint64_t a, uint64_t b)
{
	struct sim_node *n = arg;
	uint64_t lease;

	(void)a;
	(void)b;
	if (store.lost || !reaches(n))
		return;
	if (store.there) {
		if (store.owner == n->id)
			(void)extend(store.key_lease);
		return;
	}
	lease = new_lease();
	(void)extend(lease);
	put_key(n, lease);
}

static void
patroni_loop(void *arg, uint64_t a, uint64_t b)
{
	struct sim_node *n = arg;

	lead(n, a, b);
	sim_at(sim_now + PATRONI_US + sim_draw(n, 'P') % (PATRONI_US / 4), patroni_loop, n, 0, 0);
}

void
sim_patroni_begin(void)
{
	if (sim->plan.mode != ELECT_MODE_FOLLOW)
		return;
	for (unsigned i = 0; i < sim->plan.n_nodes; i++)
		sim_at(sim_draw(&sim->nodes[i], 'P') % PATRONI_US, patroni_loop, &sim->nodes[i], 0, 0);
}

void
sim_patroni_switch(struct sim_node *n)
{
	if (store.lost || !store.there || !reaches(n) || !reaches(&sim->nodes[store.owner]))
		return;
	end_lease(store.key_lease);
	sim_at(sim_now + sim_draw(n, 'P') % (50 * SIM_MS), lead, n, 0, 0);
}
