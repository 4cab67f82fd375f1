/*
 * check_patroni.c - kind "patroni": ask Patroni's REST API whether this node has a role.
 *
 * Runs in vrrpd-agent under check.c. Sources: the REST API chapter of Patroni's manual and patroni/api.py of
 * 3.0 and 4.1. The status alone is not enough: /primary answers 200 to the holder of the leader lock, which is
 * taken before PostgreSQL is promoted, so the state and the role in the body must agree; that role comes from
 * pg_is_in_recovery(). `master` is what `primary` was called before 4.0. /readiness and /liveness have no body.
 *
 * While the cluster is paused (maintenance) the leader lock may expire though the primary runs: without a
 * holder of the lock anywhere, the local role decides, because nobody else is made a primary then.
 */
#include "agent/check_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "agent/agent_util.h"
#include "base/strbuf.h"

#define PATH_OCTETS 128 /* an endpoint with ?lag= */

enum { PRIMARY = 1, REPLICA = 2, STANDBY_LEADER = 4, ANY = 8 };

/* Of a replica: what the body must say about its part in synchronous replication. */
enum part { PART_ANY, PART_SYNC, PART_QUORUM, PART_NONE };

static const struct endpoint {
	const char *name;
	unsigned roles; /* that the body may name; 0: there is no body */
	enum part part;
} endpoints[] = {
	{"primary", PRIMARY, PART_ANY},
	{"master", PRIMARY, PART_ANY},
	{"read-write", PRIMARY, PART_ANY},
	{"leader", PRIMARY | STANDBY_LEADER, PART_ANY},
	{"standby-leader", STANDBY_LEADER, PART_ANY},
	{"replica", REPLICA, PART_ANY},
	{"read-only", PRIMARY | STANDBY_LEADER | REPLICA, PART_ANY},
	{"sync", REPLICA, PART_SYNC},
	{"synchronous", REPLICA, PART_SYNC},
	{"read-only-sync", PRIMARY | STANDBY_LEADER | REPLICA, PART_SYNC},
	{"quorum", REPLICA, PART_QUORUM},
	{"read-only-quorum", PRIMARY | STANDBY_LEADER | REPLICA, PART_QUORUM},
	{"async", REPLICA, PART_NONE},
	{"asynchronous", REPLICA, PART_NONE},
	{"health", ANY, PART_ANY},
	{"readiness", 0, PART_ANY},
	{"liveness", 0, PART_ANY},
};

struct patroni {
	struct check *check;
	const struct endpoint *endpoint;
	struct net_http_req *req;
};

/* ---- the answer ----------------------------------------------------------------------------------------- */

static bool
flag(const json_t *doc, const char *name)
{
	return json_is_true(json_object_get(doc, name));
}

/* A text of the answer, "" when it is none. */
static const char *
word(const json_t *doc, const char *name)
{
	const char *s = json_string_value(json_object_get(doc, name));

	return s != NULL ? s : "";
}

static unsigned
role_of(const json_t *doc)
{
	const char *role = word(doc, "role");

	if (strcmp(role, "primary") == 0 || strcmp(role, "master") == 0)
		return PRIMARY;
	if (strcmp(role, "replica") == 0)
		return REPLICA;
	return strcmp(role, "standby_leader") == 0 ? STANDBY_LEADER : 0;
}

static bool
part_fits(const struct endpoint *e, const json_t *doc)
{
	bool sync = flag(doc, "sync_standby"), quorum = flag(doc, "quorum_standby");

	switch (e->part) {
	case PART_ANY:
		return true;
	case PART_SYNC:
		return sync;
	case PART_QUORUM:
		return quorum;
	case PART_NONE:
		return !sync && !quorum;
	}
	return false;
}

/* The node as one line: role, state, how much a replica has yet to replay, and what is unusual. */
static void
describe(const json_t *doc, struct strbuf *b)
{
	const json_t *xlog = json_object_get(doc, "xlog"), *tags = json_object_get(doc, "tags");
	const json_t *received = json_object_get(xlog, "received_location"),
		     *replayed = json_object_get(xlog, "replayed_location");

	strbuf_addf(b, "role %.32s, %.40s", word(doc, "role"), word(doc, "state"));
	if (json_is_integer(received) && json_is_integer(replayed))
		strbuf_addf(b, ", replay lag %lld B",
			    (long long)(json_integer_value(received) - json_integer_value(replayed)));
	if (flag(doc, "sync_standby"))
		strbuf_addf(b, ", synchronous");
	if (flag(doc, "quorum_standby"))
		strbuf_addf(b, ", of the quorum");
	if (flag(doc, "pause"))
		strbuf_addf(b, ", paused");
	if (flag(doc, "cluster_unlocked"))
		strbuf_addf(b, ", nobody holds the leader lock");
	if (flag(doc, "failsafe_mode_is_active"))
		strbuf_addf(b, ", failsafe mode");
	if (flag(doc, "pending_restart"))
		strbuf_addf(b, ", restart pending");
	if (flag(tags, "noloadbalance"))
		strbuf_addf(b, ", tag noloadbalance");
}

/* The cluster is paused, nobody holds the lock, and this node is what is asked for. */
static bool
paused_but_right(const struct endpoint *e, const json_t *doc)
{
	return (e->roles & PRIMARY & role_of(doc)) != 0 && flag(doc, "pause") && flag(doc, "cluster_unlocked");
}

static void
judge_body(struct patroni *p, int status, const json_t *doc)
{
	const struct endpoint *e = p->endpoint;
	unsigned role = role_of(doc);
	bool running = strcmp(word(doc, "state"), "running") == 0;
	char node[LIMIT_LOG_TEXT];
	struct strbuf b;

	strbuf_init(&b, node, sizeof(node));
	describe(doc, &b);
	if (!running)
		check_donef(p->check, false, "PostgreSQL is not running: %s", node);
	else if (status != 200 && !paused_but_right(e, doc))
		check_donef(p->check, false, "/%s answers %d: %s", e->name, status, node);
	else if (status == 200 && (e->roles & PRIMARY) != 0 && (e->roles & REPLICA) == 0 && role == REPLICA)
		check_donef(p->check, false, "holds the leader lock, but is not promoted yet: %s", node);
	else if (e->roles != ANY && (e->roles & role) == 0)
		check_donef(p->check, false, "wanted %s: %s", e->name, node);
	else if (role == REPLICA && !part_fits(e, doc))
		check_donef(p->check, false, "wanted %s: %s", e->name, node);
	else
		check_donef(p->check, true, "%s", node);
}

static void
judge(void *arg, const struct net_http_answer *a)
{
	struct patroni *p = arg;
	json_t *doc;

	if (a->error != NULL) {
		check_donef(p->check, false, "no answer: %s", a->error);
		return;
	}
	if (p->endpoint->roles == 0) {
		check_donef(p->check, a->status == 200, "/%s answers %d", p->endpoint->name, a->status);
		return;
	}
	doc = json_loadb(a->body, a->len, 0, NULL);
	if (a->cut)
		check_donef(p->check, false, "an answer of more than 64 KiB");
	else if (*word(doc, "state") == '\0' || *word(doc, "role") == '\0')
		check_donef(p->check, false, "/%s answers %d without role and state: is this Patroni?",
			    p->endpoint->name, a->status);
	else
		judge_body(p, a->status, doc);
	json_decref(doc);
}

/* ---- the frame's side ----------------------------------------------------------------------------------- */

static const struct endpoint *
endpoint_of(const struct check *c)
{
	const char *role = check_text(c, "role", 0);

	for (size_t i = 0; i < ARRAY_SIZE(endpoints); i++)
		if (strcmp(endpoints[i].name, role != NULL ? role : "health") == 0)
			return &endpoints[i];
	return NULL; /* the configuration's rules know the same words */
}

static void
patroni_start(struct check *c)
{
	const char *lag = check_text(c, "max_lag", 0);
	struct patroni *p = c->priv;
	char path[PATH_OCTETS];
	struct net_http_ask ask;

	if (p == NULL) {
		p = agent_alloc(1, sizeof(*p));
		p->check = c;
		p->endpoint = endpoint_of(c);
		ASSERT(p->endpoint != NULL);
		snprintf(path, sizeof(path), "%s%s%s", p->endpoint->name, lag != NULL ? "?lag=" : "",
			 lag != NULL ? lag : "");
		check_http_ask(c, &ask);
		ask.path = path;
		p->req = net_http_req_new(check_net_http(c), &ask, judge, p);
		c->priv = p;
	}
	net_http_send(p->req);
}

static void
patroni_cancel(struct check *c, bool force)
{
	struct patroni *p = c->priv;

	(void)force;
	net_http_cancel(p->req);
	check_donef(c, false, "no answer");
}

static void
patroni_free(struct check *c)
{
	struct patroni *p = c->priv;

	if (p == NULL)
		return;
	net_http_req_free(p->req);
	free(p);
}

const struct check_ops check_patroni_ops = {
	.name = "patroni",
	.start = patroni_start,
	.cancel = patroni_cancel,
	.free = patroni_free,
};
