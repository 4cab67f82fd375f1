/*
 * check.c - the frame of all checks; see check.h.
 *
 * Runs in vrrpd-agent. One timer for all checks: they are few (LIMIT_CHECKS) and looked through at each
 * wake-up. Knows nothing of the engine: the report function sends the verdicts on.
 */
#include "agent/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/agent_util.h"
#include "agent/net_http.h"
#include "agent/text.h"
#include "base/macros.h"
#include "base/strbuf.h"

#define CHECKS_AT_ONCE 16 /* more first runs than this are spread over the interval */
#define EARLY_FRACTION                                                                                         \
	20 /* of the interval: how much earlier a run may start, by chance and once more with others */

struct checks {
	struct loop *loop;
	struct loop_timer *timer;
	mono_t armed; /* for when; no deadline is before */
	checks_report_fn *report;
	void *report_arg;
	uint64_t random; /* xorshift64 state, never 0 */
	uint32_t n;
	struct check **v;
	uint32_t n_retired;
	struct check **retired; /* no longer configured, their last run is ending */
	char node[LIMIT_NODE];
	struct check_runner runner; /* all NULL: none */
	uint32_t last_token;
	struct net_http *http; /* NULL until a check needs it */
};

const uint64_t check_bounds_us[CHECK_BUCKETS] = {100, 1000, 5000, 20000, 100000, 500000, 5000000, 0};

/* The table of kinds. */
static const struct check_ops *const kinds[IPC_CHECK_KIND_COUNT] = {
	[IPC_CHECK_SCRIPT] = &check_script_ops,	    [IPC_CHECK_INTERFACE] = &check_interface_ops,
	[IPC_CHECK_HAPROXY] = &check_haproxy_ops,   [IPC_CHECK_PATRONI] = &check_patroni_ops,
	[IPC_CHECK_REDIS] = &check_redis_ops,	    [IPC_CHECK_SENTINEL] = &check_sentinel_ops,
	[IPC_CHECK_POSTGRES] = &check_postgres_ops, [IPC_CHECK_HTTP] = &check_http_ops,
	[IPC_CHECK_TCP] = &check_tcp_ops,	    [IPC_CHECK_PROCESS] = &check_process_ops,
	[IPC_CHECK_UNIT] = &check_unit_ops,	    [IPC_CHECK_FILE] = &check_file_ops,
	[IPC_CHECK_ROUTE] = &check_route_ops,	    [IPC_CHECK_PING] = &check_ping_ops,
};

const char *
check_result_name(enum check_result r)
{
	static const char *const names[CHECK_RESULT_COUNT] = {"up", "down", "timeout"};

	ASSERT(r < CHECK_RESULT_COUNT);
	return names[r];
}

const char *
check_state_name(enum ipc_check_state s)
{
	static const char *const names[IPC_CHECK_STATE_COUNT] = {"pending", "up", "down"};

	ASSERT(s < IPC_CHECK_STATE_COUNT);
	return names[s];
}

const char *
check_kind_name(enum ipc_check_kind k)
{
	ASSERT(k < IPC_CHECK_KIND_COUNT);
	return kinds[k]->name;
}

void
check_set_weight(struct check *c, int weight)
{
	c->run_has_weight = true;
	c->run_weight = (int16_t)MAX(-253, MIN(253, weight));
}

void
check_set_score(struct check *c, int32_t score)
{
	c->run_score = score;
}

const char *
check_text(const struct check *c, const char *path, unsigned n)
{
	return check_def_text(&c->def, path, n);
}

int64_t
check_number(const struct check *c, const char *path, int64_t otherwise)
{
	return check_def_number(&c->def, path, otherwise);
}

const struct check_runner *
check_runner(const struct check *c)
{
	return c->checks->runner.run != NULL ? &c->checks->runner : NULL;
}

uint32_t
check_token(struct check *c)
{
	if (++c->checks->last_token == 0)
		c->checks->last_token = 1;
	return c->checks->last_token;
}

struct loop *
check_loop(const struct check *c)
{
	return c->checks->loop;
}

const char *
check_node(const struct check *c)
{
	return c->checks->node;
}

struct net_http *
check_net_http(const struct check *c)
{
	if (c->checks->http == NULL)
		c->checks->http = net_http_new(c->checks->loop);
	return c->checks->http;
}

/* A number below `limit` (> 0); good enough to keep checks from marching in step. */
static uint64_t
random_below(struct checks *cs, uint64_t limit)
{
	cs->random ^= cs->random << 13;
	cs->random ^= cs->random >> 7;
	cs->random ^= cs->random << 17;
	return cs->random % limit;
}

static void
arm(struct checks *cs)
{
	mono_t at = MONO_NEVER;

	for (uint32_t i = 0; i < cs->n; i++)
		at = mono_min(at, cs->v[i]->deadline);
	for (uint32_t i = 0; i < cs->n_retired; i++)
		at = mono_min(at, cs->retired[i]->deadline);
	cs->armed = at;
	loop_timer_set(cs->timer, at);
}

/* Give a check its deadline. The others are looked through only when it was the one waited for. */
static void
set_deadline(struct check *c, mono_t at)
{
	struct checks *cs = c->checks;
	bool was_first = c->deadline.us == cs->armed.us;

	c->deadline = at;
	if (was_first || mono_before(at, cs->armed))
		arm(cs);
}

static void
set_state(struct check *c, enum ipc_check_state state, mono_t now)
{
	c->streak = 0;
	if (c->state == state)
		return;
	c->state = (uint8_t)state;
	c->since = now;
}

static void
note_duration(struct check *c, mono_t now)
{
	unsigned b = 0;

	c->took_us = mono_since(now, c->began);
	c->took_sum_us += c->took_us;
	while (check_bounds_us[b] != 0 && c->took_us > check_bounds_us[b])
		b++;
	c->took[b]++;
}

/* The first result decides at once (an initial verdict stands until then); later ones need `rise` or `fall` in a row to
 * change the verdict. */
static void
take_result(struct check *c, enum check_result result)
{
	mono_t now = loop_now(c->checks->loop);
	bool good = result == CHECK_RESULT_UP, first = !c->judged;

	c->judged = true;
	note_duration(c, now);
	c->runs[result]++;
	if (result == CHECK_RESULT_TIMEOUT && c->def.conf.on_timeout == IPC_POLICY_HOLD)
		; /* says nothing, for or against */
	else if (c->state == IPC_CHECK_PENDING || first)
		set_state(c, good ? IPC_CHECK_UP : IPC_CHECK_DOWN, now);
	else if (good == (c->state == IPC_CHECK_UP))
		c->streak = 0;
	else if (++c->streak >= (good ? c->def.conf.rise : c->def.conf.fall))
		set_state(c, good ? IPC_CHECK_UP : IPC_CHECK_DOWN, now);
	if (check_is_graded(c))
		check_score_run(c, result, now);
	c->checks->report(c->checks->report_arg, c);
}

void
check_done(struct check *c, bool up, const char *text, size_t len)
{
	mono_t now = loop_now(c->checks->loop);

	ASSERT(c->running);
	c->running = false;
	/* A run longer than the interval is followed by the next one at once. A retired check is freed by the
	 * timer. */
	set_deadline(c, c->retired || mono_before(c->next, now) ? now : c->next);
	if (!c->retired && !c->cancelled) {
		text_last_line(c->last, sizeof(c->last), text, len);
		c->has_weight = c->run_has_weight;
		c->weight = c->run_weight;
		take_result(c, up ? CHECK_RESULT_UP : CHECK_RESULT_DOWN);
	}
}

void
check_donef(struct check *c, bool up, const char *fmt, ...)
{
	char text[LIMIT_LOG_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	check_done(c, up, text, strlen(text));
}

/*
 * Up to a tenth of the interval earlier, never later: `interval` times `fall` stays the bound for noticing a
 * failure. Half of that is chance, the other half lets runs share a wake-up, which costs as much as a run.
 */
static void
start(struct check *c, mono_t now)
{
	usec_t jitter = random_below(c->checks, c->def.conf.interval_us / EARLY_FRACTION + 1);

	c->running = true;
	c->cancelled = false;
	c->run_has_weight = false;
	c->run_weight = 0;
	c->run_score = -1;
	c->began = now;
	c->next = mono_add(now, c->def.conf.interval_us - jitter);
	c->deadline = mono_add(now, c->def.conf.timeout_us);
	c->ops->start(c);
}

static void
time_out(struct check *c, mono_t now)
{
	bool force = c->cancelled;

	c->cancelled = true;
	/* By force is as far as it goes: what still does not end then is waited for. */
	c->deadline = force ? MONO_NEVER : mono_add(now, CHECK_FORCE_US);
	if (!force && !c->retired) {
		struct strbuf s;

		strbuf_init(&s, c->last, sizeof(c->last));
		strbuf_addf(&s, "no result within %llu ms",
			    (unsigned long long)(c->def.conf.timeout_us / USEC_PER_MS));
		take_result(c, CHECK_RESULT_TIMEOUT);
	}
	c->ops->cancel(c, force);
}

static void
free_check(struct check *c)
{
	c->ops->free(c);
	check_def_free(&c->def);
	free(c);
}

/* Free retired checks whose last run has ended. */
static void
sweep_retired(struct checks *cs)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < cs->n_retired; i++) {
		struct check *c = cs->retired[i];

		if (c->running)
			cs->retired[kept++] = c;
		else
			free_check(c);
	}
	cs->n_retired = kept;
}

static void
on_timer(void *arg, mono_t now)
{
	struct checks *cs = arg;

	cs->armed = (mono_t){0}; /* by arm() at the end, whatever happens until then */
	for (uint32_t i = 0; i < cs->n_retired; i++)
		if (cs->retired[i]->running && mono_due(now, cs->retired[i]->deadline))
			time_out(cs->retired[i], now);
	sweep_retired(cs);
	for (uint32_t i = 0; i < cs->n; i++) {
		struct check *c = cs->v[i];
		usec_t early = c->running ? 0 : c->def.conf.interval_us / EARLY_FRACTION;

		if (!mono_due(mono_add(now, early), c->deadline))
			continue;
		if (c->running)
			time_out(c, now);
		else
			start(c, now);
	}
	arm(cs);
}

struct checks *
checks_new(struct loop *l, checks_report_fn *report, void *arg)
{
	struct checks *cs = agent_alloc(1, sizeof(*cs));

	*cs = (struct checks){.loop = l, .report = report, .report_arg = arg};
	cs->timer = loop_timer_add(l, on_timer, cs);
	if (getrandom(&cs->random, sizeof(cs->random), GRND_NONBLOCK) < 0)
		cs->random = loop_now(l).us;
	cs->random |= 1;
	return cs;
}

void
checks_set_runner(struct checks *cs, const struct check_runner *r)
{
	cs->runner = *r;
}

void
checks_run_ended(struct checks *cs, const struct ipc_run_ended *m)
{
	for (uint32_t i = 0; i < cs->n; i++)
		if (cs->v[i]->ops->run_ended != NULL && cs->v[i]->ops->run_ended(cs->v[i], m))
			return;
	for (uint32_t i = 0; i < cs->n_retired; i++)
		if (cs->retired[i]->ops->run_ended != NULL && cs->retired[i]->ops->run_ended(cs->retired[i], m))
			return;
}

void
checks_free(struct checks *cs)
{
	if (cs == NULL)
		return;
	for (uint32_t i = 0; i < cs->n; i++)
		free_check(cs->v[i]);
	for (uint32_t i = 0; i < cs->n_retired; i++)
		free_check(cs->retired[i]);
	net_http_free(cs->http);
	loop_timer_del(cs->timer);
	free(cs->v);
	free(cs->retired);
	free(cs);
}

/* Take the check of this very definition out of the old ones, or make a new one. */
static struct check *
keep_or_new(struct checks *cs, struct check **old, uint32_t n_old, const struct check_def *def)
{
	struct check *c;

	for (uint32_t i = 0; i < n_old; i++)
		if (old[i] != NULL && check_def_equal(&old[i]->def, def))
			return TAKE(old[i]);
	c = agent_alloc(1, sizeof(*c));
	c->checks = cs;
	c->ops = kinds[def->conf.kind];
	check_def_copy(&c->def, def);
	c->state = def->conf.initial;
	c->since = loop_now(cs->loop);
	c->next = MONO_NEVER;
	check_score_begin(c, c->since);
	return c;
}

/* Counters go on by the check's name, also where it is asked something else now. */
static void
keep_counting(struct check *c, struct check **old, uint32_t n_old)
{
	for (uint32_t i = 0; i < n_old; i++) {
		if (old[i] == NULL || strcmp(old[i]->def.conf.name, c->def.conf.name) != 0)
			continue;
		memcpy(c->runs, old[i]->runs, sizeof(c->runs));
		memcpy(c->took, old[i]->took, sizeof(c->took));
		c->took_us = old[i]->took_us;
		c->took_sum_us = old[i]->took_sum_us;
	}
}

static void
retire(struct checks *cs, struct check *c, mono_t now)
{
	c->retired = true;
	if (c->running) {
		c->deadline = c->cancelled ? c->deadline : now;
		cs->retired[cs->n_retired++] = c;
	} else {
		free_check(c);
	}
}

void
checks_configure(struct checks *cs, const char *node, const struct check_def *defs, uint32_t n)
{
	mono_t now = loop_now(cs->loop);
	struct check **old = cs->v;
	uint32_t n_old = cs->n;

	str_copy(cs->node, sizeof(cs->node), node);
	cs->v = agent_alloc(n, sizeof(struct check *));
	cs->n = n;
	for (uint32_t i = 0; i < n; i++) {
		struct check *c = keep_or_new(cs, old, n_old, &defs[i]);

		c->index = i;
		if (c->next.us == MONO_NEVER.us) {
			keep_counting(c, old, n_old);
			usec_t spread = n > CHECKS_AT_ONCE ? c->def.conf.interval_us / n * i : 0;

			c->next = mono_add(now, spread);
			c->deadline = c->next;
		}
		cs->v[i] = c;
	}
	cs->retired = reallocarray(cs->retired, (size_t)cs->n_retired + n_old + 1, sizeof(struct check *));
	ASSERT(cs->retired != NULL);
	for (uint32_t i = 0; i < n_old; i++)
		if (old[i] != NULL)
			retire(cs, old[i], now);
	free(old);
	arm(cs);
}

void
checks_run_now(struct checks *cs, uint32_t index)
{
	struct check *c = cs->v[index];

	if (c->running)
		return;
	c->next = c->deadline = loop_now(cs->loop);
	arm(cs);
}

void
check_again(struct check *c)
{
	if (!c->retired)
		checks_run_now(c->checks, c->index);
}

uint32_t
checks_count(const struct checks *cs)
{
	return cs->n;
}

const struct check *
checks_get(const struct checks *cs, uint32_t index)
{
	ASSERT(index < cs->n);
	return cs->v[index];
}
