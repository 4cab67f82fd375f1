/*
 * store_doubt.c - the store answers, but is it what was meant? Another key, another name of this node, a leader that no host is.
 *
 * Runs in vrrpd-agent, for mode "follow". Whether a host is where the leader is, is asked once for each leader, by a connection to the
 * address: when the kernel finds nobody there, it says so after some seconds ("No route to host").
 */
#include "agent/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/agent_util.h"
#include "agent/net_conn.h"
#include "base/strbuf.h"
#include "sys/log.h"

#define LONG_US	     (10 * USEC_PER_SEC) /* longer than a leader takes to be succeeded, mostly; and between two questions */
#define ANSWER_US    (6 * USEC_PER_SEC)	 /* the kernel gives up after three */
#define DISCARD_PORT 9			 /* RFC 863; any answer will do */

struct store_doubt {
	struct store *s;
	char leader[STORE_LEADER_MAX]; /* "" = none */
	uint64_t since_us;	       /* it is that, by CLOCK_BOOTTIME */
	struct net_conn *conn;
	uint64_t asked_us; /* 0: not yet */
	bool answered, silent;
	char text[LIMIT_LOG_TEXT]; /* "" = no doubt */
};

/* Are they the same but for case, or for the domain that one of them has? */
static bool
alike(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b), n = MIN(na, nb);

	return n > 0 && strncasecmp(a, b, n) == 0 && (na == nb || (na > nb ? a : b)[n] == '.');
}

/* "address:port" of the instance's first address; false: it is configured no more. */
static bool
endpoint_of(const struct store *s, char buf[IP_ADDR_TEXT + 10], char addr[IP_ADDR_TEXT])
{
	const struct agent_conf *conf = store_conf(s);
	const struct agent_instance *i = conf != NULL ? agent_conf_find(conf, s->instance) : NULL;
	const struct ip_addr *a;

	if (i == NULL)
		return false;
	a = &conf->addresses[i->first_address].prefix.addr;
	ip_addr_format(a, addr);
	snprintf(buf, IP_ADDR_TEXT + 10, a->family == IP_FAMILY_V6 ? "[%s]:%u" : "%s:%u", addr, DISCARD_PORT);
	return true;
}

static void
stop_asking(struct store_doubt *d, bool silent)
{
	net_conn_close(TAKE(d->conn));
	d->silent = silent;
	d->answered = !silent;
}

/* Connected, refused or reset: somebody is there. */
static void
on_connection(void *arg, enum net_event ev, const char *data, size_t n)
{
	(void)n;
	stop_asking(arg, ev == NET_CLOSED && data != NULL && strcmp(data, strerror(EHOSTUNREACH)) == 0);
}

/* Is somebody where the leader is to be? Once for each leader when somebody is, else again and again. */
static void
ask(struct store_doubt *d, uint64_t now_us)
{
	char endpoint[IP_ADDR_TEXT + 10], addr[IP_ADDR_TEXT];
	int err;

	if (d->conn != NULL) {
		if (now_us - d->asked_us > ANSWER_US)
			stop_asking(d, false); /* perhaps a firewall: nothing is known */
		return;
	}
	if (d->answered || now_us - d->since_us < LONG_US || now_us - d->asked_us < LONG_US ||
	    !endpoint_of(d->s, endpoint, addr))
		return;
	d->asked_us = now_us;
	d->conn = net_conn_open(store_loop(d->s), endpoint, on_connection, d, &err);
	if (d->conn == NULL || net_conn_connected(d->conn))
		stop_asking(d, false);
}

/* What is to be doubted now, into text; "" when nothing is. */
static void
write_text(const struct store_doubt *d, enum elect_fact fact, uint64_t now_us, char text[LIMIT_LOG_TEXT])
{
	const char *key = store_text(d->s, "key", 0), *value = store_text(d->s, "value", 0);
	char endpoint[IP_ADDR_TEXT + 10], addr[IP_ADDR_TEXT];
	struct strbuf b;

	strbuf_init(&b, text, LIMIT_LOG_TEXT);
	if (fact == ELECT_FACT_NONE && now_us - d->since_us >= LONG_US)
		strbuf_addf(&b,
			 "key %s has named nobody for %u s and more: start what writes it, or mend leader.key (Patroni's is "
			 "/service/SCOPE/leader)",
			 key, (unsigned)(LONG_US / USEC_PER_SEC));
	else if (fact == ELECT_FACT_OTHER && alike(d->leader, value))
		strbuf_addf(&b,
			 "the leader is %s, and this node is %s there: if both are this one, write value = \"%s\" in leader",
			 d->leader, value, d->leader);
	else if (fact == ELECT_FACT_OTHER && d->silent && endpoint_of(d->s, endpoint, addr))
		strbuf_addf(&b,
			 "the leader is %s, but nobody answers at %s: look at vrrpd on that host; if it is this one, which is %s "
			 "there, write value = \"%s\" in leader",
			 d->leader, addr, value, d->leader);
}

void
store_doubt_note(struct store_doubt *d, enum elect_fact fact, const char *leader, uint64_t now_us)
{
	char text[LIMIT_LOG_TEXT];

	if (store_text(d->s, "key", 0) == NULL || store_text(d->s, "value", 0) == NULL)
		return;
	if (strcmp(leader, d->leader) != 0 || d->since_us == 0) {
		net_conn_close(TAKE(d->conn));
		str_copy(d->leader, sizeof(d->leader), leader);
		d->since_us = now_us;
		d->asked_us = 0;
		d->answered = d->silent = false;
	}
	if (fact == ELECT_FACT_OTHER)
		ask(d, now_us);
	write_text(d, fact, now_us, text);
	if (text[0] != '\0' && strcmp(text, d->text) != 0)
		log_warning("%s: %s", d->s->instance, text);
	str_copy(d->text, sizeof(d->text), text);
}

const char *
store_doubt_text(const struct store_doubt *d)
{
	return d != NULL && d->text[0] != '\0' ? d->text : NULL;
}

struct store_doubt *
store_doubt_new(struct store *s)
{
	struct store_doubt *d = agent_alloc(1, sizeof(*d));

	d->s = s;
	return d;
}

void
store_doubt_free(struct store_doubt *d)
{
	if (d == NULL)
		return;
	net_conn_close(TAKE(d->conn));
	free(d);
}
