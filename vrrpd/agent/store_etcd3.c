/*
 * store_etcd3.c - kind "etcd3": the leader key of etcd v3, over its JSON gateway.
 *
 * Runs in vrrpd-agent under store.c. The key is watched on one member and, every second, read with a quorum on another
 * one: the watch is fast, the read proves that the store is there, bounds how long a watch that has died silently goes
 * unnoticed, and mends what it missed. What was read last is the truth; of two, the higher revision. An answer with an
 * older raft term than one before comes from a member that is cut off: it does not count, but for the read: that says itself
 * that a quorum stands behind it.
 *
 * The lease of the key is asked for as long as this node is the leader: it says how long the key lasts without the
 * store. A key without a lease counts as fresh only for STORE_FRESH_US. An own lease (mode lease): store_etcd3_lease.c.
 */
#include "agent/store_etcd3.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_util.h"
#include "agent/base64.h"
#include "base/strbuf.h"
#include "sys/clock.h"
#include "sys/log.h"

#define PROVISIONAL_US (2 * USEC_PER_SEC) /* no lease of etcd is shorter (1.5 election time-outs, rounded up) */
/*
 * etcd tells what is left in whole seconds, rounded down, and lets leases go at moments half a second apart. So the key of a
 * lease with less than a second left is read this often, and what was read counts for a little longer than until the next time.
 */
#define LAST_SECOND_PROBE_US (100 * USEC_PER_MS)
#define LAST_SECOND_US	     (300 * USEC_PER_MS)
#define BACKOFF_MIN_US (50 * USEC_PER_MS)
#define BACKOFF_MAX_US USEC_PER_SEC

static unsigned
count_endpoints(const struct store *s)
{
	unsigned n = 0;

	while (store_text(s, "endpoints", n) != NULL)
		n++;
	return n;
}

/* ---- other members, and users ----------------------------------------------------------------------------- */

/*
 * Has the host answered that there is no service, or the member that it has no leader? Silence says nothing: it may be
 * this host that is cut off.
 */
static bool
says_it_does_not_serve(const struct etcd3_answer *a)
{
	return a->kind == ETCD3_UNAVAILABLE && (strstr(a->text, strerror(ECONNREFUSED)) != NULL ||
						strstr(a->text, "etcdserver: no leader") != NULL || strstr(a->text, "etcdserver: request timed out") != NULL);
}

/* Another member; after a whole round in vain the store is lost, and the next round comes a little later. */
static void
next_endpoint(struct etcd3 *e, const struct etcd3_call *c, const struct etcd3_answer *a)
{
	e->probe.endpoint = (e->probe.endpoint + 1) % e->n_endpoints;
	if (e->failed == 0) {
		e->n_away = 0;
		e->round_us = c->asked_us;
	}
	e->n_away += says_it_does_not_serve(a);
	if (++e->failed < e->n_endpoints) {
		loop_timer_set(e->timer, loop_now(store_loop(e->s)));
		return;
	}
	if (e->s->lease && e->n_away > e->n_endpoints / 2)
		store_away(e->s, e->round_us);
	etcd3_tell_trouble(e, c, a);
	e->failed = 0;
	loop_timer_set(e->timer, mono_add(loop_now(store_loop(e->s)), e->backoff_us));
	e->backoff_us = MIN(2 * e->backoff_us, BACKOFF_MAX_US);
}

static void
on_authenticated(struct etcd3 *e, struct etcd3_call *c, const struct etcd3_answer *a)
{
	if (a->kind == ETCD3_OK && a->token[0] != '\0') {
		str_copy(e->token, sizeof(e->token), a->token);
		loop_timer_set(e->timer, loop_now(store_loop(e->s)));
		return;
	}
	e->token[0] = '\0';
	if (a->kind == ETCD3_DENIED && strstr(a->text, "authentication is not enabled") != NULL) {
		e->no_auth = true; /* go on without */
		loop_timer_set(e->timer, loop_now(store_loop(e->s)));
	} else if (a->kind == ETCD3_UNAVAILABLE) {
		next_endpoint(e, c, a);
	} else {
		etcd3_tell_trouble(e, c, a);
		loop_timer_set(e->timer, mono_add(loop_now(store_loop(e->s)), BACKOFF_MAX_US));
	}
}

/* A JSON string: names and passwords may hold anything. */
static void
add_json_text(struct strbuf *b, const char *text)
{
	strbuf_addf(b, "\"");
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			strbuf_addf(b, "\\%c", c);
		else if (c < 0x20)
			strbuf_addf(b, "\\u%04x", c);
		else
			strbuf_addf(b, "%c", c);
	}
	strbuf_addf(b, "\"");
}

static void
authenticate(struct etcd3 *e)
{
	const char *password = store_text(e->s, "password", 0);
	char body[4096];
	struct strbuf b;

	strbuf_init(&b, body, sizeof(body));
	strbuf_addf(&b, "{\"name\":");
	add_json_text(&b, store_text(e->s, "username", 0));
	strbuf_addf(&b, ",\"password\":");
	add_json_text(&b, password != NULL ? password : "");
	strbuf_addf(&b, "}");
	etcd3_call(e, &e->probe, "v3/auth/authenticate", body, on_authenticated);
	explicit_bzero(body, sizeof(body));
}

bool
etcd3_wants_token(struct etcd3 *e, const struct etcd3_answer *a)
{
	if (a->kind != ETCD3_AUTH || store_text(e->s, "username", 0) == NULL || e->no_auth)
		return false;
	e->token[0] = '\0';
	loop_timer_set(e->timer, loop_now(store_loop(e->s)));
	return true;
}

/* ---- what is known ------------------------------------------------------------------------------------------- */

/* Revisions and terms count from the beginning again. */
static void
begin_history(struct etcd3 *e, uint64_t cluster)
{
	e->cluster = cluster;
	e->term = 0;
	e->mod_revision = 0;
	e->revision = 0;
	etcd3_call_free(&e->watch);
}

/* Is this answer of the store as it is now? Of another cluster: everything begins anew. */
bool
etcd3_is_current(struct etcd3 *e, const struct etcd3_header *h)
{
	if (h->cluster != e->cluster && e->cluster != 0)
		log_warning("%s: this is another etcd cluster than before (restored, or other endpoints): read anew",
			    e->s->instance);
	if (h->cluster != e->cluster)
		begin_history(e, h->cluster);
	if (h->term < e->term)
		return false;
	e->term = h->term;
	e->revision = MAX(e->revision, h->revision);
	return true;
}

static void
on_ttl(struct etcd3 *e, struct etcd3_call *c, const struct etcd3_answer *a)
{
	if (a->kind != ETCD3_OK || !etcd3_is_current(e, &a->header) || e->key.lease == 0 || e->ttl_lease != e->key.lease)
		return; /* the next probe asks again */
	if (a->ttl > 0)
		e->lease_until_us = MAX(c->asked_us + (uint64_t)a->ttl * USEC_PER_SEC, e->asked_us + LAST_SECOND_US);
	store_confirm(e->s, e->key.value, e->asked_us, e->lease_until_us);
	if (a->ttl <= 1 && !e->probe.busy)
		loop_timer_set(e->timer, mono_add(loop_now(store_loop(e->s)), LAST_SECOND_PROBE_US));
}

static void
ask_ttl(struct etcd3 *e)
{
	char body[64];

	if (e->ttl.busy || e->key.lease == 0)
		return;
	e->ttl.endpoint = e->probe.endpoint;
	e->ttl_lease = e->key.lease;
	snprintf(body, sizeof(body), "{\"ID\":\"%llu\"}", (unsigned long long)e->key.lease);
	etcd3_call(e, &e->ttl, "v3/lease/timetolive", body, on_ttl);
}

void
etcd3_take_key(struct etcd3 *e, const struct etcd3_key *k, uint64_t asked_us)
{
	bool self = k->there && strcmp(k->value, store_text(e->s, "value", 0)) == 0;
	bool same = k->there && e->key.there && k->lease == e->key.lease;

	e->key = *k;
	e->asked_us = asked_us;
	e->mod_revision = MAX(e->mod_revision, k->mod_revision);
	e->s->revision = k->mod_revision;
	if (e->s->lease) {
		etcd3_lease_take_key(e, asked_us);
		return;
	}
	if (!self) {
		e->lease_until_us = 0;
		store_confirm(e->s, k->there ? k->value : NULL, asked_us, 0);
		return;
	}
	/* Until its lease is known: what every lease lasts at least. Without one: while it is fresh. */
	if (!same || k->lease == 0)
		e->lease_until_us = asked_us + (k->lease != 0 ? PROVISIONAL_US : STORE_FRESH_US);
	e->lease_until_us = MAX(e->lease_until_us, asked_us + LAST_SECOND_US);
	store_confirm(e->s, k->value, asked_us, e->lease_until_us);
	ask_ttl(e);
}

/* ---- the watch --------------------------------------------------------------------------------------------- */

static void
watch_ended(struct etcd3 *e, const struct etcd3_answer *a)
{
	etcd3_call_free(&e->watch);
	e->watch.endpoint = (e->watch.endpoint + 1) % e->n_endpoints;
	if (a->kind == ETCD3_AUTH && etcd3_wants_token(e, a))
		return;
	/* Read what may have been missed, then watch from there; not faster than it can be done. */
	if (!e->probe.busy)
		loop_timer_set(e->timer, mono_add(loop_now(store_loop(e->s)), e->watch_was_good ? 0 : BACKOFF_MIN_US));
	e->watch_was_good = false;
}

static void
on_watch_end(struct etcd3 *e, struct etcd3_call *c, const struct etcd3_answer *a)
{
	(void)c;
	watch_ended(e, a);
}

/* One line of the stream. False when the watch is over. */
static bool
take_line(struct etcd3 *e, const char *line, size_t len)
{
	struct etcd3_answer a;

	etcd3_parse_event(line, len, &a);
	if (a.kind != ETCD3_OK || !etcd3_is_current(e, &a.header)) {
		if (a.kind == ETCD3_DENIED)
			etcd3_tell_trouble(e, &e->watch, &a);
		watch_ended(e, &a);
		return false;
	}
	if (e->watch.req == NULL)
		return false; /* another cluster: ended by etcd3_is_current() */
	e->watch_was_good = true;
	loop_timer_set(e->watch.timer, MONO_NEVER);
	if (a.has_key && a.key.mod_revision > e->mod_revision)
		etcd3_take_key(e, &a.key, clock_boot_us());
	return true;
}

size_t
etcd3_on_piece(void *arg, const char *data, size_t n)
{
	struct etcd3_call *c = arg;
	struct etcd3 *e = c->etcd;
	size_t done = 0;
	const char *end;

	while ((end = memchr(data + done, '\n', n - done)) != NULL) {
		if (!take_line(e, data + done, (size_t)(end - data) - done))
			return 0; /* the request is gone */
		done = (size_t)(end - data) + 1;
	}
	return done;
}

/* From this revision on. */
static void
watch(struct etcd3 *e, uint64_t revision)
{
	const char *key = store_text(e->s, "key", 0);
	char text[BASE64_SIZE(1024)], body[2048];

	if (e->watch.req != NULL)
		return;
	if (e->n_endpoints > 1 && e->watch.endpoint == e->probe.endpoint)
		e->watch.endpoint = (e->probe.endpoint + 1) % e->n_endpoints;
	snprintf(body, sizeof(body), "{\"create_request\":{\"key\":\"%s\",\"start_revision\":\"%llu\",\"progress_notify\":true}}",
		 base64_encode(key, strlen(key), text), (unsigned long long)revision);
	/* It says at once that it has begun; a member that takes connections and does nothing with them does not. */
	etcd3_stream(e, &e->watch, "v3/watch", body, on_watch_end);
}

/* ---- the probe ---------------------------------------------------------------------------------------------- */

/*
 * Its answer went through a quorum, so it is of the store as it was when it was asked, or later. One of before what was known
 * then means that the data was lost or an older copy of it was restored: what is there now counts.
 */
static void
check_history(struct etcd3 *e, const struct etcd3_header *h)
{
	if (h->cluster == e->cluster && h->revision < e->probed_revision) {
		log_warning("%s: etcd is at revision %llu after %llu (its data was wiped or restored): read anew",
			    e->s->instance, (unsigned long long)h->revision, (unsigned long long)e->probed_revision);
		begin_history(e, h->cluster);
	}
	if (h->cluster == e->cluster && h->term < e->probed_term)
		e->term = h->term; /* the one before was of a member that was cut off and held elections of its own */
}

/* Did the watch say nothing of this? It hangs, or its member is behind. */
static bool
watch_missed(const struct etcd3 *e, const struct etcd3_key *k)
{
	return e->watch.req != NULL && (k->there ? k->mod_revision > e->mod_revision : e->key.there);
}

static void
take_range(struct etcd3 *e, const struct etcd3_call *c, const struct etcd3_answer *a)
{
	struct etcd3_key k = a->key;

	/* The watch may have been faster. A key that is gone has no revision of its own: then this answer's counts. */
	if (!k.there)
		k.mod_revision = a->header.revision;
	if (k.mod_revision < e->mod_revision)
		return;
	if (watch_missed(e, &a->key)) {
		etcd3_call_free(&e->watch);
		e->watch.endpoint = (e->watch.endpoint + 1) % e->n_endpoints;
	}
	etcd3_take_key(e, &k, c->asked_us);
}

static void
on_range(struct etcd3 *e, struct etcd3_call *c, const struct etcd3_answer *a)
{
	if (etcd3_wants_token(e, a))
		return;
	if (a->kind != ETCD3_OK) {
		next_endpoint(e, c, a);
		return;
	}
	check_history(e, &a->header);
	(void)etcd3_is_current(e, &a->header);
	e->failed = 0;
	e->backoff_us = BACKOFF_MIN_US;
	str_copy(e->s->endpoint, sizeof(e->s->endpoint), etcd3_endpoint(e, c));
	take_range(e, c, a);
	watch(e, a->header.revision + 1);
	loop_timer_set(e->timer, mono_add(loop_now(store_loop(e->s)), STORE_PROBE_US));
}

/* A linearizable read of the key. */
static void
probe(struct etcd3 *e)
{
	const char *key = store_text(e->s, "key", 0);
	char text[BASE64_SIZE(1024)], body[1600];

	e->probed_revision = e->revision;
	e->probed_term = e->term;
	snprintf(body, sizeof(body), "{\"key\":\"%s\"}", base64_encode(key, strlen(key), text));
	etcd3_call(e, &e->probe, "v3/kv/range", body, on_range);
}

static void
on_timer(void *arg, mono_t now)
{
	struct etcd3 *e = arg;

	(void)now;
	if (e->probe.busy)
		return; /* its end sets the timer again */
	if (store_text(e->s, "username", 0) != NULL && e->token[0] == '\0' && !e->no_auth)
		authenticate(e);
	else
		probe(e);
}

static void
etcd3_start(struct store *s)
{
	struct etcd3 *e = agent_alloc(1, sizeof(*e));

	e->s = s;
	s->priv = e;
	e->n_endpoints = count_endpoints(s);
	e->backoff_us = BACKOFF_MIN_US;
	e->timer = loop_timer_add(store_loop(s), on_timer, e);
	loop_timer_set(e->timer, loop_now(store_loop(s)));
	if (s->lease)
		etcd3_lease_start(e);
}

static void
etcd3_free(struct store *s)
{
	struct etcd3 *e = s->priv;

	etcd3_call_free(&e->probe);
	etcd3_call_free(&e->ttl);
	etcd3_call_free(&e->watch);
	etcd3_lease_free(e);
	loop_timer_del(e->timer);
	explicit_bzero(e->token, sizeof(e->token));
	free(e);
}

const struct store_ops store_etcd3_ops = {
	.name = "etcd3",
	.start = etcd3_start,
	.campaign = etcd3_lease_campaign,
	.free = etcd3_free,
};
