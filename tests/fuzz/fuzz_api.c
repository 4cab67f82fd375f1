/*
 * fuzz_api.c - the status API: whatever clients write, through libevent's HTTP server, on both sockets, with an
 * engine and a vrrpd that answer.
 *
 * The first octet is the socket; the rest is written in pieces, each begins with its length, some lengths mean
 * something else. Whatever is answered is HTTP, and no request is left over when the connections are closed.
 */
#include "fuzz/fuzz_agent.h"

#include <sys/mman.h>
#include <sys/un.h>

#define CLIENTS	  3
#define TURNS	  5 /* of libevent's loop, for a request that it has in hand */
#define REPLY_MAX (1 << 20)

struct client {
	int fd;
	size_t got;
	char begin[16]; /* of what it was answered */
};

#define CONFIG "node = \"n\";\n"

static int listeners[2], config;
static struct sockaddr_un names[2];
static socklen_t name_len;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	config = memfd_create("config", MFD_CLOEXEC);
	FUZZ_CHECK(config >= 0 && write(config, CONFIG, strlen(CONFIG)) == (ssize_t)strlen(CONFIG));
	for (int i = 0; i < 2; i++) {
		names[i] = (struct sockaddr_un){.sun_family = AF_UNIX};
		/* No file: the name begins with a NUL. */
		snprintf(names[i].sun_path + 1, sizeof(names[i].sun_path) - 1, "vrrpd-fuzz-%08d-%d",
			 (int)getpid(), i);
		name_len =
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(names[i].sun_path + 1));
		listeners[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		FUZZ_CHECK(bind(listeners[i], (struct sockaddr *)&names[i], name_len) == 0);
		FUZZ_CHECK(listen(listeners[i], 64) == 0);
	}
	return 0;
}

/* What the agent asked of vrrpd and of the engine is answered. */
static void
serve(struct fuzz_agent *w)
{
	struct ipc_chan engine, parent;
	union ipc_msg m;
	int fd;

	ipc_chan_init(&engine, w->engine.fd, IPC_ENGINE_TO_AGENT, IPC_AGENT_TO_ENGINE);
	while (ipc_chan_recv(&engine, &m, &fd) == 1) {
		struct ipc_control_reply reply = {
			.token = m.CONTROL.token, .state = ROLE_STATE_BACKUP, .priority = 150};

		if (m.h.type == IPC_SNAP_GET)
			fuzz_agent_snap(w, m.SNAP_GET.token);
		else if (m.h.type == IPC_CONTROL)
			fuzz_ipc_send(&w->engine, IPC_CONTROL_REPLY, &reply);
	}
	ipc_chan_init(&parent, w->parent.fd, IPC_PARENT_TO_AGENT, IPC_AGENT_TO_PARENT);
	while (ipc_chan_recv(&parent, &m, &fd) == 1) {
		struct ipc_reload_line line = {.token = m.RELOAD.token, .text = "priority: 150 -> 100"};
		struct ipc_reload_done done = {.token = m.RELOAD.token, .ok = 1, .n_changed = 1};

		if (fd >= 0)
			close(fd);
		if (m.h.type != IPC_RELOAD)
			continue;
		fuzz_ipc_send(&w->parent, IPC_RELOAD_LINE, &line);
		fuzz_ipc_send(&w->parent, IPC_RELOAD_DONE, &done);
	}
}

/* Read what is there; only its beginning is kept. */
static void
read_reply(struct client *c)
{
	static char buf[65536];
	ssize_t n;

	while ((n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		size_t room = sizeof(c->begin) - 1 - MIN(c->got, sizeof(c->begin) - 1);

		memcpy(c->begin + MIN(c->got, sizeof(c->begin) - 1), buf, MIN((size_t)n, room));
		c->got += (size_t)n;
		FUZZ_CHECK(c->got < REPLY_MAX * 16);
	}
	FUZZ_CHECK(strncmp(c->begin, "HTTP/", MIN(c->got, (size_t)5)) == 0);
}

static void
turn(struct fuzz_agent *w, struct client *clients)
{
	for (unsigned n = 0; n < TURNS; n++) {
		event_base_loop(loop_event_base(w->a.loop), EVLOOP_NONBLOCK);
		fuzz_pass(w->a.loop, 10 * USEC_PER_MS); /* snapshots are asked for every 20 ms */
		serve(w);
		fuzz_agent_hear(w);
		FUZZ_CHECK(fuzz_agent_take(w));
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		if (clients[i].fd >= 0)
			read_reply(&clients[i]);
}

static void
open_client(struct client *c, bool control)
{
	if (c->fd >= 0)
		return;
	*c = (struct client){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
	FUZZ_CHECK(c->fd >= 0 && connect(c->fd, (struct sockaddr *)&names[control], name_len) == 0);
}

static void
close_client(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* The next piece, or what its length means. */
static void
go_on(struct fuzz_agent *w, struct fuzz_in *in, struct client *clients, bool control)
{
	uint8_t what = fuzz_u8(in);
	struct client *c = &clients[what % CLIENTS];
	size_t n;

	if (what >= 250) {
		close_client(c);
	} else if (what >= 245) {
		shutdown(c->fd, SHUT_WR);
	} else if (what >= 240) {
		fuzz_pass(w->a.loop, what == 240 ? 21 * USEC_PER_SEC : 30 * USEC_PER_MS);
	} else {
		uint8_t *block = fuzz_take(in, what >= 200 ? in->left : (size_t)what / CLIENTS + 1, &n);

		open_client(c, control);
		(void)send(c->fd, block, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		free(block);
	}
	turn(w, clients);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_agent *w = calloc(1, sizeof(*w));
	struct client clients[CLIENTS] = {{.fd = -1}, {.fd = -1}, {.fd = -1}};
	struct fuzz_in in = fuzz_in(data, size);
	bool control = fuzz_u8(&in) & 1;

	FUZZ_CHECK(w != NULL);
	/* Messages are right ones: their input is the same each time, and used up by the generation. */
	w->in = fuzz_in((const uint8_t *)"\1\0\66\1\73", 5);
	fuzz_agent_open(w);
	for (uint8_t i = 0; i < 2; i++) {
		struct ipc_listen m = {.control = i};

		FUZZ_CHECK(api_listen(w->a.api, dup(listeners[i]), &m) == 0);
	}
	FUZZ_CHECK(api_set_config(w->a.api, dup(config), (uint32_t)strlen(CONFIG)) == 0);
	fuzz_agent_generation(w);
	FUZZ_CHECK(fuzz_agent_take(w) && w->a.conf != NULL);
	while (in.left > 0)
		go_on(w, &in, clients, control);
	turn(w, clients);
	for (unsigned i = 0; i < CLIENTS; i++)
		close_client(&clients[i]);
	turn(w, clients);
	fuzz_agent_close(w);
	free(w);
	return 0;
}
