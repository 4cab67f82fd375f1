/*
 * patroni_node.c - read what Patroni's REST API says of its node; see patroni_node.h. Runs in vrrpd-agent under
 * check_patroni.c, store_patroni.c and store_local.c.
 *
 * Sources: the REST API chapter of Patroni's manual and patroni/api.py of 3.0 and 4.1. The status alone is not enough:
 * /primary answers 200 to the holder of the leader lock, which is taken before PostgreSQL is promoted, so the state and
 * the role in the body must agree; that role comes from pg_is_in_recovery(). `master` is what `primary` was called
 * before 4.0.
 */
#include "agent/patroni_node.h"

#include <string.h>

#include <jansson.h>

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
role_of(const char *role)
{
	if (strcmp(role, "primary") == 0 || strcmp(role, "master") == 0)
		return PATRONI_PRIMARY;
	if (strcmp(role, "replica") == 0)
		return PATRONI_REPLICA;
	return strcmp(role, "standby_leader") == 0 ? PATRONI_STANDBY_LEADER : 0;
}

static void
read_doc(const json_t *doc, struct patroni_node *n)
{
	const json_t *xlog = json_object_get(doc, "xlog");
	const json_t *received = json_object_get(xlog, "received_location"),
		     *replayed = json_object_get(xlog, "replayed_location");

	str_copy(n->role, sizeof(n->role), word(doc, "role"));
	str_copy(n->state, sizeof(n->state), word(doc, "state"));
	str_copy(n->name, sizeof(n->name), word(json_object_get(doc, "patroni"), "name"));
	n->is = role_of(word(doc, "role"));
	n->running = strcmp(word(doc, "state"), "running") == 0;
	n->sync = flag(doc, "sync_standby");
	n->quorum = flag(doc, "quorum_standby");
	n->paused = flag(doc, "pause");
	n->unlocked = flag(doc, "cluster_unlocked");
	n->failsafe = flag(doc, "failsafe_mode_is_active");
	n->restart_pending = flag(doc, "pending_restart");
	n->no_load_balance = flag(json_object_get(doc, "tags"), "noloadbalance");
	n->has_lag = json_is_integer(received) && json_is_integer(replayed) && json_integer_value(received) >= 0 &&
		     json_integer_value(replayed) >= 0;
	if (n->has_lag)
		n->lag = json_integer_value(received) - json_integer_value(replayed);
}

const char *
patroni_node_read(const struct net_http_answer *a, struct patroni_node *ret)
{
	json_t *doc = json_loadb(a->body, a->len, 0, NULL);

	*ret = (struct patroni_node){.status = a->status};
	if (doc != NULL)
		read_doc(doc, ret);
	json_decref(doc);
	if (a->cut)
		return "of more than 64 KiB";
	return ret->state[0] == '\0' || ret->role[0] == '\0' ? "without role and state: is this Patroni?" : NULL;
}

void
patroni_node_describe(const struct patroni_node *n, struct strbuf *b)
{
	strbuf_addf(b, "role %s, %s", n->role, n->state);
	if (n->has_lag)
		strbuf_addf(b, ", replay lag %lld B", (long long)n->lag);
	if (n->sync)
		strbuf_addf(b, ", synchronous");
	if (n->quorum)
		strbuf_addf(b, ", of the quorum");
	if (n->paused)
		strbuf_addf(b, ", paused");
	if (n->unlocked)
		strbuf_addf(b, ", nobody holds the leader lock");
	if (n->failsafe)
		strbuf_addf(b, ", failsafe mode");
	if (n->restart_pending)
		strbuf_addf(b, ", restart pending");
	if (n->no_load_balance)
		strbuf_addf(b, ", tag noloadbalance");
}

bool
patroni_node_paused_primary(const struct patroni_node *n)
{
	return n->is == PATRONI_PRIMARY && n->paused && n->unlocked;
}

bool
patroni_node_is_primary(const struct patroni_node *n)
{
	return n->running && n->is == PATRONI_PRIMARY && (n->status == 200 || patroni_node_paused_primary(n));
}

bool
patroni_node_is_undecided(const struct patroni_node *n)
{
	return n->running && n->is == PATRONI_PRIMARY && !patroni_node_is_primary(n);
}
