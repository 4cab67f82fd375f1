/*
 * cfg_rules_root.c - rules across instances, and of the configuration as a whole; run by cfg_check.c in the
 * parent.
 *
 * Costs at most n log n for addresses and n^2 for instances, within the limits of base/limits.h.
 */
#include "config/cfg_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void
some_instance(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_option *o = cfg_option_find(CFG_SCOPE_ROOT, "", "instances");

	if (c->n_instances == 0)
		cfg_source_at(s, obj, "instances", -1, "there is no instance: write %s", o->example);
}

static void
unique_names(struct cfg_source *s, struct cfg *c, void *obj)
{
	(void)obj;
	for (size_t k = 0; k < c->n_instances; k++) {
		for (size_t e = 0; e < k; e++) {
			const struct cfg_node *first;

			if (c->instances[k].name[0] == '\0' ||
			    strcmp(c->instances[k].name, c->instances[e].name) != 0)
				continue;
			first = &s->nodes[cfg_source_find(s, &c->instances[e], NULL, -1)];
			cfg_source_at(s, &c->instances[k], "name", -1,
				      "\"%s\" is the name of the instance at %s:%d already: write another",
				      c->instances[k].name, first->file, first->line);
			break;
		}
	}
}

static bool
share_a_peer(const struct cfg_instance *a, const struct cfg_instance *b)
{
	for (size_t i = 0; i < a->n_peers; i++)
		for (size_t k = 0; k < b->n_peers; k++)
			if (ip_addr_equal(&a->peers[i], &b->peers[k]))
				return true;
	return false;
}

/* RFC 9568 5.2.3: a VRID names one virtual router of an interface and family; unicast peers tell apart what
 * they send. */
static bool
same_router(const struct cfg_instance *a, const struct cfg_instance *b)
{
	if (a->vrid != b->vrid || a->vrid == 0 || a->family != b->family || a->family == IP_FAMILY_NONE ||
	    a->interface[0] == '\0' || strcmp(a->interface, b->interface) != 0)
		return false;
	return !(a->unicast && b->unicast) || share_a_peer(a, b);
}

static void
unique_router(struct cfg_source *s, struct cfg *c, void *obj)
{
	(void)obj;
	for (size_t k = 0; k < c->n_instances; k++) {
		const struct cfg_instance *a = &c->instances[k];

		for (size_t e = 0; e < k; e++) {
			const struct cfg_instance *b = &c->instances[e];

			if (!same_router(a, b))
				continue;
			cfg_source_at(s, a, "vrid", -1,
				      "%d is taken on %s for %s by instance \"%s\": write another number, or "
				      "unicast peers "
				      "that no other instance has",
				      a->vrid, a->interface, ip_family_name(a->family), b->name);
			break;
		}
	}
}

/* One address of one instance, for sorting. */
struct use {
	const struct cfg_address *address;
	const struct cfg_instance *instance;
	size_t order;
};

static int
compare_uses(const void *va, const void *vb)
{
	const struct use *a = va, *b = vb;
	int r = ip_addr_cmp(&a->address->prefix.addr, &b->address->prefix.addr);

	if (r != 0)
		return r;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* The same address twice: anywhere in one instance, or on one interface. A link-local one belongs to its
 * interface. */
static bool
collide(const struct use *a, const struct use *b)
{
	if (strcmp(a->address->interface, b->address->interface) == 0)
		return a->address->interface[0] != '\0';
	return a->instance == b->instance && !ip_addr_is_link_local(&a->address->prefix.addr);
}

static void
report_collision(struct cfg_source *s, const struct use *first, const struct use *second)
{
	char text[IP_ADDR_TEXT];

	ip_addr_format(&second->address->prefix.addr, text);
	if (first->instance == second->instance)
		cfg_source_at(s, second->address, NULL, -1,
			      "%s stands in this instance twice: remove one of the two", text);
	else
		cfg_source_at(s, second->address, NULL, -1,
			      "%s on %s is also an address of instance \"%s\": remove one of the two", text,
			      second->address->interface, first->instance->name);
}

static size_t
add_uses(struct use *v, size_t n, const struct cfg_instance *i, const struct cfg_address *a, size_t n_addresses)
{
	for (size_t k = 0; k < n_addresses; k++)
		if (a[k].prefix.addr.family != IP_FAMILY_NONE) {
			v[n] = (struct use){.address = &a[k], .instance = i, .order = n};
			n++;
		}
	return n;
}

static size_t
count_addresses(const struct cfg *c)
{
	size_t n = 0;

	for (size_t k = 0; k < c->n_instances; k++)
		n += c->instances[k].n_addresses + c->instances[k].n_extra;
	return n;
}

static void
unique_addresses(struct cfg_source *s, struct cfg *c, void *obj)
{
	struct use *v = cfg_zalloc(count_addresses(c), sizeof(*v));
	size_t n = 0, first = 0;

	(void)obj;
	for (size_t k = 0; k < c->n_instances; k++) {
		const struct cfg_instance *i = &c->instances[k];

		n = add_uses(v, n, i, i->addresses, i->n_addresses);
		n = add_uses(v, n, i, i->extra_addresses, i->n_extra);
	}
	qsort(v, n, sizeof(*v), compare_uses);
	for (size_t k = 0; k < n; k++) {
		if (!ip_addr_equal(&v[first].address->prefix.addr, &v[k].address->prefix.addr))
			first = k;
		for (size_t e = first; e < k; e++) {
			if (!collide(&v[e], &v[k]))
				continue;
			report_collision(s, &v[e], &v[k]);
			break;
		}
	}
	free(v);
}

static void
total_addresses(struct cfg_source *s, struct cfg *c, void *obj)
{
	size_t n = count_addresses(c);

	if (n > LIMIT_ADDRESSES_ALL)
		cfg_source_at(s, obj, "instances", -1, "have %zu addresses in all: write at most %d", n,
			      LIMIT_ADDRESSES_ALL);
}

int
cfg_listen_parse(const char *text, struct ip_addr *ret_addr, uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':');
	char buf[IP_ADDR_TEXT + 2];
	struct ip_addr a;
	char *end, *host = buf;
	unsigned long port;
	size_t n;

	if (!colon || colon == text || (size_t)(colon - text) >= sizeof(buf) || colon[1] < '0' ||
	    colon[1] > '9')
		return -EINVAL;
	port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || port < 1 || port > UINT16_MAX)
		return -EINVAL;
	n = (size_t)(colon - text);
	memcpy(buf, text, n);
	buf[n] = '\0';
	if (buf[0] == '[') {
		if (buf[n - 1] != ']')
			return -EINVAL;
		buf[n - 1] = '\0';
		host++;
	}
	if (ip_addr_parse(host, &a) < 0 || (a.family == IP_FAMILY_V6) != (buf[0] == '['))
		return -EINVAL;
	*ret_addr = a;
	*ret_port = (uint16_t)port;
	return 0;
}

static void
listen_parses(struct cfg_source *s, struct cfg *c, void *obj)
{
	struct ip_addr a;
	uint16_t port;

	if (c->control.listen && cfg_listen_parse(c->control.listen, &a, &port) < 0)
		cfg_source_at(s, obj, "control.listen", -1,
			      "\"%s\" is no address and port: write \"127.0.0.1:9650\" or \"[::1]:9650\"",
			      c->control.listen);
}

static const struct cfg_rule rules[] = {
	{"listen_parses", CFG_SCOPE_ROOT, {"control.listen"}, listen_parses},
	{"some_instance", CFG_SCOPE_ROOT, {"instances"}, some_instance},
	{"unique_names", CFG_SCOPE_ROOT, {NULL}, unique_names},
	{"unique_router", CFG_SCOPE_ROOT, {NULL}, unique_router},
	{"unique_addresses", CFG_SCOPE_ROOT, {NULL}, unique_addresses},
	{"total_addresses", CFG_SCOPE_ROOT, {NULL}, total_addresses},
};

const struct cfg_rule *
cfg_rules_root(size_t i)
{
	return i < ARRAY_SIZE(rules) ? &rules[i] : NULL;
}
