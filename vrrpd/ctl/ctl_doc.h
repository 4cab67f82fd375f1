/*
 * ctl_doc.h - reading the daemon's JSON: what is missing or of another type reads as nothing.
 */
#ifndef VRRPD_CTL_CTL_DOC_H
#define VRRPD_CTL_CTL_DOC_H

#include <stdbool.h>
#include <string.h>
#include <jansson.h>

static inline const char *
doc_text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? s : "";
}

static inline bool
doc_is(const json_t *j, const char *key, const char *text)
{
	return strcmp(doc_text(j, key), text) == 0;
}

static inline double
doc_number(const json_t *j, const char *key)
{
	return json_number_value(json_object_get(j, key));
}

static inline long long
doc_int(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

static inline bool
doc_has_number(const json_t *j, const char *key)
{
	return json_is_number(json_object_get(j, key));
}

static inline bool
doc_true(const json_t *j, const char *key)
{
	return json_is_true(json_object_get(j, key));
}

#endif
