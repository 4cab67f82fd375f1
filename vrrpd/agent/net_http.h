/*
 * net_http.h - HTTP requests to servers, in the agent's loop, by libcurl's multi interface.
 *
 * The only module that knows libcurl. Never blocks, follows no redirects, uses no proxy and nothing of the
 * environment. It has no time-out of its own: whoever uses it is bounded by the frame of checks. Memory is
 * bounded whatever the server sends.
 */
#ifndef VRRPD_AGENT_NET_HTTP_H
#define VRRPD_AGENT_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "sys/loop.h"

struct net_http;     /* one per agent: connections kept open, names looked up */
struct net_http_req; /* one request, which can be sent again and again */

#define NET_HTTP_BODY_MAX   (64 * 1024) /* octets of a body that are looked at */
#define NET_HTTP_VALUE_MAX  63		/* octets of the header that is wanted, blanks around it included */
#define NET_HTTP_HEADER_MAX (64 * 1024) /* octets of the status line and the headers; more is an error */

/*
 * A piece of a body as it comes, from the loop; returns how many octets of it are done with, the rest comes again with
 * more. It may cancel or free the request. A rest longer than NET_HTTP_BODY_MAX ends the request with an error.
 */
typedef size_t net_http_piece_fn(void *arg, const char *data, size_t n);

/* What to ask. Only `url` is needed: zero and NULL elsewhere mean what the comments say. Copied. */
struct net_http_ask {
	const char *url;	    /* http://, https:// or unix:/SOCKET[:/PATH] */
	const char *path;	    /* appended to the path of `url`, which may end in a slash; NULL: nothing */
	const char *method;	    /* GET (NULL), HEAD, OPTIONS */
	const char *post;	    /* POST with this body, which is JSON; NULL: none */
	bool keep;		    /* a connection may serve several requests (over TLS it does anyway) */
	bool lasting; /* the answer may take for ever: a peer that is gone is noticed after some seconds all the same */
	net_http_piece_fn *on_piece; /* the body of an answer of status 200 goes there; NULL: into the answer */
	const char *want_header;    /* name of a header of the answer to hand over; NULL: none */
	const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
	const char *username;	    /* basic authentication; NULL: none */
	const char *password;	    /* NULL: empty */
	bool tls;		    /* over a Unix socket too; https:// has it anyway */
	bool no_verify;		    /* take any certificate */
	const char *ca;		    /* file of certificates to trust; NULL: the system's */
	const char *cert, *key_pem; /* own certificate (a file) and its key (its text); NULL: none */
	const char *server_name;    /* of the certificate and of Host, when it is not the host of `url` */
};

struct net_http_answer {
	const char *error; /* one sentence without a secret when no answer came; NULL: the rest counts */
	int status;	   /* 100 to 599 */
	const char *header; /* value of the wanted one, the first of several, "" when it has more than
			       NET_HTTP_VALUE_MAX octets; NULL: it did not come */
	const char *body;  /* NUL-terminated for convenience; may hold NULs of its own */
	size_t len;	   /* octets of it, at most NET_HTTP_BODY_MAX */
	bool cut;	   /* there was more */
};

/* Called once per net_http_send(), from the loop and never before it has returned. The answer is valid during
 * the call. It may send the request again, cancel or free it and others. */
typedef void net_http_fn(void *arg, const struct net_http_answer *a);

/* Ends the process when there is no memory. */
struct net_http *net_http_new(struct loop *l);

/* After all its requests were freed. NULL is fine. */
void net_http_free(struct net_http *h);

/*
 * A request that is not under way yet. Never NULL: what is wrong with `ask` (a bad URL, a libcurl without TLS)
 * becomes the error of every answer. Free it with net_http_req_free().
 */
struct net_http_req *
net_http_req_new(struct net_http *h, const struct net_http_ask *ask, net_http_fn *fn, void *arg);

/* Send it; it must not be under way. */
void net_http_send(struct net_http_req *r);

/* Give it up, without an answer. Nothing happens when it is not under way. */
void net_http_cancel(struct net_http_req *r);

/* Gives it up, too. NULL is fine. */
void net_http_req_free(struct net_http_req *r);

#endif
