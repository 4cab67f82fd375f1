/*
 * engine_index.c - find configured addresses by their octets.
 *
 * A hash table over all addresses of a generation, laid out with it and read-only afterwards: both threads use it. The
 * same address may be there more than once, on several interfaces or in several instances.
 */
#include "engine/engine.h"

#include <string.h>

/* FNV-1a over the address. */
static uint32_t
hash_of(const struct ip_addr *a)
{
	uint32_t h = 2166136261u ^ a->family;

	for (size_t i = 0; i < ip_family_size(a->family); i++)
		h = (h ^ a->b[i]) * 16777619u;
	return h ^ h >> 15;
}

uint32_t
engine_index_size(uint32_t n_addresses)
{
	uint32_t size = 16;

	while (size < 2 * n_addresses)
		size *= 2;
	return size;
}

void
engine_index_fill(struct engine_gen *g)
{
	for (uint32_t n = 0; n < g->index_size; n++)
		g->index[n].instance = ENGINE_NO_INDEX;
	for (uint32_t n = 0; n < g->n_instances; n++) {
		const struct engine_instance *i = &g->instances[n];

		for (uint32_t a = 0; a < i->n_addresses; a++) {
			uint32_t at = hash_of(&i->addresses[a].prefix.addr) & (g->index_size - 1);

			while (g->index[at].instance != ENGINE_NO_INDEX)
				at = (at + 1) & (g->index_size - 1);
			g->index[at] = (struct engine_place){.instance = n, .address = a};
		}
	}
}

bool
engine_index_next(const struct engine_gen *g, const struct ip_addr *a, struct engine_cursor *c, struct engine_place *ret)
{
	if (!c->begun)
		*c = (struct engine_cursor){.begun = true, .at = hash_of(a) & (g->index_size - 1)};
	while (g->index[c->at].instance != ENGINE_NO_INDEX) {
		struct engine_place p = g->index[c->at];

		c->at = (c->at + 1) & (g->index_size - 1);
		if (!ip_addr_equal(&g->instances[p.instance].addresses[p.address].prefix.addr, a))
			continue;
		*ret = p;
		return true;
	}
	return false;
}
