/*
 * test_check_tcp.c - kind "tcp": the expected text wherever it is cut, and servers that misbehave.
 */
#include "check_local.h"

#include <arpa/inet.h>
#include <netinet/in.h>
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

/* ---- a server whose queue is full --------------------------------------------------------------- */

struct full {
	struct env *env;
	int listener, fill[2]; /* more than a queue of length 0 takes */
	struct loop_timer *timer;
	char address[32];
	int open[8];
	unsigned n_open;
};

static void
full_start(struct full *f)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof(sa);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(f->listener, 0), 0);
	assert_int_equal(getsockname(f->listener, (struct sockaddr *)&sa, &len), 0);
	snprintf(f->address, sizeof(f->address), "127.0.0.1:%u", ntohs(sa.sin_port));
	for (unsigned i = 0; i < 2; i++) {
		f->fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(f->fill[i], (struct sockaddr *)&sa, sizeof(sa));
	}
}

static void
full_stop(struct full *f)
{
	close(f->listener);
	close(f->fill[0]);
	close(f->fill[1]);
	for (unsigned i = 0; i < f->n_open; i++)
		close(f->open[i]);
}

/* Nobody was let in so far: from now on everybody is. */
static void
full_open(void *arg, mono_t now)
{
	struct full *f = arg;
	int fd;

	assert_true(f->n_open > 0 || f->env->reports == 0);
	while (f->n_open < ARRAY_SIZE(f->open) && (fd = accept(f->listener, NULL, NULL)) >= 0) {
		(void)send(fd, "hello", 5, MSG_NOSIGNAL);
		f->open[f->n_open++] = fd;
	}
	loop_timer_set(f->timer, mono_add(now, 20 * MS));
}

/* The connection that stands only later, when the kernel asks again. */
static void
test_connected_later(void **state)
{
	struct env *e = *state;
	static const char *const expects[] = {"", "hello"};

	for (unsigned i = 0; i < 2; i++) {
		struct full f = {.env = e};

		full_start(&f);
		env_start(e, IPC_CHECK_TCP, HOUR, 8000 * MS, "address", f.address, "expect", expects[i], "send",
			  "question", NULL);
		f.timer = loop_timer_add(e->loop, full_open, &f);
		loop_timer_set(f.timer, mono_add(clock_mono(), 100 * MS));
		assert_true(env_run(e, env_has_result));
		assert_int_equal(env_check(e)->state, IPC_CHECK_UP);
		assert_true(env_check(e)->took_us >= 100 * MS);
		loop_timer_del(f.timer);
		env_close(e);
		full_stop(&f);
	}
}

/* A server that lets nobody in is down, although the kernel still answers for it. */
static void
test_not_accepted(void **state)
{
	struct env *e = *state;
	struct full f = {.env = e};

	full_start(&f);
	env_start(e, IPC_CHECK_TCP, HOUR, 100 * MS, "address", f.address, NULL);
	env_expect(e, IPC_CHECK_DOWN, "no result within 100 ms");
	env_close(e);
	full_stop(&f);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, env_setup, env_teardown)
	const struct CMUnitTest tests[] = {
		T(test_connect),      T(test_nobody_there),  T(test_send_and_expect),
		T(test_pieces),	      T(test_other_answers), T(test_flood),
		T(test_edge),	      T(test_silent),	     T(test_connected_later),
		T(test_not_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
