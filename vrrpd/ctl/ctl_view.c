/*
 * ctl_view.c - a read-only view of a large JSON document; see ctl_view.h.
 *
 * Runs in vrrpctl. RFC 8259 in one pass: texts are unescaped and ended by a NUL in place, numbers stay as they were
 * written.
 */
#include "ctl/ctl_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define DEPTH_MAX   64
#define OCTETS_EACH 14 /* octets of text per value, guessed low so that the array is made once */

struct reader {
	char *p;
	struct view *v;
	size_t n, size;
};

static bool read_value(struct reader *r, const char *key, int depth);

/* ---- pieces ---------------------------------------------------------------------------------- */

static void
skip_space(struct reader *r)
{
	while (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r')
		r->p++;
}

/* A new value at the end of the array; its index. */
static size_t
add(struct reader *r, const char *key, enum view_type type)
{
	if (r->n == r->size) {
		r->size *= 2;
		r->v = realloc(r->v, r->size * sizeof(*r->v));
		ASSERT(r->v != NULL);
	}
	r->v[r->n] = (struct view){.key = key, .span = 1, .type = type};
	return r->n++;
}

static int
read_hex(const char *p)
{
	int value = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + c - '0';
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			value = value * 16 + (c | 32) - 'a' + 10;
		else
			return -1;
	}
	return value;
}

static char *
put_utf8(char *to, unsigned c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xe0 | c >> 12);
		} else {
			*to++ = (char)(0xf0 | c >> 18);
			*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (c & 0x3f));
	return to;
}

/* What follows a backslash. False when it is nothing that JSON knows; NUL is refused, too. */
static bool
read_escape(struct reader *r, char **to)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *name = *r->p != '\0' ? strchr(names, *r->p) : NULL;
	int c, low;

	if (name != NULL) {
		*(*to)++ = values[name - names];
		r->p++;
		return true;
	}
	if (*r->p != 'u' || (c = read_hex(r->p + 1)) <= 0)
		return false;
	r->p += 5;
	if (c >= 0xd800 && c < 0xe000) { /* the first half of one character */
		if (c >= 0xdc00 || r->p[0] != '\\' || r->p[1] != 'u' || (low = read_hex(r->p + 2)) < 0xdc00 || low > 0xdfff)
			return false;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		r->p += 6;
	}
	*to = put_utf8(*to, (unsigned)c);
	return true;
}

/* A text behind its opening quote. NULL when it does not end. */
static char *
read_text(struct reader *r)
{
	char *start = r->p, *to;

	while ((unsigned char)*r->p >= ' ' && *r->p != '"' && *r->p != '\\')
		r->p++;
	for (to = r->p; *r->p != '"';) {
		if ((unsigned char)*r->p < ' ')
			return NULL;
		if (*r->p != '\\') {
			*to++ = *r->p++;
			continue;
		}
		r->p++;
		if (!read_escape(r, &to))
			return NULL;
	}
	r->p++;
	*to = '\0';
	return start;
}

static bool
read_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(r->p, word, n) != 0)
		return false;
	r->p += n;
	return true;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool
read_pair(struct reader *r, int depth)
{
	char *key;

	skip_space(r);
	if (*r->p != '"')
		return false;
	r->p++;
	key = read_text(r);
	skip_space(r);
	if (key == NULL || *r->p != ':')
		return false;
	r->p++;
	return read_value(r, key, depth);
}

/* What a list or an object holds, behind its opening bracket. */
static bool
read_held(struct reader *r, const char *key, enum view_type type, int depth)
{
	char closing = type == VIEW_LIST ? ']' : '}';
	size_t self = add(r, key, type);
	uint32_t size = 0;

	skip_space(r);
	while (*r->p != closing || size > 0) {
		if (!(type == VIEW_LIST ? read_value(r, NULL, depth + 1) : read_pair(r, depth + 1)))
			return false;
		size++;
		skip_space(r);
		if (*r->p == closing)
			break;
		if (*r->p++ != ',')
			return false;
	}
	r->p++;
	r->v[self].size = size;
	r->v[self].span = (uint32_t)(r->n - self);
	return true;
}

static bool
read_number(struct reader *r, const char *key)
{
	const char *start = r->p;

	while ((*r->p >= '0' && *r->p <= '9') || *r->p == '.' || *r->p == '-' || *r->p == '+' || (*r->p | 32) == 'e')
		r->p++;
	if (*start != '-' && (*start < '0' || *start > '9'))
		return false;
	r->v[add(r, key, VIEW_NUMBER)].text = start;
	return true;
}

static bool
read_value(struct reader *r, const char *key, int depth)
{
	char *text;

	skip_space(r);
	if (depth > DEPTH_MAX)
		return false;
	switch (*r->p) {
	case '{':
		r->p++;
		return read_held(r, key, VIEW_OBJECT, depth);
	case '[':
		r->p++;
		return read_held(r, key, VIEW_LIST, depth);
	case '"':
		r->p++;
		text = read_text(r);
		if (text == NULL)
			return false;
		r->v[add(r, key, VIEW_TEXT)].text = text;
		return true;
	case 't':
		add(r, key, VIEW_TRUE);
		return read_word(r, "true");
	case 'f':
		add(r, key, VIEW_FALSE);
		return read_word(r, "false");
	case 'n':
		add(r, key, VIEW_NULL);
		return read_word(r, "null");
	default:
		return read_number(r, key);
	}
}

struct view *
view_parse(char *text, size_t len)
{
	struct reader r = {.p = text, .size = len / OCTETS_EACH + 16};

	r.v = malloc(r.size * sizeof(*r.v));
	ASSERT(r.v != NULL);
	if (read_value(&r, NULL, 0)) {
		skip_space(&r);
		if (r.p == text + len)
			return r.v;
	}
	free(r.v);
	return NULL;
}

/* ---- reading --------------------------------------------------------------------------------- */

const struct view *
view_get(const struct view *v, const char *key)
{
	const struct view *end;

	if (v == NULL || v->type != VIEW_OBJECT)
		return NULL;
	end = v + v->span;
	for (v++; v != end; v += v->span)
		if (v->key[0] == key[0] && strcmp(v->key, key) == 0)
			return v;
	return NULL;
}

const char *
view_text(const struct view *v, const char *key)
{
	const struct view *found = view_get(v, key);

	return found != NULL && found->type == VIEW_TEXT ? found->text : "";
}

bool
view_is(const struct view *v, const char *key, const char *text)
{
	return strcmp(view_text(v, key), text) == 0;
}

bool
view_has_number(const struct view *v, const char *key)
{
	const struct view *found = view_get(v, key);

	return found != NULL && found->type == VIEW_NUMBER;
}

double
view_number(const struct view *v, const char *key)
{
	const struct view *found = view_get(v, key);

	return found != NULL && found->type == VIEW_NUMBER ? strtod(found->text, NULL) : 0;
}

long long
view_int(const struct view *v, const char *key)
{
	const struct view *found = view_get(v, key);

	return found != NULL && found->type == VIEW_NUMBER ? strtoll(found->text, NULL, 10) : 0;
}

bool
view_true(const struct view *v, const char *key)
{
	const struct view *found = view_get(v, key);

	return found != NULL && found->type == VIEW_TRUE;
}
