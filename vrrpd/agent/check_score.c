/*
 * check_score.c - graded checks: what a run means for the score, and the score for the priority.
 *
 * Runs in vrrpd-agent, called by the frame (check.c). With an option `score` a good run reports a number, and a
 * bad one says nothing about the score: rise and fall judge it. Without, a good run is the good end of the
 * scale and a bad one the bad end, so that runs which fail now and then count before `fall` is reached. The
 * arithmetic is in score.c.
 */
#include "agent/check.h"

#include <stdio.h>
#include <string.h>

#include "agent/text.h"

#define ADDED_OCTETS 48 /* " (score 42.125, priority -253, warming up)" */

static struct score_conf
conf_of(const struct check *c)
{
	return (struct score_conf){.scale = c->def.conf.scale,
				   .hysteresis = c->def.conf.hysteresis,
				   .decay = c->def.conf.decay_us,
				   .warmup = c->def.conf.warmup_us};
}

bool
check_is_graded(const struct check *c)
{
	return c->def.conf.scale != 0;
}

static void
set_weight(struct check *c, const struct score_conf *conf, mono_t now)
{
	c->has_weight = c->state == IPC_CHECK_UP;
	c->weight = (int16_t)(c->has_weight ? score_change(&c->score, conf, now) : 0);
	c->score_shown = c->score.known ? score_now(&c->score, conf, now) : -1;
}

void
check_score_begin(struct check *c, mono_t now)
{
	struct score_conf conf = conf_of(c);

	c->score_shown = c->run_score = -1;
	if (!check_is_graded(c))
		return;
	if (c->def.was_up)
		score_resume(&c->score);
	else
		score_set_up(&c->score, c->state == IPC_CHECK_UP, now);
	set_weight(c, &conf, now);
}

/* The line for people, kept short enough that what is added fits. */
static void
add_to_line(struct check *c, const struct score_conf *conf, mono_t now)
{
	char said[LIMIT_CHECK_TEXT - ADDED_OCTETS], score[SCORE_TEXT];

	text_last_line(said, sizeof(said), c->last, strlen(c->last));
	snprintf(c->last, sizeof(c->last), "%s (score %s, priority %+d%s)", said,
		 score_format(c->score_shown, score), c->weight,
		 score_warming(&c->score, conf, now) ? ", warming up" : "");
}

void
check_score_run(struct check *c, enum check_result result, mono_t now)
{
	struct score_conf conf = conf_of(c);
	bool good = result == CHECK_RESULT_UP;
	bool silent = result == CHECK_RESULT_TIMEOUT && c->def.conf.on_timeout == IPC_POLICY_HOLD;

	if (check_text(c, "score", 0) == NULL && !silent)
		score_report(&c->score, &conf, good ? score_good_end(&conf) : score_bad_end(&conf), now);
	else if (good && c->run_score >= 0)
		score_report(&c->score, &conf, c->run_score, now);
	score_set_up(&c->score, c->state == IPC_CHECK_UP, now);
	set_weight(c, &conf, now);
	if (c->has_weight && c->score.known)
		add_to_line(c, &conf, now);
}
