/*
 * watch_screen.h - what `watch` shows, as lines that fit a screen.
 */
#ifndef VRRPD_CTL_WATCH_SCREEN_H
#define VRRPD_CTL_WATCH_SCREEN_H

#include <jansson.h>

#include "base/time.h"
#include "ctl/ctl.h"
#include "ctl/ctl_view.h"

#define SCREEN_EVENTS 8 /* shown at most */

struct screen {
	struct view *status; /* the last document, or NULL before there was one */
	char *text;	     /* what status points into */
	json_t *events;	     /* an array, oldest first, or NULL */
	mono_t seen;	     /* when status came */
	const char *trouble; /* why there is nothing newer, a line; NULL when there is */
	const char *every;   /* seconds, as they were typed */
};

/*
 * The screen of so many rows and columns, a text of at most that many lines, each ended by a newline; to be freed.
 * Colour as c says.
 */
char *screen_text(const struct ctl *c, const struct screen *s, int rows, int columns);

#endif
