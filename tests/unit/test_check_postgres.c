/*
 * test_check_postgres.c - kind "postgres" without a password: first message, every first answer in every cut,
 * garbage.
 */
#include "check_local.h"

#include "agent/pg_hello.h"

#define HOUR (3600 * USEC_PER_SEC)

#define FIELDS(code, text) "SFATAL\0VFATAL\0C" code "\0M" text "\0\0"

/* An error with these fields. */
static size_t
error(char *buf, const char *fields, size_t n)
{
	uint32_t len = (uint32_t)n + 4;

	buf[0] = 'E';
	for (int i = 0; i < 4; i++)
		buf[1 + i] = (char)(len >> (24 - 8 * i));
	memcpy(buf + 5, fields, n);
	return n + 5;
}

static void
test_first_message(void **state)
{
	static const char want[] = "\0\3\0\0user\0vrrpd\0database\0postgres\0application_name\0vrrpd\0";
	uint8_t buf[4 + sizeof(want)];

	(void)state;
	assert_int_equal(pg_hello_write(buf, sizeof(buf), "vrrpd", "postgres"), sizeof(buf));
	assert_memory_equal(buf, "\0\0\0", 3);
	assert_int_equal(buf[3], sizeof(buf)); /* the length counts itself */
	assert_memory_equal(buf + 4, want, sizeof(want));
	for (size_t n = 0; n < sizeof(buf); n++)
		assert_int_equal(pg_hello_write(buf, n, "vrrpd", "postgres"), 0);
}

static void
all_cuts(const char *reply, size_t n, enum pg_hello want, const char *text)
{
	char said[LIMIT_CHECK_TEXT];

	for (size_t i = 0; i < n; i++) {
		uint8_t *exact = malloc(i > 0 ? i : 1);
		enum pg_hello r;

		assert_non_null(exact);
		memcpy(exact, reply, i);
		r = pg_hello_read(exact, i, said, sizeof(said));
		assert_true(r == PG_HELLO_MORE || r == want);
		free(exact);
	}
	assert_int_equal(pg_hello_read((const uint8_t *)reply, n, said, sizeof(said)), want);
	assert_string_equal(said, text);
}

static void
test_answers(void **state)
{
	static const char ok[] = "R\0\0\0\x08\0\0\0\0S\0", md5[] = "R\0\0\0\x0c\0\0\0\5abcd",
			  newer[] = "v\0\0\0\x0c\0\3\0\0";
	static const char starting[] = FIELDS("57P03", "the database system is starting up");
	static const char no_role[] = FIELDS("28000", "role \"vrrpd\" does not exist");
	char buf[256];
	size_t n;

	(void)state;
	all_cuts(ok, sizeof(ok) - 1, PG_HELLO_ACCEPTS, "");
	all_cuts(md5, sizeof(md5) - 1, PG_HELLO_ACCEPTS, "");
	all_cuts(newer, sizeof(newer) - 1, PG_HELLO_ACCEPTS, "");
	n = error(buf, starting, sizeof(starting) - 1);
	all_cuts(buf, n, PG_HELLO_REFUSES, "the database system is starting up");
	n = error(buf, no_role, sizeof(no_role) - 1);
	all_cuts(buf, n, PG_HELLO_ACCEPTS, "role \"vrrpd\" does not exist");
}

static void
test_garbage(void **state)
{
	static const char *const other[] = {"RFB 003.008\n", "HTTP/1.1 400 Bad Request\r\n",
					    "SSH-2.0-OpenSSH_9.2\r\n", "R\0\0\0\0\0\0\0\0\0\0\0",
					    "E\0\0\0\0\0\0\0\0\0\0\0"};
	uint8_t random[64];
	char said[64];
	unsigned seed = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		assert_int_equal(pg_hello_read((const uint8_t *)other[i], 12, said, sizeof(said)),
				 PG_HELLO_GARBAGE);
	assert_int_equal(pg_hello_read((const uint8_t *)"Eno more processes\n\0", 20, said, sizeof(said)),
			 PG_HELLO_GARBAGE);
	assert_string_equal(said, "no more processes\n");
	for (unsigned i = 0; i < 20000; i++) {
		size_t n = (unsigned)rand_r(&seed) % sizeof(random);
		uint8_t *exact = malloc(n > 0 ? n : 1);

		assert_non_null(exact);
		for (size_t k = 0; k < n; k++)
			exact[k] = (uint8_t)(k > 0 && k < 4 ? 0 : rand_r(&seed));
		if (n > 0)
			exact[0] = "REv"[i % 3];
		(void)pg_hello_read(exact, n, said, sizeof(said));
		free(exact);
	}
}

static void
ask(struct env *e, struct server *s, enum ipc_check_state state, const char *last)
{
	server_start(s, e);
	env_start(e, IPC_CHECK_POSTGRES, HOUR, 300 * MS, "address", s->path, NULL);
	env_expect(e, state, last);
	env_close(e);
	server_stop(s);
}

static void
test_servers(void **state)
{
	static const char starting[] = FIELDS("57P03", "the database system is starting up");
	static char flood[8192];
	struct env *e = *state;
	char buf[256];
	struct server ok = {
		.answer = "R\0\0\0\x0c\0\0\0\5abcd", .len = 13, .piece = 1, .pause = 500, .stay = true};
	struct server down = {
		.answer = buf, .len = error(buf, starting, sizeof(starting) - 1), .piece = 7, .pause = 500};
	struct server silent = {.answer = NULL}, closes = {.answer = ""};
	struct server slow = {.answer = "R\0\0\0\x0c\0\0\0\5abcd", .len = 13, .piece = 1, .pause = 100000};
	struct server floods = {.answer = flood, .len = sizeof(flood), .flood = true};
	struct server other = {.answer = "+PONG\r\n", .len = 7};

	ask(e, &ok, IPC_CHECK_UP, "accepts connections");
	assert_memory_equal(ok.asked + 8, "user\0vrrpd", 11);
	ask(e, &down, IPC_CHECK_DOWN, "does not accept connections: the database system is starting up");
	ask(e, &silent, IPC_CHECK_DOWN, "no result within 300 ms");
	ask(e, &closes, IPC_CHECK_DOWN, "closed the connection without an answer");
	ask(e, &slow, IPC_CHECK_DOWN, "no result within 300 ms");
	ask(e, &other, IPC_CHECK_DOWN, "does not answer as PostgreSQL does");
	memset(flood, 'E', sizeof(flood));
	flood[1] = flood[2] = 0;
	ask(e, &floods, IPC_CHECK_UP, "accepts connections"); /* an error without fields */
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, env_setup, env_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_message),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_garbage),
		T(test_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
