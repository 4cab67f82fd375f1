/*
 * test_route_dump.c - the reader of routes, fed with messages built here: forms of next hops, what does not
 * count, every cut of a message and random octets.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cmocka.h>

#include "agent/route_dump.h"
#include "base/macros.h"

struct msg {
	_Alignas(4) uint8_t b[4096];
	size_t n;
	size_t head; /* of the message being built */
};

static void
begin(struct msg *m, uint16_t type, uint16_t flags)
{
	struct nlmsghdr h = {.nlmsg_len = sizeof(h), .nlmsg_type = type, .nlmsg_flags = flags};

	m->head = m->n;
	memcpy(m->b + m->n, &h, sizeof(h));
	m->n += sizeof(h);
}

static void
add(struct msg *m, const void *data, size_t n)
{
	uint32_t len;

	memset(m->b + m->n, 0, NLMSG_ALIGN(n));
	memcpy(m->b + m->n, data, n);
	m->n += NLMSG_ALIGN(n);
	len = (uint32_t)(m->n - m->head);
	memcpy(m->b + m->head, &len, sizeof(len));
}

static void
attr(struct msg *m, unsigned short type, const void *data, size_t n)
{
	uint8_t buf[512];
	struct rtattr a = {.rta_len = (unsigned short)(sizeof(a) + n), .rta_type = type};

	memcpy(buf, &a, sizeof(a));
	memcpy(buf + sizeof(a), data, n);
	add(m, buf, sizeof(a) + n);
}

static void
addr_attr(struct msg *m, unsigned short type, const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	attr(m, type, a.b, ip_family_size(a.family));
}

/* A route to dst (an address) / len with whatever is NULL left out. */
static void
route(struct msg *m, unsigned char type, const char *dst, unsigned char len, uint32_t table, const char *via,
      uint32_t oif, unsigned flags)
{
	struct ip_addr a;
	struct rtmsg r = {.rtm_dst_len = len, .rtm_type = type, .rtm_flags = flags};

	assert_int_equal(ip_addr_parse(dst, &a), 0);
	r.rtm_family = a.family == IP_FAMILY_V4 ? AF_INET : AF_INET6;
	r.rtm_table = (unsigned char)(table < 256 ? table : RT_TABLE_COMPAT);
	begin(m, RTM_NEWROUTE, NLM_F_MULTI);
	add(m, &r, sizeof(r));
	attr(m, RTA_TABLE, &table, sizeof(table));
	if (len > 0)
		addr_attr(m, RTA_DST, dst);
	if (via != NULL)
		addr_attr(m, RTA_GATEWAY, via);
	if (oif != 0)
		attr(m, RTA_OIF, &oif, sizeof(oif));
}

static void
done(struct msg *m)
{
	int zero = 0;

	begin(m, NLMSG_DONE, NLM_F_MULTI);
	add(m, &zero, sizeof(zero));
}

static struct route_search
looking_for(const char *to, uint32_t table, const char *via, unsigned ifindex)
{
	struct route_search s = {.table = table, .want_interface = ifindex != 0, .ifindex = ifindex};

	assert_int_equal(ip_prefix_parse(to, &s.dst), 0);
	if (via != NULL)
		assert_int_equal(ip_addr_parse(via, &s.want_via), 0);
	return s;
}

static bool
finds(const struct msg *m, const char *to, uint32_t table, const char *via, unsigned ifindex)
{
	struct route_search s = looking_for(to, table, via, ifindex);

	assert_true(route_search_feed(&s, m->b, m->n));
	assert_int_equal(s.err, 0);
	return s.found;
}

static void
test_what_is_looked_for(void **state)
{
	struct msg m = {.n = 0};

	(void)state;
	route(&m, RTN_UNICAST, "0.0.0.0", 0, 254, "10.0.0.254", 2, 0);
	route(&m, RTN_UNICAST, "10.1.0.0", 16, 254, NULL, 3, 0);
	route(&m, RTN_UNICAST, "10.2.0.0", 15, 1000, "10.0.0.253", 2, 0);
	route(&m, RTN_UNICAST, "::", 0, 254, "fe80::1", 2, 0);
	route(&m, RTN_UNICAST, "2001:db8:8000::", 33, 254, "fe80::2", 2, 0);
	done(&m);
	assert_true(finds(&m, "0.0.0.0/0", 254, NULL, 0));
	assert_true(finds(&m, "0.0.0.0/0", 254, "10.0.0.254", 2));
	assert_false(finds(&m, "0.0.0.0/0", 254, "10.0.0.253", 0));
	assert_false(finds(&m, "0.0.0.0/0", 254, NULL, 3));
	assert_false(finds(&m, "0.0.0.0/0", 253, NULL, 0));
	assert_true(finds(&m, "10.1.0.0/16", 254, NULL, 3));
	assert_true(finds(&m, "10.1.2.3/16", 254, NULL, 0)); /* host bits do not matter */
	assert_false(finds(&m, "10.1.0.0/17", 254, NULL, 0));
	assert_false(finds(&m, "10.1.0.0/16", 254, "10.0.0.254", 0)); /* it has no gateway */
	assert_true(finds(&m, "10.3.0.0/15", 1000, NULL, 0));
	assert_false(finds(&m, "10.4.0.0/15", 1000, NULL, 0));
	assert_true(finds(&m, "::/0", 254, "fe80::1", 0));
	assert_true(finds(&m, "2001:db8:8000::/33", 254, NULL, 0));
	assert_false(finds(&m, "2001:db8::/33", 254, NULL, 0));
}

static void
test_what_does_not_count(void **state)
{
	struct msg m = {.n = 0};
	struct route_search s;

	(void)state;
	route(&m, RTN_BLACKHOLE, "10.1.0.0", 16, 254, NULL, 0, 0);
	route(&m, RTN_UNREACHABLE, "10.1.0.0", 16, 254, NULL, 0, 0);
	route(&m, RTN_UNICAST, "10.1.0.0", 16, 254, NULL, 2, RTM_F_CLONED);
	done(&m);
	s = looking_for("10.1.0.0/16", 254, NULL, 0);
	assert_true(route_search_feed(&s, m.b, m.n));
	assert_false(s.found || s.found_down);
	m.n = 0;
	route(&m, RTN_UNICAST, "10.1.0.0", 16, 254, NULL, 2, RTNH_F_LINKDOWN);
	done(&m);
	s = looking_for("10.1.0.0/16", 254, NULL, 0);
	assert_true(route_search_feed(&s, m.b, m.n));
	assert_true(!s.found && s.found_down);
}

/* A default route over three next hops, the second one dead. */
static void
multipath(struct msg *m)
{
	static const char *const via[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3"};
	struct rtmsg r = {.rtm_family = AF_INET, .rtm_type = RTN_UNICAST, .rtm_table = 254};
	struct rtnexthop first = {.rtnh_len = 16, .rtnh_ifindex = 2};
	struct msg hops = {.n = 0};

	for (unsigned i = 0; i < 3; i++) {
		struct rtnexthop nh = {
			.rtnh_len = 16, .rtnh_ifindex = (int)i + 2, .rtnh_flags = i == 1 ? RTNH_F_DEAD : 0};

		add(&hops, &nh, sizeof(nh));
		addr_attr(&hops, RTA_GATEWAY, via[i]);
		/* add() writes a message's length, which there is none of here */
		memcpy(hops.b, &first, sizeof(first));
	}
	begin(m, RTM_NEWROUTE, NLM_F_MULTI);
	add(m, &r, sizeof(r));
	attr(m, RTA_MULTIPATH, hops.b, hops.n);
}

static void
test_several_hops(void **state)
{
	struct msg m = {.n = 0};
	struct rtmsg r = {.rtm_family = AF_INET, .rtm_type = RTN_UNICAST, .rtm_table = 254};
	struct rtvia other = {.rtvia_family = AF_INET6};
	uint8_t buf[sizeof(other) + 16] = {0};
	struct ip_addr a;

	(void)state;
	multipath(&m);
	done(&m);
	assert_true(finds(&m, "0.0.0.0/0", 254, "10.0.0.1", 2));
	assert_false(finds(&m, "0.0.0.0/0", 254, "10.0.0.2", 0));
	assert_true(finds(&m, "0.0.0.0/0", 254, "10.0.0.3", 4));
	assert_false(finds(&m, "0.0.0.0/0", 254, "10.0.0.3", 2));
	/* IPv4 by an IPv6 gateway */
	m.n = 0;
	begin(&m, RTM_NEWROUTE, NLM_F_MULTI);
	add(&m, &r, sizeof(r));
	assert_int_equal(ip_addr_parse("fe80::9", &a), 0);
	memcpy(buf, &other, sizeof(other));
	memcpy(buf + sizeof(other), a.b, 16);
	attr(&m, RTA_VIA, buf, sizeof(buf));
	done(&m);
	assert_true(finds(&m, "0.0.0.0/0", 254, "fe80::9", 0));
	assert_false(finds(&m, "0.0.0.0/0", 254, "fe80::8", 0));
}

static void
test_errors(void **state)
{
	struct msg m = {.n = 0};
	struct route_search s = looking_for("0.0.0.0/0", 254, NULL, 0);
	int err = -ENOBUFS;

	(void)state;
	begin(&m, NLMSG_ERROR, 0);
	add(&m, &err, sizeof(err));
	assert_true(route_search_feed(&s, m.b, m.n));
	assert_int_equal(s.err, ENOBUFS);
	s = looking_for("0.0.0.0/0", 254, NULL, 0);
	m.n = 0;
	begin(&m, NLMSG_ERROR, 0);
	add(&m, &(int){INT_MIN}, sizeof(int)); /* no errno, and has no positive one */
	assert_true(route_search_feed(&s, m.b, m.n));
	assert_int_equal(s.err, EBADMSG);
	s = looking_for("0.0.0.0/0", 254, NULL, 0);
	m.n = 0;
	begin(&m, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR);
	add(&m, &(int){0}, sizeof(int));
	assert_true(route_search_feed(&s, m.b, m.n));
	assert_true(s.interrupted);
	s = looking_for("0.0.0.0/0", 254, NULL, 0);
	assert_false(route_search_feed(&s, m.b, 0));
	assert_true(route_search_feed(&s, m.b, 3));
	assert_int_equal(s.err, EBADMSG);
}

/* Every cut, and every octet damaged: nothing is read beyond the end (the sanitizers look). */
static void
test_damaged(void **state)
{
	struct msg m = {.n = 0};
	unsigned seed = 1;

	(void)state;
	route(&m, RTN_UNICAST, "10.1.0.0", 16, 254, "10.0.0.254", 2, 0);
	for (size_t n = 0; n <= m.n; n++) {
		uint8_t *exact = malloc(n > 0 ? n : 1);
		struct route_search s = looking_for("10.1.0.0/16", 254, NULL, 0);

		assert_non_null(exact);
		memcpy(exact, m.b, n);
		assert_int_equal(route_search_feed(&s, exact, n), n != 0 && n != m.n);
		free(exact);
	}
	m.n = 0;
	multipath(&m);
	for (unsigned i = 0; i < 50000; i++) {
		uint8_t *exact = malloc(m.n);
		struct route_search s = looking_for("0.0.0.0/0", 254, NULL, 0);

		assert_non_null(exact);
		memcpy(exact, m.b, m.n);
		for (unsigned k = 0; k < 1 + i % 4; k++)
			exact[(unsigned)rand_r(&seed) % m.n] = (uint8_t)rand_r(&seed);
		(void)route_search_feed(&s, exact, m.n);
		free(exact);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_looked_for),
		cmocka_unit_test(test_what_does_not_count),
		cmocka_unit_test(test_several_hops),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
