ipc_SRCS := ipc_chan.c ipc_events.c ipc_memory.c ipc_names.c
