/*
 * test_check_process.c - kind "process": by name, by pid file, by control group; and how soon an end counts.
 */
#include "check_local.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define HOUR (3600 * USEC_PER_SEC)

static pid_t child;

/* A process of this name that waits. */
static pid_t
play(const char *name)
{
	int ready[2];
	char octet;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		(void)!write(ready[1], "", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &octet, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void
end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool
is_down_after_kill(struct env *e)
{
	if (e->reports == 1 && child != 0) {
		assert_int_equal(kill(child, SIGKILL), 0); /* not reaped: a zombie has ended */
		child = 0;
	}
	return env_check(e)->state == IPC_CHECK_DOWN;
}

static void
test_by_name(void **state)
{
	struct env *e = *state;
	char line[128];
	pid_t pid;

	env_start(e, IPC_CHECK_PROCESS, HOUR, 1000 * MS, "process", "vrrpd-t-none", NULL);
	env_expect(e, IPC_CHECK_DOWN, "no process vrrpd-t-none");
	pid = child = play("vrrpd-t-one");
	env_start(e, IPC_CHECK_PROCESS, HOUR, 1000 * MS, "process", "vrrpd-t-one", NULL);
	snprintf(line, sizeof(line), "vrrpd-t-one runs as process %d", (int)pid);
	assert_true(env_run(e, env_has_result));
	assert_string_equal(env_check(e)->last, line);
	/* The interval is an hour: only the pidfd tells. */
	env_start(e, IPC_CHECK_PROCESS, HOUR, 1000 * MS, "process", "vrrpd-t-one", NULL);
	assert_true(env_run(e, is_down_after_kill));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Two of a name: when one ends the other is found. */
static bool
other_was_found(struct env *e)
{
	if (e->reports == 1 && child != 0) {
		(void)sscanf(env_check(e)->last, "vrrpd-t-two runs as process %d", &child);
		kill(child, SIGKILL);
		child = 0;
	}
	return e->reports >= 2;
}

static void
test_two_of_a_name(void **state)
{
	struct env *e = *state;
	pid_t a = play("vrrpd-t-two"), b = play("vrrpd-t-two");

	child = a;
	env_start(e, IPC_CHECK_PROCESS, HOUR, 1000 * MS, "process", "vrrpd-t-two", NULL);
	assert_true(env_run(e, other_was_found));
	assert_int_equal(env_check(e)->state, IPC_CHECK_UP);
	kill(a, SIGKILL);
	kill(b, SIGKILL);
	assert_int_equal(waitpid(a, NULL, 0), a);
	assert_int_equal(waitpid(b, NULL, 0), b);
}

/* The kernel keeps 15 octets; a longer name is told by the first argument. */
static void
test_long_name(void **state)
{
	struct env *e = *state;
	char path[128], to[200];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/vrrpd-test-of-a-long-name", e->dir);
	snprintf(to, sizeof(to), "cp /bin/sleep %s", path);
	assert_int_equal(system(to), 0);
	pid = fork();
	if (pid == 0) {
		execl(path, path, "100", (char *)NULL);
		_exit(127);
	}
	for (mono_t began = clock_mono();;) {
		env_start(e, IPC_CHECK_PROCESS, HOUR, 1000 * MS, "process", "vrrpd-test-of-a-long-name", NULL);
		assert_true(env_run(e, env_has_result));
		if (env_check(e)->state == IPC_CHECK_UP)
			break;
		assert_true(mono_since(clock_mono(), began) < WAIT_MAX_US); /* until it has executed */
	}
	env_start(e, IPC_CHECK_PROCESS, HOUR, 1000 * MS, "process", "vrrpd-test-of-another", NULL);
	env_expect(e, IPC_CHECK_DOWN, "no process vrrpd-test-of-another");
	end(pid);
}

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
expect_pid_file(struct env *e, const char *path, enum ipc_check_state state, const char *last)
{
	env_start(e, IPC_CHECK_PROCESS, HOUR, 1000 * MS, "pid_file", path, NULL);
	env_expect(e, state, last);
}

static void
test_by_pid_file(void **state)
{
	static const char *const bad[] = {"", "\n", "x", "-1", "0", "12x", "99999999999999999999", "+", " "};
	struct env *e = *state;
	char path[128], line[256], text[64];
	pid_t pid = play("vrrpd-t-file");

	snprintf(path, sizeof(path), "%s/pid", e->dir);
	snprintf(line, sizeof(line), "%s does not exist", path);
	expect_pid_file(e, path, IPC_CHECK_DOWN, line);
	snprintf(line, sizeof(line), "%s holds no process number", path);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put(path, bad[i]);
		expect_pid_file(e, path, IPC_CHECK_DOWN, line);
	}
	snprintf(text, sizeof(text), "%d\n4711\n", (int)pid);
	put(path, text);
	snprintf(line, sizeof(line), "process %d of %s runs", (int)pid, path);
	expect_pid_file(e, path, IPC_CHECK_UP, line);
	snprintf(text, sizeof(text), "%d", (int)pid);
	put(path, text);
	expect_pid_file(e, path, IPC_CHECK_UP, line);
	child = pid;
	env_start(e, IPC_CHECK_PROCESS, HOUR, 1000 * MS, "pid_file", path, NULL);
	assert_true(env_run(e, is_down_after_kill));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	snprintf(line, sizeof(line), "process %d of %s does not run", (int)pid, path);
	expect_pid_file(e, path, IPC_CHECK_DOWN, line);
}

static void
test_by_group(void **state)
{
	struct env *e = *state;
	const char *roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd",
			       "/sys/fs/cgroup/pids"};
	char dir[128] = "", path[256], text[64];
	usec_t interval;
	pid_t pid;

	env_start(e, IPC_CHECK_PROCESS, HOUR, 1000 * MS, "cgroup", "no/such/group", NULL);
	env_expect(e, IPC_CHECK_DOWN, "there is no control group no/such/group");
	for (size_t i = 0; i < ARRAY_SIZE(roots) && dir[0] == '\0'; i++) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", roots[i]);
		snprintf(dir, sizeof(dir), "%s/vrrpd-test-%d", roots[i], (int)getpid());
		if (access(path, F_OK) < 0 || mkdir(dir, 0755) < 0)
			dir[0] = '\0';
	}
	if (dir[0] == '\0') {
		print_message("no control group can be made here: that part is left out\n");
		return;
	}
	print_message("control group %s\n", dir);
	env_start(e, IPC_CHECK_PROCESS, HOUR, 1000 * MS, "cgroup", dir, NULL);
	assert_true(env_run(e, env_has_result));
	assert_int_equal(env_check(e)->state, IPC_CHECK_DOWN);
	assert_non_null(strstr(env_check(e)->last, "has no process"));
	pid = play("vrrpd-t-group");
	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	snprintf(text, sizeof(text), "%d\n", (int)pid);
	put(path, text);
	child = pid;
	env_start(e, IPC_CHECK_PROCESS, HOUR, 1000 * MS, "cgroup", dir, NULL);
	assert_true(env_run(e, env_has_result));
	assert_int_equal(env_check(e)->state, IPC_CHECK_UP);
	/* Version 2 tells a change; of version 1 only the next look does. */
	snprintf(path, sizeof(path), "%s/cgroup.events", dir);
	interval = access(path, F_OK) == 0 ? HOUR : 50 * MS;
	env_start(e, IPC_CHECK_PROCESS, interval, 50 * MS, "cgroup", dir, NULL);
	assert_true(env_run(e, is_down_after_kill));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	env_close(e);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, env_setup, env_teardown)
	const struct CMUnitTest tests[] = {
		T(test_by_name),     T(test_two_of_a_name), T(test_long_name),
		T(test_by_pid_file), T(test_by_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
