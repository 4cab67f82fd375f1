/*
 * cmd_watch.c - verb watch: a live screen of status and the last events; a document a line where there is no screen.
 *
 * Runs in vrrpctl. While the daemon does not answer it says so and goes on asking.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "ctl/ctl_client.h"
#include "ctl/ctl_doc.h"
#include "ctl/ctl_event.h"
#include "ctl/ctl_verbs.h"
#include "ctl/watch_screen.h"
#include "ctl/watch_term.h"
#include "sys/clock.h"

#define EVERY_USUAL "1"
#define PREFIX	    "vrrpctl: "

/* ---- one look -------------------------------------------------------------------------------- */

/*
 * Ask for a document; what is wrong goes to *ret_why (to be freed) instead of to stderr. NULL without a why: something
 * else woke us.
 */
static char *
ask(const struct ctl *base, const char *path, size_t *ret_len, char **ret_why)
{
	CLEANUP(ctl_reply_free) struct ctl_reply r = {0};
	struct ctl c = *base;
	json_t *doc = NULL;
	char *why = NULL, *body = NULL;
	size_t size;

	c.err = open_memstream(&why, &size);
	ASSERT(c.err != NULL);
	if (ctl_get(&c, path, &r) == CTL_OK && r.status != 200)
		(void)ctl_reply_json(&r, &doc); /* says what is wrong */
	json_decref(doc);
	fclose(c.err);
	if (r.status == 200) {
		*ret_len = r.len;
		body = strndup(r.body, r.len);
		ASSERT(body != NULL);
	}
	if (why[0] == '\0' || body != NULL)
		free(TAKE(why));
	*ret_why = why;
	return body;
}

/* The message alone, a line. */
static const char *
without_prefix(char *why)
{
	why[strcspn(why, "\n")] = '\0';
	return strncmp(why, PREFIX, strlen(PREFIX)) == 0 ? why + strlen(PREFIX) : why;
}

/* Look again; *why is what the screen's trouble points into. False when something else woke us before. */
static bool
refresh(const struct ctl *c, struct screen *s, char **why)
{
	char *body, *trouble, *ignored, path[32];
	struct view *doc;
	size_t len;

	body = ask(c, CTL_STATUS_BRIEF, &len, &trouble);
	if (body == NULL && trouble == NULL)
		return false;
	doc = body != NULL ? view_parse(body, len) : NULL;
	if (body != NULL && doc == NULL)
		trouble = strdup("its status cannot be understood");
	free(*why);
	*why = trouble;
	s->trouble = trouble != NULL ? without_prefix(trouble) : NULL;
	if (doc == NULL) {
		free(body);
		return true;
	}
	free(s->status);
	free(s->text);
	s->status = doc;
	s->text = body;
	s->seen = clock_mono();
	snprintf(path, sizeof(path), "/v1/events?n=%d", SCREEN_EVENTS);
	body = ask(c, path, &len, &ignored);
	free(ignored); /* without an answer the screen keeps those it has */
	if (body == NULL)
		return true;
	json_decref(s->events);
	s->events = event_list(body, len);
	free(body);
	return true;
}

/* ---- on a screen ----------------------------------------------------------------------------- */

static bool
draw(const struct ctl *c, const struct screen *s)
{
	int rows, columns;
	char *text;
	bool ok;

	watch_term_size(&rows, &columns);
	text = screen_text(c, s, rows, columns);
	ok = watch_term_draw(text);
	free(text);
	return ok;
}

static int
watch_screen(struct ctl *c, const char *every, usec_t period)
{
	struct screen s = {.every = every};
	enum watch_input input = WATCH_TIME;
	mono_t next = MONO_ZERO;
	char *why = NULL;
	int err = watch_term_open();
	bool ok = true;

	if (err < 0) {
		fprintf(stderr, "vrrpctl: the terminal cannot be used: %s\n", strerror(-err));
		return CTL_UNFIT;
	}
	c->wake_fd = watch_term_fd();
	while (ok && input != WATCH_QUIT) {
		if (input == WATCH_TIME) {
			next = mono_add(clock_mono(), period);
			if (!refresh(c, &s, &why))
				next = clock_mono(); /* again, after what woke us */
		}
		if (input != WATCH_NONE)
			ok = draw(c, &s);
		input = watch_term_wait(next);
	}
	watch_term_close();
	free(s.status);
	free(s.text);
	json_decref(s.events);
	free(why);
	return ok ? CTL_OK : CTL_UNFIT;
}

/* ---- as lines -------------------------------------------------------------------------------- */

/* A document a line, for ever or until nobody reads. */
static int
watch_lines(const struct ctl *c, usec_t period)
{
	for (mono_t next = clock_mono();;) {
		char *why, *body;
		mono_t now;
		size_t len;

		body = ask(c, "/v1/status", &len, &why);
		if (body != NULL) {
			printf("%.*s\n", (int)strcspn(body, "\n"), body);
		} else if (why != NULL) {
			json_t *doc = json_pack("{s:s, s:s}", "error", "vrrpd does not answer", "detail",
						without_prefix(why));

			json_dumpf(doc, stdout, JSON_COMPACT);
			putchar('\n');
			json_decref(doc);
		}
		free(body);
		free(why);
		if (fflush(stdout) != 0) {
			perror("vrrpctl: cannot write");
			clearerr(stdout); /* it has been said */
			return CTL_UNFIT;
		}
		next = mono_add(next, period);
		now = clock_mono();
		if (mono_before(now, next))
			poll(NULL, 0, (int)(mono_since(next, now) / USEC_PER_MS) + 1);
		else
			next = now; /* what was missed is not made up for */
	}
}

int
cmd_watch(struct ctl *c, int argc, char **argv)
{
	struct ctl_args args;
	const char *every;
	usec_t period;
	int status = ctl_args_read(argc, argv, &args);

	if (status >= 0)
		return status;
	every = args.given[OPT_EVERY] ? args.value[OPT_EVERY] : EVERY_USUAL;
	period = (usec_t)(atof(every) * USEC_PER_SEC);
	if (args.given[OPT_JSON])
		return watch_lines(c, period);
	if (!isatty(STDOUT_FILENO)) {
		fputs("vrrpctl: watch needs a terminal; for a file or a pipe there is vrrpctl watch -j\n", stderr);
		return CTL_USAGE;
	}
	return watch_screen(c, every, period);
}
