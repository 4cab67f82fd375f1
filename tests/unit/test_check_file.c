/*
 * test_check_file.c - kind "file": switch and number, and how soon a change counts.
 */
#include "check_local.h"

#define HOUR (3600 * USEC_PER_SEC)

static char path[128];

static void
put(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
start(struct env *e, const char *content, usec_t interval)
{
	env_start(e, IPC_CHECK_FILE, interval, 1000 * MS, "path", path, "content", content, NULL);
}

static void
expect(struct env *e, const char *content, enum ipc_check_state state, const char *last)
{
	start(e, content, HOUR);
	env_expect(e, state, last);
}

static int
setup(void **state)
{
	int r = env_setup(state);

	snprintf(path, sizeof(path), "%s/flag", ((struct env *)*state)->dir);
	return r;
}

static void
test_switch(void **state)
{
	struct env *e = *state;
	char there[256], gone[256];

	snprintf(there, sizeof(there), "%s exists", path);
	snprintf(gone, sizeof(gone), "%s does not exist", path);
	expect(e, "absent", IPC_CHECK_UP, gone);
	expect(e, "present", IPC_CHECK_DOWN, gone);
	put("");
	expect(e, "absent", IPC_CHECK_DOWN, there);
	expect(e, "present", IPC_CHECK_UP, there);
	/* A link that leads nowhere is there all the same: somebody put it. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/nowhere/at/all", path), 0);
	expect(e, "absent", IPC_CHECK_DOWN, there);
}

static void
test_no_folder(void **state)
{
	struct env *e = *state;

	snprintf(path, sizeof(path), "%s/none/flag", e->dir);
	start(e, "absent", HOUR);
	assert_true(env_run(e, env_has_result));
	assert_int_equal(env_check(e)->state, IPC_CHECK_UP);
}

static void
test_numbers(void **state)
{
	static const struct {
		const char *text;
		int weight; /* 1000: down */
		const char *last;
	} rows[] = {
		{"", 0, "weight 0, the file is missing or empty"},
		{" \n", 0, "weight 0, the file is missing or empty"},
		{"0", 0, "weight 0"},
		{"-10\n", -10, "weight -10"},
		{" 42 \n", 42, "weight 42"},
		{"253", 253, "weight 253"},
		{"-254", -253, "weight -253: -254 in *"},
		{"1000000", 253, "weight 253: 1000000 in *"},
		{"abc", 1000, "*"},
		{"12a", 1000, "*"},
		{"1 2", 1000, "*"},
		{"99999999999999999999", 1000, "*"},
	};
	struct env *e = *state;

	expect(e, "number", IPC_CHECK_UP, "weight 0, the file is missing or empty");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put(rows[i].text);
		expect(e, "number", rows[i].weight == 1000 ? IPC_CHECK_DOWN : IPC_CHECK_UP, rows[i].last);
		assert_int_equal(env_check(e)->has_weight, rows[i].weight != 1000);
		if (rows[i].weight != 1000)
			assert_int_equal(env_check(e)->weight, rows[i].weight);
		else
			assert_non_null(strstr(env_check(e)->last, "holds no number"));
	}
}

static void
test_no_regular_file(void **state)
{
	struct env *e = *state;
	char line[256];

	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(line, sizeof(line), "%s cannot be read: it is no regular file", path);
	expect(e, "number", IPC_CHECK_DOWN, line);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(line, sizeof(line), "%s cannot be read: Is a directory", path);
	expect(e, "number", IPC_CHECK_DOWN, line);
}

/* The interval is an hour and three results in a row are wanted: only inotify can show it within the deadline.
 */
static bool
is_down_after_put(struct env *e)
{
	const struct check *c = env_check(e);

	if (e->reports == 1 && c->state == IPC_CHECK_UP && access(path, F_OK) < 0)
		put("");
	return c->state == IPC_CHECK_DOWN;
}

static bool
is_up_after_unlink(struct env *e)
{
	const struct check *c = env_check(e);

	if (e->reports == 1 && c->state == IPC_CHECK_DOWN)
		(void)unlink(path);
	return c->state == IPC_CHECK_UP;
}

static void
test_change_counts_soon(void **state)
{
	struct env *e = *state;
	struct check *c;
	mono_t began;

	start(e, "absent", HOUR);
	c = (struct check *)(uintptr_t)env_check(e);
	c->def.conf.rise = c->def.conf.fall = 3;
	began = clock_mono();
	assert_true(env_run(e, is_down_after_put));
	assert_int_equal(e->reports, 4);
	print_message("a change counted after %llu us with fall = 3\n",
		      (unsigned long long)mono_since(clock_mono(), began));
	start(e, "absent", HOUR);
	assert_true(env_run(e, is_up_after_unlink));
}

/* Renamed into place, as careful writers do it; and the weight follows without any rise or fall. */
static bool
weight_follows(struct env *e)
{
	char other[160];

	if (e->reports == 1 && env_check(e)->weight == 0) {
		char to[sizeof(path)];

		memcpy(to, path, sizeof(to));
		snprintf(other, sizeof(other), "%s.new", path);
		memcpy(path, other, MIN(sizeof(path), sizeof(other)));
		put("-20\n");
		memcpy(path, to, sizeof(path));
		assert_int_equal(rename(other, path), 0);
		e->reports++;
	}
	return env_check(e)->weight == -20;
}

static void
test_weight_follows(void **state)
{
	struct env *e = *state;

	start(e, "number", HOUR);
	assert_true(env_run(e, weight_follows));
}

/* The folder goes and comes back: the interval finds it again, and watches it again. */
static bool
folder_came_back(struct env *e)
{
	static unsigned step;
	char *slash = strrchr(path, '/');

	if (e->reports == 1 && step == 0) {
		*slash = '\0';
		assert_int_equal(rmdir(path), 0);
		step = 1;
	} else if (e->reports >= 3 && step == 1) {
		*slash = '\0';
		assert_int_equal(mkdir(path, 0700), 0);
		*slash = '/';
		put("");
		step = 2;
	}
	*slash = '/';
	return step == 2 && env_check(e)->state == IPC_CHECK_DOWN;
}

static void
test_folder_replaced(void **state)
{
	struct env *e = *state;

	snprintf(path, sizeof(path), "%s/sub", e->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/sub/flag", e->dir);
	start(e, "absent", 20 * MS);
	assert_true(env_run(e, folder_came_back));
}

/* Somebody writes without a pause: looked at no more often than every 10 ms. */
static bool
wrote_a_while(struct env *e)
{
	static mono_t began;

	if (began.us == 0)
		began = clock_mono();
	for (int i = 0; i < 50; i++)
		put("1");
	(void)e;
	return mono_since(clock_mono(), began) > 300 * MS;
}

static void
test_writer_without_pause(void **state)
{
	struct env *e = *state;

	start(e, "number", HOUR);
	assert_true(env_run(e, wrote_a_while));
	assert_in_range(e->reports, 2, 60);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, env_teardown)
	const struct CMUnitTest tests[] = {
		T(test_switch),
		T(test_no_folder),
		T(test_numbers),
		T(test_no_regular_file),
		T(test_change_counts_soon),
		T(test_weight_follows),
		T(test_folder_replaced),
		T(test_writer_without_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
