/*
 * seccomp.c - the tables of system calls, as filters of the kernel; see seccomp.h, seccomp(2), libseccomp.
 *
 * The engine's table says what is allowed. All else fails with ENOSYS rather than ending it: a daemon that
 * keeps an address must not die of an update of the C library that tries a new call, and libraries go on with
 * the old one. The kernel's audit log tells of each refusal. What the filter cannot see are paths: openat() has
 * to stay, for /proc/sys/net/ipv4/conf/NAME/promote_secondaries, but creates and truncates nothing.
 *
 * Parent and agent have the opposite, tables of what is refused. Filters are inherited: the agent's check
 * scripts live under both, and a script may be anything (a shell, Python, curl, psql, redis-cli). So everything
 * a program that minds its own business may want is allowed, and refused is what changes the system below it or
 * looks into other processes. Nearly all of it takes capabilities that scripts do not have; this is the second
 * lock, and the kernel code behind it cannot be reached. Refusals are not logged: a script could fill the log.
 *
 * Programs for another architecture of this processor (32 bit) are refused every call: their calls have other
 * numbers, for which no table is made.
 */
#include "sys/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/macros.h"

#define LOW32 UINT64_C(0xffffffff) /* arguments that are int: the kernel does not look at the upper half */

/* clang-format off */
/* What nobody needs here: tracing, mounts, namespaces, modules, keys, clocks, and their like. */
static const char *const refused[] = {
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp",
	"bpf", "perf_event_open", "userfaultfd", "lookup_dcookie", "fanotify_init",
	"io_uring_setup", "io_uring_enter", "io_uring_register", /* would get round the rules for sockets */
	"mount", "umount", "umount2", "mount_setattr", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount",
	"fspick", "pivot_root", "chroot", "unshare", "setns", "open_by_handle_at", "quotactl", "quotactl_fd",
	"nfsservctl", "acct", "swapon", "swapoff",
	"kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "create_module",
	"query_module", "get_kernel_syms", "reboot", "vhangup", "syslog", "_sysctl", "uselib", "ustat", "sysfs",
	"add_key", "request_key", "keyctl",
	"settimeofday", "stime", "clock_settime", "clock_settime64", "sethostname", "setdomainname",
	"iopl", "ioperm", "modify_ldt", "vm86", "vm86old", "pciconfig_read", "pciconfig_write", "pciconfig_iobase",
	"s390_pci_mmio_read", "s390_pci_mmio_write", "s390_runtime_instr",
};
/* clang-format on */

/* Which argument of clone() the flags are (clone(2), differences between kernel and library). */
#if defined(__s390__) || defined(__CRIS__)
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/* Refused to clone(): new namespaces. */
static const uint64_t namespaces[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
				      CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};

/* Refused to ioctl(): to type into the terminal from which vrrpd was started. */
static const uint64_t ioctls[] = {TIOCSTI, TIOCLINUX};

/* clang-format off */
/* What the engine needs, whatever the arguments. */
static const char *const engine_calls[] = {
	/* its sockets, pipes and timers */
	"read", "readv", "write", "writev", "close", "recvfrom", "recvmsg", "recvmmsg", "recvmmsg_time64", "recv",
	"sendto", "sendmsg", "sendmmsg", "send", "poll", "ppoll", "ppoll_time64", "epoll_create", "epoll_create1",
	"epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "_llseek", "lseek", "eventfd2", "pipe2",
	"timerfd_create", "timerfd_settime", "timerfd_settime64", "fcntl", "fcntl64", "fstat", "fstat64",
	"newfstatat", "fstatat64", "statx", /* fstat() of newer C libraries */
	"bind", "getsockname", "getsockopt", "setsockopt", "shutdown",
	/* memory, the thread for the kernel's settings, its end */
	"brk", "munmap", "mremap", "madvise", "futex", "futex_time64", "set_robust_list", "rseq", "sched_yield",
	"sched_getaffinity", "sched_setscheduler", "sched_getparam", "sched_getscheduler", "exit", "exit_group",
	"restart_syscall", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaction", "sigprocmask", "sigreturn",
	"sigaltstack", "rt_sigtimedwait", "rt_sigtimedwait_time64",
	/* time, chance, itself */
	"clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64", "clock_nanosleep",
	"clock_nanosleep_time64", "nanosleep", "gettimeofday", "time", "getrandom", "getpid", "gettid", "getppid",
	"getuid", "geteuid", "getgid", "getegid", "getuid32", "geteuid32", "getgid32", "getegid32", "uname", "sysinfo",
	"getrusage", "setitimer", /* the latter: limit_time() */
};
/* clang-format on */

/* A first failure stays: *r is 0 or -errno. Not every architecture and libseccomp knows every call. */
static void
rule(scmp_filter_ctx ctx, int *r, uint32_t action, const char *call, unsigned n,
     const struct scmp_arg_cmp *args)
{
	int nr = seccomp_syscall_resolve_name(call);

	if (*r == 0 && nr != __NR_SCMP_ERROR)
		*r = seccomp_rule_add_array(ctx, action, nr, n, args);
}

/* `call` with one condition on one argument. */
static void
rule_if(scmp_filter_ctx ctx, int *r, uint32_t action, const char *call, struct scmp_arg_cmp arg)
{
	rule(ctx, r, action, call, 1, &arg);
}

/* ---- the engine -------------------------------------------------------------------------------- */

/* Netlink, packet sockets, raw sockets for adverts, and nothing that connects anywhere. */
static void
engine_sockets(scmp_filter_ctx ctx, int *r)
{
	const struct scmp_arg_cmp raw4[] = {SCMP_A0(SCMP_CMP_EQ, AF_INET),
					    SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_RAW)};
	const struct scmp_arg_cmp raw6[] = {SCMP_A0(SCMP_CMP_EQ, AF_INET6),
					    SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_RAW)};

	rule_if(ctx, r, SCMP_ACT_ALLOW, "socket", SCMP_A0(SCMP_CMP_EQ, AF_NETLINK));
	rule_if(ctx, r, SCMP_ACT_ALLOW, "socket", SCMP_A0(SCMP_CMP_EQ, AF_PACKET));
	rule_if(ctx, r, SCMP_ACT_ALLOW, "socket", SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	rule(ctx, r, SCMP_ACT_ALLOW, "socket", ARRAY_SIZE(raw4), raw4);
	rule(ctx, r, SCMP_ACT_ALLOW, "socket", ARRAY_SIZE(raw6), raw6);
	rule_if(ctx, r, SCMP_ACT_ALLOW, "socketpair", SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
}

static void
engine_arguments(scmp_filter_ctx ctx, int *r)
{
	const uint64_t change = O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);

	rule_if(ctx, r, SCMP_ACT_ALLOW, "openat", SCMP_A2(SCMP_CMP_MASKED_EQ, change, 0));
	rule_if(ctx, r, SCMP_ACT_ALLOW, "open", SCMP_A1(SCMP_CMP_MASKED_EQ, change, 0));
	/* Memory never becomes code: all of the program is loaded when this is put in force. */
	rule_if(ctx, r, SCMP_ACT_ALLOW, "mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	rule_if(ctx, r, SCMP_ACT_ALLOW, "mmap2", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	rule_if(ctx, r, SCMP_ACT_ALLOW, "mprotect", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* Signals for itself only: abort() of a failed assertion. */
	rule_if(ctx, r, SCMP_ACT_ALLOW, "tgkill", SCMP_A0(SCMP_CMP_EQ, (uint64_t)getpid()));
	rule_if(ctx, r, SCMP_ACT_ALLOW, "tkill", SCMP_A0(SCMP_CMP_EQ, (uint64_t)getpid()));
	rule_if(ctx, r, SCMP_ACT_ALLOW, "kill", SCMP_A0(SCMP_CMP_EQ, (uint64_t)getpid()));
	rule_if(ctx, r, SCMP_ACT_ALLOW, "prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	/* Limits are looked at, not changed. */
	rule_if(ctx, r, SCMP_ACT_ALLOW, "prlimit64", SCMP_A2(SCMP_CMP_EQ, 0));
	rule_if(ctx, r, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, FIONBIO));
}

static int
fill_engine(scmp_filter_ctx ctx)
{
	int r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);

	for (size_t i = 0; i < ARRAY_SIZE(engine_calls); i++)
		rule(ctx, &r, SCMP_ACT_ALLOW, engine_calls[i], 0, NULL);
	engine_sockets(ctx, &r);
	engine_arguments(ctx, &r);
	return r;
}

/* ---- parent and agent -------------------------------------------------------------------------- */

/* Every family but Unix, IPv4, IPv6, netlink (the C library's resolver asks it) and, for the engine, packet
 * sockets. */
static void
refuse_families(scmp_filter_ctx ctx, int *r, bool packet)
{
	const uint32_t action = SCMP_ACT_ERRNO(EAFNOSUPPORT);

	for (uint64_t f = AF_UNIX; f < AF_NETLINK; f++)
		if (f != AF_UNIX && f != AF_INET && f != AF_INET6)
			rule_if(ctx, r, action, "socket", SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, f));
	rule_if(ctx, r, action, "socket", SCMP_A0(SCMP_CMP_GT, packet ? AF_PACKET : AF_NETLINK));
}

static int
fill_refused(scmp_filter_ctx ctx, bool packet)
{
	const uint32_t action = SCMP_ACT_ERRNO(EPERM);
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		rule(ctx, &r, action, refused[i], 0, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		rule_if(ctx, &r, action, "clone",
			SCMP_CMP(CLONE_FLAGS, SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
	/* Its flags are in memory, which a filter cannot read: C libraries go on with clone(). */
	rule(ctx, &r, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++)
		rule_if(ctx, &r, action, "ioctl", SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, ioctls[i]));
	refuse_families(ctx, &r, packet);
	return r;
}

/* ------------------------------------------------------------------------------------------------ */

static int
fill(scmp_filter_ctx ctx, enum seccomp_program program)
{
	switch (program) {
	case SECCOMP_PARENT:
		return fill_refused(ctx, true);
	case SECCOMP_ENGINE:
		return fill_engine(ctx);
	case SECCOMP_AGENT:
		return fill_refused(ctx, false);
	case SECCOMP_PROGRAM_COUNT:
		break;
	}
	return -EINVAL;
}

#define LOAD_MAX_S 1 /* of processor time, of which it takes some milliseconds */

static void
on_circle(int signo)
{
	static const char text[] = ": error: libseccomp does not come to an end, as without memory: this program ends; free some memory\n";
	const char *name = program_invocation_short_name;

	(void)signo;
	if (write(STDERR_FILENO, name, strlen(name)) >= 0 && write(STDERR_FILENO, text, sizeof(text) - 1) >= 0)
		_exit(1);
	_exit(2);
}

/* libseccomp 2.5 runs in a circle where it gets no memory: that ends the process, whoever started it starts it again. */
static void
limit_time(time_t seconds)
{
	const struct itimerval limit = {.it_value = {.tv_sec = seconds}};

	if (seconds > 0)
		signal(SIGPROF, on_circle);
	if (setitimer(ITIMER_PROF, &limit, NULL) < 0 || seconds == 0)
		signal(SIGPROF, SIG_DFL);
}

static int
load_table(enum seccomp_program program)
{
	scmp_filter_ctx ctx = seccomp_init(program == SECCOMP_ENGINE ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_ALLOW);
	int r;

	if (ctx == NULL)
		return -ENOMEM;
	r = fill(ctx, program);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE,
				     2); /* a tree: a call costs a few comparisons */
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

int
seccomp_load_table(enum seccomp_program program)
{
	int r;

	limit_time(LOAD_MAX_S);
	r = load_table(program);
	limit_time(0);
	return r;
}

int
seccomp_enter(enum seccomp_program program)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	(void)program;
	return -ENOSYS;
#else
	return seccomp_load_table(program);
#endif
}
