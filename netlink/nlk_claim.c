/*
 * nlk_claim.c - hear ARP packets and neighbour advertisements in which another host claims given addresses.
 *
 * Called by whoever holds the addresses or has just given them up; in vrrpd by the engine. The socket hears only what
 * comes in, and the kernel compares the address before it wakes anybody: on a segment with thousands of hosts hardly
 * anything passes.
 */
#include "nlk.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILTERED_MAX 1000 /* a filter has at most 4096 instructions, two for each address */
#define FILTER_HEAD  8

/* Offsets in an ARP packet over Ethernet (RFC 826), and in a neighbour advertisement with its IPv6 header
 * (RFC 4861 4.4). */
#define ARP_HARDWARE	0
#define ARP_PROTOCOL	2
#define ARP_SENDER_MAC	8
#define ARP_SENDER_IP	14
#define ARP_SIZE	28
#define IP6_NEXT_HEADER 6
#define NA_TYPE		40
#define NA_TARGET	48
#define NA_TARGET_END	60 /* the last four octets tell addresses apart well enough */
#define NA_SIZE		64
#define NA_TYPE_VALUE	136

struct program {
	size_t n;
	struct sock_filter code[FILTER_HEAD + 2 * FILTERED_MAX + 1];
};

static void
add(struct program *p, uint16_t code, uint8_t jf, uint32_t k)
{
	p->code[p->n++] = (struct sock_filter){.code = code, .jf = jf, .k = k};
}

/* Go on when the value loaded by `load` at an offset is `want`, else drop. */
static void
require(struct program *p, uint16_t load, uint32_t offset, uint32_t want)
{
	add(p, (uint16_t)(BPF_LD | load | BPF_ABS), 0, offset);
	add(p, BPF_JMP | BPF_JEQ | BPF_K, 1, want);
	add(p, BPF_JMP | BPF_JA, 0, 1);
	add(p, BPF_RET | BPF_K, 0, 0);
}

static uint32_t
word_of(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
build(struct program *p, uint8_t family, const uint8_t (*addrs)[16], size_t n)
{
	bool v4 = family == AF_INET;

	p->n = 0;
	if (v4)
		require(p, BPF_W, ARP_HARDWARE, 0x00010800);
	else
		require(p, BPF_B, NA_TYPE, NA_TYPE_VALUE);
	if (n > FILTERED_MAX) {
		add(p, BPF_RET | BPF_K, 0, UINT32_MAX);
		return;
	}
	add(p, BPF_LD | BPF_W | BPF_ABS, 0, v4 ? ARP_SENDER_IP : NA_TARGET_END);
	for (size_t i = 0; i < n; i++) {
		add(p, BPF_JMP | BPF_JEQ | BPF_K, 1, word_of(addrs[i] + (v4 ? 0 : 12)));
		add(p, BPF_RET | BPF_K, 0, UINT32_MAX);
	}
	add(p, BPF_RET | BPF_K, 0, 0);
}

int
nlk_claim_filter(int fd, uint8_t family, const uint8_t (*addrs)[16], size_t n)
{
	struct program *p = calloc(1, sizeof(*p));
	struct sock_fprog prog;
	int r;

	if (p == NULL)
		return -ENOMEM;
	build(p, family, addrs, n);
	prog = (struct sock_fprog){.len = (unsigned short)p->n, .filter = p->code};
	r = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
	free(p);
	return r;
}

int
nlk_claim_open(uint8_t family, int ifindex, const uint8_t (*addrs)[16], size_t n)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(family == AF_INET ? ETH_P_ARP : ETH_P_IPV6),
		.sll_ifindex = ifindex,
	};
	/* Protocol 0: it hears nothing before the filter is there. */
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = nlk_claim_filter(fd, family, addrs, n);
	if (r == 0 && bind(fd, (struct sockaddr *)&ll, sizeof(ll)) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* What a packet claims; false when it is none of the two kinds. */
static bool
parse(const struct sockaddr_ll *from, const uint8_t *p, size_t n, struct nlk_claim *ret)
{
	*ret = (struct nlk_claim){0};
	if (ntohs(from->sll_protocol) == ETH_P_ARP) {
		if (n < ARP_SIZE)
			return false;
		ret->family = AF_INET;
		memcpy(ret->mac, p + ARP_SENDER_MAC, 6);
		memcpy(ret->addr, p + ARP_SENDER_IP, 4);
		return true;
	}
	if (n < NA_SIZE || p[IP6_NEXT_HEADER] != IPPROTO_ICMPV6 || p[NA_TYPE] != NA_TYPE_VALUE ||
	    from->sll_halen != 6)
		return false;
	ret->family = AF_INET6;
	memcpy(ret->mac, from->sll_addr, 6);
	memcpy(ret->addr, p + NA_TARGET, 16);
	return true;
}

int
nlk_claim_recv(int fd, struct nlk_claim *ret)
{
	struct sockaddr_ll from;
	socklen_t len;
	uint8_t packet[128];
	ssize_t n;

	for (;;) {
		len = sizeof(from);
		n = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (parse(&from, packet, (size_t)n, ret))
			return 1;
	}
}
