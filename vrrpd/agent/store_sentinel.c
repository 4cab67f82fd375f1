/*
 * store_sentinel.c - kind "sentinel": the leader is the host whose Redis most of the Sentinels call the master.
 *
 * Runs in vrrpd-agent under store.c. Every Sentinel is asked once a second, and at once when any of them publishes an
 * event: a question and a subscription are two connections, because one that has subscribed takes no other commands.
 * What more than half of those configured say at the same time counts. So a master that was replaced and comes back is
 * outvoted, whatever it and the Sentinel of its own host believe; and who is cut off with a minority knows nothing. It
 * then holds for STORE_FRESH_US more: with a shorter down-after-milliseconds write on_store_loss = "release".
 *
 * Sources: Redis' guide for Sentinel clients. Events are not stored, and the Sentinel that leads a failover publishes
 * +switch-master last: an event only says that there may be news. In TILT mode (its clock jumped, it hung) a Sentinel
 * takes part in nothing for half a minute: what it says is old, and does not count.
 */
#include "agent/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_util.h"
#include "agent/redis_peer.h"
#include "agent/redis_self.h"
#include "base/strbuf.h"
#include "sys/clock.h"

#define ANSWER_US (800 * USEC_PER_MS) /* for an answer, the connection included; before the next question is due */

/*
 * The old master's host hears of its successor in the same moment as the new one's, and nothing else is between them: so
 * long must a majority name this host before it says so, that the other one has let go. It is a tenth of the time that a
 * failover takes at least (down-after-milliseconds is rarely below a second).
 */
#define TAKE_US (100 * USEC_PER_MS)

/* The questions, in this order. */
enum { ASK_INFO, ASK_MASTER };

struct sentinel;

struct voter {
	struct sentinel *all;
	const char *endpoint;
	struct redis_peer *asks, *hears;
	struct loop_timer *late;
	bool busy, again; /* asked; to be asked again, because something has happened since */
	bool tilt;	  /* by the first reply */
	uint64_t asked_us, vote_us; /* CLOCK_BOOTTIME: of the question under way, of the one that `vote` answers */
	struct redis_name vote; /* host "": it says nothing */
	bool denied;		/* it answers, but not that */
	char wrong[200];	/* why it says nothing */
};

struct sentinel {
	struct store *s;
	struct loop_timer *timer; /* the next question to all */
	struct loop_timer *take;  /* when this host has been named for long enough */
	mono_t named;		  /* since when it is; MONO_NEVER = it is not */
	unsigned n;
	struct voter *voters;
};

/* ---- the majority --------------------------------------------------------------------------------------- */

/* How many name the same master as this one; *ret_us becomes the time of the oldest of these questions. */
static unsigned
count(const struct sentinel *a, const struct redis_name *name, uint64_t *ret_us)
{
	unsigned votes = 0;

	*ret_us = UINT64_MAX;
	for (unsigned i = 0; i < a->n; i++) {
		const struct voter *v = &a->voters[i];

		if (v->vote.host[0] == '\0' || !redis_name_equal(&v->vote, name))
			continue;
		votes++;
		*ret_us = MIN(*ret_us, v->vote_us);
	}
	return votes;
}

/* Nobody has a majority. */
static void
tell_lost(struct sentinel *a)
{
	unsigned votes = 0, denied = 0;
	const char *wrong = "they name different masters";

	for (unsigned i = 0; i < a->n; i++) {
		const struct voter *v = &a->voters[i];

		if (v->vote.host[0] == '\0' && v->wrong[0] == '\0')
			return; /* not heard of yet */
		votes += v->vote.host[0] != '\0';
		denied += v->denied;
		if (v->wrong[0] != '\0')
			wrong = v->wrong;
	}
	store_fail(a->s, denied * 2 > a->n ? ELECT_FACT_DENIED : ELECT_FACT_LOST, "no majority",
		   "no majority of the %u Sentinels: %u answer, no more than half agree: %s", a->n, votes, wrong);
}

/* A majority names this host. */
static void
take(struct sentinel *a, const char *name, uint64_t asked_us)
{
	mono_t now = loop_now(store_loop(a->s));

	a->named = mono_min(a->named, now);
	if (a->s->said.fact != ELECT_FACT_SELF && mono_since(now, a->named) < TAKE_US)
		loop_timer_set(a->take, mono_add(a->named, TAKE_US));
	else
		store_say(a->s, ELECT_FACT_SELF, name, asked_us, asked_us + STORE_FRESH_US);
}

static void
judge(struct sentinel *a)
{
	mono_t named = a->named;
	uint64_t asked_us;

	a->named = MONO_NEVER;

	for (unsigned i = 0; i < a->n; i++) {
		const struct redis_name *name = &a->voters[i].vote;
		bool v6 = strchr(name->host, ':') != NULL;
		char text[STORE_LEADER_MAX];

		if (name->host[0] == '\0' || count(a, name, &asked_us) * 2 <= a->n)
			continue;
		snprintf(text, sizeof(text), "%s%s%s:%s", v6 ? "[" : "", name->host, v6 ? "]" : "", name->port);
		if (redis_is_self(&a->s->options, name, false)) {
			a->named = named;
			take(a, text, asked_us);
		} else {
			store_say(a->s, ELECT_FACT_OTHER, text, asked_us, 0);
		}
		return;
	}
	tell_lost(a);
}

/* ---- one Sentinel ------------------------------------------------------------------------------------------ */

static void
ask(struct voter *v)
{
	struct loop *l = store_loop(v->all->s);
	const struct redis_command questions[] = {
		[ASK_INFO] = {2, {"INFO", "sentinel"}},
		[ASK_MASTER] = {3, {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", store_text(v->all->s, "master", 0)}},
	};

	v->again = v->busy;
	if (v->busy)
		return;
	v->busy = true;
	v->tilt = false;
	v->asked_us = clock_boot_us();
	loop_timer_set(v->late, mono_add(loop_now(l), ANSWER_US));
	redis_peer_ask(v->asks, questions, ARRAY_SIZE(questions));
}

/* The question is over: `name` is the answer, or NULL and v->wrong says why there is none. */
static void
answered(struct voter *v, const struct redis_name *name)
{
	struct sentinel *a = v->all;

	redis_peer_stop(v->asks);
	loop_timer_set(v->late, MONO_NEVER);
	v->busy = false;
	v->vote = name != NULL ? *name : (struct redis_name){0};
	v->vote_us = v->asked_us;
	if (name != NULL) {
		v->wrong[0] = '\0';
		v->denied = false;
		str_copy(a->s->endpoint, sizeof(a->s->endpoint), v->endpoint);
		store_answered(a->s, v->asked_us);
	}
	judge(a);
	if (v->again)
		ask(v);
}

static void
silent(struct voter *v, bool denied, const char *wrong)
{
	v->denied = denied;
	str_copy(v->wrong, sizeof(v->wrong), wrong);
	answered(v, NULL);
}

/* Is it in TILT mode? */
static void
take_info(struct voter *v, const struct resp_value *reply)
{
	char text[LIMIT_LOG_TEXT];

	v->tilt = strstr(resp_text(reply), "sentinel_tilt:1") != NULL;
	if (reply->type != RESP_STRING)
		silent(v, true, redis_error_text(&v->all->s->options, "Sentinel", "INFO", reply, text, sizeof(text)));
}

static void
take_master(struct voter *v, const struct resp_value *reply)
{
	const struct store *s = v->all->s;
	char text[LIMIT_LOG_TEXT];
	struct redis_name name;

	if (v->tilt) {
		snprintf(text, sizeof(text), "Sentinel on %s is in TILT mode", v->endpoint);
		silent(v, false, text);
	} else if (reply->type == RESP_NIL || resp_is_error(reply, "IDONTKNOW")) {
		snprintf(text, sizeof(text), "Sentinel on %s knows no master \"%.60s\": mend master", v->endpoint,
			 store_text(s, "master", 0));
		silent(v, true, text);
	} else if (!redis_name_read(reply, &name)) {
		silent(v, true,
		       redis_error_text(&s->options, "Sentinel", "SENTINEL GET-MASTER-ADDR-BY-NAME", reply, text, sizeof(text)));
	} else {
		answered(v, &name);
	}
}

static void
on_reply(void *arg, unsigned i, const struct resp_value *reply, const char *wrong)
{
	struct voter *v = arg;

	if (wrong != NULL)
		silent(v, false, wrong);
	else if (i == ASK_INFO)
		take_info(v, reply);
	else
		take_master(v, reply);
}

static void
on_late(void *arg, mono_t now)
{
	struct voter *v = arg;
	char text[160];

	(void)now;
	snprintf(text, sizeof(text), "Sentinel on %s does not answer", v->endpoint);
	silent(v, false, text);
}

/* ---- events --------------------------------------------------------------------------------------------------- */

/* A subscription that fails is made again a second later; until then the questions of every second must do. */
static void
on_subscribed(void *arg, unsigned i, const struct resp_value *reply, const char *wrong)
{
	(void)arg;
	(void)i;
	(void)reply;
	(void)wrong;
}

static void
on_push(void *arg, const struct resp_value *v)
{
	struct sentinel *a = ((struct voter *)arg)->all;

	(void)v; /* whatever it says */
	for (unsigned i = 0; i < a->n; i++)
		ask(&a->voters[i]);
}

static void
on_take(void *arg, mono_t now)
{
	(void)now;
	judge(arg);
}

static void
on_timer(void *arg, mono_t now)
{
	/* Again and again: the answer proves that the subscription is alive, and nothing else changes by it. */
	static const struct redis_command subscribe = {2, {"PSUBSCRIBE", "*"}};
	struct sentinel *a = arg;

	loop_timer_set(a->timer, mono_add(now, STORE_PROBE_US));
	for (unsigned i = 0; i < a->n; i++) {
		ask(&a->voters[i]);
		redis_peer_ask(a->voters[i].hears, &subscribe, 1);
	}
}

static void
voter_start(struct sentinel *a, struct voter *v, const char *endpoint)
{
	struct loop *l = store_loop(a->s);

	*v = (struct voter){.all = a, .endpoint = endpoint};
	v->late = loop_timer_add(l, on_late, v);
	v->asks = redis_peer_new(l, &a->s->options, "Sentinel", endpoint, REDIS_LOGIN_FIRST, on_reply, v);
	v->hears = redis_peer_new(l, &a->s->options, "Sentinel", endpoint, REDIS_LOGIN_FIRST, on_subscribed, v);
	redis_peer_on_push(v->hears, on_push);
}

static void
sentinel_start(struct store *s)
{
	struct sentinel *a = agent_alloc(1, sizeof(*a));

	*a = (struct sentinel){.s = s, .named = MONO_NEVER};
	s->priv = a;
	while (store_text(s, "endpoints", a->n) != NULL)
		a->n++;
	a->voters = agent_alloc(a->n, sizeof(*a->voters));
	for (unsigned i = 0; i < a->n; i++)
		voter_start(a, &a->voters[i], store_text(s, "endpoints", i));
	a->timer = loop_timer_add(store_loop(s), on_timer, a);
	a->take = loop_timer_add(store_loop(s), on_take, a);
	loop_timer_set(a->timer, loop_now(store_loop(s)));
}

static void
sentinel_free(struct store *s)
{
	struct sentinel *a = s->priv;

	for (unsigned i = 0; i < a->n; i++) {
		redis_peer_free(a->voters[i].asks);
		redis_peer_free(a->voters[i].hears);
		loop_timer_del(a->voters[i].late);
	}
	loop_timer_del(a->timer);
	loop_timer_del(a->take);
	free(a->voters);
	free(a);
}

const struct store_ops store_sentinel_ops = {
	.name = "sentinel",
	.start = sentinel_start,
	.free = sentinel_free,
};
