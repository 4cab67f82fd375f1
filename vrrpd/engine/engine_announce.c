/*
 * engine_announce.c - gratuitous ARP and unsolicited neighbour advertisements, paced.
 *
 * After a take-over one round over all addresses goes out first, then the repeats (RFC 9568 8.1.2, 8.2.2; the
 * numbers are keepalived's garp_master_*). At most FRAMES_PER_SLICE frames leave per slice, so that thousands
 * of addresses neither delay an advert nor overrun a switch. Runs in the advert loop.
 */
#include "engine/engine.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"

#define FRAMES_PER_SLICE 128
#define SLICE_US	 USEC_PER_MS
#define ROUND_GAP_US                                                                                           \
	(200 * USEC_PER_MS) /* between rounds of one burst: copies in one instant are lost together */

static void
begin_burst(struct engine_announce *a, uint32_t rounds, bool first, mono_t now)
{
	a->position = 0;
	a->rounds = rounds;
	a->first = first;
	a->next = now;
}

void
engine_announce_start(struct engine *e, struct engine_instance *i, mono_t now)
{
	struct engine_announce *a = &i->announce;

	a->active = true;
	a->second_at = i->garp_delay_us > 0 ? mono_add(now, i->garp_delay_us) : MONO_NEVER;
	a->refresh_at = i->garp_refresh_us > 0 ? mono_add(now, i->garp_refresh_us) : MONO_NEVER;
	begin_burst(a, i->garp_repeat, true, now);
	/* From the loop's next turn on: many instances may become Active in this one. */
	loop_timer_set(e->announce_timer, now);
}

void
engine_announce_cancel(struct engine *e, struct engine_instance *i)
{
	(void)e;
	i->announce.active = false;
}

/* Begin what falls due: the second burst, the refresh. */
static void
begin_due(struct engine_instance *i, mono_t now)
{
	struct engine_announce *a = &i->announce;

	if (a->rounds > 0)
		return;
	if (mono_due(now, a->second_at)) {
		a->second_at = MONO_NEVER;
		begin_burst(a, i->garp_repeat, false, now);
	} else if (mono_due(now, a->refresh_at)) {
		a->refresh_at = mono_add(now, i->garp_refresh_us);
		begin_burst(a, 1, false, now);
	}
}

/* Build the frame of one address; false where there is nothing to announce (no such interface now, no MAC). */
static bool
build_frame(const struct engine *e, const struct engine_address *a, struct nlk_frame *f)
{
	static const struct mac_addr none;
	const struct engine_watch *w = &e->gen->watches[a->watch];

	if (w->ifindex == 0 || memcmp(&w->mac, &none, sizeof(none)) == 0)
		return false;
	f->ifindex = w->ifindex;
	f->len = (uint8_t)(a->prefix.addr.family == IP_FAMILY_V4
				   ? nlk_frame_garp(f->data, w->mac.b, a->prefix.addr.b)
				   : nlk_frame_na(f->data, w->mac.b, a->prefix.addr.b));
	return true;
}

/* Send up to `budget` frames of the running round; returns how many left. */
static unsigned
send_some(struct engine *e, struct engine_instance *i, unsigned budget, mono_t now)
{
	struct nlk_frame frames[FRAMES_PER_SLICE];
	struct engine_announce *a = &i->announce;
	unsigned n = 0;
	int sent;

	ASSERT(budget <= FRAMES_PER_SLICE);
	if (i->garp_interval_us >= SLICE_US)
		budget = MIN(budget, 1u);
	else if (i->garp_interval_us > 0)
		budget = MIN(budget, (unsigned)(SLICE_US / i->garp_interval_us));
	while (n < budget && a->position < i->n_addresses)
		n += build_frame(e, &i->addresses[a->position++], &frames[n]);
	sent = nlk_raw_send(e->announce_fd, frames, n);
	/* What the device refuses now is repeated by the next round. */
	i->counters.announces_sent += sent > 0 ? (unsigned)sent : 0;
	a->next = mono_add(now, MAX((usec_t)SLICE_US, i->garp_interval_us));
	if (a->position == i->n_addresses) {
		a->position = 0;
		a->rounds--;
		a->first = false;
		a->next = mono_add(now, ROUND_GAP_US);
	}
	return n;
}

static mono_t
next_due(const struct engine_announce *a)
{
	if (!a->active)
		return MONO_NEVER;
	return a->rounds > 0 ? a->next : mono_min(a->second_at, a->refresh_at);
}

void
engine_announce_run(void *arg, mono_t now)
{
	struct engine *e = arg;
	unsigned budget = FRAMES_PER_SLICE;
	mono_t next = MONO_NEVER;

	/* The elections first: whoever slept too long must not announce. */
	engine_notice_suspend(e);
	engine_run_timers(e, now);
	engine_tx_flush(e, now);
	engine_arm(e);

	/* First rounds before everybody else's repeats. */
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t n = 0; n < e->gen->n_instances && budget > 0; n++) {
			struct engine_instance *i = &e->gen->instances[n];
			struct engine_announce *a = &i->announce;

			if (!a->active)
				continue;
			begin_due(i, now);
			if (a->rounds > 0 && a->first == (pass == 0) && mono_due(now, a->next))
				budget -= send_some(e, i, budget, now);
		}
	}
	for (uint32_t n = 0; n < e->gen->n_instances; n++)
		next = mono_min(next, next_due(&e->gen->instances[n].announce));
	/* The budget is per slice, also when something is due already. */
	if (budget == 0 && mono_before(next, mono_add(now, SLICE_US)))
		next = mono_add(now, SLICE_US);
	loop_timer_set(e->announce_timer, next);
}
