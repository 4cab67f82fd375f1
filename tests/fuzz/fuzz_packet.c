/*
 * fuzz_packet.c - VRRP packets of both versions and families: every reception check, and encoding.
 *
 * The first octets choose the virtual router, the next the IP packet or (IPv6) its addresses and message. What
 * is accepted is what encoding the same advert makes, and that is accepted, too.
 */
#include "fuzz/fuzz.h"
#include "proto/vrrp_checksum.h"
#include "proto/vrrp_packet.h"

#define ADDRS_MAX 3

struct router {
	struct vrrp_codec codec;
	struct ip_addr addrs[ADDRS_MAX], peers[2];
};

static struct ip_addr
addr(const char *text)
{
	struct ip_addr a;

	FUZZ_CHECK(ip_addr_parse(text, &a) == 0);
	return a;
}

/* Two octets: flags, and how many addresses. */
static void
choose_router(struct fuzz_in *in, struct router *r)
{
	static const char *const v4[] = {"192.0.2.1", "192.0.2.2", "192.0.2.3"};
	static const char *const v6[] = {"fe80::1", "2001:db8::1", "2001:db8::2"};
	uint8_t flags = fuzz_u8(in), more = fuzz_u8(in);
	bool six = flags & 1;

	*r = (struct router){.codec = {
				     .family = six ? IP_FAMILY_V6 : IP_FAMILY_V4,
				     .version = (flags & 2) && !six ? 2 : 3,
				     .vrid = 51,
				     .adver_int_cs = 100,
				     .owner = (flags & 0x3c) == 0x3c,
				     .unicast = flags & 4,
				     .has_auth = flags & 8,
				     .strict_addresses = flags & 16,
				     .ttl_min = flags & 32 ? 255 : 64,
				     .n_addrs = (uint16_t)(1 + more % ADDRS_MAX),
			     }};
	for (unsigned i = 0; i < ADDRS_MAX; i++)
		r->addrs[i] = addr(six ? v6[i] : v4[i]);
	r->peers[0] = addr(six ? "fe80::a" : "192.0.2.10");
	r->peers[1] = addr(six ? "2001:db8::a" : "192.0.2.11");
	r->codec.n_peers = r->codec.unicast ? 2 : 0;
	r->codec.peers = r->peers;
	r->codec.addrs = r->addrs;
	memcpy(r->codec.auth, "password", VRRP_AUTH_SIZE);
}

/* An IPv6 datagram as the shell hands it over: hop limit, both addresses by their number, the message. */
static bool
take_ipv6(struct fuzz_in *in, struct vrrp_datagram *d)
{
	static const char *const from[] = {"fe80::a", "2001:db8::a", "fe80::b",
					   "::",      "ff02::1",     "::ffff:1.2.3.4"};
	static const char *const to[] = {"ff02::12", "fe80::b", "2001:db8::b", "ff02::1"};

	*d = (struct vrrp_datagram){.ttl = fuzz_u8(in)};
	d->src = addr(from[fuzz_below(in, ARRAY_SIZE(from))]);
	d->dst = addr(to[fuzz_below(in, ARRAY_SIZE(to))]);
	d->msg = in->p;
	d->len = in->left;
	return true;
}

static bool
take_ipv4(struct fuzz_in *in, struct vrrp_datagram *d)
{
	enum vrrp_drop drop = vrrp_packet_ipv4(in->p, in->left, d);

	FUZZ_CHECK(drop == VRRP_DROP_NONE || drop == VRRP_DROP_LENGTH);
	if (drop != VRRP_DROP_NONE)
		return false;
	FUZZ_CHECK(d->msg >= in->p && d->msg + d->len <= in->p + in->left);
	return true;
}

/* A right checksum, which chance would hardly find. */
static void
repair(uint8_t *msg, const struct vrrp_datagram *d, bool pseudo)
{
	uint32_t sum;
	uint16_t field;

	if (d->len < 8)
		return;
	msg[6] = msg[7] = 0;
	sum = vrrp_checksum_add(0, msg, d->len);
	if (pseudo)
		sum += vrrp_checksum_pseudo(&d->src, &d->dst, d->len);
	field = (uint16_t)~vrrp_checksum_fold(sum);
	msg[6] = (uint8_t)(field >> 8);
	msg[7] = (uint8_t)field;
}

/* What is told of a difference in the addresses agrees with the flag. */
static void
check_differ(const struct vrrp_datagram *d, const struct router *r, const struct vrrp_advert *a)
{
	struct ip_addr missing, foreign;

	vrrp_packet_differ(d, &r->codec, &missing, &foreign);
	if (!a->addresses_differ)
		FUZZ_CHECK(missing.family == IP_FAMILY_NONE && foreign.family == IP_FAMILY_NONE);
	else if (a->n_addrs == r->codec.n_addrs)
		FUZZ_CHECK(missing.family != IP_FAMILY_NONE);
}

static bool
same_advert(const struct vrrp_advert *a, const struct vrrp_advert *b)
{
	return ip_addr_equal(&a->src, &b->src) && a->version == b->version && a->vrid == b->vrid &&
	       a->priority == b->priority && a->n_addrs == b->n_addrs && a->adver_int_cs == b->adver_int_cs &&
	       a->interval_differs == b->interval_differs && a->addresses_differ == b->addresses_differ &&
	       a->first_not_link_local == b->first_not_link_local;
}

/* Encode what was accepted: it is the same message but for reserved octets, and accepted as the same advert. */
static void
check_again(const struct vrrp_datagram *d, const struct router *r, const struct vrrp_advert *a)
{
	size_t size = ip_family_size(r->codec.family);
	struct ip_addr addrs[255];
	struct vrrp_codec c = r->codec;
	struct vrrp_datagram again = *d;
	struct vrrp_advert b;
	uint8_t buf[VRRP_DATAGRAM_MAX], less[VRRP_DATAGRAM_MAX];
	int n;

	for (unsigned i = 0; i < a->n_addrs; i++)
		addrs[i] = ip_addr_from(c.family, d->msg + 8 + i * size);
	c.addrs = addrs;
	c.n_addrs = a->n_addrs;
	c.adver_int_cs = a->adver_int_cs;
	n = vrrp_packet_encode(&c, a->priority, (enum vrrp_checksum_form)a->form, &d->src, &d->dst, buf,
			       sizeof(buf));
	FUZZ_CHECK(n > 0 && (size_t)n == d->len);
	FUZZ_CHECK(vrrp_packet_encode(&c, a->priority, (enum vrrp_checksum_form)a->form, &d->src, &d->dst, less,
				      d->len - 1) < 0);
	again.msg = buf;
	FUZZ_CHECK(vrrp_packet_check(&again, &r->codec, &b) == (c.owner ? VRRP_DROP_OWNER : VRRP_DROP_NONE));
	FUZZ_CHECK(same_advert(a, &b));
	FUZZ_CHECK(memcmp(buf, d->msg, 4) == 0 && buf[5] == d->msg[5]);
	FUZZ_CHECK(memcmp(buf + 8, d->msg + 8, a->n_addrs * size) == 0);
}

static void
check_accepted(const struct vrrp_datagram *d, const struct router *r, const struct vrrp_advert *a)
{
	FUZZ_CHECK(a->version == r->codec.version && a->vrid == r->codec.vrid);
	FUZZ_CHECK(a->n_addrs > 0 && a->adver_int_cs > 0 && a->form < VRRP_CHECKSUM_FORM_COUNT);
	FUZZ_CHECK(a->priority == d->msg[2] && a->n_addrs == d->msg[3] && ip_addr_equal(&a->src, &d->src));
	FUZZ_CHECK(!ip_addr_is_multicast(&a->src));
	FUZZ_CHECK(r->codec.version == 3 || a->adver_int_cs == r->codec.adver_int_cs);
	check_differ(d, r, a);
	check_again(d, r, a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = fuzz_in(data, size);
	struct vrrp_datagram d;
	struct vrrp_advert a;
	struct router r;
	enum vrrp_drop drop;
	uint8_t mend, *packet;
	size_t n;

	choose_router(&in, &r);
	mend = fuzz_u8(&in);
	packet = fuzz_take(&in, in.left, &n);
	in = fuzz_in(packet, n);
	if (r.codec.family == IP_FAMILY_V6 ? take_ipv6(&in, &d) : take_ipv4(&in, &d)) {
		if (mend & 1)
			repair(packet + (d.msg - packet), &d,
			       r.codec.version == 3 && (r.codec.family == IP_FAMILY_V6 || (mend & 2)));
		d.own = (mend & 0xf0) == 0xf0;
		(void)vrrp_packet_peek_vrid(&d);
		drop = vrrp_packet_check(&d, NULL, &a);
		FUZZ_CHECK(drop > VRRP_DROP_NONE && drop <= VRRP_DROP_VRID);
		drop = vrrp_packet_check(&d, &r.codec, &a);
		FUZZ_CHECK(drop < VRRP_DROP_COUNT);
		FUZZ_CHECK(vrrp_drop_label(drop)[0] != '\0' && vrrp_drop_text(drop)[0] != '\0');
		FUZZ_CHECK(drop != VRRP_DROP_NONE || !r.codec.owner);
		if (drop == VRRP_DROP_NONE || (drop == VRRP_DROP_OWNER && a.src.family != IP_FAMILY_NONE))
			check_accepted(&d, &r, &a);
	}
	free(packet);
	return 0;
}
