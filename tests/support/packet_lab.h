/*
 * packet_lab.h - the virtual router that each recorded packet is meant for, and packets in exact buffers.
 *
 * Used by the unit tests of the codec. A message always lies in memory of exactly its size, so that the address
 * sanitizer sees one octet read too many.
 */
#ifndef TESTS_SUPPORT_PACKET_LAB_H
#define TESTS_SUPPORT_PACKET_LAB_H

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "proto/vrrp_packet.h"
#include "support/vectors.h"

#define LAB_ADDRS 4

/* A codec with the arrays it points to. */
struct lab {
	struct vrrp_codec codec;
	struct ip_addr addrs[LAB_ADDRS];
	struct ip_addr peers[1];
};

/* What a vector is, seen by the virtual router it is meant for. */
struct lab_row {
	const char *name;
	uint8_t version;
	uint8_t vrid;
	uint16_t interval_cs; /* of the virtual router and, if accepted, of the packet */
	const char *addrs;    /* comma between */
	const char *password; /* NULL: none */
	const char *peer;     /* NULL: multicast */
	enum vrrp_drop drop;
	uint8_t priority; /* when accepted */
	uint8_t form;	  /* when accepted */
};

static const struct lab_row lab_rows[] = {
	{"V01", 3, 51, 100, "192.0.2.1", NULL, NULL, VRRP_DROP_NONE, 100, VRRP_CHECKSUM_RFC9568},
	{"V02", 3, 51, 100, "192.0.2.1", NULL, NULL, VRRP_DROP_NONE, 100, VRRP_CHECKSUM_RFC5798},
	{"V03", 3, 1, 1, "192.0.2.1,192.0.2.2,192.0.2.3", NULL, NULL, VRRP_DROP_NONE, 255,
	 VRRP_CHECKSUM_RFC9568},
	{"V04", 3, 255, 4095, "192.0.2.1", NULL, NULL, VRRP_DROP_NONE, 0, VRRP_CHECKSUM_RFC9568},
	{"V05", 3, 51, 100, "192.0.2.1", NULL, NULL, VRRP_DROP_NONE, 100, VRRP_CHECKSUM_RFC9568},
	{"V06", 3, 51, 100, "fe80::1,2001:db8::1", NULL, NULL, VRRP_DROP_NONE, 200, VRRP_CHECKSUM_FORM_COUNT},
	{"V07", 3, 7, 10, "fe80::7", NULL, NULL, VRRP_DROP_NONE, 0, VRRP_CHECKSUM_FORM_COUNT},
	{"V08", 2, 51, 100, "192.0.2.1", NULL, NULL, VRRP_DROP_NONE, 100, VRRP_CHECKSUM_FORM_COUNT},
	{"V09", 2, 51, 300, "192.0.2.1,192.0.2.2", "password", NULL, VRRP_DROP_NONE, 150,
	 VRRP_CHECKSUM_FORM_COUNT},
	{"V10", 2, 51, 100, "192.0.2.1", "1111", NULL, VRRP_DROP_NONE, 150, VRRP_CHECKSUM_FORM_COUNT},
	/* AH is not spoken: where the message should begin stands its next header 112, a version 7. */
	{"V11", 2, 51, 100, "192.0.2.1", NULL, NULL, VRRP_DROP_VERSION, 0, 0},
	{"V12", 2, 51, 100, "192.0.2.1", NULL, "192.0.2.10", VRRP_DROP_VERSION, 0, 0},
	{"V13", 3, 51, 100, "192.0.2.1", NULL, "192.0.2.10", VRRP_DROP_NONE, 100, VRRP_CHECKSUM_RFC5798},
	{"V14", 3, 51, 202, "192.0.2.1", NULL, NULL, VRRP_DROP_NONE, 12, VRRP_CHECKSUM_RFC9568},
	{"V15", 3, 51, 100, "192.0.2.1", NULL, NULL, VRRP_DROP_LENGTH, 0, 0},
	{"P01", 3, 51, 100, "192.0.2.1", NULL, NULL, VRRP_DROP_NONE, 100, VRRP_CHECKSUM_RFC9568},
	{"N01", 3, 51, 100, "192.0.2.1", NULL, NULL, VRRP_DROP_TTL, 0, 0},
	{"N02", 3, 51, 100, "192.0.2.1", NULL, NULL, VRRP_DROP_VERSION, 0, 0},
	{"N03", 3, 51, 100, "192.0.2.1", NULL, NULL, VRRP_DROP_TYPE, 0, 0},
	{"N04", 3, 51, 100, "192.0.2.1", NULL, NULL, VRRP_DROP_CHECKSUM, 0, 0},
	{"N05", 3, 51, 100, "192.0.2.1", NULL, NULL, VRRP_DROP_LENGTH, 0, 0},
	{"N06", 3, 51, 100, "192.0.2.1", NULL, NULL, VRRP_DROP_ADDRESS_COUNT, 0, 0},
	{"N07", 3, 51, 100, "192.0.2.1", NULL, NULL, VRRP_DROP_INTERVAL, 0, 0},
	{"N08", 3, 51, 100, "192.0.2.1", NULL, NULL, VRRP_DROP_LENGTH, 0, 0},
};

/* A buffer that is freed at the end of its scope: OCTETS *p = malloc(n); */
static inline void
lab_free(uint8_t **p)
{
	free(*p);
}

#define OCTETS CLEANUP(lab_free) uint8_t

static inline struct ip_addr
lab_addr(const char *text)
{
	struct ip_addr a;

	if (ip_addr_parse(text, &a) < 0)
		abort();
	return a;
}

/* Set the address list from a text with commas. */
static inline void
lab_set_addrs(struct lab *l, const char *list)
{
	char buf[128], *save = NULL;

	strncpy(buf, list, sizeof(buf) - 1);
	buf[sizeof(buf) - 1] = '\0';
	l->codec.n_addrs = 0;
	for (char *w = strtok_r(buf, ",", &save); w; w = strtok_r(NULL, ",", &save))
		l->addrs[l->codec.n_addrs++] = lab_addr(w);
	l->codec.addrs = l->addrs;
}

static inline void
lab_set_password(struct lab *l, const char *text)
{
	l->codec.has_auth = text != NULL;
	memset(l->codec.auth, 0, sizeof(l->codec.auth));
	if (text)
		memcpy(l->codec.auth, text, strlen(text));
}

/* The virtual router of a row. *l must not move afterwards. */
static inline void
lab_init(struct lab *l, const struct lab_row *row)
{
	memset(l, 0, sizeof(*l));
	l->codec.version = row->version;
	l->codec.vrid = row->vrid;
	l->codec.adver_int_cs = row->interval_cs;
	l->codec.ttl_min = VRRP_TTL;
	lab_set_addrs(l, row->addrs);
	lab_set_password(l, row->password);
	l->codec.family = l->addrs[0].family;
	if (row->peer) {
		l->peers[0] = lab_addr(row->peer);
		l->codec.unicast = true;
		l->codec.n_peers = 1;
	}
	l->codec.peers = l->peers;
}

static inline const struct lab_row *
lab_row(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(lab_rows); i++)
		if (strcmp(lab_rows[i].name, name) == 0)
			return &lab_rows[i];
	abort();
}

/* The IP packet of a vector, in memory of exactly its size, to be freed (OCTETS). */
static inline uint8_t *
lab_octets(const char *name, size_t *ret_n)
{
	uint8_t buf[VECTOR_OCTETS_MAX];
	const struct vector *v = vector_find(name);
	int ip = v ? hex_octets(v->ip, buf, sizeof(buf)) : -1;
	int rest = ip < 0 ? -1 : hex_octets(v->rest, buf + ip, sizeof(buf) - (size_t)ip);
	uint8_t *p;

	if (rest < 0)
		abort();
	*ret_n = (size_t)ip + (size_t)rest;
	p = malloc(*ret_n);
	memcpy(p, buf, *ret_n);
	return p;
}

/*
 * What the shell does with a received packet of either family: IPv4 goes through vrrp_packet_ipv4, the header
 * of IPv6 is taken off here (a raw socket never shows it).
 */
static inline enum vrrp_drop
lab_datagram(const uint8_t *p, size_t n, struct vrrp_datagram *ret)
{
	if (n == 0 || p[0] >> 4 != 6)
		return vrrp_packet_ipv4(p, n, ret);
	if (n < 40)
		return VRRP_DROP_LENGTH;
	*ret = (struct vrrp_datagram){
		.src = ip_addr_from(IP_FAMILY_V6, p + 8),
		.dst = ip_addr_from(IP_FAMILY_V6, p + 24),
		.ttl = p[7],
		.msg = p + 40,
		.len = n - 40,
	};
	return VRRP_DROP_NONE;
}

/* Take apart and check. */
static inline enum vrrp_drop
lab_receive(const uint8_t *p, size_t n, const struct vrrp_codec *codec, struct vrrp_advert *ret)
{
	struct vrrp_datagram d;
	enum vrrp_drop drop = lab_datagram(p, n, &d);

	return drop != VRRP_DROP_NONE ? drop : vrrp_packet_check(&d, codec, ret);
}

/* Ones' complement sum, word by word; an implementation of its own, so that tests do not judge code by itself.
 */
static inline uint16_t
lab_sum(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i += 2) {
		sum += (uint32_t)(p[i] << 8 | (i + 1 < n ? p[i + 1] : 0));
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

/* Sum of the pseudo-header over real addresses. */
static inline uint16_t
lab_pseudo(const struct ip_addr *src, const struct ip_addr *dst, size_t len)
{
	uint8_t tail[4] = {0, VRRP_IP_PROTOCOL, (uint8_t)(len >> 8), (uint8_t)len};
	size_t size = ip_family_size(src->family);

	return lab_sum(lab_sum(lab_sum(0, src->b, size), dst->b, size), tail, sizeof(tail));
}

/* Put the right message-only sum, or for IPv6 the only right one, into a message of 8 octets or more. */
static inline void
lab_fix_checksum(uint8_t *msg, size_t len, const struct ip_addr *src, const struct ip_addr *dst)
{
	uint16_t sum;

	msg[6] = msg[7] = 0;
	sum = lab_sum(src->family == IP_FAMILY_V6 ? lab_pseudo(src, dst, len) : 0, msg, len);
	msg[6] = (uint8_t)(~sum >> 8);
	msg[7] = (uint8_t)~sum;
}

#endif
