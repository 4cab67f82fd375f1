/*
 * sim_chan.c - in the place of ipc/ipc_chan.c: the engine's channels, whose other ends are models.
 */
#include <errno.h>
#include <string.h>

#include "ipc/ipc_chan.h"
#include "sim.h"

static size_t
size_of(unsigned type)
{
	switch (type) {
#define X(name, st, dir, fd)                                                                                   \
	case IPC_##name:                                                                                       \
		return sizeof(struct st);
		IPC_MESSAGES(X)
#undef X
	}
	return 0;
}

void
sim_chan_push(struct sim_node *n, struct sim_chan *c, unsigned type, const void *msg, int fd)
{
	size_t size = size_of(type);
	struct sim_msg *m = sim_alloc(sizeof(*m) + size);
	struct ipc_head *h = (struct ipc_head *)m->data;

	*m = (struct sim_msg){.fd = fd, .size = (uint16_t)size};
	memcpy(m->data, msg, size);
	h->type = (uint16_t)type;
	h->size = (uint16_t)size;
	if (c->last != NULL)
		c->last->next = m;
	else
		c->first = m;
	c->last = m;
	sim_loop_wake(n);
}

static struct sim_msg *
take(struct sim_chan *c)
{
	struct sim_msg *m = c->first;

	if (m == NULL)
		return NULL;
	c->first = m->next;
	if (c->first == NULL)
		c->last = NULL;
	return m;
}

void
sim_chan_clear(struct sim_chan *c)
{
	*c = (struct sim_chan){0};
}

/* ---- ipc/ipc_chan.h ---- */

bool
ipc_chan_is_socket(int fd)
{
	(void)fd;
	return true;
}

void
ipc_chan_init(struct ipc_chan *c, int fd, unsigned send_dir, unsigned recv_dir)
{
	*c = (struct ipc_chan){.fd = fd, .send_dir = send_dir, .recv_dir = recv_dir};
}

void
ipc_chan_close(struct ipc_chan *c)
{
	c->fd = -1;
}

int
ipc_chan_send(struct ipc_chan *c, enum ipc_type type, void *msg, int fd)
{
	struct sim_node *n = sim_current;

	(void)fd;
	if (c->fd < 0)
		return -EBADF;
	if (c->fd == n->fd_parent && type == IPC_READY)
		sim_parent_ready(n);
	else if (c->fd == n->fd_agent && !n->agent.closed)
		sim_agent_take(n, type, msg);
	return 0;
}

int
ipc_chan_recv(struct ipc_chan *c, union ipc_msg *msg, int *ret_fd)
{
	struct sim_node *n = sim_current;
	struct sim_chan *chan = c->fd == n->fd_parent ? &n->parent : c->fd == n->fd_agent ? &n->agent : NULL;
	struct sim_msg *m;

	if (chan == NULL)
		return -ECONNRESET; /* an agent that is no more */
	m = take(chan);
	if (m == NULL)
		return chan->closed ? -ECONNRESET : 0;
	memcpy(msg, m->data, m->size);
	*ret_fd = m->fd;
	return 1;
}
