/*
 * notify.c - the service manager, over libsystemd; see notify.h. Used by the parent.
 *
 * The only file that knows libsystemd. Messages are those of sd_notify(3); the questions go to systemd's D-Bus
 * interface (org.freedesktop.systemd1(5)). While "systemctl restart" ends a service, its unit has a job of type
 * "restart"; a stop has one of type "stop", a signal sent by hand none at all.
 */
#include "sys/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

#include "base/macros.h"
#include "sys/clock.h"
#include "sys/log.h"

#define SYSTEMD "org.freedesktop.systemd1"

bool
notify_enabled(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path != NULL && path[0] != '\0';
}

/* `r` is what sd_notify() and its like return: below 0, the service manager was not told. */
static void
tell(int r)
{
	if (r < 0)
		log_warning("the service manager cannot be told: %s", strerror(-r));
}

void
notify_ready(const char *status)
{
	tell(sd_notifyf(0, "READY=1\nSTATUS=%s", status));
}

void
notify_reloading(void)
{
	tell(sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_mono().us));
}

void
notify_stopping(const char *status)
{
	tell(sd_notifyf(0, "STOPPING=1\nSTATUS=%s", status));
}

void
notify_status(const char *status)
{
	tell(sd_notifyf(0, "STATUS=%s", status));
}

usec_t
notify_alive_us(void)
{
	uint64_t us = 0;

	return sd_watchdog_enabled(0, &us) > 0 ? us / 2 : 0;
}

void
notify_alive(void)
{
	tell(sd_notify(0, "WATCHDOG=1"));
}

void
notify_store(const char *name, int fd)
{
	char text[128];

	tell(sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name));
	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
	tell(sd_pid_notify_with_fds(0, 0, text, &fd, 1));
}

void
notify_take(const char *const *names, int *ret, unsigned n)
{
	char **kept = NULL;
	int n_kept = sd_listen_fds_with_names(1, &kept);

	for (unsigned k = 0; k < n; k++)
		ret[k] = -1;
	for (int i = 0; i < n_kept; i++) {
		unsigned k = 0;

		while (k < n && (kept == NULL || ret[k] >= 0 || strcmp(kept[i], names[k]) != 0))
			k++;
		if (k < n)
			ret[k] = SD_LISTEN_FDS_START + i;
		else
			close(SD_LISTEN_FDS_START + i);
	}
	for (int i = 0; kept != NULL && kept[i] != NULL; i++)
		free(kept[i]);
	free(kept);
}

/* ---- questions
 * ----------------------------------------------------------------------------------------------- */

static usec_t
left_until(mono_t deadline)
{
	return mono_since(deadline, clock_mono());
}

/* Connect, and wait until the bus has answered the greeting: without this a call would wait for that without
 * limit. */
static sd_bus *
connect_bus(mono_t deadline)
{
	sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	while (r >= 0 && (r = sd_bus_is_ready(bus)) == 0) {
		if (left_until(deadline) == 0)
			r = -ETIMEDOUT;
		else if ((r = sd_bus_process(bus, NULL)) == 0)
			r = sd_bus_wait(bus, left_until(deadline));
	}
	return r < 0 ? sd_bus_close_unref(bus) : bus;
}

/* Send a call, whose memory it frees, and wait for the reply: the caller's, or NULL. */
static sd_bus_message *
call(sd_bus *bus, sd_bus_message *m, mono_t deadline)
{
	sd_bus_message *reply = NULL;
	usec_t left = left_until(deadline);

	/* To sd_bus_call() no time means its own long one. */
	if (left == 0 || sd_bus_call(bus, m, left, NULL, &reply) < 0)
		reply = NULL;
	sd_bus_message_unref(m);
	return reply;
}

/* Open the variant of a property, of this signature, for reading. The reply is the caller's; NULL: not to be
 * had. */
static sd_bus_message *
property(sd_bus *bus, const char *path, const char *interface, const char *name, const char *type,
	 mono_t deadline)
{
	sd_bus_message *m = NULL, *reply;

	if (sd_bus_message_new_method_call(bus, &m, SYSTEMD, path, "org.freedesktop.DBus.Properties", "Get") <
	    0)
		return NULL;
	if (sd_bus_message_append(m, "ss", interface, name) < 0)
		return sd_bus_message_unref(m);
	reply = call(bus, m, deadline);
	if (reply != NULL && sd_bus_message_enter_container(reply, SD_BUS_TYPE_VARIANT, type) <= 0)
		reply = sd_bus_message_unref(reply);
	return reply;
}

/* The reply holds the path of our unit, and is the caller's; NULL: not to be had. */
static sd_bus_message *
own_unit(sd_bus *bus, const char **ret_path, mono_t deadline)
{
	sd_bus_message *m = NULL, *reply;

	if (sd_bus_message_new_method_call(bus, &m, SYSTEMD, "/org/freedesktop/systemd1", SYSTEMD ".Manager",
					   "GetUnitByPID") < 0)
		return NULL;
	if (sd_bus_message_append(m, "u", (uint32_t)getpid()) < 0)
		return sd_bus_message_unref(m);
	reply = call(bus, m, deadline);
	if (reply != NULL && sd_bus_message_read(reply, "o", ret_path) <= 0)
		reply = sd_bus_message_unref(reply);
	return reply;
}

static bool
job_is_restart(sd_bus *bus, const char *path, mono_t deadline)
{
	sd_bus_message *reply = property(bus, path, SYSTEMD ".Job", "JobType", "s", deadline);
	const char *type = "";
	bool is = reply != NULL && sd_bus_message_read(reply, "s", &type) > 0 && strcmp(type, "restart") == 0;

	sd_bus_message_unref(reply);
	return is;
}

static bool
unit_restarts(sd_bus *bus, const char *unit, mono_t deadline)
{
	sd_bus_message *reply = property(bus, unit, SYSTEMD ".Unit", "Job", "(uo)", deadline);
	const char *job = NULL;
	uint32_t id = 0;
	bool is = reply != NULL && sd_bus_message_read(reply, "(uo)", &id, &job) > 0 && id != 0 &&
		  job_is_restart(bus, job, deadline);

	sd_bus_message_unref(reply);
	return is;
}

static bool
unit_keeps_descriptors(sd_bus *bus, const char *unit, mono_t deadline)
{
	sd_bus_message *reply = property(bus, unit, SYSTEMD ".Service", "NFileDescriptorStore", "u", deadline);
	uint32_t n = 0;
	bool keeps = reply != NULL && sd_bus_message_read(reply, "u", &n) > 0 && n > 0;

	sd_bus_message_unref(reply);
	return keeps;
}

bool
notify_restarts(usec_t limit_us)
{
	mono_t deadline = mono_add(clock_mono(), limit_us);
	sd_bus_message *reply;
	const char *unit = NULL;
	bool is = false;
	sd_bus *bus;

	if (!notify_enabled() || (bus = connect_bus(deadline)) == NULL)
		return false;
	reply = own_unit(bus, &unit, deadline);
	if (reply != NULL)
		is = unit_restarts(bus, unit, deadline) && unit_keeps_descriptors(bus, unit, deadline);
	sd_bus_message_unref(reply);
	sd_bus_close_unref(bus);
	return is;
}
