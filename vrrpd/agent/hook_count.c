/*
 * hook_count.c - how the commands of hooks and services ended, counted for GET /metrics; see hooks.h.
 *
 * Runs in vrrpd-agent.
 */
#include "agent/hooks_int.h"

const char *
hook_what_name(enum hook_what w)
{
	static const char *const names[HOOK_WHAT_COUNT] = {"notify", "gate", "service_start", "service_stop"};

	ASSERT(w < HOOK_WHAT_COUNT);
	return names[w];
}

const char *
hook_outcome_name(enum hook_outcome r)
{
	static const char *const names[HOOK_OUTCOME_COUNT] = {"ok", "failed", "timeout", "not_run"};

	ASSERT(r < HOOK_OUTCOME_COUNT);
	return names[r];
}

void
hooks_count(struct hook_role *r, enum hook_what what, const struct hook_result *result)
{
	enum hook_outcome o = HOOK_BAD;

	if (result->cancelled)
		return;
	if (result->timed_out)
		o = HOOK_TIMED_OUT;
	else if (result->code == 0)
		o = HOOK_NOT_RUN;
	else if (hook_result_ok(result))
		o = HOOK_OK;
	r->runs[what][o]++;
}

static bool
has_notify(const struct hook_role *r)
{
	for (unsigned all = 0; all < 2; all++)
		for (unsigned k = 0; k < IPC_NOTIFY_COUNT; k++)
			if (r->notify_hooks[all][k].timeout_us > 0)
				return true;
	return false;
}

const uint64_t *
hooks_runs(const struct hooks *h, uint32_t index, enum hook_what what)
{
	const struct hook_role *r = h->v[index];
	bool has = false;

	switch (what) {
	case HOOK_NOTIFY:
		has = has_notify(r);
		break;
	case HOOK_GATE:
		has = r->gate_hook.timeout_us > 0;
		break;
	case HOOK_SERVICE_START:
	case HOOK_SERVICE_STOP:
		has = r->services.n > 0;
		break;
	case HOOK_WHAT_COUNT:
		break;
	}
	return has ? r->runs[what] : NULL;
}

const char *
hooks_service(const struct hooks *h, uint32_t index, uint32_t n, bool *ret_running)
{
	const struct hook_services *s = &h->v[index]->services;

	if (n >= s->n)
		return NULL;
	*ret_running = s->v[n].state == HOOK_SERVICE_RUNNING;
	return s->v[n].conf.name;
}
