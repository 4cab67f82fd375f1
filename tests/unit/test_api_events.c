/*
 * test_api_events.c - GET /v1/events of vrrpd-agent: queries, the ring, followers, and what outlives an agent.
 */
#include "agent_world.h"

#include "ipc/ipc_events.h"

/* With a memory of events that outlives the agent, for ten of them. */
static int
setup_memory(void **state)
{
	struct world *w;

	*state = w = world_new();
	w->events_fd = ipc_events_create();
	assert_true(w->events_fd > 0);
	w->n_events = 10;
	world_equip(w);
	return 0;
}

static void
send_event(struct world *w, uint32_t gen, uint32_t index, enum role_state to)
{
	struct ipc_event m = {.h.gen = gen, .index = index, .from = ROLE_STATE_BACKUP, .to = (uint8_t)to};

	m.at_us = clock_mono().us;
	str_copy(m.name, sizeof(m.name), index == 0 ? "pg" : "six");
	m.priority = 150;
	m.cause.reason = ROLE_REASON_ACTIVE_LEFT;
	m.cause.addr = world_addr("10.0.0.2");
	assert_int_equal(ipc_chan_send(&w->engine, IPC_EVENT, &m, -1), 0);
}

static void
test_events_and_their_counters(void **state)
{
	struct world *w = *state;
	char *t;

	send_event(w, w->gen, 0, ROLE_STATE_ACTIVE);
	send_event(w, w->gen, 1, ROLE_STATE_FAULT);
	send_event(w, w->gen, 0, ROLE_STATE_ACTIVE);
	t = get_until(w, "/metrics",
		      "\nvrrpd_transitions_total{instance=\"pg\",to=\"active\",reason=\"active_left\"} 2\n");
	assert_has(t, "\nvrrpd_transitions_total{instance=\"six\",to=\"fault\",reason=\"active_left\"} 1\n");
	free(t);
	t = world_get(w, "/v1/events");
	assert_has(t, "Content-Type: application/x-ndjson\r\n");
	assert_has(t, "\r\n{\"seq\":1,\"time\":\"20");
	assert_has(t,
		   "Z\",\"instance\":\"pg\",\"from\":\"backup\",\"to\":\"active\",\"reason\":\"active_left\","
		   "\"text\":\"10.0.0.2 left (priority 0)\",\"priority\":150,\"figures\":{\"address\":\"10.0.0.2\"}}\n"
		   "{\"seq\":2,\"time\":\"");
	assert_has(t, "\"instance\":\"six\",\"from\":\"backup\",\"to\":\"fault\"");
	free(t);
}

/* The engine may be one generation ahead or behind. */
static void
test_events_of_other_generations(void **state)
{
	struct world *w = *state;
	struct ipc_conf_check c = world_check("haproxy", "echo '2 of 2 servers up'");
	char *t;

	send_event(w, w->gen + 1, 1, ROLE_STATE_FAULT);
	t = get_until(w, "/v1/events", "\"instance\":\"six\"");
	free(t);
	world_send_conf(w, &c, 1);
	world_commit(w);
	assert_true(world_wait_ready(w, w->gen));
	send_event(w, w->gen - 1, 0, ROLE_STATE_ACTIVE);
	t = get_until(w, "/v1/events", "\"instance\":\"pg\"");
	free(t);
	w->engine_gen = w->gen;
	t = world_get(w, "/metrics");
	assert_has(t, "\nvrrpd_transitions_total{instance=\"pg\",to=\"active\",reason=\"active_left\"} 1\n");
	assert_has(t, "\nvrrpd_transitions_total{instance=\"six\",to=\"fault\",reason=\"active_left\"} 1\n");
	free(t);
}

static void
test_events_keep_the_last_thousand(void **state)
{
	struct world *w = *state;
	char *t;
	unsigned n = 0;

	send_event(w, w->gen, 1, ROLE_STATE_FAULT);
	for (unsigned i = 0; i < 1000; i++)
		send_event(w, w->gen, 0, ROLE_STATE_ACTIVE);
	free(get_until(
		w, "/metrics",
		"\nvrrpd_transitions_total{instance=\"pg\",to=\"active\",reason=\"active_left\"} 1000\n"));
	t = world_get(w, "/v1/events");
	assert_has_not(t, "\"six\"");
	for (const char *p = t; (p = strstr(p, "\"time\"")) != NULL; p++)
		n++;
	assert_int_equal(n, 1000);
	free(t);
}

/* ---- queries ----------------------------------------------------------------------------------------- */

/* The numbers of the events in an answer, "1 2 3". */
static const char *
numbers(const char *text)
{
	static char all[4096];
	size_t used = 0;

	all[0] = '\0';
	for (const char *p = text; (p = strstr(p, "{\"seq\":")) != NULL; p++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%d", used > 0 ? " " : "", atoi(p + 7));
	return all;
}

static void
assert_events(struct world *w, const char *query, const char *want)
{
	char path[128], *t;

	snprintf(path, sizeof(path), "/v1/events%s", query);
	t = world_get(w, path);
	assert_has(t, "HTTP/1.1 200 OK");
	if (strcmp(numbers(t), want) != 0)
		fail_msg("%s: events %s instead of %s", path, numbers(t), want);
	free(t);
}

/* Send n events to an agent that has had `before`, and wait until it has them. */
static void
send_events(struct world *w, unsigned before, unsigned n)
{
	char part[64];

	for (unsigned i = 0; i < n; i++)
		send_event(w, w->gen, 0, ROLE_STATE_ACTIVE);
	snprintf(part, sizeof(part), "{\"seq\":%u,", before + n);
	free(get_until(w, "/v1/events?n=1", part));
}

static void
test_queries(void **state)
{
	static const struct {
		const char *query, *numbers;
	} rows[] = {
		{"", "1 2 3 4 5 6"},
		{"?", "1 2 3 4 5 6"},
		{"?n=2", "5 6"},
		{"?n=0", ""},
		{"?n=100000", "1 2 3 4 5 6"},
		{"?since=0", "1 2 3 4 5 6"},
		{"?since=4", "5 6"},
		{"?since=6", ""},
		{"?since=7", "1 2 3 4 5 6"}, /* of an earlier life: all is later */
		{"?since=9223372036854775807", "1 2 3 4 5 6"},
		{"?since=2&n=2", "5 6"},
		{"?n=3&since=5", "6"},
		{"?follow=0&n=1", "6"},
		{"?n=%31", "6"},
	};
	struct world *w = *state;

	assert_events(w, "", "");
	send_events(w, 0, 6);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_events(w, rows[i].query, rows[i].numbers);
}

static void
test_bad_queries(void **state)
{
	static const char *const rows[][2] = {
		{"n=", "n takes a number"},
		{"n=-1", "n takes a number from 0 to 100000"},
		{"n=100001", "n takes a number"},
		{"n=18446744073709551617", "n takes a number"},
		{"n=1x", "n takes a number"},
		{"n=0x10", "n takes a number"},
		{"n=%201", "n takes a number"},
		{"since=9223372036854775808", "since takes the number"},
		{"since=now", "since takes the number"},
		{"follow=2", "follow takes 1 or 0"},
		{"follow=yes", "follow takes 1 or 0"},
		{"n=1&n=1", "it is there twice"},
		{"last=5", "last: it is not understood here: the query takes n, since and follow"},
		{"%6e=1", "%6e: it is not understood here"},
		{"N=5", "the query takes n, since and follow"},
		{"follow", "is not KEY=VALUE"},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char path[128], *t;

		snprintf(path, sizeof(path), "/v1/events?%s", rows[i][0]);
		t = world_get(w, path);
		if (strncmp(t, "HTTP/1.1 400 ", 13) != 0)
			fail_msg("%s: %s", path, t);
		assert_has(t, "{\"error\":\"bad query\",\"detail\":\"");
		assert_has(t, rows[i][1]);
		free(t);
	}
}

static void
test_head_has_no_body(void **state)
{
	struct world *w = *state;
	char *t;

	send_events(w, 0, 3);
	t = world_request(w->socket, "HEAD", "/v1/events?follow=1");
	assert_has(t, "HTTP/1.1 200 OK");
	assert_has(t, "Content-Type: application/x-ndjson\r\n");
	assert_string_equal(strstr(t, "\r\n\r\n"), "\r\n\r\n");
	free(t);
}

/* A client of HTTP/1.0 gets no parts, and the end of the connection. */
static void
test_old_client(void **state)
{
	struct world *w = *state;
	char *t;

	send_events(w, 0, 3);
	t = world_raw(w->socket, "GET /v1/events HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_has(t, "\r\n\r\n{\"seq\":1,");
	assert_string_equal(numbers(t), "1 2 3");
	assert_has_not(t, "chunked");
	free(t);
}

/* ---- followers ---------------------------------------------------------------------------------------- */

static int
follow(struct world *w, const char *query)
{
	char request[256];
	int fd = world_connect(w->socket);

	snprintf(request, sizeof(request), "GET /v1/events?follow=1%s HTTP/1.1\r\nHost: x\r\n\r\n", query);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	return fd;
}

/* Read until the text has this part, at most WORLD_WAIT_US; it stays in buf. */
static void
read_until(int fd, char *buf, size_t size, const char *part)
{
	size_t used = strlen(buf);

	while (strstr(buf, part) == NULL) {
		ssize_t n = recv(fd, buf + used, size - used - 1, 0);

		if (n <= 0)
			fail_msg("no \"%s\" in what came: %s", part, buf);
		used += (size_t)n;
		buf[used] = '\0';
	}
}

static void
test_followers(void **state)
{
	struct world *w = *state;
	char all[16384] = "", later[16384] = "", news[16384] = "";
	int fd[3];

	send_events(w, 0, 3);
	fd[0] = follow(w, "");
	fd[1] = follow(w, "&since=2");
	fd[2] = follow(w, "&n=0");
	read_until(fd[0], all, sizeof(all), "{\"seq\":3,");
	read_until(fd[1], later, sizeof(later), "{\"seq\":3,");
	read_until(fd[2], news, sizeof(news), "\r\n\r\n");
	send_events(w, 3, 2);
	read_until(fd[0], all, sizeof(all), "{\"seq\":5,");
	read_until(fd[1], later, sizeof(later), "{\"seq\":5,");
	read_until(fd[2], news, sizeof(news), "{\"seq\":5,");
	assert_string_equal(numbers(all), "1 2 3 4 5");
	assert_string_equal(numbers(later), "3 4 5");
	assert_string_equal(numbers(news), "4 5");
	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
}

static void
test_followers_are_bounded(void **state)
{
	struct world *w = *state;
	int fd[64];
	char buf[4096], *t;

	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
		fd[i] = follow(w, "");
		buf[0] = '\0';
		read_until(fd[i], buf, sizeof(buf), "200 OK");
	}
	t = world_get(w, "/v1/events?follow=1");
	assert_has(t, "HTTP/1.1 503 ");
	assert_has(t, "64 clients follow the events");
	free(t);
	assert_events(w, "", "");
	close(fd[0]);
	/* His place is free again. */
	for (mono_t end = mono_add(clock_mono(), WORLD_WAIT_US);; close(fd[0])) {
		fd[0] = follow(w, "");
		buf[0] = '\0';
		read_until(fd[0], buf, sizeof(buf), "\r\n\r\n");
		if (strstr(buf, "200 OK") != NULL)
			break;
		assert_false(mono_due(clock_mono(), end));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
}

/* Who sends and sends instead of listening is cut off, and does not take others' places when he has gone. */
static void
test_followers_who_talk(void **state)
{
	static const char talk[32 * 1024];
	struct world *w = *state;
	int fd = follow(w, "");
	char buf[4096] = "";
	ssize_t n;

	read_until(fd, buf, sizeof(buf), "\r\n\r\n");
	assert_has(buf, "200 OK");
	assert_int_equal(send(fd, talk, sizeof(talk), MSG_NOSIGNAL), sizeof(talk));
	n = recv(fd, buf, sizeof(buf), 0); /* waits for 10 s at most */
	assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
	close(fd);
	assert_events(w, "", "");
}

/* Who does not read is cut off when the ring has gone over what he has not got; who reads slowly gets all of it. */
static void
test_slow_followers(void **state)
{
	struct world *w = *state;
	int small = 4096, dead = follow(w, ""), slow = follow(w, "");
	mono_t deadline;
	char buf[8192] = "", *t;
	unsigned got = 0, sent = 0;

	setsockopt(dead, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	read_until(dead, buf, sizeof(buf), "200 OK");
	for (unsigned round = 0; round < 40; round++, sent += 100) {
		send_events(w, sent, 100);
		while (got < sent) {
			ssize_t n = recv(slow, buf, sizeof(buf) - 1, 0);

			assert_true(n > 0);
			buf[n] = '\0';
			for (const char *p = buf; (p = strstr(p, "\"time\":")) != NULL; p++)
				got++;
			/* A key that two reads share counts once more or less: the last number decides below. */
			if (n < 100 && sent - got < 10)
				break;
		}
	}
	t = world_get(w, "/v1/events?n=1");
	assert_string_equal(numbers(t), "4000");
	free(t);
	buf[0] = '\0';
	for (deadline = mono_add(clock_mono(), WORLD_WAIT_US); strstr(buf, "{\"seq\":4000,") == NULL;) {
		static char all[65536];
		ssize_t n = recv(slow, all, sizeof(all) - 1, 0);

		assert_true(n > 0);
		all[n] = '\0';
		if (strstr(all, "{\"seq\":4000,") != NULL)
			break;
		assert_false(mono_due(clock_mono(), deadline));
	}
	t = world_read_all(dead); /* ends although he follows, and not in order */
	assert_has_not(t, "{\"seq\":4000,");
	free(t);
	close(slow);
}

/* ---- what outlives an agent ---------------------------------------------------------------------------- */

/* The agent is killed, and the next one is there. */
static void
restart_agent(struct world *w)
{
	assert_int_equal(kill(w->agent, SIGKILL), 0);
	assert_int_equal(world_exit_status(w), 1000 + SIGKILL);
	ipc_chan_close(&w->parent);
	world_stop_engine(w);
	world_start_agent(w);
	world_equip(w);
}

static struct ipc_events *
map(struct world *w)
{
	struct ipc_events *m = ipc_events_map(w->events_fd);

	assert_non_null(m);
	return m;
}

static void
assert_counted(struct world *w, unsigned n)
{
	char part[128], *t = world_get(w, "/metrics");

	snprintf(part, sizeof(part),
		 "\nvrrpd_transitions_total{instance=\"pg\",to=\"active\",reason=\"active_left\"} %u\n", n);
	assert_has(t, part);
	free(t);
}

static void
test_memory_outlives_agents(void **state)
{
	struct world *w = *state;
	char *before, *after;

	send_events(w, 0, 7);
	before = world_get(w, "/v1/events");
	restart_agent(w);
	after = world_get(w, "/v1/events");
	assert_string_equal(strstr(before, "{\"seq\""), strstr(after, "{\"seq\""));
	free(before);
	free(after);
	assert_counted(w, 7);
	send_events(w, 7, 6);
	assert_events(w, "", "4 5 6 7 8 9 10 11 12 13");
	restart_agent(w);
	assert_events(w, "", "4 5 6 7 8 9 10 11 12 13");
	assert_counted(w, 13);
}

static void
test_torn_entries_are_dropped(void **state)
{
	struct world *w = *state;
	struct ipc_events *m = map(w);
	struct ipc_events_entry e;

	send_events(w, 0, 9);
	m->ring[3].cause.a ^= 1;	      /* number 3: its sum is wrong */
	assert_true(ipc_events_read(m, 5, &e));
	e.to = 200; /* number 5: the sum is right, the state is none */
	ipc_events_write(m, 5, &e);
	assert_true(ipc_events_read(m, 7, &e));
	memset(e.instance, 'x', sizeof(e.instance)); /* number 7: its name does not end */
	ipc_events_write(m, 7, &e);
	m->last_seq = 4711; /* torn: the events themselves say where to go on */
	restart_agent(w);
	assert_events(w, "", "1 2 4 6 8 9");
	send_events(w, 9, 3);
	assert_events(w, "", "1 2 4 6 8 9 10 11 12");
	ipc_events_unmap(m);
}

static void
test_bad_counters_are_dropped(void **state)
{
	struct world *w = *state;
	struct ipc_events *m = map(w);
	char *t;

	send_events(w, 0, 2);
	send_event(w, w->gen, 1, ROLE_STATE_FAULT);
	free(get_until(w, "/v1/events?n=1", "{\"seq\":3,"));
	m->counts[0].n[ROLE_STATE_ACTIVE][ROLE_REASON_ACTIVE_LEFT] = UINT64_MAX;
	memset(m->counts[1].name, 'x', sizeof(m->counts[1].name));
	m->n_slots = m->n_counts = UINT32_MAX;
	restart_agent(w);
	t = world_get(w, "/metrics");
	assert_has_not(t, "vrrpd_transitions_total{");
	free(t);
	send_events(w, 3, 1);
	assert_counted(w, 1);
	ipc_events_unmap(m);
}

static void
test_memory_of_another_layout(void **state)
{
	struct world *w = *state;
	struct ipc_events *m = map(w);

	send_events(w, 0, 5);
	m->layout ^= 1;
	restart_agent(w);
	assert_events(w, "", "");
	send_events(w, 0, 1);
	ipc_events_unmap(m);
}

/* What is no such memory ends the agent, which says so. */
static void
test_bad_memory(void **state)
{
	struct world *w = *state;
	struct ipc_memory_fd m = {0};
	int fd = memfd_create("small", MFD_CLOEXEC);

	assert_int_equal(ipc_chan_send(&w->parent, IPC_MEMORY, &m, fd), 0);
	close(fd);
	assert_false(world_wait_ready(w, UINT32_MAX));
	assert_int_equal(world_exit_status(w), 1);
	assert_has(w->log, "the memory of events from vrrpd is none");
}

static void
reload_with(struct world *w, uint32_t n_events)
{
	struct ipc_conf_check c = world_check("haproxy", "echo '2 of 2 servers up'");

	w->n_events = n_events;
	world_send_conf(w, &c, 1);
	world_commit(w);
	assert_true(world_wait_ready(w, w->gen));
	w->engine_gen = w->gen;
}

static void
test_another_size(void **state)
{
	struct world *w = *state;

	send_events(w, 0, 13);
	reload_with(w, 12);
	assert_events(w, "", "4 5 6 7 8 9 10 11 12 13");
	send_events(w, 13, 3);
	assert_events(w, "", "5 6 7 8 9 10 11 12 13 14 15 16");
	reload_with(w, 100000);
	assert_events(w, "", "5 6 7 8 9 10 11 12 13 14 15 16");
	restart_agent(w);
	assert_events(w, "", "5 6 7 8 9 10 11 12 13 14 15 16");
	reload_with(w, 10);
	assert_events(w, "", "7 8 9 10 11 12 13 14 15 16");
	restart_agent(w);
	assert_events(w, "", "7 8 9 10 11 12 13 14 15 16");
	assert_counted(w, 16);
}

/* The engine tells the last transition once more to a new agent: it counts once, also when the agent before had it. */
static void
test_last_transition_again(void **state)
{
	struct world *w = *state;
	struct ipc_event m = {.h.gen = w->gen, .from = ROLE_STATE_BACKUP, .to = ROLE_STATE_ACTIVE, .again = 1};

	str_copy(m.name, sizeof(m.name), "pg");
	m.at_us = clock_mono().us;
	m.cause.reason = ROLE_REASON_ACTIVE_LEFT;
	m.cause.addr = world_addr("10.0.0.2");
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(ipc_chan_send(&w->engine, IPC_EVENT, &m, -1), 0);
	free(get_until(w, "/v1/events", "{\"seq\":1,"));
	restart_agent(w);
	m.h.gen = w->gen;
	assert_int_equal(ipc_chan_send(&w->engine, IPC_EVENT, &m, -1), 0);
	m.at_us = clock_mono().us;
	m.to = ROLE_STATE_FAULT;
	assert_int_equal(ipc_chan_send(&w->engine, IPC_EVENT, &m, -1), 0);
	free(get_until(w, "/v1/events?n=1", "\"to\":\"fault\""));
	assert_events(w, "", "1 2");
	assert_counted(w, 1);
}

/* ---- time ------------------------------------------------------------------------------------------------ */

static bool
is_closed(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char c;

	return poll(&p, 1, 0) == 1 && recv(fd, &c, 1, MSG_DONTWAIT) <= 0;
}

/* A request that never ends, also one octet at a time, ends the connection; a follower may wait for news for ever. */
static void
test_time_outs(void **state)
{
	static const char slow[] = "GET /healthz HTTP/1.1\r\nHost: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	struct world *w = *state;
	mono_t begin = clock_mono();
	char buf[4096] = "";
	int silent = world_connect(w->socket), octets = world_connect(w->socket), half = world_connect(w->socket);
	int follower = follow(w, "");

	assert_int_equal(send(half, slow, 30, MSG_NOSIGNAL), 30);
	for (size_t i = 0; !is_closed(silent) || !is_closed(octets) || !is_closed(half); i++) {
		assert_in_range(mono_since(clock_mono(), begin), 0, 25 * USEC_PER_SEC);
		(void)!send(octets, &slow[MIN(i, sizeof(slow) - 2)], 1, MSG_NOSIGNAL);
		usleep(250000);
	}
	assert_in_range(mono_since(clock_mono(), begin), 9 * USEC_PER_SEC, 25 * USEC_PER_SEC);
	send_events(w, 0, 1);
	read_until(follower, buf, sizeof(buf), "{\"seq\":1,");
	close(silent);
	close(octets);
	close(half);
	close(follower);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
#define M(f) cmocka_unit_test_setup_teardown(f, setup_memory, world_teardown)
	const struct CMUnitTest tests[] = {
		T(test_events_and_their_counters),
		T(test_events_of_other_generations),
		T(test_events_keep_the_last_thousand),
		T(test_queries),
		T(test_bad_queries),
		T(test_head_has_no_body),
		T(test_old_client),
		T(test_followers),
		T(test_followers_are_bounded),
		T(test_followers_who_talk),
		T(test_slow_followers),
		M(test_memory_outlives_agents),
		M(test_torn_entries_are_dropped),
		M(test_bad_counters_are_dropped),
		M(test_memory_of_another_layout),
		cmocka_unit_test_setup_teardown(test_bad_memory, world_setup_bare, world_teardown),
		M(test_another_size),
		M(test_last_transition_again),
		T(test_time_outs),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
