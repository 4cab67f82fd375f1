/*
 * engine_memory.c - what the next engine needs, kept up to date in memory that outlives this one.
 *
 * Runs in the advert loop. An advert costs one store; everything else is written when it changes. Read once, by the
 * first generation of an engine.
 */
#include "engine/engine.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"

/* Time that also passes while the host is suspended: microseconds on CLOCK_BOOTTIME. */
static uint64_t
boot_us(const struct engine *e, mono_t t)
{
	return t.us + e->suspended;
}

/* A time on the one clock as a time on the other; one that is over as 0. */
static mono_t
recall_time(const struct engine *e, uint64_t boot)
{
	return boot == UINT64_MAX ? MONO_NEVER : (mono_t){boot > e->suspended ? boot - e->suspended : 0};
}

static uint64_t
note_time(const struct engine *e, mono_t t)
{
	return t.us == MONO_NEVER.us ? UINT64_MAX : boot_us(e, t);
}

/* What an operator said goes on, as far as its time is not over. */
static void
recall_override(struct engine *e, struct engine_instance *i, const struct ipc_override *m, mono_t now)
{
	struct elect_override all = {
		.drained = m->drained,
		.takeover = m->takeover,
		.priority = m->priority,
		.drained_until = recall_time(e, m->drained_until_us),
		.takeover_until = recall_time(e, m->takeover_until_us),
		.priority_until = recall_time(e, m->priority_until_us),
	};
	struct elect_override left = elect_override_left(&all, now);
	struct elect_event ev = {.kind = ELECT_EVENT_OVERRIDE, .override = &left};

	elect_override_fit(&left, &i->conf);
	engine_event(e, i, &ev, now);
}

static void
recall_instance(struct engine *e, const struct ipc_memory *all, struct engine_instance *i, mono_t now)
{
	struct ipc_memory_instance m;
	uint64_t now_us = boot_us(e, now);

	if (!ipc_memory_instance(all, i->conf.name, &m))
		return;
	i->told = m.told;
	if (m.override.drained || m.override.takeover || m.override.priority != 0)
		recall_override(e, i, &m.override, now);
	/* Its name may be another virtual router's now. */
	if (!m.active || m.advert_us > now_us || m.vrid != i->codec.vrid || m.family != i->codec.family ||
	    strncmp(m.ifname, i->conf.ifname, sizeof(m.ifname)) != 0)
		return;
	i->resume_ago = now_us - m.advert_us;
	/* The peers measure with the interval of then; with another one now, the shorter counts. */
	i->resume = elect_may_resume(&i->conf, i->resume_ago) && i->resume_ago < m.window_us;
	i->resume_until = mono_add(now, m.window_us - MIN(i->resume_ago, m.window_us));
	if (i->resume)
		elect_recall(&i->elect, m.transitions, (enum vrrp_checksum_form)m.form);
}

/* What was known of a tracked object. An interface is looked at anew, a check may take a while to answer. */
static void
recall_tracks(struct engine *e, const struct ipc_memory *all, struct engine_instance *i, mono_t now)
{
	for (uint8_t t = 0; t < i->conf.n_tracks; t++) {
		struct elect_event ev = {.kind = ELECT_EVENT_TRACK, .track = t};
		struct engine_check *c = &e->gen->checks[i->tracks[t].check];
		struct ipc_memory_check m;

		if (i->conf.tracks[t].is_interface || !ipc_memory_check(all, i->conf.tracks[t].name, &m) ||
		    m.state >= ELECT_TRACK_COUNT)
			continue;
		c->state = ev.track_state = m.state;
		c->heard = now;
		engine_event(e, i, &ev, now);
	}
}

void
engine_memory_recall(struct engine *e, struct engine_gen *g)
{
	mono_t now = loop_now(e->loop);
	struct ipc_memory *m = e->memory;

	if (m == NULL)
		return;
	/* Nothing is noted in between: the memory has the order of the configuration before. */
	e->memory = NULL;
	for (uint32_t n = 0; n < g->n_instances; n++) {
		recall_instance(e, m, &g->instances[n], now);
		recall_tracks(e, m, &g->instances[n], now);
	}
	e->memory = m;
}

/* How long after its last sign of life what it holds may be held. */
static uint64_t
window_us(const struct engine *e, const struct engine_instance *i)
{
	/* Before its elections begin it knows no more than the engine before, which the next one may need, too. */
	mono_t until = i->elect.started ? elect_held_until(&i->elect) : i->resume_until;
	uint64_t sign = e->memory->instances[i->index].advert_us;

	uint64_t window = elect_resume_us(&i->conf);

	if (until.us != MONO_NEVER.us)
		window = MIN(window, boot_us(e, until) > sign ? boot_us(e, until) - sign : 0);
	return window;
}

/* vrrpd writes them down for the time after its own end. */
void
engine_memory_tell(struct engine *e)
{
	struct ipc_overrides changed = {0};

	e->overrides_due = ipc_chan_send(&e->parent, IPC_OVERRIDES, &changed, -1) == -EAGAIN;
}

static void
note_override(struct engine *e, const struct engine_instance *i, struct ipc_memory_instance *m)
{
	const struct elect_override *o = &i->elect.override;
	m->overrides = i->elect.overrides;
	m->override = (struct ipc_override){
		.drained = o->drained,
		.takeover = o->takeover,
		.priority = o->priority,
		.drained_until_us = note_time(e, o->drained_until),
		.takeover_until_us = note_time(e, o->takeover_until),
		.priority_until_us = note_time(e, o->priority_until),
	};
	engine_memory_tell(e);
}

void
engine_memory_note(struct engine *e, const struct engine_instance *i)
{
	struct ipc_memory_instance *m;

	if (e->memory == NULL || i->removed)
		return;
	m = &e->memory->instances[i->index];
	m->transitions = i->elect.transitions;
	if (m->overrides != i->elect.overrides)
		note_override(e, i, m);
	m->form = i->elect.form;
	m->told = i->told;
	m->vrid = i->codec.vrid;
	m->family = i->codec.family;
	memcpy(m->ifname, i->conf.ifname, sizeof(m->ifname));
	m->window_us = window_us(e, i);
	m->active = i->elect.state == ROLE_STATE_ACTIVE || i->resume;
}

void
engine_memory_advert(struct engine *e, const struct engine_instance *i, mono_t now)
{
	if (e->memory != NULL && !i->removed)
		e->memory->instances[i->index].advert_us = boot_us(e, now);
}

void
engine_memory_check(struct engine *e, uint32_t check, uint8_t state)
{
	if (e->memory != NULL)
		e->memory->checks[check].state = state;
}

/* The name and present state of each tracked check, once. */
static void
write_checks(struct engine *e)
{
	struct ipc_memory *m = e->memory;
	uint32_t n_checks = 0;

	for (uint32_t n = 0; n < e->gen->n_instances; n++) {
		const struct engine_instance *i = &e->gen->instances[n];

		for (uint8_t t = 0; t < i->conf.n_tracks; t++) {
			uint32_t c = i->tracks[t].check;

			if (i->conf.tracks[t].is_interface || i->removed)
				continue;
			memcpy(m->checks[c].name, i->conf.tracks[t].name, LIMIT_NAME);
			m->checks[c].state = e->gen->checks[c].state;
			n_checks = MAX(n_checks, c + 1);
		}
	}
	m->n_checks = n_checks;
}

void
engine_memory_write(struct engine *e)
{
	struct ipc_memory *m = e->memory;
	struct ipc_memory_instance old;
	uint64_t adverts[LIMIT_INSTANCES];

	if (m == NULL)
		return;
	for (uint32_t n = 0; n < e->gen->n_configured; n++)
		adverts[n] = ipc_memory_instance(m, e->gen->instances[n].conf.name, &old) ? old.advert_us : 0;
	/* An engine that ends half-way through leaves nothing rather than something mixed. */
	m->n_instances = m->n_checks = 0;
	m->layout = IPC_MEMORY_LAYOUT;
	memset(m->checks, 0, sizeof(m->checks));
	for (uint32_t n = 0; n < e->gen->n_configured; n++) {
		const struct engine_instance *i = &e->gen->instances[n];

		m->instances[n] = (struct ipc_memory_instance){.advert_us = adverts[n]};
		memcpy(m->instances[n].name, i->conf.name, LIMIT_NAME);
		engine_memory_note(e, i);
	}
	write_checks(e);
	m->n_instances = e->gen->n_configured;
	engine_memory_tell(e); /* also of what went with its instance */
}
