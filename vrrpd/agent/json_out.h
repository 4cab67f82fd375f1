/*
 * json_out.h - write a JSON document from front to back into one growing buffer.
 *
 * No tree in between: a status of hundreds of instances is written in about a millisecond. Keys are plain ASCII
 * words; values may be any octets.
 */
#ifndef VRRPD_AGENT_JSON_OUT_H
#define VRRPD_AGENT_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/time.h"

struct json_out {
	char *data; /* malloc'd */
	size_t len, size;
	bool comma; /* something stands in front on this level */
};

/* Start an empty document. */
void json_out_init(struct json_out *j);

/* End it with a newline and hand the buffer over; *ret_len octets, to be freed. */
char *json_out_take(struct json_out *j, size_t *ret_len);

/* In all of these, key NULL writes an element of an array. */
void json_out_open(struct json_out *j, const char *key, char bracket); /* '{' or '[' */
void json_out_close(struct json_out *j, char bracket);		       /* '}' or ']' */
void json_out_null(struct json_out *j, const char *key);
void json_out_bool(struct json_out *j, const char *key, bool value);
void json_out_uint(struct json_out *j, const char *key, uint64_t value);
void json_out_int(struct json_out *j, const char *key, int64_t value);

/* Text that is JSON already. */
void json_out_raw(struct json_out *j, const char *key, const char *json, size_t len);

/* A duration in seconds to the millisecond: 4.2, 61.0. */
void json_out_seconds(struct json_out *j, const char *key, usec_t us);

/* NULL writes null; octets that are no UTF-8 become '?'. */
void json_out_text(struct json_out *j, const char *key, const char *value);
void json_out_textf(struct json_out *j, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
