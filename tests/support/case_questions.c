/*
 * case_questions.c - the questions of a case ("= state active"): what the instance is asked, and the answer wanted.
 *
 * Called by case_run.c. A wrong answer leaves what it is in w->complaint.
 */
#include "support/case_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "support/case_packets.h"
#include "support/case_world.h"

static bool
answer_number(struct case_world *w, unsigned long got, const char *want)
{
	snprintf(w->complaint, sizeof(w->complaint), "it is %lu", got);
	return strtoul(want, NULL, 10) == got && want[0] >= '0' && want[0] <= '9';
}

static bool
answer_text(struct case_world *w, const char *got, const char *want)
{
	snprintf(w->complaint, sizeof(w->complaint), "it is %s", got);
	return strcmp(got, want) == 0;
}

static bool
ask_text(struct case_world *w, int n, char **words)
{
	const struct elect *e = &w->e;

	(void)n;
	if (strcmp(words[0], "state") == 0)
		return answer_text(w, role_state_name((enum role_state)e->state), words[1]);
	if (strcmp(words[0], "cause") == 0)
		return answer_text(w, role_reason_label((enum role_reason)e->cause.reason), words[1]);
	if (strcmp(words[0], "acquiring") == 0)
		return answer_text(w, e->vrrp.acquiring || e->follow.acquiring ? "yes" : "no", words[1]);
	if (strcmp(words[0], "leaving") == 0)
		return answer_text(w, elect_leaving(e) ? "yes" : "no", words[1]);
	if (strcmp(words[0], "holds") == 0)
		return answer_text(w, elect_holds(e) ? "yes" : "no", words[1]);
	if (strcmp(words[0], "drained") == 0)
		return answer_text(w, e->override.drained ? "yes" : "no", words[1]);
	if (strcmp(words[0], "campaigns") == 0)
		return answer_text(w, elect_campaigns(e) ? "yes" : "no", words[1]);
	if (strcmp(words[0], "disputes") == 0)
		return answer_text(w, elect_disputes(e) ? "yes" : "no", words[1]);
	return answer_text(w, vrrp_checksum_form_name((enum vrrp_checksum_form)e->form), words[1]);
}

static bool
ask_number(struct case_world *w, int n, char **words)
{
	const struct elect *e = &w->e;
	unsigned long peers = 0;

	(void)n;
	if (strcmp(words[0], "priority") == 0)
		return answer_number(w, e->priority, words[1]);
	if (strcmp(words[0], "learned") == 0)
		return answer_number(w, e->vrrp.active_adver_int_cs, words[1]);
	if (strcmp(words[0], "transitions") == 0)
		return answer_number(w, e->transitions, words[1]);
	for (size_t i = 0; i < LIMIT_HEARD_PEERS; i++)
		peers += e->peers[i].addr.family != IP_FAMILY_NONE;
	return answer_number(w, peers, words[1]);
}

static bool
ask_deadline(struct case_world *w, int n, char **words)
{
	mono_t deadline = elect_deadline(&w->e);
	uint64_t us;
	char buf[32];

	(void)n;
	if (deadline.us == MONO_NEVER.us)
		return answer_text(w, "never", words[1]);
	answer_text(w, case_time_format(deadline.us - w->manner->base_us, buf, sizeof(buf)), "");
	return case_time_parse(words[1] + (words[1][0] == '@'), &us) == 0 &&
	       us == deadline.us - w->manner->base_us;
}

/* may_resume AGO yes|no */
static bool
ask_may_resume(struct case_world *w, int n, char **words)
{
	usec_t ago;

	(void)n;
	return case_time_parse(words[1], &ago) == 0 &&
	       answer_text(w, elect_may_resume(&w->conf, ago) ? "yes" : "no", words[2]);
}

static bool
ask_active_peer(struct case_world *w, int n, char **words)
{
	const struct elect_peer *p = elect_active_peer(&w->e, w->now);
	struct ip_addr want, none = {0};
	char buf[IP_ADDR_TEXT];

	(void)n;
	snprintf(w->complaint, sizeof(w->complaint), "it is %s", ip_addr_format(p ? &p->addr : &none, buf));
	return case_words_addr(w, words[1], &want) && ip_addr_equal(p ? &p->addr : &none, &want);
}

/* peer ADDRESS priority N interval N form F */
static bool
ask_peer(struct case_world *w, int n, char **words)
{
	struct ip_addr addr;
	char got[64], want[64];

	if (n != 8 || !case_words_addr(w, words[1], &addr))
		return false;
	snprintf(want, sizeof(want), "%s %s %s", words[3], words[5], words[7]);
	for (size_t i = 0; i < LIMIT_HEARD_PEERS; i++) {
		const struct elect_peer *p = &w->e.peers[i];

		if (!ip_addr_equal(&p->addr, &addr))
			continue;
		snprintf(got, sizeof(got), "%u %u %s", p->priority, p->adver_int_cs,
			 vrrp_checksum_form_name((enum vrrp_checksum_form)p->form));
		return answer_text(w, got, want);
	}
	snprintf(w->complaint, sizeof(w->complaint), "never heard");
	return false;
}

/* sent VECTOR|HEX: octets of the last advert with its IP header; the header checksum is the kernel's. */
static bool
ask_sent(struct case_world *w, int n, char **words)
{
	uint8_t want[2048];
	int len = case_packets_octets(n - 1, words + 1, want, sizeof(want));
	size_t at = 0;

	if (len < 20)
		return false;
	if (want[0] >> 4 == 4)
		want[10] = want[11] = 0;
	for (size_t i = 0; i < w->sent_len && at < sizeof(w->complaint) - 8; i++)
		at += (size_t)snprintf(w->complaint + at, sizeof(w->complaint) - at, "%02x%s", w->sent[i],
				       i % 2 ? " " : "");
	return (size_t)len == w->sent_len && memcmp(want, w->sent, w->sent_len) == 0;
}

/* count NAME N: packets received, counted as the shell does it. */
static bool
ask_count(struct case_world *w, int n, char **words)
{
	const struct {
		const char *name;
		unsigned value;
	} rows[] = {
		{"received", w->received},
		{"priority_zero", w->priority_zero},
		{"interval_differs", w->interval_differs},
		{"addresses_differ", w->addresses_differ},
		{"first_not_link_local", w->first_not_link_local},
	};
	enum vrrp_drop drop;

	(void)n;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(words[1], rows[i].name) == 0)
			return answer_number(w, rows[i].value, words[2]);
	return case_packets_drop(words[1], &drop) && answer_number(w, w->drops[drop], words[2]);
}

/* Why an override would be refused. */
static bool
ask_refusal(struct case_world *w, int n, char **words)
{
	static const char *const names[ELECT_REFUSAL_COUNT] = {
		[ELECT_REFUSAL_NONE] = "none",	     [ELECT_REFUSAL_MODE] = "mode",
		[ELECT_REFUSAL_OWNER] = "owner",     [ELECT_REFUSAL_DRAINED] = "drained",
		[ELECT_REFUSAL_UNFIT] = "unfit",     [ELECT_REFUSAL_OUTRANKED] = "outranked",
	};
	struct role_cause cause = {0};
	bool takeover = strcmp(words[0], "may_take_over") == 0;
	enum elect_refusal r = takeover ? elect_may_take_over(&w->e, w->now, &cause) : elect_may_set_priority(&w->e);
	char addr[IP_ADDR_TEXT], got[64];

	if (!answer_text(w, names[r], words[1]))
		return false;
	if (n == 2)
		return true;
	if (r == ELECT_REFUSAL_OUTRANKED)
		snprintf(got, sizeof(got), "%s %u", ip_addr_format(&cause.addr, addr), cause.b);
	else
		snprintf(got, sizeof(got), "%s", role_reason_label((enum role_reason)cause.reason));
	snprintf(w->complaint, sizeof(w->complaint), "it is %s", got);
	return strncmp(got, words[2], strlen(words[2])) == 0;
}

static const struct case_word questions[] = {
	{"may_take_over", 2, 3, ask_refusal}, {"may_set_priority", 2, 2, ask_refusal},
	{"campaigns", 2, 2, ask_text},	  {"disputes", 2, 2, ask_text},
	{"state", 2, 2, ask_text},	  {"cause", 2, 2, ask_text},
	{"acquiring", 2, 2, ask_text},	  {"form", 2, 2, ask_text},
	{"priority", 2, 2, ask_number},	  {"learned", 2, 2, ask_number},
	{"peers", 2, 2, ask_number},	  {"transitions", 2, 2, ask_number},
	{"deadline", 2, 2, ask_deadline}, {"active_peer", 2, 2, ask_active_peer},
	{"peer", 8, 8, ask_peer},	  {"sent", 2, CASE_WORDS_MAX, ask_sent},
	{"count", 3, 3, ask_count},	  {"may_resume", 3, 3, ask_may_resume},
	{"leaving", 2, 2, ask_text},	  {"holds", 2, 2, ask_text},
	{"drained", 2, 2, ask_text},
};

bool
case_words_ask(struct case_world *w, int n, char **words)
{
	return case_words_do(w, n, words, questions, ARRAY_SIZE(questions));
}
