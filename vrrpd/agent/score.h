/*
 * score.h - the score of a graded check, and the change of the priority that comes from it.
 *
 * Scores are thousandths of a point, 0..SCORE_MAX. A negative scale means that the score says how bad something
 * is (0 is the good end), a positive one how good (SCORE_MAX is). What a run says passes three stages:
 * hysteresis picks the score to go to, decay lets the score in force fade to it when that is better, warm-up
 * keeps the change of the priority near the worst end for a while after the check came up. Time is an argument
 * everywhere; one that runs backwards counts as standing still.
 */
#ifndef VRRPD_AGENT_SCORE_H
#define VRRPD_AGENT_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

#define SCORE_POINT 1000
#define SCORE_MAX   (100 * SCORE_POINT)
#define SCORE_TEXT  8 /* octets of a score as text with its NUL: "100", "42.125" */

struct score_conf {
	int scale;	     /* change of the priority at SCORE_MAX: -253..253, not 0 */
	unsigned hysteresis; /* 0..100 points */
	usec_t decay;	     /* time to improve by 100 points, at most a day; 0 = at once */
	usec_t warmup;	     /* at most a day; 0 = none */
};

/* All zero: nothing is known yet and the check is not up. */
struct score {
	bool known;
	bool up;
	bool warm;	/* up without warm-up */
	int32_t target; /* what counts once nothing fades any more */
	int32_t from;	/* where fading began, `since` then */
	mono_t since;
	mono_t up_since;
};

/* The ends of the scale: what a good and a bad run mean where a check reports no number. */
int32_t score_good_end(const struct score_conf *conf);
int32_t score_bad_end(const struct score_conf *conf);

/* A run said this, 0..SCORE_MAX. */
void score_report(struct score *s, const struct score_conf *conf, int32_t value, mono_t now);

/* The check is up or not, told after each run: warm-up begins whenever it was not up before. */
void score_set_up(struct score *s, bool up, mono_t now);

/* It was up before anything here was told, so it does not warm up until it has been down. */
void score_resume(struct score *s);

/* The score in force: hysteresis and decay count, warm-up does not. 0..SCORE_MAX; the good end while nothing is
 * known. */
int32_t score_now(const struct score *s, const struct score_conf *conf, mono_t now);

/* Is it up and still warming up? */
bool score_warming(const struct score *s, const struct score_conf *conf, mono_t now);

/* What to add to the priority now, warm-up included: between 0 and scale; 0 while the check is not up. */
int score_change(const struct score *s, const struct score_conf *conf, mono_t now);

/*
 * Read a number from 0 to 100, digits with an optional fraction ("42", "0.5"; blanks around it are fine, digits
 * beyond the third decimal are dropped). True and *ret in thousandths, or false: it is none.
 */
bool score_parse(const char *text, int32_t *ret);

/* Write a score without needless digits: "42", "42.5". Returns buf. */
const char *score_format(int32_t score, char buf[SCORE_TEXT]);

#endif
