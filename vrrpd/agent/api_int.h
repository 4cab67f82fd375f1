/*
 * api_int.h - what the files of the status API share: routes, requests, replies, documents.
 */
#ifndef VRRPD_AGENT_API_INT_H
#define VRRPD_AGENT_API_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <event2/http.h>

#include "agent/agent_snap.h"
#include "agent/json_out.h"
#include "base/macros.h"
#include "ipc/ipc_msg.h"

struct agent;
struct agent_instance;
struct api;
struct api_req;
struct api_stream;

#define API_TIMEOUT_S	    10		       /* silence of a client, reading or writing */
#define API_REQUEST_US	    (10 * USEC_PER_SEC) /* from the answer before to the end of the next request */
#define API_AHEAD_MAX	    (16 * 1024)	       /* octets that a client may send ahead; more than a body */
#define API_TEXT_MAX	    (64 * 1024 * 1024) /* octets of documents that slow readers may hold back */
#define API_CONNECTIONS_MAX 1024	       /* on all sockets together */

#define API_TYPE_JSON	 "application/json"
#define API_TYPE_TEXT	 "text/plain; charset=utf-8"
#define API_TYPE_HTML	 "text/html; charset=utf-8"
#define API_TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"
#define API_TYPE_EVENTS  "application/x-ndjson"

#define API_SEGMENT_MAX 256 /* octets of the variable part of a path */

enum api_method { API_METHOD_GET /* and HEAD */, API_METHOD_POST, API_METHOD_OTHER };

/* A row of the table in api_routes.c. */
struct api_route {
	enum api_method method;
	const char *pattern; /* "*" stands for one segment */
	bool write;	     /* changes something: on the control socket only */
	bool snap;	     /* needs a snapshot */
	void (*handle)(struct api_req *r,
		       const struct snap *s); /* replies exactly once; s NULL without `snap` */
};

/* What a request waits for. */
enum api_wait { API_WAIT_SNAP, API_WAIT_CONTROL, API_WAIT_RELOAD, API_WAIT_CHECK };

/* A request in work; gone after the reply. */
struct api_req {
	struct snap_waiter wait; /* first: the waiter is the request */
	uint8_t waits;		 /* enum api_wait */
	uint8_t verb;		 /* CONTROL: enum ipc_control_verb */
	bool check;		 /* RELOAD: only what it would change */
	uint32_t token;		 /* CONTROL, RELOAD: comes back with the answer */
	usec_t for_us;		 /* CONTROL: how long it was asked for, 0 = until undone */
	mono_t deadline;	 /* CONTROL, RELOAD */
	char name[LIMIT_NAME];	 /* CONTROL: the instance; CHECK: the check */
	struct json_out lines;	 /* RELOAD: what vrrpd said, an array */
	TAILQ_ENTRY(api_req) link;
	struct api *api;
	struct api_conn *conn;
	const struct agent *agent;
	struct evhttp_request *http;
	const struct api_route *route;
	char segment[API_SEGMENT_MAX]; /* what "*" stood for, decoded */
};

/* What a connection is at. */
enum api_conn_state {
	API_CONN_IDLE,	  /* no request in work */
	API_CONN_WORKING, /* one waits for its answer */
	API_CONN_SENDING, /* the answer is on its way */
	API_CONN_STATE_COUNT
};

struct api_conn {
	TAILQ_ENTRY(api_conn) link; /* in its state's list */
	uint8_t state;
	bool patient; /* silence is no reason to cut it off now */
	bool follows; /* SENDING: it is sent events as they happen */
	int fd;
	mono_t since; /* in this state */
	struct api_port *port;
	struct evhttp_connection *http;
	struct api_req *req;	   /* WORKING: not answered yet */
	struct api_stream *stream; /* SENDING: events (api_events.c) */
};

/* One of the two kinds of sockets. */
struct api_port {
	struct api *api;
	bool control;
	bool has_group; /* members of it may change things; else only root and who runs vrrpd */
	gid_t gid;
	char group[LIMIT_NAME];
	struct evhttp *http;
	struct evhttp_bound_socket *bound;
};

/* A document that several replies share; freed with the last of them. */
struct api_text {
	struct api *api;
	unsigned refs;
	const char *type; /* Content-Type */
	size_t len;
	char *data;
};

/* A document that all requests of one snapshot share; it is made once. */
enum api_shared {
	API_SHARED_STATUS,
	API_SHARED_STATUS_BRIEF, /* without counters */
	API_SHARED_METRICS,
	API_SHARED_COUNT
};

TAILQ_HEAD(api_conns, api_conn);

struct api {
	struct agent *a;
	struct api_port ports[2];
	uint32_t next_token;	  /* of requests that wait for an answer of vrrpd or the engine */
	struct loop_timer *timer; /* their deadlines */
	TAILQ_HEAD(, api_req) waiting;
	size_t text_octets;	 /* in all documents that are alive */
	struct api_text *config; /* NULL before it came */
	struct {
		uint32_t token; /* of the snapshot it was made from */
		struct api_text *text;
	} shared[API_SHARED_COUNT];
	/* api_conn.c */
	unsigned n_connections, max_connections;
	struct api_conns conns[API_CONN_STATE_COUNT]; /* longest in the state first */
	struct api_conn **by_fd;
	size_t n_by_fd;
	TAILQ_HEAD(, api_fresh) fresh;
	struct event *settle;	    /* look at fresh connections */
	struct event *accept_again; /* after a failed accept */
	struct loop_timer *tick;    /* every second while there are connections */
	uid_t parent_uid;	    /* of vrrpd */
	mono_t refused;		    /* when it was last logged that somebody may not */
	/* api_events.c */
	TAILQ_HEAD(, api_stream) streams;
	unsigned n_followers;
	struct {
		uint64_t after, last; /* numbers: events later than `after`, up to `last` */
		struct api_text *text;
	} chunk; /* the part of the events that was sent last: others mostly want the same */
};

/* ---- api_conn.c: connections and their limits ----------------------------------------------------- */

void api_conn_open(struct api *api);  /* listens to nothing yet */
void api_conn_close(struct api *api); /* closes every connection */

/* The connection of a request that has just come. */
struct api_conn *api_conn_of(struct api *api, struct evhttp_request *http);

void api_conn_set(struct api_conn *c, enum api_conn_state state);

/* May its client be silent for longer than API_TIMEOUT_S, because it waits for us? */
void api_conn_patient(struct api_conn *c, bool patient);

/* Close a connection at once, whatever is on its way to it. */
void api_conn_cut(struct api_conn *c);

/* Cut off who has been reading longest, until documents take no more than API_TEXT_MAX. */
void api_conn_make_room(struct api *api);

/* ---- api_peer.c: who asks ------------------------------------------------------------------------- */

/* May the client of this request change something? True, and logged; or false, and the request is answered. */
bool api_peer_allowed(struct api_req *r);

/* The user at the other end of a Unix socket, or -1. */
uid_t api_peer_uid(int fd);

/* ---- api.c: replies -------------------------------------------------------------------------- */

/* A finished JSON document, which becomes the reply's. */
void api_reply_json(struct api_req *r, int code, struct json_out *j);

/* One more header of the reply; name and value are copied. Call it before the reply. */
void api_add_header(struct api_req *r, const char *name, const char *value);

/* A finished HTML document of len octets, malloc'd, which becomes the reply's. */
void api_reply_html(struct api_req *r, char *data, size_t len);

/* {"error": what is wrong in short, "detail": a sentence} */
void api_reply_error(struct api_req *r, int code, const char *error, const char *fmt, ...) PRINTF_LIKE(4, 5);

#define API_QUERY_MAX 64 /* octets of a value in the query of a URL, with the NUL */

/* What a route understands in its query. */
struct api_query {
	const char *key;
	bool given;
	char value[API_QUERY_MAX]; /* decoded */
};

/* Read the query into q[0..n-1]. False: it holds something else, and then the request is answered (400) and gone. */
bool api_query_read(struct api_req *r, struct api_query *q, unsigned n);

/* Wait for an answer under a new token (r->token), at most `limit`; then the request is answered with an error. */
void api_wait(struct api_req *r, enum api_wait what, usec_t limit);

/* It waits no longer; returns r. */
struct api_req *api_unwait(struct api_req *r);

/* Who waits for this, or NULL. */
struct api_req *api_find_waiting(struct api *api, enum api_wait what, uint32_t token);

/* The first who waits for a run of the check of this name, or NULL. */
struct api_req *api_find_waiting_check(struct api *api, const char *name);

struct agent *api_agent(const struct api_req *r);

/* Take over `data` (malloc'd) as a document; the caller has one reference. */
struct api_text *api_text_new(struct api *api, const char *type, char *data, size_t len);
void api_text_unref(struct api_text *t); /* NULL is fine */

/* Append it to a buffer, which gets a reference of its own. */
void api_text_append(struct api_text *t, struct evbuffer *to);

/* The request's answer has begun, or its connection is gone: forget it. */
void api_req_free(struct api_req *r);

/* An answer has gone out; now libevent waits for the next request, or closes. Its argument is the struct api_conn. */
void api_on_sent(struct evhttp_request *http, void *conn);

/* A request of one of the ports: evhttp's callback. */
void api_on_request(struct evhttp_request *http, void *port);

/* The connection of this request is closing. */
void api_drop_request(struct api_req *r);

void api_reply_shared(struct api_req *r, enum api_shared which, const struct snap *s);

/* The configuration's text. */
void api_reply_config(struct api_req *r);

/* ---- api_routes.c ---------------------------------------------------------------------------- */

/*
 * The route for a method and a path, with what "*" stands for in ret_segment (API_SEGMENT_MAX octets). NULL
 * when there is none; *ret_allow then names the methods that the path takes, or is NULL when the path does not
 * exist.
 */
const struct api_route *
api_route_find(enum api_method method, const char *path, char *ret_segment, const char **ret_allow);

/* The instance of the path; or NULL, and then the request is answered and gone. */
const struct agent_instance *api_instance_of(struct api_req *r);

/* ---- api_control.c: each begins a request; its answer comes later. ----------------------------- */

void api_control_begin(struct api_req *r, enum ipc_control_verb verb);
void api_reload_begin(struct api_req *r);
void api_check_begin(struct api_req *r);

/* ---- api_warnings.c: what is wrong, and what the documents share -------------------------------- */

/* Everything about one instance. */
struct api_view {
	const struct agent *a;
	const struct snap *s;
	const struct agent_instance *inst;
	const struct ipc_snap_instance *now;
};

struct api_view api_view_of(const struct agent *a, const struct snap *s, uint32_t index);

/* How long a time lay before the snapshot; how long it is still to come, UINT64_MAX: for ever, never. */
usec_t api_ago(const struct snap *s, uint64_t then_us);
usec_t api_left(const struct snap *s, uint64_t until_us);

/* Only VRRPv3 over IPv4 has two forms of the checksum. */
bool api_has_forms(const struct api_view *v);

/* Take one sentence, which is the caller's. */
typedef void api_say_fn(void *arg, const char *text);

/* Say each thing about the instance that its operator should look at. */
void api_warnings(const struct api_view *v, api_say_fn *say, void *arg);

/* ---- api_explain.c: GET /v1/instances/NAME/explain ---------------------------------------------- */

void api_explain_json(struct json_out *j, const struct api_view *v);
/* ---- api_events.c: NDJSON ------------------------------------------------------------------------- */

void api_events_open(struct api *api);
void api_events_close(struct api *api); /* after the connections */

/* Answer GET /v1/events. */
void api_events_begin(struct api_req *r);

/* The connection of this stream is closing. */
void api_stream_free(struct api_stream *s);

/* A second has passed: who does not read is cut off. */
void api_events_tick(struct api *api, mono_t now);

/* ---- api_status.c: JSON. Each writes one object. --------------------------------------------- */

/* All of /v1/status, and the object of one instance in it, with its counters or without. */
void api_status_json(struct json_out *j, const struct agent *a, const struct snap *s, bool counters);
void api_instance_json(struct json_out *j, const struct agent *a, const struct snap *s, uint32_t index, bool counters);

/* Upper bounds of the buckets of lateness (ipc_msg.h); 0 = none. */
extern const uint64_t api_lateness_bounds_us[IPC_LATENESS_BUCKETS];

/* ---- api_page.c: GET /, the status page; begins and ends the request. ------------------------- */

void api_page_get(struct api_req *r, const struct snap *s);

/* ---- api_metrics.c: Prometheus text, malloc'd ------------------------------------------------ */

char *api_metrics_text(const struct agent *a, const struct snap *s, size_t *ret_len);

#endif
