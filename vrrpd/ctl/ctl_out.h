/*
 * ctl_out.h - text for a terminal: durations, wrapped lines, colour. All of it goes to c->out.
 */
#ifndef VRRPD_CTL_CTL_OUT_H
#define VRRPD_CTL_CTL_OUT_H

#include <stddef.h>

#include "base/macros.h"
#include "ctl/ctl.h"

#define OUT_COLUMNS 80 /* of lines, unless a screen says otherwise */

enum out_color { OUT_PLAIN, OUT_GREEN, OUT_YELLOW, OUT_RED, OUT_BOLD };

/* Print text in this colour, or plainly where there is none; control characters become '?'. */
void out_text(const struct ctl *c, enum out_color color, const char *text);

/* Print a line after `indent` spaces, broken between words at the last column; what follows is indented 2
 * deeper. */
void out_wrapped(const struct ctl *c, enum out_color color, int indent, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* "4.2 s", "61 s", "5 min", "2 h 5 min", "3 d 4 h" into buf; returns buf. */
const char *out_duration(double seconds, char *buf, size_t size);

/* How long something goes on: "45 s", "9 min 50 s", "2 h 5 min" into buf; returns buf. */
const char *out_left(double seconds, char *buf, size_t size);

/* n spaces; none when n is below 1. */
void out_spaces(const struct ctl *c, int n);

/* Columns that a UTF-8 text takes: its characters. */
int out_width(const char *text);

/* Print text and spaces up to `width` columns. */
void out_padded(const struct ctl *c, enum out_color color, const char *text, int width);

#endif
