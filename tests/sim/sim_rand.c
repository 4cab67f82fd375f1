/*
 * sim_rand.c - random numbers from one 64-bit seed: a stream (xoshiro256**) for plans, a hash (splitmix64) for what
 * happens during a run.
 */
#include "sim.h"

static uint64_t
mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15ull;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t
sim_hash(uint64_t seed, uint64_t a, uint64_t b, uint64_t c)
{
	return mix(mix(mix(mix(seed) ^ a) ^ b) ^ c);
}

void
sim_rand_seed(struct sim_rand *r, uint64_t seed)
{
	for (unsigned i = 0; i < 4; i++)
		r->s[i] = sim_hash(seed, i, 0, 0);
}

static uint64_t
rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

uint64_t
sim_rand_next(struct sim_rand *r)
{
	uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

uint64_t
sim_rand_below(struct sim_rand *r, uint64_t n)
{
	return n == 0 ? 0 : sim_rand_next(r) % n;
}

uint64_t
sim_rand_range(struct sim_rand *r, uint64_t lo, uint64_t hi)
{
	return lo + sim_rand_below(r, hi - lo + 1);
}

bool
sim_rand_mille(struct sim_rand *r, unsigned n)
{
	return sim_rand_below(r, 1000) < n;
}
