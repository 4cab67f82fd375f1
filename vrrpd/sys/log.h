/*
 * log.h - log lines: to stderr (with journal level prefixes where the journal reads it), or to a function.
 *
 * The engine and the agent send their lines to the parent, which writes them: the engine never waits for a disk
 * or a terminal.
 */
#ifndef VRRPD_SYS_LOG_H
#define VRRPD_SYS_LOG_H

#include "base/macros.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO, /* transitions and life of the processes; the default */
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_COUNT
};

typedef void log_sink_fn(void *arg, enum log_level level, const char *text);

/* Program name in front of each line on stderr, e.g. "vrrpd". */
void log_init(const char *program, enum log_level level);

/* Send lines to fn instead of stderr. */
void log_set_sink(log_sink_fn *fn, void *arg);

/* Parse "error", "warning", "info", "debug". The level, or -1. */
int log_level_parse(const char *text);
const char *log_level_name(enum log_level level);

/* One line, without newline. errno is kept. */
void log_msg(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_error(...)	 log_msg(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_msg(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 log_msg(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	 log_msg(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
