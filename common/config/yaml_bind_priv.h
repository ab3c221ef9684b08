/*
 * yaml_bind_priv.h - walk a parsed YAML document along a key table and fill the C struct.
 *
 * Bounds     A document of few bytes may stand for very many nodes (aliases of aliases) or for itself (an alias
 *            within what it names): the walk counts nodes, depth and memory, and gives up past a bound. Depth and
 *            anchors of the text itself are bounded before libyaml composes it, as its time grows with their squares.
 */
#ifndef CW_CONFIG_YAML_BIND_PRIV_H
#define CW_CONFIG_YAML_BIND_PRIV_H
#include <yaml.h>
#include "common/config/yaml_expand.h"

enum {
    CW_YAML_DEPTH_MAX = 64,     /* no table of ours nests deeper than eight */
    CW_YAML_ANCHORS_MAX = 4096, /* a file that repeats itself has tens */
    /* Visits; a file of the largest size has fewer nodes that mean something. */
    CW_YAML_NODES_MAX = 1 << 20,
    CW_YAML_MEMORY_MAX_BYTES = 64 << 20, /* what the values may take */
};

struct cw_yaml_bind {
    const char *name; /* of the file, in messages */
    const struct cw_yaml_source *source;
    yaml_document_t *document;
    struct cw_arena *arena;
    struct cw_config_problems *problems;
    size_t nnodes;
    size_t start_bytes; /* of the arena */
    bool gave_up;       /* a bound was passed: one problem says so, and nothing more is read */
};

/* The document's root into `out`, which holds the defaults. Problems are added; there is no other result. */
void cw_yaml_bind_root(struct cw_yaml_bind *bind, const struct cw_table_def *table, void *out);
/* A root that is a list, into a struct cw_config_tables. */
void cw_yaml_bind_root_list(struct cw_yaml_bind *bind, const struct cw_table_def *table, void *out);
/* "name:line:column: text" to the errors or the warnings. Line and column from 0. */
void cw_yaml_bind_report(struct cw_yaml_bind *bind, struct cw_str *list, size_t *n, size_t line,
                         size_t column, const char *text);

#endif
