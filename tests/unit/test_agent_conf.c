/*
 * test_agent_conf.c - generations that vrrpd would never send: the agent refuses them, whatever value is wrong.
 */
#include "agent/agent_conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "base/macros.h"
#include "conf_messages.h"
#include "elect/elect.h"

void
agent_quit(struct agent *a, int status, const char *fmt, ...)
{
	(void)a;
	(void)status;
	fail_msg("%s", fmt);
	abort();
}

/* The whole generation with this instance: what the last message taken led to. */
static int
take(const union ipc_msg *inst)
{
	union ipc_msg b = message(IPC_CONF_BEGIN), c = message(IPC_CONF_COMMIT);
	const union ipc_msg *all[] = {&b, inst, &c};
	struct agent_conf_reader r = {0};
	struct agent_conf *conf = NULL;
	const char *why = NULL;
	int err = 0;

	b.CONF_BEGIN.n_instances = 1;
	b.CONF_BEGIN.n_events = 100;
	strcpy(b.CONF_BEGIN.node, "n");
	for (size_t n = 0; n < ARRAY_SIZE(all) && err == 0; n++)
		err = agent_conf_feed(&r, all[n], &conf, &why);
	if (err < 0)
		assert_string_equal(why, "an instance has a bad value");
	agent_conf_free(r.conf);
	agent_conf_free(conf);
	return err;
}

static void
test_values(void **state)
{
	union ipc_msg m = instance(ELECT_MODE_VRRP);

	(void)state;
	assert_int_equal(take(&m), 1);
	m.CONF_INSTANCE.adver_int_cs = 0; /* found by fuzz_agent: explain reckons with both */
	assert_int_equal(take(&m), -EPROTO);
	m = instance(ELECT_MODE_VRRP);
	m.CONF_INSTANCE.down_adverts = 0;
	assert_int_equal(take(&m), -EPROTO);
	m = instance(ELECT_MODE_VRRP);
	m.CONF_INSTANCE.priority = 0;
	assert_int_equal(take(&m), -EPROTO);
	m = instance(ELECT_MODE_FOLLOW);
	m.CONF_INSTANCE.adver_int_cs = m.CONF_INSTANCE.down_adverts = m.CONF_INSTANCE.vrid = 0;
	assert_int_equal(take(&m), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
