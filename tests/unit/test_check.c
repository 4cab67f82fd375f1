/*
 * test_check.c - the frame of checks and the kinds script and interface, with real commands on the real loop.
 *
 * Every wait has a deadline; every test ends by looking for children that were not reaped.
 */
#include "agent/check.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/text.h"
#include "base/strbuf.h"
#include "sys/clock.h"

#define MS	    USEC_PER_MS
#define WAIT_MAX_US (10 * USEC_PER_SEC) /* far beyond anything here, for a busy machine */
#define REPORTS_MAX 1000

struct report {
	uint32_t index;
	uint8_t state;
	mono_t at;
};

struct env {
	struct loop *loop;
	struct checks *checks;
	struct loop_timer *tick;
	mono_t deadline;
	bool (*done)(struct env *e);
	bool late; /* the deadline came first */
	unsigned n;
	struct report reports[REPORTS_MAX];
	char dir[64];
	const char *ifname; /* of checks of kind "interface" */
};

static void
on_report(void *arg, const struct check *c)
{
	struct env *e = arg;

	assert_true(e->n < REPORTS_MAX);
	e->reports[e->n++] = (struct report){.index = c->index, .state = c->state, .at = clock_mono()};
	if (e->done != NULL && e->done(e))
		loop_stop(e->loop);
}

static void
on_tick(void *arg, mono_t now)
{
	struct env *e = arg;

	e->late = mono_due(now, e->deadline);
	if (e->late || (e->done != NULL && e->done(e)))
		loop_stop(e->loop);
	loop_timer_set(e->tick, mono_add(now, 5 * MS));
}

static int
setup(void **state)
{
	struct env *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	snprintf(e->dir, sizeof(e->dir), "/tmp/vrrpd-test-check-%d-XXXXXX", (int)getpid());
	assert_non_null(mkdtemp(e->dir));
	e->loop = loop_new();
	e->tick = loop_timer_add(e->loop, on_tick, e);
	e->checks = checks_new(e->loop, on_report, e);
	*state = e;
	return 0;
}

/* Children whose run was cut off by checks_free() end by SIGKILL; all others were reaped before. */
static int
teardown(void **state)
{
	struct env *e = *state;
	char command[128];

	checks_free(e->checks);
	loop_timer_del(e->tick);
	loop_free(e->loop);
	while (waitpid(-1, NULL, 0) > 0)
		;
	snprintf(command, sizeof(command), "rm -rf %s", e->dir);
	assert_int_equal(system(command), 0);
	free(e);
	return 0;
}

/* Run the loop until done(e), which must happen in time. Once per test: a stopped loop stays stopped. */
static void
run_until(struct env *e, bool (*done)(struct env *e))
{
	e->done = done;
	e->deadline = mono_add(clock_mono(), WAIT_MAX_US);
	loop_timer_set(e->tick, clock_mono());
	assert_int_equal(loop_run(e->loop), 0);
	assert_false(e->late);
}

/* A check with quick defaults that runs `sh -c script`; %D in the script is the test's folder. */
static struct ipc_conf_check
script(const struct env *e, const char *name, const char *text)
{
	struct ipc_conf_check c = {.kind = IPC_CHECK_SCRIPT, .interval_us = 20 * MS, .timeout_us = 5000 * MS};
	struct strbuf b;
	size_t at = 0;

	c.rise = c.fall = 1;
	str_copy(c.name, sizeof(c.name), name);
	memcpy(c.command, "/bin/sh\0-c", 11);
	at = 11;
	strbuf_init(&b, c.command + at, sizeof(c.command) - at);
	for (; *text != '\0'; text++) {
		if (text[0] == '%' && text[1] == 'D') {
			strbuf_addf(&b, "%s", e->dir);
			text++;
		} else {
			strbuf_addf(&b, "%c", *text);
		}
	}
	assert_false(b.cut);
	c.n_command = 3;
	return c;
}

static void
configure(struct env *e, const struct ipc_conf_check *conf, uint32_t n)
{
	struct check_option option = {.path = "interface"};
	struct check_def defs[64];

	assert_true(n <= ARRAY_SIZE(defs));
	memset(defs, 0, sizeof(defs));
	option.text = strdup(e->ifname != NULL ? e->ifname : "lo");
	for (uint32_t i = 0; i < n; i++) {
		defs[i] = (struct check_def){.conf = conf[i], .options = &option};
		defs[i].conf.n_options = conf[i].kind == IPC_CHECK_INTERFACE;
	}
	checks_configure(e->checks, "node-1", defs, n);
	free(option.text);
}

static const struct check *
first(const struct env *e)
{
	return checks_get(e->checks, 0);
}

/* The text of a file in the test's folder, "" when there is none. */
static const char *
file_text(const struct env *e, const char *name)
{
	static char text[4096];
	char path[128];
	FILE *f;
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/%s", e->dir, name);
	f = fopen(path, "r");
	if (f != NULL) {
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[n] = '\0';
	return text;
}

/* No such process, or one that only waits to be reaped by whoever inherited it. */
static bool
is_dead(pid_t pid)
{
	char path[64], text[256] = "";
	const char *paren;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (f == NULL)
		return true;
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	paren = strrchr(text, ')');
	return paren != NULL && paren[2] == 'Z';
}

/* A killed process dies soon, not at once. */
static bool
dies(pid_t pid)
{
	mono_t deadline = mono_add(clock_mono(), WAIT_MAX_US);

	while (!is_dead(pid)) {
		if (mono_due(clock_mono(), deadline))
			return false;
		usleep(1000);
	}
	return true;
}

static bool
has_one(struct env *e)
{
	return e->n >= 1;
}

static bool
has_two(struct env *e)
{
	return e->n >= 2;
}

static bool
has_six(struct env *e)
{
	return e->n >= 6;
}

static bool
ran_again_after_first(struct env *e)
{
	return e->n >= 1 && first(e)->runs[CHECK_RESULT_TIMEOUT] >= 2;
}

static void
assert_nobody_left(void)
{
	errno = 0;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* One run of one script, then its verdict and line. */
static void
run_one(struct env *e, const char *text, uint8_t state, const char *last)
{
	struct ipc_conf_check c = script(e, "one", text);

	c.interval_us = 3600 * USEC_PER_SEC;
	configure(e, &c, 1);
	run_until(e, has_one);
	assert_string_equal(first(e)->last, last);
	assert_int_equal(first(e)->state, state);
	assert_nobody_left();
}

static void
test_script_exit_zero_is_up(void **state)
{
	run_one(*state, "echo first; echo '  2 of 2 servers up  '; echo", IPC_CHECK_UP, "2 of 2 servers up");
}

static void
test_script_exit_nonzero_is_down(void **state)
{
	run_one(*state, "echo bad >&2; exit 3", IPC_CHECK_DOWN, "bad");
}

static void
test_script_silent_tells_exit_status(void **state)
{
	run_one(*state, "exit 3", IPC_CHECK_DOWN, "exit status 3");
}

static void
test_script_silent_tells_signal(void **state)
{
	run_one(*state, "kill -9 $$", IPC_CHECK_DOWN, "killed by signal 9 (Killed)");
}

static void
test_script_missing_command(void **state)
{
	struct env *e = *state;
	struct ipc_conf_check c = script(e, "one", "");

	memset(c.command, 0, sizeof(c.command));
	str_copy(c.command, sizeof(c.command), "/nonexistent/check");
	c.n_command = 1;
	configure(e, &c, 1);
	run_until(e, has_one);
	assert_non_null(strstr(first(e)->last, "cannot run /nonexistent/check as "));
	assert_non_null(strstr(first(e)->last, ": No such file or directory"));
	assert_int_equal(first(e)->state, IPC_CHECK_DOWN);
	assert_nobody_left();
}

static void
test_script_environment_is_clean(void **state)
{
	setenv("LD_LIBRARY_PATH_LIKE", "leak", 1);
	run_one(*state,
		"/usr/bin/env | grep -v '^PWD=\\|^_=\\|^SHLVL=\\|^OLDPWD=' | LC_ALL=C sort | tr '\\n' ' '",
		IPC_CHECK_UP,
		"LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin VRRPD_CHECK=one "
		"VRRPD_NODE=node-1");
}

static void
test_script_inherits_nothing(void **state)
{
	/*
	 * Descriptors beyond 2 (ls has its own 3), ignored signals (32 and 33 belong to the C library), the
	 * agent's input and process group.
	 */
	for (int fd = 3; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	signal(SIGPIPE, SIG_IGN);
	run_one(*state,
		"a=$(ls /proc/self/fd | wc -l); b=$(sed -n 's/^SigIgn:\\s*//p' /proc/self/status); c=$(cat | "
		"wc -c);"
		"d=$(ps -o pgid= -p $$ | tr -d ' '); test $d = $$ && d=own; echo $a $((0x$b & 0x7fffffff)) $c "
		"$d",
		IPC_CHECK_UP, "4 0 0 own");
	signal(SIGPIPE, SIG_DFL);
}

static void
test_script_output_is_made_printable(void **state)
{
	run_one(*state, "printf 'a\\tb\\033[31mc \\303\\274 \\377 \\355\\240\\200\\n'", IPC_CHECK_UP,
		"a b [31mc \303\274 ? ???");
}

static void
test_script_long_line_is_cut(void **state)
{
	struct env *e = *state;
	struct ipc_conf_check c = script(e, "one", "printf '%0300d' 0 | tr 0 x");

	configure(e, &c, 1);
	run_until(e, has_one);
	assert_int_equal(strlen(first(e)->last), LIMIT_CHECK_TEXT - 1);
	assert_int_equal(strspn(first(e)->last, "x"), LIMIT_CHECK_TEXT - 1);
}

static void
test_script_flood_does_not_block_it(void **state)
{
	run_one(*state, "head -c 5000000 /dev/zero | tr '\\0' 'y'; exit 0", IPC_CHECK_UP,
		"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
		"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
}

static void
test_script_children_do_not_outlive_it(void **state)
{
	struct env *e = *state;

	run_one(e, "sleep 1000 & echo $! >%D/pid; echo fine", IPC_CHECK_UP, "fine");
	assert_true(atoi(file_text(e, "pid")) > 0);
	assert_true(dies(atoi(file_text(e, "pid"))));
}

static void
test_script_hung_is_stopped(void **state)
{
	struct env *e = *state;
	struct ipc_conf_check c = script(e, "hung", "echo $$ >>%D/pid; exec sleep 1000");
	mono_t begin = clock_mono();

	c.timeout_us = 100 * MS;
	configure(e, &c, 1);
	run_until(e, has_one);
	assert_int_equal(first(e)->state, IPC_CHECK_DOWN);
	assert_string_equal(first(e)->last, "no result within 100 ms");
	assert_int_equal(first(e)->runs[CHECK_RESULT_TIMEOUT], 1);
	assert_true(mono_since(e->reports[0].at, begin) >= 100 * MS);
}

/* Ignores SIGTERM, as does its child: killed 200 ms later, and only then the next run begins. */
static void
test_script_that_ignores_sigterm_is_killed(void **state)
{
	struct env *e = *state;
	struct ipc_conf_check c = script(e, "deaf",
					 "echo $$ >>%D/pid; trap '' TERM; (while :; do sleep 0.05; done) & "
					 "while :; do sleep 0.05; done");
	char *line, *save = NULL, text[512];
	unsigned n = 0;

	c.timeout_us = 100 * MS;
	configure(e, &c, 1);
	run_until(e, ran_again_after_first);
	assert_true(mono_since(e->reports[1].at, e->reports[0].at) >= CHECK_FORCE_US);
	str_copy(text, sizeof(text), file_text(e, "pid"));
	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		/* All groups but the last one's are gone; that one is being cancelled. */
		if (save != NULL && *save != '\0')
			assert_true(dies(atoi(line)));
		n++;
	}
	assert_int_equal(n, 2);
}

static void
test_script_timeout_hold_says_nothing(void **state)
{
	struct env *e = *state;
	struct ipc_conf_check c =
		script(e, "hold", "test -e %D/hang && exec sleep 1000; touch %D/hang; echo fine");

	c.timeout_us = 500 * MS;
	c.on_timeout = IPC_POLICY_HOLD;
	configure(e, &c, 1);
	run_until(e, has_two);
	assert_int_equal(first(e)->runs[CHECK_RESULT_UP], 1);
	assert_int_equal(first(e)->runs[CHECK_RESULT_TIMEOUT], 1);
	assert_int_equal(first(e)->state, IPC_CHECK_UP);
	assert_string_equal(first(e)->last, "no result within 500 ms");
}

static void
test_first_timeout_hold_stays_pending(void **state)
{
	struct env *e = *state;
	struct ipc_conf_check c = script(e, "hold", "exec sleep 1000");

	c.timeout_us = 50 * MS;
	c.on_timeout = IPC_POLICY_HOLD;
	configure(e, &c, 1);
	run_until(e, has_one);
	assert_int_equal(first(e)->state, IPC_CHECK_PENDING);
	assert_int_equal(e->n, 1); /* told all the same: it renews the expiry */
}

static void
assert_states(const struct env *e, const char *expected)
{
	static const char letter[] = {'?', 'U', 'D'};

	for (unsigned i = 0; expected[i] != '\0'; i++)
		assert_int_equal(letter[e->reports[i].state], expected[i]);
}

/* Runs: ok, then bad for ever. fall = 3: two bad ones are forgiven. */
static void
test_fall_counts_in_a_row(void **state)
{
	struct env *e = *state;
	struct ipc_conf_check c = script(e, "fall", "test -e %D/ran && exit 1; touch %D/ran");

	c.fall = 3;
	configure(e, &c, 1);
	run_until(e, has_six);
	assert_states(e, "UUUDDD");
}

/* Runs: bad, ok, bad, ok, ok, ok. rise = 2: one good run between bad ones does not count. */
static void
test_rise_counts_in_a_row(void **state)
{
	struct env *e = *state;
	struct ipc_conf_check c =
		script(e, "rise", "echo >>%D/n; n=$(wc -l <%D/n); test $n = 2 || test $n -ge 4");

	c.rise = 2;
	configure(e, &c, 1);
	run_until(e, has_six);
	assert_states(e, "DDDDUU");
}

static void
test_runs_never_overlap(void **state)
{
	struct env *e = *state;
	struct ipc_conf_check c =
		script(e, "slow", "mkdir %D/lock || exit 1; sleep 0.1; rmdir %D/lock; echo fine");

	c.interval_us = 10 * MS;
	configure(e, &c, 1);
	run_until(e, has_six);
	assert_states(e, "UUUUUU");
	assert_true(mono_since(e->reports[5].at, e->reports[0].at) >= 5 * 100 * MS);
}

/* The next run comes at most one interval after the last one began, and no more than a tenth earlier. */
static void
test_interval_has_bounded_jitter(void **state)
{
	struct env *e = *state;
	struct ipc_conf_check c = script(e, "jitter", "echo fine");

	c.kind = IPC_CHECK_INTERFACE; /* no process: exact times */
	c.interval_us = 100 * MS;
	configure(e, &c, 1);
	run_until(e, has_six);
	for (unsigned i = 1; i < 6; i++)
		assert_in_range(mono_since(e->reports[i].at, e->reports[i - 1].at), 85 * MS, 1000 * MS);
}

static bool
has_forty(struct env *e)
{
	return e->n >= 40;
}

static void
test_many_first_runs_are_spread(void **state)
{
	struct env *e = *state;
	struct ipc_conf_check c[40];

	for (unsigned i = 0; i < 40; i++) {
		c[i] = script(e, "", "");
		c[i].kind = IPC_CHECK_INTERFACE;
		c[i].interval_us = 400 * MS;
		snprintf(c[i].name, sizeof(c[i].name), "check%u", i);
	}
	configure(e, c, 40);
	run_until(e, has_forty);
	assert_true(mono_since(e->reports[39].at, e->reports[0].at) >= 300 * MS);
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(e->reports[i].index, i);
}

static void
test_interface_missing(void **state)
{
	struct env *e = *state;
	struct ipc_conf_check c = script(e, "link", "");

	c.kind = IPC_CHECK_INTERFACE;
	e->ifname = "nosuch0";
	configure(e, &c, 1);
	run_until(e, has_one);
	assert_int_equal(first(e)->state, IPC_CHECK_DOWN);
	assert_string_equal(first(e)->last, "nosuch0 does not exist");
}

static void
test_script_for_another_user_is_refused(void **state)
{
	struct env *e = *state;
	const struct passwd *pw = getpwuid(geteuid());
	const char *other = geteuid() == 0 ? "daemon" : "root";
	struct ipc_conf_check c[3] = {script(e, "other", "touch %D/ran"), script(e, "nobody", "touch %D/ran"),
				      script(e, "own", "echo fine")};
	char expected[LIMIT_CHECK_TEXT];

	if (pw == NULL || getpwnam(other) == NULL)
		skip();
	str_copy(c[0].user, sizeof(c[0].user), other);
	str_copy(c[1].user, sizeof(c[1].user), "no-such-user-here");
	str_copy(c[2].user, sizeof(c[2].user), pw->pw_name);
	for (unsigned i = 0; i < 3; i++)
		c[i].interval_us = 3600 * USEC_PER_SEC;
	configure(e, c, 3);
	e->done = NULL;
	run_until(e, has_two);
	snprintf(expected, sizeof(expected), "not run: there is nobody here who may become user \"%s\"", other);
	assert_string_equal(checks_get(e->checks, 0)->last, expected);
	assert_int_equal(checks_get(e->checks, 0)->state, IPC_CHECK_DOWN);
	assert_string_equal(checks_get(e->checks, 1)->last,
			    "not run: there is no user \"no-such-user-here\" on this host");
	assert_int_not_equal(checks_get(e->checks, 2)->state, IPC_CHECK_DOWN);
	assert_string_equal(file_text(e, "ran"), "");
}

/* Who may run commands of other users, played: notes what is asked, says what is told to say. */
struct runner {
	struct env *e;
	uint32_t token, index;
	int out;
	unsigned runs, kills, forced;
};

static int
runner_run(void *arg, uint32_t token, uint32_t index, int out)
{
	struct runner *r = arg;

	r->token = token;
	r->index = index;
	r->out = dup(out);
	r->runs++;
	return 0;
}

static void
runner_kill(void *arg, uint32_t token, bool force)
{
	struct runner *r = arg;

	assert_int_equal(token, r->token);
	r->kills++;
	r->forced += force;
	if (force) {
		struct ipc_run_ended m = {.token = token, .code = CLD_KILLED, .status = SIGKILL};

		close(r->out);
		checks_run_ended(r->e->checks, &m);
	}
}

static struct runner *runner;

/* Other runs' ends, then its own with a line of output. */
static bool
runner_answers(struct env *e)
{
	struct ipc_run_ended m = {.token = runner->token + 1, .code = CLD_EXITED};

	if (runner->runs == 1 && e->n == 0) {
		checks_run_ended(e->checks, &m);
		assert_int_equal(e->n, 0);
		assert_int_equal(write(runner->out, "all is well\n", 12), 12);
		close(runner->out);
		m.token = runner->token;
		m.status = 2;
		checks_run_ended(e->checks, &m);
		checks_run_ended(e->checks, &m); /* told twice: once is enough */
	}
	return e->n >= 1;
}

static struct ipc_conf_check
foreign(struct env *e, struct runner *r)
{
	struct check_runner cr = {.arg = r, .run = runner_run, .kill = runner_kill};
	struct ipc_conf_check c = script(e, "other", "touch %D/ran");

	r->e = e;
	runner = r;
	checks_set_runner(e->checks, &cr);
	str_copy(c.user, sizeof(c.user), geteuid() == 0 ? "daemon" : "root");
	c.interval_us = 3600 * USEC_PER_SEC;
	return c;
}

static void
test_script_for_another_user_is_asked_for(void **state)
{
	struct env *e = *state;
	struct runner r = {0};
	struct ipc_conf_check c = foreign(e, &r);

	configure(e, &c, 1);
	run_until(e, runner_answers);
	assert_string_equal(first(e)->last, "all is well");
	assert_int_equal(first(e)->state, IPC_CHECK_DOWN);
	assert_int_equal(r.runs, 1);
	assert_string_equal(file_text(e, "ran"), ""); /* the agent itself has run nothing */
}

static bool
was_forced(struct env *e)
{
	(void)e;
	return runner->forced > 0;
}

static void
test_script_for_another_user_hangs(void **state)
{
	struct env *e = *state;
	struct runner r = {0};
	struct ipc_conf_check c = foreign(e, &r);

	c.timeout_us = 50 * MS;
	configure(e, &c, 1);
	run_until(e, was_forced);
	assert_int_equal(first(e)->runs[CHECK_RESULT_TIMEOUT], 1);
	assert_int_equal(r.kills, 2);
	assert_false(first(e)->running);
}

/* One run; its weight, or 1000 for none. */
static void
run_weighed(void **state, enum ipc_weight_from from, const char *text, uint8_t verdict, int weight,
	    const char *last)
{
	struct env *e = *state;
	struct ipc_conf_check c = script(e, "one", text);

	c.interval_us = 3600 * USEC_PER_SEC;
	c.weight_from = (uint8_t)from;
	configure(e, &c, 1);
	run_until(e, has_one);
	assert_string_equal(first(e)->last, last);
	assert_int_equal(first(e)->state, verdict);
	assert_int_equal(first(e)->has_weight, weight != 1000);
	if (weight != 1000)
		assert_int_equal(first(e)->weight, weight);
}

#define WEIGHED(name, from, text, verdict, weight, last)                                                       \
	static void test_weight_##name(void **state)                                                           \
	{                                                                                                      \
		run_weighed(state, IPC_WEIGHT_FROM_##from, text, IPC_CHECK_##verdict, weight, last);           \
	}

WEIGHED(exit_0, EXIT, "exit 0", UP, 1000, "exit status 0")
WEIGHED(exit_1, EXIT, "exit 1", DOWN, 1000, "exit status 1")
WEIGHED(exit_2, EXIT, "exit 2", UP, 0, "weight 0")
WEIGHED(exit_255, EXIT, "echo busy; exit 255", UP, 253, "busy")
WEIGHED(exit_signal, EXIT, "kill -9 $$", DOWN, 1000, "killed by signal 9 (Killed)")
WEIGHED(none, NONE, "echo 5; exit 12", DOWN, 1000, "5")
WEIGHED(output, OUTPUT, "echo thinking; echo ' -253 '; echo", UP, -253, "weight -253")
WEIGHED(output_bad, OUTPUT, "echo 10; exit 2", DOWN, 1000, "10")
WEIGHED(output_range, OUTPUT, "echo 254", DOWN, 1000, "the last line is no number from -253 to 253: 254")
WEIGHED(output_text, OUTPUT, "echo 12 servers up", DOWN, 1000,
	"the last line is no number from -253 to 253: 12 servers up")
WEIGHED(output_none, OUTPUT, "true", DOWN, 1000, "the last line is no number from -253 to 253:")

static bool
reconfigured_and_quiet(struct env *e)
{
	static const char *const text = "echo $$ >>%D/pid; echo fine";
	struct ipc_conf_check c[2];

	if (e->n == 2 && checks_count(e->checks) == 2) {
		/* "keep" moves to the front of a new generation, "gone" is running and goes, "new" comes. */
		c[0] = script(e, "keep", text);
		c[0].interval_us = 3600 * USEC_PER_SEC;
		c[1] = script(e, "new", "echo new");
		c[1].interval_us = 3600 * USEC_PER_SEC;
		if (strcmp(checks_get(e->checks, 0)->def.conf.name, "gone") == 0)
			configure(e, c, 2);
	}
	return e->n >= 3;
}

static void
test_reconfigure_keeps_what_did_not_change(void **state)
{
	struct env *e = *state;
	struct ipc_conf_check c[2] = {script(e, "gone", "exec sleep 1000"),
				      script(e, "keep", "echo $$ >>%D/pid; echo fine")};

	c[0].timeout_us = 300 * MS;
	c[0].interval_us = 10 * MS; /* after its time-out it is on its way again */
	c[0].on_timeout = IPC_POLICY_HOLD;
	c[1].interval_us = 3600 * USEC_PER_SEC;
	configure(e, c, 2);
	run_until(e, reconfigured_and_quiet);
	assert_string_equal(checks_get(e->checks, 0)->def.conf.name, "keep");
	assert_int_equal(checks_get(e->checks, 0)->state, IPC_CHECK_UP);
	assert_int_equal(checks_get(e->checks, 0)->runs[CHECK_RESULT_UP], 1);
	assert_int_equal(checks_get(e->checks, 0)->index, 0);
	assert_string_equal(checks_get(e->checks, 1)->last, "new");
	assert_int_equal(strlen(file_text(e, "pid")), strcspn(file_text(e, "pid"), "\n") + 1);
}

static void
test_text_last_line_random_octets(void **state)
{
	unsigned seed = (unsigned)clock_wall_us();
	char in[64], out[24];

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (unsigned round = 0; round < 20000; round++) {
		size_t n = (size_t)random() % sizeof(in), size = 1 + (size_t)random() % sizeof(out);

		for (size_t i = 0; i < n; i++)
			in[i] = (char)(random() % 4 == 0 ? random() : "a \n\303\274\342\202\254"[random() % 8]);
		text_last_line(out, size, in, n);
		assert_true(strlen(out) < size);
		for (size_t i = 0; out[i] != '\0'; i++)
			assert_true((unsigned char)out[i] >= ' ');
		assert_int_equal(mbstowcs(NULL, out, 0) == (size_t)-1, 0);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_script_exit_zero_is_up),
		T(test_script_exit_nonzero_is_down),
		T(test_script_silent_tells_exit_status),
		T(test_script_silent_tells_signal),
		T(test_script_missing_command),
		T(test_script_environment_is_clean),
		T(test_script_inherits_nothing),
		T(test_script_output_is_made_printable),
		T(test_script_long_line_is_cut),
		T(test_script_flood_does_not_block_it),
		T(test_script_children_do_not_outlive_it),
		T(test_script_hung_is_stopped),
		T(test_script_that_ignores_sigterm_is_killed),
		T(test_script_timeout_hold_says_nothing),
		T(test_first_timeout_hold_stays_pending),
		T(test_fall_counts_in_a_row),
		T(test_rise_counts_in_a_row),
		T(test_runs_never_overlap),
		T(test_interval_has_bounded_jitter),
		T(test_many_first_runs_are_spread),
		T(test_interface_missing),
		T(test_script_for_another_user_is_refused),
		T(test_script_for_another_user_is_asked_for),
		T(test_script_for_another_user_hangs),
		T(test_weight_exit_0),
		T(test_weight_exit_1),
		T(test_weight_exit_2),
		T(test_weight_exit_255),
		T(test_weight_exit_signal),
		T(test_weight_none),
		T(test_weight_output),
		T(test_weight_output_bad),
		T(test_weight_output_range),
		T(test_weight_output_text),
		T(test_weight_output_none),
		T(test_reconfigure_keeps_what_did_not_change),
		cmocka_unit_test(test_text_last_line_random_octets),
	};

	/* mbstowcs judges by the locale; C.UTF-8 is in every glibc since 2.35 and on Debian before. */
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		print_message("no C.UTF-8 locale: the random text test is weaker\n");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
