/*
 * cfg_options.c - the table of options; see cfg_options.h. What is done with a row is in cfg_option.c.
 *
 * To add an option: a field in cfg.h, a row here, a line in conf/vrrpd.conf, and rules in cfg_rules_*.c where
 * it depends on others. Const data only, used in the parent.
 */
#include "config/cfg_options.h"

#include <string.h>

#include "base/macros.h"
#include "config/cfg.h"

#define MS(n)  ((int64_t)(n)*USEC_PER_MS)
#define SEC(n) ((int64_t)(n)*USEC_PER_SEC)
#define HOUR   SEC(3600)

/* The offset of a field that must have this type: a row of the wrong type does not compile. */
#define AT(st, field, kind)                                                                                    \
	(offsetof(struct st, field) +                                                                          \
	 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((struct st *)NULL)->field), kind) ? 1        \
												    : -1]))
#define FLAG(st, field) .flag = 1 + AT(st, field, bool)
#define CONTENT(st, field) .content = 1 + AT(st, field, char *)

#define BOOL(st, field, d) .type = CFG_TYPE_BOOL, .offset = AT(st, field, bool), .def = (d), .max = 1
#define INT(st, field, d, low, high)                                                                           \
	.type = CFG_TYPE_INT, .offset = AT(st, field, int), .def = (d), .min = (low), .max = (high)
#define DURATION(st, field, d, low, high)                                                                      \
	.type = CFG_TYPE_DURATION, .offset = AT(st, field, usec_t), .def = (d), .min = (low), .max = (high)
#define WORD(st, field, d, list)                                                                               \
	.type = CFG_TYPE_WORD, .offset = offsetof(struct st, field), .def = (d), .words = (list)
#define TEXT(st, field)                                                                                        \
	.type = CFG_TYPE_TEXT, .offset = offsetof(struct st, field), .size = sizeof(((struct st *)NULL)->field)
#define STRING(st, field, longest) .type = CFG_TYPE_STRING, .offset = AT(st, field, char *), .max = (longest)
#define IP(st, field)		   .type = CFG_TYPE_IP, .offset = AT(st, field, struct ip_addr)
#define PREFIX(st, field)	   .type = CFG_TYPE_PREFIX, .offset = AT(st, field, struct ip_prefix)
#define GROUP			   .type = CFG_TYPE_GROUP
#define ARRAY(st, field, counter, least, most)                                                                 \
	.offset = offsetof(struct st, field), .count = AT(st, counter, size_t),                                \
	.size = sizeof(*((struct st *)NULL)->field), .min = (least), .max = (most)
#define NAMED(st, field, counter, scope, most)                                                                 \
	.type = CFG_TYPE_NAMED, .sub = (scope), ARRAY(st, field, counter, 0, most)
#define LIST(st, field, counter, scope, least, most)                                                           \
	.type = CFG_TYPE_LIST, .sub = (scope), ARRAY(st, field, counter, least, most)
#define STRINGS(st, field, counter, most) .type = CFG_TYPE_STRINGS, ARRAY(st, field, counter, 1, most)
#define COMMAND(st, field) STRINGS(st, field.words, field.n, LIMIT_COMMAND_ARGS), .one = true, .syntax = CFG_SYNTAX_ANY
#define IPS(st, field, counter, most)	  .type = CFG_TYPE_IPS, ARRAY(st, field, counter, 1, most)

_Static_assert(sizeof(enum cfg_mode) == sizeof(int), "words are stored as int");
_Static_assert(sizeof(enum cfg_checksum) == sizeof(int), "words are stored as int");
_Static_assert(sizeof(enum cfg_store_loss) == sizeof(int), "words are stored as int");
_Static_assert(sizeof(enum cfg_store_kind) == sizeof(int), "words are stored as int");
_Static_assert(sizeof(enum cfg_check_kind) == sizeof(int), "words are stored as int");
_Static_assert(sizeof(enum cfg_policy) == sizeof(int), "words are stored as int");
_Static_assert(sizeof(enum cfg_initial) == sizeof(int), "words are stored as int");
_Static_assert(sizeof(enum cfg_weight_from) == sizeof(int), "words are stored as int");
_Static_assert(sizeof(enum cfg_file_content) == sizeof(int), "words are stored as int");
_Static_assert(offsetof(struct cfg_check, name) == 0, "named elements begin with their name");

static const char *const kinds[] = {"script", "interface", "haproxy", "patroni", "redis", "sentinel", "postgres", "http", "tcp", "process", "unit", "file", "route", "ping", NULL};
static const char *const initials[] = {"pending", "up", "down", NULL};
static const char *const weights_from[] = {"none", "exit", "output", NULL};
static const char *const contents[] = {"absent", "present", "number", NULL};
static const char *const policies[] = {"fail", "hold", NULL};
static const char *const modes[] = {"vrrp", "follow", "lease", NULL};
static const char *const store_losses[] = {"hold_lease", "release", "hold", "patroni", NULL};
static const char *const store_kinds[] = {"etcd3", "etcd2", "consul", "patroni", "sentinel", NULL};
static const char *const checksums[] = {"auto", "rfc9568", "rfc5798", NULL};

_Static_assert(ARRAY_SIZE(kinds) == CFG_CHECK_KIND_COUNT + 1, "a word for every kind");
_Static_assert(ARRAY_SIZE(store_kinds) == CFG_STORE_KIND_COUNT + 1, "a word for every kind");

static bool
has_tls(const void *obj)
{
	return ((const struct cfg_check *)obj)->tls;
}

/* A password from a file is printed as the file's name. */
static bool
has_own_password(const void *obj)
{
	const struct cfg_check *k = obj;

	return k->password && !k->password_file;
}

static bool
is_graded(const void *obj)
{
	return ((const struct cfg_check *)obj)->scale != 0;
}

static bool
has_unicast(const void *obj)
{
	return ((const struct cfg_instance *)obj)->unicast;
}

/* A password from a file is printed as the file's name. */
static bool
has_own_pass(const void *obj)
{
	const struct cfg_instance *i = obj;

	return i->auth_pass && !i->auth_pass_file;
}

static bool
has_own_interface(const void *obj)
{
	return ((const struct cfg_address *)obj)->own_interface;
}

static bool
tracks_check(const void *obj)
{
	return !((const struct cfg_track *)obj)->is_interface;
}

static bool
tracks_interface(const void *obj)
{
	return ((const struct cfg_track *)obj)->is_interface;
}

static bool
is_inverted(const void *obj)
{
	return ((const struct cfg_track *)obj)->inverted;
}

static bool
has_weight(const void *obj)
{
	return ((const struct cfg_track *)obj)->has_weight;
}

#define SHOWN(fn, st, field)                                                                                   \
	static bool fn(const void *obj)                                                                        \
	{                                                                                                      \
		const struct st *o = obj;                                                                      \
                                                                                                               \
		return o->field;                                                                               \
	}
#define SHOWN_PASSWORD(fn, st, access)                                                                         \
	static bool fn(const void *obj)                                                                        \
	{                                                                                                      \
		const struct st *o = obj;                                                                      \
                                                                                                               \
		return o->access.password && !o->access.password_file;                                         \
	}

SHOWN(has_leader, cfg_instance, leader.present)
SHOWN(has_leader_tls, cfg_instance, leader.access.tls)
SHOWN_PASSWORD(has_leader_password, cfg_instance, leader.access)
SHOWN(has_lease, cfg_instance, lease.present)
SHOWN(has_lease_tls, cfg_instance, lease.access.tls)
SHOWN_PASSWORD(has_lease_password, cfg_instance, lease.access)
SHOWN(has_arbiter, cfg_instance, arbiter.present)
SHOWN(has_arbiter_tls, cfg_instance, arbiter.access.tls)
SHOWN_PASSWORD(has_arbiter_password, cfg_instance, arbiter.access)
SHOWN(has_store_tls, cfg_store, access.tls)
SHOWN_PASSWORD(has_store_password, cfg_store, access)

static bool
has_own_commands(const void *obj)
{
	return ((const struct cfg_service *)obj)->unit == NULL;
}

#define ROOT	 .scope = CFG_SCOPE_ROOT, .path
#define CHECK	 .scope = CFG_SCOPE_CHECK, .path
#define INSTANCE .scope = CFG_SCOPE_INSTANCE, .path
#define ADDRESS	 .scope = CFG_SCOPE_ADDRESS, .path
#define TRACK	 .scope = CFG_SCOPE_TRACK, .path
#define SERVICE	 .scope = CFG_SCOPE_SERVICE, .path
#define STORE	 .scope = CFG_SCOPE_STORE, .path

/* How a store is reached: the same options in every place. */
#define ACCESS(SCOPE, prefix, st, f, which, has_password, has_tls)                                             \
	{SCOPE = prefix "endpoints", STRINGS(st, f.endpoints, f.n_endpoints, LIMIT_ENDPOINTS), .only = which,  \
	 .example = "[\"http://10.0.0.1:2379\", \"http://10.0.0.2:2379\"]",                                    \
	 .help = "where the store is, any number; the next one is asked when one does not answer"},            \
	{SCOPE = prefix "username", STRING(st, f.username, 255), .only = which, .example = "\"vrrpd\"",        \
	 .help = "user to log in as"},                                                                         \
	{SCOPE = prefix "password", STRING(st, f.password, 1023), .only = which, .secret = true,               \
	 .syntax = CFG_SYNTAX_ANY, .shown = has_password, .example = "\"secret\"",                             \
	 .help = "its password; better in a file"},                                                            \
	{SCOPE = prefix "password_file", STRING(st, f.password_file, 1023), .only = which,                     \
	 CONTENT(st, f.password), .syntax = CFG_SYNTAX_PATH, .example = "\"/etc/vrrpd/etcd.pass\"",            \
	 .help = "file that holds the password in its only line"},                                             \
	{SCOPE = prefix "tls", GROUP, FLAG(st, f.tls), .only = which, .shown = has_tls,                        \
	 .example = "{ ca = \"/etc/ssl/ca.pem\"; }", .help = "certificates for https:// endpoints"},           \
	{SCOPE = prefix "tls.ca", STRING(st, f.tls_ca, 1023), .only = which, .syntax = CFG_SYNTAX_PATH,        \
	 .example = "\"/etc/ssl/ca.pem\"", .help = "certificates to trust; the system's when not written"},    \
	{SCOPE = prefix "tls.cert", STRING(st, f.tls_cert, 1023), .only = which, .syntax = CFG_SYNTAX_PATH,    \
	 .example = "\"/etc/vrrpd/client.pem\"", .help = "own certificate"},                                   \
	{SCOPE = prefix "tls.key", STRING(st, f.tls_key, 1023), .only = which, CONTENT(st, f.tls_key_pem),     \
	 .syntax = CFG_SYNTAX_PATH, .example = "\"/etc/vrrpd/client.key\"",                                    \
	 .help = "its private key; only its owner may read the file"},                                         \
	{SCOPE = prefix "tls.server_name", STRING(st, f.tls_server_name, 255), .only = which,                  \
	 .example = "\"etcd1\"", .help = "name in the server's certificate, when it is not the one asked"},    \
	{SCOPE = prefix "tls.verify", BOOL(st, f.tls_verify, true), .only = which,                             \
	 .help = "check the server's certificate"}

#define KIND(k) (1u << CFG_CHECK_##k)
#define ONLY(...) .kinds = (__VA_ARGS__)
#define LOGIN (KIND(PATRONI) | KIND(HTTP) | KIND(REDIS) | KIND(SENTINEL) | KIND(POSTGRES))
#define TLS (KIND(PATRONI) | KIND(HTTP) | KIND(REDIS) | KIND(SENTINEL))
#define TLS_PG (TLS | KIND(POSTGRES))

/* clang-format off: one option per paragraph */
static const struct cfg_option options[] = {
	{ROOT = "node", TEXT(cfg, node), .text = "the host's name", .example = "\"proxy1\"",
	 .alias = " router_id ", .help = "name of this host in status and events"},

	{ROOT = "engine", GROUP, .example = "{ realtime_priority = 50; }",
	 .help = "how the process that speaks VRRP runs"},
	{ROOT = "engine.realtime_priority", INT(cfg, engine.realtime_priority, 50, 0, 99), .restart = true,
	 .alias = " vrrp_rt_priority ", .help = "priority under SCHED_FIFO; 0: ordinary scheduling"},
	{ROOT = "engine.lock_memory", BOOL(cfg, engine.lock_memory, true), .restart = true,
	 .alias = " vrrp_no_swap ",
	 .help = "keep the engine in memory, so that paging never delays an advert"},
	{ROOT = "engine.address_lifetime", DURATION(cfg, engine.address_lifetime, SEC(3), SEC(2), HOUR),
	 .step = SEC(1), .zero = true,
	 .help = "the kernel removes an address this long after the engine stopped renewing it; 0s: never"},

	{ROOT = "control", GROUP, .example = "{ group = \"vrrpd\"; }", .help = "the status API"},
	{ROOT = "control.socket", STRING(cfg, control.socket, LIMIT_PATH - 1), .syntax = CFG_SYNTAX_PATH,
	 .text = NULL, .restart = true, .example = "\"/run/vrrpd/vrrpd.sock\"",
	 .help = "Unix socket of the API; vrrpd.sock in the run folder when not written"},
	{ROOT = "control.group", STRING(cfg, control.group, LIMIT_NAME - 1), .syntax = CFG_SYNTAX_NAME,
	 .restart = true, .text = "vrrpd", .example = "\"vrrpd\"", .help = "group whose members may use the socket"},
	{ROOT = "control.listen", STRING(cfg, control.listen, 0), .restart = true, .example = "\"127.0.0.1:9650\"",
	 .help = "address and port of a read-only API over TCP; none when not written"},
	{ROOT = "control.events", INT(cfg, control.events, 1000, 10, LIMIT_EVENTS),
	 .help = "how many events are kept in memory; also over restarts of the agent"},

	{ROOT = "notify", COMMAND(cfg, hooks.notify[CFG_NOTIFY_ANY]), .example = "\"/etc/vrrpd/notify.sh\"",
	 .help = "of every instance: run at each change of state, with keepalived's arguments and the reason"},
	{ROOT = "notify_active", COMMAND(cfg, hooks.notify[CFG_NOTIFY_ACTIVE]), .example = "\"/etc/vrrpd/notify.sh\"",
	 .alias = " notify_master ", .help = "of every instance: run when this host has become Active"},
	{ROOT = "notify_backup", COMMAND(cfg, hooks.notify[CFG_NOTIFY_BACKUP]), .example = "\"/etc/vrrpd/notify.sh\"",
	 .help = "of every instance: run when it has become Backup"},
	{ROOT = "notify_fault", COMMAND(cfg, hooks.notify[CFG_NOTIFY_FAULT]), .example = "\"/etc/vrrpd/notify.sh\"",
	 .help = "of every instance: run when it has become unfit"},
	{ROOT = "notify_stop", COMMAND(cfg, hooks.notify[CFG_NOTIFY_STOP]), .example = "\"/etc/vrrpd/notify.sh\"",
	 .help = "of every instance: run when it takes part no more: drained, stopped"},
	{ROOT = "notify_user", STRING(cfg, hooks.user, LIMIT_NAME - 1), .example = "\"root\"",
	 .alias = " script_user ", .help = "user that runs notify commands and gates; the agent's own when not written"},
	{ROOT = "notify_timeout", DURATION(cfg, hooks.timeout, SEC(30), MS(100), HOUR),
	 .help = "a notify command that takes longer is ended"},

	{ROOT = "checks", NAMED(cfg, checks, n_checks, CFG_SCOPE_CHECK, LIMIT_CHECKS),
	 .example = "{ haproxy: { kind = \"script\"; command = [\"/bin/true\"]; }; }",
	 .alias = " vrrp_script check track_script ", .help = "health checks, by name"},
	{CHECK = "kind", WORD(cfg_check, kind, CFG_CHECK_KIND_COUNT, kinds), .required = true,
	 .help = "what is checked"},
	{CHECK = "interval", DURATION(cfg_check, interval, SEC(1), MS(10), HOUR),
	 .help = "time from one run to the next"},
	{CHECK = "timeout", DURATION(cfg_check, timeout, 0, MS(10), HOUR), .text = "the interval",
	 .help = "a run that takes longer is ended"},
	{CHECK = "rise", INT(cfg_check, rise, 2, 1, 255), .unit = "runs",
	 .help = "good runs in a row until the check is up"},
	{CHECK = "fall", INT(cfg_check, fall, 2, 1, 255), .unit = "runs",
	 .help = "bad runs in a row until the check is down"},
	{CHECK = "on_timeout", WORD(cfg_check, on_timeout, CFG_POLICY_FAIL, policies),
	 .help = "a run that timed out counts as bad (fail) or not at all (hold)"},
	{CHECK = "on_stale", WORD(cfg_check, on_stale, CFG_POLICY_FAIL, policies),
	 .help = "without fresh results the check is down (fail) or stays what it was (hold)"},
	{CHECK = "initial", WORD(cfg_check, initial, CFG_INITIAL_PENDING, initials), .alias = " init_fail ",
	 .help = "what it counts as before its first result; pending: instances wait for it"},
	{CHECK = "score", STRING(cfg_check, score, 255), ONLY(KIND(SCRIPT) | KIND(HTTP)), .example = "\"output\"",
	 .help = "where a good run says its score: \"output\" of a script, \"header NAME\" or \"json PATH\" of a page"},
	{CHECK = "scale", INT(cfg_check, scale, 0, -253, 253), .shown = is_graded,
	 .help = "change of the priority at score 100, linear; negative: the score says how bad, positive: how good"},
	{CHECK = "hysteresis", INT(cfg_check, hysteresis, 5, 0, 100), .unit = "points", .shown = is_graded,
	 .help = "a new score counts when it differs by this much, or is 0 or 100"},
	{CHECK = "decay", DURATION(cfg_check, decay, 0, 0, 24 * HOUR), .shown = is_graded,
	 .help = "the score improves no faster than by 100 points in this time; 0s: at once"},
	{CHECK = "warmup", DURATION(cfg_check, warmup, 0, 0, 24 * HOUR), .shown = is_graded,
	 .help = "after it came up the change of the priority climbs from the worst for this long; 0s: none"},
	{CHECK = "command", STRINGS(cfg_check, command, n_command, LIMIT_COMMAND_ARGS), .required = true,
	 ONLY(KIND(SCRIPT)), .syntax = CFG_SYNTAX_ANY, .example = "[\"/usr/local/bin/check\", \"-q\"]",
	 .alias = " script ", .help = "program and its arguments; exit status 0 is good"},
	{CHECK = "user", STRING(cfg_check, user, LIMIT_NAME - 1), ONLY(KIND(SCRIPT)),
	 .example = "\"nobody\"", .help = "user that runs the command; the agent's own when not written"},
	{CHECK = "weight_from", WORD(cfg_check, weight_from, CFG_WEIGHT_FROM_NONE, weights_from), ONLY(KIND(SCRIPT)),
	 .help = "the exit status (2 to 255: a weight of 0 to 253) or the last line of output gives the weight"},
	{CHECK = "interface", STRING(cfg_check, interface, LIMIT_IFNAME - 1), .syntax = CFG_SYNTAX_IFNAME,
	 ONLY(KIND(INTERFACE) | KIND(ROUTE) | KIND(PING)), .example = "\"eth1\"",
	 .help = "interface that must exist, be up and have a carrier; of the route; of the echo requests"},
	{CHECK = "socket", STRING(cfg_check, socket, 255), ONLY(KIND(HAPROXY)), .required = true,
	 .example = "\"/run/haproxy/admin.sock\"", .help = "HAProxy's stats socket: a path, or address:port"},
	{CHECK = "url", STRING(cfg_check, url, 1023), ONLY(KIND(PATRONI) | KIND(HTTP)), .required = true,
	 .example = "\"http://127.0.0.1:8008\"", .help = "where to ask: http://, https:// or unix:/path:/path"},
	{CHECK = "address", STRING(cfg_check, address, 255),
	 ONLY(KIND(REDIS) | KIND(SENTINEL) | KIND(POSTGRES) | KIND(TCP) | KIND(PING) | KIND(INTERFACE)),
	 .example = "\"127.0.0.1:6379\"", .help = "address:port or the path of a socket; ping, interface: an address"},
	{CHECK = "username", STRING(cfg_check, username, 255), ONLY(LOGIN), .example = "\"vrrpd\"",
	 .help = "user to log in as"},
	{CHECK = "password", STRING(cfg_check, password, 1023), ONLY(LOGIN), .secret = true, .syntax = CFG_SYNTAX_ANY,
	 .shown = has_own_password, .example = "\"secret\"", .help = "its password; better in a file"},
	{CHECK = "password_file", STRING(cfg_check, password_file, 1023), ONLY(LOGIN), .syntax = CFG_SYNTAX_PATH,
	 CONTENT(cfg_check, password), .example = "\"/etc/vrrpd/redis.pass\"", .help = "file that holds the password in its only line"},
	{CHECK = "tls", GROUP, FLAG(cfg_check, tls), .shown = has_tls, ONLY(TLS_PG), .example = "{ ca = \"/etc/ssl/ca.pem\"; }",
	 .help = "speak TLS (https:// needs no group)"},
	{CHECK = "tls.ca", STRING(cfg_check, tls_ca, 1023), ONLY(TLS_PG), .syntax = CFG_SYNTAX_PATH,
	 .example = "\"/etc/ssl/ca.pem\"", .help = "certificates to trust; the system's when not written"},
	{CHECK = "tls.cert", STRING(cfg_check, tls_cert, 1023), ONLY(TLS), .syntax = CFG_SYNTAX_PATH,
	 .example = "\"/etc/vrrpd/client.pem\"", .help = "own certificate"},
	{CHECK = "tls.key", STRING(cfg_check, tls_key, 1023), ONLY(TLS), .syntax = CFG_SYNTAX_PATH,
	 CONTENT(cfg_check, tls_key_pem), .example = "\"/etc/vrrpd/client.key\"", .help = "its private key; only its owner may read the file"},
	{CHECK = "tls.server_name", STRING(cfg_check, tls_server_name, 255), ONLY(TLS_PG), .example = "\"redis1\"",
	 .help = "name in the server's certificate, when it is not the one asked"},
	{CHECK = "tls.verify", BOOL(cfg_check, tls_verify, true), ONLY(TLS_PG), .help = "check the server's certificate"},
	{CHECK = "backends", STRINGS(cfg_check, backends, n_backends, 64), ONLY(KIND(HAPROXY)),
	 .example = "[\"pg_primary\"]", .help = "backends that must have servers up"},
	{CHECK = "min_servers", INT(cfg_check, min_servers, 1, 1, 10000), ONLY(KIND(HAPROXY)), .unit = "servers",
	 .help = "servers up, active and backup ones together, in each of them"},
	{CHECK = "frontends", STRINGS(cfg_check, frontends, n_frontends, 64), ONLY(KIND(HAPROXY)),
	 .example = "[\"pg\"]", .help = "frontends that must be open"},
	{CHECK = "max_queue", INT(cfg_check, max_queue, 0, 0, 1000000), ONLY(KIND(HAPROXY)), .unit = "requests",
	 .help = "requests that may wait in each backend; 0: any"},
	{CHECK = "min_idle", INT(cfg_check, min_idle, 0, 0, 100), ONLY(KIND(HAPROXY)), .unit = "percent",
	 .help = "idle time that HAProxy must have left; 0: any"},
	{CHECK = "role", STRING(cfg_check, role, 63), ONLY(KIND(PATRONI) | KIND(REDIS) | KIND(POSTGRES)),
	 .example = "\"primary\"",
	 .help = "redis: master or replica; postgres: primary or replica; patroni: a health endpoint, \"health\" by default"},
	{CHECK = "max_lag", STRING(cfg_check, max_lag, 63), ONLY(KIND(PATRONI) | KIND(REDIS)), .example = "\"16MB\"",
	 .help = "how far a replica may be behind; patroni: octets, redis: time since it heard its master"},
	{CHECK = "cluster", BOOL(cfg_check, cluster, false), ONLY(KIND(REDIS)), .help = "Redis Cluster: its state must be ok"},
	{CHECK = "owns_slots", BOOL(cfg_check, owns_slots, false), ONLY(KIND(REDIS)),
	 .help = "Redis Cluster: this node must own slots"},
	{CHECK = "sentinels", STRINGS(cfg_check, sentinels, n_sentinels, 16), ONLY(KIND(REDIS)),
	 .example = "[\"10.0.0.1:26379\", \"10.0.0.2:26379\"]",
	 .help = "Sentinels that must agree that this is the master"},
	{CHECK = "master", STRING(cfg_check, master, 63), ONLY(KIND(REDIS) | KIND(SENTINEL)), .example = "\"mymaster\"",
	 .help = "name of the master at the Sentinels"},
	{CHECK = "self", STRING(cfg_check, self, 255), ONLY(KIND(REDIS) | KIND(SENTINEL)), .example = "\"10.0.0.1:6379\"",
	 .help = "this host's Redis as the Sentinels know it; any address of this host when not written"},
	{CHECK = "database", STRING(cfg_check, database, 63), ONLY(KIND(POSTGRES)), .example = "\"postgres\"",
	 .help = "database to log in to"},
	{CHECK = "method", STRING(cfg_check, method, 15), ONLY(KIND(HTTP)), .text = "GET", .example = "\"GET\"",
	 .help = "GET, HEAD or OPTIONS"},
	{CHECK = "status", STRING(cfg_check, status, 127), ONLY(KIND(HTTP)), .text = "200-299", .example = "\"200,204\"",
	 .help = "good statuses: numbers and ranges with commas"},
	{CHECK = "body", STRING(cfg_check, body, 255), ONLY(KIND(HTTP)), .syntax = CFG_SYNTAX_ANY, .example = "\"ok\"",
	 .help = "text that the first 64 KiB of the body must hold"},
	{CHECK = "send", STRING(cfg_check, send, 1023), ONLY(KIND(TCP)), .syntax = CFG_SYNTAX_ANY,
	 .example = "\"PING\\r\\n\"", .help = "text to send after connecting"},
	{CHECK = "expect", STRING(cfg_check, expect, 1023), ONLY(KIND(TCP)), .syntax = CFG_SYNTAX_ANY,
	 .example = "\"+PONG\"", .help = "text that the first 64 KiB of the answer must hold"},
	{CHECK = "process", STRING(cfg_check, process, 63), ONLY(KIND(PROCESS)), .example = "\"haproxy\"",
	 .help = "name of the process"},
	{CHECK = "pid_file", STRING(cfg_check, pid_file, 1023), ONLY(KIND(PROCESS)), .syntax = CFG_SYNTAX_PATH,
	 .example = "\"/run/haproxy.pid\"", .help = "file that holds its number"},
	{CHECK = "cgroup", STRING(cfg_check, cgroup, 1023), ONLY(KIND(PROCESS)), .example = "\"system.slice/haproxy.service\"",
	 .help = "control group that must have a process"},
	{CHECK = "unit", STRING(cfg_check, unit, 255), ONLY(KIND(UNIT)), .required = true, .example = "\"haproxy.service\"",
	 .help = "systemd unit that must be active"},
	{CHECK = "path", STRING(cfg_check, path, 1023), ONLY(KIND(FILE)), .required = true, .syntax = CFG_SYNTAX_PATH,
	 .example = "\"/etc/vrrpd/maintenance\"", .help = "the file that is looked at, by its whole path"},
	{CHECK = "content", WORD(cfg_check, content, CFG_FILE_ABSENT, contents), ONLY(KIND(FILE)),
	 .help = "up while it is absent, while it is present, or the number in it is the weight (0: up)"},
	{CHECK = "destination", STRING(cfg_check, destination, 63), ONLY(KIND(ROUTE)), .text = "default",
	 .example = "\"default\"", .help = "\"default\", \"default6\" or a network that must have a route"},
	{CHECK = "via", STRING(cfg_check, via, 63), ONLY(KIND(ROUTE)), .example = "\"10.0.0.254\"",
	 .help = "its gateway; any when not written"},
	{CHECK = "table", INT(cfg_check, table, 254, 1, 2147483647), ONLY(KIND(ROUTE)), .unit = "of a routing table",
	 .help = "routing table; 254 is the main one"},

	{ROOT = "stores", NAMED(cfg, stores, n_stores, CFG_SCOPE_STORE, LIMIT_STORES),
	 .example = "{ etcd: { kind = \"etcd3\"; endpoints = [\"http://10.0.0.1:2379\"]; }; }",
	 .help = "stores that several instances share, by name"},
	{STORE = "kind", WORD(cfg_store, kind, CFG_STORE_ETCD3, store_kinds), .help = "how it is spoken to"},
	ACCESS(STORE, "", cfg_store, access, CFG_ONLY_ALL, has_store_password, has_store_tls),

	{ROOT = "instances", LIST(cfg, instances, n_instances, CFG_SCOPE_INSTANCE, 0, LIMIT_INSTANCES),
	 .example = "( { name = \"pg\"; interface = \"eth0\"; vrid = 51; addresses = (\"192.0.2.10/24\"); } )",
	 .alias = " vrrp_instance ", .help = "virtual routers of this host"},
	{INSTANCE = "name", TEXT(cfg_instance, name), .required = true, .syntax = CFG_SYNTAX_NAME,
	 .example = "\"pg\"", .help = "name in status, events and commands"},
	{INSTANCE = "mode", WORD(cfg_instance, mode, CFG_MODE_VRRP, modes),
	 .help = "how the holder is found"},
	{INSTANCE = "interface", TEXT(cfg_instance, interface), .required = true, .syntax = CFG_SYNTAX_IFNAME,
	 .example = "\"eth0\"", .help = "interface of adverts and, unless they say otherwise, of addresses"},
	{INSTANCE = "vrid", INT(cfg_instance, vrid, 0, 1, 255), .required = true, .only = CFG_ONLY_VRRP,
	 .alias = " virtual_router_id ", .help = "number of the virtual router, the same on all its hosts"},
	{INSTANCE = "version", INT(cfg_instance, version, 3, 2, 3), .only = CFG_ONLY_VRRP, .alias = " vrrp_version ",
	 .help = "VRRP version: 3 (RFC 9568) or 2 (RFC 3768, IPv4 only)"},
	{INSTANCE = "priority", INT(cfg_instance, priority, 100, 1, 255),
	 .help = "the fit host with the highest is Active; 255: owner of the addresses"},
	{INSTANCE = "advert_interval", DURATION(cfg_instance, advert_interval, SEC(1), MS(10), SEC(255)), .only = CFG_ONLY_VRRP,
	 .alias = " advert_int ", .help = "time between adverts while Active"},
	{INSTANCE = "preempt", BOOL(cfg_instance, preempt, true), .only = CFG_ONLY_VRRP, .alias = " nopreempt ",
	 .help = "take over from an Active host of lower priority"},
	{INSTANCE = "preempt_delay", DURATION(cfg_instance, preempt_delay, 0, 0, SEC(1000)), .only = CFG_ONLY_VRRP,
	 .help = "wait this long before preempting"},
	{INSTANCE = "start_delay", DURATION(cfg_instance, start_delay, 0, 0, SEC(1000)),
	 .alias = " vrrp_startup_delay ", .help = "wait this long after the start before taking part"},
	{INSTANCE = "down_adverts", INT(cfg_instance, down_adverts, 3, 1, 100), .only = CFG_ONLY_VRRP, .unit = "adverts",
	 .alias = " down_timer_adverts ",
	 .help = "adverts that must fail to come before Active counts as gone"},
	{INSTANCE = "v3_checksum", WORD(cfg_instance, v3_checksum, CFG_CHECKSUM_AUTO, checksums),
	 .only = CFG_ONLY_V3, .alias = " v3_checksum_as_v2 v3_checksum_type ",
	 .help = "checksum over IPv4: RFC 9568's, RFC 5798's (keepalived), or whichever the peer uses"},
	{INSTANCE = "addresses", LIST(cfg_instance, addresses, n_addresses, CFG_SCOPE_ADDRESS, 1, 0),
	 .required = true, .compact = true, .example = "(\"192.0.2.10/24\")", .alias = " virtual_ipaddress ",
	 .help = "addresses of the virtual router, all of one family, advertised in this order"},
	{INSTANCE = "extra_addresses", LIST(cfg_instance, extra_addresses, n_extra, CFG_SCOPE_ADDRESS, 0, 0),
	 .compact = true, .example = "(\"192.0.2.11/24\")", .alias = " virtual_ipaddress_excluded ",
	 .help = "addresses of any family that are held too, but not advertised"},
	{INSTANCE = "reset_connections", BOOL(cfg_instance, reset_connections, true),
	 .help = "reset TCP connections to addresses that leave this host, so that clients reconnect at once"},
	{INSTANCE = "track", LIST(cfg_instance, tracks, n_tracks, CFG_SCOPE_TRACK, 0, LIMIT_TRACKS),
	 .compact = true, .example = "( { check = \"haproxy\"; weight = -60; } )",
	 .alias = " track_script track_interface ",
	 .help = "what changes the priority, or makes the host unfit when it has no weight"},

	{INSTANCE = "notify", COMMAND(cfg_instance, hooks.notify[CFG_NOTIFY_ANY]), .example = "\"/etc/vrrpd/notify.sh\"",
	 .help = "run at each change of state, with keepalived's arguments and the reason"},
	{INSTANCE = "notify_active", COMMAND(cfg_instance, hooks.notify[CFG_NOTIFY_ACTIVE]), .example = "\"/etc/vrrpd/notify.sh\"",
	 .alias = " notify_master ", .help = "run when this host has become Active"},
	{INSTANCE = "notify_backup", COMMAND(cfg_instance, hooks.notify[CFG_NOTIFY_BACKUP]), .example = "\"/etc/vrrpd/notify.sh\"",
	 .help = "run when it has become Backup"},
	{INSTANCE = "notify_fault", COMMAND(cfg_instance, hooks.notify[CFG_NOTIFY_FAULT]), .example = "\"/etc/vrrpd/notify.sh\"",
	 .help = "run when it has become unfit"},
	{INSTANCE = "notify_stop", COMMAND(cfg_instance, hooks.notify[CFG_NOTIFY_STOP]), .example = "\"/etc/vrrpd/notify.sh\"",
	 .help = "run when it takes part no more: drained, stopped"},
	{INSTANCE = "notify_user", STRING(cfg_instance, hooks.user, LIMIT_NAME - 1), .example = "\"root\"",
	 .help = "user that runs these and the gate; as for all instances when not written"},
	{INSTANCE = "notify_timeout", DURATION(cfg_instance, hooks.timeout, 0, MS(100), HOUR), .text = "as for all instances",
	 .help = "one of them that takes longer is ended"},
	{INSTANCE = "gate", COMMAND(cfg_instance, gate), .example = "\"/etc/vrrpd/may-take-over.sh\"",
	 .help = "command that must succeed before the addresses come"},
	{INSTANCE = "gate_timeout", DURATION(cfg_instance, gate_timeout, SEC(5), MS(100), HOUR),
	 .help = "a gate that takes longer has refused"},
	{INSTANCE = "services", LIST(cfg_instance, services, n_services, CFG_SCOPE_SERVICE, 0, LIMIT_SERVICES),
	 .example = "( { unit = \"haproxy.service\"; } )",
	 .help = "what runs where the addresses are and nowhere else: started in this order, stopped in reverse"},

	{INSTANCE = "leader", GROUP, FLAG(cfg_instance, leader.present), .shown = has_leader, .only = CFG_ONLY_FOLLOW, .required = true,
	 .example = "{ store = \"etcd3\"; endpoints = [\"http://10.0.0.1:2379\"]; key = \"/service/batman/leader\"; }",
	 .help = "mode follow: the key that says where the addresses belong"},
	{INSTANCE = "leader.store", STRING(cfg_instance, leader.store, LIMIT_NAME - 1), .only = CFG_ONLY_FOLLOW, .required = true,
	 .syntax = CFG_SYNTAX_NAME, .example = "\"etcd3\"", .help = "a kind of store, or the name of one of stores"},
	ACCESS(INSTANCE, "leader.", cfg_instance, leader.access, CFG_ONLY_FOLLOW, has_leader_password, has_leader_tls),
	{INSTANCE = "leader.key", STRING(cfg_instance, leader.key, 1023), .only = CFG_ONLY_FOLLOW,
	 .example = "\"/service/batman/leader\"", .help = "key that names the leader"},
	{INSTANCE = "leader.value", STRING(cfg_instance, leader.value, 255), .only = CFG_ONLY_FOLLOW, .example = "\"node1\"",
	 .help = "what the key holds when this host is the leader; node when not written"},
	{INSTANCE = "leader.master", STRING(cfg_instance, leader.master, 255), .only = CFG_ONLY_FOLLOW, .example = "\"mymaster\"",
	 .help = "store \"sentinel\": name of the master that the Sentinels watch"},
	{INSTANCE = "leader.self", STRING(cfg_instance, leader.self, 255), .only = CFG_ONLY_FOLLOW, .example = "\"10.0.0.1:6379\"",
	 .help = "store \"sentinel\": this host's Redis as they know it; any own address when not written"},
	{INSTANCE = "leader.patroni", STRING(cfg_instance, leader.patroni, 1023), .only = CFG_ONLY_FOLLOW,
	 .example = "\"http://127.0.0.1:8008\"", .help = "on_store_loss = \"patroni\": URL of the local Patroni"},
	{INSTANCE = "lease", GROUP, FLAG(cfg_instance, lease.present), .shown = has_lease, .only = CFG_ONLY_LEASE, .required = true,
	 .example = "{ store = \"etcd3\"; endpoints = [\"http://10.0.0.1:2379\"]; key = \"/vrrpd/pg\"; }",
	 .help = "mode lease: who has the lease of this key has the addresses"},
	{INSTANCE = "lease.store", STRING(cfg_instance, lease.store, LIMIT_NAME - 1), .only = CFG_ONLY_LEASE, .required = true,
	 .syntax = CFG_SYNTAX_NAME, .example = "\"etcd3\"", .help = "a kind of store, or the name of one of stores"},
	ACCESS(INSTANCE, "lease.", cfg_instance, lease.access, CFG_ONLY_LEASE, has_lease_password, has_lease_tls),
	{INSTANCE = "lease.key", STRING(cfg_instance, lease.key, 1023), .only = CFG_ONLY_LEASE, .required = true,
	 .example = "\"/vrrpd/pg\"", .help = "own key, the same on all hosts of this address"},
	{INSTANCE = "lease.value", STRING(cfg_instance, lease.value, 255), .only = CFG_ONLY_LEASE, .example = "\"node1\"",
	 .help = "what this host writes into it; node when not written"},
	{INSTANCE = "lease.ttl", DURATION(cfg_instance, lease.ttl, SEC(5), SEC(2), HOUR), .only = CFG_ONLY_LEASE, .step = SEC(1),
	 .help = "the lease lasts so long without being renewed"},
	{INSTANCE = "arbiter", GROUP, FLAG(cfg_instance, arbiter.present), .shown = has_arbiter, .only = CFG_ONLY_VRRP,
	 .example = "{ store = \"etcd3\"; endpoints = [\"http://10.0.0.1:2379\"]; key = \"/vrrpd/pg\"; }",
	 .help = "mode vrrp: the addresses are taken only with a lease in hand, and lost with it"},
	{INSTANCE = "arbiter.store", STRING(cfg_instance, arbiter.store, LIMIT_NAME - 1), .only = CFG_ONLY_VRRP, .required = true,
	 .syntax = CFG_SYNTAX_NAME, .example = "\"etcd3\"", .help = "a kind of store, or the name of one of stores"},
	ACCESS(INSTANCE, "arbiter.", cfg_instance, arbiter.access, CFG_ONLY_VRRP, has_arbiter_password, has_arbiter_tls),
	{INSTANCE = "arbiter.key", STRING(cfg_instance, arbiter.key, 1023), .only = CFG_ONLY_VRRP, .required = true,
	 .example = "\"/vrrpd/pg\"", .help = "own key, the same on all hosts of this virtual router"},
	{INSTANCE = "arbiter.value", STRING(cfg_instance, arbiter.value, 255), .only = CFG_ONLY_VRRP, .example = "\"node1\"",
	 .help = "what this host writes into it; node when not written"},
	{INSTANCE = "arbiter.ttl", DURATION(cfg_instance, arbiter.ttl, SEC(5), SEC(2), HOUR), .only = CFG_ONLY_VRRP, .step = SEC(1),
	 .help = "the lease lasts so long without being renewed"},
	{INSTANCE = "arbiter.hold_without_store", BOOL(cfg_instance, arbiter_holds, true), .only = CFG_ONLY_VRRP,
	 .help = "go on while most endpoints say that there is no service: then nobody can have the lease"},
	{INSTANCE = "on_store_loss", WORD(cfg_instance, on_store_loss, CFG_STORE_LOSS_HOLD_LEASE, store_losses),
	 .only = CFG_ONLY_STORE,
	 .help = "without the store: hold as long as the last confirmed lease lasts, release, hold, or ask Patroni"},

	{INSTANCE = "unicast", GROUP, .only = CFG_ONLY_VRRP, FLAG(cfg_instance, unicast), .shown = has_unicast,
	 .example = "{ peers = [\"192.0.2.2\"]; }", .alias = " unicast_peer ",
	 .help = "adverts go to these hosts instead of the multicast group"},
	{INSTANCE = "unicast.source", IP(cfg_instance, unicast_source), .only = CFG_ONLY_VRRP, .example = "\"192.0.2.1\"",
	 .alias = " unicast_src_ip ", .help = "own address of adverts; the interface's when not written"},
	{INSTANCE = "unicast.peers", IPS(cfg_instance, peers, n_peers, LIMIT_UNICAST_PEERS), .only = CFG_ONLY_VRRP, .required = true,
	 .example = "[\"192.0.2.2\", \"192.0.2.3\"]", .help = "the other hosts; nobody else is listened to"},
	{INSTANCE = "unicast.ttl_min", INT(cfg_instance, unicast_ttl_min, 0, 1, 255), .only = CFG_ONLY_VRRP, .text = "255, IPv6: 64",
	 .alias = " check_unicast_src unicast_ttl ", .help = "smallest TTL or hop limit accepted from a peer"},

	{INSTANCE = "auth", GROUP, .only = CFG_ONLY_V2, .example = "{ pass = \"secret\"; }",
	 .alias = " authentication ",
	 .help = "the password of VRRP version 2 (RFC 2338), readable on the wire"},
	{INSTANCE = "auth.pass", STRING(cfg_instance, auth_pass, 0), .only = CFG_ONLY_V2, .secret = true,
	 .syntax = CFG_SYNTAX_ANY, .shown = has_own_pass, .example = "\"secret\"", .alias = " auth_pass ",
	 .help = "password of 1 to 8 octets"},
	{INSTANCE = "auth.pass_file", STRING(cfg_instance, auth_pass_file, 0), .only = CFG_ONLY_V2,
	 CONTENT(cfg_instance, auth_pass), .syntax = CFG_SYNTAX_PATH, .example = "\"/etc/vrrpd/pg.pass\"",
	 .help = "file that holds the password in its only line"},

	{INSTANCE = "garp", GROUP, .example = "{ repeat = 5; }",
	 .help = "gratuitous ARP and unsolicited neighbour advertisements"},
	{INSTANCE = "garp.repeat", INT(cfg_instance, garp_repeat, 5, 1, 100), .unit = "frames",
	 .alias = " garp_master_repeat ", .help = "frames for each address in one burst"},
	{INSTANCE = "garp.delay", DURATION(cfg_instance, garp_delay, SEC(5), 0, HOUR),
	 .alias = " garp_master_delay ", .help = "a second burst comes this long after the first; 0s: none"},
	{INSTANCE = "garp.refresh", DURATION(cfg_instance, garp_refresh, 0, SEC(1), 24 * HOUR), .zero = true,
	 .alias = " garp_master_refresh ", .help = "repeat one frame for each address this often; 0s: never"},
	{INSTANCE = "garp.interval", DURATION(cfg_instance, garp_interval, 0, 0, SEC(1)),
	 .alias = " garp_interval ",
	 .help = "least time between two frames; 0s: as fast as the engine paces them"},

	{ADDRESS = "address", PREFIX(cfg_address, prefix), .required = true, .shorthand = true,
	 .example = "\"192.0.2.10/24\"", .help = "the address with the length of its network"},
	{ADDRESS = "interface", TEXT(cfg_address, interface), FLAG(cfg_address, own_interface),
	 .shown = has_own_interface, .syntax = CFG_SYNTAX_IFNAME, .text = "the instance's",
	 .example = "\"eth1\"", .alias = " dev ", .help = "where the address goes"},

	{TRACK = "check", TEXT(cfg_track, name), .shown = tracks_check, .syntax = CFG_SYNTAX_NAME,
	 .example = "\"haproxy\"", .help = "name of a check"},
	{TRACK = "interface", TEXT(cfg_track, name), FLAG(cfg_track, is_interface), .shown = tracks_interface,
	 .syntax = CFG_SYNTAX_IFNAME, .example = "\"eth1\"", .help = "an interface, instead of a check"},
	{TRACK = "inverted", BOOL(cfg_track, inverted, false), .shown = is_inverted, .alias = " reverse ",
	 .help = "down counts as up, and up as down"},
	{TRACK = "weight", INT(cfg_track, weight, 0, -253, 253), FLAG(cfg_track, has_weight),
	 .shown = has_weight,
	 .help = "added to the priority: negative while down, positive while up; without it down means unfit"},

	{SERVICE = "name", TEXT(cfg_service, name), .syntax = CFG_SYNTAX_NAME, .text = "the unit's", .example = "\"haproxy\"",
	 .help = "name in status and events"},
	{SERVICE = "unit", STRING(cfg_service, unit, 255), .shorthand = true, .example = "\"haproxy.service\"",
	 .help = "systemd unit, instead of the three commands"},
	{SERVICE = "start", COMMAND(cfg_service, start), .shown = has_own_commands, .example = "[\"/etc/init.d/app\", \"start\"]",
	 .help = "command that starts it and ends when it runs"},
	{SERVICE = "stop", COMMAND(cfg_service, stop), .shown = has_own_commands, .example = "[\"/etc/init.d/app\", \"stop\"]",
	 .help = "command that stops it and ends when it has stopped"},
	{SERVICE = "status", COMMAND(cfg_service, status), .shown = has_own_commands, .example = "[\"/etc/init.d/app\", \"status\"]",
	 .help = "command with exit status 0 while it runs"},
	{SERVICE = "user", STRING(cfg_service, user, LIMIT_NAME - 1), .example = "\"root\"",
	 .help = "user that runs the commands; the agent's own when not written, root for a unit"},
	{SERVICE = "timeout", DURATION(cfg_service, timeout, SEC(30), MS(100), HOUR),
	 .help = "a command that takes longer is ended, and has failed"},
	{SERVICE = "interval", DURATION(cfg_service, interval, SEC(5), MS(100), HOUR),
	 .help = "how often its status is asked while it is to run"},
	{SERVICE = "migration_threshold", INT(cfg_service, migration_threshold, 3, 0, 1000), .unit = "failures",
	 .help = "so many make the host unfit; 0: none do"},
	{SERVICE = "failure_decay", DURATION(cfg_service, failure_decay, SEC(600), SEC(1), 24 * HOUR),
	 .alias = " failure_timeout ", .help = "one failure is forgotten after each such time"},
};
/* clang-format on */

const struct cfg_option *
cfg_option_at(size_t i)
{
	return i < ARRAY_SIZE(options) ? &options[i] : NULL;
}
