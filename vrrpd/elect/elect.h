/*
 * elect.h - who holds the addresses: one instance, whatever its mode.
 *
 * elect.c decides whether this node is fit (link, source address, tracked objects, start delay, stop) and with
 * which priority; a fit node takes part in the election of its mode (struct elect_ops). Events and time in,
 * actions out, one deadline. Pure, run by the engine, the case runner and the simulator alike.
 */
#ifndef VRRPD_ELECT_ELECT_H
#define VRRPD_ELECT_ELECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/limits.h"
#include "base/role.h"
#include "base/time.h"
#include "proto/vrrp_fsm.h"
#include "proto/vrrp_packet.h"

enum elect_mode {
	ELECT_MODE_VRRP,
	ELECT_MODE_FOLLOW, /* whoever the leader key of a store names */
	ELECT_MODE_LEASE,  /* whoever has the lease; the agent tries for it while this node is fit */
	ELECT_MODE_COUNT
};

/* Option on_store_loss. */
enum elect_store_loss {
	ELECT_STORE_LOSS_HOLD_LEASE, /* as long as the last confirmed lease lasts */
	ELECT_STORE_LOSS_RELEASE,
	ELECT_STORE_LOSS_HOLD,
	ELECT_STORE_LOSS_PATRONI, /* as the first one, and as long as something local says so (local_until) */
	ELECT_STORE_LOSS_COUNT
};

/* What a store says about the leader. To know that there is none is not the same as to know nothing. */
enum elect_fact {
	ELECT_FACT_NOTHING, /* nothing was heard yet */
	ELECT_FACT_SELF,
	ELECT_FACT_OTHER,
	ELECT_FACT_NONE,
	ELECT_FACT_LOST,   /* it cannot be reached, or has no quorum */
	ELECT_FACT_DENIED, /* it refuses to say */
	ELECT_FACT_COUNT
};

/* An observation of the leader, with its expiries; what is MONO_ZERO is over. */
struct elect_leader {
	uint8_t fact;	     /* enum elect_fact */
	mono_t confirmed;    /* when the store last said something */
	mono_t fresh_until;  /* SELF, OTHER: then it should have been confirmed again */
	mono_t lease_until;  /* the last confirmed lease of this node's being the leader lasts until then */
	mono_t local_until;  /* what is known here says that nobody else can be it, until then: the local Patroni, which says
				that this node is the primary; most of the store's members, which say that they do not serve */
	char name[LIMIT_NAME]; /* of the leader; LOST, DENIED: what is wrong */
};

/* Option v3_checksum. */
enum elect_checksum {
	ELECT_CHECKSUM_AUTO, /* RFC 9568's form until a peer of the other form is heard, then the peer's */
	ELECT_CHECKSUM_RFC9568,
	ELECT_CHECKSUM_RFC5798,
	ELECT_CHECKSUM_COUNT
};

enum elect_link {
	ELECT_LINK_MISSING, /* no such interface */
	ELECT_LINK_DOWN,    /* administratively down */
	ELECT_LINK_NO_CARRIER,
	ELECT_LINK_UP,
	ELECT_LINK_COUNT
};

enum elect_track_state {
	ELECT_TRACK_PENDING, /* no result yet */
	ELECT_TRACK_UP,
	ELECT_TRACK_DOWN,
	ELECT_TRACK_STALE, /* results stopped coming and the check says on_stale = "fail" */
	ELECT_TRACK_COUNT
};

struct elect_track_conf {
	bool is_interface; /* else a check */
	bool has_weight;   /* without one: unfit when down */
	bool inverted;	   /* up counts as down, and down as up */
	int16_t weight;	   /* -253..253: negative counts while down, positive while up */
	char name[LIMIT_NAME];
};

/* Immutable while the instance runs. */
struct elect_conf {
	char name[LIMIT_NAME];
	char ifname[LIMIT_IFNAME];
	uint8_t mode;	  /* enum elect_mode */
	uint8_t priority; /* base, 1..255 */
	uint8_t checksum; /* enum elect_checksum */
	uint8_t n_tracks;
	usec_t start_delay_us;
	usec_t enter_us; /* a gate is asked before the addresses come, its answer waited for so long; 0 = none */
	uint8_t on_store_loss; /* FOLLOW, LEASE, arbiter: enum elect_store_loss */
	bool arbiter;	       /* VRRP: the addresses are taken only with a lease in hand, and lost with it */
	usec_t leave_us; /* services are asked to stop before they go, waited for so long; 0 = none */
	struct vrrp_fsm_conf vrrp;
	struct elect_track_conf tracks[LIMIT_TRACKS];
};

/* What an operator wants other than the configuration says, each until its time is over; MONO_NEVER: until undone. */
struct elect_override {
	bool drained;	  /* hand over and stay away */
	bool takeover;	  /* VRRP: be Active, with the priority below the owner's, whatever the settings say of preempting */
	uint8_t priority; /* VRRP: instead of the base priority, 1..254; 0: none. The owner's stays 255 */
	mono_t drained_until, takeover_until, priority_until;
};

/* None of them. */
#define ELECT_OVERRIDE_NONE                                                                                    \
	((struct elect_override){                                                                              \
		.drained_until = MONO_NEVER, .takeover_until = MONO_NEVER, .priority_until = MONO_NEVER})

/* Why an override is refused. */
enum elect_refusal {
	ELECT_REFUSAL_NONE,
	ELECT_REFUSAL_MODE,	 /* a store says who holds the addresses */
	ELECT_REFUSAL_OWNER,	 /* this node's priority is 255, and stays so */
	ELECT_REFUSAL_DRAINED,
	ELECT_REFUSAL_UNFIT,	 /* the cause says why */
	ELECT_REFUSAL_OUTRANKED, /* the Active node's priority is not below ours then */
	ELECT_REFUSAL_COUNT
};

/* A sender of accepted adverts. */
struct elect_peer {
	struct ip_addr addr; /* family none: free slot */
	uint8_t priority;    /* of its last advert */
	uint8_t version;
	uint8_t form; /* enum vrrp_checksum_form of its last advert */
	mono_t heard;
	uint16_t adver_int_cs;
	bool addresses_differ;
};

enum elect_event_kind {
	ELECT_EVENT_START,    /* the instance is configured and the kernel's state is known */
	ELECT_EVENT_STOP,     /* leave for good: cause STOPPING, or (`on`) REMOVED, or that of `cause` */
	ELECT_EVENT_LINK,     /* state of the instance's own interface */
	ELECT_EVENT_SOURCE,   /* sender address, family none = none */
	ELECT_EVENT_TRACK,    /* state of tracked object `track` */
	ELECT_EVENT_ADVERT,   /* a packet passed every check, or all but that for an owner */
	ELECT_EVENT_TIMER,    /* elect_deadline() has come */
	ELECT_EVENT_ACQUIRED, /* result of ROLE_ACTION_ACQUIRE with its epoch */
	ELECT_EVENT_SEND,     /* result of sending an advert: err 0 or an errno */
	ELECT_EVENT_CLAIM,    /* another host announced our addresses: while leaving all, while Active any */
	ELECT_EVENT_LOST,     /* another program removed `addr` again and again */
	ELECT_EVENT_SLEPT,    /* this host was suspended for `us`, which the monotonic clock does not show */
	ELECT_EVENT_OVERRIDE, /* by command: `override` from now on, all of it */
	ELECT_EVENT_CONF,     /* after elect_adopt(): other settings, `on`: and other addresses */
	ELECT_EVENT_LEADER,   /* FOLLOW, LEASE, arbiter: `leader` */
	ELECT_EVENT_ANSWER,   /* to ROLE_ACTION_ASK with its epoch; `cause`: the gate refuses, NULL: go on */
	ELECT_EVENT_SERVICES, /* `cause`: they fail too often, the node is unfit; NULL: not any more */
	ELECT_EVENT_COUNT
};

struct elect_event {
	enum elect_event_kind kind;
	uint8_t link;			  /* LINK: enum elect_link */
	uint8_t track;			  /* TRACK: index into conf->tracks */
	uint8_t track_state;		  /* TRACK: enum elect_track_state */
	bool has_weight;		  /* TRACK: the result itself says what it weighs: */
	int16_t weight;			  /* -253..253, added while up */
	int err;			  /* ACQUIRED: 0 or errno of the first address that failed; SEND */
	bool on;			  /* CONF, STOP; START: go on as Active */
	uint32_t epoch;			  /* ACQUIRED, ANSWER */
	usec_t us;			  /* SLEPT: duration; START with `on`: since the last advert */
	usec_t left_us;			  /* START with `on`: the lease lasts for so much longer (FOLLOW, LEASE) */
	struct ip_addr addr;		  /* SOURCE; LOST; ACQUIRED with err: the address that failed */
	const struct vrrp_advert *advert; /* ADVERT */
	const struct role_cause *cause;	  /* STOP, ANSWER, SERVICES */
	const struct elect_leader *leader; /* LEADER */
	const struct elect_override *override; /* OVERRIDE */
};

/* State of what follows a leader; only elect_follow.c writes it. */
struct elect_follow {
	uint8_t state; /* enum role_state: INITIALIZE, BACKUP, ACTIVE */
	bool acquiring;
	uint32_t epoch; /* number of the last take-over */
	struct elect_leader leader;
	mono_t take_at; /* the leader before this node has until then to let go; MONO_NEVER: nothing is waited for */
	struct role_cause why_active;
	mono_t claimed;	 /* when another host first claimed the addresses since this node is Active; MONO_ZERO: never */
	mono_t defended; /* last announcement against somebody else, for its rate limit */
};

/* State; only elect.c and the mode's file write it, everybody may read it. */
struct elect {
	const struct elect_conf *conf;
	bool started;	  /* ELECT_EVENT_START has come */
	bool stopping;	  /* ELECT_EVENT_STOP has come: for good */
	struct elect_override override; /* by command */
	uint32_t overrides;  /* times that it was changed */
	bool running;	  /* fit and past the start delay: the mode takes part */
	bool at_once;	  /* what makes it unfit now leaves nothing to serve until a successor is there */
	bool may_leave;	  /* within a step: the services were waited for */
	bool services_failed;
	uint8_t stop_reason; /* enum role_reason, while stopping */
	uint8_t asking;	     /* enum role_ask: the question that waits for its answer */
	uint32_t ask_epoch;  /* number of the last one */
	mono_t ask_until;    /* when it is given up; MONO_NEVER = nothing is asked */
	struct role_cause services_cause; /* while services_failed */
	uint8_t link;	  /* enum elect_link */
	uint8_t state;	  /* enum role_state as the world sees it */
	uint8_t form;	  /* enum vrrp_checksum_form to send */
	uint8_t priority; /* effective */
	struct ip_addr source;
	struct role_cause cause;      /* why `state` was entered, or why unfit */
	mono_t since;		      /* when `state` was entered */
	mono_t delay_until;	      /* start delay; MONO_NEVER = not running */
	mono_t retry_at;	      /* unfit after a failed take-over until then; MONO_NEVER = no */
	struct role_cause failed;     /* what failed, while retry_at runs */
	mono_t send_failing;	      /* since when no advert could be sent; MONO_NEVER = they go out */
	uint8_t tracks[LIMIT_TRACKS]; /* enum elect_track_state */
	int16_t weights[LIMIT_TRACKS]; /* what results said that they weigh; 0 = nothing */
	uint32_t transitions;	      /* times Active was entered */
	struct vrrp_fsm vrrp;
	struct elect_follow follow;
	struct elect_peer peers[LIMIT_HEARD_PEERS];
};

/* What a mode does with a fit node. One const table per mode, named in one array in elect.c. */
struct elect_ops {
	const char *name;
	bool needs_source; /* unfit without an address to send from */
	void (*init)(struct elect *e);
	/* Go on with other settings (e->conf). */
	void (*adopt)(struct elect *e);
	/* The node became fit: take part with e->priority and e->source. */
	void (*start)(struct elect *e, mono_t now, struct role_actions *out);
	/* The same for a node that was Active until ev->us ago; it goes on. */
	void (*resume)(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out);
	/* The node became unfit or stops: leave in order. */
	void (*stop)(struct elect *e, mono_t now, struct role_actions *out);
	/* ADVERT, TIMER, ACQUIRED, CLAIM, SLEPT, CONF, or a changed priority or source (TRACK, SOURCE), while taking
	 * part; and while leaving, what ends it: ADVERT, TIMER, CLAIM, SLEPT. */
	void (*step)(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out);
	bool (*leaving)(const struct elect *e); /* not taking part, but the addresses are still served */
	/* Waiting for the addresses; *ret_epoch is the number of the take-over. */
	bool (*acquiring)(const struct elect *e, uint32_t *ret_epoch);
	/* What was Active until the engine ended, and cannot go on: last words. */
	void (*goodbye)(const struct elect *e, struct role_actions *out);
	usec_t (*resume_us)(const struct elect_conf *conf); /* elect_resume_us() */
	void (*check)(const struct elect *e);		    /* its invariants, asserted */
	mono_t (*deadline)(const struct elect *e);
};

extern const struct elect_ops elect_vrrp_ops, elect_follow_ops, elect_lease_ops;

/* Start in Initialize. conf must outlive the instance. */
void elect_init(struct elect *e, const struct elect_conf *conf, mono_t now);

/*
 * Become the continuation of `old` under other settings of the same virtual router (mode, interface, family; its
 * name): state, timers, peers and what is known of tracked objects go on. Then comes ELECT_EVENT_CONF.
 */
void elect_adopt(struct elect *e, const struct elect_conf *conf, const struct elect *old);

/* Before ELECT_EVENT_START: what the engine before knew. */
void elect_recall(struct elect *e, uint32_t transitions, enum vrrp_checksum_form form);

/* May a node whose last advert as Active left `ago_us` ago go on (ELECT_EVENT_START with `on`)? */
bool elect_may_resume(const struct elect_conf *conf, usec_t ago_us);

/* Until how long after its last advert, in microseconds. */
usec_t elect_resume_us(const struct elect_conf *conf);

/* Are the addresses to be in the kernel now: Active, on the way there, or still serving? */
bool elect_holds(const struct elect *e);

/* On the way there: has the kernel been asked for the addresses? *ret_epoch (NULL is fine): for which take-over. */
bool elect_acquiring(const struct elect *e, uint32_t *ret_epoch);

/* LEASE, arbiter: does this node want the lease? */
bool elect_campaigns(const struct elect *e);

/* Until when the addresses may be held without other news of the leader; MONO_NEVER: for ever, or plain VRRP. */
mono_t elect_held_until(const struct elect *e);

/* Still serving until a successor is there. */
bool elect_leaving(const struct elect *e);

/* May this node be told to take over? Else why not: with UNFIT the cause, with OUTRANKED its addr and b say more. */
enum elect_refusal elect_may_take_over(const struct elect *e, mono_t now, struct role_cause *ret);

/* May its base priority be overridden? */
enum elect_refusal elect_may_set_priority(const struct elect *e);

/* Take away what an instance with these settings has no use for: they may have changed since it was said. */
void elect_override_fit(struct elect_override *o, const struct elect_conf *conf);

/* When the first part of it ends, or MONO_NEVER; what is left of it at `now`. */
mono_t elect_override_until(const struct elect_override *o);
struct elect_override elect_override_left(const struct elect_override *o, mono_t now);

/* Handle one event; append to *out (not cleared here). */
void elect_step(struct elect *e, const struct elect_event *ev, mono_t now, struct role_actions *out);

/* When ELECT_EVENT_TIMER is due next, or MONO_NEVER. */
mono_t elect_deadline(const struct elect *e);

/* All invariants, asserted. */
void elect_check(const struct elect *e);

/* The peer that is Active as far as this node knows, or NULL (nobody heard lately, or we are Active). */
const struct elect_peer *elect_active_peer(const struct elect *e, mono_t now);

/* "nothing", "self", "other", "none", "lost", "denied"; NULL beyond the last. */
const char *elect_fact_name(enum elect_fact f);

/* Is a claim of another host to the addresses disputed: does this node know that they are its own? */
bool elect_disputes(const struct elect *e);

/* Words of the configuration: "vrrp", "follow", "lease"; "auto", "rfc9568", "rfc5798". NULL beyond the last. */
const char *elect_mode_name(enum elect_mode m);
const char *elect_checksum_name(enum elect_checksum c);

#endif
