/*
 * priv.c - users, capabilities, real-time scheduling, locked memory; see priv.h.
 *
 * Root's uid alone gives nothing: parent and engine keep it, what counts are the capabilities. Rules of the
 * kernel's sets: capabilities(7).
 */
#include "sys/priv.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/securebits.h>

#include "base/macros.h"

#define CAP(name) (UINT64_C(1) << (name))

#define ENGINE_CAPS                                                                                            \
	(CAP(CAP_NET_ADMIN) | /* addresses, group memberships, connections to reset */                         \
	 CAP(CAP_NET_RAW) |   /* adverts, ARP and neighbour advertisements */                                  \
	 CAP(CAP_SYS_NICE) |  /* real-time scheduling */                                                       \
	 CAP(CAP_IPC_LOCK))   /* locked memory */

/*
 * The parent needs NET_ADMIN itself as well, to remove the addresses of an engine that does not come back. It
 * makes the run folder and opens the sockets before it gives the rest up; after a restart in place it has no
 * more than this.
 */
#define PARENT_CAPS                                                                                            \
	(ENGINE_CAPS | CAP(CAP_SETUID) | CAP(CAP_SETGID) | /* to start the agent as its user */                \
	 CAP(CAP_SETPCAP) |				   /* to empty the bounding sets of the children */    \
	 CAP(CAP_KILL) |	    /* to end an agent, which is another user's process */                     \
	 CAP(CAP_DAC_READ_SEARCH) | /* a reload reads what the start could read, whoever owns it */            \
	 CAP(CAP_NET_BIND_SERVICE)) /* control.listen at a port below 1024, after a restart in place */

static const uint64_t keeps[PRIV_PROGRAM_COUNT] = {
	[PRIV_PARENT] = PARENT_CAPS,
	[PRIV_ENGINE] = ENGINE_CAPS,
	[PRIV_AGENT] = 0,
	[PRIV_HOOK] = PARENT_CAPS, /* only root keeps them: becoming another user clears them (capabilities(7)) */
};

int
priv_find_user(const char *name, struct priv_user *ret)
{
	const struct passwd *pw = getpwnam(name);
	struct priv_user u = {.n_groups = PRIV_GROUPS_MAX};
	int r = 0;

	if (pw == NULL)
		return -ENOENT;
	u.uid = pw->pw_uid;
	u.gid = pw->pw_gid;
	if (getgrouplist(name, u.gid, u.groups, &u.n_groups) < 0) {
		u.n_groups = 0;
		r = -E2BIG;
	}
	*ret = u;
	return r;
}

int
priv_agent_user(struct priv_user *ret)
{
	static const char *const names[] = {"vrrpd", "nobody"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct priv_user u;

		/* -E2BIG: in more groups than the checks of a proxy have use for, so it gets none. */
		if (priv_find_user(names[i], &u) == -ENOENT || u.uid == 0)
			continue;
		u.fallback = i > 0;
		*ret = u;
		return 0;
	}
	return -ENOENT;
}

bool
priv_may_change_user(void)
{
	capng_get_caps_process();
	return capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID);
}

static int
become(const struct priv_user *u)
{
	if (setgroups((size_t)u->n_groups, u->groups) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 ||
	    setresuid(u->uid, u->uid, u->uid) < 0)
		return -errno;
	return 0;
}

static bool
wanted(enum priv_program program, unsigned cap)
{
	return cap < 64 && (keeps[program] & CAP(cap)) != 0;
}

/* False when something that is not the program's stays in the bounding set. */
static bool
cut_bounding_set(enum priv_program program)
{
	bool cut = true;
	int have;

	/* -1 beyond the last capability of this kernel, which may know more of them than our headers. */
	for (unsigned cap = 0; (have = prctl(PR_CAPBSET_READ, cap, 0, 0, 0)) >= 0; cap++)
		if (have == 1 && !wanted(program, cap) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			cut = false;
	return cut;
}

/* Does executing a program as root give it what the bounding set allows? */
static bool
is_root(void)
{
	return geteuid() == 0 && (prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) & SECBIT_NOROOT) == 0;
}

static int
set_capabilities(enum priv_program program, bool inheritable)
{
	bool have[64] = {false};

	capng_setpid((int)gettid()); /* a fork does not tell the library that it is another process now */
	capng_get_caps_process();
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
		have[cap] = wanted(program, cap) && capng_have_capability(CAPNG_PERMITTED, cap);
	capng_clear(CAPNG_SELECT_CAPS);
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (have[cap])
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED | (inheritable ? CAPNG_INHERITABLE : 0),
				     cap);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return -EPERM;
	/* What is permitted and inheritable may be ambient. Kernels before 4.3 have no ambient set to clear. */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (unsigned cap = 0; inheritable && cap <= CAP_LAST_CAP; cap++)
		if (have[cap] && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return -errno;
	return 0;
}

int
priv_keep(enum priv_program program, const struct priv_user *user, bool pass_on)
{
	bool cut = cut_bounding_set(program); /* first: it takes CAP_SETPCAP */
	int r = user != NULL ? become(user) : 0;

	if (r == 0)
		r = set_capabilities(program, pass_on && !is_root());
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return cut ? 0 : 1;
}

bool
priv_have_net(void)
{
	capng_get_caps_process();
	return capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN) &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_RAW);
}

int
priv_realtime(int priority)
{
	struct sched_param sp = {.sched_priority = priority};

	return sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &sp) < 0 ? -errno : 0;
}

int
priv_limit_realtime(usec_t max)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_RTTIME, &limit) < 0)
		return -errno;
	limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)max);
	return setrlimit(RLIMIT_RTTIME, &limit) < 0 ? -errno : 0;
}

int
priv_lock_memory(void)
{
	return mlockall(MCL_CURRENT | MCL_FUTURE) < 0 ? -errno : 0;
}

int
priv_die_with_parent(int signo)
{
	return prctl(PR_SET_PDEATHSIG, signo, 0, 0, 0) < 0 ? -errno : 0;
}
