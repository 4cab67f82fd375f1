/*
 * base64.h - octets as text, as etcd and Consul write keys and values (RFC 4648 4).
 */
#ifndef VRRPD_AGENT_BASE64_H
#define VRRPD_AGENT_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Room for n octets as text, with the NUL. */
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)

/* Write n octets as text to dst (BASE64_SIZE(n) octets). Returns dst. */
char *base64_encode(const void *src, size_t n, char *dst);

/*
 * The octets of a text with padding, at most size - 1, NUL-terminated for convenience; *ret_n is how many. False when it
 * is no such text or too long.
 */
bool base64_decode(const char *src, char *dst, size_t size, size_t *ret_n);

#endif
