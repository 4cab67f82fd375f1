/*
 * api_page.c - GET /: the status page, for people with a browser.
 *
 * Runs in vrrpd-agent, called by api.c. The page (page.html, part of the program) is the same for everybody; what it
 * shows it reads from /v1/status and /v1/events by itself. Its headers let the browser run what the page brings and
 * nothing else, and ask nobody but this server.
 */
#include "agent/api_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/agent_util.h"

/* Found from the folder that make runs in, the top of the sources. */
__asm__(".pushsection .rodata\n"
	".global page_html\n"
	".global page_html_end\n"
	"page_html:\n"
	".incbin \"vrrpd/agent/page.html\"\n"
	"page_html_end:\n"
	".byte 0\n"
	".popsection\n");
extern const char page_html[], page_html_end[];

/*
 * The browser runs only what carries the nonce of the answer that it came with (CSP level 3, 6.7.3), so text that
 * got into the page by mistake stays text. Stands in the page wherever a nonce belongs, and has its length.
 */
#define NONCE_MARK "@@@@@@-nonce-of-this-answer-@@@@"
#define NONCE_LEN  (sizeof(NONCE_MARK) - 1)

/* NONCE_LEN hexadecimal digits and a NUL. False when the system has no random number now. */
static bool
make_nonce(char *ret)
{
	unsigned char random[NONCE_LEN / 2];

	if (getrandom(random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		return false;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(ret + 2 * i, 3, "%02x", random[i]);
	return true;
}

static void
add_headers(struct api_req *r, const char *nonce)
{
	char policy[512];

	snprintf(policy, sizeof(policy),
		 "default-src 'none'; img-src data:; style-src 'nonce-%s'; script-src 'nonce-%s'; connect-src 'self'; "
		 "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
		 "require-trusted-types-for 'script'; trusted-types 'none'",
		 nonce, nonce);
	api_add_header(r, "Content-Security-Policy", policy);
	api_add_header(r, "Referrer-Policy", "no-referrer");
}

void
api_page_get(struct api_req *r, const struct snap *s)
{
	size_t len = (size_t)(page_html_end - page_html);
	char nonce[NONCE_LEN + 1], *page, *p;

	(void)s;
	if (!make_nonce(nonce)) {
		api_reply_error(r, 503, "not yet", "the system has no random numbers yet: %s", strerror(errno));
		return;
	}
	page = agent_alloc(len, 1);
	memcpy(page, page_html, len);
	for (p = page; (p = memmem(p, len - (size_t)(p - page), NONCE_MARK, NONCE_LEN)) != NULL; p += NONCE_LEN)
		memcpy(p, nonce, NONCE_LEN);
	add_headers(r, nonce);
	api_reply_html(r, page, len);
}
