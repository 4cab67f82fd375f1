/*
 * rbuf.h - bounded reader over octets in network byte order.
 *
 * A read beyond the end returns zero and sets `failed`; the caller checks once at the end. No struct
 * is ever cast over a received buffer.
 */
#ifndef VRRPD_BASE_RBUF_H
#define VRRPD_BASE_RBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rbuf {
	const uint8_t *p; /* not owned */
	size_t left;
	bool failed;
};

static inline struct rbuf
rbuf_from(const uint8_t *p, size_t n)
{
	return (struct rbuf){.p = p, .left = n};
}

/* n octets, or NULL (and `failed`) when fewer are left. */
static inline const uint8_t *
rbuf_bytes(struct rbuf *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->failed || n > r->left) {
		r->failed = true;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

static inline uint8_t
rbuf_u8(struct rbuf *r)
{
	const uint8_t *p = rbuf_bytes(r, 1);

	return p ? p[0] : 0;
}

static inline uint16_t
rbuf_be16(struct rbuf *r)
{
	const uint8_t *p = rbuf_bytes(r, 2);

	return p ? (uint16_t)((unsigned)p[0] << 8 | p[1]) : 0;
}

#endif
