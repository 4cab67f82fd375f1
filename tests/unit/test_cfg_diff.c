/*
 * test_cfg_diff.c - what differs between two configurations, line by line: every kind of option, lists, groups, secrets,
 * order, length; and that no option of the table is forgotten.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>

#include "base/strbuf.h"
#include "config/cfg_int.h"
#include "support/cfg_fixture.h"

#define I(name, vrid, address, options)                                                                        \
	"{ name = \"" name "\"; interface = \"eth0\"; vrid = " vrid "; addresses = (\"" address "\"); " options " }"
#define A(options)    I("a", "1", "192.0.2.10/24", options)
#define B(options)    I("b", "2", "192.0.2.20/24", options)
#define ONE(options)  "instances = ( " A(options) " );"
#define SOME	      ONE("")
#define CHECK(inner)  "checks = { c = { " inner " }; };" SOME
#define SCRIPT	      "kind = \"script\"; command = [\"/bin/true\"]; "
#define LIST(options) "instances = ( { name = \"a\"; interface = \"eth0\"; vrid = 1; " options " } );"
#define FOLLOW(inner)                                                                                          \
	"instances = ( { name = \"a\"; interface = \"eth0\"; addresses = (\"192.0.2.10/24\"); mode = \"follow\"; "     \
	"leader = { store = \"etcd3\"; endpoints = [\"http://192.0.2.1:2379\"]; key = \"/k\"; value = \"v\"; " inner   \
	" }; } );"
#define LONG 	   "0123456789012345678901234567890123456789012345678901234567890123456789"
#define LONG_LONG  LONG LONG LONG

static void
assert_lines(const struct cfg_diff *d, const char *name, const char *expected)
{
	char *all = NULL;
	size_t size;
	FILE *f = open_memstream(&all, &size);

	assert_non_null(f);
	for (size_t i = 0; i < d->n_lines; i++) {
		assert_true(strlen(d->lines[i]) < LIMIT_LOG_TEXT);
		fprintf(f, "%s%s", i > 0 ? "\n" : "", d->lines[i]);
	}
	fclose(f);
	if (strcmp(all, expected) != 0)
		fail_msg("%s: expected\n%s\ninstead of\n%s", name, expected, all);
	free(all);
}

/* Differences of two texts; each is also compared with itself. */
static struct cfg_diff
diff_of(const struct cfg_fixture *x, const char *old, const char *now)
{
	struct cfg *a = cfg_fixture_good(x, old), *b = cfg_fixture_good(x, now);
	struct cfg_diff d;

	cfg_diff(a, a, &d);
	assert_lines(&d, "the same", "");
	assert_int_equal(d.n_changes, 0);
	cfg_diff_free(&d);
	cfg_diff(a, b, &d);
	cfg_free(a);
	cfg_free(b);
	return d;
}

struct row {
	const char *name, *old, *now, *lines;
};

static const struct row rows[] = {
	{"nothing", ONE(""), ONE(""), ""},
	{"a default is written", ONE(""), ONE("priority = 100; preempt = true; garp = { repeat = 5; };"), ""},
	{"a number", ONE("priority = 150;"), ONE(""), "instances.a.priority: 150 -> 100"},
	{"a bool", ONE(""), ONE("preempt = false;"), "instances.a.preempt: true -> false"},
	{"a duration", ONE(""), ONE("advert_interval = \"100ms\";"), "instances.a.advert_interval: \"1s\" -> \"100ms\""},
	{"a word", ONE(""), ONE("v3_checksum = \"rfc5798\";"), "instances.a.v3_checksum: \"auto\" -> \"rfc5798\""},
	{"a text", "node = \"n\";" SOME, "node = \"m\";" SOME, "node: \"n\" -> \"m\""},
	{"octets of a string", "node = \"n\";" SOME, "node = \"a\\\"\\\\b\";" SOME, "node: \"n\" -> \"a\\\"\\\\b\""},
	{"a string that comes", CHECK(SCRIPT), CHECK(SCRIPT "user = \"root\";"), "checks.c.user: none -> \"root\""},
	{"a string that goes", CHECK(SCRIPT "user = \"root\";"), CHECK(SCRIPT), "checks.c.user: \"root\" -> none"},
	{"a group in a group", ONE(""), ONE("garp = { repeat = 2; delay = \"0s\"; };"),
	 "instances.a.garp.repeat: 5 -> 2\ninstances.a.garp.delay: \"5s\" -> \"0s\""},
	{"a default that follows another option", CHECK(SCRIPT), CHECK(SCRIPT "interval = \"3s\";"),
	 "checks.c.interval: \"1s\" -> \"3s\"\nchecks.c.timeout: \"1s\" -> \"3s\""},
	{"what is shown only when it is not its default", CHECK(SCRIPT), CHECK(SCRIPT "scale = -80; hysteresis = 7;"),
	 "checks.c.scale: 0 -> -80\nchecks.c.hysteresis: 5 -> 7"},

	/* commands: as a whole */
	{"a command", CHECK(SCRIPT), CHECK("kind = \"script\"; command = [\"/bin/true\", \"-v\"];"),
	 "checks.c.command: [\"/bin/true\"] -> [\"/bin/true\", \"-v\"]"},
	{"a command that comes", ONE(""), ONE("notify = \"/bin/true\";"),
	 "instances.a.notify: none -> [\"/bin/true\"]"},
	{"words change places", CHECK("kind = \"script\"; command = [\"/bin/true\", \"a\", \"b\"];"),
	 CHECK("kind = \"script\"; command = [\"/bin/true\", \"b\", \"a\"];"),
	 "checks.c.command: [\"/bin/true\", \"a\", \"b\"] -> [\"/bin/true\", \"b\", \"a\"]"},

	/* lists */
	{"addresses", LIST("addresses = (\"192.0.2.1/24\", \"192.0.2.2/24\");"),
	 LIST("addresses = (\"192.0.2.1/24\", { address = \"192.0.2.3/24\"; interface = \"eth1\"; });"),
	 "instances.a.addresses: - 192.0.2.2/24\ninstances.a.addresses: + 192.0.2.3/24 on eth1"},
	{"an address goes elsewhere", LIST("addresses = (\"192.0.2.1/24\");"),
	 LIST("addresses = ({ address = \"192.0.2.1/24\"; interface = \"eth1\"; });"),
	 "instances.a.addresses: - 192.0.2.1/24\ninstances.a.addresses: + 192.0.2.1/24 on eth1"},
	{"an address of another length", LIST("addresses = (\"192.0.2.1/24\");"), LIST("addresses = (\"192.0.2.1/32\");"),
	 "instances.a.addresses: - 192.0.2.1/24\ninstances.a.addresses: + 192.0.2.1/32"},
	{"addresses change places", LIST("addresses = (\"192.0.2.1\", \"192.0.2.2\", \"192.0.2.3\");"),
	 LIST("addresses = (\"192.0.2.2\", \"192.0.2.1\", \"192.0.2.3\");"), "instances.a.addresses: order changed"},
	{"one goes and the rest moves up", LIST("addresses = (\"192.0.2.1\", \"192.0.2.2\", \"192.0.2.3\");"),
	 LIST("addresses = (\"192.0.2.2\", \"192.0.2.3\");"), "instances.a.addresses: - 192.0.2.1/32"},
	{"extra addresses", ONE(""), ONE("extra_addresses = (\"2001:db8::1/64\");"),
	 "instances.a.extra_addresses: + 2001:db8::1/64"},
	{"strings", CHECK("kind = \"haproxy\"; socket = \"/s\"; backends = [\"a\", \"b\"];"),
	 CHECK("kind = \"haproxy\"; socket = \"/s\"; backends = [\"b\", \"c\"];"),
	 "checks.c.backends: - \"a\"\nchecks.c.backends: + \"c\""},
	{"the same string twice", CHECK("kind = \"haproxy\"; socket = \"/s\"; backends = [\"a\"];"),
	 CHECK("kind = \"haproxy\"; socket = \"/s\"; backends = [\"a\", \"a\"];"), "checks.c.backends: + \"a\""},
	{"peers", ONE("unicast = { peers = [\"192.0.2.1\"]; };"),
	 ONE("unicast = { source = \"192.0.2.9\"; peers = [\"192.0.2.1\", \"192.0.2.2\"]; };"),
	 "instances.a.unicast.source: none -> 192.0.2.9\ninstances.a.unicast.peers: + 192.0.2.2"},
	{"tracks", "checks = { c = { " SCRIPT " }; d = { " SCRIPT " }; };" ONE("track = ({ check = \"c\"; weight = -60; }, "
									     "{ check = \"d\"; }, { interface = \"e1\"; });"),
	 "checks = { c = { " SCRIPT " }; d = { " SCRIPT " }; };" ONE(
		 "track = ({ check = \"c\"; weight = -40; }, { interface = \"e1\"; weight = 5; inverted = true; }, "
		 "{ interface = \"e2\"; weight = 1; });"),
	 "instances.a.track: - { check = \"d\"; }\n"
	 "instances.a.track.c.weight: -60 -> -40\n"
	 "instances.a.track.e1.inverted: false -> true\n"
	 "instances.a.track.e1.weight: none -> 5\n"
	 "instances.a.track: + { interface = \"e2\"; weight = 1; }"},
	{"services", ONE("services = (\"x.service\", \"y.service\", \"z.service\");"),
	 ONE("services = (\"y.service\", { unit = \"x.service\"; timeout = \"5s\"; }, \"w.service\");"),
	 "instances.a.services.z: removed\n"
	 "instances.a.services.x.timeout: \"30s\" -> \"5s\"\n"
	 "instances.a.services.w: added\n"
	 "instances.a.services: order changed"},

	/* by name */
	{"an instance comes", ONE(""), "instances = ( " B("") ", " A("") " );", "instances.b: added"},
	{"an instance goes", "instances = ( " B("") ", " A("") " );", ONE(""), "instances.b: removed"},
	{"an instance gets another name", ONE(""), "instances = ( " B("") " );",
	 "instances.a: removed\ninstances.b: added"},
	{"instances change places", "instances = ( " A("") ", " B("") " );", "instances = ( " B("") ", " A("") " );", ""},
	{"instances change places and one changes", "instances = ( " A("") ", " B("") " );",
	 "instances = ( " B("priority = 7;") ", " A("") " );", "instances.b.priority: 100 -> 7"},
	{"checks change places", "checks = { c = { " SCRIPT " }; d = { " SCRIPT " }; };" SOME,
	 "checks = { d = { " SCRIPT " }; c = { " SCRIPT " rise = 9; }; };" SOME, "checks.c.rise: 2 -> 9"},
	{"a check comes, another goes", CHECK(SCRIPT), "checks = { d = { " SCRIPT " }; };" SOME,
	 "checks.c: removed\nchecks.d: added"},
	{"a store", "stores = { s = { endpoints = [\"http://192.0.2.1:1\"]; }; };" SOME,
	 "stores = { s = { endpoints = [\"http://192.0.2.1:1\", \"http://192.0.2.2:1\"]; }; t = { kind = \"etcd2\"; endpoints = "
	 "[\"http://192.0.2.1:1\"]; }; };" SOME,
	 "stores.s.endpoints: + \"http://192.0.2.2:1\"\nstores.t: added"},

	/* groups that come and go, and what comes with a mode or a kind */
	{"a group comes", ONE(""), ONE("unicast = { peers = [\"192.0.2.1\"]; ttl_min = 9; };"),
	 "instances.a.unicast: added"},
	{"a group goes", CHECK("kind = \"tcp\"; address = \"127.0.0.1:1\";"), SOME, "checks.c: removed"},
	{"a group in a check", CHECK("kind = \"redis\"; address = \"127.0.0.1:1\";"),
	 CHECK("kind = \"redis\"; address = \"127.0.0.1:1\"; tls = { verify = false; };"), "checks.c.tls: added"},
	{"another mode", ONE("priority = 7; preempt_delay = \"2s\";"), FOLLOW(""),
	 "instances.a.mode: \"vrrp\" -> \"follow\"\n"
	 "instances.a.vrid: 1 -> none\n"
	 "instances.a.priority: 7 -> 100\n"
	 "instances.a.preempt_delay: \"2s\" -> none\n"
	 "instances.a.leader: added"},
	{"another kind", CHECK("kind = \"tcp\"; address = \"127.0.0.1:1\";"),
	 CHECK("kind = \"http\"; url = \"http://127.0.0.1:1/\"; status = \"204\";"),
	 "checks.c.kind: \"tcp\" -> \"http\"\n"
	 "checks.c.url: none -> \"http://127.0.0.1:1/\"\n"
	 "checks.c.address: \"127.0.0.1:1\" -> none\n"
	 "checks.c.status: none -> \"204\""},
	{"inside a group", FOLLOW(""), FOLLOW("username = \"u\"; tls = { ca = \"/ca\"; };"),
	 "instances.a.leader.username: none -> \"u\"\ninstances.a.leader.tls: added"},

	/* secrets */
	{"a password", ONE("version = 2; auth = { pass = \"old\"; };"), ONE("version = 2; auth = { pass = \"new\"; };"),
	 "instances.a.auth.pass: changed"},
	{"a password comes", ONE("version = 2;"), ONE("version = 2; auth = { pass = \"new\"; };"),
	 "instances.a.auth.pass: added"},
	{"a password goes with its version", ONE("version = 2; auth = { pass = \"old\"; };"), ONE(""),
	 "instances.a.version: 2 -> 3\ninstances.a.auth.pass: removed"},
	{"a password goes into a file", ONE("version = 2; auth = { pass = \"filed\"; };"),
	 ONE("version = 2; auth = { pass_file = \"$D/pass\"; };"),
	 "instances.a.auth.pass: removed\ninstances.a.auth.pass_file: none -> \"$D/pass\""},
	{"a password of a check", CHECK("kind = \"redis\"; address = \"127.0.0.1:1\"; password = \"old\";"),
	 CHECK("kind = \"redis\"; address = \"127.0.0.1:1\"; password = \"new\";"), "checks.c.password: changed"},
	{"a password of a leader", FOLLOW("username = \"u\"; password = \"old\";"),
	 FOLLOW("username = \"u\"; password = \"new\";"), "instances.a.leader.password: changed"},

	/* long values: cut, and where they part is seen */
	{"long", CHECK("kind = \"tcp\"; address = \"127.0.0.1:1\"; send = \"" LONG_LONG "\";"),
	 CHECK("kind = \"tcp\"; address = \"127.0.0.1:1\"; send = \"" LONG_LONG "x\";"),
	 "checks.c.send: ...01234567890123456789\" -> ...01234567890123456789x\""},
	{"short to long", CHECK("kind = \"tcp\"; address = \"127.0.0.1:1\"; send = \"0\";"),
	 CHECK("kind = \"tcp\"; address = \"127.0.0.1:1\"; send = \"" LONG_LONG "\";"),
	 "checks.c.send: \"0\" -> \"" LONG LONG "012345678..."},
};

static void
test_diff_lines(void **state)
{
	const struct cfg_fixture *x = *state;

	cfg_fixture_write(x, "pass", "filed\n", 0600);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cfg_diff d = diff_of(x, rows[i].old, rows[i].now);
		char *expected = cfg_fixture_expand(x, rows[i].lines);

		assert_lines(&d, rows[i].name, expected);
		assert_int_equal(d.n_changes, d.n_lines);
		free(expected);
		cfg_diff_free(&d);
	}
}

/* The file keeps its name, what is in it changes: said, not shown. */
static void
test_diff_secret_files(void **state)
{
	static const char text[] =
		"checks = { c = { kind = \"redis\"; address = \"127.0.0.1:1\"; password_file = \"$D/f\"; "
		"tls = { cert = \"/c\"; key = \"$D/f\"; }; }; };"
		"stores = { s = { endpoints = [\"http://192.0.2.1:1\"]; username = \"u\"; password_file = \"$D/f\"; "
		"tls = { cert = \"/c\"; key = \"$D/f\"; }; }; };" ONE("version = 2; auth = { pass_file = \"$D/f\"; };");
	const struct cfg_fixture *x = *state;
	struct cfg *a, *b;
	struct cfg_diff d;

	cfg_fixture_write(x, "f", "hidden1\n", 0600);
	a = cfg_fixture_good(x, text);
	cfg_fixture_write(x, "f", "hidden2\n", 0600);
	b = cfg_fixture_good(x, text);
	cfg_diff(a, b, &d);
	assert_lines(&d, "secret files",
		     "checks.c.password_file: the file's content changed\n"
		     "checks.c.tls.key: the file's content changed\n"
		     "stores.s.password_file: the file's content changed\n"
		     "stores.s.tls.key: the file's content changed\n"
		     "instances.a.auth.pass_file: the file's content changed");
	assert_int_equal(d.n_changed, 1);
	cfg_diff_free(&d);
	cfg_free(a);
	cfg_free(b);
}

static void
test_diff_counts_instances(void **state)
{
	struct cfg_diff d = diff_of(*state, "instances = ( " A("") ", " B("") " );",
				    "checks = { c = { " SCRIPT " }; };"
				    "instances = ( " I("d", "4", "192.0.2.40", "") ", " I("e", "5", "192.0.2.50", "") ", "
				    A("priority = 1; preempt = false;") " );");

	assert_int_equal(d.n_changed, 1);
	assert_int_equal(d.n_added, 2);
	assert_int_equal(d.n_removed, 1);
	assert_int_equal(d.n_changes, 6);
	cfg_diff_free(&d);
	d = diff_of(*state, CHECK(SCRIPT), SOME);
	assert_int_equal(d.n_changed + d.n_added + d.n_removed, 0);
	assert_int_equal(d.n_changes, 1);
	cfg_diff_free(&d);
}

static void
test_diff_names_what_needs_a_restart(void **state)
{
	static const char *const options[] = {"engine.realtime_priority", "engine.lock_memory", "control.socket",
					      "control.group", "control.listen"};
	struct cfg_diff d = diff_of(*state, SOME,
				    "engine = { realtime_priority = 1; lock_memory = false; address_lifetime = \"9s\"; };"
				    "control = { socket = \"/s\"; group = \"root\"; listen = \"127.0.0.1:1\"; };" SOME);

	assert_int_equal(d.n_restarts, ARRAY_SIZE(options));
	for (size_t i = 0; i < d.n_restarts; i++)
		assert_string_equal(d.restarts[i], options[i]);
	assert_lines(&d, "what needs a restart",
		     "engine.realtime_priority: 50 -> 1\nengine.lock_memory: true -> false\n"
		     "engine.address_lifetime: \"3s\" -> \"9s\"\ncontrol.socket: none -> \"/s\"\n"
		     "control.group: \"vrrpd\" -> \"root\"\ncontrol.listen: none -> \"127.0.0.1:1\"");
	cfg_diff_free(&d);
}

static void
test_diff_is_bounded(void **state)
{
	char *many = cfg_fixture_many(2000, 4, 8000);
	struct cfg_diff d = diff_of(*state, ONE(""), many);
	const char *last = d.lines[d.n_lines - 1];

	assert_int_equal(d.n_changes, 2001);
	assert_int_equal(d.n_added, 2000);
	assert_int_equal(d.n_lines, CFG_DIFF_LINES + 1);
	assert_string_equal(d.lines[0], "instances.a: removed");
	assert_string_equal(last, "and 1901 more changes");
	cfg_diff_free(&d);
	free(many);
	many = cfg_fixture_many(1, CFG_DIFF_LINES + 1, CFG_DIFF_LINES + 1);
	d = diff_of(*state, "instances = ( { name = \"i0\"; interface = \"e0\"; vrid = 1; addresses = [\"10.0.0.1\"]; } );", many);
	assert_string_equal(d.lines[d.n_lines - 1], "and 1 more change");
	assert_int_equal(d.n_changed, 1);
	cfg_diff_free(&d);
	free(many);
}

/* ---- the whole table -------------------------------------------------------------------------------------- */

/* Make an object have the option: its kind, mode or version, and every group. */
static void
make_apply(const struct cfg_option *o, void *obj)
{
	const struct cfg_option *f;

	for (size_t i = 0; (f = cfg_option_at(i)); i++)
		if (f->scope == o->scope && f->flag != 0 && f->type == CFG_TYPE_GROUP)
			*(bool *)cfg_field(obj, f->flag - 1) = true;
	if (o->scope == CFG_SCOPE_CHECK) {
		struct cfg_check *k = obj;

		k->kind = CFG_CHECK_TCP;
		for (unsigned n = 0; o->kinds != 0 && n < CFG_CHECK_KIND_COUNT; n++)
			if (o->kinds & 1u << n)
				k->kind = (enum cfg_check_kind)n;
		k->scale = 10;
	} else if (o->scope == CFG_SCOPE_INSTANCE) {
		struct cfg_instance *i = obj;

		i->version = o->only == CFG_ONLY_V2 ? 2 : 3;
		i->mode = o->only == CFG_ONLY_FOLLOW || o->only == CFG_ONLY_STORE ? CFG_MODE_FOLLOW
			  : o->only == CFG_ONLY_LEASE				  ? CFG_MODE_LEASE
										  : CFG_MODE_VRRP;
	}
}

/* Give the option another value; false for lists of groups and groups, which have tests of their own. */
static bool
mutate(const struct cfg_option *o, void *obj)
{
	void *field = cfg_field(obj, o->offset);

	switch (o->type) {
	case CFG_TYPE_BOOL:
		*(bool *)field ^= true;
		return true;
	case CFG_TYPE_INT:
		++*(int *)field;
		break;
	case CFG_TYPE_DURATION:
		*(usec_t *)field += 1000000;
		return true;
	case CFG_TYPE_WORD:
		*(int *)field = *(int *)field == 0;
		return true;
	case CFG_TYPE_TEXT:
		str_copy(field, o->size, "other");
		break;
	case CFG_TYPE_STRING:
		free(*(char **)field);
		*(char **)field = cfg_strdup("other");
		return true;
	case CFG_TYPE_IP:
		assert_int_equal(ip_addr_parse("192.0.2.99", field), 0);
		return true;
	case CFG_TYPE_STRINGS:
		*(char ***)field = cfg_zalloc(1, sizeof(char *));
		**(char ***)field = cfg_strdup("other");
		*(size_t *)cfg_field(obj, o->count) = 1;
		return true;
	case CFG_TYPE_IPS:
		*(struct ip_addr **)field = cfg_zalloc(1, sizeof(struct ip_addr));
		assert_int_equal(ip_addr_parse("192.0.2.99", *(struct ip_addr **)field), 0);
		*(size_t *)cfg_field(obj, o->count) = 1;
		return true;
	case CFG_TYPE_PREFIX:
	case CFG_TYPE_GROUP:
	case CFG_TYPE_NAMED:
	case CFG_TYPE_LIST:
	case CFG_TYPE_COUNT:
		return false;
	}
	if (o->flag != 0)
		*(bool *)cfg_field(obj, o->flag - 1) = true;
	return true;
}

/* Where an object of a scope is in a configuration that has one of each; and the beginning of its paths. */
static void *
object_of(struct cfg *c, enum cfg_scope scope, const char **ret_where)
{
	static const char *const where[CFG_SCOPE_COUNT] = {
		[CFG_SCOPE_ROOT] = "",
		[CFG_SCOPE_CHECK] = "checks.x.",
		[CFG_SCOPE_INSTANCE] = "instances.x.",
		[CFG_SCOPE_TRACK] = "instances.x.track.x.",
		[CFG_SCOPE_SERVICE] = "instances.x.services.x.",
		[CFG_SCOPE_STORE] = "stores.x.",
	};
	struct cfg_instance *i = c->instances;
	void *const objects[CFG_SCOPE_COUNT] = {
		[CFG_SCOPE_ROOT] = c,	       [CFG_SCOPE_CHECK] = c->checks,	  [CFG_SCOPE_INSTANCE] = i,
		[CFG_SCOPE_TRACK] = i->tracks, [CFG_SCOPE_SERVICE] = i->services, [CFG_SCOPE_STORE] = c->stores,
	};

	*ret_where = where[scope];
	return objects[scope];
}

static struct cfg *
one_of_each(void)
{
	struct cfg *c = cfg_zalloc(1, sizeof(*c));
	struct cfg_instance *i = cfg_zalloc(1, sizeof(*i));

	cfg_option_defaults(CFG_SCOPE_ROOT, c);
	*c = (struct cfg){.engine = c->engine, .control = c->control, .hooks = c->hooks};
	c->n_checks = c->n_stores = c->n_instances = i->n_tracks = i->n_services = 1;
	c->checks = cfg_zalloc(1, sizeof(*c->checks));
	c->stores = cfg_zalloc(1, sizeof(*c->stores));
	c->instances = i;
	i->tracks = cfg_zalloc(1, sizeof(*i->tracks));
	i->services = cfg_zalloc(1, sizeof(*i->services));
	cfg_option_defaults(CFG_SCOPE_CHECK, c->checks);
	cfg_option_defaults(CFG_SCOPE_STORE, c->stores);
	cfg_option_defaults(CFG_SCOPE_INSTANCE, i);
	cfg_option_defaults(CFG_SCOPE_TRACK, i->tracks);
	cfg_option_defaults(CFG_SCOPE_SERVICE, i->services);
	str_copy(c->checks->name, sizeof(c->checks->name), "x");
	str_copy(c->stores->name, sizeof(c->stores->name), "x");
	str_copy(i->name, sizeof(i->name), "x");
	str_copy(i->tracks->name, sizeof(i->tracks->name), "x");
	str_copy(i->services->name, sizeof(i->services->name), "x");
	return c;
}

/* Each option that has a value of its own: changed alone, it is told under its path, and nothing else is. */
static void
test_diff_knows_every_option(void **state)
{
	const struct cfg_option *o;
	size_t tried = 0;

	(void)state;
	for (size_t i = 0; (o = cfg_option_at(i)); i++) {
		struct cfg *a = one_of_each(), *b = one_of_each();
		const char *where;
		void *old = object_of(a, o->scope, &where), *now = object_of(b, o->scope, &where);
		bool name = strcmp(o->path, "name") == 0 || (o->scope == CFG_SCOPE_TRACK && o->type == CFG_TYPE_TEXT);
		struct cfg_diff d;
		char path[200];

		if (o->scope != CFG_SCOPE_ADDRESS && !name) {
			make_apply(o, old);
			make_apply(o, now);
		}
		if (o->scope != CFG_SCOPE_ADDRESS && !name && mutate(o, now)) {
			cfg_diff(a, b, &d);
			snprintf(path, sizeof(path), "%s%s: ", where, o->path);
			if (d.n_changes == 0)
				fail_msg("%s is not told", path);
			if (strncmp(d.lines[0], path, strlen(path)) != 0)
				fail_msg("%s is told as %s", path, d.lines[0]);
			if (o->secret && strstr(d.lines[0], "other") != NULL)
				fail_msg("%s is shown", path);
			cfg_diff_free(&d);
			tried++;
		}
		cfg_free(a);
		cfg_free(b);
	}
	assert_true(tried > 150);
}

/* Two configurations differ exactly when what --print prints of them does. */
static void
test_diff_agrees_with_print(void **state)
{
	struct cfg *all[32];
	char *texts[32], path[300];
	size_t n = 0;
	DIR *dir = opendir("conf/examples");
	struct cfg_errors errors;

	(void)state;
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL && n < ARRAY_SIZE(all);) {
		snprintf(path, sizeof(path), "conf/examples/%.200s", e->d_name);
		if (e->d_name[0] != '.' && cfg_load(path, &all[n], &errors) == 0) {
			texts[n] = cfg_fixture_print(all[n], cfg_print);
			n++;
		} else if (e->d_name[0] != '.') {
			cfg_errors_free(&errors); /* names a program or a file that this host does not have */
		}
	}
	closedir(dir);
	assert_true(n >= 3);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n; k++) {
			struct cfg_diff d;

			cfg_diff(all[i], all[k], &d);
			assert_int_equal(d.n_changes == 0, strcmp(texts[i], texts[k]) == 0);
			cfg_diff_free(&d);
		}
	}
	while (n-- > 0) {
		cfg_free(all[n]);
		free(texts[n]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_diff_lines),
		cmocka_unit_test(test_diff_secret_files),
		cmocka_unit_test(test_diff_counts_instances),
		cmocka_unit_test(test_diff_names_what_needs_a_restart),
		cmocka_unit_test(test_diff_is_bounded),
		cmocka_unit_test(test_diff_knows_every_option),
		cmocka_unit_test(test_diff_agrees_with_print),
	};

	return cmocka_run_group_tests_name("cfg_diff", tests, cfg_fixture_setup, cfg_fixture_teardown);
}
