/* The part of schema.h that keeps what only a start can change. */
#include <string.h>

#include "common/base/assert.h"
#include "common/config/schema.h"

static size_t value_size(enum cw_key_kind kind)
{
    switch (kind) {
    case CW_KEY_BOOL: return sizeof(bool);
    case CW_KEY_INT:
    case CW_KEY_BYTES:
    case CW_KEY_DURATION: return sizeof(int64_t);
    case CW_KEY_FLOAT: return sizeof(double);
    case CW_KEY_ENUM: return sizeof(int);
    default: return 0;
    }
}

/* Set *to to *from; were they different? */
static bool keep_value(const struct cw_key_def *key, const char *from, char *to,
                       struct cw_arena *arena)
{
    if (key->kind == CW_KEY_STRING) {
        const struct cw_str *old = (const void *)from;
        struct cw_str *new = (void *)to;
        if (cw_str_eq(*old, *new))
            return false;
        *new = cw_arena_dup(arena, *old);
        return true;
    }
    size_t size = value_size(key->kind);
    CW_ASSERT(size > 0);
    if (memcmp(from, to, size) == 0)
        return false;
    memcpy(to, from, size);
    return true;
}

void cw_schema_keep(const struct cw_table_def *table, const void *in_force, void *loaded,
                    struct cw_arena *arena, struct cw_buf *kept)
{
    for (size_t i = 0; i < table->nkeys; i++) {
        const struct cw_key_def *key = &table->keys[i];
        if (key->kind == CW_KEY_IGNORED || (key->flags & CW_KEY_RELOADED) ||
            !keep_value(key, (const char *)in_force + key->offset, (char *)loaded + key->offset,
                        arena))
            continue;
        if (kept->len > 0)
            cw_buf_addz(kept, ", ");
        cw_buf_addz(kept, key->name);
    }
}
