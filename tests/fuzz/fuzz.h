/*
 * fuzz.h - what the fuzz targets share: octets of the input as numbers and texts, and checks that abort.
 *
 * A target is one file with LLVMFuzzerTestOneInput(); see tests/fuzz/README.md.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* A property of the code under test. When it does not hold, libFuzzer keeps the input. */
#define FUZZ_CHECK(expr)                                                                                       \
	do {                                                                                                   \
		if (!(expr)) {                                                                                 \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #expr);              \
			abort();                                                                               \
		}                                                                                              \
	} while (0)

/* The input as it is used up; behind its end everything is zero. */
struct fuzz_in {
	const uint8_t *p;
	size_t left;
};

static inline struct fuzz_in
fuzz_in(const uint8_t *data, size_t size)
{
	return (struct fuzz_in){data, size};
}

static inline uint8_t
fuzz_u8(struct fuzz_in *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

static inline uint32_t
fuzz_u16(struct fuzz_in *in)
{
	uint32_t high = fuzz_u8(in);

	return high << 8 | fuzz_u8(in);
}

static inline uint32_t
fuzz_u32(struct fuzz_in *in)
{
	uint32_t high = fuzz_u16(in);

	return high << 16 | fuzz_u16(in);
}

static inline bool
fuzz_bool(struct fuzz_in *in)
{
	return (fuzz_u8(in) & 1) != 0;
}

/* 0..n-1 from one octet; n in 1..256. */
static inline uint32_t
fuzz_below(struct fuzz_in *in, uint32_t n)
{
	return fuzz_u8(in) % n;
}

/* The next n octets, fewer at the end of the input, in a block of exactly their size: a read beyond them is
 * found. The caller frees it. */
static inline uint8_t *
fuzz_take(struct fuzz_in *in, size_t n, size_t *ret_n)
{
	uint8_t *block;

	n = MIN(n, in->left);
	block = malloc(MAX(n, (size_t)1));
	FUZZ_CHECK(block != NULL);
	memcpy(block, in->p, n);
	in->p += n;
	in->left -= n;
	*ret_n = n;
	if (n == 0) { /* nothing may be read */
		free(block);
		block = malloc(0);
	}
	return block;
}

/* The same, with a NUL behind them. */
static inline char *
fuzz_text(struct fuzz_in *in, size_t n)
{
	char *text;

	n = MIN(n, in->left);
	text = malloc(n + 1);
	FUZZ_CHECK(text != NULL);
	memcpy(text, in->p, n);
	text[n] = '\0';
	in->p += n;
	in->left -= n;
	return text;
}

#endif
