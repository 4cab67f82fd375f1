/*
 * parent_reload.c - a changed configuration while everything runs: all of it or nothing.
 *
 * The file is read and checked first; with any error nothing changes and whoever asked hears every line. What differs
 * is told, in the log and to whoever asked (config/cfg_diff.c). Then the
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

/* One line for the log, and for whoever asked. An agent that does not take it gets no more of them. */
static void PRINTF_LIKE(4, 5) tell(struct parent *p, struct parent_asker *to, enum log_level level, const char *fmt, ...)
{
	struct ipc_reload_line m = {.token = to->token};
	va_list ap;
	int r;

	va_start(ap, fmt);
	vsnprintf(m.text, sizeof(m.text), fmt, ap);
	va_end(ap);
	log_msg(to->check ? LOG_LEVEL_DEBUG : level, "reload%s: %s", to->check ? " --check" : "", m.text);
	if (!to->from_agent || to->lost)
		return;
	r = parent_send_one(&p->children[PARENT_AGENT], p->gen, IPC_RELOAD_LINE, &m, -1);
	if (r < 0)
		log_warning("reload: vrrpd-agent, which asked, does not take all of the answer: %s", strerror(-r));
	to->lost = r < 0;
}

/* The end of the answer. */
static void
answer(struct parent *p, const struct parent_asker *to, struct ipc_reload_done *m)
{
	int r;

	m->token = to->token;
	if (!to->from_agent)
		return;
	r = parent_send_one(&p->children[PARENT_AGENT], p->gen, IPC_RELOAD_DONE, m, -1);
	if (r < 0)
		log_warning("reload: vrrpd-agent, which asked, does not take the answer: %s", strerror(-r));
}

void
parent_free_config(const struct parent *p, struct cfg *c)
{
	if (c != p->first_cfg)
		cfg_free(c);
}

/* What it removed may still run commands by it. */
static void
keep_old(struct parent *p)
{
	if (p->old_cfg == NULL)
		return;
	parent_free_config(p, p->last_cfgs[PARENT_LAST_CFGS - 1]);
	memmove(p->last_cfgs + 1, p->last_cfgs, (PARENT_LAST_CFGS - 1) * sizeof(p->last_cfgs[0]));
	p->last_cfgs[0] = TAKE(p->old_cfg);
}

static void
finish(struct parent *p)
{
	struct parent_reload *r = &p->reload;
	struct ipc_reload_done m = {
		.ok = 1,
		.n_changed = r->n_changed,
		.n_added = r->n_added,
		.n_removed = r->n_removed,
	};
	bool again = r->again;

	log_info("reload: done: %u changed, %u added, %u removed, now %zu instance%s", r->n_changed, r->n_added,
		 r->n_removed, p->cfg->n_instances, p->cfg->n_instances == 1 ? "" : "s");
	answer(p, &r->asker, &m);
	loop_timer_set(r->timer, MONO_NEVER);
	r->running = r->engine_done = r->again = false;
	keep_old(p);
	parent_manager_ready(p);
	if (again)
		parent_reload(p, false, 0);
}

/* What only a restart can change is said, not passed over, as long as another value is in force. */
static void
tell_restarts(struct parent *p, struct parent_asker *to, const struct cfg *now)
{
	struct cfg_diff d;

	cfg_diff(p->first_cfg, now, &d);
	for (size_t n = 0; n < d.n_restarts; n++)
		tell(p, to, LOG_LEVEL_WARNING,
		     "note: %s is changed only by a restart: kill -USR2 %d does it without an interruption",
		     d.restarts[n], (int)getpid());
	cfg_diff_free(&d);
}

/* Does the instance go on under its name, but as another virtual router? */
static bool
begins_anew(const struct cfg *old, const struct cfg_instance *now)
{
	for (size_t n = 0; n < old->n_instances; n++)
		if (strcmp(old->instances[n].name, now->name) == 0)
			return !parent_same_router(&old->instances[n], now);
	return false;
}

/* Those for which the reload is no small change: whoever holds their addresses hands them over. */
static void
tell_anew(struct parent *p, struct parent_asker *to, const struct cfg *now)
{
	char names[LIMIT_CAUSE_TEXT];
	struct strbuf b;

	strbuf_init(&b, names, sizeof(names));
	for (size_t n = 0; n < now->n_instances && !b.cut; n++)
		if (begins_anew(p->cfg, &now->instances[n]))
			strbuf_addf(&b, "%s%s", b.len > 0 ? ", " : "", now->instances[n].name);
	if (b.len > 0)
		tell(p, to, LOG_LEVEL_INFO,
		     "note: another interface, mode or address family: these hand over and begin anew: %s%s", names,
		     b.cut ? "..." : "");
}

/* What changes from the present configuration to this one, option by option. */
static struct cfg_diff
tell_changes(struct parent *p, struct parent_asker *to, const struct cfg *now)
{
	struct cfg_diff d;

	cfg_diff(p->cfg, now, &d);
	for (size_t n = 0; n < d.n_lines; n++)
		tell(p, to, LOG_LEVEL_INFO, "%s", d.lines[n]);
	if (d.n_changes == 0)
		tell(p, to, LOG_LEVEL_INFO, "nothing changed");
	tell_anew(p, to, now);
	tell_restarts(p, to, now);
	return d;
}

/* Read the file; NULL when it is wrong, which has been said then, line by line. */
static struct cfg *
load(struct parent *p, struct parent_asker *to)
{
	struct cfg_errors errors = {0};
	struct cfg *next = NULL;

	if (cfg_load(p->file, &next, &errors) == 0)
		return next;
	for (size_t n = 0; n < errors.n; n++)
		tell(p, to, LOG_LEVEL_WARNING, "%s", errors.v[n]);
	tell(p, to, LOG_LEVEL_WARNING, "%zu error%s in the configuration: nothing was changed", errors.n,
	     errors.n == 1 ? "" : "s");
	cfg_errors_free(&errors);
	return NULL;
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

/* It waits, or is told to come again. */
static void
not_now(struct parent *p, struct parent_asker *to)
{
	if (!to->from_agent) {
		p->reload.again = true;
		return;
	}
	tell(p, to, LOG_LEVEL_WARNING, "vrrpd is starting, or another reload is under way: try again");
	answer(p, to, &(struct ipc_reload_done){0});
}

/* The new configuration is the one in force from here on. */
static void
put_in_force(struct parent *p, struct cfg *next, struct parent_asker to)
{
	struct parent_reload *r = &p->reload;
	struct cfg_diff d = tell_changes(p, &to, next);

	keep_old(p);
	p->old_cfg = p->cfg;
	p->cfg = next;
	p->gen++;
	*r = (struct parent_reload){
		.running = true,
		.asker = to,
		.n_changed = d.n_changed,
		.n_added = d.n_added,
		.n_removed = d.n_removed,
		.timer = r->timer,
	};
	cfg_diff_free(&d);
}

void
parent_reload(struct parent *p, bool from_agent, uint32_t token)
{
	struct parent_reload *r = &p->reload;
	struct parent_child *engine = &p->children[PARENT_ENGINE];
	struct parent_asker to = {.from_agent = from_agent, .token = token};
	struct cfg *next;

	if (p->stopping) {
		tell(p, &to, LOG_LEVEL_INFO, "vrrpd is stopping: nothing was changed");
		answer(p, &to, &(struct ipc_reload_done){0});
		return;
	}
	/* Without an engine nothing waits for anything: perhaps what is in force ends it, and this file is the
	 * cure. */
	if (engine->pid != 0 && (r->running || !engine->ready)) {
		not_now(p, &to);
		return;
	}
	notify_reloading();
	next = load(p, &to);
	if (next == NULL) {
		parent_manager_ready(p);
		answer(p, &to, &(struct ipc_reload_done){0});
		return;
	}
	if (r->running && r->asker.from_agent) {
		tell(p, &r->asker, LOG_LEVEL_WARNING,
		     "another reload came before vrrpd-engine was started again with this one");
		answer(p, &r->asker, &(struct ipc_reload_done){0});
	}
	put_in_force(p, next, to);
	loop_timer_set(r->timer, mono_add(loop_update_now(p->loop), RELOAD_MAX_US + leaves_us(p)));
	if (engine->pid == 0) {
		log_info("reload: vrrpd-engine is not running: it is started with the new configuration");
		loop_timer_set(engine->restart, loop_now(p->loop));
	}
	send_to(p, PARENT_ENGINE);
}

void
parent_reload_check(struct parent *p, uint32_t token)
{
	struct parent_asker to = {.from_agent = true, .check = true, .token = token};
	struct cfg *next = load(p, &to);
	struct ipc_reload_done m = {.ok = next != NULL};

	if (next != NULL) {
		struct cfg_diff d = tell_changes(p, &to, next);

		m.n_changed = d.n_changed;
		m.n_added = d.n_added;
		m.n_removed = d.n_removed;
		cfg_diff_free(&d);
		cfg_free(next);
	}
	answer(p, &to, &m);
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
