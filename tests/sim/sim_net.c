/*
 * sim_net.c - the network: every datagram as octets from the engine's sendmmsg to another one's recvmmsg, and announcements.
 *
 * What happens to a packet is a hash of the seed, its sender, its number and its receiver: dropping a fault from the plan
 * leaves the fate of all others as it was.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sim.h"

#define FD_BASE	   100000
#define QUEUE_MAX  256 /* datagrams in a socket */
#define HEADER_V4  20
#define HEADER_V6  40
#define STRANGER   0xff
#define WIRE_US	   40  /* a switch */
#define JITTER_US  200

static int client[SIM_ADDRS]; /* who announced it last, as far as it heard; -1: nobody */
static uint64_t last_arrival[SIM_NODES][SIM_NODES + 1]; /* from, to; the last one is the client */

int
sim_client_target(unsigned addr)
{
	return client[addr];
}

void
sim_net_begin(void)
{
	for (unsigned i = 0; i < SIM_ADDRS; i++)
		client[i] = -1;
	memset(last_arrival, 0, sizeof(last_arrival));
}

/* ---- what is on the way ---- */

static void
pipe_add(struct sim_pipe *q, struct sim_packet *p)
{
	p->next = NULL;
	if (q->last != NULL)
		q->last->next = p;
	else
		q->first = p;
	q->last = p;
	q->n++;
}

static struct sim_packet *
pipe_take(struct sim_pipe *q)
{
	struct sim_packet *p = q->first;

	if (p == NULL)
		return NULL;
	q->first = p->next;
	if (q->first == NULL)
		q->last = NULL;
	q->n--;
	return p;
}

void
sim_pipe_clear(struct sim_pipe *q)
{
	*q = (struct sim_pipe){0};
}

static uint8_t
vrid_of(const struct sim_packet *p)
{
	return p->data[(sim->plan.family == IP_FAMILY_V4 ? HEADER_V4 : HEADER_V6) + 1];
}

static void
arrive(void *arg, uint64_t to, uint64_t from)
{
	struct sim_packet *p = arg;
	struct sim_node *n = &sim->nodes[to];
	struct sim_pipe *q = vrid_of(p) == SIM_VRID ? &n->rx : &n->stray;

	sim->packets++;
	(void)from;
	if (!sim_link_up(n))
		return;
	if (n->host->keepalived) {
		sim_keepalived_packet(n, p);
		return;
	}
	if (!n->engine_up || n->fd_main == 0 || q->n >= QUEUE_MAX)
		return;
	pipe_add(q, p);
	sim_loop_wake(n);
}

bool
sim_net_cut(unsigned from, unsigned to)
{
	return sim_faults_on(SIM_CUT, from, to) != NULL || sim_faults_on(SIM_PARTITION, from, to) != NULL;
}

/* When does it arrive? A segment keeps the order of frames; only what is delayed may be overtaken. */
static uint64_t
arrival(uint64_t h, unsigned from, unsigned to)
{
	const struct sim_fault *f = to < SIM_NODES ? sim_faults_on(SIM_DELAY, from, to) : NULL;
	uint64_t at = sim_now + WIRE_US + (h >> 8) % JITTER_US;

	if (f != NULL)
		return at + (h >> 24) % (f->value + 1);
	at = MAX(at, last_arrival[from][to] + 1);
	last_arrival[from][to] = at;
	return at;
}

static void
deliver(struct sim_node *n, unsigned to, const uint8_t *data, size_t len, uint64_t copy)
{
	uint64_t h = sim_hash(sim->plan.seed, n->id + 100, n->tx_seq, to + 16 * copy);
	const struct sim_fault *corrupt = sim_faults_on(SIM_CORRUPT, n->id, to), *loss = sim_faults_on(SIM_LOSS, n->id, to);
	struct sim_packet *p;
	unsigned header = sim->plan.family == IP_FAMILY_V4 ? HEADER_V4 : HEADER_V6;

	if (sim_net_cut(n->id, to) || (loss != NULL && h % 1000 < loss->value))
		return;
	p = sim_alloc(offsetof(struct sim_packet, data) + len);
	p->len = (uint16_t)len;
	memcpy(p->data, data, len);
	h = sim_hash(h, 1, 0, 0);
	if (corrupt != NULL && h % 1000 < corrupt->value) {
		unsigned bit = (unsigned)((h >> 16) % ((len - header) * 8));

		p->corrupt = true;
		p->data[header + bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	sim_at(arrival(sim_hash(h, 2, 0, 0), n->id, to), arrive, p, to, n->id);
}

static void
send_to(struct sim_node *n, unsigned to, const uint8_t *data, size_t len)
{
	const struct sim_fault *twice = sim_faults_on(SIM_DUPLICATE, n->id, to);

	deliver(n, to, data, len, 0);
	if (twice != NULL && sim_hash(sim->plan.seed, n->id + 200, n->tx_seq, to) % 1000 < twice->value)
		deliver(n, to, data, len, 1);
}

void
sim_net_send(struct sim_node *n, const struct ip_addr *dst, const uint8_t *data, size_t len)
{
	n->tx_seq++;
	if (!sim_link_up(n) || len > sizeof(((struct sim_packet *)0)->data))
		return;
	for (unsigned to = 0; to < sim->plan.n_nodes; to++)
		if (to != n->id && (ip_addr_is_multicast(dst) || ip_addr_equal(dst, &sim->nodes[to].source_addr)))
			send_to(n, to, data, len);
}

/* ---- announcements ---- */

static void
claim_arrives(void *arg, uint64_t to, uint64_t what)
{
	struct sim_node *n = &sim->nodes[to];

	(void)arg;
	if (!sim_link_up(n) || !n->engine_up || n->fd_claim == 0 || n->n_claims == ARRAY_SIZE(n->claims))
		return;
	n->claims[n->n_claims++] = (struct sim_claimed){.addr = (uint8_t)(what & 0xff), .mac_node = (uint8_t)(what >> 8)};
	sim_loop_wake(n);
}

static void
client_hears(void *arg, uint64_t addr, uint64_t from)
{
	(void)arg;
	client[addr] = (int)from;
	sim_check_changed();
}

void
sim_net_announce(struct sim_node *n, unsigned addr)
{
	uint64_t h;

	n->tx_seq++;
	h = sim_hash(sim->plan.seed, n->id + 300, n->tx_seq, SIM_NODES);
	if (!sim_link_up(n))
		return;
	/* The client is another host of the segment; what it does not hear, nobody is checked by. */
	sim_at(arrival(h, n->id, SIM_NODES), client_hears, NULL, addr, n->id);
	for (unsigned to = 0; to < sim->plan.n_nodes; to++) {
		const struct sim_fault *loss = sim_faults_on(SIM_LOSS, n->id, to);

		h = sim_hash(sim->plan.seed, n->id + 300, n->tx_seq, to);
		if (to == n->id || sim_net_cut(n->id, to) || (loss != NULL && h % 1000 < loss->value))
			continue;
		sim_at(arrival(h, n->id, to), claim_arrives, NULL, to, addr | (uint64_t)n->id << 8);
	}
}

void
sim_net_claim_by_stranger(unsigned addr)
{
	for (unsigned to = 0; to < sim->plan.n_nodes; to++)
		sim_at(sim_now + WIRE_US, claim_arrives, NULL, to, addr | (uint64_t)STRANGER << 8);
}

/* ---- system calls ---- */

int
sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	struct sim_node *node = sim_current;

	(void)flags;
	if (fd != node->fd_main) {
		errno = EBADF;
		return -1;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct msghdr *m = &msgs[i].msg_hdr;
		const uint8_t *data = m->msg_iov[0].iov_base;
		bool v4 = sim->plan.family == IP_FAMILY_V4;
		struct ip_addr dst;

		if (!sim_link_up(node) || node->send_fails > 0) {
			errno = sim_link_up(node) ? ENOBUFS : ENETDOWN;
			return i > 0 ? (int)i : -1;
		}
		if (v4)
			dst = ip_addr_from(IP_FAMILY_V4, (const uint8_t *)&((struct sockaddr_in *)m->msg_name)->sin_addr);
		else
			dst = ip_addr_from(IP_FAMILY_V6, (const uint8_t *)&((struct sockaddr_in6 *)m->msg_name)->sin6_addr);
		node->sent++;
		sim_check_sent(node, data[(v4 ? HEADER_V4 : HEADER_V6) + 2]);
		sim_trace(node, "sends priority %u", data[(v4 ? HEADER_V4 : HEADER_V6) + 2]);
		sim_net_send(node, &dst, data, m->msg_iov[0].iov_len);
	}
	return (int)n;
}

/* A raw IPv6 socket delivers the message, and its addresses and hop limit beside it. */
static void
fill_v6(struct mmsghdr *m, const struct sim_packet *p)
{
	struct sockaddr_in6 *from = m->msg_hdr.msg_name;
	struct cmsghdr *c = m->msg_hdr.msg_control;
	struct in6_pktinfo info = {.ipi6_ifindex = 1};
	int hops = p->data[7];

	m->msg_len = (unsigned)(p->len - HEADER_V6);
	memcpy(m->msg_hdr.msg_iov[0].iov_base, p->data + HEADER_V6, m->msg_len);
	from->sin6_family = AF_INET6;
	memcpy(&from->sin6_addr, p->data + 8, 16);
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_HOPLIMIT;
	c->cmsg_len = CMSG_LEN(sizeof(hops));
	memcpy(CMSG_DATA(c), &hops, sizeof(hops));
	c = (struct cmsghdr *)((uint8_t *)c + CMSG_SPACE(sizeof(hops)));
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(&info.ipi6_addr, p->data + 24, 16);
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	m->msg_hdr.msg_controllen = CMSG_SPACE(sizeof(hops)) + CMSG_SPACE(sizeof(info));
}

int
recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags, struct timespec *timeout)
{
	struct sim_node *node = sim_current;
	struct sim_pipe *q = fd == node->fd_main ? &node->rx : &node->stray;
	unsigned done = 0;

	(void)flags;
	(void)timeout;
	while (done < n && q->first != NULL) {
		struct sim_packet *p = pipe_take(q);

		if (fd == node->fd_main) {
			node->handed++;
			node->handed_corrupt += p->corrupt;
		}
		msgs[done].msg_hdr.msg_flags = 0;
		if (sim->plan.family == IP_FAMILY_V6) {
			fill_v6(&msgs[done], p);
		} else {
			memcpy(msgs[done].msg_hdr.msg_iov[0].iov_base, p->data, p->len);
			msgs[done].msg_len = p->len;
		}
		done++;
	}
	if (done > 0)
		return (int)done;
	errno = EAGAIN;
	return -1;
}

int
close(int fd)
{
	struct sim_node *n = sim_current;

	if (fd < FD_BASE)
		return (int)syscall(SYS_close, fd);
	if (n != NULL && fd == n->fd_main)
		n->fd_main = 0;
	return 0;
}

static int
new_fd(struct sim_node *n)
{
	return FD_BASE + n->next_fd++;
}

int
engine_sock_open(uint8_t family, const char *ifname, int ifindex, bool multicast, const bool vrids[256], int *ret_fd,
		 int *ret_stray_fd)
{
	struct sim_node *n = sim_current;

	(void)family;
	(void)ifname;
	(void)ifindex;
	(void)multicast;
	(void)vrids;
	sim_pipe_clear(&n->rx);
	sim_pipe_clear(&n->stray);
	*ret_fd = n->fd_main = new_fd(n);
	*ret_stray_fd = n->fd_stray = new_fd(n);
	return 0;
}

int
nlk_raw_open(void)
{
	return new_fd(sim_current);
}

int
nlk_raw_send(int fd, const struct nlk_frame *frames, size_t n)
{
	struct sim_node *node = sim_current;

	(void)fd;
	if (!sim_link_up(node))
		return -ENETDOWN;
	for (size_t i = 0; i < n; i++) {
		/* The sender's protocol address of an ARP packet, the target of an advertisement. */
		const uint8_t *a = frames[i].data + (sim->plan.family == IP_FAMILY_V4 ? 14 + 14 + 3 : 14 + 40 + 8 + 15);

		sim_net_announce(node, *a - 101u);
	}
	return (int)n;
}

int
nlk_claim_open(uint8_t family, int ifindex, const uint8_t (*addrs)[16], size_t n)
{
	(void)family;
	(void)ifindex;
	(void)addrs;
	(void)n;
	sim_current->n_claims = 0;
	return sim_current->fd_claim = new_fd(sim_current);
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
	struct sim_node *n = sim_current;
	struct sim_claimed c;
	struct ip_addr a;

	(void)fd;
	if (n->n_claims == 0)
		return 0;
	c = n->claims[0];
	memmove(n->claims, n->claims + 1, --n->n_claims * sizeof(n->claims[0]));
	a = sim_prefix(c.addr).addr;
	*ret = (struct nlk_claim){.family = a.family == IP_FAMILY_V4 ? AF_INET : AF_INET6,
				  .mac = {2, 0, 0, 0, 0, c.mac_node}};
	memcpy(ret->addr, a.b, sizeof(ret->addr));
	return 1;
}
