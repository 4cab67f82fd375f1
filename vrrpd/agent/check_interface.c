/*
 * check_interface.c - kind "interface": it exists, is up and has carrier, and has an address when one is asked for.
 *
 * Runs in vrrpd-agent under check.c. Asks the kernel by ordinary sockets; needs no rights and is done at once.
 */
#include "agent/check.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/strbuf.h"

static struct ip_addr
addr_of(const struct sockaddr *sa)
{
	if (sa != NULL && sa->sa_family == AF_INET)
		return ip_addr_from(IP_FAMILY_V4,
				    (const uint8_t *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr);
	if (sa != NULL && sa->sa_family == AF_INET6)
		return ip_addr_from(IP_FAMILY_V6,
				    (const uint8_t *)&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
	return (struct ip_addr){0};
}

/* Of an interface that is up: is this address on it? */
static void
judge_address(struct check *c, const char *name, const char *text)
{
	struct ifaddrs *list;
	struct ip_addr wanted = {0};
	bool there = false, elsewhere = false;
	char where[IFNAMSIZ] = "";

	(void)ip_addr_parse(text, &wanted);
	if (getifaddrs(&list) < 0) {
		check_donef(c, false, "%s: its addresses cannot be read: %s", name, strerror(errno));
		return;
	}
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
		struct ip_addr a = addr_of(i->ifa_addr);

		if (!ip_addr_equal(&a, &wanted))
			continue;
		if (strcmp(i->ifa_name, name) == 0) {
			there = true;
		} else {
			elsewhere = true;
			str_copy(where, sizeof(where), i->ifa_name);
		}
	}
	freeifaddrs(list);
	if (there)
		check_donef(c, true, "%s is up and has %s", name, text);
	else if (elsewhere)
		check_donef(c, false, "%s does not have %s: it is on %s", name, text, where);
	else
		check_donef(c, false, "%s does not have %s", name, text);
}

static void
interface_start(struct check *c)
{
	const char *name = check_text(c, "interface", 0), *address = check_text(c, "address", 0);
	struct ifreq req = {0};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0) {
		check_donef(c, false, "%s: no socket to ask with: %s", name, strerror(errno));
		return;
	}
	str_copy(req.ifr_name, sizeof(req.ifr_name), name);
	err = ioctl(fd, SIOCGIFFLAGS, &req) < 0 ? errno : 0;
	close(fd);
	if (err == ENODEV)
		check_donef(c, false, "%s does not exist", name);
	else if (err != 0)
		check_donef(c, false, "%s: %s", name, strerror(err));
	else if (!(req.ifr_flags & IFF_UP))
		check_donef(c, false, "%s is down", name);
	else if (!(req.ifr_flags & IFF_RUNNING))
		check_donef(c, false, "%s has no carrier", name);
	else if (address != NULL)
		judge_address(c, name, address);
	else
		check_donef(c, true, "%s is up", name);
}

/* Never reached: a run ends before start() returns. */
static void
interface_cancel(struct check *c, bool force)
{
	(void)c;
	(void)force;
}

static void
interface_free(struct check *c)
{
	(void)c;
}

const struct check_ops check_interface_ops = {
	.name = "interface",
	.start = interface_start,
	.cancel = interface_cancel,
	.free = interface_free,
};
