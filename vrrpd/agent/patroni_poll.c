/*
 * patroni_poll.c - ask the local Patroni every so often; see patroni_poll.h. Runs in vrrpd-agent under store_patroni.c and
 * store_local.c.
 *
 * One question at a time. A Patroni that hangs takes connections and says nothing: such a question is given up.
 */
#include "agent/patroni_poll.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/agent_util.h"
#include "base/limits.h"
#include "sys/clock.h"

struct patroni_poll {
	struct net_http_req *req;
	struct loop_timer *timer; /* the end of the answer's time, or the next question */
	usec_t interval;
	patroni_poll_fn *fn;
	void *arg;
	bool busy;
	mono_t asked;
	uint64_t asked_us;
};

/* Before the caller is told, which may free it. */
static void
end_question(struct patroni_poll *p)
{
	p->busy = false;
	loop_timer_set(p->timer, mono_add(p->asked, p->interval));
}

static void
on_answer(void *arg, const struct net_http_answer *a)
{
	struct patroni_poll *p = arg;
	char text[LIMIT_LOG_TEXT];
	struct patroni_node n;
	const char *wrong;

	end_question(p);
	if (a->error != NULL) {
		p->fn(p->arg, NULL, a->error, false, p->asked_us);
		return;
	}
	wrong = patroni_node_read(a, &n);
	if (wrong != NULL) {
		snprintf(text, sizeof(text), "/primary answers %d %s", a->status, wrong);
		p->fn(p->arg, NULL, text, true, p->asked_us);
		return;
	}
	p->fn(p->arg, &n, NULL, true, p->asked_us);
}

static void
on_timer(void *arg, mono_t now)
{
	struct patroni_poll *p = arg;

	if (p->busy) {
		net_http_cancel(p->req);
		end_question(p);
		p->fn(p->arg, NULL, "no answer within a second", false, p->asked_us);
		return;
	}
	p->busy = true;
	p->asked = now;
	p->asked_us = clock_boot_us();
	loop_timer_set(p->timer, mono_add(now, PATRONI_ANSWER_US));
	net_http_send(p->req);
}

struct patroni_poll *
patroni_poll_new(struct loop *l, struct net_http *h, const struct net_http_ask *ask, usec_t interval, patroni_poll_fn *fn,
		 void *arg)
{
	struct patroni_poll *p = agent_alloc(1, sizeof(*p));
	struct net_http_ask primary = *ask;

	primary.path = "primary";
	*p = (struct patroni_poll){.interval = interval, .fn = fn, .arg = arg};
	p->req = net_http_req_new(h, &primary, on_answer, p);
	p->timer = loop_timer_add(l, on_timer, p);
	loop_timer_set(p->timer, loop_now(l));
	return p;
}

void
patroni_poll_free(struct patroni_poll *p)
{
	if (p == NULL)
		return;
	net_http_req_free(p->req);
	loop_timer_del(p->timer);
	free(p);
}
