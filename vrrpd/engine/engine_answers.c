/*
 * engine_answers.c - what the kernel thread says: sockets, interfaces, addresses, the next generation.
 *
 * Runs in the advert loop. Each answer becomes an event of the elections it is about.
 */
#include "engine/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "sys/log.h"

static void
install_sockets(struct engine *e, const struct kernel_answer *a)
{
	struct engine_port *p = &e->gen->ports[a->index];

	loop_io_del(TAKE(p->io));
	loop_io_del(TAKE(p->stray_io));
	if (p->fd >= 0) {
		engine_kernel_close_fd(e->kernel, p->fd);
		engine_kernel_close_fd(e->kernel, p->stray_fd);
	}
	p->ifindex = a->ifindex;
	p->fd = a->fd;
	p->stray_fd = a->stray_fd;
	for (uint32_t n = 0; n < e->gen->n_instances; n++)
		if (e->gen->instances[n].port == a->index)
			e->gen->instances[n].built = false; /* the scope of its destination */
	if (p->fd < 0)
		return;
	p->io = loop_io_add(e->loop, p->fd, engine_rx_ready, e);
	p->stray_io = loop_io_add(e->loop, p->stray_fd, engine_rx_ready, e);
}

static void
tell_tracks(struct engine *e, struct engine_instance *i, uint32_t watch, mono_t now)
{
	for (uint8_t t = 0; t < i->conf.n_tracks; t++) {
		struct elect_event ev = {.kind = ELECT_EVENT_TRACK, .track = t};

		if (i->track_watches[t] != watch)
			continue;
		ev.track_state =
			e->gen->watches[watch].link == ELECT_LINK_UP ? ELECT_TRACK_UP : ELECT_TRACK_DOWN;
		if (i->elect.tracks[t] != ev.track_state)
			engine_event(e, i, &ev, now);
	}
}

static void
tell_link(struct engine *e, struct engine_instance *i, const struct engine_watch *w, mono_t now)
{
	struct elect_event link = {.kind = ELECT_EVENT_LINK, .link = w->link};
	struct elect_event source = {.kind = ELECT_EVENT_SOURCE, .addr = w->source};
	bool up = w->link == ELECT_LINK_UP;

	/* What comes is told from the bottom up, what goes from the top down: the reason is then the true one.
	 */
	engine_event(e, i, up ? &source : &link, now);
	engine_event(e, i, up ? &link : &source, now);
}

/* The interface of some addresses came (back): those of them that are to be held belong there. */
static void
heal_on(struct engine *e, struct engine_instance *i, uint32_t watch)
{
	for (uint32_t n = 0; n < i->n_addresses; n++) {
		if (i->addresses[n].watch != watch || !elect_holds(&i->elect))
			continue;
		i->settling = true;
		engine_kernel_want(e->kernel, i->index, KERNEL_WANT_HEAL, 0);
		return;
	}
}

static void
take_watch(struct engine *e, const struct kernel_answer *a, mono_t now)
{
	struct engine_watch *w = &e->gen->watches[a->index];
	bool other = w->ifindex != a->ifindex;

	w->link = a->link;
	w->ifindex = a->ifindex;
	w->mtu = a->mtu;
	w->mac = a->mac;
	w->source = a->addr;
	for (uint32_t n = 0; n < e->gen->n_instances; n++) {
		struct engine_instance *i = &e->gen->instances[n];

		if (i->watch == a->index)
			tell_link(e, i, w, now);
		tell_tracks(e, i, a->index, now);
		if (other && w->ifindex != 0)
			heal_on(e, i, a->index);
	}
	if (other && e->synced)
		engine_claim_update(e);
}

void
engine_tell_ready(struct engine *e)
{
	struct ipc_ready ready = {.h.gen = e->gen->gen};

	/* Without this word a reload would wait for ever, and the next one would not begin. */
	e->ready_due = ipc_chan_send(&e->parent, IPC_READY, &ready, -1) == -EAGAIN;
}

/* Everything is known: let the elections begin, for those that do not go on from before. */
static void
start_elections(struct engine *e, mono_t now)
{
	e->synced = true;
	e->leaving_for_good = e->gen->last_will;
	engine_claim_update(e);
	(void)engine_leader_keep_all(e);
	/* Once also without lifetimes: what has one from before is to lose it. */
	engine_kernel_renew(e->kernel);
	loop_timer_set(e->renew_timer, now);
	for (uint32_t n = 0; n < e->gen->n_instances; n++) {
		struct engine_instance *i = &e->gen->instances[n];
		struct elect_event ev = {.kind = ELECT_EVENT_START,
					 .on = i->resume,
					 .us = i->resume_ago,
					 .left_us = mono_since(i->resume_until, now)};

		if (!i->adopted && !i->removed && (i->resume || !(e->stopping || e->gen->last_will)))
			engine_event(e, i, &ev, now);
	}
	engine_tell_ready(e);
	engine_campaign_all(e);
}

/* The last will: once everything that was held is held again, hand it over. */
static void
leave_for_good(struct engine *e)
{
	for (uint32_t n = 0; n < e->gen->n_instances; n++)
		if (elect_acquiring(&e->gen->instances[n].elect, NULL))
			return;
	engine_stop(e);
}

static void
note_released(struct engine *e, struct engine_instance *i, const struct kernel_answer *a, mono_t now)
{
	struct role_cause cause = {.reason = ROLE_REASON_CONNECTIONS_RESET, .a = a->count};

	if (a->epoch == i->release_epoch)
		i->releasing = false;
	for (uint32_t n = 0; i->removed && n < e->gen->n_configured; n++)
		engine_campaign(e, &e->gen->instances[n]); /* they may have waited for it */
	engine_campaign(e, i);
	i->counters.connections_reset += a->count;
	if (a->count > 0)
		engine_report_note(e, i, &cause, now);
}

void
engine_on_answer(void *arg, const struct kernel_answer *a)
{
	struct engine *e = arg;
	mono_t now = loop_now(e->loop);
	struct elect_event ev = {
		.kind = ELECT_EVENT_ACQUIRED, .err = a->err, .epoch = a->epoch, .addr = a->addr};

	engine_notice_suspend(e);
	switch ((enum kernel_answer_kind)a->kind) {
	case KERNEL_ANSWER_ACQUIRED:
		engine_event(e, &e->gen->instances[a->index], &ev, now);
		break;
	case KERNEL_ANSWER_RELEASED:
		note_released(e, &e->gen->instances[a->index], a, now);
		break;
	case KERNEL_ANSWER_LOST:
		engine_lost(e, &e->gen->instances[a->index], a, now);
		break;
	case KERNEL_ANSWER_HEALED:
		engine_healed(e, &e->gen->instances[a->index], a, now);
		break;
	case KERNEL_ANSWER_SWITCHED:
		engine_reload_switch(e, now);
		break;
	case KERNEL_ANSWER_PORT:
		install_sockets(e, a);
		break;
	case KERNEL_ANSWER_WATCH:
		take_watch(e, a, now);
		break;
	case KERNEL_ANSWER_SYNCED:
		start_elections(e, now);
		break;
	case KERNEL_ANSWER_TROUBLE:
		log_warning("%s: %s", a->text, strerror(a->err));
		break;
	case KERNEL_ANSWER_BROKEN:
		/* Adverts for addresses that nobody looks after: rather let vrrpd start the next engine. */
		log_error("the kernel's network configuration cannot be read any more: %s", strerror(a->err));
		exit(1);
	}
	engine_tx_flush(e, now);
	engine_arm(e);
	engine_reload_go_on(e);
	if (e->leaving_for_good)
		leave_for_good(e);
	if (e->stopping)
		engine_finish_stop(e);
}
