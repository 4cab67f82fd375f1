/*
 * engine_kernel.c - the kernel thread: everything that takes the rtnl lock or reads netlink.
 *
 * The advert loop says what it wants of an instance's addresses and gets answers; in between the lock may be
 * held by another program for as long as it likes. Only the newest wish per instance counts, so the queue is as
 * long as there are instances and never full. Between slices of address work the thread looks at its queue and
 * at kernel events. The work itself is in engine_addresses.c and engine_ports.c.
 */
#include "engine/engine_kernel_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/priv.h"

#define STACK_SIZE (512 * 1024)

void
kernel_answer(struct engine_kernel *k, const struct kernel_answer *a)
{
	static const struct timespec pause = {.tv_nsec = 1000000};

	/* Blocks while the advert loop is behind; after a stop there is nobody to tell. An answer that is lost
	 * would be waited for for ever: while the kernel is short of memory it is tried again. */
	while (send(k->answers_out, a, sizeof(*a), MSG_NOSIGNAL) < 0) {
		if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
			return;
		if (errno != EINTR)
			(void)nanosleep(&pause, NULL);
	}
}

/* ---- the thread ---------------------------------------------------------------------------------------------
 */

static bool
wants_quit(struct engine_kernel *k)
{
	bool quit;

	pthread_mutex_lock(&k->lock);
	quit = k->quit;
	pthread_mutex_unlock(&k->lock);
	return quit;
}

static void
close_returned(struct engine_kernel *k)
{
	int fd;

	while (read(k->close_pipe[0], &fd, sizeof(fd)) == sizeof(fd))
		close(fd);
}

static int
poll_timeout_ms(const struct engine_kernel *k)
{
	mono_t now;

	if (kernel_renewing(k) || k->changed)
		return 0;
	if (!k->port_retry)
		return -1;
	now = clock_mono();
	/* Rounded up: not once more for the rest of a millisecond. */
	return mono_due(now, k->retry_at) ? 0 : (int)(mono_since(k->retry_at, now) / USEC_PER_MS) + 1;
}

static void
serve(struct engine_kernel *k)
{
	struct pollfd fds[] = {
		{.fd = k->wake, .events = POLLIN},
		{.fd = nlk_cache_fd(k->cache), .events = POLLIN},
		{.fd = k->close_pipe[0], .events = POLLIN},
	};
	struct kernel_answer broken = {.kind = KERNEL_ANSWER_BROKEN, .fd = -1, .stray_fd = -1};
	uint64_t woken;
	int r;

	while (!wants_quit(k)) {
		r = poll(fds, ARRAY_SIZE(fds), poll_timeout_ms(k));
		/* By the clock: renewals wake this thread more often than ports are tried again. */
		if (k->port_retry && mono_due(clock_mono(), k->retry_at))
			k->changed = true;
		if (r > 0 && fds[0].revents)
			(void)!read(k->wake, &woken, sizeof(woken));
		r = kernel_turn(k, r > 0 && fds[1].revents);
		if (r < 0) {
			broken.err = -r;
			kernel_answer(k, &broken);
			return;
		}
		close_returned(k);
	}
}

static void *
kernel_main(void *arg)
{
	struct engine_kernel *k = arg;

	/* One step below the advert loop: address work in good time, but never before an advert. */
	if (k->gen->realtime_priority > 1) {
		int r = priv_realtime(k->gen->realtime_priority - 1);

		/* Where the advert loop may not either, that was said. */
		if (r < 0 && (sched_getscheduler(getpid()) & ~SCHED_RESET_ON_FORK) == SCHED_FIFO)
			kernel_trouble(k, "no real-time scheduling", "for address work", -r);
	}
	kernel_begin(k);
	serve(k);
	return NULL;
}

/* ---- the advert loop's side -------------------------------------------------------------------------------
 */

static void
answers_ready(void *arg, int fd, bool readable, bool writable)
{
	struct engine_kernel *k = arg;
	struct kernel_answer a;

	(void)readable;
	(void)writable;
	/* One turn's worth; the rest waits its turn behind due adverts. */
	for (int n = 0; n < 64; n++) {
		if (recv(fd, &a, sizeof(a), MSG_DONTWAIT) != (ssize_t)sizeof(a))
			return;
		k->fn(k->arg, &a);
	}
}

static int
init_lock(pthread_mutex_t *m)
{
	pthread_mutexattr_t attr;
	int r = pthread_mutexattr_init(&attr);

	if (r != 0)
		return -r;
	r = pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	if (r == 0)
		r = pthread_mutex_init(m, &attr);
	pthread_mutexattr_destroy(&attr);
	return -r;
}

static int
open_channels(struct engine_kernel *k)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	k->answers = sv[0];
	k->answers_out = sv[1];
	k->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (k->wake < 0 || pipe2(k->close_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static int
start_thread(struct engine_kernel *k)
{
	pthread_attr_t attr;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return -r;
	/* Locked memory: the default 8 MiB would all be resident. */
	r = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (r == 0)
		r = pthread_create(&k->thread, &attr, kernel_main, k);
	pthread_attr_destroy(&attr);
	return -r;
}

static void
free_all(struct engine_kernel *k)
{
	const int fds[] = {k->answers, k->answers_out, k->wake, k->close_pipe[0], k->close_pipe[1]};

	for (size_t n = 0; n < ARRAY_SIZE(fds); n++)
		if (fds[n] >= 0)
			close(fds[n]);
	nlk_cache_close(k->cache);
	nlk_batch_close(k->batch);
	nlk_diag_close(k->diag);
	kernel_free_books(&k->books);
	kernel_free_books(&k->next_books);
	free(k);
}

int
engine_kernel_start(struct loop *loop, struct engine_gen *gen, engine_kernel_fn *fn, void *arg,
		    struct engine_kernel **ret)
{
	struct engine_kernel *k = calloc(1, sizeof(*k));
	int r;

	if (k == NULL)
		return -ENOMEM;
	k->gen = gen;
	k->fn = fn;
	k->arg = arg;
	k->answers = k->answers_out = k->wake = k->close_pipe[0] = k->close_pipe[1] = -1;
	k->renew_instance = k->n_instances = gen->n_instances;
	k->renew_interval = kernel_renew_interval(gen);
	r = kernel_make_books(gen, &k->books);
	if (r == 0)
		r = init_lock(&k->lock);
	if (r == 0)
		r = open_channels(k);
	if (r == 0)
		r = nlk_batch_open(&k->batch);
	if (r == 0)
		r = nlk_cache_open(kernel_on_change, k, &k->cache);
	if (r == 0)
		r = start_thread(k);
	if (r < 0) {
		free_all(k);
		return r;
	}
	k->io = loop_io_add(loop, k->answers, answers_ready, k);
	*ret = k;
	return 0;
}

void
kernel_wake(struct engine_kernel *k)
{
	uint64_t one = 1;

	/* EAGAIN means that it is awake 2^64 - 1 times already. */
	if (write(k->wake, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_warning("the thread for the kernel's network configuration is not woken until addresses "
			    "are renewed: %s",
			    strerror(errno));
}

void
engine_kernel_close_fd(struct engine_kernel *k, int fd)
{
	/* A pipe full of thousands of descriptors does not happen; if it does, waiting for the lock is the
	 * lesser evil. */
	if (write(k->close_pipe[1], &fd, sizeof(fd)) != sizeof(fd))
		close(fd);
}

void
engine_kernel_stop(struct engine_kernel *k)
{
	if (k == NULL)
		return;
	pthread_mutex_lock(&k->lock);
	k->quit = true;
	pthread_mutex_unlock(&k->lock);
	kernel_wake(k);
	/* The thread may be waiting to answer: let that fail. */
	shutdown(k->answers, SHUT_RDWR);
	pthread_join(k->thread, NULL);
	loop_io_del(k->io);
	free_all(k);
}
