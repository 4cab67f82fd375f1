/*
 * notify_none.c - no service manager: built instead of notify.c where libsystemd is missing.
 */
#include "sys/notify.h"

bool
notify_enabled(void)
{
	return false;
}

void
notify_ready(const char *status)
{
	(void)status;
}

void
notify_reloading(void)
{
}

void
notify_stopping(const char *status)
{
	(void)status;
}

void
notify_status(const char *status)
{
	(void)status;
}

usec_t
notify_alive_us(void)
{
	return 0;
}

void
notify_alive(void)
{
}

void
notify_store(const char *name, int fd)
{
	(void)name;
	(void)fd;
}

void
notify_take(const char *const *names, int *ret, unsigned n)
{
	(void)names;
	for (unsigned k = 0; k < n; k++)
		ret[k] = -1;
}

bool
notify_restarts(usec_t limit_us)
{
	(void)limit_us;
	return false;
}
