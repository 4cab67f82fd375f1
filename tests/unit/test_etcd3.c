/*
 * test_etcd3.c - answers of etcd's JSON gateway, as versions from 3.3 to 3.6 write them, and what is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/etcd3.h"
#include "base/macros.h"

#define HEADER                                                                                                         \
	"\"header\":{\"cluster_id\":\"14841639068965178418\",\"member_id\":\"10276657743932975437\",\"revision\":\"812\"," \
	"\"raft_term\":\"5\"}"
#define LEASE UINT64_C(7587883402143269382)

static struct etcd3_answer
answer(int status, const char *body)
{
	struct etcd3_answer a;

	memset(&a, 'x', sizeof(a)); /* nothing of what was there before counts */
	etcd3_parse(status, body, strlen(body), &a);
	return a;
}

static struct etcd3_answer
event(const char *line)
{
	struct etcd3_answer a;

	memset(&a, 'x', sizeof(a));
	etcd3_parse_event(line, strlen(line), &a);
	return a;
}

static void
assert_header(const struct etcd3_answer *a)
{
	assert_int_equal(a->kind, ETCD3_OK);
	assert_true(a->header.cluster == UINT64_C(14841639068965178418)); /* more than a signed number holds */
	assert_int_equal(a->header.term, 5);
	assert_int_equal(a->header.revision, 812);
}

static void
assert_key(const struct etcd3_answer *a, const char *value, uint64_t lease, uint64_t mod_revision)
{
	assert_int_equal(a->kind, ETCD3_OK);
	assert_true(a->has_key && a->key.there);
	assert_string_equal(a->key.value, value);
	assert_true(a->key.lease == lease);
	assert_int_equal(a->key.mod_revision, mod_revision);
}

/* ---- calls ---------------------------------------------------------------------------------------------------- */

static void
test_range(void **state)
{
	struct etcd3_answer a = answer(
		200, "{" HEADER ",\"kvs\":[{\"key\":\"L3NlcnZpY2UvcGcvbGVhZGVy\",\"create_revision\":\"790\",\"mod_revision\":\"790\","
		     "\"version\":\"1\",\"value\":\"cGcx\",\"lease\":\"7587883402143269382\"}],\"count\":\"1\"}");

	(void)state;
	assert_header(&a);
	assert_key(&a, "pg1", LEASE, 790);
	/* Numbers as numbers; fields that nobody knows; no lease. */
	a = answer(200, "{\"header\":{\"cluster_id\":7,\"revision\":812,\"raft_term\":5,\"new\":[{}]},\"more\":true,"
			"\"kvs\":[{\"mod_revision\":790,\"value\":\"cGcx\"}]}");
	assert_int_equal(a.header.cluster, 7);
	assert_key(&a, "pg1", 0, 790);
	/* An empty value is left out. */
	a = answer(200, "{" HEADER ",\"kvs\":[{\"key\":\"L3g=\",\"mod_revision\":\"790\"}],\"count\":\"1\"}");
	assert_key(&a, "", 0, 790);
	/* No key: that is an answer, too. */
	a = answer(200, "{" HEADER "}");
	assert_header(&a);
	assert_true(a.has_key);
	assert_false(a.key.there);
}

static void
test_values_that_are_no_name(void **state)
{
	static const char *const rows[] = {"cGcxAHg=", "cGc*", "cGc"}; /* a NUL in it; not base64 */
	char body[2048], text[513];

	(void)state;
	for (size_t i = 0; i <= ARRAY_SIZE(rows); i++) {
		struct etcd3_answer a;

		memset(text, 'Y', sizeof(text) - 1); /* 384 octets */
		text[sizeof(text) - 1] = '\0';
		snprintf(body, sizeof(body), "{" HEADER ",\"kvs\":[{\"mod_revision\":\"790\",\"value\":\"%s\"}]}",
			 i < ARRAY_SIZE(rows) ? rows[i] : text);
		a = answer(200, body);
		assert_int_equal(a.kind, ETCD3_DENIED);
		assert_non_null(strstr(a.text, "the key holds no name"));
		snprintf(body, sizeof(body),
			 "{\"result\":{" HEADER ",\"events\":[{\"kv\":{\"mod_revision\":\"790\",\"value\":\"%s\"}}]}}",
			 i < ARRAY_SIZE(rows) ? rows[i] : text);
		a = event(body);
		assert_int_equal(a.kind, ETCD3_DENIED);
		assert_non_null(strstr(a.text, "the key holds no name"));
	}
}

static void
test_txn(void **state)
{
	struct etcd3_answer a = answer(200, "{" HEADER ",\"succeeded\":true,\"responses\":[{\"response_put\":{\"header\":"
					    "{\"revision\":\"813\"}}}]}");

	(void)state;
	assert_header(&a);
	assert_true(a.succeeded);
	assert_false(a.has_key);
	a = answer(200, "{" HEADER ",\"responses\":[{\"response_range\":{" HEADER
			",\"kvs\":[{\"mod_revision\":\"800\",\"value\":\"cGcy\",\"lease\":\"5\"}],\"count\":\"1\"}}]}");
	assert_false(a.succeeded);
	assert_key(&a, "pg2", 5, 800);
	a = answer(200, "{" HEADER ",\"responses\":[{\"response_range\":{" HEADER "}}]}"); /* gone meanwhile */
	assert_true(a.has_key && !a.succeeded && !a.key.there);
}

static void
test_leases(void **state)
{
	static const struct {
		const char *body;
		uint64_t lease;
		int64_t ttl;
	} rows[] = {
		{"{" HEADER ",\"ID\":\"7587883402143269382\",\"TTL\":\"15\"}", LEASE, 15},		   /* grant */
		{"{\"result\":{" HEADER ",\"ID\":\"7587883402143269382\",\"TTL\":\"15\"}}\n", LEASE, 15}, /* keepalive */
		{"{\"result\":{" HEADER ",\"ID\":\"7587883402143269382\"}}\n", LEASE, 0},		   /* it is gone */
		{"{" HEADER ",\"ID\":\"7587883402143269382\",\"TTL\":\"-1\"}", LEASE, -1},		   /* timetolive, gone */
		{"{" HEADER ",\"ID\":7587883402143269382,\"TTL\":9,\"grantedTTL\":\"30\"}", LEASE, 9},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct etcd3_answer a = answer(200, rows[i].body);

		assert_header(&a);
		assert_true(a.lease == rows[i].lease);
		assert_int_equal(a.ttl, rows[i].ttl);
	}
}

static void
test_token(void **state)
{
	char body[2 * ETCD3_TOKEN_MAX + 256], token[2 * ETCD3_TOKEN_MAX];
	struct etcd3_answer a = answer(200, "{" HEADER ",\"token\":\"PmGRUbrKTHYQhVFn.1024\"}");

	(void)state;
	assert_string_equal(a.token, "PmGRUbrKTHYQhVFn.1024");
	for (size_t len = ETCD3_TOKEN_MAX - 1; len <= ETCD3_TOKEN_MAX; len++) {
		memset(token, 't', len);
		token[len] = '\0';
		snprintf(body, sizeof(body), "{" HEADER ",\"token\":\"%s\"}", token);
		a = answer(200, body);
		assert_string_equal(a.token, len < ETCD3_TOKEN_MAX ? token : ""); /* a part of one is none */
	}
}

/* ---- errors --------------------------------------------------------------------------------------------------- */

static void
test_errors(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum etcd3_kind kind;
		const char *text;
	} rows[] = {
		{503, "{\"code\":14,\"message\":\"etcdserver: no leader\",\"details\":[]}", ETCD3_UNAVAILABLE, "no leader"},
		{503, "{\"error\":\"etcdserver: request timed out\",\"code\":14,\"message\":\"etcdserver: request timed out\"}",
		 ETCD3_UNAVAILABLE, "request timed out"},
		{503, "{\"Error\":\"etcdserver: no leader\",\"Code\":14}", ETCD3_UNAVAILABLE, "no leader"},
		{500, "{\"error\":\"not a primary lessor\",\"code\":2}", ETCD3_UNAVAILABLE, "primary lessor"},
		{401, "{\"error\":\"etcdserver: invalid auth token\",\"code\":16}", ETCD3_AUTH, "invalid auth token"},
		{400, "{\"error\":\"etcdserver: user name is empty\",\"code\":3}", ETCD3_AUTH, "user name is empty"},
		{400, "{\"error\":\"etcdserver: revision of auth store is old\",\"code\":3}", ETCD3_AUTH, "auth store is old"},
		{400, "{\"code\":3,\"message\":\"etcdserver: authentication failed, invalid user ID or password\"}", ETCD3_DENIED,
		 "authentication failed"},
		{412, "{\"error\":\"etcdserver: authentication is not enabled\",\"code\":9}", ETCD3_DENIED, "is not enabled"},
		{403, "{\"error\":\"etcdserver: permission denied\",\"code\":7}", ETCD3_DENIED, "permission denied"},
		{501, "{\"error\":\"unknown method\",\"code\":12}", ETCD3_NO_GATEWAY, "unknown method"},
		{404, "404 page not found\n", ETCD3_NO_GATEWAY, "HTTP status 404"},
		{200, "<html>hello</html>", ETCD3_NO_GATEWAY, "HTTP status 200"},
		{502, "<html>Bad Gateway</html>", ETCD3_UNAVAILABLE, "HTTP status 502"},
		{503, "", ETCD3_UNAVAILABLE, "HTTP status 503"},
		{503, "[]", ETCD3_UNAVAILABLE, "HTTP status 503"},
		{503, "{}", ETCD3_UNAVAILABLE, ""},
		{200, "{\"header\":", ETCD3_NO_GATEWAY, "HTTP status 200"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct etcd3_answer a = answer(rows[i].status, rows[i].body);

		if (a.kind != rows[i].kind || strstr(a.text, rows[i].text) == NULL)
			fail_msg("%s: kind %d, \"%s\"", rows[i].body, a.kind, a.text);
		assert_false(a.has_key);
	}
}

/* ---- the watch ------------------------------------------------------------------------------------------------- */

static void
test_events(void **state)
{
	struct etcd3_answer a = event("{\"result\":{" HEADER ",\"created\":true}}");

	(void)state;
	assert_header(&a);
	assert_false(a.has_key);
	a = event("{\"result\":{" HEADER "}}"); /* progress */
	assert_header(&a);
	assert_false(a.has_key);
	a = event("{\"result\":{" HEADER ",\"events\":[{\"kv\":{\"key\":\"L3g=\",\"create_revision\":\"820\",\"mod_revision\":"
		  "\"820\",\"version\":\"1\",\"value\":\"cGcy\",\"lease\":\"7587883402143269382\"}}]}}");
	assert_key(&a, "pg2", LEASE, 820);
	a = event("{\"result\":{" HEADER ",\"events\":[{\"kv\":{\"key\":\"L3g=\",\"mod_revision\":\"820\"}}]}}");
	assert_key(&a, "", 0, 820);
	a = event("{\"result\":{" HEADER ",\"events\":[{\"type\":\"DELETE\",\"kv\":{\"key\":\"L3g=\",\"mod_revision\":\"821\"},"
		  "\"prev_kv\":{\"value\":\"cGcy\"}}]}}");
	assert_int_equal(a.kind, ETCD3_OK);
	assert_true(a.has_key && !a.key.there);
	assert_int_equal(a.key.mod_revision, 821);
}

/* The last one counts, and an earlier value that is no name does no harm. */
static void
test_several_events(void **state)
{
#define PUT(revision, value) "{\"kv\":{\"mod_revision\":\"" #revision "\",\"value\":\"" value "\"}}"
#define DELETE(revision)     "{\"type\":\"DELETE\",\"kv\":{\"mod_revision\":\"" #revision "\"}}"
	struct etcd3_answer a = event("{\"result\":{" HEADER ",\"events\":[" PUT(820, "cGcx") "," DELETE(821) "," PUT(822, "cGcy") "]}}");

	(void)state;
	assert_key(&a, "pg2", 0, 822);
	a = event("{\"result\":{" HEADER ",\"events\":[" PUT(820, "cGcx") "," DELETE(821) "]}}");
	assert_true(a.has_key && !a.key.there);
	assert_int_equal(a.key.mod_revision, 821);
	a = event("{\"result\":{" HEADER ",\"events\":[" PUT(820, "AAAA") "," PUT(821, "cGcx") "]}}");
	assert_key(&a, "pg1", 0, 821);
}

static void
test_the_watch_ends(void **state)
{
	static const struct {
		const char *line;
		enum etcd3_kind kind;
		const char *text;
	} rows[] = {
		{"{\"error\":{\"code\":14,\"message\":\"etcdserver: no leader\",\"details\":[]}}", ETCD3_UNAVAILABLE, "no leader"},
		{"{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"etcdserver: no leader\",\"http_status\":\"Service "
		 "Unavailable\"}}",
		 ETCD3_UNAVAILABLE, "no leader"},
		{"{\"error\":{\"grpc_code\":16,\"http_code\":401,\"message\":\"etcdserver: invalid auth token\"}}", ETCD3_AUTH,
		 "invalid auth token"},
		{"{\"result\":{" HEADER ",\"canceled\":true,\"compact_revision\":\"850\"}}", ETCD3_COMPACTED, "cancelled"},
		{"{\"result\":{" HEADER ",\"canceled\":true,\"compact_revision\":850,\"cancel_reason\":\"etcdserver: mvcc: required "
		 "revision has been compacted\"}}",
		 ETCD3_COMPACTED, "compacted"},
		{"{\"result\":{" HEADER ",\"created\":true,\"canceled\":true,\"watch_id\":\"-1\",\"cancel_reason\":\"rpc error: code "
		 "= PermissionDenied desc = etcdserver: permission denied\"}}",
		 ETCD3_DENIED, "permission denied"},
		{"{\"result\":{" HEADER ",\"canceled\":true,\"cancel_reason\":\"etcdserver: no leader\"}}", ETCD3_UNAVAILABLE,
		 "no leader"},
		{"{\"result\":{" HEADER ",\"canceled\":true,\"cancel_reason\":\"rpc error: code = Unauthenticated desc = etcdserver: "
		 "invalid auth token\"}}",
		 ETCD3_AUTH, "invalid auth token"},
		{"{\"other\":1}", ETCD3_UNAVAILABLE, "no event"},
		{"no JSON", ETCD3_UNAVAILABLE, "no event"},
		{"", ETCD3_UNAVAILABLE, "no event"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct etcd3_answer a = event(rows[i].line);

		if (a.kind != rows[i].kind || strstr(a.text, rows[i].text) == NULL)
			fail_msg("%s: kind %d, \"%s\"", rows[i].line, a.kind, a.text);
		assert_false(a.has_key);
	}
}

/* Every beginning of an answer, and every answer with one octet changed: read to its end, and no name comes from nowhere. */
static void
test_damaged(void **state)
{
	static const char good[] = "{\"result\":{" HEADER ",\"events\":[{\"type\":\"DELETE\",\"kv\":{\"mod_revision\":\"819\"}},{\"kv\":"
				   "{\"mod_revision\":\"820\",\"value\":\"cGcy\",\"lease\":\"5\"}}]}}";
	char line[sizeof(good)];
	struct etcd3_answer a;

	(void)state;
	for (size_t n = 0; n < sizeof(good) - 1; n++) {
		etcd3_parse_event(good, n, &a);
		assert_int_equal(a.kind, ETCD3_UNAVAILABLE);
		etcd3_parse(200, good, n, &a);
		assert_int_not_equal(a.kind, ETCD3_OK);
		memcpy(line, good, sizeof(good));
		for (int c = 1; c < 256; c++) {
			line[n] = (char)c;
			etcd3_parse_event(line, sizeof(good) - 1, &a);
			assert_true(a.kind != ETCD3_OK || !a.has_key || !a.key.there || strlen(a.key.value) <= 3);
			etcd3_parse(200, line, sizeof(good) - 1, &a);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_values_that_are_no_name),
		cmocka_unit_test(test_txn),
		cmocka_unit_test(test_leases),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_several_events),
		cmocka_unit_test(test_the_watch_ends),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests_name("etcd3", tests, NULL, NULL);
}
