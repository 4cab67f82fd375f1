/*
 * nlk_table.c - the addresses of a network namespace: found by hash, listed in the kernel's order.
 *
 * Used by nlk_cache.c only, which says why libnl's own address cache is not enough. Pure but for malloc(). It
 * must not interpret netlink messages.
 *
 * Order matters to users: the first IPv4 address of a link is the one the kernel prefers as a source. A dump
 * comes in that order, an event does not say where the address went; place_new() repeats what the kernel does,
 * so that the table looks the same however it came to be.
 */
#include "nlk_int.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BUCKETS_MIN 64
#define GROUPS_MIN  16

struct nlk_entry {
	struct nlk_record r;
	struct nlk_entry *chain; /* next in the same bucket */
	struct nlk_entry *prev;	 /* neighbours in the group */
	struct nlk_entry *next;
};

struct nlk_group {
	int ifindex;
	uint8_t family;
	struct nlk_entry *first;
	struct nlk_entry *last;
};

/* FNV-1a over what identifies an address; the peer is left out, it hardly ever tells two apart. */
static size_t
hash_of(const struct nlk_record *r)
{
	uint32_t h = 2166136261u;

	h = (h ^ (uint32_t)r->a.ifindex) * 16777619u;
	h = (h ^ r->a.prefixlen) * 16777619u;
	for (size_t i = 0; i < sizeof(r->a.addr); i++)
		h = (h ^ r->a.addr[i]) * 16777619u;
	return h ^ h >> 15;
}

static bool
is_same(const struct nlk_record *x, const struct nlk_record *y)
{
	return x->a.family == y->a.family && x->a.ifindex == y->a.ifindex && x->a.prefixlen == y->a.prefixlen &&
	       memcmp(x->a.addr, y->a.addr, sizeof(x->a.addr)) == 0 &&
	       memcmp(x->peer, y->peer, sizeof(x->peer)) == 0;
}

/* The pointer that points, or would point, to the entry for r in its bucket. The table has buckets. */
static struct nlk_entry **
find_slot(const struct nlk_table *t, const struct nlk_record *r)
{
	struct nlk_entry **slot = &t->buckets[hash_of(r) & (t->bucket_count - 1)];

	while (*slot != NULL && !is_same(&(*slot)->r, r))
		slot = &(*slot)->chain;
	return slot;
}

/* Keep at most one entry per bucket on average. Failing to grow is harmless except for the very first time. */
static int
grow_buckets(struct nlk_table *t)
{
	size_t count = t->bucket_count > 0 ? 2 * t->bucket_count : BUCKETS_MIN;
	struct nlk_entry **old = t->buckets, **buckets;
	size_t old_count = t->bucket_count;

	if (t->entry_count < t->bucket_count)
		return 0;
	buckets = calloc(count, sizeof(struct nlk_entry *));
	if (buckets == NULL)
		return old != NULL ? 0 : -ENOMEM;
	t->buckets = buckets;
	t->bucket_count = count;
	for (size_t i = 0; i < old_count; i++) {
		struct nlk_entry *e, *chain;

		for (e = old[i]; e != NULL; e = chain) {
			size_t to = hash_of(&e->r) & (count - 1);

			chain = e->chain;
			e->chain = buckets[to];
			buckets[to] = e;
		}
	}
	free(old);
	return 0;
}

/* Index of the group, or of the place where it would be inserted. */
static size_t
group_index(const struct nlk_table *t, uint8_t family, int ifindex)
{
	size_t low = 0, high = t->group_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct nlk_group *g = &t->groups[mid];

		if (g->family < family || (g->family == family && g->ifindex < ifindex))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The group of an address, made when it is the first there; NULL when there is no memory. */
static struct nlk_group *
get_group(struct nlk_table *t, const struct nlk_addr *a)
{
	size_t i = group_index(t, a->family, a->ifindex);
	struct nlk_group *g;

	if (i < t->group_count && t->groups[i].family == a->family && t->groups[i].ifindex == a->ifindex)
		return &t->groups[i];
	if (t->group_count == t->group_room) {
		size_t room = t->group_room > 0 ? 2 * t->group_room : GROUPS_MIN;

		g = reallocarray(t->groups, room, sizeof(*g));
		if (g == NULL)
			return NULL;
		t->groups = g;
		t->group_room = room;
	}
	g = &t->groups[i];
	memmove(g + 1, g, (t->group_count - i) * sizeof(*g));
	*g = (struct nlk_group){.ifindex = a->ifindex, .family = a->family};
	t->group_count++;
	return g;
}

/* Link e into its group behind another entry, or at the head when that is NULL. */
static void
link_after(struct nlk_group *g, struct nlk_entry *e, struct nlk_entry *before)
{
	e->prev = before;
	e->next = before != NULL ? before->next : g->first;
	if (e->next != NULL)
		e->next->prev = e;
	else
		g->last = e;
	if (before != NULL)
		before->next = e;
	else
		g->first = e;
}

static void
unlink_entry(struct nlk_group *g, struct nlk_entry *e)
{
	if (e->prev != NULL)
		e->prev->next = e->next;
	else
		g->first = e->next;
	if (e->next != NULL)
		e->next->prev = e->prev;
	else
		g->last = e->prev;
}

/* Secondaries go to the tail, a primary behind the last primary of its scope or a narrower one
 * (inet_insert_ifa). */
static struct nlk_entry *
ip4_predecessor(const struct nlk_group *g, const struct nlk_record *r)
{
	struct nlk_entry *e = g->last;

	if (r->secondary)
		return e;
	while (e != NULL && (e->r.secondary || e->r.scope < r->scope))
		e = e->prev;
	return e;
}

/* Wider scopes first and the newest of a scope first (ipv6_link_dev_addr); for it, ::1 is of link scope. */
static struct nlk_entry *
ip6_predecessor(const struct nlk_group *g, const struct nlk_record *r)
{
	uint8_t scope = r->scope < RT_SCOPE_LINK ? r->scope : RT_SCOPE_LINK;
	struct nlk_entry *e, *before = NULL;

	for (e = g->first; e != NULL && e->r.scope < scope; e = e->next)
		before = e;
	return before;
}

static void
place_new(struct nlk_group *g, struct nlk_entry *e, enum nlk_place place)
{
	if (place == NLK_PLACE_TAIL)
		link_after(g, e, g->last);
	else if (e->r.a.family == AF_INET)
		link_after(g, e, ip4_predecessor(g, &e->r));
	else
		link_after(g, e, ip6_predecessor(g, &e->r));
}

/* Replace what is known of an address. A promoted IPv4 secondary moves to the primaries. */
static enum nlk_put
update(struct nlk_table *t, struct nlk_entry *e, const struct nlk_record *r)
{
	bool promoted = r->a.family == AF_INET && e->r.secondary && !r->secondary;
	bool same = e->r.a.proto == r->a.proto && e->r.a.tentative == r->a.tentative && !promoted;

	e->r = *r;
	if (promoted) {
		struct nlk_group *g = &t->groups[group_index(t, r->a.family, r->a.ifindex)];

		unlink_entry(g, e);
		place_new(g, e, NLK_PLACE_KERNEL);
	}
	return same ? NLK_PUT_SAME : NLK_PUT_CHANGED;
}

void
nlk_table_done(struct nlk_table *t)
{
	for (size_t i = 0; i < t->group_count; i++) {
		struct nlk_entry *e, *next;

		for (e = t->groups[i].first; e != NULL; e = next) {
			next = e->next;
			free(e);
		}
	}
	free(t->groups);
	free(t->buckets);
	*t = (struct nlk_table){0};
}

int
nlk_table_put(struct nlk_table *t, const struct nlk_record *r, enum nlk_place place, enum nlk_put *ret)
{
	struct nlk_entry **slot, *e;
	struct nlk_group *g;

	if (grow_buckets(t) < 0)
		return -ENOMEM;
	slot = find_slot(t, r);
	if (*slot != NULL) {
		*ret = update(t, *slot, r);
		return 0;
	}
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return -ENOMEM;
	g = get_group(t, &r->a);
	if (g == NULL) {
		free(e);
		return -ENOMEM;
	}
	e->r = *r;
	*slot = e;
	t->entry_count++;
	place_new(g, e, place);
	*ret = NLK_PUT_NEW;
	return 0;
}

bool
nlk_table_remove(struct nlk_table *t, const struct nlk_record *r, struct nlk_addr *ret)
{
	struct nlk_entry **slot, *e;
	size_t i;

	if (t->bucket_count == 0)
		return false;
	slot = find_slot(t, r);
	e = *slot;
	if (e == NULL)
		return false;
	*slot = e->chain;
	t->entry_count--;

	i = group_index(t, r->a.family, r->a.ifindex);
	unlink_entry(&t->groups[i], e);
	if (t->groups[i].first == NULL) {
		t->group_count--;
		memmove(&t->groups[i], &t->groups[i + 1], (t->group_count - i) * sizeof(t->groups[0]));
	}
	*ret = e->r.a;
	free(e);
	return true;
}

bool
nlk_table_find(const struct nlk_table *t, const struct nlk_addr *key, struct nlk_addr *ret)
{
	struct nlk_record r = {.a = *key};
	const struct nlk_entry *e;

	if (t->bucket_count == 0)
		return false;
	/* The peer is no part of the hash: any will do. */
	for (e = t->buckets[hash_of(&r) & (t->bucket_count - 1)]; e != NULL; e = e->chain) {
		memcpy(r.peer, e->r.peer, sizeof(r.peer));
		if (!is_same(&e->r, &r))
			continue;
		*ret = e->r.a;
		return true;
	}
	return false;
}

void
nlk_table_each(const struct nlk_table *t, int ifindex, bool (*fn)(void *arg, const struct nlk_addr *a),
	       void *arg)
{
	for (size_t i = 0; i < t->group_count; i++) {
		if (ifindex != 0 && t->groups[i].ifindex != ifindex)
			continue;
		for (const struct nlk_entry *e = t->groups[i].first; e != NULL; e = e->next)
			if (!fn(arg, &e->r.a))
				return;
	}
}
