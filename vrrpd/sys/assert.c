/*
 * assert.c - where a failed assertion ends: the place on stderr, then abort.
 *
 * Linked into every program; the pure archives call nothing else of the outside world.
 */
#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>

void
assert_fail(const char *expr, const char *file, int line)
{
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
	abort();
}
