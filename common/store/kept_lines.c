#include "common/store/kept_lines.h"

#include <stdlib.h>
#include <string.h>

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

struct cw_labels cw_kept_lines_metadata(const struct cw_kept_lines *lines,
                                        const struct cw_kept_line *line)
{
    return (struct cw_labels){lines->pairs + line->first_pair, line->npairs};
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
    gathered->n = gathered->npairs = 0;
    gathered->too_many = false;
    cw_buf_clear(&gathered->text);
}

static bool fits(const struct cw_lines_gathered *gathered, struct cw_str line,
                 struct cw_labels metadata)
{
    size_t room = CW_KEPT_LINES_BYTES_MAX - gathered->text.len;
    if (gathered->n == CW_KEPT_LINES_MAX ||
        metadata.n > CW_KEPT_LINES_PAIRS_MAX - gathered->npairs || line.len > room)
        return false;
    room -= line.len;
    for (size_t i = 0; i < metadata.n; i++) {
        struct cw_label pair = metadata.items[i];
        if (pair.name.len > room || pair.value.len > room - pair.name.len)
            return false;
        room -= pair.name.len + pair.value.len;
    }
    return true;
}

void cw_lines_gather(struct cw_lines_gathered *gathered, uint32_t row, struct cw_str line,
                     struct cw_labels metadata)
{
    struct cw_buf *text = &gathered->text;
    gathered->too_many = gathered->too_many || !fits(gathered, line, metadata);
    if (gathered->too_many)
        return;
    gathered->items[gathered->n++] = (struct cw_kept_line){
        row, (uint32_t)text->len, (uint32_t)line.len, gathered->npairs, (uint32_t)metadata.n};
    cw_buf_adds(text, line);
    for (size_t i = 0; i < metadata.n; i++) {
        struct cw_label pair = metadata.items[i];
        gathered->pairs[gathered->npairs++] = (struct cw_gathered_pair){
            (uint32_t)text->len, (uint32_t)pair.name.len, (uint32_t)pair.value.len};
        cw_buf_adds(text, pair.name);
        cw_buf_adds(text, pair.value);
    }
}

static int compare_rows(const void *a, const void *b)
{
    const struct cw_kept_line *x = a, *y = b;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* What was gathered, into a set with memory for it. */
static void set_fill(struct cw_kept_lines *lines, const struct cw_lines_gathered *gathered)
{
    struct cw_kept_line *items = (struct cw_kept_line *)(lines->pairs + gathered->npairs);
    char *text = (char *)(items + gathered->n);
    lines->n = gathered->n;
    lines->items = items;
    lines->text = text;
    memcpy(items, gathered->items, gathered->n * sizeof(items[0]));
    if (gathered->text.len > 0)
        memcpy(text, gathered->text.ptr, gathered->text.len);
    for (uint32_t i = 0; i < gathered->npairs; i++) {
        struct cw_gathered_pair pair = gathered->pairs[i];
        const char *name = text + pair.offset;
        lines->pairs[i] = (struct cw_label){cw_str_make(name, pair.name_len),
                                            cw_str_make(name + pair.name_len, pair.value_len)};
    }
}

void cw_lines_gathered_keep(struct cw_lines_gathered *gathered, struct cw_cache_place place)
{
    size_t bytes = sizeof(struct cw_kept_lines) + gathered->npairs * sizeof(struct cw_label) +
                   gathered->n * sizeof(gathered->items[0]) + gathered->text.len;
    if (gathered->n == 0 || gathered->too_many || place.cache == NULL)
        return;
    cw_part_cache_drop(place.cache, place.slot, 1);
    if (!cw_part_cache_wants(place, bytes))
        return;
    qsort(gathered->items, gathered->n, sizeof(gathered->items[0]), compare_rows);
    struct cw_kept_lines *lines = cw_cached_new(bytes);
    set_fill(lines, gathered);
    cw_cached_unref(cw_part_cache_put(place, &lines->base));
}
