/*
 * nlk_frame.c - announcements as octets: gratuitous ARP and unsolicited neighbour advertisement.
 *
 * Called by whoever prepares frames for nlk_raw_send(); in vrrpd that is the engine, which builds each frame
 * once and sends it many times. Pure: no system call, no allocation. It must not know about links or sockets.
 * The standards: RFC 826 and RFC 5227 (ARP), RFC 4861 7.2.6 (neighbour advertisement), RFC 9568 8.1.2
 * and 8.2.2.
 */
#include "nlk.h"

#include <string.h>

#define MAC_LEN 6
#define IP4_LEN 4
#define IP6_LEN 16
#define ETH_LEN 14
#define ETH_MIN 60 /* IEEE 802.3 without the frame check sequence */

#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_IP6 0x86dd

#define ARP_LEN		28
#define ARP_HW_ETHERNET 1
#define ARP_PROTO_IP4	0x0800
#define ARP_OP_REQUEST	1

#define IP6_HEADER_LEN 40
#define IP6_SRC	       8 /* offset of the source address in the header; the destination follows */
#define IP6_HOP_LIMIT  255
#define NEXT_ICMP6     58

#define NA_LEN		  32 /* type to target (24) and the target link-layer address option (8) */
#define NA_TYPE		  136
#define NA_ROUTER	  0x80
#define NA_OVERRIDE	  0x20
#define NA_CHECKSUM	  2 /* offset in the message */
#define OPT_TARGET_LLADDR 2

_Static_assert(ETH_LEN + IP6_HEADER_LEN + NA_LEN == NLK_FRAME_MAX, "the longest frame is the advertisement");
_Static_assert(ETH_LEN + ARP_LEN <= ETH_MIN && ETH_MIN <= NLK_FRAME_MAX, "ARP is padded and fits");

static uint8_t *
put_u8(uint8_t *p, uint8_t v)
{
	*p = v;
	return p + 1;
}

static uint8_t *
put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)(v & 0xff);
	return p + 2;
}

static uint8_t *
put_octets(uint8_t *p, const uint8_t *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

static uint8_t *
put_ethernet(uint8_t *p, const uint8_t dst[MAC_LEN], const uint8_t src[MAC_LEN], uint16_t type)
{
	p = put_octets(p, dst, MAC_LEN);
	p = put_octets(p, src, MAC_LEN);
	return put_u16(p, type);
}

/* Add n octets (even) to a ones' complement sum of 16-bit words. 32 bits hold far more words than a frame has.
 */
static uint32_t
sum_words(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	return sum;
}

/* ICMPv6 checksum with the pseudo header of RFC 8200 8.1; addrs is source and destination, one after the other.
 */
static uint16_t
icmp6_checksum(const uint8_t *addrs, const uint8_t *msg, size_t len)
{
	uint32_t sum = (uint32_t)len + NEXT_ICMP6;

	sum = sum_words(sum, addrs, (size_t)2 * IP6_LEN);
	sum = sum_words(sum, msg, len);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(~sum & 0xffff);
}

size_t
nlk_frame_garp(uint8_t *buf, const uint8_t mac[6], const uint8_t addr[4])
{
	static const uint8_t everyone[MAC_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t *p = buf;

	p = put_ethernet(p, everyone, mac, ETHERTYPE_ARP);
	p = put_u16(p, ARP_HW_ETHERNET);
	p = put_u16(p, ARP_PROTO_IP4);
	p = put_u8(p, MAC_LEN);
	p = put_u8(p, IP4_LEN);
	p = put_u16(p, ARP_OP_REQUEST);
	p = put_octets(p, mac, MAC_LEN);
	p = put_octets(p, addr, IP4_LEN);
	p = put_octets(p, mac, MAC_LEN);
	p = put_octets(p, addr, IP4_LEN);
	memset(p, 0, (size_t)(buf + ETH_MIN - p));
	return ETH_MIN;
}

size_t
nlk_frame_na(uint8_t *buf, const uint8_t mac[6], const uint8_t addr[16])
{
	static const uint8_t all_nodes[IP6_LEN] = {0xff, 0x02, [15] = 0x01};
	static const uint8_t all_nodes_mac[MAC_LEN] = {0x33, 0x33, 0x00, 0x00, 0x00, 0x01};
	uint8_t *ip = put_ethernet(buf, all_nodes_mac, mac, ETHERTYPE_IP6);
	uint8_t *msg = ip + IP6_HEADER_LEN;
	uint8_t *p = ip;

	p = put_u16(p, 0x6000); /* version 6, traffic class and flow label zero */
	p = put_u16(p, 0);
	p = put_u16(p, NA_LEN);
	p = put_u8(p, NEXT_ICMP6);
	p = put_u8(p, IP6_HOP_LIMIT);
	p = put_octets(p, addr, IP6_LEN);
	p = put_octets(p, all_nodes, IP6_LEN);

	p = put_u8(p, NA_TYPE);
	p = put_u8(p, 0);
	p = put_u16(p, 0); /* checksum, below */
	p = put_u16(p, (NA_ROUTER | NA_OVERRIDE) << 8);
	p = put_u16(p, 0);
	p = put_octets(p, addr, IP6_LEN);
	p = put_u8(p, OPT_TARGET_LLADDR);
	p = put_u8(p, 1); /* in units of eight octets */
	p = put_octets(p, mac, MAC_LEN);

	put_u16(msg + NA_CHECKSUM, icmp6_checksum(ip + IP6_SRC, msg, NA_LEN));
	return (size_t)(p - buf);
}
