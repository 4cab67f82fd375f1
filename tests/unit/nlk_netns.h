/*
 * nlk_netns.h - a network namespace of its own for each test of netlink/, and a look into the kernel beside the
 * code under test.
 *
 * Included by the tests that need root; without it they are skipped. Nothing of the machine's own network is
 * touched: the namespace goes away with the process, or when the next test makes another.
 */
#ifndef TESTS_UNIT_NLK_NETNS_H
#define TESTS_UNIT_NLK_NETNS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "netlink/nlk.h"
#include "netlink/nlk_int.h"

#define WAIT_MS 5000 /* longest wait for a condition */

#define run(...)                                                                                               \
	do {                                                                                                   \
		char cmd_[512];                                                                                \
		snprintf(cmd_, sizeof(cmd_), __VA_ARGS__);                                                     \
		if (system(cmd_) != 0)                                                                         \
			fail_msg("failed: %s", cmd_);                                                          \
	} while (0)

/* A fresh namespace with lo up and a veth pair v0, v1, both up. Skips the test without root. */
static inline void
enter_netns(void)
{
	if (unshare(CLONE_NEWNET) < 0) {
		print_message("skipped, needs root: unshare: %s\n", strerror(errno));
		skip();
	}
	run("ip link set lo up && ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 "
	    "up");
}

static inline int
index_of(const char *ifname)
{
	unsigned i = if_nametoindex(ifname);

	assert_int_not_equal(i, 0);
	return (int)i;
}

static inline double
clock_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* An operation from text such as "192.0.2.1/32". Without a lifetime; unmarked. */
static inline struct nlk_addr_op
op_of(enum nlk_addr_verb verb, int ifindex, const char *text)
{
	struct nlk_addr_op op = {
		.verb = (uint8_t)verb, .ifindex = ifindex, .valid_s = NLK_FOREVER, .result = -1};
	const char *slash = strchr(text, '/');
	char addr[64] = {0};

	op.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	memcpy(addr, text, (size_t)(slash - text));
	op.prefixlen = (uint8_t)atoi(slash + 1);
	assert_int_equal(inet_pton(op.family, addr, op.addr), 1);
	return op;
}

/* The i-th of many different addresses, all /32. */
static inline struct nlk_addr_op
nth_op(enum nlk_addr_verb verb, int ifindex, unsigned i)
{
	char text[32];

	snprintf(text, sizeof(text), "10.%u.%u.1/32", i / 250 + 1, i % 250);
	return op_of(verb, ifindex, text);
}

static inline struct nlk_addr_op *
many_ops(enum nlk_addr_verb verb, int ifindex, unsigned n)
{
	struct nlk_addr_op *ops = calloc(n, sizeof(*ops));

	assert_non_null(ops);
	for (unsigned i = 0; i < n; i++)
		ops[i] = nth_op(verb, ifindex, i);
	return ops;
}

/* What the kernel says of an address. */
struct seen {
	bool found;
	uint32_t flags;
	uint8_t proto;
	uint8_t scope;
	uint32_t valid_s;
	uint32_t preferred_s;
};

typedef void see_fn(void *arg, const struct ifaddrmsg *ifa, const uint8_t *addr, const struct seen *seen);

struct see {
	see_fn *fn;
	void *arg;
};

static inline int
see_message(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const uint8_t *local = NULL, *address = NULL;
	struct seen s = {.found = true, .flags = ifa->ifa_flags, .scope = ifa->ifa_scope};
	const struct see *see = arg;
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, sizeof(*ifa))
	{
		const struct ifa_cacheinfo *life = mnl_attr_get_payload(a);

		if (mnl_attr_get_type(a) == IFA_LOCAL)
			local = mnl_attr_get_payload(a);
		if (mnl_attr_get_type(a) == IFA_ADDRESS)
			address = mnl_attr_get_payload(a);
		if (mnl_attr_get_type(a) == IFA_FLAGS)
			s.flags = mnl_attr_get_u32(a);
		if (mnl_attr_get_type(a) == IFA_PROTO)
			s.proto = mnl_attr_get_u8(a);
		if (mnl_attr_get_type(a) == IFA_CACHEINFO) {
			s.valid_s = life->ifa_valid;
			s.preferred_s = life->ifa_prefered;
		}
	}
	see->fn(see->arg, ifa, local != NULL ? local : address, &s);
	return MNL_CB_OK;
}

/* Dump all addresses of the namespace, by other means than the cache under test. */
static inline void
see_all(see_fn *fn, void *arg)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_ROUTE);
	struct see see = {fn, arg};
	char buf[32768];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa;
	ssize_t len;
	int more = MNL_CB_OK;

	assert_non_null(nl);
	nlh->nlmsg_type = RTM_GETADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = AF_UNSPEC;
	assert_true(mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0);
	assert_true(mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) > 0);
	while (more == MNL_CB_OK) {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		assert_true(len > 0);
		more = mnl_cb_run(buf, (size_t)len, 0, 0, see_message, &see);
	}
	assert_int_equal(more, MNL_CB_STOP);
	mnl_socket_close(nl);
}

struct look_for {
	const struct nlk_addr_op *op;
	struct seen seen;
};

static inline void
look_for_one(void *arg, const struct ifaddrmsg *ifa, const uint8_t *addr, const struct seen *seen)
{
	struct look_for *want = arg;
	const struct nlk_addr_op *op = want->op;

	if (ifa->ifa_family == op->family && (int)ifa->ifa_index == op->ifindex &&
	    ifa->ifa_prefixlen == op->prefixlen && memcmp(addr, op->addr, op->family == AF_INET ? 4 : 16) == 0)
		want->seen = *seen;
}

static inline struct seen
look_up(const struct nlk_addr_op *op)
{
	struct look_for want = {.op = op};

	see_all(look_for_one, &want);
	return want.seen;
}

struct count {
	int ifindex;
	unsigned n;
};

static inline void
count_one(void *arg, const struct ifaddrmsg *ifa, const uint8_t *addr, const struct seen *seen)
{
	struct count *count = arg;

	(void)addr;
	(void)seen;
	if ((int)ifa->ifa_index == count->ifindex && ifa->ifa_family == AF_INET)
		count->n++;
}

static inline unsigned
count_ip4(int ifindex)
{
	struct count count = {.ifindex = ifindex};

	see_all(count_one, &count);
	return count.n;
}

#endif
