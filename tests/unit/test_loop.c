/*
 * test_loop.c - the event loop: timers that are set, moved and given up within one turn and across turns, and
 * descriptors whose wishes change.
 */
#include "sys/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/macros.h"
#include "sys/clock.h"

#define MS	   USEC_PER_MS
#define TIMERS_MAX 64

struct one {
	struct env *env;
	struct loop_timer *timer;
	unsigned fired;
	mono_t wanted, at;
};

struct env {
	struct loop *loop;
	struct loop_timer *end;
	struct one one[TIMERS_MAX];
	unsigned left;
	bool late;
	/* descriptors */
	int sv[2];
	struct loop_io *io;
	unsigned reads, writes;
};

static void
on_end(void *arg, mono_t now)
{
	struct env *e = arg;

	(void)now;
	e->late = true;
	loop_stop(e->loop);
}

static int
setup(void **state)
{
	struct env *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	e->loop = loop_new();
	e->end = loop_timer_add(e->loop, on_end, e);
	loop_timer_set(e->end, mono_add(clock_mono(), 10 * USEC_PER_SEC));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, e->sv), 0);
	*state = e;
	return 0;
}

static int
teardown(void **state)
{
	struct env *e = *state;

	for (unsigned i = 0; i < TIMERS_MAX; i++)
		loop_timer_del(e->one[i].timer);
	loop_io_del(e->io);
	loop_timer_del(e->end);
	loop_free(e->loop);
	close(e->sv[0]);
	close(e->sv[1]);
	free(e);
	return 0;
}

static void
run(struct env *e)
{
	assert_int_equal(loop_run(e->loop), 0);
	assert_false(e->late);
}

static void
on_fired(void *arg, mono_t now)
{
	struct one *o = arg;

	o->fired++;
	o->at = now;
	if (--o->env->left == 0)
		loop_stop(o->env->loop);
}

static struct one *
add(struct env *e, unsigned i, loop_timer_fn *fn)
{
	e->one[i].env = e;
	e->one[i].timer = loop_timer_add(e->loop, fn, &e->one[i]);
	return &e->one[i];
}

static void
set(struct one *o, mono_t at)
{
	o->wanted = at;
	loop_timer_set(o->timer, at);
}

static void
test_each_fires_once_and_never_early(void **state)
{
	struct env *e = *state;
	mono_t now = clock_mono();

	for (unsigned i = 0; i < 32; i++)
		set(add(e, i, on_fired), mono_add(now, (i * 7 % 32) * MS));
	e->left = 32;
	run(e);
	for (unsigned i = 0; i < 32; i++) {
		assert_int_equal(e->one[i].fired, 1);
		assert_true(e->one[i].at.us >= e->one[i].wanted.us);
	}
}

/* Only what was said last counts: earlier, later, given up, and again. */
static void
test_changes_within_a_turn(void **state)
{
	struct env *e = *state;
	mono_t now = clock_mono();
	struct one *earlier = add(e, 0, on_fired), *later = add(e, 1, on_fired), *never = add(e, 2, on_fired);
	struct one *again = add(e, 3, on_fired), *gone = add(e, 4, on_fired), *past = add(e, 5, on_fired);

	set(earlier, mono_add(now, USEC_PER_SEC * 5));
	set(earlier, mono_add(now, 20 * MS));
	set(later, now);
	set(later, mono_add(now, 50 * MS));
	set(never, mono_add(now, 10 * MS));
	set(never, MONO_NEVER);
	set(again, mono_add(now, 10 * MS));
	set(again, MONO_NEVER);
	set(again, mono_add(now, 30 * MS));
	set(gone, mono_add(now, 10 * MS));
	loop_timer_del(TAKE(gone->timer));
	set(past, (mono_t){1});
	e->left = 4;
	run(e);
	assert_true(later->at.us >= later->wanted.us && later->fired == 1);
	assert_true(earlier->fired == 1 && again->fired == 1 && past->fired == 1);
	assert_true(never->fired == 0 && gone->fired == 0);
}

/* The first to fire moves, stops and ends others that are due in the same turn. */
static void
on_meddle(void *arg, mono_t now)
{
	struct one *o = arg;
	struct env *e = o->env;

	if (e->one[0].fired + e->one[1].fired > 0) {
		on_fired(o, now);
		return;
	}
	for (unsigned i = 0; i < 2; i++)
		if (&e->one[i] != o)
			set(&e->one[i], mono_add(now, 20 * MS));
	loop_timer_set(e->one[2].timer, MONO_NEVER);
	loop_timer_del(TAKE(e->one[3].timer));
	on_fired(o, now);
}

static void
test_due_ones_are_moved(void **state)
{
	struct env *e = *state;
	mono_t at = mono_add(clock_mono(), 5 * MS);

	for (unsigned i = 0; i < 2; i++)
		add(e, i, on_meddle);
	for (unsigned i = 2; i < 4; i++)
		add(e, i, on_fired);
	for (unsigned i = 0; i < 2; i++)
		set(&e->one[i], at);
	/* Later than the others, so that the order of a turn does not matter. */
	for (unsigned i = 2; i < 4; i++)
		set(&e->one[i], mono_add(at, 10 * MS));
	e->left = 2;
	run(e);
	assert_true(e->one[0].fired == 1 && e->one[1].fired == 1);
	assert_int_equal(e->one[2].fired + e->one[3].fired, 0);
	assert_true(mono_since(mono_min(e->one[0].at, e->one[1].at), at) < USEC_PER_SEC);
	for (unsigned i = 0; i < 2; i++)
		assert_true(e->one[i].at.us >= e->one[i].wanted.us);
}

/* Due at once, a thousand times, without keeping a descriptor from its turn. */
static void
on_again(void *arg, mono_t now)
{
	struct one *o = arg;

	assert_true(now.us >= o->wanted.us);
	if (++o->fired == 1000)
		loop_stop(o->env->loop);
	else
		set(o, o->fired % 2 == 0 ? now : mono_add(now, 50));
}

static void
on_io(void *arg, int fd, bool readable, bool writable)
{
	struct env *e = arg;
	char c;

	if (readable && recv(fd, &c, 1, 0) == 1)
		e->reads++;
	e->writes += writable;
	if (e->writes > 0)
		loop_io_want(e->io, true, false);
}

static void
test_due_at_once_again_and_again(void **state)
{
	struct env *e = *state;

	e->io = loop_io_add(e->loop, e->sv[0], on_io, e);
	assert_int_equal(send(e->sv[1], "abc", 3, 0), 3);
	set(add(e, 0, on_again), clock_mono());
	run(e);
	assert_int_equal(e->one[0].fired, 1000);
	assert_int_equal(e->reads, 3);
}

/* What came before somebody wished to know counts; a wish withdrawn does not. */
static void
on_next_wish(void *arg, mono_t now)
{
	struct one *o = arg;
	struct env *e = o->env;

	switch (o->fired++) {
	case 0:
		assert_int_equal(e->reads + e->writes, 0);
		loop_io_want(e->io, false, true);
		loop_io_want(e->io, true, true);
		break;
	case 1:
		assert_int_equal(e->reads, 1);
		assert_int_equal(e->writes, 1);
		loop_io_want(e->io, false, false);
		assert_int_equal(send(e->sv[1], "b", 1, 0), 1);
		break;
	case 2:
		assert_int_equal(e->reads, 1);
		loop_io_want(e->io, true, false);
		break;
	default:
		assert_int_equal(e->reads, 2);
		assert_int_equal(e->writes, 1);
		loop_stop(e->loop);
	}
	set(o, mono_add(now, 5 * MS));
}

static void
test_wishes(void **state)
{
	struct env *e = *state;

	assert_int_equal(send(e->sv[1], "a", 1, 0), 1);
	e->io = loop_io_add_for(e->loop, e->sv[0], false, false, on_io, e);
	set(add(e, 0, on_next_wish), mono_add(clock_mono(), 5 * MS));
	run(e);
}

/* A descriptor closed and given out again is another one, whatever was known of the first. */
static void
on_next_descriptor(void *arg, mono_t now)
{
	struct one *o = arg;
	struct env *e = o->env;
	int fd = e->sv[0];

	assert_int_equal(e->reads, o->fired);
	if (o->fired++ == 20) {
		loop_stop(e->loop);
		return;
	}
	loop_io_del(TAKE(e->io));
	close(e->sv[0]);
	close(e->sv[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, e->sv), 0);
	assert_int_equal(e->sv[0], fd);
	e->io = loop_io_add_for(e->loop, fd, true, o->fired % 2 == 0, on_io, e);
	assert_int_equal(send(e->sv[1], "a", 1, 0), 1);
	set(o, mono_add(now, MS));
}

static void
test_descriptor_comes_back(void **state)
{
	struct env *e = *state;

	e->io = loop_io_add(e->loop, e->sv[0], on_io, e);
	set(add(e, 0, on_next_descriptor), clock_mono());
	run(e);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_each_fires_once_and_never_early),
		T(test_changes_within_a_turn),
		T(test_due_ones_are_moved),
		T(test_due_at_once_again_and_again),
		T(test_wishes),
		T(test_descriptor_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
