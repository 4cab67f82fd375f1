/*
 * fuzz_net.h - connections without a network, in the place of net_conn.c: the target says what the servers
 * send.
 */
#ifndef TESTS_FUZZ_FUZZ_NET_H
#define TESTS_FUZZ_FUZZ_NET_H

#include <errno.h>

#include "agent/net_conn.h"
#include "fuzz/fuzz_loop.h"

#define FUZZ_CONNS 32

struct net_conn {
	net_conn_fn *fn;
	void *arg;
	size_t sent;
};

static struct net_conn *fuzz_conns[FUZZ_CONNS]; /* NULL: a free place */
static bool fuzz_refuse;			/* the next one cannot be opened */

struct net_conn *
net_conn_open(struct loop *l, const char *endpoint, net_conn_fn *fn, void *arg, int *ret_err)
{
	(void)l;
	FUZZ_CHECK(endpoint != NULL);
	*ret_err = ENOENT;
	for (unsigned i = 0; i < FUZZ_CONNS && !fuzz_refuse; i++) {
		if (fuzz_conns[i] != NULL)
			continue;
		fuzz_conns[i] = calloc(1, sizeof(struct net_conn));
		FUZZ_CHECK(fuzz_conns[i] != NULL);
		*fuzz_conns[i] = (struct net_conn){.fn = fn, .arg = arg};
		return fuzz_conns[i];
	}
	fuzz_refuse = false;
	return NULL;
}

bool
net_conn_connected(const struct net_conn *c)
{
	(void)c;
	return true;
}

void
net_conn_send(struct net_conn *c, const void *data, size_t n)
{
	const volatile uint8_t *p = data;

	for (size_t i = 0; i < n; i++)
		(void)p[i]; /* all of it can be read */
	c->sent += n;
}

void
net_conn_close(struct net_conn *c)
{
	for (unsigned i = 0; c != NULL && i < FUZZ_CONNS; i++)
		if (fuzz_conns[i] == c)
			fuzz_conns[i] = NULL;
	free(c);
}

/* The n-th open connection, counted around; NULL: none is open. */
static inline struct net_conn *
fuzz_conn(unsigned n)
{
	for (unsigned i = 0; i < FUZZ_CONNS; i++)
		if (fuzz_conns[(n + i) % FUZZ_CONNS] != NULL)
			return fuzz_conns[(n + i) % FUZZ_CONNS];
	return NULL;
}

/* The server sends the next n octets of the input, in a block of their own. */
static inline void
fuzz_conn_data(struct net_conn *c, struct fuzz_in *in, size_t n)
{
	uint8_t *block = fuzz_take(in, n, &n);

	if (n > 0)
		c->fn(c->arg, NET_DATA, (const char *)block, n);
	free(block);
}

/* The connection ends: in order (NULL), or why not. */
static inline void
fuzz_conn_end(struct net_conn *c, const char *why)
{
	c->fn(c->arg, NET_CLOSED, why, why != NULL ? strlen(why) : 0);
}

#endif
