/*
 * parent_config.c - the configuration as a generation of messages for the engine and the agent (ipc_msg.h).
 *
 * The engine gets no checks' commands, the agent no passwords.
 */
#include "parent/parent.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "elect/elect.h"
#include "ipc/ipc_memory.h"

/* A child takes its configuration at once or not at all; 2 s is a hundred times what it needs. */
#define SEND_MAX_MS 2000

_Static_assert((int)CFG_CHECKSUM_RFC5798 == (int)ELECT_CHECKSUM_RFC5798,
	       "the option's words and the election's agree");
_Static_assert((int)CFG_MODE_LEASE == (int)ELECT_MODE_LEASE, "modes agree");
_Static_assert((int)CFG_STORE_LOSS_PATRONI == (int)ELECT_STORE_LOSS_PATRONI, "policies agree");
_Static_assert((int)CFG_CHECK_KIND_COUNT == (int)IPC_CHECK_KIND_COUNT, "kinds of checks agree");
_Static_assert((int)CFG_INITIAL_DOWN == (int)IPC_CHECK_DOWN, "verdicts agree");
_Static_assert((int)CFG_WEIGHT_FROM_OUTPUT == (int)IPC_WEIGHT_FROM_OUTPUT, "sources of weights agree");
_Static_assert((int)CFG_POLICY_HOLD == (int)IPC_POLICY_HOLD, "policies agree");

int
parent_send_one(struct parent_child *c, uint32_t gen, enum ipc_type type, void *msg, int fd)
{
	struct ipc_head *h = msg;
	int r;

	h->gen = gen;
	while ((r = ipc_chan_send(&c->chan, type, msg, fd)) == -EAGAIN) {
		struct pollfd pfd = {.fd = c->chan.fd, .events = POLLOUT};
		int n = poll(&pfd, 1, SEND_MAX_MS);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ETIMEDOUT;
	}
	return r;
}

bool
parent_same_router(const struct cfg_instance *a, const struct cfg_instance *b)
{
	return strcmp(a->name, b->name) == 0 && a->mode == b->mode && a->family == b->family &&
	       strcmp(a->interface, b->interface) == 0;
}

/* Does an instance of the configuration before not go on in the present one? */
static bool
is_removed(const struct parent *p, const struct cfg_instance *old)
{
	for (size_t n = 0; n < p->cfg->n_instances; n++)
		if (parent_same_router(&p->cfg->instances[n], old))
			return false;
	return true;
}

/* An engine that runs on is told of what is removed, so that it leaves in order. */
static const struct cfg *
removed_from(const struct parent *p, const struct parent_child *c)
{
	return c->kind == PARENT_ENGINE && c->ready ? p->old_cfg : NULL;
}

static int
send_begin(struct parent *p, struct parent_child *c)
{
	const struct cfg *cfg = p->cfg, *old = removed_from(p, c);
	struct ipc_conf_begin m = {
		.n_checks = c->kind == PARENT_AGENT ? (uint32_t)cfg->n_checks : 0,
		.n_instances = (uint32_t)cfg->n_instances,
		.last_will = c->last_will,
		.realtime_priority = cfg->engine.realtime_priority,
		.address_lifetime_s = (uint32_t)(cfg->engine.address_lifetime / USEC_PER_SEC),
		.lock_memory = cfg->engine.lock_memory,
		.n_events = (uint32_t)cfg->control.events,
	};

	str_copy(m.node, sizeof(m.node), cfg->node);
	for (size_t n = 0; n < cfg->n_instances; n++) {
		const struct cfg_instance *i = &cfg->instances[n];

		m.n_addresses += (uint32_t)(i->n_addresses + i->n_extra);
		m.n_peers += (uint32_t)i->n_peers;
		m.n_tracks += (uint32_t)i->n_tracks;
		m.n_hooks += parent_hooks_count(cfg, i);
		m.n_services += (uint32_t)i->n_services;
	}
	m.n_own_hooks = parent_hooks_count(cfg, NULL);
	m.n_hooks += m.n_own_hooks;
	for (size_t n = 0; old != NULL && n < old->n_instances; n++) {
		const struct cfg_instance *i = &old->instances[n];

		if (!is_removed(p, i))
			continue;
		m.n_instances++;
		m.n_removed++;
		m.n_addresses += (uint32_t)(i->n_addresses + i->n_extra);
		m.n_peers += (uint32_t)i->n_peers;
	}
	return parent_send_one(c, p->gen, IPC_CONF_BEGIN, &m, -1);
}

static int
count_option(void *arg, const char *path, const char *text)
{
	uint16_t *n = arg;

	(void)path;
	(void)text;
	++*n;
	return 0;
}

struct option_sender {
	struct parent *p;
	struct parent_child *c;
};

static int
send_option(void *arg, const char *path, const char *text)
{
	const struct option_sender *s = arg;
	struct ipc_conf_option m = {.len = (uint16_t)strlen(text)};
	int r;

	if (strlen(text) >= sizeof(m.text))
		return -E2BIG;
	str_copy(m.path, sizeof(m.path), path);
	memcpy(m.text, text, m.len);
	r = parent_send_one(s->c, s->p->gen, IPC_CONF_OPTION, &m, -1);
	explicit_bzero(m.text, sizeof(m.text)); /* it may have been a secret */
	return r;
}

/* Of an agent that is started anew: was the check up, as the engine remembers it? */
static bool
was_up(const struct parent *p, const struct parent_child *c, const struct cfg_check *k)
{
	struct ipc_memory *m = k->warmup > 0 && !c->settled ? ipc_memory_map(p->memory_fd) : NULL;
	struct ipc_memory_check found;
	bool up = m != NULL && ipc_memory_check(m, k->name, &found) && found.state == ELECT_TRACK_UP;

	ipc_memory_unmap(m);
	return up;
}

static int
send_check(struct parent *p, struct parent_child *c, const struct cfg_check *k)
{
	struct ipc_conf_check m = {
		.interval_us = k->interval,
		.timeout_us = k->timeout,
		.rise = (uint16_t)k->rise,
		.fall = (uint16_t)k->fall,
		.kind = (uint8_t)k->kind,
		.on_timeout = (uint8_t)k->on_timeout,
		.on_stale = (uint8_t)k->on_stale,
		.n_command = (uint8_t)k->n_command,
		.initial = (uint8_t)k->initial,
		.weight_from = (uint8_t)k->weight_from,
		.decay_us = k->decay,
		.warmup_us = k->warmup,
		.scale = (int16_t)k->scale,
		.hysteresis = (uint8_t)k->hysteresis,
		.was_up = was_up(p, c, k),
	};
	struct option_sender sender = {.p = p, .c = c};
	size_t used = 0;
	int r;

	str_copy(m.name, sizeof(m.name), k->name);
	str_copy(m.user, sizeof(m.user), k->user != NULL ? k->user : "");
	for (size_t n = 0; n < k->n_command; n++) {
		size_t len = strlen(k->command[n]) + 1;

		if (used + len > sizeof(m.command))
			return -E2BIG;
		memcpy(m.command + used, k->command[n], len);
		used += len;
	}
	(void)cfg_check_options(k, count_option, &m.n_options);
	r = parent_send_one(c, p->gen, IPC_CONF_CHECK, &m, -1);
	return r < 0 ? r : cfg_check_options(k, send_option, &sender);
}

static void
fill_instance(const struct cfg_instance *i, bool secrets, struct ipc_conf_instance *m)
{
	*m = (struct ipc_conf_instance){
		.preempt_delay_us = i->preempt_delay,
		.start_delay_us = i->start_delay,
		.garp_delay_us = i->garp_delay,
		.garp_refresh_us = i->garp_refresh,
		.garp_interval_us = i->garp_interval,
		.enter_us = parent_hooks_enter_us(i),
		.leave_us = parent_hooks_leave_us(i),
		.n_addresses = (uint32_t)(i->n_addresses + i->n_extra),
		.n_peers = (uint32_t)i->n_peers,
		.n_tracks = (uint32_t)i->n_tracks,
		.adver_int_cs = (uint16_t)(i->advert_interval / USEC_PER_CS),
		.mode = (uint8_t)i->mode,
		.on_store_loss = (uint8_t)i->on_store_loss,
		.arbiter = i->mode == CFG_MODE_VRRP && i->arbiter.present,
		.version = (uint8_t)i->version,
		.family = i->family,
		.vrid = (uint8_t)i->vrid,
		.priority = (uint8_t)i->priority,
		.preempt = i->preempt,
		.down_adverts = (uint8_t)i->down_adverts,
		.checksum = (uint8_t)i->v3_checksum,
		.garp_repeat = (uint8_t)i->garp_repeat,
		.reset_connections = i->reset_connections,
		.unicast = i->n_peers > 0,
		.ttl_min = (uint8_t)i->unicast_ttl_min,
		.unicast_source = i->unicast_source,
	};
	if (m->arbiter)
		m->on_store_loss = i->arbiter_holds ? ELECT_STORE_LOSS_PATRONI : ELECT_STORE_LOSS_HOLD_LEASE;
	str_copy(m->name, sizeof(m->name), i->name);
	str_copy(m->ifname, sizeof(m->ifname), i->interface);
	if (secrets && i->auth_pass != NULL) {
		m->has_auth = 1;
		memcpy(m->auth, i->auth_pass, MIN(strlen(i->auth_pass), sizeof(m->auth)));
	}
}

static int
send_addresses(struct parent *p, struct parent_child *c, const struct cfg_address *v, size_t n, bool extra)
{
	int r = 0;

	for (size_t k = 0; r == 0 && k < n; k++) {
		struct ipc_conf_address m = {.prefix = v[k].prefix, .extra = extra};

		str_copy(m.ifname, sizeof(m.ifname), v[k].interface);
		r = parent_send_one(c, p->gen, IPC_CONF_ADDRESS, &m, -1);
	}
	return r;
}

static int
send_track(struct parent *p, struct parent_child *c, const struct cfg_track *t)
{
	struct ipc_conf_track m = {
		.is_interface = t->is_interface,
		.has_weight = t->has_weight,
		.inverted = t->inverted,
		.weight = (int16_t)t->weight,
	};

	str_copy(m.name, sizeof(m.name), t->name);
	for (size_t n = 0; !t->is_interface && n < p->cfg->n_checks; n++) {
		const struct cfg_check *k = &p->cfg->checks[n];

		if (strcmp(k->name, t->name) != 0)
			continue;
		m.check = (uint32_t)n;
		m.on_stale = (uint8_t)k->on_stale;
		m.stale_after_us = ipc_stale_after_us(k->interval, k->timeout);
	}
	return parent_send_one(c, p->gen, IPC_CONF_TRACK, &m, -1);
}

/* A removed instance only leaves: what it tracked does not matter any more. */
static int
send_instance(struct parent *p, struct parent_child *c, const struct cfg_instance *i, bool removed)
{
	const struct cfg_leader *leader = cfg_leader_of(i);
	struct ipc_conf_instance m;
	int r;

	fill_instance(i, c->kind == PARENT_ENGINE, &m);
	m.n_hooks = parent_hooks_count(p->cfg, i);
	m.n_services = (uint32_t)i->n_services;
	if (leader != NULL && c->kind == PARENT_AGENT)
		(void)cfg_leader_options(leader, count_option, &m.n_options);
	if (removed)
		m.n_tracks = 0;
	r = parent_send_one(c, p->gen, IPC_CONF_INSTANCE, &m, -1);
	if (r == 0)
		r = send_addresses(p, c, i->addresses, i->n_addresses, false);
	if (r == 0)
		r = send_addresses(p, c, i->extra_addresses, i->n_extra, true);
	for (size_t n = 0; r == 0 && n < i->n_peers; n++) {
		struct ipc_conf_peer peer = {.addr = i->peers[n]};

		r = parent_send_one(c, p->gen, IPC_CONF_PEER, &peer, -1);
	}
	for (size_t n = 0; r == 0 && n < m.n_tracks; n++)
		r = send_track(p, c, &i->tracks[n]);
	if (r == 0 && c->kind == PARENT_AGENT)
		r = parent_hooks_send(p, c, i);
	if (r == 0 && m.n_options > 0)
		r = cfg_leader_options(leader, send_option, &(struct option_sender){.p = p, .c = c});
	return r;
}

/* The printed configuration for GET /v1/config, passwords masked, as a descriptor. */
static int
send_text(struct parent *p, struct parent_child *c)
{
	struct ipc_conf_text m = {0};
	int fd = memfd_create("vrrpd-config", MFD_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(dup(fd), "w");
	long size;
	int r;

	if (f == NULL) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	r = cfg_print_public(p->cfg, f);
	size = ftell(f);
	if (fclose(f) != 0 && r == 0)
		r = -EIO;
	m.size = (uint32_t)size;
	if (r == 0)
		r = parent_send_one(c, p->gen, IPC_CONF_TEXT, &m, fd);
	close(fd);
	return r;
}

int
parent_send_config(struct parent *p, struct parent_child *c)
{
	struct ipc_conf_commit commit = {0};
	const struct cfg *cfg = p->cfg, *old = removed_from(p, c);
	int r = send_begin(p, c);

	if (r == 0 && c->kind == PARENT_AGENT)
		r = parent_hooks_send(p, c, NULL);
	for (size_t n = 0; r == 0 && c->kind == PARENT_AGENT && n < cfg->n_checks; n++)
		r = send_check(p, c, &cfg->checks[n]);
	for (size_t n = 0; r == 0 && n < cfg->n_instances; n++)
		r = send_instance(p, c, &cfg->instances[n], false);
	for (size_t n = 0; r == 0 && old != NULL && n < old->n_instances; n++)
		if (is_removed(p, &old->instances[n]))
			r = send_instance(p, c, &old->instances[n], true);
	if (r == 0)
		r = parent_send_one(c, p->gen, IPC_CONF_COMMIT, &commit, -1);
	if (r == 0 && c->kind == PARENT_AGENT)
		r = send_text(p, c);
	return r;
}
