/*
 * api_int.h - what the files of the status API share: routes, requests, replies, documents.
 */
#ifndef VRRPD_AGENT_API_INT_H
#define VRRPD_AGENT_API_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "agent/agent_snap.h"
#include "agent/json_out.h"
#include "base/macros.h"

struct agent;
struct agent_instance;
struct api;
struct api_req;
struct evhttp_request;

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
	const struct agent *agent;
	struct evhttp_request *http;
	const struct api_route *route;
	char segment[API_SEGMENT_MAX]; /* what "*" stood for, decoded */
};

/* ---- api.c: replies -------------------------------------------------------------------------- */

/* A finished JSON document, which becomes the reply's. */
void api_reply_json(struct api_req *r, int code, struct json_out *j);

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

/* A document that all requests of this snapshot share; it is made once. */
enum api_shared { API_SHARED_STATUS, API_SHARED_METRICS, API_SHARED_COUNT };
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

/* ---- api_status.c: JSON. Each writes one object. --------------------------------------------- */

/* All of /v1/status, and the object of one instance in it. */
void api_status_json(struct json_out *j, const struct agent *a, const struct snap *s);
void api_instance_json(struct json_out *j, const struct agent *a, const struct snap *s, uint32_t index);

/* {"events": [...]}, oldest first. */
void api_events_json(struct json_out *j, const struct agent *a);

/* Upper bounds of the buckets of lateness (ipc_msg.h); 0 = none. */
extern const uint64_t api_lateness_bounds_us[IPC_LATENESS_BUCKETS];

/* ---- api_metrics.c: Prometheus text, malloc'd ------------------------------------------------ */

char *api_metrics_text(const struct agent *a, const struct snap *s, size_t *ret_len);

#endif
