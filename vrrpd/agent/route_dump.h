/*
 * route_dump.h - look for one route in what the kernel tells of all of them.
 *
 * Pure: octets in, an answer out. Written by hand because the agent links no netlink library.
 */
#ifndef VRRPD_AGENT_ROUTE_DUMP_H
#define VRRPD_AGENT_ROUTE_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct route_search {
	/* what is looked for */
	struct ip_prefix dst; /* this very network; its length 0: the default route */
	uint32_t table;
	struct ip_addr want_via; /* family none: any gateway, or none */
	bool want_interface;
	unsigned ifindex; /* of the interface, when one is wanted */
	/* what has come */
	bool found;	    /* one that carries packets */
	bool found_down;    /* one that would, were its link not down */
	bool interrupted;   /* the table changed while it was told */
	int err;	    /* an errno of the kernel, 0 = none */
	struct ip_addr via; /* of the first one found; family none: it has no gateway */
};

/* Take one datagram of the kernel's answer (aligned for struct nlmsghdr). True: the answer is complete. */
bool route_search_feed(struct route_search *s, const void *data, size_t n);

#endif
