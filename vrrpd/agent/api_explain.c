/*
 * api_explain.c - GET /v1/instances/NAME/explain: why the instance is what it is, and what happens next, in words.
 *
 * Runs in vrrpd-agent, called by api_routes.c. Everything is worked out from one snapshot and the configuration; times
 * to come are the protocol's own (RFC 9568 6.1: skew time and down interval), and say so with "about".
 */
#include "agent/api_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/store.h"
#include "base/strbuf.h"
#include "proto/vrrp_timers.h"

struct out {
	struct json_out *j;
	const struct api_view *v;
};

/* ---- sections and lines ------------------------------------------------------------------------- */

static void
section(const struct out *o, const char *title)
{
	json_out_open(o->j, NULL, '{');
	json_out_text(o->j, "title", title);
	json_out_open(o->j, "lines", '[');
}

static void
end_section(const struct out *o)
{
	json_out_close(o->j, ']');
	json_out_close(o->j, '}');
}

static void
put_line(const struct out *o, bool warning, const char *text)
{
	json_out_open(o->j, NULL, '{');
	json_out_text(o->j, "text", text);
	json_out_bool(o->j, "warning", warning);
	json_out_close(o->j, '}');
}

static void PRINTF_LIKE(2, 3) line(const struct out *o, const char *fmt, ...)
{
	char text[LIMIT_LOG_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_line(o, false, text);
}

/* A span of time as people say it: "40 ms", "3.6 s", "5 min", "2 h". */
static const char *
span(usec_t us, char buf[24])
{
	if (us < USEC_PER_SEC)
		snprintf(buf, 24, "%llu ms", (unsigned long long)((us + USEC_PER_MS / 2) / USEC_PER_MS));
	else if (us < 120 * (usec_t)USEC_PER_SEC)
		snprintf(buf, 24, "%.1f s", (double)us / USEC_PER_SEC);
	else if (us < 7200 * (usec_t)USEC_PER_SEC)
		snprintf(buf, 24, "%llu min", (unsigned long long)(us / USEC_PER_SEC / 60));
	else
		snprintf(buf, 24, "%llu h", (unsigned long long)(us / USEC_PER_SEC / 3600));
	return buf;
}

/* " for 9 min more", or the remedy when it has no end. */
static const char *
until(usec_t left, const char *remedy, char buf[80])
{
	char s[24];

	if (left == UINT64_MAX)
		snprintf(buf, 80, "until %s", remedy);
	else
		snprintf(buf, 80, "for %s more", span(left, s));
	return buf;
}

/* ---- who holds it --------------------------------------------------------------------------------- */

static void
tell_addresses(const struct out *o)
{
	const struct api_view *v = o->v;
	uint32_t n = v->inst->c.n_addresses, held = 0;
	char text[IP_PREFIX_TEXT];

	for (uint32_t i = 0; i < n; i++)
		held += snap_held(v->s, v->inst->first_address + i);
	line(o, "%u of %u address%s %s in place on this node", held, n, n == 1 ? "" : "es", n == 1 ? "is" : "are");
	if (v->now->state != ROLE_STATE_ACTIVE || held == n)
		return;
	for (uint32_t i = 0; i < n; i++) {
		const struct ipc_conf_address *a = &v->a->conf->addresses[v->inst->first_address + i];

		if (!snap_held(v->s, v->inst->first_address + i)) {
			line(o, "not in place: %s on %s", ip_prefix_format(&a->prefix, text), a->ifname);
			return;
		}
	}
}

static void
tell_active(const struct out *o)
{
	const struct ipc_snap_instance *now = o->v->now;
	const char *leader = stores_leader(o->v->a->stores, now->index);
	char addr[IP_ADDR_TEXT];

	if (now->active_self)
		line(o, "this node is the active one");
	else if (leader != NULL)
		line(o, "the store says that %s is the leader", leader);
	else if (now->active_known)
		line(o, "%s is the active node, with priority %u", ip_addr_format(&now->active_addr, addr),
		     now->active_priority);
	else
		line(o, o->v->inst->c.mode == ELECT_MODE_VRRP ? "no active node is heard" : "no leader is known");
}

static void
explain_now(const struct out *o)
{
	static const char *const waits[ROLE_ASK_COUNT] = {
		[ROLE_ASK_ENTER] = "about to take over: the gate is asked first",
		[ROLE_ASK_LEASE] = "about to take over: waiting for the arbiter's lease",
		[ROLE_ASK_LEAVE] = "about to hand over: its services are stopping",
	};
	const struct ipc_snap_instance *now = o->v->now;

	section(o, "now");
	if (waits[now->asking] != NULL)
		line(o, "%s", waits[now->asking]);
	if (now->leaving)
		line(o, "no longer active, but the addresses are served until another node has them");
	tell_active(o);
	tell_addresses(o);
	end_section(o);
}

/* ---- priority ------------------------------------------------------------------------------------- */

/* What one tracked object does to the priority, as elect_fit.c counts it. */
static void
tell_track(const struct out *o, const struct ipc_conf_track *t, enum elect_track_state state)
{
	static const char *const states[ELECT_TRACK_COUNT] = {
		[ELECT_TRACK_PENDING] = "has no result yet",
		[ELECT_TRACK_UP] = "is up",
		[ELECT_TRACK_DOWN] = "is down",
		[ELECT_TRACK_STALE] = "gave no fresh result",
	};
	bool known = state == ELECT_TRACK_UP || state == ELECT_TRACK_DOWN;
	bool up = known && (state == ELECT_TRACK_UP) != (bool)t->inverted;
	const struct check *c = t->is_interface ? NULL : checks_get(o->v->a->checks, t->check);
	char effect[64], last[LIMIT_CHECK_TEXT + 4] = "";

	if (!t->has_weight)
		snprintf(effect, sizeof(effect), "%s", up ? "fit" : "this node is unfit");
	else if (up == (t->weight > 0))
		snprintf(effect, sizeof(effect), "%+d", t->weight);
	else
		snprintf(effect, sizeof(effect), "adds nothing (%+d while %s)", t->weight, t->weight > 0 ? "up" : "down");
	if (c != NULL && c->last[0] != '\0')
		snprintf(last, sizeof(last), " (%s)", c->last);
	line(o, "%s %s %s%s%s: %s", t->is_interface ? "interface" : "check", t->name, states[state], last,
	     t->inverted ? ", which counts the other way round" : "", effect);
	if (c != NULL && up && c->has_weight)
		line(o, "check %s says by itself: %+d", t->name, c->weight);
}

static void
explain_priority(const struct out *o)
{
	const struct ipc_conf_instance *c = &o->v->inst->c;
	const struct ipc_override *ov = &o->v->now->override;
	char buf[80], remedy[LIMIT_NAME + 40];

	section(o, "priority");
	snprintf(remedy, sizeof(remedy), "vrrpctl priority %s reset", c->name);
	if (ov->priority != 0)
		line(o, "base %u by command (%u configured), %s", ov->priority, c->priority,
		     until(api_left(o->v->s, ov->priority_until_us), remedy, buf));
	else
		line(o, "base %u%s", c->priority,
		     c->priority == VRRP_PRIORITY_OWNER ? ": this host owns the addresses, nothing changes that" : "");
	for (uint32_t i = 0; i < c->n_tracks; i++)
		tell_track(o, &o->v->a->conf->tracks[o->v->inst->first_track + i], o->v->now->tracks[i]);
	snprintf(remedy, sizeof(remedy), "vrrpctl resume %s", c->name);
	if (ov->takeover)
		line(o, "told to take over: %u instead of all that, %s", VRRP_PRIORITY_OWNER - 1,
		     until(api_left(o->v->s, ov->takeover_until_us), remedy, buf));
	line(o, "effective priority %u", o->v->now->priority);
	end_section(o);
}

/* ---- who is heard ----------------------------------------------------------------------------------- */

static void
tell_peer(const struct out *o, const struct ipc_peer *p)
{
	char addr[IP_ADDR_TEXT], ago[24], interval[24];

	ip_addr_format(&p->addr, addr);
	if (p->heard_us == 0) {
		line(o, "%s: never", addr);
		return;
	}
	span(api_ago(o->v->s, p->heard_us), ago);
	if (p->priority == 0)
		line(o, "%s: %s ago, it left then (priority 0)", addr, ago);
	else
		line(o, "%s: %s ago, with priority %u, adverts every %s", addr, ago, p->priority,
		     span((usec_t)p->adver_int_cs * USEC_PER_CS, interval));
}

static void
explain_peers(const struct out *o)
{
	const struct ipc_snap_instance *now = o->v->now;

	section(o, "heard");
	for (unsigned i = 0; i < now->n_peers; i++)
		tell_peer(o, &now->peers[i]);
	if (now->n_peers == 0)
		line(o, "nobody yet");
	if (now->state == ROLE_STATE_ACTIVE)
		line(o, "Backups do not advertise: one that was not heard for long may well be there");
	end_section(o);
}

/* ---- the leader of a store ------------------------------------------------------------------------ */

static void
explain_leader(const struct out *o)
{
	static const char *const facts[ELECT_FACT_COUNT] = {
		[ELECT_FACT_NOTHING] = "has said nothing yet",	 [ELECT_FACT_SELF] = "names this node",
		[ELECT_FACT_OTHER] = "names another node",	 [ELECT_FACT_NONE] = "says that there is no leader",
		[ELECT_FACT_LOST] = "cannot be reached",	 [ELECT_FACT_DENIED] = "refuses to say",
	};
	const struct ipc_snap_instance *now = o->v->now;
	const struct store *s = stores_get(o->v->a->stores, now->index);
	usec_t left = api_left(o->v->s, now->held_until_us);
	const char *key;
	char buf[24];

	if (s == NULL)
		return;
	key = store_text(s, "key", 0);
	section(o, "leader");
	line(o, "%s%s%s %s%s%s", s->ops->name, key != NULL ? " " : "", key != NULL ? key : "", facts[now->fact],
	     s->leader[0] != '\0' ? ": " : "", s->leader);
	if (s->endpoint[0] != '\0')
		line(o, "%s answered last, in %s", s->endpoint, span(s->latency_us, buf));
	if (now->fact == ELECT_FACT_SELF && left != UINT64_MAX)
		line(o, "without other news the addresses are held for %s more", span(left, buf));
	if (s->trouble[0] != '\0')
		put_line(o, true, s->trouble);
	end_section(o);
}

/* ---- what happens next ------------------------------------------------------------------------------ */

/* A leaving Active announces a short interval first (vrrp_fsm_goodbye): the skew time is one of that. */
static usec_t
leave_us(const struct ipc_conf_instance *c, uint8_t priority)
{
	uint16_t cs = c->version == 3 ? MIN(c->adver_int_cs, VRRP_HURRY_CS) : c->adver_int_cs;

	return vrrp_skew_us(c->version, priority, cs);
}

static usec_t
silent_us(const struct ipc_conf_instance *c, uint8_t priority, uint16_t adver_int_cs)
{
	return vrrp_down_us(c->version, priority, adver_int_cs, c->down_adverts);
}

/* Of those heard at any time the one that comes first when this node leaves. */
static const struct ipc_peer *
best_peer(const struct ipc_snap_instance *now)
{
	const struct ipc_peer *best = NULL;

	for (unsigned i = 0; i < now->n_peers; i++) {
		const struct ipc_peer *p = &now->peers[i];

		if (p->heard_us != 0 && p->priority > 0 && p->priority < VRRP_PRIORITY_OWNER &&
		    (best == NULL || p->priority > best->priority))
			best = p;
	}
	return best;
}

static void
next_active(const struct out *o)
{
	const struct ipc_conf_instance *c = &o->v->inst->c;
	const struct ipc_peer *p = best_peer(o->v->now);
	char addr[IP_ADDR_TEXT], a[24], b[24];

	if (p != NULL) {
		ip_addr_format(&p->addr, addr);
		line(o,
		     "if this node stops or is drained, %s (priority %u when last heard) takes over after about %s, without "
		     "loss: the addresses stay here until it has them",
		     addr, p->priority, span(leave_us(c, p->priority), a));
		line(o, "if this host fails without a word, it takes over after about %s",
		     span(silent_us(c, p->priority, c->adver_int_cs), a));
		return;
	}
	line(o,
	     "if this node stops or is drained, the best Backup takes over within about %s, without loss: the addresses "
	     "stay here until it has them",
	     span(leave_us(c, 1), a));
	line(o, "if this host fails without a word, it takes over after %s to %s, by its priority",
	     span(silent_us(c, VRRP_PRIORITY_OWNER - 1, c->adver_int_cs), a), span(silent_us(c, 1, c->adver_int_cs), b));
	line(o,
	     "no other node was ever heard: fine if they are Backup; if one of them is active, too, protocol 112 is blocked "
	     "between the hosts");
}

/* A Backup that is better placed than the active node. */
static void
next_preempt(const struct out *o)
{
	const struct ipc_conf_instance *c = &o->v->inst->c;
	const struct ipc_snap_instance *now = o->v->now;
	usec_t left = api_left(o->v->s, now->preempt_until_us);
	char buf[24];

	if (now->override.takeover)
		line(o, "this node takes over: it was told to");
	else if (!c->preempt)
		line(o, "this node has the higher priority (%u to %u), but preempt = false: it takes over only when the "
			"active node leaves or fails, or by vrrpctl takeover %s",
		     now->priority, now->active_priority, c->name);
	else if (left != UINT64_MAX && left > 0)
		line(o, "this node has the higher priority (%u to %u) and takes over in about %s (preempt_delay)",
		     now->priority, now->active_priority, span(left, buf));
	else
		line(o, "this node has the higher priority (%u to %u) and takes over after its down interval, about %s",
		     now->priority, now->active_priority, span(silent_us(c, now->priority, c->adver_int_cs), buf));
}

static uint16_t
interval_of(const struct ipc_snap_instance *now, const struct ip_addr *addr, uint16_t otherwise)
{
	for (unsigned i = 0; i < now->n_peers; i++)
		if (ip_addr_equal(&now->peers[i].addr, addr) && now->peers[i].adver_int_cs > 0)
			return now->peers[i].adver_int_cs;
	return otherwise;
}

static void
next_backup(const struct out *o)
{
	const struct ipc_conf_instance *c = &o->v->inst->c;
	const struct ipc_snap_instance *now = o->v->now;
	uint16_t cs = interval_of(now, &now->active_addr, c->adver_int_cs);
	char addr[IP_ADDR_TEXT], a[24], b[24];

	if (!now->active_known) {
		line(o, "if nobody is heard, this node takes over after its down interval, about %s",
		     span(silent_us(c, now->priority, c->adver_int_cs), a));
		return;
	}
	ip_addr_format(&now->active_addr, addr);
	if (now->active_priority < now->priority)
		next_preempt(o);
	line(o, "if %s stops in order, this node takes over after at most %s, without loss", addr,
	     span(vrrp_skew_us(c->version, now->priority, cs), a));
	line(o, "if it fails without a word, this node takes over after about %s", span(silent_us(c, now->priority, cs), b));
	for (unsigned i = 0; i < now->n_peers; i++)
		if (now->peers[i].priority > now->priority && !ip_addr_equal(&now->peers[i].addr, &now->active_addr))
			line(o, "%s had a higher priority (%u) when it was last heard: it would come before this node",
			     ip_addr_format(&now->peers[i].addr, addr), now->peers[i].priority);
	if (now->active_priority > now->priority)
		line(o, "if this node stops, nothing changes: %s goes on", ip_addr_format(&now->active_addr, addr));
}

/* False: it is not drained. */
static bool
next_drained(const struct out *o, const char *when)
{
	const struct ipc_override *ov = &o->v->now->override;
	char buf[80], remedy[LIMIT_NAME + 20];

	if (!ov->drained)
		return false;
	snprintf(remedy, sizeof(remedy), "vrrpctl resume %s", o->v->inst->c.name);
	line(o, "drained: %sthis node stays away %s", when, until(api_left(o->v->s, ov->drained_until_us), remedy, buf));
	return true;
}

static void
next_fault(const struct out *o)
{
	const struct ipc_snap_instance *now = o->v->now;
	usec_t left = api_left(o->v->s, now->retry_us);
	char buf[24];

	if (next_drained(o, "also when that is mended, "))
		;
	else if (left != UINT64_MAX)
		line(o, "this node tries again in %s", span(left, buf));
	else
		line(o, "this node takes part again as soon as that is mended");
	if (now->active_known && !now->active_self)
		line(o, "the other node goes on; nothing is lost while it does");
	else
		line(o, "no active node is known: nobody may be holding the addresses");
}

static void
next_initialize(const struct out *o)
{
	const struct ipc_snap_instance *now = o->v->now;
	usec_t left = api_left(o->v->s, now->delay_until_us);
	char buf[24];

	if (next_drained(o, ""))
		return;
	if (left != UINT64_MAX)
		line(o, "this node takes part in %s (start_delay)", span(left, buf));
	else
		line(o, "this node is about to take part, or about to end");
}

/* Modes follow and lease. */
static void
next_store(const struct out *o)
{
	const struct ipc_snap_instance *now = o->v->now;
	bool lease = o->v->inst->c.mode == ELECT_MODE_LEASE;
	char buf[24];

	if (now->state != ROLE_STATE_ACTIVE) {
		line(o, lease ? "as soon as the lease is free, this node tries for it (a node with a higher priority sooner)"
			      : "as soon as the key names this node, it takes the addresses");
		return;
	}
	line(o, lease ? "if this node stops or is drained, it gives the lease back, and another node gets it at once"
		      : "as soon as the key names another node, this one gives the addresses up");
	if (now->held_until_us != UINT64_MAX)
		line(o, "if the store cannot be reached, or this host fails, the addresses are given up after at most %s",
		     span(api_left(o->v->s, now->held_until_us), buf));
}

static void
explain_next(const struct out *o)
{
	const struct ipc_snap_instance *now = o->v->now;

	section(o, "next");
	if (now->state == ROLE_STATE_FAULT)
		next_fault(o);
	else if (now->state == ROLE_STATE_INITIALIZE)
		next_initialize(o);
	else if (o->v->inst->c.mode != ELECT_MODE_VRRP)
		next_store(o);
	else if (now->state == ROLE_STATE_ACTIVE)
		next_active(o);
	else
		next_backup(o);
	end_section(o);
}

/* ---- what is wrong ---------------------------------------------------------------------------------- */

struct problems {
	const struct out *o;
	unsigned n;
};

static void
put_problem(void *arg, const char *text)
{
	struct problems *p = arg;

	p->n++;
	put_line(p->o, true, text);
}

static void
explain_problems(const struct out *o)
{
	struct problems p = {.o = o};

	section(o, "problems");
	api_warnings(o->v, put_problem, &p);
	if (p.n == 0)
		line(o, "none that can be seen from here");
	end_section(o);
}

void
api_explain_json(struct json_out *j, const struct api_view *v)
{
	const struct out o = {.j = j, .v = v};
	char reason[LIMIT_CAUSE_TEXT];

	json_out_open(j, NULL, '{');
	json_out_text(j, "name", v->inst->c.name);
	json_out_text(j, "mode", elect_mode_name(v->inst->c.mode));
	json_out_text(j, "state", role_state_name(v->now->state));
	json_out_seconds(j, "since_s", api_ago(v->s, v->now->since_us));
	json_out_text(j, "reason", role_cause_text(&v->now->cause, reason, sizeof(reason)));
	json_out_text(j, "reason_code", role_reason_label(v->now->cause.reason));
	json_out_open(j, "sections", '[');
	explain_now(&o);
	if (v->inst->c.mode != ELECT_MODE_FOLLOW)
		explain_priority(&o);
	explain_leader(&o);
	if (v->inst->c.mode == ELECT_MODE_VRRP)
		explain_peers(&o);
	explain_next(&o);
	explain_problems(&o);
	json_out_close(j, ']');
	json_out_close(j, '}');
}
