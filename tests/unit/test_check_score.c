/*
 * test_check_score.c - graded checks in the frame: what a run of a script, of a page or of any other kind means
 * for the weight and for the line, with real commands and files. The arithmetic is in test_score.c.
 */
#include "check_local.h"
#include "http_fake.h"

#include <fcntl.h>

#define HOUR_US (3600 * (usec_t)USEC_PER_SEC)

/* A check of kind script that runs `sh -c text`, %D being the test's folder; graded by `scale`, once an hour.
 */
static struct check_def
script(const struct env *e, const char *text, int scale)
{
	struct check_def d = {.conf = {.kind = IPC_CHECK_SCRIPT,
				       .interval_us = HOUR_US,
				       .timeout_us = 5000 * MS,
				       .name = "one"}};
	struct strbuf b;

	d.conf.rise = d.conf.fall = 1;
	d.conf.scale = (int16_t)scale;
	memcpy(d.conf.command, "/bin/sh\0-c", 11);
	strbuf_init(&b, d.conf.command + 11, sizeof(d.conf.command) - 11);
	for (; *text != '\0'; text++) {
		bool dir = text[0] == '%' && text[1] == 'D';

		strbuf_addf(&b, dir ? "%s" : "%.1s", dir ? e->dir : text);
		text += dir;
	}
	d.conf.n_command = 3;
	return d;
}

/* The same for as long as a file exists in the test's folder: good; fails otherwise, far below `fall`. */
static struct check_def
flag_check(const struct env *e, int scale)
{
	struct check_def d = script(e, "test -e %D/flag", scale);

	d.conf.interval_us = 10 * MS;
	d.conf.fall = 200;
	return d;
}

static void
set_flag(const struct env *e, bool there)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/flag", e->dir);
	if (!there) {
		assert_int_equal(unlink(path), 0);
		return;
	}
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
}

static void
begin(struct env *e, const struct check_def *d)
{
	env_close(e);
	env_open(e);
	checks_configure(e->checks, "node-1", d, 1);
}

/* ---- a number from a script ------------------------------------------------------------------- */

static void
test_output(void **state)
{
	static const struct {
		const char *command;
		int scale;
		uint8_t state;
		int weight;
		const char *last;
	} rows[] = {
		{"echo thinking; echo ' 42 '; echo", -50, IPC_CHECK_UP, -21,
		 "reported 42 (score 42, priority -21)"},
		{"echo 42.5", 253, IPC_CHECK_UP, 108, "reported 42.5 (score 42.5, priority +108)"},
		{"echo 0", -50, IPC_CHECK_UP, 0, "reported 0 (score 0, priority +0)"},
		{"echo 100", -50, IPC_CHECK_UP, -50, "reported 100 (score 100, priority -50)"},
		{"echo 100.1", -50, IPC_CHECK_DOWN, 0, "the last line is no number from 0 to 100: 100.1"},
		{"echo -1", -50, IPC_CHECK_DOWN, 0, "the last line is no number from 0 to 100: -1"},
		{"echo 42 %", -50, IPC_CHECK_DOWN, 0, "the last line is no number from 0 to 100: 42 %"},
		{"true", -50, IPC_CHECK_DOWN, 0, "the last line is no number from 0 to 100:"},
		{"echo 42; exit 1", -50, IPC_CHECK_DOWN, 0, "42"},
	};
	struct check_option option = {.path = "score", .text = (char[]){"output"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct env *e = *state;
		struct check_def d = script(e, rows[i].command, rows[i].scale);

		d.options = &option;
		d.conf.n_options = 1;
		begin(e, &d);
		env_expect(e, rows[i].state, rows[i].last);
		assert_int_equal(env_check(e)->weight, rows[i].weight);
		assert_int_equal(env_check(e)->has_weight, rows[i].state == IPC_CHECK_UP);
	}
}

/* A bad run says nothing about the score: the one before stays. */
static bool
saw_bad_run(struct env *e)
{
	return env_check(e)->runs[CHECK_RESULT_DOWN] > 0;
}

static void
test_output_of_a_bad_run(void **state)
{
	struct env *e = *state;
	struct check_option option = {.path = "score", .text = (char[]){"output"}};
	struct check_def d = script(e, "test -e %D/second && echo much && exit; touch %D/second; echo 42", -50);

	d.options = &option;
	d.conf.n_options = 1;
	d.conf.interval_us = 10 * MS;
	d.conf.fall = 200;
	begin(e, &d);
	assert_true(env_run(e, saw_bad_run));
	assert_int_equal(env_check(e)->state, IPC_CHECK_UP);
	assert_int_equal(env_check(e)->weight, -21);
	assert_string_equal(env_check(e)->last,
			    "the last line is no number from 0 to 100: much (score 42, priority -21)");
}

/* ---- kinds that report no number --------------------------------------------------------------- */

/* Weights that were seen, in order, without repetition. */
struct seen {
	int weights[8];
	unsigned n;
};

static struct seen seen;

static bool
sees_three_weights(struct env *e)
{
	const struct check *c = env_check(e);
	char path[128];

	snprintf(path, sizeof(path), "%s/flag", e->dir);
	if (e->reports == 0)
		return false;
	assert_int_equal(c->state, IPC_CHECK_UP);
	if (seen.n == 0 || seen.weights[seen.n - 1] != c->weight) {
		assert_true(seen.n < ARRAY_SIZE(seen.weights));
		seen.weights[seen.n++] = c->weight;
		if (seen.n < 3)
			set_flag(e, access(path, F_OK) != 0); /* the other way round */
	}
	return seen.n == 3;
}

static void
expect_weights(struct env *e, int scale, int good, int bad)
{
	struct check_def d = flag_check(e, scale);
	const int want[] = {good, bad, good};

	seen = (struct seen){0};
	set_flag(e, true);
	begin(e, &d);
	assert_true(env_run(e, sees_three_weights));
	assert_memory_equal(seen.weights, want, sizeof(want));
}

static void
test_failures_count_before_fall(void **state)
{
	expect_weights(*state, -50, 0, -50);
	expect_weights(*state, 50, 50, 0);
}

static bool
has_timed_out(struct env *e)
{
	return env_check(e)->runs[CHECK_RESULT_TIMEOUT] > 0;
}

static void
expect_after_time_out(struct env *e, uint8_t on_timeout, const char *last)
{
	struct check_def d = script(e, "test -e %D/slow && exec sleep 1000; touch %D/slow", -50);
	char path[128];

	snprintf(path, sizeof(path), "%s/slow", e->dir);
	unlink(path);
	d.conf.interval_us = 10 * MS;
	d.conf.timeout_us = 1000 * MS;
	d.conf.fall = 200;
	d.conf.on_timeout = on_timeout;
	begin(e, &d);
	assert_true(env_run(e, has_timed_out));
	assert_string_equal(env_check(e)->last, last);
	assert_int_equal(env_check(e)->state, IPC_CHECK_UP);
}

static void
test_time_out(void **state)
{
	expect_after_time_out(*state, IPC_POLICY_HOLD, "no result within 1000 ms (score 0, priority +0)");
	expect_after_time_out(*state, IPC_POLICY_FAIL, "no result within 1000 ms (score 100, priority -50)");
}

static bool
went_down(struct env *e)
{
	return env_check(e)->state == IPC_CHECK_DOWN;
}

static void
test_nothing_is_added_while_down(void **state)
{
	struct env *e = *state;
	struct check_def d = script(e, "test ! -e %D/second || exit 3; touch %D/second", 50);

	d.conf.interval_us = 10 * MS;
	begin(e, &d);
	assert_true(env_run(e, went_down));
	assert_false(env_check(e)->has_weight);
	assert_int_equal(env_check(e)->weight, 0);
	assert_string_equal(env_check(e)->last, "exit status 3");
	assert_int_equal(env_check(e)->score_shown, 0); /* still told in the status */
}

static void
test_long_line_makes_room(void **state)
{
	struct env *e = *state;
	struct check_def d =
		script(e, "i=0; while [ $i -lt 60 ]; do printf '\\303\\244\\303\\266'; i=$((i+1)); done", -253);
	static const char added[] = " (score 0, priority -253, warming up)";
	const char *last;
	size_t len;

	d.conf.warmup_us = HOUR_US;
	begin(e, &d);
	assert_true(env_run(e, env_has_result));
	last = env_check(e)->last;
	len = strlen(last);
	assert_in_range(len, 100, LIMIT_CHECK_TEXT - 1);
	assert_string_equal(last + len - strlen(added), added);
	assert_int_equal((len - strlen(added)) % 2, 0); /* cut between characters of two octets */
	assert_memory_equal(last, "\303\244\303\266", 4);
}

static void
test_not_graded(void **state)
{
	struct env *e = *state;
	struct check_def d = script(e, "echo 42", 0);

	begin(e, &d);
	env_expect(e, IPC_CHECK_UP, "42");
	assert_false(env_check(e)->has_weight);
	assert_int_equal(env_check(e)->score_shown, -1);
}

/* ---- decay and warm-up, between results -------------------------------------------------------- */

/* It climbs without ever falling, and arrives. */
static bool
climbs(struct env *e)
{
	const struct check *c = env_check(e);

	if (e->reports == 0)
		return false;
	if (seen.n == 0)
		seen.weights[seen.n++] = c->weight;
	assert_true(c->weight >= seen.weights[0]);
	if (c->weight > seen.weights[0] && c->weight < 0)
		seen.n = 2; /* somewhere on the way */
	seen.weights[0] = c->weight;
	assert_true(c->weight == 0 ||
		    strstr(c->last, ", warming up)") != NULL); /* the last bit is rounded away */
	return c->weight == 0;
}

static void
test_warmup_goes_on_at_each_run(void **state)
{
	struct env *e = *state;
	struct check_def d = flag_check(e, -100);

	seen = (struct seen){0};
	d.conf.warmup_us = 1000 * MS;
	set_flag(e, true);
	begin(e, &d);
	env_expect(e, IPC_CHECK_UP, "exit status 0 (score 0, priority -100, warming up)");
	begin(e, &d);
	assert_true(env_run(e, climbs));
	assert_int_equal(seen.n, 2);
}

/* One bad run, then good ones: worse at once, then back little by little. */
static bool
fades(struct env *e)
{
	const struct check *c = env_check(e);

	if (c->runs[CHECK_RESULT_DOWN] == 0)
		return false;
	if (c->weight > -100 && c->weight < 0)
		seen.n++;
	return c->runs[CHECK_RESULT_UP] > 1 && c->weight == 0;
}

static void
test_decay_goes_on_at_each_run(void **state)
{
	struct env *e = *state;
	struct check_def d =
		script(e, "test -e %D/b && exit 0; test -e %D/a && touch %D/b && exit 1; touch %D/a", -100);

	seen = (struct seen){0};
	d.conf.interval_us = 10 * MS;
	d.conf.fall = 200;
	d.conf.decay_us = 1000 * MS;
	begin(e, &d);
	assert_true(env_run(e, fades));
	assert_true(seen.n > 0);
}

/* ---- before the first result, and over reloads -------------------------------------------------- */

static void
test_before_the_first_result(void **state)
{
	static const struct {
		uint8_t initial;
		int scale;
		usec_t warmup;
		bool has_weight;
		int weight;
	} rows[] = {
		{IPC_CHECK_PENDING, 50, 0, false, 0}, {IPC_CHECK_DOWN, 50, 0, false, 0},
		{IPC_CHECK_UP, 50, 0, true, 50},      {IPC_CHECK_UP, -50, 0, true, 0},
		{IPC_CHECK_UP, 50, HOUR_US, true, 0}, {IPC_CHECK_UP, -50, HOUR_US, true, -50},
		{IPC_CHECK_UP, 0, 0, false, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct env *e = *state;
		struct check_def d = script(e, "true", rows[i].scale);

		d.conf.initial = rows[i].initial;
		d.conf.warmup_us = rows[i].warmup;
		begin(e, &d);
		assert_int_equal(env_check(e)->has_weight, rows[i].has_weight);
		assert_int_equal(env_check(e)->weight, rows[i].weight);
		assert_int_equal(env_check(e)->score_shown, -1);
	}
}

static void
test_what_was_up_does_not_warm_up(void **state)
{
	struct env *e = *state;
	struct check_def d = script(e, "true", -100);

	d.conf.warmup_us = HOUR_US;
	d.was_up = true;
	begin(e, &d);
	assert_false(env_check(e)->has_weight); /* no result, no weight */
	env_expect(e, IPC_CHECK_UP, "exit status 0 (score 0, priority +0)");
	/* A reload says nothing about it: the same definition goes on, */
	d.was_up = false;
	checks_configure(e->checks, "node-1", &d, 1);
	assert_int_equal(env_check(e)->runs[CHECK_RESULT_UP], 1);
	assert_int_equal(env_check(e)->weight, 0);
	/* another one is a new check, but it is counted on. */
	d.conf.scale = -99;
	checks_configure(e->checks, "node-1", &d, 1);
	assert_int_equal(env_check(e)->state, IPC_CHECK_PENDING);
	assert_int_equal(env_check(e)->runs[CHECK_RESULT_UP], 1);
	assert_false(env_check(e)->has_weight);
}

/* ---- a number from a page ----------------------------------------------------------------------- */

static struct fake fake;

#define PAGE(answer, up, text, ...)                                                                            \
	do {                                                                                                   \
		fake_says(&fake, answer);                                                                      \
		FAKE_EXPECT(&fake, IPC_CHECK_HTTP, up, text, "scale", "-50", "score", __VA_ARGS__);            \
	} while (0)
#define WITH(headers) "HTTP/1.0 200 OK\r\n" headers "\r\n"
#define JSON(body)    "HTTP/1.0 200 OK\r\n\r\n" body

static void
test_header(void **state)
{
	(void)state;
	PAGE(WITH("X-Load: 42\r\n"), true, "status 200, X-Load 42 (score 42, priority -21)", "header X-Load");
	PAGE(WITH("Server: x\r\nx-LOAD:99.5 \r\nX-Load: 1\r\n"), true,
	     "status 200, X-Load 99.5 (score 99.5, priority -50)", "header X-Load");
	PAGE(WITH("X-Load-Average: 1\r\nX-Loa: 2\r\n"), false, "status 200, but header X-Load is missing",
	     "header X-Load");
	PAGE(WITH(""), false, "status 200, but header X-Load is missing", "header X-Load");
	PAGE(WITH("X-Load: 101\r\n"), false, "status 200, but header X-Load is no number from 0 to 100",
	     "header X-Load");
	PAGE(WITH("X-Load:\r\n"), false, "status 200, but header X-Load is no number from 0 to 100",
	     "header X-Load");
	PAGE(WITH("X-Load: 5.0000000000000000000000000000000000000000000000000000000000000000000\r\n"), false,
	     "status 200, but header X-Load is no number from 0 to 100", "header X-Load");
	/* of the last answer only */
	PAGE("HTTP/1.1 103 Early Hints\r\nX-Load: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-Load: 2\r\nConnection: "
	     "close\r\n\r\n",
	     true, "status 200, X-Load 2 (score 2, priority -1)", "header X-Load");
	PAGE("HTTP/1.1 103 Early Hints\r\nX-Load: 1\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", false,
	     "status 200, but header X-Load is missing", "header X-Load");
	/* with a text that the body must hold, and a bad status */
	PAGE(WITH("X-Load: 42\r\n") "fine", true,
	     "status 200, the body holds the text, X-Load 42 (score 42, priority -21)", "header X-Load", "body",
	     "fine");
	PAGE("HTTP/1.0 503 Busy\r\nX-Load: 42\r\n\r\n", false, "status 503, wanted 200-299", "header X-Load");
}

static void
test_json(void **state)
{
	static char big[100000] = JSON("{\"load\": 1, \"x\": \"");

	(void)state;
	PAGE(JSON("{\"load\": 42}"), true, "status 200, load 42 (score 42, priority -21)", "json load");
	PAGE(JSON("{\"load\": {\"cpu\": 99.9996, \"io\": 3}}\n"), true,
	     "status 200, load.cpu 100 (score 100, priority -50)", "json load.cpu");
	PAGE(JSON("{\"load\": {\"cpu\": 4.25e1}}"), true,
	     "status 200, load.cpu 42.5 (score 42.5, priority -21)", "json load.cpu");
	PAGE(JSON("{\"load\": 42}"), false, "status 200, but json load.cpu is missing", "json load.cpu");
	PAGE(JSON("{\"cpu\": 42}"), false, "status 200, but json load.cpu is missing", "json load.cpu");
	PAGE(JSON("[42]"), false, "status 200, but json load is missing", "json load");
	PAGE(JSON("{\"load\": \"42\"}"), false, "status 200, but json load is no number from 0 to 100",
	     "json load");
	PAGE(JSON("{\"load\": null}"), false, "status 200, but json load is no number from 0 to 100",
	     "json load");
	PAGE(JSON("{\"load\": -0.1}"), false, "status 200, but json load is no number from 0 to 100",
	     "json load");
	PAGE(JSON("{\"load\": 100.1}"), false, "status 200, but json load is no number from 0 to 100",
	     "json load");
	PAGE(JSON("load 42"), false, "status 200, but json load is not there, the body is no JSON",
	     "json load");
	PAGE(JSON(""), false, "status 200, but json load is not there, the body is no JSON", "json load");
	memset(big + strlen(big), 'x', sizeof(big) - strlen(big) - 1);
	PAGE(big, false, "status 200, but json load is not looked for, the body has more than 64 KiB",
	     "json load");
}

static int
fake_setup(void **state)
{
	(void)state;
	fake_start(&fake);
	return 0;
}

static int
fake_teardown(void **state)
{
	(void)state;
	fake_stop(&fake);
	return 0;
}

#define IN_FRAME(name) cmocka_unit_test_setup_teardown(name, env_setup, env_teardown)
#define BY_PAGE(name)  cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FRAME(test_output),
		IN_FRAME(test_output_of_a_bad_run),
		IN_FRAME(test_failures_count_before_fall),
		IN_FRAME(test_time_out),
		IN_FRAME(test_nothing_is_added_while_down),
		IN_FRAME(test_long_line_makes_room),
		IN_FRAME(test_not_graded),
		IN_FRAME(test_warmup_goes_on_at_each_run),
		IN_FRAME(test_decay_goes_on_at_each_run),
		IN_FRAME(test_before_the_first_result),
		IN_FRAME(test_what_was_up_does_not_warm_up),
		BY_PAGE(test_header),
		BY_PAGE(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
