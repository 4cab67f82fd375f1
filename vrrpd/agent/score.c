/*
 * score.c - hysteresis, decay and warm-up of a score; see score.h.
 *
 * Runs in vrrpd-agent, for graded checks. Pure: integers only, no clock. Fading is a line from where it began,
 * computed anew each time, so that the number of looks on the way does not matter.
 */
#include "agent/score.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"

#define BLANKS " \t\r\n"

int32_t
score_good_end(const struct score_conf *conf)
{
	return conf->scale < 0 ? 0 : SCORE_MAX;
}

int32_t
score_bad_end(const struct score_conf *conf)
{
	return SCORE_MAX - score_good_end(conf);
}

/* The part of `whole` (at most a day) that has passed of a way of `length`. */
static int64_t
part_done(int64_t length, mono_t now, mono_t since, usec_t whole)
{
	usec_t passed = mono_since(now, since);

	return passed >= whole ? length : length * (int64_t)passed / (int64_t)whole;
}

int32_t
score_now(const struct score *s, const struct score_conf *conf, mono_t now)
{
	int32_t improved;

	if (!s->known)
		return score_good_end(conf);
	improved = (int32_t)part_done(SCORE_MAX, now, s->since, conf->decay);
	/* score_report() makes `from` the worse one of the two. */
	return conf->scale < 0 ? MAX(s->target, s->from - improved) : MIN(s->target, s->from + improved);
}

/* Does it differ enough from where the score goes to? The ends are always reached. */
static bool
counts(const struct score *s, const struct score_conf *conf, int32_t value)
{
	int32_t differs = value > s->target ? value - s->target : s->target - value;

	return value == 0 || value == SCORE_MAX || differs >= (int32_t)conf->hysteresis * SCORE_POINT;
}

void
score_report(struct score *s, const struct score_conf *conf, int32_t value, mono_t now)
{
	int32_t present = score_now(s, conf, now);

	ASSERT(value >= 0 && value <= SCORE_MAX);
	if (s->known && !counts(s, conf, value))
		return;
	if (conf->scale < 0 ? value >= present : value <= present) {
		s->from = value; /* no better, as the first one is: at once */
		s->since = now;
	} else if (present == s->target) {
		s->from = present; /* better, and nothing was fading */
		s->since = now;
	}
	s->target = value;
	s->known = true;
}

void
score_set_up(struct score *s, bool up, mono_t now)
{
	if (up && !s->up) {
		s->up_since = now;
		s->warm = false;
	}
	s->up = up;
}

void
score_resume(struct score *s)
{
	s->up = s->warm = true;
}

static usec_t
warmup(const struct score *s, const struct score_conf *conf)
{
	return s->warm ? 0 : conf->warmup;
}

bool
score_warming(const struct score *s, const struct score_conf *conf, mono_t now)
{
	return s->up && mono_since(now, s->up_since) < warmup(s, conf);
}

/* n / d to the nearest, halves away from 0; d > 0. */
static int64_t
divide(int64_t n, int64_t d)
{
	return (n < 0 ? n - d / 2 : n + d / 2) / d;
}

int
score_change(const struct score *s, const struct score_conf *conf, mono_t now)
{
	int32_t worst = score_bad_end(conf);
	int64_t better = score_now(s, conf, now) - worst;

	if (!s->up)
		return 0;
	return (int)divide(conf->scale * (worst + part_done(better, now, s->up_since, warmup(s, conf))),
			   SCORE_MAX);
}

bool
score_parse(const char *text, int32_t *ret)
{
	const char *p = text + strspn(text, BLANKS);
	int32_t value = 0, digit = SCORE_POINT;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		value = MIN(10 * value + (*p - '0') * SCORE_POINT, SCORE_MAX + 1);
	if (*p == '.' && (p[1] < '0' || p[1] > '9'))
		return false;
	for (p += *p == '.'; *p >= '0' && *p <= '9'; p++)
		value += (*p - '0') * (digit /= 10);
	if (p[strspn(p, BLANKS)] != '\0' || value > SCORE_MAX)
		return false;
	*ret = value;
	return true;
}

const char *
score_format(int32_t score, char buf[SCORE_TEXT])
{
	char text[32];
	size_t n = (size_t)snprintf(text, sizeof(text), "%d.%03d", score / SCORE_POINT, score % SCORE_POINT);

	ASSERT(score >= 0 && score <= SCORE_MAX);
	while (text[n - 1] == '0')
		n--;
	text[text[n - 1] == '.' ? n - 1 : n] = '\0';
	memcpy(buf, text, SCORE_TEXT);
	return buf;
}
