/*
 * cfg_text.c - the text of a configuration before libconfig sees it: files, @include, and where each line is
 * from.
 *
 * Called by cfg_load in the parent. Does by itself what libconfig 1.5 gets wrong: a folder named by @include
 * ends the process there, relative names count from the working folder, numbers beyond 32 bits are cut
 * silently, a string that was not closed swallows the lines after it, and the last string of a list has the
 * line of the bracket after it. Opens only the files that the configuration names.
 */
#include "config/cfg_int.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INCLUDE_DEPTH 10		 /* as libconfig: enough for folders of fragments, finds loops */
#define INCLUDE_FILES 256		 /* read in one run, each as often as it is included */
#define TEXT_MAX      (8u * 1024 * 1024) /* 16384 addresses of 50 octets, ten times over */

/* One file on its way into the text. */
struct scan {
	struct cfg_source *s;
	struct cfg_text *t;
	const char *file; /* owned by the text */
	char *data;	  /* NUL-terminated */
	const char *p;
	int line;
	unsigned depth;
	bool line_start;   /* only blanks since the last newline: @include may come */
	bool after_string; /* newlines wait in `held` */
	unsigned held;	   /* newlines after a string, until it is known what follows */
	bool failed;
};

static int scan_file(struct cfg_source *s, const char *file, unsigned depth, const char *from, int from_line);

static void
put(struct scan *k, const char *p, size_t n)
{
	struct cfg_text *t = k->t;

	while (t->len + n + 1 > t->size)
		t->data = cfg_grow(t->data, t->size, &t->size, 1);
	memcpy(t->data + t->len, p, n);
	t->len += n;
	t->data[t->len] = '\0';
}

/* Say where the line of the text that begins or goes on now is from. */
static void
mark_line(struct scan *k, bool begins, int line)
{
	struct cfg_text *t = k->t;

	if (begins || t->n_lines == 0) {
		t->lines = cfg_grow(t->lines, t->n_lines, &t->size_lines, sizeof(*t->lines));
		t->n_lines++;
	}
	t->lines[t->n_lines - 1] = (struct cfg_text_line){.file = k->file, .line = line};
}

static void
put_newline(struct scan *k, int line)
{
	put(k, "\n", 1);
	mark_line(k, true, line);
}

static void
release_newlines(struct scan *k)
{
	for (; k->held > 0; k->held--)
		put_newline(k, k->line - (int)k->held + 1);
	k->after_string = false;
}

static void
take_newline(struct scan *k)
{
	k->p++;
	k->line++;
	k->line_start = true;
	if (k->after_string)
		k->held++;
	else
		put_newline(k, k->line);
}

/* Comments become nothing, or the newlines inside them. True when there was one. */
static bool
skip_comment(struct scan *k)
{
	int line = k->line;

	if (*k->p == '#' || strncmp(k->p, "//", 2) == 0) {
		k->p += strcspn(k->p, "\n");
		return true;
	}
	if (strncmp(k->p, "/*", 2) != 0)
		return false;
	for (k->p += 2; *k->p && strncmp(k->p, "*/", 2) != 0;) {
		if (*k->p == '\n')
			take_newline(k);
		else
			k->p++;
	}
	if (*k->p) {
		k->p += 2;
		put(k, " ", k->after_string ? 0 : 1);
		return true;
	}
	cfg_source_fail(k->s, k->file, line, "the comment that begins here never ends: write */ at its end");
	k->failed = true;
	return true;
}

static void
take_string(struct scan *k)
{
	const char *start = k->p++;

	for (; *k->p && *k->p != '"' && *k->p != '\n'; k->p++) {
		if (*k->p != '\\' || k->p[1] == '\0' || k->p[1] == '\n')
			continue;
		k->p++;
		if (k->p[0] == 'x' && k->p[1] == '0' && k->p[2] == '0') {
			cfg_source_fail(k->s, k->file, k->line, "a string holds \\x00: leave it out");
			k->failed = true;
		}
	}
	if (*k->p != '"') {
		cfg_source_fail(k->s, k->file, k->line,
				"the string that begins here is not closed on its line: write \" at its end");
		k->failed = true;
		put(k, start, (size_t)(k->p - start));
		put(k, "\"", 1);
		return;
	}
	k->p++;
	put(k, start, (size_t)(k->p - start));
	k->after_string = true;
}

/* libconfig cuts what does not fit 32 bits unless it is marked as long; what does not even fit 64 is out of
 * every range, the largest number stands for it. */
static void
take_number(struct scan *k)
{
	char *end;
	const char *start = k->p;
	long long value;
	bool hex = start[0] == '0' && (start[1] == 'x' || start[1] == 'X');

	errno = 0;
	value = strtoll(start, &end, hex ? 16 : 10);
	k->p = end;
	if (*end == '.' || isalpha((unsigned char)*end)) {
		k->p += strspn(end, ".eE+-0123456789L");
		put(k, start, (size_t)(k->p - start));
	} else if (errno == ERANGE) {
		put(k, "9223372036854775807L", 20);
	} else if (value > INT32_MAX) {
		put(k, start, (size_t)(end - start));
		put(k, "L", 1);
	} else {
		put(k, start, (size_t)(end - start));
	}
}

/* The folder of the including file in front of a relative name. Owned by the caller. */
static char *
include_name(const char *from, const char *name, size_t n)
{
	const char *slash = strrchr(from, '/');
	size_t folder = name[0] == '/' || !slash ? 0 : (size_t)(slash - from) + 1;
	char *path = cfg_zalloc(folder + n + 1, 1);

	memcpy(path, from, folder);
	memcpy(path + folder, name, n);
	return path;
}

/* A line `@include "name"`; false when this is none. */
static bool
take_include(struct scan *k)
{
	const char *p = k->p + 8;
	const char *end;
	char *name;

	if (!k->line_start || strncmp(k->p, "@include", 8) != 0)
		return false;
	p += strspn(p, " \t");
	end = *p == '"' ? p + 1 + strcspn(p + 1, "\"\n") : p;
	if (*end != '"' || end == p + 1) {
		cfg_source_fail(k->s, k->file, k->line, "@include without a file: write @include \"FILE\"");
		k->failed = true;
		k->p += strcspn(k->p, "\n");
		return true;
	}
	name = include_name(k->file, p + 1, (size_t)(end - p) - 1);
	k->p = end + 1;
	k->line_start = false;
	if (scan_file(k->s, name, k->depth + 1, k->file, k->line) < 0)
		k->failed = true;
	free(name);
	mark_line(k, false, k->line);
	return true;
}

/* libconfig 1.5 takes no comma before the end of a list, newer ones do. */
static void
drop_last_comma(struct scan *k)
{
	size_t n = k->t->len;

	while (n > 0 && isspace((unsigned char)k->t->data[n - 1]))
		n--;
	if (n > 0 && k->t->data[n - 1] == ',')
		k->t->data[n - 1] = ' ';
}

static void
take_token(struct scan *k)
{
	size_t n;

	if (*k->p == ')' || *k->p == ']')
		drop_last_comma(k);
	if (k->after_string && strchr("]),;}", *k->p)) {
		put(k, k->p++, 1);
		release_newlines(k);
		return;
	}
	release_newlines(k);
	if (take_include(k))
		return;
	k->line_start = false;
	n = isalpha((unsigned char)*k->p) || *k->p == '*' || *k->p == '_'
		    ? strspn(k->p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789*_-")
		    : 0;
	if (n > 0) {
		put(k, k->p, n);
		k->p += n;
	} else if (*k->p == '"') {
		take_string(k);
	} else if (isdigit((unsigned char)*k->p)) {
		take_number(k);
	} else {
		put(k, k->p++, 1);
	}
}

static void
scan_text(struct scan *k)
{
	mark_line(k, false, 1);
	put(k, "", 0);
	while (*k->p) {
		if (*k->p == '\n') {
			take_newline(k);
		} else if (isspace((unsigned char)*k->p)) {
			put(k, k->p++, k->after_string ? 0 : 1);
		} else if (!skip_comment(k)) {
			take_token(k);
		}
	}
	release_newlines(k);
	if (k->t->len > 0 && k->t->data[k->t->len - 1] != '\n')
		put_newline(k, k->line);
}

/* The whole file, NUL-terminated; NULL with the error in *ret_why, in words. */
static char *
read_whole(const char *file, size_t room, const char **ret_why)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t len = 0, size = 0;
	char *data = NULL;
	struct stat st;
	ssize_t n = -1;

	if (fd < 0) {
		*ret_why = strerror(errno);
		return NULL;
	}
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		errno = EISDIR;
	else
		do {
			data = cfg_grow(data, len + 4096, &size, 1);
			n = read(fd, data + len, size - len - 1);
			len += n > 0 ? (size_t)n : 0;
		} while (n > 0 && len <= room);
	*ret_why = n < 0 ? strerror(errno) : len > room ? "it is larger than 8 MiB" : NULL;
	close(fd);
	if (!*ret_why) {
		data[len] = '\0';
		if (strlen(data) == len)
			return data;
		*ret_why = "it holds a NUL octet, so it is no text";
	}
	free(data);
	return NULL;
}

static const char *
keep_name(struct cfg_text *t, const char *file)
{
	char **files = cfg_zalloc(t->n_files + 1, sizeof(*files));

	if (t->n_files > 0)
		memcpy(files, t->files, t->n_files * sizeof(*files));
	free(t->files);
	t->files = files;
	return files[t->n_files++] = cfg_strdup(file);
}

/* Append a file to the text; `from` and `from_line` is the @include that names it, or NULL. */
static int
scan_file(struct cfg_source *s, const char *file, unsigned depth, const char *from, int from_line)
{
	struct scan k = {.s = s, .t = &s->text, .line = 1, .depth = depth, .line_start = true};
	const char *why = NULL;

	if (depth > INCLUDE_DEPTH || s->text.n_files >= INCLUDE_FILES) {
		cfg_source_fail(
			s, from, from_line,
			"@include \"%s\" goes beyond %d files in one another or %d in all: remove it (does a "
			"file include itself?)",
			file, INCLUDE_DEPTH, INCLUDE_FILES);
		return -EINVAL;
	}
	k.data = read_whole(file, TEXT_MAX - MIN(s->text.len, TEXT_MAX), &why);
	if (!k.data && from) {
		cfg_source_fail(s, from, from_line,
				"@include \"%s\" cannot be read: %s: write the name of a readable file "
				"(without a leading / it counts from the folder of this file)",
				file, why);
		return -EINVAL;
	}
	if (!k.data) {
		cfg_source_fail(
			s, file, 0,
			"the configuration cannot be read: %s: write this file, or name another one with -f",
			why);
		return -EINVAL;
	}
	k.file = keep_name(&s->text, file);
	k.p = k.data;
	scan_text(&k);
	free(k.data);
	return k.failed ? -EINVAL : 0;
}

int
cfg_text_load(struct cfg_source *s, const char *file)
{
	return scan_file(s, file, 0, NULL, 0);
}
