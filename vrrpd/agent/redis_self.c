/*
 * redis_self.c - compare a Sentinel's master with this host; see redis_self.h. Runs in vrrpd-agent under
 * redis_votes.c, check_sentinel.c and store_sentinel.c.
 *
 * A loopback address names the host of whoever says it, so it never counts unless `self` says so. An address
 * that moves must not be monitored by Sentinels (Redis' documentation of Sentinel): it would be everybody's.
 */
#include "agent/redis_self.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/strbuf.h"

bool
redis_name_read(const struct resp_value *v, struct redis_name *ret)
{
	const char *host = resp_text(resp_item(v, 0)), *port = resp_text(resp_item(v, 1));

	*ret = (struct redis_name){0};
	if (v == NULL || v->type != RESP_ARRAY || v->n != 2 || host[0] == '\0' || port[0] == '\0')
		return false;
	return str_copy(ret->host, sizeof(ret->host), host) && str_copy(ret->port, sizeof(ret->port), port);
}

static bool
same_host(const char *a, const char *b)
{
	struct ip_addr x, y;

	if (ip_addr_parse(a, &x) == 0 && ip_addr_parse(b, &y) == 0)
		return ip_addr_equal(&x, &y);
	return strcasecmp(a, b) == 0;
}

bool
redis_name_equal(const struct redis_name *a, const struct redis_name *b)
{
	return strcmp(a->port, b->port) == 0 && same_host(a->host, b->host);
}

/* "host:port" or "[address]:port" into its two parts. */
static struct redis_name
split(const char *text)
{
	const char *colon = strrchr(text, ':');
	struct redis_name name = {0};
	size_t n;

	if (colon == NULL)
		return name;
	n = (size_t)(colon - text);
	if (n >= 2 && text[0] == '[' && colon[-1] == ']') {
		text++;
		n -= 2;
	}
	snprintf(name.host, sizeof(name.host), "%.*s", (int)n, text);
	str_copy(name.port, sizeof(name.port), colon + 1);
	return name;
}

static bool
is_loopback(const struct ip_addr *a)
{
	static const uint8_t one[16] = {[15] = 1};

	return a->family == IP_FAMILY_V4 ? a->b[0] == 127 : memcmp(a->b, one, sizeof(one)) == 0;
}

/* The address in a socket address, if it has one. */
static struct ip_addr
addr_of(const struct sockaddr *sa)
{
	struct sockaddr_in6 sin6;
	struct sockaddr_in sin;

	if (sa != NULL && sa->sa_family == AF_INET) {
		memcpy(&sin, sa, sizeof(sin));
		return ip_addr_from(IP_FAMILY_V4, (const uint8_t *)&sin.sin_addr);
	}
	if (sa != NULL && sa->sa_family == AF_INET6) {
		memcpy(&sin6, sa, sizeof(sin6));
		return ip_addr_from(IP_FAMILY_V6, (const uint8_t *)&sin6.sin6_addr);
	}
	return (struct ip_addr){0};
}

/*
 * What the kernel would send from to reach `a`: for an own address that is the address itself, unless it is a
 * secondary one. Asked first because a host with thousands of addresses takes long to list them.
 */
static bool
is_own_source(const struct ip_addr *a)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(1)};
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(1)};
	bool v4 = a->family == IP_FAMILY_V4;
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);
	struct ip_addr source;
	int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return false;
	memcpy(&sin.sin_addr, a->b, 4);
	memcpy(&sin6.sin6_addr, a->b, 16);
	r = v4 ? connect(fd, (struct sockaddr *)&sin, sizeof(sin))
	       : connect(fd, (struct sockaddr *)&sin6, sizeof(sin6));
	if (r == 0)
		r = getsockname(fd, (struct sockaddr *)&ss, &len);
	close(fd);
	source = addr_of((struct sockaddr *)&ss);
	return r == 0 && ip_addr_equal(&source, a);
}

static bool
is_listed(const struct ip_addr *a)
{
	struct ifaddrs *list;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (struct ifaddrs *i = list; i != NULL && !found; i = i->ifa_next) {
		struct ip_addr own = addr_of(i->ifa_addr);

		found = ip_addr_equal(&own, a);
	}
	freeifaddrs(list);
	return found;
}

bool
redis_is_self(const struct check_def *options, const struct redis_name *name, bool same_port)
{
	const char *self = check_def_text(options, "self", 0), *address = check_def_text(options, "address", 0);
	struct redis_name own = {0};
	struct ip_addr a;

	if (self != NULL)
		own = split(self);
	else if (address != NULL)
		own = split(address);
	if (self != NULL)
		return redis_name_equal(&own, name);
	if (same_port && strcmp(own.port, name->port) != 0)
		return false;
	if (ip_addr_parse(name->host, &a) < 0 || is_loopback(&a))
		return false;
	return is_own_source(&a) || is_listed(&a);
}
