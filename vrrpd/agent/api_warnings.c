/*
 * api_warnings.c - what is wrong with an instance, in sentences; and what the documents of the status API share.
 *
 * Runs in vrrpd-agent, called by api_status.c and api_explain.c. A sentence names both sides and the remedy.
 */
#include "agent/api_int.h"

#include <stdarg.h>
#include <stdio.h>

#include "agent/agent.h"
#include "elect/elect.h"

#define CONFLICT_NEWS_US (60 * USEC_PER_SEC) /* a claim of another host is news for this long */

struct api_view
api_view_of(const struct agent *a, const struct snap *s, uint32_t index)
{
	return (struct api_view){
		.a = a, .s = s, .inst = &a->conf->instances[index], .now = &s->instances[index]};
}

/* Engine and agent share the clock. */
usec_t
api_ago(const struct snap *s, uint64_t then_us)
{
	return mono_since((mono_t){s->engine.now_us}, (mono_t){then_us});
}

usec_t
api_left(const struct snap *s, uint64_t until_us)
{
	return until_us == UINT64_MAX ? UINT64_MAX : mono_since((mono_t){until_us}, (mono_t){s->engine.now_us});
}

bool
api_has_forms(const struct api_view *v)
{
	return v->inst->c.version == 3 && v->inst->c.family == IP_FAMILY_V4;
}

/* Where sentences go. */
struct out {
	const struct api_view *v;
	api_say_fn *say;
	void *arg;
};

static void PRINTF_LIKE(2, 3) say(const struct out *o, const char *fmt, ...)
{
	char text[LIMIT_LOG_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	o->say(o->arg, text);
}

/* ---- peers ------------------------------------------------------------------------------------------ */

/* Another list of addresses: the first that is missing there, the first that is missing here. */
static void
warn_addresses(const struct out *o, const struct ipc_peer *p)
{
	const struct ipc_snap_instance *now = o->v->now;
	char peer[IP_ADDR_TEXT], missing[IP_ADDR_TEXT], foreign[IP_ADDR_TEXT];
	bool seen = ip_addr_equal(&now->differ_peer, &p->addr);

	ip_addr_format(&p->addr, peer);
	ip_addr_format(&now->differ_missing, missing);
	ip_addr_format(&now->differ_foreign, foreign);
	if (seen && now->differ_missing.family != IP_FAMILY_NONE && now->differ_foreign.family != IP_FAMILY_NONE)
		say(o, "%s announces other addresses than we have: %s is missing there, %s is missing here", peer, missing,
		    foreign);
	else if (seen && now->differ_missing.family != IP_FAMILY_NONE)
		say(o, "%s announces other addresses than we have: %s is missing there", peer, missing);
	else if (seen && now->differ_foreign.family != IP_FAMILY_NONE)
		say(o, "%s announces other addresses than we have: %s is missing here", peer, foreign);
	else
		say(o, "%s announces other addresses than we have", peer);
}

/* What differs between one heard peer and this node. */
static void
warn_peer(const struct out *o, const struct ipc_peer *p)
{
	const struct ipc_conf_instance *c = &o->v->inst->c;
	const struct ipc_snap_instance *now = o->v->now;
	char addr[IP_ADDR_TEXT];

	ip_addr_format(&p->addr, addr);
	if (api_has_forms(o->v) && p->form != now->form)
		say(o,
		    "%s sends the %s checksum and we send the %s one: one of us may discard the other's adverts; set the "
		    "same form on both",
		    addr, vrrp_checksum_form_name(p->form), vrrp_checksum_form_name(now->form));
	if (p->addresses_differ)
		warn_addresses(o, p);
	/* One that leaves announces a short interval on purpose. */
	if (p->priority != 0 && p->adver_int_cs != c->adver_int_cs)
		say(o, "%s adverts every %u ms, we every %u ms: set the same advert_interval on both", addr,
		    p->adver_int_cs * 10u, c->adver_int_cs * 10u);
	if (p->priority == VRRP_PRIORITY_OWNER && p->priority == now->priority)
		say(o, "%s has priority 255, too: both own the addresses and neither yields; give one of them a lower priority",
		    addr);
	else if (p->priority != 0 && p->priority == now->priority)
		say(o, "%s has our priority %u: the higher address decides; give each node its own priority", addr,
		    p->priority);
}

/* What differs between two heard peers. */
static void
warn_pair(const struct out *o, const struct ipc_peer *p, const struct ipc_peer *q)
{
	char a[IP_ADDR_TEXT], b[IP_ADDR_TEXT];

	ip_addr_format(&p->addr, a);
	ip_addr_format(&q->addr, b);
	if (api_has_forms(o->v) && p->form != q->form)
		say(o,
		    "%s sends the %s checksum and %s the %s one: hosts that accept only one form hear only some peers; "
		    "set the same form everywhere",
		    a, vrrp_checksum_form_name(p->form), b, vrrp_checksum_form_name(q->form));
	if (p->priority == VRRP_PRIORITY_OWNER && p->priority == q->priority)
		say(o, "%s and %s both have priority 255: both own the addresses and neither yields; give one of them a lower priority",
		    a, b);
	else if (p->priority != 0 && p->priority == q->priority)
		say(o,
		    "%s and %s both have priority %u: the higher address decides; give each node its own priority", a, b,
		    p->priority);
}

/* ---- the network ------------------------------------------------------------------------------------ */

static bool
is_conflict_news(const struct api_view *v)
{
	return v->now->conflict_us != 0 && api_ago(v->s, v->now->conflict_us) <= CONFLICT_NEWS_US;
}

static void
warn_conflict(const struct out *o)
{
	const struct ipc_snap_instance *now = o->v->now;
	char addr[IP_ADDR_TEXT], mac[MAC_ADDR_TEXT];

	if (is_conflict_news(o->v))
		say(o, "the host with MAC address %s claims %s, too: find out who that is (ARP or NA heard %llu times)",
		    mac_addr_format(&now->conflict_mac, mac), ip_addr_format(&now->conflict_addr, addr),
		    (unsigned long long)now->conflicts);
}

static bool
heard_since(const struct api_view *v, uint64_t since_us)
{
	for (unsigned i = 0; i < v->now->n_peers; i++)
		if (v->now->peers[i].heard_us > since_us)
			return true;
	return false;
}

/* Two Actives that do not hear each other. Silence alone is no sign of it: Backups do not advertise. */
static void
warn_silence(const struct out *o)
{
	const struct api_view *v = o->v;

	if (v->inst->c.mode == ELECT_MODE_VRRP && v->now->state == ROLE_STATE_ACTIVE && v->now->link == ELECT_LINK_UP &&
	    is_conflict_news(v) && !heard_since(v, v->now->since_us))
		say(o,
		    "another host claims the addresses, but we hear no adverts of it although interface %s is up: is "
		    "protocol 112 open in the firewalls of both hosts?",
		    v->inst->c.ifname);
}

/* Adverts come, and none is accepted. */
static void
warn_discarded(const struct out *o)
{
	const struct ipc_counters *c = &o->v->now->counters;
	unsigned most = VRRP_DROP_NONE;

	if (c->adverts_received > 0 || c->discarded[VRRP_DROP_OWNER] > 0)
		return; /* an owner discards good ones, too */
	for (unsigned d = VRRP_DROP_NONE + 1; d < VRRP_DROP_COUNT; d++)
		if (d != VRRP_DROP_OWN && c->discarded[d] > 0 && (most == VRRP_DROP_NONE || c->discarded[d] > c->discarded[most]))
			most = d;
	if (most != VRRP_DROP_NONE)
		say(o, "adverts arrive, but all are discarded (%llu: %s): the hosts' settings differ",
		    (unsigned long long)c->discarded[most], vrrp_drop_text((enum vrrp_drop)most));
}

void
api_warnings(const struct api_view *v, api_say_fn *say_fn, void *arg)
{
	const struct out o = {.v = v, .say = say_fn, .arg = arg};
	const struct ipc_peer *peers = v->now->peers;

	warn_conflict(&o);
	warn_silence(&o);
	warn_discarded(&o);
	for (unsigned i = 0; i < v->now->n_peers; i++) {
		if (peers[i].heard_us == 0)
			continue;
		warn_peer(&o, &peers[i]);
		for (unsigned k = i + 1; k < v->now->n_peers; k++)
			if (peers[k].heard_us != 0)
				warn_pair(&o, &peers[i], &peers[k]);
	}
}
