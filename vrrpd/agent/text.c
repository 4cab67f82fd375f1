/*
 * text.c - make foreign text printable; see text.h.
 *
 * Runs in vrrpd-agent, for whatever a check says. Pure.
 */
#include "agent/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static bool
is_blank(unsigned char ch)
{
	return ch <= ' ' || ch == 0x7f;
}

size_t
text_utf8_len(const char *text, size_t left)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)text;
	size_t n = 0;
	uint32_t ch;

	if (p[0] < 0x80)
		return 1;
	if ((p[0] & 0xe0) == 0xc0)
		n = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3;
	else if ((p[0] & 0xf8) == 0xf0)
		n = 4;
	if (n == 0 || n > left)
		return 0;
	ch = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		ch = ch << 6 | (p[i] & 0x3f);
	}
	return ch < least[n] || ch > 0x10ffff || (ch >= 0xd800 && ch <= 0xdfff) ? 0 : n;
}

void
text_last_line(char *dst, size_t size, const char *src, size_t len)
{
	const unsigned char *s = (const unsigned char *)src;
	size_t end = len;
	size_t at, used = 0;

	while (end > 0 && is_blank(s[end - 1]))
		end--;
	at = end;
	while (at > 0 && s[at - 1] != '\n')
		at--;
	while (at < end && is_blank(s[at]))
		at++;
	while (at < end) {
		size_t n = text_utf8_len(src + at, end - at);
		/* C1 controls are two octets: c2 80..9f */
		bool control = is_blank(s[at]) || (n == 2 && s[at] == 0xc2 && s[at + 1] < 0xa0);
		size_t out = n > 0 && !control ? n : 1;

		if (used + out >= size)
			break;
		if (n > 0 && !control)
			memcpy(dst + used, s + at, n);
		else
			dst[used] = control ? ' ' : '?';
		used += out;
		at += n > 0 ? n : 1;
	}
	dst[used] = '\0';
}
