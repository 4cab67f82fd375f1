/*
 * fuzz_haproxy.c - kind "haproxy": what the stats socket answers, in pieces.
 *
 * The first octet chooses the options, each piece begins with its length. The check must end every run with one
 * line, up only when HAProxy said its Pid.
 */
#include "fuzz/fuzz_check.h"
#include "fuzz/fuzz_net.h"

static const char *const options[][20] = {
	{"socket", "/run/x", "backends", "pg", "frontends", "fe", "min_servers", "1", "max_queue", "5", NULL},
	{"socket", "/run/x", "backends", "pg", "backends", "empty", "backends", "down", "min_idle", "10", NULL},
	{"socket", "/run/x", NULL},
	{"socket", "/run/x", "frontends", "fe", "frontends", "pg", "min_servers", "0", NULL},
};

/* What the server does next; false: nothing is connected. */
static bool
go_on(struct loop *l, struct fuzz_in *in)
{
	struct net_conn *c = fuzz_conn(0);
	uint8_t what = fuzz_u8(in);

	if (what < 250 && c != NULL)
		fuzz_conn_data(c, in, what == 0 ? in->left : what);
	else if (what == 250 && c != NULL)
		fuzz_conn_end(c, "Connection refused");
	else if (what == 251 && c != NULL)
		fuzz_conn_end(c, NULL);
	else if (what == 252)
		fuzz_refuse = true;
	else
		fuzz_pass(l, what == 253 ? USEC_PER_SEC : 150 * USEC_PER_MS);
	return in->left > 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = fuzz_in(data, size);
	struct check_def def = fuzz_check_def(IPC_CHECK_HAPROXY, options[fuzz_below(&in, ARRAY_SIZE(options))]);
	struct loop *l = loop_new();
	unsigned reports = 0;
	struct checks *cs = checks_new(l, fuzz_report, &reports);
	struct net_conn *c;

	fuzz_refuse = false;
	checks_configure(cs, "node", &def, 1);
	fuzz_pass(l, 0);
	while (go_on(l, &in))
		;
	if ((c = fuzz_conn(0)) != NULL)
		fuzz_conn_end(c, NULL);
	fuzz_pass(l, 2 * USEC_PER_SEC);
	FUZZ_CHECK(reports > 0);
	checks_free(cs);
	FUZZ_CHECK(fuzz_conn(0) == NULL);
	check_def_free(&def);
	loop_free(l);
	return 0;
}
