/*
 * engine_claim.c - what other hosts say about our addresses: gratuitous ARP and neighbour advertisements.
 *
 * While an instance leaves, its successor's announcement of every address ends the leave (make before break). While it
 * is Active, a claim by anybody else is a conflict: counted, told with the claimant's MAC address, and answered by our
 * own announcement (proto/vrrp_fsm.c limits the rate). Runs in the advert loop; opening a packet socket takes no lock
 * of the kernel's that another program may hold for long.
 */
#include "engine/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "sys/log.h"

#define CLAIMS_PER_TURN 64
#define ADVERT_BATCHES	4
#define TELL_AGAIN_US	(10 * USEC_PER_SEC) /* a lasting conflict is an event this often; it is counted always */

/* A socket for the addresses of one family on one interface. */
struct claimer {
	struct engine *e;
	int ifindex;
	uint8_t family;
	int fd;
	struct loop_io *io;
};

struct engine_claimers {
	uint32_t n;
	struct claimer *v; /* room for two per watch of the present generation */
};

int
engine_claim_open(struct engine *e)
{
	e->claimers = calloc(1, sizeof(*e->claimers));
	return e->claimers == NULL ? -ENOMEM : 0;
}

void
engine_claim_close(struct engine *e)
{
	struct engine_claimers *c = e->claimers;

	if (c == NULL)
		return;
	for (uint32_t n = 0; n < c->n; n++) {
		loop_io_del(c->v[n].io);
		close(c->v[n].fd);
	}
	free(c->v);
	free(TAKE(e->claimers));
}

void
engine_claim_restart(struct engine_instance *i)
{
	memset(i->claims.seen, 0, i->n_addresses);
	i->claims.n_seen = 0;
}

/* Is it one of this host's own interfaces that speaks? (Two of them may be on one segment.) */
static bool
is_own(const struct engine *e, const uint8_t mac[6])
{
	for (uint32_t n = 0; n < e->gen->n_watches; n++)
		if (memcmp(e->gen->watches[n].mac.b, mac, 6) == 0)
			return true;
	return false;
}

static void
note_conflict(struct engine *e, struct engine_instance *i, const struct ip_addr *addr, const struct nlk_claim *c,
	      mono_t now)
{
	struct engine_claims *k = &i->claims;
	struct role_cause cause = {.reason = ROLE_REASON_ADDRESS_CONFLICT, .addr = *addr};
	bool tell = k->told.us == 0 || mono_since(now, k->told) >= TELL_AGAIN_US;

	k->conflicts++;
	memcpy(k->mac.b, c->mac, sizeof(k->mac.b));
	k->addr = *addr;
	k->at = now;
	if (!tell)
		return;
	k->told = now;
	mac_addr_format(&k->mac, cause.name);
	engine_report_note(e, i, &cause, now);
}

/* Somebody else claims address `at.address` of an instance. */
static void
take_claim(struct engine *e, struct engine_place at, const struct ip_addr *addr, const struct nlk_claim *c, mono_t now)
{
	struct engine_instance *i = &e->gen->instances[at.instance];
	struct elect_event ev = {.kind = ELECT_EVENT_CLAIM};

	if (i->elect.state == ROLE_STATE_ACTIVE) {
		if (elect_disputes(&i->elect))
			note_conflict(e, i, addr, c, now);
		engine_event(e, i, &ev, now);
		return;
	}
	if (!elect_leaving(&i->elect) || i->claims.seen[at.address])
		return;
	i->claims.seen[at.address] = 1;
	if (++i->claims.n_seen == i->n_addresses)
		engine_event(e, i, &ev, now);
}

static void
take(struct engine *e, const struct claimer *k, const struct nlk_claim *c, mono_t now)
{
	struct ip_addr addr = ip_addr_from(k->family, c->addr);
	struct engine_cursor cursor = {0};
	struct engine_place at;

	if (is_own(e, c->mac))
		return;
	while (engine_index_next(e->gen, &addr, &cursor, &at)) {
		const struct engine_instance *i = &e->gen->instances[at.instance];

		if (e->gen->watches[i->addresses[at.address].watch].ifindex == k->ifindex)
			take_claim(e, at, &addr, c, now);
	}
}

static void
on_claims(void *arg, int fd, bool readable, bool writable)
{
	struct claimer *k = arg;
	struct engine *e = k->e;
	mono_t now = loop_now(e->loop);
	struct nlk_claim c;

	(void)readable;
	(void)writable;
	engine_notice_suspend(e);
	/* Whoever may have lost its role while this host did not run must not defend it; and a successor's announcement
	 * follows its advert, which waits in another socket. */
	engine_run_timers(e, now);
	for (uint32_t n = 0; n < e->gen->n_ports; n++)
		engine_rx_drain(e, &e->gen->ports[n], ADVERT_BATCHES);
	for (int n = 0; n < CLAIMS_PER_TURN; n++) {
		int r = nlk_claim_recv(fd, &c);

		if (r == 0 || (r < 0 && r != -ENETDOWN))
			break;
		if (r > 0)
			take(e, k, &c, now);
	}
	engine_tx_flush(e, now);
	engine_arm(e);
}

/* The addresses of one family that go to this interface; returns how many. */
static size_t
collect(const struct engine_gen *g, int ifindex, uint8_t family, uint8_t (*ret)[16])
{
	size_t n = 0;

	for (uint32_t k = 0; k < g->n_instances; k++) {
		const struct engine_instance *i = &g->instances[k];

		for (uint32_t a = 0; a < i->n_addresses; a++) {
			const struct engine_address *x = &i->addresses[a];

			if (x->prefix.addr.family == family && g->watches[x->watch].ifindex == ifindex)
				memcpy(ret[n++], x->prefix.addr.b, 16);
		}
	}
	return n;
}

static bool
has_claimer(const struct engine_claimers *c, int ifindex, uint8_t family)
{
	for (uint32_t n = 0; n < c->n; n++)
		if (c->v[n].ifindex == ifindex && c->v[n].family == family)
			return true;
	return false;
}

/* The socket for this interface and family out of `old`, with the filter for these addresses; -1: there is
 * none. */
static int
take_over(struct engine *e, struct engine_claimers *old, int ifindex, uint8_t family, uint8_t (*addrs)[16],
	  size_t n)
{
	for (uint32_t k = 0; k < old->n; k++) {
		struct claimer *o = &old->v[k];
		int fd = o->fd;

		if (o->io == NULL || o->ifindex != ifindex || o->family != family)
			continue;
		loop_io_del(TAKE(o->io));
		if (nlk_claim_filter(fd, family == IP_FAMILY_V4 ? AF_INET : AF_INET6,
				     (const uint8_t(*)[16])addrs, n) == 0)
			return fd;
		engine_kernel_close_fd(e->kernel, fd);
	}
	return -1;
}

static void
open_claimer(struct engine *e, struct engine_claimers *old, int ifindex, uint8_t family, uint8_t (*addrs)[16])
{
	struct engine_claimers *c = e->claimers;
	struct claimer *k = &c->v[c->n];
	size_t n;
	int fd;

	if (has_claimer(c, ifindex, family))
		return;
	n = collect(e->gen, ifindex, family, addrs);
	if (n == 0)
		return;
	fd = take_over(e, old, ifindex, family, addrs, n);
	if (fd < 0)
		fd = nlk_claim_open(family == IP_FAMILY_V4 ? AF_INET : AF_INET6, ifindex,
				    (const uint8_t(*)[16])addrs, n);
	if (fd < 0) {
		log_warning("claims of other hosts to our addresses cannot be heard: %s", strerror(-fd));
		return;
	}
	*k = (struct claimer){.e = e, .ifindex = ifindex, .family = family, .fd = fd};
	k->io = loop_io_add(e->loop, fd, on_claims, k);
	c->n++;
}

/*
 * Sockets stay where they fit. To close one the kernel waits for every processor, tens of milliseconds: that is
 * left to the kernel thread.
 */
void
engine_claim_update(struct engine *e)
{
	const struct engine_gen *g = e->gen;
	struct engine_claimers *c = e->claimers, old = *c;
	uint8_t(*addrs)[16] = calloc(g->n_addresses, sizeof(*addrs));

	*c = (struct engine_claimers){.v = calloc(2 * (size_t)g->n_watches, sizeof(*c->v))};
	if (addrs == NULL || c->v == NULL)
		log_warning("claims of other hosts to our addresses cannot be heard: %s", strerror(ENOMEM));
	for (uint32_t n = 0; addrs != NULL && c->v != NULL && n < g->n_watches; n++) {
		if (g->watches[n].ifindex == 0)
			continue;
		open_claimer(e, &old, g->watches[n].ifindex, IP_FAMILY_V4, addrs);
		open_claimer(e, &old, g->watches[n].ifindex, IP_FAMILY_V6, addrs);
	}
	for (uint32_t n = 0; n < old.n; n++) {
		if (old.v[n].io == NULL)
			continue;
		loop_io_del(old.v[n].io);
		engine_kernel_close_fd(e->kernel, old.v[n].fd);
	}
	free(old.v);
	free(addrs);
}
