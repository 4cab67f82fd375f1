/*
 * test_ipc_chan.c - messages between the processes: what arrives, and what a channel does that is not open.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/ipc_chan.h"

static void
test_never_opened(void **state)
{
	struct ipc_chan c = {.fd = -1};
	struct ipc_snap_get m = {.token = 1};

	(void)state;
	assert_int_equal(ipc_chan_send(&c, IPC_SNAP_GET, &m, -1), -ENOTCONN);
}

static void
test_there_and_closed(void **state)
{
	struct ipc_chan agent, engine;
	struct ipc_snap_get m = {.token = 7};
	union ipc_msg got;
	int sv[2], fd;

	(void)state;
	assert_int_equal(ipc_chan_pair(sv), 0);
	ipc_chan_init(&agent, sv[0], IPC_AGENT_TO_ENGINE, IPC_ENGINE_TO_AGENT);
	ipc_chan_init(&engine, sv[1], IPC_ENGINE_TO_AGENT, IPC_AGENT_TO_ENGINE);
	assert_int_equal(ipc_chan_recv(&engine, &got, &fd), 0);
	assert_int_equal(ipc_chan_send(&agent, IPC_SNAP_GET, &m, -1), 0);
	assert_int_equal(ipc_chan_recv(&engine, &got, &fd), 1);
	assert_int_equal(got.h.type, IPC_SNAP_GET);
	assert_int_equal(got.SNAP_GET.token, 7);
	assert_int_equal(fd, -1);
	ipc_chan_close(&agent);
	ipc_chan_close(&agent);
	assert_int_equal(ipc_chan_send(&agent, IPC_SNAP_GET, &m, -1), -ENOTCONN);
	assert_int_equal(ipc_chan_recv(&engine, &got, &fd), -ECONNRESET);
	ipc_chan_close(&engine);
}

static void
test_wrong_direction(void **state)
{
	struct ipc_chan agent, parent;
	struct ipc_snap_get m = {.token = 7};
	union ipc_msg got;
	int sv[2], fd;

	(void)state;
	assert_int_equal(ipc_chan_pair(sv), 0);
	ipc_chan_init(&agent, sv[0], IPC_AGENT_TO_ENGINE, IPC_ENGINE_TO_AGENT);
	ipc_chan_init(&parent, sv[1], IPC_PARENT_TO_AGENT, IPC_AGENT_TO_PARENT);
	assert_int_equal(ipc_chan_send(&agent, IPC_SNAP_GET, &m, -1), 0);
	assert_int_equal(ipc_chan_recv(&parent, &got, &fd), -EPROTO);
	ipc_chan_close(&agent);
	ipc_chan_close(&parent);
}

/* Who ends without having read everything was still heard. */
static void
test_last_words(void **state)
{
	struct ipc_chan agent, parent;
	struct ipc_stop stop = {0};
	struct ipc_log log = {.level = 0, .text = "why it ends"};
	union ipc_msg got;
	int sv[2], fd;

	(void)state;
	assert_int_equal(ipc_chan_pair(sv), 0);
	ipc_chan_init(&agent, sv[0], IPC_AGENT_TO_PARENT, IPC_PARENT_TO_AGENT);
	ipc_chan_init(&parent, sv[1], IPC_PARENT_TO_AGENT, IPC_AGENT_TO_PARENT);
	assert_int_equal(ipc_chan_send(&parent, IPC_STOP, &stop, -1), 0);
	assert_int_equal(ipc_chan_send(&agent, IPC_LOG, &log, -1), 0);
	ipc_chan_close(&agent);
	assert_int_equal(ipc_chan_recv(&parent, &got, &fd), 1);
	assert_string_equal(got.LOG.text, "why it ends");
	assert_int_equal(ipc_chan_recv(&parent, &got, &fd), -ECONNRESET);
	ipc_chan_close(&parent);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_opened),
		cmocka_unit_test(test_there_and_closed),
		cmocka_unit_test(test_wrong_direction),
		cmocka_unit_test(test_last_words),
	};

	return cmocka_run_group_tests_name("ipc_chan", tests, NULL, NULL);
}
