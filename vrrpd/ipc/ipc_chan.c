/*
 * ipc_chan.c - one end of a message channel: framing, checks, descriptors. See ipc_chan.h.
 *
 * Used by every process. Never blocks and never logs.
 */
#include "ipc/ipc_chan.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"

/* Room in a socket for the messages of a large configuration or a snapshot burst. */
#define CHAN_BUFFER (4 * 1024 * 1024)

static bool
carries_fd(unsigned type)
{
	switch (type) {
#define X(name, st, dir, fd)                                                                                   \
	case IPC_##name:                                                                                       \
		return (fd) != 0;
		IPC_MESSAGES(X)
#undef X
	}
	return false;
}

int
ipc_chan_pair(int ret[2])
{
	int size = CHAN_BUFFER;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		/* Beyond the system's limit where allowed; otherwise as much as it gives. */
		if (setsockopt(sv[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
			(void)setsockopt(sv[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		ret[i] = sv[i];
	}
	return 0;
}

bool
ipc_chan_is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

void
ipc_chan_init(struct ipc_chan *c, int fd, unsigned send_dir, unsigned recv_dir)
{
	*c = (struct ipc_chan){.fd = fd, .send_dir = send_dir, .recv_dir = recv_dir};
}

void
ipc_chan_close(struct ipc_chan *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* The kernel is, for a moment: the channel is as good as before, and what waits in it is still there. */
static bool
is_short_of_memory(int err)
{
	return err == ENOBUFS || err == ENOMEM;
}

int
ipc_chan_send(struct ipc_chan *c, enum ipc_type type, void *msg, int fd)
{
	struct ipc_head *h = msg;
	size_t size = ipc_type_size(type);
	struct iovec iov = {.iov_base = msg, .iov_len = size};
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cm;

	ASSERT(size != 0);
	ASSERT((fd >= 0) == carries_fd(type));
	if (c->fd < 0)
		return -ENOTCONN; /* perhaps never opened, so that it has no direction either */
	ASSERT((ipc_type_dirs(type) & c->send_dir) != 0);
	h->type = (uint16_t)type;
	h->size = (uint16_t)size;
	if (fd >= 0) {
		mh.msg_control = control.buf;
		mh.msg_controllen = sizeof(control.buf);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	}
	if (sendmsg(c->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return is_short_of_memory(errno) ? -EAGAIN : -errno;
	return 0;
}

/* The descriptor that came along, or -1; more than one is a protocol error and closed. */
static int
take_fd(struct msghdr *mh, int *ret_fd)
{
	struct cmsghdr *cm;
	int found = -1;
	bool bad = (mh->msg_flags & MSG_CTRUNC) != 0;

	for (cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		size_t n;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
			if (found >= 0) {
				close(fd);
				bad = true;
			} else {
				found = fd;
			}
		}
	}
	if (bad && found >= 0) {
		close(found);
		found = -1;
	}
	*ret_fd = found;
	return bad ? -EPROTO : 0;
}

int
ipc_chan_recv(struct ipc_chan *c, union ipc_msg *msg, int *ret_fd)
{
	struct iovec iov = {.iov_base = msg, .iov_len = sizeof(*msg)};
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	ssize_t n;
	int fd;

	*ret_fd = -1;
	if (c->fd < 0)
		return -ENOTCONN;
	n = recvmsg(c->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	/* The other end is gone and had not read everything: told once, before its last words, which are still
	 * here. */
	if (n < 0 && errno == ECONNRESET)
		n = recvmsg(c->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR || is_short_of_memory(errno) ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	if (take_fd(&mh, &fd) < 0)
		return -EPROTO;
	if ((mh.msg_flags & MSG_TRUNC) || (size_t)n < sizeof(struct ipc_head) || msg->h.size != n ||
	    ipc_type_size(msg->h.type) != (size_t)n || !(ipc_type_dirs(msg->h.type) & c->recv_dir) ||
	    carries_fd(msg->h.type) != (fd >= 0)) {
		if (fd >= 0)
			close(fd);
		return -EPROTO;
	}
	*ret_fd = fd;
	return 1;
}
