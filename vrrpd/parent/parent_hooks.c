/*
 * parent_hooks.c - notify commands, gates and services of a generation, as the agent gets them: by number.
 *
 * What a number's command is, the agent is not told: it asks for a run (parent_run.c).
 */
#include "parent/parent.h"

#include "base/macros.h"
#include "base/strbuf.h"

_Static_assert((int)CFG_NOTIFY_COUNT == (int)IPC_NOTIFY_COUNT && (int)CFG_NOTIFY_ANY == (int)IPC_NOTIFY_ANY,
	       "kinds of notify commands agree");

/* An agent that was killed comes back and asks the gate anew, or goes on stopping services. */
#define ASK_SLACK_US (2 * USEC_PER_SEC)

usec_t
parent_hooks_enter_us(const struct cfg_instance *i)
{
	return i->gate.n > 0 ? i->gate_timeout + ASK_SLACK_US : 0;
}

usec_t
parent_hooks_leave_us(const struct cfg_instance *i)
{
	usec_t stop = cfg_services_stop_us(i);

	return stop > 0 ? stop + ASK_SLACK_US : 0;
}

static uint32_t
count_notify(const struct cfg_hooks *h)
{
	uint32_t n = 0;

	for (unsigned k = 0; k < CFG_NOTIFY_COUNT; k++)
		n += h->notify[k].n > 0;
	return n;
}

uint32_t
parent_hooks_count(const struct cfg *c, const struct cfg_instance *i)
{
	return i != NULL ? count_notify(&i->hooks) + (i->gate.n > 0) : count_notify(&c->hooks);
}

/* One that takes each of its notify commands for a state, besides what runs just now. */
static usec_t
notify_us(const struct cfg_hooks *h)
{
	return count_notify(h) * h->timeout;
}

usec_t
parent_hooks_stop_us(const struct cfg *c)
{
	usec_t most = 0;

	for (size_t n = 0; n < c->n_instances; n++) {
		const struct cfg_instance *i = &c->instances[n];

		most = MAX(most, notify_us(&i->hooks) + notify_us(&c->hooks) + 2 * parent_hooks_leave_us(i));
	}
	return most;
}

static int
send_hook(struct parent_child *c, uint32_t gen, uint32_t number, const struct cfg_run *run)
{
	struct ipc_conf_hook m = {
		.timeout_us = run->timeout,
		.number = number,
		.gate = run->kind == CFG_RUN_GATE,
		.notify = (uint8_t)run->notify,
	};

	return run->command->n > 0 ? parent_send_one(c, gen, IPC_CONF_HOOK, &m, -1) : 0;
}

int
parent_hooks_send(struct parent *p, struct parent_child *c, const struct cfg_instance *i)
{
	uint32_t number = i != NULL ? cfg_run_first(p->cfg, (size_t)(i - p->cfg->instances)) : 0;
	struct cfg_run run;
	int r = 0;

	for (unsigned k = 0; r == 0 && k < CFG_NOTIFY_COUNT + (i != NULL); k++, number++)
		if (cfg_run_find(p->cfg, number, &run))
			r = send_hook(c, p->gen, number, &run);
	for (size_t k = 0; r == 0 && i != NULL && k < i->n_services; k++, number += 3) {
		const struct cfg_service *v = &i->services[k];
		struct ipc_conf_service m = {
			.timeout_us = v->timeout,
			.interval_us = v->interval,
			.decay_us = v->failure_decay,
			.number = number,
			.migration_threshold = (uint16_t)v->migration_threshold,
		};

		str_copy(m.name, sizeof(m.name), v->name);
		r = parent_send_one(c, p->gen, IPC_CONF_SERVICE, &m, -1);
	}
	return r;
}
