engine_SRCS := engine_announce.c engine_conf.c engine_exec.c engine_filter.c engine_health.c engine_kernel.c \
	engine_links.c engine_report.c engine_rx.c engine_sock.c engine_tx.c
engine_MAIN := engine_main.c
