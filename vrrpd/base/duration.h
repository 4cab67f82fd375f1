/*
 * duration.h - durations as text: "250us", "10ms", "1.5s", "5m", "1h".
 *
 * Of the configuration and of commands; pure. A number without a unit is never a duration.
 */
#ifndef VRRPD_BASE_DURATION_H
#define VRRPD_BASE_DURATION_H

#include "base/time.h"

#define DURATION_TEXT 32 /* longest text, with the NUL */

/*
 * Parse digits, an optional fraction, and one of us, ms, s, m, h. 0; -EINVAL: no duration; -ENOMSG: a number
 * without a unit; -EDOM: not a whole number of microseconds; -ERANGE: longer than ten years.
 */
int duration_parse(const char *text, usec_t *ret);

/*
 * Write the shortest exact form into buf of DURATION_TEXT octets: no fraction below 1 ("100ms", not
 * "0.1s"), fractions of s and ms only, a whole number before a fraction of the same length. Returns buf.
 */
const char *duration_format(usec_t us, char *buf);

#endif
