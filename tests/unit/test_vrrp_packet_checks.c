/*
 * test_vrrp_packet_checks.c - each reception check of VRRP messages by itself, over the whole range of its
 * field.
 *
 * RFC 9568 5 and 7.1, RFC 3768 7.1, RFC 2338 5.3.6. The order of the checks is in test_vrrp_packet.c.
 */
#include "proto/vrrp_packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/packet_lab.h"

static void
test_versions_do_not_mix(void **state)
{
	struct vrrp_advert adv;
	struct lab v2, v3;
	size_t n;
	OCTETS *p2 = lab_octets("V08", &n);
	OCTETS *p3 = lab_octets("V01", &n);

	(void)state;
	lab_init(&v2, lab_row("V08"));
	lab_init(&v3, lab_row("V01"));
	assert_int_equal(lab_receive(p2, 40, &v3.codec, &adv), VRRP_DROP_VERSION);
	assert_int_equal(lab_receive(p3, 32, &v2.codec, &adv), VRRP_DROP_VERSION);
	for (unsigned version = 0; version < 16; version++) {
		p3[20] = (uint8_t)(version << 4 | 1);
		lab_fix_checksum(p3 + 20, 12, &v3.addrs[0], &v3.addrs[0]);
		assert_int_equal(lab_receive(p3, 32, &v3.codec, &adv),
				 version == 3 ? VRRP_DROP_NONE : VRRP_DROP_VERSION);
		if (version != 2 && version != 3)
			assert_int_equal(lab_receive(p3, 32, NULL, &adv), VRRP_DROP_VERSION);
	}
}

static void
test_unknown_vrid(void **state)
{
	static const char *const names[] = {"V01", "V02", "V06", "V08", "V10"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct vrrp_advert adv;
		size_t n;
		OCTETS *p = lab_octets(names[i], &n);

		assert_int_equal(lab_receive(p, n, NULL, &adv), VRRP_DROP_VRID);
	}
}

static void
test_every_ttl(void **state)
{
	struct vrrp_advert adv;
	struct vrrp_datagram d;
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V01", &n);
	OCTETS *p6 = lab_octets("V06", &n);

	(void)state;
	for (unsigned ttl = 0; ttl <= 255; ttl++) {
		enum vrrp_drop want = ttl == 255 ? VRRP_DROP_NONE : VRRP_DROP_TTL;

		lab_init(&lab, lab_row("V01"));
		p[8] = (uint8_t)ttl;
		assert_int_equal(lab_receive(p, 32, &lab.codec, &adv), want);
		/* A smaller minimum is for unicast only (RFC 5082). */
		lab.codec.ttl_min = 1;
		assert_int_equal(lab_receive(p, 32, &lab.codec, &adv), want);
		lab_init(&lab, lab_row("V06"));
		assert_int_equal(lab_datagram(p6, 80, &d), VRRP_DROP_NONE);
		d.ttl = (uint8_t)ttl;
		assert_int_equal(vrrp_packet_check(&d, &lab.codec, &adv), want);
	}
}

static void
test_ttl_min_of_unicast(void **state)
{
	static const unsigned mins[] = {1, 64, 254, 255};
	struct vrrp_advert adv;
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V13", &n);

	(void)state;
	lab_init(&lab, lab_row("V13"));
	for (size_t i = 0; i < ARRAY_SIZE(mins); i++) {
		for (unsigned ttl = 0; ttl <= 255; ttl++) {
			lab.codec.ttl_min = (uint8_t)mins[i];
			p[8] = (uint8_t)ttl;
			assert_int_equal(lab_receive(p, n, &lab.codec, &adv),
					 ttl >= mins[i] ? VRRP_DROP_NONE : VRRP_DROP_TTL);
		}
	}
}

static void
test_type_must_be_advertisement(void **state)
{
	struct vrrp_advert adv;
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V01", &n);

	(void)state;
	lab_init(&lab, lab_row("V01"));
	for (unsigned type = 0; type < 16; type++) {
		p[20] = (uint8_t)(0x30 | type);
		lab_fix_checksum(p + 20, 12, &lab.addrs[0], &lab.addrs[0]);
		assert_int_equal(lab_receive(p, n, &lab.codec, &adv),
				 type == 1 ? VRRP_DROP_NONE : VRRP_DROP_TYPE);
	}
}

/* Of all 65536 checksums exactly the right ones pass: two for v3 over IPv4, one elsewhere. */
static void
test_every_checksum(void **state)
{
	static const struct {
		const char *name;
		unsigned right;
	} rows[] = {{"V01", 2}, {"V06", 1}, {"V08", 1}, {"V14", 2}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vrrp_advert adv;
		struct lab lab;
		unsigned right = 0;
		size_t n;
		OCTETS *p = lab_octets(rows[i].name, &n);
		uint8_t *sum = p + (p[0] >> 4 == 6 ? 46 : 26);

		lab_init(&lab, lab_row(rows[i].name));
		for (unsigned v = 0; v <= 0xffff; v++) {
			enum vrrp_drop drop;

			sum[0] = (uint8_t)(v >> 8);
			sum[1] = (uint8_t)v;
			drop = lab_receive(p, n, &lab.codec, &adv);
			assert_true(drop == VRRP_DROP_NONE || drop == VRRP_DROP_CHECKSUM);
			right += drop == VRRP_DROP_NONE;
		}
		/* 0000 and ffff are the same number: V14's true sum of 0000 has a twin. */
		assert_in_range(right, rows[i].right, rows[i].right + (strcmp(rows[i].name, "V14") == 0));
	}
}

/* RFC 9568 5.2.8: without its pseudo-header the sum of an IPv6 message is wrong. */
static void
test_ipv6_message_only_sum_is_wrong(void **state)
{
	struct vrrp_advert adv;
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V06", &n);

	(void)state;
	lab_init(&lab, lab_row("V06"));
	p[46] = 0xda;
	p[47] = 0x29;
	assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_CHECKSUM);
}

static void
test_both_forms_on_the_wire(void **state)
{
	static const struct {
		const char *name;
		unsigned sum;
	} rows[] = {{"V03", 0xe758}, {"V04", 0x5964}};
	struct vrrp_advert adv;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lab lab;
		size_t n;
		OCTETS *p = lab_octets(rows[i].name, &n);

		lab_init(&lab, lab_row(rows[i].name));
		assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_NONE);
		assert_int_equal(adv.form, VRRP_CHECKSUM_RFC9568);
		p[26] = (uint8_t)(rows[i].sum >> 8);
		p[27] = (uint8_t)rows[i].sum;
		assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_NONE);
		assert_int_equal(adv.form, VRRP_CHECKSUM_RFC5798);
	}
}

/* A unicast packet is summed over its real destination; message only is right as well. */
static void
test_unicast_forms(void **state)
{
	struct vrrp_advert adv;
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V13", &n);

	(void)state;
	lab_init(&lab, lab_row("V13"));
	p[26] = 0xa8;
	p[27] = 0x65;
	assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_NONE);
	assert_int_equal(adv.form, VRRP_CHECKSUM_RFC9568);
	p[27] = 0x64;
	assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_CHECKSUM);
}

static void
test_destination_fits_the_mode(void **state)
{
	static const struct {
		const char *vector, *dst;
		enum vrrp_drop drop;
	} rows[] = {
		{"V01", "224.0.0.18", VRRP_DROP_NONE},	      {"V01", "224.0.0.1", VRRP_DROP_DESTINATION},
		{"V01", "192.0.2.20", VRRP_DROP_DESTINATION}, {"V01", "255.255.255.255", VRRP_DROP_DESTINATION},
		{"V13", "192.0.2.20", VRRP_DROP_NONE},	      {"V13", "224.0.0.18", VRRP_DROP_DESTINATION},
		{"V06", "ff02::12", VRRP_DROP_NONE},	      {"V06", "ff02::1", VRRP_DROP_DESTINATION},
		{"V06", "ff05::12", VRRP_DROP_DESTINATION},   {"V06", "fe80::20", VRRP_DROP_DESTINATION},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vrrp_datagram d;
		struct vrrp_advert adv;
		struct lab lab;
		size_t n;
		OCTETS *p = lab_octets(rows[i].vector, &n);
		uint8_t *msg = p + (p[0] >> 4 == 6 ? 40 : 20);

		lab_init(&lab, lab_row(rows[i].vector));
		assert_int_equal(lab_datagram(p, n, &d), VRRP_DROP_NONE);
		d.dst = lab_addr(rows[i].dst);
		lab_fix_checksum(msg, d.len, &d.src, &d.dst);
		if (vrrp_packet_check(&d, &lab.codec, &adv) != rows[i].drop)
			fail_msg("%s to %s", rows[i].vector, rows[i].dst);
	}
}

static void
test_source_is_a_legal_sender(void **state)
{
	static const struct {
		const char *vector, *src;
		enum vrrp_drop drop;
	} rows[] = {
		{"V01", "0.0.0.0", VRRP_DROP_SOURCE},
		{"V01", "224.0.0.5", VRRP_DROP_SOURCE},
		{"V01", "255.255.255.255", VRRP_DROP_SOURCE},
		{"V01", "240.0.0.1", VRRP_DROP_SOURCE},
		{"V01", "192.0.2.254", VRRP_DROP_NONE},
		{"V01", "10.9.8.7", VRRP_DROP_NONE},
		{"V06", "::", VRRP_DROP_SOURCE},
		{"V06", "2001:db8::a", VRRP_DROP_SOURCE},
		{"V06", "ff02::a", VRRP_DROP_SOURCE},
		{"V06", "fe80::b", VRRP_DROP_NONE},
		{"V06", "febf::b", VRRP_DROP_NONE},
		{"V06", "fec0::b", VRRP_DROP_SOURCE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vrrp_datagram d;
		struct vrrp_advert adv;
		struct lab lab;
		size_t n;
		OCTETS *p = lab_octets(rows[i].vector, &n);
		uint8_t *msg = p + (p[0] >> 4 == 6 ? 40 : 20);

		lab_init(&lab, lab_row(rows[i].vector));
		assert_int_equal(lab_datagram(p, n, &d), VRRP_DROP_NONE);
		d.src = lab_addr(rows[i].src);
		lab_fix_checksum(msg, d.len, &d.src, &d.dst);
		if (vrrp_packet_check(&d, &lab.codec, &adv) != rows[i].drop)
			fail_msg("%s from %s", rows[i].vector, rows[i].src);
	}
}

static void
test_unicast_source_is_a_peer(void **state)
{
	struct ip_addr peers[3] = {lab_addr("192.0.2.11"), lab_addr("192.0.2.12"), lab_addr("192.0.2.10")};
	struct vrrp_advert adv;
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V13", &n);

	(void)state;
	lab_init(&lab, lab_row("V13"));
	lab.codec.peers = peers;
	lab.codec.n_peers = 2;
	assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_PEER);
	lab.codec.n_peers = 3;
	assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_NONE);
}

/* Unicast peers over IPv6 may have global addresses: the link-local rule is the group's. */
static void
test_unicast_ipv6(void **state)
{
	struct ip_addr src = lab_addr("2001:db8::a"), dst = lab_addr("2001:db8::20");
	struct vrrp_advert adv;
	struct vrrp_datagram d;
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V06", &n);

	(void)state;
	lab_init(&lab, lab_row("V06"));
	lab.peers[0] = src;
	lab.codec.peers = lab.peers;
	lab.codec.n_peers = 1;
	lab.codec.unicast = true;
	assert_int_equal(lab_datagram(p, n, &d), VRRP_DROP_NONE);
	d.src = src;
	d.dst = dst;
	assert_int_equal(vrrp_packet_check(&d, &lab.codec, &adv), VRRP_DROP_CHECKSUM);
	lab_fix_checksum(p + 40, d.len, &src, &dst);
	assert_int_equal(vrrp_packet_check(&d, &lab.codec, &adv), VRRP_DROP_NONE);
}

static void
test_owner_discards_every_advert(void **state)
{
	static const char *const names[] = {"V01", "V03", "V04", "V06", "V08"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct vrrp_advert adv;
		struct lab lab;
		size_t n;
		OCTETS *p = lab_octets(names[i], &n);

		lab_init(&lab, lab_row(names[i]));
		lab.codec.owner = true;
		assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_OWNER);
		assert_int_equal(adv.src.family, lab.codec.family); /* in order but for that */
	}
}

/* Something else is wrong, too: no advert. It counts as what was found first. */
static void
test_owner_gets_no_wrong_advert(void **state)
{
	struct vrrp_advert adv;
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V01", &n);

	(void)state;
	lab_init(&lab, lab_row("V01"));
	lab.codec.owner = true;
	p[24] = p[25] = 0; /* interval 0 */
	lab_fix_checksum(p + 20, 12, &lab.addrs[0], &lab.addrs[0]);
	memset(&adv, 0xff, sizeof(adv));
	assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_OWNER);
	assert_int_equal(adv.src.family, IP_FAMILY_NONE);
}

/* ---- intervals ---- */

/* Every value of the 16-bit field: the reserve bits never spill into the interval (RFC 9568 5.2.6). */
static void
test_every_interval_field_v3(void **state)
{
	struct vrrp_advert adv;
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V01", &n);

	(void)state;
	lab_init(&lab, lab_row("V01"));
	for (unsigned field = 0; field <= 0xffff; field++) {
		unsigned cs = field & 0x0fff;

		p[24] = (uint8_t)(field >> 8);
		p[25] = (uint8_t)field;
		lab_fix_checksum(p + 20, 12, &lab.addrs[0], &lab.addrs[0]);
		if (cs == 0) {
			assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_INTERVAL);
			continue;
		}
		assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_NONE);
		assert_int_equal(adv.adver_int_cs, cs);
		assert_int_equal(adv.interval_differs, cs != 100);
	}
}

/* RFC 3768 7.1: in version 2 another interval is discarded, also when the sender leaves. */
static void
test_every_interval_v2(void **state)
{
	struct vrrp_advert adv;
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V08", &n);

	(void)state;
	lab_init(&lab, lab_row("V08"));
	lab.codec.adver_int_cs = 300;
	for (unsigned s = 0; s <= 255; s++) {
		p[25] = (uint8_t)s;
		lab_fix_checksum(p + 20, 20, &lab.addrs[0], &lab.addrs[0]);
		assert_int_equal(lab_receive(p, n, &lab.codec, &adv),
				 s == 3 ? VRRP_DROP_NONE : VRRP_DROP_INTERVAL);
		if (s == 3)
			assert_int_equal(adv.adver_int_cs, 300);
	}
}

/* ---- version 2 authentication (RFC 2338 5.3.6) ---- */

static void
test_v2_authentication(void **state)
{
	static const struct {
		const char *ours;   /* NULL: none */
		unsigned type;	    /* in the packet */
		const char *theirs; /* in the packet */
		enum vrrp_drop drop;
	} rows[] = {
		{"1111", 1, "1111", VRRP_DROP_NONE},
		{"1111", 1, "1112", VRRP_DROP_AUTH},
		{"1111", 1, "111", VRRP_DROP_AUTH},
		{"1111", 1, "11111", VRRP_DROP_AUTH}, /* all eight octets count */
		{"1111", 1, "", VRRP_DROP_AUTH},
		{"password", 1, "password", VRRP_DROP_NONE},
		{"password", 1, "passwore", VRRP_DROP_AUTH},
		{"password", 1, "Password", VRRP_DROP_AUTH},
		{"1111", 0, "", VRRP_DROP_AUTH_TYPE},
		{"1111", 0, "1111", VRRP_DROP_AUTH_TYPE},
		{"1111", 2, "1111", VRRP_DROP_AUTH_TYPE},
		{"1111", 255, "1111", VRRP_DROP_AUTH_TYPE},
		{NULL, 0, "", VRRP_DROP_NONE},
		{NULL, 0, "garbage!", VRRP_DROP_NONE}, /* RFC 3768 5.3.10: ignored when received */
		{NULL, 1, "", VRRP_DROP_AUTH_TYPE},
		{NULL, 1, "1111", VRRP_DROP_AUTH_TYPE},
		{NULL, 2, "", VRRP_DROP_AUTH_TYPE},
		{NULL, 3, "", VRRP_DROP_AUTH_TYPE},
	};
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V10", &n);

	(void)state;
	lab_init(&lab, lab_row("V10"));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vrrp_advert adv;

		lab_set_password(&lab, rows[i].ours);
		p[24] = (uint8_t)rows[i].type;
		memset(p + 32, 0, 8);
		memcpy(p + 32, rows[i].theirs, strlen(rows[i].theirs));
		lab_fix_checksum(p + 20, 20, &lab.addrs[0], &lab.addrs[0]);
		if (lab_receive(p, n, &lab.codec, &adv) != rows[i].drop)
			fail_msg("row %zu", i);
	}
}

/* The message inside an AH packet, should it ever come without its AH. */
static void
test_v2_message_of_an_ah_packet(void **state)
{
	struct vrrp_datagram d;
	struct vrrp_advert adv;
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V11", &n);

	(void)state;
	lab_init(&lab, lab_row("V11"));
	assert_int_equal(lab_datagram(p, n, &d), VRRP_DROP_NONE);
	d.msg += 24;
	d.len -= 24;
	assert_int_equal(vrrp_packet_check(&d, &lab.codec, &adv), VRRP_DROP_AUTH_TYPE);
}

/* The authentication octets are inside the checksum, and always there. */
static void
test_v2_without_the_eight_octets(void **state)
{
	struct vrrp_advert adv;
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V08", &n);

	(void)state;
	lab_init(&lab, lab_row("V08"));
	p[3] = 32;
	assert_int_equal(lab_receive(p, 32, &lab.codec, &adv), VRRP_DROP_LENGTH);
	p[3] = 40;
	p[39] = 1;
	assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_CHECKSUM);
}

/* ---- address lists ---- */

static void
test_address_list_differences(void **state)
{
	static const struct {
		const char *ours;
		bool differ; /* from 192.0.2.1, .2, .3 of V03 */
	} rows[] = {
		{"192.0.2.1,192.0.2.2,192.0.2.3", false},
		{"192.0.2.3,192.0.2.1,192.0.2.2", false}, /* order only */
		{"192.0.2.3,192.0.2.2,192.0.2.1", false},
		{"192.0.2.1,192.0.2.2", true},
		{"192.0.2.1", true},
		{"192.0.2.1,192.0.2.2,192.0.2.4", true},
		{"192.0.2.1,192.0.2.2,192.0.2.3,192.0.2.4", true},
		{"10.0.0.1,10.0.0.2,10.0.0.3", true},
	};
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V03", &n);

	(void)state;
	lab_init(&lab, lab_row("V03"));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vrrp_advert adv;

		lab_set_addrs(&lab, rows[i].ours);
		assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_NONE);
		assert_int_equal(adv.n_addrs, 3);
		if (adv.addresses_differ != rows[i].differ)
			fail_msg("%s", rows[i].ours);
	}
}

/* A list that names one address twice is not ours, although each of its addresses is. */
static void
test_address_list_with_a_repetition(void **state)
{
	struct vrrp_advert adv;
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V03", &n);

	(void)state;
	lab_init(&lab, lab_row("V03"));
	p[39] = 1; /* .1 .2 .1 */
	lab_fix_checksum(p + 20, 20, &lab.addrs[0], &lab.addrs[0]);
	assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_NONE);
	assert_true(adv.addresses_differ);
}

/* RFC 3768 7.1, where the check is wanted: discard unless the sender is the owner. */
static void
test_strict_address_list_v2(void **state)
{
	struct vrrp_advert adv;
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V08", &n);

	(void)state;
	lab_init(&lab, lab_row("V08"));
	for (unsigned priority = 0; priority <= 255; priority++) {
		p[22] = (uint8_t)priority;
		lab_fix_checksum(p + 20, 20, &lab.addrs[0], &lab.addrs[0]);
		lab_set_addrs(&lab, "192.0.2.9");
		lab.codec.strict_addresses = true;
		assert_int_equal(lab_receive(p, n, &lab.codec, &adv),
				 priority == 255 ? VRRP_DROP_NONE : VRRP_DROP_ADDRESS_LIST);
		lab.codec.strict_addresses = false;
		assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_NONE);
		assert_true(adv.addresses_differ);
		lab_set_addrs(&lab, "192.0.2.1");
		lab.codec.strict_addresses = true;
		assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_NONE);
		assert_false(adv.addresses_differ);
	}
}

/* In version 3 a foreign list is told, never discarded (RFC 9568 7.1). */
static void
test_strict_address_list_is_not_for_v3(void **state)
{
	struct vrrp_advert adv;
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("V01", &n);

	(void)state;
	lab_init(&lab, lab_row("V01"));
	lab_set_addrs(&lab, "192.0.2.9");
	lab.codec.strict_addresses = true;
	assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_NONE);
	assert_true(adv.addresses_differ);
}

static void
test_first_ipv6_address_not_link_local(void **state)
{
	struct vrrp_datagram d;
	struct vrrp_advert adv;
	struct lab lab;
	uint8_t swap[16];
	size_t n;
	OCTETS *p = lab_octets("V06", &n);

	(void)state;
	lab_init(&lab, lab_row("V06"));
	memcpy(swap, p + 48, 16);
	memmove(p + 48, p + 64, 16);
	memcpy(p + 64, swap, 16);
	assert_int_equal(lab_datagram(p, n, &d), VRRP_DROP_NONE);
	lab_fix_checksum(p + 40, d.len, &d.src, &d.dst);
	assert_int_equal(vrrp_packet_check(&d, &lab.codec, &adv), VRRP_DROP_NONE);
	assert_true(adv.first_not_link_local);
	assert_false(adv.addresses_differ);
}

/* ---- names ---- */

static void
test_names(void **state)
{
	struct ip_addr g4 = lab_addr("224.0.0.18"), g6 = lab_addr("ff02::12"), got;

	(void)state;
	for (unsigned i = 0; i < VRRP_DROP_COUNT; i++) {
		assert_true(vrrp_drop_label((enum vrrp_drop)i)[0] != '\0');
		assert_true(vrrp_drop_text((enum vrrp_drop)i)[0] != '\0');
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(vrrp_drop_label((enum vrrp_drop)i),
						vrrp_drop_label((enum vrrp_drop)j));
	}
	assert_string_equal(vrrp_drop_label(VRRP_DROP_AUTH_TYPE), "auth_type");
	assert_string_equal(vrrp_drop_text(VRRP_DROP_TTL), "TTL or hop limit is not 255");
	assert_string_equal(vrrp_checksum_form_name(VRRP_CHECKSUM_RFC9568), "rfc9568");
	assert_string_equal(vrrp_checksum_form_name(VRRP_CHECKSUM_RFC5798), "rfc5798");
	got = vrrp_group(IP_FAMILY_V4);
	assert_true(ip_addr_equal(&got, &g4));
	got = vrrp_group(IP_FAMILY_V6);
	assert_true(ip_addr_equal(&got, &g6));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions_do_not_mix),
		cmocka_unit_test(test_unknown_vrid),
		cmocka_unit_test(test_every_ttl),
		cmocka_unit_test(test_ttl_min_of_unicast),
		cmocka_unit_test(test_type_must_be_advertisement),
		cmocka_unit_test(test_every_checksum),
		cmocka_unit_test(test_ipv6_message_only_sum_is_wrong),
		cmocka_unit_test(test_both_forms_on_the_wire),
		cmocka_unit_test(test_unicast_forms),
		cmocka_unit_test(test_destination_fits_the_mode),
		cmocka_unit_test(test_source_is_a_legal_sender),
		cmocka_unit_test(test_unicast_source_is_a_peer),
		cmocka_unit_test(test_unicast_ipv6),
		cmocka_unit_test(test_owner_discards_every_advert),
		cmocka_unit_test(test_owner_gets_no_wrong_advert),
		cmocka_unit_test(test_every_interval_field_v3),
		cmocka_unit_test(test_every_interval_v2),
		cmocka_unit_test(test_v2_authentication),
		cmocka_unit_test(test_v2_message_of_an_ah_packet),
		cmocka_unit_test(test_v2_without_the_eight_octets),
		cmocka_unit_test(test_address_list_differences),
		cmocka_unit_test(test_address_list_with_a_repetition),
		cmocka_unit_test(test_strict_address_list_v2),
		cmocka_unit_test(test_strict_address_list_is_not_for_v3),
		cmocka_unit_test(test_first_ipv6_address_not_link_local),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
