/*
 * api_metrics.c - GET /metrics in Prometheus' text format 0.0.4.
 *
 * Runs in vrrpd-agent, called by api.c. Names follow Prometheus' rules: prefix vrrpd_, base units, _total for
 * counters.
 */
#include "agent/api_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/agent.h"

const uint64_t api_lateness_bounds_us[IPC_LATENESS_BUCKETS] = {100, 500, 1000, 2000, 5000, 10000, 100000, 0};

struct out {
	FILE *f;
	const struct agent *a;
	const struct snap *s;
};

static void
family(const struct out *o, const char *name, const char *type, const char *help)
{
	fprintf(o->f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label value in quotes; the format wants three characters escaped. */
static void
label(const struct out *o, const char *value)
{
	putc('"', o->f);
	for (; *value != '\0'; value++) {
		if (*value == '\n') {
			fputs("\\n", o->f);
			continue;
		}
		if (*value == '"' || *value == '\\')
			putc('\\', o->f);
		putc(*value, o->f);
	}
	putc('"', o->f);
}

static const char *
name_of(const struct out *o, uint32_t i)
{
	return o->a->conf->instances[i].c.name;
}

/* name{instance="..." : the rest of the labels and the value are the caller's. */
static void
sample(const struct out *o, const char *name, uint32_t i)
{
	fprintf(o->f, "%s{instance=", name);
	label(o, name_of(o, i));
}

/* One counter per instance, found at `offset` of its struct ipc_counters. */
static void
counter(const struct out *o, const char *name, const char *help, size_t offset)
{
	family(o, name, "counter", help);
	for (uint32_t i = 0; i < o->s->n_instances; i++) {
		const char *base = (const char *)&o->s->instances[i].counters;

		sample(o, name, i);
		fprintf(o->f, "} %" PRIu64 "\n", *(const uint64_t *)(const void *)(base + offset));
	}
}

static void
info(const struct out *o)
{
	family(o, "vrrpd_info", "gauge", "Version and name of this node.");
	fputs("vrrpd_info{version=", o->f);
	label(o, VRRPD_VERSION);
	fputs(",node=", o->f);
	label(o, o->a->conf->begin.node);
	fputs("} 1\n", o->f);
}

static void
states(const struct out *o)
{
	family(o, "vrrpd_instance_state", "gauge", "1 for the state the instance is in, 0 for the others.");
	for (uint32_t i = 0; i < o->s->n_instances; i++) {
		for (unsigned st = 0; st < ROLE_STATE_COUNT; st++) {
			sample(o, "vrrpd_instance_state", i);
			fprintf(o->f, ",state=\"%s\"} %d\n", role_state_name(st),
				o->s->instances[i].state == st);
		}
	}
	family(o, "vrrpd_instance_priority", "gauge", "Effective priority of this node.");
	for (uint32_t i = 0; i < o->s->n_instances; i++) {
		sample(o, "vrrpd_instance_priority", i);
		fprintf(o->f, "} %u\n", o->s->instances[i].priority);
	}
	family(o, "vrrpd_addresses_held", "gauge", "Addresses of the instance that are in place on this node.");
	for (uint32_t i = 0; i < o->s->n_instances; i++) {
		sample(o, "vrrpd_addresses_held", i);
		fprintf(o->f, "} %u\n", o->s->instances[i].n_held);
	}
}

static void
conflicts(const struct out *o)
{
	family(o, "vrrpd_conflicts_total", "counter", "Claims of other hosts to an address while it was held here.");
	for (uint32_t i = 0; i < o->s->n_instances; i++) {
		sample(o, "vrrpd_conflicts_total", i);
		fprintf(o->f, "} %" PRIu64 "\n", o->s->instances[i].conflicts);
	}
	family(o, "vrrpd_engine_restarts_total", "counter", "Times the engine ended unexpectedly.");
	fprintf(o->f, "vrrpd_engine_restarts_total %u\n", o->a->trouble.restarts);
}

static void
discarded(const struct out *o)
{
	family(o, "vrrpd_packets_discarded_total", "counter",
	       "Received packets that failed a check, by its name; instance is empty when the packet belongs "
	       "to none.");
	for (unsigned d = VRRP_DROP_NONE + 1; d < VRRP_DROP_COUNT; d++)
		fprintf(o->f, "vrrpd_packets_discarded_total{instance=\"\",reason=\"%s\"} %" PRIu64 "\n",
			vrrp_drop_label(d), o->s->engine.discarded[d]);
	for (uint32_t i = 0; i < o->s->n_instances; i++) {
		for (unsigned d = VRRP_DROP_NONE + 1; d < VRRP_DROP_COUNT; d++) {
			sample(o, "vrrpd_packets_discarded_total", i);
			fprintf(o->f, ",reason=\"%s\"} %" PRIu64 "\n", vrrp_drop_label(d),
				o->s->instances[i].counters.discarded[d]);
		}
	}
}

static void
transitions(const struct out *o)
{
	family(o, "vrrpd_transitions_total", "counter", "State changes by the state entered and the reason.");
	for (uint32_t i = 0; i < o->s->n_instances; i++) {
		const struct event_counts *c = events_counts(o->a->events, i);

		for (unsigned to = 0; to < ROLE_STATE_COUNT; to++) {
			for (unsigned why = 0; why < ROLE_REASON_COUNT; why++) {
				if (c->n[to][why] == 0)
					continue;
				sample(o, "vrrpd_transitions_total", i);
				fprintf(o->f, ",to=\"%s\",reason=\"%s\"} %" PRIu64 "\n", role_state_name(to),
					role_reason_label(why), c->n[to][why]);
			}
		}
	}
}

static void
peers(const struct out *o)
{
	family(o, "vrrpd_peer_last_heard_seconds", "gauge", "Time since the last advert of this peer.");
	for (uint32_t i = 0; i < o->s->n_instances; i++) {
		const struct ipc_snap_instance *now = &o->s->instances[i];

		for (unsigned k = 0; k < now->n_peers; k++) {
			char addr[IP_ADDR_TEXT];
			usec_t ago =
				mono_since((mono_t){o->s->engine.now_us}, (mono_t){now->peers[k].heard_us});

			if (now->peers[k].heard_us == 0)
				continue;
			sample(o, "vrrpd_peer_last_heard_seconds", i);
			fprintf(o->f, ",peer=\"%s\"} %.6f\n", ip_addr_format(&now->peers[k].addr, addr),
				(double)ago / USEC_PER_SEC);
		}
	}
}

static void
checks(const struct out *o)
{
	family(o, "vrrpd_check_up", "gauge",
	       "1 while the check is up, 0 while it is down or has no result yet.");
	for (uint32_t i = 0; i < checks_count(o->a->checks); i++) {
		const struct check *c = checks_get(o->a->checks, i);

		fputs("vrrpd_check_up{check=", o->f);
		label(o, c->def.conf.name);
		fprintf(o->f, "} %d\n", c->state == IPC_CHECK_UP);
	}
	family(o, "vrrpd_check_score", "gauge", "Score of a graded check, 0 to 100, once it has one.");
	for (uint32_t i = 0; i < checks_count(o->a->checks); i++) {
		const struct check *c = checks_get(o->a->checks, i);
		char text[SCORE_TEXT];

		if (!check_is_graded(c) || c->score_shown < 0)
			continue;
		fputs("vrrpd_check_score{check=", o->f);
		label(o, c->def.conf.name);
		fprintf(o->f, "} %s\n", score_format(c->score_shown, text));
	}
	family(o, "vrrpd_check_runs_total", "counter", "Finished runs of the check by their result.");
	for (uint32_t i = 0; i < checks_count(o->a->checks); i++) {
		const struct check *c = checks_get(o->a->checks, i);

		for (unsigned r = 0; r < CHECK_RESULT_COUNT; r++) {
			fputs("vrrpd_check_runs_total{check=", o->f);
			label(o, c->def.conf.name);
			fprintf(o->f, ",result=\"%s\"} %" PRIu64 "\n", check_result_name(r), c->runs[r]);
		}
	}
}

/* Buckets are cumulative in this format. The engine keeps no sum, and the format does not insist on one. */
static void
lateness(const struct out *o)
{
	const struct ipc_snap_engine *e = &o->s->engine;
	uint64_t sum = 0;

	family(o, "vrrpd_advert_lateness_seconds", "histogram",
	       "How much later than planned adverts were sent.");
	for (unsigned i = 0; i < IPC_LATENESS_BUCKETS; i++) {
		sum += e->advert_late[i];
		if (api_lateness_bounds_us[i] != 0)
			fprintf(o->f, "vrrpd_advert_lateness_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
				(double)api_lateness_bounds_us[i] / USEC_PER_SEC, sum);
		else
			fprintf(o->f, "vrrpd_advert_lateness_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n", sum);
	}
	fprintf(o->f, "vrrpd_advert_lateness_seconds_count %" PRIu64 "\n", sum);
}

char *
api_metrics_text(const struct agent *a, const struct snap *s, size_t *ret_len)
{
	char *text = NULL;
	size_t len = 0;
	struct out o = {.f = open_memstream(&text, &len), .a = a, .s = s};

	ASSERT(o.f != NULL);
	info(&o);
	states(&o);
	counter(&o, "vrrpd_adverts_sent_total", "Adverts sent.", offsetof(struct ipc_counters, adverts_sent));
	counter(&o, "vrrpd_adverts_received_total", "Adverts received and accepted.",
		offsetof(struct ipc_counters, adverts_received));
	counter(&o, "vrrpd_announcements_sent_total", "Gratuitous ARP and unsolicited NA frames sent.",
		offsetof(struct ipc_counters, announces_sent));
	counter(&o, "vrrpd_advert_send_errors_total", "Adverts that could not be sent.",
		offsetof(struct ipc_counters, send_errors));
	counter(&o, "vrrpd_addresses_healed_total", "Addresses that another program removed and that were put back.",
		offsetof(struct ipc_counters, addresses_healed));
	counter(&o, "vrrpd_connections_reset_total", "TCP connections reset when their address left this node.",
		offsetof(struct ipc_counters, connections_reset));
	conflicts(&o);
	discarded(&o);
	transitions(&o);
	peers(&o);
	checks(&o);
	lateness(&o);
	ASSERT(fclose(o.f) == 0 && text != NULL);
	*ret_len = len;
	return text;
}
