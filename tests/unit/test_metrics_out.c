/*
 * test_metrics_out.c - Prometheus' text format, octet by octet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/metrics_out.h"
#include "base/macros.h"

struct text {
	struct metrics_out o;
	char *data;
	size_t len;
};

static void
begin(struct text *t)
{
	*t = (struct text){0};
	t->o.f = open_memstream(&t->data, &t->len);
	assert_non_null(t->o.f);
}

static void
ends_as(struct text *t, const char *want)
{
	assert_int_equal(fclose(t->o.f), 0);
	assert_string_equal(t->data, want);
	free(t->data);
}

static void
test_samples(void **state)
{
	struct text t;

	(void)state;
	begin(&t);
	metrics_family(&t.o, METRICS_COUNTER, "vrrpd_x_total", "Help.");
	metrics_uint(&t.o, UINT64_MAX, NULL);
	metrics_uint(&t.o, 0, "instance", "pg", "reason", "ttl", NULL);
	metrics_family(&t.o, METRICS_GAUGE, "vrrpd_y", "More help.");
	metrics_bool(&t.o, true, "a", "", NULL);
	metrics_bool(&t.o, false, NULL);
	metrics_seconds(&t.o, 1, NULL);
	metrics_seconds(&t.o, 61 * USEC_PER_SEC, "a", "b", NULL);
	metrics_text(&t.o, "90.5", NULL);
	ends_as(&t, "# HELP vrrpd_x_total Help.\n# TYPE vrrpd_x_total counter\n"
		    "vrrpd_x_total 18446744073709551615\nvrrpd_x_total{instance=\"pg\",reason=\"ttl\"} 0\n"
		    "# HELP vrrpd_y More help.\n# TYPE vrrpd_y gauge\n"
		    "vrrpd_y{a=\"\"} 1\nvrrpd_y 0\nvrrpd_y 0.000001\nvrrpd_y{a=\"b\"} 61.000000\nvrrpd_y 90.5\n");
}

/* Quotes, backslashes and new lines are escaped, characters stay, what is no UTF-8 becomes '?'. */
static void
test_odd_label_values(void **state)
{
	struct text t;

	(void)state;
	begin(&t);
	metrics_family(&t.o, METRICS_GAUGE, "x", "y");
	metrics_uint(&t.o, 1, "a", "\"\\\n\t{}=,", "b", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98", NULL);
	metrics_uint(&t.o, 2, "a", "\xff", "b", "\xc3", "c", "\xed\xa0\x80" "x", "d", "\xc0\xaf", NULL);
	ends_as(&t, "# HELP x y\n# TYPE x gauge\n"
		    "x{a=\"\\\"\\\\\\n\t{}=,\",b=\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98\"} 1\n"
		    "x{a=\"?\",b=\"?\",c=\"???x\",d=\"??\"} 2\n");
}

static void
test_histogram(void **state)
{
	static const uint64_t bounds[] = {100, 1000, 5000000, 0}, buckets[] = {1, 0, 2, 4};
	struct text t;

	(void)state;
	begin(&t);
	metrics_family(&t.o, METRICS_HISTOGRAM, "vrrpd_h_seconds", "H.");
	metrics_buckets(&t.o, bounds, buckets, ARRAY_SIZE(bounds), 1234567, "check", "a\"b", NULL);
	metrics_buckets(&t.o, bounds, buckets, ARRAY_SIZE(bounds), 0, NULL);
	ends_as(&t, "# HELP vrrpd_h_seconds H.\n# TYPE vrrpd_h_seconds histogram\n"
		    "vrrpd_h_seconds_bucket{check=\"a\\\"b\",le=\"0.0001\"} 1\n"
		    "vrrpd_h_seconds_bucket{check=\"a\\\"b\",le=\"0.001\"} 1\n"
		    "vrrpd_h_seconds_bucket{check=\"a\\\"b\",le=\"5\"} 3\n"
		    "vrrpd_h_seconds_bucket{check=\"a\\\"b\",le=\"+Inf\"} 7\n"
		    "vrrpd_h_seconds_sum{check=\"a\\\"b\"} 1.234567\nvrrpd_h_seconds_count{check=\"a\\\"b\"} 7\n"
		    "vrrpd_h_seconds_bucket{le=\"0.0001\"} 1\nvrrpd_h_seconds_bucket{le=\"0.001\"} 1\n"
		    "vrrpd_h_seconds_bucket{le=\"5\"} 3\nvrrpd_h_seconds_bucket{le=\"+Inf\"} 7\n"
		    "vrrpd_h_seconds_sum 0.000000\nvrrpd_h_seconds_count 7\n");
}

static void
test_summary(void **state)
{
	struct text t;

	(void)state;
	begin(&t);
	metrics_family(&t.o, METRICS_SUMMARY, "vrrpd_s_seconds", "S.");
	metrics_sum(&t.o, 3, 4500000, "instance", "pg", "store", "etcd3", NULL);
	ends_as(&t, "# HELP vrrpd_s_seconds S.\n# TYPE vrrpd_s_seconds summary\n"
		    "vrrpd_s_seconds_sum{instance=\"pg\",store=\"etcd3\"} 4.500000\n"
		    "vrrpd_s_seconds_count{instance=\"pg\",store=\"etcd3\"} 3\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_odd_label_values),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_summary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
