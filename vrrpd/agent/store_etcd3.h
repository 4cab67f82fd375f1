/*
 * store_etcd3.h - what the files of kind "etcd3" share: following a key (store_etcd3.c), holding one (store_etcd3_lease.c),
 * calls (store_etcd3_call.c).
 */
#ifndef VRRPD_AGENT_STORE_ETCD3_H
#define VRRPD_AGENT_STORE_ETCD3_H

#include "agent/etcd3.h"
#include "agent/net_http.h"
#include "agent/store.h"
#include "sys/loop.h"

#define ETCD3_ANSWER_US USEC_PER_SEC /* for the answer of a call, the connection included */

struct etcd3;
struct etcd3_call;

/* A call has been answered, or not (ETCD3_UNAVAILABLE). */
typedef void etcd3_done_fn(struct etcd3 *e, struct etcd3_call *c, const struct etcd3_answer *a);

/* One call at a time of its kind; all zero: never made. */
struct etcd3_call {
	struct etcd3 *etcd;
	etcd3_done_fn *done;
	struct net_http_req *req;
	struct loop_timer *timer; /* time-out */
	bool busy;
	unsigned endpoint;
	uint64_t asked_us; /* CLOCK_BOOTTIME before it was sent */
};

/* An own lease. */
struct etcd3_lease {
	uint64_t id;	    /* 0 = none */
	uint64_t asked_us;  /* before it was asked for, or last renewed */
	uint64_t until_us;  /* when it ends without being renewed */
	bool held;	    /* the key is ours by this lease */
	uint64_t revoking;  /* the one being given back */
	unsigned revoked_at; /* at how many members that was tried in vain */
	struct loop_timer *timer;
	struct etcd3_call call, renew;
};

struct etcd3 {
	struct store *s;
	unsigned n_endpoints, failed; /* in a row */
	usec_t backoff_us;
	struct loop_timer *timer; /* the next probe */
	struct etcd3_call probe, ttl, watch;
	unsigned n_away; /* of `failed`, those that said that they do not serve */
	uint64_t round_us; /* CLOCK_BOOTTIME when the first of them was asked */
	bool watch_was_good; /* it has said something */
	bool no_auth;	     /* the store needs no user, whatever is configured */
	char token[ETCD3_TOKEN_MAX];
	/* what is known: */
	uint64_t cluster, term, revision, mod_revision;
	uint64_t probed_term, probed_revision; /* what was known when the probe was sent */
	struct etcd3_key key;
	uint64_t asked_us, lease_until_us, ttl_lease;
	struct etcd3_lease lease;
};

/* ---- store_etcd3_call.c ---- */

/* POST `body` to "v3/..."; c->endpoint says where. */
void etcd3_call(struct etcd3 *e, struct etcd3_call *c, const char *path, const char *body, etcd3_done_fn *done);
void etcd3_call_free(struct etcd3_call *c); /* given up */

/* The same, and the answer comes in pieces (etcd3_on_piece()); whoever takes the first one stops c->timer. */
void etcd3_stream(struct etcd3 *e, struct etcd3_call *c, const char *path, const char *body, etcd3_done_fn *done);

/* Where the call goes, for people. */
const char *etcd3_endpoint(const struct etcd3 *e, const struct etcd3_call *c);

/* Say what is wrong, with the remedy. */
void etcd3_tell_trouble(struct etcd3 *e, const struct etcd3_call *c, const struct etcd3_answer *a);

/* ---- store_etcd3.c ---- */

/* Is the answer of the store as it is now (its cluster, its term)? */
bool etcd3_is_current(struct etcd3 *e, const struct etcd3_header *h);

/* Does it ask for a (new) token? Then one is being asked for. */
bool etcd3_wants_token(struct etcd3 *e, const struct etcd3_answer *a);

/* The key is so, by a question of that time. */
void etcd3_take_key(struct etcd3 *e, const struct etcd3_key *k, uint64_t asked_us);

/* A net_http_piece_fn of the watch's call. */
size_t etcd3_on_piece(void *arg, const char *data, size_t n);

/* ---- store_etcd3_lease.c ---- */

void etcd3_lease_start(struct etcd3 *e);
void etcd3_lease_free(struct etcd3 *e);
void etcd3_lease_take_key(struct etcd3 *e, uint64_t asked_us);
void etcd3_lease_campaign(struct store *s);

#endif
