/*
 * cfg.c - a configuration from a file to a checked whole, and its memory; see cfg.h.
 *
 * Runs in the parent. The steps: text (cfg_text.c), values (cfg_read.c), defaults that follow from other
 * options (here), rules (cfg_check.c). Touches nothing but memory and the files that it reads.
 */
#include "config/cfg.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "config/cfg_int.h"

static void __attribute__((noreturn)) out_of_memory(void)
{
	static const char text[] = "vrrpd: out of memory while reading the configuration\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		abort();
	abort();
}

void *
cfg_zalloc(size_t n, size_t size)
{
	void *p = calloc(MAX(n, 1u), size);

	if (!p)
		out_of_memory();
	return p;
}

char *
cfg_strdup(const char *text)
{
	char *p = strdup(text);

	if (!p)
		out_of_memory();
	return p;
}

void *
cfg_grow(void *v, size_t n, size_t *size, size_t element)
{
	void *p;

	if (n < *size)
		return v;
	*size = *size ? *size * 2 : 64;
	p = reallocarray(v, *size, element);
	if (!p)
		out_of_memory();
	return p;
}

static void
fill_addresses(struct cfg_instance *i, struct cfg_address *v, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (!v[k].own_interface)
			str_copy(v[k].interface, sizeof(v[k].interface), i->interface);
}

static struct cfg_command
systemctl(const char *program, const char *verb, const char *option, const char *unit)
{
	struct cfg_command c = {.words = cfg_zalloc(4, sizeof(char *))};

	c.words[c.n++] = cfg_strdup(program);
	c.words[c.n++] = cfg_strdup(verb);
	if (option)
		c.words[c.n++] = cfg_strdup(option);
	c.words[c.n++] = cfg_strdup(unit);
	return c;
}

/* The unit's name without its ending, as far as a name can hold it. */
static void
name_service(struct cfg_service *v)
{
	const char *dot = strrchr(v->unit, '.');
	size_t n = dot ? (size_t)(dot - v->unit) : strlen(v->unit);

	snprintf(v->name, sizeof(v->name), "%.*s", (int)MIN(n, sizeof(v->name) - 1), v->unit);
	for (char *p = v->name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_.-", *p))
			*p = '_';
}

/* A unit's three commands, unless it has its own (an error by the rules) or there is no systemctl (another one). */
static void
fill_service(struct cfg_service *v)
{
	static const char *const programs[] = {"/usr/bin/systemctl", "/bin/systemctl"};

	if (!v->unit)
		return;
	if (v->name[0] == '\0')
		name_service(v);
	if (!v->user)
		v->user = cfg_strdup("root");
	for (size_t k = 0; k < ARRAY_SIZE(programs) && v->start.n + v->stop.n + v->status.n == 0; k++) {
		if (access(programs[k], X_OK) < 0)
			continue;
		v->start = systemctl(programs[k], "start", NULL, v->unit);
		/* vrrpd waits for it while it stops itself, and its own unit comes after HAProxy's. */
		v->stop = systemctl(programs[k], "stop", "--job-mode=ignore-dependencies", v->unit);
		v->status = systemctl(programs[k], "is-active", "--quiet", v->unit);
	}
}

/* Defaults that follow from other options, and the lines that the rest of the program may name. */
static void
fill(struct cfg_source *s, struct cfg *c)
{
	if (c->node[0] == '\0' && (gethostname(c->node, sizeof(c->node) - 1) < 0 || c->node[0] == '\0'))
		str_copy(c->node, sizeof(c->node), "localhost");
	for (size_t k = 0; k < c->n_checks; k++) {
		c->checks[k].line = s->nodes[cfg_source_find(s, &c->checks[k], NULL, -1)].line;
		if (c->checks[k].timeout == 0)
			c->checks[k].timeout = c->checks[k].interval;
	}
	for (size_t k = 0; k < c->n_instances; k++) {
		struct cfg_instance *i = &c->instances[k];

		i->line = s->nodes[cfg_source_find(s, i, NULL, -1)].line;
		for (size_t a = 0; a < i->n_addresses && i->family == IP_FAMILY_NONE; a++)
			i->family = i->addresses[a].prefix.addr.family;
		if (i->unicast_ttl_min == 0)
			i->unicast_ttl_min = i->family == IP_FAMILY_V6 ? 64 : 255;
		fill_addresses(i, i->addresses, i->n_addresses);
		fill_addresses(i, i->extra_addresses, i->n_extra);
		if (i->hooks.timeout == 0)
			i->hooks.timeout = c->hooks.timeout;
		cfg_fill_leader(c, &i->leader, i->on_store_loss);
		cfg_fill_leader(c, &i->lease, CFG_STORE_LOSS_HOLD_LEASE);
		cfg_fill_leader(c, &i->arbiter, CFG_STORE_LOSS_HOLD_LEASE);
		for (size_t n = 0; n < i->n_services; n++)
			fill_service(&i->services[n]);
	}
}

int
cfg_load(const char *file, struct cfg **ret, struct cfg_errors *errors)
{
	CLEANUP(cfg_source_done) struct cfg_source s = {0};
	struct cfg *c = cfg_zalloc(1, sizeof(*c));

	c->file = cfg_strdup(file);
	cfg_option_defaults(CFG_SCOPE_ROOT, c);
	if (cfg_text_load(&s, file) == 0 && cfg_read(&s, c) == 0) {
		cfg_source_seal(&s);
		fill(&s, c);
		cfg_check(&s, c);
	}
	if (cfg_source_errors(&s, errors) < 0) {
		cfg_free(c);
		return -EINVAL;
	}
	*ret = c;
	return 0;
}

void
cfg_free(struct cfg *c)
{
	if (!c)
		return;
	for (size_t n = 0; n < c->n_checks; n++) {
		if (c->checks[n].tls_key_pem != NULL)
			explicit_bzero(c->checks[n].tls_key_pem, strlen(c->checks[n].tls_key_pem));
		free(c->checks[n].tls_key_pem);
	}
	for (size_t n = 0; n < c->n_stores; n++)
		cfg_free_access(&c->stores[n].access);
	for (size_t n = 0; n < c->n_instances; n++) {
		cfg_free_access(&c->instances[n].leader.access);
		cfg_free_access(&c->instances[n].lease.access);
		cfg_free_access(&c->instances[n].arbiter.access);
	}
	cfg_option_free(CFG_SCOPE_ROOT, c);
	free(c->file);
	free(c);
}

void
cfg_errors_free(struct cfg_errors *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->v[i]);
	free(e->v);
	*e = (struct cfg_errors){0};
}
