/*
 * engine_filter.c - the socket filter: which packets a raw socket gets at all.
 *
 * Used by engine_sock.c. Classic BPF over a bitmap of VRIDs: a flood of foreign VRRP never wakes the advert
 * loop; it goes to the stray socket, which is looked at now and then and overflows harmlessly.
 *
 * A raw IPv4 socket's filter sees the packet from the IP header on, a raw IPv6 socket's from the VRRP message
 * on.
 */
#include "engine/engine.h"

#include <errno.h>
#include <linux/filter.h>

#include "base/macros.h"

#define VRID_OFFSET 1 /* RFC 9568 5.2: the second octet of the message */
#define WORDS	    8 /* 256 VRIDs in words of 32 bits */

/* One flag word of the bitmap. */
static uint32_t
word(const bool vrids[256], unsigned w)
{
	uint32_t bits = 0;

	for (unsigned b = 0; b < 32; b++)
		if (vrids[w * 32 + b])
			bits |= 1u << b;
	return bits;
}

int
engine_filter_attach(int fd, uint8_t family, const bool vrids[256], bool stray)
{
	struct sock_filter code[8 + WORDS * 3 + 8];
	struct sock_fprog prog = {.filter = code};
	unsigned n = 0;
	unsigned test;

	if (family == IP_FAMILY_V4) {
		code[n++] = (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0); /* X = 4 * IHL */
		code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_B | BPF_IND, VRID_OFFSET);
	} else {
		code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_B | BPF_ABS, VRID_OFFSET);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_ST, 0); /* M[0] = VRID */
	code[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 31);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_MISC | BPF_TAX, 0); /* X = bit within its word */
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_MEM, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 5); /* A = number of the word */
	test = n + WORDS * 3 - 1;
	for (unsigned w = 0; w < WORDS; w++) {
		if (w < WORDS - 1)
			code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, w, 0, 2);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, word(vrids, w));
		code[n] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, test - n - 1);
		n++;
	}
	ASSERT(n == test);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_RSH | BPF_X, 0);
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, stray ? 1 : 0, stray ? 0 : 1);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	ASSERT(n <= ARRAY_SIZE(code));
	prog.len = (unsigned short)n;
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
}
