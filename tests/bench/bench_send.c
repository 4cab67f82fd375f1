/*
 * bench_send.c - the floor under "CPU per advert": what sending, and receiving, the bare packets costs on this
 * machine.
 *
 * Runs in the hosts' namespaces on the same bridge as the daemons. `send` sends 12-octet VRRPv3 adverts with as
 * many VRIDs as asked through one raw socket: in one go ("tight") and paced in bursts ("paced"), each by
 * sendto() one at a time and by one sendmmsg() per burst. `sink` is the other side: it joins the group and
 * drains with recvmmsg(). CPU is this process' own time, which includes the kernel's delivery to the far side
 * of the veth pair, as it does for the daemons.
 *
 *   bench_send send IFNAME SOURCE VRIDS BURSTS INTERVAL_US       bench_send sink IFNAME      (until stdin ends)
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_util.h"

enum { SEND_VRIDS_MAX = 255, SEND_LEN = 12, SEND_PROTO = 112, SINK_LEN = 128, SINK_BATCH = 256 };

static const struct in_addr *
send_group(void)
{
	static struct in_addr group;

	group.s_addr = htonl(0xe0000012u); /* 224.0.0.18, RFC 9568 section 5.1.1.2 */
	return &group;
}

struct send_set {
	int fd;
	unsigned n;
	uint8_t packet[SEND_VRIDS_MAX][SEND_LEN];
	struct iovec iov[SEND_VRIDS_MAX];
	struct mmsghdr msg[SEND_VRIDS_MAX];
	struct sockaddr_in to;
};

static int
send_socket(const char *ifname, const char *source)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, SEND_PROTO);
	struct ip_mreqn mreq = {.imr_ifindex = (int)if_nametoindex(ifname)};
	struct sockaddr_in sin = {.sin_family = AF_INET};
	int ttl = 255;
	int off = 0;

	if (fd < 0)
		bench_die("raw socket");
	if (!mreq.imr_ifindex)
		bench_die("interface");
	if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &mreq, sizeof mreq) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof ttl) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &off, sizeof off) < 0)
		bench_die("multicast options");
	if (source) {
		if (inet_pton(AF_INET, source, &sin.sin_addr) != 1)
			bench_die("bad source");
		if (bind(fd, (const struct sockaddr *)&sin, sizeof sin) < 0)
			bench_die("bind");
	} else {
		mreq.imr_multiaddr = *send_group();
		if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof mreq) < 0)
			bench_die("IP_ADD_MEMBERSHIP");
	}
	return fd;
}

/* RFC 1071 over the message alone, as RFC 9568 5.2.8 has it for IPv4. */
static uint16_t
send_checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void
send_build(struct send_set *s)
{
	unsigned i;

	s->to.sin_family = AF_INET;
	s->to.sin_addr = *send_group();
	for (i = 0; i < s->n; i++) {
		uint8_t *p = s->packet[i];
		const uint8_t head[SEND_LEN] = {0x31, (uint8_t)(i + 1), 100, 1, 0, 1, 0, 0, 10, 62,
						0,    (uint8_t)(i + 1)};
		uint16_t sum;

		memcpy(p, head, SEND_LEN);
		sum = send_checksum(p, SEND_LEN);
		p[6] = (uint8_t)(sum >> 8);
		p[7] = (uint8_t)sum;
		s->iov[i] = (struct iovec){p, SEND_LEN};
		s->msg[i].msg_hdr = (struct msghdr){.msg_name = &s->to,
						    .msg_namelen = sizeof s->to,
						    .msg_iov = &s->iov[i],
						    .msg_iovlen = 1};
	}
}

static void
send_burst(struct send_set *s, bool batch)
{
	unsigned i;
	int n;

	for (i = 0; batch && i < s->n; i += (unsigned)n) {
		n = sendmmsg(s->fd, s->msg + i, s->n - i, 0);
		if (n <= 0)
			bench_die("sendmmsg");
	}
	for (i = 0; !batch && i < s->n; i++)
		if (sendto(s->fd, s->packet[i], SEND_LEN, 0, (const struct sockaddr *)&s->to, sizeof s->to) !=
		    SEND_LEN)
			bench_die("sendto");
}

static void
send_run(struct send_set *s, long bursts, int64_t interval_ns, bool batch)
{
	int64_t next = bench_now_ns(CLOCK_MONOTONIC);
	int64_t cpu = bench_now_ns(CLOCK_PROCESS_CPUTIME_ID);
	long i;

	for (i = 0; i < bursts; i++) {
		send_burst(s, batch);
		next += interval_ns;
		if (interval_ns)
			bench_sleep_until(next);
	}
	cpu = bench_now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("{\"by\":\"%s\",\"pace\":\"%s\",\"packets\":%ld,\"cpu_us_per_packet\":%.3f}\n",
	       batch ? "sendmmsg" : "sendto", interval_ns ? "paced" : "tight", bursts * (long)s->n,
	       (double)cpu / 1e3 / (double)(bursts * (long)s->n));
	fflush(stdout);
}

static int
send_main(char **argv)
{
	static struct send_set set;
	long bursts = bench_number(argv[4], 1, 1000000);
	int64_t interval_ns = bench_number(argv[5], 100, 10000000) * BENCH_NS_PER_US;

	set.n = (unsigned)bench_number(argv[3], 1, SEND_VRIDS_MAX);
	set.fd = send_socket(argv[1], argv[2]);
	send_build(&set);
	send_burst(&set, true); /* the first packet resolves routes and warms caches */
	send_run(&set, bursts, 0, false);
	send_run(&set, bursts, 0, true);
	send_run(&set, bursts, interval_ns, false);
	send_run(&set, bursts, interval_ns, true);
	return 0;
}

static int
sink_main(char **argv)
{
	static uint8_t data[SINK_BATCH][SINK_LEN];
	static struct iovec iov[SINK_BATCH];
	static struct mmsghdr msg[SINK_BATCH];
	int fd = send_socket(argv[1], NULL);
	int64_t cpu;
	long packets = 0;
	int size = 4 << 20;
	unsigned i;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
		bench_die("SO_RCVBUFFORCE");
	for (i = 0; i < SINK_BATCH; i++) {
		iov[i] = (struct iovec){data[i], SINK_LEN};
		msg[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	puts("ready");
	fflush(stdout);
	cpu = bench_now_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (;;) {
		struct pollfd fds[] = {{fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
		int n;

		if (poll(fds, 2, -1) < 0)
			bench_die("poll");
		if (fds[0].revents && (n = recvmmsg(fd, msg, SINK_BATCH, MSG_DONTWAIT, NULL)) > 0)
			packets += n;
		else if (fds[1].revents)
			break;
	}
	printf("{\"by\":\"recvmmsg\",\"packets\":%ld,\"cpu_us_per_packet\":%.3f}\n", packets,
	       packets ? (double)(bench_now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e3 / (double)packets : 0.0);
	return 0;
}

int
main(int argc, char **argv)
{
	prctl(PR_SET_TIMERSLACK, 1000UL);
	if (argc == 7 && !strcmp(argv[1], "send"))
		return send_main(argv + 1);
	if (argc == 3 && !strcmp(argv[1], "sink"))
		return sink_main(argv + 1);
	fprintf(stderr,
		"usage: bench_send send IFNAME SOURCE VRIDS BURSTS INTERVAL_US | bench_send sink IFNAME\n");
	return 2;
}
