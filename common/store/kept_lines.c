#include "common/store/kept_lines.h"

#include <stdlib.h>
#include <string.h>

const char *cw_kept_lines_text(const struct cw_kept_lines *lines)
{
    return (const char *)(lines->items + lines->n);
}

const struct cw_kept_line *cw_kept_lines_find(const struct cw_kept_lines *lines, uint32_t row)
{
    uint32_t lo = 0, hi = lines->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (lines->items[mid].row < row)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < lines->n && lines->items[lo].row == row ? &lines->items[lo] : NULL;
}

void cw_lines_gathered_init(struct cw_lines_gathered *gathered)
{
    cw_buf_init(&gathered->text, CW_KEPT_LINES_BYTES_MAX);
    cw_lines_gathered_clear(gathered);
}

void cw_lines_gathered_fini(struct cw_lines_gathered *gathered)
{
    cw_buf_fini(&gathered->text);
}

void cw_lines_gathered_clear(struct cw_lines_gathered *gathered)
{
    gathered->n = 0;
    gathered->too_many = false;
    cw_buf_clear(&gathered->text);
}

void cw_lines_gather(struct cw_lines_gathered *gathered, uint32_t row, struct cw_str line)
{
    if (gathered->n == CW_KEPT_LINES_MAX || line.len > CW_KEPT_LINES_BYTES_MAX - gathered->text.len)
        gathered->too_many = true;
    if (gathered->too_many)
        return;
    gathered->items[gathered->n++] =
        (struct cw_kept_line){row, (uint32_t)gathered->text.len, (uint32_t)line.len};
    cw_buf_adds(&gathered->text, line);
}

static int compare_rows(const void *a, const void *b)
{
    const struct cw_kept_line *x = a, *y = b;
    return x->row < y->row ? -1 : x->row > y->row;
}

void cw_lines_gathered_keep(struct cw_lines_gathered *gathered, struct cw_cache_place place)
{
    size_t items = gathered->n * sizeof(gathered->items[0]);
    size_t bytes = sizeof(struct cw_kept_lines) + items + gathered->text.len;
    if (gathered->n == 0 || gathered->too_many || place.cache == NULL)
        return;
    cw_part_cache_drop(place.cache, place.slot, 1);
    if (!cw_part_cache_wants(place, bytes))
        return;
    struct cw_kept_lines *lines = cw_cached_new(bytes);
    lines->n = gathered->n;
    qsort(gathered->items, gathered->n, sizeof(gathered->items[0]), compare_rows);
    memcpy(lines->items, gathered->items, items);
    if (gathered->text.len > 0)
        memcpy(lines->items + lines->n, gathered->text.ptr, gathered->text.len);
    cw_cached_unref(cw_part_cache_put(place, &lines->base));
}
