/*
 * test_check_patroni.c - kind "patroni" against a REST API that says exactly what a test wants.
 *
 * The real Patroni is in tests/netns; here are the moments that are hard to meet: a promotion under way, a
 * paused cluster without a leader, answers of other versions, and answers that make no sense.
 */
#include "http_fake.h"

#define PATRONI(f, up, text, ...) FAKE_EXPECT(f, IPC_CHECK_PATRONI, up, text __VA_OPT__(, ) __VA_ARGS__)
/* As Patroni answers: HTTP/1.0, no length. */
#define YES "HTTP/1.0 200 OK\r\nServer: BaseHTTP/0.6 Python/3.11.2\r\nContent-Type: application/json\r\n\r\n"
#define NO  "HTTP/1.0 503 Service Unavailable\r\nContent-Type: application/json\r\n\r\n"
#define REST                                                                                                   \
	"\"server_version\":160004,\"timeline\":3,\"dcs_last_seen\":1740823200,\"tags\":{},"                   \
	"\"patroni\":{\"version\":\"4.1.4\",\"scope\":\"pg\",\"name\":\"pg1\"},\"new_in_5\":[{\"a\":null}]"
#define PRIMARY                                                                                                \
	"{\"state\":\"running\",\"role\":\"primary\",\"xlog\":{\"location\":67395656}," REST                   \
	",\"replication\":[{\"usename\":\"rep\",\"state\":\"streaming\"}]"
#define REPLICA                                                                                                \
	"{\"state\":\"running\",\"role\":\"replica\",\"xlog\":{\"received_location\":67395656,"                \
	"\"replayed_location\":67395600,\"replayed_timestamp\":null,\"paused\":false}," REST
#define STANDBY_LEADER "{\"state\":\"running\",\"role\":\"standby_leader\"," REST

static struct fake fake;

static int
setup(void **state)
{
	(void)state;
	fake_start(&fake);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fake_stop(&fake);
	return 0;
}

/* Which body with status 200 satisfies which endpoint. */
static void
test_roles(void **state)
{
	static const struct {
		const char *role, *answer;
		bool up;
	} rows[] = {
		{"primary", YES PRIMARY "}", true},
		{"primary", YES "{\"state\":\"running\",\"role\":\"master\"}", true}, /* before 4.0 */
		{"primary", YES REPLICA "}", false},
		{"primary", YES STANDBY_LEADER "}", false},
		{"master", YES PRIMARY "}", true},
		{"read-write", YES REPLICA "}", false},
		{"leader", YES PRIMARY "}", true},
		{"leader", YES STANDBY_LEADER "}", true},
		{"leader", YES REPLICA "}", false},
		{"standby-leader", YES STANDBY_LEADER "}", true},
		{"standby-leader", YES PRIMARY "}", false},
		{"replica", YES REPLICA "}", true},
		{"replica", YES PRIMARY "}", false},
		{"replica", NO REPLICA "}", false}, /* it lags */
		{"read-only", YES PRIMARY "}", true},
		{"read-only", YES REPLICA "}", true},
		{"sync", YES REPLICA ",\"sync_standby\":true}", true},
		{"sync", YES REPLICA "}", false},
		{"sync", YES PRIMARY "}", false},
		{"synchronous", YES REPLICA ",\"sync_standby\":true}", true},
		{"quorum", YES REPLICA ",\"quorum_standby\":true}", true},
		{"quorum", YES REPLICA ",\"sync_standby\":true}", false},
		{"async", YES REPLICA "}", true},
		{"async", YES REPLICA ",\"sync_standby\":true}", false},
		{"asynchronous", YES REPLICA ",\"quorum_standby\":true}", false},
		{"read-only-sync", YES PRIMARY "}", true},
		{"read-only-sync", YES REPLICA "}", false},
		{"read-only-sync", YES REPLICA ",\"sync_standby\":true}", true},
		{"read-only-quorum", YES REPLICA ",\"quorum_standby\":true}", true},
		{"health", YES REPLICA "}", true},
		{"health", YES "{\"state\":\"running\",\"role\":\"some_future_role\"}", true},
		{"primary", YES "{\"state\":\"running\",\"role\":\"promoted\"}", false},
		{"replica", YES "{\"state\":\"running\",\"role\":\"demoted\"}", false},
		{"primary", "HTTP/1.1 404 Not Found\r\n\r\n" PRIMARY "}", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *options[] = {"role", rows[i].role, NULL};
		char line[64];
		struct fake_result got;

		fake_says(&fake, rows[i].answer);
		fake_check(&fake, IPC_CHECK_PATRONI, options, &got);
		if (got.up != rows[i].up)
			print_error("row %zu, %s: %s\n", i, rows[i].role, got.text);
		assert_int_equal(got.up, rows[i].up);
		snprintf(line, sizeof(line), "GET /x/%s HTTP/1.1\r\n", rows[i].role);
		assert_memory_equal(fake.asked, line, strlen(line));
	}
}

static void
test_every_state_but_running_is_down(void **state)
{
	static const char *const states[] = {
		"starting",
		"stopping",
		"stopped",
		"crashed",
		"restarting",
		"start failed",
		"stop failed",
		"creating replica",
		"initializing new cluster",
		"initdb failed",
		"running custom bootstrap script",
		"unknown",
		"RUNNING",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		char answer[512], text[128];

		snprintf(answer, sizeof(answer), YES "{\"state\":\"%s\",\"role\":\"master\"}", states[i]);
		snprintf(text, sizeof(text), "PostgreSQL is not running: role master, %s", states[i]);
		fake_says(&fake, answer);
		PATRONI(&fake, false, text, "role", "primary");
		PATRONI(&fake, false, text); /* health */
	}
}

static void
test_lines_for_people(void **state)
{
	(void)state;
	fake_says(&fake, YES PRIMARY ",\"pending_restart\":true,\"pending_restart_reason\":{}}");
	PATRONI(&fake, true, "role primary, running, restart pending", "role", "primary");
	fake_says(&fake, YES REPLICA "}");
	PATRONI(&fake, true, "role replica, running, replay lag 56 B", "role", "replica", "max_lag", "16MB");
	assert_memory_equal(fake.asked, "GET /x/replica?lag=16MB HTTP/1.1\r\n", 34);
	PATRONI(&fake, false,
		"holds the leader lock, but is not promoted yet: role replica, running, replay lag 56 B",
		"role", "primary");
	PATRONI(&fake, false, "wanted sync: role replica, running, replay lag 56 B", "role", "sync");
	fake_says(&fake, NO "{\"state\":\"running\",\"role\":\"replica\",\"tags\":{\"noloadbalance\":true}}");
	PATRONI(&fake, false, "/replica answers 503: role replica, running, tag noloadbalance", "role",
		"replica");
	fake_says(&fake, YES PRIMARY ",\"failsafe_mode_is_active\":true,\"cluster_unlocked\":true}");
	PATRONI(&fake, true, "role primary, running, nobody holds the leader lock, failsafe mode", "role",
		"primary");
}

/* Without a leader lock a paused cluster keeps its primary; a cluster that is not paused does not. */
static void
test_paused(void **state)
{
	(void)state;
	fake_says(&fake, NO PRIMARY ",\"pause\":true,\"cluster_unlocked\":true}");
	PATRONI(&fake, true, "role primary, running, paused, nobody holds the leader lock", "role", "primary");
	PATRONI(&fake, false,
		"/replica answers 503: role primary, running, paused, nobody holds the leader lock", "role",
		"replica");
	fake_says(&fake, NO PRIMARY ",\"cluster_unlocked\":true}");
	PATRONI(&fake, false, "/primary answers 503: role primary, running, nobody holds the leader lock",
		"role", "primary");
	/* somebody else has it */
	fake_says(&fake, NO PRIMARY ",\"pause\":true}");
	PATRONI(&fake, false, "/primary answers 503: role primary, running, paused", "role", "primary");
	fake_says(&fake, NO REPLICA ",\"pause\":true,\"cluster_unlocked\":true}");
	PATRONI(&fake, false,
		"/primary answers 503: role replica, running, replay lag 56 B, paused, nobody holds the leader "
		"lock",
		"role", "primary");
}

static void
test_status_line_only(void **state)
{
	(void)state;
	fake_says(&fake, "HTTP/1.0 200 OK\r\n\r\n");
	PATRONI(&fake, true, "/readiness answers 200", "role", "readiness");
	PATRONI(&fake, true, "/liveness answers 200", "role", "liveness");
	PATRONI(&fake, false, "/health answers 200 without role and state: is this Patroni?");
	fake_says(&fake, "HTTP/1.0 503 Service Unavailable\r\n\r\n");
	PATRONI(&fake, false, "/readiness answers 503", "role", "readiness");
}

static void
test_answers_that_make_no_sense(void **state)
{
	static const char *const answers[] = {
		YES,
		YES "{",
		YES "[]",
		YES "null",
		YES "{\"state\":1,\"role\":\"primary\"}",
		YES "{\"state\":\"running\"}",
		YES "{\"role\":\"primary\"}",
		YES "<html>running primary</html>",
		YES PRIMARY,
		YES PRIMARY "}x",
		YES "{\"state\":\"running\",\"role\":\"pri\\u0000mary\"}",
		YES "{\"state\":\"\xff\",\"role\":\"primary\"}",
		YES "\"state\"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		fake_says(&fake, answers[i]);
		PATRONI(&fake, false, "/primary answers 200 without role and state: is this Patroni?", "role",
			"primary");
	}
}

static void
test_pieces_depth_and_size(void **state)
{
	static char deep[70000] = YES "{\"state\":\"running\",\"role\":\"primary\",\"x\":";
	struct fake_result got;
	size_t n = strlen(deep);

	(void)state;
	fake_says(&fake, YES REPLICA "}");
	fake.piece = 1;
	PATRONI(&fake, true, "role replica, running, replay lag 56 B", "role", "replica");
	memset(deep + n, '[', 60000);
	fake_says(&fake, deep);
	PATRONI(&fake, false, "/primary answers 200 without role and state: is this Patroni?", "role",
		"primary");
	memset(deep + n, ' ', sizeof(deep) - n - 1);
	fake_says(&fake, deep);
	PATRONI(&fake, false, "an answer of more than 64 KiB", "role", "primary");
	fake.how = FAKE_FOR_EVER;
	fake_check(&fake, IPC_CHECK_PATRONI, NULL, &got);
	assert_false(got.up);
	fake.how = FAKE_SILENT;
	fake_check(&fake, IPC_CHECK_PATRONI, (const char *[]){"timeout", "100000", NULL}, &got);
	assert_int_equal(got.kind, CHECK_RESULT_TIMEOUT);
}

static void
test_unix_socket_and_login(void **state)
{
	char url[160];

	(void)state;
	fake_says(&fake, YES PRIMARY "}");
	snprintf(url, sizeof(url), "unix:%s", fake.path);
	PATRONI(&fake, true, "role primary, running", "url", url, "role", "primary", "username", "u",
		"password", "p");
	assert_memory_equal(fake.asked, "GET /primary HTTP/1.1\r\n", 23);
	assert_non_null(strstr(fake.asked, "\r\nAuthorization: Basic dTpw\r\n"));
	snprintf(url, sizeof(url), "unix:%s:/patroni/", fake.path);
	PATRONI(&fake, true, "role primary, running", "url", url, "role", "primary");
	assert_memory_equal(fake.asked, "GET /patroni/primary HTTP/1.1\r\n", 31);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_roles),
		T(test_every_state_but_running_is_down),
		T(test_lines_for_people),
		T(test_paused),
		T(test_status_line_only),
		T(test_answers_that_make_no_sense),
		T(test_pieces_depth_and_size),
		T(test_unix_socket_and_login),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
