/*
 * wbuf.h - bounded writer of octets in network byte order; the counterpart of rbuf.h.
 */
#ifndef VRRPD_BASE_WBUF_H
#define VRRPD_BASE_WBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wbuf {
	uint8_t *data; /* not owned */
	size_t size;
	size_t len;
	bool failed; /* something did not fit; nothing of it was written */
};

static inline struct wbuf
wbuf_to(uint8_t *data, size_t size)
{
	return (struct wbuf){.data = data, .size = size};
}

static inline void
wbuf_bytes(struct wbuf *w, const void *p, size_t n)
{
	if (w->failed || n > w->size - w->len) {
		w->failed = true;
		return;
	}
	memcpy(w->data + w->len, p, n);
	w->len += n;
}

static inline void
wbuf_u8(struct wbuf *w, uint8_t v)
{
	wbuf_bytes(w, &v, 1);
}

static inline void
wbuf_be16(struct wbuf *w, uint16_t v)
{
	uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	wbuf_bytes(w, b, 2);
}

#endif
