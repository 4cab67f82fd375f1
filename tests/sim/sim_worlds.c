/*
 * sim_worlds.c - small worlds, all of them: every order of events that two or three hosts can see, breadth first.
 *
 *	worlds [--depth N] [--nodes 2|3] [--losses N] [--acts N] [--preempt 0|1] [--limit STATES]
 *
 * The hosts run the real elections (vrrpd/elect, vrrpd/proto). A step is one of: a datagram or an announcement on its way
 * arrives (any of them, in any order), or is lost (so often); the kernel has the addresses; the earliest timer fires, or
 * another one that is due within JITTER of it first, also before what is on its way; and so often in all: a host crashes
 * (its addresses stay), goes on from its memory, is killed (they go), stops, starts, changes its priority, loses its link,
 * has it again. What is on its way arrives within WAY: no timer that is later fires before.
 *
 * States are compared by a hash of everything that the hosts' future depends on, times relative to now; what serves
 * reasons and status only is left out. Only hashes are kept of what was seen (64 bits: with 10 million states two of them
 * collide with a probability of 3 in a million), whole states of the depth that is being looked at.
 *
 * Exit status 0: no rule was broken; 1: one was, and the way there is printed; 2: wrong usage.
 */
#include <getopt.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "elect/elect.h"
#include "proto/vrrp_timers.h"

#define NODES_MAX   3
#define FLIGHT_MAX  24
#define WAY_US	    (5 * USEC_PER_MS)
#define JITTER_US   (10 * USEC_PER_MS)
#define BEGIN_US    (1000 * (usec_t)USEC_PER_SEC)
#define INTERVAL_CS 100
#define LIFETIME_US (3 * (usec_t)USEC_PER_SEC) /* of addresses that nobody renews */
#define STEPS_MAX   128

enum sort { ADVERT, CLAIM, KERNEL };

struct flight {
	uint8_t sort, from, to;
	uint8_t priority;
	uint16_t interval_cs;
	uint32_t epoch; /* KERNEL */
	mono_t sent;
};

struct host {
	struct elect e;
	bool up;      /* its engine runs */
	bool stopped; /* in order */
	bool linked;
	bool has; /* the addresses are in its kernel */
	bool was_active; /* when it crashed */
	uint8_t conf;	 /* which settings */
	mono_t expires;	 /* crashed: then its addresses go */
	mono_t advert;	 /* the last one it sent as Active, by its memory */
};

struct world {
	struct host hosts[NODES_MAX];
	struct flight flight[FLIGHT_MAX];
	uint8_t n_flight, losses, acts;
	mono_t now, quiet; /* quiet: since the last loss or act */
	uint32_t parent;   /* index in the list of steps */
};

struct step { /* how a state was reached */
	uint32_t parent;
	char text[44];
};

static struct {
	unsigned nodes, depth, losses, acts, limit; /* limit: of states */
	bool preempt;
} opt = {2, 120, 1, 1, 10000000, true};

static struct elect_conf confs[NODES_MAX][2];
static struct world *level, *next_level;
static size_t n_level, n_next, room_level, room_next;
static struct step *steps;
static size_t n_steps, room_steps;
static uint64_t *seen;
static size_t seen_size, n_seen, transitions;
static jmp_buf broken;
static char broken_text[200];

__attribute__((noreturn)) static void
rule(const char *text)
{
	snprintf(broken_text, sizeof(broken_text), "%s", text);
	longjmp(broken, 1);
}

void
assert_fail(const char *expr, const char *file, int line)
{
	char text[160];

	snprintf(text, sizeof(text), "%s:%d: %s", file, line, expr);
	rule(text);
}

/* ---- states ---- */

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h ^= v;
	h *= 0x9e3779b97f4a7c15ull;
	return h ^ (h >> 29);
}

/* A time as what it means from now on: ahead or past, the past up to `most`. */
static uint64_t
relative(const struct world *w, mono_t t, usec_t most)
{
	if (t.us == MONO_NEVER.us)
		return UINT64_MAX;
	if (t.us >= w->now.us)
		return t.us - w->now.us;
	return ~MIN(w->now.us - t.us, most);
}

static uint64_t
hash_host(const struct world *w, const struct host *h, uint64_t x)
{
	const struct elect *e = &h->e;
	const struct vrrp_fsm *f = &e->vrrp;

	x = mix(x, h->up | h->stopped << 1 | h->linked << 2 | h->has << 3 | (uint64_t)h->was_active << 4 | (uint64_t)h->conf << 5);
	x = mix(x, h->was_active && !h->up ? relative(w, h->advert, 5 * USEC_PER_SEC) : 0);
	if (!h->up)
		return mix(x, h->has ? relative(w, h->expires, 0) : 0);
	x = mix(x, e->state | (uint64_t)e->priority << 8 | (uint64_t)e->running << 16 | (uint64_t)e->stopping << 17 |
			   (uint64_t)f->state << 20 | (uint64_t)f->acquiring << 24 | (uint64_t)f->skewed << 25 |
			   (uint64_t)f->leaving << 26 | (uint64_t)f->succeeded << 27 | (uint64_t)f->claimed << 28 |
			   (uint64_t)f->contested << 29 | (uint64_t)f->active_adver_int_cs << 32 |
			   (uint64_t)(f->acquiring && f->why_active.reason == ROLE_REASON_RESUMED) << 60);
	x = mix(x, relative(w, f->deadline, 10 * USEC_PER_SEC));
	x = mix(x, relative(w, f->leave_until, 0));
	x = mix(x, relative(w, e->retry_at, 0));
	if (f->state == ROLE_STATE_BACKUP) /* a changed priority counts from there */
		x = mix(x, relative(w, f->restarted, 10 * USEC_PER_SEC));
	if (f->state == ROLE_STATE_ACTIVE) {
		x = mix(x, relative(w, f->answered, USEC_PER_SEC));
		x = mix(x, relative(w, f->defended, USEC_PER_SEC));
	}
	return x;
}

static uint64_t
hash_world(const struct world *w, usec_t settle)
{
	uint64_t x = mix(w->losses, w->acts), sum = 0;

	for (unsigned i = 0; i < opt.nodes; i++)
		x = hash_host(w, &w->hosts[i], mix(x, i));
	/* What is on its way, whatever its order. */
	for (unsigned i = 0; i < w->n_flight; i++) {
		const struct flight *f = &w->flight[i];
		bool current = f->sort != KERNEL || (w->hosts[f->to].up && f->epoch == w->hosts[f->to].e.vrrp.epoch);

		sum += mix(mix(mix(17, f->sort | f->from << 8 | f->to << 16 | (uint64_t)f->priority << 24 | (uint64_t)current << 32),
			       f->interval_cs),
			   relative(w, f->sent, WAY_US));
	}
	return mix(mix(x, sum), relative(w, w->quiet, settle));
}

static bool
is_new(uint64_t h)
{
	size_t at;

	h += h == 0;
	if (n_seen * 2 >= seen_size) {
		uint64_t *old = seen;
		size_t old_size = seen_size;

		seen_size = old_size == 0 ? 1 << 16 : 2 * old_size;
		seen = calloc(seen_size, sizeof(*seen));
		for (size_t i = 0; i < old_size; i++) {
			if (old[i] == 0)
				continue;
			for (at = old[i] & (seen_size - 1); seen[at] != 0; at = (at + 1) & (seen_size - 1))
				;
			seen[at] = old[i];
		}
		free(old);
	}
	for (at = h & (seen_size - 1); seen[at] != 0; at = (at + 1) & (seen_size - 1))
		if (seen[at] == h)
			return false;
	seen[at] = h;
	n_seen++;
	return true;
}

/* ---- the shell of a host ---- */

static struct ip_addr
source_of(unsigned host)
{
	struct ip_addr a = {.family = IP_FAMILY_V4, .b = {192, 0, 2, (uint8_t)(10 + host)}};

	return a;
}

static void
launch(struct world *w, struct flight f)
{
	f.sent = w->now;
	if (w->n_flight == FLIGHT_MAX)
		rule("simulator: too much is on its way");
	w->flight[w->n_flight++] = f;
}

static void
broadcast(struct world *w, unsigned from, enum sort sort, uint8_t priority, uint16_t interval_cs)
{
	for (unsigned to = 0; to < opt.nodes; to++)
		if (to != from && w->hosts[from].linked && w->hosts[to].linked)
			launch(w, (struct flight){.sort = (uint8_t)sort, .from = (uint8_t)from, .to = (uint8_t)to,
						  .priority = priority, .interval_cs = interval_cs});
}

static void
drop_kernel(struct world *w, unsigned host)
{
	for (unsigned i = 0; i < w->n_flight;)
		if (w->flight[i].sort == KERNEL && w->flight[i].to == host)
			w->flight[i] = w->flight[--w->n_flight];
		else
			i++;
}

static void
carry_out(struct world *w, unsigned host, const struct role_action *a)
{
	struct host *h = &w->hosts[host];

	switch ((enum role_action_kind)a->kind) {
	case ROLE_ACTION_ACQUIRE:
		drop_kernel(w, host); /* only the newest wish counts */
		launch(w, (struct flight){.sort = KERNEL, .from = (uint8_t)host, .to = (uint8_t)host, .epoch = a->epoch});
		break;
	case ROLE_ACTION_RELEASE:
		drop_kernel(w, host);
		h->has = false;
		break;
	case ROLE_ACTION_ADVERT:
		if (a->priority > 0 && !h->has)
			rule("an advert without the addresses");
		if (a->priority > 0)
			h->advert = w->now;
		broadcast(w, host, ADVERT, a->priority, a->adver_int_cs != 0 ? a->adver_int_cs : INTERVAL_CS);
		break;
	case ROLE_ACTION_ANNOUNCE:
		if (!h->has)
			rule("an announcement without the addresses");
		broadcast(w, host, CLAIM, 0, 0);
		break;
	case ROLE_ACTION_STATE:
	case ROLE_ACTION_ASK:
	case ROLE_ACTION_COUNT:
		break;
	}
}

static void
feed(struct world *w, unsigned host, const struct elect_event *ev)
{
	struct host *h = &w->hosts[host];
	struct role_actions out = {0};

	h->e.conf = &confs[host][h->conf];
	h->e.vrrp.conf = &h->e.conf->vrrp;
	elect_step(&h->e, ev, w->now, &out);
	elect_check(&h->e);
	for (unsigned i = 0; i < out.n; i++)
		carry_out(w, host, &out.v[i]);
	if (h->e.state == ROLE_STATE_ACTIVE && !h->has)
		rule("active without the addresses");
	if (h->has && h->e.started && !elect_holds(&h->e))
		rule("addresses, and the state says none");
	if (mono_before(elect_deadline(&h->e), w->now) && ev->kind == ELECT_EVENT_TIMER)
		rule("a timer that was served is still due");
}

static void
start(struct world *w, unsigned host, bool resume)
{
	struct host *h = &w->hosts[host];
	struct elect_event link = {.kind = ELECT_EVENT_LINK, .link = h->linked ? ELECT_LINK_UP : ELECT_LINK_NO_CARRIER};
	struct elect_event source = {.kind = ELECT_EVENT_SOURCE, .addr = source_of(host)};
	struct elect_event ev = {.kind = ELECT_EVENT_START, .us = mono_since(w->now, h->advert)};

	ev.on = resume && h->was_active && elect_may_resume(&confs[host][h->conf], ev.us);
	if (!ev.on)
		h->has = false; /* what was left is sorted out first */
	h->up = true;
	h->stopped = h->was_active = false;
	elect_init(&h->e, &confs[host][h->conf], w->now);
	h->e.vrrp.epoch = (uint32_t)w->now.us; /* none that the one before has used */
	/* The events before the start tell what is; they decide nothing. */
	feed(w, host, &source);
	feed(w, host, &link);
	feed(w, host, &ev);
}

/* ---- rules ---- */

static usec_t
settle_us(void)
{
	usec_t down = vrrp_down_us(3, 1, INTERVAL_CS, 3);

	return 2 * down + 3 * USEC_PER_SEC;
}

static void
check_rest(const struct world *w)
{
	unsigned holders = 0, fit = 0;
	int best = 0, holder = 0;

	if (mono_since(w->now, w->quiet) <= settle_us())
		return;
	for (unsigned i = 0; i < opt.nodes; i++) {
		const struct host *h = &w->hosts[i];

		if (h->has && h->linked) {
			holders++;
			holder = h->e.priority;
		}
		if (!h->up || !h->linked || h->stopped)
			continue;
		fit++;
		best = MAX(best, (int)h->e.priority);
	}
	if (fit > 0 && holders == 0)
		rule("nobody holds the addresses at rest");
	if (holders > 1)
		rule("two hold the addresses at rest");
	if (fit > 0 && opt.preempt && holder < best)
		rule("the holder is not the best one at rest");
}

/* ---- all that can happen ---- */

static void
keep(const struct world *w, uint32_t parent, const char *text)
{
	transitions++;
	check_rest(w);
	if (!is_new(hash_world(w, settle_us())))
		return;
	if (n_steps == room_steps) {
		room_steps = room_steps == 0 ? 1 << 16 : 2 * room_steps;
		steps = realloc(steps, room_steps * sizeof(*steps));
	}
	steps[n_steps] = (struct step){.parent = parent};
	snprintf(steps[n_steps].text, sizeof(steps[n_steps].text), "%10.6f %s", (double)(w->now.us - BEGIN_US) / 1e6, text);
	if (n_next == room_next) {
		room_next = room_next == 0 ? 1024 : 2 * room_next;
		next_level = realloc(next_level, room_next * sizeof(*next_level));
	}
	next_level[n_next] = *w;
	next_level[n_next++].parent = (uint32_t)n_steps++;
}

static void
arrive(struct world *w, unsigned at)
{
	struct flight f = w->flight[at];
	struct vrrp_advert adv = {.src = source_of(f.from), .version = 3, .vrid = 1, .priority = f.priority, .n_addrs = 1,
				  .adver_int_cs = f.interval_cs};
	struct elect_event ev = {.advert = &adv, .epoch = f.epoch};

	w->flight[at] = w->flight[--w->n_flight];
	if (!w->hosts[f.to].up || (!w->hosts[f.to].linked && f.sort != KERNEL))
		return;
	ev.kind = f.sort == ADVERT ? ELECT_EVENT_ADVERT : f.sort == CLAIM ? ELECT_EVENT_CLAIM : ELECT_EVENT_ACQUIRED;
	if (f.sort == KERNEL)
		w->hosts[f.to].has = true;
	if (f.sort == CLAIM && w->hosts[f.to].e.state != ROLE_STATE_ACTIVE && !elect_leaving(&w->hosts[f.to].e))
		return; /* as engine_claim.c */
	feed(w, f.to, &ev);
}

static char doing[44];

static void
expand_flight(const struct world *w)
{
	static const char *const sorts[] = {"advert", "claim", "kernel"};

	for (unsigned i = 0; i < w->n_flight; i++) {
		const struct flight *f = &w->flight[i];
		struct world v = *w;

		snprintf(doing, sizeof(doing), "%s %u from %u to %u", sorts[f->sort], f->priority, f->from, f->to);
		arrive(&v, i);
		keep(&v, w->parent, doing);
		if (f->sort == KERNEL || w->losses >= opt.losses)
			continue;
		v = *w;
		snprintf(doing, sizeof(doing), "lost: %s %u from %u to %u", sorts[f->sort], f->priority, f->from, f->to);
		v.flight[i] = v.flight[--v.n_flight];
		v.losses++;
		v.quiet = v.now;
		keep(&v, w->parent, doing);
	}
}

/* Its next timer, or the end of the addresses that it left. */
static mono_t
due_of(const struct host *h)
{
	return h->up ? elect_deadline(&h->e) : h->has ? h->expires : MONO_NEVER;
}

static void
expand_timers(const struct world *w)
{
	mono_t first = MONO_NEVER, latest = MONO_NEVER;

	for (unsigned i = 0; i < opt.nodes; i++)
		first = mono_min(first, due_of(&w->hosts[i]));
	if (first.us == MONO_NEVER.us)
		return;
	for (unsigned i = 0; i < w->n_flight; i++)
		latest = mono_min(latest, mono_add(w->flight[i].sent, WAY_US));
	for (unsigned i = 0; i < opt.nodes; i++) {
		mono_t due = due_of(&w->hosts[i]);
		struct elect_event ev = {.kind = ELECT_EVENT_TIMER};
		struct world v = *w;

		if (due.us == MONO_NEVER.us || due.us > first.us + JITTER_US || mono_before(latest, due))
			continue;
		v.now = mono_before(w->now, due) ? due : w->now;
		snprintf(doing, sizeof(doing), "timer of %u", i);
		if (v.hosts[i].up)
			feed(&v, i, &ev);
		else
			v.hosts[i].has = false;
		keep(&v, w->parent, doing);
	}
}

static void
act(const struct world *w, unsigned i, const char *what)
{
	struct world v = *w;
	struct host *h = &v.hosts[i];
	struct elect_event stop = {.kind = ELECT_EVENT_STOP}, conf = {.kind = ELECT_EVENT_CONF};
	struct elect_event link = {.kind = ELECT_EVENT_LINK};

	snprintf(doing, sizeof(doing), "%s %u", what, i);
	v.acts++;
	v.quiet = v.now;
	if (strcmp(what, "crash") == 0 || strcmp(what, "kill") == 0) {
		h->was_active = h->e.state == ROLE_STATE_ACTIVE && what[0] == 'c';
		h->up = false;
		h->expires = mono_add(v.now, LIFETIME_US);
		drop_kernel(&v, i);
		if (what[0] == 'k')
			h->has = false;
	} else if (strcmp(what, "start") == 0) {
		v.acts--; /* what went down comes up without being counted */
		start(&v, i, true);
	} else if (strcmp(what, "stop") == 0) {
		h->stopped = true;
		feed(&v, i, &stop);
	} else if (strcmp(what, "priority") == 0) {
		struct elect old = h->e;

		h->conf ^= 1;
		elect_adopt(&h->e, &confs[i][h->conf], &old);
		feed(&v, i, &conf);
	} else {
		h->linked = !h->linked;
		link.link = h->linked ? ELECT_LINK_UP : ELECT_LINK_NO_CARRIER;
		if (h->up)
			feed(&v, i, &link);
	}
	keep(&v, w->parent, doing);
}

static void
expand_acts(const struct world *w)
{
	for (unsigned i = 0; i < opt.nodes; i++) {
		const struct host *h = &w->hosts[i];

		if (!h->up)
			act(w, i, "start");
		if (w->acts >= opt.acts)
			continue;
		if (h->up) {
			act(w, i, "crash");
			act(w, i, "kill");
		}
		if (h->up && !h->stopped) {
			act(w, i, "stop");
			act(w, i, "priority");
		}
		act(w, i, "link");
	}
}

static void
print_way(uint32_t at)
{
	uint32_t way[STEPS_MAX];
	unsigned n = 0;

	for (; n < STEPS_MAX && at != 0; at = steps[at].parent)
		way[n++] = at;
	while (n-- > 0)
		printf("  %s\n", steps[way[n]].text);
}

static void
make_confs(void)
{
	static const uint8_t priorities[NODES_MAX][2] = {{200, 50}, {150, 220}, {100, 250}};

	for (unsigned i = 0; i < NODES_MAX; i++)
		for (unsigned c = 0; c < 2; c++)
			confs[i][c] = (struct elect_conf){
				.name = "vip", .ifname = "eth0", .mode = ELECT_MODE_VRRP, .priority = priorities[i][c],
				.vrrp = {.version = 3, .down_adverts = 3, .preempt = opt.preempt, .adver_int_cs = INTERVAL_CS}};
}

static int
explore(void)
{
	struct world w = {.now = {BEGIN_US}, .quiet = {BEGIN_US}};
	volatile unsigned depth = 0;

	make_confs();
	steps = calloc(room_steps = 1 << 16, sizeof(*steps));
	n_steps = 1;
	for (unsigned i = 0; i < opt.nodes; i++) {
		w.hosts[i].linked = true;
		start(&w, i, false);
	}
	keep(&w, 0, "begin");
	if (setjmp(broken) != 0) {
		printf("BROKEN at depth %u: %s\n", depth, broken_text);
		print_way(w.parent);
		printf("  then %s\n", doing);
		return 1;
	}
	for (depth = 1; depth <= opt.depth && n_next > 0 && n_seen < opt.limit; depth++) {
		struct world *last = level;
		size_t last_room = room_level;

		level = next_level;
		n_level = n_next;
		room_level = room_next;
		next_level = last;
		room_next = last_room;
		n_next = 0;
		for (size_t i = 0; i < n_level; i++) {
			w = level[i];
			expand_flight(&level[i]);
			expand_timers(&level[i]);
			expand_acts(&level[i]);
		}
	}
	printf("worlds of %u hosts, %s, up to %u losses and %u acts: %zu distinct states to depth %u%s, %zu steps\n", opt.nodes,
	       opt.preempt ? "preempt" : "no preempt", opt.losses, opt.acts, n_seen, depth - 1,
	       n_next == 0 ? " (all there are)" : "", transitions);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {{"depth", required_argument, NULL, 'd'},   {"nodes", required_argument, NULL, 'n'},
						{"losses", required_argument, NULL, 'l'},  {"acts", required_argument, NULL, 'a'},
						{"preempt", required_argument, NULL, 'p'}, {"limit", required_argument, NULL, 'm'},
						{0}};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned v = c == '?' ? 0 : (unsigned)strtoul(optarg, NULL, 0);

		if (c == 'd')
			opt.depth = v;
		else if (c == 'n' && v >= 1 && v <= NODES_MAX)
			opt.nodes = v;
		else if (c == 'l')
			opt.losses = v;
		else if (c == 'a')
			opt.acts = v;
		else if (c == 'p')
			opt.preempt = v != 0;
		else if (c == 'm')
			opt.limit = v;
		else
			return 2;
	}
	return explore();
}
