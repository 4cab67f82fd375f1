/*
 * parent_reload.c - a changed configuration while everything runs: all of it or nothing.
 *
 * The file is read and checked first; with any error nothing changes and whoever asked hears every line. Then the
 * engine gets the whole new generation together with what is removed, and finds out by name what goes on
 * (engine_reload.c); when it is ready the agent gets it. A child that ends meanwhile is started with the new one.
 */
#include "parent/parent.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "sys/notify.h"

/* What is removed may take 10 s to hand over (proto/vrrp_fsm.c), and a next reload waits for it. */
#define RELOAD_MAX_US (15 * USEC_PER_SEC)

/* One line for the log, and for whoever asked. */
static void PRINTF_LIKE(4, 5) tell(struct parent *p, bool from_agent, uint32_t token, const char *fmt, ...)
{
	struct ipc_reload_line m = {.token = token};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m.text, sizeof(m.text), fmt, ap);
	va_end(ap);
	log_msg(LOG_LEVEL_WARNING, "reload: %s", m.text);
	if (from_agent)
		(void)ipc_chan_send(&p->children[PARENT_AGENT].chan, IPC_RELOAD_LINE, &m, -1);
}

static void
refuse(struct parent *p, bool from_agent, uint32_t token)
{
	struct ipc_reload_done m = {.token = token};

	if (from_agent)
		(void)ipc_chan_send(&p->children[PARENT_AGENT].chan, IPC_RELOAD_DONE, &m, -1);
}

/* What it removed may still run commands by it. */
static void
keep_old(struct parent *p)
{
	if (p->old_cfg == NULL)
		return;
	cfg_free(p->last_cfgs[PARENT_LAST_CFGS - 1]);
	memmove(p->last_cfgs + 1, p->last_cfgs, (PARENT_LAST_CFGS - 1) * sizeof(p->last_cfgs[0]));
	p->last_cfgs[0] = TAKE(p->old_cfg);
}

static void
finish(struct parent *p)
{
	struct parent_reload *r = &p->reload;
	struct ipc_reload_done m = {
		.token = r->token,
		.ok = 1,
		.n_changed = r->n_changed,
		.n_added = r->n_added,
		.n_removed = r->n_removed,
	};
	bool again = r->again;

	log_info("reload: done: %u changed, %u added, %u removed, %zu instance%s", r->n_changed, r->n_added,
		 r->n_removed, p->cfg->n_instances, p->cfg->n_instances == 1 ? "" : "s");
	if (r->from_agent)
		(void)ipc_chan_send(&p->children[PARENT_AGENT].chan, IPC_RELOAD_DONE, &m, -1);
	loop_timer_set(r->timer, MONO_NEVER);
	r->running = r->engine_done = r->again = false;
	keep_old(p);
	parent_manager_ready(p);
	if (again)
		parent_reload(p, false, 0);
}

static const struct cfg_instance *
find(const struct cfg *cfg, const char *name)
{
	for (size_t n = 0; n < cfg->n_instances; n++)
		if (strcmp(cfg->instances[n].name, name) == 0)
			return &cfg->instances[n];
	return NULL;
}

static void
count_changes(struct parent_reload *r, const struct cfg *old, const struct cfg *now)
{
	r->n_changed = r->n_added = r->n_removed = 0;
	for (size_t n = 0; n < now->n_instances; n++) {
		const struct cfg_instance *i = &now->instances[n];
		const struct cfg_instance *o =
			n < old->n_instances && strcmp(old->instances[n].name, i->name) == 0 ? &old->instances[n]
											      : find(old, i->name);

		if (o == NULL)
			r->n_added++;
		else
			r->n_changed += !cfg_instance_equal(o, i);
	}
	for (size_t n = 0; n < old->n_instances; n++)
		r->n_removed += find(now, old->instances[n].name) == NULL;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* What only a restart can change is said, not passed over. */
static void
tell_restart_needed(struct parent *p, const struct cfg *now)
{
	const struct cfg *old = p->old_cfg;
	const struct parent_reload *r = &p->reload;
	const struct {
		bool same;
		const char *option;
	} rows[] = {
		{old->engine.realtime_priority == now->engine.realtime_priority, "engine.realtime_priority"},
		{old->engine.lock_memory == now->engine.lock_memory, "engine.lock_memory"},
		{same_text(old->control.socket, now->control.socket), "control.socket"},
		{same_text(old->control.group, now->control.group), "control.group"},
		{same_text(old->control.listen, now->control.listen), "control.listen"},
	};

	for (size_t n = 0; n < ARRAY_SIZE(rows); n++)
		if (!rows[n].same)
			tell(p, r->from_agent, r->token,
			     "note: %s is changed only by a restart: kill -USR2 %d does it without an interruption",
			     rows[n].option, (int)getpid());
}

static void
send_to(struct parent *p, enum parent_child_kind kind)
{
	struct parent_child *c = &p->children[kind];
	int r;

	if (c->pid == 0)
		return; /* it gets the present configuration when it starts */
	r = parent_send_config(p, c);
	c->ready = false;
	if (r == 0)
		return;
	log_error("reload: %s does not take the configuration (%s): it is started anew with it", c->program,
		  strerror(-r));
	kill(c->pid, SIGKILL);
}

/* Instances that a reload before this one removed may still wait for their services. */
static usec_t
leaves_us(const struct parent *p)
{
	usec_t most = 0;

	const struct cfg *last = p->last_cfgs[0];

	for (size_t n = 0; last != NULL && n < last->n_instances; n++)
		most = MAX(most, parent_hooks_leave_us(&last->instances[n]));
	return most;
}

void
parent_reload(struct parent *p, bool from_agent, uint32_t token)
{
	struct parent_reload *r = &p->reload;
	struct parent_child *engine = &p->children[PARENT_ENGINE];
	struct cfg_errors errors = {0};
	struct cfg *next = NULL;

	if (p->stopping)
		return refuse(p, from_agent, token);
	/* Without an engine nothing waits for anything: perhaps what is in force ends it, and this file is the
	 * cure. */
	if (engine->pid != 0 && (r->running || !engine->ready)) {
		if (from_agent) {
			tell(p, true, token, "vrrpd is starting, or another reload is under way: try again");
			return refuse(p, true, token);
		}
		r->again = true;
		return;
	}
	notify_reloading();
	if (cfg_load(p->file, &next, &errors) < 0) {
		for (size_t n = 0; n < errors.n; n++)
			tell(p, from_agent, token, "%s", errors.v[n]);
		cfg_errors_free(&errors);
		tell(p, from_agent, token, "nothing was changed");
		parent_manager_ready(p);
		return refuse(p, from_agent, token);
	}
	if (r->running && r->from_agent) {
		tell(p, true, r->token,
		     "another reload came before vrrpd-engine was started again with this one");
		refuse(p, true, r->token);
	}
	keep_old(p);
	*r = (struct parent_reload){.running = true, .from_agent = from_agent, .token = token, .timer = r->timer};
	p->old_cfg = p->cfg;
	p->cfg = next;
	p->gen++;
	count_changes(r, p->old_cfg, p->cfg);
	tell_restart_needed(p, next);
	loop_timer_set(r->timer, mono_add(loop_update_now(p->loop), RELOAD_MAX_US + leaves_us(p)));
	if (engine->pid == 0) {
		log_info("reload: vrrpd-engine is not running: it is started with the new configuration");
		loop_timer_set(engine->restart, loop_now(p->loop));
	}
	send_to(p, PARENT_ENGINE);
}

void
parent_reload_ready(struct parent *p, enum parent_child_kind kind)
{
	struct parent_reload *r = &p->reload;

	if (!r->running) {
		if (kind == PARENT_ENGINE && r->again) {
			r->again = false;
			parent_reload(p, false, 0);
		}
	} else if (kind == PARENT_ENGINE && !r->engine_done) {
		r->engine_done = true;
		send_to(p, PARENT_AGENT);
	} else if (kind == PARENT_AGENT && r->engine_done) {
		finish(p);
	}
}

void
parent_reload_engine_gone(struct parent *p)
{
	if (!p->reload.again)
		return;
	p->reload.again = false;
	parent_reload(p, false, 0);
}

void
parent_on_reload_timer(void *arg, mono_t now)
{
	struct parent *p = arg;

	(void)now;
	for (int k = 0; k < PARENT_CHILDREN; k++) {
		struct parent_child *c = &p->children[k];

		if (c->ready || c->pid == 0)
			continue;
		log_error("reload: %s did not take the configuration in time: it is started anew with it", c->program);
		kill(c->pid, SIGKILL);
	}
}
