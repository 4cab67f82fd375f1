/*
 * test_nlk_cache.c - links and addresses are known as the kernel has them, changes are told, lost events are
 * made up for.
 *
 * Needs root: every test has a network namespace of its own. The kernel is changed with ip(8) and nlk_addr.c;
 * what the cache has learned from events is compared with what a cache that was just opened reads.
 */
#include "unit/nlk_netns.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define MARK 0x77
#define MANY 4000

/* What the change function was called with: counts, and the last of each kind. */
struct told {
	unsigned links[3];
	unsigned addrs[3];
	unsigned resyncs;
	struct nlk_link link[3];
	struct nlk_addr addr[3];
};

static void
on_change(void *arg, enum nlk_change what, const struct nlk_link *link, const struct nlk_addr *addr)
{
	struct told *told = arg;

	if (what == NLK_CHANGE_RESYNC) {
		assert_null(link);
		assert_null(addr);
		told->resyncs++;
		return;
	}
	assert_true((link != NULL) != (addr != NULL));
	if (link != NULL) {
		told->links[what]++;
		told->link[what] = *link;
	} else {
		told->addrs[what]++;
		told->addr[what] = *addr;
	}
}

static struct nlk_cache *
open_cache(struct told *told)
{
	struct nlk_cache *c = NULL;

	*told = (struct told){0};
	assert_int_equal(nlk_cache_open(on_change, told, &c), 0);
	return c;
}

/* Process what comes within 100 ms; fails the test after end_ms (of clock_ms). */
static void
process_some(struct nlk_cache *c, double end_ms, const char *what)
{
	struct pollfd p = {.fd = nlk_cache_fd(c), .events = POLLIN};

	if (clock_ms(CLOCK_MONOTONIC) > end_ms)
		fail_msg("not within %d ms: %s", WAIT_MS, what);
	if (poll(&p, 1, 100) > 0)
		assert_int_equal(nlk_cache_process(c), 0);
}

#define WAIT_UNTIL(c, condition)                                                                               \
	for (double end_ms_ = clock_ms(CLOCK_MONOTONIC) + WAIT_MS; !(condition);)                              \
	process_some(c, end_ms_, #condition)

/* ---- a cache as text, for comparisons ---- */

struct text {
	char *data;
	size_t size;
	size_t len;
	unsigned n;
};

static bool
add_text(void *arg, const struct nlk_addr *a)
{
	struct text *t = arg;
	char addr[64];

	inet_ntop(a->family, a->addr, addr, sizeof(addr));
	t->len += (size_t)snprintf(t->data + t->len, t->size - t->len, "%d %s/%u proto %u%s\n", a->ifindex,
				   addr, a->prefixlen, a->proto, a->tentative ? " tentative" : "");
	assert_true(t->len < t->size);
	t->n++;
	return true;
}

static char *
text_of(const struct nlk_cache *c, int ifindex)
{
	struct text t = {.size = 1 << 20};

	t.data = calloc(1, t.size);
	assert_non_null(t.data);
	nlk_cache_addrs(c, ifindex, add_text, &t);
	return t.data;
}

/*
 * What c has learned from events is what a new cache reads, in the same order. The kernel tells of IPv6
 * addresses a little after they are there (from its work queue, even without duplicate address detection), so
 * this may take a few rounds.
 */
static void
wait_like_new(struct nlk_cache *c)
{
	double end_ms = clock_ms(CLOCK_MONOTONIC) + WAIT_MS;

	for (bool same = false; !same;) {
		struct pollfd p = {.fd = nlk_cache_fd(c), .events = POLLIN};
		struct told told;
		struct nlk_cache *fresh = open_cache(&told);
		char *have, *want;

		assert_int_equal(nlk_cache_process(c), 0);
		have = text_of(c, 0);
		want = text_of(fresh, 0);
		same = strcmp(have, want) == 0;
		if (!same && clock_ms(CLOCK_MONOTONIC) > end_ms)
			assert_string_equal(have, want);
		free(have);
		free(want);
		nlk_cache_close(fresh);
		if (!same)
			poll(&p, 1, 100);
	}
}

static bool
count_addr(void *arg, const struct nlk_addr *a)
{
	(void)a;
	++*(unsigned *)arg;
	return true;
}

static bool
stop_at_once(void *arg, const struct nlk_addr *a)
{
	(void)a;
	++*(unsigned *)arg;
	return false;
}

static unsigned
count_of(const struct nlk_cache *c, int ifindex)
{
	unsigned n = 0;

	nlk_cache_addrs(c, ifindex, count_addr, &n);
	return n;
}

/* Carry out operations of which each must succeed. */
static void
apply(struct nlk_addr_op *ops, unsigned n, enum nlk_addr_verb verb)
{
	struct nlk_batch *b;

	assert_int_equal(nlk_batch_open(&b), 0);
	for (unsigned i = 0; i < n; i++)
		ops[i].verb = (uint8_t)verb;
	assert_int_equal(nlk_addr_apply(b, ops, n), 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(ops[i].result, 0);
	nlk_batch_close(b);
}

/* ---- tests ---- */

static void
test_links_at_open(void **state)
{
	static const uint8_t mac[6] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};
	struct nlk_link link;
	struct nlk_cache *c;
	struct told told;

	(void)state;
	enter_netns();
	run("ip link set v0 address 02:11:22:33:44:55 mtu 1400");
	c = open_cache(&told);
	assert_true(nlk_cache_link(c, "v0", &link));
	assert_string_equal(link.name, "v0");
	assert_int_equal(link.ifindex, index_of("v0"));
	assert_int_equal(link.mtu, 1400);
	assert_memory_equal(link.mac, mac, 6);
	assert_true(link.up && link.carrier && !link.loopback);
	assert_true(nlk_cache_link(c, "lo", &link));
	assert_true(link.up && link.carrier && link.loopback); /* its operstate is "unknown" */
	assert_false(nlk_cache_link(c, "v2", &link));
	assert_int_equal(told.links[NLK_CHANGE_NEW], 0);
	nlk_cache_close(c);
	nlk_cache_close(NULL);
}

static void
test_link_changes(void **state)
{
	struct nlk_link link;
	struct nlk_cache *c;
	struct told told;
	int ifindex;

	(void)state;
	enter_netns();
	c = open_cache(&told);
	run("ip link add w0 type veth peer name w1");
	WAIT_UNTIL(c, told.links[NLK_CHANGE_NEW] >= 2);
	assert_true(nlk_cache_link(c, "w0", &link));
	assert_false(link.up || link.carrier);

	run("ip link set w0 up && ip link set w1 up");
	WAIT_UNTIL(c, nlk_cache_link(c, "w0", &link) && link.carrier);
	assert_true(link.up);

	run("ip link set w1 down"); /* the other end: w0 stays up and loses its carrier */
	WAIT_UNTIL(c, nlk_cache_link(c, "w0", &link) && !link.carrier);
	assert_true(link.up);

	run("ip link set w0 down && ip link set w0 name w9");
	ifindex = link.ifindex;
	WAIT_UNTIL(c, nlk_cache_link(c, "w9", &link));
	assert_int_equal(link.ifindex, ifindex);
	assert_false(nlk_cache_link(c, "w0", &link));
	assert_true(told.links[NLK_CHANGE_CHANGED] >= 4);

	assert_int_equal(told.links[NLK_CHANGE_GONE], 0);
	run("ip link del w9");
	WAIT_UNTIL(c, told.links[NLK_CHANGE_GONE] >= 2);
	assert_false(nlk_cache_link(c, "w9", &link));
	assert_int_equal(told.links[NLK_CHANGE_NEW], 2);
	assert_int_equal(told.resyncs, 0);
	nlk_cache_close(c);
}

/* What users do not see is no change: the queue length, for example. */
static void
test_link_change_that_does_not_show(void **state)
{
	struct nlk_link link;
	struct nlk_cache *c;
	struct told told;

	(void)state;
	enter_netns();
	run("ip link add w0 type veth peer name w1");
	c = open_cache(&told);
	run("ip link set w0 txqueuelen 77 && ip link set w0 mtu 1400 && ip link set w0 txqueuelen 78");
	run("ip link set w1 mtu 1401");
	WAIT_UNTIL(c, nlk_cache_link(c, "w1", &link) && link.mtu == 1401);
	assert_int_equal(told.link[NLK_CHANGE_CHANGED].ifindex, link.ifindex);
	assert_int_equal(told.links[NLK_CHANGE_CHANGED], 2);
	nlk_cache_close(c);
}

/* A port that joins and leaves a bridge is not a link that comes and goes, though the kernel sends RTM_DELLINK.
 */
static void
test_bridge_ports_stay_links(void **state)
{
	struct nlk_link link;
	struct nlk_cache *c;
	struct told told;

	(void)state;
	enter_netns();
	if (system("ip link add br0 type bridge 2>/dev/null") != 0) {
		print_message("skipped: no bridges in this kernel\n");
		skip();
	}
	c = open_cache(&told);
	run("ip link set v0 master br0 && ip link set v0 nomaster && ip link del br0");
	WAIT_UNTIL(c, told.links[NLK_CHANGE_GONE] >= 1);
	assert_string_equal(told.link[NLK_CHANGE_GONE].name, "br0");
	assert_int_equal(told.links[NLK_CHANGE_GONE], 1);
	assert_int_equal(told.links[NLK_CHANGE_NEW], 0);
	assert_true(nlk_cache_link(c, "v0", &link));
	assert_int_equal(link.ifindex, index_of("v0"));
	nlk_cache_close(c);
}

static void
test_address_changes(void **state)
{
	static const char *const addrs[] = {"192.0.2.1/24", "2001:db8::1/64"};
	struct nlk_cache *c;
	struct told told;

	(void)state;
	enter_netns();
	c = open_cache(&told);
	for (unsigned i = 0; i < 2; i++) {
		struct nlk_addr_op op = op_of(NLK_ADDR_ADD, index_of("v0"), addrs[i]);
		const struct nlk_addr *a = &told.addr[NLK_CHANGE_NEW];

		told = (struct told){0};
		op.valid_s = 100;
		apply(&op, 1, NLK_ADDR_ADD);
		WAIT_UNTIL(c, memcmp(a->addr, op.addr, 16) == 0); /* the link-local addresses come up, too */
		assert_int_equal(a->family, op.family);
		assert_int_equal(a->ifindex, op.ifindex);
		assert_int_equal(a->prefixlen, op.prefixlen);
		assert_int_equal(a->proto, 0);
		assert_false(a->tentative);

		op.proto = MARK;
		apply(&op, 1, NLK_ADDR_RENEW);
		WAIT_UNTIL(c, memcmp(told.addr[NLK_CHANGE_CHANGED].addr, op.addr, 16) == 0);
		assert_int_equal(told.addr[NLK_CHANGE_CHANGED].proto, MARK);

		apply(&op, 1, NLK_ADDR_DEL);
		WAIT_UNTIL(c, told.addrs[NLK_CHANGE_GONE] >= 1);
		assert_memory_equal(told.addr[NLK_CHANGE_GONE].addr, op.addr, 16);
		assert_int_equal(told.addr[NLK_CHANGE_GONE].proto, MARK);
	}
	nlk_cache_close(c);
}

static void
test_addresses_at_open(void **state)
{
	struct nlk_addr_op op;
	struct nlk_cache *c;
	struct told told;
	unsigned calls = 0;
	char *text;

	(void)state;
	enter_netns();
	/* No carrier, so that duplicate address detection cannot end and no link-local address is made. */
	run("ip link add w0 type veth peer name w1 && ip link set w0 up");
	run("ip addr add 2001:db8::5/64 dev w0");
	run("ip addr add 192.0.2.1 peer 192.0.2.2/32 dev w0 && ip addr add 192.0.2.1 peer 192.0.2.3/32 dev w0");
	op = op_of(NLK_ADDR_ADD, index_of("w0"), "2001:db8::6/64");
	op.proto = MARK;
	apply(&op, 1, NLK_ADDR_ADD);
	c = open_cache(&told);
	text = text_of(c, index_of("w0"));
	assert_non_null(strstr(text, " 192.0.2.1/32 proto 0\n"));
	assert_non_null(strstr(text, " 2001:db8::5/64 proto 0 tentative\n"));
	assert_non_null(strstr(text, " 2001:db8::6/64 proto 119\n"));
	assert_int_equal(count_of(c, index_of("w0")), 4); /* the same address to two peers is two */
	nlk_cache_addrs(c, 0, stop_at_once, &calls);
	assert_int_equal(calls, 1);
	free(text);
	nlk_cache_close(c);
}

static void
test_expired_address_is_gone(void **state)
{
	struct nlk_addr_op op;
	struct nlk_cache *c;
	struct told told;

	(void)state;
	enter_netns();
	op = op_of(NLK_ADDR_ADD, index_of("v0"), "192.0.2.1/32");
	op.valid_s = 1;
	apply(&op, 1, NLK_ADDR_ADD);
	c = open_cache(&told);
	WAIT_UNTIL(c, told.addrs[NLK_CHANGE_GONE] >= 1);
	assert_memory_equal(told.addr[NLK_CHANGE_GONE].addr, op.addr, 4);
	nlk_cache_close(c);
}

/* With its link, every address goes: none is left behind under an index that may be used again. */
static void
test_addresses_go_with_their_link(void **state)
{
	struct nlk_addr_op *ops;
	struct nlk_cache *c;
	struct told told;
	int ifindex;

	(void)state;
	enter_netns();
	ifindex = index_of("v0");
	ops = many_ops(NLK_ADDR_ADD, ifindex, 10);
	ops[9] = op_of(NLK_ADDR_ADD, ifindex, "2001:db8::1/64");
	c = open_cache(&told);
	apply(ops, 10, NLK_ADDR_ADD);
	wait_like_new(c);
	run("ip link del v0");
	WAIT_UNTIL(c, told.links[NLK_CHANGE_GONE] >= 2);
	assert_int_equal(count_of(c, ifindex), 0);
	assert_in_range(told.addrs[NLK_CHANGE_GONE], 10, 14);
	wait_like_new(c);
	free(ops);
	nlk_cache_close(c);
}

/* CPU time of one round, which other processes on the machine do not stretch. */
static void
take_in(struct nlk_cache *c, const char *what)
{
	double start_ms = clock_ms(CLOCK_THREAD_CPUTIME_ID), ms;

	assert_int_equal(nlk_cache_process(c), 0);
	ms = clock_ms(CLOCK_THREAD_CPUTIME_ID) - start_ms;
	print_message("%d addresses %s: taken in within %.1f ms\n", MANY, what, ms);
	assert_true(ms < 400);
}

static void
test_thousands(void **state)
{
	struct nlk_addr_op *ops, *backwards;
	struct nlk_cache *c;
	struct told told;

	(void)state;
	enter_netns();
	ops = many_ops(NLK_ADDR_ADD, index_of("v0"), MANY);
	backwards = calloc(MANY, sizeof(*backwards));
	assert_non_null(backwards);
	for (unsigned i = 0; i < MANY; i++)
		backwards[i] = ops[MANY - 1 - i];
	c = open_cache(&told);
	apply(ops, MANY, NLK_ADDR_ADD);
	take_in(c, "added");
	assert_in_range(told.addrs[NLK_CHANGE_NEW], MANY, MANY + 2); /* and the link-local ones */
	wait_like_new(c);

	/* Renewals are nobody's business. */
	apply(backwards, MANY, NLK_ADDR_RENEW);
	take_in(c, "renewed");
	assert_in_range(told.addrs[NLK_CHANGE_NEW], MANY, MANY + 2);
	assert_in_range(told.addrs[NLK_CHANGE_CHANGED], 0, 2);

	apply(backwards, MANY, NLK_ADDR_DEL);
	take_in(c, "removed");
	assert_int_equal(told.addrs[NLK_CHANGE_GONE], MANY);
	assert_int_equal(count_of(c, index_of("v0")) <= 1, 1);
	assert_int_equal(told.resyncs, 0);
	free(ops);
	free(backwards);
	nlk_cache_close(c);
}

static void
test_lost_events_are_made_up_for(void **state)
{
	static const int small = 4096, large = 1 << 20;
	struct nlk_addr_op *ops;
	struct nlk_cache *c;
	struct nlk_link link;
	struct told told;

	(void)state;
	enter_netns();
	ops = many_ops(NLK_ADDR_ADD, index_of("v0"), 501);
	c = open_cache(&told);
	assert_int_equal(setsockopt(nlk_cache_fd(c), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	apply(ops, 500, NLK_ADDR_ADD);
	run("ip link add w0 type veth peer name w1");
	WAIT_UNTIL(c, told.resyncs >= 1);
	assert_int_equal(told.resyncs, 1);
	assert_true(told.addrs[NLK_CHANGE_NEW] < 500);
	assert_in_range(count_of(c, index_of("v0")), 500, 501);
	assert_true(nlk_cache_link(c, "w0", &link));

	/* From then on nothing is lost any more, not even when it happens right behind the resync. */
	apply(&ops[500], 1, NLK_ADDR_ADD);
	wait_like_new(c);
	assert_int_equal(told.resyncs, 1);

	/* Removed behind its back, found out by the next resync. */
	apply(ops, 400, NLK_ADDR_DEL);
	run("ip link del w0");
	WAIT_UNTIL(c, told.resyncs >= 2);
	assert_in_range(count_of(c, index_of("v0")), 101, 102);
	assert_false(nlk_cache_link(c, "w0", &link));
	wait_like_new(c);

	/* The stream goes on behind it. */
	assert_int_equal(setsockopt(nlk_cache_fd(c), SOL_SOCKET, SO_RCVBUF, &large, sizeof(large)), 0);
	told = (struct told){0};
	apply(&ops[500], 1, NLK_ADDR_DEL);
	WAIT_UNTIL(c, told.addrs[NLK_CHANGE_GONE] >= 1);
	assert_int_equal(told.resyncs, 0);
	free(ops);
	nlk_cache_close(c);
}

static void
test_resync_when_asked(void **state)
{
	struct nlk_addr_op op;
	struct nlk_cache *c;
	struct told told;

	(void)state;
	enter_netns();
	op = op_of(NLK_ADDR_ADD, index_of("v0"), "192.0.2.1/32");
	c = open_cache(&told);
	apply(&op, 1, NLK_ADDR_ADD);
	assert_int_equal(nlk_cache_resync(c), 0);
	assert_int_equal(told.resyncs, 1);
	wait_like_new(c);

	/* The event is still in the queue and now tells nothing new. */
	assert_int_equal(nlk_cache_process(c), 0);
	for (unsigned i = 0; i < told.addrs[NLK_CHANGE_NEW]; i++)
		assert_memory_not_equal(told.addr[NLK_CHANGE_NEW].addr, op.addr, 16);
	nlk_cache_close(c);
}

/* Add and remove the addresses many times, in a child. Returns when it is at it. */
static pid_t
keep_changing(struct nlk_addr_op *ops, unsigned n)
{
	int ready[2];
	struct nlk_batch *b;
	pid_t pid;
	char octet;
	int err;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		close(ready[1]);
		assert_int_equal(read(ready[0], &octet, 1), 1);
		close(ready[0]);
		return pid;
	}
	err = nlk_batch_open(&b);
	for (unsigned round = 0; round < 20 && err == 0; round++) {
		for (unsigned i = 0; i < n; i++)
			ops[i].verb = round % 2 == 0 ? NLK_ADDR_ADD : NLK_ADDR_DEL;
		err = nlk_addr_apply(b, ops, n);
		if (round == 0 && write(ready[1], "", 1) != 1)
			err = -EIO;
	}
	_exit(err == 0 ? 0 : 1);
}

/*
 * A dump that changes overtake is incomplete: it continues by position, and what is removed in front moves the
 * rest. IPv6 has new addresses in front of old ones, so those that come and go here endanger those that stay.
 * Nothing may stay lost when it is quiet again.
 */
static void
test_resync_while_addresses_change(void **state)
{
	enum { STAY = 1000, CHANGE = 500 };
	struct nlk_addr_op ops[STAY + CHANGE];
	struct nlk_cache *c;
	struct told told;

	(void)state;
	enter_netns();
	for (unsigned i = 0; i < STAY + CHANGE; i++) {
		char text[64];

		snprintf(text, sizeof(text), "2001:db8::%x/128", i + 1);
		ops[i] = op_of(NLK_ADDR_ADD, index_of("lo"), text);
	}
	apply(ops, STAY, NLK_ADDR_ADD);
	c = open_cache(&told);
	for (unsigned round = 1; round <= 5; round++) {
		pid_t pid = keep_changing(ops + STAY, CHANGE);
		int status;

		assert_int_equal(nlk_cache_resync(c), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		wait_like_new(c);
		assert_int_equal(count_of(c, index_of("lo")), STAY + 2);
	}
	print_message("5 resyncs were asked for, and %u more needed\n", told.resyncs - 5);
	nlk_cache_close(c);
}

/*
 * Adds and removals at random, in few subnets so that there are secondaries, with and without their promotion:
 * what was learned from events has the order of a dump.
 */
static void
test_order_is_the_kernels(void **state)
{
	enum { POOL = 40, STEPS = 400 };
	unsigned seed = (unsigned)time(NULL);
	struct nlk_batch *b;
	struct nlk_cache *c;
	struct told told;

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	enter_netns();
	assert_int_equal(nlk_batch_open(&b), 0);
	c = open_cache(&told);
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned n = (unsigned)random() % POOL;
		const char *ifname = n % 4 == 0 ? "lo" : "v0";
		struct nlk_addr_op op;
		char text[64];

		if (n < POOL / 4)
			snprintf(text, sizeof(text), n % 3 == 0 ? "fe80::%u/64" : "2001:db8::%u/64", n + 10);
		else
			snprintf(text, sizeof(text), "192.0.%u.%u/%u", n % 3, n + 1, n % 5 == 0 ? 32 : 24);
		op = op_of(random() % 3 == 0 ? NLK_ADDR_DEL : NLK_ADDR_ADD, index_of(ifname), text);
		assert_int_equal(nlk_addr_apply(b, &op, 1), 0);
		assert_int_equal(nlk_cache_process(c), 0);
		if (i == STEPS / 2)
			assert_int_equal(nlk_link_promote_secondaries("v0"), 0);
		if (i % 10 == 0)
			wait_like_new(c);
	}
	assert_int_equal(told.resyncs, 0);
	assert_true(told.addrs[NLK_CHANGE_GONE] > 0);
	nlk_cache_close(c);
	nlk_batch_close(b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links_at_open),
		cmocka_unit_test(test_link_changes),
		cmocka_unit_test(test_link_change_that_does_not_show),
		cmocka_unit_test(test_bridge_ports_stay_links),
		cmocka_unit_test(test_address_changes),
		cmocka_unit_test(test_addresses_at_open),
		cmocka_unit_test(test_expired_address_is_gone),
		cmocka_unit_test(test_addresses_go_with_their_link),
		cmocka_unit_test(test_thousands),
		cmocka_unit_test(test_lost_events_are_made_up_for),
		cmocka_unit_test(test_resync_when_asked),
		cmocka_unit_test(test_resync_while_addresses_change),
		cmocka_unit_test(test_order_is_the_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
