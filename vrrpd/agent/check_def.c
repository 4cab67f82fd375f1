/*
 * check_def.c - definitions of checks: copy, compare, look up; see check_def.h. Runs in vrrpd-agent.
 */
#include "agent/check_def.h"

#include <stdlib.h>
#include <string.h>

#include "agent/agent_util.h"
#include "base/macros.h"

void
check_def_copy(struct check_def *to, const struct check_def *from)
{
	*to = *from;
	to->options = agent_alloc(from->conf.n_options, sizeof(*to->options));
	for (unsigned i = 0; i < from->conf.n_options; i++) {
		to->options[i] = from->options[i];
		to->options[i].text = strdup(from->options[i].text);
		ASSERT(to->options[i].text != NULL);
	}
}

void
check_def_free(struct check_def *d)
{
	for (unsigned i = 0; d->options != NULL && i < d->conf.n_options; i++) {
		if (d->options[i].text != NULL)
			explicit_bzero(d->options[i].text, strlen(d->options[i].text));
		free(d->options[i].text);
	}
	free(TAKE(d->options));
}

bool
check_def_equal(const struct check_def *a, const struct check_def *b)
{
	if (memcmp(&a->conf, &b->conf, sizeof(a->conf)) != 0)
		return false;
	for (unsigned i = 0; i < a->conf.n_options; i++)
		if (strcmp(a->options[i].path, b->options[i].path) != 0 ||
		    strcmp(a->options[i].text, b->options[i].text) != 0)
			return false;
	return true;
}

const char *
check_def_text(const struct check_def *d, const char *path, unsigned n)
{
	for (unsigned i = 0; i < d->conf.n_options; i++)
		if (strcmp(d->options[i].path, path) == 0 && n-- == 0)
			return d->options[i].text;
	return NULL;
}

int64_t
check_def_number(const struct check_def *d, const char *path, int64_t otherwise)
{
	const char *text = check_def_text(d, path, 0);

	return text != NULL ? strtoll(text, NULL, 10) : otherwise;
}
