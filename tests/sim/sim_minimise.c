/*
 * sim_minimise.c - drop faults from a plan as long as the same invariant breaks. Every replay is a child: what a broken run
 * leaves behind goes with it.
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim.h"

static bool
breaks(const struct sim_plan *p, const char *invariant)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		struct sim_result r;

		sim_run(p, false, &r);
		_exit(strcmp(r.invariant, invariant) == 0 ? 1 : 0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static void
drop_range(struct sim_plan *p, unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n && i < p->n_faults; i++)
		p->faults[i].dropped = true;
}

/* Halves, quarters, ... single ones, until no single one can go; then shorter ones. */
void
sim_minimise(struct sim_plan *p, const char *invariant)
{
	for (bool again = true; again;) {
		again = false;
		for (unsigned size = (p->n_faults + 1) / 2; size > 0; size /= 2) {
			for (unsigned at = 0; at < p->n_faults; at += size) {
				struct sim_plan less = *p;

				drop_range(&less, at, size);
				if (memcmp(&less, p, sizeof(less)) == 0 || !breaks(&less, invariant))
					continue;
				*p = less;
				again = true;
			}
		}
	}
	for (unsigned i = 0; i < p->n_faults; i++) {
		for (;;) {
			struct sim_plan less = *p;
			struct sim_fault *f = &less.faults[i];

			if (f->dropped || f->until - f->at < 2 * SIM_MS)
				break;
			f->until = f->at + (f->until - f->at) / 2;
			if (!breaks(&less, invariant))
				break;
			*p = less;
		}
	}
}
