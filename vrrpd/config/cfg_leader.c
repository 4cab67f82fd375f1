/*
 * cfg_leader.c - leaders, leases and the stores they are kept in: defaults, rules, and their options as text.
 *
 * Runs in the parent. Files of secrets are read here, once.
 */
#include "config/cfg_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_OCTETS 16384 /* of a private key's file */
#define LOCAL_PATRONI "http://127.0.0.1:8008" /* its default port */

static const char *const kind_names[CFG_STORE_KIND_COUNT] = {
	[CFG_STORE_ETCD3] = "etcd3",	 [CFG_STORE_ETCD2] = "etcd2",	    [CFG_STORE_CONSUL] = "consul",
	[CFG_STORE_PATRONI] = "patroni", [CFG_STORE_SENTINEL] = "sentinel",
};

const char *
cfg_store_kind_name(enum cfg_store_kind k)
{
	return kind_names[k];
}

const struct cfg_leader *
cfg_leader_of(const struct cfg_instance *i)
{
	if (i->mode == CFG_MODE_FOLLOW)
		return &i->leader;
	if (i->mode == CFG_MODE_LEASE)
		return &i->lease;
	return i->arbiter.present ? &i->arbiter : NULL;
}

static const struct cfg_access *
access_of(const struct cfg_leader *l)
{
	return l->shared != NULL ? &l->shared->access : &l->access;
}

void
cfg_fill_leader(struct cfg *c, struct cfg_leader *l, enum cfg_store_loss loss)
{
	if (!l->present || l->store == NULL)
		return;
	for (unsigned k = 0; k < CFG_STORE_KIND_COUNT; k++)
		if (strcmp(kind_names[k], l->store) == 0)
			l->kind = (enum cfg_store_kind)k;
	for (size_t k = 0; k < c->n_stores; k++)
		if (strcmp(c->stores[k].name, l->store) == 0) {
			l->shared = &c->stores[k];
			l->kind = l->shared->kind;
		}
	if (l->value == NULL && l->kind != CFG_STORE_SENTINEL)
		l->value = cfg_strdup(c->node);
	if (l->patroni == NULL && loss == CFG_STORE_LOSS_PATRONI)
		l->patroni = cfg_strdup(LOCAL_PATRONI);
}

void
cfg_free_access(struct cfg_access *a)
{
	if (a->tls_key_pem != NULL)
		explicit_bzero(a->tls_key_pem, strlen(a->tls_key_pem));
	free(TAKE(a->tls_key_pem));
}

/* ---- rules --------------------------------------------------------------------------------------- */

/* "PREFIX.name", in a buffer of the caller's. */
static const char *
path_of(const char *prefix, const char *name, char buf[64])
{
	snprintf(buf, 64, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", name);
	return buf;
}

static bool
is_url(const char *text)
{
	return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0 || strncmp(text, "unix:/", 6) == 0;
}

static void
read_password(struct cfg_source *s, const void *obj, const char *prefix, struct cfg_access *a)
{
	const char *wrong, *advice;
	char buf[1024], path[64];

	if (a->password_file == NULL)
		return;
	if (cfg_source_written(s, obj, path_of(prefix, "password", path))) {
		cfg_source_at(s, obj, path_of(prefix, "password_file", path), -1, "stands beside password: write one of them");
		return;
	}
	wrong = cfg_read_password(a->password_file, buf, sizeof(buf), &advice);
	if (wrong != NULL)
		cfg_source_at(s, obj, path_of(prefix, "password_file", path), -1, "\"%s\" cannot be used: %s: %s",
			      a->password_file, wrong, advice);
	else
		a->password = cfg_strdup(buf);
	explicit_bzero(buf, sizeof(buf));
}

static void
read_key(struct cfg_source *s, const void *obj, const char *prefix, struct cfg_access *a)
{
	const char *wrong, *advice;
	char *buf, path[64];

	if ((a->tls_cert == NULL) != (a->tls_key == NULL))
		cfg_source_at(s, obj, path_of(prefix, a->tls_cert != NULL ? "tls.cert" : "tls.key", path), -1,
			      "needs %s, too: write both or none", a->tls_cert != NULL ? "key" : "cert");
	if (a->tls_key == NULL)
		return;
	buf = cfg_zalloc(KEY_OCTETS, 1);
	wrong = cfg_read_secret(a->tls_key, buf, KEY_OCTETS, &advice);
	if (wrong != NULL)
		cfg_source_at(s, obj, path_of(prefix, "tls.key", path), -1, "\"%s\" cannot be used: %s: %s", a->tls_key, wrong,
			      advice);
	else
		a->tls_key_pem = cfg_strdup(buf);
	explicit_bzero(buf, KEY_OCTETS);
	free(buf);
}

/* Where the store is: URLs, but addresses of Sentinels; Patroni's default is known, and it is one. */
static void
judge_endpoints(struct cfg_source *s, const void *obj, const char *path, const struct cfg_access *a, enum cfg_store_kind kind)
{
	bool sentinel = kind == CFG_STORE_SENTINEL;

	if (a->n_endpoints == 0 && kind != CFG_STORE_PATRONI)
		cfg_source_at(s, obj, path, -1, "is missing: write a list of strings, e.g. %s",
			      sentinel ? "[\"10.0.0.1:26379\", \"10.0.0.2:26379\", \"10.0.0.3:26379\"]"
				       : "[\"http://10.0.0.1:2379\", \"http://10.0.0.2:2379\"]");
	if (a->n_endpoints > 1 && kind == CFG_STORE_PATRONI)
		cfg_source_at(s, obj, path, -1, "has more than one: write the Patroni of this host, e.g. [\"" LOCAL_PATRONI "\"]");
	for (size_t k = 0; k < a->n_endpoints; k++)
		if (sentinel)
			cfg_rule_endpoint(s, obj, path, (int)k, a->endpoints[k]);
		else if (!is_url(a->endpoints[k]))
			cfg_source_at(s, obj, path, (int)k, "\"%s\" is no URL: write http://, https:// or unix:/ before it",
				      a->endpoints[k]);
}

/* Whoever asks is known by a name and its password, with Consul by a token alone, with a Sentinel
 * perhaps by a password alone. */
static void
judge_login(struct cfg_source *s, const void *obj, const char *prefix, enum cfg_store_kind kind, struct cfg_access *a)
{
	char path[64];

	if (kind == CFG_STORE_CONSUL) {
		if (a->username != NULL)
			cfg_source_at(s, obj, path_of(prefix, "username", path), -1,
				      "Consul has no users: remove it, and write the token in password_file");
	} else if (a->password != NULL && a->username == NULL && kind != CFG_STORE_SENTINEL) {
		cfg_source_at(s, obj, path_of(prefix, "password", path), -1, "needs a user: write username, too");
	}
	read_password(s, obj, prefix, a);
}

static void
judge_access(struct cfg_source *s, const void *obj, const char *prefix, enum cfg_store_kind kind, struct cfg_access *a)
{
	char path[64];

	judge_endpoints(s, obj, path_of(prefix, "endpoints", path), a, kind);
	judge_login(s, obj, prefix, kind, a);
	read_key(s, obj, prefix, a);
}

/* The words of all kinds: "etcd3", ... */
static const char *
kinds_as_text(char *buf, size_t size)
{
	size_t n = 0;

	for (unsigned k = 0; k < CFG_STORE_KIND_COUNT && n < size; k++)
		n += (size_t)snprintf(buf + n, size - n, "%s\"%s\"", k > 0 ? ", " : "", kind_names[k]);
	return buf;
}

static void
judge_leader(struct cfg_source *s, struct cfg *c, void *obj, const char *prefix, struct cfg_leader *l)
{
	char path[64], kinds[128];

	(void)c;
	if (!l->present || l->store == NULL || cfg_source_bad(s, obj, path_of(prefix, "store", path)))
		return;
	if (l->shared != NULL) {
		if (cfg_source_written(s, obj, path_of(prefix, "endpoints", path)))
			cfg_source_at(s, obj, path, -1, "stands beside the shared store \"%s\": write endpoints there",
				      l->store);
		return;
	}
	if (strcmp(kind_names[l->kind], l->store) != 0) {
		cfg_source_at(s, obj, path_of(prefix, "store", path), -1,
			      "there is no store \"%s\": write %s, or the name of one of stores", l->store,
			      kinds_as_text(kinds, sizeof(kinds)));
		return;
	}
	judge_access(s, obj, prefix, l->kind, &l->access);
}

static void
leader(struct cfg_source *s, struct cfg *c, void *obj)
{
	struct cfg_instance *i = obj;

	if (i->mode == CFG_MODE_FOLLOW)
		judge_leader(s, c, obj, "leader", &i->leader);
	else if (i->mode == CFG_MODE_LEASE)
		judge_leader(s, c, obj, "lease", &i->lease);
	else
		judge_leader(s, c, obj, "arbiter", &i->arbiter);
}

static void
lease_needs_a_store_with_leases(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;
	const struct cfg_leader *l = cfg_leader_of(i);
	char path[64];

	(void)c;
	if (l == NULL || i->mode == CFG_MODE_FOLLOW || l->kind == CFG_STORE_ETCD3)
		return;
	cfg_source_at(s, obj, path_of(i->mode == CFG_MODE_LEASE ? "lease" : "arbiter", "store", path), -1,
		      "\"%s\" is of kind \"%s\", where vrrpd holds no leases: write a store of kind \"etcd3\"", l->store,
		      kind_names[l->kind]);
}

#define BIT(kind)      (1u << CFG_STORE_##kind)
#define WITHOUT_A_KEY (BIT(PATRONI) | BIT(SENTINEL)) /* and without leases */

/* Options of a leader that not all kinds of store have. */
static const struct {
	const char *path;
	unsigned kinds;
	const char *example; /* of one that these kinds need */
} leader_options[] = {
	{"leader.key", ~WITHOUT_A_KEY, "\"/service/batman/leader\""},
	{"leader.value", ~BIT(SENTINEL), NULL},
	{"leader.master", BIT(SENTINEL), "\"mymaster\""},
	{"leader.self", BIT(SENTINEL), NULL},
};

static void
leader_of_a_kind(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;
	const char *kind = kind_names[i->leader.kind];

	(void)c;
	if (i->mode != CFG_MODE_FOLLOW || i->leader.store == NULL ||
	    (i->leader.shared == NULL && strcmp(kind, i->leader.store) != 0))
		return; /* of no kind */
	for (size_t k = 0; k < ARRAY_SIZE(leader_options); k++) {
		bool fits = (leader_options[k].kinds & 1u << i->leader.kind) != 0;
		bool written = cfg_source_written(s, obj, leader_options[k].path);

		if (written && !fits)
			cfg_source_at(s, obj, leader_options[k].path, -1, "is nothing that store \"%s\" has: remove it", kind);
		else if (!written && fits && leader_options[k].example != NULL)
			cfg_source_at(s, obj, leader_options[k].path, -1, "is missing: write a string, e.g. %s",
				      leader_options[k].example);
	}
	cfg_rule_self(s, obj, "leader.self", i->leader.self);
}

/* Patroni's word is about its own leader, which an own lease knows nothing of. */
static void
local_patroni(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;

	(void)c;
	if (i->on_store_loss != CFG_STORE_LOSS_PATRONI) {
		if (cfg_source_written(s, obj, "leader.patroni"))
			cfg_source_at(s, obj, "leader.patroni", -1,
				      "is for on_store_loss = \"patroni\": remove it, or write that, too");
		return;
	}
	if (i->mode == CFG_MODE_LEASE)
		cfg_source_at(s, obj, "on_store_loss", -1,
			      "\"patroni\" is for mode \"follow\": another host may have the lease while Patroni says yes");
	else if (i->mode == CFG_MODE_FOLLOW && i->leader.kind == CFG_STORE_PATRONI)
		cfg_source_at(s, obj, "on_store_loss", -1, "\"patroni\" is what store \"patroni\" does anyway: remove it");
	if (i->leader.patroni != NULL && !is_url(i->leader.patroni))
		cfg_source_at(s, obj, "leader.patroni", -1, "\"%s\" is no URL: write http://, https:// or unix:/ before it",
			      i->leader.patroni);
}

/* The kernel must have removed the addresses of a dead holder before its lease is over. */
static void
lease_outlives_addresses(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;
	const struct cfg_leader *l = cfg_leader_of(i);
	const char *group = i->mode == CFG_MODE_LEASE ? "lease" : "arbiter";
	uint64_t lifetime = c->engine.address_lifetime / USEC_PER_SEC;
	char path[64];

	if (l == NULL || i->mode == CFG_MODE_FOLLOW)
		return;
	if (lifetime == 0)
		cfg_source_at(s, obj, group, -1,
			      "needs addresses that vanish with a dead host: write engine.address_lifetime = \"3s\"");
	else if (l->ttl < c->engine.address_lifetime + 2 * USEC_PER_SEC)
		cfg_source_at(s, obj, path_of(group, "ttl", path), -1,
			      "must be at least 2 s longer than engine.address_lifetime (%" PRIu64 " s): write \"%" PRIu64
			      "s\" or more",
			      lifetime, lifetime + 2);
}

static void
shared_store(struct cfg_source *s, struct cfg *c, void *obj)
{
	(void)obj;
	for (size_t k = 0; k < c->n_stores; k++) {
		for (unsigned n = 0; n < CFG_STORE_KIND_COUNT; n++)
			if (strcmp(c->stores[k].name, kind_names[n]) == 0)
				cfg_source_at(s, &c->stores[k], NULL, -1, "is the name of a kind of store: write another");
		judge_access(s, &c->stores[k], "", c->stores[k].kind, &c->stores[k].access);
	}
}

static const struct cfg_rule rules[] = {
	{"shared_store", CFG_SCOPE_ROOT, {"stores"}, shared_store},
	{"leader", CFG_SCOPE_INSTANCE, {"mode"}, leader},
	{"lease_needs_a_store_with_leases",
	 CFG_SCOPE_INSTANCE,
	 {"mode", "lease.store", "arbiter.store"},
	 lease_needs_a_store_with_leases},
	{"lease_outlives_addresses", CFG_SCOPE_INSTANCE, {"mode", "lease.ttl", "arbiter.ttl"}, lease_outlives_addresses},
	{"leader_of_a_kind", CFG_SCOPE_INSTANCE, {"mode", "leader", "leader.store"}, leader_of_a_kind},
	{"local_patroni", CFG_SCOPE_INSTANCE, {"mode", "on_store_loss", "leader.store"}, local_patroni},
};

const struct cfg_rule *
cfg_rules_leader(size_t i)
{
	return i < ARRAY_SIZE(rules) ? &rules[i] : NULL;
}

/* ---- as text --------------------------------------------------------------------------------------- */

int
cfg_leader_options(const struct cfg_leader *l, int (*fn)(void *arg, const char *path, const char *text), void *arg)
{
	const struct cfg_access *a = access_of(l);
	char ttl[32];
	const struct {
		const char *path, *text;
	} rows[] = {
		{"store", kind_names[l->kind]},
		{"key", l->key},
		{"value", l->value},
		{"master", l->master},
		{"self", l->self},
		{"patroni", l->patroni},
		{"ttl", ttl},
		{"username", a->username},
		{"password", a->password},
		{"tls", a->tls ? "1" : NULL},
		{"tls.ca", a->tls_ca},
		{"tls.cert", a->tls_cert},
		{"tls.key", a->tls_key_pem},
		{"tls.server_name", a->tls_server_name},
		{"tls.verify", a->tls_verify ? "1" : "0"},
	};
	int r = 0;

	snprintf(ttl, sizeof(ttl), "%" PRIu64, l->ttl);
	for (size_t k = 0; r == 0 && k < a->n_endpoints; k++)
		r = fn(arg, "endpoints", a->endpoints[k]);
	for (size_t k = 0; r == 0 && k < ARRAY_SIZE(rows); k++)
		if (rows[k].text != NULL)
			r = fn(arg, rows[k].path, rows[k].text);
	return r;
}
