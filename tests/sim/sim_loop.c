/*
 * sim_loop.c - in the place of vrrpd/sys: the event loop of an engine in virtual time, its clocks, its log, its rights.
 *
 * A turn of the loop begins a moment after something became ready, reads the clock once, and serves what is ready in any
 * order, as epoll may tell it. A host that is paused or suspended takes no turns; its monotonic clock stands still while
 * it is suspended, and runs faster or slower than true time by its own rate.
 */
#include <stdarg.h>

#include "ipc/ipc_chan.h"
#include "sim.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/priv.h"
#include "sys/seccomp.h"

#define TURNS_US  (10 * SIM_MS) /* in which a loop takes */
#define TURNS_MAX 1500	       /* so many turns at most: each packet, answer and timer is one */

/* ---- clocks ---- */

static uint64_t
scaled(const struct sim_node *n, uint64_t us)
{
	return (uint64_t)((__int128)us * (1000000 + n->host->ppm) / 1000000);
}

static uint64_t
asleep(const struct sim_node *n)
{
	return n->suspended + (n->suspends > 0 ? sim_now - n->suspended_since : 0);
}

uint64_t
sim_boot(const struct sim_node *n)
{
	return n->host->clock_us + scaled(n, sim_now);
}

uint64_t
sim_local(const struct sim_node *n)
{
	return n->host->clock_us + scaled(n, sim_now) - scaled(n, asleep(n));
}

uint64_t
sim_true(const struct sim_node *n, uint64_t local)
{
	uint64_t now = sim_local(n);

	if (local == UINT64_MAX)
		return SIM_NEVER;
	if (local <= now)
		return sim_now;
	return sim_now + (uint64_t)((__int128)(local - now) * 1000000 / (1000000 + n->host->ppm)) + 1;
}

mono_t
clock_mono(void)
{
	return (mono_t){sim_local(sim_current)};
}

uint64_t
clock_boot_us(void)
{
	return sim_boot(sim_current);
}

uint64_t
clock_wall_us(void)
{
	return sim_boot(sim_current);
}

bool
sim_runs(const struct sim_node *n)
{
	return n->suspends == 0 && n->pauses == 0;
}

/* ---- turns ---- */

static bool
readable(const struct sim_node *n, int fd)
{
	if (fd == n->fd_main)
		return n->rx.first != NULL;
	if (fd == n->fd_stray)
		return n->stray.first != NULL;
	if (fd == n->fd_claim)
		return n->n_claims > 0;
	if (fd == n->fd_parent)
		return n->parent.first != NULL;
	if (fd == n->fd_agent)
		return n->agent.first != NULL || n->agent.closed;
	return false;
}

static bool
something_ready(const struct sim_node *n)
{
	const struct loop *l = &n->loop;
	uint64_t now = sim_local(n);

	if (n->answers != NULL)
		return true;
	for (unsigned i = 0; i < SIM_IOS; i++)
		if (l->ios[i].used && ((l->ios[i].read && readable(n, l->ios[i].fd)) || l->ios[i].write))
			return true;
	for (unsigned i = 0; i < l->n_timers; i++)
		if (l->timers[i].fn != NULL && l->timers[i].deadline.us <= now)
			return true;
	return false;
}

static void turn(void *arg, uint64_t life, uint64_t at);

static void
schedule(struct sim_node *n, uint64_t at)
{
	if (n->turn_due && n->turn_at <= at)
		return;
	n->turn_due = true;
	n->turn_at = at;
	sim_at(at, turn, n, n->life, at);
}

void
sim_loop_wake(struct sim_node *n)
{
	uint64_t late = 5 + sim_draw(n, 'w') % 60;

	if (!n->engine_up)
		return;
	if (n->busies > 0)
		late += sim_draw(n, 'b') % (n->busy_us + 1);
	schedule(n, sim_now + late);
}

/* Let the loop wake for its earliest timer. */
static void
arm(struct sim_node *n)
{
	mono_t first = MONO_NEVER;
	uint64_t late = 2 + sim_draw(n, 't') % 80;

	for (unsigned i = 0; i < n->loop.n_timers; i++)
		if (n->loop.timers[i].fn != NULL)
			first = mono_min(first, n->loop.timers[i].deadline);
	if (n->busies > 0)
		late += sim_draw(n, 'b') % (n->busy_us + 1);
	if (first.us != MONO_NEVER.us)
		schedule(n, sim_true(n, first.us) + late);
}

static void
take_answers(struct sim_node *n)
{
	for (int i = 0; i < 64 && n->answers != NULL; i++) {
		struct sim_answer *a = n->answers;

		n->answers = a->next;
		if (n->answers == NULL)
			n->answers_last = NULL;
		engine_on_answer(n->e, &a->a);
	}
}

static void
serve_one(struct sim_node *n, unsigned which)
{
	struct loop *l = &n->loop;

	if (which == 0) {
		take_answers(n);
	} else if (which <= SIM_TIMERS) {
		struct loop_timer *t = &l->timers[which - 1];

		if (which <= l->n_timers && t->fn != NULL && mono_due(l->now, t->deadline)) {
			t->deadline = MONO_NEVER;
			t->fn(t->arg, l->now);
		}
	} else {
		struct loop_io *io = &l->ios[which - 1 - SIM_TIMERS];

		if (io->used && ((io->read && readable(n, io->fd)) || io->write))
			io->fn(io->arg, io->fd, io->read && readable(n, io->fd), io->write);
	}
}

static void
note_turn(struct sim_node *n)
{
	if (sim_now - n->turns_at > TURNS_US) {
		n->turns_at = sim_now;
		n->turns_now = 0;
	}
	if (++n->turns_now > TURNS_MAX)
		sim_violation("busy-loop", "node %u took %d turns in %.3f ms", n->id, TURNS_MAX,
			      (double)(sim_now - n->turns_at) / 1e3);
}

static void
check_elections(struct sim_node *n)
{
	for (uint32_t k = 0; n->e->gen != NULL && k < n->e->gen->n_instances; k++) {
		const struct elect *e = &n->e->gen->instances[k].elect;

		elect_check(e);
		if (n->e->synced && mono_since(n->loop.now, elect_deadline(e)) > 2 * SIM_SEC)
			sim_violation("deadline", "node %u: a deadline is %.3f s old after a turn", n->id,
				      (double)(n->loop.now.us - elect_deadline(e).us) / 1e6);
	}
}

static void
turn(void *arg, uint64_t life, uint64_t at)
{
	struct sim_node *n = arg;
	unsigned total = 1 + SIM_TIMERS + SIM_IOS, start;

	if (n->life != life || !n->turn_due || n->turn_at != at)
		return;
	n->turn_due = false;
	if (!sim_runs(n)) {
		n->turn_waits = true;
		return;
	}
	sim_current = n;
	n->loop.now = clock_mono();
	note_turn(n);
	start = (unsigned)(sim_draw(n, 'o') % total);
	for (unsigned k = 0; k < total && !n->loop.stopped; k++)
		serve_one(n, (start + k) % total);
	if (n->loop.stopped) {
		sim_parent_ended(n);
		return;
	}
	check_elections(n);
	sim_check_changed();
	if (something_ready(n))
		schedule(n, sim_now + 1);
	else
		arm(n);
}

void
sim_loop_go_on(struct sim_node *n)
{
	if (!n->engine_up || !sim_runs(n))
		return;
	n->turn_waits = false;
	schedule(n, sim_now + 10 + sim_draw(n, 'g') % 200);
}

/* ---- vrrpd/sys/loop.h ---- */

struct loop *
loop_new(void)
{
	sim_current->loop = (struct loop){.node = sim_current, .now = clock_mono()};
	return &sim_current->loop;
}

void
loop_free(struct loop *l)
{
	l->n_timers = 0;
}

void
loop_stop(struct loop *l)
{
	l->stopped = true;
}

mono_t
loop_now(struct loop *l)
{
	return l->now;
}

struct loop_io *
loop_io_add(struct loop *l, int fd, loop_io_fn *fn, void *arg)
{
	for (unsigned i = 0; i < SIM_IOS; i++) {
		if (l->ios[i].used)
			continue;
		l->ios[i] = (struct loop_io){.fd = fd, .fn = fn, .arg = arg, .read = true, .used = true};
		sim_loop_wake(l->node);
		return &l->ios[i];
	}
	sim_violation("simulator", "no room for another descriptor");
}

void
loop_io_want(struct loop_io *io, bool read, bool write)
{
	io->read = read;
	io->write = write;
}

void
loop_io_del(struct loop_io *io)
{
	if (io != NULL)
		io->used = false;
}

struct loop_timer *
loop_timer_add(struct loop *l, loop_timer_fn *fn, void *arg)
{
	if (l->n_timers == SIM_TIMERS)
		sim_violation("simulator", "no room for another timer");
	l->timers[l->n_timers] = (struct loop_timer){.loop = l, .fn = fn, .arg = arg, .deadline = MONO_NEVER};
	return &l->timers[l->n_timers++];
}

void
loop_timer_set(struct loop_timer *t, mono_t deadline)
{
	t->deadline = deadline;
}

void
loop_timer_del(struct loop_timer *t)
{
	if (t != NULL)
		t->fn = NULL;
}

void
loop_signal_add(struct loop *l, int signo, loop_signal_fn *fn, void *arg)
{
	(void)signo;
	l->sigterm = fn;
	l->sigterm_arg = arg;
}

/* ---- the rest of vrrpd/sys ---- */

void
log_set_sink(log_sink_fn *fn, void *arg)
{
	(void)fn;
	(void)arg;
}

void
log_msg(enum log_level level, const char *fmt, ...)
{
	char text[LIMIT_LOG_TEXT];
	va_list ap;

	(void)level;
	if (!sim->verbose)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sim_trace(sim_current, "log: %s", text);
}

int
priv_realtime(int priority)
{
	(void)priority;
	return 0;
}

int
priv_lock_memory(void)
{
	return 0;
}

int
seccomp_enter(enum seccomp_program program)
{
	(void)program;
	return 0;
}
