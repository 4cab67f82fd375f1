/*
 * cfg_rules_hooks.c - rules of notify commands, gates and services; run by cfg_check.c in the parent.
 */
#include "config/cfg_int.h"

#include <string.h>

static void
judge_hooks(struct cfg_source *s, const void *obj, const struct cfg_hooks *h, const char *user)
{
	static const char *const paths[CFG_NOTIFY_COUNT] = {
		[CFG_NOTIFY_ACTIVE] = "notify_active", [CFG_NOTIFY_BACKUP] = "notify_backup",
		[CFG_NOTIFY_FAULT] = "notify_fault",   [CFG_NOTIFY_STOP] = "notify_stop",
		[CFG_NOTIFY_ANY] = "notify",
	};

	cfg_rule_user(s, obj, "notify_user", h->user);
	for (unsigned k = 0; k < CFG_NOTIFY_COUNT; k++)
		cfg_rule_command(s, obj, paths[k], &h->notify[k], user);
}

static void
root_hooks(struct cfg_source *s, struct cfg *c, void *obj)
{
	judge_hooks(s, obj, &c->hooks, c->hooks.user);
}

static void
hooks(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;
	const char *user = i->hooks.user != NULL ? i->hooks.user : c->hooks.user;

	judge_hooks(s, obj, &i->hooks, user);
	cfg_rule_command(s, obj, "gate", &i->gate, user);
}

/* A unit, or all three commands; then it has a name. */
static void
service_form(struct cfg_source *s, struct cfg *c, void *obj)
{
	static const char *const paths[] = {"start", "stop", "status"};
	const struct cfg_service *v = obj;
	const struct cfg_command *const commands[] = {&v->start, &v->stop, &v->status};

	(void)c;
	if (v->unit != NULL && v->start.n + v->stop.n + v->status.n == 0)
		cfg_source_at(s, obj, "unit", -1, "there is no systemctl on this host: write start, stop and status instead");
	for (unsigned k = 0; k < ARRAY_SIZE(paths); k++) {
		bool written = cfg_source_written(s, obj, paths[k]);

		if (v->unit != NULL && written)
			cfg_source_at(s, obj, paths[k], -1, "stands beside unit: write one of them");
		else if (v->unit == NULL && !written)
			cfg_source_at(s, obj, paths[k], -1,
				      "is missing: write start, stop and status, or unit = \"NAME.service\"");
		else
			cfg_rule_command(s, obj, paths[k], commands[k], v->user);
	}
	if (v->name[0] == '\0')
		cfg_source_at(s, obj, "name", -1, "is missing: write a string, e.g. \"haproxy\"");
	cfg_rule_user(s, obj, "user", v->user);
}

static void
service_names(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;

	(void)c;
	for (size_t k = 0; k < i->n_services; k++)
		for (size_t e = 0; e < k; e++)
			if (i->services[k].name[0] != '\0' && strcmp(i->services[k].name, i->services[e].name) == 0) {
				cfg_source_at(s, &i->services[k], "name", -1,
					      "\"%s\" is the name of another service of this instance: write another",
					      i->services[k].name);
				break;
			}
}

static const struct cfg_rule rules[] = {
	{"root_hooks", CFG_SCOPE_ROOT, {NULL}, root_hooks},
	{"hooks", CFG_SCOPE_INSTANCE, {NULL}, hooks},
	{"service_form", CFG_SCOPE_SERVICE, {NULL}, service_form},
	{"service_names", CFG_SCOPE_INSTANCE, {"services"}, service_names},
};

const struct cfg_rule *
cfg_rules_hooks(size_t i)
{
	return i < ARRAY_SIZE(rules) ? &rules[i] : NULL;
}
