/*
 * fuzz_kernel.h - the engine's kernel thread and sockets, in the place of engine_kernel.c, nlk_claim.c and the
 * system: nothing is asked of a kernel, one packet and one claim wait when the target says so.
 */
#ifndef TESTS_FUZZ_FUZZ_KERNEL_H
#define TESTS_FUZZ_FUZZ_KERNEL_H

#include <errno.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/engine.h"
#include "fuzz/fuzz.h"

/* ---- the kernel thread: nothing of the kind ---- */

struct engine_kernel {
	struct engine_gen *next; /* asked for by engine_kernel_switch() */
};

static struct engine_kernel kernel;

void
engine_kernel_want(struct engine_kernel *k, uint32_t instance, enum kernel_want want, uint32_t epoch)
{
	(void)k;
	(void)instance;
	(void)epoch;
	FUZZ_CHECK(want <= KERNEL_WANT_HEAL);
}

int
engine_kernel_switch(struct engine_kernel *k, struct engine_gen *next)
{
	k->next = next;
	return 0;
}

void
engine_kernel_switched(struct engine_kernel *k)
{
	k->next = NULL;
}

bool
engine_port_stays(const struct engine_gen *old, const struct engine_gen *g, const struct engine_port *p,
		  uint32_t *ret)
{
	(void)old;
	(void)g;
	(void)p;
	*ret = ENGINE_NO_INDEX;
	return false;
}

usec_t
engine_kernel_renew_interval(const struct engine_kernel *k)
{
	(void)k;
	return USEC_PER_SEC;
}

void
engine_kernel_renew(struct engine_kernel *k)
{
	(void)k;
}

void
engine_kernel_close_fd(struct engine_kernel *k, int fd)
{
	(void)k;
	close(fd);
}

/* ---- sockets that hear claims ---- */

static struct {
	int fd; /* the last one opened */
	struct nlk_claim claim;
	bool waits;
} claims;

int
nlk_claim_open(uint8_t family, int ifindex, const uint8_t (*addrs)[16], size_t n)
{
	(void)family;
	(void)ifindex;
	(void)addrs;
	FUZZ_CHECK(n > 0);
	claims.fd = eventfd(0, EFD_CLOEXEC);
	return claims.fd;
}

int
nlk_claim_filter(int fd, uint8_t family, const uint8_t (*addrs)[16], size_t n)
{
	(void)fd;
	(void)family;
	(void)addrs;
	(void)n;
	return 0;
}

int
nlk_claim_recv(int fd, struct nlk_claim *ret)
{
	bool one = claims.waits;

	(void)fd;
	*ret = claims.claim;
	claims.waits = false;
	return one;
}

/* One packet that waits, and whether adverts leave; in the place of the system's functions. */
static struct {
	uint8_t data[VRRP_DATAGRAM_MAX];
	size_t n; /* 0: none waits */
	struct ip_addr src, dst;
	int hops;
	int send_err;
} network;

static void
put_control(struct msghdr *mh)
{
	struct in6_pktinfo info = {.ipi6_ifindex = 2};
	struct cmsghdr *c = CMSG_FIRSTHDR(mh);

	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_HOPLIMIT;
	c->cmsg_len = CMSG_LEN(sizeof(network.hops));
	memcpy(CMSG_DATA(c), &network.hops, sizeof(network.hops));
	c = CMSG_NXTHDR(mh, c);
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(&info.ipi6_addr, network.dst.b, 16);
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	mh->msg_controllen = CMSG_SPACE(sizeof(network.hops)) + CMSG_SPACE(sizeof(info));
}

int
recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *timeout)
{
	struct msghdr *mh = &msgs[0].msg_hdr;
	size_t room;

	(void)fd;
	(void)flags;
	(void)timeout;
	if (network.n == 0 || n == 0) {
		errno = EAGAIN;
		return -1;
	}
	room = mh->msg_iov[0].iov_len;
	memcpy(mh->msg_iov[0].iov_base, network.data, MIN(room, network.n));
	msgs[0].msg_len = (unsigned)MIN(room, network.n);
	mh->msg_flags = room < network.n ? MSG_TRUNC : 0;
	network.n = 0;
	if (network.src.family == IP_FAMILY_V6 && mh->msg_name != NULL) {
		memcpy(&((struct sockaddr_in6 *)mh->msg_name)->sin6_addr, network.src.b, 16);
		put_control(mh);
	} else {
		mh->msg_controllen = 0;
	}
	return 1;
}

int
sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	(void)fd;
	(void)flags;
	for (unsigned i = 0; i < n; i++) {
		const volatile uint8_t *p = msgs[i].msg_hdr.msg_iov[0].iov_base;

		for (size_t k = 0; k < msgs[i].msg_hdr.msg_iov[0].iov_len; k++)
			(void)p[k];
	}
	errno = network.send_err;
	return network.send_err != 0 ? -1 : (int)n;
}

#endif
