/*
 * parent_restart.c - the same process with a new program: an upgrade without an interruption.
 *
 * SIGUSR2. The new program checks the configuration first. Then the children are ended without a word, so that
 * addresses stay where they are, and this process executes its own file again: same process id, same lock, same
 * status socket, and the memories from which the next engine and agent go on (ipc_memory.h, ipc_events.h). The descriptors' numbers go
 * along in the environment, and which table of system calls is in force: that cannot be taken back, and need
 * not be put on top of itself at every restart.
 */
#include "parent/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"

#define ENVIRONMENT "VRRPD_RESTART"
#define CHECK_MAX_S 10
#define TURNS	    2 /* of the loop: one takes in what was caught, the next has dealt with it */

bool
parent_new_program_agrees(struct parent *p)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		alarm(CHECK_MAX_S);
		(void)!freopen("/dev/null", "w", stdout);
		execl(p->self, p->argv[0], "--check", "-f", p->file, (char *)NULL);
		_exit(127);
	}
	if (pid < 0)
		return false;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void
parent_end_children(struct parent *p)
{
	for (int k = 0; k < PARENT_CHILDREN; k++) {
		if (p->children[k].pid != 0)
			kill(p->children[k].pid, SIGKILL);
		p->children[k].pid = 0;
	}
}

static void
keep_over_exec(int fd)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, 0);
}

static void
hold_signals(bool hold)
{
	sigset_t set;

	if (hold)
		sigfillset(&set);
	else
		sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

void
parent_restart(struct parent *p)
{
	if (p->stopping || p->reload.running) {
		log_warning("restart: not while vrrpd is stopping or reloading");
		return;
	}
	/* From now on a signal waits until the next program has its handlers; between the two it would end this
	 * process. What was caught before gets its turn first. */
	hold_signals(true);
	p->restart_turns = TURNS;
	loop_timer_set(p->restart_timer, loop_update_now(p->loop));
}

static void
execute(struct parent *p)
{
	char value[96];

	if (p->reload.running) {
		log_warning("restart: not while vrrpd is reloading");
		return;
	}
	if (!parent_new_program_agrees(p)) {
		log_error("restart: %s does not accept the configuration: nothing was changed", p->self);
		return;
	}
	log_info("restart: executing %s", p->self);
	snprintf(value, sizeof(value), "%d,%d,%d,%d,%d,%d", p->lock_fd, p->control_fd, p->listen_fd, p->memory_fd,
		 p->call_table, p->events_fd);
	setenv(ENVIRONMENT, value, 1);
	keep_over_exec(p->lock_fd);
	keep_over_exec(p->control_fd);
	keep_over_exec(p->listen_fd);
	keep_over_exec(p->memory_fd);
	keep_over_exec(p->events_fd);
	parent_end_children(p); /* what is left of them is reaped by the next program */
	parent_run_end_all(p);
	execv(p->self, p->argv);
	log_error("restart: cannot execute %s: %s: going on as before", p->self, strerror(errno));
	unsetenv(ENVIRONMENT);
	for (int k = 0; k < PARENT_CHILDREN; k++)
		parent_start_child(p, (enum parent_child_kind)k);
}

void
parent_on_restart_timer(void *arg, mono_t now)
{
	struct parent *p = arg;

	if (!p->stopping && --p->restart_turns > 0) {
		loop_timer_set(p->restart_timer, mono_add(now, 1));
		return;
	}
	if (!p->stopping)
		execute(p);
	/* Still here: it ends, or goes on as before. */
	hold_signals(false);
}

/* An inherited descriptor is not for the children. */
static int
take_over(int fd)
{
	if (fd < 3 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	return fd;
}

void
parent_inherit(struct parent *p)
{
	const char *value = getenv(ENVIRONMENT);
	int fds[5] = {-1, -1, -1, -1, -1};
	sigset_t none;

	/* The last two are not told by every version. */
	if (value != NULL &&
	    sscanf(value, "%d,%d,%d,%d,%d,%d", &fds[0], &fds[1], &fds[2], &fds[3], &p->call_table, &fds[4]) >= 4) {
		p->restarted = true;
		p->lock_fd = take_over(fds[0]);
		p->control_fd = take_over(fds[1]);
		p->listen_fd = take_over(fds[2]);
		p->memory_fd = take_over(fds[3]);
		p->events_fd = take_over(fds[4]);
	}
	unsetenv(ENVIRONMENT);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
