/*
 * ipc_memory.h - what the next engine needs to go on where this one ended.
 *
 * A piece of memory without a name in the file system (memfd), made by the parent and mapped by the engine, which
 * writes it as things happen; so it is up to date however the engine ends. The next engine reads it at its start. The
 * parent hands the descriptor on, also to itself when it is restarted in place. What is read is never trusted: a
 * text that does not end or a value out of range makes the entry count as absent.
 */
#ifndef VRRPD_IPC_IPC_MEMORY_H
#define VRRPD_IPC_IPC_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "ipc/ipc_msg.h"

#define IPC_MEMORY_LAYOUT 0x76720005u /* changes with the structs below: another layout is read as empty */

struct ipc_memory_instance {
	char name[LIMIT_NAME];
	uint64_t advert_us;   /* CLOCK_BOOTTIME of the last advert sent as Active */
	uint64_t window_us;   /* peers do not take over for this long after it */
	uint32_t transitions; /* times Active was entered */
	uint32_t overrides;   /* number of the last change of `override` */
	char ifname[LIMIT_IFNAME];
	uint8_t vrid, family; /* with ifname: the virtual router that `active` is about */
	uint8_t active;	      /* it held the addresses as Active */
	struct ipc_override override; /* CLOCK_BOOTTIME */
	uint8_t form; /* enum vrrp_checksum_form sent */
	uint8_t told; /* enum role_state that the notify commands know, ROLE_STATE_COUNT: none */
};

struct ipc_memory_check {
	char name[LIMIT_NAME];
	uint8_t state; /* enum elect_track_state; the reader checks the range */
};

struct ipc_memory {
	uint32_t layout;
	uint32_t n_instances, n_checks; /* 0 while the arrays are being written */
	struct ipc_memory_instance instances[LIMIT_INSTANCES];
	struct ipc_memory_check checks[LIMIT_CHECKS];
};

/* A new, empty memory: its descriptor (close-on-exec), or -errno. */
int ipc_memory_create(void);

/* Map it. NULL when that fails or the descriptor is no such memory. */
struct ipc_memory *ipc_memory_map(int fd);
void ipc_memory_unmap(struct ipc_memory *m); /* NULL is fine */

/* Look up by name: a copy in *ret, flags, form and `told` in range, or false. */
bool ipc_memory_instance(const struct ipc_memory *m, const char *name, struct ipc_memory_instance *ret);
bool ipc_memory_check(const struct ipc_memory *m, const char *name, struct ipc_memory_check *ret);

#endif
