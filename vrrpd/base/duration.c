/*
 * duration.c - durations as text; see duration.h.
 *
 * Used by the configuration and by the status API. Pure: text and integers, exact, no floating
 * point.
 */
#include "base/duration.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"

#define DURATION_MAX (10ull * 366 * 24 * 3600 * USEC_PER_SEC)

/* Largest first: of two texts of one length the larger unit wins. */
static const struct unit {
	const char *name;
	uint64_t us;
	unsigned decimals; /* digits that a printed fraction may have */
} units[] = {
	{"h", 3600ull * USEC_PER_SEC, 0},
	{"m", 60ull * USEC_PER_SEC, 0},
	{"s", USEC_PER_SEC, 6},
	{"ms", USEC_PER_MS, 3},
	{"us", 1, 0},
};

static const struct unit *
find_unit(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(units[i].name, name) == 0)
			return &units[i];
	return NULL;
}

/* Digits from *p into *ret, *p moves beyond them. The number of digits, or -ERANGE. */
static int
parse_digits(const char **p, uint64_t *ret)
{
	uint64_t value = 0;
	int n = 0;

	for (; **p >= '0' && **p <= '9'; (*p)++, n++) {
		if (value > DURATION_MAX)
			return -ERANGE;
		value = value * 10 + (uint64_t)(**p - '0');
	}
	*ret = value;
	return n;
}

/* A fraction of n digits in microseconds of this unit: exact, or -EDOM. */
static int
fraction_us(const char *digits, int n, const struct unit *u, uint64_t *ret)
{
	uint64_t value = 0, scale = 1;

	while (n > 0 && digits[n - 1] == '0')
		n--;
	if (n > 9) /* 10^9 hours in microseconds still fit 64 bits */
		return -EDOM;
	for (int i = 0; i < n; i++) {
		value = value * 10 + (uint64_t)(digits[i] - '0');
		scale *= 10;
	}
	if (value * u->us % scale != 0)
		return -EDOM;
	*ret = value * u->us / scale;
	return 0;
}

int
duration_parse(const char *text, usec_t *ret)
{
	const struct unit *unit;
	const char *p = text;
	const char *digits = NULL;
	uint64_t whole, fraction = 0;
	int n;
	int n_fraction = 0;

	n = parse_digits(&p, &whole);
	if (n <= 0)
		return n < 0 ? n : -EINVAL;
	if (*p == '.') {
		digits = ++p;
		n_fraction = (int)strspn(digits, "0123456789");
		p += n_fraction;
		if (n_fraction == 0)
			return -EINVAL;
	}
	if (*p == '\0')
		return -ENOMSG;
	unit = find_unit(p);
	if (!unit)
		return -EINVAL;
	if (digits && fraction_us(digits, n_fraction, unit, &fraction) < 0)
		return -EDOM;
	if (whole > DURATION_MAX / unit->us)
		return -ERANGE;
	*ret = whole * unit->us + fraction;
	return 0;
}

/* The duration in one unit, or false when it has no exact text there. */
static bool
format_unit(usec_t us, const struct unit *u, char *buf)
{
	uint64_t rest = us % u->us;
	unsigned decimals = u->decimals;

	if (us / u->us == 0 || (rest != 0 && decimals == 0))
		return false;
	if (rest == 0) {
		snprintf(buf, DURATION_TEXT, "%llu%s", (unsigned long long)(us / u->us), u->name);
		return true;
	}
	for (; rest % 10 == 0; rest /= 10)
		decimals--;
	snprintf(buf, DURATION_TEXT, "%llu.%0*llu%s", (unsigned long long)(us / u->us), (int)decimals,
		 (unsigned long long)rest, u->name);
	return true;
}

const char *
duration_format(usec_t us, char *buf)
{
	char text[DURATION_TEXT];

	snprintf(buf, DURATION_TEXT, "0s");
	if (us == 0)
		return buf;
	snprintf(buf, DURATION_TEXT, "%lluus", (unsigned long long)us);
	for (size_t i = ARRAY_SIZE(units); i-- > 0;) {
		size_t n, best = strlen(buf);
		bool whole = us % units[i].us == 0;

		if (!format_unit(us, &units[i], text))
			continue;
		n = strlen(text);
		if (n < best || (n == best && whole))
			memcpy(buf, text, n + 1);
	}
	return buf;
}
