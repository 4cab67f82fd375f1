/*
 * priv.h - users, capabilities, real-time scheduling, locked memory.
 *
 * What each program may do is a table in priv.c: a list of capabilities. It is put in force twice for the
 * children: between fork and execution by the parent, so that they never have more, and again by themselves, so
 * that nothing is left over for what they might execute.
 */
#ifndef VRRPD_SYS_PRIV_H
#define VRRPD_SYS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/time.h"

#define PRIV_GROUPS_MAX 64

struct priv_user {
	uid_t uid;
	gid_t gid;
	gid_t groups[PRIV_GROUPS_MAX]; /* all groups it is a member of, its own too */
	int n_groups;
	bool fallback; /* no user "vrrpd" here: it is "nobody" */
};

enum priv_program {
	PRIV_PARENT, /* change users, signal the children, remove addresses, and what the engine gets of it */
	PRIV_ENGINE, /* NET_ADMIN, NET_RAW, SYS_NICE, IPC_LOCK */
	PRIV_AGENT,  /* nothing */
	PRIV_HOOK,   /* what vrrpd itself keeps, for a command that the operator has run as root */
	PRIV_PROGRAM_COUNT
};

/*
 * A user of this host by name, with all its groups. Not for a forked child: it asks the user data base. 0;
 * -ENOENT when there is none; -E2BIG when it is in more than PRIV_GROUPS_MAX groups, and then *ret is without
 * them.
 */
int priv_find_user(const char *name, struct priv_user *ret);

/*
 * The agent's user: "vrrpd", or "nobody" where that does not exist; never one with root's number. 0, or -ENOENT
 * when there is none.
 */
int priv_agent_user(struct priv_user *ret);

/* True when this process may become another user (CAP_SETUID and CAP_SETGID). */
bool priv_may_change_user(void);

/*
 * Become this user for good, with its groups (NULL: stay who we are), keep of this process's capabilities only
 * the program's own, in every set, and set no-new-privileges. What is not there (in a container) is not missed.
 * Call it before threads are started. pass_on: a program is to be executed that keeps them; for a user other
 * than root only what is inheritable and ambient stays then. 0, 1 when all is done but for the bounding set,
 * which only a process with CAP_SETPCAP can cut down, or -errno.
 */
int priv_keep(enum priv_program program, const struct priv_user *user, bool pass_on);

/* True when this process has the capability NET_ADMIN and NET_RAW. */
bool priv_have_net(void);

/* SCHED_FIFO at this priority (1..99), reset on fork. 0 or -errno. */
int priv_realtime(int priority);

/* A thread of this process that runs in real time for so long without ever waiting ends it (SIGXCPU). 0 or -errno. */
int priv_limit_realtime(usec_t max);

/* Lock present and future memory. 0 or -errno. */
int priv_lock_memory(void);

/* End this process with signo when its parent dies (prctl PR_SET_PDEATHSIG). 0 or -errno. */
int priv_die_with_parent(int signo);

#endif
