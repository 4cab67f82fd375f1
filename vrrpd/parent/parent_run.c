/*
 * parent_run.c - commands of the configuration that the agent asks for: checks that another user runs, hooks, gates,
 * services.
 *
 * The agent says which one, by its number in a generation; what it is comes from this process' own configuration
 * (parent_command.c), so a broken agent can at worst run what the operator wrote down. Bounds: one run of a command at a
 * time; of a check on average two in its interval; of the others IPC_COMMANDS_AT_ONCE at once; and each is ended a
 * second after its time-out at the latest, whatever the agent does. The runs of an agent that ends, or of a vrrpd that
 * ends, are killed with their process groups.
 */
#include "parent/parent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/strbuf.h"

#define OVERTIME_US    USEC_PER_SEC	   /* beyond the check's time-out; the agent ends it long before */
#define TELL_AGAIN_US  (100 * USEC_PER_MS) /* the agent's channel was full */
#define RUNS_AT_ONCE   4		   /* in a row, before the rate counts: a check may be run by hand */
#define RUNS_MAX       (LIMIT_CHECKS + IPC_COMMANDS_AT_ONCE)

struct parent_runs_entry {
	bool used;
	bool leaves; /* what it has started goes on when it succeeds: it starts a service */
	pid_t pid;   /* and process group; 0 = it has ended, and the agent is to be told */
	bool orphan; /* the agent that asked is gone */
	uint32_t gen, index; /* of the command, */
	uint32_t instance;   /* which may run for several instances at once */
	mono_t deadline;	  /* running: when it is killed; ended: when to tell again */
	struct ipc_run_ended end; /* with the token */
};

struct parent_runs {
	struct parent *parent;
	struct loop_timer *timer;
	mono_t due[LIMIT_CHECKS]; /* per check: when it would next be due at its full rate */
	struct parent_runs_entry v[RUNS_MAX];
};

static void
arm(struct parent_runs *rs)
{
	mono_t at = MONO_NEVER;

	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (rs->v[i].used)
			at = mono_min(at, rs->v[i].deadline);
	loop_timer_set(rs->timer, at);
}

/* Tell the agent the end, or try again a little later. */
static void
tell(struct parent_runs *rs, struct parent_runs_entry *r, mono_t now)
{
	int sent =
		r->orphan ? 0
			  : ipc_chan_send(&rs->parent->children[PARENT_AGENT].chan, IPC_RUN_ENDED, &r->end, -1);

	r->used = sent == -EAGAIN;
	r->deadline = mono_add(now, TELL_AGAIN_US);
}

static void
on_timer(void *arg, mono_t now)
{
	struct parent_runs *rs = arg;

	for (unsigned i = 0; i < RUNS_MAX; i++) {
		struct parent_runs_entry *r = &rs->v[i];

		if (!r->used || !mono_due(now, r->deadline))
			continue;
		if (r->pid == 0) {
			tell(rs, r, now);
		} else {
			(void)kill(-r->pid, SIGKILL);
			r->deadline = MONO_NEVER; /* reaped when it is gone */
		}
	}
	arm(rs);
}

/* ---- starting -------------------------------------------------------------------------------- */

static bool
is_run_of(const struct parent_runs_entry *r, const struct ipc_run *m)
{
	return r->pid != 0 && !r->orphan && r->end.what == m->what && r->gen == m->h.gen && r->index == m->index &&
	       r->instance == m->instance;
}

/* A check must not run more often than its interval says. */
static bool
is_due(struct parent_runs *rs, const struct ipc_run *m, const struct parent_command *c, mono_t now)
{
	mono_t *due = &rs->due[m->index];
	usec_t gap = c->interval / 2;

	if (mono_before(*due, now))
		*due = now;
	if (mono_since(*due, now) > (RUNS_AT_ONCE - 1) * gap)
		return false;
	*due = mono_add(*due, gap);
	return true;
}

/* A free place, if it may run now; else NULL with why not. */
static struct parent_runs_entry *
admit(struct parent_runs *rs, const struct ipc_run *m, const struct parent_command *c, mono_t now, struct strbuf *why)
{
	struct parent_runs_entry *found = NULL;
	unsigned commands = 0;

	for (unsigned i = 0; i < RUNS_MAX; i++) {
		struct parent_runs_entry *r = &rs->v[i];

		commands += r->used && r->end.what == IPC_RUN_COMMAND;
		if (!r->used) {
			found = r;
		} else if (is_run_of(r, m)) {
			strbuf_addf(why, "the run before has not ended");
			return NULL;
		}
	}
	if (found == NULL || (m->what == IPC_RUN_COMMAND && commands >= IPC_COMMANDS_AT_ONCE)) {
		strbuf_addf(why, "too many commands run");
		return NULL;
	}
	if (m->what == IPC_RUN_CHECK && !is_due(rs, m, c, now)) {
		strbuf_addf(why, "asked for more often than its interval allows");
		return NULL;
	}
	return found;
}

/* Tell that it is not run. */
static void
refuse(struct parent_runs *rs, struct ipc_run_ended *refusal, mono_t now)
{
	struct parent_runs_entry *r = NULL;

	/* A channel that is full right now: the time-outs and vrrpd's silence end such a run as well. */
	for (unsigned i = 0; i < RUNS_MAX && r == NULL; i++)
		r = rs->v[i].used ? NULL : &rs->v[i];
	if (r == NULL) {
		(void)ipc_chan_send(&rs->parent->children[PARENT_AGENT].chan, IPC_RUN_ENDED, refusal, -1);
		return;
	}
	*r = (struct parent_runs_entry){.used = true, .end = *refusal};
	tell(rs, r, now);
	arm(rs);
}

void
parent_run_start(struct parent *p, const struct ipc_run *m, int out)
{
	struct parent_runs *rs = p->runs;
	struct ipc_run_ended refusal = {.token = m->token, .what = m->what};
	struct parent_runs_entry *r = NULL;
	mono_t now = loop_now(p->loop);
	struct parent_command c;
	struct strbuf why;
	pid_t pid = 0;

	strbuf_init(&why, refusal.text, sizeof(refusal.text));
	if (parent_command_find(p, m, &c, &why))
		r = admit(rs, m, &c, now, &why);
	if (r != NULL)
		pid = parent_command_spawn(p, m, &c, out, &why);
	close(out);
	if (pid <= 0) {
		refuse(rs, &refusal, now);
		return;
	}
	*r = (struct parent_runs_entry){.used = true,
					.pid = pid,
					.gen = m->h.gen,
					.index = m->index,
					.instance = m->instance,
					.leaves = m->what == IPC_RUN_COMMAND && c.run.kind == CFG_RUN_START,
					.deadline = mono_add(now, c.timeout + OVERTIME_US),
					.end = {.token = m->token, .what = m->what}};
	arm(rs);
}

/* ---- ending ---------------------------------------------------------------------------------- */

void
parent_run_kill(struct parent *p, const struct ipc_run_kill *m)
{
	for (unsigned i = 0; i < RUNS_MAX; i++) {
		const struct parent_runs_entry *r = &p->runs->v[i];

		if (r->used && r->pid != 0 && !r->orphan && r->end.token == m->token && r->end.what == m->what)
			(void)kill(-r->pid, m->force ? SIGKILL : SIGTERM);
	}
}

bool
parent_run_reap(struct parent *p, pid_t pid)
{
	struct parent_runs *rs = p->runs;
	struct parent_runs_entry *r = NULL;
	siginfo_t si = {0};

	for (unsigned i = 0; i < RUNS_MAX && r == NULL; i++)
		r = rs->v[i].used && rs->v[i].pid == pid ? &rs->v[i] : NULL;
	if (r == NULL)
		return false;
	/* Not reaped yet: the group's number is still ours, so this cannot hit anybody else. */
	(void)waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT);
	if (!r->leaves || si.si_code != CLD_EXITED || si.si_status != 0)
		(void)kill(-pid, SIGKILL);
	(void)waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG);
	r->pid = 0;
	r->end.code = si.si_code;
	r->end.status = si.si_status;
	tell(rs, r, loop_now(p->loop));
	arm(rs);
	return true;
}

void
parent_run_end_all(struct parent *p)
{
	for (unsigned i = 0; i < RUNS_MAX; i++) {
		struct parent_runs_entry *r = &p->runs->v[i];

		if (!r->used)
			continue;
		r->orphan = true;
		if (r->pid != 0)
			(void)kill(-r->pid, SIGKILL);
		else
			r->used = false;
	}
	arm(p->runs);
}

void
parent_run_open(struct parent *p)
{
	p->runs = calloc(1, sizeof(*p->runs));
	ASSERT(p->runs != NULL);
	p->runs->parent = p;
	p->runs->timer = loop_timer_add(p->loop, on_timer, p->runs);
}

void
parent_run_close(struct parent *p)
{
	parent_run_end_all(p);
	loop_timer_del(p->runs->timer);
	free(TAKE(p->runs));
}
