/*
 * hook_notify.c - notify commands: each change of state is told in order, one command after the other.
 *
 * Runs in vrrpd-agent. For a state these are run, as far as they are configured: the instance's own for that state, its
 * own for every state, then the two for all instances. What changes meanwhile waits; of several states only the last is
 * told, with the number of those left out. What was told last is kept by the engine's memory, so that no state is told
 * twice because a process was started again. A command that a reload adds is told the next change.
 */
#include "agent/hooks_int.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"

/* Least time from one state to the next: a role that changes faster is told its last state only. */
#define PACE_US (100 * USEC_PER_MS)

#define STEPS 4

static const enum ipc_notify notify_of[ROLE_STATE_COUNT] = {
	[ROLE_STATE_INITIALIZE] = IPC_NOTIFY_STOP,
	[ROLE_STATE_BACKUP] = IPC_NOTIFY_BACKUP,
	[ROLE_STATE_ACTIVE] = IPC_NOTIFY_ACTIVE,
	[ROLE_STATE_FAULT] = IPC_NOTIFY_FAULT,
};

static const char *const names[IPC_NOTIFY_COUNT] = {
	[IPC_NOTIFY_ACTIVE] = "notify_active", [IPC_NOTIFY_BACKUP] = "notify_backup",
	[IPC_NOTIFY_FAULT] = "notify_fault",   [IPC_NOTIFY_STOP] = "notify_stop",
	[IPC_NOTIFY_ANY] = "notify",
};

static void on_done(struct hook_command *c, const struct hook_result *result);

void
hook_notify_init(struct hook_role *r)
{
	r->notify.told = r->notify.telling = HOOK_NO_STATE;
	r->notify.command.done = on_done;
	r->notify.command.arg = r;
}

/* What step 0 to 3 is about. */
static enum ipc_notify
kind_of(uint8_t state, unsigned step)
{
	return step % 2 == 0 ? notify_of[state] : IPC_NOTIFY_ANY;
}

/* Is it worth telling? What only waits for something at the start is in no state yet. */
bool
hook_notify_is_news(const struct hook_role *r)
{
	return r->state != HOOK_NO_STATE && r->cause.reason != ROLE_REASON_START_DELAY &&
	       r->cause.reason != ROLE_REASON_CHECK_PENDING;
}

static void
tell_engine(struct hook_role *r)
{
	struct ipc_told m = {.h.gen = r->gen, .index = r->index, .state = r->notify.told};

	/* A new engine is told by what it says itself (hook_notify_recall). */
	if (!r->removed && r->notify.told != HOOK_NO_STATE)
		(void)hooks_send(r->hooks, IPC_TOLD, &m);
}

/* The next command for the state that is being told, or its end. */
static void
next_step(struct hook_role *r)
{
	struct hook_notify *n = &r->notify;

	for (; n->step < STEPS; n->step++) {
		const struct ipc_conf_hook *k = &r->notify_hooks[n->step / 2][kind_of(n->telling, n->step)];

		if (k->timeout_us == 0)
			continue;
		n->run.index = k->number;
		n->run.instance = r->index;
		n->run.h.gen = r->gen;
		hook_command_start(r->hooks->commands, &n->command, &n->run, k->timeout_us);
		return;
	}
	n->told = n->telling;
	n->telling = HOOK_NO_STATE;
	tell_engine(r);
	hook_notify_go_on(r);
	hooks_went_on(r);
}

void
hook_notify_go_on(struct hook_role *r)
{
	struct hook_notify *n = &r->notify;
	mono_t now = loop_now(r->hooks->a->loop);

	if (!n->due || !n->told_known || n->telling != HOOK_NO_STATE)
		return;
	if (r->state == n->told && n->superseded == 0) {
		n->due = false;
		return;
	}
	if (mono_before(now, n->not_before)) {
		hooks_wake_at(r->hooks, n->not_before);
		return;
	}
	hooks_fill_run(r, 0, &n->run);
	n->run.from = n->told;
	n->run.superseded = n->superseded;
	n->telling = r->state;
	n->step = 0;
	n->due = false;
	n->superseded = 0;
	n->not_before = mono_add(now, PACE_US);
	next_step(r);
}

static void
on_done(struct hook_command *c, const struct hook_result *result)
{
	struct hook_role *r = c->arg;
	struct hook_notify *n = &r->notify;
	struct role_cause cause;
	char name[LIMIT_NAME];

	snprintf(name, sizeof(name), "%s%s", names[kind_of(n->telling, n->step)], n->step >= 2 ? " (for all)" : "");
	hook_result_cause(result, name, &cause);
	hooks_count(r, HOOK_NOTIFY, result);
	hooks_tell(r, hook_result_ok(result) ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, &cause, result->line);
	n->step++;
	next_step(r);
}

void
hook_notify_changed(struct hook_role *r)
{
	struct hook_notify *n = &r->notify;

	if (!hook_notify_is_news(r))
		return;
	n->superseded += n->due;
	n->due = true;
	hook_notify_go_on(r);
}

void
hook_notify_recall(struct hook_role *r, uint8_t told)
{
	struct hook_notify *n = &r->notify;

	n->told_known = true;
	if (n->told == HOOK_NO_STATE)
		n->told = told;
	if (n->told != told)
		tell_engine(r);
	hook_notify_go_on(r);
}

bool
hook_notify_idle(const struct hook_role *r)
{
	return r->notify.telling == HOOK_NO_STATE && !(r->notify.due && r->notify.told_known);
}

mono_t
hook_notify_deadline(const struct hook_role *r)
{
	const struct hook_notify *n = &r->notify;

	return n->due && n->told_known && n->telling == HOOK_NO_STATE ? n->not_before : MONO_NEVER;
}
