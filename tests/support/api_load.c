/*
 * api_load.c - every kind of client of the status API at once, good and bad, from one thread (epoll).
 *
 *   api_load SOCKET TCP_PORT SECONDS SEED RATE PATH
 *
 * SOCKET is the Unix socket, TCP_PORT the read-only listener on 127.0.0.1. There are 500 connections that never ask,
 * 100 that ask for /v1/status over TCP and read it 64 octets at a time, 50 that follow the events (10 of them read),
 * 16 that send randomly damaged requests, some of them octet by octet, 400 that together ask RATE times a second for
 * PATH, and every 50 ms a fresh one that asks for /healthz. Who is closed by the server comes back. Prints one JSON
 * object. Exit status 0 when it ran to its end, 2 for wrong arguments, 1 when it could not go on.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define N_IDLE	    500
#define N_SLOW	    100
#define N_FOLLOWERS 50
#define N_READING   10 /* followers that read */
#define N_BAD	    16
#define N_ASKERS    400
#define FRESH_EVERY 50000 /* us */
#define SLOW_EVERY  20000
#define BAD_MAX	    200000 /* a damaged request is given up after this */
#define BACK_AFTER  20000  /* a client that was closed comes back */

enum kind { IDLE, SLOW, FOLLOWER, BAD, ASKER, FRESH, KINDS };

struct client {
	enum kind kind;
	int fd; /* -1: not connected */
	bool reads, waiting;
	uint64_t since, next; /* us */
	size_t head_len;      /* octets of the answer's head so far */
	char head[1024];
	size_t body_left;
	char out[2048]; /* BAD: what is sent one octet at a time */
	size_t out_len, out_done;
};

static const char *path_unix, *path_asked;
static uint16_t port;
static int epfd;
static uint64_t random_state;
static struct client clients[N_IDLE + N_SLOW + N_FOLLOWERS + N_BAD + N_ASKERS + 1];
/* Who is to ask next: all of them in turn, or some would be idle all the time. */
static struct client *free_askers[N_ASKERS];
static unsigned first_free, n_free;

static struct {
	uint64_t asked, answered, refused, closed[KINDS], connect_failed;
	uint64_t bad_sent, bad_answered, bad_200, slow_octets, followed_octets;
	uint64_t fresh, fresh_failed, fresh_max_us, answer_max_us, answer_sum_us;
} count;

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* xorshift64*: the same seed gives the same requests. */
static uint64_t
chance(uint64_t below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * UINT64_C(2685821657736338717) >> 16) % below;
}

static void
fatal(const char *what)
{
	fprintf(stderr, "api_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- connections -------------------------------------------------------------------------------------- */

static int
dial(enum kind kind)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	bool tcp = kind == SLOW;
	int fd = socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int tiny = 2048, r;

	if (fd < 0)
		fatal("socket");
	if (tcp) {
		in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny));
		r = connect(fd, (struct sockaddr *)&in, sizeof(in));
	} else {
		snprintf(un.sun_path, sizeof(un.sun_path), "%s", path_unix);
		r = connect(fd, (struct sockaddr *)&un, sizeof(un));
	}
	if (r < 0 && errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
watch(struct client *c, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = c};

	if (epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &e) < 0)
		fatal("epoll_ctl");
}

static void
add_asker(struct client *c)
{
	free_askers[(first_free + n_free++) % N_ASKERS] = c;
}

static struct client *
next_asker(void)
{
	struct client *c = free_askers[first_free];

	first_free = (first_free + 1) % N_ASKERS;
	n_free--;
	return c;
}

static void
forget_asker(const struct client *c)
{
	for (unsigned i = n_free; i > 0; i--) {
		struct client *next = next_asker();

		if (next != c)
			add_asker(next);
	}
}

static void
hang_up(struct client *c, uint64_t now, bool by_server)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	count.closed[c->kind] += by_server;
	if (c->kind == FRESH && c->waiting)
		count.fresh_failed++;
	if (c->kind == ASKER)
		forget_asker(c);
	c->waiting = false;
	c->head_len = c->body_left = 0;
	c->next = now + BACK_AFTER;
}

/* What was sent; a request is short, and always fits or is lost with its connection. */
static bool
say(struct client *c, const char *text, size_t len)
{
	return send(c->fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* ---- damaged requests ------------------------------------------------------------------------------------ */

static size_t
make_bad(char *buf, size_t size)
{
	static const char *const good[] = {
		"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"GET /v1/events?n=5&since=3 HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /v1/instances/none/drain HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789",
		"POST /nothing HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HEAD /metrics HTTP/1.0\r\n\r\n",
		"GET http://-/healthz HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
	};
	const char *from = good[chance(sizeof(good) / sizeof(good[0]))];
	size_t len = strlen(from);

	memcpy(buf, from, len);
	for (uint64_t n = chance(6); n > 0; n--) {
		size_t at = chance(len), run;

		switch (chance(5)) {
		case 0: /* another octet */
			buf[at] = (char)chance(256);
			break;
		case 1: /* cut short */
			len = at + 1;
			break;
		case 2: /* something is said again and again */
			for (run = 1 + chance(60); run > 0 && len + 8 < size; run--, len += 8)
				memcpy(buf + len, buf + (at + 8 <= len ? at : 0), 8);
			break;
		case 3: /* a bit */
			buf[at] = (char)(buf[at] ^ (1 << chance(8)));
			break;
		default: /* two pieces change places */
			run = chance(len - at);
			for (size_t i = 0; i < run / 2; i++) {
				char swap = buf[at + i];

				buf[at + i] = buf[at + run - 1 - i];
				buf[at + run - 1 - i] = swap;
			}
		}
	}
	return len;
}

/* ---- one client -------------------------------------------------------------------------------------------- */

static void
come(struct client *c, uint64_t now)
{
	static const char follow[] = "GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n";
	static const char fresh[] = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

	c->fd = dial(c->kind);
	if (c->kind != FRESH || !c->waiting)
		c->since = now;
	if (c->fd < 0) {
		/* The backlog is full: who may not block comes back. The fresh one stands for those that wait. */
		count.connect_failed++;
		c->waiting = c->kind == FRESH;
		c->next = now + BACK_AFTER;
		return;
	}
	/* Slow readers read when it is time, followers that do not read never. Both notice when they are closed. */
	watch(c, c->kind == SLOW || (c->kind == FOLLOWER && !c->reads) ? EPOLLRDHUP : EPOLLIN | EPOLLRDHUP);
	if (c->kind == FOLLOWER)
		(void)say(c, follow, sizeof(follow) - 1);
	if (c->kind == ASKER)
		add_asker(c);
	if (c->kind == BAD) {
		c->out_len = make_bad(c->out, sizeof(c->out));
		c->out_done = 0;
		c->reads = chance(4) > 0; /* else octet by octet */
		if (c->reads)
			c->out_done = say(c, c->out, c->out_len) ? c->out_len : 0;
		count.bad_sent++;
	}
	if (c->kind == FRESH) {
		c->waiting = true;
		c->head_len = 0;
		count.fresh++;
		(void)say(c, fresh, sizeof(fresh) - 1);
	}
}

static void
ask(struct client *c, uint64_t now)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path_asked);

	c->waiting = true;
	c->since = now;
	c->head_len = 0;
	count.asked++;
	if (!say(c, text, (size_t)n))
		hang_up(c, now, true);
}

/* An answer to an asker; heads first, then so many octets. */
static void
take(struct client *c, const char *p, size_t n, uint64_t now)
{
	char *end, *length;
	size_t used;

	if (c->body_left == 0) {
		size_t room = sizeof(c->head) - 1 - c->head_len, put = n < room ? n : room;

		memcpy(c->head + c->head_len, p, put);
		c->head[c->head_len + put] = '\0';
		end = strstr(c->head, "\r\n\r\n");
		length = strstr(c->head, "Content-Length: ");
		if (end == NULL) {
			c->head_len += put;
			return;
		}
		used = (size_t)(end + 4 - c->head) - c->head_len;
		c->body_left = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
		p += used;
		n -= used;
		if (strncmp(c->head, "HTTP/1.1 200", 12) != 0)
			count.refused++;
	}
	c->body_left -= n < c->body_left ? n : c->body_left;
	if (c->body_left > 0)
		return;
	count.answered++;
	count.answer_sum_us += now - c->since;
	if (now - c->since > count.answer_max_us)
		count.answer_max_us = now - c->since;
	c->waiting = false;
	c->head_len = 0;
	add_asker(c);
}

static void
take_fresh(struct client *c, const char *p, size_t n, uint64_t now)
{
	if (!c->waiting)
		return;
	c->waiting = false;
	if (n < 12 || memcmp(p, "HTTP/1.1 200", 12) != 0)
		count.fresh_failed++;
	if (now - c->since > count.fresh_max_us)
		count.fresh_max_us = now - c->since;
}

static void
on_readable(struct client *c, uint64_t now)
{
	static char buf[256 * 1024];
	size_t want = c->kind == SLOW ? 64 : sizeof(buf);
	ssize_t n = recv(c->fd, buf, want, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN))
		return;
	if (n <= 0) {
		hang_up(c, now, true);
		return;
	}
	if (c->kind == ASKER && c->waiting) {
		take(c, buf, (size_t)n, now);
	} else if (c->kind == FRESH) {
		take_fresh(c, buf, (size_t)n, now);
	} else if (c->kind == BAD) {
		count.bad_answered++;
		count.bad_200 += n >= 12 && memcmp(buf, "HTTP/1.1 200", 12) == 0;
	} else if (c->kind == SLOW) {
		count.slow_octets += (uint64_t)n;
	} else if (c->kind == FOLLOWER) {
		count.followed_octets += (uint64_t)n;
	}
}

/* What a client does by itself. */
static void
act(struct client *c, uint64_t now)
{
	static const char status[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";

	if (c->fd < 0) {
		if (now >= c->next && c->kind != FRESH)
			come(c, now);
		return;
	}
	if (c->kind == SLOW && now >= c->next) {
		c->next = now + SLOW_EVERY;
		if (!c->waiting)
			c->waiting = say(c, status, sizeof(status) - 1); /* not before it is connected */
		else
			on_readable(c, now);
	} else if (c->kind == BAD) {
		if (c->out_done < c->out_len && send(c->fd, c->out + c->out_done, 1, MSG_NOSIGNAL) == 1)
			c->out_done++;
		if (now - c->since > BAD_MAX)
			hang_up(c, now, false);
	}
}

/* ---- all of them ------------------------------------------------------------------------------------------- */

static unsigned
make_clients(void)
{
	static const unsigned many[KINDS] = {N_IDLE, N_SLOW, N_FOLLOWERS, N_BAD, N_ASKERS, 1};
	unsigned n = 0;

	for (enum kind k = 0; k < KINDS; k++)
		for (unsigned i = 0; i < many[k]; i++)
			clients[n++] = (struct client){.kind = k, .fd = -1, .reads = i < N_READING};
	return n;
}

static void
turn(unsigned n, uint64_t now)
{
	struct epoll_event events[512];
	int got = epoll_wait(epfd, events, 512, 1);

	for (int i = 0; i < got; i++) {
		struct client *c = events[i].data.ptr;

		if (c->fd < 0)
			continue;
		if (events[i].events & EPOLLIN)
			on_readable(c, now);
		else
			hang_up(c, now, true);
	}
	for (unsigned i = 0; i < n; i++)
		if (clients[i].kind != ASKER || clients[i].fd < 0)
			act(&clients[i], now);
}

static void
run(unsigned n, uint64_t seconds, uint64_t rate)
{
	struct client *fresh = &clients[n - 1];
	uint64_t begin, now, next_fresh = 0;

	for (unsigned i = 0; i < n; i++)
		act(&clients[i], now_us());
	begin = now_us();
	while ((now = now_us()) - begin < seconds * 1000000) {
		uint64_t due = (now - begin) * rate / 1000000;

		turn(n, now);
		now = now_us();
		/* What could not be asked in time is not made up for by a burst. */
		if (due > count.asked + rate / 10)
			due = count.asked + rate / 10;
		while (n_free > 0 && count.asked < due)
			ask(next_asker(), now);
		if (fresh->waiting && fresh->fd < 0 && now >= fresh->next)
			come(fresh, now);
		if (now < next_fresh)
			continue;
		if (fresh->waiting && now - fresh->since < 5000000)
			continue;
		hang_up(fresh, now, false);
		come(fresh, now);
		next_fresh = now + FRESH_EVERY;
	}
	if (fresh->waiting && now - fresh->since > count.fresh_max_us)
		count.fresh_max_us = now - fresh->since;
}

static void
print(double seconds)
{
	static const char *const names[KINDS] = {"idle", "slow", "followers", "bad", "askers", "fresh"};
	uint64_t n = count.answered > 0 ? count.answered : 1;

	printf("{\"seconds\": %.1f, \"asked\": %llu, \"answered\": %llu, \"rate\": %.0f, \"refused\": %llu, ", seconds,
	       (unsigned long long)count.asked, (unsigned long long)count.answered, (double)count.answered / seconds,
	       (unsigned long long)count.refused);
	printf("\"answer_mean_ms\": %.1f, \"answer_max_ms\": %.1f, \"fresh\": %llu, \"fresh_failed\": %llu, "
	       "\"fresh_max_ms\": %.1f, ",
	       (double)count.answer_sum_us / (double)n / 1e3, (double)count.answer_max_us / 1e3,
	       (unsigned long long)count.fresh, (unsigned long long)count.fresh_failed,
	       (double)count.fresh_max_us / 1e3);
	printf("\"bad_sent\": %llu, \"bad_answered\": %llu, \"bad_200\": %llu, \"slow_octets\": %llu, "
	       "\"followed_octets\": %llu, \"connect_failed\": %llu, \"closed\": {",
	       (unsigned long long)count.bad_sent, (unsigned long long)count.bad_answered,
	       (unsigned long long)count.bad_200, (unsigned long long)count.slow_octets,
	       (unsigned long long)count.followed_octets, (unsigned long long)count.connect_failed);
	for (int k = 0; k < KINDS; k++)
		printf("%s\"%s\": %llu", k > 0 ? ", " : "", names[k], (unsigned long long)count.closed[k]);
	puts("}}");
}

int
main(int argc, char **argv)
{
	struct rlimit files = {.rlim_cur = 4096, .rlim_max = 4096};
	uint64_t begin;
	unsigned n;

	if (argc != 7) {
		fprintf(stderr, "usage: api_load SOCKET TCP_PORT SECONDS SEED RATE PATH\n");
		return 2;
	}
	path_unix = argv[1];
	port = (uint16_t)atoi(argv[2]);
	random_state = strtoull(argv[4], NULL, 10) | 1;
	path_asked = argv[6];
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		fatal("descriptors");
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0)
		fatal("epoll_create1");
	n = make_clients();
	begin = now_us();
	run(n, strtoull(argv[3], NULL, 10), strtoull(argv[5], NULL, 10));
	print((double)(now_us() - begin) / 1e6);
	return 0;
}
