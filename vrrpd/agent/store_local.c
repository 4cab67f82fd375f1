/*
 * store_local.c - on_store_loss = "patroni": what the local Patroni says, beside a store of any kind.
 *
 * Runs in vrrpd-agent under store.c. A primary whose store is gone goes on in Patroni's failsafe mode, when all members
 * agree, and else demotes itself: only Patroni knows which, so while the store says nothing its word decides. It is asked
 * all the time, because it must be known when the store fails. It says nothing about taking addresses.
 *
 * Sources: patroni/ha.py of 3.0 and 4.1: in failsafe mode the primary keeps is_leader(), so /primary answers 200.
 */
#include "agent/store.h"

#include <stdlib.h>

#include "agent/agent_util.h"
#include "agent/patroni_poll.h"
#include "sys/log.h"

#define ASK_US (500 * USEC_PER_MS) /* costs Patroni 1 ms of CPU each; its word lasts for six of them */

struct store_local {
	struct store *s;
	struct patroni_poll *poll;
	bool known; /* it has answered, or not */
	bool is_primary, failsafe;
};

/* A log line when something changes. */
static void
note(struct store_local *l, const struct patroni_node *n, const char *wrong)
{
	const char *who = l->s->instance;
	bool is_primary = n != NULL && patroni_node_is_primary(n), failsafe = is_primary && n->failsafe;

	if (n == NULL && (l->is_primary || !l->known))
		log_warning("%s: the local Patroni does not say whether this is the primary: %s", who, wrong);
	else if (n != NULL && is_primary != l->is_primary)
		log_info("%s: the local Patroni says that this is %s primary", who, is_primary ? "the" : "no");
	if (failsafe != l->failsafe)
		log_info("%s: the local Patroni %s its failsafe mode", who, failsafe ? "is in" : "has left");
	l->known = true;
	l->is_primary = is_primary;
	l->failsafe = failsafe;
}

static void
on_node(void *arg, const struct patroni_node *n, const char *wrong, bool answered, uint64_t asked_us)
{
	struct store_local *l = arg;
	struct store *s = l->s;

	(void)answered;
	note(l, n, wrong);
	if (l->is_primary) {
		s->said.local_until_us = asked_us + PATRONI_LASTS_US;
	} else if (n != NULL && !patroni_node_is_undecided(n)) {
		s->said.local_until_us = 0;
		/* The store last said something else, but it was demoted since. */
		if (s->said.fact == ELECT_FACT_LOST || s->said.fact == ELECT_FACT_DENIED)
			s->said.lease_until_us = 0;
	}
	store_retell(s);
}

struct store_local *
store_local_new(struct store *s)
{
	struct store_local *l = agent_alloc(1, sizeof(*l));
	struct net_http_ask ask;

	/* The store's certificates to trust; its login is not Patroni's. */
	store_http_ask(s, store_text(s, "patroni", 0), &ask);
	ask.tls = false;
	ask.cert = ask.key_pem = ask.server_name = NULL;
	l->s = s;
	l->poll = patroni_poll_new(store_loop(s), store_http(s), &ask, ASK_US, on_node, l);
	return l;
}

void
store_local_free(struct store_local *l)
{
	if (l == NULL)
		return;
	patroni_poll_free(l->poll);
	free(l);
}

bool
store_local_awaited(const struct store_local *l)
{
	return l != NULL && !l->known;
}
