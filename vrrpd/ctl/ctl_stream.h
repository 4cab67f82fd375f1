/*
 * ctl_stream.h - an answer of the status API that is read line by line, also one that does not end.
 */
#ifndef VRRPD_CTL_CTL_STREAM_H
#define VRRPD_CTL_CTL_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "ctl/ctl.h"

enum ctl_stream_end {
	CTL_STREAM_ALL,	    /* all of it came */
	CTL_STREAM_LOST,    /* the connection ended before, or could not be made */
	CTL_STREAM_REFUSED, /* the answer was an error */
	CTL_STREAM_STOPPED  /* ctl_stream_stop() */
};

/* A line without its newline, ended by a NUL; may be changed. */
typedef void ctl_line_fn(void *arg, char *line, size_t len);

struct ctl_stream {
	bool quiet;	/* do not say on stderr why nothing came */
	bool connected; /* out: the daemon has answered */
	int status;	/* out, REFUSED: an enum ctl_exit */
	ctl_line_fn *line;
	void *arg;
};

/* GET path. Waits a few seconds for the answer to begin, then for as long as it takes. */
enum ctl_stream_end ctl_stream_get(const struct ctl *c, const char *path, struct ctl_stream *s);

/* For a signal handler: what runs returns CTL_STREAM_STOPPED, and so does everything after it. */
void ctl_stream_stop(void);

/* Wait, or until stopped: then true. */
bool ctl_stream_pause(unsigned ms);

#endif
