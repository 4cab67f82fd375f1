/*
 * parent_manager.c - what vrrpd and the service manager (systemd) do for each other.
 *
 * The manager hears when vrrpd is ready, reloads and ends, and keeps the memories from which the next engine
 * and the next agent go on. When it ends vrrpd only to start it again, nobody says goodbye: the children are
 * ended without a word, the addresses stay, and the next vrrpd finds the memory and resumes. If that one never
 * comes, the addresses go by their lifetime.
 */
#include "parent/parent.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "ipc/ipc_events.h"
#include "ipc/ipc_memory.h"
#include "sys/notify.h"

#define MEMORY_NAME "vrrpd-memory"
#define EVENTS_NAME "vrrpd-events"
#define ASK_MAX_US  (500 * USEC_PER_MS) /* the engine works on meanwhile: waiting costs nothing */

/*
 * How long a restart by the manager may take, from the end of one engine to the first advert of the next. Seen
 * with systemd 252 on two cores: 40 to 60 ms, 140 ms with 250 instances, 1000 addresses and busy cores. Peers
 * that would take over sooner get a proper hand-over instead. The lifetime of addresses is no concern: two
 * thirds of it, at least 1.3 s, are left at any moment.
 */
#define GAP_US (200 * USEC_PER_MS)

static const char *
status_text(const struct parent *p, char *buf, size_t size)
{
	if (!p->children[PARENT_ENGINE].ready && p->trouble[0] != '\0')
		snprintf(buf, size, "%s", p->trouble);
	else
		snprintf(buf, size, "%zu instance%s, %zu check%s", p->cfg->n_instances,
			 p->cfg->n_instances == 1 ? "" : "s", p->cfg->n_checks,
			 p->cfg->n_checks == 1 ? "" : "s");
	return buf;
}

static bool
is_memory(int fd)
{
	struct ipc_memory *m = ipc_memory_map(fd);

	ipc_memory_unmap(m);
	return m != NULL;
}

/* The one from the program before this one counts, then the one that the manager kept. */
static void
choose(int *fd, int kept)
{
	if (*fd < 0)
		*fd = kept;
	else if (kept >= 0)
		close(kept);
}

static void
open_events(struct parent *p)
{
	struct ipc_events *m = p->events_fd >= 0 ? ipc_events_map(p->events_fd) : NULL;

	if (m == NULL && p->events_fd >= 0) {
		log_warning("the events of the vrrpd before this one are not of its form: starting without them");
		close(p->events_fd);
	}
	if (m == NULL)
		p->events_fd = ipc_events_create();
	ipc_events_unmap(m);
	if (p->events_fd < 0)
		log_warning("no memory for events (%s): they end with each vrrpd-agent", strerror(-p->events_fd));
	else
		notify_store(EVENTS_NAME, p->events_fd);
}

static void
open_memory(struct parent *p)
{
	if (p->memory_fd >= 0 && !is_memory(p->memory_fd)) {
		log_warning("the memory of the vrrpd before this one is not of its form: starting without it");
		close(p->memory_fd);
		p->memory_fd = -1;
	} else if (p->memory_fd >= 0) {
		log_info("going on from the memory of the vrrpd before this one");
	}
	if (p->memory_fd < 0)
		p->memory_fd = ipc_memory_create();
	if (p->memory_fd < 0) {
		log_warning("no memory for what a restarted engine needs (%s): it will start as Backup",
			    strerror(-p->memory_fd));
		return;
	}
	notify_store(MEMORY_NAME, p->memory_fd);
}

/* From the program before this one, else from the manager, else a new one. */
void
parent_open_memory(struct parent *p)
{
	static const char *const names[] = {MEMORY_NAME, EVENTS_NAME};
	int kept[ARRAY_SIZE(names)];

	notify_take(names, kept, ARRAY_SIZE(names));
	choose(&p->memory_fd, kept[0]);
	choose(&p->events_fd, kept[1]);
	open_memory(p);
	open_events(p);
}

static void
on_watchdog(void *arg, mono_t now)
{
	struct parent *p = arg;

	if (p->children[PARENT_ENGINE].ready)
		notify_alive();
	loop_timer_set(p->watchdog, mono_add(now, notify_alive_us()));
}

void
parent_manager_open(struct parent *p)
{
	p->watchdog = loop_timer_add(p->loop, on_watchdog, p);
	if (notify_alive_us() > 0)
		loop_timer_set(p->watchdog, loop_now(p->loop));
}

void
parent_manager_ready(struct parent *p)
{
	char text[LIMIT_LOG_TEXT];

	if (!p->stopping)
		notify_ready(status_text(p, text, sizeof(text)));
}

void
parent_manager_status(struct parent *p)
{
	char text[LIMIT_LOG_TEXT];

	if (!p->stopping)
		notify_status(status_text(p, text, sizeof(text)));
}

/* Would peers of an instance that is Active here take over before the next vrrpd is there? Its name, or NULL.
 */
static const char *
too_quick(const struct parent *p, const struct ipc_memory *m)
{
	for (size_t n = 0; n < p->cfg->n_instances; n++) {
		const struct cfg_instance *i = &p->cfg->instances[n];
		struct ipc_memory_instance kept;

		/* The last advert may be one interval old when the gap begins. */
		if (ipc_memory_instance(m, i->name, &kept) && kept.active &&
		    i->advert_interval * (usec_t)(i->down_adverts - 1) < GAP_US)
			return i->name;
	}
	return NULL;
}

/* Why a restart is better done as a hand-over; NULL: it is not. */
static const char *
objection(struct parent *p, char *buf, size_t size)
{
	struct ipc_memory *m;
	const char *name;

	if (p->reload.running)
		return "a reload is under way";
	if (p->cfg->engine.address_lifetime == 0)
		return "engine.address_lifetime is 0: addresses would stay if no vrrpd came back";
	m = ipc_memory_map(p->memory_fd);
	if (m == NULL)
		return "there is no memory to go on from";
	name = too_quick(p, m);
	if (name != NULL)
		snprintf(buf, size, "peers of %s would take over before it is done", name);
	ipc_memory_unmap(m);
	if (name != NULL)
		return buf;
	return parent_new_program_agrees(p) ? NULL : "the next vrrpd would not start";
}

bool
parent_manager_restarts(struct parent *p)
{
	char text[LIMIT_NAME + 64];
	const char *why;

	if (!notify_enabled() || !notify_restarts(ASK_MAX_US))
		return false;
	why = objection(p, text, sizeof(text));
	if (why != NULL)
		log_info("the service manager restarts vrrpd, but %s: handing over", why);
	return why == NULL;
}
