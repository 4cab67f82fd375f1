/*
 * test_nlk_addr.c - addresses are added, renewed and removed in the kernel, each with its own result.
 *
 * Needs root: every test has a network namespace of its own. What came of an operation is read with another
 * socket.
 */
#include "unit/nlk_netns.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define MARK 0x77 /* any IFA_PROTO that is not the kernel's own */
#define MANY 4000

static struct nlk_batch *
start(void)
{
	struct nlk_batch *b = NULL;

	enter_netns();
	assert_int_equal(nlk_batch_open(&b), 0);
	return b;
}

/* Carry out one operation; its result. */
static int
apply_one(struct nlk_batch *b, struct nlk_addr_op *op, enum nlk_addr_verb verb)
{
	op->verb = (uint8_t)verb;
	assert_int_equal(nlk_addr_apply(b, op, 1), 0);
	return op->result;
}

static void
test_add_both_families(void **state)
{
	struct nlk_batch *b = start();
	struct nlk_addr_op ops[] = {
		op_of(NLK_ADDR_ADD, index_of("v0"), "192.0.2.1/24"),
		op_of(NLK_ADDR_ADD, index_of("v0"), "2001:db8::1/64"),
		op_of(NLK_ADDR_ADD, index_of("v0"), "169.254.7.7/16"),
		op_of(NLK_ADDR_ADD, index_of("lo"), "127.0.0.9/32"),
	};
	static const uint8_t scopes[] = {RT_SCOPE_UNIVERSE, RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RT_SCOPE_HOST};

	(void)state;
	for (size_t i = 0; i < 4; i++)
		ops[i].proto = MARK;
	assert_int_equal(nlk_addr_apply(b, ops, 4), 0);
	for (size_t i = 0; i < 4; i++) {
		struct seen s = look_up(&ops[i]);

		assert_int_equal(ops[i].result, 0);
		assert_true(s.found);
		assert_int_equal(s.proto, MARK);
		assert_int_equal(s.scope, scopes[i]);
		assert_true(s.flags & IFA_F_PERMANENT);
		assert_false(s.flags & (IFA_F_TENTATIVE | IFA_F_DEPRECATED | IFA_F_NOPREFIXROUTE));
		assert_int_equal(s.valid_s, NLK_FOREVER);
	}
	assert_true(look_up(&ops[1]).flags & IFA_F_NODAD);
	nlk_batch_close(b);
}

/* No duplicate address detection: a server may bind to the address as soon as it has been added. */
static void
test_ip6_is_usable_at_once(void **state)
{
	struct nlk_batch *b = start();
	struct nlk_addr_op op = op_of(NLK_ADDR_ADD, index_of("v0"), "2001:db8::1/128");
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_true(fd >= 0);
	memcpy(&to.sin6_addr, op.addr, sizeof(to.sin6_addr));
	assert_int_equal(apply_one(b, &op, NLK_ADDR_ADD), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	close(fd);
	nlk_batch_close(b);
}

static void
test_add_unmarked_and_no_operation(void **state)
{
	struct nlk_batch *b = start();
	struct nlk_addr_op op = op_of(NLK_ADDR_ADD, index_of("v0"), "192.0.2.1/32");

	(void)state;
	assert_int_equal(nlk_addr_apply(b, NULL, 0), 0);
	assert_int_equal(apply_one(b, &op, NLK_ADDR_ADD), 0);
	assert_int_equal(look_up(&op).proto, 0);
	nlk_batch_close(b);
}

static void
test_lifetime_and_deprecated(void **state)
{
	static const char *const addrs[] = {"192.0.2.1/32", "2001:db8::1/128"};
	struct nlk_batch *b = start();

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct nlk_addr_op op = op_of(NLK_ADDR_ADD, index_of("v0"), addrs[i]);
		struct seen s;

		op.valid_s = 100;
		op.deprecated = true;
		assert_int_equal(apply_one(b, &op, NLK_ADDR_ADD), 0);
		s = look_up(&op);
		assert_in_range(s.valid_s, 90, 100);
		assert_int_equal(s.preferred_s, 0);
		assert_true(s.flags & IFA_F_DEPRECATED);

		op.valid_s = 500;
		op.deprecated = false;
		assert_int_equal(apply_one(b, &op, NLK_ADDR_RENEW), 0);
		s = look_up(&op);
		assert_in_range(s.valid_s, 490, 500);
		assert_in_range(s.preferred_s, 490, 500);
		assert_false(s.flags & (IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_PERMANENT));

		op.valid_s = 0;
		assert_int_equal(apply_one(b, &op, NLK_ADDR_RENEW), EINVAL);
	}
	nlk_batch_close(b);
}

static void
test_renew_adds_and_marks(void **state)
{
	static const char *const addrs[] = {"192.0.2.1/32", "2001:db8::1/128"};
	struct nlk_batch *b = start();

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct nlk_addr_op op = op_of(NLK_ADDR_RENEW, index_of("v0"), addrs[i]);

		op.valid_s = 3;
		assert_int_equal(apply_one(b, &op, NLK_ADDR_RENEW), 0);
		assert_in_range(look_up(&op).valid_s, 2, 3);
		op.proto = MARK;
		op.valid_s = NLK_FOREVER;
		assert_int_equal(apply_one(b, &op, NLK_ADDR_RENEW), 0);
		assert_int_equal(look_up(&op).proto, MARK);
		assert_int_equal(look_up(&op).valid_s, NLK_FOREVER);
	}
	nlk_batch_close(b);
}

static void
test_add_and_remove_twice(void **state)
{
	static const char *const addrs[] = {"192.0.2.1/24", "2001:db8::1/64"};
	struct nlk_batch *b = start();

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct nlk_addr_op op = op_of(NLK_ADDR_ADD, index_of("v0"), addrs[i]);

		assert_int_equal(apply_one(b, &op, NLK_ADDR_ADD), 0);
		assert_int_equal(apply_one(b, &op, NLK_ADDR_ADD), EEXIST);
		assert_int_equal(apply_one(b, &op, NLK_ADDR_DEL), 0);
		assert_false(look_up(&op).found);
		assert_int_equal(apply_one(b, &op, NLK_ADDR_DEL), EADDRNOTAVAIL);
	}
	nlk_batch_close(b);
}

/* The same address may be there with two prefix lengths; the other one is not ours to remove. */
static void
test_remove_minds_the_prefix_length(void **state)
{
	struct nlk_batch *b = start();
	struct nlk_addr_op narrow = op_of(NLK_ADDR_ADD, index_of("v0"), "192.0.2.1/32");
	struct nlk_addr_op wide = op_of(NLK_ADDR_ADD, index_of("v0"), "192.0.2.1/24");

	(void)state;
	assert_int_equal(apply_one(b, &wide, NLK_ADDR_ADD), 0);
	assert_int_equal(apply_one(b, &narrow, NLK_ADDR_DEL), EADDRNOTAVAIL);
	assert_int_equal(apply_one(b, &narrow, NLK_ADDR_ADD), 0);
	assert_int_equal(apply_one(b, &narrow, NLK_ADDR_DEL), 0);
	assert_true(look_up(&wide).found);
	nlk_batch_close(b);
}

static void
test_failures_among_many_keep_their_places(void **state)
{
	struct nlk_batch *b = start();
	struct nlk_addr_op *ops = many_ops(NLK_ADDR_ADD, index_of("v0"), 300);

	(void)state;
	ops[0].prefixlen = 33;
	ops[99].ifindex = 9999; /* last of the first batch */
	ops[100].family = AF_UNIX;
	ops[150].ifindex = 9999;
	ops[299] = ops[298];
	assert_int_equal(nlk_addr_apply(b, ops, 300), 0);
	for (unsigned i = 0; i < 300; i++) {
		int expected = i == 0		     ? EINVAL
			       : i == 99 || i == 150 ? ENODEV
			       : i == 100	     ? EOPNOTSUPP
			       : i == 299	     ? EEXIST
						     : 0;

		if (ops[i].result != expected)
			fail_msg("operation %u: %d, not %d", i, ops[i].result, expected);
	}
	assert_int_equal(count_ip4(index_of("v0")), 295);
	free(ops);
	nlk_batch_close(b);
}

static void
test_unknown_verb_does_nothing(void **state)
{
	struct nlk_batch *b = start();
	struct nlk_addr_op *ops = many_ops(NLK_ADDR_ADD, index_of("v0"), 3);

	(void)state;
	ops[2].verb = NLK_ADDR_DEL + 1;
	assert_int_equal(nlk_addr_apply(b, ops, 3), -EINVAL);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(ops[i].result, ECANCELED);
	assert_int_equal(count_ip4(index_of("v0")), 0);
	free(ops);
	nlk_batch_close(b);
}

static void
apply_all(struct nlk_batch *b, struct nlk_addr_op *ops, enum nlk_addr_verb verb)
{
	double start_ms = clock_ms(CLOCK_MONOTONIC);

	for (unsigned i = 0; i < MANY; i++)
		ops[i].verb = (uint8_t)verb;
	assert_int_equal(nlk_addr_apply(b, ops, MANY), 0);
	print_message("verb %d, %d addresses: %.1f ms\n", verb, MANY, clock_ms(CLOCK_MONOTONIC) - start_ms);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(ops[i].result, 0);
}

static void
test_thousands(void **state)
{
	struct nlk_batch *b = start();
	int ifindex = index_of("v0");
	struct nlk_addr_op *ops = many_ops(NLK_ADDR_ADD, ifindex, MANY);

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		ops[i].valid_s = 300;
	apply_all(b, ops, NLK_ADDR_ADD);
	assert_int_equal(count_ip4(ifindex), MANY);
	apply_all(b, ops, NLK_ADDR_RENEW);
	assert_int_equal(count_ip4(ifindex), MANY);
	apply_all(b, ops, NLK_ADDR_DEL);
	assert_int_equal(count_ip4(ifindex), 0);
	free(ops);
	nlk_batch_close(b);
}

/* A process that adds and removes an address as fast as it can, so that dumps are spoilt. */
static pid_t
start_changes(int ifindex)
{
	struct nlk_addr_op op = op_of(NLK_ADDR_ADD, ifindex, "198.51.100.1/32");
	struct nlk_batch *b = NULL;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || nlk_batch_open(&b) < 0)
		_exit(1);
	for (;;) {
		op.verb = op.verb == NLK_ADDR_ADD ? NLK_ADDR_DEL : NLK_ADDR_ADD;
		(void)nlk_addr_apply(b, &op, 1);
	}
}

/* What carries the mark goes, nothing else, also while others change addresses. */
static void
test_flush(void **state)
{
	struct nlk_batch *b = start();
	int ifindex = index_of("v0");
	struct nlk_addr_op *ops = many_ops(NLK_ADDR_ADD, ifindex, MANY);
	struct nlk_addr_op six = op_of(NLK_ADDR_ADD, ifindex, "2001:db8::1/64");
	struct nlk_addr_op other = op_of(NLK_ADDR_ADD, index_of("v1"), "192.0.2.1/24");
	unsigned n = 0;
	pid_t pid;
	int r;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		ops[i].proto = MARK;
	apply_all(b, ops, NLK_ADDR_ADD);
	six.proto = MARK;
	assert_int_equal(apply_one(b, &six, NLK_ADDR_ADD), 0);
	assert_int_equal(apply_one(b, &other, NLK_ADDR_ADD), 0);
	pid = start_changes(index_of("v1"));
	assert_true(pid > 0);
	r = nlk_addr_flush(MARK, &n);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(r, 0);
	assert_int_equal(n, MANY + 1);
	assert_int_equal(count_ip4(ifindex), 0);
	assert_false(look_up(&six).found);
	assert_true(look_up(&other).found);
	assert_int_equal(nlk_addr_flush(MARK, &n), 0);
	assert_int_equal(n, 0);
	free(ops);
	nlk_batch_close(b);
}

/* With room for a few answers only, the kernel drops the rest: known as lost, and not mixed up with later ones.
 */
static void
test_lost_answers_are_reported(void **state)
{
	static const int small = 1, large = 1 << 20;
	struct nlk_addr_op *ops;
	struct nlk_batch *b;
	unsigned canceled = 0;
	int fd;

	(void)state;
	enter_netns();
	ops = many_ops(NLK_ADDR_ADD, index_of("v0"), 250);
	fd = dup(STDIN_FILENO); /* the number that the socket will get */
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(nlk_batch_open(&b), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	assert_int_equal(nlk_addr_apply(b, ops, 250), -ENOBUFS);
	for (unsigned i = 0; i < 250; i++) {
		assert_true(ops[i].result == 0 || ops[i].result == ECANCELED);
		canceled += ops[i].result == ECANCELED;
	}
	assert_in_range(canceled, 151, 249); /* the first batch in part, the rest not at all */
	assert_int_equal(ops[0].result, 0);
	assert_int_equal(count_ip4(index_of("v0")), 100);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof(large)), 0);
	assert_int_equal(nlk_addr_apply(b, ops, 250), 0);
	for (unsigned i = 0; i < 250; i++)
		assert_int_equal(ops[i].result, i < 100 ? EEXIST : 0);
	free(ops);
	nlk_batch_close(b);
}

static void
test_no_rights(void **state)
{
	struct nlk_addr_op op;
	struct nlk_batch *b = start();
	int result;

	(void)state;
	op = op_of(NLK_ADDR_ADD, index_of("v0"), "192.0.2.1/32");
	nlk_batch_close(b);
	assert_int_equal(seteuid(65534), 0);
	result = nlk_batch_open(&b) == 0 && nlk_addr_apply(b, &op, 1) == 0 ? op.result : -1;
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(result, EPERM);
	nlk_batch_close(b);
	nlk_batch_close(NULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_both_families),
		cmocka_unit_test(test_ip6_is_usable_at_once),
		cmocka_unit_test(test_add_unmarked_and_no_operation),
		cmocka_unit_test(test_lifetime_and_deprecated),
		cmocka_unit_test(test_renew_adds_and_marks),
		cmocka_unit_test(test_add_and_remove_twice),
		cmocka_unit_test(test_remove_minds_the_prefix_length),
		cmocka_unit_test(test_failures_among_many_keep_their_places),
		cmocka_unit_test(test_unknown_verb_does_nothing),
		cmocka_unit_test(test_thousands),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_lost_answers_are_reported),
		cmocka_unit_test(test_no_rights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
