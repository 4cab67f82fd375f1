/*
 * cmd_status.c - verb status: who holds what, since when, and why.
 *
 * Runs in vrrpctl. A table of 80 columns; under each instance its reason, what it tracks, whom it hears, and
 * warnings.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "ctl/ctl_client.h"
#include "ctl/ctl_out.h"

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

/* ---- reading the document -------------------------------------------------------------------- */

static const char *
text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? s : "";
}

static double
number_of(const json_t *j, const char *key)
{
	return json_number_value(json_object_get(j, key));
}

static json_int_t
int_of(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

static bool
is_number(const json_t *j, const char *key)
{
	return json_is_number(json_object_get(j, key));
}

static bool
is_true(const json_t *j, const char *key)
{
	return json_is_true(json_object_get(j, key));
}

static bool
is_fault(const json_t *inst)
{
	return strcmp(text_of(inst, "state"), "fault") == 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

static void PRINTF_LIKE(3, 4) set_cell(struct row *r, enum column col, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->cell[col], CELL_MAX, fmt, ap);
	va_end(ap);
}

static void
fill_row(struct row *r, const json_t *inst)
{
	const json_t *priority = json_object_get(inst, "priority");
	const json_t *node = json_object_get(inst, "active_node");
	const json_t *addresses = json_object_get(inst, "addresses");
	json_int_t base = int_of(priority, "base"), effective = int_of(priority, "effective");
	size_t held = 0;
	char since[CELL_MAX];

	for (size_t i = 0; i < json_array_size(addresses); i++)
		held += is_true(json_array_get(addresses, i), "held");
	set_cell(r, COLUMN_NAME, "%s", text_of(inst, "name"));
	set_cell(r, COLUMN_STATE, "%s", text_of(inst, "state"));
	set_cell(r, COLUMN_SINCE, "%s", out_duration(number_of(inst, "since_s"), since, sizeof(since)));
	if (base == effective)
		set_cell(r, COLUMN_PRIORITY, "%lld", (long long)base);
	else
		set_cell(r, COLUMN_PRIORITY, "%lld of %lld", (long long)effective, (long long)base);
	if (is_true(node, "self"))
		set_cell(r, COLUMN_NODE, "this node");
	else
		set_cell(r, COLUMN_NODE, "%s",
			 !json_is_object(node)				? "none heard"
			 : json_object_get(node, "name") != NULL ? text_of(node, "name")
								: text_of(node, "address"));
	set_cell(r, COLUMN_HELD, "%zu/%zu", held, json_array_size(addresses));
}

/* Columns are as wide as their widest cell; names get what is left of the line. */
static void
measure(const struct row *rows, size_t n, int *width)
{
	int rest = OUT_COLUMNS;

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
		printf("\n%*s", width[COLUMN_NAME], "");
	for (int col = COLUMN_STATE; col < COLUMN_COUNT; col++) {
		printf("%*s", GAP, "");
		out_padded(c, col == COLUMN_STATE ? state : OUT_PLAIN, cell[col],
			   col + 1 < COLUMN_COUNT ? width[col] : 0);
	}
	putchar('\n');
}

/* ---- below each row -------------------------------------------------------------------------- */

static void
print_check(const struct ctl *c, const json_t *k)
{
	const char *state = text_of(k, "state"), *last = text_of(k, "last");
	bool is_check = strcmp(text_of(k, "kind"), "check") == 0;
	char line[1024], since[CELL_MAX];
	struct strbuf b;

	strbuf_init(&b, line, sizeof(line));
	strbuf_addf(&b, "%s %s: %s", text_of(k, "kind"), text_of(k, "name"), state);
	if (is_number(k, "since_s"))
		strbuf_addf(&b, " for %s", out_duration(number_of(k, "since_s"), since, sizeof(since)));
	if (is_number(k, "weight"))
		strbuf_addf(&b, ", weight %+lld", (long long)int_of(k, "weight"));
	if (is_check && last[0] != '\0')
		strbuf_addf(&b, ": %s", last);
	out_wrapped(c, strcmp(state, "up") == 0 ? OUT_PLAIN : OUT_YELLOW, 2, "%s", line);
}

static void
print_peer(const struct ctl *c, const json_t *p)
{
	char ago[CELL_MAX];

	if (!is_number(p, "last_heard_ms")) {
		out_wrapped(c, OUT_PLAIN, 2, "peer %s: never heard", text_of(p, "address"));
		return;
	}
	out_wrapped(c, OUT_PLAIN, 2, "peer %s: priority %lld, heard %s ago", text_of(p, "address"),
		    (long long)int_of(p, "priority"),
		    out_duration(number_of(p, "last_heard_ms") / 1000, ago, sizeof(ago)));
}

static void
print_service(const struct ctl *c, const json_t *v)
{
	const char *state = text_of(v, "state"), *last = text_of(v, "last");
	json_int_t failures = int_of(v, "failures");
	char line[1024];
	struct strbuf b;

	strbuf_init(&b, line, sizeof(line));
	strbuf_addf(&b, "service %s: %s", text_of(v, "name"), state);
	if (failures > 0)
		strbuf_addf(&b, ", %lld failure%s of late: %s", (long long)failures, failures == 1 ? "" : "s", last);
	out_wrapped(c, failures > 0 ? OUT_YELLOW : OUT_PLAIN, 2, "%s", line);
}

/* The store that says who the leader is. */
static void
print_leader(const struct ctl *c, const json_t *inst)
{
	const json_t *l = json_object_get(inst, "leader");
	char left[CELL_MAX] = "";
	struct strbuf b;
	char line[1024];

	if (!json_is_object(l))
		return;
	strbuf_init(&b, line, sizeof(line));
	strbuf_addf(&b, "%s %s", text_of(l, "store"), text_of(l, "key"));
	if (text_of(l, "name")[0] != '\0')
		strbuf_addf(&b, ": %s", text_of(l, "name"));
	if (text_of(l, "value")[0] != '\0' && strcmp(text_of(l, "name"), text_of(l, "value")) != 0)
		strbuf_addf(&b, " (this node is %s)", text_of(l, "value"));
	if (is_number(l, "lease_left_s"))
		strbuf_addf(&b, ", held for %s without news",
			    out_duration(number_of(l, "lease_left_s"), left, sizeof(left)));
	if (text_of(l, "endpoint")[0] != '\0')
		strbuf_addf(&b, ", by %s in %.1f ms", text_of(l, "endpoint"), number_of(l, "latency_us") / 1000);
	out_wrapped(c, OUT_PLAIN, 2, "%s", line);
	if (text_of(l, "trouble")[0] != '\0')
		out_wrapped(c, OUT_YELLOW, 2, "warning: %s", text_of(l, "trouble"));
}

/* What the next step waits for. */
static void
print_waiting(const struct ctl *c, const json_t *inst)
{
	if (strcmp(text_of(inst, "waiting_for"), "gate") == 0)
		out_wrapped(c, OUT_PLAIN, 2, "about to take over: the gate is asked");
	else if (strcmp(text_of(inst, "waiting_for"), "arbiter") == 0)
		out_wrapped(c, OUT_PLAIN, 2, "about to take over: waiting for the arbiter's lease");
	else if (strcmp(text_of(inst, "waiting_for"), "services") == 0)
		out_wrapped(c, OUT_PLAIN, 2, "about to hand over: its services are stopping");
}

static void
print_warnings(const struct ctl *c, const json_t *list, int indent)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		out_wrapped(c, OUT_YELLOW, indent, "warning: %s", json_string_value(json_array_get(list, i)));
}

/* Addresses that should be where they are not, by name: only they are news. */
static void
print_missing(const struct ctl *c, const json_t *inst)
{
	const json_t *addresses = json_object_get(inst, "addresses");

	if (strcmp(text_of(inst, "state"), "active") != 0)
		return;
	for (size_t i = 0; i < json_array_size(addresses); i++) {
		const json_t *a = json_array_get(addresses, i);

		if (!is_true(a, "held"))
			out_wrapped(c, OUT_YELLOW, 2, "not in place: %s on %s", text_of(a, "address"),
				    text_of(a, "interface"));
	}
}

static void
print_details(const struct ctl *c, const json_t *inst)
{
	const json_t *checks = json_object_get(inst, "checks"), *peers = json_object_get(inst, "peers");
	const json_t *services = json_object_get(inst, "services");

	out_wrapped(c, is_fault(inst) ? OUT_RED : OUT_PLAIN, 2, "%s", text_of(inst, "reason"));
	if (is_true(inst, "leaving"))
		out_wrapped(c, OUT_PLAIN, 2, "still serving the addresses until another node has them");
	print_leader(c, inst);
	print_waiting(c, inst);
	print_missing(c, inst);
	for (size_t i = 0; i < json_array_size(checks); i++)
		print_check(c, json_array_get(checks, i));
	for (size_t i = 0; i < json_array_size(services); i++)
		print_service(c, json_array_get(services, i));
	for (size_t i = 0; i < json_array_size(peers); i++)
		print_peer(c, json_array_get(peers, i));
	print_warnings(c, json_object_get(inst, "warnings"), 2);
}

static void
print_table(const struct ctl *c, const json_t *instances)
{
	size_t n = json_array_size(instances);
	struct row *rows = calloc(n + 1, sizeof(*rows));
	int width[COLUMN_COUNT];

	ASSERT(rows != NULL);
	for (size_t i = 0; i < n; i++)
		fill_row(&rows[i], json_array_get(instances, i));
	measure(rows, n, width);
	print_row(c, titles, width, OUT_PLAIN);
	for (size_t i = 0; i < n; i++) {
		const char *cell[COLUMN_COUNT];

		for (int col = 0; col < COLUMN_COUNT; col++)
			cell[col] = rows[i].cell[col];
		print_row(c, cell, width, state_color(cell[COLUMN_STATE]));
		print_details(c, json_array_get(instances, i));
	}
	free(rows);
}

/* ---- the verb -------------------------------------------------------------------------------- */

static bool
any_fault(const json_t *instances)
{
	for (size_t i = 0; i < json_array_size(instances); i++)
		if (is_fault(json_array_get(instances, i)))
			return true;
	return false;
}

static int
show(const struct ctl *c, const struct ctl_reply *r, bool json, bool one)
{
	json_t *doc = NULL, *instances;
	char up[CELL_MAX];
	int status = ctl_reply_json(r, &doc);

	if (status != CTL_OK)
		return status;
	/* The document of one instance is shown as a list of one. */
	instances = one ? json_pack("[O]", doc) : json_incref(json_object_get(doc, "instances"));
	if (json) {
		fwrite(r->body, 1, r->len, stdout);
	} else {
		if (!one)
			out_wrapped(c, OUT_PLAIN, 0, "node %s, vrrpd %s, up %s", text_of(doc, "node"),
				    text_of(doc, "version"),
				    out_duration(number_of(doc, "uptime_s"), up, sizeof(up)));
		if (!one)
			print_warnings(c, json_object_get(doc, "warnings"), 0);
		print_table(c, instances);
	}
	status = any_fault(instances) ? CTL_UNFIT : CTL_OK;
	json_decref(instances);
	json_decref(doc);
	return status;
}

int
cmd_status(struct ctl *c, int argc, char **argv)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	char path[512] = "/v1/status";
	bool json = false;
	int o, status;

	while ((o = getopt(argc, argv, "j")) != -1) {
		if (o != 'j')
			return ctl_usage(argv[0]);
		json = true;
	}
	if (argc - optind > 1)
		return ctl_usage(argv[0]);
	if (optind < argc)
		ctl_instance_path(argv[optind], "", path, sizeof(path));
	status = ctl_get(c, path, &r);
	return status != CTL_OK ? status : show(c, &r, json, optind < argc);
}
