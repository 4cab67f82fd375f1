/*
 * check_process.c - PLACEHOLDER
 */
#include "agent/check.h"

static void
start(struct check *c)
{
	check_donef(c, false, "PLACEHOLDER");
}

static void
cancel(struct check *c, bool force)
{
	(void)c;
	(void)force;
}

static void
free_priv(struct check *c)
{
	(void)c;
}

const struct check_ops check_process_ops = {.name = "process", .start = start, .cancel = cancel, .free = free_priv};
