/*
 * net_conn.h - a connection to a server as a stream of octets, in the agent's loop.
 *
 * Never blocks and looks up no names: an endpoint is "address:port", "[IPv6 address]:port" or the path of a
 * Unix socket. It has no time-out of its own: whoever uses it is bounded by the frame of checks.
 */
#ifndef VRRPD_AGENT_NET_CONN_H
#define VRRPD_AGENT_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "sys/loop.h"

struct net_conn;

enum net_event {
	NET_CONNECTED, /* not where net_conn_connected() has said so */
	NET_DATA,      /* `n` octets at `data`, valid during the call */
	NET_CLOSED,    /* the last event: `data` is NULL when the server closed in order, else a sentence of `n`
			  octets */
};

/* Called from the loop, never before net_conn_open() has returned. It may close the connection. */
typedef void net_conn_fn(void *arg, enum net_event ev, const char *data, size_t n);

/* Begin to connect. NULL when that fails at once, and then *ret_err is an errno. Close it with
 * net_conn_close(). */
struct net_conn *net_conn_open(struct loop *l, const char *endpoint, net_conn_fn *fn, void *arg, int *ret_err);

/* Right after net_conn_open(): is it connected already? On this host that is the rule. */
bool net_conn_connected(const struct net_conn *c);

/*
 * Send octets (copied), at once or when it is connected; what the kernel does not take now goes later. An error
 * comes as NET_CLOSED.
 */
void net_conn_send(struct net_conn *c, const void *data, size_t n);

/* No event comes any more. NULL is fine. */
void net_conn_close(struct net_conn *c);

#endif
