/*
 * sim_store.h - a store with leases as etcd is one, and how agents call it.
 */
#ifndef TESTS_SIM_SIM_STORE_H
#define TESTS_SIM_SIM_STORE_H

#include "sim.h"

enum sim_store_verb {
	SIM_STORE_READ,
	SIM_STORE_WATCH, /* never called: news of the key */
	SIM_STORE_GRANT,
	SIM_STORE_CREATE, /* the key, if there is none */
	SIM_STORE_RENEW,
	SIM_STORE_REVOKE,
};

struct sim_store_answer {
	uint8_t call;	/* enum sim_store_verb */
	bool ok;	/* else nothing is known of it */
	bool succeeded; /* CREATE */
	bool there;	/* the key */
	unsigned owner;
	uint64_t key_lease, lease, ttl;
	uint64_t asked; /* CLOCK_BOOTTIME of the caller before it was sent */
};

/* The answer, or that there is none, comes to sim_agent_answer(). */
void sim_store_call(struct sim_node *n, uint64_t life, enum sim_store_verb call, uint64_t lease);
void sim_agent_answer(struct sim_node *n, uint64_t life, const struct sim_store_answer *r);
uint64_t sim_agent_life(const struct sim_node *n);

#endif
