/*
 * strbuf.h - append text to a fixed buffer; what does not fit is cut and remembered.
 *
 * Always NUL-terminated. Used for reasons, log lines and check results, where a cut line is better than none.
 */
#ifndef VRRPD_BASE_STRBUF_H
#define VRRPD_BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

struct strbuf {
	char *data;  /* not owned */
	size_t size; /* octets of data, at least 1 */
	size_t len;  /* octets used, without the NUL */
	bool cut;    /* something did not fit */
};

/* Start an empty text in `data` of `size` octets (size > 0). The memory stays the caller's. */
void strbuf_init(struct strbuf *s, char *data, size_t size);

/* Append formatted text; cuts and sets `cut` at the end of the buffer. */
void strbuf_addf(struct strbuf *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Copy src into dst of size octets, always terminated; returns true when all of it fitted. */
bool str_copy(char *dst, size_t size, const char *src);

#endif
