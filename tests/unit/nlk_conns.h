/*
 * nlk_conns.h - TCP connections between two network namespaces, for the tests of nlk_diag.c.
 *
 * The code under test and the servers are in one namespace, the clients in the other; a veth pair joins them.
 * Only the system calls of this thread are bound to a namespace, a socket stays where it was made: so one
 * process holds both ends.
 */
#ifndef TESTS_UNIT_NLK_CONNS_H
#define TESTS_UNIT_NLK_CONNS_H

#include "unit/nlk_netns.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define VIP4	"10.9.0.7"
#define OTHER4	"10.9.0.1"
#define CLIENT4 "10.9.0.2"
#define VIP6	"fd09::7"
#define OTHER6	"fd09::1"
#define LOCAL6	"fe80::7"
#define PORT	7777

#define FILES 12000 /* descriptors that a test may need */

struct world {
	struct nlk_diag *d;
	int servers; /* the namespaces */
	int clients;
};

/* Connections to one address: the two ends of each. */
struct conns {
	unsigned n;
	int *client;
	int *server;
};

static inline int
this_netns(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static inline void
go(int ns)
{
	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

/* Two sockets for each connection of the largest test. */
static inline void
allow_files(void)
{
	struct rlimit files;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	if (files.rlim_cur >= FILES)
		return;
	files.rlim_cur = FILES;
	if (files.rlim_max < FILES)
		files.rlim_max = FILES;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
}

static inline struct world
start(void)
{
	struct world w;

	allow_files();
	enter_netns();
	w.servers = this_netns();
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	w.clients = this_netns();
	go(w.servers);
	run("ip link set v1 netns /proc/%d/fd/%d", (int)getpid(), w.clients);
	run("ip address add " OTHER4 "/24 dev v0 && ip address add " VIP4 "/32 dev v0");
	run("ip address add " OTHER6 "/64 dev v0 nodad && ip address add " VIP6 "/128 dev v0 nodad && "
	    "ip address add " LOCAL6 "/64 dev v0 nodad");
	go(w.clients);
	run("ip link set lo up && ip link set v1 up && ip address add " CLIENT4 "/24 dev v1 && "
	    "ip address add fd09::2/64 dev v1 nodad && ip address add fe80::2/64 dev v1 nodad");
	go(w.servers);
	assert_int_equal(nlk_diag_open(&w.d), 0);
	return w;
}

static inline void
stop(struct world *w)
{
	nlk_diag_close(w->d);
	close(w->servers);
	close(w->clients);
}

/* The socket address for text and port; link-local ones mean the link ifname of this namespace. */
static inline struct sockaddr_storage
sockaddr_of(const char *text, uint16_t port, const char *ifname)
{
	struct sockaddr_storage s = {.ss_family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&s;
	struct sockaddr_in *in = (struct sockaddr_in *)&s;

	if (s.ss_family == AF_INET) {
		in->sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, text, &in->sin_addr), 1);
		return s;
	}
	in6->sin6_port = htons(port);
	assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
	if (IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr))
		in6->sin6_scope_id = if_nametoindex(ifname);
	return s;
}

/* A listening socket in this namespace; "::" takes IPv4, too. */
static inline int
listen_on(const char *text)
{
	struct sockaddr_storage s = sockaddr_of(text, PORT, "v0");
	int fd = socket(s.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, off = 0;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	if (s.ss_family == AF_INET6)
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&s, sizeof(s)), 0);
	assert_int_equal(listen(fd, 128), 0);
	return fd;
}

/* Connect from this namespace, from any source address or the given one. Waits for the link to be ready. */
static inline int
connect_to(const char *text, const char *from)
{
	struct sockaddr_storage to = sockaddr_of(text, PORT, "v1");
	double deadline = clock_ms(CLOCK_MONOTONIC) + WAIT_MS;
	struct sockaddr_storage source;

	for (;;) {
		int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

		assert_true(fd >= 0);
		if (from != NULL) {
			source = sockaddr_of(from, 0, "v1");
			assert_int_equal(bind(fd, (struct sockaddr *)&source, sizeof(source)), 0);
		}
		if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
			return fd;
		if (clock_ms(CLOCK_MONOTONIC) > deadline)
			fail_msg("connect to %s: %s", text, strerror(errno));
		close(fd);
		poll(NULL, 0, 10);
	}
}

/* n connections to the listening socket by way of the address, from namespace ns; both ends in hand. */
static inline struct conns
make_conns(const struct world *w, int ns, int listener, const char *text, const char *from, unsigned n)
{
	struct conns c = {.n = n, .client = calloc(n, sizeof(int)), .server = calloc(n, sizeof(int))};

	assert_non_null(c.client);
	assert_non_null(c.server);
	go(ns);
	for (unsigned i = 0; i < n; i++) {
		c.client[i] = connect_to(text, from);
		c.server[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		assert_true(c.server[i] >= 0);
	}
	go(w->servers);
	return c;
}

static inline void
close_conns(struct conns *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		close(c->client[i]);
		close(c->server[i]);
	}
	free(c->client);
	free(c->server);
}

/* What reading gives: the error, or 0 for data or the end of the stream; ETIMEDOUT when nothing comes. */
static inline int
error_of(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char octet;

	if (poll(&p, 1, WAIT_MS) != 1)
		return ETIMEDOUT;
	return read(fd, &octet, 1) < 0 ? errno : 0;
}

static inline void
assert_reset(const struct conns *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		assert_int_equal(error_of(c->client[i]), ECONNRESET);
		assert_int_equal(error_of(c->server[i]), ECONNABORTED);
	}
}

static inline void
assert_alive(const struct conns *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		assert_int_equal(write(c->client[i], "x", 1), 1);
		assert_int_equal(error_of(c->server[i]), 0);
		assert_int_equal(write(c->server[i], "y", 1), 1);
		assert_int_equal(error_of(c->client[i]), 0);
	}
}

static inline struct nlk_diag_addr
addr_of(const char *text)
{
	struct nlk_diag_addr a = {.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};

	assert_int_equal(inet_pton(a.family, text, a.addr), 1);
	return a;
}

/* Reset the connections of one address. Returns how many it were; fails the test on an error. */
static inline unsigned
reset(const struct world *w, const char *text)
{
	struct nlk_diag_addr a = addr_of(text);
	unsigned count = 77;

	assert_int_equal(nlk_diag_reset(w->d, &a, 1, &count), 0);
	return count;
}

/* A connection made now works: the listening socket is as it was. */
static inline void
assert_still_accepts(const struct world *w, int listener, const char *text)
{
	struct conns c = make_conns(w, w->clients, listener, text, NULL, 1);

	assert_alive(&c);
	close_conns(&c);
}

#endif
