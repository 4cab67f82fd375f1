/*
 * nlk_raw.c - a packet socket that sends prepared frames, many per system call.
 *
 * Called with frames of nlk_frame.c; in vrrpd by the engine, which paces the rounds. The socket has protocol 0,
 * so the kernel hands it no packet at all. It must not wait: what the kernel does not take now is the caller's
 * to send later.
 */
#include "nlk.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_MAX 64 /* frames per sendmmsg: 64 headers are 6 KiB of stack */

/* A short frame is charged below 1 KiB, and the kernel doubles this: 4000 announcements fit at once. */
#define SEND_BUFFER (4 << 20)

#define ETH_TYPE 12 /* offset of the EtherType in a frame */

struct outgoing {
	struct mmsghdr msgs[SEND_MAX];
	struct iovec iov[SEND_MAX];
	struct sockaddr_ll to[SEND_MAX];
};

static void
prepare(struct outgoing *out, const struct nlk_frame *frames, size_t n)
{
	memset(out->msgs, 0, n * sizeof(out->msgs[0]));
	memset(out->to, 0, n * sizeof(out->to[0]));
	for (size_t i = 0; i < n; i++) {
		out->to[i].sll_family = AF_PACKET;
		out->to[i].sll_ifindex = frames[i].ifindex;
		memcpy(&out->to[i].sll_protocol, frames[i].data + ETH_TYPE, sizeof(out->to[i].sll_protocol));
		out->iov[i].iov_base = (void *)(uintptr_t)frames[i].data; /* sendmmsg only reads it */
		out->iov[i].iov_len = frames[i].len;
		out->msgs[i].msg_hdr.msg_name = &out->to[i];
		out->msgs[i].msg_hdr.msg_namelen = sizeof(out->to[i]);
		out->msgs[i].msg_hdr.msg_iov = &out->iov[i];
		out->msgs[i].msg_hdr.msg_iovlen = 1;
	}
}

static bool
is_queue_full(int err)
{
	return err == EAGAIN || err == ENOBUFS;
}

int
nlk_raw_open(void)
{
	static const int size = SEND_BUFFER;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* A smaller queue only means more rounds of nlk_raw_send(). No PACKET_QDISC_BYPASS: it would hide the
	 * frames from a capture on this host, where an operator looks first. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

int
nlk_raw_send(int fd, const struct nlk_frame *frames, size_t n)
{
	struct outgoing out;
	size_t done = 0;

	while (done < n) {
		size_t want = n - done < SEND_MAX ? n - done : SEND_MAX;
		int taken;

		prepare(&out, frames + done, want);
		taken = sendmmsg(fd, out.msgs, (unsigned)want, 0);
		if (taken < 0 && errno == EINTR)
			continue;
		if (taken < 0)
			return done > 0 || is_queue_full(errno) ? (int)done : -errno;
		done += (size_t)taken;
	}
	return (int)done;
}
