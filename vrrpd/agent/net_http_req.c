/*
 * net_http_req.c - the options of an HTTP request, and its answer as it comes; see net_http.h.
 *
 * A plain connection serves one request: whoever kept one would not notice a server that takes no new clients.
 * Over TLS it is kept for CONN_LIFE_S, because a handshake costs a hundred times the request.
 */
#include "agent/net_http_int.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "agent/agent_util.h"
#include "base/limits.h"
#include "base/strbuf.h"

#define CONN_LIFE_S 5L	/* a server whose new clients fail is noticed this much later at most */
#define CA_LIFE_S   60L /* a renewed file of certificates is read this much later at most */
#define READ_OCTETS 8192L
#define URL_OCTETS  2048

/* A curl_opensocket_callback: programs that the agent starts must not inherit it. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	(void)arg;
	(void)purpose;
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- the answer as it comes ----------------------------------------------------------------------------- */

/* One line of the answer's head: keep the value of the header that is wanted. */
static void
keep_value(struct net_http_req *r, const char *line, size_t n)
{
	size_t name = strlen(r->want_header);

	if (n > 5 && strncmp(line, "HTTP/", 5) == 0)
		r->has_value = false; /* what came before was an answer in between, like 103 */
	if (r->has_value || n <= name || line[name] != ':' || strncasecmp(line, r->want_header, name) != 0)
		return;
	r->has_value = true;
	n -= name + 1;
	if (n >= sizeof(r->value))
		n = 0;
	memcpy(r->value, line + name + 1, n);
	r->value[n] = '\0';
}

/* A curl_write_callback for headers: counted, and one of them kept. */
static size_t
take_header(char *data, size_t size, size_t n, void *arg)
{
	struct net_http_req *r = arg;

	if (r->want_header != NULL)
		keep_value(r, data, size * n);
	r->header_len += size * n;
	return r->header_len > NET_HTTP_HEADER_MAX ? 0 : size * n;
}

/* A curl_write_callback: keep what is looked at, end the request at what is more. */
static size_t
take_body(char *data, size_t size, size_t n, void *arg)
{
	struct net_http_req *r = arg;
	size_t more = MIN(size * n, NET_HTTP_BODY_MAX - r->len);

	r->fresh = true;
	r->too_long = r->on_piece != NULL && more < size * n;

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

/* A curl_sockopt_callback: a peer that is gone without a word is noticed, whoever waits for whom (tcp(7)). */
static int
set_lasting(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	const struct {
		int level, name, value;
	} rows[] = {
		{SOL_SOCKET, SO_KEEPALIVE, 1},	   {IPPROTO_TCP, TCP_KEEPIDLE, 1},	 {IPPROTO_TCP, TCP_KEEPINTVL, 1},
		{IPPROTO_TCP, TCP_KEEPCNT, 2}, {IPPROTO_TCP, TCP_USER_TIMEOUT, 3000},
	};

	(void)arg;
	(void)purpose;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		(void)setsockopt(fd, rows[i].level, rows[i].name, &rows[i].value, sizeof(rows[i].value)); /* not on a Unix socket */
	return CURL_SOCKOPT_OK;
}

static void
set_post(struct net_http_req *r, const struct net_http_ask *ask)
{
	struct curl_slist *more;

	if (ask->lasting)
		curl_easy_setopt(r->easy, CURLOPT_SOCKOPTFUNCTION, set_lasting);
	if (ask->post == NULL)
		return;
	curl_easy_setopt(r->easy, CURLOPT_COPYPOSTFIELDS, ask->post);
	more = curl_slist_append(r->headers, "Content-Type: application/json");
	ASSERT(more != NULL);
	r->headers = more;
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
	curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 0L); /* one segment is all there is to send */
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
	set_post(r, ask);
	set_headers(r, ask->headers);
	r->on_piece = ask->on_piece;
	if (ask->want_header != NULL) {
		r->want_header = strdup(ask->want_header);
		ASSERT(r->want_header != NULL);
	}
	r->wrong = set_url(r, ask);
	if (tls && r->wrong == NULL)
		r->wrong = set_tls(r, ask);
	curl_easy_setopt(r->easy, CURLOPT_FRESH_CONNECT, tls || ask->keep ? 0L : 1L);
	curl_easy_setopt(r->easy, CURLOPT_FORBID_REUSE, tls || ask->keep ? 0L : 1L);
	return r;
}
