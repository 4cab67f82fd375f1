/*
 * spawn.h - start one of our own programs with its channel on descriptor 3, or a command as another user.
 */
#ifndef VRRPD_SYS_SPAWN_H
#define VRRPD_SYS_SPAWN_H

#include <sys/types.h>

#include "sys/priv.h"

/*
 * Fork and execute `path` with argv (NULL-terminated) and `channel` as descriptor 3 (the caller keeps its own
 * copy). The child gets default signal handling, dies with signo_parent when this process dies (0 = lives on),
 * and becomes `user` when one is given. Returns its pid, or -errno when fork failed; a failed execution ends
 * the child with status 127.
 */
pid_t spawn_program(const char *path, char *const argv[], int channel, int signo_parent,
		    const struct priv_user *user);

struct spawn_as {
	char *const *argv;     /* NULL-terminated; argv[0] is the file to execute */
	char *const *env;      /* NULL-terminated: its whole environment */
	int out;	       /* its standard output and error; stays the caller's */
	const char *user_name; /* who runs it, */
	struct priv_user user; /* and the ids of that name */
};

/*
 * Fork and execute a command as its user: in a process group of its own (whose number is the pid), input from
 * /dev/null, folder /, default signals, no capabilities, no-new-privileges, no other descriptors. The command
 * itself dies with this process. Returns its pid, or -errno when fork failed; what fails later is said on `out`
 * and ends it with status 127.
 */
pid_t spawn_as(const struct spawn_as *c);

#endif
