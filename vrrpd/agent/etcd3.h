/*
 * etcd3.h - etcd's JSON gateway: one call, and what its answers say.
 *
 * Facts of the interface: etcd's documentation of the gRPC gateway (api_grpc_gateway) and of its API (rpc.proto).
 */
#ifndef VRRPD_AGENT_ETCD3_H
#define VRRPD_AGENT_ETCD3_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/store.h"

#define ETCD3_TOKEN_MAX 2048 /* octets of a token with its NUL: a JWT of RSA with 4096 bits has half of it */

/* Which store, which leader of it, how far. */
struct etcd3_header {
	uint64_t cluster, term, revision;
};

/* The state of a key. */
struct etcd3_key {
	bool there;
	uint64_t lease; /* 0 = none */
	uint64_t mod_revision;
	char value[STORE_LEADER_MAX];
};

enum etcd3_kind {
	ETCD3_OK,
	ETCD3_UNAVAILABLE, /* ask another member */
	ETCD3_AUTH,	   /* a token is wanted, or another one */
	ETCD3_DENIED,	   /* the same answer everywhere */
	ETCD3_NO_GATEWAY,
	ETCD3_COMPACTED, /* watch: from another revision */
};

struct etcd3_answer {
	enum etcd3_kind kind;
	char text[256]; /* not OK: what the server says, without a secret */
	struct etcd3_header header;
	bool succeeded; /* txn */
	bool has_key;	/* `key` was told: a range, a txn's failure, a watch's events */
	struct etcd3_key key;
	uint64_t lease;	 /* grant */
	int64_t ttl;	 /* grant, keepalive, timetolive: seconds, 0 or less: gone */
	char token[ETCD3_TOKEN_MAX]; /* authenticate; "" when it is longer */
};

/* Take the answer of a call apart; `status` is HTTP's. */
void etcd3_parse(int status, const char *body, size_t len, struct etcd3_answer *ret);

/* One line of a watch's stream. */
void etcd3_parse_event(const char *line, size_t len, struct etcd3_answer *ret);

#endif
