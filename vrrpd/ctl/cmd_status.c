/*
 * cmd_status.c - verbs status and explain: how it is, and why.
 *
 * Runs in vrrpctl.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/macros.h"
#include "ctl/ctl_client.h"
#include "ctl/ctl_doc.h"
#include "ctl/ctl_out.h"
#include "ctl/ctl_verbs.h"
#include "ctl/status_table.h"

static bool
any_fault(const struct view *const *instances, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (status_is_fault(instances[i]))
			return true;
	return false;
}

/* The document of one instance is shown as a list of one. */
static int
show(const struct ctl *c, struct ctl_reply *r, bool json, bool one)
{
	const struct view **instances;
	struct view *doc;
	bool unfit;
	size_t n = 1;

	if (r->status != 200)
		return ctl_reply_json(r, NULL); /* says what is wrong */
	if (json)
		fwrite(r->body, 1, r->len, stdout);
	doc = view_parse(r->body, r->len);
	if (doc == NULL) {
		fputs("vrrpctl: the daemon's status cannot be understood: is it of another version?\n", c->err);
		return CTL_UNFIT;
	}
	instances = status_instances(doc, &n);
	if (one) {
		instances[0] = doc;
		n = 1;
	}
	if (!json && !one)
		status_print_node(c, doc);
	if (!json)
		status_print_table(c, instances, n, STATUS_FULL);
	unfit = any_fault(instances, n);
	free(instances);
	free(doc);
	return unfit ? CTL_UNFIT : CTL_OK;
}

int
cmd_status(struct ctl *c, int argc, char **argv)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	char path[512];
	struct ctl_args args;
	int status = ctl_args_read(argc, argv, &args);

	if (status >= 0)
		return status;
	if (args.n > 0)
		ctl_instance_path(args.operand[0], "", path, sizeof(path));
	else
		snprintf(path, sizeof(path), "%s", args.given[OPT_JSON] ? "/v1/status" : CTL_STATUS_BRIEF);
	status = ctl_get(c, path, &r);
	return status != CTL_OK ? status : show(c, &r, args.given[OPT_JSON], args.n > 0);
}

/* ---- explain --------------------------------------------------------------------------------- */

static void
print_section(const struct ctl *c, const json_t *section)
{
	const json_t *lines = json_object_get(section, "lines");

	fputc('\n', c->out);
	out_text(c, OUT_BOLD, doc_text(section, "title"));
	fputc('\n', c->out);
	for (size_t i = 0; i < json_array_size(lines); i++) {
		const json_t *line = json_array_get(lines, i);

		out_wrapped(c, doc_true(line, "warning") ? OUT_YELLOW : OUT_PLAIN, 2, "%s", doc_text(line, "text"));
	}
}

static void
print_explanation(const struct ctl *c, const json_t *doc)
{
	const json_t *sections = json_object_get(doc, "sections");
	bool fault = doc_is(doc, "state", "fault");
	char since[64];

	out_wrapped(c, fault ? OUT_RED : doc_is(doc, "state", "active") ? OUT_GREEN : OUT_PLAIN, 0,
		    "%s (mode %s): %s for %s", doc_text(doc, "name"), doc_text(doc, "mode"), doc_text(doc, "state"),
		    out_duration(doc_number(doc, "since_s"), since, sizeof(since)));
	out_wrapped(c, OUT_PLAIN, 2, "%s", doc_text(doc, "reason"));
	for (size_t i = 0; i < json_array_size(sections); i++)
		print_section(c, json_array_get(sections, i));
}

int
cmd_explain(struct ctl *c, int argc, char **argv)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	char path[512];
	struct ctl_args args;
	json_t *doc = NULL;
	int status = ctl_args_read(argc, argv, &args);

	if (status >= 0)
		return status;
	ctl_instance_path(args.operand[0], "/explain", path, sizeof(path));
	status = ctl_get(c, path, &r);
	if (status == CTL_OK)
		status = ctl_reply_json(&r, &doc);
	if (status != CTL_OK)
		return status;
	if (args.given[OPT_JSON])
		fwrite(r.body, 1, r.len, stdout);
	else
		print_explanation(c, doc);
	json_decref(doc);
	return CTL_OK;
}
