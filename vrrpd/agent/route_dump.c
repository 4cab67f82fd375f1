/*
 * route_dump.c - reader of RTM_NEWROUTE messages; see route_dump.h. Runs in vrrpd-agent under check_route.c.
 *
 * Forms after rtnetlink(7) and linux/rtnetlink.h: a route with one next hop has RTA_OIF and RTA_GATEWAY (or
 * RTA_VIA: a gateway of the other family), one with several has them inside RTA_MULTIPATH. The kernel spells
 * out next hop objects (RTA_NH_ID) in the same way besides.
 */
#include "agent/route_dump.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/macros.h"

#define ERRNO_MAX 4095 /* of the kernel: MAX_ERRNO */

struct hop {
	struct ip_addr via;
	unsigned ifindex;
	unsigned flags; /* RTNH_F_* */
};

static uint8_t
family_of(unsigned af)
{
	if (af == AF_INET)
		return IP_FAMILY_V4;
	return af == AF_INET6 ? IP_FAMILY_V6 : IP_FAMILY_NONE;
}

/* An address from an attribute; family none when it is too short. */
static struct ip_addr
addr_from(uint8_t family, const uint8_t *octets, size_t n)
{
	size_t size = ip_family_size(family);

	return size > 0 && n >= size ? ip_addr_from(family, octets) : (struct ip_addr){0};
}

/* The next attribute of `left` octets at *p, or NULL; its payload and length. */
static const uint8_t *
next_attr(const uint8_t **p, size_t *left, unsigned *ret_type, size_t *ret_len)
{
	struct rtattr a;
	const uint8_t *at = *p;
	size_t step;

	if (*left < sizeof(a))
		return NULL;
	memcpy(&a, at, sizeof(a));
	if (a.rta_len < sizeof(a) || a.rta_len > *left)
		return NULL;
	step = MIN((size_t)RTA_ALIGN(a.rta_len), *left);
	*p += step;
	*left -= step;
	*ret_type = a.rta_type & NLA_TYPE_MASK;
	*ret_len = a.rta_len - sizeof(a);
	return at + sizeof(a);
}

static void
take_hop_attr(struct hop *h, uint8_t family, unsigned type, const uint8_t *v, size_t n)
{
	struct rtvia via;
	uint32_t number;

	if (type == RTA_GATEWAY) {
		h->via = addr_from(family, v, n);
	} else if (type == RTA_VIA && n > sizeof(via)) {
		memcpy(&via, v, sizeof(via));
		h->via = addr_from(family_of(via.rtvia_family), v + sizeof(via), n - sizeof(via));
	} else if (type == RTA_OIF && n >= sizeof(number)) {
		memcpy(&number, v, sizeof(number));
		h->ifindex = number;
	}
}

static void
judge_hop(struct route_search *s, const struct hop *h)
{
	if (s->want_via.family != IP_FAMILY_NONE && !ip_addr_equal(&s->want_via, &h->via))
		return;
	if (s->want_interface && s->ifindex != h->ifindex)
		return;
	if (h->flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) {
		s->found_down = true;
		return;
	}
	if (!s->found)
		s->via = h->via;
	s->found = true;
}

static void
judge_multipath(struct route_search *s, uint8_t family, const uint8_t *p, size_t left)
{
	struct rtnexthop nh;

	while (left >= sizeof(nh)) {
		struct hop h = {0};
		const uint8_t *at = p + sizeof(nh), *v;
		size_t inner, n, step;
		unsigned type;

		memcpy(&nh, p, sizeof(nh));
		if (nh.rtnh_len < sizeof(nh) || nh.rtnh_len > left)
			return;
		h.ifindex = (unsigned)nh.rtnh_ifindex;
		h.flags = nh.rtnh_flags;
		inner = nh.rtnh_len - sizeof(nh);
		while ((v = next_attr(&at, &inner, &type, &n)) != NULL)
			take_hop_attr(&h, family, type, v, n);
		judge_hop(s, &h);
		step = MIN((size_t)RTNH_ALIGN(nh.rtnh_len), left);
		p += step;
		left -= step;
	}
}

/* Are the first `bits` bits the same? */
static bool
same_network(const struct ip_addr *a, const struct ip_addr *b, unsigned bits)
{
	unsigned octets = bits / 8, rest = bits % 8;

	if (memcmp(a->b, b->b, octets) != 0)
		return false;
	return rest == 0 || ((a->b[octets] ^ b->b[octets]) >> (8 - rest)) == 0;
}

static void
take_route(struct route_search *s, const uint8_t *p, size_t left)
{
	struct rtmsg m;
	struct hop h = {0};
	struct ip_addr dst;
	const uint8_t *v, *multi = NULL;
	size_t n, n_multi = 0;
	unsigned type;
	uint32_t table;
	uint8_t family;

	if (left < sizeof(m))
		return;
	memcpy(&m, p, sizeof(m));
	family = family_of(m.rtm_family);
	if (family != s->dst.addr.family || m.rtm_dst_len != s->dst.len || m.rtm_type != RTN_UNICAST ||
	    (m.rtm_flags & RTM_F_CLONED) || m.rtm_src_len != 0 || left < NLMSG_ALIGN(sizeof(m)))
		return;
	p += NLMSG_ALIGN(sizeof(m));
	left -= NLMSG_ALIGN(sizeof(m));
	table = m.rtm_table;
	dst = (struct ip_addr){.family = family};
	h.flags = m.rtm_flags;
	while ((v = next_attr(&p, &left, &type, &n)) != NULL) {
		if (type == RTA_TABLE && n >= sizeof(table)) {
			memcpy(&table, v, sizeof(table));
		} else if (type == RTA_DST) {
			dst = addr_from(family, v, n);
		} else if (type == RTA_MULTIPATH) {
			multi = v;
			n_multi = n;
		} else {
			take_hop_attr(&h, family, type, v, n);
		}
	}
	if (table != s->table || !same_network(&dst, &s->dst.addr, s->dst.len))
		return;
	if (multi != NULL)
		judge_multipath(s, family, multi, n_multi);
	else
		judge_hop(s, &h);
}

bool
route_search_feed(struct route_search *s, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;
		size_t step;
		int err = 0;

		memcpy(&h, p, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > n)
			break;
		if (h.nlmsg_flags & NLM_F_DUMP_INTR)
			s->interrupted = true;
		if (h.nlmsg_type == NLMSG_DONE || h.nlmsg_type == NLMSG_ERROR) {
			if (h.nlmsg_len >= sizeof(h) + sizeof(err))
				memcpy(&err, p + sizeof(h), sizeof(err));
			s->err = err >= 0 ? 0 : err >= -ERRNO_MAX ? -err : EBADMSG;
			return true;
		}
		if (h.nlmsg_type == RTM_NEWROUTE)
			take_route(s, p + NLMSG_HDRLEN, h.nlmsg_len - NLMSG_HDRLEN);
		step = MIN((size_t)NLMSG_ALIGN(h.nlmsg_len), n);
		p += step;
		n -= step;
	}
	if (n == 0)
		return false;
	s->err = EBADMSG;
	return true;
}
