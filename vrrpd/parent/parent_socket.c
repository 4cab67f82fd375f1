/*
 * parent_socket.c - the run folder: its lock, and the listening sockets that are handed to the agent.
 *
 * The parent opens them because the agent has no rights to; they stay open over restarts of the agent, so a
 * client waits instead of being refused.
 */
#include "parent/parent.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/strbuf.h"

#define BACKLOG 512

static int
take_lock(struct parent *p)
{
	char path[LIMIT_PATH + 16];
	int err;

	if (mkdir(p->run_dir, 0755) < 0 && errno != EEXIST) {
		err = errno;
		log_error("cannot make the run folder %s: %s: make its parent folder, or choose another by "
			  "--run-dir",
			  p->run_dir, strerror(err));
		return -err;
	}
	if (p->lock_fd >= 0)
		return 0; /* kept over a restart in place */
	snprintf(path, sizeof(path), "%s/vrrpd.lock", p->run_dir);
	p->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (p->lock_fd < 0) {
		err = errno;
		log_error("cannot open %s: %s: is another user's vrrpd using it?", path, strerror(err));
		return -err;
	}
	if (flock(p->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		err = errno;
		log_error("another vrrpd runs with the run folder %s: stop it, or give this one its own by "
			  "--run-dir",
			  p->run_dir);
		return -err;
	}
	return 0;
}

/* Kept over a restart in place, and at the address that is wanted? */
static bool
is_bound_to(int fd, const void *want, socklen_t want_len)
{
	struct sockaddr_storage have = {0};
	socklen_t len = sizeof(have);

	return fd >= 0 && getsockname(fd, (struct sockaddr *)&have, &len) == 0 && len <= want_len &&
	       memcmp(&have, want, len) == 0;
}

static void
close_kept(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* After a restart in place there is no CAP_CHOWN, but an owner may give a file to a group that it is in. */
static int
change_group(const char *path, gid_t gid)
{
	gid_t own = getegid();
	int r, err;

	if (chown(path, (uid_t)-1, gid) == 0)
		return 0;
	if (setegid(gid) < 0)
		return -1;
	r = chown(path, (uid_t)-1, gid);
	err = errno;
	if (setegid(own) < 0)
		log_warning("the group %u cannot be left: %s", (unsigned)gid, strerror(errno));
	errno = err;
	return r;
}

/* Members of this group may use the socket. Without such a group only root may. */
static void
give_to_group(struct parent *p)
{
	const char *path = p->control_path, *group = p->cfg->control.group;
	const struct group *gr = getgrnam(group);

	p->has_group = gr != NULL;
	if (gr == NULL) {
		log_info("no group \"%s\" on this host: only root may use %s", group, path);
		return;
	}
	p->control_gid = gr->gr_gid;
	if (change_group(path, gr->gr_gid) < 0)
		log_warning("cannot give %s to group %s: %s", path, group, strerror(errno));
}

static int
open_control(struct parent *p)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	mode_t old;
	int r;

	if (p->cfg->control.socket != NULL)
		r = str_copy(p->control_path, sizeof(p->control_path), p->cfg->control.socket);
	else
		r = snprintf(p->control_path, sizeof(p->control_path), "%s/vrrpd.sock", p->run_dir) <
		    (int)sizeof(p->control_path);
	if (!r || !str_copy(sun.sun_path, sizeof(sun.sun_path), p->control_path)) {
		log_error("the path of the status socket is longer than %zu octets: choose a shorter --run-dir "
			  "or "
			  "control.socket",
			  sizeof(sun.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	if (is_bound_to(p->control_fd, &sun, sizeof(sun)) && access(sun.sun_path, F_OK) == 0) {
		give_to_group(p);
		return 0;
	}
	close_kept(&p->control_fd);
	p->control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* The lock is ours: what lies there was left by an earlier life. */
	unlink(sun.sun_path);
	old = umask(0117);
	r = p->control_fd < 0 ? -1 : bind(p->control_fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(old);
	if (r == 0)
		r = listen(p->control_fd, BACKLOG);
	if (r < 0) {
		r = -errno;
		log_error("cannot open the status socket %s: %s", p->control_path, strerror(-r));
		return r;
	}
	give_to_group(p);
	return 0;
}

static socklen_t
fill_sockaddr(const struct ip_addr *a, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (a->family == IP_FAMILY_V4) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(port);
		memcpy(&sin->sin_addr, a->b, 4);
		return sizeof(*sin);
	}
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(port);
	memcpy(&sin6->sin6_addr, a->b, 16);
	return sizeof(*sin6);
}

static int
open_listen(struct parent *p)
{
	const char *text = p->cfg->control.listen;
	struct sockaddr_storage ss;
	struct ip_addr addr;
	socklen_t len;
	uint16_t port;
	int one = 1;
	int r;

	if (text == NULL) {
		close_kept(&p->listen_fd);
		return 0;
	}
	ASSERT(cfg_listen_parse(text, &addr, &port) == 0); /* the configuration was checked */
	len = fill_sockaddr(&addr, port, &ss);
	if (is_bound_to(p->listen_fd, &ss, len))
		return 0;
	close_kept(&p->listen_fd);
	p->listen_fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	r = p->listen_fd < 0 ? -1 : setsockopt(p->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (r == 0)
		r = bind(p->listen_fd, (struct sockaddr *)&ss, len);
	if (r == 0)
		r = listen(p->listen_fd, BACKLOG);
	r = r < 0 ? -errno : 0;
	if (r < 0)
		log_error("cannot listen on %s (control.listen): %s: choose an address of this host and a free "
			  "port",
			  text, strerror(-r));
	return r;
}

int
parent_open_sockets(struct parent *p)
{
	int r = take_lock(p);

	if (r == 0)
		r = open_control(p);
	if (r < 0)
		return r;
	r = open_listen(p);
	if (r < 0 && p->restarted) {
		log_error("going on without control.listen: the addresses matter more");
		close_kept(&p->listen_fd);
		r = 0;
	}
	return r;
}

void
parent_close_sockets(struct parent *p)
{
	if (p->control_fd >= 0) {
		close(p->control_fd);
		unlink(p->control_path);
	}
	if (p->listen_fd >= 0)
		close(p->listen_fd);
	if (p->lock_fd >= 0)
		close(p->lock_fd);
	p->control_fd = p->listen_fd = p->lock_fd = -1;
}
