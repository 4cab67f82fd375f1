/*
 * hook_gate.c - the gate: a command that must succeed before this node takes the addresses.
 *
 * Runs in vrrpd-agent. The engine asks (IPC_ASK), and asks again after it or the agent was started anew; a question that
 * was answered is answered again.
 */
#include "agent/hooks_int.h"

#include <string.h>

#include "base/strbuf.h"

static void on_done(struct hook_command *c, const struct hook_result *result);

void
hook_gate_init(struct hook_role *r)
{
	r->gate.command.done = on_done;
	r->gate.command.urgent = true;
	r->gate.command.arg = r;
}

static void
send_answer(struct hook_role *r)
{
	struct hook_gate *g = &r->gate;

	g->answer.h.gen = g->ask.h.gen;
	g->answer.index = g->ask.index;
	g->answer.epoch = g->ask.epoch;
	if (hooks_send(r->hooks, IPC_ANSWER, &g->answer))
		g->asked = false;
}

void
hook_gate_go_on(struct hook_role *r)
{
	struct hook_gate *g = &r->gate;
	struct ipc_run run;

	if (!g->asked || hook_command_busy(&g->command))
		return;
	if (g->answered) {
		send_answer(r);
		return;
	}
	/* The engine may have the next generation before the agent has: then its gate is known soon. */
	if (r->gate_hook.timeout_us == 0)
		return;
	g->again = false;
	hooks_fill_run(r, r->gate_hook.number, &run);
	run.state = ROLE_STATE_ACTIVE; /* what it is asked about */
	run.from = r->state;
	run.priority = g->ask.priority;
	hook_command_start(r->hooks->commands, &g->command, &run, r->gate_hook.timeout_us);
}

static void
on_done(struct hook_command *c, const struct hook_result *result)
{
	struct hook_role *r = c->arg;
	struct hook_gate *g = &r->gate;
	struct role_cause cause;

	hook_result_cause(result, "gate", &cause);
	hooks_count(r, HOOK_GATE, result);
	if (!result->cancelled)
		hooks_tell(r, hook_result_ok(result) ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, &cause, result->line);
	if (g->asked && !g->again && !result->cancelled) {
		g->answered = true;
		g->answer = (struct ipc_answer){.refused = !hook_result_ok(result)};
		hook_result_words(result, g->answer.text, sizeof(g->answer.text));
	}
	hook_gate_go_on(r);
	hooks_went_on(r);
}

void
hook_gate_forget(struct hook_role *r)
{
	r->gate.answered = false;
}

void
hook_gate_ask(struct hook_role *r, const struct ipc_ask *m)
{
	struct hook_gate *g = &r->gate;
	bool same = m->ask == ROLE_ASK_ENTER && m->epoch == g->ask.epoch && g->ask.ask == ROLE_ASK_ENTER;

	if (!same) {
		g->answered = false;
		g->again = hook_command_busy(&g->command);
		hook_command_cancel(&g->command);
	}
	g->ask = *m;
	g->asked = m->ask == ROLE_ASK_ENTER;
	hook_gate_go_on(r);
}
