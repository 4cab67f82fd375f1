/*
 * net_tls.h - a connection to a server as a stream of octets, over TLS: what net_conn.h is without.
 *
 * The same events in the same order; never blocks, looks up no names, has no time-out of its own.
 */
#ifndef VRRPD_AGENT_NET_TLS_H
#define VRRPD_AGENT_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/net_conn.h"

#define NET_TLS_OUT_MAX 8192 /* octets that may wait to be sent */

/* Files are read when a connection is opened, so that a renewed one is picked up. NULL: not given. */
struct net_tls_conf {
	const char *ca;		 /* file of certificates to trust; the system's when NULL */
	const char *cert;	 /* file of the own certificate */
	const char *key_pem;	 /* its private key as text; must live as long as the connection */
	const char *server_name; /* that the server's certificate must hold; its address when NULL */
	bool verify;		 /* check the server's certificate at all */
};

struct net_tls;

/* Begin to connect to "address:port" or "[address]:port". Errors come as NET_CLOSED. Close it with
 * net_tls_close(). */
struct net_tls *
net_tls_open(struct loop *l, const char *endpoint, const struct net_tls_conf *conf, net_conn_fn *fn, void *arg);

/* Send octets (copied) when it is connected. At most NET_TLS_OUT_MAX may wait. */
void net_tls_send(struct net_tls *t, const void *data, size_t n);

/* No event comes any more. NULL is fine. */
void net_tls_close(struct net_tls *t);

#endif
