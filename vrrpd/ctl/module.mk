ctl_SRCS := cmd_control.c cmd_events.c cmd_status.c cmd_text.c ctl_client.c ctl_out.c ctl_path.c ctl_stream.c
ctl_MAIN := ctl_main.c
ctl_PKGS := jansson
