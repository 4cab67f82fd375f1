/*
 * fuzz_parse.c - small parsers: routes as netlink tells them, PostgreSQL's first answer, text of scripts and
 * servers, scores, durations, addresses, claims of other hosts to ours.
 *
 * The first octet says which.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include "agent/pg_hello.h"
#include "agent/route_dump.h"
#include "agent/score.h"
#include "agent/text.h"
#include "base/duration.h"
#include "fuzz/fuzz.h"
#include "netlink/nlk.h"

/* Several datagrams, each in a block of its own. */
static void
routes(struct fuzz_in *in)
{
	struct route_search s = {.table = 254};
	uint8_t flags = fuzz_u8(in);
	size_t n;

	s.dst.addr.family = flags & 1 ? IP_FAMILY_V6 : IP_FAMILY_V4;
	s.dst.len = (uint8_t)(flags & 2 ? fuzz_below(in, flags & 1 ? 129 : 33) : 0);
	s.want_interface = flags & 4;
	s.ifindex = 2;
	if (flags & 8)
		s.want_via = (struct ip_addr){.family = IP_FAMILY_V4, .b = {10, 0, 0, 1}};
	for (unsigned i = 0; i < 4 && in->left > 0; i++) {
		uint8_t *block = fuzz_take(in, flags & 16 ? in->left : fuzz_u8(in), &n);
		bool done = route_search_feed(&s, block, n);

		free(block);
		FUZZ_CHECK(!s.found || s.via.family == IP_FAMILY_NONE || ip_family_size(s.via.family) != 0);
		FUZZ_CHECK(s.err >= 0);
		if (done)
			break;
	}
}

/* Told in two parts, it is what it is told at once. */
static void
hello(struct fuzz_in *in)
{
	size_t size = 1u + fuzz_u8(in), n, cut;
	char *text = malloc(size), *again = malloc(size);
	uint8_t start[64];
	enum pg_hello all, part;
	uint8_t *block;

	cut = fuzz_u8(in);
	block = fuzz_take(in, in->left, &n);
	FUZZ_CHECK(text != NULL && again != NULL);
	all = pg_hello_read(block, n, text, size);
	FUZZ_CHECK(memchr(text, '\0', size) != NULL);
	part = pg_hello_read(block, MIN(cut, n), again, size);
	FUZZ_CHECK(part == PG_HELLO_MORE || part == all);
	free(block);
	(void)pg_hello_write(start, size % sizeof(start), "user", "database");
	free(text);
	free(again);
}

/* One line of UTF-8 that fits; the same text again is itself. */
static void
line(struct fuzz_in *in)
{
	size_t size = 1u + fuzz_u8(in), n;
	char *text = malloc(size), *again = malloc(size);
	uint8_t *block = fuzz_take(in, in->left, &n);

	FUZZ_CHECK(text != NULL && again != NULL);
	text_last_line(text, size, (const char *)block, n);
	FUZZ_CHECK(memchr(text, '\0', size) != NULL);
	n = strlen(text);
	for (size_t i = 0, len; i < n; i += len) {
		len = text_utf8_len(text + i, n - i);
		FUZZ_CHECK(len > 0);
		FUZZ_CHECK(len > 1 || ((unsigned char)text[i] >= ' ' && text[i] != 0x7f));
	}
	text_last_line(again, size, text, n);
	while (n > 0 && text[n - 1] == ' ')
		text[--n] = '\0'; /* control characters and the cut may leave blanks at its ends */
	FUZZ_CHECK(strcmp(text + strspn(text, " "), again) == 0);
	free(block);
	free(text);
	free(again);
}

/* ---- claims: ARP packets and neighbour advertisements of other hosts ---- */

static struct fuzz_in packets; /* what recvfrom() gives, in the place of the system's */

ssize_t
recvfrom(int fd, void *buf, size_t size, int flags, struct sockaddr *from, socklen_t *len)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET};
	uint8_t *block, what;
	size_t n;

	(void)fd;
	(void)flags;
	if (packets.left == 0) {
		errno = EAGAIN;
		return -1;
	}
	what = fuzz_u8(&packets);
	ll.sll_protocol = htons(what & 1 ? ETH_P_ARP : ETH_P_IPV6);
	ll.sll_halen = what & 2 ? 8 : 6;
	memcpy(from, &ll, MIN(*len, sizeof(ll)));
	block = fuzz_take(&packets, what & 4 ? fuzz_u8(&packets) : packets.left, &n);
	n = MIN(n, size);
	memcpy(buf, block, n);
	free(block);
	return (ssize_t)n;
}

static void
claims(struct fuzz_in *in)
{
	struct nlk_claim c;
	int r;

	packets = *in;
	while ((r = nlk_claim_recv(-1, &c)) == 1)
		FUZZ_CHECK(c.family == AF_INET || c.family == AF_INET6);
	FUZZ_CHECK(r == 0 && packets.left == 0);
}

/* A run of reports and times. */
static void
scores(struct fuzz_in *in)
{
	struct score_conf conf = {.scale = (int)fuzz_u8(in) * 2 - 253};
	struct score s = {0};
	mono_t now = {1000000};

	conf.scale += conf.scale == 0;
	conf.hysteresis = fuzz_below(in, 101);
	conf.decay = fuzz_bool(in) ? fuzz_u32(in) : 0;
	conf.warmup = fuzz_bool(in) ? fuzz_u32(in) : 0;
	while (in->left > 0) {
		uint8_t what = fuzz_u8(in);
		int change;

		if (what < 128)
			score_report(&s, &conf, (int32_t)(fuzz_u32(in) % (SCORE_MAX + 1)), now);
		else if (what < 192)
			score_set_up(&s, what & 1, now);
		else if (what == 255)
			score_resume(&s);
		else
			now = what & 1 ? mono_add(now, fuzz_u32(in)) : (mono_t){fuzz_u32(in)};
		FUZZ_CHECK(score_now(&s, &conf, now) >= 0 && score_now(&s, &conf, now) <= SCORE_MAX);
		change = score_change(&s, &conf, now);
		FUZZ_CHECK(conf.scale < 0 ? change <= 0 && change >= conf.scale
					  : change >= 0 && change <= conf.scale);
		(void)score_warming(&s, &conf, now);
	}
}

static void
numbers(struct fuzz_in *in)
{
	char *text = fuzz_text(in, in->left), score[SCORE_TEXT], addr[IP_ADDR_TEXT], prefix[IP_PREFIX_TEXT];
	struct ip_addr a, b;
	struct ip_prefix p, q;
	int32_t value, again;
	usec_t us;

	if (score_parse(text, &value)) {
		FUZZ_CHECK(value >= 0 && value <= SCORE_MAX);
		FUZZ_CHECK(score_parse(score_format(value, score), &again) && value == again);
	}
	if (ip_addr_parse(text, &a) == 0)
		FUZZ_CHECK(ip_addr_parse(ip_addr_format(&a, addr), &b) == 0 && ip_addr_equal(&a, &b));
	if (ip_prefix_parse(text, &p) == 0)
		FUZZ_CHECK(ip_prefix_parse(ip_prefix_format(&p, prefix), &q) == 0 &&
			   ip_addr_equal(&p.addr, &q.addr) && p.len == q.len);
	(void)duration_parse(text, &us);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(struct fuzz_in *) = {routes, hello, line, scores, numbers, claims};
	struct fuzz_in in = fuzz_in(data, size);

	parsers[fuzz_below(&in, ARRAY_SIZE(parsers))](&in);
	return 0;
}
