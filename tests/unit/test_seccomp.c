/*
 * test_seccomp.c - the tables of system calls: what is refused fails as it should, what is needed works.
 *
 * Each row runs in a forked process with the filter on. As root, so that it is the filter that refuses; the
 * arguments are such that nothing would happen without it either.
 */
#include "sys/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/macros.h"

#define HIGH (1L << 32) /* the kernel does not look at the upper half of an int */

/* Runs with the filter on; returns the errno that it saw, 0 for none. */
typedef int call_fn(void);

struct row {
	const char *name;
	call_fn *call;
	int err;
};

#define RESULT(expr) return (expr) < 0 ? errno : 0
/* clang-format off */
#define CALL(name, expr) static int name(void) { RESULT(expr); }

/* ---- for everybody */
CALL(call_ptrace, syscall(SYS_ptrace, 0x4206 /* SEIZE */, 0, 0, 0))
CALL(call_process_vm, syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0))
CALL(call_bpf, syscall(SYS_bpf, -1, NULL, 0))
CALL(call_perf, syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0))
CALL(call_userfaultfd, syscall(SYS_userfaultfd, -1))
CALL(call_io_uring, syscall(SYS_io_uring_setup, 0, NULL))
CALL(call_mount, syscall(SYS_mount, NULL, "/none", NULL, 0, NULL))
CALL(call_umount, syscall(SYS_umount2, "/none", 0))
CALL(call_pivot_root, syscall(SYS_pivot_root, "/none", "/none"))
CALL(call_chroot, chroot("/none"))
CALL(call_unshare, unshare(CLONE_NEWUTS))
CALL(call_setns, setns(-1, 0))
CALL(call_kexec, syscall(SYS_kexec_load, 0, 1000, NULL, -1))
CALL(call_init_module, syscall(SYS_init_module, NULL, 0, NULL))
CALL(call_finit_module, syscall(SYS_finit_module, -1, NULL, 0))
CALL(call_delete_module, syscall(SYS_delete_module, "none", O_NONBLOCK))
CALL(call_keyctl, syscall(SYS_keyctl, 0 /* GET_KEYRING_ID */, -3, 0))
CALL(call_add_key, syscall(SYS_add_key, NULL, NULL, NULL, 0, 0))
CALL(call_reboot, syscall(SYS_reboot, 0, 0, 0, NULL))
CALL(call_swapon, syscall(SYS_swapon, "/none", 0))
CALL(call_settimeofday, syscall(SYS_settimeofday, NULL, NULL))
CALL(call_clock_settime, syscall(SYS_clock_settime, -1, NULL))
CALL(call_sethostname, syscall(SYS_sethostname, NULL, -1))
CALL(call_tiocsti, ioctl(-1, TIOCSTI, ""))
CALL(call_tiocsti_high, syscall(SYS_ioctl, -1, TIOCSTI | HIGH, ""))
CALL(call_clone_newuser, syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0))
CALL(call_clone_newnet, syscall(SYS_clone, CLONE_NEWNET | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, 0))
CALL(call_clone3, syscall(SYS_clone3, NULL, 0))

/* ---- sockets */
CALL(call_unix, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
CALL(call_tcp, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
CALL(call_tcp6, socket(AF_INET6, SOCK_STREAM, 0))
CALL(call_udp, socket(AF_INET, SOCK_DGRAM, 0))
CALL(call_raw, socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 112))
CALL(call_raw6, socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, 112))
CALL(call_netlink, socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0))
CALL(call_packet, socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0))
CALL(call_packet_high, syscall(SYS_socket, AF_PACKET | HIGH, SOCK_RAW, 0))
CALL(call_ipx, socket(AF_IPX, SOCK_DGRAM, 0))
CALL(call_ipx_high, syscall(SYS_socket, AF_IPX | HIGH, SOCK_DGRAM, 0))
CALL(call_vsock, socket(AF_VSOCK, SOCK_STREAM, 0))
CALL(call_alg, socket(AF_ALG, SOCK_SEQPACKET, 0))

/* ---- the engine */
CALL(call_execve, syscall(SYS_execve, "/none", NULL, NULL))
CALL(call_fork, syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0))
CALL(call_open, open("/proc/self/stat", O_RDONLY | O_CLOEXEC))
CALL(call_open_write, open("/dev/null", O_WRONLY | O_CLOEXEC))
CALL(call_create, open("/none/none", O_WRONLY | O_CREAT, 0600))
CALL(call_truncate, open("/dev/null", O_WRONLY | O_TRUNC))
CALL(call_tmpfile, open("/none", O_TMPFILE | O_WRONLY, 0600))
CALL(call_unlink, unlink("/none"))
CALL(call_connect, connect(-1, NULL, 0))
CALL(call_listen, listen(-1, 0))
CALL(call_setuid, syscall(SYS_setuid, 0))
CALL(call_capset, syscall(SYS_capset, NULL, NULL))
CALL(call_kill_other, kill(1, 0))
CALL(call_kill_self, kill(getpid(), 0))
CALL(call_dumpable, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
CALL(call_name, prctl(PR_SET_NAME, "test", 0, 0, 0))
CALL(call_chmod, chmod("/none", 0))
CALL(call_eventfd, eventfd(0, EFD_CLOEXEC))
/* clang-format on */

static int
map(int prot)
{
	void *p = mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int
call_map(void)
{
	return map(PROT_READ | PROT_WRITE);
}

static int
call_map_code(void)
{
	return map(PROT_READ | PROT_EXEC);
}

static int
call_make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	RESULT(p == MAP_FAILED ? -1 : mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int
call_set_limit(void)
{
	struct rlimit r = {4096, 4096};

	RESULT(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &r, NULL));
}

static int
call_get_limit(void)
{
	struct rlimit r;

	RESULT(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &r));
}

/* What an ordinary check script does, and threads. */
static void *
nothing(void *arg)
{
	return arg;
}

static int
call_script(void)
{
	pthread_t t;
	int status = -1;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "x=$(echo a b | wc -w) && test $x -eq 2 && : >/dev/null", NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return ECHILD;
	return pthread_create(&t, NULL, nothing, NULL) != 0 ? EAGAIN : pthread_join(t, NULL);
}

/* What the programs do when they are asked, once their filter is on: with the parent's below it. */
static int
in_child(const enum seccomp_program *tables, size_t n, call_fn *call)
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		for (size_t i = 0; i < n; i++)
			if (seccomp_load_table(tables[i]) != 0)
				_exit(255);
		if (tables[n - 1] != SECCOMP_ENGINE && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
			_exit(254);
		_exit(call());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
expect(const enum seccomp_program *tables, size_t n_tables, const struct row *rows, size_t n)
{
	size_t wrong = 0;

	if (geteuid() != 0 || seccomp_load_table(SECCOMP_PROGRAM_COUNT) == -ENOSYS)
		skip();
	for (size_t i = 0; i < n; i++) {
		int err = in_child(tables, n_tables, rows[i].call);

		if (err == rows[i].err)
			continue;
		wrong++;
		print_error("%s: %d (%s), expected %d (%s)\n", rows[i].name, err, strerror(err), rows[i].err,
			    strerror(rows[i].err));
	}
	assert_int_equal(wrong, 0);
}

/* clang-format off */
#define R(call, err) {#call, call_##call, err}

static const struct row refused_rows[] = {
	R(ptrace, EPERM),	 R(process_vm, EPERM),	 R(bpf, EPERM),		  R(perf, EPERM),
	R(userfaultfd, EPERM),	 R(io_uring, EPERM),	 R(mount, EPERM),	  R(umount, EPERM),
	R(pivot_root, EPERM),	 R(chroot, EPERM),	 R(unshare, EPERM),	  R(setns, EPERM),
	R(kexec, EPERM),	 R(init_module, EPERM),	 R(finit_module, EPERM),  R(delete_module, EPERM),
	R(keyctl, EPERM),	 R(add_key, EPERM),	 R(reboot, EPERM),	  R(swapon, EPERM),
	R(settimeofday, EPERM),	 R(clock_settime, EPERM), R(sethostname, EPERM),  R(tiocsti, EPERM),
	R(tiocsti_high, EPERM),	 R(clone_newuser, EPERM), R(clone_newnet, EPERM), R(clone3, ENOSYS),
	R(ipx, EAFNOSUPPORT),	 R(ipx_high, EAFNOSUPPORT), R(vsock, EAFNOSUPPORT), R(alg, EAFNOSUPPORT),
};

static const struct row script_rows[] = {
	R(script, 0), R(unix, 0), R(tcp, 0), R(tcp6, 0), R(udp, 0), R(netlink, 0), R(map_code, 0), R(make_code, 0),
	R(open, 0), R(create, ENOENT), R(unlink, ENOENT), R(kill_other, 0), R(set_limit, 0), R(setuid, 0),
};

static const struct row parent_rows[] = {R(packet, 0), R(raw, 0)};
static const struct row agent_rows[] = {R(packet, EAFNOSUPPORT), R(packet_high, EAFNOSUPPORT)};

static const struct row engine_rows[] = {
	/* needed */
	R(unix, 0), R(netlink, 0), R(packet, 0), R(raw, 0), R(raw6, 0), R(map, 0), R(open, 0), R(open_write, 0),
	R(kill_self, 0), R(get_limit, 0), R(name, 0), R(eventfd, 0),
	/* not */
	R(tcp, ENOSYS), R(tcp6, ENOSYS), R(udp, ENOSYS), R(alg, ENOSYS), R(packet_high, ENOSYS), R(connect, ENOSYS),
	R(listen, ENOSYS), R(execve, ENOSYS), R(fork, ENOSYS), R(clone3, ENOSYS), R(clone_newuser, ENOSYS),
	R(create, ENOSYS), R(truncate, ENOSYS), R(tmpfile, ENOSYS), R(unlink, ENOSYS), R(chmod, ENOSYS),
	R(map_code, ENOSYS), R(make_code, ENOSYS), R(setuid, ENOSYS), R(capset, ENOSYS), R(kill_other, ENOSYS),
	R(set_limit, ENOSYS), R(dumpable, ENOSYS), R(ptrace, ENOSYS), R(bpf, ENOSYS), R(mount, ENOSYS), R(unshare, ENOSYS),
	R(init_module, ENOSYS), R(io_uring, ENOSYS), R(tiocsti, ENOSYS), R(settimeofday, ENOSYS),
};
/* clang-format on */

static const enum seccomp_program parent[] = {SECCOMP_PARENT};
static const enum seccomp_program agent[] = {SECCOMP_PARENT, SECCOMP_AGENT};
static const enum seccomp_program agent_alone[] = {SECCOMP_AGENT};
static const enum seccomp_program engine[] = {SECCOMP_ENGINE};

#define EXPECT(tables, rows) expect(tables, ARRAY_SIZE(tables), rows, ARRAY_SIZE(rows))

static void
test_parent(void **state)
{
	(void)state;
	EXPECT(parent, refused_rows);
	EXPECT(parent, script_rows);
	EXPECT(parent, parent_rows);
}

static void
test_agent_and_its_scripts(void **state)
{
	(void)state;
	EXPECT(agent, refused_rows);
	EXPECT(agent, script_rows);
	EXPECT(agent, agent_rows);
	EXPECT(agent_alone, refused_rows);
}

static void
test_engine(void **state)
{
	(void)state;
	EXPECT(engine, engine_rows);
}

/* Under the parent's table, as in life: its refusals come first, and nothing that is needed is missing. */
static void
test_engine_below_parent(void **state)
{
	static const enum seccomp_program both[] = {SECCOMP_PARENT, SECCOMP_ENGINE};
	static const struct row rows[] = {
		R(unix, 0),	R(netlink, 0),	   R(packet, 0),    R(raw, 0),
		R(raw6, 0),	R(map, 0),	   R(open, 0),	    R(kill_self, 0),
		R(tcp, ENOSYS), R(execve, ENOSYS), R(fork, ENOSYS), R(create, ENOSYS),
	};

	(void)state;
	EXPECT(both, rows);
}

/* ---- a failed assertion, and threads that were there before ---------------------------------------------- */

static int
call_abort(void)
{
	abort();
}

static void
test_engine_can_abort(void **state)
{
	(void)state;
	if (seccomp_load_table(SECCOMP_PROGRAM_COUNT) == -ENOSYS)
		skip();
	assert_int_equal(in_child(engine, ARRAY_SIZE(engine), call_abort), -SIGABRT);
}

static int gate[2];

static void *
wait_then_execute(void *arg)
{
	int *err = arg;
	char c;

	if (read(gate[0], &c, 1) == 1)
		*err = call_execve();
	return NULL;
}

/* The kernel's thread is started before the filter: it is for that one, too. */
static void
test_engine_filter_is_for_all_threads(void **state)
{
	pid_t pid;
	int status = -1;

	(void)state;
	if (seccomp_load_table(SECCOMP_PROGRAM_COUNT) == -ENOSYS)
		skip();
	assert_int_equal(pipe(gate), 0);
	pid = fork();
	if (pid == 0) {
		int err = 0;
		pthread_t t;

		if (pthread_create(&t, NULL, wait_then_execute, &err) != 0 ||
		    seccomp_load_table(SECCOMP_ENGINE) != 0 || write(gate[1], "x", 1) != 1 ||
		    pthread_join(t, NULL) != 0)
			_exit(255);
		_exit(err);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), ENOSYS);
	close(gate[0]);
	close(gate[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parent),
		cmocka_unit_test(test_agent_and_its_scripts),
		cmocka_unit_test(test_engine),
		cmocka_unit_test(test_engine_below_parent),
		cmocka_unit_test(test_engine_can_abort),
		cmocka_unit_test(test_engine_filter_is_for_all_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
