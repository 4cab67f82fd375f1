/*
 * cfg_rules_command.c - what holds for every command of the configuration: of checks, hooks, gates, services.
 *
 * Called by the rules of those. Looks at the command's file and at the user data base of this host; runs nothing.
 */
#include "config/cfg_int.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool
size_fits(struct cfg_source *s, const void *obj, const char *path, const struct cfg_command *command)
{
	size_t octets = 0;

	for (size_t i = 0; i < command->n; i++)
		octets += strlen(command->words[i]) + 1;
	if (octets <= LIMIT_COMMAND_BYTES)
		return true;
	cfg_source_at(s, obj, path, -1, "is %zu octets long: write at most %d, or put it into a script",
		      octets - command->n, LIMIT_COMMAND_BYTES - (int)command->n);
	return false;
}

/* An absolute path to a program that only root or its owner can change. */
static bool
file_is_usable(struct cfg_source *s, const void *obj, const char *path, const char *file)
{
	struct stat st;

	if (file[0] != '/')
		cfg_source_at(s, obj, path, 0, "\"%s\" is no absolute path: write the path with its leading /", file);
	else if (stat(file, &st) < 0)
		cfg_source_at(s, obj, path, 0, "\"%s\" cannot be used: %s: write the path of an existing program",
			      file, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		cfg_source_at(s, obj, path, 0, "\"%s\" is no regular file: write the path of a program", file);
	else if ((st.st_mode & 0111) == 0)
		cfg_source_at(s, obj, path, 0, "\"%s\" is not executable: run chmod 755 %s", file, file);
	else if ((st.st_mode & 022) != 0)
		cfg_source_at(s, obj, path, 0,
			      "\"%s\" can be changed by others than its owner (mode %04o): run chmod go-w %s", file,
			      (unsigned)st.st_mode & 07777, file);
	else
		return true;
	return false;
}

/* What root runs, nobody else may change: not the program, nor a folder or link on the way to it. */
static void
owner_is_root(struct cfg_source *s, const void *obj, const char *path, const char *file)
{
	char which[PATH_MAX], where[PATH_MAX + 32] = "it";
	struct stat st;

	if (cfg_root_file(file, which, &st) != 1)
		return;
	if (strcmp(which, file) != 0)
		snprintf(where, sizeof(where), "%s %s",
			 S_ISDIR(st.st_mode)   ? "the folder"
			 : S_ISLNK(st.st_mode) ? "the link"
					       : "the file",
			 which);
	if (st.st_uid != 0)
		cfg_source_at(s, obj, path, 0,
			      "\"%s\" would run as root but %s belongs to user %u: run chown %sroot %s, or write "
			      "another user",
			      file, where, (unsigned)st.st_uid, S_ISLNK(st.st_mode) ? "-h " : "", which);
	else
		cfg_source_at(s, obj, path, 0,
			      "\"%s\" would run as root but %s can be changed by others (mode %04o): run chmod go-w "
			      "%s, or write another user",
			      file, where, (unsigned)st.st_mode & 07777, which);
}

void
cfg_rule_command(struct cfg_source *s, const void *obj, const char *path, const struct cfg_command *command,
		 const char *user)
{
	const struct passwd *pw = user != NULL ? getpwnam(user) : NULL;
	size_t node = cfg_source_find(s, obj, path, 0);

	if (command->n == 0 || !size_fits(s, obj, path, command) || (node != CFG_NO_NODE && s->nodes[node].bad))
		return;
	if (file_is_usable(s, obj, path, command->words[0]) && pw != NULL && pw->pw_uid == 0)
		owner_is_root(s, obj, path, command->words[0]);
}

void
cfg_rule_user(struct cfg_source *s, const void *obj, const char *path, const char *user)
{
	if (user != NULL && getpwnam(user) == NULL)
		cfg_source_at(s, obj, path, -1, "there is no user \"%s\": write the name of one, or create it", user);
}
