/*
 * vrrp_timers.h - advert interval, skew time and down interval (RFC 9568 6.1, RFC 3768 6.1).
 *
 * Exact in microseconds, rounded down: at 1 cs a skew is a fraction of a centisecond.
 */
#ifndef VRRPD_PROTO_VRRP_TIMERS_H
#define VRRPD_PROTO_VRRP_TIMERS_H

#include <stdint.h>

#include "base/time.h"

/* Skew_Time. v3: (256 - priority) * interval / 256; v2: (256 - priority) / 256 of one second. priority 1..255.
 */
usec_t vrrp_skew_us(uint8_t version, uint8_t priority, uint16_t adver_int_cs);

/* Active_Down_Interval: down_adverts * interval + skew. down_adverts is 3 in the RFC, 1..100 here. */
usec_t vrrp_down_us(uint8_t version, uint8_t priority, uint16_t adver_int_cs, uint8_t down_adverts);

#endif
