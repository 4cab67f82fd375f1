/*
 * fuzz_http.h - HTTP without a network, in the place of net_http.c: the target says which request is answered,
 * and how.
 */
#ifndef TESTS_FUZZ_FUZZ_HTTP_H
#define TESTS_FUZZ_FUZZ_HTTP_H

#include "agent/net_http.h"
#include "fuzz/fuzz_loop.h"

struct net_http {
	int unused;
};

struct net_http_req {
	TAILQ_ENTRY(net_http_req) link;
	net_http_fn *fn;
	net_http_piece_fn *on_piece;
	void *arg;
	bool under_way;
	char *rest; /* of a body in pieces */
	size_t n_rest;
};

static TAILQ_HEAD(, net_http_req) fuzz_reqs = TAILQ_HEAD_INITIALIZER(fuzz_reqs);

struct net_http *
net_http_new(struct loop *l)
{
	struct net_http *h = calloc(1, sizeof(*h));

	(void)l;
	FUZZ_CHECK(h != NULL);
	return h;
}

void
net_http_free(struct net_http *h)
{
	FUZZ_CHECK(h == NULL || TAILQ_EMPTY(&fuzz_reqs));
	free(h);
}

struct net_http_req *
net_http_req_new(struct net_http *h, const struct net_http_ask *ask, net_http_fn *fn, void *arg)
{
	struct net_http_req *r = calloc(1, sizeof(*r));

	FUZZ_CHECK(h != NULL && r != NULL && ask->url != NULL);
	FUZZ_CHECK(strlen(ask->url) + (ask->path != NULL ? strlen(ask->path) : 0) +
			   (ask->post != NULL ? strlen(ask->post) : 0) <
		   SIZE_MAX);
	*r = (struct net_http_req){.fn = fn, .on_piece = ask->on_piece, .arg = arg};
	TAILQ_INSERT_TAIL(&fuzz_reqs, r, link);
	return r;
}

void
net_http_send(struct net_http_req *r)
{
	FUZZ_CHECK(!r->under_way);
	r->under_way = true;
	r->n_rest = 0;
}

void
net_http_cancel(struct net_http_req *r)
{
	r->under_way = false;
}

void
net_http_req_free(struct net_http_req *r)
{
	if (r == NULL)
		return;
	TAILQ_REMOVE(&fuzz_reqs, r, link);
	free(r->rest);
	free(r);
}

/* The n-th request under way, counted around; NULL: none is. */
static inline struct net_http_req *
fuzz_req(unsigned n)
{
	struct net_http_req *r;
	unsigned count = 0;

	TAILQ_FOREACH(r, &fuzz_reqs, link)
	count += r->under_way;
	n = count > 0 ? n % count : 0;
	TAILQ_FOREACH(r, &fuzz_reqs, link)
	if (r->under_way && n-- == 0)
		return r;
	return NULL;
}

static inline void
fuzz_answer(struct net_http_req *r, const struct net_http_answer *a)
{
	r->under_way = false;
	r->fn(r->arg, a);
}

static inline bool
fuzz_is_under_way(const struct net_http_req *r)
{
	const struct net_http_req *k;

	TAILQ_FOREACH(k, &fuzz_reqs, link)
	if (k == r)
		return k->under_way;
	return false;
}

/* A piece of the body of an answer that comes in pieces. */
static inline void
fuzz_piece(struct net_http_req *r, const char *data, size_t n)
{
	size_t total = r->n_rest + n, done;
	char *all = malloc(total + 1);

	FUZZ_CHECK(all != NULL);
	if (r->n_rest > 0)
		memcpy(all, r->rest, r->n_rest);
	memcpy(all + r->n_rest, data, n);
	free(r->rest);
	r->rest = NULL;
	r->n_rest = 0;
	done = r->on_piece(r->arg, all, total);
	if (fuzz_is_under_way(r)) { /* it may have been freed, and even made anew */
		FUZZ_CHECK(done <= total);
		memmove(all, all + done, total - done);
		r->rest = all;
		r->n_rest = total - done;
		return;
	}
	free(all);
}

#endif
