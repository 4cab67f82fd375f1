/*
 * etcd3.c - what answers of etcd's JSON gateway say; see etcd3.h. Runs in vrrpd-agent, under store_etcd3.c.
 *
 * 64-bit numbers are strings there, and what is zero is left out.
 */
#include "agent/etcd3.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base64.h"
#include "agent/text.h"
#include "base/strbuf.h"

/* Codes of gRPC that matter here. */
enum grpc { GRPC_INVALID = 3, GRPC_DENIED = 7, GRPC_PRECONDITION = 9, GRPC_UNIMPLEMENTED = 12, GRPC_UNAUTHENTICATED = 16 };

static uint64_t
number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (json_is_string(v))
		return strtoull(json_string_value(v), NULL, 10);
	return (uint64_t)json_integer_value(v);
}

static void
take_header(const json_t *o, struct etcd3_answer *ret)
{
	const json_t *h = json_object_get(o, "header");

	ret->header = (struct etcd3_header){
		.cluster = number(h, "cluster_id"), .term = number(h, "raft_term"), .revision = number(h, "revision")};
}

static void
take_kv(const json_t *kv, struct etcd3_answer *ret)
{
	const char *value = json_string_value(json_object_get(kv, "value"));
	size_t n = 0;

	ret->has_key = true;
	ret->key = (struct etcd3_key){.there = true, .lease = number(kv, "lease"), .mod_revision = number(kv, "mod_revision")};
	if (value == NULL)
		return; /* an empty value is left out */
	if (base64_decode(value, ret->key.value, sizeof(ret->key.value), &n) && strlen(ret->key.value) == n)
		return;
	ret->kind = ETCD3_DENIED;
	str_copy(ret->text, sizeof(ret->text), "the key holds no name: it is longer than 255 octets, or binary");
}

static void
take_range(const json_t *range, struct etcd3_answer *ret)
{
	const json_t *kv = json_array_get(json_object_get(range, "kvs"), 0);

	ret->has_key = true;
	ret->key = (struct etcd3_key){0};
	if (kv != NULL)
		take_kv(kv, ret);
}

static void
take_txn(const json_t *o, struct etcd3_answer *ret)
{
	const json_t *first = json_array_get(json_object_get(o, "responses"), 0);
	const json_t *range = json_object_get(first, "response_range");

	ret->succeeded = json_is_true(json_object_get(o, "succeeded"));
	if (range != NULL)
		take_range(range, ret);
}

static bool
has(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

static enum etcd3_kind
kind_of(uint64_t code, const char *text)
{
	if (code == GRPC_UNAUTHENTICATED || has(text, "auth token") || has(text, "user name is empty") ||
	    has(text, "revision of auth store is old"))
		return ETCD3_AUTH;
	if (code == GRPC_INVALID || code == GRPC_DENIED || code == GRPC_PRECONDITION || has(text, "permission denied"))
		return ETCD3_DENIED;
	return code == GRPC_UNIMPLEMENTED ? ETCD3_NO_GATEWAY : ETCD3_UNAVAILABLE;
}

/* An error, as it is written by versions from 3.3 on. */
static void
take_error(const json_t *o, struct etcd3_answer *ret)
{
	static const char *const names[] = {"message", "error", "Error"};
	const json_t *code = json_object_get(o, "code");
	const char *text = NULL;

	if (code == NULL)
		code = json_object_get(o, "Code");
	if (code == NULL)
		code = json_object_get(o, "grpc_code");
	for (size_t i = 0; i < ARRAY_SIZE(names) && text == NULL; i++)
		text = json_string_value(json_object_get(o, names[i]));
	if (text != NULL)
		text_last_line(ret->text, sizeof(ret->text), text, strlen(text));
	ret->kind = kind_of((uint64_t)json_integer_value(code), ret->text);
}

void
etcd3_parse(int status, const char *body, size_t len, struct etcd3_answer *ret)
{
	json_t *whole = json_loadb(body, len, JSON_DISABLE_EOF_CHECK, NULL);
	const json_t *o = json_object_get(whole, "result"); /* an element of a stream */
	const char *token;

	o = o != NULL ? o : whole;
	*ret = (struct etcd3_answer){.kind = ETCD3_OK};
	if (status == 200 && json_is_object(o)) {
		take_header(o, ret);
		if (json_object_get(o, "responses") != NULL || json_object_get(o, "succeeded") != NULL)
			take_txn(o, ret);
		else
			take_range(o, ret);
		ret->lease = number(o, "ID");
		ret->ttl = (int64_t)number(o, "TTL");
		token = json_string_value(json_object_get(o, "token"));
		if (token != NULL && strlen(token) < sizeof(ret->token)) /* a part of one is none */
			str_copy(ret->token, sizeof(ret->token), token);
	} else if (json_is_object(o)) {
		take_error(o, ret);
	} else {
		ret->kind = status == 404 || status == 200 ? ETCD3_NO_GATEWAY : ETCD3_UNAVAILABLE;
		snprintf(ret->text, sizeof(ret->text), "HTTP status %d, and no JSON", status);
	}
	json_decref(whole);
}

/* Why the server ended the watch. */
static void
take_cancel(const json_t *result, struct etcd3_answer *ret)
{
	const char *why = json_string_value(json_object_get(result, "cancel_reason"));

	text_last_line(ret->text, sizeof(ret->text), why != NULL ? why : "the watch was cancelled",
		       why != NULL ? strlen(why) : strlen("the watch was cancelled"));
	ret->kind = number(result, "compact_revision") > 0 ? ETCD3_COMPACTED : kind_of(0, ret->text);
}

/* The last one of them counts: they are in order. */
static void
take_events(const json_t *events, struct etcd3_answer *ret)
{
	const json_t *last = json_array_get(events, json_array_size(events) - 1);
	const char *type = json_string_value(json_object_get(last, "type"));

	ret->has_key = true;
	ret->key = (struct etcd3_key){0};
	if (type != NULL && strcmp(type, "DELETE") == 0)
		ret->key.mod_revision = number(json_object_get(last, "kv"), "mod_revision");
	else
		take_kv(json_object_get(last, "kv"), ret);
}

void
etcd3_parse_event(const char *line, size_t len, struct etcd3_answer *ret)
{
	json_t *whole = json_loadb(line, len, 0, NULL);
	const json_t *result = json_object_get(whole, "result"), *error = json_object_get(whole, "error");
	const json_t *events = json_object_get(result, "events");

	*ret = (struct etcd3_answer){.kind = ETCD3_OK};
	if (error != NULL) {
		take_error(json_is_object(error) ? error : whole, ret);
	} else if (result == NULL) {
		ret->kind = ETCD3_UNAVAILABLE;
		str_copy(ret->text, sizeof(ret->text), "the watch said something that is no event");
	} else {
		take_header(result, ret);
		if (json_is_true(json_object_get(result, "canceled")))
			take_cancel(result, ret);
		else if (json_array_size(events) > 0)
			take_events(events, ret);
	}
	json_decref(whole);
}
