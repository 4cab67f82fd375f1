/*
 * role.h - the vocabulary that every election shares: states, reasons, actions.
 *
 * A step of any election mode fills a struct role_actions; the engine (or the case runner, or the
 * simulator) carries the actions out in order. A reason is an enum with its figures; its sentence is
 * made in one place, so log, event, status and test say the same words.
 */
#ifndef VRRPD_BASE_ROLE_H
#define VRRPD_BASE_ROLE_H

#include <stdint.h>

#include "base/addr.h"
#include "base/limits.h"
#include "base/time.h"

enum role_state {
	ROLE_STATE_INITIALIZE, /* not taking part: starting, or stopped in order */
	ROLE_STATE_BACKUP,
	ROLE_STATE_ACTIVE,
	ROLE_STATE_FAULT, /* unfit; the cause says why */
	ROLE_STATE_COUNT
};

/*
 * Why a state was entered, or why an instance is unfit. X(name, label for metrics and JSON, sentence).
 * In a sentence {addr} is the cause's address, {name} its name, {ms} and {a} its first figure (as
 * milliseconds from microseconds, and plainly), {b} its second.
 */
#define ROLE_REASONS(X)                                                                                        \
	X(STARTING, "starting", "starting")                                                                    \
	X(START_DELAY, "start_delay", "waiting {ms} ms before taking part (start_delay)")                      \
	X(STARTED, "started", "started, listening for adverts for {ms} ms")                                    \
	X(RESUMED, "resumed", "went on after {ms} ms: the engine was started again")                           \
	X(TAKEOVER, "takeover", "told to take over by command")                                                \
	X(OWNER, "owner", "priority 255: this host owns the address")                                          \
	X(NO_ADVERTS, "no_adverts", "no adverts from {addr} for {ms} ms")                                      \
	X(NOBODY_HEARD, "nobody_heard", "nobody was heard for {ms} ms")                                        \
	X(ACTIVE_LEFT, "active_left", "{addr} left (priority 0)")                                              \
	X(PREEMPT, "preempt", "{addr} advertises priority {b}, lower than ours ({a})")                         \
	X(HIGHER_PRIORITY, "higher_priority", "{addr} advertises priority {b}, higher than ours ({a})")        \
	X(HIGHER_ADDRESS, "higher_address", "{addr} advertises our priority ({a}) and has the higher address") \
	X(SLEPT, "slept", "this host did not run for {ms} ms, its peers may have taken over")                  \
	X(INTERFACE_MISSING, "interface_missing", "interface {name} does not exist")                           \
	X(INTERFACE_DOWN, "interface_down", "interface {name} is down")                                        \
	X(NO_CARRIER, "no_carrier", "interface {name} has no carrier")                                         \
	X(NO_SOURCE, "no_source", "interface {name} has no usable source address")                             \
	X(TRACKED_INTERFACE, "tracked_interface", "tracked interface {name} is not up")                        \
	X(CHECK_PENDING, "check_pending", "check {name} has no result yet")                                    \
	X(CHECK_FAILED, "check_failed", "check {name} failed")                                                 \
	X(CHECK_STALE, "check_stale", "check {name} gave no fresh result (agent gone?)")                       \
	X(ADDRESS_FAILED, "address_failed", "address {addr} could not be added: {errno}")                      \
	X(ADDRESS_TAKEN, "address_taken", "address {addr} was removed by another program again and again")     \
	X(ADDRESS_HEALED, "address_healed", "address {addr} was removed by another program and put back")      \
	X(ADDRESS_CONFLICT, "address_conflict", "{addr} is claimed by {name}, too: announced again")           \
	X(CONNECTIONS_RESET, "connections_reset", "{a} connections to the addresses given up were reset")      \
	X(SEND_FAILED, "send_failed", "adverts could not be sent for {ms} ms: {errno}")                        \
	X(STORE_AWAITED, "store_awaited", "waiting for the store to say who is the leader")                    \
	X(LEADER_SELF, "leader_self", "the leader is this node, {name}")                                       \
	X(LEADER_OTHER, "leader_other", "the leader is {name}")                                                \
	X(LEADER_NONE, "leader_none", "there is no leader")                                                    \
	X(STORE_LOST, "store_lost", "the store has not confirmed the leader for {ms} ms: {name}")              \
	X(LEASE_LOST, "lease_lost", "the arbiter's lease is over: {name}")                                     \
	X(GATE_REFUSED, "gate_refused", "the gate refused: {name}")                                            \
	X(GATE_SILENT, "gate_silent", "the gate gave no answer for {ms} ms")                                   \
	X(SERVICES_FAILED, "services_failed", "service {name} failed {a} times")                               \
	X(SERVICE_STARTED, "service_started", "service {name} was started, it took {ms} ms")                   \
	X(SERVICE_STOPPED, "service_stopped", "service {name} was stopped, it took {ms} ms")                   \
	X(SERVICE_TROUBLE, "service_trouble", "service {name} failed, {b} times of late")                      \
	X(HOOK_ENDED, "hook_ended", "{name} ended with exit status {b} after {ms} ms")                         \
	X(HOOK_KILLED, "hook_killed", "{name} was ended by signal {b} after {ms} ms")                          \
	X(HOOK_TIMED_OUT, "hook_timed_out", "{name} was ended after {ms} ms: it took longer than its time-out") \
	X(HOOK_NOT_RUN, "hook_not_run", "{name} could not be run")                                              \
	X(DRAINED, "drained", "drained: hands over, stays away until resumed")                                \
	X(REMOVED, "removed", "no longer configured")                                                          \
	X(CRASH_LOOP, "crash_loop", "vrrpd-engine keeps ending: hands over until it runs again")                \
	X(STOPPING, "stopping", "vrrpd is stopping")

enum role_reason {
#define X(name, label, text) ROLE_REASON_##name,
	ROLE_REASONS(X)
#undef X
		ROLE_REASON_COUNT
};

struct role_cause {
	uint8_t reason; /* enum role_reason */
	struct ip_addr addr;
	uint64_t a; /* first figure: microseconds for {ms}, else a plain number */
	uint32_t b; /* second figure, or an errno for {errno} */
	char name[LIMIT_NAME];
};

enum role_action_kind {
	ROLE_ACTION_STATE,    /* the state changed: report `state` and `cause` */
	ROLE_ACTION_ACQUIRE,  /* put every address in place, then report back with the same `epoch` */
	ROLE_ACTION_ADVERT,   /* send one advert with `priority` now */
	ROLE_ACTION_ANNOUNCE, /* gratuitous ARP / unsolicited NA: one round for every address, then the repeats
			       */
	ROLE_ACTION_RELEASE,  /* cancel announcements, remove every address */
	ROLE_ACTION_ASK,      /* ask whoever runs commands for `ask`; its answer comes back with the same `epoch` */
	ROLE_ACTION_COUNT
};

enum role_ask {
	ROLE_ASK_NOTHING, /* never mind what was asked last */
	ROLE_ASK_ENTER,	  /* may the addresses be taken? (gate) */
	ROLE_ASK_LEASE,	  /* get the arbiter's lease; the answer comes as news of the leader */
	ROLE_ASK_LEAVE,	  /* stop what must run where the addresses are: they go next (services) */
	ROLE_ASK_COUNT
};

struct role_action {
	uint8_t kind;	       /* enum role_action_kind */
	uint8_t ask;	       /* ASK: enum role_ask */
	uint8_t state;	       /* STATE: enum role_state entered */
	uint8_t priority;      /* ADVERT: 0 when leaving */
	uint16_t adver_int_cs; /* ADVERT: interval to tell, 0 = the configured one */
	uint32_t epoch;	       /* ACQUIRE, ASK: number of this take-over or question, to tell late answers from present ones */
	struct role_cause cause;
};

#define ROLE_ACTIONS_MAX 8 /* no single event causes more; asserted */

struct role_actions {
	unsigned n;
	struct role_action v[ROLE_ACTIONS_MAX];
};

/* "initialize", "backup", "active", "fault". */
const char *role_state_name(enum role_state s);

/* The label of a reason for metrics, JSON and tests, e.g. "no_adverts". */
const char *role_reason_label(enum role_reason r);

/* "acquire", "advert", ... for traces and tests. */
const char *role_action_name(enum role_action_kind k);

/*
 * Write the sentence of a cause into buf (size >= 1, cut when it does not fit; LIMIT_CAUSE_TEXT fits
 * every one). Returns buf.
 */
const char *role_cause_text(const struct role_cause *c, char *buf, size_t size);

/* A figure that the sentence of a cause uses: a number, or a text (then text is not NULL). */
struct role_figure {
	const char *key; /* "address", "name", "ms", "error", or what the number counts */
	const char *text;
	uint64_t number;
};

#define ROLE_FIGURES_MAX 4

/* The figures in the order of the sentence; their number. Texts are c's own, or in `addr`. */
unsigned role_cause_figures(const struct role_cause *c, char addr[IP_ADDR_TEXT],
			    struct role_figure ret[ROLE_FIGURES_MAX]);

/* "nothing", "enter", "lease", "leave". */
const char *role_ask_name(enum role_ask a);

/* Append an action and return it for the caller to fill in. Asserts that there is room. */
struct role_action *role_actions_add(struct role_actions *out, enum role_action_kind kind);

#endif
