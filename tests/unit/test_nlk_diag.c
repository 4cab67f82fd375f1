/*
 * test_nlk_diag.c - connections of an address are found and reset, and no others.
 *
 * Needs root: every test has two network namespaces of its own, joined by a veth pair. The code under test and
 * the servers are in one, the clients in the other. Judged by what clients and servers see on their sockets.
 */
#include "unit/nlk_conns.h"

#define FEW	  10
#define HUNDRED	  100
#define THOUSANDS 5000	/* more than a chunk of nlk_diag.c: destroyed in the middle of a dump, too */
#define SET_MAX	  16384 /* addresses in the largest set */

/* What the next receive calls of the code under test meet; all zero: the kernel as it is. */
static struct {
	unsigned calls;	  /* so far */
	unsigned fail_at; /* this call, counted from 1, is told that nothing came in time */
	int answer;	  /* every answer to a request becomes this errno */
	int dump;	  /* every end of a dump becomes this errno instead */
} fault;

/* Takes the place of libc's for the code under test; the tests themselves use read(). */
ssize_t
recv(int fd, void *buf, size_t size, int flags)
{
	struct nlmsghdr *nlh = buf;
	ssize_t len;
	int rest;

	if (++fault.calls == fault.fail_at) {
		errno = EAGAIN;
		return -1;
	}
	len = recvfrom(fd, buf, size, flags, NULL, NULL);
	rest = (int)len;
	for (; mnl_nlmsg_ok(nlh, rest); nlh = mnl_nlmsg_next(nlh, &rest)) {
		if (fault.answer != 0 && nlh->nlmsg_type == NLMSG_ERROR)
			*(int *)mnl_nlmsg_get_payload(nlh) = -fault.answer;
		if (fault.dump != 0 && nlh->nlmsg_type == NLMSG_DONE) {
			nlh->nlmsg_type = NLMSG_ERROR;
			*(int *)mnl_nlmsg_get_payload(nlh) = -fault.dump;
		}
	}
	return len;
}

static void
check_family(const char *vip, const char *other)
{
	struct world w = start();
	int at_vip = listen_on(vip), at_other = listen_on(other);
	struct conns mine = make_conns(&w, w.clients, at_vip, vip, NULL, HUNDRED);
	struct conns theirs = make_conns(&w, w.clients, at_other, other, NULL, HUNDRED);
	double begin = clock_ms(CLOCK_MONOTONIC);

	assert_int_equal(reset(&w, vip), HUNDRED);
	print_message("%u connections to %s reset in %.2f ms\n", HUNDRED, vip,
		      clock_ms(CLOCK_MONOTONIC) - begin);
	assert_reset(&mine);
	assert_alive(&theirs);
	assert_int_equal(reset(&w, vip), 0);
	assert_still_accepts(&w, at_vip, vip);
	close(at_vip);
	close(at_other);
	close_conns(&mine);
	close_conns(&theirs);
	stop(&w);
}

static void
test_ip4(void **state)
{
	(void)state;
	check_family(VIP4, OTHER4);
}

static void
test_ip6(void **state)
{
	(void)state;
	check_family(VIP6, OTHER6);
}

/* IPv4 clients of a listener on "::" are AF_INET6 sockets; its IPv6 clients are nobody's business here. */
static void
test_mapped(void **state)
{
	struct world w = start();
	int listener = listen_on("::");
	struct conns mine = make_conns(&w, w.clients, listener, VIP4, NULL, HUNDRED);
	struct conns other4 = make_conns(&w, w.clients, listener, OTHER4, NULL, FEW);
	struct conns other6 = make_conns(&w, w.clients, listener, VIP6, NULL, FEW);

	(void)state;
	assert_int_equal(reset(&w, VIP4), HUNDRED);
	assert_reset(&mine);
	assert_alive(&other4);
	assert_alive(&other6);
	assert_still_accepts(&w, listener, VIP4);
	close(listener);
	close_conns(&mine);
	close_conns(&other4);
	close_conns(&other6);
	stop(&w);
}

/* All three kinds of sockets in one call, by a set as large as can be, in no order and with doubles. */
static void
test_large_set(void **state)
{
	struct world w = start();
	struct nlk_diag_addr *set = calloc(SET_MAX, sizeof(*set));
	int four = listen_on(VIP4), six = listen_on(VIP6), dual = listen_on("::ffff:" OTHER4);
	struct conns c4 = make_conns(&w, w.clients, four, VIP4, NULL, FEW);
	struct conns c6 = make_conns(&w, w.clients, six, VIP6, NULL, FEW);
	struct conns mapped = make_conns(&w, w.clients, dual, OTHER4, NULL, FEW);
	unsigned count;
	double begin;

	(void)state;
	assert_non_null(set);
	for (unsigned i = 0; i < SET_MAX; i++) {
		set[i] = addr_of("172.16.0.0");
		set[i].addr[2] = (uint8_t)(i * 77 % 251);
		set[i].addr[3] = (uint8_t)i;
	}
	set[5000] = addr_of(VIP4);
	set[9000] = addr_of(VIP4);
	set[100] = addr_of(VIP6);
	set[SET_MAX - 1] = addr_of(OTHER4);
	begin = clock_ms(CLOCK_MONOTONIC);
	assert_int_equal(nlk_diag_reset(w.d, set, SET_MAX, &count), 0);
	print_message("a set of %u addresses, %u connections: %.2f ms\n", SET_MAX, count,
		      clock_ms(CLOCK_MONOTONIC) - begin);
	assert_int_equal(count, 3 * FEW);
	assert_reset(&c4);
	assert_reset(&c6);
	assert_reset(&mapped);
	free(set);
	close(four);
	close(six);
	close(dual);
	close_conns(&c4);
	close_conns(&c6);
	close_conns(&mapped);
	stop(&w);
}

static void
check_thousands(const char *what)
{
	struct world w = start();
	int listener = listen_on("::");
	struct conns theirs = make_conns(&w, w.clients, listener, OTHER4, NULL, FEW);
	struct conns mine = make_conns(&w, w.clients, listener, VIP4, NULL, THOUSANDS);
	double begin = clock_ms(CLOCK_MONOTONIC);

	assert_int_equal(reset(&w, VIP4), THOUSANDS);
	print_message("%u connections%s reset in %.2f ms\n", THOUSANDS, what,
		      clock_ms(CLOCK_MONOTONIC) - begin);
	assert_reset(&mine);
	assert_alive(&theirs);
	assert_still_accepts(&w, listener, VIP4);
	close(listener);
	close_conns(&mine);
	close_conns(&theirs);
	stop(&w);
}

static void
test_thousands(void **state)
{
	(void)state;
	check_thousands("");
}

/*
 * With all sockets in one bucket of the kernel's table, a dump that goes on after some of them are
 * destroyed passes over others. A namespace has such a table when its maker says so (Linux 6.1 and later).
 */
static void
test_thousands_in_a_small_table(void **state)
{
	(void)state;
	enter_netns();
	run("sysctl -q -e -w net.ipv4.tcp_child_ehash_entries=1");
	check_thousands(" in a small table");
}

/*
 * A client on this host: it talks from the address itself when it has no choice of its own, and then each end
 * is a connection of the address. Whichever is destroyed first resets the other.
 */
static void
test_both_ends_here(void **state)
{
	struct world w = start();
	int listener = listen_on(VIP4);
	struct conns both = make_conns(&w, w.servers, listener, VIP4, NULL, HUNDRED);
	unsigned count = reset(&w, VIP4);

	(void)state;
	assert_in_range(count, HUNDRED, 2 * HUNDRED);
	for (unsigned i = 0; i < HUNDRED; i++) {
		int c = error_of(both.client[i]), s = error_of(both.server[i]);

		assert_true(c == ECONNRESET || c == ECONNABORTED);
		assert_true(s == ECONNRESET || s == ECONNABORTED);
	}
	close_conns(&both);

	both = make_conns(&w, w.servers, listener, VIP4, OTHER4, HUNDRED);
	assert_int_equal(reset(&w, VIP4), HUNDRED);
	assert_reset(&both);
	close_conns(&both);
	close(listener);
	stop(&w);
}

/* Connections that this host has made itself, from the address. */
static void
test_outgoing(void **state)
{
	struct world w = start();
	struct conns c;
	int listener;

	(void)state;
	go(w.clients);
	listener = listen_on(CLIENT4);
	c = make_conns(&w, w.servers, listener, CLIENT4, VIP4, FEW);
	assert_int_equal(reset(&w, VIP4), FEW);
	for (unsigned i = 0; i < FEW; i++) {
		assert_int_equal(error_of(c.client[i]), ECONNABORTED);
		assert_int_equal(error_of(c.server[i]), ECONNRESET);
	}
	close(listener);
	close_conns(&c);
	stop(&w);
}

/* Connections that nobody has accepted yet are connections; the client believes in them. */
static void
test_not_accepted(void **state)
{
	struct world w = start();
	int listener = listen_on(VIP4), clients[FEW];

	(void)state;
	go(w.clients);
	for (unsigned i = 0; i < FEW; i++)
		clients[i] = connect_to(VIP4, NULL);
	go(w.servers);
	assert_int_equal(reset(&w, VIP4), FEW);
	for (unsigned i = 0; i < FEW; i++) {
		assert_int_equal(error_of(clients[i]), ECONNRESET);
		close(clients[i]);
	}
	close(listener);
	stop(&w);
}

/* TCP_DEFER_ACCEPT keeps a connection half-open here while the client's is whole. Its next octet meets RST. */
static void
test_half_open(void **state)
{
	struct world w = start();
	int listener = listen_on(VIP4), seconds = 30, client;

	(void)state;
	assert_int_equal(setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)), 0);
	go(w.clients);
	client = connect_to(VIP4, NULL);
	go(w.servers);
	assert_int_equal(reset(&w, VIP4), 1);
	assert_int_equal(write(client, "x", 1), 1);
	assert_int_equal(error_of(client), ECONNRESET);
	close(client);
	close(listener);
	stop(&w);
}

static void
wait_state(int fd, int state)
{
	double deadline = clock_ms(CLOCK_MONOTONIC) + WAIT_MS;
	struct tcp_info info;
	socklen_t len = sizeof(info);

	for (;;) {
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
		if (info.tcpi_state == state)
			return;
		if (clock_ms(CLOCK_MONOTONIC) > deadline)
			fail_msg("state %d instead of %d", info.tcpi_state, state);
		poll(NULL, 0, 1);
	}
}

/* One side has said its last word: CLOSE_WAIT here in the first, FIN_WAIT2 in the second. */
static void
test_half_closed(void **state)
{
	struct world w = start();
	int listener = listen_on(VIP4);
	struct conns c = make_conns(&w, w.clients, listener, VIP4, NULL, 2);
	struct pollfd down = {.fd = c.client[1]}; /* waits for POLLERR and POLLHUP only */

	(void)state;
	assert_int_equal(shutdown(c.client[0], SHUT_WR), 0);
	assert_int_equal(error_of(c.server[0]), 0);
	assert_int_equal(shutdown(c.server[1], SHUT_WR), 0);
	wait_state(c.server[1], TCP_FIN_WAIT2);
	assert_int_equal(error_of(c.client[1]), 0);
	assert_int_equal(reset(&w, VIP4), 2);
	assert_int_equal(error_of(c.client[0]), ECONNRESET);
	assert_int_equal(poll(&down, 1, WAIT_MS), 1);
	assert_int_equal(send(c.client[1], "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE); /* as Linux reports RST after the end of the stream */
	close_conns(&c);
	close(listener);
	stop(&w);
}

/* What is over stays: TIME_WAIT, and FIN_WAIT2 once its owner has gone and only its timer runs. */
static void
test_over_is_left_alone(void **state)
{
	struct world w = start();
	int listener = listen_on(VIP4);
	struct conns c = make_conns(&w, w.clients, listener, VIP4, NULL, FEW);

	(void)state;
	for (unsigned i = 0; i < FEW; i++) {
		assert_int_equal(shutdown(c.server[i], SHUT_WR), 0);
		wait_state(c.server[i], TCP_FIN_WAIT2);
		close(c.server[i]);
		c.server[i] = -1;
		assert_int_equal(error_of(c.client[i]), 0);
	}
	assert_int_equal(reset(&w, VIP4), 0);
	for (unsigned i = 0; i < FEW; i++)
		assert_int_equal(shutdown(c.client[i], SHUT_WR), 0);
	assert_int_equal(reset(&w, VIP4), 0);
	close_conns(&c);
	close(listener);
	stop(&w);
}

/* The same link-local address may be on several links. */
static void
test_link_local(void **state)
{
	struct world w = start();
	int listener = listen_on("::");
	struct conns c = make_conns(&w, w.clients, listener, LOCAL6, NULL, FEW);
	struct nlk_diag_addr a = addr_of(LOCAL6);
	unsigned count;

	(void)state;
	a.ifindex = index_of("lo");
	assert_int_equal(nlk_diag_reset(w.d, &a, 1, &count), 0);
	assert_int_equal(count, 0);
	assert_alive(&c);
	a.ifindex = index_of("v0");
	assert_int_equal(nlk_diag_reset(w.d, &a, 1, &count), 0);
	assert_int_equal(count, FEW);
	assert_reset(&c);
	close_conns(&c);

	c = make_conns(&w, w.clients, listener, LOCAL6, NULL, FEW);
	assert_int_equal(reset(&w, LOCAL6), FEW);
	close_conns(&c);

	/* for all other addresses the link has no meaning */
	c = make_conns(&w, w.clients, listener, VIP6, NULL, FEW);
	a = addr_of(VIP6);
	a.ifindex = index_of("lo");
	assert_int_equal(nlk_diag_reset(w.d, &a, 1, &count), 0);
	assert_int_equal(count, FEW);
	close_conns(&c);
	close(listener);
	stop(&w);
}

static void
test_nothing_to_do(void **state)
{
	struct world w = start();
	unsigned count = 77;

	(void)state;
	assert_int_equal(nlk_diag_reset(w.d, NULL, 0, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(reset(&w, VIP4), 0);
	assert_int_equal(reset(&w, VIP6), 0);
	stop(&w);
	nlk_diag_close(NULL);
}

static void
test_no_rights(void **state)
{
	struct world w = start();
	int listener = listen_on(VIP4), err;
	struct conns c = make_conns(&w, w.clients, listener, VIP4, NULL, FEW);
	struct nlk_diag_addr a = addr_of(VIP4);
	unsigned count;

	(void)state;
	assert_int_equal(seteuid(65534), 0);
	err = nlk_diag_reset(w.d, &a, 1, &count);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(err, -EPERM);
	assert_int_equal(count, 0);
	assert_alive(&c);
	close_conns(&c);
	close(listener);
	stop(&w);
}

/* As a kernel without CONFIG_INET_DIAG_DESTROY answers. */
static void
test_kernel_cannot(void **state)
{
	struct world w = start();
	int listener = listen_on(VIP4);
	struct conns c = make_conns(&w, w.clients, listener, VIP4, NULL, FEW);
	struct nlk_diag_addr a = addr_of(VIP4);
	struct nlk_diag *none = NULL;
	int open_err, err;
	unsigned count;

	(void)state;
	fault.answer = EOPNOTSUPP;
	open_err = nlk_diag_open(&none);
	err = nlk_diag_reset(w.d, &a, 1, &count);
	fault.answer = 0;
	assert_int_equal(open_err, -EOPNOTSUPP);
	assert_null(none);
	assert_int_equal(err, -EOPNOTSUPP);
	assert_int_equal(count, 0);

	fault.dump = ENOENT; /* nobody answers for TCP: no tcp_diag */
	open_err = nlk_diag_open(&none);
	fault.dump = 0;
	assert_int_equal(open_err, -EOPNOTSUPP);
	close_conns(&c);
	close(listener);
	stop(&w);
}

/* Whichever answer fails to come: the call says so, and the next one finds what is left. */
static void
test_any_answer_missing(void **state)
{
	struct world w = start();
	int listener = listen_on("::");
	/* enough for a dump to be cut short in its middle */
	struct conns theirs = make_conns(&w, w.clients, listener, OTHER4, NULL, 600);
	struct nlk_diag_addr a = addr_of(VIP4);
	unsigned failed = 0, at = 0;
	bool met;

	(void)state;
	do {
		struct conns mine = make_conns(&w, w.clients, listener, VIP4, NULL, FEW), fresh;
		unsigned count;
		int err;

		fault.calls = 0;
		fault.fail_at = ++at;
		err = nlk_diag_reset(w.d, &a, 1, &count);
		met = fault.calls >= at;
		fault.fail_at = 0;
		assert_true(err == 0 || err == -ETIMEDOUT);
		failed += err != 0;
		if (err == 0)
			assert_int_equal(count, FEW);
		fresh = make_conns(&w, w.clients, listener, VIP4, NULL, 1);
		assert_int_equal(nlk_diag_reset(w.d, &a, 1, &count), 0);
		assert_true(count == 1 || count == 1 + FEW); /* no answers of the first call among them */
		assert_reset(&mine);
		assert_reset(&fresh);
		close_conns(&mine);
		close_conns(&fresh);
	} while (met);
	assert_true(failed > 4);
	assert_alive(&theirs);
	close_conns(&theirs);
	close(listener);
	stop(&w);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ip4),
		cmocka_unit_test(test_ip6),
		cmocka_unit_test(test_mapped),
		cmocka_unit_test(test_large_set),
		cmocka_unit_test(test_thousands),
		cmocka_unit_test(test_thousands_in_a_small_table),
		cmocka_unit_test(test_both_ends_here),
		cmocka_unit_test(test_outgoing),
		cmocka_unit_test(test_not_accepted),
		cmocka_unit_test(test_half_open),
		cmocka_unit_test(test_half_closed),
		cmocka_unit_test(test_over_is_left_alone),
		cmocka_unit_test(test_link_local),
		cmocka_unit_test(test_nothing_to_do),
		cmocka_unit_test(test_no_rights),
		cmocka_unit_test(test_kernel_cannot),
		cmocka_unit_test(test_any_answer_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
