/*
 * cfg_int.h - what the files of vrrpd/config share: the text of a configuration, where each option was written,
 * and the errors found so far.
 *
 * Private to vrrpd/config and its unit test. Nothing of libconfig appears here.
 */
#ifndef VRRPD_CONFIG_CFG_INT_H
#define VRRPD_CONFIG_CFG_INT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/macros.h"
#include "config/cfg.h"
#include "config/cfg_options.h"

#define CFG_NO_NODE ((size_t)-1)

/*
 * One thing that was written in the file: an option, an element of a list, or an unknown name. Nodes form a
 * tree and stand in the order of the file, so their numbers also sort the errors.
 */
struct cfg_node {
	size_t parent; /* number of the enclosing node; CFG_NO_NODE for the whole file */
	const void
		*obj; /* struct that holds the option; of an element of a list of groups that element itself */
	const struct cfg_option
		*opt;	  /* NULL: an element of a list of groups, the whole file, or an unknown name */
	int index;	  /* place in its list counted from 0, as libconfig counts; or -1 */
	char *label;	  /* name of an element or of an unknown option; owned, or NULL */
	const char *file; /* owned by the text */
	int line;
	bool bad;     /* an error was reported here: rules across options leave it alone */
	bool missing; /* not written although required: reported in the place of its parent */
};

struct cfg_error {
	size_t node; /* for the order; 0 = the file as a whole */
	char *text;  /* owned */
};

/* The text of the file with every @include put in place. */
struct cfg_text {
	char *data; /* NUL-terminated, owned */
	size_t len, size;
	struct cfg_text_line {
		const char *file; /* one of `files` */
		int line;
	} * lines; /* of each line of `data` */
	size_t n_lines, size_lines;
	char **files; /* names as they appear in errors, owned */
	size_t n_files;
};

struct cfg_source {
	struct cfg_text text;
	size_t n_nodes, size_nodes;
	struct cfg_node *nodes;
	size_t *by_obj; /* numbers of nodes sorted by object, after cfg_source_seal */
	size_t n_errors, size_errors;
	struct cfg_error *errors;
};

/* Memory, never NULL: on exhaustion a line on stderr and abort(). cfg_grow makes room for one more element. */
void *cfg_zalloc(size_t n, size_t size);
char *cfg_strdup(const char *text);
void *cfg_grow(void *v, size_t n, size_t *size, size_t element);

/* Free whatever the source holds; it is zeroed then. */
void cfg_source_done(struct cfg_source *s);

/*
 * Read a file and what it includes (cfg_text.c). Numbers beyond 32 bits get libconfig's suffix for long ones,
 * which would otherwise be cut silently; relative names of @include start from the including file's folder. 0,
 * or -EINVAL with errors reported.
 */
int cfg_text_load(struct cfg_source *s, const char *file);

/* Add a node written at line `line` of the text (unless node->file says where); `label` is copied. Its number.
 */
size_t cfg_source_add(struct cfg_source *s, const struct cfg_node *node, const char *label, int line);

/* No more nodes come: prepare cfg_source_find. */
void cfg_source_seal(struct cfg_source *s);

/*
 * The node of option `path` of an object (NULL: of the object itself), `index` in its list or -1; CFG_NO_NODE
 * when it was not written.
 */
size_t cfg_source_find(const struct cfg_source *s, const void *obj, const char *path, int index);

/* True when the option was written; true when it, or with path NULL the object as a whole, was reported as
 * wrong. */
bool cfg_source_written(const struct cfg_source *s, const void *obj, const char *path);
bool cfg_source_bad(const struct cfg_source *s, const void *obj, const char *path);

/* Report an error at a place of a file, without an option; line 0 = the whole file. Text: "what is wrong:
 * remedy". */
void cfg_source_fail(struct cfg_source *s, const char *file, int line, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Report an error at a node, which is `bad` from now on. */
void cfg_source_error(struct cfg_source *s, size_t node, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Report an error at an option of an object, also when it was not written (then at the object's line). */
void cfg_source_at(struct cfg_source *s, const void *obj, const char *path, int index, const char *fmt, ...)
	PRINTF_LIKE(5, 6);

/* Hand the errors over in the order of the file. 0 when there are none, else -EINVAL. */
int cfg_source_errors(struct cfg_source *s, struct cfg_errors *ret);

/* Read the text with libconfig into a zeroed configuration (cfg_read.c). 0 or -EINVAL; single bad options are
 * only reported and leave their default. */
int cfg_read(struct cfg_source *s, struct cfg *c);

/* Parts of a configuration as they are printed (cfg_print.c): the value of an option that is set and no secret, a
 * string in quotes, an element of a compact list. */
void cfg_print_value(const struct cfg_option *o, const void *obj, FILE *out);
void cfg_print_string(const char *text, FILE *out);
void cfg_print_element(const struct cfg_option *o, const void *element, FILE *out);

/* A rule across options. Rules that report several things name each in its own words (cfg_rules_*.c). */
struct cfg_rule {
	const char *name;
	enum cfg_scope scope; /* run once for each object of this scope */
	const char *needs[3]; /* skipped while one of these options of the object is bad */
	void (*run)(struct cfg_source *s, struct cfg *c, void *obj);
};

/*
 * A file that only its owner may use, as text into buf (cfg_secret.c); the password variant wants a single line and
 * leaves out its end. NULL, or what is wrong, and *ret_remedy then says what to do.
 */
const char *cfg_read_secret(const char *file, char *buf, size_t size, const char **ret_remedy);
const char *cfg_read_password(const char *file, char *buf, size_t size, const char **ret_remedy);

/* The rules of one file in the order of running; NULL beyond the last. */
const struct cfg_rule *cfg_rules_root(size_t i);
const struct cfg_rule *cfg_rules_check(size_t i);
const struct cfg_rule *cfg_rules_kind(size_t i);
const struct cfg_rule *cfg_rules_instance(size_t i);
const struct cfg_rule *cfg_rules_hooks(size_t i);  /* of several scopes */
const struct cfg_rule *cfg_rules_leader(size_t i); /* of several scopes (cfg_leader.c) */

/* Defaults of a leader or lease, and its store; what reading its files has filled in, given back. */
void cfg_fill_leader(struct cfg *c, struct cfg_leader *l, enum cfg_store_loss loss);
void cfg_free_access(struct cfg_access *a);

/* What holds for every command and every user of one (cfg_rules_command.c); none is right, too. */
void cfg_rule_command(struct cfg_source *s, const void *obj, const char *path, const struct cfg_command *command,
		      const char *user);
void cfg_rule_user(struct cfg_source *s, const void *obj, const char *path, const char *user);

/* Forms of addresses that checks and stores have (cfg_rules_kind.c); NULL is right, too. */
void cfg_rule_endpoint(struct cfg_source *s, const void *obj, const char *path, int index, const char *text);
void cfg_rule_self(struct cfg_source *s, const void *obj, const char *path, const char *self);

/* Every rule, for tests; NULL beyond the last (cfg_check.c). */
const struct cfg_rule *cfg_rule_at(size_t i);

/* Run every rule and report what breaks it (cfg_check.c). */
void cfg_check(struct cfg_source *s, struct cfg *c);

/*
 * Can only root change what lies behind this absolute path: the file, every folder and every symbolic link on the way
 * (cfg_root_file.c)? 0 when it is so; 1 with the first thing on the way that others may change, and its state; -errno
 * when that cannot be looked at.
 */
int cfg_root_file(const char *path, char ret[PATH_MAX], struct stat *ret_st);

/* How many advertised addresses fit one packet of an MTU of 1500 octets. */
size_t cfg_advert_room(const struct cfg_instance *i);

/* Is it an address that a host may own: unicast and not loopback? */
bool cfg_address_usable(const struct ip_addr *a);

#endif
