/*
 * case_packets.c - packets on their way into a case: built from words or given as octets, judged, counted,
 * handed on.
 *
 * Messages are built and summed here on their own, not with vrrp_packet_encode(), which is under test. Used by
 * the case runner only.
 */
#include "support/case_packets.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "support/vectors.h"

/* What the case says about a packet after its contents: "drop REASON", or what is to be told of an accepted
 * one. */
struct verdict {
	enum vrrp_drop drop;
	bool told; /* the words below were given */
	bool interval, addresses, first;
};

bool
case_packets_drop(const char *text, enum vrrp_drop *ret)
{
	for (unsigned i = 0; i < VRRP_DROP_COUNT; i++) {
		if (strcmp(text, vrrp_drop_label((enum vrrp_drop)i)) == 0) {
			*ret = (enum vrrp_drop)i;
			return true;
		}
	}
	return false;
}

/* Take "drop REASON" or "tell WORD..." off the end of a line. */
static bool
parse_verdict(int *n, char **words, struct verdict *ret)
{
	*ret = (struct verdict){0};
	if (*n >= 3 && strcmp(words[*n - 2], "drop") == 0) {
		*n -= 2;
		return case_packets_drop(words[*n + 1], &ret->drop);
	}
	for (int i = 1; i < *n; i++) {
		if (strcmp(words[i], "tell") != 0)
			continue;
		ret->told = true;
		for (int j = i + 1; j < *n; j++) {
			if (strcmp(words[j], "interval") == 0)
				ret->interval = true;
			else if (strcmp(words[j], "addresses") == 0)
				ret->addresses = true;
			else if (strcmp(words[j], "first_not_link_local") == 0)
				ret->first = true;
			else if (strcmp(words[j], "nothing") != 0)
				return false;
		}
		*n = i;
	}
	return true;
}

/* Would the shell recognise the source as our own? */
static bool
is_own(const struct case_world *w, const struct vrrp_datagram *d)
{
	return w->e.source.family != IP_FAMILY_NONE && ip_addr_equal(&d->src, &w->e.source);
}

/* A packet as the shell would hand it in, judged, counted and, when it passes, given to the instance. */
static bool
receive(struct case_world *w, struct vrrp_datagram *d, const struct verdict *want)
{
	struct elect_event ev = {.kind = ELECT_EVENT_ADVERT};
	const struct vrrp_codec *codec = vrrp_packet_peek_vrid(d) == w->codec.vrid ? &w->codec : NULL;
	struct vrrp_advert adv;
	enum vrrp_drop drop;

	drop = vrrp_packet_check(d, codec, &adv);
	if (drop != want->drop) {
		snprintf(w->complaint, sizeof(w->complaint), "%s (%s)", drop ? "discarded" : "accepted",
			 vrrp_drop_label(drop));
		return false;
	}
	w->drops[drop]++;
	ev.advert = &adv;
	if (drop == VRRP_DROP_OWNER && adv.src.family != IP_FAMILY_NONE)
		case_world_step(w, &ev);
	if (drop != VRRP_DROP_NONE)
		return true;
	w->received++;
	w->priority_zero += adv.priority == 0;
	w->interval_differs += adv.interval_differs;
	w->addresses_differ += adv.addresses_differ;
	w->first_not_link_local += adv.first_not_link_local;
	case_world_step(w, &ev);
	if (want->told && (adv.interval_differs != want->interval || adv.addresses_differ != want->addresses ||
			   adv.first_not_link_local != want->first)) {
		snprintf(w->complaint, sizeof(w->complaint), "interval %s, address list %s, first address %s",
			 adv.interval_differs ? "differs" : "equal", adv.addresses_differ ? "differs" : "equal",
			 adv.first_not_link_local ? "not link-local" : "fine");
		return false;
	}
	return true;
}

static uint16_t
sum_words(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t
sum_pseudo(const struct vrrp_datagram *d)
{
	uint8_t tail[4] = {0, VRRP_IP_PROTOCOL, (uint8_t)(d->len >> 8), (uint8_t)d->len};
	size_t size = ip_family_size(d->src.family);

	return sum_words(sum_words(sum_words(0, d->src.b, size), d->dst.b, size), tail, sizeof(tail));
}

/* What an "advert" line asks for. */
struct advert_words {
	uint8_t version, vrid, priority, auth_type;
	uint16_t interval_cs;
	bool pseudo;
	bool not_own; /* the shell does not recognise our own source address */
	char auth[VRRP_AUTH_SIZE];
	struct ip_addr addrs[CASE_ADDRS];
	int n_addrs;
};

/* Build the message; not with vrrp_packet_encode, which is under test. */
static size_t
build_message(const struct advert_words *a, struct vrrp_datagram *d, uint8_t *msg)
{
	size_t size = ip_family_size(d->src.family), n = 8;
	bool v2 = a->version == 2;
	uint16_t sum;

	msg[0] = (uint8_t)(a->version << 4 | 1);
	msg[1] = a->vrid;
	msg[2] = a->priority;
	msg[3] = (uint8_t)a->n_addrs;
	msg[4] = v2 ? a->auth_type : (uint8_t)(a->interval_cs >> 8);
	msg[5] = (uint8_t)(v2 ? a->interval_cs / 100 : a->interval_cs);
	msg[6] = msg[7] = 0;
	for (int i = 0; i < a->n_addrs; i++, n += size)
		memcpy(msg + n, a->addrs[i].b, size);
	if (v2) {
		memcpy(msg + n, a->auth, VRRP_AUTH_SIZE);
		n += VRRP_AUTH_SIZE;
	}
	d->msg = msg;
	d->len = n;
	sum = sum_words(a->pseudo || size == 16 ? sum_pseudo(d) : 0, msg, n);
	msg[6] = (uint8_t)(~sum >> 8);
	msg[7] = (uint8_t)~sum;
	return n;
}

/* Words of an advert beyond source, priority and interval. Words that take a value return 2. */
static int
advert_option(struct case_world *w, struct advert_words *a, struct vrrp_datagram *d, char **words, int left)
{
	long v;

	if (strcmp(words[0], "v2") == 0)
		a->version = 2;
	else if (strcmp(words[0], "v3") == 0)
		a->version = 3;
	else if (strcmp(words[0], "rfc5798") == 0)
		a->pseudo = true;
	else if (strcmp(words[0], "not_own") == 0)
		a->not_own = true;
	else if (left < 2)
		return -1;
	else if (strcmp(words[0], "ttl") == 0 && case_words_number(words[1], 0, 255, &v))
		return d->ttl = (uint8_t)v, 2;
	else if (strcmp(words[0], "vrid") == 0 && case_words_number(words[1], 0, 255, &v))
		return a->vrid = (uint8_t)v, 2;
	else if (strcmp(words[0], "auth_type") == 0 && case_words_number(words[1], 0, 255, &v))
		return a->auth_type = (uint8_t)v, 2;
	else if (strcmp(words[0], "to") == 0 && case_words_addr(w, words[1], &d->dst))
		return 2;
	else if (strcmp(words[0], "pass") == 0) {
		memset(a->auth, 0, sizeof(a->auth));
		memcpy(a->auth, words[1], strnlen(words[1], VRRP_AUTH_SIZE));
		a->auth_type = 1;
		return 2;
	} else if (strcmp(words[0], "addresses") == 0)
		return (a->n_addrs = case_words_addrs(w, words[1], a->addrs)) > 0 ? 2 : -1;
	else
		return -1;
	return 1;
}

/* advert SRC PRIORITY INTERVAL_CS [option]... [drop REASON | tell WORD...] */
bool
case_packets_advert(struct case_world *w, int n, char **words)
{
	struct advert_words a = {
		.version = w->codec.version, .vrid = w->codec.vrid, .n_addrs = w->codec.n_addrs};
	struct vrrp_datagram d = {.dst = w->codec.unicast ? w->e.source : vrrp_group(w->codec.family),
				  .ttl = 255};
	uint8_t msg[8 + CASE_ADDRS * 16 + VRRP_AUTH_SIZE];
	struct verdict want;
	long priority, interval;

	memcpy(a.addrs, w->addrs, sizeof(a.addrs));
	memcpy(a.auth, w->codec.auth, sizeof(a.auth));
	a.auth_type = w->codec.has_auth;
	if (!parse_verdict(&n, words, &want) || n < 4 || !case_words_addr(w, words[1], &d.src) ||
	    !case_words_number(words[2], 0, 255, &priority) ||
	    !case_words_number(words[3], 0, 25500, &interval))
		return false;
	a.priority = (uint8_t)priority;
	a.interval_cs = (uint16_t)interval;
	for (int i = 4; i < n;) {
		int used = advert_option(w, &a, &d, words + i, n - i);

		if (used < 0)
			return false;
		i += used;
	}
	build_message(&a, &d, msg);
	d.own = is_own(w, &d) && !a.not_own;
	return receive(w, &d, &want);
}

/* Octets of a vector, or of hex words. Returns their number or -1. */
int
case_packets_octets(int n, char **words, uint8_t *buf, size_t size)
{
	const struct vector *v = n == 1 ? vector_find(words[0]) : NULL;
	size_t len = 0;

	if (v) {
		int ip = hex_octets(v->ip, buf, size);

		return ip + hex_octets(v->rest, buf + ip, size - (size_t)ip);
	}
	for (int i = 0; i < n; i++) {
		int got = hex_octets(words[i], buf + len, size - len);

		if (got < 0)
			return -1;
		len += (size_t)got;
	}
	return (int)len;
}

/* packet VECTOR|HEX [drop REASON | tell WORD...]: IPv4 with its header, IPv6 with a header that is taken off.
 */
bool
case_packets_packet(struct case_world *w, int n, char **words)
{
	uint8_t buf[2048];
	struct vrrp_datagram d;
	struct verdict want;
	enum vrrp_drop drop;
	int len;

	if (!parse_verdict(&n, words, &want) || n < 2)
		return false;
	len = case_packets_octets(n - 1, words + 1, buf, sizeof(buf));
	if (len < 1)
		return false;
	if (buf[0] >> 4 == 6 && len >= 40) {
		d = (struct vrrp_datagram){.src = ip_addr_from(IP_FAMILY_V6, buf + 8),
					   .dst = ip_addr_from(IP_FAMILY_V6, buf + 24),
					   .ttl = buf[7],
					   .msg = buf + 40,
					   .len = (size_t)len - 40};
		d.own = is_own(w, &d);
		return receive(w, &d, &want);
	}
	drop = vrrp_packet_ipv4(buf, (size_t)len, &d);
	if (drop == VRRP_DROP_NONE) {
		d.own = is_own(w, &d);
		return receive(w, &d, &want);
	}
	w->drops[drop]++;
	return drop == want.drop;
}
