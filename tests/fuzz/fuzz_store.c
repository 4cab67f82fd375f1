/*
 * fuzz_store.c - the stores: what etcd v3 and v2, Consul, Patroni and Sentinels answer, in any order, late, in
 * pieces or not at all, in the modes follow and lease.
 *
 * The first octet chooses the store. What the engine is told must never claim a lease longer than a store can
 * give, and that this node is the leader only after an answer.
 */
#include "agent/agent_util.h"
#include "fuzz/fuzz_agent.h"
#include "fuzz/fuzz_check.h"
#include "sys/clock.h"

#define ANSWER_MAX 2048

static const char *const etcd[] = {"store",	"etcd3",
				   "endpoints", "http://10.0.0.1:2379",
				   "endpoints", "http://10.0.0.2:2379",
				   "endpoints", "http://10.0.0.3:2379",
				   "key",	"/l",
				   "value",	"n",
				   NULL};
static const char *const etcd_user[] = {
	"store",    "etcd3",  "endpoints", "http://10.0.0.1:2379",  "key", "/l", "value", "n", "username", "u",
	"password", "secret", "patroni",   "http://127.0.0.1:8008", NULL};
static const char *const etcd_lease[] = {"store",     "etcd3",
					 "endpoints", "http://10.0.0.1:2379",
					 "endpoints", "http://10.0.0.2:2379",
					 "key",	      "/l",
					 "value",     "n",
					 "ttl",	      "10000000",
					 NULL};
static const char *const etcd2[] = {
	"store", "etcd2", "endpoints", "http://10.0.0.1:2379", "endpoints", "http://10.0.0.2:2379", "key", "/l",
	"value", "n",	  NULL};
static const char *const consul[] = {"store",	 "consul", "endpoints", "http://10.0.0.1:8500",
				     "key",	 "l",	   "value",	"n",
				     "password", "token",  NULL};
static const char *const patroni[] = {"store", "patroni", "value", "n", NULL};
static const char *const sentinel[] = {"store",	    "sentinel",
				       "endpoints", "10.0.0.1:26379",
				       "endpoints", "10.0.0.2:26379",
				       "endpoints", "10.0.0.3:26379",
				       "master",    "m",
				       "self",	    "10.0.0.1:6379",
				       "key",	    "m",
				       "value",	    "10.0.0.1:6379",
				       NULL};

static const struct {
	uint8_t mode;
	bool arbiter;
	const char *const *options;
} stores[] = {
	{ELECT_MODE_FOLLOW, false, etcd},      {ELECT_MODE_FOLLOW, false, etcd_user},
	{ELECT_MODE_LEASE, false, etcd_lease}, {ELECT_MODE_VRRP, true, etcd_lease},
	{ELECT_MODE_FOLLOW, false, etcd2},     {ELECT_MODE_FOLLOW, false, consul},
	{ELECT_MODE_FOLLOW, false, patroni},   {ELECT_MODE_FOLLOW, false, sentinel},
};

static const int statuses[] = {200, 200, 200, 200, 400, 401, 403, 404, 412, 500, 503};

static struct agent_conf *
make_conf(unsigned which)
{
	struct agent_conf *c = agent_alloc(1, sizeof(*c));
	struct check_def d = fuzz_check_options(stores[which].options);

	c->gen = 7;
	c->begin = (struct ipc_conf_begin){
		.n_instances = 1, .n_addresses = 1, .address_lifetime_s = 3, .node = "n"};
	c->checks = agent_alloc(1, sizeof(*c->checks));
	c->instances = agent_alloc(1, sizeof(*c->instances));
	c->addresses = agent_alloc(1, sizeof(*c->addresses));
	c->peers = agent_alloc(1, sizeof(*c->peers));
	c->tracks = agent_alloc(1, sizeof(*c->tracks));
	c->hooks = agent_alloc(1, sizeof(*c->hooks));
	c->services = agent_alloc(1, sizeof(*c->services));
	c->stores = agent_alloc(1, sizeof(*c->stores));
	c->stores[0] = d;
	c->instances[0].c = (struct ipc_conf_instance){.n_addresses = 1,
						       .mode = stores[which].mode,
						       .arbiter = stores[which].arbiter,
						       .family = IP_FAMILY_V4,
						       .name = "i",
						       .ifname = "eth0"};
	return c;
}

/* What the engine is told. */
static void
check_told(struct fuzz_agent *w, unsigned which, bool any_answer)
{
	struct ipc_chan c;
	union ipc_msg m;
	int fd;

	ipc_chan_init(&c, w->engine.fd, IPC_ENGINE_TO_AGENT, IPC_AGENT_TO_ENGINE);
	while (ipc_chan_recv(&c, &m, &fd) == 1) {
		if (m.h.type != IPC_LEADER)
			continue;
		FUZZ_CHECK(m.LEADER.fact < ELECT_FACT_COUNT);
		FUZZ_CHECK(memchr(m.LEADER.name, '\0', sizeof(m.LEADER.name)) != NULL);
		FUZZ_CHECK(m.LEADER.fact != ELECT_FACT_SELF || any_answer);
		FUZZ_CHECK(m.LEADER.confirmed_us <= clock_boot_us());
		FUZZ_CHECK(m.LEADER.fresh_until_us <= clock_boot_us() + STORE_FRESH_US);
		if (m.LEADER.fact == ELECT_FACT_OTHER || m.LEADER.fact == ELECT_FACT_NONE)
			FUZZ_CHECK(m.LEADER.lease_until_us == 0);
		(void)which;
	}
}

static void
check_shown(const struct fuzz_agent *w)
{
	const struct ipc_snap_instance now = {.fact = ELECT_FACT_SELF, .held_until_us = UINT64_MAX};
	const struct store *s = stores_get(w->a.stores, 0);
	struct json_out j;
	size_t n;

	FUZZ_CHECK(s != NULL);
	FUZZ_CHECK(memchr(s->trouble, '\0', sizeof(s->trouble)) != NULL &&
		   memchr(s->leader, '\0', sizeof(s->leader)) != NULL);
	json_out_init(&j);
	json_out_open(&j, NULL, '{');
	stores_json(&j, w->a.stores, 0, &now, clock_mono().us);
	json_out_close(&j, '}');
	free(json_out_take(&j, &n));
}

/* One answer: status, perhaps a header, and the next octets as its body. */
static void
answer(struct fuzz_in *in, struct net_http_req *r)
{
	uint8_t flags = fuzz_u8(in);
	struct net_http_answer a = {.status = statuses[(flags & 15) % ARRAY_SIZE(statuses)],
				    .cut = flags == 0xff};
	size_t n = flags & 64 ? in->left : fuzz_u8(in);
	char header[8], *body = fuzz_text(in, MIN(n, (size_t)ANSWER_MAX));

	snprintf(header, sizeof(header), "%u", (unsigned)flags + 1);
	a.body = body;
	a.len = strlen(body);
	a.header = flags & 32 ? NULL : header;
	if (flags & 128)
		a = (struct net_http_answer){.error = flags & 1 ? "Connection refused" : "no answer"};
	fuzz_answer(r, &a);
	free(body);
}

static void
piece(struct fuzz_in *in, struct net_http_req *r)
{
	char *text = fuzz_text(in, fuzz_u8(in));

	fuzz_piece(r, text, strlen(text));
	free(text);
}

static void
campaign(struct fuzz_agent *w, uint8_t c)
{
	struct ipc_campaign m = {.h.gen = 7, .wanted = c & 1, .priority = (uint8_t)(c | 1)};

	stores_campaign(w->a.stores, &m);
}

static void
go_on(struct fuzz_agent *w, struct fuzz_in *in, bool *any_answer)
{
	static const usec_t times[] = {50000, 300000, 1000000, 2500000, 10000000};
	uint8_t what = fuzz_u8(in);
	struct net_http_req *r = fuzz_req(what & 7);
	struct net_conn *c = fuzz_conn(what & 7);

	*any_answer = *any_answer || what < 192;
	if (what < 128 && r != NULL && r->on_piece != NULL)
		piece(in, r);
	else if (what < 160 && r != NULL)
		answer(in, r);
	else if (what < 160 && c != NULL)
		fuzz_conn_data(c, in, fuzz_u8(in));
	else if (what < 168 && c != NULL)
		fuzz_conn_end(c, what & 1 ? "Connection refused" : NULL);
	else if (what < 200)
		fuzz_pass(w->a.loop, times[what % ARRAY_SIZE(times)]);
	else if (what < 240)
		campaign(w, what);
	else if (what < 248)
		stores_relinked(w->a.stores);
	else if (what < 250)
		fuzz_refuse = true;
}

static void
stopped(struct agent *a)
{
	a->exit_status = 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_agent *w = calloc(1, sizeof(*w));
	struct fuzz_in in = fuzz_in(data, size);
	unsigned which = fuzz_below(&in, ARRAY_SIZE(stores));
	bool any_answer = false;

	FUZZ_CHECK(w != NULL);
	fuzz_refuse = false;
	fuzz_agent_open(w);
	w->a.conf = make_conf(which);
	stores_configure(w->a.stores, w->a.conf);
	fuzz_pass(w->a.loop, 0);
	while (in.left > 0) {
		go_on(w, &in, &any_answer);
		check_told(w, which, any_answer);
		check_shown(w);
	}
	stores_stop(w->a.stores, stopped);
	fuzz_pass(w->a.loop, 3000000);
	FUZZ_CHECK(w->a.exit_status == 0); /* in time, whatever the store does */
	fuzz_agent_close(w);
	FUZZ_CHECK(fuzz_conn(0) == NULL && TAILQ_EMPTY(&fuzz_reqs));
	free(w);
	return 0;
}
