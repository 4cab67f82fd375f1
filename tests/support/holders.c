/*
 * holders.c - who holds an address: asks the kernels of several network namespaces over and over.
 *
 * A test tool, run by tests/support/lab.py, the chaos run and the benchmarks; no part of vrrpd. A question is
 * one route lookup for the address in one namespace: the answer is "local" on a host that has it. The lookup
 * takes no lock of the kernel's, so that looking does not disturb what is looked at. Times are CLOCK_MONOTONIC
 * in microseconds.
 *
 *   holders ADDRESS INTERVAL_US NAME=NETNS_FILE...
 *
 * Prints "ready", then answers each line on standard input with one line of JSON: what was seen since the line
 * before, as periods [FROM_US, TO_US, "NAMES"], the names separated by spaces, and the longest time between two
 * looks.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HOSTS_MAX   16
#define PERIODS_MAX 65536

struct host {
	const char *name;
	int fd;
};

struct period {
	int64_t from_us;
	uint32_t mask;
};

struct question {
	struct nlmsghdr h;
	struct rtmsg r;
	struct rtattr a;
	uint8_t addr[16];
};

static struct host hosts[HOSTS_MAX];
static int n_hosts;
static struct period periods[PERIODS_MAX];
static size_t n_periods;
static int64_t gap_max_us;

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
die(const char *what)
{
	fprintf(stderr, "holders: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* NAME=FILE: a netlink socket in that namespace. A socket stays in the namespace in which it was opened. */
static void
open_host(char *arg)
{
	char *file = strchr(arg, '=');
	struct host *h = &hosts[n_hosts++];
	int ns;

	if (file == NULL || n_hosts > HOSTS_MAX)
		die(arg);
	*file++ = '\0';
	ns = open(file, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		die(file);
	close(ns);
	h->name = arg;
	h->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (h->fd < 0)
		die("socket");
}

static size_t
prepare(struct question *q, const char *address)
{
	size_t len = strchr(address, ':') != NULL ? 16 : 4;

	memset(q, 0, sizeof(*q));
	q->r.rtm_family = len == 16 ? AF_INET6 : AF_INET;
	if (inet_pton(q->r.rtm_family, address, q->addr) != 1)
		die(address);
	q->r.rtm_dst_len = (unsigned char)(len * 8);
	q->a.rta_type = RTA_DST;
	q->a.rta_len = (unsigned short)(sizeof(q->a) + len);
	q->h.nlmsg_len = (uint32_t)(sizeof(q->h) + sizeof(q->r) + sizeof(q->a) + len);
	q->h.nlmsg_type = RTM_GETROUTE;
	q->h.nlmsg_flags = NLM_F_REQUEST;
	return q->h.nlmsg_len;
}

/* Is the address local there? No route at all is an error message, and no. */
static bool
holds(int fd, struct question *q, size_t len)
{
	union {
		struct nlmsghdr h;
		char b[4096];
	} answer;

	q->h.nlmsg_seq++;
	if (send(fd, q, len, 0) < 0)
		die("send");
	for (;;) {
		ssize_t n = recv(fd, &answer, sizeof(answer), 0);

		if (n < (ssize_t)sizeof(answer.h))
			die("recv");
		if (answer.h.nlmsg_seq == q->h.nlmsg_seq)
			break;
	}
	if (answer.h.nlmsg_type != RTM_NEWROUTE)
		return false;
	return ((struct rtmsg *)NLMSG_DATA(&answer.h))->rtm_type == RTN_LOCAL;
}

static uint32_t
look(struct question *q, size_t len)
{
	uint32_t mask = 0;

	for (int n = 0; n < n_hosts; n++)
		if (holds(hosts[n].fd, q, len))
			mask |= 1u << n;
	return mask;
}

/* Print the periods up to now; the present one goes on in the next report. */
static void
report(int64_t now)
{
	uint32_t mask = n_periods > 0 ? periods[n_periods - 1].mask : 0;

	printf("{\"gap_us\": %lld, \"full\": %s, \"periods\": [", (long long)gap_max_us,
	       n_periods == PERIODS_MAX ? "true" : "false");
	for (size_t n = 0; n < n_periods; n++) {
		const char *space = "";

		printf("%s[%lld, %lld, \"", n > 0 ? ", " : "", (long long)periods[n].from_us,
		       (long long)(n + 1 < n_periods ? periods[n + 1].from_us : now));
		for (int k = 0; k < n_hosts; k++) {
			if (!(periods[n].mask & 1u << k))
				continue;
			printf("%s%s", space, hosts[k].name);
			space = " ";
		}
		printf("\"]");
	}
	printf("]}\n");
	fflush(stdout);
	n_periods = 1;
	periods[0] = (struct period){now, mask};
	gap_max_us = 0;
}

/* Lines on standard input ask for reports; false when it has ended. */
static bool
serve(int64_t now)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	char buf[64];
	ssize_t n;

	if (poll(&p, 1, 0) <= 0)
		return true;
	n = read(STDIN_FILENO, buf, sizeof(buf));
	for (ssize_t k = 0; k < n; k++)
		if (buf[k] == '\n')
			report(now);
	return n > 0;
}

int
main(int argc, char **argv)
{
	struct question q;
	size_t len;
	int64_t interval, last;
	struct sched_param realtime = {.sched_priority = 40};

	if (argc < 4)
		return 2;
	len = prepare(&q, argv[1]);
	interval = atoll(argv[2]);
	for (int n = 3; n < argc; n++)
		open_host(argv[n]);
	/* Below the engines' priority: it must not disturb them, and nothing else should disturb it. */
	(void)sched_setscheduler(0, SCHED_FIFO, &realtime);
	puts("ready");
	fflush(stdout);
	for (last = now_us();;) {
		uint32_t mask = look(&q, len);
		int64_t now = now_us();
		struct timespec pause = {.tv_nsec = interval * 1000};

		if (n_periods == 0 || (periods[n_periods - 1].mask != mask && n_periods < PERIODS_MAX))
			periods[n_periods++] = (struct period){now, mask};
		if (now - last > gap_max_us)
			gap_max_us = now - last;
		last = now;
		if (!serve(now))
			return 0;
		nanosleep(&pause, NULL);
	}
}
