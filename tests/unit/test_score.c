/*
 * test_score.c - the arithmetic of graded checks: ends, hysteresis, decay, warm-up, both signs of scale, time
 * that jumps.
 */
#include "agent/score.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "sys/clock.h"

#define P	SCORE_POINT
#define DAY_US	(86400 * (usec_t)USEC_PER_SEC)
#define START_S 1000

static mono_t
at(double s)
{
	return (mono_t){(uint64_t)((START_S + s) * USEC_PER_SEC)};
}

/* Up since second 0 with this score. */
static struct score
up_with(const struct score_conf *conf, int32_t value)
{
	struct score s = {0};

	score_report(&s, conf, value, at(0));
	score_set_up(&s, true, at(0));
	return s;
}

static void
test_linear_in_both_signs(void **state)
{
	static const struct {
		int scale;
		int32_t score;
		int change;
	} rows[] = {
		{-50, 0, 0},	      {-50, 42 * P, -21},   {-50, 100 * P, -50},   {50, 0, 0},
		{50, 42 * P, 21},     {50, 100 * P, 50},    {-253, 100 * P, -253}, {253, 100 * P, 253},
		{253, 50 * P, 127},   {-253, 50 * P, -127}, {-1, 49 * P + 999, 0}, {-1, 50 * P, -1},
		{1, 49 * P + 999, 0}, {1, 50 * P, 1},	    {-100, 500, -1},	   {-100, 499, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct score_conf conf = {.scale = rows[i].scale};
		struct score s = up_with(&conf, rows[i].score);

		assert_int_equal(score_now(&s, &conf, at(0)), rows[i].score);
		assert_int_equal(score_change(&s, &conf, at(0)), rows[i].change);
	}
}

static void
test_ends(void **state)
{
	const struct score_conf bad = {.scale = -10}, good = {.scale = 10};

	(void)state;
	assert_int_equal(score_good_end(&bad), 0);
	assert_int_equal(score_bad_end(&bad), SCORE_MAX);
	assert_int_equal(score_good_end(&good), SCORE_MAX);
	assert_int_equal(score_bad_end(&good), 0);
}

static void
test_nothing_known_and_not_up(void **state)
{
	const struct score_conf bad = {.scale = -10}, good = {.scale = 10};
	struct score s = {0};

	(void)state;
	assert_int_equal(score_change(&s, &bad, at(0)), 0);
	assert_int_equal(score_change(&s, &good, at(0)), 0);
	score_set_up(&s, true, at(0)); /* by `initial`: as after a good run */
	assert_int_equal(score_change(&s, &bad, at(0)), 0);
	assert_int_equal(score_change(&s, &good, at(0)), 10);
	score_report(&s, &bad, 100 * P, at(1));
	assert_int_equal(score_change(&s, &bad, at(1)), -10);
	score_set_up(&s, false, at(2));
	assert_int_equal(score_change(&s, &bad, at(2)), 0);
}

/* The reported scores in points by turns, and the ones in force. */
static void
run_hysteresis(unsigned hysteresis, const int *reported, const int *in_force, size_t n)
{
	const struct score_conf confs[] = {{.scale = -10, .hysteresis = hysteresis},
					   {.scale = 10, .hysteresis = hysteresis}};

	for (size_t k = 0; k < ARRAY_SIZE(confs); k++) {
		struct score s = {0};

		for (size_t i = 0; i < n; i++) {
			score_report(&s, &confs[k], reported[i] * P, at((double)i));
			assert_int_equal(score_now(&s, &confs[k], at((double)i)), in_force[i] * P);
		}
	}
}

static void
test_hysteresis(void **state)
{
	static const int flaps[] = {40, 44, 36, 44, 36, 45, 41, 49, 40, 50},
			 calm[] = {40, 40, 40, 40, 40, 45, 45, 45, 40, 50};
	static const int ends[] = {3, 0, 4, 2, 98, 100, 96, 95, 99, 100},
			 reached[] = {3, 0, 0, 0, 98, 100, 100, 95, 95, 100};
	static const int off[] = {40, 41, 40, 0, 100}, wide[] = {50, 1, 99, 0, 99, 100, 1},
			 ends_only[] = {50, 50, 50, 0, 0, 100, 100};

	(void)state;
	run_hysteresis(5, flaps, calm, ARRAY_SIZE(flaps));
	run_hysteresis(5, ends, reached, ARRAY_SIZE(ends));
	run_hysteresis(0, off, off, ARRAY_SIZE(off));
	run_hysteresis(100, wide, ends_only, ARRAY_SIZE(wide));
}

static void
test_hysteresis_of_fractions(void **state)
{
	const struct score_conf conf = {.scale = -10, .hysteresis = 5};
	struct score s = up_with(&conf, 40 * P);

	(void)state;
	score_report(&s, &conf, 44 * P + 999, at(1));
	assert_int_equal(score_now(&s, &conf, at(1)), 40 * P);
	score_report(&s, &conf, 45 * P, at(2));
	assert_int_equal(score_now(&s, &conf, at(2)), 45 * P);
}

static void
test_decay_when_the_score_says_how_bad(void **state)
{
	const struct score_conf conf = {.scale = -100, .decay = 10 * USEC_PER_SEC};
	struct score s = up_with(&conf, 20 * P);

	(void)state;
	score_report(&s, &conf, 100 * P, at(1));
	assert_int_equal(score_now(&s, &conf, at(1)), 100 * P); /* worse: at once */
	score_report(&s, &conf, 0, at(2));
	assert_int_equal(score_now(&s, &conf, at(2)), 100 * P);
	assert_int_equal(score_now(&s, &conf, at(4.5)), 75 * P);
	score_report(&s, &conf, 30 * P,
		     at(5)); /* still better than the one in force: the same line, another goal */
	assert_int_equal(score_now(&s, &conf, at(7)), 50 * P);
	score_report(&s, &conf, 60 * P, at(7)); /* worse in the middle of fading */
	assert_int_equal(score_now(&s, &conf, at(7)), 60 * P);
	assert_int_equal(score_now(&s, &conf, at(20)), 60 * P);
	score_report(&s, &conf, 0, at(20)); /* begins now, not when the 60 came */
	assert_int_equal(score_now(&s, &conf, at(23)), 30 * P);
	assert_int_equal(score_change(&s, &conf, at(23)), -30);
	assert_int_equal(score_now(&s, &conf, at(25.999999)), 1);
	assert_int_equal(score_now(&s, &conf, at(26)), 0);
	assert_int_equal(score_now(&s, &conf, at(1e6)), 0);
}

static void
test_decay_when_the_score_says_how_good(void **state)
{
	const struct score_conf conf = {.scale = 100, .decay = 10 * USEC_PER_SEC};
	struct score s = up_with(&conf, 80 * P);

	(void)state;
	score_report(&s, &conf, 0, at(1));
	assert_int_equal(score_change(&s, &conf, at(1)), 0);
	score_report(&s, &conf, 100 * P, at(2));
	assert_int_equal(score_change(&s, &conf, at(2)), 0);
	assert_int_equal(score_change(&s, &conf, at(4.5)), 25);
	score_report(&s, &conf, 90 * P, at(5));
	assert_int_equal(score_change(&s, &conf, at(10)), 80);
	assert_int_equal(score_change(&s, &conf, at(11)), 90);
	assert_int_equal(score_change(&s, &conf, at(1e6)), 90);
	score_report(&s, &conf, 10 * P, at(1e6));
	assert_int_equal(score_change(&s, &conf, at(1e6)), 10);
}

/* A failure now and then, as seen by a check without numbers: each counts at once and is forgotten slowly. */
static void
test_decay_remembers_failures(void **state)
{
	const struct score_conf conf = {.scale = -50, .hysteresis = 5, .decay = 10 * USEC_PER_SEC};
	struct score s = up_with(&conf, 0);

	(void)state;
	for (int i = 1; i <= 30; i++) {
		score_report(&s, &conf, i % 5 == 0 ? score_bad_end(&conf) : score_good_end(&conf), at(i));
		if (i >= 5) /* the good run right after a bad one begins to fade */
			assert_int_equal(score_now(&s, &conf, at(i)), (100 - 10 * MAX(0, i % 5 - 1)) * P);
	}
}

/* Looking often, or reporting often, must not lose what is less than a thousandth each time. */
static void
test_decay_in_small_steps(void **state)
{
	const struct score_conf conf = {.scale = -100, .decay = DAY_US};
	struct score s = up_with(&conf, 100 * P);
	uint64_t us = at(0).us;

	(void)state;
	score_report(&s, &conf, 0, (mono_t){us});
	for (int i = 0; i < 360000; i++) {
		us += 10 * USEC_PER_MS;
		score_report(&s, &conf, i % 2, (mono_t){us});
	}
	assert_int_equal(score_now(&s, &conf, (mono_t){us}), 100 * P - 100 * P / 24); /* an hour of a day */
	assert_int_equal(score_now(&s, &conf, (mono_t){us + DAY_US}), 1);
}

static void
test_warmup_in_both_signs(void **state)
{
	const struct score_conf bad = {.scale = -100, .warmup = 10 * USEC_PER_SEC},
				good = {.scale = 100, .warmup = 10 * USEC_PER_SEC};
	struct score s = up_with(&bad, 20 * P), g = up_with(&good, 60 * P);

	(void)state;
	assert_int_equal(score_change(&s, &bad, at(0)), -100);
	assert_int_equal(score_change(&s, &bad, at(5)), -60);
	assert_int_equal(score_change(&s, &bad, at(10)), -20);
	assert_int_equal(score_now(&s, &bad, at(0)), 20 * P); /* of the priority only */
	assert_int_equal(score_change(&g, &good, at(0)), 0);
	assert_int_equal(score_change(&g, &good, at(5)), 30);
	assert_int_equal(score_change(&g, &good, at(10)), 60);
	assert_true(score_warming(&s, &bad, at(9.99)));
	assert_false(score_warming(&s, &bad, at(10)));
	score_report(&s, &bad, 100 * P, at(5)); /* no worse than the worst */
	assert_int_equal(score_change(&s, &bad, at(5)), -100);
}

static void
test_warmup_again(void **state)
{
	const struct score_conf conf = {.scale = -100, .warmup = 10 * USEC_PER_SEC};
	struct score s = up_with(&conf, 0);

	(void)state;
	score_set_up(&s, true, at(5)); /* no news */
	assert_int_equal(score_change(&s, &conf, at(5)), -50);
	score_set_up(&s, false, at(6));
	assert_int_equal(score_change(&s, &conf, at(6)), 0);
	assert_false(score_warming(&s, &conf, at(6)));
	score_set_up(&s, true, at(8));
	assert_int_equal(score_change(&s, &conf, at(8)), -100);
	assert_int_equal(score_change(&s, &conf, at(12)), -60);
	assert_int_equal(score_change(&s, &conf, at(18)), 0);
}

static void
test_warmup_not_of_what_was_up(void **state)
{
	const struct score_conf conf = {.scale = -100, .warmup = 10 * USEC_PER_SEC};
	struct score s = {0};

	(void)state;
	/* the host has just booted: its clock is younger than the warm-up */
	score_resume(&s);
	score_report(&s, &conf, 30 * P, at(0 - START_S));
	score_set_up(&s, true, at(0 - START_S));
	assert_int_equal(score_change(&s, &conf, at(0 - START_S)), -30);
	assert_false(score_warming(&s, &conf, at(0 - START_S)));
	score_set_up(&s, false, at(1 - START_S));
	score_set_up(&s, true, at(2 - START_S));
	assert_int_equal(score_change(&s, &conf, at(2 - START_S)), -100);
	assert_true(score_warming(&s, &conf, at(2 - START_S)));
}

static void
test_time_that_jumps(void **state)
{
	const struct score_conf conf = {.scale = -253, .decay = DAY_US, .warmup = DAY_US};
	struct score s = up_with(&conf, 100 * P);

	(void)state;
	score_report(&s, &conf, 0, at(0));
	/* back, even to the beginning: nothing has passed */
	assert_int_equal(score_change(&s, &conf, at(-500)), -253);
	assert_int_equal(score_now(&s, &conf, MONO_ZERO), 100 * P);
	score_report(&s, &conf, 50 * P, MONO_ZERO);
	assert_int_equal(score_now(&s, &conf, at(0)), 100 * P);
	/* far ahead: all has */
	assert_int_equal(score_now(&s, &conf, (mono_t){UINT64_MAX - 1}), 50 * P);
	score_report(&s, &conf, 0, (mono_t){UINT64_MAX - 1});
	assert_int_equal(score_change(&s, &conf, (mono_t){UINT64_MAX - 1}), -127);
	assert_int_equal(score_change(&s, &conf, MONO_NEVER), -127);
	/* the last microsecond of a day does not overflow */
	s = up_with(&conf, 100 * P);
	score_report(&s, &conf, 0, at(0));
	assert_int_equal(score_now(&s, &conf, (mono_t){at(0).us + DAY_US - 1}), 1);
}

/* Whatever comes: in range, never better than the goal, better only as fast as decay allows, worse at once. */
static void
test_random_walks(void **state)
{
	unsigned seed = (unsigned)clock_wall_us();

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (unsigned round = 0; round < 2000; round++) {
		int sign = random() % 2 ? 1 : -1;
		struct score_conf conf = {.scale = sign * (int)(1 + random() % 253),
					  .hysteresis = (unsigned)(random() % 101),
					  .decay = (usec_t)(random() % 3) * (usec_t)(random() % 20000000),
					  .warmup = (usec_t)(random() % 3) * (usec_t)(random() % 20000000)};
		struct score s = up_with(&conf, (int32_t)(random() % (SCORE_MAX + 1)));
		uint64_t us = at(0).us;

		for (unsigned step = 0; step < 40; step++) {
			int32_t before = score_now(&s, &conf, (mono_t){us}),
				value = (int32_t)(random() % (SCORE_MAX + 1)), now;
			int64_t passed = random() % 3000000, better;
			int change;

			us += (uint64_t)passed;
			score_report(&s, &conf, value, (mono_t){us});
			score_set_up(&s, random() % 8 != 0, (mono_t){us});
			now = score_now(&s, &conf, (mono_t){us});
			change = score_change(&s, &conf, (mono_t){us});
			assert_true(now >= 0 && now <= SCORE_MAX);
			assert_true(sign < 0 ? change <= 0 && change >= conf.scale
					     : change >= 0 && change <= conf.scale);
			better = sign < 0 ? before - now : now - before;
			if (conf.decay > 0)
				assert_true(better <= passed * SCORE_MAX / (int64_t)conf.decay + 1);
			if (sign < 0 ? value > before
				     : value < before) /* worse; by less than the hysteresis may be ignored */
				assert_true(abs(now - value) < (int)conf.hysteresis * P || now == value ||
					    (sign < 0 ? now > value : now < value));
		}
	}
}

static void
test_parse(void **state)
{
	static const struct {
		const char *text;
		int32_t score; /* -1: none */
	} rows[] = {
		{"0", 0},
		{"100", 100 * P},
		{"42", 42 * P},
		{"0.5", 500},
		{"42.125", 42125},
		{"42.1259", 42125},
		{"100.000", 100 * P},
		{"007", 7 * P},
		{" 42\r\n", 42 * P},
		{"\t3.25 ", 3250},
		{"99.999", 99999},
		{"100.001", -1},
		{"101", -1},
		{"-1", -1},
		{"-0", -1},
		{"", -1},
		{" ", -1},
		{"x", -1},
		{"42x", -1},
		{"4 2", -1},
		{"42.", -1},
		{".5", -1},
		{"1e1", -1},
		{"0x10", -1},
		{"42%", -1},
		{"nan", -1},
		{"inf", -1},
		{"99999999999999999999", -1},
		{"+5", -1},
		{"1,5", -1},
		{"42.5.1", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int32_t score = -1;

		if (score_parse(rows[i].text, &score) != (rows[i].score >= 0) || score != rows[i].score)
			fail_msg("\"%s\" is %d instead of %d", rows[i].text, score, rows[i].score);
	}
}

static void
test_format(void **state)
{
	static const struct {
		int32_t score;
		const char *text;
	} rows[] = {{0, "0"},	       {100 * P, "100"}, {42 * P, "42"}, {42500, "42.5"},
		    {42125, "42.125"}, {10, "0.01"},	 {10 * P, "10"}};
	char buf[SCORE_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(score_format(rows[i].score, buf), rows[i].text);
	for (int32_t score = 0; score <= SCORE_MAX; score += 7) {
		int32_t back = -1;

		assert_true(score_parse(score_format(score, buf), &back));
		assert_int_equal(back, score);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linear_in_both_signs),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_nothing_known_and_not_up),
		cmocka_unit_test(test_hysteresis),
		cmocka_unit_test(test_hysteresis_of_fractions),
		cmocka_unit_test(test_decay_when_the_score_says_how_bad),
		cmocka_unit_test(test_decay_when_the_score_says_how_good),
		cmocka_unit_test(test_decay_remembers_failures),
		cmocka_unit_test(test_decay_in_small_steps),
		cmocka_unit_test(test_warmup_in_both_signs),
		cmocka_unit_test(test_warmup_again),
		cmocka_unit_test(test_warmup_not_of_what_was_up),
		cmocka_unit_test(test_time_that_jumps),
		cmocka_unit_test(test_random_walks),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
