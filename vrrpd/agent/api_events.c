/*
 * api_events.c - GET /v1/events: kept transitions as NDJSON, and those that happen while somebody follows.
 *
 * Runs in vrrpd-agent under api.c. An answer is sent in parts, the next one when the one before has gone out: who reads
 * slowly gets everything at his pace, and what waits for him waits in the ring, once for all. A follower that takes
 * nothing is cut off.
 */
#include "agent/api_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include "agent/agent.h"
#include "agent/agent_util.h"
#include "base/strbuf.h"
#include "sys/log.h"

#define FOLLOWERS_MAX 64
#define FOLLOWERS_TCP 48 /* of them on the listener: some places are left for the operator */
#define PART_OCTETS   (32 * 1024)	    /* of one part, and an event more */
#define BEHIND_OCTETS (256 * 1024)	    /* that may wait for a follower who takes nothing */
#define EVENT_OCTETS  256		    /* at least, of most events */
#define STUCK_US      (2 * USEC_PER_SEC) /* this long nothing was taken */

/* An answer under way. */
struct api_stream {
	TAILQ_ENTRY(api_stream) link;
	struct api *api;
	struct api_conn *conn;
	struct evhttp_request *http;
	bool follow;
	bool sending;	 /* a part is on its way */
	uint64_t after;	 /* number of the last event that was handed out */
	uint64_t until;	 /* and of the last that is wanted */
	size_t unsent;	 /* octets of the part that were still here at the last look */
	mono_t progress; /* when they last became fewer */
};

/* What was asked for. */
struct query {
	uint64_t n, since; /* n UINT64_MAX: all */
	bool follow;
};

/* ---- the query -------------------------------------------------------------------------------------- */

/* A plain decimal number. */
static bool
parse_number(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (*text < '0' || *text > '9' || digit > max || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*ret = v;
	return true;
}

/* False: the request is answered. */
static bool
parse_query(struct api_req *r, struct query *ret)
{
	struct api_query q[] = {{.key = "n"}, {.key = "since"}, {.key = "follow"}};
	const char *wrong = NULL;
	uint64_t follow = 0;

	*ret = (struct query){.n = UINT64_MAX};
	if (!api_query_read(r, q, ARRAY_SIZE(q)))
		return false;
	if (q[0].given && !parse_number(q[0].value, LIMIT_EVENTS, &ret->n))
		wrong = "n takes a number from 0 to 100000";
	else if (q[1].given && !parse_number(q[1].value, INT64_MAX, &ret->since))
		wrong = "since takes the number (seq) of an event";
	else if (q[2].given && !parse_number(q[2].value, 1, &follow))
		wrong = "follow takes 1 or 0";
	ret->follow = follow == 1;
	if (wrong != NULL)
		api_reply_error(r, 400, "bad query", "%s", wrong);
	return wrong == NULL;
}

/* ---- documents --------------------------------------------------------------------------------------- */

static void
put_figures(struct json_out *j, const struct role_cause *c)
{
	struct role_figure f[ROLE_FIGURES_MAX];
	char addr[IP_ADDR_TEXT];
	unsigned n = role_cause_figures(c, addr, f);

	json_out_open(j, "figures", '{');
	for (unsigned i = 0; i < n; i++)
		if (f[i].text != NULL)
			json_out_text(j, f[i].key, f[i].text);
		else
			json_out_uint(j, f[i].key, f[i].number);
	json_out_close(j, '}');
}

/* One event as a line. */
static void
put_event(struct evbuffer *out, const struct ipc_events_entry *e)
{
	time_t sec = (time_t)(e->wall_us / USEC_PER_SEC);
	char text[LIMIT_CAUSE_TEXT], *line;
	struct json_out j;
	struct tm tm;
	size_t len;

	gmtime_r(&sec, &tm);
	json_out_init(&j);
	json_out_open(&j, NULL, '{');
	json_out_uint(&j, "seq", e->seq);
	json_out_textf(&j, "time", "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		       tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(e->wall_us % USEC_PER_SEC / USEC_PER_MS));
	json_out_text(&j, "instance", e->instance);
	json_out_text(&j, "from", role_state_name(e->from));
	json_out_text(&j, "to", role_state_name(e->to));
	json_out_text(&j, "reason", role_reason_label(e->cause.reason));
	json_out_text(&j, "text", role_cause_text(&e->cause, text, sizeof(text)));
	json_out_uint(&j, "priority", e->priority);
	put_figures(&j, &e->cause);
	json_out_close(&j, '}');
	line = json_out_take(&j, &len); /* ends with a newline */
	ASSERT(evbuffer_add(out, line, len) == 0);
	free(line);
}

/* The events later than `after`, up to `until`, as many as make a part. There is at least one. */
static void
make_chunk(struct api *api, uint64_t after, uint64_t until)
{
	const struct events *ev = api->a->events;
	struct evbuffer *out = evbuffer_new();
	size_t len;
	char *data;

	ASSERT(out != NULL);
	for (uint32_t i = events_after(ev, after);
	     i < events_count(ev) && events_get(ev, i)->seq <= until && evbuffer_get_length(out) < PART_OCTETS; i++) {
		put_event(out, events_get(ev, i));
		api->chunk.last = events_get(ev, i)->seq;
	}
	len = evbuffer_get_length(out);
	data = agent_alloc(len, 1);
	(void)evbuffer_remove(out, data, len);
	evbuffer_free(out);
	api_text_unref(TAKE(api->chunk.text));
	api->chunk.text = api_text_new(api, API_TYPE_EVENTS, data, len);
	api->chunk.after = after;
}

/* ---- streams ------------------------------------------------------------------------------------------ */

void
api_stream_free(struct api_stream *s)
{
	TAILQ_REMOVE(&s->api->streams, s, link);
	s->api->n_followers -= s->follow;
	s->conn->stream = NULL;
	s->conn->follows = false;
	/* One that libevent has already cut off from its connection is ours to free. */
	if (evhttp_request_get_connection(s->http) == NULL)
		evhttp_request_free(s->http);
	free(s);
}

/* All of it has been handed out. */
static void
end_stream(struct api_stream *s)
{
	struct evhttp_request *http = s->http;
	struct api_conn *c = s->conn;

	api_stream_free(s);
	evhttp_request_set_on_complete_cb(http, api_on_sent, c);
	evhttp_send_reply_end(http);
}

/* Is there an event for it? False, too, when it was cut off, because the ring has gone over what it has not got yet. */
static bool
has_next(struct api_stream *s)
{
	const struct events *ev = s->api->a->events;
	uint32_t i = events_after(ev, s->after);

	if (i == events_count(ev) || events_get(ev, i)->seq > s->until)
		return false;
	if (i > 0 || !s->follow || events_get(ev, i)->seq == s->after + 1)
		return true;
	log_info("status API: a follower of events fell behind by more than are kept (control.events): cut off");
	api_conn_cut(s->conn);
	return false;
}

static void on_part_sent(struct evhttp_connection *con, void *arg);

static void
send_part(struct api_stream *s)
{
	struct api *api = s->api;
	struct evbuffer *out = evbuffer_new();

	ASSERT(out != NULL);
	if (api->chunk.text == NULL || api->chunk.after != s->after || api->chunk.last > s->until)
		make_chunk(api, s->after, s->until);
	api_text_append(api->chunk.text, out);
	s->after = api->chunk.last;
	s->sending = true;
	s->unsent = api->chunk.text->len;
	s->progress = loop_now(api->a->loop);
	evhttp_send_reply_chunk_with_cb(s->http, out, on_part_sent, s);
	evbuffer_free(out);
}

static void
go_on(struct api_stream *s)
{
	bool follow = s->follow;

	if (s->sending)
		return;
	if (has_next(s))
		send_part(s);
	else if (!follow)
		end_stream(s);
}

static void
on_part_sent(struct evhttp_connection *con, void *arg)
{
	struct api_stream *s = arg;

	(void)con;
	s->sending = false;
	go_on(s);
}

/* An events_fn. */
static void
on_event(void *arg)
{
	struct api *api = arg;
	struct api_stream *s, *next;

	for (s = TAILQ_FIRST(&api->streams); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->follow)
			go_on(s);
	}
}

static size_t
waiting_octets(const struct api_stream *s)
{
	const struct events *ev = s->api->a->events;

	return s->unsent + (size_t)(events_count(ev) - events_after(ev, s->after)) * EVENT_OCTETS;
}

void
api_events_tick(struct api *api, mono_t now)
{
	struct api_stream *s, *next;

	for (s = TAILQ_FIRST(&api->streams); s != NULL; s = next) {
		struct bufferevent *bev = evhttp_connection_get_bufferevent(s->conn->http);
		size_t left = evbuffer_get_length(bufferevent_get_output(bev));

		next = TAILQ_NEXT(s, link);
		if (left < s->unsent)
			s->progress = now;
		s->unsent = left;
		/* While so much lies unread, nobody would notice that he has gone. */
		if (s->follow && evbuffer_get_length(bufferevent_get_input(bev)) >= API_AHEAD_MAX) {
			api_conn_cut(s->conn);
			continue;
		}
		if (!s->sending || !s->follow || mono_since(now, s->progress) < STUCK_US ||
		    waiting_octets(s) <= BEHIND_OCTETS)
			continue;
		log_info("status API: a follower of events does not read: cut off");
		api_conn_cut(s->conn);
	}
}

/* Where to begin: after this number. */
static uint64_t
begin_after(const struct events *ev, const struct query *q)
{
	/* A number that was not given yet is from an earlier life of vrrpd: everything is later. */
	uint64_t after = q->since <= events_last(ev) ? q->since : 0;
	uint32_t i = events_after(ev, after), left = events_count(ev) - i;

	if (q->n == 0)
		return events_last(ev);
	if (q->n < left)
		i += left - (uint32_t)q->n;
	return i < events_count(ev) ? events_get(ev, i)->seq - 1 : events_last(ev);
}

void
api_events_begin(struct api_req *r)
{
	struct api *api = r->api;
	struct evkeyvalq *headers = evhttp_request_get_output_headers(r->http);
	bool head = evhttp_request_get_command(r->http) == EVHTTP_REQ_HEAD;
	struct api_stream *s;
	struct query q;

	if (!parse_query(r, &q))
		return;
	q.follow = q.follow && !head;
	if (q.follow && api->n_followers >= (r->conn->port->control ? FOLLOWERS_MAX : FOLLOWERS_TCP)) {
		api_reply_error(r, 503, "busy", "%u clients follow the events, and no more may here: try again later",
				api->n_followers);
		return;
	}
	s = agent_alloc(1, sizeof(*s));
	*s = (struct api_stream){.api = api, .conn = r->conn, .http = r->http, .follow = q.follow};
	s->after = begin_after(api->a->events, &q);
	s->until = head ? 0 : q.follow ? UINT64_MAX : events_last(api->a->events);
	TAILQ_INSERT_TAIL(&api->streams, s, link);
	api->n_followers += s->follow;
	r->conn->req = NULL;
	r->conn->stream = s;
	r->conn->follows = q.follow;
	api_conn_set(r->conn, API_CONN_SENDING);
	api_conn_patient(r->conn, true);
	evhttp_add_header(headers, "Content-Type", API_TYPE_EVENTS);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	if (r->http->major == 1 && r->http->minor == 0) /* it knows no parts: the end is that of the connection */
		evhttp_add_header(headers, "Connection", "close");
	evhttp_send_reply_start(r->http, 200, NULL);
	api_req_free(r);
	go_on(s);
}

void
api_events_open(struct api *api)
{
	TAILQ_INIT(&api->streams);
	events_listen(api->a->events, on_event, api);
}

void
api_events_close(struct api *api)
{
	ASSERT(TAILQ_EMPTY(&api->streams));
	events_listen(api->a->events, NULL, NULL);
	api_text_unref(TAKE(api->chunk.text));
}
