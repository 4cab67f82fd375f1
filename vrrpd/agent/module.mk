agent_SRCS := $(filter-out agent_main.c,$(notdir $(sort $(wildcard vrrpd/agent/*.c))))
agent_MAIN := agent_main.c
agent_PKGS := libevent hiredis jansson libcurl libpq $(SYSTEMD)
# Without libsystemd the kind "unit" says that this build has no D-Bus.
agent_CFLAGS = $(if $(SYSTEMD),-DHAVE_LIBSYSTEMD)
