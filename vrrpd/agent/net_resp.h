/*
 * net_resp.h - the protocol of Redis and its Sentinels (RESP, version 2) over a connection, plain or TLS.
 *
 * Commands go out as arrays of bulk strings, replies come in their order. Never blocks; whatever the server
 * sends, a reply takes at most RESP_OCTETS_MAX octets and RESP_VALUES_MAX values of memory.
 */
#ifndef VRRPD_AGENT_NET_RESP_H
#define VRRPD_AGENT_NET_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/net_tls.h"
#include "sys/loop.h"

#define RESP_OCTETS_MAX (256 * 1024) /* of one reply: CLUSTER NODES of about a thousand nodes */
#define RESP_OUT_MAX	4096	     /* commands that wait: a password of 1023 octets and a few short ones */
#define RESP_VALUES_MAX 4096	     /* of one reply, nested ones included: ROLE with 1000 replicas */

enum resp_type { RESP_STRING, RESP_STATUS, RESP_ERROR, RESP_INTEGER, RESP_NIL, RESP_ARRAY };

struct resp_value {
	enum resp_type type;
	int64_t number; /* RESP_INTEGER */
	char *text;	/* RESP_STRING, RESP_STATUS, RESP_ERROR: `n` octets with a NUL behind them, else NULL */
	size_t n;	/* octets of text, or values of an array */
	struct resp_value **items; /* RESP_ARRAY */
};

struct net_resp;

/*
 * Called from the loop, never before net_resp_open() has returned: with each reply (`v` is valid during the
 * call), or with NULL and a sentence when the connection is of no use any more; `wrong` is NULL when the server
 * closed it in order. It may close the connection.
 */
typedef void net_resp_fn(void *arg, const struct resp_value *v, const char *wrong);

/*
 * Begin to connect to an endpoint (see net_conn.h), over TLS when `tls` is not NULL. NULL when that fails at
 * once, with the reason in *ret_wrong. Close it with net_resp_close().
 */
struct net_resp *net_resp_open(struct loop *l, const char *endpoint, const struct net_tls_conf *tls,
			       net_resp_fn *fn, void *arg, const char **ret_wrong);

/* Add a command of n words to those that wait; send those that wait, at once or when it is connected. */
void net_resp_add(struct net_resp *r, const char *const *words, unsigned n);
void net_resp_flush(struct net_resp *r);

/* No call comes any more. NULL is fine. */
void net_resp_close(struct net_resp *r);

/* The text of a string, status or error; "" for everything else and for NULL. */
const char *resp_text(const struct resp_value *v);

/* The i-th value of an array; NULL when there is none or `v` is no array. */
const struct resp_value *resp_item(const struct resp_value *v, size_t i);

/* Is this an error whose first word is `code`, or any error when that is NULL? */
bool resp_is_error(const struct resp_value *v, const char *code);

#endif
