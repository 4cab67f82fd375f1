/*
 * patroni_node.h - what Patroni's REST API says of its node: role, state, and what is unusual.
 */
#ifndef VRRPD_AGENT_PATRONI_NODE_H
#define VRRPD_AGENT_PATRONI_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/net_http.h"
#include "base/strbuf.h"

/* Roles as a mask. */
enum { PATRONI_PRIMARY = 1, PATRONI_REPLICA = 2, PATRONI_STANDBY_LEADER = 4 };

struct patroni_node {
	int status;	   /* of the answer */
	char role[33];	   /* as it says */
	char state[41];
	char name[64];	   /* of the member; "" before Patroni 3.2, which does not say */
	unsigned is;	   /* PATRONI_*, 0 = another role */
	bool running;	   /* PostgreSQL is */
	bool sync, quorum; /* a synchronous standby, one of a quorum */
	bool paused;	   /* the cluster is, for maintenance */
	bool unlocked;	   /* nobody holds the leader lock */
	bool failsafe;	   /* goes on without the store, because all members agreed */
	bool restart_pending, no_load_balance;
	bool has_lag;
	int64_t lag; /* octets a replica has yet to replay */
};

/* Read an answer that came. NULL, or what is wrong with it as the end of a sentence about an answer. */
const char *patroni_node_read(const struct net_http_answer *a, struct patroni_node *ret);

/* The node as one line. */
void patroni_node_describe(const struct patroni_node *n, struct strbuf *b);

/* The cluster is paused, nobody holds the lock, and this node's PostgreSQL is the primary: it decides by itself, because
 * nobody else is made a primary then. */
bool patroni_node_paused_primary(const struct patroni_node *n);

/* An answer of /primary: is this node the primary, its promotion ended? */
bool patroni_node_is_primary(const struct patroni_node *n);

/* The same: its PostgreSQL is, but Patroni holds no lock. It has just been started and does not know yet; or it will
 * demote it now, which then shows. Neither a yes nor a no. */
bool patroni_node_is_undecided(const struct patroni_node *n);

#endif
