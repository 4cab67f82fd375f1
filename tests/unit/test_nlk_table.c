/*
 * test_nlk_table.c - the table of addresses: identity, order, and thousands of them. Pure, needs no rights.
 *
 * That the order is really the kernel's is shown by test_nlk_cache.c, which compares it with dumps.
 */
#include "netlink/nlk_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/rtnetlink.h>
#include <time.h>

#include <cmocka.h>

static struct nlk_record
record(uint8_t family, int ifindex, unsigned n)
{
	struct nlk_record r = {.a = {.family = family, .ifindex = ifindex, .prefixlen = 24}};

	memcpy(r.a.addr, &n, sizeof(n));
	if (family == AF_INET)
		memcpy(r.peer, &n, sizeof(n));
	return r;
}

static void
put(struct nlk_table *t, struct nlk_record r, enum nlk_place place, enum nlk_put expected)
{
	enum nlk_put got;

	assert_int_equal(nlk_table_put(t, &r, place, &got), 0);
	assert_int_equal(got, expected);
}

struct listing {
	char text[256];
	unsigned n;
	unsigned stop_at;
};

static bool
list_one(void *arg, const struct nlk_addr *a)
{
	struct listing *l = arg;
	size_t len = strlen(l->text);
	unsigned n;

	memcpy(&n, a->addr, sizeof(n));
	snprintf(l->text + len, sizeof(l->text) - len, "%s%d:%u", len > 0 ? " " : "", a->ifindex, n);
	l->n++;
	return l->n != l->stop_at;
}

static void
expect(const struct nlk_table *t, int ifindex, const char *expected)
{
	struct listing l = {0};

	nlk_table_each(t, ifindex, list_one, &l);
	assert_string_equal(l.text, expected);
}

static void
test_new_changed_same_gone(void **state)
{
	struct nlk_table t = {0};
	struct nlk_record r = record(AF_INET6, 2, 1);
	struct nlk_addr gone;

	(void)state;
	assert_false(nlk_table_remove(&t, &r, &gone));
	put(&t, r, NLK_PLACE_KERNEL, NLK_PUT_NEW);
	put(&t, r, NLK_PLACE_KERNEL, NLK_PUT_SAME);
	r.a.tentative = true;
	put(&t, r, NLK_PLACE_KERNEL, NLK_PUT_CHANGED);
	r.a.proto = 9;
	put(&t, r, NLK_PLACE_TAIL, NLK_PUT_CHANGED);
	put(&t, r, NLK_PLACE_TAIL, NLK_PUT_SAME);
	assert_true(nlk_table_remove(&t, &r, &gone));
	assert_int_equal(gone.proto, 9);
	assert_false(nlk_table_remove(&t, &r, &gone));
	expect(&t, 0, "");
	assert_int_equal(t.group_count, 0); /* links come and go, their indices grow for ever */
	nlk_table_done(&t);
}

static void
test_identity(void **state)
{
	struct nlk_table t = {0};
	struct nlk_record r = record(AF_INET, 2, 1), prefix = r, peer = r, family = r, link = r;
	struct nlk_addr gone;

	(void)state;
	prefix.a.prefixlen = 32;
	peer.peer[3] = 1;
	family.a.family = AF_INET6;
	link.a.ifindex = 3;
	put(&t, r, NLK_PLACE_TAIL, NLK_PUT_NEW);
	put(&t, prefix, NLK_PLACE_TAIL, NLK_PUT_NEW);
	put(&t, peer, NLK_PLACE_TAIL, NLK_PUT_NEW);
	put(&t, family, NLK_PLACE_TAIL, NLK_PUT_NEW);
	put(&t, link, NLK_PLACE_TAIL, NLK_PUT_NEW);
	assert_true(nlk_table_remove(&t, &peer, &gone));
	assert_true(nlk_table_remove(&t, &r, &gone));
	expect(&t, 0, "2:1 3:1 2:1"); /* IPv4 before IPv6, links by index */
	expect(&t, 2, "2:1 2:1");
	nlk_table_done(&t);
}

static void
test_order_of_ip4(void **state)
{
	struct nlk_table t = {0};
	struct nlk_record secondary = record(AF_INET, 1, 2), host = record(AF_INET, 1, 4);
	struct nlk_addr gone;

	(void)state;
	secondary.secondary = true;
	host.scope = RT_SCOPE_HOST;
	put(&t, record(AF_INET, 1, 1), NLK_PLACE_KERNEL, NLK_PUT_NEW);
	put(&t, secondary, NLK_PLACE_KERNEL, NLK_PUT_NEW);
	put(&t, record(AF_INET, 1, 3), NLK_PLACE_KERNEL, NLK_PUT_NEW);
	put(&t, host, NLK_PLACE_KERNEL, NLK_PUT_NEW);
	expect(&t, 1, "1:4 1:1 1:3 1:2");

	/* Its primary goes, it is promoted: behind the primaries that there are. */
	assert_true(
		nlk_table_remove(&t, &(struct nlk_record){.a = record(AF_INET, 1, 1).a, .peer = {1}}, &gone));
	secondary.a.addr[0] = 5;
	secondary.peer[0] = 5;
	put(&t, secondary, NLK_PLACE_KERNEL, NLK_PUT_NEW);
	secondary.secondary = false;
	put(&t, secondary, NLK_PLACE_KERNEL, NLK_PUT_CHANGED);
	expect(&t, 1, "1:4 1:3 1:5 1:2");
	put(&t, record(AF_INET, 1, 9), NLK_PLACE_TAIL, NLK_PUT_NEW);
	expect(&t, 1, "1:4 1:3 1:5 1:2 1:9");
	nlk_table_done(&t);
}

static void
test_order_of_ip6(void **state)
{
	struct nlk_table t = {0};
	struct nlk_record local = record(AF_INET6, 1, 1), local2 = record(AF_INET6, 1, 2);

	(void)state;
	local.scope = RT_SCOPE_LINK;
	local2.scope = RT_SCOPE_LINK;
	put(&t, local, NLK_PLACE_KERNEL, NLK_PUT_NEW);
	put(&t, record(AF_INET6, 1, 3), NLK_PLACE_KERNEL, NLK_PUT_NEW);
	put(&t, local2, NLK_PLACE_KERNEL, NLK_PUT_NEW);
	put(&t, record(AF_INET6, 1, 4), NLK_PLACE_KERNEL, NLK_PUT_NEW);
	expect(&t, 1, "1:4 1:3 1:2 1:1");
	nlk_table_done(&t);
}

static void
test_each_stops_when_told(void **state)
{
	struct listing l = {.stop_at = 2};
	struct nlk_table t = {0};

	(void)state;
	for (int ifindex = 5; ifindex > 0; ifindex--)
		put(&t, record(AF_INET, ifindex, 1), NLK_PLACE_TAIL, NLK_PUT_NEW);
	nlk_table_each(&t, 0, list_one, &l);
	assert_string_equal(l.text, "1:1 2:1");
	nlk_table_done(&t);
}

/* Random puts and removals over many links against an array of what should be there. */
static void
test_random_against_a_model(void **state)
{
	enum { LINKS = 40, ADDRS = 50, STEPS = 100000 };
	static bool model[LINKS][ADDRS];
	unsigned seed = (unsigned)time(NULL), there = 0;
	struct nlk_table t = {0};
	struct nlk_addr gone;

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned link = (unsigned)random() % LINKS, addr = (unsigned)random() % ADDRS;
		struct nlk_record r = record(addr % 2 ? AF_INET : AF_INET6, (int)link + 1, addr);
		/* First mostly filling, then mostly emptying. */
		bool add = (unsigned)random() % STEPS > i;

		if (add)
			put(&t, r, NLK_PLACE_KERNEL, model[link][addr] ? NLK_PUT_SAME : NLK_PUT_NEW);
		else
			assert_int_equal(nlk_table_remove(&t, &r, &gone), model[link][addr]);
		there += (unsigned)add - (unsigned)model[link][addr];
		model[link][addr] = add;
		assert_int_equal(t.entry_count, there);
	}
	nlk_table_done(&t);
	assert_int_equal(t.entry_count, 0);
	nlk_table_done(&t);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_changed_same_gone), cmocka_unit_test(test_identity),
		cmocka_unit_test(test_order_of_ip4),	      cmocka_unit_test(test_order_of_ip6),
		cmocka_unit_test(test_each_stops_when_told),  cmocka_unit_test(test_random_against_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
