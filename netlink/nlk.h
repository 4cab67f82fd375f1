/*
 * nlk.h - the kernel's network state over netlink and packet sockets: the whole public interface.
 *
 * A library of its own: knows nothing of vrrpd. Caches and change events come from libnl-3, batched writes go
 * through libmnl, frames are built here and sent over AF_PACKET. No function logs; each returns 0 (or a count)
 * or -errno. Nothing is thread safe by itself: one object belongs to one thread.
 */
#ifndef NETLINK_NLK_H
#define NETLINK_NLK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NLK_IFNAME 16 /* IFNAMSIZ */

/* ---- nlk_addr.c: addresses, many at a time ------------------------------------------------------------- */

#define NLK_FOREVER UINT32_MAX /* an address lifetime without end */

/* How an address is added, or that it is removed. */
enum nlk_addr_verb {
	NLK_ADDR_ADD,	/* EEXIST is a result like any other: the address was there already */
	NLK_ADDR_RENEW, /* add, or set the lifetimes of one that is there (NLM_F_REPLACE) */
	NLK_ADDR_DEL,	/* EADDRNOTAVAIL: it was not there */
};

struct nlk_addr_op {
	uint8_t verb;	   /* enum nlk_addr_verb */
	uint8_t family;	   /* AF_INET or AF_INET6 */
	uint8_t prefixlen; /* 0..32 or 0..128 */
	uint8_t proto;	   /* IFA_PROTO, 0 = do not mark; RTM_DELADDR ignores it */
	bool deprecated;   /* preferred lifetime 0: reachable, never chosen as a source */
	int ifindex;
	uint32_t valid_s; /* lifetime in seconds, >= 1, or NLK_FOREVER */
	uint8_t addr[16]; /* network byte order, IPv4 in the first four */
	/* out: 0 or a positive errno, the kernel's answer; ECANCELED when never asked or the answer was lost */
	int result;
};

struct nlk_batch; /* a NETLINK_ROUTE socket and its message buffer */

/* 0 and *ret, or -errno. */
int nlk_batch_open(struct nlk_batch **ret);
void nlk_batch_close(struct nlk_batch *b); /* NULL is fine */

/*
 * Carry out n operations in order, in batches that split themselves, and wait for every acknowledgement. Each
 * op gets its own result. IPv6 addresses are added with IFA_F_NODAD: usable at once (RFC 4862's DAD would delay
 * a take-over by a second); IFA_F_NOPREFIXROUTE is not set. Blocks while another process holds the rtnl lock.
 * Returns 0 when every operation was answered (whatever the answers), else -errno of the socket, of which
 * -ENOBUFS means that answers were lost; -EINVAL for an unknown verb, and then nothing was done. The next call
 * is good again.
 */
int nlk_addr_apply(struct nlk_batch *b, struct nlk_addr_op *ops, size_t n);

/* ---- nlk_flush.c: remove what is marked ----------------------------------------------------------------- */

/*
 * Remove every address of the network namespace that carries this IFA_PROTO. Blocks while another process holds the
 * rtnl lock. *ret_count: how many were removed. 0 or -errno.
 */
int nlk_addr_flush(uint8_t proto, unsigned *ret_count);

/* ---- nlk_cache.c: links and addresses as they are now, and what changes ------------------------------ */

struct nlk_link {
	int ifindex;
	bool up; /* IFF_UP */
	/* IFF_RUNNING, and IFLA_OPERSTATE not "down" or "lower layer down" (unknown counts as up) */
	bool carrier;
	bool loopback;
	unsigned mtu;
	uint8_t mac[6]; /* zero when the link has no 6-octet address */
	char name[NLK_IFNAME];
};

struct nlk_addr {
	uint8_t family;
	uint8_t prefixlen;
	uint8_t proto;	/* IFA_PROTO; 0 = unmarked or a kernel before 5.18 */
	bool tentative; /* IPv6: DAD still runs, or found a duplicate */
	int ifindex;
	uint8_t addr[16];
};

enum nlk_change {
	NLK_CHANGE_NEW,
	NLK_CHANGE_CHANGED,
	NLK_CHANGE_GONE,
	NLK_CHANGE_RESYNC, /* events were lost (ENOBUFS) and everything was read again: look at all of it */
};

/* Called from nlk_cache_process(). link is NULL for address changes and RESYNC, addr likewise. */
typedef void
nlk_change_fn(void *arg, enum nlk_change what, const struct nlk_link *link, const struct nlk_addr *addr);

struct nlk_cache;

/* Subscribe, then read everything: no change is missed between the two. 0 and *ret, or -errno. */
int nlk_cache_open(nlk_change_fn *fn, void *arg, struct nlk_cache **ret);
void nlk_cache_close(struct nlk_cache *c); /* NULL is fine */

/* Readable when there are changes to process. */
int nlk_cache_fd(const struct nlk_cache *c);

/*
 * Take in what is readable now, without blocking, and call the change function; when events were lost, resync.
 * 0 or -errno (the cache is then of no more use).
 */
int nlk_cache_process(struct nlk_cache *c);

/* Read everything anew; calls the change function once with NLK_CHANGE_RESYNC. 0 or -errno. */
int nlk_cache_resync(struct nlk_cache *c);

/* Look up in the cache (no syscall). True and *ret when there is such a link. */
bool nlk_cache_link(const struct nlk_cache *c, const char *ifname, struct nlk_link *ret);

/* The address of this family, link, length and octets (16, IPv4 in the first four). True and *ret when there is one
 * (no syscall). */
bool nlk_cache_find(const struct nlk_cache *c, uint8_t family, int ifindex, uint8_t prefixlen,
		    const uint8_t addr[16], struct nlk_addr *ret);

/* Call fn for each address in the kernel's order; stops when fn returns false. ifindex 0 = all links. */
void nlk_cache_addrs(const struct nlk_cache *c, int ifindex, bool (*fn)(void *arg, const struct nlk_addr *a),
		     void *arg);

/* ---- nlk_frame.c: frames as octets (pure) --------------------------------------------------------------- */

#define NLK_FRAME_MAX 86 /* Ethernet + IPv6 + neighbour advertisement with its option */

/*
 * Gratuitous ARP request for an IPv4 address (RFC 9568 8.1.2, RFC 5227): broadcast, sender = target = addr,
 * both hardware addresses mac. Returns the octets written into buf (NLK_FRAME_MAX), padded to Ethernet's
 * minimum of 60.
 */
size_t nlk_frame_garp(uint8_t *buf, const uint8_t mac[6], const uint8_t addr[4]);

/*
 * Unsolicited neighbour advertisement for an IPv6 address (RFC 9568 8.2.2, RFC 4861 7.2.6): to ff02::1, source
 * and target = addr, R=1 S=0 O=1, target link-layer option = mac, hop limit 255. Returns the octets written.
 */
size_t nlk_frame_na(uint8_t *buf, const uint8_t mac[6], const uint8_t addr[16]);

/* ---- nlk_raw.c: packet sockets -------------------------------------------------------------------------- */

struct nlk_frame {
	int ifindex;
	uint8_t len;
	uint8_t data[NLK_FRAME_MAX];
};

/* A non-blocking AF_PACKET socket that only sends (receives nothing). The descriptor, or -errno. */
int nlk_raw_open(void);

/*
 * Send up to n prepared frames in one system call per 64. Returns how many the kernel took (it may be fewer
 * when its queue is full: send the rest later), or -errno when the first one failed for another reason.
 */
int nlk_raw_send(int fd, const struct nlk_frame *frames, size_t n);

/* ---- nlk_claim.c: who else says that an address is his -----------------------------------------------------
 */

struct nlk_claim {
	uint8_t family; /* AF_INET: an ARP packet with the address as its sender's; AF_INET6: an NA for it */
	uint8_t addr[16];
	uint8_t mac[6]; /* of the claimant */
};

/*
 * A non-blocking packet socket on a link that hears ARP packets (family AF_INET) or neighbour advertisements
 * (AF_INET6) of others about `n` addresses (16 octets each, IPv4 in the first four; they may be gone when it returns).
 * The kernel filters the rest out; with more than 1000 addresses it passes every such packet. The descriptor, or
 * -errno.
 */
int nlk_claim_open(uint8_t family, int ifindex, const uint8_t (*addrs)[16], size_t n);

/* Replace the addresses that such a socket hears of. 0 or -errno. */
int nlk_claim_filter(int fd, uint8_t family, const uint8_t (*addrs)[16], size_t n);

/* Take one claim. 1 and *ret; 0 when there is none now; -errno (-ENETDOWN: once, when the link went down). */
int nlk_claim_recv(int fd, struct nlk_claim *ret);

/* ---- nlk_link.c: settings of one link ---------------------------------------------------------------------
 */

/*
 * Set net.ipv4.conf.<ifname>.promote_secondaries to 1, so that removing one address does not take the others of
 * its subnet with it (Linux ip-sysctl). 0 or -errno; -EINVAL for a name that is no file name.
 */
int nlk_link_promote_secondaries(const char *ifname);

/* ---- nlk_diag.c: connections of an address -------------------------------------------------------------- */

struct nlk_diag_addr {
	uint8_t family; /* AF_INET or AF_INET6 */
	/* the link that an IPv6 link-local address is meant on, 0 = any link; without meaning for all others */
	int ifindex;
	uint8_t addr[16]; /* network byte order, IPv4 in the first four */
};

struct nlk_diag; /* two NETLINK_SOCK_DIAG sockets and their buffers, 240 KiB in all */

/*
 * 0 and *ret, or -errno. -EOPNOTSUPP: this kernel cannot reset connections (no tcp_diag, or it was built
 * without CONFIG_INET_DIAG_DESTROY); known here already, so that it can be told at the start. Makes the kernel
 * load its modules inet_diag and tcp_diag, so that the first nlk_diag_reset() does not wait for that.
 */
int nlk_diag_open(struct nlk_diag **ret);
void nlk_diag_close(struct nlk_diag *d); /* NULL is fine */

/*
 * Reset every TCP connection in the network namespace whose local address is one of addrs (n of them, in any
 * order, doubles allowed): the far end receives RST, the near end ECONNABORTED. An IPv4 address also finds the
 * IPv4-mapped connections of AF_INET6 sockets. Left alone are listening sockets, sockets bound to an address
 * without a connection, and what is over but for a timer (TIME_WAIT, and FIN_WAIT2 without an owner).
 *
 * Call it while the addresses are still there: without them the kernel has no source for the RST. Keep new
 * connections out first, or call it again: those made meanwhile may survive. Where both ends of a connection
 * are on this host and match, both are reset.
 *
 * *ret_count: how many were reset, also when it fails half-way; a connection with both ends here counts once or
 * twice. 0 or -errno: -EOPNOTSUPP as above, -EPERM without CAP_NET_ADMIN, -ENOMEM, -ETIMEDOUT when the kernel
 * did not answer within a second. The next call is good again. Waits for processes that are inside a system
 * call on one of the connections. Takes about 7 us for each connection that it resets (100: 1 ms, 5000: 35 ms)
 * and 1 us for each other one of the host, most of it inside the kernel.
 */
int nlk_diag_reset(struct nlk_diag *d, const struct nlk_diag_addr *addrs, size_t n, unsigned *ret_count);

#endif
