/*
 * status_table.h - the status document for people: used by status (once) and watch (again and again).
 */
#ifndef VRRPD_CTL_STATUS_TABLE_H
#define VRRPD_CTL_STATUS_TABLE_H

#include "ctl/ctl.h"
#include "ctl/ctl_view.h"

/* How much stands below each row. */
enum status_detail {
	STATUS_FULL,	/* everything known */
	STATUS_REASONS, /* the reason of the state */
	STATUS_ROWS,	/* nothing, but for a fault its reason */
};

/* The first lines of the document: which node, and its warnings. */
void status_print_node(const struct ctl *c, const struct view *doc);

/* The instances of a document, an array of *ret_n to be freed. */
const struct view **status_instances(const struct view *doc, size_t *ret_n);

/* The table of n instances, in lines of c->columns; a name that is too long has a line of its own. */
void status_print_table(const struct ctl *c, const struct view *const *instances, size_t n, enum status_detail detail);

bool status_is_fault(const struct view *inst);

#endif
