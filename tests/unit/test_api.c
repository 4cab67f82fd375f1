/*
 * test_api.c - vrrpd-agent as a process: configuration, snapshots, the status API, and what it does when others
 * misbehave.
 */
#include "agent_world.h"

static void
test_status_document(void **state)
{
	char *t = get_until(*state, "/v1/status", "2 of 2 servers up");

	assert_has(t, "HTTP/1.1 200 OK\r\n");
	assert_has(t, "Content-Type: application/json\r\n");
	assert_has(t,
		   "{\"node\":\"proxy1\",\"version\":\"" VRRPD_VERSION "\",\"uptime_s\":12.3,\"realtime\":true,"
		   "\"memory_locked\":false,\"engine_restarts\":0,\"address_lifetime_s\":0,"
		   "\"adverts\":{\"late_max_us\":777,\"late\":[{\"up_to_us\":100,\"adverts\":40}");
	assert_has(t, "\"warnings\":[\"the engine's memory is not locked");
	assert_has(t, "\"instances\":[{\"name\":\"pg\",\"mode\":\"vrrp\",\"state\":\"active\",\"since_s\":4.2");
	assert_has(t,
		   "\"reason\":\"no adverts from 10.0.0.2 for 361 ms\",\"reason_code\":\"no_adverts\","
		   "\"priority\":{\"base\":150,\"effective\":90},\"priority_override\":null,\"priority_override_left_s\":null,"
		   "\"leaving\":false,\"drained\":false,\"drained_left_s\":null,\"takeover\":false,\"takeover_left_s\":null,"
		   "\"active_node\":{\"address\":\"10.0.0.1\",\"priority\":90,\"self\":true},"
		   "\"addresses\":[{\"address\":\"192.168.34.85/24\",\"interface\":\"eth0\",\"held\":true},"
		   "{\"address\":\"192.168.34.86/24\",\"interface\":\"eth0\",\"held\":false,\"extra\":true}],"
		   "\"checks\":[{\"name\":\"haproxy\",\"kind\":\"check\",\"state\":\"up\",\"since_s\":");
	assert_has(t,
		   "\"last\":\"2 of 2 servers up\",\"weight\":-60},{\"name\":\"eth1\",\"kind\":\"interface\","
		   "\"state\":\"down\",\"since_s\":null,\"last\":\"eth1 is not up\"}],"
		   "\"peers\":[{\"address\":\"10.0.0.2\",\"priority\":90,\"last_heard_ms\":1200,");
	assert_has(t, "\"version\":3,\"checksum\":\"rfc5798\",\"advert_interval_ms\":1000},"
		      "{\"address\":\"10.0.0.3\",\"priority\":null,\"last_heard_ms\":null,\"version\":null,"
		      "\"checksum\":null,\"advert_interval_ms\":null}],\"counters\":{\"adverts_sent\":41,");
	assert_has(t, "\"addresses_healed\":0,\"connections_reset\":0,\"conflicts\":0,");
	assert_has(t, "\"conflict\":null,");
	assert_has(t, "\"transitions\":2,\"discarded\":{\"truncated\":0,\"own\":0,\"length\":0,\"destination\":"
		      "0,\"ttl\":5,");
	assert_has(
		t,
		"\"vrid\":51,\"version\":3,\"family\":\"ipv4\",\"interface\":\"eth0\",\"source\":\"10.0.0.1\","
		"\"advert_interval_ms\":100,\"checksum\":\"rfc9568\"");
	free(t);
}

static void
test_status_warns_of_differences(void **state)
{
	char *t = world_get(*state, "/v1/instances/pg");

	assert_has(t, "10.0.0.2 sends the rfc5798 checksum and we send the rfc9568 one");
	assert_has(t, "10.0.0.2 announces other addresses than we have");
	assert_has(t, "10.0.0.2 adverts every 1000 ms, we every 100 ms");
	assert_has(t, "10.0.0.2 has our priority 90");
	free(t);
}

static void
test_status_of_ipv6_in_fault(void **state)
{
	char *t = world_get(*state, "/v1/instances/six");

	assert_has(t, "\r\n\r\n{\"name\":\"six\",\"mode\":\"vrrp\",\"state\":\"fault\"");
	assert_has(t, "\"reason\":\"check haproxy failed\",\"reason_code\":\"check_failed\"");
	assert_has(t, "\"active_node\":null");
	assert_has(t, "\"peers\":[{\"address\":\"fe80::2\",\"priority\":null,\"last_heard_ms\":null");
	assert_has(t, "\"family\":\"ipv6\"");
	assert_has(t, "\"source\":null,\"advert_interval_ms\":1000,\"checksum\":null,\"warnings\":[]}\n");
	free(t);
}

static void
test_active_for_load_balancers(void **state)
{
	struct world *w = *state;
	char *t = world_get(w, "/v1/instances/pg/active");

	assert_has(t, "HTTP/1.1 200 OK");
	assert_has(t, "{\"name\":\"pg\",\"active\":true,\"state\":\"active\"}\n");
	free(t);
	w->state = ROLE_STATE_BACKUP;
	t = world_get(w, "/v1/instances/pg/active");
	assert_has(t, "HTTP/1.1 503 ");
	assert_has(t, "{\"name\":\"pg\",\"active\":false,\"state\":\"backup\"}\n");
	free(t);
	t = world_request(w->socket, "HEAD", "/v1/instances/pg/active");
	assert_has(t, "HTTP/1.1 503 ");
	assert_has(t, "Content-Length: ");
	assert_string_equal(strstr(t, "\r\n\r\n"), "\r\n\r\n");
	free(t);
}

static void
test_unknown_things(void **state)
{
	static const struct {
		const char *method, *path, *status, *part;
	} rows[] = {
		{"GET", "/nothing", "404", "{\"error\":\"not found\",\"detail\":\"there is nothing at /nothing\"}"},
		{"GET", "/", "200", "</html>"},
		{"GET", "/?x=1", "200", "\r\nContent-Security-Policy: default-src 'none'; "},
		{"POST", "/", "405", "Allow: GET, HEAD\r\n"},
		{"GET", "/v1/status/", "404", "not found"},
		{"GET", "/v1/statu", "404", "not found"},
		{"GET", "/v1/statuss", "404", "not found"},
		{"GET", "/v1/instances/", "404", "not found"},
		{"GET", "/v1/instances/pg/", "404", "not found"},
		{"GET", "/v1/instances/pg/other", "404", "not found"},
		{"GET", "/v1/instances/p%00g", "404", "not found"},
		{"GET", "/v1/instances/p%67", "200", "\"name\":\"pg\""},
		{"GET", "/v1/instances/db", "404",
		 "{\"error\":\"no such instance\",\"detail\":\"no instance is named \\\"db\\\"; there are: pg, "
		 "six\"}"},
		{"GET", "/v1/instances/d%ff%22b/active", "404", "no instance is named \\\"d?\\\"b\\\""},
		{"POST", "/v1/status", "405", "method not allowed"},
		{"DELETE", "/metrics", "405", "Allow: GET, HEAD\r\n"},
		{"OPTIONS", "/healthz", "405", "Allow: GET, HEAD\r\n"},
		{"PATCH", "/nothing", "404", "not found"},
		{"GET", "/healthz?x=1", "200", "{\"status\":\"ok\"}"},
		{"GET", "http://-/healthz", "200", "{\"status\":\"ok\"}"},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *t = world_request(w->socket, rows[i].method, rows[i].path);
		char status[32];

		snprintf(status, sizeof(status), "HTTP/1.1 %s ", rows[i].status);
		assert_has(t, status);
		assert_has(t, rows[i].part);
		free(t);
	}
}

static void
test_malformed_requests(void **state)
{
	static const char *const requests[] = {
		"\r\n\r\n",
		"GET\r\n\r\n",
		"GET / HTTP/9.9\r\n\r\n",
		"G\001T / HTTP/1.1\r\n\r\n",
		"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n",
		"\377\376\375\r\n\r\n",
		"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
		"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\nConnection: close\r\n\r\n",
	};
	struct world *w = *state;
	char big[20000];
	char *t;

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		int fd = world_connect(w->socket);

		assert_true(send(fd, requests[i], strlen(requests[i]), MSG_NOSIGNAL) > 0);
		shutdown(fd, SHUT_WR);
		t = world_read_all(fd);
		assert_has_not(t, "200 OK");
		free(t);
	}
	/* More than 8 KiB of header are refused, and not only when they end. */
	memset(big, 'x', sizeof(big));
	memcpy(big, "GET /healthz HTTP/1.1\r\nX: ", 26);
	big[sizeof(big) - 1] = '\0';
	t = world_raw(w->socket, big);
	assert_has(t, "HTTP/1.1 4");
	free(t);
	t = world_get(w, "/healthz");
	assert_has(t, "200 OK");
	free(t);
}

static void
test_pipelined_requests(void **state)
{
	struct world *w = *state;
	char *t = world_raw(w->socket, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
				       "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"
				       "GET /v1/config HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

	assert_has(t, "{\"status\":\"ok\"}");
	assert_has(t, "Content-Type: application/x-ndjson\r\n");
	assert_has(t, "node = \"proxy1\";\n");
	free(t);
}

static void
test_config_text(void **state)
{
	struct world *w = *state;
	char *t = world_request(w->ro_socket, "GET", "/v1/config");

	assert_has(t, "Content-Type: text/plain");
	assert_has(t, "\r\n\r\nnode = \"proxy1\";\n");
	free(t);
	world_send_text(w, "");
	free(get_until(w, "/v1/config", "Content-Length: 0\r\n"));
}

static void
test_metrics(void **state)
{
	struct world *w = *state;
	char *t = get_until(w, "/metrics", "\nvrrpd_check_up{check=\"haproxy\"} 1\n");

	assert_has(t, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
	assert_has(t, "vrrpd_info{version=\"" VRRPD_VERSION "\",node=\"proxy1\"} 1\n");
	assert_has(t, "# TYPE vrrpd_instance_state "
		      "gauge\nvrrpd_instance_state{instance=\"pg\",state=\"initialize\"} 0\n");
	assert_has(t, "\nvrrpd_instance_state{instance=\"pg\",state=\"active\"} 1\n");
	assert_has(t, "\nvrrpd_instance_state{instance=\"six\",state=\"fault\"} 1\n");
	assert_has(t, "\nvrrpd_instance_priority{instance=\"pg\"} 90\n");
	assert_has(t, "\nvrrpd_addresses_held{instance=\"pg\"} 1\n");
	assert_has(t, "\nvrrpd_adverts_sent_total{instance=\"pg\"} 41\n");
	assert_has(t, "\nvrrpd_adverts_received_total{instance=\"pg\"} 3\n");
	assert_has(t, "\nvrrpd_packets_discarded_total{instance=\"\",reason=\"vrid\"} 9\n");
	assert_has(t, "\nvrrpd_packets_discarded_total{instance=\"pg\",reason=\"ttl\"} 5\n");
	assert_has(t, "\nvrrpd_peer_last_heard_seconds{instance=\"pg\",peer=\"10.0.0.2\"} 1.200000\n");
	assert_has_not(t, "10.0.0.3");
	assert_has(t, "\nvrrpd_check_runs_total{check=\"haproxy\",result=\"up\"} 1\n");
	assert_has(t, "\nvrrpd_advert_lateness_seconds_bucket{le=\"0.0001\"} 40\n");
	assert_has(t, "\nvrrpd_advert_lateness_seconds_bucket{le=\"+Inf\"} 41\n");
	assert_has(t, "\nvrrpd_advert_lateness_seconds_sum 1.500777\nvrrpd_advert_lateness_seconds_count 41\n");
	assert_has(t, "\nvrrpd_advert_lateness_max_seconds 0.000777\n");
	assert_has(t, "\nvrrpd_engine_realtime 1\n");
	assert_has(t, "\nvrrpd_engine_memory_locked 0\n");
	assert_has(t, "\nvrrpd_engine_memory_lock_configured 1\n");
	assert_has(t, "\nvrrpd_engine_uptime_seconds 12.300000\n");
	free(t);
}

static void
test_metrics_of_instances_and_checks(void **state)
{
	struct world *w = *state;
	char *t = get_until(w, "/metrics", "\nvrrpd_check_duration_seconds_count{check=\"haproxy\"} 1\n");

	assert_has(t, "\nvrrpd_instance_info{instance=\"pg\",mode=\"vrrp\",interface=\"eth0\",vrid=\"51\"} 1\n");
	assert_has(t, "\nvrrpd_instance_reason{instance=\"pg\",reason=\"no_adverts\"} 1\n");
	assert_has(t, "\nvrrpd_instance_state_age_seconds{instance=\"pg\"} 4.200000\n");
	assert_has(t, "\nvrrpd_instance_base_priority{instance=\"pg\"} 150\n");
	assert_has(t, "\nvrrpd_instance_active_heard{instance=\"pg\"} 1\n");
	assert_has(t, "\nvrrpd_instance_active_heard{instance=\"six\"} 0\n");
	assert_has(t, "\nvrrpd_instance_drained{instance=\"pg\"} 0\n");
	assert_has(t, "\nvrrpd_addresses_configured{instance=\"pg\"} 2\n");
	assert_has(t, "\nvrrpd_became_active_total{instance=\"pg\"} 2\n");
	assert_has(t, "\nvrrpd_state_changes_total{instance=\"pg\"} 0\n");
	assert_has(t, "\nvrrpd_peer_priority{instance=\"pg\",peer=\"10.0.0.2\"} 90\n");
	assert_has(t, "\nvrrpd_track_up{instance=\"pg\",kind=\"check\",name=\"haproxy\"} 1\n");
	assert_has(t, "\nvrrpd_track_up{instance=\"pg\",kind=\"interface\",name=\"eth1\"} 0\n");
	assert_has(t, "\nvrrpd_check_info{check=\"haproxy\",kind=\"script\"} 1\n");
	assert_has(t, "\nvrrpd_check_state{check=\"haproxy\",state=\"up\"} 1\n");
	assert_has(t, "\nvrrpd_check_state{check=\"haproxy\",state=\"pending\"} 0\n");
	assert_has(t, "\nvrrpd_check_duration_seconds_bucket{check=\"haproxy\",le=\"+Inf\"} 1\n");
	assert_has(t, "\nvrrpd_check_last_duration_seconds{check=\"haproxy\"} ");
	assert_has(t, "\n# TYPE vrrpd_store_latency_seconds summary\n");
	assert_has_not(t, "\nvrrpd_store_latency_seconds_sum"); /* there is no store */
	assert_has_not(t, "\nvrrpd_hook_runs_total{");
	free(t);
}

/* Restarts as vrrpd tells them, of the engine and of agents before this one. */
static void
test_metrics_of_restarts(void **state)
{
	struct world *w = *state;
	struct ipc_trouble m = {.restarts = 3, .agent_restarts = 2};

	world_send(w, IPC_TROUBLE, &m);
	free(get_until(w, "/metrics", "\nvrrpd_engine_restarts_total 3\n"));
	free(get_until(w, "/metrics", "\nvrrpd_agent_restarts_total 2\n"));
}

/* Counters go on over a reload, also those of a check that is defined otherwise now. */
static void
test_counters_go_on_over_reloads(void **state)
{
	struct world *w = *state;
	struct ipc_conf_check c = world_check("haproxy", "echo '2 of 2 servers up'");

	free(get_until(w, "/metrics", "\nvrrpd_check_runs_total{check=\"haproxy\",result=\"up\"} 1\n"));
	for (unsigned runs = 2; runs < 5; runs++) {
		char want[80];

		c.timeout_us += USEC_PER_SEC;
		world_send_conf(w, &c, 1);
		world_commit(w);
		assert_true(world_wait_ready(w, w->gen));
		w->engine_gen = w->gen;
		snprintf(want, sizeof(want), "\nvrrpd_check_runs_total{check=\"haproxy\",result=\"up\"} %u\n", runs);
		free(get_until(w, "/metrics", want));
		snprintf(want, sizeof(want), "\nvrrpd_check_duration_seconds_count{check=\"haproxy\"} %u\n", runs);
		free(get_until(w, "/metrics", want));
	}
}

/* Requests that come together share a snapshot; under load there is at most one every 20 ms. */
static void
test_snapshots_are_shared(void **state)
{
	static const char request[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	struct world *w = *state;
	mono_t begin;
	usec_t took;
	int fd[200], before;

	free(world_get(w, "/healthz"));
	before = w->snaps;
	begin = clock_mono();
	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
		fd[i] = world_connect(w->socket);
		assert_int_equal(send(fd[i], request, strlen(request), MSG_NOSIGNAL), strlen(request));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
		char *t = world_read_all(fd[i]);

		assert_has(t, "\"instances\"");
		free(t);
	}
	took = mono_since(clock_mono(), begin);
	assert_in_range(w->snaps - before, 1, 2 + (int)(took / (20 * USEC_PER_MS)));
}

/* What is told is never older than the question: the state changes between two requests. */
static void
test_snapshots_are_fresh(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < 20; i++) {
		enum role_state s = i % 2 ? ROLE_STATE_BACKUP : ROLE_STATE_ACTIVE;
		char *t;

		w->state = (int)s;
		t = world_get(w, "/v1/instances/pg/active");
		assert_has(t, role_state_name(s));
		free(t);
	}
}

static void
test_silent_engine_is_503(void **state)
{
	struct world *w = *state;
	mono_t begin = clock_mono();
	char *t;

	w->silent = true;
	t = world_get(w, "/healthz");
	assert_has(t, "HTTP/1.1 503 ");
	assert_has(t, "{\"error\":\"engine does not answer\",\"detail\":\"the engine is connected and did not "
		      "answer within 1 s\"}");
	assert_in_range(mono_since(clock_mono(), begin), 900 * USEC_PER_MS, 5 * USEC_PER_SEC);
	free(t);
	t = world_get(w, "/v1/config"); /* needs no engine */
	assert_has(t, "200 OK");
	free(t);
	w->silent = false;
	t = world_get(w, "/healthz");
	assert_has(t, "200 OK");
	free(t);
}

static void
test_engine_restart_is_waited_for(void **state)
{
	struct world *w = *state;
	int fd, verdicts;
	char *t;

	free(get_until(w, "/v1/status", "2 of 2 servers up"));
	world_stop_engine(w);
	t = world_get(w, "/v1/status");
	assert_has(t, "503");
	assert_has(t, "no engine is connected");
	free(t);
	fd = world_connect(w->socket);
	assert_true(send(fd, "GET /healthz HTTP/1.0\r\n\r\n", 25, MSG_NOSIGNAL) == 25);
	verdicts = w->verdicts;
	world_start_engine(w);
	t = world_read_all(fd);
	assert_has(t, "200 OK");
	free(t);
	/* The new engine was told the verdict although no check ran since. */
	assert_int_equal(w->verdicts, verdicts + 1);
	assert_int_equal(w->verdict_state, IPC_CHECK_UP);
}

static void
test_engine_of_another_generation(void **state)
{
	struct world *w = *state;
	char *t;

	w->engine_gen = w->gen + 1;
	t = world_get(w, "/v1/status");
	assert_has(t, "the engine has not taken over the present configuration yet");
	free(t);
	w->engine_gen = w->gen;
	t = world_get(w, "/v1/status");
	assert_has(t, "200 OK");
	free(t);
}

static void
test_unchanged_check_survives_reload(void **state)
{
	struct world *w = *state;
	struct ipc_conf_check c[2] = {world_check("other", "echo other"),
				      world_check("haproxy", "echo '2 of 2 servers up'")};
	char *t;

	free(get_until(w, "/metrics", "vrrpd_check_runs_total{check=\"haproxy\",result=\"up\"} 1"));
	c[0].fall = 7;
	world_send_conf(w, c, 2);
	world_commit(w);
	assert_true(world_wait_ready(w, w->gen));
	w->engine_gen = w->gen;
	t = get_until(w, "/metrics", "vrrpd_check_runs_total{check=\"other\",result=\"up\"} 1");
	assert_has(t, "vrrpd_check_runs_total{check=\"haproxy\",result=\"up\"} 1");
	free(t);
}

static bool
is_closed(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char c;

	return poll(&p, 1, 0) == 1 && recv(fd, &c, 1, MSG_DONTWAIT) <= 0;
}

static void
test_too_many_connections_are_closed(void **state)
{
	enum { N = 1200, MAX = 1024 };
	struct world *w = *state;
	mono_t deadline = mono_add(clock_mono(), WORLD_WAIT_US);
	int fd[N], closed;
	char *t;

	world_raise_file_limit(N + 64);
	for (unsigned i = 0; i < N; i++)
		fd[i] = world_connect(w->socket);
	do {
		closed = 0;
		for (unsigned i = 0; i < N; i++)
			closed += is_closed(fd[i]);
		assert_false(mono_due(clock_mono(), deadline));
	} while (closed < N - MAX);
	assert_int_equal(closed, N - MAX);
	/* Those that came first have been idle longest; whoever comes now is answered. */
	for (unsigned i = 0; i < N - MAX; i++)
		assert_true(is_closed(fd[i]));
	t = world_get(w, "/healthz");
	assert_has(t, "200 OK");
	free(t);
	assert_int_equal(send(fd[N - 1], "GET /healthz HTTP/1.0\r\n\r\n", 25, MSG_NOSIGNAL), 25);
	for (unsigned i = 0; i < N - 1; i++)
		close(fd[i]);
	t = world_read_all(fd[N - 1]);
	assert_has(t, "200 OK");
	free(t);
	free(get_until(w, "/healthz", "200 OK"));
	for (unsigned round = 0; round < 2000; round++)
		close(world_connect(w->socket));
	free(get_until(w, "/healthz", "200 OK"));
}

/* Who goes away while his snapshot is on its way is forgotten without harm. */
static void
test_client_leaves_while_waiting(void **state)
{
	struct world *w = *state;

	w->silent = true;
	for (unsigned i = 0; i < 50; i++) {
		int fd = world_connect(w->socket);

		assert_int_equal(send(fd, "GET /v1/status HTTP/1.1\r\n\r\n", 27, MSG_NOSIGNAL), 27);
		if (i % 2) {
			struct linger off = {.l_onoff = 1};

			setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
		}
		close(fd);
	}
	free(get_until(w, "/healthz", "503"));
	w->silent = false;
	free(get_until(w, "/healthz", "200 OK"));
}

/* Readers that do not read hold no more than their share, and the next request is answered. */
static void
test_slow_readers(void **state)
{
	struct world *w = *state;
	int fd[100];

	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
		fd[i] = world_connect(w->socket);
		for (unsigned k = 0; k < 3; k++)
			assert_true(send(fd[i], "GET /v1/status HTTP/1.1\r\n\r\n", 27, MSG_NOSIGNAL) == 27);
	}
	free(get_until(w, "/healthz", "200 OK"));
	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
}

static int
setup_large(void **state)
{
	*state = world_start(253);
	return 0;
}

static size_t
rss_kb(pid_t pid)
{
	char path[64], line[256];
	size_t kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			kb = strtoul(line + 6, NULL, 10);
	fclose(f);
	assert_true(kb > 0);
	return kb;
}

/* How many of n octets come. */
static size_t
read_some(int fd, size_t n)
{
	static char buf[65536];
	size_t got = 0;

	while (got < n) {
		ssize_t r = recv(fd, buf, MIN(sizeof(buf), n - got), 0);

		if (r <= 0)
			break;
		got += (size_t)r;
	}
	return got;
}

/* Each reader holds back a document of another snapshot; whoever has been reading longest makes room. */
static void
test_slow_readers_of_large_documents(void **state)
{
	enum { N = 180, OCTETS = 500000 };
	struct world *w = *state;
	size_t before;
	int fd[N], closed = 0;
	char c;

	free(world_get(w, "/v1/status"));
	before = rss_kb(w->agent);
	for (unsigned i = 0; i < N; i++) {
		fd[i] = world_connect(w->socket);
		assert_int_equal(send(fd[i], "GET /v1/status HTTP/1.1\r\n\r\n", 27, MSG_NOSIGNAL), 27);
		assert_int_equal(recv(fd[i], &c, 1, 0), 1);
	}
	free(get_until(w, "/healthz", "200 OK"));
	for (unsigned i = 0; i < N; i++) {
		struct pollfd p = {.fd = fd[i], .events = POLLRDHUP};

		if (poll(&p, 1, 0) > 0) {
			assert_int_equal(i, closed); /* the oldest ones */
			closed++;
		}
	}
	print_message("%d of %d slow readers cut off, %zu KiB more than before\n", closed, N, rss_kb(w->agent) - before);
	assert_in_range(closed, N - (64 << 20) / OCTETS - 1, N - 1);
	/* The rest are not harmed. */
	for (unsigned i = 0; i < N - 1; i++)
		close(fd[i]);
	assert_int_equal(read_some(fd[N - 1], OCTETS), OCTETS);
	close(fd[N - 1]);
}

/* The shortest of a few questions, each after a pause in which the agent is idle. */
static usec_t
time_of(struct world *w, const char *path, const char *part, size_t *ret_len)
{
	usec_t best = USEC_INFINITY;

	for (unsigned i = 0; i < 10; i++) {
		mono_t begin;
		char *t;

		usleep(25000); /* longer than the pause between snapshots under load */
		begin = clock_mono();
		t = world_get(w, path);
		best = MIN(best, mono_since(clock_mono(), begin));
		assert_has(t, part);
		*ret_len = strlen(t);
		free(t);
	}
	return best;
}

/* How long 255 instances take is printed, for the reader of the test's output. */
static void
test_large_configuration(void **state)
{
	size_t len;
	usec_t us;

	us = time_of(*state, "/v1/status", "\"name\":\"extra252\"", &len);
	print_message("status of 255 instances: %zu octets in %llu us\n", len, (unsigned long long)us);
	us = time_of(*state, "/metrics", "vrrpd_adverts_sent_total{instance=\"extra252\"} 41", &len);
	print_message("metrics of 255 instances: %zu octets in %llu us\n", len, (unsigned long long)us);
	us = time_of(*state, "/healthz", "ok", &len);
	print_message("health with 255 instances: %llu us\n", (unsigned long long)us);
}

/* ---- bad parents and engines ----------------------------------------------------------------- */

static void
test_before_the_configuration(void **state)
{
	struct world *w = *state;
	char *t;

	world_listen(w, w->socket, true);
	t = world_get(w, "/v1/status");
	assert_has(t, "503");
	assert_has(t, "no configuration has come from vrrpd yet");
	free(t);
	t = world_get(w, "/v1/config");
	assert_has(t, "503");
	free(t);
}

/* The agent ends with status 1 and says why. */
static void
assert_dies(struct world *w, const char *why)
{
	assert_false(world_wait_ready(w, UINT32_MAX));
	assert_int_equal(world_exit_status(w), 1);
	assert_has(w->log, why);
}

static void
test_commit_of_an_incomplete_generation(void **state)
{
	struct world *w = *state;
	struct ipc_conf_begin m = {.n_instances = 1, .n_events = 10};

	str_copy(m.node, sizeof(m.node), "proxy1");
	world_send(w, IPC_CONF_BEGIN, &m);
	world_commit(w);
	assert_dies(w, "bad configuration from vrrpd, message CONF_COMMIT: the generation ends before all of "
		       "it has come");
}

static void
test_totals_beyond_the_limits(void **state)
{
	struct world *w = *state;
	struct ipc_conf_begin m = {.n_addresses = LIMIT_ADDRESSES_ALL + 1};

	str_copy(m.node, sizeof(m.node), "proxy1");
	world_send(w, IPC_CONF_BEGIN, &m);
	assert_dies(w, "a total is above its limit");
}

static void
test_check_with_a_command_without_end(void **state)
{
	struct world *w = *state;
	struct ipc_conf_begin m = {.n_checks = 1, .n_events = 10};
	struct ipc_conf_check c = world_check("haproxy", "");

	str_copy(m.node, sizeof(m.node), "proxy1");
	world_send(w, IPC_CONF_BEGIN, &m);
	memset(c.command, '/', sizeof(c.command));
	world_send(w, IPC_CONF_CHECK, &c);
	assert_dies(w, "a script check has a bad command");
}

static void
test_check_graded_beyond_the_limits(void **state)
{
	struct world *w = *state;
	struct ipc_conf_begin m = {.n_checks = 2, .n_events = 10};
	struct ipc_conf_check good = world_check("haproxy", ""), bad = world_check("load", "");

	str_copy(m.node, sizeof(m.node), "proxy1");
	world_send(w, IPC_CONF_BEGIN, &m);
	good.scale = -253;
	good.hysteresis = 100;
	good.decay_us = good.warmup_us = 86400 * (uint64_t)USEC_PER_SEC;
	world_send(w, IPC_CONF_CHECK, &good);
	bad.scale = 1;
	bad.decay_us = good.decay_us + 1;
	world_send(w, IPC_CONF_CHECK, &bad);
	assert_dies(w, "a check has a bad value");
}

static void
test_octets_that_are_no_message(void **state)
{
	struct world *w = *state;

	assert_int_equal(send(w->parent.fd, "garbage", 7, 0), 7);
	assert_dies(w, "a message that is none from vrrpd");
}

static void
test_engine_that_lies(void **state)
{
	struct world *w = *state;
	struct ipc_event m = {.h.gen = w->gen, .index = 99};

	assert_int_equal(ipc_chan_send(&w->engine, IPC_EVENT, &m, -1), 0);
	assert_dies(w, "bad message EVENT from the engine");
}

/* Found by fuzz_agent: explain reckons with the priority. */
static void
test_snapshot_without_priority(void **state)
{
	struct world *w = *state;
	struct ipc_snap_engine all = {.h.gen = w->gen, .n_instances = 2};
	struct ipc_snap_instance one = {.h.gen = w->gen, .state = ROLE_STATE_BACKUP};
	static const char request[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";
	mono_t deadline = mono_add(clock_mono(), WORLD_WAIT_US);
	int client;

	world_stop_engine(w);
	w->silent = true;
	world_start_engine(w);
	client = world_connect(w->socket);
	assert_int_equal(send(client, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	while (w->snaps == 0) {
		assert_false(mono_due(clock_mono(), deadline));
		usleep(1000);
	}
	assert_int_equal(ipc_chan_send(&w->engine, IPC_SNAP_ENGINE, &all, -1), 0);
	assert_int_equal(ipc_chan_send(&w->engine, IPC_SNAP_INSTANCE, &one, -1), 0);
	assert_dies(w, "bad message SNAP_INSTANCE from the engine");
	close(client);
}

static void
test_unasked_snapshot(void **state)
{
	struct world *w = *state;

	world_send_snap(w, 4711);
	assert_dies(w, "bad message SNAP_ENGINE from the engine");
}

static void
test_stop(void **state)
{
	struct world *w = *state;
	struct ipc_stop m = {0};

	world_send(w, IPC_STOP, &m);
	assert_false(world_wait_ready(w, UINT32_MAX));
	assert_int_equal(world_exit_status(w), 0);
}

static void
test_started_by_hand(void **state)
{
	char dir[PATH_MAX], command[PATH_MAX + 64], text[256] = "";
	FILE *f;

	(void)state;
	world_build_dir(dir, sizeof(dir));
	snprintf(command, sizeof(command), "%s/vrrpd-agent 2>&1 3>&-", dir);
	f = popen(command, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	assert_string_equal(text, "vrrpd-agent is started by vrrpd and not by hand; start vrrpd instead.\n");
	assert_null(fgets(text, sizeof(text), f));
	assert_int_equal(WEXITSTATUS(pclose(f)), 2);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
#define BARE(f) cmocka_unit_test_setup_teardown(f, world_setup_bare, world_teardown)
	const struct CMUnitTest tests[] = {
		T(test_status_document),
		T(test_status_warns_of_differences),
		T(test_status_of_ipv6_in_fault),
		T(test_active_for_load_balancers),
		T(test_unknown_things),
		T(test_malformed_requests),
		T(test_pipelined_requests),
		T(test_config_text),
		T(test_metrics),
		T(test_metrics_of_instances_and_checks),
		T(test_metrics_of_restarts),
		T(test_counters_go_on_over_reloads),
		T(test_snapshots_are_shared),
		T(test_snapshots_are_fresh),
		T(test_silent_engine_is_503),
		T(test_engine_restart_is_waited_for),
		T(test_engine_of_another_generation),
		T(test_unchanged_check_survives_reload),
		T(test_too_many_connections_are_closed),
		T(test_client_leaves_while_waiting),
		T(test_slow_readers),
		cmocka_unit_test_setup_teardown(test_slow_readers_of_large_documents, setup_large, world_teardown),
		cmocka_unit_test_setup_teardown(test_large_configuration, setup_large, world_teardown),
		BARE(test_before_the_configuration),
		BARE(test_commit_of_an_incomplete_generation),
		BARE(test_totals_beyond_the_limits),
		BARE(test_check_with_a_command_without_end),
		BARE(test_check_graded_beyond_the_limits),
		BARE(test_octets_that_are_no_message),
		T(test_engine_that_lies),
		T(test_snapshot_without_priority),
		T(test_unasked_snapshot),
		T(test_stop),
		cmocka_unit_test(test_started_by_hand),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
