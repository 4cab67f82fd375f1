/*
 * check_haproxy.c - kind "haproxy": ask the stats socket: alive and not stopping, backends with servers,
 * frontends open.
 *
 * Runs in vrrpd-agent under check.c. One connection per run: an old worker after a reload, or a hung process,
 * cannot answer for the present one. Only the rows that matter are asked for. HAProxy calls a backend without
 * any server UP (management guide, 9.1), so active and backup servers are counted. During a reload the socket
 * may refuse for some milliseconds: then it is asked once more before that is a failure.
 */
#include "agent/check.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_util.h"
#include "agent/net_conn.h"
#include "base/strbuf.h"

#define REPLY_FIRST  (16 * 1024)
#define REPLY_MAX    (2 * 1024 * 1024) /* octets of an answer: the rows of some 4000 servers */
#define ASK_AGAIN_US (100 * USEC_PER_MS)
#define COMMAND_MAX  16384
#define FIELDS_MAX                                                                                             \
	32 /* of a row, from its beginning: all that is looked at is among the first 21 (management            \
	      guide, 9.1) */

struct haproxy {
	struct check *check;
	struct net_conn *conn;
	struct loop_timer *again;
	bool asked_again;
	size_t len, size;
	char *reply; /* grows as the answer does */
};

/* One row of "show stat", its fields by the names of the header. */
struct row {
	unsigned n_names, n;
	char *names[FIELDS_MAX], *fields[FIELDS_MAX];
};

static void ask(struct haproxy *h);

static void
finish(struct haproxy *h, bool up, const char *text)
{
	net_conn_close(TAKE(h->conn));
	loop_timer_set(h->again, MONO_NEVER);
	check_done(h->check, up, text, strlen(text));
}

/* ---- the answer
 * ------------------------------------------------------------------------------------------------ */

/* The value of a line "name: value" of show info, cut out of the text in place; NULL when there is none. */
static const char *
info_value(const char *reply, const char *name, char *buf, size_t size)
{
	size_t len = strlen(name);

	for (const char *p = reply; p != NULL; p = strchr(p, '\n'), p = p != NULL ? p + 1 : NULL) {
		if (*p != *name || strncmp(p, name, len) != 0 || p[len] != ':')
			continue;
		p += len + 1;
		p += strspn(p, " ");
		snprintf(buf, size, "%.*s", (int)strcspn(p, "\r\n"), p);
		return buf;
	}
	return NULL;
}

/* Split one line of CSV in place; a field is quoted when it holds a comma or a quote. How many fields. */
static unsigned
split_csv(char *line, char **ret)
{
	unsigned n = 0;
	char *p = line;

	while (n < FIELDS_MAX) {
		char *to = p;
		bool quoted = *p == '"';

		ret[n++] = p;
		if (quoted)
			p++;
		while (*p != '\0' && (quoted || *p != ',')) {
			if (quoted && *p == '"') {
				if (p[1] != '"') {
					quoted = false;
					p++;
					continue;
				}
				p++;
			}
			*to++ = *p++;
		}
		if (*p == '\0') {
			*to = '\0';
			return n;
		}
		p++;
		*to = '\0';
	}
	return n;
}

static const char *
field(const struct row *r, const char *name)
{
	for (unsigned i = 0; i < r->n_names && i < r->n; i++)
		if (strcmp(r->names[i], name) == 0)
			return r->fields[i];
	return "";
}

/* A number of things; what is none is 0. */
static long
count(const struct row *r, const char *name)
{
	long n = strtol(field(r, name), NULL, 10);

	return MAX(0, MIN(n, INT_MAX));
}

/* What is wrong with one backend's row, or NULL; adds to the line for people. Its servers came before it. */
static const char *
judge_backend(const struct check *c, const struct row *r, unsigned servers, struct strbuf *line)
{
	int64_t up = (int64_t)count(r, "act") + count(r, "bck");
	int64_t queue = count(r, "qcur");
	int64_t max_queue = check_number(c, "max_queue", 0);

	strbuf_addf(line, "%s%lld of %u server%s up in %s", line->len > 0 ? ", " : "", (long long)up, servers,
		    servers == 1 ? "" : "s", field(r, "pxname"));
	if (strncmp(field(r, "status"), "DOWN", 4) == 0)
		return "is DOWN";
	if (up < check_number(c, "min_servers", 1))
		return "has too few servers up";
	if (max_queue > 0 && queue > max_queue)
		return "has too many requests waiting";
	return NULL;
}

/* Is `name` among the values of an option? */
static bool
is_wanted(const struct check *c, const char *option, const char *name, unsigned *ret_index)
{
	const char *v;

	for (unsigned i = 0; (v = check_text(c, option, i)) != NULL; i++) {
		if (strcmp(v, name) != 0)
			continue;
		*ret_index = i;
		return true;
	}
	return false;
}

struct judgement {
	struct strbuf *line;	      /* what is good */
	struct strbuf *bad;	      /* what is not */
	uint64_t backends, frontends; /* bit per wanted one that has answered (at most 64 of each) */
	unsigned servers;	      /* rows since the last proxy's own */
};

static void
judge_row(const struct check *c, const struct row *r, struct judgement *j)
{
	const char *proxy = field(r, "pxname"), *server = field(r, "svname");
	const char *wrong;
	unsigned at;

	if (strcmp(server, "BACKEND") == 0 && is_wanted(c, "backends", proxy, &at)) {
		j->backends |= (uint64_t)1 << at;
		wrong = judge_backend(c, r, j->servers, j->line);
		if (wrong != NULL)
			strbuf_addf(j->bad, "%sbackend %s %s", j->bad->len > 0 ? ", " : "", proxy, wrong);
	} else if (strcmp(server, "FRONTEND") == 0 && is_wanted(c, "frontends", proxy, &at)) {
		j->frontends |= (uint64_t)1 << at;
		if (strncmp(field(r, "status"), "OPEN", 4) != 0)
			strbuf_addf(j->bad, "%sfrontend %s is %s", j->bad->len > 0 ? ", " : "", proxy,
				    field(r, "status"));
	}
}

/* A server is only counted: is this row of a proxy itself? (Names of proxies and servers hold no comma.) */
static bool
is_of_proxy(const char *line)
{
	const char *server = strchr(line, ',');

	return server != NULL && (strncmp(server, ",BACKEND,", 9) == 0 || strncmp(server, ",FRONTEND,", 10) == 0);
}

/* Every row of every "show stat" in the answer. */
static void
judge_rows(const struct check *c, char *reply, struct judgement *j)
{
	struct row r = {0};
	char *save = NULL;

	for (char *line = strtok_r(reply, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "# pxname", 8) == 0) {
			r.n_names = split_csv(line + 2, r.names);
			j->servers = 0;
		} else if (r.n_names > 0 && is_of_proxy(line)) {
			r.n = split_csv(line, r.fields);
			judge_row(c, &r, j);
		} else if (strchr(line, ',') != NULL) {
			j->servers++;
		}
	}
}

static void
tell_missing(const struct check *c, const char *option, const char *what, uint64_t seen, struct strbuf *bad)
{
	const char *v;

	for (unsigned i = 0; (v = check_text(c, option, i)) != NULL; i++)
		if ((seen & (uint64_t)1 << i) == 0)
			strbuf_addf(bad, "%sHAProxy has no %s %s", bad->len > 0 ? ", " : "", what, v);
}

static void
judge(struct haproxy *h)
{
	const struct check *c = h->check;
	char good_text[LIMIT_LOG_TEXT] = "", bad_text[LIMIT_LOG_TEXT] = "", value[64];
	struct strbuf good, bad;
	struct judgement j = {.line = &good, .bad = &bad};
	const char *v;

	strbuf_init(&good, good_text, sizeof(good_text));
	strbuf_init(&bad, bad_text, sizeof(bad_text));
	h->reply[h->len] = '\0';
	if (info_value(h->reply, "Pid", value, sizeof(value)) == NULL) {
		strbuf_addf(&bad, "no answer that can be understood: %.80s",
			    h->len > 0 ? h->reply : "(nothing)");
		finish(h, false, bad_text);
		return;
	}
	v = info_value(h->reply, "Stopping", value, sizeof(value));
	if (v != NULL && strcmp(v, "0") != 0)
		strbuf_addf(&bad, "HAProxy is stopping");
	v = info_value(h->reply, "Idle_pct", value, sizeof(value));
	if (v != NULL && strtol(v, NULL, 10) < check_number(c, "min_idle", 0))
		strbuf_addf(&bad, "%sHAProxy is only %s %% idle", bad.len > 0 ? ", " : "", v);
	judge_rows(c, h->reply, &j);
	tell_missing(c, "backends", "backend", j.backends, &bad);
	tell_missing(c, "frontends", "frontend", j.frontends, &bad);
	if (good.len == 0)
		strbuf_addf(&good, "HAProxy answers");
	if (bad.len > 0 && j.backends != 0)
		strbuf_addf(&bad, " (%s)", good_text);
	finish(h, bad.len == 0, bad.len > 0 ? bad_text : good_text);
}

/* ---- the question
 * ---------------------------------------------------------------------------------------------- */

/* One line of commands: info, and the rows of each proxy that matters (types 1 frontend, 2 backend, 4 server). */
static void
send_question(struct haproxy *h)
{
	char text[COMMAND_MAX];
	struct strbuf b;
	const char *v;

	strbuf_init(&b, text, sizeof(text));
	strbuf_addf(&b, "show info");
	for (unsigned i = 0; (v = check_text(h->check, "backends", i)) != NULL; i++)
		strbuf_addf(&b, ";show stat %s 6 -1", v);
	for (unsigned i = 0; (v = check_text(h->check, "frontends", i)) != NULL; i++)
		strbuf_addf(&b, ";show stat %s 1 -1", v);
	strbuf_addf(&b, "\n");
	net_conn_send(h->conn, text, b.len);
}

static void
refused(struct haproxy *h, const char *why)
{
	const char *socket = check_text(h->check, "socket", 0);
	char text[LIMIT_LOG_TEXT];

	if (!h->asked_again) {
		h->asked_again = true;
		net_conn_close(TAKE(h->conn));
		loop_timer_set(h->again, mono_add(loop_now(check_loop(h->check)), ASK_AGAIN_US));
		return;
	}
	snprintf(text, sizeof(text), "HAProxy does not answer on %s: %s", socket, why);
	finish(h, false, text);
}

/* A piece of the answer; false when it is too long. */
static bool
take(struct haproxy *h, const char *data, size_t n)
{
	if (h->len + n > REPLY_MAX)
		return false;
	while (h->len + n >= h->size) {
		h->size *= 2;
		h->reply = realloc(h->reply, h->size);
		ASSERT(h->reply != NULL);
	}
	memcpy(h->reply + h->len, data, n);
	h->len += n;
	return true;
}

static void
on_event(void *arg, enum net_event ev, const char *data, size_t n)
{
	struct haproxy *h = arg;

	if (ev == NET_DATA) {
		if (!take(h, data, n))
			finish(h, false, "the answer is longer than 2 MiB");
	} else if (ev == NET_CLOSED && data != NULL) {
		refused(h, data);
	} else if (ev == NET_CLOSED) {
		judge(h);
	}
}

static void
ask(struct haproxy *h)
{
	int err;

	h->len = 0;
	h->conn = net_conn_open(check_loop(h->check), check_text(h->check, "socket", 0), on_event, h, &err);
	if (h->conn != NULL)
		send_question(h);
	else
		refused(h, err == ENOENT ? "there is no such socket" : strerror(err));
}

static void
on_again(void *arg, mono_t now)
{
	(void)now;
	ask(arg);
}

/* ---- the frame's side
 * ------------------------------------------------------------------------------------------ */

static void
haproxy_start(struct check *c)
{
	struct haproxy *h = c->priv;

	if (h == NULL) {
		h = agent_alloc(1, sizeof(*h));
		h->check = c;
		h->size = REPLY_FIRST;
		h->reply = agent_alloc(h->size, 1);
		h->again = loop_timer_add(check_loop(c), on_again, h);
		c->priv = h;
	}
	h->asked_again = false;
	ask(h);
}

static void
haproxy_cancel(struct check *c, bool force)
{
	(void)force;
	finish(c->priv, false, "no answer");
}

static void
haproxy_free(struct check *c)
{
	struct haproxy *h = c->priv;

	if (h == NULL)
		return;
	net_conn_close(h->conn);
	loop_timer_del(h->again);
	free(h->reply);
	free(h);
}

const struct check_ops check_haproxy_ops = {
	.name = "haproxy",
	.start = haproxy_start,
	.cancel = haproxy_cancel,
	.free = haproxy_free,
};
