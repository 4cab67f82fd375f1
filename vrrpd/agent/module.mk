agent_SRCS := agent_conf.c agent_events.c agent_link.c agent_snap.c api.c api_control.c api_metrics.c api_routes.c api_status.c \
	check.c check_interface.c check_script.c json_out.c text.c
agent_MAIN := agent_main.c
agent_PKGS := libevent
