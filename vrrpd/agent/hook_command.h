/*
 * hook_command.h - commands of hooks, gates and services: asked of vrrpd, a bounded number at a time.
 */
#ifndef VRRPD_AGENT_HOOK_COMMAND_H
#define VRRPD_AGENT_HOOK_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/limits.h"
#include "base/role.h"
#include "base/time.h"
#include "ipc/ipc_chan.h"
#include "sys/loop.h"

#define HOOK_OUTPUT_KEPT 1024 /* octets: the end of what a command wrote */

struct hook_commands;
struct hook_command;

struct hook_result {
	int code;	/* CLD_EXITED, CLD_KILLED or CLD_DUMPED; 0: it was not run */
	int status;	/* exit status or signal */
	bool timed_out; /* it was ended because it took too long */
	bool cancelled; /* hook_command_cancel() was called */
	usec_t took_us;
	char line[LIMIT_CHECK_TEXT]; /* the last line of its output, or why it was not run; "" = none */
};

/* It has ended; it may be started again from here. */
typedef void hook_done_fn(struct hook_command *c, const struct hook_result *r);

/* Owned by whoever runs it; all zero but for `done` and `arg`: never run. */
struct hook_command {
	hook_done_fn *done;
	void *arg;
	bool urgent; /* addresses wait for it: before all others, and others leave room for such */
	bool leaves; /* what it starts goes on after its end: its output goes to a file of limited size */
	/* hook_command.c's: */
	TAILQ_ENTRY(hook_command) link;
	struct hook_commands *all;
	bool waiting, running;
	bool cancelled, timed_out;
	unsigned kills; /* asked to end: once in order, twice by force */
	int err;	/* vrrpd could not be asked: why */
	struct ipc_run run;
	usec_t timeout_us;
	mono_t began, deadline;
	int out_fd;
	struct loop_io *out_io;
	size_t len;
	char out[HOOK_OUTPUT_KEPT];
};

struct hook_commands *hook_commands_new(struct loop *l, struct ipc_chan *parent);
void hook_commands_free(struct hook_commands *all); /* what runs is killed, nobody is told; NULL is fine */

/* A run that vrrpd was asked for has ended. */
void hook_commands_ended(struct hook_commands *all, const struct ipc_run_ended *m);

/*
 * Run it: now, or when fewer than IPC_COMMANDS_AT_ONCE run (half of that, when it is not urgent). Of `run` all but token and what is to be set. It is ended
 * after timeout_us. done() comes once, later.
 */
void hook_command_start(struct hook_commands *all, struct hook_command *c, const struct ipc_run *run, usec_t timeout_us);

/* Idle, or on its way? */
bool hook_command_busy(const struct hook_command *c);

/* End it: one that waits is forgotten at once, for one that runs done() is still due. Nothing when it is idle. */
void hook_command_cancel(struct hook_command *c);

/* Exit status 0. */
bool hook_result_ok(const struct hook_result *r);

/* What became of command `name`, as a cause; and in a few words ("exit status 1"). */
void hook_result_cause(const struct hook_result *r, const char *name, struct role_cause *ret);
void hook_result_words(const struct hook_result *r, char *buf, size_t size);

#endif
