/*
 * spawn.h - start one of our own programs with its channel on descriptor 3, or somebody else's with nothing at
 * all.
 */
#ifndef VRRPD_SYS_SPAWN_H
#define VRRPD_SYS_SPAWN_H

#include <sys/types.h>

#include "sys/priv.h"

struct spawn_program {
	const char *path;
	char *const *argv; /* NULL-terminated */
	int channel;	   /* becomes descriptor 3; the caller keeps its own copy */
	int signo_parent;  /* what it dies with when this process dies; 0 = lives on */
	enum priv_program rights;
	const struct priv_user *user; /* whom it becomes; NULL: our own user, without supplementary groups */
};

/*
 * Fork and execute one of our own programs, with default signal handling and no more than its rights. Returns
 * its pid, or -errno when fork failed; a failed execution ends the child with status 127.
 */
pid_t spawn_program(const struct spawn_program *s);

/*
 * Fork and execute a command that is not ours: argv[0] is its path, `env` its whole environment, `out` its
 * standard output and error (the caller keeps its own copy), its input is empty. It leads a process group of
 * its own, has default signal handling, no other descriptor, and is killed when this process dies. Waits until
 * it runs. Returns its pid, or -errno, and then nothing is left of it.
 */
pid_t spawn_command(char *const argv[], char *const env[], int out);

#endif
