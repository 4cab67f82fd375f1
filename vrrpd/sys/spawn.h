/*
 * spawn.h - start one of our own programs with its channel on descriptor 3.
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

#endif
