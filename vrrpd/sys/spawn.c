/*
 * spawn.c - start other programs; see spawn.h. The parent starts ours and, as another user, those of the
 * configuration; the agent starts the rest of these.
 */
#include "sys/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "base/macros.h"

#define CHANNEL_FD 3
#define PROGRAM_FD 4

static void
reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		if (s != SIGKILL && s != SIGSTOP)
			signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noreturn)) static void
child_fails(const char *what, int err)
{
	fprintf(stderr, "vrrpd: %s: %s\n", what, strerror(err));
	_exit(127);
}

__attribute__((noreturn)) static void
child(const struct spawn_program *s, pid_t parent)
{
	int program, r;

	reset_signals();
	/* Who talks to the service manager is the parent alone. */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	if (s->channel == CHANNEL_FD)
		fcntl(s->channel, F_SETFD, 0);
	else if (dup2(s->channel, CHANNEL_FD) < 0)
		child_fails("channel", errno);
	/* The program's user may not be allowed to look into its folder (a build below /root): the file is found now. */
	program = open(s->path, O_PATH | O_CLOEXEC);
	if (program < 0 || (program != PROGRAM_FD && dup3(program, PROGRAM_FD, O_CLOEXEC) < 0))
		child_fails(s->path, errno);
	close_range(PROGRAM_FD + 1, ~0U, 0);
	if (s->user == NULL)
		(void)setgroups(0, NULL); /* not everybody may */
	if ((r = priv_keep(s->rights, s->user, true)) < 0)
		child_fails("dropping privileges", -r);
	/* After the change of user, which clears it (prctl(2)). */
	if (s->signo_parent != 0 && (r = priv_die_with_parent(s->signo_parent)) < 0)
		child_fails("prctl", -r);
	if (getppid() != parent)
		_exit(127);
	execv(s->path, s->argv);
	if (errno == EACCES)
		(void)execveat(PROGRAM_FD, "", s->argv, environ, AT_EMPTY_PATH);
	child_fails(s->path, errno);
}

pid_t
spawn_program(const struct spawn_program *s)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		child(s, parent);
	return pid;
}

/* The descriptors of a command: an empty input, and its output. The rest is closed by its execution. */
static int
set_command_files(int out)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (in < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0)
		return -errno;
	/* Ours are all opened so; this is for what a library forgets. Not before Linux 5.11. */
	(void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	return 0;
}

/* 0 or -errno. */
static int
prepare_command(const struct spawn_command *c)
{
	int r = setpgid(0, 0) < 0 || chdir("/") < 0 ? -errno : 0;

	umask(022);
	if (r == 0)
		r = set_command_files(c->out);
	if (r == 0 && c->change)
		r = priv_keep(c->rights, c->user, true);
	/* After the change of user, which clears it (prctl(2)). */
	return r < 0 ? r : priv_die_with_parent(SIGKILL);
}

__attribute__((noreturn)) static void
command(const struct spawn_command *c, int failed, pid_t parent)
{
	int r;

	reset_signals();
	r = prepare_command(c);
	if (getppid() != parent)
		_exit(127);
	if (r == 0) {
		execve(c->argv[0], c->argv, c->env);
		r = -errno;
	}
	(void)!write(failed, &r, sizeof(r));
	_exit(127);
}

/* What went wrong in the child, or 0 when it runs: then its execution has closed the pipe. */
static int
wait_for_execution(int fd)
{
	int err = 0;
	ssize_t n;

	while ((n = read(fd, &err, sizeof(err))) < 0 && errno == EINTR)
		;
	return n == (ssize_t)sizeof(err) ? err : 0;
}

pid_t
spawn_command(const struct spawn_command *c)
{
	pid_t parent = getpid();
	sigset_t all, old;
	int failed[2];
	pid_t pid;
	int r;

	if (pipe2(failed, O_CLOEXEC) < 0)
		return -errno;
	/* A signal between fork and reset_signals() would run our handler in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	r = pid < 0 ? -errno : 0;
	if (pid == 0)
		command(c, failed[1], parent);
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(failed[1]);
	if (r == 0)
		r = wait_for_execution(failed[0]);
	close(failed[0]);
	if (pid > 0 && r < 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	return r < 0 ? r : pid;
}
