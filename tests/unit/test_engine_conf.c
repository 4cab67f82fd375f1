/*
 * test_engine_conf.c - generations that vrrpd would never send: the engine refuses them, whatever value is wrong.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "conf_messages.h"
#include "engine/engine.h"

static union ipc_msg
begin(void)
{
	union ipc_msg m = message(IPC_CONF_BEGIN);

	m.CONF_BEGIN.n_instances = 1;
	m.CONF_BEGIN.n_addresses = 1;
	strcpy(m.CONF_BEGIN.node, "n");
	return m;
}

static union ipc_msg
with_address(uint8_t mode)
{
	union ipc_msg m = instance(mode);

	m.CONF_INSTANCE.n_addresses = 1;
	return m;
}

/* The whole generation with this instance: what the last message taken led to. */
static int
take(const union ipc_msg *inst)
{
	struct engine_conf_reader *r = engine_conf_reader_new();
	union ipc_msg b = begin(), a = message(IPC_CONF_ADDRESS), c = message(IPC_CONF_COMMIT);
	const union ipc_msg *all[] = {&b, inst, &a, &c};
	struct engine_gen *g = NULL;
	int err = 0;

	assert_int_equal(ip_prefix_parse("10.0.0.1/24", &a.CONF_ADDRESS.prefix), 0);
	strcpy(a.CONF_ADDRESS.ifname, "eth0");
	for (size_t n = 0; n < ARRAY_SIZE(all) && err == 0; n++)
		err = engine_conf_reader_take(r, all[n], &g);
	for (uint32_t n = 0; g != NULL && n < g->n_instances; n++) {
		elect_init(&g->instances[n].elect, &g->instances[n].conf, MONO_ZERO);
		elect_check(&g->instances[n].elect);
	}
	engine_gen_free(g);
	engine_conf_reader_free(r);
	return err;
}

static void
test_modes(void **state)
{
	(void)state;
	for (uint8_t mode = 0; mode < ELECT_MODE_COUNT; mode++) {
		union ipc_msg m = with_address(mode);

		assert_int_equal(take(&m), 1);
		m.CONF_INSTANCE.priority = 0; /* found by fuzz_engine: only mode vrrp refused it */
		assert_int_equal(take(&m), -EPROTO);
		m = with_address(mode);
		m.CONF_INSTANCE.garp_repeat = 0;
		assert_int_equal(take(&m), -EPROTO);
		m = with_address(mode);
		m.CONF_INSTANCE.garp_refresh_us = 240; /* found by fuzz_engine: it announced all the time */
		assert_int_equal(take(&m), -EPROTO);
		m.CONF_INSTANCE.garp_refresh_us = USEC_PER_SEC;
		assert_int_equal(take(&m), 1);
		m = with_address(mode);
		memset(m.CONF_INSTANCE.name, 'x', sizeof(m.CONF_INSTANCE.name));
		assert_int_equal(take(&m), -EPROTO);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
