/*
 * sim_keepalived.c - a peer that behaves like keepalived 2.x by the protocol reference: RFC 5798's checksum and no other
 * (version 3, IPv4), the advert first and then the addresses, no lifetimes, the address goes at once in Backup, an advert
 * and announcements against a lower Active.
 */
#include <string.h>

#include "proto/vrrp_timers.h"
#include "sim.h"

enum state { DOWN, BACKUP, MASTER };

struct sim_keepalived {
	enum state state;
	uint64_t timer; /* number of the one that counts */
	uint16_t heard_cs;
	struct vrrp_codec codec;
	struct ip_addr addrs[SIM_ADDRS], peers[SIM_NODES];
};

static const struct sim_conf *
conf(const struct sim_node *n)
{
	return &n->conf;
}

static void on_timer(void *arg, uint64_t number, uint64_t b);

static void
arm(struct sim_node *n, uint64_t us)
{
	uint64_t number = ++n->ka->timer;

	sim_at(sim_now + (uint64_t)((__int128)us * 1000000 / (1000000 + n->host->ppm)) + 20, on_timer, n, number, 0);
}

static uint64_t
down_us(const struct sim_node *n)
{
	return vrrp_down_us(sim->plan.version, conf(n)->priority, n->ka->heard_cs, 3);
}

static void
advert(struct sim_node *n, uint8_t priority)
{
	struct sim_keepalived *k = n->ka;
	struct ip_addr group = vrrp_group(sim->plan.family);
	uint8_t buf[256];

	for (unsigned i = 0; i < (sim->plan.unicast ? k->codec.n_peers : 1u); i++) {
		const struct ip_addr *dst = sim->plan.unicast ? &k->peers[i] : &group;
		int len = vrrp_packet_encode_ip(&k->codec, priority, VRRP_CHECKSUM_RFC5798, &n->source_addr, dst, buf, sizeof(buf));

		if (len > 0)
			sim_net_send(n, dst, buf, (size_t)len);
	}
}

static void
put(struct sim_node *n, bool there)
{
	for (unsigned i = 0; i < conf(n)->n_addrs; i++) {
		sim_kernel_put(n, i, there);
		if (there)
			sim_net_announce(n, i);
	}
}

static void
become_master(struct sim_node *n)
{
	sim_trace(n, "keepalived: MASTER");
	n->ka->state = MASTER;
	advert(n, conf(n)->priority);
	put(n, true);
	arm(n, conf(n)->adver_int_cs * (uint64_t)USEC_PER_CS);
}

static void
become_backup(struct sim_node *n)
{
	sim_trace(n, "keepalived: BACKUP");
	n->ka->state = BACKUP;
	put(n, false);
	arm(n, down_us(n));
}

static void
on_timer(void *arg, uint64_t number, uint64_t b)
{
	struct sim_node *n = arg;
	struct sim_keepalived *k = n->ka;

	(void)b;
	if (k->timer != number || k->state == DOWN)
		return;
	if (!sim_runs(n)) {
		sim_at(sim_now + 20 * SIM_MS, on_timer, n, number, 0);
		return;
	}
	if (!sim_link_up(n)) {
		arm(n, down_us(n));
		return;
	}
	if (k->state == BACKUP) {
		become_master(n);
		return;
	}
	advert(n, conf(n)->priority);
	arm(n, conf(n)->adver_int_cs * (uint64_t)USEC_PER_CS);
}

static void
in_backup(struct sim_node *n, const struct vrrp_advert *a)
{
	if (a->priority == 0) {
		arm(n, vrrp_skew_us(sim->plan.version, conf(n)->priority, n->ka->heard_cs));
	} else if (a->priority >= conf(n)->priority || !conf(n)->preempt) {
		if (sim->plan.version == 3)
			n->ka->heard_cs = a->adver_int_cs;
		arm(n, down_us(n));
	}
}

static void
in_master(struct sim_node *n, const struct vrrp_advert *a)
{
	if (a->priority == 0) {
		advert(n, conf(n)->priority);
	} else if (a->priority > conf(n)->priority ||
		   (a->priority == conf(n)->priority && ip_addr_cmp(&a->src, &n->source_addr) > 0)) {
		if (sim->plan.version == 3)
			n->ka->heard_cs = a->adver_int_cs;
		become_backup(n);
	} else {
		advert(n, conf(n)->priority);
		put(n, true);
	}
}

void
sim_keepalived_packet(struct sim_node *n, const struct sim_packet *p)
{
	struct vrrp_datagram d = {.src = {.family = IP_FAMILY_V6}, .dst = {.family = IP_FAMILY_V6}};
	struct vrrp_advert a;

	if (!sim_keepalived_active(n) || !sim_runs(n))
		return;
	if (sim->plan.family == IP_FAMILY_V4) {
		if (vrrp_packet_ipv4(p->data, p->len, &d) != VRRP_DROP_NONE)
			return;
	} else {
		memcpy(d.src.b, p->data + 8, 16);
		memcpy(d.dst.b, p->data + 24, 16);
		d.ttl = p->data[7];
		d.msg = p->data + 40;
		d.len = p->len - 40u;
	}
	if (vrrp_packet_check(&d, &n->ka->codec, &a) != VRRP_DROP_NONE)
		return;
	if (sim->plan.version == 3 && sim->plan.family == IP_FAMILY_V4 && a.form != VRRP_CHECKSUM_RFC5798)
		return;
	if (n->ka->state == BACKUP)
		in_backup(n, &a);
	else
		in_master(n, &a);
}

void
sim_keepalived_link(struct sim_node *n)
{
	if (n->ka != NULL && n->ka->state == MASTER && !sim_link_up(n) && n->suspends == 0)
		become_backup(n);
}

void
sim_keepalived_start(struct sim_node *n)
{
	struct sim_keepalived *k = n->ka;

	if (sim_keepalived_active(n))
		return;
	if (k == NULL)
		k = n->ka = sim_alloc(sizeof(*k));
	for (unsigned i = 0; i < SIM_ADDRS; i++)
		k->addrs[i] = sim_prefix(i).addr;
	k->codec = (struct vrrp_codec){.version = sim->plan.version, .family = sim->plan.family, .vrid = SIM_VRID,
				       .adver_int_cs = conf(n)->adver_int_cs, .unicast = sim->plan.unicast, .ttl_min = 255,
				       .n_addrs = conf(n)->n_addrs, .peers = k->peers, .addrs = k->addrs};
	for (unsigned i = 0; i < sim->plan.n_nodes; i++)
		if (i != n->id && sim->plan.unicast)
			k->peers[k->codec.n_peers++] = sim->nodes[i].source_addr;
	k->heard_cs = conf(n)->adver_int_cs;
	k->state = BACKUP;
	arm(n, down_us(n));
}

void
sim_keepalived_stop(struct sim_node *n, bool graceful)
{
	if (n->ka == NULL || n->ka->state == DOWN)
		return;
	if (graceful && n->ka->state == MASTER)
		advert(n, 0);
	n->ka->state = DOWN;
	for (unsigned i = 0; i < SIM_ADDRS; i++)
		sim_kernel_put(n, i, false);
}

bool
sim_keepalived_active(const struct sim_node *n)
{
	return n->ka != NULL && n->ka->state != DOWN;
}
