/*
 * test_ctl_verbs.c - vrrpctl's commands against a daemon whose every answer the test decides.
 *
 *   says(f, "GET /v1/instances/pg", 200, "{...}");   the next answer to this request; the last one stays
 */
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
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

#include "base/macros.h"
#include "base/strbuf.h"

#define ANSWERS_MAX 16

struct answer {
	const char *request; /* method and path with its query */
	int code;
	const char *body;
	bool used;
};

struct fake {
	char dir[64], build[PATH_MAX];
	int fd;
	pthread_t thread;
	atomic_bool quit;
	pthread_mutex_t lock;
	struct answer answers[ANSWERS_MAX];
	int n;
	char asked[4096]; /* requests, a line each */
	int status;	  /* of the last run */
	char out[8192], err[4096];
};

/* The first one of this request that was not used; or the last one again. */
static const struct answer *
find_answer(struct fake *f, const char *request)
{
	const struct answer *found = NULL;

	for (int i = 0; i < f->n; i++) {
		struct answer *a = &f->answers[i];

		if (strcmp(a->request, request) != 0)
			continue;
		found = a;
		if (!a->used) {
			a->used = true;
			break;
		}
	}
	return found;
}

static void
serve(struct fake *f, int c)
{
	static const struct answer none = {NULL, 404, "{\"error\":\"not found\",\"detail\":\"nothing is there\"}", false};
	char request[2048], reply[8192];
	const struct answer *a;
	ssize_t n = read(c, request, sizeof(request) - 1);

	if (n <= 0)
		return;
	request[n] = '\0';
	*strstr(request, " HTTP/1.0") = '\0';
	pthread_mutex_lock(&f->lock);
	strncat(f->asked, request, sizeof(f->asked) - strlen(f->asked) - 2);
	strcat(f->asked, "\n");
	a = find_answer(f, request);
	pthread_mutex_unlock(&f->lock);
	if (a == NULL)
		a = &none;
	n = snprintf(reply, sizeof(reply), "HTTP/1.0 %d X\r\nContent-Length: %zu\r\n\r\n%s", a->code, strlen(a->body),
		     a->body);
	(void)!write(c, reply, (size_t)n);
}

static void *
run_fake(void *arg)
{
	struct fake *f = arg;

	while (!f->quit) {
		struct pollfd p = {.fd = f->fd, .events = POLLIN};
		int c;

		if (poll(&p, 1, 20) <= 0)
			continue;
		c = accept(f->fd, NULL, NULL);
		serve(f, c);
		close(c);
	}
	return NULL;
}

static int
setup(void **state)
{
	struct fake *f = calloc(1, sizeof(*f));
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	ssize_t n;

	assert_non_null(f);
	n = readlink("/proc/self/exe", f->build, sizeof(f->build) - 1);
	assert_true(n > 0);
	*strrchr(f->build, '/') = '\0'; /* tests/test_x */
	*strrchr(f->build, '/') = '\0'; /* tests */
	snprintf(f->dir, sizeof(f->dir), "/tmp/vrrpd-test-ctl-%d-XXXXXX", (int)getpid());
	assert_non_null(mkdtemp(f->dir));
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/vrrpd.sock", f->dir);
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(f->fd, 16), 0);
	pthread_mutex_init(&f->lock, NULL);
	assert_int_equal(pthread_create(&f->thread, NULL, run_fake, f), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fake *f = *state;
	char command[128];

	f->quit = true;
	pthread_join(f->thread, NULL);
	close(f->fd);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void
says(struct fake *f, const char *request, int code, const char *body)
{
	assert_true(f->n < ANSWERS_MAX);
	pthread_mutex_lock(&f->lock);
	f->answers[f->n++] = (struct answer){.request = request, .code = code, .body = body};
	pthread_mutex_unlock(&f->lock);
}

static void
slurp(const struct fake *f, const char *name, char *buf, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	file = fopen(path, "r");
	assert_non_null(file);
	buf[fread(buf, 1, size - 1, file)] = '\0';
	fclose(file);
}

/* Run vrrpctl with these arguments; its exit status. */
static int
ctl(struct fake *f, const char *args)
{
	char command[PATH_MAX + 512];
	int status;

	snprintf(command, sizeof(command), "timeout 30 %s/vrrpctl --run-dir %s %s >%s/out 2>%s/err", f->build, f->dir,
		 args, f->dir, f->dir);
	status = system(command);
	assert_true(WIFEXITED(status));
	slurp(f, "out", f->out, sizeof(f->out));
	slurp(f, "err", f->err, sizeof(f->err));
	return WEXITSTATUS(status);
}

static void
assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

#define BACKUP(more)                                                                                           \
	"{\"name\":\"pg\",\"state\":\"backup\",\"reason\":\"adverts from 10.0.0.2\"," more "\"addresses\":[]}"
#define ACTIVE                                                                                                 \
	"{\"name\":\"pg\",\"state\":\"active\",\"reason\":\"takeover by command\",\"reason_code\":\"takeover\","      \
	"\"active_node\":{\"address\":\"10.0.0.1\",\"self\":true},\"addresses\":[]}"

/* ---- takeover -------------------------------------------------------------------------------- */

static void
test_takeover_waits_until_active(void **state)
{
	struct fake *f = *state;

	says(f, "POST /v1/instances/pg/takeover", 200, "{\"name\":\"pg\",\"done\":\"takeover\",\"left_s\":null}");
	says(f, "GET /v1/instances/pg", 200, BACKUP(""));
	says(f, "GET /v1/instances/pg", 200, BACKUP("\"waiting_for\":\"gate\","));
	says(f, "GET /v1/instances/pg", 200, ACTIVE);
	assert_int_equal(ctl(f, "takeover pg"), 0);
	assert_int_equal(strncmp(f->out, "pg: Active here (after ", 23), 0);
	assert_has(f->out, " ms): takeover by command\n  it prefers itself until vrrpctl resume\n");
	assert_string_equal(f->asked, "POST /v1/instances/pg/takeover\nGET /v1/instances/pg\nGET /v1/instances/pg\n"
				      "GET /v1/instances/pg\n");
}

static void
test_takeover_for_a_time_as_json(void **state)
{
	struct fake *f = *state;

	says(f, "POST /v1/instances/pg/takeover?for=1.5h", 200, "{\"name\":\"pg\",\"done\":\"takeover\",\"left_s\":5400}");
	says(f, "GET /v1/instances/pg", 200, ACTIVE);
	assert_int_equal(ctl(f, "takeover pg --for=1.5h"), 0);
	assert_has(f->out, "\n  it prefers itself for 1 h 30 min\n");
	assert_int_equal(ctl(f, "takeover -j --for 1.5h pg"), 0);
	assert_has(f->out, "{\"name\":\"pg\",\"done\":\"takeover\",\"left_s\":5400,\"state\":\"active\","
			   "\"reason\":\"takeover by command\",\"reason_code\":\"takeover\",");
	assert_has(f->out, "\"confirmed\":true,\"took_s\":0.");
}

static void
test_takeover_that_cannot_be(void **state)
{
	struct fake *f = *state;

	says(f, "POST /v1/instances/pg/takeover", 409,
	     "{\"error\":\"refused\",\"detail\":\"pg is drained: vrrpctl resume pg\"}");
	says(f, "POST /v1/instances/pg/takeover", 200, "{\"name\":\"pg\",\"done\":\"takeover\"}");
	says(f, "GET /v1/instances/pg", 200, BACKUP(""));
	says(f, "GET /v1/instances/pg", 200, "{\"name\":\"pg\",\"state\":\"fault\",\"reason\":\"check haproxy failed\"}");
	assert_int_equal(ctl(f, "takeover pg"), 1);
	assert_string_equal(f->err, "vrrpctl: refused: pg is drained: vrrpctl resume pg\n");
	assert_string_equal(f->out, "");
	assert_int_equal(ctl(f, "takeover pg"), 1);
	assert_has(f->err, "vrrpctl: pg: not Active here but fault after ");
	assert_has(f->err, " ms: check haproxy failed; see vrrpctl explain pg\n");
	assert_int_equal(ctl(f, "takeover db"), 3);
}

/* ---- priority -------------------------------------------------------------------------------- */

static void
test_priority(void **state)
{
	struct fake *f = *state;

	says(f, "POST /v1/instances/pg/priority?value=10&for=10m", 200, "{\"name\":\"pg\",\"done\":\"priority\"}");
	says(f, "POST /v1/instances/pg/priority?value=reset", 200, "{\"name\":\"pg\",\"done\":\"priority\"}");
	says(f, "GET /v1/instances/pg", 200,
	     BACKUP("\"priority\":{\"base\":150,\"effective\":150},\"priority_override\":null,\"priority_override_left_s\":null,"));
	says(f, "GET /v1/instances/pg", 200,
	     BACKUP("\"priority\":{\"base\":150,\"effective\":4},\"priority_override\":10,\"priority_override_left_s\":599.6,"));
	says(f, "GET /v1/instances/pg", 200,
	     BACKUP("\"priority\":{\"base\":150,\"effective\":150},\"priority_override\":null,\"priority_override_left_s\":null,"));
	assert_int_equal(ctl(f, "priority pg 10 --for 10m"), 0);
	assert_string_equal(f->out, "pg: priority 10 by command (150 configured), 4 with its checks, for 10 min\n");
	assert_int_equal(ctl(f, "priority -j pg reset"), 0);
	assert_has(f->out, "\"priorities\":{\"base\":150,\"effective\":150},\"priority_override\":null,");
	assert_int_equal(ctl(f, "priority pg reset"), 0);
	assert_string_equal(f->out, "pg: priority 150 as configured\n");
}

/* ---- drain, resume --------------------------------------------------------------------------- */

#define DRAINED(more)                                                                                          \
	"{\"name\":\"pg\",\"state\":\"initialize\",\"reason\":\"drained\",\"drained\":true,"                           \
	"\"advert_interval_ms\":100," more "}"
#define HELD(yes) "\"addresses\":[{\"address\":\"10.0.0.9/24\",\"held\":" #yes "}]"

static void
test_drain_tells_the_answer(void **state)
{
	struct fake *f = *state;

	says(f, "POST /v1/instances/pg/drain", 200,
	     "{\"name\":\"pg\",\"done\":\"drain\",\"leaving\":true,\"left_s\":null}");
	says(f, "POST /v1/instances/pg/drain?for=10m", 200,
	     "{\"name\":\"pg\",\"done\":\"drain\",\"leaving\":false,\"left_s\":600.0}");
	assert_int_equal(ctl(f, "drain pg"), 0);
	assert_string_equal(f->out, "pg: drained until vrrpctl resume; it serves the addresses until another node has\n"
				    "  them\n");
	assert_int_equal(ctl(f, "drain pg --for 10m"), 0);
	assert_string_equal(f->out, "pg: drained for 10 min; its addresses are not on this node\n");
}

static void
test_drain_waits_for_the_other_node(void **state)
{
	struct fake *f = *state;

	says(f, "POST /v1/instances/pg/drain", 200, "{\"name\":\"pg\",\"done\":\"drain\",\"leaving\":true}");
	says(f, "GET /v1/instances/pg", 200, DRAINED("\"leaving\":true," HELD(true)));
	says(f, "GET /v1/instances/pg", 200, DRAINED("\"leaving\":false," HELD(true)));
	says(f, "GET /v1/instances/pg", 200, DRAINED("\"leaving\":false,\"active_node\":null," HELD(false)));
	says(f, "GET /v1/instances/pg", 200, DRAINED("\"active_node\":null," HELD(false)));
	says(f, "GET /v1/instances/pg", 200,
	     DRAINED("\"active_node\":{\"address\":\"10.0.0.2\",\"self\":false}," HELD(false)));
	assert_int_equal(ctl(f, "drain --wait pg"), 0);
	assert_has(f->out, "pg: the addresses are gone from this node, 10.0.0.2 is Active (after ");
	assert_int_equal(ctl(f, "drain --wait pg -j"), 0);
	assert_has(f->out, "\"active_node\":{\"address\":\"10.0.0.2\",\"self\":false}");
	assert_has(f->out, "\"confirmed\":true");
}

/* Somebody resumes it while it is waited for. */
static void
test_drain_that_was_undone(void **state)
{
	struct fake *f = *state;

	says(f, "POST /v1/instances/pg/drain", 200, "{\"name\":\"pg\",\"done\":\"drain\"}");
	says(f, "GET /v1/instances/pg", 200, DRAINED(HELD(false)));
	says(f, "GET /v1/instances/pg", 200, BACKUP("\"drained\":false,"));
	assert_int_equal(ctl(f, "drain --wait pg"), 1);
	assert_has(f->err, "vrrpctl: pg: no longer drained after ");
}

static void
test_all_are_told_before_any_is_waited_for(void **state)
{
	struct fake *f = *state;

	says(f, "GET /v1/status", 200, "{\"instances\":[{\"name\":\"pg\"},{\"name\":\"db\"}]}");
	says(f, "POST /v1/instances/pg/resume", 200, "{\"name\":\"pg\",\"done\":\"resume\"}");
	says(f, "POST /v1/instances/db/resume", 403, "{\"error\":\"read-only\",\"detail\":\"use the Unix socket\"}");
	says(f, "GET /v1/instances/pg", 200, DRAINED(HELD(false)));
	says(f, "GET /v1/instances/pg", 200, BACKUP("\"drained\":false,"));
	assert_int_equal(ctl(f, "resume --all"), 1);
	assert_string_equal(f->out, "pg: takes part again, backup: adverts from 10.0.0.2\n");
	assert_string_equal(f->err, "vrrpctl: read-only: use the Unix socket\n");
	assert_string_equal(f->asked, "GET /v1/status\nPOST /v1/instances/pg/resume\nPOST /v1/instances/db/resume\n"
				      "GET /v1/instances/pg\nGET /v1/instances/pg\n");
}

/* ---- explain, status ------------------------------------------------------------------------- */

#define EXPLANATION                                                                                            \
	"{\"name\":\"pg\",\"mode\":\"vrrp\",\"state\":\"backup\",\"since_s\":4.2,\"reason\":\"adverts from 10.0.0.2\","  \
	"\"sections\":[{\"title\":\"priority\",\"lines\":[{\"text\":\"150 configured\",\"warning\":false},"          \
	"{\"text\":\"check haproxy is down: -60\",\"warning\":true}]},"                                        \
	"{\"title\":\"what comes next\",\"lines\":[{\"text\":\"it takes over 3.4 s after the last advert\"}]}]}\n"

static void
test_explain(void **state)
{
	struct fake *f = *state;

	says(f, "GET /v1/instances/pg/explain", 200, EXPLANATION);
	assert_int_equal(ctl(f, "explain pg"), 0);
	assert_string_equal(f->out, "pg (mode vrrp): backup for 4.2 s\n  adverts from 10.0.0.2\n\npriority\n"
				    "  150 configured\n  check haproxy is down: -60\n\nwhat comes next\n"
				    "  it takes over 3.4 s after the last advert\n");
	assert_int_equal(ctl(f, "explain pg -j"), 0);
	assert_string_equal(f->out, EXPLANATION);
	assert_int_equal(ctl(f, "explain db"), 3);
}

static void
test_status_shows_overrides(void **state)
{
	struct fake *f = *state;

	says(f, "GET /v1/instances/pg", 200,
	     DRAINED("\"drained_left_s\":589.8,\"takeover\":true,\"takeover_left_s\":null,\"priority\":{\"base\":150,"
		     "\"effective\":10},\"priority_override\":10,\"priority_override_left_s\":3600"));
	says(f, "GET /v1/instances/fo", 200,
	     "{\"name\":\"fo\",\"mode\":\"follow\",\"state\":\"backup\",\"reason\":\"no leader \\u001b[2J\","
	     "\"active_node\":null,\"drained\":false,\"takeover\":false,\"priority\":{\"base\":100,\"effective\":100,"
	     "\"override\":null}}");
	assert_int_equal(ctl(f, "status pg"), 0);
	assert_has(f->out, "\n  drained for 9 min 50 s more\n");
	assert_has(f->out, "\n  takeover: prefers itself until vrrpctl resume\n");
	assert_has(f->out, "\n  priority 10 by command (150 configured) for 1 h 0 min more\n");
	assert_int_equal(ctl(f, "status fo"), 0);
	assert_has(f->out, "  100       none         0/0\n");
	assert_has(f->out, "\n  no leader ?[2J\n"); /* nothing that commands the terminal */
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_takeover_waits_until_active),
		T(test_takeover_for_a_time_as_json),
		T(test_takeover_that_cannot_be),
		T(test_priority),
		T(test_drain_tells_the_answer),
		T(test_drain_waits_for_the_other_node),
		T(test_drain_that_was_undone),
		T(test_all_are_told_before_any_is_waited_for),
		T(test_explain),
		T(test_status_shows_overrides),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
