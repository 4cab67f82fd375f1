/*
 * vrrp_fsm.h - the state machine of one virtual router (RFC 9568 6.4; RFC 3768 6.4 for v2).
 *
 * An event and the time go in, a bounded list of actions comes out, vrrp_fsm_deadline() says when the next
 * VRRP_EVENT_TIMER is due. Pure: no clock, no syscall, no allocation, no log.
 *
 * Where it departs from the RFC's text, and why:
 *  - Addresses come before the first advert: when the down timer fires the machine asks for the addresses
 *    (ROLE_ACTION_ACQUIRE) and stays in Backup until VRRP_EVENT_ACQUIRED. An advert that would have kept it in
 * Backup calls the take-over off.
 *  - With `align`, the Adver_Timer falls on multiples of the interval, so that virtual routers with the same
 *    interval share one wake-up. The first period after an aligned start is shorter, never longer.
 *  - An Active whose last advert is longer ago than the peers wait (its own down interval) did not run: it
 * yields.
 *  - A leaving Active announces a short interval right before its priority 0 (vrrp_fsm_goodbye), so that the
 * skew time of its Backups is short, too.
 *  - Make before break: an Active that leaves keeps its addresses (`leaving`) until a successor's advert was
 *    heard and VRRP_EVENT_CLAIM said that it has announced them, or until the slowest successor must have them.
 *  - Without a virtual MAC address hosts remember who announced last: an Active that hears a claim to its
 *    addresses, or the advert of a lower Active (they could not hear each other for a time), announces them
 *    again, once per second; for the first claim at once.
 *  - By command (VRRP_EVENT_TAKEOVER) a Backup preempts at once, also with Preempt_Mode false or within the delay.
 *  - An engine that was started again goes on as Active (STARTUP with `resume`), if no peer can have taken
 * over.
 */
#ifndef VRRPD_PROTO_VRRP_FSM_H
#define VRRPD_PROTO_VRRP_FSM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/role.h"
#include "base/time.h"
#include "proto/vrrp_packet.h"

/* The interval that a leaving Active announces: skew times of at most 40 ms, 1.6 ms apart for ten steps of
 * priority. */
#define VRRP_HURRY_CS 4

/* Immutable while the machine runs. */
struct vrrp_fsm_conf {
	uint8_t version;	 /* 2 or 3 */
	uint8_t down_adverts;	 /* 1..100, 3 in the RFC */
	bool preempt;		 /* Preempt_Mode */
	bool align;		 /* put the Adver_Timer on multiples of the interval */
	uint16_t adver_int_cs;	 /* own Advertisement_Interval: v3 1..4095, v2 100..25500 in steps of 100 */
	usec_t preempt_delay_us; /* 0 = none */
};

enum vrrp_event_kind {
	VRRP_EVENT_STARTUP,  /* RFC: Startup. Sets priority and source. In Initialize only */
	VRRP_EVENT_SHUTDOWN, /* RFC: Shutdown */
	VRRP_EVENT_ADVERT,   /* an advert that passed every reception check */
	VRRP_EVENT_TIMER,    /* the time of vrrp_fsm_deadline() has come (earlier is harmless) */
	VRRP_EVENT_ACQUIRED, /* the addresses of ROLE_ACTION_ACQUIRE are in place */
	VRRP_EVENT_PRIORITY, /* effective priority changed by tracking or by command */
	VRRP_EVENT_SOURCE,   /* the sender address changed, one is still there */
	VRRP_EVENT_CLAIM, /* another host announced the addresses: while leaving all of them, while Active any
			   */
	VRRP_EVENT_SLEPT, /* this host was suspended for `slept_us`, which its monotonic clock does not show */
	VRRP_EVENT_CONF,  /* *conf was changed; the epoch goes on */
	VRRP_EVENT_TAKEOVER, /* by command: sets priority, and (`takeover`) preempts at once */
	VRRP_EVENT_COUNT
};

struct vrrp_event {
	enum vrrp_event_kind kind;
	uint8_t priority;      /* STARTUP, PRIORITY, TAKEOVER: 1..255 */
	bool takeover;	       /* STARTUP, TAKEOVER: preempt whatever the settings say of it */
	bool silent;	       /* SHUTDOWN: the priority 0 advert cannot leave (no link, no source) */
	bool at_once;	       /* SHUTDOWN: do not wait for a successor */
	bool resume;	       /* STARTUP: was Active until `ago_us` ago, the addresses are in place */
	usec_t ago_us;	       /* STARTUP with resume: since the last advert */
	usec_t slept_us;       /* SLEPT */
	uint32_t epoch;	       /* ACQUIRED: from the action; an outdated one is ignored */
	struct ip_addr source; /* STARTUP, SOURCE: own sender address */
	const struct vrrp_advert *advert; /* ADVERT */
};

/* State; only vrrp_fsm.c writes it, everybody may read it. */
struct vrrp_fsm {
	const struct vrrp_fsm_conf *conf;
	enum role_state state; /* INITIALIZE, BACKUP, ACTIVE */
	bool acquiring;	       /* Backup whose timer fired, waiting for the addresses */
	bool takeover;	       /* by command: no lower Active keeps it in Backup */
	uint8_t priority;      /* effective, 1..255 */
	struct ip_addr source;
	uint16_t active_adver_int_cs; /* Active_Adver_Interval (RFC 9568 6.1) */
	mono_t deadline;	      /* Backup: Active_Down_Timer; Active: Adver_Timer */
	mono_t restarted;	      /* Backup: when the timer was last set */
	bool skewed;		      /* Backup: it was set to the skew time (priority 0 was heard) */
	bool listen_anew;	      /* new settings: VRRP_EVENT_CONF sets it for the whole down interval */
	mono_t preempt_until;	      /* Backup: end of the preempt delay; MONO_NEVER = not running */
	mono_t answered;	      /* Active: last immediate advert, for its rate limit */
	mono_t defended;	      /* Active: last announcement against somebody else, for its rate limit */
	bool contested;		      /* Active: an announcement against somebody else has been needed */
	bool leaving;		      /* no longer Active, but the addresses are still served */
	bool succeeded;		      /* leaving: the successor's advert was heard */
	bool claimed;		      /* leaving: it has announced every address */
	mono_t leave_until;	      /* leaving: when they go in any case; else MONO_NEVER */
	uint32_t epoch;		      /* number of the last take-over */
	struct role_cause why_active; /* decided when the timer fired, told when Active is entered */
	/* The last advert, whatever it changed, for reasons: */
	struct ip_addr heard_src; /* family none = nobody yet */
	struct ip_addr left_src;  /* who sent the priority 0 that set `skewed` */
	uint8_t heard_priority;
	mono_t heard_at;
};

/* Start in Initialize. conf must outlive the machine. */
void vrrp_fsm_init(struct vrrp_fsm *f, const struct vrrp_fsm_conf *conf);

/* Run on with other settings, which must outlive the machine, too; VRRP_EVENT_CONF comes next. */
void vrrp_fsm_adopt(struct vrrp_fsm *f, const struct vrrp_fsm_conf *conf);

/* Handle one event at `now` and append what is to be done to *out (not cleared here). */
void vrrp_fsm_step(struct vrrp_fsm *f, const struct vrrp_event *ev, mono_t now, struct role_actions *out);

/*
 * For how long after its last advert may an Active that was started again go on, because no peer's down timer
 * can have run out yet? The fastest one has priority 254; a quarter of an interval is left for the next advert
 * to arrive. Microseconds.
 */
usec_t vrrp_fsm_resume_us(const struct vrrp_fsm_conf *conf);

/*
 * The last words of an Active of this priority: the advert with priority 0. In version 3 one with a short
 * interval comes before it: Backups learn an interval from each advert (RFC 9568 6.4.2) and wait the skew time
 * of the last one, so the next Active is there within 40 ms, whatever the interval is.
 */
void vrrp_fsm_goodbye(const struct vrrp_fsm_conf *conf, uint8_t priority, struct role_actions *out);

/* How long a leaving Active waits for a successor: the skew time of priority 1 and a margin. Microseconds. */
usec_t vrrp_fsm_leave_us(const struct vrrp_fsm_conf *conf);

/* When VRRP_EVENT_TIMER is due next; MONO_NEVER when no timer runs. */
mono_t vrrp_fsm_deadline(const struct vrrp_fsm *f);

/* All invariants of the machine, asserted. Called after every step in tests and simulation. */
void vrrp_fsm_check(const struct vrrp_fsm *f);

#endif
