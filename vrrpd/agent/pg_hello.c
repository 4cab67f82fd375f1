/*
 * pg_hello.c - first message and first answer of PostgreSQL's protocol; see pg_hello.h. Runs in vrrpd-agent
 * under check_postgres.c.
 *
 * What an answer means is pg_isready's rule (PQping(3)): any answer but 57P03 (cannot_connect_now) comes from a
 * server that takes connections. Plausible lengths are libpq's (fe-connect.c): what is beyond them is another
 * protocol, or the plain text of a postmaster that could not even fork.
 */
#include "agent/pg_hello.h"

#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"

#define PROTOCOL    0x00030000u
#define CANNOT_NOW  "57P03"
#define AUTH_MAX    2000
#define ERROR_MAX   30000
#define LENGTH_SIZE 4

static void
put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

size_t
pg_hello_write(uint8_t *buf, size_t size, const char *user, const char *database)
{
	const char *const words[] = {"user", user, "database", database, "application_name", "vrrpd"};
	size_t at = 2 * LENGTH_SIZE;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i]) + 1;

		if (n > size || at + 1 > size - n)
			return 0;
		memcpy(buf + at, words[i], n);
		at += n;
	}
	buf[at++] = 0;
	put32(buf, (uint32_t)at);
	put32(buf + LENGTH_SIZE, PROTOCOL);
	return at;
}

/* The fields of an error: a letter and a text each, then 0. */
static enum pg_hello
read_error(const char *p, size_t n, char *text, size_t size)
{
	enum pg_hello result = PG_HELLO_ACCEPTS;

	while (n > 1 && *p != '\0') {
		const char *end = memchr(p, '\0', n);

		if (end == NULL)
			break;
		if (*p == 'C' && strcmp(p + 1, CANNOT_NOW) == 0)
			result = PG_HELLO_REFUSES;
		else if (*p == 'M')
			str_copy(text, size, p + 1);
		n -= (size_t)(end + 1 - p);
		p = end + 1;
	}
	return result;
}

enum pg_hello
pg_hello_read(const uint8_t *reply, size_t n, char *text, size_t size)
{
	size_t len;

	text[0] = '\0';
	if (n == 0)
		return PG_HELLO_MORE;
	if (reply[0] != 'R' && reply[0] != 'E' && reply[0] != 'v')
		return PG_HELLO_GARBAGE;
	if (n < 1 + LENGTH_SIZE)
		return PG_HELLO_MORE;
	len = (size_t)reply[1] << 24 | (size_t)reply[2] << 16 | (size_t)reply[3] << 8 | reply[4];
	if (reply[0] == 'E' && len > ERROR_MAX) {
		/* A text of protocol 2: "Eno more processes\n" */
		strbuf_addf(&(struct strbuf){.data = text, .size = size}, "%.*s", (int)MIN(n - 1, (size_t)200),
			    (const char *)reply + 1);
		return PG_HELLO_GARBAGE;
	}
	if (len < 8 || (reply[0] != 'E' && len > AUTH_MAX))
		return PG_HELLO_GARBAGE;
	if (reply[0] != 'E')
		return n < 1 + 8 ? PG_HELLO_MORE : PG_HELLO_ACCEPTS;
	if (n < MIN(1 + len, (size_t)PG_HELLO_REPLY))
		return PG_HELLO_MORE;
	return read_error((const char *)reply + 1 + LENGTH_SIZE, MIN(n, 1 + len) - 1 - LENGTH_SIZE, text, size);
}
