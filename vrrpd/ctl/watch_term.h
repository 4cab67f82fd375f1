/*
 * watch_term.h - the terminal as a screen: taken, drawn on, given back as it was.
 *
 * One per process: it takes the signals that a terminal sends.
 */
#ifndef VRRPD_CTL_WATCH_TERM_H
#define VRRPD_CTL_WATCH_TERM_H

#include <stdbool.h>

#include "base/time.h"

enum watch_input {
	WATCH_TIME,  /* the deadline came */
	WATCH_AGAIN, /* the screen must be drawn anew: its size changed, or we were stopped */
	WATCH_NONE,  /* something that means nothing */
	WATCH_QUIT,
};

/*
 * Take the terminal (stdout; keys from stdin when that is one, too): another screen, no cursor, no echo. It is given
 * back at exit, too. 0 or -errno.
 */
int watch_term_open(void);

/* Give it back. The signal that asked for the end is raised again, unless it was Ctrl-C: then this does not return. */
void watch_term_close(void);

/* Becomes readable when watch_term_wait() has something to tell. */
int watch_term_fd(void);

/* Wait for a key, a signal or the deadline. Stops the process on Ctrl-Z, and goes on after `fg`. */
enum watch_input watch_term_wait(mono_t deadline);

/* Rows and columns now. */
void watch_term_size(int *ret_rows, int *ret_columns);

/* Show these lines from the top; what was below is cleared. False when the terminal has gone away. */
bool watch_term_draw(const char *text);

#endif
