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

/* Why a command was run, and what became of it. */
enum hook_what { HOOK_NOTIFY, HOOK_GATE, HOOK_SERVICE_START, HOOK_SERVICE_STOP, HOOK_WHAT_COUNT };
enum hook_outcome { HOOK_OK, HOOK_BAD, HOOK_TIMED_OUT, HOOK_NOT_RUN, HOOK_OUTCOME_COUNT };

/* "notify", "gate", "service_start", "service_stop"; "ok", "failed", "timeout", "not_run". */
const char *hook_what_name(enum hook_what w);
const char *hook_outcome_name(enum hook_outcome r);

/*
 * How often commands of instance `index` of the present generation have ended, by enum hook_outcome; NULL when it has none.
 * They count from the instance's first generation in this agent on.
 */
const uint64_t *hooks_runs(const struct hooks *h, uint32_t index, enum hook_what what);

/* The name of the n-th service of an instance and whether it runs; NULL when there are not so many. */
const char *hooks_service(const struct hooks *h, uint32_t index, uint32_t n, bool *ret_running);

/* "waiting_for" (`asking` as a snapshot says it), "notified" and "services" of instance `index` of the present generation, into its document. */
void hooks_json(struct json_out *j, const struct hooks *h, uint32_t index, enum role_ask asking);

#endif
