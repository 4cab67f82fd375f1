/*
 * test_cfg_errors.c - every error of a configuration, word by word: forms, names, includes, and each rule
 * across options.
 *
 * A row is one mistake and the lines that it must yield. Every rule of cfg_check.c needs at least one row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/cfg_int.h"
#include "support/cfg_fixture.h"

#define HEAD	      "name = \"a\"; interface = \"eth0\"; "
#define ADDR	      "addresses = (\"192.0.2.10/24\"); "
#define ONE(options)  "instances = ( { " HEAD "vrid = 1; " ADDR options " } );"
#define BARE(options) "instances = ( { " HEAD "vrid = 1; " options " } );"
#define V6(options)   BARE("addresses = (\"fe80::10/64\"); " options)
#define NAMED(name, interface)                                                                                 \
	"instances = ( { name = \"" name "\"; interface = \"" interface "\"; vrid = 1; " ADDR "} );"
#define TWO(first, second) "instances = (\n{ " first " },\n{ " second " } );"
#define CHECKS(list)	   "checks = { " list " };\n" ONE("")
#define CHECK(options)	   CHECKS("c = { " options " };")
#define SCRIPT(options)	   CHECK("kind = \"script\"; command = [\"/bin/true\"]; " options)
#define COMMAND(word)	   CHECK("kind = \"script\"; command = [" word "];")
#define HTTP(options)	   CHECK("kind = \"http\"; " options)
#define PATRONI(options)   CHECK("kind = \"patroni\"; url = \"http://192.0.2.1:8008\"; " options)
#define TRACK(entries)                                                                                         \
	"checks = { web = { kind = \"script\"; command = [\"/bin/true\"]; }; pg = { kind = \"interface\"; "    \
	"interface = \"eth1\"; }; };\n" ONE("track = ( " entries " );")
#define UNICAST(options) ONE("unicast = { " options " };")
#define AUTH(options)	 ONE("version = 2; auth = { " options " };")
#define LONG32		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

#define EX_INSTANCES "( { name = \"pg\"; interface = \"eth0\"; vrid = 51; addresses = (\"192.0.2.10/24\"); } )"
#define EX_CHECKS    "{ haproxy: { kind = \"script\"; command = [\"/bin/true\"]; }; }"
#define EX_COMMAND   "[\"/usr/local/bin/check\", \"-q\"]"
#define EX_PEERS     "[\"192.0.2.2\", \"192.0.2.3\"]"
#define EX_TRACK     "( { check = \"haproxy\"; weight = -60; } )"
#define AN_ADDRESS   "write an address with the length of its network, e.g. \"192.0.2.10/24\""
#define A_LIFETIME   "write \"0s\" or a duration from \"2s\" to \"1h\" in steps of \"1s\""
#define A_KIND                                                                                                 \
	"write one of \"script\", \"interface\", \"haproxy\", \"patroni\", \"redis\", \"sentinel\", "          \
	"\"postgres\", "                                                                                       \
	"\"http\", \"tcp\", \"process\", \"unit\", \"file\", \"route\", \"ping\""
#define ROOT_OPTIONS                                                                                           \
	"node, engine, control, notify, notify_active, notify_backup, notify_fault, notify_stop, "             \
	"notify_user, notify_timeout, checks, stores or instances"
#define ADVERT_RANGE "a duration from \"10ms\" to \"255s\""
#define NAME_FORM    "holds other characters than letters, digits, _ . and -: write "
#define INCLUDE_HELP                                                                                           \
	"write the name of a readable file (without a leading / it counts from the folder of this file)"
#define SYNTAX_HELP                                                                                            \
	"look on this line and the one before it for a missing or doubled ; a missing quote or bracket, or a word "    \
	"that needs quotes"
#define PASS_HELP   "write the path of a file that holds the secret"

#define URL	    "url = \"http://192.0.2.1/\"; "
#define SCORE_HELP  "names nothing in an answer: write e.g. \"header X-Load\" or \"json load.cpu\""
#define SCALE_HELP  ": write the change of the priority at score 100, e.g. -50, or remove "

struct row {
	const char *rule; /* the rule of cfg_check.c that must find it, or NULL: found while reading */
	const char *name;
	const char *text;
	const char *errors;
};

static const struct row type_rows[] = {
	{NULL, "boolean as a number", "engine = { lock_memory = 1; };\n" ONE(""),
	 "1: engine.lock_memory: is a number: write true or false"},
	{NULL, "boolean as a string", ONE("preempt = \"yes\";"),
	 "1: instances.a.preempt: is a string: write true or false"},
	{NULL, "number as a string", ONE("priority = \"100\";"),
	 "1: instances.a.priority: is a string: write a number from 1 to 255"},
	{NULL, "number with a fraction", ONE("priority = 100.5;"),
	 "1: instances.a.priority: is a number with a fraction: write a number from 1 to 255"},
	{NULL, "number as a boolean", ONE("down_adverts = true;"),
	 "1: instances.a.down_adverts: is a boolean: write a number of adverts from 1 to 100"},
	{NULL, "number on its own line", "\n\ninstances = ( { " HEAD ADDR "\nvrid = 300; } );",
	 "4: instances.a.vrid: 300 is out of range: write a number from 1 to 255"},
	{NULL, "number beyond 32 bits", "instances = ( { " HEAD ADDR "vrid = 4294967347; } );",
	 "1: instances.a.vrid: 4294967347 is out of range: write a number from 1 to 255"},
	{NULL, "number beyond 64 bits", ONE("priority = 99999999999999999999;"),
	 "1: instances.a.priority: 9223372036854775807 is out of range: write a number from 1 to 255"},
	{NULL, "negative number beyond 32 bits", ONE("priority = -4294967195;"),
	 "1: instances.a.priority: -4294967195 is out of range: write a number from 1 to 255"},
	{NULL, "hexadecimal beyond 32 bits", ONE("priority = 0x100000001;"),
	 "1: instances.a.priority: 4294967297 is out of range: write a number from 1 to 255"},
	{NULL, "duration as a number", ONE("advert_interval = 1;"),
	 "1: instances.a.advert_interval: is a number without a unit: write \"1s\""},
	{NULL, "duration as a fraction", ONE("advert_interval = 0.1;"),
	 "1: instances.a.advert_interval: is a number without a unit: write \"100ms\""},
	{NULL, "duration as a number out of range", ONE("advert_interval = 1000000;"),
	 "1: instances.a.advert_interval: is a number without a unit: write " ADVERT_RANGE},
	{NULL, "duration as a number of milliseconds", ONE("advert_interval = 1000;"),
	 "1: instances.a.advert_interval: is a number without a unit: write \"1000ms\""},
	{NULL, "duration as a number of either", ONE("advert_interval = 100;"),
	 "1: instances.a.advert_interval: is a number without a unit: write \"100s\" or \"100ms\""},
	{NULL, "duration as a negative number", ONE("start_delay = -1;"),
	 "1: instances.a.start_delay: is a number without a unit: write a duration from \"0s\" to \"1000s\""},
	{NULL, "duration without a unit", ONE("advert_interval = \"5\";"),
	 "1: instances.a.advert_interval: \"5\" has no unit: write \"5s\""},
	{NULL, "large duration without a unit", ONE("advert_interval = \"200\";"),
	 "1: instances.a.advert_interval: \"200\" has no unit: write \"200s\" or \"200ms\""},
	{NULL, "duration of an unknown unit", ONE("advert_interval = \"5sec\";"),
	 "1: instances.a.advert_interval: \"5sec\" is no duration: write " ADVERT_RANGE},
	{NULL, "duration finer than a microsecond", ONE("start_delay = \"1.5us\";"),
	 "1: instances.a.start_delay: \"1.5us\" is finer than a microsecond: write a duration from \"0s\" to "
	 "\"1000s\""},
	{NULL, "duration as a list", ONE("start_delay = ();"),
	 "1: instances.a.start_delay: is a list: write a duration from \"0s\" to \"1000s\""},
	{NULL, "duration beyond every range", ONE("start_delay = \"99999999999999999999h\";"),
	 "1: instances.a.start_delay: \"99999999999999999999h\" is out of range: write a duration from \"0s\" "
	 "to "
	 "\"1000s\""},
	{NULL, "lifetime of no whole second", "engine = { address_lifetime = \"2500ms\"; };\n" ONE(""),
	 "1: engine.address_lifetime: \"2500ms\" is between the steps: " A_LIFETIME},
	{NULL, "lifetime of one second", "engine = { address_lifetime = \"1s\"; };\n" ONE(""),
	 "1: engine.address_lifetime: \"1s\" is out of range: " A_LIFETIME},
	{NULL, "unknown word", ONE("v3_checksum = \"rfc\";"),
	 "1: instances.a.v3_checksum: \"rfc\" is not known: write one of \"auto\", \"rfc9568\", \"rfc5798\""},
	{NULL, "word as a number", ONE("v3_checksum = 1;"),
	 "1: instances.a.v3_checksum: is a number: write one of \"auto\", \"rfc9568\", \"rfc5798\""},
	{NULL, "unknown mode", ONE("mode = \"vrrpd\";"),
	 "1: instances.a.mode: \"vrrpd\" is not known: write one of \"vrrp\", \"follow\", \"lease\""},
	{NULL, "unknown kind", CHECK("kind = \"nginx\";"), "1: checks.c.kind: \"nginx\" is not known: " A_KIND},
	{NULL, "kind by a wrong name", CHECK("kind = \"haprxy\";"),
	 "1: checks.c.kind: \"haprxy\" is not known: " A_KIND},
	{NULL, "unknown initial", SCRIPT("initial = \"good\";"),
	 "1: checks.c.initial: \"good\" is not known: write one of \"pending\", \"up\", \"down\""},
	{NULL, "unknown policies", SCRIPT("on_timeout = \"ignore\"; on_stale = \"up\";"),
	 "1: checks.c.on_timeout: \"ignore\" is not known: write one of \"fail\", \"hold\"\n"
	 "1: checks.c.on_stale: \"up\" is not known: write one of \"fail\", \"hold\""},
	{NULL, "group as a number", "engine = 5;\n" ONE(""),
	 "1: engine: is a number: write a group, e.g. { realtime_priority = 50; }"},
	{NULL, "unicast as a boolean", ONE("unicast = true;"),
	 "1: instances.a.unicast: is a boolean: write a group, e.g. { peers = [\"192.0.2.2\"]; }"},
	{NULL, "checks as a list", "checks = ();\n" ONE(""),
	 "1: checks: is a list: write a group of named groups, e.g. " EX_CHECKS},
	{NULL, "check as a number", CHECKS("c = 5;"),
	 "1: checks.c: is a number: write a group as in " EX_CHECKS},
	{NULL, "instances as a group", "instances = { a = 1; };",
	 "1: instances: is a group: write a list, e.g. " EX_INSTANCES},
	{NULL, "instance as a string", "instances = ( \"a\" );",
	 "1: instances[0]: is a string: write a group as in " EX_INSTANCES},
	{NULL, "address as a number", BARE("addresses = (5);"),
	 "1: instances.a.addresses[0]: is a number: write a group or a string as in (\"192.0.2.10/24\")"},
	{NULL, "addresses as a string", BARE("addresses = \"192.0.2.10/24\";"),
	 "1: instances.a.addresses: is a string: write a list, e.g. (\"192.0.2.10/24\")"},
	{NULL, "track as a string", ONE("track = ( \"web\" );"),
	 "1: instances.a.track[0]: is a string: write a group as in " EX_TRACK},
	{NULL, "command as a string", CHECK("kind = \"script\"; command = \"/bin/true\";"),
	 "1: checks.c.command: is a string: write a list of strings, e.g. " EX_COMMAND},
	{NULL, "word of a command as a number", CHECK("kind = \"script\"; command = (\"/bin/true\", 5);"),
	 "1: checks.c.command[1]: is a number: write a string as in " EX_COMMAND},
	{NULL, "peer as a number", UNICAST("peers = (5);"),
	 "1: instances.a.unicast.peers[0]: is a number: write an address as in " EX_PEERS},
};

static const struct row form_rows[] = {
	{NULL, "empty node", "node = \"\";\n" ONE(""), "1: node: is empty: write a string, e.g. \"proxy1\""},
	{NULL, "control character in node", "node = \"a\\nb\";\n" ONE(""),
	 "1: node: \"a?b\" holds a control character: write a string, e.g. \"proxy1\""},
	{NULL, "relative socket", "control = { socket = \"vrrpd.sock\"; };\n" ONE(""),
	 "1: control.socket: \"vrrpd.sock\" is no absolute path: write a string, e.g. "
	 "\"/run/vrrpd/vrrpd.sock\""},
	{NULL, "space in a group", "control = { group = \"a b\"; };\n" ONE(""),
	 "1: control.group: \"a b\" " NAME_FORM "a string, e.g. \"vrrpd\""},
	{NULL, "empty list of addresses", BARE("addresses = ();"),
	 "1: instances.a.addresses: is empty: write a list, e.g. (\"192.0.2.10/24\")"},
	{NULL, "addresses that are none", BARE("addresses = (\"192.0.2.300/24\", { address = \"x\"; });"),
	 "1: instances.a.addresses[0]: \"192.0.2.300/24\" is no IPv4 or IPv6 address: " AN_ADDRESS "\n"
	 "1: instances.a.addresses[1].address: \"x\" is no IPv4 or IPv6 address: " AN_ADDRESS},
	{NULL, "line of the last address", BARE("addresses = (\n\"192.0.2.1/24\",\n\"x\" # why\n);"),
	 "3: instances.a.addresses[1]: \"x\" is no IPv4 or IPv6 address: " AN_ADDRESS},
	{NULL, "prefix too long", BARE("addresses = (\"192.0.2.1/33\");"),
	 "1: instances.a.addresses[0]: \"192.0.2.1/33\" is no IPv4 or IPv6 address: " AN_ADDRESS},
	{NULL, "prefix of length 0", BARE("addresses = (\"192.0.2.1/0\");"),
	 "1: instances.a.addresses[0]: \"192.0.2.1/0\" would make every address local: " AN_ADDRESS},
	{NULL, "entry without address", BARE("addresses = ( { interface = \"eth1\"; } );"),
	 "1: instances.a.addresses[0].address: is missing: " AN_ADDRESS},
	{NULL, "interface of an address with a colon",
	 BARE("addresses = ( { address = \"192.0.2.1\"; interface = \"e:1\"; } );"),
	 "1: instances.a.addresses[0].interface: \"e:1\" is no name of an interface (no / : or space): write a "
	 "string, "
	 "e.g. \"eth1\""},
	{NULL, "peer that is no address", UNICAST("peers = [\"host\"];"),
	 "1: instances.a.unicast.peers[0]: \"host\" is no IPv4 or IPv6 address: write an address as "
	 "in " EX_PEERS},
	{NULL, "source with a prefix", UNICAST("source = \"192.0.2.1/24\"; peers = [\"192.0.2.2\"];"),
	 "1: instances.a.unicast.source: \"192.0.2.1/24\" is no IPv4 or IPv6 address: write an address, e.g. "
	 "\"192.0.2.1\""},
	{NULL, "empty list of peers", UNICAST("peers = [];"),
	 "1: instances.a.unicast.peers: is empty: write a list of addresses, e.g. " EX_PEERS},
	{NULL, "unicast without peers", ONE("\nunicast = { };"),
	 "2: instances.a.unicast.peers: is missing: write a list of addresses, e.g. " EX_PEERS},
	{NULL, "empty command", CHECK("kind = \"script\"; command = [];"),
	 "1: checks.c.command: is empty: write a list of strings, e.g. " EX_COMMAND},
	{NULL, "empty password", AUTH("pass = \"\";"),
	 "1: instances.a.auth.pass: is empty: write a string, e.g. \"secret\""},
	{NULL, "relative password file", AUTH("pass_file = \"p\";"),
	 "1: instances.a.auth.pass_file: \"p\" is no absolute path: write a string, e.g. "
	 "\"/etc/vrrpd/pg.pass\""},
	{NULL, "name with a space", NAMED("a b", "eth0"),
	 "1: instances[0].name: \"a b\" " NAME_FORM "a string, e.g. \"pg\""},
	{NULL, "name as a number", "instances = ( { name = 1; interface = \"e\"; vrid = 1; " ADDR "} );",
	 "1: instances[0].name: is a number: write a string, e.g. \"pg\""},
	{NULL, "name too long", NAMED(LONG32, "eth0"),
	 "1: instances." LONG32 ".name: \"" LONG32 "\" is 32 octets long: write at most 31"},
	{NULL, "name of a check too long", CHECKS(LONG32 " = { kind = \"interface\"; interface = \"e\"; };"),
	 "1: checks." LONG32 ": the name is 32 octets long: write at most 31"},
	{NULL, "name of a check with a star", CHECKS("a* = { kind = \"interface\"; interface = \"e\"; };"),
	 "1: checks.a*: the name " NAME_FORM "another"},
	{NULL, "interface too long", NAMED("a", "eth0123456789abc"),
	 "1: instances.a.interface: \"eth0123456789abc\" is 16 octets long: write at most 15"},
	{NULL, "interface with a slash", NAMED("a", "e/0"),
	 "1: instances.a.interface: \"e/0\" is no name of an interface (no / : or space): write a string, e.g. "
	 "\"eth0\""},
	{NULL, "interface with a space", NAMED("a", "e 0"),
	 "1: instances.a.interface: \"e 0\" is no name of an interface (no / : or space): write a string, e.g. "
	 "\"eth0\""},
	{NULL, "empty interface", NAMED("a", ""),
	 "1: instances.a.interface: is empty: write a string, e.g. \"eth0\""},
	{NULL, "everything missing", "instances = (\n{ }\n);",
	 "2: instances[0].name: is missing: write a string, e.g. \"pg\"\n"
	 "2: instances[0].interface: is missing: write a string, e.g. \"eth0\"\n"
	 "2: instances[0].addresses: is missing: write a list, e.g. (\"192.0.2.10/24\")\n"
	 "2: instances[0].vrid: is missing: write a number from 1 to 255"},
	{NULL, "nameless instance is counted from 0",
	 TWO(HEAD "vrid = 1; " ADDR, "interface = \"eth1\"; vrid = 0; " ADDR),
	 "3: instances[1].name: is missing: write a string, e.g. \"pg\"\n"
	 "3: instances[1].vrid: 0 is out of range: write a number from 1 to 255"},
	{NULL, "kind missing", CHECK(""), "1: checks.c.kind: is missing: " A_KIND},
};

static const struct row unknown_rows[] = {
	{NULL, "misspelt", ONE("priorty = 100;"),
	 "1: instances.a.priorty: unknown option: did you mean \"priority\"?"},
	{NULL, "letters swapped", "instances = ( { " HEAD ADDR "vrid = 1; vrdi = 1; } );",
	 "1: instances.a.vrdi: unknown option: did you mean \"vrid\"?"},
	{NULL, "cut short", "engine = { realtime_prio = 50; };\n" ONE(""),
	 "1: engine.realtime_prio: unknown option: did you mean \"realtime_priority\"?"},
	{NULL, "wrong case", ONE("Priority = 100;"),
	 "1: instances.a.Priority: unknown option: did you mean \"priority\"?"},
	{NULL, "of a group, written outside", ONE("repeat = 3;"),
	 "1: instances.a.repeat: unknown option: did you mean \"garp.repeat\"?"},
	{NULL, "of keepalived", ONE("virtual_router_id = 51; advert_int = 1; auth_pass = \"x\";"),
	 "1: instances.a.virtual_router_id: unknown option: did you mean \"vrid\"?\n"
	 "1: instances.a.advert_int: unknown option: did you mean \"advert_interval\"?\n"
	 "1: instances.a.auth_pass: unknown option: did you mean \"auth.pass\"?"},
	{NULL, "like nothing, at the top", "zzz = 1;\n" ONE(""),
	 "1: zzz: unknown option: remove it (known here: " ROOT_OPTIONS ")"},
	{NULL, "like nothing, in a group", ONE("unicast = { peers = [\"192.0.2.2\"]; zzz = 1; };"),
	 "1: instances.a.unicast.zzz: unknown option: remove it (known here: source, peers or ttl_min)"},
	{NULL, "in an entry of a list", ONE("track = ( { interface = \"eth1\"; wait = 1; } );"),
	 "1: instances.a.track[0].wait: unknown option: remove it (known here: check, interface, inverted or "
	 "weight)"},
};

static const struct row check_rows[] = {
	{"option_applies", "interface of a script", SCRIPT("interface = \"eth1\";"),
	 "1: checks.c.interface: belongs to checks of kind \"interface\", \"route\", \"ping\", this one is "
	 "\"script\": remove it, "
	 "or write another kind"},
	{"option_applies", "command and user of an interface",
	 CHECK("kind = \"interface\"; interface = \"eth1\"; command = [\"/bin/true\"]; user = \"nobody\";"),
	 "1: checks.c.command: belongs to checks of kind \"script\", this one is \"interface\": remove it, or "
	 "write "
	 "kind = \"script\"\n"
	 "1: checks.c.user: belongs to checks of kind \"script\", this one is \"interface\": remove it, or "
	 "write "
	 "kind = \"script\""},
	{"option_applies", "script without command", CHECK("kind = \"script\";"),
	 "1: checks.c.command: is missing: write a list of strings, e.g. " EX_COMMAND},
	{"option_applies", "interface without interface", CHECK("kind = \"interface\";"),
	 "1: checks.c.interface: is missing: write a string, e.g. \"eth1\""},
	{"timeout_within_interval", "timeout longer than the interval", SCRIPT("timeout = \"1001ms\";"),
	 "1: checks.c.timeout: \"1001ms\" is longer than the interval \"1s\", so runs would overlap: write at "
	 "most "
	 "\"1s\", or a longer interval"},
	{"command", "relative command", COMMAND("\"true\""),
	 "1: checks.c.command[0]: \"true\" is no absolute path: write the path with its leading /"},
	{"command", "command that is not there", COMMAND("\"$D/none\", \"-x\""),
	 "1: checks.c.command[0]: \"$D/none\" cannot be used: No such file or directory: write the path of an "
	 "existing "
	 "program"},
	{"command", "command that is a folder", COMMAND("\"$D\""),
	 "1: checks.c.command[0]: \"$D\" is no regular file: write the path of a program"},
	{"command", "command that is not executable", COMMAND("\"$D/plain\""),
	 "1: checks.c.command[0]: \"$D/plain\" is not executable: run chmod 755 $D/plain"},
	{"command", "command that the group may change", COMMAND("\"$D/group\""),
	 "1: checks.c.command[0]: \"$D/group\" can be changed by others than its owner (mode 0775): run chmod "
	 "go-w "
	 "$D/group"},
	{"command", "command that anybody may change", COMMAND("\"$D/anybody\""),
	 "1: checks.c.command[0]: \"$D/anybody\" can be changed by others than its owner (mode 0757): run "
	 "chmod go-w "
	 "$D/anybody"},
	{"user_exists", "unknown user", SCRIPT("user = \"no-such-user\";"),
	 "1: checks.c.user: there is no user \"no-such-user\": write the name of one, or create it"},
};

#define LAG_HELP "is for a role that may lag behind: write role = \"replica\", \"read-only\", \"sync\" or alike"
#define URL_HELP "is no URL: write http://..., https://... or unix:/PATH:/PATH"

static const struct row http_rows[] = {
	{"url_form", "no URL", HTTP("url = \"127.0.0.1:80\";"), "1: checks.c.url: \"127.0.0.1:80\" " URL_HELP},
	{"url_form", "another protocol", HTTP("url = \"ftp://127.0.0.1/\";"),
	 "1: checks.c.url: \"ftp://127.0.0.1/\" " URL_HELP},
	{"url_form", "no host", HTTP("url = \"http:///x\";"), "1: checks.c.url: \"http:///x\" " URL_HELP},
	{"url_form", "no host but a port", HTTP("url = \"https://:80/\";"),
	 "1: checks.c.url: \"https://:80/\" " URL_HELP},
	{"url_form", "relative socket", HTTP("url = \"unix:x.sock\";"),
	 "1: checks.c.url: \"unix:x.sock\" " URL_HELP},
	{"url_form", "a password, not repeated", HTTP("url = \"http://u:geheim@127.0.0.1/\";"),
	 "1: checks.c.url: holds a user: write username and password_file instead, which are not shown"},
	{"url_form", "a space", HTTP("url = \"http://127.0.0.1/a b\";"),
	 "1: checks.c.url: has a character that no URL has: write it as % and two hexadecimal digits"},
	{"url_form", "long path of a socket", HTTP("url = \"unix:/" LONG32 LONG32 LONG32 LONG32 ":/x\";"),
	 "1: checks.c.url: names a socket whose path has more than 107 octets: move it"},
	{"url_form", "TLS without TLS", HTTP("url = \"http://192.0.2.1/\"; tls = { verify = false; };"),
	 "1: checks.c.url: is without TLS, but there is a group tls: write https://..."},
	{"score_source", "score that no script reports", SCRIPT("score = \"json load\"; scale = -50;"),
	 "1: checks.c.score: \"json load\" is nothing that a script reports: write \"output\""},
	{"score_source", "score of a page without its place", HTTP(URL "score = \"output\"; scale = -50;"),
	 "1: checks.c.score: \"output\" " SCORE_HELP},
	{"score_source", "header without a name", HTTP(URL "score = \"header \"; scale = -50;"),
	 "1: checks.c.score: \"header \" " SCORE_HELP},
	{"score_source", "header with a colon", HTTP(URL "score = \"header X-Load:\"; scale = -50;"),
	 "1: checks.c.score: \"header X-Load:\" " SCORE_HELP},
	{"score_source", "path that begins with a dot", HTTP(URL "score = \"json .load\"; scale = -50;"),
	 "1: checks.c.score: \"json .load\" " SCORE_HELP},
	{"score_source", "path that ends with a dot", HTTP(URL "score = \"json load.\"; scale = -50;"),
	 "1: checks.c.score: \"json load.\" " SCORE_HELP},
	{"score_source", "path with an empty name", HTTP(URL "score = \"json load..cpu\"; scale = -50;"),
	 "1: checks.c.score: \"json load..cpu\" " SCORE_HELP},
	{"score_source", "path without a name", HTTP(URL "score = \"json \"; scale = -50;"),
	 "1: checks.c.score: \"json \" " SCORE_HELP},
	{"score_source", "body of an answer to HEAD", HTTP(URL "score = \"json load\"; scale = -50; method = \"HEAD\";"),
	 "1: checks.c.score: \"json load\" is in the body, which an answer to HEAD has not: write method = \"GET\", or a "
	 "header"},
	{"option_applies", "score of another kind",
	 CHECK("kind = \"tcp\"; address = \"127.0.0.1:1\"; score = \"output\"; scale = -50;"),
	 "1: checks.c.score: belongs to checks of kind \"script\", \"http\", this one is \"tcp\": remove it, or write "
	 "another kind"},
	{"graded_by_scale", "scale 0", SCRIPT("scale = 0; decay = \"1s\";"),
	 "1: checks.c.scale: 0 changes nothing: write a number from -253 to 253, or remove it"},
	{"graded_by_scale", "score without scale", SCRIPT("score = \"output\"; warmup = \"1s\";"),
	 "1: checks.c.scale: is missing beside score" SCALE_HELP "score"},
	{"graded_by_scale", "hysteresis without scale", SCRIPT("hysteresis = 5;"),
	 "1: checks.c.scale: is missing beside hysteresis" SCALE_HELP "hysteresis"},
	{"graded_by_scale", "decay without scale", SCRIPT("decay = \"0s\";"),
	 "1: checks.c.scale: is missing beside decay" SCALE_HELP "decay"},
	{"graded_by_scale", "warmup without scale", SCRIPT("warmup = \"1m\";"),
	 "1: checks.c.scale: is missing beside warmup" SCALE_HELP "warmup"},
	{"one_weight", "scale and weight_from", SCRIPT("scale = -50; weight_from = \"exit\";"),
	 "1: checks.c.scale: stands beside weight_from, which says the weight already: remove one of them"},
	{"one_weight", "scale and a number in a file",
	 CHECK("kind = \"file\"; path = \"/x\"; content = \"number\"; scale = 50;"),
	 "1: checks.c.scale: stands beside content = \"number\", which is the weight already: remove one of them"},
	{"http_words", "no status", HTTP("url = \"http://192.0.2.1/\"; status = \"20x\";"),
	 "1: checks.c.status: \"20x\" is no set of statuses: write numbers and ranges, e.g. \"200-299,404\""},
	{"http_words", "a method that changes things", HTTP("url = \"http://192.0.2.1/\"; method = \"POST\";"),
	 "1: checks.c.method: \"POST\" is not used for checks: write GET, HEAD or OPTIONS"},
	{"role_word", "no role of Patroni", PATRONI("role = \"standby\";"),
	 "1: checks.c.role: \"standby\" is no role: write one of \"primary\", \"leader\", \"master\", "
	 "\"read-write\", \"replica\", \"standby-leader\", \"read-only\", \"sync\", \"synchronous\", "
	 "\"quorum\", "
	 "\"read-only-sync\", \"read-only-quorum\", \"async\", \"asynchronous\", \"health\", \"readiness\", "
	 "\"liveness\""},
	{"lag", "lag without a unit that Patroni knows", PATRONI("role = \"replica\"; max_lag = \"1 MB\";"),
	 "1: checks.c.max_lag: \"1 MB\" is no size: write a number with kB, MB, GB or TB, e.g. \"16MB\""},
	{"lag", "lag of a primary", PATRONI("role = \"primary\"; max_lag = \"1MB\";"),
	 "1: checks.c.max_lag: " LAG_HELP},
	{"lag", "lag of any role", PATRONI("max_lag = \"1MB\";"), "1: checks.c.max_lag: " LAG_HELP},
};

static const struct row instance_rows[] = {
	{"option_applies", "password in version 3", ONE("auth = { pass = \"x\"; };"),
	 "1: instances.a.auth: belongs to VRRP version 2: remove it, or write version = 2"},
	{"option_applies", "v3_checksum in version 2", ONE("version = 2; v3_checksum = \"auto\";"),
	 "1: instances.a.v3_checksum: belongs to VRRP version 3: remove it, or write version = 3"},
	{"v2_is_ipv4", "version 2 with IPv6", V6("version = 2;"),
	 "1: instances.a.version: VRRP version 2 has no IPv6: write version = 3"},
	{"advert_interval", "version 2 below a second", ONE("version = 2; advert_interval = \"100ms\";"),
	 "1: instances.a.advert_interval: \"100ms\" cannot be sent in VRRP version 2: write whole seconds from "
	 "\"1s\" to "
	 "\"255s\""},
	{"advert_interval", "version 2 between seconds", ONE("version = 2; advert_interval = \"1.5s\";"),
	 "1: instances.a.advert_interval: \"1.5s\" cannot be sent in VRRP version 2: write whole seconds from "
	 "\"1s\" to "
	 "\"255s\""},
	{"advert_interval", "version 3 between centiseconds", ONE("advert_interval = \"15ms\";"),
	 "1: instances.a.advert_interval: \"15ms\" cannot be sent in VRRP version 3: write a multiple of "
	 "\"10ms\""},
	{"advert_interval", "version 3 too long", ONE("advert_interval = \"40.96s\";"),
	 "1: instances.a.advert_interval: \"40.96s\" cannot be sent in VRRP version 3: write at most "
	 "\"40.95s\""},
	{"owner_has_no_weights", "owner with a weight",
	 TRACK("{ check = \"web\"; }, { check = \"pg\"; weight = -10; } ); priority = 255; extra_addresses = "
	       "("),
	 "2: instances.a.track[1].weight: priority 255 (owner) never changes: remove the weight, or write a "
	 "priority "
	 "below 255"},
	{"owner_preempts", "owner that does not preempt", ONE("priority = 255; preempt = false;"),
	 "1: instances.a.preempt: priority 255 (owner) always preempts: write true, or a priority below 255"},
	{"preempt_delay_preempts", "delay of what never happens",
	 ONE("preempt = false; preempt_delay = \"5s\";"),
	 "1: instances.a.preempt_delay: nothing is delayed while preempt = false: remove it, or write preempt "
	 "= true"},
	{"addresses_usable", "multicast, unspecified, loopback, class E, broadcast",
	 BARE("addresses = (\"224.0.0.5/32\", \"0.0.0.0/8\", \"127.0.0.1/8\", \"240.0.0.1/8\", "
	      "\"255.255.255.255\", "
	      "\"192.0.2.1\");"),
	 "1: instances.a.addresses[0]: 224.0.0.5 is no unicast address of a network: write one that a host can "
	 "hold\n"
	 "1: instances.a.addresses[1]: 0.0.0.0 is no unicast address of a network: write one that a host can "
	 "hold\n"
	 "1: instances.a.addresses[2]: 127.0.0.1 is no unicast address of a network: write one that a host can "
	 "hold\n"
	 "1: instances.a.addresses[3]: 240.0.0.1 is no unicast address of a network: write one that a host can "
	 "hold\n"
	 "1: instances.a.addresses[4]: 255.255.255.255 is no unicast address of a network: write one that a "
	 "host can "
	 "hold"},
	{"addresses_usable", "the same for IPv6, among the extra ones",
	 ONE("extra_addresses = [\"ff02::1\", \"::\", \"::1\"];"),
	 "1: instances.a.extra_addresses[0]: ff02::1 is no unicast address of a network: write one that a host "
	 "can hold\n"
	 "1: instances.a.extra_addresses[1]: :: is no unicast address of a network: write one that a host can "
	 "hold\n"
	 "1: instances.a.extra_addresses[2]: ::1 is no unicast address of a network: write one that a host can "
	 "hold"},
	{"one_family", "both families advertised",
	 BARE("addresses = (\"192.0.2.1/24\",\n{ address = \"2001:db8::1/64\"; });"),
	 "2: instances.a.addresses[1]: 2001:db8::1 is IPv6, the first address is IPv4: move it to "
	 "extra_addresses or to "
	 "another instance"},
	{"track_target", "check and interface in one entry",
	 TRACK("{ check = \"web\"; interface = \"eth1\"; }"),
	 "2: instances.a.track[0].interface: stands beside check: write one of them in each entry"},
	{"track_target", "neither check nor interface", TRACK("{ weight = 5; }"),
	 "2: instances.a.track[0]: says nothing to track: write check = \"NAME\" or interface = \"NAME\""},
	{"track_known", "misspelt check",
	 "checks = { haproxy = { kind = \"interface\"; interface = \"e\"; }; };\n" ONE(
		 "track = ( { check = \"haprxy\"; } );"),
	 "2: instances.a.track[0].check: there is no check \"haprxy\": did you mean \"haproxy\"?"},
	{"track_known", "check like none of several", TRACK("{ check = \"mysql\"; }"),
	 "2: instances.a.track[0].check: there is no check \"mysql\": write one of \"web\", \"pg\", or add it "
	 "to checks"},
	{"track_known", "no checks at all", ONE("track = ( { check = \"web\"; } );"),
	 "1: instances.a.track[0].check: there is no check \"web\": add it to checks"},
	{"track_once", "the same check twice",
	 TRACK("{ check = \"web\"; },\n{ check = \"web\"; weight = -5; }"),
	 "3: instances.a.track[1]: tracks check \"web\" a second time: remove one of the two"},
	{"track_once", "the same interface twice",
	 TRACK("{ interface = \"web\"; }, { check = \"web\"; }, { interface = \"web\"; }"),
	 "2: instances.a.track[2]: tracks interface \"web\" a second time: remove one of the two"},
	{"weight_not_zero", "weight 0",
	 TRACK("{ check = \"web\"; weight = 0; }, { interface = \"eth1\"; weight = 0; }"),
	 "2: instances.a.track[0].weight: 0 changes nothing: write a number from -253 to 253, or remove it to "
	 "make the "
	 "host unfit while this is down\n"
	 "2: instances.a.track[1].weight: 0 changes nothing: write a number from -253 to 253, or remove it to "
	 "make the "
	 "host unfit while this is down"},
	{"unicast_addresses", "peers and source of the other family",
	 UNICAST("source = \"2001:db8::1\"; peers = [\"2001:db8::2\"];"),
	 "1: instances.a.unicast.source: 2001:db8::1 is IPv6, the addresses are IPv4: write an IPv4 address\n"
	 "1: instances.a.unicast.peers[0]: 2001:db8::2 is IPv6, the addresses are IPv4: write an IPv4 address"},
	{"unicast_addresses", "multicast peer and source",
	 UNICAST("source = \"0.0.0.0\"; peers = [\"224.0.0.18\"];"),
	 "1: instances.a.unicast.source: 0.0.0.0 is no unicast address of a host: write the address of this "
	 "host\n"
	 "1: instances.a.unicast.peers[0]: 224.0.0.18 is no unicast address of a host: write the address of "
	 "one peer"},
	{"unicast_peers_differ", "a peer twice",
	 UNICAST("peers = [\"192.0.2.2\", \"192.0.2.3\", \"192.0.2.2\"];"),
	 "1: instances.a.unicast.peers[2]: 192.0.2.2 stands here twice: remove one of the two"},
	{"unicast_peers_differ", "a peer that is the source",
	 UNICAST("source = \"192.0.2.1\"; peers = [\"192.0.2.1\"];"),
	 "1: instances.a.unicast.peers[0]: 192.0.2.1 is this host's own address (unicast.source): write the "
	 "other hosts "
	 "only"},
	{"one_password", "pass and pass_file", AUTH("pass = \"x\"; pass_file = \"$D/good.pass\";"),
	 "1: instances.a.auth.pass_file: stands beside pass: write one of them"},
	{"one_password", "neither", AUTH(""),
	 "1: instances.a.auth: holds no password: write pass = \"...\" or pass_file = \"/...\""},
	{"password_length", "nine octets", AUTH("pass = \"hunter234\";"),
	 "1: instances.a.auth.pass: the password is longer than the 8 octets of a packet: write its first 8 "
	 "only "
	 "(keepalived cuts it there by itself)"},
	{"password_length", "nine octets in a file", AUTH("pass_file = \"$D/long.pass\";"),
	 "1: instances.a.auth.pass_file: the password is longer than the 8 octets of a packet: write its first "
	 "8 only "
	 "(keepalived cuts it there by itself)"},
	{"password_file", "not there", AUTH("pass_file = \"$D/none\";"),
	 "1: instances.a.auth.pass_file: \"$D/none\" cannot be used: No such file or directory: " PASS_HELP},
	{"password_file", "a folder", AUTH("pass_file = \"$D\";"),
	 "1: instances.a.auth.pass_file: \"$D\" cannot be used: it is no readable regular file: " PASS_HELP},
	{"password_file", "empty", AUTH("pass_file = \"$D/empty.pass\";"),
	 "1: instances.a.auth.pass_file: \"$D/empty.pass\" cannot be used: it is empty: write the password "
	 "into its only "
	 "line"},
	{"password_file", "two lines", AUTH("pass_file = \"$D/two.pass\";"),
	 "1: instances.a.auth.pass_file: \"$D/two.pass\" cannot be used: it holds more than one line: write "
	 "the password "
	 "into its only line"},
	{"password_file", "readable by others", AUTH("pass_file = \"$D/open.pass\";"),
	 "1: instances.a.auth.pass_file: \"$D/open.pass\" cannot be used: others than its owner may use it: "
	 "run chmod 600 "
	 "on it"},
};

#define OTHER "name = \"b\"; interface = \"eth0\"; "

static const struct row root_rows[] = {
	{"some_instance", "no instances", "node = \"x\";",
	 "1: instances: there is no instance: write " EX_INSTANCES},
	{"some_instance", "empty list", "node = \"x\";\n\ninstances = ();",
	 "3: instances: there is no instance: write " EX_INSTANCES},
	{"unique_names", "a name twice",
	 TWO(HEAD "vrid = 1; " ADDR, HEAD "vrid = 2; addresses = (\"192.0.2.11\");"),
	 "3: instances.a.name: \"a\" is the name of the instance at $D/t.conf:2 already: write another"},
	{"unique_router", "a VRID twice",
	 TWO(HEAD "vrid = 1; " ADDR, OTHER "vrid = 1; addresses = (\"192.0.2.11\");"),
	 "3: instances.b.vrid: 1 is taken on eth0 for IPv4 by instance \"a\": write another number, or unicast "
	 "peers that "
	 "no other instance has"},
	{"unique_router", "a VRID twice, one by unicast",
	 TWO(HEAD "vrid = 1; " ADDR,
	     OTHER "vrid = 1; addresses = (\"192.0.2.11\"); unicast = { peers = [\"192.0.2.2\"]; };"),
	 "3: instances.b.vrid: 1 is taken on eth0 for IPv4 by instance \"a\": write another number, or unicast "
	 "peers that "
	 "no other instance has"},
	{"unique_router", "a VRID twice with a common peer",
	 TWO(HEAD "vrid = 1; " ADDR "unicast = { peers = [\"192.0.2.2\", \"192.0.2.3\"]; };", OTHER
	     "vrid = 1; addresses = (\"192.0.2.11\"); unicast = { peers = [\"192.0.2.4\", \"192.0.2.3\"]; };"),
	 "3: instances.b.vrid: 1 is taken on eth0 for IPv4 by instance \"a\": write another number, or unicast "
	 "peers that "
	 "no other instance has"},
	{"unique_addresses", "an address twice in an instance, other prefix and interface",
	 BARE("addresses = (\"192.0.2.1/24\",\n{ address = \"192.0.2.1/32\"; interface = \"eth1\"; });"),
	 "2: instances.a.addresses[1]: 192.0.2.1 stands in this instance twice: remove one of the two"},
	{"unique_addresses", "advertised and extra", ONE("extra_addresses = (\"192.0.2.10/32\");"),
	 "1: instances.a.extra_addresses[0]: 192.0.2.10 stands in this instance twice: remove one of the two"},
	{"unique_addresses", "an address of two instances",
	 TWO(HEAD "vrid = 1; " ADDR, OTHER "vrid = 2; " ADDR),
	 "3: instances.b.addresses[0]: 192.0.2.10 on eth0 is also an address of instance \"a\": remove one of "
	 "the two"},
	{"unique_addresses", "the same through an interface of the address",
	 TWO(HEAD "vrid = 1; " ADDR, "name = \"b\"; interface = \"eth1\"; vrid = 2; addresses = ( { address = "
				     "\"192.0.2.10\"; interface = \"eth0\"; } );"),
	 "3: instances.b.addresses[0]: 192.0.2.10 on eth0 is also an address of instance \"a\": remove one of "
	 "the two"},
	{"listen_parses", "listen without port", "control = { listen = \"127.0.0.1\"; };\n" ONE(""),
	 "1: control.listen: \"127.0.0.1\" is no address and port: write \"127.0.0.1:9650\" or \"[::1]:9650\""},
	{"listen_parses", "listen on port 65536", "control = { listen = \"127.0.0.1:65536\"; };\n" ONE(""),
	 "1: control.listen: \"127.0.0.1:65536\" is no address and port: write \"127.0.0.1:9650\" or "
	 "\"[::1]:9650\""},
	{"listen_parses", "listen on IPv6 without brackets", "control = { listen = \"::1:9650\"; };\n" ONE(""),
	 "1: control.listen: \"::1:9650\" is no address and port: write \"127.0.0.1:9650\" or \"[::1]:9650\""},
};

static const struct row syntax_rows[] = {
	{NULL, "missing value", "node = ;\n" ONE(""), "1: syntax error: " SYNTAX_HELP},
	{NULL, "bracket never closed", "instances = (\n{ name = \"a\";\n", "3: syntax error: " SYNTAX_HELP},
	{NULL, "option twice", "node = \"a\";\nnode = \"b\";\n",
	 "2: duplicate setting name: remove one of the two settings of that name"},
	{NULL, "mixed array", "node = [\"a\", 5];\n",
	 "1: mismatched element type in array: write ( ) around values of different types, [ ] only around "
	 "values of one "
	 "type"},
	{NULL, "string not closed", "node = \"a;\nengine = { };\ncontrol = { group = \"x\"; };\n",
	 "1: the string that begins here is not closed on its line: write \" at its end"},
	{NULL, "comment not closed", "node = \"a\";\n/* so\n\n",
	 "2: the comment that begins here never ends: write */ at its end"},
	{NULL, "NUL in a string", "node = \"a\\x00b\";\n", "1: a string holds \\x00: leave it out"},
	{NULL, "included file that is not there",
	 "node = \"a\";\n@include \"none.conf\"\n@include \"none2.conf\"\n",
	 "2: @include \"$D/none.conf\" cannot be read: No such file or directory: " INCLUDE_HELP "\n"
	 "3: @include \"$D/none2.conf\" cannot be read: No such file or directory: " INCLUDE_HELP},
	{NULL, "included folder", "@include \"$D\"\n",
	 "1: @include \"$D\" cannot be read: Is a directory: " INCLUDE_HELP},
	{NULL, "include without a name", "@include none.conf\n",
	 "1: @include without a file: write @include \"FILE\""},
	{NULL, "include of itself", "@include \"t.conf\"\n",
	 "1: @include \"$D/t.conf\" goes beyond 10 files in one another or 256 in all: remove it (does a file "
	 "include "
	 "itself?)"},
	{NULL, "error in an included file", "node = \"a\";\n@include \"sub/inner.conf\"\nzzz = 1;\n",
	 "$D/sub/inner.conf:3: instances.i.vrid: 0 is out of range: write a number from 1 to 255\n"
	 "$D/sub/deeper.conf:2: checks.d.rise: 0 is out of range: write a number of runs from 1 to 255\n"
	 "3: zzz: unknown option: remove it (known here: " ROOT_OPTIONS ")"},
	{NULL, "syntax error in an included file", "\n@include \"sub/broken.conf\"\n",
	 "$D/sub/broken.conf:2: syntax error: " SYNTAX_HELP},
};

#define REDIS(options) CHECK("kind = \"redis\"; address = \"10.0.0.1:6379\"; " options)

static const struct row redis_rows[] = {
	{"one_password", "redis: a password and a file with it",
	 REDIS("password = \"p\"; password_file = \"$D/good.pass\";"),
	 "1: checks.c.password_file: stands beside password: write one of them"},
	{"password_file", "redis: a file that is not there", REDIS("password_file = \"$D/none\";"),
	 "1: checks.c.password_file: \"$D/none\" cannot be used: No such file or directory: " PASS_HELP},
	{"key_file", "redis: a key that is not there",
	 REDIS("tls = { cert = \"$D/plain\"; key = \"$D/none\"; };"),
	 "1: checks.c.tls.key: \"$D/none\" cannot be used: No such file or directory: " PASS_HELP},
	{"key_file", "redis: a key that others may read",
	 REDIS("tls = { cert = \"$D/plain\"; key = \"$D/open.pass\"; };"),
	 "1: checks.c.tls.key: \"$D/open.pass\" cannot be used: others than its owner may use it: run chmod "
	 "600 on it"},
	{"redis_forms", "redis: TLS over a Unix socket",
	 CHECK("kind = \"redis\"; address = \"/run/redis.sock\"; tls = { verify = false; };"),
	 "1: checks.c.tls: is not spoken on a Unix socket: write \"address:port\" as address"},
	{"redis_forms", "redis: self without a port",
	 CHECK("kind = \"sentinel\"; address = \"10.0.0.1:26379\"; master = \"m\"; self = \"10.0.0.1\";"),
	 "1: checks.c.self: \"10.0.0.1\" has no port: write e.g. \"10.0.0.1:6379\""},
	{"redis_forms", "redis: self with a port out of range",
	 CHECK("kind = \"sentinel\"; address = \"10.0.0.1:26379\"; master = \"m\"; self = \"r1:65536\";"),
	 "1: checks.c.self: \"r1:65536\" has no port: write e.g. \"10.0.0.1:6379\""},
	{"redis_forms", "redis: Sentinels and a Unix socket",
	 CHECK("kind = \"redis\"; address = \"/run/redis.sock\"; sentinels = [\"10.0.0.1:26379\"]; master = "
	       "\"m\";"),
	 "1: checks.c.self: is missing: a Unix socket does not tell by which port the Sentinels know this "
	 "Redis, "
	 "write e.g. \"10.0.0.1:6379\""},
	{"redis_forms", "redis: Sentinels for a replica",
	 CHECK("kind = \"redis\"; address = \"10.0.0.1:6379\"; role = \"replica\"; sentinels = "
	       "[\"10.0.0.1:26379\"]; master = \"m\";"),
	 "1: checks.c.sentinels: are asked for the master, but role is \"replica\": leave out one of them"},
};

#define ROWS(v)                                                                                                \
	{                                                                                                      \
		v, ARRAY_SIZE(v)                                                                               \
	}

#define PG(options)    CHECK("kind = \"postgres\"; address = \"10.0.0.1:5432\"; " options)
#define ROUTE(options) CHECK("kind = \"route\"; " options)

/* Kinds of checks that look at this host, its gateway and PostgreSQL. */
static const struct row local_rows[] = {
	{"endpoints", "ping: a name", CHECK("kind = \"ping\"; address = \"gateway\";"),
	 "1: checks.c.address: \"gateway\" is no address: write one like \"10.0.0.254\""},
	{"endpoints", "ping: link-local without an interface", CHECK("kind = \"ping\"; address = \"fe80::1\";"),
	 "1: checks.c.interface: is missing: the link-local address \"fe80::1\" is a different one on each "
	 "interface"},
	{"endpoints", "interface: an address with a port",
	 CHECK("kind = \"interface\"; interface = \"eth1\"; address = \"10.0.0.1:80\";"),
	 "1: checks.c.address: \"10.0.0.1:80\" is no address: write one like \"10.0.0.254\""},
	{"needed", "ping: nobody", CHECK("kind = \"ping\";"),
	 "1: checks.c.address: is missing: write a string, e.g. \"10.0.0.254\""},
	{"needed", "process: told by nothing", CHECK("kind = \"process\";"),
	 "1: checks.c.process: tells a process by one thing: write process, pid_file or cgroup"},
	{"needed", "process: told by two things", CHECK("kind = \"process\"; process = \"a\"; cgroup = \"b\";"),
	 "1: checks.c.process: tells a process by one thing: write process, pid_file or cgroup"},
	{"needed", "postgres: a role without a user", PG("role = \"primary\";"),
	 "1: checks.c.role: can only be asked after logging in: write username (and password_file)"},
	{"needed", "postgres: TLS without a user", PG("tls = { verify = false; };"),
	 "1: checks.c.tls: is for logging in: write username (and password_file) as well"},
	{"needed", "postgres: TLS without a certificate to trust",
	 PG("username = \"u\"; tls = { server_name = \"n\"; };"),
	 "1: checks.c.tls.ca: is missing: write the file with the certificate to trust, or verify = false"},
	{"role_word", "postgres: another's role", PG("username = \"u\"; role = \"master\";"),
	 "1: checks.c.role: \"master\" is no role: write one of \"primary\", \"replica\""},
	{"route_forms", "route: a name", ROUTE("destination = \"lan\";"),
	 "1: checks.c.destination: \"lan\" is no destination: write \"default\", \"default6\" or a network "
	 "like "
	 "\"10.1.0.0/16\""},
	{"route_forms", "route: a gateway with a length", ROUTE("via = \"10.0.0.1/24\";"),
	 "1: checks.c.via: \"10.0.0.1/24\" is no address: write that of the gateway"},
	{"route_forms", "route: a gateway of the other family",
	 ROUTE("destination = \"default6\"; via = \"10.0.0.1\";"),
	 "1: checks.c.via: \"10.0.0.1\" is IPv4, but the destination is IPv6: write an IPv6 address"},
};

static const struct table {
	const struct row *rows;
	size_t n;
} tables[] = {
	ROWS(type_rows),     ROWS(form_rows), ROWS(unknown_rows), ROWS(check_rows), ROWS(http_rows),
	ROWS(instance_rows), ROWS(root_rows), ROWS(redis_rows),	  ROWS(local_rows), ROWS(syntax_rows),
};

/* Rules that need many addresses or words, or another owner: tested in test_cfg_limits.c and below. */
static const char *const elsewhere[] = {"fits_packet", "address_count", "total_addresses",
					/* test_cfg_hooks.c: */ "root_hooks", "hooks", "service_form", "service_names",
					/* test_cfg_leader.c: */ "shared_store", "leader", "leader_of_a_kind",
					"lease_needs_a_store_with_leases", "local_patroni", "lease_outlives_addresses"};

static void
write_files(const struct cfg_fixture *x)
{
	char sub[600];

	cfg_fixture_write(x, "plain", "x", 0644);
	cfg_fixture_write(x, "group", "x", 0775);
	cfg_fixture_write(x, "anybody", "x", 0757);
	cfg_fixture_write(x, "good.pass", "secret\n", 0600);
	cfg_fixture_write(x, "long.pass", "hunter234\n", 0600);
	cfg_fixture_write(x, "empty.pass", "\n", 0600);
	cfg_fixture_write(x, "two.pass", "a\nb\n", 0600);
	cfg_fixture_write(x, "open.pass", "secret\n", 0640);
	snprintf(sub, sizeof(sub), "%s/sub", x->dir);
	assert_int_equal(mkdir(sub, 0755), 0);
	cfg_fixture_write(x, "sub/inner.conf",
			  "instances = ( {\nname = \"i\"; interface = \"eth0\";\nvrid = 0; " ADDR
			  "} );\n@include \"deeper.conf\"",
			  0644);
	cfg_fixture_write(x, "sub/deeper.conf",
			  "/* two\n*/ checks = { d = { kind = \"interface\"; interface = \"e\"; rise = 0; }; }",
			  0644);
	cfg_fixture_write(x, "sub/broken.conf", "# one\nnode \"a\";\n", 0644);
}

static void
test_errors_of_every_row(void **state)
{
	const struct cfg_fixture *x = *state;
	size_t wrong = 0, n = 0;

	write_files(x);
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (size_t i = 0; i < tables[t].n; i++, n++)
			wrong += !cfg_fixture_bad(x, tables[t].rows[i].name, tables[t].rows[i].text,
						  tables[t].rows[i].errors);
	print_message("%zu rows\n", n);
	assert_int_equal(wrong, 0);
}

static bool
has_row(const char *rule)
{
	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++)
		if (strcmp(elsewhere[i], rule) == 0)
			return true;
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (size_t i = 0; i < tables[t].n; i++)
			if (tables[t].rows[i].rule && strcmp(tables[t].rows[i].rule, rule) == 0)
				return true;
	return false;
}

static void
test_errors_every_rule_has_a_row(void **state)
{
	const struct cfg_rule *rule;

	(void)state;
	for (size_t i = 0; (rule = cfg_rule_at(i)); i++) {
		if (!has_row(rule->name))
			print_error("no row for rule %s\n", rule->name);
		assert_true(has_row(rule->name));
	}
}

#define AS_ROOT(file) CHECK("kind = \"script\"; command = [\"" file "\"]; user = \"root\";")

/* Folders, files and links of several owners and modes below $D; only root can make them. */
static void
make_owned(const struct cfg_fixture *x)
{
	static const struct {
		const char *name; /* a folder when it ends in / */
		mode_t mode;
		uid_t owner;
	} v[] = {
		{"own/", 0755, 0},	  {"own/good", 0755, 0},  {"own/foreign", 0755, 65534},
		{"open/", 0757, 0},	  {"open/in/", 0755, 0},  {"open/in/good", 0755, 0},
		{"crew/", 0775, 0},	  {"crew/good", 0755, 0}, {"theirs/", 0755, 65534},
		{"theirs/good", 0755, 0}, {"sticky/", 01777, 0},  {"sticky/good", 0755, 0},
	};
	char path[600], target[600];

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		snprintf(path, sizeof(path), "%s/%s", x->dir, v[i].name);
		if (path[strlen(path) - 1] == '/')
			assert_int_equal(mkdir(path, 0755), 0);
		else
			cfg_fixture_write(x, v[i].name, "x", v[i].mode);
	}
	snprintf(path, sizeof(path), "%s/own/absolute", x->dir);
	snprintf(target, sizeof(target), "%s/open/in", x->dir);
	assert_int_equal(symlink(target, path), 0);
	snprintf(path, sizeof(path), "%s/own/relative", x->dir);
	assert_int_equal(symlink("../own/./good", path), 0);
	snprintf(path, sizeof(path), "%s/own/round", x->dir);
	assert_int_equal(symlink("round", path), 0);
	snprintf(path, sizeof(path), "%s/sticky/theirs", x->dir);
	assert_int_equal(symlink("../own/good", path), 0);
	assert_int_equal(lchown(path, 65534, 65534), 0);
	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		snprintf(path, sizeof(path), "%s/%s", x->dir, v[i].name);
		assert_int_equal(chown(path, v[i].owner, 0), 0);
		assert_int_equal(chmod(path, v[i].mode), 0);
	}
}

/* What runs as root is root's, with everything on the way to it. */
static void
test_errors_command_of_another_owner(void **state)
{
	static const struct row rows[] = {
		{NULL, "file of another user", AS_ROOT("$D/own/foreign"),
		 "1: checks.c.command[0]: \"$D/own/foreign\" would run as root but it belongs to user 65534: "
		 "run chown "
		 "root $D/own/foreign, or write another user"},
		{NULL, "folder that anybody may change", AS_ROOT("$D/open/in/good"),
		 "1: checks.c.command[0]: \"$D/open/in/good\" would run as root but the folder $D/open can be "
		 "changed "
		 "by others (mode 0757): run chmod go-w $D/open, or write another user"},
		{NULL, "folder that the group may change", AS_ROOT("$D/crew/good"),
		 "1: checks.c.command[0]: \"$D/crew/good\" would run as root but the folder $D/crew can be "
		 "changed "
		 "by others (mode 0775): run chmod go-w $D/crew, or write another user"},
		{NULL, "folder of another user", AS_ROOT("$D/theirs/good"),
		 "1: checks.c.command[0]: \"$D/theirs/good\" would run as root but the folder $D/theirs "
		 "belongs to user "
		 "65534: run chown root $D/theirs, or write another user"},
		{NULL, "folder behind a link", AS_ROOT("$D/own/absolute/good"),
		 "1: checks.c.command[0]: \"$D/own/absolute/good\" would run as root but the folder $D/open "
		 "can be "
		 "changed by others (mode 0757): run chmod go-w $D/open, or write another user"},
		{NULL, "folder that is left again", AS_ROOT("$D/theirs/../own/good"),
		 "1: checks.c.command[0]: \"$D/theirs/../own/good\" would run as root but the folder $D/theirs "
		 "belongs "
		 "to user 65534: run chown root $D/theirs, or write another user"},
		{NULL, "link of another user", AS_ROOT("$D/sticky/theirs"),
		 "1: checks.c.command[0]: \"$D/sticky/theirs\" would run as root but it belongs to user 65534: "
		 "run "
		 "chown -h root $D/sticky/theirs, or write another user"},
		{NULL, "link to itself", AS_ROOT("$D/own/round"),
		 "1: checks.c.command[0]: \"$D/own/round\" cannot be used: Too many levels of symbolic links: "
		 "write "
		 "the path of an existing program"},
	};
	static const char *const good[] = {
		AS_ROOT("$D/own/good"),
		AS_ROOT("$D/own/relative"),
		AS_ROOT("$D/sticky/good"),
		AS_ROOT("/bin/sh"),
		CHECK("kind = \"script\"; command = [\"$D/own/foreign\"]; user = \"nobody\";"),
	};
	const struct cfg_fixture *x = *state;
	size_t wrong = 0;

	if (geteuid() != 0)
		skip();
	make_owned(x);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		wrong += !cfg_fixture_bad(x, rows[i].name, rows[i].text, rows[i].errors);
	assert_int_equal(wrong, 0);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		cfg_free(cfg_fixture_good(x, good[i]));
}

static void
test_errors_all_in_one_run(void **state)
{
	assert_true(cfg_fixture_bad(
		*state, "ten errors",
		"node = 5;\n"
		"bogus = 1;\n"
		"engine = { realtime_priority = 100; };\n"
		"control = { listen = \"here\"; };\n"
		"checks = { c = { kind = \"script\"; command = [\"none\"]; timeout = \"2s\"; };\n"
		" d = { kind = \"interface\"; user = \"root\"; interface = \"e\"; }; };\n"
		"instances = (\n"
		"{ name = \"a\"; interface = \"eth0\"; vrid = 256; addresses = (\"192.0.2.1/24\"); },\n"
		"{ name = \"a\"; interface = \"eth0\"; vrid = 2; addresses = (\"192.0.2.2/24\");\n"
		"track = ( { check = \"e\"; } );\n"
		"preempt = false; preempt_delay = \"1s\"; } );\n",
		"1: node: is a number: write a string, e.g. \"proxy1\"\n"
		"2: bogus: unknown option: remove it (known here: " ROOT_OPTIONS ")\n"
		"3: engine.realtime_priority: 100 is out of range: write a number from 0 to 99\n"
		"4: control.listen: \"here\" is no address and port: write \"127.0.0.1:9650\" or "
		"\"[::1]:9650\"\n"
		"5: checks.c.command[0]: \"none\" is no absolute path: write the path with its leading /\n"
		"5: checks.c.timeout: \"2s\" is longer than the interval \"1s\", so runs would overlap: write "
		"at most \"1s\", "
		"or a longer interval\n"
		"6: checks.d.user: belongs to checks of kind \"script\", this one is \"interface\": remove it, "
		"or write kind = "
		"\"script\"\n"
		"8: instances.a.vrid: 256 is out of range: write a number from 1 to 255\n"
		"9: instances.a.name: \"a\" is the name of the instance at $D/t.conf:8 already: write another\n"
		"10: instances.a.track[0].check: there is no check \"e\": write one of \"c\", \"d\", or add it "
		"to checks\n"
		"11: instances.a.preempt_delay: nothing is delayed while preempt = false: remove it, or write "
		"preempt = true"));
}

static void
test_errors_of_a_file_that_cannot_be_read(void **state)
{
	const struct cfg_fixture *x = *state;
	struct cfg_errors errors;
	struct cfg *c = NULL;
	char path[600];

	snprintf(path, sizeof(path), "%s/none", x->dir);
	assert_true(cfg_load(path, &c, &errors) < 0);
	assert_true(cfg_fixture_same(
		x, &errors,
		"$D/none: the configuration cannot be read: No such file or directory: write this file, "
		"or name another one with -f"));
	cfg_errors_free(&errors);
	assert_true(cfg_load(x->dir, &c, &errors) < 0);
	assert_true(cfg_fixture_same(
		x, &errors,
		"$D: the configuration cannot be read: Is a directory: write this file, or name another "
		"one with -f"));
	cfg_errors_free(&errors);
	assert_null(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors_of_every_row),
		cmocka_unit_test(test_errors_every_rule_has_a_row),
		cmocka_unit_test(test_errors_command_of_another_owner),
		cmocka_unit_test(test_errors_all_in_one_run),
		cmocka_unit_test(test_errors_of_a_file_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, cfg_fixture_setup, cfg_fixture_teardown);
}
