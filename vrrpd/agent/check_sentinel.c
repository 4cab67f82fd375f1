/*
 * check_sentinel.c - kind "sentinel": the Sentinel reaches its quorum, and names this host as the master.
 *
 * Runs in vrrpd-agent under check.c. Source: Redis' documentation of Sentinel: SENTINEL CKQUORUM says "+OK"
 * when enough Sentinels are reachable to agree on a failure and to authorise a failover, else "-NOQUORUM";
 * SENTINEL GET-MASTER-ADDR-BY-NAME names the promoted replica as soon as it is promoted.
 */
#include "agent/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_util.h"
#include "agent/redis_peer.h"
#include "agent/redis_self.h"
#include "base/strbuf.h"

struct sentinel {
	struct check *check;
	struct redis_peer *peer;
	char wrong[LIMIT_LOG_TEXT]; /* what the first reply said, when it was no good */
	unsigned usable;	    /* Sentinels, by the first reply */
};

/* "OK 3 usable Sentinels. Quorum and failover authorization can be reached". */
static void
take_quorum(struct sentinel *s, const struct resp_value *v)
{
	if (v->type == RESP_STATUS && strncmp(v->text, "OK", 2) == 0)
		s->usable = (unsigned)strtoul(v->text + 2, NULL, 10);
	else if (resp_is_error(v, "NOQUORUM"))
		snprintf(s->wrong, sizeof(s->wrong), "no quorum:%.100s", v->text + strlen("NOQUORUM"));
	else
		redis_error_text(&s->check->def, "Sentinel", "SENTINEL CKQUORUM", v, s->wrong, sizeof(s->wrong));
}

static void
take_master(struct sentinel *s, const struct resp_value *v)
{
	const char *master = check_text(s->check, "master", 0);
	struct check *c = s->check;
	char text[LIMIT_LOG_TEXT];
	struct redis_name name;

	if (s->wrong[0] != '\0') {
		check_donef(c, false, "%s", s->wrong);
		return;
	}
	if (v->type == RESP_NIL) {
		check_donef(c, false, "Sentinel knows no master \"%s\"", master);
	} else if (!redis_name_read(v, &name)) {
		redis_error_text(&c->def, "Sentinel", "SENTINEL GET-MASTER-ADDR-BY-NAME", v, text, sizeof(text));
		check_donef(c, false, "%s", text);
	} else if (!redis_is_self(&c->def, &name, false)) {
		check_donef(c, false, "the master is %.60s:%s, not this host", name.host, name.port);
	} else {
		check_donef(c, true, "%u Sentinels usable, the master %.50s:%s is this host", s->usable,
			    name.host, name.port);
	}
}

static void
on_reply(void *arg, unsigned i, const struct resp_value *v, const char *wrong)
{
	struct sentinel *s = arg;

	if (wrong != NULL)
		check_donef(s->check, false, "%s", wrong);
	else if (i == 0)
		take_quorum(s, v);
	else
		take_master(s, v);
}

static void
sentinel_start(struct check *c)
{
	const char *master = check_text(c, "master", 0);
	const struct redis_command ask[] = {
		{3, {"SENTINEL", "CKQUORUM", master}},
		{3, {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", master}},
	};
	struct sentinel *s = c->priv;

	if (s == NULL) {
		s = agent_alloc(1, sizeof(*s));
		s->check = c;
		s->peer = redis_peer_new(check_loop(c), &c->def, "Sentinel", check_text(c, "address", 0),
					 REDIS_LOGIN_FIRST, on_reply, s);
		c->priv = s;
	}
	s->wrong[0] = '\0';
	s->usable = 0;
	redis_peer_ask(s->peer, ask, ARRAY_SIZE(ask));
}

static void
sentinel_cancel(struct check *c, bool force)
{
	struct sentinel *s = c->priv;

	(void)force;
	redis_peer_stop(s->peer);
	check_donef(c, false, "no answer");
}

static void
sentinel_free(struct check *c)
{
	struct sentinel *s = c->priv;

	if (s == NULL)
		return;
	redis_peer_free(s->peer);
	free(s);
}

const struct check_ops check_sentinel_ops = {
	.name = "sentinel",
	.start = sentinel_start,
	.cancel = sentinel_cancel,
	.free = sentinel_free,
};
