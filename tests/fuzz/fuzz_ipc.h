/*
 * fuzz_ipc.h - messages between our processes: right ones, made wrong where the input says so, through a real
 * channel.
 *
 * An input that is used up makes right messages only, so that a stream which was begun comes to its end.
 */
#ifndef TESTS_FUZZ_FUZZ_IPC_H
#define TESTS_FUZZ_FUZZ_IPC_H

#include <sys/socket.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "fuzz/fuzz.h"
#include "ipc/ipc_chan.h"

struct fuzz_ipc {
	struct fuzz_in *in;
	int fd; /* of the sender */
	uint32_t gen;
};

static inline void
fuzz_ipc_octets(const struct fuzz_ipc *x, const void *data, size_t n)
{
	(void)send(x->fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Some octets of it become others, most of them in the first part, where the fields are. */
static inline void
fuzz_ipc_patch(struct fuzz_in *in, uint8_t *data, size_t n, unsigned patches)
{
	for (unsigned i = 0; n > 0 && i < patches; i++) {
		size_t at = fuzz_u16(in);

		data[at % (at & 0x8000 ? n : MIN(n, (size_t)160))] = fuzz_u8(in);
	}
}

/* Send it, or what the next octet makes of it. */
static inline void
fuzz_ipc_send(struct fuzz_ipc *x, enum ipc_type type, void *msg)
{
	size_t n = ipc_type_size(type);
	uint8_t data[sizeof(union ipc_msg) + 8] = {0}, how = fuzz_u8(x->in);
	struct ipc_head *h = (struct ipc_head *)(void *)data;

	*(struct ipc_head *)msg = (struct ipc_head){.type = (uint16_t)type, .size = (uint16_t)n, .gen = x->gen};
	memcpy(data, msg, n);
	switch (how) {
	case 250: /* it is lost */
		return;
	case 251:
		n--;
		break;
	case 252:
		n += 8;
		break;
	case 253:
		h->type = (uint16_t)(fuzz_u8(x->in) % (IPC_TYPE_COUNT + 2));
		n = MAX(ipc_type_size(h->type), sizeof(*h));
		h->size = (uint16_t)n;
		break;
	case 254:
		h->gen++;
		break;
	case 255:
		fuzz_ipc_octets(x, data, n); /* twice */
		break;
	default:
		if (how >= 200)
			fuzz_ipc_patch(x->in, data + sizeof(*h), n - sizeof(*h), 1 + how % 4u);
		break;
	}
	fuzz_ipc_octets(x, data, n);
}

static inline struct ip_addr
fuzz_addr(uint8_t family, uint8_t last)
{
	struct ip_addr a = {.family = family};

	a.b[0] = family == IP_FAMILY_V6 ? 0xfe : 10;
	a.b[1] = family == IP_FAMILY_V6 ? 0x80 : 0;
	a.b[family == IP_FAMILY_V6 ? 15 : 3] = last;
	return a;
}

/* One instance of a generation, as the first octets of the input choose it. */
struct fuzz_instance {
	uint8_t mode, family, version, n_addresses, n_peers, n_tracks, n_hooks, n_services, n_options;
	bool arbiter;
};

static inline struct fuzz_instance
fuzz_instance(struct fuzz_in *in)
{
	uint8_t a = fuzz_u8(in), b = fuzz_u8(in);
	struct fuzz_instance i = {.mode = a % 4 == 3 ? 0 : a % 4,
				  .family = a & 4 ? IP_FAMILY_V6 : IP_FAMILY_V4};

	i.version = (a & 8) && i.family == IP_FAMILY_V4 ? 2 : 3;
	i.n_addresses = (uint8_t)(1 + (b & 3));
	i.n_peers = (a & 16) && i.mode == 0 ? 2 : 0;
	i.n_tracks = b >> 2 & 3;
	i.n_hooks = b >> 4 & 1;
	i.n_services = b >> 5 & 1;
	i.arbiter = (a & 32) && i.mode == 0;
	i.n_options = i.mode != 0 || i.arbiter ? 4 : 0;
	return i;
}

static inline void
fuzz_ipc_instance(struct fuzz_ipc *x, const struct fuzz_instance *i, unsigned number, bool for_agent)
{
	struct ipc_conf_instance m = {
		.n_addresses = i->n_addresses,
		.n_peers = i->n_peers,
		.n_tracks = i->n_tracks,
		.n_hooks = for_agent ? i->n_hooks : 0,
		.n_services = for_agent ? i->n_services : 0,
		.n_options = for_agent ? i->n_options : 0,
		.enter_us = i->n_hooks ? 2 * 1000000 : 0,
		.leave_us = i->n_services ? 2 * 1000000 : 0,
		.arbiter = i->arbiter,
		.adver_int_cs = 100,
		.mode = i->mode,
		.version = i->version,
		.family = i->family,
		.vrid = (uint8_t)(51 + number),
		.priority = 150,
		.preempt = 1,
		.down_adverts = 3,
		.garp_repeat = 2,
		.garp_delay_us = 5000000,
		.unicast = i->n_peers > 0,
		.ttl_min = 255,
	};

	snprintf(m.name, sizeof(m.name), "i%u", number);
	str_copy(m.ifname, sizeof(m.ifname), "eth0");
	fuzz_ipc_send(x, IPC_CONF_INSTANCE, &m);
	for (unsigned k = 0; k < i->n_addresses; k++) {
		struct ipc_conf_address a = {.prefix = {fuzz_addr(i->family, (uint8_t)(100 + k)), 24},
					     .ifname = "eth0"};

		a.extra = k > 0 && k + 1 == i->n_addresses;
		fuzz_ipc_send(x, IPC_CONF_ADDRESS, &a);
	}
	for (unsigned k = 0; k < i->n_peers; k++)
		fuzz_ipc_send(x, IPC_CONF_PEER,
			      &(struct ipc_conf_peer){.addr = fuzz_addr(i->family, (uint8_t)(2 + k))});
	for (unsigned k = 0; k < i->n_tracks; k++) {
		struct ipc_conf_track t = {.is_interface = k == 1,
					   .has_weight = k == 2,
					   .weight = k == 2 ? -20 : 0,
					   .stale_after_us = 9000000};

		snprintf(t.name, sizeof(t.name), k == 1 ? "eth1" : "c0");
		fuzz_ipc_send(x, IPC_CONF_TRACK, &t);
	}
}

#endif
