/*
 * test_ctl_view.c - the view of a JSON document, with jansson as the judge.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/macros.h"
#include "ctl/ctl_view.h"

static const char sample[] =
	" {\"node\":\"n\\u00e4\\ud83d\\ude00\\n\\\"\\\\\\/\\t\",\"up\":12.5,\"n\":-7,\"big\":4294967296,\"e\":1e3,\"yes\":true,"
	"\"no\":false,\"nothing\":null,\"empty\":{},\"none\":[],\"list\":[1,\"two\",[3,[]],{\"four\":[{\"five\":5}]}],\n"
	"\t\"instances\" : [ { \"name\" : \"pg\" } , { \"name\" : \"\" } ] } \n";

static void
assert_same(const struct view *v, const json_t *j)
{
	const struct view *next = v + 1;
	const char *key;
	json_t *value;

	switch (json_typeof(j)) {
	case JSON_STRING:
		assert_int_equal(v->type, VIEW_TEXT);
		assert_string_equal(v->text, json_string_value(j));
		break;
	case JSON_INTEGER:
		assert_int_equal(v->type, VIEW_NUMBER);
		assert_int_equal(strtoll(v->text, NULL, 10), json_integer_value(j));
		break;
	case JSON_REAL:
		assert_int_equal(v->type, VIEW_NUMBER);
		assert_true(strtod(v->text, NULL) >= json_real_value(j) && strtod(v->text, NULL) <= json_real_value(j));
		break;
	case JSON_TRUE:
		assert_int_equal(v->type, VIEW_TRUE);
		break;
	case JSON_FALSE:
		assert_int_equal(v->type, VIEW_FALSE);
		break;
	case JSON_NULL:
		assert_int_equal(v->type, VIEW_NULL);
		break;
	case JSON_ARRAY:
		assert_int_equal(v->type, VIEW_LIST);
		assert_int_equal(v->size, json_array_size(j));
		for (size_t i = 0; i < json_array_size(j); i++, next += next->span)
			assert_same(next, json_array_get(j, i));
		assert_int_equal(next - v, v->span);
		break;
	case JSON_OBJECT:
		assert_int_equal(v->type, VIEW_OBJECT);
		json_object_foreach ((json_t *)(uintptr_t)j, key, value)
			assert_same(view_get(v, key), value);
		break;
	}
}

/* What jansson understands the view understands alike; what neither does is no document. */
static bool
check(const char *text, size_t len)
{
	char *copy = malloc(len + 1); /* exactly as long: a sanitizer sees what reads beyond */
	json_t *j = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	struct view *v;

	assert_non_null(copy);
	memcpy(copy, text, len);
	copy[len] = '\0';
	v = view_parse(copy, len);
	if (j != NULL) {
		assert_non_null(v);
		assert_same(v, j);
	}
	json_decref(j);
	free(v);
	free(copy);
	return j != NULL;
}

static void
test_like_jansson(void **state)
{
	static const char *const good[] = {
		"{}", "[]", "0", "-0.5e-3", "\"\"", "null", " [ ] ", "[[],{}]", "{\"a\":{\"b\":[]}}", "\"\\u20ac\\u0001\"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(check(good[i], strlen(good[i])));
	assert_true(check(sample, strlen(sample)));
}

static void
test_what_is_no_json(void **state)
{
	static const char *const bad[] = {
		"", " ", "{", "[", "[1,]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "[1 2]", "[1]]", "\"", "\"\\x\"", "\"\\u12\"",
		"\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\\u0000\"", "\"a\nb\"", "tru", "nul", "+1", "{}{}", ",", "]",
		"{\"a\":}", "[,1]",
	};
	char deep[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *copy = strdup(bad[i]);

		if (view_parse(copy, strlen(copy)) != NULL)
			fail_msg("accepted: %s", bad[i]);
		free(copy);
	}
	/* no stack is deep enough for everything */
	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	assert_null(view_parse(deep, strlen(deep)));
	/* nothing that was cut off anywhere is a document */
	for (size_t n = 0; n < strlen(sample) - 3; n++) {
		char *copy = strndup(sample, n);

		assert_null(view_parse(copy, n));
		free(copy);
	}
}

static void
test_mutations(void **state)
{
	static const char pool[] = "{}[]\",:\\u0123456789abcdeE+-.truefalsn \n\t\x01\xc3";
	unsigned seed = 4711, understood = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char text[sizeof(sample)];

		memcpy(text, sample, sizeof(sample));
		for (int n = rand_r(&seed) % 3; n >= 0; n--)
			text[(size_t)rand_r(&seed) % (sizeof(sample) - 1)] = pool[(size_t)rand_r(&seed) % (sizeof(pool) - 1)];
		understood += check(text, strlen(text));
	}
	assert_true(understood > 100);
}

static void
test_reading(void **state)
{
	char *text = strdup(sample);
	struct view *v = view_parse(text, strlen(text));
	size_t n = 0;

	(void)state;
	assert_non_null(v);
	assert_string_equal(view_text(v, "node"), "n\xc3\xa4\xf0\x9f\x98\x80\n\"\\/\t");
	assert_true(view_number(v, "up") > 12.4 && view_number(v, "up") < 12.6);
	assert_int_equal(view_int(v, "n"), -7);
	assert_int_equal(view_int(v, "big"), 4294967296);
	assert_true(view_true(v, "yes") && !view_true(v, "no") && !view_true(v, "node") && !view_true(v, "missing"));
	assert_true(view_has_number(v, "up") && !view_has_number(v, "nothing") && !view_has_number(v, "missing"));
	assert_string_equal(view_text(v, "up"), "");
	assert_string_equal(view_text(NULL, "up"), "");
	assert_int_equal(view_int(view_get(v, "list"), "up"), 0);
	VIEW_EACH(inst, view_get(v, "instances"))
		assert_true(view_is(inst, "name", n++ == 0 ? "pg" : ""));
	assert_int_equal(n, 2);
	VIEW_EACH(nothing, view_get(v, "none"))
		fail_msg("%d", (int)nothing->type);
	VIEW_EACH(nothing, view_get(v, "missing"))
		fail_msg("%d", (int)nothing->type);
	free(v);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_like_jansson),
		cmocka_unit_test(test_what_is_no_json),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
