/*
 * role.c - names and sentences of states, reasons and actions; see role.h.
 *
 * Used by every process. Pure.
 */
#include "base/role.h"

#include <stdbool.h>
#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"

static const char *const state_names[ROLE_STATE_COUNT] = {
	[ROLE_STATE_INITIALIZE] = "initialize",
	[ROLE_STATE_BACKUP] = "backup",
	[ROLE_STATE_ACTIVE] = "active",
	[ROLE_STATE_FAULT] = "fault",
};

static const char *const action_names[ROLE_ACTION_COUNT] = {
	[ROLE_ACTION_STATE] = "state",	     [ROLE_ACTION_ACQUIRE] = "acquire", [ROLE_ACTION_ADVERT] = "advert",
	[ROLE_ACTION_ANNOUNCE] = "announce", [ROLE_ACTION_RELEASE] = "release",
	[ROLE_ACTION_ASK] = "ask",
};

static const char *const ask_names[ROLE_ASK_COUNT] = {
	[ROLE_ASK_NOTHING] = "nothing",
	[ROLE_ASK_ENTER] = "enter",
	[ROLE_ASK_LEASE] = "lease",
	[ROLE_ASK_LEAVE] = "leave",
};

static const struct {
	const char *label;
	const char *text;
} reasons[ROLE_REASON_COUNT] = {
#define X(name, label, text) [ROLE_REASON_##name] = {label, text},
	ROLE_REASONS(X)
#undef X
};

const char *
role_state_name(enum role_state s)
{
	ASSERT(s < ROLE_STATE_COUNT);
	return state_names[s];
}

const char *
role_reason_label(enum role_reason r)
{
	ASSERT(r < ROLE_REASON_COUNT);
	return reasons[r].label;
}

const char *
role_action_name(enum role_action_kind k)
{
	ASSERT(k < ROLE_ACTION_COUNT);
	return action_names[k];
}

const char *
role_ask_name(enum role_ask a)
{
	ASSERT(a < ROLE_ASK_COUNT);
	return ask_names[a];
}

/* Append the value of one placeholder; `word` is the text between the braces. */
static void
add_placeholder(struct strbuf *s, const struct role_cause *c, const char *word, size_t len)
{
	char addr[IP_ADDR_TEXT];

	if (len == 4 && memcmp(word, "addr", 4) == 0)
		strbuf_addf(s, "%s", ip_addr_format(&c->addr, addr));
	else if (len == 4 && memcmp(word, "name", 4) == 0)
		strbuf_addf(s, "%.*s", (int)strnlen(c->name, sizeof(c->name)), c->name);
	else if (len == 2 && memcmp(word, "ms", 2) == 0)
		strbuf_addf(s, "%llu", (unsigned long long)(c->a / USEC_PER_MS));
	else if (len == 5 && memcmp(word, "errno", 5) == 0)
		strbuf_addf(s, "%s", strerrordesc_np((int)c->b) ? strerrordesc_np((int)c->b) : "unknown error");
	else if (len == 1 && word[0] == 'a')
		strbuf_addf(s, "%llu", (unsigned long long)c->a);
	else if (len == 1 && word[0] == 'b')
		strbuf_addf(s, "%u", c->b);
	else
		assert_fail("known placeholder", __FILE__, __LINE__);
}

const char *
role_cause_text(const struct role_cause *c, char *buf, size_t size)
{
	const char *p;
	struct strbuf s;

	ASSERT(c->reason < ROLE_REASON_COUNT);
	strbuf_init(&s, buf, size);
	p = reasons[c->reason].text;
	while (*p != '\0') {
		const char *end = *p == '{' ? strchr(p, '}') : NULL;
		size_t plain;

		if (end != NULL) {
			add_placeholder(&s, c, p + 1, (size_t)(end - p - 1));
			p = end + 1;
			continue;
		}
		plain = strcspn(p, "{");
		strbuf_addf(&s, "%.*s", (int)plain, p);
		p += plain;
	}
	return buf;
}

/* What {a} and {b} of a sentence count. */
static const struct {
	const char *a, *b;
} counted[ROLE_REASON_COUNT] = {
	[ROLE_REASON_PREEMPT] = {"own_priority", "priority"},
	[ROLE_REASON_HIGHER_PRIORITY] = {"own_priority", "priority"},
	[ROLE_REASON_HIGHER_ADDRESS] = {"own_priority", NULL},
	[ROLE_REASON_CONNECTIONS_RESET] = {"connections", NULL},
	[ROLE_REASON_SERVICES_FAILED] = {"failures", NULL},
	[ROLE_REASON_SERVICE_TROUBLE] = {NULL, "failures"},
	[ROLE_REASON_HOOK_ENDED] = {NULL, "status"},
	[ROLE_REASON_HOOK_KILLED] = {NULL, "signal"},
};

static bool
is_word(const char *p, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(p, word, len) == 0;
}

static const char *
or_else(const char *key, const char *other)
{
	return key != NULL ? key : other;
}

unsigned
role_cause_figures(const struct role_cause *c, char addr[IP_ADDR_TEXT], struct role_figure ret[ROLE_FIGURES_MAX])
{
	const char *p = reasons[c->reason].text;
	unsigned n = 0;

	while ((p = strchr(p, '{')) != NULL && n < ROLE_FIGURES_MAX) {
		struct role_figure *f = &ret[n++];
		size_t len = strcspn(++p, "}");

		if (is_word(p, len, "addr"))
			*f = (struct role_figure){.key = "address", .text = ip_addr_format(&c->addr, addr)};
		else if (is_word(p, len, "name"))
			*f = (struct role_figure){.key = "name", .text = c->name};
		else if (is_word(p, len, "ms"))
			*f = (struct role_figure){.key = "ms", .number = c->a / USEC_PER_MS};
		else if (is_word(p, len, "errno"))
			*f = (struct role_figure){.key = "error",
						  .text = or_else(strerrordesc_np((int)c->b), "unknown error")};
		else if (is_word(p, len, "a"))
			*f = (struct role_figure){.key = or_else(counted[c->reason].a, "a"), .number = c->a};
		else
			*f = (struct role_figure){.key = or_else(counted[c->reason].b, "b"), .number = c->b};
	}
	return n;
}

struct role_action *
role_actions_add(struct role_actions *out, enum role_action_kind kind)
{
	struct role_action *a;

	ASSERT(out->n < ROLE_ACTIONS_MAX);
	a = &out->v[out->n++];
	*a = (struct role_action){.kind = (uint8_t)kind};
	return a;
}
