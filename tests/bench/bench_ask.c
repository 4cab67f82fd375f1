/*
 * bench_ask.c - the floor under "CPU of a check's run": what asking the same server the same question costs
 * with bare system calls.
 *
 * Runs in the namespace of the host under measurement, paced like the checks: some runs, one after the other,
 * at each wake-up. A run connects without blocking, waits until it is connected, sends the question, and waits
 * for its answer: until "connected" (no question), until "some" of it is there, or until the server has
 * "closed". With "kept" one connection serves all runs. CPU is this process' own time: on loopback that
 * includes what the kernel does in the sender's name, as it does for vrrpd-agent.
 *
 *   bench_ask ADDRESS:PORT|/SOCKET connected|some|closed|kept TURNS RUNS INTERVAL_US [QUESTION in hexadecimal]
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench_util.h"

enum { ASK_QUESTION_MAX = 4096, ASK_ANSWER_MAX = 65536, ASK_WARM_UP = 3 };

struct ask {
	struct sockaddr_storage to;
	socklen_t to_len;
	bool question, until_closed, kept;
	size_t len;
	uint8_t octets[ASK_QUESTION_MAX];
};

static void
ask_address(struct ask *a, const char *text)
{
	struct sockaddr_un *sun = (struct sockaddr_un *)&a->to;
	struct sockaddr_in *sin = (struct sockaddr_in *)&a->to;
	const char *colon = strrchr(text, ':');
	char host[INET_ADDRSTRLEN];

	if (text[0] == '/') {
		sun->sun_family = AF_UNIX;
		if (strlen(text) >= sizeof sun->sun_path)
			bench_die("the path is too long");
		strcpy(sun->sun_path, text);
		a->to_len = sizeof *sun;
		return;
	}
	if (!colon || (size_t)(colon - text) >= sizeof host)
		bench_die("bad address");
	snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
	sin->sin_family = AF_INET;
	sin->sin_port = htons((uint16_t)bench_number(colon + 1, 1, 65535));
	if (inet_pton(AF_INET, host, &sin->sin_addr) != 1)
		bench_die("bad address");
	a->to_len = sizeof *sin;
}

static void
ask_question(struct ask *a, const char *hex)
{
	for (a->len = 0; hex[0] && hex[1]; hex += 2) {
		const char two[3] = {hex[0], hex[1], '\0'};

		if (a->len == sizeof a->octets)
			bench_die("the question is too long");
		a->octets[a->len++] = (uint8_t)strtoul(two, NULL, 16);
	}
}

static void
ask_wait(int fd, short events)
{
	struct pollfd p = {fd, events, 0};

	if (poll(&p, 1, 5000) != 1)
		bench_die("no answer within 5 s");
}

static int
ask_connect(const struct ask *a)
{
	int fd = socket(a->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err = 0;
	socklen_t len = sizeof err;

	if (fd < 0)
		bench_die("socket");
	if (connect(fd, (const struct sockaddr *)&a->to, a->to_len) < 0 && errno != EINPROGRESS)
		bench_die("connect");
	ask_wait(fd, POLLOUT);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err)
		bench_die("the server does not accept");
	return fd;
}

static void
ask_run(const struct ask *a, int *kept)
{
	static char answer[ASK_ANSWER_MAX];
	int fd = *kept >= 0 ? *kept : ask_connect(a);
	ssize_t n = 1;

	if (a->question && send(fd, a->octets, a->len, MSG_NOSIGNAL) != (ssize_t)a->len)
		bench_die("send");
	for (bool more = a->question; more; more = a->until_closed && n > 0) {
		ask_wait(fd, POLLIN);
		n = recv(fd, answer, sizeof answer, 0);
		if (n < 0 || (n == 0 && !a->until_closed))
			bench_die("recv");
	}
	if (a->kept)
		*kept = fd;
	else
		close(fd);
}

int
main(int argc, char **argv)
{
	static struct ask ask;
	long turns, runs, interval_us;
	int64_t next, cpu = 0;
	int kept = -1;

	if (argc < 6) {
		fprintf(stderr, "usage: bench_ask ENDPOINT connected|some|closed|kept TURNS RUNS INTERVAL_US "
				"[QUESTION]\n");
		return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1000UL);
	ask_address(&ask, argv[1]);
	ask.question = strcmp(argv[2], "connected") != 0;
	ask.until_closed = !strcmp(argv[2], "closed");
	ask.kept = !strcmp(argv[2], "kept");
	turns = bench_number(argv[3], 1, 1000000);
	runs = bench_number(argv[4], 1, 1000);
	interval_us = bench_number(argv[5], 0, 10000000);
	if (argc > 6)
		ask_question(&ask, argv[6]);
	next = bench_now_ns(CLOCK_MONOTONIC);
	for (long i = -ASK_WARM_UP; i < turns; i++) {
		if (i == 0)
			cpu = bench_now_ns(CLOCK_PROCESS_CPUTIME_ID);
		for (long k = 0; k < runs; k++)
			ask_run(&ask, &kept);
		next += interval_us * BENCH_NS_PER_US;
		bench_sleep_until(next);
	}
	cpu = bench_now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("{\"runs\":%ld,\"cpu_us_per_run\":%.3f}\n", turns * runs,
	       (double)cpu / 1e3 / (double)(turns * runs));
	return 0;
}
