/*
 * addr.c - IP addresses, prefixes and MAC addresses as values; see addr.h.
 *
 * Used by every process. Pure: no resolver, no allocation, no syscall.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"

size_t
ip_family_size(uint8_t family)
{
	if (family == IP_FAMILY_V4)
		return 4;
	if (family == IP_FAMILY_V6)
		return 16;
	return 0;
}

const char *
ip_family_name(uint8_t family)
{
	if (family == IP_FAMILY_V4)
		return "IPv4";
	if (family == IP_FAMILY_V6)
		return "IPv6";
	return "none";
}

struct ip_addr
ip_addr_from(uint8_t family, const uint8_t *octets)
{
	struct ip_addr a = {.family = family};

	memcpy(a.b, octets, ip_family_size(family));
	return a;
}

int
ip_addr_parse(const char *text, struct ip_addr *ret)
{
	struct ip_addr a = {0};

	if (inet_pton(AF_INET, text, a.b) == 1)
		a.family = IP_FAMILY_V4;
	else if (inet_pton(AF_INET6, text, a.b) == 1)
		a.family = IP_FAMILY_V6;
	else
		return -EINVAL;
	*ret = a;
	return 0;
}

/* One to three decimal digits and nothing else; -EINVAL otherwise. */
static int
parse_len(const char *text, unsigned max)
{
	unsigned value = 0;
	size_t n = strlen(text);

	if (n == 0 || n > 3)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	return value > max ? -EINVAL : (int)value;
}

int
ip_prefix_parse(const char *text, struct ip_prefix *ret)
{
	char buf[IP_ADDR_TEXT];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	struct ip_prefix p = {0};
	int len;

	if (n >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, n);
	buf[n] = '\0';
	if (ip_addr_parse(buf, &p.addr) < 0)
		return -EINVAL;
	len = (int)ip_family_size(p.addr.family) * 8;
	if (slash)
		len = parse_len(slash + 1, (unsigned)len);
	if (len < 0)
		return -EINVAL;
	p.len = (uint8_t)len;
	*ret = p;
	return 0;
}

const char *
ip_addr_format(const struct ip_addr *a, char *buf)
{
	if (a->family == IP_FAMILY_V4)
		inet_ntop(AF_INET, a->b, buf, IP_ADDR_TEXT);
	else if (a->family == IP_FAMILY_V6)
		inet_ntop(AF_INET6, a->b, buf, IP_ADDR_TEXT);
	else
		memcpy(buf, "none", 5);
	return buf;
}

const char *
ip_prefix_format(const struct ip_prefix *p, char *buf)
{
	char addr[IP_ADDR_TEXT];

	snprintf(buf, IP_PREFIX_TEXT, "%s/%u", ip_addr_format(&p->addr, addr), p->len);
	return buf;
}

const char *
mac_addr_format(const struct mac_addr *m, char *buf)
{
	snprintf(buf, MAC_ADDR_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", m->b[0], m->b[1], m->b[2], m->b[3],
		 m->b[4], m->b[5]);
	return buf;
}

int
ip_addr_cmp(const struct ip_addr *a, const struct ip_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, ip_family_size(a->family));
}

bool
ip_addr_is_link_local(const struct ip_addr *a)
{
	return a->family == IP_FAMILY_V6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

bool
ip_addr_is_multicast(const struct ip_addr *a)
{
	if (a->family == IP_FAMILY_V4)
		return (a->b[0] & 0xf0) == 0xe0;
	return a->family == IP_FAMILY_V6 && a->b[0] == 0xff;
}

bool
ip_addr_is_unicast(const struct ip_addr *a)
{
	static const uint8_t zero[16];

	if (a->family == IP_FAMILY_V4)
		return a->b[0] != 0 && a->b[0] < 224;
	return a->family == IP_FAMILY_V6 && a->b[0] != 0xff && memcmp(a->b, zero, sizeof(zero)) != 0;
}
