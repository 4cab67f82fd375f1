/*
 * case_words.h - what the words of a case mean: settings, events, questions.
 *
 * Three tables of words, each with its function; the world they act on is declared here for case_world.c and
 * case_words.c alone.
 */
#ifndef TESTS_SUPPORT_CASE_WORDS_H
#define TESTS_SUPPORT_CASE_WORDS_H

#include "elect/elect.h"
#include "support/case_world.h"

#define CASE_ADDRS 16

struct case_world {
	const struct case_file *file;
	const struct case_line *line; /* being done */
	const struct case_manner *manner;
	struct case_result *result;
	char complaint[256]; /* why the words of the line are wrong */

	/* The instance */
	struct elect_conf conf;
	struct vrrp_codec codec;
	struct ip_addr addrs[CASE_ADDRS], peers[CASE_ADDRS];
	struct elect e;
	uint8_t first_link;
	struct ip_addr first_source;
	bool begun;

	/* Time */
	mono_t now;
	mono_t instant; /* for counting steps in one instant */
	unsigned steps;
	bool frozen; /* the host does not run */
	const struct case_line **waiting;
	size_t n_waiting;

	/* The kernel: addresses */
	bool acquire_manual;
	usec_t acquire_after;
	int acquire_err;
	mono_t answer_at; /* of ROLE_ACTION_ACQUIRE; MONO_NEVER = nothing to answer */
	uint32_t epoch;	  /* of the last ROLE_ACTION_ACQUIRE */
	bool may_hold;	  /* between acquire and release */

	/* The network */
	int send_err;
	unsigned sends_due; /* results of adverts not told yet */
	uint8_t sent[VRRP_DATAGRAM_MAX];
	size_t sent_len;
	unsigned received, priority_zero, interval_differs, addresses_differ, first_not_link_local;
	unsigned drops[VRRP_DROP_COUNT];
};

void case_words_defaults(struct case_world *w);

/* All settings are read: fill in what depends on several. */
void case_words_finish(struct case_world *w);

/* The line in words; false when it is wrong, with w->complaint if there is more to say than that. */
bool case_words_setting(struct case_world *w, int n, char **words);
bool case_words_event(struct case_world *w, int n, char **words);
bool case_words_ask(struct case_world *w, int n, char **words);

/* Values: a whole number in a range; an address, "none", or S, T, SELF; addresses with commas between (how
 * many, or -1). */
bool case_words_number(const char *text, long min, long max, long *ret);
bool case_words_addr(const struct case_world *w, const char *text, struct ip_addr *ret);
int case_words_addrs(const struct case_world *w, char *text, struct ip_addr *ret);

/* Hand one event to the instance and note what it wants. */
void case_world_step(struct case_world *w, const struct elect_event *ev);
void case_world_acquired(struct case_world *w, int err, const struct ip_addr *addr, uint32_t epoch);

#endif
