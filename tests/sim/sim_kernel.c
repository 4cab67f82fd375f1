/*
 * sim_kernel.c - a host's kernel, and the engine's kernel thread in front of it.
 *
 * The thread is a coroutine that runs the real turns (engine_wishes.c, engine_addresses.c, engine_ports.c); an operation
 * takes virtual time, in which everybody else goes on. Addresses have lifetimes and end by themselves, up to a second
 * late. What changes is told to the thread's cache as netlink does: later, in order, or as "events were lost".
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <ucontext.h>

#include "engine/engine_kernel_int.h"
#include "sim.h"

#define STACK_SIZE  (96 * 1024)
#define NOTICES_MAX 64
#define OWN	    SIM_ADDRS /* index of the host's own address in a cache */

struct view { /* what a cache knows */
	bool exists, up, carrier;
	int ifindex;
	bool there[SIM_ADDRS + 1], marked[SIM_ADDRS + 1];
};

struct notice {
	uint8_t what; /* enum nlk_change */
	int8_t addr;  /* -1: the link, or everything */
	struct view then;
};

struct nlk_cache {
	nlk_change_fn *fn;
	void *arg;
	struct view view;
	struct notice notices[NOTICES_MAX];
	unsigned n;
	bool overrun;
};

struct sim_thread {
	ucontext_t context;
	struct sim_node *node;
	struct engine_kernel *k;
	bool idle, woken, sleeping, due;
	uint64_t life;
	const struct nlk_addr_op *at_work; /* what the kernel does just now */
	size_t n_work;
	uint8_t stack[STACK_SIZE] __attribute__((aligned(16)));
};

static ucontext_t outside;
static struct sim_thread *inside;
static bool left; /* by a violation */

bool
sim_in_thread(void)
{
	return inside != NULL;
}

/* After a violation within the thread: back to where the run is, never to return. */
void
sim_leave_thread(void)
{
	left = true;
	setcontext(&outside);
	abort();
}

/* ---- addresses by their number ---- */

uint8_t
sim_addr_octet(unsigned index)
{
	return (uint8_t)(101 + index);
}

struct ip_prefix
sim_prefix(unsigned index)
{
	static const uint8_t v4[4] = {10, 9, 9, 0};
	uint8_t v6[16] = {0xfd, 0};
	struct ip_prefix p = {.len = 24};

	if (sim->plan.family == IP_FAMILY_V4) {
		p.addr = ip_addr_from(IP_FAMILY_V4, v4);
		p.addr.b[3] = sim_addr_octet(index);
		return p;
	}
	if (index == 0) { /* the first one is link-local (RFC 9568 5.2.9) */
		v6[0] = 0xfe;
		v6[1] = 0x80;
	}
	p.addr = ip_addr_from(IP_FAMILY_V6, v6);
	p.addr.b[15] = sim_addr_octet(index);
	p.len = 64;
	return p;
}

static int
index_of(const uint8_t *octets)
{
	unsigned i = octets[sim->plan.family == IP_FAMILY_V4 ? 3 : 15] - 101u;

	return i < SIM_ADDRS ? (int)i : -1;
}

bool
sim_link_up(const struct sim_node *n)
{
	return n->links_down == 0 && n->gone == 0 && n->suspends == 0;
}

/* ---- the thread ---- */

static void
run_thread(struct sim_thread *t)
{
	struct sim_node *before = sim_current;

	sim_current = t->node;
	inside = t;
	swapcontext(&outside, &t->context);
	inside = NULL;
	sim_current = before;
	if (left) {
		left = false;
		sim_leave();
	}
}

static void
resume(void *arg, uint64_t life, uint64_t b)
{
	struct sim_node *n = arg;
	struct sim_thread *t = n->thread;

	(void)b;
	if (t == NULL || t->life != life || !t->due)
		return;
	if (!sim_runs(n))
		return; /* goes on with the host */
	t->due = false;
	run_thread(t);
}

static void
resume_in(struct sim_thread *t, uint64_t us)
{
	t->due = true;
	sim_at(sim_now + us, resume, t->node, t->life, 0);
}

void
sim_kernel_resume(struct sim_node *n)
{
	if (n->thread != NULL && n->thread->due)
		resume_in(n->thread, 20);
}

static void
sleep_for(uint64_t us)
{
	struct sim_thread *t = inside;

	resume_in(t, us);
	swapcontext(&t->context, &outside);
}

static void
wake(struct sim_thread *t)
{
	t->woken = true;
	if (!t->idle)
		return;
	t->idle = false;
	resume_in(t, 10 + sim_draw(t->node, 'k') % 90);
}

static void
body(void)
{
	struct sim_thread *t = inside;
	struct engine_kernel *k = t->k;

	kernel_begin(k);
	for (;;) {
		while (!t->woken && k->cache->n == 0 && !k->cache->overrun && !kernel_renewing(k) && !k->changed) {
			t->idle = true;
			swapcontext(&t->context, &outside);
		}
		t->woken = false;
		if (kernel_turn(k, k->cache->n > 0 || k->cache->overrun) < 0)
			sim_violation("simulator", "the kernel thread ended");
	}
}

static struct view
view_of(const struct sim_node *n)
{
	struct view v = {.exists = n->gone == 0,
			 .up = n->links_down == 0 || (n->links_down & 1) == 0,
			 .carrier = n->links_down == 0,
			 .ifindex = n->gone == 0 ? n->ifindex : 0};

	for (unsigned i = 0; i < SIM_ADDRS; i++) {
		v.there[i] = n->addrs[i].there;
		v.marked[i] = n->addrs[i].marked;
	}
	v.there[OWN] = n->gone == 0 && n->sourceless == 0;
	return v;
}

int
engine_kernel_start(struct loop *loop, struct engine_gen *gen, engine_kernel_fn *fn, void *arg, struct engine_kernel **ret)
{
	struct sim_node *n = sim_current;
	struct engine_kernel *k = calloc(1, sizeof(*k));
	struct sim_thread *t = malloc(sizeof(*t));

	(void)loop;
	memset(t, 0, offsetof(struct sim_thread, stack));
	*k = (struct engine_kernel){.gen = gen, .fn = fn, .arg = arg, .renew_instance = gen->n_instances,
				    .n_instances = gen->n_instances, .renew_interval = kernel_renew_interval(gen)};
	pthread_mutex_init(&k->lock, NULL);
	if (kernel_make_books(gen, &k->books) < 0)
		abort();
	k->cache = calloc(1, sizeof(*k->cache));
	*k->cache = (struct nlk_cache){.fn = kernel_on_change, .arg = k};
	t->node = n;
	t->k = k;
	t->life = n->life;
	n->thread = t;
	n->cache = k->cache;
	k->cache->view = view_of(n);
	getcontext(&t->context);
	t->context.uc_stack.ss_sp = t->stack;
	t->context.uc_stack.ss_size = STACK_SIZE;
	makecontext(&t->context, body, 0);
	resume_in(t, 50 + sim_draw(n, 's') % 400);
	*ret = k;
	return 0;
}

static void apply_op(struct sim_node *n, struct nlk_addr_op *op);

void
engine_kernel_stop(struct engine_kernel *k)
{
	struct sim_node *n = sim_current;

	if (k == NULL)
		return;
	/* What the kernel was doing it ends, or has not begun. */
	if (n->thread->at_work != NULL && sim_draw(n, 'e') % 2 == 0)
		for (size_t i = 0; i < n->thread->n_work; i++) {
			struct nlk_addr_op op = n->thread->at_work[i];

			apply_op(n, &op);
		}
	n->cache = NULL;
	kernel_free_books(&k->books);
	kernel_free_books(&k->next_books);
	free(k->cache);
	free(k);
	free(TAKE(n->thread));
}

void
engine_kernel_close_fd(struct engine_kernel *k, int fd)
{
	(void)k;
	(void)fd;
}

void
kernel_wake(struct engine_kernel *k)
{
	(void)k;
	wake(sim_current->thread);
}

void
kernel_answer(struct engine_kernel *k, const struct kernel_answer *a)
{
	struct sim_node *n = sim_current;
	struct sim_answer *s = sim_alloc(sizeof(*s));

	(void)k;
	s->a = *a;
	if (n->answers_last != NULL)
		n->answers_last->next = s;
	else
		n->answers = s;
	n->answers_last = s;
	sim_loop_wake(n);
}

/* ---- what the kernel has ---- */

void
sim_kernel_changed(struct sim_node *n, enum nlk_change what, int addr, bool link)
{
	struct nlk_cache *c = n->cache;

	sim_check_changed();
	(void)link;
	if (c == NULL)
		return;
	if (c->n == NOTICES_MAX || sim_fault_active(SIM_LOST_EVENTS, n->id)) {
		c->n = 0;
		c->overrun = true;
	} else {
		c->notices[c->n++] = (struct notice){.what = (uint8_t)what, .addr = (int8_t)addr, .then = view_of(n)};
	}
	wake(n->thread);
}

static void
expire(void *arg, uint64_t addr, uint64_t generation)
{
	struct sim_node *n = arg;
	struct sim_kaddr *a = &n->addrs[addr];

	if (!a->there || a->generation != generation || a->expires == UINT64_MAX)
		return;
	if (sim_local(n) < a->expires) {
		sim_at(sim_true(n, a->expires) + a->late, expire, n, addr, generation);
		return;
	}
	a->there = false;
	sim_trace(n, "kernel: address %llu ended by its lifetime", (unsigned long long)addr);
	sim_kernel_changed(n, NLK_CHANGE_GONE, (int)addr, false);
}

static void
set_lifetime(struct sim_node *n, unsigned addr, uint32_t valid_s)
{
	struct sim_kaddr *a = &n->addrs[addr];

	a->generation++;
	a->expires = valid_s == NLK_FOREVER ? UINT64_MAX : sim_local(n) + valid_s * SIM_SEC;
	a->late = sim_draw(n, 'l') % SIM_SEC;
	if (a->expires != UINT64_MAX)
		sim_at(sim_true(n, a->expires) + a->late, expire, n, addr, a->generation);
}

static int
op_result(struct sim_node *n, const struct nlk_addr_op *op, int i)
{
	if (n->gone > 0 || op->ifindex != n->ifindex)
		return ENODEV;
	if (i < 0)
		return EINVAL;
	if (op->verb != NLK_ADDR_DEL && n->fail_kernel > 0 && sim_draw(n, 'f') % 1000 < n->fail_mille)
		return ENOBUFS;
	if (op->verb == NLK_ADDR_DEL && !n->addrs[i].there)
		return EADDRNOTAVAIL;
	return op->verb == NLK_ADDR_ADD && n->addrs[i].there ? EEXIST : 0;
}

static void
apply_op(struct sim_node *n, struct nlk_addr_op *op)
{
	int i = index_of(op->addr);
	bool had;

	op->result = op_result(n, op, i);
	if (op->result != 0)
		return;
	had = n->addrs[i].there;
	n->addrs[i].there = op->verb != NLK_ADDR_DEL;
	n->addrs[i].marked = op->verb != NLK_ADDR_DEL;
	if (op->verb == NLK_ADDR_DEL) {
		n->addrs[i].generation++;
		sim_trace(n, "kernel: address %d removed", i);
		sim_kernel_changed(n, NLK_CHANGE_GONE, i, false);
		return;
	}
	set_lifetime(n, (unsigned)i, op->valid_s);
	if (!had)
		sim_trace(n, "kernel: address %d added for %d s", i, (int)op->valid_s);
	sim_kernel_changed(n, had ? NLK_CHANGE_CHANGED : NLK_CHANGE_NEW, i, false);
}

int
nlk_addr_apply(struct nlk_batch *b, struct nlk_addr_op *ops, size_t n)
{
	struct sim_node *node = sim_current;
	struct sim_thread *t = inside;
	uint64_t us = 10 + sim_draw(node, 'a') % 120;

	(void)b;
	if (n == 0)
		return 0;
	if (node->slow_kernel > 0)
		us += sim_draw(node, 'A') % (node->slow_us + 1);
	t->at_work = ops;
	t->n_work = n;
	sleep_for(us);
	t->at_work = NULL;
	for (size_t i = 0; i < n; i++)
		apply_op(node, &ops[i]);
	return 0;
}

void
sim_kernel_remove(struct sim_node *n, unsigned addr)
{
	if (!n->addrs[addr].there)
		return;
	n->addrs[addr].there = false;
	n->addrs[addr].generation++;
	sim_trace(n, "kernel: address %u removed by another program", addr);
	sim_kernel_changed(n, NLK_CHANGE_GONE, (int)addr, false);
}

/* The interface went, and everything on it. */
void
sim_kernel_unplug(struct sim_node *n)
{
	for (unsigned i = 0; i < SIM_ADDRS; i++) {
		if (!n->addrs[i].there)
			continue;
		n->addrs[i].there = false;
		n->addrs[i].generation++;
		sim_kernel_changed(n, NLK_CHANGE_GONE, (int)i, false);
	}
	n->ifindex++;
	sim_kernel_changed(n, NLK_CHANGE_GONE, -1, true);
}

void
sim_kernel_put(struct sim_node *n, unsigned addr, bool there)
{
	if (n->addrs[addr].there == there)
		return;
	n->addrs[addr] = (struct sim_kaddr){.there = there, .expires = UINT64_MAX,
					    .generation = n->addrs[addr].generation + 1};
	sim_check_changed();
}

/* ---- netlink/nlk.h: the cache ---- */

static bool
address(const struct nlk_cache *c, unsigned i, struct nlk_addr *ret)
{
	const struct sim_node *n = sim_current;
	struct ip_addr a = i == OWN ? n->source_addr : sim_prefix(i).addr;

	if (!c->view.there[i])
		return false;
	*ret = (struct nlk_addr){
		.family = a.family == IP_FAMILY_V4 ? AF_INET : AF_INET6,
		.prefixlen = i == OWN ? (a.family == IP_FAMILY_V4 ? 24 : 64) : sim_prefix(i).len,
		.proto = c->view.marked[i] ? IPC_IFA_PROTO : 0,
		.ifindex = c->view.ifindex,
	};
	memcpy(ret->addr, a.b, sizeof(ret->addr));
	return true;
}

int
nlk_cache_process(struct nlk_cache *c)
{
	if (c->overrun)
		return nlk_cache_resync(c);
	for (unsigned i = 0; i < c->n; i++) {
		struct notice *t = &c->notices[i];
		struct nlk_link link = {0};
		struct nlk_addr a;
		struct view last = c->view;

		if (t->addr < 0) {
			c->view = t->then;
			c->fn(c->arg, (enum nlk_change)t->what, &link, NULL);
			continue;
		}
		c->view = t->then;
		/* Of what has gone the last state is told. */
		if (!c->view.there[t->addr])
			c->view.there[t->addr] = true, c->view.marked[t->addr] = last.marked[t->addr];
		if (c->view.ifindex == 0)
			c->view.ifindex = last.ifindex;
		(void)address(c, (unsigned)t->addr, &a);
		c->view = t->then;
		c->fn(c->arg, (enum nlk_change)t->what, NULL, &a);
	}
	c->n = 0;
	return 0;
}

int
nlk_cache_resync(struct nlk_cache *c)
{
	c->n = 0;
	c->overrun = false;
	c->view = view_of(sim_current);
	c->fn(c->arg, NLK_CHANGE_RESYNC, NULL, NULL);
	return 0;
}

bool
nlk_cache_link(const struct nlk_cache *c, const char *ifname, struct nlk_link *ret)
{
	if (strcmp(ifname, "eth0") != 0 || !c->view.exists)
		return false;
	*ret = (struct nlk_link){.ifindex = c->view.ifindex, .up = c->view.up, .carrier = c->view.carrier, .mtu = 1500,
				 .mac = {2, 0, 0, 0, 0, (uint8_t)sim_current->id}, .name = "eth0"};
	return true;
}

bool
nlk_cache_find(const struct nlk_cache *c, uint8_t family, int ifindex, uint8_t prefixlen, const uint8_t addr[16],
	       struct nlk_addr *ret)
{
	int i = index_of(addr);

	(void)family;
	return i >= 0 && address(c, (unsigned)i, ret) && ret->ifindex == ifindex && ret->prefixlen == prefixlen;
}

void
nlk_cache_addrs(const struct nlk_cache *c, int ifindex, bool (*fn)(void *arg, const struct nlk_addr *a), void *arg)
{
	struct nlk_addr a;

	for (unsigned k = 0; k <= SIM_ADDRS; k++) {
		unsigned i = (k + OWN) % (SIM_ADDRS + 1); /* the own one first */

		if (address(c, i, &a) && (ifindex == 0 || a.ifindex == ifindex) && !fn(arg, &a))
			return;
	}
}

int
nlk_link_promote_secondaries(const char *ifname)
{
	(void)ifname;
	return 0;
}

int
nlk_diag_open(struct nlk_diag **ret)
{
	(void)ret;
	return -EOPNOTSUPP;
}

int
nlk_diag_reset(struct nlk_diag *d, const struct nlk_diag_addr *addrs, size_t n, unsigned *ret_count)
{
	(void)d;
	(void)addrs;
	(void)n;
	*ret_count = 0;
	return 0;
}
