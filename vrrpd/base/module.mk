base_SRCS := addr.c duration.c role.c strbuf.c
base_CFLAGS := $(STRICT)
