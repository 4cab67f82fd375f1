/*
 * test_check_haproxy_kind.c - kind "haproxy" against a stats socket that a thread plays: answers that HAProxy itself never
 * gives. The real one is asked in tests/netns; the script of the same purpose: test_check_haproxy.c.
 */
#include "check_local.h"

#define HOUR (3600 * USEC_PER_SEC)
#define INFO "Name: HAProxy\nPid: 4711\nStopping: 0\nIdle_pct: 98\n\n"
#define HEAD "# pxname,svname,bck,scur,act,status,last_chk,qcur\n"

static const struct {
	const char *answer;
	enum ipc_check_state state;
	const char *last;
} rows[] = {
	{INFO HEAD "pg,a,0,0,1,UP,,\npg,BACKEND,0,0,1,UP,,0\n\n", IPC_CHECK_UP, "1 of 1 server up in pg"},
	/* Found by fuzz_haproxy: the sum was beyond what a number holds, and so below min_servers. */
	{INFO HEAD "pg,a,0,0,1,UP,,\npg,BACKEND,9223372036854775807,0,9223372036854775807,UP,,0\n\n", IPC_CHECK_UP,
	 "4294967294 of 1 server up in pg"},
	{INFO HEAD "pg,a,0,0,1,UP,,\npg,BACKEND,-5,0,1,UP,,-7\n\n", IPC_CHECK_UP, "1 of 1 server up in pg"},
	{INFO HEAD "pg,a,0,0,1,UP,,\npg,BACKEND,,0,1,UP,,99999999999999999999\n\n", IPC_CHECK_DOWN,
	 "backend pg has too many requests waiting (1 of 1 server up in pg)"},
};

static void
test_rows(void **state)
{
	struct env *e = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct server s = {.answer = rows[i].answer, .len = strlen(rows[i].answer)};

		server_start(&s, e);
		env_start(e, IPC_CHECK_HAPROXY, HOUR, 2000 * MS, "socket", s.path, "backends", "pg", "max_queue", "5", NULL);
		env_expect(e, rows[i].state, rows[i].last);
		env_close(e);
		server_stop(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows, env_setup, env_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
