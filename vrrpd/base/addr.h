/*
 * addr.h - IP addresses, prefixes and MAC addresses as values.
 *
 * Pure: text in and out through inet_pton/inet_ntop, no resolver, no allocation.
 */
#ifndef VRRPD_BASE_ADDR_H
#define VRRPD_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ip_family {
	IP_FAMILY_NONE = 0, /* no address */
	IP_FAMILY_V4 = 4,
	IP_FAMILY_V6 = 6,
};

struct ip_addr {
	uint8_t family; /* enum ip_family */
	uint8_t b[16];	/* network byte order; IPv4 uses the first four, the rest is zero */
};

struct ip_prefix {
	struct ip_addr addr; /* the full address, host bits included */
	uint8_t len;	     /* 0..32 or 0..128 */
};

struct mac_addr {
	uint8_t b[6];
};

#define IP_ADDR_TEXT   46 /* longest text of an address, with the NUL */
#define IP_PREFIX_TEXT 50 /* longest text of a prefix, with the NUL */
#define MAC_ADDR_TEXT  18

/* Octets of an address of this family: 4, 16, or 0 for none. */
size_t ip_family_size(uint8_t family);

/* The family's name for people: "IPv4", "IPv6", "none". */
const char *ip_family_name(uint8_t family);

/* An address from `ip_family_size(family)` octets in network byte order. */
struct ip_addr ip_addr_from(uint8_t family, const uint8_t *octets);

/* Parse an address without a prefix length. 0, or -EINVAL (*ret untouched). */
int ip_addr_parse(const char *text, struct ip_addr *ret);

/* Parse "address/len"; without "/len" the full length (32 or 128) is meant. 0 or -EINVAL. */
int ip_prefix_parse(const char *text, struct ip_prefix *ret);

/* Write the text of an address ("none" without a family) into buf of IP_ADDR_TEXT octets; returns buf. */
const char *ip_addr_format(const struct ip_addr *a, char *buf);

/* Write "address/len" into buf of IP_PREFIX_TEXT octets; returns buf. */
const char *ip_prefix_format(const struct ip_prefix *p, char *buf);

/* Write "aa:bb:.." into buf of MAC_ADDR_TEXT octets; returns buf. */
const char *mac_addr_format(const struct mac_addr *m, char *buf);

/*
 * Compare as unsigned integers, most significant octet first (RFC 9568 6.4.3: the tie-break of equal
 * priorities). Families differ: the family decides. <0, 0, >0.
 */
int ip_addr_cmp(const struct ip_addr *a, const struct ip_addr *b);

static inline bool
ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return ip_addr_cmp(a, b) == 0;
}

/* fe80::/10 (IPv6 only). */
bool ip_addr_is_link_local(const struct ip_addr *a);

/* 224.0.0.0/4 or ff00::/8. */
bool ip_addr_is_multicast(const struct ip_addr *a);

/* A legal unicast source: not unspecified, multicast, IPv4 limited broadcast or class E, nor 0.0.0.0/8. */
bool ip_addr_is_unicast(const struct ip_addr *a);

#endif
