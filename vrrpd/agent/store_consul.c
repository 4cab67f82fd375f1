/*
 * store_consul.c - kind "consul": the leader key in Consul's KV store, held by a session.
 *
 * Runs in vrrpd-agent under store_poll.c, which asks. consistent: the leader makes sure of its quorum before it answers.
 * The key has a leader while a session locks it; without one its value is left over.
 *
 * How long that lasts is not told. A session is renewed by its owner, and ends between one TTL and two after the last time;
 * /v1/session/info says the TTL but not when that was, so it may end right after an answer. LockDelay would hold back the
 * next one, but not when the leader resigns, and Patroni sets it to 1 ms. So an answer stands for as long as every answer
 * does (STORE_FRESH_US) and not for longer: with on_store_loss "hold_lease" the addresses stay for so long without Consul.
 * The session is not asked for: nothing of it would make that time longer.
 *
 * Facts of the interface: Consul's documentation of its HTTP API (KV store, blocking queries, consistency, sessions).
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "agent/base64.h"
#include "agent/net_http.h"
#include "agent/store_poll.h"
#include "agent/text.h"

static void
ask(const struct store *s, uint64_t index, struct strbuf *path)
{
	strbuf_addf(path, "v1/kv/");
	poll_add_key(path, s);
	strbuf_addf(path, "?consistent");
	if (index > 0)
		strbuf_addf(path, "&index=%llu&wait=30s", (unsigned long long)index); /* and up to 1/16 more */
}

static void
take_entry(const json_t *whole, const struct net_http_answer *a, struct poll_answer *ret)
{
	const json_t *entry = json_array_get(whole, 0);
	const char *session = json_string_value(json_object_get(entry, "Session"));
	const json_t *value = json_object_get(entry, "Value");
	size_t n = 0;

	if (!json_is_object(entry) || value == NULL || !(json_is_string(value) || json_is_null(value))) {
		poll_unavailable(ret, "the answer is none of Consul's KV store: it has no entry with a Value");
		return;
	}
	ret->index = poll_index(a);
	if (session == NULL || session[0] == '\0')
		return;
	/* null: an empty value */
	if (json_is_string(value) && (!base64_decode(json_string_value(value), ret->leader, sizeof(ret->leader), &n) ||
				      strlen(ret->leader) != n)) {
		poll_denied(ret, "no name", "the key holds no name: it is longer than %d octets, or binary", STORE_LEADER_MAX - 1);
		return;
	}
	ret->held = true;
	ret->lease_us = STORE_FRESH_US;
}

/* Consul says what is wrong as plain text. */
static void
take_error(const struct store *s, const struct net_http_answer *a, struct poll_answer *ret)
{
	char text[128];

	text_last_line(text, sizeof(text), a->body, a->len);
	if (a->status == 401 || a->status == 403)
		poll_denied(ret, "permission denied", store_text(s, "password", 0) != NULL
								? "Consul refuses the token (%s): mend password_file, or grant it key:read"
								: "Consul wants a token (%s): write password_file",
			    text);
	else if (strstr(text, "No cluster leader") != NULL)
		poll_unavailable(ret, "No cluster leader: more than half of Consul's servers must run and reach each other");
	else if (a->status == 400)
		poll_denied(ret, "refused", "HTTP status 400: %s: mend key", text);
	else
		poll_unavailable(ret, "HTTP status %d: %s", a->status, text[0] != '\0' ? text : "no word why");
}

static void
judge(const struct store *s, const struct net_http_answer *a, bool polled, struct poll_answer *ret)
{
	json_t *whole;

	(void)polled;
	if (a->status == 404 && a->header != NULL) { /* no such key */
		ret->index = poll_index(a);
		return;
	}
	if (a->status == 404) {
		poll_denied(ret, "no Consul", "this is no Consul (HTTP status 404 without X-Consul-Index): mend endpoints");
		return;
	}
	if (a->status != 200) {
		take_error(s, a, ret);
		return;
	}
	whole = json_loadb(a->body, a->len, 0, NULL);
	if (json_is_array(whole))
		take_entry(whole, a, ret);
	else
		poll_unavailable(ret, "HTTP status 200, and no JSON of Consul's");
	json_decref(whole);
}

const struct poll_kind store_consul_kind = {
	.name = "Consul",
	.index_header = "X-Consul-Index",
	.token_header = "X-Consul-Token",
	.ask = ask,
	.judge = judge,
};

static void
start(struct store *s)
{
	store_poll_start(s, &store_consul_kind);
}

const struct store_ops store_consul_ops = {.name = "consul", .start = start, .free = store_poll_free};
