/*
 * check_script.c - kind "script": run a command, exit status 0 means up, its last line of output is for people.
 *
 * Runs in vrrpd-agent under check.c. No shell: the words of the configuration are the arguments. The command
 * gets its own process group and a clean environment; whatever is left of the group when the command ends is
 * killed, so a run leaves nothing behind unless it changes its process group itself. The command itself is also
 * killed when the agent dies. It has the agent's rights: its user, no capabilities, the same system calls
 * (sys/seccomp.h). A command of another user is run by vrrpd (struct check_runner), which has the rights; its
 * output comes here all the same.
 *
 * weight_from = "exit" is keepalived's rule of misc_dynamic (keepalived.conf(5)): 0 is good and says no weight,
 * 1 is bad, 2 to 255 are good and two more than the weight. "output": the last line is the weight.
 */
#include "agent/check.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent_util.h"
#include "agent/text.h"
#include "base/macros.h"
#include "base/strbuf.h"
#include "sys/spawn.h"

#define SCRIPT_OUTPUT_MAX  (64 * 1024) /* octets of one run that are looked at; the rest is read and dropped */
#define WEIGHT_MAX	   253
#define SCRIPT_DRAIN_READS 32 /* reads after the end: more than a pipe holds */

struct script {
	struct check *check;
	pid_t pid;	/* and process group; 0 = no run of our own */
	uint32_t token; /* of vrrpd's run; 0 = none */
	bool foreign;	/* another user's */
	int pid_fd, out_fd;
	struct loop_io *pid_io, *out_io;
	char refused[LIMIT_CHECK_TEXT]; /* why this command is never run, or "" */
	size_t len;
	char out[SCRIPT_OUTPUT_MAX];
};

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The agent has no rights to become another user: then vrrpd is to do it. */
static void
judge_user(struct script *s)
{
	const char *user = s->check->def.conf.user;
	const struct passwd *pw;
	struct strbuf b;

	if (user[0] == '\0')
		return;
	strbuf_init(&b, s->refused, sizeof(s->refused));
	pw = getpwnam(user);
	if (pw == NULL) {
		strbuf_addf(&b, "not run: there is no user \"%s\" on this host", user);
		return;
	}
	s->foreign = pw->pw_uid != geteuid();
	if (s->foreign && check_runner(s->check) == NULL)
		strbuf_addf(&b, "not run: there is nobody here who may become user \"%s\"", user);
}

static struct script *
script_of(struct check *c)
{
	struct script *s = c->priv;

	if (s != NULL)
		return s;
	s = agent_alloc(1, sizeof(*s));
	s->check = c;
	s->pid_fd = s->out_fd = -1;
	c->priv = s;
	judge_user(s);
	return s;
}

/* One read of the command's output: octets, 0 at its end, or -1. */
static ssize_t
read_output(struct script *s)
{
	char dropped[16384];
	size_t room = sizeof(s->out) - s->len;
	ssize_t n = read(s->out_fd, room > 0 ? s->out + s->len : dropped, room > 0 ? room : sizeof(dropped));

	if (n > 0 && room > 0)
		s->len += (size_t)n;
	return n;
}

static void
on_output(void *arg, int fd, bool readable, bool writable)
{
	struct script *s = arg;

	(void)fd;
	(void)readable;
	(void)writable;
	/* At its end the output stays readable for ever; the exit decides, so stop listening. */
	if (read_output(s) == 0)
		loop_io_want(s->out_io, false, false);
}

static void
close_run(struct script *s)
{
	loop_io_del(TAKE(s->pid_io));
	loop_io_del(TAKE(s->out_io));
	close_fd(&s->pid_fd);
	close_fd(&s->out_fd);
	s->pid = 0;
	s->token = 0;
}

/* What is left in the pipe. */
static void
drain_output(struct script *s)
{
	for (int i = 0; i < SCRIPT_DRAIN_READS && read_output(s) > 0; i++)
		;
}

/* The last line as the weight; a line that is none makes the check fail. */
static void
tell_weight_of_output(struct check *c, const struct script *s)
{
	char line[LIMIT_CHECK_TEXT], *end;
	long n;

	text_last_line(line, sizeof(line), s->out, s->len);
	errno = 0;
	n = strtol(line, &end, 10);
	if (end == line || *end != '\0' || errno != 0 || n < -WEIGHT_MAX || n > WEIGHT_MAX) {
		check_donef(c, false, "the last line is no number from -%d to %d: %.40s", WEIGHT_MAX,
			    WEIGHT_MAX, line);
		return;
	}
	check_set_weight(c, (int)n);
	check_donef(c, true, "weight %ld", n);
}

/* The last line as the score; likewise. */
static void
tell_score_of_output(struct check *c, const struct script *s)
{
	char line[LIMIT_CHECK_TEXT];
	int32_t score;

	text_last_line(line, sizeof(line), s->out, s->len);
	if (!score_parse(line, &score)) {
		check_donef(c, false, "the last line is no number from 0 to 100: %.40s", line);
		return;
	}
	check_set_score(c, score);
	check_donef(c, true, "reported %s", line);
}

/* `code` and `status` as in siginfo_t. */
static void
tell_result(struct check *c, const struct script *s, int code, int status)
{
	bool exited = code == CLD_EXITED;
	bool up = exited && status == 0;
	bool silent = true;

	if (up && c->def.conf.weight_from == IPC_WEIGHT_FROM_OUTPUT) {
		tell_weight_of_output(c, s);
		return;
	}
	if (up && check_text(c, "score", 0) != NULL) {
		tell_score_of_output(c, s);
		return;
	}
	if (exited && status >= 2 && c->def.conf.weight_from == IPC_WEIGHT_FROM_EXIT) {
		check_set_weight(c, status - 2);
		up = true;
	}
	for (size_t i = 0; i < s->len && silent; i++)
		silent = s->out[i] == '\n' || s->out[i] == ' ';
	if (!silent)
		check_done(c, up, s->out, s->len);
	else if (exited && up && status != 0)
		check_donef(c, up, "weight %d", status - 2);
	else if (exited)
		check_donef(c, up, "exit status %d", status);
	else
		check_donef(c, up, "killed by signal %d (%s)", status, strsignal(status));
}

static void
on_exit_of(void *arg, int fd, bool readable, bool writable)
{
	struct script *s = arg;
	siginfo_t si = {0};

	(void)fd;
	(void)readable;
	(void)writable;
	/* Not reaped yet: the group's number is still ours, so this cannot hit anybody else. */
	(void)kill(-s->pid, SIGKILL);
	if (waitid(P_PID, (id_t)s->pid, &si, WEXITED | WNOHANG) == 0 && si.si_pid == 0)
		return; /* not yet; the pidfd stays readable */
	drain_output(s);
	close_run(s);
	if (si.si_pid == 0)
		check_donef(s->check, false, "the command's exit status was lost");
	else
		tell_result(s->check, s, si.si_code, si.si_status);
}

/* vrrpd says that the command has ended, or that it was not run. */
static bool
script_run_ended(struct check *c, const struct ipc_run_ended *m)
{
	struct script *s = c->priv;

	if (s == NULL || s->token == 0 || s->token != m->token)
		return false;
	drain_output(s);
	close_run(s);
	if (m->code == 0)
		check_donef(c, false, "not run: %.*s", (int)sizeof(m->text) - 1, m->text);
	else
		tell_result(c, s, m->code, m->status);
	return true;
}

/* Start the command with `out` as its output. 0 and s->pid, or an errno. */
static int
spawn(struct script *s, int out)
{
	struct ipc_conf_check *conf = &s->check->def.conf;
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char locale[] = "LC_ALL=C";
	char check[sizeof("VRRPD_CHECK=") + LIMIT_NAME], node[sizeof("VRRPD_NODE=") + LIMIT_NODE];
	char *env[] = {path, locale, check, node, NULL};
	char *argv[LIMIT_COMMAND_ARGS + 1] = {NULL};
	const struct spawn_command c = {.argv = argv, .env = env, .out = out};
	char *word = conf->command;
	pid_t pid;

	snprintf(check, sizeof(check), "VRRPD_CHECK=%s", conf->name);
	snprintf(node, sizeof(node), "VRRPD_NODE=%s", check_node(s->check));
	for (unsigned i = 0; i < conf->n_command; i++, word += strlen(word) + 1)
		argv[i] = word;
	pid = spawn_command(&c);
	if (pid < 0)
		return (int)-pid;
	s->pid = pid;
	return 0;
}

/* Watch the started command; the pidfd becomes readable when it ends. 0 or an errno, and then it is gone. */
static int
watch(struct script *s)
{
	int err;

	s->pid_fd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	if (s->pid_fd >= 0) {
		s->pid_io = loop_io_add(check_loop(s->check), s->pid_fd, on_exit_of, s);
		s->out_io = loop_io_add(check_loop(s->check), s->out_fd, on_output, s);
		return 0;
	}
	err = errno;
	(void)kill(-s->pid, SIGKILL);
	(void)waitid(P_PID, (id_t)s->pid, NULL, WEXITED);
	return err;
}

/* Have vrrpd start it. 0 and s->token, or an errno. */
static int
start_foreign(struct script *s, int out)
{
	const struct check_runner *runner = check_runner(s->check);
	int r;

	s->token = check_token(s->check);
	r = runner->run(runner->arg, s->token, s->check->index, out);
	if (r == 0)
		s->out_io = loop_io_add(check_loop(s->check), s->out_fd, on_output, s);
	return -r;
}

/* Who the agent is, for people. */
static const char *
own_name(void)
{
	const struct passwd *pw = getpwuid(geteuid());

	return pw != NULL ? pw->pw_name : "the agent's user";
}

static void
script_start(struct check *c)
{
	struct script *s = script_of(c);
	int out[2];
	int err;

	if (s->refused[0] != '\0') {
		check_donef(c, false, "%s", s->refused);
		return;
	}
	if (pipe2(out, O_CLOEXEC) < 0) {
		check_donef(c, false, "not run: no pipe: %s", strerror(errno));
		return;
	}
	s->len = 0;
	s->out_fd = out[0];
	(void)fcntl(s->out_fd, F_SETFL, O_NONBLOCK); /* our end only: the command's end blocks as usual */
	err = s->foreign ? start_foreign(s, out[1]) : spawn(s, out[1]);
	close(out[1]);
	if (err == 0 && !s->foreign)
		err = watch(s);
	if (err != 0) {
		close_run(s);
		check_donef(c, false, "cannot run %s as %s: %s", c->def.conf.command, own_name(), strerror(err));
	}
}

static void
script_cancel(struct check *c, bool force)
{
	const struct script *s = c->priv;

	if (s->token != 0)
		check_runner(c)->kill(check_runner(c)->arg, s->token, force);
	else
		(void)kill(-s->pid, force ? SIGKILL : SIGTERM);
}

static void
script_free(struct check *c)
{
	struct script *s = c->priv;

	if (s == NULL)
		return;
	if (s->token != 0)
		check_runner(c)->kill(check_runner(c)->arg, s->token, true);
	else if (s->pid != 0)
		(void)kill(-s->pid, SIGKILL);
	close_run(s);
	free(s);
}

const struct check_ops check_script_ops = {
	.name = "script",
	.start = script_start,
	.cancel = script_cancel,
	.free = script_free,
	.run_ended = script_run_ended,
};
