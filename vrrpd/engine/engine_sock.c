/*
 * engine_sock.c - the raw sockets of one interface and family.
 *
 * Called by the kernel thread (joining a multicast group takes the rtnl lock); the advert loop then owns the
 * descriptors. Socket options and their reasons are in the protocol's data plane notes: one place to receive,
 * no loop-back of our own adverts, header included so that TTL, class and source are exactly ours.
 */
#include "engine/engine.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"

/* A second of adverts of 255 virtual routers at 10 ms fits: a short stall loses none. */
#define RECEIVE_BUFFER (16 * 1024 * 1024)
/* The stray socket only feeds counters. */
#define STRAY_BUFFER	 (64 * 1024)
#define SEND_BUFFER	 (4 * 1024 * 1024)
#define PRIORITY_CONTROL 6 /* SO_PRIORITY: TC_PRIO_INTERACTIVE, the highest without NET_ADMIN */

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

struct option {
	int level, name, value;
};

static int
set_options(int fd, const struct option *o, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (setsockopt(fd, o[i].level, o[i].name, &o[i].value, sizeof(o[i].value)) < 0)
			return -errno;
	return 0;
}

static int
set_ipv4(int fd, int ifindex, bool multicast)
{
	static const struct option options[] = {
		{IPPROTO_IP, IP_HDRINCL, 1},
		{IPPROTO_IP, IP_MULTICAST_LOOP, 0},
		{IPPROTO_IP, IP_MULTICAST_ALL, 0}, /* only the group that this socket joined */
	};
	struct ip_mreqn group = {.imr_ifindex = ifindex};
	struct ip_addr addr = vrrp_group(IP_FAMILY_V4);
	int r = set_options(fd, options, ARRAY_SIZE(options));

	if (r < 0)
		return r;
	memcpy(&group.imr_multiaddr, addr.b, 4);
	if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &group, sizeof(group)) < 0)
		return -errno;
	if (multicast && setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return 0;
}

static int
set_ipv6(int fd, int ifindex, bool multicast)
{
	const struct option options[] = {
		{IPPROTO_IPV6, IPV6_HDRINCL, 1},       {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0},
		{IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0}, {IPPROTO_IPV6, IPV6_MULTICAST_IF, ifindex},
		{IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1},  {IPPROTO_IPV6, IPV6_RECVPKTINFO, 1},
	};
	struct ipv6_mreq group = {.ipv6mr_interface = (unsigned)ifindex};
	struct ip_addr addr = vrrp_group(IP_FAMILY_V6);
	int r = set_options(fd, options, ARRAY_SIZE(options));

	if (r < 0)
		return r;
	memcpy(&group.ipv6mr_multiaddr, addr.b, 16);
	if (multicast && setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return 0;
}

/* Beyond the system's limit where the capability allows it. */
static void
set_buffer(int fd, int force, int plain, int size)
{
	if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
}

static int
open_one(uint8_t family, const char *ifname, int ifindex, bool multicast, const bool vrids[256], bool stray)
{
	const struct option priority = {SOL_SOCKET, SO_PRIORITY, PRIORITY_CONTROL};
	int af = family == IP_FAMILY_V4 ? AF_INET : AF_INET6;
	int fd = socket(af, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, VRRP_IP_PROTOCOL);
	int r;

	if (fd < 0)
		return -errno;
	/* The filter before everything else: nothing unwanted gets into the queue. */
	r = engine_filter_attach(fd, family, vrids, stray);
	if (r == 0 && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifname, (socklen_t)strlen(ifname)) < 0)
		r = -errno;
	if (r == 0)
		r = set_options(fd, &priority, 1);
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, stray ? STRAY_BUFFER : RECEIVE_BUFFER);
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER);
	if (r == 0)
		r = family == IP_FAMILY_V4 ? set_ipv4(fd, ifindex, multicast)
					   : set_ipv6(fd, ifindex, multicast);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int
engine_sock_open(uint8_t family, const char *ifname, int ifindex, bool multicast, const bool vrids[256],
		 int *ret_fd, int *ret_stray_fd)
{
	int fd = open_one(family, ifname, ifindex, multicast, vrids, false);
	int stray;

	if (fd < 0)
		return fd;
	stray = open_one(family, ifname, ifindex, multicast, vrids, true);
	if (stray < 0) {
		close(fd);
		return stray;
	}
	*ret_fd = fd;
	*ret_stray_fd = stray;
	return 0;
}
