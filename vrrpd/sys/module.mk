sys_SRCS := assert.c clock.c log.c loop.c priv.c spawn.c
sys_PKGS := libevent libcap-ng
