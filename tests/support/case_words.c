/*
 * case_words.c - values and settings of a case; see case_words.h and tests/cases/README.md.
 */
#include "support/case_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "support/case_packets.h"

const char *const case_words_links[ELECT_LINK_COUNT] = {
	[ELECT_LINK_MISSING] = "missing",
	[ELECT_LINK_DOWN] = "down",
	[ELECT_LINK_NO_CARRIER] = "no_carrier",
	[ELECT_LINK_UP] = "up",
};

static const struct {
	const char *word;
	int err;
} errno_words[] = {
	{"ok", 0},
	{"EEXIST", EEXIST},
	{"ENODEV", ENODEV},
	{"ENOBUFS", ENOBUFS},
	{"ENETDOWN", ENETDOWN},
	{"EPERM", EPERM},
	{"EINVAL", EINVAL},
	{"ENOMEM", ENOMEM},
	{"ENETUNREACH", ENETUNREACH},
};

/* ---- values ---- */

bool
case_words_number(const char *text, long min, long max, long *ret)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (*end != '\0' || end == text || v < min || v > max)
		return false;
	*ret = v;
	return true;
}

static bool
parse_switch(const char *text, bool *ret)
{
	*ret = strcmp(text, "on") == 0;
	return *ret || strcmp(text, "off") == 0;
}

bool
case_words_choice(const char *text, const char *const *choices, size_t n, uint8_t *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(text, choices[i]) == 0) {
			*ret = (uint8_t)i;
			return true;
		}
	}
	return false;
}

bool
case_words_errno(const char *text, int *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(errno_words); i++) {
		if (strcmp(text, errno_words[i].word) == 0) {
			*ret = errno_words[i].err;
			return true;
		}
	}
	return false;
}

/* An address, "none", or one of the three letters: S below us, T above us, SELF. */
bool
case_words_addr(const struct case_world *w, const char *text, struct ip_addr *ret)
{
	bool v6 = w->codec.family == IP_FAMILY_V6;

	if (strcmp(text, "none") == 0) {
		*ret = (struct ip_addr){0};
		return true;
	}
	if (strcmp(text, "SELF") == 0)
		text = v6 ? "fe80::20" : "192.0.2.20";
	else if (strcmp(text, "S") == 0)
		text = v6 ? "fe80::a" : "192.0.2.10";
	else if (strcmp(text, "T") == 0)
		text = v6 ? "fe80::30" : "192.0.2.30";
	return ip_addr_parse(text, ret) == 0;
}

/* Addresses with commas between; their number, or -1. */
int
case_words_addrs(const struct case_world *w, char *text, struct ip_addr *ret)
{
	char *save = NULL;
	int n = 0;

	for (char *p = strtok_r(text, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		if (n == CASE_ADDRS || !case_words_addr(w, p, &ret[n]))
			return -1;
		n++;
	}
	return n;
}

/* ---- settings ---- */

static bool
set_family(struct case_world *w, long family)
{
	bool v6 = family == 6;

	w->codec.family = (uint8_t)family;
	w->codec.n_addrs = v6 ? 2 : 1;
	ip_addr_parse(v6 ? "fe80::1" : "192.0.2.1", &w->addrs[0]);
	ip_addr_parse("2001:db8::1", &w->addrs[1]);
	return case_words_addr(w, "SELF", &w->first_source);
}

static bool
setting_number(struct case_world *w, int n, char **words)
{
	long v;

	(void)n;
	if (!case_words_number(words[1], 0, 65535, &v))
		return false;
	if (strcmp(words[0], "version") == 0)
		w->conf.vrrp.version = (uint8_t)v;
	else if (strcmp(words[0], "vrid") == 0)
		w->codec.vrid = (uint8_t)v;
	else if (strcmp(words[0], "priority") == 0)
		w->conf.priority = (uint8_t)v;
	else if (strcmp(words[0], "interval") == 0)
		w->conf.vrrp.adver_int_cs = (uint16_t)v;
	else if (strcmp(words[0], "down_adverts") == 0)
		w->conf.vrrp.down_adverts = (uint8_t)v;
	else if (strcmp(words[0], "ttl_min") == 0)
		w->codec.ttl_min = (uint8_t)v;
	else
		return (v == 4 || v == 6) && set_family(w, v);
	return true;
}

static bool
setting_switch(struct case_world *w, int n, char **words)
{
	bool on;

	(void)n;
	if (!parse_switch(words[1], &on))
		return false;
	if (strcmp(words[0], "preempt") == 0)
		w->conf.vrrp.preempt = on;
	else if (strcmp(words[0], "align") == 0)
		w->conf.vrrp.align = on;
	else if (strcmp(words[0], "arbiter") == 0)
		w->conf.arbiter = on;
	else
		w->codec.strict_addresses = on;
	return true;
}

static bool
setting_delay(struct case_world *w, int n, char **words)
{
	usec_t *delay = strcmp(words[0], "start_delay") == 0 ? &w->conf.start_delay_us
			: strcmp(words[0], "gate") == 0	     ? &w->conf.enter_us
			: strcmp(words[0], "services") == 0  ? &w->conf.leave_us
							     : &w->conf.vrrp.preempt_delay_us;

	(void)n;
	return case_time_parse(words[1], delay) == 0;
}

static bool
setting_checksum(struct case_world *w, int n, char **words)
{
	static const char *const choices[ELECT_CHECKSUM_COUNT] = {"auto", "rfc9568", "rfc5798"};

	(void)n;
	return case_words_choice(words[1], choices, ELECT_CHECKSUM_COUNT, &w->conf.checksum);
}

static bool
setting_mode(struct case_world *w, int n, char **words)
{
	static const char *const modes[ELECT_MODE_COUNT] = {"vrrp", "follow", "lease"};

	(void)n;
	return case_words_choice(words[1], modes, ELECT_MODE_COUNT, &w->conf.mode);
}

static bool
setting_store_loss(struct case_world *w, int n, char **words)
{
	static const char *const choices[ELECT_STORE_LOSS_COUNT] = {"hold_lease", "release", "hold", "patroni"};

	(void)n;
	return case_words_choice(words[1], choices, ELECT_STORE_LOSS_COUNT, &w->conf.on_store_loss);
}

static bool
setting_addresses(struct case_world *w, int n, char **words)
{
	int got = case_words_addrs(w, words[1], w->addrs);

	(void)n;
	w->codec.n_addrs = (uint16_t)got;
	return got > 0;
}

static bool
setting_unicast(struct case_world *w, int n, char **words)
{
	int got = case_words_addrs(w, words[1], w->peers);

	(void)n;
	w->codec.unicast = true;
	w->codec.n_peers = (uint16_t)got;
	return got > 0;
}

static bool
setting_link(struct case_world *w, int n, char **words)
{
	(void)n;
	return case_words_choice(words[1], case_words_links, ELECT_LINK_COUNT, &w->first_link);
}

static bool
setting_source(struct case_world *w, int n, char **words)
{
	(void)n;
	return case_words_addr(w, words[1], &w->first_source);
}

static bool
setting_pass(struct case_world *w, int n, char **words)
{
	(void)n;
	w->codec.has_auth = true;
	memcpy(w->codec.auth, words[1], strnlen(words[1], VRRP_AUTH_SIZE));
	return true;
}

/* track check|interface NAME [weight N] [inverted] */
static bool
setting_track(struct case_world *w, int n, char **words)
{
	struct elect_track_conf *t = &w->conf.tracks[w->conf.n_tracks];
	long weight = 0;

	t->inverted = (n == 4 || n == 6) && strcmp(words[n - 1], "inverted") == 0;
	n -= t->inverted;
	if (w->conf.n_tracks == LIMIT_TRACKS || n == 4 || n == 6)
		return false;
	t->is_interface = strcmp(words[1], "interface") == 0;
	if (!t->is_interface && strcmp(words[1], "check") != 0)
		return false;
	str_copy(t->name, sizeof(t->name), words[2]);
	t->has_weight = n == 5;
	if (n == 5 && (strcmp(words[3], "weight") != 0 || !case_words_number(words[4], -253, 253, &weight)))
		return false;
	t->weight = (int16_t)weight;
	w->conf.n_tracks++;
	return true;
}

/* acquire now | manual | after D | fail ERRNO */
bool
case_words_acquire(struct case_world *w, int n, char **words)
{
	w->acquire_manual = false;
	w->acquire_after = 0;
	w->acquire_err = 0;
	if (n == 2 && strcmp(words[1], "manual") == 0)
		w->acquire_manual = true;
	else if (n == 3 && strcmp(words[1], "after") == 0)
		return case_time_parse(words[2], &w->acquire_after) == 0;
	else if (n == 3 && strcmp(words[1], "fail") == 0)
		return case_words_errno(words[2], &w->acquire_err);
	else
		return n == 2 && strcmp(words[1], "now") == 0;
	return true;
}

static const struct case_word settings[] = {
	{"version", 2, 2, setting_number},	{"family", 2, 2, setting_number},
	{"vrid", 2, 2, setting_number},		{"priority", 2, 2, setting_number},
	{"interval", 2, 2, setting_number},	{"down_adverts", 2, 2, setting_number},
	{"ttl_min", 2, 2, setting_number},	{"preempt", 2, 2, setting_switch},
	{"align", 2, 2, setting_switch},	{"strict_addresses", 2, 2, setting_switch},
	{"preempt_delay", 2, 2, setting_delay}, {"start_delay", 2, 2, setting_delay},
	{"gate", 2, 2, setting_delay},	      {"services", 2, 2, setting_delay},
	{"arbiter", 2, 2, setting_switch},
	{"mode", 2, 2, setting_mode},		{"on_store_loss", 2, 2, setting_store_loss},
	{"checksum", 2, 2, setting_checksum},	{"addresses", 2, 2, setting_addresses},
	{"unicast", 2, 2, setting_unicast},	{"link", 2, 2, setting_link},
	{"source", 2, 2, setting_source},	{"pass", 2, 2, setting_pass},
	{"track", 3, 6, setting_track},		{"acquire", 2, 3, case_words_acquire},
};

void
case_words_defaults(struct case_world *w)
{
	w->conf = (struct elect_conf){
		.name = "vr",
		.ifname = "eth0",
		.mode = ELECT_MODE_VRRP,
		.priority = 100,
		.checksum = ELECT_CHECKSUM_AUTO,
		.vrrp = {.version = 3, .down_adverts = 3, .preempt = true, .adver_int_cs = 100},
	};
	w->codec = (struct vrrp_codec){.vrid = 51, .ttl_min = VRRP_TTL};
	w->first_link = ELECT_LINK_UP;
	set_family(w, 4);
}

void
case_words_finish(struct case_world *w)
{
	w->codec.version = w->conf.vrrp.version;
	w->codec.adver_int_cs = w->conf.vrrp.adver_int_cs;
	w->codec.owner = w->conf.priority == VRRP_PRIORITY_OWNER;
	w->codec.addrs = w->addrs;
	w->codec.peers = w->peers;
}

/* ---- tables of words ---- */

bool
case_words_do(struct case_world *w, int n, char **words, const struct case_word *table, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (strcmp(words[0], table[i].word) == 0)
			return n >= table[i].n_min && n <= table[i].n_max && table[i].fn(w, n, words);
	return false;
}

bool
case_words_setting(struct case_world *w, int n, char **words)
{
	return case_words_do(w, n, words, settings, ARRAY_SIZE(settings));
}
