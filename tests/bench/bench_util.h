/*
 * bench_util.h - the few helpers that the measuring programs share: clocks, errors, sleeping to an absolute
 * time.
 *
 * Included by the bench_*.c programs only, each a small stand-alone tool started by bench.py inside a network
 * namespace. Nothing here may be used by the daemon.
 */
#ifndef TESTS_BENCH_BENCH_UTIL_H
#define TESTS_BENCH_BENCH_UTIL_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_NS_PER_S	INT64_C(1000000000)
#define BENCH_NS_PER_MS INT64_C(1000000)
#define BENCH_NS_PER_US INT64_C(1000)

/* Say what failed and end with status 1; errno is shown when it is set. */
__attribute__((noreturn)) static inline void
bench_die(const char *what)
{
	if (errno)
		fprintf(stderr, "%s: %s\n", what, strerror(errno));
	else
		fprintf(stderr, "%s\n", what);
	exit(1);
}

/* A clock in nanoseconds. */
static inline int64_t
bench_now_ns(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) < 0)
		bench_die("clock_gettime");
	return (int64_t)ts.tv_sec * BENCH_NS_PER_S + ts.tv_nsec;
}

/* Sleep until an absolute time on CLOCK_MONOTONIC; a signal ends the sleep early. */
static inline void
bench_sleep_until(int64_t ns)
{
	struct timespec ts = {.tv_sec = ns / BENCH_NS_PER_S, .tv_nsec = ns % BENCH_NS_PER_S};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* A whole number argument in lo..hi, or the end of the program. */
static inline long
bench_number(const char *text, long lo, long hi)
{
	char *end = NULL;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	if (errno || end == text || *end || v < lo || v > hi) {
		fprintf(stderr, "bad number \"%s\": want %ld to %ld\n", text, lo, hi);
		exit(2);
	}
	return v;
}

#endif
