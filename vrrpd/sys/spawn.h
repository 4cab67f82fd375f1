/*
 * spawn.h - start one of our own programs with its channel on descriptor 3, or somebody else's as
 * any user, without a channel.
 */
#ifndef VRRPD_SYS_SPAWN_H
#define VRRPD_SYS_SPAWN_H

#include <stdbool.h>
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

struct spawn_command {
	char *const *argv; /* NULL-terminated; argv[0] is the path of the file to execute */
	char *const *env;  /* NULL-terminated: its whole environment */
	int out;	   /* its standard output and error; the caller keeps its own copy */
	bool change;		      /* it becomes `user` and keeps only `rights`; else it has what we have */
	const struct priv_user *user; /* whom it becomes, with its groups; NULL: who we are */
	enum priv_program rights;
};

/*
 * Fork and execute a command that is not ours. Its input is empty, its folder is /, new files are writable by
 * their owner alone (umask 022). It leads a process group of its own (whose number is the pid), has default
 * signal handling, no other descriptor, and is killed when this process dies. Waits until it runs. Returns its
 * pid, or -errno, and then nothing is left of it.
 */
pid_t spawn_command(const struct spawn_command *c);

#endif
