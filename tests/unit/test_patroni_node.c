/*
 * test_patroni_node.c - what answers of Patroni's REST API mean: yes, no, or neither.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/patroni_node.h"
#include "base/macros.h"

enum { YES, NO, NEITHER };

static const struct {
	int status;
	const char *body;
	int primary;
} rows[] = {
	{200, "{\"state\":\"running\",\"role\":\"primary\"}", YES},
	{200, "{\"state\":\"running\",\"role\":\"master\"}", YES},
	{200, "{\"state\":\"running\",\"role\":\"primary\",\"failsafe_mode_is_active\":true}", YES},
	{200, "{\"state\":\"running\",\"role\":\"replica\"}", NO}, /* being promoted */
	{200, "{\"state\":\"unknown\",\"role\":\"primary\"}", NO}, /* PostgreSQL does not answer Patroni */
	{503, "{\"state\":\"stopping\",\"role\":\"primary\"}", NO},
	{503, "{\"state\":\"running\",\"role\":\"replica\"}", NO},
	{503, "{\"state\":\"running\",\"role\":\"replica\",\"pause\":true,\"cluster_unlocked\":true}", NO},
	{503, "{\"state\":\"running\",\"role\":\"standby_leader\"}", NO},
	{503, "{\"state\":\"running\",\"role\":\"primary\"}", NEITHER},
	{503, "{\"state\":\"running\",\"role\":\"primary\",\"pause\":true}", NEITHER}, /* another one has the lock */
	{503, "{\"state\":\"running\",\"role\":\"primary\",\"pause\":true,\"cluster_unlocked\":true}", YES},
	{503, "{\"state\":\"running\",\"role\":\"primary\",\"pause\":1,\"cluster_unlocked\":1}", NEITHER},
};

static const char *
read_body(int status, const char *body, struct patroni_node *n)
{
	return patroni_node_read(&(struct net_http_answer){.status = status, .body = body, .len = strlen(body)}, n);
}

static void
test_patroni_node_primary(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct patroni_node n;

		assert_null(read_body(rows[i].status, rows[i].body, &n));
		if (patroni_node_is_primary(&n) == (rows[i].primary == YES) &&
		    patroni_node_is_undecided(&n) == (rows[i].primary == NEITHER))
			continue;
		print_error("%d %s\n", rows[i].status, rows[i].body);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void
test_patroni_node_name_and_line(void **state)
{
	char line[256];
	struct patroni_node n;
	struct strbuf b;

	(void)state;
	assert_null(read_body(200,
			      "{\"state\":\"running\",\"role\":\"replica\",\"xlog\":{\"received_location\":7,\"replayed_location\":3},"
			      "\"tags\":{\"noloadbalance\":true},\"patroni\":{\"name\":\"pg2\"},\"pause\":true,\"sync_standby\":true}",
			      &n));
	assert_string_equal(n.name, "pg2");
	strbuf_init(&b, line, sizeof(line));
	patroni_node_describe(&n, &b);
	assert_string_equal(line, "role replica, running, replay lag 4 B, synchronous, paused, tag noloadbalance");
}

/* Places in the log that are none; by fuzz_json: their difference is beyond what a number holds. */
static void
test_patroni_node_no_lag(void **state)
{
	struct patroni_node n;

	(void)state;
	assert_null(read_body(200,
			      "{\"state\":\"running\",\"role\":\"replica\","
			      "\"xlog\":{\"received_location\":-9223372036854775807,\"replayed_location\":2}}",
			      &n));
	assert_false(n.has_lag);
}

/* Answers that are none of Patroni's. */
static void
test_patroni_node_nonsense(void **state)
{
	static const char *const bodies[] = {"", "<html>", "[]", "{}", "null", "{\"state\":1,\"role\":\"primary\"}",
					     "{\"state\":\"running\"}", "{\"role\":\"primary\"}",
					     "{\"state\":\"running\",\"role\":\"primary\"} x"};
	struct patroni_node n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		assert_string_equal(read_body(200, bodies[i], &n), "without role and state: is this Patroni?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patroni_node_primary),
		cmocka_unit_test(test_patroni_node_name_and_line),
		cmocka_unit_test(test_patroni_node_no_lag),
		cmocka_unit_test(test_patroni_node_nonsense),
	};

	return cmocka_run_group_tests_name("patroni_node", tests, NULL, NULL);
}
