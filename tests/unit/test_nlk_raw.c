/*
 * test_nlk_raw.c - announcements leave one end of a veth pair and arrive at the other, octet for octet.
 *
 * Needs root: every test has a network namespace of its own. The listener is a plain packet socket.
 */
#include "unit/nlk_netns.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>

static const uint8_t mac[6] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01};

static int
listen_on(const char *ifname, uint16_t ethertype)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ethertype),
		.sll_ifindex = index_of(ifname),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int size = 4 << 20;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* The next frame that arrives; the kernel's own chatter does not come from our address. */
static size_t
receive(int fd, uint8_t buf[256])
{
	double end_ms = clock_ms(CLOCK_MONOTONIC) + WAIT_MS;

	while (clock_ms(CLOCK_MONOTONIC) < end_ms) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t len;

		if (poll(&p, 1, 100) <= 0)
			continue;
		len = recv(fd, buf, 256, 0);
		if (len >= ETH_HLEN && memcmp(buf + ETH_ALEN, mac, ETH_ALEN) == 0)
			return (size_t)len;
	}
	fail_msg("no frame within %d ms", WAIT_MS);
	return 0;
}

static struct nlk_frame
garp_of(int ifindex, unsigned i)
{
	const uint8_t addr[4] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i};
	struct nlk_frame f = {.ifindex = ifindex};

	f.len = (uint8_t)nlk_frame_garp(f.data, mac, addr);
	return f;
}

static void
test_announcements_arrive_at_the_peer(void **state)
{
	static const uint8_t addr6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 7};
	struct nlk_frame frames[2];
	uint8_t buf[256];
	int fd, in4, in6;

	(void)state;
	enter_netns();
	in4 = listen_on("v1", ETH_P_ARP);
	in6 = listen_on("v1", ETH_P_IPV6);
	fd = nlk_raw_open();
	assert_true(fd >= 0);
	frames[0] = garp_of(index_of("v0"), 1);
	frames[1].ifindex = index_of("v0");
	frames[1].len = (uint8_t)nlk_frame_na(frames[1].data, mac, addr6);

	assert_int_equal(nlk_raw_send(fd, frames, 2), 2);
	assert_int_equal(receive(in4, buf), 60);
	assert_memory_equal(buf, frames[0].data, 60);
	assert_int_equal(receive(in6, buf), 86);
	assert_memory_equal(buf, frames[1].data, 86);
	close(in4);
	close(in6);
	close(fd);
}

static void
test_more_frames_than_one_call_takes(void **state)
{
	enum { N = 1000 };
	struct nlk_frame *frames;
	uint8_t buf[256];
	size_t sent = 0;
	int fd, in;

	(void)state;
	enter_netns();
	in = listen_on("v1", ETH_P_ARP);
	fd = nlk_raw_open();
	frames = calloc(N, sizeof(*frames));
	assert_non_null(frames);
	for (unsigned i = 0; i < N; i++)
		frames[i] = garp_of(index_of("v0"), i);
	while (sent < N) {
		int n = nlk_raw_send(fd, frames + sent, N - sent);

		assert_true(n >= 0);
		sent += (size_t)n;
	}
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(receive(in, buf), 60);
		assert_memory_equal(buf, frames[i].data, 60);
	}
	assert_int_equal(nlk_raw_send(fd, frames, 0), 0);
	free(frames);
	close(in);
	close(fd);
}

static void
test_failure_stops_at_its_frame(void **state)
{
	struct nlk_frame frames[4];
	int fd;

	(void)state;
	enter_netns();
	fd = nlk_raw_open();
	for (unsigned i = 0; i < 4; i++)
		frames[i] = garp_of(index_of("v0"), i);
	frames[2].ifindex = 9999;
	assert_int_equal(nlk_raw_send(fd, frames, 4), 2);
	assert_int_equal(nlk_raw_send(fd, frames + 2, 2), -ENXIO);
	assert_int_equal(nlk_raw_send(fd, frames + 3, 1), 1);

	run("ip link set v0 down");
	assert_int_equal(nlk_raw_send(fd, frames, 1), -ENETDOWN);
	close(fd);
}

static void
test_receives_nothing(void **state)
{
	struct nlk_frame frame;
	uint8_t buf[256];
	int fd, out;

	(void)state;
	enter_netns();
	fd = nlk_raw_open();
	out = nlk_raw_open();
	frame = garp_of(index_of("v1"), 1);
	assert_int_equal(nlk_raw_send(out, &frame, 1), 1);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), -1);
	assert_int_equal(errno, EAGAIN);
	close(fd);
	close(out);
}

/* A queue with room for a few frames: what does not fit is not an error, and goes later. */
static void
test_full_queue_is_no_error(void **state)
{
	static const int small = 1;
	struct nlk_frame frames[64];
	int fd, n;

	(void)state;
	enter_netns();
	/* A token bucket so slow that frames stay in the queue, and so in the socket's buffer. */
	run("tc qdisc add dev v0 root tbf rate 8kbit burst 1540 limit 100000");
	fd = nlk_raw_open();
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &(int){0}, sizeof(int)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	for (unsigned i = 0; i < 64; i++)
		frames[i] = garp_of(index_of("v0"), i);
	for (unsigned i = 0; i < 64; i++) {
		n = nlk_raw_send(fd, frames, 64);
		assert_in_range(n, 0, 63);
		if (n == 0)
			break;
	}
	assert_int_equal(n, 0);
	close(fd);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_announcements_arrive_at_the_peer),
		cmocka_unit_test(test_more_frames_than_one_call_takes),
		cmocka_unit_test(test_failure_stops_at_its_frame),
		cmocka_unit_test(test_receives_nothing),
		cmocka_unit_test(test_full_queue_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
