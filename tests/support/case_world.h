/*
 * case_world.h - the world of one case: an instance in virtual time, a network and a kernel that do as told.
 *
 * Runs the real elect/ and proto/ object files. Everything the instance asks for is written down as text with
 * its time; what must hold in every case is checked after each step. Used by the case runner only.
 */
#ifndef TESTS_SUPPORT_CASE_WORLD_H
#define TESTS_SUPPORT_CASE_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "support/case_file.h"

/* One action as text. */
struct case_note {
	uint64_t us; /* since the start of the case */
	char *text;  /* owned */
};

struct case_notes {
	struct case_note *v;
	size_t n;
};

struct case_result {
	struct case_notes actions; /* in order */
	struct case_notes errors;  /* wrong answers, broken rules, unknown words; each with its line */
};

/* How a case is run. None of it may change what happens. */
struct case_manner {
	const char *name;
	uint64_t base_us; /* where the monotonic clock stands when the case starts */
	bool nudge;	  /* send a timer event too early before every event */
	bool reload;	  /* adopt the same settings anew before every event */
};

/* Run a case. *ret is to be given to case_result_done. */
void case_world_run(const struct case_file *file, const struct case_manner *manner, struct case_result *ret);

void case_result_done(struct case_result *r);

#endif
