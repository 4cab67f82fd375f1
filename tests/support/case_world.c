/*
 * case_world.c - the world of one case; see case_world.h.
 *
 * Time only moves when a line of the case or a deadline says so. Events at one instant come in the file's order
 * and before the timers of that instant, as the engine reads its sockets before it runs timers.
 */
#include "support/case_world.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "elect/elect.h"
#include "support/case_words.h"
#include "support/vectors.h"

#define LEAVE_MAX_US (10 * USEC_PER_SEC)

#define STEPS_PER_INSTANT_MAX 10000 /* more is a timer of no length */

/* Where a failed assertion of the code under test ends: it has no way to say which case it was. */
static struct {
	jmp_buf jump;
	char text[256];
} assertion;

void
assert_fail(const char *expr, const char *file, int line)
{
	snprintf(assertion.text, sizeof(assertion.text), "assertion failed at %s:%d: %s", file, line, expr);
	longjmp(assertion.jump, 1);
}

static void PRINTF_LIKE(3, 4) add_note(struct case_notes *notes, uint64_t us, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	notes->v = realloc(notes->v, (notes->n + 1) * sizeof(notes->v[0]));
	notes->v[notes->n++] = (struct case_note){.us = us, .text = text};
}

#define add_error(w, fmt, ...)                                                                                 \
	add_note(&(w)->result->errors, world_us(w), "%s:%d: " fmt, (w)->file->path, (w)->line->number,         \
		 ##__VA_ARGS__)

static uint64_t
world_us(const struct case_world *w)
{
	return w->now.us - w->manner->base_us;
}

/* ---- actions ---- */

static void
note_state(struct case_world *w, const struct role_action *a)
{
	char text[LIMIT_CAUSE_TEXT];

	if (a->state != ROLE_STATE_ACTIVE && w->may_hold && !elect_holds(&w->e))
		add_error(w, "%s is told before the release", role_state_name((enum role_state)a->state));
	add_note(&w->result->actions, world_us(w), "state %s %s \"%s\"",
		 role_state_name((enum role_state)a->state),
		 role_reason_label((enum role_reason)a->cause.reason),
		 role_cause_text(&a->cause, text, sizeof(text)));
}

/* Encode what would leave, so that a case can ask for its octets, and say which form it has. */
static void
note_advert(struct case_world *w, const struct role_action *a)
{
	struct ip_addr dst = w->codec.unicast ? w->codec.peers[0] : vrrp_group(w->codec.family);
	bool has_form = w->codec.version == 3 && w->codec.family == IP_FAMILY_V4;
	struct vrrp_codec codec = w->codec;
	char interval[32];
	int n;

	if (a->adver_int_cs != 0)
		codec.adver_int_cs = a->adver_int_cs;
	snprintf(interval, sizeof(interval), " interval %u", a->adver_int_cs);
	add_note(&w->result->actions, world_us(w), "advert %u%s%s", a->priority,
		 a->adver_int_cs != 0 ? interval : "",
		 has_form && w->e.form == VRRP_CHECKSUM_RFC5798 ? " rfc5798" : "");
	n = vrrp_packet_encode_ip(&codec, a->priority, (enum vrrp_checksum_form)w->e.form, &w->e.source, &dst,
				  w->sent, sizeof(w->sent));
	if (n < 0)
		add_error(w, "the advert cannot be encoded: %s", strerror(-n));
	w->sent_len = n < 0 ? 0 : (size_t)n;
	if (w->e.source.family == IP_FAMILY_NONE)
		add_error(w, "an advert without a source address");
	w->sends_due++;
}

static void
note_acquire(struct case_world *w, const struct role_action *a)
{
	add_note(&w->result->actions, world_us(w), "acquire");
	if (a->epoch == w->epoch)
		add_error(w, "epoch %u is used again", a->epoch);
	w->epoch = a->epoch;
	w->may_hold = true;
	w->answer_at = w->acquire_manual ? MONO_NEVER : mono_add(w->now, w->acquire_after);
}

static void
note_action(struct case_world *w, const struct role_action *a)
{
	switch ((enum role_action_kind)a->kind) {
	case ROLE_ACTION_STATE:
		note_state(w, a);
		break;
	case ROLE_ACTION_ACQUIRE:
		note_acquire(w, a);
		break;
	case ROLE_ACTION_ADVERT:
		note_advert(w, a);
		break;
	case ROLE_ACTION_ANNOUNCE:
		add_note(&w->result->actions, world_us(w), "announce");
		break;
	case ROLE_ACTION_RELEASE:
		add_note(&w->result->actions, world_us(w), "release");
		if (!w->may_hold)
			add_error(w, "a release of what is not held");
		w->may_hold = false;
		w->answer_at = MONO_NEVER;
		break;
	case ROLE_ACTION_ASK:
		add_note(&w->result->actions, world_us(w), "ask %s", role_ask_name((enum role_ask)a->ask));
		w->ask_epoch = a->epoch;
		break;
	case ROLE_ACTION_COUNT:
		add_error(w, "an action of no kind");
		break;
	}
}

/* A leave begins with an Active, ends in time and ends with a release. */
static void
check_leave(struct case_world *w)
{
	const struct elect *e = &w->e;

	if (!elect_leaving(e)) {
		w->leaving = false;
		return;
	}
	if (!w->leaving && !w->was_active)
		add_error(w, "a leave without having been Active");
	if (!w->leaving)
		w->left = w->now;
	w->leaving = true;
	if (e->state == ROLE_STATE_ACTIVE || e->vrrp.acquiring || e->follow.acquiring)
		add_error(w, "Active or on the way there, and leaving");
	if (!w->may_hold)
		add_error(w, "leaving without the addresses");
	if (elect_deadline(e).us > w->left.us + LEAVE_MAX_US)
		add_error(w, "a leave that lasts too long");
}

/* Rules of every case, beyond elect_check(). */
static void
check_rules(struct case_world *w)
{
	const struct elect *e = &w->e;
	bool taking_over = e->running && (e->vrrp.acquiring || e->follow.acquiring);

	elect_check(e);
	check_leave(w);
	if (e->state == ROLE_STATE_ACTIVE && !w->may_hold)
		add_error(w, "Active without having asked for the addresses");
	if (e->state != ROLE_STATE_ACTIVE && w->may_hold && !taking_over && !elect_leaving(e))
		add_error(w, "%s, but the addresses were not released",
			  role_state_name((enum role_state)e->state));
	if (elect_holds(e) != w->may_hold)
		add_error(w, "the addresses are %s, elect_holds() says otherwise",
			  w->may_hold ? "held" : "released");
	if (e->conf->mode == ELECT_MODE_VRRP && e->running && !taking_over && elect_deadline(e).us == MONO_NEVER.us)
		add_error(w, "taking part, but no timer runs");
	if (w->now.us == w->instant.us) {
		if (++w->steps > STEPS_PER_INSTANT_MAX) {
			add_error(w, "more than %d steps in one instant", STEPS_PER_INSTANT_MAX);
			longjmp(assertion.jump, 1);
		}
		return;
	}
	w->instant = w->now;
	w->steps = 0;
}

static void
step(struct case_world *w, const struct elect_event *ev)
{
	struct role_actions out = {0};

	w->was_active = w->e.state == ROLE_STATE_ACTIVE;
	elect_step(&w->e, ev, w->now, &out);
	for (unsigned i = 0; i < out.n; i++)
		note_action(w, &out.v[i]);
	check_rules(w);
}

/* Tell the results of what was sent. */
static void
answer_sends(struct case_world *w)
{
	while (w->sends_due > 0) {
		struct elect_event ev = {.kind = ELECT_EVENT_SEND, .err = w->send_err};

		w->sends_due--;
		step(w, &ev);
	}
}

void
case_world_step(struct case_world *w, const struct elect_event *ev)
{
	step(w, ev);
	answer_sends(w);
}

void
case_world_conf(struct case_world *w, bool other)
{
	struct elect_conf *last = &w->in_force[w->generation & 1], *next = &w->in_force[~w->generation & 1];
	struct elect_event ev = {.kind = ELECT_EVENT_CONF, .on = other};
	struct elect old = w->e;

	*next = w->conf;
	w->generation++;
	elect_adopt(&w->e, next, &old);
	/* As when their memory is given back: whoever still reads these will stand out. */
	memset(last, 0xff, sizeof(*last));
	memset(&old, 0xff, sizeof(old));
	case_world_step(w, &ev);
}

void
case_world_acquired(struct case_world *w, int err, const struct ip_addr *addr, uint32_t epoch)
{
	struct elect_event ev = {.kind = ELECT_EVENT_ACQUIRED, .err = err, .addr = *addr, .epoch = epoch};

	case_world_step(w, &ev);
}

/* ---- time ---- */

static mono_t
next_due(const struct case_world *w)
{
	return w->frozen ? MONO_NEVER : mono_min(w->answer_at, elect_deadline(&w->e));
}

/* Let time pass until `until`; what is due at that instant happens only if `inclusive`. */
static void
pass_time(struct case_world *w, mono_t until, bool inclusive)
{
	static const struct ip_addr none;

	for (;;) {
		mono_t due = next_due(w);

		if (due.us == MONO_NEVER.us || mono_before(until, due) || (!inclusive && due.us >= until.us))
			break;
		if (mono_before(w->now, due))
			w->now = due;
		if (mono_due(w->now, w->answer_at)) {
			w->answer_at = MONO_NEVER;
			case_world_acquired(w, w->acquire_err, &none, w->epoch);
		} else {
			case_world_step(w, &(struct elect_event){.kind = ELECT_EVENT_TIMER});
		}
	}
	if (mono_before(w->now, until))
		w->now = until;
}

/* A take-over that is answered at once is answered before anything else happens. */
static void
answer_at_once(struct case_world *w)
{
	static const struct ip_addr none;

	while (!w->frozen && mono_due(w->now, w->answer_at)) {
		w->answer_at = MONO_NEVER;
		case_world_acquired(w, w->acquire_err, &none, w->epoch);
	}
}

/* ---- lines ---- */

/* Take the settings together and bring the instance to where the kernel's state is known. */
static void
begin(struct case_world *w)
{
	struct elect_event link = {.kind = ELECT_EVENT_LINK, .link = w->first_link};
	struct elect_event source = {.kind = ELECT_EVENT_SOURCE, .addr = w->first_source};

	w->begun = true;
	case_words_finish(w);
	w->in_force[0] = w->conf;
	elect_init(&w->e, &w->in_force[0], w->now);
	case_world_step(w, &link);
	case_world_step(w, &source);
}

static void
do_words(struct case_world *w, const struct case_line *line, bool (*fn)(struct case_world *, int, char **))
{
	char *words[CASE_WORDS_MAX], *text = strdup(line->text);
	int n = case_words(text, words, CASE_WORDS_MAX);

	w->complaint[0] = '\0';
	if (n < 1 || !fn(w, n, words))
		add_error(w, "%s%s%s", line->text, w->complaint[0] ? ": " : ": not understood", w->complaint);
	free(text);
}

/* What must not make a difference. */
static void
nudge(struct case_world *w)
{
	if (!w->begun || w->frozen)
		return;
	if (w->manner->nudge && mono_before(w->now, elect_deadline(&w->e)))
		case_world_step(w, &(struct elect_event){.kind = ELECT_EVENT_TIMER});
	if (w->manner->reload)
		case_world_conf(w, false);
}

/* Packets that arrive while the host does not run wait in the socket. */
static bool
must_wait(const struct case_world *w, const struct case_line *line)
{
	return w->frozen && (strncmp(line->text, "advert ", 7) == 0 || strncmp(line->text, "packet ", 7) == 0);
}

static void
do_event(struct case_world *w, const struct case_line *line)
{
	if (must_wait(w, line)) {
		w->waiting = realloc(w->waiting, (w->n_waiting + 1) * sizeof(w->waiting[0]));
		w->waiting[w->n_waiting++] = line;
		return;
	}
	nudge(w);
	do_words(w, line, case_words_event);
	answer_at_once(w);
	if (w->frozen)
		return;
	for (size_t i = 0; i < w->n_waiting; i++) {
		w->line = w->waiting[i];
		do_words(w, w->waiting[i], case_words_event);
	}
	w->n_waiting = 0;
}

static void
do_line(struct case_world *w, const struct case_line *line)
{
	mono_t at = {w->manner->base_us + line->us};

	w->line = line;
	if (line->kind == CASE_LINE_SETTING) {
		do_words(w, line, case_words_setting);
		return;
	}
	if (!w->begun)
		begin(w);
	pass_time(w, at, line->kind != CASE_LINE_EVENT);
	if (line->kind == CASE_LINE_EVENT)
		do_event(w, line);
	else if (line->kind == CASE_LINE_ASK)
		do_words(w, line, case_words_ask);
}

void
case_world_run(const struct case_file *file, const struct case_manner *manner, struct case_result *ret)
{
	static const struct case_line nothing;
	struct case_world *w = calloc(1, sizeof(*w));

	*ret = (struct case_result){0};
	*w = (struct case_world){
		.file = file,
		.line = &nothing,
		.manner = manner,
		.result = ret,
		.now = {manner->base_us},
		.instant = MONO_NEVER,
		.answer_at = MONO_NEVER,
	};
	case_words_defaults(w);
	assertion.text[0] = '\0';
	if (setjmp(assertion.jump) == 0)
		for (size_t i = 0; i < file->n; i++)
			do_line(w, &file->lines[i]);
	if (assertion.text[0] != '\0')
		add_error(w, "%s", assertion.text);
	free(w->waiting);
	free(w);
}

static void
notes_done(struct case_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		free(notes->v[i].text);
	free(notes->v);
}

void
case_result_done(struct case_result *r)
{
	notes_done(&r->actions);
	notes_done(&r->errors);
	*r = (struct case_result){0};
}
