ctl_SRCS := cmd_actions.c cmd_completion.c cmd_drain.c cmd_events.c cmd_status.c cmd_takeover.c cmd_text.c cmd_watch.c \
	complete_bash.c complete_fish.c complete_zsh.c ctl_args.c ctl_client.c ctl_event.c ctl_help.c ctl_instance.c \
	ctl_out.c ctl_path.c ctl_stream.c ctl_verbs.c ctl_view.c status_table.c watch_screen.c watch_term.c
ctl_MAIN := ctl_main.c
ctl_PKGS := jansson
