/*
 * text.h - text from outside (scripts, servers) made fit for a status line and for JSON.
 */
#ifndef VRRPD_AGENT_TEXT_H
#define VRRPD_AGENT_TEXT_H

#include <stddef.h>

/*
 * Write the last line that is not blank of `src` (len octets, any content) to dst as valid UTF-8: control
 * characters become spaces, what is no UTF-8 becomes '?', cut at a whole character to fit size (>= 1). Empty
 * when there is none.
 */
void text_last_line(char *dst, size_t size, const char *src, size_t len);

/*
 * The octets of the UTF-8 character at p (1..4), or 0 when it is none (RFC 3629: no overlong forms, no
 * surrogates). left >= 1 octets can be looked at.
 */
size_t text_utf8_len(const char *p, size_t left);

#endif
