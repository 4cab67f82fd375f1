/*
 * fuzz_agent.c - vrrpd-agent's receivers: generations from vrrpd, snapshots, events and questions of the
 * engine, and every document that is made of them.
 *
 * Right messages are made wrong where the input says so (fuzz_ipc.h). What passes the checks of values must be
 * fit to be shown: each document is whole JSON.
 */
#include "fuzz/fuzz_agent.h"

#include <jansson.h>

#include "agent/api_int.h"

#define STEPS_MAX 60

static void
check_json(struct json_out *j)
{
	size_t n;
	char *text = json_out_take(j, &n);
	json_error_t error;
	json_t *doc = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);

	if (doc == NULL)
		fprintf(stderr, "%s (line %d)\n%.*s\n", error.text, error.line, (int)n, text);
	FUZZ_CHECK(doc != NULL);
	json_decref(doc);
	free(text);
}

/* A snap_done_fn: every document. */
static void
show(struct snap_waiter *waiter, const struct snap *s, const char *why)
{
	struct fuzz_agent *w = *(struct fuzz_agent **)(waiter + 1);
	char text[LIMIT_CAUSE_TEXT];
	struct json_out j;
	size_t n;

	FUZZ_CHECK(s != NULL || why != NULL);
	free(waiter);
	if (s == NULL)
		return;
	json_out_init(&j);
	api_status_json(&j, &w->a, s, true);
	check_json(&j);
	json_out_init(&j);
	api_status_json(&j, &w->a, s, false);
	check_json(&j);
	for (uint32_t i = 0; i < s->n_instances; i++) {
		struct api_view v = api_view_of(&w->a, s, i);

		json_out_init(&j);
		api_explain_json(&j, &v);
		check_json(&j);
	}
	for (uint32_t i = 0; i < events_count(w->a.events); i++)
		(void)role_cause_text(&events_get(w->a.events, i)->cause, text, sizeof(text));
	free(api_metrics_text(&w->a, s, &n));
}

static void
ask_for_documents(struct fuzz_agent *w)
{
	struct snap_waiter *waiter = calloc(1, sizeof(*waiter) + sizeof(w));

	FUZZ_CHECK(waiter != NULL);
	*(struct fuzz_agent **)(waiter + 1) = w;
	snaps_wait(w->a.snaps, waiter, show);
}

static void
engine_says(struct fuzz_agent *w)
{
	uint8_t c = fuzz_u8(&w->in);
	uint32_t index = (c >> 4) % w->a.conf->begin.n_instances;
	union ipc_msg m = {0};

	w->engine.gen = w->a.conf->gen;
	switch (c & 7) {
	case 0:
	case 1:
		m.EVENT = (struct ipc_event){.index = index,
					     .from = ROLE_STATE_BACKUP,
					     .to = (uint8_t)(c >> 6),
					     .at_us = clock_mono().us};
		m.EVENT.cause = (struct role_cause){.reason = (uint8_t)fuzz_below(&w->in, ROLE_REASON_COUNT),
						    .name = "x",
						    .a = 5000,
						    .b = 3};
		str_copy(m.EVENT.name, sizeof(m.EVENT.name), w->a.conf->instances[index].c.name);
		fuzz_ipc_send(&w->engine, IPC_EVENT, &m);
		break;
	case 2:
		m.ASK = (struct ipc_ask){
			.index = index, .epoch = c, .ask = (uint8_t)fuzz_below(&w->in, ROLE_ASK_COUNT)};
		str_copy(m.ASK.name, sizeof(m.ASK.name), w->a.conf->instances[index].c.name);
		fuzz_ipc_send(&w->engine, IPC_ASK, &m);
		break;
	case 3:
		m.CAMPAIGN = (struct ipc_campaign){.index = index, .wanted = c >> 7, .priority = 100};
		fuzz_ipc_send(&w->engine, IPC_CAMPAIGN, &m);
		break;
	case 4:
		m.CONTROL_REPLY = (struct ipc_control_reply){.token = 1};
		fuzz_ipc_send(&w->engine, IPC_CONTROL_REPLY, &m);
		break;
	default:
		fuzz_agent_snap(w, c);
		break;
	}
}

/* Commands that the agent asked vrrpd for end; the tokens are small numbers. */
static void
parent_says(struct fuzz_agent *w)
{
	uint8_t c = fuzz_u8(&w->in);
	struct ipc_run_ended ended = {.token = 1 + (c & 15),
				      .what = IPC_RUN_COMMAND,
				      .code = c & 16 ? 1 : 0,
				      .status = c >> 5,
				      .text = "x"};
	struct ipc_trouble trouble = {.restarts = c, .last_us = clock_mono().us, .text = "the engine ended"};

	w->parent.gen = w->a.conf->gen;
	if (c & 1)
		fuzz_ipc_send(&w->parent, IPC_RUN_ENDED, &ended);
	else
		fuzz_ipc_send(&w->parent, IPC_TROUBLE, &trouble);
}

static bool
step(struct fuzz_agent *w)
{
	static const usec_t times[] = {20000, 300000, 1000000, 3000000, 60000000};
	uint8_t c = fuzz_u8(&w->in);

	if (c < 60) {
		ask_for_documents(w);
		fuzz_pass(w->a.loop, 20000);
		fuzz_agent_serve(w);
	} else if (c < 160) {
		engine_says(w);
	} else if (c < 200) {
		parent_says(w);
	} else if (c < 240) {
		fuzz_pass(w->a.loop, times[c % ARRAY_SIZE(times)]);
	} else if (c < 246) {
		w->parent.gen = w->a.conf->gen + 1;
		fuzz_agent_generation(w);
	} else {
		fuzz_agent_serve(w);
	}
	fuzz_agent_hear(w);
	return w->a.exit_status < 0 && fuzz_agent_take(w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_agent *w = calloc(1, sizeof(*w));

	FUZZ_CHECK(w != NULL);
	w->in = fuzz_in(data, size);
	fuzz_agent_open(w);
	fuzz_agent_generation(w);
	if (fuzz_agent_take(w) && w->a.conf != NULL && w->a.conf->begin.n_instances > 0)
		for (unsigned n = 0; n < STEPS_MAX && w->in.left > 0 && step(w); n++)
			;
	fuzz_pass(w->a.loop, 2000000); /* whoever waits for a snapshot is told that none comes */
	fuzz_agent_close(w);
	free(w);
	return 0;
}
