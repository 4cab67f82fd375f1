/*
 * nlk_link.c - settings of one link that live under /proc/sys rather than in netlink.
 *
 * Called before addresses are added; in vrrpd by the engine. Works in the network namespace of the caller, as
 * all of /proc/sys/net does. It must not touch conf/all or conf/default: those belong to every link of the
 * host.
 */
#include "nlk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A name that can be one component of a path and is a link, not one of the two directories that mean all links.
 */
static bool
is_link_name(const char *ifname)
{
	static const char *const refused[] = {"", ".", "..", "all", "default"};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (strcmp(ifname, refused[i]) == 0)
			return false;
	return strlen(ifname) < NLK_IFNAME && strchr(ifname, '/') == NULL;
}

/* True when the setting reads "1": a container may show /proc/sys read-only, but right already. */
static bool
is_set(const char *path)
{
	char value = '0';
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, &value, 1) != 1)
		value = '0';
	close(fd);
	return value == '1';
}

int
nlk_link_promote_secondaries(const char *ifname)
{
	char path[sizeof("/proc/sys/net/ipv4/conf//promote_secondaries") + NLK_IFNAME];
	ssize_t n;
	int fd, err = 0;

	if (!is_link_name(ifname))
		return -EINVAL;
	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/promote_secondaries", ifname);
	if (is_set(path))
		return 0;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, "1\n", 2);
	if (n != 2)
		err = n < 0 ? -errno : -EIO;
	close(fd);
	return err;
}
