/*
 * check_redis.c - kind "redis": does it serve, in which role, how far behind; its cluster; what Sentinels say.
 *
 * Runs in vrrpd-agent under check.c. Sources: the pages PING, ROLE, INFO, CLUSTER INFO and CLUSTER NODES of
 * Redis' documentation. ROLE answers during loading, too, so PING says whether it serves. ROLE belongs to
 * @admin: when the user may not run it, INFO is asked for the role, from then on. The link of a replica must be
 * "connected". Its lag is the time since it heard its master, which an idle one lets pass for up to ten seconds
 * (repl-ping-replica-period). A restarted master that was replaced still says that it is one: with `sentinels`,
 * their majority must name this host (redis_votes.c).
 */
#include "agent/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_util.h"
#include "agent/redis_peer.h"
#include "agent/redis_votes.h"
#include "base/strbuf.h"

#define SLOTS 16384

struct redis {
	struct check *check;
	struct redis_peer *peer;
	struct redis_votes *votes; /* NULL: no Sentinels are asked */
	bool by_info;		   /* the role comes from INFO: ROLE is forbidden */
	unsigned n;
	struct redis_command commands[REDIS_COMMANDS_MAX];
	struct strbuf good, bad;
	char good_text[LIMIT_LOG_TEXT], bad_text[LIMIT_LOG_TEXT];
};

static void
finish(struct redis *r)
{
	const char *text = r->bad.len > 0 ? r->bad_text : r->good_text;

	check_done(r->check, r->bad.len == 0, text, strlen(text));
}

static void
add(struct strbuf *s, const char *text)
{
	strbuf_addf(s, "%s%s", s->len > 0 ? ", " : "", text);
}

/* ---- replies ----------------------------------------------------------------------------------- */

/* The value of a line "name:value", cut to fit; NULL when there is none. */
static const char *
info_value(const char *info, const char *name, char *buf, size_t size)
{
	size_t len = strlen(name);

	for (const char *p = info; p != NULL; p = strchr(p, '\n'), p = p != NULL ? p + 1 : NULL) {
		if (strncmp(p, name, len) != 0 || p[len] != ':')
			continue;
		p += len + 1;
		snprintf(buf, size, "%.*s", (int)strcspn(p, "\r\n"), p);
		return buf;
	}
	return NULL;
}

static void
judge_role(struct redis *r, bool master, const char *link)
{
	const char *wanted = check_text(r->check, "role", 0), *role = master ? "master" : "replica";
	bool connected = master || strcmp(link, "connected") == 0 || strcmp(link, "up") == 0;
	char text[128];

	snprintf(text, sizeof(text), "role %s", role);
	add(&r->good, text);
	if (wanted != NULL && strcmp(wanted, role) != 0)
		snprintf(text, sizeof(text), "role %s, not %s", role, wanted);
	else if (!connected)
		snprintf(text, sizeof(text), "role replica, link to its master: %.20s", link);
	else
		return;
	add(&r->bad, text);
}

/* What kept a reply from being one. */
static void
add_wrong(struct redis *r, const char *command, const struct resp_value *v)
{
	char text[LIMIT_LOG_TEXT];

	redis_error_text(&r->check->def, "Redis", command, v, text, sizeof(text));
	if (strstr(r->bad_text, text) == NULL) /* some are given to every command */
		add(&r->bad, text);
}

static void
take_ping(struct redis *r, const struct resp_value *v)
{
	if (v->type != RESP_STATUS || strcmp(v->text, "PONG") != 0)
		add_wrong(r, "PING", v);
}

/* master, offset, replicas; slave, host, port, link, offset; sentinel, names. */
static void
take_role(struct redis *r, const struct resp_value *v)
{
	const char *role = resp_text(resp_item(v, 0));

	if (resp_is_error(v, "NOPERM"))
		r->by_info = true; /* asked again at the end of this one */
	else if (strcmp(role, "master") == 0)
		judge_role(r, true, "");
	else if (strcmp(role, "slave") == 0)
		judge_role(r, false, resp_text(resp_item(v, 3)));
	else if (strcmp(role, "sentinel") == 0)
		add(&r->bad, "it is a Sentinel and no Redis");
	else
		add_wrong(r, "ROLE", v);
}

static void
judge_lag(struct redis *r, const char *info)
{
	int64_t max_us = check_number(r->check, "max_lag", 0);
	char value[32], text[128];
	const char *v = info_value(info, "master_last_io_seconds_ago", value, sizeof(value));
	int64_t lag_s = v != NULL ? strtoll(v, NULL, 10) : -1;

	if (max_us == 0)
		return;
	if (lag_s < 0) { /* no link, which the role has told */
		if (r->bad.len == 0)
			add(&r->bad, "replica without a link to its master");
		return;
	}
	snprintf(text, sizeof(text), "heard its master %lld s ago", (long long)lag_s);
	add(&r->good, text);
	if (lag_s > max_us / (int64_t)USEC_PER_SEC) {
		snprintf(text, sizeof(text), "replica heard its master %lld s ago, more than %lld s",
			 (long long)lag_s, (long long)(max_us / (int64_t)USEC_PER_SEC));
		add(&r->bad, text);
	}
}

static void
take_info(struct redis *r, const struct resp_value *v)
{
	char role[16], link[32];

	if (v->type != RESP_STRING || info_value(v->text, "role", role, sizeof(role)) == NULL) {
		r->by_info = false; /* rights may have changed: the next run tries ROLE again */
		/* Without a wanted role it is not needed. */
		if (check_text(r->check, "role", 0) != NULL || !resp_is_error(v, "NOPERM"))
			add_wrong(r, "INFO", v);
		return;
	}
	if (info_value(v->text, "master_link_status", link, sizeof(link)) == NULL)
		str_copy(link, sizeof(link), "unknown");
	if (r->by_info)
		judge_role(r, strcmp(role, "master") == 0, link);
	if (strcmp(role, "slave") == 0)
		judge_lag(r, v->text);
}

static void
take_cluster_info(struct redis *r, const struct resp_value *v)
{
	char state[16], slots[16], text[128];

	if (v->type != RESP_STRING || info_value(v->text, "cluster_state", state, sizeof(state)) == NULL) {
		add_wrong(r, "CLUSTER INFO", v);
		return;
	}
	if (info_value(v->text, "cluster_slots_ok", slots, sizeof(slots)) == NULL)
		str_copy(slots, sizeof(slots), "?");
	snprintf(text, sizeof(text), "cluster %s", state);
	if (strcmp(state, "ok") != 0)
		snprintf(text, sizeof(text), "cluster state %s: %s of %d slots ok", state, slots, SLOTS);
	add(strcmp(state, "ok") == 0 ? &r->good : &r->bad, text);
}

/* Slots in the words after the eighth of a node's line: "5", "5-10", "[5->-id]" while one moves. */
static unsigned
count_slots(const char *line)
{
	unsigned n = 0, word = 0;
	size_t end = strcspn(line, "\r\n");

	for (const char *p = line; p < line + end; word++) {
		size_t len = strcspn(p, " \r\n");

		if (word >= 8 && len > 0 && p[0] != '[') {
			char *to;
			unsigned long low = strtoul(p, &to, 10), high = low;

			if (*to == '-')
				high = strtoul(to + 1, NULL, 10);
			if (low <= high && high < SLOTS)
				n += (unsigned)(high - low) + 1;
		}
		p += len;
		p += *p == ' ';
	}
	return n;
}

/* id, address, flags, master, ping, pong, epoch, link, slots. Our own line has the flag "myself". */
static void
take_cluster_nodes(struct redis *r, const struct resp_value *v)
{
	char flags[128], text[128];

	if (v->type != RESP_STRING) {
		add_wrong(r, "CLUSTER NODES", v);
		return;
	}
	for (const char *p = v->text; p != NULL; p = strchr(p, '\n'), p = p != NULL ? p + 1 : NULL) {
		unsigned slots;

		if (sscanf(p, "%*s %*s %127s", flags) != 1 || strstr(flags, "myself") == NULL)
			continue;
		slots = count_slots(p);
		snprintf(text, sizeof(text), "owns %u slots", slots);
		if (slots == 0)
			snprintf(text, sizeof(text), "owns no slots%s",
				 strstr(flags, "slave") != NULL ? ", it is a replica" : "");
		else if (strstr(flags, "fail") != NULL)
			snprintf(text, sizeof(text), "this node counts as failed");
		add(slots > 0 && strstr(flags, "fail") == NULL ? &r->good : &r->bad, text);
		return;
	}
	add(&r->bad, "the cluster does not know this node");
}

/* ---- the run ----------------------------------------------------------------------------------- */

static const struct question {
	struct redis_command command;
	void (*take)(struct redis *r, const struct resp_value *v);
} questions[] = {
	{{1, {"PING"}}, take_ping},
	{{1, {"ROLE"}}, take_role},
	{{2, {"INFO", "replication"}}, take_info},
	{{2, {"CLUSTER", "INFO"}}, take_cluster_info},
	{{2, {"CLUSTER", "NODES"}}, take_cluster_nodes},
};

static bool
is_wanted(const struct redis *r, const struct question *q)
{
	const struct check *c = r->check;

	if (q->take == take_role)
		return !r->by_info;
	if (q->take == take_info)
		return r->by_info || check_number(c, "max_lag", 0) != 0;
	if (q->take == take_cluster_info)
		return check_number(c, "cluster", 0) != 0;
	if (q->take == take_cluster_nodes)
		return check_number(c, "owns_slots", 0) != 0;
	return true;
}

static void
ask(struct redis *r)
{
	strbuf_init(&r->good, r->good_text, sizeof(r->good_text));
	strbuf_init(&r->bad, r->bad_text, sizeof(r->bad_text));
	r->n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++)
		if (is_wanted(r, &questions[i]))
			r->commands[r->n++] = questions[i].command;
	redis_peer_ask(r->peer, r->commands, r->n);
}

/* All is known that Redis itself can tell. */
static void
conclude(struct redis *r)
{
	if (r->bad.len == 0 && r->votes != NULL) {
		redis_votes_ask(r->votes);
		return;
	}
	if (r->good.len == 0)
		add(&r->good, "Redis answers");
	finish(r);
}

static void
on_reply(void *arg, unsigned i, const struct resp_value *v, const char *wrong)
{
	struct redis *r = arg;
	bool by_info = r->by_info;

	if (wrong != NULL) {
		if (r->bad.len == 0)
			add(&r->bad, wrong);
		finish(r);
		return;
	}
	for (size_t k = 0; k < ARRAY_SIZE(questions); k++)
		if (questions[k].command.words[0] == r->commands[i].words[0] &&
		    questions[k].command.words[1] == r->commands[i].words[1])
			questions[k].take(r, v);
	if (r->by_info && !by_info) {
		redis_peer_stop(r->peer);
		ask(r);
	} else if (i + 1 == r->n) {
		conclude(r);
	}
}

static void
on_votes(void *arg, bool us, const char *text)
{
	struct redis *r = arg;

	if (!us)
		add(&r->bad, r->good_text);
	add(us ? &r->good : &r->bad, text);
	finish(r);
}

static void
redis_start(struct check *c)
{
	struct redis *r = c->priv;

	if (r == NULL) {
		r = agent_alloc(1, sizeof(*r));
		r->check = c;
		r->peer =
			redis_peer_new(check_loop(c), &c->def, "Redis", check_text(c, "address", 0), REDIS_LOGIN_FIRST, on_reply, r);
		r->votes = redis_votes_new(c, on_votes, r);
		c->priv = r;
	}
	ask(r);
}

static void
redis_cancel(struct check *c, bool force)
{
	struct redis *r = c->priv;

	(void)force;
	redis_peer_stop(r->peer);
	redis_votes_stop(r->votes);
	check_donef(c, false, "no answer");
}

static void
redis_free(struct check *c)
{
	struct redis *r = c->priv;

	if (r == NULL)
		return;
	redis_peer_free(r->peer);
	redis_votes_free(r->votes);
	free(r);
}

const struct check_ops check_redis_ops = {
	.name = "redis",
	.start = redis_start,
	.cancel = redis_cancel,
	.free = redis_free,
};
