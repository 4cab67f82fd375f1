/*
 * fuzz_config.c - the configuration's text: what is read prints, and what was printed reads and prints as the
 * same.
 *
 * Written to a file in a folder of its own. @include may name only files of that folder: the file itself, and
 * one fragment.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <libconfig.h>
#include <sanitizer/lsan_interface.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/cfg.h"
#include "fuzz/fuzz.h"

#define FRAGMENT "priority = 200;\n"

static char dir[64], file[96];

/* libconfig 1.5 forgets the string it was reading when it meets a syntax error; what is ours must not leak. */
int
config_read_string(config_t *config, const char *text)
{
	static int (*real)(config_t *, const char *);
	int ok;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "config_read_string");
	FUZZ_CHECK(real != NULL);
	__lsan_disable();
	ok = real(config, text);
	__lsan_enable();
	return ok;
}

static void
clean_up(void)
{
	static const char *const names[] = {"t.conf", "a.conf"};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
}

static void
write_file(const char *path, const void *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(write(fd, data, n) == (ssize_t)n);
	close(fd);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char fragment[128];

	(void)argc;
	(void)argv;
	snprintf(dir, sizeof(dir), "/dev/shm/vrrpd-fuzz-%d-XXXXXX", (int)getpid());
	FUZZ_CHECK(mkdtemp(dir) != NULL);
	(void)atexit(clean_up);
	snprintf(file, sizeof(file), "%s/t.conf", dir);
	snprintf(fragment, sizeof(fragment), "%s/a.conf", dir);
	write_file(fragment, FRAGMENT, strlen(FRAGMENT));
	return 0;
}

/* Does it read a file that is not of our folder? */
static bool
reaches_out(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1);
	bool out = false;

	FUZZ_CHECK(text != NULL);
	memcpy(text, data, n);
	text[n] = '\0';
	for (const char *p = text; (p = strstr(p, "@include")) != NULL; p++)
		out = out || memchr(p, '/', strcspn(p, "\n")) != NULL;
	free(text);
	return out;
}

static char *
print(const struct cfg *c, int (*printer)(const struct cfg *, FILE *))
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	FUZZ_CHECK(f != NULL);
	FUZZ_CHECK(printer(c, f) == 0);
	fclose(f);
	return text;
}

/* Each error is one line that says where. */
static void
check_errors(struct cfg_errors *e)
{
	FUZZ_CHECK(e->n > 0);
	for (size_t i = 0; i < e->n; i++)
		FUZZ_CHECK(e->v[i][0] != '\0' && strchr(e->v[i], '\n') == NULL && strchr(e->v[i], ':') != NULL);
	cfg_errors_free(e);
}

static int
ignore_option(void *arg, const char *path, const char *text)
{
	(void)arg;
	FUZZ_CHECK(path != NULL && text != NULL);
	return 0;
}

/* What the parent makes of it for the other processes. */
static void export(const struct cfg *c)
{
	struct cfg_run run;

	for (size_t i = 0; i < c->n_checks; i++)
		FUZZ_CHECK(cfg_check_options(&c->checks[i], ignore_option, NULL) == 0);
	for (size_t i = 0; i < c->n_instances; i++) {
		const struct cfg_leader *l = cfg_leader_of(&c->instances[i]);

		FUZZ_CHECK(l == NULL || cfg_leader_options(l, ignore_option, NULL) == 0);
		(void)cfg_services_stop_us(&c->instances[i]);
	}
	for (uint32_t n = 0; n < 4; n++)
		(void)cfg_run_find(c, n, &run);
}

static void
check_again(const struct cfg *c)
{
	char *text = print(c, cfg_print), *public = print(c, cfg_print_public), *again;
	struct cfg_errors errors;
	struct cfg_diff diff;
	struct cfg *d = NULL;

	write_file(file, text, strlen(text));
	if (cfg_load(file, &d, &errors) < 0) {
		fprintf(stderr, "%s\n%s\n", text, errors.v[0]);
		FUZZ_CHECK(d != NULL);
	}
	again = print(d, cfg_print);
	if (strcmp(text, again) != 0)
		fprintf(stderr, "%s\n---\n%s\n", text, again);
	FUZZ_CHECK(strcmp(text, again) == 0);
	cfg_diff(c, d, &diff);
	FUZZ_CHECK(diff.n_changes == 0);
	cfg_diff_free(&diff);
	cfg_free(d);
	free(text);
	free(public);
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cfg_errors errors;
	struct cfg *c;

	if (reaches_out(data, size))
		return 0;
	write_file(file, data, size);
	if (cfg_load(file, &c, &errors) < 0) {
		check_errors(&errors);
		return 0;
	}
	export(c);
	check_again(c);
	cfg_free(c);
	return 0;
}
