/*
 * http_fake.h - a server whose every octet the test decides, and one run of a check against it; for the tests
 * of the kinds that speak HTTP.
 *
 *   fake_start(&f);  fake_says(&f, "HTTP/1.1 200 OK\r\n\r\n");
 *   fake_check(&f, IPC_CHECK_HTTP, (const char *[]){"status", "200", NULL}, &result);
 *   fake_stop(&f);
 */
#ifndef TESTS_UNIT_HTTP_FAKE_H
#define TESTS_UNIT_HTTP_FAKE_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/check.h"
#include "base/strbuf.h"
#include "sys/clock.h"

#define FAKE_WAIT_US (10 * USEC_PER_SEC) /* far beyond anything here, for a busy machine */

enum fake_how {
	FAKE_SAY,     /* the answer, then close in order */
	FAKE_SILENT,  /* nothing, until the client goes */
	FAKE_KEEP,    /* the answer, and wait for another request on the same connection */
	FAKE_RESET,   /* the answer, then a reset */
	FAKE_FOR_EVER /* the answer, and its last octet again and again until the client goes */
};

struct fake {
	int fd, unix_fd;
	uint16_t port;
	char dir[64], path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	pthread_t thread;
	/* set between runs */
	enum fake_how how;
	const char *answer;
	size_t len, piece; /* octets sent at once; 0: all */
	/* seen */
	char asked[8192];
	atomic_int accepted, kept; /* connections; second requests on one */
	atomic_ullong sent;
	atomic_bool quit;
};

/* What one run of a check said. */
struct fake_result {
	bool up;
	enum check_result kind;
	char text[LIMIT_CHECK_TEXT];
	uint64_t took_us;
};

static inline bool
fake_send(struct fake *f, int c, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t done = send(c, data, f->piece > 0 ? MIN(n, f->piece) : n, MSG_NOSIGNAL);

		if (done <= 0)
			return false;
		data += done;
		n -= (size_t)done;
		f->sent += (unsigned long long)done;
		if (f->piece > 0)
			usleep(50); /* so that pieces arrive as pieces */
	}
	return true;
}

/* Wait until the client sends an octet or goes, or the test ends, failed perhaps. True for an octet. */
static inline bool
fake_hears(struct fake *f, int c)
{
	struct pollfd p = {.fd = c, .events = POLLIN};
	char octet;

	while (!f->quit && poll(&p, 1, 20) == 0)
		;
	return p.revents != 0 && recv(c, &octet, 1, 0) == 1;
}

static inline void
fake_answer(struct fake *f, int c)
{
	static char flood[65536];
	struct linger gone = {.l_onoff = 1};
	struct timeval limit = {.tv_sec = 5}; /* a client that a failed test left behind */
	size_t n = 0;
	ssize_t got;

	setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	/* Requests of checks have no body. */
	f->asked[0] = '\0';
	while (strstr(f->asked, "\r\n\r\n") == NULL &&
	       (got = recv(c, f->asked + n, sizeof(f->asked) - 1 - n, 0)) > 0) {
		n += (size_t)got;
		f->asked[n] = '\0';
	}
	if (f->how != FAKE_SILENT && !fake_send(f, c, f->answer, f->len))
		return;
	memset(flood, f->how == FAKE_FOR_EVER ? f->answer[f->len - 1] : 0, sizeof(flood));
	while (f->how == FAKE_FOR_EVER && fake_send(f, c, flood, sizeof(flood)))
		;
	if (f->how == FAKE_SILENT)
		(void)fake_hears(f, c);
	if (f->how == FAKE_KEEP && fake_hears(f, c))
		f->kept++;
	if (f->how == FAKE_RESET)
		setsockopt(c, SOL_SOCKET, SO_LINGER, &gone, sizeof(gone));
}

static inline void *
fake_serve(void *arg)
{
	struct fake *f = arg;
	struct pollfd p[2] = {{.fd = f->fd, .events = POLLIN}, {.fd = f->unix_fd, .events = POLLIN}};

	for (;;) {
		int c;

		if (poll(p, 2, -1) < 0 || ((p[0].revents | p[1].revents) & (POLLHUP | POLLERR)) != 0)
			return NULL; /* shut down by fake_stop() */
		c = accept(p[0].revents != 0 ? f->fd : f->unix_fd, NULL, NULL);
		if (c < 0)
			return NULL;
		f->accepted++;
		fake_answer(f, c);
		close(c);
	}
}

static inline void
fake_start(struct fake *f)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(sin);

	*f = (struct fake){.answer = ""};
	snprintf(f->dir, sizeof(f->dir), "/tmp/vrrpd-test-http-%d-XXXXXX", (int)getpid());
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/s.sock", f->dir);
	str_copy(sun.sun_path, sizeof(sun.sun_path), f->path);
	f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	f->unix_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(bind(f->unix_fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(f->fd, 5) | listen(f->unix_fd, 5), 0);
	assert_int_equal(getsockname(f->fd, (struct sockaddr *)&sin, &len), 0);
	f->port = ntohs(sin.sin_port);
	assert_int_equal(pthread_create(&f->thread, NULL, fake_serve, f), 0);
}

static inline void
fake_stop(struct fake *f)
{
	f->quit = true;
	shutdown(f->fd, SHUT_RDWR);
	shutdown(f->unix_fd, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->fd);
	close(f->unix_fd);
	unlink(f->path);
	rmdir(f->dir);
}

static inline void
fake_says(struct fake *f, const char *answer)
{
	f->how = FAKE_SAY;
	f->answer = answer;
	f->len = strlen(answer);
	f->piece = 0;
}

/* ---- one run ------------------------------------------------------------------------------------------- */

struct fake_run {
	struct loop *loop;
	bool late, done;
};

static inline void
fake_on_report(void *arg, const struct check *c)
{
	struct fake_run *r = arg;

	(void)c;
	r->done = true;
	loop_stop(r->loop);
}

static inline void
fake_on_late(void *arg, mono_t now)
{
	struct fake_run *r = arg;

	(void)now;
	r->late = true;
	loop_stop(r->loop);
}

static inline void
fake_option(struct check_def *d, const char *path, const char *text)
{
	d->options = realloc(d->options, (d->conf.n_options + 1u) * sizeof(*d->options));
	assert_non_null(d->options);
	str_copy(d->options[d->conf.n_options].path, LIMIT_NAME, path);
	d->options[d->conf.n_options++].text = strdup(text);
}

/* Run a check once, with options as path and text by turns; `url` is the fake's when none is given. */
static inline void
fake_check(struct fake *f, enum ipc_check_kind kind, const char *const *options, struct fake_result *ret)
{
	struct check_def def = {.conf = {.kind = (uint8_t)kind, .rise = 1, .fall = 1, .name = "c"}};
	struct fake_run run = {.loop = loop_new()};
	struct checks *checks = checks_new(run.loop, fake_on_report, &run);
	struct loop_timer *late = loop_timer_add(run.loop, fake_on_late, &run);
	const struct check *c;
	bool has_url = false;
	char url[64];

	def.conf.interval_us = 3600ull * USEC_PER_SEC;
	def.conf.timeout_us = FAKE_WAIT_US / 2;
	for (; options != NULL && options[0] != NULL; options += 2) {
		has_url = has_url || strcmp(options[0], "url") == 0;
		if (strcmp(options[0], "timeout") == 0)
			def.conf.timeout_us = strtoull(options[1], NULL, 10);
		else if (strcmp(options[0], "scale") == 0)
			def.conf.scale = (int16_t)atoi(options[1]);
		else
			fake_option(&def, options[0], options[1]);
	}
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/x", f->port);
	if (!has_url)
		fake_option(&def, "url", url);
	checks_configure(checks, "node-1", &def, 1);
	loop_timer_set(late, mono_add(clock_mono(), FAKE_WAIT_US));
	assert_int_equal(loop_run(run.loop), 0);
	assert_true(run.done);
	c = checks_get(checks, 0);
	*ret = (struct fake_result){.up = c->state == IPC_CHECK_UP, .took_us = c->took_us};
	for (unsigned i = 0; i < CHECK_RESULT_COUNT; i++)
		if (c->runs[i] > 0)
			ret->kind = (enum check_result)i;
	str_copy(ret->text, sizeof(ret->text), c->last);
	checks_free(checks);
	loop_timer_del(late);
	loop_free(run.loop);
	check_def_free(&def);
}

/* The run must say exactly this. */
#define FAKE_EXPECT(f, kind_, want_up, want_text, ...)                                                         \
	do {                                                                                                   \
		const char *options_[] = {__VA_ARGS__ __VA_OPT__(, ) NULL};                                    \
		struct fake_result got_;                                                                       \
                                                                                                               \
		fake_check(f, kind_, options_, &got_);                                                         \
		assert_string_equal(got_.text, want_text);                                                     \
		assert_int_equal(got_.up, want_up);                                                            \
	} while (0)

#endif
