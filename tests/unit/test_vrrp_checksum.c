/*
 * test_vrrp_checksum.c - the ones' complement sum and both pseudo-headers (RFC 1071, RFC 9568 5.2.8).
 *
 * Checked against sums worked by hand and against a slow second implementation over random octets.
 */
#include "proto/vrrp_checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/macros.h"
#include "support/vectors.h"

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}

/* Word by word, the carry taken round after each addition. */
static uint16_t
slow_sum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i += 2) {
		sum += (uint32_t)(p[i] << 8 | (i + 1 < n ? p[i + 1] : 0));
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return (uint16_t)sum;
}

static uint16_t
sum_of(const char *hex)
{
	uint8_t buf[VECTOR_OCTETS_MAX];
	int n = hex_octets(hex, buf, sizeof(buf));

	assert_true(n >= 0);
	return vrrp_checksum_fold(vrrp_checksum_add(0, buf, (size_t)n));
}

static void
test_sums_worked_by_hand(void **state)
{
	(void)state;
	assert_int_equal(sum_of("3133 6401 0064 0000 c000 0201"), 0x579a);		       /* V01 */
	assert_int_equal(sum_of("3133 6401 f064 0000 c000 0201"), 0x479b);		       /* V05 */
	assert_int_equal(sum_of("2133 6401 0001 0000 c000 0201 0000 0000 0000 0000"), 0x4737); /* V08 */
	assert_int_equal(sum_of("2133 9601 0101 0000 c000 0201 3131 3131 0000 0000"), 0xdc99); /* V10 */
	assert_int_equal(sum_of("3107 0001 000a 0000 fe80 0000 0000 0000 0000 0000 0000 0007"),
			 0x2f9a);				 /* V07 */
	assert_int_equal(sum_of("3133 6400 0064 0000"), 0x9597); /* N06 */
}

static void
test_pseudo_headers_worked_by_hand(void **state)
{
	struct ip_addr a = addr("192.0.2.10"), group = addr("224.0.0.18");
	struct ip_addr b = addr("fe80::200:5eff:fe00:5301"), group6 = addr("ff02::12");

	(void)state;
	assert_int_equal(vrrp_checksum_fold(vrrp_checksum_pseudo(&a, &group, 12)), 0xa299);  /* V02 */
	assert_int_equal(vrrp_checksum_fold(vrrp_checksum_pseudo(&b, &group6, 24)), 0xb01f); /* V07 */
}

/* A message with the right checksum in place folds to ffff; the checksum 0000 of V14 is an ordinary one. */
static void
test_right_messages_fold_to_ffff(void **state)
{
	static const char *const names[] = {"V01", "V03", "V04", "V05", "V08", "V09", "V10",
					    "V14", "N02", "N03", "N05", "N06", "N07", "N08"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		print_message("%s\n", names[i]);
		assert_int_equal(sum_of(vector_find(names[i])->rest), 0xffff);
	}
	assert_int_not_equal(sum_of(vector_find("N04")->rest), 0xffff);
	assert_int_not_equal(sum_of(vector_find("V02")->rest), 0xffff);
	assert_int_not_equal(sum_of(vector_find("V06")->rest), 0xffff);
}

static void
test_right_messages_with_pseudo_header_fold_to_ffff(void **state)
{
	static const struct {
		const char *name, *src, *dst;
	} rows[] = {
		{"V02", "192.0.2.10", "224.0.0.18"},
		{"V13", "192.0.2.10", "192.0.2.20"},
		{"V06", "fe80::a", "ff02::12"},
		{"V07", "fe80::200:5eff:fe00:5301", "ff02::12"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t buf[VECTOR_OCTETS_MAX];
		int n = hex_octets(vector_find(rows[i].name)->rest, buf, sizeof(buf));
		struct ip_addr src = addr(rows[i].src), dst = addr(rows[i].dst);
		uint32_t sum = vrrp_checksum_pseudo(&src, &dst, (size_t)n);

		assert_int_equal(vrrp_checksum_fold(vrrp_checksum_add(sum, buf, (size_t)n)), 0xffff);
	}
}

static void
test_fold_takes_every_carry(void **state)
{
	(void)state;
	assert_int_equal(vrrp_checksum_fold(0), 0);
	assert_int_equal(vrrp_checksum_fold(0xffff), 0xffff);
	assert_int_equal(vrrp_checksum_fold(0x10000), 1);
	assert_int_equal(vrrp_checksum_fold(0x1ffff), 1); /* the carry of the carry */
	assert_int_equal(vrrp_checksum_fold(0xffffffff), 0xffff);
}

static void
test_odd_octet_is_the_high_half(void **state)
{
	static const uint8_t odd[] = {0x12, 0x34, 0x56};

	(void)state;
	assert_int_equal(vrrp_checksum_fold(vrrp_checksum_add(0, odd, 3)), 0x1234 + 0x5600);
	assert_int_equal(vrrp_checksum_fold(vrrp_checksum_add(7, odd, 0)), 7);
}

/* The largest message is all ones: the unfolded sum must not overflow. */
static void
test_largest_message_of_ones(void **state)
{
	static uint8_t big[8 + 255 * 16];

	(void)state;
	memset(big, 0xff, sizeof(big));
	assert_int_equal(vrrp_checksum_fold(vrrp_checksum_add(0, big, sizeof(big))), 0xffff);
}

static void
test_random_octets_agree_with_the_slow_sum(void **state)
{
	unsigned seed = (unsigned)time(NULL);
	uint8_t buf[512];

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < 2000; i++) {
		size_t n = (size_t)rand() % sizeof(buf), cut = n ? ((size_t)rand() % n) & ~(size_t)1 : 0;
		uint32_t sum;

		for (size_t j = 0; j < n; j++)
			buf[j] = (uint8_t)rand();
		assert_int_equal(vrrp_checksum_fold(vrrp_checksum_add(0, buf, n)), slow_sum(buf, n));
		/* The sum of two parts is the sum of the whole. */
		sum = vrrp_checksum_add(0, buf, cut);
		sum = vrrp_checksum_add(sum, buf + cut, n - cut);
		assert_int_equal(vrrp_checksum_fold(sum), slow_sum(buf, n));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums_worked_by_hand),
		cmocka_unit_test(test_pseudo_headers_worked_by_hand),
		cmocka_unit_test(test_right_messages_fold_to_ffff),
		cmocka_unit_test(test_right_messages_with_pseudo_header_fold_to_ffff),
		cmocka_unit_test(test_fold_takes_every_carry),
		cmocka_unit_test(test_odd_octet_is_the_high_half),
		cmocka_unit_test(test_largest_message_of_ones),
		cmocka_unit_test(test_random_octets_agree_with_the_slow_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
