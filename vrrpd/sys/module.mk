# Both are optional: without libseccomp system calls are not filtered, and vrrpd says so; without libsystemd (or with
# SYSTEMD=) a notify that does nothing is built.
SECCOMP := $(shell $(PKG_CONFIG) --atleast-version=2.5 libseccomp 2>/dev/null && echo libseccomp)
SYSTEMD ?= $(shell $(PKG_CONFIG) --exists libsystemd 2>/dev/null && echo libsystemd)

sys_SRCS := assert.c clock.c log.c loop.c $(if $(SYSTEMD),notify.c,notify_none.c) priv.c \
	$(if $(SECCOMP),seccomp.c,seccomp_none.c) spawn.c
sys_PKGS := libevent libcap-ng $(SECCOMP) $(SYSTEMD)
