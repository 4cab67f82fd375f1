/*
 * vectors.h - recorded packets as octets: valid adverts (V), a padded one (P) and broken ones (N).
 *
 * Used by the unit tests of the codec and by the case runner, which knows them by name. Each is an IP packet as
 * it arrives: the header, then everything behind it (AH, message, trailer, padding). A vector that is defined
 * as a message only carries the header of V01. Sums were computed by hand, not by the code under test.
 */
#ifndef TESTS_SUPPORT_VECTORS_H
#define TESTS_SUPPORT_VECTORS_H

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct vector {
	const char *name;
	const char *ip;	  /* IP header, hex */
	const char *rest; /* what follows it, hex */
};

#define VECTOR_OCTETS_MAX 160

static const struct vector vectors[] = {
	{"V01", /* v3 IPv4, sum over the message only */
	 "45c0 0020 0000 0000 ff70 1891 c000 020a e000 0012", "3133 6401 0064 a865 c000 0201"},
	{"V02", /* the same, sum with pseudo-header */
	 "45c0 0020 0000 0000 ff70 1891 c000 020a e000 0012", "3133 6401 0064 05cc c000 0201"},
	{"V03", /* owner, 1 cs, three addresses */
	 "45c0 0028 0000 0000 ff70 1892 c000 0201 e000 0012",
	 "3101 ff03 0001 89f1 c000 0201 c000 0202 c000 0203"},
	{"V04", /* leaving: priority 0, VRID 255, 4095 cs */
	 "45c0 0020 0000 0000 ff70 1890 c000 020b e000 0012", "31ff 0001 0fff fbfe c000 0201"},
	{"V05", /* V01 with all reserve bits set */
	 "45c0 0020 0000 0000 ff70 1891 c000 020a e000 0012", "3133 6401 f064 b864 c000 0201"},
	{"V06", /* v3 IPv6, two addresses */
	 "6c00 0000 0028 70ff fe80 0000 0000 0000 0000 0000 0000 000a ff02 0000 0000 0000 0000 0000 0000 0012",
	 "3133 c802 0064 dbf1 fe80 0000 0000 0000 0000 0000 0000 0001 2001 0db8 0000 0000 "
	 "0000 0000 0000 0001"},
	{"V07", /* v3 IPv6, priority 0 */
	 "6c00 0000 0018 70ff fe80 0000 0000 0000 0200 5eff fe00 5301 ff02 0000 0000 0000 0000 0000 0000 0012",
	 "3107 0001 000a 2046 fe80 0000 0000 0000 0000 0000 0000 0007"},
	{"V08", /* v2 without authentication */
	 "45c0 0028 0000 0000 ff70 1889 c000 020a e000 0012",
	 "2133 6401 0001 b8c8 c000 0201 0000 0000 0000 0000"},
	{"V09", /* v2, PASS "password", 3 s, two addresses */
	 "45c0 002c 0000 0000 ff70 1885 c000 020a e000 0012",
	 "2133 9602 0103 f619 c000 0201 c000 0202 7061 7373 776f 7264"},
	{"V10", /* v2, PASS "1111" */
	 "45c0 0028 0000 0000 ff70 1889 c000 020a e000 0012",
	 "2133 9601 0101 2366 c000 0201 3131 3131 0000 0000"},
	{"V11", /* v2 with AH, multicast */
	 "45c0 0040 0001 0000 ff33 18ad c000 020a e000 0012",
	 "7004 0000 c000 020a 0000 0001 e954 2df5 f5bf b1fd 9cc0 5b27 2133 6401 0201 b6c8 "
	 "c000 0201 0000 0000 0000 0000"},
	{"V12", /* v2 with AH, unicast */
	 "45c0 0040 0002 0000 ff33 36aa c000 020a c000 0214",
	 "7004 0000 c000 020a 0000 0002 786c 87b0 bf02 31ed 104b 4807 2133 6401 0201 b6c8 "
	 "c000 0201 0000 0000 0000 0000"},
	{"V13", /* unicast, pseudo-header over the real destination */
	 "45c0 0020 0000 0000 ff70 368f c000 020a c000 0214", "3133 6401 0064 23ca c000 0201"},
	{"V14", /* a right checksum of 0000 */
	 "45c0 0020 0000 0000 ff70 1891 c000 020a e000 0012", "3133 0c01 00ca 0000 c000 0201"},
	{"V15", /* V01 with a 28-octet HMAC trailer */
	 "45c0 003c 0000 0000 ff70 1875 c000 020a e000 0012",
	 "3133 6401 0064 a865 c000 0201 0101 0000 6a00 0000 8000 0000 bc5a 817e 324d 59ed "
	 "3339 ccba 1cec 0a30"},
	{"P01", /* V01 with Ethernet padding */
	 "45c0 0020 0000 0000 ff70 1891 c000 020a e000 0012",
	 "3133 6401 0064 a865 c000 0201 0000 0000 0000 0000 0000 0000 0000"},
	{"N01", /* TTL 254 */
	 "45c0 0020 0000 0000 fe70 1991 c000 020a e000 0012", "3133 6401 0064 a865 c000 0201"},
	{"N02", /* version 4 */
	 "45c0 0020 0000 0000 ff70 1891 c000 020a e000 0012", "4133 6401 0064 9865 c000 0201"},
	{"N03", /* type 2 */
	 "45c0 0020 0000 0000 ff70 1891 c000 020a e000 0012", "3233 6401 0064 a765 c000 0201"},
	{"N04", /* checksum wrong by one */
	 "45c0 0020 0000 0000 ff70 1891 c000 020a e000 0012", "3133 6401 0064 a864 c000 0201"},
	{"N05", /* count 2, one address */
	 "45c0 0020 0000 0000 ff70 1891 c000 020a e000 0012", "3133 6402 0064 a864 c000 0201"},
	{"N06", /* count 0 */
	 "45c0 001c 0000 0000 ff70 1895 c000 020a e000 0012", "3133 6400 0064 6a68"},
	{"N07", /* interval 0 */
	 "45c0 0020 0000 0000 ff70 1891 c000 020a e000 0012", "3133 6401 0000 a8c9 c000 0201"},
	{"N08", /* two octets after the message */
	 "45c0 0022 0000 0000 ff70 188f c000 020a e000 0012", "3133 6401 0064 a865 c000 0201 0000"},
};

/* Octets of a hex text (blanks between digits are allowed): their number, or -1 for bad text or too many. */
static inline int
hex_octets(const char *text, uint8_t *buf, size_t size)
{
	size_t n = 0;
	int half = -1;

	for (const char *p = text; *p != '\0'; p++) {
		int digit;

		if (isspace((unsigned char)*p) && half < 0)
			continue;
		if (!isxdigit((unsigned char)*p))
			return -1;
		digit = isdigit((unsigned char)*p) ? *p - '0' : tolower((unsigned char)*p) - 'a' + 10;
		if (half < 0) {
			half = digit;
			continue;
		}
		if (n == size)
			return -1;
		buf[n++] = (uint8_t)(half << 4 | digit);
		half = -1;
	}
	return half < 0 ? (int)n : -1;
}

/* The vector of this name, or NULL. */
static inline const struct vector *
vector_find(const char *name)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		if (strcmp(vectors[i].name, name) == 0)
			return &vectors[i];
	return NULL;
}

#endif
