/*
 * cfg_source.c - where each option was written, and the errors of one run; see cfg_int.h.
 *
 * Called by the reader and by the rules while a configuration is loaded, in the parent. Does not know what an
 * option means; writes nothing anywhere, errors are handed over as finished lines.
 */
#include "config/cfg_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

#define ERROR_TEXT 2048 /* one error line; what is longer is cut */

size_t
cfg_source_add(struct cfg_source *s, const struct cfg_node *node, const char *label, int line)
{
	size_t i = (size_t)MAX(line, 1) - 1;
	struct cfg_node *n;

	ASSERT(node->parent == CFG_NO_NODE || node->parent < s->n_nodes);
	s->nodes = cfg_grow(s->nodes, s->n_nodes, &s->size_nodes, sizeof(*s->nodes));
	n = &s->nodes[s->n_nodes];
	*n = *node;
	n->label = label ? cfg_strdup(label) : NULL;
	if (!n->file && s->text.n_lines > 0) {
		i = MIN(i, s->text.n_lines - 1);
		n->file = s->text.lines[i].file;
		n->line = s->text.lines[i].line;
	}
	return s->n_nodes++;
}

static int
compare_nodes(const void *va, const void *vb, void *arg)
{
	const struct cfg_node *nodes = arg;
	size_t a = *(const size_t *)va, b = *(const size_t *)vb;
	uintptr_t obj_a = (uintptr_t)nodes[a].obj, obj_b = (uintptr_t)nodes[b].obj;

	if (obj_a != obj_b)
		return obj_a < obj_b ? -1 : 1;
	return a < b ? -1 : a > b;
}

void
cfg_source_seal(struct cfg_source *s)
{
	s->by_obj = cfg_zalloc(s->n_nodes + 1, sizeof(*s->by_obj));
	for (size_t i = 0; i < s->n_nodes; i++)
		s->by_obj[i] = i;
	qsort_r(s->by_obj, s->n_nodes, sizeof(*s->by_obj), compare_nodes, s->nodes);
}

size_t
cfg_source_find(const struct cfg_source *s, const void *obj, const char *path, int index)
{
	size_t low = 0, high = s->n_nodes;

	ASSERT(obj && s->by_obj);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if ((uintptr_t)s->nodes[s->by_obj[middle]].obj < (uintptr_t)obj)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i < s->n_nodes; i++) {
		const struct cfg_node *n = &s->nodes[s->by_obj[i]];

		if (n->obj != obj)
			break;
		if (!path && !n->opt)
			return s->by_obj[i];
		if (path && n->opt && n->index == index && strcmp(n->opt->path, path) == 0)
			return s->by_obj[i];
	}
	return CFG_NO_NODE;
}

bool
cfg_source_written(const struct cfg_source *s, const void *obj, const char *path)
{
	size_t node = cfg_source_find(s, obj, path, -1);

	return node != CFG_NO_NODE && !s->nodes[node].missing;
}

bool
cfg_source_bad(const struct cfg_source *s, const void *obj, const char *path)
{
	size_t node = cfg_source_find(s, obj, path, -1);

	return node != CFG_NO_NODE && s->nodes[node].bad;
}

/* "instances.pg.unicast.peers[1]" */
static void
add_path(const struct cfg_source *s, size_t node, struct strbuf *b)
{
	const struct cfg_node *n = &s->nodes[node];
	const char *dot;

	if (n->parent == CFG_NO_NODE)
		return;
	add_path(s, n->parent, b);
	if (n->label) {
		strbuf_addf(b, "%s%s", b->len ? "." : "", n->label);
	} else if (n->index >= 0) {
		strbuf_addf(b, "[%d]", n->index);
	} else {
		dot = strrchr(n->opt->path, '.');
		strbuf_addf(b, "%s%s", b->len ? "." : "", dot ? dot + 1 : n->opt->path);
	}
}

/* One error is one line, whatever was quoted in it. */
static void
keep_error(struct cfg_source *s, size_t order, const char *text)
{
	struct cfg_error *e;

	s->errors = cfg_grow(s->errors, s->n_errors, &s->size_errors, sizeof(*s->errors));
	e = &s->errors[s->n_errors++];
	e->node = order;
	e->text = cfg_strdup(text);
	for (char *p = e->text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
}

void
cfg_source_fail(struct cfg_source *s, const char *file, int line, const char *fmt, ...)
{
	char data[ERROR_TEXT], text[ERROR_TEXT];
	struct strbuf b;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	strbuf_init(&b, data, sizeof(data));
	strbuf_addf(&b, "%s:", file);
	if (line > 0)
		strbuf_addf(&b, "%d:", line);
	strbuf_addf(&b, " %s", text);
	keep_error(s, 0, data);
}

/* An error at a node, or at the option `below` of the object whose node it is. */
static void
report(struct cfg_source *s, size_t node, const char *below, const char *text)
{
	char data[ERROR_TEXT], path[ERROR_TEXT];
	struct strbuf b, p;

	strbuf_init(&p, path, sizeof(path));
	add_path(s, node, &p);
	if (below)
		strbuf_addf(&p, "%s%s", p.len ? "." : "", below);
	strbuf_init(&b, data, sizeof(data));
	strbuf_addf(&b, "%s:%d: %s: %s", s->nodes[node].file, s->nodes[node].line, path, text);
	keep_error(s, s->nodes[node].missing ? s->nodes[node].parent : node, data);
}

void
cfg_source_error(struct cfg_source *s, size_t node, const char *fmt, ...)
{
	char text[ERROR_TEXT];
	va_list args;

	ASSERT(node < s->n_nodes);
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	s->nodes[node].bad = true;
	report(s, node, NULL, text);
}

void
cfg_source_at(struct cfg_source *s, const void *obj, const char *path, int index, const char *fmt, ...)
{
	size_t node = cfg_source_find(s, obj, path, index);
	char text[ERROR_TEXT];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (node != CFG_NO_NODE) {
		s->nodes[node].bad = true;
		report(s, node, NULL, text);
		return;
	}
	node = cfg_source_find(s, obj, NULL, -1);
	ASSERT(node != CFG_NO_NODE);
	report(s, node, path, text);
}

static int
compare_errors(const void *va, const void *vb, void *arg)
{
	const struct cfg_error *errors = arg;
	size_t a = *(const size_t *)va, b = *(const size_t *)vb;

	if (errors[a].node != errors[b].node)
		return errors[a].node < errors[b].node ? -1 : 1;
	return a < b ? -1 : a > b;
}

int
cfg_source_errors(struct cfg_source *s, struct cfg_errors *ret)
{
	size_t *order;

	*ret = (struct cfg_errors){0};
	if (s->n_errors == 0)
		return 0;
	order = cfg_zalloc(s->n_errors, sizeof(*order));
	for (size_t i = 0; i < s->n_errors; i++)
		order[i] = i;
	qsort_r(order, s->n_errors, sizeof(*order), compare_errors, s->errors);
	ret->v = cfg_zalloc(s->n_errors, sizeof(*ret->v));
	ret->n = s->n_errors;
	for (size_t i = 0; i < s->n_errors; i++)
		ret->v[i] = TAKE(s->errors[order[i]].text);
	free(order);
	return -EINVAL;
}

void
cfg_source_done(struct cfg_source *s)
{
	for (size_t i = 0; i < s->n_nodes; i++)
		free(s->nodes[i].label);
	for (size_t i = 0; i < s->n_errors; i++)
		free(s->errors[i].text);
	for (size_t i = 0; i < s->text.n_files; i++)
		free(s->text.files[i]);
	free(s->nodes);
	free(s->by_obj);
	free(s->errors);
	free(s->text.files);
	free(s->text.lines);
	free(s->text.data);
	*s = (struct cfg_source){0};
}
