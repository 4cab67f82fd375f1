/*
 * cmd_text.c - verbs that print a text of the API as it is: metrics, config.
 *
 * Runs in vrrpctl.
 */
#include <stdio.h>

#include "base/macros.h"
#include "ctl/ctl_client.h"

static int
print_text(struct ctl *c, int argc, char **argv, const char *path)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	json_t *j = NULL;
	int status;

	if (argc != 1)
		return ctl_usage(argv[0]);
	status = ctl_get(c, path, &r);
	if (status != CTL_OK)
		return status;
	if (r.status != 200) {
		status = ctl_reply_json(&r, &j);
		json_decref(j);
		return status;
	}
	fwrite(r.body, 1, r.len, stdout);
	return CTL_OK;
}

int
cmd_metrics(struct ctl *c, int argc, char **argv)
{
	return print_text(c, argc, argv, "/metrics");
}

int
cmd_config(struct ctl *c, int argc, char **argv)
{
	return print_text(c, argc, argv, "/v1/config");
}
