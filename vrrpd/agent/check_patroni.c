/*
 * check_patroni.c - kind "patroni": ask Patroni's REST API whether this node has a role.
 *
 * Runs in vrrpd-agent under check.c. How an answer is read, and why its status alone is not enough: patroni_node.c.
 * /readiness and /liveness have no body.
 *
 * While the cluster is paused (maintenance) the leader lock may expire though the primary runs: without a
 * holder of the lock anywhere, the local role decides, because nobody else is made a primary then.
 */
#include "agent/check_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_util.h"
#include "agent/patroni_node.h"
#include "base/strbuf.h"

#define PATH_OCTETS 128 /* an endpoint with ?lag= */

enum { PRIMARY = PATRONI_PRIMARY, REPLICA = PATRONI_REPLICA, STANDBY_LEADER = PATRONI_STANDBY_LEADER, ANY = 8 };

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
part_fits(const struct endpoint *e, const struct patroni_node *n)
{
	switch (e->part) {
	case PART_ANY:
		return true;
	case PART_SYNC:
		return n->sync;
	case PART_QUORUM:
		return n->quorum;
	case PART_NONE:
		return !n->sync && !n->quorum;
	}
	return false;
}

static void
judge_node(struct patroni *p, const struct patroni_node *n)
{
	const struct endpoint *e = p->endpoint;
	char node[LIMIT_LOG_TEXT];
	struct strbuf b;

	strbuf_init(&b, node, sizeof(node));
	patroni_node_describe(n, &b);
	if (!n->running)
		check_donef(p->check, false, "PostgreSQL is not running: %s", node);
	else if (n->status != 200 && !((e->roles & PRIMARY) != 0 && patroni_node_paused_primary(n)))
		check_donef(p->check, false, "/%s answers %d: %s", e->name, n->status, node);
	else if (n->status == 200 && (e->roles & PRIMARY) != 0 && (e->roles & REPLICA) == 0 && n->is == REPLICA)
		check_donef(p->check, false, "holds the leader lock, but is not promoted yet: %s", node);
	else if (e->roles != ANY && (e->roles & n->is) == 0)
		check_donef(p->check, false, "wanted %s: %s", e->name, node);
	else if (n->is == REPLICA && !part_fits(e, n))
		check_donef(p->check, false, "wanted %s: %s", e->name, node);
	else
		check_donef(p->check, true, "%s", node);
}

static void
judge(void *arg, const struct net_http_answer *a)
{
	struct patroni *p = arg;
	struct patroni_node n;
	const char *wrong;

	if (a->error != NULL) {
		check_donef(p->check, false, "no answer: %s", a->error);
		return;
	}
	if (p->endpoint->roles == 0) {
		check_donef(p->check, a->status == 200, "/%s answers %d", p->endpoint->name, a->status);
		return;
	}
	wrong = patroni_node_read(a, &n);
	if (a->cut)
		check_donef(p->check, false, "an answer %s", wrong);
	else if (wrong != NULL)
		check_donef(p->check, false, "/%s answers %d %s", p->endpoint->name, a->status, wrong);
	else
		judge_node(p, &n);
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
