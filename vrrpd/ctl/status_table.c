/*
 * status_table.c - who holds what, since when, and why, as a table; see status_table.h.
 *
 * Runs in vrrpctl, for status and watch. Under each instance its reason, what it tracks, whom it hears, what
 * was commanded, and warnings.
 */
#include "ctl/status_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "ctl/ctl_out.h"
#include "ctl/ctl_view.h"

enum column {
	COLUMN_NAME,
	COLUMN_STATE,
	COLUMN_SINCE,
	COLUMN_PRIORITY,
	COLUMN_NODE,
	COLUMN_HELD,
	COLUMN_COUNT
};

static const char *const titles[COLUMN_COUNT] = {"INSTANCE", "STATE",	    "SINCE",
						 "PRIORITY", "ACTIVE NODE", "ADDRESSES"};

#define CELL_MAX 64 /* longer than any address or name */
#define GAP	 2  /* spaces between columns */

struct row {
	char cell[COLUMN_COUNT][CELL_MAX];
};

const struct view **
status_instances(const struct view *doc, size_t *ret_n)
{
	const struct view *list = view_get(doc, "instances");
	const struct view **all = calloc(view_size(list) + 1, sizeof(const struct view *));
	size_t n = 0;

	ASSERT(all != NULL);
	VIEW_EACH(inst, list)
		all[n++] = inst;
	*ret_n = n;
	return all;
}

bool
status_is_fault(const struct view *inst)
{
	return view_is(inst, "state", "fault");
}

/* ---- the table ------------------------------------------------------------------------------- */

static void PRINTF_LIKE(3, 4) set_cell(struct row *r, enum column col, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->cell[col], CELL_MAX, fmt, ap);
	va_end(ap);
}

/* By name where a store knows one. Only VRRP hears its active node. */
static const char *
node_name(const struct view *inst, const struct view *node)
{
	if (view_true(node, "self"))
		return "this node";
	if (node == NULL || node->type != VIEW_OBJECT)
		return view_is(inst, "mode", "follow") || view_is(inst, "mode", "lease") ? "none" : "none heard";
	return view_text(node, "name")[0] != '\0' ? view_text(node, "name") : view_text(node, "address");
}

static void
fill_row(struct row *r, const struct view *inst)
{
	const struct view *priority = view_get(inst, "priority");
	const struct view *node = view_get(inst, "active_node");
	const struct view *addresses = view_get(inst, "addresses");
	long long base = view_int(priority, "base"), effective = view_int(priority, "effective");
	size_t held = 0;
	char since[CELL_MAX];

	VIEW_EACH(a, addresses)
		held += view_true(a, "held");
	set_cell(r, COLUMN_NAME, "%s", view_text(inst, "name"));
	set_cell(r, COLUMN_STATE, "%s", view_text(inst, "state"));
	set_cell(r, COLUMN_SINCE, "%s", out_duration(view_number(inst, "since_s"), since, sizeof(since)));
	if (base == effective)
		set_cell(r, COLUMN_PRIORITY, "%lld", base);
	else
		set_cell(r, COLUMN_PRIORITY, "%lld of %lld", effective, base);
	set_cell(r, COLUMN_NODE, "%s", node_name(inst, node));
	set_cell(r, COLUMN_HELD, "%zu/%zu", held, view_size(addresses));
}

/* Columns are as wide as their widest cell; names get what is left of the line. */
static void
measure(const struct ctl *c, const struct row *rows, size_t n, int *width)
{
	int rest = c->columns;

	for (int col = 0; col < COLUMN_COUNT; col++) {
		width[col] = out_width(titles[col]);
		for (size_t i = 0; i < n; i++)
			width[col] = MAX(width[col], out_width(rows[i].cell[col]));
		if (col != COLUMN_NAME)
			rest -= width[col] + GAP;
	}
	width[COLUMN_NAME] = MAX(MIN(width[COLUMN_NAME], rest), GAP);
}

static enum out_color
state_color(const char *state)
{
	if (strcmp(state, "active") == 0)
		return OUT_GREEN;
	return strcmp(state, "fault") == 0 ? OUT_RED : OUT_PLAIN;
}

static void
print_row(const struct ctl *c, const char *const *cell, const int *width, enum out_color state)
{
	out_padded(c, OUT_BOLD, cell[COLUMN_NAME], width[COLUMN_NAME]);
	/* A name that does not fit has a line to itself. */
	if (out_width(cell[COLUMN_NAME]) > width[COLUMN_NAME])
		fprintf(c->out, "\n%*s", width[COLUMN_NAME], "");
	for (int col = COLUMN_STATE; col < COLUMN_COUNT; col++) {
		out_spaces(c, GAP);
		out_padded(c, col == COLUMN_STATE ? state : OUT_PLAIN, cell[col],
			   col + 1 < COLUMN_COUNT ? width[col] : 0);
	}
	fputc('\n', c->out);
}

/* ---- below each row -------------------------------------------------------------------------- */

static void
print_check(const struct ctl *c, const struct view *k)
{
	const char *state = view_text(k, "state"), *last = view_text(k, "last");
	bool is_check = strcmp(view_text(k, "kind"), "check") == 0;
	char line[1024], since[CELL_MAX];
	struct strbuf b;

	strbuf_init(&b, line, sizeof(line));
	strbuf_addf(&b, "%s %s: %s", view_text(k, "kind"), view_text(k, "name"), state);
	if (view_has_number(k, "since_s"))
		strbuf_addf(&b, " for %s", out_duration(view_number(k, "since_s"), since, sizeof(since)));
	if (view_has_number(k, "weight"))
		strbuf_addf(&b, ", weight %+lld", view_int(k, "weight"));
	if (is_check && last[0] != '\0')
		strbuf_addf(&b, ": %s", last);
	out_wrapped(c, strcmp(state, "up") == 0 ? OUT_PLAIN : OUT_YELLOW, 2, "%s", line);
}

static void
print_peer(const struct ctl *c, const struct view *p)
{
	char ago[CELL_MAX];

	if (!view_has_number(p, "last_heard_ms")) {
		out_wrapped(c, OUT_PLAIN, 2, "peer %s: never heard", view_text(p, "address"));
		return;
	}
	out_wrapped(c, OUT_PLAIN, 2, "peer %s: priority %lld, heard %s ago", view_text(p, "address"),
		    view_int(p, "priority"),
		    out_duration(view_number(p, "last_heard_ms") / 1000, ago, sizeof(ago)));
}

static void
print_service(const struct ctl *c, const struct view *v)
{
	const char *state = view_text(v, "state"), *last = view_text(v, "last");
	long long failures = view_int(v, "failures");
	char line[1024];
	struct strbuf b;

	strbuf_init(&b, line, sizeof(line));
	strbuf_addf(&b, "service %s: %s", view_text(v, "name"), state);
	if (failures > 0)
		strbuf_addf(&b, ", %lld failure%s of late: %s", failures, failures == 1 ? "" : "s", last);
	out_wrapped(c, failures > 0 ? OUT_YELLOW : OUT_PLAIN, 2, "%s", line);
}

/* The store that says who the leader is. */
static void
print_leader(const struct ctl *c, const struct view *inst)
{
	const struct view *l = view_get(inst, "leader");
	char left[CELL_MAX] = "";
	struct strbuf b;
	char line[1024];

	if (l == NULL || l->type != VIEW_OBJECT)
		return;
	strbuf_init(&b, line, sizeof(line));
	strbuf_addf(&b, "%s %s", view_text(l, "store"), view_text(l, "key"));
	if (view_text(l, "name")[0] != '\0')
		strbuf_addf(&b, ": %s", view_text(l, "name"));
	if (view_text(l, "value")[0] != '\0' && strcmp(view_text(l, "name"), view_text(l, "value")) != 0)
		strbuf_addf(&b, " (this node is %s)", view_text(l, "value"));
	if (view_has_number(l, "lease_left_s"))
		strbuf_addf(&b, ", held for %s without news",
			    out_duration(view_number(l, "lease_left_s"), left, sizeof(left)));
	if (view_text(l, "endpoint")[0] != '\0')
		strbuf_addf(&b, ", by %s in %.1f ms", view_text(l, "endpoint"), view_number(l, "latency_us") / 1000);
	out_wrapped(c, OUT_PLAIN, 2, "%s", line);
	if (view_text(l, "trouble")[0] != '\0')
		out_wrapped(c, OUT_YELLOW, 2, "warning: %s", view_text(l, "trouble"));
}

/* What the next step waits for. */
static void
print_waiting(const struct ctl *c, const struct view *inst)
{
	if (strcmp(view_text(inst, "waiting_for"), "gate") == 0)
		out_wrapped(c, OUT_PLAIN, 2, "about to take over: the gate is asked");
	else if (strcmp(view_text(inst, "waiting_for"), "arbiter") == 0)
		out_wrapped(c, OUT_PLAIN, 2, "about to take over: waiting for the arbiter's lease");
	else if (strcmp(view_text(inst, "waiting_for"), "services") == 0)
		out_wrapped(c, OUT_PLAIN, 2, "about to hand over: its services are stopping");
}

static void
print_warnings(const struct ctl *c, const struct view *list, int indent)
{
	VIEW_EACH(warning, list)
		out_wrapped(c, OUT_YELLOW, indent, "warning: %s", warning->type == VIEW_TEXT ? warning->text : "");
}

/* Addresses that should be where they are not, by name: only they are news. */
static void
print_missing(const struct ctl *c, const struct view *inst)
{
	const struct view *addresses = view_get(inst, "addresses");

	if (strcmp(view_text(inst, "state"), "active") != 0)
		return;
	VIEW_EACH(a, addresses) {
		if (!view_true(a, "held"))
			out_wrapped(c, OUT_YELLOW, 2, "not in place: %s on %s", view_text(a, "address"),
				    view_text(a, "interface"));
	}
}

/* "until vrrpctl resume", or "for 9 min 50 s more" */
static const char *
how_long(const struct view *inst, const char *key, const char *undo, char *buf, size_t size)
{
	char left[CELL_MAX];

	if (view_has_number(inst, key))
		snprintf(buf, size, "for %s more", out_left(view_number(inst, key), left, sizeof(left)));
	else
		snprintf(buf, size, "until vrrpctl %s", undo);
	return buf;
}

/* What was commanded and is still in force. */
static void
print_overrides(const struct ctl *c, const struct view *inst)
{
	const struct view *priority = view_get(inst, "priority");
	char how[CELL_MAX + 64], undo[CELL_MAX];

	if (view_true(inst, "drained"))
		out_wrapped(c, OUT_YELLOW, 2, "drained %s",
			    how_long(inst, "drained_left_s", "resume", how, sizeof(how)));
	if (view_true(inst, "takeover"))
		out_wrapped(c, OUT_YELLOW, 2, "takeover: prefers itself %s",
			    how_long(inst, "takeover_left_s", "resume", how, sizeof(how)));
	if (!view_has_number(inst, "priority_override"))
		return;
	snprintf(undo, sizeof(undo), "priority %s reset", view_text(inst, "name"));
	out_wrapped(c, OUT_YELLOW, 2, "priority %lld by command (%lld configured) %s", view_int(inst, "priority_override"),
		    view_int(priority, "base"), how_long(inst, "priority_override_left_s", undo, how, sizeof(how)));
}

static void
print_details(const struct ctl *c, const struct view *inst)
{
	out_wrapped(c, status_is_fault(inst) ? OUT_RED : OUT_PLAIN, 2, "%s", view_text(inst, "reason"));
	if (view_true(inst, "leaving"))
		out_wrapped(c, OUT_PLAIN, 2, "still serving the addresses until another node has them");
	print_overrides(c, inst);
	print_leader(c, inst);
	print_waiting(c, inst);
	print_missing(c, inst);
	VIEW_EACH(check, view_get(inst, "checks"))
		print_check(c, check);
	VIEW_EACH(service, view_get(inst, "services"))
		print_service(c, service);
	VIEW_EACH(peer, view_get(inst, "peers"))
		print_peer(c, peer);
	print_warnings(c, view_get(inst, "warnings"), 2);
}

/* ---- the whole ------------------------------------------------------------------------------- */

void
status_print_node(const struct ctl *c, const struct view *doc)
{
	char up[CELL_MAX];

	out_wrapped(c, OUT_PLAIN, 0, "node %s, vrrpd %s, up %s", view_text(doc, "node"), view_text(doc, "version"),
		    out_duration(view_number(doc, "uptime_s"), up, sizeof(up)));
	print_warnings(c, view_get(doc, "warnings"), 0);
}

/* What stands below an instance's row. */
static void
print_below(const struct ctl *c, const struct view *inst, enum status_detail detail)
{
	if (detail == STATUS_FULL)
		print_details(c, inst);
	else if (detail == STATUS_REASONS || status_is_fault(inst))
		out_wrapped(c, status_is_fault(inst) ? OUT_RED : OUT_PLAIN, 2, "%s", view_text(inst, "reason"));
}

void
status_print_table(const struct ctl *c, const struct view *const *instances, size_t n, enum status_detail detail)
{
	struct row *rows = calloc(n + 1, sizeof(*rows));
	int width[COLUMN_COUNT];

	ASSERT(rows != NULL);
	for (size_t i = 0; i < n; i++)
		fill_row(&rows[i], instances[i]);
	measure(c, rows, n, width);
	print_row(c, titles, width, OUT_PLAIN);
	for (size_t i = 0; i < n; i++) {
		const char *cell[COLUMN_COUNT];

		for (int col = 0; col < COLUMN_COUNT; col++)
			cell[col] = rows[i].cell[col];
		print_row(c, cell, width, state_color(cell[COLUMN_STATE]));
		print_below(c, instances[i], detail);
	}
	free(rows);
}
