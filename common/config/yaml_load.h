/*
 * yaml_load.h - read a YAML file into a C struct, bound by its table (schema.h).
 *
 * Every problem of the file is collected, each as "file:line:column: sentence": unknown and duplicate keys (with
 * the nearest name), wrong types, bounds, missing keys, and what the tables' checks say. Aliases and merge keys
 * (<<) work; what they expand to is bounded, as are depth and size.
 *
 * Ownership  `out` is the caller's struct; strings, lists and problems live in the arena.
 * Errors     CW_E_INVALID (all problems are in *problems, the first in *err), CW_E_NOT_FOUND, CW_E_IO, CW_E_TOO_LARGE.
 *            After an error `out` holds defaults and what could be read: fit for nothing but further checks.
 * Threads    None shared; getenv is read.
 */
#ifndef CW_CONFIG_YAML_LOAD_H
#define CW_CONFIG_YAML_LOAD_H
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/config/schema.h"

enum cw_yaml_expand {
    CW_YAML_EXPAND_NONE,
    CW_YAML_EXPAND_STRICT, /* ${VAR} and ${VAR:-default}; $$ is a dollar; an unset variable without default is an error */
    CW_YAML_EXPAND_PROMTAIL, /* as promtail's envsubst: \\\\ is a backslash, operators, an unset variable is empty */
};

struct cw_yaml_options {
    enum cw_yaml_expand expand;
    /* Where variables come from: NULL is the environment. Returns NULL for an unset one. */
    const char *(*lookup)(const char *name, void *arg);
    void *lookup_arg;
    size_t max_bytes; /* of the text; 0: CW_LIMIT_CONFIG_BYTES */
};

/* More are counted, not told: whoever has so many repairs some and asks again. */
enum { CW_CONFIG_PROBLEMS_MAX = 50 };

struct cw_config_problems {
    struct cw_str errors[CW_CONFIG_PROBLEMS_MAX];   /* "file:line:column: sentence", ended by NUL */
    struct cw_str warnings[CW_CONFIG_PROBLEMS_MAX]; /* keys that are accepted and ignored */
    size_t nerrors, nwarnings;                      /* in the arrays */
    size_t nmore;                                   /* problems that did not fit */
};

/* `out` is filled with the table's defaults first. `options` NULL: no expansion. `problems` may be NULL. */
int cw_yaml_load_file(const char *path, const struct cw_table_def *table,
                      const struct cw_yaml_options *options, struct cw_arena *arena, void *out,
                      struct cw_config_problems *problems, struct cw_err *err) CW_MUST_USE;
/* The same for bytes at hand; `name` stands in the messages. An empty document is all defaults. */
int cw_yaml_load_text(struct cw_str text, const char *name, const struct cw_table_def *table,
                      const struct cw_yaml_options *options, struct cw_arena *arena, void *out,
                      struct cw_config_problems *problems, struct cw_err *err) CW_MUST_USE;
/* A document that is a list of such tables, without expansion. */
int cw_yaml_load_list(struct cw_str text, const char *name, const struct cw_table_def *table,
                      struct cw_arena *arena, struct cw_config_tables *out,
                      struct cw_err *err) CW_MUST_USE;

#endif
