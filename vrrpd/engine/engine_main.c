/*
 * engine_main.c - vrrpd-engine: the command line, the channel, the rights; the rest is engine_run.c.
 *
 * Started by vrrpd with its channel on descriptor 3. Holds NET_ADMIN and NET_RAW, runs in real time with locked
 * memory where allowed; parses no configuration, speaks no HTTP, looks up no names, writes no log to disk
 * (lines go to the parent), waits for nobody.
 */
#include "engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/macros.h"
#include "sys/log.h"
#include "sys/priv.h"

#define CHAN_FD_MAX 4096 /* numbers above cost memory */

static int
parse_options(int argc, char **argv, enum log_level *ret_level)
{
	static const struct option options[] = {{"log-level", required_argument, NULL, 'l'}, {0}};
	int level = LOG_LEVEL_INFO;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'l')
			return -EINVAL;
		level = log_level_parse(optarg);
		if (level < 0)
			return -EINVAL;
	}
	*ret_level = (enum log_level)level;
	return optind == argc ? 0 : -EINVAL;
}

/*
 * The channel under the highest number. When a process is killed, the kernel closes its last descriptors first, and
 * takes its time for packet sockets: so the parent hears of our end at once instead of at the end of that.
 */
static int
raise_channel(void)
{
	struct rlimit limit;
	int fd = -1;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		fd = fcntl(IPC_CHAN_FD, F_DUPFD_CLOEXEC, (int)MIN(limit.rlim_cur, (rlim_t)CHAN_FD_MAX) - 1);
	if (fd < 0)
		return IPC_CHAN_FD;
	close(IPC_CHAN_FD);
	return fd;
}

int
main(int argc, char **argv)
{
	struct engine e = {0};
	enum log_level level;
	int rights;
	int r;

	if (parse_options(argc, argv, &level) < 0 || !ipc_chan_is_socket(IPC_CHAN_FD)) {
		fprintf(stderr, "vrrpd-engine is started by vrrpd; run vrrpd instead.\n");
		return 2;
	}
	log_init("vrrpd-engine", level);
	rights = priv_keep(PRIV_ENGINE, NULL, false);
	engine_open(&e, raise_channel());
	if (rights < 0)
		log_warning("vrrpd-engine could not give up capabilities: %s", strerror(-rights));
	if (e.announce_fd < 0)
		log_error("cannot open a packet socket for gratuitous ARP: %s", strerror(-e.announce_fd));
	r = e.announce_fd < 0 ? e.announce_fd : loop_run(e.loop);
	engine_close(&e);
	return r < 0 ? 1 : 0;
}
