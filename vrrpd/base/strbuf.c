/*
 * strbuf.c - append text to a fixed buffer; see strbuf.h.
 *
 * Used by every process for reasons, log lines and results. Pure but for vsnprintf.
 */
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
strbuf_init(struct strbuf *s, char *data, size_t size)
{
	ASSERT(size > 0);
	*s = (struct strbuf){.data = data, .size = size};
	data[0] = '\0';
}

void
strbuf_addf(struct strbuf *s, const char *fmt, ...)
{
	size_t left = s->size - s->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(s->data + s->len, left, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= left) {
		s->cut = true;
		s->len = n < 0 ? s->len : s->size - 1;
		s->data[s->len] = '\0';
		return;
	}
	s->len += (size_t)n;
}

bool
str_copy(char *dst, size_t size, const char *src)
{
	size_t n = strlen(src);
	bool fits = n < size;

	if (!fits)
		n = size - 1;
	memcpy(dst, src, n);
	dst[n] = '\0';
	return fits;
}
