/*
 * net_http_int.h - what net_http.c and net_http_req.c share: the requests as libcurl's objects.
 */
#ifndef VRRPD_AGENT_NET_HTTP_INT_H
#define VRRPD_AGENT_NET_HTTP_INT_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "agent/net_http.h"

#define LOOKUPS_LOST 8 /* look-ups given up whose threads may still wait for a name server */

/* Options that the header of an older libcurl lacks, which then answers CURLE_UNKNOWN_OPTION. */
#if LIBCURL_VERSION_NUM < 0x075500 /* 7.85 */
#define CURLOPT_PROTOCOLS_STR ((CURLoption)(CURLOPTTYPE_STRINGPOINT + 318))
#endif
#if LIBCURL_VERSION_NUM < 0x075700 /* 7.87 */
#define CURLOPT_CA_CACHE_TIMEOUT ((CURLoption)(CURLOPTTYPE_LONG + 321))
#define CURLOPT_QUICK_EXIT	 ((CURLoption)(CURLOPTTYPE_LONG + 322))
#endif
#define OPTION_PROTOCOLS ((CURLoption)(CURLOPTTYPE_LONG + 181)) /* deprecated since 7.85 */

TAILQ_HEAD(net_http_streams, net_http_req);

struct net_http {
	struct net_http_streams streams; /* under way, with on_piece */
	struct net_http_req *handing;	 /* whose on_piece() runs just now */
	struct loop *loop;
	struct loop_timer *timer;
	CURLM *multi;
	bool looks_up; /* names can be looked up without blocking, giving up included */
	mono_t lost[LOOKUPS_LOST];
};

struct net_http_req {
	TAILQ_ENTRY(net_http_req) link; /* in streams */
	net_http_piece_fn *on_piece;
	bool fresh;    /* some of its body has come */
	bool too_long; /* the rest that nobody was done with */
	struct net_http *http;
	net_http_fn *fn;
	void *arg;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	char *want_header;	    /* its name, NULL: none */
	char *key;		    /* its text: libcurl keeps no copy */
	const char *wrong;	    /* a sentence: the request can never be sent */
	const char *refused;	    /* a sentence: this time it was not sent */
	struct loop_timer *refusal; /* answers then; NULL until needed */
	bool by_name;		    /* the host must be looked up */
	bool under_way;
	/* the answer so far */
	char *body;
	size_t len, size, header_len;
	bool cut, has_value;
	char value[NET_HTTP_VALUE_MAX + 1]; /* of the header that is wanted */
	char error[CURL_ERROR_SIZE];
};

#endif
