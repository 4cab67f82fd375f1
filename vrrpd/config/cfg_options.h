/*
 * cfg_options.h - the table of options: one row says everything about one option.
 *
 * Private to vrrpd/config. The table drives reading (cfg_read.c), printing (cfg_print.c), comparing (cfg_diff.c)
 * and the remedies in errors; manual page, completion and the commented conf/vrrpd.conf follow it. Holds no values:
 * those are in cfg.h's structs.
 */
#ifndef VRRPD_CONFIG_CFG_OPTIONS_H
#define VRRPD_CONFIG_CFG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/* The struct that a row's offset counts from. */
enum cfg_scope {
	CFG_SCOPE_ROOT,	    /* struct cfg */
	CFG_SCOPE_CHECK,    /* struct cfg_check */
	CFG_SCOPE_INSTANCE, /* struct cfg_instance */
	CFG_SCOPE_ADDRESS,  /* struct cfg_address */
	CFG_SCOPE_TRACK,    /* struct cfg_track */
	CFG_SCOPE_SERVICE,  /* struct cfg_service */
	CFG_SCOPE_STORE,    /* struct cfg_store */
	CFG_SCOPE_COUNT
};

enum cfg_type {
	CFG_TYPE_BOOL,	   /* bool */
	CFG_TYPE_INT,	   /* int */
	CFG_TYPE_DURATION, /* usec_t, written "10ms" */
	CFG_TYPE_WORD,	   /* an enum, written as one of `words` in the enum's order */
	CFG_TYPE_TEXT,	   /* char[size] */
	CFG_TYPE_STRING,   /* char *, NULL when not written and without default */
	CFG_TYPE_IP,	   /* struct ip_addr */
	CFG_TYPE_PREFIX,   /* struct ip_prefix */
	CFG_TYPE_GROUP,	   /* options of the same struct whose paths begin with this one's */
	CFG_TYPE_NAMED,	   /* group of named groups: array of structs that begin with char name[LIMIT_NAME] */
	CFG_TYPE_LIST,	   /* list of groups: array of structs */
	CFG_TYPE_STRINGS,  /* list of strings: char ** */
	CFG_TYPE_IPS,	   /* list of addresses: struct ip_addr * */
	CFG_TYPE_COUNT
};

/* What a TEXT or STRING may hold. Never empty. */
enum cfg_syntax {
	CFG_SYNTAX_PLAIN,  /* no control characters */
	CFG_SYNTAX_NAME,   /* letters, digits and _ . - */
	CFG_SYNTAX_IFNAME, /* what the kernel takes as the name of an interface */
	CFG_SYNTAX_PATH,   /* an absolute path */
	CFG_SYNTAX_ANY,	   /* anything: words of a command, passwords */
};

/* Rows that only some checks or instances have. */
enum cfg_only {
	CFG_ONLY_ALL, /* all have it */
	CFG_ONLY_V2,
	CFG_ONLY_V3,
	CFG_ONLY_VRRP, /* instances of this mode */
	CFG_ONLY_FOLLOW,
	CFG_ONLY_LEASE,
	CFG_ONLY_STORE, /* follow or lease */
};

struct cfg_option {
	enum cfg_scope scope;
	const char *path; /* from its scope, dots for groups inside it: "unicast.peers" */
	enum cfg_type type;
	size_t offset;	  /* of the field in the scope's struct; of the pointer for lists */
	size_t count;	  /* lists: offset of the size_t that counts the elements */
	size_t size;	  /* TEXT: octets with the NUL; LIST and NAMED: octets of one element */
	size_t flag;	  /* 1 + offset of a bool that becomes true when the option is written; 0 = none */
	size_t content;	  /* STRING that names a file of secrets: 1 + offset of the char * with its content; 0 = none */
	int64_t def;	  /* default of BOOL, INT, WORD, DURATION (microseconds) */
	int64_t min, max; /* values; lists: how many elements; STRING: octets, 0 = no maximum */
	int64_t step;	  /* DURATION: a multiple of this; 0 = any */
	bool zero;	  /* DURATION: 0 is allowed below min */
	bool required;	  /* in its scope, or in its group when that is written */
	bool secret;	  /* never quoted in an error; masked by cfg_print_public */
	bool shorthand;	  /* a list element that is no group means this option */
	bool one;	  /* STRINGS: a string alone is a list of one */
	bool compact;	  /* lists: elements are printed on one line each */
	bool restart;	  /* a reload does not change it, a restart does */
	enum cfg_only only;
	uint32_t kinds; /* checks: bit per kind that has it; 0 = all */
	enum cfg_syntax syntax;
	enum cfg_scope sub;	     /* LIST and NAMED: scope of the elements */
	const char *const *words;    /* WORD: NULL-terminated */
	const char *later;	     /* WORD: words of other versions of vrrpd, each between spaces */
	const char *text;	     /* default of STRING; of others a default that is computed, in words */
	const char *unit;	     /* INT: what is counted, or NULL */
	const char *example;	     /* a value as it is written in the file */
	const char *alias;	     /* keepalived's words for it, each between spaces */
	bool (*shown)(const void *); /* printed for this object? NULL: when it is set */
	const char *help;
};

/* The rows in the order of printing; groups come right before their members. NULL beyond the last. */
const struct cfg_option *cfg_option_at(size_t i);

/* The row of `prefix` + "." + `name` (prefix "" = none) in a scope, or NULL. */
const struct cfg_option *cfg_option_find(enum cfg_scope scope, const char *prefix, const char *name);

/* True when the row is directly below `prefix` in a scope; *ret_name is then its last component. */
bool
cfg_option_below(const struct cfg_option *o, enum cfg_scope scope, const char *prefix, const char **ret_name);

/* The list row whose elements have this scope, its shorthand row; NULL when there is none. */
const struct cfg_option *cfg_option_shorthand(enum cfg_scope scope);

/* True when an object of the row's scope has this option (kind of a check, version of an instance). */
bool cfg_option_applies(const struct cfg_option *o, const void *obj);

/* True when there is a value to print. */
bool cfg_option_is_set(const struct cfg_option *o, const void *obj);

/*
 * Is the value the same in two objects of its scope? Not for groups and lists of groups or addresses, which have no
 * value as a whole: true.
 */
bool cfg_option_same(const struct cfg_option *o, const void *a, const void *b);

/* Is the value what the table says when nothing is written? False for what has no default there. */
bool cfg_option_is_default(const struct cfg_option *o, const void *obj);

/* Set every option of a scope to its default in a zeroed object. Allocates strings. */
void cfg_option_defaults(enum cfg_scope scope, void *obj);

/* Free every string and list of an object, not the object itself. */
void cfg_option_free(enum cfg_scope scope, void *obj);

/* Append what may be written, as a phrase after "write ": `a number from 1 to 255`. */
void cfg_option_wanted(const struct cfg_option *o, struct strbuf *s);

/* The option that was probably meant by an unknown name, relative to `prefix`, or NULL. */
const char *cfg_option_suggest(enum cfg_scope scope, const char *prefix, const char *name);

/* Append the names directly below `prefix`: "a, b or c". */
void cfg_option_names(enum cfg_scope scope, const char *prefix, struct strbuf *s);

/* Typed access to the fields of an object. */
static inline void *
cfg_field(void *obj, size_t offset)
{
	return (char *)obj + offset;
}

static inline const void *
cfg_field_of(const void *obj, size_t offset)
{
	return (const char *)obj + offset;
}

/*
 * Edit distance of two words (insert, delete, replace, swap of neighbours), case ignored; words beyond 32
 * octets count as entirely different (33). Near is a distance of at most 2 that is also below half the word.
 */
unsigned cfg_word_distance(const char *a, const char *b);
bool cfg_word_near(const char *written, const char *known, unsigned *ret_distance);

#endif
