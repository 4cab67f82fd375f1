/*
 * fuzz_redis.c - RESP, and the kinds "redis" and "sentinel" on it: replies of the server and of Sentinels, in
 * pieces.
 *
 * The first octet chooses the options. hiredis' reader is part of what runs.
 */
#include "fuzz/fuzz_check.h"
#include "fuzz/fuzz_net.h"

static const struct {
	enum ipc_check_kind kind;
	const char *options[24];
} checks[] = {
	{IPC_CHECK_REDIS, {"address", "10.0.0.1:6379", NULL}},
	{IPC_CHECK_REDIS,
	 {"address", "10.0.0.1:6379", "role", "master", "max_lag", "5000000", "username", "u", "password",
	  "secret", NULL}},
	{IPC_CHECK_REDIS,
	 {"address", "10.0.0.1:6379", "cluster", "1", "owns_slots", "1", "password", "secret", NULL}},
	{IPC_CHECK_REDIS,
	 {"address", "10.0.0.1:6379", "role", "master", "sentinels", "10.0.0.1:26379", "sentinels",
	  "10.0.0.2:26379", "sentinels", "10.0.0.3:26379", "master", "m", "self", "10.0.0.1:6379", "password",
	  "secret", NULL}},
	{IPC_CHECK_SENTINEL, {"address", "10.0.0.1:26379", "master", "m", "self", "10.0.0.1:6379", NULL}},
};

static void
go_on(struct loop *l, struct fuzz_in *in)
{
	uint8_t what = fuzz_u8(in);
	struct net_conn *c = fuzz_conn(what >> 5);

	switch (what & 31) {
	case 31:
		fuzz_refuse = true;
		break;
	case 30:
		fuzz_pass(l, USEC_PER_SEC);
		break;
	case 29:
		fuzz_pass(l, 100 * USEC_PER_MS);
		break;
	case 28:
		if (c != NULL)
			fuzz_conn_end(c, strerror(ECONNRESET));
		break;
	case 27:
		if (c != NULL)
			fuzz_conn_end(c, NULL);
		break;
	case 26:
		if (c != NULL)
			fuzz_conn_data(c, in, in->left);
		break;
	default:
		if (c != NULL)
			fuzz_conn_data(c, in, (size_t)(what & 31) * 8 + 1);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = fuzz_in(data, size);
	unsigned which = fuzz_below(&in, ARRAY_SIZE(checks)), reports = 0;
	struct check_def def = fuzz_check_def(checks[which].kind, checks[which].options);
	struct loop *l = loop_new();
	struct checks *cs = checks_new(l, fuzz_report, &reports);

	fuzz_refuse = false;
	checks_configure(cs, "node", &def, 1);
	fuzz_pass(l, 0);
	while (in.left > 0)
		go_on(l, &in);
	fuzz_pass(l, 2 * USEC_PER_SEC);
	FUZZ_CHECK(reports > 0);
	checks_free(cs);
	FUZZ_CHECK(fuzz_conn(0) == NULL);
	check_def_free(&def);
	loop_free(l);
	return 0;
}
