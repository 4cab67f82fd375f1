/*
 * api_status.c - the JSON documents: status and one instance.
 *
 * Runs in vrrpd-agent, called by api.c. Joins a snapshot of the engine with the configuration and the checks.
 * Field names are a contract with users' scripts: fields may be added, never renamed.
 */
#include "agent/api_int.h"

#include <string.h>

#include "agent/agent.h"
#include "agent/hooks.h"
#include "agent/store.h"
#include "base/strbuf.h"
#include "elect/elect.h"

static void
put_addr(struct json_out *j, const char *key, const struct ip_addr *a)
{
	char text[IP_ADDR_TEXT];

	json_out_text(j, key, a->family == IP_FAMILY_NONE ? NULL : ip_addr_format(a, text));
}

/* ---- one instance ---------------------------------------------------------------------------- */

static void
put_addresses(struct json_out *j, const struct api_view *v)
{
	json_out_open(j, "addresses", '[');
	for (uint32_t i = 0; i < v->inst->c.n_addresses; i++) {
		uint32_t at = v->inst->first_address + i;
		const struct ipc_conf_address *a = &v->a->conf->addresses[at];
		char text[IP_PREFIX_TEXT];

		json_out_open(j, NULL, '{');
		json_out_text(j, "address", ip_prefix_format(&a->prefix, text));
		json_out_text(j, "interface", a->ifname);
		json_out_bool(j, "held", snap_held(v->s, at));
		if (a->extra)
			json_out_bool(j, "extra", true);
		json_out_close(j, '}');
	}
	json_out_close(j, ']');
}

static const char *
track_state_name(enum elect_track_state s)
{
	static const char *const names[ELECT_TRACK_COUNT] = {
		[ELECT_TRACK_PENDING] = "pending",
		[ELECT_TRACK_UP] = "up",
		[ELECT_TRACK_DOWN] = "down",
		[ELECT_TRACK_STALE] = "stale",
	};

	return names[s];
}

/* Of a graded check: the score at the last run and what it adds to the priority since then. */
static void
put_score(struct json_out *j, const struct check *c)
{
	char text[SCORE_TEXT];

	if (!check_is_graded(c))
		return;
	if (c->score_shown < 0) {
		json_out_null(j, "score");
	} else {
		score_format(c->score_shown, text);
		json_out_raw(j, "score", text, strlen(text));
	}
	json_out_int(j, "priority_change", c->weight);
}

static void
put_track(struct json_out *j, const struct api_view *v, const struct ipc_conf_track *t,
	  enum elect_track_state state)
{
	json_out_open(j, NULL, '{');
	json_out_text(j, "name", t->name);
	json_out_text(j, "kind", t->is_interface ? "interface" : "check");
	json_out_text(j, "state", track_state_name(state));
	if (t->is_interface) {
		/* The engine watches it by itself and keeps no time. */
		json_out_null(j, "since_s");
		json_out_textf(j, "last", "%s is %s", t->name, state == ELECT_TRACK_UP ? "up" : "not up");
	} else {
		const struct check *c = checks_get(v->a->checks, t->check);

		/* An agent that was started anew does not know yet since when the engine's verdict holds. */
		if (c->state == IPC_CHECK_PENDING && state != ELECT_TRACK_PENDING)
			json_out_null(j, "since_s");
		else
			json_out_seconds(j, "since_s", mono_since(loop_now(v->a->loop), c->since));
		json_out_text(j, "last", c->last);
	}
	if (t->has_weight)
		json_out_int(j, "weight", t->weight);
	if (!t->is_interface)
		put_score(j, checks_get(v->a->checks, t->check));
	json_out_close(j, '}');
}

static void
put_checks(struct json_out *j, const struct api_view *v)
{
	json_out_open(j, "checks", '[');
	for (uint32_t i = 0; i < v->inst->c.n_tracks; i++)
		put_track(j, v, &v->a->conf->tracks[v->inst->first_track + i], v->now->tracks[i]);
	json_out_close(j, ']');
}

static void
put_peer(struct json_out *j, const struct api_view *v, const struct ipc_peer *p)
{
	json_out_open(j, NULL, '{');
	put_addr(j, "address", &p->addr);
	if (p->heard_us == 0) {
		json_out_null(j, "priority");
		json_out_null(j, "last_heard_ms");
		json_out_null(j, "version");
		json_out_null(j, "checksum");
		json_out_null(j, "advert_interval_ms");
	} else {
		json_out_uint(j, "priority", p->priority);
		json_out_uint(j, "last_heard_ms", api_ago(v->s, p->heard_us) / USEC_PER_MS);
		json_out_uint(j, "version", p->version);
		json_out_text(j, "checksum", api_has_forms(v) ? vrrp_checksum_form_name(p->form) : NULL);
		json_out_uint(j, "advert_interval_ms", p->adver_int_cs * 10u);
	}
	json_out_close(j, '}');
}

static bool
is_listed(const struct ipc_snap_instance *now, const struct ip_addr *a)
{
	for (unsigned i = 0; i < now->n_peers; i++)
		if (ip_addr_equal(&now->peers[i].addr, a))
			return true;
	return false;
}

/* Who was heard, then configured unicast peers that never were. */
static void
put_peers(struct json_out *j, const struct api_view *v)
{
	json_out_open(j, "peers", '[');
	for (unsigned i = 0; i < v->now->n_peers; i++)
		put_peer(j, v, &v->now->peers[i]);
	for (uint32_t i = 0; i < v->inst->c.n_peers; i++) {
		struct ipc_peer never = {.addr = v->a->conf->peers[v->inst->first_peer + i].addr};

		if (!is_listed(v->now, &never.addr))
			put_peer(j, v, &never);
	}
	json_out_close(j, ']');
}

static void
put_discarded(struct json_out *j, const uint64_t *discarded)
{
	json_out_open(j, "discarded", '{');
	for (unsigned d = VRRP_DROP_NONE + 1; d < VRRP_DROP_COUNT; d++)
		json_out_uint(j, vrrp_drop_label(d), discarded[d]);
	json_out_close(j, '}');
}

static void
put_counters(struct json_out *j, const struct ipc_snap_instance *now)
{
	const struct ipc_counters *c = &now->counters;

	json_out_open(j, "counters", '{');
	json_out_uint(j, "adverts_sent", c->adverts_sent);
	json_out_uint(j, "adverts_received", c->adverts_received);
	json_out_uint(j, "priority_zero_sent", c->zero_sent);
	json_out_uint(j, "priority_zero_received", c->zero_received);
	json_out_uint(j, "send_errors", c->send_errors);
	json_out_uint(j, "interval_differs", c->interval_differs);
	json_out_uint(j, "addresses_differ", c->addresses_differ);
	json_out_uint(j, "first_not_link_local", c->first_not_link_local);
	json_out_uint(j, "alt_checksum", c->alt_checksum);
	json_out_uint(j, "announcements_sent", c->announces_sent);
	json_out_uint(j, "addresses_healed", c->addresses_healed);
	json_out_uint(j, "connections_reset", c->connections_reset);
	json_out_uint(j, "conflicts", now->conflicts);
	json_out_uint(j, "transitions", now->transitions);
	put_discarded(j, c->discarded);
	json_out_close(j, '}');
}

/* The last claim of another host to one of the addresses while we were Active. */
static void
put_conflict(struct json_out *j, const struct api_view *v)
{
	const struct ipc_snap_instance *now = v->now;
	char mac[MAC_ADDR_TEXT];

	if (now->conflict_us == 0) {
		json_out_null(j, "conflict");
		return;
	}
	json_out_open(j, "conflict", '{');
	put_addr(j, "address", &now->conflict_addr);
	json_out_text(j, "mac", mac_addr_format(&now->conflict_mac, mac));
	json_out_seconds(j, "ago_s", api_ago(v->s, now->conflict_us));
	json_out_uint(j, "count", now->conflicts);
	json_out_close(j, '}');
}

static void
put_warning(void *arg, const char *text)
{
	json_out_text(arg, NULL, text);
}

static void
put_warnings(struct json_out *j, const struct api_view *v)
{
	json_out_open(j, "warnings", '[');
	api_warnings(v, put_warning, j);
	json_out_close(j, ']');
}

/* By address as VRRP knows it, by name as a store does. */
static void
put_active_node(struct json_out *j, const struct api_view *v)
{
	const struct ipc_snap_instance *now = v->now;
	const char *name = stores_leader(v->a->stores, now->index);

	if (!now->active_known && name == NULL) {
		json_out_null(j, "active_node");
		return;
	}
	json_out_open(j, "active_node", '{');
	put_addr(j, "address", &now->active_addr);
	if (name != NULL)
		json_out_text(j, "name", name);
	json_out_uint(j, "priority", now->active_priority);
	json_out_bool(j, "self", now->active_self);
	json_out_close(j, '}');
}

/* Null while it is not in force, or has no end. */
static void
put_left(struct json_out *j, const char *key, bool in_force, usec_t left)
{
	if (in_force && left != UINT64_MAX)
		json_out_seconds(j, key, left);
	else
		json_out_null(j, key);
}

/* The priority that was set by command. */
static void
put_override(struct json_out *j, const struct api_view *v)
{
	const struct ipc_override *o = &v->now->override;

	if (o->priority != 0)
		json_out_uint(j, "priority_override", o->priority);
	else
		json_out_null(j, "priority_override");
	put_left(j, "priority_override_left_s", o->priority != 0, api_left(v->s, o->priority_until_us));
}

void
api_instance_json(struct json_out *j, const struct agent *a, const struct snap *s, uint32_t index, bool counters)
{
	const struct agent_instance *inst = &a->conf->instances[index];
	const struct ipc_snap_instance *now = &s->instances[index];
	const struct api_view v = {.a = a, .s = s, .inst = inst, .now = now};
	char reason[LIMIT_CAUSE_TEXT];

	json_out_open(j, NULL, '{');
	json_out_text(j, "name", inst->c.name);
	json_out_text(j, "mode", elect_mode_name(inst->c.mode));
	json_out_text(j, "state", role_state_name(now->state));
	json_out_seconds(j, "since_s", api_ago(s, now->since_us));
	json_out_text(j, "reason", role_cause_text(&now->cause, reason, sizeof(reason)));
	json_out_text(j, "reason_code", role_reason_label(now->cause.reason));
	json_out_open(j, "priority", '{');
	json_out_uint(j, "base", inst->c.priority);
	json_out_uint(j, "effective", now->priority);
	json_out_close(j, '}');
	put_override(j, &v);
	json_out_bool(j, "leaving", now->leaving);
	json_out_bool(j, "drained", now->override.drained);
	put_left(j, "drained_left_s", now->override.drained, api_left(s, now->override.drained_until_us));
	json_out_bool(j, "takeover", now->override.takeover);
	put_left(j, "takeover_left_s", now->override.takeover, api_left(s, now->override.takeover_until_us));
	put_active_node(j, &v);
	put_addresses(j, &v);
	put_checks(j, &v);
	put_peers(j, &v);
	if (counters)
		put_counters(j, now);
	put_conflict(j, &v);
	stores_json(j, a->stores, index, now, s->engine.now_us);
	hooks_json(j, a->hooks, index, (enum role_ask)now->asking);
	json_out_uint(j, "vrid", inst->c.vrid);
	json_out_uint(j, "version", inst->c.version);
	json_out_text(j, "family", inst->c.family == IP_FAMILY_V4 ? "ipv4" : "ipv6");
	json_out_text(j, "interface", inst->c.ifname);
	put_addr(j, "source", &now->source);
	json_out_uint(j, "advert_interval_ms", inst->c.adver_int_cs * 10u);
	json_out_text(j, "checksum", api_has_forms(&v) ? vrrp_checksum_form_name(now->form) : NULL);
	put_warnings(j, &v);
	json_out_close(j, '}');
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void
put_adverts(struct json_out *j, const struct ipc_snap_engine *e)
{
	json_out_open(j, "adverts", '{');
	json_out_uint(j, "late_max_us", e->advert_late_max_us);
	json_out_open(j, "late", '[');
	for (unsigned i = 0; i < IPC_LATENESS_BUCKETS; i++) {
		json_out_open(j, NULL, '{');
		if (api_lateness_bounds_us[i] != 0)
			json_out_uint(j, "up_to_us", api_lateness_bounds_us[i]);
		else
			json_out_null(j, "up_to_us");
		json_out_uint(j, "adverts", e->advert_late[i]);
		json_out_close(j, '}');
	}
	json_out_close(j, ']');
	json_out_close(j, '}');
}

/* What addresses really get: it grows with their number, so that renewing stays cheap. 0 = permanent. */
static uint64_t
lifetime_s(const struct ipc_snap_engine *e)
{
	return (3 * e->renew_us + USEC_PER_SEC / 2) / USEC_PER_SEC; /* a third of it was rounded down */
}

/* An unexpected end of the engine is news for this long. */
#define TROUBLE_NEWS_US (3600 * (usec_t)USEC_PER_SEC)

static void
put_engine_warnings(struct json_out *j, const struct agent *a, const struct ipc_snap_engine *e)
{
	usec_t since = mono_since((mono_t){e->now_us}, (mono_t){a->trouble.last_us});

	json_out_open(j, "warnings", '[');
	if (a->trouble.restarts > 0 && since <= TROUBLE_NEWS_US)
		json_out_textf(j, NULL, "%s, %llu s ago (%u time%s since vrrpd started): see the log", a->trouble.text,
			       (unsigned long long)(since / USEC_PER_SEC), a->trouble.restarts,
			       a->trouble.restarts == 1 ? "" : "s");
	if (lifetime_s(e) > e->address_lifetime_s)
		json_out_textf(j, NULL,
			       "with so many addresses engine.address_lifetime is %llu s instead of %u s: renewing them "
			       "more often would cost too much",
			       (unsigned long long)lifetime_s(e), e->address_lifetime_s);
	if (a->conf->begin.realtime_priority > 0 && !e->realtime)
		json_out_text(
			j, NULL,
			"the engine has no real-time priority: on a busy host adverts may be late; allow it "
			"(CAP_SYS_NICE, rtprio) or set engine.realtime_priority = 0");
	if (a->conf->begin.lock_memory && !e->locked)
		json_out_text(j, NULL,
			      "the engine's memory is not locked: under memory pressure adverts may be late; "
			      "allow it "
			      "(CAP_IPC_LOCK, memlock) or set engine.lock_memory = false");
	json_out_close(j, ']');
}

void
api_status_json(struct json_out *j, const struct agent *a, const struct snap *s, bool counters)
{
	const struct ipc_snap_engine *e = &s->engine;

	json_out_open(j, NULL, '{');
	json_out_text(j, "node", a->conf->begin.node);
	json_out_text(j, "version", VRRPD_VERSION);
	json_out_seconds(j, "uptime_s", api_ago(s, e->started_us));
	json_out_bool(j, "realtime", e->realtime);
	json_out_bool(j, "memory_locked", e->locked);
	json_out_uint(j, "engine_restarts", a->trouble.restarts);
	json_out_uint(j, "address_lifetime_s", lifetime_s(e));
	put_adverts(j, e);
	put_discarded(j, e->discarded);
	put_engine_warnings(j, a, e);
	json_out_open(j, "instances", '[');
	for (uint32_t i = 0; i < s->n_instances; i++)
		api_instance_json(j, a, s, i, counters);
	json_out_close(j, ']');
	json_out_close(j, '}');
}
