/*
 * seccomp.h - which system calls a process may make: one table per program, put in force by the kernel.
 *
 * seccomp.c where libseccomp is, else seccomp_none.c. A filter cannot be taken back, and children inherit it.
 */
#ifndef VRRPD_SYS_SECCOMP_H
#define VRRPD_SYS_SECCOMP_H

#include <stdbool.h>

enum seccomp_program {
	SECCOMP_PARENT, /* all but what nobody needs here: the agent's scripts inherit it */
	SECCOMP_ENGINE, /* nothing but what is listed */
	SECCOMP_AGENT,	/* the parent's, and only the address families that scripts use */
	SECCOMP_PROGRAM_COUNT
};

/* The number of the parent's table: it goes up with each change, so that a restart in place knows what is in
 * force. */
#define SECCOMP_PARENT_TABLE 1

/*
 * Put the program's table in force for all threads of this process, with no-new-privileges. 0, -ENOSYS when
 * built without libseccomp or with sanitizers, which need more than the tables allow, or -errno. Ends the process
 * with a sentence when libseccomp has not come to an end within a second of processor time. Uses SIGPROF meanwhile.
 */
int seccomp_enter(enum seccomp_program program);

/* The same also with sanitizers: for tests, in a process that does little else. */
int seccomp_load_table(enum seccomp_program program);

#endif
