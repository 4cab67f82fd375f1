/*
 * redis_self.h - is the master that a Sentinel names this host's Redis?
 */
#ifndef VRRPD_AGENT_REDIS_SELF_H
#define VRRPD_AGENT_REDIS_SELF_H

#include "agent/check_def.h"
#include "agent/net_resp.h"

#define REDIS_NAME_MAX 128

/* A master as a Sentinel names it, cut to a sane length; a reply that is none leaves host empty. */
struct redis_name {
	char host[REDIS_NAME_MAX];
	char port[8];
};

/* The reply to SENTINEL GET-MASTER-ADDR-BY-NAME: an array of host and port. False when it is none. */
bool redis_name_read(const struct resp_value *v, struct redis_name *ret);

bool redis_name_equal(const struct redis_name *a, const struct redis_name *b);

/*
 * Is it the option `self`; or, when that was not written, an address of this host that is no loopback address,
 * and the port of the option `address` when `same_port`.
 */
bool redis_is_self(const struct check_def *options, const struct redis_name *name, bool same_port);

#endif
