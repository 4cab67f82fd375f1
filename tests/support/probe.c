/*
 * probe.c - what a client sees: asks an address at a fixed pace and measures how long it gets no answer.
 *
 * A test tool, run inside a network namespace by tests/support/lab.py, the demo and the benchmarks; no part of
 * vrrpd. Questions leave on schedule whether or not earlier ones were answered, so a lost SYN never shows as a
 * second of silence. Silence is the time between two answers that follow each other. Reads lines on standard
 * input: each one prints a report as one line of JSON and starts a new period; end of file prints the last
 * report and ends.
 *
 *   probe icmp|udp|http ADDRESS PORT INTERVAL_US GAP_MS      (PORT is 0 for icmp; gaps of GAP_MS and more are
 * listed)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define CONNS_MAX	4096   /* unanswered HTTP questions at a time */
#define CONN_TIMEOUT_US 250000 /* given up after this long, well before TCP asks again */
#define ANSWER_MAX	1024   /* octets kept of an answer */
#define GAPS_MAX	256    /* gaps listed per report; further ones only count for the longest */
#define WHO_MAX		8      /* different answerers told apart */
#define WHO_LEN		32

enum { TAG_TIMER = -1, TAG_STDIN = -2, TAG_SOCKET = -3 };

struct gap {
	int64_t at_us;
	int64_t us;
};

struct conn {
	int fd; /* -1: free */
	bool asked;
	int64_t since_us;
	size_t len;
	char answer[ANSWER_MAX];
};

struct probe {
	struct sockaddr_storage to;
	socklen_t to_len;
	int64_t interval_us;
	int64_t gap_us;
	int epoll, timer, sock; /* sock: icmp and udp */
	bool http;
	uint16_t ident;
	struct conn conns[CONNS_MAX];
	unsigned next_conn, oldest_conn;
	/* the present period */
	uint64_t sent, answered, skipped;
	int64_t late_us_max;	/* how late the probe itself ran */
	int64_t last_answer_us; /* 0: none ever */
	int64_t longest_us, longest_at_us;
	size_t n_gaps;
	struct gap gaps[GAPS_MAX];
	size_t n_who;
	struct {
		char name[WHO_LEN];
		uint64_t n;
	} who[WHO_MAX];
	int64_t due_us;
	uint32_t sequence;
};

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
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
watch(struct probe *p, int fd, uint32_t events, int tag)
{
	struct epoll_event e = {.events = events, .data.fd = tag};

	if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll_ctl");
}

/* ---- answers -------------------------------------------------------------------------------------------- */

static void
note_gap(struct probe *p, int64_t at, int64_t us)
{
	if (us > p->longest_us) {
		p->longest_us = us;
		p->longest_at_us = at;
	}
	if (us >= p->gap_us && p->n_gaps < GAPS_MAX)
		p->gaps[p->n_gaps++] = (struct gap){at, us};
}

/* `name` says who answered, as printable text; NULL when the kind of probe cannot tell. */
static void
note_answer(struct probe *p, const char *name)
{
	int64_t now = now_us();

	if (p->last_answer_us > 0)
		note_gap(p, p->last_answer_us, now - p->last_answer_us);
	p->last_answer_us = now;
	p->answered++;
	if (!name || !*name)
		return;
	for (size_t i = 0; i < p->n_who; i++) {
		if (strcmp(p->who[i].name, name) == 0) {
			p->who[i].n++;
			return;
		}
	}
	if (p->n_who < WHO_MAX) {
		snprintf(p->who[p->n_who].name, WHO_LEN, "%s", name);
		p->who[p->n_who++].n = 1;
	}
}

/* The body of an HTTP answer, cut to a plain word: our web servers answer with the name of their host. */
static void
answer_name(const char *answer, char name[WHO_LEN])
{
	const char *body = strstr(answer, "\r\n\r\n");
	size_t n = 0;

	for (body = body ? body + 4 : ""; *body && n + 1 < WHO_LEN; body++) {
		bool plain = (*body >= 'a' && *body <= 'z') || (*body >= '0' && *body <= '9') || *body == '-';

		if (!plain)
			break;
		name[n++] = *body;
	}
	name[n] = '\0';
}

/* ---- HTTP questions: one connection each ---------------------------------------------------------------- */

static void
conn_close(struct conn *c)
{
	struct linger now = {.l_onoff = 1};

	if (c->fd < 0)
		return;
	/* reset instead of a farewell: a thousand connections a second must not use up the ports */
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(c->fd);
	c->fd = -1;
}

static void
conn_expire(struct probe *p, int64_t now)
{
	while (p->oldest_conn != p->next_conn) {
		struct conn *c = &p->conns[p->oldest_conn % CONNS_MAX];

		if (c->fd >= 0 && now - c->since_us < CONN_TIMEOUT_US)
			return;
		conn_close(c);
		p->oldest_conn++;
	}
}

static void
conn_open(struct probe *p)
{
	int64_t now = now_us();
	unsigned slot = p->next_conn % CONNS_MAX;
	struct conn *c = &p->conns[slot];
	int one = 1;

	conn_expire(p, now);
	if (p->next_conn - p->oldest_conn >= CONNS_MAX) {
		p->skipped++;
		return;
	}
	c->fd = socket(p->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket");
	c->asked = false;
	c->since_us = now;
	c->len = 0;
	p->next_conn++;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, (struct sockaddr *)&p->to, p->to_len) < 0 && errno != EINPROGRESS) {
		conn_close(c); /* no route, no neighbour: a question without an answer */
		return;
	}
	watch(p, c->fd, EPOLLIN | EPOLLOUT | EPOLLET, (int)slot);
}

static void
conn_event(struct probe *p, unsigned slot)
{
	static const char question[] = "GET / HTTP/1.0\r\n\r\n";
	struct conn *c = &p->conns[slot];
	char name[WHO_LEN];

	if (c->fd < 0)
		return;
	if (!c->asked) {
		if (send(c->fd, question, sizeof(question) - 1, MSG_NOSIGNAL) < 0) {
			if (errno != EAGAIN && errno != ENOTCONN)
				conn_close(c);
			return;
		}
		c->asked = true;
	}
	while (c->len < ANSWER_MAX - 1) {
		ssize_t n = recv(c->fd, c->answer + c->len, ANSWER_MAX - 1 - c->len, 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			break;
		c->len += (size_t)n;
	}
	c->answer[c->len] = '\0';
	if (strncmp(c->answer, "HTTP/1.", 7) == 0 && strncmp(c->answer + 8, " 200", 4) == 0) {
		answer_name(c->answer, name);
		note_answer(p, name);
	}
	conn_close(c);
}

/* ---- ICMP and UDP questions: one socket ----------------------------------------------------------------- */

static void
socket_open(struct probe *p, bool icmp)
{
	int type = icmp ? SOCK_RAW : SOCK_DGRAM;
	int proto = !icmp ? 0 : p->to.ss_family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int size = 1 << 20;

	p->sock = socket(p->to.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, proto);
	if (p->sock < 0)
		die("socket");
	setsockopt(p->sock, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (icmp)
		((struct sockaddr_in *)&p->to)->sin_port = 0; /* the same place in sockaddr_in6 */
	/* connected: answers from elsewhere are not answers */
	if (connect(p->sock, (struct sockaddr *)&p->to, p->to_len) < 0)
		die("connect");
	watch(p, p->sock, EPOLLIN, TAG_SOCKET);
}

static uint16_t
inet_sum(const void *data, size_t n)
{
	const uint8_t *d = data;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(d[i] << 8 | d[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void
socket_ask(struct probe *p, bool icmp)
{
	struct icmphdr q = {.type = p->to.ss_family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST};

	q.un.echo.id = htons(p->ident);
	q.un.echo.sequence = htons((uint16_t)p->sequence++);
	if (icmp && p->to.ss_family == AF_INET)
		q.checksum = inet_sum(&q, sizeof(q)); /* ICMPv6: by the kernel */
	if (send(p->sock, &q, sizeof(q), MSG_NOSIGNAL) < 0 && errno == EBADF)
		die("send");
}

static void
socket_event(struct probe *p, bool icmp)
{
	uint8_t buf[2048];

	for (;;) {
		ssize_t n = recv(p->sock, buf, sizeof(buf), 0);
		size_t head = 0;

		if (n < 0)
			return; /* nothing more, or an ICMP error that says "no answer" */
		if (icmp && p->to.ss_family == AF_INET)
			head = (size_t)(buf[0] & 15) * 4;
		if (icmp) {
			const struct icmphdr *a = (const void *)(buf + head);
			int want = p->to.ss_family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;

			if ((size_t)n < head + sizeof(*a) || a->type != want ||
			    a->un.echo.id != htons(p->ident))
				continue;
		}
		note_answer(p, NULL);
	}
}

/* ---- reports and the loop ------------------------------------------------------------------------------- */

static void
report(struct probe *p)
{
	int64_t now = now_us();
	int64_t silent = p->last_answer_us > 0 ? now - p->last_answer_us : -1;

	printf("{\"now_us\": %lld, \"sent\": %llu, \"answered\": %llu, \"skipped\": %llu, \"longest_us\": "
	       "%lld, "
	       "\"longest_at_us\": %lld, \"silent_us\": %lld, \"late_us_max\": %lld, \"gaps\": [",
	       (long long)now, (unsigned long long)p->sent, (unsigned long long)p->answered,
	       (unsigned long long)p->skipped, (long long)p->longest_us, (long long)p->longest_at_us,
	       (long long)silent, (long long)p->late_us_max);
	for (size_t i = 0; i < p->n_gaps; i++)
		printf("%s{\"at_us\": %lld, \"us\": %lld}", i ? ", " : "", (long long)p->gaps[i].at_us,
		       (long long)p->gaps[i].us);
	printf("], \"who\": {");
	for (size_t i = 0; i < p->n_who; i++)
		printf("%s\"%s\": %llu", i ? ", " : "", p->who[i].name, (unsigned long long)p->who[i].n);
	printf("}}\n");
	fflush(stdout);
	p->sent = p->answered = p->skipped = 0;
	p->longest_us = p->longest_at_us = p->late_us_max = 0;
	p->n_gaps = p->n_who = 0;
}

/* False at the end of input. */
static bool
on_stdin(struct probe *p)
{
	char buf[256];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	for (ssize_t i = 0; i < n; i++)
		if (buf[i] == '\n')
			report(p);
	if (n > 0)
		return true;
	report(p);
	return false;
}

static void
on_timer(struct probe *p, bool icmp)
{
	uint64_t ticks = 0;
	int64_t now = now_us();

	if (read(p->timer, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	/* ticks that were missed are not made up for: a burst would say nothing */
	p->due_us += (int64_t)ticks * p->interval_us;
	if (now - p->due_us + (int64_t)(ticks - 1) * p->interval_us > p->late_us_max)
		p->late_us_max = now - p->due_us + (int64_t)(ticks - 1) * p->interval_us;
	p->sent++;
	if (p->http)
		conn_open(p);
	else
		socket_ask(p, icmp);
}

static void
start_timer(struct probe *p)
{
	int64_t first = now_us() + p->interval_us;
	struct itimerspec t = {
		.it_interval = {p->interval_us / 1000000, p->interval_us % 1000000 * 1000},
		.it_value = {first / 1000000, first % 1000000 * 1000},
	};

	p->due_us = first - p->interval_us;
	p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (p->timer < 0 || timerfd_settime(p->timer, TFD_TIMER_ABSTIME, &t, NULL) < 0)
		die("timerfd");
	watch(p, p->timer, EPOLLIN, TAG_TIMER);
}

static void
loop(struct probe *p, bool icmp)
{
	struct epoll_event events[64];

	for (;;) {
		int n = epoll_wait(p->epoll, events, 64, -1);

		for (int i = 0; i < n; i++) {
			int tag = events[i].data.fd;

			if (tag == TAG_TIMER)
				on_timer(p, icmp);
			else if (tag == TAG_SOCKET)
				socket_event(p, icmp);
			else if (tag == TAG_STDIN && !on_stdin(p))
				return;
			else if (tag >= 0)
				conn_event(p, (unsigned)tag);
		}
	}
}

static void
parse_address(struct probe *p, const char *text, uint16_t port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&p->to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&p->to;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		p->to_len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		p->to_len = sizeof(*v6);
	} else {
		fprintf(stderr, "probe: %s is no address\n", text);
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	static struct probe p;
	struct sched_param fifo = {.sched_priority = 1};
	bool icmp;

	if (argc != 6 || (strcmp(argv[1], "icmp") && strcmp(argv[1], "udp") && strcmp(argv[1], "http"))) {
		fprintf(stderr, "usage: probe icmp|udp|http ADDRESS PORT INTERVAL_US GAP_MS\n");
		return 2;
	}
	icmp = strcmp(argv[1], "icmp") == 0;
	p.http = strcmp(argv[1], "http") == 0;
	p.interval_us = strtoll(argv[4], NULL, 10);
	p.gap_us = strtoll(argv[5], NULL, 10) * 1000;
	p.ident = (uint16_t)getpid();
	if (p.interval_us < 50)
		p.interval_us = 50;
	parse_address(&p, argv[2], (uint16_t)strtoul(argv[3], NULL, 10));
	for (unsigned i = 0; i < CONNS_MAX; i++)
		p.conns[i].fd = -1;
	sched_setscheduler(0, SCHED_FIFO, &fifo); /* a busy machine must not look like silence; fine without */
	p.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (p.epoll < 0)
		die("epoll");
	watch(&p, STDIN_FILENO, EPOLLIN, TAG_STDIN);
	if (!p.http)
		socket_open(&p, icmp);
	start_timer(&p);
	loop(&p, icmp);
	return 0;
}
