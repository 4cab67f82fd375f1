/*
 * clock.c - the only readers of the clocks; see clock.h.
 */
#include "sys/clock.h"

#include <time.h>

#include "base/macros.h"

static uint64_t
read_us(clockid_t id)
{
	struct timespec ts;

	ASSERT(clock_gettime(id, &ts) == 0);
	return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

mono_t
clock_mono(void)
{
	return (mono_t){read_us(CLOCK_MONOTONIC)};
}

uint64_t
clock_boot_us(void)
{
	return read_us(CLOCK_BOOTTIME);
}

uint64_t
clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}
