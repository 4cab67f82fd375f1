/*
 * cfg_fixture.h - for tests of the configuration: texts in files of a folder of their own, loaded, printed,
 * compared.
 *
 * Included after cmocka.h. Writes only below TMPDIR; cfg_fixture_teardown removes what was written.
 */
#ifndef TESTS_SUPPORT_CFG_FIXTURE_H
#define TESTS_SUPPORT_CFG_FIXTURE_H

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/cfg.h"

/* The folder of this run; $D stands for it in texts and expected errors. */
struct cfg_fixture {
	char dir[256];
	char file[300]; /* the configuration under test */
};

/* libconfig 1.5 forgets the string it was reading when it meets a syntax error; what is ours must not leak. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static inline int
cfg_fixture_setup(void **state)
{
	struct cfg_fixture *x = calloc(1, sizeof(*x));
	const char *tmp = getenv("TMPDIR");

	assert_non_null(x);
	snprintf(x->dir, sizeof(x->dir), "%s/vrrpd-test-cfg-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(x->dir));
	snprintf(x->file, sizeof(x->file), "%s/t.conf", x->dir);
	*state = x;
	return 0;
}

static inline int
cfg_fixture_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int
cfg_fixture_teardown(void **state)
{
	struct cfg_fixture *x = *state;

	nftw(x->dir, cfg_fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
	free(x);
	return 0;
}

/* text with every $D replaced; the caller frees it. */
static inline char *
cfg_fixture_expand(const struct cfg_fixture *x, const char *text)
{
	char *out = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&out, &n);

	assert_non_null(f);
	while (*text) {
		if (strncmp(text, "$D", 2) == 0) {
			fputs(x->dir, f);
			text += 2;
		} else {
			fputc(*text++, f);
		}
	}
	fclose(f);
	return out;
}

/* A file of the run's folder with this text and mode. */
static inline void
cfg_fixture_write(const struct cfg_fixture *x, const char *name, const char *text, mode_t mode)
{
	char path[600];
	char *expanded = cfg_fixture_expand(x, text);
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", x->dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(expanded, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
	free(expanded);
}

static inline int
cfg_fixture_load(const struct cfg_fixture *x, const char *text, struct cfg **ret, struct cfg_errors *errors)
{
	cfg_fixture_write(x, "t.conf", text, 0644);
	return cfg_load(x->file, ret, errors);
}

static inline void
cfg_fixture_show(const char *what, const struct cfg_errors *e)
{
	print_error("%.2000s:\n", what);
	for (size_t i = 0; i < e->n; i++)
		print_error("  %s\n", e->v[i]);
}

/* Load what must be right; the caller frees it. */
static inline struct cfg *
cfg_fixture_good(const struct cfg_fixture *x, const char *text)
{
	struct cfg_errors errors;
	struct cfg *c = NULL;

	if (cfg_fixture_load(x, text, &c, &errors) < 0) {
		cfg_fixture_show(text, &errors);
		fail();
	}
	assert_int_equal(errors.n, 0);
	return c;
}

/* The text of cfg_print or cfg_print_public; the caller frees it. */
static inline char *
cfg_fixture_print(const struct cfg *c, int (*printer)(const struct cfg *, FILE *))
{
	char *out = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&out, &n);

	assert_non_null(f);
	assert_int_equal(printer(c, f), 0);
	fclose(f);
	return out;
}

/* Are the errors these lines? Each without the name of the file under test, or whole when it begins with $D. */
static inline bool
cfg_fixture_same(const struct cfg_fixture *x, const struct cfg_errors *e, const char *expected)
{
	size_t prefix = strlen(x->file) + 1, i = 0;
	bool same = true;

	while (same && expected) {
		const char *end = strchr(expected, '\n');
		char *line = strndup(expected, end ? (size_t)(end - expected) : strlen(expected));
		char *want = cfg_fixture_expand(x, line);

		if (line[0] == '$')
			same = i < e->n && strcmp(e->v[i], want) == 0;
		else
			same = i < e->n && strncmp(e->v[i], x->file, prefix - 1) == 0 &&
			       e->v[i][prefix - 1] == ':' && strcmp(e->v[i] + prefix, want) == 0;
		free(line);
		free(want);
		i++;
		expected = end ? end + 1 : NULL;
	}
	return same && i == e->n;
}

/* Load what must fail with exactly these errors; false after telling how it differed. */
static inline bool
cfg_fixture_bad(const struct cfg_fixture *x, const char *name, const char *text, const char *expected)
{
	struct cfg_errors errors;
	struct cfg *c = NULL;
	bool same;

	if (cfg_fixture_load(x, text, &c, &errors) == 0) {
		print_error("%s: was loaded, expected\n  %s\n", name, expected);
		cfg_free(c);
		return false;
	}
	assert_null(c);
	same = cfg_fixture_same(x, &errors, expected);
	if (!same) {
		print_error("%s: expected\n  %s\n", name, expected);
		cfg_fixture_show("instead of", &errors);
	}
	cfg_errors_free(&errors);
	assert_int_equal(errors.n, 0);
	return same;
}

/* n_instances instances with extra addresses, `each` of them, in all `extra` of them. Caller frees. */
static inline char *
cfg_fixture_many(size_t n_instances, size_t each, size_t extra)
{
	char *out = NULL;
	size_t size, k = 0;
	FILE *f = open_memstream(&out, &size);

	assert_non_null(f);
	fputs("instances = (", f);
	for (size_t i = 0; i < n_instances; i++) {
		fprintf(f,
			"%s{ name = \"i%zu\"; interface = \"e%zu\"; vrid = %zu; addresses = "
			"[\"10.%zu.%zu.1\"]; ",
			i ? "," : "", i, i / 255, i % 255 + 1, i / 250, i % 250);
		fputs("extra_addresses = (", f);
		for (size_t e = 0; e < each && k < extra; e++, k++)
			fprintf(f, "%s\"11.%zu.%zu.%zu\"", e ? "," : "", k / 62500, k / 250 % 250, k % 250 + 1);
		fputs("); }", f);
	}
	fputs(");", f);
	fclose(f);
	return out;
}

#endif
