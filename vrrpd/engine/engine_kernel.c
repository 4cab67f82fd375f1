/*
 * engine_kernel.c - the kernel thread: everything that takes the rtnl lock or reads netlink.
 *
 * The advert loop says what it wants of an instance's addresses and gets answers; in between the lock may be
 * held by another program for as long as it likes. Only the newest wish per instance counts, so the queue is as
 * long as there are instances and never full. Between slices of address work the thread looks at its queue and
 * at kernel events.
 *
 * It also renews the addresses' lifetimes: when nobody renews (this process killed, stopped, starved), the
 * kernel removes them by itself.
 */
#include "engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "sys/clock.h"
#include "sys/priv.h"

#define SLICE	       256 /* addresses between two looks at the queue */
#define STACK_SIZE     (512 * 1024)
#define RETRY_PORTS_MS 1000 /* sockets that could not be opened are tried again */
/* Renewing costs about 10 us per address: with more than this many the lifetime grows in proportion. */
#define RENEW_ADDRESSES 1000

struct want {
	bool queued;
	uint8_t want; /* enum kernel_want */
	uint32_t epoch;
};

struct engine_kernel {
	struct engine_gen *gen;
	pthread_t thread;
	/* advert loop's side */
	struct loop_io *io;
	engine_kernel_fn *fn;
	void *arg;
	int answers; /* SOCK_SEQPACKET */
	/* shared */
	pthread_mutex_t lock; /* with priority inheritance; held for a few instructions */
	struct want *wants;   /* per instance */
	uint32_t *queue;      /* instances with a wish, a ring */
	uint32_t head, n_queued;
	bool quit;
	bool renew;	   /* a round of renewals is wanted */
	int wake;	   /* eventfd */
	int close_pipe[2]; /* descriptors to close, as ints */
	/* thread's side */
	int answers_out;
	struct nlk_batch *batch;
	struct nlk_cache *cache;
	bool changed;		    /* the caches changed since the last look */
	int *port_ifindex;	    /* per port: interface its sockets are open on, 0 = none */
	bool port_retry;	    /* some port could not be opened */
	struct kernel_answer *told; /* per watch: what was last told */
	size_t n_ops;		    /* of the slice being put together */
	struct nlk_addr_op ops[SLICE];
	struct op_place {
		uint32_t instance, address;
	} places[SLICE];			/* which address of which instance an op is about */
	uint32_t renew_instance, renew_address; /* where the round is; instance n_instances: none */
};

static void
answer(struct engine_kernel *k, const struct kernel_answer *a)
{
	/* Blocks while the advert loop is behind; after a stop there is nobody to tell. */
	while (send(k->answers_out, a, sizeof(*a), MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

static void
trouble(struct engine_kernel *k, const char *what, const char *name, int err)
{
	struct kernel_answer a = {.kind = KERNEL_ANSWER_TROUBLE, .err = err, .fd = -1, .stray_fd = -1};
	struct strbuf s;

	strbuf_init(&s, a.text, sizeof(a.text));
	strbuf_addf(&s, "%s %s", what, name);
	answer(k, &a);
}

/* ---- addresses ---------------------------------------------------------------------------------------------
 */

static uint32_t
lifetime_s(const struct engine_kernel *k)
{
	uint32_t s = k->gen->address_lifetime_s;

	if (s == 0)
		return NLK_FOREVER;
	return s * (1 + k->gen->n_addresses / RENEW_ADDRESSES);
}

/* Fill one operation; the result ENODEV is set here when its interface does not exist. */
static void
fill_op(const struct engine_kernel *k, const struct engine_address *a, enum nlk_addr_verb verb, int ifindex,
	struct nlk_addr_op *op)
{
	const struct ip_prefix *p = &a->prefix;

	*op = (struct nlk_addr_op){
		.verb = (uint8_t)verb,
		.family = p->addr.family == IP_FAMILY_V4 ? AF_INET : AF_INET6,
		.prefixlen = p->len,
		.proto = ENGINE_IFA_PROTO,
		/* A virtual address is for answering: never the source of what this host starts itself. */
		.deprecated = p->addr.family == IP_FAMILY_V6,
		.ifindex = ifindex,
		.valid_s = lifetime_s(k),
	};
	memcpy(op->addr, p->addr.b, sizeof(op->addr));
}

static int
ifindex_of(const struct engine_kernel *k, uint32_t watch)
{
	struct nlk_link l;

	return nlk_cache_link(k->cache, k->gen->watches[watch].ifname, &l) ? l.ifindex : 0;
}

/* Add to the slice the instance's addresses from *pos on that `wanted` picks, until it is full. */
static void
collect(struct engine_kernel *k, const struct engine_instance *i, uint32_t *pos,
	bool (*wanted)(const struct engine_held *h, enum nlk_addr_verb *ret_verb))
{
	uint32_t watch = ENGINE_NO_INDEX;
	int ifindex = 0;

	for (; *pos < i->n_addresses && k->n_ops < SLICE; ++*pos) {
		const struct engine_address *a = &i->addresses[*pos];
		enum nlk_addr_verb verb;

		if (!wanted(&i->held[*pos], &verb))
			continue;
		if (a->watch != watch) {
			watch = a->watch;
			ifindex = ifindex_of(k, watch);
		}
		fill_op(k, a, verb, ifindex, &k->ops[k->n_ops]);
		k->places[k->n_ops++] = (struct op_place){.instance = i->index, .address = *pos};
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
held_of(struct engine_kernel *k, size_t op)
{
	return &k->gen->instances[k->places[op].instance].held[k->places[op].address];
}

static bool
want_all(const struct engine_held *h, enum nlk_addr_verb *ret_verb)
{
	/* What we hold already may have gone unnoticed: renewing adds it again. */
	*ret_verb = h->held && !h->foreign ? NLK_ADDR_RENEW : NLK_ADDR_ADD;
	return true;
}

static bool
want_ours(const struct engine_held *h, enum nlk_addr_verb *ret_verb)
{
	*ret_verb = NLK_ADDR_DEL;
	return h->held && !h->foreign;
}

static bool
want_renewal(const struct engine_held *h, enum nlk_addr_verb *ret_verb)
{
	*ret_verb = NLK_ADDR_RENEW;
	return h->held && !h->foreign;
}

/* Note what became of a slice of additions; the first failure's errno and place, or 0. */
static int
note_added(struct engine_kernel *k, uint32_t *ret_failed)
{
	for (size_t o = 0; o < k->n_ops; o++) {
		struct engine_held *h = held_of(k, o);
		int result = k->ops[o].result;

		if (result != 0 && result != EEXIST) {
			*ret_failed = k->places[o].address;
			return result;
		}
		/* It was there and is not marked as ours: it serves, and stays when we go. */
		h->foreign = result == EEXIST;
		h->held = true;
	}
	return 0;
}

static void
acquire(struct engine_kernel *k, struct engine_instance *i, uint32_t epoch)
{
	struct kernel_answer a = {.kind = KERNEL_ANSWER_ACQUIRED, .index = i->index, .epoch = epoch};
	uint32_t failed = 0;

	for (uint32_t pos = 0; pos < i->n_addresses && a.err == 0;) {
		k->n_ops = 0;
		collect(k, i, &pos, want_all);
		apply(k);
		a.err = note_added(k, &failed);
	}
	if (a.err != 0)
		a.addr = i->addresses[failed].prefix.addr;
	answer(k, &a);
}

static void
release(struct engine_kernel *k, struct engine_instance *i)
{
	struct kernel_answer a = {.kind = KERNEL_ANSWER_RELEASED, .index = i->index};

	for (uint32_t pos = 0; pos < i->n_addresses;) {
		k->n_ops = 0;
		collect(k, i, &pos, want_ours);
		apply(k);
		for (size_t o = 0; o < k->n_ops; o++) {
			int result = k->ops[o].result;

			/* Gone already, alone or with its interface, is what was wanted. */
			if (result != 0 && result != EADDRNOTAVAIL && result != ENODEV)
				trouble(k, "cannot remove an address of instance", i->conf.name, result);
		}
	}
	for (uint32_t n = 0; n < i->n_addresses; n++)
		i->held[n].held = false; /* the foreign ones stay, but not with us */
	answer(k, &a);
}

static bool
renewing(const struct engine_kernel *k)
{
	return k->renew_instance < k->gen->n_instances;
}

/* One slice of the running round of renewals, over as many instances as fill it. */
static void
renew_some(struct engine_kernel *k)
{
	k->n_ops = 0;
	while (renewing(k) && k->n_ops < SLICE) {
		const struct engine_instance *i = &k->gen->instances[k->renew_instance];

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
		trouble(k, "cannot renew an address of instance",
			k->gen->instances[k->places[o].instance].conf.name, result);
		return;
	}
}

static void
begin_renewal(struct engine_kernel *k)
{
	bool wanted;

	pthread_mutex_lock(&k->lock);
	wanted = k->renew;
	k->renew = false;
	pthread_mutex_unlock(&k->lock);
	if (!wanted || renewing(k))
		return;
	k->renew_instance = 0;
	k->renew_address = 0;
}

/* ---- links, sources, sockets -------------------------------------------------------------------------------
 */

static void
on_change(void *arg, enum nlk_change what, const struct nlk_link *link, const struct nlk_addr *addr)
{
	struct engine_kernel *k = arg;

	(void)what;
	(void)link;
	(void)addr;
	k->changed = true;
}

/* Open the port's sockets on the interface's present incarnation; tell the advert loop. */
static void
look_at_port(struct engine_kernel *k, uint32_t port)
{
	const struct engine_port *p = &k->gen->ports[port];
	const char *ifname = k->gen->watches[p->watch].ifname;
	struct kernel_answer a = {.kind = KERNEL_ANSWER_PORT, .index = port, .fd = -1, .stray_fd = -1};
	int ifindex = ifindex_of(k, p->watch);
	bool vrids[256];
	int r;

	if (ifindex == k->port_ifindex[port])
		return;
	if (ifindex != 0) {
		for (unsigned v = 0; v < 256; v++)
			vrids[v] = p->by_vrid[v] != NULL;
		/* Removing one address must not take the others of its subnet along. */
		(void)nlk_link_promote_secondaries(ifname);
		r = engine_sock_open(p->family, ifname, ifindex, p->multicast, vrids, &a.fd, &a.stray_fd);
		if (r < 0) {
			if (!k->port_retry)
				trouble(k, "cannot open VRRP sockets on", ifname, -r);
			k->port_retry = true;
			ifindex = 0;
		}
	}
	if (ifindex == 0 && k->port_ifindex[port] == 0)
		return;
	k->port_ifindex[port] = ifindex;
	a.ifindex = ifindex;
	answer(k, &a);
}

/* Instances on a port without sockets must not take part: their interface counts as down. */
static bool
port_closed(const struct engine_kernel *k, const struct engine_watch *w)
{
	for (uint32_t n = 0; n < k->gen->n_ports; n++) {
		const struct engine_port *p = &k->gen->ports[n];

		if (p->family == w->family && strcmp(k->gen->watches[p->watch].ifname, w->ifname) == 0)
			return k->port_ifindex[n] == 0;
	}
	return false;
}

static bool
same_answer(const struct kernel_answer *a, const struct kernel_answer *b)
{
	return a->link == b->link && a->ifindex == b->ifindex && a->mtu == b->mtu &&
	       memcmp(&a->mac, &b->mac, sizeof(a->mac)) == 0 && ip_addr_equal(&a->addr, &b->addr);
}

static void
look_at_everything(struct engine_kernel *k)
{
	k->changed = false;
	k->port_retry = false;
	for (uint32_t n = 0; n < k->gen->n_ports; n++)
		look_at_port(k, n);
	for (uint32_t n = 0; n < k->gen->n_watches; n++) {
		const struct engine_watch *w = &k->gen->watches[n];
		struct kernel_answer a;

		engine_links_look(k->cache, k->gen, n, &a);
		if (a.link == ELECT_LINK_UP && w->family != IP_FAMILY_NONE && port_closed(k, w))
			a.link = ELECT_LINK_DOWN;
		if (same_answer(&a, &k->told[n]))
			continue;
		k->told[n] = a;
		answer(k, &a);
	}
}

/* ---- what an earlier life left behind ----------------------------------------------------------------------
 */

static bool
collect_marked(void *arg, const struct nlk_addr *a)
{
	struct engine_kernel *k = arg;
	struct nlk_addr_op *op;

	if (a->proto != ENGINE_IFA_PROTO)
		return true;
	op = &k->ops[k->n_ops++];
	*op = (struct nlk_addr_op){
		.verb = NLK_ADDR_DEL,
		.family = a->family,
		.prefixlen = a->prefixlen,
		.ifindex = a->ifindex,
	};
	memcpy(op->addr, a->addr, sizeof(op->addr));
	return k->n_ops < SLICE;
}

/* Remove every address that carries our mark: nobody defends it any more. */
static void
remove_leftovers(struct engine_kernel *k)
{
	for (unsigned round = 0; round < LIMIT_ADDRESSES_ALL / SLICE; round++) {
		k->n_ops = 0;
		nlk_cache_addrs(k->cache, 0, collect_marked, k);
		if (k->n_ops == 0)
			return;
		apply(k);
		if (nlk_cache_resync(k->cache) < 0)
			return;
	}
}

/* ---- the thread ---------------------------------------------------------------------------------------------
 */

/* Take the next wish from the ring; false when there is none. */
static bool
next_want(struct engine_kernel *k, uint32_t *ret_instance, struct want *ret_want)
{
	bool any;

	pthread_mutex_lock(&k->lock);
	any = k->n_queued > 0;
	if (any) {
		*ret_instance = k->queue[k->head];
		*ret_want = k->wants[*ret_instance];
		k->wants[*ret_instance].queued = false;
		k->head = (k->head + 1) % k->gen->n_instances;
		k->n_queued--;
	}
	pthread_mutex_unlock(&k->lock);
	return any;
}

static bool
wants_quit(struct engine_kernel *k)
{
	bool quit;

	pthread_mutex_lock(&k->lock);
	quit = k->quit;
	pthread_mutex_unlock(&k->lock);
	return quit;
}

static void
serve_wants(struct engine_kernel *k)
{
	uint32_t instance;
	struct want w;

	while (next_want(k, &instance, &w)) {
		struct engine_instance *i = &k->gen->instances[instance];

		if (w.want == KERNEL_WANT_ACQUIRE)
			acquire(k, i, w.epoch);
		else
			release(k, i);
	}
}

static void
close_returned(struct engine_kernel *k)
{
	int fd;

	while (read(k->close_pipe[0], &fd, sizeof(fd)) == sizeof(fd))
		close(fd);
}

static int
poll_timeout_ms(const struct engine_kernel *k)
{
	if (renewing(k) || k->changed)
		return 0;
	return k->port_retry ? RETRY_PORTS_MS : -1;
}

static void
serve(struct engine_kernel *k)
{
	struct pollfd fds[] = {
		{.fd = k->wake, .events = POLLIN},
		{.fd = nlk_cache_fd(k->cache), .events = POLLIN},
		{.fd = k->close_pipe[0], .events = POLLIN},
	};
	uint64_t woken;
	int r;

	while (!wants_quit(k)) {
		r = poll(fds, ARRAY_SIZE(fds), poll_timeout_ms(k));
		if (r == 0 && k->port_retry)
			k->changed = true;
		if (r > 0 && fds[0].revents)
			(void)!read(k->wake, &woken, sizeof(woken));
		serve_wants(k);
		if (r > 0 && fds[1].revents && (r = nlk_cache_process(k->cache)) < 0) {
			trouble(k, "reading", "netlink events", -r);
			if (nlk_cache_resync(k->cache) < 0)
				return;
		}
		if (k->changed)
			look_at_everything(k);
		close_returned(k);
		begin_renewal(k);
		if (renewing(k))
			renew_some(k);
	}
}

static void *
kernel_main(void *arg)
{
	struct engine_kernel *k = arg;
	struct kernel_answer synced = {.kind = KERNEL_ANSWER_SYNCED, .fd = -1, .stray_fd = -1};

	/* One step below the advert loop: address work in good time, but never before an advert. */
	if (k->gen->realtime_priority > 1)
		(void)priv_realtime(k->gen->realtime_priority - 1);
	remove_leftovers(k);
	look_at_everything(k);
	answer(k, &synced);
	serve(k);
	return NULL;
}

/* ---- the advert loop's side -------------------------------------------------------------------------------
 */

static void
answers_ready(void *arg, int fd, bool readable, bool writable)
{
	struct engine_kernel *k = arg;
	struct kernel_answer a;

	(void)readable;
	(void)writable;
	/* One turn's worth; the rest waits its turn behind due adverts. */
	for (int n = 0; n < 64; n++) {
		if (recv(fd, &a, sizeof(a), MSG_DONTWAIT) != (ssize_t)sizeof(a))
			return;
		k->fn(k->arg, &a);
	}
}

static int
init_lock(pthread_mutex_t *m)
{
	pthread_mutexattr_t attr;
	int r = pthread_mutexattr_init(&attr);

	if (r != 0)
		return -r;
	r = pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	if (r == 0)
		r = pthread_mutex_init(m, &attr);
	pthread_mutexattr_destroy(&attr);
	return -r;
}

static int
open_channels(struct engine_kernel *k)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	k->answers = sv[0];
	k->answers_out = sv[1];
	k->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (k->wake < 0 || pipe2(k->close_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static int
start_thread(struct engine_kernel *k)
{
	pthread_attr_t attr;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return -r;
	/* Locked memory: the default 8 MiB would all be resident. */
	r = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (r == 0)
		r = pthread_create(&k->thread, &attr, kernel_main, k);
	pthread_attr_destroy(&attr);
	return -r;
}

static void
free_all(struct engine_kernel *k)
{
	const int fds[] = {k->answers, k->answers_out, k->wake, k->close_pipe[0], k->close_pipe[1]};

	for (size_t n = 0; n < ARRAY_SIZE(fds); n++)
		if (fds[n] >= 0)
			close(fds[n]);
	nlk_cache_close(k->cache);
	nlk_batch_close(k->batch);
	free(k->wants);
	free(k->queue);
	free(k->port_ifindex);
	free(k->told);
	free(k);
}

int
engine_kernel_start(struct loop *loop, struct engine_gen *gen, engine_kernel_fn *fn, void *arg,
		    struct engine_kernel **ret)
{
	struct engine_kernel *k = calloc(1, sizeof(*k));
	int r;

	if (k == NULL)
		return -ENOMEM;
	k->gen = gen;
	k->fn = fn;
	k->arg = arg;
	k->answers = k->answers_out = k->wake = k->close_pipe[0] = k->close_pipe[1] = -1;
	k->renew_instance = gen->n_instances;
	k->wants = calloc(gen->n_instances, sizeof(*k->wants));
	k->queue = calloc(gen->n_instances, sizeof(*k->queue));
	k->port_ifindex = calloc(gen->n_ports, sizeof(*k->port_ifindex));
	k->told = calloc(gen->n_watches, sizeof(*k->told));
	r = k->wants && k->queue && k->port_ifindex && k->told ? 0 : -ENOMEM;
	if (r == 0)
		r = init_lock(&k->lock);
	if (r == 0)
		r = open_channels(k);
	if (r == 0)
		r = nlk_batch_open(&k->batch);
	if (r == 0)
		r = nlk_cache_open(on_change, k, &k->cache);
	if (r == 0)
		r = start_thread(k);
	if (r < 0) {
		free_all(k);
		return r;
	}
	k->io = loop_io_add(loop, k->answers, answers_ready, k);
	*ret = k;
	return 0;
}

static void
wake_thread(struct engine_kernel *k)
{
	uint64_t one = 1;

	/* EAGAIN means that it is awake 2^64 - 1 times already. */
	(void)!write(k->wake, &one, sizeof(one));
}

void
engine_kernel_want(struct engine_kernel *k, uint32_t instance, enum kernel_want want, uint32_t epoch)
{
	struct want *w = &k->wants[instance];

	ASSERT(instance < k->gen->n_instances);
	pthread_mutex_lock(&k->lock);
	w->want = (uint8_t)want;
	w->epoch = epoch;
	if (!w->queued) {
		w->queued = true;
		k->queue[(k->head + k->n_queued) % k->gen->n_instances] = instance;
		k->n_queued++;
	}
	pthread_mutex_unlock(&k->lock);
	wake_thread(k);
}

usec_t
engine_kernel_renew_interval(const struct engine_kernel *k)
{
	return k->gen->address_lifetime_s == 0 ? 0 : (usec_t)lifetime_s(k) * USEC_PER_SEC / 3;
}

void
engine_kernel_renew(struct engine_kernel *k)
{
	pthread_mutex_lock(&k->lock);
	k->renew = true;
	pthread_mutex_unlock(&k->lock);
	wake_thread(k);
}

void
engine_kernel_close_fd(struct engine_kernel *k, int fd)
{
	/* A pipe full of thousands of descriptors does not happen; if it does, waiting for the lock is the
	 * lesser evil. */
	if (write(k->close_pipe[1], &fd, sizeof(fd)) != sizeof(fd))
		close(fd);
}

void
engine_kernel_stop(struct engine_kernel *k)
{
	if (k == NULL)
		return;
	pthread_mutex_lock(&k->lock);
	k->quit = true;
	pthread_mutex_unlock(&k->lock);
	wake_thread(k);
	/* The thread may be waiting to answer: let that fail. */
	shutdown(k->answers, SHUT_RDWR);
	pthread_join(k->thread, NULL);
	loop_io_del(k->io);
	free_all(k);
}
