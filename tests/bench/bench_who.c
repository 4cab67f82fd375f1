/*
 * bench_who.c - who answers for an address: asks it on schedule and notes each change.
 *
 * Part of the benchmarks (make bench), run inside the client's namespace. The hosts' kernels answer the echo requests, so no
 * program's scheduling is in the figure; a host is told by the TTL of its answers (sysctl ip_default_ttl). Times are
 * CLOCK_MONOTONIC in microseconds, those of a change when the first answer of the other host came.
 *
 *   bench_who ADDRESS INTERVAL_US
 *
 * Prints "ready", then answers each line on standard input with one line of JSON: the changes since the line before.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "bench_util.h"

#define CHANGES_MAX 1024

static struct {
	int64_t us;
	int ttl;
} changes[CHANGES_MAX];
static size_t n_changes;
static int present = -1; /* the TTL of the last answer */

/* RFC 1071. */
static uint16_t
sum(const void *data, size_t n)
{
	const uint16_t *p = data;
	uint32_t s = 0;

	for (; n > 1; n -= 2)
		s += *p++;
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static void
ask(int fd, const struct sockaddr_in *to)
{
	static uint16_t seq;
	struct icmphdr h = {.type = ICMP_ECHO, .un.echo.id = (uint16_t)getpid()};

	h.un.echo.sequence = ++seq;
	h.checksum = sum(&h, sizeof(h));
	/* Nobody may have the address just now: the neighbour is not known, the queue for it full. */
	(void)sendto(fd, &h, sizeof(h), MSG_DONTWAIT, (const struct sockaddr *)to, sizeof(*to));
}

static void
take_answers(int fd, const struct sockaddr_in *from)
{
	union {
		struct iphdr ip;
		char b[256];
	} u;
	const struct icmphdr *h;
	ssize_t n;

	while ((n = recv(fd, &u, sizeof(u), MSG_DONTWAIT)) > 0) {
		h = (const struct icmphdr *)(u.b + u.ip.ihl * 4);
		if (n < u.ip.ihl * 4 + (ssize_t)sizeof(*h) || h->type != ICMP_ECHOREPLY ||
		    h->un.echo.id != (uint16_t)getpid() || u.ip.saddr != from->sin_addr.s_addr || u.ip.ttl == present)
			continue;
		present = u.ip.ttl;
		if (n_changes < CHANGES_MAX) {
			changes[n_changes].us = bench_now_ns(CLOCK_MONOTONIC) / BENCH_NS_PER_US;
			changes[n_changes++].ttl = present;
		}
	}
}

static bool
report(void)
{
	char line[16];

	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	printf("[");
	for (size_t i = 0; i < n_changes; i++)
		printf("%s[%lld, %d]", i > 0 ? ", " : "", (long long)changes[i].us, changes[i].ttl);
	printf("]\n");
	fflush(stdout);
	n_changes = 0;
	return true;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct itimerspec every = {0};
	struct pollfd fds[3] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}, {.events = POLLIN}};
	long interval_us;
	uint64_t ticks;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		bench_die("usage: bench_who ADDRESS INTERVAL_US");
	interval_us = bench_number(argv[2], 100, 1000000);
	every.it_interval.tv_nsec = every.it_value.tv_nsec = interval_us % 1000000 * 1000;
	every.it_interval.tv_sec = every.it_value.tv_sec = interval_us / 1000000;
	fds[1].fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	fds[2].fd = timerfd_create(CLOCK_MONOTONIC, 0);
	if (fds[1].fd < 0 || fds[2].fd < 0 || timerfd_settime(fds[2].fd, 0, &every, NULL) < 0)
		bench_die("bench_who");
	puts("ready");
	fflush(stdout);
	for (;;) {
		if (poll(fds, 3, -1) < 0)
			bench_die("poll");
		if (fds[1].revents != 0)
			take_answers(fds[1].fd, &to);
		if (fds[2].revents != 0 && read(fds[2].fd, &ticks, sizeof(ticks)) == sizeof(ticks))
			ask(fds[1].fd, &to);
		if (fds[0].revents != 0 && !report())
			return 0;
	}
}
