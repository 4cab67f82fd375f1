/*
 * sim_faults.c - the plan's faults begin and end: what each kind does to the world.
 */
#include "sim.h"

static unsigned n_on[SIM_KIND_COUNT];

const struct sim_fault *
sim_faults_on(enum sim_kind kind, unsigned from, unsigned to)
{
	if (n_on[kind] == 0)
		return NULL;
	for (unsigned i = 0; i < sim->plan.n_faults; i++) {
		const struct sim_fault *f = &sim->plan.faults[i];

		if (!f->on || f->kind != kind)
			continue;
		if (kind == SIM_PARTITION && ((f->from >> from) & 1) != ((f->from >> to) & 1))
			return f;
		if (kind != SIM_PARTITION && (f->from >> from & 1) != 0 && (f->to >> to & 1) != 0)
			return f;
	}
	return NULL;
}

bool
sim_fault_active(enum sim_kind kind, unsigned node)
{
	if (n_on[kind] == 0)
		return false;
	for (unsigned i = 0; i < sim->plan.n_faults; i++)
		if (sim->plan.faults[i].on && sim->plan.faults[i].kind == kind && sim->plan.faults[i].node == node)
			return true;
	return false;
}

/* Goes on: what was due while the host did not run is done now. */
static void
go_on(struct sim_node *n)
{
	if (!sim_runs(n))
		return;
	sim_loop_go_on(n);
	sim_kernel_resume(n);
}

static void
remove_again(void *arg, uint64_t fault, uint64_t left)
{
	struct sim_node *n = arg;
	const struct sim_fault *f = &sim->plan.faults[fault];

	if (!f->on || left == 0)
		return;
	sim_kernel_remove(n, (unsigned)(left % n->conf.n_addrs));
	sim_at(sim_now + 1 + sim_draw(n, 'R') % SIM_SEC, remove_again, n, fault, left - 1);
}

static void
claim_again(void *arg, uint64_t fault, uint64_t b)
{
	struct sim_node *n = arg;

	(void)b;
	if (!sim->plan.faults[fault].on)
		return;
	sim_net_claim_by_stranger((unsigned)(sim_draw(n, 'C') % SIM_ADDRS));
	sim_at(sim_now + 1 + sim_draw(n, 'C') % SIM_SEC, claim_again, n, fault, 0);
}

static void
crash_at_start(void *arg, uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	sim_parent_crash(arg, 2 * SIM_MS);
}

static void
crash_again(void *arg, uint64_t fault, uint64_t left)
{
	struct sim_node *n = arg;
	uint64_t back = 2 * SIM_MS + sim_draw(n, 'X') % (50 * SIM_MS);

	if (!sim->plan.faults[fault].on || left == 0)
		return;
	sim_parent_crash(n, back);
	if (sim_draw(n, 'Y') % 3 == 0) /* the next one ends before it knows everything */
		sim_at(sim_now + back + sim_draw(n, 'Y') % SIM_MS, crash_at_start, n, 0, 0);
	sim_at(sim_now + 100 * SIM_MS + sim_draw(n, 'X') % (2 * SIM_SEC), crash_again, n, fault, left - 1);
}

static void
link_changed(struct sim_node *n)
{
	sim_kernel_changed(n, NLK_CHANGE_CHANGED, -1, true);
	if (n->ka != NULL)
		sim_keepalived_link(n);
}

static void
begin(struct sim_node *n, struct sim_fault *f, uint64_t at)
{
	switch ((enum sim_kind)f->kind) {
	case SIM_CRASH:
		crash_again(n, at, f->value);
		break;
	case SIM_KILL:
		sim_parent_kill(n);
		break;
	case SIM_PAUSE:
		n->pauses++;
		break;
	case SIM_SUSPEND:
		if (n->suspends++ == 0)
			n->suspended_since = sim_now;
		break;
	case SIM_BUSY:
		n->busies++;
		n->busy_us = f->value;
		break;
	case SIM_LINK:
		n->links_down++;
		link_changed(n);
		break;
	case SIM_GONE:
		if (n->gone++ == 0)
			sim_kernel_unplug(n);
		link_changed(n);
		break;
	case SIM_SOURCE:
		n->sourceless++;
		sim_kernel_changed(n, NLK_CHANGE_GONE, SIM_ADDRS, false);
		break;
	case SIM_REMOVE:
		if (!n->host->keepalived)
			remove_again(n, at, f->value);
		break;
	case SIM_SLOW_KERNEL:
		n->slow_kernel++;
		n->slow_us = f->value;
		break;
	case SIM_FAIL_KERNEL:
		n->fail_kernel++;
		n->fail_mille = f->value;
		break;
	case SIM_SEND:
		n->send_fails++;
		break;
	case SIM_CHECK:
		n->checks_down++;
		sim_agent_check(n);
		break;
	case SIM_AGENT:
		sim_agent_stop(n);
		n->agent_down++;
		break;
	case SIM_PRIORITY:
		n->priority_wanted = (uint8_t)f->value;
		sim_operator(n);
		break;
	case SIM_TAKEOVER:
		n->takeover_wanted = true;
		sim_operator(n);
		break;
	case SIM_DRAIN:
		n->drains++;
		sim_operator(n);
		break;
	case SIM_STOP:
		sim_parent_stop(n);
		break;
	case SIM_RELOAD:
		if (!n->host->keepalived)
			sim_parent_reload(n, f->value);
		break;
	case SIM_CLAIM:
		claim_again(n, at, 0);
		break;
	case SIM_STORE_LOST:
		sim_store_changed();
		break;
	case SIM_LEADER:
		sim_patroni_switch(n);
		break;
	default: /* of the network: looked at for each packet */
		break;
	}
}

static void
end(struct sim_node *n, struct sim_fault *f)
{
	switch ((enum sim_kind)f->kind) {
	case SIM_KILL:
	case SIM_STOP:
		sim_parent_start(n);
		break;
	case SIM_PAUSE:
		n->pauses--;
		go_on(n);
		break;
	case SIM_SUSPEND:
		if (--n->suspends == 0) {
			n->suspended += sim_now - n->suspended_since;
			n->awake_since = sim_now;
		}
		go_on(n);
		break;
	case SIM_BUSY:
		n->busies--;
		break;
	case SIM_LINK:
		n->links_down--;
		link_changed(n);
		break;
	case SIM_GONE:
		n->gone--;
		link_changed(n);
		break;
	case SIM_SOURCE:
		n->sourceless--;
		sim_kernel_changed(n, NLK_CHANGE_NEW, SIM_ADDRS, false);
		break;
	case SIM_SLOW_KERNEL:
		n->slow_kernel--;
		break;
	case SIM_FAIL_KERNEL:
		n->fail_kernel--;
		break;
	case SIM_SEND:
		n->send_fails--;
		break;
	case SIM_CHECK:
		n->checks_down--;
		sim_agent_check(n);
		break;
	case SIM_AGENT:
		n->agent_down--;
		if (n->wanted || n->engine_up)
			sim_agent_start(n);
		break;
	case SIM_PRIORITY:
		n->priority_wanted = 0;
		sim_operator(n);
		break;
	case SIM_TAKEOVER:
		n->takeover_wanted = false;
		sim_operator(n);
		break;
	case SIM_DRAIN:
		n->drains--;
		sim_operator(n);
		break;
	case SIM_STORE_LOST:
		sim_store_changed();
		break;
	default:
		break;
	}
}

static void
change(void *arg, uint64_t at, uint64_t on)
{
	struct sim_fault *f = arg;
	struct sim_node *n = &sim->nodes[f->node];

	if (on == (f->on ? 1u : 0u))
		return;
	sim_trace(n, "fault %u %s: %s (from %03x to %03x, value %u)", (unsigned)at, on ? "begins" : "ends", sim_kind_name(f->kind),
		  f->from, f->to, f->value);
	sim_check_fault(f, on);
	f->on = on;
	n_on[f->kind] += on ? 1 : (unsigned)-1;
	if (on)
		begin(n, f, at);
	else
		end(n, f);
	sim_check_fault_done();
	sim_check_changed();
}

void
sim_faults_begin(void)
{
	for (unsigned k = 0; k < SIM_KIND_COUNT; k++)
		n_on[k] = 0;
	for (unsigned i = 0; i < sim->plan.n_faults; i++) {
		struct sim_fault *f = &sim->plan.faults[i];

		f->on = false;
		if (f->dropped)
			continue;
		sim_at(f->at, change, f, i, 1);
		sim_at(f->until, change, f, i, 0);
	}
}
