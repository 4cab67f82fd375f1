/*
 * check_route.c - kind "route": a default route or one to a network exists, in a table, by a gateway or
 * interface.
 *
 * Runs in vrrpd-agent under check.c. Reads the kernel's routes over a rtnetlink socket of its own
 * (RTM_GETROUTE, rtnetlink(7)), a piece at each wake-up, so that a large table delays nobody; the kernel is
 * asked for one table only where it can filter (NETLINK_GET_STRICT_CHK, Linux 4.20), and the rest is filtered
 * here. Only routes that carry packets count: no blackhole, unreachable or prohibit, and no next hop that is
 * dead or whose link is down.
 */
#include "agent/check.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "agent/agent_util.h"
#include "agent/route_dump.h"
#include "base/strbuf.h"

#define READ_SIZE      32768 /* the largest piece that the kernel makes */
#define READS_PER_TURN 4
#define DUMPS_MAX      3 /* a table that changes while it is read is read again so often */

struct route {
	struct check *check;
	int fd; /* -1 = no run */
	struct loop_io *io;
	unsigned dumps;
	struct route_search search;
	char buf[READ_SIZE];
};

static void
end_run(struct route *r)
{
	loop_io_del(TAKE(r->io));
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

static void
fail(struct route *r, const char *what, int err)
{
	end_run(r);
	check_donef(r->check, false, "the routes cannot be read: %s: %s", what, strerror(err));
}

/* "default route via 10.0.0.254 on eth0 in table 100". */
static void
describe(const struct check *c, struct strbuf *b)
{
	const char *via = check_text(c, "via", 0), *ifname = check_text(c, "interface", 0);
	const char *to = check_text(c, "destination", 0);
	int64_t table = check_number(c, "table", RT_TABLE_MAIN);

	if (strcmp(to, "default") == 0 || strcmp(to, "default6") == 0)
		strbuf_addf(b, "%s route", strcmp(to, "default") == 0 ? "default" : "IPv6 default");
	else
		strbuf_addf(b, "route to %s", to);
	if (via != NULL)
		strbuf_addf(b, " via %s", via);
	if (ifname != NULL)
		strbuf_addf(b, " on %s", ifname);
	if (table != RT_TABLE_MAIN)
		strbuf_addf(b, " in table %lld", (long long)table);
}

static void
finish(struct route *r)
{
	struct check *c = r->check;
	const struct route_search *s = &r->search;
	char text[LIMIT_CHECK_TEXT];
	struct strbuf b;

	strbuf_init(&b, text, sizeof(text));
	end_run(r);
	if (!s->found && !s->found_down)
		strbuf_addf(&b, "no ");
	describe(c, &b);
	if (s->found && s->via.family != IP_FAMILY_NONE && check_text(c, "via", 0) == NULL) {
		char via[IP_ADDR_TEXT];

		strbuf_addf(&b, " via %s", ip_addr_format(&s->via, via));
	} else if (!s->found && s->found_down) {
		strbuf_addf(&b, " is there, but its link is down");
	}
	check_donef(c, s->found, "%s", text);
}

static void
ask(struct route *r)
{
	struct {
		struct nlmsghdr h;
		struct rtmsg m;
		struct rtattr a;
		uint32_t table;
	} req = {
		.h = {.nlmsg_len = sizeof(req),
		      .nlmsg_type = RTM_GETROUTE,
		      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		      .nlmsg_seq = ++r->dumps},
		.m = {.rtm_family = r->search.dst.addr.family == IP_FAMILY_V4 ? AF_INET : AF_INET6},
		.a = {.rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = RTA_TABLE},
		.table = r->search.table,
	};

	r->search.found = r->search.found_down = r->search.interrupted = false;
	if (send(r->fd, &req, sizeof(req), 0) < 0)
		fail(r, "no request", errno);
}

/* A whole answer has come. */
static void
dump_ended(struct route *r)
{
	if (r->search.err == ENOENT) /* a table that does not exist, told so when the kernel filters */
		r->search.err = 0;
	if (r->search.err != 0)
		fail(r, "the kernel refuses", r->search.err);
	else if (!r->search.found && r->search.interrupted && r->dumps < DUMPS_MAX)
		ask(r);
	else
		finish(r);
}

static void
on_readable(void *arg, int fd, bool readable, bool writable)
{
	struct route *r = arg;

	(void)readable;
	(void)writable;
	for (unsigned i = 0; i < READS_PER_TURN && r->fd >= 0; i++) {
		ssize_t n = recv(fd, r->buf, sizeof(r->buf), 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			fail(r, "no answer", errno);
			return;
		}
		if (route_search_feed(&r->search, r->buf, (size_t)n))
			dump_ended(r);
	}
}

/* The options as what to look for; the configuration's rules have seen to their form. */
static void
prepare(struct route *r)
{
	const char *to = check_text(r->check, "destination", 0), *via = check_text(r->check, "via", 0);
	const char *ifname = check_text(r->check, "interface", 0);
	struct route_search *s = &r->search;

	*s = (struct route_search){.table = (uint32_t)check_number(r->check, "table", RT_TABLE_MAIN)};
	if (strcmp(to, "default") == 0)
		to = "0.0.0.0/0";
	else if (strcmp(to, "default6") == 0)
		to = "::/0";
	(void)ip_prefix_parse(to, &s->dst);
	if (via != NULL)
		(void)ip_addr_parse(via, &s->want_via);
	if (ifname != NULL) {
		s->want_interface = true;
		s->ifindex = if_nametoindex(ifname);
	}
}

static void
route_start(struct check *c)
{
	struct route *r = c->priv;
	int one = 1;

	if (r == NULL) {
		r = agent_alloc(1, sizeof(*r));
		r->check = c;
		r->fd = -1;
		c->priv = r;
	}
	prepare(r);
	if (r->search.want_interface && r->search.ifindex == 0) {
		check_donef(c, false, "%s does not exist", check_text(c, "interface", 0));
		return;
	}
	r->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (r->fd < 0) {
		fail(r, "no socket", errno);
		return;
	}
	(void)setsockopt(r->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	r->dumps = 0;
	r->io = loop_io_add(check_loop(c), r->fd, on_readable, r);
	ask(r);
}

static void
route_cancel(struct check *c, bool force)
{
	(void)force;
	end_run(c->priv);
	check_donef(c, false, "no answer");
}

static void
route_free(struct check *c)
{
	struct route *r = c->priv;

	if (r == NULL)
		return;
	end_run(r);
	free(r);
}

const struct check_ops check_route_ops = {
	.name = "route",
	.start = route_start,
	.cancel = route_cancel,
	.free = route_free,
};
