/*
 * vrrp_packet.c - VRRP messages: every reception check in order, and encoding; see vrrp_packet.h.
 *
 * Used by the engine on both ways, by the case runner and by the fuzzers. Pure: octets in, values out. The
 * order of the checks is RFC 9568 7.1 for v3 and RFC 3768 7.1 for v2; the additions are marked "ours".
 */
#include "proto/vrrp_packet.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "base/rbuf.h"
#include "base/wbuf.h"
#include "proto/vrrp_checksum.h"

#define HEADER_SIZE	   8
#define TYPE_ADVERTISEMENT 1	  /* RFC 9568 5.2.2 */
#define INTERVAL_MASK	   0x0fff /* RFC 9568 5.2.7: twelve bits, the reserved four are ignored */
#define AUTH_TYPE_NONE	   0
#define AUTH_TYPE_PASS	   1

static const struct {
	const char *label;
	const char *text;
} drops[VRRP_DROP_COUNT] = {
#define X(name, label, text, section) [VRRP_DROP_##name] = {label, text},
	VRRP_DROPS(X)
#undef X
};

const char *
vrrp_drop_label(enum vrrp_drop d)
{
	ASSERT(d < VRRP_DROP_COUNT);
	return drops[d].label;
}

const char *
vrrp_drop_text(enum vrrp_drop d)
{
	ASSERT(d < VRRP_DROP_COUNT);
	return drops[d].text;
}

const char *
vrrp_checksum_form_name(enum vrrp_checksum_form f)
{
	ASSERT(f < VRRP_CHECKSUM_FORM_COUNT);
	return f == VRRP_CHECKSUM_RFC9568 ? "rfc9568" : "rfc5798";
}

struct ip_addr
vrrp_group(uint8_t family)
{
	static const uint8_t v4[4] = {224, 0, 0, 18};
	static const uint8_t v6[16] = {0xff, 0x02, [15] = 0x12};

	return ip_addr_from(family, family == IP_FAMILY_V6 ? v6 : v4);
}

enum vrrp_drop
vrrp_packet_ipv4(const uint8_t *p, size_t n, struct vrrp_datagram *ret)
{
	size_t header, total;

	if (n < 20)
		return VRRP_DROP_LENGTH;
	header = (size_t)(p[0] & 0x0f) * 4;
	total = (size_t)(p[2] << 8 | p[3]);
	if (header < 20 || total < header || total > n)
		return VRRP_DROP_LENGTH;
	*ret = (struct vrrp_datagram){
		.src = ip_addr_from(IP_FAMILY_V4, p + 12),
		.dst = ip_addr_from(IP_FAMILY_V4, p + 16),
		.ttl = p[8],
		.msg = p + header,
		.len = total - header,
	};
	return VRRP_DROP_NONE;
}

uint8_t
vrrp_packet_peek_vrid(const struct vrrp_datagram *d)
{
	return d->len >= 2 ? d->msg[1] : 0;
}

/* The header fields of both versions. */
struct header {
	uint8_t version, type, vrid, priority, count;
	uint8_t auth_type; /* v2 */
	uint16_t adver_int_cs;
};

static struct header
read_header(const uint8_t *msg)
{
	struct rbuf r = rbuf_from(msg, HEADER_SIZE);
	uint8_t first = rbuf_u8(&r);
	struct header h = {.version = first >> 4, .type = first & 0x0f};
	uint16_t word;

	h.vrid = rbuf_u8(&r);
	h.priority = rbuf_u8(&r);
	h.count = rbuf_u8(&r);
	word = rbuf_be16(&r);
	if (h.version == 2) {
		h.auth_type = (uint8_t)(word >> 8);
		h.adver_int_cs = (uint16_t)((word & 0xff) * 100);
	} else {
		h.adver_int_cs = word & INTERVAL_MASK;
	}
	ASSERT(!r.failed);
	return h;
}

/* The exact length of a message with this header. */
static size_t
message_size(uint8_t version, uint8_t family, uint8_t count)
{
	size_t n = HEADER_SIZE + count * ip_family_size(family);

	return version == 2 ? n + VRRP_AUTH_SIZE : n;
}

/* Is the checksum right in some accepted form? Which one goes to *ret. */
static bool
checksum_right(const struct vrrp_datagram *d, uint8_t version, enum vrrp_checksum_form *ret)
{
	uint32_t sum = vrrp_checksum_add(0, d->msg, d->len);
	uint32_t pseudo;

	*ret = VRRP_CHECKSUM_RFC9568;
	if (version == 2)
		return vrrp_checksum_fold(sum) == 0xffff;
	if (d->src.family == IP_FAMILY_V4 && vrrp_checksum_fold(sum) == 0xffff)
		return true;
	pseudo = vrrp_checksum_pseudo(&d->src, &d->dst, d->len);
	*ret = VRRP_CHECKSUM_RFC5798;
	return vrrp_checksum_fold(sum + pseudo) == 0xffff;
}

static bool
destination_fits(const struct vrrp_datagram *d, const struct vrrp_codec *codec)
{
	struct ip_addr group = vrrp_group(d->dst.family);
	bool is_group = ip_addr_equal(&d->dst, &group);

	/* The kernel delivers a unicast packet only when the address is ours. */
	if (codec == NULL)
		return is_group || !ip_addr_is_multicast(&d->dst);
	return codec->unicast ? !ip_addr_is_multicast(&d->dst) : is_group;
}

static bool
source_legal(const struct vrrp_datagram *d, const struct vrrp_codec *codec)
{
	if (d->src.family == IP_FAMILY_V6 && !codec->unicast)
		return ip_addr_is_link_local(&d->src); /* RFC 9568 5.1.2.1 */
	return ip_addr_is_unicast(&d->src);
}

static bool
is_peer(const struct ip_addr *src, const struct vrrp_codec *codec)
{
	for (size_t i = 0; i < codec->n_peers; i++)
		if (ip_addr_equal(src, &codec->peers[i]))
			return true;
	return false;
}

/* Compare all octets whatever they are, so that the time tells nothing about the password. */
static bool
secret_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
	uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff |= (uint8_t)(a[i] ^ b[i]);
	return diff == 0;
}

/* RFC 2338 7.1: the type must be ours, then the password. */
static enum vrrp_drop
check_auth(const struct vrrp_datagram *d, const struct header *h, const struct vrrp_codec *codec)
{
	uint8_t wanted = codec->has_auth ? AUTH_TYPE_PASS : AUTH_TYPE_NONE;

	if (h->auth_type != wanted)
		return VRRP_DROP_AUTH_TYPE;
	if (codec->has_auth && !secret_equal(d->msg + d->len - VRRP_AUTH_SIZE, codec->auth, VRRP_AUTH_SIZE))
		return VRRP_DROP_AUTH;
	return VRRP_DROP_NONE;
}

/*
 * The same set of addresses? Order is irrelevant (RFC 9568 5.2.9 only recommends it); in the usual case it is
 * the same and one comparison per address is enough.
 */
static bool
addresses_match(const struct vrrp_datagram *d, const struct header *h, const struct vrrp_codec *codec)
{
	size_t size = ip_family_size(codec->family);
	bool same_order = true;

	if (h->count != codec->n_addrs)
		return false;
	for (size_t i = 0; i < h->count && same_order; i++)
		same_order = memcmp(d->msg + HEADER_SIZE + i * size, codec->addrs[i].b, size) == 0;
	for (size_t i = 0; i < h->count && !same_order; i++) {
		bool found = false;

		for (size_t j = 0; j < h->count && !found; j++)
			found = memcmp(d->msg + HEADER_SIZE + j * size, codec->addrs[i].b, size) == 0;
		if (!found)
			return false;
	}
	return true;
}

/* Up to the VRID: what needs no virtual router (RFC 9568 7.1, RFC 3768 7.1). */
static enum vrrp_drop
check_common(const struct vrrp_datagram *d, const struct vrrp_codec *codec, struct header *ret_h,
	     enum vrrp_checksum_form *ret_form)
{
	uint8_t ttl_min = codec != NULL && codec->unicast ? codec->ttl_min : VRRP_TTL;

	if (d->own)
		return VRRP_DROP_OWN;
	if (!destination_fits(d, codec))
		return VRRP_DROP_DESTINATION;
	if (d->ttl < ttl_min)
		return VRRP_DROP_TTL;
	if (d->len < 1)
		return VRRP_DROP_LENGTH;
	ret_h->version = d->msg[0] >> 4;
	if (codec != NULL ? ret_h->version != codec->version : ret_h->version != 2 && ret_h->version != 3)
		return VRRP_DROP_VERSION;
	/* RFC 9568 checks the type before the length, RFC 3768 after the VRID. */
	if (ret_h->version == 3 && (d->msg[0] & 0x0f) != TYPE_ADVERTISEMENT)
		return VRRP_DROP_TYPE;
	if (d->len < HEADER_SIZE)
		return VRRP_DROP_LENGTH;
	*ret_h = read_header(d->msg);
	if (d->len != message_size(ret_h->version, d->src.family, ret_h->count))
		return VRRP_DROP_LENGTH;
	if (!checksum_right(d, ret_h->version, ret_form))
		return VRRP_DROP_CHECKSUM;
	if (codec == NULL || ret_h->vrid != codec->vrid || d->src.family != codec->family)
		return VRRP_DROP_VRID;
	return VRRP_DROP_NONE;
}

static enum vrrp_drop
check_v2(const struct vrrp_datagram *d, const struct header *h, const struct vrrp_codec *codec,
	 bool addresses_differ)
{
	enum vrrp_drop drop;

	if (h->type != TYPE_ADVERTISEMENT)
		return VRRP_DROP_TYPE;
	drop = check_auth(d, h, codec);
	if (drop != VRRP_DROP_NONE)
		return drop;
	if (codec->strict_addresses && addresses_differ && h->priority != VRRP_PRIORITY_OWNER)
		return VRRP_DROP_ADDRESS_LIST;
	if (h->adver_int_cs != codec->adver_int_cs)
		return VRRP_DROP_INTERVAL;
	return VRRP_DROP_NONE;
}

/* What is left when it is known to be for this virtual router. */
static enum vrrp_drop
check_rest(const struct vrrp_datagram *d, const struct vrrp_codec *codec, const struct header *h,
	   enum vrrp_checksum_form form, struct vrrp_advert *ret)
{
	enum vrrp_drop drop;
	struct vrrp_advert a;

	if (h->count == 0) /* RFC 9568 5.2.5, erratum 8299 */
		return VRRP_DROP_ADDRESS_COUNT;
	if (h->version == 3 && h->adver_int_cs == 0) /* erratum 8301 */
		return VRRP_DROP_INTERVAL;
	if (!source_legal(d, codec))
		return VRRP_DROP_SOURCE;
	if (codec->unicast && !is_peer(&d->src, codec))
		return VRRP_DROP_PEER;
	a = (struct vrrp_advert){
		.src = d->src,
		.version = h->version,
		.vrid = h->vrid,
		.priority = h->priority,
		.n_addrs = h->count,
		.adver_int_cs = h->adver_int_cs,
		.form = (uint8_t)form,
		.interval_differs = h->adver_int_cs != codec->adver_int_cs,
		.addresses_differ = !addresses_match(d, h, codec),
	};
	if (codec->family == IP_FAMILY_V6) {
		struct ip_addr first = ip_addr_from(IP_FAMILY_V6, d->msg + HEADER_SIZE);

		a.first_not_link_local = !ip_addr_is_link_local(&first);
	}
	if (h->version == 2) {
		drop = check_v2(d, h, codec, a.addresses_differ);
		if (drop != VRRP_DROP_NONE)
			return drop;
	}
	*ret = a;
	return VRRP_DROP_NONE;
}

enum vrrp_drop
vrrp_packet_check(const struct vrrp_datagram *d, const struct vrrp_codec *codec, struct vrrp_advert *ret)
{
	enum vrrp_checksum_form form = VRRP_CHECKSUM_RFC9568;
	struct header h = {0};
	enum vrrp_drop drop = check_common(d, codec, &h, &form);

	if (drop != VRRP_DROP_NONE)
		return drop;
	drop = check_rest(d, codec, &h, form, ret);
	if (!codec->owner)
		return drop;
	if (drop != VRRP_DROP_NONE)
		*ret = (struct vrrp_advert){0};
	return VRRP_DROP_OWNER; /* the check before those of the rest */
}

void
vrrp_packet_differ(const struct vrrp_datagram *d, const struct vrrp_codec *codec, struct ip_addr *ret_missing,
		   struct ip_addr *ret_foreign)
{
	size_t size = ip_family_size(codec->family);
	unsigned count = read_header(d->msg).count;

	*ret_missing = *ret_foreign = (struct ip_addr){0};
	for (unsigned i = 0; i < codec->n_addrs && ret_missing->family == IP_FAMILY_NONE; i++) {
		unsigned k = 0;

		while (k < count && memcmp(d->msg + HEADER_SIZE + k * size, codec->addrs[i].b, size) != 0)
			k++;
		if (k == count)
			*ret_missing = codec->addrs[i];
	}
	for (unsigned k = 0; k < count && ret_foreign->family == IP_FAMILY_NONE; k++) {
		unsigned i = 0;

		while (i < codec->n_addrs && memcmp(d->msg + HEADER_SIZE + k * size, codec->addrs[i].b, size) != 0)
			i++;
		if (i == codec->n_addrs)
			*ret_foreign = ip_addr_from(codec->family, d->msg + HEADER_SIZE + k * size);
	}
}

int
vrrp_packet_encode(const struct vrrp_codec *codec, uint8_t priority, enum vrrp_checksum_form form,
		   const struct ip_addr *src, const struct ip_addr *dst, uint8_t *buf, size_t size)
{
	struct wbuf w = wbuf_to(buf, size);
	uint32_t sum;
	uint16_t field;

	ASSERT(codec->n_addrs >= 1);
	ASSERT(codec->n_addrs <= LIMIT_ADVERT_ADDRESSES);
	wbuf_u8(&w, (uint8_t)(codec->version << 4 | TYPE_ADVERTISEMENT));
	wbuf_u8(&w, codec->vrid);
	wbuf_u8(&w, priority);
	wbuf_u8(&w, (uint8_t)codec->n_addrs);
	if (codec->version == 2) {
		wbuf_u8(&w, codec->has_auth ? AUTH_TYPE_PASS : AUTH_TYPE_NONE);
		wbuf_u8(&w, (uint8_t)(codec->adver_int_cs / 100));
	} else {
		wbuf_be16(&w, codec->adver_int_cs & INTERVAL_MASK);
	}
	wbuf_be16(&w, 0);
	for (size_t i = 0; i < codec->n_addrs; i++)
		wbuf_bytes(&w, codec->addrs[i].b, ip_family_size(codec->family));
	if (codec->version == 2)
		wbuf_bytes(&w, codec->has_auth ? codec->auth : (const uint8_t[VRRP_AUTH_SIZE]){0},
			   VRRP_AUTH_SIZE);
	if (w.failed)
		return -EMSGSIZE;
	sum = vrrp_checksum_add(0, buf, w.len);
	if (codec->version == 3 && (codec->family == IP_FAMILY_V6 || form == VRRP_CHECKSUM_RFC5798))
		sum += vrrp_checksum_pseudo(src, dst, w.len);
	field = (uint16_t)~vrrp_checksum_fold(sum);
	buf[6] = (uint8_t)(field >> 8);
	buf[7] = (uint8_t)field;
	return (int)w.len;
}

static void
put_ipv4_header(uint8_t *p, size_t total, const struct ip_addr *src, const struct ip_addr *dst)
{
	struct wbuf w = wbuf_to(p, 20);

	wbuf_u8(&w, 0x45);
	wbuf_u8(&w, VRRP_TRAFFIC_CLASS);
	wbuf_be16(&w, (uint16_t)total);
	wbuf_be16(&w, 0); /* identification: the kernel's */
	wbuf_be16(&w, 0);
	wbuf_u8(&w, VRRP_TTL);
	wbuf_u8(&w, VRRP_IP_PROTOCOL);
	wbuf_be16(&w, 0); /* header checksum: the kernel's */
	wbuf_bytes(&w, src->b, 4);
	wbuf_bytes(&w, dst->b, 4);
	ASSERT(!w.failed);
}

static void
put_ipv6_header(uint8_t *p, size_t payload, const struct ip_addr *src, const struct ip_addr *dst)
{
	struct wbuf w = wbuf_to(p, 40);

	wbuf_be16(&w, (uint16_t)(0x6000 | VRRP_TRAFFIC_CLASS << 4));
	wbuf_be16(&w, 0); /* flow label */
	wbuf_be16(&w, (uint16_t)payload);
	wbuf_u8(&w, VRRP_IP_PROTOCOL);
	wbuf_u8(&w, VRRP_TTL);
	wbuf_bytes(&w, src->b, 16);
	wbuf_bytes(&w, dst->b, 16);
	ASSERT(!w.failed);
}

int
vrrp_packet_encode_ip(const struct vrrp_codec *codec, uint8_t priority, enum vrrp_checksum_form form,
		      const struct ip_addr *src, const struct ip_addr *dst, uint8_t *buf, size_t size)
{
	size_t header = codec->family == IP_FAMILY_V6 ? 40 : 20;
	int n;

	ASSERT(src->family == codec->family);
	ASSERT(dst->family == codec->family);
	if (size < header)
		return -EMSGSIZE;
	n = vrrp_packet_encode(codec, priority, form, src, dst, buf + header, size - header);
	if (n < 0)
		return n;
	if (codec->family == IP_FAMILY_V6)
		put_ipv6_header(buf, (size_t)n, src, dst);
	else
		put_ipv4_header(buf, header + (size_t)n, src, dst);
	return (int)header + n;
}
