/*
 * test_check_tcp.c - kind "tcp": the expected text wherever it is cut, and servers that misbehave.
 */
#include "check_local.h"

#include <sys/resource.h>

#define HOUR (3600 * USEC_PER_SEC)

static void
ask(struct env *e, struct server *s, const char *send, const char *expect, enum ipc_check_state state,
    const char *last)
{
	char line[256];

	server_start(s, e);
	env_start(e, IPC_CHECK_TCP, HOUR, 2000 * MS, "address", s->path, send != NULL ? "send" : "none",
		  send != NULL ? send : "", expect != NULL ? "expect" : "none", expect != NULL ? expect : "",
		  NULL);
	snprintf(line, sizeof(line), "%s%s", s->path, last);
	env_expect(e, state, line);
	env_close(e);
	server_stop(s);
}

static void
test_connect(void **state)
{
	struct env *e = *state;
	struct server s = {.at_once = true};

	ask(e, &s, NULL, NULL, IPC_CHECK_UP, " accepts connections");
}

static void
test_nobody_there(void **state)
{
	struct env *e = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/none", e->dir);
	env_start(e, IPC_CHECK_TCP, HOUR, 2000 * MS, "address", path, NULL);
	snprintf(path + strlen(path), 64, ": No such file or directory");
	env_expect(e, IPC_CHECK_DOWN, path);
	env_start(e, IPC_CHECK_TCP, HOUR, 2000 * MS, "address", "127.0.0.1:1", NULL);
	env_expect(e, IPC_CHECK_DOWN, "127.0.0.1:1: Connection refused");
}

static void
test_send_and_expect(void **state)
{
	struct env *e = *state;
	struct server s = {.answer = "+PONG\r\n", .len = 7};

	ask(e, &s, "PING\r\n", "+PONG", IPC_CHECK_UP, " answers as expected");
	assert_int_equal(s.n_asked, 6);
	assert_memory_equal(s.asked, "PING\r\n", 6);
}

/* One octet at a time, with beginnings of the text before it, across every cut. */
static void
test_pieces(void **state)
{
	struct env *e = *state;
	static const char answer[] = "abaabaab\0abaabac!";

	for (size_t piece = 1; piece < 18; piece++) {
		struct server s = {.answer = answer,
				   .len = 17,
				   .piece = piece,
				   .pause = 300,
				   .at_once = true,
				   .stay = true};

		ask(e, &s, NULL, "abaabac", IPC_CHECK_UP, " answers as expected");
	}
}

static void
test_other_answers(void **state)
{
	struct env *e = *state;
	struct server nothing = {.answer = "", .at_once = true};
	struct server other = {.answer = "-ERR\r\n", .len = 6, .at_once = true};
	struct server almost = {.answer = "+PON", .len = 4, .at_once = true};

	ask(e, &nothing, NULL, "+PONG", IPC_CHECK_DOWN, " closed the connection without an answer");
	ask(e, &other, NULL, "+PONG", IPC_CHECK_DOWN, " closed the connection without the expected text");
	ask(e, &almost, NULL, "+PONG", IPC_CHECK_DOWN, " closed the connection without the expected text");
}

static void
test_flood(void **state)
{
	struct env *e = *state;
	static char garbage[8192];
	struct server s = {.answer = garbage, .len = sizeof(garbage), .at_once = true, .flood = true};
	struct rusage before, after;

	memset(garbage, '+', sizeof(garbage));
	getrusage(RUSAGE_SELF, &before);
	ask(e, &s, NULL, "+PONG", IPC_CHECK_DOWN,
	    ": the expected text is not in the first 64 KiB of the answer");
	getrusage(RUSAGE_SELF, &after);
	assert_true(after.ru_maxrss - before.ru_maxrss < 32 * 1024);
}

/* The text just inside and just outside of what is looked at. */
static void
test_edge(void **state)
{
	struct env *e = *state;
	static char answer[65536 + 16];
	struct server in = {.answer = answer, .len = 65536, .at_once = true};
	struct server out = {.answer = answer, .len = 65537, .at_once = true, .stay = true};

	memset(answer, 'x', sizeof(answer));
	memcpy(answer + 65536 - 5, "+PONG", 5);
	ask(e, &in, NULL, "+PONG", IPC_CHECK_UP, " answers as expected");
	memset(answer, 'x', sizeof(answer));
	memcpy(answer + 65537 - 5, "+PONG", 5);
	ask(e, &out, NULL, "+PONG", IPC_CHECK_DOWN,
	    ": the expected text is not in the first 64 KiB of the answer");
}

static void
test_silent(void **state)
{
	struct env *e = *state;
	struct server s = {.at_once = true};

	server_start(&s, e);
	env_start(e, IPC_CHECK_TCP, HOUR, 50 * MS, "address", s.path, "expect", "x", NULL);
	env_expect(e, IPC_CHECK_DOWN, "no result within 50 ms");
	env_close(e);
	server_stop(&s);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, env_setup, env_teardown)
	const struct CMUnitTest tests[] = {
		T(test_connect), T(test_nobody_there),	T(test_send_and_expect),
		T(test_pieces),	 T(test_other_answers), T(test_flood),
		T(test_edge),	 T(test_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
