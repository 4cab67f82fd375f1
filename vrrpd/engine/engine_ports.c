/*
 * engine_ports.c - interfaces: their state for the advert loop, and the VRRP sockets on them.
 *
 * Runs in the kernel thread (opening a socket joins a multicast group, which takes the rtnl lock). Sockets belong to
 * one incarnation of an interface: when it comes back with another index they are opened anew.
 */
#include "engine/engine_kernel_int.h"

#include <string.h>

#include "base/macros.h"
#include "sys/clock.h"

#define RETRY_PORTS_US USEC_PER_SEC /* sockets that could not be opened are tried again */

int
kernel_ifindex(const struct engine_kernel *k, uint32_t watch)
{
	struct nlk_link l;

	return nlk_cache_link(k->cache, k->gen->watches[watch].ifname, &l) ? l.ifindex : 0;
}

static bool
same_vrids(const struct engine_port *a, const struct engine_port *b)
{
	for (unsigned v = 0; v < 256; v++)
		if ((a->by_vrid[v] == NULL) != (b->by_vrid[v] == NULL))
			return false;
	return true;
}

bool
engine_port_stays(const struct engine_gen *old, const struct engine_gen *g, const struct engine_port *p, uint32_t *ret)
{
	for (uint32_t n = 0; n < old->n_ports; n++) {
		const struct engine_port *o = &old->ports[n];

		if (o->family != p->family ||
		    strcmp(old->watches[o->watch].ifname, g->watches[p->watch].ifname) != 0)
			continue;
		*ret = n;
		return o->multicast == p->multicast && same_vrids(o, p);
	}
	*ret = ENGINE_NO_INDEX;
	return false;
}

/* Open the port's sockets on the interface's present incarnation; tell the advert loop. */
static void
look_at_port(struct engine_kernel *k, uint32_t port)
{
	const struct engine_port *p = &k->gen->ports[port];
	const char *ifname = k->gen->watches[p->watch].ifname;
	struct kernel_answer a = {.kind = KERNEL_ANSWER_PORT, .index = port, .fd = -1, .stray_fd = -1};
	int *ifindex_now = &k->books.port_ifindex[port];
	int ifindex = kernel_ifindex(k, p->watch);
	bool vrids[256];
	int r;

	if (ifindex == *ifindex_now)
		return;
	if (ifindex != 0) {
		for (unsigned v = 0; v < 256; v++)
			vrids[v] = p->by_vrid[v] != NULL;
		/* Removing one address must not take the others of its subnet along. */
		(void)nlk_link_promote_secondaries(ifname);
		r = engine_sock_open(p->family, ifname, ifindex, p->multicast, vrids, &a.fd, &a.stray_fd);
		if (r < 0) {
			if (!k->port_told)
				kernel_trouble(k, "cannot open VRRP sockets on", ifname, -r);
			k->port_retry = k->port_told = true;
			k->retry_at = mono_add(clock_mono(), RETRY_PORTS_US);
			ifindex = 0;
		}
	}
	if (ifindex == 0 && *ifindex_now == 0)
		return;
	*ifindex_now = ifindex;
	a.ifindex = ifindex;
	kernel_answer(k, &a);
}

/* Instances on a port without sockets must not take part: their interface counts as down. */
static bool
port_closed(const struct engine_kernel *k, const struct engine_watch *w)
{
	for (uint32_t n = 0; n < k->gen->n_ports; n++) {
		const struct engine_port *p = &k->gen->ports[n];

		if (p->family == w->family && strcmp(k->gen->watches[p->watch].ifname, w->ifname) == 0)
			return k->books.port_ifindex[n] == 0;
	}
	return false;
}

static bool
same_answer(const struct kernel_answer *a, const struct kernel_answer *b)
{
	return a->kind == b->kind && a->link == b->link && a->ifindex == b->ifindex && a->mtu == b->mtu &&
	       memcmp(&a->mac, &b->mac, sizeof(a->mac)) == 0 && ip_addr_equal(&a->addr, &b->addr);
}

void
kernel_look(struct engine_kernel *k)
{
	k->changed = false;
	k->port_retry = false;
	for (uint32_t n = 0; n < k->gen->n_ports; n++)
		look_at_port(k, n);
	k->port_told = k->port_retry;
	for (uint32_t n = 0; n < k->gen->n_watches; n++) {
		const struct engine_watch *w = &k->gen->watches[n];
		struct kernel_answer a;

		engine_links_look(k->cache, k->gen, n, &a);
		if (a.link == ELECT_LINK_UP && w->family != IP_FAMILY_NONE && port_closed(k, w))
			a.link = ELECT_LINK_DOWN;
		if (same_answer(&a, &k->books.told[n]))
			continue;
		k->books.told[n] = a;
		kernel_answer(k, &a);
	}
}
