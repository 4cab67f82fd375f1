/*
 * sim_run.c - one run: the world is made, the faults come and go, the checkers look, the world is taken down.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "sim.h"

static struct sim_world world;
struct sim_world *sim = &world;
struct sim_node *sim_current;
static struct sim_result *result;
static jmp_buf out;

uint64_t
sim_draw(struct sim_node *n, uint64_t what)
{
	return sim_hash(sim->plan.seed, n->id + 1, what, n->draws++);
}

void
sim_trace(const struct sim_node *n, const char *fmt, ...)
{
	va_list ap;

	if (!sim->verbose)
		return;
	printf("%12.6f ", (double)sim_now / 1e6);
	if (n != NULL)
		printf("%u: ", n->id);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* Where the run is left; from the kernel thread by way of the main one. */
void
sim_leave(void)
{
	if (sim_in_thread())
		sim_leave_thread();
	longjmp(out, 1);
}

void
sim_violation(const char *invariant, const char *fmt, ...)
{
	va_list ap;

	snprintf(result->invariant, sizeof(result->invariant), "%s", invariant);
	va_start(ap, fmt);
	vsnprintf(result->text, sizeof(result->text), fmt, ap);
	va_end(ap);
	result->at = sim_now;
	sim_trace(NULL, "VIOLATION %s: %s", result->invariant, result->text);
	sim_leave();
	__builtin_unreachable();
}

void
assert_fail(const char *expr, const char *file, int line)
{
	const char *name = strrchr(file, '/');

	sim_violation("assertion", "%s:%d: %s", name != NULL ? name + 1 : file, line, expr);
}

static void
begin_host(void *arg, uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	sim_parent_start(arg);
}

static void
make_node(unsigned i)
{
	static const uint8_t v4[4] = {10, 9, 9, 0}, v6[16] = {0xfe, 0x80};
	struct sim_node *n = &world.nodes[i];

	*n = (struct sim_node){.id = i, .host = &world.plan.hosts[i], .conf = world.plan.hosts[i].conf, .ifindex = 2};
	n->source_addr = ip_addr_from(world.plan.family, world.plan.family == IP_FAMILY_V4 ? v4 : v6);
	n->source_addr.b[world.plan.family == IP_FAMILY_V4 ? 3 : 15] = (uint8_t)(1 + i);
	n->life = 1;
	sim_at(n->host->begins, begin_host, n, 0, 0);
}

static void
run(void)
{
	sim_queue_reset();
	sim_store_reset();
	sim_net_begin();
	for (unsigned i = 0; i < world.plan.n_nodes; i++)
		make_node(i);
	sim_patroni_begin();
	sim_check_begin();
	sim_faults_begin();
	sim_queue_run(world.plan.end_at);
	sim_check_end();
	for (unsigned i = 0; i < world.plan.n_nodes; i++)
		sim_node_destroy(&world.nodes[i]);
}

void
sim_run(const struct sim_plan *p, bool verbose, struct sim_result *ret)
{
	*ret = (struct sim_result){0};
	result = ret;
	world.plan = *p;
	world.verbose = verbose;
	world.engine_starts = world.takeovers = world.packets = 0;
	if (setjmp(out) == 0)
		run();
	for (unsigned i = 0; i < p->n_nodes; i++)
		if (world.nodes[i].memfd > 0)
			close(world.nodes[i].memfd);
	ret->simulated_us = sim_now;
	ret->takeovers = world.takeovers;
	ret->packets = world.packets;
	ret->engine_starts = world.engine_starts;
	for (unsigned i = 0; i < p->n_faults; i++) {
		ret->faults += !p->faults[i].dropped;
		if (!p->faults[i].dropped)
			ret->kinds |= 1ull << p->faults[i].kind;
	}
}
