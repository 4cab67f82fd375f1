/*
 * agent_events.h - transitions as the engine told them: the last ones as they were, all of them counted.
 *
 * Kept in the memory that vrrpd hands from one agent to the next (ipc_events.h), and so numbered without a gap over
 * restarts of the agent.
 */
#ifndef VRRPD_AGENT_AGENT_EVENTS_H
#define VRRPD_AGENT_AGENT_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/agent_conf.h"
#include "ipc/ipc_events.h"

struct events;

/* Somebody who hears of each event when it has been kept. */
typedef void events_fn(void *arg);

struct events *events_new(void);
void events_free(struct events *ev); /* NULL is fine */
void events_listen(struct events *ev, events_fn *fn, void *arg);

/* Go on from the memory behind fd, which becomes ours; before the first configuration. False: it is no such memory. */
bool events_attach(struct events *ev, int fd);

/* `now` is in force: the newest as many as it keeps stay, counters of a name go on. */
void events_configure(struct events *ev, const struct agent_conf *now);

/* Take in one event whose values were checked, except for `index` and whose name it is: false when those are wrong. */
bool events_add(struct events *ev, const struct ipc_event *m);

/* Kept events, 0 the oldest. Their numbers rise, with a gap where one was lost. */
uint32_t events_count(const struct events *ev);
const struct ipc_events_entry *events_get(const struct events *ev, uint32_t i);

/* The first that is later than number `seq`: 0..events_count(). */
uint32_t events_after(const struct events *ev, uint64_t seq);

/* The highest number given so far; 0: none. */
uint64_t events_last(const struct events *ev);

/* Counts of instance `index` of the present configuration. */
const struct ipc_events_counts *events_counts(const struct events *ev, uint32_t index);

#endif
