/*
 * priv.h - users, capabilities, real-time scheduling, locked memory.
 */
#ifndef VRRPD_SYS_PRIV_H
#define VRRPD_SYS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct priv_user {
	uid_t uid;
	gid_t gid;
	bool fallback; /* no user "vrrpd" here: it is "nobody" */
};

/* The agent's user: "vrrpd", or "nobody" where that does not exist. 0, or -ENOENT when neither exists. */
int priv_agent_user(struct priv_user *ret);

/*
 * Become this user for good: no supplementary groups, no capabilities, no-new-privileges. 0 or -errno.
 */
int priv_drop_all(const struct priv_user *u);

/*
 * The same for the user of this name and ids, with the supplementary groups that it has on this host. root keeps its
 * user id and nothing else: with no-new-privileges an execution gives no capability back (capabilities(7)). 0 or -errno.
 */
int priv_become(const char *name, const struct priv_user *u);

/*
 * Keep only the engine's capabilities (NET_ADMIN, NET_RAW, SYS_NICE, IPC_LOCK), set no-new-privileges. Stays
 * root's uid: what counts are the capabilities. 0 or -errno.
 */
int priv_keep_engine(void);

/* True when this process has the capability NET_ADMIN and NET_RAW. */
bool priv_have_net(void);

/* SCHED_FIFO at this priority (1..99), reset on fork. 0 or -errno. */
int priv_realtime(int priority);

/* Lock present and future memory. 0 or -errno. */
int priv_lock_memory(void);

/* End this process with signo when its parent dies (prctl PR_SET_PDEATHSIG). 0 or -errno. */
int priv_die_with_parent(int signo);

#endif
