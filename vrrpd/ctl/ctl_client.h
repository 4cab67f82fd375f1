/*
 * ctl_client.h - one question to the status API over its Unix socket.
 */
#ifndef VRRPD_CTL_CTL_CLIENT_H
#define VRRPD_CTL_CTL_CLIENT_H

#include <stddef.h>
#include <jansson.h>

#include "ctl/ctl.h"

#define CTL_STATUS_BRIEF "/v1/status?counters=0" /* the table shows none of them, and they are half of the document */

struct ctl_reply {
	int status; /* of HTTP */
	size_t len;
	char *body; /* ended by a NUL that is not counted */
	char *all;  /* what was received; body points into it */
	FILE *err;  /* where ctl_reply_json() says what is wrong */
};

/* A connection to the daemon's socket, not blocking: the caller's. -1 after saying on c->err why not, if not quiet. */
int ctl_dial(const struct ctl *c, bool quiet);

/* GET path. CTL_OK and *ret (free with ctl_reply_free), or CTL_CONNECT after saying on c->err what is wrong. */
int ctl_get(const struct ctl *c, const char *path, struct ctl_reply *ret);

/* POST path without a body, waiting up to `seconds`; else as ctl_get(). */
int ctl_post(const struct ctl *c, const char *path, unsigned seconds, struct ctl_reply *ret);

/* "/v1/instances/NAME" (or "/v1/checks/NAME") and what follows, NAME percent-encoded, into buf. */
void ctl_instance_path(const char *name, const char *rest, char *buf, size_t size);
void ctl_check_path(const char *name, const char *rest, char *buf, size_t size);

void ctl_reply_free(struct ctl_reply *r);

/*
 * The body as JSON, *ret to be json_decref'd. CTL_OK; else the answer was an error and has been told on r->err:
 * CTL_UNKNOWN for 404, CTL_UNFIT otherwise. ret may be NULL when the answer is known to be an error.
 */
int ctl_reply_json(const struct ctl_reply *r, json_t **ret);

#endif
