/*
 * check_http.c - kind "http": ask a web server for a page: its status, a text in its body, and a score.
 *
 * Runs in vrrpd-agent under check.c. Redirects are not followed: a good status is one of those that are
 * written, and a page elsewhere says nothing about this server. The first 64 KiB of the body are looked at; a
 * longer one is not waited for. What is asked and answered may hold secrets: neither gets into the result.
 */
#include "agent/check_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define HEADER "header " /* what the option `score` begins with */
#define JSON   "json "
#define NO_NUMBER "is no number from 0 to 100"

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

/* What follows the word that the option `score` begins with; NULL when that is another one. */
static const char *
after(const char *score, const char *word)
{
	return strncmp(score, word, strlen(word)) == 0 ? score + strlen(word) : NULL;
}

/* The number at a path like "load.cpu". NULL, or what is wrong with it. */
static const char *
score_in_json(const struct net_http_answer *a, const char *path, int32_t *ret)
{
	json_t *doc = a->cut ? NULL : json_loadb(a->body, a->len, 0, NULL);
	const json_t *at = doc;
	const char *wrong = NULL;
	char key[256];
	double v;

	for (size_t n; at != NULL && *path != '\0'; path += n + (path[n] == '.')) {
		n = strcspn(path, ".");
		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		at = json_object_get(at, key);
	}
	v = json_number_value(at);
	if (a->cut)
		wrong = "is not looked for, the body has more than 64 KiB";
	else if (doc == NULL)
		wrong = "is not there, the body is no JSON";
	else if (at == NULL)
		wrong = "is missing";
	else if (!json_is_number(at) || v < 0 || v > 100)
		wrong = NO_NUMBER;
	else
		*ret = (int32_t)(v * SCORE_POINT + 0.5);
	json_decref(doc);
	return wrong;
}

/* The answer is good, `more` says why; a score that is wanted must be there, too. */
static void
tell_good(struct check *c, const struct net_http_answer *a, const char *more)
{
	const char *source = check_text(c, "score", 0), *path, *wrong = NULL;
	char text[SCORE_TEXT];
	int32_t score = 0;

	if (source == NULL) {
		check_donef(c, true, "status %d%s", a->status, more);
		return;
	}
	path = after(source, JSON);
	if (path != NULL)
		wrong = score_in_json(a, path, &score);
	else if (a->header == NULL)
		wrong = "is missing";
	else if (!score_parse(a->header, &score))
		wrong = NO_NUMBER;
	if (wrong != NULL) {
		check_donef(c, false, "status %d, but %.60s %s", a->status, source, wrong);
		return;
	}
	check_set_score(c, score);
	check_donef(c, true, "status %d%s, %.60s %s", a->status, more, path != NULL ? path : after(source, HEADER),
		    score_format(score, text));
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
		tell_good(c, a, "");
	else if (memmem(a->body, a->len, body, strlen(body)) != NULL)
		tell_good(c, a, ", the body holds the text");
	else
		check_donef(c, false, "status %d, but %s the text", a->status,
			    a->cut ? "the body's first 64 KiB do not hold" : "the body does not hold");
}

static void
http_start(struct check *c)
{
	const char *score = check_text(c, "score", 0);
	struct net_http_ask ask;

	if (c->priv == NULL) {
		check_http_ask(c, &ask);
		ask.want_header = score != NULL ? after(score, HEADER) : NULL;
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
