/*
 * case_file.c - reading one case from its file; see case_file.h.
 */
#include "support/case_file.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define REPEAT_MAX 100000

static void
close_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

static void
free_text(char **p)
{
	free(*p);
}

int
case_time_parse(const char *text, uint64_t *ret_us)
{
	uint64_t whole = 0, fraction = 0, unit, scale;
	const char *p = text;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++)
		whole = whole * 10 + (uint64_t)(*p - '0');
	scale = 1;
	if (*p == '.')
		for (p++; isdigit((unsigned char)*p); p++, scale *= 10)
			fraction = fraction * 10 + (uint64_t)(*p - '0');
	if (strcmp(p, "s") == 0)
		unit = 1000000;
	else if (strcmp(p, "ms") == 0)
		unit = 1000;
	else if (strcmp(p, "us") == 0)
		unit = 1;
	else
		return -EINVAL;
	if (fraction * unit % scale != 0)
		return -EINVAL;
	*ret_us = whole * unit + fraction * unit / scale;
	return 0;
}

const char *
case_time_format(uint64_t us, char *buf, size_t size)
{
	int n = snprintf(buf, size, "@%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);

	while (n > 0 && buf[n - 1] == '0')
		n--;
	if (n > 0 && buf[n - 1] == '.')
		n--;
	snprintf(buf + n, size - (size_t)n, "s");
	return buf;
}

int
case_words(char *text, char **words, int max)
{
	int n = 0;

	for (char *p = text; *p != '\0';) {
		bool quoted;

		while (isspace((unsigned char)*p))
			p++;
		if (*p == '\0')
			break;
		if (n == max)
			return -1;
		quoted = *p == '"';
		words[n++] = quoted ? ++p : p;
		while (*p != '\0' && (quoted ? *p != '"' : !isspace((unsigned char)*p)))
			p++;
		if (*p != '\0')
			*p++ = '\0';
	}
	return n;
}

/* Where the reader stands. */
struct reader {
	struct case_file *file;
	size_t room;
	int number;
	bool timed;	 /* a time has been seen: no more settings */
	uint64_t cursor; /* time of the last line */
};

static void
add_line(struct reader *r, enum case_line_kind kind, const char *text)
{
	struct case_file *f = r->file;

	if (f->n == r->room) {
		r->room = r->room ? r->room * 2 : 64;
		f->lines = realloc(f->lines, r->room * sizeof(f->lines[0]));
	}
	f->lines[f->n] = (struct case_line){
		.kind = kind,
		.number = r->number,
		.us = r->cursor,
		.seq = f->n,
		.text = strdup(text),
	};
	f->n++;
}

/* Take "word " off the front; NULL when the text ends there. */
static char *
next_word(char **text)
{
	char *p = *text, *word;

	while (isspace((unsigned char)*p))
		p++;
	word = p;
	while (*p != '\0' && !isspace((unsigned char)*p))
		p++;
	if (*p != '\0')
		*p++ = '\0';
	while (isspace((unsigned char)*p))
		p++;
	*text = p;
	return *word != '\0' ? word : NULL;
}

/* "N every D TEXT": the first one now, the time moves on to the last one. */
static int
add_repeat(struct reader *r, enum case_line_kind kind, char *text)
{
	char *count = next_word(&text), *every = next_word(&text), *period = next_word(&text);
	uint64_t us;
	long n = count ? strtol(count, NULL, 10) : 0;

	if (n < 1 || n > REPEAT_MAX || !every || strcmp(every, "every") != 0 || !period ||
	    case_time_parse(period, &us) < 0 || *text == '\0')
		return -EINVAL;
	for (long i = 0; i < n; i++) {
		if (i > 0)
			r->cursor += us;
		add_line(r, kind, text);
	}
	return 0;
}

/* What follows the time on a line. */
static int
add_rest(struct reader *r, char *text)
{
	enum case_line_kind kind = r->timed ? CASE_LINE_EVENT : CASE_LINE_SETTING;

	if (*text == '\0') {
		add_line(r, CASE_LINE_WAIT, "");
		return 0;
	}
	if (*text == '>' || *text == '=') {
		kind = *text == '>' ? CASE_LINE_EXPECT : CASE_LINE_ASK;
		if (!r->timed)
			return -EINVAL;
		for (text++; isspace((unsigned char)*text);)
			text++;
	}
	if (strncmp(text, "repeat ", 7) == 0)
		return r->timed ? add_repeat(r, kind, text + 7) : -EINVAL;
	add_line(r, kind, text);
	return 0;
}

static int
read_line(struct reader *r, char *text)
{
	size_t n = strcspn(text, "\n");
	uint64_t us;
	char *time;

	text[n] = '\0';
	while (n > 0 && isspace((unsigned char)text[n - 1]))
		text[--n] = '\0';
	while (isspace((unsigned char)*text))
		text++;
	if (*text == '\0' || *text == '#')
		return 0;
	if (*text == '@' || *text == '+') {
		char sign = *text++;

		time = next_word(&text);
		if (!time || case_time_parse(time, &us) < 0)
			return -EINVAL;
		r->cursor = sign == '@' ? us : r->cursor + us;
		r->timed = true;
	}
	return add_rest(r, text);
}

static int
compare_lines(const void *a, const void *b)
{
	const struct case_line *x = a, *y = b;

	if (x->us != y->us)
		return x->us < y->us ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

int
case_file_read(const char *path, struct case_file *ret)
{
	CLEANUP(close_file) FILE *f = fopen(path, "re");
	CLEANUP(free_text) char *text = NULL;
	struct reader r = {.file = ret};
	size_t size = 0;

	*ret = (struct case_file){.path = strdup(path)};
	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -errno;
	}
	while (getline(&text, &size, f) >= 0) {
		r.number++;
		if (read_line(&r, text) < 0) {
			fprintf(stderr, "%s:%d: not a setting, event, expected action or question\n", path,
				r.number);
			return -EINVAL;
		}
	}
	if (ret->n > 0)
		qsort(ret->lines, ret->n, sizeof(ret->lines[0]), compare_lines);
	return 0;
}

void
case_file_done(struct case_file *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->lines[i].text);
	free(f->lines);
	free(f->path);
	*f = (struct case_file){0};
}
