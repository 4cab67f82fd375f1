/*
 * test_base64.c - octets as text: the examples of RFC 4648 10, keys of etcd, what is no such text, room that is too small.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base64.h"
#include "base/macros.h"

static void
test_both_ways(void **state)
{
	static const struct {
		const char *octets, *text;
	} rows[] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"/service/pg/leader", "L3NlcnZpY2UvcGcvbGVhZGVy"},
		{"/service/batman/leader", "L3NlcnZpY2UvYmF0bWFuL2xlYWRlcg=="},
		{"pg1", "cGcx"},
		{"\xfb\xff\xfe", "+//+"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[64], octets[64];
		size_t n = 99;

		assert_string_equal(base64_encode(rows[i].octets, strlen(rows[i].octets), text), rows[i].text);
		assert_true(strlen(text) < BASE64_SIZE(strlen(rows[i].octets)));
		assert_true(base64_decode(rows[i].text, octets, sizeof(octets), &n));
		assert_int_equal(n, strlen(rows[i].octets));
		assert_string_equal(octets, rows[i].octets);
	}
}

static void
test_every_octet(void **state)
{
	uint8_t all[256];
	char text[BASE64_SIZE(sizeof(all))], back[sizeof(all) + 1];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	for (size_t len = 0; len <= sizeof(all); len++) {
		base64_encode(all, len, text);
		assert_true(base64_decode(text, back, sizeof(back), &n));
		assert_int_equal(n, len);
		assert_memory_equal(back, all, len);
	}
}

static void
test_no_such_text(void **state)
{
	static const char *const rows[] = {"Z", "Zg", "Zg=", "Zg===", "Z===", "====", "=Zg=", "Zm9v=", "Zm9vZ", "Zm 9",
					   "Zm9v\n", "Zm9*", "Zg==Zg==", "Z=g=", "\x80m9v"};
	char octets[64];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (base64_decode(rows[i], octets, sizeof(octets), &n))
			fail_msg("\"%s\" was taken", rows[i]);
}

/* The NUL has its place, and nothing is written behind the end. */
static void
test_room(void **state)
{
	char octets[8];
	size_t n;

	(void)state;
	for (size_t size = 1; size <= sizeof(octets); size++) {
		bool fits = size > strlen("fooba");

		memset(octets, 'x', sizeof(octets));
		assert_int_equal(base64_decode("Zm9vYmE=", octets, size, &n), fits);
		for (size_t i = size; i < sizeof(octets); i++)
			assert_int_equal(octets[i], 'x');
		if (fits)
			assert_string_equal(octets, "fooba");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_every_octet),
		cmocka_unit_test(test_no_such_text),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
