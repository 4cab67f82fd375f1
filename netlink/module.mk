netlink_SRCS := nlk_addr.c nlk_cache.c nlk_claim.c nlk_diag.c nlk_flush.c nlk_frame.c nlk_link.c nlk_raw.c nlk_table.c
netlink_CFLAGS := $(STRICT)
netlink_PKGS := libmnl libnl-3.0 libnl-route-3.0
