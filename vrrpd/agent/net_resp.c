/*
 * net_resp.c - RESP over a connection; see net_resp.h. Runs in vrrpd-agent under the kinds redis and sentinel.
 *
 * Replies are parsed by the reader of hiredis, which is known to nobody else. It builds its values through the
 * functions below, so that our limits hold before memory is taken: "*2147483647" costs nothing.
 */
#include "agent/net_resp.h"

#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "agent/agent_util.h"
#include "agent/net_conn.h"
#include "base/strbuf.h"

/* What the reader calls the length of an array. */
#if HIREDIS_MAJOR >= 1
typedef size_t array_size_t;
#else
typedef int array_size_t;
#endif

struct net_resp {
	net_resp_fn *fn;
	void *arg;
	struct net_conn *plain; /* one of the two */
	struct net_tls *tls;
	redisReader *reader;
	size_t octets; /* of the strings of the reply that is being read */
	unsigned values;
	bool too_big;
	bool in_call; /* the user's function runs: freeing waits for its return */
	bool closed;  /* by the user */
	size_t out_len;
	char out[RESP_OUT_MAX];
};

/* ---- values, as the reader finds them ---------------------------------------------------------- */

static void
free_value(void *p)
{
	struct resp_value *v = p;

	if (v == NULL)
		return;
	for (size_t i = 0; v->items != NULL && i < v->n; i++)
		free_value(v->items[i]);
	free(v->items);
	free(v->text);
	free(v);
}

/* A new value in its place, or NULL when the reply has grown too large: then the reader gives up. */
static struct resp_value *
new_value(const redisReadTask *t, enum resp_type type, size_t octets)
{
	struct net_resp *r = t->privdata;
	struct resp_value *v;

	if (r->values >= RESP_VALUES_MAX || octets > RESP_OCTETS_MAX - r->octets) {
		r->too_big = true;
		return NULL;
	}
	r->values++;
	r->octets += octets;
	v = agent_alloc(1, sizeof(*v));
	v->type = type;
	if (t->parent != NULL)
		((struct resp_value *)t->parent->obj)->items[t->idx] = v;
	return v;
}

static void *
new_string(const redisReadTask *t, char *text, size_t n)
{
	enum resp_type type = t->type == REDIS_REPLY_ERROR    ? RESP_ERROR
			      : t->type == REDIS_REPLY_STATUS ? RESP_STATUS
							      : RESP_STRING;
	struct resp_value *v = new_value(t, type, n);

	if (v == NULL)
		return NULL;
	v->text = agent_alloc(n + 1, 1);
	memcpy(v->text, text, n);
	v->n = n;
	return v;
}

static void *
new_array(const redisReadTask *t, array_size_t n)
{
	struct net_resp *r = t->privdata;
	struct resp_value *v;

	if ((size_t)n > RESP_VALUES_MAX - r->values) {
		r->too_big = true;
		return NULL;
	}
	v = new_value(t, RESP_ARRAY, 0);
	if (v == NULL)
		return NULL;
	v->n = (size_t)n;
	v->items = agent_alloc(v->n, sizeof(struct resp_value *));
	return v;
}

static void *
new_integer(const redisReadTask *t, long long number)
{
	struct resp_value *v = new_value(t, RESP_INTEGER, 0);

	if (v != NULL)
		v->number = number;
	return v;
}

static void *
new_nil(const redisReadTask *t)
{
	return new_value(t, RESP_NIL, 0);
}

#if HIREDIS_MAJOR >= 1
/* Of RESP3, which is never asked for. */
static void *
new_double(const redisReadTask *t, double number, char *text, size_t n)
{
	(void)number;
	return new_string(t, text, n);
}

static void *
new_bool(const redisReadTask *t, int number)
{
	return new_integer(t, number);
}
#endif

/* The reader wants it writable, but does not write. */
static redisReplyObjectFunctions functions = {
	.createString = new_string,
	.createArray = new_array,
	.createInteger = new_integer,
	.createNil = new_nil,
	.freeObject = free_value,
#if HIREDIS_MAJOR >= 1
	.createDouble = new_double,
	.createBool = new_bool,
#endif
};

const char *
resp_text(const struct resp_value *v)
{
	return v != NULL && v->text != NULL ? v->text : "";
}

const struct resp_value *
resp_item(const struct resp_value *v, size_t i)
{
	return v != NULL && v->type == RESP_ARRAY && i < v->n ? v->items[i] : NULL;
}

bool
resp_is_error(const struct resp_value *v, const char *code)
{
	size_t n = code != NULL ? strlen(code) : 0;

	if (v == NULL || v->type != RESP_ERROR)
		return false;
	return code == NULL || (strncmp(v->text, code, n) == 0 && (v->text[n] == ' ' || v->text[n] == '\0'));
}

/* ---- the connection ----------------------------------------------------------------------------- */

static void
destroy(struct net_resp *r)
{
	net_conn_close(r->plain);
	net_tls_close(r->tls);
	redisReaderFree(r->reader);
	free(r);
}

/* Tell the user. False when the connection is gone afterwards. */
static bool
tell(struct net_resp *r, const struct resp_value *v, const char *wrong)
{
	r->in_call = true;
	r->fn(r->arg, v, wrong);
	r->in_call = false;
	if (!r->closed)
		return true;
	destroy(r);
	return false;
}

/* The last call. The object lives on until the user closes it, but is silent. */
static void
finish(struct net_resp *r, const char *wrong)
{
	net_conn_close(TAKE(r->plain));
	net_tls_close(TAKE(r->tls));
	(void)tell(r, NULL, wrong);
}

static void
take_data(struct net_resp *r, const char *data, size_t n)
{
	void *reply;

	if (redisReaderFeed(r->reader, data, n) != REDIS_OK) {
		finish(r, "the answer cannot be read");
		return;
	}
	for (;;) {
		bool up;

		if (redisReaderGetReply(r->reader, &reply) != REDIS_OK) {
			finish(r, r->too_big ? "the answer is too long" : "the answer is no RESP");
			return;
		}
		if (reply == NULL)
			break;
		r->octets = 0;
		r->values = 0;
		up = tell(r, reply, NULL);
		free_value(reply);
		if (!up)
			return;
	}
	if (r->reader->len - r->reader->pos > RESP_OCTETS_MAX)
		finish(r, "the answer is too long");
}

static void
on_event(void *arg, enum net_event ev, const char *data, size_t n)
{
	if (ev == NET_DATA)
		take_data(arg, data, n);
	else if (ev == NET_CLOSED)
		finish(arg, data);
}

struct net_resp *
net_resp_open(struct loop *l, const char *endpoint, const struct net_tls_conf *tls, net_resp_fn *fn, void *arg,
	      const char **ret_wrong)
{
	struct net_resp *r = agent_alloc(1, sizeof(*r));
	int err = 0;

	*r = (struct net_resp){.fn = fn, .arg = arg};
	r->reader = redisReaderCreateWithFunctions(&functions);
	ASSERT(r->reader != NULL);
	r->reader->privdata = r;
	if (tls != NULL)
		r->tls = net_tls_open(l, endpoint, tls, on_event, r);
	else
		r->plain = net_conn_open(l, endpoint, on_event, r, &err);
	if (r->tls != NULL || r->plain != NULL)
		return r;
	*ret_wrong = strerror(err);
	destroy(r);
	return NULL;
}

void
net_resp_add(struct net_resp *r, const char *const *words, unsigned n)
{
	struct strbuf b;

	strbuf_init(&b, r->out + r->out_len, sizeof(r->out) - r->out_len);
	strbuf_addf(&b, "*%u\r\n", n);
	for (unsigned i = 0; i < n; i++)
		strbuf_addf(&b, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
	ASSERT(!b.cut);
	r->out_len += b.len;
}

void
net_resp_flush(struct net_resp *r)
{
	if (r->tls != NULL)
		net_tls_send(r->tls, r->out, r->out_len);
	else if (r->plain != NULL)
		net_conn_send(r->plain, r->out, r->out_len);
	explicit_bzero(r->out, r->out_len); /* it may hold a password */
	r->out_len = 0;
}

void
net_resp_close(struct net_resp *r)
{
	if (r == NULL)
		return;
	r->closed = true;
	if (!r->in_call)
		destroy(r);
}
