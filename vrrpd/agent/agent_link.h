/*
 * agent_link.h - the agent's end of the channel to the engine.
 */
#ifndef VRRPD_AGENT_AGENT_LINK_H
#define VRRPD_AGENT_AGENT_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/ipc_msg.h"

struct agent;
struct check;

/* Take over `fd` as the channel to the engine, in place of an older one, and tell it every present verdict. */
void agent_link_open(struct agent *a, int fd);

/* Close it (also when there is none). */
void agent_link_close(struct agent *a);

bool agent_link_up(const struct agent *a);

/* Ask for a snapshot. 0, or -errno when it could not be asked (-EAGAIN: later). */
int agent_link_get_snap(struct agent *a, uint32_t token);

/* Pass a command about an instance on; its answer goes to api_control_reply(). 0 or -errno. */
int agent_link_control(struct agent *a, struct ipc_control *m);

/* Take in everything that the engine has sent so far. */
void agent_link_read_rest(struct agent *a);

/* Send one message of the hooks' to the engine. 0 or -errno (-EAGAIN: later; -ENOTCONN). */
int agent_link_send(struct agent *a, enum ipc_type type, void *msg);

/* Tell the engine this verdict if it is news or needs renewing; a checks_report_fn with the agent as its
 * argument. */
void agent_link_report(void *arg, const struct check *c);

/* Tell the engine every verdict, whatever it has been told. */
void agent_link_report_all(struct agent *a);

#endif
