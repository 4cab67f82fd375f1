/*
 * fail_nth.c - preloaded into vrrpd's programs: the n-th allocation, system call or answer over netlink fails,
 * once.
 *
 * tests/tools/anomalies.py starts vrrpd with LD_PRELOAD=fail_nth.so and FAIL_NTH=FILE. The file is a struct
 * control below that all processes share: it says what is counted, in which program, from when on, and which
 * one fails; and it takes in what failed and where. Only one fails in all processes together, so that whoever
 * is started again finds a healthy world.
 *
 *   allocations  NULL and ENOMEM
 *   calls        -1 and an errno that the call may have; only those that a program or a library makes by name:
 * what the C library does inside itself is not seen acks         the kernel did what it was asked over netlink
 * and said so, but what is read is an error; also the end of a dump requests     the kernel is asked over
 * netlink for something it does not know, and refuses
 *
 * What happens before main() belongs to the libraries and is not counted. Once the program is under a filter of
 * its system calls, nothing here makes another one: the file is mapped and everything is looked up at the
 * start.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <grp.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAMES 24
#define SITES  (1 << 16)

enum { WHAT_ALLOCATION = 1, WHAT_CALL = 2, WHAT_ACK = 4, WHAT_REQUEST = 8 };

/* Read and written by anomalies.py, too. */
struct control {
	char program[16];	/* the one in which is counted */
	char only[16];		/* the one function that is counted; empty: all of its kind */
	uint32_t what;		/* one of WHAT_... */
	uint32_t variant;	/* which errno, where a call may have several */
	uint64_t n;		/* this one fails; 0: none, what is called is noted */
	_Atomic uint32_t armed; /* counted is while this is not 0 */
	_Atomic uint32_t fired; /* 1: chosen; 2: all below is written */
	_Atomic uint64_t count;
	int32_t pid;
	int32_t err;
	char call[32];
	uint32_t n_frames;
	uint32_t reserved;
	struct {
		char module[40];
		char symbol[32];
		uint64_t offset;
	} frames[FRAMES];
	uint64_t sites[SITES]; /* [k]: a hash of who made the call k, noted when n is 0 */
};

static struct control *control;
static bool in_main;
static __thread bool inside; /* this file's own calls are not counted */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
		      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

/* ---- counting
 * ------------------------------------------------------------------------------------------------- */

static void
note_place(const char *call, int err, void *const *at, int n)
{
	struct control *c = control;

	c->pid = getpid();
	c->err = err;
	strncpy(c->call, call, sizeof(c->call) - 1);
	c->n_frames = 0;
	for (int i = 0; i < n; i++) {
		Dl_info info;
		const char *base;

		if (dladdr(at[i], &info) == 0 || info.dli_fname == NULL)
			continue;
		base = strrchr(info.dli_fname, '/');
		base = base != NULL ? base + 1 : info.dli_fname;
		if (strncmp(base, "fail_nth", 8) == 0)
			continue;
		strncpy(c->frames[c->n_frames].module, base, sizeof(c->frames[0].module) - 1);
		strncpy(c->frames[c->n_frames].symbol, info.dli_sname != NULL ? info.dli_sname : "",
			sizeof(c->frames[0].symbol) - 1);
		c->frames[c->n_frames++].offset = (uint64_t)((char *)at[i] - (char *)info.dli_fbase);
	}
	c->fired = 2;
}

/* Who calls, as a number that stays the same from run to run. */
static uint64_t
place_hash(const char *call, void *const *at, int n)
{
	uint64_t h = UINT64_C(14695981039346656037);
	Dl_info info;

	for (; *call != '\0'; call++)
		h = (h ^ (uint8_t)*call) * UINT64_C(1099511628211);
	for (int i = 0; i < n; i++)
		if (dladdr(at[i], &info) != 0)
			h = (h ^ (uint64_t)((char *)at[i] - (char *)info.dli_fbase)) * UINT64_C(1099511628211);
	return h;
}

/* Is this the one that fails? */
static bool
is_it(uint32_t what, const char *call, int err)
{
	struct control *c = control;
	void *at[FRAMES];
	uint64_t k;
	int saved = errno, n;
	uint32_t none = 0;

	if (c == NULL || !in_main || inside || c->armed == 0 || (c->what & what) == 0 || c->fired != 0 ||
	    strcmp(c->program, program_invocation_short_name) != 0 ||
	    (c->only[0] != '\0' && strcmp(c->only, call) != 0))
		return false;
	k = ++c->count;
	if (k != c->n && (c->n != 0 || k >= SITES))
		return false;
	inside = true;
	n = backtrace(at, FRAMES);
	if (c->n == 0)
		c->sites[k] = place_hash(call, at, n);
	else if (atomic_compare_exchange_strong(&c->fired, &none, 1))
		note_place(call, err, at, n);
	inside = false;
	errno = saved;
	return c->n != 0;
}

static int
errno_of(int one, int other)
{
	return control != NULL && control->variant != 0 ? other : one;
}

static bool
call_fails(const char *call, int one, int other)
{
	int err = errno_of(one, other);

	if (!is_it(WHAT_CALL, call, err))
		return false;
	errno = err;
	return true;
}

static bool
allocation_fails(const char *call)
{
	if (!is_it(WHAT_ALLOCATION, call, ENOMEM))
		return false;
	errno = ENOMEM;
	return true;
}

__attribute__((constructor)) static void
open_control(void)
{
	const char *path = getenv("FAIL_NTH");
	void *at[2];
	int fd;

	if (path == NULL)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (control == MAP_FAILED)
		control = NULL;
	close(fd);
	(void)backtrace(at, 2); /* loads what it needs */
}

static void *
next(const char *name)
{
	void *p;

	inside = true;
	p = dlsym(RTLD_NEXT, name);
	inside = false;
	if (p == NULL)
		abort();
	return p;
}

/* ---- allocations
 * ---------------------------------------------------------------------------------------------- */

void *
malloc(size_t size)
{
	return allocation_fails("malloc") ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	return allocation_fails("calloc") ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	return allocation_fails("realloc") ? NULL : __libc_realloc(p, size);
}

void *
reallocarray(void *p, size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return allocation_fails("reallocarray") ? NULL : __libc_realloc(p, all);
}

void *
aligned_alloc(size_t align, size_t size)
{
	return allocation_fails("aligned_alloc") ? NULL : __libc_memalign(align, size);
}

int
posix_memalign(void **ret, size_t align, size_t size)
{
	if (allocation_fails("posix_memalign"))
		return ENOMEM;
	*ret = __libc_memalign(align, size);
	return *ret != NULL ? 0 : ENOMEM;
}

/* ---- system calls
 * --------------------------------------------------------------------------------------------- */

/* clang-format off */
#define CALL(type, failed, name, params, args, one, other)                                                             \
	type name params                                                                                               \
	{                                                                                                              \
		static type (*real) params;                                                                            \
		if (real == NULL)                                                                                      \
			real = (type (*) params)next(#name);                                                           \
		return call_fails(#name, one, other) ? (failed) : real args;                                           \
	}

#include "fail_nth_calls.h"
/* clang-format on */

/* Only adding takes memory and counts against a limit; changing and removing what is there cannot fail (epoll_ctl(2)). */
int
epoll_ctl(int e, int op, int fd, struct epoll_event *v)
{
	static int (*real)(int, int, int, struct epoll_event *);

	if (real == NULL)
		real = (int (*)(int, int, int, struct epoll_event *))next("epoll_ctl");
	return op == EPOLL_CTL_ADD && call_fails("epoll_ctl", ENOSPC, ENOMEM) ? -1 : real(e, op, fd, v);
}

/* One octet is what libevent's signal handlers write into their own pipe, which cannot fail before it is full.
 */
ssize_t
write(int fd, const void *p, size_t n)
{
	static ssize_t (*real)(int, const void *, size_t);

	if (real == NULL)
		real = (ssize_t(*)(int, const void *, size_t))next("write");
	return n != 1 && call_fails("write", ENOSPC, EINTR) ? -1 : real(fd, p, n);
}

/* Those with a variable number of arguments: more are passed on than there are, which the processor's rules for
 * calls allow. */
#define VARIADIC(name, type, first, pass, one, other)                                                          \
	type name first                                                                                        \
	{                                                                                                      \
		static long (*real)(long, long, long, long, long, long, long);                                 \
		long a[5];                                                                                     \
		va_list ap;                                                                                    \
		if (real == NULL)                                                                              \
			real = (long (*)(long, long, long, long, long, long, long))next(#name);                \
		va_start(ap, x2);                                                                              \
		for (int i = 0; i < 5; i++)                                                                    \
			a[i] = va_arg(ap, long);                                                               \
		va_end(ap);                                                                                    \
		return call_fails(#name, one, other) ? (type)-1                                                \
						     : (type)real(pass, a[0], a[1], a[2], a[3], a[4]);         \
	}

#define PASS (long)(intptr_t)x1, (long)(intptr_t)x2

VARIADIC(open, int, (const char *x1, int x2, ...), PASS, EMFILE, ENOMEM)
VARIADIC(open64, int, (const char *x1, int x2, ...), PASS, EMFILE, ENOMEM)
VARIADIC(fcntl, int, (int x1, int x2, ...), PASS, EMFILE, EINVAL)
VARIADIC(fcntl64, int, (int x1, int x2, ...), PASS, EMFILE, EINVAL)
VARIADIC(ioctl, int, (int x1, unsigned long x2, ...), PASS, ENOMEM, EINVAL)

/* prctl() and syscall() have one argument before the others. */
int
prctl(int option, ...)
{
	static int (*real)(int, ...);
	unsigned long a[4];
	va_list ap;

	if (real == NULL)
		real = (int (*)(int, ...))next("prctl");
	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	return call_fails("prctl", EPERM, EINVAL) ? -1 : real(option, a[0], a[1], a[2], a[3]);
}

long
syscall(long number, ...)
{
	static long (*real)(long, ...);
	long a[6];
	va_list ap;

	if (real == NULL)
		real = (long (*)(long, ...))next("syscall");
	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	return call_fails("syscall", EPERM, EINVAL) ? -1 : real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- netlink
 * -------------------------------------------------------------------------------------------------- */

static bool
is_netlink(int fd)
{
	static int (*real)(int, int, int, void *, socklen_t *);
	int domain = 0, saved = errno;
	socklen_t len = sizeof(domain);

	if (control == NULL || (control->what & (WHAT_ACK | WHAT_REQUEST)) == 0)
		return false;
	if (real == NULL)
		real = (int (*)(int, int, int, void *, socklen_t *))next("getsockopt");
	(void)real(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	errno = saved;
	return domain == AF_NETLINK;
}

/* Turn what was read over: `len` octets in `room`. Returns the length, which may have grown. */
static ssize_t
spoil_acks(void *buf, ssize_t len, size_t room)
{
	struct nlmsghdr *h = buf;
	int left = (int)len, err = errno_of(EBUSY, ENOBUFS);

	for (; left >= (int)sizeof(*h) && NLMSG_OK(h, (unsigned)left); h = NLMSG_NEXT(h, left)) {
		struct nlmsgerr *e = NLMSG_DATA(h);

		if (h->nlmsg_type == NLMSG_ERROR && e->error == 0 && is_it(WHAT_ACK, "ack", err)) {
			e->error = -err;
		} else if (h->nlmsg_type == NLMSG_DONE && left == (int)NLMSG_ALIGN(h->nlmsg_len) &&
			   (size_t)((char *)h - (char *)buf) + NLMSG_LENGTH(sizeof(*e)) <= room &&
			   is_it(WHAT_ACK, "end of a dump", err)) {
			h->nlmsg_type = NLMSG_ERROR;
			h->nlmsg_flags = 0;
			h->nlmsg_len = NLMSG_LENGTH(sizeof(*e));
			e->error = -err;
			e->msg = *h;
			return (char *)h - (char *)buf + (ssize_t)h->nlmsg_len;
		}
	}
	return len;
}

/* The request that is to fail, with another type; or NULL. */
static struct nlmsghdr *
spoil_request(const void *buf, size_t len, uint16_t *ret_type)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(uintptr_t)buf;
	unsigned left = (unsigned)len;

	for (; left >= sizeof(*h) && NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))
		if (is_it(WHAT_REQUEST, "request", EOPNOTSUPP)) {
			*ret_type = h->nlmsg_type;
			h->nlmsg_type = 0x3fff;
			return h;
		}
	return NULL;
}

ssize_t
sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t to_len)
{
	static ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
	struct nlmsghdr *spoilt = NULL;
	uint16_t type = 0;
	ssize_t r;

	if (real == NULL)
		real = (ssize_t(*)(int, const void *, size_t, int, const struct sockaddr *, socklen_t))next(
			"sendto");
	if (call_fails("sendto", ENOBUFS, EAGAIN))
		return -1;
	if (is_netlink(fd))
		spoilt = spoil_request(p, n, &type);
	r = real(fd, p, n, flags, to, to_len);
	if (spoilt != NULL)
		spoilt->nlmsg_type = type;
	return r;
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	static ssize_t (*real)(int, const struct msghdr *, int);
	struct nlmsghdr *spoilt = NULL;
	uint16_t type = 0;
	ssize_t r;

	if (real == NULL)
		real = (ssize_t(*)(int, const struct msghdr *, int))next("sendmsg");
	if (call_fails("sendmsg", ENOBUFS, EAGAIN))
		return -1;
	if (m->msg_iovlen == 1 && is_netlink(fd))
		spoilt = spoil_request(m->msg_iov[0].iov_base, m->msg_iov[0].iov_len, &type);
	r = real(fd, m, flags);
	if (spoilt != NULL)
		spoilt->nlmsg_type = type;
	return r;
}

ssize_t
recvfrom(int fd, void *p, size_t n, int flags, struct sockaddr *from, socklen_t *from_len)
{
	static ssize_t (*real)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
	ssize_t r;

	if (real == NULL)
		real = (ssize_t(*)(int, void *, size_t, int, struct sockaddr *, socklen_t *))next("recvfrom");
	if (call_fails("recvfrom", ENOBUFS, EINTR))
		return -1;
	r = real(fd, p, n, flags, from, from_len);
	return r > 0 && is_netlink(fd) ? spoil_acks(p, r, n) : r;
}

ssize_t
recv(int fd, void *p, size_t n, int flags)
{
	static ssize_t (*real)(int, void *, size_t, int);
	ssize_t r;

	if (real == NULL)
		real = (ssize_t(*)(int, void *, size_t, int))next("recv");
	if (call_fails("recv", ENOBUFS, EINTR))
		return -1;
	r = real(fd, p, n, flags);
	return r > 0 && is_netlink(fd) ? spoil_acks(p, r, n) : r;
}

ssize_t
recvmsg(int fd, struct msghdr *m, int flags)
{
	static ssize_t (*real)(int, struct msghdr *, int);
	ssize_t r;

	if (real == NULL)
		real = (ssize_t(*)(int, struct msghdr *, int))next("recvmsg");
	if (call_fails("recvmsg", ENOBUFS, EINTR))
		return -1;
	r = real(fd, m, flags);
	if (r <= 0 || (flags & MSG_PEEK) != 0 || m->msg_iovlen != 1 || !is_netlink(fd))
		return r;
	return spoil_acks(m->msg_iov[0].iov_base, r, m->msg_iov[0].iov_len);
}

/* ---- the start
 * ------------------------------------------------------------------------------------------------ */

static int (*real_main)(int, char **, char **);

static int
counted_main(int argc, char **argv, char **env)
{
	in_main = true;
	return real_main(argc, argv, env);
}

int
__libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
		  void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
	int (*real)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
		    void (*)(void), void *) =
		(int (*)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
			 void (*)(void), void *))next("__libc_start_main");

	real_main = main;
	return real(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}
