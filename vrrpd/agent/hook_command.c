/*
 * hook_command.c - commands of hooks, gates and services; see hook_command.h.
 *
 * Runs in vrrpd-agent, which has no rights: vrrpd runs the command (parent_run.c) and tells its end, its output comes
 * here through a pipe. Whatever vrrpd does, a run that was asked to end twice is given up here.
 */
#include "agent/hook_command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent_util.h"
#include "agent/text.h"
#include "base/macros.h"
#include "base/strbuf.h"

#define FORCE_US   (USEC_PER_SEC / 2) /* from SIGTERM to SIGKILL */
#define GIVE_UP_US (2 * USEC_PER_SEC) /* after that vrrpd's own bound has ended it, too */
#define FILE_OCTETS (64 * 1024)
#define READS_MAX  64		      /* after the end: more than a pipe holds */

TAILQ_HEAD(hook_list, hook_command);

struct hook_commands {
	struct loop *loop;
	struct ipc_chan *parent;
	struct loop_timer *timer;
	struct hook_list waiting, running; /* waiting: urgent ones first */
	unsigned n_running, n_others;	   /* of these, not urgent */
	uint32_t last_token;
};

static void
arm(struct hook_commands *all)
{
	const struct hook_command *c;
	mono_t at = MONO_NEVER;

	TAILQ_FOREACH(c, &all->running, link)
	at = mono_min(at, c->deadline);
	loop_timer_set(all->timer, at);
}

/* One read of the output, of which the end is kept: octets, 0 at its end, or -1. */
static ssize_t
read_output(struct hook_command *c)
{
	ssize_t n;

	if (c->len == sizeof(c->out)) {
		c->len /= 2;
		memmove(c->out, c->out + c->len, c->len);
	}
	n = read(c->out_fd, c->out + c->len, sizeof(c->out) - c->len);
	if (n > 0)
		c->len += (size_t)n;
	return n;
}

/* The end of what was written into the file: its offset, which is shared, says how much that is. */
static void
read_file(struct hook_command *c)
{
	off_t end = lseek(c->out_fd, 0, SEEK_CUR);
	ssize_t n;

	if (end <= 0)
		return;
	n = pread(c->out_fd, c->out, sizeof(c->out), end > (off_t)sizeof(c->out) ? end - (off_t)sizeof(c->out) : 0);
	c->len = n > 0 ? (size_t)n : 0;
}

static void
on_output(void *arg, int fd, bool readable, bool writable)
{
	struct hook_command *c = arg;

	(void)fd;
	(void)readable;
	(void)writable;
	/* At its end the output stays readable for ever; vrrpd tells the exit, so stop listening. */
	if (read_output(c) == 0)
		loop_io_want(c->out_io, false, false);
}

static void start_waiting(struct hook_commands *all);

static void
close_output(struct hook_command *c)
{
	loop_io_del(TAKE(c->out_io));
	if (c->out_fd >= 0)
		close(c->out_fd);
	c->out_fd = -1;
}

/* It has ended, in whatever way. */
static void
finish(struct hook_command *c, struct hook_result *r)
{
	struct hook_commands *all = c->all;

	if (c->leaves && c->out_fd >= 0)
		read_file(c);
	for (int n = 0; n < READS_MAX && !c->leaves && c->out_fd >= 0 && read_output(c) > 0; n++)
		;
	if (r->code != 0)
		text_last_line(r->line, sizeof(r->line), c->out, c->len);
	r->took_us = mono_since(loop_now(all->loop), c->began);
	r->timed_out = c->timed_out;
	r->cancelled = c->cancelled;
	close_output(c);
	TAILQ_REMOVE(&all->running, c, link);
	all->n_running--;
	all->n_others -= !c->urgent;
	c->running = false;
	arm(all);
	c->done(c, r);
	start_waiting(all);
}

static void
send_kill(const struct hook_command *c, bool force)
{
	struct ipc_run_kill m = {.token = c->run.token, .what = IPC_RUN_COMMAND, .force = force};

	/* A channel that is full right now: vrrpd ends it by its own bound, a little later. */
	(void)ipc_chan_send(c->all->parent, IPC_RUN_KILL, &m, -1);
}

/* It was not begun, or its end was not told. */
static void
lose(struct hook_command *c)
{
	struct hook_result r = {.code = 0};

	if (c->err != 0)
		snprintf(r.line, sizeof(r.line), "vrrpd cannot be asked: %s", strerror(c->err));
	else
		snprintf(r.line, sizeof(r.line), "vrrpd did not tell its end");
	finish(c, &r);
}

static void
on_timer(void *arg, mono_t now)
{
	struct hook_commands *all = arg;
	struct hook_command *c;

	TAILQ_FOREACH(c, &all->running, link)
	if (mono_due(now, c->deadline))
		break;
	if (c != NULL && (c->err != 0 || c->kills == 2)) {
		lose(c);
	} else if (c != NULL) {
		send_kill(c, c->kills == 1);
		c->timed_out = c->timed_out || !c->cancelled;
		c->deadline = mono_add(now, c->kills == 1 ? GIVE_UP_US : FORCE_US);
		c->kills++;
	}
	arm(all); /* at once for the next one that is due */
}

/* A file without a name that cannot grow: what goes on after the command may write into it and is not harmed. */
static int
make_file(int ret[2])
{
	ret[0] = memfd_create("vrrpd-output", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (ret[0] < 0)
		return -errno;
	ret[1] = -1;
	if (ftruncate(ret[0], FILE_OCTETS) == 0 && fcntl(ret[0], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0)
		ret[1] = fcntl(ret[0], F_DUPFD_CLOEXEC, 0);
	if (ret[1] >= 0)
		return 0;
	close(ret[0]);
	return -errno;
}

/* Where its output goes: [0] is ours. 0 or -errno. */
static int
make_output(struct hook_command *c, int ret[2])
{
	if (c->leaves)
		return make_file(ret);
	if (pipe2(ret, O_CLOEXEC) < 0)
		return -errno;
	(void)fcntl(ret[0], F_SETFL, O_NONBLOCK); /* our end only: the command's end blocks as usual */
	return 0;
}

/* 0, or -errno and nothing runs. */
static int
ask_vrrpd(struct hook_command *c)
{
	struct hook_commands *all = c->all;
	int out[2];
	int r = make_output(c, out);

	if (r < 0)
		return r;
	if (++all->last_token == 0)
		all->last_token = 1;
	c->run.token = all->last_token;
	c->run.what = IPC_RUN_COMMAND;
	c->out_fd = out[0];
	if (!c->leaves)
		c->out_io = loop_io_add(all->loop, c->out_fd, on_output, c);
	r = ipc_chan_send(all->parent, IPC_RUN, &c->run, out[1]);
	close(out[1]);
	if (r < 0)
		close_output(c);
	return r;
}

static void
begin(struct hook_command *c)
{
	struct hook_commands *all = c->all;
	mono_t now = loop_now(all->loop);

	c->waiting = false;
	c->running = true;
	c->cancelled = c->timed_out = false;
	c->kills = 0;
	c->len = 0;
	c->out_fd = -1;
	c->began = now;
	c->deadline = mono_add(now, c->timeout_us);
	TAILQ_INSERT_TAIL(&all->running, c, link);
	all->n_running++;
	all->n_others += !c->urgent;
	c->err = -ask_vrrpd(c);
	if (c->err != 0)
		c->deadline = now;
	arm(all);
}

static void
start_waiting(struct hook_commands *all)
{
	struct hook_command *c;

	while (all->n_running < IPC_COMMANDS_AT_ONCE && (c = TAILQ_FIRST(&all->waiting)) != NULL) {
		if (!c->urgent && all->n_others >= IPC_COMMANDS_AT_ONCE / 2)
			return;
		TAILQ_REMOVE(&all->waiting, c, link);
		begin(c);
	}
}

struct hook_commands *
hook_commands_new(struct loop *l, struct ipc_chan *parent)
{
	struct hook_commands *all = agent_alloc(1, sizeof(*all));

	all->loop = l;
	all->parent = parent;
	all->timer = loop_timer_add(l, on_timer, all);
	TAILQ_INIT(&all->waiting);
	TAILQ_INIT(&all->running);
	return all;
}

void
hook_commands_free(struct hook_commands *all)
{
	struct hook_command *c;

	if (all == NULL)
		return;
	TAILQ_FOREACH(c, &all->running, link)
	{
		send_kill(c, true);
		close_output(c);
	}
	loop_timer_del(all->timer);
	free(all);
}

void
hook_commands_ended(struct hook_commands *all, const struct ipc_run_ended *m)
{
	struct hook_result r = {.code = m->code, .status = m->status};
	struct hook_command *c;

	TAILQ_FOREACH(c, &all->running, link)
	if (c->run.token == m->token)
		break;
	if (c == NULL)
		return; /* given up before */
	if (m->code == 0)
		snprintf(r.line, sizeof(r.line), "%.*s", (int)strnlen(m->text, sizeof(m->text)), m->text);
	finish(c, &r);
}

static void
insert(struct hook_commands *all, struct hook_command *c)
{
	struct hook_command *before;

	TAILQ_FOREACH(before, &all->waiting, link)
	if (c->urgent && !before->urgent)
		break;
	if (before != NULL)
		TAILQ_INSERT_BEFORE(before, c, link);
	else
		TAILQ_INSERT_TAIL(&all->waiting, c, link);
}

void
hook_command_start(struct hook_commands *all, struct hook_command *c, const struct ipc_run *run, usec_t timeout_us)
{
	ASSERT(!hook_command_busy(c));
	c->all = all;
	c->run = *run;
	c->timeout_us = timeout_us;
	c->waiting = true;
	insert(all, c);
	start_waiting(all);
}

bool
hook_command_busy(const struct hook_command *c)
{
	return c->waiting || c->running;
}

void
hook_command_cancel(struct hook_command *c)
{
	if (c->waiting) {
		TAILQ_REMOVE(&c->all->waiting, c, link);
		c->waiting = false;
	} else if (c->running && !c->cancelled) {
		c->cancelled = true;
		c->deadline = loop_now(c->all->loop);
		arm(c->all);
	}
}

bool
hook_result_ok(const struct hook_result *r)
{
	return r->code == CLD_EXITED && r->status == 0 && !r->timed_out;
}

void
hook_result_cause(const struct hook_result *r, const char *name, struct role_cause *ret)
{
	*ret = (struct role_cause){.a = r->took_us, .b = (uint32_t)r->status};
	str_copy(ret->name, sizeof(ret->name), name);
	if (r->timed_out)
		ret->reason = ROLE_REASON_HOOK_TIMED_OUT;
	else if (r->code == 0)
		ret->reason = ROLE_REASON_HOOK_NOT_RUN;
	else if (r->code == CLD_EXITED)
		ret->reason = ROLE_REASON_HOOK_ENDED;
	else
		ret->reason = ROLE_REASON_HOOK_KILLED;
}

void
hook_result_words(const struct hook_result *r, char *buf, size_t size)
{
	struct strbuf b;

	strbuf_init(&b, buf, size);
	if (r->timed_out)
		strbuf_addf(&b, "time-out");
	else if (r->code == 0)
		strbuf_addf(&b, "not run");
	else
		strbuf_addf(&b, r->code == CLD_EXITED ? "exit status %d" : "signal %d", r->status);
}
