/*
 * case_file.h - one case as text: settings, events, expected actions and questions, each with its time.
 *
 * The form is described in tests/cases/README.md. Times and repetitions are worked out here; what the words of
 * a line mean is case_world.c's business. Used by the case runner only.
 */
#ifndef TESTS_SUPPORT_CASE_FILE_H
#define TESTS_SUPPORT_CASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CASE_WORDS_MAX 64

enum case_line_kind {
	CASE_LINE_SETTING, /* before the first time */
	CASE_LINE_EVENT,
	CASE_LINE_EXPECT, /* "> ..." */
	CASE_LINE_ASK,	  /* "= ..." */
	CASE_LINE_WAIT,	  /* a time and nothing else */
};

struct case_line {
	enum case_line_kind kind;
	int number;  /* in the file */
	uint64_t us; /* time since the start of the case */
	size_t seq;  /* order in the file, for equal times */
	char *text;  /* owned; blanks made single */
};

struct case_file {
	char *path;		 /* owned */
	struct case_line *lines; /* sorted by time, equal times in the file's order */
	size_t n;
};

/* Read a case. 0, or -errno with a message on stderr that names file and line. */
int case_file_read(const char *path, struct case_file *ret);

void case_file_done(struct case_file *f);

/* Parse "1.5s", "3ms", "250us" (what is finer than a microsecond is an error). 0 or -EINVAL. */
int case_time_parse(const char *text, uint64_t *ret_us);

/* "@3.609375s" into buf. */
const char *case_time_format(uint64_t us, char *buf, size_t size);

/* Split text at blanks, in place; "..." is one word. Number of words, or -1 when there are too many. */
int case_words(char *text, char **words, int max);

#endif
