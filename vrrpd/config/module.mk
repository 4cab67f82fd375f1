config_SRCS := cfg.c cfg_check.c cfg_diff.c cfg_export.c cfg_leader.c cfg_option.c cfg_options.c cfg_print.c cfg_read.c \
	cfg_root_file.c cfg_rules_check.c cfg_rules_command.c cfg_rules_hooks.c cfg_rules_instance.c cfg_rules_kind.c cfg_rules_root.c cfg_run.c cfg_secret.c cfg_source.c \
	cfg_text.c
config_PKGS := libconfig
