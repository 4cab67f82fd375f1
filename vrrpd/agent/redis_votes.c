/*
 * redis_votes.c - who is the master, by the Sentinels; see redis_votes.h. Runs in vrrpd-agent under
 * check_redis.c.
 *
 * Source: Redis' guide for Sentinel clients (SENTINEL GET-MASTER-ADDR-BY-NAME; during a failover the promoted
 * replica is named as soon as it is promoted). A master that was replaced and comes back says that it is the
 * master until a Sentinel reaches it; and the Sentinel of its own host, started with it, may believe so, too.
 * Hence the majority counts, of those that answer. A host that is switched off does not answer at all: what
 * the others say is enough when it decides, else they are waited for until half of the time that is left.
 */
#include "agent/redis_votes.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/agent_util.h"
#include "agent/redis_peer.h"
#include "agent/redis_self.h"
#include "base/strbuf.h"

struct voter {
	struct redis_votes *votes;
	struct redis_peer *peer;
};

struct redis_votes {
	struct check *check;
	redis_votes_fn *fn;
	void *arg;
	struct loop_timer *late;
	bool asking;
	unsigned n, us, others, silent; /* silent: failed, or knows no master */
	struct redis_name other;	/* whom the last one named that did not name us */
	char why[LIMIT_LOG_TEXT];	/* what was wrong with the last one that is silent */
	struct voter *voters;
};

static void
finish(struct redis_votes *v, bool us, const char *text)
{
	redis_votes_stop(v);
	v->fn(v->arg, us, text);
}

/* All have answered, or the time is over. */
static void
judge(struct redis_votes *v)
{
	unsigned answered = v->us + v->others;
	char text[LIMIT_LOG_TEXT];

	if (v->us * 2 > answered) {
		snprintf(text, sizeof(text), "named by %u of %u Sentinels", v->us, v->n);
		finish(v, true, text);
		return;
	}
	if (answered > 0)
		snprintf(text, sizeof(text), "but %u of %u Sentinels name %.60s:%s", v->others, answered,
			 v->other.host, v->other.port);
	else
		snprintf(text, sizeof(text), "but no Sentinel says who is: %.90s",
			 v->why[0] != '\0' ? v->why : "none answers");
	finish(v, false, text);
}

/* As soon as those that have not answered can change nothing. */
static void
judge_early(struct redis_votes *v)
{
	if (v->us * 2 > v->n || v->others * 2 > v->n || v->us + v->others + v->silent == v->n)
		judge(v);
}

static void
on_reply(void *arg, unsigned i, const struct resp_value *reply, const char *wrong)
{
	struct voter *voter = arg;
	struct redis_votes *v = voter->votes;
	const struct check *c = v->check;
	struct redis_name name;

	(void)i;
	if (wrong != NULL) {
		str_copy(v->why, sizeof(v->why), wrong);
		v->silent++;
	} else if (redis_name_read(reply, &name)) {
		if ((v->others > 0 && redis_name_equal(&name, &v->other)) || !redis_is_self(&c->def, &name, true)) {
			v->other = name;
			v->others++;
		} else {
			v->us++;
		}
	} else {
		v->silent++;
		if (reply->type == RESP_NIL)
			snprintf(v->why, sizeof(v->why), "they know no \"%s\"", check_text(c, "master", 0));
		else
			redis_error_text(&c->def, "Sentinel", "SENTINEL", reply, v->why, sizeof(v->why));
	}
	judge_early(v);
}

static void
on_late(void *arg, mono_t now)
{
	(void)now;
	judge(arg);
}

struct redis_votes *
redis_votes_new(struct check *c, redis_votes_fn *fn, void *arg)
{
	struct redis_votes *v;
	unsigned n = 0;

	while (check_text(c, "sentinels", n) != NULL)
		n++;
	if (n == 0)
		return NULL;
	v = agent_alloc(1, sizeof(*v));
	*v = (struct redis_votes){.check = c, .fn = fn, .arg = arg, .n = n};
	v->late = loop_timer_add(check_loop(c), on_late, v);
	v->voters = agent_alloc(n, sizeof(*v->voters));
	for (unsigned i = 0; i < n; i++) {
		struct voter *voter = &v->voters[i];

		voter->votes = v;
		voter->peer = redis_peer_new(check_loop(c), &c->def, "Sentinel", check_text(c, "sentinels", i),
					     REDIS_LOGIN_WHEN_ASKED, on_reply, voter);
	}
	return v;
}

void
redis_votes_ask(struct redis_votes *v)
{
	const struct redis_command ask = {
		3, {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", check_text(v->check, "master", 0)}};
	mono_t now = loop_now(check_loop(v->check));
	mono_t end = v->check->deadline;

	v->asking = true;
	v->us = v->others = v->silent = 0;
	v->why[0] = '\0';
	loop_timer_set(v->late, mono_add(now, mono_before(now, end) ? mono_since(end, now) / 2 : 0));
	/* One that fails at once may be the last that was waited for. */
	for (unsigned i = 0; i < v->n && v->asking; i++)
		redis_peer_ask(v->voters[i].peer, &ask, 1);
}

void
redis_votes_stop(struct redis_votes *v)
{
	if (v == NULL || !v->asking)
		return;
	v->asking = false;
	loop_timer_set(v->late, MONO_NEVER);
	for (unsigned i = 0; i < v->n; i++)
		redis_peer_stop(v->voters[i].peer);
}

void
redis_votes_free(struct redis_votes *v)
{
	if (v == NULL)
		return;
	for (unsigned i = 0; i < v->n; i++)
		redis_peer_free(v->voters[i].peer);
	loop_timer_del(v->late);
	free(v->voters);
	free(v);
}
