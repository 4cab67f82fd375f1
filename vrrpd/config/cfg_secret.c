/*
 * cfg_secret.c - files that hold a secret: read once, with the checks that they need.
 *
 * Runs in the parent, which may read what the agent may not.
 */
#include "config/cfg_int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *
cfg_read_secret(const char *file, char *buf, size_t size, const char **ret_remedy)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t n = -1;

	*ret_remedy = "write the path of a file that holds the secret";
	if (fd < 0)
		return strerror(errno);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return "it is no readable regular file";
	if ((st.st_mode & 077) != 0) {
		*ret_remedy = "run chmod 600 on it";
		return "others than its owner may use it";
	}
	if ((off_t)n < st.st_size) {
		*ret_remedy = "write the path of the right file";
		return "it is too long";
	}
	buf[n] = '\0';
	*ret_remedy = "write the secret into it";
	if (n == 0 || strlen(buf) != (size_t)n)
		return n == 0 ? "it is empty" : "it holds binary data";
	return NULL;
}

const char *
cfg_read_password(const char *file, char *buf, size_t size, const char **ret_remedy)
{
	const char *wrong = cfg_read_secret(file, buf, size, ret_remedy);
	size_t n;

	if (wrong != NULL)
		return wrong;
	*ret_remedy = "write the password into its only line";
	n = strlen(buf);
	if (buf[n - 1] == '\n')
		buf[--n] = '\0';
	if (n == 0)
		return "it is empty";
	return strchr(buf, '\n') != NULL ? "it holds more than one line" : NULL;
}
