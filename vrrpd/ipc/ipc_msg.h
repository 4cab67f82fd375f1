/*
 * ipc_msg.h - everything the processes say to each other: one fixed struct per message.
 *
 * Sent over SOCK_SEQPACKET: one message is one packet. Every struct begins with struct ipc_head. The receiver
 * checks the type against the channel and its direction, the size against the table (ipc_names.c), then the
 * values; a bad message ends the connection and with it the peer. Same host, same build: native byte order.
 *
 *   parent -> engine, agent   MEMORY, the configuration (a generation: BEGIN .. COMMIT), the link between the two, STOP
 *   parent -> agent           LISTEN, TROUBLE, RELOAD_LINE, RELOAD_DONE, RUN_ENDED
 *   engine, agent -> parent   READY, LOG
 *   engine -> parent          OVERRIDES
 *   agent -> parent           RELOAD, RUN, RUN_KILL
 *   agent -> engine           SNAP_GET, CHECK, CONTROL, ANSWER, TOLD, SERVICES, LEADER
 *   engine -> agent           SNAP_*, EVENT, CONTROL_REPLY, ASK, CAMPAIGN
 */
#ifndef VRRPD_IPC_IPC_MSG_H
#define VRRPD_IPC_IPC_MSG_H

#include <stdint.h>

#include "base/addr.h"
#include "base/limits.h"
#include "base/role.h"
#include "proto/vrrp_packet.h"

#define IPC_IFA_PROTO 112 /* IFA_PROTO of every address that is ours: the number of VRRP's IP protocol */

enum ipc_dir {
	IPC_PARENT_TO_ENGINE = 1,
	IPC_PARENT_TO_AGENT = 2,
	IPC_ENGINE_TO_PARENT = 4,
	IPC_AGENT_TO_PARENT = 8,
	IPC_ENGINE_TO_AGENT = 16,
	IPC_AGENT_TO_ENGINE = 32,
};

#define IPC_TO_CHILDREN (IPC_PARENT_TO_ENGINE | IPC_PARENT_TO_AGENT)
#define IPC_TO_PARENT	(IPC_ENGINE_TO_PARENT | IPC_AGENT_TO_PARENT)

/* X(NAME, struct, directions, carries a descriptor) */
#define IPC_MESSAGES(X)                                                                                        \
	X(CONF_BEGIN, ipc_conf_begin, IPC_TO_CHILDREN, 0)                                                      \
	X(CONF_CHECK, ipc_conf_check, IPC_PARENT_TO_AGENT, 0)                                                  \
	X(CONF_OPTION, ipc_conf_option, IPC_PARENT_TO_AGENT, 0)                                                \
	X(CONF_INSTANCE, ipc_conf_instance, IPC_TO_CHILDREN, 0)                                                \
	X(CONF_ADDRESS, ipc_conf_address, IPC_TO_CHILDREN, 0)                                                  \
	X(CONF_PEER, ipc_conf_peer, IPC_TO_CHILDREN, 0)                                                        \
	X(CONF_TRACK, ipc_conf_track, IPC_TO_CHILDREN, 0)                                                      \
	X(CONF_HOOK, ipc_conf_hook, IPC_PARENT_TO_AGENT, 0)                                                    \
	X(CONF_SERVICE, ipc_conf_service, IPC_PARENT_TO_AGENT, 0)                                              \
	X(CONF_COMMIT, ipc_conf_commit, IPC_TO_CHILDREN, 0)                                                    \
	X(CONF_TEXT, ipc_conf_text, IPC_PARENT_TO_AGENT, 1)                                                    \
	X(LISTEN, ipc_listen, IPC_PARENT_TO_AGENT, 1)                                                          \
	X(MEMORY, ipc_memory_fd, IPC_TO_CHILDREN, 1)                                                           \
	X(TROUBLE, ipc_trouble, IPC_PARENT_TO_AGENT, 0)                                                        \
	X(RELOAD, ipc_reload, IPC_AGENT_TO_PARENT, 0)                                                          \
	X(RELOAD_LINE, ipc_reload_line, IPC_PARENT_TO_AGENT, 0)                                                \
	X(RELOAD_DONE, ipc_reload_done, IPC_PARENT_TO_AGENT, 0)                                                \
	X(RUN, ipc_run, IPC_AGENT_TO_PARENT, 1)                                                                \
	X(RUN_KILL, ipc_run_kill, IPC_AGENT_TO_PARENT, 0)                                                      \
	X(RUN_ENDED, ipc_run_ended, IPC_PARENT_TO_AGENT, 0)                                                    \
	X(LINK, ipc_link, IPC_TO_CHILDREN, 1)                                                                  \
	X(STOP, ipc_stop, IPC_TO_CHILDREN, 0)                                                                  \
	X(READY, ipc_ready, IPC_TO_PARENT, 0)                                                                  \
	X(LOG, ipc_log, IPC_TO_PARENT, 0)                                                                      \
	X(OVERRIDES, ipc_overrides, IPC_ENGINE_TO_PARENT, 0)                                                   \
	X(SNAP_GET, ipc_snap_get, IPC_AGENT_TO_ENGINE, 0)                                                      \
	X(CHECK, ipc_check, IPC_AGENT_TO_ENGINE, 0)                                                            \
	X(CONTROL, ipc_control, IPC_AGENT_TO_ENGINE, 0)                                                        \
	X(CONTROL_REPLY, ipc_control_reply, IPC_ENGINE_TO_AGENT, 0)                                            \
	X(ASK, ipc_ask, IPC_ENGINE_TO_AGENT, 0)                                                                \
	X(ANSWER, ipc_answer, IPC_AGENT_TO_ENGINE, 0)                                                          \
	X(TOLD, ipc_told, IPC_AGENT_TO_ENGINE, 0)                                                              \
	X(SERVICES, ipc_services, IPC_AGENT_TO_ENGINE, 0)                                                      \
	X(LEADER, ipc_leader, IPC_AGENT_TO_ENGINE, 0)                                                          \
	X(CAMPAIGN, ipc_campaign, IPC_ENGINE_TO_AGENT, 0)                                                      \
	X(SNAP_ENGINE, ipc_snap_engine, IPC_ENGINE_TO_AGENT, 0)                                                \
	X(SNAP_INSTANCE, ipc_snap_instance, IPC_ENGINE_TO_AGENT, 0)                                            \
	X(SNAP_HELD, ipc_snap_held, IPC_ENGINE_TO_AGENT, 0)                                                    \
	X(SNAP_END, ipc_snap_end, IPC_ENGINE_TO_AGENT, 0)                                                      \
	X(EVENT, ipc_event, IPC_ENGINE_TO_AGENT, 0)

enum ipc_type {
	IPC_NONE,
#define X(name, st, dir, fd) IPC_##name,
	IPC_MESSAGES(X)
#undef X
		IPC_TYPE_COUNT
};

struct ipc_head {
	uint16_t type; /* enum ipc_type */
	uint16_t size; /* of the whole struct */
	uint32_t gen;  /* configuration generation it belongs to; 0 where none matters */
};

/*
 * ---- configuration, parent to children. Order: BEGIN, HOOK*, { CHECK, OPTION* }*,
 *      { INSTANCE, ADDRESS*, PEER*, TRACK*, HOOK*, SERVICE*, OPTION* }*, COMMIT; from hooks on they are the agent's alone ----
 */

struct ipc_conf_begin {
	struct ipc_head h;
	uint32_t n_checks, n_instances, n_addresses, n_peers, n_tracks; /* totals: memory is sized once */
	uint32_t n_hooks, n_services;					/* of all instances together */
	uint32_t n_own_hooks;						/* of these, those that belong to no instance */
	int32_t realtime_priority;					/* 0..99 */
	uint32_t address_lifetime_s;					/* 0 = permanent */
	uint32_t n_events;						/* that the agent keeps, 1..LIMIT_EVENTS */
	/* of n_instances: the last ones, which are not configured any more; the agent gets none */
	uint32_t n_removed;
	uint8_t lock_memory;
	uint8_t last_will; /* engine: hand over what is held, then end */
	char node[LIMIT_NODE];
};

struct ipc_conf_check { /* index = order of arrival */
	struct ipc_head h;
	uint64_t interval_us, timeout_us;
	uint64_t decay_us, warmup_us; /* of a graded check, 0 = none; at most a day */
	uint16_t rise, fall;
	uint8_t kind;	    /* enum ipc_check_kind */
	uint8_t on_timeout; /* enum ipc_policy */
	uint8_t on_stale;   /* enum ipc_policy */
	uint8_t n_command;
	uint8_t initial;     /* enum ipc_check_state */
	uint8_t weight_from; /* enum ipc_weight_from */
	uint16_t n_options;  /* CONF_OPTION messages that follow */
	int16_t scale;	     /* change of the priority at score 100, -253..253; 0: not graded */
	uint8_t hysteresis;  /* points of the score, 0..100 */
	uint8_t was_up;	     /* to a new agent: the check was up when the one before ended */
	char name[LIMIT_NAME];
	char user[LIMIT_NAME]; /* empty: the agent's own */
	char command[LIMIT_COMMAND_BYTES]; /* n_command words, each ended by a NUL */
};

enum ipc_check_kind {
	IPC_CHECK_SCRIPT,
	IPC_CHECK_INTERFACE,
	IPC_CHECK_HAPROXY,
	IPC_CHECK_PATRONI,
	IPC_CHECK_REDIS,
	IPC_CHECK_SENTINEL,
	IPC_CHECK_POSTGRES,
	IPC_CHECK_HTTP,
	IPC_CHECK_TCP,
	IPC_CHECK_PROCESS,
	IPC_CHECK_UNIT,
	IPC_CHECK_FILE,
	IPC_CHECK_ROUTE,
	IPC_CHECK_PING,
	IPC_CHECK_KIND_COUNT
};
enum ipc_policy { IPC_POLICY_FAIL, IPC_POLICY_HOLD, IPC_POLICY_COUNT };

enum ipc_weight_from { IPC_WEIGHT_FROM_NONE, IPC_WEIGHT_FROM_EXIT, IPC_WEIGHT_FROM_OUTPUT, IPC_WEIGHT_FROM_COUNT };

/* An option of the leader or lease of the instance before (cfg_leader_options() in config/cfg.h), or of the kind of the check before, as text (cfg_check_options() in config/cfg.h). */
struct ipc_conf_option {
	struct ipc_head h;
	uint16_t len; /* octets of text, without a NUL */
	char path[LIMIT_NAME];
	char text[LIMIT_OPTION_TEXT];
};

struct ipc_conf_instance { /* index = order of arrival; the next ones belong to it */
	struct ipc_head h;
	uint64_t preempt_delay_us, start_delay_us, garp_delay_us, garp_refresh_us, garp_interval_us;
	uint64_t enter_us, leave_us; /* struct elect_conf */
	uint32_t n_addresses, n_peers, n_tracks, n_hooks, n_services;
	uint16_t n_options; /* of its leader or lease */
	uint8_t on_store_loss; /* enum elect_store_loss */
	uint8_t arbiter;
	uint16_t adver_int_cs;
	uint8_t mode; /* enum elect_mode */
	uint8_t version, family, vrid, priority, preempt, down_adverts;
	uint8_t checksum; /* enum elect_checksum */
	uint8_t garp_repeat;
	uint8_t reset_connections;
	uint8_t unicast, ttl_min;
	uint8_t has_auth; /* the agent gets 0 and no password */
	uint8_t auth[VRRP_AUTH_SIZE];
	struct ip_addr unicast_source; /* family none: the interface's own */
	char name[LIMIT_NAME];
	char ifname[LIMIT_IFNAME];
};

struct ipc_conf_address {
	struct ipc_head h;
	struct ip_prefix prefix;
	uint8_t extra; /* held, not advertised; extra ones come after the advertised ones */
	char ifname[LIMIT_IFNAME];
};

struct ipc_conf_peer {
	struct ipc_head h;
	struct ip_addr addr;
};

struct ipc_conf_track {
	struct ipc_head h;
	uint8_t is_interface;
	uint8_t has_weight;
	uint8_t inverted;
	uint8_t on_stale; /* of the check, enum ipc_policy */
	int16_t weight;
	uint32_t check;		 /* index of the check; 0 for an interface */
	uint64_t stale_after_us; /* results older than this are stale */
	char name[LIMIT_NAME];
};

enum ipc_notify {
	IPC_NOTIFY_ACTIVE,
	IPC_NOTIFY_BACKUP,
	IPC_NOTIFY_FAULT,
	IPC_NOTIFY_STOP,
	IPC_NOTIFY_ANY, /* each of them */
	IPC_NOTIFY_COUNT
};

/* A notify command or a gate: of the instance before, or of all instances (before the checks). */
struct ipc_conf_hook {
	struct ipc_head h;
	uint64_t timeout_us;
	uint32_t number; /* of its command, for RUN */
	uint8_t gate;	 /* it is the gate */
	uint8_t notify;	 /* enum ipc_notify */
};

struct ipc_conf_service {
	struct ipc_head h;
	uint64_t timeout_us, interval_us, decay_us;
	uint32_t number; /* of the command that starts it; those that stop it and ask its status are the next two */
	uint16_t migration_threshold; /* 0 = none */
	char name[LIMIT_NAME];
};

struct ipc_conf_commit {
	struct ipc_head h;
};

/* The text of --print, secrets masked, as a readable descriptor (GET /v1/config). */
struct ipc_conf_text {
	struct ipc_head h;
	uint32_t size;
};

/* A listening socket for the status API. */
struct ipc_listen {
	struct ipc_head h;
	uint8_t control; /* 1: the Unix socket; 0: the read-only TCP listener */
	uint8_t has_group; /* members of `gid`, named `group`, may use the Unix socket; else only root */
	uint32_t gid;
	char group[LIMIT_NAME];
};

/* One end of a new channel between engine and agent; an older one is to be closed. */
struct ipc_link {
	struct ipc_head h;
};

struct ipc_stop {
	struct ipc_head h;
};

/* The generation `h.gen` is in force. */
struct ipc_ready {
	struct ipc_head h;
};

struct ipc_log {
	struct ipc_head h;
	uint8_t level; /* enum log_level */
	char text[LIMIT_LOG_TEXT];
};

/* What operators said by command has changed: the memory (ipc_memory.h) says what is in force. */
struct ipc_overrides {
	struct ipc_head h;
};

/* The memory that outlives engines (ipc_memory.h), or agents (ipc_events.h); comes before the configuration. */
struct ipc_memory_fd {
	struct ipc_head h;
};

/* What became of the engine and of agents before, for whoever asks for status. */
struct ipc_trouble {
	struct ipc_head h;
	uint32_t restarts;	 /* times the engine ended unexpectedly since vrrpd started */
	uint32_t agent_restarts; /* times an agent did */
	uint64_t last_us;	 /* CLOCK_MONOTONIC of the engine's last time */
	char text[LIMIT_LOG_TEXT]; /* why there is none now, or what happened last; may be empty */
};

/* Read the configuration file again. */
struct ipc_reload {
	struct ipc_head h;
	uint32_t token; /* comes back */
	uint8_t check;	/* only say what would change */
};

/* What changed, an error, or a note: one line for the operator. */
struct ipc_reload_line {
	struct ipc_head h;
	uint32_t token;
	char text[LIMIT_LOG_TEXT];
};

struct ipc_reload_done {
	struct ipc_head h;
	uint32_t token;
	uint8_t ok; /* the new configuration is in force, or would be; else nothing changed */
	uint32_t n_changed, n_added, n_removed;
};

#define IPC_COMMANDS_AT_ONCE 64 /* of hooks, gates and services */

enum ipc_run_what {
	IPC_RUN_CHECK,	 /* the command of check `index` of the generation h.gen, which another user runs */
	IPC_RUN_COMMAND, /* command `index` of its hooks, gates and services */
	IPC_RUN_WHAT_COUNT
};

/*
 * Run a command as its user, output to the descriptor that comes along. What the command is, vrrpd knows by itself. The
 * rest is for the environment and the arguments of hooks.
 */
struct ipc_run {
	struct ipc_head h;
	uint32_t token; /* comes back; not 0 */
	uint32_t index;
	uint32_t instance;   /* COMMAND: index of the instance it is run for */
	uint8_t what;	     /* enum ipc_run_what */
	uint8_t state, from; /* enum role_state: now, and what was told before */
	uint8_t priority;
	uint8_t reason;	     /* enum role_reason */
	uint32_t superseded; /* states that were over before they were told */
	char text[LIMIT_CAUSE_TEXT]; /* the reason as a sentence */
};

/* End a run: its process group gets SIGTERM or, by force, SIGKILL. */
struct ipc_run_kill {
	struct ipc_head h;
	uint32_t token;
	uint8_t what;
	uint8_t force;
};

struct ipc_run_ended {
	struct ipc_head h;
	uint32_t token;
	uint8_t what;
	int32_t code;	/* CLD_EXITED, CLD_KILLED or CLD_DUMPED; 0: it was not run */
	int32_t status; /* exit status or signal */
	char text[LIMIT_CHECK_TEXT]; /* why it was not run */
};

/* ---- between agent and engine ------------------------------------------------------------------------------
 */

struct ipc_snap_get {
	struct ipc_head h;
	uint32_t token; /* comes back in SNAP_END */
};

enum ipc_check_state { IPC_CHECK_PENDING, IPC_CHECK_UP, IPC_CHECK_DOWN, IPC_CHECK_STATE_COUNT };

/* A verdict is stale when two more runs should have ended since it came, and this much more. */
#define IPC_STALE_SLACK_US 1000000u

static inline uint64_t
ipc_stale_after_us(uint64_t interval_us, uint64_t timeout_us)
{
	return 2 * (interval_us + timeout_us) + IPC_STALE_SLACK_US;
}

/* The present verdict of a check; sent when it has changed, and again long before it is stale. No padding. */
struct ipc_check {
	struct ipc_head h;
	uint32_t check;
	uint8_t state; /* enum ipc_check_state */
	uint8_t has_weight; /* the result itself says what it weighs, instead of the track */
	int16_t weight;	    /* -253..253 */
};

enum ipc_control_verb {
	IPC_CONTROL_DRAIN,
	IPC_CONTROL_RESUME, /* drain and take-over end */
	IPC_CONTROL_TAKEOVER,
	IPC_CONTROL_PRIORITY,
	IPC_CONTROL_GARP,
	IPC_CONTROL_VERB_COUNT
};

/* A command about an instance. */
struct ipc_control {
	struct ipc_head h;
	uint32_t token; /* comes back */
	uint32_t index;
	uint64_t for_us;  /* DRAIN, TAKEOVER, PRIORITY: so long; 0: until undone */
	uint8_t verb;	  /* enum ipc_control_verb */
	uint8_t priority; /* PRIORITY: 1..254; 0: the configured one again */
};

enum ipc_control_result {
	IPC_CONTROL_DONE,
	IPC_CONTROL_BUSY,     /* the engine is starting or changes generations: try again */
	IPC_CONTROL_INACTIVE, /* only the active node announces */
	IPC_CONTROL_REFUSED,  /* `refusal` and `cause` say why */
	IPC_CONTROL_RESULT_COUNT
};

/* What became of it, and where the instance is now. */
struct ipc_control_reply {
	struct ipc_head h;
	uint32_t token;
	uint8_t result;	 /* enum ipc_control_result */
	uint8_t refusal; /* enum elect_refusal */
	uint8_t state;	 /* enum role_state */
	uint8_t leaving, drained, takeover;
	uint8_t priority; /* effective */
	struct role_cause cause; /* of a refusal */
};

/* struct elect_override; times are microseconds, 0 = not in force, UINT64_MAX = until undone. */
struct ipc_override {
	uint8_t drained, takeover, priority;
	uint64_t drained_until_us, takeover_until_us, priority_until_us;
};

/* A question of an instance's election; put again to an agent that was connected anew. By name, too: the agent may
 * have another generation. */
struct ipc_ask {
	struct ipc_head h;
	uint32_t index, epoch;
	uint8_t ask; /* enum role_ask */
	uint8_t priority;
	uint8_t removed; /* of an instance that only leaves */
	char name[LIMIT_NAME];
};

struct ipc_answer {
	struct ipc_head h;
	uint32_t index, epoch; /* of the question, and h.gen */
	uint8_t refused;
	char text[LIMIT_NAME]; /* why */
};

/* The notify commands of an instance have been told this state: kept for the next agent. */
struct ipc_told {
	struct ipc_head h;
	uint32_t index;
	uint8_t state; /* enum role_state */
};

/* How the services of an instance do; sent when it changes and to a new engine. */
struct ipc_services {
	struct ipc_head h;
	uint32_t index;
	uint32_t failures;     /* as many as make the node unfit, of one service; 0: it is not */
	char name[LIMIT_NAME]; /* of that service */
};

/*
 * What the store says of an instance's leader (struct elect_leader): sent when it changes and whenever it is confirmed.
 * Times are of CLOCK_BOOTTIME, in microseconds; 0: over, UINT64_MAX: never.
 */
struct ipc_leader {
	struct ipc_head h;
	uint32_t index;
	uint8_t fact; /* enum elect_fact */
	uint64_t confirmed_us, fresh_until_us, lease_until_us, local_until_us;
	char name[LIMIT_NAME];
};

/* Does this node want the lease of an instance (mode lease)? Sent when that changes, and to a new agent. */
struct ipc_campaign {
	struct ipc_head h;
	uint32_t index;
	uint8_t wanted;
	uint8_t priority; /* who is better placed waits less */
};

struct ipc_counters {
	uint64_t adverts_sent, adverts_received, zero_sent, zero_received;
	uint64_t send_errors;
	uint64_t interval_differs, addresses_differ, first_not_link_local, alt_checksum;
	uint64_t announces_sent;
	uint64_t addresses_healed, connections_reset;
	uint64_t discarded[VRRP_DROP_COUNT]; /* by enum vrrp_drop */
};

#define IPC_LATENESS_BUCKETS 8 /* upper bounds in us: 100, 500, 1000, 2000, 5000, 10000, 100000, none */

struct ipc_snap_engine {
	struct ipc_head h;
	uint64_t now_us;     /* CLOCK_MONOTONIC when the snapshot was taken */
	uint64_t started_us; /* the same clock */
	uint64_t advert_late_max_us, advert_late_sum_us;
	uint64_t advert_late[IPC_LATENESS_BUCKETS]; /* adverts by how late they left */
	uint64_t discarded[VRRP_DROP_COUNT];	    /* packets that belong to no instance */
	uint32_t n_instances;
	uint32_t address_lifetime_s; /* as configured, 0 = permanent */
	uint64_t renew_us;	     /* how often lifetimes are renewed: a third of what they really are; 0 = never */
	uint8_t realtime;	     /* SCHED_FIFO is in force */
	uint8_t locked;	  /* memory is locked */
};

struct ipc_peer {
	struct ip_addr addr;
	uint8_t priority, version, form; /* of the last advert; enum vrrp_checksum_form */
	uint8_t addresses_differ;
	uint16_t adver_int_cs;
	uint64_t heard_us; /* 0 = never (a configured unicast peer) */
};

#define IPC_HELD_FIRST 64 /* addresses whose state is in SNAP_INSTANCE itself */

struct ipc_snap_instance {
	struct ipc_head h;
	uint32_t index;
	uint8_t state;	  /* enum role_state */
	uint8_t priority; /* effective */
	uint8_t n_peers;
	uint8_t active_known; /* active_addr and active_priority are meaningful */
	uint8_t active_self;
	uint8_t active_priority;
	uint8_t form; /* checksum form sent */
	uint8_t link; /* enum elect_link */
	uint8_t leaving;
	struct ipc_override override; /* CLOCK_MONOTONIC */
	uint64_t delay_until_us, retry_us, preempt_until_us; /* CLOCK_MONOTONIC, UINT64_MAX: not running */
	struct ip_addr differ_peer;			       /* announced other addresses than ours; family none: nobody: */
	struct ip_addr differ_missing, differ_foreign;	       /* the first of ours that is missing there, the first that is not ours */
	uint8_t fact;	/* enum elect_fact, as the engine knows it */
	uint64_t held_until_us; /* without other news; CLOCK_MONOTONIC, UINT64_MAX: no end */
	uint8_t told;	/* enum role_state that the notify commands know, ROLE_STATE_COUNT: none */
	uint8_t asking; /* enum role_ask */
	struct mac_addr conflict_mac; /* who last claimed conflict_addr, at conflict_us; 0 = nobody */
	struct ip_addr conflict_addr;
	uint64_t conflict_us, conflicts;
	uint32_t transitions;
	uint32_t n_held;
	uint64_t since_us;
	struct role_cause cause;
	struct ip_addr source;
	struct ip_addr active_addr;
	struct ipc_counters counters;
	struct ipc_peer peers[LIMIT_HEARD_PEERS];
	uint8_t tracks[LIMIT_TRACKS]; /* enum elect_track_state */
	uint8_t held[IPC_HELD_FIRST / 8]; /* of the first addresses; those of the rest in SNAP_HELD */
};

#define IPC_HELD_BITS 4096 /* addresses per SNAP_HELD message */

/* Which addresses of instance `index` are in the kernel: bit i of `held` is address first + i; first is at least
 * IPC_HELD_FIRST. */
struct ipc_snap_held {
	struct ipc_head h;
	uint32_t index, first, n;
	uint8_t held[IPC_HELD_BITS / 8];
};

struct ipc_snap_end {
	struct ipc_head h;
	uint32_t token;
};

/*
 * A transition, as it happens; with from == to something worth telling that changed no state. By name, too: the agent
 * may have another generation.
 */
#define IPC_EVENT_REMOVED UINT32_MAX /* index of an instance that is no longer configured and only leaves */

struct ipc_event {
	struct ipc_head h;
	uint32_t index;
	uint8_t from, to; /* enum role_state */
	uint8_t priority; /* effective */
	uint8_t again;	  /* the last transition, told to an agent that was connected anew and may know it */
	uint64_t at_us;	  /* CLOCK_MONOTONIC */
	struct role_cause cause;
	char name[LIMIT_NAME];
};

union ipc_msg {
	struct ipc_head h;
#define X(name, st, dir, fd) struct st name;
	IPC_MESSAGES(X)
#undef X
};

#endif
