/*
 * redis_peer.h - one Redis or Sentinel that a check asks: connect, log in, a few commands, their replies.
 */
#ifndef VRRPD_AGENT_REDIS_PEER_H
#define VRRPD_AGENT_REDIS_PEER_H

#include "agent/check.h"
#include "agent/net_resp.h"

#define REDIS_COMMANDS_MAX 6
#define REDIS_WORDS_MAX	   3

struct redis_command {
	unsigned n;
	const char *words[REDIS_WORDS_MAX]; /* live as long as the check */
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

/*
 * A peer at `endpoint` (lives as long as the check) with the check's credentials and TLS; `what` is its name in
 * sentences: "Redis". Connects when it is asked.
 */
struct redis_peer *redis_peer_new(struct check *c, const char *what, const char *endpoint,
				  enum redis_login login, redis_peer_fn *fn, void *arg);

/* Ask n commands (1 to REDIS_COMMANDS_MAX, copied), in one go. What was asked before is forgotten. */
void redis_peer_ask(struct redis_peer *p, const struct redis_command *commands, unsigned n);

/* End what was asked: no call comes any more. */
void redis_peer_stop(struct redis_peer *p);

void redis_peer_free(struct redis_peer *p); /* NULL is fine */

/* An error reply to `command` as a sentence for people, in buf; returns buf. */
const char *redis_error_text(const struct check *c, const char *what, const char *command,
			     const struct resp_value *v, char *buf, size_t size);

#endif
