/*
 * fuzz_elect.c - the state machine: octets become settings, then events and the time between them, in all three
 * modes.
 *
 * After each step elect_check() and the rules of the case runner (tests/support/case_world.c): the addresses
 * are held from acquire to release and no longer, Active only with them, a leave begins as Active and ends in
 * time, no timer stands still. At the end the world heals, and a node that nobody disputes must become Active;
 * told to stop, it must let go.
 */
#include "elect/elect_int.h"
#include "fuzz/fuzz_elect.h"

#define EVENTS_MAX	  400
#define STEPS_PER_INSTANT 40	/* timer events in one instant; more is a timer of no length */
#define STEPS_MAX	  20000 /* until the end of one input */
#define LEAVE_MAX_US	  (10 * USEC_PER_SEC)
#define HEAL_MAX_US                                                                                            \
	(900 * (usec_t)USEC_PER_SEC) /* longer than all delays that settings() makes, one after the other */
#define RENEW_US USEC_PER_SEC

struct world {
	struct elect_conf confs[2]; /* in force, and the one before */
	unsigned generation;
	struct elect e;
	mono_t now;
	unsigned steps, at_once; /* timer events in all, and in this instant */
	bool may_hold, was_active, leaving, started;
	mono_t left;
	bool wanted; /* ACQUIRE has not been answered */
	uint32_t epoch, ask_epoch;
	uint8_t ask;	/* enum role_ask: not answered */
	unsigned sends; /* adverts whose result is not told */
	int send_err;
};

static const struct role_cause refused = {.reason = ROLE_REASON_GATE_REFUSED, .name = "exit status 1"};
static const struct role_cause services = {.reason = ROLE_REASON_SERVICES_FAILED, .name = "app", .a = 3};

/* ---- what it does, and the rules ---- */

static void
note_action(struct world *w, const struct role_action *a)
{
	char text[LIMIT_CAUSE_TEXT];

	switch ((enum role_action_kind)a->kind) {
	case ROLE_ACTION_STATE:
		/* The release comes before the state is told, unless it is the end of a leave that began
		 * before. */
		FUZZ_CHECK(a->state == ROLE_STATE_ACTIVE || !w->may_hold || elect_holds(&w->e) || w->leaving);
		FUZZ_CHECK(role_cause_text(&a->cause, text, sizeof(text))[0] != '\0');
		break;
	case ROLE_ACTION_ACQUIRE:
		FUZZ_CHECK(w->epoch != a->epoch);
		w->epoch = a->epoch;
		w->may_hold = w->wanted = true;
		break;
	case ROLE_ACTION_ADVERT:
		FUZZ_CHECK(w->e.conf->mode == ELECT_MODE_VRRP);
		FUZZ_CHECK(w->e.source.family != IP_FAMILY_NONE);
		w->sends++;
		break;
	case ROLE_ACTION_ANNOUNCE:
		FUZZ_CHECK(w->may_hold);
		break;
	case ROLE_ACTION_RELEASE:
		FUZZ_CHECK(w->may_hold);
		w->may_hold = w->wanted = false;
		break;
	case ROLE_ACTION_ASK:
		FUZZ_CHECK(a->ask < ROLE_ASK_COUNT);
		w->ask = a->ask;
		w->ask_epoch = a->epoch;
		break;
	case ROLE_ACTION_COUNT:
		FUZZ_CHECK(a->kind != ROLE_ACTION_COUNT);
		break;
	}
}

static void
check_leave(struct world *w)
{
	const struct elect *e = &w->e;

	if (!elect_leaving(e)) {
		w->leaving = false;
		return;
	}
	FUZZ_CHECK(w->leaving || w->was_active);
	if (!w->leaving)
		w->left = w->now;
	w->leaving = true;
	FUZZ_CHECK(e->state != ROLE_STATE_ACTIVE && !e->vrrp.acquiring && !e->follow.acquiring);
	FUZZ_CHECK(w->may_hold);
	FUZZ_CHECK(elect_deadline(e).us <= w->left.us + LEAVE_MAX_US);
}

static void
check_rules(struct world *w, bool timer)
{
	const struct elect *e = &w->e;
	bool taking_over = e->running && (e->vrrp.acquiring || e->follow.acquiring);
	struct role_cause cause;

	elect_check(e);
	check_leave(w);
	FUZZ_CHECK(e->state != ROLE_STATE_ACTIVE || w->may_hold);
	FUZZ_CHECK(e->state == ROLE_STATE_ACTIVE || !w->may_hold || taking_over || elect_leaving(e));
	FUZZ_CHECK(elect_holds(e) == w->may_hold);
	FUZZ_CHECK(e->conf->mode != ELECT_MODE_VRRP || !e->running || taking_over ||
		   elect_deadline(e).us != MONO_NEVER.us);
	/* Who is not to be Active is so only while its services stop. */
	if (e->state == ROLE_STATE_ACTIVE && e->asking != ROLE_ASK_LEAVE)
		FUZZ_CHECK(!e->override.drained && !e->stopping && !elect_fit_unfit(e, &cause));
	if (e->override.takeover)
		FUZZ_CHECK(e->conf->mode == ELECT_MODE_VRRP);
	/* Nothing is held beyond what is known of the lease. */
	if (timer && elect_holds(e))
		FUZZ_CHECK(mono_before(w->now, elect_held_until(e)));
	if (timer && mono_due(w->now, elect_deadline(e)))
		FUZZ_CHECK(++w->at_once < STEPS_PER_INSTANT);
	else
		w->at_once = 0;
	(void)elect_active_peer(e, w->now);
	(void)elect_campaigns(e);
	(void)elect_disputes(e);
}

static void
step_once(struct world *w, const struct elect_event *ev)
{
	struct role_actions out = {0};

	w->was_active = w->e.state == ROLE_STATE_ACTIVE;
	elect_step(&w->e, ev, w->now, &out);
	FUZZ_CHECK(out.n <= ROLE_ACTIONS_MAX);
	for (unsigned i = 0; i < out.n; i++)
		note_action(w, &out.v[i]);
	check_rules(w, ev->kind == ELECT_EVENT_TIMER);
}

/* An event, and the results of the adverts that it caused. */
static void
step(struct world *w, const struct elect_event *ev)
{
	step_once(w, ev);
	for (unsigned n = 0; w->sends > 0; n++) {
		struct elect_event sent = {.kind = ELECT_EVENT_SEND, .err = w->send_err};

		FUZZ_CHECK(n < 2 * ROLE_ACTIONS_MAX);
		w->sends--;
		step_once(w, &sent);
	}
}

static void
kind(struct world *w, enum elect_event_kind k)
{
	step(w, &(struct elect_event){.kind = k});
}

/* Let time pass; what falls due happens, unless this host does not run meanwhile. False: it takes too many
 * steps. */
static bool
pass(struct world *w, usec_t us, bool frozen)
{
	mono_t until = mono_add(w->now, us), due;

	while (!frozen && (due = elect_deadline(&w->e), mono_due(until, due))) {
		if (mono_before(w->now, due))
			w->now = due;
		if (++w->steps > STEPS_MAX)
			return false;
		kind(w, ELECT_EVENT_TIMER);
	}
	w->now = until;
	return true;
}

/* ---- events ---- */

static void
do_start(struct world *w, struct fuzz_in *in)
{
	struct elect_event ev = {.kind = ELECT_EVENT_START, .us = duration(in), .left_us = duration(in)};

	if (w->started)
		return;
	w->started = true;
	ev.on = (in->left & 1) && elect_may_resume(w->e.conf, ev.us);
	if (ev.on && (w->e.conf->mode != ELECT_MODE_VRRP || w->e.conf->arbiter) && ev.left_us == 0)
		ev.on = false;
	w->may_hold = ev.on; /* the engine before left them there */
	step(w, &ev);
}

static void
do_conf(struct world *w, struct fuzz_in *in)
{
	struct elect_conf *last = &w->confs[w->generation & 1], *next = &w->confs[~w->generation & 1];
	struct elect_event ev = {.kind = ELECT_EVENT_CONF, .on = fuzz_bool(in)};
	struct elect old = w->e;

	settings(in, next, last->mode);
	w->generation++;
	elect_adopt(&w->e, next, &old);
	memset(last, 0xff, sizeof(*last)); /* as when its memory is given back */
	memset(&old, 0xff, sizeof(old));
	step(w, &ev);
}

static void
do_advert(struct world *w, struct fuzz_in *in)
{
	const struct elect_conf *c = w->e.conf;
	uint8_t flags = fuzz_u8(in);
	struct vrrp_advert a = {
		.src = address(2 + (flags & 31) % 20), .version = c->vrrp.version, .vrid = 51, .n_addrs = 1};
	struct elect_event ev = {.kind = ELECT_EVENT_ADVERT, .advert = &a};

	a.priority = fuzz_u8(in);
	a.adver_int_cs = c->vrrp.version == 2 ? c->vrrp.adver_int_cs : interval(in, 3);
	a.form = flags & 32 ? VRRP_CHECKSUM_RFC5798 : VRRP_CHECKSUM_RFC9568;
	a.interval_differs = a.adver_int_cs != c->vrrp.adver_int_cs;
	a.addresses_differ = flags & 64;
	/* vrrp_packet_check() keeps the others from an instance. */
	if (c->mode == ELECT_MODE_VRRP && !ip_addr_equal(&a.src, &w->e.source))
		step(w, &ev);
}

static void
do_track(struct world *w, struct fuzz_in *in)
{
	struct elect_event ev = {.kind = ELECT_EVENT_TRACK, .track = fuzz_u8(in)};

	ev.track_state = (uint8_t)fuzz_below(in, ELECT_TRACK_COUNT);
	if (ev.track >= 128) {
		ev.has_weight = true;
		ev.weight = (int16_t)((int)fuzz_u8(in) * 2 - 253);
	}
	if (w->e.conf->n_tracks == 0)
		return;
	ev.track %= w->e.conf->n_tracks;
	step(w, &ev);
}

static mono_t
until(const struct world *w, struct fuzz_in *in)
{
	return fuzz_bool(in) ? MONO_NEVER : mono_add(w->now, duration(in));
}

/* As engine_control.c makes them. */
static void
do_override(struct world *w, struct fuzz_in *in)
{
	struct elect_override o = w->e.override;
	struct elect_event ev = {.kind = ELECT_EVENT_OVERRIDE, .override = &o};
	struct role_cause cause;

	switch (fuzz_below(in, 4)) {
	case 0:
		o.drained = true;
		o.drained_until = until(w, in);
		o.takeover = false;
		o.takeover_until = MONO_NEVER;
		break;
	case 1:
		o.drained = o.takeover = false;
		o.drained_until = o.takeover_until = MONO_NEVER;
		break;
	case 2:
		if (elect_may_take_over(&w->e, w->now, &cause) != ELECT_REFUSAL_NONE)
			return;
		o.takeover = true;
		o.takeover_until = until(w, in);
		break;
	default:
		if (elect_may_set_priority(&w->e) != ELECT_REFUSAL_NONE)
			return;
		o.priority = (uint8_t)fuzz_below(in, 255);
		o.priority_until = o.priority != 0 ? until(w, in) : MONO_NEVER;
		break;
	}
	step(w, &ev);
}

static bool
has_leader(const struct elect_conf *c)
{
	return c->mode != ELECT_MODE_VRRP || c->arbiter;
}

static void
do_leader(struct world *w, struct fuzz_in *in)
{
	struct elect_leader l = {
		.fact = (uint8_t)fuzz_below(in, ELECT_FACT_COUNT), .confirmed = w->now, .name = "n"};
	struct elect_event ev = {.kind = ELECT_EVENT_LEADER, .leader = &l};

	l.name[0] = (char)('a' + fuzz_below(in, 3));
	l.fresh_until = fuzz_bool(in) ? mono_add(w->now, duration(in)) : MONO_ZERO;
	l.lease_until = fuzz_bool(in) ? mono_add(w->now, duration(in)) : MONO_ZERO;
	l.local_until = fuzz_bool(in) ? mono_add(w->now, duration(in)) : MONO_ZERO;
	if (has_leader(w->e.conf))
		step(w, &ev);
}

static void
do_acquired(struct world *w, struct fuzz_in *in)
{
	uint8_t c = fuzz_u8(in);
	struct elect_event ev = {
		.kind = ELECT_EVENT_ACQUIRED, .epoch = w->epoch - (c & 1), .err = c & 2 ? 1 + (c >> 2) : 0};

	ev.addr = address(100);
	if (ev.epoch == w->epoch)
		w->wanted = false;
	step(w, &ev);
}

static void
do_answer(struct world *w, struct fuzz_in *in)
{
	uint8_t c = fuzz_u8(in);
	struct elect_event ev = {
		.kind = ELECT_EVENT_ANSWER, .epoch = w->ask_epoch - (c & 1), .cause = c & 2 ? &refused : NULL};

	step(w, &ev);
}

static void
one_event(struct world *w, struct fuzz_in *in)
{
	struct elect_event ev = {.kind = fuzz_below(in, ELECT_EVENT_COUNT + 4)};

	switch ((int)ev.kind) {
	case ELECT_EVENT_START:
		do_start(w, in);
		return;
	case ELECT_EVENT_STOP:
		ev.on = fuzz_u8(in) > 200; /* rarely, because nothing comes after it */
		if (ev.on)
			step(w, &ev);
		return;
	case ELECT_EVENT_LINK:
		ev.link = (uint8_t)fuzz_below(in, ELECT_LINK_COUNT);
		break;
	case ELECT_EVENT_SOURCE:
		if (fuzz_bool(in))
			ev.addr = address(1 + fuzz_below(in, 30));
		break;
	case ELECT_EVENT_TRACK:
		do_track(w, in);
		return;
	case ELECT_EVENT_ADVERT:
		do_advert(w, in);
		return;
	case ELECT_EVENT_ACQUIRED:
		do_acquired(w, in);
		return;
	case ELECT_EVENT_SEND:
		w->send_err = fuzz_below(in, 3) == 0 ? 101 : 0;
		return;
	case ELECT_EVENT_LOST:
		ev.addr = address(100);
		break;
	case ELECT_EVENT_SLEPT:
		ev.us = duration(in);
		break;
	case ELECT_EVENT_OVERRIDE:
		do_override(w, in);
		return;
	case ELECT_EVENT_CONF:
		do_conf(w, in);
		return;
	case ELECT_EVENT_LEADER:
		do_leader(w, in);
		return;
	case ELECT_EVENT_ANSWER:
		do_answer(w, in);
		return;
	case ELECT_EVENT_SERVICES:
		ev.cause = fuzz_bool(in) ? &services : NULL;
		break;
	case ELECT_EVENT_TIMER:
	case ELECT_EVENT_CLAIM:
		break;
	case ELECT_EVENT_COUNT: /* frozen: what fell due comes late */
		(void)pass(w, duration(in), true);
		ev.kind = ELECT_EVENT_TIMER;
		break;
	default:
		(void)pass(w, duration(in), false);
		return;
	}
	step(w, &ev);
}

/* ---- the end ---- */

/* Whoever is asked answers. */
static void
serve(struct world *w)
{
	if (w->wanted) {
		w->wanted = false;
		step(w, &(struct elect_event){.kind = ELECT_EVENT_ACQUIRED, .epoch = w->epoch});
	}
	if (w->ask == ROLE_ASK_ENTER || w->ask == ROLE_ASK_LEAVE) {
		w->ask = ROLE_ASK_NOTHING;
		step(w, &(struct elect_event){.kind = ELECT_EVENT_ANSWER, .epoch = w->ask_epoch});
	}
	if (has_leader(w->e.conf)) {
		struct elect_leader l = {.fact = ELECT_FACT_SELF, .confirmed = w->now, .name = "self"};

		l.fresh_until = mono_add(w->now, 3 * RENEW_US);
		l.lease_until = mono_add(w->now, 10 * RENEW_US);
		step(w, &(struct elect_event){.kind = ELECT_EVENT_LEADER, .leader = &l});
	}
}

static void
heal(struct world *w)
{
	struct elect_override none = ELECT_OVERRIDE_NONE;

	w->send_err = 0;
	if (!w->started)
		step(w, &(struct elect_event){.kind = ELECT_EVENT_START});
	w->started = true;
	step(w, &(struct elect_event){.kind = ELECT_EVENT_LINK, .link = ELECT_LINK_UP});
	step(w, &(struct elect_event){.kind = ELECT_EVENT_SOURCE, .addr = address(1)});
	for (uint8_t t = 0; t < w->e.conf->n_tracks; t++)
		step(w, &(struct elect_event){.kind = ELECT_EVENT_TRACK,
					      .track = t,
					      .track_state = w->e.conf->tracks[t].inverted ? ELECT_TRACK_DOWN
											   : ELECT_TRACK_UP});
	kind(w, ELECT_EVENT_SERVICES);
	step(w, &(struct elect_event){.kind = ELECT_EVENT_OVERRIDE, .override = &none});
}

/* Nobody else is there and nothing is wrong: it becomes Active. */
static void
check_lives(struct world *w)
{
	mono_t limit = mono_add(w->now, HEAL_MAX_US);

	heal(w);
	w->steps = 0;
	while (w->e.state != ROLE_STATE_ACTIVE) {
		FUZZ_CHECK(mono_before(w->now, limit));
		serve(w);
		if (w->e.state != ROLE_STATE_ACTIVE && !pass(w, RENEW_US, false))
			return;
	}
}

/* Told to stop, it lets go. */
static void
check_stops(struct world *w)
{
	mono_t limit = mono_add(w->now, w->e.conf->leave_us + LEAVE_MAX_US);

	step(w, &(struct elect_event){.kind = ELECT_EVENT_STOP});
	w->steps = 0;
	if (pass(w, limit.us - w->now.us, false))
		FUZZ_CHECK(!w->may_hold && w->e.state != ROLE_STATE_ACTIVE);
	FUZZ_CHECK(w->e.state != ROLE_STATE_BACKUP);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = fuzz_in(data, size);
	struct world w = {.now = {1000 * (uint64_t)USEC_PER_SEC}};

	settings(&in, &w.confs[0], (uint8_t)fuzz_below(&in, ELECT_MODE_COUNT));
	elect_init(&w.e, &w.confs[0], w.now);
	step(&w, &(struct elect_event){.kind = ELECT_EVENT_LINK, .link = ELECT_LINK_UP});
	step(&w, &(struct elect_event){.kind = ELECT_EVENT_SOURCE, .addr = address(1)});
	if (fuzz_bool(&in))
		do_start(&w, &in);
	for (unsigned n = 0; in.left > 0 && n < EVENTS_MAX && w.steps < STEPS_MAX; n++)
		one_event(&w, &in);
	if (!w.e.stopping)
		check_lives(&w);
	check_stops(&w);
	return 0;
}
