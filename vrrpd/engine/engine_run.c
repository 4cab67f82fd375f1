/*
 * engine_run.c - the life of an engine: its timers, its messages from parent and agent, its first generation, its end.
 *
 * Runs in the advert loop. Everything that an engine does begins here or with a packet (engine_rx.c, engine_claim.c),
 * an announcement that is due (engine_announce.c) or an answer of the kernel thread (engine_answers.c). The simulator
 * (tests/sim) runs this file, too.
 */
#include "engine/engine.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/priv.h"
#include "sys/seccomp.h"

#define MESSAGES_PER_TURN 64
/* A successor may take 10 s (proto/vrrp_fsm.c), and removing addresses may block behind another program's lock. */
#define STOP_MAX_US (15 * USEC_PER_SEC)
#define LEASE_RENEW_US (500 * USEC_PER_MS) /* lifetimes are whole seconds: half of one is not wasted of a lease */
/*
 * In real time without ever waiting. Nothing takes so long; and the kernel's own threads, which remove addresses whose
 * lifetime is over, get no turn on that processor.
 */
#define SPIN_MAX_US (2 * USEC_PER_SEC)
#define TEND_US	    USEC_PER_SEC /* without lifetimes to renew: how often failed work is tried again */

static void
send_log(void *arg, enum log_level level, const char *text)
{
	struct engine *e = arg;
	struct ipc_log m = {.level = (uint8_t)level};

	str_copy(m.text, sizeof(m.text), text);
	/* A parent that does not read loses lines; the engine never waits. */
	(void)ipc_chan_send(&e->parent, IPC_LOG, &m, -1);
}

/* The end has come when every address is handed over and gone, also what the engine before left. */
void
engine_finish_stop(struct engine *e)
{
	if (e->kernel != NULL && !e->synced)
		return;
	for (uint32_t n = 0; e->gen != NULL && n < e->gen->n_instances; n++)
		if (e->gen->instances[n].releasing || elect_holds(&e->gen->instances[n].elect))
			return;
	loop_stop(e->loop);
}

static void
on_timer(void *arg, mono_t now)
{
	struct engine *e = arg;

	engine_notice_suspend(e);
	engine_run_timers(e, now);
	engine_health_expire(e, now);
	engine_tx_flush(e, now);
	engine_arm(e);
	engine_reload_go_on(e);
	if (e->stopping)
		engine_finish_stop(e);
}

/* The elections first: whoever slept too long must not have its addresses renewed. */
static void
on_renew_timer(void *arg, mono_t now)
{
	struct engine *e = arg;
	usec_t interval = engine_kernel_renew_interval(e->kernel);
	bool leases;

	engine_notice_suspend(e);
	engine_run_timers(e, now);
	engine_tx_flush(e, now);
	if (e->ready_due)
		engine_tell_ready(e);
	if (e->overrides_due)
		engine_memory_tell(e);
	leases = engine_leader_keep_all(e);
	if (interval > 0)
		engine_kernel_renew(e->kernel);
	for (uint32_t n = 0; n < e->gen->n_instances; n++)
		if (e->gen->instances[n].heal.failed && elect_holds(&e->gen->instances[n].elect) &&
		    e->gen->instances[n].keep_until_us >= now.us + ENGINE_KEEP_MIN_US)
			engine_kernel_want(e->kernel, n, KERNEL_WANT_HEAL, 0);
	if (interval > 0 && leases)
		interval = MIN(interval, LEASE_RENEW_US);
	loop_timer_set(e->renew_timer, mono_add(now, interval > 0 ? interval : TEND_US));
	engine_arm(e);
}

static void
on_stray_timer(void *arg, mono_t now)
{
	struct engine *e = arg;

	(void)now;
	for (uint32_t n = 0; n < e->gen->n_ports; n++)
		if (e->gen->ports[n].stray_io != NULL)
			loop_io_want(e->gen->ports[n].stray_io, true, false);
}

/* ---- stopping
 * -------------------------------------------------------------------------------------------------- */

static void
on_stop_timer(void *arg, mono_t now)
{
	struct engine *e = arg;

	(void)now;
	log_error("addresses could not be removed in time: the kernel does not answer");
	loop_stop(e->loop);
}

void
engine_stop(struct engine *e)
{
	static const struct role_cause crash_loop = {.reason = ROLE_REASON_CRASH_LOOP};
	struct elect_event ev = {.kind = ELECT_EVENT_STOP, .cause = e->leaving_for_good ? &crash_loop : NULL};
	mono_t now = loop_now(e->loop);
	usec_t services = 0;

	if (e->stopping)
		return;
	e->stopping = true;
	for (uint32_t n = 0; e->gen != NULL && n < e->gen->n_instances; n++)
		services = MAX(services, e->gen->instances[n].conf.leave_us);
	loop_timer_set(e->stop_timer, mono_add(now, STOP_MAX_US + services));
	for (uint32_t n = 0; e->gen != NULL && n < e->gen->n_instances; n++)
		engine_event(e, &e->gen->instances[n], &ev, now);
	if (e->gen != NULL)
		engine_tx_flush(e, now);
	engine_finish_stop(e);
}

static void
on_sigterm(void *arg, int signo)
{
	(void)signo;
	engine_stop(arg);
}

/* ---- configuration
 * ---------------------------------------------------------------------------------------------- */

/* Real time and locked memory are wanted, not required: a container may not allow them. */
static void
settle_in(struct engine *e)
{
	int r;

	if (e->gen->realtime_priority > 0) {
		r = priv_realtime(e->gen->realtime_priority);
		e->realtime = r == 0;
		if (r < 0)
			log_warning("no real-time scheduling (%s): adverts may be late under load; allow "
				    "CAP_SYS_NICE "
				    "or set engine.realtime_priority = 0",
				    strerror(-r));
		else if ((r = priv_limit_realtime(SPIN_MAX_US)) < 0)
			log_warning("should vrrpd-engine ever run in a circle, nothing ends it (%s)", strerror(-r));
	}
	if (e->gen->lock_memory) {
		r = priv_lock_memory();
		e->locked = r == 0;
		if (r < 0)
			log_warning("memory is not locked (%s): adverts may be late when the host swaps; allow "
				    "CAP_IPC_LOCK or set engine.lock_memory = false",
				    strerror(-r));
	}
}

/* After the thread for the kernel was started: the engine may start no other. */
static void
filter_calls(void)
{
	int r = seccomp_enter(SECCOMP_ENGINE);

	if (r < 0 && r != -ENOSYS)
		log_warning("vrrpd-engine's system calls are not filtered: %s", strerror(-r));
}

static int
use_generation(struct engine *e, struct engine_gen *g)
{
	mono_t now = loop_now(e->loop);
	int r;

	e->gen = g;
	settle_in(e);
	for (uint32_t n = 0; n < g->n_instances; n++) {
		struct engine_instance *i = &g->instances[n];

		elect_init(&i->elect, &i->conf, now);
		i->announce.second_at = i->announce.refresh_at = MONO_NEVER;
	}
	engine_memory_recall(e, g);
	engine_memory_write(e);
	r = engine_kernel_start(e->loop, g, engine_on_answer, e, &e->kernel);
	if (r < 0)
		log_error("cannot reach the kernel's network configuration over netlink: %s", strerror(-r));
	filter_calls();
	return r;
}

static int
take_conf(struct engine *e, const union ipc_msg *m)
{
	struct engine_gen *g = NULL;
	int r;

	r = engine_conf_reader_take(e->reader, m, &g);
	if (r != 1)
		return r;
	if (e->gen == NULL)
		return use_generation(e, g);
	return engine_reload_begin(e, g);
}

/* ---- channels
 * ---------------------------------------------------------------------------------------------------- */

static void
drop_agent(struct engine *e)
{
	loop_io_del(TAKE(e->agent_io));
	ipc_chan_close(&e->agent);
	engine_report_reset(e);
}

static void
take_agent_message(struct engine *e, const union ipc_msg *m)
{
	mono_t now = loop_now(e->loop);

	if (m->h.type == IPC_SNAP_GET) {
		engine_ask_all(e); /* who asks what is may be another agent, or have another generation */
		engine_report_get(e, m->SNAP_GET.token);
	} else if (m->h.type == IPC_CHECK) {
		engine_health_check(e, &m->CHECK, now);
	} else if (m->h.type == IPC_CONTROL) {
		engine_control(e, &m->CONTROL, now);
	} else if (m->h.type == IPC_ANSWER) {
		engine_answer(e, &m->ANSWER, now);
	} else if (m->h.type == IPC_TOLD) {
		engine_told(e, &m->TOLD);
	} else if (m->h.type == IPC_SERVICES) {
		engine_services(e, &m->SERVICES, now);
	} else if (m->h.type == IPC_LEADER) {
		engine_leader(e, &m->LEADER, now);
	}
	if (e->gen != NULL)
		engine_tx_flush(e, now);
	engine_arm(e);
	if (e->stopping)
		engine_finish_stop(e);
}

static void
on_agent(void *arg, int fd, bool readable, bool writable)
{
	struct engine *e = arg;
	union ipc_msg m;
	int passed_fd;
	int r = 0;

	(void)fd;
	for (int n = 0; readable && n < MESSAGES_PER_TURN; n++) {
		r = ipc_chan_recv(&e->agent, &m, &passed_fd);
		if (r <= 0)
			break;
		take_agent_message(e, &m);
	}
	if (r < 0) {
		if (r != -ECONNRESET)
			log_error("the agent sent a message that is not allowed: its channel is closed");
		drop_agent(e);
		return;
	}
	if (writable)
		engine_report_continue(e);
}

static int
take_parent_message(struct engine *e, const union ipc_msg *m, int fd)
{
	if (m->h.type == IPC_LINK) {
		drop_agent(e);
		ipc_chan_init(&e->agent, fd, IPC_ENGINE_TO_AGENT, IPC_AGENT_TO_ENGINE);
		e->agent_io = loop_io_add(e->loop, fd, on_agent, e);
		engine_ask_all(e);
		engine_campaign_all(e);
		engine_report_continue(e);
		return 0;
	}
	if (m->h.type == IPC_STOP) {
		engine_stop(e);
		return 0;
	}
	if (m->h.type == IPC_MEMORY) {
		ipc_memory_unmap(e->memory);
		e->memory = ipc_memory_map(fd);
		close(fd);
		return e->memory == NULL ? -EPROTO : 0;
	}
	return take_conf(e, m);
}

static void
on_parent(void *arg, int fd, bool readable, bool writable)
{
	struct engine *e = arg;
	union ipc_msg m;
	int passed_fd;
	int r = 0;

	(void)fd;
	(void)readable;
	(void)writable;
	for (int n = 0; n < MESSAGES_PER_TURN; n++) {
		r = ipc_chan_recv(&e->parent, &m, &passed_fd);
		if (r > 0)
			r = take_parent_message(e, &m, passed_fd) < 0 ? -EPROTO : 1;
		if (r <= 0)
			break;
	}
	if (r == -ECONNRESET) {
		/* Nobody would restart us, nobody would withdraw for us: leave in order. */
		loop_io_del(TAKE(e->parent_io));
		engine_stop(e);
		engine_ask_nobody(e, loop_now(e->loop)); /* commands were run by it */
		engine_tx_flush(e, loop_now(e->loop));
		engine_arm(e);
		engine_finish_stop(e);
	} else if (r < 0) {
		log_error("a message from vrrpd was wrong: are all programs of the same build?");
		exit(1);
	}
}

void
engine_open(struct engine *e, int chan)
{
	e->loop = loop_new();
	e->started = clock_mono();
	e->suspended = clock_boot_us() - e->started.us; /* read after the other one: never negative */
	e->next_wake = MONO_NEVER;
	e->agent.fd = -1;
	e->reader = engine_conf_reader_new();
	e->rx = engine_rx_new();
	e->tx = engine_tx_new();
	e->report = engine_report_new();
	e->announce_fd = nlk_raw_open();
	ASSERT(e->reader != NULL);
	ASSERT(e->rx != NULL);
	ASSERT(e->tx != NULL);
	ASSERT(e->report != NULL);
	ASSERT(engine_claim_open(e) == 0);
	e->timer = loop_timer_add(e->loop, on_timer, e);
	e->announce_timer = loop_timer_add(e->loop, engine_announce_run, e);
	e->stop_timer = loop_timer_add(e->loop, on_stop_timer, e);
	e->renew_timer = loop_timer_add(e->loop, on_renew_timer, e);
	e->rx_timer = loop_timer_add(e->loop, engine_rx_resume, e);
	e->stray_timer = loop_timer_add(e->loop, on_stray_timer, e);
	ipc_chan_init(&e->parent, chan, IPC_ENGINE_TO_PARENT, IPC_PARENT_TO_ENGINE);
	e->parent_io = loop_io_add(e->loop, chan, on_parent, e);
	log_set_sink(send_log, e);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* Ctrl-C reaches the whole group: the parent asks us to stop */
	signal(SIGHUP, SIG_IGN);
	loop_signal_add(e->loop, SIGTERM, on_sigterm, e);
}

void
engine_close(struct engine *e)
{
	engine_kernel_stop(e->kernel);
	engine_claim_close(e);
	drop_agent(e);
	loop_io_del(e->parent_io);
	for (uint32_t n = 0; e->gen != NULL && n < e->gen->n_ports; n++) {
		struct engine_port *p = &e->gen->ports[n];

		loop_io_del(p->io);
		loop_io_del(p->stray_io);
		if (p->fd >= 0) {
			close(p->fd);
			close(p->stray_fd);
		}
	}
	loop_timer_del(e->timer);
	loop_timer_del(e->announce_timer);
	loop_timer_del(e->stop_timer);
	loop_timer_del(e->renew_timer);
	loop_timer_del(e->rx_timer);
	loop_timer_del(e->stray_timer);
	engine_gen_free(e->waiting_gen);
	engine_gen_free(e->next_gen);
	engine_gen_free(e->gen);
	ipc_memory_unmap(e->memory);
	engine_conf_reader_free(e->reader);
	engine_rx_free(e->rx);
	engine_tx_free(e->tx);
	engine_report_free(e->report);
	if (e->announce_fd >= 0)
		close(e->announce_fd);
	loop_free(e->loop);
}
