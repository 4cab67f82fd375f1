/*
 * net_tls.c - non-blocking TLS connections; see net_tls.h. Runs in vrrpd-agent under net_resp.c.
 *
 * libcurl makes the connection (CURLOPT_CONNECT_ONLY: TCP and the TLS handshake, then it keeps out) and carries
 * the octets (curl_easy_send, curl_easy_recv); nobody else here sees it. The handle stays in its multi handle
 * as long as the connection is used: that owns the connection. Nothing comes from the environment: no proxy, no
 * name of a server, no question for a pass phrase on the terminal.
 */
#include "agent/net_tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "agent/agent_util.h"
#include "base/strbuf.h"

/* The longest TLS record: then none is left half read in the library, where no poll() would see it. */
#define READ_SIZE      16384
#define READS_PER_TURN 4

struct net_tls {
	struct loop *loop;
	net_conn_fn *fn;
	void *arg;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *connect_to;
	struct loop_io *io;
	struct loop_timer *timer;
	int fd; /* of io */
	bool connected, finished;
	bool in_call; /* the user's function runs: freeing waits for its return */
	bool closed;  /* by the user */
	size_t out_len;
	char out[NET_TLS_OUT_MAX]; /* stays in place: OpenSSL wants a write to be repeated from the same memory
				    */
	char error[CURL_ERROR_SIZE];
};

/* Let go of the connection and of what watches it. */
static void
release(struct net_tls *t)
{
	if (t->easy != NULL)
		curl_multi_remove_handle(t->multi, t->easy);
	curl_easy_cleanup(TAKE(t->easy));
	curl_multi_cleanup(TAKE(t->multi));
	curl_slist_free_all(TAKE(t->connect_to));
	loop_io_del(TAKE(t->io));
	loop_timer_del(TAKE(t->timer));
	explicit_bzero(t->out, sizeof(t->out));
}

/* Tell the user. False when the connection is gone afterwards. */
static bool
tell(struct net_tls *t, enum net_event ev, const char *data, size_t n)
{
	t->in_call = true;
	t->fn(t->arg, ev, data, n);
	t->in_call = false;
	if (!t->closed)
		return true;
	release(t);
	free(t);
	return false;
}

/* The last event, with what libcurl says about an error. */
static void
finish(struct net_tls *t, CURLcode code)
{
	const char *text = NULL;
	long err = 0;

	if (code != CURLE_OK) {
		(void)curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &err);
		if (code == CURLE_COULDNT_CONNECT && err != 0)
			str_copy(t->error, sizeof(t->error), strerror((int)err));
		for (char *p = t->error; *p != '\0'; p++)
			if (*p == '\n')
				*p = ' ';
		text = t->error[0] != '\0' ? t->error : curl_easy_strerror(code);
	}
	t->finished = true;
	release(t);
	(void)tell(t, NET_CLOSED, text, text != NULL ? strlen(text) : 0);
}

/* Send what waits. */
static CURLcode
flush_out(struct net_tls *t)
{
	while (t->connected && t->out_len > 0) {
		size_t n = 0;
		CURLcode code = curl_easy_send(t->easy, t->out, t->out_len, &n);

		if (code != CURLE_OK)
			return code == CURLE_AGAIN ? CURLE_OK : code;
		t->out_len -= n;
		memmove(t->out, t->out + n, t->out_len);
	}
	return CURLE_OK;
}

static void
read_on(struct net_tls *t)
{
	char buf[READ_SIZE];

	for (unsigned i = 0; i < READS_PER_TURN; i++) {
		size_t n = 0;
		CURLcode code = curl_easy_recv(t->easy, buf, sizeof(buf), &n);

		if (code == CURLE_AGAIN)
			return;
		if (code != CURLE_OK || n == 0) {
			finish(t, code);
			return;
		}
		if (!tell(t, NET_DATA, buf, n) || t->finished)
			return;
	}
}

static void on_ready(void *arg, int fd, bool readable, bool writable);

static void
watch(struct net_tls *t, int fd, bool read, bool write)
{
	if (t->io == NULL || t->fd != fd) {
		loop_io_del(t->io);
		t->io = loop_io_add(t->loop, fd, on_ready, t);
		t->fd = fd;
	}
	loop_io_want(t->io, read, write);
}

/* Connecting has ended, well or not. */
static void
take_result(struct net_tls *t, CURLcode code)
{
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (code == CURLE_OK)
		code = curl_easy_getinfo(t->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (code != CURLE_OK || fd == CURL_SOCKET_BAD) {
		finish(t, code != CURLE_OK ? code : CURLE_COULDNT_CONNECT);
		return;
	}
	t->connected = true;
	loop_timer_set(t->timer, MONO_NEVER);
	code = flush_out(t);
	if (code != CURLE_OK) {
		finish(t, code);
		return;
	}
	watch(t, fd, true, t->out_len > 0);
	(void)tell(t, NET_CONNECTED, NULL, 0);
}

/* Let libcurl go on with connecting. */
static void
go_on(struct net_tls *t, curl_socket_t fd, int events)
{
	int running, left;
	CURLMsg *msg;

	(void)curl_multi_socket_action(t->multi, fd, events, &running);
	msg = curl_multi_info_read(t->multi, &left);
	if (msg != NULL && msg->msg == CURLMSG_DONE)
		take_result(t, msg->data.result);
}

static void
on_ready(void *arg, int fd, bool readable, bool writable)
{
	struct net_tls *t = arg;
	CURLcode code;

	if (!t->connected) {
		go_on(t, fd, (readable ? CURL_CSELECT_IN : 0) | (writable ? CURL_CSELECT_OUT : 0));
		return;
	}
	code = flush_out(t);
	if (code != CURLE_OK) {
		finish(t, code);
		return;
	}
	loop_io_want(t->io, true, t->out_len > 0);
	if (readable)
		read_on(t);
}

static void
on_timer(void *arg, mono_t now)
{
	(void)now;
	go_on(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl wants a descriptor watched. There is one at a time: no names, so one address. */
static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *fd_arg)
{
	struct net_tls *t = arg;

	(void)easy;
	(void)fd_arg;
	if (what != CURL_POLL_REMOVE)
		watch(t, fd, what != CURL_POLL_OUT, what != CURL_POLL_IN);
	else if (t->io != NULL && t->fd == fd)
		loop_io_del(TAKE(t->io));
	return 0;
}

static int
want_timer(CURLM *multi, long ms, void *arg)
{
	struct net_tls *t = arg;

	(void)multi;
	if (t->timer != NULL)
		loop_timer_set(t->timer,
			       ms < 0 ? MONO_NEVER : mono_add(loop_now(t->loop), (usec_t)ms * USEC_PER_MS));
	return 0;
}

static void
set_trust(CURL *e, const struct net_tls_conf *conf)
{
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, conf->verify ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, conf->verify ? 2L : 0L);
	if (conf->ca != NULL) {
		curl_easy_setopt(e, CURLOPT_CAINFO, conf->ca);
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL); /* else the system's are trusted as well */
	}
	if (conf->cert != NULL)
		curl_easy_setopt(e, CURLOPT_SSLCERT, conf->cert);
	if (conf->key_pem != NULL) {
		struct curl_blob key = {.len = strlen(conf->key_pem), .flags = CURL_BLOB_NOCOPY};

		memcpy(&key.data, &conf->key_pem, sizeof(key.data)); /* it is not written to */
		curl_easy_setopt(e, CURLOPT_SSLKEY_BLOB, &key);
	}
	/* A key with a pass phrase fails, instead of asking for it on the terminal and waiting. */
	curl_easy_setopt(e, CURLOPT_KEYPASSWD, "");
}

/* The URL names who must answer, connect_to where. */
static void
set_target(struct net_tls *t, const char *endpoint, const char *server_name)
{
	char url[512], to[512];
	bool bare6 = server_name != NULL && strchr(server_name, ':') != NULL && server_name[0] != '[';

	if (server_name != NULL)
		snprintf(url, sizeof(url), bare6 ? "https://[%s]:1/" : "https://%s:1/", server_name);
	else
		snprintf(url, sizeof(url), "https://%s/", endpoint);
	snprintf(to, sizeof(to), "::%s", endpoint);
	t->connect_to = curl_slist_append(NULL, to);
	ASSERT(t->connect_to != NULL);
	curl_easy_setopt(t->easy, CURLOPT_URL, url);
	curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to);
}

struct net_tls *
net_tls_open(struct loop *l, const char *endpoint, const struct net_tls_conf *conf, net_conn_fn *fn, void *arg)
{
	struct net_tls *t = agent_alloc(1, sizeof(*t));

	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	t->timer = loop_timer_add(l, on_timer, t);
	t->multi = curl_multi_init();
	t->easy = curl_easy_init();
	ASSERT(t->multi != NULL && t->easy != NULL);
	curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
	curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(t->easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
	curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
	set_target(t, endpoint, conf->server_name);
	set_trust(t->easy, conf);
	/* It asks for a timer that is due at once: connecting begins in the loop. */
	ASSERT(curl_multi_add_handle(t->multi, t->easy) == CURLM_OK);
	return t;
}

void
net_tls_send(struct net_tls *t, const void *data, size_t n)
{
	if (t->finished)
		return;
	ASSERT(n <= sizeof(t->out) - t->out_len);
	memcpy(t->out + t->out_len, data, n);
	t->out_len += n;
	/* An error shows itself on reading. */
	(void)flush_out(t);
	if (t->connected && t->io != NULL)
		loop_io_want(t->io, true, t->out_len > 0);
}

void
net_tls_close(struct net_tls *t)
{
	if (t == NULL)
		return;
	t->closed = true;
	if (t->in_call)
		return;
	release(t);
	free(t);
}
