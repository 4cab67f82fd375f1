/*
 * store_etcd3_call.c - kind "etcd3": calls to members of etcd, and what is wrong with their answers as sentences.
 *
 * Runs in vrrpd-agent under store_etcd3.c. A call has one answer, or none within ETCD3_ANSWER_US; a stream's first piece must have
 * come by then.
 */
#include "agent/store_etcd3.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "sys/clock.h"

static void
on_answer(void *arg, const struct net_http_answer *a)
{
	struct etcd3_call *c = arg;
	struct etcd3 *e = c->etcd;
	struct etcd3_answer answer = {.kind = ETCD3_UNAVAILABLE};

	if (c->timer != NULL)
		loop_timer_set(c->timer, MONO_NEVER);
	if (a->error != NULL) {
		str_copy(answer.text, sizeof(answer.text), a->error);
	} else {
		etcd3_parse(a->status, a->body, a->len, &answer);
		store_answered(e->s, c->asked_us);
	}
	c->busy = false;
	c->done(e, c, &answer);
}

static void
on_timeout(void *arg, mono_t now)
{
	struct etcd3_call *c = arg;
	struct etcd3_answer answer = {.kind = ETCD3_UNAVAILABLE, .text = "no answer"};

	(void)now;
	net_http_cancel(c->req);
	c->busy = false;
	c->done(c->etcd, c, &answer);
}

void
etcd3_call_free(struct etcd3_call *c)
{
	net_http_req_free(TAKE(c->req));
	loop_timer_del(TAKE(c->timer));
	c->busy = false;
}

static void
make_request(struct etcd3 *e, struct etcd3_call *c, const char *path, const char *body, bool lasting)
{
	struct store *s = e->s;
	char authorization[sizeof(e->token) + 32];
	const char *headers[4] = {"Grpc-Metadata-Hasleader: true"};
	struct net_http_ask ask;

	store_http_ask(s, store_text(s, "endpoints", c->endpoint % e->n_endpoints), &ask);
	ask.path = path;
	ask.post = body;
	ask.keep = !lasting;
	ask.lasting = true;
	ask.headers = headers;
	ask.on_piece = lasting ? etcd3_on_piece : NULL;
	if (e->token[0] != '\0' && strstr(path, "authenticate") == NULL) {
		snprintf(authorization, sizeof(authorization), "Authorization: %s", e->token);
		headers[1] = authorization;
	}
	net_http_req_free(c->req);
	c->req = net_http_req_new(store_http(s), &ask, on_answer, c);
	explicit_bzero(authorization, sizeof(authorization));
}

static void
begin(struct etcd3 *e, struct etcd3_call *c, etcd3_done_fn *done)
{
	ASSERT(!c->busy);
	c->etcd = e;
	c->done = done;
	c->busy = true;
	if (c->timer == NULL)
		c->timer = loop_timer_add(store_loop(e->s), on_timeout, c);
	loop_timer_set(c->timer, mono_add(loop_now(store_loop(e->s)), ETCD3_ANSWER_US));
	c->asked_us = clock_boot_us();
}

void
etcd3_call(struct etcd3 *e, struct etcd3_call *c, const char *path, const char *body, etcd3_done_fn *done)
{
	begin(e, c, done);
	make_request(e, c, path, body, false);
	net_http_send(c->req);
}

void
etcd3_stream(struct etcd3 *e, struct etcd3_call *c, const char *path, const char *body, etcd3_done_fn *done)
{
	begin(e, c, done);
	make_request(e, c, path, body, true);
	net_http_send(c->req);
}

/* ---- what is wrong ---------------------------------------------------------------------------------------- */

const char *
etcd3_endpoint(const struct etcd3 *e, const struct etcd3_call *c)
{
	return store_text(e->s, "endpoints", c->endpoint % e->n_endpoints);
}

void
etcd3_tell_trouble(struct etcd3 *e, const struct etcd3_call *c, const struct etcd3_answer *a)
{
	const char *key = store_text(e->s, "key", 0), *user = store_text(e->s, "username", 0);
	const char *at = etcd3_endpoint(e, c);

	if (a->kind == ETCD3_NO_GATEWAY)
		store_fail(e->s, ELECT_FACT_DENIED, "no gateway",
			   "%s has no JSON gateway of etcd v3 (%s): start etcd with --enable-grpc-gateway, or write its client URL",
			   at, a->text);
	else if (a->kind == ETCD3_AUTH && user == NULL)
		store_fail(e->s, ELECT_FACT_DENIED, "a user is wanted",
			   "etcd wants a user (%s): write username and password_file", a->text);
	else if (a->kind == ETCD3_DENIED && strstr(a->text, "authentication failed") != NULL)
		store_fail(e->s, ELECT_FACT_DENIED, "wrong password",
			   "etcd does not know user \"%s\" with this password: mend username or password_file", user != NULL ? user : "");
	else if (a->kind == ETCD3_DENIED && strstr(a->text, "permission denied") != NULL)
		store_fail(e->s, ELECT_FACT_DENIED, "permission denied",
			   "user \"%s\" of etcd has not the rights for key %s: grant its role %s", user != NULL ? user : "(none)",
			   key, e->s->lease ? "reading and writing it" : "reading it");
	else if (a->kind == ETCD3_DENIED)
		store_fail(e->s, ELECT_FACT_DENIED, "refused", "%s: %s", at, a->text);
	else if (strstr(a->text, "certificate") != NULL)
		store_fail(e->s, ELECT_FACT_LOST, "no trust",
			   "no endpoint of etcd is to be trusted, or trusts this node: %s: %s: renew the certificate, or mend tls", at,
			   a->text);
	else
		store_fail(e->s, ELECT_FACT_LOST, "no answer", "no endpoint of etcd answers with a quorum: %s: %s", at, a->text);
}
