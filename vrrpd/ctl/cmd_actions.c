/*
 * cmd_actions.c - verbs that are done when they are answered: garp, check, reload.
 *
 * Runs in vrrpctl.
 */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "ctl/ctl_client.h"
#include "ctl/ctl_doc.h"
#include "ctl/ctl_instance.h"
#include "ctl/ctl_out.h"
#include "ctl/ctl_verbs.h"

#define CHECK_MAX_S  3605 /* a check may take an hour; vrrpd answers when its time is over */
#define RELOAD_MAX_S 25	  /* vrrpd gives itself 20 s */

int
cmd_garp(struct ctl *c, int argc, char **argv)
{
	struct ctl_args args;
	json_t *answer = NULL;
	int status = ctl_args_read(argc, argv, &args);

	if (status >= 0)
		return status;
	status = instance_post(c, args.operand[0], "garp", &args, NULL, &answer);
	if (status != CTL_OK)
		return status;
	if (args.given[OPT_JSON])
		instance_print_json(answer);
	else
		printf("%s: announced again\n", args.operand[0]);
	json_decref(answer);
	return CTL_OK;
}

int
cmd_check(struct ctl *c, int argc, char **argv)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	struct ctl_args args;
	json_t *doc = NULL;
	char path[512];
	bool up;
	int status = ctl_args_read(argc, argv, &args);

	if (status >= 0)
		return status;
	ctl_check_path(args.operand[0], "/run", path, sizeof(path));
	status = ctl_post(c, path, CHECK_MAX_S, &r);
	if (status == CTL_OK)
		status = ctl_reply_json(&r, &doc);
	if (status != CTL_OK)
		return status;
	up = doc_is(doc, "state", "up");
	if (args.given[OPT_JSON])
		instance_print_json(doc);
	else
		out_wrapped(c, OUT_PLAIN, 0, "%s: %s: %s (%.1f ms)", args.operand[0], doc_text(doc, "state"),
			    doc_text(doc, "last"), doc_number(doc, "took_us") / 1000);
	json_decref(doc);
	return up ? CTL_OK : CTL_UNFIT;
}

/* ---- reload ---------------------------------------------------------------------------------- */

static void
print_lines(const json_t *doc, FILE *f)
{
	const json_t *lines = json_object_get(doc, "lines");

	for (size_t i = 0; i < json_array_size(lines); i++)
		fprintf(f, "%s\n", json_string_value(json_array_get(lines, i)));
}

int
cmd_reload(struct ctl *c, int argc, char **argv)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	struct ctl_args args;
	json_t *doc = NULL, *again = NULL;
	bool json;
	int status = ctl_args_read(argc, argv, &args);

	if (status >= 0)
		return status;
	json = args.given[OPT_JSON];
	status = ctl_post(c, args.given[OPT_CHECK] ? "/v1/reload?check=1" : "/v1/reload", RELOAD_MAX_S, &r);
	if (status != CTL_OK)
		return status;
	doc = json_loadb(r.body, r.len, 0, NULL);
	if (json && doc != NULL)
		instance_print_json(doc);
	else
		print_lines(doc, r.status == 200 ? stdout : stderr);
	if (r.status == 200 && !json)
		printf("%s; instances: %lld changed, %lld added, %lld removed\n",
		       args.given[OPT_CHECK] ? "a reload would do this" : "reloaded", doc_int(doc, "changed"),
		       doc_int(doc, "added"), doc_int(doc, "removed"));
	if (r.status != 200 && json_array_size(json_object_get(doc, "lines")) > 0)
		status = CTL_UNFIT; /* the lines have said it */
	else if (r.status != 200)
		status = ctl_reply_json(&r, &again); /* says what is wrong */
	json_decref(again);
	json_decref(doc);
	return status;
}
