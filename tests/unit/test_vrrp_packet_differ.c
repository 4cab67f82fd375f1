/*
 * test_vrrp_packet_differ.c - which addresses of an advert are not ours, and which of ours it lacks (RFC 9568 7.1).
 */
#include "proto/vrrp_packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/macros.h"

#define LIST_MAX 8

struct list {
	struct ip_addr v[LIST_MAX];
	uint16_t n;
};

/* "a b c": addresses 192.0.2.x, or with `family` 6 2001:db8::x, one for each letter. */
static struct list
list_of(uint8_t family, const char *letters)
{
	struct list l = {0};

	for (; *letters != '\0'; letters++) {
		uint8_t v4[4] = {192, 0, 2, (uint8_t)*letters}, v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)*letters};

		l.v[l.n++] = ip_addr_from(family, family == IP_FAMILY_V4 ? v4 : v6);
	}
	return l;
}

static char
letter_of(const struct ip_addr *a)
{
	return a->family == IP_FAMILY_NONE ? '-' : (char)a->b[ip_family_size(a->family) - 1];
}

static void
judge(uint8_t family, const char *ours, const char *theirs, const char *want)
{
	struct list own = list_of(family, ours), other = list_of(family, theirs);
	struct vrrp_codec codec = {.version = 3, .family = family, .vrid = 51, .adver_int_cs = 100, .n_addrs = own.n, .addrs = own.v};
	struct vrrp_codec peer = codec;
	struct ip_addr src = family == IP_FAMILY_V4 ? list_of(family, "S").v[0] : (struct ip_addr){0}, dst = vrrp_group(family);
	uint8_t link_local[16] = {0xfe, 0x80, [15] = 1}, buf[512];
	struct ip_addr missing, foreign;
	struct vrrp_datagram d;
	struct vrrp_advert adv;
	char got[4];
	int len;

	if (family == IP_FAMILY_V6)
		src = ip_addr_from(family, link_local);
	peer.n_addrs = other.n;
	peer.addrs = other.v;
	len = vrrp_packet_encode(&peer, 100, VRRP_CHECKSUM_RFC9568, &src, &dst, buf, sizeof(buf));
	assert_true(len > 0);
	d = (struct vrrp_datagram){.src = src, .dst = dst, .ttl = 255, .msg = buf, .len = (size_t)len};
	assert_int_equal(vrrp_packet_check(&d, &codec, &adv), VRRP_DROP_NONE);
	assert_int_equal(adv.addresses_differ, want[0] != '-' || want[1] != '-');
	vrrp_packet_differ(&d, &codec, &missing, &foreign);
	snprintf(got, sizeof(got), "%c%c", letter_of(&missing), letter_of(&foreign));
	assert_string_equal(got, want);
}

static void
test_first_missing_and_first_foreign(void **state)
{
	static const struct {
		const char *ours, *theirs, *want; /* missing there, foreign here */
	} rows[] = {
		{"a", "a", "--"},     {"ab", "ba", "--"},   {"abc", "cab", "--"}, {"a", "b", "ab"},	{"ab", "a", "b-"},
		{"a", "ab", "-b"},    {"abc", "adc", "bd"}, {"abc", "xyz", "ax"}, {"abcd", "dcb", "a-"}, {"abc", "cbax", "-x"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		judge(IP_FAMILY_V4, rows[i].ours, rows[i].theirs, rows[i].want);
		judge(IP_FAMILY_V6, rows[i].ours, rows[i].theirs, rows[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_missing_and_first_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
