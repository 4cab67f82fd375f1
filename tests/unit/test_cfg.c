/*
 * test_cfg.c - the configuration: values and defaults, ranges and limits, printing and reading back, the files
 * in conf/.
 *
 * The errors word by word are in test_cfg_errors.c. Runs from the top folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>

#include "base/duration.h"
#include "config/cfg_int.h"
#include "support/cfg_fixture.h"

#define ONE(options)                                                                                           \
	"instances = ( { name = \"a\"; interface = \"eth0\"; vrid = 1; addresses = "                           \
	"(\"192.0.2.10/24\"); " options " } );"

/* ---- durations ---------------------------------------------------------------------------------------------
 */

static void
test_duration_parse(void **state)
{
	static const struct {
		const char *text;
		int result;
		usec_t us;
	} rows[] = {
		{"0s", 0, 0},
		{"0us", 0, 0},
		{"250us", 0, 250},
		{"10ms", 0, 10000},
		{"1s", 0, 1000000},
		{"1.5s", 0, 1500000},
		{"0.1s", 0, 100000},
		{"1.50s", 0, 1500000},
		{"0.000001s", 0, 1},
		{"2.5ms", 0, 2500},
		{"40.95s", 0, 40950000},
		{"5m", 0, 300000000},
		{"0.5m", 0, 30000000},
		{"1h", 0, 3600000000},
		{"1.25h", 0, 4500000000},
		{"007s", 0, 7000000},
		{"87840h", 0, 316224000000000},
		{"", -EINVAL, 0},
		{"s", -EINVAL, 0},
		{"-1s", -EINVAL, 0},
		{"+1s", -EINVAL, 0},
		{" 1s", -EINVAL, 0},
		{"1 s", -EINVAL, 0},
		{"1s ", -EINVAL, 0},
		{"1S", -EINVAL, 0},
		{"1sec", -EINVAL, 0},
		{"1d", -EINVAL, 0},
		{".5s", -EINVAL, 0},
		{"1.s", -EINVAL, 0},
		{"1.5.5s", -EINVAL, 0},
		{"1m30s", -EINVAL, 0},
		{"0x10s", -EINVAL, 0},
		{"1e3s", -EINVAL, 0},
		{"1,5s", -EINVAL, 0},
		{"5", -ENOMSG, 0},
		{"1.5", -ENOMSG, 0},
		{"0.5us", -EDOM, 0},
		{"1.0005ms", -EDOM, 0},
		{"0.0000001s", -EDOM, 0},
		{"87841h", -ERANGE, 0},
		{"99999999999999999999999us", -ERANGE, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		usec_t us = 12345;
		int r = duration_parse(rows[i].text, &us);

		if (r != rows[i].result || us != (r == 0 ? rows[i].us : 12345))
			print_error("\"%s\": %d, %" PRIu64 "\n", rows[i].text, r, us);
		assert_int_equal(r, rows[i].result);
		assert_int_equal(us, r == 0 ? rows[i].us : 12345);
	}
}

static void
test_duration_format(void **state)
{
	static const struct {
		usec_t us;
		const char *text;
	} rows[] = {
		{0, "0s"},
		{1, "1us"},
		{250, "250us"},
		{999, "999us"},
		{1000, "1ms"},
		{1001, "1001us"},
		{1500, "1.5ms"},
		{10000, "10ms"},
		{12345, "12345us"},
		{100000, "100ms"},
		{999999, "999999us"},
		{1000000, "1s"},
		{1000001, "1000001us"},
		{1500000, "1.5s"},
		{1001000, "1001ms"},
		{40950000, "40.95s"},
		{59000000, "59s"},
		{60000000, "1m"},
		{90000000, "90s"},
		{150000000, "150s"},
		{255000000, "255s"},
		{1000000000, "1000s"},
		{3600000000, "1h"},
		{5400000000, "90m"},
		{86400000000, "24h"},
		{3600000001, "3600000001us"},
		{UINT64_MAX, "18446744073709551615us"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char buf[DURATION_TEXT];

		assert_ptr_equal(duration_format(rows[i].us, buf), buf);
		assert_string_equal(buf, rows[i].text);
	}
}

static void
test_duration_format_reads_back(void **state)
{
	uint64_t seed = 42;

	(void)state;
	print_message("seed %" PRIu64 "\n", seed);
	for (size_t i = 0; i < 20000; i++) {
		char buf[DURATION_TEXT];
		usec_t us = 0, back = 0;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		us = (seed >> 20) % (i % 2 ? 3600u * (uint64_t)USEC_PER_SEC : 5u * USEC_PER_SEC);
		if (i % 3 == 0)
			us -= us % 1000;
		assert_int_equal(duration_parse(duration_format(us, buf), &back), 0);
		assert_int_equal(back, us);
	}
}

/* ---- values ------------------------------------------------------------------------------------------------
 */

static void
test_values_of_the_smallest_configuration(void **state)
{
	struct cfg *c = cfg_fixture_good(*state, ONE(""));
	const struct cfg_instance *i = c->instances;
	char host[LIMIT_NODE] = "";

	gethostname(host, sizeof(host) - 1);
	assert_string_equal(c->file, ((const struct cfg_fixture *)*state)->file);
	assert_string_equal(c->node, host);
	assert_int_equal(c->engine.realtime_priority, 50);
	assert_true(c->engine.lock_memory);
	assert_int_equal(c->engine.address_lifetime, 3000000);
	assert_int_equal(c->control.events, 1000);
	assert_null(c->control.socket);
	assert_string_equal(c->control.group, "vrrpd");
	assert_null(c->control.listen);
	assert_int_equal(c->n_checks, 0);
	assert_int_equal(c->n_instances, 1);
	assert_string_equal(i->name, "a");
	assert_int_equal(i->line, 1);
	assert_int_equal(i->mode, CFG_MODE_VRRP);
	assert_string_equal(i->interface, "eth0");
	assert_int_equal(i->vrid, 1);
	assert_int_equal(i->version, 3);
	assert_int_equal(i->priority, 100);
	assert_int_equal(i->advert_interval, 1000000);
	assert_true(i->preempt);
	assert_int_equal(i->preempt_delay, 0);
	assert_int_equal(i->start_delay, 0);
	assert_int_equal(i->down_adverts, 3);
	assert_int_equal(i->v3_checksum, CFG_CHECKSUM_AUTO);
	assert_int_equal(i->family, IP_FAMILY_V4);
	assert_int_equal(i->n_addresses, 1);
	assert_int_equal(i->addresses[0].prefix.len, 24);
	assert_string_equal(i->addresses[0].interface, "eth0");
	assert_false(i->addresses[0].own_interface);
	assert_int_equal(i->n_extra, 0);
	assert_int_equal(i->n_tracks, 0);
	assert_false(i->unicast);
	assert_int_equal(i->unicast_ttl_min, 255);
	assert_null(i->auth_pass);
	assert_null(i->auth_pass_file);
	assert_int_equal(i->garp_repeat, 5);
	assert_int_equal(i->garp_delay, 5000000);
	assert_int_equal(i->garp_refresh, 0);
	assert_int_equal(i->garp_interval, 0);
	cfg_free(c);
}

static const char rich[] =
	"node = \"proxy \\\"1\\\" \\\\ \xc3\xa4\";\n"
	"engine: { realtime_priority = 0, lock_memory = false, address_lifetime = \"0s\" };\n"
	"control: { socket = \"/run/x/s.sock\"; group = \"adm\"; listen = \"[::1]:9650\"; events = 50; };\n"
	"checks: {\n"
	"  web: { kind = \"script\"; command = (\"/bin/true\", \"-x \\\"y\\\"\", \"\", \"tab\\there\"); user = "
	"\"nobody\";\n"
	"    interval = \"1500ms\"; timeout = \"0.5s\"; rise = 3; fall = 1; on_timeout = \"hold\"; on_stale = "
	"\"hold\"; };\n"
	"  link-1: { kind = \"interface\"; interface = \"eth1\"; interval = \"250ms\"; },\n"
	"  load: { kind = \"http\"; url = \"http://127.0.0.1/\"; score = \"json load.cpu\"; scale = -80; hysteresis = 0;\n"
	"    decay = \"90s\"; warmup = \"24h\"; },\n"
	"  errors: { kind = \"script\"; command = [\"/bin/true\"]; scale = 253; },\n"
	"};\n"
	"instances: (\n"
	"  { name = \"pg\"; mode = \"vrrp\"; interface = \"eth0\"; vrid = 0x33; version = 3; priority = 150L;\n"
	"    advert_interval = \"100ms\"; preempt = true; preempt_delay = \"1m\"; start_delay = \"250us\"; "
	"down_adverts = 5;\n"
	"    v3_checksum = \"rfc5798\";\n"
	"    addresses = ( \"192.168.34.85/24\", { address = \"192.168.34.86\"; interface = \"eth1\"; }, );\n"
	"    extra_addresses = [ \"2001:db8::1/64\", \"10.0.0.1/8\" ];\n"
	"    track = ( { check = \"web\"; weight = -60; }, { interface = \"eth1\"; }, { check = \"link-1\"; "
	"weight = 253 } );\n"
	"    garp: { repeat = 100; delay = \"0s\"; refresh = \"1s\"; interval = \"500us\"; }; },\n"
	"  { name = \"v6\", interface = \"eth0\", vrid = 51, addresses = [ \"fe80::1/64\", \"2001:db8::2/64\" "
	"],\n"
	"    unicast = { source = \"fe80::a\", peers = ( \"fe80::b\", \"fe80::c\" ) } },\n"
	"  { name = \"old\"; interface = \"eth0\"; vrid = 52; version = 2; advert_interval = \"255s\"; preempt "
	"= false;\n"
	"    addresses = ( \"192.0.2.1/24\" ); auth: { pass = \"p\\\"\\\\\\t4567\"; };\n"
	"    unicast: { peers = [ \"192.0.2.2\" ]; ttl_min = 1; }; },\n"
	"  { name = \"filed\"; interface = \"eth2\"; vrid = 52; version = 2;\n"
	"    addresses = ( \"192.0.2.1/24\" ); auth: { pass_file = \"$D/pass\"; }; }\n"
	");\n";

static void
test_values_of_checks(void **state)
{
	struct cfg *c;
	const struct cfg_check *k;

	cfg_fixture_write(*state, "pass", "from file", 0600);
	cfg_fixture_write(*state, "pass", "filed\n", 0400);
	c = cfg_fixture_good(*state, rich);
	k = c->checks;
	assert_string_equal(c->node, "proxy \"1\" \\ \xc3\xa4");
	assert_int_equal(c->engine.realtime_priority, 0);
	assert_false(c->engine.lock_memory);
	assert_int_equal(c->engine.address_lifetime, 0);
	assert_string_equal(c->control.listen, "[::1]:9650");
	assert_int_equal(c->control.events, 50);
	assert_int_equal(c->n_checks, 4);
	assert_string_equal(k[0].name, "web");
	assert_int_equal(k[0].line, 5);
	assert_int_equal(k[0].kind, CFG_CHECK_SCRIPT);
	assert_int_equal(k[0].interval, 1500000);
	assert_int_equal(k[0].timeout, 500000);
	assert_int_equal(k[0].rise, 3);
	assert_int_equal(k[0].fall, 1);
	assert_int_equal(k[0].on_timeout, CFG_POLICY_HOLD);
	assert_int_equal(k[0].on_stale, CFG_POLICY_HOLD);
	assert_int_equal(k[0].n_command, 4);
	assert_string_equal(k[0].command[1], "-x \"y\"");
	assert_string_equal(k[0].command[2], "");
	assert_string_equal(k[0].command[3], "tab\there");
	assert_string_equal(k[0].user, "nobody");
	assert_string_equal(k[1].name, "link-1");
	assert_int_equal(k[1].kind, CFG_CHECK_INTERFACE);
	assert_string_equal(k[1].interface, "eth1");
	assert_int_equal(k[1].timeout, 250000);
	assert_null(k[1].user);
	cfg_free(c);
}

static void
test_values_of_graded_checks(void **state)
{
	struct cfg *c;
	const struct cfg_check *k;
	char *text;

	cfg_fixture_write(*state, "pass", "filed\n", 0400);
	c = cfg_fixture_good(*state, rich);
	k = c->checks;
	assert_int_equal(k[0].scale, 0);
	assert_null(k[0].score);
	assert_string_equal(k[2].score, "json load.cpu");
	assert_int_equal(k[2].scale, -80);
	assert_int_equal(k[2].hysteresis, 0);
	assert_int_equal(k[2].decay, 90000000);
	assert_int_equal(k[2].warmup, 86400000000);
	assert_null(k[3].score);
	assert_int_equal(k[3].scale, 253);
	assert_int_equal(k[3].hysteresis, 5);
	assert_int_equal(k[3].decay + k[3].warmup, 0);
	text = cfg_fixture_print(c, cfg_print);
	assert_null(strstr(text, "scale = 0;")); /* would not read back */
	assert_non_null(strstr(text, "score = \"json load.cpu\";"));
	free(text);
	cfg_free(c);
}

static void
test_values_of_instances(void **state)
{
	struct cfg *c;
	const struct cfg_instance *i;
	struct ip_addr a;

	cfg_fixture_write(*state, "pass", "filed\n", 0400);
	c = cfg_fixture_good(*state, rich);
	i = c->instances;
	assert_int_equal(c->n_instances, 4);
	assert_int_equal(i[0].vrid, 51);
	assert_int_equal(i[0].priority, 150);
	assert_int_equal(i[0].preempt_delay, 60000000);
	assert_int_equal(i[0].start_delay, 250);
	assert_int_equal(i[0].v3_checksum, CFG_CHECKSUM_RFC5798);
	assert_string_equal(i[0].addresses[0].interface, "eth0");
	assert_int_equal(i[0].addresses[1].prefix.len, 32);
	assert_string_equal(i[0].addresses[1].interface, "eth1");
	assert_true(i[0].addresses[1].own_interface);
	assert_int_equal(i[0].n_extra, 2);
	assert_int_equal(i[0].extra_addresses[0].prefix.addr.family, IP_FAMILY_V6);
	assert_int_equal(i[0].n_tracks, 3);
	assert_false(i[0].tracks[0].is_interface);
	assert_true(i[0].tracks[0].has_weight);
	assert_int_equal(i[0].tracks[0].weight, -60);
	assert_true(i[0].tracks[1].is_interface);
	assert_false(i[0].tracks[1].has_weight);
	assert_string_equal(i[0].tracks[1].name, "eth1");
	assert_int_equal(i[0].garp_refresh, 1000000);
	assert_int_equal(i[1].line, 20);
	assert_int_equal(i[1].family, IP_FAMILY_V6);
	assert_true(i[1].unicast);
	assert_int_equal(i[1].unicast_ttl_min, 64);
	assert_int_equal(ip_addr_parse("fe80::a", &a), 0);
	assert_true(ip_addr_equal(&i[1].unicast_source, &a));
	assert_int_equal(i[1].n_peers, 2);
	assert_string_equal(i[2].auth_pass, "p\"\\\t4567");
	assert_int_equal(i[2].unicast_ttl_min, 1);
	assert_int_equal(i[2].unicast_source.family, IP_FAMILY_NONE);
	assert_false(i[2].preempt);
	assert_string_equal(i[3].auth_pass, "filed");
	cfg_free(c);
}

/* What looks like a mistake, but is none. */
static void
test_values_that_are_allowed(void **state)
{
	static const char *const good[] = {
		/* one VRID: other family, other interface, unicast with other peers */
		"instances = ( { name = \"a\"; interface = \"e\"; vrid = 1; addresses = [\"192.0.2.1\"]; },"
		"{ name = \"b\"; interface = \"e\"; vrid = 1; addresses = [\"fe80::1\"]; },"
		"{ name = \"c\"; interface = \"f\"; vrid = 1; addresses = [\"192.0.2.1\"]; } );",
		"instances = ( { name = \"a\"; interface = \"e\"; vrid = 1; addresses = [\"192.0.2.1\"]; "
		"unicast = { peers = "
		"[\"192.0.2.5\"]; }; }, { name = \"b\"; interface = \"e\"; vrid = 1; addresses = "
		"[\"192.0.2.2\"]; unicast = { "
		"peers = [\"192.0.2.6\"]; }; } );",
		/* one link-local address on two interfaces; loopback addresses on lo */
		ONE("extra_addresses = (\"fe80::5\", { address = \"fe80::5\"; interface = \"eth1\"; });"),
		ONE("extra_addresses = ({ address = \"127.0.0.5/8\"; interface = \"lo\"; }, { address = "
		    "\"::1\"; interface = "
		    "\"lo\"; });"),
		/* the owner may track what makes it unfit; a check and an interface of one name */
		"checks = { e = { kind = \"interface\"; interface = \"e\"; }; };\n" ONE(
			"priority = 255; track = ( { check = \"e\"; }, { interface = \"e\"; } );"),
		ONE("preempt = false; preempt_delay = \"0s\";"),
		ONE("version = 2; auth = { pass = \"12345678\"; };"),
		/* libconfig's freedoms: separators, assignments, comments, strings in pieces, nothing at the
		   end */
		"instances : (/* c */ { name : \"a\" \"b\", interface = \"e\"\n vrid = 1 // x\n addresses : "
		"[\"192.0.2.1\"] } )",
		"# nothing but instances\ninstances = ( { name = \"a\"; interface = \"e\"; vrid = 1; addresses "
		"= "
		"(\"192.0.2.1\" # last\n\n); } );",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		cfg_free(cfg_fixture_good(*state, good[i]));
}

static void
test_values_from_included_files(void **state)
{
	const struct cfg_fixture *x = *state;
	char sub[600];
	struct cfg *c;

	snprintf(sub, sizeof(sub), "%s/parts", x->dir);
	assert_int_equal(mkdir(sub, 0755), 0);
	cfg_fixture_write(x, "parts/one.conf",
			  "{ name = \"one\"; interface = \"e\"; vrid = 1;\n @include \"a.conf\"\n}", 0644);
	cfg_fixture_write(x, "parts/a.conf", "addresses = (\"192.0.2.1\")", 0644);
	cfg_fixture_write(x, "parts/two.conf",
			  "# nobody reads this: @include \"none\"\n{ name = \"t\"\n\"wo\"; interface = "
			  "\"e\"; vrid = 2; "
			  "addresses = [\"192.0.2.2\"]; }",
			  0644);
	c = cfg_fixture_good(
		x,
		"instances = (\n@include \"parts/one.conf\"\n ,\n\t@include \"$D/parts/two.conf\"\n);\nnode = "
		"\"n\";");
	assert_string_equal(c->node, "n");
	assert_int_equal(c->n_instances, 2);
	assert_int_equal(c->instances[0].line, 1);
	assert_string_equal(c->instances[1].name, "two");
	assert_int_equal(c->instances[1].line, 2);
	cfg_free(c);
}

/* ---- printing ----------------------------------------------------------------------------------------------
 */

static void
expect_fixed_point(const struct cfg_fixture *x, const char *text)
{
	struct cfg *first = cfg_fixture_good(x, text), *second;
	char *printed = cfg_fixture_print(first, cfg_print), *again;

	second = cfg_fixture_good(x, printed);
	again = cfg_fixture_print(second, cfg_print);
	assert_string_equal(printed, again);
	cfg_free(first);
	cfg_free(second);
	free(printed);
	free(again);
}

static void
test_print_reads_back(void **state)
{
	char *text = cfg_fixture_many(300, 3, SIZE_MAX);

	cfg_fixture_write(*state, "pass", "filed\n", 0400);
	expect_fixed_point(*state, rich);
	expect_fixed_point(*state, ONE(""));
	expect_fixed_point(*state, text);
	free(text);
}

static void
test_print_of_the_smallest_configuration(void **state)
{
	static const char expected[] = "node = \"n\";\n"
				       "engine: {\n"
				       "\trealtime_priority = 50;\n"
				       "\tlock_memory = true;\n"
				       "\taddress_lifetime = \"3s\";\n"
				       "};\n"
				       "control: {\n"
				       "\tgroup = \"vrrpd\";\n"
				       "\tevents = 1000;\n"
				       "};\n"
				       "notify_timeout = \"30s\";\n"
				       "checks: {\n"
				       "};\n"
				       "stores: {\n"
				       "};\n"
				       "instances: (\n"
				       "\t{\n"
				       "\t\tname = \"a\";\n"
				       "\t\tmode = \"vrrp\";\n"
				       "\t\tinterface = \"eth0\";\n"
				       "\t\tvrid = 1;\n"
				       "\t\tversion = 3;\n"
				       "\t\tpriority = 100;\n"
				       "\t\tadvert_interval = \"1s\";\n"
				       "\t\tpreempt = true;\n"
				       "\t\tpreempt_delay = \"0s\";\n"
				       "\t\tstart_delay = \"0s\";\n"
				       "\t\tdown_adverts = 3;\n"
				       "\t\tv3_checksum = \"auto\";\n"
				       "\t\taddresses = (\n"
				       "\t\t\t\"192.0.2.10/24\"\n"
				       "\t\t);\n"
				       "\t\textra_addresses = ();\n"
				       "\t\treset_connections = true;\n"
				       "\t\ttrack = ();\n"
				       "\t\tnotify_timeout = \"30s\";\n"
				       "\t\tgate_timeout = \"5s\";\n"
				       "\t\tservices: ();\n"
				       "\t\tgarp: {\n"
				       "\t\t\trepeat = 5;\n"
				       "\t\t\tdelay = \"5s\";\n"
				       "\t\t\trefresh = \"0s\";\n"
				       "\t\t\tinterval = \"0s\";\n"
				       "\t\t};\n"
				       "\t}\n"
				       ");\n";
	struct cfg *c = cfg_fixture_good(*state, "node = \"n\"; " ONE(""));
	char *printed = cfg_fixture_print(c, cfg_print);

	assert_string_equal(printed, expected);
	free(printed);
	cfg_free(c);
}

static void
test_print_keeps_secrets(void **state)
{
	struct cfg *c;
	char *open, *masked;

	cfg_fixture_write(*state, "pass", "hidden\n", 0400);
	c = cfg_fixture_good(*state, rich);
	open = cfg_fixture_print(c, cfg_print);
	masked = cfg_fixture_print(c, cfg_print_public);
	assert_non_null(strstr(open, "pass = \"p\\\"\\\\\\x094567\";"));
	assert_non_null(strstr(masked, "pass = \"********\";"));
	assert_null(strstr(masked, "4567"));
	assert_null(strstr(open, "hidden"));
	assert_null(strstr(masked, "hidden"));
	assert_non_null(strstr(masked, "/pass\";"));
	free(open);
	free(masked);
	cfg_free(c);
}

static void
test_print_reports_a_full_disk(void **state)
{
	struct cfg *c = cfg_fixture_good(*state, ONE(""));
	FILE *f = fopen("/dev/full", "w");

	assert_non_null(f);
	assert_int_equal(cfg_print(c, f), -ENOSPC);
	fclose(f);
	cfg_free(c);
}

/* ---- the rest ----------------------------------------------------------------------------------------------
 */

static void
test_listen_parse(void **state)
{
	static const char *const wrong[] = {"",
					    ":",
					    "9650",
					    "127.0.0.1",
					    "127.0.0.1:",
					    "127.0.0.1:0",
					    ":9650",
					    "a:1",
					    "[::1]",
					    "[::1:1",
					    "::1:1",
					    "[127.0.0.1]:1",
					    "[]:1",
					    "127.0.0.1:65536",
					    "127.0.0.1:1x",
					    "127.0.0.1:-1",
					    "127.0.0.1: 1",
					    "[::1]x:1"};
	struct ip_addr a, expected;
	uint16_t port;

	(void)state;
	assert_int_equal(cfg_listen_parse("127.0.0.1:9650", &a, &port), 0);
	assert_int_equal(ip_addr_parse("127.0.0.1", &expected), 0);
	assert_true(ip_addr_equal(&a, &expected));
	assert_int_equal(port, 9650);
	assert_int_equal(cfg_listen_parse("[2001:db8::1]:65535", &a, &port), 0);
	assert_int_equal(ip_addr_parse("2001:db8::1", &expected), 0);
	assert_true(ip_addr_equal(&a, &expected));
	assert_int_equal(port, 65535);
	assert_int_equal(cfg_listen_parse("0.0.0.0:1", &a, &port), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(cfg_listen_parse(wrong[i], &a, &port), -EINVAL);
}

static void
test_word_distance(void **state)
{
	unsigned d;

	(void)state;
	assert_int_equal(cfg_word_distance("", ""), 0);
	assert_int_equal(cfg_word_distance("abc", ""), 3);
	assert_int_equal(cfg_word_distance("haproxy", "haprxy"), 1);
	assert_int_equal(cfg_word_distance("vrid", "vird"), 1);
	assert_int_equal(cfg_word_distance("vrid", "VRID"), 0);
	assert_int_equal(cfg_word_distance("kitten", "sitting"), 3);
	assert_int_equal(cfg_word_distance("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a"), 33);
	assert_true(cfg_word_near("prioritty", "priority", &d));
	assert_int_equal(d, 1);
	assert_false(cfg_word_near("ab", "cd", &d));
	assert_false(cfg_word_near("rise", "fall", &d));
}

static void
test_options_are_well_formed(void **state)
{
	const struct cfg_option *o, *other;

	(void)state;
	for (size_t i = 0; (o = cfg_option_at(i)); i++) {
		assert_true(o->help && strlen(o->help) > 10 && strlen(o->help) < 110);
		assert_true(o->min <= o->max || o->max == 0);
		assert_true(o->type != CFG_TYPE_WORD || o->words);
		assert_true(o->alias == NULL || (o->alias[0] == ' ' && o->alias[strlen(o->alias) - 1] == ' '));
		assert_true(o->example || o->type == CFG_TYPE_BOOL || o->type == CFG_TYPE_INT ||
			    o->type == CFG_TYPE_DURATION || o->type == CFG_TYPE_WORD);
		for (size_t k = 0; k < i && (other = cfg_option_at(k)); k++)
			assert_false(o->scope == other->scope && strcmp(o->path, other->path) == 0);
	}
}

static char *
read_text_file(const char *path)
{
	size_t size = 64 * 1024;
	char *text = calloc(1, size);
	FILE *f = fopen(path, "r");

	assert_non_null(text);
	assert_non_null(f);
	assert_in_range(fread(text, 1, size - 1, f), 1, size - 2);
	fclose(f);
	return text;
}

/* Lines "#option ..." become options; prose is "# text". */
static void
uncomment(char *text)
{
	for (char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		char *p = line + strspn(line, " \t");

		if (p[0] == '#' && p[1] != ' ' && p[1] != '\n')
			p[0] = ' ';
	}
}

/* The shipped file shows every option, and what it shows as default is the default. */
static void
test_conf_default_shows_every_option(void **state)
{
	char *shipped = read_text_file("conf/vrrpd.conf"), *open = strdup(shipped), *plain_text, *open_text,
	     *place;
	struct cfg *plain, *all;
	const struct cfg_option *o;

	for (size_t i = 0; (o = cfg_option_at(i)); i++) {
		const char *name = strrchr(o->path, '.') ? strrchr(o->path, '.') + 1 : o->path;
		char with_equals[64], with_colon[64];

		snprintf(with_equals, sizeof(with_equals), "%s = ", name);
		snprintf(with_colon, sizeof(with_colon), "%s: ", name);
		if (!strstr(shipped, with_equals) && !strstr(shipped, with_colon))
			print_error("conf/vrrpd.conf does not show %s\n", o->path);
		assert_true(strstr(shipped, with_equals) || strstr(shipped, with_colon));
	}
	uncomment(open);
	place = strstr(shipped, "checks: {\n");
	assert_non_null(place);
	assert_true(asprintf(&plain_text,
			     "%.*schecks: { example: { kind = \"script\"; command = [\"/bin/true\"]; };\n%s",
			     (int)(place - shipped), shipped, place + strlen("checks: {\n")) > 0);
	cfg_free(cfg_fixture_good(*state, shipped));
	plain = cfg_fixture_good(*state, plain_text);
	all = cfg_fixture_good(*state, open);
	free(plain_text);
	plain_text = cfg_fixture_print(plain, cfg_print);
	open_text = cfg_fixture_print(all, cfg_print);
	assert_string_equal(plain_text, open_text);
	cfg_free(plain);
	cfg_free(all);
	free(plain_text);
	free(open_text);
	free(shipped);
	free(open);
}

/* The example's check is installed below PREFIX: where it is not, that is the only error. */
static void
test_conf_examples_load(void **state)
{
	static const char *const files[] = {"conf/examples/pair.conf", "conf/examples/unicast.conf",
					    "conf/examples/keepalived-peer.conf", "conf/examples/group.conf",
					    "conf/examples/postgres.conf", "conf/examples/follow.conf",
					    "conf/examples/arbiter.conf"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct cfg_errors errors;
		struct cfg *c = NULL;

		cfg_load(files[i], &c, &errors);
		if (errors.n > 0 &&
		    (errors.n > 1 ||
		     !strstr(errors.v[0], "/libexec/vrrpd/check_haproxy\" cannot be used: No such"))) {
			cfg_fixture_show(files[i], &errors);
			fail();
		}
		cfg_errors_free(&errors);
		cfg_free(c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_duration_parse),
		cmocka_unit_test(test_duration_format),
		cmocka_unit_test(test_duration_format_reads_back),
		cmocka_unit_test(test_values_of_the_smallest_configuration),
		cmocka_unit_test(test_values_of_checks),
		cmocka_unit_test(test_values_of_graded_checks),
		cmocka_unit_test(test_values_of_instances),
		cmocka_unit_test(test_values_that_are_allowed),
		cmocka_unit_test(test_values_from_included_files),
		cmocka_unit_test(test_print_reads_back),
		cmocka_unit_test(test_print_of_the_smallest_configuration),
		cmocka_unit_test(test_print_keeps_secrets),
		cmocka_unit_test(test_print_reports_a_full_disk),
		cmocka_unit_test(test_listen_parse),
		cmocka_unit_test(test_word_distance),
		cmocka_unit_test(test_options_are_well_formed),
		cmocka_unit_test(test_conf_default_shows_every_option),
		cmocka_unit_test(test_conf_examples_load),
	};

	return cmocka_run_group_tests(tests, cfg_fixture_setup, cfg_fixture_teardown);
}
