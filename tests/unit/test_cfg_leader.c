/*
 * test_cfg_leader.c - modes follow and lease in the configuration: values, shared stores, errors, printing, as text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "config/cfg.h"
#include "support/cfg_fixture.h"

#define BARE(options)                                                                                          \
	"instances = ( { name = \"a\"; interface = \"eth0\"; addresses = (\"192.0.2.10/24\", \"fe80::1/64\"); " options " } );"
#define URL	      "endpoints = [\"http://192.0.2.1:2379\"]; "
#define FOLLOW(inner) BARE("mode = \"follow\"; leader = { " inner " };")
#define LEASE(inner)  BARE("mode = \"lease\"; lease = { " inner " };")
#define GOOD	      "store = \"etcd3\"; key = \"/k\"; " URL

#define CONSUL	      "store = \"consul\"; key = \"/k\"; " URL

static const char rich[] =
	"node = \"n1\";\n"
	"stores = { dcs = { endpoints = [\"https://192.0.2.1:2379\", \"https://192.0.2.2:2379\"]; username = \"u\";\n"
	"  password_file = \"$D/pass\"; tls = { ca = \"/ca.pem\"; verify = false; }; }; };\n"
	"instances = (\n"
	"{ name = \"a\"; mode = \"follow\"; interface = \"eth0\"; addresses = (\"192.0.2.10/24\");\n"
	"  leader = { store = \"dcs\"; key = \"/service/pg/leader\"; value = \"pg1\"; }; on_store_loss = \"release\"; },\n"
	"{ name = \"b\"; mode = \"lease\"; interface = \"lo\"; addresses = (\"192.0.2.11/32\");\n"
	"  lease = { store = \"etcd3\"; endpoints = [\"http://192.0.2.3:2379\"]; key = \"/b\"; ttl = \"7s\"; password = \"p\";\n"
	"    username = \"v\"; }; } );";

static struct cfg *
load_rich(void **state)
{
	cfg_fixture_write(*state, "pass", "hidden\n", 0600);
	return cfg_fixture_good(*state, rich);
}

static void
test_leader_values(void **state)
{
	struct cfg *c = load_rich(state);
	const struct cfg_instance *a = &c->instances[0], *b = &c->instances[1];

	assert_int_equal(a->mode, CFG_MODE_FOLLOW);
	assert_ptr_equal(cfg_leader_of(a), &a->leader);
	assert_ptr_equal(a->leader.shared, &c->stores[0]);
	assert_string_equal(a->leader.value, "pg1");
	assert_int_equal(a->on_store_loss, CFG_STORE_LOSS_RELEASE);
	assert_string_equal(c->stores[0].access.password, "hidden");
	assert_false(c->stores[0].access.tls_verify);
	assert_ptr_equal(cfg_leader_of(b), &b->lease);
	assert_null(b->lease.shared);
	assert_string_equal(b->lease.value, "n1"); /* the node's name */
	assert_int_equal(b->lease.ttl, 7 * USEC_PER_SEC);
	assert_int_equal(b->on_store_loss, CFG_STORE_LOSS_HOLD_LEASE);
	cfg_free(c);
}

struct seen {
	char text[2048];
};

static int
note(void *arg, const char *path, const char *text)
{
	struct seen *s = arg;

	strcat(s->text, path);
	strcat(s->text, "=");
	strcat(s->text, text);
	strcat(s->text, "\n");
	return 0;
}

static void
test_leader_as_text(void **state)
{
	struct cfg *c = load_rich(state);
	struct seen a = {""}, b = {""};

	assert_int_equal(cfg_leader_options(&c->instances[0].leader, note, &a), 0);
	assert_string_equal(a.text, "endpoints=https://192.0.2.1:2379\nendpoints=https://192.0.2.2:2379\nstore=etcd3\n"
				    "key=/service/pg/leader\nvalue=pg1\nttl=0\nusername=u\npassword=hidden\ntls=1\ntls.ca=/ca.pem\n"
				    "tls.verify=0\n");
	assert_int_equal(cfg_leader_options(&c->instances[1].lease, note, &b), 0);
	assert_string_equal(b.text, "endpoints=http://192.0.2.3:2379\nstore=etcd3\nkey=/b\nvalue=n1\nttl=7000000\nusername=v\n"
				    "password=p\ntls.verify=1\n");
	cfg_free(c);
}

static void
test_leader_kinds(void **state)
{
	struct cfg *c = cfg_fixture_good(
		*state, "stores = { old = { kind = \"etcd2\"; " URL " }; };\n"
			"instances = ( { name = \"a\"; mode = \"follow\"; interface = \"eth0\"; addresses = (\"192.0.2.10/24\");"
			" leader = { store = \"old\"; key = \"/k\"; }; },\n"
			"{ name = \"b\"; mode = \"follow\"; interface = \"lo\"; addresses = (\"192.0.2.11/32\");"
			" leader = { " CONSUL "password = \"token\"; }; } );");
	struct seen b = {""};

	assert_int_equal(c->instances[0].leader.kind, CFG_STORE_ETCD2);
	assert_int_equal(cfg_leader_options(&c->instances[1].leader, note, &b), 0);
	assert_non_null(strstr(b.text, "store=consul\n"));
	assert_non_null(strstr(b.text, "password=token\n"));
	assert_null(strstr(b.text, "username"));
	cfg_free(c);
}

static void
test_leader_print_reads_back(void **state)
{
	struct cfg *first = load_rich(state), *second;
	char *printed = cfg_fixture_print(first, cfg_print), *again, *masked = cfg_fixture_print(first, cfg_print_public);

	second = cfg_fixture_good(*state, printed);
	again = cfg_fixture_print(second, cfg_print);
	assert_string_equal(printed, again);
	assert_null(strstr(printed, "hidden"));
	assert_null(strstr(printed, "vrid"));
	assert_non_null(strstr(masked, "********"));
	cfg_free(first);
	cfg_free(second);
	free(printed);
	free(again);
	free(masked);
}

/* Kinds that need no key: what they have instead, as text. */
static void
test_leader_without_a_key(void **state)
{
	static const char text[] =
		"node = \"n1\";\nstores = { s = { kind = \"sentinel\"; endpoints = [\"192.0.2.1:26379\", \"[fe80::1]:26379\"];\n"
		"  password = \"p\"; }; };\n"
		"instances = (\n"
		"{ name = \"a\"; mode = \"follow\"; interface = \"eth0\"; addresses = (\"192.0.2.10/24\");\n"
		"  leader = { store = \"patroni\"; }; },\n"
		"{ name = \"b\"; mode = \"follow\"; interface = \"lo\"; addresses = (\"192.0.2.11/32\");\n"
		"  leader = { store = \"s\"; master = \"m\"; self = \"redis1:6379\"; }; },\n"
		"{ name = \"c\"; mode = \"follow\"; interface = \"lo\"; addresses = (\"192.0.2.12/32\");\n"
		"  leader = { store = \"etcd3\"; key = \"/k\"; " URL "}; on_store_loss = \"patroni\"; } );";
	struct cfg *c = cfg_fixture_good(*state, text);
	struct seen a = {""}, b = {""}, d = {""};

	assert_int_equal(cfg_leader_options(&c->instances[0].leader, note, &a), 0);
	assert_string_equal(a.text, "store=patroni\nvalue=n1\nttl=0\ntls.verify=1\n");
	assert_int_equal(cfg_leader_options(&c->instances[1].leader, note, &b), 0);
	assert_string_equal(b.text, "endpoints=192.0.2.1:26379\nendpoints=[fe80::1]:26379\nstore=sentinel\nmaster=m\n"
				    "self=redis1:6379\nttl=0\npassword=p\ntls.verify=1\n");
	assert_int_equal(cfg_leader_options(&c->instances[2].leader, note, &d), 0);
	assert_string_equal(d.text, "endpoints=http://192.0.2.1:2379\nstore=etcd3\nkey=/k\nvalue=n1\n"
				    "patroni=http://127.0.0.1:8008\nttl=0\ntls.verify=1\n");
	cfg_free(c);
}

#define EX_LEADER "{ store = \"etcd3\"; endpoints = [\"http://10.0.0.1:2379\"]; key = \"/service/batman/leader\"; }"

static const struct {
	const char *name, *text, *errors;
} rows[] = {
	{"no leader", BARE("mode = \"follow\";"), "1: instances.a.leader: is missing: write a group, e.g. " EX_LEADER},
	{"no key", FOLLOW("store = \"etcd3\"; " URL), "1: instances.a.leader.key: is missing: write a string, e.g. "
						      "\"/service/batman/leader\""},
	{"no store", FOLLOW("key = \"/k\"; " URL), "1: instances.a.leader.store: is missing: write a string, e.g. \"etcd3\""},
	{"an unknown store", FOLLOW("store = \"etcd9\"; key = \"/k\";"),
	 "1: instances.a.leader.store: there is no store \"etcd9\": write \"etcd3\", \"etcd2\", \"consul\", \"patroni\", "
	 "\"sentinel\", or the name of one of stores"},
	{"no endpoints", FOLLOW("store = \"etcd3\"; key = \"/k\";"),
	 "1: instances.a.leader.endpoints: is missing: write a list of strings, e.g. [\"http://10.0.0.1:2379\", "
	 "\"http://10.0.0.2:2379\"]"},
	{"no URL", FOLLOW("store = \"etcd3\"; key = \"/k\"; endpoints = [\"10.0.0.1:2379\"];"),
	 "1: instances.a.leader.endpoints[0]: \"10.0.0.1:2379\" is no URL: write http://, https:// or unix:/ before it"},
	{"a shared store with endpoints",
	 "stores = { dcs = { " URL " }; };\n" FOLLOW("store = \"dcs\"; key = \"/k\"; " URL),
	 "2: instances.a.leader.endpoints: stands beside the shared store \"dcs\": write endpoints there"},
	{"a shared store of a kind's name", "stores = { etcd3 = { " URL " }; };\n" FOLLOW("store = \"etcd3\"; key = \"/k\";"),
	 "1: stores.etcd3: is the name of a kind of store: write another"},
	{"a password without a user", FOLLOW(GOOD "password = \"x\";"),
	 "1: instances.a.leader.password: needs a user: write username, too"},
	{"an open password file", FOLLOW(GOOD "username = \"u\"; password_file = \"$D/open\";"),
	 "1: instances.a.leader.password_file: \"$D/open\" cannot be used: others than its owner may use it: run chmod 600 on "
	 "it"},
	{"a certificate without its key", FOLLOW(GOOD "tls = { cert = \"/c\"; };"),
	 "1: instances.a.leader.tls.cert: needs key, too: write both or none"},
	{"options of VRRP", BARE("mode = \"follow\"; vrid = 5; preempt = false; leader = { " GOOD " };"),
	 "1: instances.a.vrid: belongs to mode \"vrrp\": remove it\n"
	 "1: instances.a.preempt: belongs to mode \"vrrp\": remove it"},
	{"options of another mode",
	 "instances = ( { name = \"a\"; interface = \"eth0\"; vrid = 5; addresses = (\"192.0.2.10/24\"); "
	 "on_store_loss = \"hold\"; leader = { " GOOD " }; } );",
	 "1: instances.a.on_store_loss: belongs to modes \"follow\" and \"lease\": remove it\n"
	 "1: instances.a.leader: belongs to mode \"follow\": remove it, or write mode = \"follow\""},
	{"a user of Consul", FOLLOW(CONSUL "username = \"u\"; password = \"x\";"),
	 "1: instances.a.leader.username: Consul has no users: remove it, and write the token in password_file"},
	{"a user of a shared Consul",
	 "stores = { c = { kind = \"consul\"; username = \"u\"; " URL " }; };\n" FOLLOW("store = \"c\"; key = \"/k\";"),
	 "1: stores.c.username: Consul has no users: remove it, and write the token in password_file"},
	{"an open token file", FOLLOW(CONSUL "password_file = \"$D/open\";"),
	 "1: instances.a.leader.password_file: \"$D/open\" cannot be used: others than its owner may use it: run chmod 600 on "
	 "it"},
	{"a lease in Consul", LEASE(CONSUL),
	 "1: instances.a.lease.store: \"consul\" is of kind \"consul\", where vrrpd holds no leases: write a store of kind "
	 "\"etcd3\""},
	{"a lease in a shared etcd v2",
	 "stores = { old = { kind = \"etcd2\"; " URL " }; };\n" LEASE("store = \"old\"; key = \"/k\";"),
	 "2: instances.a.lease.store: \"old\" is of kind \"etcd2\", where vrrpd holds no leases: write a store of kind "
	 "\"etcd3\""},
	{"an arbiter in Consul",
	 "instances = ( { name = \"a\"; interface = \"eth0\"; vrid = 5; addresses = (\"192.0.2.10/24\"); "
	 "arbiter = { " CONSUL " }; } );",
	 "1: instances.a.arbiter.store: \"consul\" is of kind \"consul\", where vrrpd holds no leases: write a store of kind "
	 "\"etcd3\""},
	{"two Patronis", FOLLOW("store = \"patroni\"; endpoints = [\"http://192.0.2.1:8008\", \"http://192.0.2.2:8008\"];"),
	 "1: instances.a.leader.endpoints: has more than one: write the Patroni of this host, e.g. [\"http://127.0.0.1:8008\"]"},
	{"Patroni with a key", FOLLOW("store = \"patroni\"; key = \"/k\";"),
	 "1: instances.a.leader.key: is nothing that store \"patroni\" has: remove it"},
	{"Sentinels without a master", FOLLOW("store = \"sentinel\"; endpoints = [\"192.0.2.1:26379\"];"),
	 "1: instances.a.leader.master: is missing: write a string, e.g. \"mymaster\""},
	{"no Sentinels", FOLLOW("store = \"sentinel\"; master = \"m\";"),
	 "1: instances.a.leader.endpoints: is missing: write a list of strings, e.g. [\"10.0.0.1:26379\", "
	 "\"10.0.0.2:26379\", \"10.0.0.3:26379\"]"},
	{"a Sentinel as URL", FOLLOW("store = \"sentinel\"; master = \"m\"; " URL),
	 "1: instances.a.leader.endpoints[0]: \"http://192.0.2.1:2379\" is no address: write \"address:port\", \"[IPv6 "
	 "address]:port\" or the path of a socket; names are not looked up"},
	{"self without a port", FOLLOW("store = \"sentinel\"; master = \"m\"; endpoints = [\"192.0.2.1:26379\"]; self = \"r\";"),
	 "1: instances.a.leader.self: \"r\" has no port: write e.g. \"10.0.0.1:6379\""},
	{"etcd with a master", FOLLOW(GOOD "master = \"m\";"),
	 "1: instances.a.leader.master: is nothing that store \"etcd3\" has: remove it"},
	{"a lease of Patroni's", LEASE("store = \"patroni\"; key = \"/k\";"),
	 "1: instances.a.lease.store: \"patroni\" is of kind \"patroni\", where vrrpd holds no leases: write a store of kind "
	 "\"etcd3\""},
	{"Patroni's URL for another policy", FOLLOW(GOOD "patroni = \"http://127.0.0.1:8008\";"),
	 "1: instances.a.leader.patroni: is for on_store_loss = \"patroni\": remove it, or write that, too"},
	{"a lease that Patroni keeps", BARE("mode = \"lease\"; on_store_loss = \"patroni\"; lease = { " GOOD " };"),
	 "1: instances.a.on_store_loss: \"patroni\" is for mode \"follow\": another host may have the lease while Patroni says "
	 "yes"},
	{"Patroni beside Patroni", BARE("mode = \"follow\"; on_store_loss = \"patroni\"; leader = { store = \"patroni\"; };"),
	 "1: instances.a.on_store_loss: \"patroni\" is what store \"patroni\" does anyway: remove it"},
	{"a Patroni that is no URL",
	 BARE("mode = \"follow\"; on_store_loss = \"patroni\"; leader = { " GOOD " patroni = \"localhost\"; };"),
	 "1: instances.a.leader.patroni: \"localhost\" is no URL: write http://, https:// or unix:/ before it"},
	{"a lease shorter than the addresses", LEASE(GOOD "ttl = \"4s\";"),
	 "1: instances.a.lease.ttl: must be at least 2 s longer than engine.address_lifetime (3 s): write \"5s\" or more"},
	{"a lease without lifetimes", "engine = { address_lifetime = \"0s\"; };\n" LEASE(GOOD),
	 "2: instances.a.lease: needs addresses that vanish with a dead host: write engine.address_lifetime = \"3s\""},
	{"a short arbiter",
	 "instances = ( { name = \"a\"; interface = \"eth0\"; vrid = 5; addresses = (\"192.0.2.10/24\"); "
	 "arbiter = { ttl = \"3s\"; " GOOD " }; } );",
	 "1: instances.a.arbiter.ttl: must be at least 2 s longer than engine.address_lifetime (3 s): write \"5s\" or more"},
};

static void
test_leader_errors(void **state)
{
	size_t wrong = 0;

	cfg_fixture_write(*state, "open", "x\n", 0644);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		wrong += !cfg_fixture_bad(*state, rows[i].name, rows[i].text, rows[i].errors);
	assert_int_equal(wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leader_values),
		cmocka_unit_test(test_leader_as_text),
		cmocka_unit_test(test_leader_kinds),
		cmocka_unit_test(test_leader_without_a_key),
		cmocka_unit_test(test_leader_print_reads_back),
		cmocka_unit_test(test_leader_errors),
	};

	return cmocka_run_group_tests_name("cfg_leader", tests, cfg_fixture_setup, cfg_fixture_teardown);
}
