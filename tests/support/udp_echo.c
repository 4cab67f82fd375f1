/*
 * udp_echo.c - answers every datagram, IPv4 and IPv6, from the address that was asked.
 *
 * A test tool, run on hosts of the lab as the service behind a shared address; no part of vrrpd. Bound to the
 * wildcard, so it need not be told when an address comes or goes; IP_PKTINFO keeps the answer's source right.
 *
 *   udp_echo PORT
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Take the control message that says which address was asked and send the same octets back from there. */
static void
answer(int fd, struct msghdr *m, size_t len)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);

	m->msg_iov->iov_len = len;
	if (c && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
		struct in6_pktinfo *info = (struct in6_pktinfo *)CMSG_DATA(c);

		if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
			info->ipi6_ifindex = 0; /* route as usual */
	}
	sendmsg(fd, m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
serve(int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr align;
	} control;
	uint8_t data[2048];
	struct sockaddr_in6 from;

	for (;;) {
		struct iovec iov = {data, sizeof(data)};
		struct msghdr m = {.msg_name = &from,
				   .msg_namelen = sizeof(from),
				   .msg_iov = &iov,
				   .msg_iovlen = 1,
				   .msg_control = control.buf,
				   .msg_controllen = sizeof(control.buf)};
		ssize_t n = recvmsg(fd, &m, 0);

		if (n >= 0)
			answer(fd, &m, (size_t)n);
		else if (errno != EINTR && errno != ECONNREFUSED)
			return;
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
	int one = 1, zero = 0;
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (argc != 2) {
		fprintf(stderr, "usage: udp_echo PORT\n");
		return 2;
	}
	any.sin6_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	/* one socket for both families: IPv4 arrives as mapped addresses, with its packet information likewise
	 */
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0) {
		fprintf(stderr, "udp_echo: port %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	serve(fd);
	fprintf(stderr, "udp_echo: %s\n", strerror(errno));
	return 1;
}
