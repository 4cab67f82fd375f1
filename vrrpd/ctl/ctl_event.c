/*
 * ctl_event.c - transitions as lines; see ctl_event.h.
 *
 * Runs in vrrpctl.
 */
#include "ctl/ctl_event.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/ctl_doc.h"
#include "ctl/ctl_out.h"

json_t *
event_list(const char *text, size_t len)
{
	const char *end = text + len;
	json_t *list = json_array();

	while (text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		json_t *e;

		if (eol == NULL)
			eol = end;
		e = json_loadb(text, (size_t)(eol - text), 0, NULL);
		if (json_is_string(json_object_get(e, "instance")))
			json_array_append(list, e);
		json_decref(e);
		text = eol + 1;
	}
	return list;
}

/* "2024-05-01T12:00:00.123Z" as local time, "2024-05-01 14:00:00.123"; as it is when it is something else. */
static const char *
local_time(const char *utc, bool brief, char *buf, size_t size)
{
	struct tm tm = {0}, today;
	const char *rest = strptime(utc, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t t, now = time(NULL);
	char clock[64];

	if (rest == NULL || strlen(rest) != 5)
		return utc;
	t = timegm(&tm);
	localtime_r(&t, &tm);
	localtime_r(&now, &today);
	brief = brief && tm.tm_year == today.tm_year && tm.tm_yday == today.tm_yday;
	strftime(clock, sizeof(clock), brief ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(buf, size, "%s%.4s", clock, rest);
	return buf;
}

void
event_print(const struct ctl *c, const json_t *e, bool brief)
{
	const char *from = doc_text(e, "from"), *to = doc_text(e, "to");
	char when[96];

	out_text(c, OUT_PLAIN, local_time(doc_text(e, "time"), brief, when, sizeof(when)));
	out_spaces(c, 2);
	out_text(c, OUT_PLAIN, doc_text(e, "instance"));
	out_spaces(c, 2);
	if (strcmp(from, to) != 0) {
		out_text(c, OUT_PLAIN, from);
		out_text(c, OUT_PLAIN, " -> ");
	}
	out_text(c, strcmp(to, "fault") == 0 ? OUT_RED : strcmp(to, "active") == 0 ? OUT_GREEN : OUT_PLAIN, to);
	out_spaces(c, 2);
	out_text(c, OUT_PLAIN, doc_text(e, "text"));
	fputc('\n', c->out);
}
