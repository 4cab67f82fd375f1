/*
 * notify.h - what the service manager hears from vrrpd, keeps for it and knows of it (systemd).
 *
 * Two implementations with the same functions: notify.c over libsystemd, and notify_none.c where that is
 * missing. Without a service manager that listens (NOTIFY_SOCKET unset) everything here does nothing and knows
 * nothing. Errors are not reported: vrrpd works the same when nobody hears it.
 */
#ifndef VRRPD_SYS_NOTIFY_H
#define VRRPD_SYS_NOTIFY_H

#include <stdbool.h>

#include "base/time.h"

/* A service manager listens to this process. */
bool notify_enabled(void);

/* Started, or done with a reload (READY=1); status: one line for people, never with a newline. */
void notify_ready(const char *status);

/* A reload begins; notify_ready() ends it (RELOADING=1, MONOTONIC_USEC). */
void notify_reloading(void);

/* The end has begun (STOPPING=1). */
void notify_stopping(const char *status);

/* One line for people (STATUS=). */
void notify_status(const char *status);

/* How often notify_alive() is wanted: half of WATCHDOG_USEC; 0 = not at all. */
usec_t notify_alive_us(void);
void notify_alive(void); /* WATCHDOG=1 */

/*
 * Have the manager keep a copy of fd under this name ([a-z-]+) for the next start of the service, instead of
 * all it kept under the name before. The descriptor stays the caller's. Whether it is kept
 * (FileDescriptorStoreMax=) is not known: notify_restarts() tells.
 */
void notify_store(const char *name, int fd);

/*
 * Take back what was kept: the first descriptor of each of the n names (the caller's, close-on-exec), or -1. All
 * others the manager handed over are closed. Works once, at the start: it clears LISTEN_* from the environment.
 */
void notify_take(const char *const *names, int *ret, unsigned n);

/*
 * Ask the manager, waiting at most limit_us: will it start this service again at once, because what ends it now
 * is a restart, and does it keep descriptors for it? False when it does not answer in time.
 */
bool notify_restarts(usec_t limit_us);

#endif
