/*
 * fuzz_parent.c - vrrpd's receivers: runs that the agent asks for, the memory that an engine left, the file of
 * overrides.
 *
 * The first octet says which. No command is executed: what would be is looked at instead.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "fuzz/fuzz_ipc.h"
#include "ipc/ipc_memory.h"
#include "parent/parent.h"
#include "sys/log.h"
#include "sys/spawn.h"

#define CONFIG                                                                                                 \
	"node = \"n\"; notify = \"/bin/true\"; notify_user = \"root\";\n"                                      \
	"checks: { c0: { kind = \"script\"; command = [\"/bin/true\", \"-x\"]; user = \"nobody\"; }; };\n"     \
	"instances = ({ name = \"i0\"; interface = \"e\"; vrid = 1; addresses = [\"10.0.0.1/24\"]; track = "   \
	"({ check = \"c0\"; });\n"                                                                             \
	"gate = \"/bin/true\"; notify_stop = [\"/bin/true\", \"stop\"];\n"                                     \
	"services = ({ name = \"app\"; start = \"/bin/true\"; stop = \"/bin/true\"; status = \"/bin/true\"; "  \
	"user = \"root\"; }); },\n"                                                                            \
	"{ name = \"i1\"; interface = \"e\"; vrid = 2; addresses = [\"10.0.0.2/24\"]; });\n"

static struct parent parent;
static struct ipc_memory *memory;
static int channel[2];
static char boot_id[64];

/* In the place of the real ones. */
pid_t
spawn_command(const struct spawn_command *c)
{
	unsigned n = 0;

	FUZZ_CHECK(c->argv[0][0] == '/' && c->out >= 0);
	for (n = 0; c->argv[n] != NULL; n++)
		FUZZ_CHECK(strlen(c->argv[n]) < LIMIT_COMMAND_BYTES && n <= LIMIT_COMMAND_ARGS + 5);
	for (n = 0; c->env[n] != NULL; n++)
		FUZZ_CHECK(strchr(c->env[n], '=') != NULL && n < 64);
	return -11;
}

pid_t
spawn_program(const struct spawn_program *s)
{
	(void)s;
	abort();
}

static void
no_log(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	FUZZ_CHECK(text[0] != '\0');
}

static void
write_file(const char *path, const void *head, size_t n_head, const void *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(write(fd, head, n_head) == (ssize_t)n_head && write(fd, data, n) == (ssize_t)n);
	close(fd);
}

static void
clean_up(void)
{
	static const char *const names[] = {"overrides", "overrides.new", "t.conf"};
	char path[LIMIT_PATH + 32];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", parent.run_dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(parent.run_dir);
	cfg_free(parent.cfg);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char path[LIMIT_PATH + 32];
	struct cfg_errors errors;
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	(void)argc;
	(void)argv;
	FUZZ_CHECK(f != NULL && fscanf(f, "%39s", boot_id) == 1);
	fclose(f);
	log_set_sink(no_log, NULL);
	snprintf(parent.run_dir, sizeof(parent.run_dir), "/dev/shm/vrrpd-fuzz-%d-XXXXXX", (int)getpid());
	FUZZ_CHECK(mkdtemp(parent.run_dir) != NULL);
	(void)atexit(clean_up);
	snprintf(path, sizeof(path), "%s/t.conf", parent.run_dir);
	write_file(path, CONFIG, strlen(CONFIG), NULL, 0);
	if (cfg_load(path, &parent.cfg, &errors) < 0) {
		fprintf(stderr, "%s\n", errors.v[0]);
		abort();
	}
	parent.gen = 7;
	parent.may_change_user = true;
	parent.memory_fd = ipc_memory_create();
	FUZZ_CHECK((memory = ipc_memory_map(parent.memory_fd)) != NULL);
	FUZZ_CHECK(ipc_chan_pair(channel) == 0);
	return 0;
}

/* ---- runs ---- */

static void
take_run(const struct ipc_run *m, int out)
{
	char text[LIMIT_CHECK_TEXT];
	struct parent_command c = {0};
	struct strbuf why;

	strbuf_init(&why, text, sizeof(text));
	if (!parent_command_find(&parent, m, &c, &why)) {
		FUZZ_CHECK(text[0] != '\0');
		return;
	}
	FUZZ_CHECK(c.n_words > 0 && (c.check != NULL) == (m->what == IPC_RUN_CHECK));
	FUZZ_CHECK(parent_command_spawn(&parent, m, &c, out, &why) < 0 && text[0] != '\0');
}

/* Requests of the agent as it makes them, and wrong ones, through the channel. */
static void
runs(struct fuzz_in *in)
{
	struct fuzz_ipc x = {.in = in, .fd = channel[0], .gen = parent.gen};
	struct ipc_chan c;
	union ipc_msg m;
	int fd, r;

	ipc_chan_init(&c, channel[1], IPC_PARENT_TO_AGENT, IPC_AGENT_TO_PARENT);
	for (unsigned n = 0; n < 8 && in->left > 0; n++) {
		struct ipc_run run = {.token = 1,
				      .index = fuzz_below(in, 24),
				      .instance = n & 1,
				      .state = ROLE_STATE_ACTIVE,
				      .text = "why"};

		run.what = (uint8_t)(fuzz_u8(in) & 1);
		run.from = ROLE_STATE_COUNT;
		fuzz_ipc_send(&x, IPC_RUN, &run); /* without a descriptor it is refused */
		while ((r = ipc_chan_recv(&c, &m, &fd)) == 1)
			if (fd >= 0)
				close(fd);
		fuzz_ipc_patch(in, (uint8_t *)&run + sizeof(run.h), sizeof(run) - sizeof(run.h),
			       fuzz_below(in, 4));
		if (run.what < IPC_RUN_WHAT_COUNT) /* parent_spawn.c ends an agent that asks for others */
			take_run(&run, 2);
	}
}

/* ---- the memory, and the file ---- */

static void
check_memory(void)
{
	struct ipc_memory_instance i;
	struct ipc_memory_check k;

	for (uint32_t n = 0; n < MIN(memory->n_instances, (uint32_t)LIMIT_INSTANCES); n++) {
		char name[LIMIT_NAME];

		memcpy(name, memory->instances[n].name, sizeof(name));
		name[sizeof(name) - 1] = '\0';
		if (!ipc_memory_instance(memory, name, &i))
			continue;
		FUZZ_CHECK(i.active <= 1 && i.override.drained <= 1 && i.override.takeover <= 1);
		FUZZ_CHECK(i.override.priority < VRRP_PRIORITY_OWNER && i.form < VRRP_CHECKSUM_FORM_COUNT &&
			   i.told <= ROLE_STATE_COUNT);
	}
	(void)ipc_memory_check(memory, "c0", &k);
}

static void
forget(void)
{
	memset(memory, 0, offsetof(struct ipc_memory, instances) + 64 * sizeof(memory->instances[0]));
}

/* What an engine may have left. */
static void
memories(struct fuzz_in *in)
{
	forget();
	memory->layout = fuzz_bool(in) ? IPC_MEMORY_LAYOUT : fuzz_u32(in);
	memory->n_instances = fuzz_u8(in) < 250 ? fuzz_below(in, 8) : fuzz_u32(in);
	for (unsigned n = 0; n < 8; n++) {
		struct ipc_memory_instance *i = &memory->instances[n];

		*i = (struct ipc_memory_instance){.active = 1,
						  .told = ROLE_STATE_BACKUP,
						  .override = {.drained = 1, .drained_until_us = UINT64_MAX}};
		snprintf(i->name, sizeof(i->name), "i%u", n);
		fuzz_ipc_patch(in, (uint8_t *)i, sizeof(*i), fuzz_below(in, 6));
	}
	check_memory();
	parent_overrides_save(&parent);
	forget();
	parent_overrides_load(&parent);
	check_memory();
}

static void
overrides(struct fuzz_in *in)
{
	char path[LIMIT_PATH + 32], head[128];

	snprintf(path, sizeof(path), "%s/overrides", parent.run_dir);
	snprintf(head, sizeof(head), "vrrpd-overrides 1 %s\n", boot_id);
	write_file(path, head, fuzz_u8(in) < 250 ? strlen(head) : 0, in->p, in->left);
	forget();
	parent_overrides_load(&parent);
	check_memory();
	for (uint32_t n = 0; n < MIN(memory->n_instances, (uint32_t)LIMIT_INSTANCES); n++)
		FUZZ_CHECK(memchr(memory->instances[n].name, '\0', LIMIT_NAME) != NULL &&
			   memory->instances[n].override.priority < 255);
	parent_overrides_save(&parent);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parts[])(struct fuzz_in *) = {runs, memories, overrides};
	struct fuzz_in in = fuzz_in(data, size);

	parts[fuzz_below(&in, ARRAY_SIZE(parts))](&in);
	return 0;
}
