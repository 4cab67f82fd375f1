/*
 * net_conn.c - non-blocking stream connections; see net_conn.h. Runs in vrrpd-agent under the kinds of checks.
 */
#include "agent/net_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/agent_util.h"
#include "base/addr.h"
#include "base/strbuf.h"

#define READ_SIZE      4096
#define READS_PER_TURN 16 /* a server that floods gets its share of the loop and no more */

struct net_conn {
	net_conn_fn *fn;
	void *arg;
	int fd;
	struct loop_io *io;
	bool connected;
	bool in_call; /* the user's function runs: freeing waits for its return */
	bool closed;  /* by the user */
	char *out;    /* still to be sent */
	size_t out_len;
};

/* Fill a socket address. Its size, or 0 when the text is none. */
static socklen_t
parse(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_un *sun = (struct sockaddr_un *)ret;
	struct sockaddr_in *sin = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ret;
	struct ip_addr addr;
	char host[IP_ADDR_TEXT + 2] = "";
	const char *colon = strrchr(text, ':');
	unsigned long port;
	size_t n;

	memset(ret, 0, sizeof(*ret));
	if (text[0] == '/') {
		sun->sun_family = AF_UNIX;
		return str_copy(sun->sun_path, sizeof(sun->sun_path), text) ? sizeof(*sun) : 0;
	}
	if (colon == NULL || colon == text)
		return 0;
	n = (size_t)(colon - text);
	if (text[0] == '[' && colon[-1] == ']') {
		text++;
		n -= 2;
	}
	if (n >= sizeof(host))
		return 0;
	memcpy(host, text, n);
	port = strtoul(colon + 1, NULL, 10);
	if (ip_addr_parse(host, &addr) < 0 || port == 0 || port > 65535)
		return 0;
	if (addr.family == IP_FAMILY_V4) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons((uint16_t)port);
		memcpy(&sin->sin_addr, addr.b, 4);
		return sizeof(*sin);
	}
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons((uint16_t)port);
	memcpy(&sin6->sin6_addr, addr.b, 16);
	return sizeof(*sin6);
}

static void
destroy(struct net_conn *c)
{
	loop_io_del(c->io);
	if (c->fd >= 0)
		close(c->fd);
	free(c->out);
	free(c);
}

/* Tell the user. False when the connection is gone afterwards. */
static bool
tell(struct net_conn *c, enum net_event ev, const char *data, size_t n)
{
	c->in_call = true;
	c->fn(c->arg, ev, data, n);
	c->in_call = false;
	if (!c->closed)
		return true;
	destroy(c);
	return false;
}

/* The last event. The object lives on until the user closes it, but is silent. */
static void
finish(struct net_conn *c, int err)
{
	const char *text = err != 0 ? strerror(err) : NULL;

	loop_io_del(TAKE(c->io));
	close(c->fd);
	c->fd = -1;
	(void)tell(c, NET_CLOSED, text, text != NULL ? strlen(text) : 0);
}

/* Send octets as far as the kernel takes them; how many are left in *n. 0 or an errno. */
static int
send_now(struct net_conn *c, const char *data, size_t *n)
{
	while (c->connected && *n > 0) {
		ssize_t sent = send(c->fd, data, *n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN ? 0 : errno;
		data += sent;
		*n -= (size_t)sent;
	}
	return 0;
}

/* Send what waits. 0 or an errno. */
static int
flush_out(struct net_conn *c)
{
	size_t left = c->out_len;
	int err = send_now(c, c->out, &left);

	memmove(c->out, c->out + c->out_len - left, left);
	c->out_len = left;
	return err;
}

static void
on_ready(void *arg, int fd, bool readable, bool writable)
{
	struct net_conn *c = arg;
	char buf[READ_SIZE];
	int err = 0;
	socklen_t len = sizeof(err);

	if (!c->connected) {
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
			err = errno;
		if (err != 0) {
			finish(c, err);
			return;
		}
		c->connected = true;
		if (!tell(c, NET_CONNECTED, NULL, 0))
			return;
	}
	if (writable)
		err = flush_out(c);
	for (unsigned i = 0; readable && err == 0 && i < READS_PER_TURN; i++) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n == 0) {
			finish(c, 0);
			return;
		}
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			err = errno;
		else if (!tell(c, NET_DATA, buf, (size_t)n))
			return;
	}
	if (err != 0)
		finish(c, err);
	else
		loop_io_want(c->io, true, c->out_len > 0);
}

/*
 * Begin to connect: 0, or EINPROGRESS, or another errno. A second call shows what became of the first: to a
 * server on this host the connection stands by then.
 */
static int
begin(int fd, const struct sockaddr *to, socklen_t len)
{
	int err = connect(fd, to, len) < 0 ? errno : 0;

	if (err == EINPROGRESS)
		err = connect(fd, to, len) < 0 ? errno : 0;
	return err == EALREADY ? EINPROGRESS : err;
}

struct net_conn *
net_conn_open(struct loop *l, const char *endpoint, net_conn_fn *fn, void *arg, int *ret_err)
{
	struct sockaddr_storage ss;
	socklen_t len = parse(endpoint, &ss);
	struct net_conn *c;
	int fd, err;

	*ret_err = EINVAL;
	if (len == 0)
		return NULL;
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		*ret_err = errno;
		return NULL;
	}
	err = begin(fd, (struct sockaddr *)&ss, len);
	if (err != 0 && err != EINPROGRESS) {
		*ret_err = err; /* EAGAIN of a Unix socket: its backlog is full */
		close(fd);
		return NULL;
	}
	c = agent_alloc(1, sizeof(*c));
	c->fn = fn;
	c->arg = arg;
	c->fd = fd;
	c->connected = err == 0;
	c->io = loop_io_add_for(l, fd, true, !c->connected, on_ready, c);
	return c;
}

bool
net_conn_connected(const struct net_conn *c)
{
	return c->connected;
}

void
net_conn_send(struct net_conn *c, const void *data, size_t n)
{
	size_t left = n;
	char *more;

	if (c->fd < 0)
		return;
	/* An error shows itself on reading. */
	if (c->out_len == 0)
		(void)send_now(c, data, &left);
	if (left == 0)
		return;
	more = realloc(c->out, c->out_len + left);
	ASSERT(more != NULL);
	c->out = more;
	memcpy(c->out + c->out_len, (const char *)data + n - left, left);
	c->out_len += left;
	if (c->io != NULL)
		loop_io_want(c->io, true, true);
}

void
net_conn_close(struct net_conn *c)
{
	if (c == NULL)
		return;
	c->closed = true;
	if (!c->in_call)
		destroy(c);
}
