/*
 * log.c - log lines to stderr or to a sink; see log.h.
 *
 * The target is the one mutable file-level state of the program: every line of a process goes to one place.
 */
#include "sys/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "sys/clock.h"

static struct {
	const char *program;
	enum log_level level;
	bool journal; /* stderr is the journal: it has its own time stamps and wants levels */
	log_sink_fn *sink;
	void *arg;
} target = {.program = "vrrpd", .level = LOG_LEVEL_INFO};

static const char *const level_names[LOG_LEVEL_COUNT] = {"error", "warning", "info", "debug"};
/* sd-daemon(3): syslog levels of our levels */
static const int journal_levels[LOG_LEVEL_COUNT] = {3, 4, 6, 7};

void
log_init(const char *program, enum log_level level)
{
	target.program = program;
	target.level = level;
	target.journal = getenv("JOURNAL_STREAM") != NULL && !isatty(STDERR_FILENO);
}

void
log_set_sink(log_sink_fn *fn, void *arg)
{
	target.sink = fn;
	target.arg = arg;
}

int
log_level_parse(const char *text)
{
	for (int i = 0; i < LOG_LEVEL_COUNT; i++)
		if (strcmp(text, level_names[i]) == 0)
			return i;
	return -1;
}

const char *
log_level_name(enum log_level level)
{
	ASSERT(level < LOG_LEVEL_COUNT);
	return level_names[level];
}

static void
write_stderr(enum log_level level, const char *text)
{
	char stamp[32];
	uint64_t us = clock_wall_us();
	time_t sec = (time_t)(us / 1000000);
	struct tm tm;

	if (target.journal) {
		fprintf(stderr, "<%d>%s\n", journal_levels[level], text);
		return;
	}
	localtime_r(&sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(stderr, "%s.%03u %s: %s%s\n", stamp, (unsigned)(us / 1000 % 1000), target.program,
		level <= LOG_LEVEL_WARNING ? (level == LOG_LEVEL_ERROR ? "error: " : "warning: ") : "", text);
}

void
log_msg(enum log_level level, const char *fmt, ...)
{
	char text[LIMIT_LOG_TEXT];
	int saved = errno;
	va_list ap;

	if (level > target.level)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (target.sink != NULL)
		target.sink(target.arg, level, text);
	else
		write_stderr(level, text);
	errno = saved;
}
