/*
 * macros.h - small helpers of every module: cleanup attributes, ownership hand-over, assertions.
 *
 * Included everywhere; pulls in nothing of ours. Assertions are for our own bugs only (what comes
 * from a packet, a file or another process is handled) and stay on in release builds.
 */
#ifndef VRRPD_BASE_MACROS_H
#define VRRPD_BASE_MACROS_H

#include <stddef.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Run fn(&variable) when the variable leaves its scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Hand ownership out of a variable with a cleanup attribute: yields its value, leaves NULL. */
#define TAKE(p)                                                                                                \
	({                                                                                                     \
		__typeof__(p) t_ = (p);                                                                        \
		(p) = NULL;                                                                                    \
		t_;                                                                                            \
	})

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/*
 * The assertion hook. Defined once per program (sys/assert.c: writes the place to stderr and aborts);
 * the pure archives call it and nothing else of the outside world.
 */
__attribute__((noreturn)) void assert_fail(const char *expr, const char *file, int line);

#define ASSERT(expr) ((expr) ? (void)0 : assert_fail(#expr, __FILE__, __LINE__))

#endif
