/*
 * agent_conf.c - take in a configuration generation from the parent; see agent_conf.h.
 *
 * Runs in vrrpd-agent, called by agent_main.c for each message. The parent has checked the configuration for
 * the operator; here order, counts and ranges are checked so that nothing later has to doubt an index or a
 * string.
 */
#include "agent/agent_conf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_util.h"
#include "base/macros.h"
#include "elect/elect.h"

#define DAY_US (24 * 3600 * (usec_t)USEC_PER_SEC)

/* A non-empty text that ends inside its array. */
static bool
text_ok(const char *s, size_t size)
{
	return s[0] != '\0' && memchr(s, '\0', size) != NULL;
}

static bool
text_or_empty_ok(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

static const char *
begin(struct agent_conf_reader *r, const struct ipc_conf_begin *m)
{
	struct agent_conf *c;

	if (r->conf != NULL)
		return "a generation begins before the last one ended";
	if (m->n_checks > LIMIT_CHECKS || m->n_instances > LIMIT_INSTANCES ||
	    m->n_addresses > LIMIT_ADDRESSES_ALL || m->n_peers > LIMIT_INSTANCES * LIMIT_UNICAST_PEERS ||
	    m->n_tracks > LIMIT_INSTANCES * LIMIT_TRACKS || m->n_own_hooks > m->n_hooks ||
	    m->n_hooks > (LIMIT_INSTANCES + 1) * (IPC_NOTIFY_COUNT + 1) ||
	    m->n_services > LIMIT_INSTANCES * LIMIT_SERVICES)
		return "a total is above its limit";
	if (!text_ok(m->node, sizeof(m->node)))
		return "the node has no name";
	if (m->n_events == 0 || m->n_events > LIMIT_EVENTS)
		return "the number of events to keep is out of range";
	c = agent_alloc(1, sizeof(*c));
	c->gen = m->h.gen;
	c->begin = *m;
	c->checks = agent_alloc(m->n_checks, sizeof(*c->checks));
	c->instances = agent_alloc(m->n_instances, sizeof(*c->instances));
	c->addresses = agent_alloc(m->n_addresses, sizeof(*c->addresses));
	c->peers = agent_alloc(m->n_peers, sizeof(*c->peers));
	c->tracks = agent_alloc(m->n_tracks, sizeof(*c->tracks));
	c->hooks = agent_alloc(m->n_hooks, sizeof(*c->hooks));
	c->services = agent_alloc(m->n_services, sizeof(*c->services));
	c->stores = agent_alloc(m->n_instances, sizeof(*c->stores));
	*r = (struct agent_conf_reader){.conf = c, .left_hooks = m->n_own_hooks};
	return NULL;
}

/* The words of a command: n_command of them, each ended inside the array. */
static bool
command_ok(const struct ipc_conf_check *m)
{
	const char *p = m->command;
	const char *end = m->command + sizeof(m->command);

	if (m->n_command == 0 || m->n_command > LIMIT_COMMAND_ARGS || p[0] != '/')
		return false;
	for (unsigned i = 0; i < m->n_command; i++) {
		const char *nul = memchr(p, '\0', (size_t)(end - p));

		if (nul == NULL)
			return false;
		p = nul + 1;
	}
	return true;
}

static bool
grading_ok(const struct ipc_conf_check *m)
{
	return m->scale >= -253 && m->scale <= 253 && m->hysteresis <= 100 && m->decay_us <= DAY_US &&
	       m->warmup_us <= DAY_US;
}

static const char *
add_check(struct agent_conf_reader *r, const struct ipc_conf_check *m)
{
	struct check_def *d;

	if (r->n_instances != 0 || r->n_checks == r->conf->begin.n_checks || r->left_options != 0 || r->left_hooks != 0)
		return "a check comes too early, too late or is one too many";
	if (!text_ok(m->name, sizeof(m->name)) || !text_or_empty_ok(m->user, sizeof(m->user)))
		return "a check has a bad text";
	if (m->kind >= IPC_CHECK_KIND_COUNT || m->on_timeout >= IPC_POLICY_COUNT ||
	    m->on_stale >= IPC_POLICY_COUNT || m->interval_us == 0 || m->timeout_us == 0 || m->rise == 0 ||
	    m->fall == 0 || m->initial >= IPC_CHECK_STATE_COUNT || m->weight_from >= IPC_WEIGHT_FROM_COUNT ||
	    m->n_options > LIMIT_CHECK_OPTIONS || !grading_ok(m))
		return "a check has a bad value";
	if (m->kind == IPC_CHECK_SCRIPT && !command_ok(m))
		return "a script check has a bad command";
	d = &r->conf->checks[r->n_checks++];
	d->conf = *m;
	d->was_up = m->was_up != 0;
	d->conf.h = (struct ipc_head){0}; /* two generations are compared octet by octet */
	d->conf.was_up = 0;
	d->options = agent_alloc(m->n_options, sizeof(*d->options));
	r->left_options = m->n_options;
	return NULL;
}

static const char *
add_option(struct agent_conf_reader *r, const struct ipc_conf_option *m)
{
	struct check_def *d;
	struct check_option *o;

	if (r->left_options == 0)
		return "an option is one too many";
	if (!text_ok(m->path, sizeof(m->path)) || m->len >= sizeof(m->text) || m->text[m->len] != '\0' ||
	    strlen(m->text) != m->len)
		return "an option has a bad text";
	if (r->left_services != 0 || r->left_hooks != 0 || r->left_tracks != 0 || r->left_peers != 0 || r->left_addresses != 0)
		return "an option comes too early";
	d = r->n_instances > 0 ? &r->conf->stores[r->n_instances - 1] : &r->conf->checks[r->n_checks - 1];
	o = &d->options[d->conf.n_options - r->left_options--];
	memcpy(o->path, m->path, sizeof(o->path));
	o->text = strdup(m->text);
	ASSERT(o->text != NULL);
	return NULL;
}

static bool
instance_complete(const struct agent_conf_reader *r)
{
	return r->left_addresses == 0 && r->left_peers == 0 && r->left_tracks == 0 && r->left_hooks == 0 &&
	       r->left_services == 0;
}

static const char *
add_instance(struct agent_conf_reader *r, const struct ipc_conf_instance *m)
{
	const struct ipc_conf_begin *b = &r->conf->begin;
	struct check_def *d;

	if (r->n_checks != b->n_checks || r->left_options != 0 || !instance_complete(r) || r->n_instances == b->n_instances)
		return "an instance comes too early or is one too many";
	if (!text_ok(m->name, sizeof(m->name)) || !text_ok(m->ifname, sizeof(m->ifname)))
		return "an instance has a bad text";
	if (m->mode >= ELECT_MODE_COUNT || m->checksum >= ELECT_CHECKSUM_COUNT || ip_family_size(m->family) == 0 ||
	    (m->version != 2 && m->version != 3) || m->priority == 0 ||
	    (m->mode == ELECT_MODE_VRRP && (m->vrid == 0 || m->adver_int_cs == 0 || m->down_adverts == 0)) ||
	    m->n_options > LIMIT_CHECK_OPTIONS)
		return "an instance has a bad value";
	if (m->n_addresses > b->n_addresses - r->n_addresses || m->n_peers > b->n_peers - r->n_peers ||
	    m->n_tracks > b->n_tracks - r->n_tracks || m->n_tracks > LIMIT_TRACKS ||
	    m->n_hooks > b->n_hooks - r->n_hooks || m->n_services > b->n_services - r->n_services)
		return "an instance has more parts than announced";
	r->conf->instances[r->n_instances++] = (struct agent_instance){
		.c = *m,
		.first_address = r->n_addresses,
		.first_peer = r->n_peers,
		.first_track = r->n_tracks,
		.first_hook = r->n_hooks,
		.first_service = r->n_services};
	r->left_hooks = m->n_hooks;
	r->left_services = m->n_services;
	r->left_options = m->n_options;
	d = &r->conf->stores[r->n_instances - 1];
	d->conf.n_options = m->n_options;
	d->options = agent_alloc(m->n_options, sizeof(*d->options));
	r->left_addresses = m->n_addresses;
	r->left_peers = m->n_peers;
	r->left_tracks = m->n_tracks;
	return NULL;
}

static const char *
add_address(struct agent_conf_reader *r, const struct ipc_conf_address *m)
{
	size_t size = ip_family_size(m->prefix.addr.family);

	if (r->left_addresses == 0)
		return "an address is one too many";
	if (size == 0 || m->prefix.len > size * 8 || !text_ok(m->ifname, sizeof(m->ifname)))
		return "an address has a bad value";
	r->left_addresses--;
	r->conf->addresses[r->n_addresses++] = *m;
	return NULL;
}

static const char *
add_peer(struct agent_conf_reader *r, const struct ipc_conf_peer *m)
{
	if (r->left_addresses != 0 || r->left_peers == 0)
		return "a peer comes too early or is one too many";
	if (ip_family_size(m->addr.family) == 0)
		return "a peer has a bad address";
	r->left_peers--;
	r->conf->peers[r->n_peers++] = *m;
	return NULL;
}

static const char *
add_track(struct agent_conf_reader *r, const struct ipc_conf_track *m)
{
	if (r->left_addresses != 0 || r->left_peers != 0 || r->left_tracks == 0)
		return "a tracked object comes too early or is one too many";
	if (!text_ok(m->name, sizeof(m->name)) || (!m->is_interface && m->check >= r->conf->begin.n_checks))
		return "a tracked object has a bad value";
	r->left_tracks--;
	r->conf->tracks[r->n_tracks++] = *m;
	return NULL;
}

static const char *
add_hook(struct agent_conf_reader *r, const struct ipc_conf_hook *m)
{
	if (r->left_tracks != 0 || r->left_hooks == 0)
		return "a hook comes too early or is one too many";
	if (m->notify >= IPC_NOTIFY_COUNT || m->gate > 1 || m->timeout_us == 0 || (m->gate && r->n_instances == 0))
		return "a hook has a bad value";
	r->left_hooks--;
	r->conf->hooks[r->n_hooks++] = *m;
	return NULL;
}

static const char *
add_service(struct agent_conf_reader *r, const struct ipc_conf_service *m)
{
	if (r->left_hooks != 0 || r->left_services == 0)
		return "a service comes too early or is one too many";
	if (!text_ok(m->name, sizeof(m->name)) || m->timeout_us == 0 || m->interval_us == 0 || m->decay_us == 0)
		return "a service has a bad value";
	r->left_services--;
	r->conf->services[r->n_services++] = *m;
	return NULL;
}

static const char *
commit(const struct agent_conf_reader *r)
{
	const struct ipc_conf_begin *b = &r->conf->begin;

	if (!instance_complete(r) || r->left_options != 0 || r->n_checks != b->n_checks || r->n_instances != b->n_instances ||
	    r->n_addresses != b->n_addresses || r->n_peers != b->n_peers || r->n_tracks != b->n_tracks ||
	    r->n_hooks != b->n_hooks || r->n_services != b->n_services)
		return "the generation ends before all of it has come";
	return NULL;
}

/* What is wrong with this message, or NULL. */
static const char *
feed(struct agent_conf_reader *r, const union ipc_msg *m)
{
	if (m->h.type == IPC_CONF_BEGIN)
		return begin(r, &m->CONF_BEGIN);
	if (r->conf == NULL || m->h.gen != r->conf->gen)
		return "a part of a generation that did not begin";
	switch (m->h.type) {
	case IPC_CONF_CHECK:
		return add_check(r, &m->CONF_CHECK);
	case IPC_CONF_OPTION:
		return add_option(r, &m->CONF_OPTION);
	case IPC_CONF_INSTANCE:
		return add_instance(r, &m->CONF_INSTANCE);
	case IPC_CONF_ADDRESS:
		return add_address(r, &m->CONF_ADDRESS);
	case IPC_CONF_PEER:
		return add_peer(r, &m->CONF_PEER);
	case IPC_CONF_TRACK:
		return add_track(r, &m->CONF_TRACK);
	case IPC_CONF_HOOK:
		return add_hook(r, &m->CONF_HOOK);
	case IPC_CONF_SERVICE:
		return add_service(r, &m->CONF_SERVICE);
	case IPC_CONF_COMMIT:
		return commit(r);
	default: /* a wire value, not an enum: everything else is refused */
		return "not a part of a generation";
	}
}

int
agent_conf_feed(struct agent_conf_reader *r, const union ipc_msg *m, struct agent_conf **ret,
		const char **ret_why)
{
	const char *why = feed(r, m);

	if (why != NULL) {
		*ret_why = why;
		return -EPROTO;
	}
	if (m->h.type != IPC_CONF_COMMIT)
		return 0;
	*ret = TAKE(r->conf);
	*r = (struct agent_conf_reader){0};
	return 1;
}

void
agent_conf_free(struct agent_conf *c)
{
	if (c == NULL)
		return;
	for (uint32_t i = 0; i < c->begin.n_checks; i++)
		check_def_free(&c->checks[i]);
	free(c->checks);
	free(c->instances);
	free(c->addresses);
	free(c->peers);
	free(c->tracks);
	free(c->hooks);
	free(c->services);
	for (uint32_t i = 0; i < c->begin.n_instances; i++)
		check_def_free(&c->stores[i]);
	free(c->stores);
	free(c);
}

const struct agent_instance *
agent_conf_find(const struct agent_conf *c, const char *name)
{
	for (uint32_t i = 0; i < c->begin.n_instances; i++)
		if (strcmp(c->instances[i].c.name, name) == 0)
			return &c->instances[i];
	return NULL;
}
