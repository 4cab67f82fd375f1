/*
 * json_out.c - write JSON; see json_out.h.
 *
 * Runs in vrrpd-agent, for the documents of the status API (RFC 8259).
 */
#include "agent/json_out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/text.h"
#include "base/limits.h"

#define JSON_FIRST_SIZE 4096

void
json_out_init(struct json_out *j)
{
	*j = (struct json_out){0};
}

/* Room for n more octets. */
static char *
room(struct json_out *j, size_t n)
{
	if (j->size - j->len < n) {
		j->size = MAX(2 * j->size, j->len + n + JSON_FIRST_SIZE);
		j->data = realloc(j->data, j->size);
		ASSERT(j->data != NULL);
	}
	return j->data + j->len;
}

static void
put(struct json_out *j, const char *p, size_t n)
{
	memcpy(room(j, n), p, n);
	j->len += n;
}

static void
put_char(struct json_out *j, char c)
{
	*room(j, 1) = c;
	j->len++;
}

static void
put_uint(struct json_out *j, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	put(j, digits + at, sizeof(digits) - at);
}

/* The comma before and the key; afterwards the next thing on this level wants a comma. */
static void
lead(struct json_out *j, const char *key)
{
	if (j->comma)
		put_char(j, ',');
	j->comma = true;
	if (key == NULL)
		return;
	put_char(j, '"');
	put(j, key, strlen(key));
	put(j, "\":", 2);
}

char *
json_out_take(struct json_out *j, size_t *ret_len)
{
	put_char(j, '\n');
	*ret_len = j->len;
	return TAKE(j->data);
}

void
json_out_open(struct json_out *j, const char *key, char bracket)
{
	lead(j, key);
	put_char(j, bracket);
	j->comma = false;
}

void
json_out_close(struct json_out *j, char bracket)
{
	put_char(j, bracket);
	j->comma = true;
}

void
json_out_null(struct json_out *j, const char *key)
{
	lead(j, key);
	put(j, "null", 4);
}

void
json_out_bool(struct json_out *j, const char *key, bool value)
{
	lead(j, key);
	put(j, value ? "true" : "false", value ? 4 : 5);
}

void
json_out_uint(struct json_out *j, const char *key, uint64_t value)
{
	lead(j, key);
	put_uint(j, value);
}

void
json_out_int(struct json_out *j, const char *key, int64_t value)
{
	lead(j, key);
	if (value < 0)
		put_char(j, '-');
	put_uint(j, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void
json_out_raw(struct json_out *j, const char *key, const char *json, size_t len)
{
	lead(j, key);
	put(j, json, len);
}

void
json_out_seconds(struct json_out *j, const char *key, usec_t us)
{
	uint64_t ms = us / USEC_PER_MS;
	char fraction[4] = {(char)('0' + ms / 100 % 10), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10),
			    '\0'};
	size_t n = 3;

	lead(j, key);
	put_uint(j, ms / 1000);
	put_char(j, '.');
	while (n > 1 && fraction[n - 1] == '0')
		n--;
	put(j, fraction, n);
}

/* What a string may not hold as it is. */
static void
put_special(struct json_out *j, unsigned char c)
{
	char code[8];

	if (c == '"' || c == '\\') {
		put_char(j, '\\');
		put_char(j, (char)c);
	} else if (c < ' ') {
		snprintf(code, sizeof(code), "\\u%04x", c);
		put(j, code, 6);
	} else {
		put_char(j, '?');
	}
}

static bool
is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
}

void
json_out_text(struct json_out *j, const char *key, const char *value)
{
	const char *end;

	if (value == NULL) {
		json_out_null(j, key);
		return;
	}
	lead(j, key);
	put_char(j, '"');
	end = value + strlen(value);
	while (value < end) {
		size_t n = 0;

		while (value + n < end && is_plain((unsigned char)value[n]))
			n++;
		if (n == 0 && (unsigned char)*value >= 0x80)
			n = text_utf8_len(value, (size_t)(end - value));
		if (n > 0)
			put(j, value, n);
		else
			put_special(j, (unsigned char)*value);
		value += n > 0 ? n : 1;
	}
	put_char(j, '"');
}

void
json_out_textf(struct json_out *j, const char *key, const char *fmt, ...)
{
	char text[LIMIT_LOG_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_out_text(j, key, text);
}
