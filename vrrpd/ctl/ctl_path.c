/*
 * ctl_path.c - paths of the status API; see ctl_client.h.
 *
 * Runs in vrrpctl.
 */
#include <string.h>

#include "base/strbuf.h"
#include "ctl/ctl_client.h"

void
ctl_instance_path(const char *name, const char *rest, char *buf, size_t size)
{
	struct strbuf b;

	strbuf_init(&b, buf, size);
	strbuf_addf(&b, "/v1/instances/");
	for (; *name != '\0'; name++) {
		if (strchr("/?#%", *name) != NULL || *name <= ' ' || *name == 0x7f)
			strbuf_addf(&b, "%%%02x", (unsigned)(unsigned char)*name);
		else
			strbuf_addf(&b, "%c", *name);
	}
	strbuf_addf(&b, "%s", rest);
}
