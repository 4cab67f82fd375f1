/*
 * store.c - the stores: which instance has which, what they say and who is told; see store.h. Runs in vrrpd-agent.
 */
#include "agent/store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/agent_link.h"
#include "agent/agent_util.h"
#include "agent/net_http.h"
#include "base/strbuf.h"
#include "sys/clock.h"
#include "sys/log.h"

#define SEND_AGAIN_US (20 * USEC_PER_MS)   /* the engine's channel was full */
#define STOP_MAX_US   (1500 * USEC_PER_MS) /* a store that does not answer is not waited for when vrrpd stops */

static const struct store_ops *const kinds[] = {
	&store_etcd3_ops, &store_etcd2_ops, &store_consul_ops, &store_patroni_ops, &store_sentinel_ops,
};

struct stores {
	struct agent *a;
	struct net_http *http; /* NULL until it is needed */
	struct loop_timer *timer;
	uint32_t n;
	struct store **v;
	struct ipc_campaign early[LIMIT_INSTANCES]; /* of a generation that is not in force here yet, by index */
	bool stopping;
	mono_t stop_until;
	void (*stopped)(struct agent *a);
};

const char *
store_text(const struct store *s, const char *path, unsigned n)
{
	return check_def_text(&s->options, path, n);
}

int64_t
store_number(const struct store *s, const char *path, int64_t otherwise)
{
	return check_def_number(&s->options, path, otherwise);
}

const struct agent_conf *
store_conf(const struct store *s)
{
	return s->all->a->conf;
}

struct loop *
store_loop(const struct store *s)
{
	return s->all->a->loop;
}

struct net_http *
store_http(const struct store *s)
{
	if (s->all->http == NULL)
		s->all->http = net_http_new(s->all->a->loop);
	return s->all->http;
}

void
store_http_ask(const struct store *s, const char *url, struct net_http_ask *ret)
{
	*ret = (struct net_http_ask){
		.url = url,
		.tls = store_text(s, "tls", 0) != NULL,
		.no_verify = store_number(s, "tls.verify", 1) == 0,
		.ca = store_text(s, "tls.ca", 0),
		.cert = store_text(s, "tls.cert", 0),
		.key_pem = store_text(s, "tls.key", 0),
		.server_name = store_text(s, "tls.server_name", 0),
	};
}

void
store_answered(struct store *s, uint64_t asked_us)
{
	s->latency_us = clock_boot_us() - asked_us;
	s->latency_sum_us += s->latency_us;
	s->answers++;
}

/* ---- what they say --------------------------------------------------------------------------------- */

static void
send(struct store *s)
{
	struct stores *all = s->all;
	int r;

	/* That the store is lost ends a hold that the local Patroni may be about to allow. */
	if (all->a->conf == NULL || (s->said.fact >= ELECT_FACT_LOST && store_local_awaited(s->local)))
		return;
	s->said.h.gen = all->a->conf->gen;
	s->said.index = s->index;
	r = agent_link_send(all->a, IPC_LEADER, &s->said);
	s->unsent = r == -EAGAIN;
	if (s->unsent)
		loop_timer_set(all->timer, mono_add(loop_now(all->a->loop), SEND_AGAIN_US));
}

/* The kernel keeps addresses for so long after this machine stopped renewing them. */
static usec_t
address_lifetime(const struct store *s)
{
	return s->all->a->conf != NULL ? s->all->a->conf->begin.address_lifetime_s * USEC_PER_SEC : 0;
}

void
store_say(struct store *s, enum elect_fact fact, const char *leader, uint64_t asked_us, uint64_t lease_until_us)
{
	uint64_t fresh = asked_us + STORE_FRESH_US;
	struct ipc_leader m = {.fact = (uint8_t)fact, .confirmed_us = asked_us, .local_until_us = s->said.local_until_us};

	if (fact == ELECT_FACT_SELF) {
		m.lease_until_us = lease_until_us;
		/* Taking them must leave the kernel time to remove them before the lease is over. */
		m.fresh_until_us = s->lease ? MIN(fresh, lease_until_us - MIN(lease_until_us, address_lifetime(s))) : fresh;
	} else {
		m.fresh_until_us = fresh;
	}
	str_copy(m.name, sizeof(m.name), leader != NULL ? leader : "");
	str_copy(s->leader, sizeof(s->leader), leader != NULL ? leader : "");
	if (s->trouble[0] != '\0')
		log_info("%s: the store answers again", s->instance);
	s->trouble[0] = '\0';
	if (s->doubt != NULL)
		store_doubt_note(s->doubt, fact, s->leader, asked_us);
	s->said = m;
	send(s);
}

void
store_away(struct store *s, uint64_t asked_us)
{
	s->said.local_until_us = asked_us + STORE_FRESH_US;
}

void
store_confirm(struct store *s, const char *leader, uint64_t asked_us, uint64_t lease_until_us)
{
	bool named = leader != NULL && leader[0] != '\0'; /* an empty key names nobody */
	bool self = named && strcmp(leader, store_text(s, "value", 0)) == 0;
	enum elect_fact other = named ? ELECT_FACT_OTHER : ELECT_FACT_NONE;

	store_say(s, self ? ELECT_FACT_SELF : other, leader, asked_us, lease_until_us);
}

void
store_fail(struct store *s, enum elect_fact fact, const char *in_short, const char *fmt, ...)
{
	char text[LIMIT_LOG_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (strcmp(text, s->trouble) != 0)
		log_warning("%s: %s", s->instance, text);
	str_copy(s->trouble, sizeof(s->trouble), text);
	s->failures++;
	s->said.fact = (uint8_t)fact;
	str_copy(s->said.name, sizeof(s->said.name), in_short);
	send(s);
}

void
store_retell(struct store *s)
{
	if (s->said.fact != ELECT_FACT_NOTHING)
		send(s);
}

/* ---- which there are ---------------------------------------------------------------------------------- */

static const struct store_ops *
kind_of(const struct check_def *options)
{
	const char *name = check_def_text(options, "store", 0);

	for (size_t i = 0; name != NULL && i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

static void
store_free(struct store *s)
{
	if (s == NULL)
		return;
	s->ops->free(s);
	store_local_free(s->local);
	store_doubt_free(s->doubt);
	check_def_free(&s->options);
	free(s);
}

static bool
is_lease(const struct agent_instance *i)
{
	return i->c.mode == ELECT_MODE_LEASE || i->c.arbiter;
}

static struct store *
store_new(struct stores *all, const struct agent_instance *i, const struct check_def *options)
{
	struct store *s = agent_alloc(1, sizeof(*s));

	s->all = all;
	s->ops = kind_of(options);
	s->lease = is_lease(i);
	s->elected = i->c.arbiter;
	str_copy(s->instance, sizeof(s->instance), i->c.name);
	check_def_copy(&s->options, options);
	if (store_text(s, "patroni", 0) != NULL)
		s->local = store_local_new(s);
	if (!s->lease)
		s->doubt = store_doubt_new(s);
	s->ops->start(s);
	return s;
}

/* The one of this instance with this very definition out of the old ones, or a new one; NULL in mode vrrp. */
static struct store *
keep_or_new(struct stores *all, struct store **old, uint32_t n_old, const struct agent_instance *i,
	    const struct check_def *options)
{
	if (options->conf.n_options == 0 || kind_of(options) == NULL)
		return NULL;
	for (uint32_t k = 0; k < n_old; k++)
		if (old[k] != NULL && strcmp(old[k]->instance, i->c.name) == 0 &&
		    old[k]->lease == is_lease(i) &&
		    old[k]->options.conf.n_options == options->conf.n_options && check_def_equal(&old[k]->options, options))
			return TAKE(old[k]);
	return store_new(all, i, options);
}

void
stores_configure(struct stores *all, const struct agent_conf *conf)
{
	struct store **old = all->v;
	uint32_t n_old = all->n;

	all->n = conf->begin.n_instances;
	all->v = agent_alloc(all->n, sizeof(*all->v));
	for (uint32_t i = 0; i < all->n; i++) {
		all->v[i] = keep_or_new(all, old, n_old, &conf->instances[i], &conf->stores[i]);
		if (all->v[i] != NULL)
			all->v[i]->index = i;
	}
	for (uint32_t i = 0; i < n_old; i++)
		store_free(old[i]);
	free(old);
	stores_relinked(all);
	for (uint32_t i = 0; i < all->n; i++)
		if (all->early[i].h.gen == conf->gen)
			stores_campaign(all, &all->early[i]);
}

void
stores_relinked(struct stores *all)
{
	for (uint32_t i = 0; i < all->n; i++)
		if (all->v[i] != NULL)
			store_retell(all->v[i]);
}

void
stores_campaign(struct stores *all, const struct ipc_campaign *m)
{
	struct store *s = m->index < all->n ? all->v[m->index] : NULL;

	if (all->a->conf == NULL || m->h.gen != all->a->conf->gen) {
		/* The engine was sooner, and says it once: it counts when that generation comes. Of one before: too late. */
		if (m->index < LIMIT_INSTANCES)
			all->early[m->index] = *m;
		return;
	}
	if (s == NULL || !s->lease)
		return;
	s->wanted = m->wanted != 0;
	s->priority = m->priority;
	if (s->ops->campaign != NULL)
		s->ops->campaign(s);
}

static void
on_timer(void *arg, mono_t now)
{
	struct stores *all = arg;
	void (*stopped)(struct agent *a) = all->stopped;

	for (uint32_t i = 0; i < all->n; i++)
		if (all->v[i] != NULL && all->v[i]->unsent)
			send(all->v[i]);
	if (all->stopping && mono_due(now, all->stop_until) && stopped != NULL) {
		all->stopped = NULL;
		stopped(all->a);
	}
}

bool
store_stopping(const struct store *s)
{
	return s->all->stopping;
}

void
store_left(struct store *s)
{
	struct stores *all = s->all;

	s->wanted = false;
	if (!all->stopping)
		return;
	for (uint32_t i = 0; i < all->n; i++)
		if (all->v[i] != NULL && all->v[i]->lease && all->v[i]->wanted)
			return;
	all->stop_until = loop_now(all->a->loop);
	loop_timer_set(all->timer, all->stop_until);
}

void
stores_stop(struct stores *all, void (*done)(struct agent *a))
{
	bool any = false;

	all->stopping = true;
	all->stopped = done;
	all->stop_until = mono_add(loop_now(all->a->loop), STOP_MAX_US);
	for (uint32_t i = 0; i < all->n; i++) {
		struct store *s = all->v[i];

		if (s == NULL || !s->lease || s->ops->campaign == NULL)
			continue;
		any = true;
		s->wanted = true; /* until it has left */
		s->ops->campaign(s);
	}
	if (!any)
		all->stop_until = loop_now(all->a->loop);
	loop_timer_set(all->timer, all->stop_until);
}

struct stores *
stores_new(struct agent *a)
{
	struct stores *all = agent_alloc(1, sizeof(*all));

	all->a = a;
	all->timer = loop_timer_add(a->loop, on_timer, all);
	return all;
}

void
stores_free(struct stores *all)
{
	if (all == NULL)
		return;
	for (uint32_t i = 0; i < all->n; i++)
		store_free(all->v[i]);
	net_http_free(all->http);
	loop_timer_del(all->timer);
	free(all->v);
	free(all);
}

const char *
stores_leader(const struct stores *all, uint32_t index)
{
	const struct store *s = index < all->n ? all->v[index] : NULL;

	return s != NULL && s->leader[0] != '\0' ? s->leader : NULL;
}

const struct store *
stores_get(const struct stores *all, uint32_t index)
{
	return index < all->n ? all->v[index] : NULL;
}

bool
store_speaks(const struct store *s)
{
	return s->said.fact == ELECT_FACT_SELF || s->said.fact == ELECT_FACT_OTHER || s->said.fact == ELECT_FACT_NONE;
}

const char *
store_warning(const struct store *s)
{
	return s->trouble[0] != '\0' ? s->trouble : store_doubt_text(s->doubt);
}

void
stores_json(struct json_out *j, const struct stores *all, uint32_t index, const struct ipc_snap_instance *now,
	    uint64_t now_us)
{
	const struct store *s = stores_get(all, index);

	if (s == NULL) {
		json_out_null(j, "leader");
		return;
	}
	json_out_open(j, "leader", '{');
	json_out_text(j, "store", s->ops->name);
	json_out_text(j, "key", store_text(s, "key", 0));
	json_out_text(j, "fact", elect_fact_name((enum elect_fact)now->fact));
	json_out_text(j, "name", s->leader[0] != '\0' ? s->leader : NULL);
	json_out_text(j, "value", store_text(s, "value", 0));
	json_out_bool(j, "self", now->fact == ELECT_FACT_SELF);
	json_out_uint(j, "revision", s->revision);
	json_out_text(j, "endpoint", s->endpoint[0] != '\0' ? s->endpoint : NULL);
	json_out_uint(j, "latency_us", s->latency_us);
	if (now->held_until_us > now_us && now->held_until_us != UINT64_MAX)
		json_out_seconds(j, "lease_left_s", now->held_until_us - now_us);
	else
		json_out_null(j, "lease_left_s");
	json_out_text(j, "trouble", store_warning(s));
	json_out_close(j, '}');
}
