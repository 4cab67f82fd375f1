/*
 * parent_run.c - commands of checks that another user runs: the agent asks, which has no rights to become one.
 *
 * The agent says which check, by its index in a generation; command, user and time-out come from this process'
 * own configuration, so a broken agent can at worst run what the operator wrote down. Bounds: one run of a
 * check at a time, on average two in its interval, and each is ended a second after its time-out at the latest,
 * whatever the agent does. The runs of an agent that ends, or of a vrrpd that ends, are killed with their
 * process groups.
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
#include "sys/spawn.h"

#define OVERTIME_US    USEC_PER_SEC	   /* beyond the check's time-out; the agent ends it long before */
#define TELL_AGAIN_US  (100 * USEC_PER_MS) /* the agent's channel was full */
#define RUNS_AT_ONCE   4		   /* in a row, before the rate counts: a check may be run by hand */
#define RUNS_MAX       LIMIT_CHECKS
#define REFUSE(b, ...) (strbuf_addf(b, __VA_ARGS__), false)

struct parent_runs_entry {
	bool used;
	pid_t pid;   /* and process group; 0 = it has ended, and the agent is to be told */
	bool orphan; /* the agent that asked is gone */
	uint32_t gen, check;
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

/* The check that is meant, by the generation that the agent has: during a reload that may be the one before. */
static const struct cfg_check *
find_check(const struct parent *p, const struct ipc_run *m)
{
	const struct cfg *cfg = NULL;

	if (m->h.gen == p->gen)
		cfg = p->cfg;
	else if (m->h.gen + 1 == p->gen)
		cfg = p->old_cfg;
	return cfg != NULL && m->check < cfg->n_checks ? &cfg->checks[m->check] : NULL;
}

/* Is there a free place, and does this check not run too often? NULL with why not. */
static struct parent_runs_entry *
admit(struct parent_runs *rs, const struct ipc_run *m, const struct cfg_check *k, mono_t now,
      struct strbuf *why)
{
	struct parent_runs_entry *found = NULL;
	usec_t gap = k->interval / 2;
	mono_t *due = &rs->due[m->check];

	for (unsigned i = 0; i < RUNS_MAX; i++) {
		struct parent_runs_entry *r = &rs->v[i];

		if (!r->used) {
			found = r;
		} else if (r->pid != 0 && !r->orphan && r->gen == m->h.gen && r->check == m->check) {
			strbuf_addf(why, "the run before has not ended");
			return NULL;
		}
	}
	if (found == NULL) {
		strbuf_addf(why, "too many commands run");
		return NULL;
	}
	if (mono_before(*due, now))
		*due = now;
	if (mono_since(*due, now) > (RUNS_AT_ONCE - 1) * gap) {
		strbuf_addf(why, "asked for more often than its interval allows");
		return NULL;
	}
	*due = mono_add(*due, gap);
	return found;
}

/* The user's ids. False with why it may not run it. */
static bool
judge_user(const struct parent *p, const struct cfg_check *k, struct priv_user *ret, struct strbuf *why)
{
	char text[LIMIT_CHECK_TEXT];
	int r;

	if (k->kind != CFG_CHECK_SCRIPT || k->user == NULL || k->n_command == 0)
		return REFUSE(why, "it is no command of another user");
	r = priv_find_user(k->user, ret);
	if (r == -ENOENT)
		return REFUSE(why, "there is no user \"%s\" on this host", k->user);
	if (r < 0)
		return REFUSE(why, "user \"%s\" is in more than %d groups", k->user, PRIV_GROUPS_MAX);
	if (!p->may_change_user)
		return REFUSE(why, "vrrpd may not change users and cannot become user \"%s\"", k->user);
	/* Once more: the file may have changed since the configuration was read. */
	if (ret->uid == 0 && !cfg_command_for_root(k->command[0], text, sizeof(text)))
		return REFUSE(why, "not as root: %s", text);
	return true;
}

/* The pid, or -errno. The environment is that of commands which the agent runs (check_script.c). */
static pid_t
spawn(const struct parent *p, const struct cfg_check *k, const struct priv_user *user, int out)
{
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char locale[] = "LC_ALL=C";
	char check[sizeof("VRRPD_CHECK=") + LIMIT_NAME], node[sizeof("VRRPD_NODE=") + LIMIT_NODE];
	char *const env[] = {path, locale, check, node, NULL};
	char *argv[LIMIT_COMMAND_ARGS + 1] = {NULL};
	const struct spawn_command c = {.argv = argv, .env = env, .out = out, .user = user};

	snprintf(check, sizeof(check), "VRRPD_CHECK=%s", k->name);
	snprintf(node, sizeof(node), "VRRPD_NODE=%s", p->cfg->node);
	for (size_t i = 0; i < k->n_command && i < LIMIT_COMMAND_ARGS; i++)
		argv[i] = k->command[i];
	return spawn_command(&c);
}

void
parent_run_start(struct parent *p, const struct ipc_run *m, int out)
{
	struct parent_runs *rs = p->runs;
	const struct cfg_check *k = find_check(p, m);
	struct parent_runs_entry *r = NULL;
	struct ipc_run_ended refusal = {.token = m->token};
	mono_t now = loop_now(p->loop);
	struct priv_user user;
	struct strbuf why;
	pid_t pid;

	strbuf_init(&why, refusal.text, sizeof(refusal.text));
	if (k == NULL)
		strbuf_addf(&why, "the configuration has just changed");
	else if (judge_user(p, k, &user, &why))
		r = admit(rs, m, k, now, &why);
	if (r != NULL) {
		pid = spawn(p, k, &user, out);
		if (pid > 0) {
			*r = (struct parent_runs_entry){.used = true,
							.pid = pid,
							.gen = m->h.gen,
							.check = m->check,
							.deadline = mono_add(now, k->timeout + OVERTIME_US),
							.end = {.token = m->token}};
			close(out);
			arm(rs);
			return;
		}
		strbuf_addf(&why, "cannot run %s: %s", k->command[0], strerror(-pid));
	}
	close(out);
	/* A channel that is full right now: the frame's time-out and vrrpd's silence end such a run as well. */
	if (r == NULL)
		for (unsigned i = 0; i < RUNS_MAX && r == NULL; i++)
			r = rs->v[i].used ? NULL : &rs->v[i];
	if (r == NULL) {
		(void)ipc_chan_send(&p->children[PARENT_AGENT].chan, IPC_RUN_ENDED, &refusal, -1);
		return;
	}
	*r = (struct parent_runs_entry){.used = true, .end = refusal};
	tell(rs, r, now);
	arm(rs);
}

/* ---- ending ---------------------------------------------------------------------------------- */

void
parent_run_kill(struct parent *p, const struct ipc_run_kill *m)
{
	for (unsigned i = 0; i < RUNS_MAX; i++) {
		const struct parent_runs_entry *r = &p->runs->v[i];

		if (r->used && r->pid != 0 && !r->orphan && r->end.token == m->token)
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
