/*
 * ipc_events.c - the memory that outlives an agent; see ipc_events.h. Used by the parent and the agent.
 */
#include "ipc/ipc_events.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"

int
ipc_events_create(void)
{
	int fd = memfd_create("vrrpd-events", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	/* A fixed size, sealed: nobody can shrink it under another one's mapping. */
	if (ftruncate(fd, sizeof(struct ipc_events)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

static bool
is_events(int fd)
{
	struct stat st;
	int seals;

	if (fstat(fd, &st) < 0 || st.st_size != (off_t)sizeof(struct ipc_events))
		return false;
	/* What another one could still shrink would end us by a signal (SIGBUS). */
	seals = fcntl(fd, F_GET_SEALS);
	return seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
}

struct ipc_events *
ipc_events_map(int fd)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	struct ipc_events *m;

	if (fd >= 0 && !is_events(fd))
		return NULL;
	m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, flags, fd, 0);
	if (m == MAP_FAILED)
		return NULL;
	if (m->layout != IPC_EVENTS_LAYOUT) {
		m->n_slots = m->n_counts = 0;
		ipc_events_set_last(m, 0);
		m->layout = IPC_EVENTS_LAYOUT;
	}
	return m;
}

void
ipc_events_unmap(struct ipc_events *m)
{
	if (m != NULL)
		munmap(m, sizeof(*m));
}

/* FNV-1a: an error, not an attack, is what it finds. */
static uint64_t
sum_of(const struct ipc_events_entry *e)
{
	const uint8_t *p = (const uint8_t *)e;
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < offsetof(struct ipc_events_entry, sum); i++)
		sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
	return sum;
}

void
ipc_events_write(struct ipc_events *m, uint32_t slot, const struct ipc_events_entry *e)
{
	struct ipc_events_entry copy;

	ASSERT(slot < LIMIT_EVENTS);
	memset(&copy, 0, sizeof(copy)); /* the gaps between the fields are part of the sum */
	copy.seq = e->seq;
	copy.wall_us = e->wall_us;
	memcpy(&copy.cause, &e->cause, sizeof(copy.cause));
	memcpy(copy.instance, e->instance, sizeof(copy.instance));
	copy.from = e->from;
	copy.to = e->to;
	copy.priority = e->priority;
	copy.sum = sum_of(&copy);
	memcpy(&m->ring[slot], &copy, sizeof(copy));
}

static bool
ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

bool
ipc_events_read(const struct ipc_events *m, uint32_t slot, struct ipc_events_entry *ret)
{
	ASSERT(slot < LIMIT_EVENTS);
	memcpy(ret, &m->ring[slot], sizeof(*ret));
	return ret->seq != 0 && ret->sum == sum_of(ret) && ends(ret->instance, sizeof(ret->instance)) &&
	       ret->from < ROLE_STATE_COUNT && ret->to < ROLE_STATE_COUNT && ret->cause.reason < ROLE_REASON_COUNT &&
	       ends(ret->cause.name, sizeof(ret->cause.name)) &&
	       (ret->cause.addr.family == IP_FAMILY_NONE || ip_family_size(ret->cause.addr.family) != 0);
}

void
ipc_events_cut(struct ipc_events *m, uint32_t first)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t begin = offsetof(struct ipc_events, ring) + first * sizeof(m->ring[0]);
	size_t whole = MIN((begin + page - 1) / page * page, sizeof(*m));

	m->n_slots = MIN(m->n_slots, first);
	/* The rest of the page is cleared, whole pages are given back. Where that is not possible they stay, unread. */
	memset((uint8_t *)m + begin, 0, whole - begin);
	if (whole < sizeof(*m))
		(void)madvise((uint8_t *)m + whole, sizeof(*m) - whole, MADV_REMOVE);
}

uint64_t
ipc_events_last(const struct ipc_events *m)
{
	return m->last_seq == ~m->last_seq_not ? m->last_seq : 0;
}

void
ipc_events_set_last(struct ipc_events *m, uint64_t seq)
{
	m->last_seq = seq;
	m->last_seq_not = ~seq;
}
