/*
 * seccomp_none.c - seccomp.h without libseccomp: system calls are not filtered.
 */
#include "sys/seccomp.h"

#include <errno.h>

int
seccomp_enter(enum seccomp_program program)
{
	(void)program;
	return -ENOSYS;
}

int
seccomp_load_table(enum seccomp_program program)
{
	(void)program;
	return -ENOSYS;
}
