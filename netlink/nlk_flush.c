/*
 * nlk_flush.c - remove every address that carries a mark, with nothing but a dump and a batch.
 *
 * For a process that must clean up after another one and has no cache; in vrrpd the parent, when the engine
 * cannot come back.
 */
#include "nlk.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nlk_int.h"

#define RECEIVE_SIZE (32 << 10)

#define LOOKS_MAX 10 /* until a look finds nothing; with nobody else at work the second one does */

struct found {
	uint8_t proto;
	struct nlk_addr_op *ops;
	size_t n, room;
};

/* Remember one address for removal. False when there is no memory. */
static bool
remember(struct found *f, const struct ifaddrmsg *ifa, const void *addr)
{
	struct nlk_addr_op *op;

	if (f->n == f->room) {
		size_t room = f->room > 0 ? 2 * f->room : 64;

		op = reallocarray(f->ops, room, sizeof(*op));
		if (op == NULL)
			return false;
		f->ops = op;
		f->room = room;
	}
	op = &f->ops[f->n++];
	*op = (struct nlk_addr_op){
		.verb = NLK_ADDR_DEL,
		.family = ifa->ifa_family,
		.prefixlen = ifa->ifa_prefixlen,
		.ifindex = (int)ifa->ifa_index,
	};
	memcpy(op->addr, addr, ifa->ifa_family == AF_INET ? 4 : 16);
	return true;
}

static int
on_attribute(const struct nlattr *attr, void *arg)
{
	const struct nlattr **table = arg;

	if (mnl_attr_get_type(attr) <= IFA_PROTO)
		table[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static int
on_address(const struct nlmsghdr *nlh, void *arg)
{
	struct found *f = arg;
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *table[IFA_PROTO + 1] = {NULL}, *local;
	bool ours;

	(void)mnl_attr_parse(nlh, sizeof(*ifa), on_attribute, table);
	ours = table[IFA_PROTO] != NULL && mnl_attr_get_u8(table[IFA_PROTO]) == f->proto;
	local = table[IFA_LOCAL] != NULL ? table[IFA_LOCAL] : table[IFA_ADDRESS]; /* IPv6 has the second only */
	if (!ours || local == NULL || (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
		return MNL_CB_OK;
	return remember(f, ifa, mnl_attr_get_payload(local)) ? MNL_CB_OK : MNL_CB_ERROR;
}

/*
 * The kernel marks a dump during which something changed: it may lack an address or have one twice. libmnl
 * would stop reading there; what matters is the next look, which must find nothing.
 */
static void
calm(char *buf, int len)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;

	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
		nlh->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
}

/* Read every address of the namespace. */
static int
dump(struct mnl_socket *s, struct found *f)
{
	char buf[RECEIVE_SIZE] __attribute__((aligned(MNL_ALIGNTO)));
	unsigned seq = (unsigned)time(NULL);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtgenmsg *gen;
	ssize_t n;
	int r;

	nlh->nlmsg_type = RTM_GETADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = seq;
	gen = mnl_nlmsg_put_extra_header(nlh, sizeof(*gen));
	gen->rtgen_family = AF_UNSPEC;
	if (mnl_socket_sendto(s, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(s, buf, sizeof(buf));
		if (n < 0)
			return -errno;
		calm(buf, (int)n);
		r = mnl_cb_run(buf, (size_t)n, seq, mnl_socket_get_portid(s), on_address, f);
	} while (r > MNL_CB_STOP);
	return r < 0 ? -errno : 0;
}

/* Read them with a socket of its own: what is left of a spoilt dump must not be the answer to the next one. */
static int
look(struct found *f)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int r;

	if (s == NULL)
		return -errno;
	f->n = 0;
	r = mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : dump(s, f);
	mnl_socket_close(s);
	return r;
}

static int
flush(struct found *f, unsigned *ret_count)
{
	struct nlk_batch *b = NULL;
	int r = nlk_batch_open(&b);

	if (r == 0)
		r = nlk_addr_apply(b, f->ops, f->n);
	for (size_t i = 0; i < f->n; i++)
		*ret_count += f->ops[i].result == 0;
	nlk_batch_close(b);
	return r;
}

int
nlk_addr_flush(uint8_t proto, unsigned *ret_count)
{
	struct found f = {.proto = proto};
	int r = 0;

	*ret_count = 0;
	for (int i = 0; i < LOOKS_MAX; i++) {
		r = look(&f);
		if (r < 0 || f.n == 0)
			break;
		r = flush(&f, ret_count);
	}
	free(f.ops);
	return r;
}
