/*
 * agent_snap.h - snapshots of the engine, on demand and shared.
 *
 * Whoever needs the engine's state waits for a snapshot that was asked for after he came, so what he is told is
 * never older than his question. However many wait, at most one snapshot is on its way and at most one is asked
 * for every 20 ms: nothing that is asked of the agent loads the engine.
 */
#ifndef VRRPD_AGENT_AGENT_SNAP_H
#define VRRPD_AGENT_AGENT_SNAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "agent/agent_conf.h"
#include "base/time.h"
#include "ipc/ipc_msg.h"

#define SNAP_PERIOD_US	 (20 * USEC_PER_MS) /* least time between two snapshots */
#define SNAP_DEADLINE_US (1 * USEC_PER_SEC)

struct agent;
struct snaps;

/* One snapshot, joined with the generation it belongs to. */
struct snap {
	uint32_t token; /* differs from that of every other one, of late */
	struct ipc_snap_engine engine;
	uint32_t n_instances;
	struct ipc_snap_instance *instances; /* by index of the generation */
	uint8_t *held;			     /* bit per address of the generation */
};

/* s is the snapshot, valid during the call, or NULL and `why` says why there is none. */
struct snap_waiter;
typedef void snap_done_fn(struct snap_waiter *w, const struct snap *s, const char *why);

/* Owned by the one who waits; fields are set by snaps_wait(). */
struct snap_waiter {
	TAILQ_ENTRY(snap_waiter) link;
	snap_done_fn *done;
	uint32_t token; /* of the first snapshot that is fresh enough */
	mono_t deadline;
};

struct snaps *snaps_new(struct agent *a);
void snaps_free(struct snaps *s); /* nobody may wait any more; NULL is fine */

/* A generation was put in force: snapshots of others are of no use from now on. */
void snaps_configure(struct snaps *s, const struct agent_conf *conf);

/* Call done() exactly once, perhaps before this returns, at latest after SNAP_DEADLINE_US. */
void snaps_wait(struct snaps *s, struct snap_waiter *w, snap_done_fn *done);

/* Wait no longer: done() will not be called. */
void snaps_cancel(struct snaps *s, struct snap_waiter *w);

/* A SNAP_* message of the engine. 0, or -EPROTO when it cannot be right. */
int snaps_feed(struct snaps *s, const union ipc_msg *m);

/*
 * The channel to the engine was opened or closed: a snapshot on its way will not come. Who waits goes on
 * waiting, since an engine that ended is started anew within milliseconds.
 */
void snaps_relinked(struct snaps *s);

/* Address i of the generation (struct agent_conf's index) is in the kernel. */
bool snap_held(const struct snap *s, uint32_t i);

/* A cause from another process whose values can be used. */
bool agent_cause_ok(const struct role_cause *c);

#endif
