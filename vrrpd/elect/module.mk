elect_SRCS := elect.c elect_vrrp.c
elect_CFLAGS := $(STRICT)
