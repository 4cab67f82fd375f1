agent_SRCS := agent_conf.c agent_events.c agent_link.c agent_run.c agent_snap.c api.c api_control.c api_explain.c base64.c api_metrics.c \
	api_page.c api_routes.c api_status.c api_warnings.c check.c check_def.c check_file.c check_haproxy.c check_http.c \
	check_interface.c \
	check_patroni.c check_ping.c check_postgres.c check_process.c check_redis.c check_route.c check_script.c \
	check_score.c check_sentinel.c check_tcp.c check_unit.c etcd3.c hook_command.c hook_gate.c hook_notify.c hook_service.c \
	hooks.c json_out.c net_conn.c net_http.c net_http_req.c net_resp.c net_tls.c patroni_node.c patroni_poll.c \
	pg_hello.c redis_peer.c redis_self.c redis_votes.c route_dump.c score.c store.c store_consul.c store_doubt.c store_etcd2.c \
	store_etcd3.c store_etcd3_call.c store_etcd3_lease.c store_local.c store_patroni.c store_poll.c store_sentinel.c text.c
agent_MAIN := agent_main.c
agent_PKGS := libevent hiredis jansson libcurl libpq $(SYSTEMD)
# Without libsystemd the kind "unit" says that this build has no D-Bus.
agent_CFLAGS = $(if $(SYSTEMD),-DHAVE_LIBSYSTEMD)
# The page is part of the program: the compiler does not see that api_page.c includes it.
$(BUILD)/obj/vrrpd/agent/api_page.o: vrrpd/agent/page.html
