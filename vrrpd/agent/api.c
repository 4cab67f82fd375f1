/*
 * api.c - the status API: requests, documents, replies; see api.h.
 *
 * Runs in vrrpd-agent on libevent's HTTP server, which only this file, api_conn.c and api_events.c know. A request
 * either is answered at once or waits for a snapshot that was asked for after it came. Documents are made once per
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
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "agent/agent.h"
#include "agent/agent_util.h"
#include "agent/api_int.h"
#include "base/strbuf.h"
#include "sys/log.h"

#define API_CONFIG_MAX (16 * 1024 * 1024)

/* ---- documents and replies ------------------------------------------------------------------- */

struct api_text *
api_text_new(struct api *api, const char *type, char *data, size_t len)
{
	struct api_text *t = agent_alloc(1, sizeof(*t));

	*t = (struct api_text){.api = api, .refs = 1, .type = type, .data = data, .len = len};
	api->text_octets += len;
	return t;
}

void
api_text_unref(struct api_text *t)
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
	api_text_unref(arg);
}

void
api_text_append(struct api_text *t, struct evbuffer *to)
{
	t->refs++;
	ASSERT(evbuffer_add_reference(to, t->data, t->len, text_sent, t) == 0);
}

void
api_req_free(struct api_req *r)
{
	free(r->lines.data);
	free(r);
}

void
api_on_sent(struct evhttp_request *http, void *arg)
{
	(void)http;
	api_conn_set(arg, API_CONN_IDLE);
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
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	if (evhttp_request_get_command(r->http) != EVHTTP_REQ_HEAD && t->len > 0)
		api_text_append(t, body);
	evhttp_request_set_on_complete_cb(r->http, api_on_sent, r->conn);
	r->conn->req = NULL;
	api_conn_set(r->conn, API_CONN_SENDING);
	evhttp_send_reply(r->http, code, NULL, body); /* NULL: the usual phrase for the code */
	evbuffer_free(body);
	api_req_free(r);
}

void
api_reply_json(struct api_req *r, int code, struct json_out *j)
{
	size_t len;
	char *data = json_out_take(j, &len);
	struct api_text *t = api_text_new(r->api, API_TYPE_JSON, data, len);

	reply(r, code, t);
	api_text_unref(t);
}

void
api_add_header(struct api_req *r, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(r->http), name, value);
}

void
api_reply_html(struct api_req *r, char *data, size_t len)
{
	struct api_text *t = api_text_new(r->api, API_TYPE_HTML, data, len);

	api_conn_make_room(r->api);
	reply(r, 200, t);
	api_text_unref(t);
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
status_text(const struct agent *a, const struct snap *s, bool counters, size_t *ret_len)
{
	struct json_out j;

	json_out_init(&j);
	api_status_json(&j, a, s, counters);
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
		api_text_unref(TAKE(*text));
		data = metrics ? api_metrics_text(api->a, s, &len)
			       : status_text(api->a, s, which == API_SHARED_STATUS, &len);
		*text = api_text_new(api, metrics ? API_TYPE_METRICS : API_TYPE_JSON, data, len);
		api->shared[which].token = s->token;
		api_conn_make_room(api);
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

void
api_on_request(struct evhttp_request *http, void *arg)
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
	r->conn = api_conn_of(api, http);
	r->conn->req = r;
	api_conn_set(r->conn, API_CONN_WORKING);
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
	} else if (r->route->write && !api_peer_allowed(r)) {
		return;
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
			return "it is there twice";
		q[i].given = true;
		return str_copy(q[i].value, sizeof(q[i].value), kv->value) ? NULL : "the value is too long";
	}
	return "it is not understood here";
}

/* The same with what is understood. */
static void
reply_bad_query(struct api_req *r, const char *key, const char *wrong, const struct api_query *q, unsigned n)
{
	char known[LIMIT_CAUSE_TEXT] = "";
	struct strbuf b;

	strbuf_init(&b, known, sizeof(known));
	for (unsigned i = 0; i < n; i++)
		strbuf_addf(&b, "%s%s", i == 0 ? "" : i + 1 == n ? " and " : ", ", q[i].key);
	api_reply_error(r, 400, "bad query", "%.40s: %s: %s%s", key, wrong, n > 0 ? "the query takes " : "there is no query here",
			known);
}

bool
api_query_read(struct api_req *r, struct api_query *q, unsigned n)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(r->http);
	const char *text = uri != NULL ? evhttp_uri_get_query(uri) : NULL, *wrong = NULL;
	struct evkeyvalq all = {0};
	struct evkeyval *kv;

	if (text == NULL || *text == '\0')
		return true;
	TAILQ_INIT(&all);
	if (evhttp_parse_query_str(text, &all) < 0) {
		api_reply_error(r, 400, "bad query", "\"%.80s\" is not KEY=VALUE&KEY=VALUE", text);
		return false;
	}
	TAILQ_FOREACH (kv, &all, next) {
		wrong = take_query(q, n, kv);
		if (wrong == NULL)
			continue;
		reply_bad_query(r, kv->key, wrong, q, n);
		break;
	}
	evhttp_clear_headers(&all);
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

	api_conn_patient(r->conn, true);
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

/* Those that libevent has already cut off from their connection are ours to free. */
void
api_drop_request(struct api_req *r)
{
	TAILQ_REMOVE(&r->api->waiting, r, link);
	if (r->waits == API_WAIT_SNAP)
		snaps_cancel(r->api->a->snaps, &r->wait);
	if (evhttp_request_get_connection(r->http) == NULL)
		evhttp_request_free(r->http);
	api_req_free(r);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct api *
api_new(struct agent *a)
{
	struct api *api = agent_alloc(1, sizeof(*api));

	api->a = a;
	TAILQ_INIT(&api->waiting);
	api->timer = loop_timer_add(a->loop, on_deadline, api);
	api->next_token = (uint32_t)loop_now(a->loop).us; /* an answer to the agent before us fits nobody */
	api_conn_open(api);
	api_events_open(api);
	return api;
}

void
api_stop(struct api *api)
{
	api_conn_close(api);
	api_events_close(api);
	ASSERT(TAILQ_EMPTY(&api->waiting));
	for (unsigned i = 0; i < API_SHARED_COUNT; i++)
		api_text_unref(api->shared[i].text);
	api_text_unref(api->config);
	loop_timer_del(api->timer);
}

void
api_free(struct api *api)
{
	free(api);
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
	api_text_unref(TAKE(api->config));
	api->config = api_text_new(api, API_TYPE_TEXT, data, size);
	return 0;
}
