/*
 * fuzz_json.c - what stores and services answer, each by the function that takes one answer apart: etcd v3 and
 * v2, Consul, Patroni.
 *
 * The first octet says whose answer it is, the second its status. What is told of it must hold together.
 */
#include "agent/agent.h"
#include "agent/base64.h"
#include "agent/etcd3.h"
#include "agent/net_http.h"
#include "agent/patroni_node.h"
#include "agent/store_poll.h"
#include "fuzz/fuzz.h"

/* Never called by what is tested here. */
void
agent_quit(struct agent *a, int status, const char *fmt, ...)
{
	(void)a;
	(void)status;
	(void)fmt;
	abort();
}

static const int statuses[] = {200, 201, 400, 401, 403, 404, 412, 500, 503, 100};

static bool
is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static void
check_etcd3(const struct etcd3_answer *a)
{
	FUZZ_CHECK(a->kind <= ETCD3_COMPACTED);
	FUZZ_CHECK(is_text(a->text, sizeof(a->text)) && is_text(a->token, sizeof(a->token)));
	FUZZ_CHECK(is_text(a->key.value, sizeof(a->key.value)));
	FUZZ_CHECK(a->key.there || a->key.lease == 0);
	FUZZ_CHECK(a->has_key || !a->key.there);
}

static void
check_poll(const struct poll_answer *a)
{
	FUZZ_CHECK(a->result <= POLL_DENIED);
	FUZZ_CHECK(is_text(a->text, sizeof(a->text)) && is_text(a->leader, sizeof(a->leader)));
	FUZZ_CHECK(a->result != POLL_DENIED || (a->in_short != NULL && a->text[0] != '\0'));
	FUZZ_CHECK(a->result != POLL_UNAVAILABLE || a->text[0] != '\0');
	FUZZ_CHECK(!a->held || a->result == POLL_OK);
}

static void
check_patroni(const struct net_http_answer *answer)
{
	char text[512];
	struct strbuf b;
	struct patroni_node n;

	strbuf_init(&b, text, sizeof(text));
	if (patroni_node_read(answer, &n) == NULL) {
		FUZZ_CHECK(n.role[0] != '\0' && n.state[0] != '\0');
		patroni_node_describe(&n, &b);
	}
	FUZZ_CHECK(is_text(n.role, sizeof(n.role)) && is_text(n.state, sizeof(n.state)) &&
		   is_text(n.name, sizeof(n.name)));
	FUZZ_CHECK(!patroni_node_is_primary(&n) || (n.is == PATRONI_PRIMARY && n.running));
	FUZZ_CHECK(!patroni_node_is_primary(&n) || !patroni_node_is_undecided(&n));
}

/* Base64 there and back. */
static void
check_base64(const char *text)
{
	char octets[64], again[BASE64_SIZE(sizeof(octets))], octets_again[sizeof(octets)];
	size_t n, n_again;

	if (!base64_decode(text, octets, sizeof(octets), &n))
		return;
	FUZZ_CHECK(n < sizeof(octets) && octets[n] == '\0');
	base64_encode(octets, n, again);
	FUZZ_CHECK(base64_decode(again, octets_again, sizeof(octets_again), &n_again));
	FUZZ_CHECK(n == n_again && memcmp(octets, octets_again, n) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct store none; /* without options */
	struct fuzz_in in = fuzz_in(data, size);
	uint8_t what = fuzz_u8(&in), flags = fuzz_u8(&in);
	struct net_http_answer answer = {.status = statuses[(flags & 15) % ARRAY_SIZE(statuses)],
					 .header = NULL};
	char *header = fuzz_text(&in, flags & 16 ? 20 : 0), *body;
	struct poll_answer poll = {.result = POLL_OK};
	struct etcd3_answer etcd3;

	answer.header = flags & 32 ? NULL : header;
	answer.cut = flags & 64;
	answer.len = in.left;
	answer.body = body = fuzz_text(&in, in.left);
	switch (what % 6) {
	case 0:
		etcd3_parse(answer.status, answer.body, answer.len, &etcd3);
		check_etcd3(&etcd3);
		break;
	case 1:
		etcd3_parse_event(answer.body, answer.len, &etcd3);
		check_etcd3(&etcd3);
		break;
	case 2:
		store_etcd2_kind.judge(&none, &answer, flags & 128, &poll);
		check_poll(&poll);
		break;
	case 3:
		store_consul_kind.judge(&none, &answer, flags & 128, &poll);
		check_poll(&poll);
		break;
	case 4:
		check_patroni(&answer);
		break;
	default:
		check_base64(body);
		break;
	}
	free(header);
	free(body);
	return 0;
}
