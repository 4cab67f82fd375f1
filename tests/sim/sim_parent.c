/*
 * sim_parent.c - vrrpd itself, and the operator: engines started, stopped, lost and started again, configurations, commands.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/ipc_memory.h"
#include "sim.h"

#define FD_BASE	    100000
#define STALE_US    (3 * SIM_SEC)
#define OPERATOR_US (200 * SIM_MS)

static const char *
name_of(const struct sim_conf *c)
{
	return c->renamed ? "vip2" : "vip";
}

/* ---- a configuration as messages ---- */

static void
send_instance(struct sim_node *n, const struct sim_conf *c, bool removed)
{
	const struct sim_plan *p = &sim->plan;
	const struct sim_host *h = n->host;
	bool tracks = h->has_check && !removed; /* as parent_config.c does it */
	struct ipc_conf_instance m = {
		.h.gen = n->gen,
		.preempt_delay_us = c->preempt_delay_us,
		.start_delay_us = h->start_delay_us,
		.garp_delay_us = 5 * SIM_SEC,
		.enter_us = h->enter_us,
		.leave_us = h->leave_us,
		.n_addresses = c->n_addrs,
		.n_peers = p->unicast ? p->n_nodes - 1u : 0,
		.n_tracks = tracks,
		.on_store_loss = p->on_store_loss,
		.arbiter = p->arbiter,
		.adver_int_cs = c->adver_int_cs,
		.mode = p->mode,
		.version = p->version,
		.family = p->family,
		.vrid = SIM_VRID,
		.priority = c->priority,
		.preempt = c->preempt,
		.down_adverts = p->down_adverts,
		.checksum = h->checksum,
		.garp_repeat = 5,
		.unicast = p->unicast,
		.ttl_min = 255,
	};

	strcpy(m.name, name_of(c));
	strcpy(m.ifname, "eth0");
	sim_chan_push(n, &n->parent, IPC_CONF_INSTANCE, &m, -1);
	for (unsigned i = 0; i < c->n_addrs; i++) {
		struct ipc_conf_address a = {.h.gen = n->gen, .prefix = sim_prefix(i), .ifname = "eth0"};

		sim_chan_push(n, &n->parent, IPC_CONF_ADDRESS, &a, -1);
	}
	for (unsigned i = 0; p->unicast && i < p->n_nodes; i++) {
		struct ipc_conf_peer a = {.h.gen = n->gen, .addr = sim->nodes[i].source_addr};

		if (i != n->id)
			sim_chan_push(n, &n->parent, IPC_CONF_PEER, &a, -1);
	}
	if (tracks) {
		struct ipc_conf_track t = {.h.gen = n->gen, .has_weight = h->check_weighs, .weight = h->weight,
					   .stale_after_us = STALE_US, .name = "chk"};

		sim_chan_push(n, &n->parent, IPC_CONF_TRACK, &t, -1);
	}
}

/* `old`: an instance that is not configured any more, or NULL. */
static void
send_conf(struct sim_node *n, const struct sim_conf *old)
{
	const struct sim_plan *p = &sim->plan;
	unsigned instances = 1 + (old != NULL);
	struct ipc_conf_begin m = {
		.h.gen = ++n->gen,
		.n_instances = instances,
		.n_removed = old != NULL,
		.n_addresses = n->conf.n_addrs + (old != NULL ? old->n_addrs : 0u),
		.n_peers = p->unicast ? instances * (p->n_nodes - 1u) : 0,
		.n_tracks = n->host->has_check,
		.address_lifetime_s = p->lifetime_s,
		.node = "node",
	};
	struct ipc_conf_commit commit = {.h.gen = n->gen};

	sim_chan_push(n, &n->parent, IPC_CONF_BEGIN, &m, -1);
	send_instance(n, &n->conf, false);
	if (old != NULL)
		send_instance(n, old, true);
	sim_chan_push(n, &n->parent, IPC_CONF_COMMIT, &commit, -1);
	n->ready = false;
}

/* ---- engines ---- */

static void
start_engine(struct sim_node *n)
{
	struct ipc_memory_fd memory = {0};

	if (n->engine_up)
		return;
	n->life++;
	n->fd_main = n->fd_stray = n->fd_claim = n->fd_agent = 0;
	n->fd_parent = FD_BASE + n->next_fd++;
	n->turn_due = n->turn_waits = false;
	n->handed = n->handed_corrupt = n->sent = 0;
	n->n_claims = 0;
	n->counted = true;
	n->reload_waits = false;
	n->e = calloc(1, sizeof(*n->e));
	sim_current = n;
	n->engine_up = true;
	sim->engine_starts++;
	sim_trace(n, "engine starts");
	engine_open(n->e, n->fd_parent);
	if (n->memfd > 0)
		sim_chan_push(n, &n->parent, IPC_MEMORY, &memory, dup(n->memfd));
	send_conf(n, NULL);
	sim_parent_link_agent(n);
}

void
sim_parent_link_agent(struct sim_node *n)
{
	struct ipc_link m = {0};

	if (n->agent_state == NULL || !n->engine_up)
		return;
	n->fd_agent = FD_BASE + n->next_fd++;
	sim_chan_clear(&n->agent);
	sim_chan_push(n, &n->parent, IPC_LINK, &m, n->fd_agent);
}

void
sim_node_destroy(struct sim_node *n)
{
	if (!n->engine_up)
		return;
	sim_check_counters(n);
	sim_current = n;
	engine_close(n->e);
	free(TAKE(n->e));
	n->engine_up = false;
	n->life++;
	n->answers = n->answers_last = NULL;
	for (struct sim_msg *m = n->parent.first; m != NULL; m = m->next)
		if (m->fd >= 0 && m->fd < FD_BASE)
			close(m->fd);
	sim_chan_clear(&n->parent);
	sim_chan_clear(&n->agent);
	sim_pipe_clear(&n->rx);
	sim_pipe_clear(&n->stray);
}

static void
forget_memory(struct sim_node *n)
{
	if (n->memfd > 0)
		close(n->memfd);
	n->memfd = ipc_memory_create();
}

static void
flush(struct sim_node *n)
{
	for (unsigned i = 0; i < SIM_ADDRS; i++)
		if (n->addrs[i].marked)
			sim_kernel_remove(n, i);
}

static void
restart(void *arg, uint64_t life, uint64_t b)
{
	struct sim_node *n = arg;

	(void)b;
	if (n->life != life || n->engine_up)
		return;
	if (!sim_runs(n)) {
		sim_at(sim_now + 20 * SIM_MS, restart, n, life, 0);
		return;
	}
	if (n->wanted)
		start_engine(n);
	else
		flush(n); /* it was to end: vrrpd removes what is left */
}

void
sim_parent_start(struct sim_node *n)
{
	n->wanted = true;
	if (n->host->keepalived) {
		sim_keepalived_start(n);
		return;
	}
	if (n->engine_up)
		return; /* it still stops: then */
	forget_memory(n);
	sim_agent_start(n);
	start_engine(n);
}

void
sim_parent_crash(struct sim_node *n, uint64_t back_after)
{
	if (!n->engine_up)
		return;
	sim_trace(n, "engine crashes");
	sim_node_destroy(n);
	sim_at(sim_now + back_after, restart, n, n->life, 0);
	sim_check_changed();
}

void
sim_parent_kill(struct sim_node *n)
{
	n->wanted = n->stopping = false;
	if (n->host->keepalived) {
		sim_keepalived_stop(n, false);
		return;
	}
	sim_trace(n, "everything killed");
	sim_node_destroy(n);
	n->life++;
	sim_agent_stop(n);
	sim_check_changed();
}

void
sim_parent_stop(struct sim_node *n)
{
	struct ipc_stop m = {0};

	n->wanted = false;
	if (n->host->keepalived) {
		sim_keepalived_stop(n, true);
		return;
	}
	n->stopping = n->engine_up;
	if (n->engine_up)
		sim_chan_push(n, &n->parent, IPC_STOP, &m, -1);
	else
		sim_agent_stop(n);
}

void
sim_parent_ended(struct sim_node *n)
{
	sim_trace(n, "engine ended");
	sim_node_destroy(n);
	n->stopping = false;
	sim_agent_stop(n);
	for (unsigned i = 0; i < SIM_ADDRS; i++)
		if (n->addrs[i].there && n->addrs[i].marked && n->slow_kernel == 0)
			sim_violation("left-behind", "node %u ended in order and left address %u", n->id, i);
	flush(n);
	if (n->wanted)
		sim_parent_start(n);
	sim_check_changed();
}

static void
reload_now(struct sim_node *n, const struct sim_conf *next)
{
	struct sim_conf old = n->conf;
	bool other = old.renamed != next->renamed;

	n->conf = *next;
	n->counted = n->counted && !other;
	send_conf(n, other ? &old : NULL);
	if (other)
		sim_agent_rename(n);
}

static void
ready(void *arg, uint64_t life, uint64_t b)
{
	struct sim_node *n = arg;

	(void)b;
	if (n->life == life)
		n->ready = true;
}

void
sim_parent_ready(struct sim_node *n)
{
	sim_at(sim_now + 200, ready, n, n->life, 0);
}

static void
try_reload(void *arg, uint64_t packed, uint64_t number)
{
	struct sim_node *n = arg;
	struct sim_conf next = sim_plan_reload(&sim->plan, &n->conf, (uint32_t)packed);

	(void)number;
	/* vrrpd waits for one generation before it sends the next; a stopped one reads its file when it starts. */
	if (n->engine_up && (!n->ready || n->stopping)) {
		sim_at(sim_now + 20 * SIM_MS, try_reload, n, packed, 0);
		return;
	}
	sim_trace(n, "reload: priority %u, %u cs, %s, %u addresses%s", next.priority, next.adver_int_cs,
		  next.preempt ? "preempt" : "no preempt", next.n_addrs, next.renamed != n->conf.renamed ? ", other name" : "");
	if (n->engine_up)
		reload_now(n, &next);
	else
		n->conf = next;
	sim_check_changed();
}

void
sim_parent_reload(struct sim_node *n, uint32_t value)
{
	try_reload(n, value, 0);
}

/* ---- the operator: repeats a command until it is in force ---- */

static void
command(struct sim_node *n, uint8_t verb, uint8_t priority)
{
	struct ipc_control m = {.h.gen = n->gen, .verb = verb, .priority = priority};

	n->operate_until = sim_now + SIM_SEC;
	if (n->agent_state != NULL && n->fd_agent != 0)
		sim_chan_push(n, &n->agent, IPC_CONTROL, &m, -1);
}

static void
operate(void *arg, uint64_t a, uint64_t b)
{
	struct sim_node *n = arg;
	const struct elect_override *o;
	bool again = n->drains > 0 || n->takeover_wanted || n->priority_wanted != 0;

	(void)a;
	(void)b;
	if (n->engine_up && n->e->gen != NULL && n->ready && sim_runs(n)) {
		o = &n->e->gen->instances[0].elect.override;
		again = again || o->drained || o->takeover || o->priority != 0;
		if (n->drains > 0 && !o->drained)
			command(n, IPC_CONTROL_DRAIN, 0);
		else if (n->drains == 0 && (o->drained || (o->takeover && !n->takeover_wanted)))
			command(n, IPC_CONTROL_RESUME, 0);
		else if (n->drains == 0 && n->takeover_wanted && !o->takeover)
			command(n, IPC_CONTROL_TAKEOVER, 0);
		if (o->priority != n->priority_wanted)
			command(n, IPC_CONTROL_PRIORITY, n->priority_wanted);
	}
	/* What was sent may not have been heard yet. */
	if (again || !n->ready || !sim_runs(n) || sim_now < n->operate_until)
		sim_at(sim_now + OPERATOR_US, operate, n, 0, 0);
}

void
sim_operator(struct sim_node *n)
{
	n->operate_until = sim_now + SIM_SEC;
	if (!n->host->keepalived)
		operate(n, 0, 0);
}
