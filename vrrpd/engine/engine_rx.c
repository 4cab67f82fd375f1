/*
 * engine_rx.c - packets in: many at a time from the raw sockets, through every check, to their instance.
 *
 * Runs in the advert loop. A packet that fails a check is counted and nothing else, but for what an owner is sent.
 */
#include "engine/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "sys/log.h"

#define RX_BATCH      64
#define RX_SIZE	      (60 + VRRP_DATAGRAM_MAX) /* the largest IP header and message; more is no VRRP */
#define RX_CONTROL    (CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct in6_pktinfo)))
#define READY_BATCHES 4 /* per wake-up: adverts of our own must get their turn */
/*
 * On a busy segment (255 virtual routers at 10 ms are 25,500 packets a second) a wake-up for each few packets
 * costs more than the packets: with more than BUSY_PACKETS in the last window, look again only after a pause.
 * Timers that depend on hearing drain the sockets themselves.
 */
#define BUSY_WINDOW_US (10 * USEC_PER_MS)
#define BUSY_PACKETS   64
#define BUSY_PAUSE_US  USEC_PER_MS
#define STRAY_BATCHES  1
#define STRAY_PAUSE_US (10 * USEC_PER_MS) /* at most 6400 stray packets a second are looked at */

struct engine_rx {
	struct mmsghdr msgs[RX_BATCH];
	struct iovec iovs[RX_BATCH];
	struct sockaddr_in6 names[RX_BATCH];
	uint8_t control[RX_BATCH][RX_CONTROL];
	uint8_t data[RX_BATCH][RX_SIZE];
};

struct engine_rx *
engine_rx_new(void)
{
	return calloc(1, sizeof(struct engine_rx));
}

void
engine_rx_free(struct engine_rx *r)
{
	free(r);
}

static void
prepare(struct engine_rx *r, uint8_t family)
{
	for (unsigned k = 0; k < RX_BATCH; k++) {
		r->iovs[k] = (struct iovec){.iov_base = r->data[k], .iov_len = RX_SIZE};
		r->msgs[k].msg_hdr = (struct msghdr){.msg_iov = &r->iovs[k], .msg_iovlen = 1};
		if (family == IP_FAMILY_V4)
			continue;
		/* A raw IPv6 socket delivers no header: addresses and hop limit come beside the data. */
		r->msgs[k].msg_hdr.msg_name = &r->names[k];
		r->msgs[k].msg_hdr.msg_namelen = sizeof(r->names[k]);
		r->msgs[k].msg_hdr.msg_control = r->control[k];
		r->msgs[k].msg_hdr.msg_controllen = RX_CONTROL;
	}
}

static void
take_ipv6(struct msghdr *mh, const uint8_t *data, size_t n, struct vrrp_datagram *ret)
{
	const struct sockaddr_in6 *from = mh->msg_name;
	struct cmsghdr *c;

	*ret = (struct vrrp_datagram){
		.src = ip_addr_from(IP_FAMILY_V6, from->sin6_addr.s6_addr),
		.dst = {.family = IP_FAMILY_V6},
		.msg = data,
		.len = n,
	};
	for (c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != IPPROTO_IPV6)
			continue;
		if (c->cmsg_type == IPV6_HOPLIMIT) {
			int hops;

			memcpy(&hops, CMSG_DATA(c), sizeof(hops));
			ret->ttl = (uint8_t)hops;
		} else if (c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			ret->dst = ip_addr_from(IP_FAMILY_V6, info.ipi6_addr.s6_addr);
		}
	}
}

/* The virtual router of a packet: on a port with one VRID twice, the one that has the sender among its peers.
 */
static struct engine_instance *
find_instance(const struct engine_port *p, const struct vrrp_datagram *d)
{
	struct engine_instance *first = p->by_vrid[vrrp_packet_peek_vrid(d)];

	if (first == NULL || first->next_same_vrid == NULL)
		return first;
	for (struct engine_instance *i = first; i != NULL; i = i->next_same_vrid) {
		for (uint32_t n = 0; n < i->codec.n_peers; n++)
			if (ip_addr_equal(&i->codec.peers[n], &d->src))
				return i;
		if (!i->codec.unicast && ip_addr_is_multicast(&d->dst))
			return i;
	}
	return first;
}

static void
count_accepted(struct engine_instance *i, const struct vrrp_advert *adv)
{
	struct ipc_counters *c = &i->counters;

	c->adverts_received++;
	c->zero_received += adv->priority == 0;
	c->interval_differs += adv->interval_differs;
	c->addresses_differ += adv->addresses_differ;
	c->first_not_link_local += adv->first_not_link_local;
	if (adv->version == 3 && adv->src.family == IP_FAMILY_V4)
		c->alt_checksum += adv->form != i->elect.form;
}

#define OWNER_TELL_US (60 * USEC_PER_SEC) /* another owner is told of this often */
#define DIFFER_MIN_US USEC_PER_SEC /* one look a second: it takes a while with many addresses */

/* Which addresses differ, for status. */
static void
note_difference(struct engine_instance *i, const struct vrrp_datagram *d, const struct vrrp_advert *adv, mono_t now)
{
	struct engine_differ *f = &i->differ;

	if (!adv->addresses_differ) {
		if (ip_addr_equal(&f->peer, &adv->src))
			*f = (struct engine_differ){0};
		return;
	}
	if (f->peer.family != IP_FAMILY_NONE && mono_since(now, f->at) < DIFFER_MIN_US)
		return;
	f->peer = adv->src;
	f->at = now;
	vrrp_packet_differ(d, &i->codec, &f->missing, &f->foreign);
}

/* What others send to the owner of the addresses. Two owners are a mistake that never ends by itself. */
static void
take_as_owner(struct engine *e, struct engine_instance *i, const struct vrrp_advert *adv, mono_t now)
{
	struct elect_event ev = {.kind = ELECT_EVENT_ADVERT, .advert = adv};
	char src[IP_ADDR_TEXT];

	if (adv->priority == VRRP_PRIORITY_OWNER && i->elect.state == ROLE_STATE_ACTIVE &&
	    (i->owner_told.us == 0 || mono_since(now, i->owner_told) >= OWNER_TELL_US)) {
		i->owner_told = now;
		ip_addr_format(&adv->src, src);
		log_warning("%s: %s has priority 255, too: both own the addresses and neither yields; give one of them a "
			    "lower priority",
			    i->conf.name, src);
	}
	engine_event(e, i, &ev, now);
}

static void
take_packet(struct engine *e, struct engine_port *p, struct msghdr *mh, const uint8_t *data, size_t n,
	    mono_t now)
{
	struct engine_instance *i = NULL;
	struct elect_event ev = {.kind = ELECT_EVENT_ADVERT};
	struct vrrp_datagram d = {0};
	enum vrrp_drop drop = VRRP_DROP_NONE;
	struct vrrp_advert adv;

	if (mh->msg_flags & MSG_TRUNC)
		drop = VRRP_DROP_TRUNCATED;
	else if (p->family == IP_FAMILY_V4)
		drop = vrrp_packet_ipv4(data, n, &d);
	else
		take_ipv6(mh, data, n, &d);
	if (drop == VRRP_DROP_NONE) {
		i = find_instance(p, &d);
		d.own = ip_addr_equal(&d.src, i != NULL ? &i->elect.source : &e->gen->watches[p->watch].source);
		drop = vrrp_packet_check(&d, i != NULL ? &i->codec : NULL, &adv);
	}
	if (drop != VRRP_DROP_NONE) {
		if (i != NULL)
			i->counters.discarded[drop]++;
		else
			e->discarded[drop]++;
		if (drop == VRRP_DROP_OWNER && adv.src.family != IP_FAMILY_NONE)
			take_as_owner(e, i, &adv, now);
		return;
	}
	count_accepted(i, &adv);
	note_difference(i, &d, &adv, now);
	ev.advert = &adv;
	engine_event(e, i, &ev, now);
}

/* Returns how many packets were waiting, at most one batch. */
static unsigned
receive_batch(struct engine *e, struct engine_port *p, int fd, mono_t now)
{
	struct engine_rx *r = e->rx;
	int n;

	prepare(r, p->family);
	n = recvmmsg(fd, r->msgs, RX_BATCH, MSG_DONTWAIT, NULL);
	for (int k = 0; k < n; k++)
		take_packet(e, p, &r->msgs[k].msg_hdr, r->data[k], r->msgs[k].msg_len, now);
	return n > 0 ? (unsigned)n : 0;
}

static void
measure(struct engine_port *p, unsigned n, mono_t now)
{
	usec_t age = mono_since(now, p->window);

	if (age >= BUSY_WINDOW_US) {
		p->before = age < 2 * BUSY_WINDOW_US ? p->in_window : 0;
		p->in_window = 0;
		p->window = now;
	}
	p->in_window += n;
}

void
engine_rx_drain(struct engine *e, struct engine_port *p, unsigned batches)
{
	mono_t now = loop_now(e->loop);

	for (unsigned b = 0; b < batches && p->fd >= 0; b++) {
		unsigned n = receive_batch(e, p, p->fd, now);

		measure(p, n, now);
		if (n < RX_BATCH)
			break;
	}
}

static struct engine_port *
port_of(struct engine *e, int fd)
{
	for (uint32_t n = 0; n < e->gen->n_ports; n++)
		if (e->gen->ports[n].fd == fd || e->gen->ports[n].stray_fd == fd)
			return &e->gen->ports[n];
	return NULL;
}

void
engine_rx_ready(void *arg, int fd, bool readable, bool writable)
{
	struct engine *e = arg;
	struct engine_port *p = port_of(e, fd);

	(void)readable;
	(void)writable;
	if (p == NULL)
		return;
	engine_notice_suspend(e);
	if (fd == p->stray_fd) {
		engine_rx_stray(e, p);
		return;
	}
	engine_rx_drain(e, p, READY_BATCHES);
	if (p->before >= BUSY_PACKETS) {
		loop_io_want(p->io, false, false);
		loop_timer_set(e->rx_timer, mono_add(loop_now(e->loop), BUSY_PAUSE_US));
	}
	engine_tx_flush(e, loop_now(e->loop));
	engine_arm(e);
}

void
engine_rx_resume(void *arg, mono_t now)
{
	struct engine *e = arg;

	engine_notice_suspend(e);
	for (uint32_t n = 0; n < e->gen->n_ports; n++) {
		struct engine_port *p = &e->gen->ports[n];

		if (p->io == NULL)
			continue;
		engine_rx_drain(e, p, READY_BATCHES);
		loop_io_want(p->io, true, false);
	}
	engine_tx_flush(e, now);
	engine_arm(e);
}

void
engine_rx_stray(struct engine *e, struct engine_port *p)
{
	mono_t now = loop_now(e->loop);

	for (unsigned b = 0; b < STRAY_BATCHES; b++)
		receive_batch(e, p, p->stray_fd, now);
	/* Whoever floods us with foreign packets fills a small queue, not our time. */
	loop_io_want(p->stray_io, false, false);
	loop_timer_set(e->stray_timer, mono_add(now, STRAY_PAUSE_US));
}
