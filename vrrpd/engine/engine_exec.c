/*
 * engine_exec.c - carries out what the elections decide, and lets their timers fire.
 *
 * The one place where an action of the pure core becomes an effect: adverts are queued for the flush at the end
 * of the wake-up, addresses go to the kernel thread, announcements to their pacer, transitions to the log and
 * the agent. Runs in the advert loop.
 */
#include "engine/engine.h"

#include "base/macros.h"
#include "sys/clock.h"
#include "sys/log.h"

/* Addresses removed by others are put back at once; more often than this in a window, and it is a fault. */
#define HEAL_WINDOW_US	 (10 * USEC_PER_SEC)
#define HEALS_PER_WINDOW 10

#define DRAIN_BATCHES 64 /* 4096 packets: then timers fire, flood or not */

static void
report_state(struct engine *e, struct engine_instance *i, uint8_t from, const struct role_action *a, mono_t now)
{
	char text[LIMIT_CAUSE_TEXT];

	role_cause_text(&a->cause, text, sizeof(text));
	if (from == a->state)
		log_info("%s: still %s: %s", i->conf.name, role_state_name((enum role_state)from), text);
	else
		log_msg(a->state == ROLE_STATE_FAULT ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "%s: %s -> %s: %s",
			i->conf.name, role_state_name((enum role_state)from), role_state_name((enum role_state)a->state),
			text);
	engine_report_event(e, i, from, a, now);
}

void
engine_release(struct engine *e, struct engine_instance *i)
{
	i->releasing = true;
	engine_kernel_want(e->kernel, i->index, KERNEL_WANT_RELEASE, ++i->release_epoch);
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
			if (state == ROLE_STATE_ACTIVE)
				i->resume = false;
			break;
		case ROLE_ACTION_ACQUIRE:
			i->releasing = false;
			engine_leader_keep(i);
			engine_kernel_want(e->kernel, i->index, KERNEL_WANT_ACQUIRE, a->epoch);
			break;
		case ROLE_ACTION_ADVERT:
			engine_tx_queue(e, i, a, now);
			break;
		case ROLE_ACTION_ANNOUNCE:
			engine_announce_start(e, i, now);
			break;
		case ROLE_ACTION_RELEASE:
			engine_announce_cancel(e, i);
			/* The leave, if any, must not wait behind the removal of thousands of addresses. */
			engine_tx_flush(e, now);
			i->resume = false;
			engine_release(e, i);
			break;
		case ROLE_ACTION_ASK:
			engine_ask(e, i);
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
	uint8_t state = i->elect.state, form = i->elect.form;
	bool leaving = elect_leaving(&i->elect);
	uint32_t overrides = i->elect.overrides;

	elect_step(&i->elect, ev, now, &acts);
	if (!leaving && elect_leaving(&i->elect)) {
		engine_claim_restart(i);
		engine_announce_cancel(e, i);
	}
	execute(e, i, &acts, state, now);
	/* Mostly nothing but an advert follows, or nothing at all. */
	if (acts.n > 1 || (acts.n == 1 && acts.v[0].kind != ROLE_ACTION_ADVERT) || i->elect.form != form ||
	    i->elect.overrides != overrides)
		engine_memory_note(e, i);
	engine_campaign(e, i);
	e->next_wake = mono_min(e->next_wake, elect_deadline(&i->elect));
}

/* ---- addresses that others remove -------------------------------------------------------------------------------
 */

void
engine_lost(struct engine *e, struct engine_instance *i, const struct kernel_answer *a, mono_t now)
{
	struct elect_event taken = {.kind = ELECT_EVENT_LOST, .addr = a->addr};

	/* They may have ended by their own lifetime, because this host did not run: then nothing is put back. */
	engine_run_timers(e, now);
	if (!elect_holds(&i->elect))
		return;
	/* Or because its lease is nearly over: put back when that was renewed, or it would outlast the lease if this host froze. */
	engine_leader_keep(i);
	if (i->keep_until_us < now.us + ENGINE_KEEP_MIN_US) {
		i->heal.failed = true;
		return;
	}
	if (mono_since(now, i->heal.window) > HEAL_WINDOW_US) {
		i->heal.window = now;
		i->heal.n = 0;
	}
	if (++i->heal.n > HEALS_PER_WINDOW && i->elect.state == ROLE_STATE_ACTIVE)
		engine_event(e, i, &taken, now);
	else
		engine_kernel_want(e->kernel, i->index, KERNEL_WANT_HEAL, 0);
}

void
engine_healed(struct engine *e, struct engine_instance *i, const struct kernel_answer *a, mono_t now)
{
	struct role_cause cause = {.reason = ROLE_REASON_ADDRESS_HEALED, .addr = a->addr};
	bool healed = a->count > 0 && a->err == 0 && !i->settling;

	i->heal.failed = a->err != 0;
	if (a->err == 0)
		i->settling = false;
	if (healed) {
		i->counters.addresses_healed += a->count;
		if (mono_since(now, i->heal.told) >= USEC_PER_SEC) {
			i->heal.told = now;
			engine_report_note(e, i, &cause, now);
		}
	}
	if (a->count > 0 && i->elect.state == ROLE_STATE_ACTIVE)
		engine_announce_start(e, i, now);
}

void
engine_want_again(struct engine *e, struct engine_instance *i)
{
	uint32_t epoch;
	bool acquiring = elect_acquiring(&i->elect, &epoch), any = acquiring;

	for (uint32_t n = 0; !any && n < i->n_addresses; n++)
		any = i->held[n].held;
	i->releasing = false;
	if (acquiring) {
		engine_kernel_want(e->kernel, i->index, KERNEL_WANT_ACQUIRE, epoch);
	} else if (elect_holds(&i->elect)) {
		engine_kernel_want(e->kernel, i->index, KERNEL_WANT_HEAL, 0);
	} else if (any) {
		engine_release(e, i);
	}
}

/* ---- time ---------------------------------------------------------------------------------------------------------
 */

/* How much further the clock is that goes on while suspended; read last, it never seems to be behind. */
static usec_t
suspended_us(void)
{
	mono_t mono = clock_mono();

	return clock_boot_us() - mono.us;
}

void
engine_notice_suspend(struct engine *e)
{
	usec_t suspended = suspended_us();
	struct elect_event ev = {.kind = ELECT_EVENT_SLEPT};

	/* The two clocks are not read in one instant, and this thread may have waited in between. */
	if (suspended >= e->suspended + USEC_PER_MS)
		suspended = MIN(suspended, suspended_us());
	if (suspended < e->suspended + USEC_PER_MS)
		return;
	ev.us = suspended - e->suspended;
	e->suspended = suspended;
	for (uint32_t n = 0; e->gen != NULL && n < e->gen->n_instances; n++)
		engine_event(e, &e->gen->instances[n], &ev, loop_now(e->loop));
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
	e->late_sum_us += late;
}

static void
fire(struct engine *e, struct engine_instance *i, mono_t now)
{
	struct elect_event ev = {.kind = ELECT_EVENT_TIMER};

	if (i->elect.state == ROLE_STATE_ACTIVE && i->conf.mode == ELECT_MODE_VRRP)
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
