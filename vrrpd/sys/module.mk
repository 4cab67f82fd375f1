# libsystemd is optional: without it (or with SYSTEMD=) a notify that does nothing is built.
SYSTEMD ?= $(shell $(PKG_CONFIG) --exists libsystemd 2>/dev/null && echo libsystemd)

sys_SRCS := assert.c clock.c log.c loop.c $(if $(SYSTEMD),notify.c,notify_none.c) priv.c spawn.c
sys_PKGS := libevent libcap-ng $(SYSTEMD)
