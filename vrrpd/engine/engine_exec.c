/*
 * engine_exec.c - carries out what the elections decide, and lets their timers fire.
 *
 * The one place where an action of the pure core becomes an effect: adverts are queued for the flush at the end
 * of the wake-up, addresses go to the kernel thread, announcements to their pacer, transitions to the log and
 * the agent. Runs in the advert loop.
 */
#include "engine/engine.h"

#include "base/macros.h"
#include "sys/log.h"

#define DRAIN_BATCHES 64 /* 4096 packets: then timers fire, flood or not */

static void
report_state(struct engine *e, struct engine_instance *i, uint8_t from, const struct role_action *a, mono_t now)
{
	char text[LIMIT_CAUSE_TEXT];

	log_msg(a->state == ROLE_STATE_FAULT ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "%s: %s -> %s: %s",
		i->conf.name, role_state_name((enum role_state)from),
		role_state_name((enum role_state)a->state), role_cause_text(&a->cause, text, sizeof(text)));
	engine_report_event(e, i, from, a, now);
}

static void
execute(struct engine *e, struct engine_instance *i, const struct role_actions *acts, uint8_t state, mono_t now)
{
	for (unsigned n = 0; n < acts->n; n++) {
		const struct role_action *a = &acts->v[n];

		switch ((enum role_action_kind)a->kind) {
		case ROLE_ACTION_STATE:
			report_state(e, i, state, a, now);
			state = a->state;
			break;
		case ROLE_ACTION_ACQUIRE:
			i->releasing = false;
			engine_kernel_want(e->kernel, i->index, KERNEL_WANT_ACQUIRE, a->epoch);
			break;
		case ROLE_ACTION_ADVERT:
			engine_tx_queue(e, i, a->priority);
			break;
		case ROLE_ACTION_ANNOUNCE:
			engine_announce_start(e, i, now);
			break;
		case ROLE_ACTION_RELEASE:
			engine_announce_cancel(e, i);
			/* The leave, if any, must not wait behind the removal of thousands of addresses. */
			engine_tx_flush(e, now);
			i->releasing = true;
			engine_kernel_want(e->kernel, i->index, KERNEL_WANT_RELEASE, 0);
			break;
		case ROLE_ACTION_COUNT:
			ASSERT(a->kind != ROLE_ACTION_COUNT);
			break;
		}
	}
}

void
engine_event(struct engine *e, struct engine_instance *i, const struct elect_event *ev, mono_t now)
{
	struct role_actions acts = {.n = 0};
	uint8_t state = i->elect.state;

	elect_step(&i->elect, ev, now, &acts);
	if (acts.n > 0)
		execute(e, i, &acts, state, now);
	e->next_wake = mono_min(e->next_wake, elect_deadline(&i->elect));
}

static void
count_lateness(struct engine *e, usec_t late)
{
	static const usec_t bounds[IPC_LATENESS_BUCKETS - 1] = {100, 500, 1000, 2000, 5000, 10000, 100000};
	unsigned b = 0;

	while (b < IPC_LATENESS_BUCKETS - 1 && late > bounds[b])
		b++;
	e->lateness[b]++;
	e->late_max_us = MAX(e->late_max_us, late);
}

static void
fire(struct engine *e, struct engine_instance *i, mono_t now)
{
	struct elect_event ev = {.kind = ELECT_EVENT_TIMER};

	if (i->elect.state == ROLE_STATE_ACTIVE)
		count_lateness(e, mono_since(now, elect_deadline(&i->elect)));
	engine_event(e, i, &ev, now);
}

/*
 * May this timer fire before the sockets are drained? An Active's advert that is about on time must not wait;
 * whoever is about to take over, or ran so late that others may have, listens first.
 */
static bool
fires_first(const struct engine_instance *i, mono_t now)
{
	usec_t interval = (usec_t)i->conf.vrrp.adver_int_cs * USEC_PER_CS;

	return i->elect.state == ROLE_STATE_ACTIVE && mono_since(now, elect_deadline(&i->elect)) < interval;
}

void
engine_run_timers(struct engine *e, mono_t now)
{
	struct engine_gen *g = e->gen;
	bool others = false;

	if (g == NULL || !mono_due(now, e->next_wake))
		return;
	for (uint32_t n = 0; n < g->n_instances; n++) {
		struct engine_instance *i = &g->instances[n];

		if (!mono_due(now, elect_deadline(&i->elect)))
			continue;
		if (fires_first(i, now))
			fire(e, i, now);
		else
			others = true;
	}
	engine_tx_flush(e, now);
	if (others) {
		for (uint32_t n = 0; n < g->n_ports; n++)
			engine_rx_drain(e, &g->ports[n], DRAIN_BATCHES);
		for (uint32_t n = 0; n < g->n_instances; n++)
			if (mono_due(now, elect_deadline(&g->instances[n].elect)))
				fire(e, &g->instances[n], now);
		engine_tx_flush(e, now);
	}
	e->next_wake = MONO_NEVER;
	for (uint32_t n = 0; n < g->n_instances; n++)
		e->next_wake = mono_min(e->next_wake, elect_deadline(&g->instances[n].elect));
}

void
engine_arm(struct engine *e)
{
	loop_timer_set(e->timer, mono_min(e->next_wake, engine_health_deadline(e)));
}
