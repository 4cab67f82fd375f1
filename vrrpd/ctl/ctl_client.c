/*
 * ctl_client.c - HTTP over the Unix socket; see ctl_client.h.
 *
 * Runs in vrrpctl. HTTP/1.0, so the answer ends with the connection: one socket, one deadline, a bounded
 * buffer. (libevent 2.1's client cannot connect to a Unix socket, and curl's library would triple vrrpctl's
 * start time.)
 */
#include "ctl/ctl_client.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "base/time.h"
#include "sys/clock.h"

#define CLIENT_DEADLINE_S  5
#define CLIENT_REPLY_MAX   (64u * 1024 * 1024)
#define CLIENT_CHUNK	   (64u * 1024)

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Why the socket may not be used, and what to do about it. */
static void
explain_denied(FILE *err, const char *path)
{
	struct stat st;
	const struct group *g;

	if (stat(path, &st) < 0) {
		fprintf(err,
			"vrrpctl: no permission to look at %s; use it as root or as a member of its folder's "
			"group\n",
			path);
		return;
	}
	g = getgrgid(st.st_gid);
	if (st.st_gid == 0)
		fprintf(err,
			"vrrpctl: only root may use %s: there was no group of control.group's name (vrrpd) when vrrpd "
			"started (groupadd --system vrrpd, then restart vrrpd)\n",
			path);
	else if (g != NULL)
		fprintf(err,
			"vrrpctl: no permission to use %s: members of group \"%s\" may (usermod -aG %s USER, "
			"then log in anew), and root\n",
			path, g->gr_name, g->gr_name);
	else
		fprintf(err, "vrrpctl: no permission to use %s: members of group %u may, and root\n", path,
			(unsigned)st.st_gid);
}

static void
explain_connect(FILE *f, const char *path, int err)
{
	struct stat st;

	if (err == ENOENT)
		fprintf(f, "vrrpctl: %s does not exist: is vrrpd running, and is this its socket (--run-dir, --socket)?\n", path);
	else if (err == ECONNREFUSED && stat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		fprintf(f, "vrrpctl: %s is no socket\n", path);
	else if (err == ECONNREFUSED)
		fprintf(f, "vrrpctl: nobody listens on %s: vrrpd has ended\n", path);
	else if (err == EACCES || err == EPERM)
		explain_denied(f, path);
	else
		fprintf(f, "vrrpctl: cannot connect to %s: %s\n", path, strerror(err));
}

int
ctl_dial(const struct ctl *c, bool quiet)
{
	const char *path = c->socket;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		if (!quiet)
			explain_connect(c->err, path, errno);
		return -1;
	}
	(void)str_copy(sa.sun_path, sizeof(sa.sun_path), path); /* fits: checked with the options */
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
		/* EAGAIN: the backlog is full, so nobody accepts. */
		if (quiet)
			;
		else if (errno == EAGAIN)
			fprintf(c->err,
				"vrrpctl: %s does not accept connections: vrrpd-agent hangs or is overloaded\n",
				path);
		else
			explain_connect(c->err, path, errno);
		close(fd);
		return -1;
	}
	return fd;
}

/* Wait until the socket is ready for `events`: 0, ETIMEDOUT, ECANCELED when something else woke us, or an errno. */
static int
wait_for(const struct ctl *c, int fd, short events, mono_t deadline)
{
	for (;;) {
		struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = c->wake_fd, .events = POLLIN}};
		mono_t now = clock_mono();
		int n;

		if (mono_due(now, deadline))
			return ETIMEDOUT;
		n = poll(p, 2, (int)((deadline.us - now.us) / USEC_PER_MS) + 1);
		if (n > 0)
			return p[0].revents != 0 ? 0 : ECANCELED;
		if (n < 0 && errno != EINTR)
			return errno;
	}
}

/* 0, or an errno. */
static int
send_all(const struct ctl *c, int fd, const char *p, size_t n, mono_t deadline)
{
	while (n > 0) {
		int err = wait_for(c, fd, POLLOUT, deadline);
		ssize_t r;

		if (err != 0)
			return err;
		r = send(fd, p, n, MSG_NOSIGNAL);
		if (r < 0 && errno != EAGAIN && errno != EINTR)
			return errno;
		if (r > 0) {
			p += r;
			n -= (size_t)r;
		}
	}
	return 0;
}

/* Read to the end of the connection. 0 and ret->all (with a NUL), ret->len; or an errno. */
static int
receive_all(const struct ctl *c, int fd, mono_t deadline, struct ctl_reply *ret)
{
	size_t size = 0;
	int err;

	for (;;) {
		ssize_t r;

		if (ret->len + 1 >= size) {
			char *more;

			size = size == 0 ? CLIENT_CHUNK : size * 2;
			more = size <= CLIENT_REPLY_MAX ? realloc(ret->all, size) : NULL;
			if (more == NULL)
				return EMSGSIZE;
			ret->all = more;
		}
		if ((err = wait_for(c, fd, POLLIN, deadline)) != 0)
			return err;
		r = recv(fd, ret->all + ret->len, size - ret->len - 1, 0);
		if (r < 0 && errno != EAGAIN && errno != EINTR)
			return errno;
		if (r > 0)
			ret->len += (size_t)r;
		if (r == 0) {
			ret->all[ret->len] = '\0';
			return 0;
		}
	}
}

/* Find the status and the body, and see that all of it came. */
static bool
take_apart(struct ctl_reply *r)
{
	char *end = strstr(r->all, "\r\n\r\n");
	char *length;
	size_t head;

	if (end == NULL || sscanf(r->all, "HTTP/%*u.%*u %d", &r->status) != 1)
		return false;
	*end = '\0';
	length = strcasestr(r->all, "\r\nContent-Length:");
	r->body = end + 4;
	head = (size_t)(r->body - r->all);
	r->len -= head;
	return length == NULL || strtoull(length + strlen("\r\nContent-Length:"), NULL, 10) == r->len;
}

static int
ask(const struct ctl *c, const char *method, const char *path, unsigned seconds, struct ctl_reply *ret)
{
	CLEANUP(close_fd) int fd = ctl_dial(c, false);
	mono_t deadline = mono_add(clock_mono(), seconds * (usec_t)USEC_PER_SEC);
	struct ctl_reply r = {0};
	char head[1024];
	int err;

	if (fd < 0)
		return CTL_CONNECT;
	snprintf(head, sizeof(head), "%s %s HTTP/1.0\r\nHost: vrrpd\r\nContent-Length: 0\r\n\r\n", method, path);
	err = send_all(c, fd, head, strlen(head), deadline);
	if (err == 0)
		err = receive_all(c, fd, deadline, &r);
	if (err != 0) {
		if (err == ETIMEDOUT)
			fprintf(c->err, "vrrpctl: %s accepts connections but did not answer within %u s\n",
				c->socket, seconds);
		else if (err != ECANCELED)
			fprintf(c->err, "vrrpctl: %s: no answer: %s\n", c->socket, strerror(err));
		ctl_reply_free(&r);
		return CTL_CONNECT;
	}
	if (!take_apart(&r)) {
		fprintf(c->err, "vrrpctl: %s: the answer is no HTTP or was cut short; is vrrpd restarting?\n",
			c->socket);
		ctl_reply_free(&r);
		return CTL_CONNECT;
	}
	r.err = c->err;
	*ret = r;
	return CTL_OK;
}

int
ctl_get(const struct ctl *c, const char *path, struct ctl_reply *ret)
{
	return ask(c, "GET", path, CLIENT_DEADLINE_S, ret);
}

int
ctl_post(const struct ctl *c, const char *path, unsigned seconds, struct ctl_reply *ret)
{
	return ask(c, "POST", path, seconds, ret);
}

void
ctl_reply_free(struct ctl_reply *r)
{
	free(r->all);
	*r = (struct ctl_reply){0};
}

int
ctl_reply_json(const struct ctl_reply *r, json_t **ret)
{
	json_t *j = json_loadb(r->body, r->len, 0, NULL);
	const char *error, *detail;

	if (r->status == 200 && j != NULL && ret != NULL) {
		*ret = j;
		return CTL_OK;
	}
	error = json_string_value(json_object_get(j, "error"));
	detail = json_string_value(json_object_get(j, "detail"));
	if (error != NULL && detail != NULL)
		fprintf(r->err, "vrrpctl: %s: %s\n", error, detail);
	else
		fprintf(r->err,
			"vrrpctl: the daemon answered with HTTP status %d and nothing that can be understood\n",
			r->status);
	json_decref(j);
	return r->status == 404 ? CTL_UNKNOWN : CTL_UNFIT;
}
