/*
 * sim_plan.c - everything that a seed decides, before the run begins: the hosts, their settings, which kinds of fault exist
 * (swarm testing: few kinds at a time find more than all of them always), and the list of faults. And the checkers' bounds.
 */
#include "sim.h"

#include "proto/vrrp_packet.h"
#include "proto/vrrp_timers.h"

static const char *const names[SIM_KIND_COUNT] = {
#define X(name, word, graceful, weight) word,
	SIM_KINDS(X)
#undef X
};
static const bool graceful_kinds[SIM_KIND_COUNT] = {
#define X(name, word, graceful, weight) graceful,
	SIM_KINDS(X)
#undef X
};
static const uint8_t weights[SIM_KIND_COUNT] = {
#define X(name, word, graceful, weight) weight,
	SIM_KINDS(X)
#undef X
};

#define SLOW_MAX_US (300 * SIM_MS) /* one batch of addresses behind another program's lock */
#define BUSY_MAX_US (20 * SIM_MS)
#define FOLLOW_US   (4 * SIM_SEC) /* until the agent has heard who the leader is */

uint64_t sim_kinds_only;

const char *
sim_kind_name(unsigned kind)
{
	return kind < SIM_KIND_COUNT ? names[kind] : "?";
}

bool
sim_kind_graceful(unsigned kind)
{
	return graceful_kinds[kind];
}

/* ---- bounds ----
 *
 * imax: the longest interval that any host may have, also by a reload; version 3 learns it. A clock may be 2 % slow: every
 * time is stretched by 1/32.
 *
 * two holders: whoever must yield hears the other's next advert within imax, serves for YIELD (15 ms) more, and its kernel
 * removes within SLOW_MAX; a host that leaves in order waits for the skew time of priority 1 and 200 ms at most, and its
 * services before that.
 * take-over: the slowest host waits down_adverts intervals and less than one interval (v2: a second) of skew; then the gate,
 * a batch of the kernel. With a lease: what is left of it lasts ttl; then the store's answers, 250 us for each step of
 * priority below 254, a failed attempt (a time-out of 1 s and 200 ms).
 * mode follow: an agent reads the key every 0.7 s besides the news, a lost answer costs 1 s, a slow store 2 s. A host that the
 * store cannot reach goes on as long as its lease, or for the 3 s that news count.
 * settle: a host that failed tries again after 5 s; it may wait its start delay; it listens for its down interval; a better
 * one may wait its preempt delay; then one take-over, and what two holders need.
 */

static uint64_t
imax_us(const struct sim_plan *p)
{
	uint64_t max = 0;

	for (unsigned i = 0; i < p->n_nodes; i++)
		max = MAX(max, (uint64_t)p->hosts[i].conf.adver_int_cs * USEC_PER_CS);
	return p->version == 3 && (p->kinds >> SIM_RELOAD & 1) != 0 ? 2 * max : max; /* sim_plan_reload() */
}

static uint64_t
stretched(uint64_t us)
{
	return us + us / 32;
}

static uint64_t
delay_max(const struct sim_plan *p, size_t at)
{
	uint64_t max = 0;

	for (unsigned i = 0; i < p->n_nodes; i++)
		max = MAX(max, *(const uint64_t *)((const char *)&p->hosts[i] + at));
	return max;
}

static uint64_t
preempt_delay_max(const struct sim_plan *p)
{
	uint64_t max = 0;

	for (unsigned i = 0; i < p->n_nodes; i++)
		max = MAX(max, p->hosts[i].conf.preempt_delay_us);
	return max;
}

static uint64_t
leave_us(const struct sim_plan *p)
{
	uint64_t skew = p->version == 2 ? SIM_SEC : imax_us(p);

	return MIN(skew + 200 * SIM_MS, 10 * SIM_SEC) + delay_max(p, offsetof(struct sim_host, leave_us));
}

uint64_t
sim_bound_two(const struct sim_plan *p)
{
	uint64_t us = imax_us(p) + leave_us(p);

	if (p->mode == ELECT_MODE_FOLLOW)
		us = FOLLOW_US + delay_max(p, offsetof(struct sim_host, leave_us));
	return stretched(us) + SLOW_MAX_US + 2 * BUSY_MAX_US + 50 * SIM_MS;
}

uint64_t
sim_bound_deaf(const struct sim_plan *p)
{
	return sim_bound_two(p) + stretched(p->ttl_us);
}

uint64_t
sim_bound_takeover(const struct sim_plan *p)
{
	uint64_t skew = p->version == 2 ? SIM_SEC : imax_us(p);
	uint64_t us = p->down_adverts * imax_us(p) + skew + delay_max(p, offsetof(struct sim_host, enter_us));

	if (p->mode == ELECT_MODE_FOLLOW)
		us = FOLLOW_US + delay_max(p, offsetof(struct sim_host, enter_us));
	if (p->mode == ELECT_MODE_LEASE || p->arbiter)
		us += p->ttl_us + 254 * 250 + 2 * SIM_SEC;
	return stretched(us) + 2 * SLOW_MAX_US + 2 * BUSY_MAX_US + 50 * SIM_MS;
}

uint64_t
sim_bound_settle(const struct sim_plan *p)
{
	uint64_t skew = p->version == 2 ? SIM_SEC : imax_us(p);
	uint64_t us = 5 * SIM_SEC + delay_max(p, offsetof(struct sim_host, start_delay_us)) + preempt_delay_max(p) +
		      p->down_adverts * imax_us(p) + skew;

	return stretched(us) + sim_bound_takeover(p) + (p->mode == ELECT_MODE_FOLLOW ? sim_bound_deaf(p) : sim_bound_two(p));
}

/* ---- settings ---- */

struct sim_conf
sim_plan_reload(const struct sim_plan *p, const struct sim_conf *c, uint32_t value)
{
	struct sim_conf next = *c;

	if (value & 1)
		next.priority = (uint8_t)(1 + (value >> 8) % 254);
	if ((value & 2) != 0 && p->version == 3)
		next.adver_int_cs = (uint16_t)(p->hosts[0].conf.adver_int_cs * ((value >> 16) % 4 + 1) / 2 + 1);
	if (value & 4)
		next.preempt = !next.preempt;
	if (value & 8)
		next.n_addrs = (uint8_t)(1 + (value >> 20) % SIM_ADDRS);
	if (next.owner && (value & 32) != 0)
		next.priority = VRRP_PRIORITY_OWNER;
	if (value & 16)
		next.renamed = !next.renamed;
	/* No interval is longer than twice the longest one of the beginning. */
	return next;
}

static uint64_t
log_range(struct sim_rand *r, uint64_t lo, uint64_t hi)
{
	uint64_t us = lo;

	while (us < hi && sim_rand_below(r, 4) != 0)
		us *= 2;
	us = us + sim_rand_below(r, us);
	return MIN(us, hi);
}

static void
draw_mode(struct sim_plan *p, struct sim_rand *r)
{
	static const uint8_t losses[] = {ELECT_STORE_LOSS_HOLD_LEASE, ELECT_STORE_LOSS_HOLD_LEASE, ELECT_STORE_LOSS_RELEASE,
					 ELECT_STORE_LOSS_HOLD};
	unsigned mode = (unsigned)sim_rand_below(r, 10);

	p->mode = mode < 2 ? ELECT_MODE_LEASE : ELECT_MODE_VRRP;
	p->arbiter = mode == 2 || mode == 3;
	p->version = sim_rand_mille(r, 800) ? 3 : 2;
	p->family = p->version == 3 && sim_rand_mille(r, 300) ? IP_FAMILY_V6 : IP_FAMILY_V4;
	p->unicast = p->mode == ELECT_MODE_VRRP && sim_rand_mille(r, 250);
	p->n_nodes = (uint8_t)(sim_rand_mille(r, 700) ? sim_rand_range(r, 2, 4) : sim_rand_range(r, 2, SIM_NODES));
	p->down_adverts = sim_rand_mille(r, 850) ? 3 : (uint8_t)sim_rand_range(r, 2, 5);
	p->lifetime_s = sim_rand_mille(r, 800) ? 3 : (uint32_t)sim_rand_range(r, 2, 4);
	p->ttl_us = sim_rand_range(r, 5, 8) * SIM_SEC;
	p->on_store_loss = ELECT_STORE_LOSS_HOLD_LEASE;
	if (p->mode == ELECT_MODE_LEASE && sim_hash(p->seed, 'f', 0, 0) % 2 == 0) {
		p->mode = ELECT_MODE_FOLLOW;
		p->on_store_loss = losses[sim_hash(p->seed, 'f', 0, 1) % ARRAY_SIZE(losses)];
	}
}

static void
draw_host(struct sim_plan *p, unsigned i, struct sim_rand *r, uint16_t base_cs, bool equal, unsigned preempts, int ppm_max)
{
	struct sim_host *h = &p->hosts[i];
	bool extras = sim_rand_mille(r, 200);

	*h = (struct sim_host){
		.ppm = (int32_t)sim_rand_below(r, 2 * (uint64_t)ppm_max + 1) - ppm_max,
		.clock_us = sim_rand_range(r, 100, 40000000) * SIM_SEC + sim_rand_below(r, SIM_SEC),
		.checksum = (uint8_t)(sim_rand_mille(r, 700) ? ELECT_CHECKSUM_AUTO : sim_rand_below(r, ELECT_CHECKSUM_COUNT)),
		.has_check = sim_rand_mille(r, 400),
		.check_weighs = sim_rand_mille(r, 500),
		.weight = (int16_t)-(int)sim_rand_range(r, 1, 200),
		.begins = sim_rand_mille(r, 700) ? sim_rand_below(r, 50 * SIM_MS) : sim_rand_below(r, 5 * SIM_SEC),
		.conf = {
			.priority = (uint8_t)(equal ? 100 : sim_rand_range(r, 1, 254)),
			.n_addrs = (uint8_t)sim_rand_range(r, 1, SIM_ADDRS),
			.preempt = preempts == 0 || (preempts == 1 && sim_rand_mille(r, 500)),
			.adver_int_cs = base_cs,
		},
	};
	if (p->version == 3 && sim_rand_mille(r, 200))
		h->conf.adver_int_cs = (uint16_t)sim_rand_range(r, base_cs / 2 + 1u, base_cs * 2u);
	if (!extras)
		return;
	h->start_delay_us = sim_rand_mille(r, 500) ? sim_rand_below(r, 2 * SIM_SEC) : 0;
	h->enter_us = sim_rand_mille(r, 300) ? SIM_SEC : 0;
	h->leave_us = sim_rand_mille(r, 300) ? SIM_SEC : 0;
	h->conf.preempt_delay_us = sim_rand_mille(r, 500) ? sim_rand_below(r, 3 * SIM_SEC) : 0;
}

static void
draw_keepalived(struct sim_plan *p, struct sim_rand *r)
{
	if (p->mode != ELECT_MODE_VRRP || p->arbiter || !sim_rand_mille(r, 200))
		return;
	p->down_adverts = 3;
	for (unsigned i = 0; i < p->n_nodes; i++) {
		struct sim_host *h = &p->hosts[i];

		h->keepalived = i > 0 && sim_rand_mille(r, 500);
		if (h->checksum == ELECT_CHECKSUM_RFC9568)
			h->checksum = ELECT_CHECKSUM_AUTO;
		if (h->keepalived) {
			h->conf.preempt_delay_us = h->start_delay_us = h->enter_us = h->leave_us = 0;
			h->has_check = false;
		}
	}
}

/* Now and then one host owns the addresses (RFC 9568: priority 255). */
static void
draw_owner(struct sim_plan *p)
{
	struct sim_host *h = &p->hosts[sim_hash(p->seed, 'o', 0, 1) % p->n_nodes];

	if (sim_hash(p->seed, 'o', 0, 0) % 20 == 0 && !h->keepalived && p->mode == ELECT_MODE_VRRP)
		h->conf.priority = VRRP_PRIORITY_OWNER, h->conf.owner = true;
}

/* ---- faults ---- */

static bool
exists(const struct sim_plan *p, unsigned kind)
{
	if (kind >= SIM_STORE_LOST && kind <= SIM_STORE_SLOW)
		return p->mode != ELECT_MODE_VRRP || p->arbiter;
	if (kind == SIM_TAKEOVER)
		return p->mode == ELECT_MODE_VRRP;
	if (kind == SIM_PRIORITY)
		return p->mode != ELECT_MODE_FOLLOW;
	if (kind == SIM_LEADER)
		return p->mode == ELECT_MODE_FOLLOW;
	return true;
}

static unsigned
draw_kind(const struct sim_plan *p, struct sim_rand *r)
{
	uint64_t sum = 0, at;

	for (unsigned k = 0; k < SIM_KIND_COUNT; k++)
		if (p->kinds >> k & 1)
			sum += weights[k];
	at = sim_rand_below(r, sum);
	for (unsigned k = 0; k < SIM_KIND_COUNT; k++) {
		if ((p->kinds >> k & 1) == 0)
			continue;
		if (at < weights[k])
			return k;
		at -= weights[k];
	}
	return SIM_CRASH;
}

static uint32_t
draw_value(const struct sim_plan *p, unsigned kind, uint64_t interval, struct sim_rand *r)
{
	(void)p;
	switch ((enum sim_kind)kind) {
	case SIM_LOSS:
	case SIM_DUPLICATE:
	case SIM_CORRUPT:
	case SIM_FAIL_KERNEL:
		return (uint32_t)(sim_rand_mille(r, 300) ? 1000 : sim_rand_range(r, 20, 900));
	case SIM_DELAY:
		return (uint32_t)log_range(r, SIM_MS, 4 * interval);
	case SIM_CRASH:
		return (uint32_t)sim_rand_range(r, 1, 3);
	case SIM_BUSY:
		return (uint32_t)log_range(r, 500, BUSY_MAX_US);
	case SIM_REMOVE:
		return (uint32_t)sim_rand_range(r, 1, 3);
	case SIM_SLOW_KERNEL:
		return (uint32_t)log_range(r, SIM_MS, SLOW_MAX_US);
	case SIM_PRIORITY:
		return (uint32_t)sim_rand_range(r, 1, 254);
	case SIM_RELOAD:
		return (uint32_t)sim_rand_next(r);
	case SIM_STORE_SLOW:
		return (uint32_t)log_range(r, SIM_MS, 2 * SIM_SEC);
	default:
		return 0;
	}
}

static void
draw_fault(struct sim_plan *p, struct sim_fault *f, uint64_t from, uint64_t to, uint64_t interval, struct sim_rand *r)
{
	uint64_t longest = sim_rand_mille(r, 300) ? to - from : sim_rand_mille(r, 500) ? 12 * interval : 3 * interval;
	uint16_t all = (uint16_t)((1u << p->n_nodes) - 1);

	*f = (struct sim_fault){.kind = (uint8_t)draw_kind(p, r), .node = (uint8_t)sim_rand_below(r, p->n_nodes)};
	f->at = sim_rand_range(r, from, to - 1);
	f->until = f->at + log_range(r, SIM_MS, MAX(longest, 2 * SIM_MS));
	f->until = MIN(to, f->until);
	f->value = draw_value(p, f->kind, interval, r);
	f->from = sim_rand_mille(r, 400) ? all : (uint16_t)(sim_rand_next(r) & all);
	f->to = sim_rand_mille(r, 400) ? all : (uint16_t)(sim_rand_next(r) & all);
	if (sim_kind_graceful(f->kind) && sim_rand_mille(r, 700))
		f->until = to; /* what operators do lasts */
}

/* Bursts anywhere, or one thing after another with time to settle in between: then more is judged. */
static void
draw_faults(struct sim_plan *p, struct sim_rand *r)
{
	uint64_t interval = p->hosts[0].conf.adver_int_cs * (uint64_t)USEC_PER_CS;
	uint64_t settle, phase = MIN(60 * SIM_SEC, MAX(10 * SIM_SEC, 60 * interval));
	bool spaced = sim_rand_mille(r, 400);
	unsigned n = (unsigned)(spaced ? sim_rand_range(r, 1, 4) : sim_rand_range(r, 1, 16));
	uint64_t at = 2 * SIM_SEC;

	for (unsigned k = 0; k < SIM_KIND_COUNT; k++)
		if (exists(p, k) && sim_rand_mille(r, 350))
			p->kinds |= 1ull << k;
	if (sim_kinds_only != 0)
		p->kinds = sim_kinds_only;
	for (unsigned k = 0; k < SIM_KIND_COUNT; k++)
		if (!exists(p, k))
			p->kinds &= ~(1ull << k);
	if (p->kinds == 0)
		p->kinds = 1ull << SIM_CRASH | 1ull << SIM_LOSS;
	settle = sim_bound_settle(p);
	if (spaced) {
		at = settle + 6 * SIM_SEC;
		for (unsigned i = 0; i < n; i++, at += settle + settle / 4) {
			draw_fault(p, &p->faults[p->n_faults], at, at + MIN(settle / 2, 10 * SIM_SEC), interval, r);
			at = p->faults[p->n_faults++].until;
		}
		p->heal_at = at;
	} else {
		for (unsigned i = 0; i < n; i++)
			draw_fault(p, &p->faults[p->n_faults++], SIM_MS, phase, interval, r);
		p->heal_at = phase;
	}
	p->end_at = p->heal_at + settle + 2 * SIM_SEC;
}

void
sim_plan_draw(uint64_t seed, struct sim_plan *ret)
{
	static const uint16_t bases[] = {4, 10, 10, 20, 30, 50, 100, 100};
	struct sim_plan *p = ret;
	struct sim_rand r;
	uint16_t base;
	bool equal;
	unsigned preempts;
	int ppm;

	sim_rand_seed(&r, seed);
	*p = (struct sim_plan){.seed = seed};
	draw_mode(p, &r);
	base = p->version == 2 ? 100 : bases[sim_rand_below(&r, ARRAY_SIZE(bases))];
	equal = sim_rand_mille(&r, 100);
	preempts = (unsigned)(sim_rand_mille(&r, 700) ? 0 : sim_rand_range(&r, 1, 2));
	ppm = sim_rand_mille(&r, 700) ? 200 : 20000;
	for (unsigned i = 0; i < p->n_nodes; i++)
		draw_host(p, i, &r, base, equal, preempts, ppm);
	for (unsigned i = 0; i < p->n_nodes; i++)
		p->hosts[i].conf.n_addrs = p->hosts[0].conf.n_addrs;
	draw_keepalived(p, &r);
	draw_owner(p);
	draw_faults(p, &r);
}

void
sim_plan_print(const struct sim_plan *p, FILE *out)
{
	fprintf(out, "seed %llu: %s%s, version %u, IPv%u, %s, %u hosts, down_adverts %u, lifetime %u s, ttl %.0f s\n",
		(unsigned long long)p->seed, elect_mode_name((enum elect_mode)p->mode), p->arbiter ? " with an arbiter" : "",
		p->version, p->family, p->unicast ? "unicast" : "multicast", p->n_nodes, p->down_adverts, p->lifetime_s,
		(double)p->ttl_us / 1e6);
	if (p->mode == ELECT_MODE_FOLLOW)
		fprintf(out, "  on_store_loss: %s\n",
			p->on_store_loss == ELECT_STORE_LOSS_HOLD ? "hold" : p->on_store_loss == ELECT_STORE_LOSS_RELEASE ? "release" : "hold-lease");
	fprintf(out, "  bounds: settle %.3f s, take-over %.3f s, two holders %.3f s\n", (double)sim_bound_settle(p) / 1e6,
		(double)sim_bound_takeover(p) / 1e6, (double)sim_bound_two(p) / 1e6);
	for (unsigned i = 0; i < p->n_nodes; i++) {
		const struct sim_host *h = &p->hosts[i];

		fprintf(out, "  host %u: %s priority %u, %u cs, %s%s, %u addresses, clock %+d ppm, checksum %s, begins at %.3f s",
			i, h->keepalived ? "keepalived," : "vrrpd,", h->conf.priority, h->conf.adver_int_cs,
			h->conf.preempt ? "preempt" : "no preempt", h->conf.preempt_delay_us > 0 ? " delayed" : "",
			h->conf.n_addrs, h->ppm, elect_checksum_name((enum elect_checksum)h->checksum), (double)h->begins / 1e6);
		if (h->has_check)
			fprintf(out, ", check %s%d", h->check_weighs ? "weighs " : "", h->check_weighs ? h->weight : 0);
		if (h->start_delay_us + h->enter_us + h->leave_us + h->conf.preempt_delay_us > 0)
			fprintf(out, ", start delay %.3f, gate %.3f, services %.3f, preempt delay %.3f", (double)h->start_delay_us / 1e6,
				(double)h->enter_us / 1e6, (double)h->leave_us / 1e6, (double)h->conf.preempt_delay_us / 1e6);
		fprintf(out, "\n");
	}
	for (unsigned i = 0; i < p->n_faults; i++) {
		const struct sim_fault *f = &p->faults[i];

		if (!f->dropped)
			fprintf(out, "  fault %2u: %9.6f .. %9.6f %-11s host %u, from %03x to %03x, value %u\n", i, (double)f->at / 1e6,
				(double)f->until / 1e6, sim_kind_name(f->kind), f->node, f->from, f->to, f->value);
	}
	fprintf(out, "  healed at %.3f s, ends at %.3f s\n", (double)p->heal_at / 1e6, (double)p->end_at / 1e6);
}
