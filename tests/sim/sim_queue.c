/*
 * sim_queue.c - virtual time: what happens when, in a heap; at one instant in the order in which it was asked for.
 * And the memory of a run, which is given back all at once.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

struct event {
	uint64_t at, seq;
	sim_fn *fn;
	void *arg;
	uint64_t a, b;
};

uint64_t sim_now;
static struct event *heap;
static size_t n_heap, room;
static uint64_t seq;

static bool
before(const struct event *a, const struct event *b)
{
	return a->at < b->at || (a->at == b->at && a->seq < b->seq);
}

void
sim_at(uint64_t at, sim_fn *fn, void *arg, uint64_t a, uint64_t b)
{
	struct event e = {at < sim_now ? sim_now : at, seq++, fn, arg, a, b};
	size_t i = n_heap++;

	if (at == SIM_NEVER) {
		n_heap--;
		return;
	}
	if (n_heap > room) {
		room = room == 0 ? 1024 : 2 * room;
		heap = realloc(heap, room * sizeof(heap[0]));
	}
	for (; i > 0 && before(&e, &heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = e;
}

static struct event
pop(void)
{
	struct event top = heap[0], last = heap[--n_heap];
	size_t i = 0;

	for (;;) {
		size_t c = 2 * i + 1;

		if (c >= n_heap)
			break;
		if (c + 1 < n_heap && before(&heap[c + 1], &heap[c]))
			c++;
		if (!before(&heap[c], &last))
			break;
		heap[i] = heap[c];
		i = c;
	}
	if (n_heap > 0)
		heap[i] = last;
	return top;
}

void
sim_queue_run(uint64_t until)
{
	while (n_heap > 0 && heap[0].at <= until) {
		struct event e = pop();

		sim_now = e.at;
		sim->events++;
		e.fn(e.arg, e.a, e.b);
	}
	sim_now = until;
}

#define CHUNK (1024 * 1024)

static struct chunk {
	struct chunk *next;
	size_t used;
	uint8_t data[CHUNK] __attribute__((aligned(16)));
} *first_chunk, *chunk;

void *
sim_alloc(size_t size)
{
	void *p;

	size = (size + 15) & ~(size_t)15;
	if (chunk == NULL || CHUNK - chunk->used < size) {
		struct chunk *next = chunk != NULL ? chunk->next : first_chunk;

		if (next == NULL) {
			next = malloc(sizeof(*next));
			next->next = NULL;
			if (chunk != NULL)
				chunk->next = next;
			else
				first_chunk = next;
		}
		chunk = next;
		chunk->used = 0;
	}
	p = chunk->data + chunk->used;
	chunk->used += size;
	return memset(p, 0, size);
}

void
sim_queue_reset(void)
{
	chunk = NULL;
	n_heap = 0;
	seq = 0;
	sim_now = 0;
}
