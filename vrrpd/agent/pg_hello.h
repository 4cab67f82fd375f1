/*
 * pg_hello.h - the first message to a PostgreSQL server and what its first answer says.
 *
 * Pure. Forms of the protocol, version 3.0: PostgreSQL manual, "Frontend/Backend Protocol", Message Formats.
 */
#ifndef VRRPD_AGENT_PG_HELLO_H
#define VRRPD_AGENT_PG_HELLO_H

#include <stddef.h>
#include <stdint.h>

#define PG_HELLO_REPLY 4096 /* octets of an answer that are looked at */

enum pg_hello {
	PG_HELLO_MORE,	  /* not all of it has come */
	PG_HELLO_ACCEPTS, /* it wants a password, lets us in, or refuses this user: it takes connections */
	PG_HELLO_REFUSES, /* SQLSTATE 57P03: starting up, shutting down, in recovery without hot standby */
	PG_HELLO_GARBAGE, /* not what PostgreSQL says */
};

/* Write a StartupMessage into buf. Its length, or 0 when it does not fit. */
size_t pg_hello_write(uint8_t *buf, size_t size, const char *user, const char *database);

/*
 * Judge the first n octets of the answer (what is beyond PG_HELLO_REPLY need not be kept). An error's message
 * goes to `text` (NUL-terminated; empty when it has none).
 */
enum pg_hello pg_hello_read(const uint8_t *reply, size_t n, char *text, size_t size);

#endif
