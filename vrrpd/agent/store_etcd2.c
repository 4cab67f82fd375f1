/*
 * store_etcd2.c - kind "etcd2": the leader key of the keys API of etcd v2 (up to 3.5, there with --enable-v2).
 *
 * Runs in vrrpd-agent under store_poll.c, which asks. quorum=true goes through the members' log, so an answer proves that
 * most of them agree on it; X-Etcd-Index says up to where, and a long poll goes on right behind it.
 *
 * Facts of the interface: etcd's documentation of its v2 API (v2/api.md, v2/errorcode.md, v2/auth_api.md).
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "agent/net_http.h"
#include "agent/store_poll.h"
#include "agent/text.h"

/* Error codes that matter here. */
enum { KEY_NOT_FOUND = 100, UNAUTHORIZED = 110, INDEX_CLEARED = 401 };

static void
ask(const struct store *s, uint64_t index, struct strbuf *path)
{
	strbuf_addf(path, "v2/keys/");
	poll_add_key(path, s);
	if (index == 0)
		strbuf_addf(path, "?quorum=true");
	else
		strbuf_addf(path, "?wait=true&waitIndex=%llu", (unsigned long long)index + 1);
}

static uint64_t
number(const json_t *o, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(o, name));

	return n > 0 ? (uint64_t)n : 0;
}

/*
 * How long the key lasts: ttl is what is left, rounded up to whole seconds, by the clock of the member that answers. The
 * time of day in `expiration` would need this host's clock to agree, too. Without one: while it is fresh.
 */
static usec_t
lease_of(const json_t *node)
{
	uint64_t ttl = MIN(number(node, "ttl"), UINT32_MAX);

	return ttl > 0 ? (ttl - 1) * USEC_PER_SEC : STORE_FRESH_US;
}

static void
take_value(const json_t *node, struct poll_answer *ret)
{
	const char *value = json_string_value(json_object_get(node, "value"));

	if (json_is_true(json_object_get(node, "dir")))
		poll_denied(ret, "a folder", "the key is a folder: write the path of the leader key, e.g. /service/batman/leader");
	else if (value == NULL)
		poll_unavailable(ret, "the answer has a node without a value");
	else if (!str_copy(ret->leader, sizeof(ret->leader), value))
		poll_denied(ret, "no name", "the key holds no name: it is longer than %d octets", STORE_LEADER_MAX - 1);
	else
		ret->held = true;
}

/* The key as it is, or an event: what happened to it. */
static void
take_node(const json_t *whole, const struct net_http_answer *a, bool polled, struct poll_answer *ret)
{
	static const char *const gone[] = {"delete", "expire", "compareAndDelete"};
	const json_t *node = json_object_get(whole, "node");
	const char *action = json_string_value(json_object_get(whole, "action"));
	bool there = true;

	if (!json_is_object(node) || action == NULL) {
		poll_unavailable(ret, "the answer is none of etcd v2: it has no action or no node");
		return;
	}
	ret->index = polled ? number(node, "modifiedIndex") : poll_index(a);
	for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
		there = there && strcmp(action, gone[i]) != 0;
	if (!there)
		return;
	ret->lease_us = lease_of(node);
	take_value(node, ret);
}

static void
take_error(const struct store *s, const json_t *whole, const struct net_http_answer *a, struct poll_answer *ret)
{
	const char *message = json_string_value(json_object_get(whole, "message"));
	const char *user = store_text(s, "username", 0);
	uint64_t code = number(whole, "errorCode");
	char text[128];

	text_last_line(text, sizeof(text), message != NULL ? message : "", message != NULL ? strlen(message) : 0);
	if (code == KEY_NOT_FOUND)
		ret->index = poll_index(a);
	else if (code == INDEX_CLEARED)
		ret->result = POLL_NOTHING;
	else if (code == UNAUTHORIZED || a->status == 401)
		poll_denied(ret, user != NULL ? "wrong password" : "a user is wanted",
			    user != NULL ? "etcd does not let user \"%s\" read the key: mend username or password_file, or grant its role reading it"
					 : "etcd wants a user%s: write username and password_file",
			    user != NULL ? user : "");
	else
		poll_unavailable(ret, "HTTP status %d: %s", a->status, text[0] != '\0' ? text : "no word why");
}

static void
judge(const struct store *s, const struct net_http_answer *a, bool polled, struct poll_answer *ret)
{
	json_t *whole;

	if (polled && a->status == 200 && a->len == 0) {
		ret->result = POLL_NOTHING; /* the server closed the poll */
		return;
	}
	whole = json_loadb(a->body, a->len, 0, NULL);
	if (!json_is_object(whole) && a->status == 404)
		poll_denied(ret, "no keys API", "it has no keys API of etcd v2: start etcd (up to 3.5) with --enable-v2, or write store "
						"= \"etcd3\" if whoever writes the key speaks v3");
	else if (!json_is_object(whole))
		poll_unavailable(ret, "HTTP status %d, and no JSON", a->status);
	else if (a->status == 200 || a->status == 201)
		take_node(whole, a, polled, ret);
	else
		take_error(s, whole, a, ret);
	json_decref(whole);
}

const struct poll_kind store_etcd2_kind = {
	.name = "etcd v2",
	.index_header = "X-Etcd-Index",
	.ask = ask,
	.judge = judge,
};

static void
start(struct store *s)
{
	store_poll_start(s, &store_etcd2_kind);
}

const struct store_ops store_etcd2_ops = {.name = "etcd2", .start = start, .free = store_poll_free};
