/*
 * check.h - the frame of all checks: when they run, what their results mean, who is told.
 *
 * A kind of check is one file with one struct check_ops and one row of the table in check.c. The frame runs it
 * at its interval, bounds its time, counts rise and fall, and reports the verdict after every run; the kind
 * only answers "up" or "down" with one line for people.
 */
#ifndef VRRPD_AGENT_CHECK_H
#define VRRPD_AGENT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/macros.h"
#include "base/time.h"
#include "agent/check_def.h"
#include "agent/score.h"
#include "ipc/ipc_msg.h"
#include "sys/loop.h"

struct check;
struct checks;
struct net_http;

enum check_result { CHECK_RESULT_UP, CHECK_RESULT_DOWN, CHECK_RESULT_TIMEOUT, CHECK_RESULT_COUNT };

#define CHECK_BUCKETS 8 /* of durations: up to 100 us, 1 ms, 5, 20, 100, 500 ms, 5 s, more */

/* A cancelled run that has not ended after this long is cancelled by force. */
#define CHECK_FORCE_US (200 * USEC_PER_MS)

struct check_ops {
	const char *name;
	/* Begin one run. It ends with exactly one check_done(), which may come before start() returns. */
	void (*start)(struct check *c);
	/* The time is over: end the run soon (check_done() is still due). Called again with `force` if it did
	 * not. */
	void (*cancel)(struct check *c, bool force);
	/* Release c->priv, ending a run that is under way without waiting for it. */
	void (*free)(struct check *c);
	/* A command that vrrpd ran for some check has ended: true when it was this one's. NULL: never runs any. */
	bool (*run_ended)(struct check *c, const struct ipc_run_ended *m);
};

/* Who runs commands as another user, which takes rights that this process has not. */
struct check_runner {
	void *arg;
	/* Run the command of the check of this index, its output to `out` (stays the caller's). 0 or -errno; then its end
	 * comes through checks_run_ended(). */
	int (*run)(void *arg, uint32_t token, uint32_t index, int out);
	void (*kill)(void *arg, uint32_t token, bool force);
};

/* Read by the kinds and by the status API; written by check.c only, but for `priv`. */
struct check {
	struct checks *checks;
	const struct check_ops *ops;
	void *priv;	      /* the kind's own */
	struct check_def def; /* its own copy */
	uint32_t index;		     /* in the configuration */
	uint8_t state;		     /* enum ipc_check_state: the verdict */
	mono_t since;		     /* when `state` came to be */
	char last[LIMIT_CHECK_TEXT]; /* the last result as one line of UTF-8, "" before the first */
	uint64_t runs[CHECK_RESULT_COUNT];
	bool has_weight; /* the last result said what it weighs */
	int16_t weight;
	bool run_has_weight; /* the same of the run under way */
	int16_t run_weight;
	struct score score; /* of a graded check */
	int32_t score_shown; /* the one in force at the last run, -1 = none yet */
	int32_t run_score;   /* what the run under way reports, -1 = nothing */
	mono_t began;			      /* the run under way, or the last one */
	uint64_t took_us;		      /* by the last run that ended */
	uint64_t took[CHECK_BUCKETS];	      /* runs by how long they took */
	uint64_t took_sum_us;
	bool judged; /* a run has ended since it was defined so */
	/* scheduling */
	bool running;	 /* between start() and check_done() */
	bool cancelled;	 /* its time-out was counted; what it says now does not matter */
	bool retired;	 /* no longer configured: freed when the run ends */
	unsigned streak; /* results in a row against the verdict */
	mono_t next;	 /* when the next run is to start */
	mono_t deadline; /* idle: `next`; running: time-out, then force */
};

/* Told after every run with the present verdict, changed or not. */
typedef void checks_report_fn(void *arg, const struct check *c);

/* Upper bounds of the buckets of durations in microseconds; 0 = none. */
extern const uint64_t check_bounds_us[CHECK_BUCKETS];

struct checks *checks_new(struct loop *l, checks_report_fn *report, void *arg);

/* Copied. Without one, commands of other users are not run. */
void checks_set_runner(struct checks *cs, const struct check_runner *r);

/* A run of the runner's has ended. */
void checks_run_ended(struct checks *cs, const struct ipc_run_ended *m);

/* Ends runs under way (processes are killed, not waited for). NULL is fine. */
void checks_free(struct checks *cs);

/*
 * Make `n` definitions the ones in force (copied). A check of the same name whose definition did
 * not change keeps its verdict and schedule; new ones run at once, spread over the interval when they are many.
 */
void checks_configure(struct checks *cs, const char *node, const struct check_def *defs, uint32_t n);

/* Run a check now, unless it runs; its result counts like any other. */
void checks_run_now(struct checks *cs, uint32_t index);

uint32_t checks_count(const struct checks *cs);
const struct check *checks_get(const struct checks *cs, uint32_t index);

/* "up", "down", "timeout"; "pending", "up", "down"; "script", "interface". */
const char *check_result_name(enum check_result r);
const char *check_state_name(enum ipc_check_state s);
const char *check_kind_name(enum ipc_check_kind k);

/* ---- graded checks (check_score.c) ----------------------------------------------------------- */

/* Does its score change the priority? */
bool check_is_graded(const struct check *c);

/* For the frame: a new graded check, and the end of each of its runs, which sets its weight and adds to its line. */
void check_score_begin(struct check *c, mono_t now);
void check_score_run(struct check *c, enum check_result result, mono_t now);

/* ---- for the kinds --------------------------------------------------------------------------- */

/* The run has ended. `text` of `len` octets becomes the line for people: its last line, made printable and cut.
 */
void check_done(struct check *c, bool up, const char *text, size_t len);

/* The same with a format. */
void check_donef(struct check *c, bool up, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The result itself says what it weighs (-253..253), added to the priority while the check is up; before check_done(). */
void check_set_weight(struct check *c, int weight);

/* What a good run reports, 0..SCORE_MAX; before check_done(). Only for checks with an option `score`. */
void check_set_score(struct check *c, int32_t score);

/* Something has happened that a run would see: run soon, as if the interval were over. Nothing when it is not configured
 * any more, or runs. */
void check_again(struct check *c);

/* The n-th value of an option of the kind, or NULL; an option as a number. See check_def.h. */
const char *check_text(const struct check *c, const char *path, unsigned n);
int64_t check_number(const struct check *c, const char *path, int64_t otherwise);

/* NULL when there is none; a number for a run, never 0 and never the same soon. */
const struct check_runner *check_runner(const struct check *c);
uint32_t check_token(struct check *c);

struct loop *check_loop(const struct check *c);
const char *check_node(const struct check *c);

/* What sends HTTP requests for all checks; made when it is first asked for. */
struct net_http *check_net_http(const struct check *c);

/* One file per kind: check_KIND.c. */
extern const struct check_ops check_script_ops, check_interface_ops, check_haproxy_ops, check_patroni_ops,
	check_redis_ops, check_sentinel_ops, check_postgres_ops, check_http_ops, check_tcp_ops, check_process_ops,
	check_unit_ops, check_file_ops, check_route_ops, check_ping_ops;

#endif
