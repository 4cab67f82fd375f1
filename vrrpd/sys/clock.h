/*
 * clock.h - the only readers of the clocks.
 */
#ifndef VRRPD_SYS_CLOCK_H
#define VRRPD_SYS_CLOCK_H

#include "base/time.h"

/* CLOCK_MONOTONIC now. */
mono_t clock_mono(void);

/* CLOCK_BOOTTIME now in microseconds: goes on while the host is suspended. */
uint64_t clock_boot_us(void);

/* CLOCK_REALTIME now in microseconds since 1970, for print only. */
uint64_t clock_wall_us(void);

#endif
