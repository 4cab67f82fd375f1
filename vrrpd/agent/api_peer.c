/*
 * api_peer.c - who may change something: by the credentials that the kernel tells of the Unix socket's other end.
 *
 * Runs in vrrpd-agent under api.c. The socket's file mode decides who gets in at all; should it let in others, they may
 * read. Root may change things, the users that vrrpd and this process run as, and members of control.group.
 */
#include "agent/api_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/agent_util.h"
#include "base/strbuf.h"
#include "sys/log.h"

#define NOBODY	     ((uid_t)65534) /* also what the kernel calls users that have no number here */
#define WHAT_MAX     512
#define REFUSED_QUIET_US USEC_PER_SEC /* refusals are logged no more often */

uid_t
api_peer_uid(int fd)
{
	struct ucred c;
	socklen_t len = sizeof(c);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) == 0 && len == sizeof(c) ? c.uid : (uid_t)-1;
}

/* Its group, or one of its further groups. */
static bool
is_in_group(int fd, gid_t gid)
{
	struct ucred c;
	socklen_t len = sizeof(c), n = 0;
	gid_t *groups;
	bool found = false;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) == 0 && c.gid == gid)
		return true;
	(void)getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &n); /* ERANGE, and n is how long they are */
	groups = agent_alloc(n, 1);
	if (n > 0 && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) == 0)
		for (size_t i = 0; i < n / sizeof(*groups); i++)
			found = found || groups[i] == gid;
	free(groups);
	return found;
}

static bool
may_change(const struct api *api, const struct api_port *port, int fd, uid_t uid)
{
	if (uid == (uid_t)-1)
		return false;
	if (uid == 0 || (uid != NOBODY && (uid == geteuid() || uid == api->parent_uid)))
		return true;
	return port->has_group && is_in_group(fd, port->gid);
}

/* "drain of pg", "reload": the last word of the route and what it is about; the options as they were sent. */
static const char *
describe(const struct api_req *r, char *buf, size_t size)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(r->http);
	const char *query = uri != NULL ? evhttp_uri_get_query(uri) : NULL;
	const char *verb = strrchr(r->route->pattern, '/') + 1;
	bool about = strchr(r->route->pattern, '*') != NULL;

	snprintf(buf, size, "%s%s%.64s%s%.64s%s", verb, about ? " of " : "", about ? r->segment : "",
		 query != NULL ? " (" : "", query != NULL ? query : "", query != NULL ? ")" : "");
	for (char *p = buf; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return buf;
}

static void
refuse(struct api_req *r, const char *what, uid_t uid)
{
	const struct api_port *port = r->conn->port;
	struct api *api = r->api;
	mono_t now = loop_now(api->a->loop);
	char who[LIMIT_NAME + 64] = "root only";

	if (port->has_group)
		snprintf(who, sizeof(who), "root and members of group \"%s\"", port->group);
	if (api->refused.us == 0 || mono_since(now, api->refused) >= REFUSED_QUIET_US) {
		log_info("%s refused to uid %d: it is for %s", what, (int)uid, who);
		api->refused = now;
	}
	api_reply_error(r, 403, "not allowed", "%s is for %s: you (uid %d) may only read", what, who, (int)uid);
}

bool
api_peer_allowed(struct api_req *r)
{
	uid_t uid = api_peer_uid(r->conn->fd);
	char what[WHAT_MAX];

	describe(r, what, sizeof(what));
	if (!may_change(r->api, r->conn->port, r->conn->fd, uid)) {
		refuse(r, what, uid);
		return false;
	}
	log_info("%s asked for by uid %d", what, (int)uid);
	return true;
}
