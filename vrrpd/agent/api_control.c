/*
 * api_control.c - requests that change something: drain, resume, take over, priority, announce again, check, reload.
 *
 * Runs in vrrpd-agent under api.c. A request goes on to the engine or to vrrpd under a token and waits for the
 * answer with that token; nothing here decides.
 */
#include "agent/api_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/agent_link.h"
#include "agent/api.h"
#include "base/duration.h"
#include "base/strbuf.h"
#include "elect/elect.h"

#define CONTROL_DEADLINE_US (2 * USEC_PER_SEC)
#define RELOAD_DEADLINE_US  (20 * USEC_PER_SEC) /* longer than vrrpd gives the engine and us together */

static const char *const verbs[IPC_CONTROL_VERB_COUNT] = {
	[IPC_CONTROL_DRAIN] = "drain",	     [IPC_CONTROL_RESUME] = "resume", [IPC_CONTROL_TAKEOVER] = "takeover",
	[IPC_CONTROL_PRIORITY] = "priority", [IPC_CONTROL_GARP] = "garp",
};

/* ---- one instance --------------------------------------------------------------------------------- */

/* "for": how long. False: the request is answered and gone. */
static bool
read_for(struct api_req *r, const struct api_query *q, struct ipc_control *m)
{
	usec_t us;
	int err;

	if (!q->given)
		return true;
	err = duration_parse(q->value, &us);
	if (err == -ERANGE) {
		api_reply_error(r, 400, "wrong value", "for=%s is longer than ten years: leave it out, then it has no end",
				q->value);
		return false;
	}
	if (err < 0 || us == 0) {
		api_reply_error(r, 400, "wrong value",
				"for=%s is no duration: write a number with its unit, such as 30s, 10m or 2h", q->value);
		return false;
	}
	m->for_us = us;
	return true;
}

/* "value": a priority or "reset". False: the request is answered and gone. */
static bool
read_priority(struct api_req *r, const struct api_query *q, struct ipc_control *m)
{
	char *end;
	unsigned long n = strtoul(q->value, &end, 10);

	if (strcmp(q->value, "reset") == 0) {
		m->priority = 0;
		return true;
	}
	if (q->value[0] < '1' || q->value[0] > '9' || *end != '\0' || n >= VRRP_PRIORITY_OWNER) {
		api_reply_error(r, 400, "wrong value", "value=%s: a priority is 1 to %d, or \"reset\"", q->value,
				VRRP_PRIORITY_OWNER - 1);
		return false;
	}
	m->priority = (uint8_t)n;
	return true;
}

/* The query of a command: who takes which keys. */
static bool
read_command(struct api_req *r, enum ipc_control_verb verb, struct ipc_control *m)
{
	struct api_query q[] = {{.key = "for"}, {.key = "value"}};

	if (verb == IPC_CONTROL_PRIORITY)
		return api_query_read(r, q, 2) && read_priority(r, &q[1], m) && read_for(r, &q[0], m);
	if (verb == IPC_CONTROL_DRAIN || verb == IPC_CONTROL_TAKEOVER)
		return api_query_read(r, q, 1) && read_for(r, &q[0], m);
	return api_query_read(r, NULL, 0);
}

void
api_control_begin(struct api_req *r, enum ipc_control_verb verb)
{
	struct agent *a = api_agent(r);
	struct ipc_control m = {.verb = (uint8_t)verb};
	const struct agent_instance *inst;
	int err;

	if (a->conf == NULL) {
		api_reply_error(r, 503, "not yet", "no configuration has come from vrrpd yet");
		return;
	}
	inst = api_instance_of(r);
	if (inst == NULL || !read_command(r, verb, &m))
		return;
	r->verb = (uint8_t)verb;
	r->for_us = m.for_us;
	str_copy(r->name, sizeof(r->name), inst->c.name);
	api_wait(r, API_WAIT_CONTROL, CONTROL_DEADLINE_US);
	m.token = r->token;
	m.index = (uint32_t)(inst - a->conf->instances);
	err = agent_link_control(a, &m);
	if (err < 0)
		api_reply_error(api_unwait(r), 503, "engine does not answer", "the engine cannot be told: %s",
				strerror(-err));
}

/* Why the instance does not do it, and what to do about it. */
static void
reply_refusal(struct api_req *r, const struct ipc_control_reply *m)
{
	static const char error[] = "refused";
	char text[LIMIT_CAUSE_TEXT], addr[IP_ADDR_TEXT];

	switch ((enum elect_refusal)m->refusal) {
	case ELECT_REFUSAL_MODE:
		api_reply_error(r, 409, error,
				"%s: its store says who holds the addresses: change the leader there, or drain the node that "
				"has them",
				r->name);
		break;
	case ELECT_REFUSAL_OWNER:
		api_reply_error(r, 409, error, "%s has priority 255 here: the owner's is not changed by command", r->name);
		break;
	case ELECT_REFUSAL_DRAINED:
		api_reply_error(r, 409, error, "%s is drained here: vrrpctl resume %s first", r->name, r->name);
		break;
	case ELECT_REFUSAL_UNFIT:
		api_reply_error(r, 409, error, "%s is unfit here: %s", r->name,
				role_cause_text(&m->cause, text, sizeof(text)));
		break;
	case ELECT_REFUSAL_OUTRANKED:
		api_reply_error(r, 409, error,
				"%s advertises priority %u, which no command can exceed: on that host, vrrpctl resume %s if it "
				"was told to take over, or vrrpctl drain %s",
				ip_addr_format(&m->cause.addr, addr), m->cause.b, r->name, r->name);
		break;
	case ELECT_REFUSAL_NONE:
	case ELECT_REFUSAL_COUNT:
		api_reply_error(r, 409, error, "%s: the engine did not say why", r->name);
		break;
	}
}

static void
reply_done(struct api_req *r, const struct ipc_control_reply *m)
{
	struct json_out j;

	json_out_init(&j);
	json_out_open(&j, NULL, '{');
	json_out_text(&j, "name", r->name);
	json_out_text(&j, "done", verbs[r->verb]);
	json_out_text(&j, "state", role_state_name((enum role_state)m->state));
	json_out_bool(&j, "leaving", m->leaving);
	json_out_bool(&j, "drained", m->drained);
	json_out_bool(&j, "takeover", m->takeover);
	json_out_uint(&j, "priority", m->priority);
	if (r->for_us != 0)
		json_out_seconds(&j, "left_s", r->for_us);
	else
		json_out_null(&j, "left_s");
	json_out_close(&j, '}');
	api_reply_json(r, 200, &j);
}

void
api_control_reply(struct api *api, const struct ipc_control_reply *m)
{
	struct api_req *r = api_find_waiting(api, API_WAIT_CONTROL, m->token);

	if (r == NULL)
		return; /* it was given up */
	api_unwait(r);
	switch ((enum ipc_control_result)m->result) {
	case IPC_CONTROL_DONE:
		reply_done(r, m);
		break;
	case IPC_CONTROL_INACTIVE:
		api_reply_error(r, 409, "not possible now", "%s is not active here: only its active node announces",
				r->name);
		break;
	case IPC_CONTROL_REFUSED:
		reply_refusal(r, m);
		break;
	case IPC_CONTROL_BUSY:
	case IPC_CONTROL_RESULT_COUNT:
		api_reply_error(r, 503, "busy", "the engine is starting or changes its configuration: try again");
		break;
	}
}

/* ---- one check -------------------------------------------------------------------------------------- */

void
api_check_begin(struct api_req *r)
{
	struct agent *a = api_agent(r);
	char names[LIMIT_CAUSE_TEXT] = "";
	struct strbuf b;

	strbuf_init(&b, names, sizeof(names));
	for (uint32_t i = 0; i < checks_count(a->checks); i++) {
		const struct check *c = checks_get(a->checks, i);

		if (strcmp(c->def.conf.name, r->segment) == 0) {
			str_copy(r->name, sizeof(r->name), c->def.conf.name);
			api_wait(r, API_WAIT_CHECK, c->def.conf.timeout_us + CONTROL_DEADLINE_US);
			checks_run_now(a->checks, i);
			return;
		}
		strbuf_addf(&b, "%s%s", i > 0 ? ", " : "", c->def.conf.name);
	}
	api_reply_error(r, 404, "no such check", "no check is named \"%s\"; there are: %s%s", r->segment, names,
			b.cut ? "..." : "");
}

void
api_check_ended(struct api *api, const struct check *c)
{
	struct api_req *r;

	while ((r = api_find_waiting_check(api, c->def.conf.name)) != NULL) {
		struct json_out j;

		json_out_init(&j);
		json_out_open(&j, NULL, '{');
		json_out_text(&j, "name", c->def.conf.name);
		json_out_text(&j, "kind", check_kind_name((enum ipc_check_kind)c->def.conf.kind));
		json_out_text(&j, "state", check_state_name((enum ipc_check_state)c->state));
		json_out_text(&j, "last", c->last);
		json_out_uint(&j, "took_us", c->took_us);
		json_out_close(&j, '}');
		api_reply_json(api_unwait(r), 200, &j);
	}
}

/* ---- reload ------------------------------------------------------------------------------------------ */

/* The query of a reload: nothing, or check=1: say what it would change. False: the request is answered and gone. */
static bool
read_reload(struct api_req *r)
{
	struct api_query q = {.key = "check"};

	if (!api_query_read(r, &q, 1))
		return false;
	r->check = strcmp(q.value, "1") == 0;
	if (q.given && !r->check && strcmp(q.value, "0") != 0) {
		api_reply_error(r, 400, "wrong value", "check=%s: a reload takes check=1 or nothing; nothing was changed",
				q.value);
		return false;
	}
	return true;
}

void
api_reload_begin(struct api_req *r)
{
	struct ipc_reload m;
	int err;

	if (!read_reload(r))
		return;
	json_out_init(&r->lines);
	json_out_open(&r->lines, NULL, '[');
	api_wait(r, API_WAIT_RELOAD, RELOAD_DEADLINE_US);
	m = (struct ipc_reload){.token = r->token, .check = r->check};
	err = ipc_chan_send(&api_agent(r)->parent, IPC_RELOAD, &m, -1);
	if (err < 0)
		api_reply_error(api_unwait(r), 503, "vrrpd does not answer", "vrrpd cannot be told: %s",
				strerror(-err));
}

void
api_reload_line(struct api *api, const struct ipc_reload_line *m)
{
	struct api_req *r = api_find_waiting(api, API_WAIT_RELOAD, m->token);

	if (r != NULL && memchr(m->text, '\0', sizeof(m->text)) != NULL)
		json_out_text(&r->lines, NULL, m->text);
}

void
api_reload_done(struct api *api, const struct ipc_reload_done *m)
{
	struct api_req *r = api_find_waiting(api, API_WAIT_RELOAD, m->token);
	struct json_out j;
	char *lines;
	size_t len;

	if (r == NULL)
		return;
	api_unwait(r);
	json_out_close(&r->lines, ']');
	lines = json_out_take(&r->lines, &len);
	json_out_init(&j);
	json_out_open(&j, NULL, '{');
	if (m->ok) {
		json_out_bool(&j, "ok", true);
		json_out_bool(&j, "check", r->check);
		json_out_uint(&j, "changed", m->n_changed);
		json_out_uint(&j, "added", m->n_added);
		json_out_uint(&j, "removed", m->n_removed);
	} else {
		json_out_text(&j, "error", r->check ? "a reload would be refused" : "the configuration was not changed");
		json_out_text(&j, "detail", "the lines say why");
	}
	json_out_raw(&j, "lines", lines, len);
	free(lines);
	json_out_close(&j, '}');
	api_reply_json(r, m->ok ? 200 : 409, &j);
}
