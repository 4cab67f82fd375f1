/*
 * test_check_http.c - kind "http" and net_http.c against a server that says exactly what a test wants.
 *
 * TLS and the real HAProxy are in tests/netns; here is what servers rarely say, in pieces and in floods.
 */
#include "http_fake.h"

#include "agent/net_http.h"

#define HTTP(f, up, text, ...) FAKE_EXPECT(f, IPC_CHECK_HTTP, up, text __VA_OPT__(, ) __VA_ARGS__)
#define OK		       "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
#define CHUNKS                                                                                                 \
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nso\r\n4\r\n ok\n\r\n0\r\nT: v\r\n\r\n"

static struct fake fake; /* one at a time */

static int
setup(void **state)
{
	(void)state;
	fake_start(&fake);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fake_stop(&fake);
	return 0;
}

static void
test_status_sets(void **state)
{
	static const struct {
		const char *answer, *set, *text;
		bool up;
	} rows[] = {
		{"HTTP/1.1 200 OK\r\n\r\n", NULL, "status 200", true},
		{"HTTP/1.0 299 Odd\r\n\r\n", NULL, "status 299", true},
		{"HTTP/1.1 300 Many\r\n\r\n", NULL, "status 300, wanted 200-299 (redirects are not followed)",
		 false},
		{"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "200",
		 "status 302, wanted 200 (redirects are not followed)", false},
		{"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "301-302", "status 302", true},
		{"HTTP/1.1 404 No\r\n\r\n", "200,404", "status 404", true},
		{"HTTP/1.1 404 No\r\n\r\n", "200,400-403,405", "status 404, wanted 200,400-403,405", false},
		{"HTTP/1.1 503 No\r\n\r\nok", "200-204,503-599", "status 503", true},
		{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", NULL, "status 200", true},
		{"HTTP/1.1 204 None\r\n\r\n", NULL, "status 204", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *options[] = {rows[i].set != NULL ? "status" : NULL, rows[i].set, NULL};
		struct fake_result got;

		fake_says(&fake, rows[i].answer);
		fake_check(&fake, IPC_CHECK_HTTP, options, &got);
		assert_string_equal(got.text, rows[i].text);
		assert_int_equal(got.up, rows[i].up);
	}
}

static void
test_body(void **state)
{
	static const char *const answers[] = {OK, CHUNKS, "HTTP/1.0 200 OK\r\n\r\nit is ok"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		fake_says(&fake, answers[i]);
		HTTP(&fake, true, "status 200, the body holds the text", "body", "ok");
		HTTP(&fake, false, "status 200, but the body does not hold the text", "body", "OK");
		fake.piece = 1;
		HTTP(&fake, true, "status 200, the body holds the text", "body", "ok");
	}
	/* a NUL before it */
	fake_says(&fake, "");
	fake.answer = "HTTP/1.0 200 OK\r\n\r\n\0\0ok";
	fake.len = 23;
	HTTP(&fake, true, "status 200, the body holds the text", "body", "ok");
	fake_says(&fake, "HTTP/1.0 200 OK\r\n\r\n");
	HTTP(&fake, false, "status 200, but the body does not hold the text", "body", "ok");
}

static void
test_what_is_asked(void **state)
{
	char url[128];

	(void)state;
	fake_says(&fake, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
	HTTP(&fake, true, "status 200", "method", "HEAD");
	assert_memory_equal(fake.asked, "HEAD /x HTTP/1.1\r\n", 18);
	fake_says(&fake, OK);
	HTTP(&fake, true, "status 200", "method", "OPTIONS");
	assert_memory_equal(fake.asked, "OPTIONS /x HTTP/1.1\r\n", 21);
	/* user:pass */
	HTTP(&fake, true, "status 200", "username", "user", "password", "pass");
	assert_non_null(strstr(fake.asked, "\r\nAuthorization: Basic dXNlcjpwYXNz\r\n"));
	assert_non_null(strstr(fake.asked, "\r\nUser-Agent: vrrpd/"));
	/* A proxy of the environment is none of ours. */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	HTTP(&fake, true, "status 200");
	unsetenv("http_proxy");
	snprintf(url, sizeof(url), "http://localhost:%u/a?b=c", fake.port);
	HTTP(&fake, true, "status 200", "url", url);
	assert_memory_equal(fake.asked, "GET /a?b=c HTTP/1.1\r\n", 21);
}

static void
test_unix_socket(void **state)
{
	char url[256];

	(void)state;
	fake_says(&fake, OK);
	snprintf(url, sizeof(url), "unix:%s:/a/b?c=d", fake.path);
	HTTP(&fake, true, "status 200", "url", url);
	assert_memory_equal(fake.asked, "GET /a/b?c=d HTTP/1.1\r\nHost: localhost\r\n", 40);
	snprintf(url, sizeof(url), "unix:%s", fake.path);
	HTTP(&fake, true, "status 200", "url", url);
	assert_memory_equal(fake.asked, "GET / HTTP/1.1\r\n", 16);
	HTTP(&fake, false, "no answer: No such file or directory", "url", "unix:/nowhere/s.sock:/");
	snprintf(url, sizeof(url), "unix:/%0200d:/", 0);
	HTTP(&fake, false, "no answer: the path of the socket is too long", "url", url);
}

static void
test_no_answer(void **state)
{
	(void)state;
	fake_says(&fake, "");
	HTTP(&fake, false, "no answer: the server closed the connection without an answer");
	fake_says(&fake, "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nok");
	HTTP(&fake, false, "no answer: the server closed the connection in the middle of its answer");
	fake_says(&fake, "SSH-2.0-OpenSSH_9.2\r\n");
	HTTP(&fake, false, "no answer: the answer is no HTTP");
	fake_says(&fake, "HTTP/1.1 20x OK\r\n\r\n");
	HTTP(&fake, false, "no answer: the answer is no HTTP");
	fake_says(&fake, "HTTP/1.1 999 Odd\r\n\r\n");
	HTTP(&fake, false, "no answer: the answer is no HTTP");
	fake_says(&fake, "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nok");
	fake.how = FAKE_RESET;
	HTTP(&fake, false, "no answer: Recv failure: Connection reset by peer");
	HTTP(&fake, false, "no answer: Connection refused", "url", "http://127.0.0.1:1/");
	HTTP(&fake, false, "no answer: the URL is none", "url", "http://[::1/");
}

static void
test_silence(void **state)
{
	struct fake_result got;

	(void)state;
	fake.how = FAKE_SILENT;
	fake_check(&fake, IPC_CHECK_HTTP, (const char *[]){"timeout", "200000", NULL}, &got);
	assert_string_equal(got.text, "no result within 200 ms");
	assert_int_equal(got.kind, CHECK_RESULT_TIMEOUT);
	/* The connection is closed at once: the server's thread goes on to the next client. */
	fake_says(&fake, OK);
	HTTP(&fake, true, "status 200");
}

/* More than is looked at ends the request; what came before counts. */
static void
test_floods(void **state)
{
	struct fake_result got;

	(void)state;
	fake_says(&fake, "HTTP/1.1 200 OK\r\n\r\nok.");
	fake.how = FAKE_FOR_EVER;
	HTTP(&fake, true, "status 200, the body holds the text", "body", "ok");
	HTTP(&fake, true, "status 200");
	HTTP(&fake, false, "status 200, but the body's first 64 KiB do not hold the text", "body", "no");
	fake_says(&fake, "HTTP/1.1 200 OK\r\nX: y");
	fake.how = FAKE_FOR_EVER;
	fake_check(&fake, IPC_CHECK_HTTP, NULL, &got);
	assert_false(got.up);
	assert_int_equal(got.kind, CHECK_RESULT_DOWN);
	assert_non_null(strstr(got.text, "header"));
	assert_true(fake.sent < 64u * 1024 * 1024);
}

static void
test_endless_headers(void **state)
{
	static char text[200000] = "HTTP/1.1 200 OK\r\n";
	size_t n = strlen(text);

	(void)state;
	while (n < sizeof(text) - 100)
		n += (size_t)sprintf(text + n, "X-Padding: 0123456789\r\n");
	fake_says(&fake, text);
	HTTP(&fake, false, "no answer: the answer begins with more than 64 KiB of headers");
	fake.piece = 1460;
	HTTP(&fake, false, "no answer: the answer begins with more than 64 KiB of headers");
}

/* Random octets after a good beginning or from the start: never up without a status, never a crash. */
static void
test_garbage(void **state)
{
	static char text[3000];
	unsigned seed = 4711;

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		struct fake_result got;
		size_t at = round % 3 == 0 ? (size_t)sprintf(text, "HTTP/1.1 2") : 0;

		if (round % 3 == 1)
			at = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		for (size_t i = at; i < sizeof(text); i++)
			text[i] = (char)rand_r(&seed);
		fake_says(&fake, text);
		fake.len = at + (size_t)rand_r(&seed) % (sizeof(text) - at);
		fake_check(&fake, IPC_CHECK_HTTP, (const char *[]){"body", "not in there", NULL}, &got);
		assert_false(got.up);
		assert_true(got.text[0] != '\0');
	}
}

/* ---- net_http.c by itself ---------------------------------------------------------------------------------
 */

struct asker {
	struct loop *loop;
	struct net_http_req *req, *other;
	unsigned answers, wanted;
	bool free_in_call;
	char error[256];
	int status;
};

static void
on_answer(void *arg, const struct net_http_answer *a)
{
	struct asker *k = arg;

	k->answers++;
	k->status = a->status;
	str_copy(k->error, sizeof(k->error), a->error != NULL ? a->error : "");
	net_http_cancel(k->other); /* under way or not */
	if (k->answers < k->wanted) {
		net_http_send(k->req);
		return;
	}
	if (k->free_in_call)
		net_http_req_free(TAKE(k->req));
	loop_stop(k->loop);
}

/* Run the loop until the asker stops it, which must happen in time. */
static void
run_asker(struct asker *k)
{
	struct fake_run run = {.loop = k->loop};
	struct loop_timer *late = loop_timer_add(k->loop, fake_on_late, &run);

	loop_timer_set(late, mono_add(clock_mono(), FAKE_WAIT_US));
	assert_int_equal(loop_run(k->loop), 0);
	assert_false(run.late);
	loop_timer_del(late);
}

static void
on_other(void *arg, const struct net_http_answer *a)
{
	(void)arg;
	(void)a;
	fail_msg("a cancelled request was answered");
}

/* A socket that takes connections and never reads. */
static int
listen_mutely(uint16_t *ret_port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*ret_port = ntohs(sin.sin_port);
	return fd;
}

/* Sent again from its own answer, a second one cancelled there, freed there at last. */
static void
test_requests_from_an_answer(void **state)
{
	struct asker k = {.loop = loop_new(), .wanted = 5, .free_in_call = true};
	struct net_http *h = net_http_new(k.loop);
	char url[64];
	uint16_t mute_port;
	int mute = listen_mutely(&mute_port);
	struct net_http_ask ask = {.url = url, .path = "p?q=1"};
	const char *const headers[] = {"X-One: 1", "X-Two: 2", NULL};

	(void)state;
	fake_says(&fake, OK);
	fake.how = FAKE_KEEP;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u//", fake.port);
	ask.headers = headers;
	k.req = net_http_req_new(h, &ask, on_answer, &k);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", mute_port);
	k.other = net_http_req_new(h, &ask, on_other, NULL);
	net_http_send(k.req);
	net_http_send(k.other);
	assert_int_equal(k.answers, 0);
	run_asker(&k);
	assert_int_equal(k.answers, 5);
	assert_int_equal(fake.accepted, 5); /* a plain connection is not used again */
	assert_int_equal(fake.kept, 0);
	assert_int_equal(k.status, 200);
	assert_memory_equal(fake.asked, "GET /p?q=1 HTTP/1.1\r\n", 21);
	assert_non_null(strstr(fake.asked, "\r\nX-One: 1\r\nX-Two: 2\r\n"));
	net_http_req_free(k.other);
	net_http_free(h);
	loop_free(k.loop);
	close(mute);
}

/* What cannot be sent is answered too, but not before net_http_send() has returned; or not when cancelled. */
static void
test_requests_that_are_wrong(void **state)
{
	static const struct net_http_ask asks[] = {
		{.url = "ftp://127.0.0.1/"},
		{.url = "file:///etc/passwd"},
		{.url = "http://"},
		{.url = "https://127.0.0.1:1/", .server_name = "a b"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		struct asker k = {.loop = loop_new(), .wanted = 2};
		struct net_http *h = net_http_new(k.loop);

		k.req = net_http_req_new(h, &asks[i], on_answer, &k);
		k.other = net_http_req_new(h, &asks[i], on_other, NULL);
		net_http_send(k.other);
		net_http_cancel(k.other);
		net_http_send(k.req);
		assert_int_equal(k.answers, 0);
		run_asker(&k);
		assert_int_equal(k.answers, 2);
		assert_true(k.error[0] != '\0');
		net_http_req_free(k.req);
		net_http_send(k.other);
		net_http_req_free(k.other);
		net_http_free(h);
		loop_free(k.loop);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_status_sets),
		T(test_body),
		T(test_what_is_asked),
		T(test_unix_socket),
		T(test_no_answer),
		T(test_silence),
		T(test_floods),
		T(test_endless_headers),
		T(test_garbage),
		T(test_requests_from_an_answer),
		T(test_requests_that_are_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
