/*
 * loop.h - the event loop of a process: descriptors, signals, and one absolute deadline per timer.
 *
 * The only file that knows libevent is loop.c (and the status API, which uses its HTTP server). The clock is
 * read once per wake-up.
 */
#ifndef VRRPD_SYS_LOOP_H
#define VRRPD_SYS_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

struct loop;
struct loop_io;
struct loop_timer;
struct event_base; /* libevent's, for the HTTP server only */

typedef void loop_io_fn(void *arg, int fd, bool readable, bool writable);
typedef void loop_timer_fn(void *arg, mono_t now);
typedef void loop_signal_fn(void *arg, int signo);

/* A new loop; ends the process when memory is exhausted (start-up only). */
struct loop *loop_new(void);
void loop_free(struct loop *l);

/* Run until loop_stop(). 0, or -errno of the loop itself. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* The time of this wake-up (read when the loop woke, cached until it sleeps). */
mono_t loop_now(struct loop *l);

/* Read the clock now and make it the time of this wake-up. */
mono_t loop_update_now(struct loop *l);

/* Watch a descriptor for reading; writing is off until asked for. The descriptor stays the caller's. */
struct loop_io *loop_io_add(struct loop *l, int fd, loop_io_fn *fn, void *arg);

/* The same for reading, writing, both or neither from the beginning. */
struct loop_io *loop_io_add_for(struct loop *l, int fd, bool read, bool write, loop_io_fn *fn, void *arg);

void loop_io_want(struct loop_io *io, bool read, bool write);
void loop_io_del(struct loop_io *io); /* NULL is fine */

/*
 * A timer with an absolute deadline on CLOCK_MONOTONIC at microsecond resolution (a timerfd): lateness never
 * becomes drift. Not armed at first.
 */
struct loop_timer *loop_timer_add(struct loop *l, loop_timer_fn *fn, void *arg);
void loop_timer_set(struct loop_timer *t,
		    mono_t deadline);	   /* MONO_NEVER disarms; any number of changes in one turn cost one */
void loop_timer_del(struct loop_timer *t); /* NULL is fine */

/* Call fn from the loop when the signal arrives. */
void loop_signal_add(struct loop *l, int signo, loop_signal_fn *fn, void *arg);

struct event_base *loop_event_base(struct loop *l);

#endif
