/*
 * check_file.c - kind "file": a maintenance switch, or the number in a file as a weight.
 *
 * Runs in vrrpd-agent under check.c. "absent": up while there is no such file; "present": up while there is;
 * "number": the file's integer is the weight, as with keepalived's track_file (keepalived.conf(5)): a missing
 * or empty file counts as 0, values beyond -253..253 as the nearest of these. The folder is watched (inotify),
 * so a change counts within milliseconds; where that is not possible, at the next interval. A change that was
 * seen is looked at again every 10 ms until rise or fall is reached, and never more often.
 */
#include "agent/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent_util.h"
#include "base/strbuf.h"

#define AGAIN_US       (10 * USEC_PER_MS)
#define NUMBER_OCTETS  63 /* more than any number needs */
#define READS_PER_TURN 16
#define WEIGHT_MAX     253

struct file {
	struct check *check;
	int fd; /* inotify, -1 = none */
	struct loop_io *io;
	struct loop_timer *again;
	bool hurry;    /* a change was seen and does not count yet */
	mono_t looked; /* the last run */
	char folder[1024], name[256];
};

/* ---- the folder ------------------------------------------------------------------------------ */

static void
unwatch(struct file *f)
{
	loop_io_del(TAKE(f->io));
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

/* Look soon: at once when the last look is long enough ago. */
static void
look_soon(struct file *f)
{
	f->hurry = true;
	loop_timer_set(f->again, mono_add(f->looked, AGAIN_US));
}

static void
on_again(void *arg, mono_t now)
{
	struct file *f = arg;

	(void)now;
	check_again(f->check);
}

static void
on_change(void *arg, int fd, bool readable, bool writable)
{
	struct file *f = arg;
	union {
		struct inotify_event align;
		char octets[4096];
	} buf;

	(void)readable;
	(void)writable;
	for (unsigned i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = read(fd, &buf, sizeof(buf));
		const char *p = buf.octets;

		if (n <= 0)
			return;
		while (p < buf.octets + n) {
			const struct inotify_event *ev = (const void *)p;

			/* Overflow, or the folder itself: look. When it is gone, the next look watches anew. */
			if (ev->len == 0 || strcmp(ev->name, f->name) == 0)
				look_soon(f);
			if (ev->mask & (IN_IGNORED | IN_MOVE_SELF)) {
				unwatch(f);
				return;
			}
			p += sizeof(*ev) + ev->len;
		}
	}
}

/* Watch the folder, if that is not done yet. Failing is no error: then the interval decides. */
static void
watch(struct file *f)
{
	const uint32_t mask = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_ATTRIB |
			      IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

	if (f->fd >= 0)
		return;
	f->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (f->fd < 0)
		return;
	if (inotify_add_watch(f->fd, f->folder, mask) < 0)
		unwatch(f);
	else
		f->io = loop_io_add(check_loop(f->check), f->fd, on_change, f);
}

/* ---- the file -------------------------------------------------------------------------------- */

/* The file's first octets as text, "" when it is missing or empty. 0 or an errno. */
static int
read_text(const char *path, char *buf)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	ssize_t n;
	int err = 0;

	buf[0] = '\0';
	if (fd < 0)
		return errno == ENOENT ? 0 : errno;
	if (fstat(fd, &st) < 0)
		err = errno;
	else if (!S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	if (err == 0) {
		n = read(fd, buf, NUMBER_OCTETS);
		err = n < 0 ? errno : 0;
		buf[n > 0 ? n : 0] = '\0';
	}
	close(fd);
	return err;
}

static void
judge_number(struct check *c, const char *path)
{
	char text[NUMBER_OCTETS + 1];
	int err = read_text(path, text);
	const char *begin = text + strspn(text, " \t\r\n");
	char *end;
	long n;

	if (err != 0) {
		check_donef(c, false, "%s cannot be read: %s", path,
			    err == EINVAL ? "it is no regular file" : strerror(err));
		return;
	}
	errno = 0;
	n = strtol(begin, &end, 10);
	if (*begin != '\0' && (end == begin || errno != 0 || end[strspn(end, " \t\r\n")] != '\0')) {
		check_donef(c, false, "%s holds no number: %.20s", path, begin);
		return;
	}
	check_set_weight(c, (int)MAX(-WEIGHT_MAX, MIN(WEIGHT_MAX, n)));
	if (n < -WEIGHT_MAX || n > WEIGHT_MAX)
		check_donef(c, true, "weight %d: %ld in %s is beyond it", n < 0 ? -WEIGHT_MAX : WEIGHT_MAX, n,
			    path);
	else
		check_donef(c, true, "weight %ld%s", n, *begin == '\0' ? ", the file is missing or empty" : "");
}

static void
judge_existence(struct check *c, const char *path, bool wanted)
{
	struct stat st;
	bool there = lstat(path, &st) == 0;

	if (!there && errno != ENOENT && errno != ENOTDIR)
		check_donef(c, false, "%s cannot be looked at: %s", path, strerror(errno));
	else
		check_donef(c, there == wanted, "%s %s", path, there ? "exists" : "does not exist");
}

/* ---- the frame's side ------------------------------------------------------------------------ */

static struct file *
file_of(struct check *c)
{
	struct file *f = c->priv;
	const char *path = check_text(c, "path", 0);
	const char *slash = strrchr(path, '/');

	if (f != NULL)
		return f;
	f = agent_alloc(1, sizeof(*f));
	c->priv = f;
	f->check = c;
	f->fd = -1;
	f->again = loop_timer_add(check_loop(c), on_again, f);
	(void)str_copy(f->name, sizeof(f->name), slash + 1);
	(void)str_copy(f->folder, MIN(sizeof(f->folder), (size_t)(slash - path) + 1), path);
	if (slash == path)
		(void)str_copy(f->folder, sizeof(f->folder), "/");
	return f;
}

static void
file_start(struct check *c)
{
	struct file *f = file_of(c);
	const char *path = check_text(c, "path", 0);
	const char *content = check_text(c, "content", 0);

	/* Before the look: what changes after it is told. */
	watch(f);
	f->looked = loop_now(check_loop(c));
	if (content != NULL && strcmp(content, "number") == 0)
		judge_number(c, path);
	else
		judge_existence(c, path, content != NULL && strcmp(content, "present") == 0);
	f->hurry = f->hurry && c->streak > 0;
	if (f->hurry)
		look_soon(f);
}

/* Never reached: a run ends before start() returns. */
static void
file_cancel(struct check *c, bool force)
{
	(void)c;
	(void)force;
}

static void
file_free(struct check *c)
{
	struct file *f = c->priv;

	if (f == NULL)
		return;
	unwatch(f);
	loop_timer_del(f->again);
	free(f);
}

const struct check_ops check_file_ops = {
	.name = "file",
	.start = file_start,
	.cancel = file_cancel,
	.free = file_free,
};
