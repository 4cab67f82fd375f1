/*
 * ctl_out.h - text for a terminal of 80 columns: durations, wrapped lines, colour.
 */
#ifndef VRRPD_CTL_CTL_OUT_H
#define VRRPD_CTL_CTL_OUT_H

#include <stddef.h>

#include "base/macros.h"
#include "ctl/ctl.h"

#define OUT_COLUMNS 80

enum out_color { OUT_PLAIN, OUT_GREEN, OUT_YELLOW, OUT_RED, OUT_BOLD };

/* Print text on stdout in this colour, or plainly where there is none. */
void out_text(const struct ctl *c, enum out_color color, const char *text);

/* Print a line after `indent` spaces, broken between words at the last column; what follows is indented 2
 * deeper. */
void out_wrapped(const struct ctl *c, enum out_color color, int indent, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* "4.2 s", "61 s", "5 min", "2 h 5 min", "3 d 4 h" into buf; returns buf. */
const char *out_duration(double seconds, char *buf, size_t size);

/* Columns that a UTF-8 text takes: its characters. */
int out_width(const char *text);

/* Print text and spaces up to `width` columns. */
void out_padded(const struct ctl *c, enum out_color color, const char *text, int width);

#endif
