/*
 * store_poll.h - stores whose key is read by GET and watched by a long poll: the frame of kinds "etcd2" and "consul".
 *
 * A kind says where to ask and what an answer means; when to ask, whom, and what to make of it is done here.
 */
#ifndef VRRPD_AGENT_STORE_POLL_H
#define VRRPD_AGENT_STORE_POLL_H

#include "agent/store.h"
#include "base/strbuf.h"

struct net_http_answer;

enum poll_result {
	POLL_OK,	  /* the rest counts */
	POLL_NOTHING,	  /* of a long poll: it ended without news */
	POLL_UNAVAILABLE, /* `text` says why; another endpoint may know */
	POLL_DENIED,	  /* the same everywhere: `text` says why, with its remedy, in_short in a word or two */
};

/* What an answer says. */
struct poll_answer {
	enum poll_result result;
	char text[LIMIT_LOG_TEXT / 2];
	const char *in_short;
	bool held; /* somebody is the leader */
	char leader[STORE_LEADER_MAX];
	/*
	 * Of a read: up to where it has seen the store, where a long poll goes on. Of a long poll: where the news happened. They
	 * grow as long as it is the same store; 0: not told, no long poll can be made.
	 */
	uint64_t index;
	usec_t lease_us; /* of a read: the key lasts for so long since before the question was sent */
};

struct poll_kind {
	const char *name;	  /* for people */
	const char *index_header; /* of the answers */
	const char *token_header; /* carries the password; NULL: basic authentication */
	/* Add the path and what to ask: to read with a quorum (0), or a long poll for what comes after `index`. */
	void (*ask)(const struct store *s, uint64_t index, struct strbuf *path);
	/* Take an answer apart: *ret is zero. */
	void (*judge)(const struct store *s, const struct net_http_answer *a, bool polled, struct poll_answer *ret);
};

extern const struct poll_kind store_etcd2_kind, store_consul_kind;

void store_poll_start(struct store *s, const struct poll_kind *kind);
void store_poll_free(struct store *s);

/* ---- for the kinds ---- */

/* Add the key without leading slashes, fit for a URL. */
void poll_add_key(struct strbuf *path, const struct store *s);

/* A number of the index header; 0: none. */
uint64_t poll_index(const struct net_http_answer *a);

/* The answer is of no use here: this is why. */
void poll_unavailable(struct poll_answer *ret, const char *fmt, ...) PRINTF_LIKE(2, 3);
void poll_denied(struct poll_answer *ret, const char *in_short, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
