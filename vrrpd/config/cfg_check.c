/*
 * cfg_check.c - the rules across options: which there are and on what they run. The rules themselves are in
 * cfg_rules_root.c, cfg_rules_check.c, cfg_rules_kind.c, cfg_rules_instance.c, cfg_rules_hooks.c and cfg_leader.c, each with
 * its table.
 *
 * Called by cfg_load after everything was read, also when some of it was wrong: a rule is skipped for an object
 * whose options it needs are bad, so that one mistake is one error. Looks at files and users of this host,
 * changes nothing.
 */
#include "config/cfg_int.h"

static void
run_rule(struct cfg_source *s, struct cfg *c, const struct cfg_rule *rule, void *obj)
{
	for (size_t i = 0; i < ARRAY_SIZE(rule->needs) && rule->needs[i]; i++)
		if (cfg_source_bad(s, obj, rule->needs[i]))
			return;
	rule->run(s, c, obj);
}

const struct cfg_rule *
cfg_rule_at(size_t i)
{
	const struct cfg_rule *(*const tables[])(size_t) = {cfg_rules_check, cfg_rules_kind, cfg_rules_instance,
							    cfg_rules_hooks, cfg_rules_leader, cfg_rules_root};

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (size_t k = 0; tables[t](k); k++)
			if (i-- == 0)
				return tables[t](k);
	}
	return NULL;
}

/* A rule of a file with several scopes: on what it is for. */
static void
run_scoped(struct cfg_source *s, struct cfg *c, const struct cfg_rule *rule)
{
	if (rule->scope == CFG_SCOPE_ROOT)
		run_rule(s, c, rule, c);
	for (size_t k = 0; k < c->n_instances; k++) {
		struct cfg_instance *i = &c->instances[k];

		if (rule->scope == CFG_SCOPE_INSTANCE)
			run_rule(s, c, rule, i);
		for (size_t n = 0; n < i->n_services && rule->scope == CFG_SCOPE_SERVICE; n++)
			run_rule(s, c, rule, &i->services[n]);
	}
}

void
cfg_check(struct cfg_source *s, struct cfg *c)
{
	const struct cfg_rule *rule;

	for (size_t k = 0; k < c->n_checks; k++) {
		for (size_t i = 0; (rule = cfg_rules_check(i)); i++)
			run_rule(s, c, rule, &c->checks[k]);
		for (size_t i = 0; (rule = cfg_rules_kind(i)); i++)
			run_rule(s, c, rule, &c->checks[k]);
	}
	for (size_t k = 0; k < c->n_instances; k++)
		for (size_t i = 0; (rule = cfg_rules_instance(i)); i++)
			run_rule(s, c, rule, &c->instances[k]);
	for (size_t i = 0; (rule = cfg_rules_hooks(i)); i++)
		run_scoped(s, c, rule);
	for (size_t i = 0; (rule = cfg_rules_leader(i)); i++)
		run_scoped(s, c, rule);
	for (size_t i = 0; (rule = cfg_rules_root(i)); i++)
		run_rule(s, c, rule, c);
}
