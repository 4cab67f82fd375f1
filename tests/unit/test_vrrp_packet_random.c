/*
 * test_vrrp_packet_random.c - random and mutated packets against a second implementation of the checklist.
 *
 * The judge below is written from the checklist alone, in another style than the code under test: one condition
 * over the octets, no order. Both must agree on every packet: nothing wrong is accepted, nothing right is lost.
 */
#include "proto/vrrp_packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "support/packet_lab.h"

#define ROUNDS 200000

/* xorshift64*: small, and the same everywhere for a seed. */
static uint32_t
next_random(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return (uint32_t)((*seed * 0x2545f4914f6cdd1dull) >> 32);
}

static bool
judge_source(const struct vrrp_datagram *d, const struct vrrp_codec *c)
{
	if (c->unicast) {
		bool known = false;

		for (unsigned i = 0; i < c->n_peers; i++)
			known = known || memcmp(&c->peers[i], &d->src, sizeof(d->src)) == 0;
		return known;
	}
	if (c->family == IP_FAMILY_V6)
		return d->src.b[0] == 0xfe && d->src.b[1] >= 0x80 && d->src.b[1] <= 0xbf;
	return d->src.b[0] >= 1 && d->src.b[0] <= 223;
}

static bool
judge_sum(const struct vrrp_datagram *d, const struct vrrp_codec *c)
{
	bool plain = lab_sum(0, d->msg, d->len) == 0xffff;
	bool pseudo = lab_sum(lab_pseudo(&d->src, &d->dst, d->len), d->msg, d->len) == 0xffff;

	if (c->version == 2)
		return plain;
	return c->family == IP_FAMILY_V6 ? pseudo : plain || pseudo;
}

static bool
judge_v2(const struct vrrp_datagram *d, const struct vrrp_codec *c)
{
	const uint8_t *m = d->msg;

	if (d->len != 16 + m[3] * 4u || m[5] * 100 != c->adver_int_cs)
		return false;
	return c->has_auth ? m[4] == 1 && memcmp(m + d->len - 8, c->auth, 8) == 0 : m[4] == 0;
}

/* True when the packet must be accepted. */
static bool
judge(const struct vrrp_datagram *d, const struct vrrp_codec *c)
{
	struct ip_addr group = lab_addr(c->family == IP_FAMILY_V6 ? "ff02::12" : "224.0.0.18");
	const uint8_t *m = d->msg;

	if (d->own || d->len < 8 || d->ttl < (c->unicast ? c->ttl_min : 255))
		return false;
	if (c->unicast ? ip_addr_is_multicast(&d->dst) : memcmp(&d->dst, &group, sizeof(group)) != 0)
		return false;
	if (m[0] != (c->version << 4 | 1) || m[1] != c->vrid || c->owner || m[3] == 0)
		return false;
	if (!judge_sum(d, c) || !judge_source(d, c))
		return false;
	if (c->version == 2)
		return judge_v2(d, c);
	return ((m[4] & 15) << 8 | m[5]) != 0 && d->len == 8 + m[3] * ip_family_size(c->family);
}

/* Change some octets or bits, now and then the length, now and then repair the sums. */
static uint8_t *
mutate(const uint8_t *p, size_t n, size_t *ret_n, uint64_t *seed)
{
	size_t size = n;
	uint8_t *q;

	if (next_random(seed) % 4 == 0)
		size = next_random(seed) % (n + 24);
	q = malloc(size ? size : 1);
	for (size_t i = 0; i < size; i++)
		q[i] = i < n ? p[i] : (uint8_t)next_random(seed);
	for (unsigned k = next_random(seed) % 5; k > 0 && size > 0; k--) {
		size_t at = next_random(seed) % size;

		/* Half of the changes hit the first octets of the message, where the fields are. */
		if (next_random(seed) % 2 == 0 && size > 60)
			at = (q[0] >> 4 == 6 ? 40 : 20) + next_random(seed) % 8;
		if (next_random(seed) % 2 == 0)
			q[at] ^= (uint8_t)(1 << next_random(seed) % 8);
		else
			q[at] = (uint8_t)next_random(seed);
	}
	if (size >= 24 && q[0] >> 4 == 4 && next_random(seed) % 2 == 0)
		q[3] = (uint8_t)size;
	*ret_n = size;
	return q;
}

static void
repair_sum(uint8_t *q, size_t n)
{
	struct vrrp_datagram d;

	if (lab_datagram(q, n, &d) == VRRP_DROP_NONE && d.len >= 8)
		lab_fix_checksum(q + (d.msg - q), d.len, &d.src, &d.dst);
}

static void
test_mutations_of_every_vector(void **state)
{
	uint64_t seed = (uint64_t)time(NULL) | 1, first;
	unsigned accepted = 0;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned round = 0; round < ROUNDS; round++) {
		const struct lab_row *row = &lab_rows[next_random(&seed) % ARRAY_SIZE(lab_rows)];
		struct vrrp_datagram d;
		struct vrrp_advert adv;
		struct lab lab;
		size_t n, size;
		OCTETS *p = lab_octets(row->name, &n);
		OCTETS *q = NULL;
		bool got, want;

		first = seed;
		lab_init(&lab, row);
		q = mutate(p, n, &size, &seed);
		if (next_random(&seed) % 2 == 0)
			repair_sum(q, size);
		lab_receive(q, size, NULL, &adv);
		got = lab_receive(q, size, &lab.codec, &adv) == VRRP_DROP_NONE;
		want = lab_datagram(q, size, &d) == VRRP_DROP_NONE && judge(&d, &lab.codec);
		if (got != want)
			fail_msg("%s, state %llu: %s", row->name, (unsigned long long)first,
				 got ? "a wrong packet was accepted" : "a right packet was lost");
		accepted += got;
	}
	print_message("%u of %u accepted\n", accepted, ROUNDS);
	assert_in_range(accepted, ROUNDS / 50, ROUNDS / 2);
}

/* Octets without any structure. */
static void
test_garbage(void **state)
{
	uint64_t seed = (uint64_t)time(NULL) | 1;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned round = 0; round < ROUNDS / 4; round++) {
		const struct lab_row *row = &lab_rows[next_random(&seed) % ARRAY_SIZE(lab_rows)];
		struct vrrp_datagram d;
		struct vrrp_advert adv;
		struct lab lab;
		size_t n = next_random(&seed) % 64;
		OCTETS *p = malloc(n ? n : 1);

		lab_init(&lab, row);
		for (size_t i = 0; i < n; i++)
			p[i] = (uint8_t)next_random(&seed);
		assert_int_equal(lab_receive(p, n, &lab.codec, &adv) == VRRP_DROP_NONE,
				 lab_datagram(p, n, &d) == VRRP_DROP_NONE && judge(&d, &lab.codec));
	}
}

/* What is encoded is accepted, and says what was meant. */
static void
test_random_adverts_go_round(void **state)
{
	uint64_t seed = (uint64_t)time(NULL) | 1;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned round = 0; round < 20000; round++) {
		static const char *const names[] = {"V01", "V03", "V06", "V08", "V09", "V13"};
		uint8_t buf[VRRP_DATAGRAM_MAX];
		struct vrrp_datagram d;
		struct vrrp_advert adv;
		struct lab lab;
		uint8_t priority = (uint8_t)next_random(&seed);
		enum vrrp_checksum_form form =
			next_random(&seed) % 2 ? VRRP_CHECKSUM_RFC9568 : VRRP_CHECKSUM_RFC5798;
		int len;

		lab_init(&lab, lab_row(names[next_random(&seed) % ARRAY_SIZE(names)]));
		lab.codec.vrid = (uint8_t)(1 + next_random(&seed) % 255);
		lab.codec.adver_int_cs = lab.codec.version == 2
						 ? (uint16_t)(100 * (1 + next_random(&seed) % 255))
						 : (uint16_t)(1 + next_random(&seed) % 4095);
		d.src = lab_addr(lab.codec.family == IP_FAMILY_V6 ? "fe80::a" : "192.0.2.10");
		d.dst = lab.codec.unicast ? lab_addr("192.0.2.20") : vrrp_group(lab.codec.family);
		len = vrrp_packet_encode_ip(&lab.codec, priority, form, &d.src, &d.dst, buf, sizeof(buf));
		assert_true(len > 0);
		assert_int_equal(lab_receive(buf, (size_t)len, &lab.codec, &adv), VRRP_DROP_NONE);
		assert_int_equal(adv.vrid, lab.codec.vrid);
		assert_int_equal(adv.priority, priority);
		assert_int_equal(adv.adver_int_cs, lab.codec.adver_int_cs);
		assert_int_equal(adv.version, lab.codec.version);
		assert_false(adv.interval_differs || adv.addresses_differ);
		if (lab.codec.version == 3 && lab.codec.family == IP_FAMILY_V4)
			assert_int_equal(adv.form, form);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutations_of_every_vector),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_random_adverts_go_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
