/*
 * test_parent_run.c - what vrrpd runs for the agent, and what it does not run whatever the agent asks.
 *
 * The agent's end of the channel is played here. What needs another user's rights runs as root only.
 */
#include "parent/parent.h"

#include <errno.h>
#include <fcntl.h>
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

#include "base/macros.h"
#include "sys/clock.h"

#define GEN	    7
#define WAIT_MAX_US (10 * USEC_PER_SEC)

enum { QUICK, SLOW, OF_ROOT, OWN, INTERFACE, CHECKS };

struct env {
	struct parent p;
	struct cfg cfg, old;
	struct cfg_check checks[CHECKS];
	struct ipc_chan agent;
	struct loop_timer *tick;
	mono_t deadline;
	unsigned wanted, n;
	struct ipc_run_ended ended[64];
	int out[2];
};

static char nobody[] = "nobody", root_user[] = "root", no_such_user[] = "no-such-user";
static char *quick[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, (char[]){"id -un; exit 3"}, NULL};
static char *slow[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, (char[]){"trap '' TERM; sleep 60 & sleep 60"},
		       NULL};

static void
on_tick(void *arg, mono_t now)
{
	struct env *e = arg;
	union ipc_msg m;
	int fd;

	parent_reap(&e->p); /* SIGCHLD does it in vrrpd */
	while (ipc_chan_recv(&e->agent, &m, &fd) == 1) {
		assert_int_equal(m.h.type, IPC_RUN_ENDED);
		assert_true(e->n < ARRAY_SIZE(e->ended));
		e->ended[e->n++] = m.RUN_ENDED;
	}
	if (e->n >= e->wanted || mono_due(now, e->deadline))
		loop_stop(e->p.loop);
	loop_timer_set(e->tick, mono_add(now, 2 * USEC_PER_MS));
}

static int
setup(void **state)
{
	struct env *e = calloc(1, sizeof(*e));
	int sv[2];

	assert_non_null(e);
	for (int i = 0; i < CHECKS; i++) {
		struct cfg_check *k = &e->checks[i];

		snprintf(k->name, sizeof(k->name), "c%d", i);
		k->interval = k->timeout = 200 * USEC_PER_MS;
		k->kind = i == INTERFACE ? CFG_CHECK_INTERFACE : CFG_CHECK_SCRIPT;
		k->n_command = 3;
		k->command = i == SLOW ? slow : quick;
		k->user = i == OWN ? NULL : i == OF_ROOT ? root_user : nobody;
	}
	e->cfg = (struct cfg){.n_checks = CHECKS, .checks = e->checks, .node = "node-1"};
	e->old = e->cfg;
	e->p.loop = loop_new();
	e->p.cfg = &e->cfg;
	e->p.gen = GEN;
	e->p.may_change_user = geteuid() == 0;
	e->p.children[PARENT_ENGINE].chan.fd = -1;
	assert_int_equal(ipc_chan_pair(sv), 0);
	ipc_chan_init(&e->p.children[PARENT_AGENT].chan, sv[0], IPC_PARENT_TO_AGENT, IPC_AGENT_TO_PARENT);
	ipc_chan_init(&e->agent, sv[1], IPC_AGENT_TO_PARENT, IPC_PARENT_TO_AGENT);
	parent_run_open(&e->p);
	e->tick = loop_timer_add(e->p.loop, on_tick, e);
	assert_int_equal(pipe2(e->out, O_CLOEXEC | O_NONBLOCK), 0);
	*state = e;
	return 0;
}

static int
teardown(void **state)
{
	struct env *e = *state;

	parent_run_close(&e->p);
	while (waitpid(-1, NULL, 0) > 0)
		;
	loop_timer_del(e->tick);
	loop_free(e->p.loop);
	ipc_chan_close(&e->agent);
	ipc_chan_close(&e->p.children[PARENT_AGENT].chan);
	close(e->out[0]);
	close(e->out[1]);
	free(e);
	return 0;
}

static void
run(struct env *e, uint32_t gen, uint32_t token, uint32_t check)
{
	struct ipc_run m = {.h.gen = gen, .token = token, .what = IPC_RUN_CHECK, .index = check};

	parent_run_start(&e->p, &m, dup(e->out[1]));
}

/* Run the loop until so many ends were told; once per test (a stopped loop stays stopped). */
static void
wait_for(struct env *e, unsigned n)
{
	e->wanted = n;
	e->deadline = mono_add(clock_mono(), WAIT_MAX_US);
	loop_timer_set(e->tick, clock_mono());
	assert_int_equal(loop_run(e->p.loop), 0);
	assert_true(e->n >= n);
}

static void
expect_refusal(const struct env *e, unsigned at, uint32_t token, const char *text)
{
	assert_int_equal(e->ended[at].token, token);
	assert_int_equal(e->ended[at].code, 0);
	if (strncmp(e->ended[at].text, text, strlen(text)) != 0)
		fail_msg("it says \"%s\" instead of \"%s\"", e->ended[at].text, text);
}

static void
test_what_is_never_run(void **state)
{
	struct env *e = *state;

	run(e, GEN, 1, CHECKS); /* no such check */
	run(e, GEN, 2, UINT32_MAX);
	run(e, GEN + 1, 3, QUICK); /* no such generation */
	run(e, GEN - 1, 4, QUICK); /* the one before is gone */
	run(e, GEN, 5, OWN);	   /* the agent's own user: it needs nobody for that */
	run(e, GEN, 6, INTERFACE); /* no command */
	e->checks[QUICK].user = no_such_user;
	run(e, GEN, 7, QUICK);
	e->p.may_change_user = false;
	run(e, GEN, 8, SLOW);
	wait_for(e, 8);
	expect_refusal(e, 2, 3, "the configuration has just changed");
	expect_refusal(e, 3, 4, "the configuration has just changed");
	for (unsigned i = 0; i < 6; i++)
		if (i < 2 || i > 3)
			expect_refusal(e, i, i + 1, "it is no command that vrrpd runs");
	expect_refusal(e, 6, 7, "there is no user \"no-such-user\"");
	expect_refusal(e, 7, 8, "vrrpd may not change users");
	errno = 0;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD); /* nothing was started */
}

static void
test_runs_as_its_user(void **state)
{
	struct env *e = *state;
	char text[64] = "";

	if (geteuid() != 0)
		skip();
	run(e, GEN, 1, QUICK);
	wait_for(e, 1);
	assert_int_equal(e->ended[0].token, 1);
	assert_int_equal(e->ended[0].code, CLD_EXITED);
	assert_int_equal(e->ended[0].status, 3);
	assert_int_equal(read(e->out[0], text, sizeof(text) - 1), 7);
	assert_string_equal(text, "nobody\n");
}

/* While a reload is under way the agent has the generation before. */
static void
test_generation_before(void **state)
{
	struct env *e = *state;

	if (geteuid() != 0)
		skip();
	e->p.gen = GEN + 1;
	e->p.old_cfg = &e->old;
	run(e, GEN, 1, QUICK);
	wait_for(e, 1);
	assert_int_equal(e->ended[0].code, CLD_EXITED);
}

static void
test_one_at_a_time(void **state)
{
	struct env *e = *state;
	struct ipc_run_kill other = {.token = 99, .force = 1}, gently = {.token = 1},
			    force = {.token = 1, .force = 1};

	if (geteuid() != 0)
		skip();
	e->checks[SLOW].timeout = e->checks[SLOW].interval = 3600 * USEC_PER_SEC;
	run(e, GEN, 1, SLOW);
	run(e, GEN, 2, SLOW);
	parent_run_kill(&e->p, &other);	 /* nobody's */
	parent_run_kill(&e->p, &gently); /* may come before the trap: either signal ends it */
	parent_run_kill(&e->p, &force);
	wait_for(e, 2);
	expect_refusal(e, 0, 2, "the run before has not ended");
	assert_int_equal(e->ended[1].token, 1);
	assert_int_equal(e->ended[1].code, CLD_KILLED);
}

/* An agent that never asks for the end: vrrpd ends it, a second after the time-out. */
static void
test_time_out(void **state)
{
	struct env *e = *state;
	mono_t began = clock_mono();
	uint64_t took;

	if (geteuid() != 0)
		skip();
	run(e, GEN, 1, SLOW);
	wait_for(e, 1);
	took = mono_since(clock_mono(), began);
	assert_int_equal(e->ended[0].code, CLD_KILLED);
	assert_int_equal(e->ended[0].status, SIGKILL);
	assert_in_range(took, 1100 * USEC_PER_MS, 8000 * USEC_PER_MS);
}

/* More often than the interval says: four in a row, then no more. */
static bool
asked_again(struct env *e)
{
	static unsigned seen;

	if (e->n > seen && e->n < 12) {
		seen = e->n;
		run(e, GEN, 1 + e->n, QUICK);
	}
	return e->n >= 12;
}

static void
on_ask(void *arg, mono_t now)
{
	struct env *e = arg;

	on_tick(e, now);
	(void)asked_again(e);
}

static void
test_rate(void **state)
{
	struct env *e = *state;
	unsigned ran = 0;

	if (geteuid() != 0)
		skip();
	e->checks[QUICK].interval = e->checks[QUICK].timeout = 3600 * USEC_PER_SEC;
	loop_timer_del(e->tick);
	e->tick = loop_timer_add(e->p.loop, on_ask, e);
	run(e, GEN, 1, QUICK);
	wait_for(e, 12);
	for (unsigned i = 0; i < e->n; i++)
		ran += e->ended[i].code != 0;
	assert_int_equal(ran, 4);
	expect_refusal(e, 11, 12, "asked for more often than its interval allows");
}

static void
test_root_and_its_files(void **state)
{
	struct env *e = *state;
	static char path[] = "/tmp/vrrpd-test-run-XXXXXX";
	static char *command[] = {path, NULL};
	int fd;

	if (geteuid() != 0)
		skip();
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "#!/bin/sh\nexit 5\n", 17), 17);
	assert_int_equal(fchmod(fd, 0777), 0);
	e->checks[OF_ROOT].command = command;
	e->checks[OF_ROOT].n_command = 1;
	run(e, GEN, 1, OF_ROOT);
	assert_int_equal(fchmod(fd, 0755), 0);
	assert_int_equal(fchown(fd, 1, 0), 0);
	run(e, GEN, 2, OF_ROOT);
	assert_int_equal(fchown(fd, 0, 0), 0);
	close(fd);
	run(e, GEN, 3, OF_ROOT);
	wait_for(e, 3);
	unlink(path);
	expect_refusal(e, 0, 1, "not as root: /tmp/vrrpd-test-run-");
	expect_refusal(e, 1, 2, "not as root: /tmp/vrrpd-test-run-");
	assert_int_equal(e->ended[2].code, CLD_EXITED);
	assert_int_equal(e->ended[2].status, 5);
}

/* The agent goes: what it had asked for goes too, and nobody is told. */
static void
test_orphans(void **state)
{
	struct env *e = *state;

	if (geteuid() != 0)
		skip();
	e->checks[SLOW].timeout = 3600 * USEC_PER_SEC;
	run(e, GEN, 1, SLOW);
	parent_run_end_all(&e->p);
	run(e, GEN, 2, QUICK); /* the next agent's */
	wait_for(e, 1);
	assert_int_equal(e->ended[0].token, 2);
	while (waitpid(-1, NULL, 0) > 0)
		; /* ends only when the slow one has died */
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_what_is_never_run),  T(test_runs_as_its_user), T(test_generation_before),
		T(test_one_at_a_time),	    T(test_time_out),	      T(test_rate),
		T(test_root_and_its_files), T(test_orphans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
