/*
 * check_tcp.c - kind "tcp": connect to an address, optionally send a text and look for another in the answer.
 *
 * Runs in vrrpd-agent under check.c. The connection is closed as soon as the answer is known. At most 64 KiB of
 * it are looked at (the option's promise), piece by piece: only what may be the beginning of the expected text
 * is kept from one piece to the next, so memory stays small whatever comes. Without `expect` a connection is
 * enough.
 */
#include "agent/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_util.h"
#include "agent/net_conn.h"

#define ANSWER_MAX (64 * 1024) /* octets that are looked at */
#define EXPECT_MAX 1024	       /* longer than the option may be */

struct tcp {
	struct check *check;
	struct net_conn *conn;
	size_t seen; /* octets of the answer so far */
	size_t kept; /* in tail */
	char tail[EXPECT_MAX];
};

static void
end_run(struct tcp *t)
{
	net_conn_close(TAKE(t->conn));
}

/* Is the expected text in these octets, or across them and those before? */
static bool
found(struct tcp *t, const char *expect, const char *data, size_t n)
{
	size_t want = strlen(expect);
	size_t head = MIN(n, want - 1); /* of the new octets, what may end a text begun before */
	char seam[2 * EXPECT_MAX];
	size_t all;

	if (memmem(data, n, expect, want) != NULL)
		return true;
	memcpy(seam, t->tail, t->kept);
	memcpy(seam + t->kept, data, head);
	all = t->kept + head;
	if (memmem(seam, all, expect, want) != NULL)
		return true;
	if (n >= want - 1) {
		t->kept = want - 1;
		memcpy(t->tail, data + n - t->kept, t->kept);
	} else {
		size_t keep = MIN(all, want - 1);

		memcpy(t->tail, seam + all - keep, keep);
		t->kept = keep;
	}
	return false;
}

static void
take_data(struct tcp *t, const char *data, size_t n)
{
	struct check *c = t->check;
	const char *expect = check_text(c, "expect", 0);

	n = MIN(n, ANSWER_MAX - t->seen);
	t->seen += n;
	if (found(t, expect, data, n)) {
		end_run(t);
		check_donef(c, true, "%s answers as expected", check_text(c, "address", 0));
	} else if (t->seen == ANSWER_MAX) {
		end_run(t);
		check_donef(c, false, "%s: the expected text is not in the first 64 KiB of the answer",
			    check_text(c, "address", 0));
	}
}

/* Is a connection all that is asked for? */
static bool
expects_nothing(const struct check *c)
{
	const char *expect = check_text(c, "expect", 0);

	return expect == NULL || expect[0] == '\0';
}

static void
accepted(struct tcp *t)
{
	end_run(t);
	check_donef(t->check, true, "%s accepts connections", check_text(t->check, "address", 0));
}

static void
on_event(void *arg, enum net_event ev, const char *data, size_t n)
{
	struct tcp *t = arg;
	struct check *c = t->check;
	const char *address = check_text(c, "address", 0);

	if (ev == NET_CONNECTED && expects_nothing(c)) {
		accepted(t);
	} else if (ev == NET_DATA) {
		take_data(t, data, n);
	} else if (ev == NET_CLOSED) {
		end_run(t);
		if (data != NULL)
			check_donef(c, false, "%s: %.*s", address, (int)n, data);
		else
			check_donef(c, false, "%s closed the connection %s", address,
				    t->seen > 0 ? "without the expected text" : "without an answer");
	}
}

static void
tcp_start(struct check *c)
{
	struct tcp *t = c->priv;
	const char *address = check_text(c, "address", 0), *send = check_text(c, "send", 0);
	int err;

	if (t == NULL) {
		t = agent_alloc(1, sizeof(*t));
		t->check = c;
		c->priv = t;
	}
	t->seen = t->kept = 0;
	t->conn = net_conn_open(check_loop(c), address, on_event, t, &err);
	if (t->conn == NULL) {
		check_donef(c, false, "%s: %s", address, strerror(err));
		return;
	}
	if (send != NULL)
		net_conn_send(t->conn, send, strlen(send));
	if (expects_nothing(c) && net_conn_connected(t->conn))
		accepted(t);
}

static void
tcp_cancel(struct check *c, bool force)
{
	(void)force;
	end_run(c->priv);
	check_donef(c, false, "no answer");
}

static void
tcp_free(struct check *c)
{
	struct tcp *t = c->priv;

	if (t == NULL)
		return;
	end_run(t);
	free(t);
}

const struct check_ops check_tcp_ops = {
	.name = "tcp",
	.start = tcp_start,
	.cancel = tcp_cancel,
	.free = tcp_free,
};
