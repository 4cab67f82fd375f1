/*
 * engine_tx.c - adverts out: datagrams built once, sent many at a time.
 *
 * Runs in the advert loop. Everything that one wake-up wants to send leaves in one sendmmsg per 256 datagrams
 * and port; an unchanged advert is the same octets as the one before (RFC 9568 7.2), so nothing is encoded
 * again.
 */
#include "engine/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

struct engine_tx {
	bool flushing; /* a failure during the flush may want another one: the outer one takes it along */
	uint32_t n_queued;
	struct engine_instance *queue[4 * LIMIT_INSTANCES]; /* an advert, and the leave after its failure; those
							     * that only leave come on top */
	unsigned n_batch;
	int batch_fd;
	struct mmsghdr msgs[ENGINE_TX_BATCH];
	struct iovec iovs[ENGINE_TX_BATCH];
	struct engine_instance *owners[ENGINE_TX_BATCH];
};

struct engine_tx *
engine_tx_new(void)
{
	return calloc(1, sizeof(struct engine_tx));
}

void
engine_tx_free(struct engine_tx *t)
{
	free(t);
}

void
engine_tx_queue(struct engine *e, struct engine_instance *i, const struct role_action *a, mono_t now)
{
	/* A word about another interval is heard before the next one; otherwise the newest counts: a leave
	 * after an advert is a leave. */
	if (i->queued && i->queued_interval_cs != 0)
		engine_tx_flush(e, now);
	i->queued_priority = a->priority;
	i->queued_interval_cs = a->adver_int_cs;
	if (i->queued)
		return;
	ASSERT(e->tx->n_queued < ARRAY_SIZE(e->tx->queue));
	i->queued = true;
	e->tx->queue[e->tx->n_queued++] = i;
}

/* The destination's address family and scope complete what the configuration could not know. */
static struct ip_addr
destination(struct engine_datagram *d, int ifindex)
{
	if (d->dst.ss_family == AF_INET)
		return ip_addr_from(IP_FAMILY_V4, (const uint8_t *)&((struct sockaddr_in *)&d->dst)->sin_addr);
	((struct sockaddr_in6 *)&d->dst)->sin6_scope_id = (uint32_t)ifindex;
	return ip_addr_from(IP_FAMILY_V6, (const uint8_t *)&((struct sockaddr_in6 *)&d->dst)->sin6_addr);
}

/* Encode the instance's datagrams for this priority, unless they hold it already. */
static void
build(struct engine_instance *i, uint8_t priority, uint16_t interval_cs, int ifindex)
{
	const struct elect *el = &i->elect;
	struct vrrp_codec codec = i->codec;
	size_t size = 40 + 8 + i->codec.n_addrs * ip_family_size(i->codec.family) + VRRP_AUTH_SIZE;

	if (i->built && i->built_priority == priority && i->built_interval_cs == interval_cs &&
	    i->built_form == el->form && ip_addr_equal(&i->built_source, &el->source))
		return;
	if (interval_cs != 0)
		codec.adver_int_cs = interval_cs;
	for (uint32_t n = 0; n < i->n_datagrams; n++) {
		struct engine_datagram *d = &i->datagrams[n];
		struct ip_addr dst = destination(d, ifindex);
		int len = vrrp_packet_encode_ip(&codec, priority, (enum vrrp_checksum_form)el->form,
						&el->source, &dst, d->buf, size);

		ASSERT(len > 0);
		d->len = (uint16_t)len;
	}
	i->built = true;
	i->built_priority = priority;
	i->built_interval_cs = interval_cs;
	i->built_form = el->form;
	i->built_source = el->source;
}

/* Tell the election about the first failure and the first success after failures. */
static void
note_result(struct engine *e, struct engine_instance *i, int err, mono_t now)
{
	struct elect_event ev = {.kind = ELECT_EVENT_SEND, .err = err};

	if (err == 0 && !i->send_failed)
		return;
	i->send_failed = err != 0;
	engine_event(e, i, &ev, now);
}

static void
count_sent(struct engine *e, struct engine_instance *i, mono_t now)
{
	i->counters.adverts_sent++;
	if (i->queued_priority == 0)
		i->counters.zero_sent++;
	else
		engine_memory_advert(e, i, now);
}

static void
send_batch(struct engine *e, mono_t now)
{
	struct engine_tx *t = e->tx;
	unsigned done = 0;

	while (done < t->n_batch) {
		int n = sendmmsg(t->batch_fd, t->msgs + done, t->n_batch - done, MSG_DONTWAIT);
		int err = n < 0 ? errno : 0;

		for (int k = 0; k < n; k++) {
			count_sent(e, t->owners[done + (unsigned)k], now);
			note_result(e, t->owners[done + (unsigned)k], 0, now);
		}
		if (n > 0) {
			done += (unsigned)n;
			continue;
		}
		if (err == EINTR)
			continue;
		/* The first of the rest failed: it is lost, the next ones may still leave. */
		t->owners[done]->counters.send_errors++;
		note_result(e, t->owners[done], err, now);
		done++;
	}
	t->n_batch = 0;
}

static void
add_datagram(struct engine *e, struct engine_instance *i, struct engine_datagram *d, int fd, mono_t now)
{
	struct engine_tx *t = e->tx;
	unsigned n;

	if (t->n_batch == ENGINE_TX_BATCH || (t->n_batch > 0 && t->batch_fd != fd))
		send_batch(e, now);
	n = t->n_batch++;
	t->batch_fd = fd;
	t->owners[n] = i;
	t->iovs[n] = (struct iovec){.iov_base = d->buf, .iov_len = d->len};
	t->msgs[n].msg_hdr = (struct msghdr){
		.msg_name = &d->dst,
		.msg_namelen = d->dst_len,
		.msg_iov = &t->iovs[n],
		.msg_iovlen = 1,
	};
}

void
engine_tx_flush(struct engine *e, mono_t now)
{
	struct engine_tx *t = e->tx;

	if (t->flushing)
		return;
	t->flushing = true;
	/* A failed advert may make an instance unfit, which queues its leave: the list may grow while it is
	 * walked. */
	for (uint32_t k = 0; k < t->n_queued; k++) {
		struct engine_instance *i = t->queue[k];
		struct engine_port *p = &e->gen->ports[i->port];

		i->queued = false;
		if (p->fd < 0 || i->elect.source.family == IP_FAMILY_NONE)
			continue;
		build(i, i->queued_priority, i->queued_interval_cs, p->ifindex);
		for (uint32_t n = 0; n < i->n_datagrams; n++)
			add_datagram(e, i, &i->datagrams[n], p->fd, now);
		if (k + 1 == t->n_queued)
			send_batch(e, now);
	}
	if (t->n_batch > 0)
		send_batch(e, now);
	t->n_queued = 0;
	t->flushing = false;
}
