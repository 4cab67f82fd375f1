/*
 * elect_int.h - what the files of vrrpd/elect share, except for the modes' own.
 */
#ifndef VRRPD_ELECT_ELECT_INT_H
#define VRRPD_ELECT_ELECT_INT_H

#include "elect/elect.h"

/* Is an instance of this mode unfit without an address to send from? */
bool elect_needs_source(const struct elect_conf *conf);

/* Does the mode want the addresses that it does not have? *ret_epoch: for which take-over. */
bool elect_wants(const struct elect *e, uint32_t *ret_epoch);

/* ---- elect_follow.c: what is known of the leader ------------------------------------------------- */

/* There is news of the leader. */
void elect_follow_news(struct elect *e, const struct elect_leader *news, mono_t now);

/* May this node take the addresses now? Only by fresh news. */
bool elect_follow_may_take(const struct elect *e, mono_t now);

/* Is another node the leader, by fresh news? */
bool elect_follow_is_others(const struct elect *e, mono_t now);

/* Why it may not (any longer): who the leader is, or what is wrong with the store. */
struct role_cause elect_follow_cause(const struct elect *e, mono_t now);

/* The host was suspended: all that was to last ends earlier by the clock that did not run. */
void elect_follow_slept(struct elect *e, usec_t us);

/* ---- elect_fit.c: is the node fit, and with which priority? --------------------------------- */

/* A reload has removed the instance: it leaves, and that is all that it does. */
bool elect_fit_removed(const struct elect *e);

/*
 * Base priority plus the weights that count now: negative ones while not up, positive ones while up. A removed instance keeps
 * the priority that it had: nothing is told any more of what it tracked.
 */
uint8_t elect_fit_priority(const struct elect *e);

/* Is the node unfit, and why? The most basic reason first. */
bool elect_fit_unfit(const struct elect *e, struct role_cause *ret);

/*
 * After new settings: what is known of each tracked object, by kind and name. One that is new to a node that takes
 * part changes nothing until something is known of it: a reload must not move addresses because a check has not run
 * yet.
 */
void elect_fit_adopt(struct elect *e, const struct elect *old);

/* ---- elect_override.c: by command ----------------------------------------------------------------- */

/* The host was suspended: what was to last so long ends earlier by the clock that did not run. */
void elect_override_slept(struct elect_override *o, usec_t us);

/* ---- elect_peers.c: who was heard ------------------------------------------------------------ */

/* Remember the sender of an advert in order, and follow its form of the checksum where that is wanted. */
void elect_peers_note(struct elect *e, const struct vrrp_advert *adv, mono_t now);

/* ---- elect_ask.c: the gate before the addresses come, the services before they go ----------------- */

/*
 * To be called with what the mode has just decided (from out->v[from] on). With a gate its wish for the addresses becomes
 * a question first, and what calls the wish off calls the question off. `held`: the addresses were still being served,
 * and are given up for now.
 */
void elect_ask_first(struct elect *e, bool held, unsigned from, mono_t now, struct role_actions *out);

/*
 * Must the services stop before this node gives the addresses up by its own will? Then they have been asked to. Where
 * nobody is served any more (no link), or the node has failed, nothing is waited for: they are stopped afterwards.
 */
bool elect_ask_services(struct elect *e, mono_t now, struct role_actions *out);

/* Does a question hold the mode's wish for the addresses back? */
bool elect_ask_holds_back(const struct elect *e);

/* The gate has answered, or there is news of the lease: the next question, or the kernel is asked for the addresses. */
void elect_ask_next(struct elect *e, mono_t now, struct role_actions *out);

/* The question is answered, or does not matter any more; in the second form that is to be told. */
void elect_ask_end(struct elect *e);
void elect_ask_never_mind(struct elect *e, struct role_action *a);

#endif
