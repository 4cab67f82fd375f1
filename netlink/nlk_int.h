/*
 * nlk_int.h - what the files of this library share, not for its users; the address table for nlk_cache.c.
 *
 * Tests of the table include it, too. Nothing here makes a system call.
 */
#ifndef NETLINK_NLK_INT_H
#define NETLINK_NLK_INT_H

#include <linux/if_addr.h>

#include "nlk.h"

#ifndef IFA_PROTO /* an enumerator since Linux 5.18, so never a macro: this replaces it by the same number */
#define IFA_PROTO 11
#endif

/* ---- nlk_table.c: addresses in the kernel's order, found by hash ----------------------------------------- */

/* An address with what decides its identity and place beyond what users see. */
struct nlk_record {
	struct nlk_addr a;
	uint8_t peer[16]; /* IFA_ADDRESS: the same address, or the far end of a point-to-point link */
	uint8_t scope;	  /* enum rt_scope_t: larger is narrower */
	bool secondary;	  /* IPv4: not the first of its subnet */
};

struct nlk_entry;
struct nlk_group;

struct nlk_table {
	struct nlk_entry **buckets;
	size_t bucket_count; /* a power of two, or 0 before the first entry */
	size_t entry_count;
	struct nlk_group
		*groups; /* one per family and link that ever had an address; by family, then ifindex */
	size_t group_count;
	size_t group_room;
};

/* Where a new address goes among those of its family on its link. */
enum nlk_place {
	NLK_PLACE_TAIL,	  /* it comes from a dump, which has them in order */
	NLK_PLACE_KERNEL, /* it comes from an event: where the kernel has put it */
};

/* What putting an address in came to, as far as users can see: SAME when only the lifetimes are new, for
 * example. */
enum nlk_put {
	NLK_PUT_NEW,
	NLK_PUT_CHANGED,
	NLK_PUT_SAME,
};

/* An empty table is all zeroes. Frees what the table holds and leaves it empty. */
void nlk_table_done(struct nlk_table *t);

/*
 * Put an address in, or replace what is known of it. Identity is family, link, address, prefix length and peer.
 * 0 and *ret, or -ENOMEM with the table as it was.
 */
int nlk_table_put(struct nlk_table *t, const struct nlk_record *r, enum nlk_place place, enum nlk_put *ret);

/* Take an address out. True and *ret what was known of it, when it was there. */
bool nlk_table_remove(struct nlk_table *t, const struct nlk_record *r, struct nlk_addr *ret);

/* As nlk_cache_find(). */
bool nlk_table_find(const struct nlk_table *t, const struct nlk_addr *key, struct nlk_addr *ret);

/* As nlk_cache_addrs(). */
void nlk_table_each(const struct nlk_table *t, int ifindex, bool (*fn)(void *arg, const struct nlk_addr *a),
		    void *arg);

#endif
