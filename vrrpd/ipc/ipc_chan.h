/*
 * ipc_chan.h - one end of a message channel between two of our processes.
 *
 * Non-blocking SOCK_SEQPACKET; every message is checked for type, direction and size on both sides. Waits for
 * nothing: what cannot be sent now is the sender's decision (drop, or try again when writable).
 */
#ifndef VRRPD_IPC_IPC_CHAN_H
#define VRRPD_IPC_IPC_CHAN_H

#include <stdbool.h>
#include <stddef.h>

#include "ipc/ipc_msg.h"

#define IPC_CHAN_FD 3 /* where a child finds its channel to the parent */

struct ipc_chan {
	int fd;		   /* -1 = closed */
	unsigned send_dir; /* enum ipc_dir of what leaves here */
	unsigned recv_dir; /* of what arrives here */
};

/* A connected pair, close-on-exec, non-blocking, with room for a whole configuration. 0 or -errno. */
int ipc_chan_pair(int ret[2]);

/* Is this descriptor a socket? A child that was started by hand finds out so. */
bool ipc_chan_is_socket(int fd);

/* Take over a descriptor. */
void ipc_chan_init(struct ipc_chan *c, int fd, unsigned send_dir, unsigned recv_dir);

/* Close; a closed one is fine. */
void ipc_chan_close(struct ipc_chan *c);

/*
 * Send one message; type and size are filled in from `type` (h.gen stays the caller's). fd >= 0 goes along
 * where the type carries one (the caller keeps its own copy). 0, -EAGAIN when the other side is slow, else
 * -errno.
 */
int ipc_chan_send(struct ipc_chan *c, enum ipc_type type, void *msg, int fd);

/*
 * Receive one message. 1 and *msg filled (*ret_fd is a descriptor the caller owns, or -1); 0 when there is none
 * now; -ECONNRESET when the other side closed; -EPROTO for a message that is not allowed here; else -errno.
 */
int ipc_chan_recv(struct ipc_chan *c, union ipc_msg *msg, int *ret_fd);

/* The name of a message type, for errors and traces; "?" for an unknown one. */
const char *ipc_type_name(unsigned type);

/* The size its struct must have; 0 for an unknown type. */
size_t ipc_type_size(unsigned type);

/* The directions it may travel (enum ipc_dir bits); 0 for an unknown type. */
unsigned ipc_type_dirs(unsigned type);

#endif
