/*
 * api_conn.c - the status API's connections: accepted, bounded, timed, closed.
 *
 * Runs in vrrpd-agent under api.c. A connection is idle, or one request of it is in work, or its answer is on its way.
 * When there are too many the one that has been idle longest makes room, then the one that has been reading longest: the
 * next request is always answered. Documents that slow readers hold back are bounded the same way.
 *
 * libevent 2.1 neither bounds its connections nor tells when it accepts one, but it asks for each one's bufferevent just
 * before. At that time there is no connection object yet; soon after, it is the argument of the callbacks that libevent
 * has set, and gets our close callback.
 */
#include "agent/api_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "agent/agent.h"
#include "agent/agent_util.h"
#include "agent/api.h"
#include "base/strbuf.h"
#include "sys/log.h"

#define HEADER_MAX 8192	       /* octets of a request's head */
#define BODY_MAX   4096	       /* octets of a request's body, which says nothing */
#define METHODS                                                                                                \
	(EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |             \
	 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH)

/* A connection that libevent accepted and has not told us of yet. */
struct api_fresh {
	TAILQ_ENTRY(api_fresh) link;
	struct bufferevent *bev; /* with a reference of ours */
};

/* The one of this process: libevent calls on_accept_error() without an argument of ours. */
static struct api *accepting;

/* ---- one connection ---------------------------------------------------------------------------------- */

void
api_conn_set(struct api_conn *c, enum api_conn_state state)
{
	struct api *api = c->port->api;

	if (state == API_CONN_IDLE)
		api_conn_patient(c, false);
	TAILQ_REMOVE(&api->conns[c->state], c, link);
	c->state = (uint8_t)state;
	c->since = loop_now(api->a->loop);
	TAILQ_INSERT_TAIL(&api->conns[state], c, link);
}

void
api_conn_patient(struct api_conn *c, bool patient)
{
	const struct timeval limit = {.tv_sec = API_TIMEOUT_S};

	if (c->patient == patient)
		return;
	c->patient = patient;
	bufferevent_set_timeouts(evhttp_connection_get_bufferevent(c->http), patient ? NULL : &limit, &limit);
}

void
api_conn_cut(struct api_conn *c)
{
	struct evbuffer *out = bufferevent_get_output(evhttp_connection_get_bufferevent(c->http));

	/* libevent frees a bufferevent later: what it holds of documents is given back now. */
	(void)evbuffer_unfreeze(out, 1);
	(void)evbuffer_drain(out, evbuffer_get_length(out));
	evhttp_connection_free(c->http); /* calls on_close() */
}

/* A connection is about to be freed, and with it the request that is in work. */
static void
on_close(struct evhttp_connection *http, void *arg)
{
	struct api_conn *c = arg;
	struct api *api = c->port->api;

	(void)http;
	if (c->req != NULL)
		api_drop_request(c->req);
	if (c->stream != NULL)
		api_stream_free(c->stream);
	TAILQ_REMOVE(&api->conns[c->state], c, link);
	api->by_fd[c->fd] = NULL;
	api->n_connections--;
	free(c);
}

struct api_conn *
api_conn_of(struct api *api, struct evhttp_request *http)
{
	struct evhttp_connection *of = evhttp_request_get_connection(http);
	evutil_socket_t fd = bufferevent_getfd(evhttp_connection_get_bufferevent(of));

	ASSERT(fd >= 0 && (size_t)fd < api->n_by_fd && api->by_fd[fd] != NULL && api->by_fd[fd]->http == of);
	return api->by_fd[fd];
}

/* ---- too many of them --------------------------------------------------------------------------------- */

/* Who has been reading an answer longest; followers of events have a right to take their time. */
static struct api_conn *
slowest_reader(struct api *api)
{
	struct api_conn *c;

	TAILQ_FOREACH (c, &api->conns[API_CONN_SENDING], link)
		if (!c->follows)
			return c;
	return NULL;
}

static void
close_one(struct api *api, struct api_conn *latest)
{
	struct api_conn *idle = TAILQ_FIRST(&api->conns[API_CONN_IDLE]);
	struct api_conn *victim = idle != latest ? idle : slowest_reader(api);

	if (victim == NULL)
		victim = latest;
	api_conn_cut(victim);
}

void
api_conn_make_room(struct api *api)
{
	struct api_conn *c;

	while (api->text_octets > API_TEXT_MAX && (c = slowest_reader(api)) != NULL)
		api_conn_cut(c);
}

/* Who takes too long to send a request, octet by octet for example. */
static void
on_tick(void *arg, mono_t now)
{
	struct api *api = arg;
	struct api_conn *c;

	while ((c = TAILQ_FIRST(&api->conns[API_CONN_IDLE])) != NULL && mono_since(now, c->since) > API_REQUEST_US)
		api_conn_cut(c);
	api_events_tick(api, now);
	loop_timer_set(api->tick, api->n_connections > 0 ? mono_add(now, USEC_PER_SEC) : MONO_NEVER);
}

/* ---- accepting ------------------------------------------------------------------------------------------ */

static struct bufferevent *
on_accept(struct event_base *base, void *arg)
{
	struct api_port *port = arg;
	struct api *api = port->api;
	struct api_fresh *f = agent_alloc(1, sizeof(*f));

	f->bev = bufferevent_socket_new(base, -1, 0);
	ASSERT(f->bev != NULL);
	bufferevent_incref(f->bev);
	TAILQ_INSERT_TAIL(&api->fresh, f, link);
	if (api->n_connections++ == 0)
		loop_timer_set(api->tick, mono_add(loop_now(api->a->loop), USEC_PER_SEC));
	event_active(api->settle, EV_TIMEOUT, 0);
	return f->bev;
}

static void
remember(struct api *api, struct api_conn *c)
{
	if ((size_t)c->fd >= api->n_by_fd) {
		size_t n = MAX((size_t)c->fd + 1, 2 * api->n_by_fd);

		api->by_fd = realloc(api->by_fd, n * sizeof(*api->by_fd));
		ASSERT(api->by_fd != NULL);
		memset(api->by_fd + api->n_by_fd, 0, (n - api->n_by_fd) * sizeof(*api->by_fd));
		api->n_by_fd = n;
	}
	ASSERT(api->by_fd[c->fd] == NULL);
	api->by_fd[c->fd] = c;
}

/* Of which port? Each has its own evhttp. */
static struct api_port *
port_of(struct api *api, struct evhttp_connection *http)
{
	struct evhttp *server = evhttp_connection_get_server(http);

	return server == api->ports[1].http ? &api->ports[1] : &api->ports[0];
}

static void
settle_one(struct api *api, struct bufferevent *bev)
{
	bufferevent_event_cb on_event = NULL;
	void *arg = NULL;
	struct api_conn *c;

	bufferevent_getcb(bev, NULL, NULL, &on_event, &arg);
	if (on_event == NULL || arg == NULL || evhttp_connection_get_bufferevent(arg) != bev) {
		api->n_connections--; /* freed already */
		return;
	}
	c = agent_alloc(1, sizeof(*c));
	c->http = arg;
	c->port = port_of(api, arg);
	c->fd = bufferevent_getfd(bev);
	c->since = loop_now(api->a->loop);
	remember(api, c);
	TAILQ_INSERT_TAIL(&api->conns[API_CONN_IDLE], c, link);
	bufferevent_setwatermark(bev, EV_READ, 0, API_AHEAD_MAX);
	evhttp_connection_set_closecb(c->http, on_close, c);
	if (api->n_connections > api->max_connections)
		close_one(api, c);
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
	struct api_conn *idle = TAILQ_FIRST(&accepting->conns[API_CONN_IDLE]);

	(void)arg; /* libevent's HTTP server put itself there */
	log_warning("status API: a connection could not be accepted: %s", strerror(errno));
	if (idle != NULL)
		api_conn_cut(idle);
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

/* ---- life ------------------------------------------------------------------------------------------------ */

/* Checks and scripts need descriptors, too. */
static unsigned
max_connections(void)
{
	struct rlimit r;
	rlim_t half;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return API_CONNECTIONS_MAX;
	half = r.rlim_cur / 2;
	if (half >= API_CONNECTIONS_MAX)
		return API_CONNECTIONS_MAX;
	log_warning("status API: the limit of %llu descriptors (RLIMIT_NOFILE) leaves room for %llu connections instead "
		    "of %d",
		    (unsigned long long)r.rlim_cur, (unsigned long long)half, API_CONNECTIONS_MAX);
	return (unsigned)half;
}

void
api_conn_open(struct api *api)
{
	struct event_base *base = loop_event_base(api->a->loop);

	event_set_log_callback(on_libevent_log);
	accepting = api;
	TAILQ_INIT(&api->fresh);
	for (unsigned i = 0; i < API_CONN_STATE_COUNT; i++)
		TAILQ_INIT(&api->conns[i]);
	api->max_connections = max_connections();
	api->parent_uid = api_peer_uid(api->a->parent.fd);
	api->tick = loop_timer_add(api->a->loop, on_tick, api);
	api->settle = event_new(base, -1, 0, on_settle, api);
	api->accept_again = evtimer_new(base, on_accept_again, api);
	ASSERT(api->settle != NULL);
	ASSERT(api->accept_again != NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(api->ports); i++) {
		struct api_port *port = &api->ports[i];

		*port = (struct api_port){.api = api, .control = i == 1, .http = evhttp_new(base)};
		ASSERT(port->http != NULL);
		evhttp_set_allowed_methods(port->http, METHODS);
		evhttp_set_max_headers_size(port->http, HEADER_MAX);
		evhttp_set_max_body_size(port->http, BODY_MAX);
		evhttp_set_timeout(port->http, API_TIMEOUT_S);
		evhttp_set_bevcb(port->http, on_accept, port);
		evhttp_set_gencb(port->http, api_on_request, port);
	}
}

void
api_conn_close(struct api *api)
{
	on_settle(-1, 0, api);
	for (unsigned i = 0; i < ARRAY_SIZE(api->ports); i++)
		evhttp_free(api->ports[i].http);
	event_free(api->settle);
	event_free(api->accept_again);
	loop_timer_del(api->tick);
	free(api->by_fd);
}

int
api_listen(struct api *api, int fd, const struct ipc_listen *m)
{
	struct api_port *port = &api->ports[m->control != 0];
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
	port->has_group = m->has_group != 0 && memchr(m->group, '\0', sizeof(m->group)) != NULL;
	port->gid = m->gid;
	if (port->has_group)
		str_copy(port->group, sizeof(port->group), m->group);
	return 0;
}

unsigned
api_connections(const struct api *api)
{
	return api->n_connections;
}
