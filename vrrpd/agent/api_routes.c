/*
 * api_routes.c - the table of routes and what each one answers.
 *
 * Runs in vrrpd-agent under api.c. A new route is a row and a handler here (or in a file of its own when it is
 * large).
 */
#include "agent/api_int.h"

#include <string.h>

#include "agent/agent.h"
#include "base/strbuf.h"

static void
get_status(struct api_req *r, const struct snap *s)
{
	struct api_query q = {.key = "counters"};

	if (!api_query_read(r, &q, 1))
		return;
	if (q.given && strcmp(q.value, "0") != 0 && strcmp(q.value, "1") != 0)
		api_reply_error(r, 400, "bad query", "counters takes 0 or 1");
	else
		api_reply_shared(r, strcmp(q.value, "0") == 0 ? API_SHARED_STATUS_BRIEF : API_SHARED_STATUS, s);
}

static void
get_metrics(struct api_req *r, const struct snap *s)
{
	api_reply_shared(r, API_SHARED_METRICS, s);
}

const struct agent_instance *
api_instance_of(struct api_req *r)
{
	const struct agent_conf *conf = r->agent->conf;
	const struct agent_instance *inst = agent_conf_find(conf, r->segment);
	char names[LIMIT_CAUSE_TEXT];
	struct strbuf b;

	if (inst != NULL)
		return inst;
	strbuf_init(&b, names, sizeof(names));
	for (uint32_t i = 0; i < conf->begin.n_instances && !b.cut; i++)
		strbuf_addf(&b, "%s%s", i > 0 ? ", " : "", conf->instances[i].c.name);
	api_reply_error(r, 404, "no such instance", "no instance is named \"%s\"; there are: %s%s", r->segment,
			names, b.cut ? "..." : "");
	return NULL;
}

static void
get_instance(struct api_req *r, const struct snap *s)
{
	const struct agent *a = r->agent;
	const struct agent_instance *inst = api_instance_of(r);
	struct json_out j;

	if (inst == NULL)
		return;
	json_out_init(&j);
	api_instance_json(&j, a, s, (uint32_t)(inst - a->conf->instances), true);
	api_reply_json(r, 200, &j);
}

static void
get_explain(struct api_req *r, const struct snap *s)
{
	const struct agent *a = r->agent;
	const struct agent_instance *inst = api_instance_of(r);
	struct api_view v;
	struct json_out j;

	if (inst == NULL)
		return;
	v = api_view_of(a, s, (uint32_t)(inst - a->conf->instances));
	json_out_init(&j);
	api_explain_json(&j, &v);
	api_reply_json(r, 200, &j);
}

static void
get_active(struct api_req *r, const struct snap *s)
{
	const struct agent_instance *inst = api_instance_of(r);
	struct json_out j;
	uint8_t state;

	if (inst == NULL)
		return;
	state = s->instances[inst - r->agent->conf->instances].state;
	json_out_init(&j);
	json_out_open(&j, NULL, '{');
	json_out_text(&j, "name", inst->c.name);
	json_out_bool(&j, "active", state == ROLE_STATE_ACTIVE);
	json_out_text(&j, "state", role_state_name(state));
	json_out_close(&j, '}');
	api_reply_json(r, state == ROLE_STATE_ACTIVE ? 200 : 503, &j);
}

static void
get_healthz(struct api_req *r, const struct snap *s)
{
	struct json_out j;

	(void)s;
	json_out_init(&j);
	json_out_open(&j, NULL, '{');
	json_out_text(&j, "status", "ok");
	json_out_close(&j, '}');
	api_reply_json(r, 200, &j);
}

static void
get_events(struct api_req *r, const struct snap *s)
{
	(void)s;
	api_events_begin(r);
}

static void
get_config(struct api_req *r, const struct snap *s)
{
	(void)s;
	api_reply_config(r);
}

static void
post_drain(struct api_req *r, const struct snap *s)
{
	(void)s;
	api_control_begin(r, IPC_CONTROL_DRAIN);
}

static void
post_resume(struct api_req *r, const struct snap *s)
{
	(void)s;
	api_control_begin(r, IPC_CONTROL_RESUME);
}

static void
post_takeover(struct api_req *r, const struct snap *s)
{
	(void)s;
	api_control_begin(r, IPC_CONTROL_TAKEOVER);
}

static void
post_priority(struct api_req *r, const struct snap *s)
{
	(void)s;
	api_control_begin(r, IPC_CONTROL_PRIORITY);
}

static void
post_garp(struct api_req *r, const struct snap *s)
{
	(void)s;
	api_control_begin(r, IPC_CONTROL_GARP);
}

static void
post_check(struct api_req *r, const struct snap *s)
{
	(void)s;
	api_check_begin(r);
}

static void
post_reload(struct api_req *r, const struct snap *s)
{
	(void)s;
	api_reload_begin(r);
}

static const struct api_route routes[] = {
	{API_METHOD_GET, "/", false, false, api_page_get},
	{API_METHOD_GET, "/v1/status", false, true, get_status},
	{API_METHOD_GET, "/v1/instances/*", false, true, get_instance},
	{API_METHOD_GET, "/v1/instances/*/explain", false, true, get_explain},
	{API_METHOD_GET, "/v1/instances/*/active", false, true, get_active},
	{API_METHOD_POST, "/v1/instances/*/drain", true, false, post_drain},
	{API_METHOD_POST, "/v1/instances/*/resume", true, false, post_resume},
	{API_METHOD_POST, "/v1/instances/*/takeover", true, false, post_takeover},
	{API_METHOD_POST, "/v1/instances/*/priority", true, false, post_priority},
	{API_METHOD_POST, "/v1/instances/*/garp", true, false, post_garp},
	{API_METHOD_POST, "/v1/checks/*/run", true, false, post_check},
	{API_METHOD_POST, "/v1/reload", true, false, post_reload},
	{API_METHOD_GET, "/v1/events", false, false, get_events},
	{API_METHOD_GET, "/v1/config", false, false, get_config},
	{API_METHOD_GET, "/metrics", false, true, get_metrics},
	{API_METHOD_GET, "/healthz", false, true, get_healthz},
};

/* The value of a hexadecimal digit, or -1. */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/*
 * Decode len octets at p (RFC 3986 2.1) into ret of API_SEGMENT_MAX octets. False when the result is empty, too
 * long, or holds a NUL, or a percent sign leads nowhere.
 */
static bool
decode_segment(const char *p, size_t len, char *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)p[i];

		if (c == '%') {
			int high = i + 2 < len ? hex_digit(p[i + 1]) : -1;
			int low = i + 2 < len ? hex_digit(p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = high * 16 + low;
			i += 2;
		}
		if (c == '\0' || n + 1 >= API_SEGMENT_MAX)
			return false;
		ret[n++] = (char)c;
	}
	ret[n] = '\0';
	return n > 0;
}

/* Does the path fit the pattern? What "*" stands for goes to ret_segment. */
static bool
match(const char *pattern, const char *path, char *ret_segment)
{
	while (*pattern != '\0' && *pattern != '*') {
		if (*pattern++ != *path++)
			return false;
	}
	if (*pattern == '*') {
		size_t n = strcspn(path, "/");

		return strcmp(pattern + 1, path + n) == 0 && decode_segment(path, n, ret_segment);
	}
	return *path == '\0';
}

const struct api_route *
api_route_find(enum api_method method, const char *path, char *ret_segment, const char **ret_allow)
{
	*ret_allow = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		const struct api_route *t = &routes[i];

		if (!match(t->pattern, path, ret_segment))
			continue;
		if (method == t->method)
			return t;
		*ret_allow = t->method == API_METHOD_GET ? "GET, HEAD" : "POST";
	}
	return NULL;
}
