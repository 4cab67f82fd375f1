/*
 * ctl_stream.c - HTTP/1.1 with an answer in parts (RFC 9112 7.1), line by line; see ctl_stream.h.
 *
 * Runs in vrrpctl. One connection for one answer. A pipe wakes whoever waits when the user wants to end.
 */
#include "ctl/ctl_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/time.h"
#include "ctl/ctl_client.h"
#include "sys/clock.h"

#define ANSWER_MAX_S 5
#define READ_SIZE    (16u * 1024)
#define HEAD_MAX     (16u * 1024)
#define LINE_MAX_LEN (1024u * 1024)

static int stop_pipe[2] = {-1, -1};
static volatile sig_atomic_t stopped;

/* Octets that wait to be understood. */
struct buffer {
	char *data;
	size_t len, size;
};

struct answer {
	int fd;
	struct buffer in;   /* as received */
	struct buffer text; /* the body, as far as no line of it has ended */
	bool chunked, ended;
	size_t left; /* of the present part, with its end of line */
	bool in_part;
};

static void
buffer_free(struct buffer *b)
{
	free(b->data);
}

/* Room for n more and a NUL; ends the program when there is no memory. */
static void
reserve(struct buffer *b, size_t n)
{
	if (b->len + n + 1 <= b->size)
		return;
	b->size = MAX(2 * b->size, b->len + n + 1);
	b->data = realloc(b->data, b->size);
	if (b->data == NULL) {
		perror("vrrpctl");
		exit(CTL_UNFIT);
	}
}

static void
append(struct buffer *b, const char *p, size_t n)
{
	reserve(b, n);
	memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = '\0';
}

static void
drop(struct buffer *b, size_t n)
{
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	b->data[b->len] = '\0';
}

static void
open_pipe(void)
{
	if (stop_pipe[0] < 0 && pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		stop_pipe[0] = stop_pipe[1] = -1; /* then a signal between look and wait is noticed a little later */
}

void
ctl_stream_stop(void)
{
	stopped = 1;
	if (stop_pipe[1] >= 0)
		(void)!write(stop_pipe[1], "", 1);
}

/* Wait until fd (-1: none) can be read. 1, 0 when the time (ms, -1: any) is over, -1 when stopped. */
static int
wait_readable(int fd, int ms)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = stop_pipe[0], .events = POLLIN}};
	mono_t deadline = mono_add(clock_mono(), ms < 0 ? 0 : (usec_t)ms * USEC_PER_MS);

	for (;;) {
		mono_t now = clock_mono();
		int left = ms < 0 ? -1 : mono_due(now, deadline) ? 0 : (int)((deadline.us - now.us) / USEC_PER_MS) + 1;
		int n = stopped ? 0 : poll(p, ARRAY_SIZE(p), left);

		if (stopped)
			return -1;
		if (n > 0 && p[0].revents != 0)
			return 1;
		if (n == 0 || (n < 0 && errno != EINTR))
			return 0;
	}
}

bool
ctl_stream_pause(unsigned ms)
{
	open_pipe();
	return wait_readable(-1, (int)ms) < 0;
}

/* Read what is there. 1, 0 at the end or on an error or in time, -1 when stopped. */
static int
receive(struct answer *a, int ms)
{
	int r = wait_readable(a->fd, ms);
	ssize_t n;

	if (r <= 0)
		return r;
	reserve(&a->in, READ_SIZE);
	n = recv(a->fd, a->in.data + a->in.len, READ_SIZE, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	if (n <= 0)
		return 0;
	a->in.len += (size_t)n;
	a->in.data[a->in.len] = '\0';
	return 1;
}

/* The head of the answer: the HTTP status; 0 when none came, -1 when stopped. */
static int
receive_head(struct answer *a)
{
	mono_t deadline = mono_add(clock_mono(), ANSWER_MAX_S * (usec_t)USEC_PER_SEC);
	char *end;
	int status;

	while (a->in.data == NULL || (end = strstr(a->in.data, "\r\n\r\n")) == NULL) {
		mono_t now = clock_mono();
		int r = mono_due(now, deadline) || a->in.len > HEAD_MAX
				? 0
				: receive(a, (int)((deadline.us - now.us) / USEC_PER_MS) + 1);

		if (r <= 0)
			return r;
	}
	*end = '\0';
	if (sscanf(a->in.data, "HTTP/%*u.%*u %d", &status) != 1 || status < 100)
		return 0;
	a->chunked = strcasestr(a->in.data, "\r\nTransfer-Encoding: chunked") != NULL;
	drop(&a->in, (size_t)(end + 4 - a->in.data));
	return status;
}

/* Move what has come of the body to `text`. False: it is not understood. */
static bool
unpack(struct answer *a)
{
	if (!a->chunked) {
		append(&a->text, a->in.data, a->in.len);
		drop(&a->in, a->in.len);
		return true;
	}
	while (!a->ended && a->in.len > 0) {
		char *end;
		size_t n;

		if (!a->in_part) {
			char *eol = strstr(a->in.data, "\r\n");
			unsigned long size;

			if (eol == NULL)
				return a->in.len < 32;
			size = strtoul(a->in.data, &end, 16);
			if (end == a->in.data || (*end != '\r' && *end != ';') || size > LINE_MAX_LEN * 64ul)
				return false;
			drop(&a->in, (size_t)(eol + 2 - a->in.data));
			a->ended = size == 0;
			a->in_part = !a->ended;
			a->left = size + 2;
			continue;
		}
		n = MIN(a->in.len, a->left);
		append(&a->text, a->in.data, a->left > 2 ? MIN(n, a->left - 2) : 0);
		drop(&a->in, n);
		a->left -= n;
		a->in_part = a->left > 0;
	}
	return true;
}

static bool
hand_out_lines(struct answer *a, const struct ctl_stream *s)
{
	size_t done = 0;
	char *eol;

	while (done < a->text.len && (eol = memchr(a->text.data + done, '\n', a->text.len - done)) != NULL) {
		char *line = a->text.data + done;

		*eol = '\0';
		s->line(s->arg, line, (size_t)(eol - line));
		done = (size_t)(eol + 1 - a->text.data);
	}
	if (done > 0)
		drop(&a->text, done);
	return a->text.len <= LINE_MAX_LEN;
}

/* The rest of an error, and say it. */
static enum ctl_stream_end
refused(const struct ctl *c, struct answer *a, int http, struct ctl_stream *s)
{
	struct ctl_reply r = {.status = http, .err = c->err};
	json_t *doc = NULL;

	while (receive(a, ANSWER_MAX_S * 1000) > 0 && a->in.len <= LINE_MAX_LEN)
		;
	if (!unpack(a))
		a->text.len = 0;
	append(&a->text, "", 0);
	r.body = a->text.data;
	r.len = a->text.len;
	s->status = s->quiet ? CTL_UNFIT : ctl_reply_json(&r, &doc);
	json_decref(doc);
	return stopped ? CTL_STREAM_STOPPED : CTL_STREAM_REFUSED;
}

static enum ctl_stream_end
read_answer(const struct ctl *c, struct answer *a, struct ctl_stream *s)
{
	int r = receive_head(a);

	if (r < 0)
		return CTL_STREAM_STOPPED;
	if (r == 0) {
		if (!s->quiet)
			fprintf(c->err, "vrrpctl: %s accepts connections but did not answer within %d s\n", c->socket,
				ANSWER_MAX_S);
		return CTL_STREAM_LOST;
	}
	s->connected = true;
	if (r != 200)
		return refused(c, a, r, s);
	for (;;) {
		if (!unpack(a) || !hand_out_lines(a, s))
			return CTL_STREAM_LOST;
		if (a->ended)
			return CTL_STREAM_ALL;
		r = receive(a, -1);
		if (r < 0)
			return CTL_STREAM_STOPPED;
		if (r == 0)
			return a->chunked ? CTL_STREAM_LOST : CTL_STREAM_ALL;
	}
}

enum ctl_stream_end
ctl_stream_get(const struct ctl *c, const char *path, struct ctl_stream *s)
{
	struct answer a = {.fd = -1};
	enum ctl_stream_end end;
	char head[1024];

	open_pipe();
	if (stopped)
		return CTL_STREAM_STOPPED;
	a.fd = ctl_dial(c, s->quiet);
	if (a.fd < 0)
		return CTL_STREAM_LOST;
	snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: vrrpd\r\nConnection: close\r\n\r\n", path);
	if (send(a.fd, head, strlen(head), MSG_NOSIGNAL) != (ssize_t)strlen(head)) { /* a fresh socket has room */
		if (!s->quiet)
			fprintf(c->err, "vrrpctl: %s: cannot ask: %s\n", c->socket, strerror(errno));
		end = CTL_STREAM_LOST;
	} else {
		end = read_answer(c, &a, s);
	}
	close(a.fd);
	buffer_free(&a.in);
	buffer_free(&a.text);
	return end;
}
