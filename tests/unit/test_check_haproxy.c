/*
 * test_check_haproxy.c - scripts/check_haproxy against a stats socket that a thread plays.
 *
 * Run from the top of the tree. The real HAProxy is asked in tests/netns; here are the answers that it rarely
 * gives.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/strbuf.h"

#define INFO                                                                                                   \
	"Name: HAProxy\nVersion: 2.6.12\nNbthread: 2\nPid: 4711\nUptime: 0d 0h00m02s\nStopping: 0\nJobs: "     \
	"5\n\n"
#define STOPPING "Name: HAProxy\nPid: 4711\nStopping: 1\n\n"
/* More columns between, in another order than today's, and a quoted field behind the ones that count. */
#define HEAD "# pxname,svname,bck,scur,act,status,last_chk,\n"
#define STAT                                                                                                   \
	HEAD "fe,FRONTEND,,0,,OPEN,,\n"                                                                        \
	     "pg,a,0,0,1,UP,\"L7OK, "                                                                          \
	     "\"\"fine\"\"\",\npg,b,0,0,1,DOWN,,\npg,c,1,0,0,UP,,\npg,BACKEND,1,0,1,UP,,\n"                    \
	     "empty,BACKEND,0,0,0,UP,,\n"                                                                      \
	     "down,a,0,0,1,DOWN,,\ndown,BACKEND,0,0,0,DOWN,,\n\n"

struct fake {
	char dir[64], path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd;
	const char *answer; /* NULL: accept and say nothing */
	char asked[256];
	int mute[8], n_mute;
	pthread_t thread;
};

static void *
serve(void *arg)
{
	struct fake *f = arg;

	for (;;) {
		int c = accept(f->fd, NULL, NULL);
		ssize_t n;

		if (c < 0)
			return NULL; /* shut down by teardown */
		n = read(c, f->asked, sizeof(f->asked) - 1);
		f->asked[n > 0 ? n : 0] = '\0';
		if (f->answer != NULL)
			(void)!write(c, f->answer, strlen(f->answer));
		else
			f->mute[f->n_mute++] = c; /* open until the end of the test */
		if (f->answer != NULL)
			close(c);
	}
}

static int
setup(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	if (access("scripts/check_haproxy", X_OK) < 0)
		fail_msg("run this from the top of the tree: there is no scripts/check_haproxy here");
	snprintf(f->dir, sizeof(f->dir), "/tmp/vrrpd-test-haproxy-%d-XXXXXX", (int)getpid());
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/s.sock", f->dir);
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	str_copy(sa.sun_path, sizeof(sa.sun_path), f->path);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(f->fd, 5), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fake *f = *state;

	shutdown(f->fd, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->fd);
	for (int i = 0; i < f->n_mute; i++)
		close(f->mute[i]);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

/* Run the script; its whole output must be `line`, its exit status `status`. */
static void
expect(const char *socket, const char *args, int status, const char *line)
{
	char command[512], text[1024];
	size_t n;
	int got;
	FILE *p;

	snprintf(command, sizeof(command), "scripts/check_haproxy --socket %s %s 2>&1", socket, args);
	p = popen(command, "r");
	assert_non_null(p);
	n = fread(text, 1, sizeof(text) - 1, p);
	text[n] = '\0';
	got = pclose(p);
	assert_string_equal(text, line);
	assert_int_equal(WEXITSTATUS(got), status);
}

static void
test_running(void **state)
{
	struct fake *f = *state;

	f->answer = INFO;
	expect(f->path, "", 0, "HAProxy is running\n");
	assert_string_equal(f->asked, "show info\n");
}

static void
test_stopping(void **state)
{
	struct fake *f = *state;

	f->answer = STOPPING STAT;
	expect(f->path, "--backend pg", 1, "HAProxy is stopping\n");
	assert_string_equal(f->asked, "show info;show stat\n");
}

static void
test_backends(void **state)
{
	struct fake *f = *state;

	f->answer = INFO STAT;
	expect(f->path, "--backend pg", 0, "2 of 3 servers up in pg\n");
	expect(f->path, "--backend pg --min-servers 3", 1, "2 of 3 servers up in pg, needs 3\n");
	expect(f->path, "--backend empty", 1, "0 of 0 servers up in empty, needs 1\n");
	expect(f->path, "--backend pg --backend down", 1, "0 of 1 servers up in down, needs 1\n");
	expect(f->path, "--backend 'no such'", 1, "HAProxy has no backend no such\n");
	expect(f->path, "--backend pg --backend empty --min-servers 0", 0,
	       "2 of 3 servers up in pg; 0 of 0 servers up in empty\n");
}

static void
test_answers_that_make_no_sense(void **state)
{
	struct fake *f = *state;

	f->answer = "Unknown command: 'show info'\n\n";
	expect(f->path, "", 1, "unexpected answer: is this socket HAProxy's?\n");
	f->answer = INFO "# pxname,svname,status,\npg,BACKEND,UP,\n\n";
	expect(f->path, "--backend pg", 1, "unexpected answer to \"show stat\"\n");
	f->answer = INFO "Permission denied\n\n";
	expect(f->path, "--backend pg", 1, "unexpected answer to \"show stat\"\n");
	f->answer = "";
	expect(f->path, "", 1, "HAProxy closed the connection without an answer\n");
}

static void
test_hung(void **state)
{
	struct fake *f = *state;
	char line[256];

	f->answer = NULL;
	snprintf(line, sizeof(line), "HAProxy hangs: no answer on %s within 0.3 s\n", f->path);
	expect(f->path, "--timeout 0.3", 1, line);
}

static void
test_nobody(void **state)
{
	struct fake *f = *state;
	char line[256], path[128];

	snprintf(path, sizeof(path), "%s/none.sock", f->dir);
	snprintf(line, sizeof(line), "HAProxy is not running: %s does not exist\n", path);
	expect(path, "", 1, line);
	expect("/etc/passwd", "", 1, "/etc/passwd is not a socket\n");
	shutdown(f->fd, SHUT_RDWR);
	snprintf(line, sizeof(line), "HAProxy is not running: nobody listens on %s\n", f->path);
	expect(f->path, "", 1, line);
}

static void
test_misuse(void **state)
{
	struct fake *f = *state;

	expect(f->path, "--bad", 1, "check_haproxy: there is no option \"--bad\"; see --help\n");
	expect(f->path, "--backend", 1, "check_haproxy: --backend needs a value; see --help\n");
	expect(f->path, "--min-servers x", 1,
	       "check_haproxy: --min-servers takes a number, not \"x\"; see --help\n");
	expect(f->path, "--timeout 1.2.3", 1,
	       "check_haproxy: --timeout takes seconds, not \"1.2.3\"; see --help\n");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_running), T(test_stopping), T(test_backends), T(test_answers_that_make_no_sense),
		T(test_hung),	 T(test_nobody),   T(test_misuse),
	};

	signal(SIGPIPE, SIG_IGN);
	if (system("command -v socat >/dev/null") != 0) {
		print_message("skipped: the script needs socat, which is not installed\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
