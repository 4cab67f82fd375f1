# libseccomp is optional: without it system calls are not filtered, and vrrpd says so.
SECCOMP := $(shell $(PKG_CONFIG) --atleast-version=2.5 libseccomp 2>/dev/null && echo libseccomp)

sys_SRCS := assert.c clock.c log.c loop.c priv.c $(if $(SECCOMP),seccomp.c,seccomp_none.c) spawn.c
sys_PKGS := libevent libcap-ng $(SECCOMP)
