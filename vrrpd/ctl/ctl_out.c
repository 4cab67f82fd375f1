/*
 * ctl_out.c - text for a terminal; see ctl_out.h.
 *
 * Runs in vrrpctl. Colour is decoration only: every word is there without it.
 */
#include "ctl/ctl_out.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What a check or a peer said may hold anything: nothing of it may command the terminal. */
static void
put_clean(FILE *f, const char *text)
{
	while (*text != '\0') {
		const char *p = text;

		while ((unsigned char)*p >= ' ' && *p != 0x7f)
			p++;
		fwrite(text, 1, (size_t)(p - text), f);
		if (*p != '\0') {
			fputc('?', f);
			p++;
		}
		text = p;
	}
}

void
out_text(const struct ctl *c, enum out_color color, const char *text)
{
	static const char *const codes[] = {
		[OUT_PLAIN] = "", [OUT_GREEN] = "32", [OUT_YELLOW] = "33", [OUT_RED] = "31", [OUT_BOLD] = "1",
	};

	bool colored = c->color && color != OUT_PLAIN;

	if (colored)
		fprintf(c->out, "\033[%sm", codes[color]);
	put_clean(c->out, text);
	if (colored)
		fputs("\033[0m", c->out);
}

int
out_width(const char *text)
{
	int n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80; /* not a continuation of a character */
	return n;
}

void
out_spaces(const struct ctl *c, int n)
{
	if (n > 0)
		fprintf(c->out, "%*s", n, "");
}

void
out_padded(const struct ctl *c, enum out_color color, const char *text, int width)
{
	out_text(c, color, text);
	out_spaces(c, width - out_width(text));
}

void
out_wrapped(const struct ctl *c, enum out_color color, int indent, const char *fmt, ...)
{
	char text[1024];
	char *word, *save = NULL;
	int column = indent;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	out_spaces(c, indent);
	for (word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		int width = out_width(word);

		if (column > indent + 2 && column + 1 + width > c->columns) {
			fputc('\n', c->out);
			out_spaces(c, indent + 2);
			column = indent + 2;
		} else if (column > indent) {
			fputc(' ', c->out);
			column++;
		}
		out_text(c, color, word);
		column += width;
	}
	fputc('\n', c->out);
}

const char *
out_duration(double seconds, char *buf, size_t size)
{
	unsigned long long s = (unsigned long long)seconds;

	if (seconds < 10)
		snprintf(buf, size, "%.1f s", seconds);
	else if (s < 120)
		snprintf(buf, size, "%llu s", s);
	else if (s < 3600)
		snprintf(buf, size, "%llu min", s / 60);
	else if (s < 86400)
		snprintf(buf, size, "%llu h %llu min", s / 3600, s / 60 % 60);
	else
		snprintf(buf, size, "%llu d %llu h", s / 86400, s / 3600 % 24);
	return buf;
}

const char *
out_left(double seconds, char *buf, size_t size)
{
	unsigned long long s = seconds > 0 ? (unsigned long long)(seconds + 0.5) : 0;

	if (s < 60)
		snprintf(buf, size, "%llu s", s);
	else if (s < 3600 && s % 60 != 0)
		snprintf(buf, size, "%llu min %llu s", s / 60, s % 60);
	else if (s < 3600)
		snprintf(buf, size, "%llu min", s / 60);
	else
		out_duration((double)s, buf, size);
	return buf;
}
