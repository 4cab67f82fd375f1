/*
 * loop.c - the event loop over libevent; see loop.h.
 *
 * Every process has one. Timers are timerfds with absolute deadlines: libevent's own timers are relative to its
 * cached time, which turns lateness into drift.
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
	bool now_valid; /* false while asleep: the next question reads the clock */
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
	loop_timer_fn *fn;
	void *arg;
};

/* Start-up only: without memory there is nothing to run. */
static void *
must(void *p)
{
	if (p == NULL)
		assert_fail("memory and descriptors at start-up", __FILE__, __LINE__);
	return p;
}

struct loop *
loop_new(void)
{
	struct loop *l = must(calloc(1, sizeof(*l)));
	struct event_config *cfg = must(event_config_new());

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

int
loop_run(struct loop *l)
{
	while (!event_base_got_break(l->base)) {
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

struct loop_io *
loop_io_add(struct loop *l, int fd, loop_io_fn *fn, void *arg)
{
	struct loop_io *io = must(calloc(1, sizeof(*io)));

	*io = (struct loop_io){.loop = l, .fd = fd, .fn = fn, .arg = arg, .flags = EV_READ | EV_PERSIST};
	io->ev = must(event_new(l->base, fd, io->flags, io_ready, io));
	event_add(io->ev, NULL);
	return io;
}

void
loop_io_want(struct loop_io *io, bool read, bool write)
{
	short flags = EV_PERSIST;

	flags = (short)(flags | (read ? EV_READ : 0) | (write ? EV_WRITE : 0));
	if (flags == io->flags)
		return;
	event_del(io->ev);
	io->flags = flags;
	event_assign(io->ev, io->loop->base, io->fd, flags, io_ready, io);
	if (read || write)
		event_add(io->ev, NULL);
}

void
loop_io_del(struct loop_io *io)
{
	if (io == NULL)
		return;
	event_free(io->ev);
	free(io);
}

static void
timer_ready(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;
	uint64_t fired;

	(void)what;
	if (read(fd, &fired, sizeof(fired)) != sizeof(fired))
		return; /* disarmed or moved between the wake-up and now */
	t->deadline = MONO_NEVER;
	t->fn(t->arg, loop_now(t->loop));
}

struct loop_timer *
loop_timer_add(struct loop *l, loop_timer_fn *fn, void *arg)
{
	struct loop_timer *t = must(calloc(1, sizeof(*t)));

	*t = (struct loop_timer){.loop = l, .fn = fn, .arg = arg, .deadline = MONO_NEVER};
	t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (t->fd < 0)
		must(NULL);
	t->ev = must(event_new(l->base, t->fd, EV_READ | EV_PERSIST, timer_ready, t));
	event_add(t->ev, NULL);
	return t;
}

void
loop_timer_set(struct loop_timer *t, mono_t deadline)
{
	struct itimerspec its = {0};

	if (deadline.us == t->deadline.us)
		return;
	t->deadline = deadline;
	if (deadline.us != MONO_NEVER.us) {
		/* Zero would disarm; a deadline in the past fires at once. */
		uint64_t us = MAX(deadline.us, 1);

		its.it_value.tv_sec = (time_t)(us / USEC_PER_SEC);
		its.it_value.tv_nsec = (long)(us % USEC_PER_SEC) * 1000;
	}
	ASSERT(timerfd_settime(t->fd, TFD_TIMER_ABSTIME, &its, NULL) == 0);
}

void
loop_timer_del(struct loop_timer *t)
{
	if (t == NULL)
		return;
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
	event_add(s->ev, NULL);
}

struct event_base *
loop_event_base(struct loop *l)
{
	return l->base;
}
