/*
 * test_vrrp_timers.c - skew time and down interval (RFC 9568 6.1, RFC 3768 6.1).
 *
 * The tables are the worked numbers of the protocol; the whole range is compared with wide arithmetic.
 */
#include "proto/vrrp_timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"

struct row {
	uint16_t interval; /* v3: centiseconds, v2: seconds */
	uint8_t priority;
	uint64_t skew_us; /* both rounded down */
	uint64_t down_us;
};

static void
test_worked_numbers_v3(void **state)
{
	static const struct row rows[] = {
		{1, 1, 9960, 39960},
		{1, 50, 8046, 38046},
		{1, 100, 6093, 36093},
		{1, 128, 5000, 35000},
		{1, 200, 2187, 32187},
		{1, 254, 78, 30078},
		{1, 255, 39, 30039},
		{10, 1, 99609, 399609},
		{10, 100, 60937, 360937},
		{10, 200, 21875, 321875},
		{10, 254, 781, 300781},
		{10, 255, 390, 300390},
		{100, 1, 996093, 3996093},
		{100, 50, 804687, 3804687},
		{100, 100, 609375, 3609375},
		{100, 128, 500000, 3500000},
		{100, 200, 218750, 3218750},
		{100, 254, 7812, 3007812},
		{100, 255, 3906, 3003906},
		{1000, 1, 9960937, 39960937},
		{1000, 100, 6093750, 36093750},
		{1000, 254, 78125, 30078125},
		{4095, 1, 40790039, 163640039},
		{4095, 50, 32951953, 155801953},
		{4095, 100, 24953906, 147803906},
		{4095, 128, 20475000, 143325000},
		{4095, 200, 8957812, 131807812},
		{4095, 254, 319921, 123169921},
		{4095, 255, 159960, 123009960},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];

		assert_int_equal(vrrp_skew_us(3, r->priority, r->interval), r->skew_us);
		assert_int_equal(vrrp_down_us(3, r->priority, r->interval, 3), r->down_us);
	}
}

static void
test_worked_numbers_v2(void **state)
{
	static const struct row rows[] = {
		{1, 1, 996093, 3996093},       {1, 100, 609375, 3609375},   {1, 128, 500000, 3500000},
		{1, 200, 218750, 3218750},     {1, 254, 7812, 3007812},	    {1, 255, 3906, 3003906},
		{3, 100, 609375, 9609375},     {10, 100, 609375, 30609375}, {255, 1, 996093, 765996093},
		{255, 100, 609375, 765609375},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		uint16_t cs = (uint16_t)(r->interval * 100);

		assert_int_equal(vrrp_skew_us(2, r->priority, cs), r->skew_us);
		assert_int_equal(vrrp_down_us(2, r->priority, cs, 3), r->down_us);
	}
}

static void
test_whole_range_v3(void **state)
{
	(void)state;
	for (unsigned cs = 1; cs <= 4095; cs++) {
		for (unsigned p = 1; p <= 255; p++) {
			uint64_t skew = (uint64_t)(256 - p) * cs * 10000 / 256;

			if (vrrp_skew_us(3, (uint8_t)p, (uint16_t)cs) != skew ||
			    vrrp_down_us(3, (uint8_t)p, (uint16_t)cs, 3) != (uint64_t)cs * 30000 + skew)
				fail_msg("priority %u, %u cs", p, cs);
		}
	}
}

static void
test_whole_range_v2(void **state)
{
	(void)state;
	for (unsigned s = 1; s <= 255; s++) {
		for (unsigned p = 1; p <= 255; p++) {
			uint64_t skew = (uint64_t)(256 - p) * 1000000 / 256;

			if (vrrp_skew_us(2, (uint8_t)p, (uint16_t)(s * 100)) != skew ||
			    vrrp_down_us(2, (uint8_t)p, (uint16_t)(s * 100), 3) != s * 3000000ull + skew)
				fail_msg("priority %u, %u s", p, s);
		}
	}
}

/* At 1 cs two neighbouring priorities still differ, by 39 us. */
static void
test_skew_is_never_rounded_to_centiseconds(void **state)
{
	(void)state;
	for (unsigned p = 1; p < 255; p++) {
		usec_t here = vrrp_skew_us(3, (uint8_t)p, 1), next = vrrp_skew_us(3, (uint8_t)(p + 1), 1);

		assert_in_range(here - next, 39, 40);
	}
}

static void
test_down_adverts_replaces_the_three(void **state)
{
	(void)state;
	assert_int_equal(vrrp_down_us(3, 100, 100, 1), 1609375);
	assert_int_equal(vrrp_down_us(3, 100, 100, 2), 2609375);
	assert_int_equal(vrrp_down_us(3, 100, 100, 100), 100609375);
	assert_int_equal(vrrp_down_us(2, 100, 300, 5), 15609375);
	/* The largest of all; no 32-bit arithmetic survives it. */
	assert_int_equal(vrrp_down_us(3, 1, 4095, 100), 100ull * 40950000 + 40790039);
	assert_int_equal(vrrp_down_us(2, 1, 25500, 100), 100ull * 255000000 + 996093);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worked_numbers_v3),
		cmocka_unit_test(test_worked_numbers_v2),
		cmocka_unit_test(test_whole_range_v3),
		cmocka_unit_test(test_whole_range_v2),
		cmocka_unit_test(test_skew_is_never_rounded_to_centiseconds),
		cmocka_unit_test(test_down_adverts_replaces_the_three),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
