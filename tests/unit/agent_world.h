/*
 * agent_world.h - a fake parent and a fake engine around the real vrrpd-agent, for test_api.c and test_ctl.c.
 *
 * world_start() starts the program that was built beside the test, sends it a configuration, a socket and a
 * channel to an engine that a thread plays. Everything ends with world_stop(), also after a failed test.
 */
#ifndef TESTS_UNIT_AGENT_WORLD_H
#define TESTS_UNIT_AGENT_WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "elect/elect.h"
#include "ipc/ipc_chan.h"
#include "sys/clock.h"

#define WORLD_WAIT_US (10 * USEC_PER_SEC)

struct world {
	char dir[64], socket[LIMIT_PATH], ro_socket[LIMIT_PATH];
	pid_t agent;
	int exit_status; /* of the agent, once world_exit_status() was asked */
	struct ipc_chan parent;
	char log[4096]; /* lines of the agent */
	uint32_t gen;
	/* the engine's thread */
	pthread_t thread;
	bool thread_runs;
	struct ipc_chan engine;
	atomic_bool quit, silent;
	atomic_int snaps;	      /* snapshots asked for */
	atomic_int verdicts;	      /* IPC_CHECK messages */
	atomic_int verdict_state;     /* of check 0, the last one told */
	atomic_uint verdict_gen;      /* its generation */
	atomic_ullong verdict_gap_us; /* the longest time between two */
	atomic_uint engine_gen;	      /* generation of its snapshots */
	atomic_int state;	      /* enum role_state of instance 0 */
	atomic_int extra;	      /* more instances, for size */
	uint32_t n_events;	      /* control.events; 0: 1000 */
	int events_fd;		      /* the memory of events, handed to each agent; 0: none */
};

/* The folder of the test program's build, without a slash at its end. */
static inline void
world_build_dir(char *buf, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", buf, size - 1);

	assert_true(n > 0);
	buf[n] = '\0';
	*strrchr(buf, '/') = '\0'; /* tests/test_x */
	*strrchr(buf, '/') = '\0'; /* tests */
}

static inline struct ip_addr
world_addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}

/* ---- the engine ------------------------------------------------------------------------------ */

static inline void
world_send_instance(struct world *w, uint32_t index, uint64_t now)
{
	struct ipc_snap_instance m = {.h.gen = w->engine_gen, .index = index, .state = ROLE_STATE_FAULT};
	struct ipc_snap_held held = {.h.gen = w->engine_gen, .index = index, .n = index == 1 ? 1 : 2};

	m.since_us = now - 4200 * USEC_PER_MS;
	m.cause.reason = ROLE_REASON_CHECK_FAILED;
	str_copy(m.cause.name, sizeof(m.cause.name), "haproxy");
	m.priority = 90;
	m.link = ELECT_LINK_UP;
	m.transitions = 2;
	m.counters.adverts_sent = 41;
	m.counters.adverts_received = 3;
	m.counters.discarded[VRRP_DROP_TTL] = 5;
	if (index != 1) {
		m.state = (uint8_t)w->state;
		m.n_held = 1;
		m.source = world_addr("10.0.0.1");
		m.active_known = m.active_self = 1;
		m.active_addr = m.source;
		m.active_priority = 90;
		m.tracks[0] = ELECT_TRACK_UP;
		m.tracks[1] = ELECT_TRACK_DOWN;
		m.n_peers = 2;
		m.peers[0] = (struct ipc_peer){.addr = world_addr("10.0.0.2"),
					       .priority = 90,
					       .version = 3,
					       .form = VRRP_CHECKSUM_RFC5798,
					       .addresses_differ = 1,
					       .adver_int_cs = 100,
					       .heard_us = now - 1200 * USEC_PER_MS};
		m.peers[1] = (struct ipc_peer){.addr = world_addr("10.0.0.3")};
		m.cause = (struct role_cause){
			.reason = ROLE_REASON_NO_ADVERTS, .addr = world_addr("10.0.0.2"), .a = 361000};
		held.held[0] = 1;
	}
	assert_int_equal(ipc_chan_send(&w->engine, IPC_SNAP_INSTANCE, &m, -1), 0);
	assert_int_equal(ipc_chan_send(&w->engine, IPC_SNAP_HELD, &held, -1), 0);
}

static inline void
world_send_snap(struct world *w, uint32_t token)
{
	uint32_t n = 2 + (uint32_t)w->extra;
	uint64_t now = clock_mono().us;
	struct ipc_snap_engine m = {.h.gen = w->engine_gen,
				    .now_us = now,
				    .started_us = now - 12300 * USEC_PER_MS,
				    .n_instances = n};
	struct ipc_snap_end end = {.token = token};

	m.advert_late_max_us = 777;
	m.advert_late_sum_us = 1500777;
	m.advert_late[0] = 40;
	m.advert_late[2] = 1;
	m.discarded[VRRP_DROP_VRID] = 9;
	m.realtime = 1;
	assert_int_equal(ipc_chan_send(&w->engine, IPC_SNAP_ENGINE, &m, -1), 0);
	for (uint32_t i = 0; i < n; i++)
		world_send_instance(w, i, now);
	assert_int_equal(ipc_chan_send(&w->engine, IPC_SNAP_END, &end, -1), 0);
}

static inline void
world_note_verdict(struct world *w, const struct ipc_check *m, mono_t *last)
{
	mono_t now = clock_mono();

	w->verdicts++;
	if (m->check != 0)
		return;
	if (mono_before(*last, now))
		w->verdict_gap_us = MAX(w->verdict_gap_us, mono_since(now, *last));
	*last = now;
	w->verdict_gen = m->h.gen;
	w->verdict_state = m->state;
}

static inline void *
world_engine_thread(void *arg)
{
	struct world *w = arg;
	union ipc_msg m;
	mono_t last = MONO_NEVER;
	int fd;

	while (!w->quit) {
		struct pollfd p = {.fd = w->engine.fd, .events = POLLIN};

		if (poll(&p, 1, 20) <= 0)
			continue;
		while (ipc_chan_recv(&w->engine, &m, &fd) == 1) {
			if (m.h.type == IPC_CHECK)
				world_note_verdict(w, &m.CHECK, &last);
			if (m.h.type != IPC_SNAP_GET)
				continue;
			w->snaps++;
			if (!w->silent)
				world_send_snap(w, m.SNAP_GET.token);
		}
	}
	return NULL;
}

static inline void
world_stop_engine(struct world *w)
{
	w->quit = true;
	if (w->thread_runs)
		pthread_join(w->thread, NULL);
	w->thread_runs = false;
	ipc_chan_close(&w->engine);
}

/* A new engine and its channel, in place of an older one. */
static inline void
world_start_engine(struct world *w)
{
	struct ipc_link link = {0};
	int pair[2];

	world_stop_engine(w);
	w->quit = false;
	assert_int_equal(ipc_chan_pair(pair), 0);
	ipc_chan_init(&w->engine, pair[0], IPC_ENGINE_TO_AGENT, IPC_AGENT_TO_ENGINE);
	assert_int_equal(ipc_chan_send(&w->parent, IPC_LINK, &link, pair[1]), 0);
	close(pair[1]);
	assert_int_equal(pthread_create(&w->thread, NULL, world_engine_thread, w), 0);
	w->thread_runs = true;
}

/* ---- the parent ------------------------------------------------------------------------------ */

/* Wait for a READY of this generation; log lines are kept on the way. False when the agent ended instead. */
static inline bool
world_wait_ready(struct world *w, uint32_t gen)
{
	mono_t deadline = mono_add(clock_mono(), WORLD_WAIT_US);
	union ipc_msg m;
	int fd;

	for (;;) {
		struct pollfd p = {.fd = w->parent.fd, .events = POLLIN};
		int r;

		assert_false(mono_due(clock_mono(), deadline));
		if (poll(&p, 1, 100) <= 0)
			continue;
		r = ipc_chan_recv(&w->parent, &m, &fd);
		if (r < 0)
			return false;
		if (r == 1 && m.h.type == IPC_READY && m.h.gen == gen)
			return true;
		if (r == 1 && m.h.type == IPC_LOG) {
			size_t used = strlen(w->log);

			snprintf(w->log + used, sizeof(w->log) - used, "%s\n", m.LOG.text);
		}
	}
}

static inline void
world_send(struct world *w, enum ipc_type type, void *m)
{
	((struct ipc_head *)m)->gen = w->gen;
	assert_int_equal(ipc_chan_send(&w->parent, type, m, -1), 0);
}

static inline struct ipc_conf_check
world_check(const char *name, const char *shell)
{
	struct ipc_conf_check c = {
		.interval_us = 3600 * USEC_PER_SEC, .timeout_us = 5 * USEC_PER_SEC, .rise = 1, .fall = 1};

	str_copy(c.name, sizeof(c.name), name);
	memcpy(c.command, "/bin/sh\0-c", 11);
	str_copy(c.command + 11, sizeof(c.command) - 11, shell);
	c.n_command = 3;
	return c;
}

static inline void
world_send_address(struct world *w, const char *prefix, bool extra)
{
	struct ipc_conf_address m = {.extra = extra};

	assert_int_equal(ip_prefix_parse(prefix, &m.prefix), 0);
	str_copy(m.ifname, sizeof(m.ifname), "eth0");
	world_send(w, IPC_CONF_ADDRESS, &m);
}

/* Instance 0 ("pg") and its like: v3 over IPv4, one address and an extra one, a check with weight and an
 * interface. */
static inline void
world_send_pg(struct world *w, const char *name)
{
	struct ipc_conf_instance m = {
		.n_addresses = 2, .n_tracks = 2, .adver_int_cs = 10, .down_adverts = 3, .version = 3, .vrid = 51};
	struct ipc_conf_track check = {.has_weight = 1, .weight = -60}, link = {.is_interface = 1};

	m.family = IP_FAMILY_V4;
	m.priority = 150;
	m.preempt = 1;
	str_copy(m.name, sizeof(m.name), name);
	str_copy(m.ifname, sizeof(m.ifname), "eth0");
	world_send(w, IPC_CONF_INSTANCE, &m);
	world_send_address(w, "192.168.34.85/24", false);
	world_send_address(w, "192.168.34.86/24", true);
	str_copy(check.name, sizeof(check.name), "haproxy");
	world_send(w, IPC_CONF_TRACK, &check);
	str_copy(link.name, sizeof(link.name), "eth1");
	world_send(w, IPC_CONF_TRACK, &link);
}

/* Instance 1 ("six"): v3 over IPv6 with a unicast peer. */
static inline void
world_send_six(struct world *w)
{
	struct ipc_conf_instance m = {
		.n_addresses = 1, .n_peers = 1, .adver_int_cs = 100, .down_adverts = 3, .version = 3, .vrid = 52};
	struct ipc_conf_peer peer = {.addr = world_addr("fe80::2")};

	m.family = IP_FAMILY_V6;
	m.priority = 90;
	m.unicast = 1;
	str_copy(m.name, sizeof(m.name), "six");
	str_copy(m.ifname, sizeof(m.ifname), "eth0");
	world_send(w, IPC_CONF_INSTANCE, &m);
	world_send_address(w, "2001:db8::85/64", false);
	world_send(w, IPC_CONF_PEER, &peer);
}

/* Begin generation w->gen + 1 and send all but its COMMIT. */
static inline void
world_send_conf(struct world *w, const struct ipc_conf_check *checks, uint32_t n_checks)
{
	uint32_t extra = (uint32_t)w->extra;
	struct ipc_conf_begin m = {.n_checks = n_checks,
				   .n_instances = 2 + extra,
				   .n_addresses = 3 + 2 * extra,
				   .n_peers = 1,
				   .n_tracks = 2 + 2 * extra,
				   .realtime_priority = 50,
				   .n_events = w->n_events != 0 ? w->n_events : 1000,
				   .lock_memory = 1};

	w->gen++;
	str_copy(m.node, sizeof(m.node), "proxy1");
	world_send(w, IPC_CONF_BEGIN, &m);
	for (uint32_t i = 0; i < n_checks; i++) {
		struct ipc_conf_check c = checks[i];

		world_send(w, IPC_CONF_CHECK, &c);
	}
	world_send_pg(w, "pg");
	world_send_six(w);
	for (uint32_t i = 0; i < extra; i++) {
		char name[LIMIT_NAME];

		snprintf(name, sizeof(name), "extra%u", i);
		world_send_pg(w, name);
	}
}

static inline void
world_commit(struct world *w)
{
	struct ipc_conf_commit m = {0};

	world_send(w, IPC_CONF_COMMIT, &m);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Start vrrpd-agent with one end of a new channel on descriptor 3. */
static inline void
world_start_agent(struct world *w)
{
	char path[PATH_MAX];
	int pair[2];

	world_build_dir(path, sizeof(path) - 16);
	strcat(path, "/vrrpd-agent");
	assert_int_equal(ipc_chan_pair(pair), 0);
	ipc_chan_init(&w->parent, pair[0], IPC_PARENT_TO_AGENT, IPC_AGENT_TO_PARENT);
	w->agent = fork();
	assert_true(w->agent >= 0);
	if (w->agent == 0) {
		if (pair[1] == IPC_CHAN_FD)
			fcntl(IPC_CHAN_FD, F_SETFD, 0);
		else
			dup2(pair[1], IPC_CHAN_FD);
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
}

/* A listening Unix socket at `path`, handed over. */
static inline void
world_listen(struct world *w, const char *path, bool control)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct ipc_listen m = {.control = control};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	str_copy(sa.sun_path, sizeof(sa.sun_path), path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1024), 0);
	assert_int_equal(ipc_chan_send(&w->parent, IPC_LISTEN, &m, fd), 0);
	close(fd);
}

/* The agent alone, without configuration and sockets. */
static inline struct world *
world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->engine.fd = -1;
	w->state = ROLE_STATE_ACTIVE;
	w->exit_status = -1;
	w->gen = 6;
	snprintf(w->dir, sizeof(w->dir), "/tmp/vrrpd-test-agent-%d-XXXXXX", (int)getpid());
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->socket, sizeof(w->socket), "%s/vrrpd.sock", w->dir);
	snprintf(w->ro_socket, sizeof(w->ro_socket), "%s/ro.sock", w->dir);
	world_start_agent(w);
	return w;
}

static inline void
world_send_text(struct world *w, const char *text)
{
	struct ipc_conf_text m = {.size = (uint32_t)strlen(text)};
	int fd = memfd_create("config", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(ipc_chan_send(&w->parent, IPC_CONF_TEXT, &m, fd), 0);
	close(fd);
}

/* What the parent gives a new agent, and an engine. */
static inline void
world_equip(struct world *w)
{
	struct ipc_conf_check c = world_check("haproxy", "echo '2 of 2 servers up'");
	struct ipc_memory_fd memory = {0};

	if (w->events_fd > 0)
		assert_int_equal(ipc_chan_send(&w->parent, IPC_MEMORY, &memory, w->events_fd), 0);
	world_listen(w, w->socket, true);
	world_listen(w, w->ro_socket, false);
	world_send_text(w, "node = \"proxy1\";\n");
	world_send_conf(w, &c, 1);
	world_commit(w);
	assert_true(world_wait_ready(w, w->gen));
	w->engine_gen = w->gen;
	world_start_engine(w);
}

/* Everything in place, `extra` more instances than the two. */
static inline struct world *
world_start(int extra)
{
	struct world *w = world_new();

	w->extra = extra;
	world_equip(w);
	return w;
}

/* Wait for the agent's end. Its exit status, or 1000 plus a signal. */
static inline int
world_exit_status(struct world *w)
{
	mono_t deadline = mono_add(clock_mono(), WORLD_WAIT_US);
	int status;

	if (w->agent <= 0)
		return w->exit_status;
	while (waitpid(w->agent, &status, WNOHANG) == 0) {
		assert_false(mono_due(clock_mono(), deadline));
		usleep(1000);
	}
	w->agent = 0;
	w->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
	return w->exit_status;
}

/* End everything; the agent must end by itself when its channel closes, and without complaint. */
static inline void
world_stop(struct world *w)
{
	char command[128];
	int status = 0;

	ipc_chan_close(&w->parent);
	if (w->agent > 0) /* else the test has judged its end */
		status = world_exit_status(w);
	world_stop_engine(w);
	if (w->events_fd > 0)
		close(w->events_fd);
	snprintf(command, sizeof(command), "rm -rf %s", w->dir);
	assert_int_equal(system(command), 0);
	free(w);
	assert_int_equal(status, 0);
}

/* ---- the client ------------------------------------------------------------------------------ */

static inline int
world_connect(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = 10};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	str_copy(sa.sun_path, sizeof(sa.sun_path), path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* This process needs so many descriptors. */
static inline void
world_raise_file_limit(rlim_t n)
{
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
	if (r.rlim_cur < n)
		r.rlim_cur = MIN(n, r.rlim_max);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &r), 0);
	assert_true(r.rlim_cur >= n);
}

/* Read to the end of the connection; the text is the caller's. */
static inline char *
world_read_all(int fd)
{
	size_t size = 1 << 16, n = 0;
	char *text = malloc(size);

	for (;;) {
		ssize_t r;

		assert_non_null(text);
		r = read(fd, text + n, size - n - 1);
		if (r <= 0)
			break;
		n += (size_t)r;
		if (n + 1 == size) {
			size *= 2;
			text = realloc(text, size);
		}
	}
	text[n] = '\0';
	close(fd);
	return text;
}

/* Send a request that is given in full and read the whole answer. */
static inline char *
world_raw(const char *socket, const char *request)
{
	int fd = world_connect(socket);

	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	return world_read_all(fd);
}

static inline char *
world_request(const char *socket, const char *method, const char *path)
{
	char request[1024];

	snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method,
		 path);
	return world_raw(socket, request);
}

static inline char *
world_get(struct world *w, const char *path)
{
	return world_request(w->socket, "GET", path);
}

/* The text has this part; prints all of it when it has not. */
static inline void
assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("no \"%s\" in:\n%s", part, text);
}

static inline void
assert_has_not(const char *text, const char *part)
{
	if (strstr(text, part) != NULL)
		fail_msg("\"%s\" in:\n%s", part, text);
}

/* Fixtures of cmocka: the program with its configuration and an engine, or without both; its end. */
static inline int
world_setup(void **state)
{
	*state = world_start(0);
	return 0;
}

static inline int
world_setup_bare(void **state)
{
	*state = world_new();
	return 0;
}

static inline int
world_teardown(void **state)
{
	world_stop(*state);
	return 0;
}

/* Ask for `path` until the answer has `part`; the last answer is the caller's. */
static inline char *
get_until(struct world *w, const char *path, const char *part)
{
	mono_t deadline = mono_add(clock_mono(), WORLD_WAIT_US);

	for (;;) {
		char *text = world_get(w, path);

		if (strstr(text, part) != NULL || mono_due(clock_mono(), deadline)) {
			assert_has(text, part);
			return text;
		}
		free(text);
		usleep(5000);
	}
}

#endif
