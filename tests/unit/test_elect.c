/*
 * test_elect.c - words of the election that the configuration and people read. What it decides is in tests/cases.
 */
#include "elect/elect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
test_words(void **state)
{
	(void)state;
	assert_string_equal(elect_mode_name(ELECT_MODE_VRRP), "vrrp");
	assert_string_equal(elect_mode_name(ELECT_MODE_FOLLOW), "follow");
	assert_string_equal(elect_mode_name(ELECT_MODE_LEASE), "lease");
	assert_null(elect_mode_name(ELECT_MODE_COUNT));
	assert_string_equal(elect_checksum_name(ELECT_CHECKSUM_AUTO), "auto");
	assert_string_equal(elect_checksum_name(ELECT_CHECKSUM_RFC9568), "rfc9568");
	assert_string_equal(elect_checksum_name(ELECT_CHECKSUM_RFC5798), "rfc5798");
	assert_null(elect_checksum_name(ELECT_CHECKSUM_COUNT));
	assert_string_equal(elect_fact_name(ELECT_FACT_NOTHING), "nothing");
	assert_string_equal(elect_fact_name(ELECT_FACT_SELF), "self");
	assert_string_equal(elect_fact_name(ELECT_FACT_OTHER), "other");
	assert_string_equal(elect_fact_name(ELECT_FACT_NONE), "none");
	assert_string_equal(elect_fact_name(ELECT_FACT_LOST), "lost");
	assert_string_equal(elect_fact_name(ELECT_FACT_DENIED), "denied");
	assert_null(elect_fact_name(ELECT_FACT_COUNT));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
