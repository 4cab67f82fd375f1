/*
 * nlk_diag.c - find and reset the TCP connections of a set of addresses, over sock_diag with libmnl.
 *
 * Called where waiting is allowed; in vrrpd by the engine's worker thread, when addresses leave a living host.
 * It must not be called from a loop that has something to send on time, and it must not touch a listening
 * socket.
 *
 * The kernel lists all connections of a family in one dump, whatever the number of addresses; the choice is
 * made here, by binary search. What was chosen is kept until there is a chunk of it, and then destroyed over a
 * second socket, while the dump waits: it goes on only as fast as it is read. Memory stays the same for any
 * number of connections.
 *
 * The kernel's place in a dump is a bucket of its hash table and a count of the sockets passed in that bucket.
 * Taking sockets out of that bucket makes the dump pass over as many that nobody has seen. A dump also misses
 * what moves behind its back: a half-open connection that becomes a whole one, for example. So a family is
 * dumped again until there is nothing left to take.
 *
 * A destroy request names the socket by its ports and addresses and by the cookie from the dump. The cookie is
 * what protects others: without it the kernel would find the listening socket when the connection is gone.
 */
#include "nlk.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/*
 * Kept before they are destroyed. Most releases fit into one chunk, and are then dumped to the end before the
 * first is destroyed: nothing is passed over.
 */
#define CHUNK 4096

/* Destroy requests per system call. An answer is charged 832 octets: the default receive buffer holds 250. */
#define BATCH 100

/*
 * Dumps of one family. Two are usual, the second finds nothing. The limit is for a host that keeps accepting,
 * and covers a hash table that is far too small: each dump passes over less than half of what it should see.
 */
#define DUMPS_MAX 8

/* What the kernel fills at most in one go (netlink_recvmsg); it then has room for 200 connections. */
#define DUMP_SIZE   (32 << 10)
#define ANSWER_SIZE (4 << 10)

/* How long to wait for an answer before giving up. The kernel works inside our own system calls. */
#define ANSWER_TIMEOUT_S 1

/* Every state with something to reset. */
#define STATES                                                                                                 \
	(1u << TCP_ESTABLISHED | 1u << TCP_SYN_SENT | 1u << TCP_SYN_RECV | 1u << TCP_FIN_WAIT1 |               \
	 1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT | 1u << TCP_LAST_ACK | 1u << TCP_CLOSING)

/* idiag_timer of what remains of a connection for the sake of its timer alone; its state may be FIN_WAIT2. */
#define TIMER_TIME_WAIT 3

/* A request as it goes out, both for a dump and to destroy. */
struct request {
	struct nlmsghdr nlh;
	struct inet_diag_req_v2 body;
};

_Static_assert(sizeof(struct request) == sizeof(struct nlmsghdr) + sizeof(struct inet_diag_req_v2), "no holes");
_Static_assert(sizeof(struct request) % NLMSG_ALIGNTO == 0, "an array of requests is a batch");

struct nlk_diag {
	struct mnl_socket *dump;
	struct mnl_socket *destroy;
	uint32_t seq; /* of the next request on either socket; wraps round */
	size_t found_count;
	struct inet_diag_sockid found[CHUNK];
	struct request out[BATCH];
	char dump_buf[DUMP_SIZE] __attribute__((aligned(MNL_ALIGNTO)));
	char answer_buf[ANSWER_SIZE] __attribute__((aligned(MNL_ALIGNTO)));
};

/* An address as it is compared. IPv4 is written as IPv4-mapped, so that AF_INET6 sockets compare alike. */
struct key {
	uint8_t addr[16];
	uint32_t ifindex; /* 0 unless link-local */
};

_Static_assert(sizeof(struct key) == 20, "compared as octets: no holes");

/* One call of nlk_diag_reset(): what it looks for in which family, and what came of it. */
struct search {
	struct nlk_diag *d;
	const struct key *keys; /* sorted */
	size_t key_count;
	uint8_t family;
	unsigned reset; /* destroyed by us */
	unsigned gone;	/* were no more when we came */
};

static struct key
key_of(uint8_t family, const void *addr, uint32_t ifindex)
{
	struct key k = {.ifindex = 0};

	if (family == AF_INET) {
		k.addr[10] = k.addr[11] = 0xff;
		memcpy(k.addr + 12, addr, 4);
		return k;
	}
	memcpy(k.addr, addr, sizeof(k.addr));
	if (k.addr[0] == 0xfe && (k.addr[1] & 0xc0) == 0x80)
		k.ifindex = ifindex;
	return k;
}

static int
compare_keys(const void *x, const void *y)
{
	return memcmp(x, y, sizeof(struct key));
}

static bool
has_key(const struct search *s, const struct key *k)
{
	return bsearch(k, s->keys, s->key_count, sizeof(*k), compare_keys) != NULL;
}

/* Whether to reset what a dump says of a socket. */
static bool
is_wanted(const struct search *s, const struct inet_diag_msg *m)
{
	struct key k;

	if (m->idiag_timer == TIMER_TIME_WAIT)
		return false;
	k = key_of(m->idiag_family, m->id.idiag_src, m->id.idiag_if);
	if (has_key(s, &k))
		return true;
	if (k.ifindex == 0)
		return false;
	k.ifindex = 0; /* wanted on any link? */
	return has_key(s, &k);
}

static struct inet_diag_req_v2 *
put_request(struct nlk_diag *d, struct request *r, uint16_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(r);
	struct inet_diag_req_v2 *body = mnl_nlmsg_put_extra_header(nlh, sizeof(*body));

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = d->seq++;
	body->sdiag_family = family;
	body->sdiag_protocol = IPPROTO_TCP;
	return body;
}

/* The kernel's answer to a request: 0 or a negative errno. */
static int
answer_of(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(nlh);

	return mnl_nlmsg_get_payload_len(nlh) < sizeof(answer->error) ? -EPROTO : answer->error;
}

/*
 * Take the answers in one datagram to n destroy requests, numbered from first. Returns how many were new; *err
 * is set to the first that is neither success nor "no such socket".
 */
static size_t
take_answers(struct search *s, int len, uint32_t first, size_t n, int *err)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)s->d->answer_buf;
	size_t got = 0;

	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		int answer;

		if (nlh->nlmsg_type != NLMSG_ERROR || nlh->nlmsg_seq - first >= n)
			continue;
		got++;
		answer = answer_of(nlh);
		if (answer == 0)
			s->reset++;
		else if (answer == -ENOENT)
			s->gone++;
		else if (*err == 0)
			*err = answer;
	}
	return got;
}

/* Destroy n sockets, no more than BATCH, in one system call, and take every answer. */
static int
destroy_batch(struct search *s, const struct inet_diag_sockid *ids, size_t n)
{
	struct nlk_diag *d = s->d;
	uint32_t first = d->seq;
	size_t got = 0;
	int err = 0;

	for (size_t i = 0; i < n; i++)
		put_request(d, &d->out[i], SOCK_DESTROY, NLM_F_ACK, s->family)->id = ids[i];
	if (mnl_socket_sendto(d->destroy, d->out, n * sizeof(d->out[0])) < 0)
		return -errno;
	while (got < n) {
		ssize_t len = recv(mnl_socket_get_fd(d->destroy), d->answer_buf, sizeof(d->answer_buf), 0);

		if (len >= 0)
			got += take_answers(s, (int)len, first, n, &err);
		else if (errno == EAGAIN)
			return -ETIMEDOUT;
		else if (errno != EINTR)
			return -errno;
	}
	return err;
}

/* Destroy all that was found, and forget it. */
static int
destroy_found(struct search *s)
{
	size_t n = s->d->found_count;

	s->d->found_count = 0;
	for (size_t done = 0; done < n; done += BATCH) {
		int err = destroy_batch(s, s->d->found + done, n - done < BATCH ? n - done : BATCH);

		if (err < 0)
			return err;
	}
	return 0;
}

/* Keep the socket of one message when it is wanted; destroys what was found when that fills the chunk. */
static int
take_socket(struct search *s, const struct nlmsghdr *nlh)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m))
		return -EPROTO;
	if (!is_wanted(s, m))
		return 0;
	s->d->found[s->d->found_count++] = m->id;
	return s->d->found_count < CHUNK ? 0 : destroy_found(s);
}

/* Work through one datagram of dump number seq: 1 when that was its end, 0 when there is more, or -errno. */
static int
take_dump(struct search *s, int len, uint32_t seq)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)s->d->dump_buf;
	int err = 0;

	for (; err == 0 && mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (nlh->nlmsg_seq != seq)
			continue;
		if (nlh->nlmsg_type == NLMSG_DONE)
			return 1;
		if (nlh->nlmsg_type == NLMSG_ERROR)
			err = answer_of(nlh);
		else if (nlh->nlmsg_type == SOCK_DIAG_BY_FAMILY)
			err = take_socket(s, nlh);
	}
	return err;
}

/* Dump the sockets of one family in any of the states, and take those that are wanted. */
static int
dump(struct search *s, uint32_t states)
{
	struct nlk_diag *d = s->d;
	int fd = mnl_socket_get_fd(d->dump), err = 0;
	uint32_t seq = d->seq;
	struct request r;

	d->found_count = 0;
	/* A dump that an error cut short is still going on, and there can be only one: read it to its end. */
	while (recv(fd, d->dump_buf, sizeof(d->dump_buf), MSG_DONTWAIT) > 0)
		;
	put_request(d, &r, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, s->family)->idiag_states = states;
	if (mnl_socket_sendto(d->dump, &r, sizeof(r)) < 0)
		return -errno;
	while (err == 0) {
		ssize_t len = recv(fd, d->dump_buf, sizeof(d->dump_buf), 0);

		if (len >= 0)
			err = take_dump(s, (int)len, seq);
		else if (errno == EAGAIN)
			err = -ETIMEDOUT;
		else if (errno != EINTR)
			err = -errno;
	}
	if (err == -ENOENT)
		return -EOPNOTSUPP; /* nobody in the kernel answers for TCP */
	return err < 0 ? err : destroy_found(s);
}

/* Reset what is wanted of one family. */
static int
reset_family(struct search *s, uint8_t family)
{
	unsigned before;
	int err, dumps = 0;

	s->family = family;
	do {
		before = s->reset + s->gone;
		err = dump(s, STATES);
	} while (err == 0 && s->reset + s->gone != before && ++dumps < DUMPS_MAX);
	return err;
}

/*
 * Ask for a dump of nothing, and to destroy a connection that cannot exist: this loads the modules, and tells
 * whether there are any. A kernel that cannot destroy refuses before it looks.
 */
static int
probe(struct nlk_diag *d)
{
	static const struct inet_diag_sockid nobody; /* port 0, and cookies are never 0 */
	struct search s = {.d = d, .family = AF_INET};
	int err = dump(&s, 0);

	return err < 0 ? err : destroy_batch(&s, &nobody, 1);
}

static int
open_socket(struct mnl_socket **ret)
{
	static const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	int on = 1;

	if (socket == NULL)
		return errno == EPROTONOSUPPORT ? -EOPNOTSUPP : -errno;
	*ret = socket;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	if (setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	if (mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

int
nlk_diag_open(struct nlk_diag **ret)
{
	struct nlk_diag *d = calloc(1, sizeof(*d));
	int err;

	if (d == NULL)
		return -ENOMEM;
	err = open_socket(&d->dump);
	if (err == 0)
		err = open_socket(&d->destroy);
	if (err == 0)
		err = probe(d);
	if (err < 0) {
		nlk_diag_close(d);
		return err;
	}
	*ret = d;
	return 0;
}

void
nlk_diag_close(struct nlk_diag *d)
{
	if (d == NULL)
		return;
	if (d->dump != NULL)
		mnl_socket_close(d->dump);
	if (d->destroy != NULL)
		mnl_socket_close(d->destroy);
	free(d);
}

int
nlk_diag_reset(struct nlk_diag *d, const struct nlk_diag_addr *addrs, size_t n, unsigned *ret_count)
{
	struct search s = {.d = d, .key_count = n};
	struct key *keys;
	bool ip4 = false;
	int err = 0;

	*ret_count = 0;
	if (n == 0)
		return 0;
	keys = calloc(n, sizeof(*keys));
	if (keys == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		keys[i] = key_of(addrs[i].family, addrs[i].addr, (uint32_t)addrs[i].ifindex);
		ip4 = ip4 || addrs[i].family == AF_INET;
	}
	qsort(keys, n, sizeof(*keys), compare_keys);
	s.keys = keys;

	if (ip4)
		err = reset_family(&s, AF_INET);
	if (err == 0)
		err = reset_family(&s, AF_INET6); /* also for IPv4: mapped addresses live here */
	free(keys);
	*ret_count = s.reset;
	return err;
}
