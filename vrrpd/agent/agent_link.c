/*
 * agent_link.c - the agent's end of the channel to the engine; see agent_link.h.
 *
 * Runs in vrrpd-agent. Verdicts go out, snapshots and events come in. What comes in is checked here and in
 * agent_snap.c value by value; a message that cannot be right ends this process, and the parent starts it anew.
 *
 * A verdict that has not changed is not repeated after every run, which would wake the engine for nothing: only
 * after a quarter of the time until it is stale there. With the next run that is half of that time at most (and
 * a quarter of a second): a run that is late does not make it stale.
 */
#include "agent/agent_link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/agent.h"
#include "agent/api.h"
#include "agent/hooks.h"
#include "agent/store.h"
#include "elect/elect.h"

#define LINK_BATCH     256 /* messages taken in one go, so that a stream of them does not starve the status API */
#define TOLD_TIMES     2   /* a new verdict: the engine may not be at this generation yet when it comes */
#define RENEW_FRACTION 4   /* of the time until it is stale */

static bool
event_ok(const struct ipc_event *m)
{
	return m->from < ROLE_STATE_COUNT && m->to < ROLE_STATE_COUNT && agent_cause_ok(&m->cause) &&
	       memchr(m->name, '\0', sizeof(m->name)) != NULL;
}

static bool
ask_ok(const struct ipc_ask *m)
{
	return m->ask < ROLE_ASK_COUNT && memchr(m->name, '\0', sizeof(m->name)) != NULL;
}

static bool
reply_ok(const struct ipc_control_reply *m)
{
	return m->result < IPC_CONTROL_RESULT_COUNT && m->refusal < ELECT_REFUSAL_COUNT &&
	       m->state < ROLE_STATE_COUNT && agent_cause_ok(&m->cause);
}

static bool
take(struct agent *a, const union ipc_msg *m)
{
	bool ok;

	if (m->h.type == IPC_CONTROL_REPLY) {
		ok = reply_ok(&m->CONTROL_REPLY);
		if (ok)
			api_control_reply(a->api, &m->CONTROL_REPLY);
	} else if (m->h.type == IPC_EVENT) {
		ok = event_ok(&m->EVENT) && events_add(a->events, &m->EVENT);
		/* How things are, hooks find out from a snapshot; of what is removed, from the configuration. */
		if (ok && !m->EVENT.again && m->EVENT.index != IPC_EVENT_REMOVED)
			hooks_event(a->hooks, &m->EVENT);
	} else if (m->h.type == IPC_CAMPAIGN) {
		stores_campaign(a->stores, &m->CAMPAIGN);
		ok = true;
	} else if (m->h.type == IPC_ASK) {
		ok = ask_ok(&m->ASK);
		if (ok)
			hooks_ask(a->hooks, &m->ASK);
	} else {
		ok = snaps_feed(a->snaps, m) == 0;
	}
	if (!ok)
		agent_quit(a, 1, "bad message %s from the engine", ipc_type_name(m->h.type));
	return ok;
}

static struct ipc_check
verdict_of(const struct agent *a, const struct check *c)
{
	return (struct ipc_check){.h.gen = a->conf->gen,
				  .check = c->index,
				  .state = c->state,
				  .has_weight = c->has_weight,
				  .weight = c->weight};
}

/* The same, and of the same generation. */
static bool
is_known(const struct agent_told *t, const struct ipc_check *m)
{
	return t->times > 0 && memcmp(&t->verdict, m, sizeof(*m)) == 0;
}

static void
send_verdict(struct agent *a, const struct check *c)
{
	struct ipc_check m = verdict_of(a, c);
	struct agent_told *t = &a->told[c->index];
	unsigned times = is_known(t, &m) ? t->times : 0;

	*t = (struct agent_told){.verdict = m, .at = loop_now(a->loop), .times = times + 1};
	if (ipc_chan_send(&a->engine, IPC_CHECK, &m, -1) == -EAGAIN) {
		/* Slow engine: tell it all once it reads again. Other errors show themselves on reading. */
		a->verdicts_due = true;
		loop_io_want(a->engine_io, true, true);
	}
}

/* Does the engine have to hear this now? */
static bool
is_due(struct agent *a, const struct check *c)
{
	const struct ipc_conf_check *conf = &c->def.conf;
	const struct agent_told *t = &a->told[c->index];
	struct ipc_check m = verdict_of(a, c);

	return !is_known(t, &m) || t->times < TOLD_TIMES ||
	       mono_since(loop_now(a->loop), t->at) >=
		       ipc_stale_after_us(conf->interval_us, conf->timeout_us) / RENEW_FRACTION;
}

static void
on_engine(void *arg, int fd, bool readable, bool writable)
{
	struct agent *a = arg;
	union ipc_msg m;
	int passed;

	(void)fd;
	if (writable && a->verdicts_due) {
		a->verdicts_due = false;
		loop_io_want(a->engine_io, true, false);
		agent_link_report_all(a);
	}
	for (int i = 0; readable && i < LINK_BATCH; i++) {
		int r = ipc_chan_recv(&a->engine, &m, &passed);

		if (r == 0)
			return;
		if (r == -EPROTO) {
			agent_quit(a, 1, "a message that is none from the engine");
			return;
		}
		if (r < 0) {
			agent_link_close(a);
			return;
		}
		if (!take(a, &m))
			return;
	}
}

void
agent_link_open(struct agent *a, int fd)
{
	agent_link_close(a);
	ipc_chan_init(&a->engine, fd, IPC_AGENT_TO_ENGINE, IPC_ENGINE_TO_AGENT);
	a->engine_io = loop_io_add(a->loop, fd, on_engine, a);
	agent_link_report_all(a);
	snaps_relinked(a->snaps);
	hooks_relinked(a->hooks);
	stores_relinked(a->stores);
}

void
agent_link_close(struct agent *a)
{
	loop_io_del(TAKE(a->engine_io));
	ipc_chan_close(&a->engine);
	a->verdicts_due = false;
	snaps_relinked(a->snaps);
}

bool
agent_link_up(const struct agent *a)
{
	return a->engine.fd >= 0;
}

int
agent_link_get_snap(struct agent *a, uint32_t token)
{
	struct ipc_snap_get m = {.token = token};

	return ipc_chan_send(&a->engine, IPC_SNAP_GET, &m, -1);
}

int
agent_link_control(struct agent *a, struct ipc_control *m)
{
	m->h.gen = a->conf->gen;
	return ipc_chan_send(&a->engine, IPC_CONTROL, m, -1);
}

void
agent_link_read_rest(struct agent *a)
{
	while (agent_link_up(a) && a->exit_status < 0) {
		uint8_t none;

		if (recv(a->engine.fd, &none, sizeof(none), MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN)
			return;
		on_engine(a, a->engine.fd, true, false);
	}
}

int
agent_link_send(struct agent *a, enum ipc_type type, void *msg)
{
	return agent_link_up(a) ? ipc_chan_send(&a->engine, type, msg, -1) : -ENOTCONN;
}

void
agent_link_report(void *arg, const struct check *c)
{
	struct agent *a = arg;

	api_check_ended(a->api, c);
	if (agent_link_up(a) && a->conf != NULL && !a->verdicts_due && is_due(a, c))
		send_verdict(a, c);
}

void
agent_link_report_all(struct agent *a)
{
	memset(a->told, 0, sizeof(a->told));
	if (!agent_link_up(a) || a->conf == NULL)
		return;
	for (uint32_t i = 0; i < checks_count(a->checks) && !a->verdicts_due; i++)
		send_verdict(a, checks_get(a->checks, i));
}
