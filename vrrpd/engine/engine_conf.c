/*
 * engine_conf.c - takes in a configuration generation and lays it out for the engine.
 *
 * The parent sends it as a stream of fixed messages (ipc_msg.h); every value is checked again here. All memory
 * of a generation is taken now, in one arena, so that the advert loop never allocates. Runs in the engine,
 * before the advert loop uses the generation.
 */
#include "engine/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"

#define ARENA_CHUNK (256 * 1024)

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	_Alignas(16) uint8_t data[];
};

struct engine_conf_reader {
	struct engine_gen *gen; /* under construction, or NULL */
	struct ipc_conf_begin totals;
	struct engine_address *addresses; /* gen->n_addresses */
	struct ip_addr *advertised;	  /* the same without interfaces, for the codecs */
	struct ip_addr *peers;
	struct ipc_conf_track *tracks;
	uint32_t *track_watches;
	uint32_t n_addresses, n_peers, n_tracks;	  /* taken so far */
	uint32_t want_addresses, want_peers, want_tracks; /* of the present instance, still to come */
	bool extra_seen;
	struct engine_instance *inst;
};

/* Zeroed memory that lives as long as the generation; NULL when there is none. */
static void *
arena_take(struct engine_gen *g, size_t n, size_t size)
{
	struct arena_chunk *c = g->arena;
	size_t want = (n * size + 15) & ~(size_t)15;
	void *p;

	if (c == NULL || c->size - c->used < want) {
		size_t room = MAX((size_t)ARENA_CHUNK, want);

		c = calloc(1, sizeof(*c) + room);
		if (c == NULL)
			return NULL;
		c->size = room;
		c->next = g->arena;
		g->arena = c;
	}
	p = c->data + c->used;
	c->used += want;
	return p;
}

void
engine_gen_free(struct engine_gen *g)
{
	struct arena_chunk *c, *next;

	if (g == NULL)
		return;
	for (c = g->arena; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	free(g);
}

struct engine_conf_reader *
engine_conf_reader_new(void)
{
	return calloc(1, sizeof(struct engine_conf_reader));
}

void
engine_conf_reader_free(struct engine_conf_reader *r)
{
	if (r == NULL)
		return;
	engine_gen_free(r->gen);
	free(r);
}

static bool
is_text(const char *s, size_t size)
{
	size_t n = strnlen(s, size);

	return n > 0 && n < size;
}

static int
take_begin(struct engine_conf_reader *r, const struct ipc_conf_begin *m)
{
	struct engine_gen *g;
	uint32_t n = m->n_instances;

	if (r->gen != NULL || n == 0 || n > 2 * LIMIT_INSTANCES || m->n_removed > n ||
	    n - m->n_removed > LIMIT_INSTANCES || m->n_addresses > 2 * LIMIT_ADDRESSES_ALL ||
	    m->n_peers > 2 * LIMIT_INSTANCES * LIMIT_UNICAST_PEERS ||
	    m->n_tracks > 2 * LIMIT_INSTANCES * LIMIT_TRACKS || m->realtime_priority < 0 ||
	    m->realtime_priority > 99 || !is_text(m->node, sizeof(m->node)))
		return -EPROTO;
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		return -ENOMEM;
	*r = (struct engine_conf_reader){.gen = g, .totals = *m};
	g->gen = m->h.gen;
	g->realtime_priority = m->realtime_priority;
	g->lock_memory = m->lock_memory != 0;
	g->last_will = m->last_will != 0;
	g->n_configured = n - m->n_removed;
	g->index_size = engine_index_size(m->n_addresses);
	g->index = arena_take(g, g->index_size, sizeof(*g->index));
	g->address_lifetime_s = m->address_lifetime_s;
	memcpy(g->node, m->node, sizeof(g->node));
	g->instances = arena_take(g, n, sizeof(*g->instances));
	g->ports = arena_take(g, n, sizeof(*g->ports));
	g->watches = arena_take(g, n + m->n_addresses + m->n_tracks, sizeof(*g->watches));
	r->addresses = arena_take(g, m->n_addresses, sizeof(*r->addresses));
	r->advertised = arena_take(g, m->n_addresses, sizeof(*r->advertised));
	r->peers = arena_take(g, m->n_peers, sizeof(*r->peers));
	r->tracks = arena_take(g, m->n_tracks, sizeof(*r->tracks));
	r->track_watches = arena_take(g, m->n_tracks, sizeof(*r->track_watches));
	if (!g->index || !g->instances || !g->ports || !g->watches || !r->addresses || !r->advertised || !r->peers ||
	    !r->tracks || !r->track_watches)
		return -ENOMEM;
	return 0;
}

/* The watch for this interface and source, a new one when there is none yet. */
static uint32_t
watch_for(struct engine_gen *g, const char *ifname, uint8_t family, const struct ip_addr *wanted)
{
	struct engine_watch *w;
	uint32_t i;

	for (i = 0; i < g->n_watches; i++) {
		w = &g->watches[i];
		if (strcmp(w->ifname, ifname) == 0 && w->family == family && ip_addr_equal(&w->wanted, wanted))
			return i;
	}
	w = &g->watches[g->n_watches++];
	str_copy(w->ifname, sizeof(w->ifname), ifname);
	w->family = family;
	w->wanted = *wanted;
	w->link = ELECT_LINK_MISSING;
	return i;
}

/* Any watch on this interface will do where only the link matters. */
static uint32_t
watch_link(struct engine_gen *g, const char *ifname)
{
	struct ip_addr none = {0};

	for (uint32_t i = 0; i < g->n_watches; i++)
		if (strcmp(g->watches[i].ifname, ifname) == 0)
			return i;
	return watch_for(g, ifname, IP_FAMILY_NONE, &none);
}

static struct engine_port *
port_for(struct engine_gen *g, struct engine_instance *i)
{
	const char *ifname = g->watches[i->watch].ifname;
	struct engine_port *p;
	uint32_t n;

	for (n = 0; n < g->n_ports; n++) {
		p = &g->ports[n];
		if (p->family == i->codec.family && strcmp(g->watches[p->watch].ifname, ifname) == 0)
			break;
	}
	p = &g->ports[n];
	if (n == g->n_ports) {
		g->n_ports++;
		*p = (struct engine_port){
			.watch = i->watch, .family = i->codec.family, .fd = -1, .stray_fd = -1};
	}
	i->port = n;
	return p;
}

static bool
instance_valid(const struct ipc_conf_instance *m)
{
	bool v2 = m->version == 2;

	/* A refresh is one frame for each address: faster than once a second it would do nothing else. */
	if (m->garp_refresh_us != 0 && m->garp_refresh_us < USEC_PER_SEC)
		return false;
	if (m->mode != ELECT_MODE_VRRP)
		return m->mode < ELECT_MODE_COUNT && m->on_store_loss < ELECT_STORE_LOSS_COUNT && m->garp_repeat > 0 &&
		       m->priority > 0 && m->n_addresses > 0 && m->n_addresses <= LIMIT_ADDRESSES && m->n_peers == 0 &&
		       m->n_tracks <= LIMIT_TRACKS && ip_family_size(m->family) != 0 &&
		       is_text(m->name, sizeof(m->name)) && is_text(m->ifname, sizeof(m->ifname));
	return (v2 || m->version == 3) &&
	       (m->family == IP_FAMILY_V4 || (m->family == IP_FAMILY_V6 && !v2)) && m->vrid > 0 &&
	       m->priority > 0 && m->down_adverts > 0 && m->down_adverts <= 100 &&
	       m->checksum < ELECT_CHECKSUM_COUNT && m->on_store_loss < ELECT_STORE_LOSS_COUNT && m->adver_int_cs > 0 &&
	       m->adver_int_cs <= (v2 ? 25500 : VRRP_INTERVAL_CS_MAX) && (!v2 || m->adver_int_cs % 100 == 0) &&
	       m->garp_repeat > 0 && m->n_addresses > 0 && m->n_addresses <= LIMIT_ADDRESSES &&
	       m->n_peers <= LIMIT_UNICAST_PEERS && (m->unicast != 0) == (m->n_peers > 0) &&
	       m->n_tracks <= LIMIT_TRACKS &&
	       (m->unicast_source.family == IP_FAMILY_NONE || m->unicast_source.family == m->family) &&
	       is_text(m->name, sizeof(m->name)) && is_text(m->ifname, sizeof(m->ifname));
}

static void
fill_instance(struct engine_instance *i, const struct ipc_conf_instance *m)
{
	i->garp_repeat = m->garp_repeat;
	i->reset_connections = m->reset_connections != 0;
	i->garp_delay_us = m->garp_delay_us;
	i->garp_refresh_us = m->garp_refresh_us;
	i->garp_interval_us = m->garp_interval_us;
	i->n_addresses = m->n_addresses;
	i->conf = (struct elect_conf){
		.mode = m->mode,
		.priority = m->priority,
		.checksum = m->checksum,
		.n_tracks = (uint8_t)m->n_tracks,
		.start_delay_us = m->start_delay_us,
		.enter_us = m->enter_us,
		.leave_us = m->leave_us,
		.on_store_loss = m->on_store_loss,
		.arbiter = m->arbiter != 0,
		.vrrp =
			{
				.version = m->version,
				.down_adverts = m->down_adverts,
				.preempt = m->preempt != 0,
				.align = true,
				.adver_int_cs = m->adver_int_cs,
				.preempt_delay_us = m->preempt_delay_us,
			},
	};
	memcpy(i->conf.name, m->name, sizeof(i->conf.name));
	memcpy(i->conf.ifname, m->ifname, sizeof(i->conf.ifname));
	i->codec = (struct vrrp_codec){
		.version = m->version,
		.family = m->family,
		.vrid = m->vrid,
		.owner = m->priority == VRRP_PRIORITY_OWNER,
		.adver_int_cs = m->adver_int_cs,
		.has_auth = m->has_auth != 0,
		.unicast = m->unicast != 0,
		.ttl_min = m->ttl_min,
		.n_peers = (uint16_t)m->n_peers,
	};
	if (m->has_auth)
		memcpy(i->codec.auth, m->auth, sizeof(i->codec.auth));
}

static int
take_instance(struct engine_conf_reader *r, const struct ipc_conf_instance *m)
{
	struct engine_gen *g = r->gen;
	struct engine_instance *i;

	if (g->n_instances >= r->totals.n_instances || !instance_valid(m) ||
	    r->n_addresses + m->n_addresses > r->totals.n_addresses ||
	    r->n_peers + m->n_peers > r->totals.n_peers || r->n_tracks + m->n_tracks > r->totals.n_tracks)
		return -EPROTO;
	i = &g->instances[g->n_instances];
	i->index = g->n_instances++;
	i->removed = i->index >= g->n_configured;
	i->told = ROLE_STATE_COUNT;
	fill_instance(i, m);
	if (m->mode == ELECT_MODE_VRRP)
		i->watch = watch_for(g, m->ifname, m->family, &m->unicast_source);
	else
		i->watch = watch_link(g, m->ifname); /* nothing is sent from there */
	i->keep_until_us = UINT64_MAX;
	i->addresses = r->addresses + r->n_addresses;
	i->codec.addrs = r->advertised + r->n_addresses;
	i->codec.peers = r->peers + r->n_peers;
	i->tracks = r->tracks + r->n_tracks;
	i->track_watches = r->track_watches + r->n_tracks;
	i->held = arena_take(g, m->n_addresses, sizeof(*i->held));
	i->claims.seen = arena_take(g, m->n_addresses, sizeof(*i->claims.seen));
	r->want_addresses = m->n_addresses;
	r->want_peers = m->n_peers;
	r->want_tracks = m->n_tracks;
	r->extra_seen = false;
	r->inst = i;
	return i->held == NULL || i->claims.seen == NULL ? -ENOMEM : 0;
}

static int
take_address(struct engine_conf_reader *r, const struct ipc_conf_address *m)
{
	struct vrrp_codec *c = &r->inst->codec;
	struct engine_address *a = &r->addresses[r->n_addresses];

	if (r->want_addresses == 0 || ip_family_size(m->prefix.addr.family) == 0 ||
	    m->prefix.len > ip_family_size(m->prefix.addr.family) * 8 || !is_text(m->ifname, sizeof(m->ifname)))
		return -EPROTO;
	if (m->extra) {
		r->extra_seen = true;
	} else {
		bool vrrp = r->inst->conf.mode == ELECT_MODE_VRRP;

		if (r->extra_seen ||
		    (vrrp && (m->prefix.addr.family != c->family || c->n_addrs == LIMIT_ADVERT_ADDRESSES)))
			return -EPROTO;
		c->n_addrs += vrrp;
	}
	a->prefix = m->prefix;
	a->watch = watch_link(r->gen, m->ifname);
	r->advertised[r->n_addresses] = m->prefix.addr;
	r->n_addresses++;
	r->want_addresses--;
	return 0;
}

static int
take_peer(struct engine_conf_reader *r, const struct ipc_conf_peer *m)
{
	if (r->want_addresses > 0 || r->want_peers == 0 || m->addr.family != r->inst->codec.family)
		return -EPROTO;
	r->peers[r->n_peers++] = m->addr;
	r->want_peers--;
	return 0;
}

static int
take_track(struct engine_conf_reader *r, const struct ipc_conf_track *m)
{
	struct engine_instance *i = r->inst;
	struct elect_track_conf *t;

	if (r->want_peers > 0 || r->want_tracks == 0 || !is_text(m->name, sizeof(m->name)) ||
	    m->check >= LIMIT_CHECKS || m->on_stale >= IPC_POLICY_COUNT || m->weight < -253 || m->weight > 253)
		return -EPROTO;
	t = &i->conf.tracks[i->conf.n_tracks - r->want_tracks];
	t->is_interface = m->is_interface != 0;
	t->has_weight = m->has_weight != 0;
	t->inverted = m->inverted != 0;
	t->weight = m->weight;
	memcpy(t->name, m->name, sizeof(t->name));
	r->tracks[r->n_tracks] = *m;
	r->track_watches[r->n_tracks] = t->is_interface ? watch_link(r->gen, m->name) : ENGINE_NO_INDEX;
	if (!t->is_interface) {
		r->gen->n_checks = MAX(r->gen->n_checks, m->check + 1);
		r->gen->checks[m->check] = (struct engine_check){
			.used = true,
			.stale_after_us = m->stale_after_us,
			.on_stale = m->on_stale,
			.state = ELECT_TRACK_PENDING,
		};
	}
	r->n_tracks++;
	r->want_tracks--;
	return 0;
}

static void
set_destination(struct engine_datagram *d, const struct ip_addr *a)
{
	memset(&d->dst, 0, sizeof(d->dst));
	if (a->family == IP_FAMILY_V4) {
		struct sockaddr_in *sin = (struct sockaddr_in *)&d->dst;

		sin->sin_family = AF_INET;
		memcpy(&sin->sin_addr, a->b, 4);
		d->dst_len = sizeof(*sin);
	} else {
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&d->dst;

		sin6->sin6_family = AF_INET6; /* the scope comes with the sockets (engine_tx.c) */
		memcpy(&sin6->sin6_addr, a->b, 16);
		d->dst_len = sizeof(*sin6);
	}
}

/*
 * A VRID may come again on a port: for other peers, and for an instance that only leaves while a new one
 * already has its VRID (a changed name). Adverts are for the one that stays, so those that leave are found
 * last.
 */
static void
chain_on(struct engine_port *p, struct engine_instance *i)
{
	struct engine_instance **at = &p->by_vrid[i->codec.vrid];

	while (i->removed && *at != NULL)
		at = &(*at)->next_same_vrid;
	i->next_same_vrid = *at;
	*at = i;
}

/* Addresses are counted now: room for the datagrams, and the instance's place on its port. */
static int
finish_instance(struct engine_gen *g, struct engine_instance *i)
{
	struct engine_port *p;
	size_t size = 40 + 8 + i->codec.n_addrs * ip_family_size(i->codec.family) + VRRP_AUTH_SIZE;
	struct ip_addr group = vrrp_group(i->codec.family);

	if (i->conf.mode != ELECT_MODE_VRRP) {
		i->port = ENGINE_NO_INDEX;
		return 0;
	}
	if (i->codec.n_addrs == 0)
		return -EPROTO;
	p = port_for(g, i);
	i->n_datagrams = i->codec.unicast ? i->codec.n_peers : 1;
	i->datagrams = arena_take(g, i->n_datagrams, sizeof(*i->datagrams));
	if (i->datagrams == NULL)
		return -ENOMEM;
	for (uint32_t n = 0; n < i->n_datagrams; n++) {
		set_destination(&i->datagrams[n], i->codec.unicast ? &i->codec.peers[n] : &group);
		i->datagrams[n].buf = arena_take(g, 1, size);
		if (i->datagrams[n].buf == NULL)
			return -ENOMEM;
		i->datagrams[n].len = (uint16_t)size;
	}
	p->multicast = p->multicast || !i->codec.unicast;
	chain_on(p, i);
	return 0;
}

static int
take_commit(struct engine_conf_reader *r, struct engine_gen **ret_gen)
{
	struct engine_gen *g = r->gen;

	if (g->n_instances != r->totals.n_instances || r->want_tracks > 0 || r->want_peers > 0 ||
	    r->want_addresses > 0 || r->n_addresses != r->totals.n_addresses)
		return -EPROTO;
	g->n_addresses = r->n_addresses;
	for (uint32_t n = 0; n < g->n_instances; n++) {
		int err = finish_instance(g, &g->instances[n]);

		if (err < 0)
			return err;
	}
	engine_index_fill(g);
	*ret_gen = TAKE(r->gen);
	return 1;
}

int
engine_conf_reader_take(struct engine_conf_reader *r, const union ipc_msg *m, struct engine_gen **ret_gen)
{
	if (m->h.type == IPC_CONF_BEGIN)
		return take_begin(r, &m->CONF_BEGIN);
	if (r->gen == NULL || m->h.gen != r->gen->gen)
		return -EPROTO;
	if (m->h.type == IPC_CONF_COMMIT)
		return take_commit(r, ret_gen);
	if (m->h.type == IPC_CONF_INSTANCE) {
		if (r->want_addresses > 0 || r->want_peers > 0 || r->want_tracks > 0)
			return -EPROTO;
		return take_instance(r, &m->CONF_INSTANCE);
	}
	if (r->inst == NULL)
		return -EPROTO;
	if (m->h.type == IPC_CONF_ADDRESS)
		return take_address(r, &m->CONF_ADDRESS);
	if (m->h.type == IPC_CONF_PEER)
		return take_peer(r, &m->CONF_PEER);
	if (m->h.type == IPC_CONF_TRACK)
		return take_track(r, &m->CONF_TRACK);
	return -EPROTO;
}
