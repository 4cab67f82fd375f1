ipc_SRCS := ipc_chan.c ipc_names.c
