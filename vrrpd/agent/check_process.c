/*
 * check_process.c - kind "process": one runs, told by its name, by a pid file or by a control group.
 *
 * Runs in vrrpd-agent under check.c. A process that was found is held by a pidfd (pidfd_open(2), Linux 5.3),
 * which tells its end at once: then the check runs at once. So /proc is gone through only to find one, and a
 * number that the kernel gave to another process cannot deceive. By name: the process with this name in
 * /proc/PID/comm (15 octets; a longer name is compared with the file name of its first argument too). In a
 * container that is what the container sees. A control group: "populated" in cgroup.events (cgroups v2, told by
 * inotify), else a number in cgroup.procs (v1). Zombies have ended.
 */
#include "agent/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/agent_util.h"
#include "base/strbuf.h"

#define COMM_MAX  15 /* octets of a name in the kernel (TASK_COMM_LEN) */
#define TEXT_MAX  4096
#define GROUP_DIR "/sys/fs/cgroup"

struct process {
	struct check *check;
	int fd; /* pidfd, or inotify of cgroup.events; -1 = none */
	pid_t pid;
	struct loop_io *io;
};

static void
let_go(struct process *p)
{
	loop_io_del(TAKE(p->io));
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->pid = 0;
}

/* It ended, or the group's state changed. */
static void
on_event(void *arg, int fd, bool readable, bool writable)
{
	struct process *p = arg;

	(void)fd;
	(void)readable;
	(void)writable;
	let_go(p);
	check_again(p->check);
}

/* The beginning of a file as text. Its length, or -1 and errno. */
static ssize_t
read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;
	int err;

	if (fd < 0)
		return -1;
	n = read(fd, buf, size - 1);
	err = errno;
	close(fd);
	errno = err;
	buf[n > 0 ? n : 0] = '\0';
	return n;
}

static bool
has_ended(int pidfd)
{
	struct pollfd pfd = {.fd = pidfd, .events = POLLIN};

	return poll(&pfd, 1, 0) > 0;
}

/* Hold this process. 0, or an errno: ESRCH when it has ended. */
static int
hold(struct process *p, pid_t pid)
{
	let_go(p);
	p->fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p->fd < 0)
		return errno;
	if (has_ended(p->fd)) {
		let_go(p);
		return ESRCH;
	}
	p->pid = pid;
	p->io = loop_io_add(check_loop(p->check), p->fd, on_event, p);
	return 0;
}

/* ---- by name --------------------------------------------------------------------------------- */

static bool
is_named(const char *pid, const char *name)
{
	char path[64], text[TEXT_MAX];
	const char *base;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	n = read_text(path, text, sizeof(text));
	if (n <= 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	if (strlen(name) <= COMM_MAX)
		return strcmp(text, name) == 0;
	if (strncmp(text, name, COMM_MAX) != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
	if (read_text(path, text, sizeof(text)) <= 0)
		return false;
	base = strrchr(text, '/');
	return strcmp(base != NULL ? base + 1 : text, name) == 0;
}

static void
judge_name(struct process *p, const char *name)
{
	DIR *d;
	const struct dirent *e;

	if (p->fd >= 0 && !has_ended(p->fd)) {
		check_donef(p->check, true, "%s runs as process %d", name, (int)p->pid);
		return;
	}
	let_go(p);
	d = opendir("/proc");
	while (d != NULL && p->fd < 0 && (e = readdir(d)) != NULL) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !is_named(e->d_name, name))
			continue;
		/* Held first, looked at again then: the number cannot have changed hands in between. */
		if (hold(p, (pid_t)strtol(e->d_name, NULL, 10)) == 0 && !is_named(e->d_name, name))
			let_go(p);
	}
	if (d != NULL)
		closedir(d);
	if (p->fd >= 0)
		check_donef(p->check, true, "%s runs as process %d", name, (int)p->pid);
	else
		check_donef(p->check, false, "no process %s", name);
}

/* ---- by pid file ----------------------------------------------------------------------------- */

static void
judge_pid_file(struct process *p, const char *path)
{
	char text[64], *end;
	long pid;
	int err;

	if (read_text(path, text, sizeof(text)) < 0) {
		err = errno;
		let_go(p);
		if (err == ENOENT)
			check_donef(p->check, false, "%s does not exist", path);
		else
			check_donef(p->check, false, "%s cannot be read: %s", path, strerror(err));
		return;
	}
	errno = 0;
	pid = strtol(text, &end, 10);
	/* The first line counts: HAProxy writes one for each of its processes. */
	if (end == text || errno != 0 || pid <= 0 || pid > INT32_MAX || strchr(" \t\r\n", *end) == NULL) {
		let_go(p);
		check_donef(p->check, false, "%s holds no process number", path);
		return;
	}
	if (p->fd >= 0 && p->pid == pid && !has_ended(p->fd)) {
		check_donef(p->check, true, "process %ld of %s runs", pid, path);
		return;
	}
	err = hold(p, (pid_t)pid);
	if (err == 0)
		check_donef(p->check, true, "process %ld of %s runs", pid, path);
	else if (err == ESRCH || err == EINVAL) /* EINVAL: it is the number of a thread */
		check_donef(p->check, false, "process %ld of %s does not run", pid, path);
	else
		check_donef(p->check, false, "process %ld of %s: %s", pid, path, strerror(err));
}

/* ---- by control group ------------------------------------------------------------------------ */

/* Be told when cgroup.events changes; without that the interval decides. */
static void
watch_group(struct process *p, const char *path)
{
	if (p->fd >= 0)
		return;
	p->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (p->fd < 0)
		return;
	if (inotify_add_watch(p->fd, path, IN_MODIFY) < 0)
		let_go(p);
	else
		p->io = loop_io_add(check_loop(p->check), p->fd, on_event, p);
}

/* Look into one folder. False when there is no such group. */
static bool
judge_group_at(struct process *p, const char *root, const char *group)
{
	char path[1200], text[TEXT_MAX];
	const char *populated;
	bool up;

	snprintf(path, sizeof(path), "%s/%s/cgroup.events", root, group);
	if (access(path, F_OK) == 0)
		watch_group(p, path); /* before the look */
	if (read_text(path, text, sizeof(text)) >= 0) {
		populated = strstr(text, "populated ");
		up = populated != NULL && populated[10] == '1';
	} else {
		snprintf(path, sizeof(path), "%s/%s/cgroup.procs", root, group);
		if (read_text(path, text, sizeof(text)) < 0)
			return false;
		up = text[0] >= '0' && text[0] <= '9';
	}
	check_donef(p->check, up, "control group %s %s", group, up ? "has processes" : "has no process");
	return true;
}

static void
judge_group(struct process *p, const char *group)
{
	/* v2; v2 beside v1; systemd's own of v1. A full path is taken as it is. */
	static const char *const roots[] = {GROUP_DIR, GROUP_DIR "/unified", GROUP_DIR "/systemd"};

	if (strncmp(group, GROUP_DIR "/", sizeof(GROUP_DIR)) == 0) {
		if (judge_group_at(p, GROUP_DIR, group + sizeof(GROUP_DIR)))
			return;
	} else {
		group += strspn(group, "/");
		for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
			if (judge_group_at(p, roots[i], group))
				return;
	}
	let_go(p);
	check_donef(p->check, false, "there is no control group %s", group);
}

/* ---- the frame's side ------------------------------------------------------------------------ */

static void
process_start(struct check *c)
{
	struct process *p = c->priv;
	const char *name = check_text(c, "process", 0), *pid_file = check_text(c, "pid_file", 0);

	if (p == NULL) {
		p = agent_alloc(1, sizeof(*p));
		p->check = c;
		p->fd = -1;
		c->priv = p;
	}
	if (name != NULL)
		judge_name(p, name);
	else if (pid_file != NULL)
		judge_pid_file(p, pid_file);
	else
		judge_group(p, check_text(c, "cgroup", 0));
}

/* Never reached: a run ends before start() returns. */
static void
process_cancel(struct check *c, bool force)
{
	(void)c;
	(void)force;
}

static void
process_free(struct check *c)
{
	struct process *p = c->priv;

	if (p == NULL)
		return;
	let_go(p);
	free(p);
}

const struct check_ops check_process_ops = {
	.name = "process",
	.start = process_start,
	.cancel = process_cancel,
	.free = process_free,
};
