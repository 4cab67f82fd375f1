/*
 * agent.h - the root object of vrrpd-agent: everything the process owns.
 *
 * Created in main() and passed down; each part has its own header. There is no other mutable state.
 */
#ifndef VRRPD_AGENT_AGENT_H
#define VRRPD_AGENT_AGENT_H

#include <stdbool.h>

#include "agent/agent_conf.h"
#include "agent/agent_events.h"
#include "agent/agent_snap.h"
#include "agent/check.h"
#include "ipc/ipc_chan.h"
#include "sys/loop.h"

struct api;
struct hooks;
struct stores;

/* What the engine was told of a check last; times 0: nothing that counts. */
struct agent_told {
	struct ipc_check verdict;
	mono_t at;
	unsigned times;
};

struct agent {
	struct loop *loop;
	struct ipc_chan parent;
	struct loop_io *parent_io;
	struct ipc_chan engine; /* fd -1: not connected now */
	struct loop_io *engine_io;
	bool verdicts_due; /* some could not be sent: the channel was full */
	struct agent_told told[LIMIT_CHECKS];
	struct agent_conf_reader reader;
	struct agent_conf *conf; /* in force; NULL before the first COMMIT */
	struct snaps *snaps;
	struct events *events;
	struct checks *checks;
	struct hooks *hooks;
	struct stores *stores;
	struct api *api;
	struct ipc_trouble trouble; /* what vrrpd last said of the engine; all zero: nothing yet */
	mono_t started;
	int exit_status;
};

/* Leave the loop and exit with this status, saying why when it is not 0. */
void agent_quit(struct agent *a, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
