/*
 * test_nlk_link.c - the promote_secondaries setting of one link, and what it is for.
 *
 * Needs root: every test has a network namespace of its own.
 */
#include "unit/nlk_netns.h"

static char
setting_of(const char *ifname)
{
	char path[128];
	int value;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/promote_secondaries", ifname);
	f = fopen(path, "r");
	assert_non_null(f);
	value = fgetc(f);
	fclose(f);
	return (char)value;
}

static void
test_secondaries_outlive_their_primary(void **state)
{
	struct nlk_addr_op ops[3], *first = &ops[0];
	struct nlk_batch *b;

	(void)state;
	enter_netns();
	assert_int_equal(nlk_batch_open(&b), 0);
	run("echo 0 > /proc/sys/net/ipv4/conf/v0/promote_secondaries");
	run("echo 0 > /proc/sys/net/ipv4/conf/all/promote_secondaries");
	for (int keep = 0; keep < 2; keep++) {
		ops[0] = op_of(NLK_ADDR_ADD, index_of("v0"), "192.0.2.1/24");
		ops[1] = op_of(NLK_ADDR_ADD, index_of("v0"), "192.0.2.2/24");
		ops[2] = op_of(NLK_ADDR_ADD, index_of("v0"), "192.0.2.3/24");
		if (keep)
			assert_int_equal(nlk_link_promote_secondaries("v0"), 0);
		assert_int_equal(nlk_addr_apply(b, ops, 3), 0);
		first->verb = NLK_ADDR_DEL;
		assert_int_equal(nlk_addr_apply(b, first, 1), 0);
		assert_int_equal(look_up(&ops[1]).found, keep);
		assert_int_equal(look_up(&ops[2]).found, keep);
	}
	nlk_batch_close(b);
}

static void
test_only_this_link_is_set(void **state)
{
	char all, other;

	(void)state;
	enter_netns();
	run("ip link add v0.10 type veth"); /* names with a dot are usual: VLANs */
	run("echo 0 > /proc/sys/net/ipv4/conf/v0/promote_secondaries");
	run("echo 0 > /proc/sys/net/ipv4/conf/v0.10/promote_secondaries");
	all = setting_of("all");
	other = setting_of("v1");
	assert_int_equal(nlk_link_promote_secondaries("v0.10"), 0);
	assert_int_equal(setting_of("v0.10"), '1');
	assert_int_equal(nlk_link_promote_secondaries("v0.10"), 0);
	assert_int_equal(setting_of("v0"), '0');
	assert_int_equal(setting_of("v1"), other);
	assert_int_equal(setting_of("all"), all);
}

static void
test_names_that_are_no_links(void **state)
{
	static const char *const bad[] = {
		"",
		".",
		"..",
		"../all",
		"v0/",
		"/etc/passwd",
		"all",
		"default",
		"name-of-16-octet",
		"a-much-longer-name-still",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(nlk_link_promote_secondaries(bad[i]), -EINVAL);
	assert_int_equal(nlk_link_promote_secondaries("no-such-link"), -ENOENT);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secondaries_outlive_their_primary),
		cmocka_unit_test(test_only_this_link_is_set),
		cmocka_unit_test(test_names_that_are_no_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
