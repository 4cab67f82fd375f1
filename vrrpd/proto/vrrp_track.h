/*
 * vrrp_track.h - effective priority from tracked health (RFC 8347 tracking; keepalived's weights).
 */
#ifndef VRRPD_PROTO_VRRP_TRACK_H
#define VRRPD_PROTO_VRRP_TRACK_H

#include <stdint.h>

/*
 * Base priority plus the sum of weights, kept in 1..254. The owner (255) is never changed (RFC 9568 5.2.4).
 */
uint8_t vrrp_track_priority(uint8_t base, int weight_sum);

#endif
