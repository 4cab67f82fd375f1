/*
 * engine.h - the root object of vrrpd-engine and what its files offer each other.
 *
 * Two threads. The advert loop (engine_run.c and most others) never calls anything that takes the kernel's rtnl
 * lock; the kernel thread (engine_kernel.c, with engine_wishes.c, engine_addresses.c, engine_ports.c, engine_links.c
 * and engine_sock.c) does all of that: address batches, link and address events, opening sockets (joining a group
 * takes the lock too). They talk through two queues of small fixed messages; the generation's configuration is
 * read-only for both, and each mutable field below says which thread writes it.
 */
#ifndef VRRPD_ENGINE_ENGINE_H
#define VRRPD_ENGINE_ENGINE_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/limits.h"
#include "base/role.h"
#include "base/time.h"
#include "elect/elect.h"
#include "ipc/ipc_chan.h"
#include "ipc/ipc_memory.h"
#include "netlink/nlk.h"
#include "proto/vrrp_packet.h"
#include "sys/loop.h"

#define ENGINE_NO_INDEX	 UINT32_MAX

struct engine;

/* ---- configuration of one generation (engine_conf.c) -------------------------------------------------------
 */

/* An interface that matters, with the kind of source address wanted on it. Written by the advert loop after
 * start. */
struct engine_watch {
	char ifname[LIMIT_IFNAME];
	uint8_t family;	       /* of the wanted source; IP_FAMILY_NONE: only the link matters */
	struct ip_addr wanted; /* this very source, or family none: the interface's own (engine_links.c) */
	/* as last told by the kernel thread: */
	uint8_t link; /* enum elect_link */
	int ifindex;  /* 0 = missing */
	unsigned mtu;
	struct mac_addr mac;
	struct ip_addr source;
};

struct engine_address {
	struct ip_prefix prefix;
	uint32_t watch; /* index: the interface it goes to */
};

/* What the kernel thread knows of one address; the advert loop reads `held`. */
struct engine_held {
	atomic_bool held;
	bool foreign; /* it was there before and is not marked as ours: left alone */
	bool lost;    /* somebody else removed it */
	int ifindex;  /* the interface that it was put on, whatever that is called now */
};

/* Address `address` of instance `instance`. */
struct engine_place {
	uint32_t instance, address;
};

/* One datagram as it leaves, ready for sendmmsg. */
struct engine_datagram {
	struct sockaddr_storage dst;
	socklen_t dst_len;
	uint16_t len;
	uint8_t *buf; /* buf_size octets of the generation's memory */
};

/* Gratuitous ARP and neighbour advertisements of one instance (engine_announce.c). */
struct engine_announce {
	bool active;
	mono_t next;	   /* when the next frame or round is due */
	mono_t second_at;  /* second burst (garp.delay), MONO_NEVER = done or none */
	mono_t refresh_at; /* next refresh, MONO_NEVER = none */
	uint32_t position; /* next address of the running round */
	uint32_t rounds;   /* rounds left, the running one included */
	bool first;	   /* the round after a take-over: before everybody else's repeats */
};

/* Who last announced other addresses than ours, and which. */
struct engine_differ {
	struct ip_addr peer; /* family none: nobody, or it has announced ours since */
	struct ip_addr missing, foreign; /* the first of each; family none: there is none */
	mono_t at;
};

/* Other hosts' claims on an instance's addresses (engine_claim.c). */
struct engine_claims {
	uint8_t *seen; /* per address: claimed since the instance began to leave */
	uint32_t n_seen;
	uint64_t conflicts;   /* claims heard while Active */
	struct mac_addr mac;  /* of the last of them */
	struct ip_addr addr;  /* what it claimed */
	mono_t at;	      /* when; MONO_ZERO = never */
	mono_t told;	      /* last event about it */
};

/* Addresses that somebody else removed (engine_exec.c). */
struct engine_heal {
	mono_t window; /* start of the present measuring window */
	uint32_t n;    /* times in it */
	mono_t told;   /* last event about it */
	bool failed;   /* they could not be put back: try again */
};

/* A transition as it was; at 0: none yet. */
struct engine_last {
	mono_t at;
	struct role_cause cause;
	uint8_t from, to; /* enum role_state */
	uint8_t priority; /* effective */
};

struct engine_instance {
	uint32_t index;
	/* configuration */
	struct elect_conf conf;
	struct vrrp_codec codec;
	uint8_t garp_repeat;
	bool reset_connections;
	bool removed; /* of the generation before: here only to leave in order */
	usec_t garp_delay_us, garp_refresh_us, garp_interval_us;
	uint32_t watch; /* own interface */
	uint32_t port;
	uint32_t n_addresses; /* advertised first, then extra */
	const struct engine_address *addresses;
	const struct ipc_conf_track *tracks;	/* conf.n_tracks */
	const uint32_t *track_watches;		/* per track: watch of an interface, else ENGINE_NO_INDEX */
	struct engine_instance *next_same_vrid; /* the VRID again: other peers, or one that leaves */
	/* advert loop */
	struct elect elect;
	struct ipc_counters counters;
	struct engine_announce announce;
	struct engine_claims claims;
	struct engine_differ differ;
	mono_t owner_told; /* when another owner was last told of; MONO_ZERO: never */
	struct engine_heal heal;
	bool resume;	  /* was Active in the engine before, until resume_ago ago */
	bool adopted;	  /* goes on from the generation before */
	bool tell_peers;  /* something about it is new to them: they hear of it at once */
	bool settling;	  /* its addresses are new by configuration or interface: adding them heals nothing */
	usec_t resume_ago;
	uint32_t n_datagrams; /* 1 for the group, else one per peer */
	struct engine_datagram *datagrams;
	bool built; /* the datagrams hold built_* */
	uint8_t built_priority, built_form;
	uint16_t built_interval_cs;
	struct ip_addr built_source;
	bool queued; /* waits in engine.tx for the flush */
	uint8_t queued_priority;
	uint16_t queued_interval_cs; /* 0 = the configured one */
	bool send_failed; /* the last advert did not leave */
	mono_t resume_until; /* so long it may hold, by what the engine before knew */
	_Atomic uint64_t keep_until_us; /* monotonic: its lease allows addresses until then, UINT64_MAX: for ever; read by the
					   kernel thread */
	uint64_t kept_until_us; /* the kernel thread's: until when the kernel was told to keep them, with a lease */
	bool campaigns;	    /* as the agent was told last */
	uint8_t campaign_priority;
	uint8_t told;	  /* enum role_state that the notify commands know, ROLE_STATE_COUNT: none */
	bool ask_due;	  /* the agent has not taken the last question */
	struct engine_last last; /* the last transition, for the next agent */
	bool last_due;	  /* it is still to be told to this one, which was connected after it */
	bool event_due;	  /* the agent has not taken an event since it was told of event_from */
	uint8_t event_from;
	bool releasing;	  /* a RELEASE is on its way through the kernel thread */
	uint32_t release_epoch; /* of the last one */
	/* kernel thread */
	struct engine_held *held;
};

/* The raw sockets of one interface and family, shared by its instances. */
struct engine_port {
	uint32_t watch; /* any watch on that interface and family */
	uint8_t family;
	bool multicast;			      /* joins the group */
	struct engine_instance *by_vrid[256]; /* chain by next_same_vrid */
	/* advert loop */
	int ifindex;	  /* the sockets belong to this interface; 0 = closed */
	int fd, stray_fd; /* packets of our VRIDs; everything else, to be counted only */
	struct loop_io *io, *stray_io;
	mono_t window;		    /* start of the present measuring window */
	uint32_t in_window, before; /* packets in it and in the one before */
};

struct engine_check {
	uint64_t stale_after_us;
	uint8_t on_stale; /* enum ipc_policy */
	bool used;	  /* some instance tracks it */
	/* advert loop */
	uint8_t state; /* enum elect_track_state */
	bool has_weight;
	int16_t weight; /* what the result says that it weighs */
	mono_t heard;
};

struct engine_gen {
	uint32_t gen;
	char node[LIMIT_NODE];
	int realtime_priority;
	bool lock_memory;
	uint32_t address_lifetime_s;
	bool last_will; /* only hand over what is held, then end */
	uint32_t n_instances, n_watches, n_ports, n_addresses, n_checks;
	uint32_t n_configured; /* instances without the removed ones, which come last */
	uint32_t index_size;   /* a power of two */
	struct engine_place *index;
	struct engine_instance *instances;
	struct engine_watch *watches;
	struct engine_port *ports;
	struct engine_check checks[LIMIT_CHECKS];
	void *arena; /* everything above points into it */
};

/* Takes in IPC_CONF_* one by one. */
struct engine_conf_reader;

struct engine_conf_reader *engine_conf_reader_new(void);
void engine_conf_reader_free(struct engine_conf_reader *r); /* NULL is fine */

/* 0 = more to come; 1 = COMMIT, and *ret_gen is the new generation; -EPROTO: the stream is wrong; -ENOMEM. */
int engine_conf_reader_take(struct engine_conf_reader *r, const union ipc_msg *m, struct engine_gen **ret_gen);

void engine_gen_free(struct engine_gen *g); /* NULL is fine */

/* ---- engine_index.c: find addresses by their octets
 * ----------------------------------------------------------------- */

/* Entries of a table for so many addresses. */
uint32_t engine_index_size(uint32_t n_addresses);

/* Fill g->index (g->index_size entries) from the instances. */
void engine_index_fill(struct engine_gen *g);

struct engine_cursor {
	bool begun;
	uint32_t at;
};

/* The next place that has this address, whatever its length and interface; a zeroed cursor begins. False: no more. */
bool engine_index_next(const struct engine_gen *g, const struct ip_addr *a, struct engine_cursor *c,
		       struct engine_place *ret);

/* ---- the kernel thread (engine_kernel.c, engine_wishes.c)
 * ---------------------------------------------------------------------- */

/* What the elections want of an instance's addresses; only the newest wish counts. */
enum kernel_want {
	KERNEL_WANT_ACQUIRE, /* add every address, answer with ACQUIRED and the epoch */
	KERNEL_WANT_RELEASE, /* reset their connections, remove them, answer with RELEASED and the epoch */
	KERNEL_WANT_HEAL,    /* put back what is missing, answer with HEALED; gives way to every other wish */
};

enum kernel_answer_kind {
	KERNEL_ANSWER_ACQUIRED, /* err 0, or errno and `addr` of the first address that failed */
	KERNEL_ANSWER_RELEASED, /* count: connections that were reset */
	KERNEL_ANSWER_LOST,	/* somebody removed addresses of the instance: count, `addr` is one of them */
	KERNEL_ANSWER_HEALED,	/* count: addresses put back */
	KERNEL_ANSWER_SWITCHED, /* the next generation is in force; what comes now is about it */
	KERNEL_ANSWER_PORT,    /* sockets of a port for `ifindex`: fd, stray_fd; all closed when ifindex is 0 */
	KERNEL_ANSWER_WATCH,   /* new state of `watch` */
	KERNEL_ANSWER_SYNCED,  /* the first look at everything is done */
	KERNEL_ANSWER_TROUBLE, /* something to log: `text`, err */
	KERNEL_ANSWER_BROKEN,  /* netlink cannot be read any more (err): the thread has ended */
};

struct kernel_answer {
	uint8_t kind;
	uint8_t link;
	uint32_t index; /* of the instance, port or watch */
	uint32_t epoch;
	uint32_t count;
	int err;
	int ifindex;
	int fd, stray_fd;
	unsigned mtu;
	struct mac_addr mac;
	struct ip_addr addr; /* WATCH: source; ACQUIRED with err: the address */
	char text[64];
};

struct engine_kernel;

/*
 * Start the thread for a generation. Answers arrive through fn in the advert loop. 0 and *ret, or -errno.
 */
typedef void engine_kernel_fn(void *arg, const struct kernel_answer *a);
int engine_kernel_start(struct loop *loop, struct engine_gen *gen, engine_kernel_fn *fn, void *arg,
			struct engine_kernel **ret);

/*
 * Say what is wanted of an instance's addresses; never blocks. A wish that was not yet carried out is replaced
 * and never answered. Between engine_kernel_switch() and engine_kernel_switched() wishes are dropped.
 */
void engine_kernel_want(struct engine_kernel *k, uint32_t instance, enum kernel_want want, uint32_t epoch);

/*
 * Go over to another generation: addresses that are in both stay as they are, ours that are only in the old one are
 * removed. Answers: SWITCHED, then ports and watches of the new one, then SYNCED. Both generations must live until
 * SWITCHED. Never blocks. 0 or -ENOMEM, and then nothing changes.
 */
int engine_kernel_switch(struct engine_kernel *k, struct engine_gen *next);

/* SWITCHED has come, and from now on the caller's wishes are about the new generation. */
void engine_kernel_switched(struct engine_kernel *k);

/* Has port `p` of generation `g` the same sockets as one of `old`? Then *ret is that one's index. */
bool engine_port_stays(const struct engine_gen *old, const struct engine_gen *g, const struct engine_port *p,
		       uint32_t *ret);

/* How often the lifetimes of held addresses want renewing: a third of the lifetime, so that two rounds may
 * fail; 0 = never. */
usec_t engine_kernel_renew_interval(const struct engine_kernel *k);

/* Renew them now: the advert loop vouches for what is held. Never blocks. */
void engine_kernel_renew(struct engine_kernel *k);

/* Give a socket back to be closed (leaving a group takes the rtnl lock). */
void engine_kernel_close_fd(struct engine_kernel *k, int fd);

/* Quit the thread, wait for it, free everything; NULL is fine. */
void engine_kernel_stop(struct engine_kernel *k);

/* ---- engine_links.c: what the caches say about a watch (kernel thread)
 * ----------------------------------------- */

/* The present state of a watch: link, ifindex, mtu, mac, source. Fills a KERNEL_ANSWER_WATCH. */
void engine_links_look(const struct nlk_cache *cache, const struct engine_gen *gen, uint32_t watch,
		       struct kernel_answer *ret);

/* ---- engine_sock.c, engine_filter.c: sockets (kernel thread)
 * --------------------------------------------------- */

/*
 * Open the two raw sockets of a port on interface `ifindex`/`ifname`: bound to it, member of the group if
 * `multicast`, filtered by the VRIDs in `vrids` (256 flags), no loop-back, header included on sending. 0, or
 * -errno and no socket left open.
 */
int engine_sock_open(uint8_t family, const char *ifname, int ifindex, bool multicast, const bool vrids[256],
		     int *ret_fd, int *ret_stray_fd);

/*
 * Attach the filter: pass packets whose VRID is in `vrids`, or (stray) exactly the others. 0 or -errno.
 */
int engine_filter_attach(int fd, uint8_t family, const bool vrids[256], bool stray);

/* ---- the advert loop
 * ---------------------------------------------------------------------------------------------- */

#define ENGINE_TX_BATCH 256

struct engine_tx; /* batches of engine_tx.c */
struct engine_rx; /* buffers of engine_rx.c */
struct engine_report;

struct engine {
	struct loop *loop;
	struct ipc_chan parent;
	struct loop_io *parent_io;
	struct ipc_chan agent;
	struct loop_io *agent_io;
	struct engine_conf_reader *reader;
	struct engine_gen *gen; /* NULL until the first COMMIT */
	struct engine_kernel *kernel;
	struct engine_rx *rx;
	struct engine_tx *tx;
	struct engine_report *report;
	struct loop_timer *timer;	   /* elections and staleness */
	struct loop_timer *announce_timer; /* paced announcements */
	struct loop_timer *stop_timer;	   /* how long a stop may take */
	struct loop_timer *renew_timer;	   /* lifetimes of the addresses in the kernel */
	struct loop_timer *rx_timer;	   /* end of the pause on busy ports */
	struct loop_timer *stray_timer;	   /* pause between looks at stray packets */
	struct engine_gen *next_gen;	   /* the kernel thread is going over to it, or NULL */
	struct engine_gen *waiting_gen;	   /* comes next, when those that only leave have left; or NULL */
	struct engine_claimers *claimers;  /* engine_claim.c */
	struct ipc_memory *memory;	   /* for the next engine; NULL = none */
	usec_t suspended;		   /* CLOCK_BOOTTIME - CLOCK_MONOTONIC, as last seen */
	mono_t next_wake; /* no instance's deadline is earlier; may be earlier than all of them */
	mono_t started;
	int announce_fd;
	bool asks_due, events_due; /* the agent did not take a question, an event */
	bool synced;
	bool ready_due, overrides_due; /* vrrpd did not take in that the generation is in force, that something was said */
	bool stopping;
	bool leaving_for_good; /* the last will: stop as soon as everything that is resumed is Active */
	bool realtime, locked;
	uint64_t lateness[IPC_LATENESS_BUCKETS];
	uint64_t late_max_us, late_sum_us;
	uint64_t discarded[VRRP_DROP_COUNT];
};

/* engine_exec.c: one event of one instance, and everything that follows from it. */
void engine_event(struct engine *e, struct engine_instance *i, const struct elect_event *ev, mono_t now);

/* Was this host suspended since the last wake-up? Then every election hears of it, before anything else. */
void engine_notice_suspend(struct engine *e);

/* The kernel thread says that addresses were removed, or put back (engine_exec.c). */
void engine_lost(struct engine *e, struct engine_instance *i, const struct kernel_answer *a, mono_t now);
void engine_healed(struct engine *e, struct engine_instance *i, const struct kernel_answer *a, mono_t now);

/* Have the addresses removed. */
void engine_release(struct engine *e, struct engine_instance *i);

/* Say again to the kernel thread what is wanted of an instance's addresses. */
void engine_want_again(struct engine *e, struct engine_instance *i);

/* Let every due timer fire (engine_exec.c), then arm the loop's timer. */
void engine_run_timers(struct engine *e, mono_t now);

/* Arm the timer for the earliest deadline. */
void engine_arm(struct engine *e);

/* engine_tx.c */
struct engine_tx *engine_tx_new(void);
void engine_tx_free(struct engine_tx *t);
/* Queue one advert; it leaves with the next flush, at the end of the wake-up. */
void engine_tx_queue(struct engine *e, struct engine_instance *i, const struct role_action *a, mono_t now);
void engine_tx_flush(struct engine *e, mono_t now);

/* engine_rx.c */
struct engine_rx *engine_rx_new(void);
void engine_rx_free(struct engine_rx *r);
/* Take in what waits on a port, at most `batches` batches of packets. */
void engine_rx_drain(struct engine *e, struct engine_port *p, unsigned batches);
void engine_rx_ready(void *arg, int fd, bool readable, bool writable);
/* The pause on busy ports is over: take in what came. */
void engine_rx_resume(void *arg, mono_t now);
/* Look at some of the packets that are not for us, to count them. */
void engine_rx_stray(struct engine *e, struct engine_port *p);

/* engine_announce.c */
void engine_announce_start(struct engine *e, struct engine_instance *i, mono_t now);
void engine_announce_cancel(struct engine *e, struct engine_instance *i);
void engine_announce_run(void *arg, mono_t now);

/* engine_claim.c: what other hosts say about our addresses */
int engine_claim_open(struct engine *e); /* 0 or -ENOMEM; the sockets come with engine_claim_update() */
void engine_claim_close(struct engine *e);
/* Sockets for the present generation on the present interfaces. */
void engine_claim_update(struct engine *e);
/* An instance began to leave: count from now on. */
void engine_claim_restart(struct engine_instance *i);

/* engine_reload.c: from one generation to the next */
/* Takes the generation over; it waits until instances that only leave have handed over. 0 or -EPROTO, -ENOMEM.
 */
int engine_reload_begin(struct engine *e, struct engine_gen *next);
/* Have they? To be called after whatever may have ended the leave of one. */
void engine_reload_go_on(struct engine *e);
void engine_reload_switch(struct engine *e, mono_t now);

/* engine_control.c: commands that came through the agent */
void engine_control(struct engine *e, const struct ipc_control *m, mono_t now);

/* engine_ask.c: questions to the agent, and its answers */
/* Put an instance's present question, also that it does not matter any more. */
void engine_ask(struct engine *e, struct engine_instance *i);
/* The same for every instance that waits: the agent, or the generation, is another one. */
void engine_ask_all(struct engine *e);
/* There is nobody to ask, and there will be nobody. */
void engine_ask_nobody(struct engine *e, mono_t now);
void engine_answer(struct engine *e, const struct ipc_answer *m, mono_t now);
void engine_told(struct engine *e, const struct ipc_told *m);
void engine_services(struct engine *e, const struct ipc_services *m, mono_t now);

/* engine_leader.c: modes that follow a store */
void engine_leader(struct engine *e, const struct ipc_leader *m, mono_t now);
/* Does this node want the lease? To be called after whatever may have changed that. */
void engine_campaign(struct engine *e, struct engine_instance *i);
/* Tell a new agent. */
void engine_campaign_all(struct engine *e);
/* Set until when the kernel may keep the addresses of one instance, or of each: as long as its lease lasts. Are there leases? */
void engine_leader_keep(struct engine_instance *i);
bool engine_leader_keep_all(struct engine *e);
#define ENGINE_KEEP_MIN_US (2 * USEC_PER_SEC) /* with less than that left of a lease nothing is put back */

/* engine_memory.c: what the next engine needs */
/* Read for a first generation what the engine before left. */
void engine_memory_recall(struct engine *e, struct engine_gen *g);
/* Write down everything for the present generation. */
void engine_memory_write(struct engine *e);
/* Write down one instance, or the time of its last advert. */
void engine_memory_note(struct engine *e, const struct engine_instance *i);
void engine_memory_advert(struct engine *e, const struct engine_instance *i, mono_t now);
/* Tell vrrpd that what was said by command has changed; again while e->overrides_due. */
void engine_memory_tell(struct engine *e);
void engine_memory_check(struct engine *e, uint32_t check, uint8_t state);

/* engine_run.c */
/* Set everything up, with the channel to the parent; then loop_run(e->loop). What is missing at the start ends the process. */
void engine_open(struct engine *e, int chan);
/* Free everything, whatever state it is in. */
void engine_close(struct engine *e);
/* Leave in order and end; end now, if nothing is left to hand over. */
void engine_stop(struct engine *e);
void engine_finish_stop(struct engine *e);

/* engine_answers.c: an engine_kernel_fn, with the engine as its argument */
void engine_on_answer(void *arg, const struct kernel_answer *a);
/* Tell vrrpd that the generation is in force; again while e->ready_due. */
void engine_tell_ready(struct engine *e);

/* engine_health.c */
void engine_health_check(struct engine *e, const struct ipc_check *m, mono_t now);
void engine_health_expire(struct engine *e, mono_t now);
/* When the next result goes stale; MONO_NEVER. */
mono_t engine_health_deadline(const struct engine *e);

/* engine_report.c: snapshots and events for the agent */
struct engine_report *engine_report_new(void);
void engine_report_free(struct engine_report *r);
void engine_report_get(struct engine *e, uint32_t token);
void engine_report_continue(struct engine *e); /* the agent's channel takes more */
void engine_report_reset(struct engine *e);    /* the agent's channel is a new one, or gone */
void engine_report_restart(struct engine *e);  /* another generation: a running snapshot begins anew */
void engine_report_event(struct engine *e, struct engine_instance *i, uint8_t from, const struct role_action *a,
			 mono_t now);
/* Something happened that changed no state: an event and a log line. */
void engine_report_note(struct engine *e, struct engine_instance *i, const struct role_cause *cause, mono_t now);

#endif
