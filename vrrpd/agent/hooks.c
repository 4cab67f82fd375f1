/*
 * hooks.c - what follows from a change of role: the instances, and who tells of them; see hooks.h.
 *
 * Runs in vrrpd-agent. The engine's events say what changes; a snapshot says what is, whenever the engine, the channel
 * or the generation is another one.
 */
#include "agent/hooks_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_link.h"
#include "agent/agent_util.h"
#include "base/strbuf.h"

#define SEND_AGAIN_US	(20 * USEC_PER_MS) /* the engine's channel was full */
#define LOOK_US		(1 * USEC_PER_SEC) /* how often it is looked whether there is an engine */
#define ENGINE_SLACK_US (2 * USEC_PER_SEC)

/* ---- instances ---------------------------------------------------------------------------------- */

static struct hook_role *
role_new(struct hooks *h, const char *name)
{
	struct hook_role *r = agent_alloc(1, sizeof(*r));

	r->hooks = h;
	r->state = HOOK_NO_STATE;
	str_copy(r->name, sizeof(r->name), name);
	hook_notify_init(r);
	hook_gate_init(r);
	hook_service_init(r);
	return r;
}

static void
role_free(struct hook_role *r)
{
	hook_service_free(r);
	free(r);
}

static struct hook_role *
find(const struct hooks *h, const char *name)
{
	for (uint32_t i = 0; i < h->n; i++)
		if (strcmp(h->v[i]->name, name) == 0)
			return h->v[i];
	return NULL;
}

static struct hook_role *
find_removed(const struct hooks *h, const char *name)
{
	for (uint32_t i = 0; i < h->n_removed; i++)
		if (strcmp(h->removed[i]->name, name) == 0)
			return h->removed[i];
	return NULL;
}

static void
take_hooks(struct ipc_conf_hook v[IPC_NOTIFY_COUNT], struct ipc_conf_hook *gate, const struct ipc_conf_hook *from, uint32_t n)
{
	memset(v, 0, IPC_NOTIFY_COUNT * sizeof(*v));
	for (uint32_t i = 0; i < n; i++)
		*(from[i].gate ? gate : &v[from[i].notify]) = from[i];
}

static bool
has_commands(const struct agent_conf *conf)
{
	return conf->begin.n_hooks + conf->begin.n_services > 0;
}

static void
role_configure(struct hook_role *r, const struct agent_conf *conf, uint32_t index)
{
	const struct agent_instance *i = &conf->instances[index];

	r->gen = conf->gen;
	r->index = index;
	r->heard = false;
	if (!has_commands(conf))
		hook_notify_recall(r, HOOK_NO_STATE); /* nothing was told, and nothing is */
	r->gate_hook = (struct ipc_conf_hook){0};
	take_hooks(r->notify_hooks[0], &r->gate_hook, conf->hooks + i->first_hook, i->c.n_hooks);
	take_hooks(r->notify_hooks[1], &r->gate_hook, conf->hooks, conf->begin.n_own_hooks);
	hook_service_configure(r, conf->services + i->first_service, i->c.n_services);
	/* A question of the instance before it under this name, which the engine removes. */
	if (r->services.leave && r->services.ask.removed) {
		r->services.leave = false;
		hook_service_answer(r->hooks, &r->services.ask);
	}
}

/* Let all that can go on do so. */
static void
go_on(struct hook_role *r)
{
	hook_notify_go_on(r);
	hook_gate_go_on(r);
	hook_service_go_on(r);
}

static void
set_state(struct hook_role *r, uint8_t state, const struct role_cause *cause, uint8_t priority)
{
	bool changed = r->state != state;

	bool was_news = hook_notify_is_news(r);

	/* Not taking part yet says nothing: an engine that was started again goes on from before. */
	if (state == ROLE_STATE_INITIALIZE && cause->reason == ROLE_REASON_STARTING)
		return;
	r->state = state;
	r->cause = *cause;
	r->priority = priority;
	/* In the same state, but no longer only waiting: that is to be told. */
	if (!changed && !was_news)
		hook_notify_changed(r);
	if (!changed)
		return;
	/* Of a removed one the engine still waits for the answer. */
	if (state != ROLE_STATE_ACTIVE && !r->removed)
		r->services.leave = false;
	hook_gate_forget(r);
	hook_notify_changed(r);
	hook_service_go_on(r);
}

/* ---- removed ones -------------------------------------------------------------------------------- */

static bool
is_idle(const struct hook_role *r)
{
	return hook_notify_idle(r) && hook_service_idle(r) && !hook_command_busy(&r->gate.command);
}

static void
sweep_removed(struct hooks *h)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < h->n_removed; i++) {
		if (is_idle(h->removed[i]))
			role_free(h->removed[i]);
		else
			h->removed[kept++] = h->removed[i];
	}
	h->n_removed = kept;
}

static void
retire(struct hook_role *r)
{
	struct role_cause cause = {.reason = ROLE_REASON_REMOVED};

	r->removed = true;
	if (r->state != HOOK_NO_STATE)
		set_state(r, ROLE_STATE_INITIALIZE, &cause, r->priority);
	hook_command_cancel(&r->gate.command);
	go_on(r);
}

/* ---- what is, from a snapshot ---------------------------------------------------------------------- */

static void ask_what_is(struct hooks *h);

static void
on_snapshot(struct snap_waiter *w, const struct snap *s, const char *why)
{
	struct hooks *h = (struct hooks *)w; /* its first member */

	(void)why;
	h->waiting = false;
	if (s == NULL) {
		ask_what_is(h); /* the engine is starting, or changing generations */
		return;
	}
	h->engine_heard = loop_now(h->a->loop);
	for (uint32_t i = 0; i < h->n; i++) {
		struct hook_role *r = h->v[i];
		const struct ipc_snap_instance *now = &s->instances[i];

		hook_notify_recall(r, MIN(now->told, (uint8_t)HOOK_NO_STATE));
		/* What is asked is put again with each snapshot; that nothing is, may have been lost. */
		if (now->asking != ROLE_ASK_LEAVE)
			r->services.leave = false;
		/* What came as an event meanwhile is newer. */
		if (!r->heard)
			set_state(r, now->state, &now->cause, now->priority);
	}
}

static void
ask_what_is(struct hooks *h)
{
	if (h->waiting || h->stopping || h->a->conf == NULL || !has_commands(h->a->conf))
		return;
	h->waiting = true;
	snaps_wait(h->a->snaps, &h->waiter, on_snapshot);
}

static bool
all_idle(const struct hooks *h)
{
	for (uint32_t i = 0; i < h->n; i++)
		if (!is_idle(h->v[i]))
			return false;
	return h->n_removed == 0;
}

/* ---- time ------------------------------------------------------------------------------------------ */

void
hooks_wake_at(struct hooks *h, mono_t at)
{
	if (!mono_before(at, h->wake))
		return;
	h->wake = at;
	loop_timer_set(h->timer, at);
}

/*
 * Services run where the address is: when no engine says anything for longer than the kernel keeps an address that is
 * not renewed, it is not here any more.
 */
static void
look_for_engine(struct hooks *h, mono_t now)
{
	const struct agent_conf *conf = h->a->conf;
	usec_t lifetime;

	if (conf == NULL || conf->begin.n_services == 0 || h->stopping)
		return;
	lifetime = conf->begin.address_lifetime_s * USEC_PER_SEC;
	h->no_engine = lifetime > 0 && mono_since(now, h->engine_heard) > lifetime + ENGINE_SLACK_US;
	if (mono_due(now, h->look_at)) {
		h->look_at = mono_add(now, LOOK_US);
		ask_what_is(h);
	}
	hooks_wake_at(h, h->look_at);
}

static void
on_timer(void *arg, mono_t now)
{
	struct hooks *h = arg;

	h->wake = MONO_NEVER;
	look_for_engine(h, now);
	for (uint32_t i = 0; i < h->n; i++)
		go_on(h->v[i]);
	for (uint32_t i = 0; i < h->n_removed; i++)
		go_on(h->removed[i]);
	for (uint32_t i = 0; i < h->n; i++)
		hooks_wake_at(h, mono_min(hook_notify_deadline(h->v[i]), hook_service_deadline(h->v[i])));
	sweep_removed(h);
	if (h->stopping && all_idle(h))
		h->stopped(h->a);
}

/* ---- for the parts ----------------------------------------------------------------------------------- */

bool
hooks_send(struct hooks *h, enum ipc_type type, void *msg)
{
	int r = agent_link_send(h->a, type, msg);

	if (r == -EAGAIN)
		hooks_wake_at(h, mono_add(loop_now(h->a->loop), SEND_AGAIN_US));
	return r == 0;
}

void
hooks_fill_run(const struct hook_role *r, uint32_t number, struct ipc_run *ret)
{
	*ret = (struct ipc_run){
		.h.gen = r->gen,
		.index = number,
		.instance = r->index,
		.state = r->state < ROLE_STATE_COUNT ? r->state : ROLE_STATE_INITIALIZE,
		.from = HOOK_NO_STATE,
		.priority = r->priority,
		.reason = r->cause.reason,
	};
	role_cause_text(&r->cause, ret->text, sizeof(ret->text));
}

void
hooks_tell(const struct hook_role *r, enum log_level level, const struct role_cause *cause, const char *detail)
{
	struct ipc_event m = {
		.h.gen = r->gen,
		.index = r->index,
		.from = r->state < ROLE_STATE_COUNT ? r->state : ROLE_STATE_INITIALIZE,
		.at_us = loop_now(r->hooks->a->loop).us,
		.cause = *cause,
	};
	char text[LIMIT_CAUSE_TEXT];

	m.to = m.from;
	m.priority = r->priority;
	str_copy(m.name, sizeof(m.name), r->name);
	log_msg(level, "%s: %s%s%s", r->name, role_cause_text(cause, text, sizeof(text)), detail[0] != '\0' ? ": " : "",
		detail);
	if (!r->removed)
		(void)events_add(r->hooks->a->events, &m);
}

void
hooks_went_on(struct hook_role *r)
{
	/* From the loop: what has just come to its end is still being looked at. */
	if (r->removed || r->hooks->stopping)
		hooks_wake_at(r->hooks, loop_now(r->hooks->a->loop));
}

/* ---- from outside --------------------------------------------------------------------------------------- */

struct hooks *
hooks_new(struct agent *a)
{
	struct hooks *h = agent_alloc(1, sizeof(*h));

	h->a = a;
	h->engine_heard = loop_now(a->loop);
	h->wake = MONO_NEVER;
	h->commands = hook_commands_new(a->loop, &a->parent);
	h->timer = loop_timer_add(a->loop, on_timer, h);
	return h;
}

void
hooks_free(struct hooks *h)
{
	if (h == NULL)
		return;
	if (h->waiting)
		snaps_cancel(h->a->snaps, &h->waiter);
	hook_commands_free(h->commands);
	for (uint32_t i = 0; i < h->n; i++)
		role_free(h->v[i]);
	for (uint32_t i = 0; i < h->n_removed; i++)
		role_free(h->removed[i]);
	loop_timer_del(h->timer);
	free(h->v);
	free(h->removed);
	free(h);
}

/* The instance of this name out of the old ones, or a new one. */
static struct hook_role *
keep_or_new(struct hooks *h, struct hook_role **old, uint32_t n_old, const char *name)
{
	for (uint32_t i = 0; i < n_old; i++)
		if (old[i] != NULL && strcmp(old[i]->name, name) == 0)
			return TAKE(old[i]);
	return role_new(h, name);
}

void
hooks_configure(struct hooks *h)
{
	const struct agent_conf *conf = h->a->conf;
	struct hook_role **old = h->v;
	uint32_t n_old = h->n;

	h->n = conf->begin.n_instances;
	h->v = agent_alloc(h->n, sizeof(*h->v));
	for (uint32_t i = 0; i < h->n; i++) {
		h->v[i] = keep_or_new(h, old, n_old, conf->instances[i].c.name);
		role_configure(h->v[i], conf, i);
	}
	h->removed = reallocarray(h->removed, (size_t)h->n_removed + n_old + 1, sizeof(*h->removed));
	ASSERT(h->removed != NULL);
	for (uint32_t i = 0; i < n_old; i++) {
		if (old[i] == NULL)
			continue;
		h->removed[h->n_removed++] = old[i];
		retire(old[i]);
	}
	free(old);
	hooks_wake_at(h, loop_now(h->a->loop));
	ask_what_is(h);
}

void
hooks_relinked(struct hooks *h)
{
	for (uint32_t i = 0; i < h->n; i++) {
		h->v[i]->heard = false;
		hook_gate_forget(h->v[i]);
		hook_service_relinked(h->v[i]);
	}
	ask_what_is(h);
}

/* Told of an instance in a state, not why it is in it. */
static bool
is_note(uint8_t reason)
{
	return reason == ROLE_REASON_ADDRESS_HEALED || reason == ROLE_REASON_ADDRESS_CONFLICT ||
	       reason == ROLE_REASON_CONNECTIONS_RESET;
}

void
hooks_event(struct hooks *h, const struct ipc_event *m)
{
	/* One of another generation is made up for by the snapshot that is asked for with each. */
	if (h->a->conf == NULL || m->h.gen != h->a->conf->gen || m->index >= h->n ||
	    (m->from == m->to && is_note(m->cause.reason)))
		return;
	h->v[m->index]->heard = true;
	set_state(h->v[m->index], m->to, &m->cause, m->priority);
}

void
hooks_ask(struct hooks *h, const struct ipc_ask *m)
{
	struct hook_role *r = m->removed ? find_removed(h, m->name) : find(h, m->name);

	if (m->removed && r == NULL && h->a->conf != NULL && m->h.gen == h->a->conf->gen) {
		/* Another instance has its name: what runs is that one's now. */
		hook_service_answer(h, m);
		return;
	}
	if (r == NULL)
		r = find(h, m->name);
	if (r == NULL)
		return; /* of a generation that is still to come: put again with the snapshot that is asked for then */
	if (m->ask != ROLE_ASK_LEAVE)
		hook_gate_ask(r, m);
	if (m->ask != ROLE_ASK_ENTER)
		hook_service_ask(r, m);
}

void
hooks_run_ended(struct hooks *h, const struct ipc_run_ended *m)
{
	hook_commands_ended(h->commands, m);
}

void
hooks_stop(struct hooks *h, void (*done)(struct agent *a))
{
	struct role_cause cause = {.reason = ROLE_REASON_STOPPING};

	if (h->stopping)
		return;
	h->stopping = true;
	h->stopped = done;
	for (uint32_t i = 0; i < h->n; i++)
		if (h->v[i]->state != HOOK_NO_STATE)
			set_state(h->v[i], ROLE_STATE_INITIALIZE, &cause, h->v[i]->priority);
	hooks_wake_at(h, loop_now(h->a->loop));
}

void
hooks_json(struct json_out *j, const struct hooks *h, uint32_t index, enum role_ask asking)
{
	static const char *const asked[ROLE_ASK_COUNT] = {
		[ROLE_ASK_ENTER] = "gate",
		[ROLE_ASK_LEASE] = "arbiter",
		[ROLE_ASK_LEAVE] = "services",
	};
	const struct hook_role *r = h->v[index];
	const struct hook_services *s = &r->services;

	json_out_text(j, "waiting_for", asked[asking]);
	json_out_text(j, "notified", r->notify.told < ROLE_STATE_COUNT ? role_state_name((enum role_state)r->notify.told) : NULL);
	json_out_open(j, "services", '[');
	for (uint32_t i = 0; i < s->n; i++) {
		json_out_open(j, NULL, '{');
		json_out_text(j, "name", s->v[i].conf.name);
		json_out_text(j, "state", hook_service_state_name(s->v[i].state));
		json_out_uint(j, "failures", s->v[i].failures);
		json_out_text(j, "last", s->v[i].last[0] != '\0' ? s->v[i].last : NULL);
		json_out_close(j, '}');
	}
	json_out_close(j, ']');
}
