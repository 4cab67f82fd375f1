/*
 * ipc_names.c - the table of messages: name, size, allowed directions. See ipc_msg.h.
 *
 * Used by every process through ipc_chan.c.
 */
#include "ipc/ipc_chan.h"

#include "base/macros.h"

static const struct {
	const char *name;
	size_t size;
	unsigned dirs;
} types[IPC_TYPE_COUNT] = {
#define X(n, st, dir, fd) [IPC_##n] = {#n, sizeof(struct st), (dir)},
	IPC_MESSAGES(X)
#undef X
};

const char *
ipc_type_name(unsigned type)
{
	if (type >= IPC_TYPE_COUNT || types[type].name == NULL)
		return "?";
	return types[type].name;
}

size_t
ipc_type_size(unsigned type)
{
	return type < IPC_TYPE_COUNT ? types[type].size : 0;
}

unsigned
ipc_type_dirs(unsigned type)
{
	return type < IPC_TYPE_COUNT ? types[type].dirs : 0;
}
