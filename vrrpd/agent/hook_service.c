/*
 * hook_service.c - services: what runs where the addresses are and nowhere else.
 *
 * Runs in vrrpd-agent. Per instance one command runs at a time. To run: each in order is asked its status and started;
 * when all run, each is asked its status at its interval. One that does not run any more is stopped, to clean up, and
 * started again. Not to run: each in reverse order is stopped, and what is found to run later is, too. Failures are counted and forgotten one by one; as many as
 * migration_threshold are reported to the engine, for which the node is unfit then.
 */
#include "agent/hooks_int.h"

#include <stdlib.h>
#include <string.h>

#include "agent/agent_util.h"
#include "base/strbuf.h"

#define START_AGAIN_US (1 * USEC_PER_SEC) /* from the second failure on; the first is mended at once */

enum doing { DOING_START, DOING_STOP, DOING_STATUS };

static void on_done(struct hook_command *c, const struct hook_result *result);

const char *
hook_service_state_name(enum hook_service_state s)
{
	static const char *const names[HOOK_SERVICE_STATE_COUNT] = {
		[HOOK_SERVICE_UNKNOWN] = "unknown",
		[HOOK_SERVICE_STOPPED] = "stopped",
		[HOOK_SERVICE_RUNNING] = "running",
		[HOOK_SERVICE_FAILED] = "failed",
	};

	return names[s];
}

void
hook_service_init(struct hook_role *r)
{
	r->services.command.done = on_done;
	r->services.command.arg = r;
	r->services.command.urgent = true;
	r->services.told = true;
}

void
hook_service_free(struct hook_role *r)
{
	free(r->services.v);
}

static struct hook_service *
find(const struct hook_services *s, const char *name)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i].conf.name, name) == 0)
			return &s->v[i];
	return NULL;
}

void
hook_service_configure(struct hook_role *r, const struct ipc_conf_service *v, uint32_t n)
{
	struct hook_services *s = &r->services, old = *s;

	s->n = n;
	s->told = n == 0; /* by the index of this generation */
	s->v = agent_alloc(n, sizeof(*s->v));
	for (uint32_t i = 0; i < n; i++) {
		const struct hook_service *o = find(&old, v[i].name);

		s->v[i] = o != NULL ? *o : (struct hook_service){.forget_at = MONO_NEVER};
		s->v[i].conf = v[i];
	}
	for (uint32_t i = 0; i < old.n; i++)
		if (find(s, old.v[i].conf.name) == NULL)
			log_info("%s: service %s is no longer configured: it is left as it is", r->name,
				 old.v[i].conf.name);
	free(old.v);
}

/* ---- failures ----------------------------------------------------------------------------------- */

static bool
too_many(const struct hook_service *v)
{
	return v->conf.migration_threshold > 0 && v->failures >= v->conf.migration_threshold;
}

static void
send_report(struct hook_role *r)
{
	struct hook_services *s = &r->services;

	s->report.h.gen = r->gen;
	s->report.index = r->index;
	s->told = r->removed || hooks_send(r->hooks, IPC_SERVICES, &s->report);
}

/* Tell the engine whether some service has failed too often, when that is news. */
static void
report(struct hook_role *r)
{
	struct hook_services *s = &r->services;
	struct ipc_services now = {0};

	for (uint32_t i = 0; i < s->n && now.failures == 0; i++) {
		if (!too_many(&s->v[i]))
			continue;
		now.failures = s->v[i].failures;
		str_copy(now.name, sizeof(now.name), s->v[i].conf.name);
	}
	if ((now.failures == 0) != (s->report.failures == 0)) {
		s->report = now;
		s->told = false;
	}
	if (!s->told)
		send_report(r);
}

static void
forget(struct hook_role *r, mono_t now)
{
	struct hook_services *s = &r->services;

	for (uint32_t i = 0; i < s->n; i++) {
		struct hook_service *v = &s->v[i];

		while (mono_due(now, v->forget_at)) {
			v->failures--;
			v->forget_at = v->failures > 0 ? mono_add(v->forget_at, v->conf.decay_us) : MONO_NEVER;
		}
	}
	report(r);
}

static void
fail(struct hook_role *r, struct hook_service *v, const char *what, const struct hook_result *result)
{
	struct role_cause cause = {.reason = ROLE_REASON_SERVICE_TROUBLE};
	mono_t now = loop_now(r->hooks->a->loop);
	char words[48];
	struct strbuf b;

	v->failures++;
	if (v->forget_at.us == MONO_NEVER.us)
		v->forget_at = mono_add(now, v->conf.decay_us);
	v->start_at = v->failures == 1 ? now : mono_add(now, START_AGAIN_US);
	hook_result_words(result, words, sizeof(words));
	strbuf_init(&b, v->last, sizeof(v->last));
	strbuf_addf(&b, "%s: %s%s%s", what, words, result->line[0] != '\0' ? ": " : "", result->line);
	str_copy(cause.name, sizeof(cause.name), v->conf.name);
	cause.b = v->failures;
	hooks_tell(r, LOG_LEVEL_WARNING, &cause, v->last);
	report(r);
}

/* ---- one step after the other --------------------------------------------------------------------- */

static bool
wanted(const struct hook_role *r)
{
	return r->state == ROLE_STATE_ACTIVE && !r->hooks->no_engine && !r->services.leave && !r->removed && !r->hooks->stopping;
}

static void
start(struct hook_role *r, const struct hook_service *v, enum doing doing)
{
	struct hook_services *s = &r->services;
	struct ipc_run run;

	str_copy(s->current, sizeof(s->current), v->conf.name);
	s->doing = doing;
	s->command.leaves = doing == DOING_START;
	hooks_fill_run(r, v->conf.number + doing, &run);
	hook_command_start(r->hooks->commands, &s->command, &run, v->conf.timeout_us);
}

/* Bring the first one that does not run a step nearer to it; true when one is on its way. */
static bool
bring_up(struct hook_role *r, mono_t now)
{
	struct hook_services *s = &r->services;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct hook_service *v = &s->v[i];

		if (v->state == HOOK_SERVICE_RUNNING)
			continue;
		if (v->state == HOOK_SERVICE_UNKNOWN)
			start(r, v, DOING_STATUS);
		else if (v->state == HOOK_SERVICE_FAILED)
			start(r, v, DOING_STOP);
		else if (mono_due(now, v->start_at))
			start(r, v, DOING_START);
		return true;
	}
	return false;
}

/* All are as they should be: ask the one that is due. */
static void
watch(struct hook_role *r, mono_t now)
{
	const struct hook_services *s = &r->services;

	for (uint32_t i = 0; i < s->n && !r->hooks->stopping && !r->removed; i++) {
		if (mono_due(now, s->v[i].next)) {
			start(r, &s->v[i], DOING_STATUS);
			return;
		}
	}
}

/* One that could not be stopped must not keep the addresses here for ever: it is tried again later. */
static bool
is_down(const struct hook_service *v)
{
	return v->state == HOOK_SERVICE_STOPPED || v->stop_failed;
}

/* The last one that runs; false when none does. */
static bool
bring_down(struct hook_role *r)
{
	const struct hook_services *s = &r->services;

	for (uint32_t i = s->n; i-- > 0;) {
		if (is_down(&s->v[i]))
			continue;
		start(r, &s->v[i], s->v[i].state == HOOK_SERVICE_UNKNOWN ? DOING_STATUS : DOING_STOP);
		return true;
	}
	return false;
}

static bool
send_answer(struct hooks *h, const struct ipc_ask *ask)
{
	struct ipc_answer m = {.h.gen = ask->h.gen, .index = ask->index, .epoch = ask->epoch};

	return hooks_send(h, IPC_ANSWER, &m);
}

void
hook_service_answer(struct hooks *h, const struct ipc_ask *m)
{
	(void)send_answer(h, m); /* put again, when it found no room */
}

static void
answer(struct hook_role *r)
{
	r->services.answered = send_answer(r->hooks, &r->services.ask);
}

void
hook_service_go_on(struct hook_role *r)
{
	struct hook_services *s = &r->services;
	mono_t now = loop_now(r->hooks->a->loop);

	forget(r, now);
	/* What is being started is not wanted any more: then it is not waited for. */
	if (hook_command_busy(&s->command) && s->doing == DOING_START && !wanted(r))
		hook_command_cancel(&s->command);
	if (hook_command_busy(&s->command) || (r->state == HOOK_NO_STATE && !s->leave))
		return;
	if (wanted(r)) {
		if (!bring_up(r, now))
			watch(r, now);
	} else if (!bring_down(r)) {
		if (s->leave && !s->answered)
			answer(r);
		watch(r, now);
	}
	hooks_wake_at(r->hooks, hook_service_deadline(r));
}

static void
tell_done(struct hook_role *r, const struct hook_service *v, enum role_reason reason, const struct hook_result *result)
{
	struct role_cause cause = {.reason = (uint8_t)reason, .a = result->took_us};

	str_copy(cause.name, sizeof(cause.name), v->conf.name);
	hooks_tell(r, LOG_LEVEL_INFO, &cause, result->line);
}

static void
take_result(struct hook_role *r, struct hook_service *v, const struct hook_result *result)
{
	bool ok = hook_result_ok(result), ran = v->state == HOOK_SERVICE_RUNNING;

	v->next = mono_add(loop_now(r->hooks->a->loop), v->conf.interval_us);
	v->stop_failed = false;
	if (r->services.doing == DOING_STATUS && result->code == 0 && !result->timed_out) {
		/* It was not asked: nothing is known. */
		log_warning("%s: the status of service %s could not be asked: %s", r->name, v->conf.name, result->line);
		return;
	}
	switch ((enum doing)r->services.doing) {
	case DOING_START:
		v->state = ok ? HOOK_SERVICE_RUNNING : HOOK_SERVICE_FAILED;
		if (result->cancelled)
			break;
		if (ok)
			tell_done(r, v, ROLE_REASON_SERVICE_STARTED, result);
		else
			fail(r, v, "it could not be started", result);
		break;
	case DOING_STOP:
		if (!ok) {
			fail(r, v, "it could not be stopped", result);
			v->state = HOOK_SERVICE_UNKNOWN;
			v->stop_failed = true;
			break;
		}
		if (v->state != HOOK_SERVICE_FAILED)
			tell_done(r, v, ROLE_REASON_SERVICE_STOPPED, result);
		v->state = HOOK_SERVICE_STOPPED;
		break;
	case DOING_STATUS:
		v->state = ok ? HOOK_SERVICE_RUNNING : ran ? HOOK_SERVICE_FAILED : HOOK_SERVICE_STOPPED;
		if (!ok && ran)
			fail(r, v, "it does not run", result);
		break;
	}
}

static void
on_done(struct hook_command *c, const struct hook_result *result)
{
	struct hook_role *r = c->arg;
	struct hook_service *v = find(&r->services, r->services.current);

	if (r->services.doing != DOING_STATUS)
		hooks_count(r, r->services.doing == DOING_START ? HOOK_SERVICE_START : HOOK_SERVICE_STOP, result);
	if (v != NULL)
		take_result(r, v, result);
	hook_service_go_on(r);
	hooks_went_on(r);
}

/* ---- the engine ------------------------------------------------------------------------------------ */

void
hook_service_ask(struct hook_role *r, const struct ipc_ask *m)
{
	struct hook_services *s = &r->services;

	s->leave = m->ask == ROLE_ASK_LEAVE;
	s->answered = false; /* put again, it was not heard */
	s->ask = *m;
	hook_service_go_on(r);
}

void
hook_service_relinked(struct hook_role *r)
{
	r->services.told = r->services.n == 0; /* also that nothing has failed: an agent before may have said so */
	hook_service_go_on(r);
}

bool
hook_service_idle(const struct hook_role *r)
{
	const struct hook_services *s = &r->services;

	for (uint32_t i = 0; i < s->n; i++)
		if (!is_down(&s->v[i]) && r->state != HOOK_NO_STATE)
			return false;
	return !hook_command_busy(&s->command) && (!s->leave || s->answered);
}

mono_t
hook_service_deadline(const struct hook_role *r)
{
	const struct hook_services *s = &r->services;
	mono_t at = MONO_NEVER, next = MONO_NEVER;

	for (uint32_t i = 0; i < s->n; i++)
		at = mono_min(at, s->v[i].forget_at);
	if (hook_command_busy(&s->command) || r->state == HOOK_NO_STATE || r->hooks->stopping || r->removed)
		return at;
	for (uint32_t i = 0; i < s->n; i++) {
		/* While one that should does not run, nothing else is done. */
		if (wanted(r) && s->v[i].state != HOOK_SERVICE_RUNNING)
			return mono_min(at, s->v[i].start_at);
		next = mono_min(next, s->v[i].next);
	}
	return mono_min(at, next);
}
