/*
 * conf_messages.h - the messages of one generation with one good instance, for tests that make something in them wrong.
 */
#ifndef TESTS_UNIT_CONF_MESSAGES_H
#define TESTS_UNIT_CONF_MESSAGES_H

#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "ipc/ipc_msg.h"

/* Nothing but its head: of generation 5. */
static inline union ipc_msg
message(enum ipc_type type)
{
	return (union ipc_msg){.h = {.type = (uint16_t)type, .gen = 5}};
}

/* `mode`: enum elect_mode. It has no address, check, hook or peer. */
static inline union ipc_msg
instance(uint8_t mode)
{
	union ipc_msg m = message(IPC_CONF_INSTANCE);
	struct ipc_conf_instance *i = &m.CONF_INSTANCE;

	i->mode = mode;
	i->version = 3;
	i->family = IP_FAMILY_V4;
	i->vrid = 51;
	i->priority = 100;
	i->down_adverts = 3;
	i->adver_int_cs = 100;
	i->garp_repeat = 1;
	strcpy(i->name, "i");
	strcpy(i->ifname, "eth0");
	return m;
}

#endif
