/*
 * elect_peers.c - who was heard: the senders of adverts that are in order; see elect.h.
 *
 * Called by elect.c, and for status by the engine. Pure.
 */
#include "elect/elect_int.h"

#include "base/macros.h"

static struct elect_peer *
peer_slot(struct elect *e, const struct ip_addr *src)
{
	struct elect_peer *oldest = &e->peers[0];

	for (size_t i = 0; i < LIMIT_HEARD_PEERS; i++) {
		struct elect_peer *p = &e->peers[i];

		if (p->addr.family == IP_FAMILY_NONE || ip_addr_equal(&p->addr, src))
			return p;
		if (mono_before(p->heard, oldest->heard))
			oldest = p;
	}
	return oldest;
}

/* Heard within three of its own intervals and a second. */
static bool
peer_is_live(const struct elect_peer *p, mono_t now)
{
	usec_t silence_max = (usec_t)p->adver_int_cs * 3 * USEC_PER_CS + USEC_PER_SEC;

	return p->addr.family != IP_FAMILY_NONE && mono_since(now, p->heard) <= silence_max;
}

/*
 * Option v3_checksum = "auto": speak the form that is heard. Where peers differ, RFC 5798's wins while such a
 * peer lives, because routers that send it (keepalived, FRR) accept nothing else, while this program accepts
 * both.
 */
static void
follow_checksum(struct elect *e, const struct vrrp_advert *adv, mono_t now)
{
	if (e->conf->checksum != ELECT_CHECKSUM_AUTO || adv->version != 3 || adv->src.family != IP_FAMILY_V4)
		return;
	if (adv->form == VRRP_CHECKSUM_RFC9568)
		for (size_t i = 0; i < LIMIT_HEARD_PEERS; i++)
			if (peer_is_live(&e->peers[i], now) && e->peers[i].form == VRRP_CHECKSUM_RFC5798)
				return;
	e->form = adv->form;
}

void
elect_peers_note(struct elect *e, const struct vrrp_advert *adv, mono_t now)
{
	*peer_slot(e, &adv->src) = (struct elect_peer){
		.addr = adv->src,
		.priority = adv->priority,
		.version = adv->version,
		.form = adv->form,
		.heard = now,
		.adver_int_cs = adv->adver_int_cs,
		.addresses_differ = adv->addresses_differ,
	};
	follow_checksum(e, adv, now);
}

const struct elect_peer *
elect_active_peer(const struct elect *e, mono_t now)
{
	const struct elect_peer *best = NULL;

	if (e->state == ROLE_STATE_ACTIVE)
		return NULL;
	for (size_t i = 0; i < LIMIT_HEARD_PEERS; i++) {
		const struct elect_peer *p = &e->peers[i];

		if (peer_is_live(p, now) && p->priority > 0 &&
		    (best == NULL || mono_before(best->heard, p->heard)))
			best = p;
	}
	return best;
}
