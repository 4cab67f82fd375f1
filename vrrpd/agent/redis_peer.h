/*
 * redis_peer.h - one Redis or Sentinel that a check or a store asks: connect, log in, a few commands, their replies.
 */
#ifndef VRRPD_AGENT_REDIS_PEER_H
#define VRRPD_AGENT_REDIS_PEER_H

#include "agent/check_def.h"
#include "agent/net_resp.h"

#define REDIS_COMMANDS_MAX 6
#define REDIS_WORDS_MAX	   3

struct redis_command {
	unsigned n;
	const char *words[REDIS_WORDS_MAX]; /* live as long as the peer */
};

struct redis_peer;

/*
 * The reply to command i, valid during the call. With NULL, a sentence: why no more replies come. After the
 * reply to the last command nothing follows. It may ask anew, stop or free.
 */
typedef void redis_peer_fn(void *arg, unsigned i, const struct resp_value *v, const char *wrong);

enum redis_login {
	REDIS_LOGIN_FIRST,
	REDIS_LOGIN_WHEN_ASKED, /* only when it refuses otherwise: the credentials are another server's. For one
				   command. */
};

/* What comes unasked from a peer that was asked to subscribe; valid during the call. */
typedef void redis_push_fn(void *arg, const struct resp_value *v);

/*
 * A peer at `endpoint` with the credentials and TLS of these options (both live as long as it); `what` is its name in
 * sentences: "Redis". Connects when it is asked.
 */
struct redis_peer *redis_peer_new(struct loop *l, const struct check_def *options, const char *what, const char *endpoint,
				  enum redis_login login, redis_peer_fn *fn, void *arg);

/* Messages go there, and the connection is kept as long as it lasts. Subscribe again and again: that is what proves
 * that it lasts, and makes a new one. */
void redis_peer_on_push(struct redis_peer *p, redis_push_fn *fn);

/* Ask n commands (1 to REDIS_COMMANDS_MAX, copied), in one go. What was asked before is forgotten. */
void redis_peer_ask(struct redis_peer *p, const struct redis_command *commands, unsigned n);

/* End what was asked: no call comes any more. */
void redis_peer_stop(struct redis_peer *p);

void redis_peer_free(struct redis_peer *p); /* NULL is fine */

/* An error reply to `command` as a sentence for people, in buf; returns buf. */
const char *redis_error_text(const struct check_def *options, const char *what, const char *command,
			     const struct resp_value *v, char *buf, size_t size);

#endif
