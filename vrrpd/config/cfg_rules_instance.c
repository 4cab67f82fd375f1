/*
 * cfg_rules_instance.c - rules across the options of one instance; run by cfg_check.c in the parent.
 *
 * What VRRP itself asks for names its RFC. Reads the password file of an instance and nothing else.
 */
#include "config/cfg_int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/duration.h"

#define MTU	       1500 /* of the interface that an advert must pass unfragmented */
#define PASS_OCTETS    8    /* RFC 2338 5.3.10 */
#define PRIORITY_OWNER 255

size_t
cfg_advert_room(const struct cfg_instance *i)
{
	size_t octets = MTU - (i->family == IP_FAMILY_V6 ? 40 : 20) - 8;

	if (i->version == 2)
		octets -= PASS_OCTETS;
	return MIN(octets / ip_family_size(i->family == IP_FAMILY_V6 ? IP_FAMILY_V6 : IP_FAMILY_V4),
		   (size_t)LIMIT_ADVERT_ADDRESSES);
}

bool
cfg_address_usable(const struct ip_addr *a)
{
	static const uint8_t loopback[16] = {[15] = 1};

	if (!ip_addr_is_unicast(a))
		return false;
	return a->family == IP_FAMILY_V4 ? a->b[0] != 127 : memcmp(a->b, loopback, sizeof(loopback)) != 0;
}

/* What an option belongs to, and the remedy. */
static const char *
belongs_to(enum cfg_only only, const struct cfg_instance *i)
{
	bool vrrp = i->mode == CFG_MODE_VRRP;

	switch (only) {
	case CFG_ONLY_V2:
		return vrrp ? "VRRP version 2: remove it, or write version = 2" : "mode \"vrrp\": remove it";
	case CFG_ONLY_V3:
		return vrrp ? "VRRP version 3: remove it, or write version = 3" : "mode \"vrrp\": remove it";
	case CFG_ONLY_FOLLOW:
		return "mode \"follow\": remove it, or write mode = \"follow\"";
	case CFG_ONLY_LEASE:
		return "mode \"lease\": remove it, or write mode = \"lease\"";
	case CFG_ONLY_STORE:
		return "modes \"follow\" and \"lease\": remove it";
	case CFG_ONLY_VRRP:
	case CFG_ONLY_ALL:
		break;
	}
	return "mode \"vrrp\": remove it";
}

/* Options of another mode or version of the protocol, and required ones of this mode. */
static void
option_applies(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *instance = obj;
	const struct cfg_option *o;
	char buf[256];
	struct strbuf b;

	(void)c;
	if (cfg_source_bad(s, obj, NULL))
		return; /* it is no group */
	for (size_t k = 0; (o = cfg_option_at(k)); k++) {
		bool written, applies = cfg_option_applies(o, obj);

		if (o->scope != CFG_SCOPE_INSTANCE || o->only == CFG_ONLY_ALL || strchr(o->path, '.'))
			continue;
		written = cfg_source_written(s, obj, o->path);
		strbuf_init(&b, buf, sizeof(buf));
		cfg_option_wanted(o, &b);
		if (written && !applies)
			cfg_source_at(s, obj, o->path, -1, "belongs to %s", belongs_to(o->only, instance));
		else if (!written && applies && o->required)
			cfg_source_at(s, obj, o->path, -1, "is missing: write %s", buf);
	}
}

/* There is no VRRPv2 for IPv6. */
static void
v2_is_ipv4(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;

	(void)c;
	if (i->version == 2 && i->family == IP_FAMILY_V6)
		cfg_source_at(s, obj, "version", -1, "VRRP version 2 has no IPv6: write version = 3");
}

/* RFC 3768 5.3.7: whole seconds in one octet; RFC 9568 5.2.7: centiseconds in twelve bits. */
static void
advert_interval(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;
	char text[DURATION_TEXT];
	const char *interval = duration_format(i->advert_interval, text);

	(void)c;
	if (i->version == 2 && i->advert_interval % USEC_PER_SEC != 0)
		cfg_source_at(
			s, obj, "advert_interval", -1,
			"\"%s\" cannot be sent in VRRP version 2: write whole seconds from \"1s\" to \"255s\"",
			interval);
	else if (i->version == 3 && i->advert_interval > 4095ull * USEC_PER_CS)
		cfg_source_at(s, obj, "advert_interval", -1,
			      "\"%s\" cannot be sent in VRRP version 3: write at most \"40.95s\"", interval);
	else if (i->version == 3 && i->advert_interval % USEC_PER_CS != 0)
		cfg_source_at(s, obj, "advert_interval", -1,
			      "\"%s\" cannot be sent in VRRP version 3: write a multiple of \"10ms\"",
			      interval);
}

/* RFC 9568 5.2.4, 6.1: the owner has 255 always, and takes over always. */
static void
owner_has_no_weights(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;

	(void)c;
	for (size_t k = 0; k < i->n_tracks && i->priority == PRIORITY_OWNER; k++)
		if (i->tracks[k].has_weight)
			cfg_source_at(
				s, &i->tracks[k], "weight", -1,
				"priority 255 (owner) never changes: remove the weight, or write a priority "
				"below 255");
}

static void
owner_preempts(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;

	(void)c;
	if (i->priority == PRIORITY_OWNER && !i->preempt)
		cfg_source_at(s, obj, "preempt", -1,
			      "priority 255 (owner) always preempts: write true, or a priority below 255");
}

static void
preempt_delay_preempts(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;

	(void)c;
	if (!i->preempt && i->preempt_delay > 0)
		cfg_source_at(s, obj, "preempt_delay", -1,
			      "nothing is delayed while preempt = false: remove it, or write preempt = true");
}

/* Addresses that a host can hold, on the interface where they go. */
static void
report_unusable(struct cfg_source *s, const struct cfg_address *v, size_t n)
{
	char text[IP_ADDR_TEXT];

	for (size_t k = 0; k < n; k++) {
		const struct ip_addr *a = &v[k].prefix.addr;
		bool lo = strcmp(v[k].interface, "lo") == 0;

		if (a->family == IP_FAMILY_NONE || (lo ? ip_addr_is_unicast(a) : cfg_address_usable(a)))
			continue;
		cfg_source_at(s, &v[k], NULL, -1,
			      "%s is no unicast address of a network: write one that a host can hold",
			      ip_addr_format(a, text));
	}
}

static void
addresses_usable(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;

	(void)c;
	report_unusable(s, i->addresses, i->n_addresses);
	report_unusable(s, i->extra_addresses, i->n_extra);
}

/* RFC 9568 5.1: one virtual router, one family. */
static void
one_family(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;
	char text[IP_ADDR_TEXT];

	(void)c;
	for (size_t k = 0; k < i->n_addresses && i->mode == CFG_MODE_VRRP; k++) {
		const struct ip_addr *a = &i->addresses[k].prefix.addr;

		if (a->family == IP_FAMILY_NONE || a->family == i->family)
			continue;
		cfg_source_at(
			s, &i->addresses[k], NULL, -1,
			"%s is %s, the first address is %s: move it to extra_addresses or to another instance",
			ip_addr_format(a, text), ip_family_name(a->family), ip_family_name(i->family));
	}
}

static void
fits_packet(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;
	size_t room = cfg_advert_room(i);

	(void)c;
	if (i->mode == CFG_MODE_VRRP && i->n_addresses > room)
		cfg_source_at(s, obj, "addresses", -1,
			      "%zu addresses are advertised, one packet holds %zu of %s: move the rest to "
			      "extra_addresses "
			      "or to a second instance",
			      i->n_addresses, room, ip_family_name(i->family));
}

static void
address_count(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;

	(void)c;
	if (i->n_addresses + i->n_extra > LIMIT_ADDRESSES)
		cfg_source_at(s, obj, "extra_addresses", -1,
			      "the instance has %zu addresses: write at most %d, the rest in a second instance",
			      i->n_addresses + i->n_extra, LIMIT_ADDRESSES);
}

/* Exactly one of check and interface. */
static void
track_target(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;

	(void)c;
	for (size_t k = 0; k < i->n_tracks; k++) {
		const struct cfg_track *t = &i->tracks[k];
		bool check = cfg_source_written(s, t, "check"),
		     interface = cfg_source_written(s, t, "interface");

		if (check && interface)
			cfg_source_at(s, t, "interface", -1,
				      "stands beside check: write one of them in each entry");
		else if (!check && !interface && !cfg_source_bad(s, t, NULL))
			cfg_source_at(s, t, NULL, -1,
				      "says nothing to track: write check = \"NAME\" or interface = \"NAME\"");
	}
}

static bool
track_is_readable(const struct cfg_source *s, const struct cfg_track *t)
{
	return t->name[0] != '\0' &&
	       !(cfg_source_written(s, t, "check") && cfg_source_written(s, t, "interface"));
}

static void
unknown_check(struct cfg_source *s, const struct cfg *c, const struct cfg_track *t)
{
	const char *meant = NULL;
	unsigned best = UINT32_MAX, distance;
	char names[512] = "";
	struct strbuf b;

	strbuf_init(&b, names, sizeof(names));
	for (size_t k = 0; k < c->n_checks; k++) {
		const char *name = c->checks[k].name;

		if (strcmp(name, t->name) == 0)
			return;
		strbuf_addf(&b, "%s\"%s\"", k ? ", " : "", name);
		if (cfg_word_near(t->name, name, &distance) && distance < best) {
			best = distance;
			meant = name;
		}
	}
	if (meant)
		cfg_source_at(s, t, "check", -1, "there is no check \"%s\": did you mean \"%s\"?", t->name,
			      meant);
	else if (c->n_checks > 0)
		cfg_source_at(s, t, "check", -1,
			      "there is no check \"%s\": write one of %s, or add it to checks", t->name, names);
	else
		cfg_source_at(s, t, "check", -1, "there is no check \"%s\": add it to checks", t->name);
}

static void
track_known(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;

	if (cfg_source_bad(s, c, "checks"))
		return;
	for (size_t k = 0; k < i->n_tracks; k++)
		if (!i->tracks[k].is_interface && track_is_readable(s, &i->tracks[k]))
			unknown_check(s, c, &i->tracks[k]);
}

static void
track_once(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;

	(void)c;
	for (size_t k = 0; k < i->n_tracks; k++) {
		const struct cfg_track *t = &i->tracks[k];

		for (size_t e = 0; e < k && track_is_readable(s, t); e++) {
			if (i->tracks[e].is_interface != t->is_interface ||
			    strcmp(i->tracks[e].name, t->name) != 0 || !track_is_readable(s, &i->tracks[e]))
				continue;
			cfg_source_at(s, t, NULL, -1, "tracks %s \"%s\" a second time: remove one of the two",
				      t->is_interface ? "interface" : "check", t->name);
			break;
		}
	}
}

static void
weight_not_zero(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;

	(void)c;
	for (size_t k = 0; k < i->n_tracks; k++)
		if (i->tracks[k].has_weight && i->tracks[k].weight == 0 &&
		    !cfg_source_bad(s, &i->tracks[k], "weight"))
			cfg_source_at(s, &i->tracks[k], "weight", -1,
				      "0 changes nothing: write a number from -253 to 253, or remove it to "
				      "make the host "
				      "unfit while this is down");
}

/* Peers and source: what adverts can be sent to and from. */
static bool
unicast_address(struct cfg_source *s, const struct cfg_instance *i, const struct ip_addr *a, const char *path,
		int index)
{
	char text[IP_ADDR_TEXT];

	if (a->family == IP_FAMILY_NONE)
		return false;
	if (!cfg_address_usable(a))
		cfg_source_at(s, i, path, index, "%s is no unicast address of a host: write the address of %s",
			      ip_addr_format(a, text), index < 0 ? "this host" : "one peer");
	else if (i->family != IP_FAMILY_NONE && a->family != i->family)
		cfg_source_at(s, i, path, index, "%s is %s, the addresses are %s: write an %s address",
			      ip_addr_format(a, text), ip_family_name(a->family), ip_family_name(i->family),
			      ip_family_name(i->family));
	else
		return true;
	return false;
}

static void
unicast_addresses(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;

	(void)c;
	unicast_address(s, i, &i->unicast_source, "unicast.source", -1);
	for (size_t k = 0; k < i->n_peers; k++)
		unicast_address(s, i, &i->peers[k], "unicast.peers", (int)k);
}

static void
unicast_peers_differ(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;
	char text[IP_ADDR_TEXT];

	(void)c;
	for (size_t k = 0; k < i->n_peers; k++) {
		const struct ip_addr *peer = &i->peers[k];

		if (peer->family == IP_FAMILY_NONE)
			continue;
		if (ip_addr_equal(peer, &i->unicast_source))
			cfg_source_at(
				s, i, "unicast.peers", (int)k,
				"%s is this host's own address (unicast.source): write the other hosts only",
				ip_addr_format(peer, text));
		for (size_t e = 0; e < k; e++) {
			if (!ip_addr_equal(peer, &i->peers[e]))
				continue;
			cfg_source_at(s, i, "unicast.peers", (int)k,
				      "%s stands here twice: remove one of the two",
				      ip_addr_format(peer, text));
			break;
		}
	}
}

static void
one_password(struct cfg_source *s, struct cfg *c, void *obj)
{
	bool pass = cfg_source_written(s, obj, "auth.pass"),
	     file = cfg_source_written(s, obj, "auth.pass_file");

	(void)c;
	if (pass && file)
		cfg_source_at(s, obj, "auth.pass_file", -1, "stands beside pass: write one of them");
	else if (!pass && !file && cfg_source_written(s, obj, "auth"))
		cfg_source_at(s, obj, "auth", -1,
			      "holds no password: write pass = \"...\" or pass_file = \"/...\"");
}

/* This rule also fills auth_pass: the file is read once, with the checks that it needs. */
static void
password_file(struct cfg_source *s, struct cfg *c, void *obj)
{
	struct cfg_instance *i = obj;
	const char *wrong, *advice;
	char buf[LIMIT_SECRET + 1];

	(void)c;
	if (!i->auth_pass_file || i->auth_pass)
		return;
	wrong = cfg_read_password(i->auth_pass_file, buf, sizeof(buf), &advice);
	if (wrong)
		cfg_source_at(s, obj, "auth.pass_file", -1, "\"%s\" cannot be used: %s: %s", i->auth_pass_file,
			      wrong, advice);
	else
		i->auth_pass = cfg_strdup(buf);
	explicit_bzero(buf, sizeof(buf));
}

static void
password_length(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_instance *i = obj;

	(void)c;
	if (i->auth_pass && strlen(i->auth_pass) > PASS_OCTETS)
		cfg_source_at(s, obj, i->auth_pass_file ? "auth.pass_file" : "auth.pass", -1,
			      "the password is longer than the %d octets of a packet: write its first %d only "
			      "(keepalived "
			      "cuts it there by itself)",
			      PASS_OCTETS, PASS_OCTETS);
}

static const struct cfg_rule rules[] = {
	{"option_applies", CFG_SCOPE_INSTANCE, {"version", "mode"}, option_applies},
	{"v2_is_ipv4", CFG_SCOPE_INSTANCE, {"version"}, v2_is_ipv4},
	{"advert_interval", CFG_SCOPE_INSTANCE, {"version", "advert_interval"}, advert_interval},
	{"owner_has_no_weights", CFG_SCOPE_INSTANCE, {"priority"}, owner_has_no_weights},
	{"owner_preempts", CFG_SCOPE_INSTANCE, {"priority", "preempt"}, owner_preempts},
	{"preempt_delay_preempts", CFG_SCOPE_INSTANCE, {"preempt", "preempt_delay"}, preempt_delay_preempts},
	{"addresses_usable", CFG_SCOPE_INSTANCE, {NULL}, addresses_usable},
	{"one_family", CFG_SCOPE_INSTANCE, {"addresses"}, one_family},
	{"fits_packet", CFG_SCOPE_INSTANCE, {"version", "addresses"}, fits_packet},
	{"address_count", CFG_SCOPE_INSTANCE, {"addresses", "extra_addresses"}, address_count},
	{"track_target", CFG_SCOPE_INSTANCE, {"track"}, track_target},
	{"track_known", CFG_SCOPE_INSTANCE, {"track"}, track_known},
	{"track_once", CFG_SCOPE_INSTANCE, {"track"}, track_once},
	{"weight_not_zero", CFG_SCOPE_INSTANCE, {"track"}, weight_not_zero},
	{"unicast_addresses", CFG_SCOPE_INSTANCE, {NULL}, unicast_addresses},
	{"unicast_peers_differ", CFG_SCOPE_INSTANCE, {NULL}, unicast_peers_differ},
	{"one_password", CFG_SCOPE_INSTANCE, {"auth"}, one_password},
	{"password_file", CFG_SCOPE_INSTANCE, {"auth.pass_file"}, password_file},
	{"password_length", CFG_SCOPE_INSTANCE, {"auth.pass", "auth.pass_file"}, password_length},
};

const struct cfg_rule *
cfg_rules_instance(size_t i)
{
	return i < ARRAY_SIZE(rules) ? &rules[i] : NULL;
}
