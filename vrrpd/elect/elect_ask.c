/*
 * elect_ask.c - questions to others: the gate, then the arbiter's lease before the addresses come; the services before they go.
 *
 * Called by elect.c only. Pure.
 */
#include "elect/elect_int.h"

#include "base/macros.h"

static void
ask(struct elect *e, enum role_ask what, struct role_action *a, mono_t now)
{
	e->asking = (uint8_t)what;
	e->ask_epoch++;
	/* For the lease as long as the mode wants the addresses. */
	e->ask_until = what == ROLE_ASK_LEASE ? MONO_NEVER
					      : mono_add(now, what == ROLE_ASK_ENTER ? e->conf->enter_us : e->conf->leave_us);
	*a = (struct role_action){.kind = ROLE_ACTION_ASK, .ask = (uint8_t)what, .epoch = e->ask_epoch};
}

void
elect_ask_end(struct elect *e)
{
	e->asking = ROLE_ASK_NOTHING;
	e->ask_until = MONO_NEVER;
}

void
elect_ask_never_mind(struct elect *e, struct role_action *a)
{
	elect_ask_end(e);
	*a = (struct role_action){.kind = ROLE_ACTION_ASK, .ask = ROLE_ASK_NOTHING, .epoch = e->ask_epoch};
}

/* With an arbiter and no lease: that is asked for. */
static bool
lacks_lease(const struct elect *e, mono_t now)
{
	return e->conf->arbiter && !elect_follow_may_take(e, now);
}

void
elect_ask_first(struct elect *e, bool held, unsigned from, mono_t now, struct role_actions *out)
{
	enum role_ask first = e->conf->enter_us > 0 ? ROLE_ASK_ENTER : lacks_lease(e, now) ? ROLE_ASK_LEASE : ROLE_ASK_NOTHING;
	unsigned n = out->n;

	for (unsigned i = from; i < n; i++) {
		struct role_action *a = &out->v[i];

		if (a->kind == ROLE_ACTION_ACQUIRE && first != ROLE_ASK_NOTHING) {
			if (held) {
				a->kind = ROLE_ACTION_RELEASE;
				a = role_actions_add(out, ROLE_ACTION_ASK);
			}
			ask(e, first, a, now);
		} else if (a->kind == ROLE_ACTION_RELEASE && elect_ask_holds_back(e)) {
			elect_ask_never_mind(e, a);
		}
	}
}

bool
elect_ask_holds_back(const struct elect *e)
{
	return e->asking == ROLE_ASK_ENTER || e->asking == ROLE_ASK_LEASE;
}

void
elect_ask_next(struct elect *e, mono_t now, struct role_actions *out)
{
	uint32_t epoch;

	if (lacks_lease(e, now)) {
		if (e->asking != ROLE_ASK_LEASE)
			ask(e, ROLE_ASK_LEASE, role_actions_add(out, ROLE_ACTION_ASK), now);
		return;
	}
	elect_ask_end(e);
	if (elect_wants(e, &epoch))
		role_actions_add(out, ROLE_ACTION_ACQUIRE)->epoch = epoch;
}

bool
elect_ask_services(struct elect *e, mono_t now, struct role_actions *out)
{
	if (e->conf->leave_us == 0 || !e->running || e->state != ROLE_STATE_ACTIVE || e->at_once || e->may_leave ||
	    e->link != ELECT_LINK_UP || (e->source.family == IP_FAMILY_NONE && elect_needs_source(e->conf)))
		return false;
	if (e->asking != ROLE_ASK_LEAVE)
		ask(e, ROLE_ASK_LEAVE, role_actions_add(out, ROLE_ACTION_ASK), now);
	return true;
}
