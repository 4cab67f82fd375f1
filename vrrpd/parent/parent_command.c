/*
 * parent_command.c - which command a run is, who runs it, and what it finds around it: arguments, environment, rights.
 *
 * Everything comes from vrrpd's own configuration; the agent only says what state an instance is in, and why. The
 * environment of checks that the agent runs by itself is made in check_script.c.
 */
#include "parent/parent.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "sys/spawn.h"

#define REFUSE(b, ...)	   (strbuf_addf(b, __VA_ARGS__), false)
#define ENV_MAX		   20
#define ADDRESSES_TEXT_MAX 16384 /* octets of VRRPD_ADDRESSES; the rest is only counted */
#define HOOK_ARGS	   5	 /* what a notify command gets besides its own words */

/* ---- which one, and who runs it ---------------------------------------------------------------- */

/* The configuration that the agent means: during a reload, and of what is removed, that may be the one before. */
static const struct cfg *
find_cfg(const struct parent *p, uint32_t gen)
{
	uint32_t back = p->gen - gen;

	if (back == 0)
		return p->cfg;
	if (p->old_cfg != NULL && back == 1)
		return p->old_cfg;
	back -= p->old_cfg != NULL ? 2 : 1;
	return back < PARENT_LAST_CFGS ? p->last_cfgs[back] : NULL;
}

static bool
find_check(const struct cfg *cfg, const struct ipc_run *m, struct parent_command *ret)
{
	const struct cfg_check *k = m->index < cfg->n_checks ? &cfg->checks[m->index] : NULL;

	if (k == NULL || k->kind != CFG_CHECK_SCRIPT || k->user == NULL || k->n_command == 0)
		return false;
	*ret = (struct parent_command){.check = k,
				       .n_words = k->n_command,
				       .words = k->command,
				       .user_name = k->user,
				       .timeout = k->timeout,
				       .interval = k->interval};
	return true;
}

static bool
find_command(const struct cfg *cfg, const struct ipc_run *m, struct parent_command *ret)
{
	struct cfg_run r;

	if (!cfg_run_find(cfg, m->index, &r) || r.command->n == 0 || m->instance >= cfg->n_instances ||
	    (r.instance != NULL && r.instance != &cfg->instances[m->instance]) || m->state >= ROLE_STATE_COUNT ||
	    m->from > ROLE_STATE_COUNT || m->reason >= ROLE_REASON_COUNT)
		return false;
	*ret = (struct parent_command){.run = r,
				       .instance = &cfg->instances[m->instance],
				       .n_words = r.command->n,
				       .words = r.command->words,
				       .user_name = r.user,
				       .timeout = r.timeout};
	return true;
}

/* Who runs it. False with why it may not run. */
static bool
judge_user(const struct parent *p, struct parent_command *c, struct strbuf *why)
{
	char text[LIMIT_CHECK_TEXT];
	int r;

	if (c->user_name == NULL) {
		c->user = p->agent_user;
		return true;
	}
	r = priv_find_user(c->user_name, &c->user);
	if (r == -ENOENT)
		return REFUSE(why, "there is no user \"%s\" on this host", c->user_name);
	if (r < 0)
		return REFUSE(why, "user \"%s\" is in more than %d groups", c->user_name, PRIV_GROUPS_MAX);
	if (!p->may_change_user)
		return REFUSE(why, "vrrpd may not change users and cannot become user \"%s\"", c->user_name);
	/* Once more: the file may have changed since the configuration was read. */
	if (c->user.uid == 0 && !cfg_command_for_root(c->words[0], text, sizeof(text)))
		return REFUSE(why, "not as root: %s", text);
	return true;
}

bool
parent_command_find(const struct parent *p, const struct ipc_run *m, struct parent_command *ret, struct strbuf *why)
{
	const struct cfg *cfg = find_cfg(p, m->h.gen);

	if (cfg == NULL)
		return REFUSE(why, "the configuration has just changed");
	if (!(m->what == IPC_RUN_CHECK ? find_check : find_command)(cfg, m, ret))
		return REFUSE(why, "it is no command that vrrpd runs");
	return judge_user(p, ret, why);
}

/* ---- environment and arguments ---------------------------------------------------------------- */

struct env {
	size_t n;
	char *v[ENV_MAX + 1]; /* malloc'd, NULL-terminated */
};

static void PRINTF_LIKE(2, 3) add(struct env *e, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&e->v[e->n], fmt, ap);
	va_end(ap);
	ASSERT(r >= 0);
	ASSERT(e->n < ENV_MAX);
	e->n++;
	e->v[e->n] = NULL;
}

static void
free_env(struct env *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->v[i]);
}

/* As many whole addresses as fit. */
static void
add_addresses(struct env *e, const struct cfg_instance *i)
{
	char *text = malloc(ADDRESSES_TEXT_MAX), one[IP_PREFIX_TEXT];
	struct strbuf b;

	ASSERT(text != NULL);
	strbuf_init(&b, text, ADDRESSES_TEXT_MAX);
	for (size_t k = 0; k < i->n_addresses + i->n_extra && b.len + IP_PREFIX_TEXT + 1 < b.size; k++) {
		const struct cfg_address *a =
			k < i->n_addresses ? &i->addresses[k] : &i->extra_addresses[k - i->n_addresses];

		strbuf_addf(&b, "%s%s", k > 0 ? " " : "", ip_prefix_format(&a->prefix, one));
	}
	add(e, "VRRPD_ADDRESSES=%s", text);
	free(text);
}

static const char *
hook_name(const struct cfg_run *r)
{
	static const char *const notify[CFG_NOTIFY_COUNT] = {
		[CFG_NOTIFY_ACTIVE] = "notify_active", [CFG_NOTIFY_BACKUP] = "notify_backup",
		[CFG_NOTIFY_FAULT] = "notify_fault",   [CFG_NOTIFY_STOP] = "notify_stop",
		[CFG_NOTIFY_ANY] = "notify",
	};
	static const char *const others[CFG_RUN_KIND_COUNT] = {
		[CFG_RUN_GATE] = "gate",
		[CFG_RUN_START] = "service_start",
		[CFG_RUN_STOP] = "service_stop",
		[CFG_RUN_STATUS] = "service_status",
	};

	return r->kind == CFG_RUN_NOTIFY ? notify[r->notify] : others[r->kind];
}

static void
add_role(struct env *e, const struct ipc_run *m, const struct parent_command *c)
{
	const struct cfg_instance *i = c->instance;

	add(e, "VRRPD_HOOK=%s", hook_name(&c->run));
	add(e, "VRRPD_INSTANCE=%s", i->name);
	add(e, "VRRPD_INTERFACE=%s", i->interface);
	add(e, "VRRPD_VRID=%d", i->vrid);
	add_addresses(e, i);
	add(e, "VRRPD_ADDRESS_COUNT=%zu", i->n_addresses + i->n_extra);
	add(e, "VRRPD_STATE=%s", role_state_name((enum role_state)m->state));
	add(e, "VRRPD_FROM=%s", m->from < ROLE_STATE_COUNT ? role_state_name((enum role_state)m->from) : "");
	add(e, "VRRPD_PRIORITY=%u", m->priority);
	add(e, "VRRPD_REASON=%.*s", (int)strnlen(m->text, sizeof(m->text)), m->text);
	add(e, "VRRPD_REASON_ID=%s", role_reason_label((enum role_reason)m->reason));
	add(e, "VRRPD_SUPERSEDED=%u", m->superseded);
	if (c->run.service != NULL)
		add(e, "VRRPD_SERVICE=%s", c->run.service->name);
}

/* keepalived's words (keepalived.conf(5), notify scripts): who takes part no more has stopped. */
static const char *
keepalived_state(uint8_t state)
{
	static const char *const words[ROLE_STATE_COUNT] = {
		[ROLE_STATE_INITIALIZE] = "STOP",
		[ROLE_STATE_BACKUP] = "BACKUP",
		[ROLE_STATE_ACTIVE] = "MASTER",
		[ROLE_STATE_FAULT] = "FAULT",
	};

	return words[state];
}

pid_t
parent_command_spawn(const struct parent *p, const struct ipc_run *m, const struct parent_command *c, int out,
		     struct strbuf *why)
{
	bool role = m->what == IPC_RUN_COMMAND;
	struct env env = {0};
	char *argv[LIMIT_COMMAND_ARGS + HOOK_ARGS + 1] = {NULL};
	char priority[8], reason[LIMIT_CAUSE_TEXT], state[8], kind[] = "INSTANCE", name[LIMIT_NAME];
	struct spawn_command s = {
		.argv = argv,
		.env = env.v,
		.out = out,
		.change = true,
		.user = p->may_change_user ? &c->user : NULL,
		.rights = role && c->user.uid == 0 ? PRIV_HOOK : PRIV_AGENT,
	};
	size_t n = 0;
	pid_t pid;

	add(&env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	add(&env, "LC_ALL=C");
	add(&env, "VRRPD_NODE=%s", p->cfg->node);
	if (role)
		add_role(&env, m, c);
	else
		add(&env, "VRRPD_CHECK=%s", c->check->name);
	for (; n < c->n_words && n < LIMIT_COMMAND_ARGS; n++)
		argv[n] = c->words[n];
	if (role && c->run.kind == CFG_RUN_NOTIFY && c->run.notify == CFG_NOTIFY_ANY) {
		str_copy(name, sizeof(name), c->instance->name);
		str_copy(state, sizeof(state), keepalived_state(m->state));
		snprintf(priority, sizeof(priority), "%u", m->priority);
		snprintf(reason, sizeof(reason), "%.*s", (int)strnlen(m->text, sizeof(m->text) - 1), m->text);
		argv[n++] = kind;
		argv[n++] = name;
		argv[n++] = state;
		argv[n++] = priority;
		argv[n++] = reason;
	}
	pid = spawn_command(&s);
	free_env(&env);
	if (pid < 0)
		strbuf_addf(why, "cannot run %s as %s: %s", c->words[0],
			    c->user_name != NULL ? c->user_name : "the agent's user", strerror(-pid));
	return pid;
}
