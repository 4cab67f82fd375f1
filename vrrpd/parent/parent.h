/*
 * parent.h - the root object of vrrpd, the parent process, and what its files offer each other.
 *
 * The parent reads the configuration, starts the engine and the agent, hands them their generation, the status
 * sockets and the link between the two, restarts what dies, keeps what a restarted engine needs to go on, withdraws
 * addresses when the engine cannot come back, writes their log lines, and runs the commands that the agent has not the
 * rights for: checks of other users, hooks, gates and services. It never speaks to the network.
 */
#ifndef VRRPD_PARENT_PARENT_H
#define VRRPD_PARENT_PARENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/limits.h"
#include "base/strbuf.h"
#include "base/time.h"
#include "config/cfg.h"
#include "ipc/ipc_chan.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/priv.h"

#define PARENT_LAST_CFGS 8

enum parent_child_kind { PARENT_ENGINE, PARENT_AGENT, PARENT_CHILDREN };

struct parent;
struct parent_runs; /* parent_run.c */

struct parent_child {
	struct parent *parent;
	enum parent_child_kind kind;
	const char *program; /* "vrrpd-engine", "vrrpd-agent" */
	char path[512];
	pid_t pid;   /* 0 = not running */
	pid_t dying; /* engine: the one before, not reaped yet; 0 = none */
	struct ipc_chan chan;
	struct loop_io *io;
	struct loop_timer *restart; /* back-off */
	struct loop_timer *watch;   /* since its start, until it has settled */
	usec_t backoff_us;
	mono_t spawned;
	unsigned crashes; /* in a row, each soon after its start */
	bool ready;	  /* has taken the generation */
	bool settled;	  /* has taken one since it was started */
	bool last_will;	  /* engine: only to hand over what is held */
	bool was_killed;  /* by us, on purpose */
};

/* Who asked for a reload: the agent, under a token that comes back, or a signal. */
struct parent_asker {
	bool from_agent;
	bool check; /* only what a reload would change: nothing for the log */
	bool lost;  /* a line could not be sent: no more of them are */
	uint32_t token;
};

/* A reload under way: the engine first, then the agent. */
struct parent_reload {
	bool running;
	bool engine_done; /* it has the new generation; now the agent */
	bool again;	  /* another SIGHUP came meanwhile */
	struct parent_asker asker;
	uint32_t n_changed, n_added, n_removed;
	struct loop_timer *timer; /* how long the children may take */
};

struct parent {
	struct loop *loop;
	struct cfg *cfg;
	struct cfg *first_cfg; /* the one it started with: what only a restart changes is still in force from it */
	struct cfg *old_cfg; /* reloading: the one before, for what is removed; else NULL */
	struct cfg *last_cfgs[PARENT_LAST_CFGS]; /* the ones before, newest first: what was removed may still run commands */
	const char *file;    /* as given on the command line */
	char **argv;	     /* for a restart in place */
	char self[512];	     /* path of this program, as it was at the start */
	uint32_t gen;
	int memory_fd; /* ipc_memory.h */
	int events_fd; /* ipc_events.h */
	uint32_t restarts; /* times the engine ended unexpectedly */
	uint32_t agent_restarts; /* times the agent did */
	mono_t last_end;   /* when it last did */
	char trouble[LIMIT_LOG_TEXT]; /* how */
	struct parent_reload reload;
	struct loop_timer *restart_timer;
	unsigned restart_turns; /* of the loop, until a restart in place begins */
	char run_dir[LIMIT_PATH];
	enum log_level log_level;
	struct priv_user agent_user;
	bool restarted;	      /* in place: the program before may have left addresses to go on with */
	bool may_change_user; /* else the agent keeps ours, without capabilities */
	int call_table; /* SECCOMP_PARENT_TABLE when that is in force, else 0 */
	int lock_fd;
	int control_fd; /* listening status socket */
	int listen_fd;	/* read-only TCP listener, -1 = none */
	bool has_group;	/* members of control_gid may use the status socket; else only root */
	gid_t control_gid;
	char control_path[LIMIT_PATH];
	bool stopping;
	struct loop_timer *stop_timer;
	struct loop_timer *watchdog; /* the service manager's */
	struct parent_child children[PARENT_CHILDREN];
	struct parent_runs *runs;
};

/* ---- parent_spawn.c: birth and death of the children
 * --------------------------------------------------------- */

/* Find both programs: beside this one, else in the libexec folder. 0, or -ENOENT after saying which is missing.
 */
int parent_find_programs(struct parent *p);

/* Start a child and hand it everything it needs. On failure it is tried again with back-off. */
void parent_start_child(struct parent *p, enum parent_child_kind kind);
/* A loop_timer_fn with the child as its argument: one that does not settle is ended, and started again. */
void parent_on_watch_timer(void *arg, mono_t now);

/* Tell the agent what became of the engine. */
void parent_tell_trouble(struct parent *p);

/* Reap what ended; restart it unless the parent is stopping. */
void parent_reap(struct parent *p);

/* Remove what the engine left in the kernel: it will not come back soon, or not at all. */
void parent_withdraw(struct parent *p);

/* Ask a child to end in order; false when it is not running. */
bool parent_ask_stop(struct parent *p, enum parent_child_kind kind);

/* ---- parent_config.c: the generation as messages
 * ---------------------------------------------------------------- */

/* Send the whole configuration to a child; to an engine that goes on, with what is removed from the one before. 0 or
 * -errno. */
int parent_send_config(struct parent *p, struct parent_child *c);

/* Send one message of a generation, waiting for room. 0 or -errno. */
int parent_send_one(struct parent_child *c, uint32_t gen, enum ipc_type type, void *msg, int fd);

/* ---- parent_hooks.c: notify commands, gates, services
 * --------------------------------------------------------- */

/* How long an election waits for its gate, for its services to stop; 0: there is none. */
usec_t parent_hooks_enter_us(const struct cfg_instance *i);
usec_t parent_hooks_leave_us(const struct cfg_instance *i);

/* How long all of them may take when vrrpd stops. */
usec_t parent_hooks_stop_us(const struct cfg *c);

/* How many CONF_HOOK messages an instance has, or (NULL) what is for all of them; send these, then its services. */
uint32_t parent_hooks_count(const struct cfg *c, const struct cfg_instance *i);
int parent_hooks_send(struct parent *p, struct parent_child *c, const struct cfg_instance *i);

/* ---- parent_reload.c: a changed configuration, all or nothing
 * ---------------------------------------------------------- */

/* Read the file and put it in force; from_agent: say there how it went, under this token. */
void parent_reload(struct parent *p, bool from_agent, uint32_t token);

/* Free one of the configurations of the parent, unless it is the first one. */
void parent_free_config(const struct parent *p, struct cfg *c);

/* Read the file and tell the agent, under this token, what a reload would change; nothing is. */
void parent_reload_check(struct parent *p, uint32_t token);

/* A child says that it has taken the present generation. */
void parent_reload_ready(struct parent *p, enum parent_child_kind kind);

/* The engine ended: a reload under way goes on when the next one is ready, one that waited comes now. */
void parent_reload_engine_gone(struct parent *p);

/* The children took too long. */
void parent_on_reload_timer(void *arg, mono_t now);

/* Are these the same virtual router, which goes on? */
bool parent_same_router(const struct cfg_instance *a, const struct cfg_instance *b);

/* ---- parent_run.c: commands that the agent asks for
 * ----------------------------------------------------------- */

void parent_run_open(struct parent *p);
void parent_run_close(struct parent *p); /* kills what runs */

/* A command that the agent asks for, out of the configuration (not owned). */
struct parent_command {
	const struct cfg_check *check;	     /* of a check, */
	struct cfg_run run;		     /* or one of hooks, gates and services, */
	const struct cfg_instance *instance; /* for this instance */
	size_t n_words;
	char *const *words;
	const char *user_name; /* NULL: the agent's */
	struct priv_user user;
	usec_t timeout, interval;
};

/* ---- parent_command.c --------------------------------------------------------------------------- */

/* The one that is meant, and its user. False, with why it may not run. */
bool parent_command_find(const struct parent *p, const struct ipc_run *m, struct parent_command *ret, struct strbuf *why);

/* Start it, output to `out` (stays the caller's). Its pid; or not above 0, with why. */
pid_t parent_command_spawn(const struct parent *p, const struct ipc_run *m, const struct parent_command *c, int out,
			   struct strbuf *why);

/* The agent asks for a run, its output to `out` (taken over). The end is told, also when it cannot be. */
void parent_run_start(struct parent *p, const struct ipc_run *m, int out);

/* The agent wants a run to end. */
void parent_run_kill(struct parent *p, const struct ipc_run_kill *m);

/* A child has ended and is not reaped yet: when it is a run's, do all that is due and return true. */
bool parent_run_reap(struct parent *p, pid_t pid);

/* Kill every run with its process group; nobody is told. */
void parent_run_end_all(struct parent *p);

/* ---- parent_restart.c: the same process with a new program
 * ------------------------------------------------------------- */

/* End the children without a word, execute this program's file anew; soon, from the loop. */
void parent_restart(struct parent *p);
void parent_on_restart_timer(void *arg, mono_t now); /* its second half */

/* What a restart handed over: descriptors for lock, status sockets and memories, or -1 each. */
void parent_inherit(struct parent *p);

/* Does the program that lies there now accept the configuration? It prints what is wrong. */
bool parent_new_program_agrees(struct parent *p);

/* SIGKILL to all children: nobody may say goodbye. They are not reaped here. */
void parent_end_children(struct parent *p);

/* ---- parent_manager.c: the service manager (systemd); without one all of it does nothing
 * --------------------------------------- */

/* Take the memories over, or make new ones, and have the manager keep them. */
void parent_open_memory(struct parent *p);

/* Start answering the manager's watchdog. */
void parent_manager_open(struct parent *p);

/* The engine has the configuration, or a reload has ended, whether or not anything changed. */
void parent_manager_ready(struct parent *p);

/* The sentence about vrrpd may have changed. */
void parent_manager_status(struct parent *p);

/*
 * Asked to end: will the manager start vrrpd again at once, and can the next one go on where this one ends? Waits
 * for the manager's answer (up to 0.5 s) and for the next program's check of the configuration (up to 10 s). Logs
 * why not.
 */
bool parent_manager_restarts(struct parent *p);

/* ---- parent_overrides.c: what operators said by command, for the vrrpd after this one
 * -------------------------------------------------- */

/* Into a memory that is new, from the file in the run folder. */
void parent_overrides_load(struct parent *p);

/* From the memory to the file; there is none while there is nothing to say. */
void parent_overrides_save(struct parent *p);

/* ---- parent_socket.c: lock and listening sockets in the run folder
 * --------------------------------------------- */

/* Make the run folder, take its lock, open the status sockets. 0, or -errno after saying what is wrong. */
int parent_open_sockets(struct parent *p);

/* Close them and remove the socket file. */
void parent_close_sockets(struct parent *p);

#endif
