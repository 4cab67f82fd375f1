/*
 * vrrp_timers.c - skew time and down interval; see vrrp_timers.h. Pure.
 */
#include "proto/vrrp_timers.h"

#include "base/macros.h"

usec_t
vrrp_skew_us(uint8_t version, uint8_t priority, uint16_t adver_int_cs)
{
	usec_t base_us = version == 2 ? USEC_PER_SEC : (usec_t)adver_int_cs * USEC_PER_CS;

	ASSERT(version == 2 || version == 3);
	ASSERT(priority > 0);
	return (usec_t)(256 - priority) * base_us / 256;
}

usec_t
vrrp_down_us(uint8_t version, uint8_t priority, uint16_t adver_int_cs, uint8_t down_adverts)
{
	ASSERT(adver_int_cs > 0);
	ASSERT(down_adverts > 0);
	return (usec_t)down_adverts * adver_int_cs * USEC_PER_CS +
	       vrrp_skew_us(version, priority, adver_int_cs);
}
