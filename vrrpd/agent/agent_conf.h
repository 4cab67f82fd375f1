/*
 * agent_conf.h - one configuration generation as the agent keeps it.
 *
 * The parent sends it as a stream of messages (ipc_msg.h); it is complete or it is refused. Immutable
 * afterwards.
 */
#ifndef VRRPD_AGENT_AGENT_CONF_H
#define VRRPD_AGENT_AGENT_CONF_H

#include <stdint.h>

#include "agent/check_def.h"
#include "ipc/ipc_msg.h"

struct agent_instance {
	struct ipc_conf_instance c;
	/* into the arrays of struct agent_conf */
	uint32_t first_address, first_peer, first_track, first_hook, first_service;
};

struct agent_conf {
	uint32_t gen;
	struct ipc_conf_begin begin; /* node and the totals */
	struct check_def *checks;
	struct agent_instance *instances;
	struct ipc_conf_address *addresses;
	struct ipc_conf_peer *peers;
	struct ipc_conf_track *tracks;
	struct ipc_conf_hook *hooks; /* begin.n_own_hooks for all instances, then instance by instance */
	struct ipc_conf_service *services;
	struct check_def *stores; /* per instance: the options of its leader or lease */
};

/* A generation on its way in. All zero: none. */
struct agent_conf_reader {
	struct agent_conf *conf;
	uint32_t n_checks, n_instances, n_addresses, n_peers, n_tracks, n_hooks, n_services; /* arrived */
	uint32_t left_options;						/* still due for the last check */
	uint32_t left_addresses, left_peers, left_tracks, left_hooks, left_services; /* still due for the last instance */
};

/*
 * Take one CONF_* message (not CONF_TEXT). 0: more to come. 1: complete, *ret is the caller's
 * (agent_conf_free). -EPROTO: wrong order or value, *ret_why says which in words.
 */
int agent_conf_feed(struct agent_conf_reader *r, const union ipc_msg *m, struct agent_conf **ret,
		    const char **ret_why);

void agent_conf_free(struct agent_conf *c); /* NULL is fine */

/* The instance of this name, or NULL. */
const struct agent_instance *agent_conf_find(const struct agent_conf *c, const char *name);

#endif
