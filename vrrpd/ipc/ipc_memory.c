/*
 * ipc_memory.c - the memory that outlives an engine; see ipc_memory.h. Used by the parent and the engine.
 */
#include "ipc/ipc_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/role.h"
#include "proto/vrrp_packet.h"

int
ipc_memory_create(void)
{
	int fd = memfd_create("vrrpd-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	/* A fixed size, sealed: nobody can shrink it under another one's mapping. */
	if (ftruncate(fd, sizeof(struct ipc_memory)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

struct ipc_memory *
ipc_memory_map(int fd)
{
	struct stat st;
	int seals;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size != (off_t)sizeof(struct ipc_memory))
		return NULL;
	/* What another one could still shrink would end us by a signal (SIGBUS). */
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
		return NULL;
	p = mmap(NULL, sizeof(struct ipc_memory), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

void
ipc_memory_unmap(struct ipc_memory *m)
{
	if (m != NULL)
		munmap(m, sizeof(*m));
}

static bool
is_name(const char name[LIMIT_NAME], const char *want)
{
	return memchr(name, '\0', LIMIT_NAME) != NULL && strcmp(name, want) == 0;
}

bool
ipc_memory_instance(const struct ipc_memory *m, const char *name, struct ipc_memory_instance *ret)
{
	if (m == NULL || m->layout != IPC_MEMORY_LAYOUT)
		return false;
	for (uint32_t n = 0; n < MIN(m->n_instances, (uint32_t)LIMIT_INSTANCES); n++) {
		if (!is_name(m->instances[n].name, name))
			continue;
		*ret = m->instances[n];
		return ret->active <= 1 && ret->override.drained <= 1 && ret->override.takeover <= 1 &&
		       ret->override.priority < VRRP_PRIORITY_OWNER && ret->form < VRRP_CHECKSUM_FORM_COUNT &&
		       ret->told <= ROLE_STATE_COUNT;
	}
	return false;
}

bool
ipc_memory_check(const struct ipc_memory *m, const char *name, struct ipc_memory_check *ret)
{
	if (m == NULL || m->layout != IPC_MEMORY_LAYOUT)
		return false;
	for (uint32_t n = 0; n < MIN(m->n_checks, (uint32_t)LIMIT_CHECKS); n++) {
		if (!is_name(m->checks[n].name, name))
			continue;
		*ret = m->checks[n];
		return true;
	}
	return false;
}
