/*
 * spawn.c - start one of our own programs, or a command as another user; see spawn.h. Used by the parent.
 */
#include "sys/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"

#define CHANNEL_FD 3

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
child(const char *path, char *const argv[], int channel, int signo_parent, const struct priv_user *user,
      pid_t parent)
{
	int r;

	reset_signals();
	if (channel == CHANNEL_FD)
		fcntl(channel, F_SETFD, 0);
	else if (dup2(channel, CHANNEL_FD) < 0)
		child_fails("channel", errno);
	close_range(CHANNEL_FD + 1, ~0U, 0);
	if (user != NULL && (r = priv_drop_all(user)) < 0)
		child_fails("dropping privileges", -r);
	/* After the change of user, which clears it (prctl(2)). */
	if (signo_parent != 0 && (r = priv_die_with_parent(signo_parent)) < 0)
		child_fails("prctl", -r);
	if (getppid() != parent)
		_exit(127);
	execv(path, argv);
	child_fails(path, errno);
}

pid_t
spawn_program(const char *path, char *const argv[], int channel, int signo_parent, const struct priv_user *user)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		child(path, argv, channel, signo_parent, user, parent);
	return pid;
}

__attribute__((noreturn)) static void
command_fails(const char *what, int err)
{
	dprintf(STDERR_FILENO, "%s: %s\n", what, strerror(err));
	_exit(127);
}

__attribute__((noreturn)) static void
command_child(const struct spawn_as *c, pid_t parent)
{
	int in, r;

	reset_signals();
	(void)setpgid(0, 0);
	in = open("/dev/null", O_RDONLY);
	if (in < 0 || dup2(c->out, STDOUT_FILENO) < 0 || dup2(c->out, STDERR_FILENO) < 0 ||
	    dup2(in, STDIN_FILENO) < 0)
		_exit(127);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	if (chdir("/") < 0)
		command_fails("/", errno);
	umask(022);
	if ((r = priv_become(c->user_name, &c->user)) < 0)
		command_fails(c->user_name, -r);
	/* After the change of user, which clears it (prctl(2)). */
	if ((r = priv_die_with_parent(SIGKILL)) < 0)
		command_fails("prctl", -r);
	if (getppid() != parent)
		_exit(127);
	execve(c->argv[0], c->argv, c->env);
	command_fails(c->argv[0], errno);
}

pid_t
spawn_as(const struct spawn_as *c)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		command_child(c, parent);
	/* Here as well: the group is to exist before anybody signals it. */
	(void)setpgid(pid, pid);
	return pid;
}
