/*
 * fuzz_engine.c - vrrpd-engine's receivers: generations from vrrpd, the memory of the engine before, messages
 * of the agent, answers of the kernel thread, and packets, in any order, and the time between them.
 *
 * Everything of the engine runs but its main file and the kernel thread; sockets are those of fuzz_kernel.h.
 * Right messages are made wrong where the input says so (fuzz_ipc.h). elect_check() holds for every instance
 * after each step.
 */
#include "engine/engine.h"
#include "fuzz/fuzz_ipc.h"
#include "fuzz/fuzz_kernel.h"
#include "fuzz/fuzz_loop.h"
#include "ipc/ipc_memory.h"
#include "sys/log.h"

#define INSTANCES_MAX 3
#define STEPS_MAX     200

/* ---- the engine: what engine_main.c has ---- */

void
engine_stop(struct engine *e)
{
	struct elect_event ev = {.kind = ELECT_EVENT_STOP};

	if (e->stopping)
		return;
	e->stopping = true;
	for (uint32_t n = 0; e->gen != NULL && n < e->gen->n_instances; n++)
		engine_event(e, &e->gen->instances[n], &ev, loop_now(e->loop));
}

void
engine_finish_stop(struct engine *e)
{
	(void)e;
}

struct world {
	struct engine e;
	struct fuzz_in in;
	struct fuzz_ipc parent, agent;
	struct ipc_chan from_parent;
	bool recall; /* the first generation finds what an engine before left */
};

static void
run_timers(void *arg, mono_t now)
{
	struct engine *e = arg;

	engine_run_timers(e, now);
	engine_health_expire(e, now);
	engine_tx_flush(e, now);
	engine_arm(e);
	engine_reload_go_on(e);
}

static void
ignore(void *arg, mono_t now)
{
	(void)arg;
	(void)now;
}

static void
open_world(struct world *w)
{
	struct engine *e = &w->e;
	int parent[2], agent[2];

	FUZZ_CHECK(ipc_chan_pair(parent) == 0 && ipc_chan_pair(agent) == 0);
	w->parent = (struct fuzz_ipc){.in = &w->in, .fd = parent[0], .gen = 7};
	w->agent = (struct fuzz_ipc){.in = &w->in, .fd = agent[0], .gen = 7};
	ipc_chan_init(&w->from_parent, parent[1], IPC_ENGINE_TO_PARENT, IPC_PARENT_TO_ENGINE);
	ipc_chan_init(&e->parent, parent[1], IPC_ENGINE_TO_PARENT, IPC_PARENT_TO_ENGINE);
	ipc_chan_init(&e->agent, agent[1], IPC_ENGINE_TO_AGENT, IPC_AGENT_TO_ENGINE);
	e->loop = loop_new();
	e->suspended = clock_boot_us() - clock_mono().us;
	e->next_wake = MONO_NEVER;
	e->reader = engine_conf_reader_new();
	e->tx = engine_tx_new();
	e->rx = engine_rx_new();
	e->report = engine_report_new();
	e->announce_fd = -1;
	FUZZ_CHECK(engine_claim_open(e) == 0);
	e->kernel = &kernel;
	kernel.next = NULL;
	e->timer = loop_timer_add(e->loop, run_timers, e);
	e->announce_timer = loop_timer_add(e->loop, engine_announce_run, e);
	e->renew_timer = loop_timer_add(e->loop, ignore, e);
	e->rx_timer = loop_timer_add(e->loop, ignore, e);
	e->stray_timer = loop_timer_add(e->loop, ignore, e);
	e->agent_io = loop_io_add_for(e->loop, agent[1], false, false, NULL, NULL);
}

static void
close_world(struct world *w)
{
	struct engine *e = &w->e;

	engine_claim_close(e);
	loop_io_del(e->agent_io);
	loop_timer_del(e->timer);
	loop_timer_del(e->announce_timer);
	loop_timer_del(e->renew_timer);
	loop_timer_del(e->rx_timer);
	loop_timer_del(e->stray_timer);
	for (uint32_t n = 0; e->gen != NULL && n < e->gen->n_ports; n++) {
		loop_io_del(e->gen->ports[n].io);
		loop_io_del(e->gen->ports[n].stray_io);
		if (e->gen->ports[n].fd >= 0) {
			close(e->gen->ports[n].fd);
			close(e->gen->ports[n].stray_fd);
		}
	}
	if (e->waiting_gen != e->next_gen)
		engine_gen_free(e->waiting_gen);
	engine_gen_free(e->next_gen);
	engine_gen_free(e->gen);
	engine_conf_reader_free(e->reader);
	engine_tx_free(e->tx);
	engine_rx_free(e->rx);
	engine_report_free(e->report);
	ipc_chan_close(&e->parent);
	ipc_chan_close(&e->agent);
	close(w->parent.fd);
	close(w->agent.fd);
	loop_free(e->loop);
}

/* ---- a generation ---- */

static void
send_generation(struct world *w)
{
	struct fuzz_instance v[INSTANCES_MAX];
	uint8_t first = fuzz_u8(&w->in);
	struct ipc_conf_begin b = {
		.n_instances = 1 + first % INSTANCES_MAX, .realtime_priority = 50, .node = "n"};
	struct ipc_conf_commit commit = {0};

	w->recall = first >= 128;
	for (uint32_t n = 0; n < b.n_instances; n++) {
		v[n] = fuzz_instance(&w->in);
		b.n_addresses += v[n].n_addresses;
		b.n_peers += v[n].n_peers;
		b.n_tracks += v[n].n_tracks;
	}
	fuzz_ipc_send(&w->parent, IPC_CONF_BEGIN, &b);
	for (uint32_t n = 0; n < b.n_instances; n++)
		fuzz_ipc_instance(&w->parent, &v[n], n, false);
	fuzz_ipc_send(&w->parent, IPC_CONF_COMMIT, &commit);
}

/* Every datagram of an instance fits the memory that the generation has for it. */
static void
check_generation(const struct engine_gen *g)
{
	for (uint32_t n = 0; n < g->n_instances; n++) {
		const struct engine_instance *i = &g->instances[n];
		struct ip_addr src = fuzz_addr(i->codec.family, 1), dst = vrrp_group(i->codec.family);
		struct engine_cursor cursor = {0};
		struct engine_place place;

		FUZZ_CHECK(i->watch < g->n_watches);
		FUZZ_CHECK(memchr(i->conf.name, '\0', sizeof(i->conf.name)) != NULL);
		for (uint32_t k = 0; k < i->n_addresses; k++)
			FUZZ_CHECK(i->addresses[k].watch < g->n_watches);
		FUZZ_CHECK(engine_index_next(g, &i->addresses[0].prefix.addr, &cursor, &place));
		if (i->conf.mode != ELECT_MODE_VRRP)
			continue;
		FUZZ_CHECK(i->port < g->n_ports);
		for (uint32_t k = 0; k < i->n_datagrams; k++)
			FUZZ_CHECK(vrrp_packet_encode_ip(&i->codec, 1, VRRP_CHECKSUM_RFC5798, &src, &dst,
							 i->datagrams[k].buf, i->datagrams[k].len) > 0);
	}
}

/* What the engine before left, or something else. */
static void
recall(struct world *w, struct engine_gen *g)
{
	static struct ipc_memory memory;
	struct engine *e = &w->e;

	memory.layout = IPC_MEMORY_LAYOUT;
	memory.n_instances = INSTANCES_MAX;
	memory.n_checks = 1;
	str_copy(memory.checks[0].name, LIMIT_NAME, "c0");
	memory.checks[0].state = fuzz_u8(&w->in);
	for (unsigned n = 0; n < INSTANCES_MAX; n++) {
		struct ipc_memory_instance *i = &memory.instances[n];

		*i = (struct ipc_memory_instance){
			.active = 1, .vrid = (uint8_t)(51 + n), .family = IP_FAMILY_V4, .ifname = "eth0"};
		snprintf(i->name, sizeof(i->name), "i%u", n);
		i->advert_us = clock_boot_us() - 500000;
		i->window_us = 3000000;
		fuzz_ipc_patch(&w->in, (uint8_t *)i, sizeof(*i), fuzz_below(&w->in, 6));
	}
	e->memory = &memory;
	engine_memory_recall(e, g);
	engine_memory_write(e);
	for (uint32_t n = 0; n < g->n_instances; n++)
		FUZZ_CHECK(!g->instances[n].resume ||
			   elect_may_resume(&g->instances[n].conf, g->instances[n].resume_ago));
}

static void
use_generation(struct world *w, struct engine_gen *g)
{
	struct engine *e = &w->e;

	check_generation(g);
	if (e->gen != NULL) {
		(void)engine_reload_begin(e, g);
		return;
	}
	e->gen = g;
	for (uint32_t n = 0; n < g->n_instances; n++) {
		struct engine_instance *i = &g->instances[n];

		elect_init(&i->elect, &i->conf, loop_now(e->loop));
		i->announce.second_at = i->announce.refresh_at = MONO_NEVER;
	}
	if (w->recall)
		recall(w, g);
}

/* Take what waits in the channel of vrrpd; false: it was wrong, and the engine would end. */
static bool
take_parent(struct world *w)
{
	union ipc_msg m;
	int fd, r;

	while ((r = ipc_chan_recv(&w->from_parent, &m, &fd)) == 1) {
		struct engine_gen *g = NULL;

		if (fd >= 0)
			close(fd);
		if (m.h.type == IPC_STOP) {
			engine_stop(&w->e);
			continue;
		}
		r = engine_conf_reader_take(w->e.reader, &m, &g);
		if (r < 0)
			return false;
		if (r == 1)
			use_generation(w, g);
	}
	return r == 0;
}

/* ---- what happens then ---- */

/* As engine_main.c hands them on. */
static bool
take_agent(struct world *w)
{
	struct engine *e = &w->e;
	mono_t now = loop_now(e->loop);
	union ipc_msg m;
	int fd, r;

	while ((r = ipc_chan_recv(&e->agent, &m, &fd)) == 1) {
		if (m.h.type == IPC_SNAP_GET)
			engine_report_get(e, m.SNAP_GET.token);
		else if (m.h.type == IPC_CHECK)
			engine_health_check(e, &m.CHECK, now);
		else if (m.h.type == IPC_CONTROL)
			engine_control(e, &m.CONTROL, now);
		else if (m.h.type == IPC_ANSWER)
			engine_answer(e, &m.ANSWER, now);
		else if (m.h.type == IPC_TOLD)
			engine_told(e, &m.TOLD);
		else if (m.h.type == IPC_SERVICES)
			engine_services(e, &m.SERVICES, now);
		else if (m.h.type == IPC_LEADER)
			engine_leader(e, &m.LEADER, now);
		engine_tx_flush(e, now);
		engine_arm(e);
	}
	return r == 0;
}

static void
agent_says(struct world *w)
{
	static const enum ipc_type types[] = {IPC_SNAP_GET, IPC_CHECK,	  IPC_CONTROL, IPC_ANSWER,
					      IPC_TOLD,	    IPC_SERVICES, IPC_LEADER};
	struct engine *e = &w->e;
	uint8_t c = fuzz_u8(&w->in);
	uint32_t index = (c >> 4) % e->gen->n_instances;
	const struct elect *el = &e->gen->instances[index].elect;
	union ipc_msg m = {0};

	w->agent.gen = e->gen->gen;
	switch (types[(c & 15) % ARRAY_SIZE(types)]) {
	case IPC_CHECK:
		m.CHECK = (struct ipc_check){.check = 0, .state = (uint8_t)(1 + (c >> 7))};
		break;
	case IPC_CONTROL:
		m.CONTROL = (struct ipc_control){.index = index,
						 .verb = (uint8_t)fuzz_below(&w->in, IPC_CONTROL_VERB_COUNT),
						 .for_us = 5000000};
		m.CONTROL.priority = m.CONTROL.verb == IPC_CONTROL_PRIORITY ? 77 : 0;
		break;
	case IPC_ANSWER:
		m.ANSWER = (struct ipc_answer){
			.index = index, .epoch = el->ask_epoch, .refused = c >> 7, .text = "no"};
		break;
	case IPC_TOLD:
		m.TOLD = (struct ipc_told){.index = index, .state = el->state};
		break;
	case IPC_SERVICES:
		m.SERVICES = (struct ipc_services){.index = index, .failures = c >> 7, .name = "app"};
		break;
	case IPC_LEADER:
		m.LEADER = (struct ipc_leader){
			.index = index, .fact = (uint8_t)fuzz_below(&w->in, ELECT_FACT_COUNT), .name = "a"};
		m.LEADER.confirmed_us = clock_boot_us();
		m.LEADER.fresh_until_us = clock_boot_us() + 3000000;
		m.LEADER.lease_until_us = clock_boot_us() + 10000000;
		break;
	default:
		break;
	}
	fuzz_ipc_send(&w->agent, types[(c & 15) % ARRAY_SIZE(types)], &m);
}

/* The kernel thread is our own: what it says is right, though it may come late. */
static void
kernel_says(struct world *w)
{
	struct engine *e = &w->e;
	uint8_t c = fuzz_u8(&w->in);
	uint32_t n = (c >> 4) % e->gen->n_instances, epoch = 0;
	struct kernel_answer a = {.index = n, .fd = -1, .stray_fd = -1};

	switch (c & 7) {
	case 0:
		a.kind = KERNEL_ANSWER_SYNCED;
		if (e->synced && kernel.next == NULL)
			return;
		if (kernel.next != NULL) {
			a.kind = KERNEL_ANSWER_SWITCHED;
			engine_on_answer(e, &a);
			a.kind = KERNEL_ANSWER_SYNCED;
		}
		break;
	case 1:
	case 2:
		a.kind = KERNEL_ANSWER_ACQUIRED;
		/* Not asked for: only of one that was called off. */
		a.epoch = elect_acquiring(&e->gen->instances[n].elect, &epoch) && !(c & 8) ? epoch : epoch - 1;
		a.err = c & 128 ? 17 : 0;
		a.addr = fuzz_addr(IP_FAMILY_V4, 100);
		break;
	case 3:
		a.kind = KERNEL_ANSWER_RELEASED;
		a.epoch = e->gen->instances[n].release_epoch;
		a.count = c >> 7;
		break;
	case 4:
		a.kind = c & 8 ? KERNEL_ANSWER_HEALED : KERNEL_ANSWER_LOST;
		a.addr = fuzz_addr(IP_FAMILY_V4, 100);
		a.count = 1;
		break;
	case 5:
		a.kind = KERNEL_ANSWER_PORT;
		if (e->gen->n_ports == 0)
			return;
		a.index = n % e->gen->n_ports;
		if (c & 128)
			break;
		a.ifindex = 2;
		a.fd = eventfd(0, EFD_CLOEXEC); /* never ready by itself */
		a.stray_fd = eventfd(0, EFD_CLOEXEC);
		break;
	default:
		a.kind = KERNEL_ANSWER_WATCH;
		a.index = n % e->gen->n_watches;
		a.link = c & 8 ? (uint8_t)fuzz_below(&w->in, ELECT_LINK_COUNT) : ELECT_LINK_UP;
		a.ifindex = 2;
		a.mtu = 1500;
		if (!(c & 128))
			a.addr = fuzz_addr(e->gen->watches[a.index].family != IP_FAMILY_NONE
						   ? e->gen->watches[a.index].family
						   : IP_FAMILY_V4,
					   1);
		break;
	}
	engine_on_answer(e, &a);
}

/* Another host claims one of an instance's addresses. */
static void
host_claims(struct world *w, uint8_t c)
{
	const struct engine_gen *g = w->e.gen;
	const struct engine_instance *i = &g->instances[(c >> 2) % g->n_instances];
	const struct ip_addr *a = &i->addresses[fuzz_u8(&w->in) % i->n_addresses].prefix.addr;
	struct loop_io *io;

	claims.claim = (struct nlk_claim){.family = a->family == IP_FAMILY_V4 ? AF_INET : AF_INET6,
					  .mac = {2, 0, 0, 0, 0, c}};
	memcpy(claims.claim.addr, a->b, sizeof(a->b));
	TAILQ_FOREACH(io, &w->e.loop->ios, link)
	{
		if (io->fd != claims.fd)
			continue;
		claims.waits = true;
		io->fn(io->arg, io->fd, true, false);
		return;
	}
}

/* A packet comes: what another node of an instance would send, perhaps with other octets. */
static void
network_says(struct world *w)
{
	struct engine *e = &w->e;
	uint8_t c = fuzz_u8(&w->in);
	struct engine_instance *i = &e->gen->instances[(c & 3) % e->gen->n_instances];
	struct engine_port *p = i->conf.mode == ELECT_MODE_VRRP ? &e->gen->ports[i->port] : NULL;
	size_t header = i->codec.family == IP_FAMILY_V6 ? 40 : 20;
	int n;

	if (c & 4)
		network.send_err = network.send_err ? 0 : 101;
	if (p == NULL || p->fd < 0)
		return;
	network.src = fuzz_addr(i->codec.family, (uint8_t)(2 + (c >> 5)));
	network.dst = i->codec.unicast ? fuzz_addr(i->codec.family, 1) : vrrp_group(i->codec.family);
	network.hops = 255;
	n = vrrp_packet_encode_ip(&i->codec, fuzz_u8(&w->in),
				  c & 8 ? VRRP_CHECKSUM_RFC5798 : VRRP_CHECKSUM_RFC9568, &network.src,
				  &network.dst, network.data, sizeof(network.data));
	FUZZ_CHECK(n > 0);
	network.n = (size_t)n;
	if (header == 40) /* the kernel takes it away */
		memmove(network.data, network.data + header, network.n -= header);
	if (c & 16)
		fuzz_ipc_patch(&w->in, network.data, network.n, 1 + (c >> 5));
	engine_rx_ready(e, c == 0xff ? p->stray_fd : p->fd, true, false);
	network.n = 0;
}

/* The agent reads, or does not. */
static void
drain(int fd)
{
	uint8_t buf[64];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static bool
step(struct world *w)
{
	static const usec_t times[] = {0, 10000, 100000, 1000000, 5000000, 60000000};
	uint8_t c = fuzz_u8(&w->in);

	if (c < 8)
		host_claims(w, c);
	else if (c < 40)
		network_says(w);
	else if (c < 100)
		agent_says(w);
	else if (c < 190)
		kernel_says(w);
	else if (c < 240)
		fuzz_pass(w->e.loop, times[c % ARRAY_SIZE(times)]);
	else if (c < 246)
		drain(w->agent.fd);
	else if (c < 250 && w->e.synced && w->e.next_gen == NULL && w->e.waiting_gen == NULL)
		w->parent.gen++, send_generation(w);
	else if (c == 255)
		engine_stop(&w->e);
	if (!take_parent(w) || !take_agent(w))
		return false;
	for (uint32_t n = 0; n < w->e.gen->n_instances; n++)
		elect_check(&w->e.gen->instances[n].elect);
	return true;
}

static void
no_log(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	FUZZ_CHECK(text[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = calloc(1, sizeof(*w));

	FUZZ_CHECK(w != NULL);
	log_set_sink(no_log, NULL);
	w->in = fuzz_in(data, size);
	network.send_err = 0;
	network.n = 0;
	claims.fd = -2;
	claims.waits = false;
	open_world(w);
	send_generation(w);
	if (take_parent(w) && w->e.gen != NULL)
		for (unsigned n = 0; n < STEPS_MAX && w->in.left > 0 && step(w); n++)
			;
	close_world(w);
	free(w);
	return 0;
}
