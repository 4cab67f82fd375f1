/*
 * test_role.c - names of states and actions, labels and sentences of reasons.
 *
 * The sentence of every reason is written out here once more: it is what an operator reads at the prompt and
 * what scripts match, so a change must be meant.
 */
#include "base/role.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

static struct role_cause
cause(enum role_reason reason, const char *addr, uint64_t a, uint32_t b, const char *name)
{
	struct role_cause c = {.reason = (uint8_t)reason, .a = a, .b = b};

	if (addr)
		assert_int_equal(ip_addr_parse(addr, &c.addr), 0);
	strncpy(c.name, name, sizeof(c.name) - 1);
	return c;
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(role_state_name(ROLE_STATE_INITIALIZE), "initialize");
	assert_string_equal(role_state_name(ROLE_STATE_BACKUP), "backup");
	assert_string_equal(role_state_name(ROLE_STATE_ACTIVE), "active");
	assert_string_equal(role_state_name(ROLE_STATE_FAULT), "fault");
	assert_string_equal(role_action_name(ROLE_ACTION_STATE), "state");
	assert_string_equal(role_action_name(ROLE_ACTION_ACQUIRE), "acquire");
	assert_string_equal(role_action_name(ROLE_ACTION_ADVERT), "advert");
	assert_string_equal(role_action_name(ROLE_ACTION_ANNOUNCE), "announce");
	assert_string_equal(role_action_name(ROLE_ACTION_RELEASE), "release");
}

/* Labels end up in metrics and JSON: lower case, no blanks, no two alike. */
static void
test_labels_are_distinct_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROLE_REASON_COUNT; i++) {
		const char *l = role_reason_label((enum role_reason)i);

		assert_true(l[0] != '\0');
		for (const char *p = l; *p != '\0'; p++)
			assert_true(islower((unsigned char)*p) || *p == '_');
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(l, role_reason_label((enum role_reason)j));
	}
	assert_string_equal(role_reason_label(ROLE_REASON_NO_ADVERTS), "no_adverts");
	assert_string_equal(role_reason_label(ROLE_REASON_ADDRESS_FAILED), "address_failed");
}

static void
test_sentences(void **state)
{
	static const struct {
		enum role_reason reason;
		const char *addr;
		uint64_t a;
		uint32_t b;
		const char *name;
		const char *text;
	} rows[] = {
		{ROLE_REASON_STARTING, NULL, 0, 0, "", "starting"},
		{ROLE_REASON_START_DELAY, NULL, 2500000, 0, "",
		 "waiting 2500 ms before taking part (start_delay)"},
		{ROLE_REASON_STARTED, NULL, 3609375, 0, "", "started, listening for adverts for 3609 ms"},
		{ROLE_REASON_RESUMED, NULL, 250000, 0, "",
		 "went on after 250 ms: the engine was started again"},
		{ROLE_REASON_TAKEOVER, NULL, 0, 0, "", "told to take over by command"},
		{ROLE_REASON_OWNER, NULL, 0, 0, "", "priority 255: this host owns the address"},
		{ROLE_REASON_NO_ADVERTS, "10.0.0.2", 361000, 0, "", "no adverts from 10.0.0.2 for 361 ms"},
		{ROLE_REASON_NOBODY_HEARD, NULL, 3609999, 0, "", "nobody was heard for 3609 ms"},
		{ROLE_REASON_ACTIVE_LEFT, "fe80::a", 0, 0, "", "fe80::a left (priority 0)"},
		{ROLE_REASON_PREEMPT, "192.0.2.10", 100, 50, "",
		 "192.0.2.10 advertises priority 50, lower than ours (100)"},
		{ROLE_REASON_HIGHER_PRIORITY, "192.0.2.10", 100, 150, "",
		 "192.0.2.10 advertises priority 150, higher than ours (100)"},
		{ROLE_REASON_HIGHER_ADDRESS, "192.0.2.30", 100, 100, "",
		 "192.0.2.30 advertises our priority (100) and has the higher address"},
		{ROLE_REASON_SLEPT, NULL, 60000000, 0, "",
		 "this host did not run for 60000 ms, its peers may have taken over"},
		{ROLE_REASON_INTERFACE_MISSING, NULL, 0, 0, "eth0", "interface eth0 does not exist"},
		{ROLE_REASON_INTERFACE_DOWN, NULL, 0, 0, "eth0", "interface eth0 is down"},
		{ROLE_REASON_NO_CARRIER, NULL, 0, 0, "eth0", "interface eth0 has no carrier"},
		{ROLE_REASON_NO_SOURCE, NULL, 0, 0, "eth0", "interface eth0 has no usable source address"},
		{ROLE_REASON_TRACKED_INTERFACE, NULL, 0, 0, "eth1", "tracked interface eth1 is not up"},
		{ROLE_REASON_CHECK_PENDING, NULL, 0, 0, "haproxy", "check haproxy has no result yet"},
		{ROLE_REASON_CHECK_FAILED, NULL, 0, 0, "haproxy", "check haproxy failed"},
		{ROLE_REASON_CHECK_STALE, NULL, 0, 0, "haproxy",
		 "check haproxy gave no fresh result (agent gone?)"},
		{ROLE_REASON_ADDRESS_FAILED, "192.0.2.1", 0, EEXIST, "",
		 "address 192.0.2.1 could not be added: File exists"},
		{ROLE_REASON_ADDRESS_TAKEN, "192.0.2.1", 0, 0, "",
		 "address 192.0.2.1 was removed by another program again and again"},
		{ROLE_REASON_ADDRESS_HEALED, "192.0.2.1", 0, 0, "",
		 "address 192.0.2.1 was removed by another program and put back"},
		{ROLE_REASON_ADDRESS_CONFLICT, "192.0.2.1", 0, 0, "02:00:00:00:00:01",
		 "192.0.2.1 is claimed by 02:00:00:00:00:01, too: announced again"},
		{ROLE_REASON_CONNECTIONS_RESET, NULL, 12, 0, "",
		 "12 connections to the addresses given up were reset"},
		{ROLE_REASON_SEND_FAILED, NULL, 4000000, ENOBUFS, "",
		 "adverts could not be sent for 4000 ms: No buffer space available"},
		{ROLE_REASON_STORE_AWAITED, NULL, 0, 0, "", "waiting for the store to say who is the leader"},
		{ROLE_REASON_LEADER_SELF, NULL, 0, 0, "pg1", "the leader is this node, pg1"},
		{ROLE_REASON_LEADER_OTHER, NULL, 0, 0, "pg2", "the leader is pg2"},
		{ROLE_REASON_LEADER_NONE, NULL, 0, 0, "", "there is no leader"},
		{ROLE_REASON_STORE_LOST, NULL, 4000000, 0, "no answer",
		 "the store has not confirmed the leader for 4000 ms: no answer"},
		{ROLE_REASON_LEASE_LOST, NULL, 0, 0, "no answer", "the arbiter's lease is over: no answer"},
		{ROLE_REASON_GATE_REFUSED, NULL, 0, 0, "exit status 1", "the gate refused: exit status 1"},
		{ROLE_REASON_GATE_SILENT, NULL, 5000000, 0, "", "the gate gave no answer for 5000 ms"},
		{ROLE_REASON_SERVICES_FAILED, NULL, 3, 0, "haproxy", "service haproxy failed 3 times"},
		{ROLE_REASON_SERVICE_STARTED, NULL, 12000, 0, "haproxy", "service haproxy was started, it took 12 ms"},
		{ROLE_REASON_SERVICE_STOPPED, NULL, 12000, 0, "haproxy", "service haproxy was stopped, it took 12 ms"},
		{ROLE_REASON_SERVICE_TROUBLE, NULL, 0, 2, "haproxy", "service haproxy failed, 2 times of late"},
		{ROLE_REASON_HOOK_ENDED, NULL, 12000, 3, "notify", "notify ended with exit status 3 after 12 ms"},
		{ROLE_REASON_HOOK_KILLED, NULL, 12000, 9, "notify", "notify was ended by signal 9 after 12 ms"},
		{ROLE_REASON_HOOK_TIMED_OUT, NULL, 30000000, 0, "notify",
		 "notify was ended after 30000 ms: it took longer than its time-out"},
		{ROLE_REASON_HOOK_NOT_RUN, NULL, 0, 0, "gate", "gate could not be run"},
		{ROLE_REASON_DRAINED, NULL, 0, 0, "", "drained: hands over, stays away until resumed"},
		{ROLE_REASON_REMOVED, NULL, 0, 0, "", "no longer configured"},
		{ROLE_REASON_CRASH_LOOP, NULL, 0, 0, "",
		 "vrrpd-engine keeps ending: hands over until it runs again"},
		{ROLE_REASON_STOPPING, NULL, 0, 0, "", "vrrpd is stopping"},
	};
	char buf[LIMIT_CAUSE_TEXT];

	(void)state;
	assert_int_equal(ARRAY_SIZE(rows), ROLE_REASON_COUNT);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct role_cause c = cause(rows[i].reason, rows[i].addr, rows[i].a, rows[i].b, rows[i].name);

		assert_int_equal(rows[i].reason, i);
		assert_string_equal(role_cause_text(&c, buf, sizeof(buf)), rows[i].text);
	}
}

/* The longest value in every place still fits a buffer of LIMIT_CAUSE_TEXT. */
static void
test_longest_sentences_fit(void **state)
{
	char buf[LIMIT_CAUSE_TEXT];

	(void)state;
	for (unsigned i = 0; i < ROLE_REASON_COUNT; i++) {
		struct role_cause c = cause((enum role_reason)i, "1111:2222:3333:4444:5555:6666:7777:8888",
					    UINT64_MAX, UINT32_MAX, "a-name-of-thirty-one-characters");

		role_cause_text(&c, buf, sizeof(buf));
		assert_in_range(strlen(buf), 1, sizeof(buf) - 2);
		assert_null(strchr(buf, '{'));
	}
}

/* A name that fills its array has no NUL; an errno may be unknown. Neither may harm. */
static void
test_unterminated_name_and_unknown_errno(void **state)
{
	struct role_cause c = cause(ROLE_REASON_CHECK_FAILED, NULL, 0, 0, "");
	char buf[LIMIT_CAUSE_TEXT];

	(void)state;
	memset(c.name, 'x', sizeof(c.name));
	role_cause_text(&c, buf, sizeof(buf));
	assert_int_equal(strlen(buf), strlen("check  failed") + sizeof(c.name));
	c = cause(ROLE_REASON_SEND_FAILED, NULL, 0, 99999, "");
	assert_non_null(strstr(role_cause_text(&c, buf, sizeof(buf)), "could not be sent"));
}

/* What scripts read instead of the sentence: each figure of it has a name of its own. */
static void
test_figures(void **state)
{
	struct role_cause c = cause(ROLE_REASON_PREEMPT, "10.0.0.2", 150, 100, "");
	struct role_figure f[ROLE_FIGURES_MAX];
	char addr[IP_ADDR_TEXT];

	(void)state;
	assert_int_equal(role_cause_figures(&c, addr, f), 3);
	assert_string_equal(f[0].key, "address");
	assert_string_equal(f[0].text, "10.0.0.2");
	assert_string_equal(f[1].key, "priority");
	assert_int_equal(f[1].number, 100);
	assert_string_equal(f[2].key, "own_priority");
	assert_int_equal(f[2].number, 150);
	c = cause(ROLE_REASON_STORE_LOST, NULL, 2500000, 0, "connection refused");
	assert_int_equal(role_cause_figures(&c, addr, f), 2);
	assert_string_equal(f[0].key, "ms");
	assert_int_equal(f[0].number, 2500);
	assert_string_equal(f[1].key, "name");
	assert_string_equal(f[1].text, "connection refused");
	c = cause(ROLE_REASON_SEND_FAILED, NULL, 1000, ENOBUFS, "");
	assert_int_equal(role_cause_figures(&c, addr, f), 2);
	assert_string_equal(f[1].key, "error");
	assert_string_equal(f[1].text, strerror(ENOBUFS));
	c = cause(ROLE_REASON_OWNER, NULL, 0, 0, "");
	assert_int_equal(role_cause_figures(&c, addr, f), 0);
	for (unsigned i = 0; i < ROLE_REASON_COUNT; i++) {
		c = cause((enum role_reason)i, "10.0.0.2", 1, 1, "x");
		for (unsigned n = role_cause_figures(&c, addr, f); n > 0; n--)
			if (strlen(f[n - 1].key) < 2) /* the table in role.c has no name for it */
				fail_msg("%s: what does {%s} count?", role_reason_label(c.reason), f[n - 1].key);
	}
}

static void
test_small_buffers_cut_the_sentence(void **state)
{
	struct role_cause c = cause(ROLE_REASON_NO_ADVERTS, "10.0.0.2", 361000, 0, "");
	static const char whole[] = "no adverts from 10.0.0.2 for 361 ms";
	char buf[sizeof(whole)];

	(void)state;
	for (size_t size = 1; size <= sizeof(whole); size++) {
		memset(buf, 'x', sizeof(buf));
		assert_ptr_equal(role_cause_text(&c, buf, size), buf);
		assert_int_equal(strlen(buf), size - 1);
		assert_memory_equal(buf, whole, size - 1);
		for (size_t i = size; i < sizeof(buf); i++)
			assert_int_equal(buf[i], 'x');
	}
}

static void
test_actions_are_appended_in_order_and_empty(void **state)
{
	struct role_actions out = {0};

	(void)state;
	memset(out.v, 0xff, sizeof(out.v));
	for (unsigned i = 0; i < ROLE_ACTIONS_MAX; i++) {
		struct role_action *a = role_actions_add(&out, ROLE_ACTION_ADVERT);

		assert_ptr_equal(a, &out.v[i]);
		assert_int_equal(out.n, i + 1);
		assert_int_equal(a->kind, ROLE_ACTION_ADVERT);
		assert_int_equal(a->priority, 0);
		assert_int_equal(a->epoch, 0);
		assert_int_equal(a->cause.reason, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_labels_are_distinct_words),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_longest_sentences_fit),
		cmocka_unit_test(test_unterminated_name_and_unknown_errno),
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_small_buffers_cut_the_sentence),
		cmocka_unit_test(test_actions_are_appended_in_order_and_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
