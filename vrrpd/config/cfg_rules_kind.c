/*
 * cfg_rules_kind.c - rules of the options that one kind of check has; run by cfg_check.c in the parent.
 *
 * What the agent later takes for granted is checked here: forms of addresses and words, options that belong
 * together, and files with secrets, which are read here because the agent may not.
 */
#include "config/cfg_int.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/duration.h"

#define KEY_OCTETS LIMIT_OPTION_TEXT
#define URL_OCTETS                                                                                             \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?#[]@!$&'()*+,;=%" /* RFC 3986 */

/* "address:port", "[address]:port", or the path of a Unix socket. */
static bool
is_endpoint(const char *text)
{
	struct ip_addr addr;
	uint16_t port;

	return text[0] == '/' || cfg_listen_parse(text, &addr, &port) == 0;
}

void
cfg_rule_endpoint(struct cfg_source *s, const void *obj, const char *path, int index, const char *text)
{
	if (text != NULL && !is_endpoint(text))
		cfg_source_at(s, obj, path, index,
			      "\"%s\" is no address: write \"address:port\", \"[IPv6 address]:port\" or the "
			      "path of a "
			      "socket; names are not looked up",
			      text);
}

static void
endpoints(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *k = obj;
	bool plain = k->kind == CFG_CHECK_PING || k->kind == CFG_CHECK_INTERFACE;
	struct ip_addr addr;

	(void)c;
	cfg_rule_endpoint(s, k, "socket", -1, k->socket);
	if (!plain)
		cfg_rule_endpoint(s, k, "address", -1, k->address);
	else if (k->address != NULL && ip_addr_parse(k->address, &addr) < 0)
		cfg_source_at(s, k, "address", -1, "\"%s\" is no address: write one like \"10.0.0.254\"",
			      k->address);
	else if (k->kind == CFG_CHECK_PING && k->address != NULL && ip_addr_is_link_local(&addr) && k->interface == NULL)
		cfg_source_at(s, k, "interface", -1,
			      "is missing: the link-local address \"%s\" is a different one on each interface", k->address);
	for (size_t n = 0; n < k->n_sentinels; n++)
		cfg_rule_endpoint(s, k, "sentinels", (int)n, k->sentinels[n]);
}

/* Options that a kind cannot do without, beyond those marked in the table. */
static void
needed(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *k = obj;

	(void)c;
	if (k->kind == CFG_CHECK_INTERFACE && k->interface == NULL)
		cfg_source_at(s, k, "interface", -1, "is missing: write a string, e.g. \"eth1\"");
	if ((k->kind == CFG_CHECK_REDIS || k->kind == CFG_CHECK_SENTINEL || k->kind == CFG_CHECK_POSTGRES ||
	     k->kind == CFG_CHECK_TCP || k->kind == CFG_CHECK_PING) &&
	    k->address == NULL)
		cfg_source_at(s, k, "address", -1, "is missing: write a string, e.g. %s",
			      k->kind == CFG_CHECK_PING ? "\"10.0.0.254\"" : "\"127.0.0.1:6379\"");
	if (k->kind == CFG_CHECK_SENTINEL && k->master == NULL)
		cfg_source_at(s, k, "master", -1, "is missing: write the master's name, e.g. \"mymaster\"");
	if (k->kind == CFG_CHECK_REDIS && (k->n_sentinels > 0) != (k->master != NULL))
		cfg_source_at(s, k, k->master != NULL ? "sentinels" : "master", -1,
			      "is missing: sentinels and master belong together");
	if (k->kind == CFG_CHECK_REDIS && k->owns_slots && !k->cluster)
		cfg_source_at(s, k, "owns_slots", -1, "is for a Redis Cluster: write cluster = true as well");
	if (k->kind == CFG_CHECK_PROCESS &&
	    (k->process != NULL) + (k->pid_file != NULL) + (k->cgroup != NULL) != 1)
		cfg_source_at(s, k, "process", -1,
			      "tells a process by one thing: write process, pid_file or cgroup");
	if (k->kind == CFG_CHECK_POSTGRES && k->role != NULL && k->username == NULL)
		cfg_source_at(s, k, "role", -1,
			      "can only be asked after logging in: write username (and password_file)");
	if (k->kind == CFG_CHECK_POSTGRES && k->tls && k->username == NULL)
		cfg_source_at(s, k, "tls", -1, "is for logging in: write username (and password_file) as well");
	if (k->kind == CFG_CHECK_POSTGRES && k->tls && k->tls_verify && k->tls_ca == NULL)
		cfg_source_at(s, k, "tls.ca", -1,
			      "is missing: write the file with the certificate to trust, or verify = false");
	if ((k->tls_cert != NULL) != (k->tls_key != NULL))
		cfg_source_at(s, k, k->tls_cert != NULL ? "tls.key" : "tls.cert", -1,
			      "is missing: a certificate and its key belong together");
}

/* The words that `role` knows, by kind; NULL-terminated. Patroni: its health endpoints. */
static const char *const *
roles_of(enum cfg_check_kind kind)
{
	static const char *const patroni[] = {
		"primary",   "leader",	     "master",	    "read-write", "replica",	    "standby-leader",
		"read-only", "sync",	     "synchronous", "quorum",	  "read-only-sync", "read-only-quorum",
		"async",     "asynchronous", "health",	    "readiness",  "liveness",	    NULL};
	static const char *const redis[] = {"master", "replica", NULL};
	static const char *const postgres[] = {"primary", "replica", NULL};

	if (kind == CFG_CHECK_PATRONI)
		return patroni;
	return kind == CFG_CHECK_REDIS ? redis : postgres;
}

static void
role_word(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *k = obj;
	const char *const *words = roles_of(k->kind);
	char list[512] = "";
	struct strbuf b;

	(void)c;
	if (k->role == NULL)
		return;
	strbuf_init(&b, list, sizeof(list));
	for (size_t n = 0; words[n] != NULL; n++) {
		if (strcmp(words[n], k->role) == 0)
			return;
		strbuf_addf(&b, "%s\"%s\"", n > 0 ? ", " : "", words[n]);
	}
	cfg_source_at(s, k, "role", -1, "\"%s\" is no role: write one of %s", k->role, list);
}

/* A number of octets with a unit, as Patroni and PostgreSQL write it. */
static bool
is_size(const char *text)
{
	static const char *const units[] = {"", "B", "kB", "MB", "GB", "TB"};
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	(void)strtoull(text, &end, 10);
	for (size_t n = 0; n < ARRAY_SIZE(units); n++)
		if (strcmp(end, units[n]) == 0)
			return true;
	return false;
}

/* The endpoints of Patroni that look at ?lag= (its manual, REST API). */
static bool
role_has_lag(const char *role)
{
	static const char *const without[] = {"primary",	"leader", "master",  "read-write",
					      "standby-leader", "health", "liveness"};

	for (size_t n = 0; n < ARRAY_SIZE(without); n++)
		if (strcmp(role, without[n]) == 0)
			return false;
	return true;
}

static void
lag(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *k = obj;
	usec_t us;

	(void)c;
	if (k->max_lag == NULL)
		return;
	if (k->kind == CFG_CHECK_PATRONI && !is_size(k->max_lag))
		cfg_source_at(s, k, "max_lag", -1,
			      "\"%s\" is no size: write a number with kB, MB, GB or TB, e.g. \"16MB\"",
			      k->max_lag);
	if (k->kind == CFG_CHECK_PATRONI && !role_has_lag(k->role != NULL ? k->role : "health"))
		cfg_source_at(s, k, "max_lag", -1,
			      "is for a role that may lag behind: write role = \"replica\", \"read-only\", "
			      "\"sync\" or alike");
	if (k->kind == CFG_CHECK_REDIS && duration_parse(k->max_lag, &us) < 0)
		cfg_source_at(s, k, "max_lag", -1, "\"%s\" is no duration: write e.g. \"10s\"", k->max_lag);
}

/* "name:port" with any name: Sentinels may know hosts by names. */
static bool
is_host_port(const char *text)
{
	const char *colon = strrchr(text, ':');
	char *end;

	if (colon == NULL || colon == text || colon[1] < '1' || colon[1] > '9')
		return false;
	return strtoul(colon + 1, &end, 10) <= 65535 && *end == '\0';
}

void
cfg_rule_self(struct cfg_source *s, const void *obj, const char *path, const char *self)
{
	if (self != NULL && !is_host_port(self))
		cfg_source_at(s, obj, path, -1, "\"%s\" has no port: write e.g. \"10.0.0.1:6379\"", self);
}

static void
redis_forms(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *k = obj;
	bool path = k->address != NULL && k->address[0] == '/';

	(void)c;
	if (k->kind != CFG_CHECK_REDIS && k->kind != CFG_CHECK_SENTINEL)
		return;
	if (k->tls && path)
		cfg_source_at(s, k, "tls", -1,
			      "is not spoken on a Unix socket: write \"address:port\" as address");
	cfg_rule_self(s, k, "self", k->self);
	if (k->kind == CFG_CHECK_REDIS && k->n_sentinels > 0 && k->self == NULL && path)
		cfg_source_at(s, k, "self", -1,
			      "is missing: a Unix socket does not tell by which port the Sentinels know this "
			      "Redis, write e.g. \"10.0.0.1:6379\"");
	if (k->n_sentinels > 0 && k->role != NULL && strcmp(k->role, "replica") == 0)
		cfg_source_at(s, k, "sentinels", -1,
			      "are asked for the master, but role is \"replica\": leave out one of them");
}

/* What stands before the host's name, or NULL when that is no URL that a check asks. */
static const char *
host_of(const char *url)
{
	if (strncasecmp(url, "http://", 7) == 0)
		return url + 7;
	if (strncasecmp(url, "https://", 8) == 0)
		return url + 8;
	return strncmp(url, "unix:/", 6) == 0 ? url + 5 : NULL;
}

/* The URL itself is not repeated where it may hold a password. */
static void
url_form(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *k = obj;
	const char *host = k->url != NULL ? host_of(k->url) : NULL;
	bool to_socket = host != NULL && k->url[0] == 'u';

	(void)c;
	if (k->url == NULL)
		return;
	if (host == NULL || (!to_socket && strcspn(host, "/?#:") == 0))
		cfg_source_at(s, k, "url", -1,
			      "\"%s\" is no URL: write http://..., https://... or unix:/PATH:/PATH", k->url);
	else if (!to_socket && memchr(host, '@', strcspn(host, "/?#")) != NULL)
		cfg_source_at(s, k, "url", -1,
			      "holds a user: write username and password_file instead, which are not shown");
	else if (host[strspn(host, URL_OCTETS)] != '\0')
		cfg_source_at(s, k, "url", -1,
			      "has a character that no URL has: write it as %% and two hexadecimal digits");
	else if (to_socket && strcspn(host, ":") >= LIMIT_PATH)
		cfg_source_at(s, k, "url", -1, "names a socket whose path has more than %d octets: move it",
			      LIMIT_PATH - 1);
	if (k->tls && strncasecmp(k->url, "http://", 7) == 0)
		cfg_source_at(s, k, "url", -1, "is without TLS, but there is a group tls: write https://...");
}

/* "200", "200-299", "200,204,300-399": numbers from 100 to 599. */
static bool
is_status_set(const char *text)
{
	char *end;

	do {
		long low = strtol(text, &end, 10), high = low;

		if (end == text)
			return false;
		if (*end == '-') {
			text = end + 1;
			high = strtol(text, &end, 10);
			if (end == text)
				return false;
		}
		if (low < 100 || high > 599 || low > high)
			return false;
		text = end + 1;
	} while (*end == ',');
	return *end == '\0';
}

static void
http_words(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *k = obj;

	(void)c;
	if (k->kind != CFG_CHECK_HTTP)
		return;
	if (!is_status_set(k->status))
		cfg_source_at(s, k, "status", -1,
			      "\"%s\" is no set of statuses: write numbers and ranges, e.g. \"200-299,404\"",
			      k->status);
	if (strcmp(k->method, "GET") != 0 && strcmp(k->method, "HEAD") != 0 &&
	    strcmp(k->method, "OPTIONS") != 0)
		cfg_source_at(s, k, "method", -1, "\"%s\" is not used for checks: write GET, HEAD or OPTIONS",
			      k->method);
}

/* IPv4 by an IPv6 gateway exists (RTA_VIA), the other way round does not. */
static void
want_ipv6_gateway(struct cfg_source *s, const struct cfg_check *k, const struct ip_addr *via)
{
	if (via->family == IP_FAMILY_V4)
		cfg_source_at(s, k, "via", -1,
			      "\"%s\" is IPv4, but the destination is IPv6: write an IPv6 address", k->via);
}

static void
route_forms(struct cfg_source *s, struct cfg *c, void *obj)
{
	const struct cfg_check *k = obj;
	struct ip_prefix prefix;
	struct ip_addr addr;

	(void)c;
	if (k->kind != CFG_CHECK_ROUTE)
		return;
	if (strcmp(k->destination, "default") != 0 && strcmp(k->destination, "default6") != 0 &&
	    ip_prefix_parse(k->destination, &prefix) < 0)
		cfg_source_at(s, k, "destination", -1,
			      "\"%s\" is no destination: write \"default\", \"default6\" or a network like "
			      "\"10.1.0.0/16\"",
			      k->destination);
	if (k->via == NULL)
		return;
	if (ip_addr_parse(k->via, &addr) < 0)
		cfg_source_at(s, k, "via", -1, "\"%s\" is no address: write that of the gateway", k->via);
	else if (strchr(k->destination, ':') != NULL || strcmp(k->destination, "default6") == 0)
		want_ipv6_gateway(s, k, &addr);
}

static void
one_password(struct cfg_source *s, struct cfg *c, void *obj)
{
	(void)c;
	if (cfg_source_written(s, obj, "password") && cfg_source_written(s, obj, "password_file"))
		cfg_source_at(s, obj, "password_file", -1, "stands beside password: write one of them");
}

/* This rule and the next also read the files, once, with the checks that they need. */
static void
password_file(struct cfg_source *s, struct cfg *c, void *obj)
{
	struct cfg_check *k = obj;
	const char *wrong, *advice;
	char buf[1024];

	(void)c;
	if (k->password_file == NULL || k->password != NULL)
		return;
	wrong = cfg_read_password(k->password_file, buf, sizeof(buf), &advice);
	if (wrong != NULL)
		cfg_source_at(s, obj, "password_file", -1, "\"%s\" cannot be used: %s: %s", k->password_file,
			      wrong, advice);
	else
		k->password = cfg_strdup(buf);
	explicit_bzero(buf, sizeof(buf));
}

static void
key_file(struct cfg_source *s, struct cfg *c, void *obj)
{
	struct cfg_check *k = obj;
	const char *wrong, *advice;
	char *buf;

	(void)c;
	if (k->tls_key == NULL)
		return;
	buf = cfg_zalloc(1, KEY_OCTETS);
	wrong = cfg_read_secret(k->tls_key, buf, KEY_OCTETS, &advice);
	if (wrong != NULL)
		cfg_source_at(s, obj, "tls.key", -1, "\"%s\" cannot be used: %s: %s", k->tls_key, wrong,
			      advice);
	else
		k->tls_key_pem = cfg_strdup(buf);
	explicit_bzero(buf, KEY_OCTETS);
	free(buf);
}

static const struct cfg_rule rules[] = {
	{"endpoints", CFG_SCOPE_CHECK, {"address", "socket", "sentinels"}, endpoints},
	{"needed", CFG_SCOPE_CHECK, {"kind", "address", "interface"}, needed},
	{"role_word", CFG_SCOPE_CHECK, {"kind", "role"}, role_word},
	{"lag", CFG_SCOPE_CHECK, {"kind", "max_lag"}, lag},
	{"redis_forms", CFG_SCOPE_CHECK, {"kind", "address", "self"}, redis_forms},
	{"url_form", CFG_SCOPE_CHECK, {"url"}, url_form},
	{"http_words", CFG_SCOPE_CHECK, {"kind", "status", "method"}, http_words},
	{"route_forms", CFG_SCOPE_CHECK, {"kind", "destination", "via"}, route_forms},
	{"one_password", CFG_SCOPE_CHECK, {"password", "password_file"}, one_password},
	{"password_file", CFG_SCOPE_CHECK, {"password", "password_file"}, password_file},
	{"key_file", CFG_SCOPE_CHECK, {"tls.key"}, key_file},
};

const struct cfg_rule *
cfg_rules_kind(size_t i)
{
	return i < ARRAY_SIZE(rules) ? &rules[i] : NULL;
}
