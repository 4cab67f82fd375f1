/*
 * watch_term.c - the terminal as a screen; see watch_term.h.
 *
 * Runs in vrrpctl. Plain ANSI sequences that every terminal of today knows. Signals are read from a descriptor,
 * so nothing happens between two looks but in watch_term_wait().
 */
#include "ctl/watch_term.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/macros.h"
#include "sys/clock.h"

/* Another screen, no cursor, no line breaks of the terminal's own; and back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

#define HOME	     "\033[H"
#define CLEAR_LINE   "\033[K"
#define CLEAR_BELOW  "\033[J"
#define ROWS_USUAL   24
#define COLUMNS_USUAL 80

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT};

static struct {
	bool taken;
	bool keys; /* stdin is a terminal */
	struct termios saved;
	int epoll, signal_fd;
	int ended_by; /* signal */
} term = {.epoll = -1, .signal_fd = -1};

static bool
write_all(const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(STDOUT_FILENO, p, n);

		if (done < 0 && errno == EAGAIN) {
			struct pollfd full = {.fd = STDOUT_FILENO, .events = POLLOUT};

			poll(&full, 1, -1);
		} else if (done < 0 && errno != EINTR) {
			return false;
		}
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
	return true;
}

/* Async-signal-safe. */
static void
give_back(void)
{
	if (!term.taken)
		return;
	term.taken = false;
	(void)write_all(LEAVE, strlen(LEAVE));
	if (term.keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &term.saved);
}

static void
take(void)
{
	struct termios t;

	/* From the background this stops the process until it is in front again. */
	if (term.keys && tcgetattr(STDIN_FILENO, &term.saved) == 0) {
		t = term.saved;
		t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		t.c_cc[VMIN] = 0;
		t.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &t);
	}
	term.taken = true;
	(void)write_all(ENTER, strlen(ENTER));
}

/* A failed assertion must not leave the terminal dumb. */
static void
on_abort(int sig)
{
	give_back();
	signal(sig, SIG_DFL);
	raise(sig);
}

static int
listen_to(int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(term.epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

int
watch_term_open(void)
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	signal(SIGABRT, on_abort);
	term.keys = isatty(STDIN_FILENO);
	term.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	term.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (term.signal_fd < 0 || term.epoll < 0)
		return -errno;
	err = listen_to(term.signal_fd);
	if (err == 0 && term.keys)
		err = listen_to(STDIN_FILENO);
	if (err < 0)
		return err;
	atexit(give_back);
	take();
	return 0;
}

void
watch_term_close(void)
{
	sigset_t set;

	give_back();
	if (term.ended_by == 0 || term.ended_by == SIGINT)
		return;
	signal(term.ended_by, SIG_DFL);
	raise(term.ended_by); /* comes when it is no longer blocked */
	sigemptyset(&set);
	sigaddset(&set, term.ended_by);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int
watch_term_fd(void)
{
	return term.epoll;
}

/* Ctrl-Z: stop as if we had never taken the terminal. Returns after SIGCONT. */
static void
stop(void)
{
	sigset_t set;

	give_back();
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL); /* here we stop */
	sigprocmask(SIG_BLOCK, &set, NULL);
	take();
}

static enum watch_input
read_signal(void)
{
	struct signalfd_siginfo info;

	if (read(term.signal_fd, &info, sizeof(info)) != sizeof(info))
		return WATCH_NONE;
	switch (info.ssi_signo) {
	case SIGWINCH:
		return WATCH_AGAIN;
	case SIGTSTP:
		stop();
		return WATCH_AGAIN;
	case SIGCONT: /* whoever wrote meanwhile may have changed the modes */
		give_back();
		take();
		return WATCH_AGAIN;
	default:
		term.ended_by = (int)info.ssi_signo;
		return WATCH_QUIT;
	}
}

static enum watch_input
read_keys(void)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return WATCH_NONE;
	if (n <= 0)
		return WATCH_QUIT; /* the terminal has gone away */
	for (ssize_t i = 0; i < n; i++)
		if (keys[i] == 'q' || keys[i] == 'Q')
			return WATCH_QUIT;
	return WATCH_NONE;
}

enum watch_input
watch_term_wait(mono_t deadline)
{
	struct epoll_event e;
	mono_t now = clock_mono();
	int n, ms = mono_due(now, deadline) ? 0 : (int)((deadline.us - now.us) / USEC_PER_MS) + 1;

	n = epoll_wait(term.epoll, &e, 1, ms);
	if (n < 0)
		return errno == EINTR ? WATCH_NONE : WATCH_QUIT;
	if (n == 0)
		return WATCH_TIME;
	return e.data.fd == term.signal_fd ? read_signal() : read_keys();
}

void
watch_term_size(int *ret_rows, int *ret_columns)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		size = (struct winsize){0};
	*ret_rows = size.ws_row > 0 ? size.ws_row : ROWS_USUAL;
	*ret_columns = size.ws_col > 0 ? size.ws_col : COLUMNS_USUAL;
}

bool
watch_term_draw(const char *text)
{
	char *all = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&all, &size);
	bool ok;

	ASSERT(f != NULL);
	fputs(HOME, f);
	for (;;) {
		size_t n = strcspn(text, "\n");

		fwrite(text, 1, n, f);
		fputs(CLEAR_LINE, f);
		text += n;
		if (text[0] == '\0' || text[1] == '\0')
			break;
		fputs("\r\n", f);
		text++;
	}
	fputs(CLEAR_BELOW, f);
	fclose(f);
	ok = write_all(all, size); /* all at once: nothing flickers */
	free(all);
	return ok;
}
