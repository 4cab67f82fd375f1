/*
 * cfg_run.c - the commands of hooks, gates and services by their numbers; see cfg.h.
 *
 * vrrpd tells the agent the numbers and is asked for runs by them: what a command is, it takes from its own
 * configuration. Runs in the parent.
 */
#include "config/cfg.h"

#include "base/macros.h"

#define NUMBERS_OF_SERVICE 3

static uint32_t
numbers_of(const struct cfg_instance *i)
{
	return CFG_NOTIFY_COUNT + 1 + NUMBERS_OF_SERVICE * (uint32_t)i->n_services;
}

static struct cfg_run
notify_run(const struct cfg *c, const struct cfg_instance *i, unsigned which)
{
	const struct cfg_hooks *h = i != NULL ? &i->hooks : &c->hooks;

	return (struct cfg_run){.kind = CFG_RUN_NOTIFY,
				.notify = (enum cfg_notify)which,
				.instance = i,
				.command = &h->notify[which],
				.user = h->user != NULL ? h->user : c->hooks.user,
				.timeout = h->timeout};
}

static struct cfg_run
service_run(const struct cfg_instance *i, unsigned n)
{
	const struct cfg_service *v = &i->services[n / NUMBERS_OF_SERVICE];
	const struct cfg_command *const commands[NUMBERS_OF_SERVICE] = {&v->start, &v->stop, &v->status};
	unsigned which = n % NUMBERS_OF_SERVICE;

	return (struct cfg_run){.kind = (enum cfg_run_kind)(CFG_RUN_START + which),
				.instance = i,
				.service = v,
				.command = commands[which],
				.user = v->user,
				.timeout = v->timeout};
}

/* Command n of an instance. */
static struct cfg_run
run_of(const struct cfg *c, const struct cfg_instance *i, uint32_t n)
{
	if (n < CFG_NOTIFY_COUNT)
		return notify_run(c, i, n);
	if (n == CFG_NOTIFY_COUNT)
		return (struct cfg_run){.kind = CFG_RUN_GATE,
					.instance = i,
					.command = &i->gate,
					.user = i->hooks.user != NULL ? i->hooks.user : c->hooks.user,
					.timeout = i->gate_timeout};
	return service_run(i, n - CFG_NOTIFY_COUNT - 1);
}

uint32_t
cfg_run_first(const struct cfg *c, size_t instance)
{
	uint32_t first = CFG_NOTIFY_COUNT;

	for (size_t k = 0; k < instance; k++)
		first += numbers_of(&c->instances[k]);
	return first;
}

bool
cfg_run_find(const struct cfg *c, uint32_t number, struct cfg_run *ret)
{
	uint32_t n = number;

	if (n < CFG_NOTIFY_COUNT) {
		*ret = notify_run(c, NULL, n);
		ret->number = number;
		return true;
	}
	n -= CFG_NOTIFY_COUNT;
	for (size_t k = 0; k < c->n_instances; k++) {
		const struct cfg_instance *i = &c->instances[k];

		if (n < numbers_of(i)) {
			*ret = run_of(c, i, n);
			ret->number = number;
			return true;
		}
		n -= numbers_of(i);
	}
	return false;
}

usec_t
cfg_services_stop_us(const struct cfg_instance *i)
{
	usec_t sum = 0, longest = 0;

	for (size_t k = 0; k < i->n_services; k++) {
		sum += i->services[k].timeout;
		longest = MAX(longest, i->services[k].timeout);
	}
	return sum + longest; /* one may be about to be started */
}
