parent_SRCS := parent_command.c parent_config.c parent_hooks.c parent_manager.c parent_overrides.c parent_reload.c parent_restart.c parent_run.c parent_socket.c \
	parent_spawn.c
parent_MAIN := parent_main.c
