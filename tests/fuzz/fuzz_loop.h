/*
 * fuzz_loop.h - a loop in virtual time, in the place of sys/loop.c and sys/clock.c: a target that includes it
 * defines all their functions, so that the linker leaves those of the archive out.
 *
 * fuzz_pass() lets time go by and fires the timers; fuzz_io() calls whoever watches a descriptor that is ready.
 */
#ifndef TESTS_FUZZ_FUZZ_LOOP_H
#define TESTS_FUZZ_FUZZ_LOOP_H

#include <poll.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "fuzz/fuzz.h"
#include "sys/clock.h"
#include "sys/loop.h"

#define FUZZ_TIMERS_MAX 20000 /* that fire in one fuzz_pass(); more is one that does not let go */

struct loop_timer {
	TAILQ_ENTRY(loop_timer) link;
	struct loop *loop;
	loop_timer_fn *fn;
	void *arg;
	mono_t deadline;
};

struct loop_io {
	TAILQ_ENTRY(loop_io) link;
	struct loop *loop;
	loop_io_fn *fn;
	void *arg;
	int fd;
	bool read, write;
};

struct loop {
	TAILQ_HEAD(, loop_timer) timers;
	TAILQ_HEAD(, loop_io) ios;
	struct event_base *base; /* for the HTTP server; NULL until it is asked for */
	bool stopped;
};

static mono_t fuzz_time = {1000 * (uint64_t)USEC_PER_SEC};

mono_t
clock_mono(void)
{
	return fuzz_time;
}

uint64_t
clock_boot_us(void)
{
	return fuzz_time.us + USEC_PER_SEC;
}

uint64_t
clock_wall_us(void)
{
	return fuzz_time.us + 1700000000 * (uint64_t)USEC_PER_SEC;
}

struct loop *
loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	FUZZ_CHECK(l != NULL);
	TAILQ_INIT(&l->timers);
	TAILQ_INIT(&l->ios);
	fuzz_time = (mono_t){1000 * (uint64_t)USEC_PER_SEC};
	return l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	FUZZ_CHECK(TAILQ_EMPTY(&l->timers));
	FUZZ_CHECK(TAILQ_EMPTY(&l->ios));
	if (l->base != NULL)
		event_base_free(l->base);
	free(l);
}

int
loop_run(struct loop *l)
{
	(void)l;
	abort(); /* fuzz_pass() does it */
}

void
loop_stop(struct loop *l)
{
	l->stopped = true;
}

mono_t
loop_now(struct loop *l)
{
	(void)l;
	return fuzz_time;
}

mono_t
loop_update_now(struct loop *l)
{
	(void)l;
	return fuzz_time;
}

struct loop_io *
loop_io_add_for(struct loop *l, int fd, bool read, bool write, loop_io_fn *fn, void *arg)
{
	struct loop_io *io = calloc(1, sizeof(*io));

	FUZZ_CHECK(io != NULL);
	*io = (struct loop_io){.loop = l, .fn = fn, .arg = arg, .fd = fd, .read = read, .write = write};
	TAILQ_INSERT_TAIL(&l->ios, io, link);
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
	io->read = read;
	io->write = write;
}

void
loop_io_del(struct loop_io *io)
{
	if (io == NULL)
		return;
	TAILQ_REMOVE(&io->loop->ios, io, link);
	free(io);
}

struct loop_timer *
loop_timer_add(struct loop *l, loop_timer_fn *fn, void *arg)
{
	struct loop_timer *t = calloc(1, sizeof(*t));

	FUZZ_CHECK(t != NULL);
	*t = (struct loop_timer){.loop = l, .fn = fn, .arg = arg, .deadline = MONO_NEVER};
	TAILQ_INSERT_TAIL(&l->timers, t, link);
	return t;
}

void
loop_timer_set(struct loop_timer *t, mono_t deadline)
{
	t->deadline = deadline;
}

void
loop_timer_del(struct loop_timer *t)
{
	if (t == NULL)
		return;
	TAILQ_REMOVE(&t->loop->timers, t, link);
	free(t);
}

void
loop_signal_add(struct loop *l, int signo, loop_signal_fn *fn, void *arg)
{
	(void)l;
	(void)signo;
	(void)fn;
	(void)arg;
}

struct event_base *
loop_event_base(struct loop *l)
{
	if (l->base == NULL)
		l->base = event_base_new();
	FUZZ_CHECK(l->base != NULL);
	return l->base;
}

static struct loop_timer *
fuzz_next_timer(struct loop *l)
{
	struct loop_timer *t, *first = NULL;

	TAILQ_FOREACH(t, &l->timers, link)
	if (t->deadline.us != MONO_NEVER.us && (first == NULL || mono_before(t->deadline, first->deadline)))
		first = t;
	return first;
}

/* Let time go by; timers fire at their time, the earliest first. */
static inline void
fuzz_pass(struct loop *l, usec_t us)
{
	mono_t until = mono_add(fuzz_time, us);
	struct loop_timer *t;

	for (unsigned n = 0; (t = fuzz_next_timer(l)) != NULL && mono_due(until, t->deadline); n++) {
		FUZZ_CHECK(n < FUZZ_TIMERS_MAX);
		if (mono_before(fuzz_time, t->deadline))
			fuzz_time = t->deadline;
		t->deadline = MONO_NEVER;
		t->fn(t->arg, fuzz_time);
	}
	fuzz_time = until;
}

/* One call for the first descriptor that is ready. False: none is. */
static inline bool
fuzz_io_once(struct loop *l)
{
	struct loop_io *io;

	TAILQ_FOREACH(io, &l->ios, link)
	{
		struct pollfd p = {.fd = io->fd,
				   .events = (short)((io->read ? POLLIN : 0) | (io->write ? POLLOUT : 0))};

		if (p.events == 0 || poll(&p, 1, 0) <= 0)
			continue;
		io->fn(io->arg, io->fd, (p.revents & (POLLIN | POLLHUP | POLLERR)) != 0,
		       (p.revents & POLLOUT) != 0);
		return true;
	}
	return false;
}

#endif
