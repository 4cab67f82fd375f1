/*
 * store_patroni.c - kind "patroni": the leader is this node when the local Patroni says that it is the running primary.
 *
 * Runs in vrrpd-agent under store.c. No key and no store of its own: Patroni has looked at the store, and promoted or
 * demoted PostgreSQL. So it works with every store of Patroni's, with standby clusters (their leader is no primary), in
 * failsafe mode and while paused.
 *
 * Asked four times a second: a question costs Patroni and PostgreSQL together 0.8 ms of CPU and 1 ms of time (Patroni 3.0,
 * PostgreSQL 15, measured), so that is 0.3 % of one core; and a demotion, which takes PostgreSQL some 100 ms before anybody
 * else may be promoted, is heard of before the next primary is there.
 */
#include "agent/store.h"

#include <string.h>

#include "agent/patroni_poll.h"
#include "base/strbuf.h"
#include "sys/clock.h"

#define ASK_US (250 * USEC_PER_MS)

/*
 * Patroni itself is restarted while the cluster is paused, and PostgreSQL runs on: nobody else is made a primary without
 * somebody's command, and then not before the leader lock has expired, which lasts for ttl - loop_wait (20 s by default).
 */
#define PAUSED_LASTS_US (15 * USEC_PER_SEC)

static const char *
endpoint_of(const struct store *s)
{
	const char *written = store_text(s, "endpoints", 0);

	return written != NULL ? written : PATRONI_URL;
}

static void
take_node(struct store *s, const struct patroni_node *n, uint64_t asked_us)
{
	bool paused = n->paused && !n->unlocked;

	if (patroni_node_is_primary(n))
		store_say(s, ELECT_FACT_SELF, n->name[0] != '\0' ? n->name : store_text(s, "value", 0), asked_us,
			  asked_us + (paused ? PAUSED_LASTS_US : PATRONI_LASTS_US));
	else if (patroni_node_is_undecided(n))
		store_fail(s, ELECT_FACT_LOST, "no leader lock",
			   "PostgreSQL is the primary, but the local Patroni does not hold the leader lock (yet)");
	else if (n->status != 200 && n->is == PATRONI_REPLICA && n->running && !n->unlocked)
		store_say(s, ELECT_FACT_OTHER, "another node", asked_us, 0); /* it does not say which */
	else
		store_say(s, ELECT_FACT_NONE, NULL, asked_us, 0);
}

static void
on_node(void *arg, const struct patroni_node *n, const char *wrong, bool answered, uint64_t asked_us)
{
	struct store *s = arg;

	if (n != NULL) {
		str_copy(s->endpoint, sizeof(s->endpoint), endpoint_of(s));
		store_answered(s, asked_us);
		take_node(s, n, asked_us);
	} else if (answered) {
		store_fail(s, ELECT_FACT_DENIED, "no Patroni", "%s: %s: write the URL of Patroni's REST API (restapi.listen)",
			   endpoint_of(s), wrong);
	} else {
		store_fail(s, ELECT_FACT_LOST, "no answer", "the local Patroni does not answer: %s: %s", endpoint_of(s), wrong);
	}
}

static void
patroni_start(struct store *s)
{
	struct net_http_ask ask;

	store_http_ask(s, endpoint_of(s), &ask);
	ask.username = store_text(s, "username", 0);
	ask.password = store_text(s, "password", 0);
	s->priv = patroni_poll_new(store_loop(s), store_http(s), &ask, ASK_US, on_node, s);
}

static void
patroni_free(struct store *s)
{
	patroni_poll_free(s->priv);
}

const struct store_ops store_patroni_ops = {
	.name = "patroni",
	.start = patroni_start,
	.free = patroni_free,
};
