/*
 * case_words.h - what the words of a case mean: settings, events, questions.
 *
 * Three tables of words, each with its function (events: case_events.c); the world they act on is declared here
 * for case_world.c, case_words.c, case_events.c and case_packets.c alone.
 */
#ifndef TESTS_SUPPORT_CASE_WORDS_H
#define TESTS_SUPPORT_CASE_WORDS_H

#include "elect/elect.h"
#include "support/case_world.h"

#define CASE_ADDRS 16

struct case_world;

/* A word that begins a line, and what it does. */
struct case_word {
	const char *word;
	int n_min; /* words of the line, the first included */
	int n_max;
	bool (*fn)(struct case_world *w, int n, char **words);
};

struct case_world {
	const struct case_file *file;
	const struct case_line *line; /* being done */
	const struct case_manner *manner;
	struct case_result *result;
	char complaint[256]; /* why the words of the line are wrong */

	/* The instance */
	struct elect_conf conf; /* as the settings say */
	struct elect_conf
		in_force[2]; /* what the instance sees: the settings at the start, and after each "conf" */
	unsigned generation; /* of the settings: its last bit says which of the two */
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
	uint32_t ask_epoch; /* of the last ROLE_ACTION_ASK */
	bool may_hold;	  /* between acquire and release */
	bool was_active;  /* before this step */
	bool leaving;	  /* since `left` */
	mono_t left;

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

/* Do a line with the row of its first word; false when there is none or it does not like the rest. */
bool case_words_do(struct case_world *w, int n, char **words, const struct case_word *table, size_t size);

/* The line in words; false when it is wrong, with w->complaint if there is more to say than that. */
bool case_words_setting(struct case_world *w, int n, char **words);
bool case_words_event(struct case_world *w, int n, char **words);
bool case_words_ask(struct case_world *w, int n, char **words);

/* Values: a whole number in a range; an address, "none", or S, T, SELF; addresses with commas between (how
 * many, or -1). */
bool case_words_number(const char *text, long min, long max, long *ret);
bool case_words_addr(const struct case_world *w, const char *text, struct ip_addr *ret);
int case_words_addrs(const struct case_world *w, char *text, struct ip_addr *ret);

/* One of several words, its place among them; an errno by its name, "ok" for none; "acquire ...". */
extern const char *const case_words_links[ELECT_LINK_COUNT];
bool case_words_choice(const char *text, const char *const *choices, size_t n, uint8_t *ret);
bool case_words_errno(const char *text, int *ret);
bool case_words_acquire(struct case_world *w, int n, char **words);

/* Put the settings as they are now in force in a running instance; `other`: with another address list, group or
 * version. */
void case_world_conf(struct case_world *w, bool other);

/* Hand one event to the instance and note what it wants. */
void case_world_step(struct case_world *w, const struct elect_event *ev);
void case_world_acquired(struct case_world *w, int err, const struct ip_addr *addr, uint32_t epoch);

#endif
