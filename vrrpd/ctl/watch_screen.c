/*
 * watch_screen.c - what `watch` shows; see watch_screen.h.
 *
 * Runs in vrrpctl. From top to bottom: the table of status, as detailed as fits; the last events; a line that says
 * how to end it.
 */
#include "ctl/watch_screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "ctl/ctl_event.h"
#include "ctl/ctl_out.h"
#include "ctl/status_table.h"
#include "sys/clock.h"

#define COLUMNS_LEAST 20 /* narrower lines are cut */
#define ROWS_FOR_REST 6	 /* of a low screen, before events get any */

struct text {
	char *data; /* lines, each ended by a newline */
	size_t len;
	FILE *f;
};

static void
text_open(struct text *t)
{
	*t = (struct text){0};
	t->f = open_memstream(&t->data, &t->len);
	ASSERT(t->f != NULL);
}

static int
text_close(struct text *t)
{
	int lines = 0;

	fclose(t->f);
	for (const char *p = t->data; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	return lines;
}

static void
text_free(struct text *t)
{
	free(t->data);
}

/* ---- lines that fit -------------------------------------------------------------------------- */

/* One line of at most `columns` characters; colours take none. Returns what follows it. */
static const char *
put_line(FILE *f, const char *line, int columns)
{
	bool cut = false;
	int column = 0;

	for (; *line != '\0' && *line != '\n'; line++) {
		if (*line == '\033') { /* ours: ESC [ digits m */
			size_t n = strcspn(line, "m");

			fwrite(line, 1, n + 1, f);
			line += n;
			continue;
		}
		if (((unsigned char)*line & 0xc0) != 0x80)
			cut = column++ >= columns;
		if (!cut)
			fputc(*line, f);
	}
	fputc('\n', f);
	return *line == '\n' ? line + 1 : line;
}

/* Up to `rows` lines; when there are more, the last one says so. */
static void
put_lines(FILE *f, const char *lines, int n, int rows, int columns)
{
	char more[96];
	int shown = n <= rows ? n : rows - 1;

	for (int i = 0; i < shown; i++)
		lines = put_line(f, lines, columns);
	if (n <= rows || rows <= 0)
		return;
	snprintf(more, sizeof(more), "... and %d lines more: vrrpctl status shows all", n - shown);
	put_line(f, more, columns);
}

/* ---- the parts ------------------------------------------------------------------------------- */

/* Those in fault first: they must not be what is cut off. Both orders as they were. */
static void
put_faults_first(const struct view **instances, size_t n)
{
	const struct view **others = calloc(n + 1, sizeof(const struct view *));
	size_t faults = 0, rest = 0;

	ASSERT(others != NULL);
	for (size_t i = 0; i < n; i++) {
		if (status_is_fault(instances[i]))
			instances[faults++] = instances[i];
		else
			others[rest++] = instances[i];
	}
	for (size_t i = 0; i < rest; i++)
		instances[faults + i] = others[i];
	free(others);
}

static void
put_trouble(const struct ctl *c, const struct screen *s)
{
	char ago[64];

	if (s->trouble == NULL)
		return;
	out_wrapped(c, OUT_RED, 0, "vrrpd does not answer: %s", s->trouble);
	if (s->status != NULL)
		out_wrapped(c, OUT_PLAIN, 0, "as it was %s ago:",
			    out_left((double)mono_since(clock_mono(), s->seen) / USEC_PER_SEC, ago, sizeof(ago)));
}

/* The table, as detailed as `rows` allow. The number of its lines. */
static int
make_table(const struct ctl *base, const struct screen *s, int rows, int columns, struct text *t)
{
	size_t n;
	const struct view **instances = status_instances(s->status, &n);
	struct ctl c = *base;
	int lines = 0;

	c.columns = MAX(columns, COLUMNS_LEAST);
	for (enum status_detail detail = STATUS_FULL;; detail++) {
		text_open(t);
		c.out = t->f;
		c.color = base->color;
		put_trouble(&c, s);
		c.color = base->color && s->trouble == NULL; /* colour is for what is so now */
		if (s->status != NULL) {
			status_print_node(&c, s->status);
			status_print_table(&c, instances, n, detail);
		}
		lines = text_close(t);
		if (lines <= rows || detail == STATUS_ROWS)
			break;
		text_free(t);
		put_faults_first(instances, n);
	}
	free(instances);
	return lines;
}

/* The last n events. */
static int
make_events(const struct ctl *base, const struct screen *s, size_t n, struct text *t)
{
	size_t size = json_array_size(s->events);
	struct ctl c = *base;

	text_open(t);
	c.out = t->f;
	c.color = base->color && s->trouble == NULL;
	for (size_t i = size - MIN(n, size); i < size; i++)
		event_print(&c, json_array_get(s->events, i), true);
	return text_close(t);
}

static void
put_foot(FILE *f, const struct screen *s, int columns)
{
	time_t now = (time_t)(clock_wall_us() / USEC_PER_SEC);
	char clock[16], foot[128];
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	snprintf(foot, sizeof(foot), "q: end   every %s s   %s", s->every, clock);
	put_line(f, foot, columns);
}

char *
screen_text(const struct ctl *c, const struct screen *s, int rows, int columns)
{
	int space = rows - 1, n_events = 0, n_table;
	struct text whole, table, events;

	if (rows > ROWS_FOR_REST)
		n_events = (int)MIN(json_array_size(s->events), MIN((size_t)(rows - ROWS_FOR_REST) / 2, SCREEN_EVENTS));
	if (n_events > 0)
		space -= n_events + 1;
	n_table = make_table(c, s, space, columns, &table);
	make_events(c, s, (size_t)n_events, &events);
	text_open(&whole);
	put_lines(whole.f, table.data, n_table, space, columns);
	for (int i = n_table; i < space; i++)
		fputc('\n', whole.f);
	if (n_events > 0) {
		fputc('\n', whole.f);
		put_lines(whole.f, events.data, n_events, n_events, columns);
	}
	put_foot(whole.f, s, columns);
	text_close(&whole);
	text_free(&table);
	text_free(&events);
	return whole.data;
}
