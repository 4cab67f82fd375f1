/*
 * check_postgres.c - kind "postgres": it takes connections; with credentials also: it is a primary, or a
 * replica.
 *
 * Runs in vrrpd-agent under check.c. Each run begins as pg_isready does, with a first message and no password
 * (pg_hello.h); pgbouncer and pgpool answer in the same way. With a user name it is then asked whether it is in
 * recovery, through libpq's non-blocking interface over a connection that is kept from run to run: a login
 * costs both sides more than all the rest, and whether new ones are taken the first part has shown. A kept
 * connection that has broken is replaced once in the same run. No names are looked up (hostaddr), nothing is
 * read from a password file or from Kerberos' cache.
 */
#include "agent/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "agent/agent_util.h"
#include "agent/net_conn.h"
#include "agent/pg_hello.h"

#define QUESTION    "SELECT pg_catalog.pg_is_in_recovery()"
#define NO_USER	    "vrrpd" /* who we say we are where no user is configured; it need not exist */
#define SOCKET_NAME "/.s.PGSQL."
#define NO_FILE	    "/dev/null/none" /* instead of those in a home folder */
#define RESULTS_MAX 16		     /* of one question, which has one */

enum pg_phase { PG_IDLE, PG_SAYS_HELLO, PG_CONNECTS, PG_ASKS };

struct pg {
	struct check *check;
	enum pg_phase phase;
	struct net_conn *hello;
	PGconn *conn; /* kept between runs */
	struct loop_io *io;
	bool reused;
	bool answered; /* in_recovery is meaningful */
	bool in_recovery;
	size_t len;
	uint8_t reply[PG_HELLO_REPLY];
};

static void
hang_up(struct pg *g)
{
	loop_io_del(TAKE(g->io));
	PQfinish(TAKE(g->conn));
}

static void
end_run(struct pg *g)
{
	net_conn_close(TAKE(g->hello));
	loop_io_del(TAKE(g->io));
	g->phase = PG_IDLE;
}

/* ---- in or not in recovery ------------------------------------------------------------------- */

static void connect_anew(struct pg *g);

/* libpq's message without the words that say where it asked. */
static void
broken(struct pg *g)
{
	const char *text = g->conn != NULL ? PQerrorMessage(g->conn) : "no memory";
	const char *failed = strstr(text, "failed: ");
	char copy[LIMIT_LOG_TEXT];

	if (g->reused) {
		hang_up(g);
		connect_anew(g);
		return;
	}
	snprintf(copy, sizeof(copy), "%s", failed != NULL ? failed + strlen("failed: ") : text);
	end_run(g);
	hang_up(g);
	check_donef(g->check, false, "cannot ask for the role: %s", copy[0] != '\0' ? copy : "connection lost");
}

static void
judge_role(struct pg *g)
{
	const char *role = check_text(g->check, "role", 0);
	const char *is = g->in_recovery ? "replica" : "primary";

	end_run(g);
	if (role == NULL)
		check_donef(g->check, true, "accepts connections, %s", is);
	else if (strcmp(role, is) == 0)
		check_donef(g->check, true, "is %s", is);
	else
		check_donef(g->check, false, "is %s, not %s", is, role);
}

static void
take_result(struct pg *g, const PGresult *res)
{
	if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) != 1 || PQnfields(res) != 1)
		return;
	g->answered = true;
	g->in_recovery = strcmp(PQgetvalue(res, 0, 0), "t") == 0;
}

static void
read_answer(struct pg *g)
{
	char text[LIMIT_LOG_TEXT] = "";

	if (!PQconsumeInput(g->conn)) {
		broken(g);
		return;
	}
	for (unsigned i = 0; i < RESULTS_MAX && !PQisBusy(g->conn); i++) {
		PGresult *res = PQgetResult(g->conn);

		if (res != NULL) {
			take_result(g, res);
			if (!g->answered)
				snprintf(text, sizeof(text), "%s", PQresultErrorMessage(res));
			PQclear(res);
			continue;
		}
		if (g->answered) {
			judge_role(g);
		} else if (PQstatus(g->conn) != CONNECTION_OK) {
			broken(g);
		} else {
			end_run(g);
			hang_up(g);
			check_donef(g->check, false, "cannot ask for the role: %s", text);
		}
		return;
	}
}

static void on_pg(void *arg, int fd, bool readable, bool writable);

/* Listen to libpq's socket; it may be another one each time. */
static void
listen_to(struct pg *g, bool readable, bool writable)
{
	loop_io_del(TAKE(g->io));
	g->io = loop_io_add(check_loop(g->check), PQsocket(g->conn), on_pg, g);
	loop_io_want(g->io, readable, writable);
}

static void
ask(struct pg *g)
{
	int left;

	g->phase = PG_ASKS;
	g->answered = false;
	if (PQsetnonblocking(g->conn, 1) < 0 || !PQsendQuery(g->conn, QUESTION) ||
	    (left = PQflush(g->conn)) < 0) {
		broken(g);
		return;
	}
	listen_to(g, true, left > 0);
}

static void
on_pg(void *arg, int fd, bool readable, bool writable)
{
	struct pg *g = arg;
	int left;

	(void)fd;
	if (g->phase == PG_ASKS) {
		if (writable) {
			left = PQflush(g->conn);
			if (left < 0) {
				broken(g);
				return;
			}
			loop_io_want(g->io, true, left > 0);
		}
		if (readable)
			read_answer(g);
		return;
	}
	/* It may close its socket and open another: ours to forget first. */
	loop_io_del(TAKE(g->io));
	switch (PQconnectPoll(g->conn)) {
	case PGRES_POLLING_OK:
		ask(g);
		break;
	case PGRES_POLLING_READING:
		listen_to(g, true, false);
		break;
	case PGRES_POLLING_WRITING:
		listen_to(g, false, true);
		break;
	case PGRES_POLLING_FAILED:
	case PGRES_POLLING_ACTIVE:
		broken(g);
		break;
	}
}

/* Messages of libpq would go to standard error. */
static void
no_notice(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

/* "1.2.3.4:5432", "[::1]:5432" or "/dir/.s.PGSQL.5432" taken apart in place. False when it is none of these. */
static bool
split_address(char *text, const char **ret_host, const char **ret_hostaddr, const char **ret_port)
{
	char *at = text[0] == '/' ? strstr(text, SOCKET_NAME) : strrchr(text, ':');

	*ret_host = *ret_hostaddr = NULL;
	if (at == NULL)
		return false;
	*at = '\0';
	*ret_port = at + (text[0] == '/' ? strlen(SOCKET_NAME) : 1);
	if (text[0] == '/') {
		*ret_host = text;
	} else if (text[0] == '[') {
		text[strlen(text) - 1] = '\0';
		*ret_hostaddr = text + 1;
	} else {
		*ret_hostaddr = text;
	}
	return true;
}

/* With TLS: a certificate by `ca`, for `server_name` when there is one. Without: no encryption, and none tried.
 */
static const char *
ssl_mode(const struct check *c)
{
	if (check_text(c, "tls", 0) == NULL)
		return "disable";
	if (check_number(c, "tls.verify", 1) == 0)
		return "require";
	return check_text(c, "tls.server_name", 0) != NULL ? "verify-full" : "verify-ca";
}

static void
connect_anew(struct pg *g)
{
	const struct check *c = g->check;
	const char *database = check_text(c, "database", 0), *password = check_text(c, "password", 0);
	const char *host, *hostaddr, *port;
	char address[256];

	snprintf(address, sizeof(address), "%s", check_text(c, "address", 0));
	if (!split_address(address, &host, &hostaddr, &port)) {
		end_run(g);
		check_donef(g->check, false,
			    "%s is no socket of PostgreSQL: its name is .s.PGSQL. and a number", address);
		return;
	}
	if (hostaddr != NULL)
		host = check_text(c, "tls.server_name", 0);
	{
		const char *const keys[] = {"host",
					    "hostaddr",
					    "port",
					    "user",
					    "password",
					    "passfile",
					    "dbname",
					    "sslmode",
					    "sslrootcert",
					    "sslcert",
					    "gssencmode",
					    "connect_timeout",
					    "application_name",
					    NULL};
		const char *const values[] = {host,
					      hostaddr,
					      port,
					      check_text(c, "username", 0),
					      password != NULL ? password : "",
					      NO_FILE,
					      database != NULL ? database : "postgres",
					      ssl_mode(c),
					      check_text(c, "tls.ca", 0),
					      NO_FILE,
					      "disable",
					      "0", /* the frame bounds the time */
					      "vrrpd",
					      NULL};

		g->conn = PQconnectStartParams(keys, values, 0);
	}
	g->reused = false;
	g->phase = PG_CONNECTS;
	if (g->conn == NULL || PQstatus(g->conn) == CONNECTION_BAD) {
		broken(g);
		return;
	}
	PQsetNoticeProcessor(g->conn, no_notice, NULL);
	listen_to(g, false, true);
}

/* ---- does it take connections ---------------------------------------------------------------- */

static void
judge_hello(struct pg *g, enum pg_hello result, const char *text)
{
	net_conn_close(TAKE(g->hello));
	if (result == PG_HELLO_ACCEPTS && check_text(g->check, "username", 0) != NULL) {
		g->reused = g->conn != NULL;
		if (g->reused)
			ask(g);
		else
			connect_anew(g);
		return;
	}
	end_run(g);
	if (result == PG_HELLO_ACCEPTS)
		check_donef(g->check, true, "accepts connections");
	else if (text[0] != '\0')
		check_donef(g->check, false, "does not accept connections: %s", text);
	else
		check_donef(g->check, false, "does not answer as PostgreSQL does");
}

static void
on_hello(void *arg, enum net_event ev, const char *data, size_t n)
{
	struct pg *g = arg;
	const struct check *c = g->check;
	char text[LIMIT_CHECK_TEXT];
	enum pg_hello result;

	if (ev == NET_DATA) {
		n = MIN(n, sizeof(g->reply) - g->len);
		memcpy(g->reply + g->len, data, n);
		g->len += n;
		result = pg_hello_read(g->reply, g->len, text, sizeof(text));
		if (result != PG_HELLO_MORE)
			judge_hello(g, result, text);
	} else if (ev == NET_CLOSED) {
		end_run(g);
		if (data != NULL)
			check_donef(g->check, false, "%s: %.*s", check_text(c, "address", 0), (int)n, data);
		else
			check_donef(g->check, false, "closed the connection without an answer");
	}
}

/* ---- the frame's side ------------------------------------------------------------------------ */

static void
postgres_start(struct check *c)
{
	struct pg *g = c->priv;
	const char *user = check_text(c, "username", 0), *database = check_text(c, "database", 0);
	uint8_t buf[1024];
	int err;

	if (g == NULL) {
		g = agent_alloc(1, sizeof(*g));
		g->check = c;
		c->priv = g;
	}
	g->len = 0;
	g->phase = PG_SAYS_HELLO;
	g->hello = net_conn_open(check_loop(c), check_text(c, "address", 0), on_hello, g, &err);
	if (g->hello != NULL) {
		net_conn_send(g->hello, buf,
			      pg_hello_write(buf, sizeof(buf), user != NULL ? user : NO_USER,
					     database != NULL ? database : "postgres"));
		return;
	}
	end_run(g);
	check_donef(c, false, "%s: %s", check_text(c, "address", 0),
		    err == ENOENT ? "there is no such socket" : strerror(err));
}

static void
postgres_cancel(struct check *c, bool force)
{
	struct pg *g = c->priv;

	(void)force;
	/* Who has not answered in time is not asked again over the same connection. */
	end_run(g);
	hang_up(g);
	check_donef(c, false, "no answer");
}

static void
postgres_free(struct check *c)
{
	struct pg *g = c->priv;

	if (g == NULL)
		return;
	end_run(g);
	hang_up(g);
	free(g);
}

const struct check_ops check_postgres_ops = {
	.name = "postgres",
	.start = postgres_start,
	.cancel = postgres_cancel,
	.free = postgres_free,
};
