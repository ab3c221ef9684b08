/* cursor.c - references, and the lists that scans fill. */
#include "common/store/cursor.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

struct cw_source *cw_source_ref(struct cw_source *source)
{
    atomic_fetch_add_explicit(&source->refs, 1, memory_order_relaxed);
    return source;
}

void cw_source_unref(struct cw_source **handle)
{
    struct cw_source *source = *handle;
    *handle = NULL;
    if (source && atomic_fetch_sub_explicit(&source->refs, 1, memory_order_acq_rel) == 1)
        source->ops->destroy(source);
}

int cw_cursor_next(struct cw_cursor *cursor, struct cw_entry_batch *out, struct cw_err *err)
{
    return cursor->ops->next(cursor, out, err);
}

void cw_cursor_bad(struct cw_cursor *cursor, const struct cw_err *why)
{
    CW_ASSERT(cursor->ops->bad != NULL);
    cursor->ops->bad(cursor, why);
}

void cw_cursor_close(struct cw_cursor **cursor)
{
    if (*cursor)
        (*cursor)->ops->close(*cursor);
    *cursor = NULL;
}

void cw_units_add(struct cw_units *units, struct cw_unit unit)
{
    if (units->n == units->cap) {
        units->cap = units->cap ? 2 * units->cap : 32;
        units->items = cw_mem_resize(units->items, units->cap * sizeof(*units->items));
    }
    units->items[units->n++] = unit;
}

void cw_units_fini(struct cw_units *units)
{
    free(units->items);
    *units = (struct cw_units){0};
}

void cw_snapshot_fini(struct cw_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->n; i++)
        cw_source_unref(&snapshot->sources[i]);
    free(snapshot->sources);
    *snapshot = (struct cw_snapshot){0};
}
