/*
 * patroni_poll.h - ask the local Patroni again and again whether this node is the primary.
 */
#ifndef VRRPD_AGENT_PATRONI_POLL_H
#define VRRPD_AGENT_PATRONI_POLL_H

#include "agent/net_http.h"
#include "agent/patroni_node.h"
#include "base/time.h"
#include "sys/loop.h"

#define PATRONI_URL	  "http://127.0.0.1:8008" /* where it is when nobody says otherwise */
#define PATRONI_ANSWER_US USEC_PER_SEC		  /* for an answer, the connection included */

/*
 * What it says of itself is true for so long. The leader lock of one that hangs or dies lasts for its ttl (20 s at least)
 * since the last loop, and loop_wait + 2 x retry_timeout <= ttl with a retry_timeout of 3 s at least: 6 s are left.
 */
#define PATRONI_LASTS_US (3 * USEC_PER_SEC)

struct patroni_poll;

/*
 * Called from the loop after each question, sent at asked_us (CLOCK_BOOTTIME). `n` is NULL when there was no answer of
 * Patroni; then `wrong` is a sentence, and `answered` says whether something answered. It may free the poll.
 */
typedef void patroni_poll_fn(void *arg, const struct patroni_node *n, const char *wrong, bool answered, uint64_t asked_us);

/* `ask` says where and how (its path is set here); the first question is sent soon. */
struct patroni_poll *patroni_poll_new(struct loop *l, struct net_http *h, const struct net_http_ask *ask, usec_t interval,
				      patroni_poll_fn *fn, void *arg);

void patroni_poll_free(struct patroni_poll *p); /* NULL is fine */

#endif
