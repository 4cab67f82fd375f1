/*
 * base64.c - octets as text; see base64.h. Runs in vrrpd-agent, under the stores.
 */
#include "agent/base64.h"

#include <stdint.h>
#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *
base64_encode(const void *src, size_t n, char *dst)
{
	const uint8_t *p = src;
	char *to = dst;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);

		*to++ = letters[v >> 18];
		*to++ = letters[v >> 12 & 63];
		*to++ = left > 1 ? letters[v >> 6 & 63] : '=';
		*to++ = left > 2 ? letters[v & 63] : '=';
	}
	*to = '\0';
	return dst;
}

bool
base64_decode(const char *src, char *dst, size_t size, size_t *ret_n)
{
	size_t len = strlen(src), n = 0;

	if (len % 4 != 0)
		return false;
	for (size_t i = 0; i < len; i += 4) {
		uint32_t v = 0;
		unsigned pad = 0;

		for (unsigned k = 0; k < 4; k++) {
			const char *at = strchr(letters, src[i + k]);

			if (src[i + k] == '=' && k >= 2 && i + 4 == len)
				pad++;
			else if (pad > 0 || at == NULL)
				return false;
			v = v << 6 | (pad > 0 ? 0 : (uint32_t)(at - letters));
		}
		if (n + 3 - pad >= size)
			return false;
		for (unsigned k = 0; k < 3 - pad; k++)
			dst[n++] = (char)(v >> (16 - 8 * k));
	}
	dst[n] = '\0';
	*ret_n = n;
	return true;
}
