/*
 * bench_watch.c - watches from the client how a set of addresses arrives on another host, address by address.
 *
 * Runs in the client's namespace (it looks into the new host's namespace for one netlink socket only). Passive
 * until the decision: the first of an advert of the virtual router from the new host, a gratuitous ARP of it
 * for one of the addresses, or one of the addresses appearing in its kernel. From then on it asks every address
 * that has not answered yet by ARP, sent straight to the new host, in rounds at a static pace, until all have
 * answered and have been announced. Beside that it notes the largest gap between the adverts of another virtual
 * router ("beat") of the new host. Packets carry the kernel's time of arrival. One JSON line at the end. With a
 * COUNT of 0 it only watches the beat, until its stdin ends.
 *
 *   bench_watch NETNS_FILE IFNAME OWN_IP NEW_IP NEW_MAC VRID BEAT_VRID FIRST_ADDRESS COUNT TIMEOUT_MS
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_util.h"

enum {
	WATCH_MAX = 16384,    /* addresses */
	WATCH_ASK_BURST = 20, /* questions sent at once ... */
	WATCH_ASK_TICK_US =
		200, /* ... and this often: 100 000 a second, 10 ms for a round over 1000 addresses */
	WATCH_LINGER_MS = 1000, /* the beat is watched for so long after the last address */
	WATCH_FRAME = 256,
	WATCH_BATCH = 64,
	WATCH_VRRP = 112,
	WATCH_PROTO_AT = 14 + 9,     /* in a frame: the IP header's protocol */
	WATCH_VRID_AT = 14 + 20 + 1, /* adverts have no IP options */
};

/* When each address was seen in three ways, CLOCK_REALTIME ns; 0: not yet. */
struct watch_address {
	int64_t added;	   /* in the new host's kernel */
	int64_t announced; /* first gratuitous ARP of the new host */
	int64_t answered;  /* first ARP answer of the new host */
};

struct watch {
	int packet;
	int netlink;
	int ifindex;
	uint8_t own_mac[ETH_ALEN];
	uint8_t new_mac[ETH_ALEN];
	uint32_t own_ip; /* host order, as all below */
	uint32_t new_ip;
	uint32_t first;
	uint32_t count;
	uint8_t vrid;
	uint8_t beat_vrid;
	struct watch_address seen[WATCH_MAX];
	uint32_t n_added, n_announced, n_answered;
	int64_t decision;
	const char *decided_by;
	int64_t old_advert; /* last advert of the virtual router from another host */
	int64_t new_advert; /* first from the new host */
	int64_t beat_last;
	int64_t beat_gap;      /* since the decision */
	int64_t beat_gap_idle; /* before it */
	uint64_t beats;
	uint32_t next; /* address to ask next */
	uint64_t asked;
	uint64_t overruns; /* lost netlink events */
};

static uint32_t
watch_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
watch_put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static uint32_t
watch_ip(const char *text)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		bench_die("bad address");
	return ntohl(a.s_addr);
}

/* ---- opening ---- */

/* Only ARP and the adverts of two virtual routers reach the socket: the others, 25 000 a second, must not cost
 * us. */
static void
watch_filter(int fd, uint8_t vrid, uint8_t beat_vrid)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_ARP, 6, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IP, 0, 6),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, WATCH_PROTO_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WATCH_VRRP, 0, 4),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, WATCH_VRID_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, vrid, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, beat_vrid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, WATCH_FRAME),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = {sizeof code / sizeof code[0], code};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog) < 0)
		bench_die("SO_ATTACH_FILTER");
}

static void
watch_open_packet(struct watch *w, const char *ifname)
{
	struct ifreq ifr = {0};
	struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int size = 64 << 20;
	int one = 1;

	w->packet = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->packet < 0)
		bench_die("packet socket");
	watch_filter(w->packet, w->vrid, w->beat_vrid);
	snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", ifname);
	if (ioctl(w->packet, SIOCGIFHWADDR, &ifr) < 0)
		bench_die(ifname);
	memcpy(w->own_mac, ifr.ifr_hwaddr.sa_data, ETH_ALEN);
	w->ifindex = (int)if_nametoindex(ifname);
	ll.sll_ifindex = w->ifindex;
	if (setsockopt(w->packet, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0 ||
	    setsockopt(w->packet, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) < 0 ||
	    setsockopt(w->packet, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) < 0)
		bench_die("packet socket options");
	if (bind(w->packet, (const struct sockaddr *)&ll, sizeof ll) < 0)
		bench_die("bind");
}

/* A socket belongs to the namespace it was made in, so one visit is enough. */
static void
watch_open_netlink(struct watch *w, const char *netns)
{
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR};
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = open(netns, O_RDONLY | O_CLOEXEC);
	int size = 64 << 20;

	if (home < 0 || there < 0)
		bench_die(netns);
	if (setns(there, CLONE_NEWNET) < 0)
		bench_die("setns");
	w->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (w->netlink < 0 || bind(w->netlink, (const struct sockaddr *)&nl, sizeof nl) < 0)
		bench_die("netlink");
	if (setsockopt(w->netlink, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
		bench_die("SO_RCVBUFFORCE");
	if (setns(home, CLONE_NEWNET) < 0)
		bench_die("setns back");
	close(home);
	close(there);
}

/* ---- what is seen ---- */

/* The earliest sign counts: packets and netlink events are not read in the order of their times. */
static void
watch_decided(struct watch *w, int64_t at, const char *by)
{
	if (w->decision && w->decision <= at)
		return;
	w->decision = at;
	w->decided_by = by;
}

static struct watch_address *
watch_find(struct watch *w, uint32_t ip)
{
	return ip - w->first < w->count ? &w->seen[ip - w->first] : NULL;
}

static void
watch_note(int64_t *slot, uint32_t *n, int64_t at)
{
	if (*slot)
		return;
	*slot = at;
	(*n)++;
}

static void
watch_arp(struct watch *w, const uint8_t *f, size_t len, int64_t at)
{
	const uint8_t *arp = f + ETH_HLEN;
	struct watch_address *a;
	uint32_t sender;

	if (len < ETH_HLEN + 28 || memcmp(arp + 8, w->new_mac, ETH_ALEN) != 0)
		return;
	sender = watch_get32(arp + 14);
	a = watch_find(w, sender);
	if (!a)
		return;
	if (sender == watch_get32(arp + 24)) {
		watch_decided(w, at, "announcement");
		watch_note(&a->announced, &w->n_announced, at);
	} else if (arp[7] == 2 && memcmp(f, w->own_mac, ETH_ALEN) == 0) {
		watch_note(&a->answered, &w->n_answered, at);
	}
}

static void
watch_beat(struct watch *w, int64_t at)
{
	int64_t *gap = w->decision ? &w->beat_gap : &w->beat_gap_idle;

	if (w->beat_last && at - w->beat_last > *gap)
		*gap = at - w->beat_last;
	w->beat_last = at;
	w->beats++;
}

static void
watch_advert(struct watch *w, const uint8_t *f, size_t len, int64_t at)
{
	const uint8_t *vrrp = f + WATCH_VRID_AT - 1;
	uint32_t source;

	if (len < WATCH_VRID_AT + 7 || f[ETH_HLEN] != 0x45)
		return;
	source = watch_get32(f + ETH_HLEN + 12);
	if (source == w->new_ip && vrrp[1] == w->beat_vrid)
		watch_beat(w, at);
	if (vrrp[1] != w->vrid)
		return;
	if (source != w->new_ip) {
		w->old_advert = at;
	} else if (vrrp[2] != 0) {
		watch_decided(w, at, "advert");
		if (!w->new_advert)
			w->new_advert = at;
	}
}

static void
watch_hear(struct watch *w)
{
	static uint8_t data[WATCH_BATCH][WATCH_FRAME];
	static uint8_t control[WATCH_BATCH][CMSG_SPACE(sizeof(struct timespec))] __attribute__((aligned(8)));
	struct iovec iov[WATCH_BATCH];
	struct mmsghdr msg[WATCH_BATCH];
	int n, i;

	do {
		for (i = 0; i < WATCH_BATCH; i++) {
			iov[i] = (struct iovec){data[i], WATCH_FRAME};
			msg[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i],
							 .msg_iovlen = 1,
							 .msg_control = control[i],
							 .msg_controllen = sizeof control[i]};
		}
		n = recvmmsg(w->packet, msg, WATCH_BATCH, MSG_DONTWAIT, NULL);
		for (i = 0; i < n; i++) {
			struct cmsghdr *c = CMSG_FIRSTHDR(&msg[i].msg_hdr);
			const uint8_t *f = data[i];
			struct timespec ts;
			int64_t at;

			if (!c || c->cmsg_type != SCM_TIMESTAMPNS || msg[i].msg_len < ETH_HLEN + 20)
				continue;
			memcpy(&ts, CMSG_DATA(c), sizeof ts);
			at = (int64_t)ts.tv_sec * BENCH_NS_PER_S + ts.tv_nsec;
			if ((f[12] << 8 | f[13]) == ETHERTYPE_ARP)
				watch_arp(w, f, msg[i].msg_len, at);
			else
				watch_advert(w, f, msg[i].msg_len, at);
		}
	} while (n == WATCH_BATCH);
}

static void
watch_address_event(struct watch *w, const struct nlmsghdr *h, int64_t at)
{
	const struct ifaddrmsg *ifa = NLMSG_DATA(h);
	const struct rtattr *rta;
	int left = (int)IFA_PAYLOAD(h);
	struct watch_address *a = NULL;

	if (h->nlmsg_type != RTM_NEWADDR || ifa->ifa_family != AF_INET)
		return;
	for (rta = IFA_RTA(ifa); RTA_OK(rta, left); rta = RTA_NEXT(rta, left))
		if (rta->rta_type == IFA_LOCAL)
			a = watch_find(w, watch_get32(RTA_DATA(rta)));
	if (!a)
		return;
	watch_decided(w, at, "address");
	watch_note(&a->added, &w->n_added, at);
}

static void
watch_netlink(struct watch *w)
{
	static _Alignas(NLMSG_ALIGNTO) char buf[65536];

	for (;;) {
		ssize_t n = recv(w->netlink, buf, sizeof buf, 0);
		int64_t at = bench_now_ns(CLOCK_REALTIME);
		unsigned left;
		struct nlmsghdr *h;

		if (n < 0 && errno == ENOBUFS) {
			w->overruns++;
			continue;
		}
		if (n <= 0)
			return;
		left = (unsigned)n;
		for (h = (struct nlmsghdr *)(void *)buf; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))
			watch_address_event(w, h, at);
	}
}

/* ---- asking ---- */

static void
watch_question(const struct watch *w, uint32_t ip, uint8_t f[42])
{
	static const uint8_t head[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};

	memcpy(f, w->new_mac, ETH_ALEN);
	memcpy(f + 6, w->own_mac, ETH_ALEN);
	memcpy(f + 12, head, sizeof head);
	memcpy(f + 22, w->own_mac, ETH_ALEN);
	watch_put32(f + 28, w->own_ip);
	memset(f + 32, 0, ETH_ALEN);
	watch_put32(f + 38, ip);
}

/* The next few addresses that have not answered, round robin. */
static void
watch_ask(struct watch *w)
{
	uint8_t frame[WATCH_ASK_BURST][42];
	struct iovec iov[WATCH_ASK_BURST];
	struct mmsghdr msg[WATCH_ASK_BURST];
	unsigned n = 0;
	uint32_t looked;

	for (looked = 0; looked < w->count && n < WATCH_ASK_BURST; looked++) {
		uint32_t i = w->next;

		w->next = (w->next + 1) % w->count;
		if (w->seen[i].answered)
			continue;
		watch_question(w, w->first + i, frame[n]);
		iov[n] = (struct iovec){frame[n], sizeof frame[n]};
		msg[n].msg_hdr = (struct msghdr){.msg_iov = &iov[n], .msg_iovlen = 1};
		n++;
	}
	if (n && sendmmsg(w->packet, msg, n, 0) > 0)
		w->asked += n;
}

/* ---- result ---- */

static double
watch_ms(int64_t from, int64_t to)
{
	return from && to ? (double)(to - from) / 1e6 : -1.0;
}

static void
watch_print(const struct watch *w)
{
	int64_t added = 0, announced = 0, answered = 0, first_answered = INT64_MAX;
	uint32_t i;

	for (i = 0; i < w->count; i++) {
		const struct watch_address *a = &w->seen[i];

		added = a->added > added ? a->added : added;
		announced = a->announced > announced ? a->announced : announced;
		answered = a->answered > answered ? a->answered : answered;
		if (a->answered && a->answered < first_answered)
			first_answered = a->answered;
	}
	printf("{\"count\":%u,\"added\":%u,\"announced\":%u,\"answered\":%u,\"decided_by\":\"%s\","
	       "\"last_added_ms\":%.3f,\"last_announced_ms\":%.3f,\"last_answered_ms\":%.3f,\"first_answered_"
	       "ms\":%.3f,"
	       "\"first_advert_ms\":%.3f,\"old_advert_to_decision_ms\":%.3f,\"old_advert_to_last_answered_ms\":"
	       "%.3f,"
	       "\"beats\":%llu,\"beat_gap_ms\":%.3f,\"beat_gap_idle_ms\":%.3f,\"asked\":%llu,\"overruns\":%llu}"
	       "\n",
	       w->count, w->n_added, w->n_announced, w->n_answered, w->decided_by ? w->decided_by : "",
	       watch_ms(w->decision, added), watch_ms(w->decision, announced), watch_ms(w->decision, answered),
	       first_answered == INT64_MAX ? -1.0 : watch_ms(w->decision, first_answered),
	       watch_ms(w->decision, w->new_advert), watch_ms(w->old_advert, w->decision),
	       watch_ms(w->old_advert, answered), (unsigned long long)w->beats, (double)w->beat_gap / 1e6,
	       (double)w->beat_gap_idle / 1e6, (unsigned long long)w->asked, (unsigned long long)w->overruns);
}

static bool
watch_complete(const struct watch *w)
{
	return w->count && w->n_answered == w->count && w->n_announced == w->count;
}

static void
watch_loop(struct watch *w, int64_t timeout_ns)
{
	int64_t tick = bench_now_ns(CLOCK_MONOTONIC);
	int64_t end = tick + timeout_ns;
	bool complete = false;

	while (tick < end) {
		bool asking = w->decision && w->n_answered < w->count;
		struct pollfd fds[] = {
			{w->packet, POLLIN, 0}, {w->netlink, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};

		if (asking) {
			tick += WATCH_ASK_TICK_US * BENCH_NS_PER_US;
			bench_sleep_until(tick);
			watch_ask(w);
		} else if (poll(fds, 3, 10) < 0) {
			bench_die("poll");
		}
		watch_netlink(w);
		watch_hear(w);
		if (fds[2].revents)
			return;
		tick = bench_now_ns(CLOCK_MONOTONIC);
		if (!complete && watch_complete(w)) {
			complete = true;
			end = tick + WATCH_LINGER_MS * BENCH_NS_PER_MS;
		}
	}
}

int
main(int argc, char **argv)
{
	static struct watch w;
	unsigned m[ETH_ALEN];
	int i;

	if (argc != 11 ||
	    sscanf(argv[5], "%x:%x:%x:%x:%x:%x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]) != ETH_ALEN) {
		fprintf(stderr, "usage: bench_watch NETNS_FILE IFNAME OWN_IP NEW_IP NEW_MAC VRID BEAT_VRID "
				"FIRST_ADDRESS COUNT "
				"TIMEOUT_MS\n");
		return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1000UL);
	for (i = 0; i < ETH_ALEN; i++)
		w.new_mac[i] = (uint8_t)m[i];
	w.own_ip = watch_ip(argv[3]);
	w.new_ip = watch_ip(argv[4]);
	w.vrid = (uint8_t)bench_number(argv[6], 1, 255);
	w.beat_vrid = (uint8_t)bench_number(argv[7], 1, 255);
	w.first = watch_ip(argv[8]);
	w.count = (uint32_t)bench_number(argv[9], 0, WATCH_MAX);
	watch_open_netlink(&w, argv[1]);
	watch_open_packet(&w, argv[2]);
	puts("ready");
	fflush(stdout);
	watch_loop(&w, bench_number(argv[10], 100, 600000) * BENCH_NS_PER_MS);
	watch_print(&w);
	return 0;
}
