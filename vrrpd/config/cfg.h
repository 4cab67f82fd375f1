/*
 * cfg.h - the configuration: read, checked, printed.
 *
 * One table of options (cfg_options.c) drives parsing, --check and --print. Reading never touches live state:
 * it yields a whole configuration or every error found. Runs in the parent; the only libconfig user is
 * cfg_read.c.
 */
#ifndef VRRPD_CONFIG_CFG_H
#define VRRPD_CONFIG_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/limits.h"
#include "base/time.h"

#define CFG_DEFAULT_FILE "/etc/vrrpd/vrrpd.conf"

enum cfg_mode { CFG_MODE_VRRP, CFG_MODE_FOLLOW, CFG_MODE_LEASE };
enum cfg_store_loss { CFG_STORE_LOSS_HOLD_LEASE, CFG_STORE_LOSS_RELEASE, CFG_STORE_LOSS_HOLD, CFG_STORE_LOSS_PATRONI };
/* How a store is spoken to; the words of option `store`. */
enum cfg_store_kind {
	CFG_STORE_ETCD3,
	CFG_STORE_ETCD2,
	CFG_STORE_CONSUL,
	CFG_STORE_PATRONI,
	CFG_STORE_SENTINEL,
	CFG_STORE_KIND_COUNT
};
enum cfg_checksum { CFG_CHECKSUM_AUTO, CFG_CHECKSUM_RFC9568, CFG_CHECKSUM_RFC5798 };
enum cfg_check_kind {
	CFG_CHECK_SCRIPT,
	CFG_CHECK_INTERFACE,
	CFG_CHECK_HAPROXY,
	CFG_CHECK_PATRONI,
	CFG_CHECK_REDIS,
	CFG_CHECK_SENTINEL,
	CFG_CHECK_POSTGRES,
	CFG_CHECK_HTTP,
	CFG_CHECK_TCP,
	CFG_CHECK_PROCESS,
	CFG_CHECK_UNIT,
	CFG_CHECK_FILE,
	CFG_CHECK_ROUTE,
	CFG_CHECK_PING,
	CFG_CHECK_KIND_COUNT
};
enum cfg_policy { CFG_POLICY_FAIL, CFG_POLICY_HOLD };
enum cfg_initial { CFG_INITIAL_PENDING, CFG_INITIAL_UP, CFG_INITIAL_DOWN };
enum cfg_weight_from { CFG_WEIGHT_FROM_NONE, CFG_WEIGHT_FROM_EXIT, CFG_WEIGHT_FROM_OUTPUT };
enum cfg_file_content { CFG_FILE_ABSENT, CFG_FILE_PRESENT, CFG_FILE_NUMBER };

/* A program and its arguments. */
struct cfg_command {
	size_t n; /* 0 = none, ..LIMIT_COMMAND_ARGS */
	char **words; /* words[0] is an absolute path */
};

/* Which change of state a notify command is for; the last one is for each. */
enum cfg_notify {
	CFG_NOTIFY_ACTIVE,
	CFG_NOTIFY_BACKUP,
	CFG_NOTIFY_FAULT,
	CFG_NOTIFY_STOP,
	CFG_NOTIFY_ANY,
	CFG_NOTIFY_COUNT
};

struct cfg_hooks {
	struct cfg_command notify[CFG_NOTIFY_COUNT];
	char *user;	/* who runs them; of an instance NULL: as for all instances; NULL there: the agent's own */
	usec_t timeout; /* each is ended after this; 100 ms..1 h, default 30 s, of an instance: as for all */
};

struct cfg_engine {
	int realtime_priority;	 /* SCHED_FIFO 1..99, 0 = ordinary scheduling; default 50 */
	bool lock_memory;	 /* default true */
	usec_t address_lifetime; /* lifetime of addresses in the kernel; 0 = permanent; whole seconds, 2 s..1 h;
				    default 3 s */
};

struct cfg_control {
	char *socket; /* status socket; default RUN_DIR/vrrpd.sock (NULL = that default) */
	char *group;  /* group that may use it; default "vrrpd" */
	char *listen; /* "address:port" of the read-only listener, or NULL */
	int events;   /* kept for GET /v1/events; 10..LIMIT_EVENTS, default 1000 */
};

struct cfg_check {
	char name[LIMIT_NAME];
	int line;
	enum cfg_check_kind kind;
	usec_t interval;	    /* 10 ms..1 h, default 1 s */
	usec_t timeout;		    /* 10 ms..1 h, default the interval */
	int rise;		    /* 1..255, default 2 */
	int fall;		    /* 1..255, default 2 */
	enum cfg_policy on_timeout; /* default fail: a time-out counts as a failure */
	enum cfg_policy on_stale;   /* default fail: no fresh results (agent gone) make it failed */
	enum cfg_initial initial;   /* verdict before the first result; default pending */
	int scale;		    /* graded: change of the priority at score 100, -253..253; 0: not graded */
	int hysteresis;		    /* 0..100 points of the score, default 5 */
	usec_t decay, warmup;	    /* 0..1 d, default 0: none */
	/* script */
	size_t n_command; /* 1..LIMIT_COMMAND_ARGS */
	char **command;	  /* command[0] is an absolute path */
	char *user;	  /* NULL: the agent's own user */
	enum cfg_weight_from weight_from;
	/*
	 * Everything below goes to the agent as text by its path (cfg_check_options); which kind has what is said in
	 * the table of options.
	 */
	char *score; /* script: "output"; http: "header NAME" or "json PATH"; or NULL */
	char *interface;
	char *socket;	/* haproxy: path, or address:port */
	char *url;	/* patroni, http */
	char *address;	/* redis, sentinel, postgres, tcp: address:port or path; interface: address; ping: address */
	char *username; /* patroni, http, redis, sentinel, postgres */
	char *password, *password_file;
	bool tls; /* the group is present */
	char *tls_ca, *tls_cert, *tls_key, *tls_server_name;
	char *tls_key_pem; /* content of tls_key */
	bool tls_verify;
	size_t n_backends, n_frontends;
	char **backends, **frontends;
	int min_servers, min_idle, max_queue;
	char *role;    /* patroni, redis, postgres */
	char *max_lag; /* patroni: octets with a unit; redis: a duration */
	bool cluster, owns_slots;
	size_t n_sentinels;
	char **sentinels; /* redis, sentinel */
	char *master;	  /* redis, sentinel: its name at the Sentinels */
	char *self;	  /* redis, sentinel: address by which the Sentinels know this host */
	char *database;
	char *method, *status, *body; /* http */
	char *send, *expect;	      /* tcp */
	char *process, *pid_file, *cgroup;
	char *unit;
	char *path;		       /* file */
	enum cfg_file_content content; /* file */
	char *destination, *via;       /* route */
	int table;
};

struct cfg_address {
	struct ip_prefix prefix;
	char interface[LIMIT_IFNAME]; /* where it goes; filled from the instance when not given */
	bool own_interface;	      /* named in the entry itself (for --print) */
};

struct cfg_track {
	bool is_interface;
	char name[LIMIT_NAME]; /* check or interface */
	bool has_weight;
	int weight;    /* -253..253, not 0 */
	bool inverted; /* down counts as up, and up as down */
};

/* What must run where the addresses are: a unit, or a program with three commands. */
struct cfg_service {
	char name[LIMIT_NAME]; /* default: the unit's, cut */
	char *unit;	       /* systemd unit; the commands are then filled in, as root's */
	struct cfg_command start, stop, status;
	char *user;		 /* who runs them; NULL: the agent's own */
	usec_t timeout;		 /* of each command; 100 ms..1 h, default 30 s */
	usec_t interval;	 /* how often its status is asked; 100 ms..1 h, default 5 s */
	usec_t failure_decay;	 /* one failure is forgotten after each such time; 1 s..1 d, default 10 min */
	int migration_threshold; /* failures that make the node unfit; 0..1000, default 3, 0: none do */
};

/* How a store is reached. */
struct cfg_access {
	size_t n_endpoints;
	char **endpoints; /* URLs; of Sentinels address:port */
	char *username, *password, *password_file;
	bool tls; /* the group is present */
	char *tls_ca, *tls_cert, *tls_key, *tls_server_name;
	char *tls_key_pem; /* content of tls_key */
	bool tls_verify;
};

/* One that several instances share. */
struct cfg_store {
	char name[LIMIT_NAME];
	enum cfg_store_kind kind;
	struct cfg_access access;
};

/* The leader key of an instance (mode follow), or its lease (mode lease). */
struct cfg_leader {
	bool present; /* the group is written */
	char *store;  /* a kind, or the name of a shared one */
	const struct cfg_store *shared; /* that one; else NULL and `access` says how */
	enum cfg_store_kind kind;
	struct cfg_access access;
	char *key;   /* not of PATRONI and SENTINEL */
	char *value; /* names this node; default the node's name */
	char *master, *self; /* SENTINEL: whom, and this host's address:port; NULL = any own address */
	char *patroni;	     /* on_store_loss = "patroni": where that is; NULL = it is not asked */
	usec_t ttl;  /* lease; 2 s..1 h, default 5 s */
};

struct cfg_instance {
	char name[LIMIT_NAME];
	int line;
	enum cfg_mode mode;
	char interface[LIMIT_IFNAME];
	int vrid;		/* 1..255, required */
	int version;		/* 2 or 3, default 3 */
	int priority;		/* 1..255, default 100 */
	usec_t advert_interval; /* v3: 10 ms..40.95 s in steps of 10 ms; v2: whole seconds 1..255; default 1 s
				 */
	bool preempt;		/* default true */
	usec_t preempt_delay;	/* 0..1000 s */
	usec_t start_delay;	/* 0..1000 s */
	int down_adverts;	/* 1..100, default 3 */
	enum cfg_checksum v3_checksum;
	uint8_t family;	    /* enum ip_family of the addresses; from the first one */
	size_t n_addresses; /* advertised, 1..255 (and what fits one packet) */
	struct cfg_address *addresses;
	size_t n_extra; /* held, not advertised; any family */
	struct cfg_address *extra_addresses;
	size_t n_tracks;
	struct cfg_track *tracks;
	struct cfg_hooks hooks;
	struct cfg_command gate; /* must succeed before the addresses come */
	usec_t gate_timeout;	 /* 100 ms..1 h, default 5 s */
	enum cfg_store_loss on_store_loss; /* modes follow and lease */
	struct cfg_leader leader;	   /* follow */
	struct cfg_leader lease;	   /* lease */
	struct cfg_leader arbiter;	   /* vrrp: a lease that the holder must have */
	bool arbiter_holds; /* when the store itself is away the holder goes on; default true */
	size_t n_services;
	struct cfg_service *services; /* started in this order, stopped in reverse */
	bool unicast;		       /* the group is present */
	struct ip_addr unicast_source; /* family none: the interface's own address */
	size_t n_peers;
	struct ip_addr *peers;
	int unicast_ttl_min;  /* smallest TTL or hop limit accepted from peers, 1..255; default 255, IPv6: 64 */
	char *auth_pass;      /* v2 password in clear, 1..8 octets, or NULL */
	char *auth_pass_file; /* file that holds it, or NULL; auth_pass is then filled from it */
	int garp_repeat;      /* frames per address in each burst, 1..100, default 5 */
	usec_t garp_delay;    /* second burst after this long, 0 = none, default 5 s */
	usec_t garp_refresh;  /* period of refresh while Active, 0 = off (default), else 1 s..1 d */
	bool reset_connections; /* TCP connections to addresses that leave this host are reset; default true */
	usec_t garp_interval; /* least time between two frames, 0 = as fast as the engine paces, ..1 s */
};

struct cfg {
	char *file; /* where it was read from */
	char node[LIMIT_NODE];
	struct cfg_engine engine;
	struct cfg_control control;
	struct cfg_hooks hooks; /* for every instance, besides its own */
	size_t n_checks;
	struct cfg_check *checks;
	size_t n_stores;
	struct cfg_store *stores;
	size_t n_instances;
	struct cfg_instance *instances;
};

/*
 * All errors of one run in the order of the file, each one finished line: "file:line: option.path: what is
 * wrong: what to write instead". An instance is addressed by its name, or as instances[2] (counted from 0) when
 * it has none. What belongs to no option has no path, what belongs to no line has no line: "file: ...".
 */
struct cfg_errors {
	size_t n;
	char **v;
};

void cfg_errors_free(struct cfg_errors *e);

/*
 * Read and check a file (@include works). 0 and *ret (free with cfg_free), or -EINVAL with at least one error
 * in *errors (also when the file cannot be read). Ends the process when memory is exhausted.
 */
int cfg_load(const char *file, struct cfg **ret, struct cfg_errors *errors);

void cfg_free(struct cfg *c); /* NULL is fine */

/* Print the whole effective configuration, defaults included, so that reading it back gives the same. 0 or
 * -errno. */
int cfg_print(const struct cfg *c, FILE *out);

/* The same with passwords masked, for whoever may read the status. 0 or -errno. */
int cfg_print_public(const struct cfg *c, FILE *out);

/*
 * Call fn for each option of a check that belongs to its kind alone and has a value, with its path and its value as
 * text: a string as it is, a number in decimal, a duration in microseconds, a flag as 0 or 1, a word as it is written; a
 * list one element at a time. Passwords and keys from files are given by their content. Stops when fn returns not 0,
 * and returns that.
 */
int cfg_check_options(const struct cfg_check *k, int (*fn)(void *arg, const char *path, const char *text), void *arg);

/*
 * The same for the leader or lease of an instance: "store" (its kind), "endpoints", "key", "value", "master", "self", "patroni", "ttl", "username",
 * "password", "tls", "tls.ca", "tls.cert", "tls.key", "tls.server_name", "tls.verify" (cfg_leader.c).
 */
int cfg_leader_options(const struct cfg_leader *l, int (*fn)(void *arg, const char *path, const char *text), void *arg);

/* The one of an instance, by its mode; NULL: it has none. Of an arbiter it is a lease, too. */
const struct cfg_leader *cfg_leader_of(const struct cfg_instance *i);

/* The word of a kind of store: "etcd3". */
const char *cfg_store_kind_name(enum cfg_store_kind k);

/*
 * May root execute this file, which is to say: can nobody else change it? An ordinary file of root, and it and every
 * folder and symbolic link on the way to it writable by root alone (a folder for all with the sticky bit, like /tmp, is
 * none to replace root's files in). False with what is wrong in `why` (cfg_root_file.c).
 */
bool cfg_command_for_root(const char *path, char *why, size_t size);

/*
 * One of the commands of hooks, gates and services, in the order of their numbers: those for all instances, then
 * instance by instance its notify commands, its gate, and three of each service.
 */
enum cfg_run_kind { CFG_RUN_NOTIFY, CFG_RUN_GATE, CFG_RUN_START, CFG_RUN_STOP, CFG_RUN_STATUS, CFG_RUN_KIND_COUNT };

struct cfg_run {
	uint32_t number;
	enum cfg_run_kind kind;
	enum cfg_notify notify;		      /* NOTIFY */
	const struct cfg_instance *instance;  /* NULL: for all instances */
	const struct cfg_service *service;    /* START, STOP, STATUS */
	const struct cfg_command *command;    /* NOTIFY: perhaps none */
	const char *user;		      /* NULL: the agent's own */
	usec_t timeout;
};

/* The number of the first command of an instance, given by its place. */
uint32_t cfg_run_first(const struct cfg *c, size_t instance);

/* The one of this number; false when there is none (cfg_run.c). */
bool cfg_run_find(const struct cfg *c, uint32_t number, struct cfg_run *ret);

/* How long the services of an instance may take to stop, all together; 0: it has none. */
usec_t cfg_services_stop_us(const struct cfg_instance *i);

/*
 * What differs between two configurations, in the words of the file, with defaults filled in; instances, checks and
 * stores are matched by name. Each line begins with the option: `instances.pg.priority: 150 -> 100`,
 * `instances.pg.addresses: + 10.0.0.2/24 on eth1`, `checks.web: removed`. Passwords and keys are not shown, but that
 * they changed is, also in a file of the same name. Long values are cut; a line has less than LIMIT_LOG_TEXT octets.
 */
#define CFG_DIFF_LINES	  100 /* after these comes one that counts the rest */
#define CFG_DIFF_RESTARTS 8

struct cfg_diff {
	size_t n_changes; /* 0: the two say the same */
	size_t n_lines;
	char **lines; /* at most CFG_DIFF_LINES + 1 */
	uint32_t n_changed, n_added, n_removed; /* instances */
	size_t n_restarts;
	const char *restarts[CFG_DIFF_RESTARTS]; /* options among them that only a restart puts in force; static */
};

/* Fill *ret; free it with cfg_diff_free. Ends the process when memory is exhausted. */
void cfg_diff(const struct cfg *old, const struct cfg *now, struct cfg_diff *ret);
void cfg_diff_free(struct cfg_diff *d);

/* Take control.listen apart: "address:port" or "[IPv6 address]:port". 0 or -EINVAL. */
int cfg_listen_parse(const char *text, struct ip_addr *ret_addr, uint16_t *ret_port);

#endif
