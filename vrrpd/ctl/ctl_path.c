/*
 * ctl_path.c - paths of the status API; see ctl_client.h.
 *
 * Runs in vrrpctl.
 */
#include <string.h>

#include "base/strbuf.h"
#include "ctl/ctl_client.h"

static void
make_path(const char *folder, const char *name, const char *rest, char *buf, size_t size)
{
	struct strbuf b;

	strbuf_init(&b, buf, size);
	strbuf_addf(&b, "%s", folder);
	for (; *name != '\0'; name++) {
		if (strchr("/?#%", *name) != NULL || *name <= ' ' || *name == 0x7f)
			strbuf_addf(&b, "%%%02x", (unsigned)(unsigned char)*name);
		else
			strbuf_addf(&b, "%c", *name);
	}
	strbuf_addf(&b, "%s", rest);
}

void
ctl_instance_path(const char *name, const char *rest, char *buf, size_t size)
{
	make_path("/v1/instances/", name, rest, buf, size);
}

void
ctl_check_path(const char *name, const char *rest, char *buf, size_t size)
{
	make_path("/v1/checks/", name, rest, buf, size);
}
