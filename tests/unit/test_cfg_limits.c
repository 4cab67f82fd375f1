/*
 * test_cfg_limits.c - the ends of every range and of every list and string of a configuration: the last value
 * that is taken, the first that is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "config/cfg_int.h"
#include "support/cfg_fixture.h"

#define ONE(options)                                                                                           \
	"instances = ( { name = \"a\"; interface = \"eth0\"; vrid = 1; addresses = "                           \
	"(\"192.0.2.10/24\"); " options " } );"

/* ---- ranges ------------------------------------------------------------------------------------------------
 */

/* One option in a configuration that is right otherwise: the option stands for the %s. */
static const struct range {
	enum cfg_scope scope;
	const char *path;
	const char *text;
	const char *below, *min, *max, *above; /* NULL: there is no such value */
} ranges[] = {
	{CFG_SCOPE_ROOT, "engine.realtime_priority", "engine = { realtime_priority = %s; }; " ONE(""), "-1",
	 "0", "99", "100"},
	{CFG_SCOPE_ROOT, "control.events", "control = { events = %s; }; " ONE(""), "9", "10", "100000", "100001"},
	{CFG_SCOPE_ROOT, "engine.address_lifetime", "engine = { address_lifetime = \"%s\"; }; " ONE(""), "1s",
	 "2s", "1h", "3601s"},
	{CFG_SCOPE_ROOT, "notify_timeout", "notify_timeout = \"%s\"; " ONE(""), "99999us", "100ms", "1h", "3600000001us"},
#define IN_CHECK(option) "checks = { c = { kind = \"interface\"; interface = \"e\"; " option " }; }; " ONE("")
	{CFG_SCOPE_CHECK, "interval", IN_CHECK("timeout = \"10ms\"; interval = \"%s\";"), "9999us", "10ms",
	 "1h", "3600000001us"},
	{CFG_SCOPE_CHECK, "timeout", IN_CHECK("interval = \"1h\"; timeout = \"%s\";"), "9999us", "10ms", "1h",
	 "3600000001us"},
	{CFG_SCOPE_CHECK, "rise", IN_CHECK("rise = %s;"), "0", "1", "255", "256"},
	{CFG_SCOPE_CHECK, "fall", IN_CHECK("fall = %s;"), "0", "1", "255", "256"},
	{CFG_SCOPE_CHECK, "scale", IN_CHECK("scale = %s;"), "-254", "-253", "253", "254"},
	{CFG_SCOPE_CHECK, "hysteresis", IN_CHECK("scale = -1; hysteresis = %s;"), "-1", "0", "100", "101"},
	{CFG_SCOPE_CHECK, "decay", IN_CHECK("scale = -1; decay = \"%s\";"), NULL, "0s", "24h", "86400000001us"},
	{CFG_SCOPE_CHECK, "warmup", IN_CHECK("scale = -1; warmup = \"%s\";"), NULL, "0s", "24h", "86400000001us"},
#define HAPROXY(option) "checks = { c = { kind = \"haproxy\"; socket = \"/s\"; " option " }; }; " ONE("")
	{CFG_SCOPE_CHECK, "min_servers", HAPROXY("backends = [\"b\"]; min_servers = %s;"), "0", "1", "10000",
	 "10001"},
	{CFG_SCOPE_CHECK, "max_queue", HAPROXY("backends = [\"b\"]; max_queue = %s;"), "-1", "0", "1000000",
	 "1000001"},
	{CFG_SCOPE_CHECK, "min_idle", HAPROXY("min_idle = %s;"), "-1", "0", "100", "101"},
	{CFG_SCOPE_CHECK, "table", "checks = { c = { kind = \"route\"; table = %s; }; }; " ONE(""), "0", "1",
	 "2147483647", "2147483648"},
	{CFG_SCOPE_INSTANCE, "vrid",
	 "instances = ( { name = \"a\"; interface = \"e\"; addresses = (\"192.0.2.1\"); vrid = %s; } );", "0",
	 "1", "255", "256"},
	{CFG_SCOPE_INSTANCE, "version", ONE("version = %s;"), "1", "2", "3", "4"},
	{CFG_SCOPE_INSTANCE, "priority", ONE("priority = %s;"), "0", "1", "255", "256"},
	{CFG_SCOPE_INSTANCE, "advert_interval", ONE("advert_interval = \"%s\";"), "9999us", "10ms", "40.95s",
	 "40.96s"},
	{CFG_SCOPE_INSTANCE, "advert_interval", ONE("version = 2; advert_interval = \"%s\";"), "990ms", "1s",
	 "255s", "256s"},
	{CFG_SCOPE_INSTANCE, "preempt_delay", ONE("preempt_delay = \"%s\";"), NULL, "0s", "1000s",
	 "1000000001us"},
	{CFG_SCOPE_INSTANCE, "start_delay", ONE("start_delay = \"%s\";"), NULL, "0s", "1000s", "1000000001us"},
	{CFG_SCOPE_INSTANCE, "down_adverts", ONE("down_adverts = %s;"), "0", "1", "100", "101"},
	{CFG_SCOPE_INSTANCE, "unicast.ttl_min", ONE("unicast = { peers = [\"192.0.2.2\"]; ttl_min = %s; };"),
	 "0", "1", "255", "256"},
	{CFG_SCOPE_INSTANCE, "garp.repeat", ONE("garp = { repeat = %s; };"), "0", "1", "100", "101"},
	{CFG_SCOPE_INSTANCE, "garp.delay", ONE("garp = { delay = \"%s\"; };"), NULL, "0s", "1h",
	 "3600000001us"},
	{CFG_SCOPE_INSTANCE, "garp.refresh", ONE("garp = { refresh = \"%s\"; };"), "999999us", "1s", "24h",
	 "86400000001us"},
	{CFG_SCOPE_INSTANCE, "garp.interval", ONE("garp = { interval = \"%s\"; };"), NULL, "0s", "1s",
	 "1000001us"},
	{CFG_SCOPE_INSTANCE, "notify_timeout", ONE("notify_timeout = \"%s\";"), "99999us", "100ms", "1h",
	 "3600000001us"},
	{CFG_SCOPE_INSTANCE, "gate_timeout", ONE("gate_timeout = \"%s\";"), "99999us", "100ms", "1h", "3600000001us"},
	{CFG_SCOPE_INSTANCE, "lease.ttl",
	 "instances = ( { name = \"a\"; mode = \"lease\"; interface = \"e\"; addresses = (\"192.0.2.1\"); lease = { "
	 "store = \"etcd3\"; endpoints = [\"http://192.0.2.2:2379\"]; key = \"/a\"; ttl = \"%s\"; }; } );",
	 "1s", "5s", "1h", "3601s"},
	{CFG_SCOPE_INSTANCE, "arbiter.ttl",
	 ONE("arbiter = { store = \"etcd3\"; endpoints = [\"http://192.0.2.2:2379\"]; key = \"/a\"; ttl = \"%s\"; };"), "1s",
	 "5s", "1h", "3601s"},
#define SERVICE(option)                                                                                        \
	ONE("services = ( { name = \"x\"; start = \"/bin/true\"; stop = \"/bin/true\"; status = \"/bin/true\"; " option \
	    " } );")
	{CFG_SCOPE_SERVICE, "timeout", SERVICE("timeout = \"%s\";"), "99999us", "100ms", "1h", "3600000001us"},
	{CFG_SCOPE_SERVICE, "interval", SERVICE("interval = \"%s\";"), "99999us", "100ms", "1h", "3600000001us"},
	{CFG_SCOPE_SERVICE, "failure_decay", SERVICE("failure_decay = \"%s\";"), "999999us", "1s", "24h",
	 "86400000001us"},
	{CFG_SCOPE_SERVICE, "migration_threshold", SERVICE("migration_threshold = %s;"), "-1", "0", "1000", "1001"},
	{CFG_SCOPE_TRACK, "weight", ONE("track = ( { interface = \"e\"; weight = %s; } );"), "-254", "-253",
	 "253", "254"},
};

static char *
fill(const char *text, const char *value)
{
	const char *place = strstr(text, "%s");
	char *out = NULL;

	assert_non_null(place);
	assert_true(asprintf(&out, "%.*s%s%s", (int)(place - text), text, value, place + 2) > 0);
	return out;
}

/* One error, of this option, that names the value as the file does. */
static void
expect_refused(const struct cfg_fixture *x, const struct range *r, const char *value)
{
	const char *last = strrchr(r->path, '.') ? strrchr(r->path, '.') + 1 : r->path;
	struct cfg_errors errors;
	struct cfg *c = NULL;
	char *text, *part;

	if (!value)
		return;
	text = fill(r->text, value);
	assert_true(asprintf(&part, "%s: ", last) > 0);
	if (cfg_fixture_load(x, text, &c, &errors) == 0) {
		print_error("%s = %s was taken\n", r->path, value);
		fail();
	}
	if (errors.n != 1 || !strstr(errors.v[0], part) || !strstr(errors.v[0], value))
		cfg_fixture_show(text, &errors);
	assert_int_equal(errors.n, 1);
	assert_non_null(strstr(errors.v[0], part));
	assert_non_null(strstr(errors.v[0], value));
	cfg_errors_free(&errors);
	free(text);
	free(part);
}

static void
expect_taken(const struct cfg_fixture *x, const struct range *r, const char *value)
{
	char *text = fill(r->text, value);

	cfg_free(cfg_fixture_good(x, text));
	free(text);
}

static void
test_ranges_at_their_ends(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		expect_refused(*state, &ranges[i], ranges[i].below);
		expect_taken(*state, &ranges[i], ranges[i].min);
		expect_taken(*state, &ranges[i], ranges[i].max);
		expect_refused(*state, &ranges[i], ranges[i].above);
	}
}

static void
test_ranges_of_every_number_are_tested(void **state)
{
	const struct cfg_option *o;

	(void)state;
	for (size_t i = 0; (o = cfg_option_at(i)); i++) {
		bool found = o->type != CFG_TYPE_INT && o->type != CFG_TYPE_DURATION;

		for (size_t k = 0; k < ARRAY_SIZE(ranges); k++)
			found |= ranges[k].scope == o->scope && strcmp(ranges[k].path, o->path) == 0;
		if (!found)
			print_error("no row for %s\n", o->path);
		assert_true(found);
	}
}

/* ---- limits ------------------------------------------------------------------------------------------------
 */

/* `n` times a text with the number at two places, between head and tail. Caller frees. */
static char *
repeat(const char *head, const char *prefix, const char *suffix, size_t n, const char *tail)
{
	char *out = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&out, &size);

	assert_non_null(f);
	fputs(head, f);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s%s%zu.%zu%s", i ? "," : "", prefix, i / 250, i % 250 + 1, suffix);
	fputs(tail, f);
	fclose(f);
	return out;
}

static void
expect_limit(const struct cfg_fixture *x, char *most, char *more, const char *error)
{
	cfg_free(cfg_fixture_good(x, most));
	assert_true(cfg_fixture_bad(x, error, more, error));
	free(most);
	free(more);
}

#define PLAIN "instances = ( { name = \"a\"; interface = \"e\"; vrid = 1; "

static void
test_limits_of_one_packet(void **state)
{
	const char *v4 = PLAIN "addresses = (", *v2 = PLAIN "version = 2; addresses = (";
	const char *end = "); } );";
	char *v6 = NULL;
	size_t size;

	expect_limit(*state, repeat(v4, "\"10.1.", "/8\"", 255, end), repeat(v4, "\"10.1.", "/8\"", 256, end),
		     "1: instances.a.addresses: 256 addresses are advertised, one packet holds 255 of IPv4: "
		     "move the rest to "
		     "extra_addresses or to a second instance");
	expect_limit(*state, repeat(v2, "\"10.1.", "/8\"", 255, end), repeat(v2, "\"10.1.", "/8\"", 256, end),
		     "1: instances.a.addresses: 256 addresses are advertised, one packet holds 255 of IPv4: "
		     "move the rest to "
		     "extra_addresses or to a second instance");
	for (size_t n = 90; n <= 91; n++) {
		FILE *f = open_memstream(&v6, &size);

		fputs(v4, f);
		for (size_t i = 0; i < n; i++)
			fprintf(f, "%s\"fe80::%zu\"", i ? "," : "", i + 1);
		fputs(end, f);
		fclose(f);
		if (n == 90)
			cfg_free(cfg_fixture_good(*state, v6));
		else
			assert_true(cfg_fixture_bad(
				*state, "IPv6", v6,
				"1: instances.a.addresses: 91 addresses are advertised, one packet holds 90 of "
				"IPv6: move the rest to extra_addresses or to a second instance"));
		free(v6);
	}
}

static void
test_limits_of_lists(void **state)
{
	const char *end = "]; }; } );";
	const char *peers = PLAIN "addresses = (\"192.0.2.1\"); unicast = { peers = [";
	const char *tracks = PLAIN "addresses = (\"192.0.2.1\"); track = (";
	const char *command = ONE("") " checks = { c = { kind = \"script\"; command = [\"/bin/true\",";

	expect_limit(*state, repeat(peers, "\"10.1.", "\"", 32, end), repeat(peers, "\"10.1.", "\"", 33, end),
		     "1: instances.a.unicast.peers: has 33 entries: write at most 32");
	expect_limit(*state, repeat(tracks, "{ interface = \"e", "\"; }", 16, "); } );"),
		     repeat(tracks, "{ interface = \"e", "\"; }", 17, "); } );"),
		     "1: instances.a.track: has 17 entries: write at most 16");
	expect_limit(*state, repeat(command, "\"", "\"", 31, "]; }; };"),
		     repeat(command, "\"", "\"", 32, "]; }; };"),
		     "1: checks.c.command: has 33 entries: write at most 32");
}

static void
test_limits_of_checks(void **state)
{
	for (size_t n = LIMIT_CHECKS; n <= LIMIT_CHECKS + 1; n++) {
		char *text = NULL;
		size_t size;
		FILE *f = open_memstream(&text, &size);

		fputs("checks = {", f);
		for (size_t i = 0; i < n; i++)
			fprintf(f, "c%zu = { kind = \"interface\"; interface = \"e\"; };", i);
		fputs("};\n" ONE("track = ( { check = \"c1\"; } );"), f);
		fclose(f);
		if (n == LIMIT_CHECKS)
			cfg_free(cfg_fixture_good(*state, text));
		else
			assert_true(cfg_fixture_bad(*state, "checks", text,
						    "1: checks: has 257 entries: write at most 256"));
		free(text);
	}
}

static void
test_limits_of_a_command(void **state)
{
	char word[LIMIT_COMMAND_BYTES], text[LIMIT_COMMAND_BYTES + 600];

	for (size_t n = 1013; n <= 1014; n++) { /* beside "/bin/true" and two NULs */
		memset(word, 'x', sizeof(word));
		word[n] = '\0';
		snprintf(text, sizeof(text),
			 "checks = { c = { kind = \"script\"; command = [\"/bin/true\", \"%s\"]; }; };\n" ONE(
				 ""),
			 word);
		if (n == 1013)
			cfg_free(cfg_fixture_good(*state, text));
		else
			assert_true(cfg_fixture_bad(*state, "octets", text,
						    "1: checks.c.command: is 1023 octets long: write at most "
						    "1022, or put it into a "
						    "script"));
	}
}

static void
test_limits_of_strings(void **state)
{
	static const struct {
		const char *text;
		size_t longest;
		const char *begin;
	} rows[] = {
		{"node = \"%s\"; " ONE(""), 64, ""},
		{"control = { socket = \"%s\"; }; " ONE(""), 107, "/"},
		{"control = { group = \"%s\"; }; " ONE(""), 31, ""},
		{"instances = ( { interface = \"e\"; vrid = 1; addresses = (\"192.0.2.1\"); name = \"%s\"; } "
		 ");",
		 31, ""},
		{"instances = ( { name = \"a\"; vrid = 1; addresses = (\"192.0.2.1\"); interface = \"%s\"; } "
		 ");",
		 15, ""},
		{"instances = ( { name = \"a\"; interface = \"e\"; vrid = 1; addresses = ( { address = "
		 "\"192.0.2.1\"; interface = "
		 "\"%s\"; } ); } );",
		 15, ""},
		{ONE("track = ( { interface = \"%s\"; } );"), 31, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t n = rows[i].longest; n <= rows[i].longest + 1; n++) {
			char value[128];
			char *text;
			struct cfg_errors errors;
			struct cfg *c = NULL;

			memset(value, 'n', sizeof(value));
			value[n] = '\0';
			memcpy(value, rows[i].begin, strlen(rows[i].begin));
			text = fill(rows[i].text, value);
			assert_int_equal(cfg_fixture_load(*state, text, &c, &errors),
					 n == rows[i].longest ? 0 : -EINVAL);
			assert_int_equal(errors.n, n == rows[i].longest ? 0 : 1);
			cfg_errors_free(&errors);
			cfg_free(c);
			free(text);
		}
	}
}

static void
test_limits_of_instances_and_addresses(void **state)
{
	expect_limit(*state, cfg_fixture_many(LIMIT_INSTANCES, 0, 0),
		     cfg_fixture_many(LIMIT_INSTANCES + 1, 0, 0),
		     "1: instances: has 2049 entries: write at most 2048");
	expect_limit(*state, cfg_fixture_many(1, LIMIT_ADDRESSES - 1, SIZE_MAX),
		     cfg_fixture_many(1, LIMIT_ADDRESSES, SIZE_MAX),
		     "1: instances.i0.extra_addresses: the instance has 8193 addresses: write at most 8192, "
		     "the rest in a second "
		     "instance");
	expect_limit(*state, cfg_fixture_many(4, 6000, LIMIT_ADDRESSES_ALL - 4),
		     cfg_fixture_many(4, 6000, LIMIT_ADDRESSES_ALL - 3),
		     "1: instances: have 16385 addresses in all: write at most 16384");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges_at_their_ends),
		cmocka_unit_test(test_ranges_of_every_number_are_tested),
		cmocka_unit_test(test_limits_of_one_packet),
		cmocka_unit_test(test_limits_of_lists),
		cmocka_unit_test(test_limits_of_checks),
		cmocka_unit_test(test_limits_of_a_command),
		cmocka_unit_test(test_limits_of_strings),
		cmocka_unit_test(test_limits_of_instances_and_addresses),
	};

	return cmocka_run_group_tests(tests, cfg_fixture_setup, cfg_fixture_teardown);
}
