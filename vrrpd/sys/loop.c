/*
 * loop.c - the event loop over libevent; see loop.h.
 *
 * Every process has one. Timers are timerfds with absolute deadlines: libevent's own timers are relative to its
 * cached time, which turns lateness into drift. What is set during a turn reaches the kernel once, at its end,
 * and only what has changed; a deadline that has come by then does not go there at all. They are watched
 * edge-triggered, so that nobody needs to read them.
 */
#include "sys/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/macros.h"
#include "sys/clock.h"

#define LOOP_SIGNALS 8 /* more than any process watches */

struct loop {
	struct event_base *base;
	mono_t now;
	bool now_valid;		    /* false while asleep: the next question reads the clock */
	struct loop_timer *changed; /* in this turn */
	unsigned n_signals;
	struct loop_signal {
		struct event *ev;
		loop_signal_fn *fn;
		void *arg;
	} signals[LOOP_SIGNALS];
};

struct loop_io {
	struct loop *loop;
	struct event *ev;
	int fd;
	short flags;
	loop_io_fn *fn;
	void *arg;
};

struct loop_timer {
	struct loop *loop;
	struct event *ev;
	int fd;
	mono_t deadline;
	mono_t armed; /* what the kernel knows; MONO_NEVER: nothing */
	bool is_changed;
	struct loop_timer *next; /* of those that changed */
	loop_timer_fn *fn;
	void *arg;
};

/* Without memory and descriptors there is nothing to run: the process ends with a word and is started again. */
static void *
must(void *p)
{
	if (p == NULL)
		assert_fail("memory and descriptors for the event loop", __FILE__, __LINE__);
	return p;
}

/* An event that the kernel does not watch would never come, and nobody would know. */
static void
must_add(struct event *ev)
{
	if (event_add(ev, NULL) < 0)
		assert_fail("the kernel watches what the event loop waits for", __FILE__, __LINE__);
}

/* libevent itself does not survive everywhere that it gets no memory: its HTTP server crashes. */
static void *
allocate(size_t n)
{
	return must(malloc(n));
}

static void *
reallocate(void *p, size_t n)
{
	return must(realloc(p, n));
}

struct loop *
loop_new(void)
{
	struct loop *l = must(calloc(1, sizeof(*l)));
	struct event_config *cfg;

	event_set_mem_functions(allocate, reallocate, free);
	cfg = must(event_config_new());

	/* Our timers do not use libevent's clock; let it not read one per turn more than needed. */
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
	l->base = must(event_base_new_with_config(cfg));
	event_config_free(cfg);
	return l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	for (unsigned i = 0; i < l->n_signals; i++)
		event_free(l->signals[i].ev);
	event_base_free(l->base);
	free(l);
}

/* Tell the kernel of the new deadline, or call the timer in the next turn when that has come. */
static void
arm(struct loop_timer *t)
{
	struct itimerspec its = {0};

	if (t->loop->now_valid && mono_due(t->loop->now, t->deadline)) {
		event_active(t->ev, EV_READ, 0);
		return;
	}
	if (t->deadline.us == t->armed.us)
		return;
	t->armed = t->deadline;
	if (t->deadline.us != MONO_NEVER.us) {
		/* Zero would disarm; a deadline in the past fires at once. */
		uint64_t us = MAX(t->deadline.us, 1);

		its.it_value.tv_sec = (time_t)(us / USEC_PER_SEC);
		its.it_value.tv_nsec = (long)(us % USEC_PER_SEC) * 1000;
	}
	ASSERT(timerfd_settime(t->fd, TFD_TIMER_ABSTIME, &its, NULL) == 0);
}

static void
arm_changed(struct loop *l)
{
	while (l->changed != NULL) {
		struct loop_timer *t = l->changed;

		l->changed = t->next;
		t->is_changed = false;
		arm(t);
	}
}

int
loop_run(struct loop *l)
{
	while (!event_base_got_break(l->base)) {
		arm_changed(l);
		l->now_valid = false;
		if (event_base_loop(l->base, EVLOOP_ONCE) < 0)
			return -EIO;
	}
	return 0;
}

void
loop_stop(struct loop *l)
{
	event_base_loopbreak(l->base);
}

mono_t
loop_now(struct loop *l)
{
	return l->now_valid ? l->now : loop_update_now(l);
}

mono_t
loop_update_now(struct loop *l)
{
	l->now = clock_mono();
	l->now_valid = true;
	return l->now;
}

static void
io_ready(evutil_socket_t fd, short what, void *arg)
{
	struct loop_io *io = arg;

	io->fn(io->arg, fd, (what & EV_READ) != 0, (what & EV_WRITE) != 0);
}

/* What is new first: the kernel then hears of the difference only. */
static void
io_listen(struct loop_io *io, short flags)
{
	struct event *old = TAKE(io->ev);

	io->flags = flags;
	if (flags & (EV_READ | EV_WRITE)) {
		io->ev = must(event_new(io->loop->base, io->fd, flags, io_ready, io));
		must_add(io->ev);
	}
	if (old != NULL)
		event_free(old);
}

static short
io_flags(bool read, bool write)
{
	return (short)(EV_PERSIST | (read ? EV_READ : 0) | (write ? EV_WRITE : 0));
}

struct loop_io *
loop_io_add_for(struct loop *l, int fd, bool read, bool write, loop_io_fn *fn, void *arg)
{
	struct loop_io *io = must(calloc(1, sizeof(*io)));

	*io = (struct loop_io){.loop = l, .fd = fd, .fn = fn, .arg = arg};
	io_listen(io, io_flags(read, write));
	return io;
}

struct loop_io *
loop_io_add(struct loop *l, int fd, loop_io_fn *fn, void *arg)
{
	return loop_io_add_for(l, fd, true, false, fn, arg);
}

void
loop_io_want(struct loop_io *io, bool read, bool write)
{
	if (io_flags(read, write) != io->flags)
		io_listen(io, io_flags(read, write));
}

void
loop_io_del(struct loop_io *io)
{
	if (io == NULL)
		return;
	if (io->ev != NULL)
		event_free(io->ev);
	free(io);
}

static void
note_change(struct loop_timer *t)
{
	if (t->is_changed)
		return;
	t->is_changed = true;
	t->next = t->loop->changed;
	t->loop->changed = t;
}

static void
timer_ready(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;
	mono_t now = loop_now(t->loop);

	(void)fd;
	(void)what;
	t->armed = MONO_NEVER;
	if (!mono_due(now, t->deadline)) {
		note_change(t); /* disarmed or moved between the wake-up and now */
		return;
	}
	t->deadline = MONO_NEVER;
	t->fn(t->arg, now);
}

struct loop_timer *
loop_timer_add(struct loop *l, loop_timer_fn *fn, void *arg)
{
	struct loop_timer *t = must(calloc(1, sizeof(*t)));

	*t = (struct loop_timer){.loop = l, .fn = fn, .arg = arg, .deadline = MONO_NEVER, .armed = MONO_NEVER};
	t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (t->fd < 0)
		must(NULL);
	t->ev = must(event_new(l->base, t->fd, EV_READ | EV_PERSIST | EV_ET, timer_ready, t));
	must_add(t->ev);
	return t;
}

void
loop_timer_set(struct loop_timer *t, mono_t deadline)
{
	if (deadline.us == t->deadline.us)
		return;
	t->deadline = deadline;
	note_change(t);
}

void
loop_timer_del(struct loop_timer *t)
{
	struct loop_timer **at;

	if (t == NULL)
		return;
	for (at = &t->loop->changed; t->is_changed && *at != NULL; at = &(*at)->next)
		if (*at == t) {
			*at = t->next;
			break;
		}
	event_free(t->ev);
	close(t->fd);
	free(t);
}

static void
signal_ready(evutil_socket_t signo, short what, void *arg)
{
	struct loop_signal *s = arg;

	(void)what;
	s->fn(s->arg, (int)signo);
}

void
loop_signal_add(struct loop *l, int signo, loop_signal_fn *fn, void *arg)
{
	struct loop_signal *s;

	ASSERT(l->n_signals < LOOP_SIGNALS);
	s = &l->signals[l->n_signals++];
	*s = (struct loop_signal){.fn = fn, .arg = arg};
	s->ev = must(evsignal_new(l->base, signo, signal_ready, s));
	must_add(s->ev);
}

struct event_base *
loop_event_base(struct loop *l)
{
	return l->base;
}
