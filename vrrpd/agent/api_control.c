/*
 * api_control.c - requests that change something: drain, resume, announce again, reload.
 *
 * Runs in vrrpd-agent under api.c. A request goes on to the engine or to vrrpd under a token and waits for the
 * answer with that token; nothing here decides.
 */
#include "agent/api_int.h"

#include <errno.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/agent_link.h"
#include "agent/api.h"
#include "base/strbuf.h"

#define CONTROL_DEADLINE_US (2 * USEC_PER_SEC)
#define RELOAD_DEADLINE_US  (20 * USEC_PER_SEC) /* longer than vrrpd gives the engine and us together */

static const char *const verbs[IPC_CONTROL_VERB_COUNT] = {
	[IPC_CONTROL_DRAIN] = "drain",
	[IPC_CONTROL_RESUME] = "resume",
	[IPC_CONTROL_GARP] = "garp",
};

/* ---- one instance --------------------------------------------------------------------------------- */

void
api_control_begin(struct api_req *r, enum ipc_control_verb verb)
{
	struct agent *a = api_agent(r);
	const struct agent_instance *inst;
	int err;

	if (a->conf == NULL) {
		api_reply_error(r, 503, "not yet", "no configuration has come from vrrpd yet");
		return;
	}
	inst = api_instance_of(r);
	if (inst == NULL)
		return;
	r->verb = (uint8_t)verb;
	str_copy(r->name, sizeof(r->name), inst->c.name);
	api_wait(r, API_WAIT_CONTROL, CONTROL_DEADLINE_US);
	err = agent_link_control(a, r->token, (uint32_t)(inst - a->conf->instances), verb);
	if (err < 0)
		api_reply_error(api_unwait(r), 503, "engine does not answer", "the engine cannot be told: %s",
				strerror(-err));
}

void
api_control_reply(struct api *api, const struct ipc_control_reply *m)
{
	struct api_req *r = api_find_waiting(api, API_WAIT_CONTROL, m->token);
	struct json_out j;

	if (r == NULL)
		return; /* it was given up */
	api_unwait(r);
	if (m->err == EAGAIN) {
		api_reply_error(r, 503, "busy",
				"the engine is starting or changes its configuration: try again");
	} else if (m->err != 0) {
		api_reply_error(r, 409, "not possible now",
				"%s is not active here: only its active node announces", r->name);
	} else {
		json_out_init(&j);
		json_out_open(&j, NULL, '{');
		json_out_text(&j, "name", r->name);
		json_out_text(&j, "done", verbs[r->verb]);
		json_out_close(&j, '}');
		api_reply_json(r, 200, &j);
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

/* The query of a reload: none, or check=1. 1 for a check only, 0 not, -EINVAL for anything else. */
static int
reload_query(const struct api_req *r)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(r->http);
	const char *query = uri != NULL ? evhttp_uri_get_query(uri) : NULL;

	if (query == NULL || *query == '\0' || strcmp(query, "check=0") == 0)
		return 0;
	return strcmp(query, "check=1") == 0 ? 1 : -EINVAL;
}

void
api_reload_begin(struct api_req *r)
{
	struct ipc_reload m;
	int check = reload_query(r), err;

	if (check < 0) {
		api_reply_error(r, 400, "bad query", "a reload takes check=1 or nothing: nothing was changed");
		return;
	}
	r->check = check > 0;
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
