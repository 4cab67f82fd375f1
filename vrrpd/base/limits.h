/*
 * limits.h - every maximum in the program, each with its reason.
 */
#ifndef VRRPD_BASE_LIMITS_H
#define VRRPD_BASE_LIMITS_H

#define LIMIT_NAME	       32   /* octets of a name with its NUL: fits a status column and a metric label */
#define LIMIT_IFNAME	       16   /* IFNAMSIZ of Linux, with the NUL */
#define LIMIT_NODE	       65   /* HOST_NAME_MAX + 1 */
#define LIMIT_PATH	       108  /* sun_path of a Unix socket, with the NUL */
#define LIMIT_INSTANCES	       2048 /* 255 VRIDs x 2 families x 4 interfaces */
#define LIMIT_ADDRESSES	       8192 /* of one instance, advertised and extra together */
#define LIMIT_ADDRESSES_ALL    16384 /* of one configuration: bounds the memory that the engine locks */
#define LIMIT_ADVERT_ADDRESSES 255   /* RFC 9568 5.2.5: the count is one octet */
#define LIMIT_UNICAST_PEERS    32    /* of one instance: one copy of each advert per peer */
#define LIMIT_HEARD_PEERS      16    /* remembered senders per instance; the one silent longest makes room */
#define LIMIT_CHECKS	       256   /* of one configuration */
#define LIMIT_TRACKS	       16    /* tracked objects of one instance */
#define LIMIT_STORES	       64    /* of one configuration */
#define LIMIT_ENDPOINTS	       16    /* of one store */
#define LIMIT_SERVICES	       16    /* of one instance */
#define LIMIT_COMMAND_ARGS     32    /* words of a check command */
#define LIMIT_COMMAND_BYTES    1024  /* all words of a check command with their NULs */
#define LIMIT_OPTION_TEXT      16384 /* one option of a check as text: a private key fits */
#define LIMIT_CHECK_OPTIONS    256   /* of one check, elements of lists counted singly */
#define LIMIT_CHECK_TEXT       128   /* one line of a check's result, with the NUL */
#define LIMIT_LOG_TEXT	       512   /* one log line, with the NUL */
#define LIMIT_CAUSE_TEXT       256   /* one reason as a sentence, with the NUL */
#define LIMIT_EVENTS	       100000 /* kept: some 20 MB */
#define LIMIT_SECRET	       65    /* password read from a file, with the NUL */

#endif
