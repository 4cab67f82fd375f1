/*
 * elect_fit.c - is this node fit to hold the addresses, and with which priority?
 *
 * Called by elect.c only. Pure.
 */
#include "elect/elect_int.h"

#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "proto/vrrp_track.h"

static bool
counts_as_up(const struct elect_track_conf *t, uint8_t state)
{
	if (t->inverted && (state == ELECT_TRACK_UP || state == ELECT_TRACK_DOWN))
		return state == ELECT_TRACK_DOWN;
	return state == ELECT_TRACK_UP;
}

bool
elect_fit_removed(const struct elect *e)
{
	return e->stopping && e->stop_reason == ROLE_REASON_REMOVED;
}

uint8_t
elect_fit_priority(const struct elect *e)
{
	uint8_t base = e->conf->priority;
	int sum = 0;

	if (elect_fit_removed(e))
		return e->priority;
	if (base != VRRP_PRIORITY_OWNER && e->override.takeover)
		return VRRP_PRIORITY_OWNER - 1;
	if (base != VRRP_PRIORITY_OWNER && e->override.priority != 0)
		base = e->override.priority;
	for (size_t i = 0; i < e->conf->n_tracks; i++) {
		const struct elect_track_conf *t = &e->conf->tracks[i];
		bool up = counts_as_up(t, e->tracks[i]);

		if (t->has_weight && up == (t->weight > 0))
			sum += t->weight;
		if (up)
			sum += e->weights[i];
	}
	return vrrp_track_priority(base, sum);
}

static bool
link_unfit(const struct elect *e, struct role_cause *ret)
{
	str_copy(ret->name, sizeof(ret->name), e->conf->ifname);
	switch ((enum elect_link)e->link) {
	case ELECT_LINK_MISSING:
		ret->reason = ROLE_REASON_INTERFACE_MISSING;
		return true;
	case ELECT_LINK_DOWN:
		ret->reason = ROLE_REASON_INTERFACE_DOWN;
		return true;
	case ELECT_LINK_NO_CARRIER:
		ret->reason = ROLE_REASON_NO_CARRIER;
		return true;
	case ELECT_LINK_UP:
	case ELECT_LINK_COUNT:
		break;
	}
	ret->reason = ROLE_REASON_NO_SOURCE;
	return e->source.family == IP_FAMILY_NONE && elect_needs_source(e->conf);
}

static bool
track_unfit(const struct elect_track_conf *t, enum elect_track_state state, struct role_cause *ret)
{
	if (t->has_weight || counts_as_up(t, (uint8_t)state))
		return false;
	str_copy(ret->name, sizeof(ret->name), t->name);
	if (t->is_interface)
		ret->reason = ROLE_REASON_TRACKED_INTERFACE;
	else if (state == ELECT_TRACK_PENDING)
		ret->reason = ROLE_REASON_CHECK_PENDING;
	else if (state == ELECT_TRACK_STALE)
		ret->reason = ROLE_REASON_CHECK_STALE;
	else
		ret->reason = ROLE_REASON_CHECK_FAILED;
	return true;
}

bool
elect_fit_unfit(const struct elect *e, struct role_cause *ret)
{
	*ret = (struct role_cause){0};
	if (link_unfit(e, ret))
		return true;
	*ret = (struct role_cause){0};
	for (size_t i = 0; i < e->conf->n_tracks; i++)
		if (track_unfit(&e->conf->tracks[i], e->tracks[i], ret))
			return true;
	if (e->services_failed) {
		*ret = e->services_cause;
		return true;
	}
	if (e->retry_at.us != MONO_NEVER.us) {
		*ret = e->failed;
		return true;
	}
	return false;
}

/* What is known of tracked object `at`, by its kind and name. */
static void
adopt_track(struct elect *e, size_t at, const struct elect *old)
{
	const struct elect_track_conf *t = &e->conf->tracks[at];
	bool raises = t->has_weight && t->weight > 0; /* counts while up: not known adds nothing */

	for (size_t i = 0; i < old->conf->n_tracks; i++) {
		if (old->conf->tracks[i].is_interface != t->is_interface ||
		    strcmp(old->conf->tracks[i].name, t->name) != 0)
			continue;
		if (old->running && !t->has_weight && old->tracks[i] == ELECT_TRACK_PENDING)
			break; /* it had a weight, and does not make the node unfit before its first result */
		e->tracks[at] = old->tracks[i];
		e->weights[at] = old->weights[i];
		return;
	}
	if (old->running && !raises)
		e->tracks[at] = t->inverted ? ELECT_TRACK_DOWN : ELECT_TRACK_UP;
}

void
elect_fit_adopt(struct elect *e, const struct elect *old)
{
	memset(e->tracks, ELECT_TRACK_PENDING, sizeof(e->tracks));
	memset(e->weights, 0, sizeof(e->weights));
	for (size_t i = 0; i < e->conf->n_tracks; i++)
		adopt_track(e, i, old);
	if (e->conf->leave_us == 0)
		e->services_failed = false;
}
