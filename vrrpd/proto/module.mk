proto_SRCS := vrrp_checksum.c vrrp_fsm.c vrrp_packet.c vrrp_timers.c vrrp_track.c
proto_CFLAGS := $(STRICT)
