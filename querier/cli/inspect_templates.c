#include "querier/cli/inspect_templates.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/hash.h"
#include "querier/cli/inspect_part.h"

enum {
    TEXT_KEPT = 1024,   /* of a template: a stack trace is one too */
    TEXT_PRINTED = 140, /* of it: a line of a wide terminal */
    BEFORE_KEPT = 24,   /* of the text before a column */
};

static void sums_fini(struct cw_inspect_sums *sums)
{
    cw_id_map_fini(&sums->map);
    free(sums->items);
}

void cw_inspect_templates_init(struct cw_inspect_templates *t)
{
    *t = (struct cw_inspect_templates){.arena = cw_arena_new()};
    cw_id_map_init(&t->templates.map);
    cw_id_map_init(&t->columns.map);
}

void cw_inspect_templates_fini(struct cw_inspect_templates *t)
{
    sums_fini(&t->templates);
    sums_fini(&t->columns);
    cw_template_block_free(&t->block);
    cw_arena_free(&t->arena);
}

static void sum_add(struct cw_inspect_templates *t, struct cw_inspect_sums *sums,
                    struct cw_hash128 id, struct cw_inspect_sum sum)
{
    bool added = false;
    size_t i;
    struct cw_inspect_sum *to = &sums->rest;
    if (sums->n < CW_INSPECT_TEMPLATES_MAX) {
        i = cw_id_map_put(&sums->map, id, &added);
        if (added && sums->n == sums->cap) {
            sums->cap = sums->cap ? 2 * sums->cap : 256;
            sums->items = cw_mem_resize(sums->items, sums->cap * sizeof(*sums->items));
        }
        to = &sums->items[i];
    } else if (cw_id_map_find(&sums->map, id, &i)) {
        to = &sums->items[i];
    }
    if (added) {
        *to = (struct cw_inspect_sum){.text = cw_arena_dup(t->arena, sum.text), .type = sum.type};
        sums->n++;
    }
    to->count += sum.count;
    to->stored += sum.stored;
    to->blocks += sum.blocks;
}

/* ---- a block ---- */

static void templates_add(struct cw_inspect_templates *t, const struct cw_layout *layout)
{
    const uint32_t *counts = cw_template_block_counts(t->block);
    for (uint32_t i = 0; i < layout->ntemplates; i++) {
        struct cw_str text = layout->templates[i].text;
        sum_add(t, &t->templates, cw_hash128(text.ptr, text.len),
                (struct cw_inspect_sum){
                    .text = cw_str_sub(text, 0, TEXT_KEPT), .count = counts[i], .blocks = 1});
    }
}

static void columns_add(struct cw_inspect_templates *t, const struct cw_block *block,
                        const struct cw_layout *layout)
{
    bool *seen = cw_mem_array((size_t)layout->ncolumns + 1, sizeof(*seen));
    for (uint32_t i = 0; i < layout->ntemplates; i++) {
        const struct cw_template *template = &layout->templates[i];
        size_t before = 0;
        for (uint32_t s = 0; s < template->nslots; s++) {
            const struct cw_slot *slot = &layout->slots[template->first_slot + s];
            struct cw_str text = cw_str_sub(template->text, before, slot->at);
            before = slot->at + 1;
            if (seen[slot->column])
                continue;
            seen[slot->column] = true;
            size_t from = text.len > BEFORE_KEPT ? text.len - BEFORE_KEPT : 0;
            uint64_t key[] = {layout->columns[slot->column].key, slot->type};
            sum_add(
                t, &t->columns, cw_hash128(key, sizeof(key)),
                (struct cw_inspect_sum){.text = cw_str_sub(text, from, text.len),
                                        .type = slot->type,
                                        .count = cw_template_block_values(t->block, slot->column),
                                        .stored = cw_block_column(block, slot->column).stored.len,
                                        .blocks = 1});
        }
    }
    free(seen);
}

void cw_inspect_templates_add(struct cw_inspect_templates *t, const struct cw_block *block)
{
    const struct cw_layout *layout;
    struct cw_err
        ignored; /* the block's bytes are counted elsewhere, and fsck says what is wrong with them */
    if (t->block == NULL)
        t->block = cw_template_block_new();
    if (cw_template_block_open(t->block, block, &ignored) < 0 ||
        cw_template_block_layout(t->block, &layout, &ignored) < 0)
        return;
    templates_add(t, layout);
    columns_add(t, block, layout);
}

/* ---- tables ---- */

static int by_count(const void *a, const void *b)
{
    const struct cw_inspect_sum *x = a, *y = b;
    return x->count < y->count ? 1 : x->count > y->count ? -1 : cw_str_cmp(x->text, y->text);
}

static int by_stored(const void *a, const void *b)
{
    const struct cw_inspect_sum *x = a, *y = b;
    return x->stored < y->stored ? 1 : x->stored > y->stored ? -1 : by_count(a, b);
}

/* Slots by name; what a terminal could take for more than text is escaped. */
static void text_show(struct cw_str text, size_t max, struct cw_buf *out)
{
    size_t i = 0;
    for (; i < text.len && out->len < max; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        const char *slot = cw_slot_name(c);
        if (slot != NULL)
            cw_buf_addf(out, "<%s>", slot);
        else if (c < 0x20 || c >= 0x7f)
            cw_buf_addf(out, "\\x%02x", c);
        else
            cw_buf_addc(out, (char)c);
    }
    if (i < text.len)
        cw_buf_addz(out, "...");
}

static void print_text(struct cw_str text, size_t max)
{
    struct cw_buf shown;
    cw_buf_init(&shown, SIZE_MAX);
    text_show(text, max, &shown);
    printf("  %s\n", cw_buf_z(&shown));
    cw_buf_fini(&shown);
}

/* How many rows are printed, and that there are more. */
static size_t table_rows(const struct cw_inspect_sums *sums, uint64_t limit)
{
    return limit == 0 ? sums->n : CW_MIN((uint64_t)sums->n, limit);
}

static void print_more(const struct cw_inspect_sums *sums, size_t printed)
{
    if (printed < sums->n || sums->rest.blocks > 0)
        printf("  and %zu more%s\n", sums->n - printed,
               printed < sums->n ? " (--limit 0 prints all)" : "");
    if (sums->rest.blocks > 0)
        printf("  beyond %u they were only counted: %" PRIu64 "\n", CW_INSPECT_TEMPLATES_MAX,
               sums->rest.count);
}

static void print_templates(struct cw_inspect_sums *sums, uint64_t limit)
{
    qsort(sums->items, sums->n, sizeof(*sums->items), by_count);
    size_t n = table_rows(sums, limit);
    printf("\n  %10s%8s  template\n", "entries", "blocks");
    for (size_t i = 0; i < n; i++) {
        printf("  %10" PRIu64 "%8" PRIu64, sums->items[i].count, sums->items[i].blocks);
        print_text(sums->items[i].text, TEXT_PRINTED);
    }
    print_more(sums, n);
}

static void print_columns(struct cw_inspect_sums *sums, uint64_t limit)
{
    qsort(sums->items, sums->n, sizeof(*sums->items), by_stored);
    size_t n = table_rows(sums, limit);
    printf(
        "\n  %10s%11s%8s  column, behind what it stands (dictionaries are in the section text)\n",
        "values", "stored", "blocks");
    for (size_t i = 0; i < n; i++) {
        const struct cw_inspect_sum *sum = &sums->items[i];
        struct cw_buf size;
        cw_buf_init(&size, SIZE_MAX);
        if (sum->stored > 0)
            cw_inspect_size(sum->stored, &size);
        else
            cw_buf_addc(&size, '-'); /* it shares the section of small ones */
        printf("  %10" PRIu64 "%11s%8" PRIu64 "  %-7s", sum->count, cw_buf_z(&size), sum->blocks,
               cw_slot_name(sum->type));
        cw_buf_fini(&size);
        print_text(sum->text, TEXT_PRINTED);
    }
    print_more(sums, n);
}

void cw_inspect_templates_print(struct cw_inspect_templates *t, uint64_t limit)
{
    if (t->templates.n == 0)
        return;
    print_templates(&t->templates, limit);
    print_columns(&t->columns, limit);
}
