/*
 * check_http.c - kind "http": ask a web server for a page: its status, and a text in its body.
 *
 * Runs in vrrpd-agent under check.c. Redirects are not followed: a good status is one of those that are
 * written, and a page elsewhere says nothing about this server. The first 64 KiB of the body are looked at; a
 * longer one is not waited for. What is asked and answered may hold secrets: neither gets into the result.
 */
#include "agent/check_http.h"

#include <stdlib.h>
#include <string.h>

void
check_http_ask(const struct check *c, struct net_http_ask *ret)
{
	*ret = (struct net_http_ask){
		.url = check_text(c, "url", 0),
		.username = check_text(c, "username", 0),
		.password = check_text(c, "password", 0),
		.tls = check_text(c, "tls", 0) != NULL,
		.no_verify = check_number(c, "tls.verify", 1) == 0,
		.ca = check_text(c, "tls.ca", 0),
		.cert = check_text(c, "tls.cert", 0),
		.key_pem = check_text(c, "tls.key", 0),
		.server_name = check_text(c, "tls.server_name", 0),
	};
}

/* Is the status in a set like "200-299,404"? The configuration's rules have seen to its form. */
static bool
status_is_good(const char *set, int status)
{
	char *end;

	for (;; set = end + 1) {
		long low = strtol(set, &end, 10), high = low;

		if (*end == '-')
			high = strtol(end + 1, &end, 10);
		if (status >= low && status <= high)
			return true;
		if (*end != ',')
			return false;
	}
}

static void
judge(void *arg, const struct net_http_answer *a)
{
	struct check *c = arg;
	const char *set = check_text(c, "status", 0), *body = check_text(c, "body", 0);

	if (a->error != NULL)
		check_donef(c, false, "no answer: %s", a->error);
	else if (!status_is_good(set != NULL ? set : "200-299", a->status))
		check_donef(c, false, "status %d, wanted %s%s", a->status, set != NULL ? set : "200-299",
			    a->status / 100 == 3 ? " (redirects are not followed)" : "");
	else if (body == NULL)
		check_donef(c, true, "status %d", a->status);
	else if (memmem(a->body, a->len, body, strlen(body)) != NULL)
		check_donef(c, true, "status %d, the body holds the text", a->status);
	else
		check_donef(c, false, "status %d, but %s the text", a->status,
			    a->cut ? "the body's first 64 KiB do not hold" : "the body does not hold");
}

static void
http_start(struct check *c)
{
	struct net_http_ask ask;

	if (c->priv == NULL) {
		check_http_ask(c, &ask);
		ask.method = check_text(c, "method", 0);
		c->priv = net_http_req_new(check_net_http(c), &ask, judge, c);
	}
	net_http_send(c->priv);
}

static void
http_cancel(struct check *c, bool force)
{
	(void)force;
	net_http_cancel(c->priv);
	check_donef(c, false, "no answer");
}

static void
http_free(struct check *c)
{
	net_http_req_free(c->priv);
}

const struct check_ops check_http_ops = {
	.name = "http",
	.start = http_start,
	.cancel = http_cancel,
	.free = http_free,
};
