/*
 * test_verdicts.c - what vrrpd-agent tells the engine of its checks, and how often: news at once, the rest in
 * time.
 */
#include "agent_world.h"

#define INTERVAL_US (20 * USEC_PER_MS)
#define STALE_US    ipc_stale_after_us(INTERVAL_US, INTERVAL_US)

/* Check 0 is up while the folder has no file "down". A run that a busy machine delays says nothing. */
static struct ipc_conf_check
quick_check(const struct world *w)
{
	char shell[128];
	struct ipc_conf_check c;

	snprintf(shell, sizeof(shell), "test ! -e %s/down", w->dir);
	c = world_check("haproxy", shell);
	c.interval_us = c.timeout_us = INTERVAL_US;
	c.on_timeout = IPC_POLICY_HOLD;
	return c;
}

static int
setup(void **state)
{
	struct world *w = world_start(0);
	struct ipc_conf_check c = quick_check(w);

	world_send_conf(w, &c, 1);
	world_commit(w);
	assert_true(world_wait_ready(w, w->gen));
	w->engine_gen = w->gen;
	*state = w;
	return 0;
}

/* Runs of check 0 so far that said up. */
static unsigned long
runs(struct world *w)
{
	static const char head[] = "vrrpd_check_runs_total{check=\"haproxy\",result=\"up\"} ";
	mono_t deadline = mono_add(clock_mono(), WORLD_WAIT_US);

	for (;;) {
		char *t = world_get(w, "/metrics"); /* 503 until there is a snapshot of this generation */
		const char *at = strstr(t, head);
		unsigned long n = at != NULL ? strtoul(at + strlen(head), NULL, 10) : 0;

		free(t);
		if (at != NULL)
			return n;
		assert_false(mono_due(clock_mono(), deadline));
		usleep(5000);
	}
}

static void
wait_state(struct world *w, int state)
{
	mono_t deadline = mono_add(clock_mono(), WORLD_WAIT_US);

	while (w->verdict_state != state) {
		assert_false(mono_due(clock_mono(), deadline));
		usleep(1000);
	}
}

static void
set_down(struct world *w, bool down)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/down", w->dir);
	if (down)
		close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	else
		unlink(path);
}

/* A tenth of the runs at most is told, and never later than well before a verdict is stale. */
static void
test_unchanged(void **state)
{
	struct world *w = *state;
	unsigned long first;
	int verdicts;

	wait_state(w, IPC_CHECK_UP);
	first = runs(w);
	while (runs(w) < first + 3) /* what is new is told twice */
		usleep(5000);
	first = runs(w);
	verdicts = w->verdicts;
	w->verdict_gap_us = 0;
	while (runs(w) < first + 100)
		usleep(20000);
	assert_true(w->verdicts > verdicts);
	assert_true(w->verdicts - verdicts <= 20);
	assert_true(w->verdict_gap_us < STALE_US);
}

static void
test_changes_are_told_at_once(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < 5; i++) {
		wait_state(w, IPC_CHECK_UP);
		set_down(w, true);
		wait_state(w, IPC_CHECK_DOWN);
		set_down(w, false);
	}
}

/* The engine begins anew: the verdict is told at once, and with the next run once more. */
static void
test_another_engine(void **state)
{
	struct world *w = *state;
	mono_t deadline = mono_add(clock_mono(), WORLD_WAIT_US);
	int verdicts;

	wait_state(w, IPC_CHECK_UP);
	world_stop_engine(w);
	w->verdict_state = IPC_CHECK_PENDING;
	verdicts = w->verdicts;
	world_start_engine(w);
	wait_state(w, IPC_CHECK_UP);
	while (w->verdicts < verdicts + 2) {
		assert_false(mono_due(clock_mono(), deadline));
		usleep(1000);
	}
}

/* A reload without a change of the check: it goes on, and the engine hears of it under the new generation. */
static void
test_another_generation(void **state)
{
	struct world *w = *state;
	struct ipc_conf_check c = quick_check(w);

	wait_state(w, IPC_CHECK_UP);
	w->verdict_gen = 0;
	world_send_conf(w, &c, 1);
	world_commit(w);
	assert_true(world_wait_ready(w, w->gen));
	for (mono_t deadline = mono_add(clock_mono(), WORLD_WAIT_US); w->verdict_gen != w->gen; usleep(1000))
		assert_false(mono_due(clock_mono(), deadline));
	assert_int_equal(w->verdict_state, IPC_CHECK_UP);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(test_unchanged),
		T(test_changes_are_told_at_once),
		T(test_another_engine),
		T(test_another_generation),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
