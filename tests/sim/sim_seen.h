/*
 * sim_seen.h - what the checkers see of the world from outside. See sim_seen.c.
 */
#ifndef TESTS_SIM_SIM_SEEN_H
#define TESTS_SIM_SIM_SEEN_H

#include "sim.h"

/* Of the hosts that hear each other: holders, fit ones, the best priority. The partition has at most two sides. */
struct sim_side {
	unsigned present, holders, whole, fit;
	unsigned informed; /* holders that hear the store, in mode follow; else all */
	int best;
	const struct sim_node *holder;
	bool all_preempt;
};
struct sim_side sim_seen_side(const struct sim_node *from);

/* All configured addresses are in its kernel, and the link is up. */
bool sim_seen_whole(const struct sim_node *n);
/* Its vrrpd does not run, or nobody on the segment can see it. */
bool sim_seen_absent(const struct sim_node *n);
/* Nothing of vrrpd runs there: what it has in the kernel ends by its lifetime. */
bool sim_seen_frozen(const struct sim_node *n);
/* Can this host hold the addresses, as things are? With which priority? */
bool sim_seen_fit(const struct sim_node *n);
int sim_seen_priority(const struct sim_node *n);

/* The holder has a lease of its own: mode lease, or an arbiter. */
bool sim_seen_leases(void);
bool sim_seen_follows(void);
/* Mode follow: what the store says reaches this host. In other modes that is asked of nobody. */
bool sim_seen_informed(const struct sim_node *n);
/* Mode follow: who hears nothing of the store may go on for ever (on_store_loss = "hold"). */
bool sim_seen_may_hold(void);
/* A fault of this kind is on, wherever. All that are on leave the world as it is from their beginning on. */
bool sim_seen_on(enum sim_kind kind);
bool sim_seen_steady(void);

#endif
