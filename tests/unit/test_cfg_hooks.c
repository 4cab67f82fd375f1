/*
 * test_cfg_hooks.c - notify commands, gates and services in the configuration: values, errors, printing, numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "config/cfg.h"
#include "support/cfg_fixture.h"

#define ONE(options)                                                                                           \
	"instances = ( { name = \"a\"; interface = \"eth0\"; vrid = 1; addresses = (\"192.0.2.10/24\"); " options " } );"
#define SERVICE(options) ONE("services = ( { " options " } );")
#define TRIPLE		 "start = \"/bin/true\"; stop = \"/bin/true\"; status = \"/bin/true\"; "

static const char rich[] =
	"notify = \"/bin/echo\"; notify_fault = [\"/bin/echo\", \"fault\"]; notify_user = \"nobody\"; notify_timeout = \"7s\";\n"
	"instances = (\n"
	"{ name = \"a\"; interface = \"eth0\"; vrid = 1; addresses = (\"192.0.2.10/24\");\n"
	"  notify_active = [\"/bin/echo\", \"a b\", \"c\"]; notify_user = \"root\"; gate = \"/bin/true\"; },\n"
	"{ name = \"b\"; interface = \"eth0\"; vrid = 2; addresses = (\"192.0.2.11/24\"); notify_timeout = \"9s\";\n"
	"  services = ( \"haproxy.service\", { name = \"app\"; start = [\"/bin/echo\", \"1\"]; stop = \"/bin/true\";\n"
	"    status = \"/bin/true\"; timeout = \"4s\"; } ); } );";

static void
test_hooks_values(void **state)
{
	struct cfg *c = cfg_fixture_good(*state, rich);
	const struct cfg_instance *a = &c->instances[0], *b = &c->instances[1];

	assert_int_equal(c->hooks.notify[CFG_NOTIFY_ANY].n, 1);
	assert_string_equal(c->hooks.notify[CFG_NOTIFY_ANY].words[0], "/bin/echo");
	assert_int_equal(c->hooks.notify[CFG_NOTIFY_FAULT].n, 2);
	assert_int_equal(c->hooks.notify[CFG_NOTIFY_ACTIVE].n, 0);
	assert_int_equal(a->hooks.notify[CFG_NOTIFY_ACTIVE].n, 3);
	assert_string_equal(a->hooks.notify[CFG_NOTIFY_ACTIVE].words[1], "a b");
	assert_int_equal(a->hooks.timeout, 7 * USEC_PER_SEC); /* as for all */
	assert_int_equal(b->hooks.timeout, 9 * USEC_PER_SEC);
	assert_int_equal(a->gate.n, 1);
	assert_int_equal(a->gate_timeout, 5 * USEC_PER_SEC);
	assert_int_equal(b->n_services, 2);
	assert_string_equal(b->services[0].name, "haproxy");
	assert_string_equal(b->services[0].user, "root");
	assert_int_equal(b->services[0].start.n, 3);
	assert_string_equal(b->services[0].start.words[1], "start");
	assert_string_equal(b->services[0].status.words[2], "--quiet");
	assert_string_equal(b->services[1].name, "app");
	assert_null(b->services[1].user);
	assert_int_equal(b->services[1].migration_threshold, 3);
	assert_int_equal(cfg_services_stop_us(b), 64 * USEC_PER_SEC);
	assert_int_equal(cfg_services_stop_us(a), 0);
	cfg_free(c);
}

static void
test_hooks_unit_names(void **state)
{
	static const char *const rows[][2] = {
		{"haproxy.service", "haproxy"}, {"app@1.service", "app_1"}, {"plain", "plain"},
		{"a-very-long-name-of-some-unit-that-has-no-end.service", "a-very-long-name-of-some-unit-t"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = NULL;
		struct cfg *c;

		assert_true(asprintf(&text, ONE("services = ( \"%s\" );"), rows[i][0]) > 0);
		c = cfg_fixture_good(*state, text);
		assert_string_equal(c->instances[0].services[0].name, rows[i][1]);
		cfg_free(c);
		free(text);
	}
}

/* Every command has a number, and is found by it. */
static void
test_hooks_numbers(void **state)
{
	struct cfg *c = cfg_fixture_good(*state, rich);
	uint32_t a = cfg_run_first(c, 0), b = cfg_run_first(c, 1);
	struct cfg_run r;

	assert_int_equal(a, CFG_NOTIFY_COUNT);
	assert_int_equal(b, a + CFG_NOTIFY_COUNT + 1);
	assert_true(cfg_run_find(c, CFG_NOTIFY_ANY, &r));
	assert_null(r.instance);
	assert_string_equal(r.user, "nobody");
	assert_int_equal(r.timeout, 7 * USEC_PER_SEC);
	assert_true(cfg_run_find(c, a + CFG_NOTIFY_ACTIVE, &r));
	assert_ptr_equal(r.instance, &c->instances[0]);
	assert_int_equal(r.kind, CFG_RUN_NOTIFY);
	assert_int_equal(r.notify, CFG_NOTIFY_ACTIVE);
	assert_int_equal(r.command->n, 3);
	assert_string_equal(r.user, "root");
	assert_true(cfg_run_find(c, a + CFG_NOTIFY_COUNT, &r));
	assert_int_equal(r.kind, CFG_RUN_GATE);
	assert_string_equal(r.user, "root");
	assert_true(cfg_run_find(c, b + CFG_NOTIFY_ANY, &r));
	assert_string_equal(r.user, "nobody"); /* as for all */
	assert_int_equal(r.command->n, 0);
	assert_true(cfg_run_find(c, b + CFG_NOTIFY_COUNT + 1 + 3, &r));
	assert_int_equal(r.kind, CFG_RUN_START);
	assert_string_equal(r.service->name, "app");
	assert_string_equal(r.command->words[1], "1");
	assert_int_equal(r.timeout, 4 * USEC_PER_SEC);
	assert_true(cfg_run_find(c, b + CFG_NOTIFY_COUNT + 1 + 5, &r));
	assert_int_equal(r.kind, CFG_RUN_STATUS);
	assert_int_equal(r.number, b + CFG_NOTIFY_COUNT + 1 + 5);
	assert_false(cfg_run_find(c, b + CFG_NOTIFY_COUNT + 1 + 6, &r));
	assert_false(cfg_run_find(c, UINT32_MAX, &r));
	cfg_free(c);
}

static void
test_hooks_print_reads_back(void **state)
{
	struct cfg *first = cfg_fixture_good(*state, rich), *second;
	char *printed = cfg_fixture_print(first, cfg_print), *again;

	second = cfg_fixture_good(*state, printed);
	again = cfg_fixture_print(second, cfg_print);
	assert_string_equal(printed, again);
	assert_non_null(strstr(printed, "unit = \"haproxy.service\""));
	assert_null(strstr(printed, "systemctl"));
	cfg_free(first);
	cfg_free(second);
	free(printed);
	free(again);
}

static const struct {
	const char *name, *text, *errors;
} rows[] = {
	{"a command of another type", ONE("notify = 5;"),
	 "1: instances.a.notify: is a number: write a string or a list of strings, e.g. \"/etc/vrrpd/notify.sh\""},
	{"an empty list", ONE("notify = [];"),
	 "1: instances.a.notify: is empty: write a string or a list of strings, e.g. \"/etc/vrrpd/notify.sh\""},
	{"no absolute path", ONE("notify_active = \"notify.sh\";"),
	 "1: instances.a.notify_active[0]: \"notify.sh\" is no absolute path: write the path with its leading /"},
	{"a command that is not there", "notify = \"/none\";\n" ONE(""),
	 "1: notify[0]: \"/none\" cannot be used: No such file or directory: write the path of an existing program"},
	{"a gate that is no program", ONE("gate = [\"/etc/passwd\", \"x\"];"),
	 "1: instances.a.gate[0]: \"/etc/passwd\" is not executable: run chmod 755 /etc/passwd"},
	{"nobody", "notify_user = \"nosuchuser\";\n" ONE(""),
	 "1: notify_user: there is no user \"nosuchuser\": write the name of one, or create it"},
	{"nobody either", ONE("notify_user = \"nosuchuser\";"),
	 "1: instances.a.notify_user: there is no user \"nosuchuser\": write the name of one, or create it"},
	{"keepalived's word", ONE("notify_master = \"/bin/true\";"),
	 "1: instances.a.notify_master: unknown option: did you mean \"notify_active\"?"},
	{"a service of nothing", SERVICE("name = \"x\";"),
	 "1: instances.a.services.x.start: is missing: write start, stop and status, or unit = \"NAME.service\"\n"
	 "1: instances.a.services.x.stop: is missing: write start, stop and status, or unit = \"NAME.service\"\n"
	 "1: instances.a.services.x.status: is missing: write start, stop and status, or unit = \"NAME.service\""},
	{"a service of two kinds", SERVICE("unit = \"x.service\"; stop = \"/bin/true\";"),
	 "1: instances.a.services[0].stop: stands beside unit: write one of them"},
	{"a service without a name", SERVICE(TRIPLE),
	 "1: instances.a.services[0].name: is missing: write a string, e.g. \"haproxy\""},
	{"two services of a name", ONE("services = ( \"x.service\", { name = \"x\"; " TRIPLE " } );"),
	 "1: instances.a.services.x.name: \"x\" is the name of another service of this instance: write another"},
	{"a user of a service", SERVICE("name = \"x\"; user = \"nosuchuser\"; " TRIPLE),
	 "1: instances.a.services.x.user: there is no user \"nosuchuser\": write the name of one, or create it"},
	{"a command of a service",
	 SERVICE("name = \"x\"; start = \"/none\"; stop = \"/bin/true\"; status = \"/bin/true\";"),
	 "1: instances.a.services.x.start[0]: \"/none\" cannot be used: No such file or directory: write the path of "
	 "an existing program"},
};

static void
test_hooks_errors(void **state)
{
	size_t wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		wrong += !cfg_fixture_bad(*state, rows[i].name, rows[i].text, rows[i].errors);
	assert_int_equal(wrong, 0);
}

/* What root runs, nobody else may change. */
static void
test_hooks_of_root(void **state)
{
	const struct cfg_fixture *x = *state;

	if (geteuid() != 0)
		skip();
	cfg_fixture_write(x, "mine.sh", "#!/bin/sh\n", 0755);
	assert_int_equal(chmod(x->dir, 0777), 0);
	assert_true(cfg_fixture_bad(x, "a folder of all", ONE("notify = \"$D/mine.sh\"; notify_user = \"root\";"),
				    "1: instances.a.notify[0]: \"$D/mine.sh\" would run as root but the folder $D can be "
				    "changed by others (mode 0777): run chmod go-w $D, or write another user"));
	assert_int_equal(chmod(x->dir, 0755), 0);
	cfg_free(cfg_fixture_good(x, ONE("notify = \"$D/mine.sh\"; notify_user = \"root\";")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hooks_values),	     cmocka_unit_test(test_hooks_unit_names),
		cmocka_unit_test(test_hooks_numbers),	     cmocka_unit_test(test_hooks_print_reads_back),
		cmocka_unit_test(test_hooks_errors),	     cmocka_unit_test(test_hooks_of_root),
	};

	return cmocka_run_group_tests_name("cfg_hooks", tests, cfg_fixture_setup, cfg_fixture_teardown);
}
