/*
 * test_ctl.c - vrrpctl as a user runs it, against the real vrrpd-agent with a fake engine.
 */
#include "agent_world.h"

#include <sys/stat.h>

struct output {
	int status;
	char out[65536], err[4096];
};

static void
slurp(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, size - 1, f);
	buf[n] = '\0';
	fclose(f);
}

/* Run `vrrpctl ARGS` by a shell; prefix goes in front (environment, another user). */
static const struct output *
run_with(const struct world *w, const char *prefix, const char *args)
{
	static struct output o;
	char dir[PATH_MAX], command[4 * PATH_MAX], out[128], err[128];
	int status;

	world_build_dir(dir, sizeof(dir));
	snprintf(out, sizeof(out), "%s/out", w->dir);
	snprintf(err, sizeof(err), "%s/err", w->dir);
	snprintf(command, sizeof(command), "%s %s/vrrpctl %s >%s 2>%s", prefix, dir, args, out, err);
	status = system(command);
	assert_true(WIFEXITED(status));
	o.status = WEXITSTATUS(status);
	slurp(out, o.out, sizeof(o.out));
	slurp(err, o.err, sizeof(o.err));
	return &o;
}

static const struct output *
run(const struct world *w, const char *args)
{
	char all[512];

	snprintf(all, sizeof(all), "--socket %s %s", w->socket, args);
	return run_with(w, "", all);
}

static void
wait_for_verdict(struct world *w)
{
	mono_t deadline = mono_add(clock_mono(), WORLD_WAIT_US);

	while (w->verdict_state != IPC_CHECK_UP) {
		assert_false(mono_due(clock_mono(), deadline));
		usleep(1000);
	}
}

static void
test_status_table(void **state)
{
	struct world *w = *state;
	const struct output *o;
	const char *line;

	wait_for_verdict(w);
	o = run(w, "status");
	assert_string_equal(o->err, "");
	assert_has(o->out, "node proxy1, vrrpd " VRRPD_VERSION ", up 12 s\n"
			   "warning: the engine's memory is not locked: under memory pressure adverts may be\n"
			   "  late; allow it (CAP_IPC_LOCK, memlock) or set engine.lock_memory = false\n"

			   "INSTANCE  STATE   SINCE  PRIORITY   ACTIVE NODE  ADDRESSES\n"
			   "pg        active  4.2 s  90 of 150  this node    1/2\n"
			   "  no adverts from 10.0.0.2 for 361 ms\n"
			   "  not in place: 192.168.34.86/24 on eth0\n"
			   "  check haproxy: up for ");
	assert_has(o->out, ", weight -60: 2 of 2 servers up\n"
			   "  interface eth1: down\n"
			   "  peer 10.0.0.2: priority 90, heard 1.2 s ago\n"
			   "  peer 10.0.0.3: never heard\n"
			   "  warning: 10.0.0.2 sends the rfc5798 checksum and we send the rfc9568 one:");
	assert_has(o->out, "\nsix       fault   4.2 s  90         none heard   0/1\n"
			   "  check haproxy failed\n"
			   "  peer fe80::2: never heard\n");
	assert_has_not(o->out, "\033");
	for (line = o->out; *line != '\0'; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 80);
	assert_int_equal(o->status, 1); /* six is in fault */
}

static void
test_status_of_one(void **state)
{
	struct world *w = *state;
	const struct output *o = run(w, "status pg");

	assert_int_equal(o->status, 0);
	assert_has(o->out, "\npg  ");
	assert_has_not(o->out, "six");
	assert_has_not(o->out, "node proxy1");
	o = run(w, "status six");
	assert_int_equal(o->status, 1);
	o = run(w, "status -j pg");
	assert_int_equal(o->status, 0);
	assert_int_equal(strncmp(o->out, "{\"name\":\"pg\",", 13), 0);
}

static void
test_status_of_unknown(void **state)
{
	struct world *w = *state;
	const struct output *o = run(w, "status db");

	assert_int_equal(o->status, 3);
	assert_string_equal(o->err,
			    "vrrpctl: no such instance: no instance is named \"db\"; there are: pg, six\n");
	assert_string_equal(o->out, "");
	o = run(w, "status 'a b/c?d%'");
	assert_int_equal(o->status, 3);
	assert_has(o->err, "no instance is named \"a b/c?d%\"");
}

static void
test_status_json(void **state)
{
	struct world *w = *state;
	const struct output *o = run(w, "status -j");

	assert_int_equal(o->status, 1);
	assert_int_equal(strncmp(o->out, "{\"node\":\"proxy1\",", 17), 0);
	assert_int_equal(strcmp(o->out + strlen(o->out) - 3, "]}\n"), 0);
}

/* Colour only there, and not where it is unwelcome. */
static void
test_status_in_colour_on_a_terminal(void **state)
{
	struct world *w = *state;
	char args[2 * PATH_MAX], dir[PATH_MAX];
	const struct output *o;

	if (system("command -v script >/dev/null") != 0)
		skip();
	world_build_dir(dir, sizeof(dir));
	snprintf(args, sizeof(args),
		 "--version >/dev/null; script -qec '%s/vrrpctl --socket %s status' /dev/null", dir, w->socket);
	o = run_with(w, "env -u NO_COLOR", args);
	assert_has(o->out, "\033[32mactive\033[0m");
	assert_has(o->out, "\033[31mfault\033[0m");
	snprintf(args, sizeof(args),
		 "--version >/dev/null; NO_COLOR=1 script -qec '%s/vrrpctl --socket %s status' /dev/null", dir,
		 w->socket);
	o = run_with(w, "", args);
	assert_has(o->out, "active");
	assert_has_not(o->out, "\033");
}

static void
test_engine_silent(void **state)
{
	struct world *w = *state;
	const struct output *o;

	w->silent = true;
	o = run(w, "status");
	assert_int_equal(o->status, 1);
	assert_string_equal(
		o->err,
		"vrrpctl: engine does not answer: the engine is connected and did not answer within 1 s\n");
	o = run(w, "metrics");
	assert_int_equal(o->status, 1);
	assert_has(o->err, "engine does not answer");
}

static void
send_event(struct world *w, enum role_state to, uint64_t ms)
{
	struct ipc_event m = {
		.h.gen = w->gen, .from = ROLE_STATE_BACKUP, .to = (uint8_t)to, .at_us = clock_mono().us};

	str_copy(m.name, sizeof(m.name), "pg");
	m.cause.reason = ROLE_REASON_NO_ADVERTS;
	m.cause.addr = world_addr("10.0.0.2");
	m.cause.a = ms * USEC_PER_MS;
	assert_int_equal(ipc_chan_send(&w->engine, IPC_EVENT, &m, -1), 0);
}

static const char *
follow_args(const struct world *w)
{
	static char args[512];

	snprintf(args, sizeof(args), "--socket %s events -n 3 -f", w->socket);
	return args;
}

static unsigned
lines(const char *text)
{
	unsigned n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static void
test_events(void **state)
{
	struct world *w = *state;
	mono_t deadline = mono_add(clock_mono(), WORLD_WAIT_US);
	const struct output *o;

	for (uint64_t i = 0; i < 30; i++)
		send_event(w, ROLE_STATE_ACTIVE, i);
	do {
		o = run(w, "events -n 1000");
		assert_false(mono_due(clock_mono(), deadline));
	} while (lines(o->out) < 30);
	assert_has(o->out, "  pg  backup -> active  no adverts from 10.0.0.2 for 0 ms\n");
	o = run(w, "events");
	assert_int_equal(o->status, 0);
	assert_int_equal(lines(o->out), 20);
	assert_has_not(o->out, " 9 ms\n");
	assert_has(o->out, " 29 ms\n");
	o = run(w, "events -n 1 -j");
	assert_int_equal(strncmp(o->out, "{\"seq\":30,\"time\":\"", 18), 0);
	assert_has(o->out, "\"text\":\"no adverts from 10.0.0.2 for 29 ms\",\"priority\":0,"
			   "\"figures\":{\"address\":\"10.0.0.2\",\"ms\":29}}\n");
	assert_int_equal(lines(o->out), 1);
	o = run(w, "events -j");
	assert_int_equal(lines(o->out), 30);
	/* Following ends in order when it is told to, having said all there is. */
	o = run_with(w, "timeout -s INT 1", follow_args(w));
	assert_int_equal(lines(o->out), 3);
	assert_has(o->out, " 29 ms\n");
	assert_string_equal(o->err, "");
	assert_int_equal(o->status, 124); /* of timeout(1): it had to be told */
	o = run(w, "events -n x");
	assert_int_equal(o->status, 2);
}

static void
test_texts(void **state)
{
	struct world *w = *state;
	const struct output *o = run(w, "config");

	assert_int_equal(o->status, 0);
	assert_string_equal(o->out, "node = \"proxy1\";\n");
	o = run(w, "metrics");
	assert_int_equal(o->status, 0);
	assert_has(o->out, "vrrpd_instance_state{instance=\"pg\",state=\"active\"} 1\n");
	o = run(w, "config -j");
	assert_int_equal(o->status, 0);
	assert_string_equal(o->out, "{\"config\":\"node = \\\"proxy1\\\";\\n\"}\n");
	o = run(w, "metrics -j");
	assert_int_equal(o->status, 0);
	assert_has(o->out, "{\"name\":\"vrrpd_instance_state\",\"labels\":{\"instance\":\"pg\",\"state\":\"active\"},"
			   "\"value\":1,\"type\":\"gauge\"}");
	assert_has_not(o->out, "untyped");
}

static void
test_names_for_completion(void **state)
{
	struct world *w = *state;

	assert_string_equal(run(w, "completion --names instances")->out, "pg\nsix\n");
	assert_string_equal(run(w, "completion --names checks")->out, "haproxy\n");
	w->silent = true; /* an error of the daemon is no word to complete */
	assert_string_equal(run(w, "completion --names instances")->out, "");
	assert_string_equal(run(w, "completion --names instances")->err, "");
}

/* Everything that vrrpd --help tells can be completed. */
static void
test_completion_knows_the_daemon(void **state)
{
	char dir[PATH_MAX], command[3 * PATH_MAX];

	(void)state;
	world_build_dir(dir, sizeof(dir));
	snprintf(command, sizeof(command),
		 "ok=1; for o in $(%s/vrrpd --help | grep -o -e '--[a-z-]*' | sort -u); do "
		 "for s in bash zsh fish; do %s/vrrpctl completion $s | grep -q -e \"$o\" -e \"vrrpd.* -l ${o#--} \" || "
		 "{ echo $s lacks $o; ok=0; }; done; done; [ $ok = 1 ]",
		 dir, dir);
	assert_int_equal(system(command), 0);
}

/* Without a terminal watch is a document a line; it goes on when the daemon does not answer. */
static void
test_watch_lines(void **state)
{
	struct world *w = *state;
	char dir[PATH_MAX], args[2 * PATH_MAX];
	const struct output *o;
	const char *line;

	world_build_dir(dir, sizeof(dir));
	snprintf(args, sizeof(args), "--version >/dev/null; timeout 20 %s/vrrpctl --socket %s watch -j -n 0.1 | head -n 3",
		 dir, w->socket);
	o = run_with(w, "", args);
	assert_int_equal(lines(o->out), 3);
	for (line = o->out; *line != '\0'; line += strcspn(line, "\n") + 1)
		assert_int_equal(strncmp(line, "{\"node\":\"proxy1\",", 17), 0);
	snprintf(args, sizeof(args),
		 "--version >/dev/null; timeout 20 %s/vrrpctl --socket %s.none watch -j -n 0.1 | head -n 2", dir,
		 w->socket);
	o = run_with(w, "", args);
	assert_int_equal(lines(o->out), 2);
	assert_has(o->out, "{\"error\":\"vrrpd does not answer\",\"detail\":\"");
	assert_has(o->out, ".none does not exist: is vrrpd running");
}

static int
setup_many(void **state)
{
	*state = world_start(253);
	return 0;
}

/* Far above what it takes (a few milliseconds, see `make bench ONLY=status`), for busy machines and sanitizers. */
static void
test_status_of_many_is_quick(void **state)
{
	struct world *w = *state;
	usec_t best = USEC_INFINITY;

	for (int i = 0; i < 50 && best > 100 * USEC_PER_MS; i++) {
		mono_t start = clock_mono();

		assert_int_equal(run(w, "status")->status, 1); /* six is in fault */
		best = MIN(best, mono_since(clock_mono(), start));
	}
	assert_true(best <= 100 * USEC_PER_MS);
}

static void
test_usage(void **state)
{
	static const struct {
		const char *args;
		int status;
		const char *out, *err;
	} rows[] = {
		{"", 2, "", "usage: vrrpctl [--run-dir DIR | --socket PATH] VERB"},
		{"--help", 0, "  status [NAME]                who holds what, since when, why\n", ""},
		{"help", 0, "Exit status: 0 all well", ""},
		{"help events", 0, "usage: vrrpctl events [-n N] [-f] [-j]\n", ""},
		{"help drain", 0, "usage: vrrpctl drain [-j] [--for TIME] [--wait] NAME|--all\n", ""},
		{"help drain", 0, "\n  --for TIME       it ends by itself after this time", ""},
		{"help -j", 0, "{\"name\":\"for\",\"value\":\"TIME\",\"type\":\"duration\",", ""},
		{"help -j garp", 0, "{\"name\":\"garp\",\"usage\":\"vrrpctl garp [-j] NAME\",", ""},
		{"help nothing", 2, "", "there is no verb \"nothing\"; there are: status explain events"},
		{"help a b", 2, "", "usage: vrrpctl help [-j] [VERB]"},
		{"--version", 0, "vrrpctl " VRRPD_VERSION "\n", ""},
		{"stauts", 2, "",
		 "vrrpctl: there is no verb \"stauts\"; there are: status explain events watch drain resume takeover "
		 "priority garp check reload metrics config completion help\n"},
		{"drain", 2, "", "vrrpctl: drain wants NAME\nusage: vrrpctl drain"},
		{"drain a --all", 2, "", "vrrpctl: drain takes --all or NAME, not both\n"},
		{"drain --all --for 10", 2, "", "--for takes a time with its unit, such as 30s, 10m or 2h, not \"10\"\n"},
		{"drain --for 1.5.5m a", 2, "", "--for takes a time with its unit"},
		{"drain --for '1s&x=1' a", 2, "", "--for takes a time with its unit"},
		{"drain a --for", 2, "", "vrrpctl: drain wants a value after --for\n"},
		{"resume --all --wait", 2, "", "vrrpctl: resume does not understand \"--wait\"\n"},
		{"explain", 2, "", "usage: vrrpctl explain [-j] NAME\n"},
		{"takeover", 2, "", "usage: vrrpctl takeover [-j] [--for TIME] NAME\n"},
		{"priority a", 2, "", "vrrpctl: priority wants N|reset\n"},
		{"priority a high", 2, "", "vrrpctl: priority takes a number or the word reset, not \"high\"\n"},
		{"priority a 1 2", 2, "", "vrrpctl: priority takes no \"2\"\n"},
		{"garp", 2, "", "usage: vrrpctl garp [-j] NAME\n"},
		{"garp ''", 2, "", "vrrpctl: garp takes a word, not \"\"\n"},
		{"reload now", 2, "", "usage: vrrpctl reload [-j] [--wait] [--check]\n"},
		{"watch", 2, "", "vrrpctl: watch needs a terminal"},
		{"watch -n 0.01", 2, "", "watch -n takes a number of seconds, 0.1 to 3600, not \"0.01\"\n"},
		{"completion", 2, "", "vrrpctl: completion wants bash|zsh|fish\n"},
		{"completion csh", 2, "", "vrrpctl: completion takes bash|zsh|fish, not \"csh\"\n"},
		{"completion --names hosts", 2, "", "takes instances|checks, not \"hosts\"\n"},
		{"--socket /none/x completion --names instances", 0, "", ""},
		{"--bad status", 2, "", "unrecognized option '--bad'"},
		{"status -x", 2, "", "vrrpctl: status has no option -x\nusage: vrrpctl status [-j] [NAME]\n"},
		{"status a b", 2, "", "usage: vrrpctl status [-j] [NAME]\n"},
		{"metrics x", 2, "", "usage: vrrpctl metrics [-j]"},
		{"--socket /a --run-dir /b status", 2, "", "--run-dir and --socket exclude each other"},
	};
	struct world *w = *state;
	char path[256];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct output *o = run_with(w, "", rows[i].args);

		assert_has(o->out, rows[i].out);
		assert_has(o->err, rows[i].err);
		assert_int_equal(o->status, rows[i].status);
	}
	snprintf(path, sizeof(path), "--run-dir /%0120d status", 0);
	assert_int_equal(run_with(w, "", path)->status, 2);
	/* --run-dir finds the socket by itself. */
	snprintf(path, sizeof(path), "--run-dir %s config", w->dir);
	assert_int_equal(run_with(w, "", path)->status, 0);
}

static void
test_daemon_out_of_reach(void **state)
{
	struct world *w = *state;
	char args[256], expected[512];
	const struct output *o;

	snprintf(args, sizeof(args), "--run-dir %s/none status", w->dir);
	o = run_with(w, "", args);
	assert_int_equal(o->status, 4);
	snprintf(expected, sizeof(expected),
		 "vrrpctl: %s/none/vrrpd.sock does not exist: is vrrpd running, and is this its socket (--run-dir, "
		 "--socket)?\n",
		 w->dir);
	assert_string_equal(o->err, expected);
	ipc_chan_close(&w->parent);
	assert_int_equal(world_exit_status(w), 0);
	o = run(w, "status");
	assert_int_equal(o->status, 4);
	assert_has(o->err, "nobody listens on ");
}

static void
test_no_permission(void **state)
{
	struct world *w = *state;
	char args[256];
	const struct output *o;

	if (geteuid() != 0 || system("command -v setpriv >/dev/null") != 0)
		skip();
	assert_int_equal(chmod(w->dir, 0755), 0);
	assert_int_equal(chmod(w->socket, 0660), 0);
	snprintf(args, sizeof(args), "--socket %s status", w->socket);
	/* The shell opens the files for the output before the user changes. */
	o = run_with(w, "setpriv --reuid 65534 --regid 65534 --clear-groups", args);
	if (o->status == 126 || o->status == 127)
		skip(); /* that user cannot reach the build folder */
	assert_int_equal(o->status, 4);
	assert_has(o->err, "only root may use ");
	assert_has(o->err, "(groupadd --system vrrpd, then restart vrrpd)\n");
	assert_int_equal(chown(w->socket, (uid_t)-1, 1), 0);
	o = run_with(w, "setpriv --reuid 65534 --regid 65534 --clear-groups", args);
	assert_has(o->err, ": members of group \"");
	assert_has(o->err, "USER, then log in anew), and root\n");
	assert_int_equal(chmod(w->dir, 0700), 0);
	o = run_with(w, "setpriv --reuid 65534 --regid 65534 --clear-groups", args);
	assert_int_equal(o->status, 4);
	assert_has(o->err, "no permission to look at ");
}

/* A server that is none of ours: accepts and says nothing sensible. */
static void
test_answer_that_is_no_http(void **state)
{
	struct world *w = *state;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char path[128], args[256];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct output *o;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/odd.sock", w->dir);
	str_copy(sa.sun_path, sizeof(sa.sun_path), path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 5), 0);
	pid = fork();
	if (pid == 0) {
		int c = accept(fd, NULL, NULL);
		char buf[1024];

		if (read(c, buf, sizeof(buf)) > 0)
			(void)!write(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", 42);
		_exit(0);
	}
	snprintf(args, sizeof(args), "--socket %s status", path);
	o = run_with(w, "", args);
	assert_int_equal(o->status, 4);
	assert_has(o->err, "cut short");
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fd);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(test_status_table),
		T(test_status_of_one),
		T(test_status_of_unknown),
		T(test_status_json),
		T(test_status_in_colour_on_a_terminal),
		T(test_engine_silent),
		T(test_events),
		T(test_texts),
		T(test_names_for_completion),
		T(test_completion_knows_the_daemon),
		T(test_watch_lines),
		cmocka_unit_test_setup_teardown(test_status_of_many_is_quick, setup_many, world_teardown),
		T(test_usage),
		T(test_daemon_out_of_reach),
		T(test_no_permission),
		T(test_answer_that_is_no_http),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
