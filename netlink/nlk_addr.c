/*
 * nlk_addr.c - add, renew and remove addresses, many at a time, over libmnl.
 *
 * Called where waiting is allowed: the kernel carries out each message under its rtnl lock, which another
 * process may hold. In vrrpd that is the engine's worker thread, and the parent when it cleans up. It must not
 * be called from a loop that has something to send on time.
 *
 * The kernel works through a batch inside sendmsg() and has queued every answer when that returns. So an answer
 * that is not there was lost for want of room, and the room is made so that this cannot happen: a batch is
 * short, the answers carry no copy of the request (NETLINK_CAP_ACK), the receive buffer is large.
 *
 * What it costs is the kernel's own work. IPv4: 15 ms for 1000 addresses on one link, 150 ms for 4000, a fifth
 * to a third of that to renew them. IPv6: each RTM_NEWADDR visits every multicast group of the link again
 * (ipv6_find_idev calls ipv6_mc_up, seen in Linux 6.18), so n addresses take n * n * 0.3 us to add, and again
 * to renew.
 */
#include "nlk.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "nlk_int.h"

/*
 * Operations per batch. One system call for a hundred addresses of 5 us or more is noise already; longer
 * batches would only need more room for the answers.
 */
#define BATCH_OPS  100
#define BATCH_SIZE (16 << 10) /* octets; an operation needs 100 at most: BATCH_OPS is the limit that counts */

_Static_assert(BATCH_OPS * 128 <= BATCH_SIZE, "one operation always fits into an empty batch");

/* An answer is charged 832 octets, so a batch needs 82 KiB. */
#define RECEIVE_BUFFER (1 << 20)
#define RECEIVE_SIZE   (8 << 10)

/* How long to wait for an answer before taking it for lost. They are all there when sendmsg() has returned. */
#define ANSWER_TIMEOUT_S 1

struct nlk_batch {
	struct mnl_socket *socket;
	struct mnl_nlmsg_batch *out;
	uint32_t seq; /* of the next operation; wraps round */
	/* libmnl wants twice the limit, for a message that crosses it; ours never does. */
	char out_buf[2 * BATCH_SIZE] __attribute__((aligned(MNL_ALIGNTO)));
	char in_buf[RECEIVE_SIZE] __attribute__((aligned(MNL_ALIGNTO)));
};

static const struct {
	uint16_t type;
	uint16_t flags;
} verbs[] = {
	[NLK_ADDR_ADD] = {RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL},
	[NLK_ADDR_RENEW] = {RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE},
	[NLK_ADDR_DEL] = {RTM_DELADDR, 0},
};

#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

/* What iproute2 chooses too. IPv6 derives the scope itself and ignores this. */
static uint8_t
scope_of(const struct nlk_addr_op *op)
{
	if (op->family != AF_INET)
		return RT_SCOPE_UNIVERSE;
	if (op->addr[0] == 127)
		return RT_SCOPE_HOST;
	if (op->addr[0] == 169 && op->addr[1] == 254)
		return RT_SCOPE_LINK;
	return RT_SCOPE_UNIVERSE;
}

/* The attributes that only an added address has. False when they do not fit. */
static bool
put_properties(struct nlmsghdr *nlh, size_t room, const struct nlk_addr_op *op)
{
	struct ifa_cacheinfo life = {
		.ifa_valid = op->valid_s,
		.ifa_prefered = op->deprecated ? 0 : op->valid_s,
	};

	if (!mnl_attr_put_check(nlh, room, IFA_CACHEINFO, sizeof(life), &life))
		return false;
	if (op->family == AF_INET6 && !mnl_attr_put_u32_check(nlh, room, IFA_FLAGS, IFA_F_NODAD))
		return false;
	return op->proto == 0 || mnl_attr_put_u8_check(nlh, room, IFA_PROTO, op->proto);
}

/* Build one request at p, in no more than room octets. False when it does not fit. */
static bool
put_op(void *p, size_t room, const struct nlk_addr_op *op, uint32_t seq)
{
	size_t addr_len = op->family == AF_INET ? 4 : 16;
	struct nlmsghdr *nlh;
	struct ifaddrmsg *ifa;

	if (room < sizeof(*nlh) + sizeof(*ifa))
		return false;
	nlh = mnl_nlmsg_put_header(p);
	nlh->nlmsg_type = verbs[op->verb].type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | verbs[op->verb].flags);
	nlh->nlmsg_seq = seq;

	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = op->family;
	ifa->ifa_prefixlen = op->prefixlen;
	ifa->ifa_scope = scope_of(op);
	ifa->ifa_index = (uint32_t)op->ifindex;

	if (!mnl_attr_put_check(nlh, room, IFA_LOCAL, addr_len, op->addr) ||
	    !mnl_attr_put_check(nlh, room, IFA_ADDRESS, addr_len, op->addr))
		return false;
	return op->verb == NLK_ADDR_DEL || put_properties(nlh, room, op);
}

/* Fill the batch from ops[0..n). Returns how many went in; the caller has numbered ops[0] with b->seq. */
static size_t
fill(struct nlk_batch *b, const struct nlk_addr_op *ops, size_t n)
{
	size_t k = 0;

	mnl_nlmsg_batch_reset(b->out);
	while (k < n && k < BATCH_OPS) {
		size_t room = BATCH_SIZE - mnl_nlmsg_batch_size(b->out);

		if (!put_op(mnl_nlmsg_batch_current(b->out), room, &ops[k], b->seq + (uint32_t)k))
			break;
		k++;
		(void)mnl_nlmsg_batch_next(b->out); /* put_op() kept to the limit, so there is always a next */
	}
	return k;
}

/*
 * Take the answers in one datagram; ops[0] has the number first. Answers to operations of an earlier, failed
 * call have other numbers and are passed over. Returns how many were new.
 */
static size_t
take_answers(const struct nlk_batch *b, int len, uint32_t first, struct nlk_addr_op *ops, size_t n)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)b->in_buf;
	size_t got = 0;

	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		const struct nlmsgerr *answer = mnl_nlmsg_get_payload(nlh);
		uint32_t i = nlh->nlmsg_seq - first;

		if (nlh->nlmsg_type != NLMSG_ERROR || i >= n)
			continue;
		if (mnl_nlmsg_get_payload_len(nlh) < sizeof(answer->error))
			continue;
		ops[i].result = -answer->error;
		got++;
	}
	return got;
}

/*
 * Receive the answers to the n operations that were just sent, numbered from first. When the kernel reports
 * that it dropped some (ENOBUFS), read on until nothing is left: what did arrive still counts, and the kernel
 * drops further messages silently until the queue has been empty once.
 */
static int
receive_answers(struct nlk_batch *b, uint32_t first, struct nlk_addr_op *ops, size_t n)
{
	int fd = mnl_socket_get_fd(b->socket);
	bool lost = false;
	size_t got = 0;

	while (got < n) {
		ssize_t len = recv(fd, b->in_buf, sizeof(b->in_buf), lost ? MSG_DONTWAIT : 0);

		if (len >= 0)
			got += take_answers(b, (int)len, first, ops, n);
		else if (errno == ENOBUFS)
			lost = true;
		else if (errno == EAGAIN)
			return lost ? -ENOBUFS : -ETIMEDOUT;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static int
set_options(struct mnl_socket *socket)
{
	static const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	static const int size = RECEIVE_BUFFER;
	int fd = mnl_socket_get_fd(socket), on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size,
				 sizeof(size)); /* the default would do, too */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	if (mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

int
nlk_batch_open(struct nlk_batch **ret)
{
	struct nlk_batch *b = calloc(1, sizeof(*b));
	int err;

	if (b == NULL)
		return -ENOMEM;
	b->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (b->socket == NULL || mnl_socket_bind(b->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		nlk_batch_close(b);
		return err;
	}
	err = set_options(b->socket);
	if (err == 0 && (b->out = mnl_nlmsg_batch_start(b->out_buf, BATCH_SIZE)) == NULL)
		err = -ENOMEM;
	if (err < 0) {
		nlk_batch_close(b);
		return err;
	}
	*ret = b;
	return 0;
}

void
nlk_batch_close(struct nlk_batch *b)
{
	if (b == NULL)
		return;
	if (b->out != NULL)
		mnl_nlmsg_batch_stop(b->out);
	if (b->socket != NULL)
		mnl_socket_close(b->socket);
	free(b);
}

int
nlk_addr_apply(struct nlk_batch *b, struct nlk_addr_op *ops, size_t n)
{
	static const struct timespec rest = {.tv_nsec = 1};
	size_t done = 0;

	for (size_t i = 0; i < n; i++)
		ops[i].result = ECANCELED;
	for (size_t i = 0; i < n; i++)
		if (ops[i].verb >= VERB_COUNT)
			return -EINVAL;

	while (done < n) {
		uint32_t first = b->seq;
		size_t k = fill(b, ops + done, n - done);
		int err;

		b->seq += (uint32_t)k;
		/* A caller in real time lets others run; RLIMIT_RTTIME counts from here. */
		(void)nanosleep(&rest, NULL);
		if (mnl_socket_sendto(b->socket, mnl_nlmsg_batch_head(b->out), mnl_nlmsg_batch_size(b->out)) <
		    0)
			return -errno;
		err = receive_answers(b, first, ops + done, k);
		if (err < 0)
			return err;
		done += k;
	}
	return 0;
}
