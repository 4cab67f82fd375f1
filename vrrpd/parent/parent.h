/*
 * parent.h - the root object of vrrpd, the parent process, and what its files offer each other.
 *
 * The parent reads the configuration, starts the engine and the agent, hands them their generation, the status
 * sockets and the link between the two, restarts what dies, and writes their log lines. It never speaks to the
 * network.
 */
#ifndef VRRPD_PARENT_PARENT_H
#define VRRPD_PARENT_PARENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/limits.h"
#include "base/time.h"
#include "config/cfg.h"
#include "ipc/ipc_chan.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/priv.h"

enum parent_child_kind { PARENT_ENGINE, PARENT_AGENT, PARENT_CHILDREN };

struct parent;

struct parent_child {
	struct parent *parent;
	enum parent_child_kind kind;
	const char *program; /* "vrrpd-engine", "vrrpd-agent" */
	char path[512];
	pid_t pid; /* 0 = not running */
	struct ipc_chan chan;
	struct loop_io *io;
	struct loop_timer *restart; /* back-off */
	usec_t backoff_us;
	mono_t spawned;
	bool ready; /* has taken the generation */
};

struct parent {
	struct loop *loop;
	struct cfg *cfg;
	uint32_t gen;
	char run_dir[LIMIT_PATH];
	enum log_level log_level;
	struct priv_user agent_user;
	bool root; /* may change users */
	int lock_fd;
	int control_fd; /* listening status socket */
	int listen_fd;	/* read-only TCP listener, -1 = none */
	char control_path[LIMIT_PATH];
	bool stopping;
	struct loop_timer *stop_timer;
	struct parent_child children[PARENT_CHILDREN];
};

/* ---- parent_spawn.c: birth and death of the children
 * --------------------------------------------------------- */

/* Find both programs: beside this one, else in the libexec folder. 0, or -ENOENT after saying which is missing.
 */
int parent_find_programs(struct parent *p);

/* Start a child and hand it everything it needs. On failure it is tried again with back-off. */
void parent_start_child(struct parent *p, enum parent_child_kind kind);

/* Reap what ended; restart it unless the parent is stopping. */
void parent_reap(struct parent *p);

/* Ask a child to end in order; false when it is not running. */
bool parent_ask_stop(struct parent *p, enum parent_child_kind kind);

/* ---- parent_config.c: the generation as messages
 * ---------------------------------------------------------------- */

/* Send the whole configuration to a child. 0 or -errno. */
int parent_send_config(struct parent *p, struct parent_child *c);

/* ---- parent_socket.c: lock and listening sockets in the run folder
 * --------------------------------------------- */

/* Make the run folder, take its lock, open the status sockets. 0, or -errno after saying what is wrong. */
int parent_open_sockets(struct parent *p);

/* Close them and remove the socket file. */
void parent_close_sockets(struct parent *p);

#endif
