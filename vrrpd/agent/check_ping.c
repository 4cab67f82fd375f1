/*
 * check_ping.c - kind "ping": an address answers echo requests (RFC 792, RFC 4443).
 *
 * Runs in vrrpd-agent under check.c, without rights: a datagram socket of protocol ICMP or ICMPv6 (icmp(7)),
 * which the kernel gives to the groups of the sysctl net.ipv4.ping_group_range and which hands over only
 * answers with its own identifier; sequence number and 16 random octets are compared here. A lost packet is no
 * verdict: the request is repeated after each third of the time-out. The run ends by itself a little before the
 * time-out, with a result.
 */
#include "agent/check.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/agent_util.h"
#include "base/addr.h"

#define REQUESTS       3
#define NONCE_SIZE     16
#define READS_PER_TURN 16

struct request {
	uint8_t type, code;
	uint16_t checksum; /* the kernel fills it in, and the identifier */
	uint16_t id;
	uint16_t sequence; /* network byte order */
	uint8_t nonce[NONCE_SIZE];
};

struct ping {
	struct check *check;
	int fd; /* -1 = no run */
	struct loop_io *io;
	struct loop_timer *timer; /* the next request, or the end */
	unsigned sent;
	uint16_t sequence; /* of the first request of this run */
	bool v6;
	int err; /* of the last request that could not be sent, or that a router refused */
	mono_t began;
	uint8_t nonce[NONCE_SIZE];
};

static void
end_run(struct ping *p)
{
	loop_io_del(TAKE(p->io));
	loop_timer_set(p->timer, MONO_NEVER);
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

/* The run ends without an answer. */
static void
finish_down(struct ping *p)
{
	const char *address = check_text(p->check, "address", 0);

	end_run(p);
	if (p->err != 0)
		check_donef(p->check, false, "%s cannot be reached: %s", address, strerror(p->err));
	else
		check_donef(p->check, false, "%s does not answer %u echo request%s", address, p->sent,
			    p->sent == 1 ? "" : "s");
}

static void
send_request(struct ping *p)
{
	struct request r = {
		.type = p->v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO,
		.sequence = htons((uint16_t)(p->sequence + p->sent)),
	};

	memcpy(r.nonce, p->nonce, sizeof(r.nonce));
	p->sent++;
	if (send(p->fd, &r, sizeof(r), 0) < 0 && errno != EAGAIN)
		p->err = errno;
}

static bool
is_answer(const struct ping *p, const struct request *r, size_t n)
{
	uint16_t after = (uint16_t)(ntohs(r->sequence) - p->sequence);

	return n == sizeof(*r) && r->type == (p->v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) && r->code == 0 &&
	       after < p->sent && memcmp(r->nonce, p->nonce, sizeof(r->nonce)) == 0;
}

static void
on_readable(void *arg, int fd, bool readable, bool writable)
{
	struct ping *p = arg;
	struct request r;

	(void)readable;
	(void)writable;
	for (unsigned i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = recv(fd, &r, sizeof(r), MSG_TRUNC);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			p->err = errno; /* what a router or the neighbour discovery says; a later request may
					   succeed */
		} else if (is_answer(p, &r, (size_t)n)) {
			uint64_t us = mono_since(loop_now(check_loop(p->check)), p->began);

			end_run(p);
			check_donef(p->check, true, "%s answers after %u.%u ms",
				    check_text(p->check, "address", 0), (unsigned)(us / 1000),
				    (unsigned)(us % 1000 / 100));
			return;
		}
	}
}

/* Requests at 0, 30 and 60 percent of the time-out, the end at 90. */
static void
on_timer(void *arg, mono_t now)
{
	struct ping *p = arg;
	usec_t third = p->check->def.conf.timeout_us * 3 / 10;

	(void)now;
	if (p->sent == REQUESTS) {
		finish_down(p);
		return;
	}
	send_request(p);
	loop_timer_set(p->timer, mono_add(p->began, third * p->sent));
}

/* Send through this interface only. False when that cannot be had. */
static bool
bind_interface(int fd, const char *name, bool v6)
{
	int index = (int)htonl(if_nametoindex(name));

	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name) + 1) == 0)
		return true;
	if (errno != EPERM)
		return false;
	/* Before Linux 5.7 that took a right. */
	return setsockopt(fd, v6 ? (int)IPPROTO_IPV6 : (int)IPPROTO_IP, v6 ? IPV6_UNICAST_IF : IP_UNICAST_IF,
			  &index, sizeof(index)) == 0;
}

/* Open and connect the socket. 0, or -1 after ending the run with what is wrong. */
static int
open_socket(struct ping *p)
{
	const char *address = check_text(p->check, "address", 0), *name = check_text(p->check, "interface", 0);
	struct sockaddr_in sin = {.sin_family = AF_INET};
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6};
	struct ip_addr a = {0};

	(void)ip_addr_parse(address, &a);
	p->v6 = a.family == IP_FAMILY_V6;
	memcpy(p->v6 ? (void *)&sin6.sin6_addr : (void *)&sin.sin_addr, a.b, ip_family_size(a.family));
	p->fd = socket(p->v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       p->v6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP);
	if (p->fd < 0 && (errno == EACCES || errno == EPERM)) {
		check_donef(p->check, false,
			    "not allowed to send echo requests: run sysctl -w net.ipv4.ping_group_range=\"0 "
			    "2147483647\"");
		return -1;
	}
	if (p->fd < 0) {
		check_donef(p->check, false, "no socket for echo requests: %s", strerror(errno));
		return -1;
	}
	if (name != NULL) {
		sin6.sin6_scope_id = if_nametoindex(name);
		if (sin6.sin6_scope_id == 0 || !bind_interface(p->fd, name, p->v6)) {
			int err = sin6.sin6_scope_id == 0 ? ENODEV : errno;

			end_run(p);
			check_donef(p->check, false, "%s %s", name,
				    err == ENODEV ? "does not exist" : strerror(err));
			return -1;
		}
	}
	if (connect(p->fd, p->v6 ? (struct sockaddr *)&sin6 : (struct sockaddr *)&sin,
		    p->v6 ? sizeof(sin6) : sizeof(sin)) < 0) {
		p->err = errno;
		finish_down(p);
		return -1;
	}
	return 0;
}

static void
ping_start(struct check *c)
{
	struct ping *p = c->priv;

	if (p == NULL) {
		p = agent_alloc(1, sizeof(*p));
		p->check = c;
		p->timer = loop_timer_add(check_loop(c), on_timer, p);
		p->fd = -1;
		c->priv = p;
	}
	p->sequence = (uint16_t)(p->sequence + REQUESTS);
	p->sent = 0;
	p->err = 0;
	if (getrandom(p->nonce, sizeof(p->nonce), GRND_NONBLOCK) < 0)
		memcpy(p->nonce, &p->sequence, sizeof(p->sequence));
	if (open_socket(p) < 0)
		return;
	p->began = loop_now(check_loop(c));
	p->io = loop_io_add(check_loop(c), p->fd, on_readable, p);
	on_timer(p, p->began);
}

static void
ping_cancel(struct check *c, bool force)
{
	(void)force;
	finish_down(c->priv);
}

static void
ping_free(struct check *c)
{
	struct ping *p = c->priv;

	if (p == NULL)
		return;
	end_run(p);
	loop_timer_del(p->timer);
	free(p);
}

const struct check_ops check_ping_ops = {
	.name = "ping",
	.start = ping_start,
	.cancel = ping_cancel,
	.free = ping_free,
};
