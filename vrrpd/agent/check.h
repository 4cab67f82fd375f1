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
#include "ipc/ipc_msg.h"
#include "sys/loop.h"

struct check;
struct checks;

enum check_result { CHECK_RESULT_UP, CHECK_RESULT_DOWN, CHECK_RESULT_TIMEOUT, CHECK_RESULT_COUNT };

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
};

/* Read by the kinds and by the status API; written by check.c only, but for `priv`. */
struct check {
	struct checks *checks;
	const struct check_ops *ops;
	void *priv;		     /* the kind's own */
	struct ipc_conf_check conf;  /* head zeroed */
	uint32_t index;		     /* in the configuration */
	uint8_t state;		     /* enum ipc_check_state: the verdict */
	mono_t since;		     /* when `state` came to be */
	char last[LIMIT_CHECK_TEXT]; /* the last result as one line of UTF-8, "" before the first */
	uint64_t runs[CHECK_RESULT_COUNT];
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

struct checks *checks_new(struct loop *l, checks_report_fn *report, void *arg);

/* Ends runs under way (processes are killed, not waited for). NULL is fine. */
void checks_free(struct checks *cs);

/*
 * Make `n` definitions the ones in force (heads zeroed; copied). A check of the same name whose definition did
 * not change keeps its verdict and schedule; new ones run at once, spread over the interval when they are many.
 */
void checks_configure(struct checks *cs, const char *node, const struct ipc_conf_check *conf, uint32_t n);

uint32_t checks_count(const struct checks *cs);
const struct check *checks_get(const struct checks *cs, uint32_t index);

/* "up", "down", "timeout"; "pending", "up", "down"; "script", "interface". */
const char *check_result_name(enum check_result r);
const char *check_state_name(enum ipc_check_state s);
const char *check_kind_name(enum ipc_check_kind k);

/* ---- for the kinds --------------------------------------------------------------------------- */

/* The run has ended. `text` of `len` octets becomes the line for people: its last line, made printable and cut.
 */
void check_done(struct check *c, bool up, const char *text, size_t len);

/* The same with a format. */
void check_donef(struct check *c, bool up, const char *fmt, ...) PRINTF_LIKE(3, 4);

struct loop *check_loop(const struct check *c);
const char *check_node(const struct check *c);

extern const struct check_ops check_script_ops;
extern const struct check_ops check_interface_ops;

#endif
