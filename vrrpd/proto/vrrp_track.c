/*
 * vrrp_track.c - effective priority from tracked health; see vrrp_track.h. Pure.
 */
#include "proto/vrrp_track.h"

#include "base/macros.h"
#include "proto/vrrp_packet.h"

uint8_t
vrrp_track_priority(uint8_t base, int weight_sum)
{
	int p = base + weight_sum;

	ASSERT(base > 0);
	if (base == VRRP_PRIORITY_OWNER)
		return base;
	return (uint8_t)MAX(1, MIN(254, p));
}
