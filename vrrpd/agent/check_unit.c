/*
 * check_unit.c - kind "unit": a systemd unit is active, asked over D-Bus.
 *
 * Runs in vrrpd-agent under check.c. Calls of org.freedesktop.systemd1 (its manual page) are asynchronous over
 * a connection to the system bus that is kept: LoadUnit once, the property ActiveState at each run. systemd is
 * asked to tell changes (Subscribe), and one of this unit's properties makes the check run at once. "active"
 * and "reloading" are good. The only file that knows sd-bus; without libsystemd at build time the kind only
 * says so.
 */
#include "agent/check.h"

#ifdef HAVE_LIBSYSTEMD

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-bus.h>

#include "agent/agent_util.h"
#include "base/strbuf.h"

#define SYSTEMD		  "org.freedesktop.systemd1"
#define MANAGER		  "org.freedesktop.systemd1.Manager"
#define UNIT		  "org.freedesktop.systemd1.Unit"
#define MANAGER_PATH	  "/org/freedesktop/systemd1"
#define PROPERTIES	  "org.freedesktop.DBus.Properties"
#define MESSAGES_PER_TURN 64
#define STATE_MAX	  32

struct unit {
	struct check *check;
	sd_bus *bus; /* NULL: not connected */
	struct loop_io *io;
	struct loop_timer *timer; /* sd-bus' own deadlines */
	sd_bus_slot *call;	  /* the call under way, which keeps the run going */
	bool running;
	bool pumping;
	char *path; /* of the unit on the bus; NULL: not asked yet */
	char active[STATE_MAX];
};

static void
hang_up(struct unit *u)
{
	loop_io_del(TAKE(u->io));
	loop_timer_set(u->timer, MONO_NEVER);
	u->call = sd_bus_slot_unref(u->call);
	free(TAKE(u->path));
	if (u->bus != NULL) {
		sd_bus_close(u->bus); /* what was not sent is lost */
		u->bus = sd_bus_unref(u->bus);
	}
}

static const char *
unit_name(const struct unit *u)
{
	return check_text(u->check, "unit", 0);
}

/* The run ends; the connection stays. */
static void
finish(struct unit *u, bool up, const char *text)
{
	u->call = sd_bus_slot_unref(u->call);
	if (!u->running)
		return;
	u->running = false;
	check_donef(u->check, up, "%s", text);
}

/* The run ends, and so does the connection, when the pump is out of it. */
static void
fail(struct unit *u, const char *what)
{
	char text[LIMIT_LOG_TEXT];
	struct strbuf b;

	strbuf_init(&b, text, sizeof(text));
	strbuf_addf(&b, "%s: %s", unit_name(u), what);
	finish(u, false, text);
	if (!u->pumping)
		hang_up(u);
}

static void
fail_errno(struct unit *u, int r)
{
	char text[128];
	struct strbuf b;

	strbuf_init(&b, text, sizeof(text));
	strbuf_addf(&b, "the system bus cannot be asked: %s", strerror(-r));
	fail(u, text);
}

static void
fail_reply(struct unit *u, sd_bus_message *m)
{
	const sd_bus_error *e = sd_bus_message_get_error(m);

	fail(u, e->message != NULL ? e->message : e->name);
}

/* ---- the answers ----------------------------------------------------------------------------- */

static int on_state(sd_bus_message *m, void *arg, sd_bus_error *ret_error);

static void
ask_property(struct unit *u, const char *property, sd_bus_message_handler_t fn)
{
	int r;

	u->call = sd_bus_slot_unref(u->call);
	r = sd_bus_call_method_async(u->bus, &u->call, SYSTEMD, u->path, PROPERTIES, "Get", fn, u, "ss", UNIT,
				     property);
	if (r < 0)
		fail_errno(u, r);
}

/* The text of a property's value, or NULL after ending the run. */
static const char *
value_of(struct unit *u, sd_bus_message *m)
{
	const char *text = NULL;
	int r;

	if (sd_bus_message_is_method_error(m, NULL)) {
		fail_reply(u, m);
		return NULL;
	}
	r = sd_bus_message_read(m, "v", "s", &text);
	if (r < 0) {
		fail(u, "an answer that cannot be understood");
		return NULL;
	}
	return text;
}

/* Of a unit that is inactive: is there one at all? */
static int
on_load_state(sd_bus_message *m, void *arg, sd_bus_error *ret_error)
{
	struct unit *u = arg;
	const char *state = value_of(u, m);
	char text[LIMIT_CHECK_TEXT];
	struct strbuf b;

	(void)ret_error;
	if (state == NULL)
		return 0;
	strbuf_init(&b, text, sizeof(text));
	if (strcmp(state, "loaded") == 0)
		strbuf_addf(&b, "%.64s is %s", unit_name(u), u->active);
	else
		strbuf_addf(&b, "%.64s is %s (%s)", unit_name(u), u->active,
			    strcmp(state, "not-found") == 0 ? "there is no such unit" : state);
	finish(u, false, text);
	return 0;
}

static int
on_state(sd_bus_message *m, void *arg, sd_bus_error *ret_error)
{
	struct unit *u = arg;
	const char *state = value_of(u, m);
	char text[LIMIT_CHECK_TEXT];
	struct strbuf b;

	(void)ret_error;
	if (state == NULL)
		return 0;
	str_copy(u->active, sizeof(u->active), state);
	if (strcmp(state, "inactive") == 0) {
		ask_property(u, "LoadState", on_load_state);
		return 0;
	}
	strbuf_init(&b, text, sizeof(text));
	strbuf_addf(&b, "%.64s is %s", unit_name(u), u->active);
	finish(u, strcmp(state, "active") == 0 || strcmp(state, "reloading") == 0, text);
	return 0;
}

/* The unit has changed. While it is being asked, the answer is as new as this. */
static int
on_changed(sd_bus_message *m, void *arg, sd_bus_error *ret_error)
{
	struct unit *u = arg;
	const char *interface;

	(void)ret_error;
	if (sd_bus_message_read(m, "s", &interface) >= 0 && strcmp(interface, UNIT) == 0)
		check_again(u->check);
	return 0;
}

static int
on_unit(sd_bus_message *m, void *arg, sd_bus_error *ret_error)
{
	struct unit *u = arg;
	const char *path;

	(void)ret_error;
	if (sd_bus_message_is_method_error(m, NULL)) {
		fail_reply(u, m);
		return 0;
	}
	if (sd_bus_message_read(m, "o", &path) < 0) {
		fail(u, "an answer that cannot be understood");
		return 0;
	}
	free(u->path);
	u->path = strdup(path);
	ASSERT(u->path != NULL);
	/* Before the look, so that no change falls in between. Without it the interval decides. */
	(void)sd_bus_match_signal_async(u->bus, NULL, SYSTEMD, path, PROPERTIES, "PropertiesChanged",
					on_changed, NULL, u);
	(void)sd_bus_call_method_async(u->bus, NULL, SYSTEMD, MANAGER_PATH, MANAGER, "Subscribe", NULL, NULL,
				       "");
	ask_property(u, "ActiveState", on_state);
	return 0;
}

/* ---- the connection in our loop -------------------------------------------------------------- */

static void
arm(struct unit *u)
{
	int events = sd_bus_get_events(u->bus);
	uint64_t until = UINT64_MAX;

	if (events < 0 || sd_bus_get_timeout(u->bus, &until) < 0) {
		fail_errno(u, -ENOTCONN);
		return;
	}
	loop_io_want(u->io, (events & POLLIN) != 0, (events & POLLOUT) != 0);
	loop_timer_set(u->timer, until == UINT64_MAX ? MONO_NEVER : (mono_t){.us = until});
}

/* Let sd-bus do what it can do now. */
static void
pump(struct unit *u)
{
	int r = 1;

	u->pumping = true;
	for (unsigned i = 0; r > 0 && i < MESSAGES_PER_TURN; i++)
		r = sd_bus_process(u->bus, NULL);
	u->pumping = false;
	if (r < 0) {
		fail_errno(u, r);
		hang_up(u);
		return;
	}
	arm(u);
	if (r > 0 && u->bus != NULL) /* the rest with the next turn */
		loop_timer_set(u->timer, loop_now(check_loop(u->check)));
}

static void
on_ready(void *arg, int fd, bool readable, bool writable)
{
	(void)fd;
	(void)readable;
	(void)writable;
	pump(arg);
}

static void
on_timer(void *arg, mono_t now)
{
	struct unit *u = arg;

	(void)now;
	if (u->bus != NULL)
		pump(u);
}

/* 0, or -errno. Never waits: the connection goes on in the loop. */
static int
connect_bus(struct unit *u)
{
	int r = sd_bus_open_system(&u->bus);

	if (r < 0)
		return r;
	(void)sd_bus_set_method_call_timeout(u->bus, u->check->def.conf.timeout_us);
	u->io = loop_io_add(check_loop(u->check), sd_bus_get_fd(u->bus), on_ready, u);
	return 0;
}

/* ---- the frame's side ------------------------------------------------------------------------ */

static void
unit_start(struct check *c)
{
	struct unit *u = c->priv;
	int r = 0;

	if (u == NULL) {
		u = agent_alloc(1, sizeof(*u));
		u->check = c;
		u->timer = loop_timer_add(check_loop(c), on_timer, u);
		c->priv = u;
	}
	u->running = true;
	if (u->bus == NULL)
		r = connect_bus(u);
	if (r < 0) {
		fail(u, r == -ENOENT ? "there is no system bus on this host" : strerror(-r));
		return;
	}
	if (u->path != NULL) {
		ask_property(u, "ActiveState", on_state);
	} else {
		r = sd_bus_call_method_async(u->bus, &u->call, SYSTEMD, MANAGER_PATH, MANAGER, "LoadUnit",
					     on_unit, u, "s", unit_name(u));
		if (r < 0)
			fail_errno(u, r);
	}
	if (u->bus != NULL)
		pump(u);
}

static void
unit_cancel(struct check *c, bool force)
{
	struct unit *u = c->priv;

	(void)force;
	/* The next run begins with a fresh connection. */
	finish(u, false, "no answer");
	hang_up(u);
}

static void
unit_free(struct check *c)
{
	struct unit *u = c->priv;

	if (u == NULL)
		return;
	hang_up(u);
	loop_timer_del(u->timer);
	free(u);
}

#else /* HAVE_LIBSYSTEMD */

static void
unit_start(struct check *c)
{
	check_donef(c, false, "this build has no D-Bus: build vrrpd with libsystemd");
}

static void
unit_cancel(struct check *c, bool force)
{
	(void)c;
	(void)force;
}

static void
unit_free(struct check *c)
{
	(void)c;
}

#endif /* HAVE_LIBSYSTEMD */

const struct check_ops check_unit_ops = {
	.name = "unit",
	.start = unit_start,
	.cancel = unit_cancel,
	.free = unit_free,
};
