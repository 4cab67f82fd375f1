/*
 * test_check_redis.c - the kinds redis and sentinel against servers that this process plays in the same loop.
 *
 * Every answer is sent whole and octet by octet. The real Redis is asked in tests/netns; here are the answers
 * that it rarely gives, and some that only something else gives.
 */
#include "agent/check.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/redis_self.h"
#include "base/strbuf.h"
#include "sys/clock.h"

#define MS	      USEC_PER_MS
#define WAIT_MAX_US   (20 * USEC_PER_SEC) /* far beyond anything here, for a busy machine */
#define SERVERS	      4
#define ANSWERS	      4
#define OPTIONS_MAX   16
#define CONNS_MAX     8
#define MASTER	      "*3\r\n$6\r\nmaster\r\n:3129659\r\n*0\r\n"
#define REPLICA(link) "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:6379\r\n" link "\r\n:3167038\r\n"
#define NAME(ip)      "*2\r\n" ip "\r\n$4\r\n6379\r\n"
#define US	      NAME("$8\r\n10.0.0.1")
#define OTHER	      NAME("$8\r\n10.0.0.2")

struct server {
	struct env *env;
	char path[96];
	int listener;
	struct loop_io *io;
	const char *answers[ANSWERS]; /* to the first request, the second, ...; NULL: none */
	size_t lengths[ANSWERS];      /* 0: as long as the text */
	bool hang_up;		      /* after an answer */
	unsigned requests, connections;
	char asked[4096];
	struct conn {
		struct server *server;
		int fd;
		struct loop_io *io;
		const char *left;
		size_t n;
		bool empty; /* the answer is: hang up without one */
	} conns[CONNS_MAX];
};

struct env {
	struct loop *loop;
	struct checks *checks;
	struct loop_timer *tick;
	mono_t deadline;
	bool late;
	bool piecewise;
	unsigned reports, wanted;
	char dir[64];
	struct server servers[SERVERS];
	struct check_option options[OPTIONS_MAX];
	struct check_def def;
};

/* ---- the servers ----------------------------------------------------------------------------- */

static void
drop(struct conn *c)
{
	loop_io_del(TAKE(c->io));
	close(c->fd);
	c->fd = -1;
}

static void
take_request(struct conn *c)
{
	struct server *s = c->server;
	char buf[4096];
	ssize_t n = recv(c->fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);
	struct strbuf b;

	if (n <= 0) {
		drop(c);
		return;
	}
	buf[n] = '\0';
	strbuf_init(&b, s->asked + strlen(s->asked), sizeof(s->asked) - strlen(s->asked));
	strbuf_addf(&b, "%s", buf);
	assert_true(s->requests < ANSWERS);
	c->left = s->answers[s->requests];
	c->n = s->lengths[s->requests] != 0 ? s->lengths[s->requests] : c->left != NULL ? strlen(c->left) : 0;
	c->empty = c->left != NULL && c->n == 0;
	s->requests++;
}

static void
on_conn(void *arg, int fd, bool readable, bool writable)
{
	struct conn *c = arg;
	size_t n;
	ssize_t sent;

	(void)writable;
	if (readable)
		take_request(c);
	if (c->fd < 0)
		return;
	n = c->server->env->piecewise ? MIN(c->n, 1) : c->n;
	sent = n > 0 ? send(fd, c->left, n, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	if (sent > 0) {
		c->left += sent;
		c->n -= (size_t)sent;
	}
	if (c->n == 0 && c->left != NULL && (c->server->hang_up || c->empty))
		drop(c);
	else
		loop_io_want(c->io, true, c->n > 0);
}

static void
on_listener(void *arg, int fd, bool readable, bool writable)
{
	struct server *s = arg;

	(void)readable;
	(void)writable;
	for (unsigned i = 0; i < CONNS_MAX; i++) {
		struct conn *c = &s->conns[i];

		if (c->io != NULL)
			continue;
		*c = (struct conn){.server = s, .fd = accept(fd, NULL, NULL)};
		assert_true(c->fd >= 0);
		c->io = loop_io_add(s->env->loop, c->fd, on_conn, c);
		s->connections++;
		return;
	}
	fail_msg("more than %d connections at once", CONNS_MAX);
}

static void
listen_on(struct env *e, struct server *s, unsigned i)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	*s = (struct server){.env = e};
	snprintf(s->path, sizeof(s->path), "%s/%u.sock", e->dir, i);
	str_copy(sa.sun_path, sizeof(sa.sun_path), s->path);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(s->path);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(s->listener, 16), 0);
	s->io = loop_io_add(e->loop, s->listener, on_listener, s);
}

/* ---- one check ------------------------------------------------------------------------------- */

static void
on_report(void *arg, const struct check *c)
{
	struct env *e = arg;

	(void)c;
	if (++e->reports == e->wanted)
		loop_stop(e->loop);
}

static void
on_tick(void *arg, mono_t now)
{
	struct env *e = arg;

	e->late = mono_due(now, e->deadline);
	if (e->late)
		loop_stop(e->loop);
	loop_timer_set(e->tick, mono_add(now, 20 * MS));
}

static void
option(struct env *e, const char *path, const char *text)
{
	struct check_option *o = &e->options[e->def.conf.n_options++];

	assert_true(e->def.conf.n_options <= OPTIONS_MAX);
	str_copy(o->path, sizeof(o->path), path);
	o->text = strdup(text);
}

/* An environment for one check of a kind at server 0. */
static struct env *
begin(enum ipc_check_kind kind)
{
	struct env *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	snprintf(e->dir, sizeof(e->dir), "/tmp/vrrpd-test-redis-%d-XXXXXX", (int)getpid());
	assert_non_null(mkdtemp(e->dir));
	e->loop = loop_new();
	e->tick = loop_timer_add(e->loop, on_tick, e);
	e->checks = checks_new(e->loop, on_report, e);
	for (unsigned i = 0; i < SERVERS; i++)
		listen_on(e, &e->servers[i], i);
	e->def.conf = (struct ipc_conf_check){
		.kind = (uint8_t)kind, .interval_us = 5000 * MS, .timeout_us = 5000 * MS, .rise = 1, .fall = 1};
	str_copy(e->def.conf.name, sizeof(e->def.conf.name), "redis");
	e->def.options = e->options;
	option(e, "address", e->servers[0].path);
	return e;
}

static void
run(struct env *e, unsigned reports)
{
	e->wanted = reports;
	checks_configure(e->checks, "node-1", &e->def, 1);
	e->deadline = mono_add(clock_mono(), WAIT_MAX_US);
	loop_timer_set(e->tick, clock_mono());
	assert_int_equal(loop_run(e->loop), 0);
	assert_false(e->late);
}

static const struct check *
check_of(struct env *e)
{
	return checks_get(e->checks, 0);
}

static void
end(struct env *e)
{
	char command[128];

	checks_free(e->checks);
	for (unsigned i = 0; i < SERVERS; i++) {
		struct server *s = &e->servers[i];

		loop_io_del(s->io);
		close(s->listener);
		for (unsigned k = 0; k < CONNS_MAX; k++)
			if (s->conns[k].io != NULL)
				drop(&s->conns[k]);
	}
	for (unsigned i = 0; i < e->def.conf.n_options; i++)
		free(e->options[i].text);
	loop_timer_del(e->tick);
	loop_free(e->loop);
	snprintf(command, sizeof(command), "rm -rf %s", e->dir);
	assert_int_equal(system(command), 0);
	free(e);
}

struct row {
	const char *options; /* "role=master password=x"; hang_up=1: the server does, after its answer */
	const char *answers[ANSWERS];
	bool up;
	const char *line;
};

static void
set_options(struct env *e, const char *text)
{
	char buf[512], *save = NULL;

	str_copy(buf, sizeof(buf), text != NULL ? text : "");
	for (char *word = strtok_r(buf, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		char *value = strchr(word, '=');

		assert_non_null(value);
		*value++ = '\0';
		if (strcmp(word, "hang_up") == 0)
			e->servers[0].hang_up = true;
		else
			option(e, word, value);
	}
}

static void
try_row(const struct row *row, enum ipc_check_kind kind, bool piecewise)
{
	struct env *e = begin(kind);

	set_options(e, row->options);
	for (unsigned i = 0; i < ANSWERS; i++)
		e->servers[0].answers[i] = row->answers[i];
	e->piecewise = piecewise;
	run(e, 1);
	if (strcmp(check_of(e)->last, row->line) != 0)
		print_error("answer \"%.60s\"%s\n", row->answers[0], piecewise ? ", octet by octet" : "");
	assert_string_equal(check_of(e)->last, row->line);
	assert_int_equal(check_of(e)->state, row->up ? IPC_CHECK_UP : IPC_CHECK_DOWN);
	end(e);
}

static void
try_rows(const struct row *rows, size_t n, enum ipc_check_kind kind)
{
	for (size_t i = 0; i < n; i++) {
		try_row(&rows[i], kind, false);
		try_row(&rows[i], kind, true);
	}
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void
test_roles(void **state)
{
	static const struct row rows[] = {
		{"", {"+PONG\r\n" MASTER}, true, "role master"},
		{"role=master", {"+PONG\r\n" MASTER}, true, "role master"},
		{"role=replica", {"+PONG\r\n" MASTER}, false, "role master, not replica"},
		{"role=replica", {"+PONG\r\n" REPLICA("$9\r\nconnected")}, true, "role replica"},
		{"", {"+PONG\r\n" REPLICA("$9\r\nconnected")}, true, "role replica"},
		{"role=master", {"+PONG\r\n" REPLICA("$9\r\nconnected")}, false, "role replica, not master"},
		{"role=replica",
		 {"+PONG\r\n" REPLICA("$4\r\nsync")},
		 false,
		 "role replica, link to its master: sync"},
		{"", {"+PONG\r\n*2\r\n$8\r\nsentinel\r\n*0\r\n"}, false, "it is a Sentinel and no Redis"},
		{"role=master", {"+PONG\r\n" MASTER "+MORE\r\n"}, true, "role master"},
		{"role=master hang_up=1", {"+PONG\r\n" MASTER}, true, "role master"},
		{"role=master",
		 {"-LOADING Redis is loading the dataset in memory\r\n" MASTER},
		 false,
		 "Redis is loading its data"},
		{"role=master",
		 {"+PONG\r\n-NOPERM this user has no permissions to run the 'role' command\r\n",
		  "+PONG\r\n$13\r\nrole:master\r\n\r\n"},
		 true,
		 "role master"},
		{"role=master",
		 {"+PONG\r\n-NOPERM this user has no permissions to run the 'role' command\r\n",
		  "+PONG\r\n-NOPERM this user has no permissions to run the 'info' command\r\n"},
		 false,
		 "Redis does not let user \"default\" run INFO (ACL SETUSER)"},
		{"",
		 {"+PONG\r\n-NOPERM this user has no permissions to run the 'role' command\r\n",
		  "+PONG\r\n-NOPERM this user has no permissions to run the 'info' command\r\n"},
		 true,
		 "Redis answers"},
	};

	(void)state;
	try_rows(rows, ARRAY_SIZE(rows), IPC_CHECK_REDIS);
}

#define LAGGING(s) "$66\r\nrole:slave\r\nmaster_link_status:up\r\nmaster_last_io_seconds_ago:" s "\r\n\r\n"

static void
test_lag(void **state)
{
	static const struct row rows[] = {
		{"role=replica max_lag=10000000",
		 {"+PONG\r\n" REPLICA("$9\r\nconnected") LAGGING("10")},
		 true,
		 "role replica, heard its master 10 s ago"},
		{"role=replica max_lag=10000000",
		 {"+PONG\r\n" REPLICA("$9\r\nconnected") LAGGING("11")},
		 false,
		 "replica heard its master 11 s ago, more than 10 s"},
		{"role=replica max_lag=10000000",
		 {"+PONG\r\n" REPLICA("$9\r\nconnected") LAGGING("-1")},
		 false,
		 "replica without a link to its master"},
		{"role=replica max_lag=10000000",
		 {"+PONG\r\n" REPLICA("$10\r\nconnecting") LAGGING("-1")},
		 false,
		 "role replica, link to its master: connecting"},
		{"max_lag=10000000", {"+PONG\r\n" MASTER "$13\r\nrole:master\r\n\r\n"}, true, "role master"},
		{"max_lag=10000000",
		 {"+PONG\r\n" MASTER "$5\r\nhello\r\n"},
		 false,
		 "Redis gives no sensible answer to INFO"},
	};

	(void)state;
	try_rows(rows, ARRAY_SIZE(rows), IPC_CHECK_REDIS);
}

static void
test_errors(void **state)
{
	static const struct row rows[] = {
		{"",
		 {"-NOAUTH Authentication required.\r\n-NOAUTH Authentication required.\r\n"},
		 false,
		 "Redis wants a password (option password_file)"},
		{"role=replica",
		 {"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to "
		  "'no'.\r\n" REPLICA("$9\r\nconnected")},
		 false,
		 "Redis is a replica that lost its master and refuses to serve stale data"},
		{"", {"-BUSY Redis is busy\r\n" MASTER}, false, "Redis is kept busy by a script"},
		{"",
		 {"-MISCONF Redis is configured to save RDB snapshots\r\n" MASTER},
		 false,
		 "Redis refuses writes: it cannot save its data"},
		{"", {"-WHAT is \033this\r\n" MASTER}, false, "Redis answers to PING: WHAT is  this"},
		{"",
		 {"$-1\r\n*-1\r\n"},
		 false,
		 "Redis gives no sensible answer to PING, Redis gives no sensible answer to ROLE"},
		{"", {"+PONG\r\n*0\r\n"}, false, "Redis gives no sensible answer to ROLE"},
		{"",
		 {"+PONG\r\n*1\r\n*1\r\n$6\r\nmaster\r\n"},
		 false,
		 "Redis gives no sensible answer to ROLE"},
		{"hang_up=1",
		 {"-DENIED Redis is running in protected mode because\r\n"},
		 false,
		 "Redis is in protected mode and refuses clients of other hosts"},
		{"hang_up=1",
		 {"-ERR max number of clients reached\r\n"},
		 false,
		 "Redis has no room for another client (maxclients)"},
	};

	(void)state;
	try_rows(rows, ARRAY_SIZE(rows), IPC_CHECK_REDIS);
}

/* No answer may make the password show, whatever repeats it. */
static void
test_login(void **state)
{
	static const struct row rows[] = {
		{"password=s3cret", {"+OK\r\n+PONG\r\n" MASTER}, true, "role master"},
		{"password=s3cret",
		 {"-ERR AUTH <password> called without any password configured for the default user. Are you "
		  "sure your configuration is correct?\r\n+PONG\r\n" MASTER},
		 true,
		 "role master"},
		{"password=s3cret",
		 {"-ERR Client sent AUTH, but no password is set\r\n+PONG\r\n" MASTER},
		 true,
		 "role master"},
		{"password=s3cret",
		 {"-WRONGPASS invalid username-password pair or user is disabled.\r\n"},
		 false,
		 "Redis says that the password is wrong"},
		{"password=s3cret",
		 {"-ERR invalid password\r\n"},
		 false,
		 "Redis says that the password is wrong"},
		{"username=joe password=s3cret",
		 {"-WRONGPASS invalid username-password pair or user is disabled.\r\n"},
		 false,
		 "Redis does not let user \"joe\" in: wrong password, or no such user"},
		{"username=joe password=s3cret",
		 {"-ERR wrong number of arguments for 'auth' command\r\n"},
		 false,
		 "Redis is older than version 6 and knows no users: leave out username"},
		{"password=s3cret",
		 {"-ERR unknown command 'AUTH', with args beginning with: 's3cret' \r\n"},
		 false,
		 "Redis gives no sensible answer to AUTH"},
		{"password=s3cret",
		 {"*2\r\n$4\r\nAUTH\r\n$6\r\ns3cret\r\n"},
		 false,
		 "Redis gives no sensible answer to AUTH"},
		{"password=s3cret", {"+s3cret\r\n"}, false, "Redis gives no sensible answer to AUTH"},
		{"username=joe password=s3cret",
		 {"+OK\r\n-NOPERM this user has no permissions to run the 'ping' command\r\n" MASTER},
		 false,
		 "Redis does not let user \"joe\" run PING (ACL SETUSER)"},
	};
	struct env *e;

	(void)state;
	try_rows(rows, ARRAY_SIZE(rows), IPC_CHECK_REDIS);
	e = begin(IPC_CHECK_REDIS);
	set_options(e, "username=joe password=s3cret");
	e->servers[0].answers[0] = rows[0].answers[0];
	run(e, 1);
	assert_string_equal(
		e->servers[0].asked,
		"*3\r\n$4\r\nAUTH\r\n$3\r\njoe\r\n$6\r\ns3cret\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nROLE\r\n");
	end(e);
}

#define OK_CLUSTER  "$34\r\ncluster_state:ok\r\ncluster_size:3\r\n\r\n"
#define BAD_CLUSTER "$44\r\ncluster_state:fail\r\ncluster_slots_ok:10923\r\n\r\n"
#define NODE(flags, slots)                                                                                     \
	"e7d1 10.0.0.1:7001@17001 master - 0 1 2 connected 6-16383\n"                                          \
	"07c3 10.0.0.2:7002@17002,host-2 " flags " - 0 1426238317239 4 connected" slots "\n"
#define NODES_OWN   NODE("myself,master", " 0-3 5 [7->-e7d1]")
#define NODES_NONE  NODE("myself,master", "")
#define NODES_SLAVE NODE("myself,slave", "")
#define NODES_FAIL  NODE("myself,master,fail?", " 0-3")

static void
test_cluster(void **state)
{
	static const struct {
		const char *info, *nodes;
		bool up;
		const char *line;
	} rows[] = {
		{OK_CLUSTER, NODES_OWN, true, "role master, cluster ok, owns 5 slots"},
		{OK_CLUSTER, NODES_NONE, false, "owns no slots"},
		{OK_CLUSTER, NODES_SLAVE, false, "owns no slots, it is a replica"},
		{OK_CLUSTER, NODES_FAIL, false, "this node counts as failed"},
		{OK_CLUSTER, "", false, "the cluster does not know this node"},
		{OK_CLUSTER, "\n\n a b\n x y myself", false, "owns no slots"},
		{BAD_CLUSTER, NODES_OWN, false, "cluster state fail: 10923 of 16384 slots ok"},
		{"-ERR This instance has cluster support disabled\r\n", NODES_OWN, false,
		 "Redis is no node of a cluster"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char answer[1024];
		struct row row = {"cluster=1 owns_slots=1", {answer}, rows[i].up, rows[i].line};

		snprintf(answer, sizeof(answer), "+PONG\r\n" MASTER "%s$%zu\r\n%s\r\n", rows[i].info,
			 strlen(rows[i].nodes), rows[i].nodes);
		try_row(&row, IPC_CHECK_REDIS, false);
		try_row(&row, IPC_CHECK_REDIS, true);
	}
}

static void
test_garbage(void **state)
{
	static const struct row rows[] = {
		{"", {"HTTP/1.1 400 Bad Request\r\n"}, false, "the answer is no RESP"},
		{"", {"\x15\x03\x01\r\n"}, false, "the answer is no RESP"},
		{"", {"*2147483647\r\n"}, false, "the answer is too long"},
		{"", {"*4097\r\n"}, false, "the answer is too long"},
		{"",
		 {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"},
		 false,
		 "the answer is no RESP"},
		{"", {"$-5\r\n"}, false, "the answer is no RESP"},
		{"", {":99999999999999999999999\r\n"}, false, "the answer is no RESP"},
		{"hang_up=1", {"+PONG\r\n*3\r\n$6\r\nmas"}, false, "closed the connection"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (unsigned piecewise = 0; piecewise < 2; piecewise++) {
			struct env *e = begin(IPC_CHECK_REDIS);

			e->servers[0].answers[0] = rows[i].answers[0];
			set_options(e, rows[i].options);
			e->piecewise = piecewise;
			run(e, 1);
			if (strstr(check_of(e)->last, rows[i].line) == NULL)
				fail_msg("row %zu: no \"%s\" in \"%s\"", i, rows[i].line, check_of(e)->last);
			assert_int_equal(check_of(e)->state, IPC_CHECK_DOWN);
			end(e);
		}
	}
}

/* `head`, then `n` octets of `fill` in all. */
static void
expect_flood(const char *head, const char *fill, size_t n, bool up, const char *line)
{
	struct env *e = begin(IPC_CHECK_REDIS);
	char *text = malloc(n + strlen(head));
	size_t at = strlen(head);

	assert_non_null(text);
	memcpy(text, head, at);
	for (size_t i = 0; i < n; i++)
		text[at + i] = fill[i % strlen(fill)];
	e->servers[0].answers[0] = text;
	e->servers[0].lengths[0] = at + n;
	run(e, 1);
	if (strstr(check_of(e)->last, line) == NULL)
		fail_msg("%.20s: no \"%s\" in \"%s\"", head, line, check_of(e)->last);
	assert_int_equal(check_of(e)->state, up ? IPC_CHECK_UP : IPC_CHECK_DOWN);
	end(e);
	free(text);
}

static void
test_floods(void **state)
{
	char strings[1024];

	(void)state;
	expect_flood("$100000000\r\n", "x", 10 << 20, false, "the answer is too long");
	expect_flood("+", "x", 10 << 20, false, "the answer is too long");
	snprintf(strings, sizeof(strings), "$1000\r\n%01000d\r\n", 0);
	expect_flood("*4000\r\n", strings, 4 << 20, false, "the answer is too long");
	expect_flood("*4090\r\n", ":1\r\n", 4 << 20, false, "no sensible answer to PING");
	expect_flood("", "+PONG\r\n", 10 << 20, false, "no sensible answer to ROLE");
	expect_flood("*4000\r\n", "*1\r\n:1\r\n", 4000 * 8, false, "the answer is too long");
	/* 200 replicas: 800 values. */
	expect_flood("+PONG\r\n*3\r\n$6\r\nmaster\r\n:1\r\n*200\r\n",
		     "*3\r\n$3\r\n1.1\r\n$1\r\n7\r\n$1\r\n5\r\n", 200 * 27, true, "role master");
}

/* An old connection that is closed when it is used again is no failure, a new one is. */
static void
test_connection_is_closed_late(void **state)
{
	struct env *e = begin(IPC_CHECK_REDIS);

	(void)state;
	e->def.conf.interval_us = 20 * MS;
	e->servers[0].answers[0] = e->servers[0].answers[2] = "+PONG\r\n" MASTER;
	e->servers[0].answers[1] = "";
	run(e, 2);
	assert_int_equal(check_of(e)->runs[CHECK_RESULT_UP], 2);
	assert_int_equal(e->servers[0].requests, 3);
	end(e);
	e = begin(IPC_CHECK_REDIS);
	e->servers[0].answers[0] = "";
	run(e, 1);
	assert_non_null(strstr(check_of(e)->last, "closed the connection (does it want TLS?)"));
	end(e);
}

/* A connection serves several runs; one that was closed meanwhile is no failure. */
static void
test_connection_is_kept(void **state)
{
	for (unsigned hang_up = 0; hang_up < 2; hang_up++) {
		struct env *e = begin(IPC_CHECK_REDIS);

		e->servers[0].hang_up = hang_up;
		e->def.conf.interval_us = 20 * MS;
		set_options(e, "password=s3cret");
		for (unsigned i = 0; i < ANSWERS; i++)
			e->servers[0].answers[i] =
				i == 0 || hang_up ? "+OK\r\n+PONG\r\n" MASTER : "+PONG\r\n" MASTER;
		run(e, 3);
		assert_int_equal(check_of(e)->runs[CHECK_RESULT_UP], 3);
		assert_int_equal(e->servers[0].connections, hang_up ? 3 : 1);
		end(e);
	}
	(void)state;
}

static void
test_silence_is_cancelled(void **state)
{
	struct env *e = begin(IPC_CHECK_REDIS);

	(void)state;
	e->def.conf.interval_us = e->def.conf.timeout_us = 50 * MS;
	run(e, 3);
	assert_string_equal(check_of(e)->last, "no result within 50 ms");
	assert_int_equal(check_of(e)->runs[CHECK_RESULT_TIMEOUT], 3);
	end(e);
}

static void
test_nobody_there(void **state)
{
	struct env *e = begin(IPC_CHECK_REDIS);
	char line[256];

	(void)state;
	unlink(e->servers[0].path);
	run(e, 1);
	snprintf(line, sizeof(line), "Redis on %s: No such file or directory", e->servers[0].path);
	assert_string_equal(check_of(e)->last, line);
	end(e);
}

struct votes {
	const char *answers[3]; /* NULL: silent */
	bool up;
	const char *line;
};

static void
test_votes(void **state)
{
	static const struct votes rows[] = {
		{{US, US, US}, true, "role master, named by "},
		{{US, NULL, US}, true, "role master, named by 2 of 3 Sentinels"},
		{{OTHER, OTHER, NULL}, false, "role master, but 2 of 2 Sentinels name 10.0.0.2:6379"},
		{{US, OTHER, "*-1\r\n"}, false, "role master, but 1 of 2 Sentinels name 10.0.0.2:6379"},
		{{US, "-ERR x\r\n", "*-1\r\n"}, true, "role master, named by 1 of 3 Sentinels"},
		{{"*-1\r\n", "*-1\r\n", "*-1\r\n"},
		 false,
		 "role master, but no Sentinel says who is: they know no \"mymaster\""},
		{{US, NULL, NULL}, true, "role master, named by 1 of 3 Sentinels"}, /* after half of the time */
		{{NULL, NULL, NULL}, false, "role master, but no Sentinel says who is: none answers"},
		{{"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", "*1\r\n:1\r\n", "+OK\r\n"},
		 false,
		 "role master, but no Sentinel says who is: Sentinel gives no sensible answer to SENTINEL"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct env *e = begin(IPC_CHECK_REDIS);

		e->def.conf.timeout_us = 600 * MS;
		set_options(e, "role=master master=mymaster self=10.0.0.1:6379");
		e->servers[0].answers[0] = "+PONG\r\n" MASTER;
		for (unsigned k = 0; k < 3; k++) {
			option(e, "sentinels", e->servers[k + 1].path);
			e->servers[k + 1].answers[0] = rows[i].answers[k];
		}
		run(e, 1);
		if (strstr(check_of(e)->last, rows[i].line) != check_of(e)->last)
			fail_msg("row %zu: \"%s\" and not \"%s\"", i, check_of(e)->last, rows[i].line);
		assert_int_equal(check_of(e)->state, rows[i].up ? IPC_CHECK_UP : IPC_CHECK_DOWN);
		end(e);
	}
}

/* Those that cannot change the outcome are not waited for. */
static void
test_votes_are_decided_early(void **state)
{
	(void)state;
	for (unsigned us = 0; us < 2; us++) {
		struct env *e = begin(IPC_CHECK_REDIS);

		set_options(e, "role=master master=mymaster self=10.0.0.1:6379");
		e->servers[0].answers[0] = "+PONG\r\n" MASTER;
		for (unsigned k = 1; k < SERVERS; k++)
			option(e, "sentinels", e->servers[k].path);
		e->servers[1].answers[0] = e->servers[3].answers[0] = us ? US : OTHER;
		run(e, 1);
		assert_int_equal(check_of(e)->state, us ? IPC_CHECK_UP : IPC_CHECK_DOWN);
		assert_true(check_of(e)->took_us < 2000 * MS); /* half of the time-out is 2500 ms */
		end(e);
	}
}

/* The password is for Redis: a Sentinel gets it only when it asks. */
static void
test_votes_with_login(void **state)
{
	struct env *e = begin(IPC_CHECK_REDIS);
	struct server *open = &e->servers[1], *locked = &e->servers[2];

	(void)state;
	set_options(e, "role=master master=mymaster self=10.0.0.1:6379 password=s3cret");
	option(e, "sentinels", open->path);
	option(e, "sentinels", locked->path);
	e->servers[0].answers[0] = "+OK\r\n+PONG\r\n" MASTER;
	open->answers[0] = US;
	locked->answers[0] = "-NOAUTH Authentication required.\r\n";
	locked->answers[1] = "+OK\r\n" US;
	run(e, 1);
	assert_string_equal(check_of(e)->last, "role master, named by 2 of 2 Sentinels");
	assert_null(strstr(open->asked, "s3cret"));
	assert_non_null(strstr(locked->asked, "AUTH\r\n$6\r\ns3cret\r\n"));
	end(e);
}

/* A replica does not bother them. */
static void
test_votes_are_not_asked_in_vain(void **state)
{
	struct env *e = begin(IPC_CHECK_REDIS);

	(void)state;
	set_options(e, "role=master master=mymaster self=10.0.0.1:6379");
	option(e, "sentinels", e->servers[1].path);
	e->servers[0].answers[0] = "+PONG\r\n" REPLICA("$9\r\nconnected");
	run(e, 1);
	assert_string_equal(check_of(e)->last, "role replica, not master");
	assert_int_equal(e->servers[1].connections, 0);
	end(e);
}

#define QUORUM "+OK 3 usable Sentinels. Quorum and failover authorization can be reached\r\n"

static void
test_sentinel(void **state)
{
	static const struct row rows[] = {
		{"master=mymaster self=10.0.0.1:6379",
		 {QUORUM US},
		 true,
		 "3 Sentinels usable, the master 10.0.0.1:6379 is this host"},
		{"master=mymaster self=10.0.0.1:6379",
		 {QUORUM OTHER},
		 false,
		 "the master is 10.0.0.2:6379, not this host"},
		{"master=mymaster self=10.0.0.1:6379",
		 {"-NOQUORUM 1 usable Sentinels. Not enough available Sentinels to reach the majority\r\n" US},
		 false,
		 "no quorum: 1 usable Sentinels. Not enough available Sentinels to reach the majority"},
		{"master=mymaster self=10.0.0.1:6379",
		 {"-ERR No such master with that name\r\n*-1\r\n"},
		 false,
		 "Sentinel knows no master of this name"},
		{"master=mymaster self=10.0.0.1:6379",
		 {QUORUM "*-1\r\n"},
		 false,
		 "Sentinel knows no master \"mymaster\""},
		{"master=mymaster self=10.0.0.1:6379",
		 {"-ERR unknown command `SENTINEL`\r\n-ERR unknown command `SENTINEL`\r\n"},
		 false,
		 "Sentinel answers to SENTINEL CKQUORUM: ERR unknown command `SENTINEL`"},
		{"master=mymaster self=10.0.0.1:6379 password=x",
		 {"+OK\r\n" QUORUM US},
		 true,
		 "3 Sentinels usable, the master 10.0.0.1:6379 is this host"},
	};

	(void)state;
	try_rows(rows, ARRAY_SIZE(rows), IPC_CHECK_SENTINEL);
}

static bool
is_self(const char *self, const char *host, const char *port, bool same_port)
{
	struct check_option options[] = {{"address", (char[]){"127.0.0.1:6379"}}, {"self", NULL}};
	struct redis_name name;
	struct check c = {0};
	bool r;

	options[1].text = self != NULL ? strdup(self) : NULL;
	c.def.options = options;
	c.def.conf.n_options = self != NULL ? 2 : 1;
	memset(&name, 0, sizeof(name));
	str_copy(name.host, sizeof(name.host), host);
	str_copy(name.port, sizeof(name.port), port);
	r = redis_is_self(&c.def, &name, same_port);
	free(options[1].text);
	return r;
}

static void
test_self(void **state)
{
	struct ifaddrs *list;
	unsigned n = 0;

	(void)state;
	assert_true(is_self("10.0.0.1:6379", "10.0.0.1", "6379", true));
	assert_false(is_self("10.0.0.1:6379", "10.0.0.1", "6380", false));
	assert_false(is_self("10.0.0.1:6379", "10.0.0.11", "6379", true));
	assert_true(is_self("[fd00::1]:6379", "fd00:0::1", "6379", true));
	assert_true(is_self("redis1.example:6379", "Redis1.example", "6379", true));
	assert_true(is_self("127.0.0.1:6379", "127.0.0.1", "6379", true));
	assert_false(is_self(NULL, "127.0.0.1", "6379", true));
	assert_false(is_self(NULL, "::1", "6379", true));
	assert_false(is_self(NULL, "203.0.113.77", "6379", true));
	assert_false(is_self(NULL, "2001:db8::77", "6379", true));
	assert_false(is_self(NULL, "redis1.example", "6379", true));
	assert_int_equal(getifaddrs(&list), 0);
	for (struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
		char host[64];

		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET)
			continue;
		inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr, host, sizeof(host));
		if (strncmp(host, "127.", 4) == 0)
			continue;
		n++;
		assert_true(is_self(NULL, host, "6379", true));
		assert_false(is_self(NULL, host, "6380", true));
		assert_true(is_self(NULL, host, "6380", false));
	}
	freeifaddrs(list);
	if (n == 0)
		print_message("no address but loopback ones here\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_lag),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_cluster),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_connection_is_kept),
		cmocka_unit_test(test_connection_is_closed_late),
		cmocka_unit_test(test_silence_is_cancelled),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_votes),
		cmocka_unit_test(test_votes_are_decided_early),
		cmocka_unit_test(test_votes_with_login),
		cmocka_unit_test(test_votes_are_not_asked_in_vain),
		cmocka_unit_test(test_sentinel),
		cmocka_unit_test(test_self),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
