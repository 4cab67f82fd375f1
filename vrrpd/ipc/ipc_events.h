/*
 * ipc_events.h - the events and the counters of transitions that the next agent goes on with.
 *
 * A piece of memory without a name in the file system (memfd), made by the parent and mapped by the agent, which writes
 * it as things happen; so it is up to date however the agent ends. The parent hands the descriptor to each agent, and on
 * to itself when it is restarted in place. Pages that were never written take no memory.
 *
 * What is read is never trusted: an event counts only when its sum and all its values are right, a name only when it
 * ends, a counter only below IPC_EVENTS_COUNT_MAX.
 */
#ifndef VRRPD_IPC_IPC_EVENTS_H
#define VRRPD_IPC_IPC_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/role.h"

/* Changes with the structs below and with the list of reasons: another layout is read as empty. */
#define IPC_EVENTS_LAYOUT    (0x76000001u + ((uint32_t)ROLE_REASON_COUNT << 8))
#define IPC_EVENTS_COUNT_MAX (UINT64_C(1) << 48)

struct ipc_events_entry {
	uint64_t seq;	  /* from 1; 0: empty */
	uint64_t wall_us; /* CLOCK_REALTIME */
	struct role_cause cause;
	char instance[LIMIT_NAME];
	uint8_t from, to; /* enum role_state */
	uint8_t priority; /* effective */
	uint64_t sum;	  /* of all before */
};

/* Transitions of one instance. */
struct ipc_events_counts {
	char name[LIMIT_NAME]; /* empty: a free place */
	uint64_t at_us;	       /* CLOCK_MONOTONIC of the last one that was taken in */
	uint64_t n[ROLE_STATE_COUNT][ROLE_REASON_COUNT]; /* by the state entered and the reason */
};

struct ipc_events {
	uint32_t layout;
	uint32_t n_slots;  /* of `ring`, which an event may be in */
	uint32_t n_counts; /* places of `counts` that were used */
	uint64_t last_seq, last_seq_not; /* the highest number given, and its complement */
	struct ipc_events_counts counts[LIMIT_INSTANCES];
	struct ipc_events_entry ring[LIMIT_EVENTS];
};

/* A new, empty memory: its descriptor (close-on-exec), or -errno. */
int ipc_events_create(void);

/* Map it. NULL when that fails or the descriptor is no such memory. An fd of -1: memory that ends with this process. */
struct ipc_events *ipc_events_map(int fd);
void ipc_events_unmap(struct ipc_events *m); /* NULL is fine */

/* Put an event into the place `slot` (below LIMIT_EVENTS), its sum made here. */
void ipc_events_write(struct ipc_events *m, uint32_t slot, const struct ipc_events_entry *e);

/* A copy of what is in `slot`; false when that is nothing, torn, or has a value out of range. */
bool ipc_events_read(const struct ipc_events *m, uint32_t slot, struct ipc_events_entry *ret);

/* Nothing is in the places from `first` on any more; their memory is given back. */
void ipc_events_cut(struct ipc_events *m, uint32_t first);

/* The highest number that was given, as the memory's head says it; 0 when that is torn. */
uint64_t ipc_events_last(const struct ipc_events *m);
void ipc_events_set_last(struct ipc_events *m, uint64_t seq);

#endif
