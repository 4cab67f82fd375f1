/*
 * vrrp_packet.h - VRRP messages: decode with every reception check in order, and encode.
 *
 * VRRPv3 (RFC 9568 5.2, 7.1, 7.2; the RFC 5798 checksum form over IPv4 too) and VRRPv2 (RFC 3768 5.3,
 * 7.1; authentication type 1 of RFC 2338). Pure: works on octets, knows no socket. A packet fails at the
 * first check it does not pass, and that check is the counter that rises.
 */
#ifndef VRRPD_PROTO_VRRP_PACKET_H
#define VRRPD_PROTO_VRRP_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/limits.h"

#define VRRP_IP_PROTOCOL     112  /* RFC 9568 5.1.1.4 */
#define VRRP_TTL	     255  /* RFC 9568 5.1.1.3 */
#define VRRP_TRAFFIC_CLASS   0xc0 /* CS6, practice of the field */
#define VRRP_AUTH_SIZE	     8	  /* RFC 2338 5.3.10, always present in v2 */
#define VRRP_INTERVAL_CS_MAX 4095
#define VRRP_PRIORITY_OWNER  255
/* IPv4 header and the largest message: 40 + 8 + 255 * 16 (v3 over IPv6). */
#define VRRP_DATAGRAM_MAX 4128

/* Why a packet was discarded. X(name, label for JSON and metrics, what it means, RFC 9568 section or ours). */
#define VRRP_DROPS(X)                                                                                          \
	X(NONE, "none", "accepted", "")                                                                        \
	X(TRUNCATED, "truncated", "larger than any VRRP packet", "5.2")                                        \
	X(OWN, "own", "our own packet, looped back", "ours")                                                   \
	X(LENGTH, "length", "length does not fit the header or the address count", "7.1")                      \
	X(DESTINATION, "destination", "neither the group nor our own address", "ours")                         \
	X(TTL, "ttl", "TTL or hop limit is not 255", "7.1")                                                    \
	X(VERSION, "version", "version is not the configured one", "7.1")                                      \
	X(TYPE, "type", "type is not ADVERTISEMENT", "7.1")                                                    \
	X(CHECKSUM, "checksum", "checksum is wrong in every accepted form", "7.1")                             \
	X(VRID, "vrid", "VRID is not configured on the interface", "7.1")                                      \
	X(OWNER, "owner", "we are the address owner", "7.1")                                                   \
	X(ADDRESS_COUNT, "address_count", "address count is 0", "5.2.5")                                       \
	X(INTERVAL, "interval", "interval is 0, or (v2) not ours", "7.1")                                      \
	X(SOURCE, "source", "source is no legal sender address", "ours")                                       \
	X(PEER, "peer", "source is not a configured unicast peer", "ours")                                     \
	X(AUTH_TYPE, "auth_type", "authentication type is not ours", "RFC 2338 7.1")                           \
	X(AUTH, "auth", "password is wrong", "RFC 2338 7.1")                                                   \
	X(ADDRESS_LIST, "address_list", "(v2, strict) address list is not ours", "RFC 3768 7.1")

enum vrrp_drop {
#define X(name, label, text, section) VRRP_DROP_##name,
	VRRP_DROPS(X)
#undef X
		VRRP_DROP_COUNT
};

/* Which octets the checksum of a v3 IPv4 message covers (RFC 9568 5.2.8; the reference's chapter 4.1). */
enum vrrp_checksum_form {
	VRRP_CHECKSUM_RFC9568, /* the message only */
	VRRP_CHECKSUM_RFC5798, /* with a pseudo-header, as keepalived and FRR do by default */
	VRRP_CHECKSUM_FORM_COUNT
};

/* One received datagram, taken apart by the shell (IPv6) or by vrrp_packet_ipv4 (IPv4). */
struct vrrp_datagram {
	struct ip_addr src;
	struct ip_addr dst;
	uint8_t ttl;	    /* TTL or hop limit as received */
	bool own;	    /* the shell recognises src as this host's own sender address */
	const uint8_t *msg; /* the VRRP message, not owned */
	size_t len;	    /* octets of msg that belong to the IP packet */
};

/* What one virtual router expects of a packet, and how it speaks itself. */
struct vrrp_codec {
	uint8_t version;	      /* 2 or 3 */
	uint8_t family;		      /* enum ip_family */
	uint8_t vrid;		      /* 1..255 */
	bool owner;		      /* own priority is 255 */
	uint16_t adver_int_cs;	      /* own interval, 1..4095; v2: whole seconds times 100, up to 25500 */
	bool has_auth;		      /* v2: authentication type 1 with `auth` */
	uint8_t auth[VRRP_AUTH_SIZE]; /* password, padded with zero octets (RFC 2338 5.3.10) */
	bool strict_addresses;	      /* v2: discard a foreign address list unless the sender is owner */
	bool unicast;		      /* peers instead of the group */
	uint8_t ttl_min;	      /* unicast: smallest TTL accepted; multicast is always 255 */
	uint16_t n_peers;
	uint16_t n_addrs;	     /* 1..255, the advertised ones */
	const struct ip_addr *peers; /* n_peers, not owned */
	const struct ip_addr *addrs; /* n_addrs, in configured order, not owned */
};

/* A packet that passed every check. */
struct vrrp_advert {
	struct ip_addr src;
	uint8_t version;
	uint8_t vrid;
	uint8_t priority;      /* 0 leaving, 255 owner */
	uint8_t n_addrs;       /* as counted in the packet */
	uint16_t adver_int_cs; /* v2: seconds times 100 */
	uint8_t form;	       /* enum vrrp_checksum_form; meaningful for v3 over IPv4 only */
	/* Accepted, but to be counted and told (RFC 9568 7.1): */
	bool interval_differs;	   /* not our own interval */
	bool addresses_differ;	   /* not our address list (order aside) */
	bool first_not_link_local; /* IPv6: first address is not fe80::/10 */
};

/* The label of a discard reason for JSON and metrics; what it means in words. */
const char *vrrp_drop_label(enum vrrp_drop d);
const char *vrrp_drop_text(enum vrrp_drop d);

/* "rfc9568", "rfc5798": the words of option v3_checksum. */
const char *vrrp_checksum_form_name(enum vrrp_checksum_form f);

/* The group of a family: 224.0.0.18 or ff02::12 (RFC 9568 5.1.1.2, 5.1.2.2). */
struct ip_addr vrrp_group(uint8_t family);

/*
 * Take apart an IPv4 datagram as a raw socket delivers it: header of IHL * 4 octets, trimmed to its total
 * length (Ethernet padding is not part of the packet). Fills src, dst, ttl, msg, len; leaves `own` false.
 * VRRP_DROP_NONE or VRRP_DROP_LENGTH.
 */
enum vrrp_drop vrrp_packet_ipv4(const uint8_t *p, size_t n, struct vrrp_datagram *ret);

/* The VRID octet, for finding the virtual router before the checks; 0 when there is none. */
uint8_t vrrp_packet_peek_vrid(const struct vrrp_datagram *d);

/*
 * All reception checks of RFC 9568 7.1 (v3) or RFC 3768 7.1 (v2) in their order. `codec` is the virtual
 * router with the packet's VRID on that interface and family, or NULL when none is configured (the packet
 * then fails at latest with VRRP_DROP_VRID). Returns VRRP_DROP_NONE and fills *ret, or the first failing check.
 * With VRRP_DROP_OWNER *ret is filled, too, when nothing else is wrong, or its source is of family none: an owner
 * obeys nobody, but it is to know who else is there (RFC 9568 8.3.2) and which checksum they understand.
 */
enum vrrp_drop
vrrp_packet_check(const struct vrrp_datagram *d, const struct vrrp_codec *codec, struct vrrp_advert *ret);

/*
 * In what do the addresses of a packet that passed every check differ from ours? The first of ours that is missing
 * in it, the first in it that is not ours; family none: there is none. Up to 255 x 255 comparisons.
 */
void vrrp_packet_differ(const struct vrrp_datagram *d, const struct vrrp_codec *codec, struct ip_addr *ret_missing,
			struct ip_addr *ret_foreign);

/*
 * Encode one advert into buf. `src` and `dst` enter the checksum where the form has a pseudo-header.
 * priority 0..255; n_addrs as in the codec. Returns the message's octets, or -EMSGSIZE when it does not fit.
 */
int vrrp_packet_encode(const struct vrrp_codec *codec, uint8_t priority, enum vrrp_checksum_form form,
		       const struct ip_addr *src, const struct ip_addr *dst, uint8_t *buf, size_t size);

/*
 * The same with the IP header in front, ready for a socket with IP_HDRINCL or IPV6_HDRINCL: TTL or hop limit
 * 255, class c0, protocol 112. IPv4 identification and header checksum stay 0: the kernel fills them.
 * Returns octets or -EMSGSIZE.
 */
int vrrp_packet_encode_ip(const struct vrrp_codec *codec, uint8_t priority, enum vrrp_checksum_form form,
			  const struct ip_addr *src, const struct ip_addr *dst, uint8_t *buf, size_t size);

#endif
