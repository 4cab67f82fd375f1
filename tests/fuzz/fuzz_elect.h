/*
 * fuzz_elect.h - settings of an instance from octets: every option that the elections look at, in the ranges
 * that the configuration has.
 */
#ifndef TESTS_FUZZ_FUZZ_ELECT_H
#define TESTS_FUZZ_FUZZ_ELECT_H

#include "elect/elect.h"
#include "fuzz/fuzz.h"

#define TRACKS_MAX 3

static struct ip_addr
address(unsigned last)
{
	return (struct ip_addr){.family = IP_FAMILY_V4, .b = {10, 0, 0, (uint8_t)last}};
}

/* From a microsecond to a day, most of them short. */
static usec_t
duration(struct fuzz_in *in)
{
	static const usec_t units[] = {1,
				       100,
				       USEC_PER_MS,
				       USEC_PER_CS,
				       100 * USEC_PER_MS,
				       USEC_PER_SEC,
				       60 * USEC_PER_SEC,
				       340 * (usec_t)USEC_PER_SEC};
	uint8_t c = fuzz_u8(in);

	return units[c & 7] * (usec_t)(1 + (c >> 3));
}

static uint16_t
interval(struct fuzz_in *in, uint8_t version)
{
	static const uint16_t cs[] = {1, 2, 10, 33, 100, 400, 1000, 4095};

	return version == 2 ? (uint16_t)(100 * (1 + fuzz_below(in, 40))) : cs[fuzz_below(in, ARRAY_SIZE(cs))];
}

static void
track_settings(struct fuzz_in *in, struct elect_track_conf *t)
{
	uint8_t flags = fuzz_u8(in);

	*t = (struct elect_track_conf){
		.is_interface = flags & 1, .has_weight = flags & 2, .inverted = flags & 4};
	t->weight = (int16_t)(t->has_weight ? (int)fuzz_u8(in) * 2 - 253 : 0);
	snprintf(t->name, sizeof(t->name), "t%u", (unsigned)(flags >> 3) % 4);
}

static void
settings(struct fuzz_in *in, struct elect_conf *c, uint8_t mode)
{
	uint8_t flags = fuzz_u8(in);

	*c = (struct elect_conf){.name = "x", .ifname = "eth0", .mode = mode};
	c->priority = fuzz_u8(in);
	c->priority += c->priority == 0;
	c->checksum = (uint8_t)fuzz_below(in, ELECT_CHECKSUM_COUNT);
	c->on_store_loss = (uint8_t)fuzz_below(in, ELECT_STORE_LOSS_COUNT);
	c->vrrp.version = flags & 1 ? 2 : 3;
	c->vrrp.preempt = flags & 2;
	c->vrrp.align = flags & 4;
	c->arbiter = mode == ELECT_MODE_VRRP && (flags & 8);
	c->enter_us = flags & 16 ? 2 * USEC_PER_SEC : 0;
	c->leave_us = flags & 32 ? 3 * USEC_PER_SEC : 0;
	c->start_delay_us = flags & 64 ? USEC_PER_SEC : 0;
	c->vrrp.preempt_delay_us = flags & 128 ? 5 * USEC_PER_SEC : 0;
	c->vrrp.down_adverts = (uint8_t)(1 + fuzz_below(in, 5));
	c->vrrp.adver_int_cs = interval(in, c->vrrp.version);
	if (c->arbiter)
		c->on_store_loss = ELECT_STORE_LOSS_HOLD_LEASE;
	c->n_tracks = (uint8_t)fuzz_below(in, TRACKS_MAX + 1);
	for (unsigned i = 0; i < c->n_tracks; i++)
		track_settings(in, &c->tracks[i]);
}

#endif
