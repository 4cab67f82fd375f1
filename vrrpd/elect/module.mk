elect_SRCS := elect.c elect_ask.c elect_fit.c elect_follow.c elect_override.c elect_peers.c elect_vrrp.c
elect_CFLAGS := $(STRICT)
