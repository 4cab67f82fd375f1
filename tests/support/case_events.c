/*
 * case_events.c - what happens in a case, packets apart (case_packets.c); see case_words.h.
 *
 * Each function reads the words of a line and hands the event to the instance. Used by the case runner only.
 */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "support/case_packets.h"
#include "support/case_words.h"

static const char *const track_words[ELECT_TRACK_COUNT] = {
	[ELECT_TRACK_PENDING] = "pending",
	[ELECT_TRACK_UP] = "up",
	[ELECT_TRACK_DOWN] = "down",
	[ELECT_TRACK_STALE] = "stale",
};

/* start [resume AGO [LEFT]]: as the engine does it, which goes on only when that is not too late. */
static bool
event_start(struct case_world *w, int n, char **words)
{
	struct elect_event ev = {.kind = ELECT_EVENT_START};

	if (n != 1 && (n < 3 || strcmp(words[1], "resume") != 0 || case_time_parse(words[2], &ev.us) < 0))
		return false;
	if (n == 4 && case_time_parse(words[3], &ev.left_us) < 0)
		return false;
	ev.on = n >= 3 && elect_may_resume(&w->conf, ev.us);
	/* The addresses are where the engine before left them. */
	w->may_hold = ev.on;
	case_world_step(w, &ev);
	return true;
}

/* stop [removed] */
static bool
event_stop(struct case_world *w, int n, char **words)
{
	struct elect_event ev = {.kind = ELECT_EVENT_STOP, .on = n == 2};

	if (n == 2 && strcmp(words[1], "removed") != 0)
		return false;
	case_world_step(w, &ev);
	return true;
}

/* recall TRANSITIONS FORM: what an engine before knew, before "start". */
static bool
event_recall(struct case_world *w, int n, char **words)
{
	static const char *const forms[] = {"rfc9568", "rfc5798"};
	long transitions;
	uint8_t form;

	(void)n;
	if (!case_words_number(words[1], 0, 1000000, &transitions) ||
	    !case_words_choice(words[2], forms, 2, &form))
		return false;
	elect_recall(&w->e, (uint32_t)transitions, form == 0 ? VRRP_CHECKSUM_RFC9568 : VRRP_CHECKSUM_RFC5798);
	return true;
}

static bool
event_claim(struct case_world *w, int n, char **words)
{
	(void)n;
	(void)words;
	case_world_step(w, &(struct elect_event){.kind = ELECT_EVENT_CLAIM});
	return true;
}

static bool
event_slept(struct case_world *w, int n, char **words)
{
	struct elect_event ev = {.kind = ELECT_EVENT_SLEPT};

	(void)n;
	if (case_time_parse(words[1], &ev.us) < 0)
		return false;
	case_world_step(w, &ev);
	return true;
}

static bool
event_drain(struct case_world *w, int n, char **words)
{
	struct elect_override o = w->e.override;
	struct elect_event ev = {.kind = ELECT_EVENT_OVERRIDE, .override = &o};
	usec_t for_us = 0;

	if (n == 3 && (strcmp(words[1], "for") != 0 || case_time_parse(words[2], &for_us) < 0))
		return false;
	o.drained = strcmp(words[0], "drain") == 0;
	o.drained_until = n == 3 ? mono_add(w->now, for_us) : MONO_NEVER;
	case_world_step(w, &ev);
	return true;
}

/* "takeover [for D]", "takeover off", "override N [for D]", "override off" */
static bool
event_override(struct case_world *w, int n, char **words)
{
	struct elect_override o = w->e.override;
	struct elect_event ev = {.kind = ELECT_EVENT_OVERRIDE, .override = &o};
	bool takeover = strcmp(words[0], "takeover") == 0, timed = n > 2 && strcmp(words[n - 2], "for") == 0;
	mono_t until = MONO_NEVER;
	long number = 0;
	usec_t for_us = 0;

	if (timed && case_time_parse(words[n - 1], &for_us) < 0)
		return false;
	if (timed)
		until = mono_add(w->now, for_us);
	n -= timed ? 2 : 0;
	if (takeover) {
		o.takeover = n == 1;
		o.takeover_until = until;
	} else {
		if (n != 2 || (strcmp(words[1], "off") != 0 && !case_words_number(words[1], 1, 254, &number)))
			return false;
		o.priority = (uint8_t)number;
		o.priority_until = until;
	}
	case_world_step(w, &ev);
	return true;
}

static bool
event_lost(struct case_world *w, int n, char **words)
{
	struct elect_event ev = {.kind = ELECT_EVENT_LOST};

	(void)n;
	if (!case_words_addr(w, words[1], &ev.addr))
		return false;
	case_world_step(w, &ev);
	return true;
}

static bool
untrack(struct case_world *w, const char *name)
{
	for (unsigned i = 0; i < w->conf.n_tracks; i++) {
		if (strcmp(w->conf.tracks[i].name, name) != 0)
			continue;
		w->conf.n_tracks--;
		memmove(&w->conf.tracks[i], &w->conf.tracks[i + 1],
			(w->conf.n_tracks - i) * sizeof(w->conf.tracks[0]));
		memset(&w->conf.tracks[w->conf.n_tracks], 0, sizeof(w->conf.tracks[0]));
		return true;
	}
	return false;
}

/* One setting of a "conf" line; those of another virtual router or of the world around it cannot change. */
static bool
change_setting(struct case_world *w, int n, char **words, bool *other)
{
	static const char *const fixed[] = {"family", "source", "link", "acquire", "unicast"};

	if (n < 1)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (strcmp(words[0], fixed[i]) == 0)
			return false;
	*other = *other || strcmp(words[0], "addresses") == 0 || strcmp(words[0], "vrid") == 0 ||
		 strcmp(words[0], "version") == 0;
	if (n == 2 && strcmp(words[0], "untrack") == 0)
		return untrack(w, words[1]);
	return case_words_setting(w, n, words);
}

/* conf [SETTING [and SETTING]...]: a reload with these settings changed, with none: of nothing. */
static bool
event_conf(struct case_world *w, int n, char **words)
{
	bool other = false;

	for (int i = 1; i < n; i++) {
		int first = i;

		while (i < n && strcmp(words[i], "and") != 0)
			i++;
		if (!change_setting(w, i - first, words + first, &other))
			return false;
	}
	case_words_finish(w);
	case_world_conf(w, other);
	return true;
}

static bool
event_link(struct case_world *w, int n, char **words)
{
	struct elect_event ev = {.kind = ELECT_EVENT_LINK};

	(void)n;
	if (!case_words_choice(words[1], case_words_links, ELECT_LINK_COUNT, &ev.link))
		return false;
	case_world_step(w, &ev);
	return true;
}

static bool
event_source(struct case_world *w, int n, char **words)
{
	struct elect_event ev = {.kind = ELECT_EVENT_SOURCE};

	(void)n;
	if (!case_words_addr(w, words[1], &ev.addr))
		return false;
	case_world_step(w, &ev);
	return true;
}

static bool
event_track(struct case_world *w, int n, char **words)
{
	struct elect_event ev = {.kind = ELECT_EVENT_TRACK};
	long weight = 0;

	if (!case_words_choice(words[2], track_words, ELECT_TRACK_COUNT, &ev.track_state))
		return false;
	if (n == 4 || (n == 5 && (strcmp(words[3], "weight") != 0 || !case_words_number(words[4], -253, 253, &weight))))
		return false;
	ev.has_weight = n == 5;
	ev.weight = (int16_t)weight;
	for (; ev.track < w->conf.n_tracks; ev.track++) {
		if (strcmp(w->conf.tracks[ev.track].name, words[1]) == 0) {
			case_world_step(w, &ev);
			return true;
		}
	}
	return false;
}

/* acquired ok|ERRNO [ADDRESS] [stale] */
static bool
event_acquired(struct case_world *w, int n, char **words)
{
	struct ip_addr addr = {0};
	uint32_t epoch = w->epoch;
	int err;

	if (n > 2 && strcmp(words[n - 1], "stale") == 0) {
		n--;
		epoch--;
	}
	if (!case_words_errno(words[1], &err) || (n > 2 && !case_words_addr(w, words[2], &addr)))
		return false;
	case_world_acquired(w, err, &addr, epoch);
	return true;
}

/* answer ok|refused [stale]: to the last question, stale: to the one before. */
static bool
event_answer(struct case_world *w, int n, char **words)
{
	struct role_cause refused = {.reason = ROLE_REASON_GATE_REFUSED, .name = "exit status 1"};
	struct elect_event ev = {.kind = ELECT_EVENT_ANSWER, .epoch = w->ask_epoch};

	if (strcmp(words[1], "refused") == 0)
		ev.cause = &refused;
	else if (strcmp(words[1], "ok") != 0)
		return false;
	if (n == 3 && strcmp(words[2], "stale") != 0)
		return false;
	ev.epoch -= n == 3;
	case_world_step(w, &ev);
	return true;
}

static mono_t
after(const struct case_world *w, const char *text, bool *ok)
{
	usec_t us;

	if (strcmp(text, "never") == 0)
		return MONO_NEVER;
	*ok = *ok && case_time_parse(text, &us) == 0;
	return *ok ? mono_add(w->now, us) : MONO_ZERO;
}

/* leader FACT [NAME] [fresh D] [lease D|never] [local D]: each for so long from now; default of fresh: 3s, of lease: 10s. */
static bool
event_leader(struct case_world *w, int n, char **words)
{
	struct elect_leader l = {.confirmed = w->now};
	struct elect_event ev = {.kind = ELECT_EVENT_LEADER, .leader = &l};
	bool ok = true;
	int i = 2;

	while (l.fact < ELECT_FACT_COUNT && strcmp(elect_fact_name((enum elect_fact)l.fact), words[1]) != 0)
		l.fact++;
	if (l.fact == ELECT_FACT_COUNT)
		return false;
	if (n % 2 == 1)
		snprintf(l.name, sizeof(l.name), "%s", words[i++]);
	if (l.fact == ELECT_FACT_SELF || l.fact == ELECT_FACT_OTHER)
		l.fresh_until = mono_add(w->now, 3 * USEC_PER_SEC);
	if (l.fact == ELECT_FACT_SELF) {
		l.lease_until = mono_add(w->now, 10 * USEC_PER_SEC);
	} else if (l.fact == ELECT_FACT_LOST || l.fact == ELECT_FACT_DENIED) {
		/* The agent goes on saying what was confirmed before. */
		l.confirmed = w->e.follow.leader.confirmed;
		l.lease_until = w->e.follow.leader.lease_until;
	}
	for (; i + 1 < n; i += 2) {
		mono_t *at = strcmp(words[i], "fresh") == 0   ? &l.fresh_until
			     : strcmp(words[i], "lease") == 0 ? &l.lease_until
			     : strcmp(words[i], "local") == 0 ? &l.local_until
							      : NULL;

		if (at == NULL)
			return false;
		*at = after(w, words[i + 1], &ok);
	}
	if (ok)
		case_world_step(w, &ev);
	return ok;
}

/* services failed|fine */
static bool
event_services(struct case_world *w, int n, char **words)
{
	struct role_cause failed = {.reason = ROLE_REASON_SERVICES_FAILED, .name = "app", .a = 3};
	struct elect_event ev = {.kind = ELECT_EVENT_SERVICES};

	(void)n;
	if (strcmp(words[1], "failed") == 0)
		ev.cause = &failed;
	else if (strcmp(words[1], "fine") != 0)
		return false;
	case_world_step(w, &ev);
	return true;
}

static bool
event_send(struct case_world *w, int n, char **words)
{
	(void)n;
	return case_words_errno(words[1], &w->send_err);
}

static bool
event_freeze(struct case_world *w, int n, char **words)
{
	(void)n;
	w->frozen = strcmp(words[0], "freeze") == 0;
	return true;
}

/* A timer event although nothing is due. */
static bool
event_timer(struct case_world *w, int n, char **words)
{
	(void)n;
	(void)words;
	case_world_step(w, &(struct elect_event){.kind = ELECT_EVENT_TIMER});
	return true;
}

static const struct case_word events[] = {
	{"start", 1, 4, event_start},
	{"stop", 1, 2, event_stop},
	{"recall", 3, 3, event_recall},
	{"claim", 1, 1, event_claim},
	{"slept", 2, 2, event_slept},
	{"drain", 1, 3, event_drain},
	{"undrain", 1, 1, event_drain},
	{"takeover", 1, 3, event_override},
	{"override", 2, 4, event_override},
	{"lost", 2, 2, event_lost},
	{"conf", 1, CASE_WORDS_MAX, event_conf},
	{"link", 2, 2, event_link},
	{"source", 2, 2, event_source},
	{"track", 3, 5, event_track},
	{"advert", 4, CASE_WORDS_MAX, case_packets_advert},
	{"packet", 2, CASE_WORDS_MAX, case_packets_packet},
	{"acquired", 2, 4, event_acquired},
	{"acquire", 2, 3, case_words_acquire},
	{"answer", 2, 3, event_answer},
	{"services", 2, 2, event_services},
	{"leader", 2, 9, event_leader},
	{"send", 2, 2, event_send},
	{"freeze", 1, 1, event_freeze},
	{"thaw", 1, 1, event_freeze},
	{"timer", 1, 1, event_timer},
};

bool
case_words_event(struct case_world *w, int n, char **words)
{
	return case_words_do(w, n, words, events, ARRAY_SIZE(events));
}
