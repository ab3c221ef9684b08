#include "querier/cli/inspect_part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/store/block_reader.h"
#include "common/store/part_source.h"
#include "common/store/section_kinds.h"
#include "querier/cli/cli.h"

void cw_inspect_init(struct cw_inspect_totals *totals)
{
    *totals = (struct cw_inspect_totals){.arena = cw_arena_new()};
    cw_inspect_templates_init(&totals->templates);
}

void cw_inspect_fini(struct cw_inspect_totals *totals)
{
    free(totals->streams);
    free(totals->slots);
    cw_inspect_templates_fini(&totals->templates);
    cw_arena_free(&totals->arena);
}

/* ---- streams ---- */

static uint32_t *slot_of(const struct cw_inspect_totals *t, struct cw_hash128 id)
{
    size_t i = id.lo & (t->nslots - 1);
    while (t->slots[i] != 0 && !cw_hash128_eq(t->streams[t->slots[i] - 1].id, id))
        i = (i + 1) & (t->nslots - 1);
    return &t->slots[i];
}

static void table_grow(struct cw_inspect_totals *t)
{
    t->nslots = t->nslots > 0 ? 2 * t->nslots : 256;
    free(t->slots);
    t->slots = cw_mem_array(t->nslots, sizeof(*t->slots));
    for (size_t i = 0; i < t->nstreams; i++)
        *slot_of(t, t->streams[i].id) = (uint32_t)(i + 1);
}

static struct cw_inspect_stream *stream_of(struct cw_inspect_totals *t,
                                           const struct cw_stream_ref *ref)
{
    if (2 * t->nstreams >= t->nslots)
        table_grow(t);
    uint32_t *slot = slot_of(t, ref->id);
    if (*slot != 0)
        return &t->streams[*slot - 1];
    if (t->nstreams == t->cap) {
        t->cap = t->cap > 0 ? 2 * t->cap : 64;
        t->streams = cw_mem_resize(t->streams, t->cap * sizeof(*t->streams));
    }
    t->streams[t->nstreams] =
        (struct cw_inspect_stream){.id = ref->id, .labels = cw_labels_dup(t->arena, ref->labels)};
    *slot = (uint32_t)(t->nstreams + 1);
    return &t->streams[t->nstreams++];
}

static void block_streams_add(struct cw_inspect_totals *t, struct cw_source *source, uint32_t block)
{
    struct cw_part_block b = cw_part_reader_block(cw_part_source_reader(source), block);
    struct cw_scan scan = {.start_ns = INT64_MIN, .end_ns = INT64_MAX, .need = CW_NEED_SIZES};
    struct cw_unit unit = {source, block, b.min_ns, b.max_ns, b.raw_bytes};
    struct cw_cursor *cursor;
    struct cw_entry_batch batch;
    struct cw_err ignored;
    if (source->ops->open(source, &scan, &unit, &cursor, &ignored) < 0)
        return;
    while (cw_cursor_next(cursor, &batch, &ignored) > 0) {
        struct cw_inspect_stream *stream = stream_of(t, &batch.stream);
        uint64_t raw = 0;
        for (size_t i = 0; i < batch.n; i++)
            raw += batch.sizes[i];
        stream->rows += batch.n;
        stream->raw += raw;
        stream->stored += b.raw_bytes > 0 ? (double)b.bytes * (double)raw / b.raw_bytes : 0;
    }
    cw_cursor_close(&cursor);
}

/* ---- sections ---- */

static void block_sections_add(struct cw_inspect_totals *t, struct cw_str bytes,
                               struct cw_block *block)
{
    struct cw_err ignored;
    struct cw_section_entry entry = {0};
    uint64_t sections = 0;
    if (cw_block_open(bytes, block, &ignored) < 0) {
        t->bad_blocks++;
        return;
    }
    if (bytes.ptr[6] == CW_BLOCK_TEMPLATES) {
        t->template_blocks++;
        cw_inspect_templates_add(&t->templates, block);
    } else {
        t->plain_blocks++;
    }
    for (uint32_t i = 0; cw_section_entry_next(bytes, i, &entry); i++) {
        struct cw_inspect_bytes *sum = &t->sections[entry.kind % CW_INSPECT_KINDS];
        sum->n++;
        sum->stored += entry.stored.len;
        sum->raw += entry.raw_bytes;
        sections += entry.stored.len;
    }
    t->frame.n++;
    t->frame.stored += bytes.len - sections;
}

static void regions_add(struct cw_inspect_totals *t, const struct cw_part_reader *reader)
{
    for (int i = 0; i < CW_REGIONS; i++) {
        t->regions[i].n++;
        t->regions[i].stored += cw_part_reader_region(reader, i).len;
    }
    t->frame.stored += CW_PART_HEADER_BYTES + CW_PART_FOOTER_BYTES;
}

int cw_inspect_part_add(struct cw_inspect_totals *t, const char *path, struct cw_err *err)
{
    struct cw_source *source;
    int rc = cw_part_source_open(path, NULL, &source, err);
    if (rc < 0)
        return rc;
    struct cw_part_reader *reader = cw_part_source_reader(source);
    const struct cw_part_footer *f = cw_part_reader_footer(reader);
    struct cw_block *block = cw_mem_new(sizeof(*block));
    for (uint32_t i = 0; i < f->nblocks; i++) {
        block_sections_add(t, cw_part_reader_block_bytes(reader, i), block);
        block_streams_add(t, source, i);
    }
    regions_add(t, reader);
    t->parts++;
    t->entries += f->rows;
    t->raw += f->raw_bytes;
    t->stored += f->file_bytes;
    free(block);
    cw_source_unref(&source);
    return 0;
}

/* ---- tables ---- */

void cw_inspect_size(uint64_t bytes, struct cw_buf *out)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1000 && unit + 1 < CW_COUNT(units); unit++)
        value /= 1000;
    cw_buf_addf(out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static void print_size(uint64_t bytes, int width)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_inspect_size(bytes, &text);
    printf("%*s", width, cw_buf_z(&text));
    cw_buf_fini(&text);
}

static void print_ratio(uint64_t raw, double stored)
{
    if (raw > 0 && stored > 0)
        printf("%8.2f", (double)raw / stored);
    else
        printf("%8s", "-");
}

static void print_row(const struct cw_inspect_totals *t, const char *name,
                      const struct cw_inspect_bytes *sum, const char *doc)
{
    if (sum->n == 0)
        return;
    printf("  %-10s%8" PRIu64, name, sum->n);
    print_size(sum->stored, 11);
    printf("%7.1f%%", t->stored > 0 ? 100.0 * (double)sum->stored / (double)t->stored : 0);
    print_ratio(sum->raw, (double)sum->stored);
    printf("  %s\n", doc);
}

static void print_sections(const struct cw_inspect_totals *t)
{
    printf("\n  %-10s%8s%11s%8s%8s\n", "section", "number", "stored", "share", "ratio");
    for (const struct cw_section_kind_def *def = cw_section_kinds; def->name != NULL; def++)
        print_row(t, def->name, &t->sections[def->kind], def->doc);
    struct cw_inspect_bytes unknown = {0};
    for (int i = 0; i < CW_INSPECT_KINDS; i++) {
        if (cw_section_kind_find((uint8_t)i) != NULL)
            continue;
        unknown.n += t->sections[i].n;
        unknown.stored += t->sections[i].stored;
        unknown.raw += t->sections[i].raw;
    }
    print_row(t, "unknown", &unknown, "kinds that this program does not know");
    print_row(t, "frame", &t->frame, "headers, directories, footers");
    printf("\n  %-10s%8s%11s%8s\n", "region", "number", "stored", "share");
    for (int i = 0; i < CW_REGIONS; i++)
        print_row(t, cw_part_region_name(i), &t->regions[i], "");
}

static int by_raw(const void *a, const void *b)
{
    const struct cw_inspect_stream *x = a, *y = b;
    return x->raw < y->raw ? 1 : x->raw > y->raw ? -1 : cw_labels_cmp(x->labels, y->labels);
}

static void print_streams(struct cw_inspect_totals *t, uint64_t limit)
{
    if (t->nstreams == 0)
        return;
    qsort(t->streams, t->nstreams, sizeof(*t->streams), by_raw);
    free(t->slots); /* they name places */
    t->slots = NULL;
    t->nslots = 0;
    size_t n = limit == 0 ? t->nstreams : CW_MIN((uint64_t)t->nstreams, limit);
    printf(
        "\n  %10s%11s%11s%8s  stream (of a block of several, each one's share by the length of its "
        "lines)\n",
        "entries", "lines", "stored", "ratio");
    for (size_t i = 0; i < n; i++) {
        const struct cw_inspect_stream *stream = &t->streams[i];
        struct cw_buf labels;
        cw_buf_init(&labels, SIZE_MAX);
        cw_labels_format(stream->labels, &labels);
        printf("  %10" PRIu64, stream->rows);
        print_size(stream->raw, 11);
        print_size((uint64_t)stream->stored, 11);
        print_ratio(stream->raw, stream->stored);
        printf("  %s\n", cw_buf_z(&labels));
        cw_buf_fini(&labels);
    }
    if (n < t->nstreams)
        printf("  and %zu more (--limit 0 prints all)\n", t->nstreams - n);
}

void cw_inspect_print(struct cw_inspect_totals *t, uint64_t limit)
{
    cw_cli_print_count(t->entries, "entry", "entries");
    printf(" in ");
    cw_cli_print_count(t->nstreams, "stream", "streams");
    printf("; lines ");
    print_size(t->raw, 0);
    printf(", stored ");
    print_size(t->stored, 0);
    if (t->stored > 0)
        printf(", ratio %.2f", (double)t->raw / (double)t->stored);
    printf("; blocks: %" PRIu64 " plain, %" PRIu64 " of templates", t->plain_blocks,
           t->template_blocks);
    if (t->bad_blocks > 0)
        printf(", %" PRIu64 " that cannot be read (cordwood fsck says why)", t->bad_blocks);
    printf("\n");
    print_sections(t);
    cw_inspect_templates_print(&t->templates, limit);
    print_streams(t, limit);
}
