/*
 * engine_links.c - what the kernel's caches say about an interface that matters: its state and our sender
 * address.
 *
 * Called by the kernel thread after every change. The sender address is the configured one, or for IPv4 the
 * first address of the interface that is not a virtual one, for IPv6 the link-local address (RFC
 * 9568 5.1.1.1, 5.1.2.1).
 */
#include "engine/engine.h"

#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "base/strbuf.h"

struct search {
	const struct engine_gen *gen;
	const struct engine_watch *watch;
	struct ip_addr found;
};

/* Is it one of our virtual addresses (and not really ours, as an owner's is)? */
static bool
is_virtual(const struct engine_gen *gen, const struct ip_addr *a)
{
	for (uint32_t n = 0; n < gen->n_instances; n++) {
		const struct engine_instance *i = &gen->instances[n];

		for (uint32_t k = 0; k < i->n_addresses && !i->codec.owner; k++)
			if (ip_addr_equal(&i->addresses[k].prefix.addr, a))
				return true;
	}
	return false;
}

static bool
usable(const struct search *s, const struct nlk_addr *a, const struct ip_addr *addr)
{
	if (addr->family != s->watch->family || a->tentative)
		return false;
	if (s->watch->wanted.family != IP_FAMILY_NONE)
		return ip_addr_equal(addr, &s->watch->wanted);
	if (addr->family == IP_FAMILY_V6 && !ip_addr_is_link_local(addr))
		return false;
	/* The mark first: it is cheap, and an interface may carry thousands of virtual addresses. */
	return a->proto != IPC_IFA_PROTO && !is_virtual(s->gen, addr);
}

static bool
consider(void *arg, const struct nlk_addr *a)
{
	struct search *s = arg;
	struct ip_addr addr = ip_addr_from(a->family == AF_INET ? IP_FAMILY_V4 : IP_FAMILY_V6, a->addr);

	if (!usable(s, a, &addr))
		return true;
	s->found = addr;
	return false;
}

static enum elect_link
link_state(const struct nlk_link *l)
{
	if (!l->up)
		return ELECT_LINK_DOWN;
	return l->carrier ? ELECT_LINK_UP : ELECT_LINK_NO_CARRIER;
}

void
engine_links_look(const struct nlk_cache *cache, const struct engine_gen *gen, uint32_t watch,
		  struct kernel_answer *ret)
{
	const struct engine_watch *w = &gen->watches[watch];
	struct search s = {.gen = gen, .watch = w};
	struct nlk_link l;

	*ret = (struct kernel_answer){.kind = KERNEL_ANSWER_WATCH, .index = watch, .link = ELECT_LINK_MISSING};
	if (!nlk_cache_link(cache, w->ifname, &l))
		return;
	ret->link = (uint8_t)link_state(&l);
	ret->ifindex = l.ifindex;
	ret->mtu = l.mtu;
	memcpy(ret->mac.b, l.mac, sizeof(ret->mac.b));
	if (w->family == IP_FAMILY_NONE)
		return;
	nlk_cache_addrs(cache, l.ifindex, consider, &s);
	ret->addr = s.found;
}
