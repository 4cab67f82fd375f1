/*
 * priv.c - users, capabilities, real-time scheduling, locked memory; see priv.h.
 *
 * The parent drops the agent's rights before it executes it; the engine gives up its own after start.
 */
#include "sys/priv.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/macros.h"

int
priv_agent_user(struct priv_user *ret)
{
	static const char *const names[] = {"vrrpd", "nobody"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct passwd *pw = getpwnam(names[i]);

		if (pw == NULL)
			continue;
		*ret = (struct priv_user){.uid = pw->pw_uid, .gid = pw->pw_gid, .fallback = i > 0};
		return 0;
	}
	return -ENOENT;
}

/* The groups are set already. */
static int
drop_rest(const struct priv_user *u)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (setresgid(u->gid, u->gid, u->gid) < 0 ||
	    setresuid(u->uid, u->uid, u->uid) < 0)
		return -errno;
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return -EPERM;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int
priv_drop_all(const struct priv_user *u)
{
	return setgroups(0, NULL) < 0 ? -errno : drop_rest(u);
}

int
priv_become(const char *name, const struct priv_user *u)
{
	return initgroups(name, u->gid) < 0 ? -errno : drop_rest(u);
}

int
priv_keep_engine(void)
{
	static const unsigned keep[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_NICE, CAP_IPC_LOCK};

	capng_get_caps_process();
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++) {
		bool wanted = false;

		for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
			wanted = wanted || keep[i] == cap;
		if (!wanted)
			capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE, cap);
	}
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return -EPERM;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
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
priv_lock_memory(void)
{
	return mlockall(MCL_CURRENT | MCL_FUTURE) < 0 ? -errno : 0;
}

int
priv_die_with_parent(int signo)
{
	return prctl(PR_SET_PDEATHSIG, signo, 0, 0, 0) < 0 ? -errno : 0;
}
