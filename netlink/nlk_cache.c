/*
 * nlk_cache.c - links and addresses as they are now, and what changes, over libnl-3.
 *
 * In vrrpd the engine keeps one. nlk_cache_process() reads what is there and returns; only when events were
 * lost it reads everything again, which takes some milliseconds, and kernels before 6.9 want the rtnl lock for
 * that. It must not change anything in the kernel.
 *
 * Links are kept by libnl's cache manager. Addresses are not: libnl 3.7 looks through the whole list at each
 * event (measured: 85 ms to take in 4000 addresses, and again each time they are renewed in another order; 1.2
 * s for 16000), it does not know IFA_PROTO, by which leftovers of an earlier life are recognised, and it
 * forgets the kernel's order. They go into nlk_table.c instead (2 us each, 3 ms of the 12 that receiving 4000
 * events takes). libnl still does the rest: address events come through the manager's socket, in one stream
 * with those of links, and are picked out by the NL_CB_MSG_IN hook before the manager sees them.
 */
#include "nlk.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <netlink/cache.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/rtnl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "nlk_int.h"

/*
 * An event of an address is charged 832 octets, and the kernel doubles this: room for 20000 between two calls
 * of nlk_cache_process().
 */
#define EVENT_BUFFER (8 << 20)

/* Largest datagram. Without a size libnl asks for it first, a second system call for each event. */
#define EVENT_SIZE (16 << 10)
#define DUMP_SIZE  (64 << 10)

/* Dumps in one go that may be spoilt by concurrent changes before the rest is left to the next call. */
#define DUMP_TRIES 8

/* Errors in one go before the socket counts as broken. Each lost event is one, and a flood may lose many times.
 */
#define ERROR_TRIES 100

/* Highest attribute we look at; libnl passes over those above. */
#define ATTR_MAX IFA_PROTO

struct nlk_cache {
	nlk_change_fn *fn;
	void *arg;
	struct nl_sock *events;
	struct nl_sock *dump; /* apart, so that answers and events do not mix */
	struct nl_cache_mngr *manager;
	struct nl_cache *links; /* the manager's */
	struct nlk_table addrs;
	bool partial; /* the last dump was spoilt: read again at the next event, which is queued already */
};

/* One dump of addresses on its way into a table. */
struct reading {
	struct nlk_table table;
	bool out_of_memory;
};

/* libnl's errors are numbers of its own. */
static int
errno_of(int nl_error)
{
	static const struct {
		int nl;
		int err;
	} known[] = {
		{NLE_NOMEM, ENOMEM},
		{NLE_PERM, EPERM},
		{NLE_NOACCESS, EACCES},
		{NLE_BAD_SOCK, EBADF},
		{NLE_AGAIN, EAGAIN},
		{NLE_INVAL, EINVAL},
		{NLE_OPNOTSUPP, EOPNOTSUPP},
		{NLE_PROTO_MISMATCH, EPROTO},
		{NLE_AF_NOSUPPORT, EAFNOSUPPORT},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].nl == abs(nl_error))
			return -known[i].err;
	return -EIO;
}

/* ---- links ----------------------------------------------------------------------------------------------- */

static void
link_of(struct rtnl_link *l, struct nlk_link *ret)
{
	unsigned flags = rtnl_link_get_flags(l);
	uint8_t operstate = rtnl_link_get_operstate(l);
	const struct nl_addr *mac = rtnl_link_get_addr(l);
	const char *name = rtnl_link_get_name(l);

	*ret = (struct nlk_link){
		.ifindex = rtnl_link_get_ifindex(l),
		.up = (flags & IFF_UP) != 0,
		.carrier = (flags & IFF_RUNNING) != 0 && operstate != IF_OPER_DOWN &&
			   operstate != IF_OPER_LOWERLAYERDOWN,
		.loopback = (flags & IFF_LOOPBACK) != 0,
		.mtu = rtnl_link_get_mtu(l),
	};
	if (mac != NULL && nl_addr_get_len(mac) == sizeof(ret->mac))
		memcpy(ret->mac, nl_addr_get_binary_addr(mac), sizeof(ret->mac));
	if (name != NULL)
		memcpy(ret->name, name, strnlen(name, sizeof(ret->name) - 1));
}

static bool
is_same_link(const struct nlk_link *x, const struct nlk_link *y)
{
	return x->ifindex == y->ifindex && x->up == y->up && x->carrier == y->carrier &&
	       x->loopback == y->loopback && x->mtu == y->mtu && memcmp(x->mac, y->mac, sizeof(x->mac)) == 0 &&
	       strcmp(x->name, y->name) == 0;
}

/* From the manager: before and after are NULL where there is no such thing. */
static void
on_link(struct nl_cache *links, struct nl_object *before, struct nl_object *after, uint64_t diff, int action,
	void *arg)
{
	struct nlk_cache *c = arg;
	struct nlk_link was, is;

	(void)links;
	(void)diff;
	(void)action;
	if (before != NULL)
		link_of((struct rtnl_link *)before, &was);
	if (after != NULL)
		link_of((struct rtnl_link *)after, &is);
	if (before == NULL && after != NULL)
		c->fn(c->arg, NLK_CHANGE_NEW, &is, NULL);
	else if (before != NULL && after == NULL)
		c->fn(c->arg, NLK_CHANGE_GONE, &was, NULL);
	else if (before != NULL && !is_same_link(&was, &is))
		c->fn(c->arg, NLK_CHANGE_CHANGED, &is, NULL);
}

/* ---- addresses ------------------------------------------------------------------------------------------- */

static bool
copy_addr(uint8_t to[16], const struct nlattr *from, int len)
{
	if (from == NULL || nla_len(from) != len)
		return false;
	memcpy(to, nla_data(from), (size_t)len);
	return true;
}

/* Read an address message. False when it is not about an IPv4 or IPv6 address, or is malformed. */
static bool
record_of(struct nlmsghdr *nlh, struct nlk_record *ret)
{
	static const struct nla_policy policy[ATTR_MAX + 1] = {
		[IFA_FLAGS] = {.type = NLA_U32},
		[IFA_PROTO] = {.type = NLA_U8},
	};
	struct nlattr *tb[ATTR_MAX + 1];
	const struct ifaddrmsg *ifa;
	struct nlk_record r = {0};
	uint32_t flags;
	int len;

	if (nlmsg_parse(nlh, sizeof(*ifa), tb, ATTR_MAX, policy) < 0)
		return false;
	ifa = nlmsg_data(nlh);
	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return false;
	len = ifa->ifa_family == AF_INET ? 4 : 16;

	/* The address itself is IFA_LOCAL; IPv6 has it in IFA_ADDRESS unless there is a peer. */
	if (!copy_addr(r.a.addr, tb[IFA_LOCAL] != NULL ? tb[IFA_LOCAL] : tb[IFA_ADDRESS], len))
		return false;
	/* The peer tells IPv4 addresses apart. In IPv6 it is a property that may change. */
	if (ifa->ifa_family == AF_INET)
		(void)copy_addr(r.peer, tb[IFA_ADDRESS], len);

	flags = tb[IFA_FLAGS] != NULL ? nla_get_u32(tb[IFA_FLAGS]) : ifa->ifa_flags;
	r.a.family = ifa->ifa_family;
	r.a.prefixlen = ifa->ifa_prefixlen;
	r.a.ifindex = (int)ifa->ifa_index;
	r.a.proto = tb[IFA_PROTO] != NULL ? nla_get_u8(tb[IFA_PROTO]) : 0;
	r.a.tentative = ifa->ifa_family == AF_INET6 && (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0;
	r.secondary = ifa->ifa_family == AF_INET && (flags & IFA_F_SECONDARY) != 0;
	r.scope = ifa->ifa_scope;
	*ret = r;
	return true;
}

/* An address event. Returns what libnl expects of a hook: NL_SKIP, the manager is not to see it, or an error.
 */
static int
on_addr(struct nlk_cache *c, struct nlmsghdr *nlh)
{
	struct nlk_record r;
	struct nlk_addr gone;
	enum nlk_put put;

	if (!record_of(nlh, &r))
		return NL_SKIP;
	if (nlh->nlmsg_type == RTM_DELADDR) {
		if (nlk_table_remove(&c->addrs, &r, &gone))
			c->fn(c->arg, NLK_CHANGE_GONE, NULL, &gone);
		return NL_SKIP;
	}
	if (nlk_table_put(&c->addrs, &r, NLK_PLACE_KERNEL, &put) < 0)
		return -NLE_NOMEM;
	if (put != NLK_PUT_SAME)
		c->fn(c->arg, put == NLK_PUT_NEW ? NLK_CHANGE_NEW : NLK_CHANGE_CHANGED, NULL, &r.a);
	return NL_SKIP;
}

/*
 * The hook: sees every event first. Link messages of another family than AF_UNSPEC speak of a bridge port, not
 * of the link: RTM_DELLINK means that the port has left the bridge.
 */
static int
on_event(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *nlh = nlmsg_hdr(msg);

	switch (nlh->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return on_addr(arg, nlh);
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (!nlmsg_valid_hdr(nlh, sizeof(struct ifinfomsg)))
			return NL_SKIP;
		return ((const struct ifinfomsg *)nlmsg_data(nlh))->ifi_family == AF_UNSPEC ? NL_OK : NL_SKIP;
	}
	return NL_OK;
}

/* ---- reading everything --------------------------------------------------------------------------------- */

static int
on_dumped(struct nl_msg *msg, void *arg)
{
	struct reading *reading = arg;
	struct nlk_record r;
	enum nlk_put put;

	if (nlmsg_hdr(msg)->nlmsg_type != RTM_NEWADDR || !record_of(nlmsg_hdr(msg), &r))
		return NL_SKIP;
	/* Read the dump to its end even so, or the rest of it would be the answer to the next request. */
	if (nlk_table_put(&reading->table, &r, NLK_PLACE_TAIL, &put) < 0)
		reading->out_of_memory = true;
	return NL_OK;
}

/*
 * Read all addresses into a table of its own and put it in place of the old. A dump that changes overtook
 * (NLM_F_DUMP_INTR) may lack addresses that did not change at all, so it must be repeated; but not for ever,
 * somebody may just be adding thousands. The events of those changes are still to come, and then there is time
 * to read again.
 */
static int
read_addrs(struct nlk_cache *c)
{
	struct reading reading = {0};
	int err = -NLE_DUMP_INTR;

	nl_socket_modify_cb(c->dump, NL_CB_VALID, NL_CB_CUSTOM, on_dumped, &reading);
	for (int i = 0; i < DUMP_TRIES && err == -NLE_DUMP_INTR; i++) {
		nlk_table_done(&reading.table);
		err = nl_rtgen_request(c->dump, RTM_GETADDR, AF_UNSPEC, NLM_F_DUMP);
		if (err >= 0)
			err = nl_recvmsgs_default(c->dump);
	}
	nl_socket_modify_cb(c->dump, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);

	if (reading.out_of_memory || (err < 0 && err != -NLE_DUMP_INTR)) {
		nlk_table_done(&reading.table);
		return reading.out_of_memory ? -ENOMEM : errno_of(err);
	}
	c->partial = err == -NLE_DUMP_INTR;
	nlk_table_done(&c->addrs);
	c->addrs = reading.table;
	return 0;
}

/* ---- life ------------------------------------------------------------------------------------------------ */

/* Make the sockets and the manager, and subscribe to addresses. A libnl error, or 0. */
static int
connect_sockets(struct nlk_cache *c)
{
	static const int size = EVENT_BUFFER;
	int err, fd;

	c->events = nl_socket_alloc();
	c->dump = nl_socket_alloc();
	if (c->events == NULL || c->dump == NULL)
		return -NLE_NOMEM;
	nl_socket_modify_cb(c->events, NL_CB_MSG_IN, NL_CB_CUSTOM, on_event, c);
	(void)nl_socket_set_msg_buf_size(c->events, EVENT_SIZE);
	(void)nl_socket_set_msg_buf_size(c->dump, DUMP_SIZE);

	err = nl_connect(c->dump, NETLINK_ROUTE);
	if (err < 0)
		return err;
	err = nl_cache_mngr_alloc(c->events, NETLINK_ROUTE, 0, &c->manager);
	if (err < 0)
		return err;
	fd = nl_cache_mngr_get_fd(c->manager);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)); /* less only means resyncs */
	return nl_socket_add_memberships(c->events, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, 0);
}

/* Have the manager subscribe to links and read them. A libnl error, or 0. */
static int
manage_links(struct nlk_cache *c)
{
	struct nl_cache *links;
	int err = nl_cache_alloc_name("route/link", &links);

	if (err < 0)
		return err;
	err = nl_cache_mngr_add_cache_v2(c->manager, links, on_link, c);
	if (err < 0) {
		nl_cache_free(links);
		return err;
	}
	c->links = links;
	return 0;
}

int
nlk_cache_open(nlk_change_fn *fn, void *arg, struct nlk_cache **ret)
{
	struct nlk_cache *c = calloc(1, sizeof(*c));
	int err;

	if (c == NULL)
		return -ENOMEM;
	c->fn = fn;
	c->arg = arg;
	err = connect_sockets(c);
	if (err >= 0)
		err = manage_links(c);
	err = err < 0 ? errno_of(err) : read_addrs(c);
	if (err < 0) {
		nlk_cache_close(c);
		return err;
	}
	*ret = c;
	return 0;
}

void
nlk_cache_close(struct nlk_cache *c)
{
	if (c == NULL)
		return;
	nl_cache_mngr_free(c->manager); /* and the links */
	nl_socket_free(c->events);
	nl_socket_free(c->dump);
	nlk_table_done(&c->addrs);
	free(c);
}

int
nlk_cache_fd(const struct nlk_cache *c)
{
	return nl_cache_mngr_get_fd(c->manager);
}

/*
 * After ENOBUFS the kernel goes on dropping events, without another word, until the queue has been empty once.
 * So everything must be read before the dump is taken, or changes during the dump would be lost for good. Any
 * other error, such as a message that libnl cannot read, may hide a change as well, and is cured in the same
 * way.
 */
int
nlk_cache_process(struct nlk_cache *c)
{
	int err, errors = 0;

	while ((err = nl_cache_mngr_data_ready(c->manager)) < 0)
		if (++errors == ERROR_TRIES)
			return errno_of(err);
	return errors > 0 || c->partial ? nlk_cache_resync(c) : 0;
}

int
nlk_cache_resync(struct nlk_cache *c)
{
	int err = nl_cache_refill(c->dump, c->links);

	err = err < 0 ? errno_of(err) : read_addrs(c);
	if (err < 0)
		return err;
	c->fn(c->arg, NLK_CHANGE_RESYNC, NULL, NULL);
	return 0;
}

bool
nlk_cache_link(const struct nlk_cache *c, const char *ifname, struct nlk_link *ret)
{
	for (struct nl_object *o = nl_cache_get_first(c->links); o != NULL; o = nl_cache_get_next(o)) {
		const char *name = rtnl_link_get_name((struct rtnl_link *)o);

		if (name != NULL && strcmp(name, ifname) == 0) {
			link_of((struct rtnl_link *)o, ret);
			return true;
		}
	}
	return false;
}

bool
nlk_cache_find(const struct nlk_cache *c, uint8_t family, int ifindex, uint8_t prefixlen, const uint8_t addr[16],
	       struct nlk_addr *ret)
{
	struct nlk_addr key = {.family = family, .ifindex = ifindex, .prefixlen = prefixlen};

	memcpy(key.addr, addr, family == AF_INET ? 4 : 16);
	return nlk_table_find(&c->addrs, &key, ret);
}

void
nlk_cache_addrs(const struct nlk_cache *c, int ifindex, bool (*fn)(void *arg, const struct nlk_addr *a),
		void *arg)
{
	nlk_table_each(&c->addrs, ifindex, fn, arg);
}
