/*
 * check_local.h - for unit tests of one kind of check: the frame on a real loop, definitions from pairs of
 * text, and a server that plays a script from a thread. Every wait has a deadline.
 */
#ifndef TESTS_UNIT_CHECK_LOCAL_H
#define TESTS_UNIT_CHECK_LOCAL_H

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/check.h"
#include "base/strbuf.h"
#include "sys/clock.h"

#define MS	    USEC_PER_MS
#define WAIT_MAX_US (10 * USEC_PER_SEC) /* far beyond anything here, for a busy machine */

struct env {
	struct loop *loop;
	struct checks *checks;
	struct loop_timer *tick;
	mono_t deadline;
	bool (*done)(struct env *e);
	unsigned reports;
	char dir[64];
};

static inline void
env_report(void *arg, const struct check *c)
{
	(void)c;
	((struct env *)arg)->reports++;
}

static inline void
env_tick(void *arg, mono_t now)
{
	struct env *e = arg;

	if (mono_due(now, e->deadline) || e->done(e))
		loop_stop(e->loop);
	else
		loop_timer_set(e->tick, mono_add(now, 2 * MS));
}

static inline int
env_setup(void **state)
{
	struct env *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	snprintf(e->dir, sizeof(e->dir), "/tmp/vrrpd-test-kind-%d-XXXXXX", (int)getpid());
	assert_non_null(mkdtemp(e->dir));
	*state = e;
	return 0;
}

static inline void
env_open(struct env *e)
{
	e->loop = loop_new();
	e->tick = loop_timer_add(e->loop, env_tick, e);
	e->checks = checks_new(e->loop, env_report, e);
	e->reports = 0;
}

static inline void
env_close(struct env *e)
{
	checks_free(e->checks);
	if (e->loop != NULL) {
		loop_timer_del(e->tick);
		loop_free(e->loop);
	}
	e->checks = NULL;
	e->loop = NULL;
}

static inline int
env_teardown(void **state)
{
	struct env *e = *state;
	char command[128];

	env_close(e);
	snprintf(command, sizeof(command), "rm -rf %s", e->dir);
	assert_int_equal(system(command), 0);
	free(e);
	return 0;
}

static inline const struct check *
env_check(const struct env *e)
{
	return checks_get(e->checks, 0);
}

/* One check of a kind; the rest are pairs of path and text, ended by NULL. Runs at once, then at the interval.
 */
static inline void
env_start(struct env *e, enum ipc_check_kind kind, usec_t interval, usec_t timeout, ...)
{
	struct check_option options[16];
	struct check_def d = {.options = options};
	const char *path;
	va_list ap;

	memset(options, 0, sizeof(options));
	d.conf.kind = (uint8_t)kind;
	d.conf.interval_us = interval;
	d.conf.timeout_us = timeout;
	d.conf.rise = d.conf.fall = 1;
	str_copy(d.conf.name, sizeof(d.conf.name), "one");
	va_start(ap, timeout);
	while ((path = va_arg(ap, const char *)) != NULL) {
		char *text = va_arg(ap, char *);

		assert_true(d.conf.n_options < 16);
		str_copy(options[d.conf.n_options].path, sizeof(options[0].path), path);
		options[d.conf.n_options++].text = text;
	}
	va_end(ap);
	env_close(e);
	env_open(e);
	checks_configure(e->checks, "node-1", &d, 1);
}

/* Run the loop until done(e); false when that did not happen in time. Once per env_start(). */
static inline bool
env_run(struct env *e, bool (*done)(struct env *e))
{
	e->done = done;
	e->deadline = mono_add(clock_mono(), WAIT_MAX_US);
	loop_timer_set(e->tick, clock_mono());
	assert_int_equal(loop_run(e->loop), 0);
	return done(e);
}

static inline bool
env_has_result(struct env *e)
{
	return e->reports >= 1;
}

/* The first result must be this; `last` may end with "*": the rest does not matter. */
static inline void
env_expect(struct env *e, enum ipc_check_state state, const char *last)
{
	const struct check *c;
	size_t n = strlen(last);

	assert_true(env_run(e, env_has_result));
	c = env_check(e);
	if (n > 0 && last[n - 1] == '*' ? strncmp(c->last, last, n - 1) != 0 : strcmp(c->last, last) != 0)
		fail_msg("it says \"%s\" instead of \"%s\"", c->last, last);
	assert_int_equal(c->state, state);
}

/* ---- a server --------------------------------------------------------------------------------- */

struct server {
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const void *answer; /* what it sends after the first octets came (NULL: nothing, and it stays silent) */
	size_t len;
	size_t piece;	/* octets per send; 0 = all at once */
	unsigned pause; /* microseconds between pieces */
	bool at_once;	/* does not wait for a question */
	bool flood;	/* sends the answer again and again */
	bool stay;	/* keeps the connection open after the answer */
	char asked[2048];
	size_t n_asked;
	unsigned served;
	int open[64];
	unsigned n_open;
	pthread_t thread;
};

static inline void
server_answer(struct server *s, int c)
{
	const char *p = s->answer;

	do {
		for (size_t at = 0; at < s->len;) {
			size_t n = s->piece > 0 ? MIN(s->piece, s->len - at) : s->len - at;
			ssize_t sent = send(c, p + at, n, MSG_NOSIGNAL);

			if (sent <= 0)
				return;
			at += (size_t)sent;
			if (s->pause > 0)
				usleep(s->pause);
		}
	} while (s->flood);
}

static inline void *
server_main(void *arg)
{
	struct server *s = arg;

	for (;;) {
		int c = accept(s->fd, NULL, NULL);

		if (c < 0)
			return NULL; /* shut down by server_stop() */
		if (!s->at_once) {
			ssize_t n = recv(c, s->asked, sizeof(s->asked), 0);

			s->n_asked = n > 0 ? (size_t)n : 0;
		}
		if (s->answer != NULL)
			server_answer(s, c);
		s->served++;
		if ((s->answer == NULL || s->stay) && s->n_open < 64)
			s->open[s->n_open++] = c;
		else
			close(c);
	}
}

/* Listens on a Unix socket in the folder of the test; s is filled but for path, fd and thread. */
static inline void
server_start(struct server *s, const struct env *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	snprintf(s->path, sizeof(s->path), "%s/server.sock", e->dir);
	unlink(s->path);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	str_copy(sa.sun_path, sizeof(sa.sun_path), s->path);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(s->fd, 16), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

/* The other side has closed its connections before (env_close()): a flood ends by that. */
static inline void
server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	for (unsigned i = 0; i < s->n_open; i++)
		close(s->open[i]);
}

#endif
