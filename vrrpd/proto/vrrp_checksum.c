/*
 * vrrp_checksum.c - the ones' complement sum of RFC 1071; see vrrp_checksum.h. Pure.
 *
 * Used by vrrp_packet.c for both directions.
 */
#include "proto/vrrp_checksum.h"

#include "base/macros.h"
#include "proto/vrrp_packet.h"

uint32_t
vrrp_checksum_add(uint32_t sum, const uint8_t *p, size_t n)
{
	size_t i;

	/* 64 KiB of 0xffff words plus a pseudo-header stays below 2^32: no carry is lost before the fold. */
	ASSERT(n <= 65535);
	for (i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (i < n)
		sum += (uint32_t)(p[i] << 8);
	return sum;
}

uint32_t
vrrp_checksum_pseudo(const struct ip_addr *src, const struct ip_addr *dst, size_t len)
{
	size_t size = ip_family_size(src->family);
	uint32_t sum = 0;

	ASSERT(src->family == dst->family);
	ASSERT(size != 0);
	sum = vrrp_checksum_add(sum, src->b, size);
	sum = vrrp_checksum_add(sum, dst->b, size);
	/* IPv4: zero, protocol, 16-bit length; IPv6: 32-bit length, three zeros, next header. The same words.
	 */
	return sum + VRRP_IP_PROTOCOL + (uint32_t)len;
}

uint16_t
vrrp_checksum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ASSERT(sum <= 0xffff);
	return (uint16_t)sum;
}
