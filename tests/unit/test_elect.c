/*
 * test_elect.c - words of the election that the configuration and people read, and what of commands fits a mode. What it decides
 * is in tests/cases.
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

/* What was told in one mode goes on in another one as far as that knows it: draining always. */
static void
test_override_fit(void **state)
{
	static const struct {
		uint8_t mode;
		bool takeover;
		uint8_t priority;
	} rows[] = {{ELECT_MODE_VRRP, true, 200}, {ELECT_MODE_LEASE, false, 200}, {ELECT_MODE_FOLLOW, false, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct elect_override o = {.drained = true, .takeover = true, .priority = 200};
		const struct elect_conf conf = {.mode = rows[i].mode};

		o.drained_until = o.takeover_until = o.priority_until = (mono_t){1000};
		elect_override_fit(&o, &conf);
		assert_true(o.drained);
		assert_int_equal(o.drained_until.us, 1000);
		assert_int_equal(o.takeover, rows[i].takeover);
		assert_int_equal(o.takeover_until.us, rows[i].takeover ? 1000 : MONO_NEVER.us);
		assert_int_equal(o.priority, rows[i].priority);
		assert_int_equal(o.priority_until.us, rows[i].priority != 0 ? 1000 : MONO_NEVER.us);
	}
}

/* A reload removes an instance, and what it tracked with it: its priority does not go up before it has left. */
static void
test_removed_keeps_its_priority(void **state)
{
	const struct elect_conf conf = {.name = "i",
					.ifname = "eth0",
					.priority = 150,
					.n_tracks = 1,
					.leave_us = USEC_PER_SEC,
					.vrrp = {.version = 3, .down_adverts = 3, .preempt = true, .adver_int_cs = 100},
					.tracks = {{.has_weight = true, .weight = -20, .name = "chk"}}};
	struct elect_conf last = conf;
	struct elect_event down = {.kind = ELECT_EVENT_TRACK, .track_state = ELECT_TRACK_DOWN};
	struct elect_event start = {.kind = ELECT_EVENT_START}, removed = {.kind = ELECT_EVENT_STOP, .on = true};
	struct role_actions out = {.n = 0};
	struct elect old, e;
	mono_t now = {1000000};

	(void)state;
	last.n_tracks = 0;
	elect_init(&old, &conf, now);
	elect_step(&old, &start, now, &out);
	elect_step(&old, &down, now, &out);
	assert_int_equal(old.priority, 130);
	elect_adopt(&e, &last, &old);
	elect_step(&e, &removed, now, &out);
	elect_check(&e);
	assert_int_equal(e.priority, 130);
	removed.on = false; /* and then vrrpd itself stops */
	elect_step(&e, &removed, now, &out);
	elect_check(&e);
	assert_int_equal(e.priority, 130);
	assert_int_equal(e.stop_reason, ROLE_REASON_REMOVED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_override_fit),
		cmocka_unit_test(test_removed_keeps_its_priority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
