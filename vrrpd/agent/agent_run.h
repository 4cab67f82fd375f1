/*
 * agent_run.h - commands of other users: asked of vrrpd, which may become them.
 */
#ifndef VRRPD_AGENT_AGENT_RUN_H
#define VRRPD_AGENT_AGENT_RUN_H

struct agent;

/* Make vrrpd the runner of the agent's checks. */
void agent_run_open(struct agent *a);

#endif
