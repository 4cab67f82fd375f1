/*
 * agent_util.h - memory for the agent: it is there, or the process ends and the parent starts it anew.
 */
#ifndef VRRPD_AGENT_AGENT_UTIL_H
#define VRRPD_AGENT_AGENT_UTIL_H

#include <stdlib.h>

#include "base/macros.h"

/* n zeroed objects (at least one octet, never NULL); free() them. */
static inline void *
agent_alloc(size_t n, size_t size)
{
	void *p = calloc(n > 0 ? n : 1, size);

	ASSERT(p != NULL);
	return p;
}

#endif
