/*
 * hooks.h - what follows from a change of role: notify commands, gates, services.
 *
 * One object per instance (struct hook_role) knows what the engine last said of it. Its three parts are one file each;
 * none of them waits for another.
 */
#ifndef VRRPD_AGENT_HOOKS_H
#define VRRPD_AGENT_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/hook_command.h"
#include "agent/json_out.h"
#include "ipc/ipc_msg.h"

struct agent;
struct agent_conf;
struct hooks;

struct hooks *hooks_new(struct agent *a);
void hooks_free(struct hooks *h); /* kills what runs; NULL is fine */

/* `a->conf` is a new generation. Instances go on by name; one that is gone leaves: told, its services stopped. */
void hooks_configure(struct hooks *h);

/* The channel to the engine is a new one. */
void hooks_relinked(struct hooks *h);

/* Messages of the engine whose values were checked. */
void hooks_event(struct hooks *h, const struct ipc_event *m);
void hooks_ask(struct hooks *h, const struct ipc_ask *m);

/* A run that vrrpd was asked for has ended. */
void hooks_run_ended(struct hooks *h, const struct ipc_run_ended *m);

/*
 * vrrpd stops, the engine has ended: tell the rest, stop all services, then call done(). What takes longer than its
 * time-outs is killed by vrrpd.
 */
void hooks_stop(struct hooks *h, void (*done)(struct agent *a));

/* "waiting_for" (`asking` as a snapshot says it), "notified" and "services" of instance `index` of the present generation, into its document. */
void hooks_json(struct json_out *j, const struct hooks *h, uint32_t index, enum role_ask asking);

#endif
