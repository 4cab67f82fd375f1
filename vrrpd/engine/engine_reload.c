/*
 * engine_reload.c - from one generation of the configuration to the next, while everything runs.
 *
 * An instance of the same name, mode, interface and family goes on: with nothing changed it does not even notice.
 * Others are new; those that are gone come along as `removed`, so that they leave in order like everybody else. The
 * kernel thread moves the addresses first (engine_addresses.c); until it has, the old generation is in force. Runs in
 * the advert loop.
 */
#include "engine/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "sys/log.h"

/* Those that the generation before last had are unknown to the next one: it would drop them half-way. */
static bool
some_leave(const struct engine_gen *g)
{
	for (uint32_t n = g->n_configured; n < g->n_instances; n++)
		if (g->instances[n].releasing || elect_holds(&g->instances[n].elect))
			return true;
	return false;
}

static int
switch_kernel(struct engine *e)
{
	int r = engine_kernel_switch(e->kernel, e->waiting_gen);

	if (r == 0)
		e->next_gen = TAKE(e->waiting_gen);
	return r;
}

int
engine_reload_begin(struct engine *e, struct engine_gen *next)
{
	/* vrrpd waits for one generation before it sends the next. */
	if (!e->synced || e->next_gen != NULL || e->waiting_gen != NULL) {
		engine_gen_free(next);
		return -EPROTO;
	}
	e->waiting_gen = next;
	return some_leave(e->gen) ? 0 : switch_kernel(e);
}

void
engine_reload_go_on(struct engine *e)
{
	if (e->waiting_gen == NULL || some_leave(e->gen) || switch_kernel(e) == 0)
		return;
	log_error("no memory for another configuration");
	exit(1); /* the next engine starts with it */
}

/* The instance of the old generation that this one goes on from, or NULL. */
static struct engine_instance *
predecessor(struct engine_gen *old, const struct engine_instance *i)
{
	for (uint32_t n = 0; n < old->n_configured; n++) {
		/* Mostly the order stays. */
		struct engine_instance *o = &old->instances[(i->index + n) % old->n_configured];

		if (strcmp(o->conf.name, i->conf.name) == 0 && o->conf.mode == i->conf.mode &&
		    o->codec.family == i->codec.family && strcmp(o->conf.ifname, i->conf.ifname) == 0)
			return o;
	}
	return NULL;
}

static bool
same_addresses(const struct engine_gen *old, const struct engine_instance *o, const struct engine_gen *g,
	       const struct engine_instance *i)
{
	if (o->n_addresses != i->n_addresses || o->codec.n_addrs != i->codec.n_addrs)
		return false;
	for (uint32_t n = 0; n < i->n_addresses; n++) {
		const struct engine_address *a = &o->addresses[n], *b = &i->addresses[n];

		if (a->prefix.len != b->prefix.len || !ip_addr_equal(&a->prefix.addr, &b->prefix.addr) ||
		    strcmp(old->watches[a->watch].ifname, g->watches[b->watch].ifname) != 0)
			return false;
	}
	return true;
}

/* Announcements go on, at the new settings' pace; other addresses begin the running round anew. */
static void
adopt_announce(struct engine_instance *i, const struct engine_instance *o, bool same, mono_t now)
{
	struct engine_announce *a = &i->announce;

	*a = o->announce;
	if (!same)
		a->position = 0;
	if (i->garp_refresh_us != o->garp_refresh_us)
		a->refresh_at = i->garp_refresh_us > 0 ? mono_add(now, i->garp_refresh_us) : MONO_NEVER;
}

static void
adopt(struct engine_instance *i, const struct engine_instance *o, bool same, mono_t now)
{
	elect_adopt(&i->elect, &i->conf, &o->elect);
	i->adopted = true;
	i->counters = o->counters;
	i->owner_told = o->owner_told;
	i->heal = o->heal;
	i->send_failed = o->send_failed;
	i->told = o->told;
	i->campaigns = o->campaigns;
	i->keep_until_us = o->keep_until_us;
	i->last = o->last;
	i->last_due = o->last_due;
	i->event_due = o->event_due;
	i->event_from = o->event_from;
	i->claims.conflicts = o->claims.conflicts;
	i->claims.mac = o->claims.mac;
	i->claims.addr = o->claims.addr;
	i->claims.at = o->claims.at;
	i->claims.told = o->claims.told;
	adopt_announce(i, o, same, now);
	if (same) {
		i->claims.n_seen = o->claims.n_seen;
		memcpy(i->claims.seen, o->claims.seen, i->n_addresses);
	}
}

/* What the kernel thread told of an interface holds on: it tells again only what differs. */
static void
carry_watches(const struct engine_gen *old, struct engine_gen *g)
{
	for (uint32_t n = 0; n < g->n_watches; n++) {
		struct engine_watch *w = &g->watches[n];

		for (uint32_t k = 0; k < old->n_watches; k++) {
			const struct engine_watch *o = &old->watches[k];

			if (strcmp(o->ifname, w->ifname) != 0)
				continue;
			w->link = o->link;
			w->ifindex = o->ifindex;
			w->mtu = o->mtu;
			w->mac = o->mac;
			if (o->family == w->family && ip_addr_equal(&o->wanted, &w->wanted))
				w->source = o->source;
		}
	}
}

/* Sockets go over to the port of the same interface and family; new ones come later where they do not fit. */
static void
carry_ports(struct engine *e, struct engine_gen *old, struct engine_gen *g)
{
	for (uint32_t n = 0; n < g->n_ports; n++) {
		struct engine_port *p = &g->ports[n], *o;
		uint32_t k;

		(void)engine_port_stays(old, g, p, &k);
		if (k == ENGINE_NO_INDEX)
			continue;
		o = &old->ports[k];
		p->ifindex = o->ifindex;
		p->fd = o->fd;
		p->stray_fd = o->stray_fd;
		p->io = TAKE(o->io);
		p->stray_io = TAKE(o->stray_io);
		p->window = o->window;
		p->in_window = o->in_window;
		p->before = o->before;
		o->fd = o->stray_fd = -1;
	}
	for (uint32_t k = 0; k < old->n_ports; k++) {
		struct engine_port *o = &old->ports[k];

		loop_io_del(TAKE(o->io));
		loop_io_del(TAKE(o->stray_io));
		if (o->fd >= 0) {
			engine_kernel_close_fd(e->kernel, o->fd);
			engine_kernel_close_fd(e->kernel, o->stray_fd);
			o->fd = o->stray_fd = -1;
		}
	}
}

static const char *
check_name(const struct engine_gen *g, uint32_t check)
{
	for (uint32_t n = 0; n < g->n_instances; n++) {
		const struct engine_instance *i = &g->instances[n];

		for (uint8_t t = 0; t < i->conf.n_tracks; t++)
			if (!i->tracks[t].is_interface && i->tracks[t].check == check)
				return i->conf.tracks[t].name;
	}
	return "";
}

/* Verdicts go on by the check's name; its number may be another one now. */
static void
carry_checks(const struct engine_gen *old, struct engine_gen *g)
{
	for (uint32_t n = 0; n < g->n_checks; n++) {
		struct engine_check *c = &g->checks[n];

		for (uint32_t k = 0; c->used && k < old->n_checks; k++) {
			if (!old->checks[k].used || strcmp(check_name(old, k), check_name(g, n)) != 0)
				continue;
			c->state = old->checks[k].state;
			c->has_weight = old->checks[k].has_weight;
			c->weight = old->checks[k].weight;
			c->heard = old->checks[k].heard;
		}
	}
}

/* Another virtual router of the same name: what was said by command is said of the name. */
static void
carry_override(const struct engine_gen *old, struct engine_instance *i, mono_t now)
{
	struct elect_event ev = {.kind = ELECT_EVENT_OVERRIDE};
	struct role_actions none = {.n = 0};
	struct elect_override left;

	for (uint32_t n = 0; n < old->n_configured; n++) {
		if (strcmp(old->instances[n].conf.name, i->conf.name) != 0)
			continue;
		left = elect_override_left(&old->instances[n].elect.override, now);
		elect_override_fit(&left, &i->conf);
		ev.override = &left;
		elect_step(&i->elect, &ev, now, &none);
		ASSERT(none.n == 0); /* it has not started */
	}
}

/* Its checks may be known for long, and be told again only when they change. */
static void
tell_checks(struct engine *e, struct engine_instance *i, mono_t now)
{
	for (uint8_t t = 0; t < i->conf.n_tracks; t++) {
		const struct engine_check *c = &e->gen->checks[i->tracks[t].check];
		struct elect_event ev = {.kind = ELECT_EVENT_TRACK,
					 .track = t,
					 .track_state = c->state,
					 .has_weight = c->has_weight,
					 .weight = c->weight};

		if (!i->conf.tracks[t].is_interface && i->elect.tracks[t] == ELECT_TRACK_PENDING &&
		    c->state != ELECT_TRACK_PENDING)
			engine_event(e, i, &ev, now);
	}
}

/* Set an instance of the new generation up. */
static void
carry_instance(struct engine_gen *old, struct engine_gen *g, struct engine_instance *i, mono_t now)
{
	struct engine_instance *o = predecessor(old, i);
	bool same;

	if (o == NULL) {
		elect_init(&i->elect, &i->conf, now);
		carry_override(old, i, now);
		i->announce.second_at = i->announce.refresh_at = MONO_NEVER;
		return;
	}
	same = same_addresses(old, o, g, i);
	adopt(i, o, same, now);
	i->settling = !same;
	i->tell_peers = !same || o->codec.vrid != i->codec.vrid || o->codec.version != i->codec.version;
}

void
engine_reload_switch(struct engine *e, mono_t now)
{
	struct engine_gen *old = e->gen, *g = e->next_gen;

	/* What the old generation decided leaves first. */
	engine_tx_flush(e, now);
	carry_watches(old, g);
	carry_checks(old, g);
	carry_ports(e, old, g);
	e->next_gen = NULL;
	e->gen = g;
	engine_kernel_switched(e->kernel);
	for (uint32_t n = 0; n < g->n_instances; n++)
		carry_instance(old, g, &g->instances[n], now);
	for (uint32_t n = 0; n < g->n_instances; n++) {
		struct engine_instance *i = &g->instances[n];
		struct elect_event ev = {.kind = ELECT_EVENT_CONF, .on = i->tell_peers};

		if (i->removed) {
			ev.kind = ELECT_EVENT_STOP;
			ev.on = true;
		}
		if (i->adopted)
			engine_event(e, i, &ev, now);
		tell_checks(e, i, now);
	}
	/* Who goes on with an address before who gives it up: it may be the same one. */
	for (uint32_t n = 0; n < g->n_instances; n++)
		if (elect_holds(&g->instances[n].elect))
			engine_want_again(e, &g->instances[n]);
	for (uint32_t n = 0; n < g->n_instances; n++)
		if (!elect_holds(&g->instances[n].elect))
			engine_want_again(e, &g->instances[n]);
	engine_gen_free(old);
	engine_claim_update(e);
	engine_memory_write(e);
	engine_report_restart(e);
	engine_ask_all(e);
	engine_campaign_all(e);
	e->next_wake = now;
	loop_timer_set(e->announce_timer, now);
}
