/*
 * case_packets.h - the events "advert" and "packet" of a case, and its questions about octets.
 *
 * Used by case_words.c. What passes vrrp_packet_check() goes to the instance as in the engine; the case says
 * beforehand what becomes of each packet.
 */
#ifndef TESTS_SUPPORT_CASE_PACKETS_H
#define TESTS_SUPPORT_CASE_PACKETS_H

#include "support/case_words.h"

/* advert SRC PRIORITY INTERVAL_CS [option]... [drop REASON | tell WORD...] */
bool case_packets_advert(struct case_world *w, int n, char **words);

/* packet VECTOR|HEX [drop REASON | tell WORD...]: IPv4 with its header, IPv6 with a header that is taken off.
 */
bool case_packets_packet(struct case_world *w, int n, char **words);

/* Octets of a vector, or of hex words. Returns their number or -1. */
int case_packets_octets(int n, char **words, uint8_t *buf, size_t size);

/* A discard reason from its label. */
bool case_packets_drop(const char *text, enum vrrp_drop *ret);

#endif
