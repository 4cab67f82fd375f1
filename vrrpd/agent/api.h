/*
 * api.h - the status API: HTTP on the sockets that vrrpd hands over.
 *
 * Everything it tells of the engine comes from snapshots (agent_snap.h). Bounded in connections, header, body,
 * time and in memory that slow readers can hold.
 */
#ifndef VRRPD_AGENT_API_H
#define VRRPD_AGENT_API_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/ipc_msg.h"

struct agent;
struct api;

struct api *api_new(struct agent *a);

/* Close every connection and listener. To be followed by api_free() after the loop was freed: until then
 * libevent may hold documents that are being sent. */
void api_stop(struct api *api);
void api_free(struct api *api);

/*
 * Serve on a listening socket, which becomes ours; it replaces an older one of the same kind. m->control:
 * who may, changes something there (api_peer.c). 0 or -errno (the socket is closed then).
 */
int api_listen(struct api *api, int fd, const struct ipc_listen *m);

/* Open connections, on all sockets together. */
unsigned api_connections(const struct api *api);

/* The text of GET /v1/config: `size` octets to be read from fd, which becomes ours. 0 or -errno. */
int api_set_config(struct api *api, int fd, uint32_t size);

/* Answers to requests that wait for them; others are dropped. */
void api_control_reply(struct api *api, const struct ipc_control_reply *m);
void api_reload_line(struct api *api, const struct ipc_reload_line *m);
struct check;
void api_check_ended(struct api *api, const struct check *c); /* a run of it has ended */
void api_reload_done(struct api *api, const struct ipc_reload_done *m);

#endif
