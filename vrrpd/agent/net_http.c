/*
 * net_http.c - HTTP requests by libcurl; see net_http.h. Runs in vrrpd-agent under the kinds of checks.
 *
 * libcurl says which sockets it watches and when it wants to be called (curl_multi_socket_action(3)); both go
 * to the loop. Requests end in drain(), never in a callback of libcurl, so that users may do with them what
 * they like. A request's options: net_http_req.c.
 */
#include "agent/net_http_int.h"

#include <stdlib.h>
#include <string.h>

#include "agent/agent_util.h"
#include "base/strbuf.h"

#define CONN_KEPT 64L /* connections kept for TLS, all together */
#define LOOKUP_LIFE_US                                                                                         \
	(60 * USEC_PER_SEC) /* a thread that waits for a name server takes no longer than this                 \
			     */

/* ---- the end of a request ------------------------------------------------------------------------------- */

static void
forget_answer(struct net_http_req *r)
{
	free(TAKE(r->body));
	r->len = r->size = r->header_len = 0;
	r->cut = r->has_value = r->fresh = r->too_long = false;
	r->error[0] = '\0';
}

/* What went wrong as a sentence; libcurl's own text where it is a good one. */
static const char *
explain(struct net_http_req *r, CURLcode code)
{
	long os = 0;

	if (r->too_long)
		return "a piece of the answer is longer than 64 KiB";
	if (r->header_len > NET_HTTP_HEADER_MAX)
		return "the answer begins with more than 64 KiB of headers";
	if (code == CURLE_OUT_OF_MEMORY) /* what libcurl 7 says of a line beyond its 100 KiB */
		return "the answer has a header that is too long";
	if (code == CURLE_COULDNT_CONNECT && curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &os) == CURLE_OK &&
	    os != 0)
		return strerror((int)os);
	if (code == CURLE_GOT_NOTHING)
		return "the server closed the connection without an answer";
	if (code == CURLE_PARTIAL_FILE)
		return "the server closed the connection in the middle of its answer";
	if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY)
		return "the answer is no HTTP";
	return r->error[0] != '\0' ? r->error : curl_easy_strerror(code);
}

/* libcurl is done with it, or is to be. */
static void
leave(struct net_http_req *r)
{
	curl_multi_remove_handle(r->http->multi, r->easy);
	if (r->on_piece != NULL)
		TAILQ_REMOVE(&r->http->streams, r, link);
	if (r->http->handing == r)
		r->http->handing = NULL;
}

/* Tell the user, who may free the request. */
static void
finish(struct net_http_req *r, CURLcode code)
{
	struct net_http_answer a = {.body = ""};
	char error[CURL_ERROR_SIZE], value[sizeof(r->value)];
	char *body;
	long status = 0;

	leave(r);
	r->under_way = false;
	if (code == CURLE_WRITE_ERROR && r->cut && !r->too_long)
		code = CURLE_OK; /* ended by us */
	(void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_OK && (status < 100 || status > 599))
		code = CURLE_WEIRD_SERVER_REPLY;
	body = TAKE(r->body);
	if (code != CURLE_OK) {
		str_copy(error, sizeof(error), explain(r, code));
		a.error = error;
	} else {
		a.status = (int)status;
		a.len = r->len;
		a.cut = r->cut;
		if (body != NULL)
			a.body = body;
		if (r->has_value)
			a.header = memcpy(value, r->value, sizeof(value));
	}
	forget_answer(r);
	r->fn(r->arg, &a);
	free(body);
}

/* Hand over what has come of one body. */
static void
hand_over(struct net_http_req *r)
{
	struct net_http *h = r->http;
	long status = 0;
	size_t done;

	r->fresh = false;
	(void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200 || r->len == 0)
		return; /* an error's text: into the answer */
	h->handing = r;
	done = r->on_piece(r->arg, r->body, r->len);
	if (h->handing != r)
		return; /* given up meanwhile, perhaps gone */
	h->handing = NULL;
	ASSERT(done <= r->len);
	r->len -= done;
	memmove(r->body, r->body + done, r->len);
}

/* What has come of the bodies that are handed over in pieces. A callback may end any of them: begin anew after each. */
static void
feed(struct net_http *h)
{
	struct net_http_req *r;

	do {
		TAILQ_FOREACH(r, &h->streams, link)
		if (r->fresh)
			break;
		if (r != NULL)
			hand_over(r);
	} while (r != NULL);
}

/* Every request that has ended. */
static void
drain(struct net_http *h)
{
	CURLMsg *m;
	int left;

	feed(h);

	while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
		struct net_http_req *r = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&r);
		finish(r, m->data.result);
	}
}

/* ---- libcurl in the loop -------------------------------------------------------------------------------- */

static void
on_ready(void *arg, int fd, bool readable, bool writable)
{
	struct net_http *h = arg;
	int running;

	(void)curl_multi_socket_action(
		h->multi, fd, (readable ? CURL_CSELECT_IN : 0) | (writable ? CURL_CSELECT_OUT : 0), &running);
	drain(h);
}

static void
on_timer(void *arg, mono_t now)
{
	struct net_http *h = arg;
	int running;

	(void)now;
	(void)curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	drain(h);
}

/*
 * A curl_socket_callback: watch a socket from now on, otherwise, or no more. Who waits to write, which lasts
 * until it is connected, waits to read as well: then there is less to change afterwards.
 */
static int
watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
	struct net_http *h = arg;
	struct loop_io *io = assigned;
	bool write = (what & CURL_POLL_OUT) != 0, read = write || (what & CURL_POLL_IN) != 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		loop_io_del(io);
		curl_multi_assign(h->multi, fd, NULL);
		return 0;
	}
	if (io == NULL) {
		io = loop_io_add_for(h->loop, fd, read, write, on_ready, h);
		curl_multi_assign(h->multi, fd, io);
	} else {
		loop_io_want(io, read, write);
	}
	return 0;
}

/* A curl_multi_timer_callback. */
static int
set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct net_http *h = arg;

	(void)multi;
	loop_timer_set(h->timer, timeout_ms < 0
					 ? MONO_NEVER
					 : mono_add(loop_now(h->loop), (usec_t)timeout_ms * USEC_PER_MS));
	return 0;
}

/* ---- sending and giving up ------------------------------------------------------------------------------ */

static void
on_refusal(void *arg, mono_t now)
{
	struct net_http_req *r = arg;
	struct net_http_answer a = {.error = r->refused, .body = ""};

	(void)now;
	r->under_way = false;
	r->fn(r->arg, &a);
}

/* Answer with an error, but from the loop. */
static void
refuse(struct net_http_req *r, const char *why)
{
	r->refused = why;
	if (r->refusal == NULL)
		r->refusal = loop_timer_add(r->http->loop, on_refusal, r);
	loop_timer_set(r->refusal, loop_now(r->http->loop));
}

/* A place to note a look-up that is given up, or NULL when too many threads may still be at it. */
static mono_t *
place_for_lost(struct net_http *h)
{
	for (size_t i = 0; i < LOOKUPS_LOST; i++)
		if (mono_due(loop_now(h->loop), h->lost[i]))
			return &h->lost[i];
	return NULL;
}

void
net_http_send(struct net_http_req *r)
{
	ASSERT(!r->under_way);
	r->under_way = true;
	if (r->wrong != NULL)
		refuse(r, r->wrong);
	else if (r->by_name && place_for_lost(r->http) == NULL)
		refuse(r, "its name is not looked up: no name server has answered for a minute");
	else if (curl_multi_add_handle(r->http->multi, r->easy) != CURLM_OK)
		refuse(r, "libcurl does not take the request");
	else
		r->refused = NULL;
	if (r->on_piece != NULL && r->refused == NULL)
		TAILQ_INSERT_TAIL(&r->http->streams, r, link);
}

void
net_http_cancel(struct net_http_req *r)
{
	curl_off_t looked_up_us = 0;
	mono_t *place;

	if (!r->under_way)
		return;
	r->under_way = false;
	if (r->refused != NULL) {
		loop_timer_set(r->refusal, MONO_NEVER);
		return;
	}
	(void)curl_easy_getinfo(r->easy, CURLINFO_NAMELOOKUP_TIME_T, &looked_up_us);
	place = place_for_lost(r->http);
	if (r->by_name && looked_up_us == 0 && place != NULL)
		*place = mono_add(loop_now(r->http->loop), LOOKUP_LIFE_US);
	leave(r);
	forget_answer(r);
}

void
net_http_req_free(struct net_http_req *r)
{
	if (r == NULL)
		return;
	net_http_cancel(r);
	loop_timer_del(r->refusal);
	curl_easy_cleanup(r->easy);
	curl_slist_free_all(r->headers);
	curl_slist_free_all(r->connect_to);
	if (r->key != NULL)
		explicit_bzero(r->key, strlen(r->key));
	free(r->key);
	free(r->want_header);
	free(r->body);
	free(r);
}

struct net_http *
net_http_new(struct loop *l)
{
	struct net_http *h = agent_alloc(1, sizeof(*h));
	const curl_version_info_data *v;
	CURL *probe;

	h->loop = l;
	TAILQ_INIT(&h->streams);
	ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	h->timer = loop_timer_add(l, on_timer, h);
	h->multi = curl_multi_init();
	ASSERT(h->multi != NULL);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, watch);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, CONN_KEPT);
	/* With a thread per look-up, giving up would wait for the thread but for QUICK_EXIT (7.87). */
	v = curl_version_info(CURLVERSION_NOW);
	probe = curl_easy_init();
	ASSERT(probe != NULL);
	h->looks_up = (v->features & CURL_VERSION_ASYNCHDNS) != 0 &&
		      (v->ares != NULL || curl_easy_setopt(probe, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK);
	curl_easy_cleanup(probe);
	return h;
}

void
net_http_free(struct net_http *h)
{
	if (h == NULL)
		return;
	curl_multi_cleanup(h->multi);
	loop_timer_del(h->timer);
	curl_global_cleanup();
	free(h);
}
