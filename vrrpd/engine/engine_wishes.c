/*
 * engine_wishes.c - what is wanted of the kernel thread, and what it does in one turn.
 *
 * The advert loop writes its newest wish per instance, the next generation, or that lifetimes are to be renewed; the
 * thread takes them, carries them out (engine_addresses.c, engine_ports.c) and answers. Nothing here waits but for the
 * kernel itself: the thread, its channels and its sleep are in engine_kernel.c, and the simulator (tests/sim) has its own.
 */
#include "engine/engine_kernel_int.h"

#include <errno.h>
#include <stdlib.h>

#include "base/macros.h"
#include "base/strbuf.h"

/* ---- the thread's side ------------------------------------------------------------------------------------- */

void
kernel_trouble(struct engine_kernel *k, const char *what, const char *name, int err)
{
	struct kernel_answer a = {.kind = KERNEL_ANSWER_TROUBLE, .err = err, .fd = -1, .stray_fd = -1};
	struct strbuf s;

	strbuf_init(&s, a.text, sizeof(a.text));
	strbuf_addf(&s, "%s%s%s", what, name[0] != '\0' ? " " : "", name);
	kernel_answer(k, &a);
}

void
kernel_on_change(void *arg, enum nlk_change what, const struct nlk_link *link, const struct nlk_addr *addr)
{
	struct engine_kernel *k = arg;

	k->changed = true;
	if (link == NULL)
		kernel_note_address(k, what, addr);
}

/* Take the next wish from the ring; false when there is none. */
static bool
next_wish(struct engine_kernel *k, uint32_t *ret_instance, struct kernel_wish *ret)
{
	bool any;

	pthread_mutex_lock(&k->lock);
	any = k->n_queued > 0;
	if (any) {
		*ret_instance = k->books.queue[k->head];
		*ret = k->books.wishes[*ret_instance];
		k->books.wishes[*ret_instance].queued = false;
		k->head = (k->head + 1) % k->n_instances;
		k->n_queued--;
	}
	pthread_mutex_unlock(&k->lock);
	return any;
}

static void
serve_wishes(struct engine_kernel *k)
{
	uint32_t instance;
	struct kernel_wish w;

	while (next_wish(k, &instance, &w)) {
		struct engine_instance *i = &k->gen->instances[instance];

		switch ((enum kernel_want)w.want) {
		case KERNEL_WANT_ACQUIRE:
			kernel_acquire(k, i, w.epoch);
			break;
		case KERNEL_WANT_RELEASE:
			kernel_release(k, i, w.epoch);
			break;
		case KERNEL_WANT_HEAL:
			kernel_heal(k, i);
			break;
		}
	}
}

void
kernel_free_books(struct kernel_books *b)
{
	free(b->wishes);
	free(b->queue);
	free(b->port_ifindex);
	free(b->told);
	*b = (struct kernel_books){0};
}

int
kernel_make_books(const struct engine_gen *g, struct kernel_books *ret)
{
	*ret = (struct kernel_books){
		.wishes = calloc(g->n_instances, sizeof(*ret->wishes)),
		.queue = calloc(g->n_instances, sizeof(*ret->queue)),
		.port_ifindex = calloc(g->n_ports, sizeof(*ret->port_ifindex)),
		.told = calloc(g->n_watches, sizeof(*ret->told)),
	};
	if (ret->wishes && ret->queue && ret->port_ifindex && ret->told)
		return 0;
	kernel_free_books(ret);
	return -ENOMEM;
}

/* Sockets that fit the next generation as they are stay open: the advert loop takes the same ones over. */
static void
keep_ports(const struct engine_kernel *k, const struct engine_gen *next, struct kernel_books *books)
{
	for (uint32_t n = 0; n < next->n_ports; n++) {
		uint32_t old;

		if (engine_port_stays(k->gen, next, &next->ports[n], &old))
			books->port_ifindex[n] = k->books.port_ifindex[old];
	}
}

/* Go over to the next generation, when one is wanted. Wishes about the old one are of no use any more. */
static void
switch_generation(struct engine_kernel *k)
{
	struct kernel_answer switched = {.kind = KERNEL_ANSWER_SWITCHED, .fd = -1, .stray_fd = -1};
	struct kernel_answer synced = {.kind = KERNEL_ANSWER_SYNCED, .fd = -1, .stray_fd = -1};
	struct engine_gen *next;

	pthread_mutex_lock(&k->lock);
	next = TAKE(k->next);
	pthread_mutex_unlock(&k->lock);
	if (next == NULL)
		return;
	kernel_move_addresses(k, next);
	keep_ports(k, next, &k->next_books);
	pthread_mutex_lock(&k->lock);
	kernel_free_books(&k->books);
	k->books = k->next_books;
	k->next_books = (struct kernel_books){0};
	k->n_instances = next->n_instances;
	k->head = k->n_queued = 0;
	pthread_mutex_unlock(&k->lock);
	k->gen = next;
	k->renew_instance = next->n_instances;
	kernel_answer(k, &switched);
	kernel_look(k);
	kernel_answer(k, &synced);
}

static bool
renewal_wanted(struct engine_kernel *k)
{
	bool wanted;

	pthread_mutex_lock(&k->lock);
	wanted = k->renew;
	k->renew = false;
	pthread_mutex_unlock(&k->lock);
	return wanted;
}

void
kernel_begin(struct engine_kernel *k)
{
	struct kernel_answer synced = {.kind = KERNEL_ANSWER_SYNCED, .fd = -1, .stray_fd = -1};

	kernel_sort_leftovers(k);
	kernel_look(k);
	kernel_answer(k, &synced);
}

int
kernel_turn(struct engine_kernel *k, bool news)
{
	int r;

	switch_generation(k);
	serve_wishes(k);
	if (news && (r = nlk_cache_process(k->cache)) < 0) {
		kernel_trouble(k, "reading", "netlink events", -r);
		r = nlk_cache_resync(k->cache);
		if (r < 0)
			return r;
	}
	/* Links first: an address that went with its interface was not taken from us. */
	if (k->changed)
		kernel_look(k);
	if (k->lost)
		kernel_tell_lost(k);
	if (renewal_wanted(k))
		kernel_begin_renewal(k);
	if (kernel_renewing(k))
		kernel_renew_some(k);
	return 0;
}

/* ---- the advert loop's side -------------------------------------------------------------------------------- */

/* A third of the lifetime, so that two rounds may fail. */
usec_t
kernel_renew_interval(const struct engine_gen *g)
{
	return g->address_lifetime_s == 0 ? 0 : (usec_t)kernel_lifetime_s(g) * USEC_PER_SEC / 3;
}

void
engine_kernel_want(struct engine_kernel *k, uint32_t instance, enum kernel_want want, uint32_t epoch)
{
	struct kernel_wish *w;

	if (k->switching)
		return;
	pthread_mutex_lock(&k->lock);
	ASSERT(instance < k->n_instances);
	w = &k->books.wishes[instance];
	if (want != KERNEL_WANT_HEAL || !w->queued) {
		w->want = (uint8_t)want;
		w->epoch = epoch;
	}
	if (!w->queued) {
		w->queued = true;
		k->books.queue[(k->head + k->n_queued) % k->n_instances] = instance;
		k->n_queued++;
	}
	pthread_mutex_unlock(&k->lock);
	kernel_wake(k);
}

int
engine_kernel_switch(struct engine_kernel *k, struct engine_gen *next)
{
	struct kernel_books books;
	int r = kernel_make_books(next, &books);

	if (r < 0)
		return r;
	ASSERT(!k->switching);
	k->switching = true;
	k->renew_interval = kernel_renew_interval(next);
	pthread_mutex_lock(&k->lock);
	k->next = next;
	k->next_books = books;
	pthread_mutex_unlock(&k->lock);
	kernel_wake(k);
	return 0;
}

void
engine_kernel_switched(struct engine_kernel *k)
{
	k->switching = false;
}

usec_t
engine_kernel_renew_interval(const struct engine_kernel *k)
{
	return k->renew_interval;
}

void
engine_kernel_renew(struct engine_kernel *k)
{
	pthread_mutex_lock(&k->lock);
	k->renew = true;
	pthread_mutex_unlock(&k->lock);
	kernel_wake(k);
}

