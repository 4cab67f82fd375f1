/*
 * test_addr.c - addresses, prefixes and MAC addresses as values.
 *
 * Text that must be refused is as long as text that must be taken: these functions stand behind the
 * configuration.
 */
#include "base/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}

static void
test_family_sizes_and_names(void **state)
{
	(void)state;
	assert_int_equal(ip_family_size(IP_FAMILY_NONE), 0);
	assert_int_equal(ip_family_size(IP_FAMILY_V4), 4);
	assert_int_equal(ip_family_size(IP_FAMILY_V6), 16);
	assert_int_equal(ip_family_size(10), 0);
	assert_string_equal(ip_family_name(IP_FAMILY_V4), "IPv4");
	assert_string_equal(ip_family_name(IP_FAMILY_V6), "IPv6");
	assert_string_equal(ip_family_name(IP_FAMILY_NONE), "none");
}

static void
test_parse_and_format(void **state)
{
	static const struct {
		const char *text, *printed;
		uint8_t family;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1", IP_FAMILY_V4},
		{"0.0.0.0", "0.0.0.0", IP_FAMILY_V4},
		{"255.255.255.255", "255.255.255.255", IP_FAMILY_V4},
		{"::", "::", IP_FAMILY_V6},
		{"fe80::1", "fe80::1", IP_FAMILY_V6},
		{"FE80:0:0:0:0:0:0:1", "fe80::1", IP_FAMILY_V6},
		{"2001:db8::1", "2001:db8::1", IP_FAMILY_V6},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.1", IP_FAMILY_V6},
		{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 IP_FAMILY_V6},
	};
	char buf[IP_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ip_addr a = addr(rows[i].text), b;

		assert_int_equal(a.family, rows[i].family);
		assert_string_equal(ip_addr_format(&a, buf), rows[i].printed);
		assert_ptr_equal(ip_addr_format(&a, buf), buf);
		b = addr(buf);
		assert_true(ip_addr_equal(&a, &b));
	}
}

static void
test_format_without_a_family(void **state)
{
	struct ip_addr none = {0};
	char buf[IP_ADDR_TEXT];

	(void)state;
	assert_string_equal(ip_addr_format(&none, buf), "none");
}

static void
test_parse_refuses_and_leaves_the_result_alone(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"192.0.2",
		"192.0.2.1.2",
		"192.0.2.256",
		"192.0.2.1/24",
		"192.0.2.1 ",
		" 10.0.0.1",
		"1",
		"0x7f.0.0.1",
		":::",
		"fe80::1%eth0",
		"fe80::1/64",
		"fe80::g",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"localhost",
		"192.0.2.-1",
		"::1::",
		"12345::",
	};
	struct ip_addr kept = {.family = IP_FAMILY_V4, .b = {1, 2, 3, 4}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ip_addr a = kept;

		if (ip_addr_parse(bad[i], &a) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_memory_equal(&a, &kept, sizeof(a));
	}
}

/* Addresses are compared and copied as whole structs, so what IPv4 does not use must be zero. */
static void
test_unused_octets_are_zero(void **state)
{
	static const uint8_t octets[16] = {192, 0, 2, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
	static const uint8_t zero[16];
	struct ip_addr a = ip_addr_from(IP_FAMILY_V4, octets), b = addr("192.0.2.1");
	struct ip_addr c;

	(void)state;
	assert_memory_equal(a.b, octets, 4);
	assert_memory_equal(a.b + 4, zero, 12);
	assert_memory_equal(b.b + 4, zero, 12);
	c = ip_addr_from(IP_FAMILY_V6, octets);
	assert_memory_equal(c.b, octets, 16);
	c = ip_addr_from(IP_FAMILY_NONE, octets);
	assert_memory_equal(c.b, zero, 16);
}

static void
test_prefixes(void **state)
{
	static const struct {
		const char *text, *printed;
		uint8_t len;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1/32", 32},
		{"192.0.2.1/24", "192.0.2.1/24", 24},
		{"192.0.2.1/0", "192.0.2.1/0", 0},
		{"192.0.2.1/32", "192.0.2.1/32", 32},
		{"2001:db8::1", "2001:db8::1/128", 128},
		{"2001:db8::1/64", "2001:db8::1/64", 64},
		{"::/0", "::/0", 0},
		{"fe80::1/128", "fe80::1/128", 128},
	};
	static const char *const bad[] = {
		"",
		"/",
		"/24",
		"192.0.2.1/",
		"192.0.2.1/33",
		"192.0.2.1/-1",
		"192.0.2.1/+1",
		"192.0.2.1/ 8",
		"192.0.2.1/8 ",
		"192.0.2.1/a",
		"192.0.2.1/24/24",
		"fe80::1/129",
		"fe80::1/1280",
		"192.0.2.1/0x8",
		"192.0.2.1/4294967304",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/64",
	};
	struct ip_prefix kept = {.addr = {.family = IP_FAMILY_V4, .b = {1}}, .len = 7};
	char buf[IP_PREFIX_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ip_prefix p;

		assert_int_equal(ip_prefix_parse(rows[i].text, &p), 0);
		assert_int_equal(p.len, rows[i].len);
		assert_string_equal(ip_prefix_format(&p, buf), rows[i].printed);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ip_prefix p = kept;

		if (ip_prefix_parse(bad[i], &p) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_memory_equal(&p, &kept, sizeof(p));
	}
}

static void
test_longest_prefix_fits(void **state)
{
	struct ip_prefix p;
	char buf[IP_PREFIX_TEXT];

	(void)state;
	assert_int_equal(ip_prefix_parse("1111:2222:3333:4444:5555:6666:7777:8888/128", &p), 0);
	assert_string_equal(ip_prefix_format(&p, buf), "1111:2222:3333:4444:5555:6666:7777:8888/128");
}

static void
test_mac_text(void **state)
{
	struct mac_addr m = {{0x00, 0x00, 0x5e, 0x00, 0x01, 0xff}};
	char buf[MAC_ADDR_TEXT];

	(void)state;
	assert_string_equal(mac_addr_format(&m, buf), "00:00:5e:00:01:ff");
}

/* The tie-break of RFC 9568 6.4.3: unsigned integers, most significant octet first. */
static void
test_compare_in_network_order(void **state)
{
	static const char *const rising[] = {"0.0.0.1",	  "1.0.0.0",	"127.255.255.255", "128.0.0.0",
					     "192.0.2.9", "192.0.2.10", "192.0.3.0",	   "255.255.255.255"};
	static const char *const rising6[] = {"::",	  "::1",       "7fff::",  "fe80::9",
					      "fe80::10", "fe80::1:0", "ff02::12"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rising); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(rising); j++) {
			struct ip_addr a = addr(rising[i]), b = addr(rising[j]);
			int r = ip_addr_cmp(&a, &b);

			assert_int_equal((r > 0) - (r < 0), (i > j) - (i < j));
			assert_int_equal(ip_addr_equal(&a, &b), i == j);
		}
	}
	for (size_t i = 1; i < ARRAY_SIZE(rising6); i++) {
		struct ip_addr a = addr(rising6[i - 1]), b = addr(rising6[i]);

		assert_true(ip_addr_cmp(&a, &b) < 0);
		assert_true(ip_addr_cmp(&b, &a) > 0);
	}
}

static void
test_different_families_are_never_equal(void **state)
{
	struct ip_addr none = {0}, a = addr("0.0.0.0"), b = addr("::");

	(void)state;
	assert_false(ip_addr_equal(&none, &a));
	assert_false(ip_addr_equal(&a, &b));
	assert_true(ip_addr_equal(&none, &none));
	assert_true((ip_addr_cmp(&a, &b) < 0) == (ip_addr_cmp(&b, &a) > 0));
}

static void
test_kinds_of_address(void **state)
{
	static const struct {
		const char *text;
		bool link_local, multicast, unicast;
	} rows[] = {
		{"192.0.2.1", false, false, true},
		{"169.254.1.1", false, false, true}, /* link-local by another rule; IPv6 only is meant */
		{"127.0.0.1", false, false, true},
		{"0.0.0.0", false, false, false},
		{"0.1.2.3", false, false, false},
		{"223.255.255.255", false, false, true},
		{"224.0.0.0", false, true, false},
		{"224.0.0.5", false, true, false},
		{"239.255.255.255", false, true, false},
		{"240.0.0.1", false, false, false},
		{"255.255.255.255", false, false, false},
		{"::", false, false, false},
		{"2001:db8::1", false, false, true},
		{"fe80::1", true, false, true},
		{"fe7f::1", false, false, true},
		{"febf:ffff::1", true, false, true},
		{"fec0::1", false, false, true},
		{"feff::", false, false, true},
		{"ff00::", false, true, false},
		{"ff02::12", false, true, false},
	};
	struct ip_addr none = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ip_addr a = addr(rows[i].text);

		if (ip_addr_is_link_local(&a) != rows[i].link_local ||
		    ip_addr_is_multicast(&a) != rows[i].multicast || ip_addr_is_unicast(&a) != rows[i].unicast)
			fail_msg("%s", rows[i].text);
	}
	assert_false(ip_addr_is_link_local(&none));
	assert_false(ip_addr_is_multicast(&none));
	assert_false(ip_addr_is_unicast(&none));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_family_sizes_and_names),
		cmocka_unit_test(test_parse_and_format),
		cmocka_unit_test(test_format_without_a_family),
		cmocka_unit_test(test_parse_refuses_and_leaves_the_result_alone),
		cmocka_unit_test(test_unused_octets_are_zero),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_longest_prefix_fits),
		cmocka_unit_test(test_mac_text),
		cmocka_unit_test(test_compare_in_network_order),
		cmocka_unit_test(test_different_families_are_never_equal),
		cmocka_unit_test(test_kinds_of_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
