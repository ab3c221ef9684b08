#include "common/config/schema.h"

#include <string.h>

#include "common/base/assert.h"
#include "common/config/value.h"

static bool is_scalar(enum cw_key_kind kind)
{
    return kind <= CW_KEY_ENUM;
}

static struct cw_value_rule rule_of(const struct cw_key_def *key)
{
    return (struct cw_value_rule){key->kind, key->min, key->max, key->names};
}

static void strings_default(const char *def, struct cw_arena *arena, struct cw_config_strings *out)
{
    size_t cap = 0;
    struct cw_str rest = cw_str_of(def), piece;
    *out = (struct cw_config_strings){NULL, 0};
    while (def != NULL && cw_str_split(&rest, ',', &piece)) {
        out->items = cw_arena_grow(arena, out->items, out->n, &cap, out->n + 1, sizeof *out->items);
        out->items[out->n++] = cw_arena_dup(arena, cw_str_trim(piece));
    }
}

static void key_default(const struct cw_key_def *key, struct cw_arena *arena, char *at)
{
    if (key->kind == CW_KEY_TABLE) {
        cw_schema_defaults(key->table, arena, at);
    } else if (key->kind == CW_KEY_STRINGS) {
        strings_default(key->def, arena, (struct cw_config_strings *)at);
    } else if (key->kind == CW_KEY_STRING) {
        *(struct cw_str *)at = cw_str_of(key->def != NULL ? key->def : "");
    } else if (is_scalar(key->kind) && key->def != NULL) {
        struct cw_value_rule rule = rule_of(key);
        struct cw_err err;
        /* A default of ours that does not parse is our bug: cw_schema_check() tells which in the tests. */
        CW_ASSERT(cw_value_parse(&rule, cw_str_of(key->def), arena, at, &err) == 0);
    }
}

void cw_schema_defaults(const struct cw_table_def *table, struct cw_arena *arena, void *out)
{
    memset(out, 0, table->size);
    for (size_t i = 0; i < table->nkeys; i++)
        key_default(&table->keys[i], arena, (char *)out + table->keys[i].offset);
}

static int key_check(const struct cw_table_def *table, const struct cw_key_def *key,
                     struct cw_err *err)
{
    if (key->kind == CW_KEY_IGNORED)
        return 0;
    if (key->doc == NULL || key->doc[0] == '\0')
        return cw_err_set(err, CW_E_INVALID, "%s: no doc", key->name);
    if (key->offset >= table->size)
        return cw_err_set(err, CW_E_INVALID, "%s: offset is outside of the struct", key->name);
    if (key->kind == CW_KEY_ENUM && key->names == NULL)
        return cw_err_set(err, CW_E_INVALID, "%s: no names", key->name);
    bool nests = key->kind >= CW_KEY_TABLE && key->kind <= CW_KEY_TABLE_MAP;
    if (nests != (key->table != NULL))
        return cw_err_set(err, CW_E_INVALID, "%s: its kind and .table disagree", key->name);
    if (!is_scalar(key->kind))
        return 0;
    struct cw_value_rule rule = rule_of(key);
    const char *texts[] = {key->min, key->max, key->def};
    struct cw_arena *arena = cw_arena_new();
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < CW_COUNT(texts); i++) {
        union {
            struct cw_str str;
            int64_t i64;
            double f64;
        } value;
        if (i < 2) /* the bounds are checked as values without bounds, the default against both */
            rule.min = rule.max = NULL;
        else
            rule = rule_of(key);
        if (texts[i] != NULL)
            rc = cw_value_parse(&rule, cw_str_of(texts[i]), arena, &value, err);
    }
    cw_arena_free(&arena);
    if (rc < 0)
        cw_err_wrap(err, "%s", key->name);
    return rc;
}

/* Is `a` a whole path below which `b` lies, or the same? Then one name would be both key and mapping. */
static bool names_clash(const char *a, const char *b)
{
    size_t len = strlen(a);
    return strncmp(a, b, len) == 0 && (b[len] == '\0' || b[len] == '.');
}

/* The tables that the check is within: one that nests itself was checked where it began. */
struct within {
    const struct within *up;
    const struct cw_table_def *table;
};

static bool nests_itself(const struct within *within, const struct cw_key_def *key)
{
    for (; within != NULL; within = within->up) {
        if (within->table == key->table)
            return true;
    }
    return false;
}

static int table_check(const struct within *within, struct cw_err *err)
{
    const struct cw_table_def *table = within->table;
    for (size_t i = 0; i < table->nkeys; i++) {
        const struct cw_key_def *key = &table->keys[i];
        int rc = key_check(table, key, err);
        if (rc == 0 && table->one_of && key->seen == 0)
            rc = cw_err_set(err, CW_E_INVALID, "%s: one of several, but not .seen", key->name);
        if (rc < 0)
            return cw_err_wrap(err, "%s", table->name);
        for (size_t j = 0; j < table->nkeys; j++) {
            if (i != j && names_clash(key->name, table->keys[j].name))
                return cw_err_set(err, CW_E_INVALID, "%s: %s and %s clash", table->name, key->name,
                                  table->keys[j].name);
        }
        if (key->table != NULL && !nests_itself(within, key)) {
            rc = table_check(&(struct within){within, key->table}, err);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

int cw_schema_check(const struct cw_table_def *table, struct cw_err *err)
{
    return table_check(&(struct within){NULL, table}, err);
}

const char *cw_schema_nearest(const struct cw_table_def *table, struct cw_str prefix,
                              struct cw_str name, size_t *len_out)
{
    const char *best = NULL;
    /* Two slips in a long name, one in a short one: further away it is another word. */
    unsigned limit = name.len >= 5 ? 2 : 1, best_distance = limit + 1;
    for (size_t i = 0; i < table->nkeys; i++) {
        struct cw_str key = cw_str_of(table->keys[i].name);
        if (!cw_str_starts(key, prefix))
            continue;
        struct cw_str rest = cw_str_sub(key, prefix.len, key.len), element;
        if (!cw_str_split(&rest, '.', &element))
            continue;
        unsigned distance = cw_str_distance(name, element, limit);
        if (distance < best_distance) {
            best_distance = distance;
            best = element.ptr;
            *len_out = element.len;
        }
    }
    return best;
}
