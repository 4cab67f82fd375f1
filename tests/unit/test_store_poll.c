/*
 * test_store_poll.c - what kinds "etcd2" and "consul" make of answers, and what they ask. Real ones of etcd 3.4 and those of
 * the documentation; how they are asked and watched: tests/netns/test_follow_*.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/net_http.h"
#include "agent/store_poll.h"

/* Of the program, which is not linked here: no way leads there. */
void
agent_quit(struct agent *a, int status, const char *fmt, ...)
{
	(void)a;
	fail_msg("quit with %d: %s", status, fmt);
	abort();
}

#define NODE   "\"modifiedIndex\":35,\"createdIndex\":12}}"
#define LONG64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* Options of a store as the agent has them. */
static char key[] = "//service/p g/leader%", user[] = "u", password[] = "p";
static struct check_option options[] = {{"key", key}, {"username", user}, {"password", password}};
static struct store named = {.options = {.conf = {.n_options = 3}, .options = options}};
static struct store nameless = {.options = {.conf = {.n_options = 1}, .options = options}};

struct row {
	const char *name;
	const struct poll_kind *kind;
	bool polled;
	int status;
	const char *header, *body;
	enum poll_result result;
	const char *leader; /* NULL: nobody */
	uint64_t index;
	usec_t lease_us;
	const char *text;
	bool without_user;
};

#define E2 &store_etcd2_kind
#define CO &store_consul_kind

static const struct row rows[] = {
	{"the leader with a ttl", E2, false, 200, " 37\r\n",
	 "{\"action\":\"get\",\"node\":{\"key\":\"/k\",\"value\":\"pg1\",\"expiration\":\"2025-03-01T10:00:30.5Z\",\"ttl\":27," NODE,
	 POLL_OK, "pg1", 37, 26 * USEC_PER_SEC, NULL, false},
	{"in its last second", E2, false, 200, "37", "{\"action\":\"get\",\"node\":{\"value\":\"pg1\",\"ttl\":1," NODE, POLL_OK, "pg1", 37, 0,
	 NULL, false},
	{"without a ttl", E2, false, 200, "37", "{\"action\":\"get\",\"node\":{\"value\":\"pg1\"," NODE, POLL_OK, "pg1", 37, STORE_FRESH_US,
	 NULL, false},
	{"an empty value", E2, false, 200, "37", "{\"action\":\"get\",\"node\":{\"value\":\"\"," NODE, POLL_OK, "", 37, STORE_FRESH_US, NULL,
	 false},
	{"no index", E2, false, 200, NULL, "{\"action\":\"get\",\"node\":{\"value\":\"pg1\"," NODE, POLL_OK, "pg1", 0, STORE_FRESH_US, NULL,
	 false},
	{"no key", E2, false, 404, "35", "{\"errorCode\":100,\"message\":\"Key not found\",\"cause\":\"/k\",\"index\":35}", POLL_OK, NULL, 35, 0,
	 NULL, false},
	{"no API", E2, false, 404, NULL, "404 page not found\n", POLL_DENIED, NULL, 0, 0, "start etcd (up to 3.5) with --enable-v2", false},
	{"a folder", E2, false, 200, "3", "{\"action\":\"get\",\"node\":{\"key\":\"/k\",\"dir\":true," NODE, POLL_DENIED, NULL, 3,
	 STORE_FRESH_US, "the key is a folder: write the path", false},
	{"a long value", E2, false, 200, "3",
	 "{\"action\":\"get\",\"node\":{\"value\":\"" LONG64 LONG64 LONG64 LONG64 "\"," NODE, POLL_DENIED, "", 3, STORE_FRESH_US,
	 "longer than 255 octets", false},
	{"no node", E2, false, 200, "3", "{\"action\":\"get\"}", POLL_UNAVAILABLE, NULL, 0, 0, "no action or no node", false},
	{"no value", E2, false, 200, "3", "{\"action\":\"get\",\"node\":{" NODE, POLL_UNAVAILABLE, NULL, 3, STORE_FRESH_US,
	 "a node without a value", false},
	{"garbage", E2, false, 200, "3", "{\"action\"", POLL_UNAVAILABLE, NULL, 0, 0, "HTTP status 200, and no JSON", false},
	{"no user", E2, false, 401, "0", "{\"errorCode\":110,\"message\":\"The request requires user authentication\"}", POLL_DENIED, NULL, 0,
	 0, "etcd wants a user: write username and password_file", true},
	{"a wrong password", E2, false, 401, "0", "{\"errorCode\":110,\"message\":\"The request requires user authentication\"}", POLL_DENIED,
	 NULL, 0, 0, "does not let user \"u\" read the key: mend username or password_file", false},
	{"an election", E2, false, 500, "3", "{\"errorCode\":301,\"message\":\"During\\u0007 Leader Election\"}", POLL_UNAVAILABLE, NULL, 0, 0,
	 "HTTP status 500: During  Leader Election", false},
	{"an event", E2, true, 200, "30", "{\"action\":\"compareAndSwap\",\"node\":{\"value\":\"pg2\",\"ttl\":30," NODE, POLL_OK, "pg2", 35,
	 29 * USEC_PER_SEC, NULL, false},
	{"expired", E2, true, 200, "30", "{\"action\":\"expire\",\"node\":{\"key\":\"/k\"," NODE, POLL_OK, NULL, 35, 0, NULL, false},
	{"deleted", E2, true, 200, "30", "{\"action\":\"delete\",\"node\":{\"key\":\"/k\"," NODE, POLL_OK, NULL, 35, 0, NULL, false},
	{"deleted by its owner", E2, true, 200, "30", "{\"action\":\"compareAndDelete\",\"node\":{\"key\":\"/k\"," NODE, POLL_OK, NULL, 35, 0,
	 NULL, false},
	{"outdated", E2, true, 400, "30", "{\"errorCode\":401,\"message\":\"The event in requested index is outdated and cleared\"}",
	 POLL_NOTHING, NULL, 0, 0, NULL, false},
	{"closed", E2, true, 200, "30", "", POLL_NOTHING, NULL, 0, 0, NULL, false},

	{"the leader", CO, false, 200, " 190\r\n",
	 "[{\"LockIndex\":3,\"Key\":\"k\",\"Flags\":0,\"Value\":\"cGcx\",\"Session\":\"adf4238a\",\"ModifyIndex\":188}]", POLL_OK, "pg1", 190,
	 STORE_FRESH_US, NULL, false},
	{"not locked", CO, false, 200, "190", "[{\"Value\":\"cGcx\",\"ModifyIndex\":188}]", POLL_OK, NULL, 190, 0, NULL, false},
	{"null", CO, false, 200, "190", "[{\"Value\":null,\"Session\":\"a\"}]", POLL_OK, "", 190, STORE_FRESH_US, NULL, false},
	{"no key", CO, false, 404, "190", "", POLL_OK, NULL, 190, 0, NULL, false},
	{"an index of 0", CO, true, 404, " 0\r\n", "", POLL_OK, NULL, 0, 0, NULL, false},
	{"an index below 0", CO, true, 404, " -1\r\n", "", POLL_OK, NULL, 0, 0, NULL, false},
	{"an index that is none", CO, true, 404, "12x", "", POLL_OK, NULL, 0, 0, NULL, false},
	{"an index beyond 64 bits", CO, true, 404, "18446744073709551616", "", POLL_OK, NULL, 0, 0, NULL, false},
	{"the largest index", CO, true, 404, "18446744073709551615", "", POLL_OK, NULL, UINT64_MAX, 0, NULL, false},
	{"another service", CO, false, 404, NULL, "not found", POLL_DENIED, NULL, 0, 0, "this is no Consul", false},
	{"an octet that is none of a name", CO, false, 200, "5", "[{\"Value\":\"AGE=\",\"Session\":\"a\"}]", POLL_DENIED, NULL, 5, 0,
	 "the key holds no name", false},
	{"no base64", CO, false, 200, "5", "[{\"Value\":\"!\",\"Session\":\"a\"}]", POLL_DENIED, NULL, 5, 0, "the key holds no name", false},
	{"no entry", CO, false, 200, "5", "[]", POLL_UNAVAILABLE, NULL, 0, 0, "no entry with a Value", false},
	{"a number for a value", CO, false, 200, "5", "[{\"Value\":5}]", POLL_UNAVAILABLE, NULL, 0, 0, "no entry with a Value", false},
	{"an object", CO, false, 200, "5", "{}", POLL_UNAVAILABLE, NULL, 0, 0, "no JSON of Consul's", false},
	{"no leader", CO, false, 500, NULL, "No cluster leader", POLL_UNAVAILABLE, NULL, 0, 0,
	 "No cluster leader: more than half of Consul's servers must run", false},
	{"another trouble", CO, false, 500, NULL, "rpc error\n", POLL_UNAVAILABLE, NULL, 0, 0, "HTTP status 500: rpc error", false},
	{"no token", CO, false, 403, NULL, "Permission denied", POLL_DENIED, NULL, 0, 0,
	 "Consul wants a token (Permission denied): write password_file", true},
	{"a wrong token", CO, false, 403, NULL, "ACL not found", POLL_DENIED, NULL, 0, 0,
	 "Consul refuses the token (ACL not found): mend password_file", false},
	{"a bad request", CO, false, 400, NULL, "Missing key name", POLL_DENIED, NULL, 0, 0, "HTTP status 400: Missing key name: mend key",
	 false},
};

static bool
judged_well(const struct row *r)
{
	struct net_http_answer a = {.status = r->status, .header = r->header, .body = r->body, .len = strlen(r->body)};
	struct poll_answer got = {.result = POLL_OK};
	bool held = r->leader != NULL && r->result == POLL_OK;

	r->kind->judge(r->without_user ? &nameless : &named, &a, r->polled, &got);
	if (got.result == r->result && got.held == held && (!held || strcmp(got.leader, r->leader) == 0) &&
	    (r->result != POLL_OK || (got.index == r->index && got.lease_us == r->lease_us)) &&
	    (r->text == NULL || strstr(got.text, r->text) != NULL) && (r->result != POLL_DENIED || got.in_short != NULL))
		return true;
	print_error("%s, %s: result %d, held %d by \"%s\", index %llu, lease %llu us, text \"%s\"\n", r->kind->name, r->name, got.result,
		    got.held, got.leader, (unsigned long long)got.index, (unsigned long long)got.lease_us, got.text);
	return false;
}

static void
test_answers(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		wrong += !judged_well(&rows[i]);
	assert_int_equal(wrong, 0);
}

static const char *
asked(const struct poll_kind *kind, uint64_t index)
{
	static char path[256];
	struct strbuf b;

	strbuf_init(&b, path, sizeof(path));
	kind->ask(&named, index, &b);
	return path;
}

static void
test_questions(void **state)
{
	(void)state;
	assert_string_equal(asked(E2, 0), "v2/keys/service/p%20g/leader%25?quorum=true");
	assert_string_equal(asked(E2, 35), "v2/keys/service/p%20g/leader%25?wait=true&waitIndex=36");
	assert_string_equal(asked(CO, 0), "v1/kv/service/p%20g/leader%25?consistent");
	assert_string_equal(asked(CO, 35), "v1/kv/service/p%20g/leader%25?consistent&index=35&wait=30s");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_questions),
	};

	return cmocka_run_group_tests_name("store_poll", tests, NULL, NULL);
}
