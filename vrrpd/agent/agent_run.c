/*
 * agent_run.c - commands of other users: asked of vrrpd; see agent_run.h. Runs in vrrpd-agent.
 *
 * Only the number of the check goes over the channel: vrrpd takes the command from its own configuration. That
 * a run ended comes back as RUN_ENDED (agent_main.c).
 */
#include "agent/agent_run.h"

#include "agent/agent.h"

static int
ask_run(void *arg, uint32_t token, uint32_t index, int out)
{
	struct agent *a = arg;
	struct ipc_run m = {.h.gen = a->conf->gen, .token = token, .what = IPC_RUN_CHECK, .index = index};

	return ipc_chan_send(&a->parent, IPC_RUN, &m, out);
}

/* When the channel is full the run ends by vrrpd's own bound, a little later. */
static void
ask_kill(void *arg, uint32_t token, bool force)
{
	struct agent *a = arg;
	struct ipc_run_kill m = {.token = token, .what = IPC_RUN_CHECK, .force = force};

	(void)ipc_chan_send(&a->parent, IPC_RUN_KILL, &m, -1);
}

void
agent_run_open(struct agent *a)
{
	const struct check_runner r = {.arg = a, .run = ask_run, .kill = ask_kill};

	checks_set_runner(a->checks, &r);
}
