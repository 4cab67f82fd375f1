/*
 * ctl_event.h - transitions as the daemon tells them: one JSON object a line (NDJSON).
 */
#ifndef VRRPD_CTL_CTL_EVENT_H
#define VRRPD_CTL_CTL_EVENT_H

#include <stddef.h>
#include <jansson.h>

#include "ctl/ctl.h"

/* The events of a text of lines, a JSON array to be json_decref'd; lines that are no event are left out. */
json_t *event_list(const char *text, size_t len);

/* One event as a line: local time (without the date when `brief` and it is today's), instance, states, reason. */
void event_print(const struct ctl *c, const json_t *e, bool brief);

#endif
