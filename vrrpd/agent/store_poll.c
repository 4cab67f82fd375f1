/*
 * store_poll.c - a key that is read by GET and watched by a long poll; see store_poll.h. Runs in vrrpd-agent.
 *
 * The key is read with a quorum every second, and a long poll waits for changes, at another endpoint if there is one.
 * What was read is the truth. A long poll that ends, however it does, is a reason to read at once and to poll from there:
 * so there is no gap, and none of its ways to end (outdated, an index that went backwards, closed without a word) needs
 * care of its own. That this node is the leader is believed to reads only, since a member that lags tells by its long
 * polls what has long been over; that somebody else is, counts at once, because to give up is always safe.
 */
#include "agent/store_poll.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_util.h"
#include "agent/net_http.h"
#include "sys/clock.h"
#include "sys/log.h"

#define BACKOFF_MIN_US (50 * USEC_PER_MS)
#define BACKOFF_MAX_US USEC_PER_SEC
#define READ_MAX_US USEC_PER_SEC /* for the answer of a read, the connection included */
/* For a long poll: it may end by itself when the server thinks so, and a server that hangs is left after this time. */
#define POLL_MAX_US (35 * USEC_PER_SEC)
/* Of a key that changes all the time: one long poll after the other, then one in this time. */
#define POLL_EVERY_US (200 * USEC_PER_MS)
#define POLL_BURST    2

struct poll_call {
	struct store_poll *poll;
	struct net_http_req *req;
	struct loop_timer *timer; /* time-out */
	bool busy;
	unsigned endpoint;
	uint64_t asked_us; /* CLOCK_BOOTTIME before it was sent */
};

struct store_poll {
	struct store *s;
	const struct poll_kind *kind;
	unsigned n_endpoints, failed; /* in a row */
	usec_t backoff_us;
	struct loop_timer *timer; /* the next read */
	struct poll_call read, wait;
	uint64_t index; /* of the last read */
	uint64_t due_us; /* POLL_EVERY_US: the next long poll, or POLL_BURST of them before */
};

/* ---- for the kinds ------------------------------------------------------------------------------------ */

void
poll_add_key(struct strbuf *path, const struct store *s)
{
	const char *key = store_text(s, "key", 0);

	for (key += strspn(key, "/"); *key != '\0'; key++) {
		unsigned char c = (unsigned char)*key;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			     strchr("/-._~", c) != NULL;

		strbuf_addf(path, plain ? "%c" : "%%%02X", c);
	}
}

uint64_t
poll_index(const struct net_http_answer *a)
{
	const char *from = a->header != NULL ? a->header + strspn(a->header, " \t") : "";
	size_t digits = strspn(from, "0123456789");
	unsigned long long n;

	if (digits == 0 || from[digits + strspn(from + digits, " \t\r\n")] != '\0')
		return 0;
	errno = 0;
	n = strtoull(from, NULL, 10);
	return errno == 0 ? n : 0;
}

void
poll_unavailable(struct poll_answer *ret, const char *fmt, ...)
{
	va_list ap;

	ret->result = POLL_UNAVAILABLE;
	va_start(ap, fmt);
	vsnprintf(ret->text, sizeof(ret->text), fmt, ap);
	va_end(ap);
}

void
poll_denied(struct poll_answer *ret, const char *in_short, const char *fmt, ...)
{
	va_list ap;

	ret->result = POLL_DENIED;
	ret->in_short = in_short;
	va_start(ap, fmt);
	vsnprintf(ret->text, sizeof(ret->text), fmt, ap);
	va_end(ap);
}

/* ---- calls -------------------------------------------------------------------------------------------- */

static void on_read(struct store_poll *p, const struct poll_answer *a);
static void on_wait(struct store_poll *p, const struct poll_answer *a);

/* It has ended; what it said goes to whom it concerns. */
static void
done(struct poll_call *c, const struct poll_answer *a)
{
	struct store_poll *p = c->poll;

	loop_timer_set(c->timer, MONO_NEVER);
	c->busy = false;
	if (c == &p->read)
		on_read(p, a);
	else
		on_wait(p, a);
}

static void
on_answer(void *arg, const struct net_http_answer *a)
{
	struct poll_call *c = arg;
	struct store_poll *p = c->poll;
	struct poll_answer answer = {.result = POLL_OK};

	if (a->error != NULL)
		poll_unavailable(&answer, "%s", a->error);
	else if (a->cut)
		poll_unavailable(&answer, "the answer is longer than %d KiB", NET_HTTP_BODY_MAX / 1024);
	else
		p->kind->judge(p->s, a, c == &p->wait, &answer);
	done(c, &answer);
}

static void
on_timeout(void *arg, mono_t now)
{
	struct poll_call *c = arg;
	struct poll_answer answer = {.result = POLL_OK};

	(void)now;
	net_http_cancel(c->req);
	poll_unavailable(&answer, "no answer");
	done(c, &answer);
}

static void
stop(struct poll_call *c)
{
	if (c->busy)
		net_http_cancel(c->req);
	if (c->timer != NULL)
		loop_timer_set(c->timer, MONO_NEVER);
	c->busy = false;
}

static const char *
endpoint_name(const struct store_poll *p, unsigned endpoint)
{
	return store_text(p->s, "endpoints", endpoint);
}

/* Read (0), or a long poll for what comes after `index`. */
static void
ask(struct store_poll *p, struct poll_call *c, unsigned endpoint, uint64_t index, usec_t max_us)
{
	struct store *s = p->s;
	const char *password = store_text(s, "password", 0), *headers[2] = {NULL};
	char path[2048], token[1100];
	struct net_http_ask to;
	struct strbuf b;

	ASSERT(!c->busy);
	c->poll = p;
	c->busy = true;
	c->endpoint = endpoint;
	if (c->timer == NULL)
		c->timer = loop_timer_add(store_loop(s), on_timeout, c);
	strbuf_init(&b, path, sizeof(path));
	p->kind->ask(s, index, &b);
	store_http_ask(s, endpoint_name(p, endpoint), &to);
	to.path = path;
	to.keep = index == 0;
	to.lasting = true; /* a store that is gone must not look like one that has nothing to say */
	to.want_header = p->kind->index_header;
	to.headers = headers;
	if (p->kind->token_header == NULL) {
		to.username = store_text(s, "username", 0);
		to.password = password;
	} else if (password != NULL) {
		snprintf(token, sizeof(token), "%s: %s", p->kind->token_header, password);
		headers[0] = token;
	}
	net_http_req_free(c->req);
	c->req = net_http_req_new(store_http(s), &to, on_answer, c);
	explicit_bzero(token, sizeof(token));
	c->asked_us = clock_boot_us();
	net_http_send(c->req);
	loop_timer_set(c->timer, mono_add(loop_now(store_loop(s)), max_us));
}

static void
read_in(struct store_poll *p, usec_t us)
{
	loop_timer_set(p->timer, mono_add(loop_now(store_loop(p->s)), us));
}

/* ---- what they say -------------------------------------------------------------------------------------- */

/* A whole round in vain: say why. */
static void
tell_trouble(struct store_poll *p, const struct poll_answer *a)
{
	const char *at = endpoint_name(p, p->read.endpoint);

	if (a->result == POLL_DENIED)
		store_fail(p->s, ELECT_FACT_DENIED, a->in_short, "%s: %s", at, a->text);
	else
		store_fail(p->s, ELECT_FACT_LOST, "no answer", "no endpoint of %s answers with a quorum: %s: %s", p->kind->name,
			   at, a->text);
}

/* Read at another one; after a whole round in vain the store is lost, and the next round comes a little later. */
static void
next_endpoint(struct store_poll *p, const struct poll_answer *a)
{
	bool round_over = ++p->failed >= p->n_endpoints;

	if (round_over) {
		tell_trouble(p, a);
		p->failed = 0;
	}
	p->read.endpoint = (p->read.endpoint + 1) % p->n_endpoints;
	read_in(p, round_over ? p->backoff_us : 0);
	if (round_over)
		p->backoff_us = MIN(2 * p->backoff_us, BACKOFF_MAX_US);
}

/* Wait for what comes after the last read. */
static void
wait_for_more(struct store_poll *p)
{
	if (!p->wait.busy && p->index > 0)
		ask(p, &p->wait, p->wait.endpoint, p->index, POLL_MAX_US);
}

/* The long poll is of no use: it goes to another endpoint. */
static void
leave_wait(struct store_poll *p)
{
	stop(&p->wait);
	p->wait.endpoint = (p->wait.endpoint + 1) % p->n_endpoints;
}

static void
on_read(struct store_poll *p, const struct poll_answer *a)
{
	struct store *s = p->s;
	uint64_t asked = p->read.asked_us;

	if (a->result != POLL_OK) {
		next_endpoint(p, a);
		return;
	}
	p->failed = 0;
	p->backoff_us = BACKOFF_MIN_US;
	str_copy(s->endpoint, sizeof(s->endpoint), endpoint_name(p, p->read.endpoint));
	store_answered(s, asked);
	if (a->index < p->index) {
		log_warning("%s: the index of %s went back from %llu to %llu (restored, or another cluster): read anew", s->instance,
			    p->kind->name, (unsigned long long)p->index, (unsigned long long)a->index);
		stop(&p->wait);
	} else if (p->wait.busy && strcmp(s->leader, a->leader) != 0) {
		leave_wait(p); /* it should have told this by now */
	}
	p->index = a->index;
	s->revision = a->index;
	store_confirm(s, a->held ? a->leader : NULL, asked, asked + a->lease_us);
	wait_for_more(p);
	read_in(p, STORE_PROBE_US);
}

/* Until the next long poll may be made. */
static usec_t
pace(struct store_poll *p)
{
	uint64_t now = clock_boot_us(), burst = (POLL_BURST - 1) * POLL_EVERY_US;

	p->due_us = MAX(p->due_us + POLL_EVERY_US, now - MIN(now, burst));
	return p->due_us > now ? p->due_us - now : 0;
}

static void
on_wait(struct store_poll *p, const struct poll_answer *a)
{
	const char *own = store_text(p->s, "value", 0);
	bool news = a->result == POLL_OK && a->index > p->index;

	if (news && (!a->held || strcmp(a->leader, own) != 0))
		store_confirm(p->s, a->held ? a->leader : NULL, clock_boot_us(), 0);
	if (a->result == POLL_UNAVAILABLE || a->result == POLL_DENIED)
		leave_wait(p);
	stop(&p->read); /* it may be older than this */
	read_in(p, pace(p));
}

static void
on_timer(void *arg, mono_t now)
{
	struct store_poll *p = arg;

	(void)now;
	if (!p->read.busy) /* else its end sets the timer again */
		ask(p, &p->read, p->read.endpoint, 0, READ_MAX_US);
}

void
store_poll_start(struct store *s, const struct poll_kind *kind)
{
	struct store_poll *p = agent_alloc(1, sizeof(*p));

	p->s = s;
	p->kind = kind;
	s->priv = p;
	while (store_text(s, "endpoints", p->n_endpoints) != NULL)
		p->n_endpoints++;
	p->backoff_us = BACKOFF_MIN_US;
	p->wait.endpoint = 1 % p->n_endpoints;
	p->timer = loop_timer_add(store_loop(s), on_timer, p);
	read_in(p, 0);
}

static void
free_call(struct poll_call *c)
{
	net_http_req_free(c->req);
	loop_timer_del(c->timer);
}

void
store_poll_free(struct store *s)
{
	struct store_poll *p = s->priv;

	free_call(&p->read);
	free_call(&p->wait);
	loop_timer_del(p->timer);
	free(p);
}
