/*
 * redis_votes.h - ask all Sentinels of a check who the master is, and count those who name this host.
 */
#ifndef VRRPD_AGENT_REDIS_VOTES_H
#define VRRPD_AGENT_REDIS_VOTES_H

#include "agent/check.h"

struct redis_votes;

/* Called once per question: did the majority of those that answered name this host, and a sentence. */
typedef void redis_votes_fn(void *arg, bool us, const char *text);

/* NULL when the check has no `sentinels`. */
struct redis_votes *redis_votes_new(struct check *c, redis_votes_fn *fn, void *arg);

/* Ask; the answer comes before the run's time is over. */
void redis_votes_ask(struct redis_votes *v);

/* End what was asked: no call comes any more. NULL is fine, here and below. */
void redis_votes_stop(struct redis_votes *v);
void redis_votes_free(struct redis_votes *v);

#endif
