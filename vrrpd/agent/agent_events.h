/*
 * agent_events.h - transitions as the engine told them: the last ones as they were, all of them counted.
 */
#ifndef VRRPD_AGENT_AGENT_EVENTS_H
#define VRRPD_AGENT_AGENT_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/agent_conf.h"

#define EVENTS_KEPT 1000

struct event_entry {
	uint32_t gen, index;   /* which instance, until its name is known */
	char name[LIMIT_NAME]; /* "" while its generation has not come yet */
	uint8_t from, to;      /* enum role_state */
	uint64_t wall_us;      /* CLOCK_REALTIME */
	struct role_cause cause;
};

/* Transitions of one instance by state entered and reason, since the agent started. */
struct event_counts {
	char name[LIMIT_NAME];
	uint64_t n[ROLE_STATE_COUNT][ROLE_REASON_COUNT];
};

struct events;

struct events *events_new(void);
void events_free(struct events *ev); /* NULL is fine */

/* `now` is in force (conf outlives its use here): counts of instances that stay are kept, waiting events get
 * names. */
void events_configure(struct events *ev, const struct agent_conf *now);

/* Take in one event whose values were checked, except for `index`. False when its index does not exist. */
bool events_add(struct events *ev, const struct ipc_event *m);

/* Kept events, 0 the oldest. */
uint32_t events_count(const struct events *ev);
const struct event_entry *events_get(const struct events *ev, uint32_t i);

/* Counts of instance `index` of the present configuration. */
const struct event_counts *events_counts(const struct events *ev, uint32_t index);

#endif
