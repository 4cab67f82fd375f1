/*
 * redis_peer.c - ask a Redis or a Sentinel; see redis_peer.h. Runs in vrrpd-agent under check_redis.c,
 * check_sentinel.c, redis_votes.c and store_sentinel.c.
 *
 * Sources: the pages "AUTH" and "ACL" of Redis' documentation (forms of AUTH, its errors), its networking code
 * for errors that come unasked. A connection serves the runs of some seconds, which costs a fifth of a new one
 * for each; but not for ever, so that a server that lets nobody in any more is noticed. Over TLS, where a new
 * one costs both sides milliseconds, it serves a minute. One that was closed between two runs says nothing.
 *
 * The server's text is never shown where it might repeat the password: servers that do not know AUTH do so.
 */
#include "agent/redis_peer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_util.h"
#include "base/strbuf.h"

#define KEEP_US	    (10 * USEC_PER_SEC)
#define KEEP_TLS_US (60 * USEC_PER_SEC)

struct redis_peer {
	struct loop *loop;
	const struct check_def *options;
	const char *what, *endpoint;
	enum redis_login login;
	redis_peer_fn *fn;
	redis_push_fn *push; /* NULL: nothing is subscribed to */
	void *arg;
	bool has_tls;
	struct net_tls_conf tls;
	struct net_resp *conn;
	mono_t opened;
	bool logged_in;
	bool in_auth;	/* the next reply is that to AUTH */
	bool reused;	/* the connection is an old one and has not answered yet */
	unsigned n, at; /* commands, replies to them so far; equal: nothing is asked */
	struct redis_command commands[REDIS_COMMANDS_MAX];
};

static void open_and_send(struct redis_peer *p);

static void
hang_up(struct redis_peer *p)
{
	net_resp_close(TAKE(p->conn));
	p->n = p->at = 0;
}

static void fail(struct redis_peer *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
fail(struct redis_peer *p, const char *fmt, ...)
{
	char text[LIMIT_LOG_TEXT];
	unsigned at = p->at;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	hang_up(p);
	p->fn(p->arg, at, NULL, text);
}

/* ---- sentences --------------------------------------------------------------------------------- */

struct sentence {
	const char *code; /* how the error begins */
	const char *text; /* what it means, after the server's name */
};

static const struct sentence sentences[] = {
	{"LOADING ", "is loading its data"},
	{"MASTERDOWN ", "is a replica that lost its master and refuses to serve stale data"},
	{"BUSY ", "is kept busy by a script"},
	{"MISCONF ", "refuses writes: it cannot save its data"},
	{"DENIED ", "is in protected mode and refuses clients of other hosts"},
	{"ERR max number of clients", "has no room for another client (maxclients)"},
	{"ERR This instance has cluster support disabled", "is no node of a cluster"},
	{"ERR No such master with that name", "knows no master of this name"},
};

/* What is wrong with the credentials. */
static const char *
wrong_login(const struct check_def *options, const char *what, char *buf, size_t size)
{
	const char *user = check_def_text(options, "username", 0);

	if (user != NULL)
		snprintf(buf, size, "%s does not let user \"%.40s\" in: wrong password, or no such user", what,
			 user);
	else
		snprintf(buf, size, "%s says that the password is wrong", what);
	return buf;
}

const char *
redis_error_text(const struct check_def *options, const char *what, const char *command, const struct resp_value *v,
		 char *buf, size_t size)
{
	const char *text = resp_text(v), *user = check_def_text(options, "username", 0);

	if (resp_is_error(v, "NOAUTH") && check_def_text(options, "password", 0) != NULL)
		return wrong_login(options, what, buf, size);
	if (resp_is_error(v, "NOAUTH"))
		snprintf(buf, size, "%s wants a password (option password_file)", what);
	else if (resp_is_error(v, "NOPERM"))
		snprintf(buf, size, "%s does not let user \"%.40s\" run %s (ACL SETUSER)", what,
			 user != NULL ? user : "default", command);
	else if (!resp_is_error(v, NULL))
		snprintf(buf, size, "%s gives no sensible answer to %s", what, command);
	else
		snprintf(buf, size, "%s answers to %s: %.60s", what, command, text);
	for (size_t i = 0; resp_is_error(v, NULL) && i < ARRAY_SIZE(sentences); i++)
		if (strncmp(text, sentences[i].code, strlen(sentences[i].code)) == 0)
			snprintf(buf, size, "%s %s", what, sentences[i].text);
	return buf;
}

/* ---- the connection ---------------------------------------------------------------------------- */

static void
send_all(struct redis_peer *p, bool auth)
{
	const char *user = check_def_text(p->options, "username", 0), *password = check_def_text(p->options, "password", 0);
	const char *words[3] = {"AUTH"};
	unsigned n = 1;

	if (auth) {
		if (user != NULL)
			words[n++] = user;
		words[n++] = password != NULL ? password : "";
		net_resp_add(p->conn, words, n);
		p->in_auth = true;
	}
	for (unsigned i = 0; i < p->n; i++)
		net_resp_add(p->conn, p->commands[i].words, p->commands[i].n);
	net_resp_flush(p->conn);
}

/* A user without password (nopass) logs in with any. */
static bool
has_login(const struct redis_peer *p)
{
	return check_def_text(p->options, "username", 0) != NULL || check_def_text(p->options, "password", 0) != NULL;
}

/* The reply to AUTH. False when that was the end. */
static bool
take_auth(struct redis_peer *p, const struct resp_value *v)
{
	char text[LIMIT_LOG_TEXT];

	p->in_auth = false;
	/* The server needs no password: then it may as well have none. */
	if ((v->type == RESP_STATUS && strcmp(v->text, "OK") == 0) ||
	    strncmp(resp_text(v), "ERR AUTH <password> called without any password configured", 58) == 0 ||
	    strcmp(resp_text(v), "ERR Client sent AUTH, but no password is set") == 0) {
		p->logged_in = true;
		return true;
	}
	if (resp_is_error(v, "WRONGPASS") || resp_is_error(v, "NOAUTH") ||
	    strcmp(resp_text(v), "ERR invalid password") == 0)
		fail(p, "%s", wrong_login(p->options, p->what, text, sizeof(text)));
	else if (resp_is_error(v, "DENIED") || resp_is_error(v, "LOADING") || resp_is_error(v, "BUSY") ||
		 strncmp(resp_text(v), "ERR max number of clients", 25) == 0)
		fail(p, "%s", redis_error_text(p->options, p->what, "AUTH", v, text, sizeof(text)));
	else if (strncmp(resp_text(v), "ERR wrong number of arguments", 29) == 0)
		fail(p, "%s is older than version 6 and knows no users: leave out username", p->what);
	else
		fail(p, "%s gives no sensible answer to AUTH", p->what);
	return false;
}

/* Redis' page "Pub/Sub": what was published comes as such an array, between the replies. */
static bool
is_message(const struct resp_value *v)
{
	const char *kind = resp_text(resp_item(v, 0));

	return strcmp(kind, "message") == 0 || strcmp(kind, "pmessage") == 0;
}

static void
take_reply(struct redis_peer *p, const struct resp_value *v)
{
	unsigned i = p->at;

	p->reused = false;
	if (p->push != NULL && is_message(v)) {
		p->push(p->arg, v);
		return;
	}
	if (p->in_auth) {
		(void)take_auth(p, v);
		return;
	}
	if (p->at == p->n) { /* nothing was asked: an error, or the end of another's answer */
		hang_up(p);
		return;
	}
	if (i == 0 && resp_is_error(v, "NOAUTH") && !p->logged_in && p->login == REDIS_LOGIN_WHEN_ASKED &&
	    has_login(p)) {
		p->logged_in = true; /* or it fails */
		send_all(p, true);
		return;
	}
	p->at++;
	if (p->at == p->n && v->type == RESP_ERROR)
		hang_up(p); /* before the call, which may ask anew; the reply lives until its end */
	p->fn(p->arg, i, v, NULL);
}

static void
on_resp(void *arg, const struct resp_value *v, const char *wrong)
{
	struct redis_peer *p = arg;
	bool closed;

	if (v != NULL) {
		take_reply(p, v);
		return;
	}
	if (p->at == p->n) {
		hang_up(p);
		return;
	}
	if (p->reused) { /* it was closed meanwhile: that says nothing */
		net_resp_close(TAKE(p->conn));
		open_and_send(p);
		return;
	}
	closed = wrong == NULL || strcmp(wrong, strerror(ECONNRESET)) == 0;
	fail(p, "%s on %s: %s%s", p->what, p->endpoint, wrong != NULL ? wrong : "closed the connection",
	     closed && p->at == 0 && !p->has_tls ? " (does it want TLS?)" : "");
}

static void
open_and_send(struct redis_peer *p)
{
	const char *wrong;

	p->logged_in = p->in_auth = p->reused = false;
	p->opened = loop_now(p->loop);
	p->conn = net_resp_open(p->loop, p->endpoint, p->has_tls ? &p->tls : NULL, on_resp, p, &wrong);
	if (p->conn == NULL)
		fail(p, "%s on %s: %s", p->what, p->endpoint, wrong);
	else
		send_all(p, has_login(p) && p->login == REDIS_LOGIN_FIRST);
}

void
redis_peer_ask(struct redis_peer *p, const struct redis_command *commands, unsigned n)
{
	usec_t keep = p->has_tls ? KEEP_TLS_US : KEEP_US;
	mono_t now = loop_now(p->loop);

	ASSERT(n > 0 && n <= REDIS_COMMANDS_MAX);
	ASSERT(n == 1 || p->login == REDIS_LOGIN_FIRST);
	if (p->conn != NULL && (p->at < p->n || (p->push == NULL && mono_since(now, p->opened) > keep)))
		hang_up(p);
	memcpy(p->commands, commands, n * sizeof(*commands));
	p->n = n;
	p->at = 0;
	if (p->conn == NULL) {
		open_and_send(p);
		return;
	}
	p->reused = true;
	send_all(p, false);
}

void
redis_peer_stop(struct redis_peer *p)
{
	if (p->at < p->n)
		hang_up(p);
}

static void
set_tls(struct redis_peer *p)
{
	const struct check_def *options = p->options;

	p->has_tls = check_def_number(options, "tls", 0) != 0;
	p->tls = (struct net_tls_conf){
		.ca = check_def_text(options, "tls.ca", 0),
		.cert = check_def_text(options, "tls.cert", 0),
		.key_pem = check_def_text(options, "tls.key", 0),
		.server_name = check_def_text(options, "tls.server_name", 0),
		.verify = check_def_number(options, "tls.verify", 1) != 0,
	};
}

struct redis_peer *
redis_peer_new(struct loop *l, const struct check_def *options, const char *what, const char *endpoint,
	       enum redis_login login, redis_peer_fn *fn, void *arg)
{
	struct redis_peer *p = agent_alloc(1, sizeof(*p));

	*p = (struct redis_peer){.loop = l, .options = options, .what = what, .endpoint = endpoint, .login = login,
				 .fn = fn, .arg = arg};
	set_tls(p);
	return p;
}

void
redis_peer_on_push(struct redis_peer *p, redis_push_fn *fn)
{
	p->push = fn;
}

void
redis_peer_free(struct redis_peer *p)
{
	if (p == NULL)
		return;
	net_resp_close(p->conn);
	free(p);
}
