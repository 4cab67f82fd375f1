/*
 * vrrp_checksum.h - the ones' complement sum of RFC 1071 and the pseudo-headers of RFC 9568 5.2.8.
 */
#ifndef VRRPD_PROTO_VRRP_CHECKSUM_H
#define VRRPD_PROTO_VRRP_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* Add n octets (an odd last one counts as the high half of a word) to an unfolded sum. */
uint32_t vrrp_checksum_add(uint32_t sum, const uint8_t *p, size_t n);

/*
 * Sum of the pseudo-header of a family for a message of `len` octets: IPv4 12 octets (source, destination,
 * zero, protocol 112, 16-bit length), IPv6 40 octets (RFC 8200 8.1).
 */
uint32_t vrrp_checksum_pseudo(const struct ip_addr *src, const struct ip_addr *dst, size_t len);

/* Fold the carries: the 16-bit sum. A message with a right checksum in place folds to 0xffff. */
uint16_t vrrp_checksum_fold(uint32_t sum);

#endif
