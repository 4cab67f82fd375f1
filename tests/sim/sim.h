/*
 * sim.h - the simulator's world: hosts, their clocks, kernels and processes, the network between them, a store.
 *
 * One process, one thread, virtual time in microseconds. The hosts run the real engine (vrrpd/engine, elect, proto) with
 * everything below it replaced: the event loop (sim_loop.c), netlink and the kernel thread (sim_kernel.c), sockets and
 * the network (sim_net.c), the other two processes (sim_parent.c, sim_agent.c). See README.md.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/macros.h"
#include "base/time.h"
#include "elect/elect.h"
#include "engine/engine.h"

#define SIM_NODES  9
#define SIM_ADDRS  3  /* addresses of the instance */
#define SIM_FAULTS 48 /* of one plan */
#define SIM_MS	   1000ull
#define SIM_SEC	   1000000ull
#define SIM_NEVER  UINT64_MAX
#define SIM_VRID   51

/* ---- sim_plan.c: everything that a seed decides -------------------------------------------------------- */

/* X(NAME, word, it is a planned hand-over, weight) */
#define SIM_KINDS(X)                                  \
	X(LOSS, "loss", false, 4)                     \
	X(DELAY, "delay", false, 3)                   \
	X(DUPLICATE, "duplicate", false, 2)           \
	X(CORRUPT, "corrupt", false, 2)               \
	X(CUT, "cut", false, 4)                       \
	X(PARTITION, "partition", false, 4)           \
	X(CRASH, "crash", false, 5)                   \
	X(KILL, "kill", false, 4)                     \
	X(PAUSE, "pause", false, 4)                   \
	X(SUSPEND, "suspend", false, 3)               \
	X(BUSY, "busy", false, 2)                     \
	X(LINK, "link", false, 4)                     \
	X(GONE, "gone", false, 2)                     \
	X(SOURCE, "source", false, 2)                 \
	X(REMOVE, "remove", false, 4)                 \
	X(SLOW_KERNEL, "slow-kernel", false, 3)       \
	X(FAIL_KERNEL, "fail-kernel", false, 2)       \
	X(LOST_EVENTS, "lost-events", false, 2)       \
	X(SEND, "send", false, 2)                     \
	X(CHECK, "check", true, 4)                    \
	X(AGENT, "agent", false, 3)                   \
	X(PRIORITY, "priority", true, 3)              \
	X(TAKEOVER, "takeover", true, 3)              \
	X(DRAIN, "drain", true, 4)                    \
	X(STOP, "stop", true, 4)                      \
	X(RELOAD, "reload", true, 5)                  \
	X(CLAIM, "claim", false, 2)                   \
	X(STORE_LOST, "store-lost", false, 4)         \
	X(STORE_CUT, "store-cut", false, 4)           \
	X(STORE_MUTE, "store-mute", false, 3)         \
	X(STORE_SLOW, "store-slow", false, 2)         \
	X(LEADER, "leader", false, 5)

enum sim_kind {
#define X(name, word, graceful, weight) SIM_##name,
	SIM_KINDS(X)
#undef X
		SIM_KIND_COUNT
};

struct sim_fault {
	uint8_t kind;	   /* enum sim_kind */
	uint8_t node;	   /* whom it is about */
	uint16_t from, to; /* network: sets of nodes */
	uint64_t at, until;
	uint32_t value;	 /* per mille, microseconds or a number, by kind */
	bool dropped;	 /* by --minimise */
	bool on;	 /* now */
};

/* Settings of one node that a reload may change. */
struct sim_conf {
	uint8_t priority;
	uint8_t n_addrs;
	bool preempt;
	bool renamed; /* the instance has another name */
	bool owner;   /* it began with priority 255: a reload may give it that again */
	uint16_t adver_int_cs;
	uint64_t preempt_delay_us;
};

struct sim_host {
	bool keepalived;
	int32_t ppm; /* its clock is so much faster */
	uint64_t clock_us; /* what it shows at the beginning */
	uint64_t start_delay_us;
	uint64_t enter_us, leave_us; /* a gate, services */
	uint8_t checksum;	     /* enum elect_checksum */
	bool has_check, check_weighs;
	int16_t weight;
	uint64_t begins; /* when vrrpd is started */
	struct sim_conf conf;
};

struct sim_plan {
	uint64_t seed;
	uint8_t mode; /* enum elect_mode */
	bool arbiter;
	uint8_t on_store_loss; /* enum elect_store_loss, mode follow */
	uint8_t version, family;
	bool unicast;
	uint8_t n_nodes;
	uint8_t down_adverts;
	uint32_t lifetime_s;
	uint64_t ttl_us;
	uint64_t heal_at, end_at;
	uint64_t kinds; /* set of enum sim_kind that exist in this run */
	struct sim_host hosts[SIM_NODES];
	unsigned n_faults;
	struct sim_fault faults[SIM_FAULTS];
};

extern uint64_t sim_kinds_only; /* set of enum sim_kind: no others exist; 0: as the seed decides */
const char *sim_kind_name(unsigned kind);
bool sim_kind_graceful(unsigned kind);
void sim_plan_draw(uint64_t seed, struct sim_plan *ret);
void sim_plan_print(const struct sim_plan *p, FILE *out);
/* What a reload with this value makes of settings. */
struct sim_conf sim_plan_reload(const struct sim_plan *p, const struct sim_conf *c, uint32_t value);
/* The bounds of the checkers, from the configuration alone; derived in sim_plan.c. Microseconds. */
uint64_t sim_bound_settle(const struct sim_plan *p);
uint64_t sim_bound_takeover(const struct sim_plan *p);
uint64_t sim_bound_two(const struct sim_plan *p);
uint64_t sim_bound_deaf(const struct sim_plan *p); /* mode follow: one of the two does not hear the store */

/* ---- sim_rand.c ------------------------------------------------------------------------------------------ */

struct sim_rand {
	uint64_t s[4];
};
void sim_rand_seed(struct sim_rand *r, uint64_t seed);
uint64_t sim_rand_next(struct sim_rand *r);
/* 0..n-1; lo..hi; true n times in a thousand. */
uint64_t sim_rand_below(struct sim_rand *r, uint64_t n);
uint64_t sim_rand_range(struct sim_rand *r, uint64_t lo, uint64_t hi);
bool sim_rand_mille(struct sim_rand *r, unsigned n);
/* A number that depends on nothing but its keys: dropping a fault leaves the others of the run alone. */
uint64_t sim_hash(uint64_t seed, uint64_t a, uint64_t b, uint64_t c);

/* ---- sim_queue.c: virtual time --------------------------------------------------------------------------- */

typedef void sim_fn(void *arg, uint64_t a, uint64_t b);
void sim_at(uint64_t at, sim_fn *fn, void *arg, uint64_t a, uint64_t b);
extern uint64_t sim_now;
/* Run events until `until`. */
void sim_queue_run(uint64_t until);
void sim_queue_reset(void);
/* Zeroed memory that lasts until the run ends. */
void *sim_alloc(size_t size);

/* ---- the world ------------------------------------------------------------------------------------------- */

struct sim_packet {
	struct sim_packet *next;
	uint16_t len;
	bool corrupt;
	uint8_t data[256];
};

struct sim_pipe { /* packets or messages in order */
	struct sim_packet *first, *last;
	unsigned n;
};

struct sim_claimed {
	uint8_t addr, mac_node; /* index of the address; 0xff: a stranger */
};

struct loop_timer {
	struct loop *loop;
	loop_timer_fn *fn;
	void *arg;
	mono_t deadline;
};

struct loop_io {
	int fd;
	loop_io_fn *fn;
	void *arg;
	bool read, write, used;
};

#define SIM_TIMERS 8
#define SIM_IOS	   16

struct loop {
	struct sim_node *node;
	mono_t now;
	bool stopped;
	struct loop_timer timers[SIM_TIMERS];
	unsigned n_timers;
	struct loop_io ios[SIM_IOS];
	void (*sigterm)(void *arg, int signo);
	void *sigterm_arg;
};

struct sim_kaddr { /* an address in a host's kernel */
	bool there;
	bool marked;	     /* IFA_PROTO is ours */
	uint64_t expires;    /* local clock; UINT64_MAX: never */
	uint64_t late;	     /* the kernel's own slack */
	uint32_t generation; /* of the lifetime */
};

struct sim_msg {
	struct sim_msg *next;
	int fd;
	uint16_t size;
	uint8_t data[];
};

struct sim_chan {
	struct sim_msg *first, *last;
	bool closed;
};

struct sim_answer {
	struct sim_answer *next;
	struct kernel_answer a;
};

struct sim_node {
	unsigned id;
	const struct sim_host *host;
	struct sim_conf conf;	  /* in force */
	struct ip_addr source_addr;
	/* host */
	unsigned suspends, pauses, busies;
	uint64_t suspended;	  /* so long in all, by true time */
	uint64_t suspended_since;
	unsigned links_down, gone, sourceless;
	int ifindex;
	struct sim_kaddr addrs[SIM_ADDRS];
	unsigned slow_kernel, fail_kernel, send_fails;
	uint32_t slow_us, fail_mille, busy_us;
	uint64_t draws; /* counter for sim_hash */
	uint64_t tx_seq;
	/* vrrpd */
	bool wanted;	/* it is to run (not stopped, not killed) */
	bool stopping;
	bool engine_up;
	unsigned drains;
	bool takeover_wanted;
	uint64_t operate_until;
	uint8_t priority_wanted; /* 0: the configured one */
	struct engine *e;
	struct loop loop;
	bool turn_due, turn_waits; /* a turn is scheduled; it waits for the end of a pause */
	uint64_t turn_at;
	uint64_t timer_at; /* the next turn by timer */
	uint64_t life;	   /* number of this engine: events of others are void */
	struct sim_pipe rx, stray;
	int fd_main, fd_stray, fd_claim, fd_parent, fd_agent;
	int next_fd;
	struct sim_claimed claims[64];
	unsigned n_claims;
	struct sim_chan parent, agent;
	struct sim_answer *answers, *answers_last;
	int memfd;
	uint32_t gen;
	bool reload_waits;
	bool ready;
	uint64_t handed, handed_corrupt, sent; /* packets of this engine's life */
	bool counted; /* the counters can be compared */
	/* kernel thread */
	struct sim_thread *thread;
	struct nlk_cache *cache;
	/* agent */
	struct sim_agent *agent_state;
	unsigned agent_down;
	bool check_up;
	unsigned checks_down;
	struct sim_keepalived *ka;
	/* for the checkers */
	uint64_t awake_since; /* after a suspend */
	uint64_t frozen_since;
	uint64_t turns_at, turns_now;
};

struct sim_world {
	struct sim_plan plan;
	struct sim_node nodes[SIM_NODES];
	bool verbose;
	uint64_t engine_starts, takeovers, packets, events;
};
extern struct sim_world *sim;
extern struct sim_node *sim_current; /* whose code runs */

/* Does nothing without -v. */
void sim_trace(const struct sim_node *n, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* An invariant is broken: ends the run. */
__attribute__((noreturn)) void sim_violation(const char *invariant, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Leave the run. */
__attribute__((noreturn)) void sim_leave(void);
/* A number for this node's next random thing. */
uint64_t sim_draw(struct sim_node *n, uint64_t what);

/* sim_loop.c */
uint64_t sim_local(const struct sim_node *n);
uint64_t sim_boot(const struct sim_node *n);
/* True time at which the node's monotonic clock shows `local`. */
uint64_t sim_true(const struct sim_node *n, uint64_t local);
/* The node's process runs now. */
bool sim_runs(const struct sim_node *n);
/* Something is ready for its loop. */
void sim_loop_wake(struct sim_node *n);
void sim_loop_go_on(struct sim_node *n); /* a pause is over */

/* sim_kernel.c */
uint8_t sim_addr_octet(unsigned index);
struct ip_prefix sim_prefix(unsigned index);
void sim_kernel_start(struct sim_node *n);
void sim_kernel_end(struct sim_node *n);
void sim_kernel_changed(struct sim_node *n, enum nlk_change what, int addr, bool link);
void sim_kernel_remove(struct sim_node *n, unsigned addr);
void sim_kernel_unplug(struct sim_node *n);
void sim_kernel_resume(struct sim_node *n);
/* For the model of keepalived: without mark and lifetime. */
void sim_kernel_put(struct sim_node *n, unsigned addr, bool there);
bool sim_link_up(const struct sim_node *n);
bool sim_in_thread(void);
__attribute__((noreturn)) void sim_leave_thread(void);

/* sim_net.c */
void sim_net_send(struct sim_node *n, const struct ip_addr *dst, const uint8_t *data, size_t len);
void sim_net_announce(struct sim_node *n, unsigned addr);
void sim_net_begin(void);
void sim_net_claim_by_stranger(unsigned addr);
bool sim_net_cut(unsigned from, unsigned to);
void sim_pipe_clear(struct sim_pipe *p);
int sim_client_target(unsigned addr); /* who announced it last as far as the client heard; -1: nobody */

/* sim_parent.c: vrrpd and the machine */
void sim_parent_start(struct sim_node *n);
void sim_parent_crash(struct sim_node *n, uint64_t back_after);
void sim_parent_kill(struct sim_node *n);
void sim_parent_stop(struct sim_node *n);
void sim_parent_ready(struct sim_node *n);
void sim_parent_reload(struct sim_node *n, uint32_t value);
void sim_parent_ended(struct sim_node *n);
void sim_parent_link_agent(struct sim_node *n);
void sim_node_destroy(struct sim_node *n);
/* What is wanted by command has changed (drains, takeover_wanted, priority_wanted). */
void sim_operator(struct sim_node *n);

/* sim_chan.c */
void sim_chan_push(struct sim_node *n, struct sim_chan *c, unsigned type, const void *msg, int fd);
void sim_chan_clear(struct sim_chan *c);

/* sim_agent.c: vrrpd-agent and the store */
void sim_agent_start(struct sim_node *n);
void sim_agent_stop(struct sim_node *n);
void sim_agent_rename(struct sim_node *n);
void sim_agent_take(struct sim_node *n, unsigned type, const void *msg);
void sim_agent_check(struct sim_node *n);
void sim_store_reset(void);
void sim_store_changed(void); /* it can be reached again, or not */
int sim_store_owner(void);
/* Mode follow: a Patroni on each host, and its "switchover" to this one. */
void sim_patroni_begin(void);
void sim_patroni_switch(struct sim_node *n);

/* sim_keepalived.c */
void sim_keepalived_start(struct sim_node *n);
void sim_keepalived_stop(struct sim_node *n, bool graceful);
void sim_keepalived_packet(struct sim_node *n, const struct sim_packet *p);
void sim_keepalived_link(struct sim_node *n);
bool sim_keepalived_active(const struct sim_node *n); /* it takes part */

/* sim_faults.c */
void sim_faults_begin(void);
/* The fault that applies to a packet on its way, if any of this kind. */
const struct sim_fault *sim_faults_on(enum sim_kind kind, unsigned from, unsigned to);
bool sim_fault_active(enum sim_kind kind, unsigned node);

/* sim_check.c */
void sim_check_begin(void);
void sim_check_changed(void);		       /* something in the world is different */
void sim_check_fault(const struct sim_fault *f, bool on); /* it is about to begin, or to end */
void sim_check_fault_done(void);			  /* it has */
void sim_check_sent(struct sim_node *n, uint8_t priority);
void sim_check_counters(struct sim_node *n);
void sim_check_end(void);
bool sim_holds(const struct sim_node *n, unsigned addr);
bool sim_holds_any(const struct sim_node *n);

/* sim_run.c */
struct sim_result {
	char invariant[32]; /* empty: all is well */
	char text[256];
	uint64_t at;
	uint64_t simulated_us, takeovers, packets, engine_starts, faults;
	uint64_t kinds;
};
/* Run a plan to its end. */
void sim_run(const struct sim_plan *p, bool verbose, struct sim_result *ret);

/* sim_minimise.c: drop faults as long as the same invariant breaks. Runs replays in children. */
void sim_minimise(struct sim_plan *p, const char *invariant);

#endif
