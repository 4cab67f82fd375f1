/*
 * time.h - typed time: a point on the monotonic clock and a duration, both in microseconds.
 *
 * A mono_t is never mixed with a duration by accident, because it is a struct. Nothing here reads a
 * clock (sys/clock.c does). Centiseconds and seconds exist only where the wire has them.
 */
#ifndef VRRPD_BASE_TIME_H
#define VRRPD_BASE_TIME_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t usec_t; /* a duration in microseconds */

typedef struct {
	uint64_t us; /* microseconds since an arbitrary start, CLOCK_MONOTONIC in the daemon */
} mono_t;

#define USEC_PER_MS   1000u
#define USEC_PER_CS   10000u
#define USEC_PER_SEC  1000000u
#define USEC_INFINITY UINT64_MAX

#define MONO_NEVER ((mono_t){UINT64_MAX}) /* later than every time; also "no deadline" */
#define MONO_ZERO  ((mono_t){0})

/* t + d, saturating at MONO_NEVER. */
static inline mono_t
mono_add(mono_t t, usec_t d)
{
	return t.us > UINT64_MAX - d ? MONO_NEVER : (mono_t){t.us + d};
}

/* The deadline t, so much earlier, at MONO_ZERO at the earliest; MONO_NEVER stays. */
static inline mono_t
mono_earlier(mono_t t, usec_t d)
{
	if (t.us == UINT64_MAX)
		return MONO_NEVER;
	return t.us > d ? (mono_t){t.us - d} : MONO_ZERO;
}

/* How long `now` is after `then`; 0 when it is not after. */
static inline usec_t
mono_since(mono_t now, mono_t then)
{
	return now.us > then.us ? now.us - then.us : 0;
}

static inline bool
mono_before(mono_t a, mono_t b)
{
	return a.us < b.us;
}

/* True when the deadline has come: now >= deadline, and there is a deadline. */
static inline bool
mono_due(mono_t now, mono_t deadline)
{
	return deadline.us != UINT64_MAX && now.us >= deadline.us;
}

static inline mono_t
mono_min(mono_t a, mono_t b)
{
	return a.us < b.us ? a : b;
}

#endif
