/*
 * check_http.h - what the kinds of checks that speak HTTP share.
 */
#ifndef VRRPD_AGENT_CHECK_HTTP_H
#define VRRPD_AGENT_CHECK_HTTP_H

#include "agent/check.h"
#include "agent/net_http.h"

/* Fill in the URL, login and TLS as the options of the check say; the texts stay the check's. */
void check_http_ask(const struct check *c, struct net_http_ask *ret);

#endif
