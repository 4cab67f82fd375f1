/*
 * case_run.c - runs the cases of tests/cases against the real election code in virtual time.
 *
 *	case_run [-v | -s] FOLDER...
 *
 * Each FOLDER holds a case (a file named "case") or folders that do. Every case is run in each of the manners
 *below, which must make no difference. Prints what differs and "N passed, N failed"; exit status 1 on any
 *failure and when there was nothing to run. -v names every case, -s prints what a case does instead of judging
 *it. Needs no rights and touches nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "support/case_file.h"
#include "support/case_world.h"

/* Multiples of every round interval, for the cases that align their timers. */
static const struct case_manner manners[] = {
	{"clock at 1000 s", 1000000000, false, false},
	{"clock at 400 days", 34560000000000, false, false},
	{"timer events too early", 1000000000, true, false},
	{"reloads of nothing", 1000000000, false, true},
};

struct run {
	bool verbose;
	bool show;
	unsigned passed;
	unsigned failed;
};

/* The expected actions as a list; the texts stay the file's. */
static struct case_notes
expected_notes(const struct case_file *f)
{
	struct case_notes notes = {.v = calloc(f->n + 1, sizeof(notes.v[0]))};

	for (size_t i = 0; i < f->n; i++)
		if (f->lines[i].kind == CASE_LINE_EXPECT)
			notes.v[notes.n++] = (struct case_note){f->lines[i].us, f->lines[i].text};
	return notes;
}

/* Of a state, the sentence and the reason may be left out of what is expected; of nothing else anything. */
static bool
same_note(const struct case_note *want, const struct case_note *got)
{
	size_t n = strlen(want->text);

	if (want->us != got->us || strncmp(want->text, got->text, n) != 0)
		return false;
	return got->text[n] == '\0' || (got->text[n] == ' ' && strncmp(got->text, "state ", 6) == 0);
}

static void
print_note(char mark, const struct case_note *note)
{
	char buf[32];

	printf("  %c %-16s %s\n", mark, case_time_format(note->us, buf, sizeof(buf)), note->text);
}

/*
 * Print a difference: what is expected and missing with -, what came instead with +, three equal lines around.
 * Both lists are in the order of time, so walking them side by side by time is enough.
 */
static void
print_difference(const struct case_notes *want, const struct case_notes *got)
{
	size_t i = 0, j = 0;

	while (i < want->n && j < got->n && same_note(&want->v[i], &got->v[j])) {
		i++;
		j++;
	}
	for (size_t k = i > 3 ? i - 3 : 0; k < i; k++)
		print_note(' ', &want->v[k]);
	for (unsigned shown = 0; (i < want->n || j < got->n) && shown < 40; shown++) {
		if (i < want->n && j < got->n && same_note(&want->v[i], &got->v[j])) {
			print_note(' ', &want->v[i]);
			i++;
			j++;
		} else if (j == got->n || (i < want->n && want->v[i].us <= got->v[j].us)) {
			print_note('-', &want->v[i++]);
		} else {
			print_note('+', &got->v[j++]);
		}
	}
}

static bool
same_notes(const struct case_notes *want, const struct case_notes *got)
{
	if (want->n != got->n)
		return false;
	for (size_t i = 0; i < want->n; i++)
		if (!same_note(&want->v[i], &got->v[i]))
			return false;
	return true;
}

static bool
run_manner(const struct case_file *f, const struct case_notes *want, const struct case_manner *manner)
{
	struct case_result result;
	bool same, passed;

	case_world_run(f, manner, &result);
	same = same_notes(want, &result.actions);
	passed = same && result.errors.n == 0;
	if (!passed)
		printf("FAILED %s (%s)\n", f->path, manner->name);
	if (!same)
		print_difference(want, &result.actions);
	for (size_t i = 0; i < result.errors.n; i++)
		print_note('!', &result.errors.v[i]);
	case_result_done(&result);
	return passed;
}

static void
show(const struct case_file *f)
{
	struct case_result result;

	printf("%s\n", f->path);
	case_world_run(f, &manners[0], &result);
	for (size_t i = 0; i < result.actions.n; i++)
		print_note('>', &result.actions.v[i]);
	for (size_t i = 0; i < result.errors.n; i++)
		print_note('!', &result.errors.v[i]);
	case_result_done(&result);
}

static void
run_file(struct run *run, const char *path)
{
	CLEANUP(case_file_done) struct case_file f;
	struct case_notes want;
	bool passed = true;

	if (case_file_read(path, &f) < 0) {
		run->failed++;
		return;
	}
	if (run->show) {
		show(&f);
		return;
	}
	want = expected_notes(&f);
	if (f.n == 0) {
		printf("FAILED %s (says nothing)\n", path);
		passed = false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(manners) && passed; i++)
		passed = run_manner(&f, &want, &manners[i]);
	free(want.v);
	if (run->verbose && passed)
		printf("passed %s\n", path);
	run->passed += passed;
	run->failed += !passed;
}

static int
not_hidden(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* The case of this folder, if it has one, and those of all folders in it, in the order of their names. */
static void
run_folder(struct run *run, const char *path)
{
	struct dirent **names = NULL;
	int n = scandir(path, &names, not_hidden, alphasort);

	if (n < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		run->failed++;
		return;
	}
	for (int i = 0; i < n; i++) {
		char child[4096];

		snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name);
		if (strcmp(names[i]->d_name, "case") == 0)
			run_file(run, child);
		else if (names[i]->d_type == DT_DIR)
			run_folder(run, child);
		free(names[i]);
	}
	free(names);
}

int
main(int argc, char **argv)
{
	struct run run = {0};
	int opt;

	while ((opt = getopt(argc, argv, "vs")) != -1) {
		if (opt == '?') {
			fprintf(stderr, "usage: %s [-v | -s] FOLDER...\n", argv[0]);
			return 2;
		}
		run.verbose = run.verbose || opt == 'v';
		run.show = run.show || opt == 's';
	}
	for (int i = optind; i < argc; i++)
		run_folder(&run, argv[i]);
	if (run.show)
		return run.failed > 0;
	printf("%u passed, %u failed\n", run.passed, run.failed);
	if (run.passed + run.failed == 0)
		fprintf(stderr, "no case found\n");
	return run.failed > 0 || run.passed == 0;
}
