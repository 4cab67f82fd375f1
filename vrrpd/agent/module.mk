agent_SRCS := $(filter-out agent_main.c,$(notdir $(sort $(wildcard vrrpd/agent/*.c))))
agent_MAIN := agent_main.c
agent_PKGS := libevent hiredis jansson libcurl libpq $(SYSTEMD)
# Without libsystemd the kind "unit" says that this build has no D-Bus.
agent_CFLAGS = $(if $(SYSTEMD),-DHAVE_LIBSYSTEMD)
# The page is part of the program: the compiler does not see that api_page.c includes it.
$(BUILD)/obj/vrrpd/agent/api_page.o: vrrpd/agent/page.html
