/*
 * schema.h - tables that say what a configuration may hold. One row per key: the YAML loader, its errors,
 * --print-config and the man pages all read the row, so nothing is listed twice.
 *
 * A row's name may hold dots: "wal.segment_bytes" is the key `segment_bytes` in the mapping `wal`, so that a flat
 * C struct can have a nested file. Kinds TABLE, TABLES and TABLE_MAP nest a struct of its own.
 *
 *   static const struct cw_key_def keys[] = {
 *       {"wal.segment_bytes", CW_KEY_BYTES, offsetof(struct ingester_config, segment_bytes),
 *        .def = "64MiB", .min = "1MiB", .max = "1GiB", .doc = "Start a new WAL segment at this size."},
 *   };
 *   const struct cw_table_def ingester_table = CW_TABLE("ingester", keys, struct ingester_config);
 *
 * Ownership  Tables are static and const. What a loaded struct points to lives in the arena of the load.
 * Errors     A row that contradicts itself (a default out of bounds) is our bug: cw_schema_check() for tests.
 */
#ifndef CW_CONFIG_SCHEMA_H
#define CW_CONFIG_SCHEMA_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* The kind, and the type of the member at the row's offset. */
enum cw_key_kind {
    CW_KEY_STRING,    /* struct cw_str, ended by a NUL that is not counted; never NULL */
    CW_KEY_BOOL,      /* bool */
    CW_KEY_INT,       /* int64_t */
    CW_KEY_FLOAT,     /* double */
    CW_KEY_BYTES,     /* int64_t: "64MiB", "64MB" (the same, as in Loki), "1.5GB", "4096" */
    CW_KEY_DURATION,  /* int64_t nanoseconds: "1h30m", "1.5s", "7d", "0" */
    CW_KEY_ENUM,      /* int: index into .names */
    CW_KEY_STRINGS,   /* struct cw_config_strings */
    CW_KEY_MAP,       /* struct cw_config_map: text to text, in the order of the file */
    CW_KEY_TABLE,     /* the struct of .table, in place */
    CW_KEY_TABLES,    /* struct cw_config_tables: a list of structs of .table */
    CW_KEY_TABLE_MAP, /* struct cw_config_table_map: names to structs of .table */
    CW_KEY_IGNORED,   /* nothing: any value is accepted, a warning quotes .doc as the reason */
};

struct cw_config_strings {
    struct cw_str *items;
    size_t n;
};
struct cw_config_pair {
    struct cw_str name, value;
};
struct cw_config_map {
    struct cw_config_pair *items;
    size_t n;
};
struct cw_config_tables {
    void *items; /* n structs, one behind the other */
    size_t n;
};
struct cw_config_table_map {
    struct cw_str *names;
    void *items; /* items[i] belongs to names[i] */
    size_t n;
};

/* A rule that a row cannot say, for the value at `value`. Its error is told with the place in the file: of a table, that of the key
 * which the sentence begins with. Of a table, 1: it is good for nothing, and a warning quotes err's text as the reason. */
typedef int (*cw_key_check_fn)(const void *value, struct cw_err *err);

enum cw_key_flag {
    CW_KEY_REQUIRED = 1,    /* its absence is an error */
    CW_KEY_SECRET = 2,      /* --print-config shows <secret> */
    CW_KEY_ONE_OR_LIST = 4, /* STRINGS: a single text will do; it is split at commas */
    CW_KEY_REFUSED = 8,     /* IGNORED: not accepted after all; the error quotes .doc: what to do */
    CW_KEY_RELOADED =
        16, /* a reload puts the new value in force; without it the program's start did */
};

struct cw_table_def;
struct cw_key_def {
    const char *name;
    enum cw_key_kind kind;
    size_t offset;
    const char *def; /* as a user writes it; NULL is 0, false, empty. STRINGS: split at commas */
    const char *min, *max;    /* INT, FLOAT, BYTES, DURATION: as a user writes them, inclusive */
    const char *doc;          /* whole sentences */
    const char *const *names; /* ENUM: ended by NULL */
    const struct cw_table_def *table; /* TABLE, TABLES, TABLE_MAP */
    unsigned flags;                   /* cw_key_flag */
    cw_key_check_fn check;            /* may be NULL */
    cw_key_check_fn check_name;       /* TABLE_MAP: of each name, a struct cw_str; may be NULL */
    size_t seen;    /* CW_KEY_AT(member): a bool, true when the file had the key */
    size_t inherit; /* TABLE_MAP: CW_KEY_AT(member) of the struct that its items start as */
};
#define CW_KEY_AT(type, member) (offsetof(type, member) + 1) /* + 1: 0 means none */

struct cw_table_def {
    const char *name; /* for people: "scrape_config" */
    const struct cw_key_def *keys;
    size_t nkeys;
    size_t size; /* of the C struct */
    bool
        one_of; /* a mapping holds exactly one of the keys, all of which have `seen`; no other is printed */
    cw_key_check_fn check; /* rules between keys, after all are read; may be NULL */
    size_t
        line; /* CW_KEY_AT(member): a size_t, the line of the file where it begins, from 1; 0: it is in none */
};
#define CW_TABLE(table_name, rows, type)                                                           \
    {                                                                                              \
        .name = (table_name), .keys = (rows), .nkeys = sizeof(rows) / sizeof((rows)[0]),           \
        .size = sizeof(type)                                                                       \
    }

/* Fill `out` with the defaults of all keys (`seen` members false, lists and maps empty or as `def` says). */
void cw_schema_defaults(const struct cw_table_def *table, struct cw_arena *arena, void *out);
/* The effective configuration as YAML. It loads back to the same values, but for secrets, and read without ${}. */
void cw_schema_print(const struct cw_table_def *table, const void *values, struct cw_buf *out);
/* For a reload: of `loaded`, keys of the table without CW_KEY_RELOADED are set to what is `in_force`. Those that differed are named in
 * *kept, with ", " between them. Such keys are of one value each. Texts are copied into `arena`. */
void cw_schema_keep(const struct cw_table_def *table, const void *in_force, void *loaded,
                    struct cw_arena *arena, struct cw_buf *kept);
/* Every default parses, lies within its bounds, enum names exist, no name twice. For unit tests of the tables. */
int cw_schema_check(const struct cw_table_def *table, struct cw_err *err) CW_MUST_USE;
/* The key of that table whose name is nearest to `name` below `prefix` ("" or "wal."), or NULL when none is near.
 * *len_out is the length of the one path element to show. */
const char *cw_schema_nearest(const struct cw_table_def *table, struct cw_str prefix,
                              struct cw_str name, size_t *len_out);

#endif
