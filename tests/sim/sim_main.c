/*
 * sim_main.c - the simulator's command line.
 *
 *	sim [--seeds N] [--first SEED] [--jobs J]     run N seeds on J processors; the failing seed is printed first and last
 *	    [--rule NAME]                             only this rule counts: for what is planted
 *	    [--kinds KIND,KIND...]                    no other kinds of fault exist
 *	sim --seed SEED [-v] [--minimise]             replay one, with a trace; with as few faults as break the same rule
 *
 * Exit status 0: no rule was broken; 1: one was; 2: wrong usage. Needs no rights and touches nothing.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"

#define JOBS_MAX 64

static const char *only_rule; /* NULL: every one */

static volatile sig_atomic_t stopped;

struct totals {
	_Atomic bool stop;
	_Atomic uint64_t next, done, failed_seed; /* failed_seed: the lowest, UINT64_MAX: none */
	_Atomic uint64_t running[JOBS_MAX]; /* seeds, while they run; UINT64_MAX: none */
	_Atomic uint64_t simulated_us, takeovers, packets, starts, faults, kinds;
};

static int
replay(uint64_t seed, bool verbose, bool minimise)
{
	struct sim_plan p;
	struct sim_result r;

	sim_plan_draw(seed, &p);
	sim_run(&p, verbose && !minimise, &r);
	if (r.invariant[0] != '\0' && minimise) {
		char invariant[sizeof(r.invariant)];

		strcpy(invariant, r.invariant);
		sim_minimise(&p, invariant);
		sim_run(&p, verbose, &r);
	}
	if (verbose || r.invariant[0] != '\0')
		sim_plan_print(&p, stdout);
	if (r.invariant[0] == '\0') {
		printf("seed %llu: nothing broken in %.1f s, %llu packets\n", (unsigned long long)seed, (double)r.simulated_us / 1e6,
		       (unsigned long long)r.packets);
		return 0;
	}
	printf("seed %llu: %s at %.6f s: %s\n", (unsigned long long)seed, r.invariant, (double)r.at / 1e6, r.text);
	return 1;
}

static void
work(struct totals *t, unsigned job, uint64_t first, uint64_t n)
{
	for (;;) {
		uint64_t at = t->next++;
		struct sim_plan p;
		struct sim_result r;

		if (at >= n || t->stop || t->failed_seed != UINT64_MAX)
			return;
		t->running[job] = first + at;
		sim_plan_draw(first + at, &p);
		sim_run(&p, false, &r);
		t->running[job] = UINT64_MAX;
		t->done++;
		t->simulated_us += r.simulated_us;
		t->takeovers += r.takeovers;
		t->packets += r.packets;
		t->starts += r.engine_starts;
		t->faults += r.faults;
		t->kinds |= r.kinds;
		if (r.invariant[0] != '\0' && (only_rule == NULL || strcmp(r.invariant, only_rule) == 0) &&
		    first + at < t->failed_seed)
			t->failed_seed = first + at;
	}
}

static void
on_signal(int signo)
{
	(void)signo;
	stopped = 1;
}

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
run_seeds(uint64_t first, uint64_t n, unsigned jobs)
{
	struct totals *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double began = seconds(), took;
	uint64_t crashed = UINT64_MAX;

	if (t == MAP_FAILED)
		return 2;
	t->failed_seed = UINT64_MAX;
	fflush(NULL);
	for (unsigned j = 0; j < jobs; j++) {
		t->running[j] = UINT64_MAX;
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			signal(SIGINT, SIG_IGN); /* they reach the whole group: what was done so far is told */
			signal(SIGTERM, SIG_IGN);
			work(t, j, first, n);
			exit(0); /* not _exit(): make coverage counts */
		}
	}
	sigaction(SIGINT, &(struct sigaction){.sa_handler = on_signal}, NULL);
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
	while (wait(NULL) > 0 || errno == EINTR)
		t->stop = t->stop || stopped;
	for (unsigned j = 0; j < jobs; j++)
		crashed = MIN(crashed, t->running[j]);
	took = seconds() - began;
	if (t->failed_seed != UINT64_MAX)
		printf("FAILED seed %llu\n", (unsigned long long)t->failed_seed);
	printf("%llu seeds from %llu in %.1f s, %.0f per second, %u processes; %.1f hours simulated, %llu engines started, "
	       "%llu take-overs, %llu packets, %llu faults of %d kinds\n",
	       (unsigned long long)t->done, (unsigned long long)first, took, (double)t->done / took, jobs,
	       (double)t->simulated_us / 3.6e9, (unsigned long long)t->starts, (unsigned long long)t->takeovers,
	       (unsigned long long)t->packets, (unsigned long long)t->faults, __builtin_popcountll(t->kinds));
	if (t->failed_seed != UINT64_MAX) {
		(void)replay(t->failed_seed, false, false);
		printf("FAILED seed %llu: replay it with --seed %llu -v, shrink it with --minimise\n",
		       (unsigned long long)t->failed_seed, (unsigned long long)t->failed_seed);
		return 1;
	}
	if (crashed == UINT64_MAX)
		return 0;
	printf("seed %llu: crash at 0 s: the process ended\nFAILED seed %llu\n", (unsigned long long)crashed,
	       (unsigned long long)crashed);
	return 1;
}

static uint64_t
number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (end == text || *end != '\0') {
		fprintf(stderr, "sim: \"%s\" is no number\n", text);
		exit(2);
	}
	return n;
}

static uint64_t
kinds(char *text)
{
	uint64_t set = 0;

	for (char *word = strtok(text, ","); word != NULL; word = strtok(NULL, ",")) {
		unsigned k = 0;

		while (k < SIM_KIND_COUNT && strcmp(word, sim_kind_name(k)) != 0)
			k++;
		if (k == SIM_KIND_COUNT) {
			fprintf(stderr, "sim: there is no kind \"%s\"\n", word);
			exit(2);
		}
		set |= 1ull << k;
	}
	return set;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {{"seeds", required_argument, NULL, 'n'}, {"first", required_argument, NULL, 'f'},
						{"seed", required_argument, NULL, 's'},	 {"jobs", required_argument, NULL, 'j'},
						{"minimise", no_argument, NULL, 'm'},	 {"rule", required_argument, NULL, 'r'},
						{"kinds", required_argument, NULL, 'k'}, {0}};
	uint64_t n = 1000, first = 1, seed = 0;
	bool one = false, verbose = false, minimise = false;
	unsigned jobs = (unsigned)MAX(1L, MIN((long)JOBS_MAX, sysconf(_SC_NPROCESSORS_ONLN)));
	int opt;

	while ((opt = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		if (opt == 'n')
			n = number(optarg);
		else if (opt == 'f')
			first = number(optarg);
		else if (opt == 'j')
			jobs = (unsigned)MIN(MAX(1u, number(optarg)), (uint64_t)JOBS_MAX);
		else if (opt == 's')
			one = true, seed = number(optarg);
		else if (opt == 'k')
			sim_kinds_only = kinds(optarg);
		else if (opt == 'r')
			only_rule = optarg;
		else if (opt == 'v')
			verbose = true;
		else if (opt == 'm')
			minimise = true;
		else
			return 2;
	}
	return one ? replay(seed, verbose, minimise) : run_seeds(first, n, jobs);
}
