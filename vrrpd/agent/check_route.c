/*
 * check_route.c - PLACEHOLDER
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

const struct check_ops check_route_ops = {.name = "route", .start = start, .cancel = cancel, .free = free_priv};
