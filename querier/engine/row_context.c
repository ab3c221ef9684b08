#include "querier/engine/row_context.h"

#include <stdlib.h>

#include "common/base/assert.h"

enum { KEEP_BYTES = 1 << 20, SEEN = 64 };

/* Names of metadata, sorted. */
struct names {
    struct cw_str *items;
    size_t n;
    uint32_t number;
};

/* Rows with the same metadata may have it at the same place. */
struct seen {
    const struct cw_label *items;
    size_t n;
    const struct cw_row_context *context;
};

struct cw_row_contexts {
    const struct cw_label_hints *hints;
    const struct cw_stage *parser;
    struct cw_arena *arena; /* copies */
    bool begun;
    struct cw_hash128 stream;
    struct names stream_names;
    struct names names[CW_ROW_NAMES_MAX]; /* by slot */
    uint32_t nnames, last_number;
    struct cw_row_context
        items[CW_ROW_CONTEXTS_MAX]; /* the first is of rows whose metadata nobody reads */
    uint32_t n;
    struct cw_row_context other;
    struct cw_label *read; /* what the query reads of a row's metadata */
    size_t read_cap;
    struct seen seen[SEEN];
};

struct cw_row_contexts *cw_row_contexts_new(const struct cw_label_hints *hints,
                                            const struct cw_stage *parser)
{
    struct cw_row_contexts *c = cw_mem_new(sizeof *c);
    CW_ASSERT(hints->nrequired > 0);
    c->hints = hints;
    c->parser = parser;
    c->arena = cw_arena_new();
    return c;
}

void cw_row_contexts_free(struct cw_row_contexts **contexts)
{
    struct cw_row_contexts *c = *contexts;
    *contexts = NULL;
    if (c == NULL)
        return;
    cw_arena_free(&c->arena);
    free(c->read);
    free(c);
}

size_t cw_row_contexts_bytes(const struct cw_row_contexts *c)
{
    return sizeof *c + cw_arena_bytes(c->arena) + c->read_cap * sizeof *c->read;
}

static bool same_names(const struct names *names, struct cw_labels labels)
{
    bool same = labels.n == names->n;
    for (size_t i = 0; same && i < labels.n; i++)
        same = cw_str_eq(labels.items[i].name, names->items[i]);
    return same;
}

static void names_copy(struct cw_row_contexts *c, struct names *to, struct cw_labels labels)
{
    *to = (struct names){.items = CW_ARENA_ARRAY(c->arena, struct cw_str, labels.n),
                         .n = labels.n,
                         .number = ++c->last_number};
    for (size_t i = 0; i < labels.n; i++)
        to->items[i] = cw_arena_dup(c->arena, labels.items[i].name);
}

enum cw_row_stream cw_row_contexts_begin(struct cw_row_contexts *c,
                                         const struct cw_entry_batch *batch)
{
    memset(c->seen, 0, sizeof c->seen);
    if (c->begun && cw_hash128_eq(c->stream, batch->stream.id))
        return CW_ROW_STREAM_SAME;
    bool same = c->begun && same_names(&c->stream_names, batch->stream.labels) &&
                cw_arena_bytes(c->arena) <= KEEP_BYTES;
    c->begun = true;
    c->stream = batch->stream.id;
    if (!same) {
        cw_arena_reset(c->arena);
        names_copy(c, &c->stream_names, batch->stream.labels);
        names_copy(c, &c->names[0], CW_LABELS_NONE);
        c->nnames = 1;
    }
    c->items[0] = (struct cw_row_context){CW_LABELS_NONE, 0, c->names[0].number, 0};
    c->n = 1;
    return same ? CW_ROW_STREAM_NEW : CW_ROW_STREAM_NAMES;
}

/* A label of logfmt's expressions that clashes with the row's metadata ends the line at its second value, whoever needs it. */
static bool changes_parser(const struct cw_row_contexts *c, struct cw_str name)
{
    if (c->parser->kind != CW_STAGE_LOGFMT)
        return false;
    for (size_t i = 0; i < c->parser->nextractions; i++)
        if (cw_str_eq(c->parser->extractions[i].name, name))
            return true;
    return false;
}

/* What the query reads of it, in `read`; false: it may read more. */
static bool read_set(struct cw_row_contexts *c, const struct cw_labels *metadata,
                     struct cw_labels *out)
{
    if (metadata->n > c->read_cap) {
        c->read_cap = 2 * metadata->n;
        c->read = cw_mem_resize(c->read, c->read_cap * sizeof *c->read);
    }
    *out = (struct cw_labels){c->read, 0};
    for (size_t i = 0; i < metadata->n; i++) {
        const struct cw_label *label = &metadata->items[i];
        if (cw_str_starts(label->name, CW_STR("__"))) /* an error, or what says that one is none */
            return false;
        if (cw_str_among(label->name, c->hints->required, c->hints->nrequired))
            c->read[out->n++] = *label;
        else if (changes_parser(c, label->name))
            return false;
    }
    return true;
}

/* The slot of the names; CW_ROW_NAMES_MAX: there are too many. */
static uint32_t slot_find(struct cw_row_contexts *c, struct cw_labels labels)
{
    for (uint32_t i = 0; i < c->nnames; i++)
        if (same_names(&c->names[i], labels))
            return i;
    if (c->nnames < CW_ROW_NAMES_MAX)
        names_copy(c, &c->names[c->nnames++], labels);
    else
        return CW_ROW_NAMES_MAX;
    return c->nnames - 1;
}

static const struct cw_row_context *context_add(struct cw_row_contexts *c, struct cw_labels labels)
{
    uint32_t slot = slot_find(c, labels);
    if (slot == CW_ROW_NAMES_MAX)
        return NULL;
    bool full = c->n == CW_ROW_CONTEXTS_MAX;
    struct cw_row_context *to = full ? &c->other : &c->items[c->n];
    *to = (struct cw_row_context){.metadata = full ? labels : cw_labels_dup(c->arena, labels),
                                  .number = full ? CW_ROW_CONTEXT_OTHER : c->n,
                                  .names = c->names[slot].number,
                                  .slot = slot};
    c->n += !full;
    return to;
}

static const struct cw_row_context *context_find(struct cw_row_contexts *c,
                                                 const struct cw_labels *metadata)
{
    struct cw_labels labels;
    if (!read_set(c, metadata, &labels))
        return NULL;
    for (uint32_t i = 0; i < c->n; i++)
        if (cw_labels_eq(c->items[i].metadata, labels))
            return &c->items[i];
    return context_add(c, labels);
}

const struct cw_row_context *cw_row_contexts_find(struct cw_row_contexts *c,
                                                  const struct cw_labels *metadata)
{
    if (metadata->n == 0)
        return &c->items[0];
    struct seen *seen = &c->seen[(uintptr_t)metadata->items / sizeof(struct cw_label) % SEEN];
    if (seen->items == metadata->items && seen->n == metadata->n)
        return seen->context;
    const struct cw_row_context *context = context_find(c, metadata);
    if (context != &c->other)
        *seen = (struct seen){metadata->items, metadata->n, context};
    return context;
}
