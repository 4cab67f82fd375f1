engine_SRCS := engine_addresses.c engine_announce.c engine_answers.c engine_ask.c engine_claim.c engine_conf.c \
	engine_control.c engine_exec.c \
	engine_filter.c engine_health.c engine_index.c engine_kernel.c engine_leader.c engine_links.c engine_memory.c engine_ports.c \
	engine_reload.c engine_report.c engine_run.c engine_rx.c engine_sock.c engine_tx.c engine_wishes.c
engine_MAIN := engine_main.c
