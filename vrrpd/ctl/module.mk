ctl_SRCS := cmd_events.c cmd_status.c cmd_text.c ctl_client.c ctl_out.c
ctl_MAIN := ctl_main.c
ctl_PKGS := jansson
