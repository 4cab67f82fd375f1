/*
 * engine_addresses.c - addresses into the kernel and out of it, in slices over libmnl.
 *
 * Runs in the kernel thread. Everything of ours is marked (IFA_PROTO) and carries a lifetime: when nobody renews it
 * (this process killed, stopped, starved), the kernel removes it by itself. The advert loop decides; here it is
 * carried out, and what other programs do to our addresses is told.
 */
#include "engine/engine_kernel_int.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "sys/clock.h"

/* Renewing costs about 10 us per address: with more than this many the lifetime grows in proportion. */
#define RENEW_ADDRESSES 1000

/* What is to be done about an address now, given the interface's present index. False: nothing. */
typedef bool kernel_wanted_fn(const struct engine_held *h, int ifindex, enum nlk_addr_verb *ret_verb);

uint32_t
kernel_lifetime_s(const struct engine_gen *g)
{
	if (g->address_lifetime_s == 0)
		return NLK_FOREVER;
	return g->address_lifetime_s * (1 + g->n_addresses / RENEW_ADDRESSES);
}

/*
 * The lifetime that addresses of this instance get now: with a lease they are gone before it is over, and the kernel may be a
 * second late. 0: that cannot be any more.
 */
static uint32_t
lifetime_now_s(const struct engine_kernel *k, const struct engine_instance *i, mono_t now)
{
	uint64_t until = i->keep_until_us, lasts = kernel_lifetime_s(k->gen);

	if (until == UINT64_MAX)
		return (uint32_t)lasts;
	until -= MIN(until, now.us + USEC_PER_SEC);
	return (uint32_t)MIN(lasts, until / USEC_PER_SEC);
}

static void
fill_op(const struct ip_prefix *p, enum nlk_addr_verb verb, int ifindex, uint32_t valid_s, struct nlk_addr_op *op)
{
	*op = (struct nlk_addr_op){
		.verb = (uint8_t)verb,
		.family = p->addr.family == IP_FAMILY_V4 ? AF_INET : AF_INET6,
		.prefixlen = p->len,
		.proto = IPC_IFA_PROTO,
		/* A virtual address is for answering: never the source of what this host starts itself. */
		.deprecated = p->addr.family == IP_FAMILY_V6,
		.ifindex = ifindex,
		.valid_s = valid_s,
	};
	memcpy(op->addr, p->addr.b, sizeof(op->addr));
}

/* Add to the slice the instance's addresses from *pos on that `wanted` picks, until it is full. */
static void
collect(struct engine_kernel *k, const struct engine_instance *i, uint32_t *pos, kernel_wanted_fn *wanted)
{
	uint32_t watch = ENGINE_NO_INDEX, valid_s = MAX(1u, lifetime_now_s(k, i, clock_mono()));
	int ifindex = 0;

	for (; *pos < i->n_addresses && k->n_ops < KERNEL_SLICE; ++*pos) {
		const struct engine_address *a = &i->addresses[*pos];
		const struct engine_held *h = &i->held[*pos];
		enum nlk_addr_verb verb;

		if (a->watch != watch) {
			watch = a->watch;
			ifindex = kernel_ifindex(k, watch);
		}
		if (!wanted(h, ifindex, &verb))
			continue;
		/* What is removed is removed where it was put. */
		fill_op(&a->prefix, verb, verb == NLK_ADDR_DEL ? h->ifindex : ifindex, valid_s, &k->ops[k->n_ops]);
		k->places[k->n_ops++] = (struct engine_place){.instance = i->index, .address = *pos};
	}
}

/* Carry the slice out; each operation then has its result, also when the socket failed. */
static void
apply(struct engine_kernel *k)
{
	int r = nlk_addr_apply(k->batch, k->ops, k->n_ops);

	for (size_t o = 0; o < k->n_ops; o++) {
		if (k->ops[o].ifindex == 0)
			k->ops[o].result = ENODEV;
		else if (r < 0 && k->ops[o].result == ECANCELED)
			k->ops[o].result = -r;
	}
}

static struct engine_held *
held_at(const struct engine_gen *g, struct engine_place p)
{
	return &g->instances[p.instance].held[p.address];
}

static bool
want_all(const struct engine_held *h, int ifindex, enum nlk_addr_verb *ret_verb)
{
	/* What we hold already may have gone unnoticed: renewing adds it again. */
	*ret_verb = h->held && !h->foreign && h->ifindex == ifindex ? NLK_ADDR_RENEW : NLK_ADDR_ADD;
	return true;
}

static bool
want_missing(const struct engine_held *h, int ifindex, enum nlk_addr_verb *ret_verb)
{
	(void)want_all(h, ifindex, ret_verb);
	return !h->held || h->lost || h->ifindex != ifindex;
}

static bool
want_ours(const struct engine_held *h, int ifindex, enum nlk_addr_verb *ret_verb)
{
	(void)ifindex;
	*ret_verb = NLK_ADDR_DEL;
	return h->held && !h->foreign;
}

static bool
want_renewal(const struct engine_held *h, int ifindex, enum nlk_addr_verb *ret_verb)
{
	*ret_verb = NLK_ADDR_RENEW;
	return h->held && !h->foreign && !h->lost && h->ifindex == ifindex;
}

/* ---- adding --------------------------------------------------------------------------------------------------- */

/* Does an address that was there already carry our mark, from an earlier life perhaps? Then it is ours again. */
static bool
is_marked(struct engine_kernel *k, struct nlk_addr_op *op)
{
	struct nlk_addr a;

	if (!nlk_cache_find(k->cache, op->family, op->ifindex, op->prefixlen, op->addr, &a) ||
	    a.proto != IPC_IFA_PROTO)
		return false;
	op->verb = NLK_ADDR_RENEW;
	(void)nlk_addr_apply(k->batch, op, 1); /* the result is looked at by the caller */
	return true;
}

/* Note what became of a slice of additions; the first failure's errno and place, or 0. */
static int
note_added(struct engine_kernel *k, uint32_t *ret_failed)
{
	int err = 0;

	for (size_t o = 0; o < k->n_ops; o++) {
		struct engine_held *h = held_at(k->gen, k->places[o]);
		struct nlk_addr_op *op = &k->ops[o];
		bool existed = op->result == EEXIST, renewed = op->verb == NLK_ADDR_RENEW;

		/* It was there and is not marked as ours: it serves, and stays when we go. */
		h->foreign = existed && !is_marked(k, op);
		h->ifindex = op->ifindex;
		if (op->result == 0 || h->foreign) {
			h->held = true;
			h->lost = false;
			continue;
		}
		/* What was held and could not be renewed may well be there: it is removed when we give it up. */
		h->held = h->held && renewed;
		h->lost = h->lost && renewed;
		if (err != 0)
			continue;
		err = op->result;
		*ret_failed = k->places[o].address;
	}
	return err;
}

/* Add what `wanted` picks, until something fails. How many were added, *ret_which is one of them; or note_added()'s. */
static uint32_t
add_addresses(struct engine_kernel *k, struct engine_instance *i, kernel_wanted_fn *wanted, int *ret_err,
	      uint32_t *ret_which)
{
	uint32_t n = 0;

	*ret_err = 0;
	for (uint32_t pos = 0; pos < i->n_addresses && *ret_err == 0;) {
		k->n_ops = 0;
		collect(k, i, &pos, wanted);
		if (k->n_ops > 0)
			*ret_which = k->places[0].address;
		apply(k);
		*ret_err = note_added(k, ret_which);
		n += (uint32_t)k->n_ops;
	}
	return n;
}

void
kernel_acquire(struct engine_kernel *k, struct engine_instance *i, uint32_t epoch)
{
	struct kernel_answer a = {.kind = KERNEL_ANSWER_ACQUIRED, .index = i->index, .epoch = epoch};
	uint32_t failed = 0;

	(void)add_addresses(k, i, want_all, &a.err, &failed);
	if (a.err != 0)
		a.addr = i->addresses[failed].prefix.addr;
	kernel_answer(k, &a);
}

void
kernel_heal(struct engine_kernel *k, struct engine_instance *i)
{
	struct kernel_answer a = {.kind = KERNEL_ANSWER_HEALED, .index = i->index};
	uint32_t which = 0;
	int err;

	a.count = add_addresses(k, i, want_missing, &err, &which);
	a.err = err;
	a.addr = i->addresses[which].prefix.addr;
	kernel_answer(k, &a);
}

/* ---- removing ------------------------------------------------------------------------------------------------- */

/* Can connections be reset here? When not, that is told once. */
static bool
can_reset(struct engine_kernel *k)
{
	if (k->diag == NULL && k->diag_err == 0) {
		k->diag_err = -nlk_diag_open(&k->diag);
		if (k->diag_err != 0)
			kernel_trouble(k, "connections to addresses that leave are not reset", "", k->diag_err);
	}
	return k->diag != NULL;
}

/* Reset the TCP connections to the slice's addresses, while the addresses are still there. How many. */
static uint32_t
reset_connections(struct engine_kernel *k)
{
	unsigned n = 0;
	int r;

	if (k->n_ops == 0 || !can_reset(k))
		return 0;
	for (size_t o = 0; o < k->n_ops; o++) {
		k->victims[o] = (struct nlk_diag_addr){.family = k->ops[o].family, .ifindex = k->ops[o].ifindex};
		memcpy(k->victims[o].addr, k->ops[o].addr, sizeof(k->victims[o].addr));
	}
	r = nlk_diag_reset(k->diag, k->victims, k->n_ops, &n);
	if (r < 0)
		kernel_trouble(k, "some connections were not reset", "", -r);
	return n;
}

/* Remove the slice; `name` is whose it is, for the log. */
static void
remove_slice(struct engine_kernel *k, const char *name)
{
	apply(k);
	for (size_t o = 0; o < k->n_ops; o++) {
		int result = k->ops[o].result;

		/* Gone already, alone or with its interface, is what was wanted. */
		if (result == 0 || result == EADDRNOTAVAIL || result == ENODEV || result == ENXIO)
			continue;
		kernel_trouble(k, "cannot remove an address of", name, result);
		return;
	}
}

/* Does another instance hold this very address, too? (After a reload one leaves it, and another has it.) */
static bool
held_elsewhere(struct engine_kernel *k, struct engine_place p)
{
	const struct engine_address *a = &k->gen->instances[p.instance].addresses[p.address];
	struct engine_cursor c = {0};
	struct engine_place at;

	while (engine_index_next(k->gen, &a->prefix.addr, &c, &at)) {
		const struct engine_held *h = held_at(k->gen, at);

		if (at.instance != p.instance && h->held && !h->foreign && h->ifindex == held_at(k->gen, p)->ifindex &&
		    k->gen->instances[at.instance].addresses[at.address].prefix.len == a->prefix.len)
			return true;
	}
	return false;
}

void
kernel_release(struct engine_kernel *k, struct engine_instance *i, uint32_t epoch)
{
	struct kernel_answer a = {.kind = KERNEL_ANSWER_RELEASED, .index = i->index, .epoch = epoch};

	for (uint32_t n = 0; n < i->n_addresses; n++)
		if (i->held[n].held && held_elsewhere(k, (struct engine_place){.instance = i->index, .address = n}))
			i->held[n].held = false;
	for (uint32_t pos = 0; pos < i->n_addresses;) {
		k->n_ops = 0;
		collect(k, i, &pos, want_ours);
		if (i->reset_connections)
			a.count += reset_connections(k);
		remove_slice(k, i->conf.name);
	}
	for (uint32_t n = 0; n < i->n_addresses; n++) {
		i->held[n].held = false; /* the foreign ones stay, but not with us */
		i->held[n].lost = false;
	}
	kernel_answer(k, &a);
}

/* ---- from one generation to the next, from one life to the next ------------------------------------------------ */

/*
 * What is held goes over to every place in `g` that has this address on an interface of this name: to the instance that
 * stays and to the one that only leaves; who gives it up first leaves it to the other. False: there is none.
 */
static bool
hand_on(const struct engine_gen *g, const struct ip_prefix *p, const char *ifname, const struct engine_held *h)
{
	struct engine_cursor c = {0};
	struct engine_place at;
	bool found = false;

	while (engine_index_next(g, &p->addr, &c, &at)) {
		const struct engine_address *a = &g->instances[at.instance].addresses[at.address];
		struct engine_held *to = held_at(g, at);

		if (a->prefix.len != p->len || strcmp(g->watches[a->watch].ifname, ifname) != 0)
			continue;
		found = true;
		to->held = (bool)h->held;
		to->foreign = h->foreign;
		to->lost = h->lost;
		to->ifindex = h->ifindex;
	}
	return found;
}

static void
flush_orphans(struct engine_kernel *k, const struct engine_instance *i)
{
	if (k->n_ops == 0)
		return;
	if (i->reset_connections)
		(void)reset_connections(k);
	remove_slice(k, "a changed configuration");
	k->n_ops = 0;
}

void
kernel_move_addresses(struct engine_kernel *k, struct engine_gen *next)
{
	k->n_ops = 0;
	for (uint32_t n = 0; n < k->gen->n_instances; n++) {
		const struct engine_instance *i = &k->gen->instances[n];

		for (uint32_t a = 0; a < i->n_addresses; a++) {
			const struct engine_address *addr = &i->addresses[a];
			const struct engine_held *h = &i->held[a];

			if (!h->held)
				continue;
			if (!hand_on(next, &addr->prefix, k->gen->watches[addr->watch].ifname, h) && !h->foreign)
				fill_op(&addr->prefix, NLK_ADDR_DEL, h->ifindex, NLK_FOREVER, &k->ops[k->n_ops++]);
			if (k->n_ops == KERNEL_SLICE)
				flush_orphans(k, i);
		}
		flush_orphans(k, i);
	}
}

/* The place of an address of the kernel's, marked as ours, that a resumed instance wants. */
static struct engine_held *
find_resumed(struct engine_kernel *k, const struct nlk_addr *a)
{
	struct ip_addr addr = ip_addr_from(a->family == AF_INET ? IP_FAMILY_V4 : IP_FAMILY_V6, a->addr);
	struct engine_cursor c = {0};
	struct engine_place at;

	while (engine_index_next(k->gen, &addr, &c, &at)) {
		const struct engine_instance *i = &k->gen->instances[at.instance];
		const struct engine_address *x = &i->addresses[at.address];

		if (i->resume && x->prefix.len == a->prefixlen && kernel_ifindex(k, x->watch) == a->ifindex)
			return held_at(k->gen, at);
	}
	return NULL;
}

static bool
sort_marked(void *arg, const struct nlk_addr *a)
{
	struct engine_kernel *k = arg;
	struct engine_held *h;
	struct nlk_addr_op *op;

	if (a->proto != IPC_IFA_PROTO)
		return true;
	h = find_resumed(k, a);
	if (h != NULL) {
		h->held = true;
		h->ifindex = a->ifindex;
		return true;
	}
	op = &k->ops[k->n_ops++];
	*op = (struct nlk_addr_op){
		.verb = NLK_ADDR_DEL,
		.family = a->family,
		.prefixlen = a->prefixlen,
		.ifindex = a->ifindex,
	};
	memcpy(op->addr, a->addr, sizeof(op->addr));
	return k->n_ops < KERNEL_SLICE;
}

void
kernel_sort_leftovers(struct engine_kernel *k)
{
	for (unsigned round = 0; round < LIMIT_ADDRESSES_ALL / KERNEL_SLICE; round++) {
		k->n_ops = 0;
		nlk_cache_addrs(k->cache, 0, sort_marked, k);
		if (k->n_ops == 0)
			return;
		(void)reset_connections(k);
		remove_slice(k, "an earlier life");
		if (nlk_cache_resync(k->cache) < 0)
			return;
	}
}

/* ---- what others do to our addresses --------------------------------------------------------------------------- */

static void
note_one(struct engine_kernel *k, const struct nlk_addr *a, bool there)
{
	struct ip_addr addr = ip_addr_from(a->family == AF_INET ? IP_FAMILY_V4 : IP_FAMILY_V6, a->addr);
	struct engine_cursor c = {0};
	struct engine_place at;

	while (engine_index_next(k->gen, &addr, &c, &at)) {
		struct engine_held *h = held_at(k->gen, at);

		if (!h->held || h->ifindex != a->ifindex ||
		    k->gen->instances[at.instance].addresses[at.address].prefix.len != a->prefixlen)
			continue;
		if (there && !h->foreign && a->proto != IPC_IFA_PROTO)
			continue; /* put back by somebody else, without our mark: it is made ours again */
		h->lost = !there;
		k->lost = k->lost || h->lost;
	}
}

static bool
note_there(void *arg, const struct nlk_addr *a)
{
	note_one(arg, a, true);
	return true;
}

void
kernel_note_address(struct engine_kernel *k, enum nlk_change what, const struct nlk_addr *a)
{
	if (a != NULL) {
		note_one(k, a, what != NLK_CHANGE_GONE);
		return;
	}
	for (uint32_t n = 0; n < k->gen->n_instances; n++)
		for (uint32_t m = 0; m < k->gen->instances[n].n_addresses; m++)
			k->gen->instances[n].held[m].lost = k->gen->instances[n].held[m].held;
	nlk_cache_addrs(k->cache, 0, note_there, k);
	k->lost = true;
}

void
kernel_tell_lost(struct engine_kernel *k)
{
	k->lost = false;
	for (uint32_t n = 0; n < k->gen->n_instances; n++) {
		const struct engine_instance *i = &k->gen->instances[n];
		struct kernel_answer a = {.kind = KERNEL_ANSWER_LOST, .index = n};

		for (uint32_t m = 0; m < i->n_addresses; m++) {
			if (!i->held[m].lost)
				continue;
			a.addr = i->addresses[m].prefix.addr;
			a.count++;
		}
		if (a.count > 0)
			kernel_answer(k, &a);
	}
}

/* ---- lifetimes ------------------------------------------------------------------------------------------------- */

bool
kernel_renewing(const struct engine_kernel *k)
{
	return k->renew_instance < k->gen->n_instances;
}

void
kernel_begin_renewal(struct engine_kernel *k)
{
	if (kernel_renewing(k))
		return;
	k->renew_instance = 0;
	k->renew_address = 0;
}

/* Would renewing make them last longer? What rests on a lease may last shorter than it was told before. */
static bool
renewing_helps(const struct engine_kernel *k, struct engine_instance *i)
{
	mono_t now = clock_mono();
	uint32_t s = lifetime_now_s(k, i, now);
	uint64_t until = now.us + s * USEC_PER_SEC;

	if (i->keep_until_us == UINT64_MAX)
		return true;
	if (s == 0 || until <= i->kept_until_us)
		return false;
	i->kept_until_us = until;
	return true;
}

void
kernel_renew_some(struct engine_kernel *k)
{
	k->n_ops = 0;
	while (kernel_renewing(k) && k->n_ops < KERNEL_SLICE) {
		struct engine_instance *i = &k->gen->instances[k->renew_instance];

		if (k->renew_address == 0 && !renewing_helps(k, i))
			k->renew_address = i->n_addresses;
		else
			collect(k, i, &k->renew_address, want_renewal);
		if (k->renew_address == i->n_addresses) {
			k->renew_address = 0;
			k->renew_instance++;
		}
	}
	if (k->n_ops == 0)
		return;
	apply(k);
	for (size_t o = 0; o < k->n_ops; o++) {
		int result = k->ops[o].result;

		if (result == 0 || result == ENODEV)
			continue;
		kernel_trouble(k, "cannot renew an address of",
			       k->gen->instances[k->places[o].instance].conf.name, result);
		return;
	}
}
