/*
 * hooks_int.h - what the files of hooks share; see hooks.h.
 */
#ifndef VRRPD_AGENT_HOOKS_INT_H
#define VRRPD_AGENT_HOOKS_INT_H

#include "agent/agent.h"
#include "agent/agent_conf.h"
#include "agent/hooks.h"
#include "base/macros.h"
#include "sys/log.h"

#define HOOK_NO_STATE ROLE_STATE_COUNT

/* Notify commands (hook_notify.c): one queue per instance, of the states that are not told yet. */
struct hook_notify {
	bool told_known; /* what an agent before told */
	uint8_t told;	 /* the last state that all commands were run for; HOOK_NO_STATE: none */
	bool due;	 /* the present state is to be told */
	uint32_t superseded; /* states before it that are not */
	mono_t not_before;   /* pace */
	/* being told: */
	uint8_t telling; /* HOOK_NO_STATE: none */
	unsigned step;	 /* the command that runs, of those for this state */
	struct ipc_run run;
	struct hook_command command;
};

/* The gate (hook_gate.c): the last question, its command, its answer. */
struct hook_gate {
	bool asked;    /* by `ask`, which waits for its answer */
	bool answered; /* `answer` was given to it */
	bool again;    /* a run for an older question has to end first */
	struct ipc_ask ask;
	struct ipc_answer answer;
	struct hook_command command;
};

enum hook_service_state {
	HOOK_SERVICE_UNKNOWN,
	HOOK_SERVICE_STOPPED,
	HOOK_SERVICE_RUNNING,
	HOOK_SERVICE_FAILED, /* perhaps half of it runs: to be stopped first */
	HOOK_SERVICE_STATE_COUNT
};

struct hook_service {
	struct ipc_conf_service conf;
	enum hook_service_state state;
	bool stop_failed; /* it could not be stopped: tried again at `next` */
	uint32_t failures;
	mono_t forget_at; /* when one failure is forgotten; MONO_NEVER: there is none */
	mono_t next;	  /* when its status is asked, or a stop that failed is tried, again */
	mono_t start_at;  /* not before: it has just failed */
	char last[LIMIT_CHECK_TEXT]; /* about its last failure, "" = none */
};

/* The services of an instance (hook_service.c): one command at a time. */
struct hook_services {
	uint32_t n;
	struct hook_service *v;
	bool leave;	 /* the engine wants them to stop: */
	bool answered;	 /* they have, and it knows */
	struct ipc_ask ask;
	char current[LIMIT_NAME]; /* whose command runs: */
	unsigned doing;		  /* 0 start, 1 stop, 2 status */
	bool told;		  /* the engine knows the last one of: */
	struct ipc_services report;
	struct hook_command command;
};

/* One instance. */
struct hook_role {
	struct hooks *hooks;
	char name[LIMIT_NAME];
	uint32_t gen, index; /* of a removed one: those of its last generation */
	bool removed;
	bool heard;    /* by an event since the channel or the generation changed */
	uint8_t state; /* as the engine last said; HOOK_NO_STATE: nothing yet */
	uint8_t priority;
	struct role_cause cause;
	/* By what is configured; timeout_us 0: there is none. [0]: its own, [1]: those for all instances. */
	struct ipc_conf_hook notify_hooks[2][IPC_NOTIFY_COUNT];
	struct ipc_conf_hook gate_hook;
	struct hook_notify notify;
	struct hook_gate gate;
	struct hook_services services;
	uint64_t runs[HOOK_WHAT_COUNT][HOOK_OUTCOME_COUNT];
};

struct hooks {
	struct snap_waiter waiter; /* first: its callback finds the rest by it */
	bool waiting;		   /* it waits */
	struct agent *a;
	struct hook_commands *commands;
	struct loop_timer *timer;
	mono_t wake; /* of `timer` */
	mono_t engine_heard, look_at;
	bool no_engine; /* none has said anything for so long that no address can be held */
	uint32_t n;
	struct hook_role **v; /* by index of the present generation */
	uint32_t n_removed;
	struct hook_role **removed;
	bool stopping;
	void (*stopped)(struct agent *a);
};

/* ---- for the parts ------------------------------------------------------------------------------ */

/* Wake up at this time at the latest, and let every part go on. */
void hooks_wake_at(struct hooks *h, mono_t at);

/* Send the engine a message. False when it did not go: with an engine there, every part goes on soon again. */
bool hooks_send(struct hooks *h, enum ipc_type type, void *msg);

/* What a command of this instance is told of it, for hook_command_start(). */
void hooks_fill_run(const struct hook_role *r, uint32_t number, struct ipc_run *ret);

/* Something worth an event and a line of the log. `detail` may be "". */
void hooks_tell(const struct hook_role *r, enum log_level level, const struct role_cause *cause, const char *detail);

/* A command has ended: counted, unless it was cancelled (hook_count.c). */
void hooks_count(struct hook_role *r, enum hook_what what, const struct hook_result *result);

/* Something of an instance has come to its end: perhaps all that was waited for. */
void hooks_went_on(struct hook_role *r);

/* hook_notify.c */
void hook_notify_init(struct hook_role *r);
void hook_notify_changed(struct hook_role *r); /* r->state is another one */
bool hook_notify_is_news(const struct hook_role *r); /* is its state, by its cause, worth telling? */
void hook_notify_recall(struct hook_role *r, uint8_t told); /* what the engine's memory says */
void hook_notify_go_on(struct hook_role *r);
bool hook_notify_idle(const struct hook_role *r);
/* When it goes on by itself; MONO_NEVER. */
mono_t hook_notify_deadline(const struct hook_role *r);

/* hook_gate.c */
void hook_gate_init(struct hook_role *r);
void hook_gate_ask(struct hook_role *r, const struct ipc_ask *m); /* ENTER, or NOTHING */
void hook_gate_go_on(struct hook_role *r);
void hook_gate_forget(struct hook_role *r); /* what was answered was about another time */

/* hook_service.c */
void hook_service_init(struct hook_role *r);
void hook_service_free(struct hook_role *r);
void hook_service_configure(struct hook_role *r, const struct ipc_conf_service *v, uint32_t n);
void hook_service_ask(struct hook_role *r, const struct ipc_ask *m); /* LEAVE, or NOTHING */
void hook_service_answer(struct hooks *h, const struct ipc_ask *m); /* at once: nothing is to be stopped */
void hook_service_relinked(struct hook_role *r);
void hook_service_go_on(struct hook_role *r);
bool hook_service_idle(const struct hook_role *r); /* all are stopped */
mono_t hook_service_deadline(const struct hook_role *r);
const char *hook_service_state_name(enum hook_service_state s);

#endif
