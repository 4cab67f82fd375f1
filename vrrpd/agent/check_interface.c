/*
 * check_interface.c - kind "interface": it exists, is up and has carrier.
 *
 * Runs in vrrpd-agent under check.c. Asks the kernel by an ordinary socket; needs no rights and is done at
 * once.
 */
#include "agent/check.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/strbuf.h"

static void
interface_start(struct check *c)
{
	const char *name = check_text(c, "interface", 0);
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
