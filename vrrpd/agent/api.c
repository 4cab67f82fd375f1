/*
 * api.c - the status API's server: routes, limits, replies; see api.h.
 *
 * Runs in vrrpd-agent on libevent's HTTP server; the only file of the agent that knows it. A request either is
 * answered at once or waits for a snapshot that was asked for after it came. Documents are made once per
 * snapshot, however many requests share it.
 */
#include "agent/api.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "agent/agent.h"
#include "agent/agent_util.h"
#include "agent/api_int.h"
#include "base/strbuf.h"
#include "sys/log.h"

#define API_HEADER_MAX	    8192	       /* octets of a request's head */
#define API_BODY_MAX	    (64 * 1024)	       /* octets of a request's body */
#define API_TIMEOUT_S	    10		       /* silence of a client, reading or writing */
#define API_CONNECTIONS_MAX 512		       /* on all sockets together */
#define API_TEXT_MAX	    (64 * 1024 * 1024) /* octets of documents that slow readers may hold back */
#define API_CONFIG_MAX	    (16 * 1024 * 1024)
#define API_METHODS                                                                                            \
	(EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |             \
	 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH)

#define TYPE_JSON    "application/json"
#define TYPE_TEXT    "text/plain; charset=utf-8"
#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"

/* A document that several replies share; freed with the last of them. */
struct api_text {
	struct api *api;
	unsigned refs;
	const char *type; /* Content-Type */
	size_t len;
	char *data;
};

/* A connection that libevent accepted and has not told us of yet. */
struct api_fresh {
	TAILQ_ENTRY(api_fresh) link;
	struct bufferevent *bev; /* with a reference of ours */
};

/* One of the two kinds of sockets. */
struct api_port {
	struct api *api;
	bool control;
	struct evhttp *http;
	struct evhttp_bound_socket *bound;
};

struct api {
	struct agent *a;
	struct api_port ports[2];
	unsigned n_connections;
	uint32_t next_token;	   /* of requests that wait for an answer of vrrpd or the engine */
	struct loop_timer *timer;  /* their deadlines */
	struct event *settle;	    /* look at fresh connections */
	struct event *accept_again; /* after a failed accept */
	TAILQ_HEAD(, api_fresh) fresh;
	TAILQ_HEAD(, api_req) waiting;
	size_t text_octets;	 /* in all documents that are alive */
	struct api_text *config; /* NULL before it came */
	struct {
		uint32_t token; /* of the snapshot it was made from */
		struct api_text *text;
	} shared[API_SHARED_COUNT];
};

/* The one of this process: libevent calls on_accept_error() without an argument of ours. */
static struct api *accepting;

/* ---- documents and replies ------------------------------------------------------------------- */

/* Take over `data` (malloc'd); the caller has one reference. */
static struct api_text *
text_new(struct api *api, const char *type, char *data, size_t len)
{
	struct api_text *t = agent_alloc(1, sizeof(*t));

	*t = (struct api_text){.api = api, .refs = 1, .type = type, .data = data, .len = len};
	api->text_octets += len;
	return t;
}

static void
text_unref(struct api_text *t)
{
	if (t == NULL || --t->refs > 0)
		return;
	t->api->text_octets -= t->len;
	free(t->data);
	free(t);
}

static void
text_sent(const void *data, size_t len, void *arg)
{
	(void)data;
	(void)len;
	text_unref(arg);
}

static void
free_request(struct api_req *r)
{
	free(r->lines.data);
	free(r);
}

/* Answer and forget the request. The caller keeps its own reference to the text. */
static void
reply(struct api_req *r, int code, struct api_text *t)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(r->http);
	struct evbuffer *body = evbuffer_new();
	char len[24];

	ASSERT(body != NULL);
	snprintf(len, sizeof(len), "%zu", t->len);
	evhttp_add_header(headers, "Content-Type", t->type);
	evhttp_add_header(headers, "Content-Length", len);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	if (evhttp_request_get_command(r->http) != EVHTTP_REQ_HEAD && t->len > 0) {
		t->refs++;
		ASSERT(evbuffer_add_reference(body, t->data, t->len, text_sent, t) == 0);
	}
	evhttp_send_reply(r->http, code, NULL, body); /* NULL: the usual phrase for the code */
	evbuffer_free(body);
	free_request(r);
}

void
api_reply_json(struct api_req *r, int code, struct json_out *j)
{
	size_t len;
	char *data = json_out_take(j, &len);
	struct api_text *t = text_new(r->api, TYPE_JSON, data, len);

	reply(r, code, t);
	text_unref(t);
}

void
api_reply_error(struct api_req *r, int code, const char *error, const char *fmt, ...)
{
	char detail[LIMIT_LOG_TEXT];
	struct json_out j;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	json_out_init(&j);
	json_out_open(&j, NULL, '{');
	json_out_text(&j, "error", error);
	json_out_text(&j, "detail", detail);
	json_out_close(&j, '}');
	api_reply_json(r, code, &j);
}

static char *
status_text(const struct agent *a, const struct snap *s, size_t *ret_len)
{
	struct json_out j;

	json_out_init(&j);
	api_status_json(&j, a, s);
	return json_out_take(&j, ret_len);
}

void
api_reply_shared(struct api_req *r, enum api_shared which, const struct snap *s)
{
	struct api *api = r->api;
	struct api_text **text = &api->shared[which].text;
	bool metrics = which == API_SHARED_METRICS;
	char *data;
	size_t len;

	if (*text == NULL || api->shared[which].token != s->token) {
		text_unref(TAKE(*text));
		if (api->text_octets > API_TEXT_MAX) {
			api_reply_error(r, 503, "busy", "too many answers wait for slow readers");
			return;
		}
		data = metrics ? api_metrics_text(api->a, s, &len) : status_text(api->a, s, &len);
		*text = text_new(api, metrics ? TYPE_METRICS : TYPE_JSON, data, len);
		api->shared[which].token = s->token;
	}
	reply(r, 200, *text);
}

void
api_reply_config(struct api_req *r)
{
	if (r->api->config == NULL)
		api_reply_error(r, 503, "not yet", "vrrpd has not handed over the configuration's text yet");
	else
		reply(r, 200, r->api->config);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* A snap_done_fn. */
static void
on_snap(struct snap_waiter *w, const struct snap *s, const char *why)
{
	struct api_req *r = (struct api_req *)w;

	TAILQ_REMOVE(&r->api->waiting, r, link);
	if (s == NULL)
		api_reply_error(r, 503, "engine does not answer", "%s", why);
	else
		r->route->handle(r, s);
}

static enum api_method
method_of(struct evhttp_request *http)
{
	enum evhttp_cmd_type type = evhttp_request_get_command(http);

	if (type == EVHTTP_REQ_GET || type == EVHTTP_REQ_HEAD)
		return API_METHOD_GET;
	return type == EVHTTP_REQ_POST ? API_METHOD_POST : API_METHOD_OTHER;
}

static void
on_request(struct evhttp_request *http, void *arg)
{
	const struct api_port *port = arg;
	struct api *api = port->api;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(http);
	const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
	struct api_req *r = agent_alloc(1, sizeof(*r));
	const char *allow;

	r->api = api;
	r->agent = api->a;
	r->http = http;
	if (path == NULL)
		path = "";
	r->route = api_route_find(method_of(http), path, r->segment, &allow);
	if (r->route == NULL && allow == NULL) {
		api_reply_error(r, 404, "not found", "there is nothing at %s", path);
	} else if (r->route == NULL) {
		evhttp_add_header(evhttp_request_get_output_headers(http), "Allow", allow);
		api_reply_error(r, 405, "method not allowed", "%s takes %s only", path, allow);
	} else if (r->route->write && !port->control) {
		api_reply_error(r, 403, "read-only", "this listener is read-only; use the Unix socket");
	} else if (!r->route->snap) {
		r->route->handle(r, NULL);
	} else {
		TAILQ_INSERT_TAIL(&api->waiting, r, link);
		snaps_wait(api->a->snaps, &r->wait, on_snap);
	}
}

/* What is wrong with a key and its value, or NULL. */
static const char *
take_query(struct api_query *q, unsigned n, const struct evkeyval *kv)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(kv->key, q[i].key) != 0)
			continue;
		if (q[i].given)
			return "is given twice";
		q[i].given = true;
		return str_copy(q[i].value, sizeof(q[i].value), kv->value) ? NULL : "is too long";
	}
	return "is not understood here";
}

bool
api_query_read(struct api_req *r, struct api_query *q, unsigned n)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(r->http);
	const char *text = uri != NULL ? evhttp_uri_get_query(uri) : NULL, *wrong = NULL;
	char key[API_QUERY_MAX] = "";
	struct evkeyvalq all = {0};
	struct evkeyval *kv;

	if (text == NULL || *text == '\0')
		return true;
	TAILQ_INIT(&all);
	if (evhttp_parse_query_str(text, &all) < 0) {
		api_reply_error(r, 400, "wrong query", "what stands after \"?\" is no list of KEY=VALUE with \"&\" between");
		return false;
	}
	TAILQ_FOREACH (kv, &all, next) {
		wrong = wrong == NULL ? take_query(q, n, kv) : wrong;
		if (wrong != NULL && key[0] == '\0')
			(void)str_copy(key, sizeof(key), kv->key);
	}
	evhttp_clear_headers(&all);
	if (wrong != NULL)
		api_reply_error(r, 400, "wrong query", "\"%s\" %s", key, wrong);
	return wrong == NULL;
}

/* ---- requests that wait for an answer of vrrpd or the engine ----------------------------------- */

struct agent *
api_agent(const struct api_req *r)
{
	return r->api->a;
}

static void
arm_deadlines(struct api *api)
{
	mono_t next = MONO_NEVER;
	const struct api_req *r;

	TAILQ_FOREACH (r, &api->waiting, link)
		if (r->waits != API_WAIT_SNAP)
			next = mono_min(next, r->deadline);
	loop_timer_set(api->timer, next);
}

static void
on_deadline(void *arg, mono_t now)
{
	struct api *api = arg;
	struct api_req *r, *next;

	for (r = TAILQ_FIRST(&api->waiting); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		if (r->waits != API_WAIT_SNAP && mono_due(now, r->deadline))
			api_reply_error(api_unwait(r), 504, "no answer",
					"it was asked for, but no answer came in time: see vrrpctl status and the log");
	}
	arm_deadlines(api);
}

void
api_wait(struct api_req *r, enum api_wait what, usec_t limit)
{
	struct api *api = r->api;

	r->waits = (uint8_t)what;
	r->token = ++api->next_token;
	r->deadline = mono_add(loop_now(api->a->loop), limit);
	TAILQ_INSERT_TAIL(&api->waiting, r, link);
	arm_deadlines(api);
}

struct api_req *
api_unwait(struct api_req *r)
{
	TAILQ_REMOVE(&r->api->waiting, r, link);
	return r;
}

struct api_req *
api_find_waiting(struct api *api, enum api_wait what, uint32_t token)
{
	struct api_req *r;

	TAILQ_FOREACH (r, &api->waiting, link)
		if (r->waits == what && r->token == token)
			return r;
	return NULL;
}

struct api_req *
api_find_waiting_check(struct api *api, const char *name)
{
	struct api_req *r;

	TAILQ_FOREACH (r, &api->waiting, link)
		if (r->waits == API_WAIT_CHECK && strcmp(r->name, name) == 0)
			return r;
	return NULL;
}

/* ---- connections ----------------------------------------------------------------------------- */

/*
 * A connection is about to be freed. Its requests that wait are dropped; those that libevent has already cut
 * off from it are ours to free.
 */
static void
on_close(struct evhttp_connection *con, void *arg)
{
	struct api *api = arg;
	struct api_req *r, *next;

	api->n_connections--;
	for (r = TAILQ_FIRST(&api->waiting); r != NULL; r = next) {
		struct evhttp_connection *of = evhttp_request_get_connection(r->http);

		next = TAILQ_NEXT(r, link);
		if (of != con && of != NULL)
			continue;
		TAILQ_REMOVE(&api->waiting, r, link);
		if (r->waits == API_WAIT_SNAP)
			snaps_cancel(api->a->snaps, &r->wait);
		if (of == NULL)
			evhttp_request_free(r->http);
		free_request(r);
	}
}

/*
 * libevent 2.1 neither bounds its connections nor tells when it accepts one, but it asks for each one's
 * bufferevent just before. At that time there is no connection object yet; soon after, it is the argument of
 * the callbacks that libevent has set, and gets our close callback.
 */
static struct bufferevent *
on_accept(struct event_base *base, void *arg)
{
	struct api_port *port = arg;
	struct api_fresh *f = agent_alloc(1, sizeof(*f));

	f->bev = bufferevent_socket_new(base, -1, 0);
	ASSERT(f->bev != NULL);
	bufferevent_incref(f->bev);
	TAILQ_INSERT_TAIL(&port->api->fresh, f, link);
	port->api->n_connections++;
	event_active(port->api->settle, EV_TIMEOUT, 0);
	return f->bev;
}

static void
settle_one(struct api *api, struct bufferevent *bev)
{
	bufferevent_event_cb on_event = NULL;
	void *arg = NULL;

	bufferevent_getcb(bev, NULL, NULL, &on_event, &arg);
	if (on_event == NULL || arg == NULL || evhttp_connection_get_bufferevent(arg) != bev) {
		api->n_connections--; /* freed already */
		return;
	}
	evhttp_connection_set_closecb(arg, on_close, api);
	if (api->n_connections > API_CONNECTIONS_MAX)
		evhttp_connection_free(arg);
}

static void
on_settle(evutil_socket_t fd, short what, void *arg)
{
	struct api *api = arg;
	struct api_fresh *f;

	(void)fd;
	(void)what;
	while ((f = TAILQ_FIRST(&api->fresh)) != NULL) {
		TAILQ_REMOVE(&api->fresh, f, link);
		settle_one(api, f->bev);
		bufferevent_decref(f->bev);
		free(f);
	}
}

/* Out of descriptors or memory: without a pause the loop would do nothing else than fail to accept. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval pause = {.tv_usec = 100000};

	(void)arg; /* libevent's HTTP server put itself there */
	log_warning("status API: a connection could not be accepted: %s", strerror(errno));
	evconnlistener_disable(listener);
	event_add(accepting->accept_again, &pause);
}

static void
on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct api *api = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < ARRAY_SIZE(api->ports); i++)
		if (api->ports[i].bound != NULL)
			evconnlistener_enable(evhttp_bound_socket_get_listener(api->ports[i].bound));
}

/* libevent's own messages go to our log, or they would land on stderr. */
static void
on_libevent_log(int severity, const char *text)
{
	if (severity >= EVENT_LOG_ERR)
		log_error("libevent: %s", text);
	else if (severity == EVENT_LOG_WARN)
		log_warning("libevent: %s", text);
	else
		log_debug("libevent: %s", text);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct api *
api_new(struct agent *a)
{
	struct event_base *base = loop_event_base(a->loop);
	struct api *api = agent_alloc(1, sizeof(*api));

	event_set_log_callback(on_libevent_log);
	accepting = api;
	api->a = a;
	TAILQ_INIT(&api->fresh);
	TAILQ_INIT(&api->waiting);
	api->settle = event_new(base, -1, 0, on_settle, api);
	api->accept_again = evtimer_new(base, on_accept_again, api);
	api->timer = loop_timer_add(a->loop, on_deadline, api);
	api->next_token = (uint32_t)loop_now(a->loop).us; /* an answer to the agent before us fits nobody */
	ASSERT(api->settle != NULL);
	ASSERT(api->accept_again != NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(api->ports); i++) {
		struct api_port *port = &api->ports[i];

		*port = (struct api_port){.api = api, .control = i == 1, .http = evhttp_new(base)};
		ASSERT(port->http != NULL);
		evhttp_set_allowed_methods(port->http, API_METHODS);
		evhttp_set_max_headers_size(port->http, API_HEADER_MAX);
		evhttp_set_max_body_size(port->http, API_BODY_MAX);
		evhttp_set_timeout(port->http, API_TIMEOUT_S);
		evhttp_set_bevcb(port->http, on_accept, port);
		evhttp_set_gencb(port->http, on_request, port);
	}
	return api;
}

void
api_stop(struct api *api)
{
	on_settle(-1, 0, api);
	for (unsigned i = 0; i < ARRAY_SIZE(api->ports); i++)
		evhttp_free(api->ports[i].http);
	ASSERT(TAILQ_EMPTY(&api->waiting));
	for (unsigned i = 0; i < API_SHARED_COUNT; i++)
		text_unref(api->shared[i].text);
	text_unref(api->config);
	event_free(api->settle);
	event_free(api->accept_again);
	loop_timer_del(api->timer);
}

void
api_free(struct api *api)
{
	free(api);
}

int
api_listen(struct api *api, int fd, bool control)
{
	struct api_port *port = &api->ports[control];
	struct evhttp_bound_socket *bound;

	if (evutil_make_socket_nonblocking(fd) < 0 ||
	    (bound = evhttp_accept_socket_with_handle(port->http, fd)) == NULL) {
		close(fd);
		return -EINVAL;
	}
	evconnlistener_set_error_cb(evhttp_bound_socket_get_listener(bound), on_accept_error);
	/* libevent has done that, and says nothing when the kernel refused: then nobody would ever be answered. */
	if (evconnlistener_enable(evhttp_bound_socket_get_listener(bound)) < 0) {
		evhttp_del_accept_socket(port->http, bound);
		return -EINVAL;
	}
	if (port->bound != NULL)
		evhttp_del_accept_socket(port->http, port->bound);
	port->bound = bound;
	return 0;
}

/* All `size` octets of a file, or false. */
static bool
read_all(int fd, char *data, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t r = pread(fd, data + n, size - n, (off_t)n);

		if (r <= 0)
			return false;
		n += (size_t)r;
	}
	return true;
}

int
api_set_config(struct api *api, int fd, uint32_t size)
{
	char *data = size <= API_CONFIG_MAX ? agent_alloc(size, 1) : NULL;
	bool ok = data != NULL && read_all(fd, data, size);

	close(fd);
	if (!ok) {
		free(data);
		return -EIO;
	}
	text_unref(TAKE(api->config));
	api->config = text_new(api, TYPE_TEXT, data, size);
	return 0;
}
