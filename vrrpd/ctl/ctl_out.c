/*
 * ctl_out.c - text for a terminal; see ctl_out.h.
 *
 * Runs in vrrpctl. Colour is decoration only: every word is there without it.
 */
#include "ctl/ctl_out.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
out_text(const struct ctl *c, enum out_color color, const char *text)
{
	static const char *const codes[] = {
		[OUT_PLAIN] = "", [OUT_GREEN] = "32", [OUT_YELLOW] = "33", [OUT_RED] = "31", [OUT_BOLD] = "1",
	};

	if (c->color && color != OUT_PLAIN)
		printf("\033[%sm%s\033[0m", codes[color], text);
	else
		fputs(text, stdout);
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
out_padded(const struct ctl *c, enum out_color color, const char *text, int width)
{
	out_text(c, color, text);
	printf("%*s", width > out_width(text) ? width - out_width(text) : 0, "");
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
	printf("%*s", indent, "");
	for (word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		int width = out_width(word);

		if (column > indent + 2 && column + 1 + width > OUT_COLUMNS) {
			printf("\n%*s", indent + 2, "");
			column = indent + 2;
		} else if (column > indent) {
			putchar(' ');
			column++;
		}
		out_text(c, color, word);
		column += width;
	}
	putchar('\n');
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
