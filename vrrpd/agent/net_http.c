/*
 * net_http.c - HTTP requests by libcurl; see net_http.h. Runs in vrrpd-agent under the kinds of checks.
 *
 * libcurl says which sockets it watches and when it wants to be called (curl_multi_socket_action(3)); both go
 * to the loop. Requests end in drain(), never in a callback of libcurl, so that users may do with them what
 * they like. A plain connection serves one request: whoever kept one would not notice a server that takes no
 * new clients. Over TLS it is kept for CONN_LIFE_S, because a handshake costs a hundred times the request.
 */
#include "agent/net_http.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "agent/agent_util.h"
#include "base/limits.h"
#include "base/strbuf.h"

#define CONN_LIFE_S    5L  /* a server whose new clients fail is noticed this much later at most */
#define CONN_KEPT      64L /* connections kept for TLS, all together */
#define CA_LIFE_S      60L /* a renewed file of certificates is read this much later at most */
#define READ_OCTETS    8192L
#define URL_OCTETS     2048
#define LOOKUPS_LOST   8 /* look-ups given up whose threads may still wait for a name server ... */
#define LOOKUP_LIFE_US (60 * USEC_PER_SEC) /* ... which takes no longer than this */

/* Options that the header of an older libcurl lacks, which then answers CURLE_UNKNOWN_OPTION. */
#if LIBCURL_VERSION_NUM < 0x075500 /* 7.85 */
#define CURLOPT_PROTOCOLS_STR ((CURLoption)(CURLOPTTYPE_STRINGPOINT + 318))
#endif
#if LIBCURL_VERSION_NUM < 0x075700 /* 7.87 */
#define CURLOPT_CA_CACHE_TIMEOUT ((CURLoption)(CURLOPTTYPE_LONG + 321))
#define CURLOPT_QUICK_EXIT	 ((CURLoption)(CURLOPTTYPE_LONG + 322))
#endif
#define OPTION_PROTOCOLS ((CURLoption)(CURLOPTTYPE_LONG + 181)) /* deprecated since 7.85 */

struct net_http {
	struct loop *loop;
	struct loop_timer *timer;
	CURLM *multi;
	bool looks_up; /* names can be looked up without blocking, giving up included */
	mono_t lost[LOOKUPS_LOST];
};

struct net_http_req {
	struct net_http *http;
	net_http_fn *fn;
	void *arg;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	char *key;		    /* its text: libcurl keeps no copy */
	const char *wrong;	    /* a sentence: the request can never be sent */
	const char *refused;	    /* a sentence: this time it was not sent */
	struct loop_timer *refusal; /* answers then; NULL until needed */
	bool by_name;		    /* the host must be looked up */
	bool under_way;
	/* the answer so far */
	char *body;
	size_t len, size, header_len;
	bool cut;
	char error[CURL_ERROR_SIZE];
};

/* ---- the end of a request ------------------------------------------------------------------------------- */

static void
forget_answer(struct net_http_req *r)
{
	free(TAKE(r->body));
	r->len = r->size = r->header_len = 0;
	r->cut = false;
	r->error[0] = '\0';
}

/* What went wrong as a sentence; libcurl's own text where it is a good one. */
static const char *
explain(struct net_http_req *r, CURLcode code)
{
	long os = 0;

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

/* Tell the user, who may free the request. */
static void
finish(struct net_http_req *r, CURLcode code)
{
	struct net_http_answer a = {.body = ""};
	char error[CURL_ERROR_SIZE];
	char *body;
	long status = 0;

	curl_multi_remove_handle(r->http->multi, r->easy);
	r->under_way = false;
	if (code == CURLE_WRITE_ERROR && r->cut)
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
	}
	forget_answer(r);
	r->fn(r->arg, &a);
	free(body);
}

/* Every request that has ended. */
static void
drain(struct net_http *h)
{
	CURLMsg *m;
	int left;

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

/* A curl_socket_callback: watch a socket from now on, otherwise, or no more. */
static int
watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
	struct net_http *h = arg;
	struct loop_io *io = assigned;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		loop_io_del(io);
		curl_multi_assign(h->multi, fd, NULL);
		return 0;
	}
	if (io == NULL) {
		io = loop_io_add(h->loop, fd, on_ready, h);
		curl_multi_assign(h->multi, fd, io);
	}
	loop_io_want(io, (what & CURL_POLL_IN) != 0, (what & CURL_POLL_OUT) != 0);
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

/* A curl_opensocket_callback: programs that the agent starts must not inherit it. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	(void)arg;
	(void)purpose;
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- the answer as it comes ----------------------------------------------------------------------------- */

/* A curl_write_callback for headers: only counted. */
static size_t
take_header(char *data, size_t size, size_t n, void *arg)
{
	struct net_http_req *r = arg;

	(void)data;
	r->header_len += size * n;
	return r->header_len > NET_HTTP_HEADER_MAX ? 0 : size * n;
}

/* A curl_write_callback: keep what is looked at, end the request at what is more. */
static size_t
take_body(char *data, size_t size, size_t n, void *arg)
{
	struct net_http_req *r = arg;
	size_t more = MIN(size * n, NET_HTTP_BODY_MAX - r->len);

	if (r->len + more + 1 > r->size) {
		size_t want = MIN(MAX(2 * r->size, r->len + more + 1), NET_HTTP_BODY_MAX + 1);
		char *p = realloc(r->body, want);

		ASSERT(p != NULL);
		r->body = p;
		r->size = want;
	}
	memcpy(r->body + r->len, data, more);
	r->len += more;
	r->body[r->len] = '\0';
	r->cut = more < size * n;
	return r->cut ? 0 : size * n;
}

/* ---- a request's options -------------------------------------------------------------------------------- */

/* Split "unix:/SOCKET:/PATH" into the socket's path and a URL for it. False when something is too long. */
static bool
split_unix(const struct net_http_ask *ask, char *socket_path, size_t size, struct strbuf *url)
{
	const char *from = ask->url + strlen("unix:");
	const char *colon = strstr(from, ":/");
	size_t n = colon != NULL ? (size_t)(colon - from) : strlen(from);

	strbuf_addf(url, "%s://localhost%s", ask->tls ? "https" : "http", colon != NULL ? colon + 1 : "/");
	if (n >= size)
		return false;
	memcpy(socket_path, from, n);
	socket_path[n] = '\0';
	return true;
}

/* The whole URL into `url`, and the path of the Unix socket, "" when there is none. NULL or what is wrong. */
static const char *
compose_url(const struct net_http_ask *ask, char *url, size_t size, char *socket_path, size_t socket_size)
{
	struct strbuf b;

	strbuf_init(&b, url, size);
	socket_path[0] = '\0';
	if (strncmp(ask->url, "unix:", 5) != 0)
		strbuf_addf(&b, "%s", ask->url);
	else if (!split_unix(ask, socket_path, socket_size, &b))
		return "the path of the socket is too long";
	if (ask->path != NULL) {
		while (b.len > 0 && url[b.len - 1] == '/')
			url[--b.len] = '\0';
		strbuf_addf(&b, "/%s", ask->path);
	}
	return b.cut ? "the URL is too long" : NULL;
}

/* Must this host of a URL be looked up? libcurl knows "localhost" by itself. */
static bool
is_name(const char *host)
{
	unsigned char addr[16];

	return host[0] != '[' && inet_pton(AF_INET, host, addr) != 1 && strcasecmp(host, "localhost") != 0;
}

/* Ask for `name`, its certificate and its pages, where `u` points to. */
static bool
rename_host(struct net_http_req *r, CURLU *u, const char *host, const char *name)
{
	char text[URL_OCTETS];

	snprintf(text, sizeof(text), "::%s:", host);
	r->connect_to = curl_slist_append(NULL, text);
	ASSERT(r->connect_to != NULL);
	curl_easy_setopt(r->easy, CURLOPT_CONNECT_TO, r->connect_to);
	return curl_url_set(u, CURLUPART_HOST, name, 0) == CURLUE_OK;
}

static const char *
set_url(struct net_http_req *r, const struct net_http_ask *ask)
{
	char text[URL_OCTETS], socket_path[LIMIT_PATH];
	const char *wrong = compose_url(ask, text, sizeof(text), socket_path, sizeof(socket_path));
	CURLU *u = curl_url();
	char *host = NULL, *whole = NULL;

	ASSERT(u != NULL);
	if (wrong == NULL && (curl_url_set(u, CURLUPART_URL, text, 0) != CURLUE_OK ||
			      curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK))
		wrong = "the URL is none";
	if (wrong == NULL) {
		r->by_name = socket_path[0] == '\0' && is_name(host);
		if (ask->server_name != NULL && !rename_host(r, u, host, ask->server_name))
			wrong = "server_name is no name of a host";
	}
	if (wrong == NULL && r->by_name && !r->http->looks_up)
		wrong = "names are not looked up with this libcurl: write an address";
	if (wrong == NULL && curl_url_get(u, CURLUPART_URL, &whole, 0) == CURLUE_OK)
		curl_easy_setopt(r->easy, CURLOPT_URL, whole);
	if (socket_path[0] != '\0')
		curl_easy_setopt(r->easy, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	curl_free(host);
	curl_free(whole);
	curl_url_cleanup(u);
	return wrong;
}

static const char *
set_tls(struct net_http_req *r, const struct net_http_ask *ask)
{
	struct curl_blob key = {.flags = CURL_BLOB_NOCOPY};
	CURLcode err = CURLE_OK;

	curl_easy_setopt(r->easy, CURLOPT_MAXLIFETIME_CONN, CONN_LIFE_S);
	curl_easy_setopt(r->easy, CURLOPT_CA_CACHE_TIMEOUT, CA_LIFE_S);
	curl_easy_setopt(r->easy, CURLOPT_SSL_VERIFYPEER, ask->no_verify ? 0L : 1L);
	curl_easy_setopt(r->easy, CURLOPT_SSL_VERIFYHOST, ask->no_verify ? 0L : 2L);
	if (ask->ca != NULL)
		err = curl_easy_setopt(r->easy, CURLOPT_CAINFO, ask->ca);
	if (err == CURLE_OK && ask->cert != NULL)
		err = curl_easy_setopt(r->easy, CURLOPT_SSLCERT, ask->cert);
	if (err == CURLE_OK && ask->key_pem != NULL) {
		r->key = strdup(ask->key_pem);
		ASSERT(r->key != NULL);
		key.data = r->key;
		key.len = strlen(r->key);
		err = curl_easy_setopt(r->easy, CURLOPT_SSLKEY_BLOB, &key);
	}
	return err == CURLE_OK ? NULL : "this libcurl lacks TLS, or the files and keys that TLS needs";
}

static void
set_method(struct net_http_req *r, const char *method)
{
	if (method == NULL || strcmp(method, "GET") == 0)
		return;
	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(r->easy, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, method);
}

static void
set_login(struct net_http_req *r, const struct net_http_ask *ask)
{
	if (ask->username == NULL)
		return;
	curl_easy_setopt(r->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	curl_easy_setopt(r->easy, CURLOPT_USERNAME, ask->username);
	curl_easy_setopt(r->easy, CURLOPT_PASSWORD, ask->password != NULL ? ask->password : "");
}

static void
set_headers(struct net_http_req *r, const char *const *headers)
{
	for (; headers != NULL && *headers != NULL; headers++) {
		struct curl_slist *more = curl_slist_append(r->headers, *headers);

		ASSERT(more != NULL);
		r->headers = more;
	}
	if (r->headers != NULL)
		curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
}

/* What is the same for every request. HTTP/1.1: a check has no use for streams and their windows. */
static void
set_common(struct net_http_req *r)
{
	CURL *e = r->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, r);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->error);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "vrrpd/" VRRPD_VERSION);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, READ_OCTETS);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
	(void)curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* a look-up given up is not waited for */
	if (curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_UNKNOWN_OPTION)
		curl_easy_setopt(e, OPTION_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
}

struct net_http_req *
net_http_req_new(struct net_http *h, const struct net_http_ask *ask, net_http_fn *fn, void *arg)
{
	struct net_http_req *r = agent_alloc(1, sizeof(*r));
	bool tls = ask->tls || strncasecmp(ask->url, "https:", 6) == 0;

	*r = (struct net_http_req){.http = h, .fn = fn, .arg = arg, .easy = curl_easy_init()};
	ASSERT(r->easy != NULL);
	set_common(r);
	set_method(r, ask->method);
	set_login(r, ask);
	set_headers(r, ask->headers);
	r->wrong = set_url(r, ask);
	if (tls && r->wrong == NULL)
		r->wrong = set_tls(r, ask);
	curl_easy_setopt(r->easy, CURLOPT_FRESH_CONNECT, tls ? 0L : 1L);
	curl_easy_setopt(r->easy, CURLOPT_FORBID_REUSE, tls ? 0L : 1L);
	return r;
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
	curl_multi_remove_handle(r->http->multi, r->easy);
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
