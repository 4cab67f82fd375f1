/*
 * cfg_root_file.c - who can change what lies behind a path: for programs that run as root.
 *
 * Goes the way that the kernel goes: folder by folder, through every symbolic link. Whoever may write one of
 * the folders could put another program there. Looks only; used by the rules of checks (cfg_rules_check.c) and
 * by the parent before each run.
 */
#include "config/cfg_int.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strbuf.h"

#define LINKS_MAX 40 /* as path_resolution(7) */

struct walk {
	char at[PATH_MAX];   /* the folder reached, without a / at its end; "" is the root */
	char todo[PATH_MAX]; /* what follows */
	unsigned links;
};

/* Root's own, and nobody else may write it. In a sticky folder others cannot replace what is root's. */
static bool
is_roots(const struct stat *st)
{
	bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0;

	return st->st_uid == 0 && (S_ISLNK(st->st_mode) || sticky || (st->st_mode & 022) == 0);
}

/* Take the next name off `todo`; false at its end. */
static bool
next_name(struct walk *w, char ret[NAME_MAX + 1])
{
	const char *from = w->todo + strspn(w->todo, "/");
	size_t len = strcspn(from, "/");

	if (len == 0 || len > NAME_MAX)
		return false;
	memcpy(ret, from, len);
	ret[len] = '\0';
	memmove(w->todo, from + len, strlen(from + len) + 1);
	return true;
}

static int
follow(struct walk *w, const char *link)
{
	char target[PATH_MAX], todo[PATH_MAX];
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	if (target[0] == '/')
		w->at[0] = '\0';
	if (snprintf(todo, sizeof(todo), "%s/%s", target, w->todo) >= (int)sizeof(todo))
		return -ENAMETOOLONG;
	memcpy(w->todo, todo, strlen(todo) + 1);
	return 0;
}

/* One name further. 0, 1 when `at` with this name is not root's alone, or -errno. */
static int
step(struct walk *w, const char *name, char ret[PATH_MAX], struct stat *ret_st)
{
	char *slash = strrchr(w->at, '/');

	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0) {
		if (slash != NULL)
			*slash = '\0';
		return 0;
	}
	if (snprintf(ret, PATH_MAX, "%s/%s", w->at, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (lstat(ret, ret_st) < 0)
		return -errno;
	if (!is_roots(ret_st))
		return 1;
	if (S_ISLNK(ret_st->st_mode))
		return follow(w, ret);
	memcpy(w->at, ret, strlen(ret) + 1);
	return 0;
}

int
cfg_root_file(const char *path, char ret[PATH_MAX], struct stat *ret_st)
{
	struct walk w = {.at = ""};
	char name[NAME_MAX + 1];
	int r;

	if (path[0] != '/' || strlen(path) >= sizeof(w.todo))
		return -EINVAL;
	memcpy(w.todo, path, strlen(path) + 1);
	if (stat("/", ret_st) < 0)
		return -errno;
	memcpy(ret, "/", 2);
	if (!is_roots(ret_st))
		return 1;
	while (next_name(&w, name)) {
		r = step(&w, name, ret, ret_st);
		if (r != 0)
			return r;
	}
	return 0;
}

bool
cfg_command_for_root(const char *path, char *why, size_t size)
{
	char which[PATH_MAX];
	struct stat st;
	struct strbuf b;
	int r = cfg_root_file(path, which, &st);

	strbuf_init(&b, why, size);
	if (r < 0)
		strbuf_addf(&b, "%s: %s", path, strerror(-r));
	else if (r > 0 && st.st_uid != 0)
		strbuf_addf(&b, "%s belongs to user %u", which, (unsigned)st.st_uid);
	else if (r > 0)
		strbuf_addf(&b, "%s can be changed by others than root (mode %04o)", which,
			    (unsigned)st.st_mode & 07777);
	else if (!S_ISREG(st.st_mode))
		strbuf_addf(&b, "%s is no regular file", path);
	else
		return true;
	return false;
}
