/*
 * store_etcd3_lease.c - an own key with a lease: mode "lease" on etcd v3.
 *
 * Runs in vrrpd-agent. Who wants the lease and finds the key gone takes a lease and creates the key in one transaction
 * if nobody else did; who is better placed does so sooner. It is renewed at a third of its time, and counts from before
 * the request was sent. A key with this node's name is its own also when an agent before made it: it is gone on with.
 * Given back by revoking: the key goes at once, and the next one sees it by its watch.
 */
#include "agent/store_etcd3.h"

#include <stdio.h>
#include <string.h>

#include "agent/base64.h"
#include "base/strbuf.h"
#include "sys/clock.h"
#include "sys/log.h"

/* For each step of priority below 254: who has more is first. That long nobody has the address when it is given back. */
#define RANK_US	     250
#define MARGIN_PART  10 /* of the ttl */
#define TRY_AGAIN_US (200 * USEC_PER_MS)

static usec_t
ttl_us(const struct etcd3 *e)
{
	return (usec_t)store_number(e->s, "ttl", 5 * USEC_PER_SEC);
}

static bool
key_is_own(const struct etcd3 *e)
{
	return e->key.there && strcmp(e->key.value, store_text(e->s, "value", 0)) == 0;
}

static bool
wants(const struct etcd3 *e)
{
	return e->s->wanted && !store_stopping(e->s);
}

static void
wake_in(struct etcd3 *e, usec_t us)
{
	loop_timer_set(e->lease.timer, mono_add(loop_now(store_loop(e->s)), us));
}

/* Who is better placed is first; with an arbiter VRRP has seen to that. */
static usec_t
rank_us(const struct etcd3 *e)
{
	return e->s->elected ? 0 : (254 - MIN(e->s->priority, 254u)) * RANK_US;
}

/* The addresses go a tenth sooner: so much slower may this host's clock be, or this host late, and nobody is disturbed. */
static void
confirm(struct etcd3 *e, uint64_t asked_us)
{
	store_confirm(e->s, store_text(e->s, "value", 0), asked_us, e->lease.until_us - ttl_us(e) / MARGIN_PART);
}

/* The lease is over, or the key somebody else's. */
static void
forget(struct etcd3 *e)
{
	e->lease.id = 0;
	e->lease.held = false;
	e->lease.until_us = 0;
}

/* ---- giving it back ------------------------------------------------------------------------------------- */

static void on_revoked(struct etcd3 *e, struct etcd3_call *c, const struct etcd3_answer *a);

static void
revoke(struct etcd3 *e, uint64_t id)
{
	char body[64];

	snprintf(body, sizeof(body), "{\"ID\":\"%llu\"}", (unsigned long long)id);
	etcd3_call(e, &e->lease.call, "v3/lease/revoke", body, on_revoked);
}

static void
on_revoked(struct etcd3 *e, struct etcd3_call *c, const struct etcd3_answer *a)
{
	if (a->kind == ETCD3_UNAVAILABLE && e->lease.revoking != 0 && ++e->lease.revoked_at < e->n_endpoints) {
		c->endpoint = (c->endpoint + 1) % e->n_endpoints;
		revoke(e, e->lease.revoking);
		return;
	}
	e->lease.revoking = 0;
	if (a->kind != ETCD3_OK)
		log_info("%s: the lease could not be given back (%s): it ends by itself", e->s->instance, a->text);
	forget(e);
	store_left(e->s);
	if (wants(e))
		wake_in(e, 0);
}

static void
give_back(struct etcd3 *e)
{
	struct etcd3_lease *l = &e->lease;
	uint64_t id = l->id != 0 ? l->id : key_is_own(e) ? e->key.lease : 0;

	if (id == 0) {
		store_left(e->s);
		return;
	}
	etcd3_call_free(&l->call);
	etcd3_call_free(&l->renew);
	l->held = false;
	l->call.endpoint = e->probe.endpoint;
	l->revoking = id;
	l->revoked_at = 0;
	revoke(e, id);
}

/* ---- renewing ---------------------------------------------------------------------------------------------- */

static void
on_renewed(struct etcd3 *e, struct etcd3_call *c, const struct etcd3_answer *a)
{
	struct etcd3_lease *l = &e->lease;

	if (a->kind == ETCD3_OK && a->ttl > 0) {
		l->asked_us = c->asked_us;
		l->until_us = c->asked_us + (uint64_t)a->ttl * USEC_PER_SEC;
		if (l->held)
			confirm(e, c->asked_us);
		wake_in(e, ttl_us(e) / 3);
		return;
	}
	if (a->kind == ETCD3_OK) {
		log_warning("%s: the lease was over before it was renewed", e->s->instance);
		forget(e);
	} else {
		(void)etcd3_wants_token(e, a);
		c->endpoint = (c->endpoint + 1) % e->n_endpoints;
	}
	wake_in(e, TRY_AGAIN_US);
}

static void
renew(struct etcd3 *e)
{
	char body[64];

	if (e->lease.renew.busy)
		return;
	snprintf(body, sizeof(body), "{\"ID\":\"%llu\"}", (unsigned long long)e->lease.id);
	etcd3_call(e, &e->lease.renew, "v3/lease/keepalive", body, on_renewed);
}

/* ---- trying for it ----------------------------------------------------------------------------------------- */

static void
on_txn(struct etcd3 *e, struct etcd3_call *c, const struct etcd3_answer *a)
{
	struct etcd3_lease *l = &e->lease;

	if (a->kind != ETCD3_OK) {
		/* Perhaps it was done all the same: what is read next tells, by our name in the key. */
		(void)etcd3_wants_token(e, a);
		if (a->kind == ETCD3_DENIED)
			etcd3_tell_trouble(e, c, a);
		wake_in(e, TRY_AGAIN_US);
		return;
	}
	if (!wants(e)) {
		give_back(e);
	} else if (a->succeeded) {
		l->held = true;
		e->key = (struct etcd3_key){.there = true, .lease = l->id, .mod_revision = a->header.revision};
		str_copy(e->key.value, sizeof(e->key.value), store_text(e->s, "value", 0));
		e->mod_revision = MAX(e->mod_revision, a->header.revision);
		e->s->revision = a->header.revision;
		confirm(e, l->asked_us);
		wake_in(e, ttl_us(e) / 3);
	} else {
		/* Somebody else was sooner; this lease holds nothing and ends by itself. */
		forget(e);
		if (a->has_key)
			etcd3_take_key(e, &a->key, c->asked_us);
	}
}

static void
create_key(struct etcd3 *e)
{
	const char *key = store_text(e->s, "key", 0), *value = store_text(e->s, "value", 0);
	char k[BASE64_SIZE(1024)], v[BASE64_SIZE(STORE_LEADER_MAX)], body[6000];

	base64_encode(key, strlen(key), k);
	base64_encode(value, strlen(value), v);
	snprintf(body, sizeof(body),
		 "{\"compare\":[{\"key\":\"%s\",\"target\":\"CREATE\",\"result\":\"EQUAL\",\"create_revision\":\"0\"}],"
		 "\"success\":[{\"request_put\":{\"key\":\"%s\",\"value\":\"%s\",\"lease\":\"%llu\"}}],"
		 "\"failure\":[{\"request_range\":{\"key\":\"%s\"}}]}",
		 k, k, v, (unsigned long long)e->lease.id, k);
	etcd3_call(e, &e->lease.call, "v3/kv/txn", body, on_txn);
}

static void
on_granted(struct etcd3 *e, struct etcd3_call *c, const struct etcd3_answer *a)
{
	struct etcd3_lease *l = &e->lease;

	if (a->kind != ETCD3_OK || a->lease == 0 || a->ttl <= 0) {
		(void)etcd3_wants_token(e, a);
		if (a->kind == ETCD3_DENIED)
			etcd3_tell_trouble(e, c, a);
		c->endpoint = (c->endpoint + 1) % e->n_endpoints;
		wake_in(e, TRY_AGAIN_US);
		return;
	}
	l->id = a->lease;
	l->asked_us = c->asked_us;
	l->until_us = c->asked_us + (uint64_t)a->ttl * USEC_PER_SEC;
	create_key(e);
}

static void
try_for_it(struct etcd3 *e)
{
	char body[64];

	forget(e);
	e->lease.call.endpoint = e->probe.endpoint;
	snprintf(body, sizeof(body), "{\"TTL\":\"%llu\"}", (unsigned long long)(ttl_us(e) / USEC_PER_SEC));
	etcd3_call(e, &e->lease.call, "v3/lease/grant", body, on_granted);
}

/* ---- what there is to do ------------------------------------------------------------------------------------ */

static void
on_timer(void *arg, mono_t now)
{
	struct etcd3 *e = arg;

	(void)now;
	if (!wants(e) || e->lease.call.busy)
		return;
	if (e->lease.id != 0 && e->lease.held)
		renew(e);
	else if (e->cluster != 0 && !e->key.there)
		try_for_it(e);
}

void
etcd3_lease_take_key(struct etcd3 *e, uint64_t asked_us)
{
	struct etcd3_lease *l = &e->lease;

	if (!key_is_own(e)) {
		if (l->held && l->until_us > clock_boot_us())
			log_warning("%s: the key is no longer this node's although it renewed its lease", e->s->instance);
		if (!l->call.busy)
			forget(e);
		store_confirm(e->s, e->key.there ? e->key.value : NULL, asked_us, 0);
		if (!e->key.there && wants(e))
			wake_in(e, rank_us(e));
		return;
	}
	if (l->id != e->key.lease && !l->call.busy) {
		/* Made by an agent before this one. How long it lasts, the first renewal says. */
		l->id = e->key.lease;
		l->held = true;
		l->until_us = 0;
		wake_in(e, 0);
	}
	if (l->held && l->until_us > asked_us)
		confirm(e, asked_us);
}

void
etcd3_lease_campaign(struct store *s)
{
	struct etcd3 *e = s->priv;

	if (!wants(e))
		give_back(e);
	else if (!e->lease.call.busy)
		wake_in(e, e->lease.held ? 0 : rank_us(e));
}

void
etcd3_lease_start(struct etcd3 *e)
{
	e->lease.timer = loop_timer_add(store_loop(e->s), on_timer, e);
}

void
etcd3_lease_free(struct etcd3 *e)
{
	etcd3_call_free(&e->lease.call);
	etcd3_call_free(&e->lease.renew);
	loop_timer_del(TAKE(e->lease.timer));
}
