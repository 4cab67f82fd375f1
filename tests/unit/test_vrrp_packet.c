/*
 * test_vrrp_packet.c - VRRP messages: every recorded packet decoded and encoded, every check in its order.
 *
 * RFC 9568 5 and 7, RFC 3768 5.3 and 7.1, RFC 2338 5.3.6. Random packets are in test_vrrp_packet_random.c.
 */
#include "proto/vrrp_packet.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/packet_lab.h"

/* ---- recorded packets ---- */

static void
test_every_vector_is_judged_as_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lab_rows); i++) {
		const struct lab_row *row = &lab_rows[i];
		struct vrrp_advert adv;
		struct lab lab;
		size_t n;
		OCTETS *p = lab_octets(row->name, &n);
		enum vrrp_drop drop;

		lab_init(&lab, row);
		drop = lab_receive(p, n, &lab.codec, &adv);
		if (drop != row->drop)
			fail_msg("%s: %s", row->name, vrrp_drop_label(drop));
		if (drop != VRRP_DROP_NONE)
			continue;
		assert_int_equal(adv.version, row->version);
		assert_int_equal(adv.vrid, row->vrid);
		assert_int_equal(adv.priority, row->priority);
		assert_int_equal(adv.adver_int_cs, row->interval_cs);
		assert_int_equal(adv.n_addrs, lab.codec.n_addrs);
		assert_false(adv.interval_differs);
		assert_false(adv.addresses_differ);
		assert_false(adv.first_not_link_local);
		if (row->form != VRRP_CHECKSUM_FORM_COUNT)
			assert_int_equal(adv.form, row->form);
		assert_memory_equal(adv.src.b,
				    row->version == 3 && lab.codec.family == IP_FAMILY_V6 ? p + 8 : p + 12,
				    ip_family_size(lab.codec.family));
	}
}

/* Encode what a vector says and compare octet for octet, with and without the IP header. */
static void
test_vectors_are_encoded_octet_for_octet(void **state)
{
	static const char *const names[] = {"V01", "V02", "V03", "V04", "V06", "V07",
					    "V08", "V09", "V10", "V13", "V14"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct lab_row *row = lab_row(names[i]);
		enum vrrp_checksum_form form =
			row->form == VRRP_CHECKSUM_RFC5798 ? VRRP_CHECKSUM_RFC5798 : VRRP_CHECKSUM_RFC9568;
		uint8_t buf[VRRP_DATAGRAM_MAX];
		struct vrrp_datagram d;
		struct lab lab;
		size_t n;
		OCTETS *p = lab_octets(names[i], &n);
		int r;

		print_message("%s\n", names[i]);
		lab_init(&lab, row);
		assert_int_equal(lab_datagram(p, n, &d), VRRP_DROP_NONE);
		r = vrrp_packet_encode(&lab.codec, row->priority, form, &d.src, &d.dst, buf, sizeof(buf));
		assert_int_equal(r, d.len);
		assert_memory_equal(buf, d.msg, d.len);
		r = vrrp_packet_encode_ip(&lab.codec, row->priority, form, &d.src, &d.dst, buf, sizeof(buf));
		assert_int_equal(r, n);
		if (lab.codec.family == IP_FAMILY_V4)
			p[10] = p[11] = 0; /* the header checksum is the kernel's */
		assert_memory_equal(buf, p, n);
	}
}

/* The form is a matter of v3 over IPv4: v2 and IPv6 have one sum each, whatever is asked for. */
static void
test_form_does_not_touch_v2_and_ipv6(void **state)
{
	static const char *const names[] = {"V06", "V07", "V08", "V09", "V10"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct lab_row *row = lab_row(names[i]);
		uint8_t buf[VECTOR_OCTETS_MAX];
		struct vrrp_datagram d;
		struct lab lab;
		size_t n;
		OCTETS *p = lab_octets(names[i], &n);

		lab_init(&lab, row);
		assert_int_equal(lab_datagram(p, n, &d), VRRP_DROP_NONE);
		assert_int_equal(vrrp_packet_encode(&lab.codec, row->priority, VRRP_CHECKSUM_RFC5798, &d.src,
						    &d.dst, buf, sizeof(buf)),
				 d.len);
		assert_memory_equal(buf, d.msg, d.len);
	}
}

/* Without authentication the eight octets are zero, whatever lies in the codec (RFC 3768 5.3.10). */
static void
test_encoding_v2_without_authentication_sends_zeros(void **state)
{
	static const uint8_t zero[VRRP_AUTH_SIZE];
	struct ip_addr src = lab_addr("192.0.2.20"), dst = vrrp_group(IP_FAMILY_V4);
	struct lab lab;
	uint8_t buf[64];

	(void)state;
	lab_init(&lab, lab_row("V08"));
	memset(lab.codec.auth, 'x', sizeof(lab.codec.auth));
	assert_int_equal(
		vrrp_packet_encode(&lab.codec, 100, VRRP_CHECKSUM_RFC9568, &src, &dst, buf, sizeof(buf)), 20);
	assert_memory_equal(buf + 12, zero, sizeof(zero));
}

static void
test_encoding_keeps_the_configured_order(void **state)
{
	static const char want[] = "3133 6403 0064 0000 c000 0203 c000 0201 c000 0202";
	struct ip_addr src = lab_addr("192.0.2.20"), dst = vrrp_group(IP_FAMILY_V4);
	uint8_t buf[64], expect[64];
	struct lab lab;

	(void)state;
	lab_init(&lab, lab_row("V01"));
	lab_set_addrs(&lab, "192.0.2.3,192.0.2.1,192.0.2.2");
	assert_int_equal(hex_octets(want, expect, sizeof(expect)), 20);
	lab_fix_checksum(expect, 20, &src, &dst);
	assert_int_equal(
		vrrp_packet_encode(&lab.codec, 100, VRRP_CHECKSUM_RFC9568, &src, &dst, buf, sizeof(buf)), 20);
	assert_memory_equal(buf, expect, 20);
}

/* RFC 9568 5.2.6, 5.2.7: the reserve bits are sent as zero and 4095 cs fills all twelve others. */
static void
test_encoding_the_widest_interval(void **state)
{
	struct ip_addr src = lab_addr("192.0.2.20"), dst = vrrp_group(IP_FAMILY_V4);
	struct lab lab;
	uint8_t buf[64];

	(void)state;
	lab_init(&lab, lab_row("V01"));
	lab.codec.adver_int_cs = 4095;
	assert_int_equal(
		vrrp_packet_encode(&lab.codec, 255, VRRP_CHECKSUM_RFC9568, &src, &dst, buf, sizeof(buf)), 12);
	assert_int_equal(buf[4], 0x0f);
	assert_int_equal(buf[5], 0xff);
	lab_init(&lab, lab_row("V08"));
	lab.codec.adver_int_cs = 25500;
	assert_int_equal(
		vrrp_packet_encode(&lab.codec, 255, VRRP_CHECKSUM_RFC9568, &src, &dst, buf, sizeof(buf)), 20);
	assert_int_equal(buf[5], 255);
}

static void
test_encoding_into_a_small_buffer(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lab_rows); i++) {
		const struct lab_row *row = &lab_rows[i];
		struct vrrp_datagram d;
		struct lab lab;
		size_t n;
		OCTETS *p = lab_octets(row->name, &n);
		size_t header, total;

		lab_init(&lab, row);
		if (row->drop != VRRP_DROP_NONE)
			continue;
		assert_int_equal(lab_datagram(p, n, &d), VRRP_DROP_NONE);
		header = lab.codec.family == IP_FAMILY_V4 ? 20 : 40;
		total = header + d.len;
		for (size_t size = 0; size <= total; size++) {
			OCTETS *buf = malloc(size ? size : 1);
			int r = vrrp_packet_encode_ip(&lab.codec, 100, VRRP_CHECKSUM_RFC9568, &d.src, &d.dst,
						      buf, size);

			assert_int_equal(r, size < total ? -EMSGSIZE : (int)total);
		}
		for (size_t size = 0; size <= d.len; size++) {
			OCTETS *buf = malloc(size ? size : 1);
			int r = vrrp_packet_encode(&lab.codec, 100, VRRP_CHECKSUM_RFC9568, &d.src, &d.dst, buf,
						   size);

			assert_int_equal(r, size < d.len ? -EMSGSIZE : (int)d.len);
		}
	}
}

/* 255 addresses fit every version and family, and come back whole. */
static void
test_largest_adverts_go_round(void **state)
{
	static const struct {
		uint8_t version, family;
		int octets; /* with the IP header */
	} rows[] = {{3, IP_FAMILY_V4, 1048}, {2, IP_FAMILY_V4, 1056}, {3, IP_FAMILY_V6, 4128}};
	static struct ip_addr addrs[255];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool v6 = rows[i].family == IP_FAMILY_V6;
		struct vrrp_codec codec = {.version = rows[i].version,
					   .family = rows[i].family,
					   .vrid = 9,
					   .adver_int_cs = 100,
					   .ttl_min = 255,
					   .n_addrs = 255,
					   .addrs = addrs};
		struct ip_addr src = lab_addr(v6 ? "fe80::20" : "192.0.2.20"), dst = vrrp_group(rows[i].family);
		uint8_t buf[VRRP_DATAGRAM_MAX];
		struct vrrp_advert adv;
		int n;

		for (unsigned j = 0; j < 255; j++) {
			addrs[j] = lab_addr(v6 ? "fe80::" : "10.0.0.0");
			addrs[j].b[ip_family_size(rows[i].family) - 1] = (uint8_t)(j + 1);
		}
		n = vrrp_packet_encode_ip(&codec, 200, VRRP_CHECKSUM_RFC9568, &src, &dst, buf, sizeof(buf));
		assert_int_equal(n, rows[i].octets);
		assert_int_equal(lab_receive(buf, (size_t)n, &codec, &adv), VRRP_DROP_NONE);
		assert_int_equal(adv.n_addrs, 255);
		assert_int_equal(adv.priority, 200);
		assert_false(adv.addresses_differ);
	}
}

/* ---- the IPv4 header ---- */

static void
test_ipv4_header_of_every_length(void **state)
{
	(void)state;
	for (unsigned ihl = 0; ihl <= 15; ihl++) {
		size_t n = ihl * 4 + 12, old;
		struct vrrp_datagram d;
		struct vrrp_advert adv;
		struct lab lab;
		OCTETS *v01 = lab_octets("V01", &old);
		OCTETS *p = calloc(1, n < 20 ? 20 : n);

		lab_init(&lab, lab_row("V01"));
		memcpy(p, v01, 20);
		p[0] = (uint8_t)(0x40 | ihl);
		p[3] = (uint8_t)n;
		if (ihl < 5) {
			assert_int_equal(vrrp_packet_ipv4(p, 20, &d), VRRP_DROP_LENGTH);
			continue;
		}
		memset(p + 20, 1, ihl * 4 - 20); /* options: no operation */
		memcpy(p + ihl * 4, v01 + 20, 12);
		assert_int_equal(vrrp_packet_ipv4(p, n, &d), VRRP_DROP_NONE);
		assert_ptr_equal(d.msg, p + ihl * 4);
		assert_int_equal(d.len, 12);
		assert_int_equal(d.ttl, 255);
		assert_false(d.own);
		assert_int_equal(vrrp_packet_check(&d, &lab.codec, &adv), VRRP_DROP_NONE);
		/* Cut inside the options: the header itself is not whole. */
		if (ihl > 5) {
			OCTETS *cut = malloc(n - 13);

			memcpy(cut, p, n - 13);
			cut[3] = (uint8_t)(n - 13);
			assert_int_equal(vrrp_packet_ipv4(cut, n - 13, &d), VRRP_DROP_LENGTH);
		}
	}
}

/* The total length may be smaller than what was received (padding), never larger, never less than the header.
 */
static void
test_ipv4_total_length_lies(void **state)
{
	struct vrrp_datagram d;
	struct lab lab;
	size_t n;
	OCTETS *p = lab_octets("P01", &n);

	(void)state;
	lab_init(&lab, lab_row("P01"));
	assert_int_equal(n, 46);
	for (unsigned total = 0; total <= 0xffff; total++) {
		struct vrrp_advert adv;

		p[2] = (uint8_t)(total >> 8);
		p[3] = (uint8_t)total;
		if (total < 20 || total > 46) {
			assert_int_equal(vrrp_packet_ipv4(p, n, &d), VRRP_DROP_LENGTH);
			continue;
		}
		assert_int_equal(vrrp_packet_ipv4(p, n, &d), VRRP_DROP_NONE);
		assert_int_equal(d.len, total - 20);
		assert_int_equal(vrrp_packet_check(&d, &lab.codec, &adv),
				 total == 32 ? VRRP_DROP_NONE : VRRP_DROP_LENGTH);
	}
}

static void
test_ipv4_header_fields(void **state)
{
	struct ip_addr src = lab_addr("192.0.2.10"), dst = lab_addr("192.0.2.20");
	struct vrrp_datagram d;
	size_t n;
	OCTETS *p = lab_octets("V13", &n);

	(void)state;
	memset(&d, 0xff, sizeof(d));
	assert_int_equal(vrrp_packet_ipv4(p, n, &d), VRRP_DROP_NONE);
	assert_true(ip_addr_equal(&d.src, &src));
	assert_true(ip_addr_equal(&d.dst, &dst));
	assert_false(d.own);
	assert_int_equal(vrrp_packet_peek_vrid(&d), 51);
}

static void
test_peek_needs_two_octets(void **state)
{
	static const uint8_t msg[2] = {0x31, 51};
	struct vrrp_datagram d = {.msg = msg};

	(void)state;
	assert_int_equal(vrrp_packet_peek_vrid(&d), 0);
	d.len = 1;
	assert_int_equal(vrrp_packet_peek_vrid(&d), 0);
	d.len = 2;
	assert_int_equal(vrrp_packet_peek_vrid(&d), 51);
}

/* ---- lengths ---- */

/* Every vector, cut at every length: as it arrived, and with the total length made to agree. */
static void
test_every_truncation_of_every_vector(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lab_rows); i++) {
		const struct lab_row *row = &lab_rows[i];
		struct lab lab;
		size_t n;
		OCTETS *p = lab_octets(row->name, &n);
		size_t whole = p[0] >> 4 == 6 ? n : (size_t)(p[2] << 8 | p[3]);

		lab_init(&lab, row);
		for (size_t cut = 0; cut < whole; cut++) {
			OCTETS *q = malloc(cut ? cut : 1);
			struct vrrp_advert adv;

			memcpy(q, p, cut);
			assert_int_not_equal(lab_receive(q, cut, &lab.codec, &adv), VRRP_DROP_NONE);
			assert_int_not_equal(lab_receive(q, cut, NULL, &adv), VRRP_DROP_NONE);
			if (cut < 20 || p[0] >> 4 == 6 || row->drop != VRRP_DROP_NONE)
				continue;
			q[2] = 0;
			q[3] = (uint8_t)cut;
			assert_int_equal(lab_receive(q, cut, &lab.codec, &adv), VRRP_DROP_LENGTH);
		}
	}
}

/* 0, 1 and 7 octets of message: shorter than the header, whatever else they are. */
static void
test_shorter_than_the_header(void **state)
{
	static const char *const names[] = {"V01", "V06", "V08"};
	static const size_t lens[] = {0, 1, 2, 4, 7};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(lens); j++) {
			struct vrrp_datagram d;
			struct vrrp_advert adv;
			struct lab lab;
			size_t n;
			OCTETS *p = lab_octets(names[i], &n);
			OCTETS *msg = malloc(lens[j] ? lens[j] : 1);

			lab_init(&lab, lab_row(names[i]));
			assert_int_equal(lab_datagram(p, n, &d), VRRP_DROP_NONE);
			memcpy(msg, d.msg, lens[j]);
			d.msg = msg;
			d.len = lens[j];
			assert_int_equal(vrrp_packet_check(&d, &lab.codec, &adv), VRRP_DROP_LENGTH);
			d.ttl = 254;
			assert_int_equal(vrrp_packet_check(&d, &lab.codec, &adv), VRRP_DROP_TTL);
		}
	}
}

/* Every count against every length: exactly one length fits each count. */
static void
test_count_and_length_must_agree(void **state)
{
	static const char *const names[] = {"V01", "V06", "V08"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct lab_row *row = lab_row(names[i]);
		struct vrrp_datagram d;
		struct lab lab;
		size_t n;
		OCTETS *p = lab_octets(names[i], &n);

		lab_init(&lab, row);
		assert_int_equal(lab_datagram(p, n, &d), VRRP_DROP_NONE);
		for (size_t len = 8; len <= 80; len++) {
			OCTETS *msg = calloc(1, len);

			memcpy(msg, d.msg, MIN(len, d.len));
			for (unsigned count = 0; count <= 255; count++) {
				size_t fits = (row->version == 2 ? 16u : 8u) +
					      count * ip_family_size(lab.codec.family);
				struct vrrp_datagram cut = d;
				struct vrrp_advert adv;
				enum vrrp_drop drop;

				cut.msg = msg;
				cut.len = len;
				msg[3] = (uint8_t)count;
				lab_fix_checksum(msg, len, &d.src, &d.dst);
				drop = vrrp_packet_check(&cut, &lab.codec, &adv);
				if (len != fits)
					assert_int_equal(drop, VRRP_DROP_LENGTH);
				else if (count == 0)
					assert_int_equal(drop, VRRP_DROP_ADDRESS_COUNT);
				else
					assert_int_equal(drop, VRRP_DROP_NONE);
			}
		}
	}
}

/* Larger than any VRRP packet: never accepted, and never read beyond. */
static void
test_oversized(void **state)
{
	static const size_t lens[] = {4089, 4129, 5000, 65515};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		OCTETS *msg = calloc(1, lens[i]);
		struct vrrp_datagram d = {.src = lab_addr("192.0.2.10"),
					  .dst = vrrp_group(IP_FAMILY_V4),
					  .ttl = 255,
					  .msg = msg,
					  .len = lens[i]};
		struct vrrp_advert adv;
		struct lab lab;
		enum vrrp_drop drop;

		lab_init(&lab, lab_row("V01"));
		memcpy(msg, "\x31\x33\x64\xff\x00\x64", 6);
		lab_fix_checksum(msg, lens[i], &d.src, &d.dst);
		drop = vrrp_packet_check(&d, &lab.codec, &adv);
		assert_true(drop == VRRP_DROP_LENGTH || drop == VRRP_DROP_TRUNCATED);
	}
}

/* ---- the order of the checks ---- */

/* A packet on its way in, which the rows below break one field at a time. */
struct trial {
	struct lab lab;
	struct vrrp_datagram d;
	uint8_t *msg;
	size_t len;
	bool no_codec;
	bool bad_sum;
};

static void
break_own(struct trial *t)
{
	t->d.own = true;
}

static void
break_destination(struct trial *t)
{
	t->d.dst = t->lab.codec.unicast ? vrrp_group(IP_FAMILY_V4) : lab_addr("192.0.2.20");
}

static void
break_ttl(struct trial *t)
{
	t->d.ttl = 1;
}

static void
break_version(struct trial *t)
{
	t->msg[0] = (uint8_t)(0x70 | (t->msg[0] & 0x0f));
}

static void
break_type(struct trial *t)
{
	t->msg[0] = (uint8_t)((t->msg[0] & 0xf0) | 2);
}

static void
break_length(struct trial *t)
{
	t->len++;
}

static void
break_checksum(struct trial *t)
{
	t->bad_sum = true;
}

static void
break_vrid(struct trial *t)
{
	t->msg[1] = 52;
	t->no_codec = true;
}

static void
break_owner(struct trial *t)
{
	t->lab.codec.owner = true;
}

static void
break_count(struct trial *t)
{
	t->msg[3] = 0;
	t->len -= 4;
}

static void
break_interval(struct trial *t)
{
	if (t->lab.codec.version == 3)
		t->msg[4] = t->msg[5] = 0;
	else
		t->msg[5] = 9;
}

static void
break_interval_to_0(struct trial *t)
{
	t->msg[4] = t->lab.codec.version == 3 ? 0 : t->msg[4];
	t->msg[5] = 0;
}

static void
break_source(struct trial *t)
{
	t->d.src = lab_addr("224.0.0.5");
}

static void
break_peer(struct trial *t)
{
	t->lab.peers[0] = lab_addr("192.0.2.11");
}

static void
break_auth_type(struct trial *t)
{
	t->msg[4] = 0;
}

static void
break_auth(struct trial *t)
{
	t->lab.codec.auth[7] = 'x';
}

static void
break_addresses(struct trial *t)
{
	lab_set_addrs(&t->lab, "192.0.2.9");
}

struct breakage {
	void (*apply)(struct trial *t);
	enum vrrp_drop drop;
};

static enum vrrp_drop
run_trial(const char *vector, const struct breakage *const *broken, size_t n_broken)
{
	struct vrrp_advert adv;
	struct trial t = {0};
	size_t n;
	OCTETS *p = lab_octets(vector, &n);
	OCTETS *msg = NULL;

	lab_init(&t.lab, lab_row(vector));
	t.lab.codec.strict_addresses = t.lab.codec.version == 2;
	assert_int_equal(lab_datagram(p, n, &t.d), VRRP_DROP_NONE);
	t.len = t.d.len;
	t.msg = msg = calloc(1, t.len + 1);
	memcpy(msg, t.d.msg, t.len);
	for (size_t i = 0; i < n_broken; i++)
		broken[i]->apply(&t);
	lab_fix_checksum(msg, t.len, &t.d.src, &t.d.dst);
	if (t.bad_sum)
		msg[7] ^= 1;
	t.d.msg = msg;
	t.d.len = t.len;
	return vrrp_packet_check(&t.d, t.no_codec ? NULL : &t.lab.codec, &adv);
}

/* Alone, in every pair, and together with all that come later, each breakage is named if it is the first. */
static void
check_order(const char *vector, const struct breakage *rows, size_t n)
{
	const struct breakage *list[32];

	assert_int_equal(run_trial(vector, NULL, 0), VRRP_DROP_NONE);
	for (size_t i = 0; i < n; i++) {
		enum vrrp_drop drop;

		for (size_t j = i; j < n; j++) {
			/* Without a virtual router nobody knows which destination it would want. */
			if (rows[i].drop == VRRP_DROP_DESTINATION && rows[j].drop == VRRP_DROP_VRID)
				continue;
			list[0] = &rows[j];
			list[1] = &rows[i];
			drop = run_trial(vector, list, i == j ? 1 : 2);
			if (drop != rows[i].drop)
				fail_msg("%s: %s and %s broken, but %s was found", vector,
					 vrrp_drop_label(rows[i].drop), vrrp_drop_label(rows[j].drop),
					 vrrp_drop_label(drop));
		}
		for (size_t j = i; j < n; j++)
			list[j - i] = &rows[j];
		if (rows[i].drop == VRRP_DROP_DESTINATION)
			continue;
		drop = run_trial(vector, list, n - i);
		if (drop != rows[i].drop)
			fail_msg("%s: %s and all later ones broken, but %s was found", vector,
				 vrrp_drop_label(rows[i].drop), vrrp_drop_label(drop));
	}
}

static void
test_order_of_checks_v3(void **state)
{
	static const struct breakage rows[] = {
		{break_own, VRRP_DROP_OWN},	      {break_destination, VRRP_DROP_DESTINATION},
		{break_ttl, VRRP_DROP_TTL},	      {break_version, VRRP_DROP_VERSION},
		{break_type, VRRP_DROP_TYPE},	      {break_length, VRRP_DROP_LENGTH},
		{break_checksum, VRRP_DROP_CHECKSUM}, {break_vrid, VRRP_DROP_VRID},
		{break_owner, VRRP_DROP_OWNER},	      {break_count, VRRP_DROP_ADDRESS_COUNT},
		{break_interval, VRRP_DROP_INTERVAL}, {break_source, VRRP_DROP_SOURCE},
	};

	(void)state;
	check_order("V01", rows, ARRAY_SIZE(rows));
}

static void
test_order_of_checks_v3_unicast(void **state)
{
	static const struct breakage rows[] = {
		{break_own, VRRP_DROP_OWN},
		{break_destination, VRRP_DROP_DESTINATION},
		{break_ttl, VRRP_DROP_TTL},
		{break_version, VRRP_DROP_VERSION},
		{break_type, VRRP_DROP_TYPE},
		{break_length, VRRP_DROP_LENGTH},
		{break_checksum, VRRP_DROP_CHECKSUM},
		{break_owner, VRRP_DROP_OWNER},
		{break_count, VRRP_DROP_ADDRESS_COUNT},
		{break_interval, VRRP_DROP_INTERVAL},
		{break_source, VRRP_DROP_SOURCE},
		{break_peer, VRRP_DROP_PEER},
	};

	(void)state;
	check_order("V13", rows, ARRAY_SIZE(rows));
}

/* RFC 3768 7.1: the type comes after VRID and owner, the interval last. */
static void
test_order_of_checks_v2(void **state)
{
	static const struct breakage rows[] = {
		{break_own, VRRP_DROP_OWN},	      {break_destination, VRRP_DROP_DESTINATION},
		{break_ttl, VRRP_DROP_TTL},	      {break_version, VRRP_DROP_VERSION},
		{break_length, VRRP_DROP_LENGTH},     {break_checksum, VRRP_DROP_CHECKSUM},
		{break_vrid, VRRP_DROP_VRID},	      {break_owner, VRRP_DROP_OWNER},
		{break_type, VRRP_DROP_TYPE},	      {break_auth_type, VRRP_DROP_AUTH_TYPE},
		{break_auth, VRRP_DROP_AUTH},	      {break_addresses, VRRP_DROP_ADDRESS_LIST},
		{break_interval, VRRP_DROP_INTERVAL},
	};

	(void)state;
	check_order("V10", rows, ARRAY_SIZE(rows));
}

/* An interval of 0 is in version 2 no more than an interval that is not ours: still the last check. */
static void
test_order_of_checks_v2_interval_0(void **state)
{
	static const struct breakage rows[] = {
		{break_type, VRRP_DROP_TYPE},
		{break_auth_type, VRRP_DROP_AUTH_TYPE},
		{break_auth, VRRP_DROP_AUTH},
		{break_addresses, VRRP_DROP_ADDRESS_LIST},
		{break_interval_to_0, VRRP_DROP_INTERVAL},
	};

	(void)state;
	check_order("V10", rows, ARRAY_SIZE(rows));
}

/* Three failures at once count once, at the TTL. */
static void
test_one_failing_step_counts_once(void **state)
{
	size_t n;
	struct lab lab;
	struct vrrp_advert adv;
	OCTETS *p = lab_octets("N04", &n);

	(void)state;
	lab_init(&lab, lab_row("N04"));
	p[8] = 1;
	p[20] = 0x71;
	assert_int_equal(lab_receive(p, n, &lab.codec, &adv), VRRP_DROP_TTL);
	assert_int_equal(lab_receive(p, n, NULL, &adv), VRRP_DROP_TTL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_vector_is_judged_as_written),
		cmocka_unit_test(test_vectors_are_encoded_octet_for_octet),
		cmocka_unit_test(test_form_does_not_touch_v2_and_ipv6),
		cmocka_unit_test(test_encoding_v2_without_authentication_sends_zeros),
		cmocka_unit_test(test_encoding_keeps_the_configured_order),
		cmocka_unit_test(test_encoding_the_widest_interval),
		cmocka_unit_test(test_encoding_into_a_small_buffer),
		cmocka_unit_test(test_largest_adverts_go_round),
		cmocka_unit_test(test_ipv4_header_of_every_length),
		cmocka_unit_test(test_ipv4_total_length_lies),
		cmocka_unit_test(test_ipv4_header_fields),
		cmocka_unit_test(test_peek_needs_two_octets),
		cmocka_unit_test(test_every_truncation_of_every_vector),
		cmocka_unit_test(test_shorter_than_the_header),
		cmocka_unit_test(test_count_and_length_must_agree),
		cmocka_unit_test(test_oversized),
		cmocka_unit_test(test_order_of_checks_v3),
		cmocka_unit_test(test_order_of_checks_v3_unicast),
		cmocka_unit_test(test_order_of_checks_v2),
		cmocka_unit_test(test_order_of_checks_v2_interval_0),
		cmocka_unit_test(test_one_failing_step_counts_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
