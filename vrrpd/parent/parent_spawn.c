/*
 * parent_spawn.c - birth and death of the engine and the agent.
 *
 * A child that ends is started again at once; one that keeps ending soon after its start, with a pause that doubles.
 * An engine has ended when its channel closes; that it can be reaped comes later, because the kernel takes some
 * 20 ms per packet socket to close those. The next one does not wait for that.
 *
 * Each start gets the same things in the same order: memory of the one before it, configuration, listening
 * sockets (agent), and a fresh link between the two.
 *
 * An engine that keeps ending gets a last will: one more, which only hands over what is held (priority 0, make before
 * break) and ends. If that one fails too, the parent removes the addresses itself. Only then come the pauses.
 */
#include "parent/parent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "ipc/ipc_memory.h"
#include "netlink/nlk.h"
#include "sys/clock.h"
#include "sys/spawn.h"

#define BACKOFF_MIN_US USEC_PER_SEC
#define CRASHES_AT_ONCE 3 /* so often in a row it is started again without a pause */
#define BACKOFF_MAX_US (10 * USEC_PER_SEC)
#define LIVED_LONG_US                                                                                          \
	(10 * USEC_PER_SEC) /* ran this long: not a crash loop, start over with the shortest pause */
/* From its start until it has taken its configuration. Milliseconds; but another program may hold the kernel's lock. */
#define SETTLE_MAX_US (30 * USEC_PER_SEC)
#define LEAVE_MAX_US (2 * USEC_PER_SEC) /* from the end of its channel until it is reaped */
#define MESSAGES_PER_TURN 64

int
parent_find_programs(struct parent *p)
{
	char self[sizeof(p->self)];
	ssize_t n = readlink("/proc/self/exe", p->self, sizeof(p->self) - 1);
	char *slash;

	p->self[n > 0 ? n : 0] = '\0';
	memcpy(self, p->self, sizeof(self));
	slash = strrchr(self, '/');
	if (slash != NULL)
		*slash = '\0';
	for (int k = 0; k < PARENT_CHILDREN; k++) {
		struct parent_child *c = &p->children[k];

		snprintf(c->path, sizeof(c->path), "%.480s/%s", self, c->program);
		if (access(c->path, X_OK) == 0)
			continue;
		snprintf(c->path, sizeof(c->path), "%s/%s", VRRPD_LIBEXECDIR, c->program);
		if (access(c->path, X_OK) == 0)
			continue;
		log_error(
			"%s is neither beside vrrpd in %s nor in %s: build or install all of vrrpd's programs",
			c->program, self, VRRPD_LIBEXECDIR);
		return -ENOENT;
	}
	return 0;
}

static void
close_channel(struct parent_child *c)
{
	loop_io_del(TAKE(c->io));
	ipc_chan_close(&c->chan);
	c->ready = false;
}

/* `fd` came along and is taken over, or -1. */
static void
take_message(struct parent_child *c, const union ipc_msg *m, int fd)
{
	if (m->h.type == IPC_LOG && m->LOG.level < LOG_LEVEL_COUNT)
		log_msg((enum log_level)m->LOG.level, "%.*s", (int)sizeof(m->LOG.text) - 1, m->LOG.text);
	else if (m->h.type == IPC_READY && m->h.gen == c->parent->gen) {
		c->ready = c->settled = true;
		loop_timer_set(c->watch, MONO_NEVER);
		if (c->kind == PARENT_ENGINE && !c->parent->reload.running)
			parent_manager_ready(c->parent);
		parent_reload_ready(c->parent, c->kind);
	} else if (m->h.type == IPC_OVERRIDES)
		parent_overrides_save(c->parent);
	else if (m->h.type == IPC_RELOAD && m->RELOAD.check)
		parent_reload_check(c->parent, m->RELOAD.token);
	else if (m->h.type == IPC_RELOAD)
		parent_reload(c->parent, true, m->RELOAD.token);
	else if (m->h.type == IPC_RUN && m->RUN.what >= IPC_RUN_WHAT_COUNT) {
		log_error("%s asks for a run of no kind: it is ended", c->program);
		close(fd);
		kill(c->pid, SIGKILL);
	} else if (m->h.type == IPC_RUN)
		parent_run_start(c->parent, &m->RUN, fd);
	else if (m->h.type == IPC_RUN_KILL)
		parent_run_kill(c->parent, &m->RUN_KILL);
}

static void replace(struct parent_child *c);

static void
on_child_message(void *arg, int fd, bool readable, bool writable)
{
	struct parent_child *c = arg;
	union ipc_msg m;
	int passed_fd;
	int r = 0;

	(void)fd;
	(void)readable;
	(void)writable;
	for (int n = 0; n < MESSAGES_PER_TURN; n++) {
		r = ipc_chan_recv(&c->chan, &m, &passed_fd);
		if (r <= 0)
			break;
		take_message(c, &m, passed_fd);
	}
	if (r == -EPROTO) {
		log_error("%s sent a message that is not allowed: it is ended", c->program);
		kill(c->pid, SIGKILL);
	} else if (r < 0 && r != -ECONNRESET) {
		log_error("%s cannot be heard (%s): it is ended", c->program, strerror(-r));
		kill(c->pid, SIGKILL);
	}
	if (r < 0) {
		close_channel(c);
		loop_timer_set(c->watch, mono_add(loop_now(c->parent->loop), LEAVE_MAX_US));
		replace(c);
	}
}

/* The child that runs already got no link to the new one: whose fault that is decides who is started again. */
static void
link_failed(struct parent_child *c, int err)
{
	if (err == -EPIPE || err == -ECONNRESET)
		return; /* it has ended: the next one is linked when it comes */
	log_error("%s does not take its link to the other program (%s): it is started anew", c->program, strerror(-err));
	kill(c->pid, SIGKILL);
}

/* Give engine and agent, of which one is new, a fresh link to each other. 0, or -errno: the new one does not take it. */
static int
link_children(struct parent *p, const struct parent_child *new)
{
	struct ipc_link m = {0};
	int sv[2];
	int r;

	if (p->children[PARENT_ENGINE].chan.fd < 0 || p->children[PARENT_AGENT].chan.fd < 0)
		return 0; /* when the other one starts */
	r = ipc_chan_pair(sv);
	if (r < 0)
		return r;
	for (int k = 0; k < PARENT_CHILDREN; k++) {
		struct parent_child *c = &p->children[k];
		int sent = parent_send_one(c, p->gen, IPC_LINK, &m, sv[k]);

		close(sv[k]);
		if (c == new)
			r = sent;
		else if (sent < 0)
			link_failed(c, sent);
	}
	return r;
}

static int
send_listeners(struct parent *p, struct parent_child *c)
{
	struct ipc_listen control = {.control = 1, .has_group = p->has_group, .gid = p->control_gid};
	struct ipc_listen tcp = {.control = 0};
	int r;

	str_copy(control.group, sizeof(control.group), p->first_cfg->control.group); /* of the gid */
	r = parent_send_one(c, p->gen, IPC_LISTEN, &control, p->control_fd);
	if (r == 0 && p->listen_fd >= 0)
		r = parent_send_one(c, p->gen, IPC_LISTEN, &tcp, p->listen_fd);
	return r;
}

/* Everything that a new child needs, in this order. */
static int
equip(struct parent *p, struct parent_child *c)
{
	struct ipc_memory_fd memory = {0};
	int fd = c->kind == PARENT_ENGINE ? p->memory_fd : p->events_fd;
	int r = 0;

	if (fd >= 0)
		r = parent_send_one(c, p->gen, IPC_MEMORY, &memory, fd);
	if (r == 0)
		r = parent_send_config(p, c);
	if (r == 0 && c->kind == PARENT_AGENT)
		r = send_listeners(p, c);
	if (r == 0 && p->restarts + p->agent_restarts > 0)
		parent_tell_trouble(p);
	return r < 0 ? r : link_children(p, c);
}

static int
spawn(struct parent *p, struct parent_child *c)
{
	char level[16];
	char *argv[] = {c->path, (char[]){"--log-level"}, level, NULL};
	struct spawn_program s = {
		.path = c->path,
		.argv = argv,
		.signo_parent = SIGTERM, /* the engine leaves in order, the agent just ends */
		.rights = c->kind == PARENT_ENGINE ? PRIV_ENGINE : PRIV_AGENT,
		.user = c->kind == PARENT_AGENT && p->may_change_user ? &p->agent_user : NULL,
	};
	int sv[2];
	pid_t pid;
	int r = ipc_chan_pair(sv);

	c->spawned = clock_mono(); /* also one that cannot be started: it is tried again with pauses */
	c->settled = false;
	loop_timer_set(c->watch, mono_add(c->spawned, SETTLE_MAX_US));
	if (r < 0)
		return r;
	snprintf(level, sizeof(level), "%s", log_level_name(p->log_level));
	s.channel = sv[1];
	pid = spawn_program(&s);
	close(sv[1]);
	if (pid < 0) {
		close(sv[0]);
		return (int)pid;
	}
	c->pid = pid;
	ipc_chan_init(&c->chan, sv[0], c->kind == PARENT_ENGINE ? IPC_PARENT_TO_ENGINE : IPC_PARENT_TO_AGENT,
		      c->kind == PARENT_ENGINE ? IPC_ENGINE_TO_PARENT : IPC_AGENT_TO_PARENT);
	c->io = loop_io_add(p->loop, sv[0], on_child_message, c);
	return equip(p, c);
}

void
parent_on_watch_timer(void *arg, mono_t now)
{
	struct parent_child *c = arg;

	(void)now;
	if (c->parent->stopping)
		return;
	parent_reap(c->parent); /* should a SIGCHLD have been lost */
	if (c->pid == 0 || (c->settled && c->chan.fd >= 0))
		return;
	log_error(c->chan.fd < 0 ? "%s cannot be heard any more: it is ended"
				 : "%s was started and has not taken its configuration in time: it is ended",
		  c->program);
	kill(c->pid, SIGKILL);
}

/* Ends long ago do not count. */
static void
forgive(struct parent_child *c, mono_t now)
{
	if (mono_since(now, c->spawned) >= LIVED_LONG_US && !c->last_will)
		c->crashes = 0;
}

static void
restart_later(struct parent_child *c)
{
	mono_t now = loop_update_now(c->parent->loop);

	forgive(c, now);
	if (++c->crashes <= CRASHES_AT_ONCE) {
		c->backoff_us = BACKOFF_MIN_US;
		loop_timer_set(c->restart, now);
		return;
	}
	loop_timer_set(c->restart, mono_add(now, c->backoff_us));
	c->backoff_us = MIN(2 * c->backoff_us, BACKOFF_MAX_US);
}

/* Is this end the first ones' kind, after which the next engine starts at once? */
static bool
starts_at_once(const struct parent_child *c, mono_t now)
{
	return !c->last_will && (c->crashes < CRASHES_AT_ONCE || mono_since(now, c->spawned) >= LIVED_LONG_US);
}

/* The channel closed: start the next engine while this one is being dismantled. Other ends wait for the reaping. */
static void
replace(struct parent_child *c)
{
	struct parent *p = c->parent;

	if (c->kind != PARENT_ENGINE || p->stopping || c->pid == 0 || c->dying != 0 ||
	    !starts_at_once(c, loop_update_now(p->loop)))
		return;
	kill(c->pid, SIGKILL); /* should it only have closed the channel */
	c->dying = c->pid;
	c->pid = 0;
	restart_later(c);
}

/* Nothing that was held is to be gone on with; what was drained stays so. */
static void
forget_active(struct parent *p)
{
	struct ipc_memory *m = ipc_memory_map(p->memory_fd);

	for (uint32_t n = 0; m != NULL && n < LIMIT_INSTANCES; n++)
		m->instances[n].active = 0;
	ipc_memory_unmap(m);
}

void
parent_withdraw(struct parent *p)
{
	unsigned n = 0;
	int r = nlk_addr_flush(IPC_IFA_PROTO, &n);

	forget_active(p);
	if (r < 0)
		log_error("addresses that vrrpd-engine left could not be removed: %s", strerror(-r));
	else if (n > 0)
		log_warning("%u address%s that vrrpd-engine left removed", n, n == 1 ? "" : "es");
}

void
parent_tell_trouble(struct parent *p)
{
	struct ipc_trouble m = {
		.restarts = p->restarts, .agent_restarts = p->agent_restarts, .last_us = p->last_end.us};

	str_copy(m.text, sizeof(m.text), p->trouble);
	/* An agent that is not there hears it when it comes. */
	(void)ipc_chan_send(&p->children[PARENT_AGENT].chan, IPC_TROUBLE, &m, -1);
	parent_manager_status(p);
}

/* The engine ended although nobody asked it to. */
static void
note_crash(struct parent *p, int status)
{
	bool signaled = WIFSIGNALED(status);

	p->restarts++;
	p->last_end = loop_update_now(p->loop);
	snprintf(p->trouble, sizeof(p->trouble), "vrrpd-engine ended by %s %d", signaled ? "signal" : "status",
		 signaled ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* It did, and there is no other one yet. */
static void
engine_crashed(struct parent *p, struct parent_child *c, int status)
{
	bool signaled = WIFSIGNALED(status);

	note_crash(p, status);
	if (c->last_will) {
		parent_withdraw(p);
	} else if (c->crashes == CRASHES_AT_ONCE) {
		log_error("vrrpd-engine ended %u times in a row: what it holds is handed over", c->crashes + 1);
		c->last_will = true;
	} else if (c->crashes > CRASHES_AT_ONCE) {
		parent_withdraw(p); /* it may have held something again */
	}
	if (c->crashes >= CRASHES_AT_ONCE)
		snprintf(p->trouble, sizeof(p->trouble),
			 "vrrpd-engine ended %u times in a row, the last time by %s %d: everything was handed over, it "
			 "is tried again in %llu s",
			 c->crashes + 1, signaled ? "signal" : "status",
			 signaled ? WTERMSIG(status) : WEXITSTATUS(status),
			 (unsigned long long)(c->backoff_us / USEC_PER_SEC));
	parent_tell_trouble(p);
}

void
parent_start_child(struct parent *p, enum parent_child_kind kind)
{
	struct parent_child *c = &p->children[kind];
	int r = spawn(p, c);

	if (r == 0)
		return;
	log_error("cannot start %s: %s", c->program, strerror(-r));
	if (c->pid > 0)
		kill(c->pid, SIGKILL); /* reaped, then tried again */
	else
		restart_later(c);
}

static void
describe_end(const struct parent_child *c, int status)
{
	if (WIFSIGNALED(status))
		log_error("%s was ended by signal %d (%s)", c->program, WTERMSIG(status),
			  strsignal(WTERMSIG(status)));
	else if ((!c->parent->stopping && !c->last_will) || WEXITSTATUS(status) != 0)
		log_error("%s ended with status %d", c->program, WEXITSTATUS(status));
}

static void
engine_ended(struct parent *p, struct parent_child *c, int status)
{
	bool willed = c->last_will;

	if (!willed || status != 0)
		engine_crashed(p, c, status);
	if (c->last_will && !willed) {
		/* Once more at once, for the last will. */
		c->crashes++;
		loop_timer_set(c->restart, loop_now(p->loop));
		return;
	}
	if (willed)
		forget_active(p);
	restart_later(c);
	c->last_will = false;
}

static void
child_ended(struct parent *p, struct parent_child *c, int status)
{
	union ipc_msg m;
	int fd;

	/* Its last words are still in the channel. */
	while (c->chan.fd >= 0 && ipc_chan_recv(&c->chan, &m, &fd) == 1)
		if (m.h.type != IPC_RUN)
			take_message(c, &m, fd);
		else
			close(fd); /* nobody waits for it any more */
	describe_end(c, status);
	close_channel(c);
	c->pid = 0;
	if (c->kind == PARENT_AGENT)
		parent_run_end_all(p);
	forgive(c, loop_update_now(p->loop));
	/* One that ended before it knew everything may not have withdrawn what the one before it left. */
	if (c->kind == PARENT_ENGINE && p->stopping && (status != 0 || !c->settled))
		parent_withdraw(p);
	/* While the engine leaves, somebody has to stop the services. */
	if (p->stopping && c->kind == PARENT_AGENT && p->children[PARENT_ENGINE].pid != 0)
		restart_later(c);
	if (p->stopping)
		return;
	if (c->kind == PARENT_ENGINE) {
		engine_ended(p, c, status);
		parent_reload_engine_gone(p);
	} else {
		p->agent_restarts++; /* the next one is told when it comes */
		restart_later(c);
	}
}

/* A replaced engine can be reaped at last. */
static void
dying_ended(struct parent *p, struct parent_child *c, int status)
{
	describe_end(c, status);
	c->dying = 0;
	note_crash(p, status);
	parent_tell_trouble(p);
}

static bool
find_dead(siginfo_t *ret)
{
	int r;

	while ((r = waitid(P_ALL, 0, ret, WEXITED | WNOHANG | WNOWAIT)) < 0 && errno == EINTR)
		;
	return r == 0;
}

void
parent_reap(struct parent *p)
{
	siginfo_t si = {0};
	pid_t reaped;
	int status;

	/* Looked at before it is reaped: while it is not, its process group's number is nobody else's. */
	while (find_dead(&si) && si.si_pid > 0) {
		pid_t pid = si.si_pid;

		si.si_pid = 0;
		if (parent_run_reap(p, pid))
			continue;
		while ((reaped = waitpid(pid, &status, WNOHANG)) < 0 && errno == EINTR)
			;
		if (reaped != pid)
			return;
		for (int k = 0; k < PARENT_CHILDREN; k++)
			if (p->children[k].pid == pid)
				child_ended(p, &p->children[k], status);
			else if (p->children[k].dying == pid)
				dying_ended(p, &p->children[k], status);
	}
}

bool
parent_ask_stop(struct parent *p, enum parent_child_kind kind)
{
	struct parent_child *c = &p->children[kind];
	struct ipc_stop m = {0};

	if (c->pid == 0)
		return false;
	if (ipc_chan_send(&c->chan, IPC_STOP, &m, -1) < 0)
		kill(c->pid, SIGTERM);
	return true;
}
