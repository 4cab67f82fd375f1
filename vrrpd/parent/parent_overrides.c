/*
 * parent_overrides.c - what operators said by command (drain, take-over, priority) outlives vrrpd itself.
 *
 * While vrrpd runs it is in the engine's memory (ipc_memory.h), which an engine that was started again reads. The file
 * "overrides" in the run folder is for the vrrpd after this one, however this one ends. One line each:
 *
 *	vrrpd-overrides 1 BOOT-ID
 *	drained UNTIL NAME
 *	takeover UNTIL NAME
 *	priority-N UNTIL NAME
 *
 * UNTIL is in microseconds of CLOCK_BOOTTIME, or "-": until undone. The times mean nothing after a reboot, so the file
 * of another boot counts as absent.
 */
#include "parent/parent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "ipc/ipc_memory.h"

#define BOOT_ID_SIZE 40

static void
file_path(const struct parent *p, const char *suffix, char *buf, size_t size)
{
	snprintf(buf, size, "%s/overrides%s", p->run_dir, suffix);
}

/* 0 or -errno. */
static int
read_boot_id(char ret[BOOT_ID_SIZE])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	int r = f == NULL ? -errno : 0;

	if (f != NULL && fscanf(f, "%39s", ret) != 1)
		r = -EIO;
	if (f != NULL)
		fclose(f);
	return r;
}

/* ---- to the file ------------------------------------------------------------------------------------ */

static void
write_line(FILE *f, const char *what, uint64_t until, const char *name)
{
	if (until == UINT64_MAX)
		fprintf(f, "%s - %s\n", what, name);
	else
		fprintf(f, "%s %" PRIu64 " %s\n", what, until, name);
}

/* How many lines it was. */
static unsigned
write_instance(FILE *f, const struct ipc_memory_instance *m)
{
	const struct ipc_override *o = &m->override;
	char priority[16];
	unsigned n = 0;

	if (memchr(m->name, '\0', sizeof(m->name)) == NULL)
		return 0;
	if (o->drained && ++n)
		write_line(f, "drained", o->drained_until_us, m->name);
	if (o->takeover && ++n)
		write_line(f, "takeover", o->takeover_until_us, m->name);
	if (o->priority != 0 && ++n) {
		snprintf(priority, sizeof(priority), "priority-%u", o->priority);
		write_line(f, priority, o->priority_until_us, m->name);
	}
	return n;
}

/* Lines written, or -errno. */
static int
write_file(FILE *f, const struct ipc_memory *m)
{
	char boot_id[BOOT_ID_SIZE];
	unsigned n = 0;
	int r = read_boot_id(boot_id);

	if (r < 0)
		return r;
	fprintf(f, "vrrpd-overrides 1 %s\n", boot_id);
	for (uint32_t i = 0; i < MIN(m->n_instances, (uint32_t)LIMIT_INSTANCES); i++)
		n += write_instance(f, &m->instances[i]);
	return fflush(f) != 0 || ferror(f) ? -errno : (int)n;
}

/* 0, also when there is none, or -errno. */
static int
remove_file(const char *path)
{
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

void
parent_overrides_save(struct parent *p)
{
	char path[LIMIT_PATH + 16], fresh[LIMIT_PATH + 16];
	struct ipc_memory *m;
	FILE *f;
	int n;

	if (p->memory_fd < 0)
		return; /* that was said */
	errno = ENOMEM;
	m = ipc_memory_map(p->memory_fd);
	file_path(p, "", path, sizeof(path));
	file_path(p, ".new", fresh, sizeof(fresh));
	f = m != NULL ? fopen(fresh, "we") : NULL;
	n = f == NULL ? -errno : write_file(f, m);
	if (f != NULL && fclose(f) != 0 && n >= 0)
		n = -errno;
	ipc_memory_unmap(m);
	if (n > 0 && rename(fresh, path) < 0)
		n = -errno;
	if (n <= 0 && f != NULL)
		(void)unlink(fresh); /* one that stays is written over, and read by nobody */
	if (n == 0)
		n = remove_file(path); /* mostly there is none */
	if (n < 0)
		log_warning("what was said by command (drain, take-over, priority) cannot be written to %s and "
			    "what was written before holds when vrrpd is started again: %s",
			    path, strerror(-n));
}

/* ---- from the file ------------------------------------------------------------------------------------ */

/* The memory's entry for this name, made when there is none; NULL: no room. */
static struct ipc_memory_instance *
entry_of(struct ipc_memory *m, const char *name)
{
	struct ipc_memory_instance *i;

	for (uint32_t n = 0; n < m->n_instances; n++)
		if (strcmp(m->instances[n].name, name) == 0)
			return &m->instances[n];
	if (m->n_instances >= LIMIT_INSTANCES)
		return NULL;
	i = &m->instances[m->n_instances];
	*i = (struct ipc_memory_instance){.told = ROLE_STATE_COUNT};
	if (!str_copy(i->name, sizeof(i->name), name))
		return NULL;
	m->n_instances++;
	return i;
}

/* False when it is no line of ours. */
static bool
read_line(struct ipc_memory *m, char *line)
{
	char *what = strtok(line, " "), *until_text = strtok(NULL, " "), *name = strtok(NULL, "\n"), *end;
	struct ipc_memory_instance *i = name != NULL ? entry_of(m, name) : NULL;
	uint64_t until = UINT64_MAX;
	unsigned long priority;

	if (i == NULL)
		return false;
	if (strcmp(until_text, "-") != 0) {
		until = strtoull(until_text, &end, 10);
		if (end == until_text || *end != '\0')
			return false;
	}
	if (strcmp(what, "drained") == 0) {
		i->override.drained = 1;
		i->override.drained_until_us = until;
	} else if (strcmp(what, "takeover") == 0) {
		i->override.takeover = 1;
		i->override.takeover_until_us = until;
	} else if (strncmp(what, "priority-", 9) == 0) {
		priority = strtoul(what + 9, &end, 10);
		if (*end != '\0' || priority < 1 || priority >= VRRP_PRIORITY_OWNER)
			return false;
		i->override.priority = (uint8_t)priority;
		i->override.priority_until_us = until;
	} else {
		return false;
	}
	return true;
}

static void
read_file(FILE *f, const char *path, struct ipc_memory *m)
{
	char boot_id[BOOT_ID_SIZE], of[BOOT_ID_SIZE] = "", line[256];

	int r = read_boot_id(boot_id);

	if (r < 0) {
		log_warning("%s is ignored, it may be of an earlier run of this host: its boot id cannot be read: %s", path,
			    strerror(-r));
		return;
	}
	if (fgets(line, sizeof(line), f) == NULL || sscanf(line, "vrrpd-overrides 1 %39s", of) != 1) {
		log_warning("%s is not of the form that this version writes: it is ignored", path);
		return;
	}
	if (strcmp(boot_id, of) != 0)
		return;
	while (fgets(line, sizeof(line), f) != NULL)
		if (!read_line(m, line))
			log_warning("%s: a line that this version does not write is ignored", path);
	log_info("going on with what was said by command before (%s)", path);
}

void
parent_overrides_load(struct parent *p)
{
	struct ipc_memory *m = ipc_memory_map(p->memory_fd);
	char path[LIMIT_PATH + 16];
	FILE *f;

	file_path(p, "", path, sizeof(path));
	if (m == NULL && p->memory_fd >= 0)
		log_warning("what was said by command before (drain, take-over, priority) is forgotten: no memory for it");
	f = m != NULL && m->layout != IPC_MEMORY_LAYOUT ? fopen(path, "re") : NULL;
	if (f != NULL) {
		m->n_instances = m->n_checks = 0;
		m->layout = IPC_MEMORY_LAYOUT;
		read_file(f, path, m);
		fclose(f);
	}
	ipc_memory_unmap(m);
}
