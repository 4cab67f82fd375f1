base_SRCS := addr.c role.c strbuf.c
base_CFLAGS := $(STRICT)
