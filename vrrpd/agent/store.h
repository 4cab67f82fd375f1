/*
 * store.h - the stores that say who the leader is: one watch per instance of the modes follow and lease.
 *
 * A kind of store is one file with one struct store_ops and one row of the table in store.c. It asks, watches, and says
 * what it found; what that means for the addresses is the engine's business (elect_follow.c).
 */
#ifndef VRRPD_AGENT_STORE_H
#define VRRPD_AGENT_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/check_def.h"
#include "agent/json_out.h"
#include "base/macros.h"
#include "elect/elect.h"
#include "ipc/ipc_msg.h"

#define STORE_PROBE_US (1 * USEC_PER_SEC) /* how often the leader is asked for, besides being watched */
#define STORE_FRESH_US (3 * USEC_PER_SEC) /* an answer is fresh for so long */
#define STORE_LEADER_MAX 256		  /* octets of a leader's name with its NUL */

struct agent;
struct agent_conf;
struct net_http;
struct net_http_ask;
struct store;
struct store_local;
struct stores;

struct store_ops {
	const char *name;
	/* Begin to ask; s->priv is the kind's own. */
	void (*start)(struct store *s);
	/* Lease: s->wanted or s->priority has changed. NULL: this kind has no leases. */
	void (*campaign)(struct store *s);
	/* End all that is under way, and give s->priv back. A lease is kept: it ends by itself, or is taken up again. */
	void (*free)(struct store *s);
};

/* Read by the kinds and for status; the first part is set by store.c only. */
struct store {
	struct stores *all;
	const struct store_ops *ops;
	void *priv;
	struct store_local *local; /* on_store_loss = "patroni"; else NULL */
	struct store_doubt *doubt; /* mode follow; else NULL */
	uint32_t index; /* of the instance */
	char instance[LIMIT_NAME];
	struct check_def options; /* kept as those of a check are */
	bool lease;		  /* mode lease, or an arbiter */
	bool elected;		  /* arbiter: who wants the lease was elected by VRRP before */
	bool wanted;		  /* the lease, by this node */
	uint8_t priority;
	struct ipc_leader said; /* the last that the engine was to hear */
	bool unsent;
	/* for people: */
	char leader[STORE_LEADER_MAX]; /* "" = none, or not known */
	uint64_t revision;
	char endpoint[STORE_LEADER_MAX]; /* that answered last */
	usec_t latency_us; /* of its last answer */
	/* counted: */
	uint64_t answers, failures;
	usec_t latency_sum_us;
	char trouble[LIMIT_LOG_TEXT]; /* what is wrong, "" = nothing */
};

struct stores *stores_new(struct agent *a);
void stores_free(struct stores *all); /* NULL is fine */

/* `conf` is in force: instances whose store did not change go on. */
void stores_configure(struct stores *all, const struct agent_conf *conf);

/* Another engine: say everything again. */
void stores_relinked(struct stores *all);

void stores_campaign(struct stores *all, const struct ipc_campaign *m);

/* vrrpd stops: give leases back, then call done(); soon at the latest. */
void stores_stop(struct stores *all, void (*done)(struct agent *a));

/* The watch of an instance, for those who tell people of it; NULL in mode vrrp without an arbiter. */
const struct store *stores_get(const struct stores *all, uint32_t index);

/* The leader's name as the store says it, or NULL. */
const char *stores_leader(const struct stores *all, uint32_t index);

/* "leader" of an instance into its document; null in mode vrrp. `now` is its part of a snapshot. */
void stores_json(struct json_out *j, const struct stores *all, uint32_t index, const struct ipc_snap_instance *now,
		 uint64_t now_us);

/* Does it say who the leader is, or that there is none? */
bool store_speaks(const struct store *s);

/* What is to be mended, as a sentence, or NULL. */
const char *store_warning(const struct store *s);

/* ---- for the kinds ------------------------------------------------------------------------------- */

/* The n-th value of an option ("tls.ca"), the store's; NULL: not written. */
const char *store_text(const struct store *s, const char *path, unsigned n);
/* The value of an option in its own unit (durations: us), or `otherwise`. */
int64_t store_number(const struct store *s, const char *path, int64_t otherwise);
/* In force; NULL: none yet. */
const struct agent_conf *store_conf(const struct store *s);
struct loop *store_loop(const struct store *s);
struct net_http *store_http(const struct store *s);

/* A question that was sent at asked_us (CLOCK_BOOTTIME) has got an answer, whatever it says: counted. */
void store_answered(struct store *s, uint64_t asked_us);

/*
 * The store has answered: `leader` holds the key, NULL: nobody does. asked_us: CLOCK_BOOTTIME before the question was
 * sent; lease_until_us: the same clock, when this node's being the leader ends without being renewed.
 */
void store_confirm(struct store *s, const char *leader, uint64_t asked_us, uint64_t lease_until_us);

/* The same when the kind itself knows whether that is this node: SELF, OTHER or NONE; `leader` may be NULL. */
void store_say(struct store *s, enum elect_fact fact, const char *leader, uint64_t asked_us, uint64_t lease_until_us);

/* It cannot be asked (LOST), or does not say (DENIED): why, as a sentence with its remedy, and in a word or two. */
void store_fail(struct store *s, enum elect_fact fact, const char *in_short, const char *fmt, ...) PRINTF_LIKE(4, 5);

/*
 * Before store_fail(): most of its members have said, after asked_us (CLOCK_BOOTTIME), that they do not serve. Then nobody
 * else can have got a lease, and who has one may go on (arbiter).
 */
void store_away(struct store *s, uint64_t asked_us);

/* s->said.local_until_us has changed, or what was kept back may go: tell the engine, if there is anything to tell. */
void store_retell(struct store *s);

/* stores_stop(): this one has nothing to give back any more. */
void store_left(struct store *s);
bool store_stopping(const struct store *s);

/* The URL, certificates and login of an endpoint as the options say; the texts stay the store's. */
void store_http_ask(const struct store *s, const char *url, struct net_http_ask *ret);

/* ---- store_local.c: what the local Patroni says, beside the store ---------------------------------- */

struct store_local *store_local_new(struct store *s);
void store_local_free(struct store_local *l); /* NULL is fine */

/* Has it neither answered nor failed yet? NULL: no. */
bool store_local_awaited(const struct store_local *l);

/* ---- store_doubt.c: it answers, but perhaps not what was meant -------------------------------------- */

struct store_doubt *store_doubt_new(struct store *s);
void store_doubt_free(struct store_doubt *d); /* NULL is fine */

/* The store has answered: who the leader is, "" = nobody; now_us: CLOCK_BOOTTIME, when it was asked. */
void store_doubt_note(struct store_doubt *d, enum elect_fact fact, const char *leader, uint64_t now_us);

/* What is to be doubted, as a sentence with its remedy; NULL: nothing. */
const char *store_doubt_text(const struct store_doubt *d);

extern const struct store_ops store_etcd3_ops, store_etcd2_ops, store_consul_ops, store_patroni_ops, store_sentinel_ops;

#endif
